//! Kinds that are kept for clients which list and watch them: Longhorn's
//! manager does not start before it has seen them all.
//!
//! Every member of theirs is known and defaults are filled in
//! (`pkg/apis/*/v1/defaults.go`); only what holds for all kinds is refused,
//! and nothing acts on them: a service gets no address, a deployment no pods.

use serde_json::{Value, json};

use crate::core_rules::{fill, items, pod_spec};
use crate::meta;

/// One of these kinds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kept {
    PersistentVolume,
    PersistentVolumeClaim,
    Service,
    Endpoints,
    DaemonSet,
    Deployment,
    CronJob,
    PodDisruptionBudget,
    PriorityClass,
    StorageClass,
    CsiDriver,
    VolumeAttachment,
}

impl Kept {
    /// The name of its struct in the table of core types.
    pub(crate) fn type_name(self) -> &'static str {
        match self {
            Self::PersistentVolume => "core.PersistentVolume",
            Self::PersistentVolumeClaim => "core.PersistentVolumeClaim",
            Self::Service => "core.Service",
            Self::Endpoints => "core.Endpoints",
            Self::DaemonSet => "apps.DaemonSet",
            Self::Deployment => "apps.Deployment",
            Self::CronJob => "batch.CronJob",
            Self::PodDisruptionBudget => "policy.PodDisruptionBudget",
            Self::PriorityClass => "scheduling.PriorityClass",
            Self::StorageClass => "storage.StorageClass",
            Self::CsiDriver => "storage.CSIDriver",
            Self::VolumeAttachment => "storage.VolumeAttachment",
        }
    }

    /// `AllowCreateOnUpdate` of its strategy.
    pub(crate) fn creates_on_update(self) -> bool {
        matches!(self, Self::Service | Self::Endpoints)
    }

    /// `AllowUnconditionalUpdate` of its strategy.
    pub(crate) fn allows_unconditional_update(self) -> bool {
        !matches!(
            self,
            Self::PodDisruptionBudget | Self::CsiDriver | Self::VolumeAttachment
        )
    }

    /// Has `metadata.generation`.
    pub(crate) fn counts_generations(self) -> bool {
        matches!(
            self,
            Self::DaemonSet
                | Self::Deployment
                | Self::CronJob
                | Self::PodDisruptionBudget
                | Self::PriorityClass
        )
    }

    /// `ReturnDeletedObject` of its storage.
    pub(crate) fn returns_deleted_object(self) -> bool {
        matches!(
            self,
            Self::Service
                | Self::PersistentVolume
                | Self::PersistentVolumeClaim
                | Self::CsiDriver
                | Self::StorageClass
                | Self::VolumeAttachment
        )
    }

    /// What requests for it are warned of.
    pub(crate) fn deprecation(self) -> Option<&'static str> {
        (self == Self::Endpoints).then_some(
            "v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice",
        )
    }

    /// Has a status that only its own path writes.
    pub(crate) const fn has_status(self) -> bool {
        !matches!(
            self,
            Self::Endpoints | Self::PriorityClass | Self::StorageClass | Self::CsiDriver
        )
    }
}

fn fill_all(object: Option<&mut Value>, defaults: &[(&str, Value)]) {
    if let Some(object) = object {
        for (key, value) in defaults {
            fill(object, key, value.clone());
        }
    }
}

