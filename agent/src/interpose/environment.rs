//! The environment that a program is executed with: the agent's two variables put back where they
//! were stripped, as daemons do that clean their environment, and taken away where the agent's file
//! is not to be seen, since the loader would write a complaint to the daemon's standard error.
//!
//! Works in a vforked child and in a signal handler: nothing is allocated, what has to be written
//! lies on the stack, and is bounded. What does not fit is left as it is. Whatever else the program
//! put into the environment stays; an empty `LD_PRELOAD` says that nothing is to be preloaded, and
//! another session's variable that another recorder is at work: both are heeded.

use core::cell::UnsafeCell;
use core::ffi::{CStr, c_char, c_int};
use core::mem::MaybeUninit;
use core::ptr::null;
use core::sync::atomic::{AtomicU64, AtomicUsize, Ordering::*};

use unfreed_wire::{Preload, SESSION_VARIABLE};

use crate::real::Real;
use crate::sys;

const PRELOAD_VARIABLE: &[u8] = b"LD_PRELOAD";

/// A text that is written once, while the process has one thread.
struct Text {
    bytes: UnsafeCell<[u8; Text::ROOM]>,
    length: AtomicUsize,
}

// SAFETY: written before `length` is, and never again.
unsafe impl Sync for Text {}

impl Text {
    const ROOM: usize = 512;

    const fn new() -> Text {
        Text { bytes: UnsafeCell::new([0; Text::ROOM]), length: AtomicUsize::new(0) }
    }

    /// Takes the parts, one after the other, if they fit and a final 0 does, too.
    fn set(&self, parts: [&[u8]; 3]) {
        let length: usize = parts.iter().map(|part| part.len()).sum();
        if length >= Text::ROOM {
            return;
        }
        // SAFETY: nobody reads it yet.
        let bytes = unsafe { &mut *self.bytes.get() };
        for (to, from) in bytes.iter_mut().zip(parts.into_iter().flatten()) {
            *to = *from;
        }
        self.length.store(length, Release);
    }

    /// Without its final 0; empty where it was never set.
    fn get(&self) -> &[u8] {
        // SAFETY: no longer written.
        unsafe { core::slice::from_raw_parts(self.bytes.get().cast(), self.length.load(Acquire)) }
    }

    fn pointer(&self) -> *const c_char {
        self.bytes.get().cast_const().cast()
    }
}

/// `LD_PRELOAD=` and the agent's path; `UNFREED_SESSION=` and its value. Copies: programs overwrite
/// the environment they were given, to show what they do in the list of processes.
static PRELOAD: Text = Text::new();
static SESSION: Text = Text::new();
/// The agent's file: device and number, length, owner.
static FILE: [AtomicU64; 2] = [const { AtomicU64::new(0) }; 2];
static BYTES: AtomicU64 = AtomicU64::new(0);
static OWNER: AtomicU64 = AtomicU64::new(0);

/// glibc has it since 2.33.
static FSTAT: Real = Real::new(c"fstat");

/// Remembers what a program must be given, once, as the agent starts.
///
/// # Safety
/// `session` points to a string that ends with 0: the value of the session's variable.
pub(crate) unsafe fn remember(session: *const u8) {
    FSTAT.prepare();
    // SAFETY: the loader's name of this library, or NULL; the caller's string.
    let (path, session) = unsafe {
        let mut about = sys::DlInfo::default();
        let mut symbol = null();
        let own = remember as *const core::ffi::c_void;
        let dladdr1 = sys::dladdr1();
        let mut asked = |f: sys::DlAddr1| f(own, &mut about, &mut symbol, sys::RTLD_DL_SYMENT);
        if dladdr1.is_none_or(|f| asked(f) == 0) {
            return;
        }
        (about.file(), CStr::from_ptr(session.cast()).to_bytes())
    };
    // The loader takes both for separators.
    if path.first() != Some(&b'/') || path.iter().any(|byte| matches!(byte, b':' | b' ')) {
        return;
    }
    PRELOAD.set([PRELOAD_VARIABLE, b"=", path]);
    if let Ok(about) = look() {
        FILE[0].store(about.device, Relaxed);
        FILE[1].store(about.inode, Relaxed);
        BYTES.store(about.bytes as u64, Relaxed);
        OWNER.store(about.owner as u64, Relaxed);
        SESSION.set([SESSION_VARIABLE.as_bytes(), b"=", session]);
    }
}

