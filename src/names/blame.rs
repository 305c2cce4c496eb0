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
    frame: FrameSeen<'a>,
    allocations: u64,
    callers: FxHashSet<Function<'a>>,
}

/// Finds the blame frame of each site of one process.
pub fn blame(sites: &[SiteSeen<'_>]) -> Blamed {
    let roles: Vec<Vec<Role>> = sites
        .iter()
        .map(|site| site.frames.iter().map(|frame| role(frame.module, frame.function)).collect())
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
            frame,
            allocations: 0,
            callers: FxHashSet::default(),
        });
        entry.allocations = entry.allocations.saturating_add(site.allocations);
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
                function: direct.frame.function.map(str::to_owned),
                offset: direct.frame.start.unwrap_or(direct.frame.offset),
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
