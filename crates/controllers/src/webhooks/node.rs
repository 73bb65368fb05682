//! Nodes and their disks: what the mutator fills in, and what the validator refuses
//! (`webhook/resources/node`).

use std::collections::BTreeMap;

use rand::Rng;
use serde_json::{Value, json};

use super::cluster::{Cluster, Source};
use super::rules::{Rules, SettingCheck};
use super::{
    Patch, Refusal, Verdict, entries, finalizer, flag, go, name, number, removes_finalizer,
    setting, tags, text, texts,
};
use crate::view::shuffled;

/// A node's share of CPU for an instance manager, as a setting.
const CPU: &str = "guaranteed-instance-manager-cpu";
/// What says that the uninstaller deletes a node.
const UNINSTALLING: &str = "longhorn.io/delete-node-from-longhorn";

/// The disks of a spec, in an order drawn anew, as Go walks its maps.
fn disks<'a>(node: &'a Value, rng: &mut impl Rng) -> Vec<(&'a String, &'a Value)> {
    shuffled(entries(&node["spec"]["disks"]), rng)
}

/// The mutator. The names of disks go into the paths as they are, so one with a
/// slash makes a patch that does not apply, and one with a quotation mark a patch that
/// is no JSON.
pub(super) fn fill_in(rules: &Rules, node: &Value, rng: &mut impl Rng) -> Vec<Patch> {
    let spec = &node["spec"];
    let mut patches = Vec::new();
    patches.extend(deduplicated("/spec/tags", &spec["tags"]));
    if spec["disks"].is_null() {
        patches.push(Patch::replace("/spec/disks", json!({})));
    }
    for (name, disk) in disks(node, rng) {
        let path = format!("/spec/disks/{name}");
        patches.extend(deduplicated(&format!("{path}/tags"), &disk["tags"]));
        let mut fill = |field: &str, value| {
            patches.push(Patch::written_text(format!("{path}/{field}"), value));
        };
        match (text(&disk["diskType"]), text(&disk["diskDriver"])) {
            ("", _) => fill("diskType", "filesystem"),
            ("block", "") => fill("diskDriver", "auto"),
            _ => {}
        }
    }
    patches.extend(finalizer(rules, node));
    patches
}

/// Tags sorted, each once; none at all are an empty list, and an empty list stays.
fn deduplicated(path: &str, tags: &Value) -> Option<Patch> {
    if tags.is_null() {
        return Some(Patch::written(path, "[]"));
    }
    let mut tags: Vec<&str> = texts(tags).collect();
    tags.sort_unstable();
    tags.dedup();
    (!tags.is_empty()).then(|| Patch::written(path, &json!(tags).to_string()))
}

/// The validator, of a new node.
pub(super) fn create(
    rules: &Rules,
    node: &Value,
    cluster: &Cluster,
    rng: &mut impl Rng,
) -> Verdict {
    positive_request(node)?;
    let takes_block_disks = takes_block_disks(rules, cluster)?;
    for (name, disk) in disks(node, rng) {
        let disk_type = text(&disk["diskType"]);
        if disk_type == "block" && !takes_block_disks {
            return Err(Refusal::invalid(format!(
                "disk {name} type {disk_type} is not supported since v2 data engine is disabled"
            )));
        }
        fits_its_type(rules, name, disk)?;
    }
    different_paths(rules, node, rng)
}

