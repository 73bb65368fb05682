//! What a kind does to its objects before they are stored, and what it
//! refuses (`strategy.go` of each kind in the real server).

use serde_json::{Value, json};

use crate::builtin::Kind;
use crate::meta::{self, NameRule};
use crate::request::Call;
use crate::resource::{Resource, text};
use crate::route::Route;
use crate::schema::{Schema, rules};
use crate::status::FieldError;

pub(crate) fn prepare_create(resource: &Resource, object: &mut Value) {
    match resource.behaviour {
        Kind::Custom => {
            if resource.has_status {
                remove(object, "status");
            }
        }
        Kind::Namespace => {
            let name = meta::name(object).to_owned();
            object["status"] = json!({"phase": "Active"});
            let mut finalizers = object
                .pointer("/spec/finalizers")
                .and_then(Value::as_array)
                .cloned()
                .unwrap_or_default();
            if !finalizers.contains(&json!("kubernetes")) {
                finalizers.push(json!("kubernetes"));
            }
            object["spec"] = json!({"finalizers": finalizers});
            let labels = meta::of_mut(object)
                .entry("labels")
                .or_insert_with(|| json!({}));
            // Also when the name was made only now.
            labels["kubernetes.io/metadata.name"] = Value::String(name);
        }
        kind => crate::core_rules::prepare_create(kind, object),
    }
}

fn remove(object: &mut Value, key: &str) {
    if let Value::Object(map) = object {
        map.remove(key);
    }
}

/// Puts `old`'s member into `new`, or removes it there.
fn keep(new: &mut Value, old: &Value, key: &str) {
    match old.get(key) {
        Some(value) => new[key] = value.clone(),
        None => remove(new, key),
    }
}

pub(crate) fn prepare_update(resource: &Resource, sub: &str, new: &mut Value, old: &Value) {
    match (resource.behaviour, sub) {
        (Kind::Custom | Kind::Definition, "status") => {
            let status = new.get("status").cloned();
            let managed = meta::get(new, "managedFields").cloned();
            *new = old.clone();
            match status {
                Some(status) => new["status"] = status,
                None => remove(new, "status"),
            }
            meta::set(new, "managedFields", managed);
        }
        (Kind::Custom | Kind::Definition, _) => {
            if resource.has_status {
                keep(new, old, "status");
            }
            if differs_outside_metadata(new, old) {
                let next = meta::generation(old) + 1;
                meta::set(new, "generation", Some(Value::from(next)));
            }
        }
        (Kind::MutatingWebhooks | Kind::ValidatingWebhooks, _)
            if new.get("webhooks") != old.get("webhooks") =>
        {
            let next = meta::generation(old) + 1;
            meta::set(new, "generation", Some(Value::from(next)));
        }
        (Kind::Namespace, "finalize") => keep(new, old, "status"),
        (Kind::Namespace, "status") => keep(new, old, "spec"),
        (Kind::Namespace, _) => {
            keep(new, old, "spec");
            keep(new, old, "status");
        }
        (Kind::Node | Kind::Job | Kind::Kept(_), "status") => keep(new, old, "spec"),
        (Kind::Pod, "status") => {
            keep(new, old, "spec");
            meta::set(
                new,
                "ownerReferences",
                meta::get(old, "ownerReferences").cloned(),
            );
        }
        // A binding sets what nothing else can change, and counts as no generation.
        (Kind::Pod, "binding") => return,
        (Kind::Node | Kind::Pod, _) => keep(new, old, "status"),
        (Kind::Job | Kind::Kept(_), _) => {
            if resource.has_status {
                keep(new, old, "status");
            }
            if resource.behaviour.counts_generations() && new.get("spec") != old.get("spec") {
                let next = meta::generation(old) + 1;
                meta::set(new, "generation", Some(Value::from(next)));
            }
        }
        _ => {}
    }
    if resource.behaviour == Kind::Pod && new.get("spec") != old.get("spec") {
        let next = meta::generation(old) + 1;
        meta::set(new, "generation", Some(Value::from(next)));
    }
}

