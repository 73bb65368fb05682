//! Recordings that nobody made, whose outcome is known all the same: the recorded
//! ones with other names, other times, other orders, and under versions that behave
//! alike. What is built for the recorded scenarios only would not pass them.

use fixname_replay::conform::{ConformOptions, RecordingResult, conform, parse, text};
use serde_json::{Value, json};

const RUNS: &[u8] = include_bytes!("data/longhorn-runs.jsonl.gz");

/// Recorded runs that one of the first seeds gives whole.
const SAMPLE: &[(&str, &str)] = &[
    ("late-collision", "v1.8.1"),
    ("late-collision", "v1.9.1"),
    ("freeze-is-stale", "v1.9.1"),
    ("evict-winner-disk", "v1.9.2"),
    ("evict-loser-disk", "v1.10.2"),
    ("label-stripped-from-live-manager", "v1.9.1"),
    ("pinned-image-upgrade-collided-to-v1.10.2", "v1.9.1"),
    ("replica-and-last-reference", "v1.12.1"),
    ("three-disks-one-prefix", "v1.10.2"),
    ("v2-entry-is-skipped", "v1.9.1"),
    ("uuid-shorter-than-four", "v1.9.1"),
    ("upper-case-uuid", "v1.9.1"),
];

fn sample() -> Vec<Value> {
    let all = text(RUNS).expect("the packed test data is whole");
    let all: Vec<Value> = all
        .lines()
        .map(|line| serde_json::from_str(line).expect("a line is JSON"))
        .collect();
    let first = |(scenario, version): &(&str, &str)| {
        let mut of = all.iter().filter(|r| r["scenario"] == *scenario);
        let found = of.find(|r| r["version"] == *version);
        found.unwrap_or_else(|| panic!("there is no {scenario} {version}"))
    };
    SAMPLE.iter().map(|named| first(named).clone()).collect()
}

fn played(recordings: &[Value]) -> Vec<RecordingResult> {
    let lines: Vec<_> = recordings.iter().map(ToString::to_string).collect();
    let lines = parse("varied", &lines.join("\n")).expect("a varied line is understood");
    let options = ConformOptions {
        seeds: 40,
        agreement: 0,
        parallel: 2,
        ..ConformOptions::default()
    };
    let result = conform(&lines, &options).expect("the recorded clusters can be made");
    result.recordings
}

fn all_are_reproduced(what: &str, recordings: &[Value]) {
    for result in played(recordings) {
        assert!(result.whole, "{what}: {result:#?}");
    }
}

/// The same run with every occurrence of names replaced, also in texts.
fn renamed(recording: &Value, names: &[(&str, &str)]) -> Value {
    let mut text = recording.to_string();
    for (from, to) in names {
        text = text.replace(from, to);
    }
    serde_json::from_str(&text).expect("names have no quotes")
}

#[test]
fn names_of_scenarios_nodes_disks_and_images_mean_nothing() {
    let names = [
        ("node-2", "worker-b"),
        ("node-3", "a-third.example.com"),
        ("disk-2", "nvme"),
        ("disk-3", "default-disk-1"),
        ("parrot", "lorikeet"),
        ("heron", "albatross"),
    ];
    let varied: Vec<_> = sample()
        .iter()
        .map(|recording| {
            let mut recording = renamed(recording, &names);
            recording["scenario"] = json!("something-else");
            recording
        })
        .collect();
    all_are_reproduced("renamed", &varied);
}

#[test]
fn versions_that_behave_alike_give_the_same() {
    let varied: Vec<_> = sample()
        .iter()
        .map(|recording| {
            let mut recording = recording.clone();
            let alike = |version: &mut Value| {
                *version = match version.as_str() {
                    Some("v1.8.1") => json!("v1.8.0"),
                    Some("v1.9.2") => json!("v1.10.0"),
                    Some("v1.10.2") => json!("v1.11.0"),
                    Some("v1.12.1") => json!("v1.12.0"),
                    _ => return,
                };
            };
            alike(&mut recording["version"]);
            for step in recording["steps"].as_array_mut().into_iter().flatten() {
                alike(&mut step["longhornVersion"]);
            }
            recording
        })
        .collect();
    assert_ne!(varied, sample());
    all_are_reproduced("under another version", &varied);
}

#[test]
fn what_has_settled_stays_so() {
    let varied: Vec<_> = sample()
        .iter()
        .map(|recording| {
            let mut recording = recording.clone();
            for step in recording["steps"].as_array_mut().into_iter().flatten() {
                if step["settled"] == false {
                    continue;
                }
                step["seconds"] = json!(step["seconds"].as_f64().unwrap() + 65.0);
            }
            recording
        })
        .collect();
    all_are_reproduced("with more time", &varied);
}

/// Sets stay sets: the order of nodes, of wanted disks and of managers is nobody's.
#[test]
fn orders_in_the_record_mean_nothing() {
    let varied: Vec<_> = sample()
        .iter()
        .map(|recording| {
            let mut recording = recording.clone();
            let reverse = |list: &mut Value| {
                if let Some(list) = list.as_array_mut() {
                    list.reverse();
                }
            };
            for image in recording["backingImages"]
                .as_object_mut()
                .into_iter()
                .flatten()
            {
                reverse(&mut image.1["diskFileSpecMap"]);
            }
            for step in recording["steps"].as_array_mut().into_iter().flatten() {
                reverse(&mut step["backingImageManagers"]);
                for image in step["backingImages"].as_object_mut().into_iter().flatten() {
                    reverse(&mut image.1["specDisks"]);
                    reverse(&mut image.1["lastRef"]);
                }
            }
            recording
        })
        .collect();
    all_are_reproduced("in another order", &varied);
}

