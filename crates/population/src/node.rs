//! Nodes as typed objects, for use in process: by `diagnose`, or on an API
//! server. The fields are those that a Longhorn of v1.8 to v1.12 writes for a
//! healthy node that has just joined.

use fixname_longhorn::objects::condition;
use fixname_longhorn::{
    Coverage, CoverageState, DiskSpec, DiskStatus, DiskType, Inventory, Kind, Node,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};

use crate::population::Population;

/// When all nodes joined, as text and in seconds since 1970: no clock is asked,
/// so that the same seed gives the same bytes.
pub(crate) const CREATED: &str = "2025-01-01T00:00:00Z";
const CREATED_SECONDS: i64 = 1_735_689_600;
/// The version of the first node's object.
pub(crate) const FIRST_VERSION: u64 = 1000;
/// Bytes of every disk.
pub(crate) const DISK_SIZE: i64 = 100_000_000_000;
/// What marks the objects, so that they can be found again.
pub const LABEL: (&str, &str) = ("app.kubernetes.io/managed-by", "fixname-population");

impl Population {
    /// A node with all its disks.
    ///
    /// # Panics
    /// When there is no such node.
    pub fn node(&mut self, node: u64) -> Node {
        assert!(
            node < self.spec().nodes,
            "node {node} of {}",
            self.spec().nodes
        );
        let mut name = String::new();
        self.node_name(&mut name, node);
        let mut object = Node::named(&name);
        let uid = self.node_uid(node);
        object.metadata = ObjectMeta {
            creation_timestamp: jiff::Timestamp::from_second(CREATED_SECONDS).ok().map(Time),
            generation: Some(1),
            labels: Some([(LABEL.0.to_owned(), LABEL.1.to_owned())].into()),
            namespace: Some(fixname_longhorn::NAMESPACE.to_owned()),
            resource_version: Some((FIRST_VERSION + node).to_string()),
            uid: Some(String::from_utf8_lossy(&uid).into_owned()),
            ..object.metadata
        };
        object.spec.name = name;
        object.spec.allow_scheduling = true;
        let healthy = || {
            ["Ready", "Schedulable"]
                .map(|type_| condition(type_, true, ""))
                .to_vec()
        };
        object.status.conditions = healthy();
        let per_node = self.spec().disks_per_node;
        for slot in 0..per_node {
            let disk = self.disk(node * per_node + slot);
            let mut name = String::new();
            self.disk_name(&mut name, slot);
            let path = format!("/var/lib/{name}");
            object.spec.disks.insert(
                name.clone(),
                DiskSpec {
                    disk_type: DiskType::Filesystem,
                    path: path.clone(),
                    allow_scheduling: true,
                    ..DiskSpec::default()
                },
            );
            object.status.disk_status.insert(
                name.clone(),
                DiskStatus {
                    disk_uuid: disk.uuid().to_owned(),
                    disk_name: name,
                    disk_path: path,
                    disk_type: DiskType::Filesystem,
                    filesystem_type: "ext4".to_owned(),
                    conditions: healthy(),
                    storage_available: DISK_SIZE,
                    storage_maximum: DISK_SIZE,
                    ..DiskStatus::default()
                },
            );
        }
        object
    }

    /// The whole cluster as what `detect` judges. This one is not streamed: every
    /// node is kept.
    #[must_use]
    pub fn inventory(&self) -> Inventory {
        let mut all = self.clone();
        let nodes: Vec<Node> = (0..self.spec().nodes).map(|node| all.node(node)).collect();
        let state = CoverageState::Read {
            objects: nodes.len(),
            sources: vec!["a generated population".to_owned()],
        };
        Inventory {
            nodes,
            coverage: vec![Coverage {
                kind: Kind::Node,
                state,
                notes: Vec::new(),
            }],
            ..Inventory::default()
        }
    }
}
