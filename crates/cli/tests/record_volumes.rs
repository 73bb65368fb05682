//! What `fixname scenario record` makes of volumes, replicas, settings and block disks,
//! and what a scenario on such a captured cluster begins with.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::{Value, json};
use tempfile::TempDir;

const DATA: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../capture/tests/data/recorded"
);
const WINNER: &str = "c01200da-8a5c-4692-92e6-c4a983087951";
const BYSTANDER: &str = "7b1d2c3e-5a8f-4c1d-9a52-3f0e8d6c2b11";

fn fixname(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_fixname"))
        .args(arguments)
        .output()
        .expect("the program starts")
}

fn object(kind: &str, name: &str, rest: Value) -> Value {
    let mut object = json!({"apiVersion": "longhorn.io/v1beta2", "kind": kind,
        "metadata": {"name": name, "namespace": "longhorn-system"}});
    let Value::Object(rest) = rest else {
        panic!("it has members");
    };
    object.as_object_mut().expect("it has members").extend(rest);
    object
}

fn volume(name: &str, image: &str, replicas: u64, node: &str, state: [&str; 2]) -> Value {
    object(
        "Volume",
        name,
        json!({
            "spec": {"backingImage": image, "numberOfReplicas": replicas, "nodeID": node, "dataEngine": "v1",
                "size": "10737418240"},
            "status": {"state": state[0], "robustness": state[1]},
        }),
    )
}

fn replica(volume: &str, image: &str, [node, uuid]: [&str; 2], state: &str) -> Value {
    object(
        "Replica",
        &format!("{volume}-r-{}", &uuid[..8]),
        json!({
            "spec": {"volumeName": volume, "backingImage": image, "nodeID": node, "diskID": uuid,
                "desireState": state, "dataEngine": "v1"},
            "status": {"currentState": state},
        }),
    )
}

/// The recorded cluster of the knowledge base's page, whose volume `vm-root` has a
/// replica on each disk of the stuck image; with volumes, changed settings and a block
/// disk that it has not.
fn dump(state: [&str; 2]) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder can be made");
    for kind in [
        "nodes",
        "backingimages",
        "backingimagemanagers",
        "backingimagedatasources",
        "replicas",
    ] {
        let file = format!("{kind}.json");
        std::fs::copy(Path::new(DATA).join(&file), folder.path().join(&file))
            .expect("the recorded files are there");
    }
    let ready =
        json!([{"type": "Ready", "status": "True"}, {"type": "Schedulable", "status": "True"}]);
    let others = json!({"apiVersion": "v1", "kind": "List", "items": [
        object("Node", "my-node-4", json!({
            "spec": {"disks": {"nvme": {"diskType": "block", "path": "/dev/nvme1n1", "allowScheduling": true}}},
            "status": {"conditions": ready, "diskStatus": {"nvme": {"diskType": "block", "conditions": ready,
                "diskUUID": "c012ffff-0000-4000-8000-000000000001"}}},
        })),
        volume("vm-root", "rhel-9-5-comops-4249-v2", 3, "my-node-1", state),
        volume("quiet", "parrot", 2, "my-node-2", ["attached", "degraded"]),
        replica("quiet", "parrot", ["my-node-1", WINNER], "running"),
        volume("asleep", "rhel-9-5-comops-4249-v2", 1, "", ["detached", "unknown"]),
        replica("asleep", "rhel-9-5-comops-4249-v2", ["my-node-3", BYSTANDER], "stopped"),
        object("BackingImage", "spare", json!({
            "spec": {"diskFileSpecMap": {WINNER: {"dataEngine": "v1"}, BYSTANDER: {"dataEngine": "v1"}},
                "minNumberOfCopies": 1, "sourceType": "download", "dataEngine": "v1"},
        })),
        volume("plain", "", 1, "", ["detached", "unknown"]),
        volume("lost", "nothing", 1, "", ["detached", "unknown"]),
        object("Setting", "current-longhorn-version", json!({"value": "v1.9.1"})),
        object("Setting", "default-backing-image-manager-image", json!({"value": "example.com/manager:v9"})),
        object("Setting", "concurrent-backing-image-replenish-per-node-limit", json!({"value": "0"})),
        object("Setting", "backing-image-recovery-wait-interval", json!({"value": "300"})),
        object("Setting", "backing-image-cleanup-wait-interval", json!({"value": "1"})),
        object("Setting", "replica-auto-balance", json!({"value": "least-effort"})),
        object("Setting", "taint-toleration", json!({"value": "team=storage:NoSchedule"})),
        object("Setting", "not-of-this-version", json!({"value": "x"})),
    ]});
    let file = folder.path().join("others.json");
    std::fs::write(file, others.to_string()).expect("a file can be written");
    folder
}

/// A scenario of a dump, and what was said of it.
fn record(dump: &TempDir, flags: &[&str]) -> (String, String) {
    let folder = dump.path().to_str().expect("a plain name");
    let output = fixname(&[&["scenario", "record", folder], flags].concat());
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(0), "{flags:?}: {said}");
    let text = String::from_utf8(output.stdout).expect("the output is text");
    (text, said)
}

/// Every scenario in a folder passes, with this many runs.
fn replay(folder: &Path, runs: usize) {
    let output = fixname(&["replay", folder.to_str().expect("a plain name")]);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}{errors}");
    assert!(said.contains(&format!("{runs} passed, 0 failed")), "{said}");
}

