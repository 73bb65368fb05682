//! Carries out the operations of a recording: plain writes to the API server, made
//! by nobody's controller.

use std::time::Duration;

use fixname_controllers::driver::ModelClock;
use fixname_controllers::pods::Reports;
use fixname_longhorn::{
    BackingImage, BackingImageDataSource, BackingImageManager, CopyState, DataEngine,
    LABEL_DISK_UUID, Node, Replica, Setting,
};
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams};
use kube::core::NamespaceResourceScope;
use kube::{Api, Client, Resource};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use tokio::sync::watch;

use super::format::{DiskChoice, Finalizers, Operation, That};
use super::setup;
use crate::cluster::create_with_status;

/// An operation could not be carried out.
#[derive(Debug, thiserror::Error)]
pub(super) enum OperateError {
    #[error("{0}")]
    Refused(#[from] kube::Error),
    #[error("there is no {0}")]
    Missing(String),
}

/// Who carries out operations.
pub(super) struct Operator {
    pub(super) client: Client,
    pub(super) namespace: String,
    pub(super) finalizers: Finalizers,
    pub(super) reports: watch::Sender<Reports>,
    pub(super) clock: ModelClock,
    /// How long after one write of an operation the next one follows: a controller
    /// may be woken by the first, and be done before the second.
    pub(super) pause: Duration,
}

impl Operator {
    /// Carries out one. What concerns processes is not done here.
    pub(super) async fn carry_out(&self, operation: &Operation) -> Result<(), OperateError> {
        match operation {
            Operation::RemoveFromSpec {
                backing_image,
                disks,
            } => self.wish(backing_image, disks, &Value::Null).await,
            Operation::AddToSpec {
                backing_image,
                disks,
            } => {
                let entry = json!({"evictionRequested": false, "dataEngine": "v1"});
                self.wish(backing_image, disks, &entry).await
            }
            Operation::ChangeDiskUuid {
                disk,
                to,
                backing_images,
            } => self.change_uuid(disk, to, backing_images).await,
            Operation::SetDiskReady { node, disk, ready } => {
                let mut node = self.node(node).await?;
                let status = node.status.disk_status.get_mut(disk);
                let status = status.ok_or_else(|| OperateError::Missing(format!("disk {disk}")))?;
                status.conditions = setup::disk_conditions(*ready);
                self.replace_status(&node).await
            }
            Operation::SetNodeReady { node, ready } => {
                let mut node = self.node(node).await?;
                node.status.conditions.retain(|c| c.type_ != "Ready");
                node.status
                    .conditions
                    .insert(0, setup::node_condition(*ready));
                self.replace_status(&node).await
            }
            Operation::RemoveDisk { node, disk } => {
                let mut object = self.node(node).await?;
                object.spec.disks.shift_remove(disk);
                self.replace(&object).await?;
                self.between_writes().await;
                let mut object = self.node(node).await?;
                object.status.disk_status.shift_remove(disk);
                self.replace_status(&object).await
            }
            Operation::AddDisk {
                node,
                disk,
                disk_uuid,
            } => {
                let mut object = self.node(node).await?;
                object
                    .spec
                    .disks
                    .insert(disk.clone(), setup::disk_spec(disk));
                self.replace(&object).await?;
                self.between_writes().await;
                let mut object = self.node(node).await?;
                let status = setup::disk_status(disk, disk_uuid, true);
                object.status.disk_status.insert(disk.clone(), status);
                self.replace_status(&object).await
            }
            Operation::SetDiskAllowScheduling { node, disk, allow } => {
                self.allow_scheduling(node.as_deref(), disk, *allow).await
            }
            Operation::RequestDiskEviction { node, disk } => self.evict(node, disk, true).await,
            Operation::CancelDiskEviction { node, disk } => self.evict(node, disk, false).await,
            Operation::DeleteManager { of_disk } => {
                for manager in self.managers_of(of_disk).await? {
                    self.delete::<BackingImageManager>(manager.name()).await?;
                }
                Ok(())
            }
            Operation::StripManagerLabel { of_disk } => self.label(of_disk, &Value::Null).await,
            Operation::SetManagerDiskLabel { of_disk, to } => {
                self.label(of_disk, &Value::String(to.clone())).await
            }
            Operation::SetDataSource {
                backing_image,
                state,
                file_transferred,
            } => {
                self.set_data_source(backing_image, state, *file_transferred)
                    .await
            }
            Operation::SetFileState {
                of_disk,
                backing_image,
                state,
            } => {
                let state = if state == "none" { "" } else { state };
                for uuid in self.choose(of_disk).await? {
                    let state = CopyState::from(state);
                    self.reports.send_modify(|reports| {
                        reports.insert((uuid, backing_image.clone()), state);
                    });
                }
                Ok(())
            }
            Operation::CreateBackingImage {
                name,
                disk_file_spec_map,
                min_number_of_copies,
                data_source_disk,
                data_source,
            } => {
                if let Some(disk) = data_source_disk {
                    let nodes = self.api::<Node>().list(&ListParams::default()).await?.items;
                    let source =
                        setup::data_source(name, data_source, disk, &nodes, self.finalizers);
                    create_with_status(&self.client, &self.namespace, &source).await?;
                    self.between_writes().await;
                }
                let image = setup::image(name, disk_file_spec_map, *min_number_of_copies);
                self.api::<BackingImage>()
                    .create(&PostParams::default(), &image)
                    .await?;
                Ok(())
            }
            Operation::DeleteBackingImage { name } => {
                self.delete::<BackingImage>(name).await?;
                self.delete::<BackingImageDataSource>(name).await
            }
            Operation::SetSetting { name, value } => {
                self.patch::<Setting>(name, &json!({"value": value})).await
            }
            Operation::CreateReplica {
                name,
                backing_image,
                disk,
            } => self.create_replica(name, backing_image, disk).await,
            Operation::DeleteReplica { name } => self.delete::<Replica>(name).await,
            Operation::TouchBackingImage { name } => {
                let image = self.api::<BackingImage>().get(name).await?;
                let version = image.metadata.resource_version.unwrap_or_default();
                let patch = json!({"metadata": {"annotations": {"touched-at-version": version}}});
                self.patch::<BackingImage>(name, &patch).await
            }
            Operation::RestartController {} | Operation::StartSecondController { .. } => Ok(()),
        }
    }

