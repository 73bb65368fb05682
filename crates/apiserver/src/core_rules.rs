//! What the core kinds default, and keep. What they refuse is in
//! [`crate::core_checks`].

use serde_json::{Value, json};

use crate::builtin::Kind;

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

/// Fills the defaults of a core kind in (`pkg/apis/*/v1/defaults.go`).
pub(crate) fn default(kind: Kind, object: &mut Value) {
    match kind {
        Kind::Secret => secret(object),
        Kind::Pod => {
            // What is negative counts as 1, in pods alone (`conversion.go`).
            let grace = object.pointer_mut("/spec/terminationGracePeriodSeconds");
            if let Some(grace) = grace.filter(|g| g.as_i64().is_some_and(|n| n < 0)) {
                *grace = json!(1);
            }
            pod_spec(object.get_mut("spec"), true);
        }
        Kind::Job => job(object),
        Kind::Namespace => namespace(object),
        Kind::Node => node(object),
        Kind::Kept(kind) => crate::kept::default(kind, object),
        Kind::MutatingWebhooks => crate::webhook::rules::default(object, true),
        Kind::ValidatingWebhooks => crate::webhook::rules::default(object, false),
        _ => {}
    }
}

pub(crate) fn fill(object: &mut Value, key: &str, value: Value) {
    if let Value::Object(map) = object
        && !map.contains_key(key)
    {
        map.insert(key.to_owned(), value);
    }
}

/// `stringData` is written into `data`; the type is opaque unless given.
fn secret(object: &mut Value) {
    use base64::Engine;
    let coder = base64::engine::general_purpose::STANDARD;
    if let Value::Object(map) = object {
        if let Some(Value::Object(strings)) = map.remove("stringData") {
            let data = map.entry("data").or_insert_with(|| json!({}));
            for (key, value) in strings {
                data[key] = Value::String(coder.encode(value.as_str().unwrap_or_default()));
            }
        }
        map.entry("type").or_insert_with(|| json!("Opaque"));
    }
}

/// The defaults of `pkg/apis/core/v1/defaults.go` for a pod's spec. Some are
/// only for pods themselves, not for templates of them.
pub(crate) fn pod_spec(spec: Option<&mut Value>, is_pod: bool) {
    let Some(spec) = spec.filter(|s| s.is_object()) else {
        return;
    };
    for (key, value) in [
        ("dnsPolicy", json!("ClusterFirst")),
        ("restartPolicy", json!("Always")),
        ("schedulerName", json!("default-scheduler")),
        ("securityContext", json!({})),
        ("terminationGracePeriodSeconds", json!(30)),
    ] {
        fill(spec, key, value);
    }
    if is_pod {
        fill(spec, "enableServiceLinks", json!(true));
    }
    // The old name of the account and the new one stand for each other.
    for (from, to) in [
        ("serviceAccountName", "serviceAccount"),
        ("serviceAccount", "serviceAccountName"),
    ] {
        if let Some(account) = spec.get(from).cloned() {
            fill(spec, to, account);
        }
    }
    for volume in items(spec, "volumes") {
        volume_defaults(volume);
    }
    let host_network = is_pod && spec["hostNetwork"] == true;
    for list in ["containers", "initContainers"] {
        for container in items(spec, list) {
            container_defaults(container, is_pod);
            for port in items(container, "ports").filter(|_| host_network) {
                if let Some(number) = port.get("containerPort").cloned() {
                    fill(port, "hostPort", number);
                }
            }
        }
    }
}

pub(crate) fn items<'v>(object: &'v mut Value, list: &str) -> impl Iterator<Item = &'v mut Value> {
    object
        .get_mut(list)
        .and_then(Value::as_array_mut)
        .into_iter()
        .flatten()
}

