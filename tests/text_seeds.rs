//! The seeds of the fuzz target `text`, and their recipes. `UPDATE_SEEDS=1` writes them. The first byte says
//! which reader the rest is for.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

#[path = "evidence/mod.rs"]
mod evidence;
#[path = "memleak/output.rs"]
mod output;
#[path = "counters/table.rs"]
mod table;

use std::path::Path;

use evidence::umdh::{Form, USUAL};
use evidence::{Case, debugger, leakdiag, q265514, umdh};
use table::{Process, RELOG};

/// A case small enough to be changed a million times.
fn small() -> Case {
    let mut case = q265514();
    case.stacks.truncate(2);
    case.stacks.iter_mut().for_each(|stack| stack.blocks = [1, 3]);
    case
}

fn seeds() -> Vec<(&'static str, u8, String)> {
    let case = small();
    let process = |pid, rows| Process {
        program: "w3wp",
        pid,
        rows,
        private: 900,
        growth: 5,
        managed: Some(7),
    };
    let processes = [process(7, 0..3), process(9, 1..6)];
    let xml = leakdiag::log(&case, 1, leakdiag::Form { symbols: true, split: true });
    let schema = xml.find("<xs:schema").unwrap()..xml.find("<LEAKS").unwrap();
    let bare = xml[..schema.start].to_owned() + &xml[schema.end..];
    let pasted =
        debugger::modules(&case) + &debugger::heaps(&[5, 9]) + &debugger::sizes(1, &[(32, 7)]);
    vec![
        ("umdh-snapshot", 0, umdh::snapshot(&case, 1)),
        ("umdh-difference", 0, umdh::difference(&case, USUAL)),
        ("umdh-old", 0, umdh::difference(&case, Form { old: true, decimal: true, off: 1 })),
        ("leakdiag", 1, bare),
        ("counters-csv", 2, table::write(&processes, 6, RELOG)),
        (
            "counters-tsv",
            2,
            table::write(
                &processes,
                6,
                table::Form { tabs: true, commas: true, typeperf: true, pids: false },
            ),
        ),
        ("debugger", 3, pasted),
        ("memleak-bcc", 4, output::write(&[(5, 80), (9, 144)], output::Form::Bcc)),
        ("memleak-libbpf", 4, output::write(&[(5, 80), (9, 144)], output::Form::Libbpf)),
    ]
}

#[test]
fn seeds_are_what_their_recipes_say() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds/text");
    for (name, kind, text) in seeds() {
        let bytes = [&[kind][..], text.as_bytes()].concat();
        let path = directory.join(name);
        if std::env::var_os("UPDATE_SEEDS").is_some() {
            std::fs::create_dir_all(&directory).unwrap();
            std::fs::write(&path, &bytes).unwrap();
        }
        assert!(std::fs::read(&path).unwrap() == bytes, "{name}: run with UPDATE_SEEDS=1");
    }
}
