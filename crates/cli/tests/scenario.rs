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
