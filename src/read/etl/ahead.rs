//! What stands at a log's end and is needed before: what the keys of stacks stand for, and which images and
//! processes are found as the session ends. It is read in a pass of its own, once, where the log can be read twice
//! and something is missing.

use std::io::{self, Read, Seek};

use rustc_hash::FxHashMap;

use super::Log;
use super::image::Image;
use super::kind::Kind;
use super::process::ProcessRecord;
use super::record::{Record, Ticks, Width};
use super::stackwalk::{Addresses, StackRecord};
use crate::read::room::Room;
use crate::read::{Faults, Offset, ReadError};

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
    room: Room,
}

/// What an entry of a table takes besides its own bytes.
const ENTRY: usize = 64;

const FULL: &str = "what stands at the log's end takes more than 1 GiB: this was not kept, and stacks of events that come \
                    long before it are lost; record a shorter time";

#[derive(Debug)]
struct Definition {
    time: Ticks,
    frames: Box<[u8]>,
    width: Width,
}

impl Ahead {
    /// Reads a log to its end.
    pub fn read(again: &mut Again<'_>, faults: &mut Faults) -> Result<Ahead, ReadError> {
        let stream = again().map_err(|source| ReadError::Io { offset: Offset(0), source })?;
        let mut log = Log::seekable(stream)?;
        let mut ahead = Ahead::default();
        while let Some(record) = log.next()? {
            if !ahead.record(&record) {
                faults.add(record.offset, FULL);
            }
        }
        // Those that came late are not where their time is.
        for definitions in ahead.keys.values_mut() {
            definitions.sort_by_key(|definition| definition.time);
        }
        Ok(ahead)
    }

    /// Keeps a record that is needed before; false where there is no room left for it.
    fn record(&mut self, record: &Record<'_>) -> bool {
        match Kind::of(record) {
            Kind::StackWalk if matches!(record.opcode, 0x23 | 0x24) => {
                let Some(StackRecord::Definition { key, frames }) = StackRecord::read(record)
                else {
                    return true;
                };
                let Addresses { bytes, width } = frames;
                if !self.room.take(2 * ENTRY + bytes.len()) {
                    return false;
                }
                let definition = Definition { time: record.time, frames: bytes.into(), width };
                self.keys.entry(key).or_default().push(definition);
            }
            Kind::ImageMapped if record.opcode == FOUND_AT_END => {
                let image = Image::read(record);
                let Some((image, pid)) =
                    image.and_then(|i| i.pid.or(record.process).map(|p| (i, p)))
                else {
                    return true;
                };
                if !self.room.take(2 * ENTRY + size_of::<Image>() + image.path.len()) {
                    return false;
                }
                self.images.entry(self.which(pid)).or_default().push(image);
            }
            Kind::ProcessStart => {
                let Some(process) = ProcessRecord::read(record) else { return true };
                if !self.starts.contains_key(&process.pid) && !self.room.take(ENTRY) {
                    return false;
                }
                *self.starts.entry(process.pid).or_default() += 1;
            }
            Kind::ProcessFound if record.opcode == FOUND_AT_END => {
                let Some(process) = ProcessRecord::read(record) else { return true };
                let text =
                    process.name.len() + process.command.iter().map(String::len).sum::<usize>();
                if !self.room.take(ENTRY * (2 + process.command.len()) + text) {
                    return false;
                }
                self.processes.insert(self.which(process.pid), process);
            }
            _ => {}
        }
        true
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

    /// Whether it lacks something that is in the log.
    pub fn is_cut(&self) -> bool {
        self.room.is_full()
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::read::etl::record::Provider;

    #[test]
    fn a_log_of_definitions_alone_takes_no_more_than_its_room() {
        let mut ahead = Ahead { room: Room::of(1000), ..Ahead::default() };
        let mut kept = 0;
        for key in 0..100u64 {
            let payload = [key.to_le_bytes(), [1; 8], [2; 8]].concat();
            let record = Record {
                offset: Offset(0),
                time: Ticks(key),
                processor: 0,
                process: None,
                thread: None,
                width: Width::Bits64,
                provider: Provider::Group(0x18),
                opcode: 0x24,
                id: 0,
                version: 2,
                payload: &payload,
                extended: &[],
            };
            assert_eq!(Kind::of(&record), Kind::StackWalk);
            kept += u64::from(ahead.record(&record));
            assert_eq!(ahead.frames(key, Ticks(0)).is_some(), kept == key + 1);
        }
        assert_eq!(kept, 6, "each takes its frames and two entries");
    }
}
