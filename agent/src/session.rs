//! The session this process writes to: found once when the agent starts, and again by a forked
//! child, which shares the mapping but must not write in its parent's name.
//!
//! A page that the kernel wipes on fork tells parent and child apart. A vforked child shares its
//! parent's memory, page included, and rightly goes on in its parent's name until it execs.

use core::ptr::null_mut;
use core::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64, Ordering::*};

use unfreed_wire::{
    Bucket, Geometry, MAGIC, Process, ProcessState, Refusal, Session, TRAIL_BYTES, Tally, Telling,
    VERSION, Writer,
};

use crate::limit::has_room_for;
use crate::sys;
use crate::thread::Thread;
use crate::transport::{self, Memory};
use crate::unwind::Trail;
use crate::young::{Place, Young};

static BASE: AtomicPtr<u8> = AtomicPtr::new(null_mut());
static IDENTITY: AtomicPtr<Identity> = AtomicPtr::new(null_mut());
static TRAILS: AtomicPtr<Trail> = AtomicPtr::new(null_mut());
/// The table of young blocks, and how a hash is shifted to name one of its buckets.
static YOUNG: AtomicPtr<Bucket> = AtomicPtr::new(null_mut());
static YOUNG_SHIFT: AtomicU32 = AtomicU32::new(0);
static FORKED_FROM: AtomicU32 = AtomicU32::new(0);
static PID_NAMESPACE: AtomicU64 = AtomicU64::new(0);
/// The same, also where this process is not traced: what it executes is noted all the same.
static NOTES: AtomicPtr<u8> = AtomicPtr::new(null_mut());
/// Libraries loaded so far that call the C library's allocator past us; a forked child has them too.
static LIBRARIES_UNSEEN: AtomicU64 = AtomicU64::new(0);

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
    /// Index of this process in the table plus one.
    pub(crate) process: u32,
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
    let process = unsafe { (*identity).process.load(Relaxed) };
    match process {
        OFF => None,
        0 => register_child(base),
        process => {
            let joined = Joined { base, process };
            (!joined.is_closed()).then_some(joined)
        }
    }
}

#[cold]
fn register_child(base: *mut u8) -> Option<Joined> {
    let forked_from = FORKED_FROM.load(Relaxed);
    if (Joined { base, process: 0 }).is_closed() {
        return None;
    }
    register(base, forked_from, Refusal::None)
}

/// The header of the session, while somebody reads it, whether or not this process is traced in it.
pub(crate) fn header() -> Option<*mut Session> {
    let session = NOTES.load(Acquire).cast::<Session>();
    // SAFETY: null or a mapping that is never undone.
    let open = !session.is_null() && unsafe { (*session).pulse.closed.load(Relaxed) } == 0;
    open.then_some(session)
}

/// A moment after all before it, and before all after it.
pub(crate) fn moment() -> u64 {
    // SAFETY: as in `header`.
    header().map_or(0, |session| unsafe { (*session).moments.fetch_add(1, AcqRel) + 1 })
}

/// Counts a library whose allocations and frees will not be seen.
#[cold]
pub(crate) fn note_unseen_library() {
    let count = LIBRARIES_UNSEEN.fetch_add(1, Relaxed) + 1;
    if let Some(session) = joined() {
        session.entry().libraries_unseen.fetch_max(count, Relaxed);
    }
}

