//! Wrong usage and wrong input: the exit code, nothing on stdout, the file and
//! place on stderr, and what to do next.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

fn fixname(args: &[&str]) -> Command {
    let mut command = Command::new(snapbox::cmd::cargo_bin!("fixname"));
    for name in ["OUTPUT", "LONGHORN", "MANAGER_IMAGE", "QUIET", "COLOR"] {
        command.env_remove(format!("FIXNAME_{name}"));
    }
    command
        .args(args)
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../capture/tests/data/recorded"));
    command
}

fn with_stdin(args: &[&str], stdin: &[u8]) -> Output {
    let mut child = fixname(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    // It may end without reading everything.
    let _ = child.stdin.take().expect("it is piped").write_all(stdin);
    child.wait_with_output().expect("the program ends")
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn bad_input_is_exit_code_2_with_file_and_place() {
    let list = r#"{"apiVersion":"v1","kind":"List","items":[{"apiVersion":"longhorn.io/v1beta2","kind":"Node",
"metadata":{"name":"n"},"status":{"diskStatus":{"d":{"diskUUID":5}}}}]}"#;
    let deep = "[".repeat(1_000_000);
    let deep_object = format!("{}{}", "{\"a\":".repeat(100_000), "1");
    let pods = r#"{"apiVersion":"v1","kind":"List","items":[{"apiVersion":"v1","kind":"Pod"}]}"#;
    for (stdin, expected) in [
        (&b""[..], "error: stdin: empty"),
        (b"\n \n", "error: stdin: empty"),
        (b"not json", "error: stdin:1:1: "),
        (
            b"{\"items\": [",
            "error: stdin:1:12: the file ends in the middle of a value",
        ),
        (
            b"{\"kind\": \"List\", \"items\": {}}",
            "error: stdin:1:27: invalid type: map",
        ),
        (
            list.as_bytes(),
            "error: stdin:2:65: invalid type: integer `5`, expected a string",
        ),
        (
            b"[1, 2]",
            "error: stdin:1:1: an array is no Kubernetes object",
        ),
        (
            deep.as_bytes(),
            "error: stdin:1:1: an array is no Kubernetes object",
        ),
        (
            deep_object.as_bytes(),
            "error: stdin:1:500002: the file ends in the middle of a value",
        ),
        (
            pods.as_bytes(),
            "error: stdin: holds 1 object (1 v1 Pod), none of Longhorn's",
        ),
        (b"\xff\xfe{\0", "error: stdin: this is UTF-16 text"),
        (b"\x1f\x8b\x08", "error: stdin: this is a gzip archive"),
        (b"{\"a\": \"\xc3\x28\"}", "error: stdin:1:8: not UTF-8"),
        (b"a: [1, 2\n", "error: stdin:"),
        (
            b"Error from server (Forbidden): nodes.longhorn.io is forbidden",
            "error: stdin: this is an error message of kubectl",
        ),
    ] {
        for format in ["table", "wide", "json", "yaml", "kb"] {
            let output = with_stdin(&["detect", "-", "-o", format], stdin);
            let said = stderr(&output);
            let shown = String::from_utf8_lossy(&stdin[..stdin.len().min(60)]);
            assert_eq!(output.status.code(), Some(2), "{shown}: {said}");
            assert!(output.stdout.is_empty(), "{shown}");
            assert!(said.starts_with(expected), "{shown}: {said}");
            assert!(said.contains("\nnext: "), "{said}");
        }
    }
}

#[test]
fn one_bad_file_among_good_ones_leaves_no_half_answer() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let whole = include_bytes!("../../capture/tests/data/recorded/nodes.json");
    let cut = folder.path().join("cut.json");
    std::fs::write(&cut, &whole[..whole.len() / 2]).expect("a file can be written");
    let cut = cut.to_str().expect("temporary folders have plain names");
    let output = fixname(&["detect", "nodes.json", cut])
        .output()
        .expect("it starts");
    assert_eq!(output.status.code(), Some(2));
    assert!(output.stdout.is_empty());
    assert!(stderr(&output).contains("cut.json:"), "{}", stderr(&output));

    let missing = fixname(&["detect", "nodes.json", "missing.json"])
        .output()
        .expect("it starts");
    assert_eq!(missing.status.code(), Some(2));
    assert!(missing.stdout.is_empty());
    assert!(
        stderr(&missing).contains("missing.json: "),
        "{}",
        stderr(&missing)
    );
}

