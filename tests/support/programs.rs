//! The test programs by name, compiled. `tests/programs/README.md` says what each proves.

use std::path::PathBuf;
use std::process::Command;

use super::compile::{Compile, Language, root};

/// A small C program, `tests/programs/NAME.c`.
pub fn c(name: &str) -> PathBuf {
    Compile::new(Language::C, name, &[&format!("tests/programs/{name}.c")])
        .flags(&["-pthread", "-ldl"])
        .build()
}

/// A small C++ program, `tests/programs/NAME.cpp`.
pub fn cxx(name: &str) -> PathBuf {
    Compile::new(Language::Cxx, name, &[&format!("tests/programs/{name}.cpp")])
        .flags(&["-pthread"])
        .build()
}

/// A small C program linked with the allocator that may be left anywhere.
pub fn jump_safe(name: &str) -> PathBuf {
    let library = "libjump_safe_malloc.so";
    let built = Compile::new(Language::C, library, &["tests/programs/jump_safe_malloc.c"])
        .shared(library)
        .build();
    let beside = built.parent().expect("a file in a directory").to_str().expect("plain").to_owned();
    Compile::new(Language::C, name, &[&format!("tests/programs/{name}.c")])
        .flags(&["-pthread", "-Wl,--no-as-needed", &format!("-Wl,-rpath,{beside}")])
        .flags(&[built.to_str().expect("plain")])
        .build()
}

/// An allocator that programs are linked with instead of using the C library's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Allocator {
    Jemalloc,
    Tcmalloc,
    Mimalloc,
}

impl Allocator {
    pub const ALL: [Allocator; 3] = [Allocator::Jemalloc, Allocator::Tcmalloc, Allocator::Mimalloc];

    /// Its library's name for the linker.
    fn library(self) -> &'static str {
        match self {
            Allocator::Jemalloc => "jemalloc",
            Allocator::Tcmalloc => "tcmalloc_minimal",
            Allocator::Mimalloc => "mimalloc",
        }
    }

    /// Functions of its own that allocate and free, beside those of C.
    pub fn own_names(self) -> [&'static str; 2] {
        match self {
            Allocator::Jemalloc => ["mallocx", "dallocx"],
            Allocator::Tcmalloc => ["tc_malloc", "tc_free"],
            Allocator::Mimalloc => ["mi_malloc", "mi_free"],
        }
    }

    /// What its library's file name begins with.
    pub fn file(self) -> String {
        format!("lib{}.so", self.library())
    }

    /// Whether its development files are there.
    pub fn is_installed(self) -> bool {
        ["/usr/lib/x86_64-linux-gnu", "/usr/lib64", "/usr/lib", "/usr/local/lib"]
            .iter()
            .any(|directory| PathBuf::from(directory).join(self.file()).exists())
    }

    /// The program that frees by the allocator's own name, as the linker binds it.
    pub fn link_own_name(self) -> PathBuf {
        let [_, release] = self.own_names();
        let output = format!("own_name_linked_{}", self.library());
        Compile::new(Language::C, &output, &["tests/programs/own_name_linked.c"])
            .flags(&[&format!("-DRELEASE={release}"), &format!("-l{}", self.library())])
            .build()
    }

    /// A small program linked with it.
    pub fn link(self, language: Language, name: &str) -> PathBuf {
        let ending = if language == Language::C { "c" } else { "cpp" };
        let output = format!("{name}_{}", self.library());
        Compile::new(language, &output, &[&format!("tests/programs/{name}.{ending}")])
            .flags(&["-pthread", "-ldl", "-Wl,--no-as-needed"])
            .flags(&[&format!("-l{}", self.library())])
            .build()
    }
}

/// A plug-in of one source, `tests/programs/SOURCE.c`, under a name of its own.
pub fn plug_in(source: &str, name: &str) -> PathBuf {
    let file = format!("lib{name}.so");
    Compile::new(Language::C, &file, &[&format!("tests/programs/{source}.c")]).shared(&file).build()
}

/// A script or a Python program as it is.
pub fn script(name: &str) -> PathBuf {
    root().join("tests/programs").join(name)
}

/// A small C program linked statically: no preloading reaches it.
pub fn static_c(name: &str) -> PathBuf {
    Compile::new(Language::C, name, &[&format!("tests/programs/{name}.c")])
        .flags(&["-static"])
        .build()
}

/// A small C program for musl.
pub fn musl(name: &str) -> PathBuf {
    Compile::new(Language::MuslC, name, &[&format!("tests/programs/{name}.c")])
        .flags(&["-pthread"])
        .build()
}

/// The same linked statically, with musl inside.
pub fn static_musl(name: &str) -> PathBuf {
    Compile::new(Language::MuslC, name, &[&format!("tests/programs/{name}.c")])
        .flags(&["-static"])
        .build()
}

/// The plug-ins that `musl_loads.c` loads: one that can be, and one that lacks a symbol.
pub fn musl_plugins() -> [PathBuf; 2] {
    let good = Compile::new(Language::MuslC, "libgood.so", &["tests/programs/reload_plugin.c"])
        .shared("libgood.so")
        .flags(&["-DENTRY=good_entry", "-DALLOCATE=good_allocate"]);
    let bad = Compile::new(Language::MuslC, "libbad.so", &["tests/programs/musl_bad.c"])
        .shared("libbad.so");
    [good.build(), bad.build()]
}

/// One of the two plug-ins that `reload.c` loads in turn, `alpha` or `beta`.
pub fn reload_plugin(letter: &str) -> PathBuf {
    let name = format!("lib{letter}.so");
    let define = format!("-DENTRY={letter}_entry");
    let allocate = format!("-DALLOCATE={letter}_allocate");
    Compile::new(Language::C, &name, &["tests/programs/reload_plugin.c"])
        .shared(&name)
        .flags(&[&define, &allocate])
        .build()
}

