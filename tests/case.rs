//! Several recordings of one server as one: what is joined, what is kept apart, and what is said of it.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use unfreed::event::*;
use unfreed::ledger::Ledger;
use unfreed::read::case::{Case, FILE_TIME, Part, PartSeen, Placed};
use unfreed::read::trace::{Clock, Header};
use unfreed::read::{About, Fault, Offset, ReadError, Source};
use unfreed::verdict::{Verdict, judge};
use unfreed_symbols::ModuleIdentity;

const SECOND: u64 = 1_000_000_000;
/// 2003-10-28 12:00 UTC.
const THEN: i64 = 1_067_342_400_000_000_000;

/// A recording that was made up: all its events, three at a time.
struct Told {
    header: Header,
    events: Vec<Event>,
    faults: Vec<Fault>,
}

impl Source for Told {
    fn header(&self) -> &Header {
        &self.header
    }

    fn next_batch(&mut self, events: &mut Vec<Event>) -> Result<bool, ReadError> {
        let next = self.events.len().min(3);
        *events = self.events.drain(..next).collect();
        Ok(next > 0)
    }

    fn faults(&self) -> &[Fault] {
        &self.faults
    }
}

/// Makes up a recording.
struct Recording {
    told: Told,
    name: String,
}

impl Recording {
    fn new(name: &str, kind: &str, started_unix_ns: i64, clock: &str) -> Self {
        let header = Header {
            source: kind.to_owned(),
            started_unix_ns,
            clock: Clock { name: clock.to_owned(), hertz: None },
            ..Header::default()
        };
        Recording {
            told: Told { header, events: Vec::new(), faults: Vec::new() },
            name: name.to_owned(),
        }
    }

    fn say(mut self, seconds: u64, process: u32, what: What) -> Self {
        let (time, process) = (Time(seconds * SECOND), ProcessId(process));
        self.told.events.push(Event { time, process, thread: Tid(0), what });
        self
    }

    fn process(self, process: u32, pid: u32, name: &str) -> Self {
        let told = Process { pid, name: name.to_owned(), ..Process::default() };
        self.say(0, process, What::Process(Box::new(told)))
    }

    fn module(self, id: u32, name: &str, version: Option<&str>) -> Self {
        let file_version = version.map(str::to_owned);
        let identity =
            ModuleIdentity { name: name.to_owned(), file_version, ..ModuleIdentity::default() };
        let (base, size) = (Address(0x1000_0000), Bytes(0x10000));
        self.say(0, 0, What::Module(Box::new(Module { id: ModuleId(id), identity, base, size })))
    }

    /// A module of which only the name is known.
    fn module_somewhere(self, id: u32, name: &str) -> Self {
        let identity = ModuleIdentity { name: name.to_owned(), ..ModuleIdentity::default() };
        let (id, base, size) = (ModuleId(id), Address(0), Bytes(0));
        self.say(0, 0, What::Module(Box::new(Module { id, identity, base, size })))
    }

    fn frame(self, caller: StackId, module: u32, offset: u64, trust: Trust) -> Self {
        let frame = Frame { module: Some(ModuleId(module)), offset, trust };
        self.say(0, 0, What::Stack(StackNode { caller, frame }))
    }

    fn names(self, module: u32, offset: u64, function: &str) -> Self {
        let function = NamedFunction { function: function.to_owned(), file: None, line: None };
        let module = ModuleId(module);
        self.say(0, 0, What::Name(Box::new(Name { module, offset, functions: vec![function] })))
    }

    fn snapshot(self, seconds: u64, number: u32, stack: u32, blocks: u64) -> Self {
        let (stack, bytes) = (StackId(stack), Bytes(blocks * 32));
        self.say(seconds, 0, What::Snapshot(Box::new(Snapshot { number, stack, blocks, bytes })))
    }

    fn alloc(self, seconds: u64, process: u32, address: u64) -> Self {
        self.say(
            seconds,
            process,
            What::Alloc(Alloc {
                address: Address(address),
                size: Bytes(32),
                stack: StackId::NOT_TAKEN,
                function: Function::RtlAllocateHeap,
                heap: HeapId::DEFAULT,
            }),
        )
    }

    fn ends(self, seconds: u64, process: u32, exit: Exit) -> Self {
        self.say(seconds, process, What::ProcessExit(exit)).say(seconds, process, What::Epoch)
    }
}

