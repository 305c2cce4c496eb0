//! Which of some functions a module calls by way of the loader, where in its memory the loader puts
//! their addresses, and which of them it defines for others. Read from the dynamic segment alone, as
//! the loader does: section tables may be stripped, or lie. Calls that the linker bound within the
//! module leave nothing here to be read.

use std::collections::HashMap;
use std::io::{Read, Seek};

use object::elf::{self, FileHeader64};
use object::read::elf::{FileHeader, ProgramHeader};
use object::{Endianness, ReadCache, ReadRef};

use crate::SymbolError;

/// Bytes of one table, at most. LLVM's strings are 3 MiB.
const TABLE_MOST: u64 = 16 << 20;
/// Entries of the dynamic segment looked at, at most.
const DYNAMIC_MOST: u64 = 4096;

/// What a module has to do with some functions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Linkage {
    /// Places into which the loader writes the address of one of them.
    pub imports: Vec<Import>,
    /// Those that it defines for others.
    pub definitions: Vec<Definition>,
}

/// A place into which the loader writes a function's address. A function may have several.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Import {
    /// The function.
    pub name: &'static str,
    /// The place, in the file's own terms.
    pub slot: u64,
}

/// A function that a module defines for others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Definition {
    /// The function.
    pub name: &'static str,
    /// Where it begins, in the file's own terms; `None` where the module itself decides that when
    /// it is loaded (`STT_GNU_IFUNC`).
    pub address: Option<u64>,
}

impl Linkage {
    /// Reads it for the functions with these names. A module for another processor has none.
    ///
    /// # Errors
    /// [`SymbolError::NotElf`], or [`SymbolError::Damaged`] with the part that cannot be read.
    pub fn read_from<S: Read + Seek>(
        source: S,
        names: &[&'static str],
    ) -> Result<Linkage, SymbolError> {
        Linkage::read(&ReadCache::new(source), names)
    }

    /// The same from bytes.
    ///
    /// # Errors
    /// As [`Linkage::read_from`].
    pub fn read<'data, R: ReadRef<'data>>(
        data: R,
        names: &[&'static str],
    ) -> Result<Linkage, SymbolError> {
        let header = FileHeader64::<Endianness>::parse(data).map_err(|_| SymbolError::NotElf)?;
        let endian = header.endian().map_err(|_| SymbolError::NotElf)?;
        if header.e_machine(endian) != elf::EM_X86_64 {
            return Ok(Linkage::default());
        }
        let segments =
            header.program_headers(endian, data).map_err(SymbolError::damaged("segments"))?;
        let mut image = Image { data, loaded: Vec::new() };
        let mut dynamic = None;
        for segment in segments {
            let part = Part {
                address: segment.p_vaddr(endian),
                offset: segment.p_offset(endian),
                size: segment.p_filesz(endian),
            };
            match segment.p_type(endian) {
                elf::PT_LOAD => image.loaded.push(part),
                elf::PT_DYNAMIC => dynamic = Some(part),
                _ => {}
            }
        }
        // Static programs have none.
        let Some(dynamic) = dynamic else { return Ok(Linkage::default()) };
        let tables = Tables::read(&image, dynamic)?;
        let wanted = names.iter().map(|name| (name.as_bytes(), *name)).collect();
        let reader = Reader { image, tables, wanted };
        Ok(Linkage { imports: reader.imports()?, definitions: reader.definitions(names)? })
    }
}

/// A part of the file and where it is loaded.
#[derive(Clone, Copy)]
struct Part {
    address: u64,
    offset: u64,
    size: u64,
}

/// The file as the loader sees it: by address.
struct Image<R> {
    data: R,
    loaded: Vec<Part>,
}

impl<'data, R: ReadRef<'data>> Image<R> {
    fn bytes(
        &self,
        address: u64,
        size: u64,
        part: &'static str,
    ) -> Result<&'data [u8], SymbolError> {
        let lies = |cause: &str| SymbolError::Damaged { part, cause: cause.to_owned() };
        let within = |loaded: &&Part| {
            let at = address.checked_sub(loaded.address);
            at.is_some_and(|at| at < loaded.size && size <= loaded.size - at)
        };
        if size > TABLE_MOST {
            return Err(lies("larger than any"));
        }
        let loaded = self.loaded.iter().find(within).ok_or_else(|| lies("not in the file"))?;
        let offset = loaded.offset.wrapping_add(address - loaded.address);
        self.data.read_bytes_at(offset, size).map_err(|()| lies("not in the file"))
    }
}

/// Where the tables are that the dynamic segment names.
#[derive(Default)]
struct Tables {
    symbols: u64,
    strings: (u64, u64),
    /// Relocations, and those of calls.
    relocations: [(u64, u64); 2],
    gnu_hash: u64,
    hash: u64,
}

impl Tables {
    fn read<'data, R: ReadRef<'data>>(image: &Image<R>, at: Part) -> Result<Tables, SymbolError> {
        let size = at.size.min(DYNAMIC_MOST * 16);
        let bytes = image.data.read_bytes_at(at.offset, size).map_err(|()| {
            SymbolError::Damaged { part: "dynamic segment", cause: "not in the file".to_owned() }
        })?;
        let mut tables = Tables::default();
        let mut relative = 0;
        for entry in bytes.as_chunks::<16>().0 {
            let (tag, value) = (word(entry, 0), word(entry, 8));
            match i64::from_le_bytes(tag.to_le_bytes()) {
                0 => break,
                DT_PLTRELSZ => tables.relocations[1].1 = value,
                DT_HASH => tables.hash = value,
                DT_STRTAB => tables.strings.0 = value,
                DT_SYMTAB => tables.symbols = value,
                DT_RELA => tables.relocations[0].0 = value,
                DT_RELASZ => tables.relocations[0].1 = value,
                DT_STRSZ => tables.strings.1 = value,
                DT_JMPREL => tables.relocations[1].0 = value,
                DT_GNU_HASH => tables.gnu_hash = value,
                DT_RELACOUNT => relative = value,
                _ => {}
            }
        }
        // Those that name no symbol come first; of them there may be very many.
        let (start, size) = tables.relocations[0];
        let skipped = relative.saturating_mul(RELOCATION).min(size);
        tables.relocations[0] = (start.saturating_add(skipped), size - skipped);
        Ok(tables)
    }
}

const DT_PLTRELSZ: i64 = 2;
const DT_HASH: i64 = 4;
const DT_STRTAB: i64 = 5;
const DT_SYMTAB: i64 = 6;
const DT_RELA: i64 = 7;
const DT_RELASZ: i64 = 8;
const DT_STRSZ: i64 = 10;
const DT_JMPREL: i64 = 23;
const DT_GNU_HASH: i64 = 0x6fff_fef5;
const DT_RELACOUNT: i64 = 0x6fff_fff9;

/// Bytes of a relocation: place, type and symbol, addend.
const RELOCATION: u64 = 24;
/// Bytes of a symbol: name (4), type and binding (1), visibility (1), section (2), address, size.
const SYMBOL: u64 = 24;

struct Reader<'names, R> {
    image: Image<R>,
    tables: Tables,
    wanted: HashMap<&'names [u8], &'static str>,
}