fn differs_outside_metadata(new: &Value, old: &Value) -> bool {
    let (Some(new), Some(old)) = (new.as_object(), old.as_object()) else {
        return true;
    };
    let rest = |map: &serde_json::Map<String, Value>| {
        map.len() - usize::from(map.contains_key("metadata"))
    };
    rest(new) != rest(old)
        || new
            .iter()
            .any(|(key, value)| key != "metadata" && old.get(key) != Some(value))
}

fn check_type(resource: &Resource, object: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    if !resource.is_custom() {
        return errors;
    }
    for (key, wanted) in [
        ("kind", resource.kind.clone()),
        ("apiVersion", resource.api_version()),
    ] {
        let found = text(object, &format!("/{key}"));
        if found != wanted {
            errors.push(FieldError::invalid_str(
                key,
                found,
                format!("must be {wanted}"),
            ));
        }
    }
    errors
}

pub(crate) fn validate_create(resource: &Resource, object: &Value) -> Vec<FieldError> {
    let wrong_type = check_type(resource, object);
    if !wrong_type.is_empty() {
        return wrong_type;
    }
    if matches!(resource.behaviour, Kind::Event | Kind::EventV1) {
        // The strategy of events does not look at metadata, and what holds for
        // all kinds is checked only when it has nothing to say.
        let errors = crate::core_checks::validate(resource.behaviour, object, None);
        if !errors.is_empty() {
            return errors;
        }
    }
    let mut errors = meta::validate(object, resource.namespaced, resource.behaviour.name_rule());
    if !matches!(
        resource.behaviour,
        Kind::Custom
            | Kind::Definition
            | Kind::Event
            | Kind::EventV1
            | Kind::MutatingWebhooks
            | Kind::ValidatingWebhooks
    ) {
        errors.extend(meta::validate_core_finalizers(object));
    }
    match resource.behaviour {
        Kind::Custom => {
            if let Some(schema) = &resource.schema {
                errors.extend(crate::schema::validate::validate(schema, object));
                obey_rules(schema, object, None, &mut errors);
            }
            if let Some(paths) = &resource.scale {
                errors.extend(crate::scale::validate(paths, object, false));
            }
        }
        Kind::Definition => errors.extend(crate::definition::validate(object, None)),
        kind => errors.extend(crate::core_checks::validate(kind, object, None)),
    }
    errors
}

pub(crate) fn validate_update(
    resource: &Resource,
    sub: &str,
    new: &Value,
    old: &Value,
) -> Vec<FieldError> {
    // Checked once for all kinds and again for each (`rest/update.go`), so that
    // the same error can be there several times.
    let mut errors = meta::validate(new, resource.namespaced, NameRule::Segment);
    errors.extend(meta::validate_update(new, old));
    let wrong_type = check_type(resource, new);
    if !wrong_type.is_empty() {
        errors.extend(wrong_type);
        return errors;
    }
    let kind = resource.behaviour;
    if !matches!(kind, Kind::Event | Kind::EventV1) {
        errors.extend(meta::validate_update(new, old));
    }
    if matches!(
        kind,
        Kind::ConfigMap
            | Kind::Secret
            | Kind::ServiceAccount
            | Kind::Node
            | Kind::Namespace
            | Kind::Job
            | Kind::Pod
            | Kind::Lease
    ) {
        errors.extend(meta::validate_core_finalizers(new));
    }
    let whole = matches!(
        kind,
        Kind::ConfigMap
            | Kind::Secret
            | Kind::ServiceAccount
            | Kind::Node
            | Kind::Namespace
            | Kind::Job
            | Kind::Pod
            | Kind::Kept(_)
    );
    if whole && sub.is_empty() {
        errors.extend(meta::validate(new, resource.namespaced, kind.name_rule()));
        errors.extend(meta::validate_core_finalizers(new));
    }
    if let Some(paths) = &resource.scale {
        errors.extend(crate::scale::validate(paths, new, sub == "status"));
    }
    match (resource.behaviour, sub) {
        (Kind::Custom, "status") => {
            if let (Some(schema), Some(status)) = (&resource.schema, new.get("status"))
                && let Some(schema) = schema.properties.get("status")
            {
                errors.extend(crate::schema::validate::validate_below(
                    schema,
                    status,
                    old.get("status"),
                    "status",
                ));
            }
            if let Some(schema) = &resource.schema {
                obey_rules(schema, new, Some(old), &mut errors);
            }
        }
        (Kind::Custom, _) => {
            if let Some(schema) = &resource.schema {
                errors.extend(crate::schema::validate::validate_change(schema, new, old));
                obey_rules(schema, new, Some(old), &mut errors);
            }
        }
        (Kind::Definition, _) => {
            errors.extend(crate::definition::validate(new, Some(old)));
        }
        (kind, "") => errors.extend(crate::core_checks::validate(kind, new, Some(old))),
        (Kind::Namespace, "finalize") => errors.extend(crate::core_checks::finalizers(new)),
        (kind, "status") => {
            errors.extend(crate::core_checks::validate_status(kind, new, old));
        }
        _ => {}
    }
    errors
}

