//! The seeds of the fuzz target `trace`, and their recipes. `UPDATE_SEEDS=1` writes them.

use std::path::Path;

use unfreed::event::*;

use crate::synth::{Synth, encode};
use crate::{arbitrary, example, written};

/// Each seed's name and bytes. None is compressed, so that they do not depend on a compressor.
fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let (header, events) = example();
    let mut story = Synth::windows();
    let process = story.process("Inetinfo.exe");
    story.leak(process, &["Cdoexm.dll!CMailbox::Open", "w3svc.dll!main"], 260, 5, 0.0..0.3);
    story.double_free(0.1, process, &["Exsmtp.dll!Advance"], 40);
    story.mark(0.2, "mailboxes opened", Some(5));
    story.fact(FactKind::Product, "Exchange Server 2000", Some("SP3"));
    let mut torn = arbitrary::chunked(&events, 1);
    let middle = torn.len() / 2;
    torn.drain(middle..middle + 40);
    vec![
        ("example", written(&header, &events)),
        ("chunks", arbitrary::chunked(&events, 1)),
        ("torn", torn),
        ("records", encode::records(&events)),
        ("story", story.build()),
        ("story-records", encode::records(&story.events())),
    ]
}

#[test]
fn seeds_are_what_their_recipes_say() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds/trace");
    for (name, bytes) in seeds() {
        let path = directory.join(name);
        if std::env::var_os("UPDATE_SEEDS").is_some() {
            std::fs::create_dir_all(&directory).unwrap();
            std::fs::write(&path, &bytes).unwrap();
        }
        assert!(std::fs::read(&path).unwrap() == bytes, "{name}: run with UPDATE_SEEDS=1");
    }
}
