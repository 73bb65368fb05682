//! Names that are the first bits of a UUID: all disks of a cluster are drawn,
//! in the order in which they join or, if there are some dozens and no more
//! names than a prefix has, in the order of their names. Which way it is depends
//! on the model alone, never on the machine.

use std::ops::Range;

use fixname_planes::{MOST_BITS, Occupancy, Planes, Prefixes, Shared};

use super::counts::{Counts, pairs_in};
use super::disk::{AT_ONCE, Disks, long_key};
use super::groups::{Groups, LongKey, Lookup};

/// Larger clusters are drawn in the order of their keys (`tree`).
pub(super) const MOST_DISKS: u64 = 1 << 20;

/// Buffers that are used again and again.
#[derive(Debug, Default)]
pub(super) struct Uniform {
    prefixes: Prefixes,
    occupancy: Option<((u16, u64), Occupancy)>,
    disks: Disks,
    groups: Groups,
    keys: Vec<u64>,
    sorted: Vec<u16>,
}

impl Uniform {
    pub(super) fn count(
        &mut self,
        planes: &Planes,
        clusters: Range<u64>,
        bits: u16,
        disks: u64,
        counts: &mut Counts,
    ) {
        if self.by_name(planes, &clusters, (bits, disks), counts) {
        } else if u32::from(bits) <= MOST_BITS {
            self.prefixes(planes, clusters, bits, disks, counts);
        } else {
            for cluster in clusters {
                self.wide(planes, cluster, bits, disks, None);
                counts.enter(&self.groups.sizes);
            }
        }
    }

    /// In the order of the names, if that way is for such clusters.
    fn by_name(
        &mut self,
        planes: &Planes,
        clusters: &Range<u64>,
        (bits, disks): (u16, u64),
        counts: &mut Counts,
    ) -> bool {
        if self
            .occupancy
            .as_ref()
            .is_none_or(|(of, _)| *of != (bits, disks))
        {
            let Some(kernel) = Occupancy::new(disks, bits.into()) else {
                return false;
            };
            self.occupancy = Some(((bits, disks), kernel));
        }
        let Some((_, kernel)) = &mut self.occupancy else {
            return false;
        };
        let (mut collided, mut twos, mut squared_pairs) = (0, 0, 0);
        kernel.count(planes, clusters.clone(), &mut |_, shared: Shared<'_>| {
            let larger: Vec<u64> = shared.larger.iter().map(|size| (*size).into()).collect();
            let pairs = u128::from(shared.twos) + counts.enter_groups(&larger);
            collided += u64::from(pairs > 0);
            twos += u64::from(shared.twos);
            squared_pairs += pairs * pairs;
        });
        counts.clusters += clusters.end - clusters.start;
        counts.collided += collided;
        counts.squared_pairs += squared_pairs;
        counts.pairs += u128::from(twos) * pairs_in(2);
        if twos > 0 {
            *counts.groups.entry(2).or_default() += twos;
        }
        true
    }

    fn prefixes(
        &mut self,
        planes: &Planes,
        clusters: Range<u64>,
        bits: u16,
        disks: u64,
        counts: &mut Counts,
    ) {
        let (sorted, sizes) = (&mut self.sorted, &mut self.groups.sizes);
        let mut each = |_: u64, repeats: &[u16]| {
            sizes.clear();
            if repeats.len() > 1 {
                sorted.clear();
                sorted.extend_from_slice(repeats);
                sorted.sort_unstable();
                // The first disk of a group is no repeat.
                sizes.extend(
                    sorted
                        .chunk_by(|a, b| a == b)
                        .map(|run| run.len() as u64 + 1),
                );
            } else if !repeats.is_empty() {
                sizes.push(2);
            }
            counts.enter(sizes);
        };
        let disks = usize::try_from(disks).expect("at most 2^20 disks");
        self.prefixes
            .repeats(planes, clusters, disks, bits.into(), &mut each);
    }

    /// The groups of one cluster; `equal` is a pair of disks that has one name.
    pub(super) fn wide(
        &mut self,
        planes: &Planes,
        cluster: u64,
        bits: u16,
        disks: u64,
        equal: Option<(u64, u64)>,
    ) -> &[u64] {
        let count = usize::try_from(disks).expect("few enough to be held");
        self.keys.resize(count, 0);
        let mut first = 0;
        for keys in self.keys.chunks_mut(AT_ONCE) {
            self.disks.draw(planes, cluster, first, bits);
            self.disks.keys(bits, keys);
            first += AT_ONCE as u64;
        }
        if let Some((from, to)) = equal {
            self.keys[to as usize] = self.keys[from as usize];
        }
        let whole = |wanted: &[u64]| long_keys(planes, cluster, bits, disks, equal, wanted);
        let whole: Option<&Lookup<'_>> = if bits > 64 { Some(&whole) } else { None };
        self.groups
            .find(planes, &mut self.keys, bits.min(64).into(), whole);
        &self.groups.sizes
    }

    pub(super) fn first_collisions(
        &mut self,
        planes: &Planes,
        clusters: Range<u64>,
        bits: u16,
        counts: &mut Counts,
    ) {
        let mut histogram = vec![0; (1 << bits) + 2];
        counts.clusters += clusters.end - clusters.start;
        self.prefixes
            .first_repeats(planes, clusters, bits.into(), &mut histogram);
        for (at, count) in (0..).zip(histogram).filter(|(_, count)| *count > 0) {
            *counts.first.entry(at).or_default() += count;
        }
    }
}

/// The whole keys of all disks whose first word is one of those wanted.
fn long_keys(
    planes: &Planes,
    cluster: u64,
    bits: u16,
    disks: u64,
    equal: Option<(u64, u64)>,
    wanted: &[u64],
) -> Vec<LongKey> {
    let mut drawn = Disks::default();
    let mut found = Vec::new();
    let mut forced = None;
    for disk in 0..disks {
        if disk % AT_ONCE as u64 == 0 {
            drawn.draw(planes, cluster, disk, bits);
        }
        let key = long_key(&drawn, planes, cluster, disk, bits);
        if equal.is_some_and(|(_, to)| to == disk) {
            continue;
        }
        if equal.is_some_and(|(from, _)| from == disk) {
            forced = Some(key);
        }
        found.push(key);
    }
    // The disk that is made equal has the other one's key, which may come later.
    found.extend(forced);
    found.retain(|key| wanted.binary_search(&key[0]).is_ok());
    found
}
