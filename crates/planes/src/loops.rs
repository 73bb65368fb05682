//! The hot loops: which draw repeats an earlier one? One body for all
//! processors; `simd` compiles it a second time.

use std::ops::Range;

use crate::plane::{Address, Block, Planes, Source};
use crate::simd;

/// The widest prefix that the loops of [`Prefixes`] take.
pub const MOST_BITS: u32 = 16;

/// 2^16 bits: one for each prefix. Half of an L1 cache on small processors.
const WORDS: usize = 1 << 10;
/// Draws that are tested together.
const GROUP: usize = 16;
/// Blocks of eight draws that are made at once by the loop that stops at the
/// first repeat: a mean of 321 draws wastes little of 128.
const STEP: usize = 16;

/// On the border of a cache line, so that no vector of it lies on two.
#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
pub(crate) struct Aligned<T>(pub(crate) T);

/// A set of prefixes, and the two questions that are asked with it.
#[derive(Clone)]
pub struct Prefixes {
    seen: Box<Aligned<[u64; WORDS]>>,
    draws: Vec<Block>,
    repeats: Vec<u16>,
}

impl Default for Prefixes {
    fn default() -> Self {
        Self {
            seen: Box::new(Aligned([0; WORDS])),
            draws: Vec::new(),
            repeats: Vec::new(),
        }
    }
}

impl std::fmt::Debug for Prefixes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Prefixes").finish_non_exhaustive()
    }
}

impl Prefixes {
    /// For each cluster, draws from plane 0 until a prefix of `bits` comes for
    /// the second time, and adds 1 to `histogram[draws]`.
    ///
    /// # Panics
    /// When `bits` is not 1 to 16, or the histogram is shorter than
    /// `2^bits + 2`.
    pub fn first_repeats(
        &mut self,
        planes: &Planes,
        clusters: Range<u64>,
        bits: u32,
        histogram: &mut [u64],
    ) {
        assert!((1..=MOST_BITS).contains(&bits), "{bits} bits");
        assert!(histogram.len() >= (1 << bits) + 2, "a histogram too short");
        match planes.vector() {
            Some(vector) => simd::first_repeats(vector, self, clusters, bits, histogram),
            None => first_repeats(planes.portable(), self, clusters, bits, histogram),
        }
    }

    /// For each cluster, draws `disks` prefixes of `bits` from plane 0 and
    /// calls `each` with the cluster and the draws that repeat an earlier one:
    /// none if all differ. They are in the order of drawing.
    ///
    /// # Panics
    /// When `bits` is not 1 to 16.
    pub fn repeats(
        &mut self,
        planes: &Planes,
        clusters: Range<u64>,
        disks: usize,
        bits: u32,
        each: &mut dyn FnMut(u64, &[u16]),
    ) {
        assert!((1..=MOST_BITS).contains(&bits), "{bits} bits");
        match planes.vector() {
            Some(vector) => simd::repeats(vector, self, clusters, disks, bits, each),
            None => repeats(planes.portable(), self, clusters, disks, bits, each),
        }
    }

    /// For each cluster, draws `disks` prefixes of `bits` from plane 0 and
    /// calls `each` with the cluster and the number of different ones. Quicker
    /// than [`repeats`](Self::repeats), and says less.
    ///
    /// # Panics
    /// When `bits` is not 1 to 16.
    pub fn distinct(
        &mut self,
        planes: &Planes,
        clusters: Range<u64>,
        disks: usize,
        bits: u32,
        each: &mut dyn FnMut(u64, u32),
    ) {
        assert!((1..=MOST_BITS).contains(&bits), "{bits} bits");
        match planes.vector() {
            Some(vector) => simd::distinct(vector, self, clusters, disks, bits, each),
            None => distinct(planes.portable(), self, clusters, disks, bits, each),
        }
    }

    fn words(bits: u32) -> usize {
        (1_usize << bits).div_ceil(64)
    }
}

/// The prefix that a disk's two bytes are, cut to its first bits.
#[inline(always)]
fn prefix(bytes: [u8; 2], cut: u32) -> u16 {
    u16::from_le_bytes(bytes) >> cut
}

/// Enters the draws into the set. Bit 15 of the answer says that draw 0 was
/// there before, bit 14 that draw 1 was, and so on: doubling and adding takes
/// no shift, of which processors can do the fewest at once.
#[inline(always)]
fn enter(seen: &mut [u64; WORDS], draws: &[[u8; 2]; GROUP], cut: u32) -> u32 {
    let mut again = 0;
    for draw in draws {
        let prefix = prefix(*draw, cut);
        let word = &mut seen[usize::from(prefix >> 6)];
        let old = *word;
        let bit = prefix & 63;
        again = again + again + (old >> bit) as u32 % 2;
        *word = old | 1 << bit;
    }
    again
}

