//! Heap logs that were cut, flipped, or are no logs at all: what can be read is, the rest is counted, and nothing
//! panics, goes back in time or takes memory out of proportion.

use std::io::Cursor;

use proptest::prelude::*;
use unfreed::event::{StackId, Time, What};
use unfreed::read::Source;
use unfreed::read::etl::{Reader, Seekable};

use crate::synth_etl::{Bits, File, HEAP, SynthEtl, Walks};

pub fn sample(bits: Bits, walks: Walks) -> Vec<u8> {
    let mut t = SynthEtl::new(bits);
    t.walks = walks;
    let p = t.process("store.exe", 0.1);
    t.module(p, File::new("Cdoexm.dll").version("6.0.6617.47").pdb([7; 16], 1, "cdoexm.pdb"));
    let stack = ["ntdll.dll+0x2100", "Cdoexm.dll+0x4a10"];
    t.leak(p, &stack, 260, 40, 1.0..10.0);
    t.churn(p, &stack, 32, 40, 1.0..10.0, 0.01);
    t.alloc(11.0, p, HEAP, 0x50_0000, 8, &stack);
    t.realloc(12.0, p, 0x50_0000, 0x50_0000, (16, 8), &stack);
    t.resize(13.0, p, 37, 0x10_0000, 4096, 8192);
    t.range(14.0, p, 98, (0x60_0000, 0x1_0000), 0x3000, &stack);
    t.exit(15.0, p, 0);
    t.build()
}

/// Reads whatever it is, in both ways.
pub fn read(bytes: &[u8]) {
    let again = Box::new(|| Ok(Box::new(Cursor::new(bytes)) as Box<dyn Seekable>));
    let once = Reader::new(bytes).map(|reader| Box::new(reader) as Box<dyn Source>);
    let twice = Reader::file(again).map(|reader| Box::new(reader) as Box<dyn Source>);
    for mut reader in [once, twice].into_iter().flatten() {
        let (mut batch, mut last, mut next) = (Vec::new(), Time(0), StackId::FIRST.0);
        let mut events = 0;
        while reader.next_batch(&mut batch).unwrap() {
            for event in &batch {
                assert!(event.time >= last);
                last = event.time;
                let stack = match &event.what {
                    What::Stack(node) => {
                        next += 1;
                        StackId(node.caller.0)
                    }
                    What::Alloc(alloc) => alloc.stack,
                    What::Free(free) => free.stack,
                    _ => StackId::LOST,
                };
                assert!(stack.0 < next);
            }
            events += batch.len();
        }
        assert!(events <= bytes.len(), "{events} events of {} bytes", bytes.len());
    }
}

#[test]
fn cut_anywhere() {
    let bytes = sample(Bits::B32, Walks::Frames);
    let used = bytes.iter().rposition(|byte| *byte != 0xff).unwrap() + 1;
    for len in (0..used.min(0x1_0400)).step_by(97).chain((0x1_0000..used).step_by(13)) {
        read(&bytes[..len]);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn flipped_bits(flips in prop::collection::vec((0usize..30_000, 0u8..8), 1..40), keys: bool, wide: bool) {
        let walks = if keys { Walks::Keys } else { Walks::Frames };
        let mut bytes = sample(if wide { Bits::B64 } else { Bits::B32 }, walks);
        for (at, bit) in flips {
            // Behind the first buffer, which says that this is a log.
            let at = 0x1_0000 + at % (bytes.len() - 0x1_0000);
            bytes[at] ^= 1 << bit;
        }
        read(&bytes);
    }

    #[test]
    fn random_bytes_behind_the_first_buffer(noise in prop::collection::vec(any::<u8>(), 0..4000), at in 0usize..20_000) {
        let mut bytes = sample(Bits::B64, Walks::Keys);
        let at = 0x1_0048 + at;
        let end = (at + noise.len()).min(bytes.len());
        bytes[at..end].copy_from_slice(&noise[..end - at]);
        read(&bytes);
    }
}
