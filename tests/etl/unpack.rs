//! The three formats of compression: what is packed comes back, and anything else does no harm.

use proptest::prelude::*;
use unfreed::read::etl::{Corrupt, Format};

use super::pack;

/// Packs bytes.
type Pack = fn(&[u8]) -> Vec<u8>;

const FORMATS: [(Format, Pack); 3] = [
    (Format::Lznt1, pack::lznt1),
    (Format::Xpress, pack::xpress),
    (Format::Huffman, pack::huffman),
];

fn comes_back(data: &[u8]) {
    for (format, pack) in FORMATS {
        let packed = pack(data);
        let mut room = vec![0xaa; data.len()];
        assert_eq!(format.unpack(&packed, &mut room), Ok(data.len()), "{format:?}");
        assert!(room == data, "{format:?}");
        // With less room the beginning comes.
        let half = data.len() / 2;
        assert_eq!(format.unpack(&packed, &mut room[..half]), Ok(half), "{format:?}");
        assert!(room[..half] == data[..half], "{format:?}");
    }
}

/// Bytes in which much is repeated, at distances near and far.
fn repetitive() -> impl Strategy<Value = Vec<u8>> {
    let piece = (0..6_usize, prop::collection::vec(any::<u8>(), 1..40), 1..2000_usize);
    prop::collection::vec(piece, 0..60).prop_map(|pieces| {
        let mut bytes: Vec<u8> = Vec::new();
        for (kind, fresh, length) in pieces {
            match kind {
                0 => bytes.extend(fresh),
                1 => bytes.extend(std::iter::repeat_n(fresh[0], length)),
                2 => bytes.extend(fresh.iter().cycle().take(length)),
                _ => {
                    let back = (length * 31 % 9000).min(bytes.len());
                    let from = bytes.len() - back;
                    bytes.extend_from_within(from..(from + length / 4).min(bytes.len()));
                }
            }
        }
        bytes
    })
}

proptest! {
    #[test]
    fn what_is_packed_comes_back(data in repetitive()) {
        comes_back(&data);
    }

    #[test]
    fn any_bytes_come_back(data: Vec<u8>) {
        comes_back(&data);
    }

    #[test]
    fn any_bytes_do_no_harm(data in prop::collection::vec(any::<u8>(), 0..2000), room in 0..100_000_usize) {
        for (format, _) in FORMATS {
            let mut room = vec![0; room];
            match format.unpack(&data, &mut room) {
                Ok(length) | Err(Corrupt { length }) => prop_assert!(length <= room.len()),
            }
        }
    }

    #[test]
    fn damage_leaves_what_was_before_it(data in repetitive(), place: prop::sample::Index, bit in 0..8_u32) {
        for (format, pack) in FORMATS {
            let mut packed = pack(&data);
            if packed.is_empty() {
                continue;
            }
            let place = place.index(packed.len());
            packed[place] ^= 1_u8 << bit;
            let mut room = vec![0; data.len()];
            let (Ok(length) | Err(Corrupt { length })) = format.unpack(&packed, &mut room);
            prop_assert!(length <= data.len());
            // Cut instead, nothing is wrong that is unpacked.
            let (Ok(length) | Err(Corrupt { length })) = format.unpack(&packed[..place], &mut room);
            // (The code of Huffman reads up to four bytes ahead.)
            prop_assert!(room[..length] == data[..length], "{:?}", format);
        }
    }
}

#[test]
fn every_length_of_a_match_comes_back() {
    let lengths =
        (3..40).chain([272, 273, 274, 275, 276, 277, 278, 279, 280, 281, 282, 4095, 4096]);
    for length in lengths.chain([65_535, 65_536, 65_537, 65_538, 65_539, 70_000, 200_000]) {
        for period in [1, 2, 3, 15, 16, 17] {
            let data: Vec<u8> = (0..period).cycle().take(period as usize + length).collect();
            comes_back(&data);
        }
    }
}

/// The examples of the specification (MS-XCA 3.1 and 3.2).
#[test]
fn the_examples_of_the_specification() {
    let alphabet = b"abcdefghijklmnopqrstuvwxyz";
    let abc = b"abc".repeat(100);
    let packed = [&[0x3f, 0, 0, 0][..], alphabet].concat();
    check(Format::Xpress, &packed, alphabet);
    let packed = [0xff, 0xff, 0xff, 0x1f, b'a', b'b', b'c', 0x17, 0, 0x0f, 0xff, 0x26, 0x01];
    check(Format::Xpress, &packed, &abc);

    let mut packed = vec![0; 256];
    packed[0x30] = 0x50;
    packed[0x31..0x3b].fill(0x55);
    packed[0x3b..0x3e].copy_from_slice(&[0x45, 0x44, 0x04]);
    packed[0x80] = 4;
    packed.extend([0xd8, 0x52, 0x3e, 0xd7, 0x94, 0x11, 0x5b, 0xe9, 0x19, 0x5f]);
    packed.extend([0xf9, 0xd6, 0x7c, 0xdf, 0x8d, 0x04, 0, 0, 0, 0]);
    check(Format::Huffman, &packed, alphabet);
    let mut packed = vec![0; 256];
    packed[0x30] = 0x30;
    packed[0x31] = 0x23;
    packed[0x80] = 2;
    packed[0x8f] = 0x20;
    packed.extend([0xa8, 0xdc, 0, 0, 0xff, 0x26, 0x01]);
    check(Format::Huffman, &packed, &abc);
}

fn check(format: Format, packed: &[u8], expected: &[u8]) {
    let mut room = vec![0; expected.len()];
    assert_eq!(format.unpack(packed, &mut room), Ok(expected.len()), "{format:?}");
    assert_eq!(room, expected, "{format:?}");
}

/// The sentence of the specification's example for LZNT1 (3.3).
#[test]
fn lznt1_by_the_specification() {
    let text = b"F# F# G A A G F# E D D E F# F# E E F# F# G A A G F# E D D E F# E D D E E F# D E \
        F# G F# D E F# G F# E D E A F# F# G A A G F# E D D E F# E D D\0";
    let packed = [
        0x38, 0xb0, 0x88, 0x46, 0x23, 0x20, 0x00, 0x20, 0x47, 0x20, 0x41, 0x00, 0x10, 0xa2, 0x47,
        0x01, 0xa0, 0x45, 0x20, 0x44, 0x00, 0x08, 0x45, 0x01, 0x50, 0x79, 0x00, 0xc0, 0x45, 0x20,
        0x05, 0x24, 0x13, 0x88, 0x05, 0xb4, 0x02, 0x4a, 0x44, 0xef, 0x03, 0x58, 0x02, 0x8c, 0x09,
        0x16, 0x01, 0x48, 0x45, 0x00, 0xbe, 0x00, 0x9e, 0x00, 0x04, 0x01, 0x18, 0x90, 0x00,
    ];
    check(Format::Lznt1, &packed, text);
}

/// Room that was used before is passed in again.
#[test]
fn what_is_missing_in_a_chunk_of_lznt1_is_zeros() {
    let packed = [2, 0x30, b'a', b'b', b'c', 0, 0x30, b'd'];
    let mut room = [0xaa; 4098];
    assert_eq!(Format::Lznt1.unpack(&packed, &mut room), Ok(4097));
    assert_eq!(room[..5], *b"abc\0\0");
    assert_eq!(room[4094..], *b"\0\0d\xaa");
}
