//! What `unfreed attach` costs: added to a pair of malloc and free with its whole stack, beside a bpftrace script that
//! does the same; and what its consumer needs for an event. Needs root, a C compiler, and bpftrace for its row.
//!
//! `cargo bench --bench attach [-- ROUNDS]`. Variants take turns in each round; figures are medians of processor time.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a benchmark")]

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod linux {
    use std::io::{BufRead, BufReader};
    use std::path::{Path, PathBuf};
    use std::process::{Child, ChildStdout, Command, Stdio};
    use std::time::{Duration, Instant};

    const UNFREED: &str = env!("CARGO_BIN_EXE_unfreed");
    /// Each variant runs for so long in each round.
    const SPAN: Duration = Duration::from_secs(3);
    /// Until a tracer is there, at most.
    const READY: Duration = Duration::from_secs(30);

    /// Ended with the benchmark, whatever ends that.
    struct Tracer(Child);

    impl Drop for Tracer {
        fn drop(&mut self) {
            let _ = Command::new("kill").args(["-INT", &self.0.id().to_string()]).status();
            let _ = self.0.wait();
        }
    }

    const SCRIPT: &str = "\
uprobe:/lib/x86_64-linux-gnu/libc.so.6:malloc { @size[tid] = arg0; @stack[tid] = ustack(16); }
uretprobe:/lib/x86_64-linux-gnu/libc.so.6:malloc /@size[tid]/ {
    @live[retval] = @stack[tid]; @bytes[@stack[tid]] = sum(@size[tid]); delete(@size[tid]); delete(@stack[tid]);
}
uprobe:/lib/x86_64-linux-gnu/libc.so.6:free { delete(@live[arg0]); }
";

    /// A program that does pairs at a depth and says, line by line, what each took.
    struct Pairs {
        child: Child,
        lines: BufReader<ChildStdout>,
    }

    impl Pairs {
        fn start(program: &Path, depth: u32) -> Pairs {
            let mut command = Command::new(program);
            let mut child = command.arg(depth.to_string()).stdout(Stdio::piped()).spawn().unwrap();
            let lines = BufReader::new(child.stdout.take().unwrap());
            Pairs { child, lines }
        }

        fn next(&mut self) -> f64 {
            let mut line = String::new();
            self.lines.read_line(&mut line).unwrap();
            line.trim().parse().unwrap()
        }

        /// The median over a time.
        fn median(&mut self) -> f64 {
            let began = Instant::now();
            let mut all = Vec::new();
            while began.elapsed() < SPAN {
                all.push(self.next());
            }
            middle(&mut all)
        }

        /// Waits until it is slower than it was: a tracer is there.
        fn until_traced(&mut self, bare: f64) {
            let began = Instant::now();
            while self.next() < bare + 500.0 && began.elapsed() < READY {}
        }
    }

    impl Drop for Pairs {
        fn drop(&mut self) {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }

    fn middle(all: &mut [f64]) -> f64 {
        all.sort_by(f64::total_cmp);
        all[all.len() / 2]
    }

    fn compile(directory: &Path) -> PathBuf {
        let program = directory.join("attach_pairs");
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/attach_pairs.c");
        let done = Command::new("cc")
            .args(["-O1", "-fomit-frame-pointer", "-o"])
            .arg(&program)
            .arg(source)
            .status();
        assert!(done.unwrap().success());
        program
    }

    fn processor_time(pid: u32) -> f64 {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let fields: Vec<&str> =
            stat.rsplit_once(')').map_or("", |(_, rest)| rest).split_whitespace().collect();
        let ticks =
            |n: usize| fields.get(n).and_then(|ticks| ticks.parse::<f64>().ok()).unwrap_or(0.0);
        (ticks(11) + ticks(12)) / 100.0
    }

    pub fn main() {
        let rounds = std::env::args().filter_map(|word| word.parse().ok()).next().unwrap_or(3);
        let directory = tempfile::tempdir().unwrap();
        let program = compile(directory.path());
        let script = directory.path().join("pairs.bt");
        std::fs::write(&script, SCRIPT).unwrap();
        println!(
            "| depth | bare, ns | unfreed adds, ns | bpftrace adds, ns | bpftrace / unfreed | consumer, ns an event |"
        );
        println!("|---|---|---|---|---|---|");
        for depth in [4, 16, 64] {
            let (mut bares, mut ours, mut theirs, mut consumer) = (vec![], vec![], vec![], vec![]);
            for _ in 0..rounds {
                let mut pairs = Pairs::start(&program, depth);
                let pid = pairs.child.id().to_string();
                let bare = pairs.median();
                bares.push(bare);
                let report = directory.path().join("report.json");
                let unfreed = Command::new(UNFREED)
                    .args(["attach", "-q", "--json", "--output"])
                    .arg(&report)
                    .arg(&pid)
                    .spawn()
                    .map(Tracer)
                    .unwrap();
                pairs.until_traced(bare);
                let began = processor_time(unfreed.0.id());
                let mut spans = Vec::new();
                let start = Instant::now();
                while start.elapsed() < SPAN {
                    spans.push(pairs.next());
                }
                let events = spans.len() as f64 * 2.0 * 10_000.0;
                let used = processor_time(unfreed.0.id()) - began;
                consumer.push(used / events * 1e9);
                ours.push(middle(&mut spans) - bare);
                drop(unfreed);
                let text = std::fs::read_to_string(&report).unwrap();
                assert!(text.contains("\"events\": 0"), "something was lost: {text}");
                // For this process alone: without -p it would probe, and slow, everything that runs.
                let bpftrace = Command::new("bpftrace")
                    .args(["-p", &pid])
                    .arg(&script)
                    .stdout(Stdio::null())
                    .stderr(Stdio::null())
                    .spawn()
                    .map(Tracer);
                if let Ok(bpftrace) = bpftrace {
                    pairs.until_traced(bare);
                    theirs.push(pairs.median() - bare);
                    drop(bpftrace);
                }
            }
            let ours = middle(&mut ours);
            let (theirs, ratio) = if theirs.is_empty() {
                ("-".to_owned(), "-".to_owned())
            } else {
                let theirs = middle(&mut theirs);
                (format!("{theirs:.0}"), format!("{:.1}", theirs / ours))
            };
            let (bare, consumer) = (middle(&mut bares), middle(&mut consumer));
            println!("| {depth} | {bare:.0} | {ours:.0} | {theirs} | {ratio} | {consumer:.0} |");
        }
    }
}

fn main() {
    #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
    linux::main();
}
