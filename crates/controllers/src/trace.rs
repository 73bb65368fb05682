//! What a run leaves behind besides the objects: log lines, events, exits, each
//! with its model time.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::Serialize;

use crate::effect::{Event, LogLine};

/// A shared, growing record. Clones write to the same one.
#[derive(Clone, Debug, Default)]
pub struct Trace(Arc<Mutex<Vec<TraceEntry>>>);

/// One entry of a [`Trace`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TraceEntry {
    /// Model time since the run began.
    pub at: Duration,
    /// What happened.
    pub item: TraceItem,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum TraceItem {
    /// A line in the manager's log.
    Log(LogLine),
    /// A Kubernetes event.
    Event(Event),
    /// A manager process crashed.
    Panic(String),
    /// Something went wrong with the run itself, not in the model.
    Trouble(String),
}

impl Trace {
    /// Appends an entry.
    pub fn push(&self, at: Duration, item: TraceItem) {
        self.lock().push(TraceEntry { at, item });
    }

    /// The entries from the `from`-th on, in the order in which they happened.
    pub fn since(&self, from: usize) -> Vec<TraceEntry> {
        self.lock().get(from..).unwrap_or_default().to_vec()
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.lock().len()
    }

    /// True if nothing has happened yet.
    pub fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    /// Entries are pushed whole, so a poisoned lock still guards a sound record.
    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<TraceEntry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
