//! `unfreed run --report`: what was just watched as a file, as `unfreed report` writes it of a recording. A case bundle has the
//! trace in it, which is therefore written aside meanwhile.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use clap::Args;
use tempfile::TempDir;
use unfreed::event::Event;
use unfreed::read::trace::{Header, Writer};
use unfreed::report::text::page::words;

use super::bundle::{self, Wanted};
use super::conclusion::Analyst;
use super::diff::Side;
use super::fail::{Failure, Told};
use super::made::made;
use super::output::{self, Io, deliver, shown};
use super::report::{Kind, render};

/// The report file that is asked for.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Result")]
pub struct ReportOptions {
    /// Write the report to FILE too; its ending says what it is: .html, .md or .json, or .zip for a case bundle
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// In a case bundle: put tokens for the names of users, hosts and paths, for arguments and mail addresses
    #[arg(long, requires = "report")]
    redact: bool,
}

/// A report in the making, while the program runs.
pub struct Reporting<'a> {
    kind: Kind,
    path: &'a Path,
    redact: bool,
    spool: Option<Spool>,
}

/// The trace for a case bundle.
struct Spool {
    writer: Writer<File>,
    failed: Option<io::Error>,
    trace: PathBuf,
    /// Holds the trace, and goes with it.
    _directory: TempDir,
}

fn doing() -> String {
    "cannot write the trace for the case".to_owned()
}

impl ReportOptions {
    /// What is asked for, if it can be written.
    pub fn check(&self) -> Result<Option<Kind>, Failure> {
        let Some(path) = &self.report else { return Ok(None) };
        let kind = Kind::of(path)?;
        if self.redact && kind != Kind::Case {
            return Err(Failure::new("only a case bundle can be redacted")
                .advise("let the name of the report end in .zip"));
        }
        if self.redact {
            bundle::key_beside(path)?;
        }
        output::check(path).map(|()| Some(kind))
    }

    /// Makes everything ready for what is to be watched.
    pub fn begin(&self, header: &Header) -> Result<Option<Reporting<'_>>, Failure> {
        let (Some(kind), Some(path)) = (self.check()?, &self.report) else { return Ok(None) };
        let spool = (kind == Kind::Case).then(|| Spool::create(header)).transpose().told(doing)?;
        Ok(Some(Reporting { kind, path, redact: self.redact, spool }))
    }
}

impl Spool {
    fn create(header: &Header) -> io::Result<Self> {
        let directory = TempDir::new()?;
        let trace = directory.path().join("run.unfreed");
        let writer = Writer::create(&trace, header)?;
        Ok(Spool { writer, failed: None, trace, _directory: directory })
    }
}

impl Reporting<'_> {
    /// Takes an event. What cannot be written is told in the end: the program must not suffer for it.
    pub fn event(&mut self, event: &Event) {
        let Some(spool) = &mut self.spool else { return };
        if let Err(error) = spool.writer.write(event) {
            spool.failed.get_or_insert(error);
        }
    }

    /// Writes the report of what was watched.
    pub fn write(
        self,
        side: &Side,
        analyst: &mut Analyst,
        quiet: bool,
        io: &Io,
    ) -> Result<(), Failure> {
        match self.spool {
            None => {
                let rendered = render(self.kind, side, &made(self.path), analyst)?;
                deliver(rendered.as_bytes(), Some(self.path))?;
            }
            Some(Spool { writer, failed, trace, _directory }) => {
                let written = writer.finish().map(drop);
                failed.map_or(written, Err).told(doing)?;
                let wanted = Wanted {
                    files: &[trace],
                    baseline: None,
                    output: self.path,
                    redact: self.redact,
                    with_originals: false,
                    live: true,
                    quiet,
                };
                bundle::write(&wanted, analyst, io)?;
            }
        }
        if !quiet {
            io.tell(&[words("Wrote "), shown(self.path), words(".")]);
        }
        Ok(())
    }
}
