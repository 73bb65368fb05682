//! x86-64: vectors of 256 bits (AVX2 and VAES), or of 512 (AVX-512). Hashes
//! have a file of their own.

use std::arch::x86_64::{
    __m128i, _mm_aesenclast_si128, _mm_loadu_si128, _mm_or_si128, _mm_set_epi64x, _mm_set1_epi32,
    _mm_setzero_si128, _mm_shuffle_epi32, _mm_slli_epi32, _mm_slli_si128, _mm_srli_epi32,
    _mm_xor_si128, _mm256_add_epi64, _mm256_aesenc_epi128, _mm256_aesenclast_epi128,
    _mm256_broadcastsi128_si256, _mm256_set_epi64x, _mm256_setzero_si256, _mm256_shuffle_epi8,
    _mm256_storeu_si256, _mm256_xor_si256, _mm512_add_epi64, _mm512_aesenc_epi128,
    _mm512_aesenclast_epi128, _mm512_broadcast_i32x4, _mm512_set_epi64, _mm512_setzero_si512,
    _mm512_shuffle_epi8, _mm512_storeu_si512, _mm512_xor_si512, _pext_u64,
};
use std::ops::Range;

use crate::loops::{self, Prefixes};
use crate::plane::{Address, Block, Source, Width};

/// Vectors that are on their way through the cipher at once: enough to hide
/// its latency.
const VECTORS: usize = 8;
/// The same for wide ones, of which a processor does half as many in a cycle.
const WIDE_VECTORS: usize = 4;

mod occupancy;
mod sha;

pub(crate) use occupancy::occupancy;
pub(crate) use sha::compress16;

/// The expanded key. That one exists proves that the processor has AVX2, BMI1,
/// BMI2, LZCNT, POPCNT, AES and VAES; if it is `wide`, also AVX-512 F, BW, DQ,
/// VL, VPOPCNTDQ, BITALG and VBMI2 (every processor so far that has the first
/// five and VAES has the other two).
#[derive(Clone)]
pub(crate) struct Vector {
    rounds: [__m128i; 11],
    wide: bool,
}

fn has_256() -> bool {
    is_x86_feature_detected!("avx2")
        && is_x86_feature_detected!("bmi1")
        && is_x86_feature_detected!("bmi2")
        && is_x86_feature_detected!("lzcnt")
        && is_x86_feature_detected!("popcnt")
        && is_x86_feature_detected!("aes")
        && is_x86_feature_detected!("vaes")
}

fn has_512() -> bool {
    has_256()
        && is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512dq")
        && is_x86_feature_detected!("avx512vl")
        && is_x86_feature_detected!("avx512vpopcntdq")
        && is_x86_feature_detected!("avx512bitalg")
        && is_x86_feature_detected!("avx512vbmi2")
}

impl Vector {
    /// `None` if the processor lacks an instruction.
    pub(crate) fn new(key: &[u8; 16], width: Width) -> Option<Self> {
        let (has, wide) = match width {
            Width::Widest => (has_256(), has_512()),
            Width::Bits256 => (has_256(), false),
            Width::Bits512 => (has_512(), true),
        };
        has.then(|| {
            // SAFETY: `expand` needs SSE2 and AES; both were just found.
            let rounds = unsafe { expand(key) };
            Self { rounds, wide }
        })
    }

    pub(crate) fn fill(&self, from: Address, out: &mut [Block]) {
        if self.wide {
            Wide(self).fill(from, out);
        } else {
            Half(self).fill(from, out);
        }
    }
}

/// The key schedule of FIPS-197, 5.2.
#[target_feature(enable = "sse2,aes")]
fn expand(key: &[u8; 16]) -> [__m128i; 11] {
    const CONSTANTS: [i32; 10] = [1, 2, 4, 8, 16, 32, 64, 128, 0x1b, 0x36];
    // SAFETY: an unaligned load of the 16 bytes of an array.
    let mut round = unsafe { _mm_loadu_si128(key.as_ptr().cast()) };
    let mut rounds = [round; 11];
    for (to, constant) in rounds[1..].iter_mut().zip(CONSTANTS) {
        // A last round without a key substitutes the bytes and shifts the
        // rows; where all four columns are one word the shift changes
        // nothing, and turning every word by a byte is left.
        let word = _mm_shuffle_epi32::<0xff>(round);
        let word = _mm_aesenclast_si128(word, _mm_setzero_si128());
        let turned = _mm_or_si128(_mm_srli_epi32::<8>(word), _mm_slli_epi32::<24>(word));
        let assist = _mm_xor_si128(turned, _mm_set1_epi32(constant));
        round = _mm_xor_si128(round, _mm_slli_si128::<4>(round));
        round = _mm_xor_si128(round, _mm_slli_si128::<8>(round));
        round = _mm_xor_si128(round, assist);
        *to = round;
    }
    rounds
}

