//! The objects that exist before the first step of a recording, as the recorder made them.

use std::collections::BTreeMap;

use fixname_longhorn::objects::condition;
use fixname_longhorn::{
    BackingImage, BackingImageDataSource, CopySpec, CopyState, CopyStatus, DataEngine, DiskSpec,
    DiskStatus, DiskType, FINALIZER, Node, Setting,
};
use kube::api::PostParams;
use kube::{Api, Client};

use super::format::{Finalizers, ImageAtStart, Recording, SourceAtStart};
use crate::cluster::create_with_status;

/// Bytes of every disk; ample.
const DISK_BYTES: i64 = 100 << 30;

/// The settings that exist, with the values Longhorn gives them.
const SETTINGS: [(&str, &str); 6] = [
    ("concurrent-backing-image-replenish-per-node-limit", "5"),
    ("backing-image-cleanup-wait-interval", "60"),
    ("backing-image-recovery-wait-interval", "300"),
    ("allow-empty-node-selector-volume", "true"),
    ("allow-empty-disk-selector-volume", "true"),
    ("node-drain-policy", "block-if-contains-last-replica"),
];

/// Creates everything that exists before the first process starts.
pub(super) async fn create(
    recording: &Recording,
    client: &Client,
    namespace: &str,
) -> Result<(), kube::Error> {
    let settings: Api<Setting> = Api::namespaced(client.clone(), namespace);
    for (name, value) in SETTINGS {
        let mut setting = Setting::named(name);
        setting.value = value.to_owned();
        settings.create(&PostParams::default(), &setting).await?;
    }
    let nodes = nodes(recording);
    for node in nodes.values() {
        create_with_status(client, namespace, node).await?;
    }
    for (name, image) in &recording.backing_images {
        if let Some(disk) = &image.data_source_disk {
            let source = &image.data_source;
            let mut object = data_source(name, source, disk, nodes.values(), recording.finalizers);
            object.spec.uuid = image_uuid(name);
            if let Some(url) = &image.url {
                object.spec.parameters = parameters(url);
            }
            create_with_status(client, namespace, &object).await?;
        }
        create_with_status(client, namespace, &existing_image(name, image)).await?;
    }
    Ok(())
}

fn nodes(recording: &Recording) -> BTreeMap<String, Node> {
    let mut nodes = BTreeMap::new();
    for (name, disks) in &recording.nodes {
        let mut node = Node::named(name);
        node.metadata.finalizers = Some(vec![FINALIZER.to_owned()]);
        node.spec.name.clone_from(name);
        node.spec.allow_scheduling = true;
        let is_ready = recording.node_ready.get(name) != Some(&false);
        node.status.conditions = vec![node_condition(is_ready), condition("Schedulable", true, "")];
        for (disk_name, disk) in disks {
            let mut spec = disk_spec(disk_name);
            spec.eviction_requested = disk.eviction_requested;
            spec.allow_scheduling = !disk.eviction_requested;
            node.spec.disks.insert(disk_name.clone(), spec);
            let status = disk_status(disk_name, &disk.disk_uuid, disk.ready);
            node.status.disk_status.insert(disk_name.clone(), status);
        }
        nodes.insert(name.clone(), node);
    }
    nodes
}

/// A node's condition `Ready`.
pub(super) fn node_condition(ready: bool) -> fixname_longhorn::Condition {
    let reason = if ready { "" } else { "KubernetesNodeNotReady" };
    condition("Ready", ready, reason)
}

/// A disk's conditions.
pub(super) fn disk_conditions(ready: bool) -> Vec<fixname_longhorn::Condition> {
    let reason = |reason| if ready { "" } else { reason };
    vec![
        condition("Ready", ready, reason("NoDiskInfo")),
        condition("Schedulable", ready, reason("DiskNotReady")),
    ]
}

