//! What a PE file says of itself: time stamp, image size, versions, and which PDB belongs to it. Only
//! headers and small parts are read, so that a file can be given as something that reads on demand.

use std::io::{Read, Seek};

use object::pe::{
    IMAGE_DEBUG_TYPE_CODEVIEW, IMAGE_DIRECTORY_ENTRY_DEBUG, IMAGE_FILE_MACHINE_I386,
    ImageDebugDirectory, ImageDosHeader, ImageNtHeaders32, ImageNtHeaders64, Machine,
};
use object::read::pe::{DataDirectories, ImageNtHeaders, ImageOptionalHeader, SectionTable};
use object::{FileKind, LittleEndian as LE, ReadCache, ReadRef};

use crate::decoration::Decoration;
use crate::version;
use crate::{PdbId, PeFacts, SymbolError};

/// Entries of the debug directory looked at, at most.
const DEBUG_MOST: usize = 64;
/// Bytes of a CodeView record, at most.
const RECORD_MOST: u32 = 4 << 10;

/// What a PE file says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PeFile {
    /// Its header, and what its version resource says besides.
    pub facts: PeFacts,
    /// The file version of its version resource, in full: `6.0.6603.1`.
    pub file_version: Option<String>,
    /// Its PDB, by the CodeView record (RSDS).
    pub pdb: Option<PdbId>,
}

impl PeFile {
    /// Reads them. A damaged part is left out; only a file that is no PE at all, or whose headers cannot
    /// be read, is an error.
    ///
    /// # Errors
    /// [`SymbolError::NotPe`], or [`SymbolError::DamagedPe`] for the headers.
    pub fn read<'data, R: ReadRef<'data>>(data: R) -> Result<PeFile, SymbolError> {
        match FileKind::parse(data) {
            Ok(FileKind::Pe32) => read::<ImageNtHeaders32, R>(data),
            Ok(FileKind::Pe64) => read::<ImageNtHeaders64, R>(data),
            _ => Err(SymbolError::NotPe),
        }
    }

    /// The same from something that can seek.
    ///
    /// # Errors
    /// As [`PeFile::read`].
    pub fn read_from<S: Read + Seek>(source: S) -> Result<PeFile, SymbolError> {
        PeFile::read(&ReadCache::new(source))
    }
}

/// Whether it looks like a PE, by its first two bytes.
pub(crate) fn is_pe(bytes: &[u8]) -> bool {
    bytes.starts_with(b"MZ")
}

/// The headers of a PE file.
pub(crate) struct Headers<'data> {
    pub(crate) sections: SectionTable<'data>,
    pub(crate) directories: DataDirectories<'data>,
    pub(crate) machine: Machine,
    timestamp: u32,
    pub(crate) image_size: u32,
}

impl Headers<'_> {
    /// How C functions are decorated.
    pub(crate) fn decoration(&self) -> Decoration {
        if self.machine == IMAGE_FILE_MACHINE_I386 { Decoration::X86 } else { Decoration::Plain }
    }
}

/// The headers of a PE file of either width.
pub(crate) fn headers<'data, R: ReadRef<'data>>(data: R) -> Result<Headers<'data>, SymbolError> {
    match FileKind::parse(data) {
        Ok(FileKind::Pe32) => headers_of::<ImageNtHeaders32, R>(data),
        Ok(FileKind::Pe64) => headers_of::<ImageNtHeaders64, R>(data),
        _ => Err(SymbolError::NotPe),
    }
}

fn headers_of<'data, Pe, R>(data: R) -> Result<Headers<'data>, SymbolError>
where
    Pe: ImageNtHeaders,
    R: ReadRef<'data>,
{
    let dos = ImageDosHeader::parse(data).map_err(SymbolError::damaged_pe("header"))?;
    let mut offset = dos.nt_headers_offset().into();
    let (nt, directories) =
        Pe::parse(data, &mut offset).map_err(SymbolError::damaged_pe("header"))?;
    let sections = nt.sections(data, offset).map_err(SymbolError::damaged_pe("sections"))?;
    Ok(Headers {
        sections,
        directories,
        machine: nt.file_header().machine.get(LE),
        timestamp: nt.file_header().time_date_stamp.get(LE),
        image_size: nt.optional_header().size_of_image(),
    })
}

fn read<'data, Pe, R>(data: R) -> Result<PeFile, SymbolError>
where
    Pe: ImageNtHeaders,
    R: ReadRef<'data>,
{
    let headers = headers_of::<Pe, R>(data)?;
    let versions = version::read(data, &headers).unwrap_or_default();
    Ok(PeFile {
        facts: PeFacts {
            timestamp: headers.timestamp,
            image_size: headers.image_size,
            product_version: versions.product,
            company: versions.company,
        },
        file_version: versions.file,
        pdb: pdb(data, &headers),
    })
}

fn pdb<'data, R: ReadRef<'data>>(data: R, headers: &Headers<'data>) -> Option<PdbId> {
    let directory = headers.directories.get(IMAGE_DIRECTORY_ENTRY_DEBUG)?;
    let (at, size) = directory.file_range(&headers.sections).ok()?;
    let entries = (size as usize / size_of::<ImageDebugDirectory>()).min(DEBUG_MOST);
    let entries = data.read_slice_at::<ImageDebugDirectory>(at.into(), entries).ok()?;
    let records = entries.iter().filter(|entry| entry.typ.get(LE) == IMAGE_DEBUG_TYPE_CODEVIEW);
    records
        .filter(|entry| entry.size_of_data.get(LE) <= RECORD_MOST)
        .filter_map(|entry| {
            let at = entry.pointer_to_raw_data.get(LE).into();
            data.read_bytes_at(at, entry.size_of_data.get(LE).into()).ok()
        })
        .find_map(record)
}

/// ```text
/// "RSDS", GUID (4, 2, 2 bytes little-endian, then 8 bytes), age (4 bytes), path, NUL
/// ```
fn record(bytes: &[u8]) -> Option<PdbId> {
    let (guid, rest) = bytes.strip_prefix(b"RSDS")?.split_first_chunk::<16>()?;
    let (age, path) = rest.split_first_chunk::<4>()?;
    let path = path.split(|&byte| byte == 0).next().unwrap_or_default();
    let path = String::from_utf8_lossy(path);
    Some(PdbId::new(guid, u32::from_le_bytes(*age), &path))
}