/// The first draw of a group that was there before.
#[inline(always)]
fn first(again: u32) -> usize {
    again.leading_zeros() as usize + GROUP - 32
}

/// As [`enter`], for the few draws that fill no group.
#[inline(always)]
fn enter_rest(seen: &mut [u64; WORDS], draws: &[[u8; 2]], cut: u32) -> u32 {
    let mut again = 0;
    for (at, draw) in draws.iter().enumerate() {
        let prefix = prefix(*draw, cut);
        let word = &mut seen[usize::from(prefix >> 6)];
        again |= (*word >> (prefix & 63) & 1) << (GROUP - 1 - at);
        *word |= 1 << (prefix & 63);
    }
    again as u32
}

#[inline(always)]
pub(crate) fn first_repeats<S: Source>(
    source: &S,
    set: &mut Prefixes,
    clusters: Range<u64>,
    bits: u32,
    histogram: &mut [u64],
) {
    // Twin arms, here and below: the body is compiled once more with a shift of
    // 0, which then is no shift at all. That is for the width that matters.
    if bits == MOST_BITS {
        first_repeats_cut(source, set, clusters, 0, Prefixes::words(bits), histogram);
    } else {
        let cut = MOST_BITS - bits;
        first_repeats_cut(source, set, clusters, cut, Prefixes::words(bits), histogram);
    }
}

#[inline(always)]
fn first_repeats_cut<S: Source>(
    source: &S,
    set: &mut Prefixes,
    clusters: Range<u64>,
    cut: u32,
    words: usize,
    histogram: &mut [u64],
) {
    let mut blocks = Aligned([[0; 16]; STEP]);
    for cluster in clusters {
        let mut from = Address::new(0, cluster, 0);
        let mut drawn = 0;
        let repeat = 'drawing: loop {
            source.fill(from, &mut blocks.0);
            from = from.plus(STEP as u64);
            let (draws, _) = blocks.0.as_flattened().as_chunks::<2>();
            for group in draws.as_chunks::<GROUP>().0 {
                let again = enter(&mut set.seen.0, group, cut);
                if again != 0 {
                    break 'drawing drawn + first(again) + 1;
                }
                drawn += GROUP;
            }
        };
        histogram[repeat] += 1;
        source.clear(&mut set.seen.0[..words]);
    }
}

#[inline(always)]
pub(crate) fn repeats<S: Source>(
    source: &S,
    set: &mut Prefixes,
    clusters: Range<u64>,
    disks: usize,
    bits: u32,
    each: &mut dyn FnMut(u64, &[u16]),
) {
    if bits == MOST_BITS {
        repeats_cut(source, set, clusters, disks, 0, Prefixes::words(bits), each);
    } else {
        let cut = MOST_BITS - bits;
        repeats_cut(
            source,
            set,
            clusters,
            disks,
            cut,
            Prefixes::words(bits),
            each,
        );
    }
}

#[inline(always)]
fn repeats_cut<S: Source>(
    source: &S,
    set: &mut Prefixes,
    clusters: Range<u64>,
    disks: usize,
    cut: u32,
    words: usize,
    each: &mut dyn FnMut(u64, &[u16]),
) {
    set.draws.resize(disks.div_ceil(8), [0; 16]);
    for cluster in clusters {
        source.fill(Address::new(0, cluster, 0), &mut set.draws);
        set.repeats.clear();
        let (draws, _) = set.draws.as_flattened().as_chunks::<2>();
        let (groups, rest) = draws[..disks].as_chunks::<GROUP>();
        for group in groups {
            let again = enter(&mut set.seen.0, group, cut);
            note(&mut set.repeats, group, again, cut);
        }
        let again = enter_rest(&mut set.seen.0, rest, cut);
        note(&mut set.repeats, rest, again, cut);
        source.clear(&mut set.seen.0[..words]);
        each(cluster, &set.repeats);
    }
}

#[inline(always)]
fn note(repeats: &mut Vec<u16>, draws: &[[u8; 2]], mut again: u32, cut: u32) {
    while again != 0 {
        let at = first(again);
        repeats.push(prefix(draws[at], cut));
        again ^= 1 << (GROUP - 1 - at);
    }
}

