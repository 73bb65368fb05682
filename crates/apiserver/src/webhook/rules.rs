//! What the two kinds of configurations default and refuse
//! (`pkg/apis/admissionregistration`, v1.34), and what this server refuses
//! besides: URLs that leave the machine.

use serde_json::{Value, json};

use crate::names;
use crate::resource::text;
use crate::schema::rules::conditions;
use crate::status::FieldError;

fn webhooks(object: &mut Value) -> impl Iterator<Item = &mut Value> {
    object
        .get_mut("webhooks")
        .and_then(Value::as_array_mut)
        .into_iter()
        .flatten()
        .filter(|webhook| webhook.is_object())
}

/// Fills the defaults in.
pub(crate) fn default(object: &mut Value, mutating: bool) {
    for webhook in webhooks(object) {
        let mut fill = |key: &str, value: Value| {
            if webhook.get(key).is_none_or(Value::is_null) {
                webhook[key] = value;
            }
        };
        fill("failurePolicy", json!("Fail"));
        fill("matchPolicy", json!("Equivalent"));
        fill("namespaceSelector", json!({}));
        fill("objectSelector", json!({}));
        fill("timeoutSeconds", json!(10));
        if mutating {
            fill("reinvocationPolicy", json!("Never"));
        }
        let rules = webhook.get_mut("rules").and_then(Value::as_array_mut);
        for rule in rules.into_iter().flatten().filter(|r| r.is_object()) {
            if rule.get("scope").is_none_or(Value::is_null) {
                rule["scope"] = json!("*");
            }
        }
        if let Some(service) = webhook.pointer_mut("/clientConfig/service")
            && service.is_object()
            && service.get("port").is_none_or(Value::is_null)
        {
            service["port"] = json!(443);
        }
    }
}

/// What is wrong with a configuration.
pub(crate) fn validate(object: &Value, mutating: bool) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let mut seen: Vec<&str> = Vec::new();
    let all = object.get("webhooks").and_then(Value::as_array);
    for (i, webhook) in all.into_iter().flatten().enumerate() {
        let at = format!("webhooks[{i}]");
        check(webhook, &at, mutating, &mut errors);
        let name = text(webhook, "/name");
        if !name.is_empty() && seen.contains(&name) {
            errors.push(FieldError::duplicate(
                format!("{at}.name"),
                &Value::from(name),
            ));
        }
        seen.push(name);
    }
    errors
}

fn list<'a>(value: &'a Value, key: &str) -> Vec<&'a str> {
    let found = value.get(key).and_then(Value::as_array);
    found
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect()
}

fn check(webhook: &Value, at: &str, mutating: bool, errors: &mut Vec<FieldError>) {
    check_name(text(webhook, "/name"), &format!("{at}.name"), errors);
    let rules = webhook.get("rules").and_then(Value::as_array);
    for (i, rule) in rules.into_iter().flatten().enumerate() {
        check_rule(rule, &format!("{at}.rules[{i}]"), errors);
    }
    let mut one_of = |key: &str, known: &[&str]| {
        let given = text(webhook, &format!("/{key}"));
        if !given.is_empty() && !known.contains(&given) {
            let known: Vec<String> = known.iter().map(|k| (*k).to_owned()).collect();
            errors.push(FieldError::not_supported(
                format!("{at}.{key}"),
                &Value::from(given),
                &known,
            ));
        }
    };
    one_of("failurePolicy", &["Fail", "Ignore"]);
    one_of("matchPolicy", &["Equivalent", "Exact"]);
    one_of("sideEffects", &["None", "NoneOnDryRun"]);
    if text(webhook, "/sideEffects").is_empty() {
        errors.push(FieldError::required(
            format!("{at}.sideEffects"),
            "must specify one of None, NoneOnDryRun",
        ));
    }
    if let Some(seconds) = webhook.get("timeoutSeconds").and_then(Value::as_i64)
        && !(1..=30).contains(&seconds)
    {
        errors.push(FieldError::invalid(
            format!("{at}.timeoutSeconds"),
            &Value::from(seconds),
            "the timeout value must be between 1 and 30 seconds",
        ));
    }
    check_client(
        &webhook["clientConfig"],
        &format!("{at}.clientConfig"),
        errors,
    );
    conditions::check(
        &webhook["matchConditions"],
        &format!("{at}.matchConditions"),
        errors,
    );
    let policy = text(webhook, "/reinvocationPolicy");
    if mutating && !matches!(policy, "" | "Never" | "IfNeeded") {
        errors.push(FieldError::not_supported(
            format!("{at}.reinvocationPolicy"),
            &Value::from(policy),
            &["IfNeeded", "Never"].map(str::to_owned),
        ));
    }
    check_versions(
        &list(webhook, "admissionReviewVersions"),
        &format!("{at}.admissionReviewVersions"),
        errors,
    );
}

/// `IsFullyQualifiedName`
fn check_name(name: &str, at: &str, errors: &mut Vec<FieldError>) {
    if name.is_empty() {
        errors.push(FieldError::required(at, ""));
        return;
    }
    let wrong = names::subdomain_errors(name);
    if !wrong.is_empty() {
        let all = wrong.join(", ");
        errors.push(FieldError::invalid_str(at, name, all));
    } else if name.split('.').count() < 3 {
        let why = "should be a domain with at least three segments separated by dots";
        errors.push(FieldError::invalid_str(at, name, why));
    }
}

