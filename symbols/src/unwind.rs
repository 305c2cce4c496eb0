//! A module's `.eh_frame`, or a PE's `.pdata`, as a table: for each range of addresses one rule that says where the caller's frame is. Only
//! what a walk of return addresses needs is kept: the frame and rbp. What needs more is a row without a rule.

use gimli::{
    BaseAddresses, CfaRule, CieOrFde, EhFrame, EndianSlice, LittleEndian, Operation, Register,
    RegisterRule, UnwindContext, UnwindExpression, UnwindSection, UnwindTableRow,
};
use object::{Object, ObjectSection};

use crate::pe::is_pe;
use crate::{SymbolError, pdata};

const RBP: Register = Register(6);
const RSP: Register = Register(7);
const RETURN_ADDRESS: Register = Register(16);

/// Rows taken of one module, at most: those of LibreOffice's and LLVM's libraries fit.
pub(crate) const ROWS_MOST: usize = 3 << 20;

type Slice<'data> = EndianSlice<'data, LittleEndian>;

/// A module's rows, in order of address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UnwindRows(pub Vec<UnwindRow>);

/// From this address up to the next row's, one rule holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnwindRow {
    /// The first address, in the file's own terms.
    pub from: u64,
    /// The rule.
    pub caller: CallerFrame,
}

/// Where a caller's frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallerFrame {
    /// Nothing tells.
    Unknown,
    /// There is none: this is the outermost.
    Outermost,
    /// It is the frame that a signal interrupted.
    Interrupted,
    /// At the canonical frame address, with the return address in the word below it.
    At {
        /// What the address is computed from.
        base: FrameBase,
        /// What to add, in bytes.
        offset: i32,
        /// Where the caller's rbp is.
        saved: SavedBase,
        /// What to add to that, in bytes.
        saved_offset: i32,
    },
    /// It is what the processor interrupted and told of on the stack (Windows): return address, segment, flags, stack
    /// pointer, a word each.
    Machine {
        /// From rsp to the first of these, in bytes.
        offset: i32,
        /// Where the interrupted rbp is: as far from there, in bytes.
        saved_offset: Option<i32>,
    },
}

/// What a canonical frame address is computed from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameBase {
    /// rsp.
    Rsp,
    /// rbp.
    Rbp,
    /// The word at rbp and the offset: frames that realign the stack.
    AtRbp,
}

/// Where a saved rbp is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SavedBase {
    /// Still in rbp.
    Unchanged,
    /// At the canonical frame address and the offset.
    AtFrame,
    /// At rbp and the offset.
    AtRbp,
}

impl UnwindRows {
    /// Reads them from a file's bytes. A damaged description is a range without a rule.
    ///
    /// # Errors
    /// [`SymbolError::NotElf`], or what a PE's headers give; a file without `.eh_frame` or `.pdata` has no rows.
    pub fn read(bytes: &[u8]) -> Result<UnwindRows, SymbolError> {
        if is_pe(bytes) {
            return Ok(UnwindRows(joined(pdata::ranges(bytes)?)));
        }
        let file = object::File::parse(bytes).map_err(|_| SymbolError::NotElf)?;
        let Some(section) = file.section_by_name(".eh_frame") else {
            return Ok(UnwindRows::default());
        };
        let data = section.uncompressed_data().map_err(SymbolError::damaged(".eh_frame"))?;
        let mut bases = BaseAddresses::default().set_eh_frame(section.address());
        if let Some(text) = file.section_by_name(".text") {
            bases = bases.set_text(text.address());
        }
        let mut frame = EhFrame::new(&data, LittleEndian);
        frame.set_address_size(8);
        Ok(UnwindRows(joined(ranges(&frame, &bases))))
    }
}

/// A range of addresses and its rule.
pub(crate) type Range = (u64, u64, CallerFrame);

