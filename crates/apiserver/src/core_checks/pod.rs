//! What is refused of pods and of templates of them: the common part of
//! `ValidatePodSpec` (`pkg/apis/core/validation/validation.go`, v1.34).
//!
//! Not checked: affinity, security contexts, topology, DNS settings, resource
//! claims, and the sources of volumes but the common ones.

use serde_json::Value;

use super::container::{self, Containers};
use super::{invalid_each, items, non_negative, one_of, whole};
use crate::names;
use crate::resource::text;
use crate::status::FieldError;

/// The largest of Go's `int32`.
const MAX_INT32: i64 = i32::MAX as i64;

/// Checks a pod that is made.
pub(super) fn create(pod: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    own(pod, &mut errors);
    let gated = items(pod, "/spec/schedulingGates").next().is_some();
    if gated && !text(pod, "/spec/nodeName").is_empty() {
        errors.push(FieldError::forbidden(
            "spec.nodeName",
            "cannot be set until all schedulingGates have been cleared",
        ));
    }
    ephemeral(pod, "spec", "cannot be set on create", &mut errors);
    errors
}

fn ephemeral(of: &Value, at: &str, why: &str, errors: &mut Vec<FieldError>) {
    if items(of, "/spec/ephemeralContainers").next().is_some() {
        let field = format!("{at}.ephemeralContainers");
        errors.push(FieldError::forbidden(field, why));
    }
}

/// What holds for pods, but not for templates of them.
fn own(pod: &Value, errors: &mut Vec<FieldError>) {
    spec(&pod["spec"], "spec", true, errors);
    for list in ["containers", "initContainers"] {
        for (i, container) in items(pod, &format!("/spec/{list}")).enumerate() {
            padded_image(container, &format!("spec.{list}[{i}]"), errors);
        }
    }
}

fn padded_image(container: &Value, at: &str, errors: &mut Vec<FieldError>) {
    let image = text(container, "/image");
    if image.trim() != image {
        let why = "must not have leading or trailing whitespace";
        errors.push(FieldError::invalid_str(format!("{at}.image"), image, why));
    }
}

/// Checks a template of pods that stands at `at`.
pub(super) fn template(template: &Value, at: &str, errors: &mut Vec<FieldError>) {
    let metadata = template.get("metadata").unwrap_or(&Value::Null);
    labels(&metadata["labels"], &format!("{at}.labels"), errors);
    let keys = metadata["annotations"].as_object().into_iter().flatten();
    for (key, _) in keys {
        let wrong = names::qualified_errors(&key.to_lowercase());
        invalid_each(&format!("{at}.annotations"), key, wrong, errors);
    }
    spec(&template["spec"], &format!("{at}.spec"), false, errors);
    let why = "ephemeral containers not allowed in pod template";
    ephemeral(template, &format!("{at}.spec"), why, errors);
}

/// `ValidateLabels`
fn labels(found: &Value, at: &str, errors: &mut Vec<FieldError>) {
    for (key, value) in found.as_object().into_iter().flatten() {
        invalid_each(at, key, names::qualified_errors(key), errors);
        let value = value.as_str().unwrap_or_default();
        invalid_each(at, value, names::label_value_errors(value), errors);
    }
}

fn spec(spec: &Value, at: &str, is_pod: bool, errors: &mut Vec<FieldError>) {
    let place = |key: &str| format!("{at}.{key}");
    let volumes = volumes(spec, &place("volumes"), errors);
    container::check(
        spec,
        at,
        &Containers {
            volumes: &volumes,
            grace: whole(spec, "terminationGracePeriodSeconds"),
            host_network: spec["hostNetwork"] == true,
            is_pod,
        },
        errors,
    );
    one_of(
        spec,
        "restartPolicy",
        &["Always", "OnFailure", "Never"],
        &place("restartPolicy"),
        errors,
    );
    let policies = ["ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"];
    one_of(spec, "dnsPolicy", &policies, &place("dnsPolicy"), errors);
    labels(&spec["nodeSelector"], &place("nodeSelector"), errors);
    for key in ["serviceAccountName", "nodeName", "priorityClassName"] {
        let name = text(spec, &format!("/{key}"));
        if !name.is_empty() {
            invalid_each(&place(key), name, names::subdomain_errors(name), errors);
        }
    }
    if let Some(seconds) = whole(spec, "activeDeadlineSeconds")
        && !(1..=MAX_INT32).contains(&seconds)
    {
        let why = format!("must be between 1 and {MAX_INT32}, inclusive");
        let field = place("activeDeadlineSeconds");
        errors.push(FieldError::invalid(field, &Value::from(seconds), why));
    }
    for key in ["hostname", "subdomain"] {
        let name = text(spec, &format!("/{key}"));
        if !name.is_empty() {
            invalid_each(&place(key), name, names::label_errors(name), errors);
        }
    }
    tolerations(spec, &place("tolerations"), errors);
}

