//! What all formats end in: bytes put down again that were unpacked before.

/// The longest stretch copied in strides. Most are far shorter, and a call would take longer than the copy.
const SHORT: usize = 64;

/// Copies `length` bytes from `back` before `at` to `at`, or as many as there is room for, and says where they end. The two
/// stretches may overlap: then the first repeats. `None` where there is nothing to copy from. What follows in `room` may be
/// written over.
#[inline(always)]
pub(super) fn again(room: &mut [u8], at: usize, back: usize, length: usize) -> Option<usize> {
    // Nearly all are like one of these. Where no more are asked for than lie between, what is copied besides is of no
    // consequence. Of lengths nobody can foresee only two are told apart: a wrong guess takes longer than a copy.
    if length <= 16 && back >= length {
        if let Some(both) = both::<16>(room, at, back) {
            stride::<16>(both, back, 0)?;
            return Some(at + length);
        }
    } else if length <= SHORT
        && back >= 16
        && let Some(both) = both::<SHORT>(room, at, back)
    {
        for to in (0..SHORT).step_by(16) {
            stride::<16>(both, back, to)?;
        }
        return Some(at + length);
    }
    others(room, at, back, length)
}

/// What lies from `back` before `at` to `N` behind it; `None` where it is not all there.
#[inline(always)]
fn both<const N: usize>(room: &mut [u8], at: usize, back: usize) -> Option<&mut [u8]> {
    room.get_mut(at.checked_sub(back)?..at.checked_add(N)?)
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
    if back >= 8 && short && end + 8 <= room.len() {
        let both = room.get_mut(at - back..end + 8)?;
        for to in (0..length).step_by(8) {
            stride::<8>(both, back, to)?;
        }
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

/// Copies `N` bytes from `at` to `back` behind it, all read before any is written; `None` where there are no such. Their
/// number is in the type: of a range the compiler does not always see it, and then calls a function for them.
#[inline(always)]
fn stride<const N: usize>(both: &mut [u8], back: usize, at: usize) -> Option<()> {
    let bytes: [u8; N] = *both.get(at..)?.first_chunk()?;
    *both.get_mut(at + back..)?.first_chunk_mut()? = bytes;
    Some(())
}
