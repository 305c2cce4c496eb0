//! What stands at a log's end and is needed before: what the keys of stacks stand for, and which images and
//! processes are found as the session ends. It is read in a pass of its own, once, where the log can be read twice
//! and something is missing.

use std::io::{self, Read, Seek};

use rustc_hash::FxHashMap;

use super::Log;
use super::image::Image;
use super::kind::Kind;
use super::process::ProcessRecord;
use super::record::{Ticks, Width};
use super::stackwalk::{Addresses, StackRecord};
use crate::read::{Offset, ReadError};

/// A file, or what can be read like one.
pub trait Seekable: Read + Seek {}

impl<T: Read + Seek> Seekable for T {}

/// Begins to read the same log again.
pub type Again<'a> = Box<dyn FnMut() -> io::Result<Box<dyn Seekable + 'a>> + 'a>;

/// The opcode of what is found as the session ends.
const FOUND_AT_END: u8 = 4;

/// A process: its number, and how many had started with it.
pub type Which = (u32, u32);

/// What stands at the end.
#[derive(Debug, Default)]
pub struct Ahead {
    keys: FxHashMap<u64, Vec<Definition>>,
    images: FxHashMap<Which, Vec<Image>>,
    processes: FxHashMap<Which, ProcessRecord>,
    starts: FxHashMap<u32, u32>,
}

#[derive(Debug)]
struct Definition {
    time: Ticks,
    frames: Box<[u8]>,
    width: Width,
}

impl Ahead {
    /// Reads a log to its end.
    pub fn read(again: &mut Again<'_>) -> Result<Ahead, ReadError> {
        let stream = again().map_err(|source| ReadError::Io { offset: Offset(0), source })?;
        let mut log = Log::seekable(stream)?;
        let mut ahead = Ahead::default();
        while let Some(record) = log.next()? {
            match Kind::of(&record) {
                Kind::StackWalk if matches!(record.opcode, 0x23 | 0x24) => {
                    if let Some(StackRecord::Definition { key, frames }) =
                        StackRecord::read(&record)
                    {
                        let Addresses { bytes, width } = frames;
                        let definition =
                            Definition { time: record.time, frames: bytes.into(), width };
                        ahead.keys.entry(key).or_default().push(definition);
                    }
                }
                Kind::ImageMapped if record.opcode == FOUND_AT_END => {
                    if let Some(image) = Image::read(&record)
                        && let Some(pid) = image.pid.or(record.process)
                    {
                        ahead.images.entry(ahead.which(pid)).or_default().push(image);
                    }
                }
                Kind::ProcessStart => {
                    if let Some(process) = ProcessRecord::read(&record) {
                        *ahead.starts.entry(process.pid).or_default() += 1;
                    }
                }
                Kind::ProcessFound if record.opcode == FOUND_AT_END => {
                    if let Some(process) = ProcessRecord::read(&record) {
                        ahead.processes.insert(ahead.which(process.pid), process);
                    }
                }
                _ => {}
            }
        }
        // Those that came late are not where their time is.
        for definitions in ahead.keys.values_mut() {
            definitions.sort_by_key(|definition| definition.time);
        }
        Ok(ahead)
    }

    fn which(&self, pid: u32) -> Which {
        (pid, self.starts.get(&pid).copied().unwrap_or_default())
    }

    /// What a key stood for at a time: what is said of it next.
    pub fn frames(&self, key: u64, at: Ticks) -> Option<Addresses<'_>> {
        let definitions = self.keys.get(&key)?;
        let definition =
            definitions.get(definitions.partition_point(|definition| definition.time < at))?;
        Some(Addresses { bytes: &definition.frames, width: definition.width })
    }

    /// The images of a process as the session ended.
    pub fn images(&self, which: Which) -> &[Image] {
        self.images.get(&which).map_or(&[], Vec::as_slice)
    }

    /// A process that still ran then.
    pub fn process(&self, which: Which) -> Option<&ProcessRecord> {
        self.processes.get(&which)
    }
}
