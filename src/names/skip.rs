//! What is known by name of the frames between a program's own code and the allocator:
//! allocators, runtimes, and wrappers that only pass a request on. Names are compared as
//! programmers write them (demangled); modules by file name, with or without `.dll`, because
//! UMDH logs leave it out.

/// What a frame is to whoever asks who is to blame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// The allocator itself, or a library's documented way to it.
    Allocator,
    /// C, C++ or Rust runtime and library code.
    Runtime,
    /// Passes a request on, by its name (`xmalloc`).
    Wrapper,
    /// Anything else: a program's own code.
    Program,
}

/// Modules that are allocators, by the beginning of their file names.
const ALLOCATOR_MODULES: &[&str] = &[
    "libunfreed_agent",
    "unfreed-agent",
    "libjemalloc",
    "libtcmalloc",
    "libmimalloc",
    "exchmem.",
    "verifier.",
    "vfbasics.",
];
/// Modules that are runtimes, by the beginning of their file names. Older glibc files are named as
/// in `libc-2.31.so`.
const RUNTIME_MODULES: &[&str] = &[
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
    "ntdll.",
    "kernel32.",
    "kernelbase.",
    "ucrtbase",
    "msvcr",
    "msvcp",
    "vcruntime",
];

/// Functions that allocate, and libraries' documented ways to them.
const ALLOCATORS: &[&str] = &[
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
    "_strdup",
    "_wcsdup",
    "__strdup",
    "__strndup",
    "__libc_malloc",
    "__libc_calloc",
    "__libc_realloc",
    "__libc_memalign",
    "_int_malloc",
    "_int_realloc",
    "_malloc_dbg",
    "_calloc_dbg",
    "_realloc_dbg",
    "_heap_alloc",
    "_nh_malloc",
    "_malloc_base",
    "_calloc_base",
    "_realloc_base",
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
    // Windows
    "HeapAlloc",
    "HeapReAlloc",
    "RtlAllocateHeap",
    "RtlReAllocateHeap",
    "LocalAlloc",
    "GlobalAlloc",
    "VirtualAlloc",
    "CoTaskMemAlloc",
    "CoTaskMemRealloc",
    // MAPI
    "MAPIAllocateBuffer",
    "MAPIAllocateMore",
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
const ALLOCATOR_PREFIXES: &[&str] = &[
    "operator new",
    "RtlpAllocateHeap",
    "RtlDebugAllocateHeap",
    "RtlInitializeCriticalSection",
    "InitializeCriticalSection",
    "SysAllocString",
    "SysReAllocString",
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
const FAMILY: &[&str] = &[
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
/// Where threads and programs begin.
const BEGINNINGS: &[&str] = &["_start", "__libc_start_main", "start_thread", "clone", "clone3"];
/// Library code in C++ and Rust alike.
const STANDARD: &[&str] = &["std::", "__gnu_cxx::", "__cxxabiv1::", "__rustc::"];
/// Library code where the name is Rust's; in C++ anybody may call a namespace so.
const STANDARD_RUST: &[&str] = &["alloc::", "core::", "std::", "hashbrown::"];

/// What a frame is, by the file name of its module and its demangled function.
pub(super) fn role(module: Option<&str>, function: Option<&str>) -> Role {
    let module = module.map(|module| format!("{}.", module.to_ascii_lowercase()));
    let is = |names: &[&str]| {
        let module = module.as_deref().unwrap_or_default();
        names.iter().any(|name| module.starts_with(name))
    };
    if is(ALLOCATOR_MODULES) {
        return Role::Allocator;
    }
    let by_name = function.map_or(Role::Program, by_name);
    if is(RUNTIME_MODULES) && by_name != Role::Allocator {
        return Role::Runtime;
    }
    by_name
}

fn by_name(function: &str) -> Role {
    let name = qualified(function);
    let plain = name.split('(').next().unwrap_or(name);
    let plain = plain.strip_prefix("__rustc::").unwrap_or(plain);
    if ALLOCATORS.contains(&plain)
        || ALLOCATOR_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
    {
        Role::Allocator
    } else if BEGINNINGS.contains(&plain) || is_standard(function, name) {
        Role::Runtime
    } else if is_family(plain.rsplit("::").next().unwrap_or(plain))
        || plain.contains("::operator new")
    {
        Role::Wrapper
    } else {
        Role::Program
    }
}

/// Whether a function belongs to the standard library of C++ or Rust. `<X as Trait>::f` does
/// only where both are the library's or open (`T`): a program's own `Clone` is a program's code.
fn is_standard(function: &str, name: &str) -> bool {
    if let Some(inner) = function.strip_prefix('<') {
        let inner = &inner[..closing(inner).unwrap_or(inner.len())];
        return match inner.rsplit_once(" as ") {
            Some((own, of)) => is_library_type(of) && (is_library_type(own) || is_open(own)),
            None => is_library_type(inner),
        };
    }
    let rust = !function.contains('(');
    STANDARD.iter().any(|prefix| name.starts_with(prefix))
        || rust && STANDARD_RUST.iter().any(|prefix| name.starts_with(prefix))
}

fn is_library_type(name: &str) -> bool {
    STANDARD_RUST.iter().any(|prefix| name.starts_with(prefix))
}

/// A type parameter, a primitive or a reference: nothing that has a home.
fn is_open(name: &str) -> bool {
    !name.contains("::")
}

/// Where the bracket that was just opened closes.
fn closing(text: &str) -> Option<usize> {
    let mut depth = 1_usize;
    let mut before = ' ';
    for (at, symbol) in text.char_indices() {
        match symbol {
            '<' => depth += 1,
            '>' if before != '-' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some(at);
        }
        before = symbol;
    }
    None
}

/// Whether a name ends in one of the family, as a word of its own: `xmalloc`, `mosquitto__strdup`,
/// `PoolMalloc`; not `smallocation`.
fn is_family(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    let word = FAMILY.iter().filter(|word| lower.ends_with(*word)).max_by_key(|word| word.len());
    let Some(word) = word else { return false };
    let (prefix, own) = name.split_at(name.len() - word.len());
    prefix.len() <= 3
        || prefix.ends_with('_')
        || own.starts_with(|first: char| first.is_uppercase())
}

/// A demangled name without its return type, which C++ templates carry:
/// `std::string mail::join<int>(int)` is `mail::join<int>(int)`.
fn qualified(function: &str) -> &str {
    if function.starts_with('<') {
        return function;
    }
    let head = match operator(function) {
        Some(at) => &function[..at],
        None => &function[..parameters(function).unwrap_or(function.len())],
    };
    let mut depth = 0_i32;
    let mut start = 0;
    for (at, symbol) in head.char_indices() {
        match symbol {
            '<' | '(' | '{' | '[' => depth += 1,
            '>' | ')' | '}' | ']' => depth -= 1,
            ' ' if depth == 0 => start = at + 1,
            _ => {}
        }
    }
    &function[start..]
}

/// Where the last `operator` begins, whose symbols look like brackets.
fn operator(function: &str) -> Option<usize> {
    const WORD: &str = "operator";
    let (at, _) = function.rmatch_indices(WORD).find(|(at, _)| {
        let before = function[..*at].chars().next_back();
        let after = function[at + WORD.len()..].chars().next();
        before.is_none_or(|c| matches!(c, ':' | ' ' | '*' | '&'))
            && after.is_some_and(|c| !c.is_alphanumeric() && c != '_')
    })?;
    Some(at)
}

/// Where the parameter list begins: the last bracket that is not inside others.
fn parameters(function: &str) -> Option<usize> {
    let mut depth = 0_i32;
    let mut last = None;
    for (at, symbol) in function.char_indices() {
        match symbol {
            '(' if depth == 0 => {
                last = Some(at);
                depth = 1;
            }
            '<' | '(' | '{' | '[' => depth += 1,
            '>' | ')' | '}' | ']' => depth -= 1,
            _ => {}
        }
    }
    last
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(module: &str, expected: Role, functions: &[&str]) {
        for function in functions {
            let function = (!function.is_empty()).then_some(*function);
            assert_eq!(role(Some(module), function), expected, "{module} {function:?}");
        }
    }

    #[test]
    fn modules_are_known_by_file_name() {
        for module in
            ["libunfreed_agent-1.so", "unfreed-agent.so", "libjemalloc.so.2", "EXCHMEM.dll"]
        {
            check(module, Role::Allocator, &["", "anything"]);
        }
        for module in [
            "libc.so.6",
            "libc-2.31.so",
            "ld-linux-x86-64.so.2",
            "libstdc++.so.6.0.30",
            "libm.so.6",
            "ntdll.dll",
            "ntdll",
            "KERNELBASE.dll",
            "MSVCP60.dll",
            "msvcrt",
            "VCRUNTIME140.dll",
        ] {
            check(module, Role::Runtime, &["", "anything", "xmalloc"]);
            check(module, Role::Allocator, &["malloc", "operator new(unsigned long)"]);
        }
        check("libcrypto.so.3", Role::Program, &["", "RSA_new"]);
        check("libcurl.so.4", Role::Program, &[""]);
        check("ntdllx.dll", Role::Program, &[""]);
    }

    #[test]
    fn functions_are_known_by_name_in_any_module() {
        check(
            "broker",
            Role::Allocator,
            &[
                "malloc",
                "strdup",
                "operator new(unsigned long)",
                "operator new[](unsigned long)",
                "g_malloc0",
                "PyMem_RawMalloc",
                "_PyObject_Malloc",
                "CRYPTO_malloc",
                "apr_palloc",
                "RtlAllocateHeap",
                "RtlInitializeCriticalSectionAndSpinCount",
                "MAPIAllocateMore",
                "CoTaskMemAlloc",
                "SysAllocStringLen",
                "__rust_alloc",
                "__rustc::__rust_alloc",
            ],
        );
        check(
            "broker",
            Role::Wrapper,
            &[
                "xmalloc",
                "mosquitto__malloc",
                "mosquitto__strdup",
                "db_realloc",
                "PoolMalloc",
                "mail::Pool::malloc(unsigned long)",
                "mail::Message::operator new(unsigned long)",
            ],
        );
        check(
            "broker",
            Role::Program,
            &[
                "packet__read_string",
                "main",
                "smallocation",
                "mallocate",
                "mail::Server::receive(int)",
                "",
            ],
        );
    }

    #[test]
    fn library_code_is_told_from_code_that_only_uses_it() {
        check(
            "broker",
            Role::Runtime,
            &[
                "std::__cxx11::basic_string<char, std::char_traits<char> >::_M_create(unsigned long&, unsigned long)",
                "void std::vector<Foo, std::allocator<Foo> >::emplace_back<Foo>(Foo&&)",
                "__gnu_cxx::new_allocator<char>::allocate(unsigned long, void const*)",
                "std::allocator<char>::allocate(unsigned long)",
                "alloc::raw_vec::RawVec<T,A>::grow_one",
                "<alloc::string::String as core::clone::Clone>::clone",
                "<T as alloc::slice::hack::ConvertVec>::to_vec",
                "<alloc::vec::Vec<u8>>::push",
                "core::ops::function::FnOnce::call_once",
                "hashbrown::raw::RawTable<T,A>::reserve_rehash",
                "std::io::Read::read_to_end",
            ],
        );
        check(
            "broker",
            Role::Program,
            &[
                "std::vector<Foo, std::allocator<Foo> > mail::make<Foo>(std::string const&)",
                "mail::join(std::string const&) const",
                "core::Server::receive(int)",
                "alloc::Pool::take()",
                "(anonymous namespace)::receive(std::string)",
                "main::{lambda()#1}::operator()() const",
                "mail::operator<<(std::ostream&, mail::Message const&)",
                "<mail::Message as core::clone::Clone>::clone",
                "<alloc::string::String as mail::Store>::keep",
                "<mail::Queue<alloc::string::String>>::push",
                "mail::server::receive::{{closure}}",
            ],
        );
    }
}
