//! `exec*` and `posix_spawn*`: what is executed gets the agent, too, see `environment`. The C
//! library's own calls among these do not come by here, so every public name has its stand-in.
//!
//! Each fails, and succeeds, exactly as the real function does. They run in vforked children, which
//! share their parent's memory, and in signal handlers.

use core::ffi::{c_char, c_int, c_void};

use unfreed_wire::Preload;

use super::announce::{self, Note};
use super::environment;
use crate::real::Real;
use crate::sys;

type Words = *const *const c_char;
type Exec = unsafe extern "C" fn(*const c_char, Words) -> c_int;
type ExecIn = unsafe extern "C" fn(*const c_char, Words, Words) -> c_int;
type ExecFile = unsafe extern "C" fn(c_int, Words, Words) -> c_int;
type ExecAt = unsafe extern "C" fn(c_int, *const c_char, Words, Words, c_int) -> c_int;
type Spawn = unsafe extern "C" fn(
    *mut c_int,
    *const c_char,
    *const c_void,
    *const c_void,
    Words,
    Words,
) -> c_int;

static EXECVE: Real = Real::new(c"execve");
static EXECV: Real = Real::new(c"execv");
static EXECVP: Real = Real::new(c"execvp");
static EXECVPE: Real = Real::new(c"execvpe");
static FEXECVE: Real = Real::new(c"fexecve");
static EXECVEAT: Real = Real::new(c"execveat");
static POSIX_SPAWN: Real = Real::new(c"posix_spawn");
static POSIX_SPAWNP: Real = Real::new(c"posix_spawnp");

/// Looks the real functions up.
pub(crate) fn prepare() {
    for real in
        [&EXECVE, &EXECV, &EXECVP, &EXECVPE, &FEXECVE, &EXECVEAT, &POSIX_SPAWN, &POSIX_SPAWNP]
    {
        real.prepare();
    }
}

/// Makes an attempt in the environment that it is to be made in, and notes it.
///
/// # Safety
/// `environment` is NULL or an array of strings that ends with NULL, `program` NULL or a string.
unsafe fn attempt(
    program: *const c_char,
    environment: Words,
    execute: impl FnOnce(Words) -> c_int,
) -> c_int {
    // SAFETY: the caller's.
    unsafe {
        environment::with(environment, |environment, preload| {
            let note = Note::about(announce::own_pid(), program, preload);
            let result = execute(environment);
            // It is still here: so it failed.
            note.failed();
            result
        })
    }
}

fn missing() -> c_int {
    sys::set_errno(sys::ENOSYS);
    -1
}

/// Stands in for the function of this name.
///
/// # Safety
/// As the real function; so for all below.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn execve(path: *const c_char, words: Words, environment: Words) -> c_int {
    // SAFETY: the caller's; the types are the C library's, or the kernel's.
    unsafe {
        attempt(path, environment, |environment| match EXECVE.get::<ExecIn>() {
            Some(real) => real(path, words, environment),
            None => sys::syscall(sys::SYS_EXECVE, path, words, environment) as c_int,
        })
    }
}

/// Stands in for the function of this name.
///
/// # Safety
/// As the real function.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn execv(path: *const c_char, words: Words) -> c_int {
    let own = sys::environment();
    // SAFETY: as above.
    unsafe {
        attempt(path, own, |environment| match EXECV.get::<Exec>() {
            Some(real) if environment == own => real(path, words),
            _ => match EXECVE.get::<ExecIn>() {
                Some(real) => real(path, words, environment),
                None => sys::syscall(sys::SYS_EXECVE, path, words, environment) as c_int,
            },
        })
    }
}

/// Stands in for the function of this name.
///
/// # Safety
/// As the real function.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn execvp(name: *const c_char, words: Words) -> c_int {
    let own = sys::environment();
    // SAFETY: as above.
    unsafe {
        attempt(name, own, |environment| match (EXECVP.get::<Exec>(), EXECVPE.get::<ExecIn>()) {
            (Some(real), _) if environment == own => real(name, words),
            (_, Some(real)) => real(name, words, environment),
            (Some(real), None) => real(name, words),
            (None, None) => missing(),
        })
    }
}

/// Stands in for the function of this name.
///
/// # Safety
/// As the real function.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn execvpe(name: *const c_char, words: Words, environment: Words) -> c_int {
    // SAFETY: as above.
    unsafe {
        attempt(name, environment, |environment| match EXECVPE.get::<ExecIn>() {
            Some(real) => real(name, words, environment),
            None => missing(),
        })
    }
}

