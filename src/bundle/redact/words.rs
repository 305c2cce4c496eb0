//! Known names that stand in a text as words of their own, in any case. They are found by their first run of letters and digits,
//! so that a text takes no longer where many names are known.

use std::collections::{BTreeMap, BTreeSet};

use super::Kind;

/// A name that is a part of a word with an underscore (`backup_jdoe`) is found where it has so many letters.
const LEAST_WITHIN: usize = 3;

/// The names.
#[derive(Clone, Debug, Default)]
pub(super) struct Words {
    /// In lower case: what it is, or that it stays as it is.
    known: BTreeMap<String, Option<Kind>>,
    /// By its first run: the names, and where in them the run begins.
    by_run: BTreeMap<String, BTreeSet<(usize, String)>>,
}

/// A name in a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// Where it begins and ends.
    pub at: (usize, usize),
    /// What it is; `None` where it stays.
    pub kind: Option<Kind>,
}

impl Words {
    /// Learns a name; what was said of it first holds, but what it is says more than that it was an argument.
    pub(super) fn learn(&mut self, name: &str, kind: Kind) {
        let name = Lower::of(name).text;
        match self.known.get(&name) {
            None => self.insert(name, Some(kind)),
            Some(Some(Kind::Argument)) => drop(self.known.insert(name, Some(kind))),
            Some(_) => {}
        }
    }

    /// Learns a name that stays.
    pub(super) fn keep(&mut self, name: &str) {
        self.insert(Lower::of(name).text, None);
    }

    /// What a name is known for.
    pub(super) fn kind(&self, name: &str) -> Option<Kind> {
        self.known.get(&Lower::of(name).text).copied().flatten()
    }

    fn insert(&mut self, name: String, kind: Option<Kind>) {
        if let Some(from) = name.find(char::is_alphanumeric) {
            let run = run(&name[from..]);
            self.by_run.entry(run.to_owned()).or_default().insert((from, name.clone()));
        }
        self.known.insert(name, kind);
    }

    /// The names in a text, first to last, of those that begin at one place the longest; none overlap.
    pub(super) fn find(&self, text: &str, within: bool) -> Vec<Found> {
        let lower = Lower::of(text);
        let mut found: Vec<Found> = Vec::new();
        let mut at = 0;
        while at < lower.text.len() {
            let length = run(&lower.text[at..]).len();
            if length == 0 {
                at += lower.text[at..].chars().next().map_or(1, char::len_utf8);
                continue;
            }
            // `%2Fjdoe`: what is encoded ends before the name.
            let encoded = lower.text[..at].ends_with('%')
                && length > 2
                && lower.text.as_bytes()[at..at + 2].iter().all(u8::is_ascii_hexdigit);
            let starts = [Some(at), encoded.then_some(at + 2)];
            let done = found.last().map_or(0, |last| last.at.1);
            let best = starts.into_iter().flatten().filter_map(|start| {
                self.at(&lower.text, start, at, within)
                    .filter(|(from, ..)| lower.origin(*from) >= done)
            });
            match best.max_by_key(|(from, to, _)| to - from) {
                Some((from, to, kind)) => {
                    found.push(Found { at: (lower.origin(from), lower.origin(to)), kind });
                    at = to;
                }
                None => at += length,
            }
        }
        found
    }

    /// The longest name whose first run begins here; what is left of `edge` is no part of the run.
    fn at(
        &self,
        text: &str,
        start: usize,
        edge: usize,
        within: bool,
    ) -> Option<(usize, usize, Option<Kind>)> {
        let names = self.by_run.get(run(&text[start..]))?;
        let fits = names.iter().filter_map(|(before, name)| {
            let from = start.checked_sub(*before)?;
            let to = from + name.len();
            (text.get(from..to)? == name).then_some(())?;
            let inside = within && name.chars().count() >= LEAST_WITHIN;
            let ends = |c: char| !(c.is_alphanumeric() || c == '_' && !inside);
            let begins = start != edge || text[..from].chars().next_back().is_none_or(ends);
            let stops = text[to..].chars().next().is_none_or(ends);
            (begins && stops).then(|| (from, to, self.known.get(name).copied().flatten()))
        });
        fits.max_by_key(|(from, to, _)| to - from)
    }
}

/// The letters and digits that a text begins with.
fn run(text: &str) -> &str {
    &text[..text.find(|c: char| !c.is_alphanumeric()).unwrap_or(text.len())]
}

/// A text in lower case, which may have another length.
struct Lower {
    text: String,
    /// For each of its bytes, where what it is made of begins in the text.
    origins: Vec<usize>,
}

impl Lower {
    fn of(text: &str) -> Lower {
        let mut lower = Lower { text: String::with_capacity(text.len()), origins: Vec::new() };
        for (at, c) in text.char_indices() {
            lower.text.extend(c.to_lowercase());
            lower.origins.resize(lower.text.len(), at);
        }
        lower.origins.push(text.len());
        lower
    }

    fn origin(&self, at: usize) -> usize {
        self.origins[at]
    }
}
