//! Checks an object against a structural schema, with the texts of
//! `kube-openapi/pkg/validation` as `apiextensions-apiserver` reports them.

use serde_json::Value;

use super::place::Place;
use super::{Additional, ListKind, Schema, Type};
use crate::status::FieldError;

/// Checks a whole custom resource; `metadata` is checked elsewhere.
pub(crate) fn validate(schema: &Schema, object: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let root = &Place::Root;
    check(schema, object, root, &mut errors);
    if schema.has_embedded {
        embedded(schema, object, root, &mut errors);
    }
    if schema.has_list_kinds {
        list_kinds(schema, object, root, &mut errors);
    }
    errors
}

/// Checks an update: what was wrong before and did not change is let through,
/// as the real server's ratcheting does.
pub(crate) fn validate_change(schema: &Schema, new: &Value, old: &Value) -> Vec<FieldError> {
    ratchet(
        validate(schema, new),
        || validate(schema, old),
        new,
        old,
        "",
    )
}

/// Checks one member of an object; `field` is its place.
pub(crate) fn validate_below(
    schema: &Schema,
    new: &Value,
    old: Option<&Value>,
    field: &str,
) -> Vec<FieldError> {
    let place = |errors: Vec<FieldError>| -> Vec<FieldError> {
        errors
            .into_iter()
            .map(|mut error| {
                error.field = if error.field.is_empty() {
                    field.to_owned()
                } else {
                    format!("{field}.{}", error.field)
                };
                error
            })
            .collect()
    };
    let errors = validate(schema, new);
    let errors = match old {
        Some(old) => ratchet(errors, || validate(schema, old), new, old, ""),
        None => errors,
    };
    place(errors)
}

fn ratchet(
    errors: Vec<FieldError>,
    before: impl FnOnce() -> Vec<FieldError>,
    new: &Value,
    old: &Value,
    _path: &str,
) -> Vec<FieldError> {
    if errors.is_empty() {
        return errors;
    }
    let before = before();
    errors
        .into_iter()
        .filter(|error| {
            let unchanged =
                at(new, &error.field).is_some() && at(new, &error.field) == at(old, &error.field);
            !(unchanged && before.contains(error))
        })
        .collect()
}

/// The value at a path such as `spec.list[0].x`.
fn at<'a>(value: &'a Value, path: &str) -> Option<&'a Value> {
    let mut found = value;
    for step in path.split('.').filter(|s| !s.is_empty()) {
        let (key, indexes) = step.split_once('[').unwrap_or((step, ""));
        if !key.is_empty() {
            found = found.get(key)?;
        }
        for index in indexes.split('[').filter(|s| !s.is_empty()) {
            found = found.get(index.trim_end_matches(']').parse::<usize>().ok()?)?;
        }
    }
    Some(found)
}

/// A failure whose text repeats the path, as go-openapi's do.
fn fail(errors: &mut Vec<FieldError>, path: &Place<'_>, value: &Value, rest: &str) {
    errors.push(FieldError::invalid(
        path,
        value,
        format!("{path} in body {rest}"),
    ));
}

fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(n) if n.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

