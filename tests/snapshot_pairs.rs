//! Two logs of each founding article's defect, an hour apart, as one case: the leaking stack, and no other, is a
//! suspect. The logs of one case have the same modules and stacks, so that the later one's snapshots can be
//! put behind the earlier one's events as they are.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

#[path = "evidence/mod.rs"]
mod evidence;

use evidence::{Case, kb843523, kb891509, kb896064, leakdiag, q265514, umdh};
use unfreed::event::{Event, Time, What};
use unfreed::ledger::Ledger;
use unfreed::read::case::{Case as Several, Part};
use unfreed::read::{About, Source, open, sniff};
use unfreed::verdict::{DEFAULT_MIN_CONFIDENCE, judge};

/// What a reader told by the content makes of a log.
fn read(log: &str) -> Vec<Event> {
    let kind = sniff(log.as_bytes()).unwrap();
    let mut source = open(kind, log.as_bytes(), &About::default(), None).unwrap().unwrap();
    let (mut events, mut batch) = (Vec::new(), Vec::new());
    while source.next_batch(&mut batch).unwrap() {
        events.append(&mut batch);
    }
    events
}

fn check(case: &Case, logs: [String; 2]) {
    let [earlier, later] = logs.map(|log| read(&log));
    let definitions = |events: &[Event]| -> Vec<What> {
        let defines =
            |what: &What| matches!(what, What::Stack(_) | What::Module(_) | What::Name(_));
        events.iter().map(|event| event.what.clone()).filter(defines).collect()
    };
    assert!(definitions(&earlier) == definitions(&later), "the same stack is the same in both");
    let mut ledger = Ledger::default();
    earlier.iter().for_each(|event| ledger.apply(event));
    for event in &later {
        let What::Snapshot(snapshot) = &event.what else { continue };
        let mut snapshot = snapshot.clone();
        snapshot.number = 1;
        let time = Time(3_600_000_000_000);
        ledger.apply(&Event { time, what: What::Snapshot(snapshot), ..*event });
    }
    let assessment = judge(&ledger);
    let suspects = assessment.suspects(DEFAULT_MIN_CONFIDENCE);
    assert_eq!(suspects.len(), 1);
    let frames = ledger.stacks().frames(suspects[0].stack).count();
    assert_eq!(frames, case.stacks[0].frames.len());
    let expected = 3000.0 * f64::from(case.stacks[0].size) / 3600.0;
    assert!((suspects[0].growth_bytes_per_s - expected).abs() < 1e-6, "{:?}", suspects[0]);
}

#[test]
fn two_logs_of_each_article_name_its_stack() {
    for case in [kb896064("6.0.6603.1"), kb843523("6.5.7226.0"), kb891509("6.5.7226.0"), q265514()]
    {
        check(&case, [0, 1].map(|which| umdh::snapshot(&case, which)));
        for symbols in [true, false] {
            let form = leakdiag::Form { symbols, split: true };
            check(&case, [0, 1].map(|which| leakdiag::log(&case, which, form)));
        }
    }
}

/// The logs as one case, each an hour after the one before.
fn together(logs: &[String]) -> Ledger {
    let part = |(hour, log): (i64, &'_ String)| {
        let about = About {
            name: format!("{hour}"),
            modified_unix_ns: Some((hour + 1) * 3_600_000_000_000),
        };
        let bytes = std::io::Cursor::new(log.clone().into_bytes());
        let source = open(sniff(log.as_bytes()).unwrap(), bytes, &about, None).unwrap().unwrap();
        Part { source, about }
    };
    let mut case = Several::new((0..).zip(logs).map(part).collect())
        .unwrap_or_else(|(name, error)| panic!("{name}: {error}"));
    let (mut ledger, mut batch) = (Ledger::default(), Vec::new());
    while case.next_batch(&mut batch).unwrap() {
        batch.iter().for_each(|event| ledger.apply(event));
    }
    ledger
}

#[test]
fn logs_that_are_read_as_one_case_are_of_one_process() {
    for case in [kb896064("6.0.6603.1"), q265514()] {
        let form = leakdiag::Form { symbols: true, split: false };
        for logs in [
            [0, 1].map(|which| umdh::snapshot(&case, which)),
            [0, 1].map(|which| leakdiag::log(&case, which, form)),
        ] {
            let ledger = together(&logs);
            assert_eq!(ledger.images().len(), 1);
            let judged = judge(&ledger);
            assert_eq!(judged.suspects(DEFAULT_MIN_CONFIDENCE).len(), 1);
        }
    }
}

#[test]
fn functions_that_a_log_names_are_named_in_a_case() {
    let case = kb896064("6.0.6603.1");
    let form = leakdiag::Form { symbols: true, split: false };
    for log in [umdh::difference(&case, umdh::USUAL), leakdiag::log(&case, 1, form)] {
        let named = |ledger: &Ledger| -> Vec<bool> {
            let frames = ledger.sites().flat_map(|(_, site)| ledger.stacks().frames(site.stack));
            frames
                .filter_map(|frame| Some((frame.module?, frame.offset)))
                .map(|(module, offset)| !ledger.modules().functions(module, offset).is_empty())
                .collect()
        };
        let mut alone = Ledger::default();
        read(&log).iter().for_each(|event| alone.apply(event));
        assert!(named(&alone).contains(&true));
        assert_eq!(named(&together(&[log])), named(&alone));
    }
}
