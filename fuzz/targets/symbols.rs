//! ELF files and their symbols: whatever the bytes, an answer or an error.

#![no_main]

use libfuzzer_sys::fuzz_target;
use unfreed_symbols::{ElfFacts, Linkage, ModuleOffset, Symbols, first_load_address, program_shape};

fuzz_target!(|data: &[u8]| {
    let _ = ElfFacts::read(data);
    let _ = program_shape(data);
    let _ = first_load_address(data);
    let _ = Linkage::read(data, &["malloc", "free"]);
    if let Ok(symbols) = Symbols::parse(data) {
        // The low addresses of small files, and both ends of all there are.
        for offset in [0, 1, 0x1000, 0x1139, 0x4000, u64::MAX - 1, u64::MAX] {
            let _ = symbols.frames(ModuleOffset(offset));
            let _ = symbols.extent(ModuleOffset(offset));
        }
    }
});
