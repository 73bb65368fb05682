//! Reads what kubectl really prints, in every shape in which it comes.

use std::path::{Path, PathBuf};

use fixname_capture::{Source, read_files, read_text};
use fixname_longhorn::{CopyState, CoverageState, Inventory, Kind, Node};

const WINNER: &str = "c01200da-8a5c-4692-92e6-c4a983087951";
const LOSER: &str = "c012eb76-f8eb-4ea1-b81d-472eac9d98bf";

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data/recorded")
        .join(name)
}

fn read(names: &[&str]) -> Inventory {
    let sources: Vec<Source> = names.iter().map(|n| Source::Path(data(n))).collect();
    read_files(&sources).expect("the recordings are whole")
}

fn disks(inventory: &Inventory) -> Vec<(&str, &str, &str)> {
    inventory
        .nodes
        .iter()
        .flat_map(Node::disks)
        .map(|disk| (disk.node, disk.name, disk.status.disk_uuid.as_str()))
        .collect()
}

fn notes(inventory: &Inventory, kind: Kind) -> &[String] {
    let coverage = inventory.coverage.iter().find(|c| c.kind == kind);
    &coverage.expect("there is an entry for each kind").notes
}

#[test]
fn one_file_for_each_kind_gives_the_whole_cluster() {
    let inventory = read(&[
        "nodes.json",
        "backingimages.json",
        "backingimagemanagers.json",
        "backingimagedatasources.json",
        "replicas.json",
        "settings.json",
    ]);
    assert_eq!(
        disks(&inventory),
        [
            ("my-node-1", "disk-7", WINNER),
            ("my-node-2", "default-disk-a0c5d780fe32c91c", LOSER),
            (
                "my-node-3",
                "default-disk-51f2a6c09be3d847",
                "7b1d2c3e-5a8f-4c1d-9a52-3f0e8d6c2b11"
            ),
        ]
    );
    let image = inventory
        .backing_images
        .iter()
        .find(|i| i.name() == "rhel-9-5-comops-4249-v2")
        .unwrap();
    assert!(
        image
            .spec
            .disk_file_spec_map
            .as_ref()
            .unwrap()
            .contains_key(LOSER)
    );
    let status = image.status.disk_file_status_map.as_ref().unwrap();
    assert_eq!(status[WINNER].state, CopyState::Ready);
    assert!(!status.contains_key(LOSER));
    let manager = &inventory.managers[1];
    assert_eq!(manager.name(), "backing-image-manager-4407-c012");
    assert_eq!(manager.disk_label(), Some(WINNER));
    assert_eq!(inventory.data_sources.len(), 2);
    assert_eq!(inventory.replicas.len(), 3);
    let version = inventory
        .settings
        .iter()
        .find(|s| s.name() == "current-longhorn-version");
    assert_eq!(version.unwrap().value, "v1.9.1");
    let mut needed = Kind::ALL.iter().filter(|kind| **kind != Kind::Volume);
    assert!(needed.all(|kind| inventory.has_read(*kind)));
    assert!(inventory.ignored.is_empty());
}

#[test]
fn every_shape_of_the_same_nodes_gives_the_same_nodes() {
    let mut expected = read(&["nodes.json"]).nodes;
    assert_eq!(read(&["cluster.json"]).nodes, expected);
    assert_eq!(read(&["nodes.yaml"]).nodes, expected);
    assert_eq!(read(&["one-node.json"]).nodes, expected[..1]);

    let raw = read(&["node-list-raw.json"]).nodes;
    for (node, raw) in expected.iter_mut().zip(&raw) {
        assert!(raw.metadata.managed_fields.is_some());
        node.metadata
            .managed_fields
            .clone_from(&raw.metadata.managed_fields);
    }
    assert_eq!(raw, expected);
}

