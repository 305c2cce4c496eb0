//! The files that traced processes have mapped, each read once: the rows of its unwind table, put where the probe finds
//! them, and where its allocator functions begin.

use std::collections::HashMap;
use std::fs;
use std::io::Read;
use std::os::fd::AsFd;
use std::path::Path;
use std::sync::Arc;

use aya::maps::MapData;
use memmap2::MmapMut;
use unfreed_symbols::{
    CallerFrame, Entry, Flow, FrameBase, SavedBase, Segment, UnwindRow, UnwindRows, entries,
    image_size, segments,
};

use super::error::AttachError;
use super::exits::{exits, first_call};
use super::functions::{LOADS, MAP_CHANGED, is_new, is_operator, known, may_throw, names};
use super::kernel;
use super::layout::{Mapping, Row};
use super::memory::{Code, FileId, Mapped};

/// Files larger than this are not read: stacks through them end there.
const FILE_MOST: u64 = 1 << 30;
/// How files begin that are read: ELF, and modules of Windows.
const KINDS: [&[u8; 2]; 2] = [b"\x7fE", b"MZ"];

/// A file, as far as the probe needs it.
#[derive(Debug, Default)]
pub(super) struct Module {
    pub(super) segments: Vec<Segment>,
    /// Its rows among all.
    pub(super) first: u32,
    pub(super) rows: u32,
    /// Allocator functions that it defines.
    pub(super) functions: Vec<Entry>,
    /// Of those that may be left by an exception, by address: where in the file they return.
    pub(super) exits: HashMap<u64, Vec<u64>>,
    /// Whether its `operator new` is made of malloc, its own or another file's: then it is seen there.
    pub(super) made_of_malloc: bool,
    /// Where in the file the loader says that it changed the map, if it is a loader.
    pub(super) map_changed: Vec<u64>,
    /// How much memory it takes, if it is a module of Windows.
    pub(super) image: Option<u64>,
}

impl Module {
    /// What to take off an address in a part of it that is mapped as code, to have it in the file's own terms. Its first
    /// page may hold the end of the segment before, too. Modules of Windows count from where they begin.
    pub(super) fn bias(&self, mapped: &Mapped, code: &Code) -> Option<u64> {
        if self.image.is_some() {
            return Some(mapped.start);
        }
        let Code { start, offset, .. } = *code;
        let holds = |segment: &&Segment| {
            let page = segment.offset & !0xfff;
            segment.executable && offset >= page && offset < segment.offset + segment.size
        };
        let segment = self.segments.iter().find(holds)?;
        let address = segment.address.wrapping_sub(segment.offset).wrapping_add(offset);
        Some(start.wrapping_sub(address))
    }

    /// The same without its allocator.
    pub(super) fn unallocating(&self) -> Module {
        let (segments, map_changed) = (self.segments.clone(), self.map_changed.clone());
        let Module { first, rows, image, .. } = *self;
        Module { segments, first, rows, map_changed, image, ..Module::default() }
    }
}

/// All of them.
pub(super) struct Modules {
    memory: MmapMut,
    used: usize,
    most: usize,
    known: HashMap<FileId, Arc<Module>>,
    /// Files for whose rows there was no room.
    without_room: u64,
}

impl Modules {
    /// In the map of rows, which has room for so many.
    pub(super) fn new(rows: &MapData, most: u32) -> Result<Modules, AttachError> {
        let most = most as usize;
        let memory = kernel::map_array(rows.fd().as_fd(), most * size_of::<Row>())
            .map_err(AttachError::system("cannot map the probe's tables"))?;
        Ok(Modules { memory, used: 0, most, known: HashMap::new(), without_room: 0 })
    }

    /// The file with this identity, to be read at this path if it was not read before.
    pub(super) fn get(&mut self, file: &FileId, path: &Path) -> Arc<Module> {
        if let Some(known) = self.known.get(file) {
            return known.clone();
        }
        let module = Arc::new(self.read(path).unwrap_or_else(|error| {
            tracing::debug!("{}: {error}", path.display());
            Module::default()
        }));
        self.known.insert(file.clone(), module.clone());
        module
    }

    /// How many files' rows found no room.
    pub(super) fn without_room(&self) -> u64 {
        self.without_room
    }

    /// The rows of a mapping.
    pub(super) fn rows(&self, mapping: &Mapping) -> &[[u8; size_of::<Row>()]] {
        let (all, _) = self.memory.as_chunks::<{ size_of::<Row>() }>();
        let first = mapping.first as usize;
        all.get(first..first + mapping.rows as usize).unwrap_or_default()
    }

