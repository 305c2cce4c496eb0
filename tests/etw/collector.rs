//! The collector, fed with constructed deliveries of two sessions.

use std::collections::BTreeMap;
use std::path::Path;

use unfreed::collect::etw::EtwError;
use unfreed::collect::etw::collector::{Clock, Collector, Ended, Lane, Said, Traced};
use unfreed::collect::etw::error::Which;
use unfreed::collect::etw::order::Batch;
use unfreed::collect::etw::paths::Drives;
use unfreed::event::{Exit, What};
use unfreed_symbols::{ModuleIdentity, PeFacts};

use super::synth_etl::Pid;
use super::*;

const CLOCK: Clock = Clock { first: FIRST, hertz: HERTZ };

/// What came of a capture.
struct Seen {
    events: Vec<Event>,
    ended: Result<Ended, EtwError>,
    asked: Vec<String>,
}

/// A capture of a session's records: heaps and stacks come from one session, the rest from another, a second late.
fn capture(records: &[(u64, Vec<u8>)], traced: Traced, log: Option<&Path>, files: &[File]) -> Seen {
    let (mut events, mut asked) = (Vec::new(), Vec::new());
    let files: BTreeMap<String, File> =
        files.iter().map(|file| (file.name.clone(), file.clone())).collect();
    let mut identify = |path: &Path| {
        let path = path.to_string_lossy().into_owned();
        let mut identity = ModuleIdentity::of_path(&path);
        if let Some(file) = files.get(&identity.name) {
            identity.file_version.clone_from(&file.version);
            let (timestamp, image_size) = (file.timestamp, file.size);
            identity.pe = Some(PeFacts { timestamp, image_size, ..PeFacts::default() });
        }
        asked.push(path);
        identity
    };
    let mut sink = |event: &Event| {
        events.push(event.clone());
        Ok(())
    };
    let log = log.map(|path| Log::new(std::fs::File::create(path).unwrap(), about()).unwrap());
    let drives = Drives::of(vec![("C:".to_owned(), r"\Device\HarddiskVolume2".to_owned())]);
    let mut collector = Collector::new(CLOCK, traced, drives, log, &mut identify, &mut sink);
    let lane = |bytes: &[u8]| match bytes[7] {
        0x10 | 0x18 => Lane::Heap,
        _ => Lane::System,
    };
    for at in (0..40).map(|second| FIRST + second * HERTZ) {
        for (wanted, late) in [(Lane::Heap, 0), (Lane::System, HERTZ)] {
            let mut batch = Batch::default();
            let span = at.saturating_sub(late)..(at + HERTZ).saturating_sub(late);
            let due = records.iter().filter(|(time, bytes)| {
                span.contains(time) && bytes[2] != 20 && lane(bytes) == wanted
            });
            for (time, bytes) in due {
                batch.put(*time, 0, |out| {
                    out.extend(bytes);
                    out.resize(out.len().next_multiple_of(8), 0);
                    true
                });
            }
            collector.put(wanted, batch);
        }
        collector.advance(at + HERTZ).unwrap();
    }
    let fact = setting();
    collector.say(0, FIRST + 40 * HERTZ, Said::Fact(&fact));
    let ended = collector.finish(40, (0, 0));
    Seen { events, ended, asked }
}

fn by_number(pids: &[Pid]) -> Traced {
    Traced { pids: pids.iter().map(|pid| pid.0).collect(), ..Traced::default() }
}

/// A server with a process that leaks, and another that is nobody's business.
fn server() -> (SynthEtl, Pid, Pid) {
    let mut t = SynthEtl::new(Bits::B64);
    let other = t.process("secret.exe", 0.2);
    let p = t.process("store.exe", 0.5);
    t.module(p, File::new("Cdoexm.dll"));
    t.leak(p, &STACK, 260, 200, 1.0..20.0);
    t.exit(21.0, p, 3);
    (t, p, other)
}

/// The records without what is of the other process's heap: a session is asked for one process's.
fn of(t: SynthEtl, other: Pid) -> Vec<(u64, Vec<u8>)> {
    let heap = |bytes: &[u8]| bytes[7] == 0x10 && bytes[12..16] == other.0.to_le_bytes();
    t.records().into_iter().filter(|(_, bytes)| !heap(bytes)).collect()
}

