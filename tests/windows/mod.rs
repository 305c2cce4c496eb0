//! Stand-in DLLs of Windows products, with real PDBs: compiled here by clang and lld for x86 and x64,
//! with the version resource of the file they stand for. Nothing of the products is in them: functions of
//! the names asked for, each at known lines, each with a function inlined into it.
//!
//! Used as `mod windows;` from an integration test. What is said of a DLL (addresses, GUID, time stamp) is
//! from the linker's map and from the bytes, never from unfreed's own readers, so that it can contradict
//! them. Results are kept in a directory named after a hash of what they are made from.

#![allow(dead_code, unused_imports, reason = "each test binary uses a part of this")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

pub mod live;
mod product;
mod source;

use std::collections::BTreeMap;
use std::collections::hash_map::DefaultHasher;
use std::fs;
use std::hash::{Hash, Hasher};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::Command;

pub use product::PRODUCTS;

/// The tools; a test asks `support::require!` for each of them first.
pub const TOOLS: [&str; 3] = ["clang-19", "lld-link-19", "x86_64-w64-mingw32-windres"];

/// What a DLL is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Machine {
    X86,
    X64,
}

/// What is to be built.
#[derive(Clone, Copy, Debug, Hash)]
pub struct Spec<'a> {
    /// File name: `Cdoexm.dll`.
    pub name: &'a str,
    /// File version: `6.0.6603.1`.
    pub version: &'a str,
    pub machine: Machine,
    /// Functions, in the order in which they lie: `List` is exported C (`__stdcall`), `CStore::Init` a
    /// member function that is not exported, `.hidden` a static function.
    pub functions: &'a [&'a str],
}

/// A DLL that was built.
#[derive(Clone, Debug)]
pub struct Built {
    pub dll: PathBuf,
    pub pdb: PathBuf,
    /// By the name that was asked for.
    pub functions: BTreeMap<String, Function>,
    /// 32 hexadecimal digits, upper-case.
    pub guid: String,
    pub age: u32,
    pub timestamp: u32,
    pub image_size: u32,
}

/// A function of a DLL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Function {
    /// Offset of its first instruction from the image's base.
    pub rva: u32,
    /// To the next function's, padding included.
    pub size: u32,
    /// A return address within it: behind the call that it makes.
    pub after_call: u32,
    /// As a PDB names it: with parameters.
    pub name: String,
    /// The lines of its body in `source.cpp`, counted from 1.
    pub lines: Range<u32>,
    /// The name and lines of the function inlined into it.
    pub inlined: String,
    pub inlined_lines: Range<u32>,
}

impl Built {
    /// A return address within a function, as an offset from the image's base: what stacks hold.
    pub fn within(&self, function: &str) -> u64 {
        self.functions[function].after_call.into()
    }

    /// The DLL and the PDB, copied into a directory as Microsoft's symbol stores have them.
    pub fn copy_into_store(&self, store: &Path) {
        let name = |path: &Path| path.file_name().unwrap().to_owned();
        let keys = [
            (&self.pdb, format!("{}{:X}", self.guid, self.age)),
            (&self.dll, format!("{:08X}{:x}", self.timestamp, self.image_size)),
        ];
        for (file, key) in keys {
            let directory = store.join(name(file)).join(key);
            fs::create_dir_all(&directory).unwrap();
            fs::copy(file, directory.join(name(file))).unwrap();
        }
    }
}

/// Builds a DLL, or gives the one that was built before; panics with the tool's words.
pub fn dll(spec: Spec<'_>) -> Built {
    made(spec, true)
}

/// The same with a PDB as vendors publish theirs: public symbols, no procedures and no lines.
pub fn published_dll(spec: Spec<'_>) -> Built {
    made(spec, false)
}

