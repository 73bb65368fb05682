//! `kb` against the script on the knowledge base's page: outputs of the real
//! script are in `data/kb/`, and the script's rule, written anew in Python, is
//! run on random nodes where there is a python3.

use std::path::Path;
use std::process::{Command, Stdio};

use fixname_capture::read_text;
use fixname_longhorn::{DiskStatus, Node};
use fixname_report::kb::kb;
use proptest::prelude::*;

#[test]
fn it_prints_what_the_script_printed() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/kb");
    let mut compared = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let input = entry.unwrap().path();
        if input.extension().is_some_and(|e| e == "json") {
            let expected = std::fs::read_to_string(input.with_extension("txt")).unwrap();
            let inventory = read_text("nodes", &std::fs::read(&input).unwrap()).unwrap();
            assert_eq!(kb(&inventory.nodes), expected, "{}", input.display());
            compared += 1;
        }
    }
    assert!(
        compared >= 8,
        "only {compared} outputs of the script were found"
    );
}

/// The script's rule, in our own words. It takes a list of lists of nodes and
/// gives a list of texts, so that one interpreter does for many cases.
const CHECKER: &str = r#"
import json, sys
texts = []
for cluster in json.load(sys.stdin):
    groups = {}
    for node in cluster:
        for disk, status in node["status"]["diskStatus"].items():
            uuid = status["diskUUID"]
            if uuid:
                groups.setdefault(uuid[:4], []).append((node["metadata"].get("name"), disk, uuid))
    lines = ["Conflict disks:"]
    for prefix, rows in groups.items():
        if len(rows) > 1:
            for node, disk, uuid in rows:
                lines.append('    Prefix "%s": node %s, disk %s (%s)' % (prefix, node, disk, uuid))
    texts.append("\n".join(lines) + "\n")
json.dump(texts, sys.stdout)
"#;

prop_compose! {
    fn node()(
        name in prop::option::of("[a-zäß界]{0,3}"),
        disks in prop::collection::vec(("[a-c界\\PC]{0,3}", "([cé]01[2é]x?[0-9a-f]{0,3})?"), 0..4),
    ) -> Node {
        let mut node = Node::default();
        node.metadata.name = name;
        for (name, uuid) in disks {
            node.status.disk_status.insert(name, DiskStatus { disk_uuid: uuid, ..DiskStatus::default() });
        }
        node
    }
}

#[test]
fn it_follows_the_scripts_rule_on_random_nodes() {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;

    let mut runner = TestRunner::deterministic();
    let clusters: Vec<Vec<Node>> = (0..500)
        .map(|_| {
            let tree = prop::collection::vec(node(), 0..6).new_tree(&mut runner);
            tree.expect("the strategy rejects nothing").current()
        })
        .collect();
    let python = Command::new("python3")
        .args(["-c", CHECKER])
        .env("PYTHONIOENCODING", "utf-8")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn();
    let Ok(mut python) = python else {
        eprintln!("skipped: there is no python3; the recorded outputs were compared");
        return;
    };
    let stdin = python.stdin.take().expect("it is piped");
    serde_json::to_writer(stdin, &clusters).unwrap();
    let output = python.wait_with_output().unwrap();
    assert!(output.status.success());
    let expected: Vec<String> = serde_json::from_slice(&output.stdout).unwrap();
    let mut with_conflicts = 0;
    for (nodes, expected) in clusters.iter().zip(&expected) {
        assert_eq!(&kb(nodes), expected);
        with_conflicts += usize::from(expected.lines().count() > 1);
    }
    assert!(
        with_conflicts > 100,
        "the random nodes hardly ever conflict: {with_conflicts}"
    );
}
