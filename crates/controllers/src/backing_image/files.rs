//! The file status step (`controller/backing_image_controller.go:1279-1432` at
//! v1.9.1): the image's status says exactly what data source and managers report.

use std::collections::BTreeSet;

use fixname_longhorn::{CopyState, CopyStatus, DataEngine};
use rand::Rng;

use super::Reconcile;
use crate::defect::Defect;
use crate::effect::{EventType, Level};
use crate::view::shuffled;

/// What is reported of one file.
pub(super) struct FileInfo {
    state: CopyState,
    progress: i64,
    message: String,
    checksum: String,
}

impl FileInfo {
    pub(super) fn missing(message: String) -> Self {
        Self {
            state: CopyState::Unknown,
            progress: 0,
            message,
            checksum: String::new(),
        }
    }
}

impl<R: Rng> Reconcile<'_, R> {
    pub(super) fn sync_file_info(&mut self) {
        let mut reported = BTreeSet::new();
        let name = self.image.name().to_owned();
        let source = self.view.data_sources.get(&name).cloned();
        if source.is_none() {
            self.warn("Failed to find backing image data source, but controller will continue syncing backing image", None);
        }
        // Until the first file has been taken over, its disk's entry is the data source's.
        let unfinished = source.filter(|s| s.status.current_state != CopyState::Ready);
        if let Some(source) = &unfinished {
            reported.insert(source.spec.disk_uuid.clone());
            if source.status.size != 0 {
                self.image.status.size = source.status.size;
            }
            let info = FileInfo {
                state: source.status.current_state.clone(),
                progress: source.status.progress,
                message: source.status.message.clone(),
                checksum: source.status.checksum.clone(),
            };
            self.set_file_info(&source.spec.disk_uuid, info, DataEngine::V1);
        }

        let managers: Vec<_> = self.view.managers.values().cloned().collect();
        for manager in shuffled(managers, self.rng) {
            let disk = &manager.spec.disk_uuid;
            let Some(file) = manager.status.backing_image_file_map.get(&name) else {
                continue;
            };
            if manager.is_deleting()
                || file.uuid != self.image.status.uuid
                || unfinished
                    .as_ref()
                    .is_some_and(|s| s.spec.disk_uuid == *disk)
            {
                continue;
            }
            reported.insert(disk.clone());
            let info = FileInfo {
                state: file.state.clone(),
                progress: file.progress,
                message: file.message.clone(),
                checksum: file.current_checksum.clone(),
            };
            self.set_file_info(disk, info, DataEngine::V1);
            self.check_size("size", file.size, manager.name(), disk);
            self.check_size("virtualSize", file.virtual_size, manager.name(), disk);
            if file.real_size > 0 && self.image.status.real_size == 0 {
                self.image.status.real_size = file.real_size;
                self.event("Update", format!("Set realSize to {}", file.real_size));
            }
        }

        let now = self.context.now.to_string();
        let copies = self
            .image
            .status
            .disk_file_status_map
            .get_or_insert_default();
        let keeps = self.context.behaviour.has(Defect::KeepsUnreportedCopies);
        copies.retain(|uuid, copy| {
            keeps || copy.data_engine == DataEngine::V2 || reported.contains(uuid)
        });
        for copy in copies.values_mut() {
            if copy.data_engine != DataEngine::V2 && copy.last_state_transition_time.is_empty() {
                copy.last_state_transition_time.clone_from(&now);
            }
        }
    }

    /// `updateStatusWithFileInfo`.
    pub(super) fn set_file_info(&mut self, disk: &str, info: FileInfo, engine: DataEngine) {
        let now = self.context.now.to_string();
        let status = &mut self.image.status;
        let copies = status.disk_file_status_map.get_or_insert_default();
        let copy = copies.entry(disk.to_owned()).or_insert_with(|| CopyStatus {
            data_engine: engine,
            ..CopyStatus::default()
        });
        if copy.state != info.state {
            copy.last_state_transition_time = now;
            copy.state = info.state;
        }
        copy.progress = info.progress;
        copy.message = info.message;
        if info.checksum.is_empty() {
            return;
        }
        if status.checksum.is_empty() {
            status.checksum.clone_from(&info.checksum);
        }
        if status.checksum != info.checksum && copy.state != CopyState::Failed {
            let message = format!(
                "Backing image recorded checksum {} doesn't match the file checksum {} in disk {disk}",
                status.checksum, info.checksum
            );
            copy.state = CopyState::Failed;
            copy.message.clone_from(&message);
            self.log(Level::Error, message, None);
        }
    }

    /// The first size reported is taken; another one marks the copy failed.
    fn check_size(&mut self, what: &str, reported: i64, manager: &str, disk: &str) {
        if reported <= 0 {
            return;
        }
        let status = &mut self.image.status;
        let recorded = match what {
            "size" => &mut status.size,
            _ => &mut status.virtual_size,
        };
        if *recorded == 0 {
            *recorded = reported;
            self.event("Update", format!("Set {what} to {reported}"));
            return;
        }
        let recorded = *recorded;
        if recorded == reported {
            return;
        }
        let copies = status.disk_file_status_map.get_or_insert_default();
        if let Some(copy) = copies.get_mut(disk)
            && copy.state != CopyState::Failed
        {
            let message = format!(
                "found mismatching {what} {reported} reported by backing image manager {manager} in disk {disk}, the {what} recorded in status is {recorded}"
            );
            copy.state = CopyState::Failed;
            copy.message.clone_from(&message);
            self.event_of(EventType::Warning, "Update", message);
        }
    }
}
