//! The flame graph: one drawing with its own search and zoom, in a frame of its own so that its script can reach nothing of
//! the page, with keys for who uses no mouse.

use inferno::flamegraph::{self, Options};
use maud::{Markup, PreEscaped, html};

use crate::report::flame::Flame;
use crate::report::text::safe;
use crate::report::text::units::bytes;

/// Stacks in the table beside the drawing.
const LISTED: usize = 20;

/// What the search, and a bar to scroll by, take of the frame.
const SEARCH: u32 = 84;

/// The drawing's script keeps what is zoomed in the address, which a frame of this kind has not.
const BEFORE: &str = "history.replaceState = () => {};";

/// What it looks like, as the page does in the light and in the dark.
const STYLE: &str = include_str!("flame.css");

/// What lets keys do what the mouse does.
const KEYS: &str = include_str!("flame.js");

/// The section; nothing where no stack holds anything.
pub(super) fn section(flame: &Flame) -> Markup {
    if flame.stacks.is_empty() {
        return html! {};
    }
    html! {
        section #stacks {
            h2 { "Where the live bytes were allocated" }
            @if flame.rest_bytes > 0 {
                p.faint { (bytes(flame.rest_bytes)) " more at smaller sites, which were not named." }
            }
            @if let Some(svg) = drawing(flame) {
                p.hint.screen {
                    "Click a frame, or go to it with Tab and press Enter, to zoom in. \
                     The innermost frames are at the top."
                }
                iframe.screen title="Flame graph of live bytes by stack" sandbox="allow-scripts"
                    loading="lazy" height=[height(&svg)]
                    srcdoc=(document(&svg)) {}
            }
            (table(flame))
        }
    }
}

/// How high its frame is to be: as high as the drawing with its search, which is two lines on a phone. A style bounds it.
fn height(svg: &str) -> Option<u32> {
    let (_, from) = svg.split_once(" height=\"")?;
    let (height, _) = from.split_once('"')?;
    height.parse::<u32>().ok().map(|height| height + SEARCH)
}

fn document(svg: &str) -> String {
    let svg = svg.find("<svg").map_or(svg, |at| &svg[at..]);
    let page = html! {
        html lang="en" {
            head { title { "Flame graph" } meta charset="utf-8"; style { (PreEscaped(STYLE)) } }
            body {
                script { (PreEscaped(BEFORE)) }
                div #find role="search" {
                    label for="term" { "Search functions and modules " }
                    input #term type="search";
                    " "
                    button #search-button type="button" { "Search" }
                    " "
                    output #found for="term" {}
                }
                (PreEscaped(svg)) script { (PreEscaped(KEYS)) } }
        }
    };
    format!("<!DOCTYPE html>{}", page.into_string())
}

/// The drawing; a stack with nothing drawable is left to the table.
fn drawing(flame: &Flame) -> Option<String> {
    let lines: Vec<String> = flame
        .stacks
        .iter()
        .map(|stack| {
            let frames: Vec<String> = stack.frames.iter().map(|frame| frame_text(frame)).collect();
            format!("{} {}", frames.join(";"), stack.bytes)
        })
        .collect();
    let mut options = Options::default();
    "Live bytes by stack".clone_into(&mut options.title);
    "bytes".clone_into(&mut options.count_name);
    options.deterministic = true;
    options.image_width = Some(1200);
    options.min_width = 0.05;
    let mut svg = Vec::new();
    flamegraph::from_lines(&mut options, lines.iter().map(String::as_str), &mut svg).ok()?;
    String::from_utf8(svg).ok()
}

/// A semicolon would end the frame, and inferno reads suffixes such as `_[k]`.
fn frame_text(frame: &str) -> String {
    let text = safe::escape(frame).replace(';', ",").replace("_[", "[");
    if text.is_empty() { "?".to_owned() } else { text }
}

fn table(flame: &Flame) -> Markup {
    html! {
        details {
            summary { "The heaviest stacks as a table" }
            div.wide tabindex="0" role="region" aria-label="heaviest stacks" {
                table {
                    thead { tr { th scope="col" { "Live bytes" } th scope="col" { "Stack, innermost frame first" } } }
                    tbody {
                        @for stack in flame.stacks.iter().take(LISTED) {
                            tr {
                                td.number { (bytes(stack.bytes)) }
                                td {
                                    @for (at, frame) in stack.frames.iter().rev().enumerate() {
                                        @if at > 0 { " ← " }
                                        bdi.name { (safe::escape(frame)) }
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}
