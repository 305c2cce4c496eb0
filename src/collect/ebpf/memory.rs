//! What a process has mapped, as `/proc/PID/maps` says: the files that are code, and where.

use std::collections::{BTreeMap, HashSet};
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

/// What tells one file from another, whatever its name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct FileId {
    device: String,
    inode: u64,
}

/// A part of a file that is mapped as code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Code {
    pub(super) start: u64,
    pub(super) end: u64,
    /// Where it begins in the file.
    pub(super) offset: u64,
    /// Whether it may be written to as well: then the kernel sets no probe in it.
    pub(super) writable: bool,
}

/// A file that is mapped, some of it as code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mapped {
    pub(super) file: FileId,
    /// As the process sees it.
    pub(super) path: PathBuf,
    /// Of everything that is mapped of it.
    pub(super) start: u64,
    pub(super) end: u64,
    pub(super) code: Vec<Code>,
    /// The first part that is mapped of it.
    part: (u64, u64),
}

/// What a process can execute.
#[derive(Debug, Default)]
pub(super) struct Memory {
    /// Files, in order of address.
    pub(super) mapped: Vec<Mapped>,
    /// Files that are mapped from their beginning, and not as code.
    pub(super) begun: Vec<Mapped>,
    /// Memory that is no file's: what the program made itself (JIT), and the kernel's.
    pub(super) unnamed: Vec<(u64, u64)>,
}

/// Reads it.
pub(super) fn mapped(pid: u32) -> io::Result<Memory> {
    Ok(parse(&fs::read(format!("/proc/{pid}/maps"))?))
}

/// A file by what is mapped of it, which works though it was removed, or lies where only the process sees it.
pub(super) fn link_to(pid: u32, mapped: &Mapped) -> PathBuf {
    let (start, end) = mapped.part;
    PathBuf::from(format!("/proc/{pid}/map_files/{start:x}-{end:x}"))
}

pub(super) fn parse(map: &[u8]) -> Memory {
    let mut unnamed = Vec::new();
    let mut files: BTreeMap<u64, Mapped> = BTreeMap::new();
    let mut from_beginning = HashSet::new();
    let mut last: Option<(FileId, u64)> = None;
    for line in map.split(|byte| *byte == b'\n') {
        let Some(Line { start, end, code, writable, offset, file }) = split(line) else { continue };
        let Some((file, path)) = file else {
            // The probes' own page: a return address there is in nobody's stack but by way of us.
            if code && !line.ends_with(b"[uprobes]") {
                unnamed.push((start, end));
            }
            continue;
        };
        // A file may be mapped several times over (`dlmopen`): each time it begins with its beginning.
        let same = last.take().filter(|(of, _)| *of == file && offset != 0);
        let at = same.map_or(start, |(_, at)| at);
        let entry = files.entry(at).or_insert_with(|| Mapped {
            file: file.clone(),
            path,
            start,
            end,
            code: Vec::new(),
            part: (start, end),
        });
        entry.end = end;
        if offset == 0 {
            from_beginning.insert(start);
        }
        if code {
            entry.code.push(Code { start, end, offset, writable });
        }
        last = Some((file, at));
    }
    let (mapped, mut begun): (Vec<_>, Vec<_>) =
        files.into_values().partition(|mapped| !mapped.code.is_empty());
    begun.retain(|mapped| from_beginning.contains(&mapped.start));
    Memory { mapped, begun, unnamed }
}

struct Line {
    start: u64,
    end: u64,
    code: bool,
    writable: bool,
    offset: u64,
    /// With its path.
    file: Option<(FileId, PathBuf)>,
}

/// `7f00-7f10 r-xp 00004000 fe:00 1234    /path (deleted)`
fn split(line: &[u8]) -> Option<Line> {
    let path_at = line.iter().position(|byte| *byte == b'/').unwrap_or(line.len());
    let (fields, path) = line.split_at(path_at);
    let mut fields = std::str::from_utf8(fields).ok()?.split_whitespace();
    let (start, end) = fields.next()?.split_once('-')?;
    let hexadecimal = |text: &str| u64::from_str_radix(text, 16).ok();
    let (start, end) = (hexadecimal(start)?, hexadecimal(end)?);
    let may = fields.next()?.as_bytes();
    let (writable, code) = (may.get(1) == Some(&b'w'), may.get(2) == Some(&b'x'));
    let offset = hexadecimal(fields.next()?)?;
    let device = fields.next()?.to_owned();
    let inode: u64 = fields.next()?.parse().ok()?;
    let path = path.strip_suffix(b" (deleted)").unwrap_or(path);
    let is_file = inode != 0 && !path.starts_with(b"/dev/") && !path.starts_with(b"/memfd:");
    let file = || (FileId { device, inode }, PathBuf::from(OsStr::from_bytes(path)));
    Some(Line { start, end, code, writable, offset, file: is_file.then(file) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_file_is_one_however_many_its_parts() {
        let map = b"55d000-55d400 r--p 00000000 fe:00 11   /usr/sbin/x y\n\
                    55d400-55e000 r-xp 00000400 fe:00 11   /usr/sbin/x y\n\
                    560000-570000 rw-p 00000000 00:00 0    [heap]\n\
                    7f0000-7f1000 r--p 00000000 fe:00 12   /usr/share/locale.mo\n\
                    7f2000-7f3000 r-xp 00000000 fe:00 13   /tmp/gone.so (deleted)\n\
                    7f4000-7f5000 r-xp 00000000 fe:00 13   /tmp/gone.so (deleted)\n\
                    7fff00-7fff10 r-xp 00000000 00:00 0    [vdso]\n";
        let Memory { mapped: files, begun, unnamed } = parse(map);
        assert_eq!(unnamed, [(0x7fff00, 0x7fff10)]);
        assert_eq!(files.len(), 3);
        assert_eq!(begun.len(), 1);
        assert_eq!(begun[0].path, PathBuf::from("/usr/share/locale.mo"));
        assert_eq!(files[0].path, PathBuf::from("/usr/sbin/x y"));
        assert_eq!((files[0].start, files[0].end), (0x55d000, 0x55e000));
        let code = Code { start: 0x55d400, end: 0x55e000, offset: 0x400, writable: false };
        assert_eq!(files[0].code, [code]);
        // Mapped twice, from its beginning each time: two modules.
        assert_eq!(files[1].path, PathBuf::from("/tmp/gone.so"));
        assert_eq!((files[1].start, files[2].start), (0x7f2000, 0x7f4000));
    }
}
