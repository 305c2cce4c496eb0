//! Files from servers, as all kinds of symbol servers give them: asked for by an address, bounded, and
//! kept so that nobody ever finds half a file.

use std::fs;
use std::io::{self, Read};
use std::path::Path;
use std::time::Duration;

/// How long connecting may take.
const CONNECT: Duration = Duration::from_secs(5);

/// What one server answered.
pub(super) enum Answer {
    Stored,
    /// The server works and has no such file.
    Absent,
}

/// A client whose answers may take this long.
pub(super) fn agent(answer: Duration) -> ureq::Agent {
    ureq::Agent::config_builder()
        .timeout_connect(Some(CONNECT))
        .timeout_global(Some(answer))
        .user_agent(concat!("unfreed/", env!("CARGO_PKG_VERSION")))
        .build()
        .into()
}

/// Asks for the file at `url` and keeps it at `kept`, if it has at most `most` bytes.
pub(super) fn ask(
    agent: &ureq::Agent,
    url: &str,
    kept: &Path,
    most: u64,
) -> Result<Answer, String> {
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

/// A server that answers the given responses in turn, for tests.
#[cfg(test)]
pub(super) mod served {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::io::{BufRead, BufReader, Write};
    use std::net::TcpListener;
    use std::thread::JoinHandle;

    /// Answers the given responses in turn, one connection each, and gives the request lines.
    pub fn serve(responses: Vec<Vec<u8>>) -> (String, JoinHandle<Vec<String>>) {
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

    pub fn response(status: &str, body: &[u8]) -> Vec<u8> {
        let head = format!(
            "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
            body.len()
        );
        [head.as_bytes(), body].concat()
    }

    /// A client that asks this machine: no proxy that the environment may name.
    pub fn agent() -> ureq::Agent {
        ureq::Agent::config_builder().proxy(None).build().into()
    }
}