#[test]
fn a_process_that_was_started_is_seen_whole() {
    let (t, p, other) = server();
    let files =
        [File::new("Cdoexm.dll").version("6.0.6617.47"), File::new("store.exe").version("6.5")];
    let seen = capture(&of(t, other), by_number(&[p]), None, &files);
    let ended = seen.ended.unwrap();
    assert_eq!(ended.faults, []);
    assert_eq!(ended.heap, 201);
    let whats: Vec<&What> = seen.events.iter().map(|event| &event.what).collect();
    let process = whats.iter().find_map(|what| match what {
        What::Process(process) => Some(process),
        _ => None,
    });
    let process = process.unwrap();
    assert!(process.from_start);
    assert_eq!((process.pid, process.name.as_str()), (p.0, "store.exe"));
    assert!(whats.contains(&&What::ProcessExit(Exit::Status(3))));
    // The first that is told of a module has its version already, and a path that people can open.
    let module = whats.iter().find_map(|what| match what {
        What::Module(module) if module.identity.name == "Cdoexm.dll" => Some(&module.identity),
        _ => None,
    });
    let module = module.unwrap();
    assert_eq!(module.file_version.as_deref(), Some("6.0.6617.47"));
    assert_eq!(module.path, r"C:\Windows\System32\Cdoexm.dll");
    let allocations =
        whats.iter().filter(|what| matches!(what, What::Alloc(alloc) if !alloc.stack.is_root()));
    assert_eq!(
        allocations.count(),
        200,
        "each has its stack, though the images came a second later"
    );
    assert!(whats.contains(&&What::Fact(Box::new(setting()))));
}

#[test]
fn nothing_of_other_processes_is_in_a_log() {
    let (t, p, other) = server();
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("server.etl");
    let seen = capture(&of(t, other), by_number(&[p]), Some(&path), &[]);
    let bytes = std::fs::read(&path).unwrap();
    let wide: Vec<u8> = "secret".encode_utf16().flat_map(u16::to_le_bytes).collect();
    for word in [b"secret".as_slice(), &wide] {
        assert!(!bytes.windows(word.len()).any(|window| window == word));
    }
    assert!(seen.asked.iter().all(|path| !path.contains("secret")), "{:?}", seen.asked);
    // And it says the same as the capture did.
    let (from_log, faults) = read(&bytes);
    assert_eq!(faults, [""; 0]);
    assert_eq!(from_log.len(), seen.events.len());
    for (one, other) in from_log.iter().zip(&seen.events) {
        assert_eq!(one, other);
    }
}

#[test]
fn a_process_is_found_by_its_name_as_it_starts() {
    let (t, _, other) = server();
    let names = ["store.exe".to_owned()].into();
    let seen = capture(&of(t, other), Traced { names, ..Traced::default() }, None, &[]);
    assert_eq!(seen.ended.unwrap().heap, 201);
    assert!(seen.asked.contains(&r"C:\Windows\System32\Cdoexm.dll".to_owned()), "{:?}", seen.asked);
}

#[test]
fn a_file_that_is_another_by_now_gives_no_version() {
    let (t, p, other) = server();
    let mut newer = File::new("Cdoexm.dll").version("9.9.9.9");
    newer.timestamp += 1;
    let seen = capture(&of(t, other), by_number(&[p]), None, &[newer]);
    let versions = seen.events.iter().filter_map(|event| match &event.what {
        What::Module(module) => module.identity.file_version.clone(),
        _ => None,
    });
    assert_eq!(versions.count(), 0);
}

#[test]
fn a_session_that_somebody_stops_leaves_what_it_showed() {
    let (t, p, other) = server();
    let records = of(t, other);
    let mut identify = |path: &Path| ModuleIdentity::of_path(&path.to_string_lossy());
    let mut events = Vec::new();
    let mut sink = |event: &Event| {
        events.push(event.clone());
        Ok(())
    };
    let mut collector =
        Collector::new(CLOCK, by_number(&[p]), Drives::default(), None, &mut identify, &mut sink);
    let stopped = || EtwError::Ended { which: Which::Heap, code: 0 };
    let early = collector.cut_short(stopped(), FIRST).unwrap_err();
    assert!(matches!(early, EtwError::Ended { .. }), "{early}");
    let until = FIRST + 9 * HERTZ;
    let mut batch = Batch::default();
    for (time, bytes) in records.iter().filter(|(time, _)| *time < until) {
        batch.put(*time, 0, |out| {
            out.extend(bytes);
            out.resize(out.len().next_multiple_of(8), 0);
            true
        });
    }
    collector.put(Lane::Heap, batch);
    collector.advance(until).unwrap();
    collector.cut_short(stopped(), until).unwrap();
    assert!(collector.finish(9, (0, 0)).unwrap().heap > 50);
    let losses = events.iter().filter_map(|event| match event.what {
        What::Loss(loss) => Some(loss.count),
        _ => None,
    });
    assert_eq!(losses.sum::<u64>(), 1);
    let said = events.iter().any(
        |event| matches!(&event.what, What::Fact(fact) if fact.kind == FactKind::Capture && fact.subject == "cut short"),
    );
    assert!(said);
}

#[test]
fn nothing_at_all_is_an_error_and_so_is_nothing_of_heaps() {
    let seen = capture(&[], by_number(&[Pid(4)]), None, &[]);
    let error = seen.ended.unwrap_err();
    assert!(matches!(error, EtwError::Silent { seconds: 40 }), "{error}");
    let (t, p, _) = server();
    let mut records = t.records();
    records.retain(|(_, bytes)| bytes[7] != 0x10);
    let seen = capture(&records, by_number(&[p]), None, &[]);
    let error = seen.ended.unwrap_err();
    assert!(matches!(error, EtwError::NoHeaps { seconds: 40 }), "{error}");
    assert!(error.advice().unwrap().contains("--wait"));
}
