//! A trace cut down to the suspects' events.

use super::*;

#[test]
fn a_large_trace_is_cut_to_the_suspects_and_says_the_same() {
    let mut story = story();
    // What makes it large: names of threads, which nothing compresses.
    let mut state = 7u64;
    for at in 0..1600 {
        let noise = (0..4000).map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            char::from(33 + (state >> 33) as u8 % 90)
        });
        let name: String = noise.collect();
        story.event(f64::from(at) * 0.003, unfreed::event::ProcessId(0), What::Thread(name.into()));
    }
    let (_home, trace) = written(&story.build());
    assert!(fs::metadata(&trace).unwrap().len() > 4 << 20);
    let case = case(&trace, &[]);
    let parts = unpacked(&case);
    let kept = &manifest(&parts)["trace"];
    assert_eq!((&kept["whole"], &kept["same_suspects"]), (&false.into(), &true.into()), "{kept}");
    let allocs = |events: &[unfreed::event::Event]| {
        events.iter().filter(|event| matches!(event.what, What::Alloc(_))).count()
    };
    assert_eq!(allocs(&story.events()), 3500);
    assert_eq!(allocs(&events(&parts["trace.unfreed"])), 500, "the suspect's alone");
    let (original, again) = (analyze(&trace), analyze(&case));
    for field in ["function", "confidence", "verdict", "live_blocks", "live_bytes", "fixes"] {
        assert_eq!(again["suspects"][0][field], original["suspects"][0][field], "{field}");
    }
    assert_eq!(again["totals"], original["totals"]);
}

#[test]
fn what_is_cut_away_is_counted() {
    let mut story = story();
    let web = unfreed::event::ProcessId(0);
    let old = story.alloc(1.0, web, &CHURN, 64);
    let kept = story.realloc(2.0, web, &LEAK, old, 128);
    story.realloc(3.0, web, &CHURN, kept, 256);
    let events = story.events();
    let mut whole = Ledger::default();
    events.iter().for_each(|event| whole.apply(event));
    let assessment = judge(&whole);
    let suspects: BTreeSet<_> =
        assessment.accused(0.7).map(|judged| (judged.process, judged.stack)).collect();
    assert_eq!(suspects.len(), 1);
    let mut cut = Cut::new(suspects);
    let mut out = Vec::new();
    events.iter().for_each(|event| cut.event(event, &mut out));
    let mut less = Ledger::default();
    out.iter().for_each(|event| less.apply(event));
    assert_eq!(less.totals(), whole.totals());
    for (id, site) in whole.sites() {
        let other = less.sites().find(|(_, other)| other.stack == site.stack).unwrap().1;
        let counts = |site: &unfreed::ledger::Site| {
            (site.allocations, site.frees, site.live_blocks, site.live_bytes, site.allocated_bytes)
        };
        assert_eq!(counts(other), counts(site), "{id:?}");
    }
}
