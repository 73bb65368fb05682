//! Switching a data engine on or off.

use rand::Rng;
use serde_json::Value;

use super::super::cluster::{Cluster, Source};
use super::super::rules::{Rules, SettingCheck};
use super::super::{entries, go, name, text};
use super::value::{Parsed, of_engine};

/// An engine is switched off only when nothing runs on it, and the v2 engine on only
/// where there are huge pages enough.
pub(super) fn check(
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_printed_by_their_largest_unit() {
        assert_eq!(bytes("2048Mi"), 2 << 30);
        assert_eq!(canonical(2 << 30), "2Gi");
        assert_eq!(canonical(1536 << 20), "1536Mi");
    }
}
