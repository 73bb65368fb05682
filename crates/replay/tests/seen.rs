//! Expectations about single things: each time word and each match rule fails when
//! it should, and says what was found.

use fixname_replay::backend::EmbeddedBackend;
use fixname_replay::{Suite, SuiteOptions, load::parse};

/// A scenario under v1.9.1 whose second step wants a disk that collides.
fn scenario(expectations: &str, actions: &str, extra: &str) -> String {
    format!(
        "\
name: a
title: t
description: d
longhorn: [v1.9.1]
{extra}
cluster:
  disks:
    node-1/disk-7: \"c01200da-8a5c-4692-92e6-c4a983087951\"
    node-2/default-disk: \"c012eb76-f8eb-4ea1-b81d-472eac9d98bf\"
  images:
    parrot: {{source: node-1/disk-7, copies: [node-1/disk-7]}}
steps:
  - name: first
    expect: [{{settled: {{image: parrot}}}}]
  - name: second
    do:
      - want: {{image: parrot, disks: [node-2/default-disk]}}
{actions}
    expect:
{expectations}
"
    )
}

/// What was found instead of what was expected; nothing if it was as expected.
fn found(expectation: &str, actions: &str, extra: &str) -> Vec<String> {
    let text = scenario(&format!("      - {expectation}"), actions, extra);
    let scenarios = parse("", &text).expect("it is a scenario");
    let result = Suite::new(&scenarios, SuiteOptions::default()).run(
        &EmbeddedBackend,
        &|| false,
        &mut |_| {},
    );
    let failures = result.runs.into_iter().flat_map(|run| run.failures);
    failures.flat_map(|failure| failure.found).collect()
}

fn problems(expectation: &str, actions: &str, extra: &str) -> String {
    let text = scenario(&format!("      - {expectation}"), actions, extra);
    parse("", &text)
        .err()
        .map_or_else(String::new, |e| e.to_string())
}

#[test]
fn what_is_so_passes() {
    for expectation in [
        "{log: {contains: already exists}, eventually: 60}",
        "{log: {matches: 'already exists$', match: {exactly: 16}}, alwaysFor: 94}",
        "{log: {contains: panic, match: none}, alwaysFor: 60}",
        "{event: {contains: created default}, neverFor: 60}",
        "{objects: {kind: BackingImageManager, match: {exactly: 1}}, alwaysFor: 60}",
        "{objects: {kind: BackingImageManager, match: all, fields: {spec: {nodeID: node-1}}}}",
        "{objects: {kind: BackingImage, name: parrot, fields: {spec: {minNumberOfCopies: 1}}}, stuckFor: 100}",
        "{objects: {apiVersion: v1, kind: Node, match: none}}",
        "{findings: {fields: {state: active}, match: {exactly: 1}}}",
    ] {
        assert_eq!(found(expectation, "", ""), [""; 0], "{expectation}");
    }
}