/// The names of the volumes that are sound, as containers can mount them.
fn volumes<'v>(spec: &'v Value, at: &str, errors: &mut Vec<FieldError>) -> Vec<&'v str> {
    let mut known: Vec<&str> = Vec::new();
    for (i, volume) in items(spec, "/volumes").enumerate() {
        let at = format!("{at}[{i}]");
        let name = text(volume, "/name");
        let before = errors.len();
        source(volume, &at, errors);
        let field = format!("{at}.name");
        if name.is_empty() {
            errors.push(FieldError::required(&field, ""));
        } else {
            invalid_each(&field, name, names::label_errors(name), errors);
        }
        if known.contains(&name) {
            errors.push(FieldError::duplicate(field, &Value::from(name)));
        }
        if errors.len() == before {
            known.push(name);
        }
    }
    known
}

/// One source for each volume, and what the common ones need.
fn source(volume: &Value, at: &str, errors: &mut Vec<FieldError>) {
    let sources = volume.as_object().into_iter().flatten();
    let mut sources = sources.filter(|(key, value)| *key != "name" && !value.is_null());
    let Some((kind, source)) = sources.next() else {
        errors.push(FieldError::required(at, "must specify a volume type"));
        return;
    };
    for (other, _) in sources {
        errors.push(FieldError::forbidden(
            format!("{at}.{other}"),
            "may not specify more than 1 volume type",
        ));
    }
    let at = format!("{at}.{kind}");
    let needed = match kind.as_str() {
        "hostPath" => "path",
        "secret" => "secretName",
        "configMap" => "name",
        "persistentVolumeClaim" => "claimName",
        _ => return,
    };
    let given = text(source, &format!("/{needed}"));
    if given.is_empty() {
        errors.push(FieldError::required(format!("{at}.{needed}"), ""));
    } else if kind == "hostPath" && given.split('/').any(|part| part == "..") {
        let why = "must not contain '..'";
        errors.push(FieldError::invalid_str(format!("{at}.path"), given, why));
    }
    if let Some(mode) = whole(source, "defaultMode")
        && !(0..=0o777).contains(&mode)
    {
        errors.push(FieldError::invalid(
            format!("{at}.defaultMode"),
            &Value::from(mode),
            "must be a number between 0 and 0777 (octal), both inclusive",
        ));
    }
}

/// `ValidateTolerations`
fn tolerations(spec: &Value, at: &str, errors: &mut Vec<FieldError>) {
    for (i, toleration) in items(spec, "/tolerations").enumerate() {
        let member = |key: &str| text(toleration, &format!("/{key}"));
        let place = |key: &str| format!("{at}[{i}].{key}");
        let (key, operator, value, effect) = (
            member("key"),
            member("operator"),
            member("value"),
            member("effect"),
        );
        let mut say = |field: &str, found: &str, why: &str| {
            errors.push(FieldError::invalid_str(place(field), found, why));
        };
        if key.is_empty() && operator != "Exists" {
            say(
                "operator",
                operator,
                "operator must be Exists when `key` is empty, which means \"match all values and all keys\"",
            );
        }
        if whole(toleration, "tolerationSeconds").is_some() && effect != "NoExecute" {
            say(
                "effect",
                effect,
                "effect must be 'NoExecute' when `tolerationSeconds` is set",
            );
        }
        if operator == "Exists" && !value.is_empty() {
            say(
                "operator",
                value,
                "value must be empty when `operator` is 'Exists'",
            );
        }
        if !key.is_empty() {
            invalid_each(&place("key"), key, names::qualified_errors(key), errors);
        }
        match operator {
            "Exists" => {}
            "" | "Equal" => {
                let wrong = names::label_value_errors(value);
                if !wrong.is_empty() {
                    let why = wrong.join(";");
                    errors.push(FieldError::invalid_str(place("operator"), value, why));
                }
            }
            _ => one_of(
                toleration,
                "operator",
                &["Equal", "Exists"],
                &place("operator"),
                errors,
            ),
        }
        if !effect.is_empty() {
            one_of(
                toleration,
                "effect",
                &super::node::EFFECTS,
                &place("effect"),
                errors,
            );
        }
    }
}

