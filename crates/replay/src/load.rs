//! Reads scenario files, and checks what a parser cannot see: names that do not
//! exist, expectations that could never be looked at, two of one name.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use fixname_naming::{LonghornVersion, upgrade_path};

use crate::scenario::{Action, DiskPath, Expectation, Scenario};

/// Why scenarios could not be loaded. All problems of all files are collected.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.join("\n"))]
pub struct LoadError(pub Vec<String>);

/// Loads every scenario named: a file, or all `.yaml` files below a folder, in
/// the order of their paths.
///
/// # Errors
///
/// [`LoadError`] with every problem of every file: unreadable, not YAML, an
/// unknown key, a name that does not exist. A folder without a scenario is one too.
pub fn load(paths: &[PathBuf]) -> Result<Vec<Scenario>, LoadError> {
    let mut problems = Vec::new();
    let mut files = Vec::new();
    for path in paths {
        let before = files.len();
        if let Err(error) = collect(path, &mut files) {
            problems.push(format!("{}: {error}", shown(path)));
        } else if files.len() == before {
            problems.push(format!("{}: no scenario (*.yaml) in it", shown(path)));
        }
    }
    let mut scenarios = Vec::new();
    let mut names: BTreeMap<String, PathBuf> = BTreeMap::new();
    for file in files {
        let scenario = match read(&file) {
            Ok(scenario) => scenario,
            Err(error) => {
                problems.push(format!("{}: {error}", shown(&file)));
                continue;
            }
        };
        for problem in check(&scenario) {
            problems.push(format!("{}: {problem}", shown(&file)));
        }
        if let Some(other) = names.insert(scenario.name.clone(), file.clone()) {
            problems.push(format!(
                "{}: the name {:?} is taken by {}",
                shown(&file),
                scenario.name,
                shown(&other)
            ));
        }
        scenarios.push(scenario);
    }
    if problems.is_empty() {
        Ok(scenarios)
    } else {
        Err(LoadError(problems))
    }
}

/// A path as text without control characters, which could pretend to be output.
fn shown(path: &Path) -> String {
    let text = path.display().to_string();
    text.chars()
        .flat_map(|c| match c {
            c if c.is_control() => c.escape_default().collect::<Vec<_>>(),
            c => vec![c],
        })
        .collect()
}

fn collect(path: &Path, files: &mut Vec<PathBuf>) -> std::io::Result<()> {
    if !path.is_dir() {
        std::fs::metadata(path)?;
        files.push(path.to_owned());
        return Ok(());
    }
    let mut entries = std::fs::read_dir(path)?
        .map(|entry| entry.map(|e| e.path()))
        .collect::<Result<Vec<_>, _>>()?;
    entries.sort();
    for entry in entries {
        let is_yaml = entry.extension().is_some_and(|e| e == "yaml" || e == "yml");
        if entry.is_dir() {
            collect(&entry, files)?;
        } else if is_yaml {
            files.push(entry);
        }
    }
    Ok(())
}

fn read(file: &Path) -> Result<Scenario, String> {
    let text = std::fs::read_to_string(file).map_err(|e| e.to_string())?;
    let mut scenario = parse(&text)?;
    scenario.file = Some(shown(file));
    Ok(scenario)
}

/// Parses one scenario.
///
/// # Errors
///
/// The parser's message, with line and column.
pub fn parse(text: &str) -> Result<Scenario, String> {
    serde_saphyr::from_str(text).map_err(|e| e.to_string())
}

