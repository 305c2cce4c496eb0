//! Where functions of given names begin in a module's file: for who sets probes there. Exported names and, where an ELF
//! file was not stripped, all others.

use object::elf::{self, FileHeader64};
use object::pe::{IMAGE_FILE_MACHINE_AMD64, IMAGE_SCN_MEM_EXECUTE};
use object::read::elf::{FileHeader, ProgramHeader};
use object::{Endianness, LittleEndian as LE, Object, ObjectSymbol, SymbolKind, SymbolSection};

use crate::exports::Exports;
use crate::pe::{headers, is_pe};
use crate::{SymbolError, pdata};

/// Most code given of one function, in bytes.
const CODE_MOST: u64 = 64;

/// A part of a file that is loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Its address in the file's own terms.
    pub address: u64,
    /// Where it lies in the file.
    pub offset: u64,
    /// Its length in the file, in bytes.
    pub size: u64,
    /// Whether it is code.
    pub executable: bool,
}

/// A function that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its name.
    pub name: &'static str,
    /// Its address in the file's own terms.
    pub address: u64,
    /// Where it lies in the file.
    pub offset: u64,
    /// Its length in bytes, as its symbol states it; 0 where it states none.
    pub size: u64,
    /// Its first instructions: at most 64 bytes, fewer where the function or its segment is shorter.
    pub code: Vec<u8>,
}

/// The loaded parts of a file for x86-64. Of a PE they are its sections, by their offsets from the image's base.
///
/// # Errors
/// [`SymbolError::NotElf`], also for other processors, or [`SymbolError::Damaged`]; of a PE [`SymbolError::NotPe`] and
/// [`SymbolError::DamagedPe`].
pub fn segments(bytes: &[u8]) -> Result<Vec<Segment>, SymbolError> {
    if is_pe(bytes) {
        return sections(bytes);
    }
    let header = FileHeader64::<Endianness>::parse(bytes).map_err(|_| SymbolError::NotElf)?;
    let endian = header.endian().map_err(|_| SymbolError::NotElf)?;
    if header.e_machine(endian) != elf::EM_X86_64 {
        return Err(SymbolError::NotElf);
    }
    let headers =
        header.program_headers(endian, bytes).map_err(SymbolError::damaged("segments"))?;
    let loaded = headers.iter().filter(|part| part.p_type(endian) == elf::PT_LOAD);
    Ok(loaded
        .map(|part| Segment {
            address: part.p_vaddr(endian),
            offset: part.p_offset(endian),
            size: part.p_filesz(endian),
            executable: part.p_flags(endian).contains(elf::PF_X),
        })
        .collect())
}

fn sections(bytes: &[u8]) -> Result<Vec<Segment>, SymbolError> {
    let headers = headers(bytes)?;
    if headers.machine != IMAGE_FILE_MACHINE_AMD64 {
        return Err(SymbolError::NotPe);
    }
    let sections = headers.sections.iter();
    Ok(sections
        .map(|section| Segment {
            address: section.virtual_address.get(LE).into(),
            offset: section.pointer_to_raw_data.get(LE).into(),
            size: section.virtual_size.get(LE).min(section.size_of_raw_data.get(LE)).into(),
            executable: section.characteristics.get(LE).0 & IMAGE_SCN_MEM_EXECUTE.0 != 0,
        })
        .collect())
}

/// The functions of these names that a file defines, each address once, under the first of the names given.
///
/// # Errors
/// As [`segments`].
pub fn entries(bytes: &[u8], names: &[&'static str]) -> Result<Vec<Entry>, SymbolError> {
    let segments = segments(bytes)?;
    let mut found = if is_pe(bytes) { exported(bytes, names)? } else { defined(bytes, names)? };
    found.sort_unstable();
    let mut entries: Vec<Entry> = Vec::new();
    for (rank, address, size) in found {
        if entries.iter().any(|entry| entry.address == address) {
            continue;
        }
        let within = |segment: &&Segment| {
            let at = address.checked_sub(segment.address);
            segment.executable && at.is_some_and(|at| at < segment.size)
        };
        let Some(segment) = segments.iter().find(within) else { continue };
        let at = address - segment.address;
        let Some(offset) = segment.offset.checked_add(at) else { continue };
        let code = if size == 0 { CODE_MOST } else { size.min(CODE_MOST) };
        let length = code.min(segment.size - at);
        let range = usize::try_from(offset).ok().zip(usize::try_from(offset + length).ok());
        let Some(code) = range.and_then(|(from, to)| bytes.get(from..to)) else { continue };
        entries.push(Entry { name: names[rank], address, offset, size, code: code.to_vec() });
    }
    Ok(entries)
}

/// A function that was found: which name, its address, its length.
type Found = (usize, u64, u64);

fn defined(bytes: &[u8], names: &[&'static str]) -> Result<Vec<Found>, SymbolError> {
    let file = object::File::parse(bytes).map_err(SymbolError::damaged("symbols"))?;
    let symbols = file.dynamic_symbols().chain(file.symbols());
    Ok(symbols
        .filter(|symbol| symbol.kind() == SymbolKind::Text)
        .filter(|symbol| matches!(symbol.section(), SymbolSection::Section(_)))
        .filter_map(|symbol| {
            let name = symbol.name().ok()?;
            let rank = names.iter().position(|wanted| *wanted == name)?;
            Some((rank, symbol.address(), symbol.size()))
        })
        .collect())
}

fn exported(bytes: &[u8], names: &[&'static str]) -> Result<Vec<Found>, SymbolError> {
    let functions = pdata::functions(bytes)?;
    let size = |start: u32| {
        let at = functions.binary_search_by_key(&start, |function| function.begin);
        at.map_or(0, |at| functions[at].end - start)
    };
    Ok(Exports::read(bytes)?
        .iter()
        .filter_map(|(start, name)| {
            let rank = names.iter().position(|wanted| *wanted == name)?;
            Some((rank, start.into(), size(start).into()))
        })
        .collect())
}

/// How much memory the image of a PE for x86-64 takes, in bytes; `None` for any other file.
pub fn image_size(bytes: &[u8]) -> Option<u64> {
    let headers = headers(bytes).ok()?;
    (headers.machine == IMAGE_FILE_MACHINE_AMD64).then_some(headers.image_size.into())
}
