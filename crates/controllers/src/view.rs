//! What a manager's caches show at one moment, and Longhorn's look-ups in them
//! (`datastore/longhorn.go` at v1.9.1, named function by function).

use std::sync::Arc;

use fixname_longhorn::objects::is_true;
use fixname_longhorn::{
    BackingImage, BackingImageDataSource, BackingImageManager, DiskType, Node, Replica, Setting,
    Volume,
};
use rand::seq::SliceRandom;
use rand::{Rng, RngExt};

use crate::behaviour::Walk;
use crate::store::Store;

/// What the caches show. Cloning shares the objects.
#[derive(Clone, Debug, Default)]
pub struct View {
    /// Longhorn's nodes.
    pub nodes: Store<Node>,
    /// Backing images.
    pub images: Store<BackingImage>,
    /// Backing image managers.
    pub managers: Store<BackingImageManager>,
    /// Data sources.
    pub data_sources: Store<BackingImageDataSource>,
    /// Replicas.
    pub replicas: Store<Replica>,
    /// Settings.
    pub settings: Store<Setting>,
    /// Volumes; only of a process that has a controller for them.
    pub volumes: Store<Volume>,
}

/// A disk that can be used, on a node that can be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadyDisk {
    /// The node's name.
    pub node: String,
    /// The disk's full UUID.
    pub uuid: String,
    /// The disk's path.
    pub path: String,
}

/// The old-style label by which replicas are found by their disk.
pub(crate) const LABEL_REPLICA_DISK: &str = "longhorndiskuuid";

/// Keys in an order drawn anew: Go walks its maps so, and who wins a contested
/// name hangs on it.
pub(crate) fn shuffled<T>(items: impl IntoIterator<Item = T>, rng: &mut impl Rng) -> Vec<T> {
    let mut items: Vec<T> = items.into_iter().collect();
    items.shuffle(rng);
    items
}

/// The entries of an object's map, given by the order of their keys, as Go walks them.
pub(crate) fn walked<T>(
    items: impl IntoIterator<Item = T>,
    walk: Walk,
    rng: &mut impl Rng,
) -> Vec<T> {
    /// The places of a small map.
    const PLACES: usize = 8;
    let mut items: Vec<T> = items.into_iter().collect();
    match walk {
        Walk::Rotated if items.len() <= PLACES => {
            // Once to be copied, once to be walked; empty places are passed over.
            for _ in 0..2 {
                let from = rng.random_range(0..PLACES);
                if from < items.len() {
                    items.rotate_left(from);
                }
            }
        }
        Walk::Rotated | Walk::Shuffled => items.shuffle(rng),
    }
    items
}

impl View {
    /// `ListBackingImageManagersByDiskUUID`: by label, never by name.
    pub fn managers_of_disk(&self, uuid: &str) -> impl Iterator<Item = &Arc<BackingImageManager>> {
        self.managers.found_by(uuid)
    }

    /// `IsNodeDownOrDeletedOrMissingManager`: no manager runs there.
    pub fn is_down_or_gone(&self, node: &str) -> bool {
        self.nodes.get(node).is_none_or(|node| {
            let ready = node.status.conditions.iter().find(|c| c.type_ == "Ready");
            ready.is_some_and(|ready| {
                ready.status == "False"
                    && matches!(
                        ready.reason.as_str(),
                        "KubernetesNodeGone" | "KubernetesNodeNotReady" | "ManagerPodMissing"
                    )
            })
        })
    }

    /// True if the node is there and ready.
    pub fn is_node_ready(&self, node: &str) -> bool {
        self.nodes
            .get(node)
            .is_some_and(|node| is_true(&node.status.conditions, "Ready"))
    }

