//! Rules for functions without an unwind table, read from their code: musl is built without tables.
//!
//! Whatever a function still has to do, it leaves the stack pointer at its return address. So the code
//! is followed from where the function stands to its `ret`, adding up what moves the stack pointer and
//! noting from where rbp is restored. Every way out must give the same answer, or there is none.
//! Nothing is guessed from what lies on the stack.

use super::instruction::{Instruction, decode};
use super::reader::Reader;
use super::rule::{Base, Rule, Saved};
use super::table::Place;

/// Code of one module that is mapped and readable.
#[derive(Clone, Copy)]
pub struct Code {
    /// Its first address.
    pub start: u64,
    /// The first address after it.
    pub end: u64,
    /// Functions that never return, and end the program or thread with what they are given.
    pub ends: [u64; 2],
}

impl Code {
    fn reader(&self, at: u64) -> Option<Reader> {
        // SAFETY: mapped and readable, and stays so: its code is on our stack.
        (self.start..self.end).contains(&at).then(|| unsafe { Reader::new(at, self.end) })
    }

    fn starts_with(&self, at: u64, bytes: &[u8]) -> bool {
        let Some(mut reader) = self.reader(at) else { return false };
        bytes.iter().all(|byte| reader.u8() == Some(*byte))
    }
}

/// Most instructions that are looked at, and most places at which the code was branched to.
const INSTRUCTIONS: usize = 2000;
const PLACES: usize = 48;

/// So many ways out that agree are enough.
const WAYS: usize = 4;

/// `mov $15, %rax; syscall` (`rt_sigreturn`), as musl and others write it: signal handlers return here.
const SIGNAL_RETURNS: [&[u8]; 2] =
    [&[0x48, 0xc7, 0xc0, 15, 0, 0, 0, 0x0f, 5], &[0xb8, 15, 0, 0, 0, 0x0f, 5]];

/// An address on the stack, by what the registers were at the beginning.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Spot {
    Rsp(i32),
    Rbp(i32),
}

impl Spot {
    fn plus(self, bytes: i32) -> Option<Spot> {
        Some(match self {
            Spot::Rsp(offset) => Spot::Rsp(offset.checked_add(bytes)?),
            Spot::Rbp(offset) => Spot::Rbp(offset.checked_add(bytes)?),
        })
    }
}

/// The registers at some place, by what they were at the beginning.
#[derive(Clone, Copy, PartialEq, Eq)]
struct State {
    rsp: Spot,
    /// Where the caller's rbp was restored from, if it was.
    rbp: Option<Spot>,
    /// Where rbp was pushed last, on the way: by a function that was jumped to.
    pushed: Option<Spot>,
    /// Whether rbp holds something of this function's own.
    lost: bool,
    /// Where the code goes on after what may be the filling between two functions: a call just
    /// before it may never return. Between two parts of one function it aligns the head of a loop,
    /// and something jumps back to there.
    doubt: Option<u64>,
}

/// How one way through the code ends.
enum Way {
    /// At a `ret`.
    Out(Rule),
    /// With the end of the program or thread, to which nothing led but straight on.
    Ends,
    /// Somewhere from where nothing is learnt.
    Nowhere,
    /// One place is reached in two states: the code was misread.
    Contradiction,
}

/// The rule at a place.
pub(super) fn rule_at(code: &Code, place: Place) -> Rule {
    let start = match place {
        Place::Instruction(address) => address,
        Place::Return(address) => {
            if SIGNAL_RETURNS.iter().any(|bytes| code.starts_with(address, bytes)) {
                return Rule::SIGNAL;
            }
            if !follows_call(code, address) {
                return Rule::UNKNOWN;
            }
            address
        }
    };
    let after_call = matches!(place, Place::Return(_));
    let begin = State { rsp: Spot::Rsp(0), rbp: None, pushed: None, lost: false, doubt: None };
    let mut search = Search { code, places: [(0, begin); PLACES], count: 1, left: INSTRUCTIONS };
    search.places[0] = (start, begin);
    let mut agreed: Option<Rule> = None;
    let (mut ways, mut next) = (0, 0);
    while next < search.count && ways < WAYS {
        match search.follow(next, after_call) {
            // The ABI wants the stack aligned at calls; where it were not, a call that never
            // returns was read past, into another function.
            Way::Out(rule) if after_call && !rule.is_aligned() => return Rule::UNKNOWN,
            Way::Out(rule) if agreed.is_some_and(|other| other != rule) => return Rule::UNKNOWN,
            Way::Out(rule) => {
                agreed = Some(rule);
                ways += 1;
            }
            Way::Ends => return Rule::OUTERMOST,
            Way::Nowhere => {}
            Way::Contradiction => return Rule::UNKNOWN,
        }
        next += 1;
    }
    agreed.unwrap_or(Rule::UNKNOWN)
}

