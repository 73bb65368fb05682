//! The format of a recording: one JSON object a line, one line for each run of a
//! real Longhorn. Reading is strict: a field, operation or stand-in that is not
//! known is an error, for a recording that is half understood proves nothing.

use std::collections::BTreeMap;
use std::fmt;
use std::io::Read;

use fixname_naming::{ImageRef, LonghornVersion};
use indexmap::IndexMap;
use serde::de::{self, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

use super::admission::Row;

/// One recorded run.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Recording {
    /// What is played.
    pub scenario: String,
    /// The version of the first process.
    #[serde(deserialize_with = "version")]
    pub version: LonghornVersion,
    /// Which repeat of the same thing.
    pub run: u32,
    /// Who puts finalizers on managers and data sources.
    pub finalizers: Finalizers,
    /// Whose custom resource definitions the API server had.
    #[serde(rename = "longhornCRDs")]
    pub longhorn_crds: String,
    /// Disks by node and name.
    pub nodes: IndexMap<String, IndexMap<String, DiskAtStart>>,
    /// Which nodes are ready.
    pub node_ready: BTreeMap<String, bool>,
    /// Images by name.
    pub backing_images: IndexMap<String, ImageAtStart>,
    /// What happens, and what the cluster looks like after it.
    pub steps: Vec<RecordedStep>,
    /// The names of the processes' own logs.
    #[serde(default)]
    pub raw_logs: Vec<String>,
    /// What played the parts of Longhorn that were not the real thing.
    pub stand_ins: StandIns,
}

/// Who puts finalizers on managers and data sources.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Finalizers {
    /// The API server, on creation; they stay, terminating, when deleted.
    Webhook,
    /// Nobody; they vanish at once when deleted.
    None,
    /// Longhorn's own webhooks, which also judge what the controller writes.
    LonghornWebhooks,
}

/// What played the parts of Longhorn that were not the real thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StandIns {
    /// All of them.
    PodsDataSourcesEviction,
    /// Managers that always run and have every file; a new process for each step.
    PodsOnly,
}

/// A disk before the first step.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DiskAtStart {
    /// Its UUID.
    #[serde(rename = "diskUUID")]
    pub disk_uuid: String,
    /// Its conditions.
    pub ready: bool,
    /// It is being evicted.
    #[serde(default)]
    pub eviction_requested: bool,
}

/// An image before the first step.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ImageAtStart {
    /// The UUIDs of the disks it wants.
    pub disk_file_spec_map: Vec<String>,
    /// Those of them whose entry is of the v2 engine.
    #[serde(default)]
    pub v2_disks: Vec<String>,
    /// Copies wanted at least.
    pub min_number_of_copies: i64,
    /// The UUID of its data source's disk; no data source if there is none.
    #[serde(deserialize_with = "Option::deserialize")]
    pub data_source_disk: Option<String>,
    /// The data source.
    pub data_source: SourceAtStart,
    /// The state of its copies, by disk UUID.
    pub initial_status: BTreeMap<String, String>,
    /// The process that owns it.
    #[serde(default, rename = "ownerID")]
    pub owner_id: String,
    /// Where it is downloaded from.
    #[serde(default)]
    pub url: Option<String>,
}

/// A data source at its creation.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SourceAtStart {
    /// Its state.
    pub state: String,
    /// A manager has taken the file over.
    pub file_transferred: bool,
}

/// One step, and the state at its end.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RecordedStep {
    /// A sentence.
    #[serde(rename = "do")]
    pub title: String,
    /// What is done, in order.
    pub changes: Vec<Change>,
    /// The version of the process.
    #[serde(deserialize_with = "version")]
    pub longhorn_version: LonghornVersion,
    /// Its flag `--backing-image-manager-image`.
    #[serde(deserialize_with = "image")]
    pub manager_image: ImageRef,
    /// How long the step takes.
    pub seconds: f64,
    /// True if nothing moved in its last 3 s.
    #[serde(default)]
    pub settled: Option<bool>,
    /// The managers.
    pub backing_image_managers: Vec<ManagerState>,
    /// The images, by name.
    pub backing_images: BTreeMap<String, ImageState>,
    /// The data sources, by name.
    #[serde(default)]
    pub data_sources: Option<BTreeMap<String, SourceState>>,
    /// Warnings and errors, with how often each was logged.
    #[serde(default)]
    pub logged: Option<BTreeMap<String, u64>>,
    /// The same for what was logged for information.
    #[serde(default)]
    pub logged_info: Option<BTreeMap<String, u64>>,
    /// Events, with how often each was recorded.
    #[serde(default)]
    pub events: Option<BTreeMap<String, u64>>,
    /// Failed attempts to create a manager.
    #[serde(default)]
    pub attempts: Option<Vec<Attempts>>,
    /// The process died.
    #[serde(default)]
    pub controller_exited: Option<Exited>,
}

