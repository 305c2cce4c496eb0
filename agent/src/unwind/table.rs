//! From a return address to its frame description: `.eh_frame_hdr`'s sorted table, then the FDE
//! and its CIE in `.eh_frame` (Linux Standard Base, chapter 10.6).

use super::code;
use super::find::{Object, find_code};
use super::program::{self, Description};
use super::reader::{OMITTED, Reader};
use super::rule::Rule;

/// The only table layout that linkers write: pairs of signed 32-bit offsets from the header.
const TABLE_ENCODING: u8 = 0x3b;

/// Where a rule is asked for.
#[derive(Clone, Copy)]
pub(super) enum Place {
    /// At the call before this return address.
    Return(u64),
    /// At this very instruction.
    Instruction(u64),
}

/// The rule at a place within `object`.
///
/// A return address at which another function begins is no return address: whoever made a stack
/// for a coroutine put it there, to be jumped to at the end, and nothing lies beyond. (A call
/// that never returns can be a function's last instruction too; its stack is then cut, and says
/// so.)
pub(super) fn rule_at(object: &Object, place: Place) -> Rule {
    let (address, returns_to) = match place {
        Place::Return(address) => (address.wrapping_sub(1), Some(address)),
        Place::Instruction(address) => (address, None),
    };
    look_up(object, address, returns_to).unwrap_or_else(|| match find_code(address) {
        Some(code) => code::rule_at(&code, place),
        None => Rule::UNKNOWN,
    })
}

fn look_up(object: &Object, address: u64, returns_to: Option<u64>) -> Option<Rule> {
    let header = object.eh_frame_header;
    if header < object.start || header >= object.end {
        return None;
    }
    // SAFETY: the loader maps a module's segments, this one among them, for as long as it is
    // loaded; it is, for its code is on our stack. Gaps between segments are not reached by a
    // well-formed table.
    let mut reader = unsafe { Reader::new(header, object.end) };
    let version = reader.u8()?;
    let frame_encoding = reader.u8()?;
    let count_encoding = reader.u8()?;
    let table_encoding = reader.u8()?;
    if version != 1 || table_encoding != TABLE_ENCODING {
        return None;
    }
    reader.encoded(frame_encoding, header)?;
    let count = reader.encoded(count_encoding, header)?;
    let table = reader.take(count.checked_mul(8)?)?.at;
    let entry = |n: u64| -> Option<(u64, u64)> {
        // SAFETY: within the table, whose length was checked.
        let mut pair = unsafe { Reader::new(table + n * 8, table + n * 8 + 8) };
        let location = header.wrapping_add(pair.i32()? as u64);
        Some((location, header.wrapping_add(pair.i32()? as u64)))
    };
    let (mut low, mut high) = (0, count);
    while low < high {
        let middle = low + (high - low) / 2;
        if entry(middle)?.0 <= address { low = middle + 1 } else { high = middle }
    }
    if low < count && Some(entry(low)?.0) == returns_to {
        return Some(Rule::UNKNOWN);
    }
    let (_, description) = entry(low.checked_sub(1)?)?;
    if description < object.start || description >= object.end {
        return None;
    }
    describe(object, description, address)
}

fn describe(object: &Object, fde: u64, address: u64) -> Option<Rule> {
    // SAFETY: as above.
    let mut reader = unsafe { Reader::new(fde, object.end) };
    let length = reader.u32()?;
    if length == 0 || length == u32::MAX {
        return None;
    }
    let mut reader = reader.take(length as u64)?;
    let here = reader.at;
    let back = reader.u32()?;
    let cie_at = here.checked_sub(back as u64)?;
    if back == 0 || cie_at < object.start {
        return None;
    }
    let cie = Cie::read(object, cie_at)?;
    let start = reader.encoded(cie.pointer_encoding, 0)?;
    let size = reader.unbased(cie.pointer_encoding)?;
    if address < start || address - start >= size {
        return None;
    }
    if cie.has_augmentation {
        let bytes = reader.uleb()?;
        reader.skip(bytes)?;
    }
    if cie.signal {
        return Some(Rule::SIGNAL);
    }
    program::run(&Description {
        initial: cie.program,
        program: reader,
        code_alignment: cie.code_alignment,
        data_alignment: cie.data_alignment,
        pointer_encoding: cie.pointer_encoding,
        start,
        address,
    })
}

struct Cie {
    code_alignment: u64,
    data_alignment: i64,
    pointer_encoding: u8,
    has_augmentation: bool,
    signal: bool,
    program: Reader,
}

impl Cie {
    fn read(object: &Object, at: u64) -> Option<Cie> {
        // SAFETY: as above.
        let mut reader = unsafe { Reader::new(at, object.end) };
        let length = reader.u32()?;
        if length == u32::MAX {
            return None;
        }
        let mut reader = reader.take(length as u64)?;
        let is_cie = reader.u32()? == 0;
        let version = reader.u8()?;
        if !is_cie || (version != 1 && version != 3) {
            return None;
        }
        let mut augmentation = [0u8; 8];
        let mut letters = 0;
        loop {
            let letter = reader.u8()?;
            if letter == 0 {
                break;
            }
            *augmentation.get_mut(letters)? = letter;
            letters += 1;
        }
        let code_alignment = reader.uleb()?;
        let data_alignment = reader.sleb()?;
        let return_register = if version == 1 { reader.u8()? as u64 } else { reader.uleb()? };
        if return_register != program::RETURN_ADDRESS {
            return None;
        }
        let mut cie = Cie {
            code_alignment,
            data_alignment,
            pointer_encoding: 0,
            has_augmentation: augmentation[0] == b'z',
            signal: false,
            program: reader,
        };
        if cie.has_augmentation {
            let bytes = reader.uleb()?;
            let mut data = reader.take(bytes)?;
            reader.skip(bytes)?;
            for letter in &augmentation[1..letters] {
                match letter {
                    b'R' => cie.pointer_encoding = data.u8()?,
                    b'P' => {
                        let encoding = data.u8()?;
                        if encoding != OMITTED {
                            data.unbased(encoding)?;
                        }
                    }
                    b'L' => drop(data.u8()?),
                    b'S' => cie.signal = true,
                    _ => {}
                }
            }
        } else if letters != 0 {
            return None;
        }
        cie.program = reader;
        Some(cie)
    }
}
