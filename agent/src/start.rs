//! What happens once, when the loader starts us.

use core::ffi::{c_char, c_int};
use core::sync::atomic::Ordering::Relaxed;

use unfreed_wire::{Refusal, SESSION_VARIABLE};

use crate::{claim, interpose, real, session, sys, tid, unwind};

core::arch::global_asm!(
    ".weak __libc_stack_end",
    ".section .data.rel.unfreed_agent_stack_end,\"aw\"",
    ".balign 8",
    ".hidden unfreed_agent_stack_end",
    ".globl unfreed_agent_stack_end",
    "unfreed_agent_stack_end: .quad __libc_stack_end",
    ".text",
);

unsafe extern "C" {
    static unfreed_agent_stack_end: *const u64;
}

#[used]
#[unsafe(link_section = ".init_array")]
static START: unsafe extern "C" fn(c_int, *const *const c_char, *const *const c_char) = start;

/// glibc hands a library's constructors the program's arguments and environment.
///
/// # Safety
/// Called by the loader alone.
unsafe extern "C" fn start(_: c_int, _: *const *const c_char, environment: *const *const c_char) {
    // SAFETY: the environment is an array of strings that ends with NULL; the stack's end is
    // filled in by the loader where it has one.
    unsafe {
        let stack_end = (&raw const unfreed_agent_stack_end).read_volatile();
        if !stack_end.is_null() {
            unwind::FIRST_STACK_END.store(*stack_end, Relaxed);
        }
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
