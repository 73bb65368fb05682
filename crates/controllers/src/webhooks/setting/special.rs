//! What single settings are checked for besides their definition: the form of their
//! text, and other objects of the cluster.
//!
//! Left out is what the real code asks of the machine it runs on: how many CPUs it
//! has (masks of the v2 engine before v1.10.1).

use rand::Rng;
use serde_json::Value;

use super::super::cluster::{Cluster, Source};
use super::super::rules::{Rules, SettingCheck};
use super::super::url::Url;
use super::super::{entries, go, json, name, text};
use super::definitions::Definition;
use super::value::{Parsed, by_engine_value, of_engine};
use crate::view::shuffled;

/// The mask of CPUs of a data engine.
pub(super) const CPU_MASK: &str = "data-engine-cpu-mask";
/// The same before v1.10.0.
const V2_CPU_MASK: &str = "v2-data-engine-cpu-mask";
const V2_CPU_SHARE: &str = "v2-data-engine-guaranteed-instance-manager-cpu";
const PURGE: [&str; 2] = [
    "auto-cleanup-system-generated-snapshot",
    "disable-snapshot-purge",
];
const STORAGE_CLASS: &str = "default-longhorn-static-storage-class";

/// The highest number of a CPU (`types/setting.go` at v1.12.1).
const LAST_CPU: i64 = 1023;

/// The form of a text.
pub(super) fn form(rules: &Rules, name: &str, value: &str) -> Result<(), String> {
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
        CPU_MASK if rules.normalizes_cpu_masks => of_value(normal_mask(value).map(|_| ())),
        _ => Ok(()),
    }
}

/// What depends on other objects.
pub(super) fn check(
    rules: &Rules,
    name: &str,
    value: &str,
    cluster: &Cluster,
    rng: &mut impl Rng,
) -> Result<(), String> {
    match name {
        "priority-class" if !value.is_empty() => {
            if cluster.get(Source::PriorityClasses, value).is_none() {
                let why = format!(
                    "priorityclass.scheduling.k8s.io {} not found",
                    go::quote(value)
                );
                return Err(format!(
                    "failed to get priority class {value} before modifying priority class setting: {why}"
                ));
            }
            Ok(())
        }
        "guaranteed-instance-manager-cpu" | V2_CPU_SHARE
            if rules.setting_check == SettingCheck::Single =>
        {
            cpu_reservation(rules, name, value)
        }
        "v1-data-engine" | "v2-data-engine" => data_engine(rules, name, value, cluster, rng),
        V2_CPU_MASK => v2_mask(rules, value, cluster),
        "auto-cleanup-system-generated-snapshot" => one_of_purge(rules, PURGE, value, cluster),
        "disable-snapshot-purge" => one_of_purge(rules, [PURGE[1], PURGE[0]], value, cluster),
        "snapshot-max-count" => match go::atoi(value)? {
            2..=250 => Ok(()),
            _ => Err(format!("{name} should be between 2 and 250")),
        },
        STORAGE_CLASS => storage_class(rules, value, cluster),
        "data-engine-number-of-cpu-cores" if rules.checks_cpu_cores => {
            cores(rules, value, cluster, rng)
        }
        _ => Ok(()),
    }
}

/// `ValidateCPUReservationValues`, before v1.10.0.
pub(crate) fn cpu_reservation(rules: &Rules, name: &str, value: &str) -> Result<(), String> {
    let share = go::atoi(value).map_err(|why| {
        format!("invalid guaranteed/requested instance manager CPU value ({value}): {why}")
    })?;
    let bounds = Definition::of(&rules.version, name);
    let bound = |bound: Option<f64>| bound.unwrap_or_default();
    let (minimum, maximum) = bounds.map_or((0.0, 0.0), |d| (bound(d.minimum), bound(d.maximum)));
    #[expect(clippy::cast_precision_loss, reason = "shares are small numbers")]
    let share = share as f64;
    let refused = "invalid requested instance manager CPUs. Valid instance manager CPU range";
    if rules.bounds_cpu_reservation && !(minimum..=maximum).contains(&share) {
        return Err(format!("{refused} between {minimum} - {maximum} millicpu"));
    }
    if share < minimum {
        return Err(format!("{refused} is larger than {minimum} millicpu"));
    }
    Ok(())
}