/// All events of a case, what became of its recordings, its faults and header.
fn read(recordings: Vec<Recording>) -> (Vec<Event>, Vec<PartSeen>, Vec<Fault>, Header) {
    let part = |recording: Recording| Part {
        source: Box::new(recording.told),
        about: About { name: recording.name, modified_unix_ns: None },
    };
    let mut case = Case::new(recordings.into_iter().map(part).collect())
        .unwrap_or_else(|(name, error)| panic!("{name}: {error}"));
    let (mut all, mut events) = (Vec::new(), Vec::new());
    while case.next_batch(&mut events).unwrap() {
        all.append(&mut events);
    }
    let parts = case.parts().cloned().collect();
    (all, parts, case.faults().to_vec(), case.header().clone())
}

fn folded(events: &[Event]) -> Ledger {
    let mut ledger = Ledger::default();
    events.iter().for_each(|event| ledger.apply(event));
    ledger
}

fn pids(ledger: &Ledger) -> Vec<(u32, String)> {
    let process = |image: &unfreed::ledger::Image| image.process.clone().unwrap_or_default();
    ledger.images().iter().map(process).map(|process| (process.pid, process.name)).collect()
}

/// A snapshot as UMDH writes it: no pid, no clock, a stack with an address.
fn umdh(name: &str, written: i64, blocks: u64) -> Recording {
    Recording::new(name, "umdh", written, FILE_TIME)
        .process(0, 0, "inetinfo.exe")
        .module(0, "ntdll.dll", None)
        .module(1, "Cdoexm.dll", None)
        .frame(StackId::COMPLETE, 1, 0x2345, Trust::Recorded)
        .frame(StackId(4), 0, 0x77, Trust::Recorded)
        .snapshot(0, 0, 5, blocks)
        .ends(0, 0, Exit::StillRunning)
}

#[test]
fn snapshots_of_one_process_are_one_row_in_the_order_of_time() {
    let hour = 3600 * SECOND as i64;
    let (events, parts, ..) = read(vec![
        umdh("third.txt", THEN + 2 * hour, 300),
        umdh("first.txt", THEN, 100),
        umdh("second.txt", THEN + hour, 200),
    ]);
    assert!(parts.iter().all(|part| part.placed == Placed::FileTime), "{parts:?}");
    let ledger = folded(&events);
    assert_eq!(pids(&ledger), [(0, "inetinfo.exe".to_owned())]);
    assert_eq!(ledger.stacks().len(), 2, "the same stack is the same stack");
    let times: Vec<u64> = ledger.snapshots().iter().map(|(_, time)| time.0 / SECOND).collect();
    assert_eq!(times, [0, 3600, 7200]);
    let sites: Vec<_> = ledger.sites().collect();
    assert_eq!(sites.len(), 1);
    let points = sites[0].1.snapshots.points();
    assert_eq!(points.iter().map(|(_, set)| set.blocks).collect::<Vec<_>>(), [100, 200, 300]);
    let exits = events.iter().filter(|event| matches!(event.what, What::ProcessExit(_)));
    assert_eq!(exits.count(), 1, "it still runs while another file tells of it");
}

#[test]
fn a_version_that_one_file_knows_is_known_to_the_stacks_of_the_others() {
    let modules = Recording::new("lmv.txt", "debugger", 0, "").process(0, 0, "inetinfo").module(
        0,
        "cdoexm",
        Some("6.0.6603.1"),
    );
    let (events, parts, ..) = read(vec![umdh("snapshot.txt", THEN, 100), modules]);
    assert_eq!(parts[1].placed, Placed::Beginning);
    let ledger = folded(&events);
    let versions: Vec<_> = ledger.modules().iter().map(|(_, identity)| identity.clone()).collect();
    assert_eq!(versions.len(), 2);
    assert_eq!(versions[1].name, "Cdoexm.dll");
    assert_eq!(versions[1].file_version.as_deref(), Some("6.0.6603.1"));
}

#[test]
fn modules_of_one_name_with_two_versions_are_two() {
    let one = Recording::new("a", "etl", THEN, "qpc").module(7, "Cdoexm.dll", Some("6.0.6603.1"));
    let other = Recording::new("b", "etl", THEN, "qpc").module(7, "CDOEXM.DLL", Some("6.5.6944.0"));
    let (events, ..) = read(vec![one, other]);
    assert_eq!(folded(&events).modules().iter().count(), 2);
}

