//! LZNT1 (MS-XCA 2.5).

use super::Corrupt;
use super::copy::again;

/// A chunk's length unpacked; only the last may be shorter.
const CHUNK: usize = 4096;

/// Unpacks into `room`, as [`Format::unpack`](super::Format::unpack) says.
///
/// ```text
/// chunks, each: header, 2 bytes: length of what follows - 1 (12 bits), 3 (3 bits), whether it is compressed (1 bit)
///               plain, or groups of up to 8: a byte of flags, the lowest first; each says what comes next:
///               0: a byte
///               1: two bytes: distance - 1, in the upper 4 to 12 bits, as few as are enough for the chunk so far;
///                  length - 3 in the others
/// a header of 0 ends them
/// ```
pub(super) fn unpack(packed: &[u8], room: &mut [u8]) -> Result<usize, Corrupt> {
    let mut rest = packed;
    let mut to = 0;
    while to < room.len() {
        let Some((header, after)) = rest.split_first_chunk::<2>() else { break };
        let header = u16::from_le_bytes(*header);
        if header == 0 {
            break;
        }
        // Where a chunk is short and others follow, what is missing is zeros.
        let start = to.next_multiple_of(CHUNK).min(room.len());
        if let Some(missing) = room.get_mut(to..start) {
            missing.fill(0);
        }
        to = start;
        let length = usize::from(header & 0xfff) + 1;
        let (data, after) = after.split_at(length.min(after.len()));
        let end = (to + CHUNK).min(room.len());
        let Some(chunk) = room.get_mut(to..end) else { break };
        let unpacked = if header & 0x8000 == 0 { plain(data, chunk) } else { groups(data, chunk) };
        match unpacked {
            Ok(length) => to += length,
            Err(Corrupt { length }) => return Err(Corrupt { length: to + length }),
        }
        if data.len() < length {
            return Err(Corrupt { length: to });
        }
        rest = after;
    }
    Ok(to)
}

fn plain(data: &[u8], chunk: &mut [u8]) -> Result<usize, Corrupt> {
    let length = data.len().min(chunk.len());
    chunk[..length].copy_from_slice(&data[..length]);
    Ok(length)
}

fn groups(data: &[u8], chunk: &mut [u8]) -> Result<usize, Corrupt> {
    let mut from = data.iter();
    let mut to = 0;
    while let Some(flags) = from.next() {
        for n in 0..8 {
            if to == chunk.len() {
                return Ok(to);
            }
            let Some(first) = from.next() else { return Ok(to) };
            if flags >> n & 1 == 0 {
                chunk[to] = *first;
                to += 1;
                continue;
            }
            let matched = from.next().and_then(|second| {
                let token = u16::from_le_bytes([*first, *second]);
                let bits = distance_bits(to);
                let back = usize::from(token >> (16 - bits)) + 1;
                let length = usize::from(token & (0xffff >> bits)) + 3;
                again(chunk, to, back, length)
            });
            to = matched.ok_or(Corrupt { length: to })?;
        }
    }
    Ok(to)
}

/// How many bits a distance takes where so much of the chunk was unpacked.
fn distance_bits(unpacked: usize) -> u32 {
    (usize::BITS - unpacked.saturating_sub(1).leading_zeros()).clamp(4, 12)
}
