//! One value of a setting, against the setting's definition (`types.ValidateSetting`):
//! the texts before v1.10.0, and those since a value may be given by data engine.

use std::collections::BTreeMap;

use rand::Rng;
use serde_json::{Map, Value, json};

use super::super::cluster::Cluster;
use super::super::rules::{Rules, SettingCheck};
use super::super::{decode, go};
use super::definitions::{Definition, ValueType};
use super::form;
use crate::view::shuffled;

/// The engine of a value that is for all of them.
const ALL: &str = "all";

/// `types.ValidateSetting`.
pub(crate) fn check(
    rules: &Rules,
    name: &str,
    value: &str,
    rng: &mut impl Rng,
) -> Result<(), String> {
    checked(rules, name, value, rng)
        .map_err(|why| format!("value {value} of settings {name} is invalid: {why}"))
}

fn checked(rules: &Rules, name: &str, value: &str, rng: &mut impl Rng) -> Result<(), String> {
    let Some(definition) = Definition::of(&rules.version, name) else {
        return Err(format!("setting {name} is not supported"));
    };
    if definition.is_required && value.is_empty() {
        return Err(format!("required setting {name} shouldn't be empty"));
    }
    match rules.setting_check {
        SettingCheck::Single => single(rules, definition, name, value)
            .map_err(|why| format!("failed to validate the setting {name}: {why}")),
        SettingCheck::ByEngine => engines(rules, definition, name, value, rng),
    }
}

/// Before v1.10.0.
fn single(rules: &Rules, definition: &Definition, name: &str, value: &str) -> Result<(), String> {
    match definition.value_type {
        ValueType::Bool if !matches!(value, "true" | "false") => {
            Err(format!("value {value} should be true or false"))
        }
        ValueType::Int => {
            let number =
                go::atoi(value).map_err(|why| format!("value {value} is not a number: {why}"))?;
            let (minimum, maximum) = (definition.minimum, definition.maximum);
            if let Some(minimum) = minimum.filter(|minimum| as_float(number) < *minimum) {
                return Err(format!("value {number} should be larger than {minimum}"));
            }
            if let Some(maximum) = maximum.filter(|maximum| as_float(number) > *maximum) {
                return Err(format!("value {number} should be less than {maximum}"));
            }
            Ok(())
        }
        ValueType::Text if !definition.choices.is_empty() => choice(definition, value),
        ValueType::Text => form::check(rules, name, value),
        ValueType::Bool | ValueType::Float | ValueType::Any => Ok(()),
    }
}

/// The values by engine: what was given, parsed by the setting's type.
type Values = BTreeMap<String, Parsed>;

/// One value. It is shown as Go's `%v` does it.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Parsed {
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
}

impl std::fmt::Display for Parsed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Bool(value) => value.fmt(f),
            Self::Int(value) => value.fmt(f),
            Self::Float(value) => f.write_str(&go::shortest(*value)),
            Self::Text(value) => value.fmt(f),
        }
    }
}

/// Since v1.10.0.
fn engines(
    rules: &Rules,
    definition: &Definition,
    name: &str,
    value: &str,
    rng: &mut impl Rng,
) -> Result<(), String> {
    if definition.value_type == ValueType::Any {
        return Ok(());
    }
    let display_name = definition.display_name;
    let looks_at_json = definition.is_by_engine || rules.reads_json_of_any_setting;
    let mut parse = |value: &str| match json_of(value.trim()) {
        Some(_) if looks_at_json => by_json(definition, value, rng),
        _ => by_one(definition, value),
    };
    let values = parse(value).map_err(|why| {
        format!("failed to parse value {value} for setting {display_name}: {why}")
    })?;
    if values.is_empty() {
        return Err(format!(
            "failed to parse value {value} for setting {display_name}, value cannot be empty"
        ));
    }
    let default = definition.default;
    let defaults = parse(default).map_err(|why| {
        format!("failed to parse default value {default} for setting {display_name}: {why}")
    })?;
    if values.len() != defaults.len() {
        return Err(format!(
            "mismatched data engines for setting {display_name}"
        ));
    }
    if let Some(engine) = values.keys().find(|engine| !defaults.contains_key(*engine)) {
        return Err(format!(
            "data engine {engine} is not supported for setting {display_name}"
        ));
    }
    match definition.value_type {
        ValueType::Int | ValueType::Float => bounds(definition, &values, rng),
        ValueType::Text => {
            for value in shuffled(values.values(), rng) {
                let value = value.to_string();
                if !definition.choices.is_empty() {
                    choice(definition, &value)?;
                }
                form::check(rules, name, &value)?;
            }
            Ok(())
        }
        ValueType::Bool | ValueType::Any => Ok(()),
    }
}

fn bounds(definition: &Definition, values: &Values, rng: &mut impl Rng) -> Result<(), String> {
    let mut wrong = Vec::new();
    for (engine, value) in shuffled(values, rng) {
        let number = match value {
            Parsed::Int(value) => as_float(*value),
            Parsed::Float(value) => *value,
            Parsed::Bool(_) | Parsed::Text(_) => continue,
        };
        if let Some(minimum) = definition.minimum.filter(|minimum| number < *minimum) {
            wrong.push(format!(
                "value {value} for data engine {engine} should be larger than or equal to {minimum}"
            ));
        } else if let Some(maximum) = definition.maximum.filter(|maximum| number > *maximum) {
            wrong.push(format!(
                "value {value} for data engine {engine} should be less than or equal to {maximum}"
            ));
        } else if definition.value_type == ValueType::Int && !definition.choices.is_empty() {
            return choice(definition, &value.to_string());
        }
    }
    joined(&wrong)
}

