//! A small seeded generator: the same numbers on every machine, for ever.

/// xoshiro256++ seeded by SplitMix64. Public-domain algorithms by Blackman and Vigna.
#[derive(Clone)]
pub struct Random {
    state: [u64; 4],
}

impl Random {
    /// Any seed is good, 0 too.
    pub fn new(seed: u64) -> Self {
        let mut split = seed;
        let state = std::array::from_fn(|_| {
            split = split.wrapping_add(0x9E37_79B9_7F4A_7C15);
            let mut z = split;
            z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            z ^ (z >> 31)
        });
        Self { state }
    }

    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        let s = &mut self.state;
        let result = s[0].wrapping_add(s[3]).rotate_left(23).wrapping_add(s[0]);
        let t = s[1] << 17;
        s[2] ^= s[0];
        s[3] ^= s[1];
        s[1] ^= s[2];
        s[0] ^= s[3];
        s[2] ^= t;
        s[3] = s[3].rotate_left(45);
        result
    }

    /// In `[0, 1)`.
    pub fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// In `[low, high)`.
    pub fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    /// True with probability `p`.
    pub fn chance(&mut self, p: f64) -> bool {
        self.unit() < p
    }

    /// Near-normal with mean 0 and deviation 1: twelve uniforms, so that no platform's logarithm matters.
    pub fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.unit()).sum::<f64>() - 6.0
    }

    /// `scale` times two to a geometric power: most are small, few are large, as trade sizes are.
    pub fn heavy(&mut self, scale: f64) -> f64 {
        let mut value = scale * self.between(0.5, 1.5);
        let mut doublings = 0;
        while doublings < 8 && self.chance(0.42) {
            value *= 2.0;
            doublings += 1;
        }
        value
    }
}
