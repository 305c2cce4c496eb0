//! Bytes of an event trace log, from the format's description: buffers, headers of records, payloads. Nothing here is
//! shared with the library.

/// Width of the traced system's pointers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bits {
    B32,
    B64,
}

/// Ticks of the log's clock in a second.
pub const HERTZ: u64 = 10_000_000;
/// What the clock showed as the log began.
pub const FIRST: u64 = 5_000_000_000;
/// When it began, in units of 100 ns since 1601: 2009-02-13 23:31:30 UTC.
pub const STARTED: u64 = 116_444_736_000_000_000 + 1_234_567_890 * 10_000_000;
/// Size of a buffer.
pub const BUFFER: usize = 0x10000;
const BUFFER_HEADER: usize = 0x48;

pub const KERNEL_TRACE_CONTROL: [u8; 16] = [
    0xd7, 0x75, 0xe6, 0xb3, 0x54, 0x25, 0x18, 0x4f, 0x83, 0x0b, 0x27, 0x62, 0x73, 0x25, 0x60, 0xde,
];

/// A payload in the making.
#[derive(Clone, Debug)]
pub struct Body {
    bits: Bits,
    pub bytes: Vec<u8>,
}

impl Body {
    pub fn new(bits: Bits) -> Self {
        Body { bits, bytes: Vec::new() }
    }

    pub fn u32(mut self, value: u32) -> Self {
        self.bytes.extend(value.to_le_bytes());
        self
    }

    pub fn u64(mut self, value: u64) -> Self {
        self.bytes.extend(value.to_le_bytes());
        self
    }

    pub fn ptr(self, value: u64) -> Self {
        match self.bits {
            Bits::B32 => self.u32(value as u32),
            Bits::B64 => self.u64(value),
        }
    }

    pub fn raw(mut self, bytes: &[u8]) -> Self {
        self.bytes.extend(bytes);
        self
    }

    /// UTF-16 with its NUL.
    pub fn wide(mut self, text: &str) -> Self {
        for unit in text.encode_utf16().chain([0]) {
            self.bytes.extend(unit.to_le_bytes());
        }
        self
    }

    /// Bytes with a NUL.
    pub fn narrow(self, text: &str) -> Self {
        self.raw(text.as_bytes()).raw(&[0])
    }
}

/// Who logged a record, where and when.
#[derive(Clone, Copy, Debug)]
pub struct Head {
    pub ticks: u64,
    pub pid: u32,
    pub tid: u32,
}

/// A record with a system header: 32 bytes.
pub fn system(bits: Bits, hook: u16, version: u16, head: Head, payload: &[u8]) -> Vec<u8> {
    let kind = if bits == Bits::B32 { 1 } else { 2 };
    let mut bytes = Vec::with_capacity(32 + payload.len());
    bytes.extend(version.to_le_bytes());
    bytes.extend([kind, 0xc0]);
    bytes.extend((32 + payload.len() as u16).to_le_bytes());
    bytes.extend(hook.to_le_bytes());
    bytes.extend(head.tid.to_le_bytes());
    bytes.extend(head.pid.to_le_bytes());
    bytes.extend(head.ticks.to_le_bytes());
    bytes.extend([0; 8]);
    bytes.extend(payload);
    bytes
}

/// A record with a performance header: 16 bytes, neither process nor thread.
pub fn perf(bits: Bits, hook: u16, version: u16, ticks: u64, payload: &[u8]) -> Vec<u8> {
    let kind = if bits == Bits::B32 { 0x10 } else { 0x11 };
    let mut bytes = Vec::with_capacity(16 + payload.len());
    bytes.extend(version.to_le_bytes());
    bytes.extend([kind, 0xc0]);
    bytes.extend((16 + payload.len() as u16).to_le_bytes());
    bytes.extend(hook.to_le_bytes());
    bytes.extend(ticks.to_le_bytes());
    bytes.extend(payload);
    bytes
}

