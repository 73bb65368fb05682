//! The two engines agree, and dividing the work changes nothing.
//!
//! All seeds are fixed, so a failure is a change and not bad luck. Each test
//! allows what chance does once in many thousand runs.

#![expect(clippy::unwrap_used, reason = "in a test, a panic is the failure")]

use fixname_collision::agreement::{Estimate, Report};
use fixname_collision::simulate::{
    Engine, Hash, MergeError, Model, Options, Part, PartError, Plan, RunError, Shard, Skew, merge,
    run, run_until,
};
use fixname_collision::statistics::two_sided_p;

const SEED: u64 = 20_261_124;
const IMAGE: &str = "longhornio/backing-image-manager:v1.10.2";

fn simulate_with(model: &Model, clusters: u64, options: &Options<'_>) -> Part {
    let plan = Plan::new(model.clone(), clusters, SEED).unwrap();
    run(&plan, 0..plan.units(), options).unwrap()
}

fn simulate(model: &Model, clusters: u64) -> Part {
    let options = Options {
        threads: 2,
        ..Options::default()
    };
    simulate_with(model, clusters, &options)
}

fn estimate(model: &Model, clusters: u64) -> Estimate {
    Report::of(&simulate(model, clusters)).collision.unwrap()
}

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

/// Every kernel, in several units.
fn every_kernel() -> Vec<(Model, u64)> {
    let image = IMAGE.to_owned();
    let uniform = |bits, disks| Model::Uniform { bits, disks };
    let skew = Skew::Spike { share: 0.1 };
    vec![
        (uniform(16, 302), 150_000),
        (uniform(9, 70), 140_000),
        (uniform(40, 4_000), 5_000),
        (uniform(48, 40_000_000), 1),
        (uniform(20, 2_000_000), 3),
        (Model::FirstCollision { bits: 16 }, 150_000),
        (
            Model::Guarded {
                unguarded: 50,
                guarded: 100,
                at_once: 7,
                block: 9,
            },
            40_000,
        ),
        (
            Model::Skewed {
                bits: 16,
                disks: 20,
                skew,
            },
            100_000,
        ),
        (
            Model::Names {
                hash: Hash::Sha224,
                digits: 5,
                image,
                disks: 50_000,
            },
            50,
        ),
        (
            Model::ForcedPair {
                bits: 122,
                disks: 200_000,
            },
            40,
        ),
    ]
}

#[test]
fn threads_shards_their_order_and_the_engine_change_nothing() {
    for (model, clusters) in every_kernel() {
        let plan = Plan::new(model, clusters, SEED).unwrap();
        let units = plan.units();
        assert!(units > 2, "{plan:?}: {units}");
        let whole = run(&plan, 0..units, &Options::default()).unwrap();
        for engine in Engine::ALL {
            let options = Options {
                threads: 2,
                engine,
                ..Options::default()
            };
            let again = match run(&plan, 0..units, &options) {
                Err(RunError::NoVector(_)) => continue,
                again => again.unwrap(),
            };
            assert_eq!(whole.digest(), again.digest(), "{plan:?} by {engine:?}");
            assert_eq!(whole, again);
        }
        for of in [3, 17] {
            let mut parts: Vec<(String, Part)> = (0..of)
                .map(|index| {
                    let shard = Shard::new(index, of).unwrap();
                    let part = run(&plan, plan.shard_units(shard), &Options::default()).unwrap();
                    // Through its file.
                    (shard.to_string(), Part::from_json(&part.to_json()).unwrap())
                })
                .collect();
            parts.reverse();
            parts.swap(0, 1);
            let merged = merge(&parts).unwrap();
            assert_eq!(merged.digest(), whole.digest(), "{plan:?} in {of}");
            assert_eq!(merged, whole);
        }
    }
}

fn shards(of: u64) -> Vec<(String, Part)> {
    let plan = Plan::new(
        Model::Uniform {
            bits: 16,
            disks: 10,
        },
        1_000_000,
        1,
    )
    .unwrap();
    (0..of)
        .map(|index| {
            let shard = Shard::new(index, of).unwrap();
            let part = run(&plan, plan.shard_units(shard), &Options::default()).unwrap();
            (format!("part-{index}.json"), part)
        })
        .collect()
}

