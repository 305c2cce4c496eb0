//! Sends signals to processes by their number. The shell's own `kill` does it, since the standard
//! library has no call for it and this room has no unsafe code.

use std::process::Command;

/// The signals that tests send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    Hangup,
    Interrupt,
    Kill,
    Stop,
    Continue,
    Terminate,
    User1,
}

impl Signal {
    fn name(self) -> &'static str {
        match self {
            Signal::Hangup => "HUP",
            Signal::Interrupt => "INT",
            Signal::Kill => "KILL",
            Signal::Stop => "STOP",
            Signal::Continue => "CONT",
            Signal::Terminate => "TERM",
            Signal::User1 => "USR1",
        }
    }

    /// Its number on Linux, as an exit status shows it.
    pub fn number(self) -> i32 {
        match self {
            Signal::Hangup => 1,
            Signal::Interrupt => 2,
            Signal::Kill => 9,
            Signal::User1 => 10,
            Signal::Terminate => 15,
            Signal::Continue => 18,
            Signal::Stop => 19,
        }
    }
}

/// Sends a signal to one process; false where there is none of that number.
pub fn send(pid: u32, signal: Signal) -> bool {
    kill(signal, &pid.to_string())
}

/// Sends a signal to a process group, as the terminal does on Ctrl-C.
pub fn send_group(group: u32, signal: Signal) -> bool {
    kill(signal, &format!("-{group}"))
}

fn kill(signal: Signal, target: &str) -> bool {
    Command::new("/bin/sh")
        .args(["-c", "kill -s \"$1\" -- \"$2\" 2>/dev/null", "sh", signal.name(), target])
        .status()
        .expect("/bin/sh starts")
        .success()
}
