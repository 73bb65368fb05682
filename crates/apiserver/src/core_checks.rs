//! What the core kinds refuse (`pkg/apis/*/validation` of the real server), as
//! far as this server knows their rules.

mod container;
mod job;
mod node;
mod pod;
mod warnings;

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
        Kind::Pod => match old {
            None => pod::create(new),
            Some(old) => pod::update(new, old),
        },
        Kind::Job => job::check(new, old),
        Kind::Node => node::check(new, old),
        Kind::Namespace => finalizers(new),
        _ => Vec::new(),
    }
}

/// Checks an update of the status alone.
pub(crate) fn validate_status(kind: Kind, new: &Value, old: &Value) -> Vec<FieldError> {
    match kind {
        Kind::Node => node::update(new, old),
        Kind::Pod => pod::status(&new["status"], &old["status"]),
        Kind::Namespace => phase(new).into_iter().collect(),
        _ => Vec::new(),
    }
}

/// What a namespace waits for must be qualified, but for Kubernetes' own.
pub(crate) fn finalizers(namespace: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    for name in items(namespace, "/spec/finalizers").filter_map(Value::as_str) {
        let wrong = crate::names::qualified_errors(name);
        invalid_each("spec.finalizers", name, wrong, &mut errors);
        let standard = matches!(name, "kubernetes" | "orphan" | "foregroundDeletion");
        if !name.contains('/') && !standard {
            errors.push(FieldError::invalid_str(
                "spec.finalizers",
                name,
                "name is neither a standard finalizer name nor is it fully qualified",
            ));
        }
    }
    errors
}

/// The phase says whether a namespace is going away.
fn phase(namespace: &Value) -> Option<FieldError> {
    let (wanted, when) = if crate::meta::is_terminating(namespace) {
        ("Terminating", "not empty")
    } else {
        ("Active", "empty")
    };
    let given = text(namespace, "/status/phase");
    (given != wanted).then(|| {
        FieldError::invalid_str(
            "status.Phase",
            given,
            format!("may only be '{wanted}' if `deletionTimestamp` is {when}"),
        )
    })
}

/// What a client should know of an object that is taken; `old` is what it was
/// before an update.
pub(crate) fn warnings(kind: Kind, new: &Value, old: Option<&Value>) -> Vec<String> {
    match (kind, old) {
        (Kind::Pod, None) => warnings::pod(&new["spec"], "spec"),
        (Kind::Job, old) if old.is_none_or(|old| old["spec"] != new["spec"]) => {
            warnings::pod(&new["spec"]["template"]["spec"], "spec.template.spec")
        }
        (Kind::Node, _) => warnings::node(new),
        _ => Vec::new(),
    }
}

/// The items of a list, or none.
fn items<'v>(object: &'v Value, pointer: &str) -> impl Iterator<Item = &'v Value> {
    let found = object.pointer(pointer).and_then(Value::as_array);
    found.into_iter().flatten()
}

/// A whole number that is given.
fn whole(object: &Value, key: &str) -> Option<i64> {
    object.get(key).and_then(Value::as_i64)
}

/// One error for each text.
fn invalid_each(field: &str, value: &str, wrong: Vec<String>, errors: &mut Vec<FieldError>) {
    for why in wrong {
        errors.push(FieldError::invalid_str(field, value, why));
    }
}

/// A number below 0 is refused.
fn non_negative(object: &Value, key: &str, field: &str, errors: &mut Vec<FieldError>) {
    if let Some(number) = whole(object, key).filter(|n| *n < 0) {
        let why = "must be greater than or equal to 0";
        errors.push(FieldError::invalid(field, &Value::from(number), why));
    }
}

/// A text that must be there, and be one of these.
fn one_of(object: &Value, key: &str, known: &[&str], field: &str, errors: &mut Vec<FieldError>) {
    let given = text(object, &format!("/{key}"));
    if given.is_empty() {
        errors.push(FieldError::required(field, ""));
    } else if !known.contains(&given) {
        let known: Vec<String> = known.iter().map(|k| (*k).to_owned()).collect();
        errors.push(FieldError::not_supported(
            field,
            &Value::from(given),
            &known,
        ));
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
