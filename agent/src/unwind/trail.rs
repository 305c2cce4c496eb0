//! A thread's previous walk, kept so that the next one need not repeat what has not changed.
//!
//! A walk is a function of the registers it begins with and of the words it reads from the stack:
//! return addresses, and saved registers that a rule further out uses. So where a new walk comes
//! to a frame in the same state as one of the previous walk, and every such word from there
//! outwards is re-read and found equal, the rest is the same. The words are re-read from the inside out,
//! and none behind one that differs: each is one that the walk itself would have read.
//!
//! Steps are kept outermost first, so that what changes, the inner end, is the end.

use unfreed_wire::StackEnd;

use super::walk::MAX_DEPTH;

/// Words that are re-read at most; a walk with more is not kept.
const MAX_CHECKS: usize = MAX_DEPTH + 128;

/// One frame of a kept walk.
#[derive(Clone, Copy)]
#[repr(C)]
struct Step {
    sp: u64,
    /// Address and trust.
    word: u64,
    bp: u64,
    /// Of this frame and all further out.
    hash: u64,
    /// How many checks this frame and all further out need.
    checks: u32,
    /// Whether anything further out depends on `bp`.
    needs_bp: bool,
}

/// A word of the stack and what it was.
#[derive(Clone, Copy)]
#[repr(C)]
pub(super) struct Check {
    pub(super) slot: u64,
    pub(super) value: u64,
}

/// One frame of the walk that is under way, with what its rule reads.
#[derive(Clone, Copy)]
#[repr(C)]
pub(super) struct Fresh {
    pub(super) at: State,
    pub(super) reads: Reads,
}

/// Where a walk is.
#[derive(Clone, Copy)]
#[repr(C)]
pub(super) struct State {
    pub(super) sp: u64,
    pub(super) word: u64,
    pub(super) bp: u64,
}

/// What the rule of a frame reads on the way to its caller.
#[derive(Clone, Copy)]
#[repr(C)]
pub(super) struct Reads {
    /// Where the CFA was read from; 0 where it was computed.
    pub(super) base: u64,
    /// Where the return address was read from.
    pub(super) address: u64,
    /// Where the caller's rbp was read from; 0 where it is still in rbp.
    pub(super) saved: u64,
    /// The CFA, or an address read from, was computed from rbp.
    pub(super) base_by_bp: bool,
    /// The place of the caller's rbp was computed from rbp.
    pub(super) saved_by_bp: bool,
}

impl Reads {
    pub(super) const NONE: Reads =
        Reads { base: 0, address: 0, saved: 0, base_by_bp: false, saved_by_bp: false };

    /// The words read, in order, and how many; `read` has their values, the return
    /// address without trust.
    pub(super) fn checks(&self, read: State) -> ([Check; 3], usize) {
        let mut checks = [Check { slot: 0, value: 0 }; 3];
        let mut count = 0;
        let all = [(self.base, read.sp), (self.saved, read.bp), (self.address, read.word)];
        for (slot, value) in all {
            if slot != 0 {
                checks[count] = Check { slot, value };
                count += 1;
            }
        }
        (checks, count)
    }
}

/// What a walk read and used before it found that there was no caller.
pub(super) struct Ending {
    pub(super) checks: [Check; 3],
    pub(super) count: usize,
    pub(super) uses_bp: bool,
    /// Stands for the end in the hash.
    pub(super) hash: u64,
    pub(super) end: StackEnd,
}

/// Addresses that are certainly the thread's stack.
#[derive(Clone, Copy)]
#[repr(C)]
pub(super) struct KnownStack {
    low: u64,
    high: u64,
}

impl KnownStack {
    pub(super) const NONE: KnownStack = KnownStack { low: 0, high: 0 };

    pub(super) fn has(self, address: u64) -> bool {
        (self.low..self.high).contains(&address)
    }
}

/// The kept walk of one thread. All zero, it holds none.
#[repr(C)]
pub struct Trail {
    /// What the walk was made in; 0 while there is none.
    generation: u64,
    depth: u32,
    end: StackEnd,
    /// The hash under which the stack last walked has been defined, if it has.
    defined: u64,
    known: KnownStack,
    steps: [Step; MAX_DEPTH],
    checks: [Check; MAX_CHECKS],
    fresh: [Fresh; MAX_DEPTH],
}

/// The part of a kept walk from which a new one goes on: so many of its outermost steps.
#[derive(Clone, Copy)]
pub(super) struct Kept(u32);

