//! The scenario file: a cluster, the versions to play it under, steps, and what
//! is expected after each. Unknown keys are errors.

mod action;
mod expectation;
mod given;
mod text;

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::IgnoredAny;

pub use action::{
    Action, Config, Copies, Fault, FaultKind, Install, NewDisk, ObjectName, ObjectPatch,
};
pub use expectation::{Expectation, On, Settled, Stuck, Subject};
pub use given::{Cluster, Image, ManagersAre, Volume};
pub(crate) use text::schema_of_text;
pub use text::{DiskPath, Located, Version};

use crate::template::Entry;
use crate::variables::Matrix;

/// One scenario.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Scenario {
    /// Short, unique, in kebab case; selects the scenario on the command line.
    pub name: String,
    /// One line for people.
    pub title: String,
    /// What it shows and why it matters.
    pub description: String,
    /// The versions to play it under, one run each.
    pub longhorn: Vec<Version>,
    /// The backends it can be played on, if not all: it needs what others lack.
    /// Elsewhere it is not judged, and the reports say so.
    pub backends: Option<Vec<BackendName>>,
    /// More than one run a version, to see what is left to chance.
    #[serde(default)]
    pub repeat: Repeat,
    /// What exists before the first manager starts.
    pub cluster: Cluster,
    /// What happens, in order: steps, and templates that are used in their place.
    #[serde(rename = "steps")]
    pub(crate) entries: Vec<Entry>,
    /// The steps, those of templates among them; `entries` in the file.
    #[serde(skip)]
    pub steps: Vec<Step>,
    /// Values for `${name}` anywhere in the file; already in place here.
    #[serde(default, rename = "variables")]
    #[schemars(with = "IndexMap<String, String>")]
    _variables: IgnoredAny,
    /// More values, each of which makes a scenario of its own; already in place here.
    #[serde(default, rename = "matrix")]
    #[schemars(with = "Matrix")]
    _matrix: IgnoredAny,
    /// The file it was read from, as it was given; in no file itself.
    #[serde(skip)]
    pub file: Option<String>,
}

/// A backend, as the command line names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum BackendName {
    /// The embedded API server.
    Embedded,
    /// etcd and kube-apiserver as programs.
    ControlPlane,
    /// A control plane in a container.
    Container,
    /// A cluster that kind makes.
    Kind,
    /// An existing cluster.
    Context,
}

impl BackendName {
    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Embedded => "embedded",
            Self::ControlPlane => "control-plane",
            Self::Container => "container",
            Self::Kind => "kind",
            Self::Context => "context",
        }
    }
}

/// How often to repeat a scenario with other seeds.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Repeat {
    /// Runs a version, each with a seed of its own.
    pub seeds: u64,
    /// Fails unless each contested disk wins in at least one of them.
    #[serde(default)]
    pub every_contested_disk_wins: bool,
}

impl Default for Repeat {
    fn default() -> Self {
        Self {
            seeds: 1,
            every_contested_disk_wins: false,
        }
    }
}

/// One thing that happens, and what is to be seen afterwards.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Step {
    /// A sentence.
    pub name: Located,
    /// What is done, in order; nothing in the first step, which starts the manager.
    #[serde(default, rename = "do")]
    pub actions: Vec<Action>,
    /// What is expected.
    pub expect: Vec<Expectation>,
}
