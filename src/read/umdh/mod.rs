//! Logs of UMDH: a snapshot of what lives in a process's heaps, by stack, or the difference of two.
//! Formats differ by the tool's age and are told line by line; what no line of a known kind explains
//! is counted. The file does not say whether its numbers are hexadecimal: `base.rs` has the evidence.

mod base;
mod entry;
mod frame;
mod reader;
mod sums;

pub use reader::Reader;

/// Whether a text begins as a log of UMDH. Every entry of a list ends in `BackTrace` and the trace's
/// number; snapshots begin with comments that list the loaded modules, differences with comments that
/// explain `BYTES_DELTA` and the rest.
pub(super) fn is_umdh(opening: &str) -> bool {
    let says =
        |text: &str| text.contains("// Loaded modules:") || text.contains("// + BYTES_DELTA (");
    says(opening) || opening.lines().any(|line| entry::Entry::read(line).is_some())
}
