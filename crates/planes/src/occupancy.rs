//! How many disks have each name, drawn in the order of the names.
//!
//! A table of names takes an update for each disk. Here nothing is done disk by
//! disk: of the disks of a node (at first all of them, and all names) each has a
//! name in the upper half of it by a fair coin, so the ones among as many random
//! bits are how many do. Halves are split again until a name is left. Nodes of
//! one level are lanes of a vector, four clusters side by side; `simd` has the
//! same steps for AVX-512, and this file is what they must agree with, bit for
//! bit.
//!
//! A step draws 512 coins, and there are three kinds of steps:
//!
//! 1. *words*: two nodes of each cluster have some words of 64 coins each, enough
//!    for four standard deviations and more, down to nodes of 16 disks on the
//!    average;
//! 2. *strings*: four nodes of each cluster have 31 coins each, or twice that
//!    where one of the sixteen needs it. For three levels their halves divide
//!    the coins among them: each has those from where the one before ends;
//! 3. *bytes*: 64 nodes that have two disks or more, in a list with those of the
//!    other three clusters, have 8 coins each, or as often 8 as one of them
//!    needs. Two disks and up to 8 levels to go need no more than that: the
//!    coins say at which levels the two part.
//!
//! A node that does not fit into its words or strings is set aside: it is drawn
//! by itself with coins of another plane, and stands there with no disks.
//!
//! Which disk has which name is not known, nor in which order they joined.

mod steps;

use std::ops::Range;

use crate::loops::{Aligned, MOST_BITS};
use crate::plane::{Planes, Source};
use crate::simd;

/// Where the coins come from; a cluster's are those of its group of four.
pub(crate) const COINS: u8 = 32;
/// Clusters side by side.
pub(crate) const CLUSTERS: usize = 4;
/// Groups of four whose lists are split in turn: what one waits for, another
/// does not.
pub(crate) const FOURS: usize = 4;
/// A node of strings has so many disks on the average, at most.
const MEAN: u32 = 16;
/// Coins of a string: the masks for 0 to 31 of them fill two vectors.
pub(crate) const STRING: u32 = 31;
/// Levels that are split by strings.
pub(crate) const STRING_LEVELS: u32 = 3;
/// The lanes of a vector that are bytes.
pub(crate) const CHUNK: usize = 64;
/// In a list the upper bits say which cluster it is.
pub(crate) const CLUSTER_SHIFT: u32 = 6;
/// The others are the number of disks.
pub(crate) const DISKS: u8 = (1 << CLUSTER_SHIFT) - 1;
/// Below, there is no level of strings; above, nothing was tried.
const NUMBERS: Range<u64> = 33..4097;

/// A line of a vector of 512 bits, on its border.
pub(crate) type Line<T> = Aligned<T>;

/// The disks that share names, of one cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shared<'a> {
    /// Groups of two disks.
    pub twos: u32,
    /// The sizes of larger groups.
    pub larger: &'a [u8],
}

impl Shared<'_> {
    /// By how much the different names are fewer than the disks.
    #[must_use]
    pub fn excess(&self) -> u32 {
        let more = self.larger.iter().map(|size| u32::from(*size) - 1);
        self.twos + more.sum::<u32>()
    }
}

/// Draws clusters of one size in the order of their names.
#[derive(Clone, Debug)]
pub struct Occupancy {
    pub(crate) shape: Shape,
    work: [Work; FOURS],
    larger: Vec<u8>,
}

/// How many steps there are; a function of the number of disks and bits.
#[derive(Clone, Debug)]
pub(crate) struct Shape {
    pub(crate) disks: u32,
    pub(crate) bits: u32,
    /// Words of a node, by level; at the first there is one node, which has all
    /// the words that it needs.
    pub(crate) words: Vec<u32>,
}

impl Shape {
    fn new(disks: u64, bits: u32) -> Option<Self> {
        if !NUMBERS.contains(&disks) || bits > MOST_BITS || disks > 1 << bits {
            return None;
        }
        let disks = disks as u32;
        let levels = disks.div_ceil(MEAN).next_power_of_two().ilog2();
        let words = (0..levels).map(|level| {
            let mean = disks.div_ceil(1 << level);
            let deviation = (mean - (mean >> level)).isqrt();
            (mean + deviation * 9 / 2).div_ceil(64)
        });
        let words = words.collect();
        let shape = Self { disks, bits, words };
        (shape.bytes_level() < bits).then_some(shape)
    }

