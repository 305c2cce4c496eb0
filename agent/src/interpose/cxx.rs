//! The C++ functions: every replaceable `operator new` and `operator delete`.
//!
//! `operator new` throws when there is no memory, and the exception must pass. So its stand-ins
//! are assembly with unwind tables of their own and a personality routine that takes the guard
//! away as the exception goes by; no Rust frame is ever unwound.

use core::ffi::c_void;

use super::cxx_missing::own_new;
use super::entry;
use crate::real;
use crate::real::cxx::{DELETE, NEW};
use crate::record::{self, Entered, Function};
use crate::thread::Wrapping;
use crate::unwind::Registers;

type Delete = unsafe extern "C" fn(*mut u8, usize, usize);

/// What the assembly needs: the function to call, and whether to record what it returns.
#[repr(C)]
struct Called {
    real: *const c_void,
    entered: u64,
}

unsafe extern "C" fn enter_new(index: usize, sp: u64) -> Called {
    // SAFETY: only its address is used, by the assembly, which calls it as what it is.
    match unsafe { NEW[index].get::<*const c_void>() } {
        Some(real) => {
            let registers = Registers { sp, bp: 0 };
            let entered = record::enter_wrapped(registers, Wrapping::Operator) as u64;
            Called { real, entered }
        }
        None => Called { real: own_new(index), entered: 0 },
    }
}

unsafe extern "C" fn leave_new(
    block: *mut u8,
    size: usize,
    sp: u64,
    bp: u64,
    function: u8,
    entered: u64,
) {
    let function = if function == Function::New as u8 { Function::New } else { Function::NewArray };
    let entered =
        if entered == Entered::Inside as u64 { Entered::Inside } else { Entered::Outermost };
    record::leave_wrapped(block, size, function, Registers { sp, bp }, entered);
}

/// The personality of the stand-ins' frames. It never handles anything; in the phase in which
/// frames are left for good it takes the guard away.
unsafe extern "C" fn personality(
    _version: i32,
    actions: i32,
    _class: u64,
    _exception: *mut c_void,
    _context: *mut c_void,
) -> i32 {
    const CLEANUP_PHASE: i32 = 2;
    const CONTINUE_UNWIND: i32 = 8;
    if actions & CLEANUP_PHASE != 0 {
        record::abandon_wrapped();
    }
    CONTINUE_UNWIND
}

// The unwinder finds the personality through a pointer that the linker need not relocate in the
// read-only table.
core::arch::global_asm!(
    ".hidden unfreed_agent_personality",
    ".globl unfreed_agent_personality",
    ".section .data.rel.local.unfreed_agent_personality,\"aw\"",
    ".balign 8",
    "unfreed_agent_personality: .quad {personality}",
    ".text",
    personality = sym personality,
);

macro_rules! new {
    ($name:ident, $index:literal, $function:expr) => {
        /// Stands in for the function of this name.
        ///
        /// # Safety
        /// As the real function.
        #[unsafe(naked)]
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $name(_: usize, _: usize, _: usize) -> *mut u8 {
            core::arch::naked_asm!(
                ".cfi_startproc",
                // 0x9b: indirect, relative to the place, four bytes.
                ".cfi_personality 0x9b, unfreed_agent_personality",
                "push rbx", ".cfi_adjust_cfa_offset 8", ".cfi_rel_offset rbx, 0",
                "push r12", ".cfi_adjust_cfa_offset 8", ".cfi_rel_offset r12, 0",
                "push r13", ".cfi_adjust_cfa_offset 8", ".cfi_rel_offset r13, 0",
                "push r14", ".cfi_adjust_cfa_offset 8", ".cfi_rel_offset r14, 0",
                "push r15", ".cfi_adjust_cfa_offset 8", ".cfi_rel_offset r15, 0",
                "mov rbx, rdi",
                "mov r12, rsi",
                "mov r13, rdx",
                "mov edi, {index}",
                "lea rsi, [rsp + 40]",
                "call {enter}",
                "mov r15, rdx",
                "mov rdi, rbx",
                "mov rsi, r12",
                "mov rdx, r13",
                "call rax",
                "test r15, r15",
                "je 2f",
                "mov r14, rax",
                "mov rdi, rax",
                "mov rsi, rbx",
                "lea rdx, [rsp + 40]",
                "mov rcx, rbp",
                "mov r8d, {function}",
                "mov r9, r15",
                "call {leave}",
                "mov rax, r14",
                "2:",
                "pop r15", ".cfi_adjust_cfa_offset -8", ".cfi_restore r15",
                "pop r14", ".cfi_adjust_cfa_offset -8", ".cfi_restore r14",
                "pop r13", ".cfi_adjust_cfa_offset -8", ".cfi_restore r13",
                "pop r12", ".cfi_adjust_cfa_offset -8", ".cfi_restore r12",
                "pop rbx", ".cfi_adjust_cfa_offset -8", ".cfi_restore rbx",
                "ret",
                ".cfi_endproc",
                index = const $index,
                function = const $function as u32,
                enter = sym enter_new,
                leave = sym leave_new,
            )
        }
    };
}

