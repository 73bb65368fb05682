//! What a manager does about its files: what its pod reports, what is to be deleted,
//! and what is to be fetched, from where.

use fixname_longhorn::objects::FileRecord;
use fixname_longhorn::{
    BackingImage, BackingImageDataSource, BackingImageManager, CopyState, ManagerState,
};
use rand::Rng;

use super::Memory;
use crate::defect::Defect;
use crate::effect::{EventType, Level, Object};
use crate::machines::{Call, Origin};
use crate::plan::{Desk, Plan};
use crate::view::shuffled;

/// How many others fetch from one file at once (backing-image-manager, `SendingLimit`).
const MOST_RECEIVERS: usize = 3;

/// The monitor: the status has what the pod reports.
pub(super) fn read(manager: &mut BackingImageManager, desk: &Desk<'_>, memory: &mut Memory) {
    let name = manager.name().to_owned();
    let Some(files) = desk.machines.pod(&name).and_then(|pod| pod.files()) else {
        return;
    };
    let before = std::mem::take(&mut manager.status.backing_image_file_map);
    for (image, file) in files {
        let mut record = FileRecord {
            name: image.clone(),
            uuid: file.uuid.clone(),
            state: file.state.clone(),
            message: file.message.clone(),
            ..before.get(image).cloned().unwrap_or_default()
        };
        record.progress = i64::from(file.state == CopyState::Ready) * 100;
        if let Some(file) = &file.file {
            record.size = file.bytes;
            record.virtual_size = file.bytes;
            record.real_size = file.bytes;
            record.current_checksum.clone_from(&file.checksum);
            memory.clear(&name, image);
        }
        if let Origin::Sender(sender) = &file.origin {
            record.sender_manager_address = format!("pod-of-{sender}");
        }
        manager
            .status
            .backing_image_file_map
            .insert(image.clone(), record);
    }
}

/// `deleteInvalidBackingImages`: files of images that are gone or no longer listed,
/// and failed ones if there is another.
pub(super) fn delete_invalid(
    manager: &mut BackingImageManager,
    desk: &Desk<'_>,
    plan: &mut Plan,
    memory: &mut Memory,
) {
    let name = manager.name().to_owned();
    let spec = manager.spec.clone();
    let files = &mut manager.status.backing_image_file_map;
    files.retain(|image, file| {
        let object = desk.view.images.get(image);
        let is_invalid = match object {
            None => true,
            Some(object) if object.status.uuid.is_empty() => false,
            Some(object) => {
                let uuid = &object.status.uuid;
                spec.backing_images.get(image) != Some(uuid)
                    || (!file.uuid.is_empty() && file.uuid != *uuid)
                    || (has_failed(object, &spec.disk_uuid, file)
                        && !desk.behaviour.has(Defect::KeepsFailedFiles))
            }
        };
        if is_invalid {
            plan.call(Call::DeleteFile {
                pod: name.clone(),
                image: image.clone(),
                uuid: file.uuid.clone(),
            });
            memory.clear(&name, image);
            plan.event(
                "BackingImageManager",
                &name,
                EventType::Normal,
                "Delete",
                format!(
                    "Deleted backing image {image} in disk {} on node {}",
                    spec.disk_uuid, spec.node_id
                ),
            );
        }
        !is_invalid
    });
}

/// The image's status says that this copy has failed (or has no entry, and the
/// record says so), and that another one has not.
fn has_failed(image: &BackingImage, disk: &str, file: &FileRecord) -> bool {
    let copies = image.status.disk_file_status_map.iter().flatten();
    let entry = copies.clone().find(|(uuid, _)| uuid.as_str() == disk);
    let state = entry.map_or(&file.state, |(_, copy)| &copy.state);
    *state == CopyState::Failed
        && copies
            .clone()
            .any(|(_, copy)| copy.state != CopyState::Failed)
}

