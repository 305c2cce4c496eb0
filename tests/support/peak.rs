//! The most memory a process ever had, as the system counted it. The standard library waits for
//! children without asking; this asks.

use std::process::{Child, ExitStatus};

/// Waits for a child's end: how it ended, and its peak of resident memory in bytes.
#[allow(unsafe_code, reason = "wait4 is the one call that tells the peak of a child that ended")]
pub fn wait(child: Child) -> (ExitStatus, u64) {
    use std::os::unix::process::ExitStatusExt;
    let pid = libc::pid_t::try_from(child.id()).expect("a pid");
    let mut status = 0;
    // SAFETY: rusage is plain numbers, for which all zeroes are a value.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: both places are ours to write, and the child has not been waited for: `child` is
    // consumed here and its end is reaped once.
    let waited = unsafe { libc::wait4(pid, &raw mut status, 0, &raw mut usage) };
    assert_eq!(waited, pid, "{}", std::io::Error::last_os_error());
    let kib = u64::try_from(usage.ru_maxrss).expect("a size");
    (ExitStatus::from_raw(status), kib * 1024)
}
