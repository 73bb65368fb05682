//! Last references, the number of copies, and evicted copies
//! (`controller/backing_image_controller.go:794-930` and `1434-1458` at v1.9.1).

use std::collections::BTreeSet;

use fixname_longhorn::{CopySpec, CopyState};
use rand::Rng;

use super::Reconcile;
use crate::defect::Defect;
use crate::view::shuffled;

impl<R: Rng> Reconcile<'_, R> {
    /// For each wanted disk that no replica uses: when that was first noticed.
    pub(super) fn update_last_references(&mut self) {
        if self.has(Defect::ForgetsLastUse) {
            return;
        }
        let name = self.image.name().to_owned();
        let in_use: BTreeSet<String> = self
            .view
            .replicas_using(&name, None)
            .map(|replica| replica.spec.disk_id.clone())
            .collect();
        let wanted = self
            .image
            .spec
            .disk_file_spec_map
            .clone()
            .unwrap_or_default();
        let now = self.context.now.to_string();
        let last = self
            .image
            .status
            .disk_last_ref_at_map
            .get_or_insert_default();
        last.retain(|disk, _| wanted.contains_key(disk) && !in_use.contains(disk));
        for disk in wanted.into_keys().filter(|disk| !in_use.contains(disk)) {
            last.entry(disk).or_insert_with(|| now.clone());
        }
    }

    /// Adds one disk if there are too few copies. A copy without a status counts
    /// as good, so a disk that collides counts as a copy for ever.
    pub(super) fn replenish_copies(&mut self) {
        let Some(source) = self.view.data_sources.get(self.image.name()) else {
            return;
        };
        if !source.spec.file_transferred
            || self.has(Defect::NeverReplenishes)
            || self
                .view
                .number("concurrent-backing-image-replenish-per-node-limit")
                == 0
        {
            return;
        }
        let copies = self.image.status.disk_file_status_map.as_ref();
        let is_failed = |uuid: &String| {
            copies.and_then(|map| map.get(uuid)).is_some_and(|copy| {
                matches!(
                    copy.state,
                    CopyState::Failed | CopyState::FailedAndCleanUp | CopyState::Unknown
                )
            })
        };
        let wanted = self.image.spec.disk_file_spec_map.iter().flatten();
        let (mut good, mut evicting) = (0, 0);
        for (uuid, copy) in wanted {
            good += i64::from(!is_failed(uuid));
            evicting +=
                i64::from(copy.eviction_requested && !self.has(Defect::CountsEvictingCopies));
        }
        if good == 0 || good - evicting >= self.image.spec.min_number_of_copies {
            return;
        }
        match self.view.disk_for_new_copy(&self.image, self.rng) {
            Some(disk) => {
                self.info(format!(
                    "replicate the copy to node: {}, disk: {}",
                    disk.node, disk.uuid
                ));
                let copy = CopySpec {
                    data_engine: self.image.spec.data_engine.clone(),
                    ..CopySpec::default()
                };
                let wanted = self.image.spec.disk_file_spec_map.get_or_insert_default();
                wanted.insert(disk.uuid, copy);
            }
            None => self.warn(
                "failed to create the backing image copy",
                Some("unable to get a ready node disk".to_owned()),
            ),
        }
    }

    /// Drops evicting copies, but keeps the last healthy one, and (in versions
    /// that look) those that replicas use.
    pub(super) fn drop_evicted_copies(&mut self) {
        if self.has(Defect::KeepsEvictedCopies) {
            return;
        }
        let copies = self
            .image
            .status
            .disk_file_status_map
            .clone()
            .unwrap_or_default();
        let wanted = self
            .image
            .spec
            .disk_file_spec_map
            .clone()
            .unwrap_or_default();
        let healthy: Vec<_> = wanted
            .iter()
            .filter(|(uuid, _)| {
                copies
                    .get(*uuid)
                    .is_some_and(|c| c.state == CopyState::Ready)
            })
            .collect();
        let has_staying = healthy.iter().any(|(_, copy)| !copy.eviction_requested);
        let evicting = healthy.into_iter().map(|(uuid, _)| uuid);
        let kept = shuffled(evicting, self.rng)
            .pop()
            .filter(|_| !has_staying && !self.has(Defect::EvictsLastCopy))
            .cloned();

        for (uuid, _) in wanted.iter().filter(|(_, copy)| copy.eviction_requested) {
            if kept.as_ref() == Some(uuid) {
                let message = format!(
                    "Failed to evict backing image copy on disk {uuid} for now since there is no other healthy backing image copy"
                );
                self.warn(message.clone(), None);
                self.event("FailedDeleting", message);
                continue;
            }
            let name = self.image.name().to_owned();
            let is_used = self.view.replicas_using(&name, Some(uuid)).next().is_some();
            if is_used && self.context.behaviour.keeps_evicting_copy_in_use {
                continue;
            }
            self.image
                .spec
                .disk_file_spec_map
                .get_or_insert_default()
                .remove(uuid);
            self.info(format!("Evicted backing image copy on disk {uuid}"));
        }
    }
}
