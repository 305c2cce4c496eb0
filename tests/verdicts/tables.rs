//! The tables of `docs/verdicts.md`, in Markdown, from looks.

use std::collections::BTreeMap;

use crate::behaviours::Label;
use crate::behaviours::kinds::Group;
use crate::look::{Is, Look, Quick, SOON, Said, TIMES};

/// From so many leaked blocks on a leak is to be found.
pub const ENOUGH: u64 = 50;

/// Sums over looks.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sums {
    /// Looks at leaks that have begun.
    pub leaks: usize,
    /// At which they were named, were left open, were taken for something else.
    pub named: usize,
    pub open: usize,
    pub cleared: usize,
    /// The same of leaks that have made [`ENOUGH`] blocks.
    pub large: usize,
    pub large_named: usize,
    pub large_open: usize,
    /// Looks at processes that freed too often, and at which that was said.
    pub over: usize,
    pub over_named: usize,
    /// Looks at innocents, left open, taken for what they are, accused.
    pub innocents: usize,
    pub innocents_open: usize,
    pub innocents_accused: usize,
    /// The same of those that had shown what they are.
    pub shown: usize,
    pub shown_accused: usize,
    /// Wrong accusations of whatever, and those of what could have been known.
    pub wrong: usize,
    pub wrong_known: usize,
}

impl Sums {
    pub fn of<'a>(looks: impl IntoIterator<Item = &'a Look>) -> Self {
        let mut sums = Sums::default();
        looks.into_iter().for_each(|look| sums.add(look));
        sums
    }

    fn add(&mut self, look: &Look) {
        let one = |holds: bool| usize::from(holds);
        let (named, open) = (look.said == Said::Named, look.said == Said::Open);
        self.wrong += look.wrong();
        self.wrong_known += look.count(Is::Wrong);
        match look.label {
            Label::Accumulates if look.accumulated > 0 => {
                let large = look.accumulated >= ENOUGH;
                self.leaks += 1;
                self.named += one(named);
                self.open += one(open);
                self.cleared += one(look.said == Said::Cleared);
                self.large += one(large);
                self.large_named += one(large && named);
                self.large_open += one(large && open);
            }
            Label::OverRelease if look.accumulated > 0 => {
                self.over += 1;
                self.over_named += one(named);
            }
            // What has not begun is innocent still.
            Label::Accumulates | Label::OverRelease => {}
            Label::Innocent => {
                self.innocents += 1;
                self.innocents_open += one(open);
                self.innocents_accused += one(named);
                self.shown += one(look.shown);
                self.shown_accused += one(look.shown && named);
            }
        }
    }

    /// Of all accusations, those that are right: one for each look at a leak that is named, one for
    /// each stack that is accused wrongly.
    pub fn precision(&self) -> f64 {
        let right = self.named + self.over_named;
        share(right, right + self.wrong)
    }

    /// The same without those of innocents that had not shown yet what they are.
    pub fn precision_known(&self) -> f64 {
        let right = self.named + self.over_named;
        share(right, right + self.wrong_known)
    }

    /// Of the leaks that made enough blocks, those that are named.
    pub fn recall(&self) -> f64 {
        share(self.large_named, self.large)
    }
}

/// `NaN` where there is nothing to have a share of; shown as a dash.
pub fn share(part: usize, of: usize) -> f64 {
    part as f64 / of as f64
}

fn shown(share: f64) -> String {
    if share.is_nan() { "-".into() } else { format!("{share:.3}") }
}

pub fn over_time(looks: &[Look]) {
    println!(
        "\n| watched | leaks begun: named | left open | taken for something else | of {ENOUGH} blocks: \
         named | over-releases named | innocent: accused | left open | accused of those that had \
         shown it | wrong suspects | precision | where it could be known | recall at {ENOUGH} |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|---|---|---|");
    for time in TIMES {
        let sums = Sums::of(looks.iter().filter(|look| look.at == time));
        row(&duration(time), &sums);
    }
    row("all of these", &Sums::of(looks));
    row("at the end", &Sums::of(looks.iter().filter(|look| look.last)));
}

/// Where the subject has so many live blocks: what never freed one looks alike, leak or not.
pub fn by_frees(looks: &[Look]) {
    println!(
        "\n| the subject has {ENOUGH} blocks and | leaks: named | innocent, not shown yet: accused | \
         innocent, shown: accused |\n|---|---|---|---|"
    );
    for (name, freed) in [("never freed one", false), ("has freed others", true)] {
        let large = looks.iter().filter(|look| look.freed == freed && look.live >= ENOUGH);
        let Sums { large_named, large, shown, shown_accused, innocents, innocents_accused, .. } =
            Sums::of(large);
        let (early, early_accused) = (innocents - shown, innocents_accused - shown_accused);
        println!(
            "| {name} | {large_named} of {large} | {early_accused} of {early} | \
             {shown_accused} of {shown} |"
        );
    }
}

