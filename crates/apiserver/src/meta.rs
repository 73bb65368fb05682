//! `metadata` of an object: typed look into the JSON, and the rules that hold
//! for every kind (`apimachinery/pkg/api/validation/objectmeta.go`).

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::names;
use crate::status::FieldError;

/// The members of `object`, which is made one if it is none.
fn of_object(object: &mut Value) -> &mut Map<String, Value> {
    if !object.is_object() {
        *object = Value::Object(Map::new());
    }
    let Value::Object(map) = object else {
        unreachable!("made an object just above")
    };
    map
}

/// `metadata` of `object`, made if missing or not an object.
pub(crate) fn of_mut(object: &mut Value) -> &mut Map<String, Value> {
    let meta = of_object(object)
        .entry("metadata")
        .or_insert_with(|| Value::Object(Map::new()));
    if !meta.is_object() {
        *meta = Value::Object(Map::new());
    }
    let Value::Object(meta) = meta else {
        unreachable!("made an object just above")
    };
    meta
}

pub(crate) fn get<'a>(object: &'a Value, key: &str) -> Option<&'a Value> {
    object.get("metadata")?.get(key)
}

pub(crate) fn text<'a>(object: &'a Value, key: &str) -> &'a str {
    get(object, key).and_then(Value::as_str).unwrap_or_default()
}

pub(crate) fn name(object: &Value) -> &str {
    text(object, "name")
}

pub(crate) fn generation(object: &Value) -> i64 {
    get(object, "generation")
        .and_then(Value::as_i64)
        .unwrap_or_default()
}

pub(crate) fn finalizers(object: &Value) -> Vec<String> {
    get(object, "finalizers")
        .and_then(Value::as_array)
        .map(|all| {
            all.iter()
                .filter_map(|v| v.as_str().map(str::to_owned))
                .collect()
        })
        .unwrap_or_default()
}

pub(crate) fn is_terminating(object: &Value) -> bool {
    get(object, "deletionTimestamp").is_some_and(|v| !v.is_null())
}

pub(crate) fn labels(object: &Value) -> Option<BTreeMap<String, String>> {
    let labels = get(object, "labels")?.as_object()?;
    if labels.is_empty() {
        return None;
    }
    Some(
        labels
            .iter()
            .filter_map(|(k, v)| Some((k.clone(), v.as_str()?.to_owned())))
            .collect(),
    )
}

pub(crate) fn owner_uids(object: &Value) -> Vec<String> {
    get(object, "ownerReferences")
        .and_then(Value::as_array)
        .map(|all| {
            all.iter()
                .filter_map(|o| o.get("uid")?.as_str().map(str::to_owned))
                .collect()
        })
        .unwrap_or_default()
}

/// Sets a member of `metadata`, or removes it when there is nothing to set.
pub(crate) fn set(object: &mut Value, key: &str, value: Option<Value>) {
    let meta = of_mut(object);
    match value {
        Some(value) => {
            meta.insert(key.to_owned(), value);
        }
        None => {
            meta.remove(key);
        }
    }
}

/// Brings `metadata` into the form that Go's decoder would give it: unknown
/// and empty members removed, nulls dropped. Returns the unknown members, or
/// what could not be decoded.
pub(crate) fn normalise(object: &mut Value) -> Result<Vec<String>, String> {
    let metadata = of_object(object).remove("metadata").unwrap_or_default();
    let decoded = crate::go_decode::decode(crate::core_types::object_meta(), metadata, "metadata")?;
    of_object(object).insert("metadata".to_owned(), Value::Object(decoded.object));
    Ok(decoded.unknown)
}

/// The word that Go's decoder uses for a JSON value.
pub(crate) fn go_kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// Which rule the name of a kind follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NameRule {
    Subdomain,
    Label,
    /// Whatever can stand in a path.
    Segment,
}

