//! What a step does.

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
    /// Applies an object (server-side apply, with force).
    Apply(Value),
    /// Merges a patch into an object.
    Patch(ObjectPatch),
    /// Deletes an object; its finalizers are up to the managers.
    Delete(ObjectName),
    /// Lets so many model seconds pass.
    Advance(u32),
    /// Has the API server misbehave, as the managers see it.
    Fault(Fault),
    /// Runs a program against the cluster.
    Run(Command),
}

/// The name of an object.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct ObjectName {
    /// `longhorn.io/v1beta2` if not given.
    pub api_version: Option<String>,
    /// Its kind.
    pub kind: String,
    /// Its name.
    pub name: String,
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
