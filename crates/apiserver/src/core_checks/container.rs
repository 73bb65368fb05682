//! What is refused of the containers of a pod (`validateContainers` and
//! `validateInitContainers` of the real server).

use serde_json::Value;

use super::{invalid_each, items, one_of, whole};
use crate::names;
use crate::quantity;
use crate::resource::text;
use crate::status::FieldError;

/// What the pod around the containers says.
pub(super) struct Containers<'a> {
    pub(super) volumes: &'a [&'a str],
    pub(super) grace: Option<i64>,
    pub(super) host_network: bool,
    pub(super) is_pod: bool,
}

/// Checks all containers of a spec that stands at `at`.
pub(super) fn check(spec: &Value, at: &str, around: &Containers<'_>, errors: &mut Vec<FieldError>) {
    let list = format!("{at}.containers");
    if items(spec, "/containers").next().is_none() {
        errors.push(FieldError::required(&list, ""));
    }
    let mut names: Vec<&str> = Vec::new();
    let mut host_ports = Vec::new();
    for (i, container) in items(spec, "/containers").enumerate() {
        let at = format!("{list}[{i}]");
        one(container, &at, around, errors);
        unique_name(container, &at, &mut names, errors);
        running(container, &at, around, errors);
        conflicts(container, &at, &mut host_ports, errors);
    }
    for (i, container) in items(spec, "/initContainers").enumerate() {
        let at = format!("{at}.initContainers[{i}]");
        one(container, &at, around, errors);
        unique_name(container, &at, &mut names, errors);
        conflicts(container, &at, &mut Vec::new(), errors);
        if text(container, "/restartPolicy") == "Always" {
            running(container, &at, around, errors);
            continue;
        }
        for key in [
            "lifecycle",
            "livenessProbe",
            "readinessProbe",
            "startupProbe",
        ] {
            if container.get(key).is_some_and(|v| !v.is_null()) {
                errors.push(FieldError::forbidden(
                    format!("{at}.{key}"),
                    "may not be set for init containers without restartPolicy=Always",
                ));
            }
        }
    }
}

fn unique_name<'c>(
    container: &'c Value,
    at: &str,
    names: &mut Vec<&'c str>,
    errors: &mut Vec<FieldError>,
) {
    let name = text(container, "/name");
    if names.contains(&name) {
        errors.push(FieldError::duplicate(
            format!("{at}.name"),
            &Value::from(name),
        ));
    } else {
        names.push(name);
    }
}

/// `validateContainerCommon`
fn one(container: &Value, at: &str, around: &Containers<'_>, errors: &mut Vec<FieldError>) {
    let place = |key: &str| format!("{at}.{key}");
    let name = text(container, "/name");
    if name.is_empty() {
        errors.push(FieldError::required(place("name"), ""));
    } else {
        invalid_each(&place("name"), name, names::label_errors(name), errors);
    }
    if text(container, "/image").is_empty() {
        errors.push(FieldError::required(place("image"), ""));
    }
    for (key, known) in [
        (
            "terminationMessagePolicy",
            &["File", "FallbackToLogsOnError"][..],
        ),
        ("imagePullPolicy", &["Always", "IfNotPresent", "Never"]),
    ] {
        one_of(container, key, known, &place(key), errors);
    }
    ports(container, &place("ports"), around, errors);
    variables(container, &place("env"), errors);
    mounts(container, &place("volumeMounts"), around.volumes, errors);
    resources(&container["resources"], &place("resources"), errors);
}

fn port_number(value: &Value, at: &str, errors: &mut Vec<FieldError>) {
    if value.as_i64().is_some_and(|n| !(1..=65535).contains(&n)) {
        let why = "must be between 1 and 65535, inclusive";
        errors.push(FieldError::invalid(at, value, why));
    }
}

