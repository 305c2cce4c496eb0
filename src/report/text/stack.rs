//! A stack, innermost frame first. The blame frame is pointed at, inlined functions are marked, a
//! frame without a name is `module+0xoffset`, never a guess.

use unfreed_symbols::Found;

use super::page::{Ink, Page, name, words};
use super::style::Detail;
use crate::event::Trust;
use crate::report::model::StackFrame;

/// Frames shown below the blame frame before the rest is counted.
const FRAMES_SHOWN: usize = 12;

/// Writes a stack.
pub fn write(
    page: &mut Page,
    indent: usize,
    frames: &[StackFrame],
    complete: bool,
    detail: Detail,
) {
    let blame = frames.iter().position(|frame| frame.blame).unwrap_or(0);
    let shown = match detail {
        Detail::Full => frames.len(),
        _ => frames.len().min(blame + FRAMES_SHOWN),
    };
    let room = page.width().saturating_sub(indent + 2);
    let module_room = (room / 3).min(32);
    let function_room = room - module_room - 1;
    for frame in &frames[..shown] {
        let (mark, ink) = if frame.blame { (">", Ink::Strong) } else { ("", Ink::Plain) };
        let mut function = place(frame);
        if frame.inlined {
            function.push_str(" (inlined)");
        }
        match frame.found {
            Some(Found::SymtabUnsized | Found::PdbPublic) => function.push_str(" (nearest symbol)"),
            Some(Found::ExportNearest) => function.push_str(" (nearest export)"),
            Some(Found::Unverified) => function.push_str(" (unverified)"),
            _ => {}
        }
        page.cells(
            indent,
            &[
                (2, words(mark).ink(Ink::Alarm)),
                (function_room, name(function).ink(ink)),
                (1, words("")),
                (module_room, name(frame.module.as_deref().unwrap_or("?")).ink(Ink::Faint)),
            ],
        );
        if detail == Detail::Full {
            source(page, indent + 6, frame);
        }
    }
    let hidden = frames.len() - shown;
    if hidden > 0 {
        let text = format!("… {hidden} more frames (-v shows them)");
        page.paragraph(indent + 2, &[words(text).ink(Ink::Faint)]);
    }
    if frames.is_empty() {
        page.paragraph(indent + 2, &[words("no stack was recorded").ink(Ink::Warning)]);
    } else if !complete {
        let text = "… the stack ends here: its outermost callers are unknown";
        page.paragraph(indent + 2, &[words(text).ink(Ink::Warning)]);
    }
}

/// The frame's function, or its `module+0xoffset`.
pub fn place(frame: &StackFrame) -> String {
    match (&frame.function, &frame.module) {
        (Some(function), _) => function.clone(),
        (None, Some(module)) => match &frame.address {
            Some(address) => format!("{module}+{address}"),
            None => format!("{module}!?"),
        },
        (None, None) => frame.address.clone().unwrap_or_else(|| "?".to_owned()),
    }
}

fn source(page: &mut Page, indent: usize, frame: &StackFrame) {
    let mut said = match (&frame.file, frame.line) {
        (Some(file), Some(line)) => format!("{file}:{line}"),
        (Some(file), None) => file.clone(),
        (None, _) => String::new(),
    };
    let found = match frame.trust {
        Trust::FramePointer => "found by frame pointer",
        Trust::Code => "found by reading its callee's code",
        Trust::Context | Trust::Table | Trust::Recorded | Trust::Named => "",
    };
    if !said.is_empty() && !found.is_empty() {
        said.push_str(", ");
    }
    said.push_str(found);
    if !said.is_empty() {
        page.cells(indent, &[(page.width(), name(said).ink(Ink::Faint))]);
    }
}
