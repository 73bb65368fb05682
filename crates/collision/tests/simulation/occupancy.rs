//! Clusters drawn in the order of their names: as many names differ, and as
//! many disks share one, as the formulas say.

use std::collections::BTreeMap;

use fixname_collision::statistics::{ChiSquaredTest, chi_squared, poisson_p, two_sided_p};
use fixname_collision::{Birthday, Classes};
use fixname_planes::{Engine, Occupancy, Planes};

use crate::SEED;

/// Clusters by how many more disks than names they have, and groups by size.
#[derive(Default)]
struct Found {
    excess: BTreeMap<u32, u64>,
    sizes: BTreeMap<u32, u64>,
}

fn draw(bits: u16, disks: u64, clusters: u64) -> Found {
    let planes = Planes::new(SEED, Engine::Auto).unwrap();
    let mut found = Found::default();
    let mut kernel = Occupancy::new(disks, bits.into()).unwrap();
    kernel.count(&planes, 0..clusters, &mut |_, shared| {
        *found.excess.entry(shared.excess()).or_default() += 1;
        *found.sizes.entry(2).or_default() += u64::from(shared.twos);
        for size in shared.larger {
            *found.sizes.entry((*size).into()).or_default() += 1;
        }
    });
    found
}

fn excess_fits(birthday: Birthday, found: &Found, clusters: u64) -> ChiSquaredTest {
    let most = found.excess.keys().next_back().unwrap();
    let counts = (0..=*most).map(|excess| {
        let expected = birthday.p_excess(excess.into()).unwrap().value * clusters as f64;
        (found.excess.get(&excess).copied().unwrap_or(0), expected)
    });
    chi_squared(counts, 20.0).unwrap()
}

/// Each kind of step, and each number of levels of it, is in one of these.
#[test]
fn as_many_names_differ_as_the_distribution_says() {
    let mut p_values = Vec::new();
    for (bits, disks, clusters) in [
        (16, 33, 1_000_000),
        (16, 64, 400_000),
        (16, 150, 400_000),
        (16, 302, 400_000),
        (16, 512, 100_000),
        (16, 513, 100_000),
        (16, 777, 100_000),
        (16, 1000, 200_000),
        (16, 1024, 100_000),
        (16, 4096, 20_000),
        (14, 1000, 40_000),
        (12, 302, 40_000),
        (12, 1500, 20_000),
        (10, 1000, 20_000),
        (9, 200, 40_000),
        (8, 64, 40_000),
    ] {
        let birthday = Birthday::new(Classes::new(bits).unwrap(), disks.into());
        let found = draw(bits, disks, clusters);
        let test = excess_fits(birthday, &found, clusters);
        println!("{disks} disks, {bits} bits: {test:?}");
        assert!(test.p_value > 1e-5, "{disks} disks, {bits} bits: {test:?}");
        p_values.push(test.p_value);
        // Groups are as good as independent where few disks share a name.
        for size in 2..=5_u32 {
            let want = birthday.expected_groups_of(size.into()) * clusters as f64;
            let got = found.sizes.get(&size).copied().unwrap_or(0);
            if disks * disks < 16 << bits && want < 1e5 {
                let p = poisson_p(got, want);
                assert!(
                    p > 1e-6,
                    "{disks} disks, {bits} bits: {got} groups of {size}, {want}"
                );
            } else {
                // Never more than a Poisson number's deviation.
                let z = (got as f64 - want) / want.sqrt().max(1.0);
                assert!(
                    z.abs() < 5.0,
                    "{disks} disks, {bits} bits: {got} groups of {size}, {want}"
                );
            }
        }
    }
    // The tests together: no more and no fewer small values than chance gives.
    let z: f64 =
        p_values.iter().map(|p| p - 0.5).sum::<f64>() / (p_values.len() as f64 / 12.0).sqrt();
    assert!(two_sided_p(z) > 1e-4, "{p_values:?}");
}

/// A cluster's names are its own: neighbours that are drawn side by side have
/// as many collisions in common as chance gives.
#[test]
fn clusters_side_by_side_are_independent() {
    const CLUSTERS: u64 = 400_000;
    let planes = Planes::new(SEED, Engine::Auto).unwrap();
    let mut collided = Vec::new();
    let mut kernel = Occupancy::new(302, 16).unwrap();
    kernel.count(&planes, 0..CLUSTERS, &mut |_, shared| {
        collided.push(shared.excess() > 0);
    });
    for apart in 1..=4 {
        let both = collided.iter().zip(&collided[apart..]);
        let equal = both.filter(|(a, b)| a == b).count() as f64;
        let trials = (collided.len() - apart) as f64;
        // Half of the clusters collide, within a thousandth.
        let z = (equal - trials / 2.0) / (trials / 4.0).sqrt();
        assert!(two_sided_p(z) > 1e-5, "{apart} apart: {equal} of {trials}");
    }
}

/// Any range of clusters is what the whole has there.
#[test]
fn a_range_may_begin_and_end_anywhere() {
    let planes = Planes::new(SEED, Engine::Auto).unwrap();
    let mut kernel = Occupancy::new(1000, 16).unwrap();
    let mut range = |clusters| {
        let mut all = Vec::new();
        kernel.count(&planes, clusters, &mut |cluster, shared| {
            all.push((cluster, shared.twos, shared.larger.to_vec()));
        });
        all
    };
    let all = range(0..60);
    for (from, to) in [(0, 1), (1, 2), (3, 5), (2, 19), (16, 32), (7, 7), (59, 60)] {
        assert_eq!(
            range(from..to),
            all[from as usize..to as usize],
            "{from} to {to}"
        );
    }
}
