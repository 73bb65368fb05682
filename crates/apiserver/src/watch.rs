//! Watches: a stream of lines that reads a resource's bounded history.
//!
//! A watch holds only its place in the history. A client that stops reading
//! costs nothing more than that; when the history has moved on past its place
//! it gets 410 and has to list again.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::negotiate::Form;
use crate::read::Selection;
use crate::reply::{Dropped, Reply};
use crate::request::{Call, Target};
use crate::resource::Resource;
use crate::route::Query;
use crate::server::ApiServer;
use crate::status::{Failure, FieldError};
use crate::store::{Change, Event, Stored};

/// Entries of the history that are taken in one go.
const BATCH: usize = 256;
/// Time between bookmarks, as in the real watch cache.
const BOOKMARK_EVERY: Duration = Duration::from_secs(60);
/// Time between the last bookmark and the end of a watch.
const LAST_BOOKMARK: Duration = Duration::from_secs(2);
/// How long a watch lasts that sets no timeout (the real one: 30 to 60 minutes).
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(1800);

struct Watch {
    server: ApiServer,
    target: Target,
    prefix: String,
    selection: Selection,
    form: Form,
    cursor: u64,
    generation: u64,
    pending: VecDeque<Bytes>,
    deadline: Instant,
    next_bookmark: Option<Instant>,
    /// The version that the watch began at: nothing to tell of it.
    begun_at: u64,
    first_table: bool,
    done: bool,
}

/// GET with `watch=true`.
pub(crate) fn start(call: &Call, target: &Target, name: Option<&str>) -> Result<Reply, Failure> {
    let mut selection = Selection::of(call, target)?;
    if let Some(name) = name {
        selection.fields.add("metadata.name", name);
    }
    let form = crate::read::form(call)?;
    let query = &call.query;
    let bookmarks = query.flag("allowWatchBookmarks");
    let initial = query
        .get("sendInitialEvents")
        .map(|_| query.flag("sendInitialEvents"));
    let asked = query.get("resourceVersion");
    let errors = option_errors(initial, query);
    if !errors.is_empty() {
        return Err(Failure::invalid("meta.k8s.io", "ListOptions", "", &errors));
    }
    let timeout = match crate::read::number(call, "timeoutSeconds")? {
        None | Some(0) => DEFAULT_TIMEOUT,
        Some(seconds) => Duration::from_secs(u64::try_from(seconds).unwrap_or_default()),
    };
    let asked = asked.map(crate::read::parse_bare_version).transpose()?;
    let now = Instant::now();
    let mut watch = Watch {
        server: call.server.clone(),
        prefix: target.prefix(),
        target: target.clone(),
        selection,
        form,
        cursor: 0,
        generation: 0,
        pending: VecDeque::new(),
        deadline: now + timeout,
        next_bookmark: None,
        begun_at: 0,
        first_table: true,
        done: false,
    };
    if bookmarks {
        watch.next_bookmark = watch.bookmark_after(now);
    }
    // What is there is asked for without saying so (`SetListOptionsDefaults`).
    let initial = initial.or((asked.unwrap_or_default() == 0).then_some(true));
    watch.begin(call, asked, initial, bookmarks)?;
    watch.begun_at = watch.cursor;
    let lines = futures::stream::unfold(watch, |mut watch| async move {
        watch
            .next()
            .await
            .map(|line| (Ok::<_, Dropped>(line), watch))
    });
    // Frames of a watch are JSON too, one after the other.
    Ok(Reply::stream("application/json", Box::pin(lines)))
}

