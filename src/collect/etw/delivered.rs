//! A record as a session delivers it, put into the form that it has in a file.
//!
//! What is delivered begins with an `EVENT_HEADER`, which is what records of a provider have in a file, too. Those of the kernel
//! have there a short header with a hook instead: the group that stands for the class's GUID, and the opcode. Both are
//! written so, since WPA and PerfView know the kernel's records by their hooks. From here on there is one form: the live
//! decoder and the writer of files take the same bytes.

use super::properties::{Guid, HEAP};

/// Length of an `EVENT_HEADER`.
pub const HEADER: usize = 80;

/// What the GUIDs of most of the kernel's classes end with.
const KERNEL: [u8; 8] = [0x9d, 0xda, 0x00, 0xc0, 0x4f, 0xd7, 0xba, 0x7c];

/// A class's GUID and the group of its hooks.
const GROUPS: [(Guid, u8); 6] = [
    (class(0x3d6f_a8d0, 0xfe05, 0x11d0, KERNEL), 0x03),
    (class(0x3d6f_a8d1, 0xfe05, 0x11d0, KERNEL), 0x05),
    (class(0x3d6f_a8d3, 0xfe05, 0x11d0, KERNEL), 0x02),
    (HEAP, 0x10),
    (class(0x2cb1_5d1d, 0x5fc1, 0x11d2, [0xab, 0xe1, 0x00, 0xa0, 0xc9, 0x11, 0xf5, 0x18]), 0x14),
    (STACK_WALK, 0x18),
];

const STACK_WALK: Guid =
    class(0xdef2_fe46, 0x7bd6, 0x4b80, [0xbd, 0x94, 0xf5, 0x7f, 0xe2, 0x0d, 0x0c, 0xe3]);

/// The log's own records: the description that a session begins with.
pub const LOG: Guid =
    class(0x68fd_d900, 0x4a3e, 0x11d1, [0x84, 0xf4, 0x00, 0x00, 0xf8, 0x04, 0x64, 0xe3]);

const IMAGES: u8 = 0x14;
const STACKS: u8 = 0x18;
/// An image that is loaded: logged as of the group of processes.
const LOAD: u8 = 10;

const fn class(a: u32, b: u16, c: u16, d: [u8; 8]) -> Guid {
    let number =
        a as u128 | (b as u128) << 32 | (c as u128) << 48 | (u64::from_le_bytes(d) as u128) << 64;
    number.to_le_bytes()
}

/// Flags of an `EVENT_HEADER`.
mod flag {
    pub const EXTENDED: u16 = 0x01;
    pub const BITS_32: u16 = 0x20;
    pub const CLASSIC: u16 = 0x100;
}

/// The marker of every record in a file, and what kinds of header there are.
const MARKER: u8 = 0xc0;
mod kind {
    pub const SYSTEM: [u8; 2] = [1, 2];
    pub const FULL: [u8; 2] = [10, 20];
    pub const PERF: [u8; 2] = [16, 17];
    pub const EVENT: [u8; 2] = [18, 19];
}

/// What a session delivered.
#[derive(Clone, Copy, Debug)]
pub struct Delivered<'a> {
    /// The `EVENT_HEADER` as it lies in memory.
    ///
    /// ```text
    /// 00  2  size             18 10  provider or class
    /// 02  2  type             28  2  id
    /// 04  2  flags            2a  1  version
    /// 06  2  property         2b  2  channel, level
    /// 08  4  thread           2d  1  opcode
    /// 0c  4  process          2e 10  task, keywords
    /// 10  8  time             38  8  processor times: kernel, user
    ///                         40 10  activity
    /// ```
    pub header: &'a [u8; HEADER],
    /// On which processor.
    pub processor: u16,
    /// The payload.
    pub payload: &'a [u8],
}

