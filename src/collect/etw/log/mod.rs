//! Writes event trace logs (`.etl`), as WPA, PerfView and our own reader open them: a row of buffers, those of each processor
//! filled by it alone, the first with the log's description of itself.
//!
//! Records come as they stand in a file. Nothing is compressed. The description is written again as the log
//! ends, with what is known only then; of a log that was not ended it says so (no end, no number of buffers), as one of
//! Windows' own would.

mod about;
mod buffer;

use std::collections::BTreeMap;
use std::io::{self, Seek, SeekFrom, Write};

pub use about::About;
use about::Ended;
use buffer::{Buffer, Kind};

/// The size of every buffer: the longest record fits into it.
pub const BUFFER: usize = 128 << 10;

/// A log in the making.
#[derive(Debug)]
pub struct Log<W: Write + Seek> {
    to: W,
    about: About,
    /// The buffers being filled, by processor.
    open: BTreeMap<u16, Buffer>,
    /// Buffers written, the first among them.
    written: u32,
    last: u64,
    lost: (u32, u32),
}

impl<W: Write + Seek> Log<W> {
    /// Begins a log.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn new(mut to: W, about: About) -> io::Result<Log<W>> {
        to.write_all(&first(&about, None))?;
        let last = about.first;
        Ok(Log { to, about, open: BTreeMap::new(), written: 1, last, lost: (0, 0) })
    }

    /// Writes a record, which begins with its header and is filled up to a multiple of eight bytes.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn record(&mut self, processor: u16, time: u64, bytes: &[u8]) -> io::Result<()> {
        self.last = self.last.max(time);
        let buffer = self.open.entry(processor).or_insert_with(|| Buffer::new(processor));
        if buffer.put(bytes) {
            return Ok(());
        }
        let full = std::mem::replace(buffer, Buffer::new(processor));
        if !buffer.put(bytes) {
            let what = "a record is longer than a buffer";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, what));
        }
        self.close(full)
    }

    /// The sessions lost so many events and buffers.
    pub fn lost(&mut self, events: u32, buffers: u32) {
        self.lost = (events, buffers);
    }

    /// Ends the log.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn finish(mut self) -> io::Result<W> {
        for buffer in std::mem::take(&mut self.open).into_values() {
            self.close(buffer)?;
        }
        let (events_lost, buffers_lost) = self.lost;
        let ended = Ended { at: self.last, buffers: self.written, events_lost, buffers_lost };
        self.to.seek(SeekFrom::Start(0))?;
        self.to.write_all(&first(&self.about, Some(ended)))?;
        self.to.seek(SeekFrom::End(0))?;
        self.to.flush()?;
        Ok(self.to)
    }

    fn close(&mut self, buffer: Buffer) -> io::Result<()> {
        let time = self.about.filetime(self.last);
        let bytes = buffer.close(time, u64::from(self.written), Kind::Full);
        self.written += 1;
        self.to.write_all(&bytes)
    }
}

/// The first buffer.
fn first(about: &About, ended: Option<Ended>) -> Vec<u8> {
    let mut buffer = Buffer::new(0);
    // Its names are cut: it always fits.
    buffer.put(&about.record(ended));
    buffer.close(about.started, 0, Kind::First)
}
