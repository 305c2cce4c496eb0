//! What was met and what became of it, by number: for tests, and for what the log's own counts are held against.

/// Counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "each is what it counts")]
pub struct Tallies {
    pub heap: u64,
    pub ranges: u64,
    pub images: u64,
    pub processes: u64,
    pub symbols: u64,
    /// Records of stacks, or of parts of them, whose record waited for one.
    pub stacks: u64,
    /// Those of records that become no event, or that are gone.
    pub stacks_of_others: u64,
    /// What keys stood for.
    pub definitions: u64,
    /// Summaries of reallocs that had been told already.
    pub summaries: u64,
    /// Memory that heaps took from the system: left out, since their blocks are told. And its bytes.
    pub segments: u64,
    pub segment_bytes: u64,
    /// Whether the log was read twice.
    pub read_ahead: bool,
}
