//! Where PEs and PDBs lie: beside the module, in symbol stores, in the directories of a symbol path.
//! Windows does not tell case in names, and stores travel: what is not there exactly as asked is looked
//! for in any case. Whether a file is the wanted one is judged by [`unfreed_symbols`], not here.

use std::fs;
use std::path::{Path, PathBuf};

use rustc_hash::FxHashSet;
use unfreed_symbols::identity::plain_name;
use unfreed_symbols::{PdbId, PeFacts};

use super::Notice;
use super::symbol_path::{Part, SymbolPath};
use super::symsrv::Symsrv;

/// Entries of a directory looked at for a name in another case, at most.
const ENTRIES_MOST: usize = 1 << 20;

/// Finds PEs and PDBs.
#[derive(Debug, Default)]
pub(super) struct Windows {
    parts: Vec<Part>,
    servers: Symsrv,
    notices: Vec<Notice>,
    said: FxHashSet<PathBuf>,
}

/// Where a wanted file may be.
pub(super) struct Found {
    /// Files that are there, best first.
    pub(super) files: Vec<PathBuf>,
    /// What to ask servers for, where there are any: name and key.
    pub(super) served: Option<(String, String)>,
}

impl Windows {
    /// Searches this path too, after those before. `ask` is whether its servers may be asked.
    pub(super) fn add(&mut self, path: SymbolPath, ask: bool) {
        self.notices.extend(path.notices);
        for part in path.parts {
            match part {
                Part::Server { url, keep } => self.servers.add(url, keep, ask),
                part => self.parts.push(part),
            }
        }
    }

    /// Where the PE that was traced at a path may be.
    pub(super) fn image(&mut self, path: &str, pe: Option<&PeFacts>) -> Found {
        // Its own path, where that is one of this system and whole.
        let mut files: Vec<PathBuf> =
            Some(PathBuf::from(path)).filter(|path| path.is_absolute()).into_iter().collect();
        let Some(name) = plain_name(path) else { return Found { files, served: None } };
        let key = pe.and_then(PeFacts::key);
        files.extend(self.search(name, key.as_deref(), path));
        self.found(files, name, key)
    }

    /// Where the PDB of a module that was traced at a path may be.
    pub(super) fn pdb(&mut self, path: &str, id: &PdbId) -> Found {
        let Some(name) = id.file_name() else { return Found { files: Vec::new(), served: None } };
        let key = id.key();
        let mut files = self.search(name, key.as_deref(), path);
        // Beside the module, and where the linker wrote it, if that was here (Wine, cross compilers).
        let beside = Path::new(path).parent().filter(|_| Path::new(path).is_absolute());
        files.extend(beside.and_then(|directory| find(directory, &[name])));
        files.extend(Some(PathBuf::from(&id.name)).filter(|path| path.is_absolute()));
        self.found(files, name, key)
    }

    /// The file of this name and key from a server.
    pub(super) fn fetch(&mut self, name: &str, key: &str) -> Option<PathBuf> {
        self.servers.fetch(name, key)
    }

    /// What was left out and what failed.
    pub(super) fn notices(&self) -> impl Iterator<Item = &Notice> {
        self.notices.iter().chain(self.servers.notices())
    }

    fn found(&self, files: Vec<PathBuf>, name: &str, key: Option<String>) -> Found {
        let served = key.filter(|_| !self.servers.is_empty()).map(|key| (name.to_owned(), key));
        Found { files, served }
    }

    fn search(&mut self, name: &str, key: Option<&str>, module: &str) -> Vec<PathBuf> {
        let ending = module.rsplit_once('.').map_or("", |(_, ending)| ending);
        let ending = plain_name(ending).unwrap_or_default();
        let mut files = Vec::new();
        for part in self.parts.clone() {
            let (Part::Directory(directory) | Part::Store(directory)) = &part else { continue };
            if let Some(key) = key {
                files.extend(find(directory, &[name, key, name]));
                self.say_unusable(directory, name, key);
            }
            if matches!(part, Part::Directory(_)) {
                // A file by itself, and a directory as debuggers search it.
                let itself =
                    directory.file_name().is_some_and(|own| own.eq_ignore_ascii_case(name));
                files.extend(itself.then(|| directory.clone()).filter(|path| path.is_file()));
                files.extend(find(directory, &[name]));
                files.extend(find(directory, &[ending, name]));
                files.extend(find(directory, &["symbols", ending, name]));
            }
        }
        files.retain(|path| path.is_file());
        files
    }

    /// Says once of a file in a store that it cannot be used: one that is compressed, or that only says
    /// where the file is.
    fn say_unusable(&mut self, store: &Path, name: &str, key: &str) {
        let mut last = name.char_indices();
        let packed = last.next_back().map(|(at, _)| format!("{}_", &name[..at]));
        let packed = packed.and_then(|packed| find(store, &[name, key, &packed]));
        let pointer = find(store, &[name, key, "file.ptr"]);
        let what =
            "is compressed, which is not unpacked here: `expand` on Windows or `cabextract` does";
        let elsewhere = "says that the file is elsewhere, which is not followed";
        for (file, what) in [(packed, what), (pointer, elsewhere)] {
            let Some(file) = file.filter(|file| self.said.insert(file.clone())) else { continue };
            let place = file.to_string_lossy().into_owned();
            self.notices.push(Notice { place, what: what.to_owned() });
        }
    }
}

/// The path below a directory, in whatever case it is there.
fn find(directory: &Path, names: &[&str]) -> Option<PathBuf> {
    let mut path = directory.to_owned();
    for name in names {
        let exact = path.join(plain_name(name)?);
        if fs::symlink_metadata(&exact).is_ok() {
            path = exact;
            continue;
        }
        let entries = fs::read_dir(&path).ok()?.take(ENTRIES_MOST).flatten();
        path = entries
            .map(|entry| entry.path())
            .find(|path| path.file_name().is_some_and(|found| found.eq_ignore_ascii_case(name)))?;
    }
    Some(path)
}