fn made(spec: Spec<'_>, private: bool) -> Built {
    let source = source::write(spec.functions);
    let resource = source::resource(spec.name, spec.version);
    let mut hash = DefaultHasher::new();
    (spec, private, &source.text, &resource, version_of("clang-19"), version_of("lld-link-19"))
        .hash(&mut hash);
    let store = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("windows");
    let directory = store.join(format!("{:016x}", hash.finish()));
    let stem = spec.name.rsplit_once('.').map_or(spec.name, |(stem, _)| stem);
    if !directory.exists() {
        fs::create_dir_all(&store).unwrap();
        let aside = tempfile::tempdir_in(&store).unwrap();
        fs::write(aside.path().join("source.cpp"), &source.text).unwrap();
        fs::write(aside.path().join("resource.rc"), resource).unwrap();
        build(spec, private, stem, aside.path());
        // A directory that is there and not empty is another test binary's equal result.
        let renamed = fs::rename(aside.path(), &directory);
        assert!(renamed.is_ok() || directory.exists(), "{}: {renamed:?}", directory.display());
    }
    let dll = directory.join(spec.name);
    let bytes = fs::read(&dll).unwrap();
    let map = fs::read_to_string(directory.join("link.map")).unwrap();
    let (timestamp, image_size) = header(&bytes);
    let (guid, age) = record(&bytes);
    let functions = source.placed(&map, &bytes, spec);
    let pdb = directory.join(format!("{stem}.pdb"));
    Built { dll, pdb, functions, guid, age, timestamp, image_size }
}

fn build(spec: Spec<'_>, private: bool, stem: &str, directory: &Path) {
    let target = match spec.machine {
        Machine::X86 => "i686-pc-windows-msvc",
        Machine::X64 => "x86_64-pc-windows-msvc",
    };
    // The preprocessor, which is gcc's, has nothing to do here.
    let resource = ["--preprocessor=cat", "-O", "res", "-i", "resource.rc", "-o", "resource.res"];
    run(directory, "x86_64-w64-mingw32-windres", &resource);
    let target = format!("--target={target}");
    let compile = "-c -O1 -fno-exceptions -Wall -Werror -ffile-compilation-dir=C:\\build";
    let mut compile: Vec<&str> = compile.split(' ').collect();
    compile.extend(private.then_some(["-g", "-gcodeview"]).into_iter().flatten());
    compile.extend([&target, "source.cpp", "-o", "source.obj"]);
    run(directory, "clang-19", &compile);
    // As Microsoft's linker makes them: the PDB named without a directory, the time stamp a hash.
    let link = [
        "/dll".to_owned(),
        "/nodefaultlib".to_owned(),
        "/brepro".to_owned(),
        "/debug".to_owned(),
        // As files lie that are mapped whole, which Wine does for these.
        "/filealign:4096".to_owned(),
        "/map:link.map".to_owned(),
        "/implib:link.lib".to_owned(),
        format!("/out:{}", spec.name),
        format!("/pdb:{stem}.pdb"),
        format!("/pdbaltpath:{stem}.pdb"),
        "source.obj".to_owned(),
        "resource.res".to_owned(),
    ];
    run(directory, "lld-link-19", &link.iter().map(String::as_str).collect::<Vec<_>>());
}

fn run(directory: &Path, tool: &str, arguments: &[&str]) {
    let mut command = Command::new(tool);
    let done = command.current_dir(directory).args(arguments).output();
    let done = done.unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let said = [&done.stdout[..], &done.stderr[..]].concat();
    assert!(done.status.success(), "{command:?}\n{}", String::from_utf8_lossy(&said));
}

fn version_of(tool: &str) -> Vec<u8> {
    Command::new(tool).arg("--version").output().expect("a tool that was required").stdout
}

/// Time stamp and image size, at their offsets from the header that the word at 0x3c leads to.
fn header(bytes: &[u8]) -> (u32, u32) {
    let nt = word(bytes, 0x3c) as usize;
    assert_eq!(&bytes[nt..nt + 4], b"PE\0\0");
    (word(bytes, nt + 8), word(bytes, nt + 0x50))
}

/// GUID and age of the one record that names a PDB.
fn record(bytes: &[u8]) -> (String, u32) {
    let at = bytes.windows(4).position(|window| window == b"RSDS").expect("a CodeView record") + 4;
    let (a, rest) = (word(bytes, at), &bytes[at + 4..at + 16]);
    let (b, c) = (u16::from_le_bytes([rest[0], rest[1]]), u16::from_le_bytes([rest[2], rest[3]]));
    let tail: String = rest[4..].iter().map(|byte| format!("{byte:02X}")).collect();
    (format!("{a:08X}{b:04X}{c:04X}{tail}"), word(bytes, at + 16))
}

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap())
}