/// Rules are evaluated only over an object of the right shape.
fn obey_rules(schema: &Schema, new: &Value, old: Option<&Value>, errors: &mut Vec<FieldError>) {
    if !schema.has_rules {
        return;
    }
    if errors.iter().any(FieldError::blocks_rules) {
        errors.push(FieldError::invalid(
            "",
            &Value::Null,
            "some validation rules were not checked because the object was invalid; correct the existing errors to complete validation",
        ));
    } else {
        errors.extend(rules::evaluate(schema, new, old).errors);
    }
}

/// Warnings about finalizers of custom resources that are not qualified, and
/// about rules that the object breaks as it did before.
pub(crate) fn warnings(call: &Call, resource: &Resource, new: &Value, old: Option<&Value>) {
    if matches!(
        resource.behaviour,
        Kind::MutatingWebhooks | Kind::ValidatingWebhooks
    ) {
        let all = crate::webhook::rules::warnings(new);
        all.into_iter().for_each(|text| call.warn(text));
    }
    let host = match resource.behaviour {
        Kind::Pod => "the Pod's hostname",
        Kind::Job => "Pod names and hostnames",
        _ => "",
    };
    if old.is_none() && !host.is_empty() && meta::name(new).contains('.') {
        call.warn(format!(
            "metadata.name: this is used in {host}, which can result in surprising behavior; a DNS label is recommended: [must not contain dots]"
        ));
    }
    if !resource.is_custom() {
        let below = matches!(&call.route, Route::Resource(p) if p.subresource.is_some());
        if !below {
            let all = crate::core_checks::warnings(resource.behaviour, new, old);
            all.into_iter().for_each(|text| call.warn(text));
        }
        return;
    }
    if let (Some(schema), Some(_)) = (&resource.schema, old) {
        for warning in rules::evaluate(schema, new, old).warnings {
            call.warn(warning);
        }
    }
    let before = old.map(meta::finalizers).unwrap_or_default();
    let mut added: Vec<String> = meta::finalizers(new)
        .into_iter()
        .filter(|f| !before.contains(f))
        .collect();
    added.sort();
    for finalizer in added {
        if finalizer.contains('/')
            || matches!(
                finalizer.as_str(),
                "orphan" | "foregroundDeletion" | "kubernetes"
            )
        {
            continue;
        }
        let shown = crate::quote::quote(&finalizer);
        let advice = if finalizer.contains('.') {
            "prefer a domain-qualified finalizer name including a path (/) to avoid accidental conflicts with other finalizer writers"
        } else {
            "prefer a domain-qualified finalizer name to avoid accidental conflicts with other finalizer writers"
        };
        call.warn(format!("metadata.finalizers: {shown}: {advice}"));
    }
}

/// A namespace goes when its own kind of finalizers are gone.
pub(crate) fn namespace_is_done(namespace: &Value) -> bool {
    meta::is_terminating(namespace)
        && meta::finalizers(namespace).is_empty()
        && namespace
            .pointer("/spec/finalizers")
            .and_then(Value::as_array)
            .is_none_or(Vec::is_empty)
}