    async fn choose(&self, choice: &DiskChoice) -> Result<Vec<String>, OperateError> {
        let (among, that, take_first, if_none) = match choice {
            DiskChoice::Uuids(uuids) => return Ok(uuids.clone()),
            DiskChoice::Among {
                among,
                that,
                take_first,
                if_none,
            } => (among, *that, *take_first, if_none),
        };
        let all = ListParams::default();
        let managers = self.api::<BackingImageManager>().list(&all).await?.items;
        let has_manager = |uuid: &String| {
            let mut live = managers.iter().filter(|m| !m.is_deleting());
            live.any(|m| m.spec.disk_uuid == *uuid)
        };
        let mut chosen: Vec<String> = among
            .iter()
            .filter(|uuid| has_manager(uuid) == (that == That::HaveAManager))
            .cloned()
            .collect();
        if chosen.is_empty() {
            chosen.extend(if_none.clone());
        }
        if take_first {
            chosen.truncate(1);
        }
        Ok(chosen)
    }

    /// One merge patch of an image's `diskFileSpecMap`; none if no disk is chosen.
    async fn wish(
        &self,
        image: &str,
        disks: &DiskChoice,
        entry: &Value,
    ) -> Result<(), OperateError> {
        let disks = self.choose(disks).await?;
        if disks.is_empty() {
            return Ok(());
        }
        let map: Map<String, Value> = disks.into_iter().map(|d| (d, entry.clone())).collect();
        let patch = json!({"spec": {"diskFileSpecMap": map}});
        self.patch::<BackingImage>(image, &patch).await
    }

    async fn change_uuid(
        &self,
        disk: &DiskChoice,
        to: &str,
        images: &[String],
    ) -> Result<(), OperateError> {
        for uuid in self.choose(disk).await? {
            let (mut node, name) = self.node_of(&uuid).await?;
            if let Some(status) = node.status.disk_status.get_mut(&name) {
                to.clone_into(&mut status.disk_uuid);
            }
            self.replace_status(&node).await?;
            for image in images {
                self.between_writes().await;
                let map = json!({uuid.as_str(): null, to: setup::copy_spec()});
                let patch = json!({"spec": {"diskFileSpecMap": map}});
                self.patch::<BackingImage>(image, &patch).await?;
            }
        }
        Ok(())
    }

    async fn allow_scheduling(
        &self,
        node: Option<&str>,
        disk: &DiskChoice,
        allow: bool,
    ) -> Result<(), OperateError> {
        for chosen in self.choose(disk).await? {
            let (mut node, name) = match node {
                Some(node) => (self.node(node).await?, chosen),
                None => self.node_of(&chosen).await?,
            };
            let spec = node.spec.disks.get_mut(&name);
            let spec = spec.ok_or_else(|| OperateError::Missing(format!("disk {name}")))?;
            spec.allow_scheduling = allow;
            self.replace(&node).await?;
        }
        Ok(())
    }

    async fn evict(&self, node: &str, disk: &str, evict: bool) -> Result<(), OperateError> {
        let mut node = self.node(node).await?;
        let spec = node.spec.disks.get_mut(disk);
        let spec = spec.ok_or_else(|| OperateError::Missing(format!("disk {disk}")))?;
        spec.allow_scheduling = !evict;
        spec.eviction_requested = evict;
        self.replace(&node).await
    }

