//! The cells of tables: columns of definitions by JSON path, and those of the
//! built-in kinds.

use jiff::Timestamp;
use serde_json::Value;

use crate::builtin::Kind;
use crate::resource::{Column, text};
use crate::table::{age, age_cell};

/// The cell of one column.
pub(crate) fn cell(column: &Column, object: &Value, now: Timestamp) -> Value {
    if let Some(name) = column.path.strip_prefix('!') {
        return builtin_cell(name, object, now);
    }
    let Some(found) = json_path(object, &column.path) else {
        return Value::Null;
    };
    match column.kind.as_str() {
        "integer" => match found {
            Value::Number(n) if n.is_f64() => Value::from(n.as_f64().unwrap_or_default() as i64),
            Value::Number(_) => found.clone(),
            _ => Value::Null,
        },
        "number" => match found {
            Value::Number(n) => Value::from(n.as_f64().unwrap_or_default()),
            _ => Value::Null,
        },
        "boolean" => match found {
            Value::Bool(_) => found.clone(),
            _ => Value::Null,
        },
        "string" => match found {
            Value::String(_) => found.clone(),
            other => Value::String(other.to_string()),
        },
        "date" => match found.as_str() {
            Some(time) => Value::String(age(time, now).unwrap_or_else(|| "<invalid>".to_owned())),
            None => Value::Null,
        },
        _ => Value::Null,
    }
}

/// The first value at a simple JSON path: `.a.b[0]`, `.a['b.c']`,
/// `.l[?(@.type=="Ready")].status`, as definitions use them.
pub(crate) fn json_path<'a>(object: &'a Value, path: &str) -> Option<&'a Value> {
    let mut rest = path.trim().trim_start_matches('{').trim_end_matches('}');
    let mut at = object;
    while !rest.is_empty() {
        if let Some(tail) = rest.strip_prefix("[?(@.") {
            let (test, tail) = tail.split_once(")]")?;
            let (key, wanted) = test.split_once("==")?;
            let wanted = wanted.trim().trim_matches(|c| c == '"' || c == '\'');
            at = at.as_array()?.iter().find(|item| {
                json_path(item, &format!(".{}", key.trim())).is_some_and(|v| {
                    v.as_str().map_or_else(|| v.to_string(), str::to_owned) == wanted
                })
            })?;
            rest = tail;
        } else if let Some(tail) = rest.strip_prefix("['") {
            let (key, tail) = tail.split_once("']")?;
            at = at.get(key)?;
            rest = tail;
        } else if let Some(tail) = rest.strip_prefix('[') {
            let (index, tail) = tail.split_once(']')?;
            at = match index {
                "*" => at.as_array()?.first()?,
                index => at.get(index.parse::<usize>().ok()?)?,
            };
            rest = tail;
        } else {
            let tail = rest.strip_prefix('.').unwrap_or(rest);
            if tail.is_empty() {
                break;
            }
            let mut end = tail.len();
            let mut key = String::new();
            let mut escaped = false;
            for (i, c) in tail.char_indices() {
                if escaped {
                    key.push(c);
                    escaped = false;
                } else if c == '\\' {
                    escaped = true;
                } else if c == '.' || c == '[' {
                    end = i;
                    break;
                } else {
                    key.push(c);
                }
            }
            at = at.get(&key)?;
            rest = &tail[end..];
        }
    }
    (!at.is_null()).then_some(at)
}

fn column(name: &str, kind: &str, priority: i64) -> Column {
    Column {
        name: name.to_owned(),
        kind: kind.to_owned(),
        format: String::new(),
        description: String::new(),
        priority,
        path: format!("!{name}"),
    }
}

/// The column of names.
pub(crate) fn name() -> Column {
    Column {
        format: "name".to_owned(),
        description: "Name must be unique within a namespace. Is required when creating resources, although some resources may allow a client to request the generation of an appropriate name automatically. Name is primarily intended for creation idempotence and configuration definition. Cannot be updated. More info: https://kubernetes.io/docs/concepts/overview/working-with-objects/names#names".to_owned(),
        ..column("Name", "string", 0)
    }
}

