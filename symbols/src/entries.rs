//! Where functions of given names begin in a module's file: for who sets probes there. Exported names and, where the
//! file was not stripped, all others.

use object::elf::{self, FileHeader64};
use object::read::elf::{FileHeader, ProgramHeader};
use object::{Endianness, Object, ObjectSymbol, SymbolKind, SymbolSection};

use crate::SymbolError;

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

/// The loaded parts of a file for x86-64.
///
/// # Errors
/// [`SymbolError::NotElf`], also for other processors, or [`SymbolError::Damaged`].
pub fn segments(bytes: &[u8]) -> Result<Vec<Segment>, SymbolError> {
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

/// The functions of these names that a file defines, each address once, under the first of the names given.
///
/// # Errors
/// As [`segments`].
pub fn entries(bytes: &[u8], names: &[&'static str]) -> Result<Vec<Entry>, SymbolError> {
    let segments = segments(bytes)?;
    let file = object::File::parse(bytes).map_err(SymbolError::damaged("symbols"))?;
    let mut found: Vec<(usize, u64, u64)> = file
        .dynamic_symbols()
        .chain(file.symbols())
        .filter(|symbol| symbol.kind() == SymbolKind::Text)
        .filter(|symbol| matches!(symbol.section(), SymbolSection::Section(_)))
        .filter_map(|symbol| {
            let name = symbol.name().ok()?;
            let rank = names.iter().position(|wanted| *wanted == name)?;
            Some((rank, symbol.address(), symbol.size()))
        })
        .collect();
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
