//! The report's renderings: golden texts at three widths, names that mean harm, JSON there and
//! back, and that `docs/json-schema.md` documents exactly the fields there are.
//! `INSTA_UPDATE=always cargo test --test report` writes the golden texts anew.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

#[path = "support/documented.rs"]
mod documented;
mod sample;

use std::collections::BTreeSet;

use documented::{documented, paths};
use sample::{diff, diff_sampled, growth, hostile, kb, nothing, over_release, sampled};
use serde_json::Value;
use unfreed::fixes::Status;
use unfreed::report::diff::{DiffReport, Lack, Outcome};
use unfreed::report::json;
use unfreed::report::model::{
    Dismissed, Fault, Losses, Module, NotTraced, Report, SeenFrom, Target, Unjudged, Unmeasured,
};
use unfreed::report::text::style::{Detail, Style};
use unfreed::report::text::{render, render_diff, safe};
use unfreed_symbols::Found;

/// A text at three widths, each below a rule as wide as the text may be. No line is wider.
fn at_widths(render: impl Fn(Style) -> String) -> String {
    let mut all = String::new();
    for width in [40, 80, 120] {
        let text = render(Style { width, ..Style::default() });
        for line in text.lines() {
            assert!(safe::width(line) <= width, "wider than {width}: {line:?}");
            assert!(!line.chars().any(safe::is_unsafe), "{line:?}");
            assert!(!line.ends_with(' '), "{line:?}");
        }
        all.push_str(&"=".repeat(width));
        all.push('\n');
        all.push_str(&text);
    }
    all
}

fn golden(name: &str, report: &Report) {
    insta::assert_snapshot!(name, at_widths(|style| render(report, style)));
}

#[test]
fn a_growth_with_several_fixes() {
    golden("growth", &growth());
}

#[test]
fn a_sample_marks_every_estimate() {
    golden("sampled", &sampled());
    let text = render(&sampled(), Style { width: 400, ..Style::default() });
    assert!(text.contains("Sampled: 1 of every ~512 KiB allocated."), "{text}");
    for detail in [Detail::Brief, Detail::Normal, Detail::Full] {
        let text = render(&sampled(), Style { width: 400, detail, ..Style::default() });
        for estimate in ["1.53 MiB", "50,000 ", "7.81 KiB/s", "1,234,567 ", "96 KiB", "567 "] {
            for (at, _) in text.match_indices(estimate).filter(|(at, _)| {
                // The explanation is the judge's own text.
                !text[..*at].lines().last().unwrap_or("").contains("Why")
            }) {
                assert!(text[..at].ends_with("about ") || text[..at].ends_with(','), "{text}");
            }
        }
    }
    let text = render_diff(&diff_sampled(), Style { width: 400, ..Style::default() });
    assert!(text.contains("sampled, 1 of every ~512 KiB allocated"), "{text}");
    assert!(text.contains("grows by about 7.81 KiB/s ± "), "{text}");
}

#[test]
fn a_crash_is_told_and_no_suspect() {
    golden("crash", &sample::crashed());
}

#[test]
fn in_brief_and_in_full() {
    let report = growth();
    for (name, detail) in [("growth_brief", Detail::Brief), ("growth_full", Detail::Full)] {
        let text = render(&report, Style { detail, ..Style::default() });
        insta::assert_snapshot!(name, text);
    }
}

#[test]
fn no_suspect_says_what_could_not_be_seen() {
    golden("no_suspect", &nothing());
    let blind = Report { smallest_detectable_bytes_per_s: None, ..nothing() };
    golden("no_verdict", &blind);
}

#[test]
fn why_nothing_could_be_seen_decides_the_advice() {
    for (why, says, never) in [
        (Unmeasured::NothingAllocated, "Record while the program works.", "longer"),
        (Unmeasured::Short, "it is too short. Record longer, under load.", "stopped"),
        (Unmeasured::LoadStopped, "Keep the load on to the end", "Record longer"),
        (Unmeasured::Sampled, "Trace it from its start, or without sampling.", "Record"),
        (Unmeasured::FreesUnseen, "loaded without RTLD_DEEPBIND", "longer"),
        (Unmeasured::Lost, "too much of it is lost.", "Record longer"),
    ] {
        let report = Report {
            smallest_detectable_bytes_per_s: None,
            unmeasured: Some(why),
            processes_unmeasured: 1,
            conclusive: false,
            ..nothing()
        };
        let text = render(&report, Style { width: 400, ..Style::default() });
        let first = text.lines().next().unwrap();
        assert!(first.starts_with("No verdict. ") && first.contains(says), "{first}");
        assert!(!first.contains(never), "{first}");
        assert!(!text.contains("other process"), "said once: {text}");
    }
}

