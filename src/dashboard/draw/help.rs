//! The keys.

use ratatui::text::{Line, Span};

use super::theme::Theme;

const KEYS: [(&str, &str); 18] = [
    ("1 2 3 4, Tab", "overview, suspects, detail of one, stacks"),
    ("j k, arrows", "down and up; in the stacks deeper and back"),
    ("h l, arrows", "in the stacks to the neighbour"),
    ("b", "in the stacks by module, or by frame again"),
    ("g G, Home End", "first and last; PgUp, PgDn, Ctrl-U, Ctrl-D by pages"),
    ("Enter", "open the suspect; in the stacks zoom"),
    ("Esc", "back; in the stacks out; clears the filter"),
    ("/", "filter suspects by function, module, version, verdict, fix"),
    ("s r", "sort by the next column; reverse"),
    ("f", "freeze the screen: watching and recording go on"),
    ("space", "pause a replay; as f for a program that runs"),
    ("m", "mark (\"1000 messages sent\"): what grows after it is shown"),
    ("w", "write the report; once all is recorded, the case (ZIP)"),
    ("y", "copy the suspect's stack (OSC 52)"),
    ("mouse", "click titles, suspects and stacks; the wheel scrolls"),
    ("q, Ctrl-C", "leave; asks first while the program runs"),
    ("+ before a suspect", "new: no suspect a minute ago"),
    ("^ before a suspect", "grows over a tenth faster than a minute ago"),
];

pub(super) fn lines(theme: Theme) -> Vec<Line<'static>> {
    let row = |(key, means): (&'static str, &'static str)| {
        Line::from(vec![Span::styled(format!(" {key:<19}"), theme.strong()), Span::raw(means)])
    };
    let mut lines: Vec<Line<'static>> = KEYS.map(row).into();
    lines.push(Line::from(" Any key closes this.").style(theme.faint()));
    lines
}
