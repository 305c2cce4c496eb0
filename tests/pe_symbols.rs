//! Symbols of Windows modules: stand-in DLLs with real PDBs, built here for x86 and x64, and the real PDBs
//! of the fixtures. Names, files and lines are compared with what the source and the linker's map say.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

/// Leaves the calling test where a tool is missing.
macro_rules! tools {
    () => {
        for tool in windows::TOOLS {
            let _ = crate::support::require!(tool);
        }
    };
}

#[path = "pe_symbols/damage.rs"]
mod damage;
#[path = "pe_symbols/stores.rs"]
mod stores;
mod support;
mod windows;

use std::fs;
use std::path::Path;

use unfreed_symbols::{
    Files, Found, ModuleIdentity, ModuleOffset, NamedFrame, PdbFacts, PdbId, PeFacts, PeFile,
    Place, SymbolError, Symbols, Wanted,
};
use windows::{Built, Machine, PRODUCTS, Spec};

const BOTH: [Machine; 2] = [Machine::X86, Machine::X64];

/// Files by place, for whatever is asked for.
#[derive(Default)]
struct Shelf {
    images: Vec<(String, Vec<u8>)>,
    pdbs: Vec<(String, Vec<u8>)>,
}

impl Shelf {
    fn of(built: &Built, image: bool, pdb: bool) -> Shelf {
        let file = |path: &Path| (path.to_string_lossy().into_owned(), fs::read(path).unwrap());
        Shelf {
            images: image.then(|| file(&built.dll)).into_iter().collect(),
            pdbs: pdb.then(|| file(&built.pdb)).into_iter().collect(),
        }
    }
}

impl Files for Shelf {
    fn candidates(&mut self, wanted: &Wanted<'_>) -> Vec<Place> {
        let files = match wanted {
            Wanted::Image { .. } => &self.images,
            Wanted::Pdb { .. } => &self.pdbs,
            _ => return Vec::new(),
        };
        files.iter().map(|(place, _)| Place(place.clone())).collect()
    }

    fn read(&mut self, place: &Place) -> Result<Option<Vec<u8>>, String> {
        let mut files = self.images.iter().chain(&self.pdbs);
        Ok(files.find(|(name, _)| *name == place.0).map(|(_, bytes)| bytes.clone()))
    }
}

/// What a trace says of a DLL.
fn identity(built: &Built) -> ModuleIdentity {
    let name = built.dll.file_name().unwrap().to_str().unwrap();
    let pdb = built.pdb.file_name().unwrap().to_str().unwrap();
    let mut identity = ModuleIdentity::of_path(&format!(r"C:\Program Files\Exchsrvr\bin\{name}"));
    identity.pdb = Some(PdbId { guid: built.guid.clone(), age: built.age, name: pdb.to_owned() });
    identity.pe = Some(PeFacts {
        timestamp: built.timestamp,
        image_size: built.image_size,
        ..PeFacts::default()
    });
    identity
}

fn outer(frames: &[NamedFrame]) -> (&str, Found) {
    let frame = frames.last().unwrap();
    (frame.function.as_deref().unwrap(), frame.found)
}

#[test]
fn a_pe_says_what_it_is() {
    tools!();
    for product in PRODUCTS {
        for machine in BOTH {
            let built = product.built(machine);
            let file = PeFile::read(&fs::read(&built.dll).unwrap()[..]).unwrap();
            assert_eq!(file, PeFile::read_from(fs::File::open(&built.dll).unwrap()).unwrap());
            assert_eq!(file.file_version.as_deref(), Some(product.version), "{product:?}");
            assert_eq!(file.facts.product_version.as_deref(), Some(product.version));
            assert_eq!(file.facts.company.as_deref(), Some("Stand-in"));
            assert_eq!(file.facts.timestamp, built.timestamp);
            assert_eq!(file.facts.image_size, built.image_size);
            // The PDB carries the same id.
            let pdb = file.pdb.unwrap();
            assert_eq!((&pdb.guid, pdb.age), (&built.guid, built.age));
            assert_eq!(pdb.file_name(), built.pdb.file_name().unwrap().to_str());
            let facts = PdbFacts::read(fs::read(&built.pdb).unwrap()).unwrap();
            assert_eq!(facts, PdbFacts { guid: built.guid, age: built.age });
        }
    }
}

