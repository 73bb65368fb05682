//! What is expected after a step.

use fixname_naming::{LonghornVersion, resolve};
use schemars::JsonSchema;
use serde::Deserialize;

use super::DiskPath;
use crate::seen::{Findings, Lines, Objects, Span};

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
