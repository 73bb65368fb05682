//! `metadata.managedFields`: who set which field
//! (`apimachinery/pkg/util/managedfields`).
//!
//! Here is what a create and an update record; [`entry`] is the form of the
//! records, [`mod@apply`] is server-side apply with its conflicts.

mod apply;
mod entry;

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use serde_json::Value;

use crate::builtin::Kind;
use crate::kept::Kept;
use crate::meta;
use crate::request::{Call, Target};
use crate::resource::Resource;
use crate::server::ApiServer;
use crate::smd::{self, Comparison, Set, Ty};
use entry::{Entry, cap, is_reset, read, write};

pub(crate) use apply::{Application, apply, shown_type};
pub(crate) use entry::keep_times_of_no_change;

/// Who writes, and through what.
pub(crate) struct Write {
    manager: String,
    subresource: String,
    now: String,
    resource: Arc<Resource>,
    server: ApiServer,
}

impl Write {
    /// A write that the client's name or `fieldManager` is recorded for.
    pub(crate) fn update(call: &Call, target: &Target) -> Self {
        Self::by(call, target, call.manager())
    }

    fn by(call: &Call, target: &Target, manager: String) -> Self {
        Self {
            manager: if manager.is_empty() {
                "unknown".to_owned()
            } else {
                manager
            },
            subresource: target.subresource.clone(),
            now: crate::clock::rfc3339(call.server.now()),
            resource: target.resource.clone(),
            server: call.server.clone(),
        }
    }

    fn ty(&self) -> Ty<'_> {
        Ty::of(&self.resource)
    }

    fn entry(&self, apply: bool, fields: Set) -> Entry {
        Entry {
            manager: self.manager.clone(),
            apply,
            api_version: self.resource.api_version(),
            subresource: self.subresource.clone(),
            time: Some(self.now.clone()),
            fields,
        }
    }

    /// What the strategy of this subresource resets, and nobody can own
    /// through it (`GetResetFields` of each strategy).
    fn reset(&self) -> Set {
        let resource = &self.resource;
        match (resource.behaviour, self.subresource.as_str()) {
            (Kind::Custom, "") if resource.has_status => Set::of(&[&["status"]]),
            (
                Kind::Pod | Kind::Node | Kind::Namespace | Kind::Job | Kind::Definition,
                "" | "finalize",
            ) => Set::of(&[&["status"]]),
            (Kind::Pod, "status") => Set::of(&[
                &["spec"],
                &["metadata", "deletionTimestamp"],
                &["metadata", "ownerReferences"],
            ]),
            (Kind::Kept(kind), "") if kind.has_status() => Set::of(&[&["status"]]),
            (Kind::Kept(Kept::VolumeAttachment) | Kind::Definition, "status") => {
                Set::of(&[&["metadata"], &["spec"]])
            }
            (_, "status") => Set::of(&[&["spec"]]),
            _ => Set::default(),
        }
    }

    /// The object as it was before it was created.
    fn nothing(&self) -> Value {
        let mut object = crate::go_decode::nothing(self.resource.behaviour);
        object["apiVersion"] = Value::String(self.resource.api_version());
        object["kind"] = Value::String(self.resource.kind.clone());
        object
    }

    /// The resource in a version that an entry names, if there is such a one.
    fn version(&self, api_version: &str) -> Option<Arc<Resource>> {
        let resource = &self.resource;
        if api_version == resource.api_version() {
            return Some(resource.clone());
        }
        let (group, version) = crate::resource::split_group_version(api_version);
        let events = matches!(resource.behaviour, Kind::Event | Kind::EventV1);
        if group != resource.group && !(events && matches!(group, "" | "events.k8s.io")) {
            return None;
        }
        let state = self.server.state();
        state.registry.get(group, version, &resource.plural)
    }

    /// An object in another version; what that one does not know is an error.
    fn converted(&self, object: &Value, to: &Resource) -> Result<Value, String> {
        let mut object = object.clone();
        match (self.resource.behaviour, to.behaviour) {
            (Kind::Event, Kind::EventV1) => crate::core_rules::event_from_core(&mut object),
            (Kind::EventV1, Kind::Event) => crate::core_rules::event_to_core(&mut object),
            _ => object["apiVersion"] = Value::String(to.api_version()),
        }
        let known = to.version == self.resource.version || !to.is_custom();
        let misfits = if known {
            Vec::new()
        } else {
            // Here the real server bears no duplicates (`versionconverter.go`).
            smd::validate(Ty::of(to), &object, false)
        };
        if misfits.is_empty() {
            Ok(object)
        } else {
            Err(smd::text_of(&misfits))
        }
    }

    /// What differs between two objects, in each version that entries name.
    fn comparisons(
        &self,
        old: &Value,
        new: &Value,
        entries: &[Entry],
    ) -> Result<BTreeMap<String, Comparison>, String> {
        let own = self.resource.api_version();
        let mut all = BTreeMap::new();
        for entry in entries {
            let version = &entry.api_version;
            if *version == own || all.contains_key(version) {
                continue;
            }
            if let Some(other) = self.version(version) {
                let old = self
                    .converted(old, &other)
                    .map_err(|why| format!("failed to convert old object: {why}"))?;
                let new = self
                    .converted(new, &other)
                    .map_err(|why| format!("failed to convert new object: {why}"))?;
                let found = smd::compare(Ty::of(&other), &old, &new, &Set::default());
                all.insert(version.clone(), found);
            }
        }
        all.insert(own, smd::compare(self.ty(), old, new, &self.reset()));
        Ok(all)
    }
}

