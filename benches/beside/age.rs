//! The rule of BCC's memleak, on unfreed's own events, so that no kernel has to be probed: what is older than so
//! long and still there is told, the stacks with the most bytes first, as often as it prints.

use std::collections::{BTreeMap, HashMap};

use unfreed::event::{Address, Event, ProcessId, StackId, Time, What};

/// What is told.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// Nanoseconds.
    older: u64,
    stacks: usize,
}

/// What memleak does where it is not told otherwise (`--older 500`, `--top 10`).
pub const MEMLEAK: Rule = Rule { older: 500_000_000, stacks: 10 };
/// Longer, and everything.
pub const FIVE_SECONDS: Rule = Rule { older: 5_000_000_000, stacks: usize::MAX };

/// Every live block, and when it was born.
#[derive(Debug, Default)]
pub struct Ages(HashMap<(ProcessId, Address), Block>);

#[derive(Clone, Copy, Debug)]
struct Block {
    born: Time,
    stack: StackId,
    bytes: u64,
}

impl Ages {
    /// Takes in one event. memleak sees a realloc as a free and an allocation.
    pub fn apply(&mut self, event: &Event) {
        let (process, born) = (event.process, event.time);
        match &event.what {
            What::Alloc(alloc) => {
                let block = Block { born, stack: alloc.stack, bytes: alloc.size.0 };
                self.0.insert((process, alloc.address), block);
            }
            What::Free(free) => {
                self.0.remove(&(process, free.address));
            }
            What::Realloc(realloc) => {
                self.0.remove(&(process, realloc.old));
                let block = Block { born, stack: realloc.stack, bytes: realloc.size.0 };
                self.0.insert((process, realloc.new), block);
            }
            _ => {}
        }
    }

    /// Whom the rule names now.
    pub fn named(&self, now: Time, rule: Rule) -> Vec<(ProcessId, StackId)> {
        let mut sums: BTreeMap<(ProcessId, StackId), u64> = BTreeMap::new();
        for ((process, _), block) in &self.0 {
            if now.0.saturating_sub(block.born.0) >= rule.older {
                *sums.entry((*process, block.stack)).or_default() += block.bytes;
            }
        }
        let mut stacks: Vec<_> = sums.into_iter().collect();
        stacks.sort_by_key(|(_, bytes)| std::cmp::Reverse(*bytes));
        stacks.into_iter().take(rule.stacks).map(|(site, _)| site).collect()
    }
}