fn row(name: &str, sums: &Sums) {
    println!(
        "| {name} | {} of {} | {} | {} | {} of {} | {} of {} | {} of {} | {} | {} of {} | {} | {} | \
         {} | {} |",
        sums.named,
        sums.leaks,
        sums.open,
        sums.cleared,
        sums.large_named,
        sums.large,
        sums.over_named,
        sums.over,
        sums.innocents_accused,
        sums.innocents,
        sums.innocents_open,
        sums.shown_accused,
        sums.shown,
        sums.wrong,
        shown(sums.precision()),
        shown(sums.precision_known()),
        shown(sums.recall()),
    );
}

fn duration(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..3600 => format!("{} min", seconds / 60),
        3600..86_400 => format!("{} h", seconds / 3600),
        _ => format!("{} d", seconds / 86_400),
    }
}

/// Of the suspects stated with a confidence, how many are true.
pub fn reliability(looks: &[Look]) {
    println!("\n| stated | suspects | true | share | share where it could be known |");
    println!("|---|---|---|---|---|");
    for (low, high, name) in
        [(0.7, 0.8, "0.7 to 0.8"), (0.8, 0.9, "0.8 to 0.9"), (0.9, 2.0, "0.9 on")]
    {
        let stated = looks.iter().flat_map(|look| &look.suspects);
        let stated: Vec<Is> = stated
            .filter(|(confidence, _)| (low..high).contains(confidence))
            .map(|(_, is)| *is)
            .collect();
        let count = |what: Is| stated.iter().filter(|is| **is == what).count();
        let (all, right) = (stated.len(), count(Is::Right));
        let (of_all, of_known) = (share(right, all), share(right, all - count(Is::Early)));
        println!("| {name} | {all} | {right} | {} | {} |", shown(of_all), shown(of_known));
    }
}

/// Kind by kind, over the times of the tables.
pub fn by_kind(looks: &[Look]) {
    let mut kinds: Vec<&str> = Vec::new();
    for look in looks {
        if !kinds.contains(&look.kind) {
            kinds.push(look.kind);
        }
    }
    println!(
        "\n| kind | of {ENOUGH} blocks: named | left open | over-releases named | innocent: accused | \
         left open | accused of those that had shown it | other suspects |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    for kind in kinds {
        let sums = Sums::of(looks.iter().filter(|look| look.kind == kind));
        let of = |part: usize, of: usize| match of {
            0 => String::new(),
            _ => format!("{part} of {of}"),
        };
        println!(
            "| {kind} | {} | {} | {} | {} | {} | {} | {} |",
            of(sums.large_named, sums.large),
            of(sums.large_open, sums.large),
            of(sums.over_named, sums.over),
            of(sums.innocents_accused, sums.innocents),
            of(sums.innocents_open, sums.innocents),
            of(sums.shown_accused, sums.shown),
            sums.wrong - sums.innocents_accused,
        );
    }
}

/// Looks at the innocent at every mark that accuse, by sort of behaviour.
pub fn by_group(looks: &[Look]) {
    let mut groups: BTreeMap<Group, Vec<&Look>> = BTreeMap::new();
    for look in looks.iter().filter(|look| look.label == Label::Innocent) {
        groups.entry(look.group).or_default().push(look);
    }
    println!("\n| innocent | looks | accuse | share | after it had shown it: looks | accuse |");
    println!("|---|---|---|---|---|---|");
    let row = |name: String, sums: Sums| {
        println!(
            "| {name} | {} | {} | {} | {} | {} |",
            sums.innocents,
            sums.innocents_accused,
            shown(share(sums.innocents_accused, sums.innocents)),
            sums.shown,
            sums.shown_accused
        );
    };
    for (group, looks) in &groups {
        row(group.name().into(), Sums::of(looks.iter().copied()));
    }
    row("all".into(), Sums::of(groups.into_values().flatten()));
}

/// Times from the first leaked block to the first suspect.
pub fn first_suspects(name: &str, of: &[Quick]) {
    let mut found: Vec<f64> = of.iter().filter_map(|of| of.named).collect();
    found.sort_by(f64::total_cmp);
    let within = |limit: f64| found.iter().filter(|time| **time <= limit).count();
    let median = found.get(of.len() / 2).map_or("never".into(), |time| format!("{time:.0} s"));
    let count = of.len();
    let (soon, later) = (within(SOON), within(60.0));
    let frees = of.iter().filter(|of| of.frees).count();
    let soon_share = shown(share(soon, count));
    println!(
        "| {name} | {count} | {frees} | {soon} ({soon_share}) | {later} | {} | {median} |",
        found.len()
    );
}

pub fn first_suspects_head() {
    println!(
        "\n| leaks of 100 blocks a minute | runs | that had freed others by 15 s | within 15 s | within 60 s | \
         ever | median |\n|---|---|---|---|---|---|---|"
    );
}

/// Whether a target is met, said and not asserted.
pub fn target(what: &str, is: f64, at_least: f64) {
    let met = if is >= at_least { "met" } else { "NOT met" };
    println!("{what}: {is:.3}, target {at_least}: {met}");
}
