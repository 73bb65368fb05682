//! The core kinds that the server knows without a definition, as one table.
//!
//! What they default and refuse is in [`crate::core_rules`].

use crate::meta::NameRule;
use crate::resource::{Column, Registry, Resource, TableKey};

/// Which rules apply to the objects of a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Custom,
    Definition,
    Namespace,
    Node,
    Pod,
    Event,
    EventV1,
    ConfigMap,
    Secret,
    Lease,
    ServiceAccount,
    Job,
    MutatingWebhooks,
    ValidatingWebhooks,
}

impl Kind {
    /// PUT or apply of an object that does not exist creates it.
    pub(crate) fn creates_on_update(self) -> bool {
        matches!(self, Self::Event | Self::EventV1 | Self::Lease)
    }

    /// PUT without a resourceVersion overwrites whatever is there.
    pub(crate) fn allows_unconditional_update(self) -> bool {
        !matches!(
            self,
            Self::Custom
                | Self::Definition
                | Self::Lease
                | Self::MutatingWebhooks
                | Self::ValidatingWebhooks
        )
    }

    /// Has `metadata.generation`.
    pub(crate) fn counts_generations(self) -> bool {
        matches!(
            self,
            Self::Custom
                | Self::Definition
                | Self::Job
                | Self::Pod
                | Self::MutatingWebhooks
                | Self::ValidatingWebhooks
        )
    }

    /// The rule for names of the kind.
    pub(crate) fn name_rule(self) -> NameRule {
        match self {
            Self::Namespace => NameRule::Label,
            Self::Event | Self::EventV1 => NameRule::Segment,
            _ => NameRule::Subdomain,
        }
    }

    /// DELETE answers with the object instead of a `Status`.
    pub(crate) fn returns_deleted_object(self) -> bool {
        matches!(self, Self::Pod | Self::ServiceAccount)
    }
}

struct Row {
    group: &'static str,
    version: &'static str,
    plural: &'static str,
    singular: &'static str,
    kind: &'static str,
    short: &'static [&'static str],
    categories: &'static [&'static str],
    namespaced: bool,
    behaviour: Kind,
    status: bool,
    selectable: &'static [&'static str],
}

const ROWS: &[Row] = &[
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

/// A registry with all built-in kinds in it.
pub(crate) fn registry() -> Registry {
    let mut registry = Registry::default();
    for row in ROWS {
        let own = |list: &[&str]| list.iter().map(|s| (*s).to_owned()).collect();
        // Events of both groups are the same stored objects.
        let table_group = if row.behaviour == Kind::EventV1 {
            ""
        } else {
            row.group
        };
        registry.add(Resource {
            group: row.group.to_owned(),
            version: row.version.to_owned(),
            plural: row.plural.to_owned(),
            singular: row.singular.to_owned(),
            kind: row.kind.to_owned(),
            list_kind: format!("{}List", row.kind),
            short_names: own(row.short),
            categories: own(row.categories),
            namespaced: row.namespaced,
            behaviour: row.behaviour,
            has_status: row.status,
            scale: None,
            schema: None,
            columns: Vec::<Column>::new(),
            selectable: own(row.selectable),
            storage_version: row.version.to_owned(),
            table: TableKey {
                group: table_group.to_owned(),
                plural: row.plural.to_owned(),
            },
            epoch: 0,
            deprecation: None,
            foreign_conversion: false,
        });
    }
    registry
}

/// Whether a group of the server's own has a kind.
pub(crate) fn is_kind(group: &str, kind: &str) -> bool {
    ROWS.iter()
        .any(|row| row.group == group && row.kind == kind)
}

/// Whether a group is served by the server itself, not by definitions.
pub(crate) fn is_group(group: &str) -> bool {
    ROWS.iter().any(|row| row.group == group)
}
