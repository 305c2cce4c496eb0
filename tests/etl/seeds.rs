//! The seeds of the fuzz targets `etl`, `xpress`, `lznt1` and `huffman`, and their recipes. `UPDATE_SEEDS=1` writes them.

use std::path::Path;

use super::synth::{self, About, FIRST, Packing};
use super::{damage, pack};

/// Each seed's target, name and bytes.
fn seeds() -> Vec<(&'static str, &'static str, Vec<u8>)> {
    let item = synth::item(6, &[1; 24], false);
    let records = [
        synth::system(1, 0x1021, 5, 6, FIRST + 1, &[1; 16]),
        synth::system(4, 0x1024, 5, 6, FIRST + 2, &[2; 20]),
        synth::perf(17, 0x8102, 0x1820, FIRST + 3, &[3; 40]),
        synth::full(20, [4; 16], 33, 2, FIRST + 4, &[4; 28]),
        synth::full(11, [5; 16], 36, 2, FIRST + 5, &[5; 12]),
        synth::event(19, [6; 16], 900, FIRST + 6, &item, &[6; 8]),
        synth::message(&[7; 9]),
    ]
    .concat();
    let about = About { buffer: 1104, written: 2, ..About::default() };
    let kinds = [synth::first(&about), synth::buffer(1, 0, &records, 1104)].concat();
    let about = About { pointer: 4, clock: 3, mode: 2, ..about };
    let narrow = [synth::first(&about), synth::buffer(1, 0, &records, 1104)].concat();
    let text = b"every good boy does fine, every good girl does, too; ".repeat(9);
    let unpacked = (text.len() as u16).to_le_bytes();
    vec![
        ("etl", "kinds", kinds),
        ("etl", "narrow", narrow),
        ("etl", "plain", damage::log(None)),
        ("etl", "xpress", damage::log(Some(Packing::Xpress))),
        ("etl", "lznt1", damage::log(Some(Packing::Lznt1))),
        ("etl", "huffman", damage::log(Some(Packing::Huffman))),
        ("xpress", "text", [&unpacked[..], &pack::xpress(&text)].concat()),
        ("lznt1", "text", [&unpacked[..], &pack::lznt1(&text)].concat()),
        ("huffman", "text", [&unpacked[..], &pack::huffman(&text)].concat()),
    ]
}

#[test]
fn seeds_are_what_their_recipes_say() {
    for (target, name, bytes) in seeds() {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds").join(target);
        let path = directory.join(name);
        if std::env::var_os("UPDATE_SEEDS").is_some() {
            std::fs::create_dir_all(&directory).unwrap();
            std::fs::write(&path, &bytes).unwrap();
        }
        assert!(std::fs::read(&path).unwrap() == bytes, "{name}: run with UPDATE_SEEDS=1");
    }
}