#[test]
fn a_kind_that_was_not_given_is_not_read() {
    let inventory = read(&["nodes.json"]);
    assert!(inventory.has_read(Kind::Node));
    // No finding needs volumes.
    assert!(inventory.coverage_of(Kind::Volume).is_none());
    for kind in Kind::ALL
        .iter()
        .filter(|k| !matches!(k, Kind::Node | Kind::Volume))
    {
        let coverage = inventory.coverage_of(*kind).unwrap();
        assert!(
            matches!(coverage, CoverageState::NotRead { reason } if reason == "not given"),
            "{coverage:?}"
        );
    }
}

#[test]
fn the_same_objects_in_two_files_are_taken_once() {
    let inventory = read(&["one-node.json", "nodes.json", "cluster.json"]);
    assert_eq!(inventory.nodes.len(), 3);
    assert_eq!(
        notes(&inventory, Kind::Node),
        ["4 given more than once, taken once"]
    );

    let before = std::fs::read_to_string(data("one-node.json")).unwrap();
    let after = before.replace("\"allowScheduling\": true", "\"allowScheduling\": false");
    let both = format!("{before}{after}");
    let error = read_text("two.json", both.as_bytes()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "two.json: Node my-node-1 is also in two.json, and differs"
    );
}

#[test]
fn values_one_after_another_and_yaml_documents_keep_their_order() {
    let json = |name: &str| {
        format!(
            r#"{{"apiVersion": "longhorn.io/v1beta2", "kind": "Node", "metadata": {{"name": "{name}"}}}}"#
        )
    };
    let (b, a) = (json("b"), json("a"));
    for text in [
        format!("{b}\n{a}"),
        format!("{b}{a}"),
        format!("\u{feff}{b}\n---\n{a}\n---\n"),
        format!("---\n{b}\n---\n{a}\n"),
        format!("# made by hand\n---\n---\n{b}\n...\n---\n{a}\n---\n"),
    ] {
        let inventory = read_text("x", text.as_bytes()).unwrap();
        let names: Vec<&str> = inventory.nodes.iter().map(Node::name).collect();
        assert_eq!(names, ["b", "a"], "{text}");
    }
}

#[test]
fn fields_may_come_in_any_order() {
    for text in [
        r#"{"status": {"diskStatus": {"d": {"diskUUID": "c012"}}}, "kind": "Node", "metadata": {"name": "n"}, "apiVersion": "longhorn.io/v1beta2"}"#,
        "status: {diskStatus: {d: {diskUUID: c012}}}\nkind: Node\nmetadata: {name: n}\napiVersion: longhorn.io/v1beta2\n",
        "kind: NodeList\nitems:\n- metadata: {name: n}\n  status: {diskStatus: {d: {diskUUID: c012}}}\napiVersion: longhorn.io/v1beta2\n",
        r#"{"items": [{"metadata": {"name": "n"}, "status": {"diskStatus": {"d": {"diskUUID": "c012"}}}}], "kind": "NodeList", "apiVersion": "longhorn.io/v1beta2"}"#,
    ] {
        let inventory = read_text("x", text.as_bytes()).unwrap();
        assert_eq!(disks(&inventory), [("n", "d", "c012")], "{text}");
        assert_eq!(inventory.nodes[0].kind, "Node");
        assert_eq!(inventory.nodes[0].api_version, "longhorn.io/v1beta2");
    }
}

#[test]
fn a_prefix_that_yaml_reads_as_a_number_stays_text() {
    let text = "apiVersion: longhorn.io/v1beta2\nkind: Node\nmetadata: {name: 4e07}\n\
                status: {diskStatus: {0123: {diskUUID: 1e10}}}\n";
    let inventory = read_text("x", text.as_bytes()).unwrap();
    assert_eq!(disks(&inventory), [("4e07", "0123", "1e10")]);
}

