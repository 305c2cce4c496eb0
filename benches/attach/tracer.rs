//! Who attaches.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::pairs::Pairs;

const UNFREED: &str = env!("CARGO_BIN_EXE_unfreed");
/// Until a tracer is there, at most.
const READY: Duration = Duration::from_secs(30);

/// Ended with the benchmark, whatever ends that.
pub struct Tracer(Child);

impl Drop for Tracer {
    fn drop(&mut self) {
        self.signal("INT");
        let _ = self.0.wait();
    }
}

impl Tracer {
    /// unfreed, once it has attached.
    pub fn unfreed(verb: &[&str], output: &Path, who: &[&str]) -> Tracer {
        let mut command = Command::new(UNFREED);
        command.args(verb).arg(output).args(who).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let told = BufReader::new(child.stderr.take().unwrap());
        let tracer = Tracer(child);
        let mut lines = told.lines().map_while(Result::ok);
        assert!(lines.any(|line| line.starts_with("Attached to ")), "it did not attach");
        // What it says later must go somewhere.
        std::thread::spawn(move || lines.count());
        tracer
    }

    /// bpftrace, once it slows the program down; `None` where there is none.
    pub fn bpftrace(script: &Path, pairs: &mut Pairs, bare: f64) -> Option<Tracer> {
        // For this process alone: without -p it would probe, and slow, everything that runs.
        let mut command = Command::new("bpftrace");
        command.args(["-p", &pairs.pid()]).arg(script);
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().ok()?;
        let tracer = Tracer(child);
        let began = Instant::now();
        while pairs.next() < bare + 500.0 {
            assert!(began.elapsed() < READY, "bpftrace did not attach");
        }
        Some(tracer)
    }

    pub fn signal(&self, name: &str) {
        let number = self.0.id().to_string();
        let _ = Command::new("kill").args([&format!("-{name}"), &number]).status();
    }

    /// Seconds of processor time that its threads took.
    pub fn processor_time(&self) -> f64 {
        let of = |text: String| text.split(' ').next()?.parse::<f64>().ok();
        self.of_threads("schedstat").into_iter().filter_map(of).sum::<f64>() / 1e9
    }

    /// Whether all its threads sleep: none runs, nor waits for a processor.
    pub fn is_asleep(&self) -> bool {
        let sleeps =
            |text: &String| text.rsplit_once(") ").is_some_and(|(_, on)| on.starts_with('S'));
        self.of_threads("stat").iter().all(sleeps)
    }

    fn of_threads(&self, file: &str) -> Vec<String> {
        let threads = std::fs::read_dir(format!("/proc/{}/task", self.0.id())).unwrap();
        let read = |thread: std::io::Result<std::fs::DirEntry>| {
            std::fs::read_to_string(thread.ok()?.path().join(file)).ok()
        };
        threads.filter_map(read).collect()
    }
}