#[test]
fn a_missing_part_is_named() {
    let mut parts = shards(4);
    parts.remove(2);
    let error = merge(&parts).unwrap_err();
    let text = error.to_string();
    assert!(
        matches!(
            &error,
            MergeError::Gaps {
                missing: 4,
                all: 16,
                ..
            }
        ),
        "{error:?}"
    );
    assert!(
        text.contains("units 8 to 11") && text.contains("shard 2/4"),
        "{text}"
    );
    assert!(text.contains("clusters 524288 to 786431"), "{text}");
    parts.pop();
    let text = merge(&parts).unwrap_err().to_string();
    assert!(text.contains("shards 2/4 to 3/4"), "{text}");
    assert_eq!(merge(&[]), Err(MergeError::Nothing));
}

#[test]
fn overlapping_parts_and_parts_of_other_runs_are_refused() {
    let mut parts = shards(4);
    let twice = ("copy.json".to_owned(), parts[1].1.clone());
    parts.push(twice);
    let text = merge(&parts).unwrap_err().to_string();
    assert!(
        text.contains("part-1.json") && text.contains("copy.json"),
        "{text}"
    );
    parts.pop();
    let mut mixed = shards(2);
    mixed.extend(parts.clone());
    assert!(matches!(merge(&mixed), Err(MergeError::Overlap(_))));
    let other = |model, clusters, seed| {
        let plan = Plan::new(model, clusters, seed).unwrap();
        let part = run(&plan, 0..1, &Options::default()).unwrap();
        let mut parts = parts.clone();
        parts[0] = ("other.json".to_owned(), part);
        merge(&parts).unwrap_err().to_string()
    };
    let model = |disks| Model::Uniform { bits: 16, disks };
    assert!(other(model(10), 1_000_000, 2).contains("seeds are 2 and 1"));
    assert!(other(model(10), 900_000, 1).contains("900000 and 1000000 clusters"));
    assert!(other(model(11), 1_000_000, 1).contains("models"));
}

#[test]
fn a_changed_file_is_refused_and_no_text_panics() {
    let text = shards(4)[1].1.to_json();
    let part: serde_json::Value = serde_json::from_str(&text).unwrap();
    let changed = |pointer: &str, value: serde_json::Value| {
        let mut part = part.clone();
        *part
            .pointer_mut(pointer)
            .unwrap_or_else(|| panic!("{pointer}")) = value;
        Part::from_json(&part.to_string()).unwrap_err()
    };
    for pointer in [
        "/counts/collided",
        "/counts/pairs",
        "/counts/groups/2",
        "/digest",
    ] {
        let error = changed(pointer, "7".into());
        assert!(
            matches!(error, PartError::Digest { .. }),
            "{pointer}: {error}"
        );
    }
    for (pointer, value) in [
        ("/plan/seed", 5.into()),
        ("/plan/clusters", 1_000_001.into()),
        ("/units/first", 0.into()),
        ("/units/end", 7.into()),
        ("/units/end", 1_000_000.into()),
        ("/units/of", 3.into()),
        ("/plan/model/disks", 11.into()),
        ("/plan/model/bits", 0.into()),
        ("/formatVersion", 2.into()),
        ("/engineVersion", 2.into()),
        ("/kind", "other".into()),
        ("/modelDigest", "00".into()),
        ("/counts/pairs", 7.into()),
        ("/counts/pairs", "+7".into()),
        ("/counts/pairs", "-7".into()),
        ("/counts/groups", serde_json::json!({"02": "7"})),
        (
            "/counts/clusters",
            "99999999999999999999999999999999999999999".into(),
        ),
        ("/counts", serde_json::json!([])),
    ] {
        changed(pointer, value);
    }
    let mut extra = part.clone();
    extra["counts"]["more"] = "1".into();
    assert!(Part::from_json(&extra.to_string()).is_err());
    // Every cut, and every byte exchanged.
    for at in 0..text.len() {
        assert!(Part::from_json(&text[..at.saturating_sub(1)]).is_err());
        let mut bytes = text.clone().into_bytes();
        bytes[at] ^= 1;
        if let Ok(text) = String::from_utf8(bytes)
            && let Ok(part) = Part::from_json(&text)
        {
            // Only white space may differ.
            assert_eq!(part.to_json(), shards(4)[1].1.to_json());
        }
    }
}

