//! The portable path: words, strings and bytes, in arrays that a compiler can
//! make vectors of.

use rand_core::Rng;

use super::{CHUNK, CLUSTER_SHIFT, CLUSTERS, COINS, DISKS, STRING, Shape, Work};
use crate::plane::{Address, Block, Planes, Source};
use crate::stream::PlaneStream;

/// Where the coins of nodes that are set aside come from.
const MORE_COINS: u8 = 33;

/// 512 coins at a time.
struct Draws<'a, S> {
    source: &'a S,
    from: Address,
    drawn: [Block; 64],
    used: usize,
}

impl<S: Source> Draws<'_, S> {
    #[inline(always)]
    fn bytes(&mut self) -> [u8; CHUNK] {
        if self.used == self.drawn.len() {
            self.source.fill(self.from, &mut self.drawn);
            self.from = self.from.plus(self.drawn.len() as u64);
            self.used = 0;
        }
        let mut bytes = [0; CHUNK];
        bytes.copy_from_slice(self.drawn[self.used..self.used + 4].as_flattened());
        self.used += 4;
        bytes
    }

    #[inline(always)]
    fn words(&mut self) -> [u64; 8] {
        let bytes = self.bytes();
        let (words, _) = bytes.as_chunks::<8>();
        std::array::from_fn(|at| u64::from_le_bytes(words[at]))
    }

    #[inline(always)]
    fn strings(&mut self) -> [u32; 16] {
        let bytes = self.bytes();
        let (words, _) = bytes.as_chunks::<4>();
        std::array::from_fn(|at| u32::from_le_bytes(words[at]))
    }
}

/// The first coins of 64, of which there may be more.
#[inline(always)]
fn low(coins: u64) -> u64 {
    let all = 0_u64.wrapping_sub(u64::from(coins > 63));
    (1_u64 << (coins & 63)).wrapping_sub(1) | all
}

#[inline(always)]
fn ones(word: u64, coins: u64) -> u64 {
    (word & low(coins)).count_ones().into()
}

/// The ones among the first so many coins of strings, of which each lane has
/// one or two.
#[inline(always)]
fn ones_of(strings: &[[u32; 16]], coins: &[u32; 16]) -> [u32; 16] {
    let mut left = *coins;
    let mut ones = [0; 16];
    for string in strings {
        for lane in 0..16 {
            let some = left[lane].min(STRING);
            ones[lane] += (string[lane] & ((1 << some) - 1)).count_ones();
            left[lane] -= some;
        }
    }
    ones
}

/// The ones among the first coins of a byte, up to 8 of them.
#[inline(always)]
fn ones_of_byte(coins: u8, disks: u8) -> u8 {
    // No shift by a number that differs from lane to lane: few processors have
    // one for bytes.
    let mut first = 0;
    for coin in 0..8 {
        first |= u8::from(disks > coin) << coin;
    }
    (coins & first).count_ones() as u8
}

/// Lanes by whether something is so: 0 or 1.
#[inline(always)]
fn lanes(so: impl Fn(usize) -> bool) -> [u8; CHUNK] {
    std::array::from_fn(|at| so(at).into())
}

#[inline(always)]
fn minus(a: &[u32; 16], b: &[u32; 16]) -> [u32; 16] {
    std::array::from_fn(|lane| a[lane] - b[lane])
}

impl Work {
    /// Draws a group of four clusters.
    #[inline(always)]
    pub(crate) fn four<S: Source>(
        &mut self,
        shape: &Shape,
        source: &S,
        planes: &Planes,
        four: u64,
    ) {
        let mut draws = Draws {
            source,
            from: Address::new(COINS, four, 0),
            drawn: [[0; 16]; 64],
            used: 64,
        };
        self.groups_len = 0;
        let mut aside = Aside {
            shape,
            planes,
            four,
        };
        self.words(&mut draws, &mut aside);
        let mut len = self.strings(&mut draws, shape);
        for level in shape.bytes_level()..shape.bits {
            std::mem::swap(&mut self.list, &mut self.next);
            len = self.bytes(&mut draws, len, shape.bits - level);
        }
        for at in 0..len {
            self.group(self.next[at]);
        }
        // What is behind them is looked at, and is no group.
        self.groups[self.groups_len..]
            .iter_mut()
            .take(CHUNK)
            .for_each(|group| *group = 0);
    }

