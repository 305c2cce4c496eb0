//! Marks with counts ("1,000 messages sent") say how much was done between two marks: the
//! denominator of blocks per event. A mark's span begins at the mark before it, or where the trace
//! begins; spans that touch are kept as one, so marks cost little however many there are.

use crate::event::{Mark, Time};

/// At most this many texts are kept; of later marks only the counts count.
const TEXTS: usize = 1024;

/// At most this many spans are kept; later counts are left out of every denominator.
const SPANS: usize = 1024;

/// A span of time of which marks tell how much was done in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MarkedSpan {
    /// Where it begins: the time of a mark, or the trace's beginning.
    pub since: Time,
    /// Where it ends: the time of a mark with a count. Not part of it.
    pub until: Time,
    /// How many events its marks count.
    pub events: u64,
    /// How many marks that took.
    pub marks: u64,
}

/// The marks of a trace.
#[derive(Debug, Default)]
pub struct Marks {
    list: Vec<(Time, Mark)>,
    spans: Vec<MarkedSpan>,
    last: Option<Time>,
}

impl Marks {
    pub(super) fn set(&mut self, began: Time, time: Time, mark: &Mark) {
        let since = self.last.unwrap_or(began);
        self.last = Some(time);
        if self.list.len() < TEXTS {
            self.list.push((time, mark.clone()));
        }
        let Some(events) = mark.count else { return };
        let room = self.spans.len() < SPANS;
        match self.spans.last_mut() {
            Some(span) if span.until == since => {
                span.until = time;
                span.events = span.events.saturating_add(events);
                span.marks += 1;
            }
            _ if room => {
                self.spans.push(MarkedSpan { since, until: time, events, marks: 1 });
            }
            _ => {}
        }
    }

    /// The first 1,024 marks.
    pub fn list(&self) -> &[(Time, Mark)] {
        &self.list
    }

    /// The spans that are covered by marks with counts, in order; none touch.
    pub fn spans(&self) -> &[MarkedSpan] {
        &self.spans
    }

    /// How many events all marks count; `None` where no mark has a count.
    pub fn events(&self) -> Option<u64> {
        (!self.spans.is_empty())
            .then(|| self.spans.iter().fold(0, |sum: u64, s| sum.saturating_add(s.events)))
    }

    /// Whether a time lies within a counted span.
    pub fn covers(&self, time: Time) -> bool {
        let next = self.spans.partition_point(|span| span.until <= time);
        self.spans.get(next).is_some_and(|span| span.since <= time)
    }
}
