//! `unfreed doctor`: what can be captured here, and what to do about what cannot. The machine is
//! read once, into [`machine::Machine`]; what that means is decided by pure checks.

mod checks;
mod machine;
mod repair;

use std::ffi::OsString;

use clap::Args as ClapArgs;
use serde::Serialize;
use unfreed::report::json;
use unfreed::report::text::page::{Ink, Page, words};
use unfreed::report::text::style::{Detail, Style};

use super::Outcome;
use super::fail::{Failure, Told};
use super::options::Form;
use super::output::{Io, deliver};
use checks::{Check, State};

/// What the verb is given.
#[derive(Debug, ClapArgs)]
#[command(after_help = "Exit codes: 0 programs can be traced here (and CMD, if given); 1 they \
                        cannot; 2 it could not be found out.")]
pub struct Args {
    #[command(flatten)]
    form: Form,
    /// Put back what an unfreed that was killed left behind (Windows: tracing sessions, and programs' tracing flags in the
    /// registry)
    #[arg(long, conflicts_with = "command")]
    repair: bool,
    /// A program that is to be traced: can it be?
    #[arg(last = true, value_name = "CMD")]
    command: Vec<OsString>,
}

/// The result, as its JSON has it.
#[derive(Debug, Serialize)]
struct Diagnosis {
    schema: u32,
    can_capture: bool,
    checks: Vec<Check>,
}

/// Checks this machine.
pub fn run(args: &Args, io: &Io) -> Result<Outcome, Failure> {
    if args.repair {
        return repair::run(&args.form, io);
    }
    let machine = machine::Machine::read(args.command.first());
    let checks = checks::all(&machine);
    let can_capture = checks.iter().all(|check| check.state != State::Missing);
    let diagnosis = Diagnosis { schema: unfreed::report::model::SCHEMA, can_capture, checks };
    let text = if args.form.json {
        json::render(&diagnosis).told(|| "cannot write the result as JSON".to_owned())?
    } else {
        render(&diagnosis, args.form.style(io))
    };
    deliver(text.as_bytes(), args.form.output.as_deref())?;
    Ok(if can_capture { Outcome::Clear } else { Outcome::Suspects })
}

/// What keeps programs from being traced on this machine, and what to do, in words.
pub fn obstacles() -> Vec<String> {
    checks::all(&machine::Machine::read(None))
        .into_iter()
        .filter(|check| check.state == State::Missing)
        .map(|check| {
            let advice = check.advice.unwrap_or_default();
            format!("{}: {}. {advice}", check.title, check.found)
        })
        .collect()
}

/// What this machine is.
pub struct Environment(Diagnosis);

impl Environment {
    /// Looks at it.
    pub fn look() -> Self {
        let checks = checks::all(&machine::Machine::read(None));
        let can_capture = checks.iter().all(|check| check.state != State::Missing);
        let schema = unfreed::report::model::SCHEMA;
        Environment(Diagnosis { schema, can_capture, checks })
    }

    /// The texts of it that were found here.
    pub fn texts(&mut self) -> impl Iterator<Item = &mut String> {
        let checks = self.0.checks.iter_mut();
        checks.flat_map(|check| std::iter::once(&mut check.found).chain(check.advice.as_mut()))
    }

    /// All of it, in words.
    pub fn render(&self) -> String {
        render(&self.0, Style { detail: Detail::Full, ..Style::default() })
    }
}

fn render(diagnosis: &Diagnosis, style: Style) -> String {
    let mut page = Page::new(style);
    let (says, ink) = if diagnosis.can_capture && cfg!(windows) {
        ("Programs can be traced here, as an administrator, with `unfreed run -- CMD`.", Ink::Good)
    } else if diagnosis.can_capture {
        ("Programs can be traced here with `unfreed run -- CMD`, without privileges.", Ink::Good)
    } else {
        (
            "Programs cannot be traced here as things are; see what is marked \"missing\".",
            Ink::Alarm,
        )
    };
    page.paragraph(0, &[words(says).ink(ink)]);
    page.gap();
    for check in &diagnosis.checks {
        let fine = check.state == State::Ok;
        if fine && style.detail == Detail::Brief {
            continue;
        }
        let (state, ink) = match check.state {
            State::Ok => ("ok", Ink::Good),
            State::Limited => ("limited", Ink::Warning),
            State::Missing => ("missing", Ink::Alarm),
            State::Unknown => ("unknown", Ink::Warning),
        };
        let found = [words(check.title), words(": "), words(check.found.as_str())];
        page.row_inked(0, 10, words(state).ink(ink), &found);
        if let Some(advice) = &check.advice {
            page.paragraph(10, &[words(advice.as_str())]);
        }
    }
    page.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reasons are whole sentences: none of their words may be left out.
    #[test]
    fn what_was_found_is_told_whole() {
        let found = "one reason and another, ".repeat(8) + "\u{1b}[31m";
        let state = State::Limited;
        let check = Check { id: "id", title: "Title", state, found: found.clone(), advice: None };
        let diagnosis = Diagnosis { schema: 1, can_capture: true, checks: vec![check] };
        let told = render(&diagnosis, Style::default());
        let told = told.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(told.ends_with(&found.replace('\u{1b}', "\\u{1b}")), "{told}");
    }
}
