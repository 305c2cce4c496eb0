//! The stack of the thread that raised an exception: the instruction itself, then on x86 the chain of saved frame
//! pointers. A minidump has neither code nor unwind tables, so there is no more that could be told for certain: words
//! on the stack that look like return addresses may be left from calls long over, and are not shown as frames.

use minidump::{MinidumpContext, MinidumpRawContext};

/// The most frames.
const DEEPEST: usize = 256;

/// What was found, innermost first.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Walked {
    /// The instruction that raised it.
    pub instruction: u64,
    /// Return addresses by the chain of frame pointers. A function compiled without one is left out with no trace,
    /// so they need not be all there are.
    pub returns: Vec<u64>,
}

/// Walks a stack, of which the address and the bytes are given. `is_code` says whether an address lies in a module.
pub(super) fn walk(
    context: &MinidumpContext,
    stack: Option<(u64, &[u8])>,
    is_code: impl Fn(u64) -> bool,
) -> Walked {
    let instruction = context.get_instruction_pointer();
    let (MinidumpRawContext::X86(registers), Some((base, bytes))) = (&context.raw, stack) else {
        return Walked { instruction, returns: Vec::new() };
    };
    let word = |at: u32| -> Option<u32> {
        let offset = usize::try_from(u64::from(at).checked_sub(base)?).ok()?;
        let bytes = bytes.get(offset..offset.checked_add(4)?)?;
        Some(u32::from_le_bytes(bytes.try_into().ok()?))
    };
    let mut returns = Vec::new();
    let (mut frame, mut least) = (registers.ebp, registers.esp);
    // The register may hold anything in a function that has no frame pointer: it is one only if it lies on the stack
    // further out than all before, and code is behind it.
    while returns.len() < DEEPEST && frame >= least && frame.is_multiple_of(4) {
        let (Some(caller), Some(address)) = (word(frame), frame.checked_add(4).and_then(word))
        else {
            break;
        };
        if !is_code(address.into()) {
            break;
        }
        returns.push(address.into());
        least = frame.saturating_add(8);
        frame = caller;
    }
    Walked { instruction, returns }
}
