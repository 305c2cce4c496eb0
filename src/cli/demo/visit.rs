//! One run of the courier under the agent, judged and named, as `unfreed run` does it: the same
//! collector, ledger, verdict and report. Only the catalogue has one entry more.

use std::io::{Read, Seek};
use std::path::Path;

use unfreed::event::Exit;
use unfreed::fixes::{Catalogue, match_suspect};
use unfreed::ledger::Ledger;
use unfreed::names::Namer;
use unfreed::report::diff::{Site, sites};
use unfreed::report::model::Report;
use unfreed::report::{Material, assemble};
use unfreed::verdict::{Assessment, DEFAULT_MIN_CONFIDENCE, judge};

use super::programs::{DELIVERED, Files};
use crate::cli::fail::{Failure, Told};
use crate::cli::watch::Watch;

/// The made-up fix of the made-up plug-in; nothing but the demo knows it.
const ENTRY: &str = include_str!("../../../demo/DEMO-ARCHIVE-1.toml");

/// The catalogue of fixes, and the demo's own.
pub fn catalogue() -> Result<Catalogue, Failure> {
    let doing = || "the embedded fixes".to_owned();
    let mut catalogue = Catalogue::embedded().told(doing)?;
    let entry = Catalogue::parse_entry(ENTRY, Path::new("demo/DEMO-ARCHIVE-1.toml")).told(doing)?;
    catalogue.insert(entry);
    Ok(catalogue)
}

/// One run, judged.
pub struct Visit {
    ledger: Ledger,
    assessment: Assessment,
    /// What was found.
    pub report: Report,
}

impl Visit {
    /// Runs the courier with a version of its plug-in, which takes 3 seconds.
    pub fn run(
        files: &Files,
        version: &str,
        catalogue: &Catalogue,
        namer: &mut Namer,
    ) -> Result<Visit, Failure> {
        let doing = || "cannot read what the courier said".to_owned();
        let mut said = files.said()?;
        let watch = Watch::prepare(&files.command(version))?.stdout(said.try_clone().told(doing)?);
        let header = watch.header();
        let mut ledger = Ledger::default();
        watch.run(None, Some(&mut ledger), &mut |_| {})?;
        let assessment = judge(&ledger);
        let material = Material {
            header: &header,
            ledger: &ledger,
            assessment: &assessment,
            faults: &[],
            parts: &[],
            min_confidence: DEFAULT_MIN_CONFIDENCE,
        };
        let report = assemble(material, namer, &|evidence| match_suspect(catalogue, evidence));
        let mut text = String::new();
        said.rewind().told(doing)?;
        said.read_to_string(&mut text).told(doing)?;
        ended_well(&report, text.trim())?;
        Ok(Visit { ledger, assessment, report })
    }

    /// Its sites that can be compared with another run's suspects.
    pub fn sites(&self, other: &Visit, namer: &mut Namer) -> Vec<Site> {
        sites(&self.ledger, &self.assessment, &self.report, &other.report, namer)
    }
}

fn ended_well(report: &Report, said: &str) -> Result<(), Failure> {
    let ends: Vec<_> = report.target.iter().map(|target| target.exit).collect();
    if ends == [Exit::Status(0)] && said == DELIVERED {
        return Ok(());
    }
    let what = format!(
        "the demo's courier did not get to its end ({ends:?}; it said \"{said}\", not \
         \"{DELIVERED}\")"
    );
    Err(Failure::new(what).advise("run the demo again, and let each of its two runs take its time"))
}
