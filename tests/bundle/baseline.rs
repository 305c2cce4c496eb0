//! What became of each suspect since an earlier recording.

use unfreed::read::trace::{Header, Writer};

use super::*;

#[test]
fn a_baseline_says_what_became_of_each_suspect() {
    let (home, before) = written(&story().build());
    let mut fixed = Synth::windows();
    let web = fixed.process("Inetinfo.exe");
    fixed.module(web, windows_module("Cdoexm.dll", "6.0.6617.86"));
    fixed.churn(web, &LEAK, 260, 500, 0.0..4.9, 0.05);
    fixed.churn(web, &CHURN, 100, 3000, 0.0..4.9, 0.05);
    let after = home.path().join("after.unfreed");
    fs::write(&after, fixed.build()).unwrap();
    for (file, says) in [("r.json", "fixed"), ("r.md", "1 fixed"), ("r.html", "1 fixed")] {
        let report = home.path().join(file);
        done(&["report", plain(&after), "-o", plain(&report), "--baseline", plain(&before)]);
        let text = fs::read_to_string(&report).unwrap();
        assert!(text.contains(says), "{file}: {text}");
    }
    let report = fs::read(home.path().join("r.json")).unwrap();
    let report: Value = serde_json::from_slice(&report).unwrap();
    let change = &report["baseline"]["changes"][0];
    assert_eq!(
        (&change["outcome"], &change["version_after"]),
        (&"fixed".into(), &"6.0.6617.86".into())
    );
    let case = case(&before, &["--baseline", plain(&before)]);
    let report: Value = serde_json::from_slice(&unpacked(&case)["report.json"]).unwrap();
    assert_eq!(report["baseline"]["changes"][0]["outcome"], "unchanged");
}

#[test]
fn a_baseline_tells_what_grows_less_from_what_grows_more() {
    let leaking = |blocks| {
        let mut story = Synth::windows();
        let web = story.process("Inetinfo.exe");
        story.module(web, windows_module("Cdoexm.dll", "6.0.6617.47"));
        story.leak(web, &LEAK, 260, blocks, 0.0..5.0);
        story.churn(web, &CHURN, 100, 3000, 0.0..4.9, 0.05);
        story.build()
    };
    let (home, much) = written(&leaking(1250));
    let little = home.path().join("little.unfreed");
    fs::write(&little, leaking(500)).unwrap();
    for (before, after, outcome) in [(&much, &little, "improved"), (&little, &much, "worse")] {
        for file in ["r.json", "r.md", "r.html"] {
            let report = home.path().join(file);
            done(&["report", plain(after), "-o", plain(&report), "--baseline", plain(before)]);
            let text = fs::read_to_string(&report).unwrap();
            assert!(text.contains(&format!("1 {outcome}")) || file == "r.json", "{file}: {text}");
        }
        let report = fs::read(home.path().join("r.json")).unwrap();
        let report: Value = serde_json::from_slice(&report).unwrap();
        let changes = report["baseline"]["changes"].as_array().unwrap();
        assert_eq!((changes.len(), &changes[0]["outcome"]), (1, &outcome.into()), "{changes:?}");
        // By what they were measured to grow: 65,000 and 26,000 bytes a second.
        let rate = |side: &str| changes[0][side]["growth_bytes_per_s"].as_f64().unwrap();
        let ratio = rate("after") / rate("before");
        let expected = if outcome == "improved" { 0.4 } else { 2.5 };
        assert!((ratio / expected - 1.0).abs() < 0.05, "{changes:?}");
    }
}

/// Two logs an hour apart with so many blocks of the leaking stack; `timed` is whether their files say when.
fn snapshots(home: &Path, name: &str, blocks: [u32; 2], timed: bool) -> PathBuf {
    let mut files = Vec::new();
    for (hour, blocks) in (0..).zip(blocks) {
        let mut case = evidence::kb896064("6.0.6603.1");
        case.stacks[0].blocks[0] = blocks;
        let form = evidence::leakdiag::Form { symbols: true, split: true };
        let path = home.join(format!("{name}-{hour}.xml"));
        fs::write(&path, evidence::leakdiag::log(&case, 0, form)).unwrap();
        let seconds = 1_142_404_200 + if timed { 3600 * hour } else { 0 };
        let at = UNIX_EPOCH + Duration::from_secs(seconds);
        File::options().write(true).open(&path).unwrap().set_modified(at).unwrap();
        files.push(path);
    }
    let case = home.join(format!("{name}.zip"));
    done(&["report", plain(&files[0]), plain(&files[1]), "-o", plain(&case)]);
    case
}

