//! What a process's memory was whenever a source measured it, and how much of it the known blocks were at that moment: so that a
//! growth of the whole can be held against the growth of what was traced.

use super::processes::Image;
use super::series::Series;
use super::sites::Site;
use crate::event::{Bytes, Function, Metric, Time};

/// One measurement of a process's memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory {
    /// What was measured, in bytes.
    pub measured: Bytes,
    /// What was known of its blocks then; `None` before the first.
    pub known: Option<KnownMemory>,
}

/// The blocks that lived at a measurement.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KnownMemory {
    /// Bytes in blocks of heaps.
    pub heap: Bytes,
    /// Bytes that the program mapped itself (`VirtualAlloc`, `mmap`).
    pub mapped: Bytes,
}

/// The measurements of one process.
#[derive(Debug, Default)]
pub(super) struct Measured {
    private: Series<Time, Memory>,
    resident: Series<Time, Memory>,
}

impl Measured {
    pub(super) fn push(
        &mut self,
        at: Time,
        metric: Metric,
        value: u64,
        known: Option<KnownMemory>,
    ) {
        let series = match metric {
            Metric::PrivateBytes => &mut self.private,
            Metric::Rss => &mut self.resident,
            _ => return,
        };
        series.push(at, Memory { measured: Bytes(value), known });
    }
}

impl Image {
    /// Its memory over time, oldest first, and which quantity that is: private bytes where they were measured, else
    /// resident ones.
    pub fn memory(&self) -> Option<(Metric, &[(Time, Memory)])> {
        let private = self.measured.private.points();
        let resident = self.measured.resident.points();
        match (private, resident) {
            ([], []) => None,
            ([], resident) => Some((Metric::Rss, resident)),
            (private, _) => Some((Metric::PrivateBytes, private)),
        }
    }
}

/// What the sites of a process hold at this moment; `latest` is the number of the latest snapshot.
pub(super) fn known<'a>(
    sites: impl Iterator<Item = &'a Site>,
    latest: Option<u32>,
) -> Option<KnownMemory> {
    let mut all: Option<KnownMemory> = None;
    for site in sites {
        let known = all.get_or_insert_default();
        let into = match site.function() {
            Function::VirtualAlloc | Function::Mmap => &mut known.mapped,
            _ => &mut known.heap,
        };
        into.0 = into.0.saturating_add(held(site, latest));
    }
    all
}

fn held(site: &Site, latest: Option<u32>) -> u64 {
    if site.allocations > 0 {
        return site.estimated_live_bytes().value.max(0.0) as u64;
    }
    // A snapshot that does not list the stack found none of its blocks.
    match site.snapshots.points().last() {
        Some((number, set)) if Some(*number) == latest => set.bytes.0,
        _ => 0,
    }
}
