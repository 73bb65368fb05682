//! `fixname crds` as a user runs it, and `replay --crds`.

use std::path::{Path, PathBuf};
use std::process::Command;

fn fixname(args: &[&str]) -> (Option<i32>, String, String) {
    run(&[&["crds"], args].concat())
}

fn run(args: &[&str]) -> (Option<i32>, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_fixname"))
        .args(args)
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../.."))
        .output()
        .expect("the program starts");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("the output is text");
    (
        output.status.code(),
        text(output.stdout),
        text(output.stderr),
    )
}

#[test]
fn definitions_are_those_of_the_version_asked_for() {
    let versions = |longhorn: &str| {
        let (code, out, err) = fixname(&["--longhorn", longhorn, "-o", "json"]);
        assert_eq!(code, Some(0), "{err}");
        let list: serde_json::Value = serde_json::from_str(&out).expect("it prints JSON");
        let items = list["items"].as_array().expect("a list").clone();
        let node = items
            .iter()
            .find(|crd| crd["metadata"]["name"] == "nodes.longhorn.io");
        let node = node.expect("nodes are among them");
        assert_eq!(node["apiVersion"], "apiextensions.k8s.io/v1");
        let names = node["spec"]["versions"].as_array().expect("a list").iter();
        names.map(|v| v["name"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(versions("v1.8.1"), ["v1beta1", "v1beta2"]);
    assert_eq!(versions("v1.12.1"), ["v1beta2"]);
    let (code, yaml, _) = fixname(&[]);
    assert_eq!(code, Some(0));
    let documents = yaml.split("\n---\n").count();
    assert_eq!(
        documents,
        yaml.matches("kind: CustomResourceDefinition").count()
    );
    assert_eq!(fixname(&["--longhorn", "v0.0.1"]).0, Some(2));
}

/// Plays one scenario with the definitions in a file.
fn replayed(crds: &Path, version: &str) -> (Option<i32>, String, String) {
    let scenario = "scenarios/01-two-disks-one-prefix.yaml";
    let crds = crds.to_str().expect("temporary folders have plain names");
    run(&["replay", scenario, "--longhorn", version, "--crds", crds])
}

/// Longhorn's own manifests are not part of this repository: they are read from
/// `../shared/data/crds` beside the checkout.
#[test]
fn scenarios_are_played_with_longhorns_own_definitions() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/crds");
    if !folder.is_dir() {
        let message = format!("no official definitions in {}", folder.display());
        let required = std::env::var("FIXNAME_REQUIRE").is_ok_and(|all| all == "all");
        assert!(!required, "{message}");
        eprintln!("SKIPPED: {message}");
        return;
    }
    for version in ["v1.8.1", "v1.12.1"] {
        let manifest = folder.join(format!("longhorn-{version}.yaml"));
        let (code, out, err) = replayed(&manifest, version);
        assert_eq!(code, Some(0), "{out}{err}");
        assert!(out.contains("1 passed, 0 failed"), "{out}");
        let webhooks = err.contains("conversion webhooks in the files of --crds left out");
        assert_eq!(webhooks, version == "v1.8.1", "{err}");
    }
}

#[test]
fn a_manifest_of_a_chart_is_played_too() {
    let (_, definitions, _) = fixname(&["--longhorn", "v1.9.1"]);
    let folder = tempfile::tempdir().expect("a folder can be made");
    let file = |name: &str, text: &str| -> PathBuf {
        let path = folder.path().join(name);
        std::fs::write(&path, text).expect("a file can be written");
        path
    };
    let conversion = "  conversion:\n    strategy: Webhook\n    webhook:\n      clientConfig: {service: {name: a, namespace: {{ include \"ns\" . }}, port: 9501}}\n      conversionReviewVersions: [v1beta2]\n";
    let chart = definitions
        .replace("\nmetadata:\n", "\nmetadata:\n  labels: {{- include \"longhorn.labels\" . | nindent 4 }}\n    longhorn-manager: \"\"\n")
        .replace("\nspec:\n", &format!("\nspec:\n{conversion}"));
    let chart = format!("{{{{- if .Values.crds }}}}\n{chart}{{{{ end }}}}\n");
    let (code, out, err) = replayed(&file("chart.yaml", &chart), "v1.9.1");
    assert_eq!(code, Some(0), "{out}{err}");
    let kinds = definitions
        .matches("kind: CustomResourceDefinition")
        .count();
    for note in [
        format!("{} placeholders of Helm's", 2 + 2 * kinds),
        format!("{kinds} conversion webhooks"),
    ] {
        assert!(err.contains(&note), "{note:?} is not in {err}");
    }
    let nodes = definitions
        .split("---\n")
        .filter(|d| !d.contains("name: nodes.longhorn.io"));
    let lacking = nodes.collect::<Vec<_>>().join("---\n");
    let (code, out, err) = replayed(&file("lacking.yaml", &lacking), "v1.9.1");
    assert_eq!((code, out.as_str()), (Some(2), ""), "{err}");
    assert!(
        err.contains("the definitions of --crds lack nodes\n"),
        "{err}"
    );
}

#[test]
fn recordings_are_played_with_the_definitions_of_a_file() {
    let (_, definitions, _) = fixname(&["--longhorn", "v1.9.1"]);
    let folder = tempfile::tempdir().expect("a folder can be made");
    let conformed = |definitions: &str| {
        let path = folder.path().join("crds.yaml");
        std::fs::write(&path, definitions).expect("a file can be written");
        run(&[
            "conform",
            "crates/replay/tests/data/longhorn-runs.jsonl.gz",
            "--select=upgrade-clean-to-v1.12.1",
            "--seeds=3",
            "--crds",
            path.to_str().expect("temporary folders have plain names"),
        ])
    };
    let (code, out, err) = conformed(&definitions);
    assert_eq!(code, Some(0), "{out}{err}");

    // A server does not keep what its definitions do not name.
    let (code, out, _) = conformed(&definitions.replace("diskFileStatusMap", "otherMap"));
    assert_eq!(code, Some(1), "{out}");
    assert!(out.contains("backingImages[parrot].status"), "{out}");
}
