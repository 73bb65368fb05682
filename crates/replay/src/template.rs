//! Templates: steps under a name, with parameters, that scenarios use in their own
//! lists of steps. A template's steps take the place of the entry that uses it;
//! what is wrong with one of them is said with its place in the template and the
//! place where that is used.

use std::collections::BTreeSet;
use std::path::{Path as File, PathBuf};
use std::rc::Rc;

use indexmap::IndexMap;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;

use crate::load::shown;
use crate::place::Path;
use crate::problem::{Problem, Text};
use crate::scenario::{Action, Expectation, Located, Step};
use crate::suggest::instead;
use crate::variables::{Plain, replaced};

/// The folder beside scenarios in which templates are looked for.
pub(crate) const FOLDER: &str = "templates";

/// A template, as its file describes it.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Template {
    /// Its name, which is its file's without `.yaml`.
    #[serde(rename = "template")]
    pub name: String,
    /// One line for people.
    pub title: String,
    /// What its steps do, and what they leave out.
    pub description: String,
    /// Values for `${name}` anywhere in the file.
    #[serde(default)]
    pub parameters: IndexMap<String, Parameter>,
    /// What happens, in order.
    #[schemars(with = "Vec<Entry>")]
    pub steps: Vec<StepName>,
}

/// A parameter of a template.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Parameter {
    /// What it is.
    pub description: String,
    /// Its value where none is given; without it, one must be.
    #[serde(rename = "default")]
    default_: Option<Plain>,
}

impl Parameter {
    /// Its value where none is given.
    pub fn default_value(&self) -> Option<&str> {
        self.default_.as_ref().map(|value| value.0.as_str())
    }
}

/// What a step of a template is called, with its parameters as they are written.
#[derive(Clone, Debug, Deserialize)]
pub struct StepName {
    name: Option<String>,
    r#use: Option<String>,
}

impl StepName {
    /// Its name, or that of the template that it uses.
    pub fn text(&self) -> &str {
        let name = self.name.as_deref().or(self.r#use.as_deref());
        name.unwrap_or_default()
    }
}

/// An entry in a list of steps: a step, or a template that is used in its place.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Entry {
    name: Option<Located>,
    #[serde(rename = "do")]
    actions: Option<Vec<Action>>,
    expect: Option<Vec<Expectation>>,
    r#use: Option<String>,
    with: Option<IndexMap<String, Plain>>,
}

/// A template that is used. Its schema is what editors know of it.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "only its schema is made from it")]
struct Use {
    /// The template: its name, if it is in the folder `templates` beside the scenario,
    /// or its path from here.
    #[schemars(rename = "use")]
    template: String,
    /// Values of its parameters.
    with: Option<IndexMap<String, Plain>>,
}

impl JsonSchema for Entry {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Entry".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let step = generator.subschema_for::<Step>();
        let template = generator.subschema_for::<Use>();
        json_schema!({"anyOf": [step, template]})
    }
}

/// What an entry is.
enum Form {
    Step(Step),
    Use(String, IndexMap<String, Plain>),
}

impl Entry {
    fn form(self) -> Result<Form, &'static str> {
        let is_use = self.r#use.is_some();
        match self {
            Self {
                name: None,
                actions: None,
                expect: None,
                r#use: Some(template),
                with,
            } => Ok(Form::Use(template, with.unwrap_or_default())),
            _ if is_use => Err("name, do and expect are the template's that is used here"),
            Self { with: Some(_), .. } => {
                Err("values are given, and the key \"use\" with a template for them is missing")
            }
            Self {
                name: Some(name),
                actions,
                expect: Some(expect),
                ..
            } => Ok(Form::Step(Step {
                name,
                actions: actions.unwrap_or_default(),
                expect,
            })),
            Self { name: None, .. } => Err("the key \"name\" is missing"),
            _ => Err("the key \"expect\" is missing"),
        }
    }
}

/// Where a step comes from.
#[derive(Clone, Debug)]
pub(crate) struct Origin {
    text: Rc<Text>,
    path: Path,
    used: String,
}

impl Origin {
    /// A problem with a part of the step.
    pub(crate) fn problem_of(&self, below: &Path, message: &str) -> Problem {
        let path = self.path.join(below);
        let message = format!("{message}{}", self.used);
        self.text.problem_of(&path, message)
    }
}

