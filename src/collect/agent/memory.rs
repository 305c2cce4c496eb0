//! The session's shared memory, as the collector sees it.
//!
//! Everything in it is written by the traced programs and is believed only after a check: a
//! record that cannot be right costs the rest of its ring, which is counted, and nothing else.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use memmap2::{MmapOptions, MmapRaw};
use unfreed_wire::{
    Bucket, Execution, Geometry, Key, MAGIC, Process, Pulse, Session, State, TRAIL_BYTES, Tally,
    Telling, VERSION, Writer,
};

use super::clock::{Stamp, now};
use super::door::Door;
use super::sigbus::Guard;

/// Most frames recorded of a stack.
const MAX_DEPTH: u32 = 192;

/// Threads that are traced at once.
pub(super) const WRITERS: u32 = 512;

/// A large ring holds about 100,000 allocations: the collector may be away for tens of
/// milliseconds, as happens on a busy machine. Only what is used takes memory, but a program
/// that locks all its memory (`mlockall`) gets all of it: see [`MostMemory`].
const GEOMETRY: Geometry = Geometry {
    processes: 4096,
    writers: WRITERS,
    large: 4,
    middle: 28,
    reserved: 0,
    young_buckets: 1 << 14,
    large_bytes: 4 << 20,
    middle_bytes: 1 << 20,
    small_bytes: 128 << 10,
    large_tallies: 4096,
    small_tallies: 128,
};

/// Where the table of young blocks lies: asked for with every block that is told.
const YOUNG_OFFSET: usize = GEOMETRY.young_offset();

/// A session that this process made.
pub(super) struct SessionMemory {
    file: Arc<File>,
    _guard: Guard,
    map: MmapRaw,
    telling: Telling,
}

/// The most memory that a trace can take of a program, in bytes; only what is used is taken.
#[derive(Clone, Copy, Debug, Default)]
pub struct MostMemory {
    /// The session's file.
    pub file: u64,
    /// That, and what the agent keeps beside it.
    pub whole: u64,
    /// What a thread that allocates can take.
    pub thread: u64,
}

impl MostMemory {
    /// Of every session of this build.
    pub fn of_session() -> MostMemory {
        let file = GEOMETRY.file_bytes() as u64;
        let tallies = u64::from(GEOMETRY.large_tallies) * size_of::<Tally>() as u64;
        MostMemory {
            file,
            whole: file + u64::from(GEOMETRY.writers) * TRAIL_BYTES as u64,
            thread: GEOMETRY.large_bytes + tallies + TRAIL_BYTES as u64,
        }
    }
}

/// Index of a writer, below the number of writers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct WriterIndex(pub(super) u32);

impl SessionMemory {
    pub(super) fn create() -> io::Result<SessionMemory> {
        // SAFETY: a valid name; the result is checked and owned by nobody else.
        let file = unsafe {
            let flags = libc::MFD_CLOEXEC | libc::MFD_ALLOW_SEALING;
            let fd = libc::memfd_create(c"unfreed-session".as_ptr(), flags);
            if fd < 0 {
                return Err(io::Error::last_os_error());
            }
            File::from_raw_fd(fd)
        };
        file.set_len(GEOMETRY.file_bytes() as u64)?;
        // A traced program that cut it would end us at our next look.
        const FIXED: libc::c_int = libc::F_SEAL_SHRINK | libc::F_SEAL_GROW | libc::F_SEAL_SEAL;
        // SAFETY: a descriptor of ours; no memory is passed.
        if unsafe { libc::fcntl(file.as_raw_fd(), libc::F_ADD_SEALS, FIXED) } != 0 {
            return Err(io::Error::last_os_error());
        }
        SessionMemory::on(file)
    }

