//! Compressed recordings: gzip or zstd around a recording of any kind that is read. They are unpacked as they are
//! read, so that a file that unpacks to any size takes no memory for it, and what is damaged or cut ends the recording
//! there, told as a fault, with all before it read.

use std::cell::RefCell;
use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::rc::Rc;

use super::trace::Header;
use super::{About, Fault, Faults, FileKind, Offset, ReadError, Source, Support, open, sniff};
use crate::event::Event;

/// How much of the inside is looked at to tell what it is.
const LOOK: u64 = 4096;
/// The largest window of a zstd frame, as a power of two: what `zstd -d` accepts unasked. Only what is used of it takes
/// memory.
const WINDOW: u32 = 27;

/// Opens what is inside a compressed file.
///
/// # Errors
/// Nothing that is read is inside, or reading failed.
pub(super) fn unpack<'a>(
    stream: impl Read + 'a,
    about: &About,
) -> Result<Box<dyn Source + 'a>, ReadError> {
    let broken = Rc::new(RefCell::new(None));
    let mut inside = Unpacking::new(stream, Rc::clone(&broken))?;
    let mut start = Vec::new();
    let looked = inside.by_ref().take(LOOK).read_to_end(&mut start);
    looked.map_err(|source| ReadError::Io { offset: Offset(0), source })?;
    let unreadable = |what: &str| {
        let what = match broken.borrow().as_ref() {
            Some(fault) if start.is_empty() => fault.what.to_string(),
            _ => format!("inside the compressed file: {what}"),
        };
        ReadError::Unreadable { offset: Offset(0), what }
    };
    let kind = match sniff(&start) {
        Some(FileKind::Compressed) => {
            return Err(unreadable("another compressed file; unpack it first"));
        }
        Some(kind) => kind,
        None => return Err(unreadable("nothing that unfreed reads")),
    };
    if let Support::Not(why) = kind.support() {
        return Err(unreadable(why));
    }
    let none = unreadable("nothing that unfreed reads");
    let source = open(kind, Cursor::new(start).chain(inside), about, None)?;
    let source = source.ok_or(none)?;
    Ok(Box::new(Unpacked { source, broken, faults: Faults::default() }))
}

/// Where and how unpacking came to an early end.
type Broken = Rc<RefCell<Option<Fault>>>;

/// A source inside a compressed file.
struct Unpacked<'a> {
    source: Box<dyn Source + 'a>,
    broken: Broken,
    faults: Faults,
}

impl Source for Unpacked<'_> {
    fn header(&self) -> &Header {
        self.source.header()
    }

    fn next_batch(&mut self, events: &mut Vec<Event>) -> Result<bool, ReadError> {
        let more = self.source.next_batch(events)?;
        if !more {
            self.faults = Faults::default();
            let broken = self.broken.borrow();
            for fault in broken.iter().chain(self.source.faults()) {
                self.faults.add_many(fault.offset, fault.what.clone(), fault.count);
            }
        }
        Ok(more)
    }

    fn faults(&self) -> &[Fault] {
        if self.faults.as_slice().is_empty() {
            self.source.faults()
        } else {
            self.faults.as_slice()
        }
    }
}

/// The bytes inside. What cannot be unpacked is their end.
struct Unpacking<'a> {
    inside: Box<dyn Read + 'a>,
    packed: Rc<RefCell<Packed>>,
    broken: Broken,
}

/// What is known of the compressed bytes.
#[derive(Debug, Default)]
struct Packed {
    read: u64,
    failed: bool,
}

impl<'a> Unpacking<'a> {
    fn new(stream: impl Read + 'a, broken: Broken) -> Result<Self, ReadError> {
        let counted = Rc::new(RefCell::new(Packed::default()));
        let mut packed = BufReader::new(Counted { stream, packed: Rc::clone(&counted) });
        let io = |source| ReadError::Io { offset: Offset(0), source };
        let gzip = packed.fill_buf().map_err(io)?.starts_with(&[0x1f, 0x8b]);
        let inside: Box<dyn Read + 'a> = if gzip {
            Box::new(flate2::bufread::MultiGzDecoder::new(packed))
        } else {
            let mut frames = zstd::Decoder::with_buffer(packed).map_err(io)?;
            frames.window_log_max(WINDOW).map_err(io)?;
            Box::new(frames)
        };
        Ok(Unpacking { inside, packed: counted, broken })
    }
}

impl Read for Unpacking<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.broken.borrow().is_some() {
            return Ok(0);
        }
        let error = match self.inside.read(into) {
            Ok(read) => return Ok(read),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Err(error),
            Err(error) => error,
        };
        let packed = self.packed.borrow();
        if packed.failed {
            return Err(error);
        }
        let what = match error.kind() {
            io::ErrorKind::UnexpectedEof => {
                "the compressed file ends early: it was cut, or is still written".to_owned()
            }
            _ => format!(
                "the compressed file is damaged here or shortly before, and was read no further ({error})"
            ),
        };
        *self.broken.borrow_mut() =
            Some(Fault { offset: Offset(packed.read), what: what.into(), count: 1 });
        Ok(0)
    }
}

/// Counts the compressed bytes, and remembers whether reading them failed.
struct Counted<R> {
    stream: R,
    packed: Rc<RefCell<Packed>>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.stream.read(into);
        let mut packed = self.packed.borrow_mut();
        match &read {
            Ok(read) => packed.read += *read as u64,
            Err(error) => packed.failed |= error.kind() != io::ErrorKind::Interrupted,
        }
        read
    }
}