    /// Levels that are split by words.
    pub(crate) fn levels(&self) -> u32 {
        self.words.len() as u32
    }

    /// The level at which the bytes begin.
    pub(crate) fn bytes_level(&self) -> u32 {
        self.levels() + STRING_LEVELS
    }
}

/// Buffers.
#[derive(Clone, Debug)]
pub(crate) struct Work {
    /// Two nodes of each cluster in a line.
    pub(crate) nodes: Vec<Line<[u64; 8]>>,
    pub(crate) halves: Vec<Line<[u64; 8]>>,
    /// Nodes with two disks or more. Behind the last there is a chunk of those
    /// that have none, and room for one more.
    pub(crate) list: Vec<u8>,
    pub(crate) next: Vec<u8>,
    /// Groups, as in a list.
    pub(crate) groups: Vec<u8>,
    pub(crate) groups_len: usize,
}

impl Occupancy {
    /// For clusters of `disks` whose names have `bits` random bits. `None`
    /// where the way by tables is the better one: fewer than 33 disks or more
    /// than 4,096, more disks than names, or more than 16 bits.
    #[must_use]
    pub fn new(disks: u64, bits: u32) -> Option<Self> {
        let shape = Shape::new(disks, bits)?;
        let lines = vec![Aligned([0; 8]); 1 << (shape.levels() - 1)];
        // At most half of the disks of four clusters are nodes of a list.
        let list = vec![0; CLUSTERS / 2 * shape.disks as usize + 2 * CHUNK];
        let work = Work {
            nodes: lines.clone(),
            halves: lines,
            list: list.clone(),
            next: list.clone(),
            groups: list,
            groups_len: 0,
        };
        Some(Self {
            shape,
            work: [work.clone(), work.clone(), work.clone(), work],
            larger: Vec::new(),
        })
    }

