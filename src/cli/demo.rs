//! `unfreed demo`: the whole tour on an example, without privileges: a program that leaks is
//! traced, judged, and its fix is shown; then the fixed one, and the difference. Everything that
//! is shown is measured as it is shown; where it is not what it should be, the tour fails.

mod guide;
#[cfg(not(unfreed_agent))]
#[path = "demo/no_programs.rs"]
mod programs;
#[cfg(unfreed_agent)]
mod programs;
mod visit;

use clap::Args as ClapArgs;
use serde::Serialize;
use unfreed::fixes::Status;
use unfreed::names::{Namer, Store, StoreOptions};
use unfreed::report::diff::{self, DiffReport, compare};
use unfreed::report::model::{Report, SCHEMA};
use unfreed::report::{json, text};

use super::Outcome;
use super::doctor;
use super::fail::{Failure, Told};
use super::options::Form;
use super::output::Io;
use guide::Guide;
use programs::Files;
use visit::{Visit, catalogue};

/// What the verb is given.
#[derive(Debug, ClapArgs)]
#[command(after_help = "Exit codes: 0 the tour showed what it should; 2 it could not.")]
pub struct Args {
    #[command(flatten)]
    form: Form,
}

/// The result, as its JSON has it.
#[derive(Debug, Serialize)]
struct Tour<'a> {
    schema: u32,
    before: &'a Report,
    after: &'a Report,
    diff: &'a DiffReport,
}

const LEAK: &str = "`courier` stands for a mail server: in 3 seconds it hands 6,000 messages to \
                    its archive plug-in, libcourier-archive.so 1.2.0. Both are made up, and so is \
                    the fix; all else is measured now. What you would type: `unfreed run -- \
                    courier libcourier-archive.so`";
const FIX: &str = "Now the plug-in is 1.2.1, the version that has the fix. All else is as before.";
const DIFFERENCE: &str = "The same sites in both runs, as `unfreed diff BEFORE AFTER` compares \
                          two recordings.";

/// Shows the tour.
pub fn run(args: &Args, io: &Io) -> Result<Outcome, Failure> {
    tour(&args.form, io).map_err(|failure| {
        let obstacles = doctor::obstacles();
        if obstacles.is_empty() {
            return failure;
        }
        failure.advise(format!("`unfreed doctor` says: {}", obstacles.join(" ")))
    })?;
    Ok(Outcome::Clear)
}

fn tour(form: &Form, io: &Io) -> Result<(), Failure> {
    form.check()?;
    let mut guide = Guide::new(form, io);
    let files = Files::write()?;
    let catalogue = catalogue()?;
    // The programs bring their names along; no server is asked for those of the system.
    let mut namer = Namer::new(Store::new(StoreOptions::default()));

    guide.step("1 of 3: a program leaks", LEAK)?;
    guide.progress("Tracing the leaking program for 3 s ...");
    let before = Visit::run(&files, "1.2.0", &catalogue, &mut namer)?;
    guide.show(&text::render(&before.report, guide.style()))?;

    guide.step("2 of 3: the fix is installed", FIX)?;
    guide.progress("Tracing the fixed program for 3 s ...");
    let after = Visit::run(&files, "1.2.1", &catalogue, &mut namer)?;
    guide.show(&text::render(&after.report, guide.style()))?;

    guide.step("3 of 3: did it help?", DIFFERENCE)?;
    let before_sites = before.sites(&after, &mut namer);
    let after_sites = after.sites(&before, &mut namer);
    let (before, after) = (&before.report, &after.report);
    let diff = compare(before, &before_sites, after, &after_sites);
    guide.show(&text::render_diff(&diff, guide.style()))?;

    let wrong = wrong(before, after, &diff);
    if wrong.is_none() {
        guide.farewell()?;
    }
    let rendered = json::render(&Tour { schema: SCHEMA, before, after, diff: &diff })
        .told(|| "cannot write the tour as JSON".to_owned())?;
    guide.finish(&rendered)?;
    match wrong {
        None => Ok(()),
        Some(wrong) => Err(Failure::new(format!("this is not what the tour should show: {wrong}"))
            .advise(
                "run it again while the machine is less busy; if it stays so, please report it \
                 with the output of `unfreed demo --json`",
            )),
    }
}

/// What is not as it should be.
fn wrong(before: &Report, after: &Report, diff: &DiffReport) -> Option<&'static str> {
    let [suspect] = before.suspects.as_slice() else {
        return Some("the leaking program does not have exactly one suspect");
    };
    if suspect.function != "archive_remember_sender"
        || suspect.module.name != "libcourier-archive.so"
        || suspect.module.version.as_deref() != Some("1.2.0")
    {
        return Some("the leak is not blamed on the plug-in's function");
    }
    if suspect.fixes.first().is_none_or(|fix| fix.status != Status::Applies) {
        return Some("the fix does not apply to the leak");
    }
    if !after.suspects.is_empty() {
        return Some("the fixed program still has a suspect");
    }
    let outcomes: Vec<_> = diff.changes.iter().map(|change| change.outcome).collect();
    if outcomes != [diff::Outcome::Fixed] {
        return Some("the leak is not said to be fixed");
    }
    None
}
