//! The dashboard watches a busy program for a long time, and is itself traced by unfreed: what it keeps and never frees is
//! then a suspect like any other. Meanwhile its memory is looked at from outside, and its views are turned over.

use std::fs::{self, File};
use std::io::Write;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::busy::Busy;
use crate::support::terminal::Terminal;
use crate::terminal;

/// Between two looks at its memory.
const LOOK: Duration = Duration::from_secs(10);
/// Looks between two keys.
const LOOKS_PER_KEY: usize = 6;
/// All views, and the stacks by module.
const KEYS: [&str; 7] = ["2", "Enter", "4", "b", "b", "3", "1"];

/// How long, and how much.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// How long the program runs
    #[arg(long, default_value_t = 60.0)]
    minutes: f64,
    /// Blocks that the program replaces a second: two events each
    #[arg(long, default_value_t = 200_000)]
    rate: u64,
    /// From how many stacks it allocates, 4,096 at most
    #[arg(long, default_value_t = 2_000)]
    stacks: u32,
    /// Where the memory's series (CSV) and unfreed's findings (JSON) go, which is made
    #[arg(long, value_name = "DIR", default_value = "target/dashboard-soak")]
    directory: PathBuf,
}

/// Runs it; prints the series' ends and the suspects in the dashboard.
pub fn run(options: &Options) {
    fs::create_dir_all(&options.directory).unwrap();
    let directory = options.directory.canonicalize().unwrap();
    let seconds = (options.minutes * 60.0) as u64;
    let busy = Busy { live: options.rate / 2, rate: options.rate, stacks: options.stacks, seconds };
    let (unfreed, found) = (env!("CARGO_BIN_EXE_unfreed"), directory.join("found.json"));
    let terminal = terminal(&format!(
        "{unfreed} run --json --output {} -- {unfreed} top -o /dev/null -- {} 2> {}",
        found.display(),
        busy.command().join(" "),
        // What the outer one says of the program, which is not its own, would tear the screen.
        directory.join("said").display()
    ));
    let pid = terminal.dashboard();
    let mut series = File::create(directory.join("memory.csv")).unwrap();
    writeln!(series, "seconds,rss_kib,anonymous_kib,shared_kib,file_kib,screen").unwrap();
    let (began, mut looks, mut kept) = (Instant::now(), 0, Vec::new());
    while let (Some(memory), false) = (Memory::of(pid), has_ended(&terminal)) {
        let at = began.elapsed().as_secs();
        let screen = terminal.screen();
        let line = screen.lines().nth(1).unwrap_or_default().trim().replace(',', " ");
        writeln!(series, "{at},{memory},{line}").unwrap();
        kept.push((at, memory));
        looks += 1;
        if looks % LOOKS_PER_KEY == 0 {
            terminal.keys(&[KEYS[looks / LOOKS_PER_KEY % KEYS.len()]]);
        }
        thread::sleep(LOOK);
    }
    terminal.keys(&["1"]);
    println!("{}", terminal.shows("live."));
    terminal.keys(&["q"]);
    terminal.shows("exit=");
    for (at, memory) in kept.iter().step_by((kept.len() / 12).max(1)) {
        println!("{at:6} s  {memory} (resident, anonymous, shared, of files: KiB)");
    }
    tell(&fs::read(found).unwrap());
}

fn has_ended(terminal: &Terminal) -> bool {
    terminal.screen().lines().nth(1).is_some_and(|line| line.contains("| ended |"))
}

/// What unfreed says of the dashboard.
fn tell(found: &[u8]) {
    let report: Value = serde_json::from_slice(found).unwrap();
    println!("{} of {}; lost: {}", report["totals"], report["duration_s"], report["losses"]);
    for suspect in report["suspects"].as_array().unwrap() {
        println!(
            "SUSPECT {} {}: {} bytes live, confidence {}",
            suspect["process"], suspect["function"], suspect["live_bytes"], suspect["confidence"]
        );
    }
    println!("{} suspects in the dashboard", report["suspects"].as_array().unwrap().len());
}

/// Memory of a process, as the kernel counts it, in KiB.
struct Memory([u64; 4]);

impl Memory {
    fn of(pid: u32) -> Option<Memory> {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let kib = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            line.trim().strip_suffix("kB")?.trim().parse().ok()
        };
        Some(Memory([kib("VmRSS:")?, kib("RssAnon:")?, kib("RssShmem:")?, kib("RssFile:")?]))
    }
}

impl std::fmt::Display for Memory {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [all, anonymous, shared, file] = self.0;
        write!(to, "{all},{anonymous},{shared},{file}")
    }
}
