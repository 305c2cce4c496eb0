//! Made files, in every version, and what they must come to.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use unfreed::event::*;
use unfreed::read::ReadError;

use crate::{Told, names, read, try_read};

/// A text as format 3 has it.
pub fn sized(text: &str) -> String {
    format!("{:x} {text}", text.len())
}

/// An interpreted file: `lose` keeps two of three blocks of 0x20 bytes and one of 0x30 over 400 ms.
pub fn interpreted(version: u32) -> String {
    let text = |text: &str| match version {
        3 => format!("s {}\n", sized(text)),
        _ => format!("s {text}\n"),
    };
    let mut file = match version {
        1 => "v 10200\n".to_owned(),
        version => format!("v 10400 {version}\n"),
    };
    file += "X /opt/mail server/bin/mailer --config a b\nI 1000 5e2991\nS leak:known\n";
    for module in [
        "/opt/bin/mailer",
        "main",
        "main.cpp",
        "Store::lose(int, char)",
        "store.cpp",
        "inlined",
        "operator new(unsigned long)",
    ] {
        file += &text(module);
    }
    // main; Store::lose with a function inlined into it, innermost first; no module at all.
    file +=
        "i 55aa00001000 1 2 3 a\nt 1 0\ni 55aa00002000 1 6 5 7 4 5 9\nt 2 1\ni 7fff0000 0\nt 3 1\n";
    file += "a 20 2\n+ 0\n+ 0\nc a\nR 100\n- 0\n+ 0\nc 64\nR 120\na 30 2\n+ 1\na 8 3\n+ 2\n- 2\nc 190\n# strings: 7\n# ips: 3\n";
    file
}

/// The same as a raw file.
pub fn raw(version: u32) -> String {
    let path = |text: &str| match version {
        3 => sized(text),
        _ => text.to_owned(),
    };
    let mut file =
        format!("v 10400 {version}\nx {}\nX ./mailer\nI 1000 5e2991\n", path("/opt/bin/mailer"));
    file += &format!("m {}\nm {} 55aa00000000 0 1800 3000 1000\n", path("-"), path("x"));
    file += &format!("m {} 7f0000000000 0 8000\n", path("/lib/plugin.so"));
    file += "t 55aa00000fff 0\nt 7f0000001fff 1\n+ 20 2 1000\n+ 20 2 2000\nc a\nR 100\n- 1000\n+ 20 2 1000\nc 64\n";
    // The plug-in is loaded anew, elsewhere.
    file += &format!("m {}\nm {} 55aa00000000 0 1800 3000 1000\n", path("-"), path("x"));
    file += "t 7f0000001fff 1\n+ 30 3 3000\n- 9999\nc 190\n";
    file
}

fn totals(told: &Told) -> [u64; 4] {
    let totals = told.ledger.totals();
    [totals.allocations, totals.frees, totals.live_blocks, totals.live_bytes.0]
}

#[test]
fn an_interpreted_file_is_read_in_every_version() {
    for version in 1..=3 {
        let told = read(interpreted(version).as_bytes());
        assert_eq!(told.faults, [], "version {version}");
        assert_eq!(totals(&told), [5, 2, 3, 0x20 * 2 + 0x30]);
        let image = &told.ledger.images()[0];
        let process = image.process.as_ref().unwrap();
        assert_eq!((process.name.as_str(), process.from_start), ("mailer", true));
        assert_eq!(
            image.samples(Metric::Rss),
            [(Time(10_000_000), 0x10_0000), (Time(100_000_000), 0x12_0000)]
        );
        let (_, site) = told.ledger.sites().next().unwrap();
        assert_eq!(names(&told.ledger, site.stack), ["inlined", "Store::lose(int, char)", "main"]);
        assert!(site.tallied, "which blocks were freed is not known");
        assert_eq!(site.lifetimes.quantile(0.5), None, "no lifetime is made up");
        assert_eq!((site.sizes.min(), site.sizes.max()), (Some(Bytes(0x20)), Some(Bytes(0x30))));
        let (_, outside) = told.ledger.sites().nth(1).unwrap();
        let frame = told.ledger.stacks().frames(outside.stack).next().unwrap();
        assert_eq!((frame.module, frame.offset), (None, 0x7fff_0000));
        assert_eq!(told.ledger.epochs(), 3);
        assert_eq!(told.ledger.now(), Time(400_000_000));
    }
}

