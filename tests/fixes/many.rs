//! Many suspects against many entries. Time depends on the machine, so this bounds the work: how many entries a suspect is
//! held against in full. `cargo bench --bench fixes` gives the time.

use unfreed::fixes::{Status, candidate_count, explain, match_suspect};

#[path = "crowd.rs"]
mod crowd;

use crowd::{ENTRIES, catalogue, suspects};

#[test]
fn a_suspect_is_held_against_the_few_entries_that_name_what_it_shows() {
    let catalogue = catalogue();
    assert_eq!(catalogue.entries().len(), ENTRIES);
    let suspects = suspects(10_000);
    let counts: Vec<usize> =
        suspects.iter().map(|suspect| candidate_count(&catalogue, &suspect.evidence())).collect();
    let most = counts.iter().max().unwrap();
    assert!(*most <= 16, "a suspect was held against {most} entries of {ENTRIES}");
    let all: usize = counts.iter().sum();
    assert!(all <= 8 * suspects.len(), "{all} judgements for {} suspects", suspects.len());
    assert!(all >= suspects.len() / 2, "the suspects are of those that entries are about: {all}");
}

/// The index leaves nothing out that the whole catalogue would have given.
#[test]
fn the_index_finds_what_the_whole_catalogue_gives() {
    let catalogue = catalogue();
    for suspect in suspects(8) {
        let evidence = suspect.evidence();
        let mut all = explain(&catalogue, &evidence);
        all.retain(|found| found.status != Status::DoesNotApply);
        all.truncate(unfreed::fixes::MAX_MATCHES);
        assert_eq!(match_suspect(&catalogue, &evidence), all);
    }
}
