//! Where next to nothing was ever freed, counts cannot tell a leak from what is not full yet: a cache, a
//! table, a pool on its way to its peak. What is left is how often such a site is a leak after so many
//! blocks and so long a time: what fills has its bound somewhere between a few blocks and very many, a
//! second and days, and the further a site has come the fewer bounds are left. The line below was fitted
//! to the open kinds of behaviour, where the share of leaks rises from three in ten at 10 s to five in
//! ten at a minute, and from four in ten of 50 blocks to nine in ten of 5,000; `docs/verdicts.md` says
//! how well it holds. A look at the references to the blocks would tell more; counts cannot.

use super::growth::MIN_SURVIVORS;
use crate::ledger::Site;

/// A site that freed a smaller share of its blocks counts as one that never did.
const FREES_LITTLE: f64 = 1.0 / 8.0;

/// The confidence with the fewest survivors and the shortest time.
const LEAST: f64 = 0.525;

/// What ten times the survivors add.
const PER_TENFOLD_BLOCKS: f64 = 0.15;

/// What ten times the time adds, between these times in seconds: what is shorter, or longer, is alike
/// in this.
const PER_TENFOLD_TIME: f64 = 0.15;
const SHORT_S: f64 = 30.0;
const LONG_S: f64 = 120.0;

/// Whether nearly everything the site ever allocated still lives.
pub(super) fn is(site: &Site) -> bool {
    site.frees as f64 <= FREES_LITTLE * site.allocations as f64
}

/// The most that such a site can be stated with.
pub(super) fn cap(survivors: f64, duration_s: f64) -> f64 {
    by_time(duration_s) + PER_TENFOLD_BLOCKS * (survivors / MIN_SURVIVORS).log10()
}

/// The survivors from which on that is as much as `bound`; never less than any suspect needs.
pub(super) fn blocks(bound: f64, duration_s: f64) -> f64 {
    let tens = (bound - by_time(duration_s)) / PER_TENFOLD_BLOCKS;
    (MIN_SURVIVORS * 10f64.powf(tens)).max(MIN_SURVIVORS)
}

fn by_time(duration_s: f64) -> f64 {
    LEAST + PER_TENFOLD_TIME * (duration_s.clamp(SHORT_S, LONG_S) / SHORT_S).log10()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_blocks_and_more_time_make_surer() {
        assert!(cap(20.0, 10.0) < 0.55);
        assert!(cap(100.0, 60.0) < 0.7 && cap(1000.0, 60.0) > 0.7);
        assert!(cap(200.0, 300.0) > cap(200.0, 60.0));
        for seconds in [3.0, 30.0, 3600.0] {
            let needed = blocks(0.7, seconds);
            assert!((cap(needed, seconds) - 0.7).abs() < 1e-9);
        }
    }
}
