//! Damaged dumps, and stacks that lead nowhere: nothing panics, and nothing is made up.

use std::path::Path;

use proptest::collection::vec;
use proptest::prelude::*;
use unfreed::event::Trust;

use crate::{inetinfo, read, stack, try_read};

fn made() -> Vec<u8> {
    inetinfo([6, 5, 7233, 20], 0x6100_4321).build()
}

#[test]
fn cut_at_any_byte_it_is_read_or_refused() {
    let whole = made();
    for cut in 0..whole.len() {
        let _ = try_read(&whole[..cut]);
    }
    let told = read(&whole[..whole.len() - 40]);
    assert!(told.faults.iter().any(|fault| fault.what.contains("exception")), "{:?}", told.faults);
    assert_eq!(told.ledger.images()[0].exceptions(), []);
}

#[test]
fn a_chain_that_leaves_the_code_ends_there() {
    let mut dump = inetinfo([6, 5, 7233, 20], 0x6100_4321);
    // The second return address lies in no module: whatever is behind it is not believed.
    dump.returns = vec![0x7c80_1234, 0x0bad_0bad, 0x0100_2222];
    assert_eq!(stack(&read(&dump.build()).ledger).len(), 2);
    dump.returns.clear();
    assert_eq!(stack(&read(&dump.build()).ledger).len(), 1);
    // A jump into nowhere.
    dump.exception = Some((0xc000_0005, 0x10));
    assert_eq!(stack(&read(&dump.build()).ledger), [(String::new(), 0x10, Trust::Context)]);
}

#[test]
fn a_chain_that_runs_in_a_circle_ends() {
    let mut dump = inetinfo([6, 5, 7233, 20], 0x6100_4321);
    dump.returns = vec![0x7c80_1234; 3];
    let bytes = dump.build();
    // Each saved frame pointer points to itself.
    let place = bytes.windows(4).position(|word| word == 0x7c80_1234u32.to_le_bytes()).unwrap() - 4;
    let mut circle = bytes.clone();
    let own = u32::from_le_bytes(bytes[place..place + 4].try_into().unwrap()) - 24;
    circle[place..place + 4].copy_from_slice(&own.to_le_bytes());
    assert_eq!(stack(&read(&circle).ledger).len(), 2);
}

#[test]
fn seeds_are_what_their_recipes_say() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds/minidump");
    let path = directory.join("crash");
    if std::env::var_os("UPDATE_SEEDS").is_some() {
        std::fs::create_dir_all(&directory).unwrap();
        std::fs::write(&path, made()).unwrap();
    }
    assert!(std::fs::read(&path).unwrap() == made(), "run with UPDATE_SEEDS=1");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn flipped_bytes_do_no_harm(flips in vec((any::<prop::sample::Index>(), any::<u8>()), 1..16)) {
        let mut bytes = made();
        for (at, byte) in flips {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        let _ = try_read(&bytes);
    }

    #[test]
    fn any_bytes_do_no_harm(bytes in vec(any::<u8>(), 0..400)) {
        let _ = try_read(&[b"MDMP\x93\xa7\0\0".to_vec(), bytes].concat());
    }
}
