//! What a cluster looks like at the end of a step, in the words of recordings.

use std::collections::BTreeMap;

use fixname_longhorn::{BackingImage, BackingImageDataSource, BackingImageManager};
use kube::api::ListParams;
use kube::{Api, Client};

use super::format::{ImageState, ManagerState, SourceState, WantedDisk};

/// Managers, images and data sources.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct State {
    pub(super) managers: BTreeMap<String, ManagerState>,
    pub(super) images: BTreeMap<String, ImageState>,
    pub(super) sources: Option<BTreeMap<String, SourceState>>,
}

impl State {
    /// Asks the API server, not a cache.
    pub(super) async fn of(client: &Client, namespace: &str) -> Result<Self, kube::Error> {
        let all = ListParams::default();
        let managers: Api<BackingImageManager> = Api::namespaced(client.clone(), namespace);
        let images: Api<BackingImage> = Api::namespaced(client.clone(), namespace);
        let sources: Api<BackingImageDataSource> = Api::namespaced(client.clone(), namespace);
        let managers = managers.list(&all).await?.items.into_iter();
        let images = images.list(&all).await?.items.into_iter();
        let sources = sources.list(&all).await?.items.into_iter();
        Ok(Self {
            managers: managers
                .map(|m| (m.name().to_owned(), manager(m)))
                .collect(),
            images: images.map(|i| (i.name().to_owned(), image(i))).collect(),
            sources: Some(sources.map(|s| (s.name().to_owned(), source(s))).collect()),
        })
    }
}

fn manager(manager: BackingImageManager) -> ManagerState {
    let files = manager.status.backing_image_file_map;
    ManagerState {
        name: manager.metadata.name.clone().unwrap_or_default(),
        deleting: Some(manager.metadata.deletion_timestamp.is_some()),
        labels: Some(manager.metadata.labels.unwrap_or_default()),
        finalizers: Some(manager.metadata.finalizers.unwrap_or_default()),
        image: Some(manager.spec.image),
        node_id: Some(manager.spec.node_id),
        disk_uuid: Some(manager.spec.disk_uuid),
        backing_images: Some(manager.spec.backing_images),
        current_state: Some(manager.status.current_state.into()),
        files: Some(
            files
                .into_iter()
                .map(|(image, file)| (image, file.state.into()))
                .collect(),
        ),
    }
}

fn image(image: BackingImage) -> ImageState {
    let copies = image.status.disk_file_status_map.unwrap_or_default();
    let wanted = image.spec.disk_file_spec_map.unwrap_or_default();
    ImageState {
        spec_disks: Some(
            wanted
                .into_iter()
                .map(|(disk_uuid, copy)| WantedDisk {
                    disk_uuid,
                    eviction_requested: Some(copy.eviction_requested),
                    data_engine: Some(copy.data_engine.into()),
                })
                .collect(),
        ),
        status_messages: Some(
            copies
                .iter()
                .filter(|(_, copy)| !copy.message.is_empty())
                .map(|(uuid, copy)| (uuid.clone(), copy.message.clone()))
                .collect(),
        ),
        status: Some(
            copies
                .into_iter()
                .map(|(uuid, copy)| (uuid, copy.state.into()))
                .collect(),
        ),
        last_ref: Some(
            image
                .status
                .disk_last_ref_at_map
                .unwrap_or_default()
                .into_keys()
                .collect(),
        ),
        uuid: Some(image.status.uuid),
        deleting: Some(image.metadata.deletion_timestamp.is_some()),
        finalizers: Some(image.metadata.finalizers.unwrap_or_default()),
    }
}

fn source(source: BackingImageDataSource) -> SourceState {
    SourceState {
        deleting: Some(source.metadata.deletion_timestamp.is_some()),
        state: Some(source.status.current_state.into()),
        file_transferred: Some(source.spec.file_transferred),
        node: Some(source.spec.node_id),
        disk: Some(source.spec.disk_uuid),
    }
}
