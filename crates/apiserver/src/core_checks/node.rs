//! What is refused of nodes (`ValidateNode` and `ValidateNodeUpdate`, v1.34).
//!
//! Not checked: the removed `configSource`, and whether CIDRs make a pair.

use serde_json::Value;

use super::{invalid_each, items, one_of};
use crate::names;
use crate::resource::text;
use crate::status::FieldError;

/// What a taint does.
pub(super) const EFFECTS: [&str; 3] = ["NoSchedule", "PreferNoSchedule", "NoExecute"];

/// Checks a node, and what an update changes in it; `old` is what it was.
pub(super) fn check(node: &Value, old: Option<&Value>) -> Vec<FieldError> {
    let mut errors = Vec::new();
    taints(node, &mut errors);
    resources(node, &mut errors);
    if let Some(old) = old {
        errors.extend(update(node, old));
    }
    errors
}

/// What also holds for an update of the status.
pub(super) fn update(node: &Value, old: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    resources(node, &mut errors);
    let mut seen: Vec<&Value> = Vec::new();
    for (i, address) in items(node, "/status/addresses").enumerate() {
        if seen.contains(&address) {
            // Printed from the internal type.
            let shown = serde_json::json!({"Address": address["address"], "Type": address["type"]});
            let mut error = FieldError::duplicate(format!("status.addresses[{i}]"), &shown);
            error.value = Some(format!(
                "{{\"Type\":{},\"Address\":{}}}",
                shown["Type"], shown["Address"]
            ));
            errors.push(error);
        }
        seen.push(address);
    }
    let (spec, before) = (&node["spec"], &old["spec"]);
    let only_once = |what: &str| {
        FieldError::forbidden(
            format!("spec.{what}"),
            format!(
                "node updates may not change {} except from \"\" to valid",
                what.trim_end_matches('s')
            ),
        )
    };
    let ranges: Vec<&Value> = items(before, "/podCIDRs").collect();
    let now: Vec<&Value> = items(spec, "/podCIDRs").collect();
    if !ranges.is_empty() && ranges.len() != now.len() {
        errors.push(only_once("podCIDRs"));
    } else {
        let changed = ranges.iter().zip(&now).filter(|(a, b)| a != b);
        errors.extend(changed.map(|_| only_once("podCIDRs")));
    }
    let provider = text(before, "/providerID");
    if !provider.is_empty() && provider != text(spec, "/providerID") {
        errors.push(only_once("providerID"));
    }
    taints(node, &mut errors);
    if text(spec, "/externalID") != text(before, "/externalID") {
        errors.push(FieldError::forbidden(
            "spec.externalID",
            "may not be updated",
        ));
    }
    errors
}

/// The real server names the wrong part of the node.
fn taints(node: &Value, errors: &mut Vec<FieldError>) {
    let mut seen: Vec<(&str, &str)> = Vec::new();
    for (i, taint) in items(node, "/spec/taints").enumerate() {
        let at = format!("metadata.taints[{i}]");
        let (key, value) = (text(taint, "/key"), text(taint, "/value"));
        let field = format!("{at}.key");
        invalid_each(&field, key, names::qualified_errors(key), errors);
        let wrong = names::label_value_errors(value);
        if !wrong.is_empty() {
            let why = wrong.join(";");
            errors.push(FieldError::invalid_str(format!("{at}.value"), value, why));
        }
        one_of(taint, "effect", &EFFECTS, &format!("{at}.effect"), errors);
        let pair = (key, text(taint, "/effect"));
        if seen.contains(&pair) {
            let mut error = FieldError::duplicate(at, taint);
            error.value = Some(format!(
                "{{\"Key\":{},\"Value\":{},\"Effect\":{},\"TimeAdded\":{}}}",
                Value::from(key),
                Value::from(value),
                Value::from(pair.1),
                taint["timeAdded"]
            ));
            "taints must be unique by key and effect pair".clone_into(&mut error.detail);
            errors.push(error);
            continue;
        }
        seen.push(pair);
    }
}

fn resources(node: &Value, errors: &mut Vec<FieldError>) {
    for which in ["capacity", "allocatable"] {
        let amounts = node["status"][which].as_object().into_iter().flatten();
        for (name, amount) in amounts {
            let field = format!("status.{which}.{name}");
            let amount = amount.as_str().unwrap_or_default();
            let mut say = |why: &str| errors.push(FieldError::invalid_str(&field, amount, why));
            if amount.starts_with('-') {
                say("must be greater than or equal to 0");
            }
            // Pods and devices come whole.
            let counted =
                name == "pods" || (name.contains('/') && !name.contains("kubernetes.io/"));
            if counted && amount.ends_with(['m', 'u', 'n']) {
                say("must be an integer");
            }
        }
    }
}
