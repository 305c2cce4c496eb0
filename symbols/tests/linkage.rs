//! What libraries call and define, held against what their section tables say: those are not what
//! [`Linkage`] reads.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "tests")]

#[path = "../../tests/support/skip.rs"]
mod skip;

use std::collections::BTreeSet;
use std::fs::File;
use std::process::Command;

use object::elf::{R_X86_64_64, R_X86_64_GLOB_DAT, R_X86_64_JUMP_SLOT};
use object::{Object, ObjectSymbol, ObjectSymbolTable, RelocationFlags};
use unfreed_symbols::Linkage;

const NAMES: [&str; 7] = ["malloc", "free", "calloc", "realloc", "given", "chosen", "absent"];

const SOURCE: &str = "
#include <stdlib.h>
void *given(void) { return malloc(1); }
void *taken(void *block) { free(block); return realloc(0, 2); }
static void *choose(void) { return (void *)taken; }
void *chosen(void) __attribute__((ifunc(\"choose\")));
void *(*const table[])(size_t, size_t) = { calloc };
__attribute__((visibility(\"hidden\"))) void absent(void) {}
";

/// Functions and addresses.
type Places = BTreeSet<(String, u64)>;

/// Imports with their slots, and definitions with their addresses, by the section tables.
fn by_sections(bytes: &[u8]) -> (Places, Places) {
    let file = object::File::parse(bytes).unwrap();
    let symbols = file.dynamic_symbol_table().unwrap();
    let mut imports = BTreeSet::new();
    for (slot, relocation) in file.dynamic_relocations().unwrap() {
        let RelocationFlags::Elf { r_type } = relocation.flags() else { continue };
        let object::RelocationTarget::Symbol(index) = relocation.target() else { continue };
        let name = symbols.symbol_by_index(index).unwrap().name().unwrap().to_owned();
        let kinds = [R_X86_64_64, R_X86_64_GLOB_DAT, R_X86_64_JUMP_SLOT];
        if NAMES.contains(&name.as_str()) && kinds.contains(&r_type) {
            imports.insert((name, slot));
        }
    }
    let defined = file.dynamic_symbols().filter(|symbol| !symbol.is_undefined());
    let defined = defined.map(|symbol| (symbol.name().unwrap().to_owned(), symbol.address()));
    (imports, defined.filter(|(name, _)| NAMES.contains(&name.as_str())).collect())
}

#[test]
fn it_is_what_the_section_tables_say() {
    if Command::new("cc").arg("--version").output().is_err() {
        skip::announce("no C compiler", file!(), line!());
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let (source, library) = (directory.path().join("x.c"), directory.path().join("libx.so"));
    std::fs::write(&source, SOURCE).unwrap();
    let lazy = ["-Wl,-z,lazy", "-fplt"];
    let cases: [&[&str]; 4] = [
        &["-Wl,--hash-style=gnu"],
        &["-Wl,--hash-style=sysv"],
        &["-Wl,--hash-style=both", "-Wl,-z,now", "-fno-plt"],
        &lazy,
    ];
    for flags in cases {
        let mut compile = Command::new("cc");
        compile.args(["-shared", "-fPIC", "-O1", "-fno-builtin"]).args(flags);
        let built = compile.arg("-o").arg(&library).arg(&source).output().unwrap();
        assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
        let linkage = Linkage::read_from(File::open(&library).unwrap(), &NAMES).unwrap();
        let (imports, definitions) = by_sections(&std::fs::read(&library).unwrap());
        let found = linkage.imports.iter().map(|import| (import.name.to_owned(), import.slot));
        assert_eq!(found.collect::<BTreeSet<_>>(), imports, "{flags:?}");
        let called: BTreeSet<&str> = linkage.imports.iter().map(|import| import.name).collect();
        assert_eq!(called, ["calloc", "free", "malloc", "realloc"].into(), "{flags:?}");
        for found in &linkage.definitions {
            let by_section = definitions.iter().find(|(name, _)| name == found.name).unwrap();
            let chosen = found.name == "chosen";
            assert_eq!(found.address, (!chosen).then_some(by_section.1), "{flags:?}");
        }
        let defined: BTreeSet<&str> = linkage.definitions.iter().map(|one| one.name).collect();
        assert_eq!(defined, ["chosen", "given"].into(), "{flags:?}");
        assert_eq!(definitions.len(), 2);
    }
}
