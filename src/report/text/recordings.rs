//! The recordings of a case, and what their readers had to say.

use super::page::{Ink, Page, name, words};
use super::style::Detail;
use super::units::{counted, duration};
use crate::report::model::{Placed, Report, SourceFile};

/// Notes that are shown where not all is asked for.
const NOTES_SHOWN: usize = 4;

/// Writes the recordings, where there were several, and the notes.
pub fn write(page: &mut Page, report: &Report, detail: Detail) {
    let files = &report.source.files;
    for file in files {
        page.hanging(0, 2, &[name(file.name.as_str()), words(said(report, file))]);
    }
    let most = if detail == Detail::Full { usize::MAX } else { NOTES_SHOWN };
    let notes = &report.source.notes;
    for note in notes.iter().take(most) {
        let text = note.text.as_deref().unwrap_or("not known");
        page.hanging(0, 2, &[name(note.about.as_str()), words(": "), name(text).ink(Ink::Warning)]);
    }
    if let Some(more) = notes.len().checked_sub(most).filter(|more| *more > 0) {
        let text = format!("{} (-v shows them).", counted(more as u64, "more note", "more notes"));
        page.paragraph(0, &[words(text)]);
    }
}

fn said(report: &Report, file: &SourceFile) -> String {
    let began = report.source.started_unix_s;
    let when = match (file.placed, file.started_unix_s) {
        (Placed::Clock, Some(at)) => match at - began {
            after if after >= 0.001 => format!("begins {} after the first", duration(after)),
            _ => "begins first".to_owned(),
        },
        (Placed::FileTime, Some(at)) => {
            format!(
                "has no clock; its file was written {} after the case begins",
                duration(at - began)
            )
        }
        _ => "has no time that can be its own; put at the beginning".to_owned(),
    };
    let mut said =
        format!(" ({}): {when}; {}.", file.kind, counted(file.events, "event", "events"));
    if file.listed_twice > 0 {
        let left_out = counted(file.listed_twice, "event", "events");
        said.push_str(&format!(
            " {left_out} of blocks left out: an earlier file lists the blocks of the same process; \
             to see these, analyze this file alone."
        ));
    }
    said
}
