//! Products and their levels, as facts name them (`Microsoft Exchange Server 5.5`, `Service
//! Pack 4`) and as entries do (`Exchange Server 5.5`, `SP4`). Two spellings of one product
//! are one; a product of the same family with another number is another product.

use std::fmt;

use serde::{Serialize, Serializer};

/// A product's service pack; 0 for the product as first released.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Level(pub u32);

impl Level {
    /// Reads `SP4`, `SP-1`, `Service Pack 3`, `RTM`, `no service pack`; `None` for anything else.
    pub fn parse(text: &str) -> Option<Level> {
        let text = text.trim().to_ascii_lowercase();
        if matches!(text.as_str(), "rtm" | "gold" | "none" | "no service pack") {
            return Some(Level(0));
        }
        let words = text.split_once("service pack").map(|(_, rest)| rest);
        let short = || text.strip_prefix("sp").or_else(|| Some(text.split_once(" sp")?.1));
        let rest = words.or_else(short)?.trim_start_matches([' ', '-']);
        let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        rest.get(..end)?.parse().ok().map(Level)
    }
}

/// `SP4`.
impl Serialize for Level {
    fn serialize<S: Serializer>(&self, into: S) -> Result<S::Ok, S::Error> {
        into.collect_str(self)
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 => f.write_str("no service pack"),
            n => write!(f, "SP{n}"),
        }
    }
}

/// A product's name, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Product {
    family: String,
    number: Option<String>,
}

/// Words that are in a product's name or not, without making it another product.
const FILLERS: [&str; 7] =
    ["microsoft", "server", "standard", "enterprise", "edition", "version", "eclipse"];

impl Product {
    /// Takes a name apart: the words before the first number are the family, the number is its own.
    pub fn parse(name: &str) -> Product {
        let mut family = Vec::new();
        let mut number = None;
        for word in name.split([' ', ',', '_']).map(str::to_ascii_lowercase) {
            if word.starts_with(|c: char| c.is_ascii_digit()) {
                number = Some(word);
                break;
            }
            if !word.is_empty() && !FILLERS.contains(&word.as_str()) {
                family.push(word);
            }
        }
        Product { family: family.join(" "), number }
    }

    /// A product's name as an entry has it: `Microsoft Exchange Server 2003 Standard Edition, Service Pack 1 (SP1)` is
    /// `Exchange Server 2003`.
    pub(super) fn name_of(text: &str) -> String {
        let text = text.trim_start_matches("Microsoft ");
        let mut words = Vec::new();
        for word in text.split([' ', ',']).filter(|word| !word.is_empty() && *word != "version") {
            words.push(word);
            if word.starts_with(|c: char| c.is_ascii_digit()) {
                break;
            }
        }
        words.join(" ")
    }

    /// Whether both are of one family, as Exchange 2000 and Exchange 5.5 are.
    pub fn is_sibling_of(&self, other: &Product) -> bool {
        self.family == other.family && self.number != other.number
    }
}
