//! What this machine is, as far as tracing goes. What could not be read is `None`, never a guess.

#[cfg(not(any(target_os = "linux", windows)))]
mod elsewhere;
#[cfg(target_os = "linux")]
mod linux;
#[cfg(not(target_os = "linux"))]
mod locate;
#[cfg(windows)]
mod windows;

use std::path::PathBuf;

/// What was read.
#[derive(Clone, Debug, Default)]
pub struct Machine {
    /// `linux`, ...
    pub os: &'static str,
    /// `x86_64`, ...
    pub arch: &'static str,
    /// Kernel release.
    pub kernel: Option<String>,
    /// The C library this program runs on.
    pub libc: Option<Libc>,
    /// Whether the memory that agent and collector share can be made; if not, why. `None` where it
    /// was not tried.
    pub shared_memory: Option<Result<(), String>>,
    /// Where the agent was put when that was tried; if nowhere, why.
    pub agent_place: Option<Result<PathBuf, String>>,
    /// `DEBUGINFOD_URLS`.
    pub debuginfod: Option<String>,
    /// `_NT_SYMBOL_PATH`.
    pub symbol_path: Option<String>,
    /// Directories of separate debug files that exist.
    pub symbol_directories: Vec<PathBuf>,
    /// The program asked about.
    pub program: Option<Program>,
    /// What event tracing of Windows has to do with; `None` on other systems.
    pub sessions: Option<Sessions>,
    /// Whether running processes can be attached to; if not, why. `None` where it was not looked at.
    pub attach: Option<Result<Ability, Hindrance>>,
}

/// What event tracing of Windows has to do with.
#[derive(Clone, Debug, Default)]
pub struct Sessions {
    /// What Windows calls itself.
    pub product: String,
    /// Its version; 0 where it is not known.
    pub version: (u32, u32),
    /// Its build.
    pub build: u32,
    /// Whether this is Wine.
    pub is_wine: bool,
    /// Whether we have an administrator's rights; `None` where that could not be found out.
    pub is_elevated: Option<bool>,
    /// How many runs have left something behind.
    pub left: usize,
}

/// What attaching can do here.
#[derive(Clone, Debug)]
pub struct Ability {
    /// In words.
    pub found: String,
    /// Whether nothing is worse than it could be.
    pub is_whole: bool,
}

/// Why something cannot be done here.
#[derive(Clone, Debug)]
pub struct Hindrance {
    /// What stands against it.
    pub what: String,
    /// What to do about it.
    pub advice: Option<String>,
}

/// A C library.
#[derive(Clone, Debug)]
pub struct Libc {
    /// Its file.
    pub path: PathBuf,
    /// `2.36`; `None` where it is not glibc or does not say.
    pub version: Option<(u32, u32)>,
    /// Whether it has `_dl_find_object`.
    pub finds_objects: bool,
}

/// A program to be traced.
#[derive(Clone, Debug)]
pub struct Program {
    /// As it was asked for.
    pub asked: String,
    /// Where it is; `None` where it was not found.
    pub path: Option<PathBuf>,
    /// What stands in the way of an agent.
    pub obstacle: Option<Hindrance>,
}

/// A variable of the environment that is not empty.
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
