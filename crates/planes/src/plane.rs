//! The generator: which bytes stand at which address.

use aes::Aes128;
use aes::cipher::{Array, BlockCipherEncrypt, KeyInit};
use sha2::{Digest, Sha256};

use crate::loops;
use crate::simd::Vector;
use crate::stream::PlaneStream;

/// One output of the cipher.
pub type Block = [u8; 16];

/// A cluster's number has 56 bits; the plane takes the other 8 of a word.
pub const MOST_CLUSTERS: u64 = 1 << 56;

/// What goes into the key beside the seed, so that no other program's use of
/// the same seed meets the same numbers.
const DOMAIN: &[u8] = b"fixname planes v1";

/// Blocks that the safe path encrypts in one call.
const BATCH: usize = 64;

/// Which code makes the numbers. They are the same by all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Engine {
    /// The vector path if the processor has it.
    #[default]
    Auto,
    /// Safe Rust only. (The crate `aes` may use the processor's AES.)
    Portable,
    /// The vector path of 256 bits, or an error.
    Vector,
    /// The vector path of 512 bits, or an error.
    Wide,
}

impl Engine {
    /// Every path, `Auto` left out.
    pub const ALL: [Self; 3] = [Self::Portable, Self::Vector, Self::Wide];
}

/// Of the vector path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Width {
    Widest,
    Bits256,
    Bits512,
}

/// The processor has no vector path here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoVector;

impl std::fmt::Display for NoVector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(
            "the vector path needs an x86-64 processor with AVX2, BMI2 and VAES, and for 512 bits AVX-512",
        )
    }
}

impl std::error::Error for NoVector {}

/// Where one block stands: an address is 16 bytes long and is the counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Address {
    /// Plane (8 bits) and cluster (56 bits).
    pub(crate) high: u64,
    /// Number of the block.
    pub(crate) low: u64,
}

impl Address {
    /// # Panics
    /// When the cluster's number has more than 56 bits.
    pub(crate) fn new(plane: u8, cluster: u64, block: u64) -> Self {
        assert!(
            cluster < MOST_CLUSTERS,
            "cluster {cluster} has more than 56 bits"
        );
        Self {
            high: u64::from(plane) << 56 | cluster,
            low: block,
        }
    }

    fn bytes(self) -> Block {
        (u128::from(self.high) << 64 | u128::from(self.low)).to_be_bytes()
    }

    pub(crate) fn plus(self, blocks: u64) -> Self {
        Self {
            low: self.low.wrapping_add(blocks),
            ..self
        }
    }
}

/// Something that writes the blocks from an address on.
pub(crate) trait Source {
    fn fill(&self, from: Address, out: &mut [Block]);

    /// Sets some thousand words to 0.
    #[inline(always)]
    fn clear(&self, words: &mut [u64]) {
        words.fill(0);
    }

    /// How many bits of some thousand words are 1; they are 0 afterwards.
    #[inline(always)]
    fn count_and_clear(&self, words: &mut [u64]) -> u32 {
        loops::count_and_clear(words)
    }

    /// Puts the bytes that are `kept` (1, and not 0) at the end of a list, and
    /// perhaps others behind it.
    #[inline(always)]
    fn push(&self, list: &mut [u8], len: &mut usize, kept: &[u8; 64], bytes: &[u8; 64]) {
        loops::push(list, len, kept, bytes);
    }
}

/// Random bytes by plane, cluster and block.
#[derive(Clone)]
pub struct Planes {
    portable: Portable,
    vector: Option<Vector>,
}

impl std::fmt::Debug for Planes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Planes")
            .field("vector", &self.vector.is_some())
            .finish_non_exhaustive()
    }
}

impl Planes {
    /// The numbers of `seed`.
    ///
    /// # Errors
    /// When the vector path is asked for and the processor has none.
    pub fn new(seed: u64, engine: Engine) -> Result<Self, NoVector> {
        let digest = Sha256::new()
            .chain_update(DOMAIN)
            .chain_update(seed.to_be_bytes())
            .finalize();
        let key: [u8; 16] = digest[..16].try_into().expect("a digest has 32 bytes");
        Self::with_key(&key, engine)
    }

    /// The numbers of a key: AES-128 as published, for tests against vectors.
    ///
    /// # Errors
    /// When the vector path is asked for and the processor has none.
    pub fn with_key(key: &[u8; 16], engine: Engine) -> Result<Self, NoVector> {
        let vector = match engine {
            Engine::Portable => None,
            Engine::Auto => Vector::new(key, Width::Widest),
            Engine::Vector => Some(Vector::new(key, Width::Bits256).ok_or(NoVector)?),
            Engine::Wide => Some(Vector::new(key, Width::Bits512).ok_or(NoVector)?),
        };
        Ok(Self {
            portable: Portable(Aes128::new(&Array(*key))),
            vector,
        })
    }

    /// Writes the blocks of a plane and a cluster from number `block` on.
    ///
    /// # Panics
    /// When the cluster's number has more than 56 bits.
    pub fn fill(&self, plane: u8, cluster: u64, block: u64, out: &mut [Block]) {
        let from = Address::new(plane, cluster, block);
        match &self.vector {
            Some(vector) => vector.fill(from, out),
            None => self.portable.fill(from, out),
        }
    }

