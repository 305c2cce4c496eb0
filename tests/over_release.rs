//! Second frees under the real agent: who is accused of them, and who never is.

#![cfg(all(target_os = "linux", target_arch = "x86_64"))]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod support;
mod traced;

use std::process::Command;

use support::process::{LIMIT, run};
use support::programs;
use traced::{UNFREED, of};

/// What a report says of second frees.
struct SecondFrees {
    exit: Option<i32>,
    /// How often, the function that had allocated, and the functions that freed first and again.
    suspects: Vec<(u64, String, Vec<String>, Vec<String>)>,
    /// What nobody is accused of, by reason.
    unjudged: serde_json::Value,
    libraries: u64,
}

fn second_frees(arguments: &[&str]) -> SecondFrees {
    let traced = of(&programs::c("over_release"), arguments);
    assert_eq!(traced.finished.code(), Some(0), "{}", traced.finished.err());
    let mut analyze = Command::new(UNFREED);
    let analyzed = run(analyze.args(["analyze", "--json"]).arg(&traced.file), LIMIT);
    let report: serde_json::Value = serde_json::from_str(&analyzed.out()).unwrap();
    let names = |frames: &serde_json::Value| -> Vec<String> {
        let frames = frames.as_array().unwrap().iter();
        frames.map(|frame| frame["function"].as_str().unwrap_or("?").to_owned()).collect()
    };
    let suspects = report["suspects"].as_array().unwrap().iter();
    let suspects = suspects.map(|suspect| {
        assert_eq!(suspect["kind"], "over-release", "{suspect}");
        let over = &suspect["over_release"];
        assert_eq!(over["first_free_complete"], false, "its caller alone is known");
        let function = suspect["function"].as_str().unwrap().to_owned();
        let count = over["count"].as_u64().unwrap();
        (count, function, names(&over["first_free"]), names(&over["second_free"]))
    });
    SecondFrees {
        exit: analyzed.code(),
        suspects: suspects.collect(),
        unjudged: report["dismissed"]["unjudged_by"].clone(),
        libraries: report["totals"]["libraries_unseen"].as_u64().unwrap(),
    }
}

impl SecondFrees {
    #[track_caller]
    fn assert_accused(&self, count: u64, allocated: &str, first: &str, again: &str) {
        assert_eq!(self.exit, Some(1));
        assert_eq!(self.suspects.iter().map(|suspect| suspect.0).sum::<u64>(), count);
        for (_, function, first_free, second_free) in &self.suspects {
            assert_eq!(function, allocated);
            assert_eq!(first_free[0], first, "{first_free:?}");
            assert!(second_free.len() > 1 && second_free[0] == again, "{second_free:?}");
        }
        let none = [("lost", 0), ("libraries", 0), ("allocated_unseen", 0), ("given_out_alive", 0)];
        none.iter().for_each(|(why, count)| assert_eq!(self.unjudged[why], *count, "{why}"));
    }

    #[track_caller]
    fn assert_nobody_accused(&self, why: &str, count: u64) {
        assert_eq!(self.suspects, []);
        assert_ne!(self.exit, Some(1));
        assert_eq!(self.unjudged[why], count, "{}", self.unjudged);
    }
}

#[test]
fn a_block_freed_twice_names_its_site_and_both_frees() {
    second_frees(&["twice"]).assert_accused(48, "twice", "twice", "twice");
    second_frees(&["pair"]).assert_accused(30, "allocate_some", "first_owner", "second_owner");
}

#[test]
fn a_block_that_was_told_before_it_was_freed_twice_is_found_too() {
    second_frees(&["old"]).assert_accused(30, "allocate_some", "first_owner", "second_owner");
}

#[test]
fn a_pointer_that_realloc_took_away_is_not_to_be_freed() {
    for mode in ["moved", "old-moved"] {
        let moved = second_frees(&[mode]);
        assert_eq!(moved.suspects.iter().map(|suspect| suspect.0).sum::<u64>(), 30, "{mode}");
        let (_, function, _, second_free) = &moved.suspects[0];
        assert_eq!((function.as_str(), second_free[0].as_str()), ("allocate_some", "second_owner"));
    }
}

#[test]
fn of_an_address_with_a_new_owner_the_last_free_is_the_one_too_many() {
    let alias = second_frees(&["alias"]);
    assert_eq!(alias.suspects.iter().map(|suspect| suspect.0).sum::<u64>(), 50);
    // Until then, all that happened is what two right owners do.
    second_frees(&["reused"]).assert_nobody_accused("lost", 0);
}

#[test]
fn a_forked_child_may_free_what_it_inherited() {
    let child = second_frees(&["child"]);
    assert_eq!(child.suspects.iter().map(|suspect| suspect.0).sum::<u64>(), 2, "its own block's");
    assert!(child.suspects.iter().all(|suspect| suspect.1 == "child"));
}

#[test]
fn nobody_is_accused_where_blocks_are_allocated_unseen() {
    let plugin = programs::lending_plugin();
    let deepbind = second_frees(&["plugin", plugin.to_str().unwrap()]);
    assert_eq!(deepbind.libraries, 1);
    deepbind.assert_nobody_accused("libraries", 50);
    let handle = second_frees(&["handle"]);
    assert_eq!(handle.libraries, 0);
    handle.assert_nobody_accused("allocated_unseen", 50);
}

/// What `docs/verdicts.md` says of how long an earlier free is remembered.
#[test]
fn earlier_frees_are_remembered_for_a_while() {
    for (others, least) in [("100", 980), ("2000", 950), ("8000", 600)] {
        let seen = second_frees(&["window", others]);
        let accused: u64 = seen.suspects.iter().map(|suspect| suspect.0).sum();
        // What had been forgotten looks like a block that was allocated unseen.
        let found = accused + seen.unjudged["allocated_unseen"].as_u64().unwrap();
        assert!(found >= least && found <= 1000, "{found} after {others}");
    }
}