/// Steps with everything in place, and what is wrong with the entries.
#[derive(Default)]
pub(crate) struct Expanded {
    pub(crate) steps: Vec<Step>,
    /// Of each step.
    pub(crate) origins: Vec<Origin>,
    pub(crate) problems: Vec<Problem>,
}

/// Puts the steps of templates into the entries of a scenario's file.
pub(crate) fn expand(entries: Vec<Entry>, text: &Text, file: &File) -> Expanded {
    let folder = file.parent().unwrap_or(File::new(""));
    let mut expander = Expander {
        templates: folder.join(FOLDER),
        open: Vec::new(),
        used: String::new(),
        done: Expanded::default(),
    };
    expander.entries(entries, &Rc::new(text.clone()), folder);
    expander.done
}

struct Expander {
    /// Where templates are looked for by name.
    templates: PathBuf,
    /// The templates in which the current entry is.
    open: Vec<PathBuf>,
    /// Where those are used, for messages.
    used: String,
    done: Expanded,
}

impl Expander {
    fn entries(&mut self, entries: Vec<Entry>, text: &Rc<Text>, folder: &File) {
        for (index, entry) in entries.into_iter().enumerate() {
            let origin = Origin {
                text: Rc::clone(text),
                path: Path::of("steps").item(index),
                used: self.used.clone(),
            };
            match entry.form() {
                Ok(Form::Step(step)) => {
                    self.done.steps.push(step);
                    self.done.origins.push(origin);
                }
                Ok(Form::Use(name, values)) => self.template(&name, &values, &origin, folder),
                Err(message) => {
                    let problem = origin.problem_of(&Path::default(), message);
                    self.done.problems.push(problem);
                }
            }
        }
    }

    /// Puts a template's steps in.
    fn template(
        &mut self,
        name: &str,
        values: &IndexMap<String, Plain>,
        at: &Origin,
        folder: &File,
    ) {
        let is_path = name.contains('/') || name.ends_with(".yaml") || name.ends_with(".yml");
        let file = if is_path {
            folder.join(name)
        } else {
            self.templates.join(format!("{name}.yaml"))
        };
        let wrong = |message: String| at.problem_of(&Path::of("use"), &message);
        let real = std::fs::canonicalize(&file).unwrap_or_else(|_| file.clone());
        if self.open.contains(&real) {
            let message = format!("the template {name} uses itself");
            return self.done.problems.push(wrong(message));
        }
        let written = match std::fs::read_to_string(&file) {
            Ok(written) => written,
            Err(error) => {
                let message = if error.kind() == std::io::ErrorKind::NotFound && !is_path {
                    let names = names_in(&self.templates);
                    let instead = instead(name, names.iter().map(String::as_str));
                    let place = shown(&self.templates);
                    format!("there is no template {name:?} in {place}{instead}")
                } else {
                    format!("{}: {error}", shown(&file))
                };
                return self.done.problems.push(wrong(message));
            }
        };
        let plain = Text::plain(&shown(&file), &written);
        let template = match read(&file, &plain) {
            Ok(template) => template,
            Err(problems) => return self.done.problems.extend(problems),
        };
        let before = self.done.problems.len();
        let values = self.values(&template, &plain, values, at);
        let replaced = replaced(&plain, &values, "parameter", &mut BTreeSet::new());
        // Mistakes of the template itself were found when it was read.
        let (Ok(text), true) = (replaced, self.done.problems.len() == before) else {
            return;
        };
        let place = at.problem_of(&Path::default(), "").place;
        let (line, column) = place.unwrap_or((1, 1));
        let used = format!(" (used at {}:{line}:{column})", at.text.file);
        let used = format!("{used}{}", self.used);
        let outer = std::mem::replace(&mut self.used, used);
        let first = self.done.steps.len();
        match serde_saphyr::from_str::<Body>(&text.replaced) {
            Ok(body) => {
                let own_folder = file.parent().unwrap_or(File::new("")).to_owned();
                self.open.push(real);
                self.entries(body.steps, &Rc::new(text), &own_folder);
                self.open.pop();
            }
            Err(error) => {
                let problem = text.unreadable(&error).with(&self.used);
                self.done.problems.push(problem);
            }
        }
        self.used = outer;
        for step in &mut self.done.steps[first..] {
            // A failure is shown in the scenario's file, where the template is used.
            step.name.line = u64::try_from(line).ok();
            step.name.text = format!("{}: {}", template.name, step.name.text);
        }
    }

