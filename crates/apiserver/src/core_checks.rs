//! What the core kinds refuse (`pkg/apis/*/validation` of the real server), as
//! far as this server knows their rules.

use serde_json::Value;

use crate::builtin::Kind;
use crate::resource::text;
use crate::status::FieldError;

/// The most that a ConfigMap or a Secret may hold.
const MAX_DATA: usize = 1024 * 1024;

/// Checks an object besides its metadata; `old` is what it was before an update.
pub(crate) fn validate(kind: Kind, new: &Value, old: Option<&Value>) -> Vec<FieldError> {
    match kind {
        Kind::ConfigMap => config_map(new, old),
        Kind::Secret => secret(new, old),
        Kind::Lease => lease(new),
        Kind::Event => event(new, "reportingComponent"),
        Kind::EventV1 => {
            let mut core = new.clone();
            crate::core_rules::event_to_core(&mut core);
            event(&core, "reportingController")
        }
        Kind::MutatingWebhooks => crate::webhook::rules::validate(new, true),
        Kind::ValidatingWebhooks => crate::webhook::rules::validate(new, false),
        Kind::Pod => pod(new, old),
        Kind::Job => {
            let containers = new.pointer("/spec/template/spec/containers");
            let none = containers
                .and_then(Value::as_array)
                .is_none_or(Vec::is_empty);
            let missing = none.then(|| FieldError::required("spec.template.spec.containers", ""));
            missing.into_iter().collect()
        }
        _ => Vec::new(),
    }
}

fn is_immutable(object: &Value) -> bool {
    object.get("immutable") == Some(&Value::Bool(true))
}

/// What must not change in an object that calls itself immutable.
fn immutable(new: &Value, old: &Value, members: &[&str], errors: &mut Vec<FieldError>) {
    if !is_immutable(old) {
        return;
    }
    let why = "field is immutable when `immutable` is set";
    if !is_immutable(new) {
        errors.push(FieldError::forbidden("immutable", why));
    }
    for member in members {
        if new.get(*member) != old.get(*member) {
            errors.push(FieldError::forbidden(*member, why));
        }
    }
}

fn keys(object: &Value, member: &str, errors: &mut Vec<FieldError>) {
    for key in object
        .get(member)
        .and_then(Value::as_object)
        .into_iter()
        .flat_map(serde_json::Map::keys)
    {
        for why in crate::names::config_key_errors(key) {
            errors.push(FieldError::invalid_str(
                format!("{member}[{key}]"),
                key,
                why,
            ));
        }
    }
}

/// The bytes of all values; those of a base64 member as they are decoded.
fn size(object: &Value, member: &str, encoded: bool) -> usize {
    object
        .get(member)
        .and_then(Value::as_object)
        .into_iter()
        .flat_map(serde_json::Map::values)
        .filter_map(Value::as_str)
        .map(|text| {
            if encoded {
                text.trim_end_matches('=').len() * 3 / 4
            } else {
                text.len()
            }
        })
        .sum()
}

fn config_map(new: &Value, old: Option<&Value>) -> Vec<FieldError> {
    let mut errors = Vec::new();
    if let Some(old) = old {
        immutable(new, old, &["data", "binaryData"], &mut errors);
    }
    keys(new, "data", &mut errors);
    let binary = new.get("binaryData").and_then(Value::as_object);
    for key in new
        .get("data")
        .and_then(Value::as_object)
        .into_iter()
        .flat_map(serde_json::Map::keys)
        .filter(|key| binary.is_some_and(|binary| binary.contains_key(*key)))
    {
        errors.push(FieldError::invalid_str(
            format!("data[{key}]"),
            key,
            "duplicate of key present in binaryData",
        ));
    }
    keys(new, "binaryData", &mut errors);
    if size(new, "data", false) + size(new, "binaryData", true) > MAX_DATA {
        errors.push(FieldError::too_long("", 1024 * 1024));
    }
    errors
}

