//! A session that its writers cut short. A traced program may truncate the file, and whoever reads
//! a mapped page that the file no longer has gets SIGBUS: the collector, which may be root, must
//! not end of that and leave a drop-in behind. Such a page becomes one of zeros, which say nothing.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::*};

static START: AtomicUsize = AtomicUsize::new(0);
static END: AtomicUsize = AtomicUsize::new(0);
static STRUCK: AtomicBool = AtomicBool::new(false);

const PAGE: usize = 4096;

/// Guards the newest session of this process until dropped.
pub(super) struct Guard {
    old: libc::sigaction,
}

/// Whether a page was missing since the newest guard was made.
pub(super) fn struck() -> bool {
    STRUCK.load(Acquire)
}

extern "C" fn replace(signal: libc::c_int, about: *mut libc::siginfo_t, _: *mut libc::c_void) {
    // SAFETY: the kernel hands a handler of this kind a valid structure.
    let address = unsafe { (*about).si_addr() } as usize;
    if !(START.load(Acquire)..END.load(Acquire)).contains(&address) {
        // Not ours: what is at fault will fault again, and end us.
        // SAFETY: a signal's default is valid; allowed in a handler.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
        return;
    }
    STRUCK.store(true, Release);
    let page = (address & !(PAGE - 1)) as *mut libc::c_void;
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED;
    // SAFETY: a page of our own mapping of the session, of which only atomics are read.
    unsafe { libc::mmap(page, PAGE, libc::PROT_READ | libc::PROT_WRITE, flags, -1, 0) };
}

impl Guard {
    /// Guards these addresses: all of a session's mapping.
    pub(super) fn over(addresses: Range<usize>) -> Guard {
        STRUCK.store(false, Release);
        START.store(addresses.start, Release);
        END.store(addresses.end, Release);
        // SAFETY: zeroed is a valid sigaction; the handler makes one system call and touches atomics.
        unsafe {
            let mut old = std::mem::zeroed::<libc::sigaction>();
            let mut ours = std::mem::zeroed::<libc::sigaction>();
            ours.sa_sigaction = replace as extern "C" fn(_, _, _) as usize;
            ours.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
            libc::sigaction(libc::SIGBUS, &ours, &mut old);
            Guard { old }
        }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        END.store(0, Release);
        // SAFETY: what `over` found there.
        unsafe { libc::sigaction(libc::SIGBUS, &self.old, std::ptr::null_mut()) };
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn a_page_that_was_cut_off_reads_as_zeros() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&[7; 3 * PAGE]).unwrap();
        let map = memmap2::MmapOptions::new().map_raw(&file).unwrap();
        let start = map.as_ptr() as usize;
        let guard = Guard::over(start..start + map.len());
        let read = |at: usize| unsafe {
            // SAFETY: inside the mapping.
            map.as_ptr().add(at).read_volatile()
        };
        assert_eq!((read(2 * PAGE), struck()), (7, false));
        file.set_len(PAGE as u64).unwrap();
        assert_eq!((read(2 * PAGE), struck()), (0, true));
        assert_eq!(read(0), 7);
        drop(guard);
    }
}