/// `IsValidPortName`
fn port_name(name: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut say = |bad: bool, why: &str| {
        if bad {
            wrong.push(why.to_owned());
        }
    };
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    say(name.len() > 15, "must be no more than 15 characters");
    say(
        name.is_empty() || !name.chars().all(plain),
        "must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)",
    );
    say(
        !name.contains(|c: char| c.is_ascii_lowercase()),
        "must contain at least one letter (a-z)",
    );
    say(name.contains("--"), "must not contain consecutive hyphens");
    say(
        name.starts_with('-') || name.ends_with('-'),
        "must not begin or end with a hyphen",
    );
    wrong
}

fn ports(container: &Value, at: &str, around: &Containers<'_>, errors: &mut Vec<FieldError>) {
    let mut names: Vec<&str> = Vec::new();
    for (i, port) in items(container, "/ports").enumerate() {
        let place = |key: &str| format!("{at}[{i}].{key}");
        let name = text(port, "/name");
        if !name.is_empty() {
            let wrong = port_name(name);
            if wrong.is_empty() && names.contains(&name) {
                errors.push(FieldError::duplicate(place("name"), &Value::from(name)));
            }
            names.push(name);
            invalid_each(&place("name"), name, wrong, errors);
        }
        let (inside, outside) = (&port["containerPort"], &port["hostPort"]);
        if inside.as_i64().unwrap_or_default() == 0 {
            errors.push(FieldError::required(place("containerPort"), ""));
        } else {
            port_number(inside, &place("containerPort"), errors);
        }
        if outside.as_i64().is_some_and(|n| n != 0) {
            port_number(outside, &place("hostPort"), errors);
        }
        one_of(
            port,
            "protocol",
            &["SCTP", "TCP", "UDP"],
            &place("protocol"),
            errors,
        );
        let given = outside.as_i64().unwrap_or_default();
        if around.host_network && (around.is_pod || given != 0) && Some(given) != inside.as_i64() {
            errors.push(FieldError::invalid(
                place("hostPort"),
                &Value::from(given),
                "must match `containerPort` when `hostNetwork` is true",
            ));
        }
    }
}

/// Ports of the host that two containers want.
fn conflicts(container: &Value, at: &str, taken: &mut Vec<String>, errors: &mut Vec<FieldError>) {
    for (i, port) in items(container, "/ports").enumerate() {
        let Some(number) = whole(port, "hostPort").filter(|n| *n != 0) else {
            continue;
        };
        let wanted = format!(
            "{}/{}/{number}",
            text(port, "/protocol"),
            text(port, "/hostIP")
        );
        if taken.contains(&wanted) {
            errors.push(FieldError::duplicate(
                format!("{at}.ports[{i}].hostPort"),
                &Value::from(wanted),
            ));
        } else {
            taken.push(wanted);
        }
    }
}

fn variables(container: &Value, at: &str, errors: &mut Vec<FieldError>) {
    for (i, variable) in items(container, "/env").enumerate() {
        let at = format!("{at}[{i}]");
        let name = text(variable, "/name");
        let printable = |c: char| c.is_ascii() && !c.is_ascii_control() && c != '=';
        if name.is_empty() {
            errors.push(FieldError::required(format!("{at}.name"), ""));
        } else if !name.chars().all(printable) {
            errors.push(FieldError::invalid_str(
                format!("{at}.name"),
                name,
                "a valid environment variable name must consist only of printable ASCII characters other than '='",
            ));
        }
        let Some(from) = variable.get("valueFrom").and_then(Value::as_object) else {
            continue;
        };
        let why = match from.values().filter(|v| !v.is_null()).count() {
            0 => {
                "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef` or `secretKeyRef`"
            }
            _ if !text(variable, "/value").is_empty() => {
                "may not be specified when `value` is not empty"
            }
            1 => continue,
            _ => "may not have more than one field specified at a time",
        };
        errors.push(FieldError::invalid_str(format!("{at}.valueFrom"), "", why));
    }
}

