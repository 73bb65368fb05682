//! The steps of `crate::occupancy` in vectors of 512 bits. Coins go from the
//! cipher into the count without a stop in memory.

use std::arch::x86_64::{
    __m512i, _mm_set_epi64x, _mm512_add_epi8, _mm512_add_epi32, _mm512_add_epi64,
    _mm512_aesenc_epi128, _mm512_aesenclast_epi128, _mm512_and_si512, _mm512_broadcast_i32x4,
    _mm512_cmpeq_epi8_mask, _mm512_cmpgt_epu8_mask, _mm512_cmpgt_epu32_mask,
    _mm512_cmpgt_epu64_mask, _mm512_loadu_si512, _mm512_mask_blend_epi64,
    _mm512_mask_cmpgt_epu8_mask, _mm512_mask_testn_epi8_mask, _mm512_mask_xor_epi64,
    _mm512_maskz_compress_epi8, _mm512_max_epu64, _mm512_min_epu8, _mm512_min_epu32,
    _mm512_or_si512, _mm512_permutex2var_epi32, _mm512_popcnt_epi8, _mm512_popcnt_epi32,
    _mm512_popcnt_epi64, _mm512_set_epi32, _mm512_set_epi64, _mm512_set1_epi8, _mm512_set1_epi32,
    _mm512_set1_epi64, _mm512_setzero_si512, _mm512_shuffle_epi8, _mm512_shuffle_epi32,
    _mm512_slli_epi32, _mm512_slli_epi64, _mm512_sllv_epi64, _mm512_storeu_si512, _mm512_sub_epi8,
    _mm512_sub_epi32, _mm512_sub_epi64, _mm512_subs_epu8, _mm512_subs_epu16, _mm512_xor_si512,
};
use std::ops::Range;

use super::{Half, Vector, Wide};
use crate::occupancy::{
    self, CHUNK, CLUSTER_SHIFT, COINS, DISKS, FOURS, Line, Occupancy, STRING, Shape, Shared, Work,
};
use crate::plane::{Address, Planes};

