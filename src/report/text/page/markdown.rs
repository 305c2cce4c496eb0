//! A page as Markdown for a ticket: paragraphs, lists and blocks of code. Names stand in code spans, where nothing in
//! them means anything; in words whatever Markdown or HTML would read is quoted.

use super::super::safe;
use super::{Ink, Item, Span, runs};

/// The page as Markdown.
pub(super) fn render(items: &[Item]) -> String {
    runs(items).map(run).filter(|part| !part.is_empty()).collect::<Vec<_>>().join("\n")
}

fn run(items: &[Item]) -> String {
    if matches!(items.first(), Some(Item::Cells { .. })) {
        return code(items);
    }
    let mut out = String::new();
    for item in items {
        match item {
            Item::Flow { spans, .. } => {
                if !out.is_empty() {
                    out.push('\n');
                }
                out.push_str(&text(spans));
                out.push('\n');
            }
            Item::Row { label, spans, .. } => {
                let label = match quoted(label.text.trim()) {
                    label if label.is_empty() => String::new(),
                    label => format!("**{label}**: "),
                };
                out.push_str(&format!("- {label}{}\n", text(spans)));
            }
            Item::Gap | Item::Cells { .. } => {}
        }
    }
    out
}

/// Lines of cells, between fences that are longer than any row of backticks in them.
fn code(items: &[Item]) -> String {
    let line = |cells: &[(usize, Span<'_>)]| {
        let cell = |(width, cell): &(usize, Span<'_>)| {
            let text = safe::escape(&cell.text);
            let fill = " ".repeat(width.saturating_sub(safe::width(&text)).max(1));
            format!("{text}{fill}")
        };
        cells.iter().map(cell).collect::<String>().trim_end().to_owned()
    };
    let lines = items.iter().filter_map(|item| match item {
        Item::Cells { cells, .. } => Some(line(cells)),
        _ => None,
    });
    let lines = lines.collect::<Vec<_>>().join("\n");
    let fence = "`".repeat((longest_run(&lines) + 1).max(3));
    format!("{fence}text\n{lines}\n{fence}\n")
}

fn text(spans: &[Span<'_>]) -> String {
    spans.iter().map(span).collect()
}

fn span(span: &Span<'_>) -> String {
    if span.name {
        return code_span(&safe::escape(&span.text));
    }
    let words = quoted(&span.text);
    match span.ink {
        Ink::Strong | Ink::Alarm if !words.trim().is_empty() => bold(&words),
        _ => words,
    }
}

/// Bold, with the blanks outside: inside they would keep it from being bold.
fn bold(words: &str) -> String {
    let inner = words.trim();
    let before = &words[..words.len() - words.trim_start().len()];
    let after = &words[words.trim_end().len()..];
    format!("{before}**{inner}**{after}")
}

fn code_span(name: &str) -> String {
    if name.is_empty() {
        return String::new();
    }
    let fence = "`".repeat(longest_run(name) + 1);
    let pad = if name.starts_with('`') || name.ends_with('`') || name.trim().is_empty() {
        " "
    } else {
        ""
    };
    format!("{fence}{pad}{name}{pad}{fence}")
}

/// The longest row of backticks.
fn longest_run(text: &str) -> usize {
    text.split(|c| c != '`').map(str::len).max().unwrap_or(0)
}

/// Words with every character that Markdown or HTML reads quoted. White space of any kind is one blank, so that no line begins
/// with what makes a heading or a list.
fn quoted(words: &str) -> String {
    let mut out = String::with_capacity(words.len());
    for c in safe::escape(&words.replace(['\n', '\t', '\u{a0}'], " ")).chars() {
        match c {
            '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '|' | '~' | '#' | '&' => {
                out.push('\\');
                out.push(c);
            }
            c => out.push(c),
        }
    }
    out
}
