//! `!heap -s`: a line for each heap, in units of 1,024 bytes and decimal; and `!heap -stat -h`: blocks by size, in
//! hexadecimal.
//!
//! ```text
//!   Heap     Flags   Reserv  Commit  Virt   Free  List   UCR  Virt  Lock  Fast
//!                     (k)     (k)    (k)     (k) length      blocks cont. heap
//! 033f0000 00000002    1076     72   1020      1     9     1   43      1   LFH
//!
//!  heap @ 00800000
//! group-by: TOTSIZE max-display: 20
//!     size     #blocks     total     ( %) (percent of total busy bytes)
//!     400 9c7 - 271c00  (97.63)
//! ```

use super::hex;

/// Whether a line is the heading of the heaps.
pub(super) fn is_summary(line: &str) -> bool {
    line.split_whitespace().take(4).eq(["Heap", "Flags", "Reserv", "Commit"])
}

/// Whether a line is the heading of the sizes.
pub(super) fn is_sizes(line: &str) -> bool {
    line.split_whitespace().take(3).eq(["size", "#blocks", "total"])
}

/// Bytes that a heap has committed.
pub(super) fn committed(line: &str) -> Option<u64> {
    let mut words = line.split_whitespace();
    let (_, _) = (hex(words.next()?)?, hex(words.next()?)?);
    let (_, commit) = (words.next()?.parse::<u64>().ok()?, words.next()?.parse::<u64>().ok()?);
    // A line of it has more columns.
    words.next()?.parse::<u64>().ok()?;
    commit.checked_mul(1024)
}

/// The heap whose sizes follow.
pub(super) fn heap(line: &str) -> Option<u64> {
    hex(line.trim().strip_prefix("heap @ ")?.trim())
}

/// Blocks of one size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sized {
    pub size: u64,
    pub blocks: u64,
    pub bytes: u64,
}

/// A line of the sizes.
pub(super) fn sized(line: &str) -> Option<Sized> {
    let mut words = line.split_whitespace();
    let (size, blocks) = (hex(words.next()?)?, hex(words.next()?)?);
    (words.next()? == "-").then_some(())?;
    let bytes = hex(words.next()?)?;
    words.next()?.strip_prefix('(')?;
    Some(Sized { size, blocks, bytes })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_heaps_are_read() {
        let line = "033f0000 00000002    1076     72   1020      1     9     1   43      1   LFH";
        assert_eq!(committed(line), Some(72 * 1024));
        assert_eq!(committed("-------"), None);
        assert_eq!(committed("    External fragmentation  14 % (346 free blocks)"), None);
        assert_eq!(heap(" heap @ 0000015d85bb0000"), Some(0x15d_85bb_0000));
        let all = Sized { size: 0x400, blocks: 0x9c7, bytes: 0x27_1c00 };
        assert_eq!(sized("    400 9c7 - 271c00  (97.63)"), Some(all));
        assert_eq!(sized("    400 9c7 271c00"), None);
    }
}
