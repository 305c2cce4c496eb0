//! A reader that gives up where a single piece of XML is longer than any real one: the parser keeps each
//! whole in memory.

use std::io::{self, BufRead, Read};

/// The longest text or tag.
const LONGEST: usize = 1024 * 1024;

/// Why it gave up.
pub(super) const TOO_LONG: &str =
    "a piece of the XML is longer than 1 MiB: what follows was not read";

/// Counts the bytes between angle brackets.
#[derive(Debug)]
pub(super) struct Bounded<R> {
    inner: R,
    since: usize,
}

impl<R: BufRead> Bounded<R> {
    pub(super) fn new(inner: R) -> Self {
        Bounded { inner, since: 0 }
    }
}

impl<R: BufRead> Read for Bounded<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let some = self.fill_buf()?;
        let length = some.len().min(into.len());
        into[..length].copy_from_slice(&some[..length]);
        self.consume(length);
        Ok(length)
    }
}

impl<R: BufRead> BufRead for Bounded<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.since > LONGEST {
            return Err(io::Error::new(io::ErrorKind::InvalidData, TOO_LONG));
        }
        let some = self.inner.fill_buf()?;
        Ok(some)
    }

    fn consume(&mut self, amount: usize) {
        // What is consumed is what was given last.
        if let Ok(some) = self.inner.fill_buf() {
            let used = &some[..amount.min(some.len())];
            let bracket = used.iter().rposition(|byte| matches!(byte, b'<' | b'>'));
            self.since = match bracket {
                Some(at) => used.len() - at - 1,
                None => self.since.saturating_add(used.len()),
            };
        }
        self.inner.consume(amount);
    }
}
