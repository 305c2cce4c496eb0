//! Names as the traced machine gave them, in places where a sentence needs one: an empty name is
//! said in words, not left out.

use super::page::{Span, name, words};

/// A module, by its name or path.
pub fn module(text: &str) -> Span<'_> {
    or_words(text, "an unnamed module")
}

/// A process, by its name.
pub fn process(text: &str) -> Span<'_> {
    or_words(text, "an unnamed process")
}

fn or_words<'a>(text: &'a str, otherwise: &'static str) -> Span<'a> {
    if text.is_empty() { words(otherwise) } else { name(text) }
}
