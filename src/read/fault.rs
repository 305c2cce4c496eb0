//! What a reader could not read, with its place and how often: damage is counted and told,
//! never passed over and never fatal. Equal faults are kept once, with their first place, so
//! that a file damaged from end to end costs no more memory than one that is whole.

use std::borrow::Cow;
use std::fmt;

/// A place in a file, in bytes from its start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Offset(pub u64);

impl fmt::Display for Offset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// Something that could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Where it was met first.
    pub offset: Offset,
    /// What was found there and what was done about it.
    pub what: Cow<'static, str>,
    /// How often.
    pub count: u64,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "offset {}: {}", self.offset, self.what)?;
        if self.count > 1 {
            write!(f, " ({} times)", self.count)?;
        }
        Ok(())
    }
}

/// The faults of one file: at most [`Faults::KINDS`] kinds, and one entry that counts the rest.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    kinds: Vec<Fault>,
}

impl Faults {
    /// How many kinds are told apart.
    pub const KINDS: usize = 64;

    /// Counts one fault.
    pub fn add(&mut self, offset: Offset, what: impl Into<Cow<'static, str>>) {
        self.add_many(offset, what, 1);
    }

    /// Counts `count` equal faults, the first at `offset`; none if `count` is 0.
    pub fn add_many(&mut self, offset: Offset, what: impl Into<Cow<'static, str>>, count: u64) {
        if count == 0 {
            return;
        }
        let what = what.into();
        let known = self.kinds.iter().position(|fault| fault.what == what);
        match self.kinds.get_mut(known.unwrap_or(Self::KINDS)) {
            Some(fault) => fault.count = fault.count.saturating_add(count),
            None => {
                let full = self.kinds.len() == Self::KINDS;
                let what = if full { "faults of further kinds".into() } else { what };
                self.kinds.push(Fault { offset, what, count });
            }
        }
    }

    /// All faults so far, by the place where each kind was met first.
    pub fn as_slice(&self) -> &[Fault] {
        &self.kinds
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_faults_are_one_with_the_first_place() {
        let mut faults = Faults::default();
        faults.add(Offset(7), "torn");
        faults.add(Offset(9), "torn");
        faults.add_many(Offset(11), "none", 0);
        assert_eq!(faults.as_slice(), [Fault { offset: Offset(7), what: "torn".into(), count: 2 }]);
    }

    #[test]
    fn kinds_are_bounded_and_the_rest_is_counted() {
        let mut faults = Faults::default();
        for n in 0..100 {
            faults.add(Offset(n), format!("kind {n}"));
        }
        faults.add(Offset(200), "kind 3");
        assert_eq!(faults.as_slice().len(), Faults::KINDS + 1);
        assert_eq!(faults.as_slice()[3].count, 2);
        assert_eq!(faults.as_slice()[Faults::KINDS].count, 36);
    }
}
