//! What a check found in one file, placed on its lines. A check names the key it looked at (`lines.0.files.1.fixed`)
//! and never thinks of lines; this finds them, by reading the document a second time with
//! positions, where there is something to say: of the embedded entries there is not. Where a key is missing the finding is placed on the table it is missing from.

use std::cell::OnceCell;
use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::problem::Problem;

/// The findings in one file.
pub(super) struct Findings<'a> {
    path: &'a Path,
    text: &'a str,
    document: OnceCell<Option<Spanned<DeTable<'a>>>>,
    problems: Vec<Problem>,
}

impl<'a> Findings<'a> {
    /// No findings yet, in the file of this path and text.
    pub(super) fn new(path: &'a Path, text: &'a str) -> Findings<'a> {
        Findings { path, text, document: OnceCell::new(), problems: Vec::new() }
    }

    /// Something is wrong at a key: names and array indices, separated by dots.
    pub(super) fn add(&mut self, key: &str, text: impl Into<String>) {
        let line = self.place(key).map(|at| line_of(self.text, at));
        self.problems.push(Problem { path: self.path.to_owned(), line, text: text.into() });
    }

    /// Whether a key of the whole file is there with nothing in it.
    pub(super) fn is_empty_text(&self, key: &str) -> bool {
        let value = self.document().and_then(|document| document.get(key));
        matches!(value.map(Spanned::get_ref), Some(DeValue::String(text)) if text.trim().is_empty())
    }

    /// The text is not an entry at all.
    pub(super) fn add_error(&mut self, error: &toml::de::Error) {
        let line = error.span().map(|span| line_of(self.text, span.start));
        let text = error.message().trim().replace('\n', "; ");
        self.problems.push(Problem { path: self.path.to_owned(), line, text });
    }

    /// Looks at every text in the document: a terminal must not be given what could steer it.
    pub(super) fn refuse_control_characters(&mut self) {
        // Only such a character itself or an escape can become one.
        if !self.text.chars().any(|c| c == '\\' || c.is_control() && c != '\n') {
            return;
        }
        let mut places = Vec::new();
        if let Some(document) = self.document() {
            for (key, value) in document {
                control_characters(key.get_ref(), key.span().start, &mut places);
                visit(value, &mut places);
            }
        }
        // Counted on from one place to the next: a hostile file may have as many as it has bytes.
        places.sort_unstable();
        let (mut counted, mut line) = (0, 1);
        for at in places {
            let between = self.text.as_bytes().get(counted..at).unwrap_or_default();
            line += between.iter().filter(|&&b| b == b'\n').count();
            counted = at.max(counted);
            let line = Some(line);
            let text = "a control character; only plain text can be shown".to_owned();
            self.problems.push(Problem { path: self.path.to_owned(), line, text });
        }
    }

    /// All findings, in the order of the file.
    pub(super) fn into_problems(mut self) -> Vec<Problem> {
        self.problems.sort();
        self.problems.dedup();
        self.problems
    }

    fn document(&self) -> Option<&DeTable<'a>> {
        let document = self.document.get_or_init(|| DeTable::parse(self.text).ok());
        document.as_ref().map(Spanned::get_ref)
    }

    /// Where a key is, or the innermost table around it that is there.
    fn place(&self, key: &str) -> Option<usize> {
        let mut parts = key.split('.');
        let document = self.document()?;
        let mut value = document.get(parts.next()?)?;
        for part in parts {
            let inner = match value.get_ref() {
                DeValue::Table(table) => table.get(part),
                DeValue::Array(array) => part.parse().ok().and_then(|at: usize| array.get(at)),
                _ => None,
            };
            match inner {
                Some(inner) => value = inner,
                None => break,
            }
        }
        Some(value.span().start)
    }
}

fn visit(value: &Spanned<DeValue<'_>>, places: &mut Vec<usize>) {
    match value.get_ref() {
        DeValue::String(text) => control_characters(text, value.span().start, places),
        DeValue::Array(array) => array.iter().for_each(|value| visit(value, places)),
        DeValue::Table(table) => {
            for (key, value) in table {
                control_characters(key.get_ref(), key.span().start, places);
                visit(value, places);
            }
        }
        _ => {}
    }
}

fn control_characters(text: &str, at: usize, places: &mut Vec<usize>) {
    if text.chars().any(|c| c.is_control() && c != '\n') {
        places.push(at);
    }
}

/// The line of a byte offset, counted from 1.
fn line_of(text: &str, at: usize) -> usize {
    let before = text.as_bytes().get(..at).unwrap_or(text.as_bytes());
    before.iter().filter(|&&b| b == b'\n').count() + 1
}
