//! One suspect: what the text says of it, with its curve and histograms and the numbers behind them.

use maud::{Markup, PreEscaped, html};

use super::chart::{self, Values};
use super::page;
use crate::report::model::{Bar, History, LiveSpan};
use crate::report::text::style::Detail;
use crate::report::text::units::{count, counted, duration, percent, rate};
use crate::report::text::{Group, Place, safe, suspect};

/// A suspect in full.
pub(super) fn whole(group: &Group<'_>, at: usize, of: usize) -> Markup {
    html! {
        article id={ "suspect-" (at + 1) } {
            (page(|page| suspect(page, group, Place { at, of }, Detail::Full)))
            (charts(&group.lead.history))
        }
    }
}

/// The suspects that are not shown whole.
pub(super) fn table(groups: &[Group<'_>], before: usize) -> Markup {
    html! {
        h3 { (counted(groups.len() as u64, "more suspect", "more suspects")) }
        p.hint { "Stacks, evidence and fixes of these stand in the JSON." }
        div.wide tabindex="0" role="region" aria-label="more suspects" {
            table {
                thead { tr {
                    th scope="col" { "No." } th scope="col" { "Module" } th scope="col" { "Version" }
                    th scope="col" { "Function" } th scope="col" { "Growth" } th scope="col" { "Confidence" }
                } }
                tbody { @for (at, group) in groups.iter().enumerate() { tr {
                    td.number { (before + at + 1) }
                    td { bdi.name { (safe::escape(&group.lead.module.name)) } }
                    td { (safe::escape(group.lead.module.version.as_deref().unwrap_or("unknown"))) }
                    td { bdi.name { (safe::escape(&group.lead.function)) } }
                    td.number { (rate(group.growth())) }
                    td.number { (percent(group.lead.confidence)) }
                } } }
            }
        }
    }
}

fn charts(history: &History) -> Markup {
    html! {
        div.charts {
            (figure("Live blocks over time: the line is the most, the area the fewest at any moment.",
                chart::live(&history.live), live_table(&history.live)))
            (figure("Sizes of the blocks allocated.", chart::bars(&history.sizes, Values::Sizes),
                bar_table("Size", &history.sizes, Values::Sizes)))
            (figure("Lifetimes of the blocks freed.", chart::bars(&history.lifetimes, Values::Lifetimes),
                bar_table("Lifetime", &history.lifetimes, Values::Lifetimes)))
        }
    }
}

fn figure(caption: &str, drawing: Option<String>, numbers: Markup) -> Markup {
    html! {
        @if let Some(drawing) = drawing {
            figure {
                div role="img" aria-label={ (caption) " The numbers follow as a table." } { (PreEscaped(drawing)) }
                figcaption { (caption) }
                details { summary { "Numbers" } (numbers) }
            }
        }
    }
}

fn live_table(spans: &[LiveSpan]) -> Markup {
    html! {
        div.wide tabindex="0" role="region" aria-label="the live set over time" { table {
            thead { tr {
                th scope="col" { "From" } th scope="col" { "To" } th scope="col" { "Fewest" } th scope="col" { "Most" }
                th scope="col" { "Allocated" } th scope="col" { "Of these live" }
            } }
            tbody { @for span in spans { tr {
                td.number { (duration(span.from_s)) } td.number { (duration(span.to_s)) }
                td.number { (count(span.low_blocks)) } td.number { (count(span.high_blocks)) }
                td.number { (known(span.born_blocks)) } td.number { (known(span.alive_blocks)) }
            } } }
        } }
    }
}

/// What nobody counted is not zero.
fn known(blocks: Option<u64>) -> String {
    blocks.map_or_else(|| "not known".to_owned(), count)
}

fn bar_table(what: &str, bars: &[Bar], values: Values) -> Markup {
    html! {
        table {
            thead { tr { th scope="col" { (what) } th scope="col" { "Blocks" } } }
            tbody { @for bar in bars { tr {
                td { (values.said(bar.from)) " to " (values.said(bar.to)) } td.number { (count(bar.count)) }
            } } }
        }
    }
}
