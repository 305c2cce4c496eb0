//! The few MQTT 3.1.1 packets that load needs, spoken over loopback: CONNECT, PUBLISH, PUBACK,
//! SUBSCRIBE, PINGREQ, DISCONNECT (OASIS Standard "MQTT Version 3.1.1", chapters 2 and 3).
//!
//! A [`Publisher`] returns from `publish` only when the broker has handled every message, so that
//! a count is a count: QoS 1 by its PUBACKs, QoS 0 by a PINGRESP, since a broker answers the
//! packets of one connection in order. No message beside those asked for is published.

use std::io::{self, BufReader, BufWriter, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::Duration;

/// No answer for this long is an error.
const PATIENCE: Duration = Duration::from_secs(60);
/// QoS 1 messages sent ahead of their acknowledgement.
const WINDOW: u64 = 64;
/// QoS 0 messages between two PINGREQs, so that a broker's backlog stays small.
const BURST: u64 = 4096;

const CONNECT: u8 = 0x10;
const CONNACK: u8 = 0x20;
const PUBLISH: u8 = 0x30;
const PUBACK: u8 = 0x40;
const SUBSCRIBE: u8 = 0x82;
const SUBACK: u8 = 0x90;
const PINGREQ: u8 = 0xC0;
const PINGRESP: u8 = 0xD0;
const DISCONNECT: u8 = 0xE0;

/// The largest packet taken from a broker.
const LARGEST: usize = 1 << 20;

/// How surely a message is delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Qos {
    AtMostOnce,
    AtLeastOnce,
}

/// A client that publishes.
pub struct Publisher {
    connection: Connection,
    next: u64,
    identifier: u16,
}

impl Publisher {
    /// Connects to a broker on 127.0.0.1.
    pub fn connect(port: u16, client: &str) -> io::Result<Publisher> {
        Ok(Publisher { connection: Connection::open(port, client, true)?, next: 0, identifier: 0 })
    }

    /// Publishes exactly this many messages, over the topics in turn, and returns when the broker
    /// has handled the last of them.
    pub fn publish(
        &mut self,
        qos: Qos,
        topics: &[&str],
        payload: &[u8],
        messages: u64,
    ) -> io::Result<()> {
        let mut pending = 0;
        for sent in 1..=messages {
            let topic = topics[(self.next % topics.len() as u64) as usize];
            self.next += 1;
            match qos {
                Qos::AtMostOnce => {
                    self.connection.send_publish(PUBLISH, topic, None, payload)?;
                    if sent % BURST == 0 {
                        self.connection.ping()?;
                    }
                }
                Qos::AtLeastOnce => {
                    // 0 is not an identifier (section 2.3.1).
                    self.identifier = self.identifier.checked_add(1).unwrap_or(1);
                    let identifier = Some(self.identifier);
                    self.connection.send_publish(PUBLISH | 2, topic, identifier, payload)?;
                    pending += 1;
                    if pending == WINDOW {
                        pending -= self.connection.take_acknowledgements(WINDOW / 2)?;
                    }
                }
            }
        }
        self.connection.take_acknowledgements(pending)?;
        if qos == Qos::AtMostOnce && messages > 0 {
            self.connection.ping()?;
        }
        Ok(())
    }

    /// Says goodbye and waits until the broker has closed the connection.
    pub fn disconnect(self) -> io::Result<()> {
        self.connection.close()
    }
}

/// A client that receives at QoS 0, to check that messages pass.
pub struct Subscriber {
    connection: Connection,
}

impl Subscriber {
    /// Connects and subscribes; returns when the broker has confirmed.
    pub fn connect(port: u16, client: &str, filter: &str) -> io::Result<Subscriber> {
        let mut connection = Connection::open(port, client, true)?;
        connection.subscribe(filter, Qos::AtMostOnce)?;
        Ok(Subscriber { connection })
    }

    /// Subscribes at QoS 1 in a session that stays, and leaves: the broker keeps messages for it.
    pub fn leave_behind(port: u16, client: &str, filter: &str) -> io::Result<()> {
        let mut connection = Connection::open(port, client, false)?;
        connection.subscribe(filter, Qos::AtLeastOnce)?;
        connection.close()
    }

    /// The topic and payload of the next message.
    pub fn next(&mut self) -> io::Result<(String, Vec<u8>)> {
        let (kind, body) = self.connection.receive()?;
        if kind & 0xF0 != PUBLISH || kind & 0x06 != 0 || body.len() < 2 {
            return Err(unexpected("PUBLISH at QoS 0", kind, &body));
        }
        let length = usize::from(u16::from_be_bytes([body[0], body[1]]));
        let topic = body.get(2..2 + length).ok_or_else(|| unexpected("a topic", kind, &body))?;
        Ok((String::from_utf8_lossy(topic).into_owned(), body[2 + length..].to_vec()))
    }

