//! Numbers drawn from the seed. Most are drawn evenly in their logarithm, so that a method cannot be
//! fitted to their order of magnitude.

use super::World;

impl World {
    /// 0 to below 1.
    pub fn unit(&mut self) -> f64 {
        self.random(1 << 40) as f64 / (1u64 << 40) as f64
    }

    pub fn chance(&mut self, share: f64) -> bool {
        self.unit() < share
    }

    /// Evenly between two numbers.
    pub fn even(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    /// Evenly in the logarithm.
    pub fn log(&mut self, low: f64, high: f64) -> f64 {
        (self.even(low.ln(), high.ln())).exp()
    }

    /// The same in whole numbers.
    pub fn count(&mut self, low: u64, high: u64) -> u64 {
        (self.log(low as f64, high as f64 + 0.99) as u64).clamp(low, high)
    }

    /// A size of a block.
    pub fn size(&mut self) -> u64 {
        self.count(16, 4096)
    }

    /// Requests per second of which there are so many in the whole observation.
    pub fn rate(&mut self, least: f64, most: f64) -> f64 {
        (self.log(least, most) / self.seconds).min(60.0)
    }

    /// Blocks that a leak makes per second.
    pub fn leaks(&mut self) -> f64 {
        if self.quick { 100.0 / 60.0 } else { self.rate(30.0, 12_000.0) }
    }

    /// A time between these shares of the observation, evenly in the logarithm.
    pub fn share(&mut self, low: f64, high: f64) -> f64 {
        self.log(low, high) * self.seconds
    }

    /// Log-normal with this median; `spread` is the standard deviation of the natural logarithm.
    pub fn lognormal(&mut self, median: f64, spread: f64) -> f64 {
        let radius = (-2.0 * (1.0 - self.unit()).ln()).sqrt();
        let normal = radius * (std::f64::consts::TAU * self.unit()).cos();
        median * (normal * spread).exp()
    }

    /// Poisson; by its normal limit where the mean is large.
    pub fn poisson(&mut self, mean: f64) -> u64 {
        if mean > 50.0 {
            let normal = self.lognormal(1.0, 1.0).ln();
            return (mean + normal * mean.sqrt()).round().max(0.0) as u64;
        }
        let (limit, mut product, mut count) = ((-mean).exp(), self.unit(), 0);
        while product > limit {
            product *= self.unit();
            count += 1;
        }
        count
    }

    /// A rank from 0 to below `n` of a Zipf law with this exponent (not 1), by its continuous form.
    pub fn zipf(&mut self, n: u64, exponent: f64) -> u64 {
        let power = 1.0 - exponent;
        let top = (n as f64).powf(power);
        let rank = (1.0 + self.unit() * (top - 1.0)).powf(1.0 / power);
        (rank as u64).clamp(1, n) - 1
    }
}