    async fn managers_of(
        &self,
        disk: &DiskChoice,
    ) -> Result<Vec<BackingImageManager>, OperateError> {
        let disks = self.choose(disk).await?;
        let all = ListParams::default();
        let mut managers = self.api::<BackingImageManager>().list(&all).await?.items;
        managers.retain(|m| !m.is_deleting() && disks.contains(&m.spec.disk_uuid));
        Ok(managers)
    }

    async fn label(&self, of_disk: &DiskChoice, value: &Value) -> Result<(), OperateError> {
        for manager in self.managers_of(of_disk).await? {
            let patch = json!({"metadata": {"labels": {LABEL_DISK_UUID: value}}});
            self.patch::<BackingImageManager>(manager.name(), &patch)
                .await?;
        }
        Ok(())
    }

    async fn set_data_source(
        &self,
        name: &str,
        state: &str,
        file_transferred: Option<bool>,
    ) -> Result<(), OperateError> {
        if let Some(transferred) = file_transferred {
            let patch = json!({"spec": {"fileTransferred": transferred}});
            self.patch::<BackingImageDataSource>(name, &patch).await?;
            self.between_writes().await;
        }
        let mut source = self.api::<BackingImageDataSource>().get(name).await?;
        source.status.current_state = CopyState::from(state);
        source.status.progress = match state {
            "ready" | "ready-for-transfer" => 100,
            _ => 0,
        };
        self.replace_status(&source).await
    }

    async fn create_replica(
        &self,
        name: &str,
        image: &str,
        disk: &DiskChoice,
    ) -> Result<(), OperateError> {
        let Some(uuid) = self.choose(disk).await?.into_iter().next() else {
            return Ok(());
        };
        let (node, disk) = self.node_of(&uuid).await?;
        let volume = name.split("-r-").next().unwrap_or(name);
        let mut replica = Replica::named(name);
        let labels = [
            ("longhornvolume", volume),
            ("longhornnode", node.name()),
            ("longhorndiskuuid", &uuid),
            ("longhorn.io/backing-image", image),
        ];
        let labels = labels.map(|(key, value)| (key.to_owned(), value.to_owned()));
        replica.metadata.labels = Some(labels.into());
        replica.spec.volume_name = volume.to_owned();
        replica.spec.node_id = node.name().to_owned();
        replica.spec.disk_id.clone_from(&uuid);
        replica.spec.disk_path = format!("/var/lib/{disk}");
        replica.spec.backing_image = image.to_owned();
        replica.spec.desire_state = "running".to_owned();
        replica.spec.data_engine = DataEngine::V1;
        replica.status.current_state = "stopped".to_owned();
        create_with_status(&self.client, &self.namespace, &replica).await?;
        Ok(())
    }

    async fn node(&self, name: &str) -> Result<Node, OperateError> {
        Ok(self.api().get(name).await?)
    }

    /// The node that has a disk of that UUID, and the disk's name.
    async fn node_of(&self, uuid: &str) -> Result<(Node, String), OperateError> {
        let nodes = self.api::<Node>().list(&ListParams::default()).await?.items;
        let found = nodes.into_iter().find_map(|node| {
            let name = node.disks().find(|d| d.status.disk_uuid == uuid)?.name;
            let name = name.to_owned();
            Some((node, name))
        });
        found.ok_or_else(|| OperateError::Missing(format!("disk with UUID {uuid}")))
    }

    async fn between_writes(&self) {
        self.clock.sleep(self.pause).await;
    }

    fn api<T: Stored>(&self) -> Api<T> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    async fn patch<T: Stored>(&self, name: &str, patch: &Value) -> Result<(), OperateError> {
        let params = PatchParams::default();
        let (api, patch) = (self.api::<T>(), Patch::Merge(patch));
        api.patch(name, &params, &patch).await?;
        Ok(())
    }

    async fn replace<T: Stored>(&self, object: &T) -> Result<(), OperateError> {
        let name = object.meta().name.clone().unwrap_or_default();
        let params = PostParams::default();
        self.api::<T>().replace(&name, &params, object).await?;
        Ok(())
    }

    async fn replace_status<T: Stored>(&self, object: &T) -> Result<(), OperateError> {
        let name = object.meta().name.clone().unwrap_or_default();
        let params = PostParams::default();
        let api = self.api::<T>();
        api.replace_status(&name, &params, object).await?;
        Ok(())
    }

    /// What is gone already is as good as deleted.
    async fn delete<T: Stored>(&self, name: &str) -> Result<(), OperateError> {
        match self.api::<T>().delete(name, &DeleteParams::default()).await {
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
            other => Ok(other.map(drop)?),
        }
    }
}

/// An object that operations write.
trait Stored:
    Resource<DynamicType = (), Scope = NamespaceResourceScope>
    + Clone
    + std::fmt::Debug
    + serde::Serialize
    + DeserializeOwned
{
}
impl<T> Stored for T where
    T: Resource<DynamicType = (), Scope = NamespaceResourceScope>
        + Clone
        + std::fmt::Debug
        + serde::Serialize
        + DeserializeOwned
{
}