#[test]
fn every_address_of_a_function_has_its_name_file_and_line() {
    tools!();
    for product in PRODUCTS {
        for machine in BOTH {
            let built = product.built(machine);
            let loaded = Symbols::load_pe(&identity(&built), &mut Shelf::of(&built, false, true));
            assert_eq!(loaded.refused, []);
            assert_eq!(loaded.used, [Place(built.pdb.to_string_lossy().into_owned())]);
            for function in built.functions.values() {
                let (mut inlined, mut padding) = (0, 0);
                let end = function.rva + function.size;
                for rva in function.rva..end {
                    let offset = ModuleOffset(rva.into());
                    let frames = loaded.symbols.frames(offset);
                    // Behind a function there is padding up to the next, and it has no name.
                    if frames.is_empty() {
                        padding += 1;
                        continue;
                    }
                    assert_eq!(padding, 0, "{function:?} {rva:#x}");
                    assert_eq!(outer(&frames), (function.name.as_str(), Found::Pdb), "{rva:#x}");
                    assert!(frames.iter().rev().skip(1).all(|frame| frame.inlined));
                    let real = frames.last().unwrap();
                    assert!(!real.inlined);
                    assert!(function.lines.contains(&real.line.unwrap()), "{real:?} {function:?}");
                    assert!(real.file.as_deref().unwrap().ends_with(r"source.cpp"), "{real:?}");
                    if let [inner, _] = &frames[..] {
                        assert_eq!(inner.function.as_deref(), Some(function.inlined.as_str()));
                        assert!(function.inlined_lines.contains(&inner.line.unwrap()), "{inner:?}");
                        assert!(inner.file.as_deref().unwrap().ends_with("source.cpp"));
                        inlined += 1;
                    }
                    let extent = loaded.symbols.extent(offset).unwrap();
                    assert_eq!(
                        (&extent.name, extent.start.0),
                        (&function.name, function.rva.into())
                    );
                    assert!(extent.size <= function.size.into());
                }
                assert!(padding < 16, "{function:?}");
                assert!(inlined > 0, "{function:?} has what was inlined into it");
                // The call before a return address is looked up.
                let call = ModuleOffset(u64::from(function.after_call) - 1);
                assert_eq!(outer(&loaded.symbols.frames(call)).0, function.name);
            }
            for outside in [0, 0x10, 0xfff, u64::from(built.image_size), u64::MAX] {
                assert_eq!(loaded.symbols.frames(ModuleOffset(outside)), []);
            }
        }
    }
}

const MIXED: [&str; 4] = [".before", "Open", ".between", "Close"];

fn mixed(machine: Machine) -> Built {
    windows::dll(Spec { name: "mixed.dll", version: "1.2.3.4", machine, functions: &MIXED })
}

#[test]
fn without_a_pdb_exports_name_what_they_can() {
    tools!();
    for machine in BOTH {
        let built = mixed(machine);
        let loaded = Symbols::load_pe(&identity(&built), &mut Shelf::of(&built, true, false));
        assert_eq!(loaded.refused, []);
        let name = |function: &str, called: bool| {
            let function = &built.functions[function];
            let offset = if called { function.after_call } else { function.rva };
            let frames = loaded.symbols.frames(ModuleOffset(offset.into()));
            frames.last().map(|frame| (frame.function.clone().unwrap(), frame.found))
        };
        let found = match machine {
            Machine::X86 => Found::ExportNearest,
            Machine::X64 => Found::Export,
        };
        for called in [false, true] {
            assert_eq!(name("Open", called), Some(("Open".to_owned(), found)));
            assert_eq!(name("Close", called), Some(("Close".to_owned(), found)));
        }
        assert_eq!(name(".before", true), None, "nothing is exported before it");
        // x64 says where functions end; on x86 the nearest is all there is, and is said to be.
        let between = match machine {
            Machine::X86 => Some(("Open".to_owned(), Found::ExportNearest)),
            Machine::X64 => None,
        };
        assert_eq!(name(".between", true), between);
    }
}

