//! The entries of `managedFields`: read, written, sorted, and put together when
//! there are too many.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::meta;
use crate::quote::quote;
use crate::resource::text;
use crate::smd::Set;

/// As many updaters are kept apart; of more the oldest are put together.
const MOST_UPDATERS: usize = 10;

/// One entry of `managedFields`.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Entry {
    pub(super) manager: String,
    pub(super) apply: bool,
    pub(super) api_version: String,
    pub(super) subresource: String,
    pub(super) time: Option<String>,
    pub(super) fields: Set,
}

impl Entry {
    pub(super) fn is(&self, other: &Self) -> bool {
        // An applier is the same whatever version it applied.
        self.manager == other.manager
            && self.apply == other.apply
            && self.subresource == other.subresource
            && (self.apply || self.api_version == other.api_version)
    }

    /// `None` for an entry that the real server cannot decode.
    fn read(value: &Value) -> Option<Self> {
        let operation = text(value, "/operation");
        let api_version = text(value, "/apiVersion").to_owned();
        if !matches!(operation, "Apply" | "Update")
            || api_version.is_empty()
            || text(value, "/fieldsType") != "FieldsV1"
        {
            return None;
        }
        Some(Self {
            manager: text(value, "/manager").to_owned(),
            apply: operation == "Apply",
            api_version,
            subresource: text(value, "/subresource").to_owned(),
            time: value.get("time").and_then(Value::as_str).map(str::to_owned),
            fields: match value.get("fieldsV1") {
                None | Some(Value::Null) => Set::default(),
                Some(fields) => Set::from_json(fields)?,
            },
        })
    }

    fn write(self) -> Value {
        let operation = if self.apply { "Apply" } else { "Update" };
        let mut entry = Map::new();
        // The fields are moved here: `json!` would copy them.
        for (key, value) in [
            ("apiVersion", Value::String(self.api_version)),
            ("fieldsType", Value::from("FieldsV1")),
            ("fieldsV1", self.fields.into_json()),
            ("operation", Value::from(operation)),
        ] {
            entry.insert(key.to_owned(), value);
        }
        for (key, text) in [
            ("manager", Some(self.manager)),
            ("time", self.time),
            ("subresource", Some(self.subresource)),
        ] {
            if let Some(text) = text.filter(|text| !text.is_empty()) {
                entry.insert(key.to_owned(), Value::String(text));
            }
        }
        Value::Object(entry)
    }

    /// As conflicts name the manager.
    pub(super) fn shown(&self) -> String {
        let mut shown = quote(&self.manager);
        if !self.subresource.is_empty() {
            shown.push_str(&format!(" with subresource {}", quote(&self.subresource)));
        }
        if !self.apply {
            shown.push_str(&format!(" using {}", self.api_version));
        }
        shown
    }

    /// The manager in the order that the real server sorts conflicts by.
    fn id(&self) -> String {
        let version = if self.apply { "" } else { &self.api_version };
        let operation = if self.apply { "Apply" } else { "Update" };
        format!(
            "{}\0{operation}\0{version}\0{}",
            self.manager, self.subresource
        )
    }
}

/// The entries of an object; none when one of them cannot be decoded.
pub(super) fn read(object: &Value) -> Vec<Entry> {
    let entries = meta::get(object, "managedFields").and_then(Value::as_array);
    let mut all: Vec<Entry> = Vec::new();
    for value in entries.into_iter().flatten() {
        let Some(entry) = Entry::read(value) else {
            return Vec::new();
        };
        // A later entry of the same manager takes the place of an earlier one.
        all.retain(|other| !other.is(&entry));
        all.push(entry);
    }
    all
}

/// Whether a client asks for the records to be forgotten: an empty list, or
/// one with one empty entry.
pub(super) fn is_reset(object: &Value) -> bool {
    match meta::get(object, "managedFields").and_then(Value::as_array) {
        Some(all) => match all.as_slice() {
            [] => true,
            [only] => only.as_object().is_some_and(serde_json::Map::is_empty),
            _ => false,
        },
        None => false,
    }
}

/// Applies first, then by time, as the real server sorts them.
pub(super) fn write(object: &mut Value, mut entries: Vec<Entry>) {
    entries.sort_by(|a, b| {
        b.apply
            .cmp(&a.apply)
            .then_with(|| a.time.cmp(&b.time))
            .then_with(|| a.manager.cmp(&b.manager))
            .then_with(|| a.api_version.cmp(&b.api_version))
            .then_with(|| a.subresource.cmp(&b.subresource))
    });
    let value = (!entries.is_empty()).then(|| entries.into_iter().map(Entry::write).collect());
    meta::set(object, "managedFields", value);
}

pub(super) fn without_managed(object: &Value) -> Value {
    let mut bare = object.clone();
    meta::set(&mut bare, "managedFields", None);
    bare
}

/// Whether two objects differ in their records at most.
fn is_same_without_managed(a: &Value, b: &Value) -> bool {
    is_same_but(a, b, "metadata") && is_same_but(&a["metadata"], &b["metadata"], "managedFields")
}

/// Whether two maps have the same members, one of them left aside.
fn is_same_but(a: &Value, b: &Value, aside: &str) -> bool {
    let (Some(a), Some(b)) = (a.as_object(), b.as_object()) else {
        return a == b;
    };
    let is_compared = |member: &(&String, &Value)| member.0 != aside;
    a.iter()
        .filter(is_compared)
        .eq(b.iter().filter(is_compared))
}

/// Puts the oldest updaters together when there are too many (`capmanagers.go`).
pub(super) fn cap(entries: &mut Vec<Entry>) {
    let mut count = entries.iter().filter(|e| !e.apply).count();
    if count <= MOST_UPDATERS {
        return;
    }
    let mut updaters: Vec<Entry> = entries.iter().filter(|e| !e.apply).cloned().collect();
    updaters.sort_by(|a, b| a.time.cmp(&b.time).then_with(|| a.id().cmp(&b.id())));
    let mut firsts: BTreeMap<String, Entry> = BTreeMap::new();
    for updater in updaters {
        if count <= MOST_UPDATERS {
            break;
        }
        let version = updater.api_version.clone();
        let Some(first) = firsts.get(&version) else {
            firsts.insert(version, updater);
            continue;
        };
        let mut bucket = Entry {
            manager: "ancient-changes".to_owned(),
            apply: false,
            api_version: version,
            subresource: String::new(),
            time: updater.time.clone(),
            fields: updater.fields.clone(),
        };
        match entries.iter().find(|entry| entry.is(&bucket)) {
            Some(there) => bucket.fields.union(there.fields.clone()),
            None => bucket.fields.union(first.fields.clone()),
        }
        let first = first.clone();
        entries.retain(|e| !e.is(&updater) && !e.is(&first) && !e.is(&bucket));
        entries.push(bucket);
        count -= 1;
    }
}

/// A write that changes nothing but the times in `managedFields` changes nothing.
pub(crate) fn keep_times_of_no_change(new: &mut Value, old: &Value) {
    if meta::get(new, "managedFields") == meta::get(old, "managedFields") {
        return;
    }
    let timeless = |object: &Value| -> Vec<Entry> {
        let mut entries: Vec<Entry> = read(object)
            .into_iter()
            .map(|entry| Entry {
                time: None,
                ..entry
            })
            .collect();
        entries.sort_by_key(|entry| (entry.apply, entry.id()));
        entries
    };
    if is_same_without_managed(new, old) && timeless(new) == timeless(old) {
        meta::set(
            new,
            "managedFields",
            meta::get(old, "managedFields").cloned(),
        );
    }
}