impl Trail {
    /// One that holds no walk.
    pub const fn empty() -> Trail {
        let state = State { sp: 0, word: 0, bp: 0 };
        let step = Step { sp: 0, word: 0, bp: 0, hash: 0, checks: 0, needs_bp: false };
        Trail {
            generation: 0,
            depth: 0,
            end: StackEnd::Complete,
            defined: 0,
            known: KnownStack::NONE,
            steps: [step; MAX_DEPTH],
            checks: [Check { slot: 0, value: 0 }; MAX_CHECKS],
            fresh: [Fresh { at: state, reads: Reads::NONE }; MAX_DEPTH],
        }
    }

    /// Forgets the walk.
    pub fn forget(&mut self) {
        self.generation = 0;
        self.defined = 0;
        self.known = KnownStack::NONE;
    }

    /// What is known to be the thread's stack.
    #[inline(always)]
    pub(super) fn known(&self) -> KnownStack {
        self.known
    }

    /// A walk has passed from here to the outermost frame: all that is the thread's stack.
    pub(super) fn know(&mut self, low: u64, high: u64) {
        let low = if self.known.high == high { low.min(self.known.low) } else { low };
        self.known = KnownStack { low, high };
    }

    /// Everything that may be used again in this generation.
    #[inline(always)]
    pub(super) fn kept(&self, generation: u64) -> Kept {
        Kept(if self.generation == generation { self.depth } else { 0 })
    }

    /// Whether the walk, being in this state after `fresh` frames, goes on as the kept one does;
    /// `kept` is lowered to the steps that may still come.
    #[inline(always)]
    pub(super) fn joins(&self, kept: &mut Kept, at: State, fresh: usize, limit: usize) -> bool {
        while kept.0 > 0 {
            let step = &self.steps[kept.0 as usize - 1];
            if step.sp > at.sp {
                return false;
            }
            if step.sp == at.sp {
                break;
            }
            kept.0 -= 1;
        }
        if kept.0 == 0 {
            return false;
        }
        let step = &self.steps[kept.0 as usize - 1];
        let depth = kept.0 as usize + fresh;
        let as_deep =
            if self.end == StackEnd::Depth { depth == self.depth as usize } else { depth <= limit };
        if step.word != at.word || step.needs_bp && step.bp != at.bp || !as_deep {
            return false;
        }
        let checks = self.checks.get(..step.checks as usize).unwrap_or_default();
        for (left, check) in checks.iter().enumerate().rev() {
            // SAFETY: all words further in were equal, so this is where the walk would read next,
            // on a stack that is in use.
            if unsafe { *super::pointer::<u64>(check.slot) } != check.value {
                self.lower(kept, left as u32 + 1);
                return false;
            }
        }
        true
    }

    /// Leaves only the steps that do not need this many checks.
    #[cold]
    fn lower(&self, kept: &mut Kept, checks: u32) {
        while kept.0 > 0 && self.steps[kept.0 as usize - 1].checks >= checks {
            kept.0 -= 1;
        }
    }

    /// Takes note of a frame of the walk under way.
    #[inline(always)]
    pub(super) fn note(&mut self, depth: usize, at: State, reads: Reads) {
        if let Some(fresh) = self.fresh.get_mut(depth) {
            *fresh = Fresh { at, reads };
        }
    }

    /// The new walk joined the kept one at its first frame: it is the same from there on.
    #[inline(always)]
    pub(super) fn continue_at(&mut self, kept: Kept) -> u64 {
        self.depth = kept.0;
        self.hash()
    }

    /// The same at its second frame, after this one.
    #[inline(always)]
    pub(super) fn continue_after(&mut self, kept: Kept, at: State, reads: Reads) -> u64 {
        let depth = kept.0 as usize;
        let outer = self.steps[depth - 1];
        let generation = self.begin();
        let (_, whole) = self.push(depth, &outer, at, reads);
        self.finish(depth + 1, if whole { generation } else { 0 });
        self.hash()
    }

    /// The same after so many frames, of which note was taken.
    #[inline(always)]
    pub(super) fn continue_from(&mut self, kept: Kept, fresh: usize) -> u64 {
        let generation = self.begin();
        self.append(fresh, kept.0 as usize, generation);
        self.hash()
    }

    /// The new walk went all the way: it is kept whole.
    pub(super) fn replace(&mut self, fresh: usize, ending: &Ending, generation: u64) -> u64 {
        self.begin();
        self.end = ending.end;
        let mut checks = 0;
        for check in ending.checks.iter().take(ending.count).rev() {
            self.checks[checks as usize] = *check;
            checks += 1;
        }
        let State { sp, word, bp } = self.fresh[fresh - 1].at;
        let hash = extend(ending.hash, word);
        self.steps[0] = Step { sp, word, bp, hash, checks, needs_bp: ending.uses_bp };
        self.append(fresh - 1, 1, generation);
        self.hash()
    }