    /// The values of a template's parameters.
    fn values<'v>(
        &mut self,
        template: &'v Template,
        plain: &Text,
        given: &'v IndexMap<String, Plain>,
        at: &Origin,
    ) -> IndexMap<&'v str, &'v str> {
        let name = &template.name;
        for parameter in given.keys() {
            if !template.parameters.contains_key(parameter) {
                let names = template.parameters.keys().map(String::as_str);
                let instead = instead(parameter, names);
                let file = &plain.file;
                let message = format!("{name} ({file}) has no parameter {parameter:?}{instead}");
                let path = Path::of("with").member(parameter).key();
                self.done.problems.push(at.problem_of(&path, &message));
            }
        }
        let mut values = IndexMap::new();
        for (parameter, declared) in &template.parameters {
            let value = given.get(parameter).map(|value| value.0.as_str());
            match value.or(declared.default_value()) {
                Some(value) => {
                    values.insert(parameter.as_str(), value);
                }
                None => {
                    let path = Path::of("parameters").member(parameter).key();
                    let (line, column) = plain.problem_of(&path, "").place.unwrap_or((1, 1));
                    let message = format!(
                        "{name} wants a value for {parameter:?} ({}:{line}:{column})",
                        plain.file
                    );
                    let problem = at.problem_of(&Path::of("use"), &message);
                    self.done.problems.push(problem);
                }
            }
        }
        values
    }
}

/// The part of a template's file that is played.
#[derive(Deserialize)]
struct Body {
    steps: Vec<Entry>,
}

/// Whether a text, which is no scenario, is a template.
pub(crate) fn is_one(text: &str) -> bool {
    #[derive(Deserialize)]
    struct Named {
        #[serde(rename = "template")]
        _template: String,
    }
    serde_saphyr::from_str::<Named>(text).is_ok()
}

/// Reads a template and finds the mistakes that it has whatever its values are.
fn read(file: &File, plain: &Text) -> Result<Template, Vec<Problem>> {
    let template: Template =
        serde_saphyr::from_str(&plain.original).map_err(|e| vec![plain.unreadable(&e)])?;
    let mut problems = Vec::new();
    let stem = file.file_stem().map(|stem| stem.to_string_lossy());
    if stem.as_deref() != Some(template.name.as_str()) {
        let message = format!(
            "a template is called as its file is: {}",
            stem.unwrap_or_default()
        );
        problems.push(plain.problem_of(&Path::of("template"), message));
    }
    if template.steps.is_empty() {
        problems.push(plain.problem_of(&Path::of("steps"), "no step"));
    }
    let any: IndexMap<&str, &str> = template
        .parameters
        .keys()
        .map(|name| (name.as_str(), ""))
        .collect();
    let mut used = BTreeSet::new();
    match replaced(plain, &any, "parameter", &mut used) {
        Ok(_) => problems.extend(
            any.keys()
                .filter(|name| !used.contains(**name))
                .map(|name| {
                    let path = Path::of("parameters").member(name).key();
                    let message = format!("the parameter {name:?} is never used");
                    plain.problem_of(&path, message)
                }),
        ),
        Err(unknown) => problems.extend(unknown),
    }
    if problems.is_empty() {
        Ok(template)
    } else {
        Err(problems)
    }
}

/// Reads the file of a template.
///
/// # Errors
///
/// What is wrong with it, whatever values it is used with.
pub(crate) fn read_file(file: &File) -> Result<Template, Vec<Problem>> {
    let name = shown(file);
    let text = std::fs::read_to_string(file)
        .map_err(|error| vec![Problem::of_file(&name, error.to_string())])?;
    read(file, &Text::plain(&name, &text))
}

/// The names of the templates in a folder.
fn names_in(folder: &File) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let yaml = entries.map(|entry| entry.path()).filter(|path| {
        let extension = path.extension();
        extension.is_some_and(|e| e == "yaml")
    });
    let mut names: Vec<String> = yaml
        .filter_map(|path| Some(path.file_stem()?.to_string_lossy().into_owned()))
        .collect();
    names.sort();
    names
}
