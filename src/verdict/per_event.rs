//! Blocks that stayed per marked event: those born between marks with counts that still live,
//! over what the marks count. Known only for blocks seen one by one.

use crate::ledger::{Estimate, Ledger, Site, Weight};

/// Per site, in the ledger's order, `None` where its blocks were counted and not listed; empty where
/// no mark carries a count. An estimate where the process was sampled.
pub(super) fn blocks(ledger: &Ledger) -> Vec<Option<Estimate>> {
    let Some(events) = ledger.marks().events().filter(|events| *events > 0) else {
        return Vec::new();
    };
    let mut stayed = vec![Weight::default(); ledger.sites().count()];
    let one = Weight::exact(1, 0);
    for image in ledger.images() {
        for block in image.live() {
            if let Some(sum) = stayed.get_mut(block.site.0 as usize)
                && ledger.marks().covers(block.born)
            {
                *sum = sum.and(image.sampling.map_or(one, |by| by.weight(block.size)));
            }
        }
    }
    let known = |(stayed, (_, site)): (Weight, (_, &Site))| {
        (!site.tallied).then(|| stayed.blocks().per(events as f64))
    };
    stayed.into_iter().zip(ledger.sites()).map(known).collect()
}