/// Options of a watch that do not go together (`validateWatchOptions`).
fn option_errors(initial: Option<bool>, query: &Query) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let matching = query.get("resourceVersionMatch");
    let mut forbid = |why: &str| errors.push(FieldError::forbidden("resourceVersionMatch", why));
    if initial.is_some() && matching != Some("NotOlderThan") {
        forbid("sendInitialEvents requires setting resourceVersionMatch to NotOlderThan");
    }
    if initial.is_none() && matching.is_some() {
        forbid("resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided");
    }
    if query.get("continue").is_some() {
        forbid("resourceVersionMatch is forbidden when continue is provided");
    }
    if let Some(other) = matching.filter(|m| *m != "NotOlderThan") {
        errors.push(FieldError::not_supported(
            "resourceVersionMatch",
            &Value::from(other),
            &["NotOlderThan".to_owned()],
        ));
    }
    errors
}

impl Watch {
    /// Finds the place to start at, and the objects to start with.
    fn begin(
        &mut self,
        call: &Call,
        asked: Option<u64>,
        initial: Option<bool>,
        bookmarks: bool,
    ) -> Result<(), Failure> {
        let resource = self.target.resource.clone();
        let mut state = self.server.state();
        let current = state.store.version();
        let table = state.store.table(&resource.table);
        self.generation = table.generation;
        let from = asked.unwrap_or_default();
        let with_objects = match initial {
            Some(send) => send,
            None => from == 0,
        };
        if with_objects {
            let stale = call.stale_version(table, current, asked);
            self.cursor = stale.unwrap_or(current);
            let selected = |stored: &&Arc<Stored>| self.selection.matches(stored);
            let objects: Vec<Arc<Stored>> = match stale.and_then(|version| table.at(version)) {
                Some(old) => {
                    let in_place = |s: &&Arc<Stored>| s.key.starts_with(&self.prefix);
                    old.values()
                        .filter(in_place)
                        .filter(selected)
                        .cloned()
                        .collect()
                }
                None => table
                    .range(&self.prefix, None)
                    .filter(selected)
                    .cloned()
                    .collect(),
            };
            drop(state);
            for stored in objects {
                let line = self.line("ADDED", crate::convert::to_bytes(&resource, &stored));
                self.pending.push_back(line);
            }
            if initial == Some(true) && bookmarks {
                let line = self.bookmark(self.cursor, true);
                self.pending.push_back(line);
            }
            return Ok(());
        }
        if from == 0 {
            self.cursor = current;
            return Ok(());
        }
        self.cursor = from;
        if from < table.compacted {
            let oldest = table.compacted;
            drop(state);
            let failure = Failure::expired(format!("too old resource version: {from} ({oldest})"));
            self.fail(&failure);
        }
        Ok(())
    }

    /// Ends the watch with an error frame.
    fn fail(&mut self, failure: &Failure) {
        let line = json!({"type": "ERROR", "object": failure.to_status()}).to_string() + "\n";
        self.pending.push_back(Bytes::from(line));
        self.done = true;
    }

    /// When the next bookmark is due: every minute, and a last time shortly
    /// before the end (`nextBookmarkTime` of `cache_watcher.go`).
    fn bookmark_after(&self, now: Instant) -> Option<Instant> {
        let last = self.deadline.checked_sub(LAST_BOOKMARK)?;
        (last > now).then(|| last.min(now + BOOKMARK_EVERY))
    }

    async fn next(&mut self) -> Option<Bytes> {
        loop {
            if let Some(line) = self.pending.pop_front() {
                return Some(line);
            }
            if self.done {
                return None;
            }
            let changed = {
                let mut state = self.server.state();
                let current = state.store.version();
                let table = state.store.table(&self.target.resource.table);
                if table.generation != self.generation {
                    return None;
                }
                // Registered before looking, so that no change is missed.
                let mut changed = Box::pin(table.changed.clone().notified_owned());
                changed.as_mut().enable();
                match table.since(self.cursor, BATCH) {
                    None => {
                        let oldest = table.compacted;
                        drop(state);
                        let failure = Failure::expired(format!(
                            "too old resource version: {} ({oldest})",
                            self.cursor
                        ));
                        self.fail(&failure);
                        continue;
                    }
                    Some(events) if !events.is_empty() => {
                        drop(state);
                        for event in &events {
                            self.event(event);
                            self.cursor = event.version;
                        }
                        continue;
                    }
                    Some(_) => {
                        // Nothing happened to this resource up to now.
                        self.cursor = self.cursor.max(current);
                    }
                }
                changed
            };
            let wake = self
                .next_bookmark
                .map_or(self.deadline, |b| b.min(self.deadline));
            tokio::select! {
                biased;
                () = changed => {}
                () = tokio::time::sleep_until(wake) => {
                    let now = Instant::now();
                    if self.next_bookmark.is_some_and(|next| now >= next) {
                        self.next_bookmark = self.bookmark_after(now);
                        if self.cursor > self.begun_at {
                            let line = self.bookmark(self.cursor, false);
                            self.pending.push_back(line);
                        }
                    }
                    self.done = now >= self.deadline;
                }
            }
        }
    }

