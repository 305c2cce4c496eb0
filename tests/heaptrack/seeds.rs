//! The seeds of the fuzz target `heaptrack`, and their recipes. `UPDATE_SEEDS=1` writes them.

use std::path::Path;

use crate::made::{interpreted, raw};

#[test]
fn seeds_are_what_their_recipes_say() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds/heaptrack");
    for (name, text) in [
        ("interpreted-1", interpreted(1)),
        ("interpreted-3", interpreted(3)),
        ("raw-2", raw(2)),
        ("raw-3", raw(3)),
    ] {
        let path = directory.join(name);
        if std::env::var_os("UPDATE_SEEDS").is_some() {
            std::fs::create_dir_all(&directory).unwrap();
            std::fs::write(&path, &text).unwrap();
        }
        assert!(
            std::fs::read(&path).unwrap() == text.as_bytes(),
            "{name}: run with UPDATE_SEEDS=1"
        );
    }
}
