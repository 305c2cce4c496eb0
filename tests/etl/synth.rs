//! Event trace logs put together from the format's description: buffers, headers of every kind, the log's first record.
//! Shares nothing with the reader.
#![allow(dead_code, reason = "each test uses its part")]

use super::pack;

/// Counts of the clock in a second, in every log made here.
pub const HERTZ: u64 = 10_000_000;
/// The time of the first record.
pub const FIRST: u64 = 5_000_000_000;
/// When the session began: 2004-06-01 00:00 UTC, as FILETIME.
pub const STARTED: u64 = 127_305_216_000_000_000;

/// What compresses a log's buffers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packing {
    Lznt1 = 2,
    Xpress = 3,
    Huffman = 4,
}

/// What a log says of itself.
#[derive(Clone, Debug)]
pub struct About {
    pub pointer: usize,
    pub buffer: u32,
    pub written: u32,
    pub mode: u32,
    pub clock: u32,
    pub hertz: u64,
    pub mhz: u32,
    pub ended: u64,
    pub packing: Option<Packing>,
}

impl Default for About {
    fn default() -> Self {
        Self {
            pointer: 8,
            buffer: 4096,
            written: 0,
            mode: 1,
            clock: 1,
            hertz: HERTZ,
            mhz: 2400,
            ended: STARTED + 60 * 10_000_000,
            packing: None,
        }
    }
}

fn put(bytes: &mut [u8], at: usize, value: &[u8]) {
    bytes[at..at + value.len()].copy_from_slice(value);
}

/// The log's first buffer.
pub fn first(about: &About) -> Vec<u8> {
    let names: Vec<u8> =
        "Heap session\0C:\\Logs\\heap.etl\0".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let zone = 0x38 + 2 * about.pointer;
    let times = if about.pointer == 4 { 0xf0 } else { 0xf8 };
    let mut payload = vec![0; times + 32];
    put(&mut payload, 0x00, &about.buffer.to_le_bytes());
    put(&mut payload, 0x04, &[5, 2, 1, 5]);
    put(&mut payload, 0x08, &3790_u32.to_le_bytes());
    put(&mut payload, 0x0c, &2_u32.to_le_bytes());
    put(&mut payload, 0x10, &about.ended.to_le_bytes());
    put(&mut payload, 0x20, &about.mode.to_le_bytes());
    put(&mut payload, 0x24, &about.written.to_le_bytes());
    put(&mut payload, 0x2c, &(about.pointer as u32).to_le_bytes());
    put(&mut payload, 0x30, &17_u32.to_le_bytes());
    put(&mut payload, 0x34, &about.mhz.to_le_bytes());
    put(&mut payload, zone, &(-60_i32).to_le_bytes());
    put(&mut payload, times, &(STARTED - 600 * 10_000_000).to_le_bytes());
    put(&mut payload, times + 8, &about.hertz.to_le_bytes());
    put(&mut payload, times + 16, &STARTED.to_le_bytes());
    put(&mut payload, times + 24, &about.clock.to_le_bytes());
    put(&mut payload, times + 28, &3_u32.to_le_bytes());
    payload.extend(names);
    let at = if about.clock == 2 { STARTED } else { FIRST };
    let kind = if about.pointer == 4 { 1 } else { 2 };
    let record = system(kind, 0, 4, 8, at, &payload);
    let mut bytes = buffer(0, 4, &record, about.buffer);
    put(&mut bytes, 0x2c, &(about.packing.map_or(0, |packing| packing as u32)).to_le_bytes());
    bytes
}

/// A buffer with these records, stored plainly: `size` bytes, the rest 0xff.
pub fn buffer(processor: u16, kind: u16, records: &[u8], size: u32) -> Vec<u8> {
    let mut bytes = header(processor, kind, records.len() as u32 + 0x48, size);
    bytes.extend(records);
    assert!(bytes.len() <= size as usize, "the records do not fit into the buffer");
    bytes.resize(size as usize, 0xff);
    bytes
}

/// A compressed buffer.
pub fn packed(processor: u16, records: &[u8], packing: Packing) -> Vec<u8> {
    let stored = match packing {
        Packing::Lznt1 => pack::lznt1(records),
        Packing::Xpress => pack::xpress(records),
        Packing::Huffman => pack::huffman(records),
    };
    let end = records.len() as u32 + 0x48;
    let mut bytes = header(processor, 0, end, stored.len() as u32 + 0x48);
    put(&mut bytes, 0x34, &0x60_u16.to_le_bytes());
    bytes.extend(stored);
    bytes
}

