//! A scenario's cluster as objects: nodes with ready disks, backing images, data
//! sources, settings; and their way into an API server.

use std::collections::BTreeMap;
use std::fmt::Debug;

use fixname_controllers::machines::{
    DISK_BYTES, DOWNLOAD, Download, IMAGE_BYTES, Machines, file_name,
};
use fixname_controllers::replica::put_labels;
use fixname_longhorn::objects::{ReplicaSpec, condition};
use fixname_longhorn::{
    BackingImage, BackingImageDataSource, CopySpec, CopyState, CopyStatus, DataEngine, DiskSpec,
    DiskStatus, DiskType, FINALIZER, Node, Replica, Setting, Volume,
};
use jiff::SignedDuration;
use kube::api::PostParams;
use kube::{Api, Client, Resource};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::scenario::{self, Cluster, DiskPath, Image};

/// Bytes of every volume.
const VOLUME_BYTES: i64 = 1 << 30;

/// The objects of a cluster.
#[derive(Clone, Debug, Default)]
pub struct Objects {
    nodes: Vec<Node>,
    images: Vec<BackingImage>,
    sources: Vec<BackingImageDataSource>,
    settings: Vec<Setting>,
    volumes: Vec<Volume>,
    replicas: Vec<Replica>,
}

/// Builds the objects of a scenario's cluster. Disks that the scenario's check
/// did not find are left out.
pub fn objects(cluster: &Cluster) -> Objects {
    let mut nodes: BTreeMap<&str, Node> = BTreeMap::new();
    for (path, uuid) in &cluster.disks {
        let node = nodes.entry(&path.node).or_insert_with(|| node(&path.node));
        if cluster.later.contains(path) {
            continue;
        }
        let disk_type = match cluster.block.contains(path) {
            true => DiskType::Block,
            false => DiskType::Filesystem,
        };
        let disk = DiskSpec {
            disk_type: disk_type.clone(),
            path: disk_directory(path),
            allow_scheduling: true,
            ..DiskSpec::default()
        };
        node.spec.disks.insert(path.disk.clone(), disk);
        let status = DiskStatus {
            disk_uuid: uuid.clone(),
            disk_name: path.disk.clone(),
            disk_path: disk_directory(path),
            disk_type,
            conditions: vec![
                condition("Ready", true, ""),
                condition("Schedulable", true, ""),
            ],
            storage_available: DISK_BYTES,
            storage_maximum: DISK_BYTES,
            ..DiskStatus::default()
        };
        node.status.disk_status.insert(path.disk.clone(), status);
    }
    let mut settings = BTreeMap::from([
        ("concurrent-backing-image-replenish-per-node-limit", "5"),
        ("backing-image-cleanup-wait-interval", "60"),
        ("backing-image-recovery-wait-interval", "300"),
        ("allow-empty-node-selector-volume", "true"),
        ("allow-empty-disk-selector-volume", "true"),
    ]);
    let given = cluster.settings.iter();
    settings.extend(given.map(|(name, value)| (name.as_str(), value.as_str())));
    Objects {
        nodes: nodes.into_values().collect(),
        images: cluster
            .images
            .iter()
            .map(|(name, image)| backing_image(cluster, name, image))
            .collect(),
        sources: cluster
            .images
            .iter()
            .map(|(name, image)| data_source(cluster, name, image))
            .collect(),
        settings: settings
            .into_iter()
            .map(|(name, value)| Setting {
                value: value.to_owned(),
                ..Setting::named(name)
            })
            .collect(),
        volumes: cluster
            .volumes
            .iter()
            .map(|(name, given)| volume(name, given))
            .collect(),
        replicas: cluster
            .volumes
            .iter()
            .flat_map(|(name, given)| {
                let places = given.on.iter().enumerate();
                places.filter_map(move |(index, path)| {
                    let uuid = cluster.disks.get(path)?;
                    Some(replica(
                        &format!("{name}-r-{index:08x}"),
                        name,
                        &given.image,
                        path,
                        uuid,
                    ))
                })
            })
            .collect(),
    }
}

pub(crate) fn disk_directory(path: &DiskPath) -> String {
    format!("/var/lib/{}", path.disk)
}

/// What the file system of a disk calls itself.
pub(crate) fn filesystem(path: &DiskPath) -> String {
    format!("filesystem-of-{}-{}", path.node, path.disk)
}