    /// Changes begin. Gives the generation of what is kept, which is nothing until they end.
    #[inline(always)]
    fn begin(&mut self) -> u64 {
        let generation = core::mem::replace(&mut self.generation, 0);
        core::sync::atomic::compiler_fence(core::sync::atomic::Ordering::SeqCst);
        generation
    }

    /// Changes end with so many steps.
    #[inline(always)]
    fn finish(&mut self, depth: usize, generation: u64) {
        self.depth = depth as u32;
        core::sync::atomic::compiler_fence(core::sync::atomic::Ordering::SeqCst);
        self.generation = generation;
    }

    /// Puts the innermost `fresh` frames, outermost of them first, after the first `depth` steps.
    #[inline(always)]
    fn append(&mut self, fresh: usize, depth: usize, generation: u64) {
        let mut depth = depth;
        let mut outer = self.steps[depth - 1];
        let mut all_whole = true;
        for n in (0..fresh).rev() {
            let Fresh { at, reads } = self.fresh[n];
            let whole;
            (outer, whole) = self.push(depth, &outer, at, reads);
            all_whole &= whole;
            depth += 1;
        }
        self.finish(depth, if all_whole { generation } else { 0 });
    }

    /// Puts a frame after the first `depth` steps, the last of which is its caller's. Whether there was
    /// room for its checks.
    #[inline(always)]
    fn push(&mut self, depth: usize, outer: &Step, at: State, reads: Reads) -> (Step, bool) {
        let mut checks = outer.checks as usize;
        let whole = checks + 3 <= MAX_CHECKS;
        if whole {
            // In the order in which the walk reads them, the last one first.
            if outer.needs_bp && reads.saved != 0 {
                self.checks[checks] = Check { slot: reads.saved, value: outer.bp };
                checks += 1;
            }
            self.checks[checks] = Check { slot: reads.address, value: address_of(outer.word) };
            checks += 1;
            if reads.base != 0 {
                self.checks[checks] = Check { slot: reads.base, value: outer.sp };
                checks += 1;
            }
        }
        let through = outer.needs_bp && (reads.saved == 0 || reads.saved_by_bp);
        let State { sp, word, bp } = at;
        let needs_bp = reads.base_by_bp || through;
        let hash = extend(outer.hash, word);
        let step = Step { sp, word, bp, hash, checks: checks as u32, needs_bp };
        self.steps[depth] = step;
        (step, whole)
    }

    #[inline(always)]
    fn hash(&self) -> u64 {
        let hash = self.steps[self.depth as usize - 1].hash;
        // What lies low names the slots of tables, and depends on all of it.
        let mixed = (hash ^ hash >> 32).wrapping_mul(MULTIPLIER);
        (mixed ^ mixed >> 32).max(1)
    }

    /// The hash under which a stack was defined last.
    #[inline(always)]
    pub fn defined(&self) -> u64 {
        self.defined
    }

    /// The stack last walked has been defined under this hash.
    pub fn set_defined(&mut self, hash: u64) {
        self.defined = hash;
    }

    /// Why the stack last walked has no more frames.
    pub fn end(&self) -> StackEnd {
        self.end
    }

    /// How many frames the stack last walked has.
    pub fn depth(&self) -> usize {
        self.depth as usize
    }

    /// A frame word of the stack last walked, innermost first.
    pub fn frame(&self, n: usize) -> u64 {
        self.steps[self.depth as usize - 1 - n].word
    }
}

fn address_of(word: u64) -> u64 {
    unfreed_wire::split_frame_word(word).0
}

const MULTIPLIER: u64 = 0x9e37_79b9_7f4a_7c15;

