//! Each mistake: where it stands, what is said of it, and what is suggested.

mod reached;

use crate::load::parse;

/// A scenario without a mistake.
const GOOD: &str = "\
name: good
title: t
description: d
longhorn: [v1.9.1, v1.12.1]
cluster:
  disks:
    node-1/disk-7: c01200da-8a5c-4692-92e6-c4a983087951
    node-2/disk-1: c012eb76-f8eb-4ea1-b81d-472eac9d98bf
  images:
    parrot: {source: node-1/disk-7, copies: [node-1/disk-7]}
steps:
  - name: first
    expect:
      - settled: {image: parrot}
  - name: second
    do:
      - want: {image: parrot, disks: [node-2/disk-1]}
    expect:
      - {on: affected, stuck: {image: parrot, contested: [node-1/disk-7, node-2/disk-1]}}
      - {on: fixed, settled: {image: parrot}}
";

/// The first lines of what is said of a text.
fn said(text: &str) -> Vec<String> {
    let Err(error) = parse("a.yaml", text) else {
        return Vec::new();
    };
    let first = |p: &crate::Problem| p.to_string().lines().next().map(str::to_owned);
    error.0.iter().filter_map(first).collect()
}

/// What is said instead, if the first thing said is another one.
fn differs(found: &[String], wanted: &str) -> Option<String> {
    let is = found.first().is_some_and(|first| first == wanted);
    (!is).then(|| format!("wanted {wanted}\n said  {found:?}"))
}

#[test]
fn a_scenario_without_a_mistake_has_none() {
    assert_eq!(said(GOOD), [""; 0]);
}

#[test]
fn the_line_is_shown_with_a_mark() {
    let error = parse("a.yaml", &GOOD.replace("title", "titel")).unwrap_err();
    assert_eq!(
        error.to_string(),
        "a.yaml:2:1: there is no key \"titel\" here; did you mean title?\n 2 | titel: t\n   | ^"
    );
}

#[test]
fn what_is_said_of_machines() {
    let want = "      - want: {image: parrot, disks: [node-2/disk-1]}\n";
    let instead = |action: &str| (want.to_owned(), format!("{want}      - {action}\n"));
    let images = "  images:\n".to_owned();
    let given = |member: &str| (images.clone(), format!("  {member}\n{images}"));
    for ((from, to), problem) in [
        (instead("nodeDown: node-9"), "there is no node \"node-9\""),
        (instead("nodeUp: nod-1"), "there is no node \"nod-1\""),
        (
            instead("addDisk: {disk: node-9/new}"),
            "there is no node \"node-9\"",
        ),
        (
            instead("addDisk: {disk: node-2/disk-1, block: true}"),
            "has a UUID already",
        ),
        (
            instead("config: {disk: node-2/disk-9}"),
            "there is no disk node-2/disk-9",
        ),
        (
            instead("install: {version: v1.8.1, keepImage: true}"),
            "Longhorn refuses this upgrade",
        ),
        (instead("delete: {kind: Replica}"), "by name, or by labels"),
        (
            instead("delete: {kind: Replica, name: a, refused: no}"),
            "only on the embedded server",
        ),
        (
            given("later: [node-2/disk-1]"),
            "node-2/disk-1 is never added",
        ),
        (given("later: [node-1/disk-7]"), "is not there yet"),
        (given("block: [node-1/disk-7]"), "is a block disk"),
        (
            given("block: [node-1/disk-9]"),
            "there is no disk node-1/disk-9",
        ),
        (
            given("volumes: {a: {image: heron}}"),
            "there is no image \"heron\"",
        ),
        (
            given("volumes: {a: {image: parrot, replicas: 0}}"),
            "one replica at least",
        ),
        (
            given("volumes: {a: {image: parrot, node: node-9}}"),
            "there is no node \"node-9\"",
        ),
        (given("managers: eachDisk"), "eachDisk"),
    ] {
        let text = GOOD.replacen(&from, &to, 1);
        assert_ne!(text, GOOD, "{from:?} is not there");
        let found = said(&text).join("\n");
        assert!(
            found.contains(problem),
            "{to}: wanted {problem:?}, said {found}"
        );
    }
}

