//! Heap logs of Windows as events: data in, data out. The logs are constructed (`synth_etl`); real ones, of which none
//! has a heap in it, are in `etl_real.rs`.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

#[path = "etl_heap/damage.rs"]
mod damage;
#[path = "etl_heap/end_to_end.rs"]
mod end_to_end;
#[path = "etl_heap/losses.rs"]
mod losses;
#[cfg(target_os = "linux")]
#[path = "etl_heap/memory.rs"]
mod memory;
#[path = "etl_heap/mutations.rs"]
mod mutations;
mod synth_etl;

use std::io::Cursor;

use synth_etl::encode::{Body, FIRST, HERTZ};
use synth_etl::{Bits, File, HEAP, Pid, SynthEtl, Walks};
use unfreed::event::*;
use unfreed::ledger::Ledger;
use unfreed::read::etl::{Reader, Seekable, Tallies};
use unfreed::read::{Fault, Source};

const BOTH: [Bits; 2] = [Bits::B32, Bits::B64];
const STACK: [&str; 3] = ["ntdll.dll+0x2100", "Cdoexm.dll+0x4a10", "store.exe+0x1200"];

/// What came of a log.
struct Read {
    events: Vec<Event>,
    ledger: Ledger,
    faults: Vec<String>,
    tallies: Tallies,
}

impl Read {
    fn of(bytes: &[u8], twice: bool) -> Read {
        if twice {
            let again = Box::new(|| Ok(Box::new(Cursor::new(bytes)) as Box<dyn Seekable>));
            let mut reader = Reader::file(again).unwrap();
            let events = Read::drain(&mut reader);
            Read::new(events, reader.faults(), reader.tallies())
        } else {
            let mut reader = Reader::new(Cursor::new(bytes)).unwrap();
            let events = Read::drain(&mut reader);
            Read::new(events, reader.faults(), reader.tallies())
        }
    }

    fn drain(reader: &mut dyn Source) -> Vec<Event> {
        let (mut events, mut batch) = (Vec::new(), Vec::new());
        while reader.next_batch(&mut batch).unwrap() {
            events.append(&mut batch);
        }
        events
    }

    fn new(events: Vec<Event>, faults: &[Fault], tallies: Tallies) -> Read {
        let mut ledger = Ledger::default();
        let (mut last, mut next) = (Time(0), StackId::FIRST.0);
        for event in &events {
            assert!(event.time >= last, "times go backwards: {event:?}");
            last = event.time;
            match &event.what {
                What::Stack(node) => {
                    assert!(node.caller.0 < next);
                    next += 1;
                }
                What::Alloc(alloc) => assert!(alloc.stack.0 < next),
                _ => {}
            }
            ledger.apply(event);
        }
        assert!(matches!(events.last().map(|e| &e.what), Some(What::Epoch | What::Loss(_))));
        assert_eq!(ledger.stacks().unknown(), 0);
        let faults = faults.iter().map(ToString::to_string).collect();
        Read { events, ledger, faults, tallies }
    }

    fn whats(&self, is: impl Fn(&What) -> bool) -> Vec<&What> {
        self.events.iter().map(|event| &event.what).filter(|what| is(what)).collect()
    }

    fn image(&self, pid: Pid) -> &unfreed::ledger::Image {
        let of = |image: &&unfreed::ledger::Image| {
            image.process.as_ref().is_some_and(|p| p.pid == pid.0)
        };
        self.ledger.images().iter().find(of).unwrap()
    }

    /// The frames of a stack as `Module+0xOFFSET`, innermost first.
    fn frames(&self, stack: StackId) -> Vec<String> {
        let modules = self.ledger.modules();
        self.ledger
            .stacks()
            .frames(stack)
            .map(|frame| match frame.module {
                Some(id) => format!("{}+{:#x}", modules.identity(id).unwrap().name, frame.offset),
                None => format!("@{:#x}", frame.offset),
            })
            .collect()
    }

    /// The sites with what lives there: frames, blocks, bytes.
    fn live(&self) -> Vec<(Vec<String>, u64, u64)> {
        let live = self.ledger.sites().filter(|(_, site)| site.live_blocks > 0);
        live.map(|(_, site)| (self.frames(site.stack), site.live_blocks, site.live_bytes)).collect()
    }
}