fn volume_defaults(volume: &mut Value) {
    let Value::Object(map) = volume else {
        return;
    };
    // A volume without a source is an empty directory.
    if map.len() == 1 && map.contains_key("name") {
        map.insert("emptyDir".to_owned(), json!({}));
    }
    for (source, key, value) in [
        ("secret", "defaultMode", json!(420)),
        ("configMap", "defaultMode", json!(420)),
        ("downwardAPI", "defaultMode", json!(420)),
        ("projected", "defaultMode", json!(420)),
        ("hostPath", "type", json!("")),
        ("iscsi", "iscsiInterface", json!("default")),
        ("azureDisk", "cachingMode", json!("ReadWrite")),
        ("azureDisk", "fsType", json!("ext4")),
        ("azureDisk", "kind", json!("Shared")),
        ("azureDisk", "readOnly", json!(false)),
    ] {
        if let Some(source) = map.get_mut(source) {
            fill(source, key, value);
        }
    }
    if let Some(files) = map.get_mut("downwardAPI") {
        for file in items(files, "items") {
            field_ref(file.get_mut("fieldRef"));
        }
    }
    if let Some(projected) = map.get_mut("projected") {
        for source in items(projected, "sources") {
            if let Some(token) = source.get_mut("serviceAccountToken") {
                fill(token, "expirationSeconds", json!(3600));
            }
            if let Some(files) = source.get_mut("downwardAPI") {
                for file in items(files, "items") {
                    field_ref(file.get_mut("fieldRef"));
                }
            }
        }
    }
}

fn field_ref(reference: Option<&mut Value>) {
    if let Some(reference) = reference {
        fill(reference, "apiVersion", json!("v1"));
    }
}

/// The tag of an image, `latest` when it has neither tag nor digest; nothing
/// when the text is no reference to an image.
fn tag(image: &str) -> Option<&str> {
    let (path, tag) = match image.rsplit_once(':') {
        Some((path, tag)) if !tag.contains('/') => (path, tag),
        _ => (image, "latest"),
    };
    // In front of the first slash may stand a host with a port.
    let path = match path.split_once('/') {
        Some((host, rest)) if host.contains(['.', ':']) || host == "localhost" => rest,
        _ => path,
    };
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-/".contains(c);
    let part = |p: &str| {
        p.starts_with(|c: char| c.is_ascii_alphanumeric())
            && p.ends_with(|c: char| c.is_ascii_alphanumeric())
    };
    let sound = path.chars().all(plain) && path.split('/').all(part);
    let word = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    (sound && !tag.is_empty() && tag.chars().all(word)).then_some(tag)
}

fn container_defaults(container: &mut Value, is_pod: bool) {
    let image = container
        .get("image")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let pull = match tag(image) {
        Some("latest") => "Always",
        _ => "IfNotPresent",
    };
    for (key, value) in [
        ("imagePullPolicy", json!(pull)),
        ("terminationMessagePath", json!("/dev/termination-log")),
        ("terminationMessagePolicy", json!("File")),
    ] {
        fill(container, key, value);
    }
    for port in items(container, "ports") {
        fill(port, "protocol", json!("TCP"));
    }
    for variable in items(container, "env") {
        field_ref(variable.pointer_mut("/valueFrom/fieldRef"));
    }
    for probe in ["livenessProbe", "readinessProbe", "startupProbe"] {
        let Some(probe) = container.get_mut(probe) else {
            continue;
        };
        for (key, value) in [
            ("timeoutSeconds", json!(1)),
            ("periodSeconds", json!(10)),
            ("successThreshold", json!(1)),
            ("failureThreshold", json!(3)),
        ] {
            fill(probe, key, value);
        }
        handler(probe);
    }
    for hook in ["postStart", "preStop"] {
        if let Some(hook) = container.pointer_mut(&format!("/lifecycle/{hook}")) {
            handler(hook);
        }
    }
    // What is limited and not asked for is asked for.
    let limits = container
        .pointer("/resources/limits")
        .and_then(Value::as_object)
        .cloned();
    if let Some(limits) = limits.filter(|_| is_pod) {
        let resources = &mut container["resources"];
        fill(resources, "requests", json!({}));
        for (name, limit) in limits {
            fill(&mut resources["requests"], &name, limit);
        }
    }
}