/// Stands in for the function of this name.
///
/// # Safety
/// As the real function.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fexecve(file: c_int, words: Words, environment: Words) -> c_int {
    // SAFETY: as above.
    unsafe {
        attempt(core::ptr::null(), environment, |environment| match FEXECVE.get::<ExecFile>() {
            Some(real) => real(file, words, environment),
            None => missing(),
        })
    }
}

/// Stands in for the function of this name.
///
/// # Safety
/// As the real function.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn execveat(
    directory: c_int,
    path: *const c_char,
    words: Words,
    environment: Words,
    flags: c_int,
) -> c_int {
    // SAFETY: as above.
    unsafe {
        attempt(path, environment, |environment| match EXECVEAT.get::<ExecAt>() {
            Some(real) => real(directory, path, words, environment, flags),
            None => {
                sys::syscall(sys::SYS_EXECVEAT, directory, path, words, environment, flags) as c_int
            }
        })
    }
}

/// Stands in for the function of this name.
///
/// # Safety
/// As the real function.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn posix_spawn(
    pid: *mut c_int,
    path: *const c_char,
    actions: *const c_void,
    attributes: *const c_void,
    words: Words,
    environment: Words,
) -> c_int {
    // SAFETY: the caller's.
    unsafe { spawn(&POSIX_SPAWN, pid, path, actions, attributes, words, environment) }
}

/// Stands in for the function of this name.
///
/// # Safety
/// As the real function.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn posix_spawnp(
    pid: *mut c_int,
    name: *const c_char,
    actions: *const c_void,
    attributes: *const c_void,
    words: Words,
    environment: Words,
) -> c_int {
    // SAFETY: the caller's.
    unsafe { spawn(&POSIX_SPAWNP, pid, name, actions, attributes, words, environment) }
}

/// The child's environment can be decided on here: what is done in the child before it executes
/// changes neither what files it sees nor, but for giving up set-user-id, who it is.
unsafe fn spawn(
    real: &Real,
    pid: *mut c_int,
    program: *const c_char,
    actions: *const c_void,
    attributes: *const c_void,
    words: Words,
    environment: Words,
) -> c_int {
    // SAFETY: the caller's; the type is that of both functions.
    unsafe {
        let Some(real) = real.get::<Spawn>() else { return sys::ENOSYS };
        environment::with(environment, |environment, preload: Preload| {
            let began = crate::session::moment();
            let mut child = 0;
            let result = real(&mut child, program, actions, attributes, words, environment);
            if result == 0 {
                // Known by now, and perhaps over already; the collector takes both together.
                Note::of(child as u32, began, program, preload);
                if !pid.is_null() {
                    *pid = child;
                }
            }
            result
        })
    }
}

/// Defines a function with any number of arguments. The first is the program; those after it are
/// pushed in front of those that lie on the stack already, where the return address was, and are
/// then an array as the other functions take it, whatever its length.
macro_rules! variadic {
    ($name:ident, $listed:path) => {
        /// Stands in for the function of this name.
        ///
        /// # Safety
        /// As the real function.
        #[unsafe(naked)]
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $name(_: *const c_char, _: *const c_char) -> c_int {
            core::arch::naked_asm!(
                ".cfi_startproc",
                "pop rax",
                ".cfi_def_cfa_offset 0",
                ".cfi_register rip, rax",
                "push r9",
                ".cfi_adjust_cfa_offset 8",
                "push r8",
                ".cfi_adjust_cfa_offset 8",
                "push rcx",
                ".cfi_adjust_cfa_offset 8",
                "push rdx",
                ".cfi_adjust_cfa_offset 8",
                "push rsi",
                ".cfi_adjust_cfa_offset 8",
                "mov rsi, rsp",
                "push rax",
                ".cfi_adjust_cfa_offset 8",
                ".cfi_offset rip, -48",
                "call {listed}",
                "pop rcx",
                ".cfi_adjust_cfa_offset -8",
                ".cfi_register rip, rcx",
                "add rsp, 40",
                ".cfi_adjust_cfa_offset -40",
                "push rcx",
                ".cfi_adjust_cfa_offset 8",
                ".cfi_offset rip, -8",
                "ret",
                ".cfi_endproc",
                listed = sym $listed,
            )
        }
    };
}

variadic!(execl, execv);
variadic!(execlp, execvp);
variadic!(execle, listed_with_environment);

unsafe extern "C" fn listed_with_environment(path: *const c_char, words: Words) -> c_int {
    // SAFETY: after the NULL that ends the arguments comes the environment.
    unsafe {
        let mut end = words;
        while !(*end).is_null() {
            end = end.add(1);
        }
        execve(path, words, (*end.add(1)).cast())
    }
}