#[test]
fn processes_of_which_nothing_is_known_are_told_with_the_conclusion() {
    for report in [nothing(), growth()] {
        let report = Report { processes_unmeasured: 2, ..report };
        for detail in [Detail::Brief, Detail::Full] {
            let text = render(&report, Style { width: 400, detail, ..Style::default() });
            let conclusion = text.split("\n\n").next().unwrap();
            assert!(conclusion.contains("In 2 other processes no leak could"), "{conclusion}");
        }
    }
}

#[test]
fn losses_and_faults_stand_beside_the_conclusion() {
    let faults = (0..5)
        .map(|n| Fault {
            offset: 4096 * n,
            what: "a chunk is damaged (checksum): its events are lost".to_owned(),
            count: 1 + n,
        })
        .collect();
    let losses = Losses { events: 1_234, frees: 12, stacks: 3, bytes: 65_536 };
    let mut report = Report { losses, faults, ..nothing() };
    report.totals.libraries_unseen = 1;
    golden("losses", &report);
    let text = render(&report, Style { detail: Detail::Brief, ..Style::default() });
    assert!(text.contains("Lost: 1,234 events"), "even in brief: {text}");
}

#[test]
fn an_over_release() {
    golden("over_release", &over_release());
}

#[test]
fn names_that_mean_harm_are_shown_harmless() {
    golden("hostile", &hostile());
    let json = json::render(&hostile()).unwrap();
    assert!(json.chars().all(|c| c == '\n' || !safe::is_unsafe(c)), "{json}");
}

#[test]
fn suspects_of_one_blame_frame_are_one_in_the_text() {
    let mut report = growth();
    let mut second = report.suspects[0].clone();
    second.live_blocks = 10;
    report.suspects.push(second);
    let text = render(&report, Style::default());
    assert!(text.contains("Suspect 1 of 1:"), "{text}");
    assert!(text.contains("1 more stack leads to the same function"), "{text}");
    let both: Value = serde_json::from_str(&json::render(&report).unwrap()).unwrap();
    assert_eq!(both["suspects"].as_array().unwrap().len(), 2, "the JSON keeps both");
    report.suspects[1].target = 1;
    assert!(render(&report, Style::default()).contains("Suspect 2 of 2:"));
}

#[test]
fn of_many_processes_those_that_matter_are_named() {
    let mut report = growth();
    for allocations in 0..70 {
        let name = format!("shell{allocations}");
        let target = Target { name, allocations, pid: 4711, ..report.target[0].clone() };
        report.target.insert(0, target);
        report.suspects[0].target += 1;
    }
    report.target.last_mut().unwrap().allocations = 1;
    let again = Target { allocations: 0, ..report.target[70].clone() };
    report.target.push(again);
    let text = render(&report, Style::default());
    let named: Vec<_> = text.lines().filter(|line| line.contains(" (process 4711) ")).collect();
    assert_eq!(named.len(), 3, "{text}");
    assert!(named[0].starts_with("mosquitto "), "the suspect's comes first: {named:?}");
    assert!(named[1].starts_with("shell69 "), "{named:?}");
    assert!(text.contains("And 69 more processes"), "{text}");
}

#[test]
fn a_forked_child_did_not_run_before_the_trace() {
    let unwrapped = |report: &Report| render(report, Style { width: 400, ..Style::default() });
    let mut report = nothing();
    let child = Target { seen_from: SeenFrom::Fork, ..report.target[0].clone() };
    report.target.push(child);
    assert!(!unwrapped(&report).contains("before the trace"), "{}", unwrapped(&report));
    report.totals.frees_unmatched = 3;
    let says = "3 frees of blocks whose allocation was not seen: a forked process may free what \
                it inherited";
    assert!(unwrapped(&report).contains(says), "{}", unwrapped(&report));
    report.source.from_start = false;
    assert!(unwrapped(&report).contains("The process ran before the trace began"));
}

#[test]
fn what_is_freed_too_often_is_not_said_to_accumulate() {
    let dismissed =
        Dismissed { below_bound: 3, below_bound_over_release: 2, ..nothing().dismissed };
    let text = render(&Report { dismissed, ..nothing() }, Style { width: 120, ..Style::default() });
    assert!(text.contains("1 site seems to accumulate, at less than the 70 %"), "{text}");
    assert!(text.contains("2 sites seem to be freed too often, at less than the 70 %"), "{text}");
    let dismissed = Dismissed { below_bound: 1, below_bound_over_release: 1, ..dismissed };
    let text = render(&Report { dismissed, ..nothing() }, Style { width: 120, ..Style::default() });
    assert!(!text.contains("accumulate"), "{text}");
}

