//! One group for each verb: names a second, `detect` on large clusters, exact
//! odds, and a whole replay of the knowledge base's scenario.

use std::fmt::Write as _;
use std::hint::black_box;
use std::io::Write as _;
use std::path::PathBuf;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use fixname_capture::{Source, read_files};
use fixname_collision::{Birthday, Classes};
use fixname_diagnose::{Options, diagnose};
use fixname_naming::{DiskUuid, ImageRef, Scheme};
use fixname_replay::backend::EmbeddedBackend;
use fixname_replay::{Suite, SuiteOptions, load};

fn names(c: &mut Criterion) {
    let image = ImageRef::new("longhornio/backing-image-manager:v1.9.1");
    let disk = DiskUuid::new("c012eb76-f8eb-4ea1-b81d-472eac9d98bf");
    let mut group = c.benchmark_group("names");
    group.throughput(Throughput::Elements(1));
    for scheme in [Scheme::Truncated, Scheme::Sha256, Scheme::Sha224] {
        group.bench_function(scheme.id().as_ref(), |b| {
            b.iter(|| scheme.manager_name(black_box(&image), black_box(&disk)));
        });
    }
    group.finish();
}

/// A `kubectl get nodes.longhorn.io -o json` of that many disks, ten a node.
fn nodes_json(disks: usize) -> String {
    let mut text = String::from(r#"{"apiVersion":"v1","kind":"List","items":["#);
    for node in 0..disks / 10 {
        let comma = if node == 0 { "" } else { "," };
        let _ = write!(
            text,
            r#"{comma}{{"apiVersion":"longhorn.io/v1beta2","kind":"Node","metadata":{{"name":"node-{node}"}},"spec":{{"disks":{{}}}},"status":{{"diskStatus":{{"#
        );
        for disk in 0..10 {
            let comma = if disk == 0 { "" } else { "," };
            // A multiplicative hash spreads the prefixes; no two UUIDs are equal.
            let id = (node * 10 + disk) as u64;
            let bits = id.wrapping_mul(0x9e37_79b9_7f4a_7c15);
            let _ = write!(
                text,
                r#"{comma}"disk-{disk}":{{"diskUUID":"{:08x}-{:04x}-4000-8000-{id:012x}","diskType":"filesystem"}}"#,
                bits >> 32,
                bits >> 16 & 0xffff
            );
        }
        text.push_str("}}}");
    }
    text.push_str("]}");
    text
}

fn detect(c: &mut Criterion) {
    let mut group = c.benchmark_group("detect");
    group.sample_size(10);
    for disks in [1_000, 10_000, 100_000] {
        let mut file = tempfile::NamedTempFile::new().expect("a temporary file can be made");
        file.write_all(nodes_json(disks).as_bytes())
            .expect("a temporary file can be written");
        let sources = [Source::from(file.path().to_owned())];
        group.throughput(Throughput::Elements(disks as u64));
        group.bench_with_input(
            BenchmarkId::from_parameter(disks),
            &sources,
            |b, sources| {
                b.iter(|| {
                    let inventory = read_files(sources).expect("the file is well formed");
                    diagnose(&inventory, &Options::default())
                });
            },
        );
    }
    group.finish();
}

fn odds(c: &mut Criterion) {
    let mut group = c.benchmark_group("odds");
    group.throughput(Throughput::Elements(1));
    for (bits, disks) in [(16, 302u128), (122, 1_000_000_000)] {
        let classes = Classes::new(bits).expect("the widths are legal");
        group.bench_function(format!("{disks} disks, {bits} bits"), |b| {
            b.iter(|| Birthday::new(black_box(classes), black_box(disks)).p_any());
        });
    }
    group.finish();
}

fn replay(c: &mut Criterion) {
    let file =
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../scenarios/01-two-disks-one-prefix.yaml");
    let scenarios = load(&[file]).expect("the shipped scenario is valid");
    let runs: usize = scenarios.iter().map(|s| s.longhorn.len()).sum();
    let mut group = c.benchmark_group("replay");
    group.sample_size(10);
    group.throughput(Throughput::Elements(runs as u64));
    group.bench_function("two disks, one prefix, all versions, one thread", |b| {
        b.iter(|| {
            let options = SuiteOptions::default();
            Suite::new(&scenarios, options).run(&EmbeddedBackend, &|| false, &mut |_| {})
        });
    });
    group.finish();
}

criterion_group!(verbs, names, detect, odds, replay);
criterion_main!(verbs);
