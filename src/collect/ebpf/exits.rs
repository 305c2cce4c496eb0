//! The ways out of a function that may throw. A probe on a return works by an address of the kernel's in the place of the
//! return address; no unwinder gets past that, so an exception ends the program (seen with jemalloc, tcmalloc, mimalloc,
//! and libstdc++ linked statically). So such a function gets probes of the plain kind, one on each instruction by which
//! it returns. These are not emulated and cost some 14 us each.

use std::collections::BTreeSet;

use iced_x86::{Code, Decoder, DecoderOptions, FlowControl, Instruction};
use unfreed_symbols::Flow;

/// Instructions followed at most, over everything that the function jumps to.
const INSTRUCTIONS_MOST: usize = 20_000;

/// The instructions by which the function at this address returns, by their places in the file; what it jumps to belongs
/// to it. A jump through a register is not followed: what leaves there is seen to begin and not to end, and
/// counted as that. None where nothing was found, or the code is not what it seems.
pub(super) fn exits(flow: &Flow<'_>, address: u64) -> Option<Vec<u64>> {
    let mut open = vec![address];
    let mut seen = BTreeSet::new();
    let mut found = BTreeSet::new();
    let mut count = 0;
    while let Some(from) = open.pop() {
        if !seen.insert(from) {
            continue;
        }
        let mut decoder = Decoder::with_ip(64, flow.code(from)?, from, DecoderOptions::NONE);
        let mut ended = false;
        while !ended && decoder.can_decode() {
            let instruction = decoder.decode();
            count += 1;
            if instruction.is_invalid() || count > INSTRUCTIONS_MOST {
                return None;
            }
            match instruction.flow_control() {
                FlowControl::ConditionalBranch => open.push(instruction.near_branch_target()),
                FlowControl::UnconditionalBranch => {
                    open.push(instruction.near_branch_target());
                    ended = true;
                }
                FlowControl::IndirectBranch => {
                    open.extend(through_slot(flow, &instruction));
                    ended = true;
                }
                FlowControl::Return => {
                    // One that takes arguments off the stack is no C function's.
                    if instruction.code() != Code::Retnq {
                        return None;
                    }
                    found.insert(flow.offset(instruction.ip())?);
                    ended = true;
                }
                FlowControl::Exception | FlowControl::Interrupt => ended = true,
                FlowControl::Call | FlowControl::IndirectCall => {
                    // At the end of the code: one that does not come back.
                    ended = !decoder.can_decode();
                }
                FlowControl::Next | FlowControl::XbeginXabortXend => {}
            }
            // The rest was followed from there.
            ended = ended || (decoder.can_decode() && !seen.insert(instruction.next_ip()));
        }
        // Who runs past the end of a function's code is not understood.
        if !ended {
            return None;
        }
    }
    (!found.is_empty()).then(|| found.into_iter().collect())
}

/// The function that this one calls first, before it could have returned: that is where an `operator new` that has no
/// memory of its own gets it.
pub(super) fn first_call(flow: &Flow<'_>, address: u64) -> Option<u64> {
    let mut decoder = Decoder::with_ip(64, flow.code(address)?, address, DecoderOptions::NONE);
    while decoder.can_decode() {
        let instruction = decoder.decode();
        match instruction.flow_control() {
            FlowControl::Call | FlowControl::UnconditionalBranch => {
                return Some(through_table(flow, instruction.near_branch_target()));
            }
            FlowControl::IndirectCall | FlowControl::IndirectBranch => {
                return through_slot(flow, &instruction);
            }
            FlowControl::Next | FlowControl::ConditionalBranch => {}
            _ => return None,
        }
    }
    None
}

/// Where a call of this address ends, if a stub of the linkage table is there.
fn through_table(flow: &Flow<'_>, address: u64) -> u64 {
    let stub = || {
        let mut decoder = Decoder::with_ip(64, flow.code(address)?, address, DecoderOptions::NONE);
        let mut instruction = decoder.decode();
        if instruction.code() == Code::Endbr64 {
            instruction = decoder.decode();
        }
        through_slot(flow, &instruction)
    };
    stub().unwrap_or(address)
}

/// Where a jump or a call through a word of memory leads that the loader fills.
fn through_slot(flow: &Flow<'_>, instruction: &Instruction) -> Option<u64> {
    let word =
        instruction.is_ip_rel_memory_operand().then(|| instruction.ip_rel_memory_address())?;
    flow.slot(word)
}
