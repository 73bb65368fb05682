//! The behaviours that no recording shows, each turned off once: what one reconcile
//! does is then something else.

use std::collections::BTreeMap;
use std::sync::Arc;

use fixname_controllers::backing_image::{Context, reconcile};
use fixname_controllers::{Behaviour, Defect, Effect, Object, View, Write};
use fixname_longhorn::objects::condition;
use fixname_longhorn::{
    BackingImage, BackingImageDataSource, BackingImageManager, CopySpec, CopyState, DiskSpec,
    DiskStatus, DiskType, FINALIZER, FileRecord, LABEL_DISK_UUID, Node, Replica,
};
use fixname_naming::ImageRef;
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

const NOW: Timestamp = Timestamp::constant(1_762_214_400, 0);
const MANAGER_IMAGE: &str = "longhornio/backing-image-manager:v1.10.2";
const UUID: &str = "8f6c9d1a";

/// One image that wants the disks a and b, each with a manager that serves it, and a
/// third disk c that could take a copy.
fn view() -> View {
    let mut view = View::default();
    let mut node = Node::named("node-1");
    node.spec.allow_scheduling = true;
    let ready = vec![
        condition("Ready", true, ""),
        condition("Schedulable", true, ""),
    ];
    node.status.conditions.clone_from(&ready);
    for uuid in ["a", "b", "c"] {
        let spec = DiskSpec {
            disk_type: DiskType::Filesystem,
            allow_scheduling: true,
            ..DiskSpec::default()
        };
        let status = DiskStatus {
            disk_uuid: uuid.to_owned(),
            conditions: ready.clone(),
            ..DiskStatus::default()
        };
        node.spec.disks.insert(uuid.to_owned(), spec);
        node.status.disk_status.insert(uuid.to_owned(), status);
    }
    view.nodes.insert("node-1".to_owned(), Arc::new(node));

    let mut image = BackingImage::named("parrot");
    image.metadata.finalizers = Some(vec![FINALIZER.to_owned()]);
    image.spec.min_number_of_copies = 2;
    image.status.owner_id = "node-1".to_owned();
    image.status.uuid = UUID.to_owned();
    let wanted = ["a", "b"].map(|uuid| (uuid.to_owned(), CopySpec::default()));
    image.spec.disk_file_spec_map = Some(BTreeMap::from(wanted));
    view.images.insert("parrot".to_owned(), Arc::new(image));

    let mut source = BackingImageDataSource::named("parrot");
    source.spec.file_transferred = true;
    source.spec.uuid = UUID.to_owned();
    source.status.current_state = CopyState::Ready;
    view.data_sources
        .insert("parrot".to_owned(), Arc::new(source));
    for uuid in ["a", "b"] {
        let mut manager = BackingImageManager::named(&format!("manager-{uuid}"));
        let label = (LABEL_DISK_UUID.to_owned(), uuid.to_owned());
        manager.metadata.labels = Some(BTreeMap::from([label]));
        manager.spec.image = MANAGER_IMAGE.to_owned();
        manager.spec.node_id = "node-1".to_owned();
        manager.spec.disk_uuid = uuid.to_owned();
        let served = ("parrot".to_owned(), UUID.to_owned());
        manager.spec.backing_images = BTreeMap::from([served]);
        let file = FileRecord {
            uuid: UUID.to_owned(),
            state: CopyState::Ready,
            ..FileRecord::default()
        };
        manager.status.backing_image_file_map = BTreeMap::from([("parrot".to_owned(), file)]);
        view.managers
            .insert(manager.name().to_owned(), Arc::new(manager));
    }
    view
}

fn edit_image(view: &mut View, change: impl FnOnce(&mut BackingImage)) {
    view.images.edit("parrot", change);
}

/// What one reconcile writes.
fn written(view: &View, defect: Option<Defect>) -> Vec<Object> {
    let version = "v1.10.2".parse().expect("it is a version");
    let mut behaviour = Behaviour::of(&version).expect("it is known");
    behaviour.defect = defect;
    let context = Context {
        behaviour: &behaviour,
        namespace: "longhorn-system",
        controller_id: "node-1",
        manager_image: &ImageRef::new(MANAGER_IMAGE),
        now: NOW,
    };
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let effects = reconcile("parrot", view, &context, &mut rng);
    effects
        .into_iter()
        .filter_map(|effect| match effect {
            Effect::Write {
                write: Write::Create(object) | Write::Update(object),
                ..
            } => Some(object),
            _ => None,
        })
        .collect()
}

fn wanted(objects: &[Object]) -> Option<Vec<String>> {
    objects.iter().find_map(|object| match object {
        Object::BackingImage(image) => {
            let map = image.spec.disk_file_spec_map.as_ref()?;
            Some(map.keys().cloned().collect())
        }
        _ => None,
    })
}

#[test]
fn an_image_in_use_keeps_its_finalizer() {
    let mut view = view();
    edit_image(&mut view, |image| {
        image.metadata.deletion_timestamp = Some(Time(NOW));
    });
    let mut replica = Replica::named("vol-r-1");
    let label = ("longhorn.io/backing-image".to_owned(), "parrot".to_owned());
    replica.metadata.labels = Some(BTreeMap::from([label]));
    view.replicas
        .insert("vol-r-1".to_owned(), Arc::new(replica));
    assert!(written(&view, None).is_empty());
    assert!(!written(&view, Some(Defect::DeletesImagesInUse)).is_empty());
}

#[test]
fn the_last_healthy_copy_is_not_evicted() {
    let mut view = view();
    edit_image(&mut view, |image| {
        image.spec.min_number_of_copies = 0;
        let copies = image.spec.disk_file_spec_map.iter_mut().flatten();
        copies.for_each(|(_, copy)| copy.eviction_requested = true);
    });
    assert_eq!(wanted(&written(&view, None)).unwrap().len(), 1);
    let evicted = wanted(&written(&view, Some(Defect::EvictsLastCopy)));
    assert_eq!(evicted, Some(Vec::new()));
}

#[test]
fn a_copy_that_is_being_evicted_is_replaced() {
    let mut view = view();
    edit_image(&mut view, |image| {
        let copies = image.spec.disk_file_spec_map.as_mut();
        let copy = copies.and_then(|map| map.get_mut("a"));
        copy.unwrap().eviction_requested = true;
    });
    let has_third = |disks: &Vec<String>| disks.contains(&"c".to_owned());
    let replaced = wanted(&written(&view, None)).unwrap();
    assert!(has_third(&replaced), "{replaced:?}");
    let kept = wanted(&written(&view, Some(Defect::CountsEvictingCopies)));
    assert!(!kept.is_some_and(|disks| has_third(&disks)));
}

#[test]
fn an_update_of_a_manager_puts_its_labels_back() {
    let mut view = view();
    (view.managers).edit("manager-a", |m| m.spec.backing_images.clear());
    let label = |defect| {
        let objects = written(&view, defect);
        objects.into_iter().find_map(|object| match object {
            Object::Manager(manager) => manager.metadata.labels?.get("longhorn.io/node").cloned(),
            _ => None,
        })
    };
    assert_eq!(label(None).as_deref(), Some("node-1"));
    assert_eq!(label(Some(Defect::LeavesLabelsAlone)), None);
}
