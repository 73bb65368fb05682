//! Whether the defaults in a schema fit it (`pkg/apiserver/schema/defaulting`).

use serde_json::Value;

use super::{given, members};
use crate::schema::{Schema, validate};
use crate::status::FieldError;

/// Defaults must be pruned and valid. Below `additionalProperties` there are none.
pub(super) fn defaults(
    schema: &Value,
    parsed: &Schema,
    root: bool,
    at: &str,
    errors: &mut Vec<FieldError>,
) {
    if let Some(default) = &parsed.default {
        let field = format!("{at}.default");
        let mut pruned = default.clone();
        let mut wrong = parsed.prune_below(&mut pruned);
        wrong.retain(|_| pruned != *default);
        if !wrong.is_empty() {
            errors.push(FieldError::invalid(
                &field,
                default,
                "must not have unknown fields",
            ));
        }
        let mut missing = false;
        if root || parsed.embedded_resource {
            for key in ["apiVersion", "kind"] {
                if default.get(key).is_none() {
                    errors.push(FieldError::required(format!("{field}.{key}"), ""));
                    missing = true;
                }
            }
        }
        if !missing {
            for mut error in validate::validate(parsed, default) {
                error.field = match error.field.as_str() {
                    "" => field.clone(),
                    below => format!("{field}.{below}"),
                };
                errors.push(error);
            }
        }
    }
    if let (Some(items), Some(below)) = (given(schema, "items"), &parsed.items) {
        defaults(items, below, false, &format!("{at}.items"), errors);
    }
    for (name, property) in members(schema, "properties") {
        if let Some(below) = parsed.properties.get(name) {
            let at = format!("{at}.properties[{name}]");
            defaults(property, below, false, &at, errors);
        }
    }
}