fn header(processor: u16, kind: u16, end: u32, size: u32) -> Vec<u8> {
    let mut bytes = vec![0; 0x48];
    put(&mut bytes, 0x00, &size.to_le_bytes());
    put(&mut bytes, 0x04, &end.to_le_bytes());
    put(&mut bytes, 0x28, &processor.to_le_bytes());
    put(&mut bytes, 0x30, &end.to_le_bytes());
    put(&mut bytes, 0x34, &0x20_u16.to_le_bytes());
    put(&mut bytes, 0x36, &kind.to_le_bytes());
    bytes
}

/// Puts the size of a record where it belongs and fills up to a multiple of 8.
fn sized(mut bytes: Vec<u8>, at: usize) -> Vec<u8> {
    let size = bytes.len() as u16;
    put(&mut bytes, at, &size.to_le_bytes());
    bytes.resize(bytes.len().next_multiple_of(8), 0);
    bytes
}

/// A record of kind 1 to 4: hook, thread, process, time; 1 and 2 have processor times.
pub fn system(
    kind: u8,
    hook: u16,
    thread: u32,
    process: u32,
    time: u64,
    payload: &[u8],
) -> Vec<u8> {
    let mut bytes = vec![0; if kind <= 2 { 32 } else { 24 }];
    put(&mut bytes, 0, &[2, 0, kind, 0xc0]);
    put(&mut bytes, 6, &hook.to_le_bytes());
    put(&mut bytes, 8, &thread.to_le_bytes());
    put(&mut bytes, 12, &process.to_le_bytes());
    put(&mut bytes, 16, &time.to_le_bytes());
    bytes.extend(payload);
    sized(bytes, 4)
}

/// A record of kind 16 or 17.
pub fn perf(kind: u8, version: u16, hook: u16, time: u64, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0; 16];
    put(&mut bytes, 0, &version.to_le_bytes());
    put(&mut bytes, 2, &[kind, 0xc0]);
    put(&mut bytes, 6, &hook.to_le_bytes());
    put(&mut bytes, 8, &time.to_le_bytes());
    bytes.extend(payload);
    sized(bytes, 4)
}

/// A record of kind 10, 20 (Full) or 11, 21 (Instance).
pub fn full(
    kind: u8,
    guid: [u8; 16],
    opcode: u8,
    version: u16,
    time: u64,
    payload: &[u8],
) -> Vec<u8> {
    let mut bytes = vec![0; if kind % 10 == 1 { 72 } else { 48 }];
    put(&mut bytes, 2, &[kind, 0xc0]);
    put(&mut bytes, 4, &[opcode, 4]);
    put(&mut bytes, 6, &version.to_le_bytes());
    put(&mut bytes, 8, &11_u32.to_le_bytes());
    put(&mut bytes, 12, &12_u32.to_le_bytes());
    put(&mut bytes, 16, &time.to_le_bytes());
    put(&mut bytes, 0x18, &guid);
    bytes.extend(payload);
    sized(bytes, 0)
}

/// A record of kind 18 or 19, with extended items behind the header.
pub fn event(
    kind: u8,
    guid: [u8; 16],
    id: u16,
    time: u64,
    items: &[u8],
    payload: &[u8],
) -> Vec<u8> {
    let mut bytes = vec![0; 80];
    put(&mut bytes, 2, &[kind, 0xc0]);
    put(&mut bytes, 4, &u16::from(!items.is_empty()).to_le_bytes());
    put(&mut bytes, 8, &21_u32.to_le_bytes());
    put(&mut bytes, 12, &22_u32.to_le_bytes());
    put(&mut bytes, 16, &time.to_le_bytes());
    put(&mut bytes, 0x18, &guid);
    put(&mut bytes, 0x28, &id.to_le_bytes());
    put(&mut bytes, 0x2a, &[3, 16, 4, 33]);
    bytes.extend(items);
    bytes.extend(payload);
    sized(bytes, 0)
}

/// An extended item.
pub fn item(kind: u16, data: &[u8], more: bool) -> Vec<u8> {
    let mut bytes = vec![0; 8];
    let size = (8 + data.len()).next_multiple_of(8);
    put(&mut bytes, 0, &(size as u16).to_le_bytes());
    put(&mut bytes, 2, &kind.to_le_bytes());
    put(&mut bytes, 4, &u16::from(more).to_le_bytes());
    put(&mut bytes, 6, &(data.len() as u16).to_le_bytes());
    bytes.extend(data);
    bytes.resize(size, 0);
    bytes
}

/// A message (kind 15), which says nothing to us.
pub fn message(payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0, 0, 0, 0x90, 0, 0, 0, 0];
    bytes.extend(payload);
    sized(bytes, 0)
}
