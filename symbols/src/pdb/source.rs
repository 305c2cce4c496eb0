//! The pages of a PDB, as its streams ask for them. A stream lists its pages, and may list one a
//! thousand times: the copies made for all streams in use stay within twice the file's size.

use std::collections::HashMap;
use std::io;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use pdb_addr2line::pdb::{Source, SourceSlice, SourceView};

/// Bytes of copies beyond twice the file's size.
const COPIES_FREE: u64 = 1 << 20;

/// A file in memory.
#[derive(Clone, Debug)]
pub(super) struct Pages {
    file: Arc<Vec<u8>>,
    /// Bytes of all copies that are in use.
    copied: Arc<AtomicU64>,
    replaced: Arc<Mutex<Replaced>>,
}

/// Where slices of a stream lie.
type Lies = Vec<(u64, usize)>;

/// Streams that are given otherwise than they are in the file.
#[derive(Debug, Default)]
struct Replaced {
    last: Lies,
    streams: HashMap<Lies, Arc<Vec<u8>>>,
}

impl Pages {
    pub(super) fn new(file: Vec<u8>) -> Pages {
        Pages { file: Arc::new(file), copied: Arc::default(), replaced: Arc::default() }
    }

    /// Gives other bytes from now on for the stream that was asked for last. They must be as many.
    pub(super) fn replace_last(&self, bytes: Vec<u8>) {
        let mut replaced = self.replaced.lock().unwrap_or_else(PoisonError::into_inner);
        let last = replaced.last.clone();
        if bytes.len() == last.iter().map(|(_, size)| size).sum::<usize>() {
            replaced.streams.insert(last, Arc::new(bytes));
        }
    }

    fn range(&self, slice: &SourceSlice) -> io::Result<Range<usize>> {
        let start = usize::try_from(slice.offset).map_err(|_| io::ErrorKind::UnexpectedEof)?;
        let end = start.checked_add(slice.size).filter(|&end| end <= self.file.len());
        Ok(start..end.ok_or(io::ErrorKind::UnexpectedEof)?)
    }
}

impl Source<'static> for Pages {
    fn view(
        &mut self,
        slices: &[SourceSlice],
    ) -> io::Result<Box<dyn SourceView<'static> + Send + Sync>> {
        let lies: Lies = slices.iter().map(|slice| (slice.offset, slice.size)).collect();
        let mut replaced = self.replaced.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(stream) = replaced.streams.get(&lies) {
            return Ok(Box::new(Whole { bytes: Arc::clone(stream), range: 0..stream.len() }));
        }
        replaced.last = lies;
        if let [slice] = slices {
            let range = self.range(slice)?;
            return Ok(Box::new(Whole { bytes: Arc::clone(&self.file), range }));
        }
        let file = self.file.len() as u64;
        let size = slices.iter().fold(0, |sum: u64, slice| sum.saturating_add(slice.size as u64));
        let before = self.copied.load(Ordering::Relaxed);
        if size > file || before + size > 2 * file + COPIES_FREE {
            return Err(io::Error::other("its streams claim more than the file holds"));
        }
        let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or_default());
        for slice in slices {
            bytes.extend_from_slice(&self.file[self.range(slice)?]);
        }
        self.copied.fetch_add(size, Ordering::Relaxed);
        Ok(Box::new(Copied { bytes, copied: Arc::clone(&self.copied) }))
    }
}

/// A stream that lies in one piece.
#[derive(Debug)]
struct Whole {
    bytes: Arc<Vec<u8>>,
    range: Range<usize>,
}

impl SourceView<'static> for Whole {
    fn as_slice(&self) -> &[u8] {
        &self.bytes[self.range.clone()]
    }
}

/// A stream put together from its pages.
#[derive(Debug)]
struct Copied {
    bytes: Vec<u8>,
    copied: Arc<AtomicU64>,
}

impl SourceView<'static> for Copied {
    fn as_slice(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Copied {
    fn drop(&mut self) {
        self.copied.fetch_sub(self.bytes.len() as u64, Ordering::Relaxed);
    }
}
