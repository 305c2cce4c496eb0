//! A series of at most [`POINTS`] points over an observation of any length. When it is full, every
//! second point goes and from then on only every second, fourth, ... one stays; the latest is
//! always kept. Values are never averaged: each point was measured.

/// At most this many points.
pub const POINTS: usize = 512;

/// Points in order of their arrival.
#[derive(Clone, Debug)]
pub struct Series<K, V> {
    points: Vec<(K, V)>,
    /// One of so many points stays.
    stride: u64,
    /// How many came.
    count: u64,
}

impl<K, V> Default for Series<K, V> {
    fn default() -> Self {
        Series { points: Vec::new(), stride: 1, count: 0 }
    }
}

impl<K: Copy, V: Copy> Series<K, V> {
    pub(super) fn push(&mut self, at: K, value: V) {
        // The last point stays for good only if its turn in the stride had come.
        let provisional = self.count > 0 && !(self.count - 1).is_multiple_of(self.stride);
        if provisional {
            self.points.pop();
        }
        if self.points.len() == POINTS {
            let mut index = 0usize;
            self.points.retain(|_| {
                index += 1;
                index % 2 == 1
            });
            self.stride *= 2;
        }
        self.points.push((at, value));
        self.count += 1;
    }

    /// The points, oldest first.
    pub fn points(&self) -> &[(K, V)] {
        &self.points
    }

    pub(super) fn last_mut(&mut self) -> Option<&mut (K, V)> {
        self.points.last_mut()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stays_bounded_and_keeps_first_and_last() {
        let mut series = Series::default();
        for n in 0..100_000u64 {
            series.push(n, n);
            assert!(series.points().len() <= POINTS);
            assert_eq!(series.points().last(), Some(&(n, n)));
        }
        assert_eq!(series.points().first(), Some(&(0, 0)));
        assert!(series.points().len() > POINTS / 4);
        assert!(series.points().windows(2).all(|w| w[0].0 < w[1].0));
    }
}
