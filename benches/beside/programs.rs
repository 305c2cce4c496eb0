//! The programs: one source, many behaviours.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::support::compile::{Compile, Language};
use crate::support::process::{self, Finished};

/// All behaviours; the names are the functions'.
pub const BEHAVIOURS: [&str; 15] = [
    "leaks_evenly",
    "leaks_into_a_list",
    "leaks_rarely",
    "leaks_what_grew",
    "leaks_in_pairs",
    "leaks_later",
    "leaks_with_sessions",
    "keeps_a_cache",
    "keeps_for_a_time",
    "keeps_what_fills",
    "keeps_filling",
    "keeps_a_pool",
    "keeps_a_queue",
    "keeps_a_batch",
    "keeps_lazily",
];

/// Functions stay on the stack, and LeakSanitizer walks frame pointers.
const FLAGS: [&str; 5] = ["-O1", "-g", "-fno-builtin", "-fno-inline", "-fno-omit-frame-pointer"];

/// One run of a program.
#[derive(Clone, Copy, Debug)]
pub struct Run {
    pub behaviour: &'static str,
    pub seconds: u64,
    /// Whether it frees what it refers to before it exits.
    pub tidy: bool,
}

/// The program as it is.
pub fn plain() -> PathBuf {
    compile("behaviours", &FLAGS)
}

/// Linked with LeakSanitizer.
pub fn sanitized() -> PathBuf {
    compile("behaviours-lsan", &[&FLAGS[..], &["-fsanitize=leak"]].concat())
}

fn compile(output: &str, flags: &[&str]) -> PathBuf {
    Compile::new(Language::C, output, &["benches/beside/programs/behaviours.c"])
        .flags(flags)
        .build()
}

impl Run {
    /// Runs a program of [`plain`] or [`sanitized`], with this before it.
    pub fn under(&self, prefix: &[OsString], program: &Path) -> Finished {
        let mut words = prefix.to_vec();
        words.push(program.into());
        words.extend([self.behaviour.into(), self.seconds.to_string().into()]);
        if self.tidy {
            words.push("tidy".into());
        }
        let limit = Duration::from_secs(self.seconds * 3 + 60);
        process::run(Command::new(&words[0]).args(&words[1..]), limit)
    }
}
