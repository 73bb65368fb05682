//! `fixname population` from the outside: what detect says about what it wrote,
//! files that appear whole, wrong usage, and clusters that are only looked at.

use std::path::Path;
use std::process::{Command, Output, Stdio};

fn fixname(args: &[&str]) -> Command {
    let mut command = Command::new(snapbox::cmd::cargo_bin!("fixname"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("FIXNAME_") {
            command.env_remove(name);
        }
    }
    command.args(args);
    command
}

fn run(args: &[&str]) -> Output {
    fixname(args).output().expect("the program starts")
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

const SMALL: &[&str] = &[
    "population",
    "--nodes",
    "100",
    "--disks-per-node",
    "3",
    "--seed",
    "7",
    "--collide",
    "3,2x4@nodes",
];

fn small(more: &[&str]) -> Vec<&'static str> {
    let more = more.iter().map(|word| &*word.to_string().leak());
    SMALL.iter().copied().chain(more).collect()
}

fn path(path: &Path) -> &str {
    path.to_str().expect("temporary folders have plain names")
}

#[test]
fn detect_finds_the_chosen_collisions_in_what_was_written() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    for (file, format) in [
        ("n.json", "nodes-json"),
        ("n.ndjson", "ndjson"),
        ("n.jsonl", "ndjson"),
    ] {
        let file = folder.path().join(file);
        let written = run(&small(&["--out", path(&file)]));
        assert_eq!(written.status.code(), Some(0), "{}", stderr(&written));
        assert_eq!(
            stdout(&written),
            "100 nodes, 300 disks: 5 collisions chosen (14 disks), no other.\n"
        );
        // Stdout has the same bytes.
        let streamed = run(&small(&["--format", format]));
        assert_eq!(
            streamed.stdout,
            std::fs::read(&file).expect("it was written")
        );
        assert_eq!(
            stderr(&streamed),
            "note: 100 nodes, 300 disks: 5 collisions chosen (14 disks), no other.\n"
        );
        let found = run(&["detect", path(&file), "-o", "json"]);
        assert_eq!(found.status.code(), Some(1), "{}", stderr(&found));
        let report: serde_json::Value = serde_json::from_slice(&found.stdout).expect("JSON");
        let mut sizes: Vec<usize> = report["findings"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|finding| finding["disks"].as_array().expect("a list").len())
            .collect();
        sizes.sort_unstable();
        assert_eq!(sizes, [2, 2, 2, 4, 4]);
    }
}

#[test]
fn programs_are_told_the_numbers_too() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let file = folder.path().join("disks.parquet");
    let args = [
        "population",
        "--nodes",
        "1e3",
        "--disks-per-node",
        "1_000",
        "--out",
        path(&file),
        "-o",
        "json",
    ];
    let written = run(&args);
    let answer: serde_json::Value = serde_json::from_slice(&written.stdout).expect("JSON");
    assert_eq!(answer["formatVersion"], 1);
    assert_eq!(answer["disks"], 1_000_000);
    // A million disks over 65,536 prefixes: every prefix has some fifteen.
    assert_eq!(answer["accidentalCollisions"], 65_536);
    assert_eq!(answer["chosenCollisions"], 0);
    let pairs = answer["collidingPairs"].as_u64().expect("a number");
    // 10^12 / 2 / 65536 expected, five standard deviations either way.
    assert!(pairs.abs_diff(7_629_387) < 13_811, "{pairs}");
    let bytes = std::fs::read(&file).expect("it was written");
    assert!(bytes.starts_with(b"PAR1") && bytes.ends_with(b"PAR1"));
}

#[test]
fn a_file_is_replaced_whole_or_not_at_all() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let file = folder.path().join("nodes.json");
    std::fs::write(&file, "old").expect("it can be written");
    // A folder in the way of the format: nothing is touched.
    for args in [
        &["--format", "banana"][..],
        &["--uuid", "v9"],
        &["--collide", "400"],
    ] {
        let refused = run(&small(&[args, &["--out", path(&file)]].concat()));
        assert_eq!(refused.status.code(), Some(2), "{}", stderr(&refused));
        assert_eq!(std::fs::read(&file).expect("it is there"), b"old");
    }
    assert_eq!(run(&small(&["--out", path(&file)])).status.code(), Some(0));
    assert!(std::fs::read(&file).expect("it is there").len() > 100_000);
    let names = std::fs::read_dir(folder.path()).expect("it is a folder");
    assert_eq!(names.count(), 1, "nothing else is left");
    let nowhere = folder.path().join("no/nodes.json");
    let refused = run(&small(&["--out", path(&nowhere)]));
    assert_eq!(refused.status.code(), Some(2));
    assert!(
        stderr(&refused).contains("cannot write"),
        "{}",
        stderr(&refused)
    );
}

