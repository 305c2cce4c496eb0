//! What stands against attaching: looked at before anything is done to a process.

use std::fs;
use std::path::Path;

use super::error::AttachError;

/// Capabilities by number: see capability(7).
const CAP_SYS_ADMIN: u32 = 21;
const CAP_PERFMON: u32 = 38;
const CAP_BPF: u32 = 39;

/// The kernel's version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Kernel(pub u32, pub u32);

impl Kernel {
    /// This machine's.
    pub fn here() -> Option<Kernel> {
        Kernel::parse(&fs::read_to_string("/proc/sys/kernel/osrelease").ok()?)
    }

    fn parse(release: &str) -> Option<Kernel> {
        let mut numbers = release.split(|c: char| !c.is_ascii_digit());
        Some(Kernel(numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
    }

    /// Rings and loops over a map came with 5.8 and 5.13, cookies with 5.15.
    pub const LEAST: Kernel = Kernel(5, 15);

    /// Whether there is `bpf_loop`. Before, its place is taken by a loop over a map.
    pub(super) fn has_loop(self) -> bool {
        self >= Kernel(5, 17)
    }

    /// Whether probes see a process only while its first thread lives, even those of one link for many places.
    pub(super) fn first_thread_holds(self) -> bool {
        self < Kernel(6, 12)
    }

    /// Whether a probe on a return enters the kernel by a system call that a filter gets to see: from 6.11,
    /// until filters were told to let it pass.
    pub fn returns_are_filtered(self) -> bool {
        (Kernel(6, 11)..Kernel(6, 14)).contains(&self)
    }
}

/// What keeps this process from attaching to any.
pub fn everywhere() -> Result<(), AttachError> {
    let kernel = Kernel::here().unwrap_or(Kernel::LEAST);
    if kernel < Kernel::LEAST {
        let Kernel(major, minor) = Kernel::LEAST;
        return Err(AttachError::Kernel(format!(
            "this kernel is too old: telling the probed functions apart needs Linux {major}.{minor}"
        )));
    }
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    if !may(&status) {
        return Err(AttachError::NotAllowed);
    }
    if let Some(mode) = lockdown().filter(|mode| mode == "confidentiality") {
        return Err(AttachError::Kernel(format!(
            "the kernel is locked down ({mode}), which closes tracefs and forbids probes to read the kernel's memory"
        )));
    }
    if Path::new("/sys/kernel/tracing/events").is_dir() {
        return Ok(());
    }
    match has_tracefs(&fs::read_to_string("/proc/self/mounts").unwrap_or_default()) {
        // Where securityfs is not mounted, the lockdown itself cannot be read.
        true => Err(AttachError::Kernel(
            "tracefs at /sys/kernel/tracing is empty, as where the kernel is locked down (confidentiality)".to_owned(),
        )),
        false => Err(AttachError::NoTracefs),
    }
}

/// Whether what lies uppermost at the place of tracefs is one.
fn has_tracefs(mounts: &str) -> bool {
    let mut mounts = mounts.lines().rev().map(|mount| mount.split(' ').skip(1));
    let kind = mounts
        .find_map(|mut mount| (mount.next() == Some("/sys/kernel/tracing")).then(|| mount.next()));
    kind.flatten() == Some("tracefs")
}

/// The kernel's lockdown, if any: `integrity`, `confidentiality`.
pub fn lockdown() -> Option<String> {
    locked(&fs::read_to_string("/sys/kernel/security/lockdown").ok()?)
}

/// Of all modes the one in brackets.
fn locked(modes: &str) -> Option<String> {
    let mode = modes.split('[').nth(1)?.split(']').next()?;
    (mode != "none").then(|| mode.to_owned())
}

fn may(status: &str) -> bool {
    let line = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let Some(set) = line.and_then(|set| u64::from_str_radix(set.trim(), 16).ok()) else {
        return true;
    };
    let has = |capability: u32| set >> capability & 1 == 1;
    has(CAP_SYS_ADMIN) || (has(CAP_BPF) && has(CAP_PERFMON))
}

/// What keeps us from attaching to this process.
pub(super) fn of(pid: u32) -> Result<(), AttachError> {
    if pid == std::process::id() {
        return Err(AttachError::Refused(
            "unfreed".to_owned(),
            "it is the one that traces".to_owned(),
        ));
    }
    let status = fs::read_to_string(format!("/proc/{pid}/status"))
        .map_err(|_| AttachError::NoSuch(pid.to_string()))?;
    let refused = |why: &str| Err(AttachError::Refused(name(&status, pid), why.to_owned()));
    if field(&status, "VmSize:").is_none() {
        let ended = field(&status, "State:").is_some_and(|state| state.starts_with(['Z', 'X']));
        if ended {
            return Err(AttachError::NoSuch(pid.to_string()));
        }
        return refused("it is a thread of the kernel, or is just ending");
    }
    if !is_64_bit(pid) {
        return refused("it is no program for x86-64");
    }
    let filtered = field(&status, "Seccomp:").is_some_and(|mode| mode != "0");
    if filtered && Kernel::here().is_some_and(Kernel::returns_are_filtered) {
        return refused(
            "it filters its system calls (seccomp), and on this kernel, 6.11 to 6.13, a probe on a return makes one \
             that the filter may answer by ending the process; a kernel from 6.14 on, or before 6.11, lets it pass",
        );
    }
    Ok(())
}

fn name(status: &str, pid: u32) -> String {
    format!("{} (process {pid})", field(status, "Name:").unwrap_or("it"))
}

fn field<'a>(status: &'a str, name: &str) -> Option<&'a str> {
    status.lines().find_map(|line| line.strip_prefix(name)).map(str::trim)
}

