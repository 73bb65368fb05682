//! `metadata.managedFields`: who set which field, and server-side apply with
//! its conflicts (`structured-merge-diff/merge/update.go`).

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::fieldset::{self, Set};
use crate::meta;
use crate::quote::quote;
use crate::request::{Call, Target};
use crate::resource::{Resource, text};
use crate::status::Failure;

/// Who writes, and through what.
pub(crate) struct Write {
    manager: String,
    subresource: String,
    now: Timestamp,
}

impl Write {
    pub(crate) fn update(call: &Call, target: &Target) -> Self {
        Self {
            manager: call.manager(),
            subresource: target.subresource.clone(),
            now: call.server.now(),
        }
    }
}

/// A configuration that is applied.
pub(crate) struct Application<'a> {
    pub(crate) config: &'a Value,
    pub(crate) manager: &'a str,
    pub(crate) force: bool,
}

/// One entry of `managedFields`.
#[derive(Debug, Clone, PartialEq)]
struct Entry {
    manager: String,
    apply: bool,
    api_version: String,
    subresource: String,
    time: Option<String>,
    fields: Set,
}

impl Entry {
    fn is(&self, other: &Self) -> bool {
        // An applier is the same whatever version it applied.
        self.manager == other.manager
            && self.apply == other.apply
            && self.subresource == other.subresource
            && (self.apply || self.api_version == other.api_version)
    }

    fn read(value: &Value) -> Self {
        Self {
            manager: text(value, "/manager").to_owned(),
            apply: text(value, "/operation") == "Apply",
            api_version: text(value, "/apiVersion").to_owned(),
            subresource: text(value, "/subresource").to_owned(),
            time: value.get("time").and_then(Value::as_str).map(str::to_owned),
            fields: value
                .get("fieldsV1")
                .map(Set::from_json)
                .unwrap_or_default(),
        }
    }

    fn write(&self) -> Value {
        let mut value = json!({
            "manager": self.manager,
            "operation": if self.apply { "Apply" } else { "Update" },
            "apiVersion": self.api_version,
            "fieldsType": "FieldsV1",
            "fieldsV1": self.fields.to_json(),
        });
        if let Some(time) = &self.time {
            value["time"] = Value::from(time.as_str());
        }
        if !self.subresource.is_empty() {
            value["subresource"] = Value::from(self.subresource.as_str());
        }
        value
    }

    /// As conflicts name the manager.
    fn shown(&self) -> String {
        let mut shown = quote(&self.manager);
        if !self.subresource.is_empty() {
            shown.push_str(&format!(" with subresource {}", quote(&self.subresource)));
        }
        if !self.apply {
            shown.push_str(&format!(" using {}", self.api_version));
        }
        shown
    }
}

fn read(object: &Value) -> Vec<Entry> {
    meta::get(object, "managedFields")
        .and_then(Value::as_array)
        .map(|all| all.iter().map(Entry::read).collect())
        .unwrap_or_default()
}

/// Applies first, then by time, as the real server sorts them.
fn write(object: &mut Value, mut entries: Vec<Entry>) {
    entries.retain(|entry| !entry.fields.is_empty());
    entries.sort_by(|a, b| {
        b.apply
            .cmp(&a.apply)
            .then_with(|| a.time.cmp(&b.time))
            .then_with(|| a.manager.cmp(&b.manager))
            .then_with(|| a.api_version.cmp(&b.api_version))
            .then_with(|| a.subresource.cmp(&b.subresource))
    });
    let value = (!entries.is_empty()).then(|| entries.iter().map(Entry::write).collect());
    meta::set(object, "managedFields", value);
}

/// Fields of metadata that nobody manages.
const UNMANAGED: [&str; 11] = [
    "name",
    "namespace",
    "creationTimestamp",
    "selfLink",
    "uid",
    "generation",
    "managedFields",
    "resourceVersion",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "generateName",
];

