//! The functions by which blocks come and go: those that the agent stands in for, and those that
//! lead past it by their names.

/// What kind of function it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Of C. Whoever defines it is an allocator.
    C,
    /// Of C++. Whoever defines it may be one, or may call C's.
    Operator,
    /// An allocator's own name, which the agent does not stand in for.
    Own,
}

/// Of a name that is one of [`NAMES`].
pub(super) fn kind(name: &str) -> Kind {
    match name {
        _ if name.starts_with("_Z") => Kind::Operator,
        _ if C.contains(&name) => Kind::C,
        _ => Kind::Own,
    }
}

/// Whether the function may release a block.
pub(super) fn releases(name: &str) -> bool {
    name.starts_with("_Zd")
        || name.contains("free")
        || name.contains("realloc")
        || RELEASE.contains(&name)
}

/// Whether the function may hand out a block.
pub(super) fn hands_out(name: &str) -> bool {
    name.contains("realloc") || !releases(name) || name == "rallocx"
}

/// As its callers write it.
pub(super) fn shown(name: &str) -> &str {
    match name.get(..4) {
        Some("_Znw") => "operator new",
        Some("_Zna") => "operator new[]",
        Some("_Zdl") => "operator delete",
        Some("_Zda") => "operator delete[]",
        _ => name,
    }
}

const C: [&str; 11] = [
    "malloc",
    "free",
    "cfree",
    "calloc",
    "realloc",
    "reallocarray",
    "posix_memalign",
    "aligned_alloc",
    "memalign",
    "valloc",
    "pvalloc",
];

/// Those that release without saying so in their names.
const RELEASE: [&str; 6] =
    ["dallocx", "sdallocx", "rallocx", "xallocx", "tc_delete", "tc_deletearray"];

/// All of them.
pub(super) const NAMES: [&str; 62] = [
    "malloc",
    "free",
    "cfree",
    "calloc",
    "realloc",
    "reallocarray",
    "posix_memalign",
    "aligned_alloc",
    "memalign",
    "valloc",
    "pvalloc",
    "_Znwm",
    "_Znam",
    "_ZnwmRKSt9nothrow_t",
    "_ZnamRKSt9nothrow_t",
    "_ZnwmSt11align_val_t",
    "_ZnamSt11align_val_t",
    "_ZnwmSt11align_val_tRKSt9nothrow_t",
    "_ZnamSt11align_val_tRKSt9nothrow_t",
    "_ZdlPv",
    "_ZdaPv",
    "_ZdlPvm",
    "_ZdaPvm",
    "_ZdlPvRKSt9nothrow_t",
    "_ZdaPvRKSt9nothrow_t",
    "_ZdlPvSt11align_val_t",
    "_ZdaPvSt11align_val_t",
    "_ZdlPvmSt11align_val_t",
    "_ZdaPvmSt11align_val_t",
    "_ZdlPvSt11align_val_tRKSt9nothrow_t",
    "_ZdaPvSt11align_val_tRKSt9nothrow_t",
    // glibc.
    "__libc_malloc",
    "__libc_free",
    "__libc_calloc",
    "__libc_realloc",
    "__libc_memalign",
    // jemalloc.
    "mallocx",
    "rallocx",
    "xallocx",
    "dallocx",
    "sdallocx",
    "je_malloc",
    "je_free",
    "je_calloc",
    "je_realloc",
    // tcmalloc.
    "tc_malloc",
    "tc_free",
    "tc_free_sized",
    "tc_calloc",
    "tc_realloc",
    "tc_memalign",
    "tc_new",
    "tc_newarray",
    "tc_delete",
    "tc_deletearray",
    // mimalloc.
    "mi_malloc",
    "mi_free",
    "mi_calloc",
    "mi_zalloc",
    "mi_realloc",
    "mi_malloc_aligned",
    "mi_new",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_releases_or_hands_out() {
        for name in NAMES {
            assert!(releases(name) || hands_out(name), "{name}");
        }
        let both: Vec<&str> =
            NAMES.into_iter().filter(|name| releases(name) && hands_out(name)).collect();
        let resizers =
            ["realloc", "reallocarray", "__libc_realloc", "rallocx", "je_realloc", "tc_realloc"];
        assert_eq!(both, [&resizers[..], &["mi_realloc"]].concat());
        assert_eq!(NAMES.iter().filter(|name| kind(name) == Kind::C).count(), C.len());
        assert_eq!(shown("_ZdaPvm"), "operator delete[]");
        assert_eq!(shown("mi_free"), "mi_free");
    }
}
