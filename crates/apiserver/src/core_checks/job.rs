//! What is refused of jobs (`pkg/apis/batch/validation/validation.go`, v1.34).
//!
//! Not checked: failure and success policies, and what a job's status may say.

use serde_json::Value;

use super::{items, non_negative, pod, whole};
use crate::meta;
use crate::names;
use crate::resource::text;
use crate::status::FieldError;

/// What an update must leave alone.
const IMMUTABLE: &str = "field is immutable";

/// Checks a job; `old` is what it was before an update.
pub(super) fn check(job: &Value, old: Option<&Value>) -> Vec<FieldError> {
    let mut errors = Vec::new();
    selector_is_own(job, old, &mut errors);
    spec(&job["spec"], &mut errors);
    host_name(job, &mut errors);
    if let Some(old) = old {
        // The real server looks at the whole spec once more.
        spec(&job["spec"], &mut errors);
        changes(&job["spec"], old, &mut errors);
    }
    errors
}

/// `validateGeneratedSelector`: a selector that is made for the job stays so.
fn selector_is_own(job: &Value, old: Option<&Value>, errors: &mut Vec<FieldError>) {
    let spec = &job["spec"];
    if spec["manualSelector"] == true || !spec["selector"].is_object() {
        return;
    }
    let (uid, name) = (meta::text(job, "uid"), meta::name(job));
    let labels = &spec["template"]["metadata"]["labels"];
    let mut wanted = vec![("controller-uid", uid), ("job-name", name)];
    let prefixed = [
        ("batch.kubernetes.io/controller-uid", uid),
        ("batch.kubernetes.io/job-name", name),
    ];
    let had = |old: &Value| {
        let labels = &old["spec"]["template"]["metadata"]["labels"];
        prefixed.iter().all(|(key, _)| labels.get(*key).is_some())
    };
    if old.is_none_or(had) {
        wanted.extend(prefixed);
    }
    for (key, value) in &wanted {
        let field = format!("spec.template.metadata.labels[{key}]");
        let why = format!("must be '{value}'");
        match labels.get(*key).and_then(Value::as_str) {
            None => errors.push(FieldError::required(field, why)),
            Some(found) if found != *value => {
                errors.push(FieldError::invalid(field, labels, why));
            }
            Some(_) => {}
        }
    }
    let given = |key: &str| wanted.iter().find(|(k, _)| *k == key).map(|(_, v)| *v);
    if !selects(&spec["selector"], given) {
        errors.push(FieldError::invalid(
            "spec.selector",
            &spec["selector"],
            "`selector` not auto-generated",
        ));
    }
}

/// Whether a label selector holds.
fn selects<'v>(selector: &Value, label: impl Fn(&str) -> Option<&'v str>) -> bool {
    let exact = selector["matchLabels"].as_object().into_iter().flatten();
    let mut exact = exact.map(|(key, value)| label(key) == value.as_str());
    exact.all(|holds| holds)
        && items(selector, "/matchExpressions").all(|expression| {
            let found = label(text(expression, "/key"));
            let within = || items(expression, "/values").any(|v| v.as_str() == found);
            match text(expression, "/operator") {
                "In" => found.is_some() && within(),
                "NotIn" => found.is_none() || !within(),
                "Exists" => found.is_some(),
                _ => found.is_none(),
            }
        })
}

/// An indexed job makes pods whose host names end with an index.
fn host_name(job: &Value, errors: &mut Vec<FieldError>) {
    let count = whole(&job["spec"], "completions").unwrap_or_default();
    if text(job, "/spec/completionMode") != "Indexed" || count <= 0 {
        return;
    }
    let name = meta::name(job);
    let longest = format!("{name}-{}", count - 1);
    if !names::label_errors(&longest).is_empty() {
        let why = format!("will not able to create pod with invalid DNS label: {longest}");
        errors.push(FieldError::invalid_str("metadata.name", name, why));
    }
}

fn spec(spec: &Value, errors: &mut Vec<FieldError>) {
    for key in [
        "parallelism",
        "completions",
        "activeDeadlineSeconds",
        "backoffLimit",
        "ttlSecondsAfterFinished",
        "backoffLimitPerIndex",
        "maxFailedIndexes",
    ] {
        non_negative(spec, key, &format!("spec.{key}"), errors);
    }
    let per_index = whole(spec, "backoffLimitPerIndex");
    let failed = whole(spec, "maxFailedIndexes");
    if failed.is_some() && per_index.is_none() {
        errors.push(FieldError::required(
            "spec.backoffLimitPerIndex",
            "when maxFailedIndexes is specified",
        ));
    }
    completion_mode(spec, per_index, failed, errors);
    replacement(spec, errors);
    pod::template(&spec["template"], "spec.template", errors);
    restart_policy(spec, errors);
    let selector = &spec["selector"];
    if !selector.is_object() {
        errors.push(FieldError::required("spec.selector", ""));
    }
    let labels = &spec["template"]["metadata"]["labels"];
    if !selector.is_object() || !selects(selector, |key| labels.get(key)?.as_str()) {
        errors.push(FieldError::invalid(
            "spec.template.metadata.labels",
            labels,
            "`selector` does not match template `labels`",
        ));
    }
}

/// As many pods as an indexed job may run at once.
const MOST_INDEXED: i64 = 100_000;

