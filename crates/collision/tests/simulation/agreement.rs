//! What is simulated agrees with the formulas.

use fixname_collision::agreement::Report;
use fixname_collision::simulate::{Hash, Model, Skew};
use fixname_collision::statistics::two_sided_p;

use crate::{IMAGE, estimate, simulate};

/// Disks at which `2^bits` names collide with chances from a few to nearly all.
fn disks(bits: u16) -> Vec<u64> {
    let root = f64::from(bits).exp2().sqrt();
    [0.2, 0.3, 0.45, 0.6, 0.8, 1.0, 1.2, 1.5, 1.8, 2.2, 2.6]
        .map(|factor| (factor * root).round().max(2.0) as u64)
        .into()
}

#[test]
fn simulated_equals_exact_for_hundreds_of_models() {
    let mut models = Vec::new();
    for bits in [4, 6, 8, 10, 12, 14, 16, 17, 18, 20, 22, 24] {
        for disks in disks(bits) {
            models.push((Model::Uniform { bits, disks }, 4000));
        }
    }
    for disks in [30, 100, 200, 300, 302, 303, 400, 500, 700, 1000] {
        models.push((Model::Uniform { bits: 16, disks }, 60_000));
        for share in [0.0, 0.001, 0.01] {
            let skew = Skew::Cloned { share };
            models.push((
                Model::Skewed {
                    bits: 16,
                    disks,
                    skew,
                },
                4000,
            ));
            let skew = Skew::Spike { share };
            models.push((
                Model::Skewed {
                    bits: 16,
                    disks,
                    skew,
                },
                4000,
            ));
        }
        let guarded = |unguarded, guarded, at_once, block| Model::Guarded {
            unguarded,
            guarded,
            at_once,
            block,
        };
        models.push((guarded(disks, 100, 1, 0), 4000));
        models.push((guarded(0, disks, disks, 0), 4000));
        models.push((guarded(10, disks, 50, 20), 4000));
    }
    for (digits, disks) in [(2, 10), (3, 40), (4, 150), (4, 302), (5, 1000), (6, 3000)] {
        for hash in [Hash::Sha224, Hash::Sha256] {
            let image = IMAGE.to_owned();
            models.push((
                Model::Names {
                    hash,
                    digits,
                    image,
                    disks,
                },
                2000,
            ));
        }
    }
    const DAY: u64 = 86_400_000;
    for (disks, days) in [
        (2, 10),
        (2, 60),
        (2, 400),
        (5, 1000),
        (20, 20_000),
        (100, 1_000_000),
    ] {
        let within_ms = (days * DAY).min(100 * 366 * DAY);
        let skew = Skew::V7 { within_ms };
        models.push((
            Model::Skewed {
                bits: 16,
                disks,
                skew,
            },
            4000,
        ));
    }
    for (disks, within_ms) in [(2, 5), (5, 100), (20, 5000), (50, 60_000), (302, 1_000_000)] {
        let skew = Skew::V1 { within_ms };
        models.push((
            Model::Skewed {
                bits: 16,
                disks,
                skew,
            },
            4000,
        ));
    }
    assert!(models.len() >= 200, "{}", models.len());
    let mut squares = 0.0;
    let mut scores = 0;
    for (model, clusters) in &models {
        let found = estimate(model, *clusters);
        let exact = found.exact.unwrap().value;
        let Some(z) = found.z else {
            assert_eq!(found.value, exact, "{model:?}: certain");
            continue;
        };
        // One in a million for each.
        assert!(
            two_sided_p(z) > 1e-6,
            "{model:?}: {} and not {exact}, z = {z}",
            found.value
        );
        squares += z * z;
        scores += 1;
    }
    // All together: the sum of so many squares is normal enough.
    let z = (squares - f64::from(scores)) / (2.0 * f64::from(scores)).sqrt();
    assert!(
        scores >= 200 && z.abs() < 4.5,
        "{scores} scores, sum of squares {squares}"
    );
}

#[test]
fn the_guard_with_a_stale_view_is_no_better_than_none() {
    let at_once = |at_once| Model::Guarded {
        unguarded: 0,
        guarded: 302,
        at_once,
        block: 0,
    };
    let stale = estimate(&at_once(302), 100_000);
    assert!((stale.value - 0.500_722).abs() < 0.005, "{}", stale.value);
    assert!((stale.exact.unwrap().value - 0.500_722_489).abs() < 1e-9);
    // One after another it never fails, and the report does not claim p = 0.
    let part = simulate(&at_once(1), 10_000);
    let fresh = Report::of(&part).collision.unwrap();
    assert_eq!(fresh.hits, 0);
    assert!(part.counts().redraws > 0 && part.counts().exhausted == 0);
    assert!((fresh.upper95.unwrap() - 3e-4).abs() < 1e-5);
    // Expected redraws: the sum of (i/m) + (i/m)^2 + ... over the joins.
    let want = fixname_collision::exact::guard::expected_redraws(
        fixname_collision::Classes::PREFIX,
        302,
        20,
    )
    .unwrap();
    let got = part.counts().redraws as f64 / 10_000.0;
    assert!(
        (got - want).abs() < 5.0 * (want / 10_000.0).sqrt(),
        "{got} {want}"
    );
}

