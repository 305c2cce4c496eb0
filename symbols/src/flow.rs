//! What one needs to follow a function's code to its ends: how far each function's code reaches, and where jumps through
//! the linkage table lead within the same file.

use std::collections::HashMap;

use gimli::{BaseAddresses, CieOrFde, EhFrame, LittleEndian, UnwindSection};
use object::{Object, ObjectSection, ObjectSymbol, ObjectSymbolTable, RelocationTarget};

use crate::pe::is_pe;
use crate::{Segment, SymbolError, pdata, segments};

/// The code of a file, by its own addresses.
#[derive(Debug)]
pub struct Flow<'data> {
    bytes: &'data [u8],
    segments: Vec<Segment>,
    /// Where functions and parts of functions begin and end, by `.eh_frame` or `.pdata`; in order.
    ranges: Vec<(u64, u64)>,
    /// Words that the loader fills with an address of this file.
    slots: HashMap<u64, u64>,
}

impl<'data> Flow<'data> {
    /// Of a file's bytes.
    ///
    /// # Errors
    /// As [`segments`]; what is damaged beyond that is not there.
    pub fn read(bytes: &'data [u8]) -> Result<Flow<'data>, SymbolError> {
        let segments = segments(bytes)?;
        if is_pe(bytes) {
            let functions = pdata::functions(bytes)?.into_iter();
            let ranges =
                functions.map(|function| (function.begin.into(), function.end.into())).collect();
            return Ok(Flow { bytes, segments, ranges, slots: HashMap::new() });
        }
        let file = object::File::parse(bytes).map_err(SymbolError::damaged("symbols"))?;
        Ok(Flow { bytes, segments, ranges: ranges(&file), slots: slots(&file) })
    }

    /// The code from an address up to the end of the function, or part of one, that it lies in; none where no unwind
    /// table knows it.
    pub fn code(&self, address: u64) -> Option<&'data [u8]> {
        let next = self.ranges.partition_point(|range| range.0 <= address);
        let (_, end) = *self.ranges.get(next.checked_sub(1)?).filter(|range| address < range.1)?;
        let from = self.offset(address)?;
        self.bytes.get(usize::try_from(from).ok()?..usize::try_from(from + (end - address)).ok()?)
    }

    /// Where an address of code lies in the file.
    pub fn offset(&self, address: u64) -> Option<u64> {
        let holds = |segment: &&Segment| {
            let at = address.checked_sub(segment.address);
            segment.executable && at.is_some_and(|at| at < segment.size)
        };
        let segment = self.segments.iter().find(holds)?;
        segment.offset.checked_add(address - segment.address)
    }

    /// What the loader puts into this word, if that is an address in this file.
    pub fn slot(&self, word: u64) -> Option<u64> {
        self.slots.get(&word).copied()
    }
}

fn ranges(file: &object::File<'_>) -> Vec<(u64, u64)> {
    let Some(section) = file.section_by_name(".eh_frame") else { return Vec::new() };
    let Ok(data) = section.uncompressed_data() else { return Vec::new() };
    let mut bases = BaseAddresses::default().set_eh_frame(section.address());
    if let Some(text) = file.section_by_name(".text") {
        bases = bases.set_text(text.address());
    }
    let mut frame = EhFrame::new(&data, LittleEndian);
    frame.set_address_size(8);
    let mut ranges = Vec::new();
    let mut entries = frame.entries(&bases);
    while let Ok(Some(entry)) = entries.next() {
        let CieOrFde::Fde(partial) = entry else { continue };
        let Ok(fde) = partial.parse(EhFrame::cie_from_offset) else { continue };
        let (start, end) = (fde.initial_address(), fde.end_address());
        if start != 0 && end > start {
            ranges.push((start, end));
        }
    }
    ranges.sort_unstable();
    ranges
}

fn slots(file: &object::File<'_>) -> HashMap<u64, u64> {
    let Some(symbols) = file.dynamic_symbol_table() else { return HashMap::new() };
    let relocations = file.dynamic_relocations().into_iter().flatten();
    let filled = relocations.filter_map(|(word, relocation)| {
        let RelocationTarget::Symbol(index) = relocation.target() else { return None };
        let symbol = symbols.symbol_by_index(index).ok()?;
        symbol.is_definition().then(|| (word, symbol.address()))
    });
    filled.collect()
}

#[cfg(all(test, target_os = "linux"))]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn code_ends_where_its_function_does() {
        let bytes = std::fs::read("/proc/self/exe").unwrap();
        let flow = Flow::read(&bytes).unwrap();
        assert!(flow.ranges.len() > 100);
        let (start, end) = flow.ranges[flow.ranges.len() / 2];
        assert_eq!(flow.code(start).unwrap().len() as u64, end - start);
        assert_eq!(flow.code(end - 1).unwrap().len(), 1);
        assert_eq!(flow.code(0), None);
    }
}