impl Delivered<'_> {
    fn field<const N: usize>(&self, at: usize) -> [u8; N] {
        let bytes = self.header.get(at..).and_then(|rest| rest.first_chunk());
        bytes.copied().unwrap_or([0; N])
    }

    /// When it was logged, in units of the session's clock.
    pub fn time(&self) -> u64 {
        u64::from_le_bytes(self.field(0x10))
    }

    /// Whether it is the session's description of itself.
    pub fn is_description(&self) -> bool {
        self.field::<16>(0x18) == LOG
    }

    /// Puts it behind `out` as it would stand in a file, filled up to a multiple of eight bytes; `false` where it is
    /// too long to be a record.
    pub fn write(&self, out: &mut Vec<u8>) -> bool {
        let flags = u16::from_le_bytes(self.field(4));
        let wide = usize::from(flags & flag::BITS_32 == 0);
        let class: Guid = self.field(0x18);
        let group = GROUPS.iter().find(|(guid, _)| *guid == class).map(|(_, group)| *group);
        let begin = out.len();
        match group.filter(|_| flags & flag::CLASSIC != 0) {
            Some(STACKS) => self.performance(kind::PERF[wide], STACKS, out),
            Some(IMAGES) if self.header[0x2d] == LOAD => self.system(kind::SYSTEM[wide], 3, out),
            Some(group) => self.system(kind::SYSTEM[wide], group, out),
            None if flags & flag::CLASSIC != 0 => self.full(kind::FULL[wide], class, out),
            None => self.event(kind::EVENT[wide], flags, out),
        }
        out.extend(self.payload);
        let size_at = match group {
            Some(_) if flags & flag::CLASSIC != 0 => 4,
            _ => 0,
        };
        let Ok(size) = u16::try_from(out.len() - begin) else {
            out.truncate(begin);
            return false;
        };
        if let Some(place) = out.get_mut(begin + size_at..begin + size_at + 2) {
            place.copy_from_slice(&size.to_le_bytes());
        }
        out.resize(begin + (out.len() - begin).next_multiple_of(8), 0);
        true
    }

    /// `version 2, kind, marker, size 2, hook 2, thread 4, process 4, time 8, processor times 8`
    fn system(&self, kind: u8, group: u8, out: &mut Vec<u8>) {
        out.extend([self.header[0x2a], 0, kind, MARKER, 0, 0, self.header[0x2d], group]);
        out.extend(self.field::<16>(0x08));
        out.extend(self.field::<8>(0x38));
    }

    /// `version 2, kind, marker, size 2, hook 2, time 8`
    fn performance(&self, kind: u8, group: u8, out: &mut Vec<u8>) {
        out.extend([self.header[0x2a], 0, kind, MARKER, 0, 0, self.header[0x2d], group]);
        out.extend(self.field::<8>(0x10));
    }

    /// `size 2, kind, marker, opcode, level, version 2, thread 4, process 4, time 8, GUID 10, processor times 8`
    fn full(&self, kind: u8, class: Guid, out: &mut Vec<u8>) {
        let [version, _, level, opcode] = self.field(0x2a);
        out.extend([0, 0, kind, MARKER, opcode, level, version, 0]);
        out.extend(self.field::<16>(0x08));
        out.extend(class);
        out.extend(self.field::<8>(0x38));
    }

    /// As it is. Extended items are left out: stacks come as records of their own.
    fn event(&self, kind: u8, flags: u16, out: &mut Vec<u8>) {
        out.extend([0, 0, kind, MARKER]);
        out.extend((flags & !flag::EXTENDED).to_le_bytes());
        out.extend(self.header.get(6..).unwrap_or_default());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An `EVENT_HEADER` of a classic record.
    fn header(class: Guid, opcode: u8, version: u8, flags: u16) -> [u8; HEADER] {
        let mut header = [0; HEADER];
        header[0x04..0x06].copy_from_slice(&flags.to_le_bytes());
        header[0x08..0x0c].copy_from_slice(&0x0a0bu32.to_le_bytes());
        header[0x0c..0x10].copy_from_slice(&0x1234u32.to_le_bytes());
        header[0x10..0x18].copy_from_slice(&0x0102_0304_0506_0708u64.to_le_bytes());
        header[0x18..0x28].copy_from_slice(&class);
        header[0x28..0x2e].copy_from_slice(&[7, 0, version, 0, 4, opcode]);
        header[0x38..0x40].copy_from_slice(&[1, 0, 0, 0, 2, 0, 0, 0]);
        header
    }

    fn written(header: &[u8; HEADER], payload: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        assert!(Delivered { header, processor: 3, payload }.write(&mut out));
        out
    }

    #[test]
    fn a_heap_record_has_its_hook() {
        let out = written(&header(HEAP, 33, 2, 0x140), &[0x55; 28]);
        #[rustfmt::skip]
        let golden = [
            2, 0, 2, 0xc0, 60, 0, 0x21, 0x10, 0x0b, 0x0a, 0, 0, 0x34, 0x12, 0, 0,
            8, 7, 6, 5, 4, 3, 2, 1, 1, 0, 0, 0, 2, 0, 0, 0,
        ];
        assert_eq!(out[..32], golden);
        assert_eq!((out.len(), &out[32..60], &out[60..]), (64, &[0x55; 28][..], &[0; 4][..]));
    }

    #[test]
    fn one_with_narrow_pointers_says_so() {
        assert_eq!(written(&header(HEAP, 33, 2, 0x120), &[0; 16])[2], 1);
        assert_eq!(written(&header(STACK_WALK, 32, 2, 0x120), &[0; 16])[2], 16);
        assert_eq!(written(&header([9; 16], 1, 2, 0x120), &[0; 16])[2], 10);
        assert_eq!(written(&header([9; 16], 1, 2, 0x20), &[0; 16])[2], 18);
    }

    #[test]
    fn a_stack_has_neither_process_nor_thread_in_its_header() {
        let out = written(&header(STACK_WALK, 0x20, 2, 0x140), &[0x66; 24]);
        let golden = [2, 0, 17, 0xc0, 40, 0, 0x20, 0x18, 8, 7, 6, 5, 4, 3, 2, 1];
        assert_eq!((&out[..16], out.len()), (&golden[..], 40));
    }

    #[test]
    fn an_image_loaded_is_of_the_group_of_processes() {
        let images = GROUPS[4].0;
        assert_eq!(written(&header(images, 10, 2, 0x140), &[])[6..8], [10, 3]);
        assert_eq!(written(&header(images, 2, 2, 0x140), &[])[6..8], [2, 0x14]);
        assert_eq!(written(&header(images, 3, 2, 0x140), &[])[6..8], [3, 0x14]);
        assert_eq!(written(&header(GROUPS[0].0, 1, 4, 0x140), &[])[6..8], [1, 3]);
    }

    #[test]
    fn other_classes_keep_their_guid_and_events_their_header() {
        let out = written(&header([9; 16], 36, 1, 0x140), &[1, 2]);
        assert_eq!(out[..8], [50, 0, 20, 0xc0, 36, 4, 1, 0]);
        assert_eq!((out[0x18..0x28].to_vec(), out[0x30], out.len()), (vec![9; 16], 1, 56));
        let out = written(&header([9; 16], 36, 1, 0x41), &[1, 2]);
        assert_eq!(out[..6], [82, 0, 19, 0xc0, 0x40, 0]);
        assert_eq!(out.len(), 88);
    }

    #[test]
    fn one_that_is_too_long_is_none() {
        let header = header(HEAP, 33, 2, 0x140);
        let payload = vec![0; 65_535 - 31];
        let mut out = vec![7];
        assert!(!Delivered { header: &header, processor: 0, payload: &payload }.write(&mut out));
        assert_eq!(out, [7]);
        assert!(
            Delivered { header: &header, processor: 0, payload: &payload[1..] }.write(&mut out)
        );
    }
}
