//! unfreed, as `unfreed record` and `unfreed analyze --json` have it, and in looks at the same recording while the
//! program runs; and the age rule on the same events.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use unfreed::event::{ProcessId, StackId, What};
use unfreed::ledger::Ledger;
use unfreed::names::{Namer, Store, StoreOptions};
use unfreed::read::trace::{Header, Reader};
use unfreed::report::{Material, assemble};
use unfreed::verdict::{Assessment, DEFAULT_MIN_CONFIDENCE, Verdict, judge};

use crate::age::{self, Ages};
use crate::named::{Named, Row, Rows};
use crate::programs::{Run, plain};

const UNFREED: &str = env!("CARGO_BIN_EXE_unfreed");
/// Seconds between two looks, as between two of memleak's prints.
const EVERY: f64 = 5.0;

/// Runs it, and looks.
pub fn run(run: &Run) -> Rows {
    let directory = tempfile::tempdir().unwrap();
    let trace = directory.path().join("trace");
    let words = [UNFREED, "record", "--quiet", "--output", trace.to_str().unwrap(), "--"];
    run.under(&words.map(Into::into), &plain()).expect_code(0);
    let looks = looks(&trace, run.seconds as f64);
    let last = |rule: usize| looks.last().map(|look| look[rule].clone()).unwrap_or_default();
    let any = |rule: usize| {
        looks.iter().map(|look| look[rule].clone()).fold(Named::default(), Named::and)
    };
    vec![
        (Row::of("unfreed, in the end", "unfreed"), analyzed(&trace)),
        (Row::beside("unfreed, while it runs, the last of looks every 5 s"), last(0)),
        (Row::beside("unfreed, while it runs, at any of these looks"), any(0)),
        (
            Row::of(
                "age rule, memleak's defaults: the ten largest older than 0.5 s, the last print",
                "age rule",
            ),
            last(1),
        ),
        (Row::beside("age rule, memleak's defaults, at any print"), any(1)),
        (Row::beside("age rule, all older than 5 s, the last print"), last(2)),
    ]
}

fn analyzed(trace: &Path) -> Named {
    let done = Command::new(UNFREED).args(["analyze", "--json"]).arg(trace).output().unwrap();
    let report: Value = serde_json::from_slice(&done.stdout).unwrap();
    let suspects = report["suspects"].as_array().unwrap();
    let blamed = suspects.iter().map(|suspect| vec![suspect["function"].as_str().unwrap()]);
    Named::of_stacks(blamed)
}

/// What the judge, and each age rule, name every five seconds, as long as the program serves.
fn looks(trace: &Path, until: f64) -> Vec<[Named; 3]> {
    let mut reader = Reader::new(File::open(trace).unwrap()).unwrap();
    let header = reader.header().clone();
    let mut namer = Namer::new(Store::new(StoreOptions::from_environment(Vec::new())));
    let (mut ledger, mut ages, mut events) = (Ledger::default(), Ages::default(), Vec::new());
    let mut looks = Vec::new();
    while reader.next_chunk(&mut events).unwrap() {
        for event in &events {
            ledger.apply(event);
            ages.apply(event);
            let now = event.time.seconds();
            let due = now >= EVERY * (looks.len() + 1) as f64 && now < until;
            if event.what == What::Epoch && due {
                let judged = judge(&ledger);
                let suspects = judged.suspects(DEFAULT_MIN_CONFIDENCE);
                let suspects = suspects.iter().map(|site| (site.process, site.stack)).collect();
                let by_age =
                    [age::MEMLEAK, age::FIVE_SECONDS].map(|rule| ages.named(event.time, rule));
                let mut name = |sites| name(&header, &ledger, &judged, &mut namer, sites);
                looks.push([name(suspects), name(by_age[0].clone()), name(by_age[1].clone())]);
            }
        }
    }
    assert!(reader.faults().is_empty(), "{:?}", reader.faults());
    looks
}

/// The functions of these sites. The report names suspects: so each is made one.
fn name(
    header: &Header,
    ledger: &Ledger,
    judged: &Assessment,
    namer: &mut Namer,
    sites: Vec<(ProcessId, StackId)>,
) -> Named {
    let all: BTreeMap<_, _> =
        judged.sites.iter().map(|site| ((site.process, site.stack), site)).collect();
    let mut assessment = Assessment::default();
    for site in sites {
        let mut site = (*all.get(&site).expect("a site of the ledger")).clone();
        (site.verdict, site.confidence) = (Verdict::Growth, 1.0);
        assessment.sites.push(site);
    }
    let assessment = &assessment;
    let material =
        Material { header, ledger, assessment, faults: &[], parts: &[], min_confidence: 1.0 };
    let report = assemble(material, namer, &|_| Vec::new());
    let stack = |suspect: &unfreed::report::model::Suspect| {
        suspect.stack.iter().filter_map(|frame| frame.function.clone()).collect::<Vec<_>>()
    };
    Named::of_stacks(report.suspects.iter().map(stack))
}
