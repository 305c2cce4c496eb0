//! The unwind information of a PE for x64 (`.pdata` and the `UNWIND_INFO` it leads to) as the rows that `.eh_frame` gives.
//! What a prolog has done up to an instruction says where the caller's frame is. Epilogs are not described before version
//! 2, and not looked for: a return address lies in none. Layout: Microsoft's "x64 exception handling".

use object::LittleEndian as LE;
use object::pe::{IMAGE_DIRECTORY_ENTRY_EXCEPTION, IMAGE_FILE_MACHINE_AMD64};
use object::read::pe::SectionTable;

use crate::pe::headers;
use crate::unwind::{ROWS_MOST, Range};
use crate::{CallerFrame, FrameBase, SavedBase, SymbolError};

/// Functions taken of one module, at most.
const FUNCTIONS_MOST: usize = 1 << 20;
/// Parts of functions that lead to each other, at most: Windows has the same bound.
const CHAIN_MOST: usize = 32;

const RBP: u8 = 5;
const CHAINED: u8 = 4;

/// An entry of `.pdata`:
///
/// ```text
/// begin, end, unwind information (4 bytes each: offsets from the image's base)
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Function {
    pub(crate) begin: u32,
    pub(crate) end: u32,
    unwind: u32,
}

/// The functions of a PE that can be unwound, in order.
///
/// # Errors
/// [`SymbolError::NotPe`] or [`SymbolError::DamagedPe`]; one for another processor has none.
pub(crate) fn functions(data: &[u8]) -> Result<Vec<Function>, SymbolError> {
    let headers = headers(data)?;
    let bytes = || {
        if headers.machine != IMAGE_FILE_MACHINE_AMD64 {
            return None;
        }
        let directory = headers.directories.get(IMAGE_DIRECTORY_ENTRY_EXCEPTION)?;
        let from = directory.virtual_address.get(LE);
        let size = directory.size.get(LE) as usize;
        Image { data, sections: headers.sections }.at(from)?.get(..size)
    };
    let entries = bytes().unwrap_or_default().as_chunks::<12>().0.iter();
    let mut functions: Vec<Function> = entries
        .take(FUNCTIONS_MOST)
        .map(Function::parse)
        .filter(|function| function.begin < function.end)
        .collect();
    functions.sort_unstable();
    Ok(functions)
}

/// What of each range of code is known.
///
/// # Errors
/// As [`functions`].
pub(crate) fn ranges(data: &[u8]) -> Result<Vec<Range>, SymbolError> {
    let image = Image { data, sections: headers(data)?.sections };
    let mut ranges = Vec::new();
    for function in functions(data)? {
        if ranges.len() >= ROWS_MOST {
            break;
        }
        let (begin, end) = (u64::from(function.begin), u64::from(function.end));
        let Some(steps) = steps(image, function) else {
            ranges.push((begin, end, CallerFrame::Unknown));
            continue;
        };
        rules(steps, begin, end, &mut ranges);
    }
    Ok(ranges)
}

/// What holds between the steps of a prolog, and behind them.
fn rules(steps: Vec<Step>, begin: u64, end: u64, into: &mut Vec<Range>) {
    let mut state = State { fixed: 8, ..State::default() };
    let mut from = begin;
    for step in steps {
        let at = (begin + u64::from(step.at)).min(end);
        if at > from {
            into.push((from, at, state.caller()));
            from = at;
        }
        state.take(step.what);
    }
    if from < end {
        into.push((from, end, state.caller()));
    }
}

impl Function {
    fn parse(bytes: &[u8; 12]) -> Function {
        let word = |at: usize| {
            u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
        };
        Function { begin: word(0), end: word(4), unwind: word(8) }
    }
}

#[derive(Clone, Copy)]
struct Image<'data> {
    data: &'data [u8],
    sections: SectionTable<'data>,
}