fn completion_mode(
    spec: &Value,
    per_index: Option<i64>,
    failed: Option<i64>,
    errors: &mut Vec<FieldError>,
) {
    let mut invalid = |key: &str, value: i64, why: &str| {
        errors.push(FieldError::invalid(
            format!("spec.{key}"),
            &Value::from(value),
            why,
        ));
    };
    match text(spec, "/completionMode") {
        "Indexed" => {
            let completions = whole(spec, "completions");
            if let Some(parallel) = whole(spec, "parallelism").filter(|n| *n > MOST_INDEXED) {
                let why = format!(
                    "must be less than or equal to {MOST_INDEXED} when completion mode is Indexed"
                );
                invalid("parallelism", parallel, &why);
            }
            if let Some(failed) = failed.filter(|n| completions.is_some_and(|c| *n > c)) {
                let why = "must be less than or equal to completions";
                invalid("maxFailedIndexes", failed, why);
            }
            if completions.is_none() {
                errors.push(FieldError::required(
                    "spec.completions",
                    "when completion mode is Indexed",
                ));
            }
        }
        "" | "NonIndexed" => {
            for (key, value) in [
                ("backoffLimitPerIndex", per_index),
                ("maxFailedIndexes", failed),
            ] {
                if let Some(value) = value {
                    invalid(key, value, "requires indexed completion mode");
                }
            }
        }
        other => errors.push(FieldError::not_supported(
            "spec.completionMode",
            &Value::from(other),
            &["NonIndexed", "Indexed"].map(str::to_owned),
        )),
    }
}

fn replacement(spec: &Value, errors: &mut Vec<FieldError>) {
    let known: &[&str] = if spec["podFailurePolicy"].is_object() {
        &["Failed"]
    } else {
        &["Failed", "TerminatingOrFailed"]
    };
    let given = text(spec, "/podReplacementPolicy");
    if !given.is_empty() && !known.contains(&given) {
        let known: Vec<String> = known.iter().map(|k| (*k).to_owned()).collect();
        errors.push(FieldError::not_supported(
            "spec.podReplacementPolicy",
            &Value::from(given),
            &known,
        ));
    }
}

fn restart_policy(spec: &Value, errors: &mut Vec<FieldError>) {
    const FIELD: &str = "spec.template.spec.restartPolicy";
    match text(spec, "/template/spec/restartPolicy") {
        "" | "Always" => errors.push(FieldError::required(
            FIELD,
            "valid values: \"OnFailure\", \"Never\"",
        )),
        given @ "OnFailure" if spec["podFailurePolicy"].is_object() => {
            errors.push(FieldError::invalid_str(
                FIELD,
                given,
                "only \"Never\" is supported when podFailurePolicy is specified",
            ));
        }
        "OnFailure" | "Never" => {}
        other => errors.push(FieldError::not_supported(
            FIELD,
            &Value::from(other),
            &["OnFailure", "Never"].map(str::to_owned),
        )),
    }
}

/// `ValidateJobSpecUpdate`, behind the checks of the spec itself.
fn changes(spec: &Value, old_job: &Value, errors: &mut Vec<FieldError>) {
    let old = &old_job["spec"];
    let mut immutable = |key: &str, new: &Value, old: &Value| {
        if new != old {
            errors.push(FieldError::invalid(format!("spec.{key}"), new, IMMUTABLE));
        }
    };
    if text(spec, "/completionMode") != "Indexed" {
        immutable("completions", &spec["completions"], &old["completions"]);
    }
    immutable("selector", &spec["selector"], &old["selector"]);
    let waits = old["suspend"] == true && old_job["status"]["startTime"].is_null();
    let before = if waits {
        rescheduled(&old["template"], &spec["template"])
    } else {
        old["template"].clone()
    };
    immutable("template", &spec["template"], &before);
    for key in [
        "completionMode",
        "podFailurePolicy",
        "backoffLimitPerIndex",
        "managedBy",
        "successPolicy",
    ] {
        immutable(key, &spec[key], &old[key]);
    }
    let (completions, parallel) = (&spec["completions"], &spec["parallelism"]);
    if text(spec, "/completionMode") == "Indexed"
        && *completions != old["completions"]
        && !completions.is_null()
        && completions != parallel
    {
        errors.push(FieldError::invalid(
            "spec.completions",
            completions,
            "can only be modified in tandem with spec.parallelism",
        ));
    }
}

/// The old template with what may change while a suspended job waits.
fn rescheduled(old: &Value, new: &Value) -> Value {
    let mut template = old.clone();
    let mut take = |part: &str, key: &str| {
        let found = new.get(part).and_then(|p| p.get(key)).cloned();
        let Some(Value::Object(into)) = template.get_mut(part) else {
            return;
        };
        match found {
            Some(value) => into.insert(key.to_owned(), value),
            None => into.remove(key),
        };
    };
    for key in ["nodeSelector", "tolerations", "schedulingGates"] {
        take("spec", key);
    }
    for key in ["annotations", "labels"] {
        take("metadata", key);
    }
    let wanted = new.pointer("/spec/affinity/nodeAffinity").cloned();
    let has_affinity = new.pointer("/spec/affinity").is_some();
    if let Some(Value::Object(spec)) = template.get_mut("spec") {
        if has_affinity {
            let affinity = spec
                .entry("affinity")
                .or_insert_with(|| serde_json::json!({}));
            if let Value::Object(affinity) = affinity {
                affinity.remove("nodeAffinity");
                affinity.extend(wanted.map(|w| ("nodeAffinity".to_owned(), w)));
            }
        } else if let Some(Value::Object(affinity)) = spec.get_mut("affinity") {
            affinity.remove("nodeAffinity");
            if affinity.is_empty() {
                spec.remove("affinity");
            }
        }
    }
    template
}
