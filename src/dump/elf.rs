//! The skeleton of a core file: ELF, of 64 bits, for x86-64. Where its segments lie is read piece by piece; nothing
//! is believed that the file's own length contradicts.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;

use super::DumpError;

const CORE: u16 = 4;
const X86_64: u16 = 62;
const LOAD: u32 = 1;
const NOTE: u32 = 4;
/// Bytes of a program header.
const ENTRY: usize = 56;
/// More segments than this many are not looked at: no system lets a process map so much.
const MOST_SEGMENTS: u64 = 1 << 22;
/// Read at once.
const ENTRIES: usize = 1024;
/// Programs have no higher addresses, unless they ask for them.
const ADDRESSES: u64 = 1 << 47;
const PAGE: u64 = 4096;

/// A core file, of which any part can be read.
#[derive(Debug)]
pub(super) struct Core {
    file: File,
    length: u64,
}

/// A part of the process's memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Segment {
    pub(super) memory: Range<u64>,
    /// Where the file has it from its beginning on.
    pub(super) offset: u64,
    /// How much of it is in the file.
    pub(super) there: u64,
    /// How much more would be, had the file not been cut.
    pub(super) cut: u64,
    pub(super) readable: bool,
    pub(super) writable: bool,
    pub(super) executable: bool,
}

impl Segment {
    /// Whether the file has this address.
    pub(super) fn has(&self, address: u64) -> bool {
        self.memory.contains(&address) && address - self.memory.start < self.there
    }
}

/// What the file consists of.
#[derive(Debug, Default)]
pub(super) struct Parts {
    /// In order of address, none overlapping.
    pub(super) segments: Vec<Segment>,
    /// Where in the file its notes are.
    pub(super) notes: Vec<Range<u64>>,
}

impl Core {
    pub(super) fn new(file: File) -> io::Result<Core> {
        let length = file.metadata()?.len();
        Ok(Core { file, length })
    }

    /// When the file was written.
    pub(super) fn written(&self) -> Option<std::time::SystemTime> {
        self.file.metadata().and_then(|about| about.modified()).ok()
    }

    /// Reads what there is of a part of the file; says how much.
    pub(super) fn read(&self, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        let mut done = 0;
        while done < into.len() {
            match self.file.read_at(&mut into[done..], offset.saturating_add(done as u64)) {
                Ok(0) => break,
                Ok(got) => done += got,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(done)
    }

    pub(super) fn parts(&self) -> Result<Parts, DumpError> {
        let mut header = [0; 64];
        let got = self.read(0, &mut header)?;
        if got < header.len() || !header.starts_with(b"\x7fELF") {
            return Err(DumpError::NoCore);
        }
        let (kind, machine) = (u16_at(&header, 16), u16_at(&header, 18));
        if kind != CORE {
            return Err(DumpError::NoCore);
        }
        if header[4] != 2 || header[5] != 1 || machine != X86_64 {
            return Err(DumpError::OtherMachine);
        }
        if usize::from(u16_at(&header, 54)) != ENTRY {
            return Err(DumpError::Damaged("its table of segments is of another kind"));
        }
        let first = u64_at(&header, 32);
        let count = match u16_at(&header, 56) {
            // So many that the first section says how many.
            u16::MAX => {
                let mut section = [0; 64];
                let got = self.read(u64_at(&header, 40), &mut section)?;
                if got == section.len() { u32_at(&section, 44).into() } else { 0 }
            }
            count => u64::from(count),
        };
        let mut parts = Parts::default();
        let mut buffer = vec![0; ENTRIES * ENTRY];
        let mut at = first;
        let mut left = count.min(MOST_SEGMENTS) as usize;
        while left > 0 {
            let wanted = left.min(ENTRIES);
            let got = self.read(at, &mut buffer[..wanted * ENTRY])? / ENTRY;
            for entry in buffer[..got * ENTRY].chunks_exact(ENTRY) {
                self.take(entry, &mut parts);
            }
            if got < wanted {
                break;
            }
            (at, left) = (at.saturating_add((got * ENTRY) as u64), left - got);
        }
        parts.segments.sort_by_key(|segment| segment.memory.start);
        let overlap = parts.segments.windows(2).any(|two| two[0].memory.end > two[1].memory.start);
        // Every byte of a file stands for one of memory: what is read is no more than there is.
        let loaded = parts.segments.iter().map(|of| of.there);
        let notes = parts.notes.iter().map(|of| of.end - of.start);
        let sum = loaded.chain(notes).fold(0, u64::saturating_add);
        if overlap || sum > self.length {
            return Err(DumpError::Damaged("its segments overlap"));
        }
        Ok(parts)
    }

    fn take(&self, entry: &[u8], parts: &mut Parts) {
        let flags = u32_at(entry, 4);
        let (offset, start) = (u64_at(entry, 8), u64_at(entry, 16));
        let (in_file, in_memory) = (u64_at(entry, 32), u64_at(entry, 40));
        let left = self.length.saturating_sub(offset);
        match u32_at(entry, 0) {
            NOTE => parts.notes.push(offset..offset.saturating_add(in_file.min(left))),
            LOAD => {
                let end = start.checked_add(in_memory).filter(|end| *end <= ADDRESSES);
                let Some(end) = end.filter(|end| *end > start && start % PAGE == 0) else { return };
                let in_file = in_file.min(in_memory);
                let there = in_file.min(left);
                parts.segments.push(Segment {
                    memory: start..end,
                    offset,
                    there,
                    cut: in_file - there,
                    readable: flags & 4 != 0,
                    writable: flags & 2 != 0,
                    executable: flags & 1 != 0,
                });
            }
            _ => {}
        }
    }
}

/// A number at a place that is there; 0 where it is not.
pub(super) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    let of = bytes.get(at..).and_then(|rest| rest.first_chunk());
    of.map_or(0, |of| u64::from_le_bytes(*of))
}

pub(super) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    let of = bytes.get(at..).and_then(|rest| rest.first_chunk());
    of.map_or(0, |of| u32::from_le_bytes(*of))
}

pub(super) fn u16_at(bytes: &[u8], at: usize) -> u16 {
    let of = bytes.get(at..).and_then(|rest| rest.first_chunk());
    of.map_or(0, |of| u16::from_le_bytes(*of))
}
