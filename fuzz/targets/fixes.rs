//! Entries of a catalogue, as a user may write them: an entry or a problem with its line.

#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use unfreed::fixes::{Catalogue, show};

fuzz_target!(|text: &str| {
    if let Ok(entry) = Catalogue::parse_entry(text, Path::new("entry.toml")) {
        // What was accepted can be shown at any width.
        for width in [0, 1, 40, 80] {
            let _ = show(&entry, width);
        }
    }
});