fn volume(name: &str, given: &scenario::Volume) -> Volume {
    let mut volume = Volume::named(name);
    volume.metadata.finalizers = Some(vec![FINALIZER.to_owned()]);
    volume.spec.size = VOLUME_BYTES.to_string();
    volume.spec.number_of_replicas = given.replicas;
    volume.spec.backing_image.clone_from(&given.image);
    volume.spec.node_id = given.node.clone().unwrap_or_default();
    volume.spec.data_engine = DataEngine::V1;
    volume
}

/// A stopped replica of a volume, on a disk.
fn replica(name: &str, volume: &str, image: &str, path: &DiskPath, uuid: &str) -> Replica {
    let mut replica = Replica::named(name);
    replica.metadata.finalizers = Some(vec![FINALIZER.to_owned()]);
    replica.spec = replica_spec(volume, image, path, uuid);
    put_labels(&mut replica);
    replica
}

/// The spec of a stopped replica of a volume, on a disk.
pub(crate) fn replica_spec(volume: &str, image: &str, path: &DiskPath, uuid: &str) -> ReplicaSpec {
    ReplicaSpec {
        volume_name: volume.to_owned(),
        volume_size: VOLUME_BYTES.to_string(),
        backing_image: image.to_owned(),
        node_id: path.node.clone(),
        disk_id: uuid.to_owned(),
        disk_path: disk_directory(path),
        data_directory_name: format!("data-of-{volume}"),
        desire_state: "stopped".to_owned(),
        data_engine: DataEngine::V1,
        ..ReplicaSpec::default()
    }
}

fn node(name: &str) -> Node {
    let mut node = Node::named(name);
    node.metadata.finalizers = Some(vec![FINALIZER.to_owned()]);
    node.spec.name = name.to_owned();
    node.spec.allow_scheduling = true;
    node.status.conditions = vec![
        condition("Ready", true, ""),
        condition("Schedulable", true, ""),
    ];
    node
}

/// The entry of a wanted copy.
pub fn copy_spec() -> CopySpec {
    CopySpec {
        data_engine: DataEngine::V1,
        ..CopySpec::default()
    }
}

fn backing_image(cluster: &Cluster, name: &str, image: &Image) -> BackingImage {
    let uuid_of = |path: &DiskPath| cluster.disks.get(path).cloned();
    let mut object = BackingImage::named(name);
    object.metadata.finalizers = Some(vec![FINALIZER.to_owned()]);
    object.spec.source_type = "download".to_owned();
    object.spec.source_parameters = source_parameters(name);
    object.spec.data_engine = DataEngine::V1;
    object.spec.min_number_of_copies = image.minimum;
    let wanted = image.copies.iter().filter_map(uuid_of);
    object.spec.disk_file_spec_map = Some(wanted.map(|uuid| (uuid, copy_spec())).collect());
    object.status.uuid = image_uuid(name);
    if image.download.is_none() {
        object.status.size = IMAGE_BYTES;
        object.status.virtual_size = IMAGE_BYTES;
        object.status.real_size = IMAGE_BYTES;
        let ready = CopyStatus {
            state: CopyState::Ready,
            progress: 100,
            data_engine: DataEngine::V1,
            ..CopyStatus::default()
        };
        let first = uuid_of(&image.source).map(|uuid| (uuid, ready));
        object.status.disk_file_status_map = Some(first.into_iter().collect());
    }
    object
}

/// The `status.uuid` of an image made by a scenario.
fn image_uuid(name: &str) -> String {
    format!("uuid-of-{name}")
}

fn source_parameters(name: &str) -> BTreeMap<String, String> {
    // Never fetched: the model's machines only pretend.
    let url = format!("http://images.example.com/{name}.qcow2");
    BTreeMap::from([("url".to_owned(), url)])
}

fn data_source(cluster: &Cluster, name: &str, image: &Image) -> BackingImageDataSource {
    let mut source = BackingImageDataSource::named(name);
    source.metadata.finalizers = Some(vec![FINALIZER.to_owned()]);
    source.spec.node_id = image.source.node.clone();
    source.spec.disk_uuid = cluster
        .disks
        .get(&image.source)
        .cloned()
        .unwrap_or_default();
    source.spec.disk_path = disk_directory(&image.source);
    source.spec.uuid = image_uuid(name);
    source.spec.source_type = "download".to_owned();
    source.spec.parameters = source_parameters(name);
    source.spec.file_transferred = image.download.is_none();
    if image.download.is_none() {
        source.status.current_state = CopyState::Ready;
        source.status.progress = 100;
    }
    source
}