/// The code being followed.
struct Search<'a> {
    code: &'a Code,
    /// Where branches lead, and in which state.
    places: [(u64, State); PLACES],
    count: usize,
    left: usize,
}

impl Search<'_> {
    fn follow(&mut self, place: usize, after_call: bool) -> Way {
        let (at, state) = self.places[place];
        self.run(at, state, place == 0 && after_call).unwrap_or(Way::Nowhere)
    }

    /// `None` is nowhere.
    fn run(&mut self, at: u64, mut state: State, mut straight: bool) -> Option<Way> {
        let mut reader = self.code.reader(at)?;
        let mut called = straight;
        loop {
            self.left = self.left.checked_sub(1)?;
            let instruction = decode(&mut reader)?;
            match instruction {
                Instruction::Plain => {}
                Instruction::Nop => {
                    if called {
                        state.doubt = Some(reader.at);
                        continue;
                    }
                }
                Instruction::Move(bytes) => state.rsp = state.rsp.plus(bytes)?,
                Instruction::FromRbp(offset) => state.rsp = from_rbp(&state, offset)?,
                Instruction::Leave => {
                    state.rsp = from_rbp(&state, 0)?;
                    pop_rbp(&mut state)?;
                }
                Instruction::PushRbp => {
                    state.rsp = state.rsp.plus(-8)?;
                    state.pushed = (!state.lost).then_some(state.rsp);
                }
                Instruction::PopRbp => pop_rbp(&mut state)?,
                Instruction::LoadRbp(offset) => {
                    state.rbp = Some(state.rsp.plus(offset)?);
                    state.lost = false;
                }
                Instruction::SetRbp => state.lost = true,
                Instruction::Call(to) if self.code.ends.contains(&to) => {
                    return straight.then_some(Way::Ends);
                }
                Instruction::Call(_) | Instruction::CallElsewhere => straight = false,
                Instruction::Branch(to) => {
                    straight = false;
                    state.settle(to);
                    if !self.note(to, state) {
                        return Some(Way::Contradiction);
                    }
                }
                Instruction::Jump(to) => {
                    state.settle(to);
                    return (!self.note(to, state)).then_some(Way::Contradiction);
                }
                Instruction::TailCall | Instruction::Return => return state.rule().map(Way::Out),
                Instruction::Stop => return None,
            }
            called = matches!(instruction, Instruction::Call(_) | Instruction::CallElsewhere);
        }
    }

    /// Remembers where a branch leads; whether it agrees with what leads there already.
    fn note(&mut self, to: u64, state: State) -> bool {
        let (known, free) = self.places.split_at_mut(self.count);
        if let Some((_, other)) = known.iter().find(|(at, _)| *at == to) {
            return other.rsp == state.rsp;
        }
        if let Some(place) = free.first_mut() {
            *place = (to, state);
            self.count += 1;
        }
        true
    }
}

/// rbp plus this, while rbp is still what it was at the beginning.
fn from_rbp(state: &State, offset: i32) -> Option<Spot> {
    (!state.lost && state.rbp.is_none()).then_some(Spot::Rbp(offset))
}

fn pop_rbp(state: &mut State) -> Option<()> {
    // What was pushed on the way is only given back.
    if state.pushed != Some(state.rsp) && !matches!(state.rsp, Spot::Rsp(..0)) {
        state.rbp = Some(state.rsp);
    }
    state.lost = false;
    state.rsp = state.rsp.plus(8)?;
    Some(())
}

impl State {
    /// Code goes to this address from further on.
    fn settle(&mut self, to: u64) {
        self.doubt = self.doubt.filter(|doubt| *doubt != to);
    }

    /// The rule, at a `ret` in this state.
    fn rule(&self) -> Option<Rule> {
        if self.lost || self.doubt.is_some() {
            return None;
        }
        let rule = match (self.rsp.plus(8)?, self.rbp) {
            // The return address lies no deeper than the stack pointer.
            (Spot::Rsp(..8), _) => return None,
            (Spot::Rsp(cfa), None) => Rule::frame(Base::Rsp(cfa), Saved::Unchanged),
            (Spot::Rsp(cfa), Some(Spot::Rsp(at))) => {
                Rule::frame(Base::Rsp(cfa), Saved::AtCfa(at.checked_sub(cfa)?))
            }
            (Spot::Rbp(cfa), None) => Rule::frame(Base::Rbp(cfa), Saved::Unchanged),
            (Spot::Rbp(cfa), Some(Spot::Rbp(at))) => {
                Rule::frame(Base::Rbp(cfa), Saved::AtCfa(at.checked_sub(cfa)?))
            }
            _ => return None,
        };
        (rule != Rule::UNKNOWN).then_some(rule.read_from_code())
    }
}