    /// Makes a new, empty file the session: one that the agent finds by another way than
    /// [`SessionMemory::variable`].
    pub(super) fn on(file: File) -> io::Result<SessionMemory> {
        file.set_len(GEOMETRY.file_bytes() as u64)?;
        let map = MmapOptions::new().map_raw(&file)?;
        let start = map.as_ptr() as usize;
        let guard = Guard::over(start..start + map.len());
        let session =
            SessionMemory { file: Arc::new(file), _guard: guard, map, telling: Telling::Survivors };
        let header = Session {
            magic: MAGIC,
            version: VERSION,
            max_depth: MAX_DEPTH,
            geometry: GEOMETRY,
            moments: AtomicU64::new(0),
            claimed_processes: AtomicU32::new(0),
            claimed_writers: AtomicU32::new(0),
            telling: Telling::Survivors as u32,
            reserved: 0,
            sample_mean: 0,
            pulse: Pulse {
                clock: AtomicU64::new(now().0),
                told_word: AtomicU32::new(0),
                closed: AtomicU32::new(0),
            },
        };
        // SAFETY: the mapping begins with the header and nobody else has it yet.
        unsafe { session.map.as_mut_ptr().cast::<Session>().write(header) };
        Ok(session)
    }

    /// The memory itself, to be handed on.
    pub(super) fn file(&self) -> &Arc<File> {
        &self.file
    }

    /// The number of its file: what maps show of it.
    pub(super) fn inode(&self) -> u64 {
        self.file.metadata().map_or(0, |about| about.ino())
    }

    /// What the agent is told: length, the descriptor that any process of this user can open, and
    /// for the others the door.
    pub(super) fn variable(&self, door: Option<&Door>) -> OsString {
        let secret = door.map_or("0".repeat(32), |door| door.secret().to_owned());
        let mut variable = OsString::from(format!(
            "{}:{}:{}:{secret}:",
            GEOMETRY.file_bytes(),
            std::process::id(),
            self.file.as_raw_fd(),
        ));
        variable.push(door.map_or(Path::new(""), Door::path));
        variable
    }

    /// The notes of what is executed.
    pub(super) fn executions(&self) -> impl Iterator<Item = &Execution> {
        (0..Execution::COUNT).map(|index| {
            // SAFETY: inside the header's page, aligned, atomics only.
            unsafe { &*self.map.as_ptr().add(Execution::offset(index)).cast::<Execution>() }
        })
    }

    /// Tells every agent that nobody reads any more.
    pub(super) fn close(&self) {
        self.header().pulse.closed.store(1, Ordering::Release);
    }

    /// Tells every agent the time, which never goes back. Gives what they read from now on.
    pub(super) fn publish(&self, now: Stamp) -> Stamp {
        let before = self.header().pulse.clock.fetch_max(now.0, Ordering::AcqRel);
        Stamp(before.max(now.0))
    }

    /// Says which blocks are to be told. Before anybody has opened it.
    pub(super) fn set_telling(&mut self, telling: Telling, sample_mean: u64) {
        let session = self.map.as_mut_ptr().cast::<Session>();
        // SAFETY: the header lies at the beginning, and nobody else has it yet.
        unsafe {
            (*session).telling = telling as u32;
            (*session).sample_mean = sample_mean;
        }
        self.telling = telling;
    }

    /// Which blocks are told.
    pub(super) fn telling(&self) -> Telling {
        self.telling
    }

    fn header(&self) -> &Session {
        // SAFETY: the header lies at the beginning and is only changed through atomics.
        unsafe { &*self.map.as_ptr().cast::<Session>() }
    }

    /// The processes that have registered so far.
    pub(super) fn processes(&self) -> impl Iterator<Item = (u32, &Process)> {
        let claimed = self.header().claimed_processes.load(Ordering::Acquire);
        (0..claimed.min(GEOMETRY.processes)).map(|index| {
            let offset = GEOMETRY.process_offset(index);
            // SAFETY: inside the mapping, aligned, atomics only.
            (index, unsafe { &*self.map.as_ptr().add(offset).cast::<Process>() })
        })
    }

    /// Whether a process has asked for the entry with this index.
    pub(super) fn is_process(&self, index: u32) -> bool {
        let claimed = self.header().claimed_processes.load(Ordering::Acquire);
        index < claimed.min(GEOMETRY.processes)
    }

