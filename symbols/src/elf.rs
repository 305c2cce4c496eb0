//! What an ELF file says of itself: build-id, soname, packaging note, and which separate debug
//! files belong to it. Only headers and small sections are read, so that a file can be given
//! as something that reads on demand. Sections are preferred, program headers serve files
//! whose section table was stripped.

use std::io::{Read, Seek};

use object::elf::{DT_SONAME, ELF_NOTE_GNU, FileHeader32, FileHeader64, NT_GNU_BUILD_ID};
use object::read::elf::{FileHeader, NoteIterator, ProgramHeader, SectionHeader, SectionTable};
use object::{Endianness, FileKind, ReadCache, ReadRef};

use crate::package_note::{self, PackageNote};
use crate::{BuildId, SymbolError};

/// Note sections and program headers looked at, at most.
const NOTES_MOST: usize = 64;
/// Bytes of one note section, link or dynamic table, at most.
const SMALL_MOST: u64 = 1 << 20;

/// What an ELF file says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ElfFacts {
    /// Its build-id (`NT_GNU_BUILD_ID`).
    pub build_id: Option<BuildId>,
    /// Its soname (`DT_SONAME`).
    pub soname: Option<String>,
    /// Its packaging note (`.note.package`).
    pub note: Option<PackageNote>,
    /// Its separate debug file (`.gnu_debuglink`).
    pub debug_link: Option<DebugLink>,
    /// The supplement of its debug information (`.gnu_debugaltlink`).
    pub alt_link: Option<AltLink>,
}

/// The name and checksum of a separate debug file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DebugLink {
    /// File name; one with directories is not taken.
    pub name: String,
    /// CRC-32 of the whole debug file.
    pub crc: u32,
}

/// The path and build-id of a supplementary debug file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AltLink {
    /// Path, absolute or relative to the debug file.
    pub path: String,
    /// Its build-id.
    pub build_id: BuildId,
}

impl ElfFacts {
    /// Reads them. A damaged part is left out; only a file that is no ELF at all, or whose
    /// headers cannot be read, is an error.
    ///
    /// # Errors
    /// [`SymbolError::NotElf`], or [`SymbolError::Damaged`] for the headers.
    pub fn read<'data, R: ReadRef<'data>>(data: R) -> Result<ElfFacts, SymbolError> {
        match FileKind::parse(data) {
            Ok(FileKind::Elf32) => read::<FileHeader32<Endianness>, R>(data),
            Ok(FileKind::Elf64) => read::<FileHeader64<Endianness>, R>(data),
            _ => Err(SymbolError::NotElf),
        }
    }

    /// The same from something that can seek: only headers and notes are read.
    ///
    /// # Errors
    /// As [`ElfFacts::read`].
    pub fn read_from<S: Read + Seek>(source: S) -> Result<ElfFacts, SymbolError> {
        ElfFacts::read(&ReadCache::new(source))
    }
}

fn read<'data, Elf, R>(data: R) -> Result<ElfFacts, SymbolError>
where
    Elf: FileHeader<Endian = Endianness>,
    R: ReadRef<'data>,
{
    let header = Elf::parse(data).map_err(SymbolError::damaged("header"))?;
    let endian = header.endian().map_err(SymbolError::damaged("header"))?;
    let sections = header.sections(endian, data).unwrap_or_default();
    let mut facts = ElfFacts::default();

    let noted = sections.iter().filter(|section| small::<Elf>(section, endian));
    let noted = noted.filter_map(|section| section.notes(endian, data).ok().flatten());
    for notes in noted.take(NOTES_MOST) {
        take_notes(notes, endian, &mut facts);
    }
    if facts.build_id.is_none() {
        let segments = header.program_headers(endian, data).unwrap_or_default().iter();
        let noted = segments.filter(|segment| segment.p_filesz(endian).into() <= SMALL_MOST);
        let noted = noted.filter_map(|segment| segment.notes(endian, data).ok().flatten());
        for notes in noted.take(NOTES_MOST) {
            take_notes(notes, endian, &mut facts);
        }
    }

    facts.soname = soname(&sections, endian, data);
    facts.debug_link = small_section(&sections, endian, data, b".gnu_debuglink")
        .and_then(|bytes| debug_link(bytes, endian));
    facts.alt_link =
        small_section(&sections, endian, data, b".gnu_debugaltlink").and_then(alt_link);
    Ok(facts)
}