/// The validator, of a change: the first of its rules that is broken is named.
pub(super) fn update(
    rules: &Rules,
    old: &Value,
    node: &Value,
    cluster: &Cluster,
    rng: &mut impl Rng,
) -> Verdict {
    if removes_finalizer(old, node) {
        return Ok(());
    }
    positive_request(node)?;
    let spec = &node["spec"];
    let is_torn = |spec: &Value| flag(&spec["evictionRequested"]) && flag(&spec["allowScheduling"]);
    if rules.evicts_only_unscheduled && is_torn(spec) {
        return Err(Refusal::invalid(format!(
            "need to disable scheduling on node {} for node eviction, or cancel eviction to enable scheduling on this node",
            name(old)
        )));
    }
    if rules.waits_for_disk_sync && !disks_are_synced(old) {
        return Err(Refusal::forbidden(format!(
            "spec and status of disks on node {} are being syncing and please retry later.",
            name(old)
        )));
    }
    tags::validate(rules, texts(&spec["tags"])).map_err(Refusal::invalid)?;
    cpu_request(rules, old, node, cluster, rng).map_err(Refusal::invalid)?;
    if rules.requires_node_names && text(&spec["name"]).is_empty() {
        return Err(Refusal::invalid(
            "node name is invalid. You can't have a Spec.Name empty",
        ));
    }
    for (name, disk) in disks(node, rng) {
        if rules.evicts_only_unscheduled && is_torn(disk) {
            return Err(Refusal::invalid(format!(
                "need to disable scheduling on disk {name} for disk eviction, or cancel eviction to enable scheduling on this disk"
            )));
        }
    }
    let takes_block_disks = takes_block_disks(rules, cluster)?;
    for (name, disk) in disks(node, rng) {
        let place = format!("update disk on node {} error: The", super::name(node));
        let path = text(&disk["path"]);
        if number(&disk["storageReserved"]) < 0 {
            return Err(Refusal::invalid(format!(
                "{place} storageReserved setting of disk {name}({path}) is not valid, should be positive and no more than storageMaximum and storageAvailable"
            )));
        }
        tags::validate(rules, texts(&disk["tags"])).map_err(Refusal::invalid)?;
        if disk["diskType"] == "block" && !takes_block_disks {
            return Err(Refusal::invalid(format!(
                "{place} disk {name}({path}) is a block device, but the SPDK feature is not enabled"
            )));
        }
        fits_its_type(rules, name, disk)?;
    }
    different_paths(rules, node, rng)?;
    removed_disks_are_empty(rules, old, node, rng)?;
    disk_types_stay(rules, old, node, rng)
}

fn positive_request(node: &Value) -> Verdict {
    if number(&node["spec"]["instanceManagerCPURequest"]) < 0 {
        return Err(Refusal::invalid(
            "instanceManagerCPURequest should be greater than or equal to 0",
        ));
    }
    Ok(())
}

fn takes_block_disks(rules: &Rules, cluster: &Cluster) -> Result<bool, Refusal> {
    let enabled = cluster.setting_flag(rules, "v2-data-engine");
    enabled.map_err(|why| Refusal::invalid(format!("failed to get spdk setting: {why}")))
}

fn fits_its_type(rules: &Rules, name: &str, disk: &Value) -> Verdict {
    let disk_type = text(&disk["diskType"]);
    let refuse = |what: &str| {
        Err(Refusal::invalid(format!(
            "disk {name} type {disk_type} is not supported to {what}"
        )))
    };
    let reserves = number(&disk["storageReserved"]) != 0;
    if disk_type == "block" && reserves && !rules.block_disks_reserve_storage {
        return refuse("reserve storage");
    }
    if disk_type != "block" && !text(&disk["diskDriver"]).is_empty() {
        return refuse("specify disk driver");
    }
    Ok(())
}

fn different_paths(rules: &Rules, node: &Value, rng: &mut impl Rng) -> Verdict {
    if !rules.refuses_duplicate_paths {
        return Ok(());
    }
    let mut first: BTreeMap<String, &str> = BTreeMap::new();
    let mut duplicates = Vec::new();
    for (name, disk) in disks(node, rng) {
        let path = go::clean_path(text(&disk["path"]));
        match first.get(&path) {
            Some(other) => duplicates.push(format!("{path} (disks {other} and {name})")),
            None => {
                first.insert(path, name);
            }
        }
    }
    if duplicates.is_empty() {
        return Ok(());
    }
    Err(Refusal::invalid(format!(
        "duplicate disk paths on node {}: {}",
        name(node),
        go::list(duplicates)
    )))
}

/// `isNodeDiskSpecAndStatusSynced`, of the stored object: the same names in both maps.
fn disks_are_synced(node: &Value) -> bool {
    let wanted = entries(&node["spec"]["disks"]).map(|(name, _)| name);
    let found = entries(&node["status"]["diskStatus"]).map(|(name, _)| name);
    let sorted = |names: &mut dyn Iterator<Item = &String>| {
        let mut names: Vec<String> = names.cloned().collect();
        names.sort_unstable();
        names
    };
    sorted(&mut { wanted }) == sorted(&mut { found })
}