#[test]
fn names_that_are_not_there() {
    let mut wrong = Vec::new();
    for (from, to, problem) in [
        (
            "    expect:\n      - settled",
            "    expct:\n      - settled",
            "a.yaml:13:5: there is no key \"expct\" here; did you mean expect?",
        ),
        (
            "- settled: {",
            "- setled: {",
            "a.yaml:14:9: there is no key \"setled\" here; did you mean settled?",
        ),
        (
            "- want: {",
            "- wnat: {",
            "a.yaml:17:9: \"wnat\" is not known here; did you mean want?",
        ),
        (
            "on: fixed",
            "on: fixd",
            "a.yaml:20:14: \"fixd\" is not known here; did you mean fixed?",
        ),
        (
            "description: d\n",
            "",
            "a.yaml:10:1: the key \"description\" is missing",
        ),
        (
            "[v1.9.1, v1.12.1]",
            "[v1.9.1, v1.12]",
            "a.yaml:4:20: version \"v1.12\" is not complete; expected three numbers, like v1.9.1",
        ),
        (
            "[v1.9.1, v1.12.1]",
            "[v1.9.11, v1.12.1]",
            "a.yaml:4:12: there is no release v1.9.11; did you mean v1.9.1?",
        ),
        (
            "[v1.9.1, v1.12.1]",
            "[v1.9.1, v1.12.1, v1.9.1]",
            "a.yaml:4:29: v1.9.1 is there twice",
        ),
        (
            "copies: [node-1/disk-7]",
            "copies: [node-1/disk-8]",
            "a.yaml:10:46: there is no disk node-1/disk-8; did you mean node-1/disk-7?",
        ),
        (
            "copies: [node-1/disk-7]",
            "copies: [node-1]",
            "a.yaml:10:46: a disk is written node/disk, for instance node-1/disk-7; found \"node-1\"",
        ),
        (
            "settled: {image: parrot}\n  - name",
            "settled: {image: parot}\n  - name",
            "a.yaml:14:26: there is no image \"parot\"; did you mean parrot?",
        ),
        (
            "want: {image: parrot",
            "want: {image: crow",
            "a.yaml:17:23: there is no image \"crow\"; there is only parrot",
        ),
        (
            "disks: [node-2/disk-1]",
            "disks: []",
            "a.yaml:17:38: no disk, so nothing would change",
        ),
        (
            "  images:",
            "    node-3/x: \"1\"\n  images:",
            "a.yaml:9:5: node-3/x is never used",
        ),
        (
            "contested: [node-1/disk-7, node-2/disk-1]",
            "contested: [node-1/disk-7, node-2/disk-1], winner: node-1/disk-1",
            "a.yaml:19:98: there is no disk node-1/disk-1; did you mean node-1/disk-7?",
        ),
        (
            "contested: [node-1/disk-7, node-2/disk-1]",
            "contested: [node-1/disk-7]",
            "a.yaml:19:58: it takes two contested disks to get stuck",
        ),
        (
            "contested: [node-1/disk-7, node-2/disk-1]",
            "contested: [node-1/disk-7, node-2/disk-1], bystanders: [node-2/disk-1]",
            "a.yaml:19:103: node-2/disk-1 is contested, so it is no bystander",
        ),
        (
            "longhorn:",
            "variables: {image: a}\nlonghorn:",
            "a.yaml:4:13: the variable \"image\" is never used",
        ),
        (
            "title: t",
            "variables: {image: a}\ntitle: ${image} ${iamge}",
            "a.yaml:3:17: there is no variable \"iamge\"; did you mean image?",
        ),
    ] {
        assert!(GOOD.contains(from), "{from}");
        let found = said(&GOOD.replacen(from, to, 1));
        wrong.extend(differs(&found, problem));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What is said of actions in the second step, and of expectations after the others.
#[test]
fn actions_and_expectations_that_make_no_sense() {
    let mut wrong = Vec::new();
    let action =
        |action: &str| GOOD.replacen("    do:\n", &format!("    do:\n      - {action}\n"), 1);
    let expectation = |expectation: &str| format!("{GOOD}      - {expectation}\n");
    for (text, problem) in [
        (
            action("patch: {kind: Nod, name: node-1, merge: {spec: {}}}"),
            "a.yaml:17:23: there is no kind \"Nod\" in longhorn.io/v1beta2; did you mean Node?",
        ),
        (
            action("patch: {kind: Node, name: node-1, merge: {spec: {allowSheduling: false}}}"),
            "a.yaml:17:58: there is no member \"allowSheduling\" here; did you mean allowScheduling?",
        ),
        (
            action("patch: {kind: Node, name: node-1, merge: {}}"),
            "a.yaml:17:50: it names no member, so nothing would change",
        ),
        (
            action("apply: {apiVersion: v1, kind: ConfigMap, metadata: {name: a}, dat: {x: y}}"),
            "a.yaml:17:71: there is no member \"dat\" here; did you mean data?",
        ),
        (
            action("apply: {apiVersion: v1, kind: ConfigMap, metadata: {}}"),
            "a.yaml:17:60: the object has no metadata.name",
        ),
        (
            action("fault: {verb: creat, resource: backingimage, action: error}"),
            "a.yaml:17:23: there is no verb \"creat\"; did you mean create?",
        ),
        (
            action("upgrade: v1.8.1"),
            "a.yaml:17:18: Longhorn refuses this upgrade: failed to upgrade since downgrading from v1.9.1 to v1.8.1 is not supported",
        ),
        (
            expectation(
                "{objects: {kind: BackingImage, name: a, fields: {status: {dikFileStatusMap: {}}}}}",
            ),
            "a.yaml:21:67: there is no member \"dikFileStatusMap\" here; did you mean diskFileStatusMap?",
        ),
        // Also where it would hold for ever.
        (
            expectation(
                "{objects: {kind: BackingImage, match: any, fields: {stauts: {}}}, neverFor: 60}",
            ),
            "a.yaml:21:61: there is no member \"stauts\" here; did you mean status?",
        ),
        (
            expectation(
                "{objects: {kind: BackingImageDataSource, match: none, fields: {spec: {sourceType: downlod}}}, alwaysFor: 60}",
            ),
            "a.yaml:21:91: \"downlod\" cannot be here; did you mean download?",
        ),
        (
            expectation(
                "{objects: {kind: Node, name: node-1, fields: {metadata: {lables: {a: b}}}}}",
            ),
            "a.yaml:21:66: there is no member \"lables\" here; did you mean labels?",
        ),
        (
            expectation(
                "{objects: {apiVersion: v1, kind: Pod, match: none, fields: {spec: {nodName: a}}}}",
            ),
            "a.yaml:21:76: there is no member \"nodName\" here; did you mean nodeName?",
        ),
        (
            expectation(
                "{objects: {kind: BackingImageManager, match: any, fields: {spec: {diskUUID: 0123}}}}",
            ),
            "a.yaml:21:85: a text is here, and YAML reads this as a number: quote it",
        ),
        (
            expectation(
                "{objects: {kind: BackingImageManager, match: any, fields: {spec: {diskUUID: {a: b}}}}}",
            ),
            "a.yaml:21:85: a text is here, which has no members",
        ),
        (
            expectation("{findings: {fields: {disks: [{diskUuid: a}]}}}"),
            "a.yaml:21:39: there is no member \"diskUuid\" here; did you mean diskUUID?",
        ),
        (
            expectation("{findings: {fields: {state: acitve}}}"),
            "a.yaml:21:37: \"acitve\" cannot be here; did you mean active?",
        ),
        (
            expectation("{findings: {fields: {}}}"),
            "a.yaml:21:29: no member is named, so anything would fit",
        ),
        (
            expectation("{log: {contains: \"\"}}"),
            "a.yaml:21:26: every line has an empty text in it",
        ),
        (
            expectation("{settled: {image: parrot}}"),
            "a.yaml:21:9: it contradicts expect[0] under v1.9.1: image \"parrot\" cannot be stuck and settled at once; the step could not pass, and no later one would be reached",
        ),
        (
            expectation("{on: fixed, settled: {image: parrot}}"),
            "a.yaml:21:9: the same is expected in expect[1]",
        ),
        (
            expectation(
                "{objects: {kind: Node, match: any}, alwaysFor: 9}\n      - {objects: {kind: Node, match: any}, neverFor: 9}",
            ),
            "a.yaml:22:9: it contradicts expect[2] under v1.9.1: \"at least one at each look for 9 s\" and \"at least one at no look for 9 s\" cannot both be so; the step could not pass, and no later one would be reached",
        ),
        (
            expectation(
                "{objects: {kind: Node, match: {exactly: 1}}, alwaysFor: 9}\n      - {objects: {kind: Node, match: {exactly: 2}}, alwaysFor: 7}",
            ),
            "a.yaml:22:9: it contradicts expect[2] under v1.9.1: \"exactly 1 at each look for 9 s\" and \"exactly 2 at each look for 7 s\" cannot both be so; the step could not pass, and no later one would be reached",
        ),
        (
            GOOD.replace("v1.9.1, ", ""),
            "a.yaml:19:14: an expectation on Affected is never looked at: the step is played under v1.12.1",
        ),
        (
            GOOD.replace("      - {on: fixed, settled: {image: parrot}}\n", ""),
            "a.yaml:19:7: nothing is expected under v1.12.1",
        ),
    ] {
        let found = said(&text);
        wrong.extend(differs(&found, problem));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A member that only some of the versions have is no slip; one that none has is.
#[test]
fn members_are_those_of_the_versions_in_force() {
    let fields = "{objects: {kind: BackingImage, name: parrot, fields: {spec: {dataEngine: v1}}}}";
    let text = |versions: &str| {
        let text = GOOD.replace("[v1.9.1, v1.12.1]", versions);
        let text = text.replace("      - {on: fixed, settled: {image: parrot}}\n", "");
        format!("{text}      - {fields}\n")
    };
    assert_eq!(said(&text("[v1.7.2, v1.9.1]")), [""; 0]);
    let found = said(&text("[v1.7.2]"));
    assert!(
        found[0].contains("there is no member \"dataEngine\""),
        "{found:?}"
    );
}