#[test]
fn a_file_that_is_another_build_is_refused_with_the_reason() {
    tools!();
    for machine in BOTH {
        let built = mixed(machine);
        let functions = &["Open", "Close"];
        let other =
            windows::dll(Spec { name: "mixed.dll", version: "1.2.3.5", machine, functions });
        assert_ne!(built.guid, other.guid);
        // Both PDBs lie there: the other one is refused, the right one used.
        let mut shelf = Shelf::of(&other, false, true);
        shelf.pdbs.extend(Shelf::of(&built, false, true).pdbs);
        let loaded = Symbols::load_pe(&identity(&built), &mut shelf);
        let [refused] = &loaded.refused[..] else { panic!("{:?}", loaded.refused) };
        assert_eq!(
            refused.reason,
            format!(
                "PDB {} age {} instead of {} age {}",
                other.guid, other.age, built.guid, built.age
            )
        );
        assert!(!loaded.symbols.is_empty());

        // The age counts too.
        let mut older = identity(&built);
        older.pdb.as_mut().unwrap().age = 7;
        let loaded = Symbols::load_pe(&older, &mut Shelf::of(&built, false, true));
        assert!(loaded.refused[0].reason.ends_with("age 7"), "{:?}", loaded.refused);
        assert!(loaded.symbols.is_empty());

        // The DLL of another build: by what its header says, or by the PDB that it names.
        let loaded = Symbols::load_pe(&identity(&built), &mut Shelf::of(&other, true, false));
        assert!(loaded.refused[0].reason.starts_with("time stamp "), "{:?}", loaded.refused);
        assert!(loaded.symbols.is_empty());
        let mut bare = identity(&built);
        bare.pe = None;
        let loaded = Symbols::load_pe(&bare, &mut Shelf::of(&other, true, false));
        assert!(loaded.refused[0].reason.starts_with("PDB "), "{:?}", loaded.refused);

        // What is no such file at all.
        let mut shelf = Shelf::of(&built, false, false);
        shelf.images.push(("a".to_owned(), b"#!/bin/sh\n".to_vec()));
        shelf.pdbs.push(("b".to_owned(), fs::read(&built.dll).unwrap()));
        let loaded = Symbols::load_pe(&identity(&built), &mut shelf);
        let reasons: Vec<_> = loaded.refused.iter().map(|refused| refused.reason.clone()).collect();
        assert_eq!(reasons, [SymbolError::NotPdb.to_string(), SymbolError::NotPe.to_string()]);
    }
}

#[test]
fn a_published_pdb_names_functions_and_says_that_it_is_the_nearest() {
    tools!();
    for machine in BOTH {
        let functions = &["Open", "CStore::Init", "Close"];
        let spec = Spec { name: "published.dll", version: "1.2.3.4", machine, functions };
        let built = windows::published_dll(spec);
        let loaded = Symbols::load_pe(&identity(&built), &mut Shelf::of(&built, true, true));
        assert_eq!(loaded.refused, []);
        for (asked, function) in &built.functions {
            let offset = ModuleOffset(function.after_call.into());
            let frames = loaded.symbols.frames(offset);
            let [frame] = &frames[..] else { panic!("{frames:?}") };
            // C has no parameters in its symbols.
            let name = if asked.contains("::") { &function.name } else { asked };
            assert_eq!((frame.function.as_ref(), frame.found), (Some(name), Found::PdbPublic));
            assert_eq!((&frame.file, frame.line, frame.inlined), (&None, None, false));
            let extent = loaded.symbols.extent(offset).unwrap();
            assert_eq!((extent.start.0, extent.size), (function.rva.into(), function.size.into()));
        }
    }
}

