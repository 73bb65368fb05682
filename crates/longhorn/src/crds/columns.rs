//! The columns of `kubectl get`.

use fixname_naming::LonghornVersion;

use super::{Kind, Releases};

/// A printer column: name, JSON path, type.
pub(super) type Column = (&'static str, &'static str, &'static str);

/// The columns that `kubectl get` shows besides the name and the age.
pub(super) fn columns(kind: Kind, release: &LonghornVersion) -> Vec<Column> {
    let mut columns = of_all(kind).to_vec();
    if kind == Kind::Volume && Releases::since(1, 12, 0).has(release) {
        columns.push(("Switchover", ".status.switchoverState", "string"));
    }
    columns
}

/// What `kubectl get` shows only with `-o wide`.
pub(super) fn is_wide((name, _, _): Column) -> bool {
    name == "Switchover"
}

/// Those of all releases.
fn of_all(kind: Kind) -> &'static [Column] {
    match kind {
        Kind::Node => &[
            (
                "Ready",
                ".status.conditions[?(@.type=='Ready')].status",
                "string",
            ),
            ("AllowScheduling", ".spec.allowScheduling", "boolean"),
            (
                "Schedulable",
                ".status.conditions[?(@.type=='Schedulable')].status",
                "string",
            ),
        ],
        Kind::BackingImage => &[
            ("UUID", ".status.uuid", "string"),
            ("SourceType", ".spec.sourceType", "string"),
            ("Size", ".status.size", "string"),
            ("VirtualSize", ".status.virtualSize", "string"),
        ],
        Kind::BackingImageManager => &[
            ("State", ".status.currentState", "string"),
            ("Image", ".spec.image", "string"),
            ("Node", ".spec.nodeID", "string"),
            ("DiskUUID", ".spec.diskUUID", "string"),
            ("DiskPath", ".spec.diskPath", "string"),
        ],
        Kind::BackingImageDataSource => &[
            ("UUID", ".spec.uuid", "string"),
            ("State", ".status.currentState", "string"),
            ("SourceType", ".spec.sourceType", "string"),
            ("Size", ".status.size", "string"),
            ("Node", ".spec.nodeID", "string"),
            ("DiskUUID", ".spec.diskUUID", "string"),
        ],
        Kind::Replica => &[
            ("Data Engine", ".spec.dataEngine", "string"),
            ("State", ".status.currentState", "string"),
            ("Node", ".spec.nodeID", "string"),
            ("Disk", ".spec.diskID", "string"),
            ("InstanceManager", ".status.instanceManagerName", "string"),
            ("Image", ".status.currentImage", "string"),
        ],
        Kind::Setting => &[
            ("Value", ".value", "string"),
            ("Applied", ".status.applied", "boolean"),
        ],
        Kind::Volume => &[
            ("Data Engine", ".spec.dataEngine", "string"),
            ("State", ".status.state", "string"),
            ("Robustness", ".status.robustness", "string"),
            (
                "Scheduled",
                ".status.conditions[?(@.type=='Schedulable')].status",
                "string",
            ),
            ("Size", ".spec.size", "string"),
            ("Node", ".status.currentNodeID", "string"),
        ],
    }
}

/// The same for v1beta1, which was served up to v1.8.
pub(super) fn v1beta1_columns(kind: Kind) -> Vec<Column> {
    let same = of_all(kind).iter().copied();
    match kind {
        Kind::Node => vec![
            ("Ready", ".status.conditions['Ready']['status']", "string"),
            ("AllowScheduling", ".spec.allowScheduling", "boolean"),
            (
                "Schedulable",
                ".status.conditions['Schedulable']['status']",
                "string",
            ),
        ],
        Kind::BackingImage => vec![("Image", ".spec.image", "string")],
        Kind::BackingImageManager => same.collect(),
        Kind::BackingImageDataSource => same
            .filter(|(name, _, _)| !matches!(*name, "UUID" | "Size"))
            .collect(),
        Kind::Replica => same.filter(|(name, _, _)| *name != "Data Engine").collect(),
        Kind::Setting => same.filter(|(name, _, _)| *name != "Applied").collect(),
        Kind::Volume => same
            .filter(|(name, _, _)| *name != "Data Engine")
            .map(|column| match column {
                (name @ "Scheduled", _, type_) => {
                    (name, ".status.conditions['scheduled']['status']", type_)
                }
                column => column,
            })
            .collect(),
    }
}
