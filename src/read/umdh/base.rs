//! Whether a log's numbers are hexadecimal, as UMDH writes them, or decimal (`umdh -d`): the file does
//! not say. A digit above 9 settles it; else differences and sums that come out in one of the two only.

use crate::read::text::{after_0x, hex};

/// A number, read both ways; `None` where it is none that way, or too large.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Number {
    pub hex: Option<u64>,
    pub decimal: Option<u64>,
}

impl Number {
    /// Reads digits; `0x` in front says that they are hexadecimal.
    pub(super) fn read(text: &str) -> Option<Number> {
        if let Some(digits) = after_0x(text) {
            return Some(Number { hex: Some(hex(digits)?), decimal: None });
        }
        Some(Number { hex: Some(hex(text)?), decimal: text.parse().ok() })
    }

    /// Whether both readings are of the same digits, so that the number itself settles nothing.
    fn is_open(self) -> bool {
        self.decimal.is_some()
    }

    /// As the base has it; 0 where it is no number in it.
    pub(super) fn in_base(self, base: Base) -> u64 {
        match base {
            Base::Hex => self.hex,
            Base::Decimal => self.decimal,
        }
        .unwrap_or(0)
    }
}

/// What the numbers are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Base {
    Hex,
    Decimal,
}

/// What was seen that tells.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Evidence {
    hex: u64,
    decimal: u64,
}

impl Evidence {
    /// Looks at a number by itself.
    pub(super) fn see(&mut self, number: Number) {
        self.hex += u64::from(!number.is_open());
    }

    /// Looks at numbers of which the first is the difference of the second and third; whether it is, in
    /// either base.
    pub(super) fn difference(&mut self, [difference, more, less]: [Number; 3]) -> bool {
        let holds = |of: fn(Number) -> Option<u64>| {
            let (d, a, b) = (of(difference)?, of(more)?, of(less)?);
            Some(a.checked_sub(b)? == d)
        };
        let hex = holds(|n| n.hex) == Some(true);
        let decimal = holds(|n| n.decimal) == Some(true);
        self.hex += u64::from(hex && !decimal);
        self.decimal += u64::from(decimal && !hex);
        hex || decimal
    }

    /// What the numbers are, and how sure that is.
    pub(super) fn verdict(self) -> Told {
        match (self.hex > 0, self.decimal > 0) {
            (true, false) => Told::Surely(Base::Hex),
            (false, true) => Told::Surely(Base::Decimal),
            (false, false) => Told::Ambiguous,
            (true, true) => Told::Contradictory,
        }
    }
}

/// What the numbers are, as far as the file tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    Surely(Base),
    Ambiguous,
    Contradictory,
}

impl Told {
    /// What they are taken for.
    pub(super) fn base(self) -> Base {
        match self {
            Told::Surely(base) => base,
            Told::Ambiguous | Told::Contradictory => Base::Hex,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn check(lines: &[[&str; 3]], told: Told) {
        let mut evidence = Evidence::default();
        for line in lines {
            let numbers = line.map(|text| Number::read(text).unwrap());
            numbers.iter().for_each(|number| evidence.see(*number));
            evidence.difference(numbers);
        }
        assert_eq!(evidence.verdict(), told, "{lines:?}");
    }

    #[test]
    fn digits_and_differences_tell_the_base() {
        check(&[["520", "780", "260"]], Told::Ambiguous);
        check(&[["5320", "f110", "9df0"]], Told::Surely(Base::Hex));
        check(&[["95", "100", "5"]], Told::Surely(Base::Decimal));
        check(&[["520", "780", "260"], ["8", "10", "8"]], Told::Surely(Base::Hex));
        check(&[["95", "100", "5"], ["a", "a", "0"]], Told::Contradictory);
        check(&[["0x14", "0x14", "0x0"]], Told::Surely(Base::Hex));
    }
}