#[test]
fn a_run_to_a_margin_stops_at_the_same_place_on_any_number_of_threads() {
    let plan = Plan::new(
        Model::Uniform {
            bits: 16,
            disks: 302,
        },
        100_000_000,
        SEED,
    )
    .unwrap();
    let until = |threads| {
        let options = Options {
            threads,
            ..Options::default()
        };
        run_until(&plan, 0.003, &options).unwrap()
    };
    let one = until(1);
    assert_eq!(one.digest(), until(2).digest());
    assert!(one.plan().clusters < 1_000_000 && one.is_whole());
    // It is the run of that many clusters.
    assert_eq!(one, simulate(&one.plan().model, one.plan().clusters));
    let interval = Report::of(&one).collision.unwrap().time_uniform95.unwrap();
    assert!(interval.contains(0.500_722) && interval.high - interval.low <= 0.006);
    let curve = Plan::new(Model::FirstCollision { bits: 16 }, 1, 1).unwrap();
    assert!(run_until(&curve, 0.1, &Options::default()).is_err());
    assert!(run_until(&plan, f64::NAN, &Options::default()).is_err());
}

#[test]
fn no_disk_and_one_disk_never_collide_and_too_many_always_do() {
    for (bits, disks, p) in [
        (16, 0, 0.0),
        (16, 1, 0.0),
        (40, 0, 0.0),
        (40, 1, 0.0),
        (4, 17, 1.0),
        (1, 3, 1.0),
    ] {
        let found = estimate(&Model::Uniform { bits, disks }, 100);
        assert_eq!((found.value, found.exact.unwrap().value), (p, p));
        assert!(found.ci95.contains(p));
    }
    let part = simulate(
        &Model::Uniform {
            bits: 16,
            disks: 70_000,
        },
        3,
    );
    assert_eq!(part.counts().collided, 3);
}

#[test]
fn a_stopped_run_has_no_result() {
    let plan = Plan::new(
        Model::Uniform {
            bits: 16,
            disks: 302,
        },
        1 << 40,
        1,
    )
    .unwrap();
    let options = Options {
        threads: 2,
        stop: &|| true,
        ..Options::default()
    };
    let all = 0..plan.units();
    assert!(run(&plan, all, &options).is_err());
    assert!(run(&plan, 0..u64::MAX, &options).is_err());
}

#[test]
fn no_part_is_larger_than_said() {
    let image = "longhornio/backing-image-manager:v1.10.2".to_owned();
    for (model, clusters) in [
        (
            Model::Uniform {
                bits: 16,
                disks: 302,
            },
            200_000,
        ),
        (
            Model::Uniform {
                bits: 8,
                disks: 100_000,
            },
            50,
        ),
        (
            Model::Uniform {
                bits: 32,
                disks: (1 << 20) + 1,
            },
            20,
        ),
        (Model::FirstCollision { bits: 16 }, 500_000),
        (Model::FirstCollision { bits: 3 }, 1000),
        (
            Model::Guarded {
                unguarded: 300,
                guarded: 300,
                at_once: 50,
                block: 100,
            },
            500,
        ),
        (
            Model::Skewed {
                bits: 16,
                disks: 2000,
                skew: Skew::Spike { share: 0.5 },
            },
            300,
        ),
        (
            Model::Names {
                hash: Hash::Sha256,
                digits: 3,
                image: image.clone(),
                disks: 5000,
            },
            20,
        ),
        (
            Model::ForcedPair {
                bits: 10,
                disks: 500,
            },
            2000,
        ),
        (
            Model::Ladder {
                hash: Hash::Sha224,
                image,
                disks: 20_000,
            },
            2,
        ),
    ] {
        let plan = Plan::new(model, clusters, 3).unwrap();
        let units = 0..plan.units();
        let part = run(&plan, units.clone(), &Options::default()).unwrap();
        let (is, said) = (part.to_json().len() as u64, plan.part_bytes(&units));
        assert!(is <= said, "{plan:?}: {is} {said}");
    }
}
