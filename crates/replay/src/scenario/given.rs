//! What exists before the first manager starts.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{DiskPath, Located};

/// What exists before the first manager starts.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Cluster {
    /// A dump of a cluster, as `fixname detect` reads one, in the folder of this file
    /// or below. Its disks that are ready, images, volumes and settings are there besides
    /// those that follow.
    pub captured: Option<Located>,
    /// Filesystem disks, ready and schedulable: `node/disk` to UUID.
    #[serde(default)]
    pub disks: IndexMap<DiskPath, String>,
    /// Those among the disks that are block disks, which never hold a copy.
    #[serde(default)]
    pub block: Vec<DiskPath>,
    /// Those among the disks that their nodes do not have yet: `addDisk` adds them.
    #[serde(default)]
    pub later: Vec<DiskPath>,
    /// Backing images by name.
    #[serde(default)]
    pub images: IndexMap<String, Image>,
    /// Volumes by name.
    #[serde(default)]
    pub volumes: IndexMap<String, Volume>,
    /// Longhorn's settings by name, besides and instead of the usual ones.
    #[serde(default)]
    pub settings: IndexMap<String, String>,
    /// Whose work a manager process does.
    #[serde(default)]
    pub managers: ManagersAre,
    /// How many milliseconds late a manager's caches show what others have changed, at
    /// most; each kind of object draws its own lateness, again and again.
    #[serde(default)]
    pub cache_lag_ms: u16,
}

/// Whose work a manager process does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum ManagersAre {
    /// One process does the work of all nodes: for each object its owner's.
    #[default]
    One,
    /// A process for each node, as in a real cluster. Each has caches of its own, and
    /// ends when its node loses its power.
    EachNode,
}

/// A volume of a backing image.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Volume {
    /// The image.
    pub image: String,
    /// Replicas to keep.
    #[serde(default = "three")]
    pub replicas: i64,
    /// Disks that have one of its replicas from the start; for the others, disks are
    /// found.
    #[serde(default)]
    pub on: Vec<DiskPath>,
    /// The node it is attached to; without it, to none.
    pub node: Option<String>,
}

fn three() -> i64 {
    3
}

/// A backing image.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Image {
    /// The disk its data source is on.
    pub source: DiskPath,
    /// The disks that should hold a copy.
    pub copies: Vec<DiskPath>,
    /// Copies Longhorn tries to keep.
    #[serde(default = "one")]
    pub minimum: i64,
    /// Seconds the first copy takes to download. Without it, the first copy is
    /// there and ready.
    pub download: Option<u32>,
}

fn one() -> i64 {
    1
}
