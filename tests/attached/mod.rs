//! Programs that run without unfreed until it attaches to them. Used as `mod attached;` beside `mod support;` and
//! `mod traced;`.

#![allow(dead_code, reason = "each test binary uses a part of this")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

pub mod stacks;

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::support::process::{Finished, LIMIT, Running, run};
use crate::support::programs;
use crate::traced::{Traced, UNFREED};

/// Why nothing can be attached to here; `None` where it can.
pub fn obstacle() -> Option<String> {
    let somebody = Running::start(Command::new("sleep").arg("60"));
    let mut attempt = Command::new(UNFREED);
    attempt.args(["attach", "-q", "--duration", "1ms", &somebody.pid().to_string()]);
    let attempt = run(&mut attempt, LIMIT);
    let lacks = ["attaching needs root", "tracefs is not mounted"];
    let lack = lacks.into_iter().find(|lack| attempt.err().contains(lack))?;
    (attempt.code() == Some(2)).then(|| lack.to_owned())
}

/// Leaves the calling test where nothing can be attached to.
macro_rules! require_attach {
    () => {
        if let Some(why) = $crate::attached::obstacle() {
            $crate::support::skip!("{why}");
        }
    };
}
pub(crate) use require_attach;

/// A shell that executes a program once it is let go: until then it can be attached to, and the program is then seen
/// from its first allocation.
pub struct Held {
    running: Running,
    gate: PathBuf,
    _directory: tempfile::TempDir,
}

impl Held {
    pub fn start(command: &[OsString], environment: &[(&str, OsString)]) -> Held {
        let directory = tempfile::tempdir().unwrap();
        let gate = directory.path().join("gate");
        run(Command::new("mkfifo").arg(&gate), LIMIT).expect_code(0);
        let mut shell = Command::new("/bin/sh");
        // The environment is for the program, not for the shell.
        shell.args(["-c", "echo held; read line < \"$0\"; exec env \"$@\""]).arg(&gate);
        for (key, value) in environment {
            let mut pair = OsString::from(format!("{key}="));
            pair.push(value);
            shell.arg(pair);
        }
        let running = Running::start(shell.args(command));
        running.wait_for("held\n", LIMIT);
        Held { running, gate, _directory: directory }
    }

    pub fn pid(&self) -> u32 {
        self.running.pid()
    }

    /// Lets it go.
    pub fn release(self) -> Running {
        std::fs::write(&self.gate, "\n").unwrap();
        self.running
    }
}

/// Names the only program that waits at its gate.
pub const GATE_ONLY: &str = "UNFREED_TEST_GATE_ONLY";

/// A program that waits before its main, with all its libraries there, until it is let go.
pub struct Gated {
    running: Running,
    gate: PathBuf,
    _directory: tempfile::TempDir,
}

impl Gated {
    /// Starts it with these libraries preloaded, beside the gate (a static program has it inside).
    pub fn start(
        command: &[OsString],
        preloaded: &[PathBuf],
        environment: &[(&str, OsString)],
    ) -> Gated {
        let directory = tempfile::tempdir().unwrap();
        let gate = directory.path().join("gate");
        run(Command::new("mkfifo").arg(&gate), LIMIT).expect_code(0);
        let library = programs::gate();
        let preload: Vec<&str> =
            preloaded.iter().chain([&library]).map(|path| path.to_str().unwrap()).collect();
        let mut program = Command::new(&command[0]);
        program.args(&command[1..]).env("UNFREED_TEST_GATE", &gate);
        program.env("LD_PRELOAD", preload.join(":")).envs(environment.iter().cloned());
        let mut running = Running::start(&mut program);
        let up = directory.path().join("gate.up");
        until("the program waits at its gate", || {
            assert!(!running.has_ended(), "it ended before");
            up.exists()
        });
        Gated { running, gate, _directory: directory }
    }

    pub fn pid(&self) -> u32 {
        self.running.pid()
    }

    /// Lets it go.
    pub fn release(self) -> Running {
        std::fs::write(&self.gate, "g").unwrap();
        self.running
    }

    /// Attaches to it, lets it go and records it to its end.
    pub fn record(self) -> Traced {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("trace.unfreed");
        let unfreed = record_to(&file, self.pid());
        let finished = self.release().finish(LIMIT);
        unfreed.finish(LIMIT).expect_code(0);
        Traced::from_file(finished, file, directory)
    }
}

/// How long a server is kept under load: long enough for a verdict, or as `ATTACH_SECONDS` says.
pub fn span() -> Duration {
    let asked = std::env::var("ATTACH_SECONDS").ok().and_then(|seconds| seconds.parse().ok());
    Duration::from_secs(asked.unwrap_or(12))
}

/// Waits until something holds; panics past the limit.
pub fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < LIMIT, "waited in vain until {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// An unfreed that has attached to a process and records it.
fn record_to(file: &Path, pid: u32) -> Running {
    let pid = pid.to_string();
    attach(&[
        "record".as_ref(),
        "--attach".as_ref(),
        OsStr::new(&pid),
        "-o".as_ref(),
        file.as_os_str(),
    ])
}

/// An unfreed that has attached.
pub fn attach<S: AsRef<OsStr>>(verb: &[S]) -> Running {
    let unfreed = Running::start(Command::new(UNFREED).args(verb));
    unfreed.wait_for_told("Attached to ", LIMIT);
    unfreed
}

/// Records a program that was attached to before its beginning, to its end.
pub fn record(command: &[OsString]) -> Traced {
    record_in(command, &[])
}

/// The same with more in the environment.
pub fn record_in(command: &[OsString], environment: &[(&str, OsString)]) -> Traced {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("trace.unfreed");
    let held = Held::start(command, environment);
    let unfreed = record_to(&file, held.pid());
    let finished: Finished = held.release().finish(LIMIT);
    unfreed.finish(LIMIT).expect_code(0);
    Traced::from_file(finished, file, directory)
}
