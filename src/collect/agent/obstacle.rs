//! Programs that preloading cannot trace, found before they are run.
//!
//! Such a program would run untouched and look as if it never allocated. That must never be
//! reported as "no leaks", so it is an error with the way out.

use std::fmt;
use std::fs;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use unfreed_symbols::ProgramShape;

/// Why a program cannot be traced by preloading.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// No dynamic loader runs.
    Static,
    /// It brings its own malloc, which comes before any preloaded one.
    OwnAllocator(String),
    /// The loader ignores preloading for programs that change privileges.
    Privileged(&'static str),
    /// The C library is not one that the agent knows.
    UnknownLoader(String),
    /// Another processor's, or not ELF at all.
    Foreign(&'static str),
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Obstacle::Static => f.write_str("it is statically linked: no library can be preloaded"),
            Obstacle::OwnAllocator(function) => write!(
                f,
                "it defines {function} itself, and its own definition comes before any preloaded one"
            ),
            Obstacle::Privileged(how) => {
                write!(f, "it is {how}, and the loader ignores preloading for such programs")
            }
            Obstacle::UnknownLoader(loader) => {
                write!(
                    f,
                    "its loader {loader} is neither glibc's nor musl's, which the agent knows"
                )
            }
            Obstacle::Foreign(what) => write!(f, "it is {what}"),
        }
    }
}

impl Obstacle {
    /// What to use instead.
    pub fn advice(&self) -> &'static str {
        match self {
            Obstacle::Static => {
                "trace a dynamically linked build of it; where there is none, \
                 `valgrind --leak-check=full --soname-synonyms=somalloc=NONE` works, slowly"
            }
            Obstacle::OwnAllocator(_) => {
                "trace a build without its own allocator (often a configure option, as \
                 --without-jemalloc); where there is none, \
                 `valgrind --leak-check=full --soname-synonyms=somalloc=NONE` works, slowly"
            }
            Obstacle::Privileged(_) => "run it as the user that it changes to",
            Obstacle::UnknownLoader(_) => {
                "trace a build of it for glibc 2.35 or later, or for musl"
            }
            Obstacle::Foreign(_) => "name a 64-bit x86 Linux program, or a script for one",
        }
    }
}

/// The obstacle to tracing the program at `path`, following scripts to their interpreters.
pub fn obstacle(path: &Path) -> Option<(PathBuf, Obstacle)> {
    let mut path = path.to_owned();
    // The kernel follows no more interpreters than this either.
    for _ in 0..5 {
        // A traced process says what it executes, and may lie: nothing here waits for a pipe.
        let flags = libc::O_NONBLOCK | libc::O_NOCTTY;
        let file = fs::OpenOptions::new().read(true).custom_flags(flags).open(&path).ok()?;
        if !file.metadata().ok()?.is_file() {
            return None;
        }
        // SAFETY: only read; a program file that is being truncated meanwhile cannot be run either.
        let bytes = unsafe { memmap2::Mmap::map(&file) }.ok()?;
        if let Some(script) = bytes.strip_prefix(b"#!") {
            let line = script.split(|byte| *byte == b'\n').next().unwrap_or_default();
            let line = String::from_utf8_lossy(&line[..line.len().min(4096)]).into_owned();
            path = PathBuf::from(line.split_whitespace().next()?);
            continue;
        }
        let found = privileged(&path).or_else(|| shape(&bytes));
        return found.map(|obstacle| (path, obstacle));
    }
    None
}

fn privileged(path: &Path) -> Option<Obstacle> {
    let about = path.metadata().ok()?;
    // SAFETY: asks for numbers, no effect.
    let (user, group) = unsafe { (libc::geteuid(), libc::getegid()) };
    let mode = about.permissions().mode();
    if mode & 0o4000 != 0 && about.uid() != user {
        return Some(Obstacle::Privileged("setuid"));
    }
    if mode & 0o2000 != 0 && about.gid() != group {
        return Some(Obstacle::Privileged("setgid"));
    }
    if user != 0 && has_file_capabilities(path) {
        return Some(Obstacle::Privileged("given file capabilities"));
    }
    None
}

/// What makes the loader ignore preloading for whoever is not already what it makes them. Whom the
/// traced process was, nobody can say afterwards.
pub(super) fn privileged_for_anybody(path: &Path) -> Option<Obstacle> {
    match path.metadata().ok()?.permissions().mode() {
        mode if mode & 0o4000 != 0 => Some(Obstacle::Privileged("setuid")),
        mode if mode & 0o2000 != 0 => Some(Obstacle::Privileged("setgid")),
        _ => has_file_capabilities(path).then_some(Obstacle::Privileged("given file capabilities")),
    }
}

fn has_file_capabilities(path: &Path) -> bool {
    use std::os::unix::ffi::OsStrExt;
    let Ok(path) = std::ffi::CString::new(path.as_os_str().as_bytes()) else { return false };
    // SAFETY: two C strings; no buffer, so only the length is asked for.
    unsafe {
        libc::getxattr(path.as_ptr(), c"security.capability".as_ptr(), std::ptr::null_mut(), 0) > 0
    }
}

fn shape(bytes: &[u8]) -> Option<Obstacle> {
    match unfreed_symbols::program_shape(bytes) {
        ProgramShape::Unreadable => Some(Obstacle::Foreign("no ELF program")),
        ProgramShape::OtherMachine => Some(Obstacle::Foreign("not a 64-bit x86 program")),
        ProgramShape::Static => Some(Obstacle::Static),
        ProgramShape::Dynamic { loader, own_allocator } => {
            if let Some(function) = own_allocator {
                return Some(Obstacle::OwnAllocator(function));
            }
            let known = ["ld-linux", "ld-musl"].iter().any(|name| loader.contains(name));
            (!known).then_some(Obstacle::UnknownLoader(loader))
        }
    }
}
