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

/// Looks at the module at this place. The modules are in the order of their addresses.
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
    let after = modules.partition_point(|other| other.start <= value);
    let Some((to, target)) = after.checked_sub(1).map(|to| (to, &modules[to])) else {
        return Leads::Nowhere;
    };
    if value >= target.end {
        return Leads::Nowhere;
    }
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

#[cfg(test)]
mod tests {
    use unfreed_symbols::Definition;

    use super::*;

    const AGENT: u64 = 0x1000;
    const LIBC: u64 = 0x2000;
    const STANDARD: u64 = 0x3000;
    const PROGRAM: u64 = 0x4000;
    const PLUG_IN: u64 = 0x5000;

    /// A module of a size of 0x1000, at a multiple of that: what it calls, with what stands in the
    /// slots, and where it defines what.
    struct Made {
        name: &'static str,
        start: u64,
        linkage: Linkage,
        values: Vec<Option<u64>>,
    }

    fn made(
        name: &'static str,
        start: u64,
        calls: &[(&'static str, u64)],
        defines: &[(&'static str, u64)],
    ) -> Made {
        let import = |(slot, (name, _)): (usize, &(&'static str, u64))| Import {
            name,
            slot: slot as u64 * 8,
        };
        let definition = |(name, at): &(&'static str, u64)| Definition { name, address: Some(*at) };
        let imports = calls.iter().enumerate().map(import).collect();
        let linkage = Linkage { imports, definitions: defines.iter().map(definition).collect() };
        let values = calls.iter().map(|(_, value)| Some(*value)).collect();
        Made { name, start, linkage, values }
    }

    /// The usual modules of a process, and this one.
    fn check(module: Made) -> Past {
        let libc = made(
            "libc.so.6",
            LIBC,
            &[("free", AGENT + 1), ("malloc", AGENT + 2)],
            &[("free", 1), ("malloc", 2), ("__libc_free", 1)],
        );
        let standard = made(
            "libstdc++.so.6",
            STANDARD,
            &[("free", AGENT + 1), ("malloc", AGENT + 2), ("_Znwm", AGENT + 3)],
            &[("_Znwm", 3), ("_ZdlPv", 4)],
        );
        let agent = made("agent", AGENT, &[], &[("free", 1), ("malloc", 2), ("_Znwm", 3)]);
        check_among(vec![agent, libc, standard, module])
    }

    /// The last of them.
    fn check_among(modules: Vec<Made>) -> Past {
        let mapped: Vec<Mapped<'_>> = modules
            .iter()
            .map(|module| Mapped {
                file_name: module.name,
                start: module.start,
                end: module.start + 0x1000,
                load_bias: module.start,
                is_agent: module.start == AGENT,
                linkage: &module.linkage,
                values: &module.values,
            })
            .collect();
        past_agent(&mapped, mapped.len() - 1)
    }

    fn nothing(settled: bool) -> Past {
        Past { settled, ..Past::default() }
    }

    fn says(past: Past) -> [String; 2] {
        [past.releases, past.hands_out].map(Option::unwrap_or_default)
    }

    #[test]
    fn calls_that_reach_the_agent_are_no_matter() {
        let calls = [("malloc", AGENT + 2), ("free", AGENT + 1), ("_Znwm", AGENT + 3)];
        assert_eq!(check(made("plain", PROGRAM, &calls, &[])), nothing(true));
        assert_eq!(check(made("no calls", PROGRAM, &[], &[])), nothing(true));
    }

    #[test]
    fn calls_that_reach_the_c_library_itself_are_told() {
        let calls = [("malloc", LIBC + 2), ("free", LIBC + 1)];
        let past = check(made("deep.so", PLUG_IN, &calls, &[]));
        assert!(past.settled);
        let [releases, hands_out] = says(past);
        assert_eq!(
            releases,
            "its calls of free go to libc.so.6, past the agent: blocks that it frees look alive"
        );
        assert_eq!(
            hands_out,
            "its calls of malloc go to libc.so.6, past the agent: what it allocates is not known"
        );
        // Who only allocates frees nothing, and who only frees allocates nothing.
        let [releases, hands_out] = says(check(made("a", PLUG_IN, &calls[..1], &[])));
        assert_eq!((releases.is_empty(), hands_out.is_empty()), (true, false));
        let [releases, hands_out] = says(check(made("f", PLUG_IN, &calls[1..], &[])));
        assert_eq!((releases.is_empty(), hands_out.is_empty()), (false, true));
    }

    #[test]
    fn what_is_not_bound_yet_is_looked_at_again() {
        // To its own stub, to nothing at all, not to be read.
        for value in [PLUG_IN + 0x30, 0, 0x30] {
            let past = check(made("lazy", PLUG_IN, &[("free", value)], &[]));
            assert_eq!(past, nothing(false), "{value:x}");
        }
        let mut unread = made("unread", PLUG_IN, &[("free", LIBC + 1)], &[]);
        unread.values.clear();
        assert_eq!(check(unread), nothing(false));
        // One that is bound tells, whatever the other will be.
        let past =
            check(made("half", PLUG_IN, &[("malloc", PLUG_IN + 9), ("free", LIBC + 1)], &[]));
        assert!(!past.settled && past.releases.is_some() && past.hands_out.is_none());
    }

    #[test]
    fn a_pointer_that_the_program_has_set_since_is_not_the_loader_s() {
        // A table that held the address of free, and now that of some other function.
        let past = check(made("table", PLUG_IN, &[("free", LIBC + 0x77)], &[]));
        assert_eq!(past.releases, None);
    }

    #[test]
    fn operators_are_what_they_call() {
        // libstdc++'s own operator delete, which calls a free that is seen.
        let calls = [("_ZdlPv", STANDARD + 4), ("_Znwm", STANDARD + 3)];
        assert_eq!(check(made("plug-in", PLUG_IN, &calls, &[])), nothing(true));
        // The program's own.
        let own = [("_ZdlPv", 4)];
        let program = |free| {
            let agent = made("agent", AGENT, &[], &[]);
            let libc = made("libc.so.6", LIBC, &[], &[("free", 1), ("malloc", 2)]);
            let program = made("program", PROGRAM, &[("free", free)], &own);
            let plug_in = made("plug-in", PLUG_IN, &[("_ZdlPv", PROGRAM + 4)], &[]);
            check_among(vec![agent, libc, program, plug_in])
        };
        assert_eq!(program(AGENT + 1), nothing(true));
        assert_eq!(program(PROGRAM + 0x20), nothing(false));
        let [releases, _] = says(program(LIBC + 1));
        assert!(releases.starts_with("its calls of operator delete go to libc.so.6"), "{releases}");
        // One with an allocator inside, which calls nobody's free.
        let agent = made("agent", AGENT, &[], &[]);
        let inside = made("inside.so", PROGRAM, &[], &own);
        let plug_in = made("plug-in", PLUG_IN, &[("_ZdlPv", PROGRAM + 4)], &[]);
        let [releases, _] = says(check_among(vec![agent, inside, plug_in]));
        assert!(releases.starts_with("its calls of operator delete go to inside.so"), "{releases}");
    }

    #[test]
    fn a_program_at_a_fixed_address_lends_its_stubs() {
        let with = |free| {
            let agent = made("agent", AGENT, &[], &[("free", 1)]);
            let libc = made("libc.so.6", LIBC, &[], &[("free", 1)]);
            let program = made("program", PROGRAM, &[("free", free)], &[]);
            let plug_in = made("plug-in", PLUG_IN, &[("free", PROGRAM + 0x40)], &[]);
            check_among(vec![agent, libc, program, plug_in])
        };
        assert_eq!(with(AGENT + 1), nothing(true));
        assert_eq!(with(PROGRAM + 0x46), nothing(false));
        assert!(with(LIBC + 1).releases.is_some());
    }

    #[test]
    fn an_allocator_s_own_names_lead_past_the_agent_except_from_itself() {
        let allocator = || {
            let calls = [("free", AGENT + 1), ("mi_free", PROGRAM + 7)];
            made("libmimalloc.so.2", PROGRAM, &calls, &[("free", 6), ("mi_free", 7)])
        };
        assert_eq!(check(allocator()), nothing(true));
        let agent = || made("agent", AGENT, &[], &[("free", 1)]);
        let user = made("user", PLUG_IN, &[("mi_free", PROGRAM + 7), ("free", AGENT + 1)], &[]);
        let past = check_among(vec![agent(), allocator(), user]);
        assert!(past.settled && past.hands_out.is_none());
        assert!(past.releases.is_some_and(|why| why.contains("mi_free go to libmimalloc.so.2")));
    }

    #[test]
    fn an_allocator_of_its_own_frees_nobody_else_s_blocks() {
        let calls = [("malloc", PLUG_IN + 2), ("free", PLUG_IN + 1)];
        let past = check(made("private.so", PLUG_IN, &calls, &[("malloc", 2), ("free", 1)]));
        assert_eq!(past.releases, None);
        let why = past.hands_out.unwrap_or_default();
        assert!(why.starts_with("its calls of malloc go to its own, past the agent"), "{why}");
    }

    #[test]
    fn functions_chosen_at_load_lie_anywhere_in_their_module() {
        let mut allocator = made("choosy.so", PROGRAM, &[], &[("free", 0)]);
        allocator.linkage.definitions[0].address = None;
        let agent = made("agent", AGENT, &[], &[]);
        let plug_in = made("plug-in", PLUG_IN, &[("free", PROGRAM + 0x99)], &[]);
        assert!(check_among(vec![agent, allocator, plug_in]).releases.is_some());
    }

    #[test]
    fn many_calls_are_told_in_few_words() {
        let names = ["free", "cfree", "realloc", "_ZdlPv", "_ZdlPvm", "reallocarray"];
        let calls: Vec<(&'static str, u64)> =
            (1..).zip(names).map(|(n, name)| (name, LIBC + n)).collect();
        let defines: Vec<(&'static str, u64)> =
            (1..).zip(names).map(|(n, name)| (name, n)).collect();
        let agent = made("agent", AGENT, &[], &[]);
        let libc = made("libc.so.6", LIBC, &[], &defines);
        let [releases, _] =
            says(check_among(vec![agent, libc, made("deep.so", PLUG_IN, &calls, &[])]));
        let words = "its calls of cfree, free, operator delete and 2 more go to libc.so.6";
        assert!(releases.starts_with(words), "{releases}");
    }
}
