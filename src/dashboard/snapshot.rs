//! What the dashboard shows at one moment: the report that `analyze` would give, and what is only of interest while it is made.

use std::hash::{Hash, Hasher};

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
            report,
        }
    }

    /// The suspect of this identity.
    pub(super) fn find(&self, key: SuspectKey) -> Option<(usize, &Suspect)> {
        self.report.suspects.iter().enumerate().find(|(_, suspect)| SuspectKey::of(suspect) == key)
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
