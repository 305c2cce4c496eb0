//! The file header: that this is a trace, of which version, and who took it when on which clock.

use super::cursor::{Cursor, PADDING, Skip};
use super::sink::{Sink, zigzag};
use super::tags::{FILE_MAGIC, MAX_HEADER, VERSION, header as field};
use xxhash_rust::xxh3::xxh3_64;

/// Length of what stands before the header record.
pub(super) const PREFIX: usize = 24;
/// Length of the checksum behind the header record.
pub(super) const SUFFIX: usize = 8;

/// What a trace says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Header {
    /// Version of the unfreed that took the trace.
    pub unfreed: String,
    /// Which source took it: `agent`, `ebpf`, `etw`, ... Empty where the header was damaged.
    pub source: String,
    /// When time 0 was: nanoseconds since 1970-01-01 UTC, by the traced machine's clock.
    pub started_unix_ns: i64,
    /// Minutes east of UTC on the traced machine.
    pub utc_offset_minutes: i32,
    /// The clock of the events' times.
    pub clock: Clock,
}

/// Sources that always say how far from UTC they are, even where that is nothing.
const ZONED: [&str; 4] = ["agent", "ebpf", "etw", "etl"];

impl Header {
    /// Minutes east of UTC on the traced machine; `None` where the source does not say, as that of a snapshot.
    pub fn known_utc_offset(&self) -> Option<i32> {
        let says = self.utc_offset_minutes != 0 || ZONED.contains(&self.source.as_str());
        says.then_some(self.utc_offset_minutes)
    }
}

/// The clock of the events' times.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Clock {
    /// Which one: `tsc`, `CLOCK_MONOTONIC`, `QueryPerformanceCounter`.
    pub name: String,
    /// Its ticks per second, where they were converted to the trace's nanoseconds.
    pub hertz: Option<u64>,
}

/// What stands before the header record.
pub(super) struct Prefix {
    pub version: u32,
    pub record_len: usize,
}

impl Header {
    /// The header as it stands at the file's start. Integers are little-endian.
    ///
    /// ```text
    ///  0  8  magic: 89 55 46 52 0d 0a 1a 0a
    ///  8  4  version of the format
    /// 12  4  n, length of the header record, at most 64 KiB
    /// 16  8  xxh3-64 of bytes 0 to 15
    /// 24  n  header record: fields, each (number: varint) (length: varint) (value)
    ///        1 unfreed's version, 2 source, 5 name of the clock: UTF-8
    ///        3 start in Unix ns, 4 UTC offset in minutes: signed varint
    ///        6 ticks per second: varint, absent where unknown
    ///  +  8  xxh3-64 of the header record
    /// ```
    ///
    /// Unknown fields are passed over. The first 24 bytes are the same in every version.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut record = Sink::default();
        put_text(&mut record, field::UNFREED, &self.unfreed);
        put_text(&mut record, field::SOURCE, &self.source);
        put_integer(&mut record, field::STARTED, zigzag(self.started_unix_ns));
        put_integer(&mut record, field::UTC_OFFSET, zigzag(self.utc_offset_minutes.into()));
        put_text(&mut record, field::CLOCK_NAME, &self.clock.name);
        if let Some(hertz) = self.clock.hertz {
            put_integer(&mut record, field::CLOCK_HERTZ, hertz);
        }
        let record = record.as_slice();
        let mut bytes = Vec::with_capacity(PREFIX + record.len() + SUFFIX);
        bytes.extend(FILE_MAGIC);
        bytes.extend(VERSION.to_le_bytes());
        bytes.extend((record.len() as u32).to_le_bytes());
        bytes.extend(xxh3_64(&bytes).to_le_bytes());
        bytes.extend(record);
        bytes.extend(xxh3_64(record).to_le_bytes());
        bytes
    }

    /// A header record with its checksum behind it; `None` where it is damaged.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let (record, sum) = bytes.split_last_chunk::<SUFFIX>()?;
        if xxh3_64(record) != u64::from_le_bytes(*sum) {
            return None;
        }
        let padded = [record, &[0; PADDING]].concat();
        Self::fields(&mut Cursor::new(&padded, record.len())).ok()
    }

    fn fields(cursor: &mut Cursor<'_>) -> Result<Self, Skip> {
        let mut header = Self::default();
        while !cursor.at_end() {
            let number = cursor.varint()?;
            let length = cursor.varint()?;
            let mut value = cursor.split(length)?;
            match number {
                field::UNFREED => header.unfreed = value.rest()?,
                field::SOURCE => header.source = value.rest()?,
                field::STARTED => header.started_unix_ns = value.signed()?,
                field::UTC_OFFSET => header.utc_offset_minutes = value.i32()?,
                field::CLOCK_NAME => header.clock.name = value.rest()?,
                field::CLOCK_HERTZ => header.clock.hertz = Some(value.varint()?),
                _ => {}
            }
            if !value.within() {
                return Err(Skip::Malformed);
            }
        }
        Ok(header)
    }
}

