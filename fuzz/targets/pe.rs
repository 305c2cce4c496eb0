//! PE files, their version resources, exports and unwind information: whatever the bytes, an answer or an error.

#![no_main]

use libfuzzer_sys::fuzz_target;
use unfreed_symbols::{
    Files, Flow, ModuleIdentity, ModuleOffset, PeFile, Place, Symbols, UnwindRows, Wanted, entries,
    image_size,
};

struct Image(Vec<u8>);

impl Files for Image {
    fn candidates(&mut self, wanted: &Wanted<'_>) -> Vec<Place> {
        match wanted {
            Wanted::Image { .. } => vec![Place("fuzzed.dll".to_owned())],
            _ => Vec::new(),
        }
    }

    fn read(&mut self, _: &Place) -> Result<Option<Vec<u8>>, String> {
        Ok(Some(self.0.clone()))
    }
}

fuzz_target!(|data: &[u8]| {
    let facts = PeFile::read(data);
    assert_eq!(facts, PeFile::read_from(std::io::Cursor::new(data)));
    let _ = (UnwindRows::read(data), entries(data, &["Open"]), image_size(data));
    if let Ok(flow) = Flow::read(data) {
        let _ = (flow.code(0x1000), flow.offset(0x1000));
    }
    let module = ModuleIdentity::of_path(r"C:\fuzzed.dll");
    let symbols = Symbols::load_pe(&module, &mut Image(data.to_vec())).symbols;
    for offset in [0, 1, 0x1000, 0x1010, 0x1040, 0x2000, 0xffff_ffff, u64::MAX] {
        let _ = symbols.frames(ModuleOffset(offset));
        let _ = symbols.extent(ModuleOffset(offset));
    }
});
