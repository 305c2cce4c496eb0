//! Recording: what happens around a real allocator function.
//!
//! An allocation is stamped after the real call and a free before it, a realloc on both sides:
//! ordered by stamps, no address is ever taken before it was given back. Whatever is called from
//! inside one of these is let through unrecorded, see [`crate::thread`].

use core::ffi::c_void;
use core::mem::MaybeUninit;
use core::ptr::null;
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering::*};

use unfreed_wire::{Kind, RecordHeader, words};

use crate::real::cxx::is_operator_s;
use crate::ring::{Need, Ring, release, stamp};
use crate::session::{Joined, joined};
use crate::sys;
use crate::thread::{Entry, Thread, Wrapping, this_thread};
use crate::unwind::{self, Object, Registers, Stack, pointer, thread_pointer};

/// The number of an allocator function in the event vocabulary (`event::Function`).
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
#[allow(missing_docs, reason = "each is the function it is named after")]
pub enum Function {
    Malloc = 1,
    Calloc = 2,
    Realloc = 3,
    Reallocarray = 4,
    PosixMemalign = 5,
    AlignedAlloc = 6,
    Memalign = 7,
    Valloc = 8,
    Pvalloc = 9,
    New = 10,
    NewArray = 11,
    Free = 12,
    Delete = 13,
    DeleteArray = 14,
}

/// Records a block that a real function has just returned.
#[inline(always)]
pub fn allocated(block: *mut u8, size: usize, function: Function, registers: Registers) {
    let Some(session) = joined() else { return };
    if block.is_null() {
        return;
    }
    let thread = this_thread();
    // SAFETY: this thread's own storage.
    match unsafe { (*thread).enter(registers.sp, Wrapping::Nothing) } {
        Entry::Outermost => {
            append_alloc(thread, session, block, size, function, registers);
            // SAFETY: as above.
            unsafe { (*thread).leave() };
        }
        Entry::NestedInOperator if !is_operator_s(return_address(registers)) => {
            // SAFETY: as above.
            let interrupted = unsafe { (*thread).interrupt(registers.sp) };
            append_alloc(thread, session, block, size, function, registers);
            // SAFETY: as above.
            unsafe {
                (*thread).block = block as u64;
                (*thread).resume(interrupted);
            }
        }
        Entry::Nested | Entry::NestedInOperator => {}
        Entry::Reentrant => count_reentrant(thread, session, false),
    }
}

/// Records a block that is about to be freed, then frees it with `real`.
#[inline(always)]
pub fn freeing(block: *mut u8, function: Function, registers: Registers, real: impl FnOnce()) {
    let Some(session) = joined() else { return real() };
    let thread = this_thread();
    // SAFETY: this thread's own storage.
    match unsafe { (*thread).enter(registers.sp, Wrapping::Nothing) } {
        Entry::Outermost => {
            append_free(thread, session, block, function);
            // The C++ functions call `free`, which must not be recorded again.
            if function == Function::Free {
                // SAFETY: as above.
                unsafe { (*thread).leave() };
                real();
            } else {
                // SAFETY: as above.
                unsafe {
                    (*thread).enter(registers.sp, Wrapping::Operator);
                    (*thread).block = block as u64;
                    real();
                    (*thread).leave();
                }
            }
        }
        // The block being deleted is freed on the way; any other has nothing to do with it.
        // SAFETY: as above.
        Entry::NestedInOperator if unsafe { (*thread).block } != block as u64 => {
            // SAFETY: as above.
            let interrupted = unsafe { (*thread).interrupt(registers.sp) };
            append_free(thread, session, block, function);
            // SAFETY: as above.
            unsafe { (*thread).resume(interrupted) };
            real();
        }
        Entry::Nested | Entry::NestedInOperator => real(),
        Entry::Reentrant => {
            count_reentrant(thread, session, true);
            real();
        }
    }
}

