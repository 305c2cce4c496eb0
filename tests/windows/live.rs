//! Stand-ins that run: a program and the DLLs that it calls, x64, each with a PDB, from sources in `tests/wine/`.

use std::collections::hash_map::DefaultHasher;
use std::fs;
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};

use super::source::resource;
use super::{run, version_of};

/// One module of a program.
#[derive(Clone, Copy, Debug, Hash)]
pub struct Module<'a> {
    /// File name: `Cdoexm.dll`.
    pub name: &'a str,
    /// File version; a program's need not have one.
    pub version: Option<&'a str>,
    /// Its source in `tests/wine/`, without `.cpp`.
    pub source: &'a str,
    /// Whether it lies in its file as in memory: else its code is in memory that is no file's.
    pub mapped: bool,
}

/// What they call of Windows.
const KERNEL32: &str = "LIBRARY kernel32.dll\nEXPORTS\nGetProcessHeap\nHeapCreate\nHeapDestroy\nHeapAlloc\n\
    HeapReAlloc\nHeapFree\nLoadLibraryA\nGetProcAddress\nInitializeCriticalSection\nDeleteCriticalSection\nSleep\nGetStdHandle\nReadFile\nWriteFile\n\
    ExitProcess\n";

/// What a compiler calls of it for `__except`.
const NTDLL: &str = "LIBRARY ntdll.dll\nEXPORTS\n__C_specific_handler\n";

/// Builds modules, each of which may call those before it, or finds what was built before: the directory that they are in.
/// A program works so many rounds.
pub fn live(modules: &[Module<'_>], rounds: u32) -> PathBuf {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/wine");
    let mut files: Vec<PathBuf> =
        fs::read_dir(&sources).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let texts: Vec<Vec<u8>> = files.iter().map(|file| fs::read(file).unwrap()).collect();
    let mut hash = DefaultHasher::new();
    (modules, rounds, KERNEL32, NTDLL, texts, version_of("clang-19"), version_of("lld-link-19"))
        .hash(&mut hash);
    let store = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("windows-live");
    let directory = store.join(format!("{:016x}", hash.finish()));
    if !directory.exists() {
        fs::create_dir_all(&store).unwrap();
        let aside = tempfile::tempdir_in(&store).unwrap();
        for file in files {
            fs::copy(&file, aside.path().join(file.file_name().unwrap())).unwrap();
        }
        build(modules, rounds, aside.path());
        // A directory that is there and not empty is another test binary's equal result.
        let renamed = fs::rename(aside.path(), &directory);
        assert!(renamed.is_ok() || directory.exists(), "{}: {renamed:?}", directory.display());
    }
    directory
}

fn build(modules: &[Module<'_>], rounds: u32, directory: &Path) {
    let mut libraries = Vec::new();
    for (stem, exports) in [("kernel32", KERNEL32), ("ntdll", NTDLL)] {
        let (definition, library) = (format!("{stem}.def"), format!("{stem}.lib"));
        fs::write(directory.join(&definition), exports).unwrap();
        let (from, to) = (format!("/def:{definition}"), format!("/out:{library}"));
        run(directory, "lld-link-19", &["/lib", &from, "/machine:x64", &to]);
        libraries.push(library);
    }
    for module in modules {
        let (stem, kind) = module.name.rsplit_once('.').unwrap();
        let (source, object) = (format!("{}.cpp", module.source), format!("{stem}.obj"));
        let rounds = format!("-DROUNDS={rounds}");
        let compile = "--target=x86_64-pc-windows-msvc -c -O1 -g -gcodeview -fno-exceptions -Wall -Werror \
            -Wno-unused-private-field -ffile-compilation-dir=C:\\build";
        let mut compile: Vec<&str> = compile.split_whitespace().collect();
        compile.extend([&rounds, &source, "-o", &object]);
        run(directory, "clang-19", &compile);
        let mut link = vec![
            "/nodefaultlib".to_owned(),
            "/brepro".to_owned(),
            "/debug".to_owned(),
            format!("/out:{}", module.name),
            format!("/pdb:{stem}.pdb"),
            format!("/pdbaltpath:{stem}.pdb"),
            object,
        ];
        link.extend(module.mapped.then(|| "/filealign:4096".to_owned()));
        if kind == "dll" {
            link.extend(["/dll".to_owned(), format!("/implib:{stem}.lib")]);
        } else {
            link.extend(["/entry:begin".to_owned(), "/subsystem:console".to_owned()]);
        }
        if let Some(version) = module.version {
            let (script, compiled) = (format!("{stem}.rc"), format!("{stem}.res"));
            fs::write(directory.join(&script), resource(module.name, version)).unwrap();
            let resource = ["--preprocessor=cat", "-O", "res", "-i", &script, "-o", &compiled];
            run(directory, "x86_64-w64-mingw32-windres", &resource);
            link.push(compiled);
        }
        link.extend(libraries.iter().cloned());
        run(directory, "lld-link-19", &link.iter().map(String::as_str).collect::<Vec<_>>());
        if kind == "dll" {
            libraries.push(format!("{stem}.lib"));
        }
    }
}
