//! `lm` and `lmv`: a line for each module, and behind it what is known of its file.
//!
//! ```text
//! start    end        module name
//! 61800000 61a03000   Cdoexm     (deferred)
//!     Image path: C:\Program Files\Exchsrvr\bin\Cdoexm.dll
//!     Timestamp:        Mon Apr 18 06:47:00 2005 (42634D34)
//!     File version:     6.0.6617.63
//! ```

use unfreed_symbols::{ModuleIdentity, PeFacts};

use super::hex;
use crate::read::text::moment;

/// The longest value that is kept.
const LONGEST: usize = 1024;

/// A module, as far as its lines told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Listed {
    pub base: u64,
    pub end: u64,
    name: String,
    path: Option<String>,
    image: Option<String>,
    version: Option<String>,
    facts: PeFacts,
}

/// Whether a line is the heading of the list.
pub(super) fn is_heading(line: &str) -> bool {
    line.split_whitespace().eq(["start", "end", "module", "name"])
}

impl Listed {
    /// Reads a module's line; `None` for any other.
    pub(super) fn read(line: &str) -> Option<Listed> {
        let mut words = line.split_whitespace();
        // The debugger fills addresses up to eight digits: `add fed` are words.
        let mut address = || words.next().filter(|word| word.len() >= 8).and_then(hex);
        let (base, end) = (address()?, address()?);
        let name = words.next()?.to_owned();
        // `lm f` has the path instead of the state of the symbols.
        let rest = words.collect::<Vec<_>>().join(" ");
        let path = (rest.contains('\\') && !rest.starts_with('(')).then_some(rest);
        let path = path.filter(|path| path.len() <= LONGEST);
        (base < end && name.len() <= LONGEST).then(|| Listed {
            base,
            end,
            name,
            path,
            ..Listed::default()
        })
    }

    /// Takes one of the lines behind; false for what is none.
    pub(super) fn add(&mut self, line: &str) -> bool {
        let Some((key, value)) = line.trim().split_once(':') else { return false };
        let value = value.trim();
        let text = || (!value.is_empty() && value.len() <= LONGEST).then(|| value.to_owned());
        match key.trim() {
            "Image path" => self.path = text(),
            "Image name" => self.image = text(),
            "File version" => self.version = text(),
            // The string resource, where the fixed numbers are not told.
            "FileVersion" => self.version = self.version.take().or_else(text),
            "Product version" => self.facts.product_version = text(),
            "CompanyName" => self.facts.company = text(),
            "Timestamp" => self.facts.timestamp = stamp(value).unwrap_or_default(),
            "ImageSize" => {
                let size = hex(value).and_then(|size| u32::try_from(size).ok());
                self.facts.image_size = size.unwrap_or_default();
            }
            _ => return is_known(key.trim()),
        }
        true
    }

    /// Whether it is a program.
    pub(super) fn is_program(&self) -> bool {
        moment::is_program(self.file())
    }

    /// Its file's name; the debugger's name for it, without extension, where that is all.
    pub(super) fn file(&self) -> &str {
        let path = self.path.as_deref().or(self.image.as_deref()).unwrap_or(&self.name);
        path.rsplit(['/', '\\']).next().unwrap_or(path)
    }

    /// What it is.
    pub(super) fn identity(&self) -> ModuleIdentity {
        let known = self.facts != PeFacts::default();
        ModuleIdentity {
            name: self.file().to_owned(),
            path: self.path.clone().unwrap_or_default(),
            file_version: self.version.clone(),
            pe: known.then(|| self.facts.clone()),
            ..ModuleIdentity::default()
        }
    }
}

/// The number of seconds in hexadecimal: behind the date in brackets, or in front of a remark.
fn stamp(value: &str) -> Option<u32> {
    let bracket = value.rsplit_once('(').and_then(|(_, last)| hex(last.strip_suffix(')')?));
    let first = || value.split_whitespace().next().filter(|word| word.len() == 8).and_then(hex);
    bracket.or_else(first).and_then(|stamp| u32::try_from(stamp).ok())
}

/// Other lines of a module.
fn is_known(key: &str) -> bool {
    const KEYS: [&str; 18] = [
        "Loaded symbol image file",
        "Mapped memory image file",
        "Symbol file",
        "CheckSum",
        "File flags",
        "File OS",
        "File type",
        "File date",
        "Translations",
        "Information from resource tables",
        "ProductName",
        "InternalName",
        "OriginalFilename",
        "ProductVersion",
        "FileDescription",
        "LegalCopyright",
        "LegalTrademarks",
        "Comments",
    ];
    KEYS.contains(&key)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn a_module_s_lines_make_its_identity() {
        let mut listed = Listed::read("61800000 61a03000   Cdoexm     (deferred)  ").unwrap();
        assert_eq!(listed.file(), "Cdoexm");
        for line in [
            r"    Image path: C:\Program Files\Exchsrvr\bin\Cdoexm.dll",
            "    Image name: Cdoexm.dll",
            "    Timestamp:        Mon Apr 18 06:47:00 2005 (42634D34)",
            "    CheckSum:         00203A5B",
            "    ImageSize:        00203000",
            "    File version:     6.0.6617.63",
            "    Product version:  6.0.6617.0",
            "    CompanyName:      Microsoft Corporation",
            "    FileVersion:      something else",
        ] {
            assert!(listed.add(line), "{line}");
        }
        assert!(!listed.add("some words") && !listed.add("Evaluate expression: 5"));
        let identity = listed.identity();
        assert_eq!(identity.path, r"C:\Program Files\Exchsrvr\bin\Cdoexm.dll");
        assert_eq!(identity.file_version.as_deref(), Some("6.0.6617.63"));
        let facts = identity.pe.unwrap();
        assert_eq!((facts.timestamp, facts.image_size), (0x4263_4d34, 0x20_3000));
        assert_eq!(stamp("8E7A1B2C (This is a reproducible build file hash)"), Some(0x8e7a_1b2c));
        assert_eq!(stamp("unavailable (00000000)"), Some(0));
        let long =
            Listed::read(r"00007ff8`1c2d0000 00007ff8`1c4c5000   ntdll      C:\Windows\ntdll.dll");
        assert_eq!(long.unwrap().file(), "ntdll.dll");
        assert_eq!(Listed::read("61a03000 61800000 x"), None);
        assert_eq!(Listed::read("add fed up"), None, "words that are digits, too");
    }
}