fn ranges(frame: &EhFrame<Slice<'_>>, bases: &BaseAddresses) -> Vec<Range> {
    let mut ranges = Vec::new();
    let mut context = UnwindContext::new();
    let mut entries = frame.entries(bases);
    while let Ok(Some(entry)) = entries.next() {
        let CieOrFde::Fde(partial) = entry else { continue };
        let Ok(fde) = partial.parse(EhFrame::cie_from_offset) else { continue };
        let (start, end) = (fde.initial_address(), fde.end_address());
        if start == 0 || end <= start || ranges.len() >= ROWS_MOST {
            continue;
        }
        if fde.is_signal_trampoline() {
            ranges.push((start, end, CallerFrame::Interrupted));
            continue;
        }
        let mut known_to = start;
        if let Ok(mut table) = fde.rows(frame, bases, &mut context) {
            while let Ok(Some(row)) = table.next_row() {
                let (from, to) = (row.start_address(), row.end_address().min(end));
                if to > from {
                    ranges.push((from, to, caller(row, frame).unwrap_or(CallerFrame::Unknown)));
                    known_to = to;
                }
            }
        }
        if known_to < end {
            ranges.push((known_to, end, CallerFrame::Unknown));
        }
    }
    ranges
}

/// In order, with a row of its own for what lies between two ranges, and none that says what the one before says.
fn joined(mut ranges: Vec<Range>) -> Vec<UnwindRow> {
    ranges.sort_by_key(|range| range.0);
    let mut rows: Vec<UnwindRow> = Vec::with_capacity(ranges.len());
    let mut push = |from, caller| match rows.last_mut() {
        Some(last) if last.caller == caller => {}
        Some(last) if last.from == from => last.caller = caller,
        _ => rows.push(UnwindRow { from, caller }),
    };
    let mut reached = 0;
    for (from, to, caller) in ranges {
        if reached != 0 && from > reached {
            push(reached, CallerFrame::Unknown);
        }
        push(from, caller);
        reached = reached.max(to);
    }
    if reached != 0 {
        push(reached, CallerFrame::Unknown);
    }
    rows
}

fn caller(row: &UnwindTableRow<usize>, frame: &EhFrame<Slice<'_>>) -> Option<CallerFrame> {
    match row.register(RETURN_ADDRESS) {
        None | Some(RegisterRule::Undefined) => return Some(CallerFrame::Outermost),
        Some(RegisterRule::Offset(-8)) => {}
        Some(_) => return None,
    }
    let narrow = |offset: i64| i32::try_from(offset).ok();
    let (base, offset) = match row.cfa() {
        CfaRule::RegisterAndOffset { register: RSP, offset } => (FrameBase::Rsp, narrow(*offset)?),
        CfaRule::RegisterAndOffset { register: RBP, offset } => (FrameBase::Rbp, narrow(*offset)?),
        CfaRule::Expression(expression) => {
            (FrameBase::AtRbp, narrow(rbp_plus(expression, frame, true)?)?)
        }
        CfaRule::RegisterAndOffset { .. } => return None,
    };
    let (saved, saved_offset) = match row.register(RBP) {
        // An undefined rbp is not needed by callers that follow the ABI: leave it.
        None | Some(RegisterRule::Undefined | RegisterRule::SameValue) => (SavedBase::Unchanged, 0),
        Some(RegisterRule::Offset(offset)) => (SavedBase::AtFrame, narrow(offset)?),
        Some(RegisterRule::Expression(expression)) => {
            (SavedBase::AtRbp, narrow(rbp_plus(&expression, frame, false)?)?)
        }
        Some(_) => return None,
    };
    Some(CallerFrame::At { base, offset, saved, saved_offset })
}

/// `breg6 n`, with a `deref` behind it or without: gcc's frames that realign the stack keep the caller's in a slot
/// below rbp.
fn rbp_plus(
    expression: &UnwindExpression<usize>,
    frame: &EhFrame<Slice<'_>>,
    deref: bool,
) -> Option<i64> {
    let encoding = gimli::Encoding { address_size: 8, format: gimli::Format::Dwarf32, version: 5 };
    let mut operations = expression.get(frame).ok()?.operations(encoding);
    let Operation::RegisterOffset { register: RBP, offset, .. } = operations.next().ok()?? else {
        return None;
    };
    if deref && !matches!(operations.next().ok()??, Operation::Deref { size: 8, space: false, .. })
    {
        return None;
    }
    operations.next().ok()?.is_none().then_some(offset)
}
