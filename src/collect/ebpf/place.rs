//! Where in a function a probe sits. The kernel emulates few instructions; any other is executed aside, one step under
//! trap, which costs some 30 times as much. So the probe goes to the first instruction that is emulated, as long as
//! up to there the arguments are still in their registers and the stack is as it was at the call.

use iced_x86::{
    Code, Decoder, DecoderOptions, FlowControl, Instruction, InstructionInfoFactory, Mnemonic,
    OpAccess, Register,
};

/// Where a probe sits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// Bytes from the function's first.
    pub(super) offset: u64,
    /// Whether the kernel emulates the instruction there.
    pub(super) cheap: bool,
}

/// What a function's beginning is to a probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Beginning {
    /// A probe can sit here.
    At(Place),
    /// The function does nothing but jump to another: that one is to be looked at.
    JumpsTo(u64),
}

/// Registers that hold arguments, by either system's convention, or lead to them.
const KEPT: [Register; 8] = [
    Register::RDI,
    Register::RSI,
    Register::RDX,
    Register::RSP,
    Register::RBP,
    Register::RCX,
    Register::R8,
    Register::R9,
];

/// Looks at a function's first instructions. `releases`: a NULL may be jumped over unseen.
pub(super) fn beginning(code: &[u8], address: u64, releases: bool) -> Beginning {
    let mut decoder = Decoder::with_ip(64, code, address, DecoderOptions::NONE);
    let mut factory = InstructionInfoFactory::new();
    let mut tested_null = false;
    let first = Beginning::At(Place { offset: 0, cheap: false });
    let mut only_jumps = true;
    while decoder.can_decode() {
        let instruction = decoder.decode();
        if instruction.is_invalid() {
            return first;
        }
        let offset = instruction.ip().wrapping_sub(address);
        if only_jumps && let Some(target) = jump_target(&instruction) {
            return Beginning::JumpsTo(target);
        }
        only_jumps &= matches!(instruction.mnemonic(), Mnemonic::Endbr64 | Mnemonic::Nop);
        if is_null_jump(&instruction) && tested_null && releases {
            tested_null = false;
            continue;
        }
        if is_emulated(&instruction) {
            return Beginning::At(Place { offset, cheap: true });
        }
        if !leaves_arguments(&instruction, &mut factory) {
            return first;
        }
        tested_null = matches!(instruction.code(), Code::Test_rm64_r64)
            && instruction.op0_register() == Register::RDI
            && instruction.op1_register() == Register::RDI;
    }
    first
}

fn jump_target(instruction: &Instruction) -> Option<u64> {
    (instruction.flow_control() == FlowControl::UnconditionalBranch
        && instruction.is_jmp_short_or_near())
    .then(|| instruction.near_branch_target())
}

fn is_null_jump(instruction: &Instruction) -> bool {
    matches!(instruction.code(), Code::Je_rel8_64 | Code::Je_rel32_64)
}

/// What `arch/x86/kernel/uprobes.c` emulates since long ago: pushes of a register, one-byte nops, and relative jumps and
/// calls. (Not the long nop that 6.18 turns into a call: that enters the kernel by a system call, which a filter may
/// forbid.)
fn is_emulated(instruction: &Instruction) -> bool {
    match instruction.code() {
        Code::Push_r64 | Code::Nopd => instruction.len() <= 2,
        Code::Jmp_rel8_64 | Code::Jmp_rel32_64 | Code::Call_rel32_64 => true,
        code => code.is_jcc_short_or_near(),
    }
}

/// Whether it can be passed: it goes on to the next, and changes neither arguments nor stack.
fn leaves_arguments(instruction: &Instruction, factory: &mut InstructionInfoFactory) -> bool {
    if instruction.flow_control() != FlowControl::Next {
        return false;
    }
    if is_empty(instruction) {
        return true;
    }
    let info = factory.info(instruction);
    let writes = |access| {
        matches!(
            access,
            OpAccess::Write | OpAccess::CondWrite | OpAccess::ReadWrite | OpAccess::ReadCondWrite
        )
    };
    let spoils = |used: &iced_x86::UsedRegister| {
        writes(used.access()) && KEPT.contains(&used.register().full_register())
    };
    !info.used_registers().iter().any(spoils)
        && !info.used_memory().iter().any(|used| writes(used.access()))
}

/// `lea rsp,[rsp+0]`: the beginning of functions of Windows that can be patched.
fn is_empty(instruction: &Instruction) -> bool {
    instruction.code() == Code::Lea_r64_m
        && instruction.op0_register() == instruction.memory_base()
        && instruction.memory_index() == Register::None
        && instruction.memory_displacement64() == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(offset: u64, cheap: bool) -> Beginning {
        Beginning::At(Place { offset, cheap })
    }

    #[track_caller]
    fn check(code: &[u8], releases: bool, expected: Beginning) {
        assert_eq!(beginning(code, 0x1000, releases), expected, "{code:02x?}");
    }

    #[test]
    fn a_push_is_taken_where_it_stands() {
        check(&[0x55, 0x48, 0x89, 0xe5], false, at(0, true));
        check(&[0x41, 0x54, 0x55], false, at(0, true));
        // endbr64; push
        check(&[0xf3, 0x0f, 0x1e, 0xfa, 0x53], false, at(4, true));
    }

    #[test]
    fn a_release_is_probed_behind_its_test_for_null() {
        // Debian 12's free: test rdi,rdi; je; push r13
        let free = [0x48, 0x85, 0xff, 0x0f, 0x84, 0x9f, 0, 0, 0, 0x41, 0x55];
        check(&free, true, at(9, true));
        // Who allocates must not be jumped over.
        check(&free, false, at(3, true));
    }

    #[test]
    fn arguments_that_are_spoilt_keep_the_probe_at_the_entry() {
        // mov rdi,rsi; push
        check(&[0x48, 0x89, 0xf7, 0x55], false, at(0, false));
        // sub rsp,8; push
        check(&[0x48, 0x83, 0xec, 0x08, 0x55], false, at(0, false));
        // xor eax,eax; push: rax is nobody's
        check(&[0x31, 0xc0, 0x55], false, at(2, true));
        // mov r9,rcx; push
        check(&[0x49, 0x89, 0xc9, 0x55], false, at(0, false));
        check(&[0xff, 0xff], false, at(0, false));
        check(&[], false, at(0, false));
    }

    #[test]
    fn what_can_be_patched_is_passed() {
        // lea rsp,[rsp+0]; push r15
        let start = [0x48, 0x8d, 0xa4, 0x24, 0, 0, 0, 0, 0x41, 0x57];
        check(&start, false, at(8, true));
        // lea rsp,[rsp-8]
        let moved = [0x48, 0x8d, 0x64, 0x24, 0xf8, 0x41, 0x57];
        check(&moved, false, at(0, false));
    }

    #[test]
    fn a_function_that_only_jumps_is_told_apart() {
        check(&[0xf3, 0x0f, 0x1e, 0xfa, 0xeb, 0x10], true, Beginning::JumpsTo(0x1016));
        // A five-byte nop is passed, not probed.
        check(&[0x0f, 0x1f, 0x44, 0, 0, 0x55], true, at(5, true));
    }
}
