//! The symbol path of Windows' debuggers, as `_NT_SYMBOL_PATH` and `--symbols` give it. Pure: it says
//! where files may lie and which servers are named; whether a server is asked is not decided here.
//!
//! ```text
//! path    = element (";" element)*
//! element = "srv*" stores | "symsrv*" DLL "*" stores | "cache*" directory? | directory
//! stores  = store ("*" store)*           downstream first; empty: the default store
//! store   = directory | "http://..." | "https://..."
//! ```
//! Source: Microsoft's "Using SymSrv" and "Advanced SymSrv Use".

use std::path::{Path, PathBuf};

use super::Notice;

/// Elements taken, at most.
const ELEMENTS_MOST: usize = 64;
/// Stores of one element, at most: as many as SymSrv takes.
const STORES_MOST: usize = 10;

/// A symbol path, in the order in which it is searched.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SymbolPath {
    /// Where to look.
    pub parts: Vec<Part>,
    /// What was left out of it, and why.
    pub notices: Vec<Notice>,
}

/// One place of a symbol path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// A directory with symbol files, or a symbol store.
    Directory(PathBuf),
    /// A symbol store: `name.pdb/GUIDage/name.pdb`.
    Store(PathBuf),
    /// A symbol server.
    Server {
        /// Its address, without a stroke at the end.
        url: String,
        /// The store in which its files are kept.
        keep: PathBuf,
    },
}

impl SymbolPath {
    /// Whether a text is a symbol path and no plain path: something that is there is a path, whatever its
    /// name.
    pub fn is_one(text: &str) -> bool {
        let lower = text.to_ascii_lowercase();
        let keyword = ["srv*", "symsrv*", "cache*"].iter().any(|word| lower.contains(word));
        (keyword || text.contains(';')) && !Path::new(text).exists()
    }

    /// A directory, or a file by itself, whatever its name looks like.
    pub fn directory_alone(path: &Path) -> SymbolPath {
        SymbolPath { parts: vec![Part::Directory(path.to_owned())], notices: Vec::new() }
    }

    /// Reads one. `default` is the store where a path leaves it open.
    pub fn parse(text: &str, default: &Path) -> SymbolPath {
        let mut path = SymbolPath::default();
        let mut cache = None;
        let elements = text.split(';').map(str::trim).filter(|element| !element.is_empty());
        for (index, element) in elements.enumerate() {
            if index == ELEMENTS_MOST {
                path.leave_out(text, "has more elements than are read");
                break;
            }
            let mut words = element.split('*').map(str::trim);
            let keyword = words.next().unwrap_or_default().to_ascii_lowercase();
            let words: Vec<&str> = words.collect();
            match (keyword.as_str(), &words[..]) {
                (_, []) => path.directory(element),
                ("srv", stores) => path.stores(element, stores, cache.as_ref(), default),
                ("symsrv", [dll, stores @ ..]) if is_symsrv(dll) => {
                    path.stores(element, stores, cache.as_ref(), default);
                }
                ("symsrv", _) => path.leave_out(element, "needs a symbol server's own DLL"),
                ("cache", [directory]) => {
                    let directory = if directory.is_empty() {
                        Some(default.to_owned())
                    } else {
                        path.local(directory)
                    };
                    path.parts.extend(directory.clone().map(Part::Store));
                    cache = directory.or(cache);
                }
                _ => path.leave_out(element, "is no element of a symbol path"),
            }
        }
        path
    }

    fn directory(&mut self, element: &str) {
        if is_url(element) {
            self.leave_out(element, "is a server without srv* before it");
        } else if let Some(directory) = self.local(element) {
            self.parts.push(Part::Directory(directory));
        }
    }

    fn stores(&mut self, element: &str, stores: &[&str], cache: Option<&PathBuf>, default: &Path) {
        if stores.len() > STORES_MOST {
            return self.leave_out(element, "has more stores than SymSrv takes");
        }
        // Stores on the left keep what those on the right have.
        let mut keep = None;
        for store in stores {
            if is_url(store) {
                let keep = keep.as_ref().or(cache).cloned().unwrap_or_else(|| default.to_owned());
                // One that nothing was kept in before is still looked in.
                let known = Part::Store(keep.clone());
                if !self.parts.contains(&known) {
                    self.parts.push(known);
                }
                let url = store.trim_end_matches('/').to_owned();
                self.parts.push(Part::Server { url, keep });
                continue;
            }
            let directory =
                if store.is_empty() { Some(default.to_owned()) } else { self.local(store) };
            self.parts.extend(directory.clone().map(Part::Store));
            keep = keep.or(directory);
        }
    }

