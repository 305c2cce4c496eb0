//! The form of pprof, as its readers read it.

use super::*;

#[test]
fn another_reader_of_pprof_finds_the_same_sums() {
    let (_home, trace) = written("mixed.unfreed", mixed());
    let Some(profile) = read_pprof(&export_as("pprof", &trace, &[])) else { return };
    let types = serde_json::json!([
        ["alloc_objects", "count"],
        ["alloc_space", "bytes"],
        ["inuse_objects", "count"],
        ["inuse_space", "bytes"]
    ]);
    assert_eq!((&profile["types"], &profile["default"]), (&types, &"inuse_space".into()));
    let samples = profile["samples"].as_array().unwrap();
    let of = |function: &str| {
        let goes_through = |sample: &&Value| sample["frames"][1]["function"] == function;
        samples.iter().find(goes_through).unwrap()
    };
    let leak = of("CMailbox::Open");
    assert_eq!(leak["values"], serde_json::json!([500, 130_000, 500, 130_000]));
    assert_eq!(leak["labels"], serde_json::json!({"process": "Inetinfo.exe", "pid": 1000}));
    assert_eq!(leak["modules"][1], "C:\\WINNT\\system32\\Cdoexm.dll");
    assert_eq!(leak["frames"][2]["function"], "main");
    assert_eq!(of("answer")["values"], serde_json::json!([300, 30_000, 0, 0]));
    let totals = &analyze(&trace)["totals"];
    for (at, name) in [(0, "allocations"), (2, "live_blocks"), (3, "live_bytes")] {
        let sum: u64 = samples.iter().map(|sample| sample["values"][at].as_u64().unwrap()).sum();
        assert_eq!(sum, totals[name], "{name}");
    }
    let one = read_pprof(&export_as("pprof", &trace, &["--pid", "1001"])).unwrap();
    assert_eq!(one["samples"].as_array().unwrap().len(), 1);
}

#[test]
fn a_profile_of_a_real_program_has_its_files_lines_and_build_ids() {
    support::require!("cc");
    let (_home, trace) = written("keeps.unfreed", Vec::new());
    let program = support::programs::c("keeps");
    done(&["record", "-q", "-o", plain(&trace), "--", plain(&program), "3000"]);
    let Some(profile) = read_pprof(&export_as("pprof", &trace, &[])) else { return };
    let samples = profile["samples"].as_array().unwrap();
    let lose = samples.iter().find(|s| s["frames"][0]["function"] == "lose").unwrap();
    assert_eq!(lose["values"], serde_json::json!([3000, 120_000, 3000, 120_000]));
    assert!(lose["frames"][0]["file"].as_str().unwrap().ends_with("keeps.c"), "{lose}");
    assert!(lose["frames"][0]["line"].as_u64().unwrap() > 0);
    let mut mappings = profile["mappings"].as_array().unwrap().iter();
    assert!(mappings.any(|mapping| mapping[1].as_str().unwrap().len() == 40), "{profile}");
}

#[test]
fn speedscope_imports_both_forms_with_the_same_sum() {
    let (_home, trace) = written("mixed.unfreed", mixed());
    let live = &analyze(&trace)["totals"]["live_bytes"];
    for (form, leaks) in [("pprof", "malloc"), ("collapsed", "malloc [msvcrt.dll]")] {
        let Some(imported) = speedscope(&export_as(form, &trace, &[])) else { return };
        let profiles = imported.as_array().unwrap();
        assert_eq!(profiles.len(), 1, "{form}: {imported:#}");
        let sums = (&profiles[0]["sum"], &profiles[0]["inner"][leaks]);
        assert_eq!(sums, (live, live), "{form}: {imported:#}");
    }
}
