//! Whether a value fits its type, and what does not (`typed/validate.go`).

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::fields::element;
use super::set::shown;
use super::ty::{Atom, Form, List, MapType, Scalar, Ty};
use crate::schema::ListKind;

/// What does not fit, with its place.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Misfit {
    path: String,
    why: String,
}

impl Misfit {
    fn new(why: String) -> Self {
        Self {
            path: String::new(),
            why,
        }
    }

    fn text(&self) -> String {
        if self.path.is_empty() {
            self.why.clone()
        } else {
            format!("{}: {}", self.path, self.why)
        }
    }
}

/// Several misfits in one text.
pub(crate) fn text_of(misfits: &[Misfit]) -> String {
    if let [only] = misfits {
        return only.text();
    }
    let mut lines = vec!["errors:".to_owned()];
    lines.extend(misfits.iter().map(|m| format!("  {}", m.text())));
    lines.join("\n")
}

/// Whether a value fits a scalar; nothing and null always do.
pub(super) fn fits(scalar: Scalar, value: Option<&Value>) -> bool {
    match value {
        None | Some(Value::Null) => true,
        Some(value) => match scalar {
            Scalar::Numeric => value.is_number(),
            Scalar::Text => value.is_string(),
            Scalar::Boolean => value.is_boolean(),
            Scalar::Untyped => !value.is_object() && !value.is_array(),
        },
    }
}

/// What is wrong with a value that does not fit a scalar.
fn misfit(scalar: Scalar, value: &Value) -> Misfit {
    Misfit::new(match scalar {
        Scalar::Numeric => format!("expected numeric (int or float), got {}", go_type(value)),
        Scalar::Text => format!(
            "expected string, got &value.valueUnstructured{{Value:{}}}",
            go_syntax(value)
        ),
        Scalar::Boolean => format!("expected boolean, got &{{{}}}", go_plain(value)),
        Scalar::Untyped => format!("expected any scalar, got &{{{}}}", go_plain(value)),
    })
}

/// Checks a value against its type.
pub(crate) fn validate(ty: Ty<'_>, value: &Value, allow_twice: bool) -> Vec<Misfit> {
    let atom = ty.atom();
    match (atom.form(Some(value)).0, atom) {
        (
            Form::Scalar,
            Atom {
                scalar: Some(scalar),
                ..
            },
        ) => {
            if fits(scalar, Some(value)) {
                Vec::new()
            } else {
                vec![misfit(scalar, value)]
            }
        }
        (
            Form::List,
            Atom {
                list: Some(list), ..
            },
        ) => match value {
            Value::Array(items) => validate_items(&list, items, allow_twice),
            Value::Null => Vec::new(),
            other => vec![Misfit::new(format!(
                "expected list, got &{{{}}}",
                go_plain(other)
            ))],
        },
        (Form::Map, Atom { map: Some(map), .. }) => match value {
            Value::Object(members) => validate_members(map, members, allow_twice),
            Value::Null => Vec::new(),
            other => vec![Misfit::new(format!(
                "expected map, got &{{{}}}",
                go_plain(other)
            ))],
        },
        _ => Vec::new(),
    }
}

/// Adds what was found below a step.
fn add(misfits: &mut Vec<Misfit>, below: Vec<Misfit>, step: impl Fn() -> String) {
    // Values that fit, which most do, cost no text.
    if below.is_empty() {
        return;
    }
    let step = shown(&step());
    misfits.extend(below.into_iter().map(|mut misfit| {
        misfit.path.insert_str(0, &step);
        misfit
    }));
}

fn validate_items(list: &List<'_>, items: &[Value], allow_twice: bool) -> Vec<Misfit> {
    let mut misfits = Vec::new();
    let mut seen = BTreeSet::new();
    for (i, item) in items.iter().enumerate() {
        let step = if *list.kind == ListKind::Atomic {
            None
        } else {
            match element(list, item) {
                Ok(step) => {
                    if !allow_twice && !seen.insert(step.clone()) {
                        misfits.push(Misfit::new(format!(
                            "duplicate entries for key {}",
                            shown(&step)
                        )));
                    }
                    Some(step)
                }
                Err(why) => {
                    misfits.push(Misfit::new(format!("element {i}: {why}")));
                    return misfits;
                }
            }
        };
        add(&mut misfits, validate(list.item, item, allow_twice), || {
            step.clone().unwrap_or_else(|| format!("i:{i}"))
        });
    }
    misfits
}

fn validate_members(
    map: MapType<'_>,
    members: &Map<String, Value>,
    allow_twice: bool,
) -> Vec<Misfit> {
    let mut misfits = Vec::new();
    for (key, value) in members {
        let step = || format!("f:{key}");
        let Some(ty) = map.field(key).or_else(|| map.element()) else {
            let unknown = Misfit::new("field not declared in schema".to_owned());
            add(&mut misfits, vec![unknown], step);
            break;
        };
        add(&mut misfits, validate(ty, value, allow_twice), step);
    }
    misfits
}

/// A value as Go's `%v` prints it inside its wrapper.
pub(crate) fn go_plain(value: &Value) -> String {
    match value {
        Value::Null => "<nil>".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(go_plain).collect();
            format!("[{}]", items.join(" "))
        }
        Value::Object(map) => {
            let members: Vec<String> = map
                .iter()
                .map(|(k, v)| format!("{k}:{}", go_plain(v)))
                .collect();
            format!("map[{}]", members.join(" "))
        }
        other => other.to_string(),
    }
}

/// A value as Go's `%#v` prints it.
fn go_syntax(value: &Value) -> String {
    match value {
        Value::Null => "interface {}(nil)".to_owned(),
        Value::String(text) => crate::quote::quote(text),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(go_syntax).collect();
            format!("[]interface {{}}{{{}}}", items.join(", "))
        }
        Value::Object(map) => {
            let members: Vec<String> = map
                .iter()
                .map(|(k, v)| format!("{}:{}", crate::quote::quote(k), go_syntax(v)))
                .collect();
            format!("map[string]interface {{}}{{{}}}", members.join(", "))
        }
        other => other.to_string(),
    }
}

fn go_type(value: &Value) -> &'static str {
    match value {
        Value::Null => "<nil>",
        Value::Bool(_) => "bool",
        Value::Number(_) => "float64",
        Value::String(_) => "string",
        Value::Array(_) => "[]interface {}",
        Value::Object(_) => "map[string]interface {}",
    }
}