new!(_Znwm, 0, Function::New);
new!(_Znam, 1, Function::NewArray);
new!(_ZnwmRKSt9nothrow_t, 2, Function::New);
new!(_ZnamRKSt9nothrow_t, 3, Function::NewArray);
new!(_ZnwmSt11align_val_t, 4, Function::New);
new!(_ZnamSt11align_val_t, 5, Function::NewArray);
new!(_ZnwmSt11align_val_tRKSt9nothrow_t, 6, Function::New);
new!(_ZnamSt11align_val_tRKSt9nothrow_t, 7, Function::NewArray);

macro_rules! delete {
    ($name:ident, $traced:ident, $index:literal, $function:expr) => {
        entry!($name(*mut u8, usize, usize) -> (), "rcx", "r8", $traced);

        unsafe extern "C" fn $traced(
            block: *mut u8,
            second: usize,
            third: usize,
            sp: u64,
            bp: u64,
        ) {
            // SAFETY: the caller's.
            unsafe { delete(block, second, third, $index, $function, Registers { sp, bp }) }
        }
    };
}

#[inline(always)]
unsafe fn delete(
    block: *mut u8,
    second: usize,
    third: usize,
    index: usize,
    function: Function,
    registers: Registers,
) {
    if block.is_null() || real::in_arena(block) {
        return;
    }
    let which = &DELETE[index];
    record::freeing(block, function, registers, || {
        // SAFETY: the type is that of the function of this name, with more arguments than it may
        // take, which it then ignores.
        unsafe {
            match which.get::<Delete>() {
                Some(delete) => delete(block, second, third),
                None => real::free(block),
            }
        }
    });
}

delete!(_ZdlPv, delete_one, 0, Function::Delete);
delete!(_ZdaPv, delete_array, 1, Function::DeleteArray);
delete!(_ZdlPvm, delete_sized, 2, Function::Delete);
delete!(_ZdaPvm, delete_array_sized, 3, Function::DeleteArray);
delete!(_ZdlPvRKSt9nothrow_t, delete_nothrow, 4, Function::Delete);
delete!(_ZdaPvRKSt9nothrow_t, delete_array_nothrow, 5, Function::DeleteArray);
delete!(_ZdlPvSt11align_val_t, delete_aligned, 6, Function::Delete);
delete!(_ZdaPvSt11align_val_t, delete_array_aligned, 7, Function::DeleteArray);
delete!(_ZdlPvmSt11align_val_t, delete_sized_aligned, 8, Function::Delete);
delete!(_ZdaPvmSt11align_val_t, delete_array_sized_aligned, 9, Function::DeleteArray);
delete!(_ZdlPvSt11align_val_tRKSt9nothrow_t, delete_aligned_nothrow, 10, Function::Delete);
delete!(
    _ZdaPvSt11align_val_tRKSt9nothrow_t,
    delete_array_aligned_nothrow,
    11,
    Function::DeleteArray
);
