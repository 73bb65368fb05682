//! The core kinds that the server knows without a definition. The table of them
//! is in [`rows`]; what they default and refuse is in [`crate::core_rules`].

mod rows;

use crate::kept::Kept;
use crate::meta::NameRule;
use crate::resource::{Column, Registry, Resource, TableKey};
use rows::{KEPT, ROWS, Row};

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
    /// Stored and watched; nothing acts on it.
    Kept(Kept),
}

impl Kind {
    /// PUT or apply of an object that does not exist creates it.
    pub(crate) fn creates_on_update(self) -> bool {
        match self {
            Self::Kept(kind) => kind.creates_on_update(),
            _ => matches!(self, Self::Event | Self::EventV1 | Self::Lease),
        }
    }

    /// PUT without a resourceVersion overwrites whatever is there.
    pub(crate) fn allows_unconditional_update(self) -> bool {
        match self {
            Self::Custom
            | Self::Definition
            | Self::Lease
            | Self::MutatingWebhooks
            | Self::ValidatingWebhooks => false,
            Self::Kept(kind) => kind.allows_unconditional_update(),
            _ => true,
        }
    }

    /// Has `metadata.generation`.
    pub(crate) fn counts_generations(self) -> bool {
        match self {
            Self::Custom
            | Self::Definition
            | Self::Job
            | Self::Pod
            | Self::MutatingWebhooks
            | Self::ValidatingWebhooks => true,
            Self::Kept(kind) => kind.counts_generations(),
            _ => false,
        }
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
        match self {
            Self::Kept(kind) => kind.returns_deleted_object(),
            _ => matches!(self, Self::Pod | Self::ServiceAccount),
        }
    }
}

fn all() -> impl Iterator<Item = &'static Row> {
    ROWS.iter().chain(KEPT)
}

/// A registry with all built-in kinds in it.
pub(crate) fn registry() -> Registry {
    let mut registry = Registry::default();
    for row in all() {
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
            deprecation: match row.behaviour {
                Kind::Kept(kind) => kind.deprecation().map(str::to_owned),
                _ => None,
            },
            foreign_conversion: false,
        });
    }
    registry
}

/// A kind of one of the server's own groups.
pub(crate) fn kind(group: &str, kind: &str) -> Option<Kind> {
    let mut rows = all();
    let row = rows.find(|row| row.group == group && row.kind == kind)?;
    Some(row.behaviour)
}

/// Whether a group of the server's own has a kind that is no resource: lists, and
/// what every group has of its own (`apimachinery/pkg/apis/meta/v1/register.go`).
pub(crate) fn is_other_kind(group: &str, kind: &str) -> bool {
    const EVERYWHERE: [&str; 7] = [
        "WatchEvent",
        "ListOptions",
        "GetOptions",
        "DeleteOptions",
        "CreateOptions",
        "UpdateOptions",
        "PatchOptions",
    ];
    const CORE: [&str; 5] = [
        "Status",
        "APIVersions",
        "APIGroup",
        "APIGroupList",
        "APIResourceList",
    ];
    let of_list = |list: &str| self::kind(group, list).is_some();
    is_group(group)
        && (EVERYWHERE.contains(&kind)
            || (group.is_empty() && CORE.contains(&kind))
            || kind.strip_suffix("List").is_some_and(of_list))
}

/// Whether a group is served by the server itself, not by definitions.
pub(crate) fn is_group(group: &str) -> bool {
    all().any(|row| row.group == group)
}
