//! Damaged logs: what could be read, and counted faults with their places.

use std::io::Cursor;

use proptest::prelude::*;
use unfreed::read::etl::Log;

use super::synth::{self, About, FIRST, Packing};
use super::{sought, streamed};

const SIZE: usize = 1104;

/// Five buffers, of two processors in turn, each with 20 records of 48 bytes; the header is a sixth.
pub fn log(packing: Option<Packing>) -> Vec<u8> {
    let about = About { written: 6, packing, buffer: SIZE as u32, ..About::default() };
    let mut bytes = synth::first(&about);
    for number in 0..5 {
        let records: Vec<u8> = (0..20)
            .flat_map(|n| {
                synth::system(2, 0x1021, 5, 6, FIRST + 100 * number + n, b"sixteen bytes...")
            })
            .collect();
        let processor = number as u16 % 2;
        bytes.extend(match packing {
            Some(packing) => synth::packed(processor, &records, packing),
            None => synth::buffer(processor, 0, &records, SIZE as u32),
        });
    }
    bytes
}

const PACKINGS: [Option<Packing>; 4] =
    [None, Some(Packing::Xpress), Some(Packing::Lznt1), Some(Packing::Huffman)];

#[test]
fn a_log_cut_anywhere_is_read_up_to_there() {
    for packing in PACKINGS {
        let whole = log(packing);
        let all = streamed(&whole).records;
        assert_eq!(all.len(), 101);
        let mut last = 0;
        for cut in SIZE..=whole.len() {
            let told = streamed(&whole[..cut]);
            assert_eq!(told.records, all[..told.records.len()], "{packing:?}, cut at {cut}");
            assert!(told.records.len() >= last, "{packing:?}, cut at {cut}");
            last = told.records.len();
            if packing.is_none() {
                let within =
                    (cut % SIZE).checked_sub(0x48).map_or(0, |within| (within / 48).min(20));
                assert_eq!(last, 1 + (cut / SIZE - 1) * 20 + within, "cut at {cut}");
            }
            assert_eq!(told.faults.is_empty(), cut == whole.len(), "{packing:?}, cut at {cut}");
            if cut % 7 == 0 {
                assert_eq!(told, sought(&whole[..cut]), "{packing:?}, cut at {cut}");
            }
        }
        assert_eq!(last, 101);
    }
}

#[test]
fn a_cut_is_told() {
    let whole = log(None);
    let check = |cut: usize, faults: &[&str]| {
        for told in [streamed(&whole[..cut]), sought(&whole[..cut])] {
            assert_eq!(told.faults, faults, "cut at {cut}");
        }
    };
    let within = "offset 3312: the log ends within a buffer";
    let before = "the log ends before a buffer that it says was written";
    check(3 * SIZE, &[&format!("offset 3312: {before} (3 times)")]);
    check(3 * SIZE + 1, &["offset 3312: the log ends within a buffer's header"]);
    let third = 3 * SIZE + 0x48;
    check(third + 48, &[within, &format!("offset 3432: {before} (2 times)")]);
    check(third + 50, &[within, &format!("offset 3434: {before} (2 times)")]);
    // Nothing but filling is missing.
    check(whole.len() - 1, &["offset 5520: the log ends within a buffer"]);
}

#[test]
fn zeroed_buffers_are_passed_over() {
    for number in 1..=5 {
        let mut bytes = log(None);
        bytes[number * SIZE..(number + 1) * SIZE].fill(0);
        for told in [streamed(&bytes), sought(&bytes)] {
            let place = number * SIZE;
            let what = "zeros where a buffer should begin: passed over";
            assert_eq!(told.faults, [format!("offset {place}: {what}")]);
            assert_eq!((told.records.len(), told.counts.unread), (81, SIZE as u64));
        }
    }
}

#[test]
fn zeros_behind_the_last_buffer_are_room_laid_out_in_advance() {
    let whole = log(None);
    let bytes = [&whole[..], &[0; 3 * SIZE]].concat();
    for told in [streamed(&bytes), sought(&bytes)] {
        assert_eq!(told.faults, [""; 0]);
        assert_eq!(told.counts.padding, streamed(&whole).counts.padding + 3 * SIZE as u64);
    }
}

#[test]
fn reading_goes_on_behind_bytes_that_are_no_buffer() {
    for packing in PACKINGS {
        let whole = log(packing);
        for length in [1, 8, 1000, 70_000] {
            let noise: Vec<u8> = (0..length).map(|n| (n * 7 + n / 251) as u8 | 0x80).collect();
            let bytes = [&whole[..SIZE], &noise, &whole[SIZE..]].concat();
            for told in [streamed(&bytes), sought(&bytes)] {
                assert_eq!(told.records.len(), 101, "{packing:?}, {length}");
                let what = "no buffer begins where one should: passed over";
                assert_eq!(told.faults, [format!("offset 1104: {what}")]);
                assert_eq!(told.counts.unread, length as u64);
            }
        }
    }
}

#[test]
fn a_damaged_record_costs_the_rest_of_its_buffer() {
    for (at, byte) in [(2, 99), (3, 0x40), (4, 8), (5, 0xff)] {
        let mut bytes = log(None);
        let place = 2 * SIZE + 0x48 + 5 * 48;
        bytes[place + at] = byte;
        for told in [streamed(&bytes), sought(&bytes)] {
            let what = "no record where one should be: the rest of its buffer is lost";
            assert_eq!(told.faults, [format!("offset {place}: {what}")]);
            assert_eq!((told.records.len(), told.counts.unread), (86, 15 * 48));
        }
    }
}