fn handler(of: &mut Value) {
    if let Some(get) = of.get_mut("httpGet") {
        fill(get, "path", json!("/"));
        fill(get, "scheme", json!("HTTP"));
    }
    if let Some(grpc) = of.get_mut("grpc") {
        fill(grpc, "service", json!(""));
    }
}

/// A namespace is labelled with its name, and active.
fn namespace(object: &mut Value) {
    let name = crate::meta::name(object).to_owned();
    if !name.is_empty() {
        let labels = crate::meta::of_mut(object)
            .entry("labels")
            .or_insert_with(|| json!({}));
        labels["kubernetes.io/metadata.name"] = Value::String(name);
    }
    if object["status"]["phase"].is_null() {
        object["status"]["phase"] = json!("Active");
    }
}

/// What a node has, it may give away; the first of its ranges stands twice.
fn node(object: &mut Value) {
    if let Some(Value::Object(status)) = object.get_mut("status")
        && let Some(capacity) = status.get("capacity").cloned()
    {
        status.entry("allocatable").or_insert(capacity);
    }
    if let Some(Value::Object(spec)) = object.get_mut("spec") {
        let first = spec.get("podCIDRs").and_then(|all| all.get(0)).cloned();
        match (spec.get("podCIDR").cloned(), first) {
            (Some(one), first) if first.as_ref() != Some(&one) => {
                spec.insert("podCIDRs".to_owned(), json!([one]));
            }
            (None, Some(first)) => {
                spec.insert("podCIDR".to_owned(), first);
            }
            _ => {}
        }
    }
}

fn given_in(object: &Value, key: &str) -> bool {
    object.get(key).is_some_and(|value| !value.is_null())
}

fn job(object: &mut Value) {
    let labels = object.pointer("/spec/template/metadata/labels").cloned();
    if let Some(labels) = labels
        && crate::meta::get(object, "labels").is_none()
    {
        crate::meta::set(object, "labels", Some(labels));
    }
    let Some(spec) = object.get_mut("spec").filter(|s| s.is_object()) else {
        return;
    };
    if !given_in(spec, "completions") && !given_in(spec, "parallelism") {
        fill(spec, "completions", json!(1));
    }
    fill(spec, "parallelism", json!(1));
    let tries = if given_in(spec, "backoffLimitPerIndex") {
        i32::MAX
    } else {
        6
    };
    let replacement = if given_in(spec, "podFailurePolicy") {
        "Failed"
    } else {
        "TerminatingOrFailed"
    };
    for (key, value) in [
        ("backoffLimit", json!(tries)),
        ("completionMode", json!("NonIndexed")),
        ("manualSelector", json!(false)),
        ("podReplacementPolicy", json!(replacement)),
        ("suspend", json!(false)),
    ] {
        fill(spec, key, value);
    }
    if let Some(template) = spec.get_mut("template") {
        pod_spec(template.get_mut("spec"), false);
    }
}

/// What the real server's own admission plugins (`Priority`,
/// `DefaultTolerationSeconds`, `TaintNodesByCondition`) make of a new object,
/// before webhooks see it.
pub(crate) fn admit_create(kind: Kind, object: &mut Value) {
    match kind {
        Kind::Node => {
            let spec = &mut object["spec"];
            if spec.is_null() {
                *spec = json!({});
            }
            let Value::Object(spec) = spec else { return };
            let taints = spec.entry("taints").or_insert_with(|| json!([]));
            let Value::Array(taints) = taints else { return };
            let wanted = json!({"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"});
            let there = |t: &Value| ["key", "effect"].iter().all(|k| t[k] == wanted[k]);
            if !taints.iter().any(there) {
                taints.push(wanted);
            }
        }
        Kind::Pod => {
            if let Some(spec) = object.get_mut("spec").filter(|s| s.is_object()) {
                fill(spec, "priority", json!(0));
                fill(spec, "preemptionPolicy", json!("PreemptLowerPriority"));
                tolerate(spec);
            }
        }
        _ => {}
    }
}

