//! The most memory a process ever had, as the system counted it. The standard library waits for
//! children without asking; this asks.

use std::process::{Child, ExitStatus};
use std::time::Duration;

/// Waits for a child's end: how it ended, its peak of resident memory in bytes, and the processor
/// time it took.
#[allow(unsafe_code, reason = "wait4 is the one call that tells the peak of a child that ended")]
pub fn wait(child: Child) -> (ExitStatus, u64, Duration) {
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
    let time = |spent: libc::timeval| {
        Duration::from_micros(spent.tv_sec as u64 * 1_000_000 + spent.tv_usec as u64)
    };
    let spent = time(usage.ru_utime) + time(usage.ru_stime);
    (ExitStatus::from_raw(status), kib * 1024, spent)
}
