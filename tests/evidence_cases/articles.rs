//! The articles that are about leaks, and what evidence of each must lead to.

use super::evidence::{Case, kb843523, kb891509, kb896064, q265514};

/// A leak of an article: the file that is to blame, and what its versions make of the fix.
pub struct Article {
    pub id: &'static str,
    pub case: fn(&'static str) -> Case,
    pub module: &'static str,
    pub function: &'static str,
    /// Versions, and the state of the fix where the evidence tells them.
    pub versions: &'static [(&'static str, &'static str)],
}

pub const ARTICLES: [Article; 4] = [
    Article {
        id: "KB896064",
        case: kb896064,
        module: "Cdoexm.dll",
        function: "CMailboxStore::Open",
        versions: &[("6.0.6603.1", "applies"), ("6.0.6617.63", "already-fixed")],
    },
    Article {
        id: "KB843523",
        case: kb843523,
        module: "Emsmdb32.dll",
        function: "CExport::AddProps",
        versions: &[("6.5.7226.0", "applies"), ("6.5.7232.18", "already-fixed")],
    },
    Article {
        id: "KB891509",
        case: kb891509,
        module: "Mapi32.dll",
        function: "HrCreateHeapEntry",
        // Fixed files need a setting, too, of which no log tells.
        versions: &[("6.5.7226.0", "applies"), ("6.5.7232.75", "possible")],
    },
    Article {
        id: "Q265514",
        case: |_| q265514(),
        module: "provider.dll",
        function: "CStore::Init",
        // The article names no file, so that no version says anything.
        versions: &[("5.5.2650.24", "possible")],
    },
];
