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
    born: Vec<(u64, StackId)>,
}

fn event(at: u64, what: What) -> Event {
    Event { time: Time(at), process: ProcessId(0), thread: Tid(1), what }
}

impl Story {
    /// `each` blocks of the site at each of these times, in milliseconds.
    fn new(times: impl Iterator<Item = u64>, each: u64) -> Story {
        Story::of(times, each, 1, None)
    }

    /// The same in turn at so many depths of a recursion, of a process that may be sampled.
    fn of(
        times: impl Iterator<Item = u64>,
        each: u64,
        depths: u32,
        sampled: Option<Bytes>,
    ) -> Story {
        let mut ledger = Ledger::default();
        let process = Process { pid: 7, from_start: true, sampled, ..Process::default() };
        ledger.apply(&event(0, What::Process(Box::new(process))));
        let mut node = |caller, offset| {
            let frame = Frame { module: None, offset, trust: Trust::Table };
            ledger.apply(&event(0, What::Stack(StackNode { caller, frame })));
        };
        node(StackId::COMPLETE, 1);
        node(StackId::COMPLETE, 2);
        let mut sites = vec![SITE];
        let mut caller = StackId::COMPLETE;
        // Each depth is two nodes: one deeper in the recursion, and where it allocates.
        for depth in 0..depths - 1 {
            let deeper = StackId(OTHERS.0 + 1 + 2 * depth);
            node(caller, 3);
            node(deeper, 1);
            sites.push(StackId(deeper.0 + 1));
            caller = deeper;
        }
        if depths > 1 {
            // The first has the recursion's frame, too.
            sites.remove(0);
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
                    let stack = sites[born.len() % sites.len()];
                    let what = Alloc { address, size, stack, function, heap };
                    ledger.apply(&event(now, What::Alloc(what)));
                    born.push((now, stack));
                }
            }
        }
        ledger.apply(&event(60 * SECOND, What::Epoch));
        Story { ledger, born }
    }

    /// The scan: of every `of` blocks so many are referenced, from this kind of root.
    fn scan(self, referenced: u64, of: u64, failed: Option<&str>) -> Judged {
        self.scanned(referenced, of, failed).judge()
    }

    fn scanned(mut self, referenced: u64, of: u64, failed: Option<&str>) -> Story {
        let failed = failed.map(str::to_owned);
        self.tell(Scan { failed, ..done() }, referenced, of);
        self
    }

    /// A scan, which replaces the one before.
    fn tell(&mut self, scan: Scan, referenced: u64, of: u64) {
        let at = 60 * SECOND;
        let done = scan.failed.is_none();
        self.ledger.apply(&event(at, What::Scan(Box::new(scan))));
        let root = Root { kind: RootKind::Global, module: None, offset: 8 };
        for (n, (born, stack)) in self.born.iter().enumerate().filter(|_| done) {
            let root = (n as u64 % of < referenced).then_some(root);
            let (stack, born, bytes) = (*stack, Time(*born), Bytes(32));
            let reach = Reach { stack, born, root, blocks: 1, bytes, interior: 0 };
            self.ledger.apply(&event(at, What::Reach(Box::new(reach))));
        }
        self.ledger.apply(&event(at, What::Epoch));
    }

    fn judge(&self) -> Judged {
        let assessment = judge(&self.ledger);
        assessment.sites.into_iter().find(|judged| judged.stack == SITE).unwrap()
    }
}

/// A scan that saw all there is.
fn done() -> Scan {
    let (stopped, read, unread) = (Time(1), Bytes(1), Unread::default());
    Scan { stopped, read, whole: true, failed: None, unread, exact: true }
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

/// Each depth alone has lost too few to tell; together they keep losing.
#[test]
fn what_a_recursion_lost_at_many_depths_is_one_leak() {
    let irregular = || (0..24).map(|n| n * n * 100);
    let suspect = |story: &Story| {
        let assessment = judge(&story.ledger);
        let suspects = assessment.suspects(0.7);
        assert!(suspects.len() <= 1, "{suspects:#?}");
        suspects.first().map(|judged| (*judged).clone())
    };
    let before = Story::of(irregular(), 5, 11, None);
    let after = Story::of(irregular(), 5, 11, None).scanned(0, 1, None);
    assert!(suspect(&before).is_none_or(|judged| judged.verdict == Verdict::Growth));
    let judged = suspect(&after).expect("a suspect");
    assert_eq!((judged.verdict, judged.held), (Verdict::Leak, Held::Lost), "{judged:?}");
    assert_eq!(judged.group.unwrap().sites, 10);
    let lost = judged.evidence.iter().find(|fact| fact.fact == "lost").unwrap();
    assert_eq!(lost.value, 120.0);
    // And what is held at all depths is no leak.
    let held = Story::of(irregular(), 5, 11, None).scanned(1, 1, None);
    assert!(suspect(&held).is_none_or(|judged| judged.held == Held::Referenced));
}

/// A recorded block stands for others, also where only the scan tells that they are lost.
#[test]
fn what_a_sample_lost_is_scaled() {
    let mean = Bytes(320);
    let irregular = || (0..24).map(|n| n * n * 100);
    let before = Story::of(irregular(), 1, 1, Some(mean)).judge();
    assert!(!before.verdict.accumulates(), "{before:?}");
    let judged = Story::of(irregular(), 1, 1, Some(mean)).scan(0, 1, None);
    assert_eq!(judged.verdict, Verdict::Leak, "{judged:?}");
    let whole = Story::of(irregular(), 1, 1, None).scan(0, 1, None);
    assert_eq!(whole.verdict, Verdict::Leak, "{whole:?}");
    let each = 1.0 / (1.0 - (-32.0_f64 / 320.0).exp());
    let ratio = judged.growth_bytes_per_s / whole.growth_bytes_per_s;
    assert!((ratio / each - 1.0).abs() < 0.01, "{ratio} for {each}");
    let estimated = judged.estimated.unwrap().growth_bytes_per_s;
    assert_eq!(estimated.value, judged.growth_bytes_per_s);
    assert!(estimated.variance > 0.0);
}

/// Where memory of the process is missing, what lies there may refer to anything.
#[test]
fn a_scan_that_did_not_see_all_memory_accuses_nobody() {
    let mut story = Story::new(steady(), 1);
    let mut judged = |own, shared| {
        let unread = Unread { own: Bytes(own), shared: Bytes(shared), what: None };
        story.tell(Scan { whole: false, unread, ..done() }, 0, 1);
        let now = story.judge();
        (now.verdict, now.held)
    };
    assert_eq!(judged(0, 4096), (Verdict::Leak, Held::Lost));
    assert_eq!(judged(4096, 0), (Verdict::Growth, Held::NotMeasured));
}

/// In the memory of a later moment all seems lost that was freed meanwhile: a part of the blocks says nothing.
#[test]
fn a_core_of_another_moment_accuses_only_where_nearly_all_is_lost() {
    let mut story = Story::new(steady(), 1);
    let mut judged = |exact, referenced| {
        story.tell(Scan { whole: exact, exact, ..done() }, referenced, 20);
        let now = story.judge();
        (now.verdict, now.held)
    };
    assert_eq!(judged(true, 10), (Verdict::Leak, Held::Lost));
    assert_eq!(judged(false, 10), (Verdict::Growth, Held::Referenced));
    assert_eq!(judged(false, 1), (Verdict::Leak, Held::Lost));
}
