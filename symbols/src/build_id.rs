//! The build-id: what tells two builds of the same file apart. It is kept as hexadecimal
//! digits and nothing else, because it becomes part of paths and URLs while it may come from
//! a damaged or hostile trace.

use std::fmt;

/// An ELF build-id (`NT_GNU_BUILD_ID`), as lower-case hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct BuildId(String);

impl BuildId {
    /// The longest id taken, in bytes. Linkers write 8 to 32.
    const MOST: usize = 64;

    /// From the note's bytes. `None` where it is shorter than 2 bytes or longer than 64.
    pub fn from_bytes(bytes: &[u8]) -> Option<BuildId> {
        if !(2..=Self::MOST).contains(&bytes.len()) {
            return None;
        }
        Some(BuildId(bytes.iter().map(|byte| format!("{byte:02x}")).collect()))
    }

    /// From hexadecimal digits in either case. `None` where it is not 2 to 64 whole bytes.
    pub fn parse(text: &str) -> Option<BuildId> {
        let whole = text.len().is_multiple_of(2) && (4..=Self::MOST * 2).contains(&text.len());
        let hexadecimal = text.bytes().all(|byte| byte.is_ascii_hexdigit());
        (whole && hexadecimal).then(|| BuildId(text.to_ascii_lowercase()))
    }

    /// The digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The digits as debug directories split them: the first two, and the rest.
    pub fn split(&self) -> (&str, &str) {
        self.0.split_at(2)
    }
}

impl fmt::Display for BuildId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_hexadecimal_digits_become_an_id() {
        assert_eq!(BuildId::parse("ABcd").map(|id| id.to_string()).as_deref(), Some("abcd"));
        assert_eq!(BuildId::from_bytes(&[0xab, 0x0d]), BuildId::parse("ab0d"));
        for refused in ["", "ab", "abc", "../../etc/passwd", "zzzz", &"ab".repeat(65)] {
            assert_eq!(BuildId::parse(refused), None, "{refused}");
        }
        assert_eq!(BuildId::from_bytes(&[0; 65]), None);
    }
}
