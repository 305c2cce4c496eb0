//! `unfreed diff`: holds two traces against each other. Is the fix working?

use std::path::{Path, PathBuf};

use clap::Args as ClapArgs;
use unfreed::names::Namer;
use unfreed::report::diff::{DiffReport, Site, compare, sites};
use unfreed::report::model::Report;
use unfreed::report::{json, text};
use unfreed::verdict::Assessment;

use super::Outcome;
use super::conclusion::{Analyst, tell_notices};
use super::fail::{Failure, Told};
use super::options::{Analysis, Form};
use super::output::{Io, deliver};
use super::progress::silence_if;
use super::recording::{self, Recording};

/// What the verb is given.
#[derive(Debug, ClapArgs)]
#[command(
    after_help = "Take both traces under the same load, or mark the load with `unfreed mark \
                        --count`. Exit codes: 0 no suspect in AFTER; 1 at least one; 2 it could \
                        not be done. 0 is also the exit code where AFTER could not have shown one: \
                        in the JSON `after.smallest_detectable_bytes_per_s` is then null, and \
                        outcomes are `undecided`."
)]
pub struct Args {
    /// The earlier trace
    before: PathBuf,
    /// The later trace
    after: PathBuf,
    #[command(flatten)]
    analysis: Analysis,
    #[command(flatten)]
    form: Form,
}

/// Compares two recordings.
pub fn run(args: &Args, io: &Io) -> Result<Outcome, Failure> {
    args.form.check()?;
    silence_if(args.form.quiet);
    let mut analyst = Analyst::prepare(&args.analysis)?;
    let before = Side::read(&args.before, &mut analyst)?;
    let after = Side::read(&args.after, &mut analyst)?;
    let diff = held_against(&before, &after, &mut analyst.namer);
    tell_notices(&analyst.namer, &args.form, io);
    let rendered = if args.form.json {
        json::render(&diff).told(|| "cannot write the comparison as JSON".to_owned())?
    } else {
        text::render_diff(&diff, args.form.style(io))
    };
    deliver(rendered.as_bytes(), args.form.output.as_deref())?;
    Ok(if after.report.suspects.is_empty() { Outcome::Clear } else { Outcome::Suspects })
}

/// What became of the suspects from one trace to the other.
pub fn held_against(before: &Side, after: &Side, namer: &mut Namer) -> DiffReport {
    let before_sites = before.sites(&after.report, namer);
    let after_sites = after.sites(&before.report, namer);
    compare(&before.report, &before_sites, &after.report, &after_sites)
}

/// One of the two traces.
pub struct Side {
    /// What was read.
    pub recording: Recording,
    /// What it says.
    pub report: Report,
    /// What that rests on.
    pub assessment: Assessment,
}

impl Side {
    /// Reads it and judges.
    pub fn read(path: &Path, analyst: &mut Analyst) -> Result<Self, Failure> {
        Ok(Side::of(recording::read(path)?, analyst))
    }

    /// Judges what was read.
    pub fn of(recording: Recording, analyst: &mut Analyst) -> Self {
        let Recording { header, ledger, faults, parts } = &recording;
        let (report, assessment) = analyst.report(header, ledger, faults, parts);
        Side { recording, report, assessment }
    }

    /// Its sites that can be compared with another trace's suspects.
    fn sites(&self, other: &Report, namer: &mut Namer) -> Vec<Site> {
        sites(&self.recording.ledger, &self.assessment, &self.report, other, namer)
    }
}
