//! Which objects a change concerns: the event handlers of the controllers.

use fixname_longhorn::Node;

use super::caches::Seen;
use crate::behaviour::Behaviour;
use crate::defect::Defect;
use crate::view::View;

/// The images that a change queues (`controller/backing_image_controller.go:92-130`
/// and `1476-1590` at v1.9.1).
pub(super) fn backing_images(seen: &Seen, view: &View, behaviour: &Behaviour) -> Vec<String> {
    match seen {
        Seen::Image(old, new) => {
            let image = new.as_ref().or(old.as_ref());
            image.map(|i| i.name().to_owned()).into_iter().collect()
        }
        Seen::Manager(old, new) => {
            let is_ignored = behaviour.has(Defect::IgnoresManagers);
            let Some(manager) = new.as_ref().or(old.as_ref()).filter(|_| !is_ignored) else {
                return Vec::new();
            };
            let listed = manager.spec.backing_images.keys();
            let reported = manager.status.backing_image_file_map.keys();
            listed.chain(reported).cloned().collect()
        }
        Seen::DataSource(old, new) => {
            let source = new.as_ref().or(old.as_ref());
            source.map(|s| s.name().to_owned()).into_iter().collect()
        }
        Seen::Replica(old, new) => {
            let replica = new.as_ref().or(old.as_ref());
            let image = replica.map(|r| r.spec.backing_image.clone());
            image.filter(|name| !name.is_empty()).into_iter().collect()
        }
        Seen::Node(Some(old), Some(new)) => images_on_changed_disks(old, new, view),
        Seen::Node(..) | Seen::Setting(..) | Seen::Volume(..) => Vec::new(),
    }
}

/// An eviction flag changed, or a disk is new: images with that disk in their
/// *status* are queued.
fn images_on_changed_disks(old: &Node, new: &Node, view: &View) -> Vec<String> {
    let node_changed = old.spec.eviction_requested != new.spec.eviction_requested;
    let mut names = Vec::new();
    for (name, disk) in &new.spec.disks {
        let before = old.spec.disks.get(name);
        let changed = before.is_none_or(|b| b.eviction_requested != disk.eviction_requested);
        let Some(status) = new.status.disk_status.get(name) else {
            continue;
        };
        if !node_changed && !changed {
            continue;
        }
        for image in view.images.values() {
            let copies = image.status.disk_file_status_map.as_ref();
            if copies.is_some_and(|map| map.contains_key(&status.disk_uuid)) {
                names.push(image.name().to_owned());
            }
        }
    }
    names
}
