//! The judge against the kinds of behaviour, over observation times from seconds to days: precision,
//! recall and abstention, how far a stated confidence can be relied on, how soon a leak is named, and how
//! often a look at the innocent accuses. Kinds that are set aside are shown by their sums alone.
//!
//! `cargo test --release --test verdicts -- --ignored --nocapture` prints what `docs/verdicts.md` quotes.

use std::cell::RefCell;
use std::ops::Range;
use std::rc::Rc;

use unfreed::verdict::judge;

use crate::behaviours::Label;
use crate::behaviours::kinds::Kind;
use crate::look::{Look, Quick, SOON, Said, When, looks, quick};
use crate::tables;

/// The seeds that `docs/verdicts.md` quotes. Nobody tunes with them in sight, of open kinds neither.
const SEEDS: Range<u64> = 1000..1060;

/// The seeds for tuning, of the open kinds.
const TUNING: Range<u64> = 0..60;

/// As many of these as a test that is not asked for by name may take: each time of watching once.
const FEW: Range<u64> = 0..6;

/// Kinds, what was seen of them, and how they may be shown.
struct Part {
    name: &'static str,
    kinds: Vec<&'static Kind>,
    in_detail: bool,
}

fn parts() -> [Part; 2] {
    let asked = std::env::var_os("UNFREED_SET_ASIDE").is_some();
    [
        Part { name: "open", kinds: Kind::open().collect(), in_detail: true },
        Part { name: "set aside", kinds: Kind::set_aside().collect(), in_detail: asked },
    ]
}

fn runs(kinds: &[&'static Kind], seeds: Range<u64>) -> impl Iterator<Item = (&'static Kind, u64)> {
    kinds.iter().flat_map(move |kind| seeds.clone().map(move |seed| (*kind, seed)))
}

/// Prints all of it; gives back the looks.
fn measure(part: &Part, seeds: &Range<u64>) -> Vec<Look> {
    let Part { name, kinds, in_detail } = part;
    println!("\n## {name}: {} kinds, seeds {seeds:?}", kinds.len());
    let seen: Vec<Look> = runs(kinds, seeds.clone())
        .flat_map(|(kind, seed)| looks(kind, seed, When::Times).0)
        .collect();
    tables::over_time(&seen);
    tables::by_frees(&seen);
    tables::reliability(&seen);
    if *in_detail {
        tables::by_kind(&seen);
    }
    tables::first_suspects_head();
    let mut all = Vec::new();
    for kind in kinds.iter().filter(|kind| kind.quick) {
        let of: Vec<Quick> =
            runs(&[kind], seeds.clone()).map(|(kind, seed)| quick(kind, seed)).collect();
        if *in_detail {
            tables::first_suspects(kind.name, &of);
        }
        all.extend(of);
    }
    tables::first_suspects("all", &all);
    let sums = tables::Sums::of(&seen);
    let soon = all.iter().filter_map(|of| of.named).filter(|time| *time <= SOON).count();
    println!();
    tables::target(&format!("{name}: precision"), sums.precision(), 0.99);
    tables::target(&format!("{name}: precision where known"), sums.precision_known(), 0.99);
    tables::target(&format!("{name}: recall at 50 blocks"), sums.recall(), 0.97);
    tables::target(&format!("{name}: within 15 s"), tables::share(soon, all.len()), 0.5);
    seen
}

/// With few seeds: the kinds run, and do what their labels say.
#[test]
fn kinds_over_time() {
    for part in parts() {
        let seen = measure(&part, &FEW);
        assert!(part.kinds.iter().all(|kind| seen.iter().any(|look| look.kind == kind.name)));
        for look in seen.iter().filter(|look| look.label == Label::Innocent) {
            let (kind, seed) = (look.kind, look.seed);
            assert_eq!(look.accumulated, 0, "{} kind {kind}, seed {seed}: a leak", part.name);
        }
    }
}

/// What to look at while the method is made: the open kinds alone.
#[test]
#[ignore = "prints the tables of the open kinds, for tuning"]
fn open_kinds_in_full() {
    let [open, _] = parts();
    measure(&open, &TUNING);
}

/// All of it, for `docs/verdicts.md`.
#[test]
#[ignore = "prints the tables; half a minute in a release build"]
fn kinds_over_time_in_full() {
    for part in parts() {
        measure(&part, &SEEDS);
    }
}

/// Looks at every mark: each second for 5 minutes, each 10 s to half an hour, each 30 s to two hours,
/// each 5 minutes after.
#[test]
#[ignore = "prints the tables; half a minute in a release build"]
fn looks_at_innocent_kinds_while_they_run() {
    for part in parts() {
        let innocent: Vec<&Kind> =
            part.kinds.iter().copied().filter(|kind| kind.label == Label::Innocent).collect();
        let seen: Vec<Look> = runs(&innocent, SEEDS.start..SEEDS.start + 6)
            .flat_map(|(kind, seed)| looks(kind, seed, When::Always).0)
            .collect();
        println!("\n## {}: looks at every mark, 6 seeds", part.name);
        if part.in_detail {
            tables::by_group(&seen);
        } else {
            let sums = tables::Sums::of(&seen);
            let (accused, of) = (sums.innocents_accused, sums.innocents);
            println!(
                "{accused} of {of} looks accuse; {} of {} after it had shown what it is",
                sums.shown_accused, sums.shown
            );
        }
    }
}

/// A third of the kinds is set aside, and both parts have every label.
#[test]
fn a_third_of_the_kinds_is_set_aside() {
    let [open, aside] = parts().map(|part| part.kinds);
    assert!(open.len() + aside.len() >= 45 && aside.len() >= 15);
    assert!(aside.len() * 3 >= open.len() + aside.len());
    for label in [Label::Accumulates, Label::OverRelease, Label::Innocent] {
        assert!([&open, &aside].iter().all(|kinds| kinds.iter().any(|kind| kind.label == label)));
    }
    let mut names: Vec<&str> = open.iter().chain(&aside).map(|kind| kind.name).collect();
    let all = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), all, "a name is there twice");
}

