//! The manager step (`controller/backing_image_controller.go:952-1000` and
//! `1211-1276` at v1.9.1): outdated managers go, every wanted disk gets one.
//!
//! What is *not* here is the bug: no look-up by name, no comparison of the disk
//! of an existing manager, no "already exists is fine", no collecting of errors.

use std::collections::BTreeMap;
use std::sync::Arc;

use fixname_longhorn::{BackingImageManager, DataEngine, Kind, LABEL_DISK_UUID};
use fixname_naming::{DiskUuid, NameError};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use rand::Rng;

use super::{Ended, Reconcile, Step};
use crate::defect::Defect;
use crate::effect::{Effect, Object, Tolerance, Write};
use crate::view::{ReadyDisk, shuffled, walked};

/// The label of a manager that holds the name of its node.
const LABEL_NODE: &str = "longhorn.io/node";

/// What an error of this step is wrapped in.
const CONTEXT: &[&str] = &["failed to handle backing image managers"];

impl<R: Rng> Reconcile<'_, R> {
    pub(super) fn handle_managers(&mut self) -> Step {
        self.leave_managers(CONTEXT)?;
        let wanted: Vec<(String, DataEngine)> = self
            .image
            .spec
            .disk_file_spec_map
            .iter()
            .flatten()
            .map(|(uuid, copy)| (uuid.clone(), copy.data_engine.clone()))
            .collect();
        let order = match self.has(Defect::VisitsDisksInOrder) {
            true => wanted,
            false => walked(wanted, self.context.behaviour.walk, &mut self.order),
        };
        for (uuid, engine) in order {
            if engine != DataEngine::V2 || self.has(Defect::ServesV2Disks) {
                self.ensure_manager(&uuid, &engine)?;
            }
        }
        Ok(())
    }

    /// `cleanupBackingImageManagers`: deletes every manager with another image
    /// than the flag's, whatever it serves, and leaves those that this image no
    /// longer needs.
    pub(super) fn leave_managers(&mut self, context: &'static [&'static str]) -> Step {
        let name = self.image.name().to_owned();
        let managers: Vec<_> = self.view.managers.values().cloned().collect();
        for manager in shuffled(managers, self.rng) {
            if manager.is_deleting() {
                continue;
            }
            let place = format!(
                "{} in disk {} on node {}",
                manager.name(),
                manager.spec.disk_uuid,
                manager.spec.node_id
            );
            if manager.spec.image != self.context.manager_image.as_str() {
                if self.has(Defect::KeepsOutdatedManagers) {
                    continue;
                }
                self.info("Deleting old/non-default backing image manager");
                self.delete_manager(&manager, context);
                let message = format!("deleted old/non-default backing image manager {place}");
                self.event("Delete", message);
                continue;
            }
            let Some(recorded) = manager.spec.backing_images.get(&name) else {
                continue;
            };
            let wanted = self.image.spec.disk_file_spec_map.as_ref();
            let is_wanted = wanted.is_some_and(|map| map.contains_key(&manager.spec.disk_uuid));
            if is_wanted && !self.image.is_deleting() && *recorded == self.image.status.uuid {
                continue;
            }
            let mut changed = BackingImageManager::clone(&manager);
            changed.spec.backing_images.remove(&name);
            let is_unused = changed.spec.backing_images.is_empty();
            self.update_manager(changed, context);
            if is_unused && !self.has(Defect::KeepsUnusedManagers) {
                self.delete_manager(&manager, context);
                let message = format!("deleting unused backing image manager {place}");
                self.event("Delete", message);
            }
        }
        Ok(())
    }

    fn ensure_manager(&mut self, uuid: &str, engine: &DataEngine) -> Step {
        let (name, image_uuid) = (self.image.name().to_owned(), self.image.status.uuid.clone());
        let mut records = BTreeMap::new();
        let managers: Vec<_> = self.view.managers_of_disk(uuid).cloned().collect();
        for manager in shuffled(managers, self.rng) {
            if !manager.is_deleting() && manager.spec.image == self.context.manager_image.as_str() {
                if manager.spec.backing_images.get(&name) != Some(&image_uuid) {
                    let mut changed = BackingImageManager::clone(&manager);
                    changed.spec.backing_images.insert(name, image_uuid);
                    self.update_manager(changed, CONTEXT);
                    return self.reread();
                }
                return Ok(());
            }
            // A manager on its way out: what it serves is carried over.
            records.extend(manager.spec.backing_images.clone());
        }

        self.info(format!(
            "Creating default backing image manager for disk {uuid}"
        ));
        let Some(disk) = self.view.ready_disk(uuid, self.rng) else {
            self.note_missing_disk(uuid, engine);
            return Ok(());
        };
        records.insert(name, image_uuid);
        self.create_manager(&disk, records)
    }

    fn note_missing_disk(&mut self, uuid: &str, engine: &DataEngine) {
        let error =
            format!("cannot find the corresponding ready node and disk with disk UUID {uuid}");
        if self.context.behaviour.advises_removal_of_missing_disk {
            let message = format!(
                "Disk {uuid} is not ready or does not exist. If the disk will not come back, remove it from the BackingImage spec to stop reconciliation attempts"
            );
            self.warn(message.clone(), Some(error));
            let engine = match engine {
                DataEngine::Unset => self.image.spec.data_engine.clone(),
                engine => engine.clone(),
            };
            self.set_file_info(uuid, super::files::FileInfo::missing(message), engine);
        } else {
            self.warn(
                "Disk is not ready hence backing image manager can not be created",
                Some(error),
            );
        }
    }

    fn create_manager(&mut self, disk: &ReadyDisk, records: BTreeMap<String, String>) -> Step {
        let context = self.context;
        let uuid = DiskUuid::new(disk.uuid.clone());
        let name = match context
            .behaviour
            .scheme
            .manager_name(context.manager_image, &uuid)
        {
            Ok(name) => name,
            Err(error @ NameError::NoManagers) => return self.fail(error.to_string()),
            // The real function slices the string and panics.
            Err(_) => {
                self.effects.push(Effect::Panic(format!(
                    "slice bounds out of range [:4] with length {}",
                    disk.uuid.len()
                )));
                return Err(Ended);
            }
        };
        let is_there = self.view.managers.contains_key(name.as_str());
        if is_there && self.has(Defect::LooksUpByName) {
            return Ok(());
        }
        let mut manager = BackingImageManager::named(name.as_str());
        manager.metadata.labels = Some(BTreeMap::from(
            [
                ("longhorn.io/component", "backing-image-manager"),
                ("longhorn.io/managed-by", "longhorn-manager"),
                (LABEL_NODE, &disk.node),
                (LABEL_DISK_UUID, &disk.uuid),
            ]
            .map(|(key, value)| (key.to_owned(), value.to_owned())),
        ));
        manager.spec.image = context.manager_image.as_str().to_owned();
        manager.spec.node_id = disk.node.clone();
        manager.spec.disk_uuid = disk.uuid.clone();
        manager.spec.disk_path = disk.path.clone();
        manager.spec.backing_images = records;
        let object = Object::Manager(Box::new(manager));
        if is_there && self.has(Defect::TakesExistingForCreated) {
            self.write(Write::Create(object), Tolerance::Dropped, CONTEXT);
            return Ok(());
        }
        if is_there && self.has(Defect::GoesOnAfterFailure) {
            let error = format!("{name} already exists");
            self.warn("Failed to create a manager", Some(error));
            return Ok(());
        }
        self.write(Write::Create(object), Tolerance::Strict, CONTEXT);
        self.event(
            "Create",
            format!(
                "created default backing image manager {name} in disk {} on node {}",
                disk.uuid, disk.node
            ),
        );
        self.reread()
    }

    /// Every update puts the labels back, should somebody have changed them
    /// (`datastore/longhorn.go`, `UpdateBackingImageManager`).
    fn update_manager(
        &mut self,
        mut manager: BackingImageManager,
        context: &'static [&'static str],
    ) {
        if !self.has(Defect::LeavesLabelsAlone) {
            let labels = manager.metadata.labels.get_or_insert_default();
            labels.insert(LABEL_NODE.to_owned(), manager.spec.node_id.clone());
            labels.insert(LABEL_DISK_UUID.to_owned(), manager.spec.disk_uuid.clone());
        }
        let object = Object::Manager(Box::new(manager.clone()));
        self.write(Write::Update(object), Tolerance::Strict, context);
        let name = manager.name().to_owned();
        self.view.managers.insert(name, Arc::new(manager));
    }

    fn delete_manager(&mut self, manager: &BackingImageManager, context: &'static [&'static str]) {
        let name = manager.name().to_owned();
        let write = Write::Delete(Kind::BackingImageManager, name.clone());
        self.write(write, Tolerance::NotFound, context);
        let now = Time(self.context.now);
        let managers = &mut self.view.managers;
        managers.edit(&name, |m| m.metadata.deletion_timestamp = Some(now));
    }
}
