//! Sampling: what a ledger that was told a part says of the whole. Streams are thinned as an agent
//! that samples would thin them, from seeds, and held against the whole.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

#[path = "behaviours/mod.rs"]
#[allow(dead_code, reason = "each test uses its part")]
mod behaviours;

use behaviours::thinned::Thinner;
use behaviours::{FAMILIES, Label, World};
use unfreed::event::*;
use unfreed::ledger::{Estimate, Ledger, Site};
use unfreed::verdict::{DEFAULT_MIN_CONFIDENCE, Verdict, judge};

/// Whole streams that are thinned anew, and how often.
const SAMPLES: u64 = 1000;

/// How an estimate did over many samples of one whole.
#[derive(Default)]
struct Record {
    sum: f64,
    squares: f64,
    count: f64,
    covered: f64,
}

impl Record {
    fn add(&mut self, estimate: Estimate, truth: f64) {
        let (low, high) = estimate.interval();
        self.sum += estimate.value;
        self.squares += estimate.value * estimate.value;
        self.count += 1.0;
        // Half a unit is rounding: counts are whole.
        self.covered += f64::from(u8::from(low - 1e-6 <= truth && truth <= high + 1e-6));
    }

    /// Fails unless the mean is the truth to within 3.5 of its standard errors, and the intervals hold
    /// the truth in 93 to 97 of 100 samples.
    fn check(&self, what: &str, truth: f64) {
        let mean = self.sum / self.count;
        let spread = (self.squares / self.count - mean * mean).max(0.0).sqrt();
        let error = spread / self.count.sqrt();
        let covered = self.covered / self.count;
        let off = (mean - truth) / error.max(1e-12);
        println!("{what:<36} truth {truth:>12.1} mean {mean:>12.1} off {off:>5.1} covered {covered:.3}");
        assert!(off.abs() <= 3.5, "{what}: {mean} is not {truth} by {off} standard errors");
        assert!((0.93..=0.97).contains(&covered), "{what}: {covered} of the intervals hold it");
    }
}

/// A whole stream: blocks of these sizes, of which one in three stays, each second an epoch.
fn stream(sizes: &[u64], blocks: u64) -> Vec<Event> {
    let mut events = Vec::new();
    let mut say = |n: u64, what| {
        let time = Time(n * 10_000_000);
        events.push(Event { time, process: ProcessId(0), thread: Tid(1), what });
    };
    let process = Process { pid: 1, from_start: true, ..Process::default() };
    say(0, What::Process(Box::new(process)));
    let frame = Frame { module: None, offset: 16, trust: Trust::Table };
    say(0, What::Stack(StackNode { caller: StackId::COMPLETE, frame }));
    let (heap, stack) = (HeapId::DEFAULT, StackId::FIRST);
    for n in 0..blocks {
        let size = Bytes(sizes[(n % sizes.len() as u64) as usize]);
        let (address, function) = (Address(0x1000 + n * 0x40), Function::Malloc);
        say(n, What::Alloc(Alloc { address, size, stack, function, heap }));
        if n >= 20 && (n - 20) % 3 != 0 {
            let address = Address(0x1000 + (n - 20) * 0x40);
            let free = Free { address, stack: StackId::NOT_TAKEN, function: Function::Free, heap };
            say(n, What::Free(free));
        }
        if n % 100 == 99 {
            say(n, What::Epoch);
        }
    }
    events
}

fn folded(events: &[Event]) -> Ledger {
    let mut ledger = Ledger::default();
    events.iter().for_each(|event| ledger.apply(event));
    ledger
}

fn sampled(events: &[Event], seed: u64, mean: u64) -> Ledger {
    let mut thinner = Thinner::new(seed, mean);
    let mut ledger = Ledger::default();
    events.iter().flat_map(|event| thinner.tell(event)).for_each(|event| ledger.apply(&event));
    ledger
}