impl<'data> Image<'data> {
    /// What lies at an offset from the image's base, to the end of its section.
    fn at(self, rva: u32) -> Option<&'data [u8]> {
        self.sections.pe_data_at(self.data, rva)
    }
}

/// What one instruction of a prolog does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    /// It pushes a register.
    Push(u8),
    /// It makes room, in bytes.
    Allocate(u32),
    /// It sets a register so far above the stack pointer.
    SetFrame(u8, u32),
    /// It keeps a register so far above where the frame's fixed part ends.
    Save(u8, u32),
    /// The frame is one that the processor made, below so many bytes of its own.
    Machine(u32),
    /// From here on the steps of the next part, of which these are known to be done.
    NextPart,
    /// What is not known.
    Other,
}

#[derive(Clone, Copy, Debug)]
struct Step {
    /// Behind the instruction, from the function's beginning.
    at: u8,
    what: What,
}

/// All that a function's prolog does, first to last. Of a part of a function that leads to another one, that one's
/// prolog is done before. `None` where it is damaged.
fn steps(image: Image<'_>, function: Function) -> Option<Vec<Step>> {
    let mut parts = Vec::new();
    let mut next = Some(function);
    while let Some(function) = next.take() {
        if parts.len() == CHAIN_MOST {
            return None;
        }
        let (steps, before) = part(image, function)?;
        parts.push(steps);
        next = before;
    }
    let own = parts.remove(0);
    let before = parts.into_iter().rev().flat_map(|steps| {
        let end = Step { at: 0, what: What::NextPart };
        steps.into_iter().map(|step| Step { at: 0, ..step }).chain([end])
    });
    Some(before.chain(own).collect())
}

fn part(image: Image<'_>, function: Function) -> Option<(Vec<Step>, Option<Function>)> {
    // An odd address leads to another entry of `.pdata`.
    let unwind = if function.unwind & 1 == 1 {
        Function::parse(image.at(function.unwind & !1)?.first_chunk()?).unwind
    } else {
        function.unwind
    };
    parse(image.at(unwind)?)
}

/// ```text
/// version (3 bits), flags (5 bits); length of the prolog; number of codes; frame register (4 bits), its offset / 16 (4 bits)
/// codes, 2 bytes each, last instruction first: offset behind the instruction; operation (4 bits), operand (4 bits)
/// padding to 4 bytes; if chained: the entry of the part before
/// ```
fn parse(bytes: &[u8]) -> Option<(Vec<Step>, Option<Function>)> {
    let [head, _, count, frame, ..] = *bytes else { return None };
    if !matches!(head & 7, 1 | 2) {
        return None;
    }
    let count = usize::from(count);
    let codes = bytes.get(4..4 + 2 * count)?.as_chunks::<2>().0;
    let mut steps = Vec::new();
    let mut index = 0;
    while let Some([at, code]) = codes.get(index) {
        let operand = code >> 4;
        let half = |of: usize| Some(u32::from(u16::from_le_bytes(*codes.get(index + of)?)));
        let whole = || Some(half(1)? | half(2)? << 16);
        let (what, slots) = match (code & 15, operand) {
            (0, register) => (What::Push(register), 1),
            (1, 0) => (What::Allocate(half(1)? * 8), 2),
            (1, _) => (What::Allocate(whole()?), 3),
            (2, eights) => (What::Allocate(u32::from(eights) * 8 + 8), 1),
            (3, _) => (What::SetFrame(frame & 15, u32::from(frame >> 4) * 16), 1),
            (4, register) => (What::Save(register, half(1)? * 8), 2),
            (5, register) => (What::Save(register, whole()?), 3),
            // An epilog, and registers that are no concern.
            (6, _) if head & 7 == 2 => {
                index += 1;
                continue;
            }
            (8, _) => (What::Save(u8::MAX, 0), 2),
            (9, _) => (What::Save(u8::MAX, 0), 3),
            (10, error) => (What::Machine(u32::from(error & 1) * 8), 1),
            _ => (What::Other, 1),
        };
        steps.push(Step { at: *at, what });
        index += slots;
    }
    steps.reverse();
    let before = match head >> 3 & CHAINED {
        0 => None,
        _ => {
            let at = 4 + 2 * count.next_multiple_of(2);
            Some(Function::parse(bytes.get(at..)?.first_chunk()?))
        }
    };
    Some((steps, before))
}

