//! Programs of Windows under Wine, attached to while they run: stand-ins that have the defect which each founding article
//! describes lead to the right file, function, line and version, and to that article in the state that its facts permit.
//! What the products' functions are called where an article does not say so is made up.
#![cfg(all(target_os = "linux", target_arch = "x86_64"))]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod attached;
mod support;
mod traced;
mod windows;

use std::fs::{self, File};
use std::os::unix::fs::FileExt;

use attached::{attach, require_attach, until};
use serde_json::Value;
use support::process::{Finished, LIMIT};
use support::signal::Signal;
use support::wine::{Wine, require_wine};
use windows::live::{Module, live};

macro_rules! require_all {
    () => {
        for tool in windows::TOOLS {
            let _ = support::require!(tool);
        }
        require_wine!();
        require_attach!();
    };
}

/// Rounds of work of 10 ms and a little more each.
const ROUNDS: u32 = 500;

const fn dll<'a>(name: &'a str, version: &'a str, source: &'a str, mapped: bool) -> Module<'a> {
    Module { name, version: Some(version), source, mapped }
}

const fn program<'a>(name: &'a str, source: &'a str, mapped: bool) -> Module<'a> {
    Module { name, version: None, source, mapped }
}

/// Runs a program, which is the last of these modules, attaches to it before it works, and gives the report.
fn traced(modules: &[Module<'_>], rounds: u32) -> Value {
    traced_to(modules, rounds, &[], "done\n")
}

/// The same, asked so; this is what it says in the end.
fn traced_to(modules: &[Module<'_>], rounds: u32, asked: &[&str], end: &str) -> Value {
    let directory = live(modules, rounds);
    let wine = Wine::new();
    let mut running = wine.start(&directory.join(modules.last().unwrap().name), &[]);
    running.wait_for("ready\n", LIMIT);
    let before = code_of_heaps(running.pid());
    let unfreed = attach(&[&["attach", "--json"], asked, &[&running.pid().to_string()]].concat());
    running.say("work");
    running.wait_for(end, LIMIT);
    unfreed.signal(Signal::Interrupt);
    let finished: Finished = unfreed.finish(LIMIT);
    assert!(before == code_of_heaps(running.pid()), "ntdll.dll is not what it was");
    running.say("end");
    until("the program ends by itself", || running.has_ended());
    assert!(matches!(finished.code(), Some(0 | 1)), "{}", finished.err());
    serde_json::from_slice(&finished.stdout).unwrap()
}

/// The code of a process's ntdll.dll.
fn code_of_heaps(pid: u32) -> Vec<u8> {
    let map = fs::read_to_string(format!("/proc/{pid}/maps")).unwrap();
    let of_heaps = |line: &&str| line.contains(" r-xp ") && line.ends_with("/ntdll.dll");
    let range = map.lines().find(of_heaps).unwrap().split(' ').next().unwrap();
    let (start, end) = range.split_once('-').unwrap();
    let [start, end] = [start, end].map(|address| u64::from_str_radix(address, 16).unwrap());
    let mut code = vec![0; usize::try_from(end - start).unwrap()];
    let memory = File::open(format!("/proc/{pid}/mem")).unwrap();
    memory.read_exact_at(&mut code, start).unwrap();
    code
}

/// What is expected of the one suspect.
struct Expected<'a> {
    id: &'a str,
    status: &'a str,
    kind: &'a str,
    module: &'a str,
    version: &'a str,
    function: &'a str,
    file: &'a str,
    blocks: Option<u32>,
}

#[track_caller]
fn check(report: &Value, expected: &Expected<'_>) {
    let suspects = report["suspects"].as_array().unwrap();
    assert_eq!(suspects.len(), 1, "{suspects:#?}");
    let suspect = &suspects[0];
    assert_eq!(suspect["kind"], expected.kind, "{suspect:#}");
    assert_eq!(suspect["module"]["name"], expected.module);
    assert_eq!(suspect["module"]["version"], expected.version);
    let function = suspect["function"].as_str().unwrap();
    assert_eq!(function.split('(').next().unwrap(), expected.function);
    if let Some(blocks) = expected.blocks {
        assert_eq!(suspect["live_blocks"], blocks);
    }
    let fix = &suspect["fixes"][0];
    assert_eq!(fix["id"], expected.id, "{:#}", suspect["fixes"]);
    assert_eq!(fix["status"], expected.status, "{:#}", fix["reasons"]);
    // From the allocation to where a thread of Windows begins, with lines where there is a PDB.
    let stack = suspect["stack"].as_array().unwrap();
    let blamed = stack.iter().find(|frame| frame["function"] == function).unwrap();
    let file = blamed["file"].as_str().unwrap();
    assert!(file.ends_with(expected.file), "{file}");
    assert!(blamed["line"].as_u64().unwrap() > 0, "{blamed:#}");
    let has = |name: &str| {
        stack.iter().any(|frame| frame["function"].as_str().is_some_and(|of| of.starts_with(name)))
    };
    assert!(has("begin") && has("RtlUserThreadStart"), "{stack:#?}");
    // Windows' own modules are Wine's, which have versions too.
    let modules = report["modules"].as_array().unwrap();
    let of = |name: &str| modules.iter().find(|module| module["name"] == name).unwrap();
    assert_eq!(of(expected.module)["version"], expected.version);
    assert!(of(expected.module)["pdb"].is_string() && of("ntdll.dll")["version"].is_string());
    assert_eq!(
        report["losses"],
        serde_json::json!({"events": 0, "frees": 0, "stacks": 0, "bytes": 0})
    );
}

#[test]
fn kb896064() {
    require_all!();
    for (version, status) in [("6.0.6603.1", "applies"), ("6.0.6617.63", "already-fixed")] {
        let modules = [
            dll("Cdoexm.dll", version, "cdoexm", true),
            program("mailboxes.exe", "mailboxes", false),
        ];
        let expected = Expected {
            id: "KB896064",
            status,
            kind: "growth",
            module: "Cdoexm.dll",
            version,
            function: "CMailboxStore::Open",
            file: "cdoexm.cpp",
            blocks: Some(5 * ROUNDS),
        };
        check(&traced(&modules, ROUNDS), &expected);
    }
}

#[test]
fn kb843523() {
    require_all!();
    let version = "6.5.7226.0";
    let modules =
        [dll("Emsmdb32.dll", version, "emsmdb32", false), program("sync.exe", "sync", true)];
    let expected = Expected {
        id: "KB843523",
        status: "applies",
        kind: "growth",
        module: "Emsmdb32.dll",
        version,
        function: "CExport::AddProps",
        file: "emsmdb32.cpp",
        blocks: Some(5 * ROUNDS),
    };
    check(&traced(&modules, ROUNDS), &expected);
}

#[test]
fn kb891509() {
    require_all!();
    let version = "6.5.7226.0";
    let modules = [
        dll("Mapi32.dll", version, "mapi32", false),
        dll("Cdo.dll", version, "cdo", false),
        program("logons.exe", "logons", false),
    ];
    let expected = Expected {
        id: "KB891509",
        status: "applies",
        kind: "growth",
        module: "Mapi32.dll",
        version,
        function: "HrCreateHeapEntry",
        file: "mapi32.cpp",
        blocks: Some(3 * ROUNDS),
    };
    check(&traced(&modules, ROUNDS), &expected);
}

#[test]
fn kb900326() {
    require_all!();
    let version = "6.5.7226.0";
    let modules = [
        dll("Exsmtp.dll", version, "exsmtp", true),
        dll("Drviis.dll", version, "drviis", true),
        program("Inetinfo.exe", "inetinfo", true),
    ];
    let expected = Expected {
        id: "KB900326",
        // That a wrong count shows as a second free is no more than inferred.
        status: "possible",
        kind: "over-release",
        module: "Exsmtp.dll",
        version,
        function: "CMessage::Create",
        file: "exsmtp.cpp",
        blocks: None,
    };
    check(&traced(&modules, ROUNDS), &expected);
}

#[test]
fn q265514() {
    require_all!();
    let version = "5.5.2650.24";
    let modules =
        [dll("provider.dll", version, "provider", true), program("stores.exe", "stores", false)];
    let expected = Expected {
        id: "Q265514",
        // The article names no file: only the product's level could tell.
        status: "possible",
        kind: "growth",
        module: "provider.dll",
        version,
        function: "CStore::Init",
        file: "provider.cpp",
        blocks: Some(5 * ROUNDS),
    };
    check(&traced(&modules, ROUNDS), &expected);
}

/// What is loaded after unfreed has attached is known as it is called.
#[test]
fn a_library_may_come_late() {
    require_all!();
    let version = "6.0.6603.1";
    let modules = [dll("Cdoexm.dll", version, "cdoexm", false), program("late.exe", "late", false)];
    let expected = Expected {
        id: "KB896064",
        status: "applies",
        kind: "growth",
        module: "Cdoexm.dll",
        version,
        function: "CMailboxStore::Open",
        file: "cdoexm.cpp",
        blocks: Some(5 * ROUNDS),
    };
    check(&traced(&modules, ROUNDS), &expected);
}

/// An exception that leaves an allocation finds its way, as if nothing were there.
#[test]
fn exceptions_pass_through_what_is_probed() {
    require_all!();
    let modules = [program("raises.exe", "raises", false)];
    let report = traced_to(&modules, 50, &[], "caught all\ndone\n");
    assert_eq!(report["totals"]["live_blocks"], 20);
    // A block a round that is freed; everyday's three.
    assert_eq!(report["totals"]["allocations"], 50 * 4 + 20);
}

/// Every block that is told lives or was freed: those of a heap that is destroyed with it, those that
/// were resized once.
#[test]
fn heaps_that_are_destroyed_take_their_blocks_along() {
    require_all!();
    let report = traced(&[program("heaps.exe", "heaps", false)], 50);
    assert_eq!(report["suspects"], serde_json::json!([]));
    let totals = &report["totals"];
    // A heap, the section that it has and its 5 blocks, a section, a block that was resized 5 times; 3 a round; 20 in the
    // beginning.
    let made = 50 * (10 * (1 + 1 + 5 + 1 + 6) + 3) + 20;
    assert_eq!(totals["allocations"], made, "{totals:#}");
    assert_eq!(totals["frees"], made - 20, "{totals:#}");
    assert_eq!(totals["live_blocks"], 20, "{totals:#}");
    assert_eq!(report["target"][0]["name"], "heaps.exe");
}

/// What a sample is told of, a resized block and a destroyed heap too, is also told of as it ends.
#[test]
fn a_sample_of_windows_heaps_keeps_its_balance() {
    require_all!();
    let asked = ["--sample", "128"];
    let report = traced_to(&[program("heaps.exe", "heaps", false)], ROUNDS, &asked, "done\n");
    assert_eq!(report["suspects"], serde_json::json!([]));
    let totals = &report["totals"];
    assert_eq!(totals["estimated"], true);
    let of = |what: &str| totals[what].as_f64().unwrap();
    let error = |what: &str| totals["uncertainty"][what]["standard_error"].as_f64().unwrap();
    let made = f64::from(ROUNDS * (10 * (1 + 1 + 5 + 1 + 6) + 3) + 20);
    let off = error("allocations");
    assert!(off < made / 5.0 && (of("allocations") - made).abs() < 5.0 * off, "{totals:#}");
    // Nothing ends but by its own free or with its heap: none was found gone when its place was given out again.
    assert_eq!((&totals["frees_unseen"], &totals["frees_unmatched"]), (&0.into(), &0.into()));
    // Whatever lives is of the 20 in the beginning.
    assert!(of("live_blocks") <= 20.0 + 5.0 * error("live_blocks"), "{totals:#}");
    assert_eq!(report["losses"]["events"], 0);
}