    fn read(&mut self, path: &Path) -> std::io::Result<Module> {
        if fs::metadata(path)?.len() > FILE_MOST {
            return Err(std::io::Error::other("too large to be read"));
        }
        let mut start = [0; 2];
        fs::File::open(path)?.read_exact(&mut start)?;
        if !KINDS.contains(&&start) {
            return Err(std::io::Error::other("no program and no library"));
        }
        let bytes = fs::read(path)?;
        let segments = segments(&bytes).map_err(std::io::Error::other)?;
        let mut names = names();
        names.extend([MAP_CHANGED, LOADS]);
        let found = entries(&bytes, &names).map_err(std::io::Error::other)?;
        let (changes, functions): (Vec<Entry>, Vec<Entry>) =
            found.into_iter().partition(|entry| [MAP_CHANGED, LOADS].contains(&entry.name));
        let made_of_malloc = is_made_of_malloc(&bytes, &functions);
        let exits = if made_of_malloc { HashMap::new() } else { ways_out(&bytes, &functions) };
        let rows = UnwindRows::read(&bytes).unwrap_or_default();
        let (first, rows) = self.place(&rows.0);
        let map_changed = changes.iter().flat_map(|entry| said_at(&bytes, entry)).collect();
        let image = image_size(&bytes);
        Ok(Module { segments, first, rows, functions, exits, made_of_malloc, map_changed, image })
    }

    /// Puts rows behind those that are there.
    fn place(&mut self, rows: &[UnwindRow]) -> (u32, u32) {
        if rows.len() > self.most - self.used {
            self.without_room += 1;
            return (0, 0);
        }
        let first = self.used;
        for (index, row) in rows.iter().filter_map(encode).enumerate() {
            let at = (first + index) * size_of::<Row>();
            self.memory[at..at + size_of::<Row>()].copy_from_slice(&row.encode());
            self.used = first + index + 1;
        }
        (first as u32, (self.used - first) as u32)
    }
}

/// Whether a file has an `operator new` and no memory of its own for it: libstdc++ and libc++, as libraries and linked
/// into a program.
fn is_made_of_malloc(bytes: &[u8], functions: &[Entry]) -> bool {
    let Some(new) = functions.iter().find(|entry| is_new(entry.name)) else { return false };
    let gives = |entry: &&Entry| {
        !is_operator(entry.name) && known(entry.name).is_some_and(|known| known.role.gives())
    };
    if !functions.iter().any(|entry| gives(&entry)) {
        return true;
    }
    let called = Flow::read(bytes).ok().and_then(|flow| first_call(&flow, new.address));
    functions.iter().filter(gives).any(|entry| Some(entry.address) == called)
}

/// Where in the file a probe sees that the map has changed.
fn said_at(bytes: &[u8], entry: &Entry) -> Vec<u64> {
    if entry.name == MAP_CHANGED {
        return vec![entry.offset];
    }
    let flow = Flow::read(bytes).ok();
    flow.and_then(|flow| exits(&flow, entry.address)).unwrap_or_default()
}

fn ways_out(bytes: &[u8], functions: &[Entry]) -> HashMap<u64, Vec<u64>> {
    let mut throwing = functions.iter().filter(|entry| may_throw(entry.name)).peekable();
    if throwing.peek().is_none() {
        return HashMap::new();
    }
    let Ok(flow) = Flow::read(bytes) else { return HashMap::new() };
    throwing.filter_map(|entry| Some((entry.address, exits(&flow, entry.address)?))).collect()
}

/// A row as the probe has it; nothing for what lies beyond the first 4 GiB of a module.
pub(super) fn encode(row: &UnwindRow) -> Option<Row> {
    let from = u32::try_from(row.from).ok()?;
    let plain = |next| Row { from, next, ..Row::default() };
    Some(match row.caller {
        CallerFrame::Unknown => plain(0),
        CallerFrame::Outermost => plain(2),
        CallerFrame::Interrupted => plain(3),
        CallerFrame::Machine { offset, saved_offset } => Row {
            cfa: offset,
            saved: saved_offset.unwrap_or(0),
            base: 3,
            saved_base: saved_offset.map_or(0, |_| 1),
            ..plain(3)
        },
        CallerFrame::At { base, offset, saved, saved_offset } => Row {
            cfa: offset,
            saved: saved_offset,
            base: match base {
                FrameBase::Rsp => 0,
                FrameBase::Rbp => 1,
                FrameBase::AtRbp => 2,
            },
            saved_base: match saved {
                SavedBase::Unchanged => 0,
                SavedBase::AtFrame => 1,
                SavedBase::AtRbp => 2,
            },
            ..plain(1)
        },
    })
}
