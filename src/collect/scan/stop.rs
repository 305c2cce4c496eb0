//! A process that stands still, by ptrace: every thread of it, with its registers. `SEIZE` and `INTERRUPT` leave
//! job control and pending signals alone; a signal that was on its way is delivered as the thread goes on.
//! The thread that stops a process must let it go on.

use std::collections::BTreeSet;
use std::ffi::c_void;
use std::io;
use std::time::{Duration, Instant};

use super::Subject;

const PAUSE: Duration = Duration::from_micros(50);
/// In the upper byte of a stop's status: the thread was interrupted (the lower says `SIGTRAP`), or its group is
/// stopped. Without it a signal is on its way.
const EVENT_STOP: libc::c_int = 128;
#[cfg(target_arch = "aarch64")]
const NT_ARM_TLS: libc::c_int = 0x401;

/// What a thread held as it stopped.
#[derive(Clone, Debug, Default)]
pub(crate) struct Thread {
    /// Every register as words, those of floating point too, and of vectors the lower 128 bits.
    pub(crate) registers: Vec<u64>,
    /// The stack pointer.
    pub(crate) stack: u64,
    /// The thread pointer, which thread-local storage lies beside.
    pub(crate) local: u64,
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
    /// As its whole group does, by job control: it does not run before somebody continues that.
    GroupStands,
    Gone,
}

impl State {
    fn stands(self) -> bool {
        matches!(self, State::Stands(_) | State::GroupStands)
    }
}

/// Stops these, all at the same time: whoever does not stand in time, or must not be stopped, is told
/// why and runs on, and spoils nothing for the others.
pub(super) fn stop(stopping: &mut [Result<Stopped, String>], deadline: Instant) {
    for of in stopping.iter_mut().flatten() {
        of.interrupt();
    }
    let mut waiting: Vec<usize> = (0..stopping.len()).collect();
    loop {
        let in_time = Instant::now() < deadline;
        waiting.retain(|n| {
            let Ok(of) = &mut stopping[*n] else { return false };
            let why = match of.stands() {
                Ok(stands) if stands || in_time => return !stands,
                Ok(_) => String::from(
                    "a thread of the process did not stop in time: it may wait in the kernel",
                ),
                Err(why) => why,
            };
            stopping[*n] = Err(why);
            false
        });
        if waiting.is_empty() {
            return;
        }
        std::thread::sleep(PAUSE);
    }
}

impl Stopped {
    /// A process that still runs.
    pub(super) fn new(subject: Subject) -> Stopped {
        Stopped { subject, since: Instant::now(), threads: Vec::new() }
    }

    fn interrupt(&self) {
        for traced in self.threads.iter().filter(|traced| traced.state == State::Runs) {
            request(libc::PTRACE_INTERRUPT, traced.tid, 0);
        }
    }

    /// Whether no thread runs and none is new: new ones are stopped, too.
    fn stands(&mut self) -> Result<bool, String> {
        let mut all = true;
        for of in &mut self.threads {
            all &= of.has_stopped(self.subject);
        }
        if !all {
            return Ok(false);
        }
        let known: BTreeSet<libc::pid_t> = self.threads.iter().map(|of| of.tid).collect();
        let mut new = self.tasks();
        new.retain(|tid| !known.contains(tid));
        if new.is_empty() {
            return match self.standing() {
                Some(_) => Ok(true),
                None => Err(String::from("the process has ended")),
            };
        }
        for tid in new {
            self.seize(tid)?;
        }
        Ok(false)
    }

    /// Lets all threads run that are not stopped by job control; they can be stopped again.
    pub(super) fn go_on(&mut self) {
        for traced in &mut self.threads {
            match traced.state {
                State::Stands(signal) => request(libc::PTRACE_CONT, traced.tid, signal),
                State::GroupStands => request(libc::PTRACE_LISTEN, traced.tid, 0),
                State::Runs | State::Gone => continue,
            };
            traced.state = State::Runs;
        }
    }

    /// A thread that stands: the first may have ended, and of that the kernel shows no memory.
    pub(super) fn standing(&self) -> Option<u32> {
        let stands = self.threads.iter().find(|traced| traced.state.stands());
        stands.map(|traced| traced.tid.cast_unsigned())
    }

    /// What its threads hold.
    pub(super) fn threads(&self) -> Vec<Thread> {
        let stand = self.threads.iter().filter(|traced| traced.state.stands());
        stand.map(|traced| read(traced.tid)).collect()
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
            let signal = match traced.state {
                State::Stands(signal) => signal,
                // The kernel stops it again with its group.
                State::GroupStands => 0,
                State::Runs | State::Gone => continue,
            };
            request(libc::PTRACE_DETACH, traced.tid, signal);
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
                if status & 0x7f == libc::SIGTRAP { State::Stands(0) } else { State::GroupStands }
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::process::{Child, Command};

    use super::*;

    fn state(pid: u32) -> char {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
        stat.rsplit_once(')').unwrap().1.trim_start().chars().next().unwrap()
    }

    fn signal(child: &Child, signal: libc::c_int) {
        // SAFETY: our child, which has not been waited for.
        assert_eq!(unsafe { libc::kill(child.id().cast_signed(), signal) }, 0);
    }

    /// Waits until the child's state is one of these.
    #[track_caller]
    fn wait_for(child: &Child, states: &str) {
        let began = Instant::now();
        while !states.contains(state(child.id())) {
            assert!(began.elapsed() < Duration::from_secs(60), "{}", state(child.id()));
            std::thread::sleep(PAUSE);
        }
    }

    #[test]
    fn what_job_control_has_stopped_stays_so_and_can_be_continued() {
        let mut child = Command::new("sleep").arg("600").spawn().unwrap();
        signal(&child, libc::SIGSTOP);
        wait_for(&child, "T");
        let subject = Subject { pid: child.id(), is_child: true };
        let mut stopped = [Ok(Stopped::new(subject))];
        let deadline = || Instant::now() + Duration::from_secs(60);
        stop(&mut stopped, deadline());
        let [Ok(of)] = &mut stopped else { panic!() };
        assert!(of.threads[0].state == State::GroupStands);
        of.go_on();
        // Not even for a moment: it would sleep again.
        wait_for(&child, "tT");
        stop(&mut stopped, deadline());
        assert!(stopped[0].as_ref().is_ok_and(|of| of.threads[0].state == State::GroupStands));
        drop(stopped);
        wait_for(&child, "T");
        signal(&child, libc::SIGCONT);
        wait_for(&child, "SR");
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
