//! What changed from snapshot to snapshot: which suspects are new, which grow faster than before, how fast events come, and
//! what each suspect held when the last mark was set. All by the trace's own time.

use std::collections::BTreeMap;

use super::Progress;
use super::snapshot::{Shown, SuspectKey};
use crate::report::model::Suspect;

/// For how long a suspect is called new, and over how long its growth is compared, in seconds.
const RECENT_S: f64 = 60.0;
/// Growth that rose by less is the same growth.
const WORSE: f64 = 1.1;

/// How a suspect changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// It is as it was.
    None,
    /// It was no suspect a minute ago.
    New,
    /// It grows faster than a minute ago, or was freed twice more often.
    Worse,
}

/// What is remembered of earlier snapshots: no more than there are suspects.
#[derive(Debug, Default)]
pub(super) struct Changes {
    seen: BTreeMap<SuspectKey, Seen>,
    began: bool,
    marks: usize,
    before: Option<Progress>,
    /// Events per second of the trace's time; `None` before it was seen to go on.
    pub(super) events_per_s: Option<f64>,
}

#[derive(Debug)]
struct Seen {
    /// `None` for what was there from the first snapshot on.
    since: Option<f64>,
    compared: f64,
    weight: f64,
    worse: bool,
    at_mark: Option<u64>,
}

impl Changes {
    /// Notes how far the trace is.
    pub(super) fn go_on(&mut self, progress: Progress) {
        let Progress { events, at_s } = progress;
        if let Some(before) = self.before
            && at_s > before.at_s
        {
            let more = events.saturating_sub(before.events) as f64;
            self.events_per_s = Some(more / (at_s - before.at_s));
        }
        if self.before.is_none_or(|before| at_s > before.at_s) {
            self.before = Some(progress);
        }
    }

    /// Notes the next snapshot.
    pub(super) fn note(&mut self, snapshot: &Shown) {
        let at = snapshot.at_s;
        self.go_on(snapshot.progress());
        let marked = snapshot.marks.len() > self.marks;
        self.marks = snapshot.marks.len();
        let mut seen = BTreeMap::new();
        for (key, suspect) in snapshot.suspects() {
            let weight = weight(suspect);
            let mut of = self.seen.remove(&key).unwrap_or(Seen {
                since: self.began.then_some(at),
                compared: at,
                weight,
                worse: false,
                // What was no suspect then held nothing that counted.
                at_mark: (self.marks > 0 && !marked).then_some(0),
            });
            if weight > of.weight * WORSE {
                of.worse = true;
            }
            if at - of.compared >= RECENT_S {
                of.worse = weight > of.weight * WORSE;
                (of.compared, of.weight) = (at, weight);
            }
            if marked {
                of.at_mark = Some(suspect.live_bytes);
            }
            seen.insert(key, of);
        }
        self.seen = seen;
        self.began = true;
    }

    /// How a suspect changed.
    pub(super) fn of(&self, key: SuspectKey, now: f64) -> Change {
        match self.seen.get(&key) {
            Some(Seen { since: Some(since), .. }) if now - since < RECENT_S => Change::New,
            Some(Seen { worse: true, .. }) => Change::Worse,
            _ => Change::None,
        }
    }

    /// Live bytes that a suspect had when the last mark was noticed; `None` where there is no mark.
    pub(super) fn at_mark(&self, key: SuspectKey) -> Option<u64> {
        self.seen.get(&key)?.at_mark
    }
}

/// What is compared: growth, or how often it happened.
fn weight(suspect: &Suspect) -> f64 {
    match &suspect.over_release {
        Some(over) => over.count as f64,
        None if suspect.growth_bytes_per_s.is_nan() => suspect.live_bytes as f64,
        None => suspect.growth_bytes_per_s,
    }
}
