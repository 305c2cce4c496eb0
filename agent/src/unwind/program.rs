//! Running a call frame program up to one address (DWARF 5, chapter 6.4), keeping only what a
//! walk needs: the CFA, rbp and whether there is a return address at all.

use super::reader::Reader;
use super::rule::{Base, Rule, Saved};

const RBP: u64 = 6;
const RSP: u64 = 7;
/// The column of the return address on x86-64.
pub(super) const RETURN_ADDRESS: u64 = 16;

/// How deep `remember_state` may nest.
const REMEMBERED: usize = 8;

/// A program and what it is run with.
pub(super) struct Description {
    pub(super) initial: Reader,
    pub(super) program: Reader,
    pub(super) code_alignment: u64,
    pub(super) data_alignment: i64,
    pub(super) pointer_encoding: u8,
    pub(super) start: u64,
    pub(super) address: u64,
}

#[derive(Clone, Copy, PartialEq)]
enum Cfa {
    Unset,
    Register { register: u64, offset: i64 },
    AtRbp(i64),
    Unsupported,
}

#[derive(Clone, Copy, PartialEq)]
enum Value {
    Unchanged,
    AtCfa(i64),
    AtRbp(i64),
    Undefined,
    Unsupported,
}

#[derive(Clone, Copy)]
struct Row {
    cfa: Cfa,
    rbp: Value,
    return_address: Value,
}

impl Row {
    fn set(&mut self, register: u64, value: Value) {
        match register {
            RBP => self.rbp = value,
            RETURN_ADDRESS => self.return_address = value,
            _ => {}
        }
    }

    fn rule(&self) -> Option<Rule> {
        match self.return_address {
            Value::Undefined => return Some(Rule::OUTERMOST),
            Value::AtCfa(-8) => {}
            _ => return None,
        }
        let narrow = |offset: i64| i32::try_from(offset).ok();
        let base = match self.cfa {
            Cfa::Register { register: RSP, offset } => Base::Rsp(narrow(offset)?),
            Cfa::Register { register: RBP, offset } => Base::Rbp(narrow(offset)?),
            Cfa::AtRbp(offset) => Base::AtRbp(narrow(offset)?),
            _ => return None,
        };
        let saved = match self.rbp {
            // An undefined rbp is not needed by callers that follow the ABI: leave it.
            Value::Unchanged | Value::Undefined => Saved::Unchanged,
            Value::AtCfa(offset) => Saved::AtCfa(narrow(offset)?),
            Value::AtRbp(offset) => Saved::AtRbp(narrow(offset)?),
            Value::Unsupported => return None,
        };
        Some(Rule::frame(base, saved))
    }
}

/// The rule at the description's address; `None` where the program needs what we do not keep.
pub(super) fn run(description: &Description) -> Option<Rule> {
    let mut machine = Machine {
        row: Row { cfa: Cfa::Unset, rbp: Value::Unchanged, return_address: Value::Undefined },
        initial: None,
        remembered: [None; REMEMBERED],
        depth: 0,
        location: description.start,
        description,
    };
    machine.run(description.initial)?;
    machine.initial = Some(machine.row);
    machine.location = description.start;
    machine.run(description.program)?;
    machine.row.rule()
}

struct Machine<'a> {
    row: Row,
    initial: Option<Row>,
    remembered: [Option<Row>; REMEMBERED],
    depth: usize,
    location: u64,
    description: &'a Description,
}

