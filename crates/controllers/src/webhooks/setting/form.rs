//! The form of a setting's text, of those that have one.

use super::super::rules::Rules;
use super::super::url::Url;
use super::super::{decode, json};
use super::cpu;

/// The form of a text.
pub(super) fn check(rules: &Rules, name: &str, value: &str) -> Result<(), String> {
    let of_value = |checked: Result<(), String>| {
        checked.map_err(|why| format!("the value of {name} is invalid: {why}"))
    };
    match name {
        "snapshot-data-integrity-cronjob" => super::cron::check(value)
            .map_err(|why| format!("invalid cron job format: {value}: {why}")),
        "taint-toleration" => of_value(tolerations(value)),
        "system-managed-components-node-selector" => of_value(node_selector(value)),
        "storage-network" | "endpoint-network-for-rwx-volume" => of_value(network(rules, value)),
        "orphan-resource-auto-deletion" => of_value(orphan_types(value)),
        "manager-url" => of_value(manager_url(value)),
        "data-engine-log-flags" => log_flags(value)
            .map_err(|why| format!("failed to validate data engine log flags {value}: {why}")),
        "v2-data-engine-log-flags" => log_flags(value)
            .map_err(|why| format!("failed to validate v2 data engine log flags {value}: {why}")),
        "system-managed-csi-components-resource-limits" => of_value(resource_limits(value)),
        "backup-target" => backup_target(value),
        cpu::MASK if rules.normalizes_cpu_masks => of_value(cpu::normal_mask(value).map(|_| ())),
        _ => Ok(()),
    }
}

fn tolerations(value: &str) -> Result<(), String> {
    let value = value.replace(' ', "");
    for toleration in value.split(';').filter(|_| !value.is_empty()) {
        // The name in the real text has been overwritten by the (missing) result.
        let failed = |why: &str| format!("failed to parse toleration: nil: {why}");
        let parts: Vec<&str> = toleration.split(':').collect();
        let [_, effect] = parts[..] else {
            return Err(failed("missing key/value and effect pair"));
        };
        if !["", "NoExecute", "NoSchedule", "PreferNoSchedule"].contains(&effect) {
            return Err(failed(&format!("invalid effect: {effect}")));
        }
    }
    Ok(())
}

fn node_selector(value: &str) -> Result<(), String> {
    let value = value.trim_matches(' ');
    for label in value.split(';').filter(|_| !value.is_empty()) {
        let label = label.trim_matches(' ');
        if label.split(':').count() != 2 {
            return Err(format!(
                "Error while unmarshal node selector: invalid label {label}: should contain the separator ':'"
            ));
        }
    }
    Ok(())
}

fn network(rules: &Rules, value: &str) -> Result<(), String> {
    if value.is_empty() || value.split('/').count() == 2 {
        return Ok(());
    }
    let what = if rules.names_label_keys {
        "cni network"
    } else {
        "storage network"
    };
    Err(format!(
        "{what} must be in <NAMESPACE>/<NETWORK-ATTACHMENT-DEFINITION> format: {value}"
    ))
}

fn orphan_types(value: &str) -> Result<(), String> {
    let value = value.trim_matches(' ');
    let items = value.split(';').filter(|_| !value.is_empty());
    let unknown: Vec<&str> = items
        .filter(|item| !matches!(item.trim_matches(' '), "replica-data" | "instance"))
        .collect();
    if unknown.is_empty() {
        return Ok(());
    }
    Err(format!(
        "invalid orphan resource types: {}",
        unknown.join(", ")
    ))
}

fn manager_url(value: &str) -> Result<(), String> {
    if value.is_empty() {
        return Ok(());
    }
    let url = Url::new(value).map_err(|why| format!("invalid URL format: {why}"))?;
    if !matches!(url.scheme.as_str(), "http" | "https") {
        return Err(format!("scheme must be http or https, got: {}", url.scheme));
    }
    if url.host.is_empty() {
        return Err("host is required".to_owned());
    }
    if !matches!(url.path.as_str(), "" | "/") {
        return Err("URL must not contain path".to_owned());
    }
    if !url.query.is_empty() || !url.fragment.is_empty() {
        return Err("URL must not contain query or fragment".to_owned());
    }
    Ok(())
}

/// `^(([a-zA-Z]+_?)+[a-zA-Z]+,?)+$`: words of two letters or more, with single
/// underscores inside, separated by single commas.
fn log_flags(flags: &str) -> Result<(), String> {
    let letters = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphabetic());
    let list = flags.strip_suffix(',').unwrap_or(flags);
    let is_word = |word: &str| word.len() > 1 && word.split('_').all(letters);
    if flags.is_empty() || list.split(',').all(is_word) {
        return Ok(());
    }
    Err(format!("log flags {flags} is invalid"))
}

/// JSON whose values would fit Kubernetes' type; only its form is checked here.
fn resource_limits(value: &str) -> Result<(), String> {
    let value = value.trim_matches(' ');
    if value.is_empty() {
        return Ok(());
    }
    let read = json::parse(value)
        .and_then(|limits| decode::cannot("types.ComponentResourceLimits", "object", &limits));
    read.map_err(|why| format!("failed to unmarshal CSI component resource limits {value}: {why}"))
}

/// Before v1.8.0 the backup target was a setting.
fn backup_target(value: &str) -> Result<(), String> {
    let url = Url::new(value).map_err(|why| format!("failed to parse {value} as url: {why}"))?;
    let is_bad = |c: &char| *c == ',' || (*c == '$' && url.scheme != "cifs");
    let found: Vec<String> = url.path.chars().filter(is_bad).map(String::from).collect();
    if found.is_empty() {
        return Ok(());
    }
    Err(format!("value {value}, contains {}", found.join(" or ")))
}