#[test]
fn what_is_not_so_fails_and_says_what_is() {
    for (expectation, words) in [
        // Eventually: the nearest candidate, with each path that differs.
        (
            "{objects: {kind: BackingImageManager, match: {exactly: 1}, fields: {spec: {nodeID: node-9}}}, eventually: 5}",
            &[
                "exactly 1 should fit; of 1 looked at",
                "nearest: backing-image-manager-4407-c012",
                "spec.nodeID: expected \"node-9\", found \"node-1\"",
            ][..],
        ),
        (
            "{objects: {kind: BackingImageManager, match: {exactly: 2}}, eventually: 5}",
            &["exactly 2 should fit; of 1 looked at (kind BackingImageManager), 1 fit"],
        ),
        (
            "{objects: {kind: Replica, match: all, cel: self.spec.x == 1}, eventually: 5}",
            &["all, of at least one, should fit; of 0 looked at"],
        ),
        // A member that is not there is an error, not a false that none could hide behind.
        (
            "{objects: {kind: BackingImage, name: parrot, cel: self.status.nothing == 1}, eventually: 5}",
            &["self.status.nothing == 1: No such key: nothing"],
        ),
        (
            "{objects: {kind: BackingImageManager, match: none}, eventually: 5}",
            &["no should fit", "fits"],
        ),
        (
            "{objects: {kind: BackingImageManager, match: any}, neverFor: 5}",
            &["it was so after 0 model seconds; 1 fitted"],
        ),
        (
            "{objects: {kind: BackingImageManager, match: none}, alwaysFor: 5}",
            &["after 0 model seconds:"],
        ),
        (
            "{objects: {kind: Setting, match: any, name: nothing}, eventually: 3}",
            &["of 0 looked at"],
        ),
        (
            "{log: {contains: already exists, match: {exactly: 3}}, alwaysFor: 94}",
            &["exactly 3 should fit; of ", "16 fit"],
        ),
        (
            "{log: {contains: no such words}, eventually: 5}",
            &["at least one should fit", "0 fit"],
        ),
        (
            "{log: {contains: already exists}, neverFor: 60}",
            &["it was so after "],
        ),
        (
            "{findings: {cel: self.stat == 'active'}, neverFor: 5}",
            &["could not tell", "No such key: stat"],
        ),
        (
            "{findings: {cel: self.stat == 'active', match: none}, eventually: 5}",
            &["No such key: stat"],
        ),
        (
            "{findings: {fields: {state: latent}}, eventually: 5}",
            &[
                "at least one should fit; of 1 looked at",
                "state: expected \"latent\", found \"active\"",
            ],
        ),
    ] {
        let text = found(expectation, "", "").join("\n");
        for word in words {
            assert!(
                text.contains(word),
                "{expectation} does not say {word:?}:\n{text}"
            );
        }
    }
}

#[test]
fn what_moves_is_not_stuck() {
    // The manager is wanted and comes while the image is watched.
    let fixed = scenario(
        "      - {objects: {kind: BackingImage, name: parrot, fields: {kind: BackingImage}}, stuckFor: 100}",
        "",
        "",
    )
    .replace("[v1.9.1]", "[v1.12.1]");
    let scenarios = parse("", &fixed).unwrap();
    let result = Suite::new(&scenarios, SuiteOptions::default()).run(
        &EmbeddedBackend,
        &|| false,
        &mut |_| {},
    );
    let text = result.runs[0].failures[0].found.join("\n");
    assert!(text.contains("it moved after "), "{text}");
}

#[test]
fn a_fault_that_no_request_meets_fails() {
    let fault = "      - fault: {verb: create, resource: replicas, action: error}";
    let text = found("{settled: {image: parrot}}", fault, "").join("\n");
    assert!(!text.is_empty());
    let fault = "      - fault: {verb: delete, resource: backingimages, action: error}";
    let stuck = "{stuck: {image: parrot, contested: [node-1/disk-7, node-2/default-disk]}}";
    let text = found(stuck, fault, "").join("\n");
    assert!(text.contains("0 were met"), "{text}");
}

#[test]
fn actions_that_fail_fail_the_step() {
    for (action, word) in [
        // Of what Longhorn makes, nobody knows beforehand whether it is there.
        (
            "delete: {kind: BackingImageManager, name: nothing}",
            "not found",
        ),
        (
            "patch: {kind: BackingImageManager, name: nothing, merge: {spec: {nodeID: node-1}}}",
            "not found",
        ),
        (
            "apply: {apiVersion: longhorn.io/v1beta2, kind: BackingImage, metadata: {name: UPPER}}",
            "UPPER",
        ),
    ] {
        let text = found(
            "{settled: {image: parrot}}",
            &format!("      - {action}"),
            "",
        )
        .join("\n");
        assert!(text.contains(word), "{action}: {text}");
    }
}

