//! The only unsafe code: random bytes by the processor's vector AES, and the
//! loops compiled for the instructions that such a processor has.
//!
//! Nothing here decides anything. Each function does what its namesake in
//! `loops`, or the portable cipher, does, bit for bit; tests compare them.

#[cfg(target_arch = "x86_64")]
pub(crate) use x86::{Vector, distinct, first_repeats, heads, keep_suspects, repeats};

#[cfg(not(target_arch = "x86_64"))]
pub(crate) use none::{Vector, distinct, first_repeats, heads, keep_suspects, repeats};

#[cfg(target_arch = "x86_64")]
#[expect(
    unsafe_code,
    reason = "vector instructions are called only where the processor was asked for them"
)]
mod x86 {
    use std::arch::x86_64::{
        __m128i, __m256i, _mm_aesenclast_si128, _mm_loadu_si128, _mm_or_si128, _mm_set_epi64x,
        _mm_set1_epi32, _mm_setzero_si128, _mm_shuffle_epi32, _mm_slli_epi32, _mm_slli_si128,
        _mm_srli_epi32, _mm_xor_si128, _mm256_add_epi64, _mm256_aesenc_epi128,
        _mm256_aesenclast_epi128, _mm256_broadcastsi128_si256, _mm256_set_epi64x,
        _mm256_setzero_si256, _mm256_shuffle_epi8, _mm256_storeu_si256, _mm256_xor_si256,
    };
    use std::ops::Range;

    use crate::loops::{self, Prefixes};
    use crate::plane::{Address, Block, Source};

    /// Vectors of two blocks that are on their way through the cipher at once:
    /// enough to hide its latency, and half of the registers.
    const VECTORS: usize = 8;

    /// The expanded key. That one exists proves that the processor has AVX2,
    /// BMI1, BMI2, LZCNT, POPCNT, AES and VAES.
    #[derive(Clone)]
    pub(crate) struct Vector {
        rounds: [__m128i; 11],
    }

    impl Vector {
        /// `None` if the processor lacks an instruction.
        pub(crate) fn new(key: &[u8; 16]) -> Option<Self> {
            let has = is_x86_feature_detected!("avx2")
                && is_x86_feature_detected!("bmi1")
                && is_x86_feature_detected!("bmi2")
                && is_x86_feature_detected!("lzcnt")
                && is_x86_feature_detected!("popcnt")
                && is_x86_feature_detected!("aes")
                && is_x86_feature_detected!("vaes");
            // SAFETY: `expand` needs SSE2 and AES; both were just found.
            has.then(|| unsafe { expand(key) })
        }
    }

    /// The key schedule of FIPS-197, 5.2.
    #[target_feature(enable = "sse2,aes")]
    fn expand(key: &[u8; 16]) -> Vector {
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
        Vector { rounds }
    }

    impl Source for Vector {
        #[inline(always)]
        fn fill(&self, from: Address, out: &mut [Block]) {
            // SAFETY: a `Vector` exists only where the instructions do.
            unsafe { fill(self, from, out) }
        }

        #[inline(always)]
        fn clear(&self, words: &mut [u64]) {
            // SAFETY: as above.
            unsafe { clear(words) }
        }
    }

    /// The C library's way (`rep stosb`) takes twice the time for 8 KiB.
    #[inline]
    #[target_feature(enable = "avx2")]
    fn clear(words: &mut [u64]) {
        let (vectors, rest) = words.as_chunks_mut::<4>();
        for vector in vectors {
            // SAFETY: a vector is as long as four words; it may be unaligned.
            unsafe { _mm256_storeu_si256(vector.as_mut_ptr().cast(), _mm256_setzero_si256()) };
        }
        rest.fill(0);
    }

    #[inline]
    #[target_feature(enable = "avx2,aes,vaes")]
    fn fill(vector: &Vector, from: Address, out: &mut [Block]) {
        let mut from = from;
        let (whole, rest) = out.as_chunks_mut::<{ 2 * VECTORS }>();
        for blocks in whole {
            encrypt(vector, from, blocks);
            from = from.plus(2 * VECTORS as u64);
        }
        if !rest.is_empty() {
            let mut last = [[0; 16]; 2 * VECTORS];
            encrypt(vector, from, &mut last);
            rest.copy_from_slice(&last[..rest.len()]);
        }
    }

