//! JSON as values of CEL, typed by the schema (`apiserver/pkg/cel/common`).

use std::collections::HashMap;
use std::sync::Arc;

use base64::Engine;
use serde_json::Value;

use super::super::{Additional, Schema, Type};
use super::types::escape;

/// The value that a rule sees; `root` has the resource's type and name too.
pub(super) fn value(schema: &Schema, json: &Value, root: bool) -> cel::Value {
    match json {
        Value::Null => cel::Value::Null,
        Value::Bool(b) => cel::Value::Bool(*b),
        Value::Number(n) => match (schema.kind, n.as_i64()) {
            (Some(Type::Number), _) | (_, None) => {
                cel::Value::Float(n.as_f64().unwrap_or_default())
            }
            (_, Some(n)) => cel::Value::Int(n),
        },
        Value::String(text) => string(schema, text),
        Value::Array(items) => {
            let plain = Schema::default();
            let below = schema.items.as_deref().unwrap_or(&plain);
            let items: Vec<cel::Value> = items.iter().map(|i| value(below, i, false)).collect();
            cel::Value::List(Arc::new(items))
        }
        Value::Object(members) => {
            let mut map: HashMap<String, cel::Value> = HashMap::new();
            for (key, member) in members {
                if member.is_null() && schema.properties.contains_key(key) {
                    // `has` says that a null field is not there.
                    continue;
                }
                if let Some(property) = schema.properties.get(key) {
                    if let Some(name) = escape(key) {
                        map.insert(name, value(property, member, false));
                    }
                } else if let Additional::Schema(rest) = &schema.additional {
                    map.insert(key.clone(), value(rest, member, false));
                }
            }
            if root || schema.embedded_resource {
                of_resource(&mut map, json);
            }
            cel::Value::from(map)
        }
    }
}

/// What rules can see of any resource.
fn of_resource(map: &mut HashMap<String, cel::Value>, json: &Value) {
    for key in ["apiVersion", "kind"] {
        if let Some(text) = json.get(key).and_then(Value::as_str) {
            map.insert(key.to_owned(), text.into());
        }
    }
    let mut metadata: HashMap<String, cel::Value> = HashMap::new();
    for key in ["name", "generateName"] {
        if let Some(text) = crate::meta::get(json, key).and_then(Value::as_str) {
            metadata.insert(key.to_owned(), text.into());
        }
    }
    map.insert("metadata".to_owned(), metadata.into());
}

fn string(schema: &Schema, text: &str) -> cel::Value {
    let time = |text: &str| {
        chrono::DateTime::parse_from_rfc3339(text)
            .ok()
            .map(cel::Value::Timestamp)
    };
    let typed = match schema.format.as_deref() {
        Some("date-time") => time(text),
        Some("date") => time(&format!("{text}T00:00:00Z")),
        Some("byte") => base64::engine::general_purpose::STANDARD
            .decode(text)
            .ok()
            .map(|bytes| cel::Value::Bytes(Arc::new(bytes))),
        Some("duration") => super::library::duration(text).map(cel::Value::Duration),
        _ => None,
    };
    typed.unwrap_or_else(|| text.into())
}
