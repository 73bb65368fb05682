//! Templates: their steps take the place of what uses them, and every mistake has
//! its place in the file where it is.

use std::path::Path;

use fixname_replay::backend::EmbeddedBackend;
use fixname_replay::{LoadError, Scenario, Suite, SuiteOptions, load};
use tempfile::TempDir;

const TEMPLATE: &str = "\
template: want
title: t
description: d
parameters:
  image: {description: the image}
  disk: {description: the disk}
  on: {description: the versions, default: all}
steps:
  - name: ${disk} is wanted
    do:
      - want: {image: \"${image}\", disks: [\"${disk}\"]}
    expect:
      - on: ${on}
        settled: {image: \"${image}\"}
";

const SCENARIO: &str = "\
name: a
title: t
description: d
longhorn: [v1.12.1]
cluster:
  disks:
    node-1/disk-7: \"c01200da-8a5c-4692-92e6-c4a983087951\"
    node-2/disk-1: \"c012eb76-f8eb-4ea1-b81d-472eac9d98bf\"
  images:
    parrot: {source: node-1/disk-7, copies: [node-1/disk-7]}
steps:
  - name: first
    expect: [{settled: {image: parrot}}]
  - use: want
    with: {image: parrot, disk: node-2/disk-1}
";

fn loaded(files: &[(&str, &str)], named: &str) -> (TempDir, Result<Vec<Scenario>, LoadError>) {
    let folder = TempDir::new().expect("a folder can be made");
    for (name, text) in files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap_or(Path::new("/")))
            .expect("a folder can be made");
        std::fs::write(path, text).expect("a file can be written");
    }
    let found = load(&[folder.path().join(named)]);
    (folder, found)
}

/// The first lines of all problems, with the folder left out.
fn problems(files: &[(&str, &str)], named: &str) -> Vec<String> {
    let (folder, found) = loaded(files, named);
    let prefix = format!("{}/", folder.path().display());
    let Err(LoadError(problems)) = found else {
        return Vec::new();
    };
    let lines = problems.iter().map(ToString::to_string);
    let first = lines.map(|p| p.lines().next().unwrap_or_default().replace(&prefix, ""));
    first.collect()
}

#[test]
fn the_steps_of_a_template_are_played_in_its_place() {
    let outer = "\
template: outer
title: t
description: d
steps:
  - use: want
    with: {image: parrot, disk: node-2/disk-1, on: fixed}
";
    for used in ["want", "templates/want.yaml"] {
        let text = SCENARIO.replace("use: want", &format!("use: {used}"));
        let files = [("a.yaml", text.as_str()), ("templates/want.yaml", TEMPLATE)];
        let (_folder, found) = loaded(&files, "");
        let scenarios = found.unwrap();
        let names: Vec<_> = scenarios[0]
            .steps
            .iter()
            .map(|s| (s.name.text.as_str(), s.name.line.unwrap()))
            .collect();
        assert_eq!(
            names,
            [("first", 12), ("want: node-2/disk-1 is wanted", 14)]
        );
        let result = Suite::new(&scenarios, SuiteOptions::default()).run(
            &EmbeddedBackend,
            &|| false,
            &mut |_| {},
        );
        assert!(result.passed(), "{:?}", result.runs[0].failures);
    }
    let text = SCENARIO.replace(
        "use: want\n    with: {image: parrot, disk: node-2/disk-1}",
        "use: outer",
    );
    let files = [
        ("a.yaml", text.as_str()),
        ("templates/want.yaml", TEMPLATE),
        ("templates/outer.yaml", outer),
    ];
    let scenarios = loaded(&files, "").1.unwrap();
    assert_eq!(
        scenarios[0].steps[1].name.text,
        "outer: want: node-2/disk-1 is wanted"
    );
    assert_eq!(scenarios[0].steps[1].name.line, Some(14));
}