#[inline(always)]
pub(crate) fn distinct<S: Source>(
    source: &S,
    set: &mut Prefixes,
    clusters: Range<u64>,
    disks: usize,
    bits: u32,
    each: &mut dyn FnMut(u64, u32),
) {
    if bits == MOST_BITS {
        distinct_cut(source, set, clusters, disks, 0, Prefixes::words(bits), each);
    } else {
        let cut = MOST_BITS - bits;
        distinct_cut(
            source,
            set,
            clusters,
            disks,
            cut,
            Prefixes::words(bits),
            each,
        );
    }
}

#[inline(always)]
fn distinct_cut<S: Source>(
    source: &S,
    set: &mut Prefixes,
    clusters: Range<u64>,
    disks: usize,
    cut: u32,
    words: usize,
    each: &mut dyn FnMut(u64, u32),
) {
    set.draws.resize(disks.div_ceil(8), [0; 16]);
    for cluster in clusters {
        source.fill(Address::new(0, cluster, 0), &mut set.draws);
        let (draws, _) = set.draws.as_flattened().as_chunks::<2>();
        for draw in &draws[..disks] {
            let prefix = prefix(*draw, cut);
            set.seen.0[usize::from(prefix >> 6)] |= 1 << (prefix & 63);
        }
        let count = source.count_and_clear(&mut set.seen.0[..words]);
        each(cluster, count);
    }
}

/// The number of bits set; they are 0 afterwards. For processors that count
/// the bits of a word with an instruction, but not those of a vector.
#[inline(always)]
pub(crate) fn count_and_clear(words: &mut [u64]) -> u32 {
    // Seven lines of words are added up bit by bit before anything is counted:
    // a carry-save adder (Harley and Seal), three counts instead of seven.
    const LANES: usize = 8;
    let mut count = 0;
    let (lines, rest) = words.as_chunks_mut::<LANES>();
    let (sevens, lines) = lines.as_chunks_mut::<7>();
    for seven in sevens {
        let [a, b, c, d, e, f, g] = *seven;
        *seven = [[0; LANES]; 7];
        for lane in 0..LANES {
            let (t, carry0) = add3(a[lane], b[lane], c[lane]);
            let (t, carry1) = add3(t, d[lane], e[lane]);
            let (ones, carry2) = add3(t, f[lane], g[lane]);
            let (twos, fours) = add3(carry0, carry1, carry2);
            count += ones.count_ones() + 2 * twos.count_ones() + 4 * fours.count_ones();
        }
    }
    for word in lines.as_flattened_mut().iter_mut().chain(rest) {
        count += word.count_ones();
        *word = 0;
    }
    count
}

/// As [`count_and_clear`], in the plain way.
#[inline(always)]
pub(crate) fn count_and_clear_each(words: &mut [u64]) -> u32 {
    let mut count = 0;
    for word in words {
        count += u64::from(word.count_ones());
        *word = 0;
    }
    count as u32
}

/// Adds three words bit by bit: sums and carries.
#[inline(always)]
fn add3(a: u64, b: u64, c: u64) -> (u64, u64) {
    let half = a ^ b;
    (half ^ c, a & b | half & c)
}

/// Puts the bytes that are `kept` (1, and not 0) at the end of a list, by which
/// eight at a time are moved together.
#[inline(always)]
pub(crate) fn push_by(
    list: &mut [u8],
    len: &mut usize,
    (kept, bytes): (&[u8; 64], &[u8; 64]),
    together: impl Fn(u64, u64) -> u64,
) {
    let eights = kept.as_chunks::<8>().0.iter().zip(bytes.as_chunks::<8>().0);
    for (kept, bytes) in eights {
        let kept = u64::from_le_bytes(*kept);
        let moved = together(u64::from_le_bytes(*bytes), kept * 0xff);
        list[*len..*len + 8].copy_from_slice(&moved.to_le_bytes());
        *len += kept.count_ones() as usize;
    }
}

/// As [`push_by`], where no instruction moves bytes together.
#[inline(always)]
pub(crate) fn push(list: &mut [u8], len: &mut usize, kept: &[u8; 64], bytes: &[u8; 64]) {
    for (kept, bytes) in kept.as_chunks::<8>().0.iter().zip(bytes.as_chunks::<8>().0) {
        let mut left = u64::from_le_bytes(*kept);
        while left != 0 {
            list[*len] = bytes[left.trailing_zeros() as usize / 8];
            *len += 1;
            left &= left - 1;
        }
    }
}

/// How many of `coins` random bits are 1: a binomial number by its definition.
/// The bits are those of the plane and cluster from block `block` on.
///
/// # Panics
/// When the cluster's number has more than 56 bits.
#[must_use]
pub fn heads(planes: &Planes, plane: u8, cluster: u64, block: u64, coins: u64) -> u64 {
    let from = Address::new(plane, cluster, block);
    match planes.vector() {
        Some(vector) => simd::heads(vector, from, coins),
        None => count_heads(planes.portable(), from, coins),
    }
}

