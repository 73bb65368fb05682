//! A cluster that was captured is what a scenario begins with; a scenario that comes
//! from anybody reads no other file.

use std::fs;
use std::path::Path;

use fixname_replay::backend::EmbeddedBackend;
use fixname_replay::{Scenario, Suite, SuiteOptions, load};
use tempfile::TempDir;

/// A scenario on a captured cluster, with more of its own if there is any.
fn scenario(captured: &str, more: &str) -> String {
    format!(
        "\
name: captured
title: t
description: d
longhorn: [v1.9.1]
cluster:
  captured: \"{captured}\"{more}
steps:
  - name: the copies that are there are ready
    expect:
      - settled: {{image: rhel-9-5-comops-4249-v2}}
      - settled: {{image: parrot}}
  - name: another copy is wanted
    do:
      - want: {{image: parrot, disks: [my-node-2/default-disk-a0c5d780fe32c91c]}}
    expect:
      - stuck:
          image: parrot
          contested: [my-node-1/disk-7, my-node-2/default-disk-a0c5d780fe32c91c]
          winner: my-node-1/disk-7
"
    )
}

/// A folder with a captured cluster in `dumps/cluster.json`.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().expect("a folder that can be written");
    let recorded = "../capture/tests/data/recorded/cluster.json";
    let recorded = Path::new(env!("CARGO_MANIFEST_DIR")).join(recorded);
    fs::create_dir(folder.path().join("dumps")).expect("a folder that can be written");
    fs::copy(recorded, folder.path().join("dumps/cluster.json"))
        .expect("a folder that can be written");
    folder
}

fn loaded(folder: &TempDir, text: &str) -> Result<Vec<Scenario>, String> {
    let file = folder.path().join("captured.yaml");
    fs::write(&file, text).expect("a folder that can be written");
    load(&[file]).map_err(|error| error.to_string())
}

#[test]
fn a_captured_cluster_is_played() {
    let folder = folder();
    let scenarios = loaded(&folder, &scenario("dumps/cluster.json", "")).unwrap();
    assert_eq!(scenarios[0].cluster.disks.len(), 3);
    assert_eq!(scenarios[0].cluster.images.len(), 2);
    let result = Suite::new(&scenarios, SuiteOptions::default()).run(
        &EmbeddedBackend,
        &|| false,
        &mut |_| {},
    );
    assert!(result.passed(), "{:#?}", result.runs);
}

#[test]
fn what_the_file_says_itself_counts() {
    let folder = folder();
    let more = "
  disks: {my-node-2/default-disk-a0c5d780fe32c91c: \"c012aaaa-f8eb-4ea1-b81d-472eac9d98bf\"}
  images: {macaw: {source: my-node-1/disk-7, copies: [my-node-1/disk-7]}}";
    let scenarios = loaded(&folder, &scenario("dumps/cluster.json", more)).unwrap();
    let cluster = &scenarios[0].cluster;
    assert_eq!((cluster.disks.len(), cluster.images.len()), (3, 3));
    assert!(
        cluster
            .disks
            .values()
            .any(|uuid| uuid.starts_with("c012aaaa"))
    );
    assert!(
        !cluster
            .disks
            .values()
            .any(|uuid| uuid.starts_with("c012eb"))
    );
}

#[test]
fn another_file_than_a_dump_below_the_folder_is_a_mistake_at_its_place() {
    let folder = folder();
    let outside = tempfile::tempdir().unwrap();
    let real = folder.path().join("dumps/cluster.json");
    fs::copy(real, outside.path().join("cluster.json")).unwrap();
    fs::write(folder.path().join("empty.json"), "{}").unwrap();
    let images = "../capture/tests/data/recorded/backingimages.json";
    let images = Path::new(env!("CARGO_MANIFEST_DIR")).join(images);
    fs::copy(images, folder.path().join("images.json")).unwrap();
    fs::write(folder.path().join("broken.json"), "{\"kind\": ").unwrap();
    let beside = outside.path().join("cluster.json").display().to_string();
    let mut dumps = vec![
        ("../cluster.json", "below it"),
        (beside.as_str(), "below it"),
        ("dumps/../../cluster.json", "below it"),
        ("nothing.json", "nothing.json: No such file"),
        ("dumps", "dumps"),
        ("empty.json", "none of Longhorn's"),
        ("images.json", "no nodes were read"),
        ("broken.json", "broken.json"),
    ];
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink(outside.path(), folder.path().join("link")).unwrap();
        dumps.push(("link/cluster.json", "leads out of the folder"));
    }
    for (dump, word) in dumps {
        let told = loaded(&folder, &scenario(dump, "")).unwrap_err();
        assert!(told.contains("captured.yaml:6:13: "), "{dump}: {told}");
        assert!(told.contains(word), "{dump}: {told}");
    }
}
