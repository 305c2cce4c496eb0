//! A redacted case holds no name that was planted, and all that the product is called.

use super::*;

/// What nobody may find in a redacted case.
const PLANTED: [&str; 15] = [
    "jdoe",
    "Jane.Roe",
    "mail01",
    "corp.example",
    "secret-project",
    "hunter2",
    "--password",
    "quarterly",
    "bigclient",
    "fileserv9",
    "buildbox",
    "nightly-drop",
    "tallysheet",
    "pts/0",
    "symbols-of-jdoe",
];

fn planted() -> Synth {
    let mut story = story();
    let web = unfreed::event::ProcessId(0);
    let mut module = windows_module("Third.dll", "1.2.3.4");
    module.path = r"C:\Documents and Settings\jdoe\secret-project\Third.dll".to_owned();
    story.module(web, module);
    let stack = ["msvcrt.dll!malloc", "Third.dll!Store::Keep", "w3svc.dll!main"];
    story.leak(web, &stack, 80, 400, 0.0..5.0);
    let command = [
        r"D:\bigclient\Inetinfo.exe",
        "--password=hunter2",
        r"\\fileserv9\quarterly\mail.edb",
        "--relay=mail01.corp.example",
    ];
    let process = Process {
        pid: 2000,
        parent: 1,
        name: "Inetinfo.exe".to_owned(),
        command: command.map(str::to_owned).to_vec(),
        from_start: true,
        sampled: None,
    };
    story.event(0.0, unfreed::event::ProcessId(1), What::Process(Box::new(process)));
    let called = ["sshd: jdoe@pts/0"].map(str::to_owned).to_vec();
    let process = Process {
        pid: 2001,
        parent: 1,
        name: "sshd".to_owned(),
        command: called,
        from_start: true,
        sampled: None,
    };
    story.event(0.0, unfreed::event::ProcessId(2), What::Process(Box::new(process)));
    story.fact(
        FactKind::Setting,
        r"HKLM\SOFTWARE\Vendor\Last",
        Some(r"D:\bigclient\Tallysheet of 2004.mdb"),
    );
    story.mark(1.0, "mail to Jane.Roe@corp.example from jdoe via MAIL01 (hunter2)", Some(3));
    story.event(1.0, web, What::Thread("worker of jdoe".into()));
    let setting = r"C:\Program Files\Exchsrvr\quarterly\report.mdb on http://mail01.corp.example/x";
    story.fact(FactKind::Setting, r"HKLM\SOFTWARE\Vendor\Store", Some(setting));
    story.fact(FactKind::NotTraced, r"/home/jdoe/bin/helper (process 7)", Some("static"));
    let function = NamedFunction {
        function: "Store::Flush".to_owned(),
        file: Some("/home/buildbox/nightly-drop/src/store.cpp".to_owned()),
        line: Some(7),
    };
    let module = unfreed::event::ModuleId(0);
    let name = Name { module, offset: 0x4242, functions: vec![function] };
    story.event(4.0, web, What::Name(Box::new(name)));
    story
}

/// Where a text stands in bytes, in any encoding and in any case.
pub fn holds(bytes: &[u8], text: &str) -> bool {
    let lower = bytes.to_ascii_lowercase();
    let text = text.to_lowercase();
    let wide = |to: fn(u16) -> [u8; 2]| text.encode_utf16().flat_map(to).collect::<Vec<u8>>();
    [text.as_bytes().to_vec(), wide(u16::to_le_bytes), wide(u16::to_be_bytes)]
        .iter()
        .any(|needle| lower.windows(needle.len()).any(|part| part == needle))
}