#[test]
fn wrong_usage_is_exit_code_2() {
    for (args, expected) in [
        (&[][..], "Usage: fixname"),
        (&["banana"], "unrecognized subcommand 'banana'"),
        (&["detect"], "no file was given"),
        (
            &["detect", "nodes.json", "-o", "csv"],
            "invalid value 'csv'",
        ),
        (
            &["detect", "nodes.json", "--longhorn", "banana"],
            "is not a version",
        ),
        (
            &["detect", "nodes.json", "--longhorn", "v0.8.0"],
            "older than v1.1.0",
        ),
        (
            &["detect", "backingimages.json", "-o", "kb"],
            "-o kb is about nodes",
        ),
        (&["names"], "--disk"),
        (
            &["names", "--disk", "c012"],
            "depends on the Longhorn version",
        ),
        (
            &["names", "--disk", "c012", "--manager-image", "x@sha256:00"],
            "does not tell the version",
        ),
        (
            &["names", "--longhorn", "1.9", "--disk", "c012"],
            "is not complete",
        ),
        (
            &["names", "--longhorn", "v1.0.0", "--disk", "c012"],
            "older than v1.1.0",
        ),
        (&["odds"], "--disks"),
        (&["odds", "--disks", "many"], "is not a whole number"),
        (&["odds", "--disks", "1e19"], "more than 10^18"),
        (&["odds", "--disks", "-1"], "unexpected argument '-1'"),
        (
            &["odds", "--disks", "2", "--bits", "0"],
            "0 is not in 1..=256",
        ),
        (
            &["odds", "--disks", "2", "--bits", "257"],
            "257 is not in 1..=256",
        ),
        (
            &["odds", "--disks", "2", "--scheme", "banana"],
            "unknown naming scheme",
        ),
        (
            &["odds", "--disks", "2", "--scheme", "none"],
            "has no names",
        ),
        (
            &["odds", "--disks", "2", "--scheme", "sha256", "--bits", "3"],
            "cannot be used with",
        ),
        (&["odds", "--probability", "2"], "is not a probability"),
        (&["odds", "--probability", "NaN"], "is not a"),
        (&["odds", "--disks", "NaN"], "is not a whole number"),
        (&["odds", "--disks", "2^128"], "more than 10^18"),
        (
            &["odds", "--disks", "2", "--range", "1..3"],
            "cannot be used with",
        ),
        (&["odds", "--range", "5..3"], "ends before it begins"),
        (&["odds", "--range", "1..5:0"], "never gets to its end"),
        (&["odds", "--range", "0..5:x2"], "never gets to its end"),
        (&["odds", "--range", "1..1e18"], "more than 10000 numbers"),
        (&["odds", "--range", "302"], "is not a range"),
        (
            &["odds", "--range", "1..9000", "--at-least", "1e5"],
            "would take too long",
        ),
        (
            &["odds", "--disks", "2", "--clusters", "0"],
            "clusters must be at least 1",
        ),
        (
            &["odds", "--disks", "2", "--clusters", "NaN"],
            "is not a whole number",
        ),
        (
            &["odds", "--probability", "0.5", "--clusters", "3"],
            "cannot be used with",
        ),
        (
            &["odds", "--disks", "9", "--at-least", "1"],
            "group must be at least 2",
        ),
        (
            &["odds", "--disks", "1e18", "--at-least", "1e17"],
            "group size is too large",
        ),
        (
            &["odds", "--disks", "9", "--images", "0"],
            "images must be at least 1",
        ),
        (
            &["odds", "--disks", "9", "--images", "2", "--bits", "32"],
            "these names have 32",
        ),
        (
            &[
                "odds",
                "--disks",
                "9",
                "--guard-from",
                "2",
                "--scheme",
                "sha224",
            ],
            "not the scheme sha224",
        ),
        (
            &[
                "odds",
                "--disks",
                "9",
                "--guard-from",
                "2",
                "--at-once",
                "0",
            ],
            "at once must be at least 1",
        ),
        (
            &[
                "odds",
                "--disks",
                "9",
                "--guard-from",
                "2",
                "--block-disks",
                "10",
            ],
            "10 block disks are more than all 9 disks",
        ),
        (
            &["odds", "--disks", "70000", "--guard-from", "0"],
            "all 2^16 prefixes are taken",
        ),
        (
            &["odds", "--disks", "9", "--cloned", "NaN"],
            "not a probability",
        ),
        (
            &["odds", "--disks", "9", "--spike", "1.5"],
            "not a probability",
        ),
        (
            &["odds", "--disks", "9", "--spike", "0.1", "--cloned", "0.1"],
            "cannot be used with",
        ),
        (
            &[
                "odds",
                "--disks",
                "9",
                "--cloned",
                "0.1",
                "--guard-from",
                "1",
            ],
            "cannot be used with",
        ),
        (
            &["odds", "--disks", "9", "--uuids", "v7"],
            "--within <TIME>",
        ),
        (
            &["odds", "--disks", "9", "--uuids", "v7", "--within", "soon"],
            "is not a time",
        ),
        (
            &[
                "odds",
                "--disks",
                "9",
                "--uuids",
                "v1",
                "--within",
                "213503982335d",
            ],
            "is not a time",
        ),
        (
            &[
                "odds", "--disks", "9", "--uuids", "v7", "--within", "1d", "--bits", "32",
            ],
            "these names have 32",
        ),
        (
            &[
                "odds", "--disks", "50000", "--uuids", "v1", "--within", "1h",
            ],
            "disks times classes",
        ),
        (
            &[
                "odds", "--range", "2..2000", "--uuids", "v1", "--within", "1h",
            ],
            "would take too long",
        ),
        (
            &["odds", "--probability", "0.5", "--cloned", "0.1"],
            "asks about random UUIDs",
        ),
        (
            &["odds", "--disks", "9", "--cloned", "0.1", "--plot", "x.svg"],
            "random UUIDs",
        ),
        (
            &["versions", "--color", "sometimes"],
            "invalid value 'sometimes'",
        ),
    ] {
        let output = fixname(args).output().expect("the program starts");
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {said}");
        assert!(output.stdout.is_empty(), "{args:?}");
        assert!(said.contains(expected), "{args:?}: {said}");
    }
}

