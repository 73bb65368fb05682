//! The rules of a structural schema (`pkg/apiserver/schema/validation.go`).

use serde_json::Value;

use super::{each, flag, given, members};
use crate::resource::text;
use crate::status::FieldError;

#[derive(Clone, Copy, PartialEq)]
pub(super) enum Level {
    Root,
    Item,
    Field,
}

/// The rules of a structural schema for `schema` and what is below it.
pub(super) fn invariants(schema: &Value, level: Level, at: &str, errors: &mut Vec<FieldError>) {
    let kind = text(schema, "/type");
    let embedded = flag(schema, "x-kubernetes-embedded-resource");
    let int_or_string = flag(schema, "x-kubernetes-int-or-string");
    let preserve = flag(schema, "x-kubernetes-preserve-unknown-fields");
    match given(schema, "items") {
        None if kind == "array" => {
            errors.push(FieldError::required(
                format!("{at}.items"),
                "must be specified",
            ));
        }
        Some(items @ Value::Object(_)) => {
            invariants(items, Level::Item, &format!("{at}.items"), errors);
        }
        _ => {}
    }
    for (name, property) in members(schema, "properties") {
        let below = format!("{at}.properties[{name}]");
        invariants(property, Level::Field, &below, errors);
    }
    if let Some(more) = given(schema, "additionalProperties") {
        let below = format!("{at}.additionalProperties");
        if level == Level::Root {
            errors.push(FieldError::forbidden(
                &below,
                "must not be used at the root",
            ));
        }
        if embedded {
            errors.push(FieldError::forbidden(
                &below,
                "must not be used if x-kubernetes-embedded-resource is set",
            ));
        }
        if more.is_object() {
            invariants(more, Level::Field, &below, errors);
        }
    }
    for (set, key) in [
        (preserve, "x-kubernetes-preserve-unknown-fields"),
        (embedded, "x-kubernetes-embedded-resource"),
    ] {
        if int_or_string && set {
            errors.push(FieldError::invalid(
                format!("{at}.{key}"),
                &Value::Bool(true),
                "must be false if x-kubernetes-int-or-string is true",
            ));
        }
    }
    value_rules(schema, true, at, errors);
    let type_at = format!("{at}.type");
    if embedded && kind != "object" {
        let why = "must be object if x-kubernetes-embedded-resource is true";
        errors.push(if kind.is_empty() {
            FieldError::required(&type_at, why)
        } else {
            FieldError::invalid_str(&type_at, kind, why)
        });
    } else if kind.is_empty() && !int_or_string && !preserve {
        errors.push(FieldError::required(
            &type_at,
            match level {
                Level::Root => "must not be empty at the root",
                Level::Item => "must not be empty for specified array items",
                Level::Field => "must not be empty for specified object fields",
            },
        ));
    }
    if level == Level::Root && !kind.is_empty() && kind != "object" {
        errors.push(FieldError::invalid_str(
            &type_at,
            kind,
            "must be object at the root",
        ));
    }
    let is_resource = level == Level::Root || embedded;
    let property = |name: &str| schema.get("properties").and_then(|p| p.get(name));
    for name in ["kind", "apiVersion"] {
        if let Some(found) = property(name).filter(|_| is_resource)
            && text(found, "/type") != "string"
        {
            errors.push(FieldError::invalid_str(
                format!("{at}.properties[{name}].type"),
                text(found, "/type"),
                "must be string",
            ));
        }
    }
    if let Some(metadata) = property("metadata").filter(|_| is_resource) {
        let below = format!("{at}.properties[metadata]");
        if text(metadata, "/type") != "object" {
            errors.push(FieldError::invalid_str(
                format!("{below}.type"),
                text(metadata, "/type"),
                "must be object",
            ));
        }
        let other_member = members(metadata, "properties")
            .any(|(name, _)| name != "name" && name != "generateName");
        let other_keyword = metadata
            .as_object()
            .into_iter()
            .flatten()
            .any(|(key, _)| !matches!(key.as_str(), "type" | "properties" | "default"));
        if level == Level::Root && (other_member || other_keyword) {
            errors.push(FieldError::forbidden(
                below,
                "must not specify anything other than name and generateName, but metadata is implicitly specified",
            ));
        }
    }
    if embedded && !preserve && members(schema, "properties").next().is_none() {
        errors.push(FieldError::required(
            format!("{at}.properties"),
            "must not be empty if x-kubernetes-embedded-resource is true without x-kubernetes-preserve-unknown-fields",
        ));
    }
}