#[test]
fn second_frees_that_accuse_nobody_stand_beside_the_conclusion() {
    for detail in [Detail::Brief, Detail::Normal] {
        let style = Style { width: 120, detail, ..Style::default() };
        let unjudged_by =
            Unjudged { lost: 2, libraries: 1, allocated_unseen: 3, given_out_alive: 4, sampled: 5 };
        let dismissed =
            Dismissed { over_releases_unjudged: 15, unjudged_by, ..nothing().dismissed };
        let text = render(&Report { dismissed, ..nothing() }, style);
        for says in [
            "2 second frees accuse nobody: what was lost",
            "1 second free accuses nobody: a library allocates unseen",
            "3 second frees accuse nobody: their process frees blocks that nobody",
            "4 second frees accuse nobody: their process was given addresses",
            "5 second frees accuse nobody: their process was sampled",
        ] {
            assert!(text.contains(says), "{text}");
        }
        assert!(!render(&nothing(), style).contains("accuse"));
    }
}

#[test]
fn what_a_shutdown_freed_is_not_said_to_be_never_freed() {
    let mut report = growth();
    report.suspects[0].freed_at_end = 49_000;
    let text = render(&report, Style { width: 120, ..Style::default() });
    let says = "50,000 of 50,003 blocks (1.53 MiB) not freed until it shut down";
    assert!(text.contains(says) && !text.contains("never freed"), "{text}");
}

#[test]
fn the_smallest_leak_says_for_which_bound_it_is_reckoned() {
    for (bound, than) in [(0.9, "faster"), (0.5, "slower")] {
        let given = format!("at the {} % given the limit is {than}", bound * 100.0);
        for report in [nothing(), growth()] {
            let report = Report { min_confidence: bound, ..report };
            let text = render(&report, Style { width: 400, ..Style::default() });
            assert!(text.contains("at the usual --min-confidence of 70 %"), "{text}");
            assert!(text.contains(&given), "{text}");
        }
    }
}

#[test]
fn what_has_no_name_is_said_to_have_none() {
    for mut report in [growth(), over_release()] {
        report.target[0].name.clear();
        let suspect = &mut report.suspects[0];
        suspect.process.clear();
        suspect.module = Module::default();
        suspect.fixes.clear();
        let text = render(&report, Style { width: 120, ..Style::default() });
        let first = text.lines().next().unwrap();
        assert!(first.contains(" an unnamed module"), "{first}");
        assert!(!text.contains("version unknown"), "{text}");
        assert!(text.contains("an unnamed process (process 4711) exited"), "{text}");
        assert!(text.contains(", process an unnamed process (4711)"), "{text}");
        assert!(text.contains("to whoever makes an unnamed module."), "{text}");
    }
    let mut diff = diff();
    diff.changes.truncate(1);
    diff.changes[0].module.clear();
    diff.changes[0].process.clear();
    let text = render_diff(&diff, Style { width: 120, ..Style::default() });
    assert!(text.contains(" in an unnamed module (process an unnamed process)."), "{text}");
}

#[test]
fn each_status_says_what_it_means() {
    for (status, says) in [
        (Status::Applies, "Published fix KB900001: applies."),
        (Status::SwitchMissing, "the setting that switches it on is missing"),
        (Status::Possible, "possible, something is still to be checked"),
        (Status::AlreadyFixed, "is already installed, so this is something else"),
        (Status::DoesNotApply, "No published fix in the catalogue matches."),
    ] {
        let mut report = growth();
        report.suspects[0].fixes = vec![kb(status)];
        let text = render(&report, Style { width: 120, ..Style::default() });
        assert!(text.contains(says), "{says}: {text}");
    }
}

#[test]
fn colour_only_where_it_is_wanted() {
    let plain = render(&growth(), Style::default());
    let colored = render(&growth(), Style { color: true, ..Style::default() });
    assert!(!plain.contains('\x1b'));
    let mut rest = colored.as_str();
    let mut bare = String::new();
    while let Some(at) = rest.find('\x1b') {
        bare.push_str(&rest[..at]);
        rest = &rest[at + rest[at..].find('m').unwrap() + 1..];
    }
    bare.push_str(rest);
    assert_eq!(bare, plain, "colour changes nothing else");
    assert_ne!(colored, plain);
}

#[test]
fn comparisons() {
    insta::assert_snapshot!("diff", at_widths(|style| render_diff(&diff(), style)));
}

#[test]
fn names_that_are_weakly_found_say_so() {
    let mut report = growth();
    report.suspects[0].stack[3].found = Some(Found::Unverified);
    report.suspects[0].stack[2].found = Some(Found::SymtabUnsized);
    let text = render(&report, Style::default());
    assert!(text.contains("handle__publish (unverified)"), "{text}");
    assert!(text.contains("packet__read_string (nearest symbol)"), "{text}");
}

