//! The data source step (`controller/backing_image_controller.go:1002-1209` at
//! v1.9.1): make one, notice that a manager took the file over, move it, start over.

use fixname_longhorn::{BackingImageDataSource, CopyState, CopyStatus};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use rand::Rng;

use super::{Reconcile, Step};
use crate::defect::Defect;
use crate::effect::{Object, Tolerance, Write};
use crate::view::{ReadyDisk, walked};

/// What the scheduler of copies says when it finds none.
const NO_DISK: &str = "unable to get a ready node disk";

impl<R: Rng> Reconcile<'_, R> {
    pub(super) fn handle_data_source(&mut self) -> Step {
        let name = self.image.name().to_owned();
        let Some(existing) = self.view.data_sources.get(&name).cloned() else {
            return self.create_data_source();
        };
        let mut source = BackingImageDataSource::clone(&existing);
        if source.spec.uuid.is_empty() {
            source.spec.uuid = self.image.status.uuid.clone();
        }

        let is_done =
            source.status.current_state == CopyState::Ready && !self.has(Defect::NeverTransfers);
        if !source.spec.file_transferred && is_done {
            let copies = self.image.status.disk_file_status_map.as_ref();
            let copy = copies.and_then(|map| map.get(&source.spec.disk_uuid));
            if copy.is_some_and(|copy| copy.state == CopyState::Ready) {
                source.spec.file_transferred = true;
                self.info("Default backing image manager successfully took over the file, will mark the data source as file transferred");
            }
        } else if source.spec.file_transferred
            && self.all_files_are_unavailable()
            && !self.has(Defect::NeverFetchesAnew)
        {
            if source.spec.source_type == "download" {
                self.info("Preparing to re-download backing image via data source since all existing files become unavailable");
                source.spec.file_transferred = false;
                source.spec.node_id.clear();
                source.spec.disk_uuid.clear();
                source.spec.disk_path.clear();
            } else {
                self.warn(
                    format!(
                        "Failed to recover backing image after all existing files becoming unavailable, since the data source with type {} doesn't support restarting",
                        source.spec.source_type
                    ),
                    None,
                );
            }
        }

        if !source.spec.file_transferred {
            let disk = self.view.ready_disk(&source.spec.disk_uuid, self.rng);
            let stays = disk.is_some_and(|disk| {
                disk.node == source.spec.node_id && disk.path == source.spec.disk_path
            });
            if !stays && !self.has(Defect::KeepsSourceInPlace) {
                self.warn("Backing image data source current node and disk is not ready, need to switch to another ready node and disk", None);
                let Some(disk) = self.view.disk_for_new_copy(&self.image, self.rng) else {
                    return self.fail(NO_DISK);
                };
                place(&mut source, &disk);
            }
        }
        if source != *existing {
            let object = Object::DataSource(Box::new(source));
            self.write(Write::Update(object), Tolerance::Strict, &[]);
            return self.reread();
        }
        Ok(())
    }

    /// A ready disk among the wanted ones, preferably one whose copy is ready;
    /// else any disk that may take a copy.
    fn create_data_source(&mut self) -> Step {
        self.info("Creating backing image data source");
        let wanted = self.image.spec.disk_file_spec_map.clone();
        let mut found: Option<(ReadyDisk, bool)> = None;
        let walk = self.context.behaviour.walk;
        for uuid in walked(wanted.unwrap_or_default().into_keys(), walk, self.rng) {
            let Some(disk) = self.view.ready_disk(&uuid, self.rng) else {
                continue;
            };
            let copies = self.image.status.disk_file_status_map.as_ref();
            let is_ready = copies
                .and_then(|map| map.get(&uuid))
                .is_some_and(|copy| copy.state == CopyState::Ready);
            found = Some((disk, is_ready));
            if is_ready {
                break;
            }
        }
        let chosen = found.or_else(|| {
            let disk = self.view.disk_for_new_copy(&self.image, self.rng)?;
            Some((disk, false))
        });
        let Some((disk, is_ready)) = chosen else {
            return self.fail(NO_DISK);
        };
        let mut source = BackingImageDataSource::named(self.image.name());
        source.metadata.owner_references = Some(vec![OwnerReference {
            api_version: self.image.api_version.clone(),
            kind: "BackingImage".to_owned(),
            name: self.image.name().to_owned(),
            uid: self.image.metadata.uid.clone().unwrap_or_default(),
            controller: Some(true),
            block_owner_deletion: Some(true),
        }]);
        source.spec.uuid = self.image.status.uuid.clone();
        source.spec.checksum = self.image.spec.checksum.clone();
        source.spec.source_type = self.image.spec.source_type.clone();
        source.spec.parameters = self.image.spec.source_parameters.clone();
        source.spec.file_transferred = is_ready;
        place(&mut source, &disk);
        let object = Object::DataSource(Box::new(source));
        self.write(Write::Create(object), Tolerance::Strict, &[]);
        self.reread()
    }

    /// Every copy, wanted or not, has been `failed` for longer than the recovery
    /// interval. With no copy at all this holds at once, which is why emptying
    /// an image's spec starts a new download.
    fn all_files_are_unavailable(&self) -> bool {
        let interval = self.view.number("backing-image-recovery-wait-interval");
        let latest = self.context.now - SignedDuration::from_secs(interval);
        let given_up = |copy: &CopyStatus| {
            copy.state == CopyState::Failed
                && copy
                    .last_state_transition_time
                    .parse::<Timestamp>()
                    .is_ok_and(|since| since <= latest)
        };
        let copies = self.image.status.disk_file_status_map.as_ref();
        let mut wanted = self.image.spec.disk_file_spec_map.iter().flatten();
        wanted.all(|(uuid, _)| copies.and_then(|map| map.get(uuid)).is_some_and(given_up))
            && copies.into_iter().flatten().all(|(_, copy)| given_up(copy))
    }
}

fn place(source: &mut BackingImageDataSource, disk: &ReadyDisk) {
    source.spec.node_id = disk.node.clone();
    source.spec.disk_uuid = disk.uuid.clone();
    source.spec.disk_path = disk.path.clone();
}
