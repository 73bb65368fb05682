//! How the work is divided changes nothing.

use fixname_collision::agreement::Report;
use fixname_collision::simulate::{
    Engine, Hash, Model, Options, Part, Plan, RunError, Shard, Skew, merge, run, run_until,
};

use crate::{IMAGE, SEED, estimate, simulate};

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