#[test]
fn a_reader_who_has_seen_enough_is_no_error() {
    let mut child = fixname(&["detect", "-", "-o", "json"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    // The pipe is closed before the program can have written anything.
    drop(child.stdout.take());
    let nodes = include_bytes!("../../capture/tests/data/recorded/nodes.json");
    child
        .stdin
        .take()
        .expect("it is piped")
        .write_all(nodes)
        .expect("it reads");
    let output = child.wait_with_output().expect("the program ends");
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(output.stderr.is_empty());
}

#[test]
fn escape_sequences_in_names_reach_no_terminal() {
    let hostile =
        br#"{"apiVersion":"longhorn.io/v1beta2","kind":"Node","metadata":{"name":"n\u001b[2J"},
        "status":{"diskStatus":{"a\u0007":{"diskUUID":"c0121"},"b":{"diskUUID":"c0122\n"}}}}"#;
    for format in ["table", "wide"] {
        let output = with_stdin(&["detect", "-", "-o", format, "--color", "never"], hostile);
        assert_eq!(output.status.code(), Some(1));
        let control = |b: &u8| b.is_ascii_control() && *b != b'\n';
        assert!(
            !output.stdout.iter().any(control),
            "{:?}",
            String::from_utf8_lossy(&output.stdout)
        );
    }
    let kb = with_stdin(&["detect", "-", "-o", "kb"], hostile);
    assert!(kb.stdout.contains(&0x1b), "the script escapes nothing");
}

#[test]
fn settings_may_come_from_the_environment() {
    let output = fixname(&["detect", "nodes.json"])
        .env("FIXNAME_LONGHORN", "v1.10.2")
        .env("FIXNAME_OUTPUT", "json")
        .output()
        .expect("the program starts");
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(output.stdout.starts_with(b"{"));
    let all = fixname(&["names", "--all-versions", "--disk", "c012"])
        .env("FIXNAME_LONGHORN", "v1.10.2")
        .output()
        .expect("the program starts");
    assert_eq!(all.status.code(), Some(0), "{}", stderr(&all));
    assert!(String::from_utf8_lossy(&all.stdout).contains("v1.9.1"));
}

#[cfg(unix)]
#[test]
fn as_a_plugin_it_calls_itself_what_was_typed() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let plugin = folder.path().join("kubectl-fixname");
    let program = snapbox::cmd::cargo_bin!("fixname");
    std::os::unix::fs::symlink(program, &plugin).expect("a link can be made");
    let output = Command::new(plugin)
        .args(["odds", "--help"])
        .output()
        .expect("it starts");
    assert_eq!(output.status.code(), Some(0));
    let help = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(help.contains("Usage: kubectl fixname odds"), "{help}");
}
