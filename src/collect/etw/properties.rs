//! What a session is asked for, as the bytes of an `EVENT_TRACE_PROPERTIES`, names and extension behind it.
//!
//! It is built as bytes, so that every field can be compared with a golden block on any system; a test on Windows compares
//! offsets and length with those of the structure itself.

use super::extension::{extension, hook};

/// A GUID as it lies in memory.
pub type Guid = [u8; 16];

/// The class of heap records: `222962ab-6180-4b88-a825-346b75f2a24a`. A session with this identity traces heaps.
pub const HEAP: Guid = [
    0xab, 0x62, 0x29, 0x22, 0x80, 0x61, 0x88, 0x4b, 0xa8, 0x25, 0x34, 0x6b, 0x75, 0xf2, 0xa2, 0x4a,
];

/// The identity of the kernel's logger: `9e814aad-3204-11d2-9a82-006008a86939`.
pub const SYSTEM: Guid = [
    0xad, 0x4a, 0x81, 0x9e, 0x04, 0x32, 0xd2, 0x11, 0x9a, 0x82, 0x00, 0x60, 0x08, 0xa8, 0x69, 0x39,
];

/// The name that the kernel's logger must have before Windows 8.
pub const KERNEL_LOGGER: &str = "NT Kernel Logger";

/// Length of the structure itself; both names and the extension follow.
pub const LEN: usize = 120;

/// Where it says where the names are: behind a handle, which is as wide as our own pointers.
pub const NAMES_SAID_AT: usize = 0x68 + size_of::<usize>();

/// Room for a name, in bytes: 1,024 characters, as Windows allows.
const NAME: usize = 2048;

/// Where a name and what follows it begin.
const NAME_AT: usize = LEN;
const FILE_AT: usize = NAME_AT + NAME;
const EXTENSION_AT: usize = FILE_AT + NAME;

/// `WNODE_FLAG_TRACED_GUID`: the identity is a session's.
const TRACED_GUID: u32 = 0x0002_0000;
/// Times are those of `QueryPerformanceCounter`.
const QPC: u32 = 1;
/// `EVENT_TRACE_FLAG_EXT_ITEMS`: the rest is where the extension begins.
const EXT_ITEMS: u32 = 0x80ff_0000;

const REAL_TIME_MODE: u32 = 0x0000_0100;
/// `EVENT_TRACE_SYSTEM_LOGGER_MODE`: one of the eight kernel loggers of Windows 8 and later.
const SYSTEM_LOGGER_MODE: u32 = 0x0200_0000;

/// Processes, threads (whose ends say that a number is free) and images.
const PROCESS: u32 = 1;
const THREAD: u32 = 2;
const IMAGE_LOAD: u32 = 4;

/// Offsets of what Windows fills in.
pub mod at {
    /// Events lost.
    pub const EVENTS_LOST: usize = 88;
    /// Buffers lost on their way to a file.
    pub const LOG_BUFFERS_LOST: usize = 96;
    /// Buffers lost on their way to us.
    pub const REAL_TIME_BUFFERS_LOST: usize = 100;
}

/// What does not fit into a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// So many processes.
    #[error("a heap session traces at most 8 processes at once, not {0}")]
    Pids(usize),
    /// So many hooks.
    #[error("a session takes stacks of at most 256 kinds of record, not {0}")]
    Hooks(usize),
    /// The name.
    #[error("a session's name has at most 1,023 characters")]
    Name,
}

/// Buffers of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Buffers {
    /// Size of each in KiB.
    pub kib: u32,
    /// How many at first.
    pub least: u32,
    /// How many at most.
    pub most: u32,
}

impl Buffers {
    /// Of a heap session, which loses events as soon as they are few: half a GiB at most.
    pub const HEAP: Buffers = Buffers { kib: 1024, least: 64, most: 512 };
    /// Of the other.
    pub const SYSTEM: Buffers = Buffers { kib: 256, least: 16, most: 64 };
}

