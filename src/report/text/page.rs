//! A page of a known width: words are wrapped, names are cut in the middle, everything that came
//! from outside is escaped, and colour is put on last. All text goes through [`Page`], so no line
//! can be wider than the page and no byte of a name can reach the terminal as it is.

use std::borrow::Cow;

use super::safe;
use super::style::{LEAST_WIDTH, Style};

/// What a piece of text looks like where there is colour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ink {
    /// As it is.
    #[default]
    Plain,
    /// Bold.
    Strong,
    /// A leak.
    Alarm,
    /// Something that limits a conclusion.
    Warning,
    /// All is well.
    Good,
    /// Less important.
    Faint,
}

impl Ink {
    fn code(self) -> Option<&'static str> {
        match self {
            Ink::Plain => None,
            Ink::Strong => Some("1"),
            Ink::Alarm => Some("1;31"),
            Ink::Warning => Some("33"),
            Ink::Good => Some("32"),
            Ink::Faint => Some("2"),
        }
    }
}

/// A piece of text.
#[derive(Clone, Debug)]
pub struct Span<'a> {
    text: Cow<'a, str>,
    ink: Ink,
    name: bool,
}

/// Words: broken between words where the line ends.
pub fn words<'a>(text: impl Into<Cow<'a, str>>) -> Span<'a> {
    Span { text: text.into(), ink: Ink::Plain, name: false }
}

/// A name: never broken, cut in the middle where it is wider than a line.
pub fn name<'a>(text: impl Into<Cow<'a, str>>) -> Span<'a> {
    Span { text: text.into(), ink: Ink::Plain, name: true }
}

impl Span<'_> {
    /// The same in another ink.
    pub fn ink(mut self, ink: Ink) -> Self {
        self.ink = ink;
        self
    }
}

/// A part of a word: all of one ink, escaped.
#[derive(Clone, Debug)]
struct Piece {
    text: String,
    ink: Ink,
    name: bool,
}

/// Text under construction.
#[derive(Debug)]
pub struct Page {
    width: usize,
    color: bool,
    out: String,
}

impl Page {
    /// An empty page.
    pub fn new(style: Style) -> Self {
        Page { width: style.width.max(LEAST_WIDTH), color: style.color, out: String::new() }
    }

    /// The page's width in columns.
    pub fn width(&self) -> usize {
        self.width
    }

    /// What was written.
    pub fn finish(self) -> String {
        self.out
    }

    /// An empty line; never two in a row, none at the beginning.
    pub fn gap(&mut self) {
        if !self.out.is_empty() && !self.out.ends_with("\n\n") {
            self.out.push('\n');
        }
    }