    /// Calls `each` with every cluster in turn, and the disks of it that share
    /// names.
    ///
    /// # Panics
    /// When a cluster's number has more than 56 bits.
    pub fn count(
        &mut self,
        planes: &Planes,
        clusters: Range<u64>,
        each: &mut dyn FnMut(u64, Shared<'_>),
    ) {
        match planes.vector() {
            Some(vector) => simd::occupancy(vector, self, planes, clusters, each),
            None => occupancy(planes.portable(), self, planes, clusters, each),
        }
    }
}

/// The portable path.
#[inline(always)]
pub(crate) fn occupancy<S: Source>(
    source: &S,
    kernel: &mut Occupancy,
    planes: &Planes,
    clusters: Range<u64>,
    each: &mut dyn FnMut(u64, Shared<'_>),
) {
    kernel.by_fours(clusters, each, |shape, work, fours| {
        for (work, four) in work.iter_mut().zip(fours) {
            work.four(shape, source, planes, four);
        }
    });
}

impl Occupancy {
    /// Has `draw` draw groups of four, up to `FOURS` at a time, and tells of the
    /// clusters wanted.
    #[inline(always)]
    pub(crate) fn by_fours(
        &mut self,
        clusters: Range<u64>,
        each: &mut dyn FnMut(u64, Shared<'_>),
        mut draw: impl FnMut(&Shape, &mut [Work; FOURS], Range<u64>),
    ) {
        const CLUSTERS_64: u64 = CLUSTERS as u64;
        let Self {
            shape,
            work,
            larger,
        } = self;
        let mut fours = clusters.start / CLUSTERS_64..clusters.end.div_ceil(CLUSTERS_64);
        while !fours.is_empty() {
            let now = fours.start..fours.end.min(fours.start + FOURS as u64);
            fours.start = now.end;
            draw(shape, work, now.clone());
            for (four, work) in now.zip(work.iter()) {
                let twos = work.twos();
                let all_twos = twos.iter().sum::<u32>() as usize == work.groups_len;
                let numbers = four * CLUSTERS_64..;
                for (cluster, (id, &twos)) in numbers.zip((0..).zip(&twos)) {
                    larger.clear();
                    if !all_twos {
                        work.larger(id, larger);
                    }
                    if clusters.contains(&cluster) {
                        each(cluster, Shared { twos, larger });
                    }
                }
            }
        }
    }
}

impl Work {
    /// Groups of two, by cluster.
    #[inline(always)]
    fn twos(&self) -> [u32; CLUSTERS] {
        let (chunks, _) = self.groups.as_chunks::<CHUNK>();
        let mut twos = [0; CLUSTERS];
        for chunk in &chunks[..self.groups_len.div_ceil(CHUNK)] {
            for (twos, id) in twos.iter_mut().zip(0..) {
                let two = id << CLUSTER_SHIFT | 2;
                let found = chunk.iter().map(|group| u8::from(*group == two));
                *twos += u32::from(found.sum::<u8>());
            }
        }
        twos
    }

    /// Adds the larger groups of a cluster.
    #[cold]
    fn larger(&self, id: u8, larger: &mut Vec<u8>) {
        let groups = self.groups[..self.groups_len].iter();
        let own = groups.filter(|group| **group >> CLUSTER_SHIFT == id);
        larger.extend(own.map(|group| group & DISKS).filter(|size| *size > 2));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plane::Engine;

    const CLUSTERS: u64 = if cfg!(miri) { 4 } else { 1500 };

    type Found = Vec<(u64, u32, Vec<u8>)>;

    fn counted(engine: Engine, kernel: &Occupancy) -> Option<Found> {
        let planes = Planes::new(42, engine).ok()?;
        let mut all = Vec::new();
        kernel
            .clone()
            .count(&planes, 5..5 + CLUSTERS, &mut |cluster, shared| {
                all.push((cluster, shared.twos, shared.larger.to_vec()));
            });
        Some(all)
    }

    fn every_path(kernel: &Occupancy, what: &str) -> Found {
        let want = counted(Engine::Portable, kernel).unwrap();
        assert_eq!(want.len() as u64, CLUSTERS);
        for engine in [Engine::Vector, Engine::Wide] {
            if let Some(got) = counted(engine, kernel) {
                for (want, got) in want.iter().zip(&got) {
                    assert_eq!(want, got, "{what} by {engine:?}");
                }
                assert_eq!(want.len(), got.len());
            }
        }
        want
    }

    #[test]
    fn every_path_draws_the_same_groups() {
        for (disks, bits) in [
            (33, 16),
            (64, 8),
            (129, 16),
            (302, 16),
            (302, 9),
            (777, 13),
            (1000, 16),
            (1024, 10),
            (1025, 16),
            (4096, 12),
            (4096, 16),
        ] {
            if !cfg!(miri) || disks < 70 {
                let kernel = Occupancy::new(disks, bits).unwrap();
                every_path(&kernel, &format!("{disks} disks, {bits} bits"));
            }
        }
    }

    /// Words and strings so short that nodes are set aside in every cluster.
    #[test]
    fn what_does_not_fit_is_drawn_all_the_same() {
        let shapes: [(u64, &[u32]); 4] = [
            (1000, &[16, 8, 5, 3, 2, 1]),
            (1000, &[16, 9, 5, 3, 1, 1]),
            // Strings of twice the mean, and of four times.
            (1000, &[16, 9, 5, 3, 2]),
            (1000, &[16, 9, 5, 3]),
        ];
        let shapes = if cfg!(miri) {
            vec![(40, [1].repeat(2))]
        } else {
            shapes
                .map(|(disks, words)| (disks, words.to_vec()))
                .to_vec()
        };
        for (disks, words) in shapes {
            let mut kernel = Occupancy::new(disks, 12).unwrap();
            kernel.shape.words = words;
            let what = format!("{:?}", kernel.shape);
            let found = every_path(&kernel, &what);
            let excess = |(_, twos, larger): &(u64, u32, Vec<u8>)| {
                let twos = *twos;
                f64::from(Shared { twos, larger }.excess())
            };
            let mean = found.iter().map(excess).sum::<f64>() / found.len() as f64;
            let (n, m) = (disks as f64, 4096.0_f64);
            let want = n - m * (1.0 - (1.0 - 1.0 / m).powf(n));
            // A cluster's deviation is below the root of the mean.
            let deviation = (want / found.len() as f64).sqrt();
            assert!(
                (mean - want).abs() < 5.0 * deviation,
                "{what}: {mean} {want}"
            );
        }
    }

    #[test]
    fn numbers_for_which_tables_are_better_are_left_to_them() {
        for (disks, bits) in [(0, 16), (32, 16), (4097, 16), (100, 17), (65, 6), (200, 7)] {
            assert!(Occupancy::new(disks, bits).is_none(), "{disks}, {bits}");
        }
    }
}
