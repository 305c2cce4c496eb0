//! The header of a chunk. It is checksummed apart from the chunk's bytes, so that a chunk whose
//! bytes are damaged still says how many events it held and how long it is.

use xxhash_rust::xxh3::xxh3_64;

use super::tags::CHUNK_MAGIC;

/// A chunk header's length.
pub(super) const LEN: usize = 56;

/// The header of a chunk. Integers are little-endian.
///
/// ```text
///  0  4  magic: 89 55 46 43
///  4  1  kind: 1 events, 2 end; others are passed over
///  5  1  compression of the bytes that follow: 0 stored, 1 zstd (one frame)
///  6  2  0
///  8  4  length of the bytes that follow
/// 12  4  their length uncompressed
/// 16  4  number of records in them
/// 20  4  id of the next stack node to be defined
/// 24  8  number of records in all chunks before this one
/// 32  8  time from which the chunk's times are counted
/// 40  8  xxh3-64 of the bytes that follow, as they are stored
/// 48  8  xxh3-64 of bytes 0 to 47
/// 56
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ChunkHeader {
    pub kind: u8,
    pub compression: u8,
    pub stored_len: u32,
    pub plain_len: u32,
    pub events: u32,
    pub next_stack: u32,
    pub first_event: u64,
    pub base_time: u64,
    pub sum: u64,
}

impl ChunkHeader {
    pub fn encode(&self) -> [u8; LEN] {
        let mut bytes = [0; LEN];
        bytes[0..4].copy_from_slice(&CHUNK_MAGIC);
        bytes[4] = self.kind;
        bytes[5] = self.compression;
        bytes[8..12].copy_from_slice(&self.stored_len.to_le_bytes());
        bytes[12..16].copy_from_slice(&self.plain_len.to_le_bytes());
        bytes[16..20].copy_from_slice(&self.events.to_le_bytes());
        bytes[20..24].copy_from_slice(&self.next_stack.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.first_event.to_le_bytes());
        bytes[32..40].copy_from_slice(&self.base_time.to_le_bytes());
        bytes[40..48].copy_from_slice(&self.sum.to_le_bytes());
        let sum = xxh3_64(&bytes[..48]);
        bytes[48..56].copy_from_slice(&sum.to_le_bytes());
        bytes
    }

    /// `None` where the bytes are not a whole chunk header.
    pub fn decode(bytes: &[u8; LEN]) -> Option<Self> {
        let (head, sum) = bytes.split_last_chunk::<8>()?;
        if !head.starts_with(&CHUNK_MAGIC) || xxh3_64(head) != u64::from_le_bytes(*sum) {
            return None;
        }
        let four = |at: usize| Some(u32::from_le_bytes(*head.get(at..)?.first_chunk()?));
        let eight = |at: usize| Some(u64::from_le_bytes(*head.get(at..)?.first_chunk()?));
        Some(Self {
            kind: head[4],
            compression: head[5],
            stored_len: four(8)?,
            plain_len: four(12)?,
            events: four(16)?,
            next_stack: four(20)?,
            first_event: eight(24)?,
            base_time: eight(32)?,
            sum: eight(40)?,
        })
    }

    /// How many records the trace has up to the end of this chunk.
    pub fn end_event(&self) -> u64 {
        self.first_event.saturating_add(self.events.into())
    }
}
