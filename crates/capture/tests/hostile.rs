//! Every way in which an input can be wrong, with the place that is named.

use std::path::Path;

use fixname_capture::{CaptureError, Source, read_files, read_text};

fn node(rest: &str) -> String {
    format!("{{\"apiVersion\": \"longhorn.io/v1beta2\", \"kind\": \"Node\",\n{rest}}}")
}

fn list(items: &str) -> String {
    format!("{{\"apiVersion\": \"v1\", \"kind\": \"List\", \"items\": [\n{items}\n]}}")
}

fn yaml(rest: &str) -> String {
    format!("apiVersion: longhorn.io/v1beta2\nkind: Node\n{rest}")
}

#[test]
fn wrong_text_is_refused_and_its_place_named() {
    let deep = "[".repeat(100_000);
    let nested = node(&format!(
        "\"metadata\": {{\"annotations\": {}}}",
        "{\"a\":".repeat(200) + "1" + &"}".repeat(200)
    ));
    let deep_extra = node(&format!(
        "\"status\": {{\"x\": {}1{}}}",
        "[".repeat(200),
        "]".repeat(200)
    ));
    let cases: &[(&str, &str)] = &[
        // Empty in every way.
        (
            "",
            "f: empty, as a file is when the command that should have filled it failed",
        ),
        (
            " \n\t\n",
            "f: empty, as a file is when the command that should have filled it failed",
        ),
        (
            "\u{feff}\n",
            "f: empty, as a file is when the command that should have filled it failed",
        ),
        (
            "---\n",
            "f: empty, as a file is when the command that should have filled it failed",
        ),
        // Cut off.
        (
            "{",
            "f:1:2: the file ends in the middle of a value, it has been cut off",
        ),
        (
            &list(&node(""))[..100],
            "f:2:53: the file ends in the middle of a value, it has been cut off",
        ),
        (
            "{\"apiVersion\": \"v1",
            "f:1:19: the file ends in the middle of a value, it has been cut off",
        ),
        // No JSON.
        ("{\"a\": 1,}", "f:1:9: trailing comma"),
        ("{\"a\": nul}", "f:1:10: expected ident"),
        (
            &format!("{}\n{{]", node("\"metadata\": {}")),
            "f:3:2: key must be a string",
        ),
        (
            "{} x",
            "f:1:4: expected a Kubernetes object, which begins with {",
        ),
        // JSON, but no objects.
        (
            "[]",
            "f:1:1: an array is no Kubernetes object; expected { here",
        ),
        (
            &deep,
            "f:1:1: an array is no Kubernetes object; expected { here",
        ),
        (
            &list("1"),
            "f:2:1: expected a Kubernetes object, which begins with {",
        ),
        (
            &list("[]"),
            "f:2:1: an array is no Kubernetes object; expected { here",
        ),
        (
            &list("null"),
            "f:2:1: expected a Kubernetes object, which begins with {",
        ),
        (
            "{\"kind\": 5}",
            "f:1:10: invalid type: integer `5`, expected a string",
        ),
        (
            "{\"kind\": \"List\", \"items\": {}}",
            "f:1:27: invalid type: map, expected a sequence",
        ),
        (
            "{\"kind\": \"List\", \"items\": 7}",
            "f:1:27: invalid type: integer `7`, expected a sequence",
        ),
        (
            "{\"kind\": \"a\", \"kind\": \"b\"}",
            "f:1:20: duplicate field `kind`",
        ),
        // Longhorn's, with fields of a wrong type.
        (
            &node("\"status\": []"),
            "f:2:11: invalid type: sequence, expected struct NodeStatus",
        ),
        (
            &node("\"status\": {\n  \"diskStatus\": []}"),
            "f:3:17: invalid type: sequence, expected a map",
        ),
        (
            &node("\"status\": {\"diskStatus\": {\"é\": {\"diskUUID\": 5}}}"),
            "f:2:45: invalid type: integer `5`, expected a string",
        ),
        (
            &node("\"status\": {\"diskStatus\": {\"d\": \"c012\"}}"),
            "f:2:37: invalid type: string \"c012\", expected struct DiskStatus",
        ),
        (
            &node("\"metadata\": []"),
            "f:2:14: invalid type: sequence, expected ObjectMeta",
        ),
        (
            &node("\"metadata\": {\"name\": 5}"),
            "f:2:22: invalid type: integer `5`, expected a string",
        ),
        (
            &list(&node(
                "\"spec\": {\"disks\": {\"d\": {\"storageReserved\": 1e400}}}",
            )),
            "f:3:49: number out of range",
        ),
        (&nested, "f:2:33: invalid type: map, expected a string"),
        (&deep_extra, "f:2:142: recursion limit exceeded"),
        // No YAML.
        (
            "hello",
            "f:1:1: invalid type: string \"hello\", expected a Kubernetes object with apiVersion and kind",
        ),
        (
            "- a\n- b\n",
            "f:1:1: invalid type: sequence, expected a Kubernetes object with apiVersion and kind",
        ),
        (
            "a: b: c\n",
            "f:1:5: mapping values are not allowed in this context",
        ),
        ("a: 'b\n", "f:1:4: unclosed quote"),
        // YAML of Longhorn's, with fields of a wrong type.
        (
            &yaml("status:\n  diskStatus: []\n"),
            "f:4:15: expected mapping start",
        ),
        (
            &yaml("status:\n  diskStatus: {d: {diskUUID: [5]}}\n"),
            "f:4:30: expected string scalar",
        ),
        // What kubectl says in place of objects.
        (
            "Error from server (NotFound): nodes.longhorn.io \"x\" not found\n",
            "f: this is an error message of kubectl, not JSON or YAML",
        ),
        (
            "NAME     READY\nnode-1   True\n",
            "f: this is kubectl's table, made without -o json, not JSON or YAML",
        ),
    ];
    let mut wrong = Vec::new();
    for (text, expected) in cases {
        let shown = &text[..text.len().min(80)];
        let error = read_text("f", text.as_bytes()).expect_err(shown);
        let message = error.to_string();
        if message != *expected {
            wrong.push(format!(
                "{shown:?}\n  got      {message:?}\n  expected {expected:?}"
            ));
        }
        let advice = error.advice();
        assert!(advice.ends_with("cluster.json"), "{advice}");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_file_without_longhorns_objects_says_what_it_has() {
    let pods = list(
        r#"{"apiVersion": "v1", "kind": "Pod"}, {"apiVersion": "v1", "kind": "Pod"}, {"apiVersion": "v1", "kind": "Secret"}"#,
    );
    let error = read_text("f", pods.as_bytes()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "f: holds 3 objects (2 v1 Pod, 1 v1 Secret), none of Longhorn's that fixname reads"
    );
    let engines = "apiVersion: longhorn.io/v1beta2\nkind: Engine\n";
    let error = read_text("f", engines.as_bytes()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "f: holds 1 object (1 longhorn.io/v1beta2 Engine), none of Longhorn's that fixname reads"
    );
    let error = read_text("f", b"{}").unwrap_err();
    assert_eq!(
        error.to_string(),
        "f: holds 1 object (1 without a kind), none of Longhorn's that fixname reads"
    );

    let core = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/recorded/core-nodes.json");
    let error = read_files(&[Source::Path(core)]).unwrap_err();
    assert!(error.advice().contains("nodes.longhorn.io"));
    assert!(matches!(
        error,
        CaptureError::NoLonghorn {
            core_nodes: true,
            ..
        }
    ));
}

#[test]
fn what_is_no_text_is_named() {
    for (bytes, expected) in [
        (
            &b"\x1f\x8b\x08\x00"[..],
            "f: this is a gzip archive, not JSON or YAML",
        ),
        (
            b"PK\x03\x04....",
            "f: this is a zip archive, not JSON or YAML",
        ),
        (
            b"\xff\xfe{\0}\0",
            "f: this is UTF-16 text, as > writes it in older PowerShell, not JSON or YAML",
        ),
        (
            b"{\"a\":\n \"\xc3\xa9\xff\"}",
            "f:2:4: not UTF-8 text from here on",
        ),
        (b"\x80", "f:1:1: not UTF-8 text from here on"),
    ] {
        assert_eq!(read_text("f", bytes).unwrap_err().to_string(), expected);
    }
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing.json");
    let error = read_files(&[Source::Path(missing)]).unwrap_err();
    assert!(matches!(error, CaptureError::Unreadable { .. }));
    assert!(error.to_string().contains("missing.json: "), "{error}");
    let error = read_files(&[Source::Path(folder.path().into())]).unwrap_err();
    assert!(matches!(error, CaptureError::Unreadable { .. }));
    let error = read_files(&[Source::Stdin, Source::Stdin]);
    assert!(error.is_err());
}
