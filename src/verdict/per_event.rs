//! Blocks that stayed per marked event: those born between marks with counts that still live,
//! over what the marks count. Known only for blocks seen one by one.

use crate::ledger::{Ledger, Site};

/// Per site, in the ledger's order, `None` where its blocks were counted and not listed; empty where
/// no mark carries a count.
pub(super) fn blocks(ledger: &Ledger) -> Vec<Option<f64>> {
    let Some(events) = ledger.marks().events().filter(|events| *events > 0) else {
        return Vec::new();
    };
    let mut stayed = vec![0u64; ledger.sites().count()];
    for block in ledger.images().iter().flat_map(|image| image.live()) {
        if let Some(count) = stayed.get_mut(block.site.0 as usize)
            && ledger.marks().covers(block.born)
        {
            *count += 1;
        }
    }
    let known = |(count, (_, site)): (u64, (_, &Site))| {
        (!site.tallied).then(|| count as f64 / events as f64)
    };
    stayed.into_iter().zip(ledger.sites()).map(known).collect()
}
