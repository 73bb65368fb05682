//! Benchmarks of the kernels of the collision engine, on each path that the
//! processor has: `cargo bench -p fixname-benches --bench kernels`. How they
//! compare with other programs is `benches/compare`'s question.

use std::hint::black_box;

use criterion::{Bencher, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use fixname_collision::simulate::{Hash, Model, Options, Plan, run};
use fixname_collision::{Birthday, Classes, Target, disks_for};
use fixname_planes::{Engine, Occupancy, Planes, Prefixes};

const SEED: u64 = 1;

/// Calls `bench` for every path there is.
fn paths(c: &mut Criterion, name: &str, items: u64, bench: impl Fn(&mut Bencher<'_>, Engine)) {
    let mut group = c.benchmark_group(name);
    group.throughput(Throughput::Elements(items));
    for engine in Engine::ALL {
        if Planes::new(SEED, engine).is_ok() {
            let path = format!("{engine:?}").to_lowercase();
            group.bench_function(BenchmarkId::from_parameter(path), |b| bench(b, engine));
        }
    }
    group.finish();
}

fn planes(engine: Engine) -> Planes {
    Planes::new(SEED, engine).expect("the path was there a moment ago")
}

/// Prefixes of 16 bits, in bytes, clusters and disks a second.
fn prefixes(c: &mut Criterion) {
    const CLUSTERS: u64 = 1000;
    paths(c, "random blocks", 256, |b, engine| {
        let planes = planes(engine);
        let mut blocks = [[0; 16]; 256];
        b.iter(|| planes.fill(0, black_box(1), 0, &mut blocks));
    });
    paths(c, "first repeat, clusters", CLUSTERS, |b, engine| {
        let (planes, mut set) = (planes(engine), Prefixes::default());
        let mut histogram = vec![0; (1 << 16) + 2];
        b.iter(|| set.first_repeats(&planes, black_box(0..CLUSTERS), 16, &mut histogram));
    });
    for disks in [302, 1000] {
        let items = CLUSTERS * disks as u64;
        paths(c, &format!("distinct of {disks}"), items, |b, engine| {
            let (planes, mut set) = (planes(engine), Prefixes::default());
            let mut sum = 0;
            let mut each = |_: u64, count: u32| sum += u64::from(count);
            b.iter(|| set.distinct(&planes, black_box(0..CLUSTERS), disks, 16, &mut each));
        });
        paths(c, &format!("occupancy of {disks}"), items, |b, engine| {
            let planes = planes(engine);
            let mut kernel = Occupancy::new(disks as u64, 16).expect("the size is legal");
            let mut sum = 0;
            b.iter(|| {
                kernel.count(&planes, black_box(0..CLUSTERS), &mut |_, shared| {
                    sum += u64::from(shared.excess());
                });
            });
        });
        paths(c, &format!("repeats of {disks}"), items, |b, engine| {
            let (planes, mut set) = (planes(engine), Prefixes::default());
            let mut sum = 0;
            let mut each = |_: u64, repeats: &[u16]| sum += repeats.len();
            b.iter(|| set.repeats(&planes, black_box(0..CLUSTERS), disks, 16, &mut each));
        });
    }
}

/// Whole runs of one thread, in disks or names a second.
fn runs(c: &mut Criterion) {
    let names = Model::Names {
        hash: Hash::Sha224,
        digits: 56,
        image: "longhornio/backing-image-manager:v1.10.2".to_owned(),
        disks: 100_000,
    };
    let keys = Model::Uniform {
        bits: 64,
        disks: 4_000_000,
    };
    for (name, model) in [("hashed names", names), ("64-bit keys", keys)] {
        let plan = Plan::new(model, 1, SEED).expect("the plan is legal");
        paths(c, name, plan.model.disks(), |b, engine| {
            let options = Options {
                engine,
                ..Options::default()
            };
            b.iter(|| run(&plan, 0..plan.units(), &options).expect("nothing stops it"));
        });
    }
}

/// The formulas, in answers a second.
fn formulas(c: &mut Criterion) {
    let mut group = c.benchmark_group("formulas");
    group.throughput(Throughput::Elements(1));
    for (bits, disks) in [(16, 302_u128), (64, 100_000), (16, 20_000), (256, 1 << 59)] {
        let classes = Classes::new(bits).expect("the widths are legal");
        group.bench_function(format!("any collision, {disks} disks, {bits} bits"), |b| {
            b.iter(|| Birthday::new(black_box(classes), black_box(disks)).p_any());
        });
    }
    let half: Target = "0.5".parse().expect("it is a probability");
    group.bench_function("disks for one half, 122 bits", |b| {
        let classes = Classes::new(122).expect("the width is legal");
        b.iter(|| disks_for(black_box(classes), &half));
    });
    group.finish();
}

criterion_group!(kernels, prefixes, runs, formulas);
criterion_main!(kernels);
