//! Functions that only pass a request on: whoever calls them is to blame, from the difference of two logs to the report.

use super::articles::analyze;
use super::evidence::through;
use super::evidence::umdh::{Form, USUAL, difference};

const KERNEL32: usize = 2;
const NTDLL: usize = 1;

const EXCHMEM: &str = r"C:\Program Files\Exchsrvr\bin\exchmem.dll";
const MAPI32: &str = r"C:\WINNT\system32\MAPI32.dll";
const OLE32: &str = r"C:\WINNT\system32\ole32.dll";
const OLEAUT32: &str = r"C:\WINNT\system32\OLEAUT32.dll";

/// Checks that the provider is blamed, and for all of it.
fn check(libraries: &[&'static str], wrappers: &[(usize, &'static str)], size: u32) {
    let case = through(libraries, wrappers, size);
    for form in [USUAL, Form { decimal: true, ..USUAL }] {
        let report = analyze(&difference(&case, form));
        let suspects = report["suspects"].as_array().unwrap();
        assert_eq!(suspects.len(), 1, "{wrappers:?}");
        let suspect = &suspects[0];
        assert_eq!(suspect["module"]["name"], "provider", "{wrappers:?}");
        assert_eq!(suspect["function"], "CTable::Fill", "{wrappers:?}");
        assert_eq!(suspect["live_blocks"], 3120);
        assert_eq!(suspect["live_bytes"], 3120 * size);
        // Skipped is not left out: the stack has every frame.
        let stack = suspect["stack"].as_array().unwrap();
        let shown = |name: &str| stack.iter().any(|frame| frame["function"] == name);
        assert!(wrappers.iter().all(|(_, name)| shown(name)), "{stack:#?}");
    }
}

#[test]
fn a_critical_sections_debug_information_is_its_callers() {
    let inner = (NTDLL, "RtlpAllocateDebugInfo");
    for wrappers in [
        &[inner, (NTDLL, "RtlInitializeCriticalSection")][..],
        &[
            inner,
            (NTDLL, "RtlInitializeCriticalSectionAndSpinCount"),
            (KERNEL32, "InitializeCriticalSection"),
        ],
        &[
            inner,
            (NTDLL, "RtlInitializeCriticalSectionEx"),
            (KERNEL32, "InitializeCriticalSectionEx"),
        ],
        &[
            (NTDLL, "RtlpAddDebugInfoToCriticalSection"),
            (NTDLL, "RtlInitializeCriticalSectionAndSpinCount"),
            (KERNEL32, "InitializeCriticalSectionAndSpinCount"),
        ],
    ] {
        check(&[], wrappers, 32);
    }
}

#[test]
fn strings_of_automation_and_com_are_their_callers() {
    check(&[OLE32], &[(4, "CRetailMalloc_Alloc"), (4, "CoTaskMemAlloc")], 260);
    let string = |last| [(4, "CRetailMalloc_Alloc"), (5, "APP_DATA::AllocCachedMem"), (5, last)];
    for last in ["SysAllocStringByteLen", "SysAllocStringLen", "SysAllocString"] {
        check(&[OLE32, OLEAUT32], &string(last), 58);
    }
    let both = [(4, "APP_DATA::AllocCachedMem"), (4, "SysAllocStringLen"), (4, "SysAllocString")];
    check(&[OLEAUT32], &both, 58);
}

#[test]
fn buffers_of_mapi_and_exchange_are_their_callers() {
    for last in ["MAPIAllocateBuffer", "MAPIAllocateMore"] {
        check(&[MAPI32], &[(4, "LH_IntHeapAlloc"), (4, "LH_ExtHeapAlloc"), (4, last)], 96);
        let through_exchange = [
            (5, "MpHeapAlloc"),
            (5, "ExchMHeapAlloc"),
            (4, "LH_IntHeapAlloc"),
            (4, "LH_ExtHeapAlloc"),
            (4, last),
        ];
        check(&[MAPI32, EXCHMEM], &through_exchange, 96);
    }
    // All of exchmem, whatever its function is called.
    check(&[EXCHMEM], &[(4, "Whatever"), (4, "ExchHeapAlloc")], 96);
}