    /// Says goodbye and waits until the broker has closed the connection.
    pub fn disconnect(self) -> io::Result<()> {
        self.connection.close()
    }
}

struct Connection {
    reader: BufReader<TcpStream>,
    writer: BufWriter<TcpStream>,
}

impl Connection {
    fn open(port: u16, client: &str, clean: bool) -> io::Result<Connection> {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        let writer = BufWriter::with_capacity(64 << 10, stream.try_clone()?);
        let mut connection = Connection { reader: BufReader::new(stream), writer };
        // Protocol name and level 4, clean session or not, no keep-alive (section 3.1).
        let mut body = vec![0, 4, b'M', b'Q', b'T', b'T', 4, u8::from(clean) << 1, 0, 0];
        put_text(&mut body, client);
        connection.send(CONNECT, &body)?;
        let (kind, answer) = connection.receive()?;
        if kind != CONNACK || answer != [0, 0] {
            return Err(unexpected("CONNACK, accepted", kind, &answer));
        }
        Ok(connection)
    }

    fn subscribe(&mut self, filter: &str, qos: Qos) -> io::Result<()> {
        let mut body = vec![0, 1];
        put_text(&mut body, filter);
        body.push(qos as u8);
        self.send(SUBSCRIBE, &body)?;
        let (kind, answer) = self.receive()?;
        match (kind, answer.as_slice()) {
            (SUBACK, [0, 1, granted]) if *granted < 3 => Ok(()),
            _ => Err(unexpected("SUBACK", kind, &answer)),
        }
    }

    fn send_publish(
        &mut self,
        kind: u8,
        topic: &str,
        identifier: Option<u16>,
        payload: &[u8],
    ) -> io::Result<()> {
        let mut body = Vec::with_capacity(4 + topic.len() + payload.len());
        put_text(&mut body, topic);
        body.extend(identifier.map(u16::to_be_bytes).into_iter().flatten());
        body.extend_from_slice(payload);
        self.put(kind, &body)
    }

    /// Takes exactly this many PUBACKs.
    fn take_acknowledgements(&mut self, count: u64) -> io::Result<u64> {
        self.writer.flush()?;
        for _ in 0..count {
            let (kind, body) = self.receive()?;
            if kind != PUBACK || body.len() != 2 {
                return Err(unexpected("PUBACK", kind, &body));
            }
        }
        Ok(count)
    }

    fn ping(&mut self) -> io::Result<()> {
        self.send(PINGREQ, &[])?;
        let (kind, body) = self.receive()?;
        if kind == PINGRESP { Ok(()) } else { Err(unexpected("PINGRESP", kind, &body)) }
    }

    fn close(mut self) -> io::Result<()> {
        self.send(DISCONNECT, &[])?;
        match self.reader.read(&mut [0u8; 16]) {
            Ok(0) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => Ok(()),
            Ok(_) => Err(io::Error::other("data after DISCONNECT")),
            Err(error) => Err(error),
        }
    }

    fn send(&mut self, kind: u8, body: &[u8]) -> io::Result<()> {
        self.put(kind, body)?;
        self.writer.flush()
    }

    /// Writes a fixed header (section 2.2) and the rest, unflushed.
    fn put(&mut self, kind: u8, body: &[u8]) -> io::Result<()> {
        self.writer.write_all(&[kind])?;
        let mut length = body.len();
        loop {
            let more = if length >= 128 { 0x80 } else { 0 };
            self.writer.write_all(&[(length % 128) as u8 | more])?;
            length /= 128;
            if length == 0 {
                break;
            }
        }
        self.writer.write_all(body)
    }

    fn receive(&mut self) -> io::Result<(u8, Vec<u8>)> {
        let kind = self.byte()?;
        let mut length = 0usize;
        for shift in [0, 7, 14, 21] {
            let byte = self.byte()?;
            length |= usize::from(byte & 0x7F) << shift;
            if byte & 0x80 == 0 {
                break;
            }
        }
        if length > LARGEST {
            return Err(io::Error::other(format!("a packet of {length} bytes")));
        }
        let mut body = vec![0; length];
        self.reader.read_exact(&mut body)?;
        Ok((kind, body))
    }

    fn byte(&mut self) -> io::Result<u8> {
        let mut byte = [0];
        self.reader.read_exact(&mut byte)?;
        Ok(byte[0])
    }
}

fn put_text(body: &mut Vec<u8>, text: &str) {
    let length = u16::try_from(text.len()).expect("short text");
    body.extend_from_slice(&length.to_be_bytes());
    body.extend_from_slice(text.as_bytes());
}

fn unexpected(wanted: &str, kind: u8, body: &[u8]) -> io::Error {
    let start = &body[..body.len().min(16)];
    io::Error::other(format!("wanted {wanted}, got packet {kind:#04x} {start:02x?}"))
}
