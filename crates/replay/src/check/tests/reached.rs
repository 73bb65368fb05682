//! Steps that earlier ones keep from being reached, or from showing anything.

use crate::load::parse;

/// A scenario with a later disk, a volume, and a step for each list of lines.
fn said(head: &str, steps: &[&str]) -> Vec<String> {
    let mut text = format!(
        "\
name: a
title: t
description: d
{head}
cluster:
  disks:
    node-1/disk-7: c01200da-8a5c-4692-92e6-c4a983087951
    node-2/disk-1: c012eb76-f8eb-4ea1-b81d-472eac9d98bf
    node-2/disk-2: 5d0c97e4-1f0b-4b52-8f3e-0a6f5c1e7b21
  later: [node-2/disk-2]
  images:
    parrot: {{source: node-1/disk-7, copies: [node-1/disk-7]}}
  volumes:
    data: {{image: parrot}}
steps:
"
    );
    for (index, step) in steps.iter().enumerate() {
        text += &format!("  - name: step {}\n{step}\n", index + 1);
    }
    let added = "  - name: end\n    do: [addDisk: {disk: node-2/disk-2}]\n    expect: [settled: {image: macaw}]\n";
    let made = "  - name: made\n    do:\n      - apply: {apiVersion: longhorn.io/v1beta2, kind: BackingImage, metadata: {name: macaw}}\n    expect: [settled: {image: macaw}]\n";
    let error = parse("a.yaml", &(text + made + added)).err();
    let problems = error.map_or_else(Vec::new, |error| error.0);
    let first = |p: &crate::Problem| p.to_string().lines().next().map(str::to_owned);
    problems.iter().filter_map(first).collect()
}

const V191: &str = "longhorn: [v1.9.1]";
const READY: &str = "    expect: [settled: {image: parrot}]";
const GONE: &str = "    do: [delete: {kind: BackingImage, name: parrot}]\n    expect: [objects: {kind: BackingImage, name: parrot, match: none}]";
const DELETED: &str = "    do: [delete: {kind: BackingImage, name: parrot}]\n    expect: [objects: {kind: BackingImage, match: any}]";
const AGAIN: &str = "    do: [apply: {apiVersion: longhorn.io/v1beta2, kind: BackingImage, metadata: {name: parrot}}]\n    expect: [settled: {image: parrot}]";
const ANY: &str = "    expect: [objects: {kind: Node, match: any}]";

#[test]
fn what_can_be_reached_is_no_mistake() {
    for steps in [
        &[READY][..],
        &[READY, DELETED],
        &[READY, GONE, AGAIN],
        // It need not have gone yet.
        &[
            READY,
            DELETED,
            "    do: [patch: {kind: BackingImage, name: parrot, merge: {spec: {minNumberOfCopies: 2}}}]\n    expect: [objects: {kind: BackingImage, name: parrot}]",
        ],
        // Not shown under every version, or only of some.
        &[
            READY,
            "    do: [delete: {kind: BackingImage, name: parrot}]\n    expect: [objects: {kind: BackingImage, name: parrot, fields: {spec: {minNumberOfCopies: 9}}, match: none}]",
            "    do: [drop: {image: parrot, disks: [node-1/disk-7]}]\n    expect: [objects: {kind: Node, match: any}]",
        ],
        // A program may make anything.
        &[
            READY,
            GONE,
            "    do: [run: {command: [make-it]}]\n    expect: [settled: {image: parrot}]",
        ],
        &[
            "    do: [nodeDown: node-1]\n    expect: [objects: {kind: Node, match: any}]",
            "    do: [nodeUp: node-1]\n    expect: [settled: {image: parrot}]",
        ],
        &[
            "    do: [patch: {kind: Node, name: node-2, merge: {spec: {disks: {disk-1: null}}}}]\n    expect: [objects: {kind: Node, match: any}]",
            "    do: [addDisk: {disk: node-2/disk-1}]\n    expect: [objects: {kind: Node, match: any}]",
        ],
        // Nobody knows the names of what controllers make.
        &["    expect: [objects: {kind: Replica, name: data-r-1, match: none}]"],
        // It is not there yet.
        &["    expect: [objects: {kind: BackingImage, name: macaw, match: none}]"],
    ] {
        assert_eq!(said(V191, steps), [""; 0], "{steps:#?}");
    }
}

