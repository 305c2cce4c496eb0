//! Where results and messages go: results to stdout or a file, messages to stderr.

use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, IsTerminal, Write};
use std::path::Path;

use unfreed::report::text::page::{Ink, Page, Span, name, words};
use unfreed::report::text::style::{Detail, Style, USUAL_WIDTH};

use super::aside::{Aside, CHOOSE, no_file};
use super::fail::{Failure, Told};

/// What is known of the standard streams.
#[derive(Clone, Copy, Debug)]
pub struct Io {
    no_color: bool,
}

impl Io {
    /// Asks the environment: `NO_COLOR` (not empty), `TERM=dumb` and a console that knows no escape sequences turn colour off.
    pub fn from_environment() -> Self {
        let set = |key: &str| std::env::var_os(key).is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|value| value == "dumb");
        Io { no_color: set("NO_COLOR") || dumb || !knows_escapes() }
    }

    /// Whether the environment allows colour.
    pub fn color(&self) -> bool {
        !self.no_color
    }

    /// How texts on stdout, or in a file, are to look.
    pub fn style(&self, to_file: bool, no_color: bool, detail: Detail) -> Style {
        let stdout = io::stdout();
        let terminal = !to_file && stdout.is_terminal();
        let width = if terminal { terminal_width(stdout) } else { USUAL_WIDTH };
        Style { width, color: terminal && !no_color && !self.no_color, detail }
    }

    fn stderr_page(&self) -> Page {
        let stderr = io::stderr();
        let terminal = stderr.is_terminal();
        let width = if terminal { terminal_width(stderr) } else { USUAL_WIDTH };
        Page::new(Style { width, color: terminal && !self.no_color, detail: Detail::Normal })
    }

    /// Tells the user something on stderr. What cannot be written there is lost: there is no
    /// better place.
    pub fn tell(&self, spans: &[Span<'_>]) {
        let mut page = self.stderr_page();
        page.hanging(0, 2, spans);
        let _ = io::stderr().write_all(page.finish().as_bytes());
    }

    /// Tells the user of a failure.
    pub fn tell_failure(&self, failure: &Failure) {
        self.tell(&[words("unfreed: ").ink(Ink::Alarm), words(failure.what())]);
        if let Some(advice) = failure.advice() {
            self.tell(&[words("what to do: ").ink(Ink::Strong), words(advice)]);
        }
    }
}

/// Columns of the terminal that a stream goes to. Serial consoles and some containers know their
/// columns and report no rows; only columns count here.
#[cfg(target_os = "linux")]
fn terminal_width(stream: impl std::os::fd::AsFd) -> usize {
    let size = rustix::termios::tcgetwinsize(stream).ok();
    size.filter(|size| size.ws_col > 0).map_or(USUAL_WIDTH, |size| size.ws_col.into())
}

/// Whether a terminal would understand what colours text. Consoles of Windows do so since Windows 10, once they are asked to.
#[cfg(windows)]
fn knows_escapes() -> bool {
    crossterm::ansi_support::supports_ansi()
}

#[cfg(not(windows))]
fn knows_escapes() -> bool {
    true
}

#[cfg(not(target_os = "linux"))]
fn terminal_width<S>(_: S) -> usize {
    terminal_size::terminal_size().map_or(USUAL_WIDTH, |(width, _)| width.0.into())
}

/// Whether a result could be written to a file, as far as can be told before there is one: what
/// took an hour to observe is not to be lost to a typing error.
pub fn check(path: &Path) -> Result<(), Failure> {
    let refused = |why: &str| {
        let what = format!("cannot write the result to {}: {why}", path.display());
        Failure::new(what).advise(CHOOSE)
    };
    match fs::metadata(path) {
        Ok(meta) if meta.is_dir() => Err(refused("it is a directory")),
        // A device or a pipe shows what it takes when it is written to.
        Ok(meta) if !meta.is_file() => Ok(()),
        _ => Aside::possible(path).map_err(|error| refused(&error.to_string())),
    }
}

/// Writes a result to stdout, or to a file. What a file does not take goes to stdout: it may have
/// cost much to get.
pub fn deliver(bytes: &[u8], file: Option<&Path>) -> Result<(), Failure> {
    let Some(path) = file else { return to_stdout(bytes) };
    to_file(bytes, path).map_err(|failure| match to_stdout(bytes) {
        Ok(()) => failure.advise("take the result from stdout, where it was written instead"),
        Err(_) => failure,
    })
}

fn to_stdout(bytes: &[u8]) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
        Ok(()) => Ok(()),
        // The reader has seen enough: nobody is wronged.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        Err(error) => Err(error).told(|| "cannot write the result to stdout".to_owned()),
    }
}

fn to_file(bytes: &[u8], path: &Path) -> Result<(), Failure> {
    let doing = || format!("cannot write the result to {}", path.display());
    // A device or a pipe is written to, not replaced.
    if no_file(path) {
        let to = OpenOptions::new().write(true).open(path);
        return match to.and_then(|mut to| to.write_all(bytes)) {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
            other => other.told(doing),
        };
    }
    let mut aside = Aside::create(Some(path))?;
    aside.file().write_all(bytes).told(doing)?;
    aside.deliver()
}

/// A file's name, for a message.
pub fn shown(path: &Path) -> Span<'static> {
    name(path.display().to_string())
}