/// The columns of a built-in kind; a definition without columns of its own
/// has the age alone.
pub(crate) fn builtin(kind: Kind) -> Vec<Column> {
    let age = column("Age", "string", 0);
    let mut columns = match kind {
        Kind::Kept(_) => Vec::new(),
        Kind::Custom => {
            return vec![Column {
                kind: "date".to_owned(),
                description: crate::columns::AGE_DESCRIPTION.to_owned(),
                path: ".metadata.creationTimestamp".to_owned(),
                ..age
            }];
        }
        Kind::Definition => {
            return vec![column("Created At", "date", 0)];
        }
        Kind::Namespace => vec![column("Status", "string", 0)],
        Kind::Node => vec![
            column("Status", "string", 0),
            column("Roles", "string", 0),
            age.clone(),
            column("Version", "string", 0),
            column("Internal-IP", "string", 1),
            column("External-IP", "string", 1),
            column("OS-Image", "string", 1),
            column("Kernel-Version", "string", 1),
            column("Container-Runtime", "string", 1),
        ],
        Kind::Pod => vec![
            column("Ready", "string", 0),
            column("Status", "string", 0),
            column("Restarts", "string", 0),
            age.clone(),
            column("IP", "string", 1),
            column("Node", "string", 1),
            column("Nominated Node", "string", 1),
            column("Readiness Gates", "string", 1),
        ],
        Kind::Event | Kind::EventV1 => vec![
            column("Last Seen", "string", 0),
            column("Type", "string", 0),
            column("Reason", "string", 0),
            column("Object", "string", 0),
            column("Subobject", "string", 1),
            column("Source", "string", 1),
            column("Message", "string", 0),
            column("First Seen", "string", 1),
            column("Count", "string", 1),
            Column {
                priority: 1,
                ..name()
            },
        ],
        Kind::ConfigMap => vec![column("Data", "integer", 0)],
        Kind::Secret => vec![column("Type", "string", 0), column("Data", "integer", 0)],
        Kind::ServiceAccount => vec![column("Secrets", "integer", 0)],
        Kind::Lease => vec![column("Holder", "string", 0)],
        Kind::MutatingWebhooks | Kind::ValidatingWebhooks => {
            vec![column("Webhooks", "integer", 0)]
        }
        Kind::Job => vec![
            column("Status", "string", 0),
            column("Completions", "string", 0),
            column("Duration", "string", 0),
            age.clone(),
            column("Containers", "string", 1),
            column("Images", "string", 1),
            column("Selector", "string", 1),
        ],
    };
    let has_age = matches!(
        kind,
        Kind::Pod | Kind::Node | Kind::Job | Kind::Event | Kind::EventV1
    );
    if !has_age {
        columns.push(age);
    }
    columns
}

/// The text that the real server gives the age column of definitions.
pub(crate) const AGE_DESCRIPTION: &str = "CreationTimestamp is a timestamp representing the server time when this object was created. It is not guaranteed to be set in happens-before order across separate operations. Clients may not set this value. It is represented in RFC3339 form and is in UTC.\n\nPopulated by the system. Read-only. Null for lists. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#metadata";

fn count(object: &Value, pointer: &str) -> usize {
    match object.pointer(pointer) {
        Some(Value::Object(map)) => map.len(),
        Some(Value::Array(list)) => list.len(),
        _ => 0,
    }
}