/// Drops what is not managed, and what this subresource cannot write.
fn strip(resource: &Resource, subresource: &str, set: &mut Set) {
    set.remove_below(&["f:apiVersion"]);
    set.remove_below(&["f:kind"]);
    set.remove_member(&["f:metadata"]);
    for key in UNMANAGED {
        // `generateName` is recorded, as is a deletion time that somebody sends.
        if matches!(
            key,
            "generateName" | "deletionTimestamp" | "deletionGracePeriodSeconds"
        ) {
            continue;
        }
        set.remove_below(&["f:metadata", &format!("f:{key}")]);
    }
    if !resource.has_status {
        return;
    }
    if subresource == "status" {
        set.remove_below(&["f:spec"]);
        if resource.is_custom() {
            set.remove_below(&["f:metadata"]);
            let other: Vec<String> = set
                .steps()
                .map(|(step, _)| step.clone())
                .filter(|step| step != "f:status")
                .collect();
            for step in other {
                set.remove_below(&[&step]);
            }
        }
    } else {
        set.remove_below(&["f:status"]);
    }
}

fn without_managed(object: &Value) -> Value {
    let mut bare = object.clone();
    meta::set(&mut bare, "managedFields", None);
    bare
}

/// Records a new object's fields as those of its creator.
pub(crate) fn on_create(by: &Write, resource: &Resource, object: &mut Value) {
    let nothing =
        json!({"apiVersion": resource.api_version(), "kind": resource.kind, "metadata": {}});
    record(by, resource, &nothing, object, Vec::new());
}

/// Records what an update changes as the updater's.
pub(crate) fn on_update(
    by: &Write,
    resource: &Resource,
    new: &mut Value,
    old: &Value,
    _now: Timestamp,
) {
    // A client that sends an empty list wants the records removed; one that
    // sends none keeps them.
    let cleared = meta::get(new, "managedFields")
        .and_then(Value::as_array)
        .is_some_and(|all| {
            all.iter()
                .all(|e| e.as_object().is_some_and(serde_json::Map::is_empty))
        });
    let entries = if cleared { Vec::new() } else { read(old) };
    // An object without records does not start to have some with an update,
    // only with an apply.
    if entries.is_empty() {
        meta::set(new, "managedFields", None);
        return;
    }
    record(by, resource, old, new, entries);
}

fn record(by: &Write, resource: &Resource, old: &Value, new: &mut Value, entries: Vec<Entry>) {
    // The records differ too, but `strip` leaves them out.
    let comparison = fieldset::compare(resource, old, new);
    let mine = Entry {
        manager: by.manager.clone(),
        apply: false,
        api_version: resource.api_version(),
        subresource: by.subresource.clone(),
        time: Some(crate::clock::rfc3339(by.now)),
        fields: Set::default(),
    };
    let mut changed = comparison.added;
    changed.union(&comparison.modified);
    let mut removed = comparison.removed;
    strip(resource, &by.subresource, &mut changed);
    strip(resource, &by.subresource, &mut removed);
    let mut kept: Vec<Entry> = Vec::with_capacity(entries.len() + 1);
    let mut own: Option<Entry> = None;
    for mut entry in entries {
        let before = entry.fields.clone();
        entry.fields.subtract(&removed);
        if entry.is(&mine) {
            entry.fields.union(&changed);
            if entry.fields != before {
                entry.time.clone_from(&mine.time);
            }
            own = Some(entry);
        } else {
            entry.fields.subtract(&changed);
            kept.push(entry);
        }
    }
    kept.push(own.unwrap_or(Entry {
        fields: changed,
        ..mine
    }));
    write(new, kept);
}

/// A write that changes nothing but the times in `managedFields` changes nothing.
pub(crate) fn keep_times_of_no_change(new: &mut Value, old: &Value) {
    if meta::get(new, "managedFields") == meta::get(old, "managedFields") {
        return;
    }
    let timeless = |object: &Value| -> Vec<Entry> {
        read(object)
            .into_iter()
            .map(|entry| Entry {
                time: None,
                ..entry
            })
            .collect()
    };
    let same_managers = {
        let (mut a, mut b) = (timeless(new), timeless(old));
        let key = |e: &Entry| {
            (
                e.manager.clone(),
                e.apply,
                e.api_version.clone(),
                e.subresource.clone(),
            )
        };
        a.sort_by_key(key);
        b.sort_by_key(key);
        a == b
    };
    if same_managers && without_managed(new) == without_managed(old) {
        meta::set(
            new,
            "managedFields",
            meta::get(old, "managedFields").cloned(),
        );
    }
}