fn small<Elf: FileHeader<Endian = Endianness>>(
    section: &Elf::SectionHeader,
    endian: Endianness,
) -> bool {
    section.sh_size(endian).into() <= SMALL_MOST
}

fn take_notes<Elf: FileHeader<Endian = Endianness>>(
    mut notes: NoteIterator<'_, Elf>,
    endian: Endianness,
    facts: &mut ElfFacts,
) {
    while let Ok(Some(note)) = notes.next() {
        if note.name() == ELF_NOTE_GNU && note.n_type(endian) == NT_GNU_BUILD_ID {
            facts.build_id = facts.build_id.take().or_else(|| BuildId::from_bytes(note.desc()));
        } else if note.name() == package_note::OWNER && note.n_type(endian).0 == package_note::KIND
        {
            facts.note = facts.note.take().or_else(|| PackageNote::parse(note.desc()));
        }
    }
}

fn soname<'data, Elf, R>(
    sections: &SectionTable<'data, Elf, R>,
    endian: Endianness,
    data: R,
) -> Option<String>
where
    Elf: FileHeader<Endian = Endianness>,
    R: ReadRef<'data>,
{
    let dynamic = sections.iter().find(|s| s.sh_type(endian) == object::elf::SHT_DYNAMIC)?;
    if !small::<Elf>(dynamic, endian) {
        return None;
    }
    let table = sections.dynamic_table(endian, data).ok()?;
    let entry = table.iter().find(|entry| entry.tag == DT_SONAME)?;
    let name = String::from_utf8_lossy(table.string(entry).ok()?).into_owned();
    (!name.is_empty() && name.len() <= 4096).then_some(name)
}

fn small_section<'data, Elf, R>(
    sections: &SectionTable<'data, Elf, R>,
    endian: Endianness,
    data: R,
    name: &[u8],
) -> Option<&'data [u8]>
where
    Elf: FileHeader<Endian = Endianness>,
    R: ReadRef<'data>,
{
    let (_, section) = sections.section_by_name(endian, name)?;
    if !small::<Elf>(section, endian) {
        return None;
    }
    section.data(endian, data).ok()
}

/// ```text
/// name, NUL, padding to a multiple of 4, CRC-32 of the debug file in the file's byte order
/// ```
fn debug_link(bytes: &[u8], endian: Endianness) -> Option<DebugLink> {
    let end = bytes.iter().position(|&byte| byte == 0)?;
    let name = std::str::from_utf8(&bytes[..end]).ok()?;
    let at = (end + 1).next_multiple_of(4);
    let crc: [u8; 4] = bytes.get(at..at + 4)?.try_into().ok()?;
    let crc = match endian {
        Endianness::Little => u32::from_le_bytes(crc),
        Endianness::Big => u32::from_be_bytes(crc),
    };
    let plain = !name.is_empty() && name != "." && name != ".." && !name.contains(['/', '\\']);
    plain.then(|| DebugLink { name: name.to_owned(), crc })
}

/// ```text
/// path, NUL, build-id to the section's end
/// ```
fn alt_link(bytes: &[u8]) -> Option<AltLink> {
    let end = bytes.iter().position(|&byte| byte == 0)?;
    let path = std::str::from_utf8(&bytes[..end]).ok()?.to_owned();
    let build_id = BuildId::from_bytes(&bytes[end + 1..])?;
    (!path.is_empty()).then_some(AltLink { path, build_id })
}
