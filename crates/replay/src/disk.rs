//! What a step does to disks: to their configuration, and to the nodes that they
//! are on.

use fixname_controllers::driver::SharedMachines;
use fixname_controllers::machines::{DISK_BYTES, DiskConfig, Folder};
use fixname_longhorn::Node;
use kube::api::{Patch, PatchParams};
use kube::{Api, Client};
use serde_json::json;

use crate::cluster::{disk_directory, filesystem};
use crate::scenario::{Cluster, Config, DiskPath, NewDisk};

/// Puts a disk into its node's spec. What lies at its path already stays; else the
/// configuration has the UUID that the scenario gives the disk, or there is none.
pub(crate) async fn add(
    client: &Client,
    namespace: &str,
    machines: &SharedMachines,
    cluster: &Cluster,
    new: &NewDisk,
) -> Result<(), String> {
    let DiskPath { node, disk } = &new.disk;
    let path = disk_directory(&new.disk);
    let filesystem = filesystem(&new.disk);
    let folder = match cluster.disks.get(&new.disk) {
        Some(uuid) => Folder::of_disk(disk, uuid, &filesystem, DISK_BYTES),
        None => Folder::blank(&filesystem, DISK_BYTES),
    };
    machines.with(|machines| {
        if machines.folder(node, &path).is_none() {
            machines.mount(node, &path, folder);
        }
    });
    let spec = json!({
        "diskType": if new.block { "block" } else { "filesystem" },
        "path": path,
        "allowScheduling": new.scheduling,
        "evictionRequested": false,
        "storageReserved": 0,
        "tags": [],
    });
    let patch = json!({"spec": {"disks": {disk: spec}}});
    let api: Api<Node> = Api::namespaced(client.clone(), namespace);
    let (params, patch) = (PatchParams::default(), Patch::Merge(&patch));
    let done = api.patch(node, &params, &patch).await.map(drop);
    done.map_err(|e| format!("add disk {}: {e}", new.disk))
}

/// Writes a disk's `longhorn-disk.cfg` by hand, or removes it.
///
/// # Errors
///
/// That there is nothing at the disk's path.
pub(crate) fn configure(machines: &SharedMachines, config: &Config) -> Result<(), String> {
    let DiskPath { node, disk } = &config.disk;
    machines.with(|machines| {
        let folder = machines.folder_mut(node, &disk_directory(&config.disk));
        let folder = folder.ok_or_else(|| format!("there is no disk {}", config.disk))?;
        match &config.uuid {
            Some(uuid) => folder.write(&DiskConfig {
                name: disk.clone(),
                uuid: uuid.clone(),
                ..DiskConfig::default()
            }),
            None => folder.config = None,
        }
        Ok(())
    })
}
