//! What readers of text have in common: any encoding as UTF-8, lines of bounded length, numbers, the one process and
//! moment that most show, and stacks that are given frame by frame. Nothing here knows a format.

mod lines;
pub(super) mod moment;
mod numbers;
mod stacks;
mod utf8;

pub(super) use lines::{Line, Lines};
pub(super) use numbers::{after_0x, hex};
pub(super) use stacks::{Stacks, TextFrame};
pub use utf8::Utf8;

use std::io::Read;

/// The opening of a text, in whatever encoding, to be told by; empty for what is no text.
pub(super) fn opening(start: &[u8]) -> String {
    let mut text = Vec::new();
    // A character may be cut at the end: what stands before it is enough, and memory cannot fail.
    let _ = Utf8::new(start).read_to_end(&mut text);
    String::from_utf8_lossy(&text).into_owned()
}