/// The plug-in that `over_release.c` loads past everybody else's malloc.
pub fn lending_plugin() -> PathBuf {
    let name = "liblending.so";
    Compile::new(Language::C, name, &["tests/programs/lending_plugin.c"]).shared(name).build()
}

/// The plug-in that `host.c` loads.
pub fn constructor_plugin() -> PathBuf {
    let name = "libconstructor.so";
    Compile::new(Language::Cxx, name, &["tests/programs/constructor_plugin.cpp"])
        .shared(name)
        .flags(&["-pthread"])
        .build()
}

/// The independent unwinder, to be preloaded before the agent.
pub fn oracle() -> PathBuf {
    // Its own copy of libgcc's unwinder, so that the target's modules stay what they were.
    Compile::new(Language::C, "liboracle.so", &["tests/programs/oracle.c"])
        .shared("liboracle.so")
        .flags(&["-ftls-model=initial-exec", "-static-libgcc", "-pthread", "-ldl"])
        .build()
}

/// What holds a program before its main, to be preloaded.
pub fn gate() -> PathBuf {
    Compile::new(Language::C, "libgate.so", &[GATE]).shared("libgate.so").build()
}

/// The same to be linked in.
pub const GATE: &str = "tests/programs/gate.c";

/// The broker's message plug-in; needs mosquitto's development files.
pub fn topic_plugin() -> PathBuf {
    Compile::new(Language::C, "topic_plugin.so", &["tests/programs/mosquitto/topic_plugin.c"])
        .shared("topic_plugin.so")
        .build()
}

/// Whether mosquitto's development files are there.
pub fn has_mosquitto_headers() -> bool {
    PathBuf::from("/usr/include/mosquitto_plugin.h").exists()
}

/// Dovecot's mail plug-in `keep`. It lies alone in its directory, which can be `mail_plugin_dir`.
pub fn keep_plugin() -> PathBuf {
    let name = "lib10_keep_plugin.so";
    Compile::new(Language::C, name, &["tests/programs/mail/keep_plugin.c"]).shared(name).build()
}

/// Which archiver plug-in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Archiver {
    /// 1.2.0, which leaks one block per message.
    Leaking,
    /// 1.2.1, which does not.
    Fixed,
}

impl Archiver {
    /// The version in its packaging note.
    pub fn version(self) -> &'static str {
        match self {
            Archiver::Leaking => "1.2.0",
            Archiver::Fixed => "1.2.1",
        }
    }

    /// Its path: `libarchiver.so`, soname `libarchiver.so.1`.
    pub fn build(self) -> PathBuf {
        let fixed = if self == Archiver::Fixed { "1" } else { "0" };
        Compile::new(Language::Cxx, "libarchiver.so", &["tests/programs/server/plugin.cpp"])
            .header("demo/package_note.h")
            .header("tests/programs/server/archiver.h")
            .shared("libarchiver.so.1")
            .flags(&[
                &format!("-DARCHIVER_FIXED={fixed}"),
                &format!("-DPACKAGE_VERSION={}", self.version()),
            ])
            .build()
    }
}

/// A command that runs the message server with this plug-in.
pub fn server(plug_in: Archiver, messages: u64, threads: u32) -> Command {
    server_linked(plug_in, messages, threads, &[])
}

/// The same with the server linked with an allocator.
pub fn server_with(
    allocator: Allocator,
    plug_in: Archiver,
    messages: u64,
    threads: u32,
) -> Command {
    let library = format!("-l{}", allocator.library());
    server_linked(plug_in, messages, threads, &["-Wl,--no-as-needed", &library])
}

fn server_linked(plug_in: Archiver, messages: u64, threads: u32, flags: &[&str]) -> Command {
    let program = Compile::new(Language::Cxx, "server", &["tests/programs/server/server.cpp"])
        .header("tests/programs/server/archiver.h")
        .flags(&["-pthread", "-ldl"])
        .flags(flags)
        .build();
    let mut command = Command::new(program);
    command
        .args(["--messages", &messages.to_string(), "--threads", &threads.to_string()])
        .arg("--plugin")
        .arg(plug_in.build());
    command
}

/// A command that runs the demo's server with its plug-in.
pub fn demo(plug_in: Archiver) -> Command {
    let program = Compile::new(Language::C, "courier", &["demo/courier.c"])
        .header("demo/archive.h")
        .flags(&["-ldl"])
        .build();
    let mut command = Command::new(program);
    command.arg(demo_archive(plug_in));
    command
}

/// A command that runs the demo's server with its plug-in, both for musl.
pub fn musl_demo(plug_in: Archiver) -> Command {
    let program = Compile::new(Language::MuslC, "courier", &["demo/courier.c"])
        .header("demo/archive.h")
        .build();
    let mut command = Command::new(program);
    command.arg(archive(Language::MuslC, plug_in));
    command
}

/// The demo's plug-in, with the flags of `demo/README.md`.
pub fn demo_archive(plug_in: Archiver) -> PathBuf {
    archive(Language::C, plug_in)
}

fn archive(language: Language, plug_in: Archiver) -> PathBuf {
    let fixed = if plug_in == Archiver::Fixed { "1" } else { "0" };
    Compile::new(language, "libcourier-archive.so", &["demo/archive.c"])
        .header("demo/package_note.h")
        .header("demo/archive.h")
        .shared("libcourier-archive.so.1")
        .flags(&[
            &format!("-DARCHIVE_FIXED={fixed}"),
            &format!("-DPACKAGE_VERSION={}", plug_in.version()),
        ])
        .build()
}
