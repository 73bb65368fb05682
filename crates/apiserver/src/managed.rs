//! `metadata.managedFields`: who set which field, and server-side apply with
//! its conflicts (`apimachinery/pkg/util/managedfields` and
//! `structured-merge-diff/merge/update.go`).

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use serde_json::{Value, json};

use crate::builtin::Kind;
use crate::meta;
use crate::quote::quote;
use crate::request::{Call, Target};
use crate::resource::{Resource, text};
use crate::server::ApiServer;
use crate::smd::typed::{self, Comparison};
use crate::smd::{Set, Ty};
use crate::status::Failure;

/// As many updaters are kept apart; of more the oldest are put together.
const MOST_UPDATERS: usize = 10;

/// Where client-side apply keeps what it applied last.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

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
            (Kind::Definition, "status") => Set::of(&[&["metadata"], &["spec"]]),
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
        let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
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
            typed::validate(Ty::of(to), &object, true)
        };
        if misfits.is_empty() {
            Ok(object)
        } else {
            Err(typed::text_of(&misfits))
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
                all.insert(version.clone(), typed::compare(Ty::of(&other), &old, &new));
            }
        }
        let found = typed::compare(self.ty(), old, new).without(&self.reset());
        all.insert(own, found);
        Ok(all)
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
        let mut value = json!({
            "operation": if self.apply { "Apply" } else { "Update" },
            "apiVersion": self.api_version,
            "fieldsType": "FieldsV1",
            "fieldsV1": self.fields.into_json(),
        });
        for (key, text) in [
            ("manager", Some(self.manager)),
            ("time", self.time),
            ("subresource", Some(self.subresource)),
        ] {
            if let Some(text) = text.filter(|text| !text.is_empty()) {
                value[key] = Value::String(text);
            }
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
fn read(object: &Value) -> Vec<Entry> {
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
fn is_reset(object: &Value) -> bool {
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
fn write(object: &mut Value, mut entries: Vec<Entry>) {
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

fn without_managed(object: &Value) -> Value {
    let mut bare = object.clone();
    meta::set(&mut bare, "managedFields", None);
    bare
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
    let misfit = |object| !typed::validate(by.ty(), object, true).is_empty();
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
        own.union(&found.modified);
    }
    own.subtract_all_below(&by.reset());
    strip(&mut own);
    if !own.is_empty() {
        let mut mine = by.entry(false, own);
        entries.retain(|entry| {
            let same = entry.is(&mine);
            if same {
                mine.fields.union(&entry.fields);
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
        let mut changed = found.modified.clone();
        changed.union(&found.added);
        let conflict = entry.fields.intersection(&changed);
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

/// Puts the oldest updaters together when there are too many (`capmanagers.go`).
fn cap(entries: &mut Vec<Entry>) {
    let mut updaters: Vec<Entry> = entries.iter().filter(|e| !e.apply).cloned().collect();
    let mut count = updaters.len();
    if count <= MOST_UPDATERS {
        return;
    }
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
            Some(there) => bucket.fields.union(&there.fields),
            None => bucket.fields.union(&first.fields),
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
    if timeless(new) == timeless(old) && without_managed(new) == without_managed(old) {
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
) -> Result<Value, Failure> {
    let by = Write::by(call, target, application.manager.to_owned());
    check_config(&by, application.config)?;
    let mut live = old.map_or_else(|| by.nothing(), without_managed);
    if let Some(schema) = &by.resource.schema {
        // Some stored nulls are gone when the object is read again.
        schema.drop_nulls(&mut live);
    }
    let mut entries = old.map(read).unwrap_or_default();
    if entries.is_empty() {
        // What was there before anything was recorded belongs to this manager.
        let before = Write::by(call, target, "before-first-apply".to_owned());
        entries = updated(&before, &before.nothing(), &live, &[])
            .map_err(|why| Failure::new(500, "", why))?;
    }
    match applied(
        &by,
        &live,
        application.config,
        entries.clone(),
        application.force,
    ) {
        Err(Refusal::Contested(contested)) if application.manager == "kubectl" => {
            // What client-side apply had set may be taken over without force.
            let Some(allowed) = last_applied_fields(&by, &live) else {
                return Err(conflict(&contested));
            };
            let left: Vec<(Entry, Set)> = contested
                .into_iter()
                .map(|(entry, mut set)| {
                    set.subtract(&allowed);
                    (entry, set)
                })
                .filter(|(_, set)| !set.is_empty())
                .collect();
            if !left.is_empty() {
                return Err(conflict(&left));
            }
            applied(&by, &live, application.config, entries, true).map_err(Refusal::into_failure)
        }
        Err(refusal) => Err(refusal.into_failure()),
        Ok(new) => Ok(new),
    }
    .map(|mut new| {
        if application.manager == "kubectl" {
            refresh_last_applied(&mut new, application.config);
        }
        new
    })
}

/// The type of a configuration as errors show it.
pub(crate) fn shown_type(config: &Value) -> String {
    let (api_version, kind) = (text(config, "/apiVersion"), text(config, "/kind"));
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    format!("{group}/{version}, Kind={kind}")
}

/// The configuration must be of the resource's type and fit it.
fn check_config(by: &Write, config: &Value) -> Result<(), Failure> {
    let (api_version, kind) = (text(config, "/apiVersion"), text(config, "/kind"));
    let shown = shown_type(config);
    if api_version != by.resource.api_version() || kind != by.resource.kind {
        return Err(Failure::bad_request(format!(
            "invalid object type: {shown}"
        )));
    }
    let misfits = typed::validate(by.ty(), config, false);
    if misfits.is_empty() {
        return Ok(());
    }
    Err(Failure::new(
        500,
        "",
        format!(
            "failed to create typed patch object ({}/{}; {shown}): {}",
            meta::text(config, "namespace"),
            meta::name(config),
            typed::text_of(&misfits)
        ),
    ))
}

/// Why an apply was not done.
enum Refusal {
    Contested(Vec<(Entry, Set)>),
    Failed(String),
}

impl Refusal {
    fn into_failure(self) -> Failure {
        match self {
            Self::Contested(contested) => conflict(&contested),
            Self::Failed(why) => Failure::new(500, "", why),
        }
    }
}

/// `Updater.Apply`: the new object, or what is contested.
fn applied(
    by: &Write,
    live: &Value,
    config: &Value,
    mut entries: Vec<Entry>,
    force: bool,
) -> Result<Value, Refusal> {
    let ty = by.ty();
    let mut fields = typed::fields_of(ty, config);
    fields.subtract_all_below(&by.reset());
    let mut mine = by.entry(true, fields);
    let last = entries.iter().find(|entry| entry.is(&mine)).cloned();
    entries.retain(|entry| !entry.is(&mine));
    mine.time = last.as_ref().and_then(|last| last.time.clone());
    entries.push(mine.clone());

    let merged = typed::merge(ty, live, config).unwrap_or(Value::Null);
    let new = match &last {
        Some(last) if !last.fields.is_empty() => prune(by, &merged, &entries, last)
            .map_err(|why| Refusal::Failed(format!("failed to prune fields: {why}")))?
            .unwrap_or(merged),
        _ => merged,
    };
    let found = by
        .comparisons(live, &new, &entries)
        .map_err(Refusal::Failed)?;
    let (mut entries, contested) = taken(&entries, &found, Some(&mine));
    if !contested.is_empty() && !force {
        return Err(Refusal::Contested(contested));
    }
    let unchanged = *live == new;
    for entry in entries.iter_mut().filter(|entry| entry.is(&mine)) {
        strip(&mut entry.fields);
        if !unchanged {
            entry.time = Some(by.now.clone());
        }
    }
    entries.retain(|entry| !entry.fields.is_empty());
    let mut new = if unchanged { live.clone() } else { new };
    write(&mut new, entries);
    Ok(new)
}

/// Takes out what this manager applied last time, does not apply now, and
/// nobody else owns; `None` when the version of last time is gone.
fn prune(
    by: &Write,
    merged: &Value,
    entries: &[Entry],
    last: &Entry,
) -> Result<Option<Value>, String> {
    let Some(then) = by.version(&last.api_version) else {
        return Ok(None);
    };
    let ty = Ty::of(&then);
    let old_form = by
        .converted(merged, &then)
        .map_err(|why| format!("failed to convert merged object to last applied version: {why}"))?;
    let last_fields = last.fields.with_named_fields(ty);
    let mut pruned = typed::remove(ty, &old_form, &last_fields);
    // Add back what anybody owns, first in the version of last time.
    let mut owned: BTreeMap<&str, Set> = BTreeMap::new();
    for entry in entries {
        owned
            .entry(&entry.api_version)
            .or_default()
            .union(&entry.fields);
    }
    let mut versions: Vec<(&str, Set)> = owned.into_iter().collect();
    versions.sort_by_key(|(version, _)| *version != last.api_version);
    let mut whole = old_form.clone();
    for (version, owned) in versions {
        let Some(other) = by.version(version) else {
            continue;
        };
        let ty = Ty::of(&other);
        let back = |what: &str, why: String| {
            format!(
                "failed add back owned items: failed to convert {what} object at version {version}: {why}"
            )
        };
        whole = by
            .converted(&whole, &other)
            .map_err(|why| back("merged", why))?;
        pruned = by
            .converted(&pruned, &other)
            .map_err(|why| back("pruned", why))?;
        let mut gone = typed::fields_of(ty, &whole).with_named_fields(ty);
        let mut keep = typed::fields_of(ty, &pruned).with_named_fields(ty);
        keep.union(&owned.with_named_fields(ty));
        gone.subtract(&keep);
        pruned = typed::remove(ty, &whole, &gone);
    }
    // Add back what nobody owns: only what was applied last time may go.
    let pruned = by.converted(&pruned, &then)?;
    let mut gone = typed::fields_of(ty, &old_form).with_named_fields(ty);
    gone.subtract(&typed::fields_of(ty, &pruned).with_named_fields(ty));
    let gone = gone.intersection(&last_fields);
    let left = typed::remove(ty, &old_form, &gone);
    by.converted(&left, &by.resource).map(Some)
}

/// The fields that client-side apply set and that are still as it set them.
fn last_applied_fields(by: &Write, live: &Value) -> Option<Set> {
    let noted = meta::get(live, "annotations")?
        .get(LAST_APPLIED)?
        .as_str()?;
    let last: Value = serde_json::from_str(noted).ok()?;
    if text(&last, "/apiVersion") != by.resource.api_version()
        || !typed::validate(by.ty(), &last, false).is_empty()
    {
        return None;
    }
    let mut fields = typed::fields_of(by.ty(), &last);
    let found = typed::compare(by.ty(), &last, live);
    for set in [&found.modified, &found.added, &found.removed] {
        fields.subtract(set);
    }
    Some(fields)
}

/// Keeps client-side apply's note up to date, where there is one.
fn refresh_last_applied(object: &mut Value, config: &Value) {
    let noted = meta::get(object, "annotations")
        .and_then(|all| all.get(LAST_APPLIED))
        .and_then(Value::as_str);
    if noted.is_none_or(str::is_empty) {
        return;
    }
    let mut config = config.clone();
    if let Some(all) = config
        .pointer_mut("/metadata/annotations")
        .and_then(Value::as_object_mut)
    {
        all.remove(LAST_APPLIED);
    }
    object["metadata"]["annotations"][LAST_APPLIED] = Value::String(format!("{config}\n"));
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
