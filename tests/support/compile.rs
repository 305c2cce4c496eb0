//! Compiles test programs, once per content: the result's directory is named after a hash of the
//! sources, the flags and the compiler. Several test binaries may compile the same program at
//! once: each writes aside and renames, and whoever comes second takes what is there.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use xxhash_rust::xxh3::Xxh3;

use super::skip;

/// What the sources are written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    C,
    Cxx,
    /// C, for musl.
    MuslC,
}

impl Language {
    /// The system's compiler for it; a test asks `support::require!` for it first.
    pub fn compiler(self) -> &'static str {
        match self {
            Language::C => "cc",
            Language::Cxx => "c++",
            Language::MuslC => "musl-gcc",
        }
    }

    fn standard(self) -> &'static str {
        match self {
            Language::C | Language::MuslC => "-std=gnu11",
            // Not 20: there std::string is constexpr and inlined, and libstdc++ leaves the stacks.
            Language::Cxx => "-std=gnu++17",
        }
    }
}

/// One program or shared library to be compiled.
#[derive(Clone, Debug)]
pub struct Compile {
    language: Language,
    output: String,
    sources: Vec<PathBuf>,
    headers: Vec<PathBuf>,
    flags: Vec<OsString>,
}

impl Compile {
    /// A file of this name, from sources given relative to the project's root.
    pub fn new(language: Language, output: &str, sources: &[&str]) -> Compile {
        Compile {
            language,
            output: output.to_owned(),
            sources: sources.iter().map(|source| root().join(source)).collect(),
            headers: Vec::new(),
            flags: Vec::new(),
        }
    }

    /// More flags, after the usual ones and the sources: libraries may be among them.
    pub fn flags(mut self, flags: &[&str]) -> Compile {
        self.flags.extend(flags.iter().map(OsString::from));
        self
    }

    /// A header that the sources include, relative to the project's root: its directory is
    /// searched, and a change of it compiles anew.
    pub fn header(mut self, header: &str) -> Compile {
        let header = root().join(header);
        let mut include = OsString::from("-I");
        include.push(header.parent().expect("a file in a directory"));
        self.flags.push(include);
        self.headers.push(header);
        self
    }

    /// Makes it a shared library with this soname.
    pub fn shared(self, soname: &str) -> Compile {
        self.flags(&["-shared", "-fPIC", &format!("-Wl,-soname,{soname}")])
    }

    /// The path of the result, compiled now or before; panics with the compiler's words.
    pub fn build(&self) -> PathBuf {
        let store = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("programs");
        let directory = store.join(format!("{:032x}", self.key()));
        let result = directory.join(&self.output);
        if result.exists() {
            return result;
        }
        fs::create_dir_all(&store).unwrap();
        let aside = tempfile::tempdir_in(&store).unwrap();
        self.compile(&aside.path().join(&self.output));
        // A directory that is there and not empty is another test binary's equal result.
        let renamed = fs::rename(aside.path(), &directory);
        assert!(renamed.is_ok() || result.exists(), "{}: {renamed:?}", directory.display());
        result
    }

    fn compile(&self, output: &Path) {
        let mut command = Command::new(self.language.compiler());
        command.args(self.usual()).args(&self.sources).args(&self.flags).arg("-o").arg(output);
        let done = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        assert!(done.status.success(), "{command:?}\n{}", String::from_utf8_lossy(&done.stderr));
    }

    /// Warnings are errors. The compiler must not know what malloc means, or it removes pairs
    /// that nobody looks at.
    fn usual(&self) -> [&'static str; 8] {
        [
            self.language.standard(),
            "-O2",
            "-g",
            "-Wall",
            "-Wextra",
            "-Werror",
            "-fno-builtin",
            "-Wl,--build-id=sha1",
        ]
    }

    fn key(&self) -> u128 {
        let mut hash = Xxh3::new();
        let mut add = |bytes: &[u8]| {
            hash.update(&(bytes.len() as u64).to_le_bytes());
            hash.update(bytes);
        };
        add(compiler_version(self.language));
        add(self.output.as_bytes());
        self.usual().iter().for_each(|flag| add(flag.as_bytes()));
        self.flags.iter().for_each(|flag| add(flag.as_encoded_bytes()));
        for file in self.sources.iter().chain(&self.headers) {
            // The path, too: it is in the debugging information.
            add(file.as_os_str().as_encoded_bytes());
            add(&fs::read(file).unwrap_or_else(|error| panic!("{}: {error}", file.display())));
        }
        hash.digest128()
    }
}

/// The project's root.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn compiler_version(language: Language) -> &'static [u8] {
    static C: OnceLock<Vec<u8>> = OnceLock::new();
    static CXX: OnceLock<Vec<u8>> = OnceLock::new();
    static MUSL: OnceLock<Vec<u8>> = OnceLock::new();
    let cell = match language {
        Language::C => &C,
        Language::Cxx => &CXX,
        Language::MuslC => &MUSL,
    };
    cell.get_or_init(|| {
        let compiler = language.compiler();
        assert!(skip::tool(compiler).is_some(), "no {compiler}: ask support::require! first");
        Command::new(compiler).arg("--version").output().expect("compiler starts").stdout
    })
}
