//! What single settings are checked for besides their definition and their form: other
//! objects of the cluster. `engine` and `cpu` have what data engines need.

use rand::Rng;

use super::super::cluster::{Cluster, Source};
use super::super::go;
use super::super::rules::{Rules, SettingCheck};
use super::definitions::Definition;
use super::{cpu, engine};

const PURGE: [&str; 2] = [
    "auto-cleanup-system-generated-snapshot",
    "disable-snapshot-purge",
];
/// The priority classes that every cluster has.
const KUBERNETES_CLASSES: [&str; 2] = ["system-cluster-critical", "system-node-critical"];
const STORAGE_CLASS: &str = "default-longhorn-static-storage-class";

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
            let is_there = KUBERNETES_CLASSES.contains(&value)
                || cluster.get(Source::PriorityClasses, value).is_some();
            if !is_there {
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
        "guaranteed-instance-manager-cpu" | cpu::V2_SHARE
            if rules.setting_check == SettingCheck::Single =>
        {
            cpu::reservation(rules, name, value)
        }
        "v1-data-engine" | "v2-data-engine" => engine::check(rules, name, value, cluster, rng),
        cpu::V2_MASK => cpu::v2_mask(rules, value, cluster),
        "auto-cleanup-system-generated-snapshot" => one_of_purge(rules, PURGE, value, cluster),
        "disable-snapshot-purge" => one_of_purge(rules, [PURGE[1], PURGE[0]], value, cluster),
        "snapshot-max-count" => match go::atoi(value)? {
            2..=250 => Ok(()),
            _ => Err(format!("{name} should be between 2 and 250")),
        },
        STORAGE_CLASS => storage_class(rules, value, cluster),
        "data-engine-number-of-cpu-cores" if rules.checks_cpu_cores => {
            cpu::cores(rules, value, cluster, rng)
        }
        _ => Ok(()),
    }
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
