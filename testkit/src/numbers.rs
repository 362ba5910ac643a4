//! Numbers for tests that make choices: the same in every run.

/// A small generator of numbers, which starts from any number.
pub struct Numbers(pub u64);

impl Numbers {
    /// Returns the next number, below the limit.
    pub fn below(&mut self, limit: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) % limit as u64) as usize
    }
}
