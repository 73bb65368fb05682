//! Populations that fit in no memory, drawn in the order of their keys.
//!
//! The number of keys in the lower half of the key space is a fair coin for
//! each key; halves are split again, until a bucket is small enough to draw its
//! keys. Buckets do not share keys, so each is counted and forgotten. The order
//! in which disks joined is not there, nor are real hashes.

use fixname_planes::{Block, Planes, heads};

use super::counts::Counts;
use super::groups::{Groups, LongKey, Lookup};

/// A bucket with no more keys is drawn.
const LEAF: u64 = 5000;
/// A unit of work has about so many keys.
const UNIT_KEYS_BITS: u32 = 24;
/// The coins of the splits at depth 0; deeper ones follow.
const SPLIT_PLANE: u8 = 128;
/// The keys of the buckets, 64 bits each.
const LEAF_PLANE: u8 = 64;
/// Their further bits: 128 each, twice.
const MORE_PLANES: [u8; 2] = [65, 66];
/// The deepest split: 2^40 keys are few enough long before.
const DEEPEST: u32 = 56;

/// Into how many subtrees a cluster is cut, as a power of two.
pub(super) fn subtree_bits(bits: u16, disks: u64) -> u32 {
    (disks.max(1).ilog2() + 1)
        .saturating_sub(UNIT_KEYS_BITS)
        .min(bits.into())
}

/// Half, quarter, ... of the key space that a number of keys lies in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Node {
    depth: u32,
    /// Its number among those of its depth.
    index: u64,
    keys: u64,
}

impl Node {
    /// The numbers of its blocks begin here: no two nodes of one depth, and no
    /// two leaves, share a block.
    fn first_block(self) -> u64 {
        match self.depth {
            0 => 0,
            depth => self.index << (64 - depth),
        }
    }

    fn split(self, planes: &Planes, cluster: u64) -> [Self; 2] {
        let plane = SPLIT_PLANE + self.depth as u8;
        let upper = heads(planes, plane, cluster, self.first_block(), self.keys);
        [self.keys - upper, upper].map(|keys| Self {
            depth: self.depth + 1,
            index: self.index << 1,
            keys,
        })
    }

    fn halves(self, planes: &Planes, cluster: u64) -> [Self; 2] {
        let [lower, upper] = self.split(planes, cluster);
        let index = upper.index + 1;
        [lower, Self { index, ..upper }]
    }
}

/// Buffers, and the way to the last subtree: the next one shares most of it.
#[derive(Debug, Default)]
pub(super) struct Tree {
    groups: Groups,
    blocks: Vec<Block>,
    keys: Vec<u64>,
    way: Vec<Node>,
    way_in: Option<(u64, u64, u16)>,
}

impl Tree {
    /// Counts one subtree of a cluster.
    pub(super) fn count(
        &mut self,
        planes: &Planes,
        (bits, disks): (u16, u64),
        cluster: u64,
        subtree: u64,
        counts: &mut Counts,
    ) {
        let root = self.find(planes, (bits, disks), cluster, subtree);
        let mut pairs = 0;
        let mut open = vec![root];
        while let Some(node) = open.pop() {
            if node.keys < 2 {
                continue;
            }
            if node.depth == u32::from(bits) {
                pairs += counts.enter_groups(&[node.keys]);
            } else if node.keys <= LEAF || node.depth == DEEPEST {
                self.leaf(planes, bits, cluster, node);
                pairs += counts.enter_groups(&self.groups.sizes);
            } else {
                open.extend(node.halves(planes, cluster).into_iter().rev());
            }
        }
        counts.clusters += u64::from(subtree == 0);
        if pairs > 0 {
            *counts.pairs_of.entry(cluster).or_default() += pairs;
        }
    }

    /// The subtree's root, with its number of keys.
    fn find(
        &mut self,
        planes: &Planes,
        (bits, disks): (u16, u64),
        cluster: u64,
        subtree: u64,
    ) -> Node {
        if self.way_in != Some((cluster, disks, bits)) {
            self.way_in = Some((cluster, disks, bits));
            self.way.clear();
        }
        let depth = subtree_bits(bits, disks);
        let index_at = |level: u32| subtree.checked_shr(depth - level).unwrap_or(0);
        self.way.retain(|node| node.index == index_at(node.depth));
        if self.way.is_empty() {
            self.way.push(Node {
                depth: 0,
                index: 0,
                keys: disks,
            });
        }
        loop {
            let last = self.way[self.way.len() - 1];
            if last.depth == depth {
                return last;
            }
            let upper = index_at(last.depth + 1) & 1;
            self.way.push(last.halves(planes, cluster)[upper as usize]);
        }
    }

    fn leaf(&mut self, planes: &Planes, bits: u16, cluster: u64, node: Node) {
        let count = usize::try_from(node.keys).expect("a bucket is small");
        let left = u32::from(bits) - node.depth;
        self.blocks.resize(count.div_ceil(2), [0; 16]);
        self.keys.resize(count, 0);
        let first = node.first_block();
        planes.fill(LEAF_PLANE, cluster, first, &mut self.blocks);
        let kept = u64::MAX << 64_u32.saturating_sub(left).min(63);
        let (words, _) = self.blocks.as_flattened().as_chunks::<8>();
        for (key, word) in self.keys.iter_mut().zip(words) {
            *key = u64::from_le_bytes(*word) & kept;
        }
        let blocks = &self.blocks;
        let whole = |wanted: &[u64]| -> Vec<LongKey> {
            let more = left - 64;
            let (words, _) = blocks.as_flattened().as_chunks::<8>();
            let keys = (0..).zip(&words[..count]).filter_map(|(at, word)| {
                let key = u64::from_le_bytes(*word);
                wanted.binary_search(&key).ok()?;
                let [a, b] = MORE_PLANES.map(|plane| {
                    u128::from_be_bytes(planes.block(plane, cluster, first.wrapping_add(at)))
                });
                let a = a & u128::MAX << 128_u32.saturating_sub(more);
                let b = match more.saturating_sub(128) {
                    0 => 0,
                    more => b & u128::MAX << (128 - more),
                };
                Some([key, (a >> 64) as u64, a as u64, (b >> 64) as u64])
            });
            keys.collect()
        };
        let whole: Option<&Lookup<'_>> = if left > 64 { Some(&whole) } else { None };
        self.groups
            .find(planes, &mut self.keys, left.min(64), whole);
    }
}
