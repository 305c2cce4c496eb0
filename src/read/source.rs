//! What every reader of a recording is: something that yields events in time order, batch by batch, and
//! counts what it could not read.

use std::io;

use thiserror::Error;

use super::trace::{Header, VERSION};
use super::{Fault, Offset};
use crate::event::Event;

/// A recorded source.
pub trait Source {
    /// What the recording says of itself. It may become known only while the events are read: ask again
    /// after the last.
    fn header(&self) -> &Header;

    /// Clears `events` and fills it with the next; false at the end. Times never go backwards, stack ids
    /// count up from [`StackId::FIRST`](crate::event::StackId::FIRST), and an
    /// [`Epoch`](crate::event::What::Epoch) stands at the end of whatever can be judged. A batch may be empty.
    ///
    /// # Errors
    /// The file is something else altogether, or reading it failed. Damage is a fault, not an error.
    fn next_batch(&mut self, events: &mut Vec<Event>) -> Result<bool, ReadError>;

    /// What could not be read so far.
    fn faults(&self) -> &[Fault];
}

/// What is known of a file besides its bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct About {
    /// Its name, to say in what the reader tells.
    pub name: String,
    /// When it was last written, in nanoseconds since 1970-01-01 UTC: the only time that some logs have.
    pub modified_unix_ns: Option<i64>,
}

/// Why a file cannot be read at all, or no further.
#[derive(Debug, Error)]
pub enum ReadError {
    /// The file is something else.
    #[error(
        "not an unfreed trace: it does not begin as one (offset 0); \
         if it was transferred as text, transfer it again as binary"
    )]
    NotATrace,
    /// A later version wrote it.
    #[error(
        "the trace has format version {found} (offset 8), this unfreed reads up to {VERSION}: \
         use the version that recorded it, or a later one"
    )]
    TooNew {
        /// The version found.
        found: u32,
    },
    /// It begins as what it should be and cannot be made sense of.
    #[error("offset {offset}: {what}")]
    Unreadable {
        /// Where.
        offset: Offset,
        /// What was found there, and what to do.
        what: String,
    },
    /// The stream failed.
    #[error("reading failed at offset {offset}")]
    Io {
        /// Where.
        offset: Offset,
        /// Why.
        source: io::Error,
    },
}
