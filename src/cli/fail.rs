//! What a verb could not do: what happened, where, and what to do about it.

use std::fmt;

/// A failure, told to people.
#[derive(Debug)]
pub struct Failure {
    /// What happened, and where.
    what: String,
    /// What to do about it.
    advice: Option<String>,
}

impl Failure {
    /// A failure that says what happened and where.
    pub fn new(what: impl fmt::Display) -> Self {
        Failure { what: what.to_string(), advice: None }
    }

    /// Says what to do about it.
    pub fn advise(mut self, advice: impl Into<String>) -> Self {
        self.advice = Some(advice.into());
        self
    }

    /// What happened, and where.
    pub fn what(&self) -> &str {
        &self.what
    }

    /// What to do about it.
    pub fn advice(&self) -> Option<&str> {
        self.advice.as_deref()
    }
}

/// Puts what was being done before an error's own words, causes included.
pub trait Told<T> {
    /// On failure: `doing: cause: cause of the cause`.
    fn told(self, doing: impl FnOnce() -> String) -> Result<T, Failure>;
}

impl<T, E: std::error::Error> Told<T> for Result<T, E> {
    fn told(self, doing: impl FnOnce() -> String) -> Result<T, Failure> {
        self.map_err(|error| {
            let mut what = format!("{}: {error}", doing());
            let mut cause = error.source();
            while let Some(inner) = cause {
                let text = inner.to_string();
                // Many errors already say their cause.
                if !what.contains(&text) {
                    what.push_str(": ");
                    what.push_str(&text);
                }
                cause = inner.source();
            }
            Failure::new(what)
        })
    }
}
