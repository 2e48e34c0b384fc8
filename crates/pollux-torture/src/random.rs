//! Chance that can be repeated: a failing test prints its seed.

/// The seed of a test, printed; another one for all tests with `POLLUX_TORTURE_SEED=N`.
pub fn seed(usual: u64) -> u64 {
    let wanted = std::env::var("POLLUX_TORTURE_SEED").ok().and_then(|text| text.parse().ok());
    let seed = wanted.map_or(usual, |wanted: u64| wanted.wrapping_add(usual));
    println!("seed {seed}; the same faults again: POLLUX_TORTURE_SEED={}", seed.wrapping_sub(usual));
    seed
}

/// A small generator of numbers (xorshift64*).
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// The same seed gives the same numbers.
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// The next number.
    #[expect(clippy::should_implement_trait, reason = "it never ends")]
    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// A number below `bound`.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    /// Brings a list into another order.
    pub fn shuffle<T>(&mut self, list: &mut [T]) {
        for at in (1..list.len()).rev() {
            list.swap(at, self.below(at as u64 + 1) as usize);
        }
    }
}

/// FNV-1a: a running hash that both ends of a connection can keep.
pub fn hash(start: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(start, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

/// Where [`hash`] starts.
pub const HASH_START: u64 = 0xcbf2_9ce4_8422_2325;