#[test]
fn a_pid_and_a_name_that_agree_are_one_process_and_a_pid_alone_is_not() {
    let log = Recording::new("heap.etl", "etl", THEN, "qpc")
        .process(0, 1200, "Inetinfo.exe")
        .process(1, 1300, "store.exe")
        .alloc(1, 0, 0x1000)
        .ends(60, 0, Exit::StillRunning)
        .ends(60, 1, Exit::Status(0));
    let counters = Recording::new("counters.csv", "counters", THEN - 30 * SECOND as i64, "local")
        .process(0, 1200, "inetinfo")
        .process(1, 1300, "winword")
        .say(60, 0, What::Sample(Sample { metric: Metric::PrivateBytes, value: 7 }))
        .ends(600, 0, Exit::StillRunning)
        .ends(600, 1, Exit::StillRunning);
    let (events, parts, _, header) = read(vec![log, counters]);
    assert_eq!(header.started_unix_ns, THEN - 30 * SECOND as i64);
    assert_eq!(header.source, "counters+etl");
    assert!(parts.iter().all(|part| part.placed == Placed::Clock));
    assert!(events.is_sorted_by_key(|event| event.time));
    let ledger = folded(&events);
    let mut seen = pids(&ledger);
    seen.sort();
    let of = |pid, name: &str| (pid, name.to_owned());
    assert_eq!(seen, [of(1200, "inetinfo"), of(1300, "store.exe"), of(1300, "winword")]);
    let at = |what: fn(&What) -> bool| events.iter().find(|event| what(&event.what)).unwrap();
    let alloc = at(|what| matches!(what, What::Alloc(_)));
    let sample = at(|what| matches!(what, What::Sample(_)));
    assert_eq!((alloc.process, alloc.time), (sample.process, Time(31 * SECOND)));
    let ended: Vec<u64> = events
        .iter()
        .filter(|event| matches!(event.what, What::ProcessExit(_)))
        .map(|event| event.time.0 / SECOND)
        .collect();
    assert_eq!(ended, [90, 600, 600], "store at 90; the others when all files have ended");
}

#[test]
fn blocks_that_two_files_list_are_counted_once_and_that_is_said() {
    let log = |name: &str| {
        Recording::new(name, "etl", THEN, "qpc")
            .process(0, 1200, "Inetinfo.exe")
            .alloc(1, 0, 0x1000)
            .alloc(2, 0, 0x2000)
            .ends(60, 0, Exit::StillRunning)
    };
    let (events, parts, ..) = read(vec![log("one.etl"), log("two.etl")]);
    assert_eq!(folded(&events).totals().live_blocks, 2);
    assert_eq!(parts.iter().map(|part| part.listed_twice).collect::<Vec<_>>(), [0, 2]);
}

#[test]
fn a_file_time_far_from_all_clocks_is_that_of_a_copy() {
    let log = Recording::new("heap.etl", "etl", THEN, "qpc").process(0, 1200, "Inetinfo.exe");
    let copied = THEN + 400 * 24 * 3600 * SECOND as i64;
    let (events, parts, _, header) = read(vec![log, umdh("snapshot.txt", copied, 100)]);
    assert_eq!(parts[1].placed, Placed::Beginning);
    assert_eq!(parts[1].started_unix_ns, Some(copied));
    assert_eq!(header.started_unix_ns, THEN);
    assert!(events.iter().all(|event| event.time == Time(0)));
}

#[test]
fn frames_known_by_name_alone_are_one_where_their_names_are() {
    let diff = |name: &str, offset: u64| {
        let offset = Frame::NAMED | offset;
        Recording::new(name, "umdh", THEN, FILE_TIME)
            .process(0, 0, "inetinfo.exe")
            .module(0, "Cdoexm.dll", None)
            .names(0, offset, "CMailboxStore::Open")
            .frame(StackId::COMPLETE, 0, offset, Trust::Named)
            .snapshot(0, 0, 4, 10)
    };
    let other = Recording::new("c", "umdh", THEN, FILE_TIME)
        .process(0, 0, "inetinfo.exe")
        .module(0, "Cdoexm.dll", None)
        .names(0, Frame::NAMED, "CMailboxStore::Close")
        .frame(StackId::COMPLETE, 0, Frame::NAMED, Trust::Named)
        .snapshot(0, 0, 4, 10);
    let (events, ..) = read(vec![diff("a", 0), diff("b", 9), other]);
    let ledger = folded(&events);
    let named: Vec<_> = ledger
        .sites()
        .map(|(_, site)| {
            let frame = ledger.stacks().frames(site.stack).next().unwrap();
            let functions = ledger.modules().functions(frame.module.unwrap(), frame.offset);
            (functions[0].function.clone(), site.snapshots.points().len())
        })
        .collect();
    let of = |name: &str, points| (name.to_owned(), points);
    assert_eq!(named, [of("CMailboxStore::Open", 2), of("CMailboxStore::Close", 1)]);
}