impl NameRule {
    pub(crate) fn errors(self, name: &str, prefix: bool) -> Vec<String> {
        if self == Self::Segment {
            return names::segment_errors(name, prefix);
        }
        // A prefix may end in a dash: the suffix follows.
        let masked;
        let checked = if prefix && name.len() > 1 && name.ends_with('-') {
            masked = format!("{}a", &name[..name.len() - 1]);
            masked.as_str()
        } else {
            name
        };
        match self {
            Self::Subdomain => names::subdomain_errors(checked),
            Self::Label => names::label_errors(checked),
            Self::Segment => Vec::new(),
        }
    }
}

/// Checks `metadata` of an object that is created, or any object's names.
pub(crate) fn validate(object: &Value, namespaced: bool, rule: NameRule) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let generate = text(object, "generateName");
    if !generate.is_empty() {
        for why in rule.errors(generate, true) {
            errors.push(FieldError::invalid_str(
                "metadata.generateName",
                generate,
                why,
            ));
        }
    }
    let name = name(object);
    if name.is_empty() {
        errors.push(FieldError::required(
            "metadata.name",
            "name or generateName is required",
        ));
    } else {
        for why in rule.errors(name, false) {
            errors.push(FieldError::invalid_str("metadata.name", name, why));
        }
    }
    let namespace = text(object, "namespace");
    if namespaced {
        if namespace.is_empty() {
            errors.push(FieldError::required("metadata.namespace", ""));
        } else {
            for why in names::label_errors(namespace) {
                errors.push(FieldError::invalid_str(
                    "metadata.namespace",
                    namespace,
                    why,
                ));
            }
        }
    } else if !namespace.is_empty() {
        errors.push(FieldError::forbidden(
            "metadata.namespace",
            "not allowed on this type",
        ));
    }
    if generation(object) < 0 {
        errors.push(FieldError::invalid(
            "metadata.generation",
            &Value::from(generation(object)),
            "must be greater than or equal to 0",
        ));
    }
    labels_and_owners(object, &mut errors);
    let finalizers = finalizers(object);
    for finalizer in &finalizers {
        for why in names::qualified_errors(finalizer) {
            errors.push(FieldError::invalid_str(
                "metadata.finalizers",
                finalizer,
                why,
            ));
        }
    }
    if finalizers.iter().any(|f| f == "orphan")
        && finalizers.iter().any(|f| f == "foregroundDeletion")
    {
        errors.push(FieldError::invalid(
            "metadata.finalizers",
            &Value::from(finalizers),
            "finalizer orphan and foregroundDeletion cannot be both set",
        ));
    }
    errors
}

/// The finalizers of core kinds must have a domain, but for the standard ones.
pub(crate) fn validate_core_finalizers(object: &Value) -> Vec<FieldError> {
    let standard = ["orphan", "foregroundDeletion", "kubernetes"];
    let plain =
        |(_, name): &(usize, String)| !name.contains('/') && !standard.contains(&name.as_str());
    finalizers(object)
        .into_iter()
        .enumerate()
        .filter(plain)
        .map(|(i, name)| {
            FieldError::invalid_str(
                format!("metadata.finalizers[{i}]"),
                &name,
                "name is neither a standard finalizer name nor is it fully qualified",
            )
        })
        .collect()
}