fn both(check: impl Fn(SynthEtl)) {
    for bits in BOTH {
        check(SynthEtl::new(bits));
    }
}

#[test]
fn blocks_live_where_they_were_allocated() {
    both(|mut t| {
        let p = t.process("store.exe", 0.1);
        t.module(p, File::new("Cdoexm.dll"));
        t.leak(p, &STACK, 260, 100, 1.0..10.0);
        t.churn(p, &["ntdll.dll+0x2100", "store.exe+0x99"], 32, 500, 1.0..10.0, 0.01);
        let read = Read::of(&t.build(), false);
        assert_eq!(read.faults, [""; 0]);
        let heap = (vec!["ntdll.dll+0x3000".to_owned(), "ntdll.dll+0x900".to_owned()], 1, 0);
        let leak = (STACK.map(str::to_owned).to_vec(), 100, 26_000);
        assert_eq!(read.live(), [heap, leak]);
        let image = read.image(p);
        assert_eq!((image.allocations, image.frees, image.frees_unmatched), (601, 500, 0));
        assert!(image.from_start());
        assert_eq!(image.exit, Some(Exit::StillRunning));
        assert_eq!(read.tallies.stacks, 601);
        assert!(read.ledger.stacks().len() > 4);
    });
}

#[test]
fn the_header_says_when_and_where() {
    let mut t = SynthEtl::new(Bits::B64);
    t.about.bias = -60;
    let p = t.process("store.exe", 2.5);
    t.leak(p, &STACK, 8, 1, 3.0..4.0);
    let bytes = t.build();
    let reader = Reader::new(Cursor::new(&bytes)).unwrap();
    let header = reader.header();
    assert_eq!(header.source, "etl");
    assert_eq!(header.started_unix_ns, 1_234_567_890_000_000_000);
    assert_eq!(header.utc_offset_minutes, 60);
    assert_eq!(header.clock.hertz, Some(HERTZ));
    let read = Read::of(&bytes, false);
    let alloc = read.events.iter().find(|e| matches!(e.what, What::Alloc(_))).unwrap();
    assert_eq!(alloc.time, Time(3_000_000_000));
}

#[test]
fn keys_are_looked_up_ahead_or_waited_for() {
    both(|mut t| {
        t.walks = Walks::Keys;
        let p = t.process("store.exe", 0.1);
        t.module(p, File::new("Cdoexm.dll"));
        t.leak(p, &STACK, 260, 1000, 1.0..100.0);
        let bytes = t.build();
        let leak = (STACK.map(str::to_owned).to_vec(), 1000, 260_000);
        for twice in [true, false] {
            let read = Read::of(&bytes, twice);
            assert_eq!(read.live()[1], leak);
            assert_eq!(read.tallies.read_ahead, twice);
            assert_eq!(read.ledger.lost().stacks, 0);
        }
    });
}

#[test]
fn a_key_that_nothing_is_said_of_is_a_lost_stack() {
    let mut t = SynthEtl::new(Bits::B64);
    let p = t.process("store.exe", 0.1);
    t.walks = Walks::None;
    t.alloc(1.0, p, HEAP, 0x5000, 10, &[]);
    let at = FIRST + HERTZ;
    let key = Body::new(Bits::B64).u64(at).u32(p.0).u32(p.0 + 1).ptr(0x77);
    t.raw(at + 1, synth_etl::encode::perf(Bits::B64, 0x1826, 2, at + 1, &key.bytes));
    let bytes = t.build();
    for twice in [true, false] {
        let read = Read::of(&bytes, twice);
        assert_eq!(read.ledger.lost().stacks, 1);
        let alloc = read.whats(|what| matches!(what, What::Alloc(_)));
        assert!(matches!(alloc[..], [What::Alloc(alloc)] if alloc.stack == StackId::LOST));
    }
}

