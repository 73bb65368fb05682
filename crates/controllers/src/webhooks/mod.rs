//! Longhorn's admission webhooks as pure functions: what the mutating one changes
//! in an object, and what the validating one refuses, version by version.
//!
//! Map of the code. [`Webhooks`] is the door: it knows which operations each
//! release registers, and hands a request to the rules of its kind (`image`,
//! `manager`, `node`, `replica`, `setting`). [`Rules`] holds what differs
//! between releases, as data. [`Cluster`] is what the rules see of other objects,
//! which are read when a rule looks at them. `go` and `url` say things as Go does,
//! for the texts are part of the behaviour.
//!
//! Objects are untyped here: the rules tell an absent field from an empty one,
//! and judge fields that the rest of this program does not read.

mod cluster;
mod decode;
mod go;
mod image;
mod json;
mod manager;
mod node;
mod replica;
mod rules;
mod setting;
mod tags;
mod url;

use fixname_longhorn::{FINALIZER, objects};
use fixname_naming::{LonghornVersion, UnknownVersion};
use rand::Rng;
use serde::Serialize;
use serde_json::{Value, json};

pub use cluster::{Cluster, Source};
pub use rules::Rules;
pub use setting::setting_default;

/// The name of the mutating webhook, which refusals begin with.
pub const MUTATOR: &str = "mutator.longhorn.io";
/// The name of the validating webhook.
pub const VALIDATOR: &str = "validator.longhorn.io";

/// What a request does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Operation {
    /// Makes an object.
    Create,
    /// Changes one.
    Update,
    /// Deletes one.
    Delete,
}

/// A write to an object of group `longhorn.io`.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// What is done.
    pub operation: Operation,
    /// The plural of the kind.
    pub resource: &'a str,
    /// `status`, say; empty for the object itself.
    pub subresource: &'a str,
    /// The object as it is; null for a creation.
    pub old: &'a Value,
    /// The object as it will be; null for a deletion.
    pub new: &'a Value,
}

/// One step of a JSON patch. Longhorn's are all replacements, and to Kubernetes a
/// replacement of a field that is absent is no error.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Patch {
    /// Always `replace`.
    pub op: &'static str,
    /// Where, as a JSON pointer.
    pub path: String,
    /// By what.
    pub value: Value,
    /// What was written, if that is no JSON.
    #[serde(skip)]
    undecodable: Option<String>,
}

impl Patch {
    /// A replacement that Longhorn writes as text, without escaping what it puts into
    /// it: a quotation mark breaks it, and a backslash begins an escape.
    fn written(path: impl std::fmt::Display, value: &str) -> Self {
        let written = format!(r#"{{"op": "replace", "path": "{path}", "value": {value}}}"#);
        match json::parse(&written) {
            Ok(step) => Self::replace(text(&step["path"]), step["value"].clone()),
            Err(_) => Self {
                undecodable: Some(written),
                ..Self::replace(path.to_string(), Value::Null)
            },
        }
    }

    /// The same, of a text.
    fn written_text(path: impl std::fmt::Display, value: &str) -> Self {
        Self::written(path, &format!("\"{value}\""))
    }

    fn replace(path: impl Into<String>, value: impl Into<Value>) -> Self {
        Self {
            op: "replace",
            path: path.into(),
            value: value.into(),
            undecodable: None,
        }
    }
}

/// Why a request is refused, as Longhorn's webhook answers (`webhook/error/error.go`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// HTTP code.
    pub code: u16,
    /// `Invalid`, `Forbidden` or `InternalError`.
    pub reason: &'static str,
    /// In words.
    pub message: String,
    /// The field it is about, perhaps empty; only an invalid request has one.
    pub field: Option<String>,
}

impl Refusal {
    fn invalid(message: impl Into<String>) -> Self {
        Self::invalid_field(message, "")
    }

    fn invalid_field(message: impl Into<String>, field: &str) -> Self {
        Self {
            code: 422,
            reason: "Invalid",
            message: message.into(),
            field: Some(field.to_owned()),
        }
    }

    fn forbidden(message: impl Into<String>) -> Self {
        Self {
            code: 403,
            reason: "Forbidden",
            message: message.into(),
            field: None,
        }
    }

    /// What an error that is no refusal of its own becomes.
    fn internal(message: impl Into<String>) -> Self {
        Self {
            code: 500,
            reason: "InternalError",
            message: message.into(),
            field: None,
        }
    }
}

/// What a validator says.
type Verdict = Result<(), Refusal>;
/// What a mutator says.
type Patches = Result<Vec<Patch>, Refusal>;

