//! What this machine is, as far as tracing goes: read from `/proc`, the environment and the C
//! library's file, without privileges. What could not be read is `None`, never a guess.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use unfreed::collect::agent::{Obstacle, obstacle};

/// What was read.
#[derive(Clone, Debug, Default)]
pub struct Machine {
    /// `linux`, ...
    pub os: &'static str,
    /// `x86_64`, ...
    pub arch: &'static str,
    /// Kernel release.
    pub kernel: Option<String>,
    /// What the first processor can do.
    pub cpu_flags: Option<Vec<String>>,
    /// The C library this program runs on.
    pub libc: Option<Libc>,
    /// `vm.memfd_noexec`: 2 forbids executable memory files. `None` where the kernel has no such
    /// setting, and allows them.
    pub memfd_noexec: Option<u32>,
    /// Where temporary files go.
    pub temporary: Option<Temporary>,
    /// `DEBUGINFOD_URLS`.
    pub debuginfod: Option<String>,
    /// Directories of separate debug files that exist.
    pub symbol_directories: Vec<PathBuf>,
    /// The program asked about.
    pub program: Option<Program>,
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

/// A directory for temporary files.
#[derive(Clone, Debug)]
pub struct Temporary {
    /// Which.
    pub path: PathBuf,
    /// Whether a file could be made there.
    pub writable: bool,
    /// Whether programs may be run from there.
    pub noexec: bool,
    /// Free bytes.
    pub free: Option<u64>,
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
        Machine {
            os: std::env::consts::OS,
            arch: std::env::consts::ARCH,
            kernel: text("/proc/sys/kernel/osrelease"),
            cpu_flags: text("/proc/cpuinfo").as_deref().and_then(cpu_flags),
            libc: libc(),
            memfd_noexec: text("/proc/sys/vm/memfd_noexec").and_then(|text| text.parse().ok()),
            temporary: Some(temporary(std::env::temp_dir())),
            debuginfod: std::env::var("DEBUGINFOD_URLS").ok().filter(|urls| !urls.is_empty()),
            symbol_directories: ["/usr/lib/debug", "/usr/local/lib/debug"]
                .iter()
                .map(PathBuf::from)
                .filter(|path| path.is_dir())
                .collect(),
            program: command.map(|command| program(command)),
        }
    }
}

fn text(path: &str) -> Option<String> {
    fs::read_to_string(path).ok().map(|text| text.trim().to_owned())
}

fn cpu_flags(cpuinfo: &str) -> Option<Vec<String>> {
    let line = cpuinfo.lines().find(|line| line.starts_with("flags"))?;
    let (_, flags) = line.split_once(':')?;
    Some(flags.split_whitespace().map(str::to_owned).collect())
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

fn temporary(path: PathBuf) -> Temporary {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    Temporary {
        writable: tempfile::tempfile_in(&path).is_ok(),
        noexec: options_of(&mounts, &path).is_some_and(|all| all.split(',').any(|o| o == "noexec")),
        free: rustix::fs::statvfs(&path)
            .ok()
            .map(|room| room.f_bavail.saturating_mul(room.f_frsize)),
        path,
    }
}

/// The mount options of the file system that a path is on.
fn options_of<'a>(mounts: &'a str, path: &Path) -> Option<&'a str> {
    mounts
        .lines()
        .filter_map(|line| {
            let mut fields = line.split(' ').skip(1);
            Some((fields.next()?, fields.nth(1)?))
        })
        .filter(|(mount, _)| path.starts_with(mount))
        // A later mount over the same place hides the earlier.
        .max_by_key(|(mount, _)| mount.len())
        .map(|(_, options)| options)
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

    #[test]
    fn the_nearest_mount_counts() {
        let mounts = "/dev/a / ext4 rw 0 0\ntmpfs /tmp tmpfs rw,noexec 0 0\n";
        assert_eq!(options_of(mounts, Path::new("/tmp/x")), Some("rw,noexec"));
        assert_eq!(options_of(mounts, Path::new("/tmpfile")), Some("rw"));
        assert_eq!(options_of("", Path::new("/tmp")), None);
    }
}