/// `errors.Join`.
fn joined(errors: &[String]) -> Result<(), String> {
    if errors.is_empty() {
        Ok(())
    } else {
        Err(errors.join("\n"))
    }
}

fn choice(definition: &Definition, value: &str) -> Result<(), String> {
    if definition.choices.contains(&value) {
        return Ok(());
    }
    Err(format!(
        "value {value} is not a valid choice, available choices {}",
        go::list(&definition.choices)
    ))
}

/// `IsJSONFormat`: an object, or null, which to Go is a map too.
fn json_of(value: &str) -> Option<Map<String, Value>> {
    match serde_json::from_str(value).ok()? {
        Value::Object(map) => Some(map),
        Value::Null => Some(Map::new()),
        _ => None,
    }
}

/// `ParseDataEngineSpecificSetting`.
fn by_json(definition: &Definition, value: &str, rng: &mut impl Rng) -> Result<Values, String> {
    if !definition.is_by_engine {
        return Err(
            "JSON-formatted value is not supported for non-data-engine-specific setting".to_owned(),
        );
    }
    let failed = |why| format!("failed to parse JSON-formatted value {value}: {why}");
    let json = super::super::json::parse(value).map_err(failed)?;
    decode::cannot("map[v1beta2.DataEngineType]string", "object", &json).map_err(failed)?;
    let mut values = Values::new();
    let mut wrong = Vec::new();
    for (engine, given) in shuffled(super::super::entries(&json), rng) {
        decode::cannot("string", "string", given).map_err(failed)?;
        let given = given.as_str().unwrap_or_default();
        match parse(definition, given) {
            Ok(parsed) => {
                values.insert(engine.clone(), parsed);
            }
            Err((kind, why)) => wrong.push(format!(
                "failed to parse {kind} value {given} for data engine {engine}: {why}"
            )),
        }
    }
    joined(&wrong).map(|()| values)
}

/// `ParseSettingSingleValue`: one value, for every engine that has a default.
fn by_one(definition: &Definition, value: &str) -> Result<Values, String> {
    let parsed = parse(definition, value.trim())
        .map_err(|(kind, why)| format!("failed to parse single {kind} value {value}: {why}"))?;
    let engines = match json_of(definition.default) {
        Some(defaults) if definition.is_by_engine => defaults.keys().cloned().collect(),
        _ => vec![ALL.to_owned()],
    };
    Ok(engines.into_iter().map(|e| (e, parsed.clone())).collect())
}

fn parse(definition: &Definition, value: &str) -> Result<Parsed, (&'static str, String)> {
    match definition.value_type {
        ValueType::Bool => go::parse_bool(value)
            .map(Parsed::Bool)
            .map_err(|e| ("bool", e)),
        ValueType::Int => go::parse_int(value)
            .map(Parsed::Int)
            .map_err(|e| ("int", e)),
        ValueType::Float => go::parse_float(value)
            .map(Parsed::Float)
            .map_err(|e| ("float", e)),
        ValueType::Text | ValueType::Any => Ok(Parsed::Text(value.to_owned())),
    }
}

/// `GetSettingValidValue`: of a setting by engine, the values of the engines that have
/// a default, as JSON.
pub(super) fn by_engine(
    definition: &Definition,
    value: &str,
    rng: &mut impl Rng,
) -> Result<String, String> {
    if !definition.is_by_engine {
        return Ok(value.to_owned());
    }
    let defaults = json_of(definition.default).unwrap_or_default();
    let values = match json_of(value) {
        Some(_) => by_json(definition, value, rng)?,
        None => by_one(definition, value)?,
    };
    let written = |value: &Parsed| match value {
        Parsed::Float(value) => go::plain(*value),
        value => value.to_string(),
    };
    let kept: BTreeMap<_, _> = values
        .into_iter()
        .filter(|(engine, _)| defaults.contains_key(engine))
        .map(|(engine, value)| (engine, written(&value)))
        .collect();
    let text = json!(kept).to_string();
    // Go writes these three so that its JSON can stand in HTML.
    Ok(text
        .replace('<', "\\u003c")
        .replace('>', "\\u003e")
        .replace('&', "\\u0026"))
}

/// What is stored of a setting by engine.
fn stored(
    rules: &Rules,
    name: &str,
    cluster: &Cluster,
    rng: &mut impl Rng,
) -> Result<Values, String> {
    let Some(definition) = Definition::of(&rules.version, name) else {
        return Err(format!("setting {name} is not supported"));
    };
    by_json(definition, &cluster.setting(rules, name)?, rng)
}

/// `GetSettingAsBoolByDataEngine` and its like.
pub(super) fn of_engine(
    rules: &Rules,
    name: &str,
    engine: &str,
    cluster: &Cluster,
    rng: &mut impl Rng,
) -> Result<Parsed, String> {
    let mut values = stored(rules, name, cluster, rng)?;
    values.remove(engine).ok_or_else(|| {
        let values = values.iter().map(|(k, v)| (k.clone(), v.to_string()));
        let values = go::map(&values.collect());
        format!(
            "the {name} setting value for data engine {engine} is not defined, value is {values}"
        )
    })
}

/// `GetSettingValueExistedByDataEngine`, of a setting by engine.
pub(super) fn by_engine_value(
    rules: &Rules,
    name: &str,
    engine: &str,
    cluster: &Cluster,
    rng: &mut impl Rng,
) -> Result<String, String> {
    let values = stored(rules, name, cluster, rng)?;
    let value = values.get(engine).map(Parsed::to_string);
    value.ok_or_else(|| format!("setting {name} does not have a value for data engine {engine}"))
}

#[expect(clippy::cast_precision_loss, reason = "bounds are small numbers")]
fn as_float(number: i64) -> f64 {
    number as f64
}
