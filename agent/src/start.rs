//! What happens once, when the loader starts us.

use core::ffi::{CStr, c_char, c_int};
use core::sync::atomic::Ordering::Relaxed;

use unfreed_wire::{Refusal, SESSION_VARIABLE};

use crate::weak::weak;
use crate::{claim, interpose, real, session, sys, tid, unwind};

weak!("__libc_stack_end", unfreed_agent_stack_end: *const u64);

#[used]
#[unsafe(link_section = ".init_array")]
static START: unsafe extern "C" fn(c_int, *const *const c_char, *const *const c_char) = start;

/// glibc hands a library's constructors the program's arguments and environment; musl nothing.
///
/// # Safety
/// Called by the loader alone.
unsafe extern "C" fn start(_: c_int, _: *const *const c_char, environment: *const *const c_char) {
    // SAFETY: the environment is an array of strings that ends with NULL; the stack's end is
    // filled in by the loader where it has one.
    unsafe {
        let stack_end = (&raw const unfreed_agent_stack_end).read_volatile();
        // Only musl does not say where its first stack ends.
        let ends =
            if stack_end.is_null() { [c"exit", c"pthread_exit"].map(find_next) } else { [0; 2] };
        unwind::prepare(ends);
        let stack_end = if stack_end.is_null() { first_stack_end() } else { *stack_end };
        unwind::FIRST_STACK_END.store(stack_end, Relaxed);
        // musl gives constructors nothing, and has this set by now; glibc may not have.
        let set = sys::environment();
        let session = find_variable(if set.is_null() { environment } else { set });
        if let Some(value) = session {
            interpose::remember(value);
        }
        // All of it now: later, whoever calls us may hold the loader's lock.
        let complete = real::prepare();
        real::cxx::prepare();
        interpose::prepare();
        let ours = sys::dlsym(sys::RTLD_DEFAULT, c"malloc".as_ptr());
        real::end_look_ups();
        let Some(value) = session else { return };
        let refusal = if !unwind::usable() {
            Refusal::NoFindObject
        } else if !complete {
            Refusal::NoAllocator
        } else if ours != interpose::own_malloc() {
            Refusal::OwnAllocator
        } else {
            Refusal::None
        };
        real::cxx::find_own_code();
        tid::find_thread_id();
        claim::find_ends();
        session::join(value, refusal);
    }
}

fn find_next(name: &CStr) -> u64 {
    // SAFETY: the name ends with 0.
    unsafe { sys::dlsym(sys::RTLD_NEXT, name.as_ptr()) as u64 }
}

/// Where the first thread's stack ends, if the C library does not tell: the kernel put the environment
/// above it, and the arguments with their number before that.
fn first_stack_end() -> u64 {
    let here = 0u64;
    let bottom = (&raw const here) as u64;
    // SAFETY: asks for a number, no effect. The kernel put this above the environment.
    let top = unsafe { sys::getauxval(sys::AT_RANDOM) };
    let environment = sys::environment() as u64;
    if bottom > environment || environment > top {
        return top;
    }
    let mut at = environment - 16;
    let mut count = 0;
    while at > bottom {
        // SAFETY: the stack between this function's frame and the environment.
        if unsafe { *unwind::pointer::<u64>(at) } == count {
            return at;
        }
        (at, count) = (at - 8, count + 1);
    }
    top
}

/// # Safety
/// `environment` is null or an array of strings that ends with NULL.
unsafe fn find_variable(environment: *const *const c_char) -> Option<*const u8> {
    if environment.is_null() {
        return None;
    }
    let mut entry = environment;
    // SAFETY: stops at the final NULL; each entry is compared up to its own final 0.
    unsafe {
        while !(*entry).is_null() {
            let mut text = (*entry).cast::<u8>();
            if SESSION_VARIABLE.bytes().all(|byte| {
                let same = *text == byte;
                text = text.add(same as usize);
                same
            }) && *text == b'='
            {
                return Some(text.add(1));
            }
            entry = entry.add(1);
        }
    }
    None
}
