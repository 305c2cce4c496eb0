//! An article, cut into sentences that know their line and their section. Headings are found on lines of their own and run
//! into the text (`...this fix.CAUSEThis problem occurs`), in capitals or not.

/// The sections that articles have, as far as they matter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Section {
    /// Before the first heading, and whatever has no heading of its own.
    Head,
    AppliesTo,
    Symptoms,
    Cause,
    Resolution,
    Prerequisites,
    Restart,
    Replacement,
    Files,
    Registry,
    Status,
    More,
}

/// Headings, longest first where one begins another. A section's own heading is no text of it.
const HEADINGS: [(&str, Section); 21] = [
    ("the information in this article applies to:", Section::AppliesTo),
    ("applies to", Section::AppliesTo),
    ("symptoms", Section::Symptoms),
    ("symptom", Section::Symptoms),
    ("cause", Section::Cause),
    ("resolution", Section::Resolution),
    ("workaround", Section::Resolution),
    ("hotfix replacement information", Section::Replacement),
    ("hotfix installation information", Section::Registry),
    ("hotfix information", Section::Resolution),
    ("service pack information", Section::Resolution),
    ("cumulative rollup information", Section::Resolution),
    ("prerequisites", Section::Prerequisites),
    ("restart requirements", Section::Restart),
    ("restart requirement", Section::Restart),
    ("registry information", Section::Registry),
    ("file information", Section::Files),
    ("more information", Section::More),
    ("references", Section::More),
    ("article info", Section::Head),
    ("status", Section::Status),
];

/// One sentence, list item or row.
#[derive(Clone, Debug)]
pub(super) struct Piece {
    /// Counted from 1.
    pub line: usize,
    pub section: Section,
    pub text: String,
    /// Whether something was made of it.
    pub used: bool,
}

/// The article.
#[derive(Clone, Debug, Default)]
pub(super) struct Article {
    pub pieces: Vec<Piece>,
}

impl Article {
    /// Cuts a text.
    pub(super) fn split(text: &str) -> Article {
        let mut article = Article::default();
        let mut section = Section::Head;
        for (line, text) in (1..).zip(text.lines()) {
            let text: String = text
                .chars()
                .map(|c| if c.is_control() || c == '\u{feff}' { ' ' } else { c })
                .collect();
            for (own, part) in sections(text.trim(), section) {
                section = own;
                for sentence in sentences(part) {
                    article.pieces.push(Piece {
                        line,
                        section,
                        text: sentence.to_owned(),
                        used: false,
                    });
                }
            }
        }
        article
    }

    /// The pieces of a section.
    pub(super) fn of(&mut self, section: Section) -> impl Iterator<Item = &mut Piece> {
        self.pieces.iter_mut().filter(move |piece| piece.section == section)
    }
}

/// The parts of a line, each with its section. A rule under a heading is nothing.
fn sections(text: &str, before: Section) -> Vec<(Section, &str)> {
    let mut parts = Vec::new();
    let (mut section, mut rest) = (before, text);
    while let Some((at, length, next)) = heading(rest) {
        let (head, tail) = rest.split_at(at);
        if !head.trim().is_empty() {
            parts.push((section, head.trim()));
        }
        section = next;
        // An empty part hands the section on to the following lines.
        parts.push((section, ""));
        rest = tail.get(length..).unwrap_or_default().trim_start_matches([':', ' ']);
    }
    if !rest.is_empty() && !rest.chars().all(|c| "-=_*".contains(c)) {
        parts.push((section, rest));
    }
    parts
}

/// The first heading of a text: where, how long, of which section.
fn heading(text: &str) -> Option<(usize, usize, Section)> {
    let lower = text.to_ascii_lowercase();
    let found = HEADINGS.iter().filter_map(|&(name, section)| {
        let mut places = lower.match_indices(name).map(|(at, _)| at);
        let at = places.find(|&at| is_heading(text, at, name.len()))?;
        Some((at, name.len(), section))
    });
    found.min_by_key(|&(at, length, _)| (at, usize::MAX - length))
}

/// Whether the words at a place are a heading: all of the line, or run into it with a capital where the text goes on.
fn is_heading(text: &str, at: usize, length: usize) -> bool {
    let (Some(before), Some(words), Some(after)) =
        (text.get(..at), text.get(at..at + length), text.get(at + length..))
    else {
        return false;
    };
    let alone = before.trim().is_empty() && after.trim_matches([':', ' ']).is_empty();
    if alone {
        return true;
    }
    let first = words.starts_with(|c: char| c.is_ascii_uppercase());
    let shouted = words.bytes().all(|b| !b.is_ascii_lowercase());
    // Run in: `...hotfix.PrerequisitesYou must`, `On This PageSYMPTOMSWhen`, `0 or 1 STATUSMicrosoft`.
    let ended = before.is_empty() || before.ends_with(['.', ':', ')', ' ']) || {
        before.ends_with(|c: char| c.is_ascii_lowercase()) && shouted
    };
    let goes_on =
        after.starts_with(|c: char| c.is_ascii_uppercase()) || (shouted && after.is_empty());
    let listed = words.ends_with(':') && before.trim().is_empty();
    listed || (first && ended && goes_on)
}

/// Cuts after a full stop that a capital follows, with or without a blank between.
fn sentences(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut from = 0;
    for (at, _) in text.match_indices(['.', ':']) {
        let rest = text.get(at + 1..).unwrap_or_default();
        let next = rest.trim_start();
        let blank = rest.len() != next.len();
        let stop = text.get(at..=at) == Some(".");
        let begins = next.starts_with(|c: char| c.is_ascii_uppercase());
        // `Revision: 1.9` and `Value name: X` stay whole; `click the following article number:836993` does too.
        let word = text.get(from..at).unwrap_or_default();
        let short = word.rsplit(' ').next().is_some_and(|word| word.len() < 2);
        if stop
            && begins
            && !short
            && (blank || word.ends_with(|c: char| c.is_ascii_lowercase() || c == ')'))
        {
            found.push(text.get(from..=at).unwrap_or_default().trim());
            from = at + 1;
        }
    }
    found.push(text.get(from..).unwrap_or_default().trim());
    found.retain(|sentence| !sentence.is_empty());
    found
}
