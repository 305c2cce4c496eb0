//! Records of several processors, circular files, late buffers.

use unfreed::read::etl::record::Ticks;

use super::synth::{self, About, FIRST, Packing, STARTED};
use super::{Told, sought, streamed};

/// Records of one processor at these times; the payload says which processor.
fn records(processor: u16, times: impl IntoIterator<Item = u64>) -> Vec<u8> {
    let payload = processor.to_le_bytes();
    let times = times.into_iter();
    times.flat_map(|time| synth::system(2, 0x1021, 5, 6, FIRST + time, &payload)).collect()
}

fn times(told: &Told) -> Vec<u64> {
    told.records.iter().skip(1).map(|record| record.time.0 - FIRST).collect()
}

#[test]
fn processors_are_merged_by_time() {
    let about = About { written: 5, ..About::default() };
    let bytes = [
        synth::first(&about),
        synth::buffer(0, 0, &records(0, [1, 4, 7]), 4096),
        synth::buffer(1, 0, &records(1, [2, 4, 6]), 4096),
        synth::buffer(0, 0, &records(0, [8, 9]), 4096),
        synth::buffer(2, 0, &records(2, [3, 5, 10]), 4096),
    ]
    .concat();
    for told in [streamed(&bytes), sought(&bytes)] {
        assert_eq!(times(&told), [1, 2, 3, 4, 4, 5, 6, 7, 8, 9, 10]);
        assert_eq!(told.faults, [""; 0]);
        // Of equal times the one that comes first in the file.
        let who: Vec<_> = told.records[4..6].iter().map(|record| record.processor).collect();
        assert_eq!(who, [0, 1]);
        assert!(told.records[1..].iter().all(|r| r.payload == r.processor.to_le_bytes()));
    }
}

#[test]
fn records_out_of_order_within_a_buffer_are_put_in_order() {
    let about = About { written: 2, ..About::default() };
    let bytes =
        [synth::first(&about), synth::buffer(0, 0, &records(0, [5, 3, 4, 8, 7]), 4096)].concat();
    for told in [streamed(&bytes), sought(&bytes)] {
        assert_eq!(times(&told), [3, 4, 5, 7, 8]);
        assert_eq!(told.faults, [""; 0]);
    }
}

#[test]
fn a_circular_file_is_read_in_the_order_of_time() {
    for packing in [None, Some(Packing::Xpress), Some(Packing::Lznt1), Some(Packing::Huffman)] {
        let about = About { written: 40, mode: 2, packing, ..About::default() };
        let mut bytes = synth::first(&about);
        for turn in [5, 6, 7, 0, 1, 2, 3, 4] {
            for processor in 0..2 {
                let start = 100 * turn + u64::from(processor);
                let records = records(processor, (start..start + 100).step_by(2));
                bytes.extend(match packing {
                    Some(packing) => synth::packed(processor, &records, packing),
                    None => synth::buffer(processor, 0, &records, 4096),
                });
            }
        }
        for told in [streamed(&bytes), sought(&bytes)] {
            assert_eq!(told.faults, [""; 0], "{packing:?}");
            assert_eq!(times(&told), (0..800).collect::<Vec<_>>(), "{packing:?}");
        }
    }
}

/// Logs larger than what is held, of which the last buffer is an idle processor's from the beginning.
#[test]
fn what_comes_later_than_a_stream_can_wait_for_is_counted_and_a_file_waits() {
    let size = 1 << 20;
    let about = About { buffer: size, ..About::default() };
    let mut bytes = synth::first(&about);
    for turn in 1..80 {
        let record = synth::system(2, 0x1021, 5, 6, FIRST + 10 * turn, &[0; 60_000]);
        bytes.extend(synth::buffer(0, 0, &record.repeat(17), size));
    }
    let idle = synth::buffer(1, 0, &records(1, [5, 15, 10_000]), size);
    bytes.extend(idle);
    let told = sought(&bytes);
    assert_eq!(told.faults, [""; 0]);
    assert!(told.records.is_sorted_by_key(|record| record.time));
    let told = streamed(&bytes);
    assert_eq!(told.counts.late, 2);
    let place = 80 * (u64::from(size)) + 0x48;
    let fault = |what: &str| format!("offset {place}: records came {what} (2 times)");
    assert_eq!(told.faults, [fault("later than a stream can wait for: give the log as a file")]);
    let late: Vec<_> = told.records.windows(2).filter(|two| two[1].time < two[0].time).collect();
    assert_eq!(late.len(), 1, "they come one after the other");
    assert_eq!(told.records.len(), 1 + 79 * 17 + 3);
    // The same as a circular log.
    bytes[0x48 + 0x20 + 0x20] = 2;
    let circular = "after later ones: the log is circular, give it as a file and not as a stream";
    assert_eq!(streamed(&bytes).faults, [fault(circular)]);
}

#[test]
fn one_wrong_time_does_not_disturb_the_others() {
    let about = About { written: 3, ..About::default() };
    for wrong in [1 << 62, FIRST + (30 << 32), 0] {
        let mut middle = records(0, [10, 20, 30, 40]);
        middle[2 * 40 + 16..2 * 40 + 24].copy_from_slice(&wrong.to_le_bytes());
        let bytes = [
            synth::first(&about),
            synth::buffer(0, 0, &middle, 4096),
            synth::buffer(1, 0, &records(1, [15, 25, 35, 45]), 4096),
        ]
        .concat();
        for told in [streamed(&bytes), sought(&bytes)] {
            assert_eq!(times(&told), [10, 15, 20, 20, 25, 35, 40, 45], "{wrong}");
            assert_eq!(told.faults.len(), 1, "{:?}", told.faults);
            assert_eq!(told.counts.late, 0);
        }
    }
}

#[test]
fn a_wrong_end_of_the_session_makes_no_time_wrong() {
    let about = About { written: 2, ended: STARTED + 1, hertz: 1, ..About::default() };
    let ticks = 1_000_000_000;
    let bytes = [
        synth::first(&about),
        synth::buffer(0, 0, &records(0, [ticks, 2 * ticks, 3 * ticks]), 4096),
    ]
    .concat();
    let told = streamed(&bytes);
    assert_eq!(times(&told), [ticks, 2 * ticks, 3 * ticks]);
    assert_eq!(told.records[0].time, Ticks(FIRST));
}

#[test]
fn flags_of_lost_events_and_buffers_are_counted() {
    let mut bytes = synth::first(&About { written: 3, ..About::default() });
    for flags in [0x22_u16, 0x26] {
        let mut buffer = synth::buffer(0, 0, &records(0, [1]), 4096);
        buffer[0x34..0x36].copy_from_slice(&flags.to_le_bytes());
        bytes.extend(buffer);
    }
    let told = streamed(&bytes);
    assert_eq!((told.counts.events_lost, told.counts.buffers_lost), (2, 1));
}

#[test]
fn windows_7_has_the_alignment_beside_the_processor() {
    let mut buffer = synth::buffer(0x080c, 0, &records(0, [1]), 4096);
    buffer[0x34] = 0;
    let bytes = [synth::first(&About { written: 2, ..About::default() }), buffer].concat();
    assert_eq!(streamed(&bytes).records[1].processor, 12);
}
