//! What a PE exports: names for the functions that other modules call. On x64 the table of functions
//! (`.pdata`) tells where each begins and ends, so that code of a function that is not exported gets no
//! name; elsewhere the nearest export before an address is all there is, and is said to be no more.

use object::LittleEndian as LE;
use object::pe::IMAGE_SCN_MEM_EXECUTE;
use object::read::pe::ExportTarget;

use crate::decoration::undecorated;
use crate::pe::{Headers, headers};
use crate::{Found, FunctionExtent, ModuleOffset, SymbolError, pdata};

/// Exports taken, at most.
const EXPORTS_MOST: usize = 1 << 20;
/// Longest name taken, in bytes.
const NAME_MOST: usize = 4 << 10;
/// Bytes of all names together that are taken, at most.
const NAMES_MOST: usize = 64 << 20;

/// The exported functions of a PE, by address.
#[derive(Debug, Default)]
pub(crate) struct Exports {
    /// By start; at one start the shortest name first.
    functions: Vec<(u32, String)>,
    /// Begin and end of every function that can be unwound, by begin.
    unwound: Vec<(u32, u32)>,
    /// Begin and end of executable sections.
    code: Vec<(u32, u32)>,
}

impl Exports {
    /// Reads them. What is damaged is left out.
    ///
    /// # Errors
    /// [`SymbolError::NotPe`], or [`SymbolError::DamagedPe`] for headers and the export table's own.
    pub(crate) fn read(data: &[u8]) -> Result<Exports, SymbolError> {
        let headers = headers(data)?;
        let executable = headers
            .sections
            .iter()
            .filter(|section| section.characteristics.get(LE).0 & IMAGE_SCN_MEM_EXECUTE.0 != 0);
        let code = executable.map(|section| {
            let start = section.virtual_address.get(LE);
            (start, start.saturating_add(section.virtual_size.get(LE)))
        });
        let mut exports = Exports { code: code.collect(), ..Exports::default() };
        let unwound = pdata::functions(data)?;
        exports.unwound = unwound.iter().map(|function| (function.begin, function.end)).collect();
        exports.functions = functions(data, &headers, &exports.code)?;
        Ok(exports)
    }

    /// Where each begins, and its name.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, &str)> {
        self.functions.iter().map(|(start, name)| (*start, name.as_str()))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.functions.is_empty()
    }

    /// The exported function that covers an address, or the nearest before it.
    pub(crate) fn covering(&self, offset: ModuleOffset) -> Option<FunctionExtent> {
        let rva = u32::try_from(offset.0).ok()?;
        let (_, code_end) = self.code.iter().find(|(start, end)| (*start..*end).contains(&rva))?;
        let next = self.functions.partition_point(|(start, _)| *start <= rva);
        let (start, _) = self.functions.get(next.checked_sub(1)?)?;
        let first = self.functions.partition_point(|(other, _)| other < start);
        let (start, name) = self.functions.get(first)?;
        // In another section there is nothing of it.
        self.code.iter().find(|(from, to)| from <= start && *to == *code_end)?;
        let after = self.unwound.partition_point(|(begin, _)| *begin <= rva);
        let before = after.checked_sub(1).and_then(|at| self.unwound.get(at));
        let (end, found) = match before {
            Some(&(begin, end)) if rva < end => {
                // A function that was split begins here and there: only its first part is known by name.
                if begin != *start {
                    return None;
                }
                (end, Found::Export)
            }
            // Another function lies between.
            Some(&(begin, _)) if begin > *start => return None,
            Some(&(begin, end)) if begin == *start && end <= rva => return None,
            _ => {
                let next = self.functions.get(next).map_or(u32::MAX, |(start, _)| *start);
                let unwound = self.unwound.get(after).map_or(u32::MAX, |(begin, _)| *begin);
                (next.min(unwound).min(*code_end), Found::ExportNearest)
            }
        };
        Some(FunctionExtent {
            name: name.clone(),
            start: ModuleOffset((*start).into()),
            size: u64::from(end - start),
            found,
        })
    }
}

fn functions(
    data: &[u8],
    headers: &Headers<'_>,
    code: &[(u32, u32)],
) -> Result<Vec<(u32, String)>, SymbolError> {
    let table = headers
        .directories
        .export_table(data, &headers.sections)
        .map_err(SymbolError::damaged_pe("exports"))?;
    let Some(table) = table else { return Ok(Vec::new()) };
    let mut left = NAMES_MOST;
    let mut functions = Vec::new();
    for (pointer, index) in table.name_iter().take(EXPORTS_MOST) {
        let Ok(ExportTarget::Address(rva)) = table.target_by_index(index) else { continue };
        // Data is exported too.
        if !code.iter().any(|(start, end)| (*start..*end).contains(&rva)) {
            continue;
        }
        let Ok(name) = table.name_from_pointer(pointer) else { continue };
        if name.is_empty() || name.len() > NAME_MOST {
            continue;
        }
        let name = undecorated(&String::from_utf8_lossy(name), headers.decoration());
        let Some(rest) = left.checked_sub(name.len()) else { break };
        left = rest;
        functions.push((rva, name));
    }
    functions.sort_by(|(a, x), (b, y)| (a, x.len(), x).cmp(&(b, y.len(), y)));
    Ok(functions)
}
