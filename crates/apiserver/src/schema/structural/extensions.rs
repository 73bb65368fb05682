//! Keywords that begin with `x-kubernetes-` and say how values are kept and merged.

use serde_json::Value;

use super::{each, flag, given};
use crate::resource::text;
use crate::status::FieldError;

/// `x-kubernetes-…` that say how values are kept and merged.
pub(super) fn extensions(schema: &Value, at: &str, errors: &mut Vec<FieldError>) {
    let kind = text(schema, "/type");
    if schema.get("x-kubernetes-preserve-unknown-fields") == Some(&Value::Bool(false)) {
        errors.push(FieldError::invalid(
            format!("{at}.x-kubernetes-preserve-unknown-fields"),
            &Value::Bool(false),
            "must be true or undefined",
        ));
    }
    let wrong_type = |wanted: &str, key: &str| {
        let why = format!("must be {wanted} if {key} is specified");
        if kind.is_empty() {
            FieldError::required(format!("{at}.type"), why)
        } else {
            FieldError::invalid_str(format!("{at}.type"), kind, why)
        }
    };
    if let Some(map_type) = given(schema, "x-kubernetes-map-type") {
        if kind != "object" {
            errors.push(wrong_type("object", "x-kubernetes-map-type"));
        }
        if map_type != "atomic" && map_type != "granular" {
            errors.push(FieldError::not_supported(
                format!("{at}.x-kubernetes-map-type"),
                map_type,
                &["atomic", "granular"].map(str::to_owned),
            ));
        }
    }
    let list_type = given(schema, "x-kubernetes-list-type");
    let items = given(schema, "items").filter(|i| i.is_object());
    if let Some(list_type) = list_type {
        if kind != "array" {
            errors.push(wrong_type("array", "x-kubernetes-list-type"));
        }
        if list_type == "set"
            && let Some(items) = items
        {
            set_items(items, at, errors);
        }
        if !["atomic", "set", "map"]
            .iter()
            .any(|known| list_type == known)
        {
            errors.push(FieldError::not_supported(
                format!("{at}.x-kubernetes-list-type"),
                list_type,
                &["atomic", "set", "map"].map(str::to_owned),
            ));
        }
    }
    map_keys(schema, list_type, items, at, errors);
}

/// Items of a set are compared as a whole.
fn set_items(items: &Value, at: &str, errors: &mut Vec<FieldError>) {
    let atomic = |key: &str| text(items, &format!("/{key}")) == "atomic";
    let (key, is_atomic) = match text(items, "/type") {
        "array" => (
            "x-kubernetes-list-type",
            atomic("x-kubernetes-list-type") || given(items, "x-kubernetes-list-type").is_none(),
        ),
        "object" => ("x-kubernetes-map-type", atomic("x-kubernetes-map-type")),
        _ => return,
    };
    if !is_atomic {
        errors.push(FieldError::invalid(
            format!("{at}.items.{key}"),
            items.get("x-kubernetes-list-type").unwrap_or(&Value::Null),
            "must be atomic as item of a list with x-kubernetes-list-type=set",
        ));
    }
}

fn map_keys(
    schema: &Value,
    list_type: Option<&Value>,
    items: Option<&Value>,
    at: &str,
    errors: &mut Vec<FieldError>,
) {
    let keys: Vec<&str> = each(schema, "x-kubernetes-list-map-keys")
        .filter_map(|(_, k)| k.as_str())
        .collect();
    let keys_at = format!("{at}.x-kubernetes-list-map-keys");
    let is_map = list_type.is_some_and(|t| t == "map");
    if !keys.is_empty() && !is_map {
        let field = format!("{at}.x-kubernetes-list-type");
        let why = "must be map if x-kubernetes-list-map-keys is non-empty";
        errors.push(match list_type {
            None => FieldError::required(field, why),
            Some(other) => FieldError::invalid(field, other, why),
        });
    }
    if is_map {
        if keys.is_empty() {
            errors.push(FieldError::required(
                &keys_at,
                "must not be empty if x-kubernetes-list-type is map",
            ));
        }
        match items {
            None => errors.push(FieldError::required(
                format!("{at}.items"),
                "must have a schema if x-kubernetes-list-type is map",
            )),
            Some(items) if text(items, "/type") != "object" => {
                errors.push(FieldError::invalid_str(
                    format!("{at}.items.type"),
                    text(items, "/type"),
                    "must be object if parent array's x-kubernetes-list-type is map",
                ));
            }
            Some(items) => scalar_keys(items, &keys, at, &keys_at, errors),
        }
    }
    let (Some(items), true) = (items, is_map || list_type.is_some_and(|t| t == "set")) else {
        return;
    };
    let list_type = list_type.and_then(Value::as_str).unwrap_or_default();
    if flag(items, "nullable") {
        errors.push(FieldError::forbidden(
            format!("{at}.items.nullable"),
            format!("cannot be nullable when x-kubernetes-list-type is {list_type}"),
        ));
    }
    if !is_map {
        return;
    }
    for key in keys {
        let Some(property) = items.get("properties").and_then(|p| p.get(key)) else {
            continue;
        };
        let required = each(items, "required").any(|(_, r)| r == key);
        let field = |member: &str| format!("{at}.items.properties[{key}].{member}");
        if !required && given(property, "default").is_none() {
            errors.push(FieldError::required(
                field("default"),
                "this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property",
            ));
        }
        if flag(property, "nullable") {
            errors.push(FieldError::forbidden(
                field("nullable"),
                "this property is in x-kubernetes-list-map-keys, so it cannot be nullable",
            ));
        }
    }
}

fn scalar_keys(
    items: &Value,
    keys: &[&str],
    at: &str,
    keys_at: &str,
    errors: &mut Vec<FieldError>,
) {
    for (i, key) in keys.iter().enumerate() {
        match items.get("properties").and_then(|p| p.get(key)) {
            None => errors.push(FieldError::invalid(
                keys_at,
                &Value::from(keys.to_vec()),
                "entries must all be names of item properties",
            )),
            Some(property) if matches!(text(property, "/type"), "array" | "object") => {
                errors.push(FieldError::invalid_str(
                    format!("{at}.items.properties[{key}].type"),
                    text(items, "/type"),
                    "must be a scalar type if parent array's x-kubernetes-list-type is map",
                ));
            }
            Some(_) => {}
        }
        if keys[..i].contains(key) {
            errors.push(FieldError::invalid(
                keys_at,
                &Value::from(keys.to_vec()),
                "must not contain duplicate entries",
            ));
        }
    }
}
