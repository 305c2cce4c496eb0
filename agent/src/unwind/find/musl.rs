//! musl, whose list of modules can be read without its lock.
//!
//! musl never unloads: once `dlopen` has succeeded a module's entry stays, and stays where it is. Its
//! `dl_iterate_phdr` takes the loader's lock, which older versions hold while they call `malloc`,
//! so it is asked once, while the program starts, only to check that the entries are laid out as we
//! think. Modules are kept in a table in the list's order, in which every thread writes the same.
//!
//! A `dlopen` that fails takes its entries back. While one is under way musl says so to debuggers
//! (since 1.2.3), and what it has added is not looked at.

use core::ffi::{c_char, c_int, c_void};
use core::ptr::null_mut;
use core::sync::atomic::{AtomicI32, AtomicPtr, AtomicU64, AtomicUsize, Ordering::*};

use super::{Code, Object};
use crate::listing::{Listed, ProgramHeader, dl_iterate_phdr};
use crate::weak::weak;

/// The beginning of musl's `struct dso`: `struct link_map` of `<link.h>`, then the program headers.
#[repr(C)]
struct Entry {
    load_bias: u64,
    name: *const c_char,
    dynamic: *const c_void,
    next: AtomicPtr<Entry>,
    previous: *const Entry,
    headers: *const ProgramHeader,
    header_count: c_int,
}

const PT_LOAD: u32 = 1;
const READ_EXECUTE: u32 = 4 | 1;
const PT_GNU_EH_FRAME: u32 = 0x6474_e550;

/// `struct r_debug` of `<link.h>`.
#[repr(C)]
struct Debug {
    version: c_int,
    head: *mut Entry,
    breakpoint: u64,
    state: AtomicI32,
    base: u64,
}

/// The state in which the list is not being changed.
const CONSISTENT: i32 = 0;

weak!("_dl_debug_addr", unfreed_agent_debug: *const *const Debug);

/// What debuggers are told, once the list's entries were found to be what we think; or null.
static DEBUG: AtomicPtr<Debug> = AtomicPtr::new(null_mut());

/// What [`Code::ends`] wants.
static ENDS: [AtomicU64; 2] = [const { AtomicU64::new(0) }; 2];

/// Learns whether the list can be read.
pub(super) fn prepare(ends: [u64; 2]) {
    // SAFETY: a pointer that the loader has filled in; musl's own variable behind it.
    unsafe {
        let debug = (&raw const unfreed_agent_debug).read_volatile();
        if debug.is_null() || (*debug).is_null() || (**debug).head.is_null() {
            return;
        }
        let debug = (*debug).cast_mut();
        let mut check = Check { entry: (*debug).head, agrees: true };
        dl_iterate_phdr(compare, (&raw mut check).cast());
        if !check.agrees || !check.entry.is_null() {
            return;
        }
        for (to, end) in ENDS.iter().zip(ends) {
            to.store(end, Relaxed);
        }
        DEBUG.store(debug, Release);
    }
}

/// Whether it can.
pub(super) fn is_usable() -> bool {
    !DEBUG.load(Acquire).is_null()
}

struct Check {
    entry: *const Entry,
    agrees: bool,
}

/// Compares an entry with what musl tells of the same module.
unsafe extern "C" fn compare(told: *const Listed, size: usize, check: *mut c_void) -> c_int {
    // SAFETY: ours, and musl's; the entry is one of the list's, which begins with the parts that
    // debuggers are promised.
    unsafe {
        let check = &mut *check.cast::<Check>();
        check.agrees &= size >= size_of::<Listed>()
            && !check.entry.is_null()
            && (*check.entry).load_bias == (*told).load_bias
            && (*check.entry).headers == (*told).headers
            && (*check.entry).header_count == (*told).header_count as c_int;
        if !check.agrees {
            return 1;
        }
        check.entry = (*check.entry).next.load(Relaxed);
    }
    0
}

/// A known module, in the list's order.
struct Slot {
    entry: AtomicPtr<Entry>,
    start: AtomicU64,
    end: AtomicU64,
    eh_frame_header: AtomicU64,
}

impl Slot {
    fn contains(&self, address: u64) -> bool {
        (self.start.load(Relaxed)..self.end.load(Relaxed)).contains(&address)
    }
}

/// Modules beyond this many are found, but by way of the list each time.
const SLOTS: usize = 256;

static TABLE: [Slot; SLOTS] = [const {
    Slot {
        entry: AtomicPtr::new(null_mut()),
        start: AtomicU64::new(0),
        end: AtomicU64::new(0),
        eh_frame_header: AtomicU64::new(0),
    }
}; SLOTS];

/// How many slots are filled.
static KNOWN: AtomicUsize = AtomicUsize::new(0);

/// The module that holds this address, if any.
pub(super) fn find(address: u64) -> Option<Object> {
    let known = KNOWN.load(Acquire);
    match TABLE[..known].iter().find(|slot| slot.contains(address)) {
        Some(slot) => {
            // SAFETY: the entry of a module that is loaded, which it is for ever.
            let mut object = unsafe { name_of(slot.entry.load(Relaxed)) };
            object.start = slot.start.load(Relaxed);
            object.end = slot.end.load(Relaxed);
            object.eh_frame_header = slot.eh_frame_header.load(Relaxed);
            Some(object)
        }
        None => learn(address, known),
    }
}

