//! What all formats end in: bytes put down again that were unpacked before.

/// The longest stretch copied in strides. Most are far shorter, and a call would take longer than the copy.
const SHORT: usize = 64;

/// Copies `length` bytes from `back` before `at` to `at`, or as many as there is room for, and says where they end. The two
/// stretches may overlap: then the first repeats. `None` where there is nothing to copy from. What follows in `room` may be
/// written over.
#[inline(always)]
pub(super) fn again(room: &mut [u8], at: usize, back: usize, length: usize) -> Option<usize> {
    // Most are like this. Where no more are asked for than lie between, what is copied besides is of no consequence.
    if length <= 16 && back >= length && stride::<16>(room, at, back).is_some() {
        return Some(at + length);
    }
    if length <= 32
        && back >= 16
        && stride::<16>(room, at, back).is_some()
        && stride::<16>(room, at + 16, back).is_some()
    {
        return Some(at + length);
    }
    others(room, at, back, length)
}

/// What `again` does, of any stretch.
#[inline(never)]
fn others(room: &mut [u8], at: usize, back: usize, length: usize) -> Option<usize> {
    if back == 0 || back > at || at > room.len() {
        return None;
    }
    let length = length.min(room.len() - at);
    let end = at + length;
    let short = length <= SHORT;
    if back >= 16 && short && end + 16 <= room.len() {
        strides::<16>(room, at, back, end)?;
    } else if back >= 8 && short && end + 8 <= room.len() {
        strides::<8>(room, at, back, end)?;
    } else if back >= length {
        room.copy_within(at - back..at - back + length, at);
    } else if back == 1 {
        let byte = room[at - 1];
        room[at..end].fill(byte);
    } else {
        // What was copied doubles what can be copied at once.
        let mut to = at;
        while to < end {
            let step = (to - (at - back)).min(end - to);
            room.copy_within(at - back..at - back + step, to);
            to += step;
        }
    }
    Some(end)
}

/// Copies what `again` copies, `N` bytes at once, which must not be more than `back`.
#[inline]
fn strides<const N: usize>(room: &mut [u8], at: usize, back: usize, end: usize) -> Option<()> {
    let mut to = at;
    while to < end {
        stride::<N>(room, to, back)?;
        to += N;
    }
    Some(())
}

/// Copies `N` bytes, all read before any is written; `None` where there are no such. Their number is in the type:
/// of a range the compiler does not always see it, and then calls a function for them.
#[inline(always)]
fn stride<const N: usize>(room: &mut [u8], at: usize, back: usize) -> Option<()> {
    let bytes: [u8; N] = *room.get(at.checked_sub(back)?..)?.first_chunk()?;
    *room.get_mut(at..)?.first_chunk_mut()? = bytes;
    Some(())
}