impl Joined {
    #[inline(always)]
    fn header(&self) -> &'static Session {
        // SAFETY: BASE is only set to a mapping that `join` has checked, as long as its geometry says,
        // which never changes.
        unsafe { &*self.base.cast() }
    }

    #[inline(always)]
    fn geometry(&self) -> &'static Geometry {
        &self.header().geometry
    }

    /// Whether nobody reads any more.
    #[inline(always)]
    fn is_closed(&self) -> bool {
        self.header().pulse.closed.load(Relaxed) != 0
    }

    /// The time, as the collector published it last.
    #[inline(always)]
    pub(crate) fn clock(&self) -> u64 {
        self.header().pulse.clock.load(Relaxed)
    }

    /// Whether only a sample of the blocks is told.
    #[inline(always)]
    pub(crate) fn samples(&self) -> bool {
        self.header().telling == Telling::Sample as u32
    }

    /// Whether blocks that die young are only counted.
    #[inline(always)]
    pub(crate) fn pairs(&self) -> bool {
        self.header().telling == Telling::Survivors as u32
    }

    /// Whether a block of this size, allocated by this thread, is part of the sample.
    #[cold]
    #[inline(never)]
    pub(crate) fn draws(&self, thread: &mut Thread, size: usize) -> bool {
        let seed = (thread as *const Thread as u64).rotate_left(32) ^ self.clock();
        let seed = seed.wrapping_mul(0x2545_f491_4f6c_dd1d) ^ (self.process as u64) << 40;
        !thread.countdown.passes(size as u64)
            && thread.countdown.draw(size as u64, seed, self.header())
    }

    /// The place of an address in the table of young blocks.
    #[inline(always)]
    pub(crate) fn place(&self, address: *mut u8) -> Option<Place> {
        let (first, shift) = (YOUNG.load(Relaxed), YOUNG_SHIFT.load(Relaxed));
        Young { first, shift, own: Bucket::WAYS as u32 }.place(address as u64, self.process)
    }

    /// Which word of a bucket takes the bits of what will be told.
    pub(crate) fn told_word(&self) -> u32 {
        self.header().pulse.told_word.load(Acquire)
    }

    /// Most frames to record.
    #[inline(always)]
    pub(crate) fn max_depth(&self) -> usize {
        self.header().max_depth as usize
    }

    /// What the thread with the writer of this index keeps of its last walk. Private to the process.
    #[inline(always)]
    pub(crate) fn trail(&self, index: u32) -> *mut Trail {
        // SAFETY: there is one for each writer; set before BASE is, and never unmapped.
        unsafe { TRAILS.load(Relaxed).byte_add(index as usize * TRAIL_BYTES) }
    }

    /// The first tally of that writer, and one less than how many it has.
    pub(crate) fn tallies(&self, index: u32) -> (*const Tally, u32) {
        // SAFETY: as in `writer`.
        let first = unsafe { self.base.add(self.geometry().tallies_offset(index)).cast() };
        (first, self.geometry().tallies(index) - 1)
    }

    /// The table of young blocks, as that writer uses it.
    pub(crate) fn young(&self, index: u32) -> Young {
        let (first, shift) = (YOUNG.load(Relaxed), YOUNG_SHIFT.load(Relaxed));
        let own = if index < Bucket::OWNED as u32 { index } else { Bucket::WAYS as u32 };
        Young { first, shift, own }
    }

    /// Lets the collector know how far up writers are claimed.
    pub(crate) fn note_writer(&self, index: u32) {
        self.header().claimed_writers.fetch_max(index + 1, AcqRel);
    }

    /// The table entry of this process.
    #[inline(always)]
    pub(crate) fn entry(&self) -> &'static Process {
        // SAFETY: `process` is an index within the table plus one; the mapping is never undone.
        unsafe { &*self.base.add(self.geometry().process_offset(self.process - 1)).cast() }
    }

    /// How many writers there are.
    #[inline(always)]
    pub(crate) fn writers(&self) -> u32 {
        self.geometry().writers
    }

    /// The writer with this index, which must be below [`Joined::writers`].
    #[inline(always)]
    pub(crate) fn writer(&self, index: u32) -> &'static Writer {
        // SAFETY: the index is within the table; the mapping is never undone.
        unsafe { &*self.base.add(self.geometry().writer_offset(index)).cast() }
    }

    /// Start and length in bytes of that writer's ring.
    #[inline(always)]
    pub(crate) fn ring(&self, index: u32) -> (*mut u64, u64) {
        // SAFETY: as above; rings are page-aligned.
        let start = unsafe { self.base.add(self.geometry().ring_offset(index)).cast() };
        (start, self.geometry().ring_bytes(index))
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
        let map = |length| {
            let base = sys::mmap(null_mut(), length, sys::PROT_READ_WRITE, sys::MAP_SHARED, fd, 0);
            (!sys::map_failed(base)).then_some(base)
        };
        let head = map(HEAD);
        let geometry = head.and_then(|head| geometry(head.cast(), length));
        let (mut refusal, mut rest) = (refusal, None);
        if let Some(geometry) = geometry {
            let private = geometry.writers as usize * TRAIL_BYTES;
            let room = has_room_for(length + private, private);
            if !room && refusal == Refusal::None {
                refusal = Refusal::AddressSpace;
            }
            // To say that there is no room, the table of processes will do.
            rest = map(if room { length } else { geometry.writer_offset(0) });
        }
        if let Some(head) = head {
            sys::munmap(head, HEAD);
        }
        sys::close(fd);
        let (Some(base), Some(geometry)) = (rest, geometry) else { return };
        let trails = if refusal == Refusal::AddressSpace {
            Some(null_mut())
        } else {
            trails(geometry.writers)
        };
        // What only passes through need not be in the program's core dumps.
        sys::madvise(base, length, sys::MADV_DONTDUMP);
        let (Some(identity), Some(trails)) = (wiped_on_fork(), trails) else { return };
        IDENTITY.store(identity, Relaxed);
        TRAILS.store(trails, Relaxed);
        let young = base.cast::<u8>().byte_add(geometry.young_offset());
        YOUNG.store(young.cast(), Relaxed);
        YOUNG_SHIFT.store(64 - geometry.young_buckets.ilog2(), Relaxed);
        PID_NAMESPACE.store(pid_namespace(), Relaxed);
        // So that the collector's barriers reach this process's threads, and its children's.
        sys::syscall(sys::SYS_MEMBARRIER, sys::MEMBARRIER_REGISTER_GLOBAL_EXPEDITED, 0, 0);
        if register(base.cast(), 0, refusal).is_some() {
            BASE.store(base.cast(), Release);
        }
        NOTES.store(base.cast(), Release);
    }
}

