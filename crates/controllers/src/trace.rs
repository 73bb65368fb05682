//! What a run leaves behind besides the objects: log lines, events, exits, each
//! with its model time.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::Serialize;

use crate::effect::{Event, LogLine};

/// A shared, growing record, or somebody who is told instead. Clones write to the
/// same one.
#[derive(Clone, Default)]
pub struct Trace {
    entries: Arc<Mutex<Vec<TraceEntry>>>,
    listener: Option<Arc<dyn Fn(TraceEntry) + Send + Sync>>,
}

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

impl fmt::Debug for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Trace").field(&*self.lock()).finish()
    }
}

impl Trace {
    /// A trace that keeps nothing: each entry is told to the listener.
    pub fn told_to(listener: impl Fn(TraceEntry) + Send + Sync + 'static) -> Self {
        Self {
            listener: Some(Arc::new(listener)),
            ..Self::default()
        }
    }

    /// Appends an entry.
    pub fn push(&self, at: Duration, item: TraceItem) {
        let entry = TraceEntry { at, item };
        match &self.listener {
            Some(listener) => listener(entry),
            None => self.lock().push(entry),
        }
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
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