#[test]
fn what_can_not_be_reached_is_said_with_its_place() {
    let expects_drop = "    do: [drop: {image: parrot, disks: [node-1/disk-7]}]\n    expect: [objects: {kind: Node, match: any}]";
    for (steps, wanted) in [
        (
            &[READY, GONE, READY][..],
            "22:31: BackingImage \"parrot\" has gone by step 2 (\"step 2\"), so this can never be so; apply it again before, or leave this out",
        ),
        (
            &[READY, GONE, expects_drop],
            "22:24: BackingImage \"parrot\" has gone by step 2 (\"step 2\"), so this would fail, and no later step would be reached; apply it again before, or leave this out",
        ),
        (
            &[
                READY,
                "    do: [delete: {kind: BackingImage, name: parrot}]\n    expect: [objects: {kind: BackingImage, match: none}]",
                expects_drop,
            ],
            "22:24: BackingImage \"parrot\" has gone",
        ),
        (
            &[READY, DELETED, READY],
            "22:31: image \"parrot\" is deleted in step 2 (\"step 2\"), so this can never be so; apply it again before",
        ),
        (
            &[
                READY,
                GONE,
                "    expect: [objects: {kind: BackingImage, name: parrot}]",
            ],
            "22:50: BackingImage \"parrot\" has gone",
        ),
        (
            &["    expect: [settled: {image: macaw}]"],
            "17:31: BackingImage \"macaw\" is applied later, so this can never be so; apply it before",
        ),
        (
            &[
                "    do: [want: {image: macaw, disks: [node-1/disk-7]}]\n    expect: [objects: {kind: Node, match: any}]",
            ],
            "17:24: BackingImage \"macaw\" is applied later, so this would fail",
        ),
        (
            &[
                "    do: [patch: {kind: Volume, name: date, merge: {spec: {nodeID: node-1}}}]\n    expect: [settled: {image: parrot}]",
            ],
            "17:38: there is no Volume \"date\", so this would fail, and no later step would be reached; did you mean data?",
        ),
        (
            &[
                "    do: [delete: {kind: Node, name: node-9}]\n    expect: [settled: {image: parrot}]",
            ],
            "17:37: there is no Node \"node-9\", so this would fail",
        ),
        (
            &["    expect: [objects: {kind: Volume, name: date}]"],
            "17:44: there is no Volume \"date\", so this can never be so; did you mean data?",
        ),
        (
            &["    expect: [{objects: {kind: Volume, name: date, match: none}, alwaysFor: 9}]"],
            "17:45: there is no Volume \"date\", so this cannot fail; did you mean data?",
        ),
        (
            &["    expect: [{objects: {kind: Volume, name: date}, neverFor: 9}]"],
            "17:45: there is no Volume \"date\", so this cannot fail; did you mean data?",
        ),
        (
            &[
                "    do: [nodeDown: node-1]\n    expect: [objects: {kind: Node, match: any}]",
                "    do: [nodeDown: node-1]\n    expect: [objects: {kind: Node, match: any}]",
            ],
            "20:20: node-1 has no power since step 1 (\"step 1\"): nothing would change; give it back with nodeUp first",
        ),
        (
            &["    do: [nodeUp: node-1]\n    expect: [settled: {image: parrot}]"],
            "17:18: node-1 has its power: nothing would change; nodeDown takes it",
        ),
        (
            &["    do: [addDisk: {disk: node-2/disk-1}]\n    expect: [settled: {image: parrot}]"],
            "17:26: node-2/disk-1 is there already: name it in the cluster's `later`, or leave this out",
        ),
        (
            &["    do: [config: {disk: node-2/disk-2}]\n    expect: [settled: {image: parrot}]"],
            "17:25: node-2/disk-2 is not there before addDisk, so this would fail, and no later step would be reached",
        ),
        (
            &["    expect: [stuck: {image: parrot, contested: [node-1/disk-7, node-2/disk-2]}]"],
            "17:48: under v1.9.1 the managers of these disks have names of their own, so this can never be so: their UUIDs differ in the first four characters",
        ),
    ] {
        let found = said(V191, steps);
        let is = found
            .first()
            .is_some_and(|first| first.starts_with(&format!("a.yaml:{wanted}")));
        assert!(is, "wanted {wanted}\nsaid {found:#?}");
        assert_eq!(found.len(), 1, "{found:#?}");
    }
    let both = "    expect: [stuck: {image: parrot, contested: [node-1/disk-7, node-2/disk-1]}]";
    assert_eq!(said(V191, &[both]), [""; 0]);
    let found = said("longhorn: [v1.9.1, v1.12.1]", &[both]);
    assert_eq!(
        found,
        [
            "a.yaml:17:48: under v1.12.1 the managers of these disks have names of their own, so this can never be so: say `on: affected`"
        ]
    );
    let upgraded = "    do: [upgrade: v1.10.2]\n    expect: [stuck: {image: parrot, contested: [node-1/disk-7, node-2/disk-1]}]";
    let found = said(V191, &[ANY, upgraded]);
    assert_eq!(found.len(), 1, "{found:#?}");
    assert!(
        found[0].starts_with("a.yaml:20:48: under v1.10.2 "),
        "{found:#?}"
    );
}

#[test]
fn that_every_disk_wins_must_be_looked_at() {
    let scenario = |repeat: &str, stuck: &str| {
        let text = format!(
            "\
name: a
title: t
description: d
longhorn: [v1.9.1]
repeat: {{{repeat}, everyContestedDiskWins: true}}
cluster:
  disks:
    node-1/disk-7: c01200da-8a5c-4692-92e6-c4a983087951
    node-2/disk-1: c012eb76-f8eb-4ea1-b81d-472eac9d98bf
  images:
    parrot: {{source: node-1/disk-7, copies: [node-1/disk-7, node-2/disk-1]}}
steps:
  - name: first
    expect: [{stuck}]
"
        );
        let error = parse("a.yaml", &text).err();
        error.map_or_else(String::new, |error| error.to_string())
    };
    let stuck = "stuck: {image: parrot, contested: [node-1/disk-7, node-2/disk-1]}";
    let won =
        "stuck: {image: parrot, contested: [node-1/disk-7, node-2/disk-1], winner: node-1/disk-7}";
    assert_eq!(scenario("seeds: 2", stuck), "");
    for (repeat, stuck, problem) in [
        ("seeds: 2", "settled: {image: parrot}", "never looked at"),
        (
            "seeds: 2",
            won,
            "node-1/disk-7 wins, so no other disk could",
        ),
        (
            "seeds: 1",
            stuck,
            "in 1 runs not each of 2 disks can win: give more seeds",
        ),
    ] {
        let found = scenario(repeat, stuck);
        assert!(found.starts_with("a.yaml:5:"), "{found}");
        assert!(found.contains(problem), "{found}");
    }
}
