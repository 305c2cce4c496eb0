//! How much memory a reader's tables may take. What a recording defines (names, stacks, modules) is kept until its end, so
//! that a recording of definitions alone would take as much memory as it has bytes, or many times that where definitions
//! repeat each other.

/// Memory for definitions. Once something did not fit, nothing does: numbers that count definitions stay right for all that
/// were kept.
#[derive(Debug)]
pub(super) struct Room {
    left: usize,
    full: bool,
}

impl Room {
    /// What a reader's definitions may take in all, in bytes: many times what any real recording needs.
    const MOST: usize = 1 << 30;

    /// Room for so many bytes.
    #[cfg(test)]
    pub(super) fn of(bytes: usize) -> Self {
        Room { left: bytes, full: false }
    }

    /// Takes room for so many bytes; false where there is not so much left.
    #[inline]
    pub(super) fn take(&mut self, bytes: usize) -> bool {
        let left = self.left.checked_sub(bytes).filter(|_| !self.full);
        self.full = left.is_none();
        self.left = left.unwrap_or(0);
        left.is_some()
    }

    /// Whether something did not fit.
    pub(super) fn is_full(&self) -> bool {
        self.full
    }
}

impl Default for Room {
    fn default() -> Self {
        Room { left: Self::MOST, full: false }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn once_something_did_not_fit_nothing_does() {
        let mut room = Room::of(10);
        assert!(room.take(9) && room.take(1) && !room.is_full());
        let mut room = Room::of(10);
        assert!(room.take(9) && !room.take(2) && !room.take(0) && room.is_full());
    }
}