#[test]
fn the_guard_runs_out_of_draws_when_few_prefixes_are_left() {
    let model = Model::Guarded {
        unguarded: 0,
        guarded: 65_000,
        at_once: 1,
        block: 0,
    };
    let counts = simulate(&model, 4).counts().clone();
    assert_eq!(counts.pairs, 0);
    assert!(counts.exhausted > 100, "{}", counts.exhausted);
}

fn curve_fits(clusters: u64) {
    let part = simulate(&Model::FirstCollision { bits: 16 }, clusters);
    let curve = Report::of(&part).curve.unwrap();
    let test = curve.test.unwrap();
    println!("{test:?}");
    assert!(test.bins > 400 && test.p_value > 1e-4, "{test:?}");
    let half = curve
        .points
        .iter()
        .find(|point| point.disks == 302)
        .unwrap();
    assert!(two_sided_p(half.estimate.z.unwrap()) > 1e-6);
    let total: u64 = part.counts().first.values().sum();
    assert_eq!(total, clusters);
}

/// As many clusters as show an error of 0.01 %: some seconds.
#[test]
fn the_whole_curve_of_twenty_million_clusters_fits() {
    curve_fits(20_000_000);
}

#[test]
fn pairs_and_groups_have_the_expected_numbers() {
    for (bits, disks, clusters) in [(16, 1000, 20_000), (12, 500, 5000), (24, 20_000, 100)] {
        let part = simulate(&Model::Uniform { bits, disks }, clusters);
        let pairs = Report::of(&part).pairs.unwrap();
        assert!(two_sided_p(pairs.z.unwrap()) > 1e-5, "{pairs:?}");
        let classes = fixname_collision::Classes::new(bits).unwrap();
        let birthday = fixname_collision::Birthday::new(classes, disks.into());
        for size in 2..6_u64 {
            let want = birthday.expected_groups_of(size.into()) * clusters as f64;
            let got = part.counts().groups.get(&size).copied().unwrap_or(0) as f64;
            assert!(
                (got - want).abs() < 6.0 * want.sqrt() + 3.0,
                "{size}: {got} {want}"
            );
        }
    }
}

/// A population drawn in key order has as many pairs and groups as formulas
/// say, at every density.
#[test]
fn large_populations_have_the_expected_pairs() {
    for (bits, disks, clusters) in [
        (16, 3_000_000, 2),
        (24, 3_000_000, 3),
        (32, 20_000_000, 1),
        (40, 20_000_000, 2),
        (44, 40_000_000, 2),
    ] {
        let part = simulate(&Model::Uniform { bits, disks }, clusters);
        let pairs = Report::of(&part).pairs.unwrap();
        assert!(
            two_sided_p(pairs.z.unwrap()) > 1e-5,
            "{bits} {disks}: {pairs:?}"
        );
        let held: u128 = part
            .counts()
            .groups
            .iter()
            .map(|(&s, &c)| u128::from(s) * u128::from(c))
            .sum();
        assert!(held <= u128::from(disks * clusters));
        if bits == 16 {
            assert_eq!(
                held,
                u128::from(disks * clusters),
                "every prefix is held by many"
            );
        }
    }
    // As many bits as a UUID has: nothing is found, and nothing panics.
    let none = simulate(
        &Model::Uniform {
            bits: 122,
            disks: 2_000_000,
        },
        1,
    );
    assert_eq!(none.counts().pairs, 0);
}

#[test]
fn forced_pairs_estimate_what_cannot_be_met() {
    for (bits, disks, samples) in [
        (16, 302, 4000),
        (16, 10, 4000),
        (20, 302, 4000),
        (64, 302, 2000),
        (122, 302, 2000),
        (224, 302, 500),
        (256, 2, 500),
    ] {
        let found = estimate(&Model::ForcedPair { bits, disks }, samples);
        let exact = found.exact.unwrap().value;
        assert!(
            (found.value / exact - 1.0).abs() < 0.03,
            "{bits}: {} {exact}",
            found.value
        );
        assert!(
            found.ci95.low <= exact && exact <= found.ci95.high * (1.0 + 1e-12),
            "{bits}: {found:?}"
        );
        if let Some(z) = found.z {
            assert!(two_sided_p(z) > 1e-5);
        }
        assert!(
            found.ci95.high > found.ci95.low,
            "the interval is never a point"
        );
    }
}

#[test]
fn real_hashes_agree_in_leading_bits_as_uniform_ones_do() {
    let model = Model::Ladder {
        hash: Hash::Sha224,
        image: IMAGE.to_owned(),
        disks: 1_000_000,
    };
    let report = Report::of(&simulate(&model, 2));
    assert_eq!(report.rungs.len(), 9);
    assert!(report.rungs[0].pairs > 50_000, "{:?}", report.rungs[0]);
    for rung in report.rungs {
        assert!(rung.p_value > 1e-5, "{rung:?}");
    }
}