/// `anyOf` of exactly an integer and a string: the one place with types in it.
fn is_int_or_string_pattern(any_of: &Value) -> bool {
    *any_of == serde_json::json!([{"type": "integer"}, {"type": "string"}])
}

/// Value validation may say nothing about the structure.
fn value_rules(schema: &Value, outer: bool, at: &str, errors: &mut Vec<FieldError>) {
    for key in ["anyOf", "allOf", "oneOf"] {
        if key == "anyOf" && schema.get(key).is_some_and(is_int_or_string_pattern) {
            continue;
        }
        for (i, nested) in each(schema, key) {
            let first_any_of = outer
                && key == "allOf"
                && i == 0
                && nested.get("anyOf").is_some_and(is_int_or_string_pattern);
            let below = format!("{at}.{key}[{i}]");
            if !first_any_of {
                nested_rules(nested, &below, errors);
            }
        }
    }
    if let Some(not) = given(schema, "not") {
        nested_rules(not, &format!("{at}.not"), errors);
    }
    if let Some(pattern) = given(schema, "pattern").and_then(Value::as_str)
        && let Err(why) = regex::Regex::new(pattern)
    {
        errors.push(FieldError::invalid_str(
            format!("{at}.pattern"),
            pattern,
            format!(
                "must be a valid regular expression, but isn't: {}",
                crate::schema::go_regex_error(pattern, &why)
            ),
        ));
    }
}

fn nested_rules(schema: &Value, at: &str, errors: &mut Vec<FieldError>) {
    value_rules(schema, false, at, errors);
    if let Some(items @ Value::Object(_)) = given(schema, "items") {
        nested_rules(items, &format!("{at}.items"), errors);
    }
    for (name, property) in members(schema, "properties") {
        nested_rules(property, &format!("{at}.properties[{name}]"), errors);
    }
    let mut forbid = |key: &str, why: &str| {
        errors.push(FieldError::forbidden(format!("{at}.{key}"), why));
    };
    for key in ["type", "title", "description"] {
        if !text(schema, &format!("/{key}")).is_empty() {
            forbid(key, "must be empty to be structural");
        }
    }
    for key in [
        "additionalProperties",
        "default",
        "x-kubernetes-list-type",
        "x-kubernetes-map-type",
    ] {
        if given(schema, key).is_some() {
            forbid(key, "must be undefined to be structural");
        }
    }
    for key in [
        "nullable",
        "x-kubernetes-preserve-unknown-fields",
        "x-kubernetes-embedded-resource",
        "x-kubernetes-int-or-string",
    ] {
        if flag(schema, key) {
            forbid(key, "must be false to be structural");
        }
    }
    for key in ["x-kubernetes-list-map-keys", "x-kubernetes-validations"] {
        if each(schema, key).next().is_some() {
            forbid(key, "must be empty to be structural");
        }
    }
    if members(schema, "properties").any(|(name, _)| name == "metadata") {
        forbid(
            "properties[metadata]",
            "must not be specified in a nested context",
        );
    }
}

/// Whatever a value validation talks about must be there structurally.
pub(super) fn complete(
    rules: &Value,
    schema: Option<&Value>,
    at: &str,
    rules_at: &str,
    errors: &mut Vec<FieldError>,
) {
    for key in ["allOf", "anyOf", "oneOf"] {
        for (i, nested) in each(rules, key) {
            complete_nested(
                nested,
                schema,
                at,
                &format!("{rules_at}.{key}[{i}]"),
                errors,
            );
        }
    }
    if let Some(not) = given(rules, "not") {
        complete_nested(not, schema, at, &format!("{rules_at}.not"), errors);
    }
}

fn complete_nested(
    rules: &Value,
    schema: Option<&Value>,
    at: &str,
    rules_at: &str,
    errors: &mut Vec<FieldError>,
) {
    let Some(schema) = schema else {
        errors.push(FieldError::required(
            at,
            format!("because it is defined in {rules_at}"),
        ));
        return;
    };
    complete(rules, Some(schema), at, rules_at, errors);
    if let Some(items @ Value::Object(_)) = given(rules, "items") {
        complete_nested(
            items,
            given(schema, "items"),
            &format!("{at}.items"),
            &format!("{rules_at}.items"),
            errors,
        );
    }
    for (name, property) in members(rules, "properties") {
        complete_nested(
            property,
            schema.get("properties").and_then(|p| p.get(name)),
            &format!("{at}.properties[{name}]"),
            &format!("{rules_at}.properties[{name}]"),
            errors,
        );
    }
}
