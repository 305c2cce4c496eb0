//! The catalogue: entries by id. It is the embedded one, a directory of the user's, or both,
//! the user's entries then standing in place of the embedded ones of the same id. A directory
//! with one wrong file is not loaded: a match that is missing because of a typing error would
//! look like a leak without a fix.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use super::changelog::Changelogs;
use super::embedded;
use super::entry::{Entry, Origin};
use super::index::Index;
use super::load;
use super::problem::{CatalogueError, Problem};

/// Published fixes, by id; and what the packages at hand say of themselves, which decides where versions do not.
#[derive(Clone, Debug, Default)]
pub struct Catalogue {
    /// In the order of their ids.
    entries: Vec<Entry>,
    changelogs: Changelogs,
    /// Made with the first question after a change.
    index: OnceLock<Index>,
}

impl Catalogue {
    /// The catalogue that came with the program.
    pub fn embedded() -> Result<Catalogue, CatalogueError> {
        let texts = embedded::FILES.iter().map(|&(name, text)| (Path::new(name), text));
        let mut catalogue = Catalogue::default();
        let mut problems = Vec::new();
        for (path, text) in texts {
            match load::parse(text, path, Origin::Embedded) {
                Ok(entry) => catalogue.insert(entry),
                Err(found) => problems.extend(found),
            }
        }
        if problems.is_empty() { Ok(catalogue) } else { Err(CatalogueError::Wrong(problems)) }
    }

    /// Reads every `*.toml` in a directory, not in those below it.
    pub fn load_dir(directory: &Path) -> Result<Catalogue, CatalogueError> {
        let (catalogue, problems) = read_directory(directory)?;
        if problems.is_empty() { Ok(catalogue) } else { Err(CatalogueError::Wrong(problems)) }
    }

    /// One entry from its text; `path` names it in problems and must end in `<id>.toml`.
    pub fn parse_entry(text: &str, path: &Path) -> Result<Entry, CatalogueError> {
        load::parse(text, path, Origin::User(path.to_owned())).map_err(CatalogueError::Wrong)
    }

    /// Takes over another catalogue's entries; where an id is in both, the other's stands.
    pub fn merge(&mut self, other: Catalogue) {
        for entry in other.entries {
            self.insert(entry);
        }
    }

    /// Adds one entry, in place of one with its id: `kb1` is `KB1`, as everywhere that an id is asked for.
    pub fn insert(&mut self, entry: Entry) {
        self.entries
            .retain(|known| known.id == entry.id || !known.id.eq_ignore_ascii_case(&entry.id));
        match self.find(&entry.id) {
            Ok(at) => self.entries.splice(at..=at, [entry]).for_each(drop),
            Err(at) => self.entries.insert(at, entry),
        }
        self.index = OnceLock::new();
    }

    /// Takes in what packages say of themselves, in place of what was known.
    pub fn set_changelogs(&mut self, changelogs: Changelogs) {
        self.changelogs = changelogs;
    }

    /// What packages say of themselves.
    pub fn changelogs(&self) -> &Changelogs {
        &self.changelogs
    }

    /// The entry of an id, without regard to case.
    pub fn get(&self, id: &str) -> Option<&Entry> {
        let same = || self.entries.iter().find(|entry| entry.id.eq_ignore_ascii_case(id));
        self.find(id).ok().and_then(|at| self.entries.get(at)).or_else(same)
    }

    /// All entries, by id.
    pub fn entries(&self) -> impl ExactSizeIterator<Item = &Entry> {
        self.entries.iter()
    }

    /// The entry at a place in the order of ids.
    pub(super) fn at(&self, at: usize) -> Option<&Entry> {
        self.entries.get(at)
    }

    /// Which entries can concern a suspect.
    pub(super) fn index(&self) -> &Index {
        self.index.get_or_init(|| Index::new(self.entries.iter()))
    }

    fn find(&self, id: &str) -> Result<usize, usize> {
        self.entries.binary_search_by(|entry| entry.id.as_str().cmp(id))
    }
}

/// Every problem of every entry in a directory, in the order of files and lines.
pub fn check(directory: &Path) -> Result<Vec<Problem>, CatalogueError> {
    let (catalogue, mut problems) = read_directory(directory)?;
    if catalogue.entries.is_empty() && problems.is_empty() {
        let text = "no entry here; an entry is a file `<id>.toml`".to_owned();
        problems.push(Problem { path: directory.to_owned(), line: None, text });
    }
    Ok(problems)
}

fn read_directory(directory: &Path) -> Result<(Catalogue, Vec<Problem>), CatalogueError> {
    let unreadable = |cause| CatalogueError::Read { path: directory.to_owned(), cause };
    let mut paths = Vec::new();
    for item in directory.read_dir().map_err(unreadable)? {
        let path = item.map_err(unreadable)?.path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            paths.push(path);
        }
    }
    paths.sort();
    let mut catalogue = Catalogue::default();
    let mut problems = Vec::new();
    for path in paths {
        match read_entry(&path) {
            Ok(entry) => match catalogue.get(&entry.id) {
                Some(same) => {
                    let text = format!("`{}` is there already as `{}`", entry.id, same.id);
                    problems.push(Problem { path, line: None, text });
                }
                None => catalogue.insert(entry),
            },
            Err(found) => problems.extend(found),
        }
    }
    Ok((catalogue, problems))
}

fn read_entry(path: &Path) -> Result<Entry, Vec<Problem>> {
    let wrong = |text| vec![Problem { path: PathBuf::from(path), line: None, text }];
    let unread = |cause| wrong(format!("cannot be read: {cause}"));
    // Opening a FIFO waits for a writer, and opening a device may act.
    if !std::fs::metadata(path).map_err(unread)?.is_file() {
        return Err(wrong("is not a regular file; an entry is".to_owned()));
    }
    let mut text = String::new();
    let file = File::open(path).map_err(unread)?;
    let read = file.take(load::MAX_LENGTH + 1).read_to_string(&mut text);
    read.map_err(unread)?;
    if text.len() as u64 > load::MAX_LENGTH {
        return Err(wrong(format!("longer than {} bytes; no entry is", load::MAX_LENGTH)));
    }
    load::parse(&text, path, Origin::User(path.to_owned()))
}
