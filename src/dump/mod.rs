//! Core dumps: what a scan finds in the memory of a traced process as a core file has it. The trace says which blocks
//! live, the core what refers to them. A core is input like any other: nothing in it is believed that the file's length
//! contradicts, its memory is read piece by piece, and what it leaves out is told.
//!
//! ```text
//! core file -> elf -> notes -> which process of the ledger
//!               |                        |
//!               +--> memory -> the walk of `collect::scan` -> events into the ledger
//! ```

mod elf;
mod memory;
mod notes;
mod process;

use std::fs::File;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use thiserror::Error;
use unfreed_symbols::first_load_address;

use crate::collect::scan::{Group, groups};
use crate::collect::sink::{Coverage, Living};
use crate::event::{
    Address, Bytes, Event, Exit, ModuleId, ProcessId, Reach, Root, Scan, Tid, Time, What,
};
use crate::ledger::{Image, Ledger};
use elf::{Core, Segment};
use notes::Notes;

/// A block that lies in more mappings than so many is none.
const MOST_MAPPINGS: usize = 64;

/// Why a core says nothing of a trace.
#[derive(Debug, Error)]
pub enum DumpError {
    /// It is something else.
    #[error("it is no core dump (an ELF file of the kind core)")]
    NoCore,
    /// Of another kind of processor.
    #[error("it is not a core dump of an x86-64 process: no other can be read yet")]
    OtherMachine,
    /// It contradicts itself, or lacks what every core has.
    #[error("it cannot be used: {0}")]
    Damaged(&'static str),
    /// No thread's stack is in it.
    #[error(
        "it has no stacks: it was cut short, or written without the process's own memory \
         (/proc/PID/coredump_filter)"
    )]
    NoStacks,
    /// No process of this number was traced.
    #[error("it is of process {number}, which is not in the trace (there are: {traced})")]
    OtherProcess {
        /// The core's.
        number: u32,
        /// Those of the trace, or the first of them.
        traced: String,
    },
    /// The number is that of another program.
    #[error("it is of {program}, but process {number} of the trace is {traced}")]
    OtherProgram {
        /// The number of both.
        number: u32,
        /// What the core's process executed.
        program: String,
        /// What the trace's did.
        traced: String,
    },
    /// The file cannot be read.
    #[error("it cannot be read: {0}")]
    Io(#[from] std::io::Error),
}

/// Looks into a core for what refers to the live blocks of the ledger, and folds in what was found. `started` is when the
/// trace began, where that is known. Which process it was.
///
/// # Errors
/// The core is none, is of no process of the trace, or has no memory to speak of.
pub fn scan(
    file: File,
    ledger: &mut Ledger,
    started: Option<SystemTime>,
) -> Result<ProcessId, DumpError> {
    let core = Core::new(file)?;
    let parts = core.parts()?;
    let notes = Notes::read(&core, &parts.notes)?;
    let image = process::find(ledger, &notes)?;
    let moment = Moment::of(ledger, image, &notes, started.zip(core.written()));
    let (blocks, missing) = blocks(ledger, image, &parts.segments, &moment);
    let lives = |segment: &Segment| {
        let first = blocks.partition_point(|living| living.address.0 < segment.memory.start);
        blocks.get(first).is_some_and(|living| living.address.0 < segment.memory.end)
    };
    let mut copied = memory::copy(&core, &parts.segments, notes, &lives)?;
    let known = moment == Moment::End && ledger.knows_all_blocks(image);
    let coverage = if known { Coverage::Whole } else { Coverage::Part };
    let found = groups(&copied, &mut |each| {
        blocks.iter().copied().for_each(each);
        Some(coverage)
    });
    let found = found.map_or_else(Vec::new, |(_, found)| found);
    let mut says: Vec<String> = copied.unread.what.take().into_iter().collect();
    says.extend(moment.says());
    says.extend(missing.says());
    let nothing_unread = copied.unread.own.0 == 0 && copied.unread.shared.0 == 0;
    copied.unread.what = (!says.is_empty()).then(|| says.join("; "));
    let scan = Scan {
        stopped: Time(0),
        read: Bytes(copied.read),
        whole: known && nothing_unread && missing == Missing::default(),
        failed: None,
        unread: copied.unread,
        exact: moment == Moment::End,
    };
    let bias = |base: u64| {
        let mut header = [0; 4096];
        let got = memory::read_memory(&core, &parts.segments, base, &mut header);
        base.wrapping_sub(first_load_address(&header[..got]).unwrap_or(0))
    };
    let reached: Vec<Reach> = found.into_iter().map(|group| reach(image, group, &bias)).collect();
    let (time, process) = (ledger.now(), image.id);
    let mut say = |what| ledger.apply(&Event { time, process, thread: Tid(0), what });
    say(What::Scan(Box::new(scan)));
    reached.into_iter().for_each(|reach| say(What::Reach(Box::new(reach))));
    Ok(process)
}

