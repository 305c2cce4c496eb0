//! The snapshots of a case. Each file begins its own numbers at 0; here they are one row for each process, of files that list
//! its stacks in the same form: what one of another form does not list would look freed, and what it does, new.

use std::collections::BTreeSet;

use rustc_hash::FxHashMap;

use crate::event::{ProcessId, Time};

/// How a recording lists blocks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Form<'a> {
    /// What it is: the header's `source`.
    pub kind: &'a str,
    /// Whether it is compared with nothing else: the difference of two snapshots lists only what changed, and by other
    /// names; memleak counts anew whenever it begins.
    pub pair: bool,
}

/// The snapshots of a case.
#[derive(Debug, Default)]
pub(super) struct Snapshots {
    numbers: FxHashMap<(usize, u32), u32>,
    rows: FxHashMap<ProcessId, Row>,
    /// Recordings whose snapshots are of the same time as another's.
    pub unordered: BTreeSet<usize>,
}

/// The recordings whose snapshots of a process are compared.
#[derive(Debug)]
struct Row {
    kind: String,
    /// The one that is compared with nothing else.
    alone: Option<usize>,
    /// The latest snapshot: when, and whose.
    latest: (Time, usize),
}

impl Snapshots {
    /// The case's number for a recording's snapshot of a process. Snapshots come in the order of time. `None` where it cannot be
    /// compared with those before it.
    pub fn number(
        &mut self,
        part: usize,
        form: Form<'_>,
        (process, time): (ProcessId, Time),
        number: u32,
    ) -> Option<u32> {
        let alone = form.pair.then_some(part);
        let row = self.rows.entry(process).or_insert_with(|| Row {
            kind: form.kind.to_owned(),
            alone,
            latest: (time, part),
        });
        if row.kind != form.kind || row.alone != alone {
            return None;
        }
        if row.latest.0 == time && row.latest.1 != part {
            self.unordered.extend([row.latest.1, part]);
        }
        row.latest = (time, part);
        let next = self.numbers.len() as u32;
        Some(*self.numbers.entry((part, number)).or_insert(next))
    }
}