/// The hash of a frame before those further out.
#[inline(always)]
fn extend(outer: u64, word: u64) -> u64 {
    (outer ^ address_of(word)).wrapping_mul(MULTIPLIER).rotate_left(31)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A stack of frames of 32 bytes, as a walk would find it: each with its return address, and
    /// the caller's rbp below that.
    struct Made {
        words: [u64; 64],
    }

    const FRAME: usize = 4;

    impl Made {
        fn new(frames: usize) -> Made {
            let mut words = [0; 64];
            for frame in 0..frames {
                words[frame * FRAME] = 0x1000 + frame as u64;
                words[frame * FRAME + 1] = 0x40_0000 + frame as u64;
            }
            Made { words }
        }

        fn slot(&self, word: usize) -> u64 {
            (&raw const self.words[word]).expose_provenance() as u64
        }

        /// Where a walk is at this frame, and what it reads there; `by_bp` frames need rbp.
        fn at(&self, frame: usize, by_bp: bool) -> (State, Reads) {
            let sp = self.slot(frame * FRAME);
            let word = if frame == 0 { 0x3f_ffff } else { self.words[frame * FRAME - 3] };
            let bp = if frame == 0 { 7 } else { self.words[frame * FRAME - 4] };
            let reads = Reads {
                base: 0,
                address: self.slot(frame * FRAME + 1),
                saved: self.slot(frame * FRAME),
                base_by_bp: by_bp,
                saved_by_bp: false,
            };
            (State { sp, word, bp }, reads)
        }
    }

    const ENDING: Ending = Ending {
        checks: [Check { slot: 0, value: 0 }; 3],
        count: 0,
        uses_bp: false,
        hash: 9,
        end: StackEnd::Complete,
    };

    /// Walks as the walker does; gives the hash and how many frames it had to look at by itself.
    fn walk(trail: &mut Trail, made: &Made, frames: usize, by_bp: bool) -> (u64, usize) {
        let mut kept = trail.kept(1);
        for frame in 0..frames {
            let (at, reads) = made.at(frame, by_bp);
            if trail.joins(&mut kept, at, frame, MAX_DEPTH) {
                let hash = match frame {
                    0 => trail.continue_at(kept),
                    1 => {
                        let (innermost, reads) = made.at(0, by_bp);
                        trail.continue_after(kept, innermost, reads)
                    }
                    _ => trail.continue_from(kept, frame),
                };
                return (hash, frame);
            }
            trail.note(frame, at, reads);
        }
        (trail.replace(frames, &ENDING, 1), frames)
    }

    /// What a walk that knows of none before finds.
    fn afresh(made: &Made, frames: usize, by_bp: bool) -> u64 {
        walk(&mut Trail::empty(), made, frames, by_bp).0
    }

    #[test]
    fn the_same_stack_is_not_walked_again() {
        let (made, mut trail) = (Made::new(12), Trail::empty());
        let first = walk(&mut trail, &made, 12, false);
        assert_eq!(first.1, 12);
        assert_eq!(walk(&mut trail, &made, 12, false), (first.0, 0));
    }

    #[test]
    fn a_changed_outer_caller_is_another_stack() {
        for changed in 1..11 {
            let (mut made, mut trail) = (Made::new(12), Trail::empty());
            let first = walk(&mut trail, &made, 12, false).0;
            made.words[changed * FRAME + 1] ^= 0x10;
            let (hash, looked_at) = walk(&mut trail, &made, 12, false);
            assert_ne!(hash, first, "the return address of frame {changed} was not re-read");
            assert_eq!(hash, afresh(&made, 12, false));
            assert_eq!(looked_at, changed + 2, "what lies beyond is the same");
            assert_eq!(trail.depth(), 12);
        }
    }

    #[test]
    fn a_saved_register_counts_where_a_rule_further_out_uses_it() {
        for by_bp in [false, true] {
            let (mut made, mut trail) = (Made::new(12), Trail::empty());
            walk(&mut trail, &made, 12, by_bp);
            made.words[5 * FRAME] ^= 0x10;
            let looked_at = walk(&mut trail, &made, 12, by_bp).1;
            assert_eq!(looked_at == 0, !by_bp, "{looked_at}");
        }
    }

    #[test]
    fn another_innermost_frame_alone_is_walked_alone() {
        let (mut made, mut trail) = (Made::new(12), Trail::empty());
        walk(&mut trail, &made, 12, true);
        for round in 1..4 {
            made.words[1] ^= round;
            assert_eq!(walk(&mut trail, &made, 12, true), (afresh(&made, 12, true), 2));
            made.words[FRAME * 3 + 1] ^= round;
            assert_eq!(walk(&mut trail, &made, 12, true).0, afresh(&made, 12, true));
        }
    }

    #[test]
    fn another_generation_forgets() {
        let (made, mut trail) = (Made::new(12), Trail::empty());
        walk(&mut trail, &made, 12, false);
        let (at, _) = made.at(0, false);
        let mut kept = trail.kept(2);
        assert!(!trail.joins(&mut kept, at, 0, MAX_DEPTH));
    }

    #[test]
    fn a_longer_walk_than_allowed_is_not_put_together() {
        let (made, mut trail) = (Made::new(12), Trail::empty());
        walk(&mut trail, &made, 12, false);
        let (at, _) = made.at(4, false);
        let mut kept = trail.kept(1);
        assert!(!trail.joins(&mut kept, at, 9, 16), "9 new frames and 8 kept");
        let mut kept = trail.kept(1);
        assert!(trail.joins(&mut kept, at, 8, 16));
    }
}