/// Over many samples the mean is the truth, and the intervals hold it, for sizes far below, near and
/// above the mean distance, and for all of them at one site.
#[test]
fn estimates_are_right_on_average_and_say_how_far_they_are_off() {
    type Of = fn(&Site) -> Estimate;
    let quantities: [(&str, Of); 4] = [
        ("allocations", Site::estimated_allocations),
        ("frees", Site::estimated_frees),
        ("live blocks", Site::estimated_live_blocks),
        ("live bytes", Site::estimated_live_bytes),
    ];
    let shapes: [(&str, &[u64]); 4] = [
        ("small", &[64]),
        ("near", &[700, 1000, 1500]),
        ("half", &[2000]),
        ("mixed", &[40, 100, 1000, 5000, 64]),
    ];
    for (shape, sizes) in shapes {
        let events = stream(sizes, 3000);
        let whole = folded(&events);
        let (_, site) = whole.sites().next().unwrap();
        let mut records: Vec<Record> = quantities.iter().map(|_| Record::default()).collect();
        for seed in 0..SAMPLES {
            let ledger = sampled(&events, seed, 1000);
            let (_, estimated) = ledger.sites().next().unwrap();
            for (record, (_, of)) in records.iter_mut().zip(&quantities) {
                record.add(of(estimated), of(site).value);
            }
        }
        for (record, (name, of)) in records.iter().zip(&quantities) {
            record.check(&format!("{shape}: {name}"), of(site).value);
        }
    }
}

/// Seeds that the method's tests do not look at.
const FIRST_SEED: u64 = 300;

/// Sampled, no innocent is accused more often than when every block is seen; of the leaks, those that
/// the sample shows are found.
#[test]
fn innocent_behaviour_is_accused_no_more_often_by_a_sample() {
    println!("{:<34}{:>6}{:>8}{:>10}{:>10}", "family", "mean", "found", "accused", "undecided");
    for mean in [100, 400, 2000] {
        let (mut found, mut leaks, mut accused, mut whole_accused) = (0, 0, 0, 0);
        for family in FAMILIES {
            let mut score = (0, 0, 0);
            for seed in FIRST_SEED..FIRST_SEED + 10 {
                let mut world = World::sampled(seed, family.seconds, family.from_start, mean);
                (family.behave)(&mut world);
                let (ledger, whole) = world.finish_sampled();
                let assessment = judge(&ledger);
                assert!(assessment.over_releases.is_empty(), "{}: nobody is", family.name);
                let of_whole = judge(&whole).suspects(DEFAULT_MIN_CONFIDENCE).len();
                for judged in assessment.suspects(DEFAULT_MIN_CONFIDENCE) {
                    if family.label == Label::Accumulates && judged.stack == World::SUBJECT {
                        score.0 += 1;
                    } else {
                        score.1 += 1;
                        println!("  {} seed {seed}: {judged:#?}", family.name);
                    }
                }
                let subject = assessment.sites.iter().find(|site| site.stack == World::SUBJECT);
                score.2 += u32::from(subject.is_some_and(|s| s.verdict == Verdict::Undecided));
                whole_accused += if family.label == Label::Innocent { of_whole } else { 0 };
            }
            let (name, of) = (family.name, family.label);
            println!("{name:<34}{mean:>6}{:>8}{:>10}{:>10}", score.0, score.1, score.2);
            found += score.0;
            leaks += if of == Label::Accumulates { 10 } else { 0 };
            accused += score.1;
        }
        println!("mean {mean}: {found} of {leaks} found, {accused} accused, {whole_accused} whole");
        assert!(accused <= whole_accused, "{accused} accused");
    }
}

/// The same at every second while it runs.
#[test]
fn looks_at_a_sample_accuse_no_more_often_than_looks_at_the_whole() {
    use std::cell::Cell;
    use std::rc::Rc;
    for mean in [100, 400, 2000] {
        let mut shares = [0.0; 2];
        for (share, mean) in shares.iter_mut().zip([0, mean]) {
            let counts = Rc::new(Cell::new((0u32, 0u32)));
            for family in FAMILIES.iter().filter(|family| family.label == Label::Innocent) {
                for seed in FIRST_SEED..FIRST_SEED + 2 {
                    let mut world = World::sampled(seed, family.seconds, family.from_start, mean);
                    let counts = Rc::clone(&counts);
                    world.watch(move |ledger| {
                        let suspects = judge(ledger).suspects(DEFAULT_MIN_CONFIDENCE).len();
                        let (looks, accused) = counts.get();
                        counts.set((looks + 1, accused + u32::from(suspects > 0)));
                    });
                    (family.behave)(&mut world);
                    world.finish();
                }
            }
            let (looks, accused) = counts.get();
            *share = f64::from(accused) / f64::from(looks);
        }
        let [whole, sample] = shares;
        println!("mean {mean}: {sample:.3} of looks at a sample accuse, {whole:.3} at the whole");
        assert!(sample <= whole, "{sample}, {whole}");
    }
}
