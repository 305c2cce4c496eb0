//! Performance counters as `relog` and `typeperf` write them: what whole processes used over time. They
//! show growth and name nobody. Columns move: the instance `name#1` becomes `name` when the first process of
//! that name ends, so that a process is what its `ID Process` column says it is.

mod path;
mod processes;
mod reader;
mod row;
mod time;

pub use reader::Reader;

/// Whether a text begins as a log of counters; `typeperf` leaves a line empty before it.
pub(super) fn is_counters(opening: &str) -> bool {
    let mut lines = opening.lines().map(str::trim).filter(|line| !line.is_empty());
    lines.next().is_some_and(row::is_header)
}

/// Whether a file that begins as an event trace log is a binary log of counters (`.blg`). Such a log's
/// header holds the path it was written to; GUID and layout of its records are not documented. The first is
/// the identity that Windows' SDK gives the counters' library as a provider (`S_PDH`).
pub(super) fn is_binary_log(start: &[u8]) -> bool {
    const S_PDH: [u8; 16] = [
        0x58, 0x63, 0xd6, 0x04, 0xa1, 0xc4, 0x9b, 0x41, 0x80, 0x23, 0x23, 0xb7, 0x39, 0x02, 0xde,
        0x2c,
    ];
    let lower: Vec<u8> = start.to_ascii_lowercase();
    let has = |of: &[u8], what: &[u8]| of.windows(what.len()).any(|window| window == what);
    has(start, &S_PDH) || has(&lower, b".\0b\0l\0g\0\0\0")
}
