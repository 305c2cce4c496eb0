//! All that was kept of one server, as one case: a heap log (constructed, as in `constructed.rs`), counters, logs of UMDH, a
//! dump of the crash and a debugger's list. Each has its own clock and its own way to name the process.

use super::evidence::{Case, debugger, kb900326, umdh};
use super::made::{self, Dump};
use super::synth_etl::{Bits, File, SynthEtl};
use super::table::{self, Process, RELOG};
use super::{Evidence, THEN, analyze, text};

const OLD: &str = "6.5.7226.0";
/// 2009-02-13 23:31:30 UTC: when the builder's heap logs begin.
const BEGAN: u64 = 1_234_567_890;
/// How long it goes on.
const SECONDS: u64 = 240;
/// The pid that the builder's first process has.
const PID: u32 = 1000;
/// What leaks: so many blocks of so many bytes.
const LEAKED: (u64, u64) = (6000, 4096);
/// Where, in the program: not in the files of the article.
const LEAK: [&str; 3] = ["ntdll.dll+0x1110", "Queue.dll+0x4440", "Inetinfo.exe+0x2220"];

/// A dump of the process as it crashed in a file of article 900326; without versions, as small dumps may be.
fn dump(case: &Case, version: [u16; 4]) -> Dump {
    let modules = case.modules.iter().enumerate().map(|(at, module)| {
        let version = if at < 3 { [5, 2, 3790, 0] } else { version };
        made::module(module.path, module.base, version)
    });
    Dump {
        modules: modules.collect(),
        pid: PID,
        written: (BEGAN + SECONDS + 30) as u32,
        exception: Some((0xc000_0005, 0x6100_4321)),
        returns: vec![0x6200_1111, 0x0040_2222],
        regions: vec![(0x1000, 0x2_0000, 0x5000)],
    }
}

/// The heap log of a process that leaks.
fn heap_log() -> Vec<u8> {
    let mut log = SynthEtl::new(Bits::B32);
    let pid = log.process("Inetinfo.exe", 0.1);
    assert_eq!(pid.0, PID);
    log.module(pid, File::new("Queue.dll").version("1.2.3.4"));
    let work = ["ntdll.dll+0x1110", "Inetinfo.exe+0x3330"];
    let until = SECONDS as f64;
    log.churn(pid, &work, 512, 3000, 0.5..until - 1.0, 0.05);
    let (blocks, size) = LEAKED;
    log.leak(pid, &LEAK, size, blocks, 0.5..until);
    log.build()
}

/// Counters every quarter of a minute, in which the process grows as its blocks do.
fn counters() -> String {
    let rows = 28;
    let growth = LEAKED.0 * LEAKED.1 / (SECONDS / 15);
    let program = "Inetinfo";
    let grows =
        Process { program, pid: PID, rows: 0..rows, private: 50_000_000, growth, managed: None };
    let other = Process { program: "lsass", pid: 480, growth: 0, ..grows.clone() };
    // The table begins at 22:30 of its own day, Pacific time; here a minute and a half before the heap log.
    let text = table::write(&[grows, other], rows, RELOG);
    text.replace("03/14/2006 22:3", "02/13/2009 15:3")
}

#[test]
fn all_evidence_of_a_server_is_one_case_of_one_process() {
    let heap_log = heap_log();
    let counters = counters();
    let crash = dump(&kb900326(OLD), [6, 5, 7226, 0]).build();
    let files = [
        Evidence { name: "counters.csv", bytes: counters.as_bytes(), written: THEN },
        Evidence { name: "heap.etl", bytes: &heap_log, written: THEN },
        Evidence { name: "crash.dmp", bytes: &crash, written: THEN },
    ];
    let report = analyze(&files, None);
    assert_eq!(report["source"]["kind"], "counters+etl+minidump");
    for file in report["source"]["files"].as_array().unwrap() {
        assert_eq!(file["placed"], "clock", "{file:#}");
        assert_eq!(file["listed_twice"], 0, "{file:#}");
    }
    let targets = report["target"].as_array().unwrap();
    let ours: Vec<_> = targets.iter().filter(|target| target["pid"] == PID).collect();
    assert_eq!(ours.len(), 1, "joined by pid and name: {targets:#?}");
    assert_eq!(targets.len(), 2, "and lsass, of which only counters tell");

    let said = text(&files);
    for part in ["before the trace", "lsass (process 480) was dumped"] {
        assert!(!said.contains(part), "{part}: {said}");
    }
    assert!(said.contains("was dumped as it raised an exception."), "{said}");

    // What the log lists explains what the counters show.
    let memory = &ours[0]["memory"];
    let number = |of: &str| memory[of].as_i64().unwrap() as f64;
    assert_eq!(memory["metric"], "private-bytes");
    let (growth, unexplained) = (number("growth_bytes"), number("unexplained_bytes"));
    let leaked = (LEAKED.0 * LEAKED.1) as f64;
    assert!((growth / leaked - 1.0).abs() < 0.1, "{memory:#}");
    assert!((number("live_blocks_bytes") / leaked - 1.0).abs() < 0.1, "{memory:#}");
    assert!(unexplained < 0.1 * growth, "{memory:#}");

    let suspects = report["suspects"].as_array().unwrap();
    assert_eq!(suspects.len(), 1, "{suspects:#?}");
    assert_eq!(suspects[0]["module"]["name"], "Queue.dll");
    assert_eq!(suspects[0]["module"]["version"], "1.2.3.4");
    assert_eq!(suspects[0]["pid"], PID);
    assert_eq!(suspects[0]["fixes"], serde_json::json!([]), "the article is not about a leak");
    let crashes = report["crashes"].as_array().unwrap();
    assert_eq!(crashes.len(), 1);
    assert_eq!(
        (&crashes[0]["pid"], &crashes[0]["name"]),
        (&PID.into(), &"access violation".into())
    );
    assert_eq!(crashes[0]["module"]["name"], "Exsmtp.dll");
    let fix = &crashes[0]["fixes"][0];
    assert_eq!((&fix["id"], &fix["status"]), (&"KB900326".into(), &"possible".into()), "{fix:#}");
}

