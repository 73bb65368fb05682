//! Reads scenario files, and has them checked. Every problem says where it is.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::check::{Mistake, Schemas, check};
use crate::place;
use crate::problem::{Problem, Text};
use crate::record::given;
use crate::scenario::Scenario;
use crate::template::{self, Expanded, Template};
use crate::variables::{self, Instance};

/// Why scenarios could not be loaded. All problems of all files are collected.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
pub struct LoadError(pub Vec<Problem>);

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
        match collected(std::slice::from_ref(path), false) {
            Ok(found) if found.is_empty() => {
                let message = "no scenario (*.yaml) in it";
                problems.push(Problem::of_file(&shown(path), message));
            }
            Ok(found) => files.extend(found),
            Err(problem) => problems.push(problem),
        }
    }
    for template in collected(paths, true).into_iter().flatten() {
        problems.extend(template::read_file(&template).err().into_iter().flatten());
    }
    let mut schemas = Schemas::default();
    let mut scenarios = Vec::new();
    let mut names: BTreeMap<String, String> = BTreeMap::new();
    for path in files {
        let file = shown(&path);
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) => {
                problems.push(Problem::of_file(&file, error.to_string()));
                continue;
            }
        };
        let found = match read(&path, &text, &mut schemas) {
            Ok(found) => found,
            Err(found) => {
                problems.extend(found);
                continue;
            }
        };
        for scenario in found {
            let name = scenario.name.clone();
            if let Some(other) = names.insert(name.clone(), file.clone()) {
                let message = format!("the name {name:?} is taken by {other}");
                let at = place::Path::of("name");
                problems.push(Text::plain(&file, &text).problem_of(&at, message));
            }
            scenarios.push(scenario);
        }
    }
    if problems.is_empty() {
        Ok(scenarios)
    } else {
        // A template's mistakes are found by all who use it.
        let mut told: Vec<Problem> = Vec::new();
        for problem in problems {
            if !told.contains(&problem) {
                told.push(problem);
            }
        }
        Err(LoadError(told))
    }
}

/// A path as text without control characters, which could pretend to be output.
pub(crate) fn shown(path: &Path) -> String {
    let text = path.display().to_string();
    text.chars()
        .flat_map(|c| match c {
            c if c.is_control() => c.escape_default().collect::<Vec<_>>(),
            c => vec![c],
        })
        .collect()
}

/// The files of scenarios, or of templates, that are meant by paths.
fn collected(paths: &[PathBuf], templates: bool) -> Result<Vec<PathBuf>, Problem> {
    let mut files = Vec::new();
    for path in paths {
        collect(path, templates, false, &mut files)
            .map_err(|error| Problem::of_file(&shown(path), error.to_string()))?;
    }
    Ok(files)
}

/// `inside` a folder of templates everything below is one, and elsewhere nothing. A
/// file that is named itself is a scenario.
fn collect(
    path: &Path,
    templates: bool,
    inside: bool,
    files: &mut Vec<PathBuf>,
) -> std::io::Result<()> {
    if !path.is_dir() {
        std::fs::metadata(path)?;
        if !templates {
            files.push(path.to_owned());
        }
        return Ok(());
    }
    let mut entries = std::fs::read_dir(path)?
        .map(|entry| entry.map(|e| e.path()))
        .collect::<Result<Vec<_>, _>>()?;
    entries.sort();
    for entry in entries {
        let is_yaml = entry.extension().is_some_and(|e| e == "yaml" || e == "yml");
        if entry.is_dir() {
            let inside = inside || entry.file_name().is_some_and(|n| n == template::FOLDER);
            collect(&entry, templates, inside, files)?;
        } else if is_yaml && inside == templates {
            files.push(entry);
        }
    }
    Ok(())
}

/// Reads the text of one file: a scenario for each combination of its matrix.
///
/// # Errors
///
/// Every problem, as [`load`] has it, with the file called `file`.
pub fn parse(file: &str, text: &str) -> Result<Vec<Scenario>, LoadError> {
    read(Path::new(file), text, &mut Schemas::default()).map_err(LoadError)
}

fn read(path: &Path, text: &str, schemas: &mut Schemas) -> Result<Vec<Scenario>, Vec<Problem>> {
    let file = &shown(path);
    if template::is_one(text) {
        let message = "a template is played in the scenarios that use it";
        return Err(vec![Problem::of_file(file, message)]);
    }
    let mut scenarios = Vec::new();
    let mut problems: Vec<Problem> = Vec::new();
    for Instance { variant, text } in variables::instances(file, text)? {
        let found = match serde_saphyr::from_str::<Scenario>(&text.replaced) {
            Ok(mut scenario) => {
                if !variant.is_empty() {
                    scenario.name = format!("{}[{variant}]", scenario.name);
                }
                scenario.file = (!file.is_empty()).then(|| file.to_owned());
                let entries = std::mem::take(&mut scenario.entries);
                let Expanded {
                    steps,
                    origins,
                    problems,
                } = template::expand(entries, &text, path);
                scenario.steps = steps;
                let captured = add_captured(&mut scenario, path);
                let found = if let Err(message) = captured {
                    let at = place::Path::of("cluster").member("captured");
                    vec![text.problem_of(&at, message)]
                } else if problems.is_empty() {
                    let mistakes = check(&scenario, schemas);
                    let located = |mistake: &Mistake| match mistake.path.in_step() {
                        Some((step, below)) => origins[step].problem_of(&below, &mistake.text),
                        None => text.problem_of(&mistake.path, &mistake.text),
                    };
                    mistakes.iter().map(located).collect()
                } else {
                    problems
                };
                scenarios.push(scenario);
                found
            }
            Err(error) => vec![text.unreadable(&error)],
        };
        for problem in found {
            // Variants of one file mostly have the same mistakes.
            if !problems.contains(&problem) {
                problems.push(problem);
            }
        }
    }
    if problems.is_empty() {
        Ok(scenarios)
    } else {
        Err(problems)
    }
}

/// Adds the cluster that was captured to what the scenario begins with.
fn add_captured(scenario: &mut Scenario, path: &Path) -> Result<(), String> {
    let Some(dump) = scenario.cluster.captured.clone() else {
        return Ok(());
    };
    match scenario.longhorn.first() {
        Some(version) => given::add(&mut scenario.cluster, &dump.text, path, &version.0),
        // That is a mistake of its own.
        None => Ok(()),
    }
}

/// The templates in the folders `templates` below those named, in the order of their
/// paths.
///
/// # Errors
///
/// [`LoadError`] with every problem of every template.
pub fn templates(paths: &[PathBuf]) -> Result<Vec<Template>, LoadError> {
    let files = collected(paths, true).map_err(|e| LoadError(vec![e]))?;
    let mut templates = Vec::new();
    let mut problems = Vec::new();
    for file in files {
        match template::read_file(&file) {
            Ok(template) => templates.push(template),
            Err(found) => problems.extend(found),
        }
    }
    if problems.is_empty() {
        Ok(templates)
    } else {
        Err(LoadError(problems))
    }
}

/// The JSON Schema of template files, for editors.
///
/// # Panics
///
/// Never: a schema is JSON.
pub fn template_schema() -> serde_json::Value {
    let generator = schemars::generate::SchemaSettings::draft07().into_generator();
    serde_json::to_value(generator.into_root_schema_for::<Template>()).expect("a schema is JSON")
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
