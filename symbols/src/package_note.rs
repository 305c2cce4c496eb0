//! The packaging note of ELF files: JSON that a distribution's build put into `.note.package`
//! (specification: systemd, "Package Metadata for Executable Files"). It is what the file says
//! of itself; a package database that owns the file knows better.

use serde::Deserialize;

use crate::{Package, PackageManager};

/// The note's owner.
pub(crate) const OWNER: &[u8] = b"FDO";
/// The note's type.
pub(crate) const KIND: u32 = 0xcafe_1a7e;
/// Longest note taken, in bytes.
const MOST: usize = 64 << 10;

/// A packaging note's fields, as far as they are of use here.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct PackageNote {
    /// Name of the package, in Debian's and Fedora's notes that of the binary package.
    pub name: String,
    /// Version of the package.
    pub version: String,
    /// `ID` of the distribution's os-release.
    pub os: Option<String>,
    /// `VERSION_ID` of the distribution's os-release.
    #[serde(rename = "osVersion")]
    pub os_version: Option<String>,
    /// Architecture, in the distribution's terms.
    pub architecture: Option<String>,
}

impl PackageNote {
    /// From the note's description: JSON, padded with NUL. `None` where it is something else.
    pub fn parse(bytes: &[u8]) -> Option<PackageNote> {
        let end = bytes.iter().position(|&byte| byte == 0).unwrap_or(bytes.len());
        let text = bytes.get(..end).filter(|text| text.len() <= MOST)?;
        let note: PackageNote = serde_json::from_slice(text).ok()?;
        (!note.name.is_empty() && !note.version.is_empty()).then_some(note)
    }

    /// The note as a package.
    pub fn package(&self) -> Package {
        let distribution = match (&self.os, &self.os_version) {
            (Some(os), Some(version)) => Some(format!("{os} {version}")),
            (os, _) => os.clone(),
        };
        Package {
            manager: PackageManager::Note,
            name: self.name.clone(),
            version: self.version.clone(),
            architecture: self.architecture.clone(),
            distribution,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn a_note_becomes_a_package() {
        let note = br#"{"type":"rpm","name":"postfix","version":"3.8.1-5.fc39","architecture":"x86_64","os":"fedora","osVersion":"39","osCpe":"cpe:/o"}"#;
        let padded = [&note[..], &[0, 0, 0]].concat();
        let package = PackageNote::parse(&padded).unwrap().package();
        assert_eq!(package.name, "postfix");
        assert_eq!(package.version, "3.8.1-5.fc39");
        assert_eq!(package.distribution.as_deref(), Some("fedora 39"));
        assert_eq!(package.manager, PackageManager::Note);
        for refused in [&b"{}"[..], b"", b"\0", br#"{"name":"","version":"1"}"#, b"[1]"] {
            assert_eq!(PackageNote::parse(refused), None);
        }
    }
}