fn check(schema: &Schema, value: &Value, path: &Place<'_>, errors: &mut Vec<FieldError>) {
    if !check_type(schema, value, path, errors) {
        return;
    }
    if value.is_null() {
        return;
    }
    if !schema.allowed.is_empty() && !schema.allowed.contains(value) {
        let supported: Vec<String> = schema
            .allowed
            .iter()
            .map(|v| v.as_str().map_or_else(|| v.to_string(), str::to_owned))
            .collect();
        errors.push(FieldError::not_supported(path, value, &supported));
    }
    match value {
        Value::String(text) => check_string(schema, text, value, path, errors),
        Value::Number(_) => check_number(schema, value, path, errors),
        Value::Array(items) => {
            if let Some(item_schema) = &schema.items {
                for (i, item) in items.iter().enumerate() {
                    check(item_schema, item, &Place::Item(path, i), errors);
                }
            }
            let n = items.len() as u64;
            if schema.min_items.is_some_and(|min| n < min) {
                let min = schema.min_items.unwrap_or_default();
                let rest = format!("should have at least {min} items");
                errors.push(FieldError::invalid(
                    path,
                    &Value::from(n),
                    format!("{path} in body {rest}"),
                ));
            }
            if let Some(max) = schema.max_items.filter(|max| n > *max) {
                errors.push(FieldError::too_many(path, items.len(), max as usize));
            }
            if schema.unique_items
                && items
                    .iter()
                    .enumerate()
                    .any(|(i, item)| items[..i].contains(item))
            {
                errors.push(FieldError::invalid_str(
                    path,
                    "",
                    format!("{path} in body shouldn't contain duplicates"),
                ));
            }
        }
        Value::Object(map) => {
            let n = map.len() as u64;
            if let Some(min) = schema.min_properties.filter(|min| n < *min) {
                errors.push(FieldError::invalid(
                    path,
                    &Value::from(n),
                    format!("{path} in body should have at least {min} properties"),
                ));
            }
            if let Some(max) = schema.max_properties.filter(|max| n > *max) {
                errors.push(FieldError::too_many(path, map.len(), max as usize));
            }
            for (key, member) in map {
                match (schema.properties.get(key), &schema.additional) {
                    (Some(property), _) => {
                        check(property, member, &Place::Member(path, key), errors);
                    }
                    (None, Additional::Schema(rest)) => {
                        check(rest, member, &Place::Member(path, key), errors);
                    }
                    (None, Additional::Allowed(false)) => errors.push(FieldError::invalid_str(
                        path,
                        key,
                        format!("{path}.{key} in body is a forbidden property"),
                    )),
                    _ => {}
                }
            }
            for key in &schema.required {
                if !map.contains_key(key) {
                    errors.push(FieldError::required(&Place::Member(path, key), ""));
                }
            }
        }
        Value::Null | Value::Bool(_) => {}
    }
    combinations(schema, value, path, errors);
}

/// Whether checking can go on below this value.
fn check_type(
    schema: &Schema,
    value: &Value,
    path: &Place<'_>,
    errors: &mut Vec<FieldError>,
) -> bool {
    let (wanted, matches) = if schema.int_or_string {
        (
            "integer,string",
            matches!(value, Value::String(_)) || is_integer(value),
        )
    } else {
        let Some(kind) = schema.kind else {
            return true;
        };
        let matches = match kind {
            Type::Object => value.is_object(),
            Type::Array => value.is_array(),
            Type::String => value.is_string(),
            Type::Boolean => value.is_boolean(),
            Type::Number => value.is_number(),
            Type::Integer => is_integer(value),
        };
        (kind.name(), matches)
    };
    if matches || (value.is_null() && schema.nullable) {
        return true;
    }
    let found = type_name(value);
    errors.push(FieldError::type_invalid(
        path,
        &Value::from(found),
        format!("{path} in body must be of type {wanted}: \"{found}\""),
    ));
    false
}

fn is_integer(value: &Value) -> bool {
    match value {
        Value::Number(n) => !n.is_f64() || n.as_f64().is_some_and(|f| f.fract() == 0.0),
        _ => false,
    }
}

