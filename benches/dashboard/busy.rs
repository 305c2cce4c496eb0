//! The program that is watched: `programs/busy.c`, and a recording of it.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::compile::{Compile, Language};

/// What the program does.
#[derive(Clone, Copy, Debug)]
pub struct Busy {
    /// Live blocks.
    pub live: u64,
    /// Blocks replaced a second: two events each.
    pub rate: u64,
    /// Different stacks.
    pub stacks: u32,
    /// How long, in seconds.
    pub seconds: u64,
}

impl Busy {
    /// The program and its arguments.
    pub fn command(self) -> Vec<String> {
        let program: PathBuf =
            Compile::new(Language::C, "busy", &["benches/dashboard/programs/busy.c"])
                .flags(&["-O1", "-fno-inline", "-fno-optimize-sibling-calls"])
                .build();
        let numbers = [self.live, self.rate, self.stacks.into(), self.seconds];
        let program = program.to_str().expect("plain").to_owned();
        std::iter::once(program).chain(numbers.map(|n| n.to_string())).collect()
    }

    /// Records it.
    pub fn record(self, trace: &Path) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_unfreed"));
        command.args(["record", "--quiet", "-o"]).arg(trace).arg("--").args(self.command());
        assert!(command.status().unwrap().success(), "{command:?}");
    }
}
