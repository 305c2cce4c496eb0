//! How large a process is, by kinds of memory: what is private to it, resident or in swap, as `/proc/PID/smaps` says.

use std::fs;
use std::ops::Range;

use serde::{Deserialize, Serialize};

/// A kind of memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// What `brk` gives: the C library's heap.
    Heap,
    /// Memory of no file: allocators' regions, and what a program maps itself.
    Anonymous,
    /// Stacks.
    Stack,
    /// Parts of files.
    File,
    /// Shared with other processes.
    Shared,
}

impl Kind {
    /// All of them.
    pub const ALL: [Kind; 5] = [Kind::Heap, Kind::Anonymous, Kind::Stack, Kind::File, Kind::Shared];

    fn of(name: &str) -> Kind {
        match name {
            "[heap]" => Kind::Heap,
            "[stack]" => Kind::Stack,
            _ if name.starts_with("/dev/shm/")
                || name.starts_with("/memfd:")
                || name.starts_with("/SYSV")
                || name.starts_with("/dev/zero") =>
            {
                Kind::Shared
            }
            _ if name.starts_with('/') => Kind::File,
            _ => Kind::Anonymous,
        }
    }
}

/// Bytes, by [`Kind`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sizes([u64; Kind::ALL.len()]);

impl Sizes {
    /// Of one kind.
    pub fn of(&self, kind: Kind) -> u64 {
        self.0[kind as usize]
    }

    /// Adds to one kind.
    pub fn add(&mut self, kind: Kind, bytes: u64) {
        self.0[kind as usize] += bytes;
    }
}

/// A piece of a process's memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Area {
    pub(super) at: Range<u64>,
    pub(super) kind: Kind,
    pub(super) private: u64,
    /// Whether any of it lies in huge pages.
    pub(super) is_huge: bool,
}

/// A process's memory, in order of address; empty where it has ended.
pub(super) fn areas(pid: u32) -> Vec<Area> {
    parse(&fs::read_to_string(format!("/proc/{pid}/smaps")).unwrap_or_default())
}

/// How large a process is.
pub(super) fn sizes(pid: u32) -> Sizes {
    sum(&areas(pid))
}

/// All of these together.
pub(super) fn sum(areas: &[Area]) -> Sizes {
    let mut sizes = Sizes::default();
    areas.iter().for_each(|area| sizes.add(area.kind, area.private));
    sizes
}

fn parse(text: &str) -> Vec<Area> {
    let mut areas: Vec<Area> = Vec::new();
    for line in text.lines() {
        let mut words = line.split_whitespace();
        let Some(first) = words.next() else { continue };
        if let Some(field) = first.strip_suffix(':') {
            let (Some(area), Some(kib)) =
                (areas.last_mut(), words.next().and_then(|word| word.parse::<u64>().ok()))
            else {
                continue;
            };
            match field {
                "Private_Clean" | "Private_Dirty" | "Swap" => area.private += kib << 10,
                "AnonHugePages" => area.is_huge = kib > 0,
                _ => {}
            }
            continue;
        }
        let bounds = first.split_once('-').and_then(|(start, end)| {
            let number = |text| u64::from_str_radix(text, 16).ok();
            Some(number(start)?..number(end)?)
        });
        let Some(at) = bounds else { continue };
        let kind = Kind::of(words.nth(4).unwrap_or_default());
        // The kernel gives the text piece by piece, and a process runs on in between: an area that has grown past its end,
        // or into which its neighbours went, comes once more, as a whole.
        while areas.last().is_some_and(|before| before.at.end > at.start) {
            areas.pop();
        }
        areas.push(Area { at, kind, private: 0, is_huge: false });
    }
    areas
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_private_is_summed_by_kind() {
        let text = "1000-3000 rw-p 00000000 00:00 0                          [heap]\n\
            Size:                  8 kB\nPrivate_Clean:         0 kB\nPrivate_Dirty:         8 kB\nSwap:  4 kB\n\
            5000-6000 rw-p 00000000 00:00 0 \nPrivate_Dirty:         4 kB\nAnonHugePages:      2048 kB\nVmFlags: rd wr\n\
            7000-8000 r-xp 00000000 fe:00 12   /usr/lib/a b.so (deleted)\nPrivate_Clean: 4 kB\nShared_Clean: 9 kB\n\
            8000-9000 rw-s 00000000 00:01 13   /dev/shm/x\nPrivate_Dirty: 12 kB\n\
            9000-a000 rw-p 00000000 00:00 0    [stack]\nPrivate_Dirty: 16 kB\n";
        let areas = parse(text);
        let sizes = sum(&areas);
        let kib = Kind::ALL.map(|kind| sizes.of(kind) >> 10);
        assert_eq!(kib, [12, 4, 16, 4, 12]);
        assert_eq!((areas[1].at.clone(), areas[1].is_huge), (0x5000..0x6000, true));
    }

    #[test]
    fn what_grows_while_it_is_read_counts_once() {
        let heap = |end, kib| {
            format!("1000-{end} rw-p 00000000 00:00 0    [heap]\nPrivate_Dirty: {kib} kB\n")
        };
        let areas = parse(&format!("{}{}", heap("3000", 8), heap("4000", 12)));
        assert_eq!(areas.len(), 1);
        assert_eq!((areas[0].at.clone(), areas[0].private >> 10), (0x1000..0x4000, 12));
        // Two that became one.
        let both = "1000-2000 rw-p 00000000 00:00 0\nPrivate_Dirty: 4 kB\n\
            2000-3000 r--p 00000000 00:00 0\nPrivate_Dirty: 4 kB\n\
            1000-4000 rw-p 00000000 00:00 0\nPrivate_Dirty: 12 kB\n\
            4000-5000 rw-p 00000000 00:00 0\nPrivate_Dirty: 4 kB\n";
        assert_eq!(sum(&parse(both)).of(Kind::Anonymous) >> 10, 16);
    }
}
