//! Signals while a target runs: the terminal's go to the target by themselves, and must not end
//! us before it; those that another process sends to us are passed on. A limit on the size of files is an
//! error to us, and stays the end of a target.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

/// Which have come, and which of them from another process.
static SEEN: AtomicU32 = AtomicU32::new(0);
static SENT: AtomicU32 = AtomicU32::new(0);

/// Whether one has come that asks to end.
static ASKED: AtomicBool = AtomicBool::new(false);

/// Whether, since a program was last about to be watched, a signal came that asks to end. Whoever keeps a
/// screen for the user gives it back then, whatever becomes of the program.
pub fn asked_to_end() -> bool {
    ASKED.load(Ordering::Relaxed)
}

/// From now on a terminal that goes away ends neither us nor what we start, as under `nohup`.
pub fn survive_hangup() {
    // SAFETY: ignoring a signal has no other effect on this process.
    unsafe { libc::signal(libc::SIGHUP, libc::SIG_IGN) };
}

/// What is said to whoever asks us to end while a result is being made.
static LAST_WORD: &[u8] =
    b"\nunfreed: the watching has ended and the result is being made; asked once more, it ends without one\n";

extern "C" fn say_last_word(_: libc::c_int) {
    // SAFETY: a system call that may be made in a handler, of bytes that are always there. A standard error
    // that takes nothing changes nothing.
    unsafe { libc::write(libc::STDERR_FILENO, LAST_WORD.as_ptr().cast(), LAST_WORD.len()) };
}

/// From now on, where nobody else takes them, the first of the signals that ask us to end only says what would be lost;
/// the next one of its kind ends us. Those that are ignored stay so.
pub fn warn_before_end() {
    for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP, libc::SIGQUIT] {
        // SAFETY: both structures are valid; the handler only writes.
        unsafe {
            let mut before = std::mem::zeroed::<libc::sigaction>();
            if libc::sigaction(signal, std::ptr::null(), &mut before) != 0
                || before.sa_sigaction == libc::SIG_IGN
            {
                continue;
            }
            let mut ours = std::mem::zeroed::<libc::sigaction>();
            ours.sa_sigaction = say_last_word as *const () as usize;
            ours.sa_flags = libc::SA_RESTART | libc::SA_RESETHAND;
            libc::sigaction(signal, &ours, std::ptr::null_mut());
        }
    }
}

/// Whether we were started with SIGPIPE ignored, as services often are.
static PIPE_IGNORED: AtomicBool = AtomicBool::new(false);

/// Rust ignores SIGPIPE before `main`, and its way of starting programs gives them the default
/// back: what it was must be seen before.
#[used]
#[unsafe(link_section = ".init_array")]
static LOOK: extern "C" fn() = {
    extern "C" fn look() {
        // SAFETY: only asks; a zeroed sigaction is a valid one.
        unsafe {
            let mut before = std::mem::zeroed::<libc::sigaction>();
            let asked = libc::sigaction(libc::SIGPIPE, std::ptr::null(), &mut before);
            PIPE_IGNORED
                .store(asked == 0 && before.sa_sigaction == libc::SIG_IGN, Ordering::Relaxed);
        }
    }
    look
};

/// Whether it is us who ignore SIGXFSZ.
static TOO_LARGE: AtomicBool = AtomicBool::new(false);

/// From now on a file that may not grow is an error, not our end without a word.
pub(in crate::collect) fn survive_limits() {
    // SAFETY: ignoring a signal has no other effect on this process.
    let before = unsafe { libc::signal(libc::SIGXFSZ, libc::SIG_IGN) };
    if before == libc::SIG_DFL {
        TOO_LARGE.store(true, Ordering::Relaxed);
    }
}

/// The signals that this thread blocks, for a program to be started with.
pub(in crate::collect) fn blocked() -> libc::sigset_t {
    // SAFETY: only asks; zeroed is a valid, empty set.
    unsafe {
        let mut set = std::mem::zeroed::<libc::sigset_t>();
        libc::pthread_sigmask(libc::SIG_BLOCK, std::ptr::null(), &mut set);
        set
    }
}