#[test]
fn images_told_at_the_end_are_looked_up_ahead() {
    both(|mut t| {
        t.rundown_at_start = false;
        let p = t.running_process("store.exe");
        t.module(p, File::new("Cdoexm.dll").version("6.0.6617.47"));
        t.leak(p, &STACK, 260, 10, 1.0..10.0);
        let bytes = t.build();
        let read = Read::of(&bytes, true);
        assert_eq!(read.live(), [(STACK.map(str::to_owned).to_vec(), 10, 2600)]);
        assert_eq!(read.image(p).process.as_ref().unwrap().name, "store.exe");
        assert!(!read.image(p).from_start());
        // In one pass the frames have no module, but nothing is made up, and the module is known in the end.
        let read = Read::of(&bytes, false);
        assert!(read.live()[0].0.iter().all(|frame| frame.starts_with('@')));
        let versions: Vec<_> =
            read.ledger.modules().iter().map(|(_, m)| m.file_version.clone()).collect();
        assert!(versions.contains(&Some("6.0.6617.47".into())));
    });
}

#[test]
fn without_walks_no_stack_is_lost() {
    both(|mut t| {
        t.walks = Walks::None;
        let p = t.process("store.exe", 0.1);
        t.leak(p, &STACK, 260, 5000, 1.0..50.0);
        let read = Read::of(&t.build(), false);
        assert_eq!(read.live(), [(vec![], 5001, 1_300_000)]);
        assert_eq!(read.ledger.lost(), Default::default());
    });
}

#[test]
fn a_stack_that_does_not_come_is_lost_and_counted() {
    let mut t = SynthEtl::new(Bits::B64);
    let p = t.process("store.exe", 0.1);
    t.leak(p, &STACK, 16, 10, 1.0..5.0);
    t.alloc(6.0, p, HEAP, 0x7000_0000, 24, &[]);
    t.leak(p, &STACK, 16, 10, 7.0..15.0);
    let read = Read::of(&t.build(), false);
    assert_eq!(read.image(p).lost.stacks, 1);
    assert_eq!(read.live().len(), 3);
}

#[test]
fn kernel_and_user_parts_are_joined() {
    both(|mut t| {
        let bits = t.bits;
        let p = t.process("store.exe", 0.1);
        t.walks = Walks::None;
        t.alloc(1.0, p, HEAP, 0x5000, 10, &[]);
        let kernel = if bits == Bits::B32 { 0x8280_1234 } else { 0xffff_f800_0000_1234 };
        let user = t.address(p, "store.exe+0x1200");
        let at = FIRST + HERTZ;
        for (after, frames) in [(1, vec![kernel, kernel + 8]), (3, vec![kernel, user, user + 16])] {
            let body = Body::new(bits).u64(at).u32(p.0).u32(p.0 + 1);
            let body = frames.iter().fold(body, |body, frame| body.ptr(*frame));
            t.raw(at + after, synth_etl::encode::perf(bits, 0x1820, 2, at + after, &body.bytes));
        }
        let read = Read::of(&t.build(), false);
        assert_eq!(read.live()[1].0, ["store.exe+0x1200", "store.exe+0x1210"]);
    });
}

#[test]
fn a_realloc_is_counted_once() {
    both(|mut t| {
        let p = t.process("store.exe", 0.1);
        let by = ["ntdll.dll+0x2200", "store.exe+0x88"];
        // One that moved: an allocation, a free, a summary.
        t.alloc(1.0, p, HEAP, 0x5000, 10, &STACK);
        t.alloc(2.0, p, HEAP, 0x6000, 20, &by);
        t.free(2.0, p, HEAP, 0x5000);
        t.realloc(2.0, p, 0x5000, 0x6000, (20, 10), &by);
        // One in place, of which there is only the summary.
        t.alloc(3.0, p, HEAP, 0x7000, 30, &STACK);
        t.realloc(4.0, p, 0x7000, 0x7000, (40, 30), &by);
        // One that failed.
        t.alloc(5.0, p, HEAP, 0x8000, 50, &STACK);
        t.realloc(6.0, p, 0x8000, 0, (60, 50), &by);
        // One that moved, with nothing but the summary.
        t.alloc(7.0, p, HEAP, 0x9000, 70, &STACK);
        t.realloc(8.0, p, 0x9000, 0xa000, (80, 70), &by);
        // One in place that tells of a free and an allocation, too.
        t.alloc(9.0, p, HEAP, 0xb000, 90, &STACK);
        t.free(10.0, p, HEAP, 0xb000);
        t.alloc(10.0, p, HEAP, 0xb000, 100, &by);
        t.realloc(10.0, p, 0xb000, 0xb000, (100, 90), &by);
        let read = Read::of(&t.build(), false);
        let image = read.image(p);
        let mut live: Vec<_> = image.live().map(|b| (b.address.0, b.size.0)).collect();
        live.sort_unstable();
        let expected = [(0x6000, 20), (0x7000, 40), (0x8000, 50), (0xa000, 80), (0xb000, 100)];
        assert_eq!(live[..5], expected);
        assert_eq!(live.len(), 6);
        assert_eq!((image.frees_unmatched, image.frees_unseen), (0, 0));
        assert_eq!(read.tallies.summaries, 3);
    });
}