fn secret(new: &Value, old: Option<&Value>) -> Vec<FieldError> {
    let mut errors = Vec::new();
    if let Some(old) = old {
        if text(new, "/type") != text(old, "/type") {
            errors.push(FieldError::invalid_str(
                "type",
                text(new, "/type"),
                "field is immutable",
            ));
        }
        immutable(new, old, &["data"], &mut errors);
    }
    keys(new, "data", &mut errors);
    if size(new, "data", true) > MAX_DATA {
        errors.push(FieldError::too_long("data", 1024 * 1024));
    }
    let has = |key: &str| new.get("data").is_some_and(|data| data.get(key).is_some());
    let missing = |key: &str| FieldError::required(format!("data[{key}]"), "");
    match text(new, "/type") {
        "kubernetes.io/service-account-token" => {
            let account = new
                .pointer("/metadata/annotations")
                .and_then(|all| all.get("kubernetes.io/service-account.name"))
                .and_then(Value::as_str);
            if account.is_none_or(str::is_empty) {
                errors.push(FieldError::required(
                    "metadata.annotations[kubernetes.io/service-account.name]",
                    "",
                ));
            }
        }
        "kubernetes.io/dockercfg" if !has(".dockercfg") => errors.push(missing(".dockercfg")),
        "kubernetes.io/dockerconfigjson" if !has(".dockerconfigjson") => {
            errors.push(missing(".dockerconfigjson"));
        }
        "kubernetes.io/basic-auth" if !has("username") && !has("password") => {
            errors.push(missing("username"));
            errors.push(missing("password"));
        }
        "kubernetes.io/ssh-auth" => {
            let key = new.pointer("/data/ssh-privatekey").and_then(Value::as_str);
            if key.is_none_or(str::is_empty) {
                errors.push(missing("ssh-privatekey"));
            }
        }
        "kubernetes.io/tls" => {
            for key in ["tls.crt", "tls.key"] {
                if !has(key) {
                    errors.push(missing(key));
                }
            }
        }
        _ => {}
    }
    errors
}

fn lease(new: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let count = |key: &str| new.pointer(&format!("/spec/{key}")).and_then(Value::as_i64);
    if let Some(seconds) = count("leaseDurationSeconds").filter(|n| *n <= 0) {
        errors.push(FieldError::invalid(
            "spec.leaseDurationSeconds",
            &Value::from(seconds),
            "must be greater than 0",
        ));
    }
    if let Some(changes) = count("leaseTransitions").filter(|n| *n < 0) {
        errors.push(FieldError::invalid(
            "spec.leaseTransitions",
            &Value::from(changes),
            "must be greater than or equal to 0",
        ));
    }
    let preferred = text(new, "/spec/preferredHolder");
    if !preferred.is_empty() && text(new, "/spec/strategy").is_empty() {
        errors.push(FieldError::forbidden(
            "spec.preferredHolder",
            "may only be specified if `strategy` is defined",
        ));
    }
    errors
}

/// `legacyValidateEvent`: what holds for events of both groups.
fn event(event: &Value, controller_field: &str) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let namespace = text(event, "/metadata/namespace");
    let about = text(event, "/involvedObject/namespace");
    let is_new = event.get("eventTime").is_some_and(|time| !time.is_null());
    let stray = match (about, is_new) {
        ("", false) => !matches!(namespace, "" | "default"),
        ("", true) => !matches!(namespace, "default" | "kube-system"),
        (about, false) => about != namespace,
        (_, true) => false,
    };
    if stray {
        errors.push(FieldError::invalid_str(
            "involvedObject.namespace",
            about,
            "does not match event.namespace",
        ));
    }
    if !is_new {
        return errors;
    }
    let controller = text(event, "/reportingComponent");
    if controller.is_empty() {
        errors.push(FieldError::required(controller_field, ""));
    }
    for why in crate::names::qualified_errors(controller) {
        errors.push(FieldError::invalid_str(controller_field, controller, why));
    }
    for (field, limit) in [("reportingInstance", 128), ("action", 128), ("reason", 128)] {
        let value = text(event, &format!("/{field}"));
        if value.is_empty() {
            errors.push(FieldError::required(field, ""));
        }
        if value.len() > limit {
            errors.push(FieldError::invalid_str(
                field,
                "",
                format!("can have at most {limit} characters"),
            ));
        }
    }
    if text(event, "/message").len() > 1024 {
        errors.push(FieldError::invalid_str(
            "message",
            "",
            "can have at most 1024 characters",
        ));
    }
    errors
}

fn pod(new: &Value, old: Option<&Value>) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let containers = |pod: &Value| {
        pod.pointer("/spec/containers")
            .and_then(Value::as_array)
            .map_or(0, Vec::len)
    };
    let Some(old) = old else {
        if containers(new) == 0 {
            errors.push(FieldError::required("spec.containers", ""));
        }
        return errors;
    };
    if containers(new) != containers(old) {
        errors.push(FieldError::forbidden(
            "spec.containers",
            "pod updates may not add or remove containers",
        ));
        return errors;
    }
    if settled(new) != settled(old) {
        errors.push(FieldError::forbidden(
            "spec",
            "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)",
        ));
    }
    errors
}

/// The part of a pod's spec that never changes.
fn settled(pod: &Value) -> Value {
    let mut spec = pod.get("spec").cloned().unwrap_or_default();
    for list in ["containers", "initContainers"] {
        for container in spec
            .get_mut(list)
            .and_then(Value::as_array_mut)
            .into_iter()
            .flatten()
        {
            if let Some(container) = container.as_object_mut() {
                container.remove("image");
            }
        }
    }
    if let Some(spec) = spec.as_object_mut() {
        for key in [
            "activeDeadlineSeconds",
            "tolerations",
            "terminationGracePeriodSeconds",
        ] {
            spec.remove(key);
        }
    }
    spec
}