#[test]
fn snapshots_beside_a_heap_log_of_the_same_process_accuse_the_same_module() {
    let mut case = kb900326(OLD);
    case.modules[3].path = r"C:\Program Files\Queue\Queue.dll";
    case.modules[3].version = "1.2.3.4";
    let heap_log = heap_log();
    let [first, second] = [0, 1].map(|which| umdh::snapshot(&case, which));
    let files = [
        Evidence { name: "one.txt", bytes: first.as_bytes(), written: BEGAN + 10 },
        Evidence { name: "heap.etl", bytes: &heap_log, written: THEN },
        Evidence { name: "two.txt", bytes: second.as_bytes(), written: BEGAN + 230 },
    ];
    let report = analyze(&files, None);
    assert_eq!(report["target"].as_array().unwrap().len(), 1, "{:#}", report["target"]);
    assert_eq!(report["target"][0]["pid"], PID, "the snapshots are of the one of their name");
    let suspects = report["suspects"].as_array().unwrap();
    // What UMDH records of a stack differs from what the log does, so that each has its own site.
    let of = |suspect: &serde_json::Value| suspect["module"]["name"].clone();
    assert_eq!(suspects.iter().map(of).collect::<Vec<_>>(), ["Queue.dll", "Queue.dll"]);
    let live = report["totals"]["live_blocks"].as_u64().unwrap();
    assert_eq!(live, LEAKED.0 + 1, "the log's blocks, and not the snapshots' once more");
}

#[test]
fn a_crash_is_possibly_the_article_s_by_the_versions_of_the_debugger_s_list() {
    for (version, expected) in [(OLD, true), ("6.5.7233.31", false)] {
        let mut case = kb900326(version);
        // As the dump's builder has it for each.
        for module in &mut case.modules {
            (module.size, module.timestamp) = (0x1_0000, Some(0x4000_0000));
        }
        let crash = dump(&case, [0; 4]).build();
        let list = debugger::modules(&case);
        let files = [
            Evidence { name: "crash.dmp", bytes: &crash, written: THEN },
            Evidence { name: "lmv.txt", bytes: list.as_bytes(), written: THEN },
        ];
        let report = analyze(&files, None);
        assert_eq!(report["target"].as_array().unwrap().len(), 1, "{:#}", report["target"]);
        let crash = &report["crashes"][0];
        let fixes = crash["fixes"].as_array().unwrap();
        let fix = fixes.iter().find(|fix| fix["id"] == "KB900326");
        assert_eq!(fix.is_some(), expected, "{version}: {fixes:#?}");
        assert_eq!(crash["module"]["version"], version);
        assert!(fix.is_none_or(|fix| fix["status"] == "possible"));
    }
}

#[test]
fn a_moment_is_told_as_one() {
    let case = kb900326(OLD);
    let mut dump = dump(&case, [6, 5, 7226, 0]);
    let list = debugger::modules(&case);
    let list = || Evidence { name: "lmv.txt", bytes: list.as_bytes(), written: THEN };
    let logs = [0, 1].map(|which| umdh::snapshot(&case, which));
    let log = |which: usize| Evidence {
        name: ["one.txt", "two.txt"][which],
        bytes: logs[which].as_bytes(),
        written: THEN + 3600 * which as u64,
    };
    let crashed = dump.build();
    dump.exception = None;
    let asked = dump.build();
    let crashed = || Evidence { name: "crash.dmp", bytes: &crashed, written: THEN };
    let asked = Evidence { name: "asked.dmp", bytes: &asked, written: THEN };
    let one_moment = "a dump shows one moment";
    let in_snapshot = "Inetinfo.exe still ran when the last snapshot was taken.";
    for (files, parts) in [
        (vec![crashed()], ["1000) was dumped as it raised an exception.", one_moment]),
        (vec![crashed(), list()], ["1000) was dumped as it raised an exception.", one_moment]),
        (vec![asked], ["1000) still ran when it was dumped.", one_moment]),
        (vec![list()], ["still ran when its lists were made.", "accuse nobody"]),
        (vec![log(0), log(1)], [in_snapshot, "live in the last."]),
        (vec![log(0), log(1), list()], [in_snapshot, "live in the last."]),
    ] {
        let said = text(&files);
        for part in parts {
            assert!(said.contains(part), "{part}: {said}");
        }
        for part in ["traced:", "before the trace", "tracing ended", "too few samples"] {
            assert!(!said.contains(part), "{part}: {said}");
        }
    }
}
