//! Names from real files: a C++ library is built, stripped and taken apart by the system's own
//! tools, and its names are compared with those that binutils gives. Where there is no compiler
//! the tests say so and stop.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "tests")]

#[path = "../../tests/support/skip.rs"]
mod skip;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use object::{Object, ObjectSymbol};
use unfreed_symbols::{
    BuildId, ElfFacts, Files, Found, ModuleIdentity, ModuleOffset, PackageManager, Place, Symbols,
    Wanted, demangle,
};

const SOURCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/programs/server.cc");

/// A library that was built, in a directory of its own.
struct Built {
    directory: tempfile::TempDir,
}

impl Built {
    /// `None`, said loudly, where there is no compiler or it does not know an option.
    fn new(options: &[&str]) -> Option<Built> {
        let directory = tempfile::tempdir().unwrap();
        let library = directory.path().join("libserver.so");
        let built = Command::new("g++")
            .args(["-g", "-O2", "-shared", "-fPIC", "-Wl,-soname,libserver.so.1", "-o"])
            .arg(&library)
            .args(options)
            .arg(SOURCE)
            .output();
        match built {
            Ok(output) if output.status.success() => Some(Built { directory }),
            failed => {
                let why = format!("g++ {options:?} does not work here: {failed:?}");
                skip::announce(&why, file!(), line!());
                None
            }
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn bytes(&self) -> Vec<u8> {
        std::fs::read(self.path("libserver.so")).unwrap()
    }

    /// The debug file apart, and the library without it, linked to it by `link`.
    fn split(&self, link: &str) -> (Vec<u8>, Vec<u8>) {
        let (library, debug, stripped) =
            (self.path("libserver.so"), self.path(link), self.path("stripped.so"));
        run("objcopy", &["--only-keep-debug".as_ref(), &library, &debug]);
        run("objcopy", &["--strip-all".as_ref(), &library, &stripped]);
        let option = format!("--add-gnu-debuglink={}", debug.display());
        run("objcopy", &[option.as_ref(), &stripped]);
        (std::fs::read(stripped).unwrap(), std::fs::read(debug).unwrap())
    }

    fn function(&self, name: &str) -> std::ops::Range<u64> {
        let bytes = self.bytes();
        let file = object::File::parse(&bytes[..]).unwrap();
        let symbol = file.symbols().find(|symbol| symbol.name() == Ok(name)).unwrap();
        symbol.address()..symbol.address() + symbol.size()
    }
}

fn run(program: &str, arguments: &[&Path]) {
    let output = Command::new(program).args(arguments).output().unwrap();
    assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
}

const RECEIVE: &str =
    "_ZN4mail6Server7receiveERKNSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEE";
const REPEAT: &str = "_ZN4mail6Server6repeatIiEET_S2_";
const HIDDEN: &str = "_ZL6hiddenm";

/// Files by place, in order of preference; asked for by anything.
#[derive(Default)]
struct Shelf {
    module: Vec<(&'static str, Vec<u8>)>,
    debug: Vec<(&'static str, Vec<u8>)>,
    asked: Vec<String>,
}

impl Files for Shelf {
    fn candidates(&mut self, wanted: &Wanted<'_>) -> Vec<Place> {
        self.asked.push(format!("{wanted:?}"));
        let files = match wanted {
            Wanted::Module { .. } => &self.module,
            Wanted::Debug { .. } => &self.debug,
            _ => return Vec::new(),
        };
        files.iter().map(|(place, _)| Place((*place).to_owned())).collect()
    }

    fn read(&mut self, place: &Place) -> Result<Option<Vec<u8>>, String> {
        let mut files = self.module.iter().chain(&self.debug);
        Ok(files.find(|(name, _)| *name == place.0).map(|(_, bytes)| bytes.clone()))
    }
}

/// The names at an address: `function (inlined)`, innermost first.
fn names(symbols: &Symbols, address: u64) -> Vec<(String, bool, Found)> {
    let frames = symbols.frames(ModuleOffset(address)).into_iter();
    frames.map(|frame| (frame.function.unwrap_or_default(), frame.inlined, frame.found)).collect()
}

/// Every address of a function has its name, found in this way.
fn check_function(symbols: &Symbols, built: &Built, name: &str, expected: Option<Found>) {
    let range = built.function(name);
    assert!(!range.is_empty());
    for address in range {
        let found = names(symbols, address);
        let real = found.last().map(|(name, inlined, found)| (name.as_str(), *inlined, *found));
        let demangled = demangle(name);
        let expected = expected.map(|found| (demangled.as_str(), false, found));
        assert_eq!(real, expected, "{name} at {address:#x}");
    }
}

#[test]
fn names_files_and_lines_are_those_that_binutils_gives() {
    let Some(built) = Built::new(&[]) else { return };
    let symbols = Symbols::parse(&built.bytes()).unwrap();
    let mut most = 0;
    for function in [RECEIVE, REPEAT, HIDDEN, "exported"] {
        // DWARF has no linkage name for what is internal; the symbol says more.
        let found = if function == HIDDEN { Found::Symtab } else { Found::Dwarf };
        check_function(&symbols, &built, function, Some(found));
        for address in built.function(function) {
            let output = Command::new("addr2line")
                .args(["-f", "-i", "-e"])
                .arg(built.path("libserver.so"))
                .arg(format!("{address:#x}"))
                .output()
                .unwrap();
            let output = String::from_utf8(output.stdout).unwrap();
            let lines: Vec<&str> = output.lines().collect();
            let expected: Vec<&str> = lines
                .chunks(2)
                .map(|pair| pair[1].split(" (discriminator").next().unwrap())
                .collect();
            let frames = symbols.frames(ModuleOffset(address));
            let found = frames.iter().map(|frame| {
                let line = frame.line.map_or("?".to_owned(), |line| line.to_string());
                format!("{}:{line}", frame.file.as_deref().unwrap())
            });
            let found: Vec<String> = found.collect();
            assert_eq!(found, expected, "at {address:#x}");
            // binutils names what is inlined and internal after the function around it, so that
            // only the last name can be compared.
            let last = demangle(lines[lines.len() - 2]);
            let name = frames.last().unwrap().function.as_deref().unwrap();
            assert!(name.starts_with(&last), "{name} at {address:#x}, not {last}");
            most = most.max(found.len());
        }
    }
    assert!(most >= 3, "functions are inlined");
}

#[test]
fn inlined_functions_come_innermost_first() {
    let Some(built) = Built::new(&[]) else { return };
    let symbols = Symbols::parse(&built.bytes()).unwrap();
    let all: Vec<_> = built.function(RECEIVE).map(|address| names(&symbols, address)).collect();
    let inlined = all.iter().find(|names| names.len() == 3).unwrap();
    let [(first, true, _), (second, true, _), (third, false, _)] = &inlined[..] else {
        panic!("{inlined:?}")
    };
    // Of internal functions DWARF has only the short name.
    assert_eq!((first.as_str(), second.as_str()), ("innermost", "inlined"));
    assert!(third.starts_with("mail::Server::receive(std::__cxx11::basic_string<"), "{third}");
}

#[test]
fn a_stripped_library_has_only_what_it_exports() {
    let Some(built) = Built::new(&[]) else { return };
    let (stripped, _) = built.split("libserver.debug");
    let symbols = Symbols::parse(&stripped).unwrap();
    check_function(&symbols, &built, "exported", Some(Found::Dynsym));
    check_function(&symbols, &built, RECEIVE, Some(Found::Dynsym));
    // Not the exported function before it, nor the symbol without size.
    check_function(&symbols, &built, HIDDEN, None);
    assert_eq!(symbols.extent(ModuleOffset(u64::MAX)), None);
    assert_eq!(symbols.extent(ModuleOffset(0)), None);
}

#[test]
fn a_symbol_without_size_reaches_to_the_next_and_is_marked_weaker() {
    let Some(built) = Built::new(&["-g0"]) else { return };
    let symbols = Symbols::parse(&built.bytes()).unwrap();
    let first = built.function("unsized_first").start;
    let second = built.function("unsized_second").start;
    assert_eq!(second, first + 4);
    for address in first..second + 2 {
        let function = symbols.extent(ModuleOffset(address)).unwrap();
        let name = if address < second { "unsized_first" } else { "unsized_second" };
        assert_eq!((function.name.as_str(), function.found), (name, Found::SymtabUnsized));
    }
    let extent = symbols.extent(ModuleOffset(first)).unwrap();
    assert_eq!((extent.start, extent.size), (ModuleOffset(first), 4));
}

#[test]
fn between_functions_there_is_no_name() {
    let Some(built) = Built::new(&["-g0"]) else { return };
    let bytes = built.bytes();
    let symbols = Symbols::parse(&bytes).unwrap();
    let file = object::File::parse(&bytes[..]).unwrap();
    let code: Vec<_> = file
        .symbols()
        .filter(|symbol| symbol.kind() == object::SymbolKind::Text && symbol.is_definition())
        .collect();
    let mut starts: Vec<u64> = code.iter().map(|symbol| symbol.address()).collect();
    starts.sort_unstable();
    let mut gaps = 0;
    for symbol in code.iter().filter(|symbol| symbol.size() > 0) {
        let end = symbol.address() + symbol.size();
        let next = starts.iter().find(|start| **start >= end).copied().unwrap_or(end);
        let inside_other =
            |at: u64| code.iter().any(|s| (s.address()..s.address() + s.size()).contains(&at));
        for address in (end..next).filter(|at| !inside_other(*at)) {
            assert_eq!(symbols.extent(ModuleOffset(address)), None, "{address:#x}");
            gaps += 1;
        }
    }
    assert!(gaps > 0, "functions are aligned, so that there are gaps");
}

#[test]
fn a_debug_file_apart_names_what_was_stripped() {
    let Some(built) = Built::new(&[]) else { return };
    let (stripped, debug) = built.split("libserver.debug");
    let build_id = ElfFacts::read(&stripped[..]).unwrap().build_id;
    for known in [build_id.as_ref(), None] {
        let mut shelf = Shelf {
            module: vec![("/lib/libserver.so", stripped.clone())],
            debug: vec![("/debug/libserver.debug", debug.clone())],
            ..Shelf::default()
        };
        let loaded = Symbols::load("/lib/libserver.so", known, None, &mut shelf);
        assert_eq!(loaded.refused, []);
        assert_eq!(loaded.used.len(), 2);
        assert!(shelf.asked[1].contains("libserver.debug"), "{:?}", shelf.asked);
        let found = if known.is_some() { Found::Symtab } else { Found::Unverified };
        check_function(&loaded.symbols, &built, HIDDEN, Some(found));
    }
    // The module itself is gone: the debug file alone does, by build-id.
    let mut shelf = Shelf { debug: vec![("/debug/libserver.debug", debug)], ..Shelf::default() };
    let loaded = Symbols::load("/lib/libserver.so", build_id.as_ref(), None, &mut shelf);
    check_function(&loaded.symbols, &built, HIDDEN, Some(Found::Symtab));
    let loaded = Symbols::load("/lib/libserver.so", None, None, &mut shelf);
    assert!(loaded.symbols.is_empty(), "nothing says that the debug file belongs to it");
}

#[test]
fn files_of_another_build_are_refused_with_the_reason() {
    let (Some(built), Some(other)) = (Built::new(&[]), Built::new(&["-O1"])) else { return };
    let (stripped, debug) = built.split("libserver.debug");
    let (_, other_debug) = other.split("libserver.debug");
    let build_id = ElfFacts::read(&stripped[..]).unwrap().build_id.unwrap();
    let other_id = ElfFacts::read(&other_debug[..]).unwrap().build_id.unwrap();
    assert_ne!(build_id, other_id);

    let mut shelf = Shelf {
        module: vec![("/lib/libserver.so", other.bytes())],
        debug: vec![("/debug/wrong", other_debug), ("/debug/right", debug)],
        ..Shelf::default()
    };
    let loaded = Symbols::load("/lib/libserver.so", Some(&build_id), None, &mut shelf);
    let places: Vec<_> = loaded.refused.iter().map(|refusal| refusal.place.0.as_str()).collect();
    assert_eq!(places, ["/lib/libserver.so", "/debug/wrong"]);
    assert_eq!(
        loaded.refused[0].reason,
        format!("file changed since the trace: build-id {other_id} instead of {build_id}")
    );
    assert_eq!(loaded.used, [Place("/debug/right".to_owned())]);
    check_function(&loaded.symbols, &built, HIDDEN, Some(Found::Symtab));
}

#[test]
fn without_build_ids_the_checksum_decides() {
    let options = ["-Wl,--build-id=none"];
    let (Some(built), Some(other)) = (Built::new(&options), Built::new(&["-O1", options[0]]))
    else {
        return;
    };
    let (stripped, debug) = built.split("libserver.debug");
    let (_, other_debug) = other.split("libserver.debug");
    let mut shelf = Shelf {
        module: vec![("/lib/libserver.so", stripped.clone())],
        debug: vec![("/debug/wrong", other_debug), ("/debug/right", debug)],
        ..Shelf::default()
    };
    let loaded = Symbols::load("/lib/libserver.so", None, None, &mut shelf);
    assert_eq!(loaded.refused.len(), 1);
    assert!(loaded.refused[0].reason.contains(".gnu_debuglink"), "{}", loaded.refused[0].reason);
    check_function(&loaded.symbols, &built, HIDDEN, Some(Found::Unverified));

    // A file that lost its build-id is another file.
    let wanted = BuildId::parse("00112233").unwrap();
    shelf.debug.clear();
    let loaded = Symbols::load("/lib/libserver.so", Some(&wanted), None, &mut shelf);
    assert!(loaded.symbols.is_empty());
    assert!(loaded.refused[0].reason.contains("no build-id"), "{}", loaded.refused[0].reason);
}

/// A plug-in built without build-ids and upgraded while it ran, or before the trace was analysed.
#[test]
fn without_build_ids_the_size_refuses_and_nothing_verifies() {
    let Some(built) = Built::new(&["-Wl,--build-id=none"]) else { return };
    let bytes = built.bytes();
    let size = bytes.len() as u64;
    let mut shelf = Shelf { module: vec![("/lib/libserver.so", bytes)], ..Shelf::default() };
    let loaded = Symbols::load("/lib/libserver.so", None, Some(size + 8), &mut shelf);
    assert!(loaded.symbols.is_empty());
    let reason = format!("file changed since the trace: {size} bytes instead of {}", size + 8);
    assert_eq!(loaded.refused[0].reason, reason);
    for known in [Some(size), None] {
        let loaded = Symbols::load("/lib/libserver.so", None, known, &mut shelf);
        assert_eq!(loaded.refused, []);
        check_function(&loaded.symbols, &built, HIDDEN, Some(Found::Unverified));
        let receive = ModuleOffset(built.function(RECEIVE).start);
        let found = loaded.symbols.extent(receive).map(|extent| extent.found);
        assert_eq!(found, Some(Found::Unverified));
        let frames = loaded.symbols.frames(receive);
        assert!(!frames.is_empty() && frames.iter().all(|frame| frame.found == Found::Unverified));
    }
}

/// A build-id says more than a size: stripping changes the one and not the other.
#[test]
fn a_build_id_decides_alone() {
    let Some(built) = Built::new(&[]) else { return };
    let (stripped, _) = built.split("libserver.debug");
    let build_id = ElfFacts::read(&stripped[..]).unwrap().build_id;
    let mut shelf =
        Shelf { module: vec![("/lib/libserver.so", built.bytes())], ..Shelf::default() };
    let size = Some(stripped.len() as u64);
    let loaded = Symbols::load("/lib/libserver.so", build_id.as_ref(), size, &mut shelf);
    check_function(&loaded.symbols, &built, HIDDEN, Some(Found::Symtab));
}

#[test]
fn compressed_sections_give_the_same_names() {
    let Some(built) = Built::new(&["-gz=none"]) else { return };
    let plain = built.bytes();
    let plain_symbols = Symbols::parse(&plain).unwrap();
    for method in ["zlib", "zlib-gnu", "zstd"] {
        let packed = built.path(method);
        let output = Command::new("objcopy")
            .arg(format!("--compress-debug-sections={method}"))
            .arg(built.path("libserver.so"))
            .arg(&packed)
            .output()
            .unwrap();
        if !output.status.success() {
            skip::announce(&format!("objcopy does not know {method}"), file!(), line!());
            continue;
        }
        let packed = std::fs::read(packed).unwrap();
        assert!(packed.len() < plain.len(), "{method}");
        let symbols = Symbols::parse(&packed).unwrap();
        for function in [RECEIVE, REPEAT, HIDDEN] {
            for address in built.function(function) {
                let frames = symbols.frames(ModuleOffset(address));
                assert!(frames[0].line.is_some());
                assert_eq!(frames, plain_symbols.frames(ModuleOffset(address)), "{method}");
            }
        }
    }
}

#[test]
fn a_file_says_what_it_is() {
    let Some(built) = Built::new(&[]) else { return };
    let facts = ElfFacts::read(&built.bytes()[..]).unwrap();
    let mut identity = ModuleIdentity::of_path("/opt/mail/libserver.so");
    identity.add_elf(&facts);
    assert_eq!(identity.name, "libserver.so");
    assert_eq!(identity.soname.as_deref(), Some("libserver.so.1"));
    assert_eq!(identity.file_version.as_deref(), Some("1.2.0-3"));
    let package = identity.package.unwrap();
    assert_eq!((package.name.as_str(), package.manager), ("mail-server", PackageManager::Note));
    assert_eq!(package.distribution.as_deref(), Some("debian 12"));
    // binutils reads the same build-id.
    let output = Command::new("readelf").arg("-n").arg(built.path("libserver.so")).output();
    let output = String::from_utf8(output.unwrap().stdout).unwrap();
    assert!(output.contains(&identity.build_id.unwrap()), "{output}");
    // Read on demand, from something that seeks, it is the same.
    let file = std::fs::File::open(built.path("libserver.so")).unwrap();
    assert_eq!(ElfFacts::read_from(file).unwrap(), facts);
}

#[test]
fn the_supplement_is_asked_for_by_build_id() {
    let Some(built) = Built::new(&[]) else { return };
    let section = built.path("altlink");
    std::fs::write(&section, b"../dwz/common.debug\0\x01\x02\x03\x04\x05\x06\x07\x08").unwrap();
    let option = format!("--add-section=.gnu_debugaltlink={}", section.display());
    run("objcopy", &[option.as_ref(), &built.path("libserver.so")]);
    let build_id = ElfFacts::read(&built.bytes()[..]).unwrap().build_id;
    let mut shelf =
        Shelf { module: vec![("/lib/libserver.so", built.bytes())], ..Shelf::default() };
    let loaded = Symbols::load("/lib/libserver.so", build_id.as_ref(), None, &mut shelf);
    let asked = &shelf.asked[1];
    for part in ["Supplement", "../dwz/common.debug", "0102030405060708"] {
        assert!(asked.contains(part), "{asked}");
    }
    check_function(&loaded.symbols, &built, HIDDEN, Some(Found::Symtab));
}

#[inline(never)]
fn marker() -> HashMap<u8, u8> {
    std::hint::black_box(HashMap::from([(1, 2)]))
}

/// The running test is a Rust program whose addresses are known.
#[test]
fn a_rust_program_names_itself() {
    let program = std::env::current_exe().unwrap();
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    let first = maps.lines().find(|line| line.ends_with(program.to_str().unwrap())).unwrap();
    let base = u64::from_str_radix(first.split('-').next().unwrap(), 16).unwrap();
    let address = u64::try_from(marker as fn() -> HashMap<u8, u8> as usize).unwrap() - base;
    marker();
    let symbols = Symbols::parse(&std::fs::read(program).unwrap()).unwrap();
    let frames = symbols.frames(ModuleOffset(address));
    let last = frames.last().unwrap();
    assert_eq!(last.function.as_deref(), Some("names::marker"));
    assert!(last.file.as_deref().unwrap().ends_with("names.rs"));
    let extent = symbols.extent(ModuleOffset(address)).unwrap();
    assert_eq!((extent.name.as_str(), extent.start), ("names::marker", ModuleOffset(address)));
}
