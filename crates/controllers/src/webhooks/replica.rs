//! Replicas: what the mutator fills in, and what the validator refuses
//! (`webhook/resources/replica`).

use serde_json::Value;

use super::cluster::{Cluster, Source};
use super::rules::Rules;
use super::{
    Patch, Refusal, Verdict, auto_correct, finalizer, flag, go, is_deleting, labels, name, text,
};

/// By which replicas are found by their volume.
const LABEL_VOLUME: &str = "longhornvolume";
/// By which linked clones are found by their source.
const LABEL_CLONE_SOURCE: &str = "longhorn.io/linked-clone-src-replica";

/// The mutator.
pub(super) fn fill_in(rules: &Rules, replica: &Value) -> Vec<Patch> {
    let volume = auto_correct(text(&replica["spec"]["volumeName"]));
    let mut patches = vec![if volume.is_empty() {
        labels(replica, &[])
    } else {
        labels(replica, &[(LABEL_VOLUME, &volume)])
    }];
    patches.extend(finalizer(rules, replica));
    if text(&replica["spec"]["dataEngine"]).is_empty() {
        patches.push(Patch::replace("/spec/dataEngine", "v1"));
    }
    patches
}

/// The validator, of a new replica: its data engine must be switched on.
pub(super) fn create(rules: &Rules, replica: &Value, cluster: &Cluster) -> Verdict {
    let setting = match text(&replica["spec"]["dataEngine"]) {
        "v2" => "v2-data-engine",
        _ => "v1-data-engine",
    };
    match cluster.setting_flag(rules, setting) {
        Ok(true) => Ok(()),
        Ok(false) => Err(Refusal::forbidden(format!(
            "{setting} data engine is not enabled"
        ))),
        Err(why) => Err(Refusal::internal(format!(
            "failed to get {setting} setting: {why}"
        ))),
    }
}

/// The validator, of a change.
pub(super) fn update(rules: &Rules, old: &Value, replica: &Value) -> Verdict {
    let (before, after) = (&old["spec"], &replica["spec"]);
    let changes = |field: &str| {
        let value = text(&before[field]);
        !value.is_empty() && value != text(&after[field])
    };
    if changes("dataEngine") {
        return Err(Refusal::invalid(format!(
            "changing data engine for replica {} is not supported",
            name(old)
        )));
    }
    if !rules.keeps_clone_sources {
        return Ok(());
    }
    if changes("linkedCloneSrcReplicaName") {
        return Err(Refusal::invalid_field(
            "spec.linkedCloneSrcReplicaName is immutable once set",
            "spec.linkedCloneSrcReplicaName",
        ));
    }
    let label =
        |object: &'_ Value| text(&object["metadata"]["labels"][LABEL_CLONE_SOURCE]).to_owned();
    if !label(old).is_empty() && label(old) != label(replica) {
        return Err(Refusal::invalid_field(
            "label linked-clone-src-replica is immutable once set",
            "metadata.labels",
        ));
    }
    Ok(())
}

/// The validator, of a deletion: not the last one with data of a volume that stays,
/// and not the source of linked clones.
pub(super) fn delete(rules: &Rules, replica: &Value, cluster: &Cluster) -> Verdict {
    let volume_name = text(&replica["spec"]["volumeName"]);
    if volume_name.is_empty() {
        return Ok(());
    }
    let volume = cluster.get(Source::Volumes, volume_name);
    if volume.is_some_and(is_deleting) {
        return Ok(());
    }
    if rules.keeps_last_replica && volume.is_some() {
        let all = cluster.select(rules, Source::Replicas, (LABEL_VOLUME, volume_name));
        let all = all.map_err(|why| {
            let which = if rules.counts_healthy_replicas_only {
                format!("replica {}", name(replica))
            } else {
                "replica".to_owned()
            };
            Refusal::invalid(format!(
                "failed to list replicas for volume {volume_name} before deleting {which}: {why}"
            ))
        })?;
        let with_data = all.into_iter().filter(|r| has_data(rules, r));
        let with_data: Vec<&str> = with_data.map(name).collect();
        if with_data == [name(replica)] {
            return Err(Refusal::invalid(if rules.counts_healthy_replicas_only {
                format!(
                    "no other healthy replica available for volume {volume_name}, cannot delete replica {} since it may still contain data for recovery",
                    name(replica)
                )
            } else {
                format!(
                    "cannot delete replica {} because volume {volume_name} only has one available replica",
                    name(replica)
                )
            }));
        }
    }
    if rules.keeps_clone_sources {
        let label = (LABEL_CLONE_SOURCE, name(replica));
        let clones = cluster
            .select(rules, Source::Replicas, label)
            .map_err(|why| {
                Refusal::internal(format!(
                    "failed to list linked-clone replicas for replica {}: {why}",
                    name(replica)
                ))
            })?;
        let mut clones: Vec<&str> = clones.into_iter().map(name).collect();
        clones.sort_unstable();
        if !clones.is_empty() {
            return Err(Refusal::forbidden(format!(
                "cannot delete replica {}: it is the source of linked-clone replica(s) {}",
                name(replica),
                go::list(clones)
            )));
        }
    }
    Ok(())
}

fn has_data(rules: &Rules, replica: &Value) -> bool {
    let spec = &replica["spec"];
    let counts = !text(&spec["healthyAt"]).is_empty() && !is_deleting(replica);
    let is_doubtful = !text(&spec["failedAt"]).is_empty() || flag(&spec["evictionRequested"]);
    counts && !(rules.counts_healthy_replicas_only && is_doubtful)
}