#[test]
fn a_fix_is_proven_by_a_trace_and_never_by_snapshots_alone() {
    let home = tempfile::tempdir().unwrap();
    let before = snapshots(home.path(), "before", [120, 3120], true);
    let untimed = snapshots(home.path(), "untimed", [120, 3120], false);
    let after = snapshots(home.path(), "after", [120, 120], true);
    // The same calls, in a version that frees: as many blocks in the same time.
    let mut fixed = Synth::windows();
    let program = fixed.process("mailboxes.exe");
    fixed.module(program, windows_module("Cdoexm.dll", "6.0.6617.63"));
    let stack = [
        "ntdll.dll!RtlAllocateHeap",
        "Cdoexm.dll!CMailboxStore::Open",
        "mailboxes.exe!main",
        "KERNEL32.dll!BaseProcessStart",
    ];
    fixed.churn(program, &stack, 260, 3000, 0.0..3599.0, 0.5);
    let traced = home.path().join("traced.unfreed");
    fs::write(&traced, fixed.build()).unwrap();
    for (before, after, outcome, lack) in [
        (&before, &after, "undecided", "moments".into()),
        (&before, &traced, "fixed", Value::Null),
        (&untimed, &traced, "undecided", "times".into()),
    ] {
        let report = home.path().join("r.json");
        done(&["report", plain(after), "-o", plain(&report), "--baseline", plain(before)]);
        let report: Value = serde_json::from_slice(&fs::read(report).unwrap()).unwrap();
        let change = &report["baseline"]["changes"][0];
        assert_eq!(
            (&change["outcome"], &change["undecided_by"]),
            (&outcome.into(), &lack),
            "{change}"
        );
    }
}

#[test]
fn the_wrong_order_of_the_files_is_noticed() {
    let (home, first) = written(&story().build());
    let second = home.path().join("second.unfreed");
    let events = story().events();
    let header = Reader::new(story().build().as_slice()).unwrap().header().clone();
    let later = Header { started_unix_ns: header.started_unix_ns + 1_000_000_000, ..header };
    let mut writer = Writer::new(File::create(&second).unwrap(), &later).unwrap();
    events.iter().for_each(|event| writer.write(event).unwrap());
    writer.finish().unwrap();
    for (before, after, reversed) in [(&first, &second, false), (&second, &first, true)] {
        let report = home.path().join("r.json");
        done(&["report", plain(after), "-o", plain(&report), "--baseline", plain(before)]);
        let report: Value = serde_json::from_slice(&fs::read(report).unwrap()).unwrap();
        assert_eq!(report["baseline"]["reversed"], reversed);
        let said = unfreed(&["diff", plain(before), plain(after)]).stdout;
        let said = unwrapped(&String::from_utf8(said).unwrap());
        assert_eq!(said.contains("is the order wrong?"), reversed, "{said}");
    }
}

#[test]
fn what_ran_for_less_time_or_did_less_is_not_fixed() {
    let leaking = story();
    let quiet = |blocks: u32, seconds: f64| {
        let mut after = Synth::windows();
        let web = after.process("Inetinfo.exe");
        after.module(web, windows_module("Cdoexm.dll", "6.0.6617.86"));
        after.churn(web, &LEAK, 260, blocks, 0.0..seconds, 0.05);
        after.churn(web, &CHURN, 100, 3000, 0.0..seconds, 0.05);
        after.build()
    };
    let (home, before) = written(&leaking.build());
    let after = home.path().join("after.unfreed");
    for (blocks, seconds, outcome) in
        [(500, 4.9, "fixed"), (2, 4.9, "undecided"), (50, 0.5, "undecided")]
    {
        fs::write(&after, quiet(blocks, seconds)).unwrap();
        let report = home.path().join("r.json");
        done(&["report", plain(&after), "-o", plain(&report), "--baseline", plain(&before)]);
        let report: Value = serde_json::from_slice(&fs::read(report).unwrap()).unwrap();
        let change = &report["baseline"]["changes"][0];
        assert_eq!(change["outcome"], outcome, "{blocks} in {seconds} s: {change}");
        assert_eq!(
            (&change["version_before"], &change["version_after"]),
            (&"6.0.6617.47".into(), &"6.0.6617.86".into())
        );
    }
}