    /// The directory, if it can be one of this system.
    fn local(&mut self, text: &str) -> Option<PathBuf> {
        let drive = |text: &str| {
            let mut symbols = text.chars();
            symbols.next().is_some_and(|letter| letter.is_ascii_alphabetic())
                && symbols.next() == Some(':')
        };
        if cfg!(not(windows)) && (drive(text) || text.starts_with(r"\\") || text.contains('\\')) {
            self.leave_out(text, "is a path of Windows: not looked in here");
            return None;
        }
        Some(PathBuf::from(text))
    }

    fn leave_out(&mut self, place: &str, what: &str) {
        self.notices.push(Notice { place: place.to_owned(), what: what.to_owned() });
    }
}

fn is_url(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    lower.starts_with("http://") || lower.starts_with("https://")
}

fn is_symsrv(dll: &str) -> bool {
    dll.eq_ignore_ascii_case("symsrv.dll") || dll.eq_ignore_ascii_case("symsrv")
}

#[cfg(all(test, not(windows)))]
mod tests {
    use super::*;

    fn shown(path: &SymbolPath) -> (Vec<String>, Vec<&str>) {
        let parts = path.parts.iter().map(|part| match part {
            Part::Directory(path) => format!("in {}", path.display()),
            Part::Store(path) => format!("store {}", path.display()),
            Part::Server { url, keep } => format!("{url} to {}", keep.display()),
        });
        (parts.collect(), path.notices.iter().map(|notice| notice.place.as_str()).collect())
    }

    fn check(text: &str, parts: &[&str], left_out: &[&str]) {
        let path = SymbolPath::parse(text, Path::new("/default"));
        assert_eq!(
            shown(&path),
            (parts.iter().map(|&p| p.to_owned()).collect(), left_out.to_vec()),
            "{text}"
        );
    }

    #[test]
    fn every_element_is_understood() {
        check("/symbols; /more", &["in /symbols", "in /more"], &[]);
        check(
            "srv*/cache*https://msdl.example/download/symbols/",
            &["store /cache", "https://msdl.example/download/symbols to /cache"],
            &[],
        );
        check("SRV*/a*/b*http://one", &["store /a", "store /b", "http://one to /a"], &[]);
        check("srv*https://one", &["store /default", "https://one to /default"], &[]);
        check("srv**https://one", &["store /default", "https://one to /default"], &[]);
        check("srv*/only", &["store /only"], &[]);
        check("srv*", &["store /default"], &[]);
        check(
            "cache*/c;srv*https://one;srv*/own*https://two",
            &["store /c", "https://one to /c", "store /own", "https://two to /own"],
            &[],
        );
        check("cache*;/x", &["store /default", "in /x"], &[]);
        check("symsrv*symsrv.dll*/c*https://one", &["store /c", "https://one to /c"], &[]);
        check("", &[], &[]);
        check(" ;; ", &[], &[]);
    }

    #[test]
    fn what_is_not_of_this_system_is_left_out_and_said() {
        check(
            r"C:\Symbols;\\server\share;/here",
            &["in /here"],
            &[r"C:\Symbols", r"\\server\share"],
        );
        check(
            r"srv*C:\Symbols*\\server\share*https://one",
            &["store /default", "https://one to /default"],
            &[r"C:\Symbols", r"\\server\share"],
        );
        check(r"cache*D:\c;/x", &["in /x"], &[r"D:\c"]);
        check("symsrv*other.dll*/c", &[], &["symsrv*other.dll*/c"]);
        check("symsrv*", &[], &["symsrv*"]);
        check("what*/c", &[], &["what*/c"]);
        check("https://bare", &[], &["https://bare"]);
        let many = "srv*".to_owned() + &"/a*".repeat(11);
        check(&many, &[], &[&many]);
    }

    #[test]
    fn a_plain_path_is_told_from_a_symbol_path() {
        for (text, is) in [
            ("/usr/lib/debug", false),
            ("srv*/c*https://one", true),
            ("/a;/b", true),
            ("Cache*/c", true),
            ("server.debug", false),
            ("/", false),
        ] {
            assert_eq!(SymbolPath::is_one(text), is, "{text}");
        }
    }
}
