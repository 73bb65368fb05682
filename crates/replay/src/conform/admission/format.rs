//! The format of an admission row: one request to a real API server with a real
//! Longhorn's webhooks, and its answer. Reading is strict, as it is for runs.

use fixname_naming::LonghornVersion;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

/// One recorded request.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Row {
    /// Whose webhooks they were.
    #[serde(deserialize_with = "super::super::format::version")]
    pub version: LonghornVersion,
    /// What the case is about.
    pub rule: String,
    /// The plural of the kind, with `/status` for that endpoint.
    pub resource: Target,
    /// What is done.
    pub operation: Operation,
    /// The object before.
    #[serde(deserialize_with = "Option::deserialize")]
    pub old: Option<Object>,
    /// The object sent, of a creation.
    #[serde(deserialize_with = "Option::deserialize")]
    pub new: Option<Object>,
    /// The merge patch sent, of an update.
    #[serde(deserialize_with = "Option::deserialize")]
    pub patch_sent: Option<Map<String, Value>>,
    /// What else existed.
    pub cluster: Vec<Other>,
    /// The answer.
    pub result: Answer,
    /// The object afterwards.
    #[serde(deserialize_with = "Option::deserialize")]
    pub after: Option<After>,
}

/// What a request does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Operation {
    /// Makes an object.
    Create,
    /// Changes one by a merge patch.
    Update,
    /// Deletes one.
    Delete,
}

/// A kind whose webhooks are modelled, and whether its status is written.
#[derive(Clone, Debug)]
pub struct Target {
    /// The plural.
    pub resource: &'static str,
    /// The request goes to the status endpoint.
    pub is_status: bool,
}

/// The kinds whose webhooks are modelled.
const TARGETS: [&str; 6] = [
    "backingimages",
    "backingimagemanagers",
    "backingimagedatasources",
    "nodes",
    "replicas",
    "settings",
];

impl<'de> Deserialize<'de> for Target {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let (plural, is_status) = match text.strip_suffix("/status") {
            Some(plural) => (plural, true),
            None => (text.as_str(), false),
        };
        let known = TARGETS.into_iter().find(|known| *known == plural);
        let resource = known.ok_or_else(|| {
            serde::de::Error::custom(format!(
                "the webhooks of {text:?} are not modelled; those of {} are",
                TARGETS.join(", ")
            ))
        })?;
        Ok(Self {
            resource,
            is_status,
        })
    }
}

/// Another object that existed.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Other {
    /// Its kind.
    #[serde(deserialize_with = "known")]
    pub resource: &'static Known,
    /// The object.
    pub object: Object,
}

/// A kind of objects that may exist.
#[derive(Debug, PartialEq, Eq)]
pub struct Known {
    /// API group, empty for the core one.
    pub group: &'static str,
    /// API version.
    pub version: &'static str,
    /// The plural.
    pub plural: &'static str,
    /// The kind.
    pub kind: &'static str,
    /// Its objects are in namespaces.
    pub is_namespaced: bool,
}

macro_rules! longhorn {
    ($($plural:literal $kind:literal),+ $(,)?) => {
        &[$(Known {
            group: "longhorn.io",
            version: "v1beta2",
            plural: $plural,
            kind: $kind,
            is_namespaced: true,
        }),+]
    };
}

/// Longhorn's own kinds.
pub(super) const OWN: &[Known] = longhorn![
    "backingimages" "BackingImage",
    "backingimagemanagers" "BackingImageManager",
    "backingimagedatasources" "BackingImageDataSource",
    "backupbackingimages" "BackupBackingImage",
    "backups" "Backup",
    "backuptargets" "BackupTarget",
    "backupvolumes" "BackupVolume",
    "enginefrontends" "EngineFrontend",
    "engineimages" "EngineImage",
    "engines" "Engine",
    "instancemanagers" "InstanceManager",
    "nodes" "Node",
    "orphans" "Orphan",
    "recurringjobs" "RecurringJob",
    "replicas" "Replica",
    "settings" "Setting",
    "sharemanagers" "ShareManager",
    "snapshots" "Snapshot",
    "systembackups" "SystemBackup",
    "systemrestores" "SystemRestore",
    "volumeattachments" "VolumeAttachment",
    "volumes" "Volume",
];

const SECRETS: Known = Known {
    group: "",
    version: "v1",
    plural: "secrets",
    kind: "Secret",
    is_namespaced: true,
};

