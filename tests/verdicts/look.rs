//! One kind with one seed, looked at while it runs: what the judge says at each look, held against
//! the truth of that moment.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use unfreed::event::StackId;
use unfreed::ledger::Ledger;
use unfreed::verdict::{Assessment, DEFAULT_MIN_CONFIDENCE, Verdict, judge};

use crate::behaviours::kinds::{Group, Kind};
use crate::behaviours::{Label, Truth};

/// The observation times of the tables, in seconds.
pub const TIMES: [u64; 8] = [10, 30, 60, 300, 1800, 7200, 86_400, 259_200];

/// What the judge said of the subject of a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Said {
    /// It is a suspect.
    Named,
    /// It cannot be told, or not surely enough, or there was nothing of it yet.
    Open,
    /// It is something else.
    Cleared,
}

/// A look at a moment of one run.
#[derive(Clone, Debug)]
pub struct Look {
    pub kind: &'static str,
    pub group: Group,
    pub label: Label,
    pub seed: u64,
    pub at: u64,
    /// As [`Truth::accumulated`].
    pub accumulated: u64,
    /// Whether an innocent had shown what it is.
    pub shown: bool,
    pub said: Said,
    /// The confidence of each suspect, and whether it is one: once per stack, whatever the number of
    /// processes.
    pub suspects: Vec<(f64, bool)>,
}

impl Look {
    fn new(kind: &Kind, seed: u64, at: u64, ledger: &Ledger, truth: &Truth) -> Self {
        let assessment = judge(ledger);
        let mut suspects: BTreeMap<(bool, StackId), (f64, bool)> = BTreeMap::new();
        let mut add = |over: bool, stack: StackId, confidence: f64, right: bool| {
            let suspect = suspects.entry((over, stack)).or_insert((confidence, right));
            suspect.0 = suspect.0.max(confidence);
        };
        let subject = |stack: &StackId| truth.subjects.contains(stack);
        for site in assessment.suspects(DEFAULT_MIN_CONFIDENCE) {
            let right = kind.label == Label::Accumulates && subject(&site.stack);
            add(false, site.stack, site.confidence, right);
        }
        for over in &assessment.over_releases {
            let surely = over.confidence >= DEFAULT_MIN_CONFIDENCE;
            let right = kind.label == Label::OverRelease && subject(&over.stack);
            if surely {
                add(true, over.stack, over.confidence, right);
            }
        }
        let suspects: Vec<(f64, bool)> = suspects.into_values().collect();
        let said = said(&assessment, truth, &suspects, kind.label);
        Look {
            kind: kind.name,
            group: kind.group,
            label: kind.label,
            seed,
            at,
            accumulated: truth.accumulated,
            shown: truth.shown.is_some_and(|shown| shown < at as f64),
            said,
            suspects,
        }
    }

    /// Wrong accusations.
    pub fn wrong(&self) -> usize {
        self.suspects.iter().filter(|(_, right)| !right).count()
    }
}

fn said(of: &Assessment, truth: &Truth, suspects: &[(f64, bool)], label: Label) -> Said {
    let accused = suspects.iter().any(|(_, right)| *right || label == Label::Innocent);
    let mut subjects = of.sites.iter().filter(|site| truth.subjects.contains(&site.stack));
    let open = |verdict: Verdict| verdict == Verdict::Undecided || verdict.accumulates();
    match accused {
        true => Said::Named,
        false if of.sites.iter().all(|site| !truth.subjects.contains(&site.stack)) => Said::Open,
        false if subjects.any(|site| open(site.verdict)) => Said::Open,
        false => Said::Cleared,
    }
}

/// At which marks a run is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// At the times of the tables.
    Times,
    /// At every mark.
    Always,
}

/// Runs a kind to its end.
pub fn looks(kind: &'static Kind, seed: u64, when: When) -> (Vec<Look>, Ledger) {
    let mut world = kind.world(seed);
    let looks = Rc::new(RefCell::new(Vec::new()));
    let into = Rc::clone(&looks);
    world.watch(move |ledger, truth| {
        let at = ledger.now().seconds() as u64;
        if when == When::Always || TIMES.contains(&at) {
            into.borrow_mut().push(Look::new(kind, seed, at, ledger, truth));
        }
    });
    kind.behave(&mut world);
    let ledger = world.finish();
    (looks.take(), ledger)
}

/// Seconds from the first leaked block, of 100 a minute, to the first look at which it is a suspect,
/// with one look a second; `None` if it never was.
pub fn first_suspect(kind: &'static Kind, seed: u64) -> Option<f64> {
    let mut world = kind.quick_world(seed);
    let found = Rc::new(RefCell::new(None));
    let into = Rc::clone(&found);
    world.watch(move |ledger, truth| {
        let (Some(since), None) = (truth.since, *into.borrow()) else { return };
        let at = ledger.now().seconds();
        if Look::new(kind, seed, at as u64, ledger, truth).said == Said::Named {
            *into.borrow_mut() = Some(at - since);
        }
    });
    kind.behave(&mut world);
    world.finish();
    found.take()
}
