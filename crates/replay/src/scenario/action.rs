//! What a step does.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::{DiskPath, Version};
use crate::command::Command;

/// One action.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub enum Action {
    /// Adds disks to an image's `diskFileSpecMap`, as a waiting replica does.
    Want(Copies),
    /// Removes disks from an image's `diskFileSpecMap`.
    Drop(Copies),
    /// Replaces the manager process by one of that version, with its default image.
    Upgrade(Version),
    /// Ends the manager process, and starts another one of the same version.
    Restart,
    /// Replaces the manager process in ways that an upgrade by the book does not.
    Install(Install),
    /// Cuts a node's power: its pods, replicas and its manager are gone.
    NodeDown(String),
    /// Gives a node's power back.
    NodeUp(String),
    /// Puts a disk into its node's spec.
    AddDisk(NewDisk),
    /// Edits a disk's `longhorn-disk.cfg` by hand.
    Config(Config),
    /// Applies an object (server-side apply, with force).
    Apply(Value),
    /// Merges a patch into an object.
    Patch(ObjectPatch),
    /// Deletes an object, or all with some labels; finalizers are up to the managers.
    Delete(ObjectName),
    /// Lets so many model seconds pass.
    Advance(u32),
    /// Has the API server misbehave, as the managers see it.
    Fault(Fault),
    /// Runs a program against the cluster.
    Run(Command),
}

/// Another manager process.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Install {
    /// Its version.
    pub version: Version,
    /// The image of backing image managers stays what it is, as where it is pinned.
    #[serde(default)]
    pub keep_image: bool,
    /// Longhorn's check of the upgrade path is switched off.
    #[serde(default)]
    pub unchecked: bool,
}

/// A disk that is added to its node. One that the cluster's `disks` have brings its
/// UUID along in its configuration; any other one is blank.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct NewDisk {
    /// The disk.
    pub disk: DiskPath,
    /// It is a block disk.
    #[serde(default)]
    pub block: bool,
    /// Whether replicas and copies may be put there at once.
    #[serde(default = "yes")]
    pub scheduling: bool,
}

fn yes() -> bool {
    true
}

/// What a disk's `longhorn-disk.cfg` is to say.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Config {
    /// The disk.
    pub disk: DiskPath,
    /// Its UUID; without it, the file is removed.
    pub uuid: Option<String>,
}

/// The name of an object, or the labels of several.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct ObjectName {
    /// `longhorn.io/v1beta2` if not given.
    pub api_version: Option<String>,
    /// Their kind.
    pub kind: String,
    /// The one of this name.
    pub name: Option<String>,
    /// All with these labels, of which there must be one.
    #[serde(default)]
    pub labels: IndexMap<String, String>,
    /// It must be refused, with this in the API server's words.
    pub refused: Option<String>,
}

/// A change of an object.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct ObjectPatch {
    /// `longhorn.io/v1beta2` if not given.
    pub api_version: Option<String>,
    /// Its kind.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// A JSON merge patch.
    pub merge: Value,
    /// Whether it goes to the object's `status`.
    #[serde(default)]
    pub status: bool,
    /// It must be refused, with this in the API server's words.
    pub refused: Option<String>,
}

/// A fault of the API server.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Fault {
    /// Only requests with this verb, as RBAC has it: get, list, watch, create, …
    pub verb: Option<String>,
    /// Only requests for this resource, such as `backingimagemanagers`.
    pub resource: Option<String>,
    /// Only requests for the object of this name.
    pub name: Option<String>,
    /// The first such request that is hit, from now on.
    #[serde(default = "first")]
    pub nth: u64,
    /// How many in a row are hit.
    #[serde(default = "first")]
    pub times: u64,
    /// What happens to it.
    pub action: FaultKind,
}

fn first() -> u64 {
    1
}

/// What a fault does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum FaultKind {
    /// Answers 500, and does nothing.
    Error,
    /// Answers 409 as if somebody else had written in between, and does nothing.
    Conflict,
    /// Cuts the connection, and does nothing.
    Drop,
    /// Does it, and cuts the connection instead of answering.
    LoseAnswer,
    /// Cuts a watch at its next event.
    BreakWatch,
    /// Answers 410: the version is gone.
    Expired,
}

/// Copies of an image.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Copies {
    /// The image.
    pub image: String,
    /// The disks.
    pub disks: Vec<DiskPath>,
}