fn check_string(
    schema: &Schema,
    text: &str,
    value: &Value,
    path: &Place<'_>,
    errors: &mut Vec<FieldError>,
) {
    let length = text.chars().count() as u64;
    if let Some(max) = schema.max_length.filter(|max| length > *max) {
        errors.push(FieldError::too_long(path, max as i64));
    }
    if let Some(min) = schema.min_length.filter(|min| length < *min) {
        fail(
            errors,
            path,
            value,
            &format!("should be at least {min} chars long"),
        );
    }
    if let Some(pattern) = &schema.pattern {
        match &pattern.regex {
            Ok(regex) if regex.is_match(text) => {}
            Ok(_) => fail(
                errors,
                path,
                value,
                &format!("should match '{}'", pattern.source),
            ),
            Err(why) => fail(
                errors,
                path,
                value,
                &format!(
                    "should match '{}, but pattern is invalid: {why}'",
                    pattern.source
                ),
            ),
        }
    }
    if let Some(format) = &schema.format
        && !valid_format(format, text)
    {
        fail(
            errors,
            path,
            value,
            &format!("must be of type {format}: {}", crate::quote::quote(text)),
        );
    }
}

/// The formats that Longhorn-like definitions use; others are not checked.
fn valid_format(format: &str, text: &str) -> bool {
    match format {
        "date-time" => text.parse::<jiff::Timestamp>().is_ok(),
        "date" => text.parse::<jiff::civil::Date>().is_ok(),
        "ipv4" => text.parse::<std::net::Ipv4Addr>().is_ok(),
        "ipv6" => text.parse::<std::net::Ipv6Addr>().is_ok(),
        _ => true,
    }
}

/// A bound as Go's `%v` prints it.
fn bound(limit: f64) -> String {
    if limit.abs() < 1e21 {
        format!("{limit}")
    } else {
        format!("{limit:e}").replace('e', "e+")
    }
}

fn check_number(schema: &Schema, value: &Value, path: &Place<'_>, errors: &mut Vec<FieldError>) {
    let Some(number) = value.as_f64() else {
        return;
    };
    check_multiple(schema, value, path, errors);
    if let Some(max) = schema.maximum {
        if schema.exclusive_maximum && number >= max {
            fail(
                errors,
                path,
                value,
                &format!("should be less than {}", bound(max)),
            );
        } else if number > max {
            fail(
                errors,
                path,
                value,
                &format!("should be less than or equal to {}", bound(max)),
            );
        }
    }
    if let Some(min) = schema.minimum {
        if schema.exclusive_minimum && number <= min {
            fail(
                errors,
                path,
                value,
                &format!("should be greater than {}", bound(min)),
            );
        } else if number < min {
            fail(
                errors,
                path,
                value,
                &format!("should be greater than or equal to {}", bound(min)),
            );
        }
    }
}

/// An integer is divided by the factor without its fraction, as in Go.
fn check_multiple(schema: &Schema, value: &Value, path: &Place<'_>, errors: &mut Vec<FieldError>) {
    let Some(factor) = schema.multiple_of.filter(|f| *f > 0.0) else {
        return;
    };
    let factor = if value.is_f64() {
        factor
    } else {
        factor.trunc()
    };
    let number = value.as_f64().unwrap_or_default();
    if factor != 0.0 && (number / factor).fract() != 0.0 {
        fail(
            errors,
            path,
            value,
            &format!("should be a multiple of {}", bound(factor)),
        );
    }
}