/// The way by vectors of 256 bits.
#[derive(Clone, Copy)]
struct Half<'a>(&'a Vector);

impl Source for Half<'_> {
    #[inline(always)]
    fn fill(&self, from: Address, out: &mut [Block]) {
        // SAFETY: a `Vector` exists only where the instructions do.
        unsafe { fill_256(self.0, from, out) }
    }

    #[inline(always)]
    fn clear(&self, words: &mut [u64]) {
        // SAFETY: as above.
        unsafe { clear_256(words) }
    }

    #[inline(always)]
    fn push(&self, list: &mut [u8], len: &mut usize, kept: &[u8; 64], bytes: &[u8; 64]) {
        loops::push_by(list, len, (kept, bytes), |eight, mask| {
            // SAFETY: as above; this one needs BMI2.
            unsafe { _pext_u64(eight, mask) }
        });
    }
}

/// The way by vectors of 512 bits; the `Vector` in it is wide.
#[derive(Clone, Copy)]
struct Wide<'a>(&'a Vector);

impl Source for Wide<'_> {
    #[inline(always)]
    fn fill(&self, from: Address, out: &mut [Block]) {
        // SAFETY: a wide `Vector` exists only where the instructions do.
        unsafe { fill_512(self.0, from, out) }
    }

    #[inline(always)]
    fn clear(&self, words: &mut [u64]) {
        // SAFETY: as above.
        unsafe { clear_512(words) }
    }

    #[inline(always)]
    fn count_and_clear(&self, words: &mut [u64]) -> u32 {
        // There is an instruction that counts: nothing to add up before.
        loops::count_and_clear_each(words)
    }
}

/// The C library's way (`rep stosb`) takes twice the time for 8 KiB.
#[inline]
#[target_feature(enable = "avx2")]
fn clear_256(words: &mut [u64]) {
    // Not known to be 0, or the compiler calls the C library after all.
    let zero = std::hint::black_box(_mm256_setzero_si256());
    let (vectors, rest) = words.as_chunks_mut::<4>();
    for vector in vectors {
        // SAFETY: a vector is as long as four words; it may be unaligned.
        unsafe { _mm256_storeu_si256(vector.as_mut_ptr().cast(), zero) };
    }
    rest.fill(0);
}

#[inline]
#[target_feature(enable = "avx512f")]
fn clear_512(words: &mut [u64]) {
    let zero = std::hint::black_box(_mm512_setzero_si512());
    let (vectors, rest) = words.as_chunks_mut::<8>();
    for vector in vectors {
        // SAFETY: a vector is as long as eight words; it may be unaligned.
        unsafe { _mm512_storeu_si512(vector.as_mut_ptr().cast(), zero) };
    }
    rest.fill(0);
}

/// Defines `$fill`: whole batches by `$encrypt`, and the rest by one more.
macro_rules! filled {
    ($fill:ident, $features:literal, $encrypt:ident, $blocks:expr) => {
        #[inline]
        #[target_feature(enable = $features)]
        fn $fill(vector: &Vector, from: Address, out: &mut [Block]) {
            let mut from = from;
            let (whole, rest) = out.as_chunks_mut::<{ $blocks }>();
            for blocks in whole {
                $encrypt(vector, from, blocks);
                from = from.plus($blocks as u64);
            }
            if !rest.is_empty() {
                let mut last = [[0; 16]; $blocks];
                $encrypt(vector, from, &mut last);
                rest.copy_from_slice(&last[..rest.len()]);
            }
        }
    };
}

filled!(fill_256, "avx2,aes,vaes", encrypt_256, 2 * VECTORS);
filled!(
    fill_512,
    "avx2,aes,vaes,avx512f,avx512bw",
    encrypt_512,
    4 * WIDE_VECTORS
);

/// Both halves of an address, reversed: the counter is big-endian.
#[inline]
#[target_feature(enable = "sse2")]
fn reversed() -> __m128i {
    _mm_set_epi64x(0x0001_0203_0405_0607, 0x0809_0a0b_0c0d_0e0f)
}

