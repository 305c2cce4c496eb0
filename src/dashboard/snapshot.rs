//! What the dashboard shows at one moment: the report that `analyze` would give, and what is only of interest while it is made.

use std::hash::{Hash, Hasher};
use std::ops::Deref;
use std::sync::Arc;

use rustc_hash::FxHasher;

use crate::event::Metric;
use crate::ledger::Ledger;
use crate::report::flame::Flame;
use crate::report::model::{Kind, Report, StackFrame, Suspect};

/// One judgement, and how far the trace was then.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// What is concluded.
    pub report: Report,
    /// Events folded so far.
    pub events: u64,
    /// Seconds from the first event to the latest.
    pub at_s: f64,
    /// Memory over time, one for each of [`Report::target`].
    pub memory: Vec<MemoryCurve>,
    /// The marks, oldest first.
    pub marks: Vec<MarkShown>,
    /// The stacks of live bytes, where they were asked for.
    pub flame: Option<Flame>,
    /// Whether more is to come.
    pub phase: Phase,
    /// Seconds that it took to judge and to name.
    pub judged_in_s: f64,
    /// What unfreed itself takes; `None` where that is not measured.
    pub own: Option<OwnCost>,
}

/// What unfreed itself has taken of a processor since it began, the agent inside the program apart: shares, 1 is all of one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OwnCost {
    /// All of unfreed's threads.
    pub all: f64,
    /// Of that, judging and naming.
    pub judging: f64,
}

/// How far the trace is while nothing new is judged.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Progress {
    /// Events folded so far.
    pub events: u64,
    /// Seconds from the first event to the latest.
    pub at_s: f64,
}

/// Whether more is to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Events come.
    Running,
    /// That was all.
    Ended,
}

/// What was measured of a process's memory.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MemoryCurve {
    /// Which quantity; `None` where there is none.
    pub metric: Option<Metric>,
    /// Seconds after the trace began, and bytes.
    pub points: Vec<(f64, u64)>,
}

/// A mark.
#[derive(Clone, Debug, PartialEq)]
pub struct MarkShown {
    /// Seconds after the trace began.
    pub at_s: f64,
    /// Its text.
    pub text: String,
    /// What it counts.
    pub count: Option<u64>,
}

impl Progress {
    /// How far a ledger is that has folded so many events.
    pub fn of(ledger: &Ledger, events: u64) -> Progress {
        let began = ledger.began().unwrap_or_default().0;
        Progress { events, at_s: ledger.now().0.saturating_sub(began) as f64 / 1e9 }
    }
}

impl Snapshot {
    /// The snapshot of a ledger, and the report made of it.
    pub fn of(ledger: &Ledger, report: Report, events: u64) -> Snapshot {
        let began = ledger.began().unwrap_or_default().0;
        let since = |at: u64| at.saturating_sub(began) as f64 / 1e9;
        let memory = ledger.images().iter().map(|image| match image.memory() {
            None => MemoryCurve::default(),
            Some((metric, points)) => MemoryCurve {
                metric: Some(metric),
                points: points.iter().map(|(at, m)| (since(at.0), m.measured.0)).collect(),
            },
        });
        let marks = ledger.marks().list().iter().map(|(at, mark)| MarkShown {
            at_s: since(at.0),
            text: mark.text.clone(),
            count: mark.count,
        });
        Snapshot {
            events,
            at_s: since(ledger.now().0),
            memory: memory.collect(),
            marks: marks.collect(),
            flame: None,
            phase: Phase::Running,
            judged_in_s: 0.0,
            own: None,
            report,
        }
    }

    /// How far the trace was.
    pub(super) fn progress(&self) -> Progress {
        Progress { events: self.events, at_s: self.at_s }
    }
}

/// A snapshot on the screen, and who is who in it: to make thousands of keys anew for each drawing would take a good part
/// of a processor.
#[derive(Debug)]
pub(super) struct Shown {
    snapshot: Arc<Snapshot>,
    /// One for each suspect of the report.
    keys: Vec<SuspectKey>,
}

impl Shown {
    pub(super) fn new(snapshot: Arc<Snapshot>) -> Shown {
        let keys = snapshot.report.suspects.iter().map(SuspectKey::of).collect();
        Shown { snapshot, keys }
    }

    /// All suspects, as the report has them.
    pub(super) fn suspects(&self) -> impl Iterator<Item = (SuspectKey, &Suspect)> {
        self.keys.iter().copied().zip(&self.report.suspects)
    }

    /// Who is at a place of the report.
    pub(super) fn key(&self, at: usize) -> Option<SuspectKey> {
        self.keys.get(at).copied()
    }

    /// The suspect of this identity, and its place in the report.
    pub(super) fn find(&self, key: SuspectKey) -> Option<(usize, &Suspect)> {
        let at = self.keys.iter().position(|other| *other == key)?;
        Some((at, self.report.suspects.get(at)?))
    }
}

impl Deref for Shown {
    type Target = Snapshot;

    fn deref(&self) -> &Snapshot {
        &self.snapshot
    }
}

/// Which suspect it is, from one snapshot to the next: its process and stacks. Names may come later, numbers change, and
/// what grows may turn out to be a leak.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct SuspectKey(u64);

impl SuspectKey {
    pub(super) fn of(suspect: &Suspect) -> SuspectKey {
        let mut hasher = FxHasher::default();
        (suspect.target, suspect.kind == Kind::OverRelease).hash(&mut hasher);
        frames(&suspect.stack, &mut hasher);
        if let Some(over) = &suspect.over_release {
            frames(&over.first_free, &mut hasher);
            frames(&over.second_free, &mut hasher);
        }
        SuspectKey(hasher.finish())
    }
}

fn frames(frames: &[StackFrame], hasher: &mut FxHasher) {
    frames.len().hash(hasher);
    for frame in frames {
        (&frame.module, &frame.address).hash(hasher);
        if frame.address.is_none() {
            frame.function.hash(hasher);
        }
    }
}
