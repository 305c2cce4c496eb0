//! Logs of LeakDiag, which support collected from Exchange 2000 and 2003: XML, with a schema in front, that
//! lists the stacks whose blocks live. Elements and attributes that are not known are passed over; where
//! the XML is broken, what was read until then counts.

mod bounded;
mod reader;
mod stack;

pub use reader::Reader;

/// Whether a text begins as a log of LeakDiag. The list may begin far behind its schema.
pub(super) fn is_leakdiag(opening: &str) -> bool {
    let lower = opening.trim_start().to_ascii_lowercase();
    lower.starts_with('<') && (lower.contains("<logdata") || lower.contains("<leaks "))
}
