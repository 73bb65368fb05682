//! Reads scenario files, and has them checked. Every problem says where it is.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::check::{Schemas, check};
use crate::place;
use crate::problem::{Problem, Text};
use crate::scenario::Scenario;
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
        let before = files.len();
        if let Err(error) = collect(path, &mut files) {
            problems.push(Problem::of_file(&shown(path), error.to_string()));
        } else if files.len() == before {
            let message = "no scenario (*.yaml) in it";
            problems.push(Problem::of_file(&shown(path), message));
        }
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
        let found = match read(&file, &text, &mut schemas) {
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

/// Reads the text of one file: a scenario for each combination of its matrix.
///
/// # Errors
///
/// Every problem, as [`load`] has it, with the file called `file`.
pub fn parse(file: &str, text: &str) -> Result<Vec<Scenario>, LoadError> {
    read(file, text, &mut Schemas::default()).map_err(LoadError)
}

fn read(file: &str, text: &str, schemas: &mut Schemas) -> Result<Vec<Scenario>, Vec<Problem>> {
    let mut scenarios = Vec::new();
    let mut problems: Vec<Problem> = Vec::new();
    for Instance { variant, text } in variables::instances(file, text)? {
        let found = match serde_saphyr::from_str::<Scenario>(&text.replaced) {
            Ok(mut scenario) => {
                if !variant.is_empty() {
                    scenario.name = format!("{}[{variant}]", scenario.name);
                }
                scenario.file = (!file.is_empty()).then(|| file.to_owned());
                let mistakes = check(&scenario, schemas);
                scenarios.push(scenario);
                let located = mistakes.iter().map(|m| text.problem_of(&m.path, &m.text));
                located.collect()
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

/// The JSON Schema of scenario files, for editors.
///
/// # Panics
///
/// Never: a schema is JSON.
pub fn schema() -> serde_json::Value {
    let generator = schemars::generate::SchemaSettings::draft07().into_generator();
    serde_json::to_value(generator.into_root_schema_for::<Scenario>()).expect("a schema is JSON")
}
