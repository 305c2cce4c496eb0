//! How publications stand to each other. An administrator who has applied one fix and still sees growth needs
//! the next one; one who sees the same symptom for another reason needs to be told before installing anything.

use serde::{Deserialize, Serialize};

/// How an entry stands to another publication.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Relation {
    /// How.
    pub kind: RelationKind,
    /// The other's id, whether the catalogue has it or not.
    pub id: String,
    /// In words.
    pub says: String,
}

/// Kinds of relation, read as `this entry ... the other`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RelationKind {
    /// The source names the other.
    Cites,
    /// This remains when the other's fix is installed.
    ResidualAfter,
    /// The other remains when this fix is installed.
    Residual,
    /// The same symptom comes back later, as the other.
    RecursIn,
    /// This is the other come back.
    RecursAfter,
    /// The same fault in another product, line or function.
    Sibling,
    /// The other contains this fix.
    InRollup,
    /// The other replaces this fix.
    SupersededBy,
    /// Looks the same, and is something else.
    SameSymptom,
}

impl RelationKind {
    /// In words that lead to the other's id.
    pub fn in_words(self) -> &'static str {
        match self {
            RelationKind::Cites => "names",
            RelationKind::ResidualAfter => "remains after",
            RelationKind::Residual => "leaves",
            RelationKind::RecursIn => "comes back as",
            RelationKind::RecursAfter => "came back after",
            RelationKind::Sibling => "has a sibling in",
            RelationKind::InRollup => "is contained in",
            RelationKind::SupersededBy => "is superseded by",
            RelationKind::SameSymptom => "looks the same as",
        }
    }
}