impl Prefix {
    /// The file's first bytes; `None` where the magic is right and the rest is damaged.
    pub fn decode(bytes: &[u8; PREFIX]) -> Option<Self> {
        let (head, sum) = bytes.split_last_chunk::<8>()?;
        let (_, version_and_len) = head.split_first_chunk::<8>()?;
        let (version, len) = version_and_len.split_first_chunk::<4>()?;
        let record_len = u32::from_le_bytes(len.try_into().ok()?) as usize;
        let whole = xxh3_64(head) == u64::from_le_bytes(*sum);
        let version = u32::from_le_bytes(*version);
        (whole && (version > VERSION || record_len <= MAX_HEADER))
            .then_some(Self { version, record_len })
    }
}

/// The longest text of a header; three of them stay below the longest record.
const MAX_TEXT: usize = 4096;

fn put_text(record: &mut Sink, number: u64, text: &str) {
    let text = &text[..text.floor_char_boundary(MAX_TEXT)];
    record.varint(number);
    record.varint(text.len() as u64);
    record.slice(text.as_bytes());
}

fn put_integer(record: &mut Sink, number: u64, value: u64) {
    let mut bytes = Sink::default();
    bytes.varint(value);
    record.varint(number);
    record.varint(bytes.len() as u64);
    record.slice(bytes.as_slice());
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

    use super::*;

    fn header() -> Header {
        Header {
            unfreed: "0.1.0".into(),
            source: "etw".into(),
            started_unix_ns: -1,
            utc_offset_minutes: -570,
            clock: Clock { name: "tsc".into(), hertz: Some(2_994_374_000) },
        }
    }

    #[test]
    fn a_header_comes_back() {
        let bytes = header().encode();
        let prefix = Prefix::decode(bytes.first_chunk().unwrap()).unwrap();
        assert_eq!((prefix.version, prefix.record_len), (VERSION, bytes.len() - PREFIX - SUFFIX));
        assert_eq!(Header::decode(&bytes[PREFIX..]), Some(header()));
    }

    #[test]
    fn any_changed_bit_is_noticed() {
        let bytes = header().encode();
        for bit in 0..bytes.len() * 8 {
            let mut bytes = bytes.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            let whole = Prefix::decode(bytes.first_chunk().unwrap()).is_some()
                && Header::decode(&bytes[PREFIX..]).is_some();
            assert!(!whole, "bit {bit}");
        }
    }

    #[test]
    fn unknown_fields_are_passed_over() {
        let mut record = Sink::default();
        put_text(&mut record, 99, "from a later version");
        put_text(&mut record, field::SOURCE, "ebpf");
        let mut bytes = record.as_slice().to_vec();
        bytes.extend(xxh3_64(record.as_slice()).to_le_bytes());
        assert_eq!(Header::decode(&bytes).unwrap().source, "ebpf");
    }
}
