//! Places in a module: virtual addresses in the file's own terms, as its symbols have them.
//! They are never addresses of a process; whoever holds those subtracts the load bias first.

use std::fmt;

/// A virtual address in the module file's own terms. ELF: what `st_value` and DWARF have. PE: the offset from the
/// image's base (RVA).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ModuleOffset(pub u64);

impl fmt::LowerHex for ModuleOffset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::LowerHex::fmt(&self.0, f)
    }
}

/// Whether a frame's offset is the address after a call or the instruction itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OffsetKind {
    /// A return address: the call lies before it, so that `offset - 1` is looked up.
    Return,
    /// The instruction that was interrupted.
    Exact,
}

impl OffsetKind {
    /// The address to look up for a frame's offset.
    pub fn lookup(self, offset: ModuleOffset) -> ModuleOffset {
        match self {
            OffsetKind::Return => ModuleOffset(offset.0.saturating_sub(1)),
            OffsetKind::Exact => offset,
        }
    }
}

/// Where a function lies, by the symbol tables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FunctionExtent {
    /// Demangled name.
    pub name: String,
    /// Its first instruction.
    pub start: ModuleOffset,
    /// Its length in bytes. Where the symbol states none (a weaker finding), it reaches to the
    /// next symbol.
    pub size: u64,
    /// How the name was found.
    pub found: Found,
}

/// How a name was found, best first.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum Found {
    /// The trace itself carries it.
    Recorded,
    /// In DWARF debug information.
    Dwarf,
    /// A procedure of a program database (PDB) covers the address.
    Pdb,
    /// A symbol of `.symtab` covers the address.
    Symtab,
    /// A symbol of `.dynsym` covers the address: exported functions only.
    Dynsym,
    /// An exported function of a PE, which by the table of functions (`.pdata`) covers the address.
    Export,
    /// Weaker: a public symbol of a PDB is the nearest before the address. What a vendor publishes of its
    /// PDBs has nothing but these, for nearly all functions.
    PdbPublic,
    /// Weaker: a symbol of `.symtab` without a size is the nearest before the address. (In `.dynsym`
    /// such a symbol names nothing but itself: functions that are not exported may follow it.)
    SymtabUnsized,
    /// Much weaker: an exported function of a PE is the nearest before the address, and nothing tells
    /// where it ends (x86, or code that needs no unwinding): functions that are not exported may lie between.
    ExportNearest,
    /// In a file that has no build-id, or of a PE of which the trace gives no time stamp, so that nothing but
    /// its path and size tell that it is the one
    /// that was traced: a name from another build would look alike.
    Unverified,
}

/// One function at an address. An address inside inlined functions has several, innermost first;
/// only the last is not `inlined`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedFrame {
    /// Demangled name. `None` where only the line is known.
    pub function: Option<String>,
    /// Source file, as the compiler recorded it.
    pub file: Option<String>,
    /// Source line, counted from 1.
    pub line: Option<u32>,
    /// Whether this function was inlined into the next one.
    pub inlined: bool,
    /// How the name was found.
    pub found: Found,
}
