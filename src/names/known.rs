//! The names by which allocators, runtimes and wrappers are known; those of Windows are in
//! `known_windows.rs`. Data only: how they are compared is told in `skip.rs`. A module's name is compared in lower case with a full stop after
//! it, so that `ntdll.` means `ntdll` and `ntdll.dll` and nothing longer.

/// Modules that are allocators, by the beginning of their file names.
pub(super) const ALLOCATOR_MODULES: &[&str] =
    &["libunfreed_agent", "unfreed-agent", "libjemalloc", "libtcmalloc", "libmimalloc"];
/// Modules that are runtimes, by the beginning of their file names. Older glibc files are named as
/// in `libc-2.31.so`.
pub(super) const RUNTIME_MODULES: &[&str] = &[
    "libc.so",
    "libc-2.",
    "libc.musl",
    "ld-linux",
    "ld-2.",
    "ld-musl",
    "ld64.so",
    "ld.so",
    "libstdc++.so",
    "libc++.so",
    "libc++abi.so",
    "libgcc_s",
    "libm.so",
    "libm-2.",
    "libpthread",
    "libdl.so",
    "libdl-2.",
    "librt.so",
    "librt-2.",
    "linux-vdso",
];

/// Functions that allocate, and libraries' documented ways to them.
pub(super) const ALLOCATORS: &[&str] = &[
    // C
    "malloc",
    "calloc",
    "realloc",
    "reallocarray",
    "posix_memalign",
    "aligned_alloc",
    "memalign",
    "valloc",
    "pvalloc",
    "strdup",
    "strndup",
    "wcsdup",
    "__strdup",
    "__strndup",
    "__libc_malloc",
    "__libc_calloc",
    "__libc_realloc",
    "__libc_memalign",
    "_int_malloc",
    "_int_realloc",
    // Rust
    "__rust_alloc",
    "__rust_alloc_zeroed",
    "__rust_realloc",
    "__rg_alloc",
    "__rg_alloc_zeroed",
    "__rg_realloc",
    "__rdl_alloc",
    "__rdl_alloc_zeroed",
    "__rdl_realloc",
    // Apache Portable Runtime
    "apr_palloc",
    "apr_pcalloc",
    "apr_palloc_debug",
    "apr_pstrdup",
    "apr_pstrndup",
    "apr_pmemdup",
    "apr_allocator_alloc",
    "allocator_alloc",
];
/// The same, by the beginning of their names.
pub(super) const ALLOCATOR_PREFIXES: &[&str] = &[
    "operator new",
    "g_malloc",
    "g_try_malloc",
    "g_realloc",
    "g_try_realloc",
    "g_slice_alloc",
    "g_strdup",
    "g_strndup",
    "g_memdup",
    "PyMem_",
    "_PyMem_",
    "PyObject_Malloc",
    "PyObject_Calloc",
    "PyObject_Realloc",
    "_PyObject_Malloc",
    "_PyObject_Calloc",
    "_PyObject_Realloc",
    "CRYPTO_malloc",
    "CRYPTO_zalloc",
    "CRYPTO_calloc",
    "CRYPTO_realloc",
    "CRYPTO_clear_realloc",
    "CRYPTO_strdup",
    "CRYPTO_strndup",
    "CRYPTO_memdup",
    "OPENSSL_malloc",
    "OPENSSL_zalloc",
    "OPENSSL_realloc",
    "OPENSSL_strdup",
    "OPENSSL_memdup",
];
/// What the name of a wrapper ends in.
pub(super) const FAMILY: &[&str] = &[
    "malloc",
    "malloc0",
    "calloc",
    "realloc",
    "reallocarray",
    "zalloc",
    "strdup",
    "strndup",
    "wcsdup",
    "memdup",
    "memalign",
];
/// Functions of known programs that copy bytes into a new block for whoever calls them, as
/// `strndup` does: the caller keeps the block.
pub(super) const COPIERS: &[&str] = &[
    // mosquitto: every string, property and password of a packet is read through it. Seen in
    // Debian's 2.0.11, between mosquitto__malloc and packet__read_string.
    "packet__read_binary",
];
/// Where threads and programs begin.
pub(super) const BEGINNINGS: &[&str] =
    &["_start", "__libc_start_main", "start_thread", "clone", "clone3"];
/// Library code in C++ and Rust alike.
pub(super) const STANDARD: &[&str] = &["std::", "__gnu_cxx::", "__cxxabiv1::", "__rustc::"];
/// Library code where the name is Rust's; in C++ anybody may call a namespace so.
pub(super) const STANDARD_RUST: &[&str] = &["alloc::", "core::", "std::", "hashbrown::"];
