//! Compressors for the three formats, from Microsoft's specification MS-XCA: the reader only unpacks. They take the
//! first match that they find, and know every form that a match can have.

use std::collections::{BinaryHeap, HashMap};

/// What data is made of: a byte, or bytes that came before.
#[derive(Clone, Copy, Debug)]
enum Piece {
    Byte(u8),
    Match { back: usize, length: usize },
}

/// Cuts data into pieces; distances and lengths stay within bounds that depend on where a piece begins.
fn pieces(data: &[u8], bounds: impl Fn(usize) -> (usize, usize)) -> Vec<Piece> {
    let mut seen: HashMap<[u8; 3], usize> = HashMap::new();
    let mut pieces = Vec::new();
    let mut at = 0;
    while at < data.len() {
        let (farthest, longest) = bounds(at);
        let key = data[at..].first_chunk::<3>();
        let from =
            key.and_then(|key| seen.get(key)).filter(|from| at - **from <= farthest).copied();
        let length = from.map_or(0, |from| {
            data[at..].iter().zip(&data[from..]).take(longest).take_while(|(a, b)| a == b).count()
        });
        let step = match from {
            Some(from) if length >= 3 => {
                pieces.push(Piece::Match { back: at - from, length });
                length
            }
            _ => {
                pieces.push(Piece::Byte(data[at]));
                1
            }
        };
        // Within a long match few places are remembered, or this would be slow.
        for place in (at..at + step).take(64) {
            if let Some(key) = data[place..].first_chunk::<3>() {
                seen.insert(*key, place);
            }
        }
        at += step;
    }
    pieces
}

pub fn xpress(data: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    // Where the flags go that are being collected, and the byte with a free upper half.
    let (mut flags_at, mut flags, mut count) = (0, 0_u32, 32);
    let mut half: Option<usize> = None;
    for piece in pieces(data, |_| (8192, usize::MAX)) {
        if count == 32 {
            flags_at = out.len();
            out.extend([0; 4]);
            (flags, count) = (0, 0);
        }
        flags = flags << 1 | u32::from(matches!(piece, Piece::Match { .. }));
        count += 1;
        out[flags_at..flags_at + 4]
            .copy_from_slice(&(flags << (32 - count) | ones(32 - count)).to_le_bytes());
        match piece {
            Piece::Byte(byte) => out.push(byte),
            Piece::Match { back, length } => {
                let length = length - 3;
                let token = (back - 1) << 3 | length.min(7);
                out.extend((token as u16).to_le_bytes());
                if length < 7 {
                    continue;
                }
                let nibble = (length - 7).min(15) as u8;
                match half.take() {
                    Some(at) => out[at] |= nibble << 4,
                    None => {
                        half = Some(out.len());
                        out.push(nibble);
                    }
                }
                if nibble < 15 {
                    continue;
                }
                long(&mut out, length, 7 + 15);
            }
        }
    }
    out
}

fn ones(count: u32) -> u32 {
    1_u32.checked_shl(count).map_or(u32::MAX, |bit| bit - 1)
}

/// The tail of a long match's length, of which `told` stands elsewhere.
fn long(out: &mut Vec<u8>, length: usize, told: usize) {
    if length - told < 255 {
        out.push((length - told) as u8);
    } else if length < 1 << 16 {
        out.push(255);
        out.extend((length as u16).to_le_bytes());
    } else {
        out.push(255);
        out.extend([0; 2]);
        out.extend((length as u32).to_le_bytes());
    }
}

pub fn lznt1(data: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    for chunk in data.chunks(4096) {
        let bits = |at: usize| (4..12).find(|bits| at <= 1 << bits).unwrap_or(12);
        let pieces = pieces(chunk, |at| (1 << bits(at), (1 << (16 - bits(at))) + 2));
        let mut packed = Vec::new();
        let mut at = 0;
        for group in pieces.chunks(8) {
            let flags_at = packed.len();
            packed.push(0);
            for (n, piece) in group.iter().enumerate() {
                match *piece {
                    Piece::Byte(byte) => {
                        packed.push(byte);
                        at += 1;
                    }
                    Piece::Match { back, length } => {
                        packed[flags_at] |= 1 << n;
                        let token = (back - 1) << (16 - bits(at)) | (length - 3);
                        packed.extend((token as u16).to_le_bytes());
                        at += length;
                    }
                }
            }
        }
        let (sign, stored) =
            if packed.len() < chunk.len() { (0xb000, &packed[..]) } else { (0x3000, chunk) };
        out.extend((sign | (stored.len() - 1) as u16).to_le_bytes());
        out.extend(stored);
    }
    out
}

