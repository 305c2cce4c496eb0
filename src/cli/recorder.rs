//! Writes a trace while a program is watched. Whatever becomes of the disk, the program does not suffer: the writer fails
//! once and then drops, and what was lost is told in the end.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use unfreed::event::{Event, Time, What};
use unfreed::read::trace::{Header, Summary, Writer};
use unfreed::report::text::page::{Ink, words};
use unfreed::report::text::units::counted;

use super::fail::{Failure, Told};
use super::output::Io;

/// A kill, or a full disk, loses at most what happened in this time.
const FLUSH_EVERY: Duration = Duration::from_secs(1);

/// A trace in the making.
pub struct Recorder {
    writer: Writer<File>,
    path: PathBuf,
    failed: Option<io::Error>,
    flushed: Time,
}

impl Recorder {
    /// Begins a trace in a new file that only its owner may read.
    pub fn create(path: &Path, header: &Header) -> Result<Recorder, Failure> {
        let writer = Writer::create(path, header)
            .told(|| doing(path))
            .map_err(|failure| failure.advise("choose a directory that you may write to"))?;
        Ok(Recorder { writer, path: path.to_owned(), failed: None, flushed: Time(0) })
    }

    /// Writes the next event.
    pub fn take(&mut self, event: &Event) {
        let mut written = self.writer.write(event);
        // So that a kill loses little. Epochs come often enough to look at the time.
        if event.what == What::Epoch
            && event.time.0 - self.flushed.0 > FLUSH_EVERY.as_nanos() as u64
        {
            self.flushed = event.time;
            written = written.and_then(|()| self.writer.flush());
        }
        if let Err(error) = written {
            self.failed.get_or_insert(error);
        }
    }

    /// Ends the trace, and tells what did not fit into it.
    pub fn finish(mut self, io: &Io) -> Result<Summary, Failure> {
        // What is still held back counts as lost, too, where it cannot be written.
        if let Err(error) = self.writer.flush() {
            self.failed.get_or_insert(error);
        }
        let summary = self.writer.finish().told(|| doing(&self.path))?;
        tell_cut(summary, io);
        match self.failed {
            None => Ok(summary),
            Some(error) => {
                let lost = counted(summary.dropped, "event", "events");
                Err(Failure::new(format!("{}: {error}; {lost} lost", doing(&self.path))).advise(
                    "make room and record again; what was written until then can be analysed",
                ))
            }
        }
    }
}

fn doing(path: &Path) -> String {
    format!("cannot write the trace {}", path.display())
}

/// Tells what of the events did not fit into a trace. It is told even where nothing else is to be
/// said: the trace itself does not show it.
fn tell_cut(summary: Summary, io: &Io) {
    if summary.cut == 0 {
        return;
    }
    let cut = counted(summary.cut, "text or list was", "texts or lists were");
    let text = format!("{cut} too long for a trace (a command line, a path) and cut short.");
    io.tell(&[words(text).ink(Ink::Warning)]);
}
