//! Whether a schema is one that a definition may have: structural, without
//! keywords that Kubernetes does not support, with defaults that fit.
//!
//! Texts follow `pkg/apiserver/schema` and `pkg/apis/apiextensions/validation`
//! of apiextensions-apiserver v0.34.

mod defaults;
mod extensions;
mod invariants;
mod openapi;

use serde_json::Value;

use super::Schema;
use crate::status::FieldError;
use defaults::defaults;
use invariants::{Level, complete, invariants};
use openapi::{Found, Walk, openapi};

/// Checks the schema that stands at `at`.
pub(crate) fn check(schema: &Value, at: &str, has_status: bool, errors: &mut Vec<FieldError>) {
    let parsed = match Schema::parse(schema) {
        Ok(parsed) => parsed,
        Err(why) => {
            errors.push(FieldError::invalid_str(at, "", why));
            return;
        }
    };
    if has_status {
        root_members(schema, at, errors);
    }
    if flag(schema, "nullable") {
        errors.push(FieldError::forbidden(
            format!("{at}.nullable"),
            "nullable cannot be true at the root",
        ));
    }
    let mut structure = Vec::new();
    invariants(schema, Level::Root, at, &mut structure);
    complete(schema, Some(schema), at, at, &mut structure);
    structure.sort_by_key(|e| format!("{}: {}", e.field, e.body()));
    let sound = structure.is_empty();
    errors.extend(structure);
    let mut with_rules = false;
    if sound {
        let before = errors.len();
        defaults(schema, &parsed, true, at, errors);
        with_rules = errors.len() == before;
    }
    let mut found = Found::default();
    openapi(schema, at, &Walk::root(with_rules), &mut found);
    errors.extend(found.schema);
    errors.extend(found.rules);
}

fn flag(schema: &Value, key: &str) -> bool {
    schema.get(key).and_then(Value::as_bool).unwrap_or_default()
}

fn given<'a>(schema: &'a Value, key: &str) -> Option<&'a Value> {
    schema.get(key).filter(|v| !v.is_null())
}

fn members<'a>(schema: &'a Value, key: &str) -> impl Iterator<Item = (&'a String, &'a Value)> {
    schema
        .get(key)
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
}

fn each<'a>(schema: &'a Value, key: &str) -> impl Iterator<Item = (usize, &'a Value)> {
    schema
        .get(key)
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .enumerate()
}

/// Keywords at the root that survive taking the status' schema out of it.
fn root_members(schema: &Value, at: &str, errors: &mut Vec<FieldError>) {
    const ALLOWED: &str = "[Description Type Format Title Maximum ExclusiveMaximum Minimum ExclusiveMinimum MaxLength MinLength Pattern MaxItems MinItems UniqueItems MultipleOf Required Items Properties ExternalDocs Example XPreserveUnknownFields XValidations]";
    let refused = ["allOf", "anyOf", "oneOf", "not", "enum", "default"]
        .iter()
        .any(|key| given(schema, key).is_some());
    if refused || given(schema, "additionalProperties").is_some() {
        errors.push(FieldError::invalid(
            at,
            schema,
            format!(
                "only {ALLOWED} fields are allowed at the root of the schema if the status subresource is enabled"
            ),
        ));
    }
}