fn builtin_cell(name: &str, object: &Value, now: Timestamp) -> Value {
    let kind = text(object, "/kind");
    let string = |pointer: &str| Value::from(text(object, pointer));
    let or = |otherwise: &str, pointer: &str| {
        let found = text(object, pointer);
        Value::from(if found.is_empty() { otherwise } else { found })
    };
    let list = |pointer: &str| {
        let found = object.pointer(pointer).and_then(Value::as_array);
        found.into_iter().flatten()
    };
    match (kind, name) {
        (_, "Name") => string("/metadata/name"),
        (_, "Age") => age_cell(object, "/metadata/creationTimestamp", now),
        ("Namespace", "Status") => string("/status/phase"),
        ("Node", "Status") => Value::from(node_status(object)),
        ("Node", "Roles") => Value::from(node_roles(object)),
        ("Node", "Version") => string("/status/nodeInfo/kubeletVersion"),
        ("Node", "Internal-IP" | "External-IP") => {
            let wanted = name.replace('-', "");
            let found = list("/status/addresses").find(|a| text(a, "/type") == wanted);
            Value::from(found.map_or("<none>", |a| text(a, "/address")))
        }
        ("Node", "OS-Image") => or("<unknown>", "/status/nodeInfo/osImage"),
        ("Node", "Kernel-Version") => or("<unknown>", "/status/nodeInfo/kernelVersion"),
        ("Node", "Container-Runtime") => {
            or("<unknown>", "/status/nodeInfo/containerRuntimeVersion")
        }
        ("Pod", "Ready") => {
            let ready = object
                .pointer("/status/containerStatuses")
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
                .filter(|s| s.get("ready") == Some(&Value::Bool(true)))
                .count();
            Value::from(format!("{ready}/{}", count(object, "/spec/containers")))
        }
        ("Pod", "Status") => Value::from(if crate::meta::is_terminating(object) {
            "Terminating"
        } else {
            text(object, "/status/phase")
        }),
        ("Pod", "Restarts") => {
            let restarts: i64 = object
                .pointer("/status/containerStatuses")
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
                .filter_map(|s| s.get("restartCount").and_then(Value::as_i64))
                .sum();
            Value::from(restarts.to_string())
        }
        ("Pod", "IP") => or("<none>", "/status/podIP"),
        ("Pod", "Node") => or("<none>", "/spec/nodeName"),
        ("Pod", "Nominated Node") => or("<none>", "/status/nominatedNodeName"),
        ("Pod", "Readiness Gates") => {
            let gates = list("/spec/readinessGates").count();
            let met = list("/spec/readinessGates")
                .filter(|gate| {
                    list("/status/conditions").any(|c| {
                        text(c, "/type") == text(gate, "/conditionType")
                            && text(c, "/status") == "True"
                    })
                })
                .count();
            Value::from(match gates {
                0 => "<none>".to_owned(),
                gates => format!("{met}/{gates}"),
            })
        }
        ("Event", "Last Seen" | "First Seen") => {
            let first = ["/firstTimestamp", "/deprecatedFirstTimestamp", "/eventTime"];
            let last = [
                "/series/lastObservedTime",
                "/lastTimestamp",
                "/deprecatedLastTimestamp",
            ];
            let last = if name == "Last Seen" { &last[..] } else { &[] };
            let found = last
                .iter()
                .chain(&first)
                .find(|p| !text(object, p).is_empty());
            age_cell(object, found.copied().unwrap_or_default(), now)
        }
        ("Event", "Subobject") => Value::from(
            [
                text(object, "/involvedObject/fieldPath"),
                text(object, "/regarding/fieldPath"),
            ]
            .concat(),
        ),
        ("Event", "Source") => {
            let first = |pointers: [&str; 3]| {
                let found = pointers.into_iter().map(|p| text(object, p));
                found
                    .into_iter()
                    .find(|t| !t.is_empty())
                    .unwrap_or_default()
            };
            let component = first([
                "/source/component",
                "/deprecatedSource/component",
                "/reportingComponent",
            ]);
            let component = match component {
                "" => text(object, "/reportingController"),
                found => found,
            };
            let host = first([
                "/source/host",
                "/deprecatedSource/host",
                "/reportingInstance",
            ]);
            Value::from(match host {
                "" => component.to_owned(),
                host => format!("{component}, {host}"),
            })
        }
        ("Event", "Count") => {
            let found = ["/series/count", "/count", "/deprecatedCount"]
                .into_iter()
                .find_map(|p| object.pointer(p)?.as_i64().filter(|n| *n > 0));
            Value::from(found.unwrap_or(1))
        }
        ("Event", "Type") => string("/type"),
        ("Event", "Reason") => string("/reason"),
        ("Event", "Object") => {
            let at = if object.get("regarding").is_some() {
                "/regarding"
            } else {
                "/involvedObject"
            };
            let kind = text(object, &format!("{at}/kind")).to_lowercase();
            Value::from(match text(object, &format!("{at}/name")) {
                "" => kind,
                name => format!("{kind}/{name}"),
            })
        }
        ("Event", "Message") => Value::from(
            [text(object, "/message"), text(object, "/note")]
                .concat()
                .trim()
                .to_owned(),
        ),
        ("ConfigMap", "Data") => Value::from(count(object, "/data") + count(object, "/binaryData")),
        ("Secret", "Data") => Value::from(count(object, "/data")),
        ("Secret", "Type") => string("/type"),
        ("ServiceAccount", "Secrets") => Value::from(count(object, "/secrets")),
        (_, "Webhooks") => Value::from(count(object, "/webhooks")),
        ("Lease", "Holder") => string("/spec/holderIdentity"),
        ("Job", "Status") => Value::from(job_status(object)),
        ("Job", "Completions") => {
            let done = object
                .pointer("/status/succeeded")
                .and_then(Value::as_i64)
                .unwrap_or_default();
            let wanted = object
                .pointer("/spec/completions")
                .and_then(Value::as_i64)
                .unwrap_or(1);
            Value::from(format!("{done}/{wanted}"))
        }
        ("Job", "Duration") => {
            let end = text(object, "/status/completionTime")
                .parse()
                .unwrap_or(now);
            Value::from(age(text(object, "/status/startTime"), end).unwrap_or_default())
        }
        ("Job", "Containers" | "Images") => {
            let member = if name == "Images" { "/image" } else { "/name" };
            let found: Vec<&str> = list("/spec/template/spec/containers")
                .map(|c| text(c, member))
                .collect();
            Value::from(found.join(","))
        }
        ("Job", "Selector") => Value::from(selector(object.pointer("/spec/selector"))),
        ("CustomResourceDefinition", "Created At") => string("/metadata/creationTimestamp"),
        _ => Value::Null,
    }
}