/// What is wrong with a scenario besides its form.
pub fn check(scenario: &Scenario) -> Vec<String> {
    let mut problems = Vec::new();
    let disks = &scenario.cluster.disks;
    let mut say = |place: &str, problem: String| problems.push(format!("{place}: {problem}"));
    let known = |say: &mut dyn FnMut(&str, String), place: &str, disk: &DiskPath| {
        if !disks.contains_key(disk) {
            let names: Vec<_> = disks.keys().map(ToString::to_string).collect();
            say(
                place,
                format!("there is no disk {disk}; there are {}", names.join(", ")),
            );
        }
    };
    if scenario.longhorn.is_empty() {
        say("longhorn", "no version to run under".to_owned());
    }
    if scenario.repeat.seeds == 0 {
        say("repeat.seeds", "0 runs would show nothing".to_owned());
    }
    if scenario.steps.is_empty() {
        say("steps", "no step".to_owned());
    }
    for (name, image) in &scenario.cluster.images {
        let place = format!("cluster.images.{name}");
        for disk in image.copies.iter().chain([&image.source]) {
            known(&mut say, &place, disk);
        }
    }
    let image_exists = |name: &str| scenario.cluster.images.contains_key(name);
    // The versions in force at each step, to find expectations nobody would look at.
    let mut in_force: Vec<LonghornVersion> =
        scenario.longhorn.iter().map(|v| v.0.clone()).collect();
    for (index, step) in scenario.steps.iter().enumerate() {
        let place = format!("steps[{index}] ({})", step.name);
        for action in &step.actions {
            match action {
                Action::Want(copies) | Action::Drop(copies) => {
                    if !image_exists(&copies.image) {
                        say(&place, format!("there is no image {:?}", copies.image));
                    }
                    for disk in &copies.disks {
                        known(&mut say, &place, disk);
                    }
                }
                Action::Upgrade(to) => {
                    for from in &in_force {
                        if let Err(refused) = upgrade_path(from, &to.0) {
                            say(&place, format!("Longhorn refuses this upgrade: {refused}"));
                        }
                    }
                    in_force = vec![to.0.clone()];
                }
            }
        }
        if step.expect.is_empty() {
            say(
                &place,
                "it expects nothing, so it could not fail".to_owned(),
            );
        }
        for version in &in_force {
            if !step.expect.iter().any(|e| e.on.includes(version)) {
                say(&place, format!("nothing is expected under {version}"));
            }
        }
        for expectation in &step.expect {
            if !in_force.iter().any(|v| expectation.on.includes(v)) {
                say(
                    &place,
                    format!("an expectation on {:?} is never looked at", expectation.on),
                );
            }
            check_expectation(
                expectation,
                &place,
                &image_exists,
                &mut |disk| disks.contains_key(disk),
                &mut say,
            );
        }
    }
    let used: BTreeSet<&DiskPath> = scenario
        .cluster
        .images
        .values()
        .flat_map(|i| i.copies.iter().chain([&i.source]))
        .chain(
            scenario
                .steps
                .iter()
                .flat_map(|s| &s.actions)
                .flat_map(|a| match a {
                    Action::Want(c) | Action::Drop(c) => c.disks.as_slice(),
                    Action::Upgrade(_) => &[],
                }),
        )
        .collect();
    for disk in disks.keys().filter(|d| !used.contains(d)) {
        say("cluster.disks", format!("{disk} is never used"));
    }
    problems
}

fn check_expectation(
    expectation: &Expectation,
    place: &str,
    image_exists: &dyn Fn(&str) -> bool,
    disk_exists: &mut dyn FnMut(&DiskPath) -> bool,
    say: &mut dyn FnMut(&str, String),
) {
    let image = match (&expectation.stuck, &expectation.settled) {
        (Some(stuck), None) => {
            if stuck.contested.len() < 2 {
                say(
                    place,
                    "it takes two contested disks to get stuck".to_owned(),
                );
            }
            let named = stuck.contested.iter().chain(&stuck.bystanders);
            for disk in named.chain(&stuck.winner) {
                if !disk_exists(disk) {
                    say(place, format!("there is no disk {disk}"));
                }
            }
            if let Some(winner) = &stuck.winner
                && !stuck.contested.contains(winner)
            {
                say(
                    place,
                    format!("the winner {winner} is not among the contested disks"),
                );
            }
            &stuck.image
        }
        (None, Some(settled)) => &settled.image,
        _ => {
            say(
                place,
                "each expectation says either stuck or settled".to_owned(),
            );
            return;
        }
    };
    if !image_exists(image) {
        say(place, format!("there is no image {image:?}"));
    }
}
