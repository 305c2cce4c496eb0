//! What this machine is, as far as tracing goes: read from `/proc`, the environment and the C
//! library's file, without privileges. What could not be read is `None`, never a guess.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use unfreed::collect::agent::{CollectError, Obstacle, Rehearsal, obstacle};
use unfreed::collect::ebpf;

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
    /// Directories of separate debug files that exist.
    pub symbol_directories: Vec<PathBuf>,
    /// The program asked about.
    pub program: Option<Program>,
    /// Whether running processes can be attached to; if not, why. `None` where it was not looked at.
    pub attach: Option<Result<Ability, NoAttach>>,
}

/// What attaching can do here.
#[derive(Clone, Debug)]
pub struct Ability {
    /// In words.
    pub found: String,
    /// Whether nothing is worse than it could be.
    pub is_whole: bool,
}

/// Why attaching cannot be done here.
#[derive(Clone, Debug)]
pub struct NoAttach {
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
    pub obstacle: Option<Obstacle>,
}

impl Machine {
    /// Reads this machine, and looks at a program.
    pub fn read(command: Option<&OsString>) -> Self {
        let rehearsal = Rehearsal::hold();
        Machine {
            os: std::env::consts::OS,
            arch: std::env::consts::ARCH,
            kernel: text("/proc/sys/kernel/osrelease"),
            libc: libc(),
            shared_memory: Some(rehearsal.memory.map_err(|cause| cause.to_string())),
            agent_place: match rehearsal.agent {
                // That is told of the system.
                Err(CollectError::NoAgent) => None,
                place => Some(place.map_err(|cause| cause.to_string())),
            },
            debuginfod: std::env::var("DEBUGINFOD_URLS").ok().filter(|urls| !urls.is_empty()),
            symbol_directories: ["/usr/lib/debug", "/usr/local/lib/debug"]
                .iter()
                .map(PathBuf::from)
                .filter(|path| path.is_dir())
                .collect(),
            program: command.map(|command| program(command)),
            attach: Some(attach()),
        }
    }
}

/// Loads the probe, and lets go of it.
fn attach() -> Result<Ability, NoAttach> {
    let rehearsed = ebpf::rehearse()
        .map_err(|error| NoAttach { what: error.to_string(), advice: error.advice() })?;
    let found = if rehearsed.multi {
        "the probe loads; one link holds all places of a file"
    } else {
        "the probe loads; each place needs a link of its own, so that attaching and detaching take longer"
    };
    Ok(Ability { found: found.to_owned(), is_whole: rehearsed.multi })
}

fn text(path: &str) -> Option<String> {
    fs::read_to_string(path).ok().map(|text| text.trim().to_owned())
}

/// The C library that is mapped into this very process.
fn libc() -> Option<Libc> {
    let maps = fs::read_to_string("/proc/self/maps").ok()?;
    let path =
        maps.lines().filter_map(|line| line.find('/').map(|at| &line[at..])).find(|path| {
            let file = path.rsplit('/').next().unwrap_or_default();
            file.starts_with("libc.so") || file.starts_with("libc-") || file.starts_with("ld-musl")
        })?;
    let image = fs::read(path).ok()?;
    Some(Libc {
        path: path.into(),
        version: find(&image, b"stable release version ").and_then(|at| version(&image[at..])),
        finds_objects: find(&image, b"\0_dl_find_object\0").is_some(),
    })
}

/// Where the text ends that the needle begins.
fn find(image: &[u8], needle: &[u8]) -> Option<usize> {
    image.windows(needle.len()).position(|part| part == needle).map(|at| at + needle.len())
}

/// `2.36.` as glibc's banner has it.
fn version(text: &[u8]) -> Option<(u32, u32)> {
    let text = std::str::from_utf8(text.get(..text.len().min(8))?).ok()?;
    let mut numbers = text.split(|c: char| !c.is_ascii_digit()).map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

fn program(command: &OsStr) -> Program {
    let path = locate(command);
    Program {
        asked: command.to_string_lossy().into_owned(),
        obstacle: path.as_deref().and_then(obstacle).map(|(_, obstacle)| obstacle),
        path,
    }
}

/// Where the shell would find a command.
fn locate(command: &OsStr) -> Option<PathBuf> {
    if command.as_bytes().contains(&b'/') {
        return Some(PathBuf::from(command)).filter(|path| path.is_file());
    }
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|directory| directory.join(command)).find(|p| p.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn glibc_says_its_version() {
        let banner = b"GNU C Library (Debian GLIBC 2.36-9) stable release version 2.36.\nCopyright";
        let at = find(banner, b"stable release version ").unwrap_or(0);
        assert_eq!(version(&banner[at..]), Some((2, 36)));
        assert_eq!(version(b""), None);
    }
}
