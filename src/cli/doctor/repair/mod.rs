//! `unfreed doctor --repair`: puts back what an unfreed that was killed left behind.

#[cfg(not(windows))]
mod nothing;
#[cfg(windows)]
mod windows;

#[cfg(not(windows))]
use nothing::repair;
#[cfg(windows)]
use windows::repair;

use serde::Serialize;
use unfreed::report::json;
use unfreed::report::text::page::{Ink, Page, words};

use super::super::Outcome;
use super::super::fail::{Failure, Told};
use super::super::options::Form;
use super::super::output::{Io, deliver};

/// What was done.
#[derive(Debug, Default, Serialize)]
struct Repaired {
    schema: u32,
    /// What was put back, in words.
    repaired: Vec<String>,
    /// What could not be, in words.
    failed: Vec<String>,
}

/// Repairs, and says what was done.
pub fn run(form: &Form, io: &Io) -> Result<Outcome, Failure> {
    let repaired = Repaired { schema: unfreed::report::model::SCHEMA, ..repair() };
    let text = if form.json {
        json::render(&repaired).told(|| "cannot write the result as JSON".to_owned())?
    } else {
        let mut page = Page::new(form.style(io));
        for text in &repaired.repaired {
            page.paragraph(0, &[words(text.as_str()).ink(Ink::Good)]);
        }
        for text in &repaired.failed {
            page.paragraph(0, &[words(text.as_str()).ink(Ink::Alarm)]);
        }
        if repaired.repaired.is_empty() && repaired.failed.is_empty() {
            page.paragraph(0, &[words("Nothing was left behind.")]);
        }
        page.finish()
    };
    deliver(text.as_bytes(), form.output.as_deref())?;
    match repaired.failed.len() {
        0 => Ok(Outcome::Clear),
        _ => {
            Err(Failure::new("not everything could be put back")
                .advise("run it as an administrator"))
        }
    }
}