/// The same for a changed object.
pub(crate) fn admit_update(kind: Kind, new: &mut Value, old: &Value) {
    if kind != Kind::Pod {
        return;
    }
    let Some(spec) = new.get_mut("spec").filter(|s| s.is_object()) else {
        return;
    };
    for key in ["priority", "preemptionPolicy"] {
        if let Some(value) = old["spec"].get(key) {
            fill(spec, key, value.clone());
        }
    }
    tolerate(spec);
}

/// A pod stays five minutes on a node that is not ready or cannot be reached.
fn tolerate(spec: &mut Value) {
    let Value::Object(spec) = spec else { return };
    for state in ["not-ready", "unreachable"] {
        let key = format!("node.kubernetes.io/{state}");
        let tolerations = spec.entry("tolerations").or_insert_with(|| json!([]));
        let Value::Array(tolerations) = tolerations else {
            return;
        };
        let text = |t: &Value, key: &str| t[key].as_str().unwrap_or_default().to_owned();
        let tolerated = |t: &Value| {
            let (of, effect) = (text(t, "key"), text(t, "effect"));
            (of.is_empty() || of == key) && matches!(effect.as_str(), "" | "NoExecute")
        };
        if !tolerations.iter().any(tolerated) {
            tolerations.push(json!({"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}));
        }
    }
}

/// What a core kind sets when an object is created.
pub(crate) fn prepare_create(kind: Kind, object: &mut Value) {
    match kind {
        Kind::Pod => object["status"] = json!({"phase": "Pending", "qosClass": quality(object)}),
        Kind::Job => {
            object["status"] = json!({});
            job_selector(object);
        }
        Kind::Node => {
            for path in ["spec/configSource", "status/config"] {
                let (part, member) = path.split_once('/').unwrap_or_default();
                if let Some(Value::Object(part)) = object.get_mut(part) {
                    part.remove(member);
                }
            }
        }
        Kind::Kept(kind) => crate::kept::prepare_create(kind, object),
        _ => {}
    }
}

/// The quality-of-service class (`pkg/apis/core/v1/helper/qos`).
fn quality(pod: &Value) -> &'static str {
    let lists = ["containers", "initContainers"];
    let containers: Vec<&Value> = lists
        .iter()
        .filter_map(|list| pod.get("spec")?.get(*list)?.as_array())
        .flatten()
        .collect();
    let amount = |container: &Value, which: &str, name: &str| -> Option<String> {
        let amount = container
            .get("resources")?
            .get(which)?
            .get(name)?
            .as_str()?;
        (amount != "0").then(|| amount.to_owned())
    };
    let mut any = false;
    let mut guaranteed = !containers.is_empty();
    for container in containers {
        for name in ["cpu", "memory"] {
            let limit = amount(container, "limits", name);
            let request = amount(container, "requests", name);
            any |= limit.is_some() || request.is_some();
            guaranteed &= limit.is_some() && request.is_none_or(|r| Some(r) == limit);
        }
    }
    match (any, guaranteed) {
        (false, _) => "BestEffort",
        (true, true) => "Guaranteed",
        (true, false) => "Burstable",
    }
}

/// Whether an object that is decoded is a job without labels. It gets those of
/// its template, and in Go's memory they are one map: what is added to the
/// template's is in both.
pub(crate) fn shares_labels(kind: Kind, object: &Value) -> bool {
    let labels = crate::meta::get(object, "labels").and_then(Value::as_object);
    kind == Kind::Job && labels.is_none_or(serde_json::Map::is_empty)
}

/// Gives a job the labels of its template.
pub(crate) fn share_labels(job: &mut Value) {
    if let Some(labels) = job.pointer("/spec/template/metadata/labels").cloned() {
        crate::meta::set(job, "labels", Some(labels));
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
    // Labels that are there and say something else are refused later.
    for (key, value) in labels {
        fill(wanted, key, Value::from(value.as_str()));
    }
    let spec = &mut object["spec"];
    fill(spec, "selector", json!({}));
    fill(&mut spec["selector"], "matchLabels", json!({}));
    let wanted = Value::from(uid);
    fill(
        &mut spec["selector"]["matchLabels"],
        "batch.kubernetes.io/controller-uid",
        wanted,
    );
}
