//! What tracing adds to a pair of malloc and free: depths of the stack, threads, two mixes. Each
//! thread's own processor time counts, so that waiting for a processor does not.

use crate::measure::{Run, in_turns, median};
use crate::options::Options;
use crate::program::{Mix, Pairs};
use crate::table::{Table, at_most, none};
use crate::tracer::{SAMPLE, Tracer, Tracers};

/// Depths, the pairs of each thread, and what the added cost may be of heaptrack's.
const DEPTHS: [(u32, u64, f64, &str); 3] =
    [(4, 600_000, 0.25, "1/4"), (16, 400_000, 0.25, "1/4"), (64, 200_000, 1.0 / 3.0, "1/3")];

const ALL: [Tracer; 3] = [Tracer::Bare, Tracer::Unfreed, Tracer::Heaptrack];

/// What "no more per pair" allows for noise.
const NOISE: f64 = 1.05;

/// The share of events that may be lost where a cost is judged.
const MOST_LOST: f64 = 0.01;

/// The figures of one workload under one tracer, per pair.
#[derive(Clone, Copy, Debug)]
struct Cost {
    nanoseconds: f64,
    beside: f64,
    lost: f64,
}

/// Measures, and gives the section.
pub fn section(options: &Options, tracers: &Tracers) -> String {
    let mut table = Table::new(&[
        "mix",
        "depth",
        "threads",
        "bare, ns",
        "unfreed adds, ns",
        "heaptrack adds, ns",
        "unfreed / heaptrack",
        "target",
        "two threads / one",
        "target",
        "unfreed's collector, ns",
        "heaptrack's, ns",
        "lost",
    ]);
    let starts = starts(options, tracers);
    for mix in [Mix::OneSite, Mix::Mixed] {
        for (depth, pairs, bound, said) in DEPTHS {
            let mut alone = None;
            for threads in [1, 2] {
                let pairs = options.scaled(pairs);
                let workload = Pairs { mix, depth, threads, pairs, seed: options.seed };
                let [bare, unfreed, heaptrack] = costs(options, tracers, &starts, workload);
                let bare = bare.expect("always there");
                let unfreed = unfreed.expect("always there");
                let added = unfreed.nanoseconds - bare.nanoseconds;
                let theirs = heaptrack.map(|theirs| theirs.nanoseconds - bare.nanoseconds);
                let ratio = theirs.map(|theirs| added / theirs);
                let scaling = alone.map(|alone: f64| added / alone);
                alone.get_or_insert(added);
                table.row(&[
                    mix.to_string(),
                    depth.to_string(),
                    threads.to_string(),
                    format!("{:.0}", bare.nanoseconds),
                    format!("{added:.0}"),
                    theirs.map_or_else(none, |theirs| format!("{theirs:.0}")),
                    ratio.map_or_else(none, |ratio| format!("{ratio:.2}")),
                    ratio.map_or_else(none, |ratio| judged(unfreed, at_most(ratio, bound, said))),
                    scaling.map_or_else(none, |scaling| format!("{scaling:.2}")),
                    scaling
                        .map_or_else(none, |scaling| judged(unfreed, at_most(scaling, NOISE, "1"))),
                    format!("{:.0}", unfreed.beside - bare.beside),
                    heaptrack.map_or_else(none, |it| format!("{:.0}", it.beside - bare.beside)),
                    format!("{:.1} %", unfreed.lost * 100.0),
                ]);
                eprintln!("  {mix} depth {depth} threads {threads}");
            }
        }
    }
    format!(
        "### Added to a pair of malloc and free\n\n{}\n\n{}\n{}",
        "Per pair. one-site: one function allocates, below one that calls itself; freed at once. \
         mixed: 1,024 functions in pseudo-random turn, below frames that all differ; 30 % of frees \
         by another thread, 10 % of blocks never freed. The depth counts the program's own frames \
         below its thread's start; each pair goes down and comes back. The collector is what ran \
         beside the program, its start not counted; lost is the share of allocations and frees that \
         found a full ring. Two threads against one: 5 % are allowed for noise.",
        table.finish(),
        sampling(options, tracers),
    )
}

/// A tracer that dropped much did less than it was to do, and is not judged.
fn judged(unfreed: Cost, judgement: String) -> String {
    if unfreed.lost > MOST_LOST { "not judged: too much lost".to_owned() } else { judgement }
}

/// Processor seconds that each tracer takes for a program that allocates next to nothing.
fn starts(options: &Options, tracers: &Tracers) -> Vec<(Tracer, f64)> {
    let nothing =
        Pairs { mix: Mix::OneSite, depth: 4, threads: 1, pairs: 0, seed: options.seed }.program();
    let present = tracers.present(&ALL);
    let runs = in_turns(options.rounds(), &present, |tracer| nothing.run(tracer, tracers));
    present.into_iter().zip(runs.iter().map(|runs| median(runs, Run::beside))).collect()
}

/// Median costs under each tracer; `None` for one that is not here.
fn costs(
    options: &Options,
    tracers: &Tracers,
    starts: &[(Tracer, f64)],
    workload: Pairs,
) -> [Option<Cost>; 3] {
    let present = tracers.present(&ALL);
    let program = workload.program();
    let runs = in_turns(options.rounds(), &present, |tracer| program.run(tracer, tracers));
    ALL.map(|tracer| {
        let index = present.iter().position(|other| *other == tracer)?;
        let start = starts.iter().find(|(other, _)| *other == tracer)?.1;
        Some(cost(&runs[index], start, workload))
    })
}

/// `start` is what the tracer needs to start and to end, in seconds.
fn cost(runs: &[Run], start: f64, workload: Pairs) -> Cost {
    let pairs = runs[0].count("pairs");
    Cost {
        nanoseconds: median(runs, |run| run.count("thread_ns")) / pairs,
        beside: (median(runs, Run::beside) - start) * 1e9 / workload.traced(),
        lost: median(runs, |run| {
            run.recorded.map_or(0.0, |trace| {
                let kept = (trace.allocations + trace.frees) as f64;
                trace.lost as f64 / (kept + trace.lost as f64).max(1.0)
            })
        }),
    }
}

/// What a pair costs where one allocation in so many bytes is looked at.
fn sampling(options: &Options, tracers: &Tracers) -> String {
    let title = format!("`--sample {SAMPLE}`");
    if !tracers.sampling {
        return format!("{title}: not supported by this build.\n");
    }
    let present = [Tracer::Bare, Tracer::Sampling];
    let mut table = Table::new(&["mix", "depth", "bare, ns", &format!("{title} adds, ns")]);
    for mix in [Mix::OneSite, Mix::Mixed] {
        let pairs = options.scaled(400_000);
        let workload = Pairs { mix, depth: 16, threads: 1, pairs, seed: options.seed };
        let program = workload.program();
        let runs = in_turns(options.rounds(), &present, |tracer| program.run(tracer, tracers));
        let per_pair =
            |runs: &[Run]| median(runs, |run| run.count("thread_ns") / run.count("pairs"));
        let (bare, sampled) = (per_pair(&runs[0]), per_pair(&runs[1]));
        table.row(&[
            mix.to_string(),
            "16".to_owned(),
            format!("{bare:.0}"),
            format!("{:.1}", sampled - bare),
        ]);
    }
    table.finish()
}