#[test]
fn heaps_are_blocks_and_take_theirs_with_them() {
    both(|mut t| {
        let p = t.process("store.exe", 0.1);
        t.heap_create(1.0, p, 0x30_0000, &STACK);
        for n in 0..10 {
            t.alloc(2.0, p, 0x30_0000, 0x30_0100 + n * 0x40, 32, &STACK);
        }
        t.heap_destroy(3.0, p, 0x30_0000);
        t.heap_create(4.0, p, 0x40_0000, &STACK);
        let read = Read::of(&t.build(), false);
        let mut live: Vec<u64> = read.image(p).live().map(|b| b.address.0).collect();
        live.sort_unstable();
        assert_eq!(live, [HEAP, 0x40_0000]);
    });
}

#[test]
fn what_heaps_committed_is_a_throttled_account() {
    both(|mut t| {
        let p = t.process("store.exe", 0.1);
        for n in 1..=1000u64 {
            t.resize(1.0 + n as f64 / 1000.0, p, 37, 0x10_0000 * n, 4096, 4096 * n);
        }
        t.resize(3.0, p, 42, 0x10_0000, 4096, 8192);
        let read = Read::of(&t.build(), false);
        let samples = read.image(p).samples(Metric::HeapCommitted);
        assert!((10..=14).contains(&samples.len()), "{samples:?}");
        assert_eq!(samples.last().unwrap().1, 8192);
        assert!(samples.iter().all(|(_, value)| *value <= 4_096_000));
    });
}

#[test]
fn a_number_used_again_is_another_process() {
    both(|mut t| {
        let p = t.process("store.exe", 0.1);
        t.leak(p, &STACK, 16, 10, 1.0..2.0);
        t.exit(3.0, p, -5);
        t.process_again("mad.exe", 4.0, p);
        t.leak(p, &["ntdll.dll+0x2100", "mad.exe+0x10"], 32, 7, 5.0..6.0);
        let read = Read::of(&t.build(), false);
        let [first, second] = read.ledger.images() else { panic!("two") };
        let named = |i: &unfreed::ledger::Image| i.process.as_ref().unwrap().name.clone();
        assert_eq!((named(first), first.exit), ("store.exe".into(), Some(Exit::Status(-5))));
        assert_eq!((named(second), second.exit), ("mad.exe".into(), Some(Exit::StillRunning)));
        assert_eq!((first.live_blocks(), second.live_blocks()), (11, 8));
        let command = &first.process.as_ref().unwrap().command;
        assert_eq!(command[..], [r"C:\Program Files\store.exe", "-x", "7"]);
    });
}

#[test]
fn processes_are_apart_and_older_ones_are_known_as_older() {
    both(|mut t| {
        let (old, new) = (t.running_process("old.exe"), t.process("new.exe", 0.5));
        t.leak(old, &["ntdll.dll+0x2100", "old.exe+0x10"], 16, 10, 1.0..2.0);
        t.leak(new, &["ntdll.dll+0x2100", "new.exe+0x10"], 16, 20, 1.0..2.0);
        t.free(3.0, old, HEAP, 0xdead_0000);
        let read = Read::of(&t.build(), false);
        assert!(!read.image(old).from_start() && read.image(new).from_start());
        assert_eq!((read.image(old).live_blocks(), read.image(new).live_blocks()), (10, 21));
        assert_eq!(read.image(old).frees_unmatched, 1);
        // They share ntdll.
        let ntdll = read.ledger.modules().iter().filter(|(_, m)| m.name == "ntdll.dll").count();
        assert_eq!(ntdll, 1);
    });
}