    /// How many processes found no entry left.
    pub(super) fn unregistered(&self) -> u32 {
        let claimed = self.header().claimed_processes.load(Ordering::Acquire);
        claimed.saturating_sub(GEOMETRY.processes)
    }

    /// Every writer that was ever claimed.
    pub(super) fn writers(&self) -> impl ExactSizeIterator<Item = (WriterIndex, &Writer)> {
        let claimed = self.header().claimed_writers.load(Ordering::Acquire);
        (0..claimed.min(GEOMETRY.writers) as usize)
            .map(|index| index as u32)
            .map(|index| (WriterIndex(index), self.writer(WriterIndex(index))))
    }

    pub(super) fn writer(&self, index: WriterIndex) -> &Writer {
        let offset = GEOMETRY.writer_offset(index.0.min(GEOMETRY.writers - 1));
        // SAFETY: inside the mapping, aligned, atomics only.
        unsafe { &*self.map.as_ptr().add(offset).cast::<Writer>() }
    }

    /// Bytes of that writer's ring.
    pub(super) fn ring_bytes(&self, index: WriterIndex) -> u64 {
        GEOMETRY.ring_bytes(index.0)
    }

    /// The words of that writer's ring. The traced program may write them at any time, so they are
    /// atomics to us.
    pub(super) fn ring(&self, index: WriterIndex) -> &[AtomicU64] {
        let offset = GEOMETRY.ring_offset(index.0.min(GEOMETRY.writers - 1));
        // SAFETY: inside the mapping, page-aligned; any bits are a valid u64.
        unsafe {
            std::slice::from_raw_parts(
                self.map.as_ptr().add(offset).cast::<AtomicU64>(),
                (GEOMETRY.ring_bytes(index.0) / 8) as usize,
            )
        }
    }
}

impl SessionMemory {
    /// The tallies of that writer that are in use.
    pub(super) fn tallies(&self, index: WriterIndex) -> &[Tally] {
        let used = self.writer(index).tally_mask.load(Ordering::Acquire).saturating_add(1);
        let index = index.0.min(GEOMETRY.writers - 1);
        let offset = GEOMETRY.tallies_offset(index);
        // SAFETY: inside the mapping, aligned to pages; atomics only, for which any bits will do.
        unsafe {
            std::slice::from_raw_parts(
                self.map.as_ptr().add(offset).cast::<Tally>(),
                used.min(GEOMETRY.tallies(index)) as usize,
            )
        }
    }

    /// The bucket of a place.
    pub(super) fn bucket(&self, key: Key) -> &Bucket {
        &self.buckets()[self.bucket_index(key)]
    }

    /// Whether a block of the table lives at this place.
    pub(super) fn is_young(&self, key: Key) -> bool {
        self.bucket(key).keys.iter().any(|word| {
            let seen = Key(word.load(Ordering::Acquire));
            seen.is_at(key) && matches!(seen.state(), State::Live(_))
        })
    }

    /// Its index among all.
    pub(super) fn bucket_index(&self, key: Key) -> usize {
        GEOMETRY.bucket(key.hash())
    }

    /// Which word of a bucket takes new bits from now on.
    pub(super) fn set_told_word(&self, word: usize) {
        self.header().pulse.told_word.store(word as u32, Ordering::Release);
    }

    /// The table of young blocks.
    pub(super) fn buckets(&self) -> &[Bucket] {
        // SAFETY: as above.
        unsafe {
            std::slice::from_raw_parts(
                self.map.as_ptr().add(YOUNG_OFFSET).cast::<Bucket>(),
                GEOMETRY.young_buckets as usize,
            )
        }
    }
}

/// Makes every traced thread pass a full memory barrier: what it wrote before now is visible
/// afterwards. Where the kernel cannot do so (before 4.16), time does: a store becomes visible
/// within far less than the time between two passes.
pub(super) fn barrier() {
    const GLOBAL_EXPEDITED: libc::c_int = 1 << 1;
    // SAFETY: no memory is passed; failure is allowed for.
    unsafe { libc::syscall(libc::SYS_membarrier, GLOBAL_EXPEDITED, 0, 0) };
}
