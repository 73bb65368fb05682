//! Recordings of the real Longhorn, replayed against the model: a fixed sample at
//! each build, all of them on request (`cargo test --release -p fixname-replay
//! --test conform -- --ignored`). The source of the data is in `data/README.md`.

use fixname_replay::conform::{ConformOptions, Line, conform, parse, text};

const RUNS: &[u8] = include_bytes!("data/longhorn-runs.jsonl.gz");
const FURTHER: &[u8] = include_bytes!("data/further-runs.jsonl.gz");
const ROWS: &[u8] = include_bytes!("data/admission.jsonl.gz");
const MORE_ROWS: &[u8] = include_bytes!("data/admission-more.jsonl.gz");

fn lines() -> String {
    text(RUNS).expect("the packed test data is whole")
}

fn all() -> Vec<Line> {
    parse("longhorn-runs.jsonl", &lines()).expect("the test data is understood")
}

fn first(scenario: &str) -> String {
    let needle = format!("\"scenario\": \"{scenario}\"");
    let text = lines();
    text.lines()
        .find(|line| line.contains(&needle))
        .expect("the scenario is in the test data")
        .to_owned()
}

/// Scenarios with one process and one or two images, whose first version and run
/// are given by one of the first seeds.
const SAMPLE: &[&str] = &[
    "late-collision",
    "early-collision-all-disks-from-start",
    "evict-winner-disk",
    "evict-loser-disk",
    "freeze-is-stale",
    "label-stripped-from-live-manager",
    "last-copy-dropped-from-spec",
    "loser-disk-and-node-not-ready",
    "loopback-url-with-longhorn-webhooks",
    "pinned-image-upgrade-collided-to-v1.10.2",
    "replica-and-last-reference",
    "three-disks-one-prefix",
    "upper-case-uuid",
    "uuid-shorter-than-four",
    "v2-entry-is-skipped",
];

#[test]
fn a_sample_of_scenarios_is_reproduced_whole_under_every_version_recorded() {
    let mut sample = all();
    sample.retain(|r| {
        let is_known_difference = r.scenario().starts_with("loopback") && !is(r, "v1.12.1");
        r.run() == 0 && SAMPLE.contains(&r.scenario()) && !is_known_difference
    });
    assert!(sample.len() >= 50, "{}", sample.len());
    let options = ConformOptions {
        seeds: 40,
        agreement: 0,
        parallel: 2,
        ..ConformOptions::default()
    };
    let result = conform(&sample, &options).unwrap();
    for recording in &result.recordings {
        assert!(recording.whole, "{recording:#?}");
    }
}

fn is(recording: &Line, version: &str) -> bool {
    recording.version().to_string() == version
}

#[test]
#[ignore = "takes minutes: cargo test --release -p fixname-replay --test conform -- --ignored"]
fn every_recording_is_reproduced() {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let options = ConformOptions {
        parallel: threads,
        ..ConformOptions::default()
    };
    let result = conform(&all(), &options).unwrap();
    for (version, totals) in result.by_version() {
        println!("{version}: {totals:?}");
    }
    println!("all: {:?}", result.totals());
    for agreement in result.agreements.iter().filter(|a| !a.holds) {
        println!("repeats agree, a seed does not: {agreement:?}");
    }
    let missing: Vec<String> = result
        .recordings
        .iter()
        .filter(|r| !r.matches)
        .map(|r| format!("{} {} {}", r.scenario, r.version, r.run))
        .collect();
    assert!(missing.is_empty(), "{missing:#?}");
}

/// Runs that nobody had seen when the model was built: what once differed, and one of
/// each kind that the other recordings do not have.
#[test]
fn further_runs_are_reproduced() {
    let further = text(FURTHER).expect("the packed test data is whole");
    let further = parse("further-runs", &further).expect("they are understood");
    assert!(further.len() >= 36, "{}", further.len());
    let options = ConformOptions {
        agreement: 0,
        parallel: 2,
        ..ConformOptions::default()
    };
    let result = conform(&further, &options).expect("the recorded clusters can be made");
    for recording in &result.recordings {
        assert!(recording.matches, "{recording:#?}");
    }
}

/// What the comparer must not let pass: each change of a recording is a difference.
#[test]
fn a_recording_that_says_something_else_is_not_reproduced() {
    let line = first("late-collision");
    let frozen = r#""evictionRequested": false"#;
    let told = [
        (
            "\"longhorn.io/node\": \"node-1\"",
            "\"longhorn.io/node\": \"node-9\"",
        ),
        (
            "\"ready\"}, \"statusMessages\"",
            "\"failed\"}, \"statusMessages\"",
        ),
        (frozen, "\"evictionRequested\": true"),
        ("\"finalizers\": [\"longhorn.io\"]", "\"finalizers\": []"),
        ("\"logged\": {", "\"logged\": {\"something else\": 1, "),
        (
            "\"attempts\": [",
            "\"attempts\": [{\"backingImage\": \"parrot\", \"name\": \"x\", \"firstAtMs\": 1, \"offsetsMs\": [0]}, ",
        ),
    ];
    let options = ConformOptions {
        seeds: 4,
        agreement: 0,
        ..ConformOptions::default()
    };
    for (from, to) in told {
        let changed = line
            .replacen(from, to, 1)
            .replace(", ]", "]")
            .replace(", }", "}");
        assert_ne!(changed, line, "{from}");
        let recordings = parse("changed", &changed).unwrap();
        let result = conform(&recordings, &options).unwrap();
        assert!(!result.recordings[0].matches, "{from} -> {to}");
        assert!(!result.recordings[0].differences.is_empty());
    }
}

