//! A Python program that reads and writes JSON and searches with regular expressions: with
//! Python's own allocator, which asks malloc for arenas, and with malloc for everything.

use std::ffi::OsString;

use crate::measure::{Program, Run, in_turns, median};
use crate::options::Options;
use crate::support::compile::root;
use crate::table::{Table, at_most, none};
use crate::tracer::{Tracer, Tracers};

/// About half a second of it.
const ROUNDS: u64 = 24;

const TARGET: f64 = 1.6;
const SAMPLING_TARGET: f64 = 1.03;

/// Measures, and gives the section.
pub fn section(options: &Options, tracers: &Tracers) -> String {
    let title = "### A Python program\n";
    let Some(python) = &tracers.python else {
        return format!("{title}\nNot measured: no Python (`apt install python3`).\n");
    };
    let mut table = Table::new(&[
        "allocator",
        "under",
        "processor",
        "× bare",
        "target",
        "clock",
        "× bare",
        "the tracer's own processor time",
    ]);
    let all = [Tracer::Bare, Tracer::Unfreed, Tracer::Sampling, Tracer::Heaptrack];
    let present = tracers.present(&all);
    for (allocator, environment) in
        [("Python's", vec![]), ("malloc", vec![("PYTHONMALLOC", "malloc")])]
    {
        let mut words: Vec<OsString> = vec![python.into()];
        words.push(root().join("benches/agent/programs/timed.py").into());
        words.push(root().join("tests/programs/workload.py").into());
        words.push(options.scaled(ROUNDS).to_string().into());
        let program = Program { words, environment };
        let runs = in_turns(options.rounds(), &present, |tracer| program.run(tracer, tracers));
        let sums: Vec<f64> = runs.iter().flatten().map(|run| run.count("checksum")).collect();
        assert!(sums.iter().all(|sum| *sum == sums[0]), "it did not do the same work: {sums:?}");
        let bare = (median(&runs[0], Run::own), median(&runs[0], |run| run.wall));
        for tracer in all {
            let mut row = vec![allocator.to_owned(), tracer.name()];
            match present.iter().position(|other| *other == tracer) {
                Some(index) => row.extend(cells(tracer, &runs[index], bare)),
                None => {
                    let why = match tracer {
                        Tracer::Sampling => "not supported by this build",
                        _ => "not installed",
                    };
                    row.push(why.to_owned());
                    row.extend((0..5).map(|_| none()));
                }
            }
            table.row(&row);
        }
        eprintln!("  allocator {allocator}");
    }
    format!(
        "{title}\nThe processor time is the program's own, until its last line; the clock's counts \
         the tracer's start and end, too.\n\n{}",
        table.finish()
    )
}

fn cells(tracer: Tracer, runs: &[Run], bare: (f64, f64)) -> Vec<String> {
    let (own, wall) = (median(runs, Run::own), median(runs, |run| run.wall));
    let slower = own / bare.0;
    let target = match tracer {
        Tracer::Unfreed => at_most(slower, TARGET, "1.6"),
        Tracer::Sampling => at_most(slower, SAMPLING_TARGET, "1.03"),
        _ => none(),
    };
    let beside =
        if tracer == Tracer::Bare { none() } else { format!("{:.2} s", median(runs, Run::beside)) };
    vec![
        format!("{own:.2} s"),
        format!("{slower:.2}"),
        target,
        format!("{wall:.2} s"),
        format!("{:.2}", wall / bare.1),
        beside,
    ]
}
