//! The session this process writes to: found once when the agent starts, and again by a forked
//! child, which shares the mapping but must not write in its parent's name.
//!
//! A page that the kernel wipes on fork tells parent and child apart. A vforked child shares its
//! parent's memory, page included, and rightly goes on in its parent's name until it execs.

use core::ptr::null_mut;
use core::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64, Ordering::*};

use unfreed_wire::{Geometry, MAGIC, Process, ProcessState, Refusal, Session, VERSION, Writer};

use crate::sys;
use crate::transport::{self, Memory};

static BASE: AtomicPtr<u8> = AtomicPtr::new(null_mut());
static IDENTITY: AtomicPtr<Identity> = AtomicPtr::new(null_mut());
static FORKED_FROM: AtomicU32 = AtomicU32::new(0);
static PID_NAMESPACE: AtomicU64 = AtomicU64::new(0);
/// The same, also where this process is not traced: what it executes is noted all the same.
static NOTES: AtomicPtr<u8> = AtomicPtr::new(null_mut());

/// Lies alone in a page that a fork wipes.
struct Identity {
    /// Index of this process plus one; 0 in a fresh child, `u32::MAX` where tracing is off.
    process: AtomicU32,
}

const OFF: u32 = u32::MAX;

/// A mapped session in which this process has an entry.
#[derive(Clone, Copy)]
pub(crate) struct Joined {
    base: *mut u8,
    geometry: Geometry,
    /// Index of this process in the table plus one.
    pub(crate) process: u32,
    /// Most frames to record.
    pub(crate) max_depth: u32,
}

/// The session, if this process is being traced. In a forked child the first call registers it.
#[inline(always)]
pub(crate) fn joined() -> Option<Joined> {
    let base = BASE.load(Acquire);
    if base.is_null() {
        return None;
    }
    let identity = IDENTITY.load(Relaxed);
    // SAFETY: both are set before BASE is, and never unmapped.
    let (process, closed) = unsafe {
        ((*identity).process.load(Relaxed), (*base.cast::<Session>()).closed.load(Relaxed))
    };
    if closed != 0 {
        return None;
    }
    match process {
        OFF => None,
        0 => register_child(base),
        process => Some(view(base, process)),
    }
}

#[inline(always)]
fn view(base: *mut u8, process: u32) -> Joined {
    // SAFETY: BASE is only set to a mapping that `join` has checked, as long as its geometry says;
    // the header's plain fields never change.
    let (geometry, max_depth) = unsafe {
        let session = base.cast::<Session>();
        ((*session).geometry, (*session).max_depth)
    };
    Joined { base, geometry, process, max_depth }
}

#[cold]
fn register_child(base: *mut u8) -> Option<Joined> {
    let forked_from = FORKED_FROM.load(Relaxed);
    register(base, forked_from, Refusal::None)
}

/// The header of the session, while somebody reads it, whether or not this process is traced in it.
pub(crate) fn header() -> Option<*mut Session> {
    let session = NOTES.load(Acquire).cast::<Session>();
    // SAFETY: null or a mapping that is never undone.
    let open = !session.is_null() && unsafe { (*session).closed.load(Relaxed) } == 0;
    open.then_some(session)
}

impl Joined {
    /// The table entry of this process.
    #[inline(always)]
    pub(crate) fn entry(&self) -> &'static Process {
        // SAFETY: `process` is an index within the table plus one; the mapping is never undone.
        unsafe { &*self.base.add(self.geometry.process_offset(self.process - 1)).cast() }
    }

    /// How many writers there are.
    #[inline(always)]
    pub(crate) fn writers(&self) -> u32 {
        self.geometry.writers
    }

    /// The writer with this index, which must be below [`Joined::writers`].
    #[inline(always)]
    pub(crate) fn writer(&self, index: u32) -> &'static Writer {
        // SAFETY: the index is within the table; the mapping is never undone.
        unsafe { &*self.base.add(self.geometry.writer_offset(index)).cast() }
    }

    /// Start and length in bytes of that writer's ring.
    #[inline(always)]
    pub(crate) fn ring(&self, index: u32) -> (*mut u64, u64) {
        // SAFETY: as above; rings are page-aligned.
        let start = unsafe { self.base.add(self.geometry.ring_offset(index)).cast() };
        (start, self.geometry.ring_bytes(index))
    }
}

