//! Walking a stack from an allocator function's caller outwards.

use core::sync::atomic::Ordering::Relaxed;

use unfreed_wire::{StackEnd, frame_word, split_frame_word};

use super::cache::{self, Key};
use super::find::{Object, find_object};
use super::memory::{FIRST_STACK_END, StackEndAddress, pointer};
use super::rule::{Base, Next, Rule, Saved};
use super::table::{self, Place};
use super::trail::{Check, Ending, Kept, KnownStack, Reads, State, Trail};

/// Most frames that are recorded.
pub const MAX_DEPTH: usize = 192;

/// Addresses of programs have no bits from here on.
const ADDRESS_BITS: u32 = 62;

/// As `frame_word` has them.
const CONTEXT: u8 = 0;
const TABLE: u8 = 1;
const FRAME_POINTER: u8 = 2;
const CODE: u8 = 3;

/// A frame found by its frame pointer is believed only if it is no larger than this.
const LARGEST_GUESSED_FRAME: u64 = 1 << 16;

/// Where a signal frame keeps the interrupted registers: `ucontext_t.uc_mcontext.gregs` as seen
/// from `__restore_rt`, whose stack pointer is the `ucontext_t`'s address.
const SIGNAL_RBP: u64 = 40 + 8 * 10;
const SIGNAL_RSP: u64 = 40 + 8 * 15;
const SIGNAL_RIP: u64 = 40 + 8 * 16;

/// The registers at the entry of a function, before its first instruction.
#[derive(Clone, Copy, Debug)]
pub struct Registers {
    /// rsp: points to the return address.
    pub sp: u64,
    /// rbp: the caller's.
    pub bp: u64,
}

/// Where the function entered with these registers will return to.
#[inline(always)]
pub fn return_address(registers: Registers) -> u64 {
    // SAFETY: the stack pointer at a function's entry points to its return address.
    unsafe { *pointer::<u64>(registers.sp) }
}

/// Walks the stack of the function entered with `registers`, using what `trail` keeps of the walk
/// before, and keeps it there. `seen` is told of every module whose rules had to be looked up, and
/// says whether it need not be told again.
#[inline(always)]
pub fn walk(
    registers: Registers,
    limit: usize,
    generation: u64,
    trail: &mut Trail,
    seen: impl FnMut(&Object) -> bool,
) -> Walked {
    let stepper = Stepper {
        generation,
        bound: StackEndAddress::of(registers.sp),
        known: trail.known(),
        crossed: false,
        seen,
    };
    let kept = trail.kept(generation);
    let mut walker = Walker { limit: limit.clamp(1, MAX_DEPTH), kept, trail, stepper };
    walker.run(registers)
}

/// Whether the function entered with `registers` was called, directly or not, by a signal handler that
/// interrupted what ran just below this stack pointer. Where that cannot be told it is taken to be so.
#[cold]
#[inline(never)]
pub fn interrupts(registers: Registers, below: u64) -> bool {
    let mut stepper = Stepper {
        generation: cache::generation(),
        bound: StackEndAddress::of(registers.sp),
        known: KnownStack::NONE,
        crossed: false,
        // Modules are announced when they are walked for a record.
        seen: |_: &Object| false,
    };
    let word = frame_word(return_address(registers), TABLE);
    let mut at = State { sp: registers.sp + 8, word, bp: registers.bp };
    for _ in 0..MAX_DEPTH {
        let Step::To(next, _) = stepper.step(at) else { return false };
        let (_, trust) = split_frame_word(next.word);
        if trust == CONTEXT && below.wrapping_sub(next.sp) < OUR_FRAMES {
            return true;
        }
        at = next;
    }
    true
}

/// More stack than the agent and what it calls ever use.
const OUR_FRAMES: u64 = 1 << 16;

/// A walk that has ended; its frames are in the trail.
#[derive(Clone, Copy)]
pub struct Walked {
    /// Names the stack: equal for equal frames of the same generation.
    pub hash: u64,
}

const SEED: u64 = 0x243f_6a88_85a3_08d3;
const MULTIPLIER: u64 = 0x9e37_79b9_7f4a_7c15;

struct Walker<'t, F> {
    limit: usize,
    kept: Kept,
    trail: &'t mut Trail,
    stepper: Stepper<F>,
}

/// Goes from frame to frame.
struct Stepper<F> {
    generation: u64,
    bound: StackEndAddress,
    known: KnownStack,
    /// It has passed a signal's frame, perhaps to another stack.
    crossed: bool,
    seen: F,
}

