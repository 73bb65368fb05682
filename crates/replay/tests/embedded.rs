//! The shipped scenarios on the embedded server: they pass as they are, and fail,
//! saying why, when a version's model is given another version's name function.

use std::path::PathBuf;

use fixname_naming::Scheme;
use fixname_replay::backend::EmbeddedBackend;
use fixname_replay::{RunResult, Scenario, Suite, SuiteOptions, SuiteResult, load};

fn shipped() -> Vec<Scenario> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../scenarios");
    load(&[folder]).expect("the shipped scenarios are valid")
}

fn options() -> SuiteOptions {
    SuiteOptions {
        parallel: 2,
        ..SuiteOptions::default()
    }
}

fn play(scenarios: &[Scenario], options: SuiteOptions) -> SuiteResult {
    Suite::new(scenarios, options).run(&EmbeddedBackend, &|| false, &mut |_| {})
}

fn named(name: &str, versions: &[&str]) -> Vec<Scenario> {
    let mut scenario = shipped()
        .into_iter()
        .find(|s| s.name == name)
        .expect("it is shipped");
    scenario
        .longhorn
        .retain(|v| versions.contains(&v.0.to_string().as_str()));
    assert_eq!(scenario.longhorn.len(), versions.len());
    vec![scenario]
}

#[test]
fn every_shipped_scenario_passes() {
    let result = play(&shipped(), options());
    let failed: Vec<&RunResult> = result
        .runs
        .iter()
        .filter(|r| !r.failures.is_empty())
        .collect();
    assert!(failed.is_empty(), "{failed:#?}");
    assert_eq!(result.runs.len(), result.planned);
    assert!(result.planned > 30, "{} runs", result.planned);
}

#[test]
fn an_affected_version_with_the_fixed_name_function_fails() {
    let result = play(
        &named("two-disks-one-prefix", &["v1.9.1"]),
        SuiteOptions {
            name_scheme: Some(Scheme::Sha224),
            ..options()
        },
    );
    let failure = &result.runs[0].failures[0];
    let found = failure.found.join("\n");
    assert!(
        found.contains("not backing-image-manager-4407-c012")
            || found.contains("names it backing-image-manager-4407-c012"),
        "{failure:#?}"
    );
}

#[test]
fn a_fixed_version_with_the_truncated_name_function_fails() {
    let result = play(
        &named("two-disks-one-prefix", &["v1.12.1"]),
        SuiteOptions {
            name_scheme: Some(Scheme::Truncated),
            ..options()
        },
    );
    let failure = &result.runs[0].failures[0];
    assert!(
        failure.found.join("\n").contains("v1.12.1 names it bim-"),
        "{failure:#?}"
    );
}

#[test]
fn one_seed_gives_one_run_on_any_number_of_threads() {
    let trace = |parallel| {
        let result = play(
            &named("early-collision", &["v1.9.1"]),
            SuiteOptions {
                parallel,
                ..options()
            },
        );
        let steps: Vec<_> = result
            .runs
            .iter()
            .map(|r| (r.seed, r.model_time, &r.steps))
            .collect();
        format!("{steps:#?}")
    };
    assert_eq!(trace(1), trace(2));
}