fn one_of_purge(
    rules: &Rules,
    [name, other]: [&str; 2],
    value: &str,
    cluster: &Cluster,
) -> Result<(), String> {
    if cluster.setting_flag(rules, other)? && value == "true" {
        return Err(format!(
            "cannot set {name} setting to true when {other} setting is true"
        ));
    }
    Ok(())
}

fn storage_class(rules: &Rules, value: &str, cluster: &Cluster) -> Result<(), String> {
    let default = Definition::of(&rules.version, STORAGE_CLASS).map_or("", |d| d.default);
    if value == default || cluster.get(Source::StorageClasses, value).is_some() {
        return Ok(());
    }
    let why = format!("storageclass.storage.k8s.io {} not found", go::quote(value));
    Err(format!(
        "cannot use a storage class {value} that does not exist to set the setting {STORAGE_CLASS}: {why}"
    ))
}

/// An engine is switched off only when nothing runs on it, and the v2 engine on only
/// where there are huge pages enough.
fn data_engine(
    rules: &Rules,
    name: &str,
    value: &str,
    cluster: &Cluster,
    rng: &mut impl Rng,
) -> Result<(), String> {
    if cluster.setting(rules, name)? == value {
        return Ok(());
    }
    let is_enabled = go::parse_bool(value)?;
    let engine = &name[..2];
    if !is_enabled && runs(rules, engine, cluster) {
        return Err(format!(
            "current state prevents this: cannot apply {name} setting to Longhorn workloads when there are attached {engine} volumes"
        ));
    }
    if engine == "v2" {
        return huge_pages(rules, is_enabled, cluster, rng);
    }
    Ok(())
}

/// `AreAllEngineInstancesStopped`: instance managers are found by their labels, node
/// by node.
fn runs(rules: &Rules, engine: &str, cluster: &Cluster) -> bool {
    let nodes: Vec<&str> = cluster.list(Source::Nodes).map(name).collect();
    cluster.list(Source::InstanceManagers).any(|im| {
        let label =
            |key: &str| text(&im["metadata"]["labels"][format!("longhorn.io/{key}").as_str()]);
        let is_found = label("managed-by") == "longhorn-manager"
            && label("component") == "instance-manager"
            && matches!(label("instance-manager-type"), "engine" | "aio")
            && label("data-engine") == engine
            && nodes.contains(&label("node"));
        let mut shown = rules.shows_engines.iter();
        is_found && shown.any(|map| entries(&im["status"][*map]).next().is_some())
    })
}

fn huge_pages(
    rules: &Rules,
    is_enabled: bool,
    cluster: &Cluster,
    rng: &mut impl Rng,
) -> Result<(), String> {
    let (nodes, requested): (Vec<&str>, String) = match rules.setting_check {
        SettingCheck::Single => (
            cluster
                .list(Source::InstanceManagers)
                .map(|im| text(&im["spec"]["nodeID"]))
                .collect(),
            cluster.setting(rules, "v2-data-engine-hugepage-limit")?,
        ),
        SettingCheck::ByEngine => {
            let mut v2 = |name| of_engine(rules, name, "v2", cluster, rng);
            let uses_huge_pages = v2("data-engine-hugepage-enabled")? == Parsed::Bool(true);
            let size = v2("data-engine-memory-size")?.to_string();
            if !uses_huge_pages {
                return Ok(());
            }
            let ready = cluster.list(Source::Nodes).filter(|node| !is_down(node));
            (ready.map(name).collect(), size)
        }
    };
    if !is_enabled {
        return Ok(());
    }
    let wanted = bytes(&format!("{requested}Mi"));
    for node in nodes {
        let Some(found) = cluster.get(Source::KubernetesNodes, node) else {
            continue;
        };
        if found["metadata"]["labels"]["node.longhorn.io/disable-v2-data-engine"] == "true" {
            continue;
        }
        let capacity = text(&found["status"]["capacity"]["hugepages-2Mi"]);
        if capacity.is_empty() {
            return Err(format!(
                "failed to get hugepages-2Mi capacity for node {node}"
            ));
        }
        if bytes(capacity) < wanted {
            return Err(format!(
                "not enough hugepages-2Mi capacity for node {node}, requested {}, capacity {capacity}",
                canonical(wanted)
            ));
        }
    }
    Ok(())
}