#[test]
fn what_was_not_traced_stands_beside_the_conclusion() {
    let process = |n: u32| NotTraced {
        program: format!("/bin/\u{1b}[2Jbox (process {n})"),
        why: "it is statically linked".into(),
    };
    let report = Report { not_traced: (1..=5).map(process).collect(), ..nothing() };
    let text = render(&report, Style { width: 400, ..Style::default() });
    assert!(
        text.contains("Not traced: /bin/\\u{1b}[2Jbox (process 1): it is statically linked."),
        "{text}"
    );
    assert!(text.contains("2 more not traced, in the JSON."), "{text}");
}

#[test]
fn who_was_attached_to_late_stands_beside_the_conclusion() {
    let mut report = nothing();
    let late = |pid: u32, unseen: f64| Target {
        pid,
        unseen_first_s: Some(unseen),
        ..report.target[0].clone()
    };
    let late = [late(7, 0.25), late(8, 1.5)];
    assert!(
        !render(&report, Style { width: 400, ..Style::default() }).contains("Attached to late")
    );
    report.target.extend(late);
    let text = render(&report, Style { width: 400, ..Style::default() });
    let says = "Attached to late: 2 processes; what it did first was not seen (at most 1.5";
    assert!(text.contains(says), "{text}");
}

#[test]
fn each_lack_says_what_would_decide() {
    for (lack, says) in [
        (Lack::Pace, "a leak of its old pace"),
        (Lack::Times, "keep the times at which they were written"),
        (Lack::Moments, "more of them decide nothing. A trace of each allocation and free"),
        (Lack::Load, "repeat the load that showed it"),
        (Lack::Losses, "record again without losses"),
        (Lack::Verdict, "does not acquit it"),
        (Lack::Earlier, "the earlier trace could not have shown it"),
        (Lack::Sampling, "chance may explain the difference"),
    ] {
        let mut diff = diff();
        diff.changes.retain(|change| change.outcome == Outcome::Undecided);
        diff.changes[0].undecided_by = Some(lack);
        let text = render_diff(&diff, Style { width: 400, ..Style::default() });
        assert!(text.contains(says), "{lack:?}: {text}");
    }
}

#[test]
fn the_recordings_of_a_case_say_how_they_were_put_on_one_clock() {
    let mut report = nothing();
    report.source = sample::of_a_case(report.source);
    let text = render(&report, Style { width: 200, ..Style::default() });
    for says in [
        "heap.etl (etl): begins first; 12,345 events.",
        "second.etl (etl): begins 1 m 30 s after the first; 12,345 events.",
        "umdh-1.txt (umdh): has no clock; its file was written 30 m after the case begins;",
        "(debugger): has no time that can be its own; put at the beginning; 12,345 events. 7 events of",
        "umdh-1.txt: numbers: hexadecimal or decimal: nothing tells; read as hexadecimal",
        "heap.etl: file versions: not known",
    ] {
        assert!(text.contains(says), "{says}: {text}");
    }
    assert!(!text.contains('\x1b'), "{text}");
}

#[test]
fn json_comes_back_as_it_was() {
    for report in [growth(), nothing(), over_release(), hostile(), sampled()] {
        let text = json::render(&report).unwrap();
        let back: Report = serde_json::from_str(&text).unwrap();
        assert_eq!(json::render(&back).unwrap(), text);
    }
    let text = json::render(&diff()).unwrap();
    let back: DiffReport = serde_json::from_str(&text).unwrap();
    assert_eq!(json::render(&back).unwrap(), text);
}

#[test]
fn every_field_is_documented_and_no_other() {
    let mut report = BTreeSet::new();
    let mut full = serde_json::to_value(sample::full()).unwrap();
    // Documented once, with what suspects have of them.
    for field in ["module", "stack", "fixes"] {
        full["crashes"][0][field].take();
    }
    paths(&full, "", &mut report);
    let released = serde_json::to_value(over_release()).unwrap();
    let Value::Object(mut released) = released["suspects"][0]["over_release"].clone() else {
        panic!("an over-release says so");
    };
    // Their frames are documented once, with the allocation stack.
    released["first_free"].take();
    released["second_free"].take();
    paths(&Value::Object(released), "suspects[].over_release", &mut report);
    assert_eq!(documented("Report"), report);
    let mut changes = BTreeSet::new();
    let value = serde_json::to_value(diff_sampled()).unwrap();
    paths(&serde_json::json!({ "changes": value["changes"] }), "", &mut changes);
    changes.retain(|path| !path.starts_with("changes[].stack[]"));
    assert_eq!(documented("Comparison"), changes);
}