/// A record with a full header: 48 bytes, a provider by GUID.
pub fn full(
    bits: Bits,
    guid: [u8; 16],
    opcode: u8,
    version: u16,
    head: Head,
    payload: &[u8],
) -> Vec<u8> {
    let kind = if bits == Bits::B32 { 0x0a } else { 0x14 };
    let mut bytes = Vec::with_capacity(48 + payload.len());
    bytes.extend((48 + payload.len() as u16).to_le_bytes());
    bytes.extend([kind, 0xc0, opcode, 0]);
    bytes.extend(version.to_le_bytes());
    bytes.extend(head.tid.to_le_bytes());
    bytes.extend(head.pid.to_le_bytes());
    bytes.extend(head.ticks.to_le_bytes());
    bytes.extend(guid);
    bytes.extend([0; 8]);
    bytes.extend(payload);
    bytes
}

/// What the log says of itself.
#[derive(Clone, Copy, Debug, Default)]
pub struct About {
    pub buffers: u32,
    pub events_lost: u32,
    pub buffers_lost: u32,
    /// Minutes west of UTC.
    pub bias: i32,
    pub processors: u32,
}

/// The log's first record.
pub fn logfile(bits: Bits, about: About) -> Vec<u8> {
    let pointer = if bits == Bits::B32 { 4 } else { 8 };
    let mut body = Body::new(bits)
        .u32(BUFFER as u32)
        .raw(&[6, 1, 1, 5])
        .u32(7601)
        .u32(about.processors)
        .u64(0)
        .u32(0)
        .u32(0)
        .u32(1)
        .u32(about.buffers)
        .u32(1)
        .u32(pointer)
        .u32(about.events_lost)
        .u32(2400)
        .ptr(0)
        .ptr(0)
        .raw(&about.bias.to_le_bytes())
        .raw(&[0; 168]);
    let times = body.bytes.len().next_multiple_of(8);
    body.bytes.resize(times, 0);
    let body = body
        .u64(STARTED - 36_000_000_000)
        .u64(HERTZ)
        .u64(STARTED)
        .u32(1)
        .u32(about.buffers_lost)
        .wide("Constructed")
        .wide("constructed.etl");
    system(bits, 0, 2, Head { ticks: FIRST, pid: 4, tid: 4 }, &body.bytes)
}

/// A buffer being filled.
#[derive(Debug)]
pub struct Buffer {
    bytes: Vec<u8>,
    processor: u16,
}

impl Buffer {
    pub fn new(processor: u16) -> Self {
        let mut bytes = Vec::with_capacity(BUFFER);
        bytes.resize(BUFFER_HEADER, 0);
        Buffer { bytes, processor }
    }

    pub fn is_empty(&self) -> bool {
        self.bytes.len() == BUFFER_HEADER
    }

    /// Whether so many bytes of records fit.
    pub fn has_room(&self, len: usize) -> bool {
        self.bytes.len() + len <= BUFFER
    }

    /// Puts a record in, if there is room.
    pub fn put(&mut self, record: &[u8]) -> bool {
        let end = (self.bytes.len() + record.len()).next_multiple_of(8);
        let room = end <= BUFFER;
        if room {
            self.bytes.extend(record);
            self.bytes.resize(end, 0);
        }
        room
    }

    /// The buffer as it is written: `kind` 4 is the first, 0 any other.
    pub fn close(mut self, sequence: u64, kind: u16) -> Vec<u8> {
        let end = self.bytes.len() as u32;
        self.bytes.resize(BUFFER, 0xff);
        let mut put =
            |at: usize, bytes: &[u8]| self.bytes[at..at + bytes.len()].copy_from_slice(bytes);
        put(0x00, &(BUFFER as u32).to_le_bytes());
        put(0x04, &end.to_le_bytes());
        put(0x08, &end.to_le_bytes());
        put(0x10, &STARTED.to_le_bytes());
        put(0x18, &sequence.to_le_bytes());
        put(0x28, &self.processor.to_le_bytes());
        put(0x30, &end.to_le_bytes());
        put(0x34, &1u16.to_le_bytes());
        put(0x36, &kind.to_le_bytes());
        self.bytes
    }
}
