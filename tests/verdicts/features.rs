//! All that counts tell of the subjects of the kinds, as lines of JSON: what `benches/verdict_bound.py` fits
//! classifiers to, to learn how well anything could do that sees no more than the judge.

use std::cell::RefCell;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::rc::Rc;

use serde_json::{Value, json};
use unfreed::ledger::Ledger;
use unfreed::verdict::{Judged, judge};

use crate::behaviours::Truth;
use crate::behaviours::kinds::Kind;
use crate::look::{Look, TIMES};

/// Shares of the freed blocks by whose lifetimes their distribution is told.
const QUANTILES: [f64; 5] = [0.1, 0.5, 0.9, 0.99, 1.0];

/// 120 seeds each: of kinds set aside others than of open ones. Of the former nobody looks at more than
/// what the script sums up.
#[test]
#[ignore = "writes the looks to the file that UNFREED_LOOKS names"]
fn looks_as_json() {
    let path = std::env::var_os("UNFREED_LOOKS").expect("UNFREED_LOOKS names a file to be written");
    let into = Rc::new(RefCell::new(BufWriter::new(File::create(path).unwrap())));
    let parts: [(&str, u64, Vec<&'static Kind>); 2] =
        [("open", 0, Kind::open().collect()), ("set aside", 1000, Kind::set_aside().collect())];
    for (part, first, kinds) in parts {
        for (kind, seed) in
            kinds.iter().flat_map(|kind| (first..first + 120).map(move |s| (*kind, s)))
        {
            let into = Rc::clone(&into);
            let mut world = kind.world(seed);
            world.watch(move |ledger, truth| {
                let at = ledger.now().seconds() as u64;
                if let Some(line) =
                    TIMES.contains(&at).then(|| features(kind, seed, ledger, truth)).flatten()
                {
                    writeln!(into.borrow_mut(), "{}", with(line, part, kind, seed, at)).unwrap();
                }
            });
            kind.behave(&mut world);
            world.finish();
        }
    }
    into.borrow_mut().flush().unwrap();
}

fn with(mut line: Value, part: &str, kind: &Kind, seed: u64, at: u64) -> Value {
    line["part"] = part.into();
    line["kind"] = kind.name.into();
    line["label"] = format!("{:?}", kind.label).into();
    line["seed"] = seed.into();
    line["at"] = at.into();
    line
}

/// Of the subject with the most live blocks; `None` where it has none yet.
fn features(kind: &'static Kind, seed: u64, ledger: &Ledger, truth: &Truth) -> Option<Value> {
    let look = Look::new(kind, seed, ledger.now().seconds() as u64, ledger, truth);
    let assessment = judge(ledger);
    let subjects = || assessment.sites.iter().filter(|of| truth.subjects.contains(&of.stack));
    let live = |of: &Judged| ledger.site(of.site).map_or(0, |site| site.live_blocks);
    let judged = subjects().max_by_key(|of| live(of))?;
    let site = ledger.site(judged.site)?;
    let cohorts = ledger.cohorts(site);
    let activity = ledger.activity(ledger.image(site.process)?);
    let lived = |share: &f64| site.lifetimes.quantile(*share).map(|time| time.seconds());
    let evidence: Value =
        judged.evidence.iter().map(|of| (of.fact.to_owned(), json!(of.value))).collect();
    let series =
        |of: fn(&unfreed::ledger::Cohort) -> u64| cohorts.iter().map(of).collect::<Vec<_>>();
    Some(json!({
        "accumulated": look.accumulated,
        "stated": look.suspects.iter().map(|(confidence, _)| *confidence).fold(0.0, f64::max),
        "said": format!("{:?}", look.said),
        "evidence": evidence,
        "live": site.live_blocks,
        "peak": site.peak_blocks,
        "free_runs": site.free_runs,
        "mean_size": site.allocated_bytes as f64 / site.allocations.max(1) as f64,
        "sites": subjects().count(),
        "lifetimes": QUANTILES.iter().map(lived).collect::<Vec<_>>(),
        "born": series(|c| c.born),
        "alive": series(|c| c.alive),
        "died": series(|c| c.died),
        "low": series(|c| c.low),
        "work": activity.iter().map(|of| of.allocations).collect::<Vec<_>>(),
    }))
}