    /// `GetReadyDiskNodeRO` (line 2754): the disk is ready, its node is ready,
    /// and the disk stands in the node's spec. Scheduling plays no role.
    pub fn ready_disk(&self, uuid: &str, rng: &mut impl Rng) -> Option<ReadyDisk> {
        let candidates = self.nodes.found_by(uuid);
        let candidates = candidates.filter(|node| is_true(&node.status.conditions, "Ready"));
        shuffled(candidates, rng).into_iter().find_map(|node| {
            let fitting = node.disks().filter(|disk| {
                disk.status.disk_uuid == uuid
                    && is_true(&disk.status.conditions, "Ready")
                    && disk.spec.is_some()
            });
            let disk = shuffled(fitting, rng).into_iter().next()?;
            Some(ReadyDisk {
                node: disk.node.to_owned(),
                uuid: uuid.to_owned(),
                path: disk.spec?.path.clone(),
            })
        })
    }

    /// `GetReadyNodeDiskForBackingImage` (line 2951) for the v1 engine: a random
    /// disk, not yet wanted by the image, that may take a new copy.
    pub fn disk_for_new_copy(&self, image: &BackingImage, rng: &mut impl Rng) -> Option<ReadyDisk> {
        let empty_selector_takes_tagged_nodes = self.flag("allow-empty-node-selector-volume");
        let empty_selector_takes_tagged_disks = self.flag("allow-empty-disk-selector-volume");
        let wanted = image.spec.disk_file_spec_map.as_ref();
        for node in shuffled(self.nodes.values(), rng) {
            let selector = &image.spec.node_selector;
            if !has_tags(&node.spec.tags, selector, empty_selector_takes_tagged_nodes)
                || !node.spec.allow_scheduling
                || !is_true(&node.status.conditions, "Schedulable")
            {
                continue;
            }
            let disks: Vec<_> = node.disks().collect();
            for disk in shuffled(disks, rng) {
                let Some(spec) = disk.spec else { continue };
                let selector = &image.spec.disk_selector;
                if has_tags(&spec.tags, selector, empty_selector_takes_tagged_disks)
                    && spec.disk_type == DiskType::Filesystem
                    && !wanted.is_some_and(|map| map.contains_key(&disk.status.disk_uuid))
                    && spec.allow_scheduling
                    && is_true(&disk.status.conditions, "Schedulable")
                {
                    return Some(ReadyDisk {
                        node: disk.node.to_owned(),
                        uuid: disk.status.disk_uuid.clone(),
                        path: spec.path.clone(),
                    });
                }
            }
        }
        None
    }

    /// `ListReplicasByBackingImage` (line 3215): by label; all disks if `disk` is `None`.
    pub fn replicas_using<'a>(
        &'a self,
        image: &str,
        disk: Option<&'a str>,
    ) -> impl Iterator<Item = &'a Arc<Replica>> + use<'a> {
        self.replicas.found_by(image).filter(move |replica| {
            let labels = replica.metadata.labels.as_ref();
            let its_disk = labels.and_then(|labels| labels.get(LABEL_REPLICA_DISK));
            disk.is_none_or(|disk| its_disk.is_some_and(|label| label == disk))
        })
    }

    /// A setting as a number; Longhorn's default where it does not exist
    /// (`types/setting.go`).
    pub fn number(&self, setting: &str) -> i64 {
        let default = match setting {
            "concurrent-backing-image-replenish-per-node-limit" => 5,
            "backing-image-recovery-wait-interval" => 300,
            "backing-image-cleanup-wait-interval" => 60,
            "storage-minimal-available-percentage" => 25,
            "storage-over-provisioning-percentage" => 100,
            "replica-replenishment-wait-interval" => 600,
            _ => 0,
        };
        self.settings
            .get(setting)
            .and_then(|s| s.value.parse().ok())
            .unwrap_or(default)
    }

    /// A setting as a flag; Longhorn's default where it does not exist.
    pub(crate) fn flag(&self, setting: &str) -> bool {
        match self.settings.get(setting) {
            Some(setting) => setting.value == "true",
            None => setting != "replica-soft-anti-affinity",
        }
    }
}

/// `IsSelectorsInTags`: every selector is among the tags; an empty selector
/// takes untagged ones, and tagged ones too if the setting says so.
pub(crate) fn has_tags(tags: &[String], selectors: &[String], empty_takes_tagged: bool) -> bool {
    if selectors.is_empty() {
        return tags.is_empty() || empty_takes_tagged;
    }
    selectors.iter().all(|selector| tags.contains(selector))
}
