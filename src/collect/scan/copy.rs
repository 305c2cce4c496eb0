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
use crate::event::{Bytes, Unread};

/// Bytes read at once, and pieces they may come in (`IOV_MAX`).
const AT_ONCE: u64 = 1 << 20;
const PIECES: usize = 1024;

/// A process as it was at one moment.
pub(crate) struct Copied {
    pub(crate) mappings: Vec<Mapping>,
    pub(crate) threads: Vec<Thread>,
    pub(crate) words: Words,
    /// Bytes of thread-local storage that lie beside a thread's pointer.
    pub(crate) thread_local: u64,
    /// A thread that still ran.
    pub(crate) standing: u32,
    /// How long it stood still.
    pub(crate) stopped: Duration,
    /// Bytes that were read.
    pub(crate) read: u64,
    /// What was not.
    pub(crate) unread: Unread,
}

impl Copied {
    /// Bytes of memory that it takes, nearly.
    pub(super) fn held(&self) -> u64 {
        self.words.held()
    }
}

/// Where an address must lie to be of interest: where blocks can. That may be one mapping with a module's.
pub(crate) fn targets(mappings: &[Mapping]) -> Targets {
    let blocks = mappings.iter().filter(|mapping| mapping.writable && mapping.is != Is::Other);
    Targets::new(blocks.map(|mapping| mapping.start..mapping.end))
}

/// Copies it, and lets it go on.
pub(super) fn copy(stopped: Stopped, deadline: Instant) -> Result<Copied, String> {
    let threads = stopped.threads();
    let standing = stopped.standing().unwrap_or(stopped.subject.pid);
    let mappings = mappings(standing, AGENT_NAME);
    if mappings.is_empty() || threads.iter().all(|thread| thread.stack == 0) {
        return Err(String::from("the kernel no longer tells what its memory is: it may just end"));
    }
    let pages =
        Pages::open(standing).map_err(|error| format!("its pages cannot be read: {error}"))?;
    let targets = targets(&mappings);
    let mut reader = Reader { pid: standing, deadline, targets, words: Words::default(), read: 0 };
    let mut runs = Vec::new();
    let mut untouched = 0;
    for mapping in mappings.iter().filter(|mapping| mapping.is != Is::Other) {
        let written = pages.written(mapping, deadline).ok_or_else(out_of_time)?;
        if mapping.shared {
            let read: u64 = written.iter().map(|run| run.end - run.start).sum();
            untouched += (mapping.end - mapping.start).saturating_sub(read);
        }
        runs.extend(written);
    }
    reader.read_all(&runs)?;
    if reader.read == 0 {
        return Err(String::from("nothing of its memory could be read: it may just have ended"));
    }
    let thread_local = thread_local_bytes(&mappings, &mut |range, buffer| {
        let got = read_memory(standing, std::slice::from_ref(&range), buffer);
        got.unwrap_or(0) as usize
    });
    let Reader { words, read, .. } = reader;
    let since = stopped.since;
    drop(stopped);
    let stopped = since.elapsed();
    let unread = shared_unread(untouched);
    Ok(Copied { mappings, threads, words, thread_local, standing, stopped, read, unread })
}

/// What others, or it before it was forked, may have put there is not seen.
fn shared_unread(bytes: u64) -> Unread {
    let why = "of memory that it shares with others it has not touched, or it is swapped out";
    let mebibytes = bytes.div_ceil(1 << 20);
    let what = (bytes > 0).then(|| format!("{mebibytes} MiB {why}"));
    Unread { own: Bytes(0), shared: Bytes(bytes), what }
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
fn read_memory(pid: u32, pieces: &[Range<u64>], buffer: &mut [u8]) -> std::io::Result<u64> {
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