#[test]
fn heaps_traced_later_than_the_start_are_not_from_the_start() {
    let mut t = SynthEtl::new(Bits::B32);
    let p = t.running_process("store.exe");
    // It starts in the log, but the first record of its heaps is a free, ten seconds later.
    let body = Body::new(Bits::B32).ptr(1).u32(p.0).u32(9).u32(0).u32(0).ptr(0).u32(0);
    t.record(FIRST, 0x301, 3, p, &body.narrow("store.exe").wide("store.exe").bytes);
    t.free(10.0, p, HEAP, 0x5000);
    let read = Read::of(&t.build(), false);
    assert!(!read.image(p).from_start());
}

#[test]
fn files_are_known_by_version_and_program_database() {
    both(|mut t| {
        let p = t.process("store.exe", 0.1);
        let guid = [0x44, 0x33, 0x22, 0x11, 0x66, 0x55, 0x88, 0x77, 1, 2, 3, 4, 5, 6, 7, 8];
        let mut file = File::new("Exsmtp.dll").version("6.5.7233.31").pdb(guid, 3, "exsmtp.pdb");
        file.stamped = false;
        let (size, timestamp) = (file.size, file.timestamp);
        t.module(p, file);
        t.leak(p, &["ntdll.dll+0x2100", "Exsmtp.dll+0x77"], 16, 3, 1.0..2.0);
        let read = Read::of(&t.build(), false);
        let (_, module) =
            read.ledger.modules().iter().find(|(_, m)| m.name == "Exsmtp.dll").unwrap();
        assert_eq!(module.path, r"\Device\HarddiskVolume2\Windows\System32\Exsmtp.dll");
        assert_eq!(module.file_version.as_deref(), Some("6.5.7233.31"));
        let pdb = module.pdb.as_ref().unwrap();
        assert_eq!((pdb.guid.as_str(), pdb.age), ("11223344556677880102030405060708", 3));
        assert_eq!(pdb.name, "exsmtp.pdb");
        let pe = module.pe.as_ref().unwrap();
        assert_eq!((pe.image_size, pe.timestamp), (size, timestamp));
        assert_eq!(pe.company.as_deref(), Some("The maker"));
    });
}

#[test]
fn frames_are_of_what_was_mapped_then() {
    both(|mut t| {
        let p = t.process("store.exe", 0.1);
        t.next_base(p, 0x6000_0000);
        t.load(1.0, p, File::new("first.dll"));
        t.leak(p, &["first.dll+0x10"], 16, 1, 2.0..3.0);
        t.unload(4.0, p, "first.dll");
        t.leak(p, &["@0x60000010"], 16, 1, 5.0..6.0);
        t.next_base(p, 0x6000_0000);
        t.load(7.0, p, File::new("second.dll"));
        t.leak(p, &["second.dll+0x10"], 16, 1, 8.0..9.0);
        let read = Read::of(&t.build(), false);
        let frames: Vec<_> = read.live().into_iter().skip(1).map(|(frames, ..)| frames).collect();
        assert_eq!(frames, [["first.dll+0x10"], ["@0x60000010"], ["second.dll+0x10"]]);
    });
}

