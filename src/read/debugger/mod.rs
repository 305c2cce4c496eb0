//! What people paste from a debugger of Windows: `lm` and `lmv` (modules and their versions), `!heap -s` (what each heap
//! has committed), `!heap -stat -h` (blocks by size). It accuses nobody: it has no stacks. Its worth is
//! in the versions, which heap logs lack.

mod heaps;
mod modules;
mod reader;

pub use reader::Reader;

use super::text;

/// Whether a text begins as a debugger's output: one of the tables' headings stands in it as a line.
pub(super) fn is_debugger(opening: &str) -> bool {
    opening
        .lines()
        .map(said)
        .any(|line| modules::is_heading(line) || heaps::is_summary(line) || heaps::is_sizes(line))
}

/// A line without the debugger's prompt (`0:000> `, `0:000:x86> `).
fn said(line: &str) -> &str {
    let Some((prompt, rest)) = line.split_once("> ") else { return line };
    let is_prompt = prompt.len() <= 16
        && prompt.contains(':')
        && prompt.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b':')
        && prompt.starts_with(|first: char| first.is_ascii_digit());
    if is_prompt { rest } else { line }
}

/// An address or number: hexadecimal, with a grave accent in the middle of long ones.
fn hex(text: &str) -> Option<u64> {
    let digits: String = text.chars().filter(|c| *c != '`').collect();
    text::hex(&digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prompts_are_no_part_of_a_line() {
        assert_eq!(said("0:000> lmv"), "lmv");
        assert_eq!(said("12:034:x86> !heap -s"), "!heap -s");
        assert_eq!(said("std::vector<a> x"), "std::vector<a> x");
        assert_eq!(hex("00007ff8`1c2d0000"), Some(0x7ff8_1c2d_0000));
        assert_eq!(hex("`"), None);
    }
}
