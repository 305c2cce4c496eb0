//! Every kind of header, and what the log says of itself.

use unfreed::read::etl::record::{Provider, Ticks, Width};
use unfreed::read::etl::{Clock, FileTime, HeaderKind, Log};

use super::streamed;
use super::synth::{self, About, FIRST, STARTED};

const GUID: [u8; 16] = *b"heap provider id";

/// A log with these records in one buffer behind the first.
fn log(about: &About, records: &[u8]) -> Vec<u8> {
    [synth::first(about), synth::buffer(1, 0, records, about.buffer)].concat()
}

/// Asserts what the second record of a log is.
fn check(record: &[u8], expected: impl FnOnce(&unfreed::read::etl::record::Record<'_>)) {
    let bytes = log(&About::default(), record);
    let mut log = Log::new(&bytes[..]).unwrap();
    assert_eq!(log.next().unwrap().unwrap().time, Ticks(FIRST));
    let record = log.next().unwrap().unwrap();
    assert_eq!(record.offset.0, 4096 + 0x48);
    assert_eq!((record.time, record.processor), (Ticks(FIRST + 7), 1));
    expected(&record);
    assert!(log.next().unwrap().is_none());
    assert_eq!(log.faults(), []);
}

#[test]
fn kernel_records_of_either_width() {
    for kind in 1..=4 {
        check(&synth::system(kind, 0x1021, 5, 6, FIRST + 7, b"payload"), |record| {
            assert_eq!((record.provider, record.opcode), (Provider::Group(0x10), 0x21));
            assert_eq!((record.thread, record.process), (Some(5), Some(6)));
            assert_eq!(record.width, if kind % 2 == 1 { Width::Bits32 } else { Width::Bits64 });
            assert_eq!((record.version, record.payload), (2, &b"payload"[..]));
        });
    }
}

#[test]
fn performance_records_and_what_may_stand_before_their_payload() {
    for (kind, width) in [(16, Width::Bits32), (17, Width::Bits64)] {
        for (version, more) in [(2, 0), (0x8002, 8), (0x0302, 24), (0x8102, 16)] {
            let payload = [vec![0xee; more], b"payload".to_vec()].concat();
            check(&synth::perf(kind, version, 0x1820, FIRST + 7, &payload), |record| {
                assert_eq!((record.provider, record.opcode), (Provider::Group(0x18), 0x20));
                assert_eq!((record.thread, record.process), (None, None));
                assert_eq!((record.version, record.width), (2, width));
                assert_eq!(record.payload, b"payload");
            });
        }
    }
}

#[test]
fn records_of_event_classes() {
    for (kind, width) in
        [(10, Width::Bits32), (11, Width::Bits32), (20, Width::Bits64), (21, Width::Bits64)]
    {
        check(&synth::full(kind, GUID, 33, 2, FIRST + 7, b"payload"), |record| {
            assert_eq!((record.provider, record.opcode), (Provider::Guid(GUID), 33));
            assert_eq!((record.thread, record.process), (Some(11), Some(12)));
            assert_eq!((record.version, record.width), (2, width));
            assert_eq!((record.payload, record.extended), (&b"payload"[..], &[][..]));
        });
    }
}

#[test]
fn records_of_manifests_with_and_without_extended_items() {
    let items = [synth::item(6, &[1; 24], true), synth::item(18, &[2; 5], false)].concat();
    for (kind, width) in [(18, Width::Bits32), (19, Width::Bits64)] {
        for items in [&[][..], &items] {
            check(&synth::event(kind, GUID, 900, FIRST + 7, items, b"payload"), |record| {
                assert_eq!((record.provider, record.id), (Provider::Guid(GUID), 900));
                assert_eq!((record.opcode, record.version, record.width), (33, 3, width));
                assert_eq!((record.thread, record.process), (Some(21), Some(22)));
                assert_eq!((record.payload, record.extended), (&b"payload"[..], items));
            });
        }
    }
}

#[test]
fn extended_items_that_leave_their_record_are_a_fault() {
    let short = synth::item(6, &[1; 24], true);
    let mut long = synth::item(6, &[1; 24], false);
    long[0] = 200;
    let mut none = synth::item(6, &[1; 24], false);
    none[0] = 0;
    for items in [short, long, none] {
        let told =
            streamed(&log(&About::default(), &synth::event(19, GUID, 900, FIRST + 7, &items, b"")));
        assert_eq!(told.records.len(), 2);
        assert_eq!(told.faults, ["offset 4168: a record's header or its extended items leave it"]);
    }
}

#[test]
fn messages_are_counted_and_passed_over() {
    let records = [
        synth::message(b"a message"),
        synth::system(2, 0x1021, 5, 6, FIRST + 7, b""),
        synth::message(b""),
    ];
    let bytes = log(&About::default(), &records.concat());
    let told = streamed(&bytes);
    assert_eq!(told.records.len(), 2);
    assert_eq!(told.counts.of(HeaderKind::Message), 2);
    assert_eq!(told.faults, [""; 0]);
}

#[test]
fn what_a_log_says_of_itself_at_either_width() {
    for pointer in [4, 8] {
        let about = About { pointer, written: 2, ..About::default() };
        let bytes = log(&about, &[]);
        let log = Log::new(&bytes[..]).unwrap();
        let about = log.about();
        assert_eq!(about.width.bytes(), pointer);
        assert_eq!((about.buffer_size, about.buffers_written), (4096, 2));
        assert_eq!((about.version, about.build, about.processors), ((5, 2), 3790, 2));
        assert_eq!((about.events_lost, about.buffers_lost), (17, 3));
        assert_eq!((about.started, about.first), (FileTime(STARTED), Ticks(FIRST)));
        assert_eq!(about.booted, FileTime(STARTED - 6_000_000_000));
        assert_eq!(about.ended, Some(FileTime(STARTED + 600_000_000)));
        assert_eq!((about.clock, about.perf_freq, about.cpu_mhz), (Clock::Qpc, 10_000_000, 2400));
        assert_eq!(about.utc_offset_minutes, 60);
        assert_eq!(
            (about.session.as_str(), about.file.as_str()),
            ("Heap session", "C:\\Logs\\heap.etl")
        );
    }
}

/// 2004-06-01 00:00 UTC.
const STARTED_UNIX: i64 = 1_086_048_000_000_000_000;

#[test]
fn times_of_every_clock() {
    let second = |about: About, ticks: u64| {
        let bytes = synth::first(&about);
        Log::new(&bytes[..]).unwrap().about().unix_ns(Ticks(ticks)) - STARTED_UNIX
    };
    let about = About::default;
    assert_eq!(second(about(), FIRST), 0);
    assert_eq!(second(about(), FIRST + 15_000_000), 1_500_000_000);
    assert_eq!(second(about(), FIRST - 10), -1000);
    assert_eq!(second(About { hertz: 2_337_949, ..about() }, FIRST + 2_337_949), 1_000_000_000);
    assert_eq!(second(About { clock: 2, ..about() }, STARTED + 5), 500);
    assert_eq!(second(About { clock: 3, ..about() }, FIRST + 2_400_000_000), 1_000_000_000);
    // A clock of unknown speed, and one that is not known.
    assert_eq!(second(About { hertz: 0, ..about() }, FIRST + 10), 1000);
    assert_eq!(second(About { clock: 7, ..about() }, FIRST + 10), 1000);
    // Times that no clock has.
    assert_eq!(second(about(), u64::MAX), i64::MAX - STARTED_UNIX);
}

#[test]
fn something_else_is_an_error() {
    for bytes in [&b""[..], b"unfreed", &[0; 4096], &[0xff; 4096]] {
        assert!(Log::new(bytes).is_err());
    }
    let mut bytes = synth::first(&About::default());
    bytes[0x48 + 0x20 + 0x2c] = 5;
    let error = Log::new(&bytes[..]).err().unwrap();
    assert_eq!(error.to_string(), "offset 0: the log's description of itself is damaged");
}
