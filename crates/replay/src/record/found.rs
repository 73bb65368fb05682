//! What of a recorded cluster a scenario can say.

use std::collections::{BTreeMap, BTreeSet};

use fixname_diagnose::{Code, Report, State};
use fixname_longhorn::objects::is_true;
use fixname_longhorn::{BackingImage, DiskType, Inventory};
use fixname_naming::{LonghornVersion, Release};
use indexmap::IndexMap;

use super::RecordError;
use super::volumes::Volume;
use crate::scenario::DiskPath;

/// The version, the disks, the images, and what is to be said of them.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub(super) version: LonghornVersion,
    /// Disks with their UUIDs.
    pub(super) disks: IndexMap<DiskPath, String>,
    /// Those among the disks that are block disks.
    pub(super) block: BTreeSet<DiskPath>,
    pub(super) images: IndexMap<String, Image>,
    pub(super) volumes: IndexMap<String, Volume>,
    /// Those that are not what the version has by default.
    pub(super) settings: IndexMap<String, String>,
    /// Prefixes that several disks share, and what `detect` says of them.
    pub(super) prefixes: BTreeMap<String, Option<State>>,
    pub(super) notes: Vec<String>,
}

/// An image.
#[derive(Clone, Debug)]
pub(super) struct Image {
    /// The disk of its first copy, one of `copies`.
    pub(super) source: DiskPath,
    /// Disks whose copies are there before anything gets stuck.
    pub(super) copies: Vec<DiskPath>,
    pub(super) minimum: i64,
    pub(super) stuck: Option<Stuck>,
}

/// How an image is stuck.
#[derive(Clone, Debug)]
pub(super) struct Stuck {
    /// The disk that has the name, and then those that have not.
    pub(super) contested: Vec<DiskPath>,
    /// Whether it is known that the first one has it.
    pub(super) has_winner: bool,
    pub(super) bystanders: Vec<DiskPath>,
}

impl Stuck {
    /// The disks whose copies are wanted once another one has the name.
    pub(super) fn late(&self) -> impl Iterator<Item = &DiskPath> {
        self.contested.iter().skip(1).chain(&self.bystanders)
    }
}

impl Found {
    /// Reads a cluster.
    pub(super) fn read(
        inventory: &Inventory,
        report: &Report,
        release: &Release,
    ) -> Result<Self, RecordError> {
        let mut found = Self {
            version: release.version.clone(),
            disks: IndexMap::new(),
            block: BTreeSet::new(),
            images: IndexMap::new(),
            volumes: IndexMap::new(),
            settings: IndexMap::new(),
            prefixes: BTreeMap::new(),
            notes: Vec::new(),
        };
        for node in &inventory.nodes {
            for disk in node.disks().filter(|d| !d.status.disk_uuid.is_empty()) {
                let path = DiskPath {
                    node: disk.node.to_owned(),
                    disk: disk.name.to_owned(),
                };
                let ready = is_true(&disk.status.conditions, "Ready");
                let disk_type = disk.disk_type();
                if !matches!(disk_type, DiskType::Filesystem | DiskType::Block) {
                    found.leave_out(&format!("disk {path}"), "nobody knows what it is");
                } else if !ready || !is_true(&node.status.conditions, "Ready") {
                    found.leave_out(&format!("disk {path}"), "it is not ready");
                } else if found.disks.values().any(|u| *u == disk.status.disk_uuid) {
                    found.leave_out(&format!("disk {path}"), "another disk has its UUID");
                } else {
                    if disk_type == DiskType::Block {
                        found.block.insert(path.clone());
                    }
                    found.disks.insert(path, disk.status.disk_uuid.clone());
                }
            }
        }
        if found.disks.len() == found.block.len() {
            return Err(RecordError::NoDisk);
        }
        for finding in &report.findings {
            if let (Code::SharedPrefix, Some(prefix)) = (finding.code, &finding.prefix) {
                let known = finding.state != State::Unknown;
                let state = known.then_some(finding.state);
                found.prefixes.insert(prefix.clone(), state);
            }
        }
        // Disks that are left out share no prefix here, and block disks none at all.
        let (disks, block) = (&found.disks, &found.block);
        found.prefixes.retain(|prefix, _| {
            let shared = disks.iter().filter(|(_, uuid)| uuid.starts_with(prefix));
            shared.filter(|(path, _)| !block.contains(*path)).count() > 1
        });
        for image in &inventory.backing_images {
            found.image(image, inventory, release.affected());
        }
        found.volumes(inventory);
        found.settings(inventory);
        Ok(found)
    }

