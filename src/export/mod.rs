//! Recordings in the forms of other tools. One file for each form: a pure function to bytes, from a source's events or,
//! where sums are enough, from their ledger. Names come from the namer it is given; nothing is judged, and what a form
//! cannot hold is said by its file.

mod collapsed;
mod csv;
mod heaptrack;
mod pprof;
mod protobuf;
mod sums;

use std::io::{self, Read, Seek, Write};

use thiserror::Error;

use crate::event::{Event, Process};
use crate::names::Namer;
use crate::read::{ReadError, Source};

pub use collapsed::collapsed;
pub use csv::{cell, csv};
pub use pprof::pprof;

/// What came of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Exported {
    /// The process it is of; `None` where none allocated.
    pub process: Option<Process>,
    /// Blocks allocated.
    pub allocations: u64,
    /// Blocks that live in the end.
    pub live_blocks: u64,
    /// Their bytes.
    pub live_bytes: u64,
    /// Events that the trace itself lost.
    pub lost: u64,
    /// Whether a process was sampled.
    pub sampled: bool,
    /// Whether of some blocks only snapshots tell: that they lived, and not that they were allocated.
    pub listed: bool,
}

/// A place for what must wait until all is known, as a temporary file is.
pub trait Spool: Read + Write + Seek {}

impl<T: Read + Write + Seek> Spool for T {}

/// Why nothing came of it.
#[derive(Debug, Error)]
pub enum ExportError {
    /// The recording cannot be read.
    #[error("{0}")]
    Read(#[from] ReadError),
    /// The bytes cannot be written.
    #[error("{0}")]
    Write(#[from] io::Error),
    /// The form holds one process, and the recording has several.
    #[error("the trace has several processes that allocate, {} and {}", shown(.0), shown(.1))]
    Several(Box<Process>, Box<Process>),
    /// No process has the pid that was asked for.
    #[error("no process of the trace has the pid {0}")]
    NoProcess(u32),
}

fn shown(process: &Process) -> String {
    named(&process.name, process.pid)
}

/// A process's name and number; some evidence has no number for it.
fn named(name: &str, pid: u32) -> String {
    match pid {
        0 => name.to_owned(),
        pid => format!("{name} ({pid})"),
    }
}

/// Writes a source's events as an interpreted data file of heaptrack, plain; `pid` chooses the process where the
/// recording has several.
///
/// # Errors
/// Reading or writing failed, or it is not clear which process is meant.
pub fn heaptrack(
    source: &mut dyn Source,
    pid: Option<u32>,
    namer: &mut Namer,
    spool: &mut dyn Spool,
    out: &mut dyn Write,
) -> Result<Exported, ExportError> {
    let mut batch: Vec<Event> = Vec::new();
    let mut exporter = heaptrack::Exporter::new(spool, pid);
    while source.next_batch(&mut batch)? {
        batch.iter().try_for_each(|event| exporter.event(event))?;
    }
    exporter.finish(namer, out)
}
