//! The extension of a session's properties (`EVENT_TRACE_FLAG_EXT_ITEMS`): which processes, and of which records the
//! stacks are wanted.
//!
//! No header of Microsoft's has it; the layout is that of PerfView's library, which starts heap sessions by it, and of
//! phnt's `ntwmi.h`.
//!
//! ```text
//! 00  2  length of all in 32-bit words, this header among them
//! 02  2  number of items
//! then for each item:
//! 00  2  length in 32-bit words, this header among them
//! 02  2  type: 1 enable flags, 2 processes, 3 stacks, 4 pool tags, 5 stack caching
//! 04 4n  values
//! ```

use super::properties::Unfit;

/// The hook id of a heap's creation, and of its records of blocks: the group of heaps and the opcode.
pub mod hook {
    /// `RtlCreateHeap`. Always asked for: a private heap is a block of its own, and of 32-bit processes these stacks are
    /// wanted first.
    pub const HEAP_CREATE: u16 = 0x1020;
    /// `RtlAllocateHeap`.
    pub const HEAP_ALLOC: u16 = 0x1021;
    /// `RtlReAllocateHeap`.
    pub const HEAP_REALLOC: u16 = 0x1022;
}

/// The most hooks that a session takes stacks of.
pub const MOST_HOOKS: usize = 256;

/// The most processes that a heap session is asked for. Of this list no bound is documented; this is the one of the newer filter
/// of processes (`MAX_EVENT_FILTER_PID_COUNT`), and no more is tried.
pub const MOST_PIDS: usize = 8;

const PIDS: u16 = 2;
const STACKS: u16 = 3;

/// Builds the extension.
///
/// # Errors
/// More processes or hooks than a session takes.
pub fn extension(pids: &[u32], hooks: &[u16]) -> Result<Vec<u8>, Unfit> {
    if pids.len() > MOST_PIDS {
        return Err(Unfit::Pids(pids.len()));
    }
    if hooks.len() > MOST_HOOKS {
        return Err(Unfit::Hooks(hooks.len()));
    }
    let hooks: Vec<u32> = hooks.iter().copied().map(u32::from).collect();
    let items = [(PIDS, pids), (STACKS, &hooks)];
    let words = 1 + items.iter().map(|(_, values)| 1 + values.len()).sum::<usize>();
    let mut bytes = Vec::with_capacity(words * 4);
    let mut header = |words: usize, second: u16| {
        // Both lists are far shorter than 65,535 words.
        bytes.extend((words as u16).to_le_bytes());
        bytes.extend(second.to_le_bytes());
    };
    header(words, items.len() as u16);
    for (kind, values) in items {
        bytes.extend(((1 + values.len()) as u16).to_le_bytes());
        bytes.extend(kind.to_le_bytes());
        bytes.extend(values.iter().flat_map(|value| value.to_le_bytes()));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn one_process_and_the_stacks_of_heaps() {
        let bytes =
            extension(&[0x1234], &[hook::HEAP_CREATE, hook::HEAP_ALLOC, hook::HEAP_REALLOC]);
        #[rustfmt::skip]
        let golden = [
            7, 0, 2, 0,
            2, 0, 2, 0,  0x34, 0x12, 0, 0,
            4, 0, 3, 0,  0x20, 0x10, 0, 0,  0x21, 0x10, 0, 0,  0x22, 0x10, 0, 0,
        ];
        assert_eq!(bytes.unwrap(), golden);
    }

    #[test]
    fn what_perfview_sends_byte_for_byte() {
        // ETWKernelControl.StartWindowsHeapSession: ints of length | count << 16.
        let ints = [6 | 2 << 16, 2 | 2 << 16, 4711, 3 | 3 << 16, 0x1021, 0x1022];
        let golden: Vec<u8> = ints.iter().flat_map(|int: &u32| int.to_le_bytes()).collect();
        assert_eq!(extension(&[4711], &[0x1021, 0x1022]).unwrap(), golden);
    }

    #[test]
    fn more_than_a_session_takes_is_refused() {
        assert_eq!(extension(&[1; MOST_PIDS + 1], &[]), Err(Unfit::Pids(9)));
        assert_eq!(extension(&[], &[1; MOST_HOOKS + 1]), Err(Unfit::Hooks(257)));
    }
}
