//! Reads scenario files, and checks what a parser cannot see: names that do not
//! exist, expectations that could never be looked at, two of one name.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use fixname_naming::{LonghornVersion, upgrade_path};

use crate::act;
use crate::expect::{PATIENCE, TWO_RESYNCS};
use crate::kinds;
use crate::scenario::{Action, DiskPath, Expectation, Scenario, Subject};
use crate::seen::{Rule, Span, Time};
use crate::template::{self, Instance};

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
        let found = match read(&file) {
            Ok(found) => found,
            Err(errors) => {
                problems.extend(errors.iter().map(|e| format!("{}: {e}", shown(&file))));
                continue;
            }
        };
        for scenario in found {
            for problem in check(&scenario) {
                let problem = format!("{}: {problem}", shown(&file));
                // Variants of one file mostly have the same mistakes.
                if !problems.contains(&problem) {
                    problems.push(problem);
                }
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

fn read(file: &Path) -> Result<Vec<Scenario>, Vec<String>> {
    let text = std::fs::read_to_string(file).map_err(|e| vec![e.to_string()])?;
    let mut scenarios = parse(&text)?;
    for scenario in &mut scenarios {
        scenario.file = Some(shown(file));
    }
    Ok(scenarios)
}

/// Parses the text of one file: a scenario for each combination of its matrix.
///
/// # Errors
///
/// Every problem, with line and column.
pub fn parse(text: &str) -> Result<Vec<Scenario>, Vec<String>> {
    let mut scenarios = Vec::new();
    let mut problems: Vec<String> = Vec::new();
    for Instance { variant, text } in template::instances(text)? {
        match serde_saphyr::from_str::<Scenario>(&text) {
            Ok(mut scenario) => {
                if !variant.is_empty() {
                    scenario.name = format!("{}[{variant}]", scenario.name);
                }
                scenarios.push(scenario);
            }
            Err(error) => {
                let error = error.to_string();
                if !problems.contains(&error) {
                    problems.push(error);
                }
            }
        }
    }
    if problems.is_empty() {
        Ok(scenarios)
    } else {
        Err(problems)
    }
}

/// The JSON Schema of scenario files, for editors.
///
/// # Panics
///
/// Never: a schema is JSON.
pub fn schema() -> serde_json::Value {
    let generator = schemars::generate::SchemaSettings::draft07().into_generator();
    serde_json::to_value(generator.into_root_schema_for::<Scenario>()).expect("a schema is JSON")
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
                Action::Apply(object) => {
                    if let Err(problem) = act::applied(object) {
                        say(&place, problem);
                    }
                }
                Action::Patch(patch) => {
                    kind_is_served(patch.api_version.as_deref(), &patch.kind, &place, &mut say);
                }
                Action::Delete(object) => {
                    kind_is_served(
                        object.api_version.as_deref(),
                        &object.kind,
                        &place,
                        &mut say,
                    );
                }
                Action::Advance(0) => say(&place, "0 seconds change nothing".to_owned()),
                Action::Run(command) => {
                    if let Some(problem) = command.problem() {
                        say(&place, problem.to_owned());
                    }
                }
                Action::Fault(fault) => {
                    if fault.nth == 0 || fault.times == 0 {
                        say(&place, "a fault counts requests from 1".to_owned());
                    }
                }
                Action::Restart if index == 0 => {
                    say(
                        &place,
                        "no manager runs before the first step is done".to_owned(),
                    );
                }
                Action::Restart | Action::Advance(_) => {}
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
                    _ => &[],
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
    let subject = match expectation.subject() {
        Ok(subject) => subject,
        Err(problem) => return say(place, problem),
    };
    let image = match subject {
        Subject::Stuck(stuck) => {
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
        Subject::Settled(settled) => &settled.image,
        single => return check_single(single, expectation.span(), place, say),
    };
    if expectation.span() != Span::default() {
        say(
            place,
            "stuck and settled are proved over two resyncs, and take no time of their own"
                .to_owned(),
        );
    }
    if !image_exists(image) {
        say(place, format!("there is no image {image:?}"));
    }
}

fn kind_is_served(
    api_version: Option<&str>,
    kind: &str,
    place: &str,
    say: &mut dyn FnMut(&str, String),
) {
    if let Err(problem) = kinds::served(api_version, kind) {
        say(place, problem);
    }
}

/// Expectations that could not fail, or could not be met.
fn check_single(subject: Subject<'_>, span: Span, place: &str, say: &mut dyn FnMut(&str, String)) {
    let time = match span.time(PATIENCE) {
        Ok(time) => time,
        Err(problem) => return say(place, problem),
    };
    if let Time::Stuck(span) = time
        && span < TWO_RESYNCS
    {
        say(
            place,
            format!(
                "stuck is shown over two resyncs: stuckFor takes {} seconds or more",
                TWO_RESYNCS.as_secs()
            ),
        );
    }
    match subject {
        Subject::Objects(objects) => {
            kind_is_served(objects.api_version.as_deref(), &objects.kind, place, say);
            if objects.name.is_none() && objects.rule.is_none() {
                say(
                    place,
                    "say how many objects must fit: match: any, all, none or {exactly: n}"
                        .to_owned(),
                );
            }
            if objects.name.is_some() && matches!(objects.rule, Some(Rule::Exactly(2..))) {
                say(place, "a name has one object at most".to_owned());
            }
            let asks = objects.fields.is_some() || objects.cel.is_some();
            if objects.rule == Some(Rule::All) && !asks {
                say(
                    place,
                    "match: all without fields or cel asks nothing of them".to_owned(),
                );
            }
        }
        Subject::Log(lines) | Subject::Event(lines) => {
            if lines.contains.is_none() && lines.matches.is_none() && lines.rule == Some(Rule::All)
            {
                say(place, "match: all asks nothing of the lines".to_owned());
            }
            let counts = matches!(lines.rule, Some(Rule::None | Rule::Exactly(_) | Rule::All));
            if counts && !matches!(time, Time::Always(_)) {
                say(
                    place,
                    "lines only become more: give alwaysFor, at whose end they are counted"
                        .to_owned(),
                );
            }
            if matches!(time, Time::Stuck(_)) {
                say(place, "a log does not get stuck: use alwaysFor".to_owned());
            }
        }
        Subject::Findings(_) | Subject::Stuck(_) | Subject::Settled(_) => {}
    }
}
