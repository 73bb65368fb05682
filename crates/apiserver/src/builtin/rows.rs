//! The table of the core kinds.

use super::Kind;
use crate::kept::Kept;

/// One kind.
pub(super) struct Row {
    pub(super) group: &'static str,
    pub(super) version: &'static str,
    pub(super) plural: &'static str,
    pub(super) singular: &'static str,
    pub(super) kind: &'static str,
    pub(super) short: &'static [&'static str],
    pub(super) categories: &'static [&'static str],
    pub(super) namespaced: bool,
    pub(super) behaviour: Kind,
    pub(super) status: bool,
    pub(super) selectable: &'static [&'static str],
}

pub(super) const ROWS: &[Row] = &[
    row(
        "",
        "v1",
        "namespaces",
        "namespace",
        "Namespace",
        &["ns"],
        false,
        Kind::Namespace,
        true,
        &["status.phase"],
    ),
    row(
        "",
        "v1",
        "nodes",
        "node",
        "Node",
        &["no"],
        false,
        Kind::Node,
        true,
        &["spec.unschedulable"],
    ),
    Row {
        categories: &["all"],
        ..row(
            "",
            "v1",
            "pods",
            "pod",
            "Pod",
            &["po"],
            true,
            Kind::Pod,
            true,
            &[
                "spec.nodeName",
                "spec.restartPolicy",
                "spec.schedulerName",
                "spec.serviceAccountName",
                "spec.hostNetwork",
                "status.phase",
                "status.podIP",
                "status.nominatedNodeName",
            ],
        )
    },
    row(
        "",
        "v1",
        "events",
        "event",
        "Event",
        &["ev"],
        true,
        Kind::Event,
        false,
        &[
            "involvedObject.kind",
            "involvedObject.namespace",
            "involvedObject.name",
            "involvedObject.uid",
            "involvedObject.apiVersion",
            "involvedObject.resourceVersion",
            "involvedObject.fieldPath",
            "reason",
            "reportingComponent",
            "source",
            "type",
        ],
    ),
    row(
        "",
        "v1",
        "configmaps",
        "configmap",
        "ConfigMap",
        &["cm"],
        true,
        Kind::ConfigMap,
        false,
        &[],
    ),
    row(
        "",
        "v1",
        "secrets",
        "secret",
        "Secret",
        &[],
        true,
        Kind::Secret,
        false,
        &["type"],
    ),
    row(
        "",
        "v1",
        "serviceaccounts",
        "serviceaccount",
        "ServiceAccount",
        &["sa"],
        true,
        Kind::ServiceAccount,
        false,
        &[],
    ),
    row(
        "coordination.k8s.io",
        "v1",
        "leases",
        "lease",
        "Lease",
        &[],
        true,
        Kind::Lease,
        false,
        &[],
    ),
    row(
        "events.k8s.io",
        "v1",
        "events",
        "event",
        "Event",
        &["ev"],
        true,
        Kind::EventV1,
        false,
        &[
            "regarding.kind",
            "regarding.namespace",
            "regarding.name",
            "regarding.uid",
            "regarding.apiVersion",
            "regarding.resourceVersion",
            "regarding.fieldPath",
            "reason",
            "reportingController",
            "type",
        ],
    ),
    Row {
        categories: &["all"],
        ..row(
            "batch",
            "v1",
            "jobs",
            "job",
            "Job",
            &[],
            true,
            Kind::Job,
            true,
            &["status.successful"],
        )
    },
    Row {
        categories: &["api-extensions"],
        ..row(
            "admissionregistration.k8s.io",
            "v1",
            "mutatingwebhookconfigurations",
            "mutatingwebhookconfiguration",
            "MutatingWebhookConfiguration",
            &[],
            false,
            Kind::MutatingWebhooks,
            false,
            &[],
        )
    },
    Row {
        categories: &["api-extensions"],
        ..row(
            "admissionregistration.k8s.io",
            "v1",
            "validatingwebhookconfigurations",
            "validatingwebhookconfiguration",
            "ValidatingWebhookConfiguration",
            &[],
            false,
            Kind::ValidatingWebhooks,
            false,
            &[],
        )
    },
    Row {
        categories: &["api-extensions"],
        ..row(
            "apiextensions.k8s.io",
            "v1",
            "customresourcedefinitions",
            "customresourcedefinition",
            "CustomResourceDefinition",
            &["crd", "crds"],
            false,
            Kind::Definition,
            true,
            &[],
        )
    },
];

