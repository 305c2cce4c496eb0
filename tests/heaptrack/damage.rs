//! Damaged files: what could be read comes back, the rest is counted, nothing panics and nothing grows out of
//! proportion.

use proptest::collection::vec;
use proptest::prelude::*;

use crate::made::{gzip, interpreted, raw, zstd};
use crate::{read, try_read};

#[test]
fn cut_at_any_byte_what_came_before_is_read() {
    for file in [interpreted(3), interpreted(2), raw(3), raw(2)] {
        let whole = read(file.as_bytes()).ledger.totals().allocations;
        let mut last = 0;
        for cut in 0..file.len() {
            let Ok(Some(told)) = try_read(&file.as_bytes()[..cut]) else { continue };
            let allocations = told.ledger.totals().allocations;
            assert!(allocations >= last && allocations <= whole, "cut at {cut}");
            last = allocations;
        }
        assert!(last + 1 >= whole);
    }
}

#[test]
fn a_compressed_file_that_was_cut_ends_there_and_says_so() {
    let mut file = interpreted(3);
    for n in 0..200_000 {
        file += &format!("+ 0\nc {:x}\n", 1000 + n * 10);
    }
    let whole = read(file.as_bytes()).ledger.totals().allocations;
    for packed in [gzip(file.as_bytes()), zstd(file.as_bytes())] {
        let told = read(&packed[..packed.len() / 2]);
        let allocations = told.ledger.totals().allocations;
        assert!(allocations > 100 && allocations < whole, "{allocations} of {whole}");
        let said = told.faults.iter().any(|fault| fault.what.contains("ends early"));
        assert!(said, "{:?}", told.faults);
        assert!(read(&packed).faults.is_empty());
    }
}

#[test]
fn a_file_that_unpacks_to_very_much_takes_no_memory_for_it() {
    // A line of 300 MB in 300 KB.
    let mut bomb = b"v 10400 3\nX mailer\ns ".to_vec();
    bomb.resize(300 << 20, b'a');
    let packed = zstd(&bomb);
    drop(bomb);
    let told = read(&packed);
    assert_eq!(told.faults.len(), 2, "{:?}", told.faults);
}

#[test]
fn numbers_out_of_range_are_no_room_and_no_panic() {
    for line in [
        "a ffffffffffffffff ffffffff",
        "a 20 fffffff0",
        "t ffffffffffffffff ffffffffffffffff",
        "t 1 ffffffff",
        "i ffffffffffffffff ffffffffffffffff ffffffffffffffff",
        "+ ffffffffffffffff",
        "- ffffffffffffffff",
        "c ffffffffffffffff",
        "R ffffffffffffffff",
        "I ffffffffffffffff",
        "s ffffffffffffffff abc",
        "m ffffffffffffffff abc",
        "m 1 a ffffffffffffffff ffffffffffffffff ffffffffffffffff",
        "x",
        "+ ffffffffffffffff 1 ffffffffffffffff",
        "\u{fffd}",
    ] {
        for file in [interpreted(3), raw(3)] {
            read((file + line + "\n" + line + "\n+ 0\nc 1000\n").as_bytes());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn flipped_bytes_do_no_harm(flips in vec((any::<prop::sample::Index>(), any::<u8>()), 1..8), which in 0..4usize) {
        let file = [interpreted(3), raw(3), interpreted(1), raw(2)][which].clone();
        let mut bytes = file.into_bytes();
        for (at, byte) in &flips {
            let at = at.index(bytes.len());
            bytes[at] = *byte;
        }
        let _ = try_read(&bytes);
        let _ = try_read(&gzip(&bytes));
        let mut packed = zstd(&bytes);
        for (at, byte) in flips {
            let at = at.index(packed.len());
            packed[at] = byte;
        }
        let _ = try_read(&packed);
    }

    #[test]
    fn any_lines_do_no_harm(lines in vec("[+\\-catisRmxXIAS#?] [0-9a-f ]{0,24}", 0..60)) {
        for start in ["v 10400 3\nX a\n", "v 10400 3\nx 1 a\n", "v 10400 2\nX a\n", "v 10000\nx a\n"] {
            read((start.to_owned() + &lines.join("\n")).as_bytes());
        }
    }
}
