//! Writes a trace, chunk by chunk. What was flushed stays readable whatever happens to the
//! recorder afterwards; it never goes back in the file, so any stream will do.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

use xxhash_rust::xxh3::xxh3_64;

use super::chunk::{self, ChunkHeader};
use super::header::Header;
use super::record::Encoder;
use super::tags::{CHUNK_TARGET, MAX_EVENTS, MIN_COMPRESSED, chunk as kind, compression};
use crate::event::{Event, StackId, Time, What};

/// zstd's fastest ordinary level: the next ones save few bytes of a trace and cost much time.
const LEVEL: i32 = 1;

/// Writes a trace.
///
/// After an error of the stream (disk full) the trace ends at its last whole chunk. The error is
/// returned once; events written after it are dropped and counted in the [`Summary`].
pub struct Writer<W: Write> {
    stream: W,
    encoder: Encoder,
    compressor: zstd::bulk::Compressor<'static>,
    /// A chunk as it is written: header and bytes.
    out: Vec<u8>,
    /// Records in the chunk so far, and the time it counts from.
    events: u32,
    base: Time,
    /// The next stack's id now, and when the chunk began.
    next_stack: u32,
    first_stack: u32,
    summary: Summary,
    failed: bool,
}

/// What became of the events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Events in whole chunks.
    pub events: u64,
    /// Bytes of the file, up to its last whole chunk.
    pub bytes: u64,
    /// Events dropped because the stream had failed.
    pub dropped: u64,
    /// Strings longer than 64 KiB and lists longer than 256 KiB that were cut.
    pub cut: u64,
}

impl Writer<File> {
    /// Creates the file, or empties it. On Unix only its owner may read it, from the moment of
    /// creation: a trace holds command lines and paths. A file that was there gets that mode
    /// before anything is written to it. On Windows the directory's access list holds.
    pub fn create(path: &Path, header: &Header) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(path)?;
        #[cfg(unix)]
        if file.metadata()?.is_file() {
            // Not for a pipe or a device: their mode is not ours to change.
            file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
        }
        Self::new(file, header)
    }
}

impl<W: Write> Writer<W> {
    /// Writes the file header. The stream needs no buffer of its own.
    pub fn new(mut stream: W, header: &Header) -> io::Result<Self> {
        let bytes = header.encode();
        stream.write_all(&bytes)?;
        stream.flush()?;
        Ok(Self {
            stream,
            encoder: Encoder::default(),
            compressor: zstd::bulk::Compressor::new(LEVEL)?,
            out: Vec::new(),
            events: 0,
            base: Time::default(),
            next_stack: StackId::FIRST.0,
            first_stack: StackId::FIRST.0,
            summary: Summary { bytes: bytes.len() as u64, ..Summary::default() },
            failed: false,
        })
    }

    /// Adds an event. Stacks are to be defined before events that name them.
    ///
    /// # Errors
    /// The stream's, once. [`io::ErrorKind::InvalidInput`] where the trace has no more ids for
    /// stacks; the event is then not written.
    #[inline]
    pub fn write(&mut self, event: &Event) -> io::Result<()> {
        if self.failed {
            self.summary.dropped += 1;
            return Ok(());
        }
        if self.events == 0 {
            self.begin(event.time);
        }
        if matches!(event.what, What::Stack(_)) {
            self.next_stack = self.next_stack.checked_add(1).ok_or_else(|| {
                io::Error::new(io::ErrorKind::InvalidInput, "a trace holds at most 2^32 stacks")
            })?;
        }
        self.encoder.event(event);
        self.events += 1;
        if self.encoder.bytes().len() >= CHUNK_TARGET || self.events == MAX_EVENTS {
            self.end_chunk()
        } else {
            Ok(())
        }
    }

    /// Ends the chunk and hands it to the system, so that a kill loses nothing written so far.
    pub fn flush(&mut self) -> io::Result<()> {
        if self.events == 0 || self.failed {
            return Ok(());
        }
        self.end_chunk()?;
        let flushed = self.stream.flush();
        self.failed = flushed.is_err();
        flushed
    }

    /// Ends the trace as whole. A trace without this reads as one whose recorder was killed.
    pub fn finish(mut self) -> io::Result<Summary> {
        self.flush()?;
        if !self.failed {
            self.begin(self.base);
            self.put_chunk(kind::END)?;
            self.stream.flush()?;
        }
        self.summary.cut = self.encoder.cut;
        Ok(self.summary)
    }

    fn begin(&mut self, base: Time) {
        self.encoder.begin(base);
        self.base = base;
        self.first_stack = self.next_stack;
    }

    #[cold]
    fn end_chunk(&mut self) -> io::Result<()> {
        let written = self.put_chunk(kind::EVENTS);
        let events = u64::from(std::mem::take(&mut self.events));
        match &written {
            Ok(()) => self.summary.events += events,
            Err(_) => self.summary.dropped += events,
        }
        written
    }

    fn put_chunk(&mut self, kind: u8) -> io::Result<()> {
        let plain = self.encoder.bytes();
        let most = chunk::LEN + plain.len();
        if self.out.len() < most {
            self.out.resize(most, 0);
        }
        let (head, body) = self.out[..most].split_at_mut(chunk::LEN);
        // A chunk that does not shrink does not fit, and is stored.
        let packed = (plain.len() >= MIN_COMPRESSED)
            .then(|| self.compressor.compress_to_buffer(plain, body))
            .and_then(Result::ok)
            .filter(|packed| *packed < plain.len());
        let (compression, len) = match packed {
            Some(len) => (compression::ZSTD, len),
            None => {
                body.copy_from_slice(plain);
                (compression::STORED, plain.len())
            }
        };
        let header = ChunkHeader {
            kind,
            compression,
            stored_len: len as u32,
            plain_len: plain.len() as u32,
            events: self.events,
            next_stack: self.first_stack,
            first_event: self.summary.events,
            base_time: self.base.0,
            sum: xxh3_64(&body[..len]),
        };
        head.copy_from_slice(&header.encode());
        let written = self.stream.write_all(&self.out[..chunk::LEN + len]);
        match &written {
            Ok(()) => self.summary.bytes += (chunk::LEN + len) as u64,
            Err(_) => self.failed = true,
        }
        written
    }
}