fn agent_path() -> &'static [u8] {
    PRELOAD.get().get(PRELOAD_VARIABLE.len() + 1..).unwrap_or_default()
}

/// Opens the agent's file as the loader would, and looks at it. Gives `errno` where it cannot.
fn look() -> Result<sys::FileAbout, c_int> {
    const FLAGS: c_int = sys::O_RDONLY | sys::O_CLOEXEC | sys::O_NOCTTY | sys::O_NONBLOCK;
    let mut about = MaybeUninit::<sys::FileAbout>::zeroed();
    // SAFETY: a C string; room for what is told of the file; the type is that of this function.
    unsafe {
        let stat = FSTAT
            .get::<unsafe extern "C" fn(c_int, *mut sys::FileAbout) -> c_int>()
            .ok_or(sys::ENOSYS)?;
        let fd = sys::open(PRELOAD.pointer().add(PRELOAD_VARIABLE.len() + 1), FLAGS);
        if fd < 0 {
            return Err(sys::errno());
        }
        let told = stat(fd, about.as_mut_ptr());
        sys::close(fd);
        if told == 0 { Ok(about.assume_init()) } else { Err(sys::ENOSYS) }
    }
}

/// Whether a program executed now would find the agent. Asked every time: who calls `chroot`,
/// `pivot_root`, `setns` or removes the file may do so by a bare system call, or may be another
/// process. Three system calls that the loader is about to make, and a small part of what the
/// execution itself costs.
///
/// In a chroot anybody may have put a file there: one that somebody else may have written is not
/// what this process would load by itself.
fn visible() -> Preload {
    const KIND: u32 = 0o170000;
    const REGULAR: u32 = 0o100000;
    const OTHERS_WRITE: u32 = 0o022;
    match look() {
        Ok(about) => {
            // The very file; in a user namespace its owner may have no name.
            let same =
                about.device == FILE[0].load(Relaxed) && about.inode == FILE[1].load(Relaxed);
            let copy = about.mode & KIND == REGULAR
                && about.mode & OTHERS_WRITE == 0
                && about.bytes as u64 == BYTES.load(Relaxed)
                && (about.owner == 0 || about.owner as u64 == OWNER.load(Relaxed));
            if same || copy { Preload::Asked } else { Preload::Invisible }
        }
        Err(sys::ENOENT | sys::EACCES | sys::ENOTDIR) => Preload::Invisible,
        Err(_) => Preload::NotKnown,
    }
}

/// What an environment holds of ours.
#[derive(Default)]
struct Found {
    entries: usize,
    /// The last one counts, as for the loader.
    preload: Option<&'static [u8]>,
    session: Option<&'static [u8]>,
}

/// # Safety
/// NULL, or an array of strings that ends with NULL.
unsafe fn find(environment: *const *const c_char) -> Found {
    let mut found = Found::default();
    if environment.is_null() {
        return found;
    }
    // SAFETY: stops at the final NULL.
    unsafe {
        loop {
            let entry = *environment.add(found.entries);
            if entry.is_null() {
                return found;
            }
            found.entries += 1;
            if let Some(value) = value(entry, PRELOAD_VARIABLE) {
                found.preload = Some(value);
            } else if let Some(value) = value(entry, SESSION_VARIABLE.as_bytes()) {
                found.session = Some(value);
            }
        }
    }
}

/// The value, if the entry is of this variable. Most differ in the first byte.
///
/// # Safety
/// A string that ends with 0.
unsafe fn value(entry: *const c_char, name: &[u8]) -> Option<&'static [u8]> {
    // SAFETY: compares up to the first difference, at the latest the final 0.
    unsafe {
        for (n, byte) in name.iter().enumerate() {
            if *entry.add(n) as u8 != *byte {
                return None;
            }
        }
        (*entry.add(name.len()) as u8 == b'=')
            .then(|| CStr::from_ptr(entry.add(name.len() + 1)).to_bytes())
    }
}

fn elements(preload: &[u8]) -> impl Iterator<Item = &[u8]> {
    preload.split(|byte| matches!(byte, b':' | b' ')).filter(|element| !element.is_empty())
}

/// What is to be done with an environment.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Change {
    Nothing,
    PutIn,
    TakeOut,
}