#[inline(always)]
pub(crate) fn count_heads<S: Source>(source: &S, from: Address, coins: u64) -> u64 {
    const AT_ONCE: u64 = 64;
    let mut blocks = [[0; 16]; AT_ONCE as usize];
    let (mut from, mut left, mut count) = (from, coins, 0);
    let ones = |block: &Block| u64::from(u128::from_le_bytes(*block).count_ones());
    while left >= 128 {
        let whole = (left / 128).min(AT_ONCE);
        let blocks = &mut blocks[..whole as usize];
        source.fill(from, blocks);
        count += blocks.iter().map(ones).sum::<u64>();
        from = from.plus(whole);
        left -= 128 * whole;
    }
    if left > 0 {
        source.fill(from, &mut blocks[..1]);
        let last = u128::from_le_bytes(blocks[0]) & ((1 << left) - 1);
        count += u64::from(last.count_ones());
    }
    count
}

/// Finds the keys of a batch that may have an equal among the others.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    seen: Vec<u64>,
    twice: Vec<u64>,
}

impl Filter {
    /// Moves to the front of `keys` all those whose `slot_bits` bits from
    /// `shift` on are those of another key too, and answers how many they are;
    /// behind them nothing is defined. Equal keys always stay; a few others do.
    ///
    /// # Panics
    /// When `slot_bits` is not 6 to 30.
    pub fn keep_suspects(
        &mut self,
        planes: &Planes,
        keys: &mut [u64],
        shift: u32,
        slot_bits: u32,
    ) -> usize {
        assert!((6..=30).contains(&slot_bits), "{slot_bits} bits of slots");
        let words = 1 << (slot_bits - 6);
        if self.seen.len() < words {
            self.seen.resize(words, 0);
            self.twice.resize(words, 0);
        }
        let (seen, twice) = (&mut self.seen[..words], &mut self.twice[..words]);
        match planes.vector() {
            Some(vector) => simd::keep_suspects(vector, seen, twice, keys, shift),
            None => keep_suspects(planes.portable(), seen, twice, keys, shift),
        }
    }
}

