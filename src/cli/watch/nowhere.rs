//! A system on which nothing can be watched: what asks for it gets an error that says where it can be done. There is no value of
//! these types, so that nothing that would need one is ever reached.

use std::convert::Infallible;
use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use unfreed::event::{Event, Mark};
use unfreed::ledger::Ledger;
use unfreed::read::Fault;
use unfreed::read::trace::Header;

use super::super::Outcome;
use super::super::fail::Failure;
use super::super::options::{Analysis, Capture, Form};
use super::super::output::Io;
use super::Whom;

/// A program about to be watched.
pub struct Watch(Infallible);

/// A program that was watched.
pub struct Watched(Infallible);

/// What acts on the watching from elsewhere.
#[derive(Clone)]
pub struct Control(Infallible);

fn unable(what: &str) -> Failure {
    let (os, arch) = (std::env::consts::OS, std::env::consts::ARCH);
    Failure::new(format!("{what} on {os} ({arch})")).advise(
        "trace on Linux on x86_64; recordings of it, and what Windows itself records (an event trace with heap events, \
         UMDH logs, minidumps), are analysed here by `unfreed analyze FILE`",
    )
}

fn no_tracing() -> Failure {
    unable("programs cannot be traced yet")
}

/// Says that nobody's growth can be watched.
pub fn triage(
    _: &Whom,
    _: Option<Duration>,
    _: &Analysis,
    _: &Form,
    _: &Io,
) -> Result<Outcome, Failure> {
    Err(no_tracing())
}

/// Says that there is no trace to be marked.
pub fn mark(_: &Mark, _: Option<u32>) -> Result<(), Failure> {
    Err(unable("no trace can be running that could be marked"))
}

/// A terminal that goes away sends nothing.
pub fn survive_hangup() {}

impl Watch {
    /// Says that it cannot be done.
    pub fn of(_: &Capture, _: &Io) -> Result<Option<Watch>, Failure> {
        Err(no_tracing())
    }

    /// Says that it cannot be done.
    pub fn prepare(_: &[OsString]) -> Result<Watch, Failure> {
        Err(no_tracing())
    }

    /// Says that it cannot be done.
    pub fn attach(_: &Whom, _: Option<Io>) -> Result<Watch, Failure> {
        Err(no_tracing())
    }

    /// Says that it cannot be done.
    pub fn log(self, _: PathBuf) -> Result<Watch, Failure> {
        match self.0 {}
    }

    /// Looks in the end which blocks are still referenced.
    pub fn scan(self, _: Option<Duration>) -> Watch {
        self
    }

    /// Sends what the program writes to standard output to a file.
    pub fn stdout(self, _: File) -> Watch {
        self
    }

    /// Keeps what the program writes off the screen.
    pub fn aside(self, _: Option<&Path>) -> Result<Watch, Failure> {
        match self.0 {}
    }

    /// What is said where a result in the making would be lost.
    pub fn warn_before_end(&self) {
        match self.0 {}
    }

    /// What acts on it from elsewhere.
    pub fn control(&self) -> Control {
        match self.0 {}
    }

    /// What a trace of it says of itself.
    pub fn header(&self) -> Header {
        match self.0 {}
    }

    /// Runs it.
    pub fn run(
        self,
        _: Option<Duration>,
        _: Option<&mut Ledger>,
        _: &mut dyn FnMut(&Event),
    ) -> Result<Watched, Failure> {
        match self.0 {}
    }
}

impl Watched {
    /// What could not be read of what was delivered.
    pub fn faults(&self) -> Vec<Fault> {
        match self.0 {}
    }

    /// Waits for the program.
    pub fn conclude(self, _: Result<Outcome, Failure>, _: bool) -> Result<Outcome, Failure> {
        match self.0 {}
    }
}

impl Control {
    /// Whether somebody asked to end.
    pub fn asked_to_end(&self) -> bool {
        match self.0 {}
    }

    /// Ends the watching; the program runs on.
    pub fn stop(&self) {
        match self.0 {}
    }

    /// Ends the program.
    pub fn end_program(&self) -> io::Result<()> {
        match self.0 {}
    }

    /// Puts a mark into the trace.
    pub fn mark(&self, _: &Mark) -> Result<(), String> {
        match self.0 {}
    }
}
