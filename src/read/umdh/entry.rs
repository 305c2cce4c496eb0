//! The lines that begin an entry, or say something of one.
//!
//! ```text
//! C6 bytes + 1A at 56004C0 by BackTrace3965308                              a block
//! 5320 bytes in 0x14 allocations (@ 0x428) by: BackTrace00053               a stack's blocks (old)
//! + 5320 ( f110 - 9df0)     3a allocs    BackTrace00053                     a difference in bytes
//! +   14 (   3a -   26)    BackTrace00053    allocations                    and in blocks
//! Total increase ==   5320 requested +    3c0 overhead =   56e0
//! ```

use super::base::Number;
use crate::read::text::hex;

/// What such a line says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Entry {
    /// One block.
    Block { bytes: Number, trace: TraceId },
    /// All blocks of a stack.
    Stack { bytes: Number, blocks: Number, each: Option<Number>, trace: TraceId },
    /// How many bytes of a stack live, and how many did.
    Bytes { change: Change, blocks: Number, trace: TraceId },
    /// How many blocks do, and did.
    Blocks { change: Change, trace: TraceId },
    /// By how much the bytes of all stacks grew.
    Total { decreased: bool, requested: Number, overhead: Option<[Number; 2]> },
}

/// The tool's number of a stack, which is in another base than the rest at times: only a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct TraceId(pub u64);

/// A quantity's two values, and the difference with its sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Change {
    pub decreased: bool,
    pub by: Number,
    pub new: Number,
    pub old: Number,
}

impl Entry {
    /// Reads a line; `None` for any other.
    pub(super) fn read(line: &str) -> Option<Entry> {
        // Brackets and equal signs touch numbers or not, by version.
        let apart: String = line
            .chars()
            .flat_map(|c| match c {
                '(' | ')' | '=' => [' ', c, ' '],
                c => [c, '\0', '\0'],
            })
            .filter(|c| *c != '\0')
            .collect();
        let words: Vec<&str> = apart.split_whitespace().take(24).collect();
        match words.as_slice() {
            [bytes, "bytes", "+", _, "at", _, "by", trace @ ..] => {
                Some(Entry::Block { bytes: Number::read(bytes)?, trace: TraceId::read(trace)? })
            }
            [bytes, "bytes", "in", blocks, "allocations", "(", "@", each, rest @ ..] => {
                let by = rest.iter().position(|word| *word == "by:")?;
                Some(Entry::Stack {
                    bytes: Number::read(bytes)?,
                    blocks: Number::read(blocks)?,
                    each: Number::read(each),
                    trace: TraceId::read(rest.get(by + 1..)?)?,
                })
            }
            [sign, by, "(", new, "-", old, ")", rest @ ..] => {
                let change = Change {
                    decreased: decreased(sign)?,
                    by: Number::read(by)?,
                    new: Number::read(new)?,
                    old: Number::read(old)?,
                };
                match rest {
                    [blocks, "allocs", trace @ ..] => Some(Entry::Bytes {
                        change,
                        blocks: Number::read(blocks)?,
                        trace: TraceId::read(trace)?,
                    }),
                    [trace @ .., "allocations"] => {
                        Some(Entry::Blocks { change, trace: TraceId::read(trace)? })
                    }
                    _ => None,
                }
            }
            ["Total", direction, "=", "=", requested, rest @ ..] => {
                let overhead = match rest {
                    ["requested", "+", overhead, "overhead", "=", total, ..] => {
                        Some([Number::read(overhead)?, Number::read(total)?])
                    }
                    _ => None,
                };
                let decreased = match *direction {
                    "increase" => false,
                    "decrease" => true,
                    _ => return None,
                };
                Some(Entry::Total { decreased, requested: Number::read(requested)?, overhead })
            }
            _ => None,
        }
    }
}

impl TraceId {
    /// `BackTrace00053`, or the number by itself.
    fn read(words: &[&str]) -> Option<TraceId> {
        let digits = match words {
            [one] => one.strip_prefix("BackTrace")?,
            ["BackTrace", number] => number,
            _ => return None,
        };
        hex(digits).map(TraceId)
    }
}

fn decreased(sign: &str) -> Option<bool> {
    match sign {
        "+" => Some(false),
        "-" => Some(true),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn number(text: &str) -> Number {
        Number::read(text).unwrap()
    }

    #[test]
    fn every_form_is_read() {
        assert_eq!(
            Entry::read("C6 bytes + 1A at 56004C0 by BackTrace3965308"),
            Some(Entry::Block { bytes: number("C6"), trace: TraceId(0x396_5308) })
        );
        let stack = |each| Entry::Stack {
            bytes: number("5320"),
            blocks: number("0x14"),
            each: Some(number(each)),
            trace: TraceId(0x53),
        };
        let line = "5320 bytes in 0x14 allocations (@ 0x428) by: BackTrace00053";
        assert_eq!(Entry::read(line), Some(stack("0x428")));
        let line = "5320 bytes in 0x14 allocations (@ 0x428 + 0x18) by: BackTrace00053";
        assert_eq!(Entry::read(line), Some(stack("0x428")));
        let change =
            Change { decreased: true, by: number("2018"), new: number("0"), old: number("2018") };
        for line in [
            "-    2018 (     0 -  2018)      0 allocs\tBackTrace73F28",
            "- 2018 (0 - 2018) 0 allocs BackTrace73F28",
        ] {
            let (blocks, trace) = (number("0"), TraceId(0x73f28));
            assert_eq!(Entry::read(line), Some(Entry::Bytes { change, blocks, trace }));
        }
        let line = "-    2018 (     0 -  2018)\tBackTrace73F28\tallocations";
        let trace = TraceId(0x73f28);
        assert_eq!(Entry::read(line), Some(Entry::Blocks { change, trace }));
        let total =
            |overhead| Entry::Total { decreased: false, requested: number("5320"), overhead };
        assert_eq!(Entry::read("Total increase == 5320"), Some(total(None)));
        let line = "Total increase ==   5320 requested +    3c0 overhead =   56e0";
        let overhead = Some(["3c0", "56e0"].map(number));
        assert_eq!(Entry::read(line), Some(total(overhead)));
        for line in ["", "+ 1 ( 2 - 1) of them", "ab bytes + cd", "Total increase: 5"] {
            assert_eq!(Entry::read(line), None, "{line}");
        }
    }
}
