//! Which package owns a file, and in which version. Databases are read when the first file is
//! asked about, once; a database that is absent or unreadable owns nothing. Package managers are
//! only ever asked, never told.

mod changelog;
mod dpkg;
mod rpm;

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

pub use changelog::{changelog, read_changelog};
use dpkg::Dpkg;
use rpm::Rpm;
use unfreed_symbols::{Package, PackageManager};

/// The package databases of one system.
#[derive(Debug)]
pub struct PackageIndex {
    root: PathBuf,
    distribution: Option<String>,
    dpkg: OnceLock<Dpkg>,
    rpm: Option<Rpm>,
}

/// A package as its database has it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Owner {
    name: String,
    version: String,
    architecture: Option<String>,
}

impl PackageIndex {
    /// The databases of the system whose files lie under `root` (`/` for this one). Cheap: the
    /// databases themselves are read with the first question.
    pub fn load(root: &Path) -> PackageIndex {
        PackageIndex {
            root: root.to_owned(),
            distribution: distribution(root),
            dpkg: OnceLock::new(),
            rpm: Rpm::find(root),
        }
    }

    /// The package that owns the file at `path`, an absolute path below the root.
    pub fn owner(&self, path: &Path) -> Option<Package> {
        let dpkg = self.dpkg.get_or_init(|| Dpkg::read(&self.root));
        if let Ok(inside) = path.strip_prefix(&self.root)
            && let Some(owner) = dpkg.owner(&format!("/{}", inside.to_str()?))
        {
            return Some(self.package(PackageManager::Dpkg, owner));
        }
        let owner = self.rpm.as_ref()?.owner(path)?;
        Some(self.package(PackageManager::Rpm, owner))
    }

    /// The distribution, as in `debian 12`.
    pub fn distribution(&self) -> Option<&str> {
        self.distribution.as_deref()
    }

    fn package(&self, manager: PackageManager, owner: Owner) -> Package {
        Package {
            manager,
            name: owner.name,
            version: owner.version,
            architecture: owner.architecture,
            distribution: self.distribution.clone(),
        }
    }
}

/// `ID` and `VERSION_ID` of os-release.
fn distribution(root: &Path) -> Option<String> {
    let text = ["etc/os-release", "usr/lib/os-release"]
        .iter()
        .find_map(|path| std::fs::read_to_string(root.join(path)).ok())?;
    let value = |key: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='))?;
        let value = line.trim().trim_matches(['"', '\'']);
        (!value.is_empty()).then(|| value.to_owned())
    };
    let id = value("ID")?;
    Some(match value("VERSION_ID") {
        Some(version) => format!("{id} {version}"),
        None => id,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn the_distribution_is_read_from_os_release() {
        for (text, expected) in [
            ("NAME=\"x\"\nVERSION_ID=\"12\"\nID=debian\n", Some("debian 12")),
            ("ID='arch'\nID_LIKE=x\n", Some("arch")),
            ("VERSION_ID=1\n", None),
        ] {
            let root = tempfile::tempdir().unwrap();
            std::fs::create_dir(root.path().join("etc")).unwrap();
            std::fs::write(root.path().join("etc/os-release"), text).unwrap();
            assert_eq!(PackageIndex::load(root.path()).distribution(), expected);
        }
    }
}
