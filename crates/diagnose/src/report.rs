//! What a diagnosis says, as other programs parse it. Adding a field is free;
//! changing what one means takes a new [`FORMAT_VERSION`].

use fixname_longhorn::{Coverage, Ignored};
use schemars::JsonSchema;
use serde::Serialize;

use crate::running::Running;

/// The version of everything in this file as JSON.
pub const FORMAT_VERSION: u32 = 1;

/// The result of [`crate::diagnose`].
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Report {
    /// [`FORMAT_VERSION`].
    pub format_version: u32,
    /// Which Longhorn was assumed to run, and why.
    pub running: Running,
    /// What was found: active first, then unknown, latent and cleared.
    pub findings: Vec<Finding>,
    /// What was and was not read, for each kind of object.
    pub coverage: Vec<Coverage>,
    /// What was given and not used.
    pub ignored: Vec<Ignored>,
}

impl Report {
    /// True unless everything found is harmless. "Could not tell" is a problem.
    #[must_use]
    pub fn has_problem(&self) -> bool {
        self.findings.iter().any(|f| f.state != State::Cleared)
    }
}

/// One thing that was found.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Finding {
    /// Which rule found it.
    pub code: Code,
    /// Whether it does harm now.
    pub state: State,
    /// How much it matters.
    pub severity: Severity,
    /// The namespace of Longhorn's objects.
    pub namespace: String,
    /// The shared first four characters, if it is about those.
    pub prefix: Option<String>,
    /// The name of a manager that it is about, if the manager's image is known.
    pub manager_name: Option<String>,
    /// The disks that it is about.
    pub disks: Vec<FindingDisk>,
    /// Names of backing images: the ones that are stuck if it is active, else
    /// the ones that want one of the disks.
    pub backing_images: Vec<String>,
    /// What was compared, with the exact names and values.
    pub evidence: Vec<String>,
    /// What to do.
    pub advice: String,
}

impl Finding {
    /// The one sentence that stands over it.
    #[must_use]
    pub fn title(&self) -> &'static str {
        match (self.code, self.state) {
            (Code::SharedPrefix, State::Active) => "Disks fight over one manager name",
            (Code::SharedPrefix, State::Unknown) => "Disks may be fighting over one manager name",
            (Code::SharedPrefix, State::Latent) => "Disks would get one manager name",
            (Code::SharedPrefix, State::Cleared) => {
                "Disks share a prefix that this version does not use"
            }
            (Code::SameUuid, _) => "One disk UUID stands on more than one disk",
            (Code::UnlabelledManager, _) => "A manager cannot be found by its own disk",
            (Code::UnusableUuid, _) => "A disk's UUID makes no valid manager name",
            (Code::TwoManagerImages, _) => "Managers of two images live side by side",
            (Code::BlockDisk, _) => "A block disk shares a prefix, which is harmless",
            (Code::NodesNotRead, _) => "Disks were not judged: there are no nodes in the input",
        }
    }
}

/// One disk in a finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct FindingDisk {
    /// Its node; empty if unknown.
    pub node: String,
    /// Its name on the node; empty if unknown.
    pub name: String,
    /// Its full UUID.
    #[serde(rename = "diskUUID")]
    pub disk_uuid: String,
    /// Its part in the matter.
    pub role: Role,
}

/// The rules, by what they look for. `as_str` gives the stable code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema)]
#[non_exhaustive]
pub enum Code {
    /// Two or more filesystem disks share the part of the UUID that v1.9.1 and
    /// earlier put into manager names (longhorn#11455).
    #[serde(rename = "LHC001")]
    SharedPrefix,
    /// Two disks have one full UUID: cloned disks. Not this bug, and no naming
    /// scheme helps.
    #[serde(rename = "LHC002")]
    SameUuid,
    /// A manager holds its disk's name without the label by which Longhorn
    /// looks managers up, so Longhorn tries to create it for ever.
    #[serde(rename = "LHC003")]
    UnlabelledManager,
    /// A hand-made UUID from which the truncated name function makes a name
    /// that the API server refuses, or on which it crashes.
    #[serde(rename = "LHC004")]
    UnusableUuid,
    /// Live managers of two images: an upgrade under way, or two Longhorn
    /// managers that undo each other's work.
    #[serde(rename = "LHC005")]
    TwoManagerImages,
    /// A block disk shares a prefix. The knowledge base's script lists it too,
    /// but block disks have no managers.
    #[serde(rename = "LHC006")]
    BlockDisk,
    /// The input has no nodes, so nothing is known about disks.
    #[serde(rename = "LHC007")]
    NodesNotRead,
}

impl Code {
    /// The code as printed.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SharedPrefix => "LHC001",
            Self::SameUuid => "LHC002",
            Self::UnlabelledManager => "LHC003",
            Self::UnusableUuid => "LHC004",
            Self::TwoManagerImages => "LHC005",
            Self::BlockDisk => "LHC006",
            Self::NodesNotRead => "LHC007",
        }
    }
}

/// Whether a finding does harm. In the order in which findings are listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It does harm now.
    Active,
    /// It cannot be told from what was read.
    Unknown,
    /// It does no harm now, and would after some ordinary change.
    Latent,
    /// It does no harm, and will not.
    Cleared,
}

impl State {
    /// The word as printed.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Unknown => "unknown",
            Self::Latent => "latent",
            Self::Cleared => "cleared",
        }
    }
}

/// How much a finding matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Something does not work.
    Error,
    /// Something will not work, or may not.
    Warning,
    /// Good to know.
    Info,
}

impl Severity {
    /// The word as printed.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Info => "info",
        }
    }
}

/// A disk's part in a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Its manager holds the name.
    Winner,
    /// Its manager cannot be created because the name is held.
    Loser,
    /// It collides with nothing, but a stuck image leaves its copy out of the
    /// image's status.
    Bystander,
    /// It is one of the disks, with no part in a fight.
    Member,
}

impl Role {
    /// The word as printed.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Winner => "winner",
            Self::Loser => "loser",
            Self::Bystander => "bystander",
            Self::Member => "member",
        }
    }
}