fn removed_disks_are_empty(
    rules: &Rules,
    old: &Value,
    node: &Value,
    rng: &mut impl Rng,
) -> Verdict {
    let what = if rules.names_images_on_disks {
        "replicas and backing images"
    } else {
        "replicas"
    };
    for (name, disk) in disks(old, rng) {
        let is_kept = !node["spec"]["disks"][name.as_str()].is_null();
        let scheduled = number(&old["status"]["diskStatus"][name.as_str()]["storageScheduled"]);
        let is_used = flag(&disk["allowScheduling"]) || scheduled != 0;
        if rules.keeps_disks_in_use && !is_kept && is_used {
            // The first place is meant for the node; the disk's name stands there.
            return Err(Refusal::invalid(format!(
                "Delete Disk on node {name} error: Please disable the disk {} and remove all {what} first ",
                text(&disk["path"])
            )));
        }
    }
    Ok(())
}

fn disk_types_stay(rules: &Rules, old: &Value, node: &Value, rng: &mut impl Rng) -> Verdict {
    for (disk_name, disk) in disks(old, rng) {
        let after = &node["spec"]["disks"][disk_name.as_str()];
        let before = text(&disk["diskType"]);
        let changes = !after.is_null() && !before.is_empty() && before != text(&after["diskType"]);
        if rules.keeps_disk_types && changes {
            return Err(Refusal::invalid(format!(
                "update disk on node {} error: The disk {disk_name}({}) type is not allow to change",
                name(node),
                text(&disk["path"])
            )));
        }
    }
    Ok(())
}

/// What a node asks for its instance manager must be within the setting's bounds, as
/// a share of what Kubernetes can give there.
fn cpu_request(
    rules: &Rules,
    old: &Value,
    node: &Value,
    cluster: &Cluster,
    rng: &mut impl Rng,
) -> Result<(), String> {
    let request = number(&node["spec"]["instanceManagerCPURequest"]);
    if request == 0 {
        return Ok(());
    }
    let Some(kubernetes) = cluster.get(Source::KubernetesNodes, name(old)) else {
        return Ok(());
    };
    let millis = millicores(&kubernetes["status"]["allocatable"]["cpu"]);
    #[expect(clippy::cast_precision_loss, reason = "as Go converts it")]
    let share = (request as f64 / millis * 100.0).round();
    match rules.setting_check {
        SettingCheck::ByEngine => setting::value(rules, CPU, &format!("{share:.2}"), rng),
        SettingCheck::Single => setting::cpu_reservation(rules, CPU, &format!("{share:.0}")),
    }
}

/// `Quantity.MilliValue` of an amount of CPU.
fn millicores(quantity: &Value) -> f64 {
    let shown = match quantity {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    match shown.strip_suffix('m') {
        Some(millis) => millis.parse().unwrap_or(0.0),
        None => shown
            .parse::<f64>()
            .map_or(0.0, |cores| (cores * 1000.0).ceil()),
    }
}

/// The validator, of a deletion: only a node that Kubernetes no longer has, or whose
/// manager is gone, with nothing on it.
pub(super) fn delete(rules: &Rules, node: &Value, cluster: &Cluster) -> Verdict {
    if !node["metadata"]["annotations"][UNINSTALLING].is_null() {
        return Ok(());
    }
    let on_it = |source, what: &str| {
        let found = cluster.select(rules, source, ("longhornnode", name(node)));
        found.map(|found| found.len()).map_err(|why| {
            Refusal::invalid(format!(
                "failed to list {what} on node {}: {why}",
                name(node)
            ))
        })
    };
    let replicas = on_it(Source::Replicas, "replicas")?;
    let engines = on_it(Source::Engines, "engines")?;
    let conditions = node["status"]["conditions"]
        .as_array()
        .into_iter()
        .flatten();
    let ready = conditions.clone().find(|c| c["type"] == "Ready");
    let of_ready = |field| ready.map_or("", |ready| text(&ready[field]));
    // A condition that is not there counts as unknown (`types.GetCondition`).
    let status = ready.map_or("Unknown", |ready| text(&ready["status"]));
    let reason = of_ready("reason");
    let is_gone = matches!(reason, "KubernetesNodeGone" | "ManagerPodMissing");
    let schedules = flag(&node["spec"]["allowScheduling"]);
    if status == "True" || !is_gone || schedules || replicas > 0 || engines > 0 {
        return Err(Refusal::invalid(format!(
            "could not delete node {} with node ready condition is {status}, reason is {reason}, node schedulable {schedules}, and {replicas} replica, {engines} engine running on it",
            name(node)
        )));
    }
    Ok(())
}
