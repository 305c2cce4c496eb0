//! The report as one HTML file: no network, readable on paper, on a phone, in the dark and by who cannot see it. The sentences are
//! those of the text report; what is added are curves, histograms, the flame graph and tables.
//!
//! Everything of a trace is hostile input. Names reach the file only through `maud`, which quotes them, and after
//! [`safe::escape`]; a policy in the file forbids whatever might still be asked for from outside.

mod answers;
mod chart;
mod flame;
mod suspect;
mod tables;

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::flame::Flame;
use super::model::Report;
use super::text::page::Page;
use super::text::safe;
use super::text::style::{Detail, Style};
use super::text::{changes, groups, seen_pages};

/// Suspects that are shown whole; further ones stand in a table, and all of them in the JSON.
const SHOWN: usize = 40;

const STYLE: &str = include_str!("style.css");

/// Nothing is fetched; the frame of the flame graph has this from here, too.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:; \
                      frame-src 'self'; base-uri 'none'; form-action 'none'";

/// What a report was made of and with, so that it can be made again.
#[derive(Clone, Debug, Default)]
pub struct Made {
    /// The version of the unfreed that made it.
    pub version: String,
    /// The command that makes it again.
    pub command: String,
    /// The command that writes a case bundle of the same; `None` for a report that is in one.
    pub case: Option<String>,
}

/// Renders a report.
pub fn render(report: &Report, flame: &Flame, made: &Made) -> String {
    let groups = groups(&report.suspects);
    let (shown, rest) = groups.split_at(groups.len().min(SHOWN));
    let document = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                meta name="generator" content={ "unfreed " (made.version) };
                title { (answers::title(report)) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                header {
                    (answers::section(report, &groups, made))
                    (contents(report, flame))
                }
                main {
                    @if let Some(diff) = &report.baseline {
                        section #baseline {
                            h2 { "Before and after" }
                            (page(|page| changes(page, diff)))
                        }
                    }
                    @if !report.suspects.is_empty() {
                        section #suspects {
                            h2 { "Suspects" }
                            @for (at, group) in shown.iter().enumerate() {
                                (suspect::whole(group, at, groups.len()))
                            }
                            @if !rest.is_empty() { (suspect::table(rest, SHOWN)) }
                        }
                    }
                    (flame::section(flame))
                    section #seen {
                        h2 { "What was traced, and what was lost" }
                        (page(|page| seen_pages(page, report, Detail::Full)))
                        (tables::faults(report))
                    }
                    section #modules { h2 { "Modules" } (tables::modules(report)) }
                    section #method { h2 { "How this was found, and how to find it again" } (method(report, made)) }
                }
            }
        }
    };
    document.into_string()
}

/// What the text report says, as HTML.
fn page(write: impl FnOnce(&mut Page)) -> Markup {
    let mut page = Page::new(Style { detail: Detail::Full, ..Style::default() });
    write(&mut page);
    PreEscaped(page.html())
}

fn contents(report: &Report, flame: &Flame) -> Markup {
    html! {
        nav aria-label="Contents" {
            ul {
                @if report.baseline.is_some() { li { a href="#baseline" { "Before and after" } } }
                @if !report.suspects.is_empty() { li { a href="#suspects" { "Suspects" } } }
                @if !flame.stacks.is_empty() { li { a href="#stacks" { "Stacks" } } }
                li { a href="#seen" { "Traced and lost" } }
                li { a href="#modules" { "Modules" } }
                li { a href="#method" { "Method" } }
            }
        }
    }
}

fn method(report: &Report, made: &Made) -> Markup {
    html! {
        p {
            "Verdicts are a pure function of the recorded events: survivors older than nearly all blocks that the site freed, \
             their number, pace and evenness, and what was lost. docs/verdicts.md of unfreed has the method, how often it is right \
             and where it is not. A site is a suspect from a confidence of "
            (format!("{:.2}", report.min_confidence)) " on."
        }
        p { "Made by unfreed " (made.version) ". The same again:" }
        // A long command is scrolled, with keys too.
        pre tabindex="0" role="region" aria-label="The command" { code { (safe::escape(&made.command)) } }
    }
}