/// A manager at the end of a step. A field that is absent was not recorded.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ManagerState {
    /// Its name.
    pub name: String,
    /// `spec.image`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// `spec.nodeID`.
    #[serde(default, rename = "nodeID", skip_serializing_if = "Option::is_none")]
    pub node_id: Option<String>,
    /// `spec.diskUUID`.
    #[serde(default, rename = "diskUUID", skip_serializing_if = "Option::is_none")]
    pub disk_uuid: Option<String>,
    /// `spec.backingImages`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backing_images: Option<BTreeMap<String, String>>,
    /// Its labels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub labels: Option<BTreeMap<String, String>>,
    /// Its finalizers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finalizers: Option<Vec<String>>,
    /// It has a deletion timestamp.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deleting: Option<bool>,
    /// `status.currentState`; null before it has a status.
    #[serde(
        default,
        deserialize_with = "nullable",
        skip_serializing_if = "Option::is_none"
    )]
    pub current_state: Option<String>,
    /// The states of its files, by image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub files: Option<BTreeMap<String, String>>,
}

/// An image at the end of a step. A field that is absent was not recorded.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ImageState {
    /// `spec.diskFileSpecMap`, by UUID.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spec_disks: Option<Vec<WantedDisk>>,
    /// The states in `status.diskFileStatusMap`, by UUID.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<BTreeMap<String, String>>,
    /// The messages there that are not empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status_messages: Option<BTreeMap<String, String>>,
    /// The disks in `status.diskLastRefAtMap`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_ref: Option<Vec<String>>,
    /// `status.uuid`.
    #[serde(
        default,
        deserialize_with = "nullable",
        skip_serializing_if = "Option::is_none"
    )]
    pub uuid: Option<String>,
    /// It has a deletion timestamp.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deleting: Option<bool>,
    /// Its finalizers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finalizers: Option<Vec<String>>,
}

/// An entry of `spec.diskFileSpecMap`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WantedDisk {
    /// The disk.
    #[serde(rename = "diskUUID")]
    pub disk_uuid: String,
    /// Its copy is being evicted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub eviction_requested: Option<bool>,
    /// The engine of its copy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data_engine: Option<String>,
}

/// A data source at the end of a step. A field that is absent was not recorded.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SourceState {
    /// `status.currentState`.
    #[serde(
        default,
        deserialize_with = "nullable",
        skip_serializing_if = "Option::is_none"
    )]
    pub state: Option<String>,
    /// `spec.fileTransferred`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file_transferred: Option<bool>,
    /// `spec.nodeID`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// `spec.diskUUID`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disk: Option<String>,
    /// It has a deletion timestamp.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deleting: Option<bool>,
}

/// Failed attempts to create one manager for one image.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Attempts {
    /// The image.
    pub backing_image: String,
    /// The manager's name, which is taken.
    pub name: String,
    /// When the first one failed, after the step's start.
    pub first_at_ms: f64,
    /// All of them, after the first one.
    pub offsets_ms: Vec<f64>,
}

/// How the process died.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Exited {
    /// Its exit code.
    pub code: i32,
    /// What it said.
    pub panic: String,
}

/// An operation, and when it was made.
#[derive(Clone, Debug)]
pub struct Change {
    /// After the step's start; 0 if it was not recorded.
    pub at_ms: f64,
    /// What it found in that run; not used, for the model finds its own.
    pub resolved: Option<Value>,
    /// What is done.
    pub operation: Operation,
}

impl<'de> Deserialize<'de> for Change {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut fields = Map::deserialize(deserializer)?;
        let at_ms = match fields.remove("atMs") {
            None => 0.0,
            Some(at) => match at.as_f64() {
                Some(at) if at.is_finite() && at >= 0.0 => at,
                _ => return Err(de::Error::custom("atMs is not a time")),
            },
        };
        let resolved = fields.remove("resolved");
        let operation = Operation::deserialize(Value::Object(fields)).map_err(de::Error::custom)?;
        Ok(Self {
            at_ms,
            resolved,
            operation,
        })
    }
}

