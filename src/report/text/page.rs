//! A page: paragraphs, rows with a label, lines of cells, of words and names. All that is said to people goes through
//! [`Page`], and is made into text for a terminal, HTML or Markdown last: so all of them say the same, and no byte of a
//! name can reach any of them as it is.

mod html;
mod markdown;
mod terminal;

use std::borrow::Cow;

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

    fn owned(&self) -> Span<'static> {
        Span { text: Cow::Owned(self.text.clone().into_owned()), ..*self }
    }
}

/// One thing on a page.
#[derive(Clone, Debug)]
enum Item {
    /// An empty line.
    Gap,
    /// Words that fill lines: the first indented by `first` columns, further ones by `rest`.
    Flow { first: usize, rest: usize, spans: Vec<Span<'static>> },
    /// Words beside a label, which takes `column` columns.
    Row { indent: usize, column: usize, label: Span<'static>, spans: Vec<Span<'static>> },
    /// One line of cells, each with its width.
    Cells { indent: usize, cells: Vec<(usize, Span<'static>)> },
}

/// Rows of items that make one list, one table or one row of paragraphs.
fn runs(items: &[Item]) -> impl Iterator<Item = &[Item]> {
    items.chunk_by(|one, other| match (one, other) {
        (Item::Row { indent: one, .. }, Item::Row { indent: other, .. }) => one == other,
        _ => std::mem::discriminant(one) == std::mem::discriminant(other),
    })
}

/// A page under construction.
#[derive(Debug)]
pub struct Page {
    width: usize,
    color: bool,
    items: Vec<Item>,
}

impl Page {
    /// An empty page.
    pub fn new(style: Style) -> Self {
        Page { width: style.width.max(LEAST_WIDTH), color: style.color, items: Vec::new() }
    }

    /// The page's width in columns.
    pub fn width(&self) -> usize {
        self.width
    }

    /// An empty line; never two in a row, none at the beginning.
    pub fn gap(&mut self) {
        if !matches!(self.items.last(), None | Some(Item::Gap)) {
            self.items.push(Item::Gap);
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
        let spans = spans.iter().map(Span::owned).collect();
        self.items.push(Item::Row { indent, column, label: label.owned(), spans });
    }

    /// A paragraph whose first line is indented differently from the rest.
    pub fn hanging(&mut self, first: usize, rest: usize, spans: &[Span<'_>]) {
        let spans = spans.iter().map(Span::owned).collect();
        self.items.push(Item::Flow { first, rest, spans });
    }

    /// One line of cells, each as wide as it says; the last is not padded. What does not fit its
    /// cell is cut in the middle.
    pub fn cells(&mut self, indent: usize, cells: &[(usize, Span<'_>)]) {
        let cells = cells.iter().map(|(width, span)| (*width, span.owned())).collect();
        self.items.push(Item::Cells { indent, cells });
    }

    /// The page as text: words wrapped, names cut in the middle, colour put on last. No line is wider than the page.
    pub fn finish(self) -> String {
        terminal::render(&self)
    }

    /// The page as HTML, without a document around it.
    pub fn html(&self) -> String {
        html::render(&self.items)
    }

    /// The page as Markdown.
    pub fn markdown(&self) -> String {
        markdown::render(&self.items)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::safe;
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