/// Kinds that are stored and watched, and nothing more.
pub(super) const KEPT: &[Row] = &[
    kept(
        "",
        ["persistentvolumes", "persistentvolume", "PersistentVolume"],
        &["pv"],
        false,
        Kept::PersistentVolume,
    ),
    kept(
        "",
        [
            "persistentvolumeclaims",
            "persistentvolumeclaim",
            "PersistentVolumeClaim",
        ],
        &["pvc"],
        true,
        Kept::PersistentVolumeClaim,
    ),
    Row {
        categories: &["all"],
        selectable: &["spec.clusterIP", "spec.type"],
        ..kept(
            "",
            ["services", "service", "Service"],
            &["svc"],
            true,
            Kept::Service,
        )
    },
    kept(
        "",
        ["endpoints", "endpoints", "Endpoints"],
        &["ep"],
        true,
        Kept::Endpoints,
    ),
    Row {
        categories: &["all"],
        ..kept(
            "apps",
            ["daemonsets", "daemonset", "DaemonSet"],
            &["ds"],
            true,
            Kept::DaemonSet,
        )
    },
    Row {
        categories: &["all"],
        ..kept(
            "apps",
            ["deployments", "deployment", "Deployment"],
            &["deploy"],
            true,
            Kept::Deployment,
        )
    },
    Row {
        categories: &["all"],
        ..kept(
            "batch",
            ["cronjobs", "cronjob", "CronJob"],
            &["cj"],
            true,
            Kept::CronJob,
        )
    },
    kept(
        "policy",
        [
            "poddisruptionbudgets",
            "poddisruptionbudget",
            "PodDisruptionBudget",
        ],
        &["pdb"],
        true,
        Kept::PodDisruptionBudget,
    ),
    kept(
        "scheduling.k8s.io",
        ["priorityclasses", "priorityclass", "PriorityClass"],
        &["pc"],
        false,
        Kept::PriorityClass,
    ),
    kept(
        "storage.k8s.io",
        ["storageclasses", "storageclass", "StorageClass"],
        &["sc"],
        false,
        Kept::StorageClass,
    ),
    kept(
        "storage.k8s.io",
        ["csidrivers", "csidriver", "CSIDriver"],
        &[],
        false,
        Kept::CsiDriver,
    ),
    kept(
        "storage.k8s.io",
        ["volumeattachments", "volumeattachment", "VolumeAttachment"],
        &[],
        false,
        Kept::VolumeAttachment,
    ),
];

#[expect(
    clippy::too_many_arguments,
    reason = "one argument for each column of the table above"
)]
const fn row(
    group: &'static str,
    version: &'static str,
    plural: &'static str,
    singular: &'static str,
    kind: &'static str,
    short: &'static [&'static str],
    namespaced: bool,
    behaviour: Kind,
    status: bool,
    selectable: &'static [&'static str],
) -> Row {
    Row {
        group,
        version,
        plural,
        singular,
        kind,
        short,
        categories: &[],
        namespaced,
        behaviour,
        status,
        selectable,
    }
}

const fn kept(
    group: &'static str,
    [plural, singular, kind]: [&'static str; 3],
    short: &'static [&'static str],
    namespaced: bool,
    behaviour: Kept,
) -> Row {
    row(
        group,
        "v1",
        plural,
        singular,
        kind,
        short,
        namespaced,
        Kind::Kept(behaviour),
        behaviour.has_status(),
        &[],
    )
}