/// Runs a real function that may call other allocator functions, and records its block.
#[inline(always)]
pub fn allocating(
    size: usize,
    function: Function,
    registers: Registers,
    real: impl FnOnce() -> *mut u8,
) -> *mut u8 {
    let entered = enter_wrapped(registers, Wrapping::Function);
    let block = real();
    if entered {
        leave_wrapped(block, size, function, registers);
    }
    block
}

/// Sets the guard for a real function that may call others. Whether [`leave_wrapped`] must follow.
pub(crate) fn enter_wrapped(registers: Registers, wrapping: Wrapping) -> bool {
    let Some(session) = joined() else { return false };
    let thread = this_thread();
    // SAFETY: this thread's own storage.
    match unsafe { (*thread).enter(registers.sp, wrapping) } {
        Entry::Outermost => true,
        Entry::Nested | Entry::NestedInOperator => false,
        Entry::Reentrant => {
            count_reentrant(thread, session, false);
            false
        }
    }
}

/// Records what the real function returned and takes the guard away.
pub fn leave_wrapped(block: *mut u8, size: usize, function: Function, registers: Registers) {
    let thread = this_thread();
    // SAFETY: this thread's own storage.
    let recorded = unsafe {
        (*thread).unwrap_entry();
        // Another library's malloc stands between the operator and ours, and what it was given
        // has been recorded under its own name.
        (*thread).block == block as u64
    };
    if let (Some(session), false) = (joined(), block.is_null() || recorded) {
        append_alloc(thread, session, block, size, function, registers);
    }
    // SAFETY: as above.
    unsafe { (*thread).leave() };
}

/// Where the function entered with these registers will return to.
#[inline(always)]
fn return_address(registers: Registers) -> u64 {
    // SAFETY: the stack pointer at a function's entry points to its return address.
    unsafe { *pointer::<u64>(registers.sp) }
}

/// An exception passes through a wrapped function: the guard goes with it.
pub fn abandon_wrapped() {
    // SAFETY: this thread's own storage.
    unsafe { (*this_thread()).leave() };
}

/// Runs a real `realloc` of a block that is not NULL, and records both halves.
#[inline(always)]
pub fn reallocating(
    old: *mut u8,
    size: usize,
    function: Function,
    registers: Registers,
    real: impl FnOnce() -> *mut u8,
) -> *mut u8 {
    let Some(session) = joined() else { return real() };
    let thread = this_thread();
    // SAFETY: this thread's own storage.
    match unsafe { (*thread).enter(registers.sp, Wrapping::Function) } {
        Entry::Outermost => {}
        Entry::Nested | Entry::NestedInOperator => return real(),
        Entry::Reentrant => {
            count_reentrant(thread, session, false);
            return real();
        }
    }
    // SAFETY: this thread's own storage; nobody else holds a reference to it. The ring stays
    // open, and so unread stamps are known of, until both halves are written.
    let ring = Ring::open(unsafe { &mut *thread }, session);
    let before = stamp();
    let new = real();
    // SAFETY: as above.
    unsafe { (*thread).unwrap_entry() };
    match ring {
        None => count_unclaimed(session, true, !new.is_null()),
        Some(ring) => {
            if !new.is_null() {
                append_realloc(&ring, before, old, new, size, function, registers);
            } else if size == 0 {
                write_free(&ring, before, old, function);
            }
            ring.close();
        }
    }
    // SAFETY: as above.
    unsafe { (*thread).leave() };
    new
}

fn append_realloc(
    ring: &Ring,
    before: u64,
    old: *mut u8,
    new: *mut u8,
    size: usize,
    function: Function,
    registers: Registers,
) {
    let hash = stack_hash(ring, registers);
    let header = RecordHeader {
        kind: Kind::Realloc as u8,
        function: function as u8,
        words: words::REALLOC as u16,
        detail: 0,
    };
    let record = [header.pack(), before, stamp(), old as u64, new as u64, size as u64, hash];
    if ring.append(&record, Need::Other) {
        return;
    }
    ring.counters().lost_allocations.fetch_add(1, Relaxed);
    write_free(ring, before, old, function);
}

