//! Unpacking Xpress: any bytes, into room of any length.
#![no_main]

use libfuzzer_sys::fuzz_target;
use unfreed::read::etl::{Corrupt, Format};

fuzz_target!(|input: (u16, &[u8])| {
    let (length, packed) = input;
    let mut room = vec![0; length.into()];
    let (Ok(unpacked) | Err(Corrupt { length: unpacked })) = Format::Xpress.unpack(packed, &mut room);
    assert!(unpacked <= room.len());
});
