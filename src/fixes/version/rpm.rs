//! RPM package versions (`[epoch:]version[-release]`), compared as rpm compares them: `rpmvercmp` of its
//! `lib/rpmvercmp.c`, epoch first, then version, then release. The rule is forty lines; it is checked against
//! rpm itself where there is one. `~` sorts before everything and even the end, `^` after the end and before all else.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};

/// An RPM package version. Versions that the rule holds equal (`1.0` and `1_0`) are equal.
#[derive(Clone, Debug)]
pub struct RpmVersion {
    epoch: u32,
    version: String,
    release: String,
    text: String,
}

impl RpmVersion {
    /// Reads a version; `None` where rpm would not build a package with it.
    pub fn parse(text: &str) -> Option<RpmVersion> {
        let text = text.trim();
        let (epoch, rest) = match text.split_once(':') {
            Some((epoch, rest)) if epoch.bytes().all(|b| b.is_ascii_digit()) => {
                (epoch.parse().ok()?, rest)
            }
            Some(_) => return None,
            None => (0, text),
        };
        let (version, release) = rest.split_once('-').unwrap_or((rest, ""));
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b"._+~^".contains(&b);
        let plain = |part: &str| part.bytes().all(allowed);
        if version.is_empty() || !plain(version) || !plain(release) || rest.ends_with('-') {
            return None;
        }
        Some(RpmVersion {
            epoch,
            version: version.to_owned(),
            release: release.to_owned(),
            text: text.to_owned(),
        })
    }

    /// The version of the source that was packaged: without epoch and release.
    pub fn upstream(&self) -> &str {
        &self.version
    }
}

/// `rpmvercmp`: alternately words and numbers; whatever else there is only separates them. A number is newer than a
/// word, and of two versions of which one goes on the longer one is newer.
fn compare_part(mine: &str, theirs: &str) -> Ordering {
    let (mut mine, mut theirs) = (mine.as_bytes(), theirs.as_bytes());
    loop {
        (mine, theirs) = (separated(mine), separated(theirs));
        match (mine.first(), theirs.first()) {
            (Some(b'~'), Some(b'~')) | (Some(b'^'), Some(b'^')) => {
                (mine, theirs) = (tail(mine), tail(theirs));
                continue;
            }
            (Some(b'~'), _) => return Ordering::Less,
            (_, Some(b'~')) => return Ordering::Greater,
            (Some(b'^'), None) => return Ordering::Greater,
            (None, Some(b'^')) => return Ordering::Less,
            (Some(b'^'), Some(_)) => return Ordering::Less,
            (Some(_), Some(b'^')) => return Ordering::Greater,
            (None, None) => return Ordering::Equal,
            (None, Some(_)) => return Ordering::Less,
            (Some(_), None) => return Ordering::Greater,
            (Some(a), Some(b)) => match (a.is_ascii_digit(), b.is_ascii_digit()) {
                (true, false) => return Ordering::Greater,
                (false, true) => return Ordering::Less,
                (true, true) => {
                    let (a, b) = (number(&mut mine), number(&mut theirs));
                    match a.len().cmp(&b.len()).then_with(|| a.cmp(b)) {
                        Ordering::Equal => {}
                        decided => return decided,
                    }
                }
                (false, false) => match word(&mut mine).cmp(word(&mut theirs)) {
                    Ordering::Equal => {}
                    decided => return decided,
                },
            },
        }
    }
}

fn separated(bytes: &[u8]) -> &[u8] {
    let tells = |b: &u8| b.is_ascii_alphanumeric() || *b == b'~' || *b == b'^';
    let start = bytes.iter().position(tells).unwrap_or(bytes.len());
    bytes.get(start..).unwrap_or(&[])
}

fn tail(bytes: &[u8]) -> &[u8] {
    bytes.get(1..).unwrap_or(&[])
}

fn number<'a>(bytes: &mut &'a [u8]) -> &'a [u8] {
    let digits = take(bytes, |b| b.is_ascii_digit());
    let zeros = digits.iter().position(|&b| b != b'0').unwrap_or(digits.len());
    digits.get(zeros..).unwrap_or(&[])
}

fn word<'a>(bytes: &mut &'a [u8]) -> &'a [u8] {
    take(bytes, |b| b.is_ascii_alphabetic())
}

fn take<'a>(bytes: &mut &'a [u8], wanted: impl Fn(&u8) -> bool) -> &'a [u8] {
    let end = bytes.iter().position(|b| !wanted(b)).unwrap_or(bytes.len());
    let (taken, rest) = bytes.split_at(end);
    *bytes = rest;
    taken
}

impl Ord for RpmVersion {
    fn cmp(&self, other: &Self) -> Ordering {
        self.epoch
            .cmp(&other.epoch)
            .then_with(|| compare_part(&self.version, &other.version))
            .then_with(|| compare_part(&self.release, &other.release))
    }
}

impl PartialOrd for RpmVersion {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for RpmVersion {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for RpmVersion {}

impl Hash for RpmVersion {
    /// Equal versions may be written differently, so only the epoch can be hashed.
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.epoch.hash(state);
    }
}

impl fmt::Display for RpmVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
