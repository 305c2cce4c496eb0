//! What a program runs under: nothing, unfreed, unfreed sampling, heaptrack. Peers come from the
//! distribution's packages; what is not installed is named, with how to install it.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::skip::tool;

/// What `--sample` is given.
pub const SAMPLE: &str = "512KiB";

/// One way to run a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tracer {
    Bare,
    Unfreed,
    Sampling,
    Heaptrack,
}

impl Tracer {
    /// As the tables call it.
    pub fn name(self) -> String {
        match self {
            Tracer::Bare => "bare".to_owned(),
            Tracer::Unfreed => "unfreed".to_owned(),
            Tracer::Sampling => format!("unfreed --sample {SAMPLE}"),
            Tracer::Heaptrack => "heaptrack".to_owned(),
        }
    }
}

/// Which of them there are here.
#[derive(Debug)]
pub struct Tracers {
    pub heaptrack: Option<PathBuf>,
    pub valgrind: Option<PathBuf>,
    pub python: Option<PathBuf>,
    pub mosquitto: Option<PathBuf>,
    /// Whether this build takes `--sample`.
    pub sampling: bool,
}

impl Tracers {
    /// Looks for all of them; says on standard error what is missing.
    pub fn find() -> Tracers {
        let installed = |name: &str, package: &str| {
            let found = tool(name);
            if found.is_none() {
                eprintln!("no {name}: its rows are left out; `apt install {package}`");
            }
            found
        };
        Tracers {
            heaptrack: installed("heaptrack", "heaptrack"),
            valgrind: installed("valgrind", "valgrind"),
            // The distribution's own: the first in PATH may be a script that looks for another.
            python: installed("/usr/bin/python3", "python3"),
            mosquitto: installed("mosquitto", "mosquitto"),
            sampling: takes_sampling(),
        }
    }

    /// Whether it can be measured here.
    pub fn has(&self, tracer: Tracer) -> bool {
        match tracer {
            Tracer::Bare | Tracer::Unfreed => true,
            Tracer::Sampling => self.sampling,
            Tracer::Heaptrack => self.heaptrack.is_some(),
        }
    }

    /// Those of these that can be measured here.
    pub fn present(&self, tracers: &[Tracer]) -> Vec<Tracer> {
        tracers.iter().copied().filter(|tracer| self.has(*tracer)).collect()
    }

    /// What stands before a program's name to run it so; the trace goes into `directory`.
    pub fn prefix(&self, tracer: Tracer, directory: &Path) -> Vec<OsString> {
        match tracer {
            Tracer::Bare => Vec::new(),
            Tracer::Unfreed => record(&[], directory),
            Tracer::Sampling => record(&["--sample", SAMPLE], directory),
            Tracer::Heaptrack => {
                let heaptrack = self.heaptrack.as_ref().expect("asked whether it is there");
                let output = directory.join("heaptrack");
                // Where its window is installed it would open it at the end, and wait.
                let mut words: Vec<OsString> =
                    ["env", "-u", "DISPLAY", "-u", "WAYLAND_DISPLAY"].map(OsString::from).into();
                words.extend([heaptrack.into(), "-o".into(), output.into()]);
                words
            }
        }
    }
}

/// Where unfreed writes its trace.
pub fn trace(directory: &Path) -> PathBuf {
    directory.join("unfreed.trace")
}

/// The unfreed that was built with this benchmark.
pub fn unfreed() -> &'static str {
    env!("CARGO_BIN_EXE_unfreed")
}

/// `unfreed record` with these options, into `directory`.
pub fn record(options: &[&str], directory: &Path) -> Vec<OsString> {
    let mut words: Vec<OsString> = vec![unfreed().into(), "record".into(), "--quiet".into()];
    words.extend(options.iter().map(OsString::from));
    words.extend(["--output".into(), trace(directory).into(), "--".into()]);
    words
}

/// Found out by trying, so that the rows appear with the build that can do it.
fn takes_sampling() -> bool {
    let directory = tempfile::tempdir().unwrap();
    let words = record(&["--sample", SAMPLE], directory.path());
    let done = Command::new(&words[0]).args(&words[1..]).arg("/bin/true").output();
    done.is_ok_and(|done| done.status.success())
}
