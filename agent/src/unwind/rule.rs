//! One unwind rule: where, at one return address, the caller's frame and registers lie.
//!
//! ```text
//! bits  0..2   next: 1 frame, 2 outermost, 3 signal frame, 0 no rule
//! bits  2..4   base of the CFA: rsp, rbp, or the word at rbp + offset
//! bits  4..6   rbp: unchanged, at CFA + offset, at rbp + offset
//! bit   6      whether it was read from code, where there is no table
//! bits  8..36  offset of the base, signed
//! bits 36..64  offset of rbp, signed
//! ```

/// A rule in one word, so that a cache entry can be read and written whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule(pub u64);

/// What comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// The tables have no rule, or one that needs other registers than we keep.
    Unknown,
    /// A caller's frame.
    Frame {
        /// What the CFA is computed from.
        base: Base,
        /// Where the caller's rbp is.
        saved: Saved,
    },
    /// Nothing: this is the outermost frame.
    Outermost,
    /// The frame that a signal interrupted.
    Signal,
}

/// What the canonical frame address is computed from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Base {
    /// rsp + offset.
    Rsp(i32),
    /// rbp + offset.
    Rbp(i32),
    /// The word at rbp + offset (frames that realign the stack).
    AtRbp(i32),
}

/// Where the caller's rbp is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Saved {
    /// Still in rbp.
    Unchanged,
    /// At CFA + offset.
    AtCfa(i32),
    /// At rbp + offset.
    AtRbp(i32),
}

const FROM_CODE: u64 = 1 << 6;
const OFFSET_BITS: u32 = 28;
const OFFSET_LIMIT: i32 = 1 << (OFFSET_BITS - 1);

impl Rule {
    /// No rule.
    pub const UNKNOWN: Rule = Rule(0);
    /// The outermost frame.
    pub const OUTERMOST: Rule = Rule(2);
    /// A signal frame.
    pub const SIGNAL: Rule = Rule(3);

    /// The rule for an ordinary frame; [`Rule::UNKNOWN`] where an offset does not fit.
    pub fn frame(base: Base, saved: Saved) -> Rule {
        let (base_kind, base_offset) = match base {
            Base::Rsp(offset) => (0, offset),
            Base::Rbp(offset) => (1, offset),
            Base::AtRbp(offset) => (2, offset),
        };
        let (saved_kind, saved_offset) = match saved {
            Saved::Unchanged => (0, 0),
            Saved::AtCfa(offset) => (1, offset),
            Saved::AtRbp(offset) => (2, offset),
        };
        let fits = |offset: i32| (-OFFSET_LIMIT..OFFSET_LIMIT).contains(&offset);
        if !fits(base_offset) || !fits(saved_offset) {
            return Rule::UNKNOWN;
        }
        let field = |offset: i32| offset as u32 as u64 & ((1 << OFFSET_BITS) - 1);
        Rule(
            1 | base_kind << 2
                | saved_kind << 4
                | field(base_offset) << 8
                | field(saved_offset) << 36,
        )
    }

    /// The same rule, found without a table.
    pub(super) fn read_from_code(self) -> Rule {
        Rule(self.0 | FROM_CODE)
    }

    /// Whether it was found without a table.
    #[inline(always)]
    pub fn is_from_code(self) -> bool {
        self.0 & FROM_CODE != 0
    }

    /// Whether the frame's size is such that the stack pointer could be aligned.
    pub(super) fn is_aligned(self) -> bool {
        !matches!(self.next(), Next::Frame { base: Base::Rsp(offset), .. } if offset % 16 != 0)
    }

    /// What the rule says.
    #[inline(always)]
    pub fn next(self) -> Next {
        match self.0 & 3 {
            1 => Next::Frame { base: self.base(), saved: self.saved() },
            2 => Next::Outermost,
            3 => Next::Signal,
            _ => Next::Unknown,
        }
    }

    #[inline(always)]
    fn base(self) -> Base {
        let offset = ((self.0 << 28) as i64 >> 36) as i32;
        match self.0 >> 2 & 3 {
            0 => Base::Rsp(offset),
            1 => Base::Rbp(offset),
            _ => Base::AtRbp(offset),
        }
    }

    #[inline(always)]
    fn saved(self) -> Saved {
        let offset = (self.0 as i64 >> 36) as i32;
        match self.0 >> 4 & 3 {
            0 => Saved::Unchanged,
            1 => Saved::AtCfa(offset),
            _ => Saved::AtRbp(offset),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_survives_its_word() {
        for offset in [0, 8, -8, 1 << 20, -(1 << 20), OFFSET_LIMIT - 1, -OFFSET_LIMIT] {
            for base in [Base::Rsp(offset), Base::Rbp(offset), Base::AtRbp(offset)] {
                for saved in [Saved::Unchanged, Saved::AtCfa(-16), Saved::AtRbp(offset)] {
                    assert_eq!(Rule::frame(base, saved).next(), Next::Frame { base, saved });
                }
            }
        }
        assert_eq!(Rule::frame(Base::Rsp(OFFSET_LIMIT), Saved::Unchanged), Rule::UNKNOWN);
        assert_eq!(Rule::OUTERMOST.next(), Next::Outermost);
        assert_eq!(Rule::SIGNAL.next(), Next::Signal);
        assert_eq!(Rule::UNKNOWN.next(), Next::Unknown);
    }
}
