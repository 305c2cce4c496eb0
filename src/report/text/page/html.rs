//! A page as HTML. Every character that came from outside is escaped twice over: what cannot be seen or turns the
//! writing around is spelled out as on a terminal, and what means something to a browser is quoted.

use maud::{Markup, html};

use super::super::safe;
use super::{Ink, Item, Span, runs};

/// The page's elements, without a document around them.
pub(super) fn render(items: &[Item]) -> String {
    runs(items).map(|items| run(items).into_string()).collect()
}

fn run(items: &[Item]) -> Markup {
    match items.first() {
        Some(Item::Row { indent, .. }) => html! {
            dl class={ "in" (indent) } { @for item in items { (row(item)) } }
        },
        Some(Item::Cells { .. }) => html! {
            div.wide tabindex="0" role="region" aria-label="call stack" {
                table.cells { tbody { @for item in items { (cells(item)) } } }
            }
        },
        _ => html! { @for item in items { (flow(item)) } },
    }
}

fn flow(item: &Item) -> Markup {
    match item {
        Item::Flow { first, spans, .. } => html! { p class={ "in" (first) } { (text(spans)) } },
        _ => html! {},
    }
}

fn row(item: &Item) -> Markup {
    match item {
        Item::Row { label, spans, .. } => html! {
            div { dt { (span(label)) } dd { (text(spans)) } }
        },
        _ => html! {},
    }
}

/// A cell without text keeps its place; a line of one cell runs across all columns.
fn cells(item: &Item) -> Markup {
    let Item::Cells { cells, .. } = item else { return html! {} };
    match cells.as_slice() {
        [(_, only)] => html! { tr { td colspan="4" { (span(only)) } } },
        cells => html! {
            tr { @for (_, cell) in cells.iter().filter(|(width, _)| *width > 1) { td { (span(cell)) } } }
        },
    }
}

fn text(spans: &[Span<'_>]) -> Markup {
    html! { @for each in spans { (span(each)) } }
}

fn span(span: &Span<'_>) -> Markup {
    let text = safe::escape(&span.text);
    let class = match span.ink {
        Ink::Plain => None,
        Ink::Strong => Some("strong"),
        Ink::Alarm => Some("alarm"),
        Ink::Warning => Some("warning"),
        Ink::Good => Some("good"),
        Ink::Faint => Some("faint"),
    };
    match (class, span.name) {
        (None, false) => html! { (text) },
        (class, true) => html! { bdi class={ "name " (class.unwrap_or_default()) } { (text) } },
        (Some(class), false) => html! { span class=(class) { (text) } },
    }
}
