//! The defect that each founding article describes, as a trace in which its signature is
//! present. The traces are constructed: no such servers were recorded. Versions, facts and what
//! else an article makes depend on are the caller's to choose.

use unfreed::event::{FactKind, ProcessId};

use crate::synth::{Synth, windows_module};

/// What an article's outcome depends on.
#[derive(Clone, Copy, Default)]
pub struct Target<'a> {
    /// Modules and the versions they have on the target.
    pub versions: &'a [(&'a str, &'a str)],
    /// Facts that were read on it: kind, subject, value.
    pub facts: &'a [(FactKind, &'a str, Option<&'a str>)],
}

/// The process of the article, with its modules and facts.
fn begin(process: &str, target: Target<'_>) -> (Synth, ProcessId) {
    let mut trace = Synth::windows();
    let id = trace.process(process);
    for (name, version) in target.versions {
        trace.module(id, windows_module(name, version));
    }
    for &(kind, subject, value) in target.facts {
        trace.fact(kind, subject, value);
    }
    (trace, id)
}

/// What every program also does: blocks that are freed again, and a few that stay.
fn everyday(trace: &mut Synth, process: ProcessId, program: &str) {
    let work = format!("{program}!work");
    trace.churn(process, &["ntdll.dll!RtlAllocateHeap", &work], 512, 3000, 0.0..59.0, 0.05);
    trace.leak(
        process,
        &["ntdll.dll!RtlAllocateHeap", &format!("{program}!start")],
        64,
        20,
        0.0..0.5,
    );
}

/// KB896064: a program that manages mailboxes through CDOEXM.
pub fn kb896064(target: Target<'_>) -> Vec<u8> {
    let (mut trace, process) = begin("mailboxes.exe", target);
    everyday(&mut trace, process, "mailboxes.exe");
    let stack = ["ntdll.dll!RtlAllocateHeap", "Cdoexm.dll+0x4a10", "mailboxes.exe!list"];
    trace.leak(process, &stack, 260, 3000, 0.0..60.0);
    trace.mark(60.0, "mailboxes listed", Some(3000)).build()
}

/// KB843523: a program that synchronizes incrementally.
pub fn kb843523(target: Target<'_>) -> Vec<u8> {
    let (mut trace, process) = begin("sync.exe", target);
    everyday(&mut trace, process, "sync.exe");
    let stack = [
        "ntdll.dll!RtlAllocateHeap",
        "Emsmdb32.dll+0x1f40",
        "Emsmdb32.dll!IExchangeExportChanges::Synchronize",
        "sync.exe!main",
    ];
    trace.leak(process, &stack, 96, 3000, 0.0..60.0);
    trace.mark(60.0, "synchronizations", Some(3000)).build()
}

/// KB891509: a CDO program that logs on to and off many mailboxes.
pub fn kb891509(target: Target<'_>) -> Vec<u8> {
    let (mut trace, process) = begin("logons.exe", target);
    everyday(&mut trace, process, "logons.exe");
    let stack = [
        "ntdll.dll!RtlAllocateHeap",
        "Mapi32.dll+0x2b00",
        "Cdo.dll+0x8120",
        "logons.exe!log_on",
        "logons.exe!main",
    ];
    trace.leak(process, &stack, 1024, 3000, 0.0..60.0);
    trace.mark(60.0, "logons", Some(3000)).build()
}

/// KB900326: a message whose use count ends too low, so that it is released twice.
pub fn kb900326(target: Target<'_>) -> Vec<u8> {
    let (mut trace, process) = begin("Inetinfo.exe", target);
    everyday(&mut trace, process, "Inetinfo.exe");
    let stack = [
        "ntdll.dll!RtlAllocateHeap",
        "Exsmtp.dll+0x7730",
        "Drviis.dll+0x1200",
        "Inetinfo.exe!send",
    ];
    for referral in 0..20 {
        trace.double_free(f64::from(referral) * 3.0, process, &stack, 184);
    }
    trace.lasts(60.0).build()
}

/// Q265514: a program that opens and closes a message store again and again.
pub fn q265514(target: Target<'_>) -> Vec<u8> {
    let (mut trace, process) = begin("outlook.exe", target);
    everyday(&mut trace, process, "outlook.exe");
    let stack = [
        "ntdll.dll!RtlAllocateHeap",
        "ntdll.dll!RtlInitializeCriticalSection",
        "provider.dll!CStore::Init",
        "provider.dll!IMAPISession::OpenMsgStore",
        "outlook.exe!main",
    ];
    trace.leak(process, &stack, 40, 3000, 0.0..60.0);
    trace.mark(60.0, "stores opened and closed", Some(3000)).build()
}
