//! What all formats end in: bytes put down again that were unpacked before.

/// How many bytes are copied at once where there is room.
const STRIDE: usize = 16;

/// Copies `length` bytes from `back` before `at` to `at`, or as many as there is room for, and says where they end. The two
/// stretches may overlap: then the first repeats. `None` where there is nothing to copy from.
#[inline]
pub(super) fn again(room: &mut [u8], at: usize, back: usize, length: usize) -> Option<usize> {
    if back == 0 || back > at || at > room.len() {
        return None;
    }
    let length = length.min(room.len() - at);
    let end = at + length;
    if back >= STRIDE && length <= STRIDE && at + STRIDE <= room.len() {
        // Most are short. What is copied too much is written over.
        room.copy_within(at - back..at - back + STRIDE, at);
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
