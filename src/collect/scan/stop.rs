//! A process that stands still, by ptrace: every thread of it, with its registers. `SEIZE` and `INTERRUPT` leave
//! job control and pending signals alone; a signal that was on its way is delivered as the thread goes on.
//! The thread that stops a process must let it go on.

use std::collections::BTreeSet;
use std::ffi::c_void;
use std::io;
use std::time::{Duration, Instant};

use super::{Subject, out_of_time};

const PAUSE: Duration = Duration::from_micros(50);
/// In the upper byte of a stop's status: the thread was interrupted, or its group is stopped. Without it a signal
/// is on its way.
const EVENT_STOP: libc::c_int = 128;
#[cfg(target_arch = "aarch64")]
const NT_ARM_TLS: libc::c_int = 0x401;

/// What a thread held as it stopped.
#[derive(Clone, Debug, Default)]
pub(super) struct Thread {
    /// Every register as words, those of floating point too, and of vectors the lower 128 bits.
    pub(super) registers: Vec<u64>,
    /// The stack pointer.
    pub(super) stack: u64,
    /// The thread pointer, which thread-local storage lies beside.
    pub(super) local: u64,
}

/// A process that stands still.
pub(super) struct Stopped {
    pub(super) subject: Subject,
    pub(super) since: Instant,
    threads: Vec<Traced>,
}

struct Traced {
    tid: libc::pid_t,
    state: State,
}

#[derive(Clone, Copy, PartialEq)]
enum State {
    Runs,
    /// With the signal that is on its way to it, or 0.
    Stands(libc::c_int),
    Gone,
}

impl Stopped {
    pub(super) fn stop(subject: Subject, deadline: Instant) -> Result<Stopped, String> {
        let mut stopped = Stopped { subject, since: Instant::now(), threads: Vec::new() };
        stopped.stop_again(deadline)?;
        Ok(stopped)
    }

    /// Until no thread runs and none is new.
    pub(super) fn stop_again(&mut self, deadline: Instant) -> Result<(), String> {
        for traced in self.threads.iter().filter(|traced| traced.state == State::Runs) {
            request(libc::PTRACE_INTERRUPT, traced.tid, 0);
        }
        loop {
            let known: BTreeSet<libc::pid_t> = self.threads.iter().map(|of| of.tid).collect();
            let mut new = self.tasks();
            new.retain(|tid| !known.contains(tid));
            if new.is_empty() && self.threads.iter().all(|of| of.state != State::Runs) {
                let stands = self.threads.iter().any(|of| matches!(of.state, State::Stands(_)));
                return if stands { Ok(()) } else { Err(String::from("the process has ended")) };
            }
            for tid in new {
                self.seize(tid)?;
            }
            while self.threads.iter_mut().any(|of| !of.has_stopped(self.subject)) {
                if Instant::now() >= deadline {
                    return Err(String::from(
                        "a thread of the process did not stop in time: it may wait in the kernel",
                    ));
                }
                std::thread::sleep(PAUSE);
            }
            if Instant::now() >= deadline {
                return Err(out_of_time());
            }
        }
    }

    /// Lets all threads run; they can be stopped again.
    pub(super) fn go_on(&mut self) {
        for traced in &mut self.threads {
            if let State::Stands(signal) = traced.state {
                request(libc::PTRACE_CONT, traced.tid, signal);
                traced.state = State::Runs;
            }
        }
    }

    /// What its threads hold.
    pub(super) fn threads(&self) -> Vec<Thread> {
        self.threads
            .iter()
            .filter(|traced| matches!(traced.state, State::Stands(_)))
            .map(|traced| read(traced.tid))
            .collect()
    }

    fn tasks(&self) -> Vec<libc::pid_t> {
        let Ok(tasks) = std::fs::read_dir(format!("/proc/{}/task", self.subject.pid)) else {
            return Vec::new();
        };
        tasks.flatten().filter_map(|task| task.file_name().to_str()?.parse().ok()).collect()
    }

    fn seize(&mut self, tid: libc::pid_t) -> Result<(), String> {
        if request(libc::PTRACE_SEIZE, tid, 0) {
            self.threads.push(Traced { tid, state: State::Runs });
            request(libc::PTRACE_INTERRUPT, tid, 0);
            return Ok(());
        }
        let error = io::Error::last_os_error();
        match error.raw_os_error() {
            Some(libc::ESRCH) => {
                self.threads.push(Traced { tid, state: State::Gone });
                Ok(())
            }
            // So it is also said of one that has ended and waits for its parent.
            Some(libc::EPERM) if is_dead(self.subject.pid, tid) => {
                self.threads.push(Traced { tid, state: State::Gone });
                Ok(())
            }
            Some(libc::EPERM) => Err(forbidden(self.subject.pid)),
            _ => Err(format!("the process cannot be stopped: {error}")),
        }
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        for traced in &self.threads {
            if let State::Stands(signal) = traced.state {
                request(libc::PTRACE_DETACH, traced.tid, signal);
            }
        }
    }
}