    /// What one change looks like through the selection.
    fn event(&mut self, event: &Event) {
        if !event.object.key.starts_with(&self.prefix) {
            return;
        }
        let resource = self.target.resource.clone();
        let before = event
            .before
            .as_ref()
            .is_some_and(|stored| self.selection.matches(stored));
        let after = event.change != Change::Deleted && self.selection.matches(&event.object);
        let line = match (before, after) {
            (false, false) => return,
            (false, true) => self.line("ADDED", crate::convert::to_bytes(&resource, &event.object)),
            (true, true) => self.line(
                "MODIFIED",
                crate::convert::to_bytes(&resource, &event.object),
            ),
            (true, false) if event.change == Change::Deleted => self.line(
                "DELETED",
                crate::convert::to_bytes(&resource, &event.object),
            ),
            (true, false) => {
                // It left the selection: its last state inside, under the new version.
                let Some(before) = &event.before else {
                    return;
                };
                let mut object = crate::convert::to_value(&resource, before);
                crate::meta::set(
                    &mut object,
                    "resourceVersion",
                    Some(Value::String(event.version.to_string())),
                );
                self.line("DELETED", Bytes::from(object.to_string()))
            }
        };
        self.pending.push_back(line);
    }

    fn line(&mut self, kind: &str, json: Bytes) -> Bytes {
        let json = match self.form {
            Form::Object => json,
            Form::Table => {
                let value: Value = serde_json::from_slice(&json).unwrap_or(Value::Null);
                let version = crate::meta::text(&value, "resourceVersion").to_owned();
                let headers = std::mem::take(&mut self.first_table);
                let table = crate::table::table_of(
                    &self.server,
                    &self.target.resource,
                    &[value],
                    &json!({"resourceVersion": version}),
                    headers,
                    crate::table::Include::Metadata,
                );
                Bytes::from(table.to_string())
            }
            Form::PartialObject | Form::PartialList => {
                let value: Value = serde_json::from_slice(&json).unwrap_or(Value::Null);
                Bytes::from(crate::table::partial(&value).to_string())
            }
        };
        let mut line = Vec::with_capacity(json.len() + 40);
        line.extend_from_slice(b"{\"type\":\"");
        line.extend_from_slice(kind.as_bytes());
        line.extend_from_slice(b"\",\"object\":");
        line.extend_from_slice(&json);
        line.extend_from_slice(b"}\n");
        Bytes::from(line)
    }

    fn bookmark(&mut self, version: u64, end_of_initial: bool) -> Bytes {
        let resource: &Resource = &self.target.resource;
        // A typed bookmark shows what Go always writes.
        let mut object = crate::go_decode::nothing(resource.behaviour);
        object["kind"] = Value::from(resource.kind.as_str());
        object["apiVersion"] = Value::from(resource.api_version());
        object["metadata"] = json!({"resourceVersion": version.to_string()});
        if end_of_initial {
            object["metadata"]["annotations"] = json!({"k8s.io/initial-events-end": "true"});
        }
        self.line("BOOKMARK", Bytes::from(object.to_string()))
    }
}
