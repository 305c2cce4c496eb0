//! Sampling by bytes: which of a thread's allocations are told.
//!
//! Along the bytes that a thread allocates lie sampling points, at distances drawn from an
//! exponential distribution. A block that holds one is told, and so is its free; nothing is done
//! for the others. A block of s bytes is told with probability 1 - exp(-s / mean), whatever was
//! allocated before. Everything is computed in integers: a program may have made floating point
//! traps of its own.

use unfreed_wire::Session;

/// How many bytes there are up to the next sampling point. All zero, none has been drawn yet.
#[derive(Clone, Copy)]
#[repr(C)]
pub(crate) struct Countdown {
    left: u64,
    random: u64,
}

impl Countdown {
    /// Whether a block of this size holds no sampling point; if so it has been passed.
    #[inline(always)]
    pub(crate) fn passes(&mut self, size: u64) -> bool {
        // One of no bytes takes one, or it could never be told.
        let size = size.max(1);
        let passes = size < self.left;
        if passes {
            self.left -= size;
        }
        passes
    }

    /// A block that holds a sampling point was passed: draws the next one. At the very first call,
    /// whether the block holds one is drawn too.
    #[cold]
    #[inline(never)]
    pub(crate) fn draw(&mut self, size: u64, seed: u64, session: &Session) -> bool {
        if self.random == 0 {
            self.random = seed | 1;
            self.left = self.distance(session.sample_mean);
            if self.passes(size) {
                return false;
            }
        }
        self.left = self.distance(session.sample_mean);
        true
    }

    fn distance(&mut self, mean: u64) -> u64 {
        // splitmix64
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.random;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        exponential(mixed, mean)
    }
}

/// The natural logarithm of 2, times 2^32.
const LN_2: u128 = 2_977_044_472;

/// Of a uniform number in 64 bits, an exponentially distributed one with this mean, and at least 1.
fn exponential(uniform: u64, mean: u64) -> u64 {
    // -log2(u / 2^64), times 2^32, for u in 1..=2^64.
    let whole = (uniform.max(1)).leading_zeros();
    let mut mantissa = (uniform.max(1)) << whole;
    let mut fraction = 0u64;
    for _ in 0..32 {
        // Squaring doubles the logarithm; what comes to 2 or more is its next digit.
        let square = (mantissa as u128 * mantissa as u128) >> 63;
        let carry = (square >> 64) as u64;
        mantissa = (square >> carry) as u64;
        fraction = fraction << 1 | carry;
    }
    let minus_log2 = ((whole as u64 + 1) << 32) - fraction;
    let scaled = (minus_log2 as u128 * LN_2) >> 32;
    let distance = (scaled * mean as u128) >> 32;
    // Rounded up: a point lies in the byte that it falls into.
    u64::try_from(distance).unwrap_or(u64::MAX - 1) + 1
}
