//! The program that is attached to: it does what it is asked for, batch by batch, so that nothing happens unmeasured.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

/// Each variant runs for so long in each round.
const SPAN: Duration = Duration::from_secs(3);
/// Events of a batch.
pub const EVENTS: u64 = 20_000;

pub struct Pairs {
    child: Child,
    asked: ChildStdin,
    told: BufReader<ChildStdout>,
}

impl Pairs {
    pub fn start(program: &Path, arguments: &[&str]) -> Pairs {
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let asked = child.stdin.take().unwrap();
        let told = BufReader::new(child.stdout.take().unwrap());
        Pairs { child, asked, told }
    }

    pub fn pid(&self) -> String {
        self.child.id().to_string()
    }

    /// Nanoseconds of a pair, in one batch.
    pub fn next(&mut self) -> f64 {
        self.asked.write_all(b"\n").unwrap();
        let mut line = String::new();
        self.told.read_line(&mut line).unwrap();
        line.trim().parse().unwrap()
    }

    /// The median over a time.
    pub fn median(&mut self) -> f64 {
        let began = Instant::now();
        let mut all = Vec::new();
        while began.elapsed() < SPAN {
            all.push(self.next());
        }
        middle(&mut all)
    }
}

impl Drop for Pairs {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub fn middle(all: &mut [f64]) -> f64 {
    all.sort_by(f64::total_cmp);
    all[all.len() / 2]
}

pub fn compile(directory: &Path) -> PathBuf {
    let program = directory.join("pairs");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/attach/pairs.c");
    let mut command = Command::new("cc");
    command.args(["-O1", "-fomit-frame-pointer", "-o"]).arg(&program).arg(source);
    assert!(command.status().unwrap().success());
    program
}
