//! Server-side apply: merging, conflicts, and taking out what is applied no
//! more (`structured-merge-diff/merge/update.go`).

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::entry::{Entry, read, without_managed, write};
use super::{Write, strip, taken, updated};
use crate::meta;
use crate::request::{Call, Target};
use crate::resource::text;
use crate::smd::{self, Set, Ty};
use crate::status::Failure;

/// Where client-side apply keeps what it applied last.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// A configuration that is applied.
pub(crate) struct Application<'a> {
    pub(crate) config: &'a Value,
    pub(crate) manager: &'a str,
    pub(crate) force: bool,
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
    let (group, version) = crate::resource::split_group_version(api_version);
    if version.contains('/') {
        return "/, Kind=".to_owned();
    }
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
    let misfits = smd::validate(by.ty(), config, false);
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
            smd::text_of(&misfits)
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
    let mut fields = smd::fields_of(ty, config);
    fields.subtract_all_below(&by.reset());
    let mut mine = by.entry(true, fields);
    let last = entries.iter().find(|entry| entry.is(&mine)).cloned();
    entries.retain(|entry| !entry.is(&mine));
    mine.time = last.as_ref().and_then(|last| last.time.clone());
    entries.push(mine.clone());

    let merged = smd::merge(ty, live, config).unwrap_or(Value::Null);
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
    let mut pruned = smd::remove(ty, &old_form, &last_fields);
    // Add back what anybody owns, first in the version of last time.
    let mut owned: BTreeMap<&str, Set> = BTreeMap::new();
    for entry in entries {
        owned
            .entry(&entry.api_version)
            .or_default()
            .union(entry.fields.clone());
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
        let mut gone = smd::fields_of(ty, &whole).with_named_fields(ty);
        let mut keep = smd::fields_of(ty, &pruned).with_named_fields(ty);
        keep.union(owned.with_named_fields(ty));
        gone.subtract(&keep);
        pruned = smd::remove(ty, &whole, &gone);
    }
    // Add back what nobody owns: only what was applied last time may go.
    let pruned = by.converted(&pruned, &then)?;
    let mut gone = smd::fields_of(ty, &old_form).with_named_fields(ty);
    gone.subtract(&smd::fields_of(ty, &pruned).with_named_fields(ty));
    let gone = gone.intersection(&last_fields);
    let left = smd::remove(ty, &old_form, &gone);
    by.converted(&left, &by.resource).map(Some)
}

/// The fields that client-side apply set and that are still as it set them.
fn last_applied_fields(by: &Write, live: &Value) -> Option<Set> {
    let noted = meta::get(live, "annotations")?
        .get(LAST_APPLIED)?
        .as_str()?;
    let last: Value = serde_json::from_str(noted).ok()?;
    if text(&last, "/apiVersion") != by.resource.api_version()
        || !smd::validate(by.ty(), &last, false).is_empty()
    {
        return None;
    }
    let mut fields = smd::fields_of(by.ty(), &last);
    let found = smd::compare(by.ty(), &last, live, &Set::default());
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