/// `IsNodeDownOrDeletedOrMissingManager`.
fn is_down(node: &Value) -> bool {
    let conditions = node["status"]["conditions"].as_array();
    let ready = conditions
        .into_iter()
        .flatten()
        .find(|c| c["type"] == "Ready");
    ready.is_some_and(|ready| {
        let reason = text(&ready["reason"]);
        ready["status"] == "False"
            && matches!(
                reason,
                "KubernetesNodeGone" | "KubernetesNodeNotReady" | "ManagerPodMissing"
            )
    })
}

const UNITS: [(&str, u64); 4] = [
    ("Ki", 1 << 10),
    ("Mi", 1 << 20),
    ("Gi", 1 << 30),
    ("Ti", 1 << 40),
];

/// A quantity with a binary unit or none.
fn bytes(quantity: &str) -> u64 {
    let unit = UNITS.iter().find(|(unit, _)| quantity.ends_with(unit));
    let (digits, factor) = unit.map_or((quantity, 1), |(unit, factor)| {
        (quantity.trim_end_matches(unit), *factor)
    });
    digits.parse::<u64>().unwrap_or(0).saturating_mul(factor)
}

/// As Kubernetes prints it: by the largest unit that leaves no rest.
fn canonical(bytes: u64) -> String {
    let unit = UNITS
        .iter()
        .rev()
        .find(|(_, factor)| bytes > 0 && bytes.is_multiple_of(*factor));
    unit.map_or_else(
        || bytes.to_string(),
        |(unit, factor)| format!("{}{unit}", bytes / factor),
    )
}

fn v2_mask(rules: &Rules, mask: &str, cluster: &Cluster) -> Result<(), String> {
    if mask.is_empty() {
        return Err(format!("cannot set {V2_CPU_MASK} setting to empty value"));
    }
    let digits = mask.strip_prefix("0x").unwrap_or_default();
    let is_mask = !digits.is_empty()
        && !digits.starts_with('0')
        && digits.bytes().all(|b| b.is_ascii_hexdigit());
    if !is_mask {
        return Err(format!("invalid CPU mask: {mask}"));
    }
    let bits =
        u64::from_str_radix(digits, 16).map_err(|_| format!("failed to parse CPU mask: {mask}"))?;
    let share = cluster.setting_number(rules, V2_CPU_SHARE).map_err(|why| {
        format!("failed to get {V2_CPU_SHARE} setting for CPU mask validation: {why}")
    })?;
    let wanted = i64::from(bits.count_ones()) * 1000;
    if wanted > share {
        return Err(format!(
            "number of CPUs ({wanted}) requested by CPU mask ({mask}) is larger than the {V2_CPU_SHARE} setting value ({share})"
        ));
    }
    Ok(())
}

