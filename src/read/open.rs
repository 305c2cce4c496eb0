//! The reader for a kind of recording.

use std::io::Read;

use super::etl::{self, Again};
use super::trace;
use super::{About, FileKind, ReadError, Source};

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
    let _ = about;
    Ok(match kind {
        FileKind::Native => Some(Box::new(trace::Reader::new(stream)?)),
        FileKind::Etl => Some(match again {
            Some(again) => Box::new(etl::Reader::file(again)?),
            None => Box::new(etl::Reader::new(stream)?),
        }),
        _ => None,
    })
}