impl<'data, R: ReadRef<'data>> Reader<'_, R> {
    fn imports(&self) -> Result<Vec<Import>, SymbolError> {
        // Types of relocation that put a symbol's address somewhere.
        const R_X86_64_64: u64 = 1;
        const R_X86_64_GLOB_DAT: u64 = 6;
        const R_X86_64_JUMP_SLOT: u64 = 7;
        let mut found = Vec::new();
        for (start, size) in self.tables.relocations {
            if size < RELOCATION {
                continue;
            }
            let table = self.image.bytes(start, size, "relocations")?;
            for entry in table.as_chunks::<{ RELOCATION as usize }>().0 {
                let (slot, info) = (word(entry, 0), word(entry, 8));
                let kind = info & 0xffff_ffff;
                if matches!(kind, R_X86_64_64 | R_X86_64_GLOB_DAT | R_X86_64_JUMP_SLOT) {
                    found.push((slot, info >> 32));
                }
            }
        }
        let Some(last) = found.iter().map(|(_, symbol)| *symbol).max() else {
            return Ok(Vec::new());
        };
        let symbols = self.image.bytes(self.tables.symbols, (last + 1) * SYMBOL, "symbols")?;
        let strings = self.strings()?;
        let imports = found.into_iter().filter_map(|(slot, symbol)| {
            let symbol = symbols.as_chunks::<{ SYMBOL as usize }>().0.get(symbol as usize)?;
            Some(Import { name: self.wanted.get(name(strings, symbol)?).copied()?, slot })
        });
        Ok(imports.collect())
    }

    fn definitions(&self, names: &[&'static str]) -> Result<Vec<Definition>, SymbolError> {
        if self.tables.gnu_hash != 0 {
            return self.by_gnu_hash(names);
        }
        if self.tables.hash == 0 {
            return Ok(Vec::new());
        }
        let header = self.image.bytes(self.tables.hash, 8, "hash table")?;
        let count = u64::from(half(header, 4));
        let symbols = self.image.bytes(self.tables.symbols, count * SYMBOL, "symbols")?;
        let strings = self.strings()?;
        let found = symbols.as_chunks::<{ SYMBOL as usize }>().0.iter().filter_map(|symbol| {
            let name = self.wanted.get(name(strings, symbol)?).copied()?;
            definition(name, symbol)
        });
        Ok(found.collect())
    }

    /// ```text
    /// buckets, first symbol, words of the filter, its shift (4 each), filter (8 each), buckets,
    /// then one hash per symbol from the first on, the last of a bucket's with its lowest bit set
    /// ```
    fn by_gnu_hash(&self, names: &[&'static str]) -> Result<Vec<Definition>, SymbolError> {
        const PART: &str = "hash table";
        let table = self.tables.gnu_hash;
        let header = self.image.bytes(table, 16, PART)?;
        let [buckets, first, words, shift] = [0, 4, 8, 12].map(|at| half(header, at));
        if buckets == 0 || words == 0 || shift > 31 {
            return Ok(Vec::new());
        }
        let (words, buckets) = (u64::from(words), u64::from(buckets));
        let filter = self.image.bytes(table.wrapping_add(16), words * 8, PART)?;
        let starts_at = table.wrapping_add(16 + words * 8);
        let starts = self.image.bytes(starts_at, buckets * 4, PART)?;
        let hashes_at = starts_at.wrapping_add(buckets * 4);
        let strings = self.strings()?;
        let mut found = Vec::new();
        for wanted in names {
            let hash = gnu_hash(wanted);
            let bits = word(filter, (u64::from(hash) / 64 % words * 8) as usize);
            if bits >> (hash % 64) & bits >> ((hash >> shift) % 64) & 1 == 0 {
                continue;
            }
            let mut index = half(starts, (u64::from(hash) % buckets * 4) as usize);
            // Buckets hold a symbol or two; a damaged one must not keep us.
            const CHAIN_MOST: u32 = 256;
            for _ in 0..CHAIN_MOST {
                let Some(place) = index.checked_sub(first) else { break };
                let at = hashes_at.wrapping_add(u64::from(place) * 4);
                let here = half(self.image.bytes(at, 4, PART)?, 0);
                if here | 1 == hash | 1 {
                    let at = self.tables.symbols.wrapping_add(u64::from(index) * SYMBOL);
                    let symbol = self.image.bytes(at, SYMBOL, "symbols")?;
                    if name(strings, symbol) == Some(wanted.as_bytes()) {
                        found.extend(definition(wanted, symbol));
                        break;
                    }
                }
                if here & 1 == 1 {
                    break;
                }
                index = index.wrapping_add(1);
            }
        }
        Ok(found)
    }

    fn strings(&self) -> Result<&'data [u8], SymbolError> {
        let (start, size) = self.tables.strings;
        self.image.bytes(start, size, "strings")
    }
}

