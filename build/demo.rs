//! The demo's programs: a server and a plug-in of it in two versions, plain C, compiled by the
//! system's C compiler with the command lines of `demo/README.md`. Where the package lies is kept
//! out of them, so that they are the same bytes wherever they are built.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::process::Command;

/// Compiles `courier` and `libcourier-archive.so`, the latter as 1.2.0 and 1.2.1.
pub fn build(out: &Path) -> Result<(), String> {
    println!("cargo::rerun-if-env-changed=CC");
    println!("cargo::rerun-if-changed=demo");
    let compiler = Compiler::find()?;
    compiler.compile("demo/courier.c", &["-ldl"], &out.join("courier"))?;
    for (version, fixed) in [("1.2.0", 0), ("1.2.1", 1)] {
        let directory = out.join(version);
        fs::create_dir_all(&directory).map_err(|e| format!("{}: {e}", directory.display()))?;
        let flags = [
            "-fPIC",
            "-shared",
            "-Wl,-soname,libcourier-archive.so.1",
            &format!("-DARCHIVE_FIXED={fixed}"),
            &format!("-DPACKAGE_VERSION={version}"),
        ];
        compiler.compile("demo/archive.c", &flags, &directory.join("libcourier-archive.so"))?;
    }
    Ok(())
}

/// The system's C compiler.
struct Compiler {
    /// Its name, and arguments where `CC` has some (`ccache gcc`).
    command: Vec<String>,
    /// Where the package lies, which no result shows.
    root: OsString,
}

impl Compiler {
    fn find() -> Result<Compiler, String> {
        let named = env::var("CC").unwrap_or_default();
        let mut command: Vec<String> = named.split_whitespace().map(str::to_owned).collect();
        if command.is_empty() {
            command.push("cc".to_owned());
        }
        let root = env::var_os("CARGO_MANIFEST_DIR").ok_or("CARGO_MANIFEST_DIR is not set")?;
        Ok(Compiler { command, root })
    }

    fn compile(&self, source: &str, flags: &[&str], output: &Path) -> Result<(), String> {
        let mut prefix_map = OsString::from("-ffile-prefix-map=");
        prefix_map.push(&self.root);
        prefix_map.push("=.");
        let compiler = &self.command[0];
        let status = Command::new(compiler)
            .args(&self.command[1..])
            .args(["-std=gnu11", "-O2", "-g", "-Wall", "-Wextra", "-Wl,--build-id=sha1"])
            .arg(prefix_map)
            .arg("-o")
            .arg(output)
            .arg(source)
            .args(flags)
            .current_dir(&self.root)
            .status()
            .map_err(|e| format!("cannot start the C compiler `{compiler}`: {e}. {INSTALL}"))?;
        if !status.success() {
            let command = self.command.join(" ");
            return Err(format!("`{command}` could not compile {source}: {status}. {INSTALL}"));
        }
        Ok(())
    }
}

const INSTALL: &str = "The demo's programs need a C compiler and the C library's development \
                       files: `apt install gcc libc6-dev` (Debian, Ubuntu) or `dnf install gcc \
                       glibc-devel` (Fedora, RHEL); or name your compiler in CC.";
