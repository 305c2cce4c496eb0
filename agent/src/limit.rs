//! Whether the session fits into what a program may map. Some daemons give themselves a limit
//! (`RLIMIT_AS`, `RLIMIT_DATA`), and would fail later, where the program itself needs the room.

use core::ffi::c_int;

use crate::sys;

/// Of what a limit leaves, the program keeps at least this part of the whole limit.
const PART_LEFT: u64 = 4;
const PAGE: u64 = 4096;

/// Whether so much may be mapped, of which so much is private memory.
pub(crate) fn has_room_for(mapped: usize, private: usize) -> bool {
    let (address_space, data) = (limit(sys::RLIMIT_AS), limit(sys::RLIMIT_DATA));
    if address_space == u64::MAX && data == u64::MAX {
        return true;
    }
    // Fields 1 and 6 of `statm`.
    let pages = statm();
    let fits = |limit: u64, used: u64, more: usize| {
        limit == u64::MAX || used.saturating_add(more as u64) <= limit - limit / PART_LEFT
    };
    fits(address_space, pages[0].saturating_mul(PAGE), mapped)
        && fits(data, pages[5].saturating_mul(PAGE), private)
}

fn limit(which: c_int) -> u64 {
    let mut limit = [u64::MAX; 2];
    // SAFETY: room for the answer.
    if unsafe { sys::getrlimit(which, limit.as_mut_ptr().cast()) } == 0 {
        limit[0]
    } else {
        u64::MAX
    }
}

/// How many pages the program has of each kind; none where that is not to be known.
fn statm() -> [u64; 7] {
    let mut text = [0u8; 256];
    // SAFETY: a C string; as much room as is said; the descriptor is ours.
    let length = unsafe {
        let fd = sys::open(c"/proc/self/statm".as_ptr(), sys::O_RDONLY | sys::O_CLOEXEC);
        if fd < 0 {
            return [0; 7];
        }
        let length = sys::read(fd, text.as_mut_ptr().cast(), text.len());
        sys::close(fd);
        length
    };
    let mut numbers = [0u64; 7];
    let mut n = 0;
    for byte in text.iter().take(length.max(0) as usize) {
        match (byte, numbers.get_mut(n)) {
            (b'0'..=b'9', Some(number)) => {
                *number = number.wrapping_mul(10).wrapping_add((byte - b'0') as u64);
            }
            (b' ', _) => n += 1,
            _ => {}
        }
    }
    numbers
}