impl Machine<'_> {
    /// Runs until the location passes the address or the program ends.
    fn run(&mut self, mut code: Reader) -> Option<()> {
        while !code.is_empty() {
            let instruction = code.u8()?;
            let low = (instruction & 0x3f) as u64;
            let advance = match instruction >> 6 {
                1 => Some(low),
                2 => {
                    let offset = code.uleb()? as i64;
                    self.row.set(low, self.at_cfa(offset));
                    None
                }
                3 => {
                    self.restore(low);
                    None
                }
                _ => self.other(instruction, &mut code)?,
            };
            if let Some(delta) = advance {
                self.location =
                    self.location.wrapping_add(delta.wrapping_mul(self.description.code_alignment));
            }
            if self.location > self.description.address {
                return Some(());
            }
        }
        Some(())
    }

    fn at_cfa(&self, factored: i64) -> Value {
        Value::AtCfa(factored.wrapping_mul(self.description.data_alignment))
    }

    fn restore(&mut self, register: u64) {
        if let Some(initial) = self.initial {
            match register {
                RBP => self.row.rbp = initial.rbp,
                RETURN_ADDRESS => self.row.return_address = initial.return_address,
                _ => {}
            }
        }
    }

    /// The instructions whose high bits are 0. Gives what to advance by, if anything.
    fn other(&mut self, instruction: u8, code: &mut Reader) -> Option<Option<u64>> {
        match instruction {
            0x00 => {}
            0x01 => {
                self.location = code.encoded(self.description.pointer_encoding, 0)?;
            }
            0x02 => return Some(Some(code.u8()? as u64)),
            0x03 => return Some(Some(code.u16()? as u64)),
            0x04 => return Some(Some(code.u32()? as u64)),
            // offset_extended, offset_extended_sf
            0x05 => {
                let register = code.uleb()?;
                let offset = code.uleb()? as i64;
                self.row.set(register, self.at_cfa(offset));
            }
            0x11 => {
                let register = code.uleb()?;
                let offset = code.sleb()?;
                self.row.set(register, self.at_cfa(offset));
            }
            0x06 => {
                let register = code.uleb()?;
                self.restore(register);
            }
            0x07 => self.row.set(code.uleb()?, Value::Undefined),
            0x08 => self.row.set(code.uleb()?, Value::Unchanged),
            // register: the value is in another register, which we do not keep
            0x09 => {
                let register = code.uleb()?;
                let other = code.uleb()?;
                let value = if other == register { Value::Unchanged } else { Value::Unsupported };
                self.row.set(register, value);
            }
            0x0a => {
                *self.remembered.get_mut(self.depth)? = Some(self.row);
                self.depth += 1;
            }
            0x0b => {
                self.depth = self.depth.checked_sub(1)?;
                self.row = self.remembered[self.depth]?;
            }
            // def_cfa, def_cfa_register, def_cfa_offset and their signed forms
            0x0c => {
                let register = code.uleb()?;
                self.row.cfa = Cfa::Register { register, offset: code.uleb()? as i64 };
            }
            0x12 => {
                let register = code.uleb()?;
                let offset = code.sleb()?.wrapping_mul(self.description.data_alignment);
                self.row.cfa = Cfa::Register { register, offset };
            }
            0x0d => {
                let register = code.uleb()?;
                if let Cfa::Register { offset, .. } = self.row.cfa {
                    self.row.cfa = Cfa::Register { register, offset };
                }
            }
            0x0e => self.set_cfa_offset(code.uleb()? as i64),
            0x13 => {
                let offset = code.sleb()?;
                self.set_cfa_offset(offset.wrapping_mul(self.description.data_alignment));
            }
            0x0f => {
                let length = code.uleb()?;
                let expression = code.take(length)?;
                code.skip(length)?;
                self.row.cfa = cfa_expression(expression).unwrap_or(Cfa::Unsupported);
            }
            // expression: the register is saved at the address the expression computes
            0x10 => {
                let register = code.uleb()?;
                let length = code.uleb()?;
                let expression = code.take(length)?;
                code.skip(length)?;
                let value = rbp_plus(expression).map_or(Value::Unsupported, Value::AtRbp);
                self.row.set(register, value);
            }
            // val_offset, val_offset_sf, val_expression
            0x14 | 0x15 => {
                let register = code.uleb()?;
                code.uleb()?;
                self.row.set(register, Value::Unsupported);
            }
            0x16 => {
                let register = code.uleb()?;
                let length = code.uleb()?;
                code.skip(length)?;
                self.row.set(register, Value::Unsupported);
            }
            // GNU_args_size
            0x2e => drop(code.uleb()?),
            _ => return None,
        }
        Some(None)
    }

    fn set_cfa_offset(&mut self, offset: i64) {
        if let Cfa::Register { register, .. } = self.row.cfa {
            self.row.cfa = Cfa::Register { register, offset };
        }
    }
}

const BREG_RBP: u8 = 0x70 + RBP as u8;
const DEREF: u8 = 0x06;

/// `breg6 n; deref`: gcc's frames that realign the stack keep the caller's in a slot below rbp.
fn cfa_expression(mut code: Reader) -> Option<Cfa> {
    if code.u8()? != BREG_RBP {
        return None;
    }
    let offset = code.sleb()?;
    (code.u8()? == DEREF && code.is_empty()).then_some(Cfa::AtRbp(offset))
}

/// `breg6 n`.
fn rbp_plus(mut code: Reader) -> Option<i64> {
    if code.u8()? != BREG_RBP {
        return None;
    }
    let offset = code.sleb()?;
    code.is_empty().then_some(offset)
}