/// What is done to the cluster.
#[derive(Clone, Debug, Deserialize)]
#[serde(
    tag = "op",
    rename_all = "camelCase",
    rename_all_fields = "camelCase",
    deny_unknown_fields
)]
pub enum Operation {
    /// Drops disks from an image's spec.
    RemoveFromSpec {
        backing_image: String,
        disks: DiskChoice,
    },
    /// Adds disks to an image's spec.
    AddToSpec {
        backing_image: String,
        disks: DiskChoice,
    },
    /// Changes a UUID in the node's status, then in the specs of images.
    #[serde(rename = "changeDiskUUID")]
    ChangeDiskUuid {
        disk: DiskChoice,
        to: String,
        backing_images: Vec<String>,
    },
    /// Sets a disk's conditions.
    SetDiskReady {
        node: String,
        disk: String,
        ready: bool,
    },
    /// Sets a node's condition.
    SetNodeReady { node: String, ready: bool },
    /// Takes a disk off a node.
    RemoveDisk { node: String, disk: String },
    /// Puts a disk on a node.
    AddDisk {
        node: String,
        disk: String,
        #[serde(rename = "diskUUID")]
        disk_uuid: String,
    },
    /// Allows or forbids scheduling; by node and name, or by UUID.
    SetDiskAllowScheduling {
        #[serde(default)]
        node: Option<String>,
        disk: DiskChoice,
        allow: bool,
    },
    /// Forbids scheduling and asks for eviction.
    RequestDiskEviction { node: String, disk: String },
    /// Takes that back.
    CancelDiskEviction { node: String, disk: String },
    /// Deletes the live managers of a disk.
    DeleteManager { of_disk: DiskChoice },
    /// Takes the disk label off them.
    StripManagerLabel { of_disk: DiskChoice },
    /// Makes the disk label of them say another disk.
    SetManagerDiskLabel { of_disk: DiskChoice, to: String },
    /// Sets a data source's state.
    SetDataSource {
        backing_image: String,
        state: String,
        #[serde(default)]
        file_transferred: Option<bool>,
    },
    /// From now on, a file is reported like this.
    SetFileState {
        of_disk: DiskChoice,
        backing_image: String,
        state: String,
    },
    /// Creates a data source and its image.
    CreateBackingImage {
        name: String,
        disk_file_spec_map: Vec<String>,
        min_number_of_copies: i64,
        /// Null: no data source is made.
        #[serde(deserialize_with = "Option::deserialize")]
        data_source_disk: Option<String>,
        data_source: SourceAtStart,
    },
    /// Deletes an image and its data source.
    DeleteBackingImage { name: String },
    /// Sets a setting.
    SetSetting { name: String, value: String },
    /// Creates a replica that uses an image.
    CreateReplica {
        name: String,
        backing_image: String,
        disk: DiskChoice,
    },
    /// Deletes a replica.
    DeleteReplica { name: String },
    /// Sets an annotation of an image.
    TouchBackingImage { name: String },
    /// Replaces the process by one of the same kind.
    RestartController {},
    /// Starts a second process.
    StartSecondController {
        node: String,
        #[serde(deserialize_with = "version")]
        version: LonghornVersion,
        #[serde(deserialize_with = "image")]
        image: ImageRef,
    },
}

/// Which disks, found when the operation is made.
#[derive(Clone, Debug)]
pub enum DiskChoice {
    /// These.
    Uuids(Vec<String>),
    /// Those of a list that have, or have not, a live manager.
    Among {
        /// The list.
        among: Vec<String>,
        /// Which of them.
        that: That,
        /// Only the first one.
        take_first: bool,
        /// This one if there is none.
        if_none: Option<String>,
    },
}

/// Which disks of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum That {
    /// No live manager has the disk in its spec.
    HaveNoManager,
    /// One has.
    HaveAManager,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Selector {
    among: Vec<String>,
    that: That,
    #[serde(default)]
    take_first: bool,
    #[serde(default)]
    if_none: Option<String>,
}

impl<'de> Deserialize<'de> for DiskChoice {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Choice;
        impl<'de> Visitor<'de> for Choice {
            type Value = DiskChoice;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a disk UUID, a list of them, or {among, that, takeFirst, ifNone}")
            }

            fn visit_str<E: de::Error>(self, uuid: &str) -> Result<DiskChoice, E> {
                Ok(DiskChoice::Uuids(vec![uuid.to_owned()]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<DiskChoice, A::Error> {
                let uuids = Vec::deserialize(de::value::SeqAccessDeserializer::new(seq))?;
                Ok(DiskChoice::Uuids(uuids))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<DiskChoice, A::Error> {
                let selector = Selector::deserialize(de::value::MapAccessDeserializer::new(map))?;
                Ok(DiskChoice::Among {
                    among: selector.among,
                    that: selector.that,
                    take_first: selector.take_first,
                    if_none: selector.if_none,
                })
            }
        }
        deserializer.deserialize_any(Choice)
    }
}

pub(super) fn version<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<LonghornVersion, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse().map_err(de::Error::custom)
}

fn image<'de, D: Deserializer<'de>>(deserializer: D) -> Result<ImageRef, D::Error> {
    Ok(ImageRef::new(String::deserialize(deserializer)?))
}

/// Null stands for the empty text; only an absent field was not recorded.
fn nullable<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let text: Option<String> = Option::deserialize(deserializer)?;
    Ok(Some(text.unwrap_or_default()))
}

