//! Plain LZ77 (MS-XCA 2.4): what sessions that compress have written in every log seen.

use super::Corrupt;
use super::copy::{again, fresh};

/// Unpacks into `room`, as [`Format::unpack`](super::Format::unpack) says.
///
/// ```text
/// 32 flags in 4 bytes, the uppermost first; each says what comes next:
/// 0: a byte
/// 1: two bytes, distance - 1 (13 bits), length - 3 (3 bits)
///    length 7: half a byte is added, of a byte that the next such length shares
///    half a byte 15: a byte is added
///    byte 255: two bytes stand instead of all that; two bytes 0: four
/// ```
pub(super) fn unpack(packed: &[u8], room: &mut [u8]) -> Result<usize, Corrupt> {
    let mut from = Packed { bytes: packed, at: 0, half: None };
    let mut to = 0;
    // The flags not yet used, from the uppermost on, and their number.
    let (mut flags, mut left) = (0_u32, 0);
    while to < room.len() {
        if left == 0 {
            let Some(next) = from.four() else { break };
            flags = next;
            left = 32;
        }
        // Bytes up to the next match: mostly none to three. Which of these it is nobody can foresee, so none is no
        // case of its own.
        let run = flags.leading_zeros().min(left);
        let length = (run as usize).min(room.len() - to);
        let rest = from.bytes.get(from.at..).unwrap_or(&[]);
        if fresh(room, to, rest, length).is_none() {
            // The last flags may stand for more than there is.
            fresh(room, to, rest, rest.len());
            to += rest.len();
            break;
        }
        from.at += length;
        to += length;
        left -= run;
        if left == 0 {
            continue;
        }
        if to == room.len() || from.at >= packed.len() {
            break;
        }
        let matched = from.matched().and_then(|(back, length)| again(room, to, back, length));
        to = matched.ok_or(Corrupt { length: to })?;
        flags = flags << run << 1;
        left -= 1;
    }
    Ok(to)
}

/// The stored bytes and how far they were used.
struct Packed<'a> {
    bytes: &'a [u8],
    at: usize,
    /// The byte of which the upper half is still to be used.
    half: Option<u8>,
}

impl Packed<'_> {
    /// Distance and length of a match.
    #[inline]
    fn matched(&mut self) -> Option<(usize, usize)> {
        let token = usize::from(self.two()?);
        let length = token & 7;
        let length = if length == 7 { self.long()? } else { length };
        Some(((token >> 3) + 1, length.checked_add(3)?))
    }

    fn long(&mut self) -> Option<usize> {
        let half = match self.half.take() {
            Some(byte) => byte >> 4,
            None => {
                let byte = self.one()?;
                self.half = Some(byte);
                byte & 15
            }
        };
        if half < 15 {
            return Some(7 + usize::from(half));
        }
        match self.one()? {
            255 => {
                let length = match self.two()? {
                    0 => self.four()? as usize,
                    length => length.into(),
                };
                (length >= 15 + 7).then_some(length)
            }
            more => Some(7 + 15 + usize::from(more)),
        }
    }

    #[inline]
    fn one(&mut self) -> Option<u8> {
        let byte = *self.bytes.get(self.at)?;
        self.at += 1;
        Some(byte)
    }

    #[inline]
    fn two(&mut self) -> Option<u16> {
        let bytes = self.bytes.get(self.at..)?.first_chunk()?;
        self.at += 2;
        Some(u16::from_le_bytes(*bytes))
    }

    #[inline]
    fn four(&mut self) -> Option<u32> {
        let bytes = self.bytes.get(self.at..)?.first_chunk()?;
        self.at += 4;
        Some(u32::from_le_bytes(*bytes))
    }
}