/// The webhooks of one release.
#[derive(Clone, Debug)]
pub struct Webhooks {
    /// What they do.
    pub rules: Rules,
    /// How many CPUs the machine has on which they run, if that is known: before
    /// v1.10.0 the mask of CPUs is held against them.
    pub machine_cpus: Option<u32>,
}

impl Webhooks {
    /// Those of a version; a version newer than the newest known one has the newest.
    ///
    /// # Errors
    ///
    /// [`UnknownVersion`] for a version that is older than the table or not in it.
    pub fn of(version: &LonghornVersion) -> Result<Self, UnknownVersion> {
        Ok(Self {
            rules: Rules::of(version)?,
            machine_cpus: None,
        })
    }

    /// True if the mutating webhook is asked about such a request.
    #[must_use]
    pub fn mutates(&self, request: &Request<'_>) -> bool {
        let is_registered = match request.resource {
            "backingimages"
            | "backingimagemanagers"
            | "backingimagedatasources"
            | "nodes"
            | "replicas" => true,
            "settings" => self.rules.fills_in_settings,
            _ => false,
        };
        is_registered && request.subresource.is_empty() && request.operation != Operation::Delete
    }

    /// True if the validating webhook is asked about such a request.
    #[must_use]
    pub fn validates(&self, request: &Request<'_>) -> bool {
        let is_registered = match (request.resource, request.operation) {
            ("backingimages", Operation::Update) => self.rules.validates_image_updates,
            ("nodes", Operation::Delete) => self.rules.validates_node_deletions,
            ("backingimages" | "nodes" | "replicas" | "settings", _) => true,
            _ => false,
        };
        is_registered && request.subresource.is_empty()
    }

    /// What the mutating webhook changes. Where the real one walks a map of Go's,
    /// the order comes from `rng`.
    ///
    /// # Errors
    ///
    /// The refusal, for it may refuse too.
    pub fn mutate(
        &self,
        request: &Request<'_>,
        cluster: &Cluster,
        rng: &mut impl Rng,
    ) -> Result<Vec<Patch>, Refusal> {
        if !self.mutates(request) {
            return Ok(Vec::new());
        }
        let (old, new) = (request.old, request.new);
        decode::check(&self.rules.version, kind(request.resource), new)
            .map_err(Refusal::internal)?;
        match (request.resource, request.operation) {
            ("backingimages", Operation::Create) => image::fill_in(&self.rules, new, cluster),
            ("backingimages", _) => image::fill_in_update(&self.rules, old, new),
            ("backingimagemanagers", _) => Ok(manager::fill_in(&self.rules, new)),
            ("backingimagedatasources", _) => Ok(manager::fill_in_source(&self.rules, new)),
            ("nodes", _) => Ok(node::fill_in(&self.rules, new, rng)),
            ("replicas", _) => Ok(replica::fill_in(&self.rules, new)),
            ("settings", _) => setting::fill_in(&self.rules, new, rng),
            _ => Ok(Vec::new()),
        }
    }

    /// What the validating webhook refuses, of the object as it was mutated.
    ///
    /// # Errors
    ///
    /// The refusal.
    pub fn validate(
        &self,
        request: &Request<'_>,
        cluster: &Cluster,
        rng: &mut impl Rng,
    ) -> Result<(), Refusal> {
        if !self.validates(request) {
            return Ok(());
        }
        let (old, new, rules) = (request.old, request.new, &self.rules);
        match (request.resource, request.operation) {
            ("backingimages", Operation::Create) => image::create(rules, new, cluster),
            ("backingimages", Operation::Update) => image::update(rules, old, new),
            ("backingimages", Operation::Delete) => image::delete(rules, old, cluster),
            ("nodes", Operation::Create) => node::create(rules, new, cluster, rng),
            ("nodes", Operation::Update) => node::update(rules, old, new, cluster, rng),
            ("nodes", Operation::Delete) => node::delete(rules, old, cluster),
            ("replicas", Operation::Create) => replica::create(rules, new, cluster),
            ("replicas", Operation::Update) => replica::update(rules, old, new),
            ("replicas", Operation::Delete) => replica::delete(rules, old, cluster),
            ("settings", Operation::Create) => setting::validate(rules, new, cluster, rng),
            ("settings", Operation::Update) => setting::update(rules, old, new, cluster, rng),
            ("settings", Operation::Delete) => setting::delete(rules, old),
            _ => Ok(()),
        }
    }
}

/// The kind of a resource that a mutator looks at.
fn kind(resource: &str) -> &'static str {
    match resource {
        "backingimages" => "BackingImage",
        "backingimagemanagers" => "BackingImageManager",
        "backingimagedatasources" => "BackingImageDataSource",
        "nodes" => "Node",
        "replicas" => "Replica",
        _ => "Setting",
    }
}