    pub(super) fn leave_out(&mut self, what: &str, why: &str) {
        self.notes.push(format!("{what} is left out: {why}"));
    }

    /// The filesystem disk with that UUID.
    pub(super) fn path(&self, uuid: &str) -> Option<DiskPath> {
        let mut disks = self.disks.iter();
        let found = disks.find(|(path, known)| *known == uuid && !self.block.contains(*path));
        found.map(|(path, _)| path.clone())
    }

    fn prefix(&self, path: &DiskPath) -> Option<&str> {
        self.disks.get(path)?.get(..4)
    }

    fn image(&mut self, image: &BackingImage, inventory: &Inventory, affected: bool) {
        let name = image.name().to_owned();
        if image.is_deleting() {
            return self.leave_out(&format!("image {name}"), "it is being deleted");
        }
        let mut wanted = Vec::new();
        for uuid in image
            .spec
            .disk_file_spec_map
            .iter()
            .flatten()
            .map(|(u, _)| u)
        {
            match self.path(uuid) {
                Some(path) => wanted.push(path),
                None => {
                    let what = format!("the copy of image {name} on disk {uuid}");
                    self.leave_out(&what, "no filesystem disk that is ready has that UUID");
                }
            }
        }
        let live = |disk: &str| {
            let mut managers = inventory.managers.iter();
            managers.any(|m| !m.is_deleting() && m.spec.disk_uuid == disk)
        };
        let mut stuck = None;
        if affected {
            let mut by_prefix: BTreeMap<&str, Vec<DiskPath>> = BTreeMap::new();
            for path in &wanted {
                if let Some(prefix) = self.prefix(path) {
                    by_prefix.entry(prefix).or_default().push(path.clone());
                }
            }
            let mut contested: Vec<_> = by_prefix.into_values().filter(|d| d.len() > 1).collect();
            let others: Vec<DiskPath> = contested
                .drain(1.min(contested.len())..)
                .flatten()
                .collect();
            if !others.is_empty() {
                wanted.retain(|path| !others.contains(path));
                let what = format!("of image {name}, what other prefixes contest");
                self.leave_out(&what, "a scenario says one collision of an image");
            }
            if let Some(mut disks) = contested.pop() {
                let winner = disks.iter().position(|path| live(&self.disks[path]));
                disks.swap(0, winner.unwrap_or_default());
                let status = image.status.disk_file_status_map.as_ref();
                let in_status =
                    |path: &DiskPath| status.is_some_and(|map| map.contains_key(&self.disks[path]));
                let bystanders = wanted.iter().filter(|path| {
                    !disks.contains(path) && !in_status(path) && live(&self.disks[*path])
                });
                stuck = Some(Stuck {
                    bystanders: bystanders.cloned().collect(),
                    contested: disks,
                    has_winner: winner.is_some(),
                });
            }
        }
        let copies: Vec<DiskPath> = match &stuck {
            Some(stuck) => {
                let late: BTreeSet<&DiskPath> = stuck.late().collect();
                wanted
                    .iter()
                    .filter(|p| !late.contains(p))
                    .cloned()
                    .collect()
            }
            None => wanted,
        };
        let source = inventory.data_sources.iter().find(|s| s.name() == name);
        let source = source.and_then(|source| self.path(&source.spec.disk_uuid));
        let first = stuck.as_ref().map(|stuck| stuck.contested[0].clone());
        let source = source.filter(|path| copies.contains(path)).or(first);
        let Some(source) = source.or_else(|| copies.first().cloned()) else {
            return self.leave_out(&format!("image {name}"), "no disk is left that it wants");
        };
        let copies_there = i64::try_from(copies.len()).unwrap_or(i64::MAX);
        let image = Image {
            source,
            minimum: image
                .spec
                .min_number_of_copies
                .clamp(1, copies_there.max(1)),
            copies,
            stuck,
        };
        self.images.insert(name, image);
    }

