//! Plain LZ77 (MS-XCA 2.4): what sessions that compress have written in every log seen.

use std::hint::select_unpredictable;

use super::Corrupt;
use super::copy::again;

/// Flags of which none is left: the mark of their end alone.
const NONE: u64 = 1 << 63;
/// The most that flags and a match behind them take: 32 bytes, a token, what adds to its length.
const MOST: usize = 32 + 2 + 8;
/// Most bytes that come before a match; so many are copied where fewer are asked for.
const ALL: usize = 32;
const FEW: usize = 16;

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
    let mut from = Packed { bytes: packed, at: 0, flags: NONE, half: 0, halved: false };
    let mut to = from.most(room)?;
    while to < room.len() {
        if from.flags == NONE {
            let Some(next) = from.four() else { break };
            from.flags = flags(next);
        }
        // The last flags may stand for more than there is.
        let Some(next) = packed.get(from.at) else { break };
        if from.flags & NONE == 0 {
            room[to] = *next;
            from.at += 1;
            to += 1;
        } else {
            let matched = from.two().and_then(|token| from.matched(token));
            let matched = matched.and_then(|(back, length)| again(room, to, back, length));
            to = matched.ok_or(Corrupt { length: to })?;
        }
        from.flags <<= 1;
    }
    Ok(to)
}

/// Flags with the mark of their end behind them.
fn flags(next: u32) -> u64 {
    u64::from(next) << 32 | NONE >> 32
}

/// The stored bytes and how far they were used.
struct Packed<'a> {
    bytes: &'a [u8],
    at: usize,
    /// The flags not yet used, from the uppermost on, and behind them the mark of their end.
    flags: u64,
    /// The byte of which the upper half is still to be used, if one is.
    half: u8,
    halved: bool,
}

impl Packed<'_> {
    /// Unpacks up to where not all has room that may come at once, and says where that is.
    fn most(&mut self, room: &mut [u8]) -> Result<usize, Corrupt> {
        let mut to = 0;
        loop {
            if self.flags == NONE {
                let Some(next) = self.four() else { break };
                self.flags = flags(next);
            }
            let next = self.bytes.get(self.at..).and_then(|rest| rest.first_chunk::<MOST>());
            let place = room.get_mut(to..).and_then(|rest| rest.first_chunk_mut::<ALL>());
            let Some((next, place)) = next.zip(place) else { break };
            // Bytes up to the next match: mostly none to three. Which of these it is nobody can foresee, so none is no
            // case of its own, and some are copied that are written over.
            let run = self.flags.leading_zeros() as usize & 63;
            place[..FEW].copy_from_slice(&next[..FEW]);
            if run > FEW {
                place[FEW..ALL].copy_from_slice(&next[FEW..ALL]);
            }
            self.at += run;
            to += run;
            self.flags <<= run;
            if self.flags == NONE {
                continue;
            }
            self.flags <<= 1;
            self.at += 2;
            let token = u16::from_le_bytes([next[run & 31], next[(run & 31) + 1]]);
            let matched = self.matched(token);
            let matched = matched.and_then(|(back, length)| again(room, to, back, length));
            to = matched.ok_or(Corrupt { length: to })?;
        }
        Ok(to)
    }

    /// Distance and length of a match, of which the token was taken.
    #[inline(always)]
    fn matched(&mut self, token: u16) -> Option<(usize, usize)> {
        let token = usize::from(token);
        let length = token & 7;
        let length = if length == 7 { self.long()? } else { length };
        Some(((token >> 3) + 1, length.checked_add(3)?))
    }

    #[inline(always)]
    fn long(&mut self) -> Option<usize> {
        // Every other one has its byte, and what is between them nobody can foresee.
        let next = self.bytes.get(self.at).copied();
        let byte = select_unpredictable(self.halved, Some(self.half >> 4), next)?;
        self.half = byte;
        self.at += usize::from(!self.halved);
        self.halved = !self.halved;
        match byte & 15 {
            15 => self.longer(),
            half => Some(7 + usize::from(half)),
        }
    }

    #[inline(always)]
    fn longer(&mut self) -> Option<usize> {
        let more = *self.bytes.get(self.at)?;
        self.at += 1;
        if more < 255 {
            return Some(7 + 15 + usize::from(more));
        }
        let length = match self.two()? {
            0 => self.four()? as usize,
            length => length.into(),
        };
        (length >= 15 + 7).then_some(length)
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
