//! How long an x86-64 instruction is, and what it does to the stack pointer and rbp. Nothing else of
//! it is understood; one that is not known, or may move the stack pointer in a way that cannot be
//! followed, is no instruction.

use super::reader::Reader;

/// An instruction, as far as unwinding is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Instruction {
    /// Does nothing that matters here.
    Plain,
    /// Does nothing at all.
    Nop,
    /// Adds to rsp.
    Move(i32),
    /// Sets rsp to rbp plus this.
    FromRbp(i32),
    /// Pushes rbp.
    PushRbp,
    /// Pops rbp.
    PopRbp,
    /// Loads rbp from the stack pointer plus this.
    LoadRbp(i32),
    /// Gives rbp some other value.
    SetRbp,
    /// `leave`.
    Leave,
    /// Calls this address.
    Call(u64),
    /// Calls some other address.
    CallElsewhere,
    /// Goes on at this address.
    Jump(u64),
    /// Goes on at this address, or does not.
    Branch(u64),
    /// Jumps to a function of another module, as the last thing of its own.
    TailCall,
    /// `ret`.
    Return,
    /// Nothing comes after it.
    Stop,
}

use Instruction::*;

const RSP: u8 = 4;
const RBP: u8 = 5;

/// What follows the opcode.
#[derive(Clone, Copy)]
struct Operand {
    /// The register field, with its extension.
    register: u8,
    /// The other field's register, with its extension, if it is one.
    direct: Option<u8>,
    /// Whether it is memory, and at which base register plus what.
    based: Option<(u8, i32)>,
    /// Whether it is memory at a fixed distance from the instruction.
    fixed: bool,
}

#[derive(Default)]
struct Prefixes {
    /// The operand is 16 bits wide.
    short: bool,
    rex: u8,
}

impl Prefixes {
    fn wide(&self) -> bool {
        self.rex & 8 != 0
    }

    fn whole_immediate(&self) -> u64 {
        if self.short { 2 } else { 4 }
    }
}

/// The instruction at which `code` stands; `code` stands at the next one afterwards.
pub(super) fn decode(code: &mut Reader) -> Option<Instruction> {
    let mut prefixes = Prefixes::default();
    let mut opcode = code.u8()?;
    loop {
        match opcode {
            0x66 => prefixes.short = true,
            0x26 | 0x2e | 0x36 | 0x3e | 0x64 | 0x65 | 0xf0 | 0xf2 | 0xf3 => {}
            _ => break,
        }
        opcode = code.u8()?;
    }
    if opcode & 0xf0 == 0x40 {
        prefixes.rex = opcode;
        opcode = code.u8()?;
    }
    match opcode {
        0x0f => two_bytes(code, &prefixes),
        0xc4 | 0xc5 => vector(code, opcode == 0xc4),
        _ => one_byte(code, &prefixes, opcode),
    }
}

