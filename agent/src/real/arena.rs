//! A small arena for what the loader asks for while the real functions are being looked up. It is
//! never freed.

use core::cell::UnsafeCell;
use core::ptr::null_mut;
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};

const ARENA_BYTES: usize = 64 << 10;

#[repr(C, align(64))]
struct Arena(UnsafeCell<[u8; ARENA_BYTES]>);

// SAFETY: handed out in disjoint pieces by an atomic counter.
unsafe impl Sync for Arena {}

static ARENA: Arena = Arena(UnsafeCell::new([0; ARENA_BYTES]));
static ARENA_USED: AtomicUsize = AtomicUsize::new(0);

/// A zeroed block from the arena, preceded by its size; null when the arena is used up.
#[cold]
pub(crate) fn arena_alloc(size: usize) -> *mut u8 {
    let whole = size.saturating_add(16).next_multiple_of(16);
    if whole > ARENA_BYTES {
        return null_mut();
    }
    let at = ARENA_USED.fetch_add(whole, Relaxed);
    if at + whole > ARENA_BYTES {
        return null_mut();
    }
    // SAFETY: within the arena, and this piece is nobody else's.
    unsafe {
        let block = ARENA.0.get().cast::<u8>().add(at);
        block.cast::<usize>().write(size);
        block.add(16)
    }
}

/// Whether a block is the arena's.
#[inline(always)]
pub(crate) fn in_arena(block: *mut u8) -> bool {
    (block as usize).wrapping_sub(ARENA.0.get() as usize) < ARENA_BYTES
}

/// The size of an arena block.
///
/// # Safety
/// `block` came from [`arena_alloc`].
pub(crate) unsafe fn arena_size(block: *mut u8) -> usize {
    // SAFETY: the size lies before it.
    unsafe { block.sub(16).cast::<usize>().read() }
}
