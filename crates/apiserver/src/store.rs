//! The memory behind the server: objects as JSON bytes, one global version
//! counter, and for each resource a bounded history that watches read.
//!
//! Knows nothing of HTTP, schemas or admission. Everything here runs under the
//! server's one lock and never waits.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Bound;
use std::sync::Arc;

use bytes::Bytes;
use serde_json::Value;
use tokio::sync::Notify;

use crate::resource::TableKey;

/// One version of one object. Immutable: lists, watches and history share it.
#[derive(Debug)]
pub(crate) struct Stored {
    /// `namespace/name`, or the bare name: etcd's order of keys.
    pub(crate) key: String,
    pub(crate) version: u64,
    /// The whole object in its storage version.
    pub(crate) json: Bytes,
    pub(crate) api_version: Arc<str>,
    pub(crate) epoch: u64,
    pub(crate) uid: String,
    pub(crate) labels: Option<BTreeMap<String, String>>,
    /// UIDs of the owners.
    pub(crate) owners: Vec<String>,
    pub(crate) terminating: bool,
}

impl Stored {
    pub(crate) fn parse(&self) -> Value {
        serde_json::from_slice(&self.json)
            .expect("the store holds only what it serialised itself from a JSON value")
    }

    pub(crate) fn name(&self) -> &str {
        self.key.rsplit('/').next().unwrap_or_default()
    }

    pub(crate) fn namespace(&self) -> &str {
        self.key.split_once('/').map_or("", |(ns, _)| ns)
    }

    pub(crate) fn label(&self, key: &str) -> Option<&str> {
        self.labels.as_ref()?.get(key).map(String::as_str)
    }
}

/// What happened to an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    Added,
    Modified,
    Deleted,
}

/// One entry of a resource's history.
#[derive(Debug, Clone)]
pub(crate) struct Event {
    pub(crate) version: u64,
    pub(crate) change: Change,
    pub(crate) before: Option<Arc<Stored>>,
    /// After the change; for a deletion the last state, with the version of
    /// the deletion in it.
    pub(crate) object: Arc<Stored>,
}

/// The objects of one resource.
#[derive(Debug)]
pub(crate) struct Table {
    objects: BTreeMap<String, Arc<Stored>>,
    history: VecDeque<Event>,
    /// Changes up to this version are no longer in the history.
    pub(crate) compacted: u64,
    pub(crate) changed: Arc<Notify>,
    /// Goes up when watches must end, because the definition has changed.
    pub(crate) generation: u64,
}

impl Table {
    fn new(now: u64) -> Self {
        Self {
            objects: BTreeMap::new(),
            history: VecDeque::new(),
            compacted: now,
            changed: Arc::new(Notify::new()),
            generation: 0,
        }
    }

    pub(crate) fn get(&self, key: &str) -> Option<&Arc<Stored>> {
        self.objects.get(key)
    }

    /// Objects in the order of their keys, from `start` on.
    pub(crate) fn is_empty(&self) -> bool {
        self.objects.is_empty()
    }

    pub(crate) fn range<'a>(
        &'a self,
        prefix: &'a str,
        start: Option<&'a str>,
    ) -> impl Iterator<Item = &'a Arc<Stored>> {
        let from = match start {
            Some(start) => Bound::Included(start),
            None => Bound::Included(prefix),
        };
        self.objects
            .range::<str, _>((from, Bound::Unbounded))
            .map(|(_, stored)| stored)
            .take_while(move |stored| stored.key.starts_with(prefix))
    }

    /// The objects as they were after the change `version`, or `None` when the
    /// history does not reach back that far.
    pub(crate) fn at(&self, version: u64) -> Option<BTreeMap<String, Arc<Stored>>> {
        if version < self.compacted {
            return None;
        }
        let mut objects = self.objects.clone();
        for event in self.history.iter().rev() {
            if event.version <= version {
                break;
            }
            match &event.before {
                Some(before) => objects.insert(before.key.clone(), before.clone()),
                None => objects.remove(&event.object.key),
            };
        }
        Some(objects)
    }

    /// Entries after `version`, at most `limit`; `None` when they are gone.
    pub(crate) fn since(&self, version: u64, limit: usize) -> Option<Vec<Event>> {
        if version < self.compacted {
            return None;
        }
        let start = self.history.partition_point(|e| e.version <= version);
        Some(
            self.history
                .iter()
                .skip(start)
                .take(limit)
                .cloned()
                .collect(),
        )
    }

    /// Version of the newest entry.
    pub(crate) fn newest(&self) -> u64 {
        self.history.back().map_or(self.compacted, |e| e.version)
    }

    /// Forgets history up to and with `version`.
    pub(crate) fn compact(&mut self, version: u64) {
        while self
            .history
            .front()
            .is_some_and(|event| event.version <= version)
        {
            self.history.pop_front();
        }
        self.compacted = self.compacted.max(version);
        self.changed.notify_waiters();
    }

    /// Ends all watches of this table.
    pub(crate) fn end_watches(&mut self) {
        self.generation += 1;
        self.changed.notify_waiters();
    }
}