    #[inline(always)]
    fn group(&mut self, group: u8) {
        self.groups[self.groups_len] = group;
        self.groups_len += 1;
    }

    #[inline(always)]
    fn words<S: Source>(&mut self, draws: &mut Draws<'_, S>, aside: &mut Aside<'_>) {
        let shape = aside.shape;
        let disks = u64::from(shape.disks);
        let mut left: [u64; 8] = std::array::from_fn(|lane| match lane % 2 {
            0 => disks,
            _ => disks.saturating_sub(64),
        });
        let mut upper = [0; 8];
        for _ in 0..shape.disks.div_ceil(128) {
            let coins = draws.words();
            for lane in 0..8 {
                upper[lane] += ones(coins[lane], left[lane]);
                left[lane] = left[lane].saturating_sub(128);
            }
        }
        for [even, odd] in upper.as_chunks_mut::<2>().0 {
            *even += *odd;
            *odd = disks - *even;
        }
        self.nodes[0].0 = upper;
        for (level, &words) in (1..).zip(&shape.words[1..]) {
            aside.set(self, level, (64 * words).into());
            for pair in 0..1 << (level - 1) {
                let nodes = self.nodes[pair].0;
                let (mut left, mut upper) = (nodes, [0; 8]);
                for _ in 0..words {
                    let coins = draws.words();
                    for lane in 0..8 {
                        upper[lane] += ones(coins[lane], left[lane]);
                        left[lane] = left[lane].saturating_sub(64);
                    }
                }
                self.halves[2 * pair].0 = upper;
                self.halves[2 * pair + 1].0 = std::array::from_fn(|lane| nodes[lane] - upper[lane]);
            }
            std::mem::swap(&mut self.nodes, &mut self.halves);
        }
        aside.set(self, shape.levels(), (2 * STRING).into());
    }

    #[inline(always)]
    fn strings<S: Source>(&mut self, draws: &mut Draws<'_, S>, shape: &Shape) -> usize {
        let mut len = 0;
        for at in 0..1 << (shape.levels() - 2) {
            let (a, b) = (&self.nodes[2 * at].0, &self.nodes[2 * at + 1].0);
            let all: [u32; 16] = std::array::from_fn(|lane| match lane % 2 {
                0 => a[lane / 2] as u32,
                _ => b[lane / 2] as u32,
            });
            let count = 1 + usize::from(all.iter().any(|disks| *disks > STRING));
            let mut strings = [[0; 16]; 2];
            let mut draw = || {
                strings[..count].fill_with(|| draws.strings());
                strings
            };
            // Halves, quarters and eighths.
            let string = &draw()[..count];
            let half = ones_of(string, &all);
            let other = minus(&all, &half);
            let string = &draw()[..count];
            let q0 = ones_of(string, &half);
            let q2 = minus(&ones_of(string, &all), &q0);
            let q1 = minus(&half, &q0);
            let q3 = minus(&other, &q2);
            let string = &draw()[..count];
            let third: [u32; 16] = std::array::from_fn(|lane| half[lane] + q2[lane]);
            let upto = [q0, half, third, all].map(|end| ones_of(string, &end));
            let uppers = [
                upto[0],
                minus(&upto[1], &upto[0]),
                minus(&upto[2], &upto[1]),
                minus(&upto[3], &upto[2]),
            ];
            let quarters = [q0, q1, q2, q3];
            let lowers = [0, 1, 2, 3].map(|part| minus(&quarters[part], &uppers[part]));
            for parts in [uppers, lowers] {
                let disks: [u8; CHUNK] = std::array::from_fn(|at| parts[at % 4][at / 4] as u8);
                let nodes = std::array::from_fn(|at| (at as u8 / 16) << CLUSTER_SHIFT | disks[at]);
                draws
                    .source
                    .push(&mut self.next, &mut len, &lanes(|at| disks[at] > 1), &nodes);
            }
        }
        self.next[len..len + CHUNK].fill(0);
        len
    }