impl Traced {
    /// Whether it runs no more.
    fn has_stopped(&mut self, subject: Subject) -> bool {
        if self.state != State::Runs {
            return true;
        }
        // The end of our child is waited for elsewhere; that of all others whom we trace, by us.
        let leader = u32::try_from(self.tid).is_ok_and(|tid| tid == subject.pid);
        let ours = if leader && subject.is_child { 0 } else { libc::WEXITED };
        let options = libc::WSTOPPED | libc::WNOHANG | libc::__WALL | ours;
        // SAFETY: zeroed is a valid siginfo; the kernel fills it in.
        let (asked, info) = unsafe {
            let mut info = std::mem::zeroed::<libc::siginfo_t>();
            (libc::waitid(libc::P_PID, self.tid.cast_unsigned(), &mut info, options), info)
        };
        // SAFETY: both fields are there after a wait.
        let (tid, status) = unsafe { (info.si_pid(), info.si_status()) };
        self.state = match (asked, tid, info.si_code) {
            (0, 0, _) if leader && is_dead(subject.pid, self.tid) => State::Gone,
            (0, 0, _) => State::Runs,
            (0, _, libc::CLD_TRAPPED | libc::CLD_STOPPED) if status >> 8 == EVENT_STOP => {
                State::Stands(0)
            }
            (0, _, libc::CLD_TRAPPED | libc::CLD_STOPPED) => State::Stands(status & 0x7f),
            _ => State::Gone,
        };
        self.state != State::Runs
    }
}

fn request(request: libc::c_uint, tid: libc::pid_t, data: libc::c_int) -> bool {
    let nothing = std::ptr::null_mut::<c_void>();
    // SAFETY: these requests take no address and touch none of our memory; `data` is a signal or nothing.
    let done = unsafe { libc::ptrace(request, tid, nothing, data as usize as *mut c_void) };
    done == 0
}

/// One set of a thread's registers, as words.
fn registers(tid: libc::pid_t, set: libc::c_int) -> Vec<u64> {
    let mut words = vec![0u64; 512];
    let mut into =
        libc::iovec { iov_base: words.as_mut_ptr().cast(), iov_len: size_of_val(words.as_slice()) };
    // SAFETY: the kernel writes no more than `iov_len` bytes and says how many.
    let got = unsafe {
        libc::ptrace(libc::PTRACE_GETREGSET, tid, set as usize as *mut c_void, &raw mut into)
    };
    words.truncate(if got == 0 { into.iov_len / 8 } else { 0 });
    words
}

fn read(tid: libc::pid_t) -> Thread {
    let general = registers(tid, libc::NT_PRSTATUS);
    let at = |n: usize| general.get(n).copied().unwrap_or(0);
    // As `user_regs_struct` has them.
    #[cfg(target_arch = "x86_64")]
    let (stack, local) = (at(19), at(21));
    #[cfg(target_arch = "aarch64")]
    let (stack, local) = (at(31), registers(tid, NT_ARM_TLS).first().copied().unwrap_or(0));
    let mut all = general;
    all.extend(registers(tid, libc::NT_PRFPREG));
    Thread { registers: all, stack, local }
}

/// Whether a thread has ended, and only its number is left.
fn is_dead(pid: u32, tid: libc::pid_t) -> bool {
    let Ok(stat) = std::fs::read_to_string(format!("/proc/{pid}/task/{tid}/stat")) else {
        return true;
    };
    stat.rsplit_once(')')
        .is_none_or(|(_, rest)| matches!(rest.trim_start().get(..1), Some("Z" | "X")))
}

/// Why it must not be stopped, and what to do about that.
fn forbidden(pid: u32) -> String {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let tracer = status.lines().find_map(|line| line.strip_prefix("TracerPid:"));
    if tracer.is_some_and(|tracer| tracer.trim() != "0") {
        return String::from("a debugger has the process already: end it and scan again");
    }
    let scope = std::fs::read_to_string("/proc/sys/kernel/yama/ptrace_scope").unwrap_or_default();
    match scope.trim() {
        "3" => String::from(
            "this system lets nobody stop a process (kernel.yama.ptrace_scope is 3, which holds until it \
             starts anew)",
        ),
        "1" | "2" => format!(
            "this system forbids to stop the process (kernel.yama.ptrace_scope is {}): run unfreed as \
             root, or set it to 0",
            scope.trim()
        ),
        _ => String::from(
            "the process must not be stopped: it is another user's, has changed its user or privileges, or \
             a container forbids ptrace: run unfreed as root, with CAP_SYS_PTRACE",
        ),
    }
}