fn combinations(schema: &Schema, value: &Value, path: &Place<'_>, errors: &mut Vec<FieldError>) {
    let try_one = |schema: &Schema| {
        let mut found = Vec::new();
        check(schema, value, path, &mut found);
        found
    };
    if !schema.any_of.is_empty() {
        let results: Vec<_> = schema.any_of.iter().map(try_one).collect();
        if !results.iter().any(Vec::is_empty) {
            errors.push(FieldError::invalid_str(
                "",
                "",
                format!(
                    "{} must validate at least one schema (anyOf)",
                    crate::quote::quote(&path.text())
                ),
            ));
            errors.extend(results.into_iter().next().unwrap_or_default());
        }
    }
    if !schema.one_of.is_empty() {
        let results: Vec<_> = schema.one_of.iter().map(try_one).collect();
        let valid = results.iter().filter(|r| r.is_empty()).count();
        if valid != 1 {
            let found = if valid == 0 {
                "Found none valid".to_owned()
            } else {
                format!("Found {valid} valid alternatives")
            };
            errors.push(FieldError::invalid_str(
                "",
                "",
                format!(
                    "{} must validate one and only one schema (oneOf). {found}",
                    crate::quote::quote(&path.text())
                ),
            ));
            if valid == 0 {
                errors.extend(results.into_iter().next().unwrap_or_default());
            }
        }
    }
    if !schema.all_of.is_empty() {
        let results: Vec<_> = schema.all_of.iter().map(try_one).collect();
        if results.iter().any(|r| !r.is_empty()) {
            let none = if results.iter().all(|r| !r.is_empty()) {
                ". None validated"
            } else {
                ""
            };
            errors.push(FieldError::invalid_str(
                "",
                "",
                format!(
                    "{} must validate all the schemas (allOf){none}",
                    crate::quote::quote(&path.text())
                ),
            ));
            errors.extend(results.into_iter().flatten());
        }
    }
    if let Some(not) = &schema.not
        && try_one(not).is_empty()
    {
        errors.push(FieldError::invalid_str(
            "",
            "",
            format!(
                "{} must not validate the schema (not)",
                crate::quote::quote(&path.text())
            ),
        ));
    }
}

/// Resources inside of others have an apiVersion and a kind.
fn embedded(schema: &Schema, value: &Value, path: &Place<'_>, errors: &mut Vec<FieldError>) {
    match value {
        Value::Object(map) => {
            if schema.embedded_resource {
                for key in ["apiVersion", "kind"] {
                    let field = &Place::Member(path, key);
                    match map.get(key) {
                        None => errors.push(FieldError::required(field, "")),
                        Some(Value::String(text)) if text.is_empty() => {
                            errors.push(FieldError::invalid_str(field, "", "must not be empty"));
                        }
                        Some(Value::String(_)) => {}
                        Some(other) => {
                            errors.push(FieldError::invalid(field, other, "must be a string"));
                        }
                    }
                }
            }
            for (key, member) in map {
                if let Some(schema) = schema.child(key) {
                    embedded(schema, member, &Place::Member(path, key), errors);
                }
            }
        }
        Value::Array(items) => {
            if let Some(schema) = &schema.items {
                for (i, item) in items.iter().enumerate() {
                    embedded(schema, item, &Place::Item(path, i), errors);
                }
            }
        }
        _ => {}
    }
}

/// Lists of type `set` and `map` hold each entry once.
fn list_kinds(schema: &Schema, value: &Value, path: &Place<'_>, errors: &mut Vec<FieldError>) {
    match value {
        Value::Object(map) => {
            for (key, member) in map {
                if let Some(schema) = schema.child(key) {
                    list_kinds(schema, member, &Place::Member(path, key), errors);
                }
            }
        }
        Value::Array(items) => {
            match &schema.list_kind {
                ListKind::Atomic => {}
                ListKind::Set => {
                    for (i, item) in items.iter().enumerate() {
                        if items[..i].contains(item) {
                            errors.push(FieldError::duplicate(&Place::Item(path, i), item));
                        }
                    }
                }
                ListKind::Map(keys) => {
                    let identity = |item: &Value| -> Value {
                        keys.iter()
                            .filter_map(|k| item.get(k).map(|v| (k.clone(), v.clone())))
                            .collect::<serde_json::Map<_, _>>()
                            .into()
                    };
                    let identities: Vec<Value> = items.iter().map(identity).collect();
                    for (i, this) in identities.iter().enumerate() {
                        if identities[..i].contains(this) {
                            errors.push(FieldError::duplicate(&Place::Item(path, i), this));
                        }
                    }
                }
            }
            if let Some(schema) = &schema.items {
                for (i, item) in items.iter().enumerate() {
                    list_kinds(schema, item, &Place::Item(path, i), errors);
                }
            }
        }
        _ => {}
    }
}