/// The readable code that holds this address, in a module of the table.
pub(super) fn find_code(address: u64) -> Option<Code> {
    let known = KNOWN.load(Acquire);
    let slot = TABLE[..known].iter().find(|slot| slot.contains(address))?;
    // SAFETY: the entry of a module that is loaded, which it is for ever.
    let (entry, headers) = unsafe { headers_of(slot.entry.load(Relaxed)) };
    headers.iter().find_map(|header| {
        let start = entry.load_bias.wrapping_add(header.address);
        let end = start.wrapping_add(header.memory_bytes);
        let usable = header.kind == PT_LOAD && header.flags & READ_EXECUTE == READ_EXECUTE;
        let ends = [ENDS[0].load(Relaxed), ENDS[1].load(Relaxed)];
        (usable && (start..end).contains(&address)).then_some(Code { start, end, ends })
    })
}

/// Goes on where the table ends. Code has run in the module that is found: it has come to stay, and so
/// have those before it. Only those are kept.
#[cold]
#[inline(never)]
fn learn(address: u64, known: usize) -> Option<Object> {
    let debug = DEBUG.load(Acquire);
    if debug.is_null() {
        return None;
    }
    // SAFETY: musl's variable, and the entries of modules that have come to stay.
    unsafe {
        let first = match known.checked_sub(1) {
            None => (*debug).head,
            Some(last) => next(debug, TABLE[last].entry.load(Relaxed)),
        };
        let mut entry = first;
        while !entry.is_null() {
            let object = describe(entry);
            if (object.start..object.end).contains(&address) {
                keep(known, first, entry);
                return Some(object);
            }
            entry = next(debug, entry);
        }
    }
    None
}

/// The entry after one that has come to stay; null where there is none that has.
///
/// # Safety
/// Both are musl's.
unsafe fn next(debug: *mut Debug, entry: *mut Entry) -> *mut Entry {
    // SAFETY: the caller's. The loader says that it is at work before it adds an entry, and that
    // it is not after it has taken one back. So an entry that is there both before and after the
    // loader was seen at rest is there to stay; for another to take its very place in between,
    // one `dlopen` would have to fail and the next to begin between two loads.
    unsafe {
        let next = (*entry).next.load(Acquire);
        let resting = (*debug).state.load(Acquire) == CONSISTENT;
        if resting && (*entry).next.load(Acquire) == next { next } else { null_mut() }
    }
}

/// Fills the table from slot `index` on with the entries from `entry` to `last`. Several threads may
/// do so at once: what they write is the same.
///
/// # Safety
/// The entries are those of modules that have come to stay; the first belongs in that slot.
unsafe fn keep(index: usize, entry: *mut Entry, last: *mut Entry) {
    let mut entry = entry;
    for (index, slot) in TABLE.iter().enumerate().skip(index) {
        // SAFETY: the caller's.
        let object = unsafe { describe(entry) };
        slot.entry.store(entry, Relaxed);
        slot.start.store(object.start, Relaxed);
        slot.end.store(object.end, Relaxed);
        slot.eh_frame_header.store(object.eh_frame_header, Relaxed);
        KNOWN.fetch_max(index + 1, Release);
        if entry == last {
            return;
        }
        // SAFETY: as above.
        entry = unsafe { (*entry).next.load(Acquire) };
    }
}

/// What an entry says of its module.
///
/// # Safety
/// The entry of a module that has come to stay.
unsafe fn describe(entry: *mut Entry) -> Object {
    // SAFETY: the caller's; a module's program headers are mapped as long as it is.
    unsafe {
        let mut object = name_of(entry);
        for header in headers_of(entry).1 {
            let at = object.load_bias.wrapping_add(header.address);
            match header.kind {
                PT_LOAD => {
                    let empty = object.end == 0;
                    let start = at & !0xfff;
                    object.start = if empty { start } else { object.start.min(start) };
                    object.end = object.end.max(at.wrapping_add(header.memory_bytes));
                }
                PT_GNU_EH_FRAME => object.eh_frame_header = at,
                _ => {}
            }
        }
        object
    }
}

/// An entry and its module's program headers.
///
/// # Safety
/// As [`describe`].
unsafe fn headers_of(entry: *mut Entry) -> (&'static Entry, &'static [ProgramHeader]) {
    // SAFETY: the caller's; both stay for ever.
    unsafe {
        let count = (*entry).header_count.max(0) as usize;
        (&*entry, core::slice::from_raw_parts((*entry).headers, count))
    }
}

/// The parts of a module that need no looking into its headers.
///
/// # Safety
/// As [`describe`].
unsafe fn name_of(entry: *mut Entry) -> Object {
    // SAFETY: the caller's.
    unsafe {
        // The program comes first. musl calls it as it was called, perhaps from elsewhere.
        let program = (*entry).previous.is_null();
        Object {
            start: 0,
            end: 0,
            load_bias: (*entry).load_bias,
            eh_frame_header: 0,
            name: if program { core::ptr::null() } else { (*entry).name },
        }
    }
}