/// `metav1.FormatLabelSelector` for selectors by label alone, which jobs have
/// unless somebody wrote another one.
fn selector(selector: Option<&Value>) -> String {
    let labels = selector.and_then(|s| s.get("matchLabels")?.as_object());
    let mut parts: Vec<String> = labels
        .into_iter()
        .flatten()
        .map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default()))
        .collect();
    let expressions = selector.and_then(|s| s.get("matchExpressions")?.as_array());
    for expression in expressions.into_iter().flatten() {
        let key = text(expression, "/key");
        let values: Vec<&str> = expression
            .pointer("/values")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        let values = values.join(",");
        parts.push(match text(expression, "/operator") {
            "In" => format!("{key} in ({values})"),
            "NotIn" => format!("{key} notin ({values})"),
            "DoesNotExist" => format!("!{key}"),
            _ => key.to_owned(),
        });
    }
    parts.sort();
    if parts.is_empty() {
        "<none>".to_owned()
    } else {
        parts.join(",")
    }
}

fn node_status(object: &Value) -> String {
    let ready = object
        .pointer("/status/conditions")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .find(|c| text(c, "/type") == "Ready")
        .map(|c| text(c, "/status"));
    let mut status = match ready {
        Some("True") => "Ready",
        Some(_) => "NotReady",
        None => "Unknown",
    }
    .to_owned();
    if object.pointer("/spec/unschedulable") == Some(&Value::Bool(true)) {
        status.push_str(",SchedulingDisabled");
    }
    status
}

fn node_roles(object: &Value) -> String {
    let mut roles: Vec<&str> = object
        .pointer("/metadata/labels")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
        .filter_map(|(key, value)| {
            key.strip_prefix("node-role.kubernetes.io/").or_else(|| {
                (key == "kubernetes.io/role")
                    .then(|| value.as_str())
                    .flatten()
            })
        })
        .filter(|role| !role.is_empty())
        .collect();
    roles.sort_unstable();
    if roles.is_empty() {
        "<none>".to_owned()
    } else {
        roles.join(",")
    }
}

fn job_status(object: &Value) -> &'static str {
    let has = |wanted: &str| {
        object
            .pointer("/status/conditions")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .any(|c| text(c, "/type") == wanted && text(c, "/status") == "True")
    };
    if has("Complete") {
        "Complete"
    } else if has("Failed") {
        "Failed"
    } else if crate::meta::is_terminating(object) {
        "Terminating"
    } else if has("Suspended") {
        "Suspended"
    } else {
        "Running"
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::json_path;

    #[test]
    fn paths_of_definitions() {
        let object = json!({"status": {"conditions": [{"type": "A", "status": "x"}, {"type": "Ready", "status": "True"}], "a.b": 1}});
        for (path, wanted) in [
            (
                ".status.conditions[?(@.type==\"Ready\")].status",
                json!("True"),
            ),
            (
                ".status.conditions[?(@.type=='Ready')]['status']",
                json!("True"),
            ),
            (".status['a.b']", json!(1)),
            (".status.a\\.b", json!(1)),
            (".status.conditions[0].type", json!("A")),
        ] {
            assert_eq!(json_path(&object, path), Some(&wanted), "{path}");
        }
        assert_eq!(json_path(&object, ".status.none.deeper"), None);
        assert_eq!(json_path(&object, ".["), None);
    }
}
