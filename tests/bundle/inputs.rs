//! What a manifest says of the recordings, and of what is missing.

use super::*;

#[test]
fn the_manifest_names_every_part_every_input_and_what_is_missing() {
    let bytes = story().build();
    let (_home, trace) = written(&bytes);
    let parts = unpacked(&case(&trace, &["--with-originals"]));
    let manifest = manifest(&parts);
    let mut named = BTreeSet::from(["manifest.json"]);
    for part in manifest["parts"].as_array().unwrap() {
        let name = part["name"].as_str().unwrap();
        named.insert(name);
        assert_eq!(part["sha256"], sha256(&parts[name]), "{name}");
        assert_eq!(part["size"], parts[name].len(), "{name}");
    }
    assert!(parts.keys().all(|part| named.contains(part.as_str())), "{named:?}");
    let input = &manifest["inputs"][0];
    assert_eq!((&input["sha256"], &input["size"]), (&sha256(&bytes).into(), &bytes.len().into()));
    assert_eq!(
        (&input["pids"], &input["name"]),
        (&serde_json::json!([1000]), &plain(&trace).into())
    );
    assert!(input["started_unix_s"].is_number() && input["utc_offset_minutes"].is_number());
    assert_eq!(parts[input["part"].as_str().unwrap()], bytes);
    let missing = manifest["missing"].as_array().unwrap();
    let growth = missing.iter().find(|one| one["what"].as_str().unwrap().contains("samples"));
    assert!(growth.unwrap()["command"].as_str().unwrap().contains("typeperf"), "{missing:?}");
    assert_eq!((&manifest["trace"]["whole"], &manifest["redacted"]), (&true.into(), &Value::Null));
}

#[test]
fn what_was_attached_late_or_has_no_names_is_missing() {
    let mut story = Synth::windows();
    let store = story.running_process("store.exe");
    story.leak(store, &["ntdll.dll+0x10", "Mdbmsg.dll+0x1234"], 260, 500, 0.0..5.0);
    story.fact(
        FactKind::Setting,
        r"HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion\Image File Execution Options\store.exe\GlobalFlag",
        Some("0x1000"),
    );
    let (_home, trace) = written(&story.build());
    let manifest = manifest(&unpacked(&case(&trace, &[])));
    let missing = manifest["missing"].to_string();
    for says in
        ["started late", "gflags /i store.exe +ust", "gflags /i store.exe -ust", "no matching PDB"]
    {
        assert!(missing.contains(says), "{says}: {missing}");
    }
}

#[test]
fn several_recordings_become_one_case() {
    let (home, first) = written(&story().build());
    let second = home.path().join("jdoe-second.unfreed");
    let mut other = Synth::windows();
    other.process("smss.exe");
    let store = other.process("store.exe");
    other.leak(store, &["ntdll.dll!RtlAllocateHeap", "store.exe!keep"], 64, 500, 0.0..5.0);
    fs::write(&second, other.build()).unwrap();
    let case = home.path().join("both.zip");
    done(&["report", plain(&first), plain(&second), "-o", plain(&case), "--redact"]);
    let both = unfreed(&["analyze", "--json", plain(&first), plain(&second)]).stdout;
    let both: Value = serde_json::from_slice(&both).unwrap();
    let again = analyze(&case);
    for field in ["function", "confidence", "process", "live_bytes"] {
        for at in 0..2 {
            assert_eq!(again["suspects"][at][field], both["suspects"][at][field], "{field}");
        }
    }
    assert!(again["suspects"][1].is_object(), "{again:#}");
    let parts = unpacked(&case);
    let manifest = manifest(&parts);
    let inputs = manifest["inputs"].as_array().unwrap();
    let pids: Vec<&Value> = inputs.iter().map(|input| &input["pids"]).collect();
    assert_eq!(
        pids,
        [&serde_json::json!([1000]), &serde_json::json!([1000, 1001])],
        "each its own"
    );
    assert!(inputs.iter().all(|input| input["utc_offset_minutes"].is_number()), "{manifest}");
    assert!(parts.values().all(|bytes| !holds(bytes, "jdoe")));
    assert!(!manifest["inputs"][0]["sha256"].is_null(), "{manifest}");
}

#[test]
fn an_input_that_names_no_process_and_no_zone_gets_none_from_the_others() {
    let (home, trace) = written(&story().build());
    let log = home.path().join("umdh-1.txt");
    fs::write(&log, evidence::umdh::snapshot(&evidence::kb896064("6.0.6603.1"), 0)).unwrap();
    let case = home.path().join("both.zip");
    for files in [vec![&trace, &log], vec![&log]] {
        let files: Vec<&str> = files.into_iter().map(|file| plain(file)).collect();
        done(&[&["report", "-o", plain(&case)], files.as_slice()].concat());
        let manifest = manifest(&unpacked(&case));
        let input = manifest["inputs"].as_array().unwrap().last().unwrap();
        assert_eq!(input["name"], plain(&log));
        assert_eq!(
            (&input["pids"], &input["utc_offset_minutes"]),
            (&serde_json::json!([]), &Value::Null)
        );
    }
}