fn known<'de, D: Deserializer<'de>>(deserializer: D) -> Result<&'static Known, D::Error> {
    let plural = String::deserialize(deserializer)?;
    let mut all = OWN.iter().chain([const { &SECRETS }]);
    all.find(|known| known.plural == plural)
        .ok_or_else(|| serde::de::Error::custom(format!("unknown kind of objects {plural:?}")))
}

/// An object as it was recorded: its metadata cut down.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Object {
    /// Without the mark below.
    pub value: Map<String, Value>,
    /// It has a deletion timestamp.
    pub deleting: bool,
}

/// The fields of recorded metadata.
const METADATA: [&str; 8] = [
    "name",
    "namespace",
    "generateName",
    "labels",
    "annotations",
    "finalizers",
    "ownerReferences",
    "deleting",
];

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde::de::Error;
        let mut value = Map::deserialize(deserializer)?;
        let mut deleting = false;
        let mut mark = |mark: Option<Value>| match mark {
            None => Ok(()),
            Some(Value::Bool(mark)) => {
                deleting |= mark;
                Ok(())
            }
            Some(other) => Err(D::Error::custom(format!("deleting is {other}, not a flag"))),
        };
        mark(value.remove("deleting"))?;
        let Some(Value::Object(metadata)) = value.get_mut("metadata") else {
            return Err(D::Error::missing_field("metadata"));
        };
        mark(metadata.remove("deleting"))?;
        let unknown = metadata
            .keys()
            .find(|key| !METADATA.contains(&key.as_str()));
        if let Some(unknown) = unknown {
            return Err(D::Error::custom(format!(
                "unknown field `{unknown}` in metadata, expected one of {}",
                METADATA.join(", ")
            )));
        }
        Ok(Self { value, deleting })
    }
}

impl Object {
    /// The object's name.
    pub(super) fn name(&self) -> &str {
        let metadata = self.value.get("metadata");
        metadata
            .and_then(|m| m["name"].as_str())
            .unwrap_or_default()
    }
}

/// What was answered.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Answer {
    /// The request was carried out.
    pub allowed: bool,
    /// HTTP code.
    pub code: u16,
    /// The text that the client sees.
    #[serde(default)]
    pub message: Option<String>,
    /// One word.
    #[serde(default)]
    pub reason: Option<String>,
    /// What the details name.
    #[serde(default)]
    pub causes: Vec<Cause>,
    /// Who refused.
    #[serde(default)]
    pub by: Option<By>,
    /// What the mutating webhook answered, also if the request was then refused.
    #[serde(default)]
    pub patch: Vec<PatchStep>,
}

/// One cause of a refusal.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Cause {
    /// One word.
    #[serde(default)]
    pub reason: String,
    /// In words.
    #[serde(default)]
    pub message: String,
    /// The field it is about.
    #[serde(default)]
    pub field: String,
}

/// Who refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub enum By {
    /// The API server itself.
    #[serde(rename = "kube-apiserver")]
    Server,
    /// Longhorn's mutating webhook.
    #[serde(rename = "mutating webhook")]
    Mutator,
    /// Longhorn's validating webhook.
    #[serde(rename = "validating webhook")]
    Validator,
}

/// One step of a JSON patch.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct PatchStep {
    /// `replace`, say.
    pub op: String,
    /// Where.
    pub path: String,
    /// By what.
    #[serde(default)]
    pub value: Value,
}

/// What became of the object.
#[derive(Clone, Debug, PartialEq)]
pub enum After {
    /// It is no longer there.
    Gone,
    /// It looks like this.
    There(Object),
}

impl<'de> Deserialize<'de> for After {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::String(word) if word == "gone" => Ok(Self::Gone),
            Value::Object(object) => Object::deserialize(Value::Object(object))
                .map(Self::There)
                .map_err(serde::de::Error::custom),
            other => Err(serde::de::Error::custom(format!(
                "after is {other}, neither \"gone\" nor an object"
            ))),
        }
    }
}

impl Row {
    /// What does not fit together.
    pub(super) fn check(&self) -> Result<(), String> {
        let has = (
            self.old.is_some(),
            self.new.is_some(),
            self.patch_sent.is_some(),
        );
        let fits = match self.operation {
            Operation::Create => has.1 && !has.2,
            Operation::Update => has.0 && !has.1 && has.2,
            Operation::Delete => has.0 && !has.1 && !has.2,
        };
        if !fits {
            return Err(
                "old, new and patchSent do not fit the operation: a creation has new, an update old and patchSent, a deletion old"
                    .to_owned(),
            );
        }
        fixname_controllers::webhooks::Webhooks::of(&self.version)
            .map(|_| ())
            .map_err(|error| error.to_string())
    }
}