    /// Splits the list's `len` nodes, which have `levels` to go, and answers
    /// how many the next list has.
    #[inline(always)]
    fn bytes<S: Source>(&mut self, draws: &mut Draws<'_, S>, len: usize, levels: u32) -> usize {
        let decides = levels <= 8;
        let together = low(levels.into()) as u8;
        let mut kept = 0;
        for at in (0..len).step_by(CHUNK) {
            let mut nodes = [0; CHUNK];
            nodes.copy_from_slice(&self.list[at..at + CHUNK]);
            let disks = nodes.map(|node| node & DISKS);
            let first = draws.bytes();
            let (mut left, mut drawn, mut upper) = (disks, first, [0; CHUNK]);
            loop {
                let mut most = 0;
                for at in 0..CHUNK {
                    upper[at] += ones_of_byte(drawn[at], left[at]);
                    left[at] = left[at].saturating_sub(8);
                    most = most.max(left[at]);
                }
                if most == 0 {
                    break;
                }
                drawn = draws.bytes();
            }
            let lower: [u8; CHUNK] = std::array::from_fn(|at| disks[at] - upper[at]);
            let open = disks.map(|disks| !decides | (disks != 2));
            for half in [upper, lower] {
                let nodes = std::array::from_fn(|at| nodes[at] & !DISKS | half[at]);
                draws.source.push(
                    &mut self.next,
                    &mut kept,
                    &lanes(|at| open[at] & (half[at] > 1)),
                    &nodes,
                );
            }
            if decides {
                let stay = lanes(|at| (disks[at] == 2) & (first[at] & together == 0));
                let Self {
                    groups, groups_len, ..
                } = self;
                draws.source.push(groups, groups_len, &stay, &nodes);
            }
        }
        self.next[kept..kept + CHUNK].fill(0);
        kept
    }
}

/// Draws nodes that do not fit.
struct Aside<'a> {
    shape: &'a Shape,
    planes: &'a Planes,
    four: u64,
}

impl Aside<'_> {
    /// Sets the nodes of a level aside that have more disks than `most`.
    #[inline(always)]
    fn set(&mut self, work: &mut Work, level: u32, most: u64) {
        for pair in 0..1 << (level - 1) {
            for lane in 0..8 {
                let disks = work.nodes[pair].0[lane];
                if disks > most {
                    work.nodes[pair].0[lane] = 0;
                    self.draw(work, level, (pair, lane), disks);
                }
            }
        }
    }

    /// One node, level by level.
    #[cold]
    #[inline(never)]
    fn draw(&self, work: &mut Work, level: u32, (pair, lane): (usize, usize), disks: u64) {
        let id = lane / 2;
        let index = (2 * pair + lane % 2) as u64;
        let cluster = self.four * CLUSTERS as u64 + id as u64;
        // No node needs 2^16 blocks.
        let from = Address::new(MORE_COINS, cluster, u64::from(level) << 32 | index << 16);
        let mut coins = PlaneStream::new(self.planes.clone(), from);
        let mut nodes = vec![disks];
        for _ in level..self.shape.bits {
            let mut next = Vec::with_capacity(2 * nodes.len());
            for disks in nodes.into_iter().filter(|disks| *disks > 1) {
                let (mut upper, mut left) = (0, disks);
                while left > 0 {
                    upper += ones(coins.next_u64(), left);
                    left = left.saturating_sub(64);
                }
                next.extend([upper, disks - upper]);
            }
            nodes = next;
        }
        for disks in nodes.into_iter().filter(|disks| *disks > 1) {
            assert!(
                disks <= DISKS.into(),
                "64 disks and more of one name are never seen"
            );
            work.group((id as u8) << CLUSTER_SHIFT | disks as u8);
        }
    }
}
