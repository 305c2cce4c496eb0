//! The collector of Windows as far as it is plain code: what a live session delivers says the same as the log that is written of
//! it, read by our reader and by somebody else's.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

#[path = "etw/collector.rs"]
mod collector;
#[path = "etw/live.rs"]
mod live;
#[cfg(target_os = "linux")]
#[path = "etw/oracle.rs"]
mod oracle;
mod support;
#[path = "etw/switch.rs"]
mod switch;
mod synth_etl;

use std::io::Cursor;

use synth_etl::encode::{FIRST, HERTZ, STARTED};
use synth_etl::{Bits, File, SynthEtl};
use unfreed::collect::etw::log::{About, Log};
use unfreed::collect::etw::own;
use unfreed::event::{Event, Fact, FactKind, Mark, Metric, Sample};
use unfreed::read::Source;
use unfreed::read::etl::{Live, Reader, Seekable, record::Ticks};

const STACK: [&str; 3] = ["ntdll.dll+0x2100", "Cdoexm.dll+0x4a10", "store.exe+0x1200"];

fn about() -> About {
    About {
        session: "unfreed".to_owned(),
        file: r"C:\Traces\störe.etl".to_owned(),
        version: (10, 0),
        build: 20_348,
        processors: 4,
        mhz: 2400,
        hertz: HERTZ,
        first: FIRST,
        started: STARTED,
        booted: STARTED - 36_000_000_000,
        utc_offset_minutes: 60,
    }
}

/// A session's records: time, processor, bytes as in a file.
type Records = Vec<(u64, u16, Vec<u8>)>;

/// A process that leaks, with images, stacks, and what the collector itself says.
fn session(bits: Bits) -> Records {
    let mut t = SynthEtl::new(bits);
    let p = t.process("store.exe", 0.1);
    t.module(p, File::new("Cdoexm.dll").version("6.0.6617.47").pdb([7; 16], 3, "Cdoexm.pdb"));
    let other = t.running_process("other.exe");
    t.leak(p, &STACK, 260, 400, 1.0..20.0);
    t.churn(p, &["ntdll.dll+0x2100", "store.exe+0x99"], 32, 900, 1.0..20.0, 0.01);
    t.leak(other, &["ntdll.dll+0x2100", "other.exe+0x10"], 16, 9, 2.0..3.0);
    t.exit(21.0, p, 3);
    let pid = p.0;
    let mut records: Records =
        t.records().into_iter().map(|(at, bytes)| (at, (at / 64 % 4) as u16, bytes)).collect();
    for second in 1..20 {
        // At no other record's time: of several processors' records of one time no log says which came first.
        let time = FIRST + second * HERTZ + 3;
        let mut bytes = Vec::new();
        let value = 1_000_000 + second * 5_460;
        own::sample(
            own::Stamp { pid, time },
            Sample { metric: Metric::PrivateBytes, value },
            &mut bytes,
        );
        records.push((time, 0, bytes));
    }
    let mut bytes = Vec::new();
    let stamp = own::Stamp { pid: 0, time: FIRST + 5 };
    own::fact(stamp, &setting(), &mut bytes);
    records.push((FIRST + 5, 0, bytes));
    let time = FIRST + 7 * HERTZ + 2;
    let mut bytes = Vec::new();
    own::mark(own::Stamp { pid: 0, time }, &sent(), &mut bytes);
    records.push((time, 0, bytes));
    records.sort_by_key(|(time, ..)| *time);
    records
}

fn setting() -> Fact {
    let subject = r"HKEY_LOCAL_MACHINE\SOFTWARE\Microsoft\Windows Messaging Subsystem\Applications\CleanUpMAPIHeap";
    Fact { kind: FactKind::Setting, subject: subject.to_owned(), value: None }
}

fn sent() -> Mark {
    Mark { text: "1,000 Nachrichten ✉".to_owned(), count: Some(1000) }
}

/// The log that is written of a session.
fn written(records: &Records, lost: (u32, u32)) -> Vec<u8> {
    let mut log = Log::new(Cursor::new(Vec::new()), about()).unwrap();
    for (time, processor, bytes) in records {
        log.record(*processor, *time, bytes).unwrap();
    }
    log.lost(lost.0, lost.1);
    log.finish().unwrap().into_inner()
}

/// What the reader says of a log, and what it could not read.
fn read(bytes: &[u8]) -> (Vec<Event>, Vec<String>) {
    let again = Box::new(|| Ok(Box::new(Cursor::new(bytes)) as Box<dyn Seekable>));
    let mut reader = Reader::file(again).unwrap();
    let (mut events, mut batch) = (Vec::new(), Vec::new());
    while reader.next_batch(&mut batch).unwrap() {
        events.append(&mut batch);
    }
    let faults = reader.faults().iter().map(ToString::to_string).collect();
    (events, faults)
}

/// What the live decoder says of a session.
fn live(records: &Records) -> (Vec<Event>, Live) {
    let mut live = Live::new(Ticks(FIRST), HERTZ);
    let mut events = Vec::new();
    for (_, processor, bytes) in records {
        live.record(*processor, bytes, &mut events);
    }
    live.end(&mut events);
    (events, live)
}