/// What one rule gives.
#[derive(Clone, Copy)]
enum Step {
    /// The caller's state.
    To(State, Reads),
    /// There is no caller, or none can be told.
    End(StackEnd),
    /// As before, and found out by reading this word.
    EndBy(StackEnd, Reads, State),
}

impl<F: FnMut(&Object) -> bool> Walker<'_, F> {
    #[inline(always)]
    fn run(&mut self, registers: Registers) -> Walked {
        let word = frame_word(return_address(registers), TABLE);
        let innermost = State { sp: registers.sp + 8, word, bp: registers.bp };
        if self.trail.joins(&mut self.kept, innermost, 0, self.limit) {
            return Walked { hash: self.trail.continue_at(self.kept) };
        }
        let mut step = self.stepper.step(innermost);
        // Most walks differ from the one before in the innermost frame only.
        if let Step::To(at, reads) = step
            && self.limit > 1
            && self.trail.joins(&mut self.kept, at, 1, self.limit)
        {
            return Walked { hash: self.trail.continue_after(self.kept, innermost, reads) };
        }
        self.go_on(registers, innermost, &mut step)
    }

    /// Goes on from the innermost frame, whose step has been taken.
    #[inline(never)]
    fn go_on(&mut self, registers: Registers, innermost: State, step: &mut Step) -> Walked {
        let (mut at, mut depth) = (innermost, 0);
        let end = loop {
            let reads = match step {
                Step::To(_, reads) | Step::EndBy(_, reads, _) => *reads,
                Step::End(_) => Reads::NONE,
            };
            self.trail.note(depth, at, reads);
            depth += 1;
            match step {
                Step::To(next, _) => at = *next,
                end => break *end,
            }
            // The second frame has been asked about.
            if depth > 1 && self.trail.joins(&mut self.kept, at, depth, self.limit) {
                return Walked { hash: self.trail.continue_from(self.kept, depth) };
            }
            if depth == self.limit {
                break Step::End(StackEnd::Depth);
            }
            *step = self.stepper.step(at);
        };
        self.keep(depth, registers.sp, at.sp, end)
    }

    #[cold]
    #[inline(never)]
    fn keep(&mut self, depth: usize, low: u64, high: u64, end: Step) -> Walked {
        let (end, checks, count) = match end {
            Step::EndBy(end, reads, read) => {
                let (checks, count) = reads.checks(read);
                (end, checks, count)
            }
            Step::End(end) => (end, Reads::NONE.checks(State { sp: 0, word: 0, bp: 0 }).0, 0),
            Step::To(..) => (StackEnd::NoTable, [Check { slot: 0, value: 0 }; 3], 0),
        };
        let generation = self.stepper.generation;
        let seed = generation.wrapping_mul(MULTIPLIER) ^ SEED;
        let ending = Ending {
            checks,
            count,
            uses_bp: !matches!(end, StackEnd::Complete | StackEnd::Depth),
            hash: (seed ^ end as u64).wrapping_mul(MULTIPLIER),
            end,
        };
        let hash = self.trail.replace(depth, &ending, generation);
        if end == StackEnd::Complete && !self.stepper.crossed && low < high {
            self.trail.know(low, high);
        }
        Walked { hash }
    }
}