fn append_alloc(
    thread: *mut Thread,
    session: Joined,
    block: *mut u8,
    size: usize,
    function: Function,
    registers: Registers,
) {
    // SAFETY: this thread's own storage; nobody else holds a reference to it.
    let Some(ring) = Ring::open(unsafe { &mut *thread }, session) else {
        return count_unclaimed(session, false, true);
    };
    let hash = stack_hash(&ring, registers);
    let header = RecordHeader {
        kind: Kind::Alloc as u8,
        function: function as u8,
        words: words::ALLOC as u16,
        detail: 0,
    };
    if !ring.append(&[header.pack(), stamp(), block as u64, size as u64, hash], Need::Other) {
        ring.counters().lost_allocations.fetch_add(1, Relaxed);
    }
    ring.close();
}

fn append_free(thread: *mut Thread, session: Joined, block: *mut u8, function: Function) {
    // SAFETY: as in `append_alloc`.
    let Some(ring) = Ring::open(unsafe { &mut *thread }, session) else {
        return count_unclaimed(session, true, false);
    };
    write_free(&ring, stamp(), block, function);
    ring.close();
}

fn write_free(ring: &Ring, stamp: u64, block: *mut u8, function: Function) {
    let header = RecordHeader {
        kind: Kind::Free as u8,
        function: function as u8,
        words: words::FREE as u16,
        detail: 0,
    };
    if !ring.append(&[header.pack(), stamp, block as u64], Need::Free) {
        ring.counters().lost_frees.fetch_add(1, Relaxed);
    }
}

#[cold]
fn count_unclaimed(session: Joined, free: bool, allocation: bool) {
    let entry = session.entry();
    entry.lost_frees.fetch_add(free as u64, Relaxed);
    entry.lost_allocations.fetch_add(allocation as u64, Relaxed);
}

#[cold]
fn count_reentrant(thread: *mut Thread, session: Joined, free: bool) {
    // SAFETY: this thread's own storage, only read here.
    let (writer, process) = unsafe { ((*thread).writer, (*thread).process) };
    if writer == 0 || process != session.process {
        return count_unclaimed(session, free, !free);
    }
    let counters = session.writer(writer - 1);
    let counter = if free { &counters.reentrant_frees } else { &counters.reentrant_allocations };
    counter.fetch_add(1, Relaxed);
}

const SEEN: usize = 1 << 16;

/// Hashes of the stacks that this process has defined. One that is pushed out is defined again.
static STACKS_SEEN: [AtomicU64; SEEN] = [const { AtomicU64::new(0) }; SEEN];

/// Walks the stack and makes sure that its definition is in some ring.
#[inline(always)]
fn stack_hash(ring: &Ring, registers: Registers) -> u64 {
    let mut stack = MaybeUninit::<Stack>::uninit();
    let generation = unwind::generation();
    let limit = ring.session.max_depth as usize;
    unwind::walk(registers, limit, generation, &mut stack, |object| {
        announce_module(ring, object, generation)
    });
    // SAFETY: `walk` has filled in everything but the frames beyond its depth, which are plain
    // words and not read.
    let stack = unsafe { stack.assume_init_ref() };
    // A forked child defines its own: the collector keeps each process's apart.
    let hash = stack.hash ^ (ring.session.process as u64) << 48;
    let seen = &STACKS_SEEN[(hash >> 20) as usize % SEEN];
    if seen.load(Acquire) != hash && define_stack(ring, stack, hash) {
        seen.store(hash, Release);
    }
    hash
}

#[cold]
#[inline(never)]
fn define_stack(ring: &Ring, stack: &Stack, hash: u64) -> bool {
    let mut record = [0u64; words::STACK + unwind::MAX_DEPTH];
    let length = words::STACK + stack.depth;
    let header = RecordHeader {
        kind: Kind::Stack as u8,
        function: 0,
        words: length as u16,
        detail: stack.end as u32,
    };
    record[0] = header.pack();
    record[1] = stamp();
    record[2] = hash;
    record[words::STACK..length].copy_from_slice(stack.frames());
    let written = ring.append(&record[..length], Need::Other);
    if !written {
        ring.counters().lost_stacks.fetch_add(1, Relaxed);
    }
    written
}