fn check_rule(rule: &Value, at: &str, errors: &mut Vec<FieldError>) {
    const OPERATIONS: [&str; 5] = ["*", "CONNECT", "CREATE", "DELETE", "UPDATE"];
    let values = |key: &str| rule.get(key).cloned().unwrap_or_default();
    let mut wildcard = |key: &str, what: &str| {
        let given = list(rule, key);
        if given.is_empty() {
            errors.push(FieldError::required(format!("{at}.{key}"), ""));
        }
        if given.len() > 1 && given.contains(&"*") {
            errors.push(FieldError::invalid(
                format!("{at}.{key}"),
                &values(key),
                format!("if '*' is present, must not specify other {what}"),
            ));
        }
        given
    };
    let operations = wildcard("operations", "operations");
    wildcard("apiGroups", "API groups");
    let versions = wildcard("apiVersions", "API versions");
    for (i, operation) in operations.iter().enumerate() {
        if !OPERATIONS.contains(operation) {
            errors.push(FieldError::not_supported(
                format!("{at}.operations[{i}]"),
                &Value::from(*operation),
                &OPERATIONS.map(str::to_owned),
            ));
        }
    }
    let resources = list(rule, "resources");
    for (key, given) in [("apiVersions", &versions), ("resources", &resources)] {
        for (i, _) in given.iter().enumerate().filter(|(_, v)| v.is_empty()) {
            errors.push(FieldError::required(format!("{at}.{key}[{i}]"), ""));
        }
    }
    if resources.is_empty() {
        errors.push(FieldError::required(format!("{at}.resources"), ""));
    }
    if resources.len() > 1 && resources.contains(&"*/*") {
        errors.push(FieldError::invalid(
            format!("{at}.resources"),
            &values("resources"),
            "if '*/*' is present, must not specify other resources",
        ));
    }
    let scope = text(rule, "/scope");
    if !matches!(scope, "" | "*" | "Cluster" | "Namespaced") {
        errors.push(FieldError::not_supported(
            format!("{at}.scope"),
            &Value::from(scope),
            &["*", "Cluster", "Namespaced"].map(str::to_owned),
        ));
    }
}

fn check_client(client: &Value, at: &str, errors: &mut Vec<FieldError>) {
    let url = client.get("url").and_then(Value::as_str);
    let service = client.get("service").filter(|s| s.is_object());
    match (url, service) {
        (Some(url), None) => check_url(url, &format!("{at}.url"), errors),
        (None, Some(service)) => {
            // The real server names the wrong one of the two (validation.go hands
            // name and namespace to ValidateWebhookService in the other order).
            for (key, named) in [("namespace", "name"), ("name", "namespace")] {
                if text(service, &format!("/{key}")).is_empty() {
                    errors.push(FieldError::required(format!("{at}.service.{named}"), ""));
                }
            }
        }
        _ => errors.push(FieldError::required(
            at,
            "exactly one of url or service is required",
        )),
    }
}

/// `ValidateWebhookURL`; plain HTTP is taken on loopback, with a warning.
fn check_url(url: &str, at: &str, errors: &mut Vec<FieldError>) {
    const FORM: &str = "; desired format: https://host[/path]";
    let mut say = |value: &str, why: String| errors.push(FieldError::invalid_str(at, value, why));
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let (rest, fragment) = rest.split_once('#').unwrap_or((rest, ""));
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let authority = rest.split('/').next().unwrap_or_default();
    let (user, host_port) = authority.rsplit_once('@').unwrap_or(("", authority));
    let host = match host_port.strip_prefix('[') {
        Some(v6) => v6.split(']').next().unwrap_or_default(),
        None => host_port.split(':').next().unwrap_or_default(),
    };
    if !matches!(scheme, "https" | "http") {
        say(
            scheme,
            format!("'https' is the only allowed URL scheme{FORM}"),
        );
    }
    if host_port.is_empty() || scheme.is_empty() {
        say("", format!("host must be specified{FORM}"));
    } else if super::call::loopback(host).is_none() {
        say(
            url,
            "this server calls webhooks on loopback only (127.0.0.1, ::1 or localhost)".to_owned(),
        );
    }
    for (value, what) in [
        (user, "user information is"),
        (fragment, "fragments are"),
        (query, "query parameters are"),
    ] {
        if !value.is_empty() {
            say(value, format!("{what} not permitted in the URL"));
        }
    }
}

fn check_versions(versions: &[&str], at: &str, errors: &mut Vec<FieldError>) {
    if versions.is_empty() {
        errors.push(FieldError::required(at, "must specify one of v1, v1beta1"));
        return;
    }
    for (i, version) in versions.iter().enumerate() {
        if versions[..i].contains(version) {
            let at = format!("{at}[{i}]");
            errors.push(FieldError::invalid_str(at, version, "duplicate version"));
            continue;
        }
        for why in names::dns1035_errors(version) {
            errors.push(FieldError::invalid_str(format!("{at}[{i}]"), version, why));
        }
    }
    if !versions.iter().any(|v| matches!(*v, "v1" | "v1beta1")) {
        errors.push(FieldError::invalid(
            at,
            &json!(versions),
            "must include at least one of v1, v1beta1",
        ));
    }
}

/// What a client should know of a configuration that is taken here.
pub(crate) fn warnings(object: &Value) -> Vec<String> {
    let all = object.get("webhooks").and_then(Value::as_array);
    all.into_iter()
        .flatten()
        .filter(|webhook| text(webhook, "/clientConfig/url").starts_with("http://"))
        .map(|webhook| {
            format!(
                "webhook {}: plain HTTP is called on loopback here, a real API server takes https alone",
                text(webhook, "/name")
            )
        })
        .collect()
}
