//! A core's memory as a scan walks it. What the kernel lists for a live process is made up here from segments
//! and mapped files; what the file leaves out is told.

use std::collections::BTreeSet;
use std::time::Duration;

use super::DumpError;
use super::elf::{Core, Segment};
use super::notes::Notes;
use crate::collect::agent::AGENT_NAME;
use crate::collect::scan::{
    Copied, Is, Line, Mapping, Words, is_of_memory, targets, tell, thread_local_bytes,
};
use crate::event::{Bytes, Unread};

const AT_ONCE: usize = 1 << 20;
/// A program's heap begins no farther behind it (`brk` under address space randomisation).
const HEAP_WITHIN: u64 = (1 << 30) + (1 << 20);
/// So many places that were left out are named.
const NAMED: usize = 3;

/// Copies what can refer to blocks. `lives` says whether a block is known to live in a range: what holds one was in
/// use, and is missing if the file has nothing of it.
pub(super) fn copy(
    core: &Core,
    segments: &[Segment],
    notes: Notes,
    lives: &dyn Fn(&Segment) -> bool,
) -> Result<Copied, DumpError> {
    if notes.files.is_none() {
        return Err(DumpError::Damaged("it does not say which files were mapped (NT_FILE)"));
    }
    let in_file = |address: u64| segment_at(segments, address).is_some();
    if !notes.threads.iter().any(|thread| in_file(thread.stack)) {
        return Err(DumpError::NoStacks);
    }
    let mappings = tell(lines(segments, &notes).into_iter(), AGENT_NAME);
    let used_by_threads: BTreeSet<u64> =
        notes.threads.iter().flat_map(|thread| [thread.stack, thread.local]).collect();
    let used = |segment: &Segment| {
        used_by_threads.range(segment.memory.clone()).next().is_some() || lives(segment)
    };
    let unread = unread(segments, &mappings, &used);
    let targets = targets(&mappings);
    let (mut words, mut read) = (Words::default(), 0);
    let mut buffer = vec![0; AT_ONCE];
    for (segment, _) in pairs(segments, &mappings).filter(|(_, mapping)| mapping.is != Is::Other) {
        let mut at = 0;
        while at < segment.there {
            let length = (segment.there - at).min(AT_ONCE as u64) as usize;
            let got = core.read(segment.offset + at, &mut buffer[..length])?;
            if got == 0 {
                break;
            }
            // A core is full of holes, and may claim to be larger than any memory.
            if buffer[..got].iter().any(|byte| *byte != 0) {
                words.add(segment.memory.start + at, &buffer[..got], &targets);
            }
            at += got as u64;
        }
        read += at;
    }
    let thread_local = thread_local_bytes(&mappings, &mut |range, into| {
        read_memory(core, segments, range.start, into)
    });
    let (threads, standing, stopped) = (notes.threads, 0, Duration::ZERO);
    Ok(Copied { mappings, threads, words, thread_local, standing, stopped, read, unread })
}

/// What the file has of the memory from an address on.
pub(super) fn read_memory(core: &Core, segments: &[Segment], from: u64, into: &mut [u8]) -> usize {
    let Some(segment) = segment_at(segments, from) else { return 0 };
    let within = from - segment.memory.start;
    let length = (segment.there - within).min(into.len() as u64) as usize;
    core.read(segment.offset + within, &mut into[..length]).unwrap_or(0)
}

/// The segment of which the file has this address.
fn segment_at(segments: &[Segment], address: u64) -> Option<&Segment> {
    let at = segments.partition_point(|segment| segment.memory.end <= address);
    segments.get(at).filter(|segment| segment.has(address))
}

/// Each segment with the mapping that it became; of those that cannot be read nothing is there.
fn pairs<'a>(
    segments: &'a [Segment],
    mappings: &'a [Mapping],
) -> impl Iterator<Item = (&'a Segment, &'a Mapping)> {
    let of = |segment: &Segment| {
        let at = mappings.binary_search_by_key(&segment.memory.start, |mapping| mapping.start);
        at.ok().map(|at| &mappings[at])
    };
    segments.iter().filter_map(move |segment| Some((segment, of(segment)?)))
}

fn lines<'a>(segments: &[Segment], notes: &'a Notes) -> Vec<Line<'a>> {
    let heap = heap(segments, notes);
    let line = |segment: &Segment| {
        let file = notes.file_at(segment.memory.start);
        let path = match file {
            Some(file) => file.path.as_slice(),
            None if notes.first_stack.is_some_and(|at| segment.memory.contains(&at)) => b"[stack]",
            None if heap == Some(segment.memory.start) => b"[heap]",
            None => b"",
        };
        let may = |can: bool, letter: u8| if can { letter } else { b'-' };
        // The core does not say what is shared; of memory that is a file's its name does.
        let shared = is_of_memory(path) && !path.starts_with(b"/anon_hugepage");
        Line {
            start: segment.memory.start,
            end: segment.memory.end,
            permissions: [
                may(segment.readable, b'r'),
                may(segment.writable, b'w'),
                may(segment.executable, b'x'),
                if shared { b's' } else { b'p' },
            ],
            path,
        }
    };
    segments.iter().map(line).collect()
}

/// Where the program's heap begins: what can be written close behind its file, and is no part of it.
fn heap(segments: &[Segment], notes: &Notes) -> Option<u64> {
    let program = notes.file_at(notes.program?)?;
    let mut own_end = 0;
    for segment in segments {
        match notes.file_at(segment.memory.start) {
            Some(file) if file.path == program.path => own_end = segment.memory.end,
            Some(_) if own_end != 0 => return None,
            // Its `.bss` follows at once.
            None if own_end == segment.memory.start => {}
            None if own_end != 0 && segment.writable => {
                let start = segment.memory.start;
                return (start - own_end <= HEAP_WITHIN).then_some(start);
            }
            _ => {}
        }
    }
    None
}

/// What may refer to blocks and is not in the file. Pages of a module that were never written to are left out of every core; and
/// memory that was reserved and never used, of which nobody knows a block.
fn unread(segments: &[Segment], mappings: &[Mapping], used: &dyn Fn(&Segment) -> bool) -> Unread {
    let (mut own, mut shared) = (0, 0);
    let mut places = Vec::new();
    for (segment, mapping) in pairs(segments, mappings) {
        let whole = segment.memory.end - segment.memory.start;
        let missing = match mapping.is {
            Is::Other => 0,
            Is::Module { .. } if !mapping.bare => segment.cut,
            _ if mapping.shared || segment.there + segment.cut > 0 || used(segment) => {
                whole - segment.there
            }
            _ => 0,
        };
        if missing == 0 {
            continue;
        }
        if mapping.shared {
            shared += missing
        } else {
            own += missing
        }
        let what = match mapping.is {
            Is::Heap => "the heap",
            Is::Stack => "the first thread's stack",
            Is::Module { .. } => "a module's data",
            _ if mapping.shared => "shared memory",
            _ => "its own memory",
        };
        places.push(format!("{what} at {:#x}, {} KiB", mapping.start, missing.div_ceil(1024)));
    }
    let more = places.len().saturating_sub(NAMED);
    places.truncate(NAMED);
    let cut = segments.iter().any(|segment| segment.cut > 0);
    let why = if cut {
        "the core was cut short (ulimit -c, a full disk) and lacks"
    } else {
        "the core was written without"
    };
    let rest = if more > 0 { format!(", and {more} more places") } else { String::new() };
    let what = (!places.is_empty()).then(|| format!("{why} {}{rest}", places.join("; ")));
    Unread { own: Bytes(own), shared: Bytes(shared), what }
}