fn one_byte(code: &mut Reader, prefixes: &Prefixes, opcode: u8) -> Option<Instruction> {
    let whole = prefixes.whole_immediate();
    let extended = prefixes.rex & 1 != 0;
    Some(match opcode {
        0x00..=0x3f => {
            let compares = opcode >= 0x38;
            match opcode & 7 {
                0 | 2 => operand(code, prefixes).map(|_| Plain)?,
                1 | 3 => {
                    let operand = operand(code, prefixes)?;
                    let to = if opcode & 7 == 1 { operand.direct } else { Some(operand.register) };
                    return written(if compares { None } else { to });
                }
                4 => skip(code, 1)?,
                5 => skip(code, whole)?,
                _ => return None,
            }
        }
        0x55 if !extended => PushRbp,
        0x50..=0x57 => Move(-8),
        0x58..=0x5f if opcode == 0x5d && !extended => PopRbp,
        0x5c if !extended => return None,
        0x58..=0x5f => Move(8),
        0x63 => return written(Some(operand(code, prefixes)?.register)),
        0x68 => skip(code, whole).map(|_| Move(-8))?,
        0x6a => skip(code, 1).map(|_| Move(-8))?,
        0x69 | 0x6b => {
            let to = operand(code, prefixes)?.register;
            skip(code, if opcode == 0x6b { 1 } else { whole })?;
            return written(Some(to));
        }
        0x70..=0x7f | 0xe0..=0xe3 => Branch(relative(code, 1)?),
        0x81 | 0x83 => {
            let operand = operand(code, prefixes)?;
            let value = if opcode == 0x83 { signed(code, 1)? } else { signed(code, whole)? };
            match (operand.direct, operand.register & 7) {
                (Some(RSP), 0) if prefixes.wide() => Move(value),
                (Some(RSP), 5) if prefixes.wide() => Move(value.checked_neg()?),
                (_, 7) => Plain,
                (to, _) => return written(to),
            }
        }
        0x80 | 0xc0 | 0xc6 => {
            operand(code, prefixes)?;
            skip(code, 1)?
        }
        0x84..=0x86 | 0x88 | 0x8a | 0x8c | 0xd0 | 0xd2 | 0xd8..=0xdf | 0xfe => {
            operand(code, prefixes).map(|_| Plain)?
        }
        0x87 => {
            let operand = operand(code, prefixes)?;
            written(operand.direct)?;
            return written(Some(operand.register));
        }
        0x89 => {
            let operand = operand(code, prefixes)?;
            match (operand.direct, operand.register) {
                (Some(RSP), RBP) if prefixes.wide() => FromRbp(0),
                (to, _) => return written(to),
            }
        }
        0x8b => {
            let operand = operand(code, prefixes)?;
            match (operand.register, operand.direct, operand.based) {
                (RSP, Some(RBP), _) if prefixes.wide() => FromRbp(0),
                (RBP, _, Some((RSP, offset))) if prefixes.wide() => LoadRbp(offset),
                (to, ..) => return written(Some(to)),
            }
        }
        0x8d => {
            let operand = operand(code, prefixes)?;
            match (operand.register, operand.based) {
                (RSP, Some((RSP, offset))) if prefixes.wide() => Move(offset),
                (RSP, Some((RBP, offset))) if prefixes.wide() => FromRbp(offset),
                (to, _) => return written(Some(to)),
            }
        }
        0x8f => match operand(code, prefixes)?.direct {
            None => Move(8),
            Some(_) => return None,
        },
        0x90 if !extended => Nop,
        0x90..=0x97 => {
            let register = (opcode & 7) | (prefixes.rex & 1) << 3;
            return written(Some(register));
        }
        0x9c => Move(-8),
        0x9d => Move(8),
        0x98 | 0x99 | 0x9b | 0x9e | 0x9f | 0xa4..=0xa7 | 0xaa..=0xaf => Plain,
        0xa8 | 0xb0..=0xb7 | 0xcd => skip(code, 1)?,
        0xa9 => skip(code, whole)?,
        0xb8..=0xbf => {
            skip(code, if prefixes.wide() { 8 } else { whole })?;
            return written(Some((opcode & 7) | (prefixes.rex & 1) << 3));
        }
        0xc1 => {
            let to = operand(code, prefixes)?.direct;
            skip(code, 1)?;
            return written(to);
        }
        0xc7 => {
            let to = operand(code, prefixes)?.direct;
            skip(code, whole)?;
            return written(to);
        }
        0xc2 | 0xc3 => Return,
        0xc9 => Leave,
        0xcc | 0xf4 => Stop,
        0xd1 | 0xd3 => return written(operand(code, prefixes)?.direct),
        0xe8 => Call(relative(code, 4)?),
        0xe9 => Jump(relative(code, 4)?),
        0xeb => Jump(relative(code, 1)?),
        0xf5 | 0xf8..=0xfd => Plain,
        0xf6 | 0xf7 => {
            let operand = operand(code, prefixes)?;
            if operand.register & 7 < 2 {
                return skip(code, if opcode == 0xf6 { 1 } else { whole });
            }
            let changes = opcode == 0xf7 && operand.register & 7 < 4;
            return written(if changes { operand.direct } else { None });
        }
        0xff => {
            let operand = operand(code, prefixes)?;
            match operand.register & 7 {
                0 | 1 => return written(operand.direct),
                2 => CallElsewhere,
                4 if operand.fixed => TailCall,
                4 => Stop,
                6 => Move(-8),
                _ => return None,
            }
        }
        _ => return None,
    })
}

