//! Stacks, frame by frame, and what their functions are called.

use serde::{Deserialize, Serialize};

use super::{ModuleId, StackId};

/// One node of the stack tree: a frame and its caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct StackNode {
    /// The caller's node, or a root.
    pub caller: StackId,
    /// The frame.
    pub frame: Frame,
}

/// One frame: a place in a module.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Frame {
    /// The module, or `None` for code outside any (JIT).
    pub module: Option<ModuleId>,
    /// Offset from the module's base (for ELF: the address in the file's own terms, as symbols
    /// have it); the plain address where there is no module. It is the return address: look up
    /// `offset - 1`, except where `trust` is [`Trust::Context`]. Where it is [`Trust::Named`] it is no
    /// address at all.
    pub offset: u64,
    /// How this frame was found.
    pub trust: Trust,
}

impl Frame {
    /// What is set in the offset of a frame of [`Trust::Named`], so that a [`What::Name`](super::What::Name) shows whether it names an address.
    pub const NAMED: u64 = 1 << 63;

    /// Whether all that is known is an address and the name of the module that it lies in, but not where that begins.
    pub fn is_address_alone(&self) -> bool {
        self.trust == Trust::Named && self.offset & Self::NAMED == 0
    }
}

/// How a frame was found, best first.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "kebab-case")]
#[repr(u8)]
pub enum Trust {
    /// The interrupted instruction itself, not a return address.
    Context = 0,
    /// By unwind tables (`.eh_frame`, `.pdata`), or the caller of the traced function.
    Table = 1,
    /// By the frame pointer, where no table was found.
    FramePointer = 2,
    /// As the recorded source gives it, which does not say how.
    #[default]
    Recorded = 3,
    /// From the function's code, where no table was found.
    Code = 4,
    /// The recorded source gives its function by name and no address. The offset is [`Frame::NAMED`] and a number
    /// that only tells one such frame of a module from another; its names are those that a [`What::Name`](super::What::Name) gives for
    /// it, best before the frame. Without [`Frame::NAMED`] it is a plain address in a module whose base is not known.
    Named = 5,
}

/// The names at one frame, innermost inlined function first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    /// The module.
    pub module: ModuleId,
    /// The frame's offset, as [`Frame::offset`] has it.
    pub offset: u64,
    /// Its functions: the last is the real one, those before it were inlined into it.
    pub functions: Vec<NamedFunction>,
}

/// A named function at a frame.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct NamedFunction {
    /// Demangled name.
    pub function: String,
    /// Source file, where known.
    pub file: Option<String>,
    /// Source line, where known.
    pub line: Option<u32>,
}
