//! What clients are warned of in pods, templates of pods, and nodes
//! (`pkg/api/pod/warnings.go`, `nodeWarnings`), as far as fields are checked.

use serde_json::Value;

use super::{items, whole};
use crate::resource::text;

/// Warnings about a spec of pods that stands at `at`.
pub(super) fn pod(spec: &Value, at: &str) -> Vec<String> {
    let mut all = Vec::new();
    twice(spec, "imagePullSecrets", "name", at, &mut all);
    twice(spec, "hostAliases", "ip", at, &mut all);
    for (i, secret) in items(spec, "/imagePullSecrets").enumerate() {
        if text(secret, "/name").is_empty() {
            all.push(format!(
                "{at}.imagePullSecrets[{i}].name: invalid empty name \"\""
            ));
        }
    }
    for (place, container) in containers(spec, at) {
        variables(container, &place, &mut all);
    }
    ports(spec, at, &mut all);
    if whole(spec, "terminationGracePeriodSeconds").is_some_and(|n| n < 0) {
        all.push(format!(
            "{at}.terminationGracePeriodSeconds: must be >= 0; negative values are invalid and will be treated as 1"
        ));
    }
    all
}

/// Warnings about a node.
pub(super) fn node(node: &Value) -> Vec<String> {
    let spec = &node["spec"];
    let mut all = Vec::new();
    if spec["configSource"].is_object() {
        all.push("spec.configSource: the feature is removed".to_owned());
    }
    if !text(spec, "/externalID").is_empty() {
        all.push(
            "spec.externalID: this field is deprecated, and is unused by Kubernetes".to_owned(),
        );
    }
    all
}

/// All containers with their places, init containers first.
fn containers<'v>(spec: &'v Value, at: &str) -> Vec<(String, &'v Value)> {
    let of = |list: &'static str| {
        let found = items(
            spec,
            if list == "containers" {
                "/containers"
            } else {
                "/initContainers"
            },
        );
        found
            .enumerate()
            .map(move |(i, c)| (format!("{at}.{list}[{i}]"), c))
    };
    of("initContainers").chain(of("containers")).collect()
}

fn twice(spec: &Value, list: &str, key: &str, at: &str, all: &mut Vec<String>) {
    let mut seen: Vec<&str> = Vec::new();
    for (i, item) in items(spec, &format!("/{list}")).enumerate() {
        let value = text(item, &format!("/{key}"));
        if seen.contains(&value) {
            let shown = crate::quote::quote(value);
            all.push(format!("{at}.{list}[{i}].{key}: duplicate {key} {shown}"));
        }
        seen.push(value);
    }
}

/// A variable that hides one before it, and does not build on it.
fn variables(container: &Value, at: &str, all: &mut Vec<String>) {
    let mut seen: Vec<&str> = Vec::new();
    for (i, variable) in items(container, "/env").enumerate() {
        let (name, value) = (text(variable, "/name"), text(variable, "/value"));
        let reference = format!("$({name})");
        let hides =
            variable["valueFrom"].is_object() || value == reference || !value.contains(&reference);
        if seen.contains(&name) && hides {
            let shown = crate::quote::quote(name);
            all.push(format!(
                "{at}.env[{i}]: hides previous definition of {shown}, which may be dropped when using apply"
            ));
        }
        seen.push(name);
    }
}

fn ports(spec: &Value, at: &str, all: &mut Vec<String>) {
    let found: Vec<(String, &Value)> = containers(spec, at)
        .into_iter()
        .flat_map(|(place, container)| {
            items(container, "/ports")
                .enumerate()
                .map(move |(i, port)| (format!("{place}.ports[{i}]"), port))
        })
        .collect();
    let host = |port: &Value| whole(port, "hostPort").unwrap_or_default();
    for (i, (place, port)) in found.iter().enumerate() {
        for (other_place, other) in &found[..i] {
            if ["containerPort", "protocol"]
                .iter()
                .any(|k| port[*k] != other[*k])
            {
                continue;
            }
            let (ip, other_ip) = (text(port, "/hostIP"), text(other, "/hostIP"));
            let how = if ip == other_ip && host(port) == host(other) {
                "duplicate"
            } else if host(port) == 0 || host(other) == 0 {
                "overlapping"
            } else if host(port) == host(other) && (ip.is_empty() != other_ip.is_empty()) {
                "dangerously ambiguous"
            } else {
                continue;
            };
            all.push(format!("{place}: {how} port definition with {other_place}"));
        }
    }
    let mut names: Vec<(&str, &str)> = Vec::new();
    for (place, port) in &found {
        let name = text(port, "/name");
        if name.is_empty() {
            continue;
        }
        match names.iter().find(|(known, _)| *known == name) {
            Some((_, other)) => all.push(format!(
                "{place}: duplicate port name {} with {other}, services and probes that select ports by name will use {other}",
                crate::quote::quote(name)
            )),
            None => names.push((name, place)),
        }
    }
}
