//! A log of any length as a stream, made while it is read: a program that keeps so many blocks alive and
//! allocates and frees for ever, with a stack of 20 frames behind each record.

use std::io::{self, Read};

use super::encode::{About, Bits, Body, Buffer, FIRST, Head, logfile, perf, system};

/// How many stacks there are.
const STACKS: u64 = 2000;
const FRAMES: u64 = 20;
const PID: u32 = 1000;

/// The stream.
#[derive(Debug)]
pub struct Stream {
    /// Bytes still to be made.
    left: u64,
    live: u64,
    n: u64,
    ticks: u64,
    sequence: u64,
    ready: Vec<u8>,
    at: usize,
    bases: Vec<u64>,
}

impl Stream {
    /// A log of about so many bytes with so many live blocks.
    pub fn new(bytes: u64, live: u64) -> Self {
        let about =
            About { processors: 1, buffers: (bytes / 0x10000) as u32 + 2, ..About::default() };
        let mut first = Buffer::new(0);
        first.put(&logfile(Bits::B64, about));
        let bases = (0..STACKS).map(|n| 0x1_8000_0000 + (n % 40) * 0x40_0000).collect();
        Stream {
            left: bytes,
            live,
            n: 0,
            ticks: FIRST + 1000,
            sequence: 0,
            ready: first.close(0, 4),
            at: 0,
            bases,
        }
    }

    /// How many heap records were made so far.
    pub fn records(&self) -> u64 {
        self.n
    }

    fn refill(&mut self) {
        let mut buffer = Buffer::new(0);
        if self.sequence == 0 {
            self.begin(&mut buffer);
        }
        loop {
            let (record, walk) = self.next();
            if !buffer.has_room(record.len() + walk.len() + 16) {
                break;
            }
            buffer.put(&record);
            buffer.put(&walk);
            self.n += 1;
            self.ticks += 5;
        }
        self.sequence += 1;
        self.ready = buffer.close(self.sequence, 0);
        self.at = 0;
    }

    fn begin(&self, buffer: &mut Buffer) {
        let head = Head { ticks: self.ticks, pid: PID, tid: PID + 1 };
        let body = Body::new(Bits::B64).ptr(1).u32(PID).u32(4).u32(0).u32(0).ptr(0).u32(0);
        let body = body.narrow("store.exe").wide("store.exe");
        buffer.put(&system(Bits::B64, 0x303, 3, head, &body.bytes));
        for n in 0..40u64 {
            let body =
                Body::new(Bits::B64).ptr(0x1_8000_0000 + n * 0x40_0000).ptr(0x30_0000).u32(PID);
            let body = body.u32(1).u32(n as u32 + 1).u32(0).ptr(0).raw(&[0; 16]);
            let body = body.wide(&format!(r"\Device\HarddiskVolume1\module{n}.dll"));
            buffer.put(&system(Bits::B64, 0x1403, 2, head, &body.bytes));
        }
    }

    /// The next record and its stack. First `live` blocks are allocated, then the oldest is freed and allocated
    /// anew.
    fn next(&self) -> (Vec<u8>, Vec<u8>) {
        let head = Head { ticks: self.ticks, pid: PID, tid: PID + 1 };
        let past = self.n.saturating_sub(self.live);
        let free = self.n >= self.live && past.is_multiple_of(2);
        let turn = if self.n < self.live { self.n } else { past / 2 % self.live };
        let address = 0x10_0000_0000 + turn * 0x50;
        let body = Body::new(Bits::B64).ptr(0x2_0000);
        let record = if free {
            system(Bits::B64, 0x1024, 2, head, &body.ptr(address).u32(3).bytes)
        } else {
            system(Bits::B64, 0x1021, 2, head, &body.ptr(64).ptr(address).u32(3).bytes)
        };
        let stack = turn.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 33;
        let walk = Body::new(Bits::B64).u64(self.ticks).u32(PID).u32(PID + 1);
        let walk = (0..FRAMES).fold(walk, |body, depth| {
            let place = (stack % STACKS) * 31 / (depth + 1) + depth;
            body.ptr(self.bases[(place % STACKS) as usize] + place * 16 % 0x30_0000)
        });
        (record, perf(Bits::B64, 0x1820, 2, self.ticks + 1, &walk.bytes))
    }
}

impl Read for Stream {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.at == self.ready.len() {
            if self.left == 0 {
                return Ok(0);
            }
            self.refill();
        }
        let n = into.len().min(self.ready.len() - self.at);
        into[..n].copy_from_slice(&self.ready[self.at..self.at + n]);
        self.at += n;
        self.left = self.left.saturating_sub(n as u64);
        Ok(n)
    }
}
