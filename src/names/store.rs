//! Where symbol files are found: at the module's own path, in debug directories by build-id and
//! by debug link, in the directories given with `--symbols`, and from symbol servers. Whether a
//! file belongs to the module is judged by [`unfreed_symbols`], not here. Paths come from traces
//! and from files, so that only regular files are opened, and none without bound.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use unfreed_symbols::{BuildId, Files, Place, Wanted};

use super::Debuginfod;

/// The largest symbol file read, in bytes. (Chromium's debug file is about 1.5 GB.)
const FILE_MOST: u64 = 4 << 30;
/// What a place on a symbol server begins with.
const SERVER: &str = "debuginfod:";

/// Where to look.
#[derive(Debug, Default)]
pub struct StoreOptions {
    /// Directories given by the user, searched before all else but the module's own path.
    pub symbols: Vec<PathBuf>,
    /// The system's debug directories (`/usr/lib/debug`).
    pub debug: Vec<PathBuf>,
    /// Symbol servers.
    pub servers: Option<Debuginfod>,
}

impl StoreOptions {
    /// The system's directories, and the servers its environment names (`DEBUGINFOD_URLS`), besides
    /// the directories of `--symbols`.
    pub fn from_environment(symbols: Vec<PathBuf>) -> StoreOptions {
        let debug = vec![PathBuf::from("/usr/lib/debug")];
        StoreOptions { symbols, debug, servers: Debuginfod::from_environment() }
    }
}

/// Something that went wrong once and may explain missing names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// The file or server.
    pub place: String,
    /// What happened, in words.
    pub what: String,
}

/// Finds and reads symbol files.
#[derive(Debug, Default)]
pub struct Store {
    options: StoreOptions,
}

impl Store {
    /// A store that looks in the places given.
    pub fn new(options: StoreOptions) -> Store {
        Store { options }
    }

    /// What its servers failed at, each once.
    pub fn notices(&self) -> &[Notice] {
        self.options.servers.as_ref().map_or(&[], |servers| servers.notices())
    }

    fn module(&self, path: &Path, build_id: Option<&BuildId>) -> Vec<PathBuf> {
        let mut places = vec![path.to_owned()];
        for directory in &self.options.symbols {
            places.extend(build_id.map(|id| by_build_id(directory, id, "")));
            places.push(below(directory, path));
            places.extend(path.file_name().map(|name| directory.join(name)));
        }
        places
    }

    fn debug(&self, path: &Path, id: Option<&BuildId>, link: Option<&str>) -> Vec<PathBuf> {
        let parent = path.parent().unwrap_or(Path::new("/"));
        let directories = || self.options.symbols.iter().chain(&self.options.debug);
        let mut places = Vec::new();
        for directory in directories() {
            places.extend(id.map(|id| by_build_id(directory, id, ".debug")));
        }
        if let Some(link) = link {
            places.push(parent.join(link));
            places.push(parent.join(".debug").join(link));
            for directory in directories() {
                places.push(below(directory, parent).join(link));
                places.push(directory.join(link));
            }
        }
        // A debug link may name the module's own name, in another directory.
        places.retain(|place| place != path);
        places
    }

    fn supplement(&self, from: &Place, path: &str, id: &BuildId) -> Vec<PathBuf> {
        let mut places = Vec::new();
        // Joining an absolute path gives just that path.
        let parent = Path::new(&from.0).parent().filter(|_| !from.0.starts_with(SERVER));
        places.extend(parent.map(|parent| parent.join(path)));
        for directory in self.options.symbols.iter().chain(&self.options.debug) {
            places.push(by_build_id(directory, id, ".debug"));
            places
                .extend(Path::new(path).file_name().map(|name| directory.join(".dwz").join(name)));
        }
        places
    }
}

impl Files for Store {
    fn candidates(&mut self, wanted: &Wanted<'_>) -> Vec<Place> {
        let (paths, served) = match *wanted {
            Wanted::Module { path, build_id } => (self.module(Path::new(path), build_id), None),
            Wanted::Debug { path, build_id, link } => {
                (self.debug(Path::new(path), build_id, link), build_id)
            }
            Wanted::Supplement { from, path, build_id } => {
                (self.supplement(from, path, build_id), Some(build_id))
            }
        };
        let places = paths.into_iter().map(|path| Place(path.to_string_lossy().into_owned()));
        let served = served.filter(|_| self.options.servers.is_some());
        let mut places: Vec<Place> =
            places.chain(served.map(|id| Place(format!("{SERVER}{id}")))).collect();
        let mut seen = rustc_hash::FxHashSet::default();
        places.retain(|place| seen.insert(place.clone()));
        places
    }

    fn read(&mut self, place: &Place) -> Result<Option<Vec<u8>>, String> {
        let path = match place.0.strip_prefix(SERVER) {
            None => PathBuf::from(&place.0),
            Some(id) => {
                let servers = self.options.servers.as_mut();
                let (Some(servers), Some(id)) = (servers, BuildId::parse(id)) else {
                    return Ok(None);
                };
                let Some(path) = servers.fetch(&id) else { return Ok(None) };
                path
            }
        };
        read(&path)
    }
}

/// The whole of a regular file; `Ok(None)` where there is none.
fn read(path: &Path) -> Result<Option<Vec<u8>>, String> {
    let Ok(metadata) = std::fs::metadata(path) else { return Ok(None) };
    if metadata.is_dir() {
        return Ok(None);
    }
    if !metadata.is_file() {
        return Err("not a regular file".to_owned());
    }
    if metadata.len() > FILE_MOST {
        return Err(format!("{} bytes, more than is read", metadata.len()));
    }
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(|cause| cause.to_string())?;
    file.take(FILE_MOST).read_to_end(&mut bytes).map_err(|cause| cause.to_string())?;
    Ok(Some(bytes))
}

/// `directory/.build-id/ab/cdef...` and an ending.
fn by_build_id(directory: &Path, id: &BuildId, ending: &str) -> PathBuf {
    let (first, rest) = id.split();
    directory.join(".build-id").join(first).join(format!("{rest}{ending}"))
}

/// An absolute path, taken to lie below a directory.
fn below(directory: &Path, path: &Path) -> PathBuf {
    directory.join(path.strip_prefix("/").unwrap_or(path))
}
