//! The blame frame: the innermost frame of a stack that is not an allocator, a runtime or a
//! wrapper. Wrappers are known by name, and a program's own are found by structure: the one
//! function of a module that calls the allocator for most of it, from many places. Only the
//! level that calls the allocator directly is judged by structure; the next would already be a
//! program's ordinary code (in mosquitto, reading a string from a packet). Pure: everything
//! comes from the sites of one process.

use rustc_hash::{FxHashMap, FxHashSet};
use unfreed_symbols::ModuleOffset;

use super::skip::{Role, role};

/// How many functions must call a wrapper.
const CALLERS_LEAST: usize = 5;

/// One frame, as far as it is known. An inlined function is a frame of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameSeen<'a> {
    /// File name of its module; `None` outside any.
    pub module: Option<&'a str>,
    /// Demangled name, where known.
    pub function: Option<&'a str>,
    /// Where its function begins, where known.
    pub start: Option<ModuleOffset>,
    /// The frame's offset, as the trace has it.
    pub offset: ModuleOffset,
}

/// One site: a stack, and how many allocations were made from it in all (not only live ones).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SiteSeen<'a> {
    /// Innermost first, allocator frames included.
    pub frames: Vec<FrameSeen<'a>>,
    /// Allocations made.
    pub allocations: u64,
}

/// Who is to blame.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Blamed {
    /// For each site, the index of its blame frame; `None` only for a stack without frames.
    pub frames: Vec<Option<usize>>,
    /// The wrappers found by structure, by module and function.
    pub wrappers: Vec<Wrapper>,
}

/// A wrapper found by structure.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Wrapper {
    /// Its module.
    pub module: String,
    /// Its name, where known.
    pub function: Option<String>,
    /// Where it begins, where known, else an offset within it.
    pub offset: ModuleOffset,
    /// Allocations through it.
    pub allocations: u64,
    /// All allocations of its module.
    pub module_allocations: u64,
    /// How many functions of its module call it.
    pub callers: usize,
}

/// A function: by name, because inlined functions have no place of their own; else by where it
/// begins; else by the return address, which for a wrapper with one call is as good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Function<'a> {
    Named(&'a str),
    Starting(ModuleOffset),
    Containing(ModuleOffset),
}

/// A function and its module.
type Key<'a> = (&'a str, Function<'a>);

/// What is known of a function that calls the allocator directly.
struct Direct<'a> {
    name: Option<&'a str>,
    /// The least, so that the order of sites does not matter.
    offset: ModuleOffset,
    allocations: u64,
    callers: FxHashSet<Function<'a>>,
}

/// Finds the blame frame of each site of one process.
pub fn blame(sites: &[SiteSeen<'_>]) -> Blamed {
    // Judging a name takes longer than finding it again, and stacks share most of theirs.
    let mut known = FxHashMap::default();
    let roles: Vec<Vec<Role>> = sites
        .iter()
        .map(|site| {
            let frames = site.frames.iter();
            let roles = frames.map(|frame| {
                *known
                    .entry((frame.module, frame.function))
                    .or_insert_with(|| role(frame.module, frame.function))
            });
            roles.collect()
        })
        .collect();
    let found = wrappers(sites, &roles);
    let frames =
        sites.iter().zip(&roles).map(|(site, roles)| blame_frame(site, roles, &found)).collect();
    let mut wrappers: Vec<Wrapper> = found.into_values().collect();
    wrappers.sort();
    Blamed { frames, wrappers }
}

fn blame_frame(
    site: &SiteSeen<'_>,
    roles: &[Role],
    wrappers: &FxHashMap<Key<'_>, Wrapper>,
) -> Option<usize> {
    let wraps = |index: usize| key(&site.frames[index]).is_some_and(|k| wrappers.contains_key(&k));
    let own = (0..roles.len()).find(|&index| roles[index] == Role::Program && !wraps(index));
    // Everything is skipped: then a wrapper is nearer to the truth than a runtime, and a runtime
    // than the allocator.
    own.or_else(|| roles.iter().position(|role| matches!(role, Role::Program | Role::Wrapper)))
        .or_else(|| roles.iter().position(|role| *role == Role::Runtime))
        .or_else(|| roles.len().checked_sub(1))
}

/// The wrappers of all modules: of the functions that call the allocator directly, those through
/// which at least half of their module's allocations go and that have many callers in it.
fn wrappers<'a>(sites: &[SiteSeen<'a>], roles: &[Vec<Role>]) -> FxHashMap<Key<'a>, Wrapper> {
    let mut modules: FxHashMap<&str, u64> = FxHashMap::default();
    let mut direct: FxHashMap<Key<'a>, Direct<'a>> = FxHashMap::default();
    for (site, roles) in sites.iter().zip(roles) {
        let caller = roles.iter().position(|role| matches!(role, Role::Wrapper | Role::Program));
        let Some(at) = caller else { continue };
        let frame = site.frames[at];
        let Some(key) = key(&frame) else { continue };
        let all = modules.entry(key.0).or_default();
        *all = all.saturating_add(site.allocations);
        let entry = direct.entry(key).or_insert_with(|| Direct {
            name: frame.function,
            offset: frame.start.unwrap_or(frame.offset),
            allocations: 0,
            callers: FxHashSet::default(),
        });
        entry.allocations = entry.allocations.saturating_add(site.allocations);
        entry.offset = entry.offset.min(frame.start.unwrap_or(frame.offset));
        // Its caller is the next frame that is another function, where that is in the same module.
        let outer = site.frames[at + 1..].iter().map(self::key).find(|outer| *outer != Some(key));
        if let Some(Some((module, function))) = outer
            && module == key.0
        {
            entry.callers.insert(function);
        }
    }
    let wrappers = direct.into_iter().filter_map(|(key, direct)| {
        let module_allocations = modules.get(key.0).copied().unwrap_or_default();
        let half = module_allocations.div_ceil(2);
        let enough = direct.allocations >= half && direct.allocations > 0;
        (enough && direct.callers.len() >= CALLERS_LEAST).then(|| {
            let wrapper = Wrapper {
                module: key.0.to_owned(),
                function: direct.name.map(str::to_owned),
                offset: direct.offset,
                allocations: direct.allocations,
                module_allocations,
                callers: direct.callers.len(),
            };
            (key, wrapper)
        })
    });
    wrappers.collect()
}