/// Bytes of the file that hold its header.
const HEAD: usize = 4096;

/// Where everything lies, if this is the header of a session of this length.
///
/// # Safety
/// `session` is mapped.
unsafe fn geometry(session: *const Session, length: usize) -> Option<Geometry> {
    // SAFETY: the caller's; these never change.
    let (magic, version, geometry) =
        unsafe { ((*session).magic, (*session).version, (*session).geometry) };
    (magic == MAGIC && version == VERSION && geometry.is_valid() && geometry.file_bytes() == length)
        .then_some(geometry)
}

/// Room for every writer's last walk, of which only what is used takes memory.
fn trails(writers: u32) -> Option<*mut Trail> {
    const { assert!(size_of::<Trail>() <= TRAIL_BYTES) };
    let length = writers as usize * TRAIL_BYTES;
    let flags = sys::MAP_PRIVATE_ANONYMOUS | sys::MAP_NORESERVE;
    // SAFETY: a fresh private mapping.
    unsafe {
        let base = sys::mmap(null_mut(), length, sys::PROT_READ_WRITE, flags, -1, 0);
        if sys::map_failed(base) {
            return None;
        }
        sys::madvise(base, length, sys::MADV_DONTDUMP);
        Some(base.cast())
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
    // SAFETY: BASE, or what it will be, see `header`; IDENTITY is set.
    let (session, identity) = unsafe { (&*base.cast::<Session>(), &*IDENTITY.load(Relaxed)) };
    let index = session.claimed_processes.fetch_add(1, Relaxed);
    if index >= session.geometry.processes {
        identity.process.store(OFF, Relaxed);
        return None;
    }
    let joined = Joined { base, process: index + 1 };
    let entry = joined.entry();
    entry.pid.store(own_pid(), Relaxed);
    entry.pid_namespace.store(PID_NAMESPACE.load(Relaxed), Relaxed);
    entry.forked_from.store(forked_from, Relaxed);
    entry.refusal.store(refusal as u32, Relaxed);
    entry.libraries_unseen.store(LIBRARIES_UNSEEN.load(Relaxed), Relaxed);
    if forked_from == 0 {
        note_program(entry);
    }
    entry.moment.store(session.moments.fetch_add(1, AcqRel) + 1, Relaxed);
    entry.began.store(crate::clock::process_stamp(joined), Relaxed);
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

/// The path that was given to `execve`, if there is room for it.
fn executed_as(path: &mut [u8]) -> bool {
    path.fill(0);
    // SAFETY: 0, or what the kernel put beside the arguments.
    let given = unsafe { sys::getauxval(sys::AT_EXECFN) } as usize;
    let given = core::ptr::with_exposed_provenance::<u8>(given);
    if given.is_null() {
        return false;
    }
    for (n, to) in path.iter_mut().enumerate() {
        // SAFETY: a string that ends with 0, of which nothing behind its end is read.
        let byte = unsafe { *given.add(n) };
        if byte == 0 {
            return n > 0;
        }
        *to = byte;
    }
    path.fill(0);
    false
}

/// Asks once for the path of this program, which nobody can once it has ended.
fn note_program(entry: &Process) {
    let mut path = [0u8; Process::PROGRAM_WORDS * 8];
    // SAFETY: a C string, and as much room as it is told.
    let length =
        unsafe { sys::readlink(c"/proc/self/exe".as_ptr(), path.as_mut_ptr().cast(), path.len()) };
    // A path that fills all the room may have been cut. In a root without /proc there is none: then what the
    // program was executed as must do.
    let known = (1..path.len() as isize).contains(&length) || executed_as(&mut path);
    if known {
        for (word, bytes) in entry.program.iter().zip(path.chunks_exact(8)) {
            let mut value = 0;
            for (n, byte) in bytes.iter().enumerate() {
                value |= (*byte as u64) << (n * 8);
            }
            word.store(value, Relaxed);
        }
    }
}
