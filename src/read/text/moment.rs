//! What texts have in common that show one process at one moment, of which only the file's time tells when it was.

use crate::event::{Event, ProcessId, Tid, Time, What};
use crate::read::About;
use crate::read::trace::{Clock, Header};

/// The process of such a text, which is always one.
pub(in crate::read) const PROCESS: ProcessId = ProcessId(0);
/// The longest line that is read.
pub(in crate::read) const LINE: usize = 64 * 1024;
/// The deepest stack.
pub(in crate::read) const DEEPEST: usize = 1024;
/// How many lines or elements one batch is made of.
pub(in crate::read) const BATCH: usize = 4096;

/// The header of a text that was last written when the file was.
pub(in crate::read) fn header(source: &str, about: &About) -> Header {
    let clock = Clock { name: "file time".to_owned(), hertz: None };
    let started_unix_ns = about.modified_unix_ns.unwrap_or(0);
    Header { source: source.to_owned(), started_unix_ns, clock, ..Header::default() }
}

/// An event of the text's one moment.
pub(in crate::read) fn event(what: What) -> Event {
    Event { time: Time(0), process: PROCESS, thread: Tid(0), what }
}

/// Whether a file's name is that of a program.
pub(in crate::read) fn is_program(name: &str) -> bool {
    name.to_ascii_lowercase().ends_with(".exe")
}
