//! From a ledger to a report to the user: judge, name, match, render, deliver. Every verb that
//! ends in a report ends here, so that live and recorded give the same.

use unfreed::fixes::changelog::Changelogs;
use unfreed::fixes::version::Version;
use unfreed::fixes::{Catalogue, lacking, match_crash, match_suspect};
use unfreed::ledger::Ledger;
use unfreed::names::{Namer, Store, StoreOptions};
use unfreed::read::Fault;
use unfreed::read::case::PartSeen;
use unfreed::read::trace::Header;
use unfreed::report::model::{Lacking, Report};
use unfreed::report::text::page::{name, words};
use unfreed::report::{Material, assemble, crashes, inventory, json, text};
use unfreed::verdict::{Assessment, DEFAULT_MIN_CONFIDENCE, judge};

use super::Outcome;
use super::catalogue;
use super::changelogs;
use super::fail::{Failure, Told};
use super::options::{Analysis, Form};
use super::output::{Io, deliver};

/// Everything that turns a ledger into a report: made before a program is watched, so that what is
/// wrong with it is told before anything is lost.
pub struct Analyst {
    catalogue: Catalogue,
    /// As the user gave them, and those read here since.
    changelogs: Changelogs,
    /// The least confidence of a suspect.
    pub min_confidence: f64,
    /// Names what survives.
    pub namer: Namer,
}

impl Analyst {
    /// An analyst with the catalogue, bound and symbols that the user wants.
    pub fn prepare(analysis: &Analysis) -> Result<Analyst, Failure> {
        let mut catalogue = catalogue::open(&analysis.fixes)?;
        let changelogs = changelogs::given(&analysis.changelog)?;
        catalogue.set_changelogs(changelogs.clone());
        Ok(Analyst {
            catalogue,
            changelogs,
            min_confidence: min_confidence(analysis),
            namer: namer(analysis),
        })
    }

    /// Makes the report of what was traced, and the judgement it rests on.
    pub fn report(
        &mut self,
        header: &Header,
        ledger: &Ledger,
        faults: &[Fault],
        parts: &[PartSeen],
    ) -> (Report, Assessment) {
        let Analyst { catalogue, changelogs, min_confidence, namer } = self;
        // The dashboard judges again and again: a file is read once.
        if changelogs::add_installed(changelogs, ledger, catalogue) {
            catalogue.set_changelogs(changelogs.clone());
        }
        let assessment = judge(ledger);
        let material = Material {
            header,
            ledger,
            assessment: &assessment,
            faults,
            parts,
            min_confidence: *min_confidence,
        };
        let report = assemble(material, namer, &|evidence| match_suspect(catalogue, evidence));
        let crashes = crashes(ledger, namer, &|crash| match_crash(catalogue, crash));
        let modules = inventory(ledger, &|module, facts| {
            let lacking = lacking(catalogue, module, facts).into_iter();
            let named = |(fix, version): (&str, &Version)| Lacking {
                fix: fix.to_owned(),
                version: version.to_string(),
            };
            lacking.map(named).collect()
        });
        let report = Report { crashes, modules, ..report };
        (report, assessment)
    }
}

/// A namer that looks for symbols where the user and the environment say.
pub fn namer(analysis: &Analysis) -> Namer {
    let options = StoreOptions::from_environment(analysis.symbols.clone());
    Namer::new(Store::new(options.downloading(analysis.download_symbols)))
}

/// The least confidence at which a site is a suspect.
pub fn min_confidence(analysis: &Analysis) -> f64 {
    analysis.min_confidence.unwrap_or(DEFAULT_MIN_CONFIDENCE)
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
