//! The forced-pair estimator (Karp and Luby's union of events): what is too
//! rare to be seen is made to happen, and counted less.
//!
//! A pair of disks, chosen uniformly, gets one name; the other disks are drawn.
//! A population with `N` equal pairs comes up in `N` ways, so it counts `1/N`:
//! the probability is the expected number of pairs times the mean of `1/N`.

use fixname_planes::Planes;
use rand_core::Rng;

use super::counts::{Counts, pairs_in};
use super::uniform::Uniform;

/// Which disks are the pair.
const PAIR_PLANE: u8 = 16;

pub(super) fn count(
    kernel: &mut Uniform,
    planes: &Planes,
    cluster: u64,
    bits: u16,
    disks: u64,
    counts: &mut Counts,
) {
    let mut stream = planes.stream(PAIR_PLANE, cluster);
    let from = below(&mut stream, disks);
    let other = below(&mut stream, disks - 1);
    let to = other + u64::from(other >= from);
    let groups = kernel.wide(planes, cluster, bits, disks, Some((from, to)));
    let pairs: u128 = groups.iter().map(|size| pairs_in(*size)).sum();
    let pairs = u64::try_from(pairs).expect("fewer than 2^48 pairs of 2^24 disks");
    counts.clusters += 1;
    *counts.forced.entry(pairs).or_default() += 1;
}

/// A uniform number below `bound`, without bias (Lemire's way).
pub(super) fn below(stream: &mut impl Rng, bound: u64) -> u64 {
    loop {
        let product = u128::from(stream.next_u64()) * u128::from(bound);
        let low = product as u64;
        if low >= bound || low >= bound.wrapping_neg() % bound {
            return (product >> 64) as u64;
        }
    }
}
