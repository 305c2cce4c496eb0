//! DWARF: the functions, inlined ones included, and source lines at an address. The sections are
//! copied (and uncompressed, within bounds), so that the file can be let go. Everything is parsed
//! when first asked for; what is damaged answers nothing.

use std::sync::Arc;

use addr2line::Context;
use gimli::{EndianArcSlice, RunTimeEndian};
use object::{Object, ObjectSection};

use crate::demangle::demangle;
use crate::{Found, ModuleOffset, NamedFrame, SymbolError};

/// Bytes all sections together may take, beyond a multiple of the file's size.
const UNCOMPRESSED_FREE: u64 = 16 << 20;
/// That multiple: debug information packs to a third, at best to a tenth.
const UNCOMPRESSED_TIMES: u64 = 32;
/// Functions taken at one address, at most.
const INLINED_MOST: usize = 256;

type Reader = EndianArcSlice<RunTimeEndian>;

/// The debug information of one file.
pub(crate) struct Dwarf {
    context: Context<Reader>,
}

impl Dwarf {
    /// Reads the sections of a file, and of the supplement it shares with others. `Ok(None)` where
    /// it has no debug information.
    pub(crate) fn read(
        data: &[u8],
        supplement: Option<&[u8]>,
    ) -> Result<Option<Dwarf>, SymbolError> {
        let file = object::File::parse(data).map_err(SymbolError::damaged("header"))?;
        if !has_debug_info(&file) {
            return Ok(None);
        }
        let mut dwarf = sections(&file, data)?;
        if let Some(data) = supplement {
            let file = object::File::parse(data).map_err(SymbolError::damaged("supplement"))?;
            dwarf.set_sup(sections(&file, data)?);
        }
        let context = Context::from_dwarf(dwarf).map_err(|cause| SymbolError::Damaged {
            part: "DWARF units",
            cause: cause.to_string(),
        })?;
        Ok(Some(Dwarf { context }))
    }

    /// The functions at an address, innermost first; and whether the last is named in full, by its
    /// linkage name. Empty where nothing covers it.
    pub(crate) fn frames(&self, offset: ModuleOffset) -> (Vec<NamedFrame>, bool) {
        // addr2line 0.27 adds 1 to the address it looks for.
        if offset.0 == u64::MAX {
            return (Vec::new(), false);
        }
        let Ok(mut found) = self.context.find_frames(offset.0).skip_all_loads() else {
            return (Vec::new(), false);
        };
        let mut frames = Vec::new();
        let mut whole = false;
        while let Ok(Some(frame)) = found.next() {
            let raw = frame.function.as_ref().and_then(|name| name.raw_name().ok());
            let function = raw.as_deref().map(demangle);
            whole = function.is_some() && function.as_deref() != raw.as_deref();
            let location = frame.location;
            frames.push(NamedFrame {
                function,
                file: location.as_ref().and_then(|at| at.file).map(str::to_owned),
                line: location.as_ref().and_then(|at| at.line).filter(|&line| line != 0),
                inlined: true,
                found: Found::Dwarf,
            });
            if frames.len() == INLINED_MOST {
                break;
            }
        }
        if let Some(last) = frames.last_mut() {
            last.inlined = false;
        }
        (frames, whole)
    }
}

fn has_debug_info(file: &object::File<'_>) -> bool {
    [".debug_info", ".zdebug_info"]
        .iter()
        .filter_map(|name| file.section_by_name(name))
        .any(|section| section.file_range().is_some_and(|(_, size)| size > 0))
}

fn sections(file: &object::File<'_>, data: &[u8]) -> Result<gimli::Dwarf<Reader>, SymbolError> {
    let endian = if file.is_little_endian() { RunTimeEndian::Little } else { RunTimeEndian::Big };
    let size = data.len() as u64;
    let mut left = size.saturating_mul(UNCOMPRESSED_TIMES).saturating_add(UNCOMPRESSED_FREE);
    gimli::Dwarf::load(|id| {
        let bytes = section(file, id.name(), size, &mut left)?;
        Ok(Reader::new(bytes, endian))
    })
}

fn section(
    file: &object::File<'_>,
    name: &'static str,
    size: u64,
    left: &mut u64,
) -> Result<Arc<[u8]>, SymbolError> {
    let Some(section) = file.section_by_name(name) else { return Ok(Arc::default()) };
    let packed = section.compressed_data().map_err(SymbolError::damaged(name))?;
    let claimed = packed.uncompressed_size;
    *left = left.checked_sub(claimed).ok_or(SymbolError::TooLarge {
        section: name,
        claimed,
        file: size,
    })?;
    let bytes = packed.decompress().map_err(SymbolError::damaged(name))?;
    Ok(Arc::from(bytes.as_ref()))
}