#[test]
fn memory_from_the_system_is_a_block_and_heaps_segments_are_not() {
    const RESERVE_COMMIT: u32 = 0x3000;
    const COMMIT: u32 = 0x1000;
    const DECOMMIT: u32 = 0x4000;
    const RELEASE: u32 = 0x8000;
    both(|mut t| {
        let p = t.process("store.exe", 0.1);
        let by = ["ntdll.dll+0x500", "kernel32.dll+0x10", "store.exe+0x20"];
        t.range(1.0, p, 98, (0x50_0000, 0x1_0000), RESERVE_COMMIT, &by);
        t.range(1.1, p, 98, (0x50_1000, 0x1000), COMMIT, &by);
        t.range(1.2, p, 99, (0x50_1000, 0x1000), DECOMMIT, &by);
        t.range(1.3, p, 98, (0x60_0000, 0x1_0000), RESERVE_COMMIT, &by);
        t.range(1.4, p, 99, (0x60_0000, 0), RELEASE, &by);
        // Older than the log: no second free.
        t.range(1.5, p, 99, (0x61_0000, 0), RELEASE, &by);
        // ntdll for a heap, told by the stack.
        let own = ["ntdll.dll+0x500", "ntdll.dll+0x700", "store.exe+0x30"];
        t.range(2.0, p, 98, (0x70_0000, 0x10_0000), RESERVE_COMMIT, &own);
        // A heap's, told by the address, before and after it was handed on.
        t.range(3.0, p, 98, (0x80_0000, 0x10_0000), RESERVE_COMMIT, &by);
        t.resize(3.0, p, 37, 0x80_1000, 0x1000, 0x4000);
        t.range(4.0, p, 98, (0x90_0000, 0x10_0000), RESERVE_COMMIT, &by);
        t.churn(p, &STACK, 16, 200, 5.0..6.0, 0.001);
        t.alloc(7.0, p, HEAP, 0x90_0040, 0xf_0000, &STACK);
        let read = Read::of(&t.build(), false);
        let image = read.image(p);
        let mut live: Vec<_> = image.live().map(|b| (b.address.0, b.size.0)).collect();
        live.sort_unstable();
        assert_eq!(live, [(HEAP, 0), (0x50_0000, 0x1_0000), (0x90_0040, 0xf_0000)]);
        assert_eq!(image.frees_unmatched, 0);
        assert_eq!(read.tallies.segments, 3);
        let told =
            read.whats(|what| matches!(what, What::Fact(fact) if fact.subject.contains("ntdll")));
        assert_eq!(told.len(), 1);
    });
}

#[test]
fn losses_of_the_session_are_of_every_process() {
    let mut t = SynthEtl::new(Bits::B64);
    (t.about.events_lost, t.about.buffers_lost) = (7, 2);
    let p = t.process("store.exe", 0.1);
    t.leak(p, &STACK, 16, 3, 1.0..2.0);
    let read = Read::of(&t.build(), false);
    assert_eq!(read.ledger.lost().events, 9);
    assert_eq!(read.ledger.lost_in(read.image(p)).events, 9);
}

#[test]
fn a_record_of_another_width_is_a_fault_and_a_loss() {
    // What a 32-bit process may log on a 64-bit system: not proven, so not read.
    let mut t = SynthEtl::new(Bits::B64);
    let p = t.process("store.exe", 0.1);
    let body = Body::new(Bits::B32).ptr(HEAP).ptr(16).ptr(0x5000).u32(3);
    t.record(FIRST + HERTZ, 0x1021, 2, p, &body.bytes);
    let read = Read::of(&t.build(), false);
    assert_eq!(read.image(p).lost.events, 1);
    assert_eq!(read.faults.len(), 1, "{:?}", read.faults);
    assert!(read.faults[0].contains("length"));
}

#[test]
fn what_is_not_known_is_counted_by_kind_and_no_fault() {
    let mut t = SynthEtl::new(Bits::B64);
    let p = t.process("store.exe", 0.1);
    for n in 0..5 {
        t.record(FIRST + HERTZ + n, 0x0524, 2, p, &[0; 24]);
    }
    let bytes = t.build();
    let read = Read::of(&bytes, false);
    assert_eq!(read.faults, [""; 0]);
    let fact = read.whats(|what| matches!(what, What::Fact(fact) if fact.subject == "passed over"));
    let [What::Fact(fact)] = fact[..] else { panic!("one") };
    assert_eq!(fact.value.as_deref(), Some("5 records; 5 of hook 0x0524"));
}

#[test]
fn processors_are_merged() {
    both(|mut t| {
        t.about.processors = 4;
        let p = t.process("store.exe", 0.1);
        t.leak(p, &STACK, 260, 2000, 1.0..10.0);
        t.churn(p, &["ntdll.dll+0x2100"], 32, 5000, 1.0..10.0, 0.0001);
        let read = Read::of(&t.build(), false);
        let image = read.image(p);
        assert_eq!((image.live_blocks(), image.frees, image.frees_unmatched), (2001, 5000, 0));
        assert_eq!(read.ledger.lost(), Default::default());
    });
}