impl Objects {
    /// Creates all objects in a namespace, with their status, and answers with the
    /// nodes. Settings that are there keep their value, and nodes that are there are
    /// taken as they are, if their disks are those of the scenario.
    ///
    /// # Errors
    ///
    /// What the API server refused, or a disk that is another one.
    pub async fn create(
        &self,
        client: &Client,
        namespace: &str,
    ) -> Result<Vec<Node>, ClusterError> {
        let settings: Api<Setting> = Api::namespaced(client.clone(), namespace);
        for setting in &self.settings {
            match settings.create(&PostParams::default(), setting).await {
                Err(kube::Error::Api(status)) if status.reason == "AlreadyExists" => {}
                created => drop(created?),
            }
        }
        let nodes: Api<Node> = Api::namespaced(client.clone(), namespace);
        let mut found = Vec::new();
        for node in &self.nodes {
            match nodes.get_opt(node.name()).await? {
                Some(there) => {
                    check_disks(node, &there)?;
                    found.push(there);
                }
                None => {
                    create_with_status(client, namespace, node).await?;
                    found.push(node.clone());
                }
            }
        }
        for source in &self.sources {
            create_with_status(client, namespace, source).await?;
        }
        for image in &self.images {
            create_with_status(client, namespace, image).await?;
        }
        let volumes: Api<Volume> = Api::namespaced(client.clone(), namespace);
        for volume in &self.volumes {
            volumes.create(&PostParams::default(), volume).await?;
        }
        let replicas: Api<Replica> = Api::namespaced(client.clone(), namespace);
        for replica in &self.replicas {
            replicas.create(&PostParams::default(), replica).await?;
        }
        Ok(found)
    }
}

/// Puts on the machines what a scenario's cluster has there: the disks of its nodes,
/// the first copies of images, and the downloads of those that have none yet.
pub fn furnish(machines: &mut Machines, cluster: &Cluster, nodes: &[Node]) {
    nodes.iter().for_each(|node| machines.provide(node));
    // Images that a step makes.
    machines.offer_all(DOWNLOAD);
    for (name, image) in &cluster.images {
        let seconds = image.download.unwrap_or_default();
        let download = Download::made_up(name, SignedDuration::from_secs(seconds.into()));
        let DiskPath { node, disk } = &image.source;
        let disks = nodes.iter().filter(|n| n.name() == node);
        let path = disks.filter_map(|n| n.spec.disks.get(disk)).next();
        if image.download.is_none()
            && let Some(folder) = path.and_then(|disk| machines.folder_mut(node, &disk.path))
        {
            let file = file_name(name, &image_uuid(name));
            folder.files.insert(file, download.file.clone());
        }
        machines.offer(name, download);
    }
}

/// A cluster could not be made.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// The API server refused a request.
    #[error("{0}")]
    Refused(#[from] kube::Error),
    /// A node is there whose disk is not the scenario's.
    #[error("node {node} is there, and the UUID of its disk {disk} is {found:?}, not {wanted}")]
    OtherDisk {
        /// The node.
        node: String,
        /// The disk's name on it.
        disk: String,
        /// The UUID in its status; empty if it has no such disk.
        found: String,
        /// The scenario's.
        wanted: String,
    },
}

fn check_disks(wanted: &Node, there: &Node) -> Result<(), ClusterError> {
    for (disk, status) in &wanted.status.disk_status {
        let found = there.status.disk_status.get(disk);
        let found = found.map_or("", |found| found.disk_uuid.as_str());
        if found != status.disk_uuid {
            return Err(ClusterError::OtherDisk {
                node: wanted.name().to_owned(),
                disk: disk.clone(),
                found: found.to_owned(),
                wanted: status.disk_uuid.clone(),
            });
        }
    }
    Ok(())
}

/// A status sent with a creation is dropped by the server, so it follows in a
/// request of its own.
pub(crate) async fn create_with_status<T>(
    client: &Client,
    namespace: &str,
    object: &T,
) -> Result<(), kube::Error>
where
    T: Resource<DynamicType = (), Scope = kube::core::NamespaceResourceScope>
        + Clone
        + Debug
        + Serialize
        + DeserializeOwned,
{
    let api: Api<T> = Api::namespaced(client.clone(), namespace);
    let created = api.create(&PostParams::default(), object).await?;
    let mut with_status = object.clone();
    *with_status.meta_mut() = created.meta().clone();
    let name = with_status.meta().name.clone().unwrap_or_default();
    api.replace_status(&name, &PostParams::default(), &with_status)
        .await?;
    Ok(())
}
