//! Semantic versions, to the letter of semver.org: precedence by 11.1 to 11.4, build metadata not counted. For
//! software that promises to number by it; anything else is a [`super::DottedVersion`].

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};

/// A semantic version. Versions that differ in build metadata alone are equal, for 11.4 gives them no order.
#[derive(Clone, Debug)]
pub struct SemanticVersion(semver::Version);

impl SemanticVersion {
    /// Reads a version, with or without a leading `v`; `None` for anything that is not one.
    pub fn parse(text: &str) -> Option<SemanticVersion> {
        let text = text.trim();
        semver::Version::parse(text.strip_prefix('v').unwrap_or(text)).ok().map(SemanticVersion)
    }

    /// Whether the leading numbers are these: `2.0.0` begins `2.1.3`, and `2.1.0` begins `2.1.3`, but not `2.2.0`.
    pub fn begins_with(&self, line: &SemanticVersion) -> bool {
        let (mine, theirs) = (&self.0, &line.0);
        mine.major == theirs.major
            && (mine.minor == theirs.minor || (theirs.minor, theirs.patch) == (0, 0))
    }
}

impl Ord for SemanticVersion {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.cmp_precedence(&other.0)
    }
}

impl PartialOrd for SemanticVersion {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for SemanticVersion {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for SemanticVersion {}

impl Hash for SemanticVersion {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.0.major, self.0.minor, self.0.patch, &self.0.pre).hash(state);
    }
}

impl fmt::Display for SemanticVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