/// Decides on an environment and calls `execute` with it, or with what it has been made into. Keeps
/// `errno` as the program last saw it, up to that call.
///
/// # Safety
/// `environment` is NULL or an array of strings that ends with NULL.
pub(super) unsafe fn with(
    environment: *const *const c_char,
    execute: impl FnOnce(*const *const c_char, Preload) -> c_int,
) -> c_int {
    let ours = SESSION.get().get(SESSION_VARIABLE.len() + 1..).unwrap_or_default();
    // SAFETY: the caller's.
    let found = unsafe { find(environment) };
    if ours.is_empty() || found.session.is_some_and(|session| session != ours) {
        return execute(environment, Preload::NotKnown);
    }
    let errno = sys::errno();
    let visible = visible();
    sys::set_errno(errno);
    let theirs = found.preload.unwrap_or_default();
    let asked = elements(theirs).any(|element| element == agent_path());
    let (change, told) = match visible {
        Preload::Asked if asked && found.session.is_some() => (Change::Nothing, Preload::Asked),
        Preload::Asked if found.preload.is_some_and(<[u8]>::is_empty) => {
            (Change::Nothing, Preload::Declined)
        }
        Preload::Asked => (Change::PutIn, Preload::Asked),
        Preload::Invisible if asked => (Change::TakeOut, Preload::Invisible),
        other => (Change::Nothing, other),
    };
    if change == Change::Nothing {
        return execute(environment, told);
    }
    const FEW: usize = 96;
    const MANY: usize = 1024;
    // SAFETY: the caller's.
    unsafe {
        match found.entries {
            0..FEW => changed::<{ FEW + 2 }>(environment, theirs, change, told, execute),
            FEW..MANY => changed::<{ MANY + 2 }>(environment, theirs, change, told, execute),
            _ => execute(environment, Preload::TooLarge),
        }
    }
}

/// As large as the environments it can hold. A frame of its own, so that the others are small.
///
/// # Safety
/// The environment has at most `ROOM - 3` entries.
#[inline(never)]
unsafe fn changed<const ROOM: usize>(
    environment: *const *const c_char,
    theirs: &[u8],
    change: Change,
    told: Preload,
    execute: impl FnOnce(*const *const c_char, Preload) -> c_int,
) -> c_int {
    let mut entries = [const { MaybeUninit::<*const c_char>::uninit() }; ROOM];
    let mut text = [const { MaybeUninit::<u8>::uninit() }; 1024];
    let Ok(preload) = preload(theirs, change, &mut text) else {
        // SAFETY: the caller's.
        return execute(environment, Preload::TooLarge);
    };
    let session = (change == Change::PutIn).then(|| SESSION.pointer());
    let mut length = 0;
    let mut put = |entry: *const c_char| {
        if let Some(to) = entries.get_mut(length) {
            to.write(entry);
            length += 1;
        }
    };
    let mut rest = environment;
    // SAFETY: stops at the final NULL; a NULL environment is an empty one.
    unsafe {
        while !rest.is_null() && !(*rest).is_null() {
            let entry = *rest;
            let ours = value(entry, PRELOAD_VARIABLE).is_some()
                || session.is_some() && value(entry, SESSION_VARIABLE.as_bytes()).is_some();
            if !ours {
                put(entry);
            }
            rest = rest.add(1);
        }
    }
    preload.into_iter().chain(session).for_each(&mut put);
    put(null());
    execute(entries.as_ptr().cast(), told)
}

/// The entry for `LD_PRELOAD`: ours and whatever else is there, or that without ours; `None` where
/// nothing is left. Ours comes first, as it does in the program that was run: another allocator
/// among theirs is then what ours calls, and is traced.
fn preload(
    theirs: &[u8],
    change: Change,
    text: &mut [MaybeUninit<u8>],
) -> Result<Option<*const c_char>, ()> {
    if theirs.is_empty() && change == Change::PutIn {
        return Ok(Some(PRELOAD.pointer()));
    }
    let mut length = 0;
    let mut put = |byte: u8| -> Result<(), ()> {
        text.get_mut(length).ok_or(())?.write(byte);
        length += 1;
        Ok(())
    };
    let ours = agent_path();
    PRELOAD_VARIABLE.iter().try_for_each(|byte| put(*byte))?;
    let mut first = true;
    let own = (change == Change::PutIn).then_some(ours);
    for element in own.into_iter().chain(elements(theirs).filter(|element| *element != ours)) {
        put(if first { b'=' } else { b':' })?;
        element.iter().try_for_each(|byte| put(*byte))?;
        first = false;
    }
    put(0)?;
    Ok((!first).then_some(text.as_ptr().cast()))
}