#[test]
fn a_raw_file_has_addresses_and_modules() {
    for version in [2, 3] {
        let told = read(raw(version).as_bytes());
        assert_eq!(totals(&told), [4, 1, 3, 0x20 * 2 + 0x30]);
        let [fault] = told.faults.as_slice() else { panic!("{:?}", told.faults) };
        assert!(fault.what.contains("not seen allocated"), "{fault}");
        let (_, site) = told.ledger.sites().next().unwrap();
        assert!(!site.tallied);
        let frames: Vec<Frame> = told.ledger.stacks().frames(site.stack).copied().collect();
        let module = |path: &str| {
            let modules = told.ledger.modules();
            modules.iter().find(|(_, identity)| identity.path == path).map(|(id, _)| id)
        };
        // heaptrack tells the byte before the return address; the frame is the return address.
        let expected = [("/lib/plugin.so", 0x2000), ("/opt/bin/mailer", 0x1000)];
        let expected = expected.map(|(path, offset)| Frame {
            module: module(path),
            offset,
            trust: Trust::Recorded,
        });
        assert_eq!(frames, expected);
        let (_, gone) = told.ledger.sites().nth(1).unwrap();
        let frame = told.ledger.stacks().frames(gone.stack).next().unwrap();
        assert_eq!(frame.module, None, "nothing lay there any more");
        let mapped =
            told.ledger.images()[0].mappings().iter().filter(|mapping| mapping.mapped).count();
        assert_eq!(mapped, 1);
    }
}

#[test]
fn what_heaptrack_was_attached_to_ran_before() {
    let file = interpreted(3).replace("S leak:known\n", "A\n");
    let told = read(file.as_bytes());
    assert!(!told.ledger.images()[0].from_start());
    // Frees of older blocks are nothing to complain of.
    let file = raw(3).replace("I 1000", "A\nI 1000");
    assert_eq!(read(file.as_bytes()).faults, []);
}

#[test]
fn files_without_a_version_have_addresses_and_names() {
    let file = "v 10000\nX mailer\ns mailer\ns main\ni 1000 1 2\nt 1 0\n+ 20 1 5000\n+ 30 1 6000\n- 5000\nc 100\n";
    let told = read(file.as_bytes());
    assert_eq!(told.faults, []);
    assert_eq!(totals(&told), [2, 1, 1, 0x30]);
    let (_, site) = told.ledger.sites().next().unwrap();
    assert_eq!(names(&told.ledger, site.stack), ["main"]);
    assert!(!site.tallied);
}

#[test]
fn a_later_version_is_refused_with_what_to_do() {
    let error = try_read(interpreted(3).replace("v 10400 3", "v 20000 4").as_bytes()).err();
    let Some(ReadError::Unreadable { what, .. }) = error else { panic!("{error:?}") };
    assert!(what.contains("format version 4") && what.contains("use a later unfreed"), "{what}");
}

pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

pub fn zstd(bytes: &[u8]) -> Vec<u8> {
    ::zstd::encode_all(bytes, 1).unwrap()
}

#[test]
fn compressed_files_say_the_same() {
    let file = interpreted(3);
    let plain = read(file.as_bytes());
    let (head, tail) = file.as_bytes().split_at(200);
    for packed in [
        gzip(file.as_bytes()),
        zstd(file.as_bytes()),
        [gzip(head), gzip(tail)].concat(),
        [zstd(head), zstd(tail)].concat(),
    ] {
        let told = read(&packed);
        assert_eq!(told.events, plain.events);
        assert_eq!(told.faults, []);
    }
}

#[test]
fn what_else_is_compressed_is_said() {
    for (inside, says) in [
        (gzip(file_of_heaptrack()), "another compressed file"),
        (b"\x7fELF".to_vec(), "nothing that unfreed reads"),
        (Vec::new(), "nothing that unfreed reads"),
    ] {
        for packed in [gzip(&inside), zstd(&inside)] {
            let error = try_read(&packed).err();
            let Some(ReadError::Unreadable { what, .. }) = error else { panic!("{error:?}") };
            assert!(what.contains(says), "{what}");
        }
    }
}

fn file_of_heaptrack() -> &'static [u8] {
    b"v 10400 3\nX mailer\n"
}