/// What a prolog has done so far.
#[derive(Clone, Copy, Debug, Default)]
struct State {
    /// From the stack pointer to the caller's frame, without what the body allocates.
    fixed: u32,
    /// From rbp to the caller's frame, where rbp is the frame's register; and what was fixed as it was set.
    frame: Option<(i64, u32)>,
    /// Where the caller's rbp is kept, from the caller's frame.
    saved: Option<Saved>,
    /// Whether the caller's frame is one that the processor made.
    machine: bool,
    unknown: bool,
}

#[derive(Clone, Copy, Debug)]
enum Saved {
    /// So far from the caller's frame.
    At(i64),
    /// So far above the end of the fixed part, which is still being made.
    Above(u32),
}

impl State {
    fn take(&mut self, what: What) {
        match what {
            What::Push(register) => {
                self.fixed = self.fixed.saturating_add(8);
                if register == RBP {
                    self.saved = Some(Saved::At(-i64::from(self.fixed)));
                }
            }
            What::Allocate(bytes) => self.fixed = self.fixed.saturating_add(bytes),
            What::SetFrame(RBP, above) => {
                self.frame = Some((i64::from(self.fixed) - i64::from(above), self.fixed));
            }
            What::Save(RBP, above) => self.saved = Some(Saved::Above(above)),
            What::Save(..) => {}
            What::NextPart => self.saved = self.saved.map(|saved| Saved::At(self.place(saved))),
            What::Machine(below) => (self.fixed, self.machine) = (below, true),
            What::SetFrame(..) | What::Other => self.unknown = true,
        }
    }

    fn place(&self, saved: Saved) -> i64 {
        match saved {
            Saved::At(place) => place,
            Saved::Above(above) => {
                let fixed = self.frame.map_or(self.fixed, |(_, fixed)| fixed);
                i64::from(above) - i64::from(fixed)
            }
        }
    }