fn cores(rules: &Rules, value: &str, cluster: &Cluster, rng: &mut impl Rng) -> Result<(), String> {
    let trimmed = value.trim();
    let by_engine: Vec<(String, i64)> = match serde_json::from_str::<Value>(trimmed) {
        Ok(Value::Object(map)) => map
            .iter()
            .map(|(engine, cores)| {
                let cores = text(cores);
                let number = go::atoi(cores).map_err(|why| format!("failed to convert CPU core number {cores} for data engine {engine} to integer: {why}"))?;
                Ok((engine.clone(), number))
            })
            .collect::<Result<_, String>>()?,
        _ => {
            let number = go::atoi(trimmed).map_err(|why| {
                let value = go::quote(value);
                format!("failed to convert CPU core number setting value {value} to integer: {why}")
            })?;
            vec![("v2".to_owned(), number)]
        }
    };
    for (engine, cores) in shuffled(by_engine, rng) {
        let place = format!("CPU core number for data engine {engine} cannot be");
        if cores < 0 {
            return Err(format!("{place} negative"));
        }
        let is_static =
            |node: &Value| text(&node["status"]["cpuPolicy"]).eq_ignore_ascii_case("static");
        if cores > 0 && !cluster.list(Source::Nodes).all(is_static) {
            return Err(format!(
                "{place} set to {cores} when not all nodes have CPU manager policy configured"
            ));
        }
        if cores == 0 {
            let mask = by_engine_value(rules, CPU_MASK, &engine, cluster, rng).map_err(|why| {
                format!("failed to check if data engine CPU mask is set to 0: failed to get {CPU_MASK} setting for updating data engine CPU mask: {why}")
            })?;
            if matches!(mask.as_str(), "0" | "0x0") {
                return Err(format!(
                    "{place} set to 0 when data engine CPU mask is set to 0"
                ));
            }
        }
    }
    Ok(())
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
    let read = json::parse(value).and_then(|limits| {
        super::super::decode::cannot("types.ComponentResourceLimits", "object", &limits)
    });
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

/// `NormalizeCPUMask`: a hex mask as it is, a list of CPUs as a mask.
pub(super) fn normal_mask(value: &str) -> Result<String, String> {
    let value = value.trim();
    if value.is_empty() {
        return Err("CPU mask value is empty".to_owned());
    }
    let digits = value
        .strip_prefix("0x")
        .or_else(|| value.strip_prefix("0X"));
    let Some(digits) = digits else {
        return mask_of_list(value);
    };
    let quoted = go::quote(value);
    if digits.is_empty() {
        return Err(format!(
            "invalid hex CPU mask {quoted}: missing hex digits after prefix"
        ));
    }
    if digits.len() > 256 {
        return Err(format!(
            "CPU mask {quoted} exceeds maximum supported CPU {LAST_CPU}"
        ));
    }
    if let Some(bad) = digits.chars().find(|c| !c.is_ascii_hexdigit()) {
        let bad = go::quote(&bad.to_string());
        return Err(format!(
            "invalid hex CPU mask {quoted}: contains non-hex character {bad}"
        ));
    }
    if digits.bytes().all(|b| b == b'0') {
        return Err(format!(
            "CPU mask {quoted} is zero, at least one CPU must be selected"
        ));
    }
    Ok(value.to_owned())
}

fn mask_of_list(list: &str) -> Result<String, String> {
    let list = list.replace(['(', ')'], "");
    let list = list.trim();
    if list.is_empty() {
        return Err("CPU list is empty".to_owned());
    }
    let in_range = |cpu: i64| match cpu {
        0..=LAST_CPU => usize::try_from(cpu).map_err(|_| String::new()),
        _ => Err(format!(
            "CPU number {cpu} is out of valid range (0-{LAST_CPU})"
        )),
    };
    // The digits of the mask, the lowest first.
    let mut digits = vec![0_u8; 256];
    for part in list.split(',') {
        let part = part.trim();
        if part.is_empty() {
            let list = go::quote(list);
            return Err(format!("invalid CPU list {list}: empty CPU entry"));
        }
        let (start, end) = match part.split_once('-') {
            Some((start, end)) => {
                let number = |text: &str| {
                    go::atoi(text.trim()).map_err(|_| {
                        let (text, part) = (go::quote(text), go::quote(part));
                        format!("invalid CPU number {text} in range {part}")
                    })
                };
                let (start, end) = (number(start)?, number(end)?);
                in_range(start)?;
                in_range(end)?;
                if start > end {
                    let part = go::quote(part);
                    return Err(format!(
                        "invalid CPU range {part}: start ({start}) > end ({end})"
                    ));
                }
                (start, end)
            }
            None => {
                let cpu = go::atoi(part)
                    .map_err(|_| format!("invalid CPU number {}", go::quote(part)))?;
                (cpu, cpu)
            }
        };
        for cpu in in_range(start)?..=in_range(end)? {
            digits[cpu / 4] |= 1 << (cpu % 4);
        }
    }
    let hex = digits.iter().rev().skip_while(|digit| **digit == 0);
    let hex: String = hex.map(|digit| format!("{digit:x}")).collect();
    Ok(format!("0x{hex}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_cpus_becomes_a_mask() {
        assert_eq!(normal_mask("1-3,5,7").unwrap(), "0xae");
        assert_eq!(normal_mask("(1-3),(5)").unwrap(), "0x2e");
        assert_eq!(normal_mask("0xFF").unwrap(), "0xFF");
        for (mask, why) in [
            ("0x0", "is zero"),
            ("0xg", "non-hex"),
            ("1,,2", "empty CPU entry"),
            ("3-1", "start (3) > end (1)"),
            ("2000", "out of valid range"),
        ] {
            let error = normal_mask(mask).unwrap_err();
            assert!(error.contains(why), "{error}");
        }
    }

    #[test]
    fn quantities_are_printed_by_their_largest_unit() {
        assert_eq!(bytes("2048Mi"), 2 << 30);
        assert_eq!(canonical(2 << 30), "2Gi");
        assert_eq!(canonical(1536 << 20), "1536Mi");
    }
}
