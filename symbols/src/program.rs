//! What kind of program an ELF file is, as far as it matters to somebody who wants to preload a
//! library into it.

use object::elf::{self, FileHeader64};
use object::read::elf::{FileHeader, ProgramHeader};
use object::{Endianness, Object, ObjectSymbol, SymbolSection};

/// The kind of program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProgramShape {
    /// Not an ELF file that can be read.
    Unreadable,
    /// For another processor, or 32-bit.
    OtherMachine,
    /// Without a dynamic loader.
    Static,
    /// Dynamically linked.
    Dynamic {
        /// Path of the loader it asks for.
        loader: String,
        /// The allocator function that it defines itself, if any.
        own_allocator: Option<String>,
    },
}

/// Functions of which a program's own definition replaces everybody's.
const ALLOCATOR: [&str; 3] = ["malloc", "free", "realloc"];

/// Looks at a whole program file.
pub fn program_shape(bytes: &[u8]) -> ProgramShape {
    let Ok(header) = FileHeader64::<Endianness>::parse(bytes) else {
        return if bytes.starts_with(&elf::ELFMAG) {
            ProgramShape::OtherMachine
        } else {
            ProgramShape::Unreadable
        };
    };
    let Ok(endian) = header.endian() else { return ProgramShape::Unreadable };
    if header.e_machine(endian) != elf::EM_X86_64 {
        return ProgramShape::OtherMachine;
    }
    let Ok(segments) = header.program_headers(endian, bytes) else {
        return ProgramShape::Unreadable;
    };
    let loader = segments.iter().find_map(|segment| segment.interpreter(endian, bytes).ok()?);
    let Some(loader) = loader else { return ProgramShape::Static };
    ProgramShape::Dynamic {
        loader: String::from_utf8_lossy(loader).into_owned(),
        own_allocator: own_allocator(bytes),
    }
}

fn own_allocator(bytes: &[u8]) -> Option<String> {
    let file = object::File::parse(bytes).ok()?;
    // A hidden definition shows only in the full table, which may have been stripped.
    let defined = file.dynamic_symbols().chain(file.symbols()).find(|symbol| {
        symbol.kind() == object::SymbolKind::Text
            && matches!(symbol.section(), SymbolSection::Section(_))
            && symbol.is_global()
            && symbol.name().is_ok_and(|name| ALLOCATOR.contains(&name))
    })?;
    Some(defined.name().ok()?.to_owned())
}

/// The address that the file's first loaded segment asks for, rounded down to a page. `start`
/// need only hold the file's headers.
pub fn first_load_address(start: &[u8]) -> Option<u64> {
    const PAGE: u64 = 4096;
    let header = FileHeader64::<Endianness>::parse(start).ok()?;
    let endian = header.endian().ok()?;
    let segments = header.program_headers(endian, start).ok()?;
    let first = segments.iter().find(|segment| segment.p_type(endian) == elf::PT_LOAD)?;
    Some(first.p_vaddr(endian) & !(PAGE - 1))
}