#[test]
fn expectations_that_could_not_fail_or_not_hold_are_refused() {
    for (expectation, problem) in [
        (
            "{objects: {kind: BackingImageManagers, match: any}}",
            "there is no kind \"BackingImageManagers\"",
        ),
        (
            "{objects: {apiVersion: v7, kind: Pod, match: any}}",
            "there is no API version \"v7\"",
        ),
        (
            "{objects: {kind: BackingImage}}",
            "say how many objects must fit",
        ),
        (
            "{objects: {kind: BackingImage, match: all}}",
            "asks nothing of them",
        ),
        (
            "{objects: {kind: BackingImage, name: a, match: {exactly: 2}}}",
            "one object at most",
        ),
        ("{objects: {kind: BackingImage, match: some}}", "some"),
        (
            "{objects: {kind: BackingImage, match: any, cel: 'self.x =='}}",
            "is not CEL",
        ),
        (
            "{objects: {kind: BackingImage, match: any, cel: '1 == 1'}}",
            "does not look at self",
        ),
        (
            "{objects: {kind: BackingImage, match: any}, stuckFor: 30}",
            "stuckFor takes 95 seconds or more",
        ),
        (
            "{objects: {kind: BackingImage, match: any}, eventually: 0}",
            "0 seconds would show nothing",
        ),
        (
            "{objects: {kind: BackingImage, match: any}, eventually: 5, neverFor: 5}",
            "is enough",
        ),
        (
            "{objects: {kind: BackingImage, match: any}, settled: {image: parrot}}",
            "each expectation says one of",
        ),
        ("{eventually: 5}", "each expectation says one of"),
        (
            "{settled: {image: parrot}, eventually: 5}",
            "take no time of their own",
        ),
        (
            "{log: {contains: a, match: none}, eventually: 5}",
            "lines only become more",
        ),
        (
            "{log: {contains: a}, stuckFor: 100}",
            "a log does not get stuck",
        ),
        (
            "{log: {match: all}, alwaysFor: 5}",
            "asks nothing of the lines",
        ),
        ("{log: {matches: '('}}", "no regular expression"),
        ("{findings: {state: active}}", "state"),
    ] {
        let text = problems(expectation, "", "");
        assert!(
            text.contains(problem),
            "{expectation} is not refused: {text}"
        );
    }
    for (action, problem) in [
        (
            "fault: {verb: create, action: error, nth: 0}",
            "a fault counts requests from 1",
        ),
        ("run: {command: []}", "without a program"),
        ("run: {command: [a], within: 0}", "0 seconds"),
        ("advance: 0", "0 seconds change nothing"),
        ("apply: {kind: BackingImage}", "no apiVersion"),
        (
            "apply: {apiVersion: longhorn.io/v1beta2, kind: BackingImage, metadata: {}}",
            "no metadata.name",
        ),
        ("delete: {kind: Backingimage, name: a}", "there is no kind"),
        ("patch: {kind: BackingImage, name: a}", "merge"),
        ("reboot", "reboot"),
    ] {
        let text = problems(
            "{settled: {image: parrot}}",
            &format!("      - {action}"),
            "",
        );
        assert!(text.contains(problem), "{action} is not refused: {text}");
    }
}

#[test]
fn a_scenario_for_another_backend_is_not_judged() {
    let text = scenario(
        "      - {settled: {image: parrot}}",
        "",
        "backends: [context]",
    );
    let scenarios = parse("", &text).unwrap();
    let result = Suite::new(&scenarios, SuiteOptions::default()).run(
        &EmbeddedBackend,
        &|| false,
        &mut |_| {},
    );
    assert_eq!(result.not_judged, ["a: it is not for embedded"]);
    assert!(!result.passed());
}

#[test]
fn silence_proves_nothing_where_nothing_is_played() {
    let text = scenario("      - {settled: {image: parrot}}", "", "").replace(
        "[{settled: {image: parrot}}]",
        "[{log: {contains: panic}, neverFor: 5}]",
    );
    let scenarios = parse("", &text).unwrap();
    let options = SuiteOptions {
        parts: "none".parse().unwrap(),
        ..SuiteOptions::default()
    };
    let result = Suite::new(&scenarios, options).run(&EmbeddedBackend, &|| false, &mut |_| {});
    let text = result.runs[0].failures[0].found.join("\n");
    assert!(text.contains("no log of it to look at"), "{text}");
}