#[test]
fn a_buffer_that_cannot_be_unpacked_gives_what_was_before_the_damage() {
    for packing in [Packing::Xpress, Packing::Lznt1] {
        let mut bytes = log(Some(packing));
        let second = SIZE + u32::from_le_bytes(*bytes[SIZE..].first_chunk().unwrap()) as usize;
        let size = u32::from_le_bytes(*bytes[second..].first_chunk().unwrap()) as usize;
        // A distance that reaches before the buffer, or a length that is none.
        bytes[second + 0x48 + (size - 0x48) / 2..second + size].fill(0xff);
        let told = streamed(&bytes);
        assert_eq!(told.faults.len(), 1, "{packing:?} {:?}", told.faults);
        assert!(told.faults[0].starts_with(&format!("offset {second}: ")), "{:?}", told.faults);
        assert!((82..101).contains(&told.records.len()), "{packing:?} {}", told.records.len());
    }
}

#[test]
fn a_format_that_is_not_known_is_told() {
    let mut bytes = log(Some(Packing::Xpress));
    bytes[0x2c] = 9;
    let told = streamed(&bytes);
    assert_eq!(told.records.len(), 1);
    assert!(
        told.faults[0].ends_with("a compressed buffer cannot be unpacked to its end (5 times)")
    );
}

/// Sizes and ends that cannot be, in every field and place of a header.
#[test]
fn a_wrong_buffer_header_costs_no_more_than_its_buffer() {
    for at in [0, 1, 2, 3, 0x30, 0x31, 0x32, 0x33, 0x35, 0x37] {
        for byte in [0, 1, 0x0f, 0x80, 0xff] {
            let mut bytes = log(None);
            let place = 2 * SIZE + at;
            if bytes[place] == byte {
                continue;
            }
            bytes[place] = byte;
            for told in [streamed(&bytes), sought(&bytes)] {
                assert!(told.records.len() >= 81, "{at:#x} {byte:#x}: {}", told.records.len());
                assert!(
                    told.records.len() == 101 || !told.faults.is_empty(),
                    "{at:#x} {byte:#x}: {} records, {:?}",
                    told.records.len(),
                    told.faults
                );
            }
        }
    }
}

fn drained(bytes: &[u8]) -> Option<usize> {
    let mut count = 0;
    if let Ok(mut log) = Log::new(bytes) {
        while log.next().unwrap().is_some() {
            count += 1;
        }
    }
    let mut sought = 0;
    let mut log = Log::seekable(Cursor::new(bytes)).ok()?;
    while log.next().unwrap().is_some() {
        sought += 1;
    }
    assert_eq!(count, sought);
    Some(count)
}

proptest! {
    #[test]
    fn flipped_bits_do_no_harm(
        flips in prop::collection::vec((any::<prop::sample::Index>(), 0..8_u32), 1..20),
        packing in prop::sample::select(&PACKINGS[..]),
    ) {
        let mut bytes = log(packing);
        for (place, bit) in flips {
            let place = place.index(bytes.len());
            bytes[place] ^= 1 << bit;
        }
        drained(&bytes);
    }

    #[test]
    fn any_bytes_behind_the_first_buffer_do_no_harm(noise: Vec<u8>, packing in prop::sample::select(&PACKINGS[..])) {
        let bytes = [synth::first(&About { packing, ..About::default() }), noise].concat();
        prop_assert!(drained(&bytes).is_some());
    }

    #[test]
    fn any_bytes_do_no_harm(bytes: Vec<u8>) {
        drained(&bytes);
    }
}

/// A few bytes must not cost what they claim to unpack to.
#[test]
fn many_small_buffers_that_claim_to_be_large_take_no_time() {
    const LARGEST: u32 = 16 << 20;
    let about = About { buffer: LARGEST, packing: Some(Packing::Xpress), ..About::default() };
    let mut bytes = synth::first(&about);
    let mut small =
        synth::packed(0, &synth::system(2, 0x1021, 5, 6, FIRST, &[0; 8]), Packing::Xpress);
    small[0x30..0x34].copy_from_slice(&LARGEST.to_le_bytes());
    bytes.extend(small.repeat(20_000));
    let told = streamed(&bytes);
    assert_eq!((told.counts.buffers, told.records.len()), (20_001, 20_001));
    // A match that repeats one byte for ever.
    let mut bytes = synth::first(&about);
    let length = 0x48 + 4 + 1 + 2 + 1 + 1 + 2 + 4;
    let mut bomb = small[..0x48].to_vec();
    bomb[..4].copy_from_slice(&(length as u32).to_le_bytes());
    bomb.extend([0, 0, 0, 0x40, 0, 7, 0, 15, 255, 0, 0]);
    bomb.extend(u32::MAX.to_le_bytes());
    bytes.extend(bomb.repeat(10_000));
    let told = streamed(&bytes);
    assert_eq!((told.counts.buffers, told.records.len()), (10_001, 1));
}

/// Each byte that is no buffer must not cost as much as a look ahead.
#[test]
fn many_small_buffers_with_something_between_them_take_no_time() {
    let mut bytes = synth::first(&About::default());
    let small = [&synth::buffer(0, 0, &[], 0x49)[..], &[0xee]].concat();
    bytes.extend(small.repeat(40_000));
    let told = streamed(&bytes);
    assert_eq!((told.counts.buffers, told.counts.unread), (40_001, 40_000));
}
