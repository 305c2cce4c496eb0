//! A symbol table of an ELF file: which function covers an address. A symbol that states its
//! size must cover the address; one that states none (hand-written assembly) reaches to the
//! next symbol and no further, and is the weaker finding. The nearest symbol before an
//! address is never taken for its function.

use std::cmp::Reverse;

use object::elf::{
    FileHeader32, FileHeader64, SHF_EXECINSTR, SHN_UNDEF, SHT_DYNSYM, SHT_SYMTAB, STB_GLOBAL,
    STB_WEAK, STT_FUNC, STT_GNU_IFUNC, STT_NOTYPE, SectionType,
};
use object::read::elf::{FileHeader, SectionHeader, Sym};
use object::{Endianness, FileKind, ReadRef, SectionIndex};

use crate::{ModuleOffset, SymbolError};

/// Longest name taken, in bytes.
const NAME_MOST: usize = 16 << 10;
/// How many symbols are looked at for one address, at most.
const STEPS_MOST: usize = 4096;
/// How many names of the same code are compared, at most.
const ALIASES_MOST: usize = 64;

/// The functions of one symbol table, in order of address. Holds a copy of the table's strings;
/// the file is not needed any more.
#[derive(Debug, Default)]
pub(crate) struct SymbolTable {
    /// By start, and at one start the longest last.
    symbols: Vec<Symbol>,
    /// For each symbol, the furthest end of any sized symbol up to it: where to stop looking back.
    reach: Vec<u64>,
    /// Names, each ended by NUL.
    strings: Vec<u8>,
}

/// Which table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TableKind {
    /// `.symtab`.
    Symtab,
    /// `.dynsym`.
    Dynsym,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Symbol {
    start: u64,
    /// 0: not stated.
    size: u64,
    /// Global before weak before local.
    binding: u8,
    name: u32,
    /// End of the section it lies in.
    section_end: u64,
}

/// A function that covers an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Covering {
    /// As the table has it, mangled.
    pub(crate) name: String,
    pub(crate) start: ModuleOffset,
    pub(crate) size: u64,
    /// Whether the symbol states its size.
    pub(crate) sized: bool,
}

impl SymbolTable {
    /// Reads a table. A file without it gives an empty one.
    pub(crate) fn read(data: &[u8], kind: TableKind) -> Result<SymbolTable, SymbolError> {
        let section = match kind {
            TableKind::Symtab => SHT_SYMTAB,
            TableKind::Dynsym => SHT_DYNSYM,
        };
        match FileKind::parse(data) {
            Ok(FileKind::Elf32) => read::<FileHeader32<Endianness>>(data, section),
            Ok(FileKind::Elf64) => read::<FileHeader64<Endianness>>(data, section),
            _ => Err(SymbolError::NotElf),
        }
    }

    /// From symbols in order.
    fn new(symbols: Vec<Symbol>, strings: Vec<u8>) -> SymbolTable {
        let reach = symbols.iter().scan(0, |reach: &mut u64, symbol| {
            *reach = (*reach).max(symbol.start.saturating_add(symbol.size));
            Some(*reach)
        });
        SymbolTable { reach: reach.collect(), symbols, strings }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.symbols.is_empty()
    }

    /// The function that covers an address.
    pub(crate) fn covering(&self, offset: ModuleOffset) -> Option<Covering> {
        let address = offset.0;
        let after = self.symbols.partition_point(|symbol| symbol.start <= address);
        let before = self.symbols.get(..after)?;
        let sized = before
            .iter()
            .zip(&self.reach)
            .rev()
            .take(STEPS_MOST)
            .take_while(|(_, reach)| **reach > address)
            .map(|(symbol, _)| symbol)
            .find(|symbol| address - symbol.start < symbol.size);
        if let Some(symbol) = sized {
            return self.covered(self.preferred(symbol), symbol.size, true);
        }
        let nearest = before.last()?;
        if nearest.size != 0 {
            return None;
        }
        let next = self.symbols.get(after).map_or(u64::MAX, |symbol| symbol.start);
        let end = next.min(nearest.section_end);
        let size = end.checked_sub(nearest.start)?;
        if address - nearest.start >= size {
            return None;
        }
        self.covered(nearest, size, false)
    }

    /// Of several symbols for the same code, the one a programmer would call it by: `malloc`
    /// rather than `__libc_malloc`, a global one rather than a local one.
    fn preferred<'a>(&'a self, symbol: &'a Symbol) -> &'a Symbol {
        let first = self
            .symbols
            .partition_point(|other| (other.start, other.size) < (symbol.start, symbol.size));
        let aliases = self.symbols.iter().skip(first).take(ALIASES_MOST);
        let aliases =
            aliases.take_while(|other| (other.start, other.size) == (symbol.start, symbol.size));
        aliases
            .max_by_key(|alias| {
                let name = self.name(alias).unwrap_or_default();
                let underscores = name.bytes().take_while(|&byte| byte == b'_').count();
                let known = !name.is_empty();
                (known, alias.binding > 0, Reverse(underscores), alias.binding, Reverse(name))
            })
            .unwrap_or(symbol)
    }

    fn covered(&self, symbol: &Symbol, size: u64, sized: bool) -> Option<Covering> {
        let name = self.name(symbol)?;
        Some(Covering { name, start: ModuleOffset(symbol.start), size, sized })
    }

    fn name(&self, symbol: &Symbol) -> Option<String> {
        let rest = self.strings.get(usize::try_from(symbol.name).ok()?..)?;
        let rest = &rest[..rest.len().min(NAME_MOST)];
        let end = rest.iter().position(|&byte| byte == 0)?;
        (end > 0).then(|| String::from_utf8_lossy(&rest[..end]).into_owned())
    }
}

