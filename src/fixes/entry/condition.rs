//! What must be true besides the signature and the versions: an AND list. A condition that says how to check
//! it is checked against facts and modules, and a failed one ends the match; any other is asked of the reader.

use serde::{Deserialize, Serialize};

/// One condition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Written")]
pub struct Condition {
    /// In words.
    pub says: String,
    /// How what was recorded can show it; `None` where only the reader can say.
    pub check: Option<Check>,
    /// How the reader can find out: a command or a place to look.
    pub ask: Option<String>,
}

/// What shows whether a condition holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Check {
    /// A module of this name is mapped into the process. That none is proves nothing: it may have been unmapped.
    Module(String),
    /// This product is on the target (`Windows 2000`).
    Product(String),
    /// A setting has one of these values.
    Setting {
        /// Its whole path.
        name: String,
        /// The values with which the condition holds; compared like those of a fix's settings.
        values: Vec<String>,
    },
}

/// A condition as files have it: a text, or a table.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Written {
    Text(String),
    Table(Table),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    says: String,
    check: Option<Check>,
    ask: Option<String>,
}

impl From<Written> for Condition {
    fn from(written: Written) -> Condition {
        match written {
            Written::Text(says) => Condition { says, check: None, ask: None },
            Written::Table(Table { says, check, ask }) => Condition { says, check, ask },
        }
    }
}
