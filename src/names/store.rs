//! Where symbol files are found: at the module's own path, in debug directories by build-id and
//! by debug link, in the directories given with `--symbols`, and from symbol servers. Those of Windows
//! lie elsewhere (`windows.rs`). Whether a
//! file belongs to the module is judged by [`unfreed_symbols`], not here. Paths come from traces
//! and from files, so that only regular files are opened, and none without bound.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use unfreed_symbols::{BuildId, Files, Place, Wanted};

use super::Debuginfod;
use super::symbol_path::SymbolPath;
use super::windows::{Found, Windows};

/// The largest symbol file read, in bytes. (Chromium's debug file is about 1.5 GB.)
const FILE_MOST: u64 = 4 << 30;
/// What a place on a symbol server begins with.
const SERVER: &str = "debuginfod:";
/// What a place on a symbol server of Windows begins with; its name and key follow.
const SYMSRV: &str = "symsrv:";

/// Where to look.
#[derive(Debug, Default)]
pub struct StoreOptions {
    /// Directories given by the user, searched before all else but the module's own path. A symbol path of
    /// Windows (`srv*cache*https://...`) may be among them; its servers are asked.
    pub symbols: Vec<PathBuf>,
    /// The symbol path of Windows that the environment gives.
    pub symbol_path: String,
    /// Whether to ask the servers of that path.
    pub download: bool,
    /// The symbol store for what servers give, where a symbol path names none.
    pub kept: PathBuf,
    /// The system's debug directories (`/usr/lib/debug`).
    pub debug: Vec<PathBuf>,
    /// Symbol servers.
    pub servers: Option<Debuginfod>,
}

impl StoreOptions {
    /// The system's directories, and the servers and directories its environment names (`DEBUGINFOD_URLS`,
    /// `_NT_SYMBOL_PATH`), besides the directories of `--symbols`.
    pub fn from_environment(symbols: Vec<PathBuf>) -> StoreOptions {
        StoreOptions {
            symbols,
            symbol_path: std::env::var("_NT_SYMBOL_PATH").unwrap_or_default(),
            download: false,
            kept: kept().unwrap_or_else(|| std::env::temp_dir().join("unfreed-symbols")),
            debug: vec![PathBuf::from("/usr/lib/debug")],
            servers: Debuginfod::from_environment(),
        }
    }

    /// The same, asking the servers of `_NT_SYMBOL_PATH` or not.
    pub fn downloading(self, download: bool) -> StoreOptions {
        StoreOptions { download, ..self }
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
    windows: Windows,
}

impl Store {
    /// A store that looks in the places given.
    pub fn new(mut options: StoreOptions) -> Store {
        let mut windows = Windows::default();
        options.symbols.retain(|given| {
            let text = given.to_string_lossy();
            let is_path = SymbolPath::is_one(&text);
            let path = if is_path {
                SymbolPath::parse(&text, &options.kept)
            } else {
                SymbolPath::directory_alone(given)
            };
            windows.add(path, true);
            !is_path
        });
        windows.add(SymbolPath::parse(&options.symbol_path, &options.kept), options.download);
        Store { options, windows }
    }

    /// What was left out of a symbol path, and what servers failed at, each once.
    pub fn notices(&self) -> impl Iterator<Item = &Notice> {
        let servers = self.options.servers.iter().flat_map(|servers| servers.notices());
        servers.chain(self.windows.notices())
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
            Wanted::Image { path, pe } => return places(self.windows.image(path, pe)),
            Wanted::Pdb { path, id } => return places(self.windows.pdb(path, id)),
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
        if let Some((name, key)) = place.0.strip_prefix(SYMSRV).and_then(|at| at.split_once('/')) {
            let fetched = self.windows.fetch(name, key);
            return fetched.map_or(Ok(None), |path| read(&path));
        }
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

fn places(found: Found) -> Vec<Place> {
    let Found { mut files, served } = found;
    let mut seen = rustc_hash::FxHashSet::default();
    files.retain(|path| seen.insert(path.clone()));
    let files = files.into_iter().map(|path| Place(path.to_string_lossy().into_owned()));
    files.chain(served.map(|(name, key)| Place(format!("{SYMSRV}{name}/{key}")))).collect()
}

/// `unfreed/symbols` in the user's cache directory.
fn kept() -> Option<PathBuf> {
    let variable =
        |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let cache = variable("XDG_CACHE_HOME")
        .or_else(|| variable("LOCALAPPDATA"))
        .or_else(|| Some(variable("HOME")?.join(".cache")))?;
    Some(cache.join("unfreed/symbols"))
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