#[test]
fn faults_and_notes_say_whose_they_are() {
    let fact = Fact { kind: FactKind::Capture, subject: "numbers".into(), value: None };
    let mut one = Recording::new("one.txt", "umdh", THEN, FILE_TIME).process(0, 0, "a").say(
        0,
        0,
        What::Fact(Box::new(fact)),
    );
    one.told.faults.push(Fault { offset: Offset(7), what: "torn".into(), count: 2 });
    let (events, _, faults, _) = read(vec![one, umdh("two.txt", THEN, 1)]);
    assert_eq!(faults, [Fault { offset: Offset(7), what: "one.txt: torn".into(), count: 2 }]);
    let ledger = folded(&events);
    assert_eq!(ledger.facts().map(|fact| &*fact.subject).collect::<Vec<_>>(), ["one.txt: numbers"]);
}

#[test]
fn what_one_process_s_snapshots_list_is_not_held_against_another_s() {
    let log = |name: &str, hours: i64, process: &str, blocks: u64| {
        Recording::new(name, "umdh", THEN + hours * 3600 * SECOND as i64, FILE_TIME)
            .process(0, 0, process)
            .module(0, "a.dll", None)
            .frame(StackId::COMPLETE, 0, 0x2345, Trust::Recorded)
            .snapshot(0, 0, 4, blocks)
            .ends(0, 0, Exit::StillRunning)
    };
    let (events, ..) = read(vec![
        log("a", 0, "store.exe", 1000),
        log("b", 1, "inetinfo.exe", 5000),
        log("c", 2, "store.exe", 4000),
        log("d", 3, "inetinfo.exe", 5000),
    ]);
    let ledger = folded(&events);
    let taken: Vec<usize> = ledger.images().iter().map(|image| image.snapshots().len()).collect();
    assert_eq!(taken, [2, 2]);
    let verdicts: Vec<Verdict> = judge(&ledger).sites.iter().map(|site| site.verdict).collect();
    assert_eq!(verdicts, [Verdict::Growth, Verdict::Steady]);
}

#[test]
fn a_difference_is_not_compared_with_the_snapshots_it_was_made_of() {
    let difference = Recording::new("difference.txt", "umdh", THEN + 9, FILE_TIME)
        .process(0, 0, "inetinfo.exe")
        .module(0, "cdoexm", None)
        .frame(StackId::COMPLETE, 0, Frame::NAMED | 7, Trust::Named)
        .snapshot(0, 0, 4, 5000)
        .snapshot(0, 1, 4, 5010)
        .ends(0, 0, Exit::StillRunning);
    let (events, parts, ..) =
        read(vec![umdh("first.txt", THEN, 100), umdh("second.txt", THEN + 5, 3100), difference]);
    assert_eq!(parts.iter().map(|part| part.listed_twice).collect::<Vec<_>>(), [0, 0, 2]);
    let ledger = folded(&events);
    let judged = judge(&ledger);
    let growing: Vec<_> =
        judged.sites.iter().filter(|site| site.verdict == Verdict::Growth).collect();
    assert_eq!(growing.len(), 1);
    let gained = growing[0].evidence.iter().find(|of| of.fact == "gained").unwrap();
    assert_eq!(gained.value, 3000.0);
}

#[test]
fn snapshots_of_one_time_count_in_the_order_given_and_that_is_said() {
    let facts = |recordings| {
        let (events, ..) = read(recordings);
        let ledger = folded(&events);
        ledger.facts().map(|fact| fact.subject.clone()).collect::<Vec<_>>()
    };
    assert_eq!(facts(vec![umdh("b", THEN, 1), umdh("a", THEN, 2)]), ["b, a"]);
    assert_eq!(facts(vec![umdh("b", 0, 1), umdh("a", 0, 2)]), ["b, a"]);
    assert!(facts(vec![umdh("b", THEN, 1), umdh("a", THEN + 1, 2)]).is_empty());
}

