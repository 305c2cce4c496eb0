//! Product lines: within one, versions compare; between two, never. Outlook and Exchange both
//! ship an Emsmdb32.dll, and 11.0 of the one is neither older nor newer than 6.5 of the other.

use serde::ser::SerializeStruct as _;
use serde::{Deserialize, Serialize, Serializer};

use crate::fixes::product::Level;
use crate::fixes::version::{Scheme, Version};

/// One product line: its versions compare with each other and with nothing else.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Line {
    /// The product's name, with its version where that is part of the name.
    pub product: String,
    /// How its versions compare.
    pub scheme: Scheme,
    /// The distribution, for [`Scheme::Debian`] and [`Scheme::Rpm`]: `debian 12`.
    pub distribution: Option<String>,
    /// The platform that the source limits this line to (`Windows 2000`), where it does.
    pub platform: Option<String>,
    /// The levels (service packs) of the product that the source names; empty where it names none.
    pub levels: Vec<Level>,
    /// The level from which on the product carries the fix, where stated.
    pub fixed_level: Option<Level>,
    /// Its files; all must be fixed.
    pub files: Vec<LineFile>,
}

/// One file of a product line.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LineFile {
    /// File name, or soname.
    pub name: String,
    /// The leading parts by which a version of this file is known to belong to the line;
    /// `None` where every version does.
    pub line: Option<Version>,
    /// The first version with the fault; `None` where not stated.
    pub from: Option<Version>,
    /// The oldest version that was seen to have the fault, where the first is not known: nothing is said of older ones.
    pub seen_from: Option<Version>,
    /// Where the fault ends.
    #[serde(flatten)]
    pub end: End,
    /// The first version with the fix; `None` where none is stated.
    pub fixed: Option<Version>,
    /// Where the versions come from.
    pub provenance: Provenance,
    /// The fixed file's size, where the source tells the file by date and size.
    pub fixed_size: Option<u64>,
    /// Build-ids of files with the fault, where one version number stands for files with it and without.
    pub affected_builds: Vec<String>,
    /// Build-ids of files with the fix.
    pub fixed_builds: Vec<String>,
}

impl LineFile {
    /// Whether the fault came after one release and went before the next.
    pub(in crate::fixes) fn is_in_no_release(&self) -> bool {
        self.provenance == Provenance::Release
            && self.end == End::NotStated
            && self.from.is_some()
            && self.fixed.is_some()
    }
}

/// Where a range of faulty versions ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// Every version before this one has the fault.
    Before(Version),
    /// This is the last one with the fault.
    Through(Version),
    /// The source does not say.
    NotStated,
}

/// As files have it: `before`, `through`, or neither.
impl Serialize for End {
    fn serialize<S: Serializer>(&self, into: S) -> Result<S::Ok, S::Error> {
        let (before, through) = match self {
            End::Before(version) => (Some(version), None),
            End::Through(version) => (None, Some(version)),
            End::NotStated => (None, None),
        };
        let mut both = into.serialize_struct("End", 2)?;
        both.serialize_field("before", &before)?;
        both.serialize_field("through", &through)?;
        both.end()
    }
}

/// Where version numbers come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Provenance {
    /// The source itself lists the file.
    Article,
    /// A rollup that contains the fix: an upper bound.
    Rollup,
    /// The source gives date and size, and the version was found by them.
    DateAndSize,
    /// The build of a service pack.
    ServicePack,
    /// The first upstream release that contains the fix's commit.
    Release,
}