/// Server-side apply: the object after it, or the conflicts.
pub(crate) fn apply(
    call: &Call,
    target: &Target,
    application: &Application<'_>,
    old: Option<&Value>,
    now: Timestamp,
) -> Result<Value, Failure> {
    let resource = &target.resource;
    let mut config = application.config.clone();
    meta::set(&mut config, "managedFields", None);
    let _ = call;
    let nothing =
        json!({"apiVersion": resource.api_version(), "kind": resource.kind, "metadata": {}});
    let live = old.map_or(nothing, without_managed);
    let mut entries = old.map(read).unwrap_or_default();
    if let Some(old) = old
        && entries.is_empty()
    {
        // What was there before anything was recorded belongs to this manager.
        let mut fields = fieldset::fields_of(resource, &without_managed(old));
        strip(resource, "", &mut fields);
        entries.push(Entry {
            manager: "before-first-apply".to_owned(),
            apply: false,
            api_version: resource.api_version(),
            subresource: String::new(),
            time: Some(crate::clock::rfc3339(now)),
            fields,
        });
    }
    let mut applied = fieldset::fields_of(resource, &config);
    strip(resource, &target.subresource, &mut applied);
    let mine = Entry {
        manager: application.manager.to_owned(),
        apply: true,
        api_version: resource.api_version(),
        subresource: target.subresource.clone(),
        time: Some(crate::clock::rfc3339(now)),
        fields: applied,
    };
    let mut new = fieldset::merge(resource, &live, &config);
    let last = entries.iter().find(|entry| entry.is(&mine)).cloned();
    if let Some(last) = &last {
        let mut gone = last.fields.clone();
        gone.subtract(&mine.fields);
        let mut keep = mine.fields.clone();
        for entry in entries.iter().filter(|entry| !entry.is(&mine)) {
            keep.union(&entry.fields);
        }
        fieldset::prune(resource, &mut new, &gone, &keep);
    }
    let comparison = fieldset::compare(resource, &live, &new);
    let mut changed = comparison.added.clone();
    changed.union(&comparison.modified);
    let mut conflicts: Vec<(Entry, Set)> = Vec::new();
    let mut kept = Vec::with_capacity(entries.len() + 1);
    for mut entry in entries {
        if entry.is(&mine) {
            continue;
        }
        let contested = entry.fields.intersection(&changed);
        if !contested.is_empty() {
            conflicts.push((entry.clone(), contested.clone()));
            entry.fields.subtract(&contested);
        }
        entry.fields.subtract(&comparison.removed);
        kept.push(entry);
    }
    if !conflicts.is_empty() && !application.force {
        return Err(conflict(&conflicts));
    }
    let mut mine = mine;
    if let Some(last) = last
        && last.fields == mine.fields
        && live == new
    {
        mine.time = last.time;
    }
    kept.push(mine);
    write(&mut new, kept);
    Ok(new)
}

fn conflict(conflicts: &[(Entry, Set)]) -> Failure {
    let all: Vec<(String, String)> = conflicts
        .iter()
        .flat_map(|(entry, set)| {
            let who = entry.shown();
            set.paths().into_iter().map(move |path| (who.clone(), path))
        })
        .collect();
    let causes: Vec<Value> = all
        .iter()
        .map(|(who, path)| {
            json!({"reason": "FieldManagerConflict", "message": format!("conflict with {who}"), "field": path})
        })
        .collect();
    let message = if let [(who, path)] = all.as_slice() {
        format!("Apply failed with 1 conflict: conflict with {who}: {path}")
    } else {
        let mut managers: Vec<&String> = all.iter().map(|(who, _)| who).collect();
        managers.sort();
        managers.dedup();
        let mut lines = Vec::new();
        for manager in managers {
            lines.push(format!("conflicts with {manager}:"));
            lines.extend(
                all.iter()
                    .filter(|(who, _)| who == manager)
                    .map(|(_, path)| format!("- {path}")),
            );
        }
        format!(
            "Apply failed with {} conflicts: {}",
            all.len(),
            lines.join("\n")
        )
    };
    Failure::apply_conflict(message, &causes)
}
