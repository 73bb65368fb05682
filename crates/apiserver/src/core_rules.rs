//! What the core kinds default, keep and refuse.

use serde_json::{Value, json};

use crate::builtin::Kind;
use crate::status::FieldError;

/// An `events.k8s.io/v1` event as the core event that is stored.
pub(crate) fn event_to_core(object: &mut Value) {
    rename(object, EVENT_NAMES, true);
    object["apiVersion"] = Value::String("v1".to_owned());
}

/// A stored core event as an `events.k8s.io/v1` event.
pub(crate) fn event_from_core(object: &mut Value) {
    rename(object, EVENT_NAMES, false);
    if let Value::Object(map) = object {
        // The new group leaves these out when they are empty.
        for key in ["reportingController", "reportingInstance"] {
            if map.get(key).and_then(Value::as_str) == Some("") {
                map.remove(key);
            }
        }
    }
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

/// Top-level members of the core kinds besides apiVersion, kind and metadata.
fn members(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::ConfigMap => &["data", "binaryData", "immutable"],
        Kind::Secret => &["data", "stringData", "type", "immutable"],
        Kind::ServiceAccount => &[
            "secrets",
            "imagePullSecrets",
            "automountServiceAccountToken",
        ],
        Kind::Lease => &["spec"],
        Kind::Event => &[
            "involvedObject",
            "reason",
            "message",
            "source",
            "firstTimestamp",
            "lastTimestamp",
            "count",
            "type",
            "eventTime",
            "series",
            "action",
            "related",
            "reportingComponent",
            "reportingInstance",
        ],
        Kind::EventV1 => &[
            "eventTime",
            "series",
            "reportingController",
            "reportingInstance",
            "action",
            "reason",
            "regarding",
            "related",
            "note",
            "type",
            "deprecatedSource",
            "deprecatedFirstTimestamp",
            "deprecatedLastTimestamp",
            "deprecatedCount",
        ],
        Kind::Namespace | Kind::Node | Kind::Pod | Kind::Job | Kind::Definition | Kind::Custom => {
            &["spec", "status"]
        }
    }
}

/// Fills defaults of a core kind in and drops the top-level fields that it
/// does not know; deeper ones are kept as they are.
pub(crate) fn shape(kind: Kind, object: &mut Value) -> Result<Vec<String>, String> {
    let mut unknown = Vec::new();
    if let Value::Object(map) = object {
        map.retain(|key, value| {
            let known = matches!(key.as_str(), "apiVersion" | "kind" | "metadata")
                || members(kind).contains(&key.as_str());
            if !known {
                unknown.push(key.clone());
            }
            known && !value.is_null()
        });
    }
    if matches!(kind, Kind::ConfigMap | Kind::Secret)
        && let Value::Object(map) = object
    {
        // `omitempty`: reading into a Go struct and writing it drops these.
        map.retain(|key, value| {
            !(matches!(key.as_str(), "data" | "binaryData" | "stringData")
                && value.as_object().is_some_and(serde_json::Map::is_empty))
        });
    }
    match kind {
        Kind::Definition => crate::crd::default(object),
        Kind::ConfigMap => texts(object, "ConfigMap", "data")?,
        Kind::Secret => secret(object)?,
        Kind::Pod => pod_spec(object.get_mut("spec")),
        Kind::Job => job(object),
        _ => {}
    }
    Ok(unknown)
}

fn default(object: &mut Value, key: &str, value: Value) {
    if let Value::Object(map) = object {
        map.entry(key).or_insert(value);
    }
}

/// A map of texts, as Go decodes it.
fn texts(object: &Value, kind: &str, key: &str) -> Result<(), String> {
    let Some(Value::Object(map)) = object.get(key) else {
        return Ok(());
    };
    match map.values().find(|v| !v.is_string()) {
        None => Ok(()),
        Some(bad) => Err(format!(
            "json: cannot unmarshal {} into Go struct field {kind}.{key} of type string",
            crate::meta::go_kind(bad)
        )),
    }
}

