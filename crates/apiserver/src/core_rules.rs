//! What the core kinds default, keep and refuse.

use serde_json::Value;

/// An `events.k8s.io/v1` event as the core event that is stored.
pub(crate) fn event_to_core(object: &mut Value) {
    rename(object, EVENT_NAMES, true);
    object["apiVersion"] = Value::String("v1".to_owned());
}

/// A stored core event as an `events.k8s.io/v1` event.
pub(crate) fn event_from_core(object: &mut Value) {
    rename(object, EVENT_NAMES, false);
    object["apiVersion"] = Value::String("events.k8s.io/v1".to_owned());
}

/// (name in the new group, name in the core group)
const EVENT_NAMES: &[(&str, &str)] = &[
    ("regarding", "involvedObject"),
    ("note", "message"),
    ("reportingController", "reportingComponent"),
    ("deprecatedSource", "source"),
    ("deprecatedFirstTimestamp", "firstTimestamp"),
    ("deprecatedLastTimestamp", "lastTimestamp"),
    ("deprecatedCount", "count"),
];

fn rename(object: &mut Value, names: &[(&str, &str)], to_core: bool) {
    let Value::Object(map) = object else {
        return;
    };
    for (new, core) in names {
        let (from, to) = if to_core { (new, core) } else { (core, new) };
        if let Some(value) = map.remove(*from) {
            map.insert((*to).to_owned(), value);
        }
    }
}

/// Fills defaults of a core kind in and drops what it does not know.
pub(crate) fn shape(kind: crate::builtin::Kind, object: &mut Value) -> Result<Vec<String>, String> {
    use crate::builtin::Kind;
    if kind == Kind::Definition {
        crate::crd::default(object);
    }
    Ok(Vec::new())
}

/// What a core kind sets when an object is created.
pub(crate) fn prepare_create(kind: crate::builtin::Kind, object: &mut Value) {
    use crate::builtin::Kind;
    match kind {
        Kind::Pod => {
            object["status"] = serde_json::json!({"phase": "Pending", "qosClass": "BestEffort"});
        }
        Kind::Job => object["status"] = serde_json::json!({}),
        _ => {}
    }
}

/// What a core kind refuses.
pub(crate) fn validate(
    kind: crate::builtin::Kind,
    new: &Value,
    old: Option<&Value>,
) -> Vec<crate::status::FieldError> {
    let _ = (kind, new, old);
    Vec::new()
}

/// The schema of a core kind for OpenAPI.
pub(crate) fn openapi(_kind: crate::builtin::Kind) -> Value {
    serde_json::json!({"type": "object", "properties": {}})
}
