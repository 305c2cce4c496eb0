//! The copy of a stopped process: what in its memory may be a pointer, its registers, and what is mapped where.

use std::ffi::c_void;
use std::ops::Range;
use std::time::{Duration, Instant};

use super::elf::thread_local_bytes;
use super::maps::{Is, Mapping, mappings};
use super::out_of_time;
use super::pages::{Pages, page};
use super::stop::{Stopped, Thread};
use super::words::{Targets, Words};
use crate::collect::agent::AGENT_NAME;

/// Bytes read at once, and pieces they may come in (`IOV_MAX`).
const AT_ONCE: u64 = 1 << 20;
const PIECES: usize = 1024;

/// A process as it was while it stood still.
pub(crate) struct Copied {
    pub(super) mappings: Vec<Mapping>,
    pub(super) threads: Vec<Thread>,
    pub(super) words: Words,
    /// Bytes of thread-local storage that lie beside a thread's pointer.
    pub(super) thread_local: u64,
    /// How long it stood still.
    pub(crate) stopped: Duration,
    /// Bytes that were read.
    pub(crate) read: u64,
}

/// Copies it, and lets it go on.
pub(super) fn copy(stopped: Stopped, deadline: Instant) -> Result<Copied, String> {
    let pid = stopped.subject.pid;
    let threads = stopped.threads();
    let mappings = mappings(pid, AGENT_NAME);
    if mappings.is_empty() || threads.iter().all(|thread| thread.stack == 0) {
        return Err(String::from(
            "the kernel no longer tells what its memory is: its first thread has ended",
        ));
    }
    let pages = Pages::open(pid).map_err(|error| format!("its pages cannot be read: {error}"))?;
    // Memory with blocks may be one mapping with a module's.
    let blocks = mappings.iter().filter(|mapping| mapping.writable && mapping.is != Is::Other);
    let targets = Targets::new(blocks.map(|mapping| mapping.start..mapping.end));
    let mut reader = Reader { pid, deadline, targets, words: Words::default(), read: 0 };
    let mut runs = Vec::new();
    for mapping in mappings.iter().filter(|mapping| mapping.is != Is::Other) {
        runs.extend(pages.written(mapping, deadline).ok_or_else(out_of_time)?);
    }
    reader.read_all(&runs)?;
    if reader.read == 0 {
        return Err(String::from("nothing of its memory could be read: it may just have ended"));
    }
    let thread_local = thread_local_bytes(pid, &mappings);
    let Reader { words, read, .. } = reader;
    let since = stopped.since;
    drop(stopped);
    let stopped = since.elapsed();
    Ok(Copied { mappings, threads, words, thread_local, stopped, read })
}

struct Reader {
    pid: u32,
    deadline: Instant,
    targets: Targets,
    words: Words,
    read: u64,
}

impl Reader {
    fn read_all(&mut self, runs: &[Range<u64>]) -> Result<(), String> {
        let mut buffer = vec![0; AT_ONCE as usize];
        let mut pieces: Vec<Range<u64>> = Vec::new();
        let mut bytes = 0;
        for run in runs {
            let mut at = run.start;
            while at < run.end {
                let length = (run.end - at).min(AT_ONCE - bytes);
                pieces.push(at..at + length);
                bytes += length;
                at += length;
                if bytes == AT_ONCE || pieces.len() == PIECES {
                    self.read_pieces(&mut pieces, &mut buffer)?;
                    bytes = 0;
                }
            }
        }
        self.read_pieces(&mut pieces, &mut buffer)
    }

    /// Reads these, whatever of them can be read, and forgets them.
    fn read_pieces(
        &mut self,
        pieces: &mut Vec<Range<u64>>,
        buffer: &mut [u8],
    ) -> Result<(), String> {
        while !pieces.is_empty() {
            if Instant::now() >= self.deadline {
                return Err(out_of_time());
            }
            let mut got = read_memory(self.pid, pieces, buffer)
                .map_err(|error| format!("its memory cannot be read: {error}"))?;
            self.read += got;
            let (mut done, mut at) = (0, 0);
            for piece in &mut *pieces {
                let length = (piece.end - piece.start).min(got);
                if length > 0 {
                    let bytes = &buffer[at as usize..(at + length) as usize];
                    self.words.add(piece.start, bytes, &self.targets);
                    (at, got) = (at + length, got - length);
                    piece.start += length;
                }
                if piece.start < piece.end {
                    // What stopped the kernel is passed over.
                    piece.start = (piece.start / page() + 1) * page();
                    break;
                }
                done += 1;
            }
            pieces.drain(..done);
            pieces.retain(|piece| piece.start < piece.end);
        }
        Ok(())
    }
}

/// How many bytes could be read of these pieces, from the first on.
pub(super) fn read_memory(
    pid: u32,
    pieces: &[Range<u64>],
    buffer: &mut [u8],
) -> std::io::Result<u64> {
    let there: Vec<libc::iovec> = pieces
        .iter()
        .map(|piece| libc::iovec {
            iov_base: piece.start as *mut c_void,
            iov_len: (piece.end - piece.start) as usize,
        })
        .collect();
    let here = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
    // SAFETY: `here` is all of the buffer; `there` is in the other process, where nothing is written. Both
    // lists live as long as the call.
    let got = unsafe {
        let count = there.len() as libc::c_ulong;
        libc::process_vm_readv(pid.cast_signed(), &here, 1, there.as_ptr(), count, 0)
    };
    if got >= 0 {
        return Ok(got.cast_unsigned() as u64);
    }
    let error = std::io::Error::last_os_error();
    if error.raw_os_error() == Some(libc::EFAULT) { Ok(0) } else { Err(error) }
}