#[test]
fn volumes_that_wait_are_recorded_and_replay_green() {
    let folder = tempfile::tempdir().unwrap();
    let mut runs = 0;
    for (state, wanted) in [
        (["attaching", "unknown"], "status: {state: attaching}"),
        (["attached", "degraded"], "robustness: degraded"),
    ] {
        let dump = dump(state);
        for flags in [
            &[][..],
            &["--whole"],
            &["--anonymize"],
            &["--whole", "--anonymize"],
        ] {
            let name = format!("recorded-{runs}");
            let (text, said) = record(&dump, &[flags, &["--name", &name]].concat());
            let (is_whole, is_other) = (flags.contains(&"--whole"), flags.contains(&"--anonymize"));
            // Two replicas of one volume wait: on the loser and on the bystander.
            assert!(text.contains(wanted), "{flags:?}: {text}");
            assert!(text.contains("currentState: stopped"), "{text}");
            assert!(text.contains("match: {exactly: 2}"), "{text}");
            let volumes = text.matches("      replicas: ").count();
            assert_eq!(volumes, if is_whole { 3 } else { 1 }, "{text}");
            assert_eq!(text.contains("  block: ["), is_whole, "{text}");
            assert_eq!(text.contains("\"vm-root\""), !is_other, "{text}");
            assert_eq!(text.contains("\"volume-1\""), is_other, "{text}");
            assert_eq!(text.contains("my-node"), !is_other, "{text}");
            assert!(text.contains("replenish-per-node-limit\": \"0\""), "{text}");
            let mine = is_whole && !is_other;
            assert_eq!(text.contains("team=storage"), mine, "{text}");
            assert_eq!(text.contains("replica-auto-balance"), mine, "{text}");
            for never in [
                "recovery-wait",
                "manager:v9",
                "not-of-this",
                "\"plain\"",
                "\"lost\"",
            ] {
                assert!(!text.contains(never), "{never}: {text}");
            }
            assert!(
                said.contains("volume lost is left out: its image nothing"),
                "{said}"
            );
            assert!(said.contains("1 volumes of no image"), "{said}");
            // A copy that nobody uses would be removed while the scenario is looked at.
            let is_left_out = said.contains("cleanup-wait-interval is left out");
            assert_eq!(is_left_out, is_whole, "{said}");
            assert_eq!(text.contains("cleanup-wait-interval"), !is_whole, "{text}");
            let file = folder.path().join(format!("{name}.yaml"));
            std::fs::write(file, text).unwrap();
            runs += 1;
        }
    }
    replay(folder.path(), runs);
}

#[test]
fn a_volume_whose_state_the_model_does_not_show_is_left_out() {
    for (state, why) in [
        (
            ["detaching", "unknown"],
            "it is \"detaching\" and \"unknown\"",
        ),
        (
            ["attached", "healthy"],
            "it is \"attached\" and \"healthy\"",
        ),
    ] {
        let (text, said) = record(&dump(state), &[]);
        assert!(!text.contains("volumes:"), "{text}");
        assert!(
            said.contains("volume vm-root is left out: replicas of it wait"),
            "{said}"
        );
        assert!(said.contains(why), "{said}");
    }
    // Without their replicas nothing is known of volumes.
    let dump = dump(["attaching", "unknown"]);
    let replicas = dump.path().join("replicas.json");
    std::fs::remove_file(replicas).unwrap();
    let others = dump.path().join("others.json");
    let mut list: Value = serde_json::from_slice(&std::fs::read(&others).unwrap()).unwrap();
    let items = list["items"].as_array_mut().unwrap();
    items.retain(|object| object["kind"] != "Replica");
    std::fs::write(&others, list.to_string()).unwrap();
    let (text, said) = record(&dump, &["--whole"]);
    assert!(!text.contains("volumes:"), "{text}");
    assert!(said.contains("volumes are left out"), "{said}");
}

#[test]
fn a_captured_cluster_has_its_volumes_settings_and_block_disks() {
    let dump = dump(["attaching", "unknown"]);
    let folder = tempfile::tempdir().unwrap();
    let list: Vec<Value> = std::fs::read_dir(dump.path())
        .unwrap()
        .map(|file| {
            let text = std::fs::read(file.unwrap().path()).unwrap();
            serde_json::from_slice(&text).unwrap()
        })
        .collect();
    let text: String = list.iter().map(ToString::to_string).collect();
    std::fs::write(folder.path().join("cluster.json"), text).unwrap();
    std::fs::write(
        folder.path().join("captured.yaml"),
        r#"
name: captured
title: t
description: d
longhorn: [v1.9.1]
cluster:
  captured: cluster.json
  settings: {replica-auto-balance: disabled}
steps:
  - name: what is there is ready
    expect:
      - settled: {image: rhel-9-5-comops-4249-v2}
      - objects: {kind: Volume, name: quiet, fields: {status: {state: attached, robustness: healthy}}}
      - objects: {kind: Volume, name: vm-root, fields: {spec: {numberOfReplicas: 3}, status: {state: detached}}}
      - objects: {kind: Node, name: my-node-4, fields: {status: {diskStatus: {nvme: {diskType: block}}}}}
      - objects: {kind: Setting, name: taint-toleration, fields: {value: "team=storage:NoSchedule"}}
      - objects: {kind: Setting, name: replica-auto-balance, fields: {value: disabled}}
  - name: the volume is attached
    do:
      - patch: {kind: Volume, name: vm-root, merge: {spec: {nodeID: my-node-1}}}
    expect:
      - stuck:
          image: rhel-9-5-comops-4249-v2
          contested: [my-node-1/disk-7, my-node-2/default-disk-a0c5d780fe32c91c]
          winner: my-node-1/disk-7
      - objects: {kind: Volume, name: vm-root, fields: {status: {state: attaching}}}
        stuckFor: 100
"#,
    )
    .unwrap();
    replay(folder.path(), 1);
}