    fn caller(&self) -> CallerFrame {
        let (base, offset) = match self.frame {
            Some((offset, _)) => (FrameBase::Rbp, offset),
            None => (FrameBase::Rsp, self.fixed.into()),
        };
        let place = self.saved.map(|saved| self.place(saved));
        let (saved, saved_offset) = match place {
            Some(place) => (SavedBase::AtFrame, place),
            None => (SavedBase::Unchanged, 0),
        };
        let narrow = |offset: i64| i32::try_from(offset).ok();
        if self.machine && !self.unknown && self.frame.is_none() {
            return narrow(offset).map_or(CallerFrame::Unknown, |offset| CallerFrame::Machine {
                offset,
                saved_offset: place.and_then(narrow),
            });
        }
        match (narrow(offset), narrow(saved_offset)) {
            (Some(offset), Some(saved_offset)) if !self.unknown && !self.machine => {
                CallerFrame::At { base, offset, saved, saved_offset }
            }
            _ => CallerFrame::Unknown,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn at(base: FrameBase, offset: i32, saved: Option<i32>) -> CallerFrame {
        let (saved, saved_offset) =
            saved.map_or((SavedBase::Unchanged, 0), |offset| (SavedBase::AtFrame, offset));
        CallerFrame::At { base, offset, saved, saved_offset }
    }

    #[track_caller]
    fn check(bytes: &[u8], expected: &[(u64, u64, CallerFrame)]) {
        let mut ranges = Vec::new();
        rules(parse(bytes).unwrap().0, 0x1000, 0x1080, &mut ranges);
        assert_eq!(ranges, expected);
    }

    #[test]
    fn a_prolog_is_known_step_by_step() {
        // push rbp; push rbx; sub rsp,0x28
        let info = [1, 6, 3, 0, 6, 0x42, 2, 0x30, 1, 0x50, 0, 0];
        check(
            &info,
            &[
                (0x1000, 0x1001, at(FrameBase::Rsp, 8, None)),
                (0x1001, 0x1002, at(FrameBase::Rsp, 16, Some(-16))),
                (0x1002, 0x1006, at(FrameBase::Rsp, 24, Some(-16))),
                (0x1006, 0x1080, at(FrameBase::Rsp, 64, Some(-16))),
            ],
        );
    }

    #[test]
    fn a_frame_register_is_followed_if_it_is_rbp() {
        // push rbp; sub rsp,0x1000 (a slot of two); lea rbp,[rsp+0x80]
        let info = [1, 16, 4, 0x85, 16, 3, 8, 1, 0, 2, 1, 0x50];
        let set = at(FrameBase::Rbp, 0x1000 + 16 - 0x80, Some(-16));
        let mut ranges = Vec::new();
        rules(parse(&info).unwrap().0, 0x1000, 0x1080, &mut ranges);
        assert_eq!(ranges[2], (0x1008, 0x1010, at(FrameBase::Rsp, 0x1010, Some(-16))));
        assert_eq!(ranges[3], (0x1010, 0x1080, set));
        // The same by rbx.
        let info = [1, 16, 4, 0x83, 16, 3, 8, 1, 0, 2, 1, 0x50];
        rules(parse(&info).unwrap().0, 0x1000, 0x1080, &mut ranges);
        assert_eq!(ranges[7], (0x1010, 0x1080, CallerFrame::Unknown));
    }

    #[test]
    fn a_register_may_be_kept_without_a_push() {
        // sub rsp,0x48; mov [rsp+0x40],rbp; movaps [rsp+0x20],xmm6
        let info = [1, 14, 5, 0, 14, 0x68, 2, 0, 9, 0x54, 8, 0, 4, 0x82, 0, 0];
        let mut ranges = Vec::new();
        rules(parse(&info).unwrap().0, 0x1000, 0x1080, &mut ranges);
        assert_eq!(ranges.last().unwrap().2, at(FrameBase::Rsp, 0x50, Some(0x40 - 0x50)));
    }

    #[test]
    fn a_frame_of_the_processor_s_own_is_told_apart() {
        // pushframe, with an error code; sub rsp,0x28
        let info = [1, 4, 2, 0, 4, 0x42, 0, 0x1a];
        let machine = |offset| CallerFrame::Machine { offset, saved_offset: None };
        check(&info, &[(0x1000, 0x1004, machine(8)), (0x1004, 0x1080, machine(48))]);
    }

    #[test]
    fn a_part_of_a_function_names_the_part_before() {
        let mut info = vec![1 | 4 << 3, 0, 0, 0];
        info.extend([0x1000u32, 0x1080, 0x2000].map(u32::to_le_bytes).concat());
        let (steps, before) = parse(&info).unwrap();
        assert_eq!(steps.len(), 0);
        assert_eq!(before, Some(Function { begin: 0x1000, end: 0x1080, unwind: 0x2000 }));
    }

    #[test]
    fn what_is_cut_or_of_another_version_gives_nothing() {
        assert!(parse(&[1, 6, 3]).is_none());
        assert!(parse(&[1, 6, 3, 0, 6, 0x42]).is_none());
        assert!(parse(&[7, 0, 0, 0]).is_none());
        // An allocation without its size, and a part before that is not there.
        assert!(parse(&[1, 6, 1, 0, 6, 0x01]).is_none());
        assert!(parse(&[1 | 4 << 3, 0, 0, 0, 1, 2]).is_none());
    }
}