#[inline]
#[target_feature(enable = "avx2,aes,vaes")]
fn encrypt_256(vector: &Vector, from: Address, out: &mut [Block; 2 * VECTORS]) {
    let reverse = _mm256_broadcastsi128_si256(reversed());
    let (low, high) = (from.low as i64, from.high as i64);
    let mut counter = _mm256_set_epi64x(high, low.wrapping_add(1), high, low);
    let two = _mm256_set_epi64x(0, 2, 0, 2);
    let key = |round: usize| _mm256_broadcastsi128_si256(vector.rounds[round]);
    let mut state = [counter; VECTORS];
    for state in &mut state {
        *state = _mm256_xor_si256(_mm256_shuffle_epi8(counter, reverse), key(0));
        counter = _mm256_add_epi64(counter, two);
    }
    for round in 1..10 {
        let key = key(round);
        for state in &mut state {
            *state = _mm256_aesenc_epi128(*state, key);
        }
    }
    let last = key(10);
    for (out, state) in out.as_chunks_mut::<2>().0.iter_mut().zip(state) {
        let state = _mm256_aesenclast_epi128(state, last);
        // SAFETY: two blocks are as long as a vector; the store may be unaligned.
        unsafe { _mm256_storeu_si256(out.as_mut_ptr().cast(), state) };
    }
}

#[inline]
#[target_feature(enable = "avx2,aes,vaes,avx512f,avx512bw")]
fn encrypt_512(vector: &Vector, from: Address, out: &mut [Block; 4 * WIDE_VECTORS]) {
    let reverse = _mm512_broadcast_i32x4(reversed());
    let (low, high) = (from.low as i64, from.high as i64);
    let plus = |blocks| low.wrapping_add(blocks);
    let mut counter = _mm512_set_epi64(high, plus(3), high, plus(2), high, plus(1), high, low);
    let four = _mm512_set_epi64(0, 4, 0, 4, 0, 4, 0, 4);
    let key = |round: usize| _mm512_broadcast_i32x4(vector.rounds[round]);
    let mut state = [counter; WIDE_VECTORS];
    for state in &mut state {
        *state = _mm512_xor_si512(_mm512_shuffle_epi8(counter, reverse), key(0));
        counter = _mm512_add_epi64(counter, four);
    }
    for round in 1..10 {
        let key = key(round);
        for state in &mut state {
            *state = _mm512_aesenc_epi128(*state, key);
        }
    }
    let last = key(10);
    for (out, state) in out.as_chunks_mut::<4>().0.iter_mut().zip(state) {
        let state = _mm512_aesenclast_epi128(state, last);
        // SAFETY: four blocks are as long as a vector; the store may be unaligned.
        unsafe { _mm512_storeu_si512(out.as_mut_ptr().cast(), state) };
    }
}

/// Defines `$name` as the loop of that name for this processor, by both widths.
macro_rules! compiled_again {
    ($name:ident($($argument:ident: $type:ty),*) $(-> $result:ty)?, $call:expr) => {
        pub(crate) fn $name(vector: &Vector, $($argument: $type),*) $(-> $result)? {
            #[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt,aes,vaes")]
            fn half(vector: &Vector, $($argument: $type),*) $(-> $result)? {
                $call(&Half(vector), $($argument),*)
            }
            #[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt,aes,vaes")]
            #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vpopcntdq")]
            fn wide(vector: &Vector, $($argument: $type),*) $(-> $result)? {
                $call(&Wide(vector), $($argument),*)
            }
            if vector.wide {
                // SAFETY: a `Vector` is wide only where the instructions are.
                unsafe { wide(vector, $($argument),*) }
            } else {
                // SAFETY: a `Vector` exists only where the instructions do.
                unsafe { half(vector, $($argument),*) }
            }
        }
    };
}

compiled_again!(first_repeats(set: &mut Prefixes, clusters: Range<u64>, bits: u32, histogram: &mut [u64]), loops::first_repeats);
compiled_again!(repeats(set: &mut Prefixes, clusters: Range<u64>, disks: usize, bits: u32, each: &mut dyn FnMut(u64, &[u16])), loops::repeats);
compiled_again!(distinct(set: &mut Prefixes, clusters: Range<u64>, disks: usize, bits: u32, each: &mut dyn FnMut(u64, u32)), loops::distinct);
compiled_again!(heads(from: Address, coins: u64) -> u64, loops::count_heads);
compiled_again!(keep_suspects(seen: &mut [u64], twice: &mut [u64], keys: &mut [u64], shift: u32) -> usize, loops::keep_suspects);