#[test]
fn a_redacted_case_holds_none_of_the_names_and_the_key_stays_outside() {
    let (home, _) = written(b"");
    let directory = home.path().join("secret-project");
    fs::create_dir(&directory).unwrap();
    let trace = directory.join("jdoe.unfreed");
    fs::write(&trace, planted().build()).unwrap();
    let text = format!("{:?}", planted().events()).replace("\\\\", "\\");
    let symbols = directory.join("symbols-of-jdoe");
    for name in PLANTED {
        let planted = holds(text.as_bytes(), name) || holds(plain(&symbols).as_bytes(), name);
        assert!(planted, "{name} is not planted");
    }
    fs::write(&symbols, "no symbols").unwrap();
    let more = ["--redact", "--baseline", plain(&trace), "--symbols", plain(&symbols)];
    let case = case(&trace, &more);
    let parts = unpacked(&case);
    let decoded = format!("{:?}", events(&parts["trace.unfreed"]));
    for name in PLANTED {
        for (part, bytes) in &parts {
            assert!(!holds(bytes, name) && !holds(part.as_bytes(), name), "{name} in {part}");
        }
        assert!(!holds(decoded.as_bytes(), name), "{name} in the trace's events");
        assert!(!holds(&fs::read(&case).unwrap(), name), "{name} in the archive");
    }
    let (original, again) = (analyze(&trace), analyze(&case));
    let key = |report: &Value| -> Vec<String> {
        let suspects = report["suspects"].as_array().unwrap().iter();
        let of = |s: &Value| {
            format!(
                "{}{}{}{}",
                s["function"], s["confidence"], s["module"]["name"], s["module"]["version"]
            )
        };
        suspects.map(of).collect()
    };
    assert_eq!(key(&again), key(&original));
    assert!(key(&again).join(" ").contains("\"Third.dll\"\"1.2.3.4\""), "{:?}", key(&again));
    let manifest = manifest(&parts);
    assert_eq!(manifest["trace"]["same_suspects"], true);
    for kind in ["user", "host", "path", "argument", "mail"] {
        assert!(manifest["redacted"][kind].as_u64().unwrap() > 0, "{manifest}");
    }
    let key_file = case.with_file_name("case.key.json");
    let key: Value = serde_json::from_slice(&fs::read(&key_file).unwrap()).unwrap();
    assert!(key.to_string().contains("hunter2") && key["user-1"].is_string(), "{key}");
    let mode =
        std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&key_file).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
    // The same name is the same token: in the path and in the mark.
    let jdoe = key.as_object().unwrap().iter().find(|(_, name)| *name == "jdoe").unwrap().0;
    assert!(decoded.contains(&format!("Settings\\\\{jdoe}\\\\")), "{jdoe}");
    assert!(decoded.contains(&format!("from {jdoe} via")), "{jdoe}");
}

#[test]
fn a_real_program_keeps_its_names_where_its_paths_are_gone() {
    support::require!("cc");
    let (home, _) = written(b"");
    let trace = home.path().join("keeps.unfreed");
    let program = support::programs::c("keeps");
    done(&["record", "-q", "-o", plain(&trace), "--", plain(&program), "3000"]);
    let case = case(&trace, &["--redact"]);
    let functions = |file: &Path| -> Vec<Value> {
        let report = analyze(file);
        let suspects = report["suspects"].as_array().unwrap().iter();
        suspects.map(|s| serde_json::json!([s["function"], s["confidence"]])).collect()
    };
    assert_eq!(functions(&case), functions(&trace));
    assert!(functions(&case)[0][0].is_string());
    let parts = unpacked(&case);
    assert_eq!(manifest(&parts)["trace"]["same_suspects"], true);
    let directory = program.parent().unwrap();
    for (part, bytes) in &parts {
        assert!(!holds(bytes, plain(directory)), "{part}");
    }
    assert!(!format!("{:?}", events(&parts["trace.unfreed"])).contains(plain(directory)));
}

