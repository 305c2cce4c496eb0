//! The cache of rules, by return address, shared by all threads without a lock.
//!
//! An entry is two words that are read and written one by one. The first holds the key mixed with
//! the second, so that halves of two different entries never pass for one.

use core::sync::atomic::{AtomicU64, Ordering::*};

use super::rule::Rule;

const ENTRIES: usize = 1 << 15;

struct Entry {
    mixed: AtomicU64,
    rule: AtomicU64,
}

static CACHE: [Entry; ENTRIES] =
    [const { Entry { mixed: AtomicU64::new(0), rule: AtomicU64::new(0) } }; ENTRIES];

static GENERATION: AtomicU64 = AtomicU64::new(1);

/// The generation of the program's set of modules: it changes whenever one may have been
/// unloaded, and with it everything that was learnt of addresses.
#[inline(always)]
pub fn generation() -> u64 {
    GENERATION.load(Acquire)
}

/// The newest number ever given to a generation: none is used twice.
static NUMBERS: AtomicU64 = AtomicU64::new(1);

/// Forgets every rule: an address may mean something else from now on. Gives what [`return_to`] needs.
pub fn new_generation() -> Change {
    let before = generation();
    let mine = NUMBERS.fetch_add(1, AcqRel) + 1;
    GENERATION.fetch_max(mine, AcqRel);
    Change { before, mine }
}

/// From one generation to the next.
#[derive(Clone, Copy)]
pub struct Change {
    before: u64,
    mine: u64,
}

/// Nothing changed after all: what was known before the change still holds, unless somebody else
/// has begun another generation since.
pub fn return_to(change: Change) {
    // If not, then so it stays.
    let _ = GENERATION.compare_exchange(change.mine, change.before, AcqRel, Relaxed);
}

/// A return address within a generation.
#[derive(Clone, Copy)]
pub(super) struct Key(u64);

impl Key {
    #[inline(always)]
    pub(super) fn new(address: u64, generation: u64) -> Key {
        // Addresses have 47 bits; what the generation adds above stays apart from them.
        Key(address ^ generation << 47)
    }

    #[inline(always)]
    fn entry(self) -> &'static Entry {
        &CACHE[(self.0.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 49) as usize % ENTRIES]
    }
}

/// The cached rule.
#[inline(always)]
pub(super) fn get(key: Key) -> Option<Rule> {
    let entry = key.entry();
    let rule = entry.rule.load(Relaxed);
    (entry.mixed.load(Relaxed) ^ mix(rule) == key.0).then_some(Rule(rule))
}

/// Remembers a rule.
pub(super) fn put(key: Key, rule: Rule) {
    let entry = key.entry();
    entry.rule.store(rule.0, Relaxed);
    entry.mixed.store(key.0 ^ mix(rule.0), Relaxed);
}

/// Spreads the rule's bits, so that two rules that differ little do not cancel two addresses
/// that differ little; not 0 for rule 0, so that an empty entry matches no key.
#[inline(always)]
fn mix(rule: u64) -> u64 {
    (rule ^ 0x5851_f42d_4c95_7f2d).wrapping_mul(0xd6e8_feb8_6659_fd93)
}
