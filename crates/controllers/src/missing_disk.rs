//! What the backing image manager controller does about a manager whose disk no
//! node has any more: from v1.9.2 it evicts the copies there
//! (`controller/backing_image_manager_controller.go:388-417` at v1.9.2).

use fixname_longhorn::{BackingImage, BackingImageManager};
use rand::Rng;

use crate::effect::{Effect, Level, LogLine, Object, Tolerance, Write};
use crate::view::{View, shuffled};

/// `evictMissingDiskBackingImageManager`: for each image of the manager, what is
/// done to it. Nothing if the disk is ready, or merely not ready: the node named
/// in the spec must not have a disk of that UUID at all.
pub fn evict_copies(
    manager: &BackingImageManager,
    view: &View,
    rng: &mut impl Rng,
) -> Vec<Vec<Effect>> {
    let uuid = &manager.spec.disk_uuid;
    if view.ready_disk(uuid, rng).is_some() {
        return Vec::new();
    }
    let node = view.nodes.get(&manager.spec.node_id);
    if node.is_some_and(|node| node.disks().any(|disk| disk.status.disk_uuid == *uuid)) {
        return Vec::new();
    }
    let mut series = Vec::new();
    for name in shuffled(manager.spec.backing_images.keys(), rng) {
        let Some(image) = view.images.get(name) else {
            series.push(vec![log(
                name,
                Level::Warning,
                format!(
                    "No corresponding backing image {name} for missing disk backing image manager {}",
                    manager.name()
                ),
            )]);
            continue;
        };
        let mut image = BackingImage::clone(image);
        let wanted = image.spec.disk_file_spec_map.as_mut();
        let Some(copy) = wanted.and_then(|map| map.get_mut(uuid)) else {
            continue;
        };
        if copy.eviction_requested {
            continue;
        }
        copy.eviction_requested = true;
        let message = format!(
            "Evicting backing image manager {} because of missing disk {uuid}",
            manager.name()
        );
        series.push(vec![
            log(name, Level::Info, message),
            Effect::Write {
                write: Write::Update(Object::BackingImage(Box::new(image))),
                tolerance: Tolerance::Dropped,
                context: &[],
            },
        ]);
    }
    series
}

fn log(image: &str, level: Level, message: String) -> Effect {
    Effect::Log(LogLine {
        level,
        message,
        error: None,
        image: image.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use fixname_longhorn::{CopySpec, DiskStatus, Node};
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;

    fn evicted(disk_of_node: &str) -> usize {
        let mut node = Node::named("node-1");
        let status = DiskStatus {
            disk_uuid: disk_of_node.to_owned(),
            ..DiskStatus::default()
        };
        node.status.disk_status.insert("disk-1".to_owned(), status);
        let mut image = BackingImage::named("parrot");
        let wish = ("a".to_owned(), CopySpec::default());
        image.spec.disk_file_spec_map = Some(BTreeMap::from([wish]));
        let mut manager = BackingImageManager::named("manager");
        manager.spec.node_id = "node-1".to_owned();
        manager.spec.disk_uuid = "a".to_owned();
        manager
            .spec
            .backing_images
            .insert("parrot".to_owned(), "uuid".to_owned());
        let mut view = View::default();
        view.nodes.insert("node-1".to_owned(), Arc::new(node));
        view.images.insert("parrot".to_owned(), Arc::new(image));
        evict_copies(&manager, &view, &mut ChaCha8Rng::seed_from_u64(1)).len()
    }

    #[test]
    fn a_disk_that_is_merely_not_ready_is_left_alone_and_one_that_is_gone_is_evicted() {
        assert_eq!(evicted("a"), 0);
        assert_eq!(evicted("b"), 1);
    }
}