/// The properties of a session that traces the heaps of some processes. With none it traces those whose program has its
/// tracing flag set in the registry.
///
/// # Errors
/// See [`Unfit`].
pub fn heap(name: &str, pids: &[u32], buffers: Buffers) -> Result<Vec<u8>, Unfit> {
    // Of whatever makes a block: who frees one is not told.
    let hooks = [hook::HEAP_CREATE, hook::HEAP_ALLOC, hook::HEAP_REALLOC];
    // PerfView asks for process 0 where it goes by name.
    let pids = if pids.is_empty() { &[0][..] } else { pids };
    let extension = extension(pids, &hooks)?;
    let flags = EXT_ITEMS | EXTENSION_AT as u32;
    block(name, HEAP, REAL_TIME_MODE, flags, buffers, &extension)
}

/// The properties of a session of the kernel's: processes, threads and images. `shared` where Windows has only one such
/// logger (before Windows 8), which must be called [`KERNEL_LOGGER`].
///
/// # Errors
/// See [`Unfit`].
pub fn system(name: &str, shared: bool, buffers: Buffers) -> Result<Vec<u8>, Unfit> {
    let flags = PROCESS | THREAD | IMAGE_LOAD;
    if shared {
        return block(KERNEL_LOGGER, SYSTEM, REAL_TIME_MODE, flags, buffers, &[]);
    }
    // A logger of its own has an identity of its own, which Windows makes up.
    block(name, [0; 16], REAL_TIME_MODE | SYSTEM_LOGGER_MODE, flags, buffers, &[])
}

/// An empty block for asking about, or stopping, a session by name.
///
/// # Errors
/// See [`Unfit`].
pub fn about(name: &str) -> Result<Vec<u8>, Unfit> {
    block(name, [0; 16], 0, 0, Buffers { kib: 0, least: 0, most: 0 }, &[])
}

/// ```text
/// WNODE_HEADER                          EVENT_TRACE_PROPERTIES
/// 00  4  length of all                  30  4  size of buffers, KiB
/// 04  4  0                              34  4  least buffers
/// 08  8  filled in: the session         38  4  most buffers
/// 10  8  filled in: the time            3c  4  largest file, 0
/// 18 10  identity                       40  4  mode
/// 28  4  clock: 1                       44  4  seconds after which buffers are flushed
/// 2c  4  flags                          48  4  enable flags
///                                       4c  4  0
///                                       50 18  filled in: buffers, losses
///                                       68  8  filled in: thread
///                                       70  4  where the file's name is; none
///                                       74  4  where the name is
/// ```
///
/// In a program of 32 bits the thread takes four bytes, and what follows lies four bytes earlier.
fn block(
    name: &str,
    identity: Guid,
    mode: u32,
    flags: u32,
    buffers: Buffers,
    extension: &[u8],
) -> Result<Vec<u8>, Unfit> {
    let name: Vec<u8> = name.encode_utf16().flat_map(u16::to_le_bytes).collect();
    if name.len() + 2 > NAME {
        return Err(Unfit::Name);
    }
    let len = EXTENSION_AT + extension.len();
    let mut bytes = vec![0; len];
    let mut put = |at: usize, value: &[u8]| {
        if let Some(place) = bytes.get_mut(at..at + value.len()) {
            place.copy_from_slice(value);
        }
    };
    put(0x00, &(len as u32).to_le_bytes());
    put(0x18, &identity);
    put(0x28, &QPC.to_le_bytes());
    put(0x2c, &TRACED_GUID.to_le_bytes());
    put(0x30, &buffers.kib.to_le_bytes());
    put(0x34, &buffers.least.to_le_bytes());
    put(0x38, &buffers.most.to_le_bytes());
    put(0x40, &mode.to_le_bytes());
    put(0x44, &1u32.to_le_bytes());
    put(0x48, &flags.to_le_bytes());
    // Of a session without a file this must be 0, and of a query it is where the name would be put.
    let file_at = if mode == 0 { FILE_AT as u32 } else { 0 };
    put(NAMES_SAID_AT, &file_at.to_le_bytes());
    put(NAMES_SAID_AT + 4, &(NAME_AT as u32).to_le_bytes());
    put(NAME_AT, &name);
    put(EXTENSION_AT, extension);
    Ok(bytes)
}

