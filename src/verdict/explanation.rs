//! Sentences with a time in them. The judge knows times of the trace only; whoever knows when that began says them as
//! people do.

use std::fmt;

use serde::{Serialize, Serializer};

use crate::event::Time;

/// A verdict in plain sentences.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Explanation {
    /// Words, each but the last followed by a time.
    before: Vec<(String, Time)>,
    last: String,
}

impl Explanation {
    /// Words around one time.
    pub(super) fn around(before: String, time: Time, after: String) -> Explanation {
        Explanation { before: vec![(before, time)], last: after }
    }

    /// More words at its end.
    pub(super) fn push(&mut self, words: &str) {
        self.last.push_str(words);
    }

    /// The sentences, with each time as `say` has it.
    pub fn told(&self, say: impl Fn(Time) -> String) -> String {
        let mut told = String::new();
        for (words, time) in &self.before {
            told.push_str(words);
            told.push_str(&say(*time));
        }
        told.push_str(&self.last);
        told
    }
}

impl From<String> for Explanation {
    fn from(words: String) -> Explanation {
        Explanation { before: Vec::new(), last: words }
    }
}

/// With times as seconds since the trace began.
impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.told(|time| format!("{:.1} s", time.seconds())))
    }
}

impl Serialize for Explanation {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
