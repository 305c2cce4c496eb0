//! A page as text for a terminal, a pipe or a file. Everything that came from outside is escaped.

use super::super::safe;
use super::{Ink, Item, Page, Span};

/// The page as lines of at most its width.
pub(super) fn render(page: &Page) -> String {
    let mut sheet = Sheet { width: page.width, color: page.color, out: String::new() };
    for item in &page.items {
        sheet.item(item);
    }
    sheet.out
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

/// A part of a word: all of one ink, escaped.
#[derive(Clone, Debug)]
struct Piece {
    text: String,
    ink: Ink,
    name: bool,
}

/// Lines under construction.
#[derive(Debug)]
struct Sheet {
    width: usize,
    color: bool,
    out: String,
}

impl Sheet {
    fn item(&mut self, item: &Item) {
        match item {
            Item::Gap => self.out.push('\n'),
            Item::Flow { first, rest, spans } => {
                self.pad(*first);
                self.flow(*first, *rest, spans);
            }
            Item::Row { indent, column, label, spans } => {
                let text = clean(&label.text);
                let text = safe::fit(&text, column.saturating_sub(1));
                self.pad(*indent);
                self.put(&text, label.ink);
                self.pad(column - safe::width(&text));
                self.flow(indent + column, indent + column, spans);
            }
            Item::Cells { indent, cells } => self.cells(*indent, cells),
        }
    }

    fn cells(&mut self, indent: usize, cells: &[(usize, Span<'_>)]) {
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
