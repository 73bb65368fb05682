//! A tenth of the recordings, replayed on etcd and kube-apiserver in real time.

use std::collections::BTreeMap;
use std::time::Instant;

use fixname_replay::backend::ControlPlaneBackend;
use fixname_replay::conform::{ConformOptions, Finalizers, Line, On, conform_on, parse, text};

const RUNS: &[u8] = include_bytes!("data/longhorn-runs.jsonl.gz");

/// Which: `scenario version run` on each line.
const TENTH: &str = include_str!("data/tenth.txt");

fn chosen() -> Vec<Line> {
    let all = text(RUNS).expect("the packed test data is whole");
    let all = parse("longhorn-runs.jsonl", &all).expect("the test data is understood");
    let named = TENTH.lines().filter(|line| !line.starts_with('#'));
    named
        .map(|named| {
            // The webhooks of some runs with the same number are no real server's.
            let is_named = |line: &&Line| {
                let (scenario, version) = (line.scenario(), line.version());
                let has_webhooks = matches!(line, Line::Run(run)
                    if run.finalizers == Finalizers::LonghornWebhooks);
                format!("{scenario} {version} {}", line.run()) == named && !has_webhooks
            };
            let found = all.iter().find(is_named);
            found
                .unwrap_or_else(|| panic!("there is no {named}"))
                .clone()
        })
        .collect()
}

#[test]
fn the_chosen_tenth_has_every_version_and_is_short() {
    let chosen = chosen();
    let mut versions: BTreeMap<String, usize> = BTreeMap::new();
    for line in &chosen {
        *versions.entry(line.version().to_string()).or_default() += 1;
        let Line::Run(run) = line else {
            panic!("{} is no run", line.scenario());
        };
        let seconds: f64 = run.steps.iter().map(|step| step.seconds).sum();
        assert!(seconds <= 120.0, "{} takes {seconds} s", run.scenario);
    }
    assert!(chosen.len() * 10 >= 289, "{}", chosen.len());
    assert_eq!(versions.len(), 6, "{versions:?}");
}

#[test]
#[ignore = "needs etcd and kube-apiserver: cargo test -- --ignored control_plane"]
fn control_plane_reproduces_a_tenth_of_the_recordings() {
    let chosen = chosen();
    let began = Instant::now();
    let backend = ControlPlaneBackend::start(10.0).unwrap();
    let options = ConformOptions {
        // Time is real, so a seed gives no run for certain: one in nine draws the
        // disks of `last-copy-dropped-from-spec` as they were recorded.
        seeds: 60,
        agreement: 0,
        parallel: 10,
        ..ConformOptions::default()
    };
    let result = conform_on(&chosen, &options, On::ControlPlane(&backend)).unwrap();
    for (version, totals) in result.by_version() {
        println!(
            "{version}: {} of {} reproduced, {} whole",
            totals.reproduced, totals.recordings, totals.whole
        );
    }
    println!("in {:.0} s", began.elapsed().as_secs_f64());
    let missing: Vec<_> = result.recordings.iter().filter(|r| !r.matches).collect();
    assert!(missing.is_empty(), "{missing:#?}");
}
