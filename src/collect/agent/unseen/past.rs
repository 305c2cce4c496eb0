//! Which calls of a module lead past the agent: a pure function of what the modules of a process
//! call and define, and of the addresses that the loader has put where they call. What is not known
//! yet (a call that the loader binds when it is first made) is never said to lead anywhere.

use std::collections::BTreeSet;

use unfreed_symbols::{Import, Linkage};

use super::names::{Kind, hands_out, kind, releases, shown};

/// A module in a process.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mapped<'a> {
    pub(super) file_name: &'a str,
    pub(super) start: u64,
    pub(super) end: u64,
    /// What is added to the addresses in its file.
    pub(super) load_bias: u64,
    pub(super) is_agent: bool,
    pub(super) linkage: &'a Linkage,
    /// What stands in the slot of each of its imports; fewer, or `None`, where it is not known.
    pub(super) values: &'a [Option<u64>],
}

/// Calls of one module that lead past the agent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Past {
    /// Why blocks that it releases are not seen, if so.
    pub(super) releases: Option<String>,
    /// Why blocks that it allocates are not seen, if so.
    pub(super) hands_out: Option<String>,
    /// Whether all its calls are bound for good.
    pub(super) settled: bool,
}

/// Looks at the module at this place.
pub(super) fn past_agent(modules: &[Mapped<'_>], at: usize) -> Past {
    let mut past = Past { settled: true, ..Past::default() };
    let Some(module) = modules.get(at) else { return past };
    let (mut released, mut handed_out) = (Calls::default(), Calls::default());
    for (n, import) in module.linkage.imports.iter().enumerate() {
        match leads(modules, at, n, FURTHEST) {
            Leads::Nowhere => past.settled = false,
            Leads::Agent => {}
            Leads::Past(to) => {
                // Its own allocator cannot free what others allocated: who called it so would
                // damage both.
                if releases(import.name) && to != at {
                    released.add(import, modules, to, at);
                }
                if hands_out(import.name) {
                    handed_out.add(import, modules, to, at);
                }
            }
        }
    }
    past.releases = released.say("blocks that it frees look alive");
    past.hands_out = handed_out.say("what it allocates is not known");
    past
}

/// Where a call leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Leads {
    Agent,
    /// To an allocator in the module at this place.
    Past(usize),
    /// It is not bound yet, or to something that no module is known to have.
    Nowhere,
}

/// From module to module, at most so often.
const FURTHEST: u32 = 2;

fn leads(modules: &[Mapped<'_>], at: usize, import: usize, further: u32) -> Leads {
    let module = &modules[at];
    let Some(name) = module.linkage.imports.get(import).map(|import| import.name) else {
        return Leads::Nowhere;
    };
    let Some(value) = module.values.get(import).copied().flatten() else { return Leads::Nowhere };
    let Some(to) = modules.iter().position(|other| (other.start..other.end).contains(&value))
    else {
        return Leads::Nowhere;
    };
    let target = &modules[to];
    if target.is_agent {
        return Leads::Agent;
    }
    let defines = |name: &str, value: Option<u64>| {
        target.linkage.definitions.iter().any(|definition| {
            let at = definition.address.map(|at| at.wrapping_add(target.load_bias));
            definition.name == name && (value.is_none() || at.is_none() || at == value)
        })
    };
    if !defines(name, Some(value)) {
        // A module's own stub: its own, where the call is not bound yet, or that of a program that
        // is linked to a fixed address, where all pointers to the function point.
        return if to == at {
            Leads::Nowhere
        } else {
            follow(modules, to, further, |of| of == name)
        };
    }
    match kind(name) {
        Kind::C => Leads::Past(to),
        Kind::Own if to == at => Leads::Agent,
        Kind::Own => Leads::Past(to),
        Kind::Operator if defines("free", None) || defines("malloc", None) => Leads::Past(to),
        // Most operators call C's functions: libstdc++'s, and those that programs define.
        Kind::Operator => {
            let same = |of: &str| kind(of) == Kind::C && releases(of) == releases(name);
            let calls = target.linkage.imports.iter().any(|import| same(import.name));
            if calls { follow(modules, to, further, same) } else { Leads::Past(to) }
        }
    }
}

/// Where those calls of a module lead: past the agent if one does, to it if one does and none past.
fn follow(modules: &[Mapped<'_>], at: usize, further: u32, these: impl Fn(&str) -> bool) -> Leads {
    let Some(further) = further.checked_sub(1) else { return Leads::Nowhere };
    let imports = modules[at].linkage.imports.iter().enumerate();
    let all: Vec<Leads> = imports
        .filter(|(_, import)| these(import.name))
        .map(|(n, _)| leads(modules, at, n, further))
        .collect();
    let past = all.iter().find(|one| matches!(one, Leads::Past(_)));
    let agent = all.contains(&Leads::Agent).then_some(Leads::Agent);
    past.copied().or(agent).unwrap_or(Leads::Nowhere)
}

/// Calls, and where they lead.
#[derive(Default)]
struct Calls<'a> {
    /// In the order in which they were found.
    names: Vec<&'a str>,
    to: BTreeSet<&'a str>,
}

impl<'a> Calls<'a> {
    fn add(&mut self, import: &Import, modules: &[Mapped<'a>], to: usize, from: usize) {
        let name = shown(import.name);
        if !self.names.contains(&name) {
            self.names.push(name);
        }
        self.to.insert(if to == from { "its own" } else { modules[to].file_name });
    }

    /// In words, with what follows.
    fn say(&self, so: &str) -> Option<String> {
        let mut names = self.names.clone();
        // However the linker has sorted them.
        names.sort_unstable();
        let more = names.len().saturating_sub(3);
        names.truncate(3);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let to: Vec<&str> = self.to.iter().copied().collect();
        (!names.is_empty()).then(|| {
            let (names, to) = (names.join(", "), to.join(", "));
            format!("its calls of {names}{more} go to {to}, past the agent: {so}")
        })
    }
}
