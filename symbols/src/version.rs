//! The version resource of a PE file. The numbers of its fixed part are the file's version: the text
//! beside them is for people (`6.00.6603.1 (build by: lab)`), and the only place of what has no numbers.

use object::pe::{IMAGE_DIRECTORY_ENTRY_RESOURCE, ImageResourceDataEntry, RT_VERSION};
use object::read::pe::{
    ResourceDirectory, ResourceDirectoryEntryData, ResourceDirectoryTable, ResourceNameOrId,
};
use object::{LittleEndian as LE, ReadRef};

use crate::pe::Headers;

/// Bytes of a resource section read for its directory, at most: it comes first, the pictures after it.
const DIRECTORY_MOST: u32 = 1 << 20;
/// Bytes of a version resource, at most.
const RESOURCE_MOST: u32 = 64 << 10;
/// Characters of one text, at most.
const TEXT_MOST: usize = 256;
/// What the fixed part begins with.
const SIGNATURE: u32 = 0xfeef_04bd;

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
    versions(data.read_bytes_at(at.into(), size.min(room).into()).ok()?)
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

/// One node of the resource; its children have the same layout:
///
/// ```text
/// length (2 bytes), length of the value (2), type (2), key in UTF-16 with its NUL, filled up to 4 bytes,
/// value, filled up to 4 bytes, children up to the length
/// ```
struct Node<'a> {
    key: String,
    value: &'a [u8],
    children: &'a [u8],
}

/// The nodes that lie one behind the other; what is damaged ends them.
fn nodes(mut bytes: &[u8]) -> impl Iterator<Item = Node<'_>> {
    std::iter::from_fn(move || {
        let length = usize::from(word(bytes, 0)?);
        let whole = bytes.get(..length.min(bytes.len()))?;
        let (value_length, is_text) = (usize::from(word(whole, 2)?), word(whole, 4)? == 1);
        let units = whole.get(6..)?.as_chunks::<2>().0;
        let end = units.iter().position(|unit| *unit == [0; 2])?;
        let value = whole.get((6 + 2 * (end + 1)).next_multiple_of(4)..).unwrap_or_default();
        // The length of a text counts characters.
        let value_length = if is_text { 2 * value_length } else { value_length };
        let (value, _) = value.split_at(value_length.min(value.len()));
        let behind = (6 + 2 * (end + 1)).next_multiple_of(4) + value_length.next_multiple_of(4);
        let children = whole.get(behind..).unwrap_or_default();
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some(Node { key: text(&units[..end]), value, children })
    })
}

fn word(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk().map(|word| u16::from_le_bytes(*word))
}

fn text(units: &[[u8; 2]]) -> String {
    let units = units.iter().map(|unit| u16::from_le_bytes(*unit)).take_while(|unit| *unit != 0);
    let text = char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER));
    text.take(TEXT_MOST).collect()
}

fn versions(bytes: &[u8]) -> Option<Versions> {
    let root = nodes(bytes).next().filter(|root| root.key == "VS_VERSION_INFO")?;
    let signed = root.value.starts_with(&SIGNATURE.to_le_bytes());
    let fixed = |at: usize| number(root.value.get(at..at + 8).filter(|_| signed)?);
    // Where the texts are there in several languages, the first that has one counts.
    let text = |key: &str| {
        let files = nodes(root.children).filter(|node| node.key == "StringFileInfo");
        let texts =
            files.flat_map(|node| nodes(node.children)).flat_map(|node| nodes(node.children));
        let mut texts =
            texts.filter(|node| node.key == key).map(|node| text(node.value.as_chunks::<2>().0));
        texts.find(|text| !text.trim().is_empty()).map(|text| text.trim().to_owned())
    };
    Some(Versions {
        file: fixed(8).or_else(|| text("FileVersion")),
        product: fixed(16).or_else(|| text("ProductVersion")),
        company: text("CompanyName"),
    })
}

/// Four numbers, the upper half of each pair first; `None` for the version of what was never given one.
fn number(bytes: &[u8]) -> Option<String> {
    let at = |at| word(bytes, at);
    let numbers = [at(2)?, at(0)?, at(6)?, at(4)?];
    numbers.iter().any(|&number| number != 0).then(|| numbers.map(|n| n.to_string()).join("."))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use proptest::prelude::*;

    use super::*;

    fn node(key: &str, is_text: bool, value: &[u8], children: &[u8]) -> Vec<u8> {
        let count = if is_text { value.len() / 2 } else { value.len() };
        let mut bytes = vec![0, 0];
        bytes.extend((count as u16).to_le_bytes());
        bytes.extend(u16::from(is_text).to_le_bytes());
        bytes.extend(wide(key));
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes.extend(value);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes.extend(children);
        let length = (bytes.len() as u16).to_le_bytes();
        bytes[..2].copy_from_slice(&length);
        bytes
    }

    fn wide(text: &str) -> Vec<u8> {
        text.encode_utf16().chain([0]).flat_map(u16::to_le_bytes).collect()
    }

    fn resource(file: [u16; 4], texts: &[(&str, &str)]) -> Vec<u8> {
        let mut fixed = SIGNATURE.to_le_bytes().to_vec();
        fixed.extend([0, 0, 1, 0]);
        for [upper, lower] in [[file[0], file[1]], [file[2], file[3]], [0, 0], [0, 0]] {
            fixed.extend(lower.to_le_bytes());
            fixed.extend(upper.to_le_bytes());
        }
        fixed.resize(52, 0);
        let texts = texts.iter().flat_map(|(key, text)| node(key, true, &wide(text), &[]));
        let table = node("040904b0", true, &[], &texts.collect::<Vec<_>>());
        let strings = node("StringFileInfo", true, &[], &table);
        node("VS_VERSION_INFO", false, &fixed, &strings)
    }

    #[test]
    fn numbers_go_before_texts_and_texts_stand_in_where_there_are_none() {
        let texts = [("CompanyName", " Contoso "), ("FileVersion", "6.5 (lab)"), ("Empty", "")];
        let found = versions(&resource([6, 5, 7226, 0], &texts)).unwrap();
        assert_eq!(found.file.as_deref(), Some("6.5.7226.0"));
        assert_eq!(found.company.as_deref(), Some("Contoso"));
        assert_eq!(found.product, None);
        let found = versions(&resource([0; 4], &texts)).unwrap();
        assert_eq!(found.file.as_deref(), Some("6.5 (lab)"));
        assert!(versions(b"").is_none());
    }

    proptest! {
        #[test]
        fn damage_is_no_panic_and_ends(
            at in 0usize..400,
            byte in any::<u8>(),
            cut in 0usize..400,
            noise in prop::collection::vec(any::<u8>(), 0..200),
        ) {
            let mut bytes = resource([1, 2, 3, 4], &[("CompanyName", "Contoso"), ("FileVersion", "1")]);
            let length = bytes.len();
            bytes[at % length] = byte;
            versions(&bytes[..cut.min(length)]);
            versions(&bytes);
            versions(&noise);
        }
    }
}