fn mounts(container: &Value, at: &str, volumes: &[&str], errors: &mut Vec<FieldError>) {
    let mut paths: Vec<&str> = Vec::new();
    for (i, mount) in items(container, "/volumeMounts").enumerate() {
        let (name, path) = (text(mount, "/name"), text(mount, "/mountPath"));
        let place = |key: &str| format!("{at}[{i}].{key}");
        if name.is_empty() {
            errors.push(FieldError::required(place("name"), ""));
        }
        if !volumes.contains(&name) {
            errors.push(FieldError::not_found(place("name"), name));
        }
        if path.is_empty() {
            errors.push(FieldError::required(place("mountPath"), ""));
        }
        if paths.contains(&path) {
            let why = "must be unique";
            errors.push(FieldError::invalid_str(place("mountPath"), path, why));
        }
        paths.push(path);
        let below = text(mount, "/subPath");
        if below.starts_with('/') {
            let why = "must be a relative path";
            errors.push(FieldError::invalid_str(format!("{at}.subPath"), below, why));
        }
        if below.split('/').any(|part| part == "..") {
            let why = "must not contain '..'";
            errors.push(FieldError::invalid_str(format!("{at}.subPath"), below, why));
        }
    }
}

/// `validateResourceRequirements`, without huge pages and claims.
fn resources(resources: &Value, at: &str, errors: &mut Vec<FieldError>) {
    let amounts = |which: &str| {
        let found = resources.get(which).and_then(Value::as_object);
        found.into_iter().flatten()
    };
    for which in ["limits", "requests"] {
        for (name, amount) in amounts(which) {
            let field = format!("{at}.{which}[{name}]");
            resource_name(name, &field, errors);
            let amount = amount.as_str().unwrap_or_default();
            if amount.starts_with('-') {
                let why = "must be greater than or equal to 0";
                errors.push(FieldError::invalid_str(&field, amount, why));
            }
        }
    }
    let limits = resources.get("limits");
    for (name, amount) in amounts("requests") {
        let amount = amount.as_str().unwrap_or_default();
        // What is in the `kubernetes.io` namespace may be promised twice.
        let shared = !name.contains('/') || name.contains("kubernetes.io/");
        match limits.and_then(|l| l.get(name)).and_then(Value::as_str) {
            None if !shared => errors.push(FieldError::required(
                format!("{at}.limits"),
                "Limit must be set for non overcommitable resources",
            )),
            None => {}
            Some(limit) => {
                let order = quantity::compare(amount, limit);
                let why = match order {
                    std::cmp::Ordering::Equal => continue,
                    _ if !shared => format!("must be equal to {name} limit of {limit}"),
                    std::cmp::Ordering::Greater => {
                        format!("must be less than or equal to {name} limit of {limit}")
                    }
                    std::cmp::Ordering::Less => continue,
                };
                let field = format!("{at}.requests");
                errors.push(FieldError::invalid_str(field, amount, why));
            }
        }
    }
}

fn resource_name(name: &str, at: &str, errors: &mut Vec<FieldError>) {
    /// Resources that exist, but not for containers.
    const OTHERS: [&str; 17] = [
        "requests.cpu",
        "requests.memory",
        "requests.ephemeral-storage",
        "limits.cpu",
        "limits.memory",
        "limits.ephemeral-storage",
        "pods",
        "resourcequotas",
        "services",
        "replicationcontrollers",
        "secrets",
        "configmaps",
        "persistentvolumeclaims",
        "storage",
        "requests.storage",
        "services.nodeports",
        "services.loadbalancers",
    ];
    let wrong = names::qualified_errors(name);
    if !wrong.is_empty() {
        invalid_each(at, name, wrong, errors);
    } else if !name.contains('/') {
        let own = matches!(name, "cpu" | "memory" | "ephemeral-storage")
            || name.starts_with("hugepages-");
        let mut say = |why: &str| errors.push(FieldError::invalid_str(at, name, why));
        if !own && !OTHERS.contains(&name) {
            say("must be a standard resource type or fully qualified");
        }
        if !own {
            say("must be a standard resource for containers");
        }
    }
}