#[test]
fn mistakes_have_their_places_in_both_files() {
    let mut wrong = Vec::new();
    for (scenario, template, problem) in [
        (
            ("use: want", "use: wnat"),
            ("", ""),
            "a.yaml:14:10: there is no template \"wnat\" in templates; did you mean want?",
        ),
        (
            ("use: want", "use: other/want.yaml"),
            ("", ""),
            "a.yaml:14:10: other/want.yaml: No such file or directory (os error 2)",
        ),
        (
            ("disk: node-2/disk-1}", "dsik: node-2/disk-1}"),
            ("", ""),
            "a.yaml:15:27: want (templates/want.yaml) has no parameter \"dsik\"; did you mean disk?",
        ),
        (
            (", disk: node-2/disk-1}", "}"),
            ("", ""),
            "a.yaml:14:10: want wants a value for \"disk\" (templates/want.yaml:6:3)",
        ),
        (
            ("disk: node-2/disk-1}", "disk: node-2/disk-9}"),
            ("", ""),
            "templates/want.yaml:11:43: there is no disk node-2/disk-9; did you mean node-2/disk-1? (used at a.yaml:14:5)",
        ),
        (
            ("disk: node-2/disk-1}", "disk: node-2}"),
            ("", ""),
            "templates/want.yaml:11:43: a disk is written node/disk, for instance node-1/disk-7; found \"node-2\" (used at a.yaml:14:5)",
        ),
        (
            ("disk: node-2/disk-1}", "disk: node-2/disk-1, on: affected}"),
            ("", ""),
            "templates/want.yaml:13:7: nothing is expected under v1.12.1 (used at a.yaml:14:5)",
        ),
        (
            ("use: want", "name: b\n    use: want"),
            ("", ""),
            "a.yaml:14:5: name, do and expect are the template's that is used here",
        ),
        (
            ("use: want", "name: b"),
            ("", ""),
            "a.yaml:14:5: values are given, and the key \"use\" with a template for them is missing",
        ),
        (
            (
                "use: want\n    with: {image: parrot, disk: node-2/disk-1}",
                "name: b",
            ),
            ("", ""),
            "a.yaml:14:5: the key \"expect\" is missing",
        ),
        (
            ("", ""),
            ("  image: {", "  extra: {description: x}\n  image: {"),
            "templates/want.yaml:5:3: the parameter \"extra\" is never used",
        ),
        (
            ("", ""),
            ("${image}\", disks", "${imgae}\", disks"),
            "templates/want.yaml:11:24: there is no parameter \"imgae\"; did you mean image?",
        ),
        (
            ("", ""),
            ("template: want", "template: what"),
            "templates/want.yaml:1:11: a template is called as its file is: want",
        ),
        (
            ("", ""),
            ("title: t", "titel: t"),
            "templates/want.yaml:2:1: there is no key \"titel\" here; did you mean title?",
        ),
        (
            ("", ""),
            ("steps:\n", "steps:\n  - use: want\n"),
            "templates/want.yaml:9:10: the template want uses itself (used at a.yaml:14:5)",
        ),
        (
            ("", ""),
            (
                "steps:\n",
                "steps:\n  - use: ../templates/../templates/want.yaml\n",
            ),
            "templates/want.yaml:9:10: the template ../templates/../templates/want.yaml uses itself (used at a.yaml:14:5)",
        ),
    ] {
        let text = SCENARIO.replace(
            scenario.0,
            if scenario.0.is_empty() {
                ""
            } else {
                scenario.1
            },
        );
        let written = TEMPLATE.replacen(template.0, template.1, 1);
        let files = [
            ("a.yaml", text.as_str()),
            ("templates/want.yaml", written.as_str()),
        ];
        let found = problems(&files, "");
        if !found.iter().any(|p| p == problem) {
            wrong.push(format!("wanted {problem}\nsaid {found:#?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn templates_are_told_from_scenarios() {
    // A scenario among the templates would not be played.
    let files = [
        ("a.yaml", SCENARIO),
        ("templates/want.yaml", TEMPLATE),
        ("templates/b.yaml", SCENARIO),
    ];
    let found = problems(&files, "");
    assert!(
        found[0].starts_with("templates/b.yaml:1:1: there is no key \"name\""),
        "{found:?}"
    );
    let found = problems(&files[..2], "templates/want.yaml");
    assert_eq!(
        found,
        ["templates/want.yaml: a template is played in the scenarios that use it"]
    );
    let found = problems(&files[1..2], "");
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(
        found[0].ends_with("no scenario (*.yaml) in it"),
        "{found:?}"
    );
}