/// Nodes with disks that no image wants and nobody may put a copy on.
#[test]
fn idle_nodes_change_nothing() {
    let varied: Vec<_> = sample()
        .iter()
        .map(|recording| {
            let mut recording = recording.clone();
            for index in 0..20 {
                let name = format!("idle-{index}");
                let uuid = format!("{index:08x}-1111-4111-8111-111111111111");
                // Not ready, so that neither a moved data source nor a new copy comes there.
                recording["nodes"][&name] = json!({"disk-1": {"diskUUID": uuid, "ready": false}});
                recording["nodeReady"][&name] = json!(true);
            }
            recording
        })
        .collect();
    all_are_reproduced("with idle nodes", &varied);
}

/// Operations in the forms that the format allows and no recording has.
#[test]
fn each_form_of_an_operation_is_understood_and_an_unknown_one_is_not() {
    let disk = "c01200da-8a5c-4692-92e6-c4a983087951";
    let among = json!({"among": [disk], "that": "haveAManager", "takeFirst": true, "ifNone": disk});
    let forms = |of: &str| {
        [json!(disk), json!([disk]), json!([]), among.clone()].map(|choice| (of.to_owned(), choice))
    };
    let with = |op: Value, (field, choice): (String, Value)| {
        let mut op = op;
        op[field] = choice;
        op
    };
    let mut operations = Vec::new();
    for (op, field) in [
        (
            json!({"op": "addToSpec", "backingImage": "parrot"}),
            "disks",
        ),
        (
            json!({"op": "removeFromSpec", "backingImage": "parrot"}),
            "disks",
        ),
        (
            json!({"op": "changeDiskUUID", "to": "x", "backingImages": []}),
            "disk",
        ),
        (
            json!({"op": "setDiskAllowScheduling", "allow": true}),
            "disk",
        ),
        (json!({"op": "deleteManager"}), "ofDisk"),
        (json!({"op": "stripManagerLabel"}), "ofDisk"),
        (json!({"op": "setManagerDiskLabel", "to": "x"}), "ofDisk"),
        (
            json!({"op": "setFileState", "backingImage": "parrot", "state": "none"}),
            "ofDisk",
        ),
        (
            json!({"op": "createReplica", "name": "r", "backingImage": "parrot"}),
            "disk",
        ),
    ] {
        operations.extend(forms(field).map(|form| with(op.clone(), form)));
    }
    let create = json!({"op": "createBackingImage", "name": "new", "diskFileSpecMap": [disk],
        "minNumberOfCopies": 2, "dataSourceDisk": disk,
        "dataSource": {"state": "", "fileTransferred": false}});
    let mut without_source = create.clone();
    without_source["dataSourceDisk"] = Value::Null;
    operations.extend([
        create,
        without_source,
        json!({"op": "setDiskReady", "node": "n", "disk": "d", "ready": false}),
        json!({"op": "setNodeReady", "node": "n", "ready": false}),
        json!({"op": "addDisk", "node": "n", "disk": "d", "diskUUID": disk}),
        json!({"op": "removeDisk", "node": "n", "disk": "d"}),
        json!({"op": "requestDiskEviction", "node": "n", "disk": "d"}),
        json!({"op": "cancelDiskEviction", "node": "n", "disk": "d"}),
        json!({"op": "setDiskAllowScheduling", "node": "n", "disk": "d", "allow": false}),
        json!({"op": "setDataSource", "backingImage": "parrot", "state": "ready"}),
        json!({"op": "setDataSource", "backingImage": "parrot", "state": "ready", "fileTransferred": true}),
        json!({"op": "deleteBackingImage", "name": "parrot"}),
        json!({"op": "touchBackingImage", "name": "parrot"}),
        json!({"op": "deleteReplica", "name": "r"}),
        json!({"op": "setSetting", "name": "s", "value": "0"}),
        json!({"op": "restartController"}),
        json!({"op": "startSecondController", "node": "n", "version": "v1.9.1", "image": "i"}),
    ]);
    let mut recording = sample().remove(0);
    let mut read = |operation: &Value| {
        let mut change = operation.clone();
        change["atMs"] = json!(1);
        change["resolved"] = json!([]);
        recording["steps"][1]["changes"] = json!([change]);
        parse("varied", &recording.to_string())
    };
    for operation in &operations {
        assert!(
            read(operation).is_ok(),
            "{operation}: {:?}",
            read(operation)
        );
        let mut unknown = operation.clone();
        unknown["op"] = json!("moveDisk");
        assert!(read(&unknown).is_err(), "{unknown}");
        let mut extra = operation.clone();
        extra["speed"] = json!(1);
        assert!(read(&extra).is_err(), "{extra}");
    }
}

/// An operation of two writes takes its time between them. Here the first takes a
/// data source back; its state, not written yet, is still `ready`, so a controller
/// that is quick enough marks it transferred again, and all stays as it was.
#[test]
fn a_controller_may_be_done_between_two_writes_of_one_operation() {
    let mut varied: Vec<_> = sample();
    varied.retain(|recording| recording["scenario"] == "late-collision");
    for recording in &mut varied {
        let steps = recording["steps"].as_array_mut().unwrap();
        let mut step = steps.last().unwrap().clone();
        step["do"] = json!("take the data source back");
        step["changes"] = json!([{
            "op": "setDataSource", "backingImage": "parrot", "state": "in-progress",
            "fileTransferred": false, "atMs": 8
        }]);
        for said in ["logged", "loggedInfo", "events", "attempts"] {
            step.as_object_mut().unwrap().remove(said);
        }
        steps.push(step);
    }
    assert!(!varied.is_empty());
    all_are_reproduced("taken back", &varied);
}
