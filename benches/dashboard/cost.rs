//! What the dashboard takes beside the ledger, of one processor, at a million events a second. Three parts, each in
//! processor time: handing events to another thread ([`crate::fold`]), judging, which the dashboard shows itself, and
//! drawing, which is all that its thread of the screen takes. What a judgement is made of tells [`crate::judge`].

use std::fs;

use crate::busy::Busy;
use crate::terminal;
use crate::{fold, judge};

/// What the target is: the share of a processor that all may take.
const TARGET: f64 = 0.02;

/// How much is measured.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// How long the program is recorded
    #[arg(long, default_value_t = 15)]
    seconds: u64,
    /// From how many stacks it allocates, 4,096 at most
    #[arg(long, default_value_t = 2_000)]
    stacks: u32,
    /// How often each is measured, one after the other
    #[arg(long, default_value_t = 5)]
    rounds: usize,
}

/// Measures, and prints what came of it.
pub fn run(options: &Options) {
    let directory = tempfile::tempdir().unwrap();
    let trace = directory.path().join("busy.trace");
    let Options { stacks, seconds, rounds } = *options;
    let busy = Busy { live: 200_000, rate: 500_000, stacks, seconds };
    busy.record(&trace);
    let (events, handing) = fold::handing(&trace, rounds);
    println!("{events} events of {seconds} s from {stacks} stacks");
    println!("handing an event to the other thread: {handing}");
    judge::print(&trace, rounds);
    let mut shares = Vec::new();
    for _ in 0..rounds.div_ceil(2) {
        let shown = Shown::replay(&trace);
        println!("live: {shown}");
        shares.push(shown);
    }
    let median = |mut all: Vec<f64>| {
        all.sort_by(f64::total_cmp);
        all[all.len() / 2]
    };
    let handing = handing.adds() * 1e6 / 1e9;
    let judging = median(shares.iter().map(|shown| shown.judging).collect());
    let drawing = median(shares.iter().map(|shown| shown.drawing).collect());
    let all = handing + judging + drawing;
    println!(
        "beside the ledger, of one processor: {:.2} % handing over, {:.2} % judging, {:.2} % drawing; {:.2} % together, {} {} %",
        handing * 100.0,
        judging * 100.0,
        drawing * 100.0,
        all * 100.0,
        if all < TARGET { "under" } else { "OVER" },
        TARGET * 100.0
    );
}

/// What a dashboard took that played a recording as fast as it was recorded.
struct Shown {
    judging: f64,
    drawing: f64,
    screen: String,
}

impl Shown {
    fn replay(trace: &std::path::Path) -> Shown {
        let unfreed = env!("CARGO_BIN_EXE_unfreed");
        let terminal = terminal(&format!("{unfreed} top --speed 1 {}", trace.display()));
        let pid = terminal.dashboard();
        let began = std::time::Instant::now();
        let screen = terminal.shows("| ended |");
        let lasted = began.elapsed().as_secs_f64();
        let drawing = thread_time(pid, "screen").expect("the screen has a thread") / lasted;
        let line = screen.lines().find(|line| line.contains("unfreed itself has taken"));
        let line = line.unwrap_or_else(|| panic!("its own cost is not on\n{screen}"));
        let numbers: Vec<f64> =
            line.split_whitespace().filter_map(|word| word.parse().ok()).collect();
        terminal.keys(&["q"]);
        terminal.shows("exit=");
        let judging = numbers[1] / 100.0;
        Shown { judging, drawing, screen: line.trim().to_owned() }
    }
}

impl std::fmt::Display for Shown {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(to, "{} Drawing: {:.2} %.", self.screen, self.drawing * 100.0)
    }
}

/// Seconds of a processor that a thread has taken, to the hundredth.
fn thread_time(pid: u32, name: &str) -> Option<f64> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).ok()?;
    let stats =
        tasks.flatten().filter_map(|task| fs::read_to_string(task.path().join("stat")).ok());
    let of = format!("({name})");
    let stat = stats.into_iter().find(|stat| stat.contains(&of))?;
    let after = stat.rsplit_once(')')?.1;
    let ticks = after.split_whitespace().skip(11).take(2).filter_map(|n| n.parse::<f64>().ok());
    Some(ticks.sum::<f64>() / 100.0)
}
