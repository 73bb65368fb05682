//! Decides whether an image is stuck or settled. Neither is sampled once: a state
//! must hold over two resyncs of the manager, and what the manager logs meanwhile
//! must fit.

use std::collections::BTreeMap;
use std::time::Duration;

use fixname_controllers::driver::{FIRST_RESYNC, ModelClock, RESYNC};
use fixname_controllers::{Behaviour, Store, Trace, TraceEntry, TraceItem, View};
use fixname_longhorn::{BackingImage, CopyState, DataEngine};
use fixname_naming::{DiskUuid, ImageRef};
use kube::{Api, Client, Resource, ResourceExt};
use serde::de::DeserializeOwned;

use crate::event::{Disk, Manager, Outcome};
use crate::scenario::{Cluster, DiskPath, Settled, Stuck};

/// How long a state may take to come about: a bystander of a stuck image is
/// served only in an attempt that happens to reach it first, and there are four
/// attempts every 30 s. The slowest of 40 recorded runs needed 150 s.
const PATIENCE: Duration = Duration::from_secs(900);

/// How often the cluster is looked at while waiting.
const LOOK: Duration = Duration::from_secs(1);

/// Two resyncs, wherever in the process's life one begins to watch.
const TWO_RESYNCS: Duration = FIRST_RESYNC
    .saturating_add(RESYNC)
    .saturating_add(Duration::from_secs(5));

/// A manager that has been silent for so long waits for its next resync.
const QUIET: Duration = Duration::from_secs(10);

/// Attempts a trigger: three retries after the first (see the work queue).
const ATTEMPTS_PER_TRIGGER: usize = 4;

/// What a check needs to know.
pub(crate) struct Observer<'a> {
    pub(crate) client: &'a Client,
    pub(crate) namespace: &'a str,
    pub(crate) clock: ModelClock,
    pub(crate) trace: &'a Trace,
    pub(crate) cluster: &'a Cluster,
    /// What the version in force *should* do, by the version table.
    pub(crate) expected: &'a Behaviour,
    pub(crate) manager_image: &'a ImageRef,
    pub(crate) cancelled: &'a (dyn Fn() -> bool + Sync),
}

/// The state was not reached; what was found instead.
pub(crate) type Mismatch = Vec<String>;

