//! What a reachability scan adds to a verdict: told event by event, no program needed.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use unfreed::event::*;
use unfreed::ledger::Ledger;
use unfreed::verdict::{Held, Judged, Verdict, judge};

const SITE: StackId = StackId::FIRST;
const OTHERS: StackId = StackId(SITE.0 + 1);
const SECOND: u64 = 1_000_000_000;

/// A minute of a process that works, with one site of which so many blocks per second stay.
struct Story {
    ledger: Ledger,
    born: Vec<u64>,
}

fn event(at: u64, what: What) -> Event {
    Event { time: Time(at), process: ProcessId(0), thread: Tid(1), what }
}

impl Story {
    /// `each` blocks of the site at each of these times, in milliseconds.
    fn new(times: impl Iterator<Item = u64>, each: u64) -> Story {
        let mut ledger = Ledger::default();
        let process = Process { pid: 7, from_start: true, ..Process::default() };
        ledger.apply(&event(0, What::Process(Box::new(process))));
        for offset in 1..3 {
            let frame = Frame { module: None, offset, trust: Trust::Table };
            let node = StackNode { caller: StackId::COMPLETE, frame };
            ledger.apply(&event(0, What::Stack(node)));
        }
        let (heap, function, size) = (HeapId::DEFAULT, Function::Malloc, Bytes(32));
        let mut times = times.peekable();
        let mut born = Vec::new();
        for tick in 0..6000 {
            let now = tick * 10_000_000;
            let address = Address(0x1000);
            let what = Alloc { address, size, stack: OTHERS, function, heap };
            ledger.apply(&event(now, What::Alloc(what)));
            let stack = StackId::NOT_TAKEN;
            ledger.apply(&event(now, What::Free(Free { address, stack, function, heap })));
            while times.next_if(|time| time * 1_000_000 <= now).is_some() {
                for _ in 0..each {
                    let address = Address(0x10_0000 + 64 * born.len() as u64);
                    let what = Alloc { address, size, stack: SITE, function, heap };
                    ledger.apply(&event(now, What::Alloc(what)));
                    born.push(now);
                }
            }
        }
        ledger.apply(&event(60 * SECOND, What::Epoch));
        Story { ledger, born }
    }

    /// The scan: of every `of` blocks so many are referenced, from this kind of root.
    fn scan(mut self, referenced: u64, of: u64, failed: Option<&str>) -> Judged {
        let at = 60 * SECOND;
        let failed = failed.map(str::to_owned);
        let done = failed.is_none();
        let scan = Scan { stopped: Time(1), read: Bytes(1), whole: true, failed };
        self.ledger.apply(&event(at, What::Scan(Box::new(scan))));
        let root = Root { kind: RootKind::Global, module: None, offset: 8 };
        for (n, born) in self.born.iter().enumerate().filter(|_| done) {
            let root = (n as u64 % of < referenced).then_some(root);
            let (stack, born, bytes) = (SITE, Time(*born), Bytes(32));
            let reach = Reach { stack, born, root, blocks: 1, bytes, interior: 0 };
            self.ledger.apply(&event(at, What::Reach(Box::new(reach))));
        }
        self.ledger.apply(&event(at, What::Epoch));
        self.judge()
    }

    fn judge(&self) -> Judged {
        let assessment = judge(&self.ledger);
        assessment.sites.into_iter().find(|judged| judged.stack == SITE).unwrap()
    }
}

fn steady() -> impl Iterator<Item = u64> {
    (0..).map(|n| n * 100)
}

#[test]
fn growth_that_nothing_refers_to_is_a_leak_and_surer() {
    let before = Story::new(steady(), 1).judge();
    assert_eq!((before.verdict, before.held), (Verdict::Growth, Held::NotMeasured));
    let after = Story::new(steady(), 1).scan(0, 1, None);
    assert_eq!((after.verdict, after.held), (Verdict::Leak, Held::Lost));
    assert!(after.confidence > before.confidence, "{} {}", before.confidence, after.confidence);
    // A few that an old value seems to hold change nothing.
    let most = Story::new(steady(), 1).scan(1, 20, None);
    assert_eq!((most.verdict, most.held), (Verdict::Leak, Held::Lost));
}

#[test]
fn growth_that_is_referenced_stays_growth_and_no_surer() {
    let before = Story::new(steady(), 1).judge();
    let after = Story::new(steady(), 1).scan(1, 1, None);
    assert_eq!((after.verdict, after.held), (Verdict::Growth, Held::Referenced));
    assert_eq!(after.confidence, before.confidence);
    let fact = after.evidence.iter().find(|fact| fact.fact == "held-by-global").unwrap();
    assert_eq!(fact.value, 600.0);
}

#[test]
fn a_scan_that_failed_measures_nothing() {
    let before = Story::new(steady(), 1).judge();
    let after = Story::new(steady(), 1).scan(0, 1, Some("forbidden"));
    assert_eq!(after, before);
}

/// Irregular, and so slow that its numbers alone decide nothing.
#[test]
fn few_lost_blocks_that_keep_coming_are_a_leak_whatever_their_numbers_say() {
    let irregular = || (0..24).map(|n| n * n * 100);
    let before = Story::new(irregular(), 1).judge();
    assert!(before.verdict == Verdict::Undecided || before.confidence < 0.7, "{before:?}");
    let after = Story::new(irregular(), 1).scan(0, 1, None);
    assert_eq!((after.verdict, after.held), (Verdict::Leak, Held::Lost), "{after:?}");
    assert!(after.confidence >= 0.8 && after.growth_bytes_per_s > 0.0, "{after:?}");
}

#[test]
fn what_a_start_up_lost_once_does_not_accumulate() {
    let after = Story::new(0..3, 100).scan(0, 1, None);
    assert_eq!(after.held, Held::Lost);
    assert!(!after.verdict.accumulates(), "{after:?}");
}

/// Where frees are lost, a block that is free looks alive, and of course nothing refers to it.
#[test]
fn lost_frees_explain_lost_blocks() {
    let mut story = Story::new(steady(), 1);
    let loss = Loss { what: Lost::Frees, count: 1000 };
    story.ledger.apply(&event(60 * SECOND, What::Loss(loss)));
    let after = story.scan(0, 1, None);
    assert_eq!(after.held, Held::Lost);
    assert_ne!(after.verdict, Verdict::Leak);
}
