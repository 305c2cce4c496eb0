//! Walking a copied stack by the same tables and in the same way as the probe does (`probe/walk.h`).

use unfreed_wire::frame_word;

use super::drain::Copy;
use super::layout::{DEPTH_MOST, Mapping, Row};

const TABLE: u8 = 1;

/// Frames of a copied stack, innermost first, and whether they are all.
pub(super) fn walk<'a>(
    copy: &Copy,
    mappings: &[Mapping],
    rows: impl Fn(&Mapping) -> &'a [[u8; size_of::<Row>()]],
) -> (Vec<u64>, bool) {
    let word = |address: u64| -> Option<u64> {
        let at = usize::try_from(address.checked_sub(copy.from)?).ok()?;
        Some(u64::from_ne_bytes(copy.bytes.get(at..at.checked_add(8)?)?.try_into().ok()?))
    };
    let (mut pc, mut sp, mut bp) = (copy.caller, copy.sp.wrapping_add(8), copy.bp);
    let mut frames = vec![frame_word(pc, TABLE)];
    while frames.len() < DEPTH_MOST {
        let address = pc.wrapping_sub(1);
        let after = mappings.partition_point(|mapping| mapping.start <= address);
        let mapping = after.checked_sub(1).map(|at| &mappings[at]);
        let Some(mapping) = mapping.filter(|mapping| address < mapping.end) else { break };
        let offset = address.wrapping_sub(mapping.bias) as u32;
        let rows = rows(mapping);
        let after = rows.partition_point(|row| Row::decode(row).from <= offset);
        let Some(row) = after.checked_sub(1).map(|at| Row::decode(&rows[at])) else { break };
        // A signal's frame is left to the probe: the copy of one is rare, and ends here.
        match row.next {
            1 => {}
            2 => return (frames, true),
            _ => break,
        }
        let add = |base: u64, offset: i32| base.wrapping_add_signed(offset.into());
        let cfa = match row.base {
            0 => Some(add(sp, row.cfa)),
            1 => Some(add(bp, row.cfa)),
            _ => word(add(bp, row.cfa)),
        };
        let Some(cfa) = cfa.filter(|cfa| *cfa > sp) else { break };
        let saved = match row.saved_base {
            0 => Some(bp),
            1 => word(add(cfa, row.saved)),
            _ => word(add(bp, row.saved)),
        };
        let (Some(caller), Some(saved)) = (word(cfa.wrapping_sub(8)), saved) else { break };
        if caller == 0 {
            return (frames, true);
        }
        (pc, sp, bp) = (caller, cfa, saved);
        frames.push(frame_word(pc, TABLE));
    }
    (frames, false)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(from: u32, next: u8, cfa: i32) -> [u8; size_of::<Row>()] {
        Row { from, cfa, next, ..Row::default() }.encode()
    }

    fn copy(words: &[u64], caller: u64) -> Copy {
        let bytes = words.iter().flat_map(|word| word.to_ne_bytes()).collect();
        Copy { name: 1, sp: 0x7000, bp: 0, caller, from: 0x7000, bytes }
    }

    #[test]
    fn a_copy_is_walked_to_its_end_or_as_far_as_it_goes() {
        let mapping =
            Mapping { start: 0x1000, end: 0x2000, bias: 0x1000, rows: 2, ..Mapping::default() };
        // A function with a frame of two words, and the outermost.
        let rows = [row(0x100, 1, 16), row(0x200, 2, 0)];
        let walk = |copy: &Copy| walk(copy, &[mapping], |_| &rows);
        let stack = [0x1150, 0, 0x1250, 0, 0];
        let (frames, whole) = walk(&copy(&stack, 0x1150));
        assert_eq!(frames, [0x1150, 0x1250].map(|pc| frame_word(pc, TABLE)));
        assert!(whole);
        // Cut before the second return address.
        let (frames, whole) = walk(&copy(&stack[..2], 0x1150));
        assert_eq!((frames.len(), whole), (1, false));
        // Out of the map.
        let (frames, whole) = walk(&copy(&[0x1150, 0, 0x5000], 0x1150));
        assert_eq!((frames.len(), whole), (2, false));
    }
}
