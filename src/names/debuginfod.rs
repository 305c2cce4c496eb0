//! Debug files from debuginfod servers, kept in the same cache directory, in the same layout, as
//! elfutils' own client. Nothing is asked unless the user named servers in `DEBUGINFOD_URLS`. A
//! server that fails is stated once and not asked again; no failure is fatal.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use unfreed_symbols::BuildId;

use super::Notice;
use super::download::{Answer, agent, ask};

/// The largest file taken from a server, in bytes.
const FILE_MOST: u64 = 2 << 30;
/// How long a whole answer may take, where `DEBUGINFOD_TIMEOUT` states nothing (elfutils: 90 s).
const ANSWER: Duration = Duration::from_secs(90);

/// A client of some servers.
#[derive(Debug)]
pub struct Debuginfod {
    servers: Vec<Server>,
    cache: PathBuf,
    agent: ureq::Agent,
    most: u64,
    notices: Vec<Notice>,
}

#[derive(Debug)]
struct Server {
    url: String,
    failed: bool,
}

impl Debuginfod {
    /// The servers of `DEBUGINFOD_URLS`; `None` where it names none, or where there is no directory
    /// to keep files in.
    pub fn from_environment() -> Option<Debuginfod> {
        let urls = std::env::var("DEBUGINFOD_URLS").ok()?;
        let seconds = std::env::var("DEBUGINFOD_TIMEOUT").ok().and_then(|text| text.parse().ok());
        let answer = seconds.filter(|&s| s > 0).map_or(ANSWER, Duration::from_secs);
        let client = Debuginfod::new(&urls, cache_directory()?, answer);
        (!client.servers.is_empty()).then_some(client)
    }

    /// The servers of a list separated by blanks, with the directory of kept files and the time one
    /// answer may take.
    pub fn new(urls: &str, cache: PathBuf, answer: Duration) -> Debuginfod {
        let urls = urls.split_whitespace().filter(|url| {
            // `ima:` words set a policy of elfutils' client and are no servers.
            url.starts_with("http://") || url.starts_with("https://")
        });
        let server = |url: &str| Server { url: url.trim_end_matches('/').into(), failed: false };
        let servers = urls.map(server).collect();
        Debuginfod { servers, cache, agent: agent(answer), most: FILE_MOST, notices: Vec::new() }
    }

    /// The debug file of a build: where it is kept, fetched first where it was not. `None` where no
    /// server has it; failures are in [`Debuginfod::notices`].
    pub fn fetch(&mut self, build_id: &BuildId) -> Option<PathBuf> {
        let kept = self.cache.join(build_id.as_str()).join("debuginfo");
        // elfutils marks what servers lack by an empty file.
        if fs::metadata(&kept).is_ok_and(|file| file.is_file() && file.len() > 0) {
            return Some(kept);
        }
        for server in self.servers.iter_mut().filter(|server| !server.failed) {
            let url = format!("{}/buildid/{build_id}/debuginfo", server.url);
            match ask(&self.agent, &url, &kept, self.most) {
                Ok(Answer::Stored) => return Some(kept),
                Ok(Answer::Absent) => {}
                Err(what) => {
                    server.failed = true;
                    self.notices.push(Notice { place: server.url.clone(), what });
                }
            }
        }
        None
    }

    /// What failed, once for each server.
    pub fn notices(&self) -> &[Notice] {
        &self.notices
    }
}