/// True if the API server can read a patch.
#[must_use]
pub fn is_decodable(patches: &[Patch]) -> bool {
    patches.iter().all(|patch| patch.undecodable.is_none())
}

/// What is wrong with the patch as a whole: a text that one step leaves open ends in
/// the next.
fn undecodable(patches: &[Patch]) -> Option<String> {
    if is_decodable(patches) {
        return None;
    }
    let written = patches.iter().map(|patch| match &patch.undecodable {
        Some(written) => written.clone(),
        None => json!(patch).to_string(),
    });
    let written = written.collect::<Vec<_>>().join(",");
    json::parse(&format!("[{written}]")).err()
}

/// Applies a patch as the API server does.
///
/// # Errors
///
/// The server's words, if it cannot read the patch, or if a parent of a path is not
/// there: the request then fails with code 500.
pub fn apply(object: &mut Value, patches: &[Patch]) -> Result<(), String> {
    if let Some(why) = undecodable(patches) {
        return Err(format!(
            "failed calling webhook {}: received undecodable patch in webhook response: {why}",
            go::quote(MUTATOR)
        ));
    }
    for patch in patches {
        let missing = || {
            format!(
                "replace operation does not apply: doc is missing path: {}: missing value",
                patch.path
            )
        };
        let (parent, key) = patch.path.rsplit_once('/').ok_or_else(missing)?;
        let parent = object.pointer_mut(parent).ok_or_else(missing)?;
        let Value::Object(parent) = parent else {
            return Err(missing());
        };
        let key = key.replace("~1", "/").replace("~0", "~");
        parent.insert(key, patch.value.clone());
    }
    // Metadata is read into Go's type, which does not keep an empty map.
    if let Some(Value::Object(metadata)) = object.get_mut("metadata") {
        metadata.retain(|key, value| key != "labels" || *value != json!({}));
    }
    Ok(())
}

/// A text, empty if it is absent, as Go reads it.
fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// A number, 0 if it is absent.
fn number(value: &Value) -> i64 {
    decode::number(value).unwrap_or_default()
}

/// A flag, false if it is absent.
fn flag(value: &Value) -> bool {
    value.as_bool().unwrap_or_default()
}

fn name(object: &Value) -> &str {
    text(&object["metadata"]["name"])
}

fn is_deleting(object: &Value) -> bool {
    !object["metadata"]["deletionTimestamp"].is_null()
}

/// The keys and values of a map; none if it is absent.
fn entries(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flatten()
}

/// The texts of a list; none if it is absent.
fn texts(value: &Value) -> impl Iterator<Item = &str> {
    value.as_array().into_iter().flatten().map(text)
}

fn finalizers(object: &Value) -> Vec<&str> {
    texts(&object["metadata"]["finalizers"]).collect()
}

/// `GetLonghornFinalizerPatchOpIfNeeded`: always, unless the object is being deleted.
fn finalizer(rules: &Rules, object: &Value) -> Option<Patch> {
    if is_deleting(object) || !rules.adds_finalizers {
        return None;
    }
    let mut list = finalizers(object);
    if !list.contains(&FINALIZER) {
        list.push(FINALIZER);
    }
    Some(Patch::replace("/metadata/finalizers", list))
}

/// `IsRemovingLonghornFinalizer`: it is the only finalizer that goes, and the
/// object is being deleted.
fn removes_finalizer(old: &Value, new: &Value) -> bool {
    let (before, after) = (finalizers(old), finalizers(new));
    is_deleting(old)
        && after.len() + 1 == before.len()
        && before.contains(&FINALIZER)
        && !after.contains(&FINALIZER)
}

/// `GetLonghornLabelsPatchOp`.
fn labels(object: &Value, more: &[(&str, &str)]) -> Patch {
    let mut labels = object["metadata"]["labels"].clone();
    if !labels.is_object() {
        labels = json!({});
    }
    for (key, value) in more {
        labels[*key] = json!(value);
    }
    Patch::replace("/metadata/labels", labels)
}

/// The text of a look-up in a cache that finds nothing.
fn not_found(singular: &str, name: &str) -> String {
    format!(
        "{singular}.{} {} not found",
        objects::GROUP,
        go::quote(name)
    )
}

/// `util.AutoCorrectName`: lower case, and at most 40 characters.
fn auto_correct(name: &str) -> String {
    const LONGEST: usize = 40;
    let lower = name.to_lowercase();
    if name.len() <= LONGEST {
        return lower;
    }
    let suffix = format!("-{}", &go::sha512(name)[..8]);
    let mut end = LONGEST - suffix.len();
    while !lower.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}{suffix}", lower[..end].trim_end_matches('-'))
}
