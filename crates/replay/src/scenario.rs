//! The scenario file: a cluster, the versions to play it under, steps, and what
//! is expected after each. Unknown keys are errors.

use std::fmt;
use std::str::FromStr;

use fixname_naming::{LonghornVersion, resolve};
use indexmap::IndexMap;
use serde::Deserialize;
use serde_saphyr::Spanned;

/// One scenario.
#[derive(Clone, Debug, Deserialize)]
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
    /// More than one run a version, to see what is left to chance.
    #[serde(default)]
    pub repeat: Repeat,
    /// What exists before the first manager starts.
    pub cluster: Cluster,
    /// What happens, in order.
    pub steps: Vec<Step>,
    /// The file it was read from, as it was given; in no file itself.
    #[serde(skip)]
    pub file: Option<String>,
}

/// How often to repeat a scenario with other seeds.
#[derive(Clone, Copy, Debug, Deserialize)]
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
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Cluster {
    /// Filesystem disks, ready and schedulable: `node/disk` to UUID.
    pub disks: IndexMap<DiskPath, String>,
    /// Backing images by name.
    pub images: IndexMap<String, Image>,
}

/// A backing image.
#[derive(Clone, Debug, Deserialize)]
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
#[derive(Clone, Debug, Deserialize)]
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
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub enum Action {
    /// Adds disks to an image's `diskFileSpecMap`, as a waiting replica does.
    Want(Copies),
    /// Removes disks from an image's `diskFileSpecMap`.
    Drop(Copies),
    /// Replaces the manager process by one of that version, with its default image.
    Upgrade(Version),
}

/// Copies of an image.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Copies {
    /// The image.
    pub image: String,
    /// The disks.
    pub disks: Vec<DiskPath>,
}

/// What is expected under which versions. Exactly one of the states is given.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Expectation {
    /// The versions it is about; another version in force skips it.
    #[serde(default)]
    pub on: On,
    /// The collision has struck.
    pub stuck: Option<Stuck>,
    /// All is well.
    pub settled: Option<Settled>,
}

/// Which versions an expectation is about. What a version *should* do follows
/// from the version table, whatever name function its model was given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
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
#[derive(Clone, Debug, Deserialize)]
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
#[derive(Clone, Debug, Deserialize)]
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