/// `prepareBackingImageFiles`: fetches what is missing.
pub(super) fn prepare(
    manager: &mut BackingImageManager,
    desk: &Desk<'_>,
    plan: &mut Plan,
    memory: &mut Memory,
    rng: &mut impl Rng,
) {
    let name = manager.name().to_owned();
    let images: Vec<String> = manager.spec.backing_images.keys().cloned().collect();
    for image in shuffled(images, rng) {
        let (Some(object), Some(source)) = (
            desk.view.images.get(&image),
            desk.view.data_sources.get(&image),
        ) else {
            continue;
        };
        let file = manager.status.backing_image_file_map.get(&image);
        let is_missing = file.is_none_or(|file| file.state == CopyState::Failed);
        if !is_missing && source.status.current_state != CopyState::Failed {
            continue;
        }
        if !source.spec.file_transferred {
            take_first(manager, object, source, plan);
            continue;
        }
        if memory.must_wait(&name, &image, desk.now) || !may_fetch(manager, desk) {
            continue;
        }
        let ready = ready_managers(&image, desk, rng);
        let origin = match ready.is_empty() {
            true if desk.behaviour.has(Defect::NeverReusesFiles) => continue,
            true => Origin::Reuse,
            false if desk.behaviour.has(Defect::NeverSyncs) => continue,
            false => match ready
                .iter()
                .find(|m| receivers(m, &image, desk) < MOST_RECEIVERS)
            {
                Some(sender) => Origin::Sender(sender.clone()),
                None => continue,
            },
        };
        memory.note(&name, &image, desk.now);
        let place = format!(
            "backing image {image} in disk {} on node {}",
            manager.spec.disk_uuid, manager.spec.node_id
        );
        let (reason, message) = match &origin {
            Origin::Sender(sender) => ("Syncing", format!("Syncing {place} from {sender}")),
            _ => ("Fetching", format!("Reuse the existing file for {place}")),
        };
        let is_sync = matches!(origin, Origin::Sender(_));
        plan.call(Call::Fetch {
            pod: name.clone(),
            image,
            uuid: object.status.uuid.clone(),
            checksum: object.status.checksum.clone(),
            origin,
        });
        let kind = "BackingImageManager";
        plan.event(kind, &name, EventType::Normal, reason, message);
        if is_sync {
            // One at a time, so that the others can be counted.
            break;
        }
    }
}

/// The first file: only the manager on the data source's own disk takes it, but any
/// that lists the image cleans up after a data source that has failed.
fn take_first(
    manager: &BackingImageManager,
    image: &BackingImage,
    source: &BackingImageDataSource,
    plan: &mut Plan,
) {
    let (pod, name) = (manager.name().to_owned(), image.name().to_owned());
    let uuid = image.status.uuid.clone();
    match source.status.current_state {
        CopyState::Failed => {
            plan.call(Call::DeleteFile {
                pod,
                image: name,
                uuid,
            });
            let mut source = source.clone();
            source.status.current_state = CopyState::FailedAndCleanUp;
            plan.finish(Object::DataSource(Box::new(source)));
        }
        CopyState::ReadyForTransfer if source.spec.disk_uuid == manager.spec.disk_uuid => {
            let message = format!(
                "Fetched the first file for backing image {name} in disk {} on node {}",
                manager.spec.disk_uuid, manager.spec.node_id
            );
            plan.log(
                Level::Info,
                &name,
                "Starting to fetch the data source file from the backing image data source work directory"
                    .to_owned(),
            );
            plan.event(
                "BackingImageManager",
                &pod,
                EventType::Normal,
                "Fetching",
                message,
            );
            plan.call(Call::Fetch {
                pod,
                image: name,
                uuid,
                checksum: source.status.checksum.clone(),
                origin: Origin::Source,
            });
        }
        _ => {}
    }
}

/// Running managers of the current image whose file is ready, in random order.
fn ready_managers(image: &str, desk: &Desk<'_>, rng: &mut impl Rng) -> Vec<String> {
    let ready = desk.view.managers.values().filter(|manager| {
        manager.status.current_state == ManagerState::Running
            && desk.is_current(&manager.spec.image)
            && manager
                .status
                .backing_image_file_map
                .get(image)
                .is_some_and(|file| file.state == CopyState::Ready)
    });
    shuffled(ready.map(|m| m.name().to_owned()), rng)
}

/// How many are fetching the image from that manager.
fn receivers(sender: &str, image: &str, desk: &Desk<'_>) -> usize {
    let is_fetching = |manager: &&std::sync::Arc<BackingImageManager>| {
        let files = desk.machines.pod(manager.name()).and_then(|p| p.files());
        files
            .and_then(|files| files.get(image))
            .is_some_and(|file| {
                file.state == CopyState::InProgress
                    && file.origin == Origin::Sender(sender.to_owned())
            })
    };
    desk.view.managers.values().filter(is_fetching).count()
}

/// `canSyncCopy`: not more than so many copies arrive on a node at once. A limit of 0
/// keeps copies from being asked for, not from arriving.
fn may_fetch(manager: &BackingImageManager, desk: &Desk<'_>) -> bool {
    let limit = desk
        .view
        .number("concurrent-backing-image-replenish-per-node-limit");
    let Ok(limit @ 1..) = usize::try_from(limit) else {
        return true;
    };
    let here = desk.view.managers.values().filter(|other| {
        other.spec.node_id == manager.spec.node_id && other.name() != manager.name()
    });
    let arriving = here.flat_map(|other| other.status.backing_image_file_map.values());
    let arriving = arriving.filter(|file| {
        matches!(
            file.state,
            CopyState::Pending | CopyState::Starting | CopyState::InProgress
        )
    });
    arriving.count() < limit
}
