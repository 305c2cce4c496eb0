//! What a Linux machine is: read from `/proc`, the environment and the C library's file, without privileges.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use unfreed::collect::agent::{CollectError, Rehearsal, obstacle};
use unfreed::collect::ebpf::{self, Rehearsed};

use super::{Ability, Hindrance, Libc, Machine, Program, variable};

impl Machine {
    /// Reads this machine, and looks at a program.
    pub fn read(command: Option<&OsString>) -> Self {
        let rehearsal = Rehearsal::hold();
        Machine {
            sessions: None,
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
            debuginfod: variable("DEBUGINFOD_URLS"),
            symbol_path: variable("_NT_SYMBOL_PATH"),
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
fn attach() -> Result<Ability, Hindrance> {
    let rehearsed = ebpf::rehearse()
        .map_err(|error| Hindrance { what: error.to_string(), advice: error.advice() })?;
    Ok(ability(&rehearsed))
}

/// What the rehearsal means.
fn ability(rehearsed: &Rehearsed) -> Ability {
    let mut found = vec!["the probe loads".to_owned()];
    found.push(match rehearsed.multi {
        true => "one link holds all places of a file".to_owned(),
        false => "each place needs a link of its own, so that attaching and detaching take longer"
            .to_owned(),
    });
    if rehearsed.filters_refused {
        found.push(
            "processes that filter their system calls (seccomp) are refused, since this kernel would have the filter \
             see ours"
                .to_owned(),
        );
    }
    if let Some(why) = &rehearsed.no_triage {
        found.push(format!("--triage does not work: {why}"));
    }
    if let Some(mode) = &rehearsed.lockdown {
        found.push(format!("the kernel's lockdown ({mode}) lets it be"));
    }
    let is_whole = rehearsed.multi && !rehearsed.filters_refused && rehearsed.no_triage.is_none();
    Ability { found: found.join("; "), is_whole }
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
        obstacle: path.as_deref().and_then(obstacle).map(|(_, obstacle)| Hindrance {
            what: obstacle.to_string(),
            advice: Some(obstacle.advice().to_owned()),
        }),
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
    fn what_a_kernel_lacks_is_said() {
        let whole =
            Rehearsed { multi: true, no_triage: None, filters_refused: false, lockdown: None };
        assert!(ability(&whole).is_whole);
        let locked =
            ability(&Rehearsed { lockdown: Some("integrity".to_owned()), ..whole.clone() });
        assert!(
            locked.is_whole && locked.found.contains("(integrity) lets it be"),
            "{}",
            locked.found
        );
        let lacking = [
            (Rehearsed { multi: false, ..whole.clone() }, "a link of its own"),
            (
                Rehearsed { no_triage: Some("no types".to_owned()), ..whole.clone() },
                "--triage does not work: no types",
            ),
            (Rehearsed { filters_refused: true, ..whole }, "seccomp"),
        ];
        for (rehearsed, said) in lacking {
            let ability = ability(&rehearsed);
            assert!(!ability.is_whole && ability.found.contains(said), "{}", ability.found);
        }
    }

    #[test]
    fn glibc_says_its_version() {
        let banner = b"GNU C Library (Debian GLIBC 2.36-9) stable release version 2.36.\nCopyright";
        let at = find(banner, b"stable release version ").unwrap_or(0);
        assert_eq!(version(&banner[at..]), Some((2, 36)));
        assert_eq!(version(b""), None);
    }
}