/// `seen` and `twice` are all 0 before and after; their length is a power of two.
#[inline(always)]
pub(crate) fn keep_suspects<S: Source>(
    _: &S,
    seen: &mut [u64],
    twice: &mut [u64],
    keys: &mut [u64],
    shift: u32,
) -> usize {
    let mask = seen.len() - 1;
    let twice = &mut twice[..=mask];
    let place = |key: u64| {
        let slot = (key >> (shift & 63)) as usize;
        (slot >> 6 & mask, slot as u64 & 63)
    };
    let mut any = false;
    let (groups, rest) = keys.as_chunks::<GROUP>();
    for group in groups {
        let mut again = 0_u32;
        for &key in group {
            let (word, bit) = place(key);
            let old = seen[word];
            again = again + again + (old >> bit) as u32 % 2;
            seen[word] = old | 1 << bit;
        }
        any |= again != 0;
        while again != 0 {
            let at = first(again);
            let (word, bit) = place(group[at]);
            twice[word] |= 1 << bit;
            again ^= 1 << (GROUP - 1 - at);
        }
    }
    for &key in rest {
        let (word, bit) = place(key);
        if seen[word] >> bit & 1 == 1 {
            any = true;
            twice[word] |= 1 << bit;
        }
        seen[word] |= 1 << bit;
    }
    seen.fill(0);
    if !any {
        return 0;
    }
    let mut kept = 0;
    for at in 0..keys.len() {
        // Written whether it stays or not: no branch to guess.
        let key = keys[at];
        let (word, bit) = place(key);
        keys[kept] = key;
        kept += (twice[word] >> bit & 1) as usize;
    }
    // Few bits are set: taking them back is quicker than clearing all.
    for &key in &keys[..kept] {
        twice[place(key).0] = 0;
    }
    kept
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::plane::Engine;

    fn engines() -> Vec<Planes> {
        Engine::ALL
            .into_iter()
            .filter_map(|engine| Planes::new(42, engine).ok())
            .collect()
    }

    /// The slow, plain way.
    fn drawn(planes: &Planes, cluster: u64, disks: usize, bits: u32) -> Vec<u16> {
        let blocks = (0..disks.div_ceil(8) as u64).map(|at| planes.block(0, cluster, at));
        let bytes = blocks.flatten().collect::<Vec<u8>>();
        let (draws, _) = bytes.as_chunks::<2>();
        draws[..disks]
            .iter()
            .map(|draw| u16::from_le_bytes(*draw) >> (16 - bits))
            .collect()
    }

    fn repeated(draws: &[u16]) -> Vec<u16> {
        let mut seen = std::collections::BTreeSet::new();
        draws.iter().copied().filter(|&p| !seen.insert(p)).collect()
    }

    const CLUSTERS: u64 = if cfg!(miri) { 1 } else { 40 };

    #[test]
    fn the_first_repeat_is_where_the_plain_way_finds_it() {
        for planes in engines() {
            let most = if cfg!(miri) { 8 } else { 16 };
            for bits in [1, 4, 8, 10, 12, 16]
                .into_iter()
                .filter(|bits| *bits <= most)
            {
                let mut want = vec![0; (1 << bits) + 2];
                for cluster in 0..CLUSTERS {
                    let draws = drawn(&planes, cluster, 3000.min((1 << bits) + 1), bits);
                    let mut seen = std::collections::BTreeSet::new();
                    let at = draws.iter().position(|&p| !seen.insert(p)).unwrap();
                    want[at + 1] += 1;
                }
                let mut got = vec![0; (1 << bits) + 2];
                Prefixes::default().first_repeats(&planes, 0..CLUSTERS, bits, &mut got);
                assert_eq!(want, got, "{bits} bits");
            }
        }
    }

    #[test]
    fn repeats_and_distinct_are_what_the_plain_way_finds() {
        for planes in engines() {
            let mut set = Prefixes::default();
            for (bits, disks) in [
                (1, 3),
                (4, 0),
                (4, 1),
                (8, 64),
                (12, 65),
                (16, 302),
                (16, 777),
            ] {
                if cfg!(miri) && disks > 64 {
                    break;
                }
                let want: BTreeMap<u64, Vec<u16>> = (5..5 + CLUSTERS)
                    .map(|c| (c, repeated(&drawn(&planes, c, disks, bits))))
                    .collect();
                let mut got = BTreeMap::new();
                set.repeats(&planes, 5..5 + CLUSTERS, disks, bits, &mut |c, r| {
                    got.insert(c, r.to_vec());
                });
                assert_eq!(want, got, "{bits} bits, {disks} disks");
                set.distinct(&planes, 5..5 + CLUSTERS, disks, bits, &mut |c, count| {
                    assert_eq!(count as usize, disks - want[&c].len());
                });
            }
        }
    }

    #[test]
    fn heads_are_the_ones_among_the_bits() {
        for planes in engines() {
            for coins in [0, 1, 127, 128, 129, 5000, 128 * 64, 128 * 65 + 3] {
                let mut want = 0_u64;
                for first in (0..coins).step_by(128) {
                    let block = u128::from_le_bytes(planes.block(130, 4, 77 + first / 128));
                    let some = 128.min(coins - first);
                    want += (0..some).map(|at| (block >> at & 1) as u64).sum::<u64>();
                }
                assert_eq!(heads(&planes, 130, 4, 77, coins), want, "{coins}");
                if cfg!(miri) && coins > 200 {
                    break;
                }
            }
        }
    }

    #[test]
    fn the_filter_keeps_every_pair_and_little_else() {
        for planes in engines() {
            let mut filter = Filter::default();
            let (rounds, count) = if cfg!(miri) { (1, 70) } else { (4, 5000) };
            for round in 0..rounds {
                let mut keys: Vec<u64> = (0..count)
                    .map(|i| u64::from_le_bytes(planes.block(9, round, i)[..8].try_into().unwrap()))
                    .collect();
                let pairs = [(1, 7), (3, count as usize - 1), (64, 65)];
                for (a, b) in pairs {
                    keys[a] = keys[b];
                }
                let mut want: Vec<u64> = pairs.iter().flat_map(|&(a, _)| [keys[a]; 2]).collect();
                let kept = filter.keep_suspects(&planes, &mut keys, 0, 17);
                assert!(kept < 400, "{kept}");
                let kept = filter.keep_suspects(&planes, &mut keys[..kept], 17, 12);
                let mut left = keys[..kept].to_vec();
                left.sort_unstable();
                left.retain({
                    let all = left.clone();
                    move |key| all.iter().filter(|k| *k == key).count() > 1
                });
                want.sort_unstable();
                assert_eq!(left, want);
                assert!(filter.seen.iter().chain(&filter.twice).all(|w| *w == 0));
            }
            assert_eq!(filter.keep_suspects(&planes, &mut [], 0, 6), 0);
            assert_eq!(filter.keep_suspects(&planes, &mut [5], 0, 6), 0);
        }
    }
}
