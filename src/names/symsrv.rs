//! PDBs and DLLs from the symbol servers of Windows' debuggers, kept in a symbol store of the same
//! layout. A server that fails is stated once and not asked again; no failure is fatal. Files that a
//! server has only compressed (`.pd_`, `.dl_`) are not fetched.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use super::Notice;
use super::download::{Answer, agent, ask};

/// The largest file taken from a server, in bytes.
const FILE_MOST: u64 = 4 << 30;
/// How long a whole answer may take: a browser's PDB has a gigabyte.
const ANSWER: Duration = Duration::from_secs(300);

/// A client of some servers.
#[derive(Debug)]
pub struct Symsrv {
    servers: Vec<Server>,
    agent: ureq::Agent,
    most: u64,
    notices: Vec<Notice>,
}

#[derive(Debug)]
struct Server {
    url: String,
    keep: PathBuf,
    /// Whether the user wants it asked.
    wanted: bool,
    /// Whether it is not to be asked any more, or that it was not is said already.
    done: bool,
}

impl Default for Symsrv {
    fn default() -> Symsrv {
        Symsrv { servers: Vec::new(), agent: agent(ANSWER), most: FILE_MOST, notices: Vec::new() }
    }
}

impl Symsrv {
    /// One more server, the store in which its files are kept, and whether the user wants it asked.
    pub fn add(&mut self, url: String, keep: PathBuf, wanted: bool) {
        self.servers.push(Server { url, keep, wanted, done: false });
    }

    /// Whether there are servers at all.
    pub fn is_empty(&self) -> bool {
        self.servers.is_empty()
    }

    /// The file of this name and key: where it is kept, fetched first where it was not. `None` where no
    /// server that may be asked has it; failures are in [`Symsrv::notices`].
    pub fn fetch(&mut self, name: &str, key: &str) -> Option<PathBuf> {
        let below = PathBuf::from(name).join(key).join(name);
        for server in self.servers.iter_mut().filter(|server| !server.done) {
            let kept = server.keep.join(&below);
            if fs::metadata(&kept).is_ok_and(|file| file.is_file() && file.len() > 0) {
                return Some(kept);
            }
            let mut end = |what: String| {
                server.done = true;
                self.notices.push(Notice { place: server.url.clone(), what });
            };
            if !server.wanted {
                end("not asked: --download-symbols asks the servers of _NT_SYMBOL_PATH".to_owned());
                continue;
            }
            let escaped = escaped(name);
            let url = format!("{}/{escaped}/{key}/{escaped}", server.url);
            match ask(&self.agent, &url, &kept, self.most) {
                Ok(Answer::Stored) => return Some(kept),
                Ok(Answer::Absent) => {}
                Err(what) => end(what),
            }
        }
        None
    }

    /// What failed, once for each server.
    pub fn notices(&self) -> &[Notice] {
        &self.notices
    }
}

/// A file name as it stands in an address.
fn escaped(name: &str) -> String {
    let mut escaped = String::new();
    for byte in name.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                escaped.push(byte.into());
            }
            _ => escaped.push_str(&format!("%{byte:02X}")),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::super::download::served::{self, response, serve};
    use super::*;

    const KEY: &str = "00112233445566778899AABBCCDDEEFF1";

    fn client(servers: &[(&str, &std::path::Path, bool)]) -> Symsrv {
        let mut client = Symsrv { agent: served::agent(), most: 64, ..Symsrv::default() };
        for (url, keep, wanted) in servers {
            client.add((*url).to_owned(), (*keep).to_owned(), *wanted);
        }
        client
    }

    #[test]
    fn a_file_is_fetched_once_and_kept_as_stores_have_it() {
        let cache = tempfile::tempdir().unwrap();
        let (url, server) = serve(vec![response("200 OK", b"pdb")]);
        let mut client = client(&[(&url, cache.path(), true)]);
        let kept = client.fetch("a b.pdb", KEY).unwrap();
        assert_eq!(kept, cache.path().join("a b.pdb").join(KEY).join("a b.pdb"));
        assert_eq!(fs::read(&kept).unwrap(), b"pdb");
        assert_eq!(client.fetch("a b.pdb", KEY), Some(kept.clone()));
        let asked = format!("GET /a%20b.pdb/{KEY}/a%20b.pdb HTTP/1.1");
        assert_eq!(server.join().unwrap(), [asked]);
        assert_eq!(fs::read_dir(kept.parent().unwrap()).unwrap().count(), 1, "nothing beside it");
        assert_eq!(client.notices(), []);
    }

    #[test]
    fn a_server_that_fails_is_stated_once_and_the_next_is_asked() {
        let cache = tempfile::tempdir().unwrap();
        let (bad, bad_server) = serve(vec![response("500 Broken", b"")]);
        let (long, long_server) = serve(vec![response("200 OK", &[7; 65])]);
        let lacking = response("404 Not Found", b"");
        let (good, good_server) = serve(vec![lacking, response("200 OK", b"x")]);
        let keep = cache.path();
        let mut client = client(&[(&bad, keep, true), (&long, keep, true), (&good, keep, true)]);
        assert_eq!(client.fetch("a.pdb", KEY), None);
        assert!(client.fetch("b.pdb", KEY).is_some());
        assert_eq!(bad_server.join().unwrap().len(), 1);
        assert_eq!(long_server.join().unwrap().len(), 1);
        assert_eq!(good_server.join().unwrap().len(), 2);
        let places: Vec<_> = client.notices().iter().map(|notice| notice.place.clone()).collect();
        assert_eq!(places, [bad, long]);
        assert_eq!(fs::read_dir(keep.join("a.pdb").join(KEY)).map_or(0, Iterator::count), 0);
    }

    #[test]
    fn a_server_that_was_not_asked_for_is_not_asked() {
        let cache = tempfile::tempdir().unwrap();
        let mut client = client(&[("http://127.0.0.1:9", cache.path(), false)]);
        assert_eq!(client.fetch("a.pdb", KEY), None);
        assert_eq!(client.fetch("b.pdb", KEY), None);
        let [notice] = client.notices() else { panic!("{:?}", client.notices()) };
        assert!(notice.what.starts_with("not asked: "));
        // What was kept before is used all the same.
        let kept = cache.path().join("a.pdb").join(KEY);
        fs::create_dir_all(&kept).unwrap();
        fs::write(kept.join("a.pdb"), "x").unwrap();
        let mut client = self::client(&[("http://127.0.0.1:9", cache.path(), false)]);
        assert!(client.fetch("a.pdb", KEY).is_some());
    }
}