/// `DEBUGINFOD_CACHE_PATH`, else `debuginfod_client` in the user's cache directory.
fn cache_directory() -> Option<PathBuf> {
    let variable =
        |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    variable("DEBUGINFOD_CACHE_PATH")
        .or_else(|| Some(variable("XDG_CACHE_HOME")?.join("debuginfod_client")))
        .or_else(|| Some(variable("LOCALAPPDATA")?.join("debuginfod_client")))
        .or_else(|| Some(variable("HOME")?.join(".cache/debuginfod_client")))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::path::Path;

    use unfreed_symbols::{Files, Wanted};

    use super::super::download::served::{self, response, serve};
    use super::*;
    use crate::names::{Store, StoreOptions};

    const ID: &str = "00112233445566778899aabbccddeeff00112233";

    fn client(urls: &str, cache: &Path) -> Debuginfod {
        let mut client = Debuginfod::new(urls, cache.to_owned(), Duration::from_secs(20));
        // The loopback server is never behind a proxy that the environment may name.
        client.agent = served::agent();
        client
    }

    #[test]
    fn a_file_is_fetched_once_and_kept() {
        let cache = tempfile::tempdir().unwrap();
        let (url, server) = serve(vec![response("200 OK", b"debug file")]);
        let mut client = client(&format!("ima:ignore {url}/"), cache.path());
        let id = BuildId::parse(ID).unwrap();
        let kept = client.fetch(&id).unwrap();
        assert_eq!(fs::read(&kept).unwrap(), b"debug file");
        assert_eq!(kept, cache.path().join(ID).join("debuginfo"));
        assert_eq!(client.fetch(&id), Some(kept));
        assert_eq!(server.join().unwrap(), [format!("GET /buildid/{ID}/debuginfo HTTP/1.1")]);
        assert!(client.notices().is_empty());
        let files: Vec<_> = fs::read_dir(cache.path().join(ID)).unwrap().collect();
        assert_eq!(files.len(), 1, "nothing is left beside the file");
    }

    #[test]
    fn the_next_server_is_asked_and_a_missing_file_is_no_failure() {
        let cache = tempfile::tempdir().unwrap();
        let (first, first_server) = serve(vec![response("404 Not Found", b"")]);
        let (second, second_server) = serve(vec![response("200 OK", b"x")]);
        let mut client = client(&format!("{first} {second}"), cache.path());
        assert!(client.fetch(&BuildId::parse(ID).unwrap()).is_some());
        assert_eq!(first_server.join().unwrap().len(), 1);
        assert_eq!(second_server.join().unwrap().len(), 1);
        assert!(client.notices().is_empty());
    }

    #[test]
    fn a_failing_server_is_stated_once_and_not_asked_again() {
        let short = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\nConnection: close\r\n\r\nhalf";
        for bad in [response("500 Broken", b""), short.to_vec(), response("200 OK", &[7; 65])] {
            let cache = tempfile::tempdir().unwrap();
            let (url, server) = serve(vec![bad]);
            let mut client = client(&url, cache.path());
            client.most = 64;
            for id in [ID, "aabb"] {
                assert_eq!(client.fetch(&BuildId::parse(id).unwrap()), None);
            }
            assert_eq!(server.join().unwrap().len(), 1);
            assert_eq!(client.notices().len(), 1);
            let kept = fs::read_dir(cache.path().join(ID)).map_or(0, Iterator::count);
            assert_eq!(kept, 0, "no half file is kept");
        }
    }

    #[test]
    fn a_file_of_unstated_length_is_bounded_too() {
        let cache = tempfile::tempdir().unwrap();
        let mut bad = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n".to_vec();
        bad.extend([7; 65]);
        let (url, server) = serve(vec![bad]);
        let mut client = client(&url, cache.path());
        client.most = 64;
        assert_eq!(client.fetch(&BuildId::parse(ID).unwrap()), None);
        server.join().unwrap();
        assert_eq!(client.notices().len(), 1);
    }

    #[test]
    fn a_store_asks_servers_last() {
        let cache = tempfile::tempdir().unwrap();
        let (url, server) = serve(vec![response("200 OK", b"from afar")]);
        let servers = Some(client(&url, cache.path()));
        let debug = vec![PathBuf::from("/nowhere/debug")];
        let mut store = Store::new(StoreOptions { debug, servers, ..StoreOptions::default() });
        let build_id = BuildId::parse(ID).unwrap();
        let path = "/nowhere/libserver.so";
        let wanted = Wanted::Debug { path, build_id: Some(&build_id), link: Some("x.debug") };
        let places = store.candidates(&wanted);
        let (last, others) = places.split_last().unwrap();
        assert!(others.len() > 3);
        for place in others {
            assert_eq!(store.read(place), Ok(None), "{place:?}");
        }
        assert_eq!(store.read(last), Ok(Some(b"from afar".to_vec())));
        assert_eq!(server.join().unwrap().len(), 1);
        // Without a build-id there is nothing to ask a server for.
        let wanted = Wanted::Debug { path, build_id: None, link: Some("x.debug") };
        assert!(!store.candidates(&wanted).contains(last));
    }
}