    /// Leaves out what no collision needs; everything stays if there is none.
    pub(super) fn shrink(&mut self) {
        let before = (self.images.len(), self.disks.len(), self.volumes.len());
        self.volumes.retain(|_, volume| volume.waiting.is_some());
        if self.images.values().any(|image| image.stuck.is_some()) {
            self.images.retain(|_, image| image.stuck.is_some());
            for (name, image) in &mut self.images {
                if let Some(stuck) = &image.stuck {
                    image.source = stuck.contested[0].clone();
                    let volumes = self.volumes.values().filter(|v| v.image == *name);
                    let used: BTreeSet<&DiskPath> = volumes.flat_map(|v| &v.on).collect();
                    let first = &image.source;
                    image
                        .copies
                        .retain(|path| path == first || used.contains(path));
                    if !image.copies.contains(first) {
                        image.copies.push(first.clone());
                    }
                    image.minimum = 1;
                }
            }
            let contested: BTreeSet<String> = self
                .images
                .values()
                .filter_map(|image| image.stuck.as_ref())
                .filter_map(|stuck| self.prefix(&stuck.contested[0]).map(str::to_owned))
                .collect();
            self.prefixes.retain(|prefix, _| contested.contains(prefix));
        } else if !self.prefixes.is_empty() {
            let (disks, prefixes) = (&self.disks, &self.prefixes);
            let shared = |path: &DiskPath| {
                let prefix = disks.get(path).and_then(|uuid| uuid.get(..4));
                prefix.is_some_and(|prefix| prefixes.contains_key(prefix))
            };
            self.images
                .retain(|_, image| image.copies.iter().any(shared));
        }
        let used: BTreeSet<DiskPath> = self
            .images
            .values()
            .flat_map(Image::disks)
            .cloned()
            .collect();
        let (prefixes, block) = (&self.prefixes, std::mem::take(&mut self.block));
        let nothing_collides = prefixes.is_empty();
        self.disks.retain(|path, uuid| {
            if block.contains(path) {
                return false;
            }
            let is_shared = uuid.get(..4).is_some_and(|p| prefixes.contains_key(p));
            used.contains(path) || is_shared || (nothing_collides && used.is_empty())
        });
        for volume in self.volumes.values_mut() {
            volume.keep_node_among(self.disks.keys());
        }
        let after = (self.images.len(), self.disks.len(), self.volumes.len());
        if before != after {
            let left = |before: usize, after: usize, what: &str| {
                format!("{} of {before} {what}", before - after)
            };
            self.notes.push(format!(
                "{}, {} and {} have no part in it and are left out",
                left(before.0, after.0, "images"),
                left(before.1, after.1, "disks"),
                left(before.2, after.2, "volumes")
            ));
        }
        self.keep_settings_of_images();
    }
}

impl Image {
    /// All disks that it is to be on, sooner or later.
    pub(super) fn disks(&self) -> impl Iterator<Item = &DiskPath> {
        let stuck = self.stuck.iter();
        let late = stuck.flat_map(|stuck| stuck.contested.iter().chain(&stuck.bystanders));
        let mut all: Vec<&DiskPath> = self
            .copies
            .iter()
            .chain([&self.source])
            .chain(late)
            .collect();
        all.sort();
        all.dedup();
        all.into_iter()
    }
}
