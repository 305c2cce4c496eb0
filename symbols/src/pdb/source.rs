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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn slices(pages: &[u64]) -> Vec<SourceSlice> {
        pages.iter().map(|page| SourceSlice { offset: page * 4096, size: 4096 }).collect()
    }

    #[test]
    fn a_stream_is_its_pages_in_order() {
        let file: Vec<u8> = (0..4_u8).flat_map(|page| [page; 4096]).collect();
        let mut pages = Pages::new(file);
        let view = pages.view(&slices(&[3, 1])).unwrap();
        assert_eq!((view.as_slice()[0], view.as_slice()[4096]), (3, 1));
        assert_eq!(view.as_slice().len(), 8192);
        assert_eq!(pages.view(&slices(&[2])).unwrap().as_slice(), [2; 4096]);
        assert!(pages.view(&slices(&[4])).is_err(), "behind the end");
        assert!(pages.view(&slices(&[1, u64::MAX / 4096])).is_err());
        // Other bytes for what was asked for last.
        drop(pages.view(&slices(&[3, 1])).unwrap());
        pages.replace_last(vec![9; 8192]);
        assert_eq!(pages.view(&slices(&[3, 1])).unwrap().as_slice(), [9; 8192]);
        assert_eq!(pages.view(&slices(&[1, 3])).unwrap().as_slice()[0], 1);
    }

    #[test]
    fn a_page_in_many_places_takes_no_memory() {
        let mut pages = Pages::new(vec![0; 400 << 12]);
        let whole: Vec<u64> = (0..400).rev().collect();
        assert!(pages.view(&slices(&[7; 401])).is_err(), "more than the file");
        let held: Vec<_> = (0..10).filter_map(|_| pages.view(&slices(&whole)).ok()).collect();
        assert_eq!(held.len(), 2, "twice the file and a little");
        drop(held);
        assert!(pages.view(&slices(&whole)).is_ok());
    }
}
