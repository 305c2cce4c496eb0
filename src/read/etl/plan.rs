//! The order in which to read a log that can be sought in: where each buffer begins and when its first record was
//! logged.
//!
//! With it a buffer is read when it is its turn, wherever it lies: that of an idle processor, which is written when the
//! session ends and may hold a record of its beginning, and those of a circular file.

use std::io::{Read, Seek};

use super::header;
use super::input::Sought;
use super::record::Ticks;
use super::row::Row;
use crate::read::{Offset, ReadError};

/// How much of a buffer is looked at: enough for the first record's time, if need be behind a table of Huffman's.
const LOOK: usize = 512;

/// The buffers of a log in the order of their first records.
#[derive(Debug)]
pub(super) struct Plan<R> {
    /// Those not yet read, the next one last.
    buffers: Vec<Planned>,
    seek: Sought<R>,
}

/// A buffer to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Planned {
    first: Ticks,
    offset: Offset,
}

impl<R: Read> Plan<R> {
    /// Looks at all buffers from where `row` stands, and counts what lies between them.
    pub fn new(row: &mut Row<R>) -> Result<Self, ReadError>
    where
        R: Seek,
    {
        let length = row.input.length(R::seek)?;
        let mut buffers = Vec::new();
        let (mut look, mut start) = (Vec::new(), Vec::new());
        while let Some((offset, header)) = row.header()? {
            row.input.read(header.stored().min(LOOK), &mut look)?;
            let start = if header.compressed() {
                let length = header.records().min(header::TIMED);
                row.unpack(&look, length, &mut start);
                &start
            } else {
                &look
            };
            // What begins with no record, or a mere message, is read first: it is nobody's turn.
            let first = header::time(start).unwrap_or_default();
            buffers.push(Planned { first, offset });
            // Of the last buffer a part may be missing.
            let next = (offset.0 + u64::from(header.size)).min(length.0);
            row.input.seek(Offset(next), R::seek)?;
        }
        buffers.sort_unstable_by(|one, other| other.cmp(one));
        Ok(Self { buffers, seek: R::seek })
    }

    /// When the first record of the next buffer was logged; `None` if there is none.
    pub fn first(&self) -> Option<Ticks> {
        self.buffers.last().map(|next| next.first)
    }

    /// Moves `row` to the next buffer; `false` if there is none.
    pub fn go(&mut self, row: &mut Row<R>) -> Result<bool, ReadError> {
        let Some(next) = self.buffers.pop() else { return Ok(false) };
        row.input.seek(next.offset, self.seek)?;
        Ok(true)
    }
}