fn definition(name: &'static str, symbol: &[u8]) -> Option<Definition> {
    const STT_GNU_IFUNC: u8 = 10;
    let section = u16::from_le_bytes([*symbol.get(6)?, *symbol.get(7)?]);
    let at_load = symbol.get(4)? & 0xf == STT_GNU_IFUNC;
    let address = (!at_load).then(|| word(symbol, 8));
    (section != 0).then_some(Definition { name, address })
}

/// A symbol's name.
fn name<'data>(strings: &'data [u8], symbol: &[u8]) -> Option<&'data [u8]> {
    let rest = strings.get(half(symbol, 0) as usize..)?;
    rest.split(|byte| *byte == 0).next()
}

fn gnu_hash(name: &str) -> u32 {
    name.bytes().fold(5381, |hash: u32, byte| hash.wrapping_mul(33).wrapping_add(byte.into()))
}

/// Eight bytes; 0 where there are none.
fn word(bytes: &[u8], at: usize) -> u64 {
    let found = bytes.get(at..).and_then(|rest| rest.first_chunk::<8>());
    found.map_or(0, |found| u64::from_le_bytes(*found))
}

fn half(bytes: &[u8], at: usize) -> u32 {
    let found = bytes.get(at..).and_then(|rest| rest.first_chunk::<4>());
    found.map_or(0, |found| u32::from_le_bytes(*found))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_hashed_as_the_loader_hashes_them() {
        // From the description of DT_GNU_HASH.
        assert_eq!(gnu_hash(""), 0x0000_1505);
        assert_eq!(gnu_hash("printf"), 0x156b_2bb8);
        assert_eq!(gnu_hash("syscall"), 0xbac2_12a0);
    }

    #[test]
    fn what_is_no_module_for_us_has_no_linkage() {
        assert_eq!(Linkage::read(&b"#!/bin/sh\n"[..], &["free"]), Err(SymbolError::NotElf));
        assert_eq!(Linkage::read(&[][..], &["free"]), Err(SymbolError::NotElf));
    }
}