/// Drops what nobody manages (`stripmeta.go`).
fn strip(set: &mut Set) {
    static UNMANAGED: LazyLock<Set> = LazyLock::new(|| {
        Set::of(&[
            &["apiVersion"],
            &["kind"],
            &["metadata"],
            &["metadata", "name"],
            &["metadata", "namespace"],
            &["metadata", "creationTimestamp"],
            &["metadata", "selfLink"],
            &["metadata", "uid"],
            &["metadata", "clusterName"],
            &["metadata", "generation"],
            &["metadata", "managedFields"],
            &["metadata", "resourceVersion"],
        ])
    });
    set.subtract(&UNMANAGED);
}

/// Records a new object's fields as those of its creator.
pub(crate) fn on_create(by: &Write, object: &mut Value) {
    let entries = if is_reset(object) {
        Vec::new()
    } else {
        read(object)
    };
    record(by, &by.nothing(), object, &entries);
}

/// Records what an update changes as the updater's.
pub(crate) fn on_update(by: &Write, new: &mut Value, old: &Value) {
    let entries = if by.subresource.is_empty() {
        if is_reset(new) {
            Vec::new()
        } else {
            let sent = read(new);
            if sent.is_empty() { read(old) } else { sent }
        }
    } else {
        // A subresource cannot set the records.
        read(old)
    };
    // An object without records does not start to have some with an update,
    // only with an apply.
    if entries.is_empty() {
        meta::set(new, "managedFields", None);
        return;
    }
    record(by, old, new, &entries);
}

fn record(by: &Write, old: &Value, new: &mut Value, entries: &[Entry]) {
    meta::set(new, "managedFields", None);
    // Of an object that does not fit its type nothing can be recorded.
    let misfit = |object| !smd::validate(by.ty(), object, true).is_empty();
    if by.resource.is_custom() && (misfit(new) || misfit(old)) {
        return;
    }
    // The records of the old object differ too, but `strip` leaves them out.
    if let Ok(entries) = updated(by, old, new, entries) {
        write(new, entries);
    }
}

/// The entries after an update from `old` to `new`.
fn updated(by: &Write, old: &Value, new: &Value, entries: &[Entry]) -> Result<Vec<Entry>, String> {
    let mut found = by.comparisons(old, new, entries)?;
    let (mut entries, _) = taken(entries, &found, None);
    let mut own = Set::default();
    if let Some(found) = found.remove(&by.resource.api_version()) {
        own = found.added;
        own.union(found.modified);
    }
    strip(&mut own);
    if !own.is_empty() {
        let mut mine = by.entry(false, own);
        entries.retain(|entry| {
            let same = entry.is(&mine);
            if same {
                mine.fields.union(entry.fields.clone());
            }
            !same
        });
        entries.push(mine);
    }
    cap(&mut entries);
    Ok(entries)
}

/// The entries without what others have changed, and what is contested.
/// `mine` keeps what it has.
fn taken(
    entries: &[Entry],
    found: &BTreeMap<String, Comparison>,
    mine: Option<&Entry>,
) -> (Vec<Entry>, Vec<(Entry, Set)>) {
    let mut contested = Vec::new();
    let mut kept = Vec::with_capacity(entries.len() + 1);
    for entry in entries {
        if mine.is_some_and(|mine| entry.is(mine)) {
            kept.push(entry.clone());
            continue;
        }
        // An entry of a version that is gone goes too.
        let Some(found) = found.get(&entry.api_version) else {
            continue;
        };
        let mut conflict = entry.fields.intersection(&found.modified);
        conflict.union(entry.fields.intersection(&found.added));
        let mut left = entry.clone();
        if !conflict.is_empty() {
            left.fields.subtract(&conflict);
            contested.push((entry.clone(), conflict));
        }
        left.fields.subtract(&found.removed);
        kept.push(left);
    }
    kept.retain(|entry| !entry.fields.is_empty());
    (kept, contested)
}
