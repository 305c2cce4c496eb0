//! Upstream release numbers: dotted numbers of any length (`2.0.15`, `v5.31`), one letter for a patch
//! release as OpenSSL had it (`1.0.2k`), a pre-release part as semantic versions have it
//! (`2.1.0-rc1`, also without the hyphen), build metadata that does not order. Whatever does
//! not fit is refused rather than guessed at.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};

/// An upstream release number. `2.0` and `2.0.0` are equal.
#[derive(Clone, Debug)]
pub struct DottedVersion {
    /// Without trailing zeros.
    numbers: Vec<u64>,
    /// How many numbers were written, zeros and all: `2.0` names a line that `2` does not.
    written: usize,
    letter: Option<char>,
    pre: Option<Vec<Identifier>>,
    text: String,
}

/// One part of a pre-release; numbers sort before words (semver.org, 11.4).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Identifier {
    Number(u64),
    Word(String),
}

impl DottedVersion {
    /// Reads a release number; `None` for anything that is not one.
    pub fn parse(text: &str) -> Option<DottedVersion> {
        let text = text.trim();
        let body = text.strip_prefix(['v', 'V']).unwrap_or(text);
        let text = body.to_owned();
        let body = body.split_once('+').map_or(body, |(body, _)| body);
        let end = body.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(body.len());
        let (numbers, rest) = body.split_at(end);
        let numbers_only = numbers.strip_suffix('.').filter(|_| !rest.is_empty());
        let mut numbers = numbers_only
            .unwrap_or(numbers)
            .split('.')
            .map(|part| part.parse().ok())
            .collect::<Option<Vec<u64>>>()?;
        let written = numbers.len();
        while numbers.last() == Some(&0) {
            numbers.pop();
        }
        let (letter, pre) = suffix(rest)?;
        Some(DottedVersion { numbers, written, letter, pre, text })
    }

    /// Whether the leading numbers are these (`2.0.15` begins with `2`, and `2` with `2.0`, but `2.1` does not).
    pub fn begins_with(&self, line: &DottedVersion) -> bool {
        let number = |of: &DottedVersion, at: usize| of.numbers.get(at).copied().unwrap_or(0);
        (0..line.written).all(|at| number(self, at) == number(line, at))
    }
}

/// What follows the numbers: a patch letter, or a pre-release.
fn suffix(rest: &str) -> Option<(Option<char>, Option<Vec<Identifier>>)> {
    let mut letters = rest.chars();
    match (letters.next(), letters.next()) {
        (None, _) => return Some((None, None)),
        (Some(letter @ 'a'..='z'), None) => return Some((Some(letter), None)),
        _ => {}
    }
    let rest = rest.strip_prefix(['-', '~']).unwrap_or(rest);
    if !rest.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.' || b == b'-') {
        return None;
    }
    let mut identifiers = Vec::new();
    for part in rest.split('.') {
        identifier(part, &mut identifiers)?;
    }
    // `2.0.15-1` is a packager's revision far oftener than a pre-release, and `2.0.15-acme`
    // somebody's branch: neither can be ordered, so neither is read.
    match identifiers.first() {
        Some(Identifier::Word(word)) if PRE_RELEASES.contains(&word.as_str()) => {
            Some((None, Some(identifiers)))
        }
        _ => None,
    }
}

/// The words that say a version comes before the release it is named after.
const PRE_RELEASES: [&str; 10] =
    ["a", "alpha", "b", "beta", "dev", "pre", "preview", "rc", "snapshot", "test"];

/// `rc10` is a word and a number, so that it sorts after `rc9`.
fn identifier(part: &str, into: &mut Vec<Identifier>) -> Option<()> {
    let digits = part.find(|c: char| c.is_ascii_digit()).unwrap_or(part.len());
    let (word, number) = part.split_at(digits);
    if part.is_empty() {
        return None;
    }
    if !number.bytes().all(|b| b.is_ascii_digit()) {
        into.push(Identifier::Word(part.to_ascii_lowercase()));
        return Some(());
    }
    if !word.is_empty() {
        into.push(Identifier::Word(word.to_ascii_lowercase()));
    }
    if !number.is_empty() {
        into.push(Identifier::Number(number.parse().ok()?));
    }
    Some(())
}

impl Ord for DottedVersion {
    fn cmp(&self, other: &Self) -> Ordering {
        self.numbers.cmp(&other.numbers).then(self.letter.cmp(&other.letter)).then_with(|| {
            match (&self.pre, &other.pre) {
                (None, None) => Ordering::Equal,
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some(mine), Some(theirs)) => mine.cmp(theirs),
            }
        })
    }
}

impl PartialOrd for DottedVersion {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for DottedVersion {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for DottedVersion {}

impl Hash for DottedVersion {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (&self.numbers, self.letter, &self.pre).hash(state);
    }
}

impl fmt::Display for DottedVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
