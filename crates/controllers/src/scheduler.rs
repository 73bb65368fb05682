//! The replica scheduler: which disk a new replica goes to
//! (`scheduler/replica_scheduler.go` at v1.9.1). It knows nothing of copies of
//! backing images or of names that collide. Left out: zones, and balancing.

use std::collections::BTreeSet;
use std::sync::Arc;

use fixname_longhorn::objects::is_true;
use fixname_longhorn::{DataEngine, DiskSpec, DiskStatus, DiskType, Replica, Volume};
use rand::Rng;

use crate::view::{ReadyDisk, View, has_tags, shuffled};

/// Why there is no disk for a replica.
pub const NO_DISK: &str = "insufficient storage";

/// A number of bytes as Longhorn writes it; 0 if it is none.
pub fn bytes(text: &str) -> i64 {
    text.parse().unwrap_or_default()
}

/// What a disk can still take (`DiskSchedulingInfo`).
#[derive(Clone, Copy, Debug)]
pub struct Space {
    available: i64,
    maximum: i64,
    reserved: i64,
    scheduled: i64,
    minimal_percentage: i64,
    over_provisioning_percentage: i64,
}

impl Space {
    /// Of a disk.
    pub fn of(disk: &DiskSpec, status: &DiskStatus, view: &View) -> Self {
        Self {
            available: status.storage_available,
            maximum: status.storage_maximum,
            reserved: disk.storage_reserved,
            scheduled: status.storage_scheduled,
            minimal_percentage: view.number("storage-minimal-available-percentage"),
            over_provisioning_percentage: view.number("storage-over-provisioning-percentage"),
        }
    }

    /// `IsSchedulableToDisk`: why a replica of that size does not fit; none if it does.
    pub fn problem(&self, size: i64) -> Option<String> {
        if self.maximum <= 0 {
            return Some("Storage Max must be greater than 0".to_owned());
        }
        if self.available <= 0 {
            return Some("Storage Available must be greater than 0".to_owned());
        }
        let part = |of: i64, percentage: i64| {
            let share = i128::from(of) * i128::from(percentage) / 100;
            i64::try_from(share).unwrap_or(i64::MAX)
        };
        let minimal = part(self.maximum, self.minimal_percentage);
        if self.available <= minimal {
            return Some(format!(
                "Actual space usage condition failed: CurrentAvailable = {} (StorageAvailable - Required) is less than or equal to MinimalAvailable = {minimal} ({}% of Storage Max).",
                self.available, self.minimal_percentage
            ));
        }
        let total = size.saturating_add(self.scheduled);
        let limit = part(
            self.maximum - self.reserved,
            self.over_provisioning_percentage,
        );
        (total > limit).then(|| {
            format!(
                "Scheduling space condition failed: ScheduledTotal = {total} (Size + StorageScheduled) is greater than ProvisionedLimit = {limit} ({}% of StorageMax - StorageReserved). ",
                self.over_provisioning_percentage
            )
        })
    }
}

/// The disk with the most room among those that may take a replica of the volume;
/// a node that has one of its replicas already is taken only if soft anti-affinity
/// is on, or if those it has are being evicted.
pub fn disk_for(
    volume: &Volume,
    replicas: &[Arc<Replica>],
    view: &View,
    rng: &mut impl Rng,
) -> Option<ReadyDisk> {
    let is_used = |r: &&Arc<Replica>| r.spec.failed_at.is_empty() && !r.spec.node_id.is_empty();
    let staying = replicas
        .iter()
        .filter(is_used)
        .filter(|r| !r.spec.eviction_requested);
    let used_nodes: BTreeSet<&str> = staying.map(|r| r.spec.node_id.as_str()).collect();
    let used_disks: BTreeSet<&str> = replicas
        .iter()
        .filter(is_used)
        .map(|r| r.spec.disk_id.as_str())
        .collect();
    let candidates = candidates(volume, view, rng);
    let free = |disk: &&Candidate| !used_disks.contains(disk.disk.uuid.as_str());
    let best = |disks: &mut dyn Iterator<Item = &Candidate>| {
        disks.max_by_key(|c| c.room).map(|c| c.disk.clone())
    };
    best(
        &mut candidates
            .iter()
            .filter(free)
            .filter(|c| !used_nodes.contains(c.disk.node.as_str())),
    )
    .or_else(|| {
        view.flag("replica-soft-anti-affinity")
            .then(|| best(&mut candidates.iter().filter(free)))?
    })
}

struct Candidate {
    disk: ReadyDisk,
    room: i64,
}

/// All disks that may take a replica of the volume, in random order.
fn candidates(volume: &Volume, view: &View, rng: &mut impl Rng) -> Vec<Candidate> {
    let image = view.images.get(&volume.spec.backing_image);
    let empty_takes_tagged_nodes = view.flag("allow-empty-node-selector-volume");
    let empty_takes_tagged_disks = view.flag("allow-empty-disk-selector-volume");
    let wanted_type = match volume.spec.data_engine {
        DataEngine::V2 => DiskType::Block,
        _ => DiskType::Filesystem,
    };
    let size = bytes(&volume.spec.size);
    let mut found = Vec::new();
    for node in shuffled(view.nodes.values(), rng) {
        let tags = |selector| has_tags(&node.spec.tags, selector, empty_takes_tagged_nodes);
        if !is_true(&node.status.conditions, "Ready")
            || !is_true(&node.status.conditions, "Schedulable")
            || !node.spec.allow_scheduling
            || !tags(&volume.spec.node_selector)
            || !image.is_none_or(|image| tags(&image.spec.node_selector))
        {
            continue;
        }
        for disk in shuffled(node.disks().collect::<Vec<_>>(), rng) {
            let Some(spec) = disk.spec else { continue };
            let tags = |selector| has_tags(&spec.tags, selector, empty_takes_tagged_disks);
            if spec.allow_scheduling
                && !spec.eviction_requested
                && disk.disk_type() == wanted_type
                && is_true(&disk.status.conditions, "Schedulable")
                && tags(&volume.spec.disk_selector)
                && image.is_none_or(|image| tags(&image.spec.disk_selector))
                && Space::of(spec, disk.status, view).problem(size).is_none()
            {
                found.push(Candidate {
                    room: disk.status.storage_available - spec.storage_reserved,
                    disk: ReadyDisk {
                        node: disk.node.to_owned(),
                        uuid: disk.status.disk_uuid.clone(),
                        path: spec.path.clone(),
                    },
                });
            }
        }
    }
    found
}