impl<F: FnMut(&Object) -> bool> Stepper<F> {
    /// From a frame to its caller.
    #[inline(always)]
    fn step(&mut self, at: State) -> Step {
        let State { sp, word, bp } = at;
        let (address, trust) = split_frame_word(word);
        let (call, place) = if trust == CONTEXT {
            (address, Place::Instruction(address))
        } else {
            (address.wrapping_sub(1), Place::Return(address))
        };
        let key = Key::new(call, self.generation);
        let rule = match cache::get(key) {
            Some(rule) => rule,
            None => self.learn(key, call, place),
        };
        let mut reads = Reads::NONE;
        let (cfa, caller_bp, trust);
        match rule.next() {
            Next::Frame { base, saved } => {
                cfa = match base {
                    Base::Rsp(offset) => sp.wrapping_add_signed(offset as i64),
                    Base::Rbp(offset) => {
                        reads.base_by_bp = true;
                        bp.wrapping_add_signed(offset as i64)
                    }
                    Base::AtRbp(offset) => {
                        reads.base_by_bp = true;
                        reads.base = bp.wrapping_add_signed(offset as i64);
                        match self.word(reads.base, sp) {
                            Some(cfa) => cfa,
                            None => return Step::End(StackEnd::OutOfStack),
                        }
                    }
                };
                reads.saved = match saved {
                    Saved::Unchanged => 0,
                    Saved::AtCfa(offset) => cfa.wrapping_add_signed(offset as i64),
                    Saved::AtRbp(offset) => {
                        reads.saved_by_bp = true;
                        bp.wrapping_add_signed(offset as i64)
                    }
                };
                caller_bp = if reads.saved == 0 {
                    bp
                } else {
                    match self.word(reads.saved, sp) {
                        Some(saved) => saved,
                        None => {
                            let read = State { sp: cfa, word: 0, bp };
                            reads.saved = 0;
                            return Step::EndBy(StackEnd::OutOfStack, reads, read);
                        }
                    }
                };
                trust = if rule.is_from_code() { CODE } else { TABLE };
            }
            Next::Outermost => return Step::End(StackEnd::Complete),
            Next::Signal => return self.interrupted(sp),
            Next::Unknown => {
                let beyond = bp.wrapping_sub(sp);
                if beyond >= LARGEST_GUESSED_FRAME || bp & 7 != 0 || !self.is_stack(sp, bp) {
                    return Step::End(StackEnd::NoTable);
                }
                (reads.base_by_bp, reads.saved_by_bp) = (true, true);
                (cfa, reads.saved) = (bp.wrapping_add(16), bp);
                caller_bp = match self.word(bp, sp) {
                    Some(saved) => saved,
                    None => return Step::End(StackEnd::NoTable),
                };
                trust = FRAME_POINTER;
            }
        }
        if cfa <= sp {
            let read = State { sp: cfa, word: 0, bp: caller_bp };
            return Step::EndBy(StackEnd::OutOfStack, reads, read);
        }
        let slot = cfa.wrapping_sub(8);
        match self.word(slot, sp) {
            Some(caller) => {
                reads.address = slot;
                let next = State { sp: cfa, word: frame_word(caller, trust), bp: caller_bp };
                if caller < 4096 || caller >> ADDRESS_BITS != 0 {
                    let read = State { word: caller, ..next };
                    return Step::EndBy(StackEnd::NoTable, reads, read);
                }
                Step::To(next, reads)
            }
            None => {
                let read = State { sp: cfa, word: 0, bp: caller_bp };
                Step::EndBy(StackEnd::OutOfStack, reads, read)
            }
        }
    }

    /// From a signal frame to what it interrupted.
    fn interrupted(&mut self, sp: u64) -> Step {
        let slots = [SIGNAL_RSP, SIGNAL_RIP, SIGNAL_RBP].map(|at| sp.wrapping_add(at));
        let [Some(rsp), Some(rip), Some(rbp)] = slots.map(|slot| self.word(slot, sp)) else {
            return Step::End(StackEnd::OutOfStack);
        };
        let [base, address, saved] = slots;
        let reads = Reads { base, address, saved, base_by_bp: false, saved_by_bp: false };
        if rip >> ADDRESS_BITS != 0 {
            return Step::EndBy(StackEnd::NoTable, reads, State { sp: rsp, word: rip, bp: rbp });
        }
        self.bound = StackEndAddress::of(rsp);
        self.crossed = true;
        Step::To(State { sp: rsp, word: frame_word(rip, CONTEXT), bp: rbp }, reads)
    }

    /// Whether a guess may be read at `bp`: a frame that somebody allocated is stack memory, while a
    /// guess may lie behind the end of a coroutine's stack, where nothing is mapped.
    fn is_stack(&self, sp: u64, bp: u64) -> bool {
        const PAGE_BITS: u32 = 12;
        // Nothing is ever mapped so close below the first thread's stack.
        const FIRST_STACK: u64 = 64 << 20;
        let last = bp.wrapping_add(15);
        let first_end = FIRST_STACK_END.load(Relaxed);
        sp >> PAGE_BITS == last >> PAGE_BITS
            || sp < first_end && last < first_end && first_end - sp < FIRST_STACK
            || self.known.has(sp) && self.known.has(last)
    }

    /// A word of the stack, if it lies between the stack pointer and the stack's end.
    #[inline(always)]
    fn word(&self, at: u64, sp: u64) -> Option<u64> {
        if at < sp.wrapping_sub(8) || at >= self.bound.0 || at & 7 != 0 {
            return None;
        }
        // SAFETY: memory of this thread's own stack, above the frame that is running.
        Some(unsafe { *pointer::<u64>(at) })
    }

    #[cold]
    #[inline(never)]
    fn learn(&mut self, key: Key, call: u64, place: Place) -> Rule {
        let Some(object) = find_object(call) else {
            return Rule::UNKNOWN;
        };
        let rule = table::rule_at(&object, place);
        // What could not be told now must be looked up, and told, again.
        if (self.seen)(&object) {
            cache::put(key, rule);
        }
        rule
    }
}
