//! The reader for a kind of recording.

use std::io::Read;

use super::etl::{self, Again};
use super::unpack::unpack;
use super::{About, FileKind, ReadError, Source};
use super::{bundle, counters, debugger, heaptrack, leakdiag, memleak, minidump, trace, umdh};

/// Opens a recording of a kind that [`sniff`](super::sniff) told; `None` for a kind that is not read. Where the
/// recording is a file, `again` begins to read it anew: some kinds have at their end what is needed before.
///
/// # Errors
/// As [`Source::next_batch`].
pub fn open<'a>(
    kind: FileKind,
    stream: impl Read + 'a,
    about: &About,
    again: Option<Again<'a>>,
) -> Result<Option<Box<dyn Source + 'a>>, ReadError> {
    Ok(match kind {
        FileKind::Native => Some(Box::new(trace::Reader::new(stream)?)),
        FileKind::Heaptrack => Some(Box::new(heaptrack::Reader::new(stream)?)),
        FileKind::Minidump => Some(Box::new(minidump::Reader::new(stream)?)),
        FileKind::Compressed => Some(unpack(stream, about)?),
        FileKind::Case => Some(bundle::open(stream)?),
        FileKind::Umdh => Some(Box::new(umdh::Reader::new(stream, about))),
        FileKind::LeakDiag => Some(Box::new(leakdiag::Reader::new(stream, about))),
        FileKind::Memleak => Some(Box::new(memleak::Reader::new(stream, about))),
        FileKind::Counters => Some(Box::new(counters::Reader::new(stream, about))),
        FileKind::Debugger => Some(Box::new(debugger::Reader::new(stream, about))),
        FileKind::Etl => Some(match again {
            Some(again) => Box::new(etl::Reader::file(again)?),
            None => Box::new(etl::Reader::new(stream)?),
        }),
        _ => None,
    })
}
