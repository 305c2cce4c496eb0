//! How far long work is: a bar on stderr where that is a terminal, and nothing where the work is soon done.

use std::io::{self, Read};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

/// Who waits less than this needs no bar.
const PATIENCE: Duration = Duration::from_millis(500);
/// Of the whole process, as the terminal is.
static SILENT: AtomicBool = AtomicBool::new(false);

/// No bars from now on, where the user wants to hear nothing or the terminal shows something else.
pub fn silence_if(wanted: bool) {
    SILENT.fetch_or(wanted, Ordering::Relaxed);
}

/// Something that is read from its beginning to its end.
pub struct Progress<R> {
    of: R,
    doing: &'static str,
    /// Bytes in all; `None` where nobody knows, as with a pipe.
    size: Option<u64>,
    done: u64,
    began: Instant,
    bar: Option<ProgressBar>,
}

impl<R> Progress<R> {
    /// Shows what is being done as this is read.
    pub fn new(of: R, doing: &'static str, size: Option<u64>) -> Self {
        Progress { of, doing, size, done: 0, began: Instant::now(), bar: None }
    }
}

impl<R: Read> Read for Progress<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.of.read(buffer)?;
        self.done += read as u64;
        let late = self.bar.is_none() && self.began.elapsed() > PATIENCE;
        if late && !SILENT.load(Ordering::Relaxed) {
            self.bar = Some(bar(self.doing, self.size));
        }
        if let Some(bar) = &self.bar {
            bar.set_position(self.done);
        }
        Ok(read)
    }
}

impl<R> Drop for Progress<R> {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// Where stderr is no terminal the crate draws nothing.
fn bar(doing: &'static str, size: Option<u64>) -> ProgressBar {
    let (bar, template) = match size {
        Some(size) => (
            ProgressBar::new(size),
            "{msg} [{bar:30}] {percent}% of {binary_total_bytes}, {eta} to go",
        ),
        None => (ProgressBar::no_length(), "{msg} {spinner} {binary_bytes}"),
    };
    let style = ProgressStyle::with_template(template);
    let style = style.unwrap_or_else(|_| ProgressStyle::default_bar());
    bar.with_style(style.progress_chars("=> ")).with_message(doing)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn a_bar_comes_only_to_who_waits_and_knows_how_far_it_is() {
        let mut soon = Progress::new([1; 100].as_slice(), "Reading", Some(100));
        soon.read_exact(&mut [0; 40]).unwrap();
        assert!(soon.bar.is_none() || soon.began.elapsed() > PATIENCE);
        for size in [Some(100), None] {
            let mut late = Progress::new([1; 100].as_slice(), "Reading", size);
            late.began = late.began.checked_sub(2 * PATIENCE).unwrap();
            late.read_exact(&mut [0; 40]).unwrap();
            let bar = late.bar.as_ref().unwrap();
            assert_eq!((bar.position(), bar.length()), (40, size));
        }
        silence_if(true);
        silence_if(false);
        let mut quiet = Progress::new([1; 100].as_slice(), "Reading", None);
        quiet.began = quiet.began.checked_sub(2 * PATIENCE).unwrap();
        quiet.read_exact(&mut [0; 40]).unwrap();
        assert!(quiet.bar.is_none());
    }
}
