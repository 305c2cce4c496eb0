//! Versions, each compared by the rules of whoever numbers them. There is no order between
//! schemes, and none between product lines: `6.5.7232.18` and `11.0.5608.0` of one file name may
//! be two products' numbers, which is for the entry to say (see [`super::entry::Line`]). A version that cannot be
//! parsed is unknown, never zero.

mod debian;
mod dotted;
mod rpm;
mod semantic;
mod windows;

use std::fmt;

use serde::{Deserialize, Serialize, Serializer};

pub use debian::DebianVersion;
pub use dotted::DottedVersion;
pub use rpm::RpmVersion;
pub use semantic::SemanticVersion;
pub use windows::FileVersion;

/// Who numbers, and so how to compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scheme {
    /// Four-part file versions of Windows' version resource.
    Windows,
    /// Upstream releases: dotted numbers, with or without a pre-release part.
    Dotted,
    /// Whole Debian package versions, for entries that know which package has the fix.
    Debian,
    /// Whole RPM package versions, likewise.
    Rpm,
    /// Semantic versions, to the letter of semver.org: three numbers, no leading zeros.
    Semver,
}

impl Scheme {
    /// Parses a version by this scheme's rules.
    pub fn parse(self, text: &str) -> Option<Version> {
        match self {
            Scheme::Windows => FileVersion::parse(text).map(Version::Windows),
            Scheme::Dotted => DottedVersion::parse(text).map(Version::Dotted),
            Scheme::Debian => DebianVersion::parse(text).map(Version::Debian),
            Scheme::Rpm => RpmVersion::parse(text).map(Version::Rpm),
            Scheme::Semver => SemanticVersion::parse(text).map(Version::Semver),
        }
    }

    /// What a version of this scheme looks like, for error messages.
    pub fn example(self) -> &'static str {
        match self {
            Scheme::Windows => "6.5.7232.18",
            Scheme::Dotted => "2.0.15",
            Scheme::Debian => "2.0.11-1.2+deb12u2",
            Scheme::Rpm => "2.0.14-3.fc36",
            Scheme::Semver => "2.1.0-rc.1",
        }
    }
}

/// A version of one of the schemes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "each is the scheme it is named after")]
pub enum Version {
    Windows(FileVersion),
    Dotted(DottedVersion),
    Debian(DebianVersion),
    Rpm(RpmVersion),
    Semver(SemanticVersion),
}

/// As it is written.
impl Serialize for Version {
    fn serialize<S: Serializer>(&self, into: S) -> Result<S::Ok, S::Error> {
        into.collect_str(self)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Version::Windows(version) => version.fmt(f),
            Version::Dotted(version) => version.fmt(f),
            Version::Debian(version) => version.fmt(f),
            Version::Rpm(version) => version.fmt(f),
            Version::Semver(version) => version.fmt(f),
        }
    }
}
