//! The few commands of SMTP (RFC 5321) that hand messages to a server on loopback: EHLO, MAIL, RCPT,
//! DATA, QUIT. A message is accepted when `send` returns. Lines end with CR LF and are given so.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::Duration;

/// No answer for this long is an error.
const PATIENCE: Duration = Duration::from_secs(60);

/// A connection to a server.
pub struct Sender {
    reader: BufReader<TcpStream>,
    writer: TcpStream,
}

impl Sender {
    /// Connects to a server on 127.0.0.1, which must greet.
    pub fn connect(port: u16) -> io::Result<Sender> {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        let writer = stream.try_clone()?;
        let mut sender = Sender { reader: BufReader::new(stream), writer };
        sender.expect(220)?;
        sender.command("EHLO client.example", 250)?;
        Ok(sender)
    }

    /// Hands over one message, octets above 127 included, for one recipient.
    pub fn send(&mut self, recipient: &str, message: &[u8]) -> io::Result<()> {
        assert!(message.ends_with(b"\r\n"), "a message is lines");
        self.command("MAIL FROM:<sender@elsewhere.example> BODY=8BITMIME", 250)?;
        self.command(&format!("RCPT TO:<{recipient}>"), 250)?;
        self.command("DATA", 354)?;
        let mut data = Vec::with_capacity(message.len() + 64);
        for line in message.split_inclusive(|byte| *byte == b'\n') {
            // A line that begins with a dot gets another (section 4.5.2).
            if line.starts_with(b".") {
                data.push(b'.');
            }
            data.extend_from_slice(line);
        }
        data.extend_from_slice(b".\r\n");
        self.writer.write_all(&data)?;
        self.expect(250)
    }

    /// Says goodbye and waits for the answer.
    pub fn quit(mut self) -> io::Result<()> {
        self.command("QUIT", 221)
    }

    fn command(&mut self, line: &str, code: u16) -> io::Result<()> {
        self.writer.write_all(format!("{line}\r\n").as_bytes())?;
        self.expect(code)
    }

    /// Reads one answer, of several lines where a `-` follows the code.
    fn expect(&mut self, code: u16) -> io::Result<()> {
        loop {
            let mut line = String::new();
            self.reader.read_line(&mut line)?;
            if !line.starts_with(&code.to_string()) {
                return Err(io::Error::other(format!("{code} expected, the server says {line:?}")));
            }
            if line.as_bytes().get(3) != Some(&b'-') {
                return Ok(());
            }
        }
    }
}
