//! Debian's package database: `/var/lib/dpkg/status`, the file lists beside it, and the
//! diversions. The lists are read in one pass into a map from the hash of a path to its package
//! (150,000 paths take about 5 MB). A path is asked for in both its spellings, because a
//! `/lib` that became a link to `/usr/lib` left the lists as they were.

use std::path::Path;

use rustc_hash::FxHashMap;
use xxhash_rust::xxh3::xxh3_128;

use super::Owner;

/// Directories that may be links into `/usr`.
const MERGED: [&str; 6] = ["/bin/", "/lib/", "/lib32/", "/lib64/", "/libx32/", "/sbin/"];

/// The database, read.
#[derive(Debug, Default)]
pub(super) struct Dpkg {
    /// Index into `lists` of the package that ships a path.
    owners: FxHashMap<PathHash, u32>,
    /// By diverted path.
    diversions: FxHashMap<PathHash, Diversion>,
    lists: Vec<ListName>,
    installed: FxHashMap<String, Vec<Installed>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct PathHash(u128);

impl PathHash {
    fn of(path: &[u8]) -> PathHash {
        PathHash(xxh3_128(path))
    }
}

/// The package a file list belongs to: `name.list`, or `name:arch.list` of a multi-arch package.
#[derive(Debug)]
struct ListName {
    name: String,
    architecture: Option<String>,
}

#[derive(Debug)]
struct Installed {
    architecture: String,
    version: String,
}

/// A path whose file one package may own while the others' is kept elsewhere.
#[derive(Debug)]
struct Diversion {
    /// Where the others' file is.
    to: String,
    /// The package whose file stays; `None` for a local diversion: then nobody's does.
    by: Option<String>,
    /// Every package that ships the path.
    shipped_by: Vec<u32>,
}

impl Dpkg {
    /// Reads the database under `root`; an empty one where there is none.
    pub(super) fn read(root: &Path) -> Dpkg {
        let directory = root.join("var/lib/dpkg");
        let mut dpkg = Dpkg::default();
        let Ok(status) = std::fs::read(directory.join("status")) else { return dpkg };
        dpkg.take_status(&String::from_utf8_lossy(&status));
        if let Ok(text) = std::fs::read_to_string(directory.join("diversions")) {
            dpkg.take_diversions(&text);
        }
        let Ok(entries) = std::fs::read_dir(directory.join("info")) else { return dpkg };
        let mut paths: Vec<_> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
        paths.retain(|path| path.extension().is_some_and(|extension| extension == "list"));
        paths.sort();
        for path in paths {
            if let (Some(stem), Ok(text)) =
                (path.file_stem().and_then(|stem| stem.to_str()), std::fs::read(&path))
            {
                dpkg.take_list(stem, &text);
            }
        }
        dpkg
    }

    /// The package that owns the file at `path`, an absolute path.
    pub(super) fn owner(&self, path: &str) -> Option<Owner> {
        spellings(path).iter().find_map(|path| self.shipper(path)).and_then(|index| {
            let list = self.lists.get(usize::try_from(index).ok()?)?;
            let installed = self.installed.get(&list.name)?;
            let wanted = list.architecture.as_ref();
            let found = installed
                .iter()
                .find(|one| wanted.is_none_or(|wanted| *wanted == one.architecture))?;
            Some(Owner {
                name: list.name.clone(),
                version: found.version.clone(),
                architecture: Some(found.architecture.clone()),
            })
        })
    }

    fn shipper(&self, path: &str) -> Option<u32> {
        let hash = PathHash::of(path.as_bytes());
        if let Some(diversion) = self.diversions.get(&hash) {
            let by = diversion.by.as_deref()?;
            return diversion.shipped_by.iter().copied().find(|index| self.is(*index, by));
        }
        if let Some(index) = self.owners.get(&hash) {
            return Some(*index);
        }
        let moved = self.diversions.values().find(|diversion| diversion.to == path)?;
        let by = moved.by.as_deref();
        moved.shipped_by.iter().copied().find(|index| by.is_none_or(|by| !self.is(*index, by)))
    }

    fn is(&self, index: u32, name: &str) -> bool {
        let list = usize::try_from(index).ok().and_then(|index| self.lists.get(index));
        list.is_some_and(|list| list.name == name)
    }

    /// Paragraphs of `Field: value`, separated by empty lines.
    fn take_status(&mut self, text: &str) {
        for paragraph in text.split("\n\n") {
            let field = |name: &str| {
                let mut lines = paragraph.lines();
                lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(": ")).map(str::trim)
            };
            let present = field("Status").is_some_and(|status| !status.ends_with("config-files"));
            let (Some(name), Some(version), true) = (field("Package"), field("Version"), present)
            else {
                continue;
            };
            let architecture = field("Architecture").unwrap_or_default().to_owned();
            let installed = Installed { architecture, version: version.to_owned() };
            self.installed.entry(name.to_owned()).or_default().push(installed);
        }
    }

    /// Three lines each: the path, where it is diverted to, the package (`:` for local ones).
    fn take_diversions(&mut self, text: &str) {
        let lines: Vec<&str> = text.lines().collect();
        for diversion in lines.chunks_exact(3) {
            let by = (diversion[2] != ":").then(|| diversion[2].to_owned());
            let to = diversion[1].to_owned();
            let from = PathHash::of(diversion[0].as_bytes());
            self.diversions.insert(from, Diversion { to, by, shipped_by: Vec::new() });
        }
    }

