//! The little of HTTP/1.1 (RFC 9112) that a client of nginx and of Python's server needs: GET, bodies with a length or
//! up to the end of the connection.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::Duration;

/// No answer for this long is an error.
const PATIENCE: Duration = Duration::from_secs(30);

/// A connection that is kept.
pub struct Kept {
    reader: BufReader<TcpStream>,
    writer: TcpStream,
}

impl Kept {
    /// Connects to a server on 127.0.0.1.
    pub fn connect(port: u16) -> io::Result<Kept> {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Kept { writer: stream.try_clone()?, reader: BufReader::new(stream) })
    }

    /// Asks for a path and reads the answer; gives the length of its body.
    pub fn get(&mut self, path: &str) -> io::Result<usize> {
        self.writer
            .write_all(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n").as_bytes())?;
        let mut length = None;
        loop {
            let mut line = String::new();
            if self.reader.read_line(&mut line)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let line = line.trim_end().to_ascii_lowercase();
            if line.is_empty() {
                break;
            }
            if let Some(value) = line.strip_prefix("content-length:") {
                length = value.trim().parse().ok();
            }
        }
        let length: usize = length.ok_or_else(|| io::Error::other("an answer without length"))?;
        let mut body = vec![0; length];
        self.reader.read_exact(&mut body)?;
        Ok(length)
    }
}

/// Asks once, compressed where the server likes, and reads up to the end of the connection.
pub fn get_once(port: u16, path: &str) -> io::Result<usize> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: gzip\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes())?;
    stream.read_to_end(&mut Vec::new())
}