    #[inline]
    #[target_feature(enable = "avx2,aes,vaes")]
    fn encrypt(vector: &Vector, from: Address, out: &mut [Block; 2 * VECTORS]) {
        // The counter is big-endian: both halves of an address, reversed.
        let reverse = _mm256_broadcastsi128_si256(_mm_set_epi64x(
            0x0001_0203_0405_0607,
            0x0809_0a0b_0c0d_0e0f,
        ));
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
        let to: *mut __m256i = out.as_mut_ptr().cast();
        for (at, state) in state.into_iter().enumerate() {
            // SAFETY: `out` is as long as all the vectors; the store may be unaligned.
            unsafe { _mm256_storeu_si256(to.add(at), _mm256_aesenclast_epi128(state, last)) };
        }
    }

    /// Defines `$name` as the loop of that name for this processor.
    macro_rules! compiled_again {
        ($name:ident($($argument:ident: $type:ty),*) $(-> $result:ty)?) => {
            pub(crate) fn $name(vector: &Vector, $($argument: $type),*) $(-> $result)? {
                #[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt,aes,vaes")]
                fn inner(vector: &Vector, $($argument: $type),*) $(-> $result)? {
                    compiled_again!(@call $name vector $($argument)*)
                }
                // SAFETY: a `Vector` exists only where the instructions do.
                unsafe { inner(vector, $($argument),*) }
            }
        };
        (@call keep_suspects $vector:ident $($argument:ident)*) => {{
            let _ = $vector;
            loops::keep_suspects($($argument),*)
        }};
        (@call heads $vector:ident $($argument:ident)*) => {
            loops::count_heads($vector, $($argument),*)
        };
        (@call $name:ident $vector:ident $($argument:ident)*) => {
            loops::$name($vector, $($argument),*)
        };
    }

    compiled_again!(first_repeats(set: &mut Prefixes, clusters: Range<u64>, bits: u32, histogram: &mut [u64]));
    compiled_again!(repeats(set: &mut Prefixes, clusters: Range<u64>, disks: usize, bits: u32, each: &mut dyn FnMut(u64, &[u16])));
    compiled_again!(distinct(set: &mut Prefixes, clusters: Range<u64>, disks: usize, bits: u32, each: &mut dyn FnMut(u64, u32)));
    compiled_again!(heads(from: Address, coins: u64) -> u64);
    compiled_again!(keep_suspects(seen: &mut [u64], twice: &mut [u64], keys: &mut [u64], shift: u32) -> usize);
}

#[cfg(not(target_arch = "x86_64"))]
mod none {
    use std::ops::Range;

    use crate::loops::Prefixes;
    use crate::plane::{Address, Block, Source};

    /// Never made: this processor has only the portable path.
    #[derive(Clone)]
    pub(crate) enum Vector {}

    impl Vector {
        pub(crate) fn new(_: &[u8; 16]) -> Option<Self> {
            None
        }
    }

    impl Source for Vector {
        fn fill(&self, _: Address, _: &mut [Block]) {
            match *self {}
        }
    }

    pub(crate) fn first_repeats(
        v: &Vector,
        _: &mut Prefixes,
        _: Range<u64>,
        _: u32,
        _: &mut [u64],
    ) {
        match *v {}
    }

    pub(crate) fn repeats(
        v: &Vector,
        _: &mut Prefixes,
        _: Range<u64>,
        _: usize,
        _: u32,
        _: &mut dyn FnMut(u64, &[u16]),
    ) {
        match *v {}
    }

    pub(crate) fn distinct(
        v: &Vector,
        _: &mut Prefixes,
        _: Range<u64>,
        _: usize,
        _: u32,
        _: &mut dyn FnMut(u64, u32),
    ) {
        match *v {}
    }

    pub(crate) fn heads(v: &Vector, _: Address, _: u64) -> u64 {
        match *v {}
    }

    pub(crate) fn keep_suspects(
        v: &Vector,
        _: &mut [u64],
        _: &mut [u64],
        _: &mut [u64],
        _: u32,
    ) -> usize {
        match *v {}
    }
}
