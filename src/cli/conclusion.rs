//! From a ledger to a report to the user: judge, name, match, render, deliver. Every verb that
//! ends in a report ends here, so that live and recorded give the same.

use unfreed::fixes::match_suspect;
use unfreed::ledger::Ledger;
use unfreed::names::{Namer, Store, StoreOptions};
use unfreed::read::Fault;
use unfreed::read::trace::Header;
use unfreed::report::model::Report;
use unfreed::report::text::page::{name, words};
use unfreed::report::{Material, assemble, json, text};
use unfreed::verdict::{Assessment, DEFAULT_MIN_CONFIDENCE, judge};

use super::Outcome;
use super::catalogue;
use super::fail::{Failure, Told};
use super::options::{Analysis, Form};
use super::output::{Io, deliver};

/// A namer that looks for symbols where the user and the environment say.
pub fn namer(analysis: &Analysis) -> Namer {
    Namer::new(Store::new(StoreOptions::from_environment(analysis.symbols.clone())))
}

/// The least confidence at which a site is a suspect.
pub fn min_confidence(analysis: &Analysis) -> f64 {
    analysis.min_confidence.unwrap_or(DEFAULT_MIN_CONFIDENCE)
}

/// Makes the report of what was traced, and the judgement it rests on.
pub fn report(
    header: &Header,
    ledger: &Ledger,
    faults: &[Fault],
    analysis: &Analysis,
    namer: &mut Namer,
) -> Result<(Report, Assessment), Failure> {
    let catalogue = catalogue::open(&analysis.fixes)?;
    let assessment = judge(ledger);
    let min_confidence = min_confidence(analysis);
    let material = Material { header, ledger, assessment: &assessment, faults, min_confidence };
    let report = assemble(material, namer, &|evidence| match_suspect(&catalogue, evidence));
    Ok((report, assessment))
}

/// Renders and delivers a report; says whether there are suspects.
pub fn conclude(report: &Report, form: &Form, io: &Io) -> Result<Outcome, Failure> {
    let rendered = if form.json {
        json::render(report).told(|| "cannot write the report as JSON".to_owned())?
    } else {
        text::render(report, form.style(io))
    };
    deliver(rendered.as_bytes(), form.output.as_deref())?;
    Ok(if report.suspects.is_empty() { Outcome::Clear } else { Outcome::Suspects })
}

/// Tells what may explain missing names, where the user asked for more.
pub fn tell_notices(namer: &Namer, form: &Form, io: &Io) {
    if !form.verbose {
        return;
    }
    for notice in namer.notices() {
        io.tell(&[words("symbols: "), name(notice.place), words(": "), words(notice.what)]);
    }
}