/// Maps the session that `UNFREED_SESSION` names and registers this process. Does nothing where that
/// cannot be done: the collector notices that nobody registered.
///
/// # Safety
/// `value` points to a string that ends with 0.
pub(crate) unsafe fn join(value: *const u8, refusal: Refusal) {
    // SAFETY: the caller's; then calls on what they gave.
    unsafe {
        let Some(Memory { fd, length }) = transport::open(value) else { return };
        let base = sys::mmap(null_mut(), length, sys::PROT_READ_WRITE, sys::MAP_SHARED, fd, 0);
        sys::close(fd);
        if sys::map_failed(base) {
            return;
        }
        // What only passes through need not be in the program's core dumps.
        sys::madvise(base, length, sys::MADV_DONTDUMP);
        let session = base.cast::<Session>();
        let fits = (*session).magic == MAGIC
            && (*session).version == VERSION
            && (*session).geometry.is_valid()
            && (*session).geometry.file_bytes() == length;
        let Some(identity) = fits.then(wiped_on_fork).flatten() else {
            sys::munmap(base, length);
            return;
        };
        IDENTITY.store(identity, Relaxed);
        PID_NAMESPACE.store(pid_namespace(), Relaxed);
        // So that the collector's barriers reach this process's threads, and its children's.
        sys::syscall(sys::SYS_MEMBARRIER, sys::MEMBARRIER_REGISTER_GLOBAL_EXPEDITED, 0, 0);
        if register(base.cast(), 0, refusal).is_some() {
            BASE.store(base.cast(), Release);
        }
        NOTES.store(base.cast(), Release);
    }
}

fn wiped_on_fork() -> Option<*mut Identity> {
    // SAFETY: a fresh private mapping; advice on it concerns nobody else.
    unsafe {
        let page =
            sys::mmap(null_mut(), 4096, sys::PROT_READ_WRITE, sys::MAP_PRIVATE_ANONYMOUS, -1, 0);
        if sys::map_failed(page) {
            return None;
        }
        if sys::madvise(page, 4096, sys::MADV_WIPEONFORK) != 0 {
            sys::munmap(page, 4096);
            return None;
        }
        Some(page.cast())
    }
}

fn register(base: *mut u8, forked_from: u32, refusal: Refusal) -> Option<Joined> {
    // SAFETY: as in `view`; IDENTITY is set.
    let (session, identity) = unsafe { (&*base.cast::<Session>(), &*IDENTITY.load(Relaxed)) };
    let index = session.claimed_processes.fetch_add(1, Relaxed);
    if index >= session.geometry.processes {
        identity.process.store(OFF, Relaxed);
        return None;
    }
    let joined = view(base, index + 1);
    let entry = joined.entry();
    entry.pid.store(own_pid(), Relaxed);
    entry.pid_namespace.store(PID_NAMESPACE.load(Relaxed), Relaxed);
    entry.forked_from.store(forked_from, Relaxed);
    entry.refusal.store(refusal as u32, Relaxed);
    if forked_from == 0 {
        note_program(entry);
    }
    entry.began.store(crate::clock::stamp(), Relaxed);
    let refused = refusal != Refusal::None;
    let state = if refused { ProcessState::Refused } else { ProcessState::Ready };
    entry.state.store(state as u32, Release);
    identity.process.store(if refused { OFF } else { index + 1 }, Relaxed);
    FORKED_FROM.store(index + 1, Relaxed);
    (!refused).then_some(joined)
}

/// The only system call that a forked child makes: what else there is to know its parent knows. A
/// filter of system calls that the parent has set meanwhile may allow nothing more.
pub(crate) fn own_pid() -> u32 {
    // SAFETY: has no effect.
    unsafe { sys::getpid() as u32 }
}

/// The number of the pid namespace that this process is in, in which the collector may not be: it
/// then looks for the process by its number there. 0 where it cannot be known.
fn pid_namespace() -> u64 {
    // `pid:[4026531836]`
    let mut text = [0u8; 32];
    // SAFETY: a C string, and as much room as it is told.
    unsafe {
        sys::readlink(c"/proc/self/ns/pid".as_ptr(), text.as_mut_ptr().cast(), text.len());
    }
    text.iter()
        .filter(|byte| byte.is_ascii_digit())
        .fold(0, |number: u64, digit| number.wrapping_mul(10).wrapping_add((digit - b'0').into()))
}

/// Asks once for the path of this program, which nobody can once it has ended.
fn note_program(entry: &Process) {
    let mut path = [0u8; Process::PROGRAM_WORDS * 8];
    // SAFETY: a C string, and as much room as it is told.
    let length =
        unsafe { sys::readlink(c"/proc/self/exe".as_ptr(), path.as_mut_ptr().cast(), path.len()) };
    // A path that fills all the room may have been cut.
    if (1..path.len() as isize).contains(&length) {
        for (word, bytes) in entry.program.iter().zip(path.chunks_exact(8)) {
            let mut value = 0;
            for (n, byte) in bytes.iter().enumerate() {
                value |= (*byte as u64) << (n * 8);
            }
            word.store(value, Relaxed);
        }
    }
}