/// `stringData` is written into `data`; the type is opaque unless given.
fn secret(object: &mut Value) -> Result<(), String> {
    use base64::Engine;
    let coder = base64::engine::general_purpose::STANDARD;
    texts(object, "Secret", "stringData")?;
    if let Some(Value::Object(data)) = object.get("data") {
        for value in data.values() {
            let text = value.as_str().unwrap_or_default();
            if let Err(error) = coder.decode(text) {
                let at = match error {
                    base64::DecodeError::InvalidByte(at, _)
                    | base64::DecodeError::InvalidLastSymbol(at, _) => at,
                    _ => text.len(),
                };
                return Err(format!("illegal base64 data at input byte {at}"));
            }
        }
    }
    if let Value::Object(map) = object {
        if let Some(Value::Object(strings)) = map.remove("stringData") {
            let data = map.entry("data").or_insert_with(|| json!({}));
            for (key, value) in strings {
                data[key] = Value::String(coder.encode(value.as_str().unwrap_or_default()));
            }
        }
        map.entry("type").or_insert_with(|| json!("Opaque"));
    }
    Ok(())
}

/// The defaults of `pkg/apis/core/v1/defaults.go` for a pod's spec.
fn pod_spec(spec: Option<&mut Value>) {
    let Some(spec) = spec.filter(|s| s.is_object()) else {
        return;
    };
    for (key, value) in [
        ("dnsPolicy", json!("ClusterFirst")),
        ("enableServiceLinks", json!(true)),
        ("restartPolicy", json!("Always")),
        ("schedulerName", json!("default-scheduler")),
        ("securityContext", json!({})),
        ("terminationGracePeriodSeconds", json!(30)),
    ] {
        default(spec, key, value);
    }
    for list in ["containers", "initContainers"] {
        for container in spec
            .get_mut(list)
            .and_then(Value::as_array_mut)
            .into_iter()
            .flatten()
        {
            let image = container
                .get("image")
                .and_then(Value::as_str)
                .unwrap_or_default();
            let tag = image
                .rsplit('/')
                .next()
                .unwrap_or_default()
                .split_once(':')
                .map(|(_, t)| t);
            let pull = match tag {
                None | Some("latest") => "Always",
                Some(_) => "IfNotPresent",
            };
            for (key, value) in [
                ("imagePullPolicy", json!(pull)),
                ("resources", json!({})),
                ("terminationMessagePath", json!("/dev/termination-log")),
                ("terminationMessagePolicy", json!("File")),
            ] {
                default(container, key, value);
            }
        }
    }
}

fn job(object: &mut Value) {
    let Some(spec) = object.get_mut("spec").filter(|s| s.is_object()) else {
        return;
    };
    for (key, value) in [
        ("backoffLimit", json!(6)),
        ("completionMode", json!("NonIndexed")),
        ("completions", json!(1)),
        ("manualSelector", json!(false)),
        ("parallelism", json!(1)),
        ("podReplacementPolicy", json!("TerminatingOrFailed")),
        ("suspend", json!(false)),
    ] {
        default(spec, key, value);
    }
    if let Some(template) = spec.get_mut("template") {
        pod_spec(template.get_mut("spec"));
        if let Some(spec) = template.get_mut("spec").and_then(Value::as_object_mut) {
            // Only pods themselves get this one.
            spec.remove("enableServiceLinks");
        }
    }
}

