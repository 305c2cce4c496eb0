//! Suspects as people count them: several stacks through one blame frame are one thing to fix. Only
//! the text groups; the JSON keeps every stack.

use crate::report::model::{Kind, Module, SiteUncertainty, Suspect, Uncertainty};

/// Suspects of one process image, kind, module and function; the first weighs most.
#[derive(Debug)]
pub struct Group<'a> {
    /// The most important one.
    pub lead: &'a Suspect,
    /// All, the most important first.
    pub all: Vec<&'a Suspect>,
}

impl Group<'_> {
    /// Blocks that are live, of all stacks.
    pub fn live_blocks(&self) -> u64 {
        self.all.iter().fold(0, |sum, suspect| sum.saturating_add(suspect.live_blocks))
    }

    /// Blocks ever allocated, of all stacks.
    pub fn allocations(&self) -> u64 {
        self.all.iter().fold(0, |sum, suspect| sum.saturating_add(suspect.allocations))
    }

    /// Bytes that are live, of all stacks.
    pub fn live_bytes(&self) -> u64 {
        self.all.iter().fold(0, |sum, suspect| sum.saturating_add(suspect.live_bytes))
    }

    /// Blocks that only the process's shutdown freed, of all stacks.
    pub fn freed_at_end(&self) -> u64 {
        self.all.iter().fold(0, |sum, suspect| sum.saturating_add(suspect.freed_at_end))
    }

    /// Growth of all stacks, bytes per second.
    pub fn growth(&self) -> f64 {
        self.all.iter().map(|suspect| suspect.growth_bytes_per_s).sum()
    }

    /// Blocks that stay per marked event, of all stacks.
    pub fn blocks_per_event(&self) -> Option<f64> {
        self.all.iter().map(|suspect| suspect.blocks_per_event).sum()
    }

    /// How far a sum over all stacks may be off: the errors of different sites do not depend on each
    /// other. `None` where it was counted.
    pub fn off(
        &self,
        value: fn(&Suspect) -> f64,
        of: fn(&SiteUncertainty) -> Uncertainty,
    ) -> Option<f64> {
        let off = |suspect: &&Suspect| {
            suspect.uncertainty.as_ref().map(|all| of(all).reach(value(suspect)).powi(2))
        };
        let squares: Vec<f64> = self.all.iter().filter_map(off).collect();
        (!squares.is_empty()).then(|| squares.iter().sum::<f64>().sqrt())
    }

    /// The same of the growth.
    pub fn growth_off(&self) -> Option<f64> {
        self.off(|s| s.growth_bytes_per_s, |all| all.growth_bytes_per_s)
    }

    /// A number that verdicts rest on, of all stacks; `None` where one has none.
    pub fn sum_of(&self, fact: &str) -> Option<f64> {
        let of = |suspect: &&Suspect| {
            let mut evidence = suspect.evidence.iter();
            evidence.find(|evidence| evidence.fact == fact).map(|evidence| evidence.value)
        };
        self.all.iter().map(of).sum()
    }

    /// When the oldest live block was allocated, seconds after the beginning.
    pub fn since(&self) -> f64 {
        self.all.iter().map(|suspect| suspect.since_s).fold(f64::INFINITY, f64::min)
    }
}

/// Groups suspects, in the order of each group's first.
pub fn groups(suspects: &[Suspect]) -> Vec<Group<'_>> {
    let mut groups: Vec<Group<'_>> = Vec::new();
    for suspect in suspects {
        match groups.iter_mut().find(|group| key(group.lead) == key(suspect)) {
            Some(group) => group.all.push(suspect),
            None => groups.push(Group { lead: suspect, all: vec![suspect] }),
        }
    }
    groups
}

/// The image, not pid and name: a program that executes itself anew keeps both, and what it leaked
/// before and after does not add up.
fn key(suspect: &Suspect) -> (usize, Kind, &Module, &str) {
    (suspect.target, suspect.kind, &suspect.module, &suspect.function)
}
