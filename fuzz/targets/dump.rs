//! Core dumps of a traced process: any bytes as the file, beside a trace whose process and blocks the seeds' cores have.
#![no_main]
#![allow(clippy::unwrap_used, reason = "a test")]

use std::fs::{self, File};
use std::io::Write;

use libfuzzer_sys::fuzz_target;
use unfreed::dump::scan;
use unfreed::event::{
    Address, Alloc, Bytes, Event, Exit, Frame, Function, HeapId, Process, ProcessId, StackId,
    StackNode, Tid, Time, Trust, What,
};
use unfreed::ledger::Ledger;

/// As `tests/dump.rs` has them.
const PID: u32 = 4711;
const HEAP: u64 = 0x5555_0010_0000;

fuzz_target!(|data: &[u8]| {
    let mut ledger = ledger();
    let blocks = ledger.totals().live_blocks;
    let _ = scan(file(data), &mut ledger, None);
    // A core tells what refers to blocks, never of blocks.
    assert_eq!(ledger.totals().live_blocks, blocks);
    unfreed::verdict::judge(&ledger);
});

/// A file that nobody else sees.
fn file(data: &[u8]) -> File {
    let path = std::env::temp_dir().join(format!("unfreed-fuzz-{}", std::process::id()));
    let mut options = File::options();
    let mut file = options.read(true).write(true).create(true).truncate(true).open(&path).unwrap();
    fs::remove_file(&path).unwrap();
    file.write_all(data).unwrap();
    file
}

fn ledger() -> Ledger {
    let mut ledger = Ledger::default();
    let mut say = |what| {
        ledger.apply(&Event { time: Time(1), process: ProcessId(0), thread: Tid(1), what });
    };
    let process =
        Process { pid: PID, name: "broker".to_owned(), from_start: true, ..Process::default() };
    say(What::Process(Box::new(process)));
    for n in 0..8 {
        let frame = Frame { module: None, offset: n + 1, trust: Trust::Table };
        say(What::Stack(StackNode { caller: StackId::COMPLETE, frame }));
        say(What::Alloc(Alloc {
            address: Address(HEAP + 0x100 + 0x40 * n),
            size: Bytes(0x30),
            stack: StackId(StackId::FIRST.0 + n as u32),
            function: Function::Malloc,
            heap: HeapId::DEFAULT,
        }));
    }
    say(What::ProcessExit(Exit::Signal(6)));
    say(What::Epoch);
    ledger
}