/// What was lost so far, by what Windows filled in: events, and buffers.
pub fn lost(block: &[u8]) -> (u32, u32) {
    let four = |at: usize| {
        let bytes = block.get(at..).and_then(|rest| rest.first_chunk());
        u32::from_le_bytes(bytes.copied().unwrap_or_default())
    };
    let buffers = four(at::LOG_BUFFERS_LOST).saturating_add(four(at::REAL_TIME_BUFFERS_LOST));
    (four(at::EVENTS_LOST), buffers)
}

/// Whether Windows filled a block in: a session that runs has buffers.
pub fn is_filled_in(block: &[u8]) -> bool {
    block.get(0x30..0x34).is_some_and(|size| size != [0; 4])
}

#[cfg(all(test, target_pointer_width = "64"))]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn hex(bytes: &[u8]) -> Vec<String> {
        let line = |line: &[u8]| line.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        bytes.chunks(8).map(line).collect()
    }

    #[test]
    fn a_heap_session() {
        let bytes = heap("unfreed heap", &[0x1234], Buffers::HEAP).unwrap();
        assert_eq!(bytes.len(), 0x78 + 2 * 0x800 + 28);
        let golden = [
            "9410000000000000", // length
            "0000000000000000",
            "0000000000000000",
            "ab6229228061884b", // the class of heaps
            "a825346b75f2a24a",
            "0100000000000200", // clock, WNODE_FLAG_TRACED_GUID
            "0004000040000000", // 1 MiB each, 64 of them
            "0002000000000000", // to 512
            "0001000001000000", // real time, flushed every second
            "7810ff8000000000", // the extension lies at 0x1078
            "0000000000000000",
            "0000000000000000",
            "0000000000000000",
            "0000000000000000",
            "0000000078000000", // no file; the name
        ];
        assert_eq!(hex(&bytes[..LEN]), golden);
        assert_eq!(&bytes[0x78..0x78 + 26], b"u\0n\0f\0r\0e\0e\0d\0 \0h\0e\0a\0p\0\0\0");
        let extension = ["0700020002000200", "3412000004000300", "2010000021100000", "22100000"];
        assert_eq!(hex(&bytes[0x1078..]), extension);
    }

    #[test]
    fn no_process_by_number() {
        let bytes = heap("x", &[], Buffers::HEAP).unwrap();
        let extension = ["0700020002000200", "0000000004000300", "2010000021100000", "22100000"];
        assert_eq!(hex(&bytes[0x1078..]), extension);
    }

    #[test]
    fn a_kernel_session_of_its_own_and_the_shared_one() {
        let own = system("unfreed system", false, Buffers::SYSTEM).unwrap();
        assert_eq!(own.len(), 0x1078);
        assert_eq!(own[0x18..0x28], [0; 16]);
        assert_eq!(own[0x40..0x44], [0, 1, 0, 2]);
        assert_eq!(own[0x48..0x4c], [7, 0, 0, 0]);
        let shared = system("unfreed system", true, Buffers::SYSTEM).unwrap();
        assert_eq!(shared[0x18..0x28], SYSTEM);
        assert_eq!(shared[0x40..0x44], [0, 1, 0, 0]);
        assert_eq!(&shared[0x78..0x7e], b"N\0T\0 \0");
    }

    #[test]
    fn a_question_has_room_for_both_names() {
        let bytes = about("unfreed heap").unwrap();
        assert_eq!(hex(&bytes[0x70..0x78]), ["7808000078000000"]);
        assert_eq!(lost(&bytes), (0, 0));
    }

    #[test]
    fn what_was_lost_is_what_windows_filled_in() {
        let mut bytes = about("x").unwrap();
        bytes[88] = 3;
        bytes[96] = 4;
        bytes[100] = 5;
        assert_eq!(lost(&bytes), (3, 9));
        assert_eq!(lost(&[]), (0, 0));
        assert!(!is_filled_in(&bytes) && !is_filled_in(&[]));
        bytes[0x31] = 4;
        assert!(is_filled_in(&bytes));
    }

    #[test]
    fn a_name_too_long_is_refused() {
        assert!(about(&"x".repeat(1023)).is_ok());
        assert_eq!(about(&"x".repeat(1024)), Err(Unfit::Name));
    }
}
