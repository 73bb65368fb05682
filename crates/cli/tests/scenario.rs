//! `fixname scenario`, and that what was made with it is up to date.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn scenario(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_fixname"))
        .arg("scenario")
        .args(arguments)
        .current_dir(root())
        .output()
        .expect("the program starts")
}

#[test]
fn the_shipped_scenarios_have_no_mistake() {
    let output = scenario(&["lint", "scenarios"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let list = scenario(&["list", "scenarios"]).stdout;
    let list = String::from_utf8(list).unwrap();
    assert!(list.lines().count() >= 26, "{list}");
    assert!(list.lines().any(|l| l.starts_with("same-node ")), "{list}");
}

#[test]
fn mistakes_are_exit_code_2_with_their_place() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.yaml");
    std::fs::write(&file, "name: a\ntitel: b\n").unwrap();
    for what in ["lint", "list", "docs"] {
        let output = scenario(&[what, file.to_str().unwrap()]);
        assert_eq!(output.status.code(), Some(2));
        assert!(output.stdout.is_empty());
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(
            stderr.contains("a.yaml:2:1: there is no key \"titel\" here; did you mean title?"),
            "{stderr}"
        );
        assert!(stderr.contains("\n 2 | titel: b\n   | ^\n"), "{stderr}");
    }
}

#[test]
fn the_catalogue_and_the_schema_are_up_to_date() {
    for (arguments, file) in [
        (&["docs", "scenarios"][..], "docs/scenario-catalogue.md"),
        (&["schema"], "docs/scenario.schema.json"),
        (
            &["schema", "--template"],
            "docs/scenario-template.schema.json",
        ),
    ] {
        let made = String::from_utf8(scenario(arguments).stdout).unwrap();
        let kept = std::fs::read_to_string(root().join(file)).unwrap_or_default();
        let command = arguments.join(" ");
        assert!(made == kept, "run: fixname scenario {command} > {file}");
    }
}

/// Every shipped scenario tells editors where its schema is.
#[test]
fn shipped_scenarios_name_their_schema() {
    for (folder, schema) in [
        ("scenarios", "../docs/scenario.schema.json"),
        (
            "scenarios/templates",
            "../../docs/scenario-template.schema.json",
        ),
    ] {
        for entry in std::fs::read_dir(root().join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            let first = text.lines().next().unwrap_or_default();
            let line = format!("# yaml-language-server: $schema={schema}");
            assert_eq!(first, line, "{}", path.display());
        }
    }
}

#[test]
fn a_scenario_is_explained_in_sentences() {
    let output = scenario(&["explain", "scenarios", "mitigation-drop-loser"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    let words: Vec<&str> = text.split_whitespace().collect();
    let words = words.join(" ");
    for said in [
        "Image parrot, whose first copy is ready on node-1/disk-7. It wants copies on node-1/disk-7, and keeps 1 or more.",
        "Image parrot wants copies on node-2/default-disk and node-3/disk-1 too.",
        "of node-1/disk-7 and node-2/default-disk only node-1/disk-7 has a manager",
        "The managers of node-3/disk-1 have the file, and the image's status does not say so. Under v1.8.1, v1.9.1.",
        "over two resyncs (95 s), the image's status does not move",
        "Step 3: reschedule: scheduling on the losing disk is turned off",
        "the first look that fits fails, and so does one that cannot tell.",
        "mitigation-drop-loser v1.8.1 seed 1 mitigation-drop-loser v1.9.1 seed 1",
        "It can be judged on: embedded, control-plane, container, kind, context.",
    ] {
        assert!(words.contains(said), "{said:?} is not in {text}");
    }
    // A word that is too long by itself stands in a line of its own.
    let mut long = text.lines().filter(|line| line.chars().count() > 80);
    assert!(
        long.all(|line| line.split_whitespace().count() == 1),
        "{text}"
    );

    let output = scenario(&["explain", "scenarios", "hex-prefixes*", "-o", "json"]);
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(document["formatVersion"], 1);
    let scenarios = document["scenarios"].as_array().unwrap();
    assert_eq!(scenarios.len(), 5);
    let runs = &scenarios[0]["runs"];
    let run = serde_json::json!({"name": "hex-prefixes-yaml-reads-as-numbers[prefix=0123]", "longhorn": "v1.9.1", "seed": 1});
    assert_eq!((&runs[0], runs.as_array().unwrap().len()), (&run, 2));
    let on = &scenarios[0]["steps"][1]["expects"][0]["longhorn"];
    assert_eq!(*on, serde_json::json!(["v1.9.1"]));

    let output = scenario(&["explain", "scenarios", "no-such"]);
    assert_eq!(output.status.code(), Some(2));
}