pub(crate) fn occupancy(
    vector: &Vector,
    kernel: &mut Occupancy,
    planes: &Planes,
    clusters: Range<u64>,
    each: &mut dyn FnMut(u64, Shared<'_>),
) {
    #[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt,aes,vaes")]
    fn half(
        vector: &Vector,
        kernel: &mut Occupancy,
        planes: &Planes,
        clusters: Range<u64>,
        each: &mut dyn FnMut(u64, Shared<'_>),
    ) {
        occupancy::occupancy(&Half(vector), kernel, planes, clusters, each);
    }
    // Miri has no vector shifts by lane, nor compression.
    if vector.wide && cfg!(not(miri)) {
        // SAFETY: a `Vector` is wide only where the instructions are.
        unsafe { wide(vector, kernel, planes, clusters, each) };
    } else {
        // SAFETY: a `Vector` exists only where the instructions do.
        unsafe { half(vector, kernel, planes, clusters, each) };
    }
}

#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt,aes,vaes")]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vpopcntdq")]
#[target_feature(enable = "avx512bitalg,avx512vbmi2")]
fn wide(
    vector: &Vector,
    kernel: &mut Occupancy,
    planes: &Planes,
    clusters: Range<u64>,
    each: &mut dyn FnMut(u64, Shared<'_>),
) {
    let key = Key::new(vector);
    kernel.by_fours(clusters, each, |shape, work, fours| {
        let mut draws = [0, 1, 2, 3].map(|at| Draws::new(&key, fours.start + at));
        let (mut len, mut aside) = ([0; FOURS], [false; FOURS]);
        for at in 0..FOURS {
            let (draws, work) = (&mut draws[at], &mut work[at]);
            let fits = words(shape, draws, work);
            match strings(shape, draws, work) {
                Some(nodes) if fits => len[at] = nodes,
                _ => aside[at] = true,
            }
        }
        sparse(shape, draws.map(|draws| Ahead::new(draws)), work, len);
        for ((work, four), aside) in work.iter_mut().zip(fours).zip(aside) {
            if aside {
                work.four(shape, &Wide(vector), planes, four);
            }
        }
    });
}

/// The cipher's key, in every 128 bits.
struct Key([__m512i; 11]);

impl Key {
    #[inline]
    #[target_feature(enable = "avx512f")]
    fn new(vector: &Vector) -> Self {
        Self(vector.rounds.map(|round| _mm512_broadcast_i32x4(round)))
    }
}

/// Four blocks at a time.
#[derive(Clone, Copy)]
struct Draws<'a> {
    key: &'a Key,
    /// The counters of blocks 0 to 3, and the first key.
    base: __m512i,
    next: u64,
}

impl<'a> Draws<'a> {
    #[inline]
    #[target_feature(enable = "avx512f")]
    fn new(key: &'a Key, four: u64) -> Self {
        // The cipher takes counters big-endian.
        let high = Address::new(COINS, four, 0).high.swap_bytes() as i64;
        let block = |block: u64| block.swap_bytes() as i64;
        let base = _mm512_set_epi64(block(3), high, block(2), high, block(1), high, 0, high);
        Self {
            key,
            base: _mm512_xor_si512(base, key.0[0]),
            next: 0,
        }
    }

    #[inline]
    #[target_feature(enable = "avx512f,vaes")]
    fn draw(&mut self) -> __m512i {
        const BLOCK: u8 = 0b1010_1010;
        let block = _mm512_set1_epi64(self.next.swap_bytes() as i64);
        self.next += 4;
        let mut state = _mm512_mask_xor_epi64(self.base, BLOCK, self.base, block);
        for round in 1..10 {
            state = _mm512_aesenc_epi128(state, self.key.0[round]);
        }
        _mm512_aesenclast_epi128(state, self.key.0[10])
    }
}

/// Draws of which the next is on its way through the cipher while the last is
/// counted: the processor cannot look that far ahead by itself.
#[derive(Clone, Copy)]
struct Ahead<'a> {
    draws: Draws<'a>,
    next: __m512i,
}

impl<'a> Ahead<'a> {
    #[inline]
    #[target_feature(enable = "avx512f,vaes")]
    fn new(mut draws: Draws<'a>) -> Self {
        let next = draws.draw();
        Self { draws, next }
    }

    #[inline]
    #[target_feature(enable = "avx512f,vaes")]
    fn draw(&mut self) -> __m512i {
        std::mem::replace(&mut self.next, self.draws.draw())
    }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn load(line: &Line<[u64; 8]>) -> __m512i {
    // SAFETY: a line is as long as a vector.
    unsafe { _mm512_loadu_si512(line.0.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn store(line: &mut Line<[u64; 8]>, vector: __m512i) {
    // SAFETY: as above.
    unsafe { _mm512_storeu_si512(line.0.as_mut_ptr().cast(), vector) }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn load_bytes(list: &[u8], at: usize) -> __m512i {
    let bytes: &[u8; CHUNK] = list[at..].first_chunk().expect("behind a list is a chunk");
    // SAFETY: the bytes are as long as a vector, which may be unaligned.
    unsafe { _mm512_loadu_si512(bytes.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn store_bytes(list: &mut [u8], at: usize, vector: __m512i) {
    let bytes: &mut [u8; CHUNK] = list[at..]
        .first_chunk_mut()
        .expect("behind a list is a chunk");
    // SAFETY: as above.
    unsafe { _mm512_storeu_si512(bytes.as_mut_ptr().cast(), vector) }
}

/// Puts the lanes of `kept` at the end of a list.
#[inline]
#[target_feature(enable = "avx512f,avx512vbmi2,popcnt")]
fn push(list: &mut [u8], len: &mut usize, kept: u64, vector: __m512i) {
    store_bytes(list, *len, _mm512_maskz_compress_epi8(kept, vector));
    *len += kept.count_ones() as usize;
}

/// The ones among the first coins of 64, all but `others`.
#[inline]
#[target_feature(enable = "avx512f,avx512vpopcntdq")]
fn ones64(coins: __m512i, others: __m512i) -> __m512i {
    // Shifts by 64 and more give 0.
    _mm512_popcnt_epi64(_mm512_sllv_epi64(coins, others))
}

/// The levels of words, and whether all nodes fitted into them.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,vaes,avx512vpopcntdq")]
fn words(shape: &Shape, draws: &mut Draws<'_>, work: &mut Work) -> bool {
    /// The lanes of second halves.
    const SECOND: u8 = 0b1010_1010;
    let all = _mm512_set1_epi64(shape.disks.into());
    let mut end = _mm512_mask_blend_epi64(SECOND, _mm512_set1_epi64(64), _mm512_set1_epi64(128));
    let mut upper = _mm512_setzero_si512();
    for _ in 0..shape.disks.div_ceil(128) {
        let others = _mm512_subs_epu16(end, all);
        upper = _mm512_add_epi64(upper, ones64(draws.draw(), others));
        end = _mm512_add_epi64(end, _mm512_set1_epi64(128));
    }
    let upper = _mm512_add_epi64(upper, _mm512_shuffle_epi32::<0b01_00_11_10>(upper));
    let pair = _mm512_mask_blend_epi64(SECOND, upper, _mm512_sub_epi64(all, upper));
    store(&mut work.nodes[0], pair);
    let word = _mm512_set1_epi64(64);
    let mut failed = 0;
    let (mut nodes, mut halves) = (work.nodes.as_mut_slice(), work.halves.as_mut_slice());
    for (level, &words) in (0..).zip(&shape.words[1..]) {
        let mut most = _mm512_setzero_si512();
        let pairs = nodes.iter().zip(halves.as_chunks_mut::<2>().0);
        for (pair, [upper_half, lower_half]) in pairs.take(1 << level) {
            let pair = load(pair);
            most = _mm512_max_epu64(most, pair);
            let mut end = word;
            let mut upper = ones64(draws.draw(), _mm512_subs_epu16(end, pair));
            for _ in 1..words {
                end = _mm512_add_epi64(end, word);
                let others = _mm512_subs_epu16(end, pair);
                upper = _mm512_add_epi64(upper, ones64(draws.draw(), others));
            }
            store(upper_half, upper);
            store(lower_half, _mm512_sub_epi64(pair, upper));
        }
        failed |= _mm512_cmpgt_epu64_mask(most, _mm512_set1_epi64(i64::from(64 * words)));
        std::mem::swap(&mut nodes, &mut halves);
    }
    failed == 0
}

/// Masks of the first coins of a string, for 0 to 31 disks.
#[derive(Clone, Copy)]
struct Masks([__m512i; 2]);

impl Masks {
    #[inline]
    #[target_feature(enable = "avx512f")]
    fn new() -> Self {
        let low = |coins: u32| ((1_u32 << coins) - 1) as i32;
        let sixteen = |from: u32| {
            let at = |lane| low(from + lane);
            _mm512_set_epi32(
                at(15),
                at(14),
                at(13),
                at(12),
                at(11),
                at(10),
                at(9),
                at(8),
                at(7),
                at(6),
                at(5),
                at(4),
                at(3),
                at(2),
                at(1),
                at(0),
            )
        };
        Self([sixteen(0), sixteen(16)])
    }

    #[inline]
    #[target_feature(enable = "avx512f")]
    fn of(self, disks: __m512i) -> __m512i {
        _mm512_permutex2var_epi32(self.0[0], disks, self.0[1])
    }
}

/// Strings, one or two for each lane.
type Strings<const COUNT: usize> = [__m512i; COUNT];

/// The masks of the first coins of strings.
#[inline]
#[target_feature(enable = "avx512f")]
fn firsts<const COUNT: usize>(masks: Masks, disks: __m512i) -> Strings<COUNT> {
    if COUNT == 1 {
        return [masks.of(disks); COUNT];
    }
    let mut left = disks;
    let mut firsts = [left; COUNT];
    for first in &mut firsts {
        let some = _mm512_min_epu32(left, _mm512_set1_epi32(STRING as i32));
        *first = masks.of(some);
        left = _mm512_sub_epi32(left, some);
    }
    firsts
}

#[inline]
#[target_feature(enable = "avx512f,avx512vpopcntdq")]
fn ones<const COUNT: usize>(strings: Strings<COUNT>, firsts: Strings<COUNT>) -> __m512i {
    let mut ones = _mm512_popcnt_epi32(_mm512_and_si512(strings[0], firsts[0]));
    for at in 1..COUNT {
        let more = _mm512_popcnt_epi32(_mm512_and_si512(strings[at], firsts[at]));
        ones = _mm512_add_epi32(ones, more);
    }
    ones
}

#[inline]
#[target_feature(enable = "avx512f,vaes")]
fn draw3(draws: &mut Draws<'_>) -> [__m512i; 3] {
    [draws.draw(), draws.draw(), draws.draw()]
}

/// Three levels of sixteen nodes: upper and lower eighths, as bytes.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,vaes,avx512vpopcntdq")]
fn eighths<const COUNT: usize>(
    strings: [Strings<COUNT>; 3],
    masks: Masks,
    all: __m512i,
) -> [__m512i; 2] {
    let first_all = firsts::<COUNT>(masks, all);
    let half = ones(strings[0], first_all);
    let other = _mm512_sub_epi32(all, half);
    let first_half = firsts::<COUNT>(masks, half);
    let string = strings[1];
    let q0 = ones(string, first_half);
    let q2 = _mm512_sub_epi32(ones(string, first_all), q0);
    let q1 = _mm512_sub_epi32(half, q0);
    let q3 = _mm512_sub_epi32(other, q2);
    let string = strings[2];
    let upto = [
        ones(string, firsts::<COUNT>(masks, q0)),
        ones(string, first_half),
        ones(string, firsts::<COUNT>(masks, _mm512_add_epi32(half, q2))),
        ones(string, first_all),
    ];
    let quarters = together([q0, q1, q2, q3]);
    let upto = together(upto);
    // Nothing is borrowed from a neighbour: these are bytes.
    let uppers = _mm512_sub_epi8(upto, _mm512_slli_epi32::<8>(upto));
    [uppers, _mm512_sub_epi8(quarters, uppers)]
}

#[cold]
#[inline(never)]
#[target_feature(enable = "avx512f,avx512bw,vaes,avx512vpopcntdq")]
fn eighths_of_many(strings: [Strings<2>; 3], masks: Masks, all: __m512i) -> [__m512i; 2] {
    eighths(strings, masks, all)
}

/// Four numbers of 32 bits as the bytes of one.
#[inline]
#[target_feature(enable = "avx512f")]
fn together(parts: [__m512i; 4]) -> __m512i {
    let [a, b, c, d] = parts;
    let low = _mm512_or_si512(a, _mm512_slli_epi32::<8>(b));
    let high = _mm512_or_si512(c, _mm512_slli_epi32::<8>(d));
    _mm512_or_si512(low, _mm512_slli_epi32::<16>(high))
}

/// The levels of strings, and the length of the list that they leave in `next`.
/// `None` if a node does not fit.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,vaes,avx512vpopcntdq,avx512vbmi2,popcnt")]
fn strings(shape: &Shape, draws: &mut Draws<'_>, work: &mut Work) -> Option<usize> {
    let masks = Masks::new();
    let one = _mm512_set1_epi8(1);
    let [b, c, d] = [1_u64, 2, 3].map(|id| ((id << CLUSTER_SHIFT) * 0x0101_0101_0101_0101) as i64);
    let ids = _mm512_set_epi64(d, d, c, c, b, b, 0, 0);
    // Each level of words changed the sides.
    let nodes = match shape.levels() % 2 {
        1 => &work.nodes,
        _ => &work.halves,
    };
    let pairs = &nodes.as_chunks::<2>().0[..1 << (shape.levels() - 2)];
    let mut ahead = draw3(draws);
    let mut len = 0;
    for (left, [lower, upper]) in (0..pairs.len()).rev().zip(pairs) {
        let all = _mm512_or_si512(load(lower), _mm512_slli_epi64::<32>(load(upper)));
        let [a, b, c] = ahead;
        let many = _mm512_cmpgt_epu32_mask(all, _mm512_set1_epi32(STRING as i32)) != 0;
        let more = if many { draw3(draws) } else { ahead };
        // The next ones are on their way while these are counted.
        if left > 0 {
            ahead = draw3(draws);
        }
        let halves = if many {
            if _mm512_cmpgt_epu32_mask(all, _mm512_set1_epi32(2 * STRING as i32)) != 0 {
                return None;
            }
            eighths_of_many([[a, b], [c, more[0]], [more[1], more[2]]], masks, all)
        } else {
            eighths([[a], [b], [c]], masks, all)
        };
        for half in halves {
            let kept = _mm512_cmpgt_epu8_mask(half, one);
            push(&mut work.next, &mut len, kept, _mm512_or_si512(half, ids));
        }
    }
    store_bytes(&mut work.next, len, _mm512_setzero_si512());
    Some(len)
}

/// The levels of bytes, from lists of so many nodes to the groups.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,vaes,avx512bitalg,avx512vbmi2,popcnt")]
fn sparse(shape: &Shape, draws: [Ahead<'_>; FOURS], work: &mut [Work; FOURS], len: [usize; FOURS]) {
    let (mut draws, mut len, mut found) = (draws, len, [0; FOURS]);
    let mut lists = work.each_mut().map(|work| {
        let Work {
            list, next, groups, ..
        } = work;
        [
            list.as_mut_slice(),
            next.as_mut_slice(),
            groups.as_mut_slice(),
        ]
    });
    for level in shape.bytes_level()..shape.bits {
        let levels = shape.bits - level;
        for at in 0..FOURS {
            let [list, next, groups] = &mut lists[at];
            std::mem::swap(list, next);
            let (draws, list, groups) = (
                &mut draws[at],
                (&**list, len[at]),
                (&mut **groups, &mut found[at]),
            );
            len[at] = match levels {
                9.. => split::<false>(draws, levels, list, next, groups),
                _ => split::<true>(draws, levels, list, next, groups),
            };
        }
    }
    for (at, [_, next, groups]) in lists.iter_mut().enumerate() {
        for nodes in (0..len[at]).step_by(CHUNK) {
            store_bytes(groups, found[at] + nodes, load_bytes(next, nodes));
        }
        found[at] += len[at];
        store_bytes(groups, found[at], _mm512_setzero_si512());
    }
    for (work, found) in work.iter_mut().zip(found) {
        work.groups_len = found;
    }
}

/// Splits a list's nodes, which have `levels` to go, and answers how many the
/// next list has. Nodes of two disks are decided, if `DECIDES`.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,vaes,avx512bitalg,avx512vbmi2,popcnt")]
fn split<const DECIDES: bool>(
    draws: &mut Ahead<'_>,
    levels: u32,
    (list, len): (&[u8], usize),
    next: &mut [u8],
    (groups, groups_len): (&mut [u8], &mut usize),
) -> usize {
    let (one, two, eight) = (
        _mm512_set1_epi8(1),
        _mm512_set1_epi8(2),
        _mm512_set1_epi8(8),
    );
    let number = _mm512_set1_epi8(DISKS as i8);
    let together = _mm512_set1_epi8((0xff_u32 >> 8_u32.saturating_sub(levels)) as i8);
    let low = low();
    let mut ahead = *draws;
    let (mut kept, mut found) = (0, *groups_len);
    for at in (0..len).step_by(CHUNK) {
        let nodes = load_bytes(list, at);
        let disks = _mm512_and_si512(nodes, number);
        let drawn = ahead.draw();
        let first = _mm512_shuffle_epi8(low, disks);
        let mut upper = _mm512_popcnt_epi8(_mm512_and_si512(drawn, first));
        if _mm512_cmpgt_epu8_mask(disks, eight) != 0 {
            (ahead, upper) = more_than_8(ahead, disks, drawn);
        }
        let lower = _mm512_sub_epi8(disks, upper);
        // The cluster stays where it is.
        let lower_node = _mm512_sub_epi8(nodes, upper);
        let upper_node = _mm512_sub_epi8(nodes, lower);
        let open = if DECIDES {
            let pair = _mm512_cmpeq_epi8_mask(disks, two);
            let stay = _mm512_mask_testn_epi8_mask(pair, drawn, together);
            push(groups, &mut found, stay, nodes);
            _mm512_cmpgt_epu8_mask(disks, two)
        } else {
            u64::MAX
        };
        let upper = _mm512_mask_cmpgt_epu8_mask(open, upper, one);
        push(next, &mut kept, upper, upper_node);
        let lower = _mm512_mask_cmpgt_epu8_mask(open, lower, one);
        push(next, &mut kept, lower, lower_node);
    }
    *draws = ahead;
    *groups_len = found;
    store_bytes(next, kept, _mm512_setzero_si512());
    kept
}

/// The first 0, 1, ... 8 coins of a byte, and all.
#[inline]
#[target_feature(enable = "avx512f")]
fn low() -> __m512i {
    _mm512_broadcast_i32x4(_mm_set_epi64x(-1, 0x7f3f_1f0f_0703_0100))
}

/// Where a node has more disks than a byte has coins, all get more bytes.
#[cold]
#[inline(never)]
#[target_feature(enable = "avx512f,avx512bw,vaes,avx512bitalg")]
fn more_than_8<'a>(draws: Ahead<'a>, disks: __m512i, drawn: __m512i) -> (Ahead<'a>, __m512i) {
    let mut draws = draws;
    let eight = _mm512_set1_epi8(8);
    let (mut left, mut drawn, mut upper) = (disks, drawn, _mm512_setzero_si512());
    loop {
        let first = _mm512_shuffle_epi8(low(), _mm512_min_epu8(left, eight));
        let ones = _mm512_popcnt_epi8(_mm512_and_si512(drawn, first));
        upper = _mm512_add_epi8(upper, ones);
        left = _mm512_subs_epu8(left, eight);
        if _mm512_cmpgt_epu8_mask(left, _mm512_setzero_si512()) == 0 {
            return (draws, upper);
        }
        drawn = draws.draw();
    }
}