#[test]
fn absent_and_null_parts_are_normal() {
    let text = br#"{"apiVersion": "v1", "kind": "List", "items": [
        {"apiVersion": "longhorn.io/v1beta2", "kind": "Node"},
        {"apiVersion": "longhorn.io/v1beta2", "kind": "Node", "metadata": null, "spec": null, "status": null},
        {"apiVersion": "longhorn.io/v1beta2", "kind": "Node", "metadata": {}, "status": {"diskStatus": null}},
        {"apiVersion": "longhorn.io/v1beta2", "kind": "Node", "status": {"diskStatus": {"e": {"diskUUID": null}}}}
    ]}"#;
    let inventory = read_text("x", text).unwrap();
    assert_eq!(inventory.nodes.len(), 4);
    assert_eq!(disks(&inventory), [("", "e", "")]);
}

#[test]
fn an_empty_list_stands_for_nodes_unless_nodes_are_elsewhere() {
    let inventory = read(&["empty.json"]);
    assert!(inventory.has_read(Kind::Node));
    assert!(!inventory.has_read(Kind::BackingImage));
    assert!(notes(&inventory, Kind::Node)[0].contains("A wrong namespace gives an empty list too"));

    let inventory = read(&["nodes.json", "empty.json"]);
    assert!(notes(&inventory, Kind::Node).is_empty());
    let CoverageState::NotRead { reason } = inventory.coverage_of(Kind::BackingImage).unwrap()
    else {
        panic!("nothing says that the empty list is one of backing images");
    };
    assert!(
        reason.contains("is empty and does not say of what"),
        "{reason}"
    );

    let typed =
        br#"{"apiVersion": "longhorn.io/v1beta2", "kind": "BackingImageList", "items": []}"#;
    let inventory = read_text("x", typed).unwrap();
    assert!(inventory.has_read(Kind::BackingImage));
    assert!(!inventory.has_read(Kind::Node));
}

#[test]
fn other_kinds_are_counted_and_old_nodes_are_read() {
    let text = br#"{"apiVersion": "v1", "kind": "List", "items": [
        {"apiVersion": "longhorn.io/v1beta1", "kind": "Node", "metadata": {"name": "n"}, "status": {
            "conditions": {"Ready": {"type": "Ready", "status": "True"}},
            "diskStatus": {"d": {"diskUUID": "c012", "conditions": {"Ready": {"status": "True"}}}}}},
        {"apiVersion": "longhorn.io/v1beta1", "kind": "BackingImage", "metadata": {"name": "i"}},
        {"apiVersion": "longhorn.io/v1beta2", "kind": "Engine", "metadata": {"name": "v"}, "spec": []},
        {"apiVersion": "longhorn.io/v1beta2", "kind": "Engine", "metadata": {"name": "w"}},
        {"no": "kind"}
    ]}"#;
    let yaml = "kind: List\napiVersion: v1\nitems:\n\
        - {apiVersion: longhorn.io/v1beta1, kind: Node, metadata: {name: n}, status: {conditions: {Ready: {}}, diskStatus: {d: {diskUUID: c012, conditions: {}}}}}\n\
        - {apiVersion: longhorn.io/v1beta1, kind: BackingImage}\n\
        - {apiVersion: longhorn.io/v1beta2, kind: Engine, spec: []}\n\
        - {apiVersion: longhorn.io/v1beta2, kind: Engine}\n\
        - {no: kind}\n";
    for text in [&text[..], yaml.as_bytes()] {
        let inventory = read_text("x", text).unwrap();
        assert_eq!(disks(&inventory), [("n", "d", "c012")]);
        assert_eq!(
            notes(&inventory, Kind::Node),
            ["1 of API version longhorn.io/v1beta1: their conditions were not read"]
        );
        let CoverageState::NotRead { reason } = inventory.coverage_of(Kind::BackingImage).unwrap()
        else {
            panic!("v1beta1 images are not read");
        };
        assert_eq!(reason, "API version longhorn.io/v1beta1 is not understood");
        let ignored: Vec<_> = inventory
            .ignored
            .iter()
            .map(|i| (i.kind.as_str(), i.objects))
            .collect();
        assert_eq!(ignored, [("BackingImage", 1), ("Engine", 2), ("", 1)]);
    }
}
