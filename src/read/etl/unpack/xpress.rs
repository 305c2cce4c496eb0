//! Plain LZ77 (MS-XCA 2.4): what sessions that compress have written in every log seen.

use super::Corrupt;
use super::copy::again;

/// Flags of which none is left: the mark of their end alone.
const NONE: u64 = 1 << 63;

/// So many bytes are copied where fewer are asked for: a call would take longer.
const WIDE: usize = 16;

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
    // The flags not yet used, from the uppermost on, and behind them the mark of their end.
    let mut flags = NONE;
    while to < room.len() {
        if flags == NONE {
            let Some(next) = from.four() else { break };
            flags = u64::from(next) << 32 | NONE >> 32;
        }
        // Bytes up to the next match: mostly none to three. Which of these it is nobody can foresee, so none is no
        // case of its own, and some are copied that are written over.
        let run = flags.leading_zeros() as usize;
        if run < WIDE
            && let Some((bytes, token)) = from.ahead(run)
            && let Some(place) = room.get_mut(to..to + WIDE)
        {
            place.copy_from_slice(bytes);
            from.at += run;
            to += run;
            flags <<= run;
            if flags == NONE {
                continue;
            }
            from.at += 2;
            let matched =
                from.matched(token).and_then(|(back, length)| again(room, to, back, length));
            to = matched.ok_or(Corrupt { length: to })?;
        } else {
            let rest = packed.get(from.at..).unwrap_or(&[]);
            let length = run.min(room.len() - to);
            // The last flags may stand for more than there is.
            let there = length.min(rest.len());
            room[to..to + there].copy_from_slice(&rest[..there]);
            to += there;
            if there < length {
                break;
            }
            from.at += length;
            flags <<= run;
            if flags == NONE {
                continue;
            }
            if to == room.len() || from.at >= packed.len() {
                break;
            }
            let matched = from.two().and_then(|token| from.matched(token));
            let matched = matched.and_then(|(back, length)| again(room, to, back, length));
            to = matched.ok_or(Corrupt { length: to })?;
        }
        flags <<= 1;
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
    /// The next bytes, and the token behind the first `run` of them, which must be fewer; `None` near the end.
    #[inline]
    fn ahead(&self, run: usize) -> Option<(&[u8], u16)> {
        let next: &[u8; WIDE + 1] = self.bytes.get(self.at..)?.first_chunk()?;
        Some((next.get(..WIDE)?, u16::from_le_bytes([*next.get(run)?, *next.get(run + 1)?])))
    }

    /// Distance and length of a match, of which the token was taken.
    #[inline]
    fn matched(&mut self, token: u16) -> Option<(usize, usize)> {
        let token = usize::from(token);
        let length = token & 7;
        let length = if length == 7 { self.long()? } else { length };
        Some(((token >> 3) + 1, length.checked_add(3)?))
    }

    #[inline]
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
