//! What happens to a recorder: it is killed, its disk is full, its file may be read by others.

use std::cell::RefCell;
use std::io::{self, Write};
use std::rc::Rc;

use unfreed::event::*;
use unfreed::read::trace::{Header, Writer};

use crate::{example, read};

/// A disk with room for so many bytes.
#[derive(Clone, Default)]
struct Disk {
    bytes: Rc<RefCell<Vec<u8>>>,
    room: usize,
}

impl Write for Disk {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut held = self.bytes.borrow_mut();
        let len = bytes.len().min(self.room - held.len());
        if len == 0 && !bytes.is_empty() {
            return Err(io::ErrorKind::StorageFull.into());
        }
        held.extend(&bytes[..len]);
        Ok(len)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_killed_recorder_loses_what_was_not_flushed() {
    let (header, events) = example();
    let disk = Disk { room: usize::MAX, ..Disk::default() };
    let mut writer = Writer::new(disk.clone(), &header).unwrap();
    for event in &events[..4] {
        writer.write(event).unwrap();
    }
    writer.flush().unwrap();
    writer.write(&events[4]).unwrap();
    drop(writer);
    let (back, faults) = read(&disk.bytes.borrow());
    assert_eq!(back, events[..4]);
    assert!(faults[0].contains("the recorder was killed or the disk was full"), "{faults:?}");
}

#[test]
fn a_full_disk_is_told_once_and_leaves_whole_chunks() {
    let (_, events) = example();
    let whole = crate::arbitrary::chunked(&events, 1).len();
    for room in 0..whole {
        let disk = Disk { room, ..Disk::default() };
        let Ok(mut writer) = Writer::new(disk.clone(), &Header::default()) else { continue };
        let mut errors = 0;
        let mut flushed = 0;
        for event in &events {
            errors += usize::from(writer.write(event).is_err());
            let before = disk.bytes.borrow().len();
            errors += usize::from(writer.flush().is_err());
            flushed += usize::from(errors == 0 && disk.bytes.borrow().len() > before);
        }
        match writer.finish() {
            Ok(summary) => {
                assert_eq!(summary.events as usize, flushed);
                assert_eq!(summary.dropped as usize, events.len() - flushed);
            }
            Err(_) => errors += 1,
        }
        assert_eq!(errors, 1, "room for {room} bytes");
        let (mut back, faults) = read(&disk.bytes.borrow());
        back.retain(|event| !matches!(event.what, What::Loss(_)));
        assert_eq!(back, events[..flushed], "room for {room} bytes");
        assert!(!faults.is_empty());
    }
}

#[cfg(unix)]
#[test]
fn only_its_owner_may_read_a_trace() {
    use std::os::unix::fs::PermissionsExt;

    let (header, events) = example();
    let directory = tempfile::tempdir().unwrap();
    let mode = |path: &std::path::Path| path.metadata().unwrap().permissions().mode() & 0o7777;

    let new = directory.path().join("new");
    drop(Writer::create(&new, &header).unwrap());
    assert_eq!(mode(&new), 0o600);

    let old = directory.path().join("old");
    std::fs::write(&old, vec![0xff; 10_000]).unwrap();
    std::fs::set_permissions(&old, PermissionsExt::from_mode(0o644)).unwrap();
    let mut writer = Writer::create(&old, &header).unwrap();
    for event in &events {
        writer.write(event).unwrap();
    }
    let summary = writer.finish().unwrap();
    assert_eq!(mode(&old), 0o600);
    let bytes = std::fs::read(&old).unwrap();
    assert_eq!(read(&bytes), (events.clone(), Vec::new()));
    assert_eq!((summary.bytes, summary.events), (bytes.len() as u64, events.len() as u64));
}

#[test]
fn long_texts_are_cut_and_counted() {
    let (header, _) = example();
    let mut bytes = Vec::new();
    let mut writer = Writer::new(&mut bytes, &header).unwrap();
    let process = Process {
        name: "n".repeat(100_000),
        command: vec!["a".repeat(65_536); 30],
        ..Process::default()
    };
    let what = What::Process(Box::new(process));
    let place = (Time(0), ProcessId(0), Tid(0));
    writer.write(&Event { time: place.0, process: place.1, thread: place.2, what }).unwrap();
    assert_eq!(writer.finish().unwrap().cut, 2);
    let (back, faults) = read(&bytes);
    let What::Process(process) = &back[0].what else { panic!("{back:?}") };
    assert_eq!((process.name.len(), process.command.len(), faults.len()), (65_536, 4, 0));
}