/// `None` for code outside any module.
fn key<'a>(frame: &FrameSeen<'a>) -> Option<Key<'a>> {
    let function = match (frame.function, frame.start) {
        (Some(name), _) => Function::Named(name),
        (None, Some(start)) => Function::Starting(start),
        (None, None) => Function::Containing(frame.offset),
    };
    Some((frame.module?, function))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use proptest::prelude::*;

    use super::*;

    /// A frame from `module!function`; `module!0x12` has no name, and `!` no module.
    fn frame(text: &str) -> FrameSeen<'_> {
        let (module, function) = text.split_once('!').unwrap();
        let offset = function.strip_prefix("0x").map(|hex| u64::from_str_radix(hex, 16).unwrap());
        FrameSeen {
            module: (!module.is_empty()).then_some(module),
            function: offset.is_none().then_some(function),
            start: None,
            offset: ModuleOffset(offset.unwrap_or(0x1000)),
        }
    }

    fn site(allocations: u64, stack: &str) -> SiteSeen<'_> {
        SiteSeen { frames: stack.split_whitespace().map(frame).collect(), allocations }
    }

    /// Each line: allocations, then the stack, innermost first; the blame frame is starred.
    fn check(wrappers: &[&str], text: &str) {
        let lines: Vec<&str> = text.lines().map(str::trim).filter(|l| !l.is_empty()).collect();
        let plain: Vec<String> = lines.iter().map(|line| line.replace('*', "")).collect();
        let sites: Vec<SiteSeen<'_>> = plain
            .iter()
            .map(|line| {
                let (count, stack) = line.split_once(' ').unwrap();
                site(count.parse().unwrap(), stack)
            })
            .collect();
        let blamed = blame(&sites);
        for (line, found) in lines.iter().zip(&blamed.frames) {
            let starred = line.split_whitespace().skip(1).position(|frame| frame.starts_with('*'));
            assert_eq!(*found, starred, "{line}");
        }
        let found: Vec<_> = blamed
            .wrappers
            .iter()
            .map(|w| w.function.clone().unwrap_or_else(|| format!("{:#x}", w.offset)))
            .collect();
        assert_eq!(found, wrappers);
    }

    #[test]
    fn allocators_runtimes_and_named_wrappers_are_skipped() {
        check(
            &[],
            "1 libunfreed_agent.so!malloc libc.so.6!malloc libc.so.6!fopen *app!read_config app!main
             1 libstdc++.so.6!_Znwm app!std::vector<int>::reserve(int) *plug.so!receive app!loop
             1 app!xmalloc *app!receive app!main
             1 libcrypto.so.3!CRYPTO_malloc *libcrypto.so.3!RSA_new app!main
             1 ntdll!RtlAllocateHeap exchmem.dll!ExchMHeapAlloc *cdoexm.dll!Save store.exe!main
             3 *!0xffff app!main",
        );
    }

    /// The stacks of published cases and of the founding articles.
    #[test]
    fn windows_products_are_blamed_not_their_heaps() {
        check(
            &[],
            "1 ntdll!RtlAllocateHeapSlowly ntdll!RtlAllocateHeap EXCHMEM!MpHeapAlloc EXCHMEM!ExchMHeapAlloc MAPI32!LH_IntHeapAlloc MAPI32!LH_ExtHeapAlloc MAPI32!MAPIAllocateBufferExt MAPI32!MAPIAllocateBuffer *EMSMTA!HrStrAToStrW EMSMTA!main
             1 ntdll!RtlDebugAllocateHeap ntdll!RtlAllocateHeap app!_heap_alloc_base app!_heap_alloc_dbg app!_nh_malloc_dbg app!_nh_malloc app!malloc *app!DisplayMyGraphics app!main app!mainCRTStartup
             1 verifier!AVrfDebugPageHeapAllocate ntdll!RtlDebugAllocateHeap ntdll!RtlpAllocateHeap ntdll!RtlAllocateHeap *reader!Open
             1 ntdll.dll!RtlAllocateHeap ntdll.dll!RtlpAllocateDebugInfo ntdll.dll!RtlInitializeCriticalSectionAndSpinCount kernel32.dll!InitializeCriticalSectionAndSpinCount *provider.dll!CStore::Init outlook.exe!main
             1 ntdll!RtlCreateHeap kernel32!HeapCreate mapi32!LH_ExtHeapCreate *mapi32!MAPILogonEx cdo!CSession::Logon
             1 ntdll!RtlAllocateHeap ole32!CRetailMalloc_Alloc oleaut32!APP_DATA::AllocCachedMem oleaut32!SysAllocStringByteLen *cdoexm!CMailbox::Save store!main
             1 ntoskrnl.exe!NtAllocateVirtualMemory ntdll!ZwAllocateVirtualMemory KERNELBASE!VirtualAlloc *drviis!Grow inetinfo!main
             1 ntdll!RtlAllocateHeap *emsmdb32!MSProviderInit ntdll!RtlUserThreadStart",
        );
    }

    #[test]
    fn a_wrapper_is_found_by_structure() {
        check(
            &["take_memory"],
            "10 libc.so.6!malloc app!take_memory *app!a app!main
             10 libc.so.6!malloc app!take_memory *app!b app!main
             10 libc.so.6!malloc app!take_memory *app!c app!main
             10 libc.so.6!malloc app!take_memory *app!d app!main
             10 libc.so.6!malloc app!take_memory *app!e app!main
             50 libc.so.6!malloc *app!table app!main
             99 libc.so.6!malloc *other.so!table app!main",
        );
    }

    #[test]
    fn few_callers_or_less_than_half_make_no_wrapper() {
        check(
            &[],
            "90 libc.so.6!malloc *app!packet app!a app!main
             90 libc.so.6!malloc *app!packet app!b app!main
             90 libc.so.6!malloc *app!packet app!c app!main
             90 libc.so.6!malloc *app!packet app!d app!main
             90 libc.so.6!malloc *app!packet app!d app!other",
        );
        check(
            &[],
            "10 libc.so.6!malloc *app!node app!a app!main
             10 libc.so.6!malloc *app!node app!b app!main
             10 libc.so.6!malloc *app!node app!c app!main
             10 libc.so.6!malloc *app!node app!d app!main
             10 libc.so.6!malloc *app!node app!e app!main
             51 libc.so.6!malloc *app!table app!main",
        );
    }

    #[test]
    fn callers_in_other_modules_make_no_wrapper() {
        check(
            &[],
            "10 libc.so.6!malloc *lib.so!make app!a
             10 libc.so.6!malloc *lib.so!make app!b
             10 libc.so.6!malloc *lib.so!make app!c
             10 libc.so.6!malloc *lib.so!make app!d
             10 libc.so.6!malloc *lib.so!make app!e",
        );
    }

    #[test]
    fn only_one_level_is_judged_by_structure() {
        // As in mosquitto, whose reader of strings has many callers too.
        check(
            &["take_memory"],
            "10 libc.so.6!malloc app!take_memory *app!read_string app!a
             10 libc.so.6!malloc app!take_memory *app!read_string app!b
             10 libc.so.6!malloc app!take_memory *app!read_string app!c
             10 libc.so.6!malloc app!take_memory *app!read_string app!d
             10 libc.so.6!malloc app!take_memory *app!read_string app!e
             1 libc.so.6!malloc app!take_memory *app!a app!main
             1 libc.so.6!malloc app!take_memory *app!b app!main
             1 libc.so.6!malloc app!take_memory *app!c app!main
             1 libc.so.6!malloc app!take_memory *app!d app!main",
        );
        // The same where the wrapper is known by its name already.
        check(
            &["mosquitto__malloc"],
            "10 libc.so.6!malloc app!mosquitto__malloc *app!read_string app!a
             10 libc.so.6!malloc app!mosquitto__malloc *app!read_string app!b
             10 libc.so.6!malloc app!mosquitto__malloc *app!read_string app!c
             10 libc.so.6!malloc app!mosquitto__malloc *app!read_string app!d
             10 libc.so.6!malloc app!mosquitto__malloc *app!read_string app!e
             1 libc.so.6!malloc app!mosquitto__malloc *app!a app!main
             1 libc.so.6!malloc app!mosquitto__malloc *app!b app!main
             1 libc.so.6!malloc app!mosquitto__malloc *app!c app!main
             1 libc.so.6!malloc app!mosquitto__malloc *app!d app!main
             1 libc.so.6!malloc app!mosquitto__calloc app!mosquitto__strdup *app!d app!main",
        );
    }

    #[test]
    fn nameless_wrappers_are_found_by_their_places() {
        check(
            &["0x10"],
            "10 libc.so.6!malloc app!0x10 *app!0x20
             10 libc.so.6!malloc app!0x10 *app!0x30
             10 libc.so.6!malloc app!0x10 *app!0x40
             10 libc.so.6!malloc app!0x10 *app!0x50
             10 libc.so.6!malloc app!0x10 *app!0x60
             10 libc.so.6!malloc *app!0x70 app!0x20",
        );
    }

    #[test]
    fn recursion_is_no_caller() {
        check(
            &[],
            "10 libc.so.6!malloc *app!walk app!walk app!walk app!a
             10 libc.so.6!malloc *app!walk app!walk app!b
             10 libc.so.6!malloc *app!walk app!c
             10 libc.so.6!malloc *app!walk app!d",
        );
    }

    #[test]
    fn where_everything_is_skipped_the_best_of_it_is_blamed() {
        check(
            &[],
            "1 libc.so.6!malloc *app!xmalloc libc.so.6!start
             1 libc.so.6!malloc *libc.so.6!getaddrinfo libc.so.6!start
             1 libjemalloc.so.2!x *libc.so.6!malloc",
        );
        assert_eq!(blame(&[site(1, "")]).frames, [None]);
    }

    proptest! {
        #[test]
        fn every_stack_has_a_blame_frame_within_it(
            stacks in prop::collection::vec((0..4_u64, prop::collection::vec((0..3_usize, 0..6_usize, 0..9_u64), 0..6)), 0..40),
        ) {
            const MODULES: [&str; 3] = ["libc.so.6", "app", "plug.so"];
            const FUNCTIONS: [&str; 6] = ["malloc", "xmalloc", "std::f()", "a", "b", "c"];
            let sites: Vec<SiteSeen<'_>> = stacks.iter().map(|(allocations, frames)| SiteSeen {
                allocations: *allocations,
                frames: frames.iter().map(|&(module, function, offset)| FrameSeen {
                    module: Some(MODULES[module]),
                    function: Some(FUNCTIONS[function]),
                    start: None,
                    offset: ModuleOffset(offset),
                }).collect(),
            }).collect();
            let blamed = blame(&sites);
            prop_assert_eq!(blamed.frames.len(), sites.len());
            for (site, index) in sites.iter().zip(&blamed.frames) {
                prop_assert_eq!(index.is_some(), !site.frames.is_empty());
                prop_assert!(index.is_none_or(|index| index < site.frames.len()));
                // A program's own function is blamed before any other, unless it is a wrapper.
                let own = |f: &FrameSeen<'_>| role(f.module, f.function) == Role::Program
                    && !blamed.wrappers.iter().any(|w| w.function.as_deref() == f.function);
                if site.frames.iter().any(own) {
                    prop_assert!(index.is_some_and(|index| own(&site.frames[index])));
                }
            }
            let mut reversed = sites.clone();
            reversed.reverse();
            let mut again = blame(&reversed);
            again.frames.reverse();
            prop_assert_eq!(again, blamed, "the order of sites does not matter");
        }
    }
}
