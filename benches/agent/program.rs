//! `programs/pairs.c`, compiled, with its arguments.

use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;

use crate::measure::Program;
use crate::support::compile::{Compile, Language};

/// What happens to the blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mix {
    /// One function allocates; freed at once.
    OneSite,
    /// 1,024 functions; 30 % of frees by another thread, 10 % of blocks never freed.
    Mixed,
    /// 1,024 functions; nothing is freed.
    Survivors,
}

impl fmt::Display for Mix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Mix::OneSite => "one-site",
            Mix::Mixed => "mixed",
            Mix::Survivors => "survivors",
        })
    }
}

/// One workload of it.
#[derive(Clone, Copy, Debug)]
pub struct Pairs {
    pub mix: Mix,
    pub depth: u32,
    pub threads: u32,
    /// Of each thread.
    pub pairs: u64,
    pub seed: u64,
}

impl Pairs {
    /// How many pairs are traced: the warm-up, a tenth, is traced as well.
    pub fn traced(self) -> f64 {
        (self.pairs + self.pairs / 10) as f64 * f64::from(self.threads)
    }

    /// The command.
    pub fn program(self) -> Program {
        let numbers = [u64::from(self.depth), u64::from(self.threads), self.pairs, self.seed];
        let mut words: Vec<OsString> = vec![binary().into(), self.mix.to_string().into()];
        words.extend(numbers.iter().map(|number| number.to_string().into()));
        Program { words, environment: Vec::new() }
    }
}

/// Optimised and without frame pointers, as distributions compile.
pub fn binary() -> PathBuf {
    Compile::new(Language::C, "pairs", &["benches/agent/programs/pairs.c"])
        .flags(&["-fomit-frame-pointer", "-pthread"])
        .build()
}
