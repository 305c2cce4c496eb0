//! What a reachability scan found, as the report tells it: of a process, and of one site's blocks.

use std::collections::BTreeMap;

use super::model::{Reached, RootShown, ScanShown};
use crate::event::{ModuleId, Reach, RootKind, Time};
use crate::ledger::{Image, Ledger, Site};

/// The scan of a process; `None` where none was asked for.
pub fn scan(ledger: &Ledger, image: &Image) -> Option<ScanShown> {
    let scan = image.scan.as_ref()?;
    let sites = image.sites().filter_map(|id| ledger.site(id));
    let (mut all, mut lost) = (Sum::default(), Sum::default());
    for reach in sites.flat_map(Site::reach) {
        all.add(reach);
        if reach.root.is_none() {
            lost.add(reach);
        }
    }
    let done = scan.failed.is_none();
    Some(ScanShown {
        failed: scan.failed.clone(),
        stopped_s: (done && scan.stopped != Time(0)).then(|| scan.stopped.seconds()),
        read_bytes: done.then_some(scan.read.0),
        whole: done.then_some(scan.whole),
        unread_bytes: done.then(|| scan.unread.own.0.saturating_add(scan.unread.shared.0)),
        unread: scan.unread.what.clone().filter(|_| done),
        blocks: done.then_some(all.blocks),
        bytes: done.then_some(all.bytes),
        lost_blocks: done.then_some(lost.blocks),
        lost_bytes: done.then_some(lost.bytes),
    })
}

/// What was found of a site's blocks; `None` where they were not looked for.
pub fn reached(ledger: &Ledger, site: &Site) -> Option<Reached> {
    let (mut all, mut lost, mut interior) = (Sum::default(), Sum::default(), 0u64);
    let mut roots: BTreeMap<(RootKind, Option<ModuleId>), (Sum, u64)> = BTreeMap::new();
    for reach in site.reach() {
        all.add(reach);
        interior = interior.saturating_add(reach.interior);
        match reach.root {
            None => lost.add(reach),
            Some(root) => {
                let (sum, offset) =
                    roots.entry((root.kind, root.module)).or_insert((Sum::default(), u64::MAX));
                sum.add(reach);
                *offset = (*offset).min(root.offset);
            }
        }
    }
    let name = |module: ModuleId| Some(ledger.modules().identity(module)?.name.clone());
    let mut roots: Vec<RootShown> = roots
        .into_iter()
        .map(|((kind, module), (sum, offset))| RootShown {
            kind,
            module: module.and_then(name),
            address: (kind != RootKind::Register).then(|| format!("{offset:#x}")),
            blocks: sum.blocks,
            bytes: sum.bytes,
        })
        .collect();
    // Stable: what is equal stays in the order of the kinds.
    roots.sort_by_key(|root| std::cmp::Reverse(root.blocks));
    (all.blocks > 0).then_some(Reached {
        blocks: all.blocks,
        bytes: all.bytes,
        lost_blocks: lost.blocks,
        lost_bytes: lost.bytes,
        interior_blocks: interior,
        roots,
    })
}

#[derive(Clone, Copy, Default)]
struct Sum {
    blocks: u64,
    bytes: u64,
}

impl Sum {
    fn add(&mut self, reach: &Reach) {
        self.blocks = self.blocks.saturating_add(reach.blocks);
        self.bytes = self.bytes.saturating_add(reach.bytes.0);
    }
}
