//! SHA-256 of sixteen messages, one in each lane of a vector of 512 bits.

use std::arch::x86_64::{
    __m512i, _mm512_add_epi32, _mm512_loadu_si512, _mm512_ror_epi32, _mm512_set1_epi32,
    _mm512_srli_epi32, _mm512_storeu_si512, _mm512_ternarylogic_epi32,
};

use super::Vector;
use crate::lanes::{Block16, K, State16};

/// Sixteen messages at once, if the `Vector` is wide enough for them.
pub(crate) fn compress16(vector: &Vector, states: &mut State16, blocks: &[Block16]) -> bool {
    if vector.wide {
        // SAFETY: a wide `Vector` exists only where the instructions do.
        unsafe { compress(states, blocks) };
    }
    vector.wide
}

/// Truth tables of three bits, as the instruction wants them.
const XOR: i32 = 0x96;
const CHOICE: i32 = 0xca;
const MAJORITY: i32 = 0xe8;

/// FIPS 180-4, 6.2.2.
#[target_feature(enable = "avx512f")]
fn compress(states: &mut State16, blocks: &[Block16]) {
    // SAFETY: sixteen words are as long as a vector; it may be unaligned.
    let load = |words: &[u32; 16]| unsafe { _mm512_loadu_si512(words.as_ptr().cast()) };
    let mut state: [__m512i; 8] = [
        load(&states[0]),
        load(&states[1]),
        load(&states[2]),
        load(&states[3]),
        load(&states[4]),
        load(&states[5]),
        load(&states[6]),
        load(&states[7]),
    ];
    for block in blocks {
        let [mut a, mut b, mut c, mut d, mut e, mut f, mut g, mut h] = state;
        let mut w = [a; 16];
        for (w, words) in w.iter_mut().zip(block) {
            *w = load(words);
        }
        for sixteen in 0..4 {
            // Two of the eight words change in a round and the others move on:
            // here their names do.
            macro_rules! round {
                ($a:ident $b:ident $c:ident $d:ident $e:ident $f:ident $g:ident $h:ident $at:expr) => {
                    if sixteen > 0 {
                        w[$at] = scheduled(&w, $at);
                    }
                    let k = _mm512_set1_epi32(K[16 * sixteen + $at] as i32);
                    let choice = _mm512_ternarylogic_epi32::<CHOICE>($e, $f, $g);
                    let sum =
                        _mm512_add_epi32(_mm512_add_epi32($h, choice), _mm512_add_epi32(k, w[$at]));
                    let sum = _mm512_add_epi32(sum, turned::<6, 11, 25>($e));
                    let majority = _mm512_ternarylogic_epi32::<MAJORITY>($a, $b, $c);
                    $d = _mm512_add_epi32($d, sum);
                    $h = _mm512_add_epi32(_mm512_add_epi32(sum, majority), turned::<2, 13, 22>($a));
                };
            }
            macro_rules! rounds {
                ($at:expr) => {
                    round!(a b c d e f g h $at);
                    round!(h a b c d e f g $at + 1);
                    round!(g h a b c d e f $at + 2);
                    round!(f g h a b c d e $at + 3);
                    round!(e f g h a b c d $at + 4);
                    round!(d e f g h a b c $at + 5);
                    round!(c d e f g h a b $at + 6);
                    round!(b c d e f g h a $at + 7);
                };
            }
            rounds!(0);
            rounds!(8);
        }
        for (state, new) in state.iter_mut().zip([a, b, c, d, e, f, g, h]) {
            *state = _mm512_add_epi32(*state, new);
        }
    }
    for (words, state) in states.iter_mut().zip(state) {
        // SAFETY: as above.
        unsafe { _mm512_storeu_si512(words.as_mut_ptr().cast(), state) };
    }
}

/// The exclusive or of a word turned three times: FIPS 180-4, 4.1.2.
#[inline]
#[target_feature(enable = "avx512f")]
fn turned<const A: i32, const B: i32, const C: i32>(word: __m512i) -> __m512i {
    let (a, b) = (_mm512_ror_epi32::<A>(word), _mm512_ror_epi32::<B>(word));
    _mm512_ternarylogic_epi32::<XOR>(a, b, _mm512_ror_epi32::<C>(word))
}

/// The next word of the message schedule, in the place of the one 16 before.
#[inline]
#[target_feature(enable = "avx512f")]
fn scheduled(w: &[__m512i; 16], at: usize) -> __m512i {
    let (w15, w2) = (w[(at + 1) % 16], w[(at + 14) % 16]);
    let s0 = _mm512_ternarylogic_epi32::<XOR>(
        _mm512_ror_epi32::<7>(w15),
        _mm512_ror_epi32::<18>(w15),
        _mm512_srli_epi32::<3>(w15),
    );
    let s1 = _mm512_ternarylogic_epi32::<XOR>(
        _mm512_ror_epi32::<17>(w2),
        _mm512_ror_epi32::<19>(w2),
        _mm512_srli_epi32::<10>(w2),
    );
    let sum = _mm512_add_epi32(w[at], w[(at + 9) % 16]);
    _mm512_add_epi32(sum, _mm512_add_epi32(s0, s1))
}