fn read<Elf: FileHeader<Endian = Endianness>>(
    data: &[u8],
    kind: SectionType,
) -> Result<SymbolTable, SymbolError> {
    let header = Elf::parse(data).map_err(SymbolError::damaged("header"))?;
    let endian = header.endian().map_err(SymbolError::damaged("header"))?;
    let sections = header.sections(endian, data).map_err(SymbolError::damaged("section table"))?;
    let table =
        sections.symbols(endian, data, kind).map_err(SymbolError::damaged("symbol table"))?;
    if table.is_empty() {
        return Ok(SymbolTable::default());
    }

    let strings = strings::<Elf>(data, &sections, endian, table.string_section());
    let mut symbols = Vec::new();
    for (index, symbol) in table.enumerate() {
        let Ok(Some(section)) = table.symbol_section(endian, symbol, index) else { continue };
        if symbol.st_shndx(endian) == SHN_UNDEF {
            continue;
        }
        let Ok(section) = sections.section(section) else { continue };
        let code = section.sh_flags(endian).contains(SHF_EXECINSTR);
        let function = matches!(symbol.st_type(), STT_FUNC | STT_GNU_IFUNC | STT_NOTYPE);
        // `$x` and its like tell code from data on ARM; they name nothing.
        let first = usize::try_from(symbol.st_name(endian)).ok().and_then(|at| strings.get(at));
        if !code || !function || matches!(first, None | Some(0 | b'$')) {
            continue;
        }
        let start: u64 = symbol.st_value(endian).into();
        let section_start: u64 = section.sh_addr(endian).into();
        let section_size: u64 = section.sh_size(endian).into();
        symbols.push(Symbol {
            start,
            size: symbol.st_size(endian).into(),
            binding: match symbol.st_bind() {
                STB_GLOBAL => 2,
                STB_WEAK => 1,
                _ => 0,
            },
            name: symbol.st_name(endian),
            section_end: section_start.saturating_add(section_size),
        });
    }
    symbols.sort_unstable();
    Ok(SymbolTable::new(symbols, strings))
}

fn strings<'data, Elf: FileHeader<Endian = Endianness>>(
    data: &'data [u8],
    sections: &object::read::elf::SectionTable<'data, Elf, &'data [u8]>,
    endian: Endianness,
    index: SectionIndex,
) -> Vec<u8> {
    let section = sections.section(index).ok();
    let range = section.and_then(|section| section.file_range(endian));
    let bytes = range.and_then(|(at, size)| data.read_bytes_at(at, size).ok());
    bytes.unwrap_or_default().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Symbols `(start, size, global, name)` in a section that ends at 0x100.
    fn table(symbols: &[(u64, u64, bool, &str)]) -> SymbolTable {
        let mut strings = vec![0];
        let mut sorted: Vec<Symbol> = symbols
            .iter()
            .map(|&(start, size, global, text)| {
                let name = u32::try_from(strings.len()).unwrap_or_default();
                strings.extend(text.bytes().chain([0]));
                Symbol {
                    start,
                    size,
                    binding: if global { 2 } else { 0 },
                    name,
                    section_end: 0x100,
                }
            })
            .collect();
        sorted.sort_unstable();
        SymbolTable::new(sorted, strings)
    }

    fn check(symbols: &[(u64, u64, bool, &str)], address: u64, expected: Option<(&str, bool)>) {
        let found = table(symbols).covering(ModuleOffset(address));
        let found = found.as_ref().map(|covering| (covering.name.as_str(), covering.sized));
        assert_eq!(found, expected, "{address:#x} in {symbols:?}");
    }

    #[test]
    fn a_symbol_covers_its_size_and_no_more() {
        let symbols = [(0x10, 4, true, "a"), (0x20, 8, true, "b")];
        check(&symbols, 0x0f, None);
        check(&symbols, 0x10, Some(("a", true)));
        check(&symbols, 0x13, Some(("a", true)));
        check(&symbols, 0x14, None);
        check(&symbols, 0x28, None);
        check(&symbols, u64::MAX, None);
    }

    #[test]
    fn a_symbol_without_size_ends_at_the_next_or_with_its_section() {
        let symbols = [(0x10, 0, true, "first"), (0x20, 0, true, "last")];
        check(&symbols, 0x1f, Some(("first", false)));
        check(&symbols, 0xff, Some(("last", false)));
        check(&symbols, 0x100, None);
        // A label inside a function is not another function.
        check(
            &[(0x10, 0x20, true, "whole"), (0x18, 0, false, "label")],
            0x1a,
            Some(("whole", true)),
        );
        // After a function that ends there is nothing of the label before it.
        check(&[(0x10, 0, true, "label"), (0x18, 2, true, "whole")], 0x1a, None);
    }

    #[test]
    fn the_innermost_function_and_the_plainest_name_are_taken() {
        check(
            &[(0x10, 0x40, true, "outer"), (0x20, 8, true, "inner")],
            0x22,
            Some(("inner", true)),
        );
        check(
            &[(0x10, 0x40, true, "outer"), (0x20, 8, true, "inner")],
            0x30,
            Some(("outer", true)),
        );
        let aliases = [
            (0x10, 8, true, "__libc_malloc"),
            (0x10, 8, true, "malloc"),
            (0x10, 8, false, "m"),
            (0x10, 8, true, "_malloc"),
        ];
        check(&aliases, 0x12, Some(("malloc", true)));
    }

    #[test]
    fn symbols_that_reach_over_the_end_are_survived() {
        check(&[(u64::MAX - 1, u64::MAX, true, "end")], u64::MAX - 1, Some(("end", true)));
        check(&[(0, u64::MAX, true, "all"), (8, 1, true, "one")], 9, Some(("all", true)));
    }
}
