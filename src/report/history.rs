//! How a suspect's blocks came and went: the live set over time, the sizes asked for and the lifetimes of what was freed. The
//! same numbers that the verdict rests on, to be drawn.

use serde::{Deserialize, Serialize};

use crate::event::Time;
use crate::ledger::{Image, Ledger, Site};

/// What happened at one site.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct History {
    /// The live set over time, oldest first.
    pub live: Vec<LiveSpan>,
    /// Sizes of allocated blocks, in bytes; each bar from a power of two to below the next.
    pub sizes: Vec<Bar>,
    /// Lifetimes of freed blocks, in nanoseconds; the same.
    pub lifetimes: Vec<Bar>,
}

/// The live set in one span of time.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct LiveSpan {
    /// When it began, in seconds after the trace did.
    pub from_s: f64,
    /// When it ended.
    pub to_s: f64,
    /// The fewest live blocks at any moment of it.
    pub low_blocks: u64,
    /// The most.
    pub high_blocks: u64,
    /// Blocks allocated in it; `None` where only snapshots tell of the site.
    pub born_blocks: Option<u64>,
    /// Those of them that still live; the same.
    pub alive_blocks: Option<u64>,
}

/// A bar of a histogram.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bar {
    /// The least value that counts.
    pub from: u64,
    /// The most.
    pub to: u64,
    /// How many.
    pub count: u64,
}

/// The history of a site.
pub fn history(ledger: &Ledger, site: &Site) -> History {
    let bar = |(from, to, count)| Bar { from, to, count };
    History {
        live: live(ledger, site),
        sizes: site.sizes.bars().into_iter().map(bar).collect(),
        lifetimes: site.lifetimes.bars().into_iter().map(bar).collect(),
    }
}

fn live(ledger: &Ledger, site: &Site) -> Vec<LiveSpan> {
    if site.allocations == 0 {
        return by_snapshots(ledger, site);
    }
    let Some(image) = ledger.image(site.process) else { return Vec::new() };
    let (grid, _) = ledger.grid(image);
    let end = ledger.end(image);
    let cohorts = ledger.cohorts(site).into_iter().enumerate();
    cohorts
        .map(|(epoch, cohort)| {
            let from = image.began.0.saturating_add(grid.width().saturating_mul(epoch as u64));
            let to = from.saturating_add(grid.width()).min(end.0);
            LiveSpan {
                from_s: since(ledger, from),
                to_s: since(ledger, to),
                low_blocks: cohort.low,
                high_blocks: cohort.high,
                born_blocks: Some(cohort.born),
                alive_blocks: Some(cohort.alive),
            }
        })
        .collect()
}

/// A snapshot that does not list the stack found none of its blocks, unless it lists some stacks only.
fn by_snapshots(ledger: &Ledger, site: &Site) -> Vec<LiveSpan> {
    let listed = site.snapshots.points();
    let blocks = |number: u32| {
        let found = listed.iter().find(|(listed, _)| *listed == number);
        found.map_or(0, |(_, set)| set.blocks)
    };
    let image = ledger.image(site.process);
    let taken = image.map_or(&[][..], Image::snapshots);
    let lists_some = image.is_some_and(|image| image.lists_some);
    let known = |number: u32| !lists_some || listed.iter().any(|(listed, _)| *listed == number);
    let points = taken.iter().filter(|(number, _)| known(*number)).map(|(number, at)| {
        let (at, blocks) = (since(ledger, at.0), blocks(*number));
        LiveSpan {
            from_s: at,
            to_s: at,
            low_blocks: blocks,
            high_blocks: blocks,
            born_blocks: None,
            alive_blocks: None,
        }
    });
    points.collect()
}

fn since(ledger: &Ledger, time: u64) -> f64 {
    Time(time.saturating_sub(ledger.began().unwrap_or_default().0)).seconds()
}
