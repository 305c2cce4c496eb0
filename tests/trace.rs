//! The native trace, from outside: what is written comes back, and what is damaged is counted.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

#[path = "trace/arbitrary.rs"]
mod arbitrary;
#[path = "trace/damage.rs"]
mod damage;
#[path = "trace/recorder.rs"]
mod recorder;
#[path = "trace/seeds.rs"]
mod seeds;
mod synth;
#[path = "trace/versions.rs"]
mod versions;

use proptest::prelude::*;
use synth::{Synth, linux_module, windows_module};
use unfreed::event::*;
use unfreed::read::trace::{Clock, Header, Reader, Writer};

/// All events of a trace, and how many kinds of fault it has.
fn read(bytes: &[u8]) -> (Vec<Event>, Vec<String>) {
    let mut reader = Reader::new(bytes).unwrap();
    let (mut all, mut chunk) = (Vec::new(), Vec::new());
    while reader.next_chunk(&mut chunk).unwrap() {
        all.append(&mut chunk);
    }
    (all, reader.faults().iter().map(ToString::to_string).collect())
}

#[test]
fn a_trace_built_from_the_documentation_reads_as_told() {
    let mut t = Synth::windows();
    let inetinfo = t.process("Inetinfo.exe");
    t.module(inetinfo, windows_module("Cdoexm.dll", "6.0.6617.47"));
    let open = ["msvcrt.dll!malloc", "Cdoexm.dll!CMailbox::Open", "Cdoexm.dll+0x1234"];
    t.leak(inetinfo, &open, 260, 3000, 0.0..60.0);
    t.double_free(1.5, inetinfo, &["Exsmtp.dll!Advance"], 40);
    t.mark(60.0, "mailboxes opened", Some(1000));
    t.fact(FactKind::Product, "Exchange Server 2000", Some("SP3"));
    let (events, faults) = read(&t.build());
    assert_eq!(events, t.events());
    assert_eq!(faults, [""; 0]);
    let count = |wanted: fn(&What) -> bool| events.iter().filter(|e| wanted(&e.what)).count();
    assert_eq!(count(|what| matches!(what, What::Alloc(_))), 3001);
    assert_eq!(count(|what| matches!(what, What::Epoch)), 600);
    assert_eq!(count(|what| matches!(what, What::Stack(_))), 4);
    assert_eq!(count(|what| matches!(what, What::Module(_))), 3);

    let mut t = Synth::linux();
    let broker = t.running_process("mosquitto");
    t.module(broker, linux_module("libmosquitto.so.1"));
    let block = t.alloc(0.1, broker, &["mosquitto!packet__read_string", "mosquitto!main"], 24);
    t.realloc(0.2, broker, &["mosquitto!main"], block, 1 << 40);
    t.churn(broker, &["mosquitto!main"], 7, 100, 0.0..2.0, 0.01);
    t.cache(broker, &["mosquitto!main"], 7, 100, 0.0..2.0, 1.0);
    let (events, faults) = read(&t.build());
    assert_eq!((events, faults.len()), (t.events(), 0));
}

fn example() -> (Header, Vec<Event>) {
    let header = Header {
        unfreed: "0.1.0".into(),
        source: "agent".into(),
        started_unix_ns: 1_700_000_000_000_000_000,
        utc_offset_minutes: 60,
        clock: Clock { name: "tsc".into(), hertz: Some(2_100_000_000) },
    };
    let event =
        |time, what| Event { time: Time(time), process: ProcessId(0), thread: Tid(7), what };
    let process = Process {
        pid: 7,
        parent: 1,
        name: "mosquitto".into(),
        command: vec!["mosquitto".into(), "-v".into()],
        from_start: true,
        sampled: None,
    };
    let module = Module {
        id: ModuleId(0),
        identity: linux_module("libc.so.6"),
        base: Address(0x7f00_0000_0000),
        size: Bytes(0x20_0000),
    };
    let frame = Frame { module: Some(ModuleId(0)), offset: 0x9_8a20, trust: Trust::Table };
    let node = StackNode { caller: StackId::COMPLETE, frame };
    let (address, heap) = (Address(0x5555_5575_92a0), HeapId::DEFAULT);
    let (stack, size) = (StackId::FIRST, Bytes(1024));
    let alloc = Alloc { address, size, stack, function: Function::Malloc, heap };
    let free = Free { address, stack: StackId::NOT_TAKEN, function: Function::Free, heap };
    let events = vec![
        event(1000, What::Process(Box::new(process))),
        event(1000, What::Module(Box::new(module))),
        event(2000, What::Stack(node)),
        event(2000, What::Alloc(alloc)),
        event(2500, What::Free(free)),
        event(100_000_000, What::Epoch),
    ];
    (header, events)
}

fn written(header: &Header, events: &[Event]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut writer = Writer::new(&mut bytes, header).unwrap();
    for event in events {
        writer.write(event).unwrap();
    }
    writer.finish().unwrap();
    bytes
}

/// Written and read as the document's example has it.
#[test]
fn the_documents_example_holds() {
    let document = include_str!("../docs/trace-format.md");
    let (_, example_on) = document.split_once("```hex\n").unwrap();
    let (lines, _) = example_on.split_once("```").unwrap();
    let hex = lines.lines().filter_map(|line| line.split('|').next());
    let documented: Vec<u8> = hex
        .flat_map(str::split_whitespace)
        .map(|byte| u8::from_str_radix(byte, 16).unwrap())
        .collect();
    let (header, events) = example();
    assert_eq!(written(&header, &events), documented);
    let (read_back, faults) = read(&documented);
    assert_eq!((read_back, faults), (events, Vec::new()));
    assert_eq!(Reader::new(&documented[..]).unwrap().header(), &header);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    /// Every field of every kind of event comes back, however the trace is cut into chunks.
    #[test]
    fn what_is_written_comes_back(events in arbitrary::events(0..300), chunk in 1_usize..200) {
        let bytes = arbitrary::chunked(&events, chunk);
        let (back, faults) = read(&bytes);
        prop_assert_eq!(back, events);
        prop_assert_eq!(faults, Vec::<String>::new());
    }

    /// The library reads what was encoded from the document, whatever the events.
    #[test]
    fn writer_and_document_agree(events in arbitrary::events(1..100)) {
        let mut bytes = synth::encode::file_header("agent");
        let records = synth::encode::records(&events);
        let base = events[0].time.0;
        bytes.extend(synth::encode::chunk(1, &records, events.len(), 4, 0, base));
        let (back, _) = read(&bytes);
        prop_assert_eq!(&back[..events.len()], &events[..]);
    }
}