const MODULES: usize = 1 << 10;
const NAME_WORDS: usize = 64;

static MODULES_SEEN: [AtomicU64; MODULES] = [const { AtomicU64::new(0) }; MODULES];

/// Tells of a module, once in each generation. Returns whether the collector will know it.
fn announce_module(ring: &Ring, object: &Object, generation: u64) -> bool {
    let process = (ring.session.process as u64) << 32;
    let key = object.start ^ (generation ^ process).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let seen = &MODULES_SEEN[((object.start >> 12 ^ object.start >> 22) as usize) % MODULES];
    if seen.load(Acquire) == key {
        return true;
    }
    let name = object.name();
    let length = name.len().min(NAME_WORDS * 8);
    let mut record = [0u64; words::MODULE + NAME_WORDS];
    let whole = words::MODULE + length.div_ceil(8);
    let header =
        RecordHeader { kind: Kind::Module as u8, function: 0, words: whole as u16, detail: 0 };
    record[0] = header.pack();
    record[1] = stamp();
    record[2] = object.load_bias;
    record[3] = object.start;
    record[4] = object.end;
    record[5] = name.len() as u64;
    for (n, byte) in name[..length].iter().enumerate() {
        record[words::MODULE + n / 8] |= (*byte as u64) << (n % 8 * 8);
    }
    let written = ring.append(&record[..whole], Need::Other);
    if written {
        seen.store(key, Release);
    }
    written
}

/// Offset of the thread id in the C library's thread control block, if it was found to be there.
static TID_OFFSET: AtomicU32 = AtomicU32::new(0);

/// glibc's `struct pthread.tid` on x86-64, for as long as anybody remembers.
const GLIBC_TID_OFFSET: u32 = 0x2d0;

/// Checks that the thread id lies where we think, so that it can be known without asking the
/// kernel each time.
pub fn find_thread_id() {
    // SAFETY: gettid has no effect; the offset lies inside glibc's control block.
    let (asked, read) = unsafe {
        (
            sys::syscall(sys::SYS_GETTID) as u32,
            *pointer::<u32>(thread_pointer() + GLIBC_TID_OFFSET as u64),
        )
    };
    if asked == read {
        TID_OFFSET.store(GLIBC_TID_OFFSET, Relaxed);
    }
}

/// This thread's id, or 0 where it cannot be known without a system call.
pub(crate) fn thread_id() -> u32 {
    match TID_OFFSET.load(Relaxed) {
        0 => 0,
        // SAFETY: checked in `find_thread_id`.
        offset => unsafe { *pointer::<u32>(thread_pointer() + offset as u64) },
    }
}

static END_KEY: AtomicU32 = AtomicU32::new(u32::MAX);

/// Asks to be told when threads end.
pub fn find_thread_ends() {
    let mut key = 0;
    // SAFETY: the destructor only touches the ending thread's storage and its writer.
    if unsafe { sys::pthread_key_create(&mut key, Some(thread_ended)) } == 0 {
        END_KEY.store(key, Relaxed);
    }
}

pub(crate) fn watch_thread_end() {
    /// glibc keeps the values of the first 32 keys without allocating.
    const KEYS_IN_PLACE: u32 = 32;
    let key = END_KEY.load(Relaxed);
    if key < KEYS_IN_PLACE {
        // SAFETY: a key of ours; the value is only ever compared with null.
        unsafe { sys::pthread_setspecific(key, null::<u8>().wrapping_add(1).cast()) };
    }
}

unsafe extern "C" fn thread_ended(_: *mut c_void) {
    let thread = this_thread();
    if let Some(session) = joined() {
        // SAFETY: this thread's own storage.
        release(unsafe { &mut *thread }, session);
    }
}
