//! Debian package versions (`[epoch:]upstream[-revision]`), compared as Debian Policy 5.6.12 has it.
//! The crates that do this bring regular expressions and big integers along; the rule itself
//! is forty lines. Checked against `dpkg --compare-versions`; the hard pairs are in the tests.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};

/// A Debian package version. Versions that the rule holds equal (`1.0` and `0:1.00`) are equal.
#[derive(Clone, Debug)]
pub struct DebianVersion {
    epoch: u32,
    upstream: String,
    revision: String,
    text: String,
}

impl DebianVersion {
    /// Reads a version; `None` where Debian Policy would refuse it.
    pub fn parse(text: &str) -> Option<DebianVersion> {
        let text = text.trim();
        let (epoch, rest) = match text.split_once(':') {
            Some((epoch, rest)) => {
                if epoch.is_empty() || !epoch.bytes().all(|b| b.is_ascii_digit()) {
                    return None;
                }
                (epoch.parse().ok()?, rest)
            }
            None => (0, text),
        };
        let (upstream, revision) = match rest.rsplit_once('-') {
            Some((_, "")) => return None,
            Some((upstream, revision)) => (upstream, revision),
            None => (rest, ""),
        };
        let allowed = |extra: &'static [u8]| {
            move |b: u8| b.is_ascii_alphanumeric() || b".+~".contains(&b) || extra.contains(&b)
        };
        if !upstream.starts_with(|c: char| c.is_ascii_alphanumeric())
            || !upstream.bytes().all(allowed(b"-:"))
            || !revision.bytes().all(allowed(b""))
        {
            return None;
        }
        Some(DebianVersion {
            epoch,
            upstream: upstream.to_owned(),
            revision: revision.to_owned(),
            text: text.to_owned(),
        })
    }

    /// The version of the source that was packaged, as far as the package's version tells it:
    /// without epoch and revision, without the mark of a repacked source (`+dfsg1`), and after
    /// `+really` where a package had to go back (`2.0.20+really2.0.14` is 2.0.14).
    pub fn upstream(&self) -> &str {
        let upstream = match self.upstream.rsplit_once("really") {
            Some((_, real)) if !real.is_empty() => real,
            _ => &self.upstream,
        };
        let repacked = ["+dfsg", "~dfsg", ".dfsg", "+ds", "~ds", "+repack"];
        let end = repacked.iter().filter_map(|mark| upstream.find(mark)).min();
        upstream.get(..end.unwrap_or(upstream.len())).unwrap_or(upstream)
    }

    /// How the packaged source's version stands to an upstream release, by Debian's rule.
    pub fn upstream_against(&self, release: &str) -> Ordering {
        compare_part(self.upstream(), release)
    }
}

/// Debian Policy 5.6.12: alternately a part without digits and a number. Letters sort before
/// everything else but `~`, which sorts before even the end.
fn compare_part(mine: &str, theirs: &str) -> Ordering {
    let (mut mine, mut theirs) = (mine.as_bytes(), theirs.as_bytes());
    while !mine.is_empty() || !theirs.is_empty() {
        loop {
            let (a, b) = (weight(mine), weight(theirs));
            if a != b {
                return a.cmp(&b);
            }
            if a == 0 {
                break;
            }
            (mine, theirs) = (tail(mine), tail(theirs));
        }
        let (a, b) = (number(&mut mine), number(&mut theirs));
        match a.len().cmp(&b.len()).then_with(|| a.cmp(b)) {
            Ordering::Equal => {}
            decided => return decided,
        }
    }
    Ordering::Equal
}

fn tail(bytes: &[u8]) -> &[u8] {
    bytes.get(1..).unwrap_or(&[])
}

/// Weight of the next byte of a part without digits; 0 at its end.
fn weight(bytes: &[u8]) -> i32 {
    match bytes.first() {
        None | Some(b'0'..=b'9') => 0,
        Some(b'~') => -1,
        Some(&b) if b.is_ascii_alphabetic() => i32::from(b),
        Some(&b) => i32::from(b) + 256,
    }
}

/// Takes the leading digits off, without leading zeros.
fn number<'a>(bytes: &mut &'a [u8]) -> &'a [u8] {
    let end = bytes.iter().position(|b| !b.is_ascii_digit()).unwrap_or(bytes.len());
    let (digits, rest) = bytes.split_at(end);
    *bytes = rest;
    let zeros = digits.iter().position(|&b| b != b'0').unwrap_or(digits.len());
    digits.get(zeros..).unwrap_or(&[])
}

impl Ord for DebianVersion {
    fn cmp(&self, other: &Self) -> Ordering {
        self.epoch
            .cmp(&other.epoch)
            .then_with(|| compare_part(&self.upstream, &other.upstream))
            .then_with(|| compare_part(&self.revision, &other.revision))
    }
}

impl PartialOrd for DebianVersion {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for DebianVersion {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for DebianVersion {}

impl Hash for DebianVersion {
    /// Equal versions may be written differently, so only the epoch can be hashed.
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.epoch.hash(state);
    }
}

impl fmt::Display for DebianVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
