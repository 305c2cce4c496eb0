//! The changelog of an installed package, as a text: Debian's from its documentation directory, RPM's as rpm tells it. Which
//! version it is of is for whoever reads it to say; here it is only found and unpacked, within bounds.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};

use flate2::read::MultiGzDecoder;
use unfreed_symbols::{Package, PackageManager};

/// The longest changelog read, unpacked, in bytes. (Debian's of the kernel, the longest there is, has 5 MB.)
const MOST: u64 = 16 << 20;

/// The changelog of a package of the system under `root`; `None` where there is none, or none that can be read.
pub fn changelog(root: &Path, package: &Package) -> Option<String> {
    // A name comes from a trace: it must not lead out of the directory, nor be an option.
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"+-._".contains(&b);
    if !package.name.bytes().all(plain) || package.name.starts_with(['.', '-']) {
        return None;
    }
    match package.manager {
        PackageManager::Rpm => of_rpm(root, &package.name),
        PackageManager::Dpkg | PackageManager::Note => {
            let directory = root.join("usr/share/doc").join(&package.name);
            // A package of Debian's own has no separate changelog of its packaging.
            let names = ["changelog.Debian.gz", "changelog.Debian", "changelog.gz"];
            names.iter().find_map(|name| read_changelog(&directory.join(name)))
        }
    }
}

/// A changelog from a file, packed with gzip or not; only regular files are opened.
pub fn read_changelog(path: &Path) -> Option<String> {
    if !std::fs::metadata(path).ok()?.is_file() {
        return None;
    }
    let mut start = [0; 2];
    let packed = File::open(path).ok()?.read(&mut start).ok()? == 2 && start == [0x1f, 0x8b];
    let file = File::open(path).ok()?;
    let mut bytes = Vec::new();
    if packed {
        MultiGzDecoder::new(file).take(MOST).read_to_end(&mut bytes).ok()?;
    } else {
        file.take(MOST).read_to_end(&mut bytes).ok()?;
    }
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

fn of_rpm(root: &Path, name: &str) -> Option<String> {
    let mut command = Command::new("rpm");
    command.env("LC_ALL", "C").arg("--root").arg(root).args(["-q", "--changelog", "--", name]);
    let output = command.stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::io::Write as _;

    use super::*;

    fn debian(name: &str) -> Package {
        Package {
            manager: PackageManager::Dpkg,
            name: name.to_owned(),
            version: "1-1".to_owned(),
            architecture: None,
            distribution: None,
        }
    }

    #[test]
    fn a_packed_changelog_is_unpacked() {
        let root = tempfile::tempdir().unwrap();
        let directory = root.path().join("usr/share/doc/x");
        std::fs::create_dir_all(&directory).unwrap();
        let file = File::create(directory.join("changelog.Debian.gz")).unwrap();
        let mut encoder = flate2::write::GzEncoder::new(file, flate2::Compression::default());
        encoder.write_all(b"x (1-1) unstable; urgency=low\n").unwrap();
        encoder.finish().unwrap();
        let text = changelog(root.path(), &debian("x")).unwrap();
        assert_eq!(text, "x (1-1) unstable; urgency=low\n");
        assert_eq!(changelog(root.path(), &debian("y")), None);
    }

    #[test]
    fn a_name_leads_nowhere_else() {
        let root = tempfile::tempdir().unwrap();
        for name in ["../x", "a/b", "..", "-q", ".hidden"] {
            assert_eq!(changelog(root.path(), &debian(name)), None, "{name}");
        }
    }
}
