//! What kind of recording a file is, told from its first bytes. A name or an ending is never
//! looked at: traces are renamed, mailed and unpacked before they are read.

use super::{counters, debugger, leakdiag, memleak, text, umdh};

/// How many bytes from a file's start [`sniff`] can make use of.
const LOOK: usize = 4096;

/// A kind of recording that can be told from its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FileKind {
    /// unfreed's own trace.
    Native,
    /// An event trace log of Windows (`.etl`).
    Etl,
    /// A log of UMDH, one snapshot or the difference of two.
    Umdh,
    /// A log of LeakDiag, one snapshot.
    LeakDiag,
    /// What memleak of BCC prints.
    Memleak,
    /// Performance counters of Windows as text.
    Counters,
    /// The same as their own binary log (`.blg`).
    BinaryCounters,
    /// Text from a debugger of Windows: modules, heaps.
    Debugger,
    /// A data file of heaptrack, raw or interpreted.
    Heaptrack,
    /// A minidump of Windows.
    Minidump,
    /// A gzip or zstd stream: heaptrack's files mostly are.
    Compressed,
    /// A case bundle of unfreed; any zip archive may be one.
    Case,
}

/// Whether this version reads a kind of recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Support {
    /// It does.
    Reads,
    /// It does not; what the user can be told.
    Not(&'static str),
}

impl FileKind {
    /// The kind's name, as a person would say it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Native => "unfreed trace",
            Self::Etl => "Windows event trace log (ETL)",
            Self::Umdh => "UMDH log",
            Self::LeakDiag => "LeakDiag log",
            Self::Memleak => "memleak output",
            Self::Debugger => "debugger output",
            Self::Counters => "performance counter log",
            Self::BinaryCounters => "binary performance counter log (.blg)",
            Self::Heaptrack => "heaptrack recording",
            Self::Minidump => "minidump",
            Self::Compressed => "compressed file",
            Self::Case => "case bundle",
        }
    }

    /// Whether this version reads it.
    pub fn support(self) -> Support {
        match self {
            Self::Native
            | Self::Etl
            | Self::Umdh
            | Self::LeakDiag
            | Self::Memleak
            | Self::Counters
            | Self::Debugger
            | Self::Heaptrack
            | Self::Minidump
            | Self::Compressed
            | Self::Case => Support::Reads,
            Self::BinaryCounters => Support::Not(
                "unfreed cannot read binary performance counter logs (.blg); relog, which comes with Windows, writes them as text",
            ),
        }
    }
}

/// Tells a recording's kind from its first bytes (4 KiB are enough, fewer may be); `None` for
/// anything else.
pub fn sniff(start: &[u8]) -> Option<FileKind> {
    let start = start.get(..LOOK).unwrap_or(start);
    if start.starts_with(&super::trace::MAGIC) {
        Some(FileKind::Native)
    } else if start.starts_with(b"MDMP") {
        Some(FileKind::Minidump)
    } else if start.starts_with(b"PK\x03\x04") {
        Some(FileKind::Case)
    } else if start.starts_with(&[0x1f, 0x8b]) || start.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
        Some(FileKind::Compressed)
    } else if is_etl(start) {
        let counters = counters::is_binary_log(start);
        Some(if counters { FileKind::BinaryCounters } else { FileKind::Etl })
    } else if is_heaptrack(start) {
        Some(FileKind::Heaptrack)
    } else {
        sniff_text(&text::opening(start))
    }
}

/// The same of a text, in whatever encoding it was.
fn sniff_text(opening: &str) -> Option<FileKind> {
    if counters::is_counters(opening) {
        Some(FileKind::Counters)
    } else if leakdiag::is_leakdiag(opening) {
        Some(FileKind::LeakDiag)
    } else if umdh::is_umdh(opening) {
        Some(FileKind::Umdh)
    } else if memleak::is_memleak(opening) {
        Some(FileKind::Memleak)
    } else if debugger::is_debugger(opening) {
        Some(FileKind::Debugger)
    } else {
        None
    }
}

/// An ETL file begins with a buffer header of 0x48 bytes, of type 4 (header buffer) at 0x36. Its
/// first record is a system header (1 or 2, top bit of the marker set), unless the flags at
/// 0x34 say that the buffer is compressed (0x40).
fn is_etl(start: &[u8]) -> bool {
    let compressed = start.get(0x34).is_some_and(|flags| flags & 0x40 != 0);
    let system = matches!(start.get(0x4a..0x4c), Some([1 | 2, marker]) if marker & 0x80 != 0);
    start.get(0x36..0x38) == Some(&[4, 0]) && (compressed || system)
}

/// heaptrack's text begins with a line `v VERSION FILE-VERSION`, both hexadecimal, followed by
/// the executable's line `x ...` (raw) or the command's `X ...` (interpreted).
fn is_heaptrack(start: &[u8]) -> bool {
    let mut lines = start.split(|&byte| byte == b'\n');
    let version = lines.next().and_then(|line| line.strip_prefix(b"v ")).is_some_and(|rest| {
        !rest.is_empty() && rest.iter().all(|byte| byte.is_ascii_hexdigit() || *byte == b' ')
    });
    version && lines.next().is_some_and(|line| matches!(line, [b'x' | b'X', b' ', ..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(start: &[u8], expected: Option<FileKind>) {
        assert_eq!(sniff(start), expected);
    }

    #[test]
    fn kinds_are_told_by_content() {
        check(b"\x89UFR\r\n\x1a\n\x01\0\0\0", Some(FileKind::Native));
        check(b"MDMP\x93\xa7", Some(FileKind::Minidump));
        check(b"\x1f\x8b\x08\0", Some(FileKind::Compressed));
        check(b"PK\x03\x04\x14\0", Some(FileKind::Case));
        check(b"v 10400 3\nx /usr/bin/mosquitto\n", Some(FileKind::Heaptrack));
        check(b"v 10400 3\nX mosquitto -c a\n", Some(FileKind::Heaptrack));
        check(b"// Loaded modules:\n//     Base Size Module\n", Some(FileKind::Umdh));
        check(b"// + BYTES_DELTA (NEW_BYTES - OLD_BYTES) NEW_COUNT", Some(FileKind::Umdh));
        check(b"+ 520 ( 780 - 260) 3 allocs\tBackTrace46F3C\n", Some(FileKind::Umdh));
        let mut etl = vec![0; 0x48];
        etl[0x36] = 4;
        etl.extend([2, 0, 2, 0xc0]);
        check(&etl, Some(FileKind::Etl));
    }

    #[test]
    fn anything_else_is_nothing() {
        check(b"", None);
        check(b"\x7fELF\x02\x01\x01", None);
        check(b"v is for version\n", None);
        check(&[0; LOOK * 2], None);
    }
}
