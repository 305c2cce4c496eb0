//! What all formats end in: bytes put down again that were unpacked before.

/// The longest stretch copied in strides. Most are far shorter, and a call would take longer than the copy.
const SHORT: usize = 64;

/// Copies `length` bytes from `back` before `at` to `at`, or as many as there is room for, and says where they end. The two
/// stretches may overlap: then the first repeats. `None` where there is nothing to copy from. What follows in `room` may be
/// written over.
#[inline]
pub(super) fn again(room: &mut [u8], at: usize, back: usize, length: usize) -> Option<usize> {
    if back == 0 || back > at || at > room.len() {
        return None;
    }
    let length = length.min(room.len() - at);
    let end = at + length;
    if back >= 16 && length <= 32 && at + 32 <= room.len() {
        // Both at once: whether the second is needed nobody can foresee.
        room.copy_within(at - back..at - back + 16, at);
        room.copy_within(at + 16 - back..at + 32 - back, at + 16);
    } else if back >= 8 && length <= SHORT && end + 8 <= room.len() {
        strides::<8>(room, at, back, end);
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
fn strides<const N: usize>(room: &mut [u8], at: usize, back: usize, end: usize) {
    let mut to = at;
    while to < end {
        room.copy_within(to - back..to - back + N, to);
        to += N;
    }
}

/// Copies the first `length` bytes of `from` to `at`, up to 16 of them at once; `None` where there are fewer or no room.
/// What follows in `room` may be written over.
#[inline]
pub(super) fn fresh(room: &mut [u8], at: usize, from: &[u8], length: usize) -> Option<()> {
    let wide = from.first_chunk::<16>().filter(|_| length <= 16);
    match (wide, room.get_mut(at..at + 16)) {
        (Some(wide), Some(to)) => to.copy_from_slice(wide),
        _ => room.get_mut(at..at + length)?.copy_from_slice(from.get(..length)?),
    }
    Some(())
}