    fn take_list(&mut self, stem: &str, text: &[u8]) {
        let Ok(index) = u32::try_from(self.lists.len()) else { return };
        let (name, architecture) = match stem.split_once(':') {
            Some((name, architecture)) => (name, Some(architecture.to_owned())),
            None => (stem, None),
        };
        self.lists.push(ListName { name: name.to_owned(), architecture });
        for line in text.split(|&byte| byte == b'\n').filter(|line| line.len() > 1) {
            let hash = PathHash::of(line);
            self.owners.entry(hash).or_insert(index);
            if let Some(diversion) = self.diversions.get_mut(&hash) {
                diversion.shipped_by.push(index);
            }
        }
    }
}

/// A path as it is, and as it was or will be called on the other side of the `/usr` merge.
fn spellings(path: &str) -> Vec<String> {
    let mut spellings = vec![path.to_owned()];
    let merged = |path: &str| MERGED.iter().any(|directory| path.starts_with(directory));
    match path.strip_prefix("/usr") {
        Some(short) if merged(short) => spellings.push(short.to_owned()),
        None if merged(path) => spellings.push(format!("/usr{path}")),
        _ => {}
    }
    spellings
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    const STATUS: &str = "\
Package: mosquitto
Status: install ok installed
Architecture: amd64
Description: a broker
 Version: 9 is not a field here
Version: 2.0.11-1.2+deb12u2

Package: libc6
Status: install ok installed
Multi-Arch: same
Architecture: amd64
Version: 2.36-9+deb12u10

Package: libc6
Status: install ok installed
Architecture: i386
Version: 2.36-9+deb12u9

Package: gone
Status: deinstall ok config-files
Architecture: amd64
Version: 1

Package: original
Status: install ok installed
Architecture: all
Version: 1.0

Package: diverter
Status: hold ok installed
Architecture: all
Version: 2.0
";

    fn check(path: &str, expected: Option<(&str, &str, &str)>) {
        let root = tempfile::tempdir().unwrap();
        let dpkg = root.path().join("var/lib/dpkg");
        std::fs::create_dir_all(dpkg.join("info")).unwrap();
        let lists = [
            ("mosquitto.list", "/.\n/usr\n/usr/sbin\n/usr/sbin/mosquitto\n"),
            ("libc6:amd64.list", "/.\n/lib\n/lib/x86_64-linux-gnu/libc.so.6\n"),
            ("libc6:i386.list", "/.\n/lib\n/lib/i386-linux-gnu/libc.so.6\n"),
            ("gone.list", "/etc/gone\n"),
            ("original.list", "/usr/bin/tool\n/usr/bin/local"),
            ("diverter.list", "/usr/bin/tool\n"),
            ("diverter.md5sums", "/usr/bin/never\n"),
        ];
        for (name, text) in lists {
            std::fs::write(dpkg.join("info").join(name), text).unwrap();
        }
        std::fs::write(dpkg.join("status"), STATUS).unwrap();
        let diversions = "/usr/bin/tool\n/usr/bin/tool.real\ndiverter\n\
                          /usr/bin/local\n/usr/bin/local.distrib\n:\n";
        std::fs::write(dpkg.join("diversions"), diversions).unwrap();
        let owner = Dpkg::read(root.path()).owner(path);
        let found = owner.as_ref().map(|owner| {
            (owner.name.as_str(), owner.version.as_str(), owner.architecture.as_deref().unwrap())
        });
        assert_eq!(found, expected, "{path}");
    }

    #[test]
    fn a_file_belongs_to_the_package_that_ships_it() {
        check("/usr/sbin/mosquitto", Some(("mosquitto", "2.0.11-1.2+deb12u2", "amd64")));
        check("/usr/sbin/mosquito", None);
        check("/usr/bin/never", None);
        check("/etc/gone", None);
    }

    #[test]
    fn both_sides_of_the_usr_merge_are_known() {
        let amd64 = Some(("libc6", "2.36-9+deb12u10", "amd64"));
        check("/usr/lib/x86_64-linux-gnu/libc.so.6", amd64);
        check("/lib/x86_64-linux-gnu/libc.so.6", amd64);
        check("/sbin/mosquitto", Some(("mosquitto", "2.0.11-1.2+deb12u2", "amd64")));
    }

    #[test]
    fn architectures_of_one_package_are_told_apart() {
        check("/usr/lib/i386-linux-gnu/libc.so.6", Some(("libc6", "2.36-9+deb12u9", "i386")));
    }

    #[test]
    fn a_diverted_file_belongs_to_the_diverter() {
        check("/usr/bin/tool", Some(("diverter", "2.0", "all")));
        check("/usr/bin/tool.real", Some(("original", "1.0", "all")));
        check("/usr/bin/local", None);
        check("/usr/bin/local.distrib", Some(("original", "1.0", "all")));
    }

    #[test]
    fn a_tree_without_database_owns_nothing() {
        let root = tempfile::tempdir().unwrap();
        assert_eq!(Dpkg::read(root.path()).owner("/usr/sbin/mosquitto"), None);
    }
}