/// What a core kind sets when an object is created.
pub(crate) fn prepare_create(kind: Kind, object: &mut Value) {
    match kind {
        Kind::Pod => {
            object["status"] = json!({"phase": "Pending", "qosClass": "BestEffort"});
            if let Some(spec) = object.get_mut("spec").filter(|s| s.is_object()) {
                default(spec, "priority", json!(0));
                default(spec, "preemptionPolicy", json!("PreemptLowerPriority"));
                default(
                    spec,
                    "tolerations",
                    json!([
                        {"key": "node.kubernetes.io/not-ready", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300},
                        {"key": "node.kubernetes.io/unreachable", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300},
                    ]),
                );
            }
        }
        Kind::Job => {
            object["status"] = json!({});
            job_selector(object);
        }
        Kind::Event => {
            for (key, value) in [
                ("source", json!({})),
                ("firstTimestamp", Value::Null),
                ("lastTimestamp", Value::Null),
                ("eventTime", Value::Null),
                ("reportingComponent", json!("")),
                ("reportingInstance", json!("")),
            ] {
                default(object, key, value);
            }
        }
        _ => {}
    }
}

/// A job selects its pods by its own uid (`pkg/registry/batch/job/strategy.go`).
fn job_selector(object: &mut Value) {
    if object.pointer("/spec/manualSelector") == Some(&Value::Bool(true))
        || !object["spec"].is_object()
    {
        return;
    }
    let uid = crate::meta::text(object, "uid").to_owned();
    let name = crate::meta::name(object).to_owned();
    let labels = [
        ("batch.kubernetes.io/controller-uid", &uid),
        ("batch.kubernetes.io/job-name", &name),
        ("controller-uid", &uid),
        ("job-name", &name),
    ];
    let template = &mut object["spec"]["template"];
    if template.is_null() {
        *template = json!({});
    }
    if !template.is_object() {
        return;
    }
    let template_meta = crate::meta::of_mut(template);
    let wanted = template_meta.entry("labels").or_insert_with(|| json!({}));
    for (key, value) in labels {
        wanted[key] = Value::from(value.as_str());
    }
    let all = crate::meta::of_mut(object)
        .entry("labels")
        .or_insert_with(|| json!({}));
    for (key, value) in labels {
        all[key] = Value::from(value.as_str());
    }
    object["spec"]["selector"] =
        json!({"matchLabels": {"batch.kubernetes.io/controller-uid": uid}});
}

/// What a core kind refuses.
pub(crate) fn validate(kind: Kind, new: &Value, old: Option<&Value>) -> Vec<FieldError> {
    let mut errors = Vec::new();
    match kind {
        Kind::ConfigMap | Kind::Secret => {
            for member in ["data", "binaryData"] {
                let Some(Value::Object(data)) = new.get(member) else {
                    continue;
                };
                for key in data.keys() {
                    for why in crate::names::config_key_errors(key) {
                        errors.push(FieldError::invalid_str(
                            format!("{member}[{key}]"),
                            key,
                            why,
                        ));
                    }
                }
            }
            if let Some(old) = old
                && old.get("immutable") == Some(&Value::Bool(true))
            {
                let text = "field is immutable when `immutable` is set";
                if new.get("immutable") != Some(&Value::Bool(true)) {
                    errors.push(FieldError::forbidden("immutable", text));
                }
                for member in ["data", "binaryData"] {
                    if new.get(member) != old.get(member) {
                        errors.push(FieldError::forbidden(member, text));
                    }
                }
            }
        }
        Kind::Pod => {
            let containers = new.pointer("/spec/containers").and_then(Value::as_array);
            if containers.is_none_or(Vec::is_empty) {
                errors.push(FieldError::required("spec.containers", ""));
            }
            if let Some(old) = old
                && new.pointer("/spec/nodeName") != old.pointer("/spec/nodeName")
            {
                errors.push(FieldError::forbidden(
                    "spec",
                    "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)",
                ));
            }
        }
        _ => {}
    }
    errors
}

/// The schema of a core kind for OpenAPI: its top-level members.
pub(crate) fn openapi(kind: Kind) -> Value {
    let properties: serde_json::Map<String, Value> = members(kind)
        .iter()
        .map(|name| {
            (
                (*name).to_owned(),
                json!({"x-kubernetes-preserve-unknown-fields": true}),
            )
        })
        .collect();
    json!({"type": "object", "properties": properties})
}
