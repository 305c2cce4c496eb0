//! The version resource of a PE file. The numbers of its fixed part are the file's version: the text
//! beside them is for people (`6.00.6603.1 (build by: lab)`), and the only place of what has no numbers.

use object::pe::{IMAGE_DIRECTORY_ENTRY_RESOURCE, ImageResourceDataEntry, RT_VERSION};
use object::read::pe::{
    ResourceDirectory, ResourceDirectoryEntryData, ResourceDirectoryTable, ResourceNameOrId,
};
use object::{LittleEndian as LE, ReadRef};
use pelite::image::VS_VERSION;
use pelite::resources::version_info::VersionInfo;

use crate::guard::guarded;
use crate::pe::Headers;

/// Bytes of a resource section read for its directory, at most: it comes first, the pictures after it.
const DIRECTORY_MOST: u32 = 1 << 20;
/// Bytes of a version resource, at most.
const RESOURCE_MOST: u32 = 64 << 10;
/// Characters of one text, at most.
const TEXT_MOST: usize = 256;

/// What a version resource says.
#[derive(Debug, Default)]
pub(crate) struct Versions {
    pub(crate) file: Option<String>,
    pub(crate) product: Option<String>,
    pub(crate) company: Option<String>,
}

/// Reads it; `None` where there is none, or where it is damaged.
pub(crate) fn read<'data, R: ReadRef<'data>>(
    data: R,
    headers: &Headers<'data>,
) -> Option<Versions> {
    let directory = headers.directories.get(IMAGE_DIRECTORY_ENTRY_RESOURCE)?;
    let (at, size) = directory.file_range(&headers.sections).ok()?;
    let section = data.read_bytes_at(at.into(), size.min(DIRECTORY_MOST).into()).ok()?;
    let entry = entry(ResourceDirectory::new(section))?;
    let size = entry.size.get(LE).min(RESOURCE_MOST);
    let (at, room) = headers.sections.pe_file_range_at(entry.offset_to_data.get(LE))?;
    let bytes = data.read_bytes_at(at.into(), size.min(room).into()).ok()?;
    // The parser wants it aligned as it is in memory.
    let mut aligned = vec![0_u32; bytes.len().div_ceil(4)];
    object::pod::bytes_of_slice_mut(&mut aligned)[..bytes.len()].copy_from_slice(bytes);
    let aligned = &object::pod::bytes_of_slice(&aligned)[..bytes.len()];
    let info = VersionInfo::try_from(aligned).ok()?;
    guarded(|| versions(info))
}

/// The version resource in its first language.
fn entry(section: ResourceDirectory<'_>) -> Option<&ImageResourceDataEntry> {
    let kinds = section.root().ok()?;
    let version = kinds
        .entries
        .iter()
        .find(|entry| matches!(entry.name_or_id(), ResourceNameOrId::Id(id) if id == RT_VERSION))?;
    let first = |table: ResourceDirectoryTable<'_>| {
        let entry = *table.entries.first()?;
        entry.data(section).ok()
    };
    let names = version.data(section).ok()?.table()?;
    match first(names)? {
        ResourceDirectoryEntryData::Data(data) => Some(data),
        ResourceDirectoryEntryData::Table(languages) => first(languages)?.data(),
    }
}

fn versions(info: VersionInfo<'_>) -> Versions {
    let fixed = info.fixed();
    let file = fixed.and_then(|fixed| number(fixed.dwFileVersion));
    let product = fixed.and_then(|fixed| number(fixed.dwProductVersion));
    // A resource may state the language of its texts wrongly; then there are no such texts.
    let languages = info.translation().iter().take(4).copied();
    let text = |key: &str| {
        let texts = languages.clone().filter_map(|language| info.value(language, key));
        let mut texts = texts.map(|text| text.trim_end_matches('\0').trim().to_owned());
        texts.find(|text| !text.is_empty()).map(|text| text.chars().take(TEXT_MOST).collect())
    };
    Versions {
        file: file.or_else(|| text("FileVersion")),
        product: product.or_else(|| text("ProductVersion")),
        company: text("CompanyName"),
    }
}

/// `None` for the version of what was never given one.
fn number(version: VS_VERSION) -> Option<String> {
    let numbers = [version.Major, version.Minor, version.Patch, version.Build];
    numbers.iter().any(|&number| number != 0).then(|| numbers.map(|n| n.to_string()).join("."))
}
