//! What is known by name of the frames between a program's own code and the allocator:
//! allocators, runtimes, and wrappers that only pass a request on. Names are compared as
//! programmers write them (demangled); modules by file name, with or without `.dll`, because
//! UMDH logs leave it out.

use super::function_name::{closing, qualified};
use super::known::{
    ALLOCATOR_MODULES, ALLOCATOR_PREFIXES, ALLOCATORS, BEGINNINGS, COPIERS, FAMILY,
    RUNTIME_MODULES, STANDARD, STANDARD_RUST,
};
use super::known_windows as windows;

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

/// What a frame is, by the file name of its module and its demangled function.
pub(super) fn role(module: Option<&str>, function: Option<&str>) -> Role {
    let module = module.map(|module| format!("{}.", module.to_ascii_lowercase()));
    let is = |names: &[&str]| {
        let module = module.as_deref().unwrap_or_default();
        names.iter().any(|name| module.starts_with(name))
    };
    if is(ALLOCATOR_MODULES) || is(windows::ALLOCATOR_MODULES) {
        return Role::Allocator;
    }
    let by_name = function.map_or(Role::Program, by_name);
    if (is(RUNTIME_MODULES) || is(windows::RUNTIME_MODULES)) && by_name != Role::Allocator {
        return Role::Runtime;
    }
    by_name
}

fn by_name(function: &str) -> Role {
    let name = qualified(function);
    let plain = name.split('(').next().unwrap_or(name);
    let plain = plain.strip_prefix("__rustc::").unwrap_or(plain);
    // Compilers split functions and mark the parts: `xmalloc.cold`, `xmalloc.constprop.0`.
    let plain = plain.split_once('.').map_or(plain, |(whole, _)| whole);
    let plain = without_convention(plain);
    if ALLOCATORS.contains(&plain)
        || windows::ALLOCATORS.contains(&plain)
        || ALLOCATOR_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
        || windows::ALLOCATOR_PREFIXES.iter().any(|prefix| plain.starts_with(prefix))
    {
        Role::Allocator
    } else if BEGINNINGS.contains(&plain)
        || windows::BEGINNINGS.contains(&plain)
        || is_standard(function, name)
    {
        Role::Runtime
    } else if COPIERS.contains(&plain)
        || is_family(plain.rsplit("::").next().unwrap_or(plain))
        || plain.contains("::operator new")
    {
        Role::Wrapper
    } else {
        Role::Program
    }
}