/// All tables and the version counter.
#[derive(Debug)]
pub(crate) struct Store {
    version: u64,
    tables: BTreeMap<TableKey, Table>,
    history_limit: usize,
}

impl Store {
    pub(crate) fn new(history_limit: usize) -> Self {
        Self {
            // The first object gets version 2, as after the first write to a new etcd.
            version: 1,
            tables: BTreeMap::new(),
            history_limit: history_limit.max(1),
        }
    }

    /// The same objects and version without a history, as after a compaction.
    pub(crate) fn copy(&self, history_limit: usize) -> Self {
        let copy = |table: &Table| Table {
            objects: table.objects.clone(),
            generation: table.generation,
            ..Table::new(self.version)
        };
        let tables = self.tables.iter();
        Self {
            version: self.version,
            tables: tables.map(|(key, t)| (key.clone(), copy(t))).collect(),
            history_limit: history_limit.max(1),
        }
    }

    pub(crate) fn version(&self) -> u64 {
        self.version
    }

    /// The version that the next write gets.
    pub(crate) fn next_version(&self) -> u64 {
        self.version + 1
    }

    pub(crate) fn table(&mut self, key: &TableKey) -> &mut Table {
        if !self.tables.contains_key(key) {
            // No object was ever written: a watch may start from any version.
            self.tables.insert(key.clone(), Table::new(0));
        }
        self.tables
            .get_mut(key)
            .expect("inserted just above when it was missing")
    }

    pub(crate) fn peek(&self, key: &TableKey) -> Option<&Table> {
        self.tables.get(key)
    }

    pub(crate) fn tables(&self) -> impl Iterator<Item = (&TableKey, &Table)> {
        self.tables.iter()
    }

    pub(crate) fn drop_table(&mut self, key: &TableKey) {
        if let Some(table) = self.tables.get_mut(key) {
            table.end_watches();
        }
    }

    /// Writes an object whose JSON carries [`Store::next_version`].
    pub(crate) fn put(&mut self, table: &TableKey, stored: Stored) -> Arc<Stored> {
        debug_assert_eq!(stored.version, self.version + 1);
        self.version = stored.version;
        let limit = self.history_limit;
        let table = self.table(table);
        let object = Arc::new(stored);
        let before = table.objects.insert(object.key.clone(), object.clone());
        let change = if before.is_some() {
            Change::Modified
        } else {
            Change::Added
        };
        table.record(
            Event {
                version: object.version,
                change,
                before,
                object: object.clone(),
            },
            limit,
        );
        object
    }

    /// Removes an object; `last` is its last state under [`Store::next_version`].
    pub(crate) fn remove(&mut self, table: &TableKey, last: Stored) -> Arc<Stored> {
        self.version = last.version;
        let limit = self.history_limit;
        let table = self.table(table);
        let before = table.objects.remove(&last.key);
        let object = Arc::new(last);
        table.record(
            Event {
                version: object.version,
                change: Change::Deleted,
                before,
                object: object.clone(),
            },
            limit,
        );
        object
    }

    /// Forgets the history of every resource.
    pub(crate) fn compact(&mut self) {
        let version = self.version;
        for table in self.tables.values_mut() {
            table.compact(version);
        }
    }
}

impl Table {
    fn record(&mut self, event: Event, limit: usize) {
        if self.history.len() >= limit
            && let Some(oldest) = self.history.pop_front()
        {
            self.compacted = oldest.version;
        }
        self.history.push_back(event);
        self.changed.notify_waiters();
    }
}
