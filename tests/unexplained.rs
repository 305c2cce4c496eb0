//! Growth of a process held against the growth of what was traced: what is explained, and what is not.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use unfreed::event::*;
use unfreed::ledger::Ledger;
use unfreed::names::{Namer, Store, StoreOptions};
use unfreed::read::trace::Header;
use unfreed::report::model::{MemoryShown, Report};
use unfreed::report::text::{render, style::Style};
use unfreed::report::{Material, assemble};
use unfreed::verdict::{DEFAULT_MIN_CONFIDENCE, judge};
use unfreed_symbols::ModuleIdentity;

const SECOND: u64 = 1_000_000_000;
const MIB: u64 = 1 << 20;

#[derive(Default)]
struct Told(Ledger);

impl Told {
    fn say(mut self, seconds: u64, what: What) -> Self {
        let (time, process) = (Time(seconds * SECOND), ProcessId(0));
        self.0.apply(&Event { time, process, thread: Tid(0), what });
        self
    }

    fn process() -> Self {
        let process = Process { pid: 7, name: "store.exe".into(), ..Process::default() };
        Told::default().say(0, What::Process(Box::new(process)))
    }

    fn loads(self, name: &str) -> Self {
        let identity = ModuleIdentity::of_path(name);
        let module = Module { id: ModuleId(0), identity, base: Address(4096), size: Bytes(4096) };
        self.say(0, What::Module(Box::new(module)))
    }

    fn grows(self, seconds: u64, metric: Metric, mib: u64) -> Self {
        self.say(seconds, What::Sample(Sample { metric, value: mib * MIB }))
    }

    fn alloc(self, seconds: u64, address: u64, mib: u64, function: Function) -> Self {
        let what = What::Alloc(Alloc {
            address: Address(address),
            size: Bytes(mib * MIB),
            stack: if function == Function::VirtualAlloc {
                StackId::LOST
            } else {
                StackId::NOT_TAKEN
            },
            function,
            heap: HeapId::DEFAULT,
        });
        self.say(seconds, what)
    }

    fn report(self) -> Report {
        let Told(ledger) = self.say(600, What::Epoch);
        let material = Material {
            header: &Header::default(),
            ledger: &ledger,
            assessment: &judge(&ledger),
            faults: &[],
            parts: &[],
            min_confidence: DEFAULT_MIN_CONFIDENCE,
        };
        let mut namer = Namer::new(Store::new(StoreOptions::from_environment(Vec::new())));
        assemble(material, &mut namer, &|_| Vec::new())
    }

    /// The account, and the text of the whole report in one line.
    fn account(self) -> (Option<MemoryShown>, String) {
        let report = self.report();
        let text = render(&report, Style::default());
        let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
        (report.target[0].memory.clone(), line)
    }
}

#[test]
fn blocks_and_mappings_explain_a_growth() {
    let (memory, text) = Told::process()
        .alloc(1, 0x1000, 1, Function::RtlAllocateHeap)
        .grows(10, Metric::PrivateBytes, 20)
        .alloc(20, 0x2000_0000, 60, Function::RtlAllocateHeap)
        .alloc(30, 0x8000_0000, 30, Function::VirtualAlloc)
        .grows(500, Metric::PrivateBytes, 120)
        .account();
    let memory = memory.unwrap();
    assert_eq!(memory.growth_bytes, 100 * MIB as i64);
    assert_eq!(memory.live_blocks_bytes, Some(60 * MIB as i64));
    assert_eq!(memory.mapped_bytes, Some(30 * MIB as i64));
    assert_eq!(memory.unexplained_bytes, Some(10 * MIB as i64));
    let says = "store.exe: Private Bytes grew by 100 MiB in 8 m 10 s, of which 90 % is explained \
                (live blocks +60 MiB, mapped by the program +30 MiB).";
    assert!(text.contains(says), "{text}");
}

