//! Debug files from debuginfod servers, kept in the same cache directory, in the same layout, as
//! elfutils' own client. Nothing is asked unless the user named servers in `DEBUGINFOD_URLS`. A
//! server that fails is stated once and not asked again; no failure is fatal.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use unfreed_symbols::BuildId;

use super::Notice;

/// The largest file taken from a server, in bytes.
const FILE_MOST: u64 = 2 << 30;
/// How long connecting may take.
const CONNECT: Duration = Duration::from_secs(5);
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

/// What one server answered.
enum Answer {
    Stored,
    /// The server works and has no such file.
    Absent,
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
        let agent = ureq::Agent::config_builder()
            .timeout_connect(Some(CONNECT))
            .timeout_global(Some(answer))
            .user_agent(concat!("unfreed/", env!("CARGO_PKG_VERSION")))
            .build()
            .into();
        let servers = urls.map(server).collect();
        Debuginfod { servers, cache, agent, most: FILE_MOST, notices: Vec::new() }
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

fn ask(agent: &ureq::Agent, url: &str, kept: &Path, most: u64) -> Result<Answer, String> {
    let mut response = match agent.get(url).call() {
        Ok(response) => response,
        Err(ureq::Error::StatusCode(404)) => return Ok(Answer::Absent),
        Err(error) => return Err(error.to_string()),
    };
    if response.body().content_length().is_some_and(|length| length > most) {
        return Err(format!("offers a file of more than {most} bytes"));
    }
    // One byte more than allowed is let through, so that a longer file is noticed.
    let body = response.body_mut().with_config().limit(most.saturating_add(2)).reader();
    keep(body, kept, most).map_err(|error| error.to_string())?;
    Ok(Answer::Stored)
}

/// Writes beside and renames, so that nobody ever finds half a file.
fn keep(body: impl Read, kept: &Path, most: u64) -> io::Result<()> {
    let directory = kept.parent().ok_or(io::ErrorKind::InvalidInput)?;
    fs::create_dir_all(directory)?;
    let mut aside = tempfile::NamedTempFile::new_in(directory)?;
    let length = io::copy(&mut body.take(most.saturating_add(1)), &mut aside)?;
    if length > most {
        return Err(io::Error::other(format!("sends more than {most} bytes")));
    }
    if length == 0 {
        return Err(io::Error::other("sends an empty file"));
    }
    aside.persist(kept).map_err(|error| error.error)?;
    Ok(())
}

/// `DEBUGINFOD_CACHE_PATH`, else `debuginfod_client` in the user's cache directory.
fn cache_directory() -> Option<PathBuf> {
    let variable =
        |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    variable("DEBUGINFOD_CACHE_PATH")
        .or_else(|| Some(variable("XDG_CACHE_HOME")?.join("debuginfod_client")))
        .or_else(|| Some(variable("HOME")?.join(".cache/debuginfod_client")))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::io::{BufRead, BufReader, Write};
    use std::net::TcpListener;
    use std::thread::JoinHandle;

    use unfreed_symbols::{Files, Wanted};

    use super::*;
    use crate::names::{Store, StoreOptions};

    const ID: &str = "00112233445566778899aabbccddeeff00112233";

    /// Answers the given responses in turn, one connection each, and gives the request lines.
    fn serve(responses: Vec<Vec<u8>>) -> (String, JoinHandle<Vec<String>>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let server = std::thread::spawn(move || {
            let mut requests = Vec::new();
            for response in responses {
                let (mut stream, _) = listener.accept().unwrap();
                let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
                requests.push(lines.next().unwrap().unwrap());
                while lines.next().is_some_and(|line| !line.unwrap().is_empty()) {}
                stream.write_all(&response).unwrap();
            }
            requests
        });
        (url, server)
    }

    fn response(status: &str, body: &[u8]) -> Vec<u8> {
        let head = format!(
            "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
            body.len()
        );
        [head.as_bytes(), body].concat()
    }

    fn client(urls: &str, cache: &Path) -> Debuginfod {
        let mut client = Debuginfod::new(urls, cache.to_owned(), Duration::from_secs(20));
        // The loopback server is never behind a proxy that the environment may name.
        client.agent = ureq::Agent::config_builder().proxy(None).build().into();
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