/// When the core was taken, as far as can be known.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Moment {
    /// As the process ended: nothing happened afterwards.
    End,
    /// Before the last event, by the file's time.
    Before(Time),
    /// Later, at most so long.
    After(Duration),
    Unknown,
}

impl Moment {
    fn of(
        ledger: &Ledger,
        image: &Image,
        notes: &Notes,
        times: Option<(SystemTime, SystemTime)>,
    ) -> Moment {
        let signal = i32::from(notes.signal);
        if signal != 0 && image.exit == Some(Exit::Signal(signal)) {
            return Moment::End;
        }
        let known = times.filter(|(started, _)| *started > UNIX_EPOCH);
        let Some((started, written)) = known else { return Moment::Unknown };
        let end = ledger.end(image);
        let since = written.duration_since(started).unwrap_or_default();
        match since.checked_sub(Duration::from_nanos(end.0)) {
            Some(after) => Moment::After(after),
            None => Moment::Before(Time(since.as_nanos() as u64)),
        }
    }

    fn says(self) -> Option<String> {
        match self {
            Moment::End => None,
            Moment::Before(time) => Some(format!(
                "by its file's time the core was taken at {:.1} s, before the trace ended: blocks allocated \
                 later are left out",
                time.seconds()
            )),
            Moment::After(after) => Some(format!(
                "by its file's time the core was taken up to {:.1} s after the process was watched: what was \
                 freed in between seems lost, what was allocated is not known",
                after.as_secs_f64()
            )),
            Moment::Unknown => Some(
                "when the core was taken is not known: what was freed before or after the trace ended seems \
                 lost"
                .to_owned(),
            ),
        }
    }
}

/// Blocks that are not looked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Missing {
    /// Where the core has no memory at all: freed since, or allocated after it was taken.
    elsewhere: u64,
    /// Allocated after it was taken.
    newer: u64,
}

impl Missing {
    fn says(self) -> Option<String> {
        let Missing { elsewhere, newer } = self;
        let all = elsewhere.saturating_add(newer);
        (all > 0).then(|| format!("{all} of the blocks were not there when the core was taken"))
    }
}

/// The live blocks that the core can have, in order of address.
fn blocks(
    ledger: &Ledger,
    image: &Image,
    segments: &[Segment],
    moment: &Moment,
) -> (Vec<Living>, Missing) {
    let (mut blocks, mut missing) = (Vec::new(), Missing::default());
    ledger.live_blocks_of(image, &mut |block, born, stack| {
        if matches!(moment, Moment::Before(taken) if block.born > *taken) {
            missing.newer += 1;
            return;
        }
        let last = block.address.0.saturating_add(block.size.0.max(1) - 1);
        let at = segments.partition_point(|segment| segment.memory.end <= block.address.0);
        // One may lie in several mappings, one behind the other.
        let mut end = segments.get(at).filter(|of| of.memory.contains(&block.address.0));
        let mut next = at;
        while let Some(of) = end.filter(|of| of.memory.end <= last) {
            next += 1;
            let follows = |next: &&Segment| next.memory.start == of.memory.end;
            end = segments.get(next).filter(follows).filter(|_| next - at < MOST_MAPPINGS);
        }
        if end.is_none() {
            missing.elsewhere += 1;
            return;
        }
        let (address, size) = (block.address, block.size);
        blocks.push(Living { address, size, stack, born });
    });
    blocks.sort_unstable_by_key(|living| living.address);
    (blocks, missing)
}

fn reach(image: &Image, group: Group, bias: &dyn Fn(u64) -> u64) -> Reach {
    let Group { stack, born, root, blocks, bytes, interior } = group;
    let root = root.map(|place| {
        let found = place.module.and_then(|base| Some((module_at(image, base)?, bias(base))));
        let (module, bias) = found.unzip();
        Root { kind: place.kind, module, offset: place.address.wrapping_sub(bias.unwrap_or(0)) }
    });
    Reach { stack, born, root, blocks, bytes, interior }
}

fn module_at(image: &Image, base: u64) -> Option<ModuleId> {
    let holds = |start: Address, size: Bytes| base >= start.0 && base - start.0 < size.0;
    let mapped = image.mappings().iter().filter(|mapping| mapping.mapped);
    let mut of = mapped.filter(|mapping| holds(mapping.base, mapping.size));
    of.next().map(|mapping| mapping.module)
}
