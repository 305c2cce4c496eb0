//! Articles, as anybody may save them: always a draft, always TOML, and what was not understood is still in it.

#![no_main]

use libfuzzer_sys::fuzz_target;
use unfreed::fixes::draft::draft;

fuzz_target!(|text: &str| {
    let draft = draft(text);
    assert!(draft.text.parse::<toml::Table>().is_ok(), "{}", draft.text);
});