/// Checks a pod that is changed: little of its spec may.
pub(super) fn update(new: &Value, old: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    own(new, &mut errors);
    for list in ["containers", "initContainers"] {
        let pointer = format!("/spec/{list}");
        if items(new, &pointer).count() != items(old, &pointer).count() {
            errors.push(FieldError::forbidden(
                format!("spec.{list}"),
                "pod updates may not add or remove containers",
            ));
            return errors;
        }
        for (i, container) in items(new, &pointer).enumerate() {
            let at = format!("spec.{list}[{i}]");
            if text(container, "/image").is_empty() {
                errors.push(FieldError::required(format!("{at}.image"), ""));
            }
            padded_image(container, &at, &mut errors);
        }
    }
    if !deadline(&new["spec"], &old["spec"], &mut errors) {
        return errors;
    }
    only_added_tolerations(new, old, &mut errors);
    if settled(&new["spec"], &old["spec"]) != settled(&old["spec"], &old["spec"]) {
        errors.push(FieldError::forbidden(
            "spec",
            "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)",
        ));
    }
    errors
}

/// A deadline may be set, and come nearer; `false` when nothing else is said.
fn deadline(new: &Value, old: &Value, errors: &mut Vec<FieldError>) -> bool {
    const KEY: &str = "activeDeadlineSeconds";
    let field = format!("spec.{KEY}");
    match (whole(new, KEY), whole(old, KEY)) {
        (Some(after), _) if !(0..=MAX_INT32).contains(&after) => {
            let why = format!("must be between 0 and {MAX_INT32}, inclusive");
            errors.push(FieldError::invalid(field, &Value::from(after), why));
            false
        }
        (Some(after), Some(before)) if before < after => {
            let why = "must be less than or equal to previous value";
            errors.push(FieldError::invalid(field, &Value::from(after), why));
            false
        }
        (None, Some(_)) => {
            let why = "must not update from a positive integer to nil value";
            errors.push(FieldError::invalid(field, &Value::Null, why));
            true
        }
        _ => true,
    }
}

/// Tolerations that are there stay, but for their seconds.
fn only_added_tolerations(new: &Value, old: &Value, errors: &mut Vec<FieldError>) {
    let without_seconds = |toleration: &Value| {
        let mut rest = toleration.clone();
        if let Value::Object(map) = &mut rest {
            map.remove("tolerationSeconds");
        }
        rest
    };
    let kept: Vec<Value> = items(new, "/spec/tolerations")
        .map(without_seconds)
        .collect();
    if items(old, "/spec/tolerations").all(|old| kept.contains(&without_seconds(old))) {
        tolerations(&new["spec"], "spec.tolerations", errors);
    } else {
        errors.push(FieldError::forbidden(
            "spec.tolerations",
            "existing toleration can not be modified except its tolerationSeconds",
        ));
    }
}

/// The part of a pod's spec that never changes.
fn settled(spec: &Value, old: &Value) -> Value {
    let mut spec = spec.clone();
    for list in ["containers", "initContainers"] {
        let found = spec.get_mut(list).and_then(Value::as_array_mut);
        for container in found.into_iter().flatten() {
            if let Some(container) = container.as_object_mut() {
                container.remove("image");
            }
        }
    }
    if let Some(members) = spec.as_object_mut() {
        for key in ["activeDeadlineSeconds", "tolerations", "schedulingGates"] {
            members.remove(key);
        }
        let grace = "terminationGracePeriodSeconds";
        let heals = members.get(grace).and_then(Value::as_i64) == Some(1)
            && whole(old, grace).is_some_and(|n| n < 0);
        if heals {
            members.insert(grace.to_owned(), old[grace].clone());
        }
    }
    spec
}

/// Checks a change of a pod's status: its class stays, counts are counts.
pub(super) fn status(new: &Value, old: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    if text(new, "/qosClass") != text(old, "/qosClass") {
        let class = text(new, "/qosClass");
        let why = "field is immutable";
        errors.push(FieldError::invalid_str("status.qosClass", class, why));
    }
    if let Some(seen) = whole(new, "observedGeneration").filter(|n| *n < 0) {
        errors.push(FieldError::invalid(
            "status.observedGeneration",
            &Value::from(seen),
            "must be a non-negative integer",
        ));
    }
    errors
}

/// A probe's counts.
pub(super) fn counts(of: &Value, keys: &[&str], at: &str, errors: &mut Vec<FieldError>) {
    for key in keys {
        non_negative(of, key, &format!("{at}.{key}"), errors);
    }
}
