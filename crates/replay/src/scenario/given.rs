//! What exists before the first manager starts.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Deserialize;

use super::DiskPath;

/// What exists before the first manager starts.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Cluster {
    /// Filesystem disks, ready and schedulable: `node/disk` to UUID.
    pub disks: IndexMap<DiskPath, String>,
    /// Backing images by name.
    pub images: IndexMap<String, Image>,
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