/// Fills its defaults in.
pub(crate) fn default(kind: Kept, object: &mut Value) {
    match kind {
        Kept::PersistentVolume => {
            fill_all(object.get_mut("status"), &[("phase", json!("Pending"))]);
            let defaults = [
                ("persistentVolumeReclaimPolicy", json!("Retain")),
                ("volumeMode", json!("Filesystem")),
            ];
            fill_all(object.get_mut("spec"), &defaults);
        }
        Kept::PersistentVolumeClaim => {
            fill_all(object.get_mut("status"), &[("phase", json!("Pending"))]);
            let defaults = [("volumeMode", json!("Filesystem"))];
            fill_all(object.get_mut("spec"), &defaults);
        }
        Kept::Service => service(object),
        Kept::Endpoints => {
            for subset in items(object, "subsets") {
                for port in items(subset, "ports") {
                    fill(port, "protocol", json!("TCP"));
                }
            }
        }
        Kept::DaemonSet | Kept::Deployment => workload(kind, object),
        Kept::CronJob => {
            let defaults = [
                ("concurrencyPolicy", json!("Allow")),
                ("suspend", json!(false)),
                ("successfulJobsHistoryLimit", json!(3)),
                ("failedJobsHistoryLimit", json!(1)),
            ];
            fill_all(object.get_mut("spec"), &defaults);
            // The job gets its own defaults when it is made.
            pod_spec(
                object.pointer_mut("/spec/jobTemplate/spec/template/spec"),
                false,
            );
        }
        Kept::PriorityClass => fill(object, "preemptionPolicy", json!("PreemptLowerPriority")),
        Kept::StorageClass => {
            fill(object, "reclaimPolicy", json!("Delete"));
            fill(object, "volumeBindingMode", json!("Immediate"));
        }
        Kept::CsiDriver => {
            let defaults = [
                ("attachRequired", json!(true)),
                ("podInfoOnMount", json!(false)),
                ("storageCapacity", json!(false)),
                ("fsGroupPolicy", json!("ReadWriteOnceWithFSType")),
                ("volumeLifecycleModes", json!(["Persistent"])),
                ("requiresRepublish", json!(false)),
            ];
            fill_all(object.get_mut("spec"), &defaults);
        }
        Kept::PodDisruptionBudget | Kept::VolumeAttachment => {}
    }
}

fn service(object: &mut Value) {
    let Some(spec) = object.get_mut("spec") else {
        return;
    };
    fill(spec, "sessionAffinity", json!("None"));
    fill(spec, "type", json!("ClusterIP"));
    if spec["type"] != "ExternalName" {
        fill(spec, "internalTrafficPolicy", json!("Cluster"));
    }
    for port in items(spec, "ports") {
        fill(port, "protocol", json!("TCP"));
        let unset = matches!(&port["targetPort"], Value::Number(n) if n.as_i64() == Some(0))
            || port["targetPort"] == "";
        if unset {
            port["targetPort"] = port["port"].clone();
        }
    }
}

fn workload(kind: Kept, object: &mut Value) {
    let Some(spec) = object.get_mut("spec") else {
        return;
    };
    let (strategy, more, rolling) = if kind == Kept::DaemonSet {
        let rolling = [("maxUnavailable", json!(1)), ("maxSurge", json!(0))];
        ("updateStrategy", Vec::new(), rolling)
    } else {
        let more = vec![
            ("replicas", json!(1)),
            ("progressDeadlineSeconds", json!(600)),
        ];
        let rolling = [("maxUnavailable", json!("25%")), ("maxSurge", json!("25%"))];
        ("strategy", more, rolling)
    };
    fill_all(Some(spec), &more);
    fill(spec, "revisionHistoryLimit", json!(10));
    fill(spec, strategy, json!({}));
    fill(&mut spec[strategy], "type", json!("RollingUpdate"));
    if spec[strategy]["type"] == "RollingUpdate" {
        fill(&mut spec[strategy], "rollingUpdate", json!({}));
        fill_all(Some(&mut spec[strategy]["rollingUpdate"]), &rolling);
    }
    if let Some(template) = spec.get_mut("template") {
        pod_spec(template.get_mut("spec"), false);
    }
}

/// What it sets when an object is created.
pub(crate) fn prepare_create(kind: Kept, object: &mut Value) {
    if !kind.has_status() {
        return;
    }
    object["status"] = match kind {
        Kept::PersistentVolume => {
            let now = meta::get(object, "creationTimestamp").cloned();
            json!({"phase": "Pending", "lastPhaseTransitionTime": now})
        }
        Kept::PersistentVolumeClaim => json!({"phase": "Pending"}),
        Kept::Service => json!({"loadBalancer": {}}),
        Kept::DaemonSet => {
            let noted = meta::of_mut(object)
                .entry("annotations")
                .or_insert_with(|| json!({}));
            noted["deprecated.daemonset.template.generation"] = json!("1");
            json!({"currentNumberScheduled": 0, "numberMisscheduled": 0, "desiredNumberScheduled": 0, "numberReady": 0})
        }
        Kept::PodDisruptionBudget => {
            json!({"disruptionsAllowed": 0, "currentHealthy": 0, "desiredHealthy": 0, "expectedPods": 0})
        }
        Kept::VolumeAttachment => json!({"attached": false}),
        _ => json!({}),
    };
}
