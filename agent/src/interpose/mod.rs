//! The functions that stand in for the real ones.
//!
//! Each begins with a few instructions of assembly that hand on, beside the arguments, the stack
//! pointer and rbp as they were at the call: the walk starts there, with no frame of ours in it.

mod announce;
mod c;
mod cxx;
mod cxx_missing;
mod environment;
mod exec;
mod loader;
mod shell;

/// Defines a function that jumps to `$traced` with two more arguments: the stack pointer (which
/// points to the return address) and rbp. `$sp` and `$bp` are the registers in which these go.
macro_rules! entry {
    ($name:ident ( $($argument:ty),* ) -> $result:ty, $sp:literal, $bp:literal, $traced:path) => {
        /// Stands in for the function of this name.
        ///
        /// # Safety
        /// As the real function.
        #[unsafe(naked)]
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $name($(_: $argument),*) -> $result {
            core::arch::naked_asm!(
                ".cfi_startproc",
                concat!("mov ", $sp, ", rsp"),
                concat!("mov ", $bp, ", rbp"),
                "jmp {traced}",
                ".cfi_endproc",
                traced = sym $traced,
            )
        }
    };
}
use entry;

pub(crate) use environment::remember;

/// Looks up the real functions of the loader's and the kernel's stand-ins.
pub(crate) fn prepare() {
    loader::prepare();
    exec::prepare();
    shell::prepare();
}

/// Where our own `malloc` lies: the program's calls reach it only if the loader finds it first.
pub(crate) fn own_malloc() -> *mut core::ffi::c_void {
    c::malloc as *mut core::ffi::c_void
}
