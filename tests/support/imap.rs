//! The few commands of IMAP4rev1 (RFC 3501) that fetch a mailbox whole from a server on loopback, and empty it:
//! LOGIN, SELECT, NOOP, FETCH, STORE, EXPUNGE, LOGOUT. Understands answers of the shape those have from Dovecot, and
//! nothing else.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

/// No answer for this long is an error.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between two looks for new mail.
const POLL: Duration = Duration::from_millis(20);
/// The largest message taken from a server.
const LARGEST: usize = 16 << 20;

/// A user's selected INBOX.
pub struct Inbox {
    reader: BufReader<TcpStream>,
    writer: TcpStream,
    exist: usize,
    commands: u32,
}

impl Inbox {
    /// Logs in to a server on 127.0.0.1 and selects the mailbox.
    pub fn open(port: u16, user: &str, password: &str) -> io::Result<Inbox> {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        let writer = stream.try_clone()?;
        let mut inbox = Inbox { reader: BufReader::new(stream), writer, exist: 0, commands: 0 };
        let greeting = inbox.line()?;
        if !greeting.starts_with(b"* OK") {
            return Err(unexpected("a greeting", &greeting));
        }
        inbox.command(&format!("LOGIN {user} {password}"))?;
        inbox.command("SELECT INBOX")?;
        Ok(inbox)
    }

    /// Waits until there are this many messages; how many there are then.
    pub fn wait_for(&mut self, messages: usize, limit: Duration) -> io::Result<usize> {
        let deadline = Instant::now() + limit;
        while self.exist < messages && Instant::now() < deadline {
            thread::sleep(POLL);
            self.command("NOOP")?;
        }
        Ok(self.exist)
    }

    /// Looks for new mail; how many messages there are.
    pub fn count(&mut self) -> io::Result<usize> {
        self.command("NOOP").map(|_| self.exist)
    }

    /// Every message as it is stored, in the mailbox's order. There must be one.
    pub fn messages(&mut self) -> io::Result<Vec<Vec<u8>>> {
        self.command("FETCH 1:* (BODY.PEEK[])")
    }

    /// Removes every message.
    pub fn empty(&mut self) -> io::Result<()> {
        if self.exist > 0 {
            self.command("STORE 1:* +FLAGS.SILENT (\\Deleted)")?;
            self.command("EXPUNGE")?;
        }
        Ok(())
    }

    /// Says goodbye and waits for the answer.
    pub fn logout(mut self) -> io::Result<()> {
        self.command("LOGOUT").map(|_| ())
    }

    /// Sends a command and reads up to its OK; gives the literals of the answers before it.
    fn command(&mut self, command: &str) -> io::Result<Vec<Vec<u8>>> {
        self.commands += 1;
        let tag = format!("t{} ", self.commands);
        self.writer.write_all(format!("{tag}{command}\r\n").as_bytes())?;
        let mut literals = Vec::new();
        loop {
            let line = self.line()?;
            if let Some(rest) = line.strip_prefix(tag.as_bytes()) {
                let fine = rest.starts_with(b"OK");
                return if fine { Ok(literals) } else { Err(unexpected("OK", &line)) };
            }
            let text = String::from_utf8_lossy(&line);
            if let Some(count) = text.trim_end().strip_suffix(" EXISTS") {
                self.exist = count.trim_start_matches("* ").parse().map_err(io::Error::other)?;
            } else if text.trim_end().ends_with(" EXPUNGE") {
                self.exist = self.exist.saturating_sub(1);
            } else if let Some((_, length)) = text.trim_end().rsplit_once('{') {
                // `{123}` at the end of a line: that many octets follow (section 4.3).
                let length: usize =
                    length.trim_end_matches('}').parse().map_err(io::Error::other)?;
                assert!(length <= LARGEST, "a message of {length} bytes");
                let mut literal = vec![0; length];
                self.reader.read_exact(&mut literal)?;
                literals.push(literal);
            }
        }
    }

    fn line(&mut self) -> io::Result<Vec<u8>> {
        let mut line = Vec::new();
        self.reader.read_until(b'\n', &mut line)?;
        if line.is_empty() { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(line) }
    }
}

fn unexpected(wanted: &str, line: &[u8]) -> io::Error {
    io::Error::other(format!("{wanted} expected, not {:?}", String::from_utf8_lossy(line)))
}