fn labels_and_owners(object: &Value, errors: &mut Vec<FieldError>) {
    if let Some(Value::Object(labels)) = get(object, "labels") {
        for (key, value) in labels {
            for why in names::qualified_errors(key) {
                errors.push(FieldError::invalid_str("metadata.labels", key, why));
            }
            let value = value.as_str().unwrap_or_default();
            for why in names::label_value_errors(value) {
                errors.push(FieldError::invalid_str("metadata.labels", value, why));
            }
        }
    }
    if let Some(Value::Object(annotations)) = get(object, "annotations") {
        let mut size = 0;
        for (key, value) in annotations {
            size += key.len() + value.as_str().unwrap_or_default().len();
            for why in names::qualified_errors(&key.to_lowercase()) {
                errors.push(FieldError::invalid_str("metadata.annotations", key, why));
            }
        }
        if size > 256 * 1024 {
            errors.push(FieldError::too_long("metadata.annotations", 256 * 1024));
        }
    }
    let Some(Value::Array(owners)) = get(object, "ownerReferences") else {
        return;
    };
    let mut controller: Option<String> = None;
    for owner in owners {
        let member = |key: &str| owner.get(key).and_then(Value::as_str).unwrap_or_default();
        let path = |key: &str| format!("metadata.ownerReferences.{key}");
        let api_version = member("apiVersion");
        let version = api_version.rsplit('/').next().unwrap_or_default();
        if version.is_empty() || api_version.matches('/').count() > 1 {
            errors.push(FieldError::invalid_str(
                path("apiVersion"),
                api_version,
                "version must not be empty",
            ));
        }
        for key in ["kind", "name", "uid"] {
            if member(key).is_empty() {
                errors.push(FieldError::invalid_str(path(key), "", "must not be empty"));
            }
        }
        if api_version == "v1" && member("kind") == "Event" {
            errors.push(FieldError::invalid(
                "metadata.ownerReferences",
                owner,
                "/v1, Kind=Event is disallowed from being an owner",
            ));
        }
        if owner.get("controller") == Some(&Value::Bool(true)) {
            let this = format!("{}/{}", member("kind"), member("name"));
            match &controller {
                Some(first) => {
                    let mut error = FieldError::invalid_str(
                        "metadata.ownerReferences",
                        "",
                        format!(
                            "Only one reference can have Controller set to true. Found \"true\" in references for {first} and {this}"
                        ),
                    );
                    error.value = Some(owners_as_go_writes_them(owners));
                    errors.push(error);
                }
                None => controller = Some(this),
            }
        }
    }
}

/// Checks what an update does to `metadata`, and its labels, annotations and
/// owners once more.
pub(crate) fn validate_update(new: &Value, old: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    if is_terminating(old) {
        let before = finalizers(old);
        let mut added: Vec<String> = finalizers(new)
            .into_iter()
            .filter(|f| !before.contains(f))
            .collect();
        added.sort();
        added.dedup();
        if !added.is_empty() {
            let shown: Vec<String> = added.iter().map(|f| crate::quote::quote(f)).collect();
            errors.push(FieldError::forbidden(
                "metadata.finalizers",
                format!(
                    "no new finalizers can be added if the object is being deleted, found new finalizers []string{{{}}}",
                    shown.join(", ")
                ),
            ));
        }
    }
    if text(new, "resourceVersion").is_empty() {
        errors.push(FieldError::invalid_str(
            "metadata.resourceVersion",
            "",
            "must be specified for an update",
        ));
    }
    if generation(new) < generation(old) {
        errors.push(FieldError::invalid(
            "metadata.generation",
            &Value::from(generation(new)),
            "must not be decremented",
        ));
    }
    for key in [
        "name",
        "namespace",
        "uid",
        "creationTimestamp",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
    ] {
        let (before, after) = (get(old, key), get(new, key));
        if before != after {
            errors.push(FieldError::invalid(
                format!("metadata.{key}"),
                after.unwrap_or(&Value::Null),
                "field is immutable",
            ));
        }
    }
    labels_and_owners(new, &mut errors);
    errors
}

/// Owner references with their members in the order of Go's struct.
fn owners_as_go_writes_them(owners: &[Value]) -> String {
    let members = [
        "apiVersion",
        "kind",
        "name",
        "uid",
        "controller",
        "blockOwnerDeletion",
    ];
    let all: Vec<String> = owners
        .iter()
        .map(|owner| {
            let parts: Vec<String> = members
                .iter()
                .filter_map(|key| Some(format!("\"{key}\":{}", owner.get(key)?)))
                .collect();
            format!("{{{}}}", parts.join(","))
        })
        .collect();
    format!("[{}]", all.join(","))
}
