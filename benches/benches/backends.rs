//! How much sooner the embedded server answers than etcd and kube-apiserver do: each
//! shipped scenario once on both, in one run. Prints a table.
//!
//!     cargo bench -p fixname-benches --bench backends
//!
//! On real programs most of a run is waiting for model time to pass, here at the
//! default scale; virtual time does not wait. So both are also given per model second.

use std::path::PathBuf;

use fixname_replay::backend::{ControlPlaneBackend, EmbeddedBackend};
use fixname_replay::{Backend, RunResult, Scenario, Suite, SuiteOptions, load};

/// The default of `fixname replay --time-scale`.
const TIME_SCALE: f64 = 10.0;

/// As the program has it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../scenarios");
    let scenarios: Vec<Scenario> = load(&[folder]).expect("the shipped scenarios are valid");
    let real = ControlPlaneBackend::start(TIME_SCALE).expect("etcd and kube-apiserver are there");
    let slow = played(&scenarios, &real, 8);
    let fast = played(&scenarios, &EmbeddedBackend, 1);

    println!(
        "One run a scenario and version, seed 1; model time {TIME_SCALE} times as fast as the clock"
    );
    println!(
        "on etcd and kube-apiserver, eight runs at a time; virtual on the embedded server, one at a time"
    );
    println!(
        "{:<44} {:<8} {:>11} {:>10} {:>7}",
        "scenario", "version", "real ms", "ours ms", "ratio"
    );
    let mut ratios = Vec::new();
    for (slow, fast) in slow.iter().zip(&fast) {
        assert_eq!((&slow.name, &slow.longhorn), (&fast.name, &fast.longhorn));
        let ms = |run: &RunResult| run.duration.as_secs_f64() * 1000.0;
        let ratio = ms(slow) / ms(fast);
        ratios.push(ratio);
        println!(
            "{:<44} {:<8} {:>11.0} {:>10.1} {ratio:>7.0}",
            fast.name,
            fast.longhorn.to_string(),
            ms(slow),
            ms(fast)
        );
    }
    ratios.sort_by(f64::total_cmp);
    println!(
        "{} runs; ratio: smallest {:.0}, median {:.0}",
        ratios.len(),
        ratios[0],
        ratios[ratios.len() / 2]
    );
}

/// Each scenario once under each of its versions that both backends play.
fn played(scenarios: &[Scenario], backend: &dyn Backend, parallel: usize) -> Vec<RunResult> {
    let portable: Vec<Scenario> = scenarios
        .iter()
        .filter(|s| s.backends.is_none())
        .cloned()
        .collect();
    let options = SuiteOptions {
        repeat: Some(1),
        parallel,
        ..SuiteOptions::default()
    };
    let result = Suite::new(&portable, options).run(backend, &|| false, &mut |_| {});
    assert!(
        result.passed(),
        "{:?} {:?}",
        result.totals(),
        result.troubles
    );
    result.runs
}
