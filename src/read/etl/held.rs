//! A buffer in memory, outlined, of which records are handed out one by one.

use super::buffer;
use super::counts::Counts;
use super::header::{self, Outline};
use super::record::Ticks;
use super::times::Times;
use crate::read::Offset;

/// A buffer in memory.
#[derive(Debug, Default)]
pub(super) struct Held {
    /// What lies behind the header, unpacked.
    pub bytes: Vec<u8>,
    /// Where the buffer begins in the file.
    pub offset: Offset,
    pub compressed: bool,
    pub processor: u16,
    /// The records, in the order of time.
    places: Vec<Place>,
    /// How many of them were handed out.
    pub given: usize,
}

/// Where a record lies in a buffer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub time: Ticks,
    pub at: u32,
    pub size: u32,
}

/// How far a buffer could be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Read {
    /// Where the last record ends, or what aligns the next.
    pub end: usize,
    /// How many records had a time that cannot be.
    pub mistimed: u64,
}

impl Held {
    /// Outlines the records up to `end`.
    pub fn outline(&mut self, end: usize, times: &Times, counts: &mut Counts) -> Read {
        self.places.clear();
        self.given = 0;
        let bytes = self.bytes.get(..end).unwrap_or(&self.bytes);
        let mut at = 0;
        let mut sorted = true;
        let (mut first, mut last) = (Ticks(u64::MAX), Ticks(0));
        while at < bytes.len() {
            let Some(Outline { kind, size, time }) = bytes.get(at..).and_then(header::outline)
            else {
                break;
            };
            counts.count(kind);
            if kind.tells() {
                sorted &= last <= time;
                first = first.min(time);
                last = time;
                self.places.push(Place { time, at: at as u32, size: size as u32 });
            }
            at += size.next_multiple_of(8);
        }
        let mut mistimed = 0;
        if !sorted || first < times.first || last > times.last {
            mistimed = times.mend(&mut self.places);
            // A record's time is taken before its place in the buffer: an interrupt between the two may log another.
            self.places.sort_by_key(|place| place.time);
        }
        Read { end: at, mistimed }
    }

    /// The next record's place.
    #[inline]
    pub fn next(&self) -> Option<Place> {
        self.places.get(self.given).copied()
    }

    /// The bytes of a record.
    #[inline]
    pub fn record(&self, place: Place) -> &[u8] {
        let at = place.at as usize;
        self.bytes.get(at..at + place.size as usize).unwrap_or(&[])
    }

    /// Where in the file stands what is at `at`, or the buffer that it was packed into.
    #[inline]
    pub fn place(&self, at: usize) -> Offset {
        let within = if self.compressed { 0 } else { buffer::LEN + at };
        Offset(self.offset.0 + within as u64)
    }

    /// Memory that this holds.
    pub fn footprint(&self) -> usize {
        self.bytes.capacity() + self.places.capacity() * size_of::<Place>()
    }
}