#[test]
fn what_is_not_understood_is_an_error_with_its_line() {
    let line = first("late-collision");
    for (from, to) in [
        ("\"op\": \"addToSpec\"", "\"op\": \"frobnicate\""),
        ("\"scenario\"", "\"colour\": 1, \"scenario\""),
        ("\"pods-data-sources-eviction\"", "\"pods-and-more\""),
        ("\"finalizers\": \"webhook\"", "\"finalizers\": \"magic\""),
        ("\"atMs\"", "\"atMS\""),
        ("\"version\": \"v1", "\"version\": \"v99x"),
    ] {
        let changed = line.replacen(from, to, 1);
        assert_ne!(changed, line, "{from}");
        let errors = parse("runs.jsonl", &format!("{line}\n{changed}\n")).unwrap_err();
        assert_eq!(errors.len(), 1);
        assert!(errors[0].to_string().starts_with("runs.jsonl:2:"), "{from}");
    }
}

#[test]
fn every_admission_row_is_answered_as_the_real_webhooks_did() {
    all_rows_agree(ROWS, 404);
}

/// Values of wrong types, texts that break a patch, odd URLs, orders of data engines:
/// the model once answered each of these differently.
#[test]
fn what_the_model_once_answered_differently_agrees() {
    all_rows_agree(MORE_ROWS, 297);
}

fn all_rows_agree(packed: &[u8], count: usize) {
    let rows = text(packed).expect("the packed test data is whole");
    let rows = parse("rows.jsonl", &rows).expect("the test data is understood");
    assert_eq!(rows.len(), count);
    let options = ConformOptions {
        parallel: 2,
        ..ConformOptions::default()
    };
    let result = conform(&rows, &options).expect("the rows can be played");
    let scenarios = result.recordings.iter().map(|r| r.scenario.as_str());
    assert!(scenarios.eq(rows.iter().map(Line::scenario)));
    let missing: Vec<_> = result.recordings.iter().filter(|r| !r.matches).collect();
    assert!(missing.is_empty(), "{} rows: {missing:#?}", missing.len());
}

/// Each change of a row is a difference, or an error where it makes no sense.
#[test]
fn a_row_that_says_something_else_is_not_reproduced() {
    let rows = text(ROWS).expect("the packed test data is whole");
    let line = rows
        .lines()
        .find(|line| line.contains("node update 2: node eviction while node scheduling is on"))
        .expect("the row is in the test data");
    for (from, to) in [
        ("\"code\": 422", "\"code\": 403"),
        ("need to disable scheduling on node", "need to switch off"),
        (
            "\"by\": \"validating webhook\"",
            "\"by\": \"mutating webhook\"",
        ),
        ("FieldValueInvalid", "FieldValueRequired"),
        ("\"allowed\": false", "\"allowed\": true"),
        (
            "\"evictionRequested\": true",
            "\"evictionRequested\": false",
        ),
    ] {
        let changed = line.replacen(from, to, 1);
        assert_ne!(changed, line, "{from}");
        let rows = parse("changed", &changed).unwrap();
        let result = conform(&rows, &ConformOptions::default()).unwrap();
        assert!(!result.recordings[0].matches, "{from} -> {to}");
    }
    for (from, to, why) in [
        ("\"UPDATE\"", "\"FROB\"", "unknown variant `FROB`"),
        (
            "\"resource\": \"nodes\"",
            "\"resource\": \"moons\"",
            "not modelled",
        ),
        (
            "\"patchSent\"",
            "\"patchSend\"",
            "unknown field `patchSend`",
        ),
        (
            "\"cluster\": [",
            "\"cluster\": [{\"resource\": \"moons\", \"object\": {}}",
            "unknown kind",
        ),
        ("\"allowed\"", "\"aloud\"", "unknown field `aloud`"),
        (
            "\"name\": \"node-1\"",
            "\"uid\": \"node-1\"",
            "unknown field `uid`",
        ),
        ("\"UPDATE\"", "\"DELETE\"", "do not fit the operation"),
    ] {
        let changed = line.replacen(from, to, 1);
        assert_ne!(changed, line, "{from}");
        let errors = parse("rows.jsonl", &format!("{line}\n{changed}")).unwrap_err();
        assert_eq!((errors.len(), errors[0].line), (1, 2));
        assert!(errors[0].message.contains(why), "{}", errors[0]);
    }
}