/// Hooks and probes, of containers that keep running.
fn running(container: &Value, at: &str, around: &Containers<'_>, errors: &mut Vec<FieldError>) {
    for hook in ["postStart", "preStop"] {
        if let Some(hook_of) = container.pointer(&format!("/lifecycle/{hook}")) {
            handler(hook_of, &format!("{at}.lifecycle.{hook}"), around, errors);
        }
    }
    for key in ["livenessProbe", "readinessProbe", "startupProbe"] {
        let Some(probe) = container.get(key).filter(|p| p.is_object()) else {
            continue;
        };
        let at = format!("{at}.{key}");
        handler(probe, &at, around, errors);
        let counts = [
            "initialDelaySeconds",
            "timeoutSeconds",
            "periodSeconds",
            "successThreshold",
            "failureThreshold",
        ];
        super::pod::counts(probe, &counts, &at, errors);
        let successes = whole(probe, "successThreshold").unwrap_or_default();
        if key != "readinessProbe" && successes != 1 {
            errors.push(FieldError::invalid(
                format!("{at}.successThreshold"),
                &Value::from(successes),
                "must be 1",
            ));
        }
        let Some(grace) = whole(probe, "terminationGracePeriodSeconds") else {
            continue;
        };
        let mut say = |why: &str| {
            let field = format!("{at}.terminationGracePeriodSeconds");
            errors.push(FieldError::invalid(field, &Value::from(grace), why));
        };
        if grace <= 0 {
            say("must be greater than 0");
        }
        if key == "readinessProbe" {
            say("must not be set for readinessProbes");
        }
    }
}

/// One action, and what it needs.
fn handler(of: &Value, at: &str, around: &Containers<'_>, errors: &mut Vec<FieldError>) {
    let kinds = ["exec", "httpGet", "tcpSocket", "grpc", "sleep"];
    let mut found = kinds
        .iter()
        .filter_map(|kind| Some((*kind, of.get(*kind).filter(|h| h.is_object())?)));
    let Some((kind, action)) = found.next() else {
        errors.push(FieldError::required(at, "must specify a handler type"));
        return;
    };
    for (other, _) in found {
        let why = "may not specify more than 1 handler type";
        errors.push(FieldError::forbidden(format!("{at}.{other}"), why));
    }
    let at = format!("{at}.{kind}");
    match kind {
        "exec" if items(action, "/command").next().is_none() => {
            errors.push(FieldError::required(format!("{at}.command"), ""));
        }
        "httpGet" => {
            if text(action, "/path").is_empty() {
                errors.push(FieldError::required(format!("{at}.path"), ""));
            }
            port(&action["port"], &at, errors);
            let schemes = ["HTTP", "HTTPS"];
            one_of(action, "scheme", &schemes, &format!("{at}.scheme"), errors);
        }
        "tcpSocket" => port(&action["port"], &at, errors),
        "grpc" => port_number(&action["port"], &format!("{at}.port"), errors),
        "sleep" => {
            let seconds = whole(action, "seconds").unwrap_or_default();
            if around
                .grace
                .is_some_and(|grace| seconds < 0 || seconds > grace)
            {
                let why = format!(
                    "must be non-negative and less than terminationGracePeriodSeconds ({})",
                    around.grace.unwrap_or_default()
                );
                errors.push(FieldError::invalid(at, &Value::from(seconds), why));
            }
        }
        _ => {}
    }
}

fn port(port: &Value, at: &str, errors: &mut Vec<FieldError>) {
    let at = format!("{at}.port");
    match port {
        Value::String(name) => invalid_each(&at, name, port_name(name), errors),
        number => port_number(number, &at, errors),
    }
}
