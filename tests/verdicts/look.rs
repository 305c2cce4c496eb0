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

/// What a suspect is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Is {
    /// A leak, or freed too often.
    Right,
    /// Innocent, though nothing of it tells so yet.
    Early,
    /// Innocent, and that could have been known.
    Wrong,
}

/// An innocent could be known as such when it has shown it for this share of the time before.
const TIME_TO_KNOW: f64 = 0.25;

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
    /// Whether it is the end of the run.
    pub last: bool,
    /// Whether an innocent had shown what it is.
    pub shown: bool,
    /// Blocks of the subject that live, and whether one was ever freed.
    pub live: u64,
    pub freed: bool,
    pub said: Said,
    /// The confidence of each suspect, and what it is: once per stack, whatever the number of
    /// processes.
    pub suspects: Vec<(f64, Is)>,
}

impl Look {
    pub fn new(kind: &Kind, seed: u64, at: u64, ledger: &Ledger, truth: &Truth) -> Self {
        let assessment = judge(ledger);
        let knowable = |shown: f64| shown * (1.0 + TIME_TO_KNOW) < at as f64;
        let shown = truth.shown.is_some_and(knowable);
        let subject = |stack: &StackId| truth.subjects.contains(stack);
        let mut suspects: BTreeMap<(bool, StackId), (f64, Is)> = BTreeMap::new();
        let mut add = |over: bool, stack: StackId, confidence: f64, right: bool| {
            let innocent = kind.label == Label::Innocent && subject(&stack);
            let is = match right {
                true => Is::Right,
                false if truth.hidden.contains(&stack) || innocent && !shown => Is::Early,
                false => Is::Wrong,
            };
            let suspect = suspects.entry((over, stack)).or_insert((confidence, is));
            suspect.0 = suspect.0.max(confidence);
        };
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
        let accused = suspects.iter().any(|((_, stack), (_, is))| {
            *is == Is::Right || kind.label == Label::Innocent && subject(stack)
        });
        let said = said(&assessment, truth, accused);
        let sites = || ledger.sites().map(|(_, site)| site).filter(|site| subject(&site.stack));
        Look {
            kind: kind.name,
            group: kind.group,
            label: kind.label,
            seed,
            at,
            accumulated: truth.accumulated,
            last: at == kind.seconds(seed),
            shown,
            live: sites().map(|site| site.live_blocks).sum(),
            freed: sites().any(|site| site.frees > 0),
            said,
            suspects: suspects.into_values().collect(),
        }
    }

    /// How many suspects are this.
    pub fn count(&self, what: Is) -> usize {
        self.suspects.iter().filter(|(_, is)| *is == what).count()
    }

    /// Innocents that are accused.
    pub fn wrong(&self) -> usize {
        self.count(Is::Early) + self.count(Is::Wrong)
    }
}

fn said(of: &Assessment, truth: &Truth, accused: bool) -> Said {
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

/// A leak of 100 blocks a minute, looked at each second from its first block on.
#[derive(Clone, Copy, Debug, Default)]
pub struct Quick {
    /// Seconds until it was a suspect; `None` if it never was.
    pub named: Option<f64>,
    /// Whether [`SOON`] after its first block any site of it had freed more than an eighth of its blocks: of others nothing in
    /// counts tells whether they leak or fill.
    pub frees: bool,
}

/// In so many seconds half of such leaks are to be named.
pub const SOON: f64 = 15.0;

pub fn quick(kind: &'static Kind, seed: u64) -> Quick {
    let mut world = kind.quick_world(seed);
    let found = Rc::new(RefCell::new(Quick::default()));
    let into = Rc::clone(&found);
    world.watch(move |ledger, truth| {
        let mut quick = into.borrow_mut();
        let Some(since) = truth.since else { return };
        let at = ledger.now().seconds();
        if at - since <= SOON {
            let mut sites = ledger.sites().map(|(_, site)| site);
            quick.frees = sites.any(|site| {
                truth.subjects.contains(&site.stack) && site.frees * 8 > site.allocations
            });
        }
        if quick.named.is_none()
            && Look::new(kind, seed, at as u64, ledger, truth).said == Said::Named
        {
            quick.named = Some(at - since);
        }
    });
    kind.behave(&mut world);
    world.finish();
    found.take()
}