/// What the administrator wants of a disk of that name.
pub(super) fn disk_spec(name: &str) -> DiskSpec {
    DiskSpec {
        disk_type: DiskType::Filesystem,
        path: format!("/var/lib/{name}"),
        allow_scheduling: true,
        ..DiskSpec::default()
    }
}

/// What is found on a disk of that name.
pub(super) fn disk_status(name: &str, uuid: &str, ready: bool) -> DiskStatus {
    DiskStatus {
        disk_uuid: uuid.to_owned(),
        disk_name: name.to_owned(),
        disk_path: format!("/var/lib/{name}"),
        disk_type: DiskType::Filesystem,
        conditions: disk_conditions(ready),
        storage_available: DISK_BYTES,
        storage_maximum: DISK_BYTES,
        ..DiskStatus::default()
    }
}

/// The entry of a wanted copy of the v1 engine.
pub(super) fn copy_spec() -> CopySpec {
    CopySpec {
        data_engine: DataEngine::V1,
        ..CopySpec::default()
    }
}

fn image_uuid(name: &str) -> String {
    format!("uuid-of-{name}")
}

fn parameters(url: &str) -> BTreeMap<String, String> {
    BTreeMap::from([("url".to_owned(), url.to_owned())])
}

/// An image without a status.
pub(super) fn image(name: &str, disks: &[String], minimum: i64) -> BackingImage {
    let mut object = BackingImage::named(name);
    object.metadata.finalizers = Some(vec![FINALIZER.to_owned()]);
    object.spec.source_type = "download".to_owned();
    object.spec.source_parameters = parameters(&format!("http://images.example.com/{name}.img"));
    object.spec.data_engine = DataEngine::V1;
    object.spec.min_number_of_copies = minimum;
    let wanted = disks.iter().map(|uuid| (uuid.clone(), copy_spec()));
    object.spec.disk_file_spec_map = Some(wanted.collect());
    object
}

fn existing_image(name: &str, image: &ImageAtStart) -> BackingImage {
    let disks = &image.disk_file_spec_map;
    let mut object = self::image(name, disks, image.min_number_of_copies);
    if let Some(url) = &image.url {
        object.spec.source_parameters = parameters(url);
    }
    let wanted = object.spec.disk_file_spec_map.get_or_insert_default();
    for uuid in &image.v2_disks {
        wanted.entry(uuid.clone()).or_default().data_engine = DataEngine::V2;
    }
    object.status.uuid = image_uuid(name);
    object.status.owner_id.clone_from(&image.owner_id);
    object.status.size = 1;
    object.status.virtual_size = 1;
    object.status.real_size = 1;
    let copies = image.initial_status.iter().map(|(uuid, state)| {
        let copy = CopyStatus {
            state: CopyState::from(state.as_str()),
            data_engine: DataEngine::V1,
            ..CopyStatus::default()
        };
        (uuid.clone(), copy)
    });
    object.status.disk_file_status_map = Some(copies.collect());
    object
}

/// The data source of an image, on a disk found by its UUID.
pub(super) fn data_source<'a>(
    name: &str,
    source: &SourceAtStart,
    disk: &str,
    nodes: impl IntoIterator<Item = &'a Node>,
    finalizers: Finalizers,
) -> BackingImageDataSource {
    let mut object = BackingImageDataSource::named(name);
    if finalizers != Finalizers::None {
        object.metadata.finalizers = Some(vec![FINALIZER.to_owned()]);
    }
    disk.clone_into(&mut object.spec.disk_uuid);
    let found = nodes.into_iter().find_map(|node| {
        let disk = node.disks().find(|d| d.status.disk_uuid == disk)?;
        Some((node.name().to_owned(), disk.status.disk_path.clone()))
    });
    (object.spec.node_id, object.spec.disk_path) = found.unwrap_or_default();
    object.spec.source_type = "download".to_owned();
    object.spec.parameters = parameters(&format!("http://images.example.com/{name}.img"));
    object.spec.file_transferred = source.file_transferred;
    object.status.current_state = CopyState::from(source.state.as_str());
    object.status.size = 1;
    object
}
