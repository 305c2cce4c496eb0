//! `diff` from outside: what became of a leak, and of a block freed too often, and where a trace
//! cannot say so.

use serde_json::Value;
use unfreed::event::{Loss, Lost, What};
use unfreed::report::diff::DiffReport;

use super::synth::Synth;
use super::{Bench, server};

#[test]
fn diff_shows_the_leak_gone() {
    let bench = Bench::new();
    bench.file("before.unfreed", &server("1.2.0", true));
    bench.file("after.unfreed", &server("1.2.1", false));
    let told = bench.run(&["diff", "--json", "before.unfreed", "after.unfreed"]);
    assert_eq!(told.code, Some(0), "{told:?}");
    let diff: DiffReport = serde_json::from_str(&told.out).unwrap();
    let json: Value = serde_json::from_str(&told.out).unwrap();
    assert_eq!(diff.changes.len(), 1, "{json}");
    let change = &json["changes"][0];
    assert_eq!(change["outcome"], "fixed", "{change}");
    assert_eq!(change["matched_by"], "stack", "{change}");
    assert_eq!(change["version_before"], "1.2.0");
    assert_eq!(change["version_after"], "1.2.1");
    let told = bench.run(&["diff", "before.unfreed", "after.unfreed"]);
    assert!(told.out.starts_with("1 suspect: 1 fixed."), "{}", told.out);
}

#[test]
fn diff_the_other_way_is_new_and_with_itself_unchanged() {
    let bench = Bench::new();
    bench.file("good.unfreed", &server("1.2.1", false));
    bench.file("bad.unfreed", &server("1.2.2", true));
    for (before, after, outcome) in
        [("good.unfreed", "bad.unfreed", "new"), ("bad.unfreed", "bad.unfreed", "unchanged")]
    {
        let told = bench.run(&["diff", "--json", before, after]);
        assert_eq!(told.code, Some(1), "{told:?}");
        let json: Value = serde_json::from_str(&told.out).unwrap();
        assert_eq!(json["changes"][0]["outcome"], outcome, "{json}");
        assert_eq!(json["changes"].as_array().unwrap().len(), 1);
    }
}

/// A plug-in that frees one block in a hundred twice, or none, and now and then loses an event.
fn releasing(twice: bool, blocks: u32, lossy: bool) -> Vec<u8> {
    let mut t = Synth::linux();
    let mailer = t.process("mailer");
    let stack = ["libmade-up.so.1!malloc", "mailer!session_new", "mailer!main"];
    t.churn(mailer, &stack, 96, blocks, 1.0..29.0, 0.01);
    if twice {
        (1..20).for_each(|second| t.double_free(f64::from(second), mailer, &stack, 96));
    }
    if lossy {
        let loss = Loss { what: Lost::Allocations, count: 3 };
        t.event(29.5, mailer, What::Loss(loss));
    }
    t.lasts(30.0);
    t.build()
}

#[test]
fn an_over_release_is_not_called_fixed_without_evidence() {
    let bench = Bench::new();
    bench.file("twice.unfreed", &releasing(true, 2000, false));
    bench.file("once.unfreed", &releasing(false, 2000, false));
    bench.file("idle.unfreed", &releasing(false, 20, false));
    bench.file("lossy.unfreed", &releasing(false, 2000, true));
    for (before, after, outcome, lack) in [
        ("twice", "once", "fixed", Value::Null),
        ("twice", "idle", "undecided", "load".into()),
        ("twice", "lossy", "undecided", "losses".into()),
        ("once", "twice", "new", Value::Null),
        ("idle", "twice", "undecided", "earlier".into()),
        ("lossy", "twice", "undecided", "earlier".into()),
        ("twice", "twice", "unchanged", Value::Null),
    ] {
        let files = [before, after].map(|name| format!("{name}.unfreed"));
        let told = bench.run(&["diff", "--json", &files[0], &files[1]]);
        let json: Value = serde_json::from_str(&told.out).unwrap();
        let change = &json["changes"][0];
        assert_eq!(change["kind"], "over-release", "{json}");
        assert_eq!(change["outcome"], outcome, "{before} {after}: {change}");
        assert_eq!(change["undecided_by"], lack, "{before} {after}");
    }
}

#[test]
fn growth_of_empty_blocks_is_compared() {
    let bench = Bench::new();
    let trace = |leaked: u32| {
        let mut t = Synth::linux();
        let mailer = t.process("mailer");
        let stack = ["libmade-up.so.1!malloc", "mailer!remember", "mailer!main"];
        let parse = ["libmade-up.so.1!malloc", "mailer!parse", "mailer!main"];
        t.churn(mailer, &stack, 0, 3000 - leaked, 0.0..30.0, 0.01);
        t.leak(mailer, &stack, 0, leaked, 0.0..30.0);
        t.churn(mailer, &parse, 64, 3000, 0.0..30.0, 0.01);
        t.build()
    };
    bench.file("much", &trace(3000));
    bench.file("half", &trace(1500));
    bench.file("none", &trace(0));
    for (before, after, outcome) in [
        ("much", "half", "improved"),
        ("half", "much", "worse"),
        ("much", "none", "fixed"),
        ("none", "much", "new"),
    ] {
        let told = bench.run(&["diff", "--json", "--min-confidence", "0.5", before, after]);
        let json: Value = serde_json::from_str(&told.out).unwrap();
        let change = &json["changes"][0];
        assert_eq!(change["outcome"], outcome, "{before} {after}: {change}");
    }
    let told = bench.run(&["diff", "--min-confidence", "0.5", "much", "half"]);
    assert!(told.out.contains("grows by 100 blocks/s"), "{}", told.out);
}