impl Observer<'_> {
    async fn view(&self) -> Result<View, Mismatch> {
        async fn list<T>(client: &Client, namespace: &str) -> Result<Store<T>, Mismatch>
        where
            T: Resource<DynamicType = (), Scope = kube::core::NamespaceResourceScope>
                + Clone
                + std::fmt::Debug
                + DeserializeOwned,
        {
            let api: Api<T> = Api::namespaced(client.clone(), namespace);
            let list = api.list(&kube::api::ListParams::default()).await;
            let list = list.map_err(|e| vec![format!("the API server did not answer: {e}")])?;
            Ok(list
                .into_iter()
                .map(|object| (object.name_any(), std::sync::Arc::new(object)))
                .collect())
        }
        Ok(View {
            nodes: list(self.client, self.namespace).await?,
            images: list(self.client, self.namespace).await?,
            managers: list(self.client, self.namespace).await?,
            data_sources: list(self.client, self.namespace).await?,
            ..View::default()
        })
    }

    /// Looks until `check` finds nothing amiss, or patience runs out.
    async fn eventually<T>(
        &self,
        mut check: impl FnMut(&View) -> Result<T, Mismatch>,
    ) -> Result<(T, View), Mismatch> {
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

    /// Waits until the manager has logged nothing for a while, and is `done`.
    async fn quiet(&self, done: impl Fn() -> bool) -> Result<(), Mismatch> {
        let deadline = self.clock.elapsed() + PATIENCE;
        let (mut seen, mut since) = (self.trace.len(), self.clock.elapsed());
        while self.clock.elapsed().saturating_sub(since) < QUIET || !done() {
            if self.clock.elapsed() >= deadline || (self.cancelled)() {
                return Err(vec![format!(
                    "the manager is never quiet for {} model seconds",
                    QUIET.as_secs()
                )]);
            }
            self.clock.sleep(LOOK).await;
            if self.trace.len() != seen {
                (seen, since) = (self.trace.len(), self.clock.elapsed());
            }
        }
        Ok(())
    }

    /// All is well, and stays so.
    pub(crate) async fn settled(&self, settled: &Settled) -> Result<Outcome, Mismatch> {
        let began = self.clock.elapsed();
        let (managers, _) = self
            .eventually(|view| self.check_settled(&settled.image, view))
            .await?;
        let after = self.clock.elapsed().saturating_sub(began);
        let from = self.trace.len();
        let until = self.clock.elapsed() + TWO_RESYNCS;
        while self.clock.elapsed() < until {
            self.clock.sleep(LOOK * 5).await;
            self.check_settled(&settled.image, &self.view().await?)
                .map_err(|mut found| {
                    found.insert(0, "all was well, but did not stay so:".to_owned());
                    found
                })?;
        }
        // A single "already exists" soon after a start is two images racing for
        // one new manager; only an image that was given up is trouble.
        let dropped: Vec<String> = attempts(&self.trace.since(from), &settled.image)
            .into_iter()
            .filter(|attempt| attempt.given_up)
            .map(|attempt| attempt.text)
            .collect();
        if !dropped.is_empty() {
            return Err(dropped);
        }
        Ok(Outcome::Settled {
            image: settled.image.clone(),
            managers,
            after,
        })
    }

    fn check_settled(&self, name: &str, view: &View) -> Result<Vec<Manager>, Mismatch> {
        let image = image(view, name)?;
        let mut found = Vec::new();
        let mut managers = Vec::new();
        let wanted = self.wanted(image);
        let minimum = usize::try_from(image.spec.min_number_of_copies).unwrap_or_default();
        if wanted.len() < minimum {
            // Longhorn adds one disk at a time; before the last it only looks settled.
            found.push(format!(
                "image {name} wants {} disks, and keeps at least {minimum} copies",
                wanted.len()
            ));
        }
        for disk in wanted {
            match self.check_served(image, &disk, view) {
                Ok(manager) => managers.push(manager),
                Err(problem) => found.push(problem),
            }
        }
        for manager in view.managers.values() {
            let uuid = &manager.spec.disk_uuid;
            let is_wanted = view.images.values().any(|i| {
                let map = i.spec.disk_file_spec_map.as_ref();
                map.is_some_and(|map| map.contains_key(uuid))
            });
            if manager.is_deleting() {
                found.push(format!("manager {} is still terminating", manager.name()));
            } else if !is_wanted {
                found.push(format!(
                    "manager {} serves disk {uuid}, which no image wants",
                    manager.name()
                ));
            }
        }
        if managers.is_empty() && found.is_empty() {
            found.push(format!(
                "image {name} wants no disk, so there is nothing to see"
            ));
        }
        if found.is_empty() {
            Ok(managers)
        } else {
            Err(found)
        }
    }

    /// One disk has exactly one live manager, of the right image, by the right
    /// name, listing the image; and the image's status says the copy is ready.
    fn check_served(
        &self,
        image: &BackingImage,
        disk: &Disk,
        view: &View,
    ) -> Result<Manager, String> {
        let live: Vec<_> = view
            .managers_of_disk(&disk.uuid)
            .filter(|m| !m.is_deleting())
            .collect();
        let [manager] = live[..] else {
            return Err(format!(
                "disk {} has {} live managers, not one",
                describe(disk),
                live.len()
            ));
        };
        let name = self.name_of(&disk.uuid)?;
        if manager.name() != name {
            return Err(format!(
                "the manager of disk {} is named {}; {} names it {name}",
                describe(disk),
                manager.name(),
                self.expected.version
            ));
        }
        if manager.spec.disk_uuid != disk.uuid {
            return Err(format!(
                "manager {name} is labelled for disk {} but serves {}",
                disk.uuid, manager.spec.disk_uuid
            ));
        }
        if manager.spec.image != self.manager_image.as_str() {
            return Err(format!(
                "manager {name} runs {}, not {}",
                manager.spec.image, self.manager_image
            ));
        }
        if manager.spec.backing_images.get(image.name()) != Some(&image.status.uuid) {
            return Err(format!(
                "manager {name} does not list image {}",
                image.name()
            ));
        }
        match copy_state(image, &disk.uuid) {
            Some(CopyState::Ready) => Ok(Manager {
                name: name.clone(),
                disk: disk.clone(),
            }),
            Some(state) => Err(format!(
                "the copy on {} is {:?}, not ready",
                describe(disk),
                state.as_str()
            )),
            None => Err(format!(
                "image {} has no status entry for {}",
                image.name(),
                describe(disk)
            )),
        }
    }

    /// The collision has struck, and nothing moves.
    pub(crate) async fn stuck(&self, stuck: &Stuck) -> Result<Outcome, Mismatch> {
        let began = self.trace.len();
        self.eventually(|view| {
            let failed = attempts(&self.trace.since(began), &stuck.image);
            if failed.is_empty() {
                return Err(vec![format!(
                    "no attempt of image {} has failed",
                    stuck.image
                )]);
            }
            self.check_stuck(stuck, view)
        })
        .await
        .map_err(|mut found| {
            if let Some(summary) = self
                .trace
                .since(began)
                .is_empty()
                .then_some("the manager logged nothing")
            {
                found.push(summary.to_owned());
            }
            found
        })?;
        // Let what is still under way end (a download, a burst of attempts), so
        // that only resyncs trigger anything in the window.
        self.quiet(|| {
            let last = attempts(&self.trace.since(began), &stuck.image).pop();
            last.is_none_or(|attempt| attempt.given_up)
        })
        .await?;
        let before = self.view().await?;
        let (from, start) = (self.trace.len(), self.clock.elapsed());
        self.clock.sleep(TWO_RESYNCS).await;
        let after = self.view().await?;
        let frozen = self.clock.elapsed().saturating_sub(start);
        let found = self.check_stuck(stuck, &after)?;

        let mut problems = Vec::new();
        let (old, new) = (image(&before, &stuck.image)?, image(&after, &stuck.image)?);
        if old.status != new.status {
            problems.push(format!(
                "the status of image {} moved within {} model seconds, so it is not frozen",
                stuck.image,
                frozen.as_secs()
            ));
        }
        let failed = attempts(&self.trace.since(from), &stuck.image);
        let bursts = bursts(&failed);
        if bursts.len() < 2 {
            problems.push(format!(
                "{} bursts of attempts in {} model seconds; every resync should bring one",
                bursts.len(),
                frozen.as_secs()
            ));
        }
        let resyncs = usize::try_from(frozen.as_secs() / RESYNC.as_secs()).unwrap_or(usize::MAX);
        if bursts.len() > resyncs + 1 {
            problems.push(format!(
                "{} bursts of attempts in {} model seconds; a given-up image should rest until the next resync",
                bursts.len(),
                frozen.as_secs()
            ));
        }
        if bursts.iter().any(|burst| *burst != ATTEMPTS_PER_TRIGGER) {
            problems.push(format!(
                "attempts a trigger: {bursts:?}; Longhorn makes {ATTEMPTS_PER_TRIGGER}"
            ));
        }
        let taken = format!(
            "backingimagemanagers.longhorn.io {:?} already exists",
            found.name
        );
        let expected = format!("failed to handle backing image managers: {taken}");
        if let Some(other) = failed.iter().find(|a| !a.text.ends_with(&expected)) {
            problems.push(format!(
                "an attempt failed for another reason: {}",
                other.text
            ));
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        Ok(Outcome::Stuck {
            image: stuck.image.clone(),
            manager_name: found.name,
            winner: found.winner,
            losers: found.losers,
            bystanders: found.bystanders,
            attempts: bursts,
            frozen,
            error: taken,
        })
    }

    fn check_stuck(&self, stuck: &Stuck, view: &View) -> Result<Collision, Mismatch> {
        let image = image(view, &stuck.image)?;
        let mut problems = Vec::new();
        let mut winners = Vec::new();
        let mut losers = Vec::new();
        let mut names = Vec::new();
        for path in &stuck.contested {
            let disk = self.disk(path)?;
            names.push(self.name_of(&disk.uuid).map_err(|e| vec![e])?);
            let live = view
                .managers
                .values()
                .find(|m| !m.is_deleting() && m.spec.disk_uuid == disk.uuid);
            match live {
                Some(manager) => {
                    let name = manager.name().to_owned();
                    winners.push((disk, name));
                }
                None => losers.push(disk),
            }
        }
        names.dedup();
        let [name] = &names[..] else {
            return Err(vec![format!(
                "{} gives the contested disks different names, so they cannot collide: {}",
                self.expected.version,
                names.join(", ")
            )]);
        };
        if winners.len() != 1 {
            let who: Vec<_> = winners
                .iter()
                .map(|(d, name)| format!("{} has {name}", describe(d)))
                .collect();
            return Err(vec![format!(
                "{} of the {} contested disks have a manager, not one{}{}",
                winners.len(),
                stuck.contested.len(),
                if who.is_empty() { "" } else { ": " },
                who.join(", ")
            )]);
        }
        let (winner, held) = winners.remove(0);
        if held != *name {
            problems.push(format!("the winner's manager is named {held}, not {name}"));
        }
        if let Some(path) = &stuck.winner
            && self.disk(path)? != winner
        {
            problems.push(format!("{} has the name, not {path}", describe(&winner)));
        }
        let wanted = self.wanted(image);
        let losers: Vec<Disk> = losers.into_iter().filter(|d| wanted.contains(d)).collect();
        if losers.is_empty() {
            problems.push(format!(
                "image {} wants none of the disks without a manager",
                stuck.image
            ));
        }
        // "In spec, not in status" is the knowledge base's symptom. An entry that
        // was there before the freeze stays, whatever it says.
        let mut bystanders = Vec::new();
        for path in &stuck.bystanders {
            let disk = self.disk(path)?;
            let serves = view.managers_of_disk(&disk.uuid).any(|m| {
                let file = m.status.backing_image_file_map.get(&stuck.image);
                !m.is_deleting() && file.is_some_and(|f| f.state == CopyState::Ready)
            });
            if !serves {
                problems.push(format!(
                    "the manager of bystander {path} does not have the file yet"
                ));
            } else if copy_state(image, &disk.uuid).is_some() {
                problems.push(format!(
                    "image {} knows of the copy on bystander {path}, so it is not frozen",
                    stuck.image
                ));
            }
            bystanders.push(disk);
        }
        if problems.is_empty() {
            Ok(Collision {
                name: name.clone(),
                winner,
                losers,
                bystanders,
            })
        } else {
            Err(problems)
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

struct Collision {
    name: String,
    winner: Disk,
    losers: Vec<Disk>,
    bystanders: Vec<Disk>,
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

/// One failed attempt to reconcile an image.
struct Attempt {
    text: String,
    /// The attempt was the last one until the next trigger.
    given_up: bool,
}

fn attempts(entries: &[TraceEntry], image: &str) -> Vec<Attempt> {
    let mut found = Vec::new();
    for entry in entries {
        let TraceItem::Log(line) = &entry.item else {
            continue;
        };
        let given_up = line.message.starts_with("Dropping ");
        if line.image == image && (given_up || line.message.starts_with("Failed to sync ")) {
            found.push(Attempt {
                text: line.text(),
                given_up,
            });
        }
    }
    found
}

/// The attempts of each trigger that has been given up. The queue counts failures,
/// not time, so a machine that stalls does not cut a burst in two. Attempts of a
/// trigger still under way are left out.
fn bursts(attempts: &[Attempt]) -> Vec<usize> {
    let mut bursts = Vec::new();
    let mut begun = 0;
    for attempt in attempts {
        begun += 1;
        if attempt.given_up {
            bursts.push(std::mem::take(&mut begun));
        }
    }
    bursts
}

/// Which disk won in an outcome, if one did.
pub(crate) fn winner(outcome: &Outcome) -> Option<(&Disk, &[Disk])> {
    match outcome {
        Outcome::Stuck { winner, losers, .. } => Some((winner, losers)),
        Outcome::Settled { .. } => None,
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