/// `HeapAlloc` of `_HeapAlloc@12`, which is `__stdcall` on x86, and `f` of `@f@8`: debuggers show names so
/// where they do not undecorate them.
fn without_convention(name: &str) -> &str {
    let Some((plain, bytes)) = name.rsplit_once('@') else { return name };
    let counted = !bytes.is_empty() && bytes.bytes().all(|byte| byte.is_ascii_digit());
    let marked = plain.strip_prefix(['_', '@']);
    marked.filter(|plain| counted && !plain.is_empty()).unwrap_or(name)
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
                "xmalloc.cold",
                "xmalloc(unsigned long) [clone .constprop.0]",
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

    /// Each stack was published from a debugger, or names what a header documents.
    #[test]
    fn windows_functions_are_known_in_any_module() {
        for family in [
            // C runtime, linked into the program.
            "malloc calloc realloc _recalloc _aligned_malloc _malloc_base _calloc_base _realloc_base",
            "_heap_alloc _heap_alloc_base _heap_alloc_dbg _heap_alloc_dbg_impl _nh_malloc _nh_malloc_dbg",
            "_nh_malloc_dbg_impl _malloc_dbg _calloc_dbg _malloc_crt _strdup _wcsdup _strdup_dbg",
            // Heaps and pages.
            "HeapAlloc HeapReAlloc LocalAlloc LocalReAlloc GlobalAlloc GlobalReAlloc",
            "RtlAllocateHeap RtlAllocateHeapSlowly RtlReAllocateHeap RtlDebugAllocateHeap",
            "RtlpAllocateHeap RtlpAllocateHeapInternal RtlpLowFragHeapAllocFromContext",
            "RtlpHpAllocateHeapSlow RtlpHpAllocVirtBlockCommitFirst RtlpHpLfhSlotAllocate",
            "RtlpCallInterceptRoutine RtlpExtendHeap RtlMultipleAllocateHeap",
            "HeapCreate RtlCreateHeap RtlDebugCreateHeap _heap_init LH_ExtHeapCreate",
            "VirtualAlloc VirtualAllocEx NtAllocateVirtualMemory ZwAllocateVirtualMemory",
            // Verifiers.
            "AVrfDebugPageHeapAllocate AVrfDebugPageHeapReAllocate AVrfpDphNormalHeapAllocate",
            "AVrfpRtlAllocateHeap RtlpDebugPageHeapAllocate RtlpDphNormalHeapAllocate",
            // Critical sections.
            "InitializeCriticalSection InitializeCriticalSectionAndSpinCount InitializeCriticalSectionEx",
            "RtlInitializeCriticalSection RtlInitializeCriticalSectionAndSpinCount",
            "RtlInitializeCriticalSectionEx RtlpAllocateDebugInfo RtlpAddDebugInfoToCriticalSection",
            // COM, Automation, MAPI, Exchange.
            "CoTaskMemAlloc CoTaskMemRealloc CRetailMalloc_Alloc CRetailMalloc::Alloc",
            "SysAllocString SysAllocStringLen SysAllocStringByteLen SysReAllocStringLen",
            "APP_DATA::AllocCachedMem MAPIAllocateBuffer MAPIAllocateBufferExt MAPIAllocateMore",
            "LH_ExtHeapAlloc LH_IntHeapAlloc ExchAlloc ExchHeapAlloc ExchMHeapAlloc MpHeapAlloc",
            // As linkers of x86 write them, and with parameters.
            "_HeapAlloc@12 _RtlAllocateHeap@12 @RtlpAllocateHeap@24 _CoTaskMemAlloc@4",
            "malloc(unsigned_int) HeapAlloc(void*)",
        ] {
            for function in family.split(' ') {
                check("product.exe", Role::Allocator, &[function]);
            }
        }
        check(
            "product.exe",
            Role::Allocator,
            &["operator new(unsigned int)", "operator new[](unsigned __int64)", "operator new"],
        );
        check("Exchmem.dll", Role::Allocator, &["", "anything"]);
        check("STAXMEM", Role::Allocator, &["", "ExchMHeapFree"]);
        check("verifier.dll", Role::Allocator, &["", "VerifierStopMessage"]);
        check("ntkrnlmp.exe", Role::Runtime, &["", "KiSystemServiceCopyEnd"]);
        check("wow64cpu.dll", Role::Runtime, &["", "TurboDispatchJumpAddressEnd"]);
        check(
            "product.exe",
            Role::Runtime,
            &["mainCRTStartup", "_threadstartex", "BaseThreadInitThunk"],
        );
    }

    /// What a product calls its own, however much it sounds like an allocator.
    #[test]
    fn a_products_function_that_only_sounds_so_is_its_own() {
        check(
            "store.exe",
            Role::Program,
            &[
                "CFolder::PreAllocateBuffer",
                "HeapAllocator::Run(int)",
                "LocalAllocation",
                "CMapi::MAPIAllocateMoreFolders",
                "EcMAPIAllocateBuffer",
                "InitializeCriticalSectionTable",
                "InitializeCriticalSections",
                "SysAllocStringList",
                "SysAllocStringArray",
                "VirtualAllocator::Grow",
                "CStore::HeapCreate",
                "CSession::CoTaskMemAllocate",
                "CRetailMallocSpy::Count",
                "ExchHeapAllocStatistics",
                "RtlpHandler",
                "AVrfoo",
                "MSProviderInit",
                "HrStrAToStrW",
                "list@mailbox",
                "DllMain",
            ],
        );
        check("exchmemory.dll", Role::Program, &["", "anything"]);
        check("halting.dll", Role::Program, &[""]);
        check("wow64helper.dll", Role::Program, &[""]);
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
