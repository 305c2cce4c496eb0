//! LZ77 with Huffman's code (MS-XCA 2.2).

use super::Corrupt;
use super::copy::again;

/// Length of what one table of codes stands for, unpacked.
const BLOCK: usize = 1 << 16;
/// Length of a table as it is stored: half a byte for each symbol.
const TABLE: usize = 256;
/// The longest code, in bits.
const LONGEST: u32 = 15;

/// Unpacks into `room`, as [`Format::unpack`](super::Format::unpack) says.
///
/// ```text
/// blocks of 64 KiB unpacked, each: 256 bytes: lengths of the codes of 512 symbols, the even ones in the lower halves
///                                  codes in units of 2 bytes, the uppermost bits first, two units ahead:
///   symbol below 256: a byte
///   else:             bits of the distance (upper 4 bits), length - 3 (lower 4 bits), then those bits of the distance
///                     below its uppermost
///     length 15: the next byte is added; 255: two bytes stand instead of both; two bytes 0: four
/// ```
pub(super) fn unpack(packed: &[u8], room: &mut [u8]) -> Result<usize, Corrupt> {
    let mut from = Packed { bytes: packed, at: 0, bits: 0, spare: 0 };
    let mut table = vec![0; 1 << LONGEST];
    let mut to = 0;
    while to < room.len() && from.at < packed.len() {
        let lengths = packed.get(from.at..).and_then(|rest| rest.first_chunk());
        let built = lengths.is_some_and(|lengths| build(lengths, &mut table));
        if !built {
            return Err(Corrupt { length: to });
        }
        from.at += TABLE;
        from.begin().ok_or(Corrupt { length: to })?;
        let end = (to + BLOCK).min(room.len());
        while to < end {
            let code = table.get(from.peek()).copied().unwrap_or(0);
            let symbol = usize::from(code & 0x1ff);
            from.drop(u32::from(code >> 9)).ok_or(Corrupt { length: to })?;
            if let Ok(byte) = u8::try_from(symbol) {
                room[to] = byte;
                to += 1;
                continue;
            }
            let matched = from.matched(symbol - 256);
            let matched = matched.and_then(|(back, length)| again(room, to, back, length));
            to = matched.ok_or(Corrupt { length: to })?;
        }
    }
    Ok(to)
}

/// Fills `table` with a symbol (9 bits) and its code's length for each 15 bits that may come next; `false` where the
/// lengths do not make a whole code.
fn build(lengths: &[u8; TABLE], table: &mut [u16]) -> bool {
    let mut at = 0;
    for length in 1..=LONGEST as u8 {
        let span = 1 << (LONGEST - u32::from(length));
        for (byte, symbol) in lengths.iter().zip((0..).step_by(2)) {
            for (half, symbol) in [(byte & 15, symbol), (byte >> 4, symbol + 1)] {
                if half == length {
                    let Some(entries) = table.get_mut(at..at + span) else { return false };
                    entries.fill(symbol | u16::from(length) << 9);
                    at += span;
                }
            }
        }
    }
    at == table.len()
}

/// The stored bytes and how far they were used.
struct Packed<'a> {
    bytes: &'a [u8],
    at: usize,
    /// The next bits, from the uppermost on.
    bits: u32,
    /// How many of them there are beyond 16; at least 0.
    spare: u32,
}

impl Packed<'_> {
    /// Takes the first bits of a block.
    fn begin(&mut self) -> Option<()> {
        self.bits = u32::from(self.two()?) << 16 | u32::from(self.two()?);
        self.spare = 16;
        Some(())
    }

    #[inline]
    fn peek(&self) -> usize {
        (self.bits >> (32 - LONGEST)) as usize
    }

    /// Drops up to 15 bits.
    #[inline]
    fn drop(&mut self, count: u32) -> Option<()> {
        self.bits <<= count;
        if count <= self.spare {
            self.spare -= count;
            return Some(());
        }
        // The last codes need no more bits than are there; what would be read ahead may be missing.
        let more = match self.bytes.get(self.at..)? {
            [] | [_] => return None,
            _ => self.two()?,
        };
        let short = count - self.spare;
        self.bits |= u32::from(more) << short;
        self.spare = 16 - short;
        Some(())
    }

    /// Distance and length of a match.
    #[inline]
    fn matched(&mut self, symbol: usize) -> Option<(usize, usize)> {
        let mut length = symbol & 15;
        if length == 15 {
            length = match self.one()? {
                255 => {
                    let length = match self.two()? {
                        0 => self.four()? as usize,
                        length => length.into(),
                    };
                    Some(length).filter(|length| *length >= 15)?
                }
                more => 15 + usize::from(more),
            };
        }
        let count = (symbol >> 4) as u32;
        let low = u64::from(self.bits) >> (32 - count);
        self.drop(count)?;
        Some(((1 << count) + low as usize, length.checked_add(3)?))
    }

    fn one(&mut self) -> Option<u8> {
        let byte = *self.bytes.get(self.at)?;
        self.at += 1;
        Some(byte)
    }

    fn two(&mut self) -> Option<u16> {
        let bytes = self.bytes.get(self.at..)?.first_chunk()?;
        self.at += 2;
        Some(u16::from_le_bytes(*bytes))
    }

    fn four(&mut self) -> Option<u32> {
        let bytes = self.bytes.get(self.at..)?.first_chunk()?;
        self.at += 4;
        Some(u32::from_le_bytes(*bytes))
    }
}
