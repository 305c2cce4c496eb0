//! A result in the making. It is written aside and becomes its file whole, so that there is never half a result: where the file
//! system can do so it has no name until then, and whoever is killed leaves nothing behind. It can hold command lines and paths of
//! the traced machine, so only its owner may read it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Seek, Write};
use std::path::{Component, Path, Prefix};

#[cfg(not(target_os = "linux"))]
#[path = "aside/named.rs"]
mod written;
#[cfg(target_os = "linux")]
#[path = "aside/nameless.rs"]
mod written;

use tempfile::Builder;

use super::fail::{Failure, Told};
use written::Written;

/// What to do about a file that cannot be written.
pub const CHOOSE: &str = "choose a directory that exists and that you may write to";

/// A result in the making.
#[derive(Debug)]
pub struct Aside<'p> {
    file: Written,
    path: Option<&'p Path>,
}

impl<'p> Aside<'p> {
    /// One that is to become this file, or go to stdout.
    ///
    /// # Errors
    /// Nothing can be written beside it.
    pub fn create(path: Option<&'p Path>) -> Result<Self, Failure> {
        let file = Aside::beside(path).told(|| "cannot write the result".to_owned());
        Ok(Aside { file: file.map_err(|failure| failure.advise(CHOOSE))?, path })
    }

    /// Whether a file could be made beside this one.
    pub fn possible(path: &Path) -> io::Result<()> {
        Aside::beside(Some(path)).map(drop)
    }

    fn beside(path: Option<&Path>) -> io::Result<Written> {
        // What is no file is written to, not replaced; beside a device nothing may be made.
        match path.filter(|path| !no_file(path)) {
            Some(path) => Written::create(directory(path)),
            None => Written::anywhere(),
        }
    }

    /// What is written goes here.
    pub fn file(&mut self) -> &mut File {
        self.file.file()
    }

    /// Hands it over.
    ///
    /// # Errors
    /// It cannot be written where it was to go.
    pub fn deliver(mut self) -> Result<(), Failure> {
        let doing = || match self.path {
            Some(path) => format!("cannot write the result to {}", path.display()),
            None => "cannot write the result to stdout".to_owned(),
        };
        if let Some(path) = self.path.filter(|path| !no_file(path)) {
            return self.file.persist(path).told(doing);
        }
        let file = self.file.file();
        file.rewind().told(doing)?;
        let copied = match self.path {
            Some(path) => {
                OpenOptions::new().write(true).open(path).and_then(|mut to| io::copy(file, &mut to))
            }
            None => {
                let mut stdout = io::stdout().lock();
                io::copy(file, &mut stdout).and_then(|copied| stdout.flush().map(|()| copied))
            }
        };
        match copied {
            // The reader has seen enough: nobody is wronged.
            Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error).told(doing),
            _ => Ok(()),
        }
    }
}

fn builder() -> Builder<'static, 'static> {
    let mut builder = Builder::new();
    builder.prefix(".unfreed-");
    builder
}

/// Whether it is there and no file: a device or a pipe.
pub fn no_file(path: &Path) -> bool {
    fs::metadata(path).map_or_else(|_| is_device(path), |meta| !meta.is_file())
}

/// Windows tells nothing of its devices (`NUL`); their whole names do, which no other system has.
fn is_device(path: &Path) -> bool {
    let Ok(whole) = std::path::absolute(path) else { return false };
    let mut parts = whole.components();
    let device = |part| matches!(part, Component::Prefix(prefix) if matches!(prefix.kind(), Prefix::DeviceNS(_)));
    parts.next().is_some_and(device) && !parts.any(|part| matches!(part, Component::Normal(_)))
}

fn directory(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests;