/// What a leak has made lives to the end, and its blocks are of the subjects' sites. A run costs little,
/// however long it is.
#[test]
fn leaks_keep_what_they_made() {
    let (mut count, mut events) = (0, 0);
    for (kind, seed) in parts().iter().flat_map(|part| runs(&part.kinds, FEW)) {
        let mut world = kind.world(seed);
        let last = Rc::new(RefCell::new(None));
        let into = Rc::clone(&last);
        world.watch(move |_, truth| *into.borrow_mut() = Some(truth.clone()));
        kind.behave(&mut world);
        let ledger = world.finish();
        let Some(truth) = last.take() else { panic!("no mark") };
        let sites = ledger.sites().filter(|(_, site)| truth.subjects.contains(&site.stack));
        let live: u64 = sites.map(|(_, site)| site.live_blocks).sum();
        let name = kind.name;
        assert!(truth.events < 120_000, "{name}, seed {seed}: {} events", truth.events);
        count += 1;
        events += truth.events;
        match kind.label {
            Label::Accumulates => {
                assert!(truth.accumulated > 0, "{name}, seed {seed}: nothing");
                assert!(live >= truth.accumulated, "{name}, seed {seed}: {live}");
            }
            Label::OverRelease => {
                let over: u64 = ledger
                    .images()
                    .iter()
                    .flat_map(|image| image.over_releases())
                    .map(|(_, over)| over.count)
                    .sum();
                assert!(over > 0 && truth.accumulated > 0, "{name}, seed {seed}: {over}");
            }
            Label::Innocent => assert_eq!(truth.accumulated, 0, "{name}, seed {seed}"),
        }
    }
    println!("{count} runs, {events} events");
}

/// The same seed makes the same run.
#[test]
fn kinds_depend_on_their_seed_alone() {
    let said = |kind: &'static Kind, seed| {
        let (looks, ledger) = looks(kind, seed, When::Times);
        let named = looks.iter().filter(|look| look.said == Said::Named).count();
        (named, serde_json::to_string(&judge(&ledger)).unwrap())
    };
    for (kind, _) in parts().iter().flat_map(|part| runs(&part.kinds, 0..1)).step_by(7) {
        assert_eq!(said(kind, 0), said(kind, 0), "{}", kind.name);
    }
    let first = Kind::open().next().unwrap();
    assert_ne!(said(first, 0).1, said(first, 6).1);
}