#[test]
fn a_name_that_two_processes_have_joins_nobody_whoever_is_told_first() {
    let counters = || {
        Recording::new("counters.csv", "counters", THEN + 7, "local")
            .process(0, 10, "inetinfo")
            .process(1, 20, "inetinfo")
            .ends(60, 0, Exit::StillRunning)
            .ends(60, 1, Exit::StillRunning)
    };
    for at in [0, 9] {
        let (events, ..) = read(vec![umdh("log.txt", THEN + at, 100), counters()]);
        let mut seen: Vec<u32> = pids(&folded(&events)).iter().map(|(pid, _)| *pid).collect();
        seen.sort_unstable();
        assert_eq!(seen, [0, 10, 20]);
    }
    let two = vec![umdh("a", THEN, 1), umdh("b", THEN + 9, 2), counters()];
    assert_eq!(pids(&folded(&read(two).0)).len(), 3, "logs without a number are still of one");
}

#[test]
fn a_version_stays_with_the_process_that_has_it() {
    let other = Recording::new("store.dmp", "minidump", THEN, "moment")
        .process(0, 1300, "store.exe")
        .module(0, "Cdoexm.dll", Some("6.5.7226.0"))
        .ends(0, 0, Exit::StillRunning);
    let (events, ..) = read(vec![other, umdh("log.txt", THEN + 9, 100)]);
    let ledger = folded(&events);
    let versions: Vec<_> = ledger
        .modules()
        .iter()
        .filter(|(_, module)| module.name == "Cdoexm.dll")
        .map(|(_, module)| module.file_version.clone())
        .collect();
    assert_eq!(versions, [Some("6.5.7226.0".to_owned()), None]);
}

#[test]
fn an_address_in_a_module_is_a_place_in_it_where_another_file_knows_its_base() {
    let log = |name: &str, address: u64| {
        Recording::new(name, "leakdiag", THEN, FILE_TIME)
            .process(0, 0, "inetinfo.exe")
            .module_somewhere(7, "Cdoexm.dll")
            .frame(StackId::COMPLETE, 7, address, Trust::Named)
            .snapshot(0, 0, 4, 10)
    };
    let list = || {
        Recording::new("lmv.txt", "debugger", 0, "").process(0, 0, "inetinfo.exe").module(
            0,
            "cdoexm",
            Some("6.0.6603.1"),
        )
    };
    let frames = |recordings| -> Vec<(u64, Trust)> {
        let (events, ..) = read(recordings);
        let ledger = folded(&events);
        let sites = ledger.sites().map(|(_, site)| site.stack);
        sites.flat_map(|stack| ledger.stacks().frames(stack)).map(|f| (f.offset, f.trust)).collect()
    };
    // The list comes last, and is as good for what stands before it.
    let placed = frames(vec![log("a", 0x1000_1234), log("b", 0x1000_1234), list()]);
    assert_eq!(placed, [(0x1234, Trust::Recorded)], "one stack in both logs");
    let outside = frames(vec![log("a", 0x2000_1234), list()]);
    assert_eq!(outside, [(0x2000_1234, Trust::Named)]);
    let unknown = frames(vec![log("a", 0x1000_1234), log("b", 0x1000_1234)]);
    assert_eq!(unknown, [(0x1000_1234, Trust::Named)], "one stack in both logs");
}

#[test]
fn logs_that_name_no_process_are_of_the_one_that_is_known_by_no_pid() {
    let log = |name: &str| {
        Recording::new(name, "leakdiag", THEN, FILE_TIME).process(0, 0, "").module(
            0,
            "Cdoexm.dll",
            None,
        )
    };
    let named = |name: &str, pid| Recording::new(name, "debugger", 0, "").process(0, pid, name);
    let seen = |recordings| pids(&folded(&read(recordings).0));
    let of = |pid, name: &str| (pid, name.to_owned());
    let one = seen(vec![log("a"), log("b"), named("store.exe", 0)]);
    assert_eq!(one, [of(0, "store.exe")]);
    assert_eq!(seen(vec![named("store.exe", 0), log("a")]), [of(0, "store.exe")]);
    let known_by_pid = seen(vec![log("a"), named("store.exe", 12)]);
    assert_eq!(known_by_pid, [of(0, ""), of(12, "store.exe")]);
    let two = seen(vec![named("store.exe", 0), named("emsmta.exe", 0), log("a")]);
    assert_eq!(two.len(), 3, "it may be either's");
}
