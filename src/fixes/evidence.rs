//! What the matcher is told of one suspect: everything it may rest a conclusion on.

use serde::{Deserialize, Serialize};
use unfreed_symbols::ModuleIdentity;

use crate::event::{Fact, Function};

/// What kind of suspect this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EvidenceKind {
    /// Blocks accumulate at a site.
    Accumulation,
    /// A block was freed more often than allocated.
    OverRelease,
    /// Handles of the system accumulate: kernel objects, registry keys, files, sockets.
    Handles,
    /// The kernel's paged pool grows by what the process does.
    PagedPool,
    /// The process ended in an exception. It tells less than a trace: where it broke is seldom where the fault is.
    Crash,
    /// Nothing that is ever a suspect: a counter that grows alone, a limit that was reached, a crash of which the source states too
    /// little. Only what another entry is not and is mistaken for, or what is known and cannot be seen.
    Untraced,
}

impl EvidenceKind {
    /// What it is, in words that go on from "seen: ".
    pub fn in_words(self) -> &'static str {
        match self {
            EvidenceKind::Accumulation => "blocks that accumulate",
            EvidenceKind::OverRelease => "a block freed more often than allocated",
            EvidenceKind::Handles => "handles that accumulate",
            EvidenceKind::PagedPool => "kernel paged pool that grows",
            EvidenceKind::Crash => "a crash",
            EvidenceKind::Untraced => "something that no trace shows",
        }
    }
}

/// One suspect, as the matcher sees it.
#[derive(Clone, Debug)]
pub struct Evidence<'a> {
    /// What it is.
    pub kind: EvidenceKind,
    /// The process's name (`Inetinfo.exe`, `mosquitto`).
    pub process: &'a str,
    /// The blame frame's index in `stack`, where there is one.
    pub blame: Option<usize>,
    /// The allocation stack, innermost first, allocator frames included.
    pub stack: Vec<EvidenceFrame<'a>>,
    /// Whether `stack` reaches the outermost caller. If not, what is missing from it may still
    /// have been on the call path. False also where no stack was taken.
    pub stack_complete: bool,
    /// Every module mapped into the process.
    pub modules: Vec<&'a ModuleIdentity>,
    /// The function that allocated.
    pub function: Function,
    /// Bytes per allocation: least, median, most.
    pub bytes_per_call: Option<(u64, u64, u64)>,
    /// Blocks that stay per marked event; `None` without marks that carry counts.
    pub blocks_per_event: Option<f64>,
    /// Facts read on the target.
    pub facts: &'a [Fact],
}

/// One crash, as the matcher sees it.
#[derive(Clone, Debug)]
pub struct CrashEvidence<'a> {
    /// The exception's code.
    pub code: u32,
    /// The process's name.
    pub process: &'a str,
    /// The stack of the thread that raised it, innermost first, as far as it is known.
    pub stack: Vec<EvidenceFrame<'a>>,
    /// Whether that is all of it.
    pub stack_complete: bool,
    /// Every module that was loaded.
    pub modules: Vec<&'a ModuleIdentity>,
    /// Facts read on the target.
    pub facts: &'a [Fact],
}

/// One frame of a stack.
#[derive(Clone, Debug)]
pub struct EvidenceFrame<'a> {
    /// Its module, where known.
    pub module: Option<&'a ModuleIdentity>,
    /// Its function, demangled, where known.
    pub function: Option<&'a str>,
}
