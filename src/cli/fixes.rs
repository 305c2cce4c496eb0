//! `unfreed fixes`: the catalogue of published fixes: what is in it, one entry whole, which entries
//! match a trace and why, and what is wrong with a directory of one's own.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use clap::{Args as ClapArgs, Subcommand};
use serde::Serialize;
use unfreed::fixes::entry::{Entry, Kind};
use unfreed::fixes::{Match, check, draft, explain, list, match_crash, show};
use unfreed::report::model::{Report, SCHEMA, Uncertainty};
use unfreed::report::text::named;
use unfreed::report::text::page::{Ink, Page, name, words};
use unfreed::report::text::style::{Detail, Style};
use unfreed::report::text::units::count_about;
use unfreed::report::text::{safe, write_dismissed_fix, write_fix, write_nothing};
use unfreed::report::{Material, Ran, assemble, crashes, json, ran};
use unfreed::verdict::judge;

use super::Outcome;
use super::catalogue;
use super::changelogs;
use super::conclusion::{min_confidence, namer, tell_notices};
use super::fail::{Failure, Told};
use super::options::{Analysis, Form};
use super::output::{Io, deliver};
use super::recording;

/// What the verb is given.
#[derive(Debug, ClapArgs)]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Every fix: id and title
    List {
        /// Take in the fixes in DIR too (may be given several times)
        #[arg(long, value_name = "DIR")]
        fixes: Vec<PathBuf>,
        #[command(flatten)]
        form: Form,
    },
    /// One fix, whole
    Show {
        /// Its id, as `list` gives it
        id: String,
        /// Take in the fixes in DIR too (may be given several times)
        #[arg(long, value_name = "DIR")]
        fixes: Vec<PathBuf>,
        #[command(flatten)]
        form: Form,
    },
    /// Every fix held against every suspect of a trace, and against what ran and is none, with
    /// the reason for each clause
    Match {
        /// A trace, as `unfreed record` writes it
        file: PathBuf,
        #[command(flatten)]
        analysis: Analysis,
        #[command(flatten)]
        form: Form,
    },
    /// What is wrong with the entries in a directory
    Check {
        /// The directory
        directory: PathBuf,
        #[command(flatten)]
        form: Form,
    },
    /// A draft of an entry from a saved knowledge base article; what was not understood is left as comments
    Draft {
        /// The article, as plain text
        article: PathBuf,
        /// Write the draft to FILE; it is to be named `<id>.toml`
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
}

/// One fix, as the JSON of the list has it.
#[derive(Debug, Serialize)]
struct Fix<'a> {
    id: &'a str,
    title: &'a str,
    kind: Kind,
    symptom: &'a str,
    cause: &'a str,
    applies_to: &'a [String],
    origin: Option<String>,
}

/// Does what was asked.
pub fn run(args: &Args, io: &Io) -> Result<Outcome, Failure> {
    match &args.verb {
        Verb::List { fixes, form } => list_all(fixes, form, io),
        Verb::Show { id, fixes, form } => show_one(id, fixes, form, io),
        Verb::Match { file, analysis, form } => match_trace(file, analysis, form, io),
        Verb::Check { directory, form } => check_directory(directory, form, io),
        Verb::Draft { article, output } => draft_entry(article, output.as_deref()),
    }
}

fn list_all(fixes: &[PathBuf], form: &Form, io: &Io) -> Result<Outcome, Failure> {
    let catalogue = catalogue::open(fixes)?;
    let text = if form.json {
        let all: Vec<Fix<'_>> = catalogue.entries().map(fix).collect();
        to_json(&serde_json::json!({ "schema": SCHEMA, "fixes": all }))?
    } else {
        made_safe(&list(&catalogue, form.style(io).width))
    };
    deliver(text.as_bytes(), form.output.as_deref())?;
    Ok(Outcome::Clear)
}

fn show_one(id: &str, fixes: &[PathBuf], form: &Form, io: &Io) -> Result<Outcome, Failure> {
    let catalogue = catalogue::open(fixes)?;
    let entry = catalogue.get(id).ok_or_else(|| {
        Failure::new(format!("no fix has the id {id}"))
            .advise("`unfreed fixes list` gives every id")
    })?;
    let text = if form.json {
        to_json(&serde_json::json!({ "schema": SCHEMA, "fixes": [entry] }))?
    } else {
        made_safe(&show(entry, form.style(io).width))
    };
    deliver(text.as_bytes(), form.output.as_deref())?;
    Ok(Outcome::Clear)
}

fn match_trace(file: &Path, analysis: &Analysis, form: &Form, io: &Io) -> Result<Outcome, Failure> {
    form.check()?;
    let mut catalogue = catalogue::open(&analysis.fixes)?;
    let mut changelogs = changelogs::given(&analysis.changelog)?;
    let recording = recording::read(file)?;
    changelogs::add_installed(&mut changelogs, &recording.ledger, &catalogue);
    catalogue.set_changelogs(changelogs);
    let assessment = judge(&recording.ledger);
    let material = Material {
        header: &recording.header,
        ledger: &recording.ledger,
        assessment: &assessment,
        faults: &recording.faults,
        parts: &recording.parts,
        min_confidence: min_confidence(analysis),
    };
    let mut namer = namer(analysis);
    let report = assemble(material, &mut namer, &|evidence| explain(&catalogue, evidence));
    let crashes = crashes(&recording.ledger, &mut namer, &|crash| match_crash(&catalogue, crash));
    let report = Report { crashes, ..report };
    let ran = ran(material, &mut namer, &catalogue);
    tell_notices(&namer, form, io);
    let text = if form.json {
        #[derive(Serialize)]
        struct Held<'a> {
            function: &'a str,
            module: &'a str,
            fixes: &'a [Match],
        }
        let held: Vec<Held<'_>> = report
            .suspects
            .iter()
            .map(|s| Held { function: &s.function, module: &s.module.name, fixes: &s.fixes })
            .collect();
        let crashes = &report.crashes;
        to_json(
            &serde_json::json!({ "schema": SCHEMA, "suspects": held, "crashes": crashes, "ran": ran }),
        )?
    } else {
        matches(&report, &ran, form.style(io))
    };
    deliver(text.as_bytes(), form.output.as_deref())?;
    Ok(if report.suspects.is_empty() { Outcome::Clear } else { Outcome::Suspects })
}