    /// One block.
    ///
    /// # Panics
    /// When the cluster's number has more than 56 bits.
    #[must_use]
    pub fn block(&self, plane: u8, cluster: u64, block: u64) -> Block {
        self.portable.one(Address::new(plane, cluster, block))
    }

    /// The bytes of a plane and a cluster one after another, as rand's traits
    /// want them.
    ///
    /// # Panics
    /// When the cluster's number has more than 56 bits.
    #[must_use]
    pub fn stream(&self, plane: u8, cluster: u64) -> PlaneStream {
        PlaneStream::new(self.clone(), Address::new(plane, cluster, 0))
    }

    pub(crate) fn vector(&self) -> Option<&Vector> {
        self.vector.as_ref()
    }

    pub(crate) fn portable(&self) -> &Portable {
        &self.portable
    }

    pub(crate) fn fill_from(&self, from: Address, out: &mut [Block]) {
        match &self.vector {
            Some(vector) => vector.fill(from, out),
            None => self.portable.fill(from, out),
        }
    }
}

/// The cipher of the crate `aes`.
#[derive(Clone)]
pub(crate) struct Portable(Aes128);

impl Portable {
    fn one(&self, address: Address) -> Block {
        let mut block = Array(address.bytes());
        self.0.encrypt_block(&mut block);
        block.0
    }
}

impl Source for Portable {
    fn fill(&self, from: Address, out: &mut [Block]) {
        let mut address = from;
        let mut batch = [Array([0; 16]); BATCH];
        for out in out.chunks_mut(BATCH) {
            let batch = &mut batch[..out.len()];
            for (at, block) in (0..).zip(batch.iter_mut()) {
                *block = Array(address.plus(at).bytes());
            }
            self.0.encrypt_blocks(batch);
            for (to, from) in out.iter_mut().zip(batch.iter()) {
                *to = from.0;
            }
            address = address.plus(out.len() as u64);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn engines(key: &[u8; 16]) -> Vec<Planes> {
        Engine::ALL
            .into_iter()
            .filter_map(|engine| Planes::with_key(key, engine).ok())
            .collect()
    }

    /// FIPS-197, appendix C.1: the address is the plaintext.
    #[test]
    fn the_cipher_is_the_published_one() {
        let key = std::array::from_fn(|i| i as u8);
        for planes in engines(&key) {
            let mut out = [[0; 16]];
            planes.fill(0x00, 0x11_2233_4455_6677, 0x8899_aabb_ccdd_eeff, &mut out);
            assert_eq!(hex::encode(out[0]), "69c4e0d86a7b0430d8cdb78070b4c55a");
        }
    }

    /// SP 800-38A, F.5.1 (CTR-AES128): the output blocks, whose counters run
    /// over the end of the last byte.
    #[test]
    fn the_counter_mode_is_the_published_one() {
        let key = hex::decode("2b7e151628aed2a6abf7158809cf4f3c").unwrap();
        for planes in engines(&key.try_into().unwrap()) {
            let mut out = [[0; 16]; 4];
            planes.fill(0xf0, 0xf1_f2f3_f4f5_f6f7, 0xf8f9_fafb_fcfd_feff, &mut out);
            assert_eq!(
                out.map(hex::encode),
                [
                    "ec8cdf7398607cb0f2d21675ea9ea1e4",
                    "362b7c3c6773516318a077d7fc5073ae",
                    "6a2cc3787889374fbeb4c81b17ba6c44",
                    "e89c399ff0f198c6d40a31db156cabfe"
                ]
            );
        }
    }

    #[test]
    fn every_engine_and_every_length_gives_the_same_bytes() {
        let portable = Planes::new(7, Engine::Portable).unwrap();
        let engines = [Engine::Auto, Engine::Vector, Engine::Wide];
        let engines: Vec<Planes> = engines
            .into_iter()
            .filter_map(|engine| Planes::new(7, engine).ok())
            .collect();
        let lengths: Vec<usize> = match cfg!(miri) {
            true => vec![0, 1, 17, 35],
            false => (0..200).collect(),
        };
        for length in lengths {
            let mut want = vec![[0; 16]; length];
            let mut got = want.clone();
            for block in [0, 1, 1000, u64::MAX - 5] {
                portable.fill(3, 99, block, &mut want);
                for planes in &engines {
                    planes.fill(3, 99, block, &mut got);
                    assert_eq!(want, got, "{length} blocks from {block}");
                }
                for (at, want) in (0..).zip(&want) {
                    assert_eq!(portable.block(3, 99, block.wrapping_add(at)), *want);
                }
            }
        }
    }

    #[test]
    fn seed_plane_cluster_and_block_all_matter() {
        let block = |seed, plane, cluster, block| {
            Planes::new(seed, Engine::Portable)
                .unwrap()
                .block(plane, cluster, block)
        };
        let first = block(1, 0, 0, 0);
        for other in [
            block(2, 0, 0, 0),
            block(1, 1, 0, 0),
            block(1, 0, 1, 0),
            block(1, 0, 0, 1),
        ] {
            assert_ne!(first, other);
        }
    }
}