/// Whether the instruction before this address is a call. Where it is not, nothing was called from
/// there: whoever made a stack for a coroutine put the address there.
fn follows_call(code: &Code, address: u64) -> bool {
    let byte = |back: u64| code.reader(address.wrapping_sub(back)).and_then(|mut at| at.u8());
    // A call through a register or memory: 0xff, then which, in so many bytes.
    let indirect = |length: u64| {
        byte(length) == Some(0xff)
            && byte(length - 1).is_some_and(|which| {
                let scaled = (which & 7 == 4 && which < 0xc0) as u64;
                let offset = match which >> 6 {
                    0 if which & 7 == 5 => 4,
                    1 => 1,
                    2 => 4,
                    _ => 0,
                };
                which >> 3 & 7 == 2 && 2 + scaled + offset == length
            })
    };
    byte(5) == Some(0xe8) || [2, 3, 4, 6, 7].into_iter().any(indirect)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    extern crate std;

    use core::ffi::{c_int, c_void};
    use std::println;
    use std::vec::Vec;

    use super::*;
    use crate::listing::{Listed, dl_iterate_phdr};
    use crate::unwind::find::find_object;
    use crate::unwind::rule::Next;
    use crate::unwind::table;

    unsafe extern "C" {
        fn qsort();
    }

    /// The executable part of the module that holds an address.
    fn code_around(address: u64) -> Code {
        struct Search {
            address: u64,
            found: Option<Code>,
        }
        unsafe extern "C" fn look(listed: *const Listed, _: usize, search: *mut c_void) -> c_int {
            // SAFETY: the loader's, and ours.
            unsafe {
                let search = &mut *search.cast::<Search>();
                for n in 0..(*listed).header_count as usize {
                    let header = &*(*listed).headers.add(n);
                    let start = (*listed).load_bias.wrapping_add(header.address);
                    let end = start.wrapping_add(header.memory_bytes);
                    if header.kind == 1 && (start..end).contains(&search.address) {
                        search.found = Some(Code { start, end, ends: [0; 2] });
                    }
                }
            }
            0
        }
        let mut search = Search { address, found: None };
        // SAFETY: the callback fits what it is given.
        unsafe { dl_iterate_phdr(look, (&raw mut search).cast()) };
        search.found.unwrap()
    }

    /// Where the functions begin that the module's table knows, in order.
    fn functions(header: u64, end: u64) -> Vec<u64> {
        // SAFETY: the table of a module that is loaded, in the one layout that linkers write.
        let mut reader = unsafe { Reader::new(header + 8, end) };
        let count = reader.u32().unwrap();
        let mut pair = || {
            let start = header.wrapping_add_signed(reader.i32().unwrap() as i64);
            reader.i32().unwrap();
            start
        };
        (0..count).map(|_| pair()).collect()
    }

    /// glibc has tables, so its code can be read with the answers at hand.
    #[test]
    fn code_says_what_the_table_says() {
        let inside = qsort as *const () as u64;
        let object = find_object(inside).unwrap();
        let code = code_around(inside);
        let starts = functions(object.eh_frame_header, object.end);
        let (mut same, mut other, mut none, mut asked) = (0, 0, 0, 0);
        for pair in starts.windows(2).filter(|pair| (code.start..code.end).contains(&pair[0])) {
            let Some(mut reader) = code.reader(pair[0]) else { continue };
            while reader.at < pair[1] {
                let Some(instruction) = decode(&mut reader) else { break };
                let called =
                    matches!(instruction, Instruction::Call(_) | Instruction::CallElsewhere);
                if !called || reader.at >= pair[1] {
                    continue;
                }
                let place = Place::Return(reader.at);
                let Next::Frame { base, saved } = table::rule_at(&object, place).next() else {
                    continue;
                };
                asked += 1;
                match rule_at(&code, place).next() {
                    Next::Frame { base: b, saved: s } if (b, s) == (base, saved) => same += 1,
                    Next::Frame { .. } => other += 1,
                    _ => none += 1,
                }
            }
        }
        println!("{asked} asked, {same} same, {other} other, {none} none");
        // What is misread comes after calls that never return (`__assert_fail`).
        assert!(asked > 5000 && same * 10 >= asked * 7 && other * 500 <= same);
    }
}