pub fn huffman(data: &[u8]) -> Vec<u8> {
    const BLOCK: usize = 1 << 16;
    let bounds = |at: usize| (BLOCK - 1, BLOCK - at % BLOCK);
    let mut out = Vec::new();
    let mut rest = &pieces(data, bounds)[..];
    while !rest.is_empty() {
        let mut length = 0;
        let end = rest.iter().position(|piece| {
            let full = length == BLOCK;
            length += match piece {
                Piece::Byte(_) => 1,
                Piece::Match { length, .. } => *length,
            };
            full
        });
        let (block, more) = rest.split_at(end.unwrap_or(rest.len()));
        huffman_block(block, &mut out);
        rest = more;
    }
    out
}

fn symbol(piece: Piece) -> usize {
    match piece {
        Piece::Byte(byte) => byte.into(),
        Piece::Match { back, length } => {
            256 + ((back.ilog2() as usize) << 4) + (length - 3).min(15)
        }
    }
}

fn huffman_block(block: &[Piece], out: &mut Vec<u8>) {
    let mut counts = [0_u64; 512];
    for piece in block {
        counts[symbol(*piece)] += 1;
    }
    let lengths = code_lengths(counts);
    out.extend(lengths.chunks(2).map(|two| two[0] | two[1] << 4));
    let mut codes = [0_u32; 512];
    let mut next = 0;
    for length in 1..=15 {
        for (symbol, code) in codes.iter_mut().enumerate() {
            if lengths[symbol] == length {
                *code = next;
                next += 1;
            }
        }
        next <<= 1;
    }
    let mut bits = Bits::new(out);
    for piece in block {
        let symbol = symbol(*piece);
        bits.put(codes[symbol], lengths[symbol].into());
        if let Piece::Match { back, length } = *piece {
            if length - 3 >= 15 {
                long(bits.out, length - 3, 15);
            }
            let count = back.ilog2();
            bits.put(back as u32 - (1 << count), count);
        }
    }
    bits.finish();
}

/// Lengths of at most 15 bits that make a whole code: where the code is deeper, rare symbols are counted as more often.
fn code_lengths(mut counts: [u64; 512]) -> [u8; 512] {
    // A code has at least two symbols.
    for symbol in 0..2 {
        if counts.iter().filter(|count| **count > 0).count() < 2 {
            counts[symbol] = counts[symbol].max(1);
        }
    }
    loop {
        // Nodes by falling count; each is the parent of two, down to the symbols.
        let mut heap: BinaryHeap<(std::cmp::Reverse<u64>, Vec<usize>)> = BinaryHeap::new();
        let mut lengths = [0; 512];
        for (symbol, count) in counts.iter().enumerate().filter(|(_, count)| **count > 0) {
            heap.push((std::cmp::Reverse(*count), vec![symbol]));
        }
        while let (Some((one, mut symbols)), Some((other, more))) = (heap.pop(), heap.pop()) {
            symbols.extend(more);
            symbols.iter().for_each(|symbol| lengths[*symbol] += 1);
            heap.push((std::cmp::Reverse(one.0 + other.0), symbols));
            if heap.len() == 1 {
                break;
            }
        }
        if lengths.iter().all(|length| *length <= 15) {
            return lengths;
        }
        counts.iter_mut().filter(|count| **count > 0).for_each(|count| *count = *count / 2 + 1);
    }
}

/// Bits in units of two bytes, of which two are reserved ahead of what else is written.
struct Bits<'a> {
    out: &'a mut Vec<u8>,
    /// Where the unit goes that is being filled, and the one after it.
    units: [usize; 2],
    filled: u32,
    unit: u32,
}

impl<'a> Bits<'a> {
    fn new(out: &'a mut Vec<u8>) -> Self {
        let at = out.len();
        out.extend([0; 4]);
        Self { out, units: [at, at + 2], filled: 0, unit: 0 }
    }

    fn put(&mut self, bits: u32, count: u32) {
        for n in (0..count).rev() {
            // The reader takes a unit as soon as it needs more than 16 bits beyond those it has used.
            if self.filled == 16 {
                self.flush();
            }
            self.unit = self.unit << 1 | (bits >> n & 1);
            self.filled += 1;
        }
    }

    fn flush(&mut self) {
        let unit = (self.unit << (16 - self.filled)) as u16;
        self.out[self.units[0]..self.units[0] + 2].copy_from_slice(&unit.to_le_bytes());
        self.units = [self.units[1], self.out.len()];
        self.out.extend([0; 2]);
        (self.unit, self.filled) = (0, 0);
    }

    fn finish(&mut self) {
        self.flush();
        // What was reserved beyond what the reader takes.
        let end = self.out.len() - 2;
        self.out.truncate(end);
    }
}
