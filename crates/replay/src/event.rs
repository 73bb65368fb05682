//! What a suite reports while it runs, and what is left of it. Terminal, JSON and
//! every other report are made from these and nothing else.
//!
//! A run that fails says so in its [`RunResult`]; whatever else goes wrong (a file
//! that cannot be read, an API server that goes away, something left behind, a
//! report that cannot be written) is a [`Trouble`] of the suite, and fails it too.

use std::time::Duration;

use fixname_naming::LonghornVersion;
use serde::Serialize;

/// What a suite tells while it runs.
#[derive(Clone, Copy, Debug)]
pub enum Progress<'a> {
    /// A run has ended, in whatever order the runs do.
    Ended {
        /// How many have.
        done: usize,
        /// How many there will be.
        planned: usize,
        /// The scenario.
        name: &'a str,
    },
    /// The next run in the order of the suite.
    Run(&'a RunResult),
}

/// How one run of one scenario ended.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RunResult {
    /// The scenario's name.
    pub name: String,
    /// The scenario's title.
    pub title: String,
    /// The file it was read from, as it was given; `None` if it was not read from one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The version it began with.
    #[serde(serialize_with = "as_text")]
    pub longhorn: LonghornVersion,
    /// `passed` or `failed`.
    pub result: Verdict,
    /// Wall time.
    #[serde(rename = "durationMs", serialize_with = "as_millis")]
    pub duration: Duration,
    /// Model time.
    #[serde(rename = "modelSeconds", serialize_with = "as_seconds")]
    pub model_time: Duration,
    /// Reruns it exactly.
    pub seed: u64,
    /// Its steps, as far as it got.
    pub steps: Vec<StepResult>,
    /// Why it failed; empty if it passed.
    pub failures: Vec<Failure>,
    /// What was left of it to look at, and how, if that was asked for and it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kept: Option<String>,
}

/// `passed` or `failed`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Everything expected was seen.
    Passed,
    /// Something was not, or could not be checked.
    Failed,
}

/// One step of a run.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StepResult {
    /// The step's name.
    pub name: String,
    /// The version in force.
    #[serde(serialize_with = "as_text")]
    pub longhorn: LonghornVersion,
    /// What was seen, as far as it was as expected.
    pub outcomes: Vec<Outcome>,
}

/// What was seen.
#[derive(Clone, Debug, Serialize)]
#[serde(
    tag = "state",
    rename_all = "lowercase",
    rename_all_fields = "camelCase"
)]
pub enum Outcome {
    /// The collision has struck.
    Stuck {
        /// The image that is stuck.
        image: String,
        /// The name that is fought for.
        manager_name: String,
        /// The disk that has it.
        winner: Disk,
        /// The disks that do not.
        losers: Vec<Disk>,
        /// Shut out although they collide with nothing.
        bystanders: Vec<Disk>,
        /// Failed attempts, resync by resync.
        attempts: Vec<usize>,
        /// Model seconds during which nothing moved.
        #[serde(rename = "frozenSeconds", serialize_with = "as_seconds")]
        frozen: Duration,
        /// What the manager logs.
        error: String,
    },
    /// All is well.
    Settled {
        /// The image.
        image: String,
        /// The managers that serve it.
        managers: Vec<Manager>,
        /// Model seconds until it was so.
        #[serde(rename = "afterSeconds", serialize_with = "as_seconds")]
        after: Duration,
    },
    /// Something single was as expected.
    Seen {
        /// What, in words.
        what: String,
        /// How many fitted at the last look.
        count: usize,
        /// Model seconds until it was shown.
        #[serde(rename = "afterSeconds", serialize_with = "as_seconds")]
        after: Duration,
    },
}

/// A disk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Disk {
    /// The node's name.
    pub node: String,
    /// The disk's name.
    pub name: String,
    /// The disk's UUID.
    #[serde(rename = "diskUUID")]
    pub uuid: String,
}

/// A manager and its disk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Manager {
    /// The manager's name.
    pub name: String,
    /// The disk it serves.
    pub disk: Disk,
}

/// Why a run failed, for somebody who has to act on it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Failure {
    /// The step, or the phase outside the steps.
    pub step: String,
    /// The line of the step in the scenario's file, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
    /// What was expected, in a sentence.
    pub expected: String,
    /// What was found instead, point by point.
    pub found: Vec<String>,
    /// The last log lines of the manager before that.
    pub log: Vec<String>,
}

/// Something that went wrong outside of any run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Trouble {
    /// While doing what.
    pub phase: Phase,
    /// What went wrong, in words.
    pub message: String,
}

/// What a suite was doing when something went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// Reading scenarios: one is wrong, or none is left to play.
    Input,
    /// Making or reaching the API server.
    Environment,
    /// Removing what was made.
    CleanUp,
    /// Writing a report.
    Report,
    /// Playing, for longer than allowed.
    Timeout,
    /// Playing, until somebody pressed Ctrl-C.
    Interrupted,
}

impl Phase {
    /// Its word in reports.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Input => "input",
            Self::Environment => "environment",
            Self::CleanUp => "clean-up",
            Self::Report => "report",
            Self::Timeout => "timeout",
            Self::Interrupted => "interrupted",
        }
    }
}

/// Counts over a suite.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Totals {
    /// Runs that passed.
    pub passed: usize,
    /// Runs that failed.
    pub failed: usize,
}

fn as_text<S: serde::Serializer>(
    version: &LonghornVersion,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_str(version)
}

fn as_millis<S: serde::Serializer>(span: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(u64::try_from(span.as_millis()).unwrap_or(u64::MAX))
}

fn as_seconds<S: serde::Serializer>(span: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(span.as_secs())
}