    /// A paragraph, every line indented.
    pub fn paragraph(&mut self, indent: usize, spans: &[Span<'_>]) {
        self.hanging(indent, indent, spans);
    }

    /// A row: a label, and text beside it that stays beside it.
    pub fn row(&mut self, indent: usize, column: usize, label: &str, spans: &[Span<'_>]) {
        self.row_inked(indent, column, words(label).ink(Ink::Faint), spans);
    }

    /// A row whose label has an ink of its own.
    pub fn row_inked(&mut self, indent: usize, column: usize, label: Span<'_>, spans: &[Span<'_>]) {
        let ink = label.ink;
        let label = clean(&label.text);
        let label = safe::fit(&label, column.saturating_sub(1));
        self.pad(indent);
        self.put(&label, ink);
        self.pad(column - safe::width(&label));
        self.flow(indent + column, indent + column, spans);
    }

    /// A paragraph whose first line is indented differently from the rest.
    pub fn hanging(&mut self, first: usize, rest: usize, spans: &[Span<'_>]) {
        self.pad(first);
        self.flow(first, rest, spans);
    }

    /// One line of cells, each as wide as it says; the last is not padded. What does not fit its
    /// cell is cut in the middle.
    pub fn cells(&mut self, indent: usize, cells: &[(usize, Span<'_>)]) {
        self.pad(indent);
        let mut pending = 0;
        let mut room = self.width.saturating_sub(indent);
        for (width, span) in cells {
            let width = (*width).min(room);
            room -= width;
            let text = clean(&span.text);
            let text = safe::fit(&text, width);
            if text.is_empty() {
                pending += width;
                continue;
            }
            self.pad(pending);
            self.put(&text, span.ink);
            pending = width - safe::width(&text);
        }
        self.out.push('\n');
    }

    /// Fills lines with words, from column `at` of the open line; further lines begin at `rest`.
    fn flow(&mut self, at: usize, rest: usize, spans: &[Span<'_>]) {
        let mut column = at;
        let mut fresh = true;
        for word in words_of(spans) {
            let word = self.shorten(word, self.width.saturating_sub(rest).max(1));
            let width: usize = word.iter().map(|piece| safe::width(&piece.text)).sum();
            if !fresh && column + 1 + width > self.width {
                self.out.push('\n');
                self.pad(rest);
                column = rest;
                fresh = true;
            }
            if !fresh {
                self.out.push(' ');
                column += 1;
            }
            for piece in &word {
                column = self.put_broken(piece, column, rest);
            }
            fresh = false;
        }
        self.out.push('\n');
    }

    /// Cuts a word's names so that the word fits a line.
    fn shorten(&self, mut word: Vec<Piece>, room: usize) -> Vec<Piece> {
        let total: usize = word.iter().map(|piece| safe::width(&piece.text)).sum();
        if total <= room {
            return word;
        }
        let names: usize =
            word.iter().filter(|p| p.name).map(|piece| safe::width(&piece.text)).sum();
        let others = total - names;
        for piece in word.iter_mut().filter(|piece| piece.name) {
            let own = safe::width(&piece.text);
            let share = room.saturating_sub(others).max(1) * own / names.max(1);
            piece.text = safe::fit(&piece.text, share.max(1)).into_owned();
        }
        word
    }

    /// Puts a piece; one that is wider than a line (a URL, a command) is broken where the line
    /// ends: cut short it would be worth nothing.
    fn put_broken(&mut self, piece: &Piece, mut column: usize, rest: usize) -> usize {
        let mut text = piece.text.as_str();
        while column + safe::width(text) > self.width {
            let head = safe::head(text, self.width.saturating_sub(column));
            if head.is_empty() && column == rest {
                break;
            }
            self.put(head, piece.ink);
            self.out.push('\n');
            self.pad(rest);
            text = &text[head.len()..];
            column = rest;
        }
        self.put(text, piece.ink);
        column + safe::width(text)
    }

    fn pad(&mut self, columns: usize) {
        self.out.extend(std::iter::repeat_n(' ', columns));
    }

    fn put(&mut self, text: &str, ink: Ink) {
        match ink.code() {
            Some(code) if self.color && !text.is_empty() => {
                self.out.push_str("\x1b[");
                self.out.push_str(code);
                self.out.push('m');
                self.out.push_str(text);
                self.out.push_str("\x1b[0m");
            }
            _ => self.out.push_str(text),
        }
    }
}

/// Escaped; no-break spaces have done their work when words are split.
fn clean(text: &str) -> String {
    safe::escape(text).replace('\u{a0}', " ")
}

/// Splits spans into words; pieces that touch without white space make one word.
fn words_of(spans: &[Span<'_>]) -> Vec<Vec<Piece>> {
    let mut all = Vec::new();
    let mut word: Vec<Piece> = Vec::new();
    for span in spans {
        let piece = |text: &str| Piece { text: clean(text), ink: span.ink, name: span.name };
        if span.name {
            word.push(piece(&span.text));
            continue;
        }
        for (at, part) in span.text.split([' ', '\n', '\t']).enumerate() {
            if at > 0 && !word.is_empty() {
                all.push(std::mem::take(&mut word));
            }
            if !part.is_empty() {
                word.push(piece(part));
            }
        }
    }
    if !word.is_empty() {
        all.push(word);
    }
    all
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn page(width: usize) -> Page {
        Page::new(Style { width, ..Style::default() })
    }

    #[test]
    fn words_wrap_and_names_are_cut() {
        let mut page = page(40);
        page.row(
            2,
            10,
            "Whose",
            &[
                words("the module "),
                name("/opt/vendor/really/long/path/libplugin.so.1"),
                words(", as the trace says."),
            ],
        );
        assert_eq!(
            page.finish(),
            "  Whose     the module\n            \
             /opt/vendor/r…ibplugin.so.1,\n            as the trace says.\n"
        );
    }

    proptest! {
        #[test]
        fn no_line_is_wider_than_the_page(
            texts in prop::collection::vec((any::<String>(), any::<bool>()), 0..6),
            width in 40usize..130,
            indent in 0usize..12,
        ) {
            let spans: Vec<_> = texts
                .iter()
                .map(|(text, is_name)| if *is_name { name(text) } else { words(text) })
                .collect();
            let mut page = page(width);
            page.paragraph(indent, &spans);
            page.row(indent, 14, "label", &spans);
            let cells: Vec<_> = spans.iter().map(|span| (17, span.clone())).collect();
            page.cells(indent, &cells);
            for line in page.finish().lines() {
                prop_assert!(safe::width(line) <= width, "{line:?}");
                prop_assert!(!line.chars().any(safe::is_unsafe), "{line:?}");
            }
        }
    }
}
