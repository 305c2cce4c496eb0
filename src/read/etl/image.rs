//! Records of images that were mapped, unmapped, or found mapped as the trace began or ended.

use super::payload::Payload;
use super::record::{Record, Width};
use crate::event::{Address, Bytes};

/// An image in a process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Image {
    /// Where it begins.
    pub base: Address,
    /// How long it is.
    pub size: Bytes,
    /// The process; `None` where the version does not say.
    pub pid: Option<u32>,
    /// `TimeDateStamp` of the file; 0 where it is not given, as often in a rundown.
    pub timestamp: u32,
    /// The file, as the system named it: `\Device\HarddiskVolume2\Windows\System32\ntdll.dll`.
    pub path: String,
}

impl Image {
    /// Reads a record of an image; `None` where it is too short, has no size or path (then its pointers are not as wide as
    /// its header says), or is of a layout that is not proven (version 0 on 64-bit systems).
    ///
    /// ```text
    /// version 0      base p, size p, path (UTF-16)
    /// version 1      base p, size p, pid u32, path
    /// version 2, 3   base p, size p, pid u32, checksum u32, time stamp u32, 4 bytes, default base p, 16 bytes, path
    /// ```
    pub fn read(record: &Record<'_>) -> Option<Image> {
        let mut from = Payload::of(record);
        if record.version == 0 && record.width == Width::Bits64 {
            return None;
        }
        let (base, size) = (Address(from.pointer()?), Bytes(from.pointer()?));
        let mut image = Image { base, size, ..Image::default() };
        if record.version >= 1 {
            image.pid = Some(from.u32()?);
        }
        if record.version >= 2 {
            from.u32()?;
            image.timestamp = from.u32()?;
            from.u32()?;
            from.pointer()?;
            from.take(16)?;
        }
        image.path = from.utf16();
        (image.size != Bytes(0) && image.path.starts_with(|first: char| first.is_ascii_graphic()))
            .then_some(image)
    }
}