fn two_bytes(code: &mut Reader, prefixes: &Prefixes) -> Option<Instruction> {
    let opcode = code.u8()?;
    Some(match opcode {
        0x05 | 0x31 | 0x77 | 0xa2 | 0xc8..=0xcf => Plain,
        0x0b => Stop,
        0x1f => operand(code, prefixes).map(|_| Nop)?,
        0x00
        | 0x01
        | 0x0d
        | 0x10..=0x1e
        | 0x28..=0x2f
        | 0x50..=0x6f
        | 0x74..=0x76
        | 0x78..=0x7f => operand(code, prefixes).map(|_| Plain)?,
        0x38 => {
            code.u8()?;
            operand(code, prefixes).map(|_| Plain)?
        }
        0x3a => {
            code.u8()?;
            operand(code, prefixes)?;
            skip(code, 1)?
        }
        0x40..=0x4f | 0xaf | 0xb6..=0xb8 | 0xbc..=0xbf => {
            return written(Some(operand(code, prefixes)?.register));
        }
        0x70..=0x73 | 0xa4 | 0xac | 0xba | 0xc2 | 0xc4..=0xc6 => {
            operand(code, prefixes)?;
            skip(code, 1)?
        }
        0x80..=0x8f => Branch(relative(code, 4)?),
        0x90..=0x9f
        | 0xa3
        | 0xa5
        | 0xab
        | 0xad
        | 0xae
        | 0xb0..=0xb3
        | 0xbb
        | 0xc0
        | 0xc1
        | 0xc3
        | 0xc7
        | 0xd0..=0xfe => operand(code, prefixes).map(|_| Plain)?,
        _ => return None,
    })
}

/// An instruction with the prefix of vector instructions. They do not touch the stack pointer.
fn vector(code: &mut Reader, long: bool) -> Option<Instruction> {
    let first = code.u8()?;
    let map = if long { first & 0x1f } else { 1 };
    if long {
        code.u8()?;
    }
    let opcode = code.u8()?;
    if map == 1 && opcode == 0x77 {
        return Some(Plain);
    }
    operand(code, &Prefixes::default())?;
    match (map, opcode) {
        (1, 0x70..=0x73 | 0xc2 | 0xc4..=0xc6) | (3, _) => skip(code, 1),
        (1 | 2, _) => Some(Plain),
        _ => None,
    }
}

/// An instruction that writes this register: not the stack pointer.
fn written(to: Option<u8>) -> Option<Instruction> {
    match to {
        Some(RSP) => None,
        Some(RBP) => Some(SetRbp),
        _ => Some(Plain),
    }
}

fn operand(code: &mut Reader, prefixes: &Prefixes) -> Option<Operand> {
    let byte = code.u8()?;
    let (kind, low) = (byte >> 6, byte & 7);
    let register = byte >> 3 & 7 | (prefixes.rex & 4) << 1;
    let extension = (prefixes.rex & 1) << 3;
    if kind == 3 {
        let direct = Some(low | extension);
        return Some(Operand { register, direct, based: None, fixed: false });
    }
    let fixed = kind == 0 && low == 5;
    let (mut base, mut indexed) = (low | extension, false);
    let mut has_base = !fixed;
    if low == 4 {
        let scale = code.u8()?;
        base = scale & 7 | extension;
        indexed = scale >> 3 & 7 != 4 || prefixes.rex & 2 != 0;
        has_base = !(kind == 0 && scale & 7 == 5);
    }
    let offset = match kind {
        0 if has_base => 0,
        1 => signed(code, 1)?,
        _ => signed(code, 4)?,
    };
    let based = (has_base && !indexed).then_some((base, offset));
    Some(Operand { register, direct: None, based, fixed })
}

fn skip(code: &mut Reader, bytes: u64) -> Option<Instruction> {
    code.skip(bytes)?;
    Some(Plain)
}

fn signed(code: &mut Reader, bytes: u64) -> Option<i32> {
    Some(match bytes {
        1 => code.u8()? as i8 as i32,
        2 => {
            let low = code.u8()?;
            i16::from_le_bytes([low, code.u8()?]) as i32
        }
        _ => code.i32()?,
    })
}

fn relative(code: &mut Reader, bytes: u64) -> Option<u64> {
    let distance = signed(code, bytes)?;
    Some(code.at.wrapping_add_signed(distance as i64))
}