/// Gives a program being started what it would have had without us. Runs between fork and exec:
/// system calls only.
pub(in crate::collect) fn as_without_us(blocked: &libc::sigset_t) {
    // SAFETY: all of these may be called there, and take valid arguments.
    unsafe {
        if PIPE_IGNORED.load(Ordering::Relaxed) {
            libc::signal(libc::SIGPIPE, libc::SIG_IGN);
        }
        if TOO_LARGE.load(Ordering::Relaxed) {
            libc::signal(libc::SIGXFSZ, libc::SIG_DFL);
        }
        libc::sigprocmask(libc::SIG_SETMASK, blocked, std::ptr::null_mut());
    }
}

/// Signals that the terminal sends to the whole foreground group, but others may send to us alone.
const FROM_TERMINAL: [libc::c_int; 2] = [libc::SIGINT, libc::SIGQUIT];
/// Signals that somebody sends to us and means for the target.
const TO_PASS_ON: [libc::c_int; 4] = [libc::SIGTERM, libc::SIGHUP, libc::SIGUSR1, libc::SIGUSR2];

extern "C" fn note(signal: libc::c_int, about: *const libc::siginfo_t, _: *mut libc::c_void) {
    // SAFETY: the system's own, for a handler that asked for it.
    let from_process = !about.is_null() && unsafe { (*about).si_code } <= 0;
    if let Ok(signal @ 0..32) = u32::try_from(signal) {
        SENT.fetch_or(u32::from(from_process) << signal, Ordering::Relaxed);
        let asks = 1 << libc::SIGTERM | 1 << libc::SIGHUP | 1 << libc::SIGINT | 1 << libc::SIGQUIT;
        ASKED.fetch_or(asks & (1 << signal) != 0, Ordering::Relaxed);
        SEEN.fetch_or(1 << signal, Ordering::Relaxed);
    }
}

/// Handlers in force; the old ones come back when dropped.
pub(in crate::collect) struct Signals {
    old: Vec<(libc::c_int, libc::sigaction)>,
}

impl Signals {
    /// Takes the signals over, but for those that were being ignored: then the target ignores
    /// them too, as under `nohup`.
    pub(in crate::collect) fn take_over() -> Signals {
        SEEN.store(0, Ordering::Relaxed);
        SENT.store(0, Ordering::Relaxed);
        ASKED.store(false, Ordering::Relaxed);
        let mut old = Vec::new();
        for signal in FROM_TERMINAL.into_iter().chain(TO_PASS_ON) {
            // SAFETY: both structures are valid; the handler only touches an atomic.
            unsafe {
                let mut before = std::mem::zeroed::<libc::sigaction>();
                if libc::sigaction(signal, std::ptr::null(), &mut before) != 0
                    || before.sa_sigaction == libc::SIG_IGN
                {
                    continue;
                }
                let mut ours = std::mem::zeroed::<libc::sigaction>();
                ours.sa_sigaction = note as *const () as usize;
                ours.sa_flags = libc::SA_RESTART | libc::SA_SIGINFO;
                if libc::sigaction(signal, &ours, std::ptr::null_mut()) == 0 {
                    old.push((signal, before));
                }
            }
        }
        Signals { old }
    }

    /// The signals to pass on that came since the last call, and whether somebody asked to end.
    pub(in crate::collect) fn take(&self) -> (Vec<libc::c_int>, bool) {
        let seen = SEEN.swap(0, Ordering::Relaxed);
        let sent = SENT.swap(0, Ordering::Relaxed);
        let is_in = |set: u32| move |signal: &libc::c_int| set & (1 << *signal) != 0;
        // What the terminal sends has reached the target by itself, and twice may mean something
        // else. Who sends to the whole group by hand is passed on nevertheless: it looks the same.
        let sent = FROM_TERMINAL.into_iter().filter(is_in(sent));
        let passed_on = TO_PASS_ON.into_iter().filter(is_in(seen)).chain(sent).collect();
        (passed_on, FROM_TERMINAL.iter().any(is_in(seen)))
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        for (signal, before) in &self.old {
            // SAFETY: what `take_over` found there.
            unsafe { libc::sigaction(*signal, before, std::ptr::null_mut()) };
        }
    }
}
