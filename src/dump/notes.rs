//! What a core says of its process beside the memory: threads with their registers, the files that were mapped, and
//! what the kernel gave the program as it began.

use std::ops::Range;

use super::DumpError;
use super::elf::{Core, u16_at, u32_at, u64_at};
use crate::collect::scan::Thread;

const STATUS: u32 = 1;
const FLOATING_POINT: u32 = 2;
const PROCESS: u32 = 3;
const AUXILIARY: u32 = 6;
const FILES: u32 = 0x4649_4c45;

/// Larger notes of the kinds above are not read: the kernel writes none.
const LONGEST: u64 = 64 << 20;
const LONGEST_NAME: u64 = 64;

/// As the kernel lays out a thread's status: its signal, its number, 27 registers.
const STATUS_BYTES: usize = 336;
const REGISTERS: Range<usize> = 112..328;
const STACK_POINTER: usize = 19;
const THREAD_POINTER: usize = 21;

/// In the auxiliary vector: where the program's headers are, random bytes, the program's name.
const PROGRAM_HEADERS: u64 = 3;
const RANDOM: u64 = 25;
const EXECUTED_AS: u64 = 31;

/// A file that was mapped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mapped {
    pub(super) memory: Range<u64>,
    pub(super) path: Vec<u8>,
}

/// All of it.
#[derive(Debug, Default)]
pub(super) struct Notes {
    /// The process's number, as it saw it itself.
    pub(super) pid: Option<u32>,
    /// The name of its first thread, cut to 15 bytes.
    pub(super) name: Option<Vec<u8>>,
    /// The signal that ended it, or 0.
    pub(super) signal: u16,
    pub(super) threads: Vec<Thread>,
    pub(super) thread_numbers: Vec<u32>,
    /// In order of address; `None` where the core does not say.
    pub(super) files: Option<Vec<Mapped>>,
    /// An address in the program's own file.
    pub(super) program: Option<u64>,
    /// An address in the first thread's stack.
    pub(super) first_stack: Option<u64>,
}

impl Notes {
    pub(super) fn read(core: &Core, places: &[Range<u64>]) -> Result<Notes, DumpError> {
        let mut notes = Notes::default();
        for place in places {
            let mut at = place.start;
            let mut header = [0; 12];
            while place.end.saturating_sub(at) >= 12 && core.read(at, &mut header)? == 12 {
                let (name, content) = (u32_at(&header, 0).into(), u32_at(&header, 4).into());
                let content_at = at + 12 + padded(name);
                let end = content_at + padded(content);
                let known = [STATUS, FLOATING_POINT, PROCESS, AUXILIARY, FILES];
                let kind = u32_at(&header, 8);
                // Nothing was written here.
                if header == [0; 12] {
                    break;
                }
                if name <= LONGEST_NAME && content <= LONGEST && known.contains(&kind) {
                    let mut owner = [0; LONGEST_NAME as usize];
                    let owner = &mut owner[..name as usize];
                    core.read(at + 12, owner)?;
                    // What is not there is not made room for.
                    let there = place.end.saturating_sub(content_at).min(content);
                    let mut bytes = vec![0; there as usize];
                    let got = core.read(content_at, &mut bytes)?;
                    bytes.truncate(got);
                    if owner.starts_with(b"CORE") {
                        notes.take(kind, &bytes);
                    }
                }
                at = end;
            }
        }
        Ok(notes)
    }

    fn take(&mut self, kind: u32, bytes: &[u8]) {
        match kind {
            STATUS if bytes.len() >= STATUS_BYTES => {
                let registers = words(&bytes[REGISTERS]);
                if self.threads.is_empty() {
                    self.signal = u16_at(bytes, 12);
                }
                self.thread_numbers.push(u32_at(bytes, 32));
                let (stack, local) = (registers[STACK_POINTER], registers[THREAD_POINTER]);
                self.threads.push(Thread { registers, stack, local });
            }
            // Of the thread whose status came last.
            FLOATING_POINT => {
                if let Some(thread) = self.threads.last_mut() {
                    thread.registers.extend(words(bytes));
                }
            }
            PROCESS if bytes.len() >= 56 => {
                self.pid = Some(u32_at(bytes, 24));
                let name = bytes[40..56].split(|byte| *byte == 0).next().unwrap_or_default();
                self.name = Some(name.to_vec());
            }
            AUXILIARY => {
                let words = words(bytes);
                let value = |key: u64| {
                    let pair = words.chunks_exact(2).find(|pair| pair[0] == key);
                    pair.map(|pair| pair[1]).filter(|value| *value != 0)
                };
                self.program = value(PROGRAM_HEADERS);
                self.first_stack = value(RANDOM).or(value(EXECUTED_AS));
            }
            FILES => self.files = Some(files(bytes)),
            _ => {}
        }
    }

    /// The file that is mapped at an address.
    pub(super) fn file_at(&self, address: u64) -> Option<&Mapped> {
        let files = self.files.as_deref()?;
        let at = files.partition_point(|file| file.memory.end <= address);
        files.get(at).filter(|file| file.memory.contains(&address))
    }
}

/// `count, page size, count x (start, end, offset)`, then as many names, each ended by a zero.
fn files(bytes: &[u8]) -> Vec<Mapped> {
    let most = bytes.len() / 24;
    let count = usize::try_from(u64_at(bytes, 0)).map_or(most, |count| count.min(most));
    let names = bytes.get(16 + count * 24..).unwrap_or_default();
    let mut files: Vec<Mapped> = names
        .split(|byte| *byte == 0)
        .take(count)
        .enumerate()
        .map(|(n, path)| {
            let at = 16 + n * 24;
            Mapped { memory: u64_at(bytes, at)..u64_at(bytes, at + 8), path: path.to_vec() }
        })
        .filter(|file| !file.memory.is_empty())
        .collect();
    files.sort_by_key(|file| file.memory.start);
    files
}

fn words(bytes: &[u8]) -> Vec<u64> {
    bytes.chunks_exact(8).map(|word| u64_at(word, 0)).collect()
}

/// Notes are laid out in steps of four bytes.
fn padded(length: u64) -> u64 {
    length.next_multiple_of(4)
}
