//! What the other side needs: bytes of trace per block that survives, and events per second of the
//! collector's processor time while a program does nothing but allocate.

use std::ffi::OsString;
use std::fs;

use crate::measure::{Recorded, Run, in_turns, median, recorded, reported};
use crate::options::Options;
use crate::program::{Mix, Pairs};
use crate::table::{Table, at_least, at_most};
use crate::tracer::{Tracers, record, trace, unfreed};

const BYTES_TARGET: f64 = 24.0;
const EVENTS_TARGET: f64 = 5e6;

/// What takes the events in.
#[derive(Clone, Copy, Debug)]
enum Verb {
    /// Nobody: the program alone.
    Nobody,
    /// `unfreed record`, into a file.
    Record,
    /// `unfreed run`, into the ledger.
    Run,
}

/// Measures, and gives the section.
pub fn section(options: &Options, _: &Tracers) -> String {
    format!(
        "### The trace and the collector\n\n{}\n\n{}\n{}\n\n{}",
        "A surviving block is one that the program never frees; everything in the file counts.",
        trace_bytes(options),
        "The program allocates on one thread and frees nothing, four frames deep. An event is an \
         allocation that arrived; the collector's start and end are not counted, but shown.",
        throughput(options),
    )
}

fn trace_bytes(options: &Options) -> String {
    let mut table =
        Table::new(&["mix", "blocks that survive", "trace, bytes", "per block", "target", "lost"]);
    for mix in [Mix::Mixed, Mix::Survivors] {
        let pairs = options.scaled(800_000);
        let workload = Pairs { mix, depth: 16, threads: 1, pairs, seed: options.seed };
        // The same every time, so no rounds: but what was lost is not in the file.
        let runs = (0..options.rounds()).filter_map(|_| measure(Verb::Record, workload).recorded);
        let mut least: Option<Recorded> = None;
        for trace in runs {
            if least.is_none_or(|least| trace.lost < least.lost) {
                least = Some(trace);
            }
            if trace.lost == 0 {
                break;
            }
        }
        let trace = least.expect("a round");
        let bytes = trace.bytes as f64 / trace.live_blocks as f64;
        table.row(&[
            mix.to_string(),
            trace.live_blocks.to_string(),
            trace.bytes.to_string(),
            format!("{bytes:.1}"),
            at_most(bytes, BYTES_TARGET, "24"),
            trace.lost.to_string(),
        ]);
    }
    table.finish()
}

fn throughput(options: &Options) -> String {
    // Not much less where it has to be quick: the collector's start would hide the rest.
    let pairs = if options.quick { 800_000 } else { 1_600_000 };
    let flood = Pairs { mix: Mix::Survivors, depth: 4, threads: 1, pairs, seed: options.seed };
    let nothing = Pairs { pairs: 0, ..flood };
    let verbs = [Verb::Nobody, Verb::Record, Verb::Run];
    let floods = in_turns(options.rounds(), &verbs, |verb| measure(verb, flood));
    let starts = in_turns(options.rounds(), &verbs, |verb| measure(verb, nothing));
    let beside = |runs: &[Vec<Run>], index: usize| {
        median(&runs[index], Run::beside) - median(&runs[0], Run::beside)
    };
    let mut table = Table::new(&[
        "collector",
        "events",
        "lost",
        "processor",
        "million events/s of it",
        "target",
        "start and end",
    ]);
    for (index, verb) in [(1, "`unfreed record`"), (2, "`unfreed run`")] {
        let said = |figure: fn(&Recorded) -> u64| {
            median(&floods[index], |run| figure(&run.recorded.unwrap_or_default()) as f64)
        };
        let events = said(|trace| trace.allocations + trace.frees);
        let start = beside(&starts, index);
        let seconds = beside(&floods, index) - start;
        let rate = events / seconds;
        table.row(&[
            verb.to_owned(),
            format!("{events:.0}"),
            format!("{:.0}", said(|trace| trace.lost)),
            format!("{seconds:.2} s"),
            format!("{:.1}", rate / 1e6),
            at_least(rate, EVENTS_TARGET, "5"),
            format!("{start:.2} s"),
        ]);
    }
    table.finish()
}

fn measure(verb: Verb, workload: Pairs) -> Run {
    let directory = tempfile::tempdir().unwrap();
    let at = directory.path();
    let report = at.join("report.json");
    let prefix: Vec<OsString> = match verb {
        Verb::Nobody => Vec::new(),
        Verb::Record => record(&[], at),
        Verb::Run => {
            let words = [unfreed(), "run", "--quiet", "--json", "--target-status", "--output"];
            let words = words.iter().map(OsString::from);
            words.chain([report.clone().into(), "--".into()]).collect()
        }
    };
    let mut run = workload.program().run_after(&prefix, at);
    run.recorded = match verb {
        Verb::Nobody => None,
        Verb::Record => Some(recorded(&trace(at))),
        Verb::Run => Some(reported(&fs::read(&report).unwrap())),
    };
    run
}
