//! Libraries that come and go under the real agent, and libraries whose calls it does not see.

#![cfg(all(target_os = "linux", target_arch = "x86_64"))]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod support;
mod traced;

use std::collections::HashMap;

use support::programs;
use traced::{Traced, as_bare, of};
use unfreed::event::{FactKind, Lost, StackId};
use unfreed::verdict::{DEFAULT_MIN_CONFIDENCE, Judged, Unmeasured, Verdict, judge};

#[test]
fn plug_ins_at_one_address_keep_their_own_frames() {
    let (alpha, beta) = (programs::reload_plugin("alpha"), programs::reload_plugin("beta"));
    let arguments = [alpha.to_str().unwrap(), beta.to_str().unwrap()];
    let traced = of(&programs::c("reload"), &arguments);
    assert_eq!(traced.finished.code(), Some(0), "{}", traced.finished.err());
    assert!(traced.finished.count("same") > 0, "the case was not reached");
    traced.assert_whole();
    let names: HashMap<_, _> =
        traced.modules().map(|module| (module.id, module.identity.name.clone())).collect();
    let mut kept = HashMap::new();
    for alloc in traced.replay(0).live.values().filter(|alloc| alloc.size.0 == 209) {
        let (frames, root) = traced.frames(alloc.stack);
        assert_eq!(root, StackId::COMPLETE);
        let module = frames[0].module.map(|id| names[&id].clone()).unwrap_or_default();
        *kept.entry(module).or_insert(0) += 1;
    }
    assert_eq!(kept.get("libalpha.so"), Some(&50), "{kept:?}");
    assert_eq!(kept.get("libbeta.so"), Some(&50), "{kept:?}");
}

#[test]
fn nothing_of_ours_waits_for_the_loader() {
    let plugin = programs::constructor_plugin();
    let traced = of(&programs::c("host"), &[plugin.to_str().unwrap()]);
    assert_eq!(traced.finished.code(), Some(0), "{}", traced.finished.err());
    assert_eq!(traced.finished.out(), "loaded=1 refused=40\n");
    traced.assert_whole();
    assert_eq!(traced.replay(0).unmatched, 0);
}

#[test]
fn allocating_goes_on_while_libraries_come_and_go() {
    let plug_ins = ["left", "right"].map(|name| programs::plug_in("storm_plugin", name));
    let traced =
        as_bare(&programs::c("storm"), &plug_ins.each_ref().map(|path| path.to_str().unwrap()));
    traced.assert_whole();
    assert_eq!(traced.finished.count("fresh"), 500);
    for (size, count) in [(333, 500), (337, 500), (251, 400)] {
        assert_eq!(traced.live_of_size(0, size), count, "size {size}");
    }
    assert_eq!(traced.replay(0).unmatched, 0);
    // Each block of a plug-in is that plug-in's, whichever was mapped there before.
    let names: HashMap<_, _> =
        traced.modules().map(|module| (module.id, module.identity.name.clone())).collect();
    let mut kept = std::collections::BTreeMap::new();
    for alloc in traced.replay(0).live.values().filter(|alloc| alloc.size.0 == 337) {
        let (frames, _) = traced.frames(alloc.stack);
        let module = frames[0].module.map(|id| names[&id].as_str()).unwrap_or_default();
        *kept.entry(module.to_owned()).or_insert(0) += 1;
    }
    let expected = [("libleft.so", 250), ("libright.so", 250)];
    assert_eq!(kept, expected.map(|(name, count)| (name.to_owned(), count)).into());
}

/// Runs the program whose plug-in's calls are not seen; for four seconds, in which a leak is found.
fn deepbind(what: &str, rounds: &str, pause: &str) -> Traced {
    let traced = deepbind_with("deepbind_plugin", what, rounds, pause);
    // Longer than it takes to look at the modules again.
    if pause != "0" {
        assert_unseen(&traced);
    }
    traced
}

fn deepbind_with(plug_in: &str, what: &str, rounds: &str, pause: &str) -> Traced {
    let plug_in = programs::plug_in(plug_in, "deep");
    let traced = of(&programs::c("deepbind"), &[plug_in.to_str().unwrap(), what, rounds, pause]);
    assert_eq!(traced.finished.code(), Some(0), "{}", traced.finished.err());
    assert_eq!(traced.finished.out(), format!("rounds={rounds}\n"));
    // It is known, and said, that a library's calls are not seen.
    assert_eq!((traced.faults, traced.lost()), (0, HashMap::from([(Lost::Libraries, 1)])));
    traced
}

/// Fails unless it is told once of each that the plug-in's frees and allocations are not seen.
fn assert_unseen(traced: &Traced) {
    let told: Vec<(FactKind, &str)> = traced
        .unseen()
        .into_iter()
        .map(|fact| {
            assert!(fact.subject.contains("/libdeep.so in deepbind (process "), "{}", fact.subject);
            (fact.kind, fact.value.as_deref().unwrap_or_default())
        })
        .collect();
    assert_eq!(
        told,
        [
            (
                FactKind::FreesUnseen,
                "its calls of free go to libc.so.6, past the agent: blocks that it frees look alive"
            ),
            (
                FactKind::AllocationsUnseen,
                "its calls of malloc go to libc.so.6, past the agent: what it allocates is not known"
            ),
        ]
    );
}

#[test]
fn blocks_that_an_unseen_library_allocated_may_be_freed() {
    let traced = deepbind("gives", "2000", "0");
    assert_eq!(traced.live_of_size(0, 48), 0);
    let assessment = judge(&traced.ledger());
    assert_eq!(assessment.over_releases, [], "its allocations were not seen");
}

#[test]
fn blocks_that_an_unseen_library_frees_are_nobody_s_leak() {
    deepbind("takes", "2000", "2000").assert_accuses_nobody();
}

#[test]
fn a_leak_of_an_unseen_library_is_not_the_program_s() {
    deepbind("leaks", "2000", "2000").assert_accuses_nobody();
}

#[test]
fn a_leak_of_an_unseen_library_at_every_address_is_not_the_program_s() {
    let traced = deepbind("swaps", "2000", "2000");
    traced.assert_accuses_nobody();
    let assessment = judge(&traced.ledger());
    let of = |site: &Judged| {
        traced.ledger().site(site.site).is_some_and(|site| site.allocations == 200_000)
    };
    let judged = assessment.sites.into_iter().find(of).unwrap();
    assert_eq!(judged.verdict, Verdict::Undecided);
    assert!(judged.decided_by.is_some_and(|by| by.contains("RTLD_DEEPBIND")));
    assert_eq!(assessment.unmeasured, Some(Unmeasured::FreesUnseen));
}

#[test]
fn an_unseen_library_that_frees_nothing_hides_no_leak() {
    // One has no calls that could free, and the other has never made them.
    for plug_in in ["deepbind_idle", "deepbind_plugin"] {
        let traced = deepbind_with(plug_in, "keeps", "2000", "2000");
        assert_eq!(traced.unseen().len(), 0, "{plug_in}: none of its calls is made past the agent");
        let assessment = judge(&traced.ledger());
        let suspects = assessment.suspects(DEFAULT_MIN_CONFIDENCE);
        assert_eq!(suspects.len(), 1, "{plug_in}: {suspects:#?}");
        assert_eq!(suspects[0].verdict, Verdict::Growth);
    }
}