fn matches(report: &Report, ran: &[Ran], style: Style) -> String {
    let mut page = Page::new(style);
    if report.suspects.is_empty() {
        write_nothing(&mut page, report);
    }
    for suspect in &report.suspects {
        page.gap();
        page.paragraph(
            0,
            &[
                name(suspect.function.as_str()).ink(Ink::Strong),
                words(" in "),
                named::module(&suspect.module.name).ink(Ink::Strong),
                words(":"),
            ],
        );
        for fix in &suspect.fixes {
            write_fix(&mut page, 2, fix, Detail::Full);
        }
    }
    for crash in &report.crashes {
        page.gap();
        let process =
            [words("Crash of "), named::process(&crash.process).ink(Ink::Strong), words(":")];
        page.paragraph(0, &process);
        for fix in &crash.fixes {
            write_fix(&mut page, 2, fix, Detail::Full);
        }
        if crash.fixes.is_empty() {
            page.paragraph(
                2,
                &[words("no fix speaks of such a crash, or something contradicts those that do")],
            );
        }
    }
    for site in ran {
        page.gap();
        page.paragraph(
            0,
            &[
                words("Ran and is no suspect: "),
                name(site.function.as_str()).ink(Ink::Strong),
                words(" in "),
                named::module(&site.module).ink(Ink::Strong),
                words(format!(
                    " ({}, {} allocated, {} alive):",
                    site.verdict,
                    ran_blocks(site.allocations, site.uncertainty.map(|of| of.allocations)),
                    count_about(
                        site.live_blocks,
                        site.uncertainty.map(|of| of.live_blocks.reach(site.live_blocks as f64)),
                    ),
                )),
            ],
        );
        for fix in &site.fixes {
            write_dismissed_fix(&mut page, 2, fix);
        }
    }
    if report.suspects.is_empty() && report.crashes.is_empty() && ran.is_empty() {
        page.paragraph(0, &[words("Nothing that a known fix is about was seen to run.")]);
    }
    page.finish()
}

fn check_directory(directory: &Path, form: &Form, io: &Io) -> Result<Outcome, Failure> {
    let problems = check(directory)
        .told(|| format!("cannot check {}", directory.display()))
        .map_err(|failure| failure.advise("name a directory of `<id>.toml` files"))?;
    let text = if form.json {
        let told: Vec<_> = problems
            .iter()
            .map(|p| serde_json::json!({ "path": p.path, "line": p.line, "text": p.text }))
            .collect();
        to_json(&serde_json::json!({ "schema": SCHEMA, "problems": told }))?
    } else {
        let mut page = Page::new(form.style(io));
        for problem in &problems {
            page.hanging(0, 2, &[words(problem.to_string())]);
        }
        if problems.is_empty() {
            page.paragraph(0, &[words("Every entry is right.").ink(Ink::Good)]);
        }
        page.finish()
    };
    deliver(text.as_bytes(), form.output.as_deref())?;
    Ok(if problems.is_empty() { Outcome::Clear } else { Outcome::Suspects })
}

fn draft_entry(article: &Path, output: Option<&Path>) -> Result<Outcome, Failure> {
    let told = || format!("cannot read {}", article.display());
    let advice = "name a saved article: plain text";
    let metadata = std::fs::metadata(article).told(told).map_err(|f| f.advise(advice))?;
    if !metadata.is_file() {
        return Err(Failure::new(format!("{} is no file", article.display())).advise(advice));
    }
    let mut bytes = Vec::new();
    // One more than is read: so that a draft of what is too long can say so.
    let most = draft::MAX_LENGTH as u64 + 1;
    let file = File::open(article).told(told)?;
    file.take(most).read_to_end(&mut bytes).told(told)?;
    let draft = draft::draft(&String::from_utf8_lossy(&bytes));
    deliver(draft.text.as_bytes(), output)?;
    Ok(Outcome::Clear)
}

fn fix(entry: &Entry) -> Fix<'_> {
    Fix {
        id: &entry.id,
        title: &entry.title,
        kind: entry.kind,
        symptom: &entry.symptom,
        cause: &entry.cause,
        applies_to: &entry.applies_to,
        origin: entry.origin_line(),
    }
}

fn to_json(value: &serde_json::Value) -> Result<String, Failure> {
    json::render(value).told(|| "cannot write the result as JSON".to_owned())
}

/// A user's catalogue may come from anywhere.
fn made_safe(text: &str) -> String {
    text.lines().map(|line| format!("{}\n", safe::escape(line))).collect()
}

/// Blocks, counted or estimated.
fn ran_blocks(blocks: u64, off: Option<Uncertainty>) -> String {
    let off = off.map(|off| off.reach(blocks as f64));
    format!("{} {}", count_about(blocks, off), if blocks == 1 { "block" } else { "blocks" })
}
