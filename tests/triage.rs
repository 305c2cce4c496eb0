//! What a triage concludes of made-up growth, how it reads, and that `docs/json-schema.md` documents exactly its fields.

#![cfg(all(target_os = "linux", target_arch = "x86_64"))]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::Value;
use unfreed::collect::ebpf::{Grown, Kind, Part, Sizes, Whose};
use unfreed::report::model::{NotTraced, SCHEMA};
use unfreed::report::text::style::{Detail, Style};
use unfreed::report::triage::{Owner, PartShown, Triage, Worth, judged, text};

const MIB: u64 = 1 << 20;

/// One that had 10 MiB of each kind and grew by this.
fn grown(growth: &[(Kind, u64)], parts: &[(Kind, Whose, u64)]) -> Grown {
    let mut first = Sizes::default();
    Kind::ALL.into_iter().for_each(|kind| first.add(kind, 10 * MIB));
    let mut last = first;
    growth.iter().for_each(|(kind, bytes)| last.add(*kind, *bytes));
    let part = |(kind, whose, bytes): &(Kind, Whose, u64)| Part {
        kind: *kind,
        whose: whose.clone(),
        bytes: *bytes,
    };
    let parts = parts.iter().map(part).collect();
    Grown { pid: 812, name: "smtpd".to_owned(), first, last, parts, lost: 0 }
}

fn libc() -> Whose {
    Whose::Allocator(Arc::from("libc.so.6"))
}

#[test]
fn what_grew_most_decides() {
    use Kind::{Anonymous, File, Heap, Stack};
    let cases = [
        (Worth::Allocations, grown(&[(Heap, 4 * MIB)], &[(Heap, libc(), 4 * MIB)])),
        (Worth::Mappings, grown(&[(Anonymous, MIB)], &[(Anonymous, Whose::Mapped, MIB)])),
        (Worth::Perhaps, grown(&[(Anonymous, MIB)], &[(Anonymous, Whose::Older, MIB)])),
        (Worth::Files, grown(&[(File, 2 * MIB)], &[(File, Whose::Mapped, 2 * MIB)])),
        (Worth::Stacks, grown(&[(Stack, MIB)], &[(Stack, Whose::Older, MIB)])),
        // It grew, and nobody saw how.
        (Worth::Unknown, grown(&[(Heap, 4 * MIB)], &[])),
        // Touched, and as much was given back.
        (Worth::Steady, grown(&[], &[(Heap, libc(), 4 * MIB)])),
        // The heap was reused, and files grew.
        (Worth::Files, grown(&[(File, MIB)], &[(Heap, libc(), 4 * MIB)])),
    ];
    for (worth, grown) in cases {
        let process = judged(&grown);
        assert_eq!(process.worth, worth, "{grown:?}");
        let is_worth_it = matches!(worth, Worth::Allocations | Worth::Perhaps);
        assert_eq!(process.command.is_some(), is_worth_it, "{worth:?}");
    }
}

fn sample() -> Triage {
    let growing = grown(&[(Kind::Heap, 4 * MIB)], &[(Kind::Heap, libc(), 4 * MIB)]);
    let mut growing = judged(&growing);
    growing.lost = 3;
    let frame = serde_json::json!({
        "module": "smtpd", "function": "keep\u{202e}", "file": null, "line": null, "address": "0x1", "trust": "table",
        "found": "symtab", "inlined": false, "blame": true,
    });
    growing.parts = vec![PartShown {
        kind: Kind::Heap,
        owner: Owner::Allocator,
        allocator: Some("libc.so.6".to_owned()),
        bytes: 4 * MIB,
        stack: vec![serde_json::from_value(frame).unwrap()],
    }];
    let mut steady = judged(&grown(&[], &[]));
    steady.pid = 813;
    let why = "it ended before unfreed could attach to it".to_owned();
    Triage {
        schema: SCHEMA,
        duration_s: 30.0,
        processes: vec![steady, growing],
        not_traced: vec![NotTraced { program: "cleanup (process 814)".to_owned(), why }],
    }
}

#[test]
fn who_is_worth_a_trace_comes_first() {
    let style = Style { width: 100, color: false, detail: Detail::Normal };
    let text = text::render(&sample(), style);
    let place = |what: &str| text.find(what).unwrap_or_else(|| panic!("{what:?} is not in {text}"));
    assert!(place("smtpd (process 812): 54 MiB, grew by 4 MiB.") < place("process 813"), "{text}");
    place("Next: unfreed attach 812 --duration 5m");
    place("4 MiB of the heap of the allocator in libc.so.6, first touched by:");
    place("3 records found no room.");
    place("Not watched: cleanup (process 814): it ended before");
    assert!(!text.contains('\u{202e}'), "a name reached the terminal as it is");
}

#[test]
fn what_nobody_was_seen_to_touch_is_told() {
    let render = |touched| {
        let grown = grown(&[(Kind::Heap, 4 * MIB)], &[(Kind::Heap, libc(), touched)]);
        let process = judged(&grown);
        assert_eq!(process.worth, Worth::Allocations);
        let triage = Triage { processes: vec![process], not_traced: Vec::new(), ..sample() };
        text::render(&triage, Style { width: 100, color: false, detail: Detail::Normal })
    };
    let text = render(2 * MIB);
    assert!(text.contains("Nobody was seen to touch 2 MiB of that"), "{text}");
    assert!(!render(4 * MIB).contains("Nobody was seen"));
}

/// The paths of all fields, but for those of frames, which are documented with a report's.
fn paths(value: &Value, at: &str, all: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            for (field, value) in fields {
                let path = if at.is_empty() { field.clone() } else { format!("{at}.{field}") };
                all.insert(path.clone());
                if path != "processes[].parts[].stack" {
                    paths(value, &path, all);
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| paths(item, &format!("{at}[]"), all)),
        _ => {}
    }
}

#[test]
fn every_field_is_documented_and_no_other() {
    let text = include_str!("../docs/json-schema.md");
    let from = text.find("\n## Triage\n").expect("the heading") + 4;
    let section = &text[from..];
    let section = &section[..section.find("\n## ").unwrap_or(section.len())];
    let cells = section.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    let mut fields = BTreeSet::new();
    paths(&serde_json::to_value(sample()).unwrap(), "", &mut fields);
    assert_eq!(cells.map(str::to_owned).collect::<BTreeSet<_>>(), fields);
}