#[test]
fn what_nothing_explains_is_said_with_the_runtime_that_is_loaded() {
    let (memory, text) = Told::process()
        .loads("C:\\Windows\\Microsoft.NET\\Framework\\v4.0.30319\\clr.dll")
        .alloc(1, 0x1000, 1, Function::RtlAllocateHeap)
        .grows(10, Metric::PrivateBytes, 20)
        .grows(500, Metric::PrivateBytes, 120)
        .account();
    let memory = memory.unwrap();
    assert_eq!(memory.unexplained_bytes, Some(100 * MIB as i64));
    assert_eq!(memory.runtimes, [".NET (clr.dll)"]);
    let says = "the rest is in nothing that was traced: 100 MiB, and a runtime with a heap of its own \
                is loaded: .NET (clr.dll).";
    assert!(text.contains(says), "{text}");
}

#[test]
fn a_managed_heap_that_was_measured_explains_its_part() {
    let (memory, text) = Told::process()
        .loads("clr.dll")
        .alloc(1, 0x1000, 1, Function::RtlAllocateHeap)
        .grows(10, Metric::ManagedHeap, 10)
        .grows(10, Metric::PrivateBytes, 20)
        .grows(500, Metric::ManagedHeap, 105)
        .grows(500, Metric::PrivateBytes, 120)
        .account();
    assert_eq!(memory.unwrap().unexplained_bytes, Some(5 * MIB as i64));
    assert!(text.contains("95 % is explained"), "{text}");
    assert!(!text.contains("is loaded"), "{text}");
}

#[test]
fn heaps_that_committed_more_than_their_blocks_explain_it() {
    let (memory, _) = Told::process()
        .alloc(1, 0x1000, 1, Function::RtlAllocateHeap)
        .grows(10, Metric::HeapCommitted, 2)
        .grows(10, Metric::PrivateBytes, 20)
        .grows(400, Metric::HeapCommitted, 102)
        .grows(500, Metric::PrivateBytes, 120)
        .account();
    assert_eq!(memory.unwrap().unexplained_bytes, Some(0));
}

#[test]
fn without_traced_blocks_nothing_is_called_unexplained() {
    let (memory, text) = Told::process()
        .grows(10, Metric::PrivateBytes, 20)
        .grows(500, Metric::PrivateBytes, 120)
        .account();
    assert_eq!(memory.unwrap().unexplained_bytes, None);
    assert!(
        text.contains(
            "store.exe: Private Bytes grew by 100 MiB in 8 m 10 s; what grew was not traced."
        ),
        "{text}"
    );
}

#[test]
fn one_measurement_is_no_growth() {
    assert_eq!(Told::process().grows(10, Metric::PrivateBytes, 20).account().0, None);
}

#[test]
fn what_no_process_can_use_is_no_panic() {
    for [first, last] in [[1 << 43, 1], [1, (1 << 44) - 1]] {
        let told = Told::process()
            .grows(1, Metric::PrivateBytes, first)
            .grows(1, Metric::HeapCommitted, last)
            .grows(1, Metric::ManagedHeap, first)
            .alloc(1, 4096, 1, Function::Malloc)
            .grows(2, Metric::PrivateBytes, first)
            .grows(300, Metric::HeapCommitted, first)
            .grows(300, Metric::ManagedHeap, last)
            .grows(300, Metric::PrivateBytes, last);
        let report = told.report();
        let memory = report.target[0].memory.as_ref().unwrap();
        assert_eq!(memory.growth_bytes > 0, first < last, "{memory:?}");
        render(&report, Style::default());
    }
}

#[test]
fn resident_memory_of_a_traced_process_is_told_once_and_is_no_verdict() {
    let grown = |told: Told| {
        (1..40).fold(told, |told, second| told.grows(second, Metric::Rss, 100 + second * 10))
    };
    let traced = grown(Told::process().alloc(0, 4096, 1, Function::Malloc)).report();
    assert!(traced.target[0].memory.is_some() && traced.target[0].counters.is_empty());
    let counted = grown(Told::process()).report();
    assert_eq!(counted.target[0].counters.len(), 1);
}
