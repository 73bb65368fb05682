//! Random numbers with an address: the bytes of any disk can be had without
//! those of the disks before it, and are the same on every machine.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use sha2::{Digest, Sha256};

/// What a stream of numbers is for. The number is part of what a seed means:
/// never change one, only add.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Purpose {
    /// The bits of each disk's UUID.
    Uuids = 0,
    /// How each disk's UUID was made, and of which disk a clone is.
    Kinds = 1,
    /// Which disks collide.
    Placement = 2,
    /// Which prefixes are used.
    Prefixes = 3,
    /// The nodes' own identities.
    Nodes = 4,
}

/// One stream of a seed: 16 bytes for each index.
#[derive(Clone, Debug)]
pub(crate) struct Stream {
    rng: ChaCha8Rng,
    /// The index whose bytes come next without a jump.
    next: u64,
}

impl Stream {
    pub(crate) fn new(seed: u64, purpose: Purpose) -> Self {
        let mut hash = Sha256::new();
        hash.update(b"fixname population 1\0");
        hash.update(seed.to_le_bytes());
        let mut rng = ChaCha8Rng::from_seed(hash.finalize().into());
        rng.set_stream(purpose as u64);
        Self { rng, next: 0 }
    }

    /// The 16 bytes of an index.
    pub(crate) fn at(&mut self, index: u64) -> [u8; 16] {
        if index != self.next {
            // Words are four bytes.
            self.rng.set_word_pos(u128::from(index) * 4);
        }
        self.next = index + 1;
        let mut bytes = [0; 16];
        self.rng.fill_bytes(&mut bytes);
        bytes
    }

    /// The next number below `bound`, each with the same chance; 0 if `bound` is.
    ///
    /// Written out here because a seed must mean the same in every release, and
    /// a library is free to draw in another way (Lemire 2019, arXiv:1805.10941).
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        let threshold = bound.wrapping_neg().checked_rem(bound).unwrap_or(0);
        loop {
            let product = u128::from(self.rng.next_u64()) * u128::from(bound);
            if product as u64 >= threshold {
                return (product >> 64) as u64;
            }
        }
    }
}

/// A number below `bound` from 64 random bits. Its bias is below `bound / 2^64`.
pub(crate) fn scaled(bits: u64, bound: u64) -> u64 {
    ((u128::from(bits) * u128::from(bound)) >> 64) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_has_the_same_bytes_in_any_order() {
        let mut stream = Stream::new(7, Purpose::Uuids);
        let forward: Vec<_> = (0..100).map(|i| stream.at(i)).collect();
        for i in (0..100).rev() {
            assert_eq!(stream.at(i), forward[i as usize]);
        }
        assert_ne!(forward[0], Stream::new(8, Purpose::Uuids).at(0));
        assert_ne!(forward[0], Stream::new(7, Purpose::Kinds).at(0));
        // Far out, and at an index whose words go beyond 32 bits.
        let far = 1 << 39;
        assert_eq!(stream.at(far), Stream::new(7, Purpose::Uuids).at(far));
    }

    #[test]
    fn numbers_below_a_bound_are_even() {
        let mut stream = Stream::new(1, Purpose::Placement);
        let mut counts = [0u32; 6];
        for _ in 0..60_000 {
            counts[stream.below(6) as usize] += 1;
        }
        // Five standard deviations of a binomial with 1/6.
        assert!(
            counts.iter().all(|&c| c.abs_diff(10_000) < 457),
            "{counts:?}"
        );
        assert_eq!(stream.below(1), 0);
        assert_eq!(stream.below(0), 0);
    }
}
