//! Walking a stack from an allocator function's caller outwards.

use unfreed_wire::{StackEnd, frame_word};

use super::cache::{self, Key};
use super::find::{Object, find_object};
use super::memory::{StackEndAddress, pointer};
use super::rule::{Base, Next, Rule, Saved};
use super::table::{self, Place};

/// Most frames that are recorded.
pub const MAX_DEPTH: usize = 256;

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

/// A stack as frame words, innermost first.
pub struct Stack {
    words: [u64; MAX_DEPTH],
    /// How many there are.
    pub depth: usize,
    /// Why there are no more.
    pub end: StackEnd,
    /// Names the stack: equal for equal frames of the same generation.
    pub hash: u64,
}

impl Stack {
    /// The frames.
    pub fn frames(&self) -> &[u64] {
        &self.words[..self.depth]
    }
}

/// Walks the stack of the function entered with `registers`. `seen` is told of every module whose
/// rules had to be looked up, and says whether it need not be told again.
#[inline(always)]
pub fn walk(
    registers: Registers,
    limit: usize,
    generation: u64,
    stack: &mut core::mem::MaybeUninit<Stack>,
    seen: impl FnMut(&Object) -> bool,
) {
    let stack = stack.as_mut_ptr();
    let mut walker = Walker {
        // SAFETY: `words` is an array of plain words; only its first `depth` are read, which are
        // the ones written.
        words: unsafe { (&raw mut (*stack).words).cast() },
        depth: 0,
        limit: limit.min(MAX_DEPTH),
        hash: generation.wrapping_mul(MULTIPLIER) ^ SEED,
        generation,
        bound: StackEndAddress::of(registers.sp),
        seen,
    };
    let end = walker.run(registers);
    let hash = (walker.hash ^ end as u64).wrapping_mul(MULTIPLIER);
    // SAFETY: inside the caller's memory.
    unsafe {
        (*stack).depth = walker.depth;
        (*stack).end = end;
        (*stack).hash = (hash ^ hash >> 29).max(1);
    }
}

const SEED: u64 = 0x243f_6a88_85a3_08d3;
const MULTIPLIER: u64 = 0x9e37_79b9_7f4a_7c15;

struct Walker<F> {
    words: *mut u64,
    depth: usize,
    limit: usize,
    hash: u64,
    generation: u64,
    bound: StackEndAddress,
    seen: F,
}

impl<F: FnMut(&Object) -> bool> Walker<F> {
    #[inline(always)]
    fn run(&mut self, registers: Registers) -> StackEnd {
        let (mut sp, mut bp) = (registers.sp + 8, registers.bp);
        let mut address = return_address(registers);
        let mut trust = TABLE;
        loop {
            if self.depth == self.limit {
                return StackEnd::Depth;
            }
            // SAFETY: depth is below MAX_DEPTH.
            unsafe { *self.words.add(self.depth) = frame_word(address, trust) };
            self.depth += 1;
            self.hash = (self.hash ^ address).wrapping_mul(MULTIPLIER).rotate_left(31);

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
            let cfa;
            match rule.next() {
                Next::Frame { base, saved } => {
                    cfa = match base {
                        Base::Rsp(offset) => sp.wrapping_add_signed(offset as i64),
                        Base::Rbp(offset) => bp.wrapping_add_signed(offset as i64),
                        Base::AtRbp(offset) => {
                            let slot = bp.wrapping_add_signed(offset as i64);
                            match self.word(slot, sp) {
                                Some(cfa) => cfa,
                                None => return StackEnd::OutOfStack,
                            }
                        }
                    };
                    let slot = match saved {
                        Saved::Unchanged => 0,
                        Saved::AtCfa(offset) => cfa.wrapping_add_signed(offset as i64),
                        Saved::AtRbp(offset) => bp.wrapping_add_signed(offset as i64),
                    };
                    if slot != 0 {
                        match self.word(slot, sp) {
                            Some(saved) => bp = saved,
                            None => return StackEnd::OutOfStack,
                        }
                    }
                    trust = if rule.is_from_code() { CODE } else { TABLE };
                }
                Next::Outermost => return StackEnd::Complete,
                Next::Signal => {
                    let read = |at: u64| self.word(sp.wrapping_add(at), sp);
                    let (Some(rip), Some(rsp), Some(rbp)) =
                        (read(SIGNAL_RIP), read(SIGNAL_RSP), read(SIGNAL_RBP))
                    else {
                        return StackEnd::OutOfStack;
                    };
                    (address, sp, bp) = (rip, rsp, rbp);
                    trust = CONTEXT;
                    self.bound = StackEndAddress::of(sp);
                    continue;
                }
                Next::Unknown => {
                    let beyond = bp.wrapping_sub(sp);
                    if beyond >= LARGEST_GUESSED_FRAME || bp & 7 != 0 {
                        return StackEnd::NoTable;
                    }
                    cfa = bp.wrapping_add(16);
                    match self.word(bp, sp) {
                        Some(saved) => bp = saved,
                        None => return StackEnd::NoTable,
                    }
                    trust = FRAME_POINTER;
                }
            }
            if cfa <= sp {
                return StackEnd::OutOfStack;
            }
            match self.word(cfa.wrapping_sub(8), sp) {
                Some(caller) => address = caller,
                None => return StackEnd::OutOfStack,
            }
            if address < 4096 {
                return StackEnd::NoTable;
            }
            sp = cfa;
        }
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
