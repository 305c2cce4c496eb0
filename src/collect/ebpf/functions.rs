//! The allocator functions: under which names they are found, what they are, and where their arguments lie. One list, so
//! that a probe sees what the agent sees.

use super::layout::Shape;
use crate::event::Function;

/// What a function does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// It gives a block.
    Allocates(Shape),
    /// It takes one back.
    Releases(Shape),
    /// It makes a heap, which is seen as it returns.
    MakesHeap,
}

impl Role {
    /// Whether it gives blocks.
    pub(super) fn gives(self) -> bool {
        matches!(self, Role::Allocates(_))
    }
}

/// A function by name.
#[derive(Clone, Copy, Debug)]
pub(super) struct Known {
    pub(super) name: &'static str,
    pub(super) function: Function,
    pub(super) role: Role,
}

const fn gives(name: &'static str, function: Function, shape: Shape) -> Known {
    Known { name, function, role: Role::Allocates(shape) }
}

const fn takes(name: &'static str, function: Function) -> Known {
    Known { name, function, role: Role::Releases(Shape::Size) }
}

/// C's, which every allocator has.
pub(super) const C: [Known; 11] = [
    gives("malloc", Function::Malloc, Shape::Size),
    gives("calloc", Function::Calloc, Shape::Product),
    gives("realloc", Function::Realloc, Shape::Resize),
    gives("reallocarray", Function::Reallocarray, Shape::ResizeArray),
    gives("posix_memalign", Function::PosixMemalign, Shape::Out),
    gives("aligned_alloc", Function::AlignedAlloc, Shape::Aligned),
    gives("memalign", Function::Memalign, Shape::Aligned),
    gives("valloc", Function::Valloc, Shape::Size),
    gives("pvalloc", Function::Pvalloc, Shape::Size),
    takes("free", Function::Free),
    takes("cfree", Function::Free),
];

/// C++'s and those with names of their own, of allocators that bring them along. libstdc++'s and libc++'s call malloc
/// and free, and are seen there.
pub(super) const MORE: [Known; 40] = [
    gives("_Znwm", Function::New, Shape::Size),
    gives("_ZnwmRKSt9nothrow_t", Function::New, Shape::Size),
    gives("_ZnwmSt11align_val_t", Function::New, Shape::Size),
    gives("_ZnwmSt11align_val_tRKSt9nothrow_t", Function::New, Shape::Size),
    gives("_Znam", Function::NewArray, Shape::Size),
    gives("_ZnamRKSt9nothrow_t", Function::NewArray, Shape::Size),
    gives("_ZnamSt11align_val_t", Function::NewArray, Shape::Size),
    gives("_ZnamSt11align_val_tRKSt9nothrow_t", Function::NewArray, Shape::Size),
    takes("_ZdlPv", Function::Delete),
    takes("_ZdlPvm", Function::Delete),
    takes("_ZdlPvRKSt9nothrow_t", Function::Delete),
    takes("_ZdlPvSt11align_val_t", Function::Delete),
    takes("_ZdlPvmSt11align_val_t", Function::Delete),
    takes("_ZdlPvSt11align_val_tRKSt9nothrow_t", Function::Delete),
    takes("_ZdaPv", Function::DeleteArray),
    takes("_ZdaPvm", Function::DeleteArray),
    takes("_ZdaPvRKSt9nothrow_t", Function::DeleteArray),
    takes("_ZdaPvSt11align_val_t", Function::DeleteArray),
    takes("_ZdaPvmSt11align_val_t", Function::DeleteArray),
    takes("_ZdaPvSt11align_val_tRKSt9nothrow_t", Function::DeleteArray),
    gives("je_malloc", Function::Malloc, Shape::Size),
    gives("je_calloc", Function::Calloc, Shape::Product),
    gives("je_realloc", Function::Realloc, Shape::Resize),
    gives("je_posix_memalign", Function::PosixMemalign, Shape::Out),
    gives("je_aligned_alloc", Function::AlignedAlloc, Shape::Aligned),
    takes("je_free", Function::Free),
    gives("mallocx", Function::Malloc, Shape::Size),
    gives("rallocx", Function::Realloc, Shape::Resize),
    takes("dallocx", Function::Free),
    takes("sdallocx", Function::Free),
    gives("_rjem_malloc", Function::Malloc, Shape::Size),
    gives("_rjem_calloc", Function::Calloc, Shape::Product),
    gives("_rjem_realloc", Function::Realloc, Shape::Resize),
    gives("_rjem_mallocx", Function::Malloc, Shape::Size),
    gives("_rjem_rallocx", Function::Realloc, Shape::Resize),
    takes("_rjem_sdallocx", Function::Free),
    gives("mi_malloc", Function::Malloc, Shape::Size),
    gives("mi_calloc", Function::Calloc, Shape::Product),
    gives("mi_realloc", Function::Realloc, Shape::Resize),
    takes("mi_free", Function::Free),
];

/// Windows' heaps, in the module [`HEAPS_OF`].
pub(super) const HEAPS: [Known; 5] = [
    gives("RtlAllocateHeap", Function::RtlAllocateHeap, Shape::Heap),
    gives("RtlReAllocateHeap", Function::RtlReAllocateHeap, Shape::HeapResize),
    Known {
        name: "RtlFreeHeap",
        function: Function::RtlFreeHeap,
        role: Role::Releases(Shape::HeapFree),
    },
    Known { name: "RtlCreateHeap", function: Function::RtlCreateHeap, role: Role::MakesHeap },
    Known {
        name: "RtlDestroyHeap",
        function: Function::RtlDestroyHeap,
        role: Role::Releases(Shape::WholeHeap),
    },
];

/// The module that has them.
pub(super) const HEAPS_OF: &str = "ntdll.dll";

/// A function of this name.
pub(super) fn known(name: &str) -> Option<&'static Known> {
    C.iter().chain(&MORE).chain(&HEAPS).find(|known| known.name == name)
}

/// Whether it is C++'s.
pub(super) fn is_operator(name: &str) -> bool {
    ["_Znw", "_Zna", "_Zdl", "_Zda"].iter().any(|operator| name.starts_with(operator))
}

/// Whether it is an `operator new`.
pub(super) fn is_new(name: &str) -> bool {
    name.starts_with("_Znw") || name.starts_with("_Zna")
}

/// Whether it may be left by an exception.
pub(super) fn may_throw(name: &str) -> bool {
    is_new(name) && !name.ends_with("RKSt9nothrow_t") || is_heaps(name)
}

/// Whether it is one of Windows' that give: where a heap was made to, they raise an exception instead of giving nothing.
fn is_heaps(name: &str) -> bool {
    HEAPS.iter().any(|known| known.name == name && !matches!(known.role, Role::Releases(_)))
}

/// All names, the plainest first.
pub(super) fn names() -> Vec<&'static str> {
    C.iter().chain(&MORE).chain(&HEAPS).map(|known| known.name).collect()
}

/// What the loader calls before and after it changes which modules a process has.
pub(super) const MAP_CHANGED: &str = "_dl_debug_state";
/// What loads modules of Windows: when it returns they are there.
pub(super) const LOADS: &str = "LdrLoadDll";