/// Where only a name was recorded (UMDH), the DLL that lies here leads to its PDB, and nothing is sure.
#[test]
fn a_dll_leads_to_its_pdb() {
    tools!();
    let built = mixed(Machine::X86);
    let start = ModuleOffset(built.functions["Open"].rva.into());
    let bare = ModuleIdentity::of_path(r"C:\mixed.dll");
    let loaded = Symbols::load_pe(&bare, &mut Shelf::of(&built, true, true));
    assert_eq!(outer(&loaded.symbols.frames(start)), ("Open(int)", Found::Unverified));
    // The image's size alone proves nothing, but contradicts.
    let mut sized = bare.clone();
    sized.pe = Some(PeFacts { image_size: built.image_size + 0x1000, ..PeFacts::default() });
    let loaded = Symbols::load_pe(&sized, &mut Shelf::of(&built, true, true));
    assert!(loaded.symbols.is_empty() && loaded.refused.len() == 1);
    sized.pe = Some(PeFacts { image_size: built.image_size, ..PeFacts::default() });
    let loaded = Symbols::load_pe(&sized, &mut Shelf::of(&built, true, true));
    assert_eq!(outer(&loaded.symbols.frames(start)).1, Found::Unverified);
    sized.pe.as_mut().unwrap().timestamp = built.timestamp;
    let loaded = Symbols::load_pe(&sized, &mut Shelf::of(&built, true, true));
    assert_eq!(outer(&loaded.symbols.frames(start)).1, Found::Pdb);
}

/// The real PDBs of .NET's native images: public symbols only, some thousand functions each.
#[test]
fn the_real_pdbs_of_the_fixtures_are_opened_and_looked_up() {
    let packed =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/fixtures/etl/win7-net45-x86.etl.zip");
    if !packed.exists() {
        support::skip!("{} is not here", packed.display());
    }
    let python = support::require!("python3");
    let home = tempfile::tempdir().unwrap();
    let unpacked = std::process::Command::new(python)
        .args(["-m", "zipfile", "-e"])
        .args([&packed, &home.path().to_owned()])
        .status()
        .unwrap();
    assert!(unpacked.success());
    let mut opened = 0;
    for name in ["mscorlib.ni.pdb", "System.ni.pdb", "System.Xml.ni.pdb"] {
        // The archive has backslashes in its names; unpacked, they are part of a file name or directories.
        let path =
            files(home.path()).into_iter().find(|path| path.to_string_lossy().ends_with(name));
        let path = path.unwrap();
        let whole = path.to_string_lossy().replace('\\', "/");
        let key = whole.rsplit('/').nth(1).unwrap().to_owned();
        let bytes = fs::read(&path).unwrap();
        let facts = PdbFacts::read(bytes.clone()).unwrap();
        // The store's directory is named after GUID and age.
        assert_eq!(format!("{}{:X}", facts.guid, facts.age), key.to_ascii_uppercase());
        let mut module = ModuleIdentity::of_path(&format!(r"C:\Windows\{name}"));
        module.pdb = Some(PdbId { guid: facts.guid, age: facts.age, name: name.to_owned() });
        let mut shelf = Shelf { pdbs: vec![(name.to_owned(), bytes)], ..Shelf::default() };
        let loaded = Symbols::load_pe(&module, &mut shelf);
        assert_eq!(loaded.refused, []);
        let mut names = std::collections::BTreeSet::new();
        let mut rva = 0;
        while rva < 0x100_0000 {
            let extent = loaded.symbols.extent(ModuleOffset(rva));
            if let Some(extent) = &extent {
                names.insert(extent.name.clone());
                assert_eq!(extent.found, Found::PdbPublic);
                assert!(extent.start.0 <= rva && rva < extent.start.0 + extent.size);
            }
            rva = extent.map_or(rva + 0x100, |extent| extent.start.0 + extent.size);
        }
        assert!(names.len() > 1000, "{name}: {}", names.len());
        opened += 1;
    }
    assert_eq!(opened, 3);
}

fn files(directory: &Path) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}
