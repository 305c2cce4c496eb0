//! Second frees of blocks that a source had only counted: whom they accuse, and when nobody.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use unfreed::event::*;
use unfreed::ledger::Ledger;
use unfreed::verdict::{Assessment, Unjudged, judge};

const SITE: StackId = StackId::FIRST;
const OTHER: StackId = StackId(SITE.0 + 1);
const FIRST_FREE: StackId = StackId(SITE.0 + 2);
const SECOND_FREE: StackId = StackId(SITE.0 + 3);
const X: u64 = 0x1000;

/// A story of one process seen from its start, told event by event, a microsecond each.
struct Story {
    ledger: Ledger,
    now: u64,
    process: u32,
}

impl Story {
    fn new() -> Story {
        let mut story = Story { ledger: Ledger::default(), now: 0, process: 0 };
        story.begin(100, 1, true);
        for (caller, offset) in [(0, 1), (0, 2), (1, 3), (0, 4)] {
            let frame = Frame { module: None, offset, trust: Trust::Table };
            story.say(What::Stack(StackNode { caller: StackId(caller), frame }));
        }
        story
    }

    fn say(&mut self, what: What) -> &mut Story {
        self.now += 1000;
        let (time, process) = (Time(self.now), ProcessId(self.process));
        self.ledger.apply(&Event { time, process, thread: Tid(1), what });
        self
    }

    fn begin(&mut self, pid: u32, parent: u32, from_start: bool) -> &mut Story {
        let process = Process { pid, parent, from_start, ..Process::default() };
        self.say(What::Process(Box::new(process)))
    }

    fn alloc(&mut self, address: u64, stack: StackId) -> &mut Story {
        let (address, size, heap) = (Address(address), Bytes(32), HeapId::DEFAULT);
        self.say(What::Alloc(Alloc { address, size, stack, function: Function::Malloc, heap }))
    }

    fn free(&mut self, address: u64) -> &mut Story {
        let (address, stack, heap) = (Address(address), SECOND_FREE, HeapId::DEFAULT);
        self.say(What::Free(Free { address, stack, function: Function::Free, heap }))
    }

    /// A free at an address where a block of this site was freed so long ago.
    fn free_again(&mut self, address: u64, site: StackId, ago: u64) -> &mut Story {
        let freed = Time(self.now.saturating_sub(ago));
        let before = FreedBefore { address: Address(address), site, stack: FIRST_FREE, freed };
        self.say(What::FreedBefore(Box::new(before))).free(address)
    }

    fn judge(&self) -> Assessment {
        judge(&self.ledger)
    }

    #[track_caller]
    fn assert_nobody_accused(&self, unjudged: Unjudged) {
        let assessment = self.judge();
        assert_eq!(assessment.over_releases, []);
        assert_eq!(assessment.over_releases_unjudged, unjudged);
    }
}

#[test]
fn a_counted_block_accuses_its_site_and_names_both_frees() {
    let mut story = Story::new();
    story.free_again(X, SITE, 500).free_again(X, SITE, 3500);
    let assessment = story.judge();
    let [over] = assessment.over_releases.as_slice() else { panic!("{assessment:?}") };
    assert_eq!((over.stack, over.first_free, over.second_free), (SITE, FIRST_FREE, SECOND_FREE));
    assert_eq!((over.count, over.confidence), (2, 0.95));
    assert_eq!(assessment.over_releases_unjudged, Unjudged::default());
    assert!(
        over.explanation.to_string().contains("the earlier is suspected"),
        "{}",
        over.explanation
    );
}

#[test]
fn of_an_address_where_a_block_lives_it_is_an_ordinary_free() {
    let mut story = Story::new();
    story.alloc(X, OTHER).free_again(X, SITE, 5000);
    story.assert_nobody_accused(Unjudged::default());
    assert_eq!(story.ledger.totals().frees_unmatched, 0);
    // What is freed there next was that block.
    story.free_again(X, SITE, 8000);
    let assessment = story.judge();
    assert_eq!(assessment.over_releases[0].stack, OTHER);
}

#[test]
fn a_block_told_of_and_freed_gets_its_first_free_named() {
    let mut story = Story::new();
    story.alloc(X, SITE);
    let (address, stack, heap) = (Address(X), StackId::NOT_TAKEN, HeapId::DEFAULT);
    story.say(What::Free(Free { address, stack, function: Function::Free, heap }));
    // The source does not know any more which site it was of.
    story.free_again(X, StackId::NOT_TAKEN, 0);
    let over = &story.judge().over_releases[0];
    assert_eq!((over.stack, over.first_free), (SITE, FIRST_FREE));
}

#[test]
fn a_block_of_unknown_origin_accuses_nobody() {
    let mut story = Story::new();
    story.free_again(X, StackId::NOT_TAKEN, 500);
    story.assert_nobody_accused(Unjudged { given_out_alive: 1, ..Unjudged::default() });
}

#[test]
fn frees_of_blocks_never_seen_allocated_clear_the_process_whenever_they_come() {
    for early in [true, false] {
        let mut story = Story::new();
        if early {
            story.free(0x9000);
        }
        story.free_again(X, SITE, 500);
        if !early {
            assert_eq!(story.judge().over_releases.len(), 1);
            story.free(0x9000);
        }
        story.assert_nobody_accused(Unjudged { allocated_unseen: 1, ..Unjudged::default() });
    }
}

#[test]
fn a_library_that_is_not_seen_clears_the_process() {
    let mut story = Story::new();
    story.free_again(X, SITE, 500);
    story.say(What::Loss(Loss { what: Lost::Libraries, count: 1 })).free_again(X, SITE, 500);
    story.assert_nobody_accused(Unjudged { libraries: 2, ..Unjudged::default() });
}

#[test]
fn an_address_given_out_alive_clears_the_process_unless_it_was_freed_too_often() {
    let mut story = Story::new();
    story.free_again(X, SITE, 500);
    // An allocator that was given a block twice hands it out twice.
    story.alloc(X, OTHER).alloc(X, OTHER);
    assert_eq!(story.judge().over_releases.len(), 1);
    // Once: the next time, a free was not seen.
    story.alloc(X, OTHER);
    story.assert_nobody_accused(Unjudged { given_out_alive: 1, ..Unjudged::default() });
}

#[test]
fn a_child_may_free_what_its_parent_had_and_nothing_else() {
    let mut story = Story::new();
    story.alloc(0x9000, OTHER).alloc(0xa000, OTHER);
    story.process = 1;
    story.begin(101, 100, false);
    story.process = 0;
    story.free(0xa000);
    story.alloc(0xb000, OTHER);
    story.process = 1;
    story.free(0x9000).free(0xa000).free_again(X, SITE, 500);
    assert_eq!(story.judge().over_releases.len(), 1);
    assert_eq!(story.ledger.image(ProcessId(1)).unwrap().frees_foreign, 0);
    // The parent was given this after the fork.
    story.free(0xb000);
    story.assert_nobody_accused(Unjudged { allocated_unseen: 1, ..Unjudged::default() });
}

#[test]
fn what_was_running_before_the_trace_may_free_anything() {
    let mut story = Story::new();
    story.process = 1;
    story.begin(7, 1, false).free(0x9000).free_again(X, SITE, 500);
    let over = &story.judge().over_releases[0];
    assert!((over.confidence - 0.8).abs() < 1e-9, "{}", over.confidence);
}
