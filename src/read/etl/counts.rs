//! What was met in a log, by number: to compare with other readers and to tell what was lost.

use super::header::HeaderKind;

/// Highest number of a kind of header, and one more.
const KINDS: usize = 22;

/// Numbers of what was met so far. They run ahead of the records handed out by what waits for its turn.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Buffers of which something could be read.
    pub buffers: u64,
    /// Those of them that were compressed.
    pub compressed: u64,
    /// Buffers whose flags say that events were lost before they were written.
    pub events_lost: u64,
    /// Buffers whose flags say that buffers were lost before they were written.
    pub buffers_lost: u64,
    /// Bytes behind the records of buffers, and zeros behind the last buffer of a log laid out in advance.
    pub padding: u64,
    /// Bytes that could not be read: damaged, or where no buffer begins.
    pub unread: u64,
    /// Buffers that the log says were written and that are not there.
    pub missing: u64,
    /// Records handed out after later ones.
    pub late: u64,
    kinds: [u64; KINDS],
}

impl Counts {
    /// Records with this kind of header.
    pub fn of(&self, kind: HeaderKind) -> u64 {
        self.kinds[kind as usize]
    }

    /// All records.
    pub fn records(&self) -> u64 {
        self.kinds.iter().sum()
    }

    pub(super) fn count(&mut self, kind: HeaderKind) {
        self.kinds[kind as usize] += 1;
    }
}
