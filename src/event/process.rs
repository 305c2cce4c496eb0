//! Processes, their modules and their ends.

use serde::{Deserialize, Serialize};
use unfreed_symbols::ModuleIdentity;

use super::{Address, Bytes, ModuleId, StackId};

/// A module was mapped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Module {
    /// Its id in this trace.
    pub id: ModuleId,
    /// What it is. Said again for the same id when more became known.
    pub identity: ModuleIdentity,
    /// First address of the mapping.
    pub base: Address,
    /// Length of the mapping.
    pub size: Bytes,
}

/// A process image began.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Process {
    /// The system's number for it.
    pub pid: u32,
    /// The parent's number; 0 where unknown.
    pub parent: u32,
    /// Name, as in `mosquitto` or `Inetinfo.exe`.
    pub name: String,
    /// Command line, arguments apart.
    pub command: Vec<String>,
    /// Whether allocations are seen from the process's beginning. If not, blocks may be older than
    /// the trace.
    pub from_start: bool,
    /// Whether the process was sampled, and how: on average one sampling point in so many bytes
    /// allocated, at distances drawn from an exponential distribution. A block of `s` bytes (one of
    /// none counts as 1) that holds a point is told, so with probability `1 - exp(-s / mean)`, and so
    /// is its free, always; of the others nothing is. A realloc draws anew. `None`: every block is
    /// told. What a [`Tally`](super::Tally) of a sampled process counts is complete.
    pub sampled: Option<Bytes>,
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Exit {
    /// It exited with this status.
    Status(i32),
    /// It was ended by this signal.
    Signal(i32),
    /// It ended; how is not known.
    Unknown,
    /// It was replaced by another image (exec).
    Replaced,
    /// It still ran when tracing ended, or when it was looked at last; not known to have ended.
    StillRunning,
}

/// An exception, as a crash dump tells of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exception {
    /// The system's code for it: `0xc0000005` is an access violation.
    pub code: u32,
    /// The instruction at which it was raised.
    pub address: Address,
    /// The stack of the thread that raised it; the innermost frame is the instruction itself.
    pub stack: StackId,
}

impl Exception {
    /// What people call an exception of Windows by its code; `None` for those without a name of their own.
    pub fn name_of(code: u32) -> Option<&'static str> {
        Some(match code {
            0x8000_0001 => "guard page violation",
            0x8000_0002 => "datatype misalignment",
            0x8000_0003 => "breakpoint",
            0x8000_0004 => "single step",
            0xc000_0005 => "access violation",
            0xc000_0006 => "in-page error",
            0xc000_0008 => "invalid handle",
            0xc000_000d => "invalid parameter",
            0xc000_0017 => "no memory",
            0xc000_001d => "illegal instruction",
            0xc000_0025 => "noncontinuable exception",
            0xc000_008c => "array bounds exceeded",
            0xc000_008e => "floating-point division by zero",
            0xc000_0094 => "integer division by zero",
            0xc000_0095 => "integer overflow",
            0xc000_0096 => "privileged instruction",
            0xc000_00fd => "stack overflow",
            0xc000_0135 => "DLL not found",
            0xc000_0374 => "heap corruption",
            0xc000_0409 => "stack buffer overrun or fast fail",
            0xc000_0417 => "invalid parameter of a C runtime function",
            0xc000_0420 => "assertion failure",
            0xe06d_7363 => "C++ exception",
            0xe043_4352 | 0xe043_4f4d => ".NET exception",
            _ => return None,
        })
    }
}