#[cfg(unix)]
#[test]
fn an_interrupted_file_leaves_what_was_there() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let file = folder.path().join("nodes.json");
    std::fs::write(&file, "old").expect("it can be written");
    let mut child = fixname(&["population", "--nodes", "1e9", "--out", path(&file)])
        .stderr(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program starts");
    // Under way as soon as the file beside it is there.
    while std::fs::read_dir(folder.path())
        .expect("it is a folder")
        .count()
        < 2
    {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    let id = child.id().to_string();
    let killed = Command::new("kill")
        .args(["-INT", &id])
        .status()
        .expect("kill runs");
    assert!(killed.success());
    assert_eq!(child.wait().expect("it ends").code(), Some(130));
    assert_eq!(std::fs::read(&file).expect("it is there"), b"old");
    let names = std::fs::read_dir(folder.path()).expect("it is a folder");
    assert_eq!(names.count(), 1, "nothing else is left");
}

#[test]
fn a_reader_who_has_seen_enough_is_no_error() {
    for format in ["nodes-json", "ndjson", "csv", "parquet"] {
        let mut child = fixname(&["population", "--nodes", "1e9", "--format", format])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        drop(child.stdout.take());
        let output = child.wait_with_output().expect("the program ends");
        assert_eq!(
            output.status.code(),
            Some(0),
            "{format}: {}",
            stderr(&output)
        );
        assert_eq!(stderr(&output), "", "{format}");
    }
}

#[test]
fn wrong_usage_is_exit_code_2_and_says_what_would_be_right() {
    for (args, expected) in [
        (&[][..], "--nodes"),
        (&["--nodes", "many"], "not a whole number"),
        (&["--nodes", "-1"], "unexpected argument"),
        (&["--nodes", "1e13"], "more than 1000000000000 disks"),
        (
            &["--nodes", "10", "--collide", "three"],
            "does not describe collisions",
        ),
        (
            &["--nodes", "10", "--collide", "1x1"],
            "takes two disks or more",
        ),
        (
            &["--nodes", "10", "--collide", "6"],
            "take 12 disks, and there are 10",
        ),
        (
            &["--nodes", "10", "--collide", "1@node"],
            "to place 1x2@node",
        ),
        (
            &["--nodes", "10", "--collide", "2", "--uuid", "v4=x"],
            "does not say how many",
        ),
        (
            &["--nodes", "10", "--uuid", "v7", "--no-accidental"],
            "of kind v7",
        ),
        (&["--nodes", "70000", "--no-accidental"], "65536 prefixes"),
        (
            &["--nodes", "10", "--no-accidental", "--accidental"],
            "cannot be used with",
        ),
        (
            &["--nodes", "10", "--out", "disks.txt"],
            "does not tell the format",
        ),
        (&["--nodes", "10", "--yes"], "--apply"),
        (
            &["--nodes", "10", "--apply", "--format", "csv"],
            "cannot be used with",
        ),
        (
            &["--nodes", "10", "--apply", "--kubeconfig", "no/such/file"],
            "cannot use the kubeconfig",
        ),
    ] {
        let output = run(&[&["population"], args].concat());
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {said}");
        assert!(output.stdout.is_empty(), "{args:?}");
        assert!(said.contains(expected), "{args:?}: {said}");
    }
}

#[test]
fn a_server_that_does_not_answer_is_exit_code_3() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let file = folder.path().join("kubeconfig");
    // Port 9 of loopback: nobody listens there.
    std::fs::write(
        &file,
        "apiVersion: v1\nkind: Config\nclusters: [{name: a, cluster: {server: 'http://127.0.0.1:9'}}]\n\
         contexts: [{name: a, context: {cluster: a, user: a}}]\ncurrent-context: a\nusers: [{name: a}]\n",
    )
    .expect("it can be written");
    let output = run(&[
        "population",
        "--nodes",
        "1",
        "--apply",
        "--kubeconfig",
        path(&file),
    ]);
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(
        said.contains("127.0.0.1:9") && said.contains("efused"),
        "{said}"
    );
}

/// The program against itself: `serve` is the cluster.
#[test]
fn a_cluster_is_only_looked_at_until_told_otherwise() {
    use std::io::BufRead as _;
    let folder = tempfile::tempdir().expect("a folder can be made");
    let config = folder.path().join("kubeconfig");
    let mut server = fixname(&["serve", "--kubeconfig-out", path(&config)])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the program starts");
    let mut ready = String::new();
    std::io::BufReader::new(server.stdout.take().expect("it is piped"))
        .read_line(&mut ready)
        .expect("it says when it is ready");
    let into = ["--apply", "--kubeconfig", path(&config)];

    let looked = run(&small(&into));
    let said = stdout(&looked);
    assert_eq!(looked.status.code(), Some(0), "{}", stderr(&looked));
    assert!(
        said.contains("write 100 nodes into longhorn-system, which has 0 now"),
        "{said}"
    );
    assert!(stderr(&looked).contains("add --yes"), "{}", stderr(&looked));

    let written = run(&small(&[&into[..], &["--yes", "-o", "json"]].concat()));
    assert_eq!(written.status.code(), Some(0), "{}", stderr(&written));
    let answer: serde_json::Value = serde_json::from_slice(&written.stdout).expect("JSON");
    assert_eq!(
        (&answer["nodesCreated"], &answer["nodesUpdated"]),
        (&100.into(), &0.into())
    );
    let again = run(&small(&[&into[..], &["--yes"]].concat()));
    assert!(
        stderr(&again).contains("0 nodes were created, 100 updated"),
        "{}",
        stderr(&again)
    );
    server.kill().expect("it runs");
    server.wait().expect("it ends");
}
