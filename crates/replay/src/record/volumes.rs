//! The volumes of a recorded cluster, with the disks of their replicas.

use fixname_longhorn::{DataEngine, Inventory, Kind, Replica, Volume as Object};

use super::found::Found;
use crate::scenario::DiskPath;

/// A volume.
#[derive(Clone, Debug)]
pub(super) struct Volume {
    pub(super) image: String,
    /// The node it is attached to; one that a disk here is on.
    pub(super) node: Option<String>,
    /// The disks of its replicas, without those that wait.
    pub(super) on: Vec<DiskPath>,
    /// What of it waits for a copy that never comes.
    pub(super) waiting: Option<Waiting>,
    /// It has all the replicas it keeps.
    pub(super) is_whole: bool,
}

/// Replicas that wait.
#[derive(Clone, Debug)]
pub(super) struct Waiting {
    /// Their disks: of losers and bystanders of the image.
    pub(super) on: Vec<DiskPath>,
    /// Whether the volume is in use without them, or waits as well.
    pub(super) is_in_use: bool,
}

impl Volume {
    /// All disks that have a replica of it.
    pub(super) fn disks(&self) -> impl Iterator<Item = &DiskPath> {
        let waiting = self.waiting.iter().flat_map(|waiting| &waiting.on);
        self.on.iter().chain(waiting)
    }

    /// Its node is one that a disk is on: which one is all the same to replicas.
    pub(super) fn keep_node_among<'a>(&mut self, mut disks: impl Iterator<Item = &'a DiskPath>) {
        let Some(node) = &self.node else { return };
        if !disks.any(|disk| disk.node == *node) {
            let first = self.disks().next().map(|disk| disk.node.clone());
            self.node = first;
        }
    }
}

impl Found {
    /// Reads the volumes of images that are in it.
    pub(super) fn volumes(&mut self, inventory: &Inventory) {
        if !inventory.has_read(Kind::Volume) || !inventory.has_read(Kind::Replica) {
            let why = "volumes are left out: it takes those and their replicas";
            self.notes.push(why.to_owned());
            return;
        }
        let (with_image, without): (Vec<_>, Vec<_>) = inventory
            .volumes
            .iter()
            .partition(|volume| !volume.spec.backing_image.is_empty());
        if !without.is_empty() {
            let count = without.len();
            self.notes
                .push(format!("{count} volumes of no image are left out"));
        }
        for volume in with_image {
            match self.volume(volume, inventory) {
                Ok(found) => {
                    self.volumes.insert(volume.name().to_owned(), found);
                }
                Err(why) => self.leave_out(&format!("volume {}", volume.name()), &why),
            }
        }
    }

    /// A volume, or why it is left out.
    fn volume(&mut self, object: &Object, inventory: &Inventory) -> Result<Volume, String> {
        let name = object.name();
        let image = &object.spec.backing_image;
        if object.is_deleting() {
            return Err("it is being deleted".to_owned());
        }
        if object.spec.data_engine == DataEngine::V2 {
            return Err("its data engine is v2".to_owned());
        }
        let Some(found) = self.images.get(image).cloned() else {
            return Err(format!("its image {image} is not in it"));
        };
        let late: Vec<&DiskPath> = match &found.stuck {
            Some(stuck) => stuck.late().collect(),
            None => Vec::new(),
        };
        let is_there = |r: &&Replica| {
            r.spec.volume_name == name && r.spec.failed_at.is_empty() && !r.is_deleting()
        };
        let (mut on, mut waiting) = (Vec::new(), Vec::new());
        for replica in inventory.replicas.iter().filter(is_there) {
            let Some(path) = self.path(&replica.spec.disk_id) else {
                let what = format!("replica {} of volume {name}", replica.name());
                self.leave_out(&what, "it is on no filesystem disk that is ready");
                continue;
            };
            if late.contains(&&path) {
                if replica.status.current_state == "running" {
                    return Err(format!(
                        "its replica on {path} runs, and image {image} has no copy there"
                    ));
                }
                waiting.push(path);
            } else if found.copies.contains(&path) {
                on.push(path);
            } else {
                let what = format!("replica {} of volume {name}", replica.name());
                self.leave_out(&what, &format!("image {image} wants no copy on {path}"));
            }
        }
        if on.is_empty() && waiting.is_empty() {
            return Err("none of its replicas is in it".to_owned());
        }
        let node = Some(object.spec.node_id.clone()).filter(|node| !node.is_empty());
        let kept = usize::try_from(object.spec.number_of_replicas).unwrap_or_default();
        let mut volume = Volume {
            image: image.clone(),
            is_whole: on.len() + waiting.len() == kept,
            node,
            on,
            waiting: None,
        };
        if volume.node.is_none() {
            // Nobody waits.
            volume.on.extend(waiting);
        } else if !waiting.is_empty() {
            let status = &object.status;
            let is_in_use = match (status.state.as_str(), status.robustness.as_str()) {
                ("attaching", _) => false,
                ("attached", "degraded") if !volume.on.is_empty() => true,
                (state, robustness) => {
                    return Err(format!(
                        "replicas of it wait, and it is {state:?} and {robustness:?}"
                    ));
                }
            };
            if found.stuck.is_some_and(|stuck| !stuck.has_winner) {
                return Err("nobody knows which disk has the name that it waits for".to_owned());
            }
            volume.waiting = Some(Waiting {
                on: waiting,
                is_in_use,
            });
        }
        volume.keep_node_among(self.disks.keys());
        Ok(volume)
    }
}
