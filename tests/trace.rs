//! The native trace, from outside: what is written comes back, and what is damaged is counted.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod synth;

use synth::{Synth, linux_module, windows_module};
use unfreed::event::*;
use unfreed::read::trace::Reader;

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
