//! Decides whether an image is stuck or settled. Neither is sampled once: a state
//! must hold over two resyncs of the manager, and what the manager logs meanwhile
//! must fit.

mod attempts;
mod seen;
mod settled;
mod stuck;
mod view;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use fixname_apiserver::ApiServer;
use fixname_controllers::driver::{FIRST_RESYNC, ModelClock, RESYNC};
use fixname_controllers::{Behaviour, Trace, View};
use fixname_longhorn::{BackingImage, CopyState, DataEngine};
use fixname_naming::{DiskUuid, ImageRef};
use kube::Client;

pub(crate) use seen::{Look, words};

use crate::event::{Disk, Outcome};
use crate::scenario::{Cluster, DiskPath};

/// How long a state may take to come about: a bystander of a stuck image is
/// served only in an attempt that happens to reach it first, and there are four
/// attempts every 30 s. The slowest of 40 recorded runs needed 150 s.
pub(crate) const PATIENCE: Duration = Duration::from_secs(900);

/// How often the cluster is looked at while waiting.
const LOOK: Duration = Duration::from_secs(1);

/// Two resyncs, wherever in the process's life one begins to watch.
pub(crate) const TWO_RESYNCS: Duration = FIRST_RESYNC
    .saturating_add(RESYNC)
    .saturating_add(Duration::from_secs(5));

/// What a check needs to know.
pub(crate) struct Observer<'a> {
    pub(crate) client: &'a Client,
    pub(crate) namespace: &'a str,
    pub(crate) clock: ModelClock,
    pub(crate) trace: &'a Trace,
    /// The trace has what the backing image controller logs. It has not where that
    /// controller is not the model's.
    pub(crate) is_logged: bool,
    pub(crate) cluster: &'a Cluster,
    /// What the version in force *should* do, by the version table.
    pub(crate) expected: &'a Behaviour,
    pub(crate) manager_image: &'a ImageRef,
    /// Managers that keep the name of an earlier version.
    pub(crate) kept: &'a BTreeSet<String>,
    pub(crate) cancelled: &'a (dyn Fn() -> bool + Sync),
    /// The server, if it can say at once that nothing has changed.
    pub(crate) server: Option<&'a ApiServer>,
    /// What was seen last.
    pub(crate) last: Last<Arc<View>>,
    /// The same of single things.
    pub(crate) last_look: Last<Look>,
}

/// What was seen last, and the version of the server's state then. Nothing is kept of a
/// server that has no such version to tell.
pub(crate) struct Last<T>(Mutex<Option<(u64, T)>>);

impl<T> Default for Last<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T: Clone> Last<T> {
    /// What was seen at that version, if nothing has changed since.
    fn at(&self, version: Option<u64>) -> Option<T> {
        let last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (then, seen) = last.as_ref()?;
        (version == Some(*then)).then(|| seen.clone())
    }

    /// What was seen last, at whatever version.
    fn latest(&self) -> Option<T> {
        let last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        last.as_ref().map(|(_, seen)| seen.clone())
    }

    fn keep(&self, version: Option<u64>, seen: &T) {
        if let Some(version) = version {
            let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            *last = Some((version, seen.clone()));
        }
    }
}

/// The state was not reached; what was found instead.
pub(crate) type Mismatch = Vec<String>;

impl Observer<'_> {
    /// Looks until `check` finds nothing amiss, or patience runs out.
    async fn eventually<T>(
        &self,
        mut check: impl FnMut(&View) -> Result<T, Mismatch>,
    ) -> Result<(T, Arc<View>), Mismatch> {
        let deadline = self.clock.elapsed() + PATIENCE;
        loop {
            if (self.cancelled)() {
                return Err(vec!["interrupted".to_owned()]);
            }
            let view = self.view().await?;
            match check(&view) {
                Ok(found) => return Ok((found, view)),
                Err(mut mismatch) if self.clock.elapsed() >= deadline => {
                    mismatch.insert(0, format!("after {} model seconds:", PATIENCE.as_secs()));
                    return Err(mismatch);
                }
                Err(_) => self.clock.sleep(LOOK).await,
            }
        }
    }

    /// The name that the version in force should give.
    fn name_of(&self, uuid: &str) -> Result<String, String> {
        self.expected
            .scheme
            .manager_name(self.manager_image, &DiskUuid::new(uuid))
            .map(|name| name.as_str().to_owned())
            .map_err(|e| e.to_string())
    }

    /// The v1 disks that an image wants.
    fn wanted(&self, image: &BackingImage) -> Vec<Disk> {
        let map = image.spec.disk_file_spec_map.iter().flatten();
        let uuids = map.filter(|(_, copy)| copy.data_engine != DataEngine::V2);
        uuids.map(|(uuid, _)| self.disk_of(uuid)).collect()
    }

    fn disk_of(&self, uuid: &str) -> Disk {
        let path = self.cluster.disks.iter().find(|(_, known)| *known == uuid);
        Disk {
            node: path.map_or_else(String::new, |(path, _)| path.node.clone()),
            name: path.map_or_else(String::new, |(path, _)| path.disk.clone()),
            uuid: uuid.to_owned(),
        }
    }

    fn disk(&self, path: &DiskPath) -> Result<Disk, Mismatch> {
        let uuid = self.cluster.disks.get(path);
        let uuid = uuid.ok_or_else(|| vec![format!("there is no disk {path}")])?;
        Ok(Disk {
            node: path.node.clone(),
            name: path.disk.clone(),
            uuid: uuid.clone(),
        })
    }
}

fn describe(disk: &Disk) -> String {
    format!("{}/{}", disk.node, disk.name)
}

fn image<'v>(view: &'v View, name: &str) -> Result<&'v BackingImage, Mismatch> {
    match view.images.get(name) {
        Some(image) => Ok(image),
        None => Err(vec![format!("there is no image {name}")]),
    }
}

fn copy_state<'i>(image: &'i BackingImage, uuid: &str) -> Option<&'i CopyState> {
    let map = image.status.disk_file_status_map.as_ref()?;
    map.get(uuid).map(|copy| &copy.state)
}

/// Which disk won in an outcome, if one did.
pub(crate) fn winner(outcome: &Outcome) -> Option<(&Disk, &[Disk])> {
    match outcome {
        Outcome::Stuck { winner, losers, .. } => Some((winner, losers)),
        Outcome::Settled { .. } | Outcome::Seen { .. } => None,
    }
}

/// Counts by disk how often each won.
pub(crate) fn wins<'a>(outcomes: impl Iterator<Item = &'a Outcome>) -> BTreeMap<String, usize> {
    let mut wins = BTreeMap::new();
    for (winner, losers) in outcomes.filter_map(winner) {
        *wins.entry(describe(winner)).or_default() += 1;
        for loser in losers {
            wins.entry(describe(loser)).or_default();
        }
    }
    wins
}