#[test]
fn users_that_are_called_as_a_product_take_nothing_from_it() {
    let mut story = Synth::linux();
    let broker = story.process("mosquitto");
    let of = |name: &str| {
        let mut module = synth::linux_module(name);
        module.path = format!("/home/mosquitto/secret/{name}");
        module.file_version = Some("2.0.21".to_owned());
        module
    };
    story.module(broker, of("libmosquitto.so.1"));
    let stack = ["libc.so.6!malloc", "libmosquitto.so.1!mosquitto::store", "mosquitto!main"];
    story.leak(broker, &stack, 80, 400, 0.0..5.0);
    let (_home, trace) = written(&story.build());
    let case = case(&trace, &["--redact"]);
    let (original, again) = (analyze(&trace), analyze(&case));
    let (before, after) = (&original["suspects"][0], &again["suspects"][0]);
    for field in ["function", "process", "confidence"] {
        assert_eq!(after[field], before[field], "{field}");
    }
    for field in ["name", "version"] {
        assert_eq!(after["module"][field], before["module"][field], "{field}");
    }
    assert_eq!(after["function"], "mosquitto::store");
    assert!(unpacked(&case).values().all(|bytes| !holds(bytes, "secret")));
}

#[test]
fn what_only_this_machine_knows_is_redacted_too() {
    support::require!("cc");
    let (home, _) = written(b"");
    let trace = home.path().join("keeps.unfreed");
    let program = support::programs::c("keeps");
    done(&["record", "-q", "-o", plain(&trace), "--", plain(&program), "3000"]);
    let long = home
        .path()
        .join("of-janeroe")
        .join("a-directory-so-long-that-its-line-is-broken")
        .join("in-acme-works");
    fs::create_dir_all(&long).unwrap();
    let case = home.path().join("case.zip");
    let mut command = Command::new(env!("CARGO_BIN_EXE_unfreed"));
    command.args([
        "report",
        plain(&trace),
        "-o",
        plain(&case),
        "--redact",
        "--min-confidence",
        "1",
    ]);
    // A user who is called as a function is that only symbols tell of.
    command.env("USER", "nobody").env("SUDO_USER", "sometimes").env("HOME", "/home/janeroe");
    command.env("TMPDIR", &long);
    let server =
        "https://janeroe:hunter2@symbols.acme-works.example/a/way/that/is/too/long/for/a/line";
    // The servers are named, and asked nothing: there is no such domain.
    command.env("DEBUGINFOD_URLS", server);
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let parts = unpacked(&case);
    assert!(holds(&parts["report.html"], "keeps"), "the flame graph");
    for name in ["sometimes", "janeroe", "acme", "hunter2", "so-long-that"] {
        for (part, bytes) in &parts {
            assert!(!holds(bytes, name), "{name} in {part}");
        }
        let told = format!("{:?}", events(&parts["trace.unfreed"]));
        assert!(!told.contains(name), "{name} in the trace's events");
    }
}

#[test]
fn a_key_is_never_written_over() {
    let (home, trace) = written(&planted().build());
    let first = case(&trace, &["--redact"]);
    let key = home.path().join("case.key.json");
    let (before, archive) = (fs::read(&key).unwrap(), fs::read(&first).unwrap());
    let refused = unfreed(&["report", plain(&trace), "-o", plain(&first), "--redact"]);
    let said = unwrapped(&String::from_utf8_lossy(&refused.stderr));
    assert!(refused.status.code() == Some(2) && said.contains("key of an earlier case"), "{said}");
    let run = ["run", "-q", "--redact", "--report", plain(&first), "--", "/bin/true"];
    assert_eq!(unfreed(&run).status.code(), Some(2), "told before anything runs");
    assert_eq!((fs::read(&key).unwrap(), fs::read(&first).unwrap()), (before, archive));
}

#[test]
fn originals_never_go_into_a_redacted_case() {
    let (home, trace) = written(&planted().build());
    let out = home.path().join("case.zip");
    let options = ["--redact", "--with-originals"];
    let refused = unfreed(&[&["report", plain(&trace), "-o", plain(&out)], &options[..]].concat());
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(refused.status.code() == Some(2) && said.contains("cannot be used with"), "{said}");
    assert!(!out.exists());
}