/// What is wrong with a file of recordings.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}:{column}: {message}")]
pub struct FormatError {
    /// The file.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The column, from 1.
    pub column: usize,
    /// What is wrong.
    pub message: String,
}

/// One line of a file of recordings.
#[derive(Clone, Debug)]
pub enum Line {
    /// A run of a controller.
    Run(Box<Recording>),
    /// A request to an API server with webhooks.
    Row(Box<Row>),
}

impl Line {
    /// What is played: of an admission row, its rule.
    pub fn scenario(&self) -> &str {
        match self {
            Self::Run(run) => &run.scenario,
            Self::Row(row) => &row.rule,
        }
    }

    /// The first version.
    pub fn version(&self) -> &LonghornVersion {
        match self {
            Self::Run(run) => &run.version,
            Self::Row(row) => &row.version,
        }
    }

    /// Which repeat of the same thing; rows are not repeated.
    pub fn run(&self) -> u32 {
        match self {
            Self::Run(run) => run.run,
            Self::Row(_) => 0,
        }
    }
}

/// The longest run that is played. The longest recorded one takes four minutes.
const LONGEST: f64 = 24.0 * 3600.0;

/// The most text that a file may hold, unpacked: a hundred times what is known.
const MOST_BYTES: u64 = 300 << 20;

/// The text of a file of recordings, which may be packed by gzip.
///
/// # Errors
///
/// It cannot be unpacked, is not UTF-8, or is too large.
pub fn text(bytes: &[u8]) -> std::io::Result<String> {
    let mut text = String::new();
    if bytes.starts_with(&[0x1f, 0x8b]) {
        let unpacked = flate2::read::MultiGzDecoder::new(bytes);
        unpacked.take(MOST_BYTES).read_to_string(&mut text)?;
    } else {
        bytes.take(MOST_BYTES).read_to_string(&mut text)?;
    }
    if text.len() as u64 == MOST_BYTES {
        return Err(std::io::Error::other("it is too large"));
    }
    Ok(text)
}

/// Reads a file of recordings.
///
/// # Errors
///
/// Every line that is wrong. What is not understood is never skipped; only empty
/// lines are.
pub fn parse(file: &str, text: &str) -> Result<Vec<Line>, Vec<FormatError>> {
    let mut lines = Vec::new();
    let mut errors = Vec::new();
    for (index, line) in text.lines().enumerate() {
        if line.trim().is_empty() {
            continue;
        }
        match one(line) {
            Ok(line) => lines.push(line),
            Err((column, message)) => errors.push(FormatError {
                file: file.to_owned(),
                line: index + 1,
                column,
                message,
            }),
        }
    }
    if errors.is_empty() {
        Ok(lines)
    } else {
        Err(errors)
    }
}

/// One line, or what is wrong at which column.
fn one(line: &str) -> Result<Line, (usize, String)> {
    // An admission row is told by the field that stands for a run's scenario.
    let is_row = serde_json::from_str::<Map<String, Value>>(line)
        .is_ok_and(|fields| fields.contains_key("rule") && !fields.contains_key("scenario"));
    if is_row {
        let row: Row = serde_json::from_str(line).map_err(placed)?;
        super::admission::check(&row).map_err(|why| (1, why))?;
        return Ok(Line::Row(Box::new(row)));
    }
    let recording: Recording = serde_json::from_str(line).map_err(placed)?;
    check(&recording).map_err(|why| (1, why))?;
    Ok(Line::Run(Box::new(recording)))
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn placed(error: serde_json::Error) -> (usize, String) {
    let message = error.to_string();
    let message = message.split(" at line ").next().unwrap_or_default();
    (error.column().max(1), message.to_owned())
}

/// What does not fit together in a run.
fn check(recording: &Recording) -> Result<(), String> {
    let total: f64 = recording.steps.iter().map(|step| step.seconds).sum();
    let is_time = |step: &RecordedStep| step.seconds.is_finite() && step.seconds >= 0.0;
    if !recording.steps.iter().all(is_time) || total > LONGEST {
        return Err("the steps' seconds are no times, or more than a day in all".to_owned());
    }
    for step in &recording.steps {
        for change in &step.changes {
            if change.at_ms > step.seconds * 1000.0 {
                return Err(format!(
                    "an operation of step {:?} is made after the step's end",
                    step.title
                ));
            }
        }
    }
    let versions = recording.steps.iter().map(|step| &step.longhorn_version);
    for version in versions.chain([&recording.version]) {
        fixname_controllers::Behaviour::of(version).map_err(|error| error.to_string())?;
    }
    Ok(())
}