/// Whether it executes an ELF file of 64 bits; what cannot be read is taken to be one.
fn is_64_bit(pid: u32) -> bool {
    use std::io::Read;
    let mut start = [0; 5];
    let read =
        fs::File::open(format!("/proc/{pid}/exe")).and_then(|mut file| file.read_exact(&mut start));
    read.is_err() || start == *b"\x7fELF\x02"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kernel_is_read_from_its_release() {
        assert_eq!(Kernel::parse("6.18.44-fc-v509"), Some(Kernel(6, 18)));
        assert_eq!(Kernel::parse("5.15.0-91-generic"), Some(Kernel(5, 15)));
        assert_eq!(Kernel::parse("rubbish"), None);
        assert!(Kernel(5, 10) < Kernel::LEAST && Kernel::LEAST <= Kernel(5, 15));
    }

    #[test]
    fn only_some_kernels_show_their_returns_to_filters() {
        assert!(!Kernel(6, 10).returns_are_filtered());
        assert!(Kernel(6, 11).returns_are_filtered());
        assert!(Kernel(6, 13).returns_are_filtered());
        assert!(!Kernel(6, 14).returns_are_filtered());
    }

    #[test]
    fn what_is_mounted_last_counts() {
        const TRACEFS: &str = "none /sys/kernel/tracing tracefs rw 0 0\n";
        const OTHER: &str = "none /sys/kernel/tracing tmpfs rw 0 0\nnone /run tracefs rw 0 0\n";
        assert!(has_tracefs(&[OTHER, TRACEFS].concat()));
        for mounts in ["", OTHER, &[TRACEFS, OTHER].concat()] {
            assert!(!has_tracefs(mounts), "{mounts}");
        }
    }

    #[test]
    fn a_lockdown_is_the_mode_in_brackets() {
        assert_eq!(locked("[none] integrity confidentiality\n"), None);
        assert_eq!(locked("none [integrity] confidentiality\n").as_deref(), Some("integrity"));
        let most = locked("none integrity [confidentiality]\n");
        assert_eq!(most.as_deref(), Some("confidentiality"));
        assert_eq!(locked(""), None);
    }

    #[test]
    fn capabilities_are_asked_for_by_name() {
        assert!(may("CapEff:\t000001fffeffffff\n"));
        assert!(!may("CapEff:\t0000000000000000\n"));
        // CAP_BPF and CAP_PERFMON; one of them.
        assert!(may("CapEff:\t000000c000000000\n"));
        assert!(!may("CapEff:\t0000008000000000\n"));
    }
}
