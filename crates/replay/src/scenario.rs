//! The scenario file: a cluster, the versions to play it under, steps, and what
//! is expected after each. Unknown keys are errors.

use std::fmt;
use std::str::FromStr;

use fixname_naming::{LonghornVersion, resolve};
use indexmap::IndexMap;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;
use serde_saphyr::Spanned;

use crate::command::Command;
use crate::seen::{Findings, Lines, Objects, Span};
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

/// What is expected under which versions: one of the states or things to be seen,
/// and for the latter at most one span of time.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Expectation {
    /// The versions it is about; another version in force skips it.
    #[serde(default)]
    pub on: On,
    /// The collision has struck.
    pub stuck: Option<Stuck>,
    /// All is well.
    pub settled: Option<Settled>,
    /// Objects of a kind.
    pub objects: Option<Objects>,
    /// Lines of the manager's log since the step began.
    pub log: Option<Lines>,
    /// Events since the step began.
    pub event: Option<Lines>,
    /// What `fixname detect` finds in the cluster.
    pub findings: Option<Findings>,
    /// Model seconds within which it must come about.
    pub eventually: Option<u32>,
    /// Model seconds for which it must be so at each look.
    pub always_for: Option<u32>,
    /// Model seconds for which it must not be so at any look.
    pub never_for: Option<u32>,
    /// Model seconds, two resyncs or more, for which nothing about it may move.
    pub stuck_for: Option<u32>,
}

/// The one thing that an [`Expectation`] is about.
#[derive(Clone, Copy, Debug)]
pub enum Subject<'a> {
    /// [`Expectation::stuck`].
    Stuck(&'a Stuck),
    /// [`Expectation::settled`].
    Settled(&'a Settled),
    /// [`Expectation::objects`].
    Objects(&'a Objects),
    /// [`Expectation::log`].
    Log(&'a Lines),
    /// [`Expectation::event`].
    Event(&'a Lines),
    /// [`Expectation::findings`].
    Findings(&'a Findings),
}

impl Expectation {
    /// What it is about.
    ///
    /// # Errors
    ///
    /// That it says nothing, or several things.
    pub fn subject(&self) -> Result<Subject<'_>, String> {
        let given: Vec<Subject<'_>> = [
            self.stuck.as_ref().map(Subject::Stuck),
            self.settled.as_ref().map(Subject::Settled),
            self.objects.as_ref().map(Subject::Objects),
            self.log.as_ref().map(Subject::Log),
            self.event.as_ref().map(Subject::Event),
            self.findings.as_ref().map(Subject::Findings),
        ]
        .into_iter()
        .flatten()
        .collect();
        match given[..] {
            [one] => Ok(one),
            _ => Err(
                "each expectation says one of stuck, settled, objects, log, event and findings"
                    .to_owned(),
            ),
        }
    }

    /// For how long.
    pub fn span(&self) -> Span {
        Span {
            eventually: self.eventually,
            always_for: self.always_for,
            never_for: self.never_for,
            stuck_for: self.stuck_for,
        }
    }
}

/// Which versions an expectation is about. What a version *should* do follows
/// from the version table, whatever name function its model was given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum On {
    /// All of them.
    #[default]
    All,
    /// Versions with truncated names.
    Affected,
    /// Versions with hashed names.
    Fixed,
}

impl On {
    /// True if it is about that version.
    pub fn includes(self, version: &LonghornVersion) -> bool {
        let affected = resolve(version).is_ok_and(|r| r.release().affected());
        match self {
            Self::All => true,
            Self::Affected => affected,
            Self::Fixed => !affected,
        }
    }
}

/// The collision has struck: of the contested disks one has a manager, the
/// others never get one, and the image's status is frozen, for at least two resyncs.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Stuck {
    /// The image that is stuck.
    pub image: String,
    /// The disks that share a name.
    pub contested: Vec<DiskPath>,
    /// The disk that has the name; any of the contested ones if not given.
    pub winner: Option<DiskPath>,
    /// Disks that collide with nothing and are shut out all the same: their
    /// managers have the file, the image's status does not say so.
    #[serde(default)]
    pub bystanders: Vec<DiskPath>,
}

/// All is well: every wanted disk has one manager of its own, by the right name,
/// every copy is ready, nothing is left over, and it stays so for two resyncs.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Settled {
    /// The image.
    pub image: String,
}

/// A text, and where it stands in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Located {
    /// The text.
    pub text: String,
    /// Its line, from 1; `None` if it was not read from YAML.
    pub line: Option<u64>,
}

impl<'de> Deserialize<'de> for Located {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<String>::deserialize(deserializer)?;
        let line = spanned.referenced.line();
        Ok(Self {
            text: spanned.value,
            line: (line > 0).then_some(line),
        })
    }
}

impl fmt::Display for Located {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// `node/disk`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DiskPath {
    /// The node's name.
    pub node: String,
    /// The disk's name on that node.
    pub disk: String,
}

impl FromStr for DiskPath {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once('/') {
            Some((node, disk)) if !node.is_empty() && !disk.is_empty() && !disk.contains('/') => {
                Ok(Self {
                    node: node.to_owned(),
                    disk: disk.to_owned(),
                })
            }
            _ => Err(format!(
                "a disk is written node/disk, for instance node-1/disk-7; found {text:?}"
            )),
        }
    }
}

impl fmt::Display for DiskPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.node, self.disk)
    }
}

/// A version as a scenario writes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version(pub LonghornVersion);

impl FromStr for Version {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let version: LonghornVersion = text.parse().map_err(|e| format!("{e}"))?;
        resolve(&version).map_err(|e| e.to_string())?;
        Ok(Self(version))
    }
}

/// Types that a file writes as text.
macro_rules! schema_of_text {
    ($($name:ident)+) => {
        $(
            impl JsonSchema for $name {
                fn inline_schema() -> bool {
                    true
                }

                fn schema_name() -> std::borrow::Cow<'static, str> {
                    stringify!($name).into()
                }

                fn json_schema(_: &mut SchemaGenerator) -> Schema {
                    json_schema!({"type": "string"})
                }
            }
        )+
    };
}
pub(crate) use schema_of_text;

schema_of_text!(DiskPath Version Located);

macro_rules! from_text {
    ($($name:ident)+) => {
        $(
            impl<'de> Deserialize<'de> for $name {
                fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                    String::deserialize(deserializer)?
                        .parse()
                        .map_err(serde::de::Error::custom)
                }
            }
        )+
    };
}
from_text!(DiskPath Version);
