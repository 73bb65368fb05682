//! The inventory made searchable: disks by prefix and by UUID, managers by name
//! and by label, images by the disks they want. Judges nothing.

use std::collections::{HashMap, HashSet};

use fixname_longhorn::{
    BackingImage, BackingImageManager, DataEngine, DiskType, Inventory, Kind, NAMESPACE,
};
use fixname_naming::{DiskUuid, ImageRef};

use crate::report::{FindingDisk, Role};

/// One disk with a UUID.
#[derive(Clone, Debug)]
pub(crate) struct Disk<'a> {
    pub(crate) namespace: &'a str,
    pub(crate) node: &'a str,
    pub(crate) name: &'a str,
    pub(crate) uuid: DiskUuid,
    /// Block disks never have managers.
    pub(crate) block: bool,
    /// Why Longhorn passes it over when it looks for the disk, if it does.
    pub(crate) not_ready: Option<&'static str>,
}

impl Disk<'_> {
    pub(crate) fn as_finding(&self, role: Role) -> FindingDisk {
        FindingDisk {
            node: self.node.to_owned(),
            name: self.name.to_owned(),
            disk_uuid: self.uuid.as_str().to_owned(),
            role,
        }
    }

    /// `node/disk`, or what of it is known.
    pub(crate) fn place(&self) -> String {
        match (self.node, self.name) {
            ("", "") => "an unknown disk".to_owned(),
            (node, "") => format!("a disk of {node}"),
            (node, name) => format!("{node}/{name}"),
        }
    }
}

/// What a key of this index is unique in.
type InNamespace<'a> = (&'a str, String);

pub(crate) struct Index<'a> {
    pub(crate) inventory: &'a Inventory,
    /// In the order of the input; one entry for each node, disk and UUID.
    pub(crate) disks: Vec<Disk<'a>>,
    by_uuid: HashMap<InNamespace<'a>, Vec<usize>>,
    managers_by_name: HashMap<InNamespace<'a>, &'a BackingImageManager>,
    /// Live ones only: a terminating one is passed over by Longhorn too.
    managers_by_label: HashMap<InNamespace<'a>, Vec<&'a BackingImageManager>>,
    wanted_by: HashMap<InNamespace<'a>, Vec<&'a BackingImage>>,
    /// `node/disk` of disks that have no UUID yet.
    without_uuid: Vec<String>,
    /// Set if the caller said which image is current; managers of other images
    /// are about to be deleted and serve nobody then.
    given_image: Option<&'a ImageRef>,
}

/// The namespace of an object; objects that were made by hand may lack it.
pub(crate) fn namespace_of(metadata: Option<&String>) -> &str {
    metadata.map_or(NAMESPACE, String::as_str)
}

macro_rules! namespace {
    ($object:expr) => {
        namespace_of($object.metadata.namespace.as_ref())
    };
}

/// The v1 copies that an image wants. Before v1.7.0 the disks are in
/// `spec.disks`, which later versions leave empty.
pub(crate) fn wanted(image: &BackingImage) -> Vec<&str> {
    if image.spec.data_engine == DataEngine::V2 {
        return Vec::new();
    }
    match &image.spec.disk_file_spec_map {
        Some(map) if !map.is_empty() => map
            .iter()
            .filter(|(_, copy)| copy.data_engine != DataEngine::V2)
            .map(|(uuid, _)| uuid.as_str())
            .collect(),
        _ => image.spec.disks.keys().map(String::as_str).collect(),
    }
}

impl<'a> Index<'a> {
    pub(crate) fn new(inventory: &'a Inventory, given_image: Option<&'a ImageRef>) -> Self {
        let mut index = Self {
            inventory,
            disks: Vec::new(),
            by_uuid: HashMap::new(),
            managers_by_name: HashMap::new(),
            managers_by_label: HashMap::new(),
            wanted_by: HashMap::new(),
            without_uuid: Vec::new(),
            given_image,
        };
        index.add_managers();
        index.add_images();
        if inventory.has_read(Kind::Node) {
            index.add_disks_of_nodes();
        } else {
            index.add_disks_of_others();
        }
        for (at, disk) in index.disks.iter().enumerate() {
            let key = (disk.namespace, disk.uuid.as_str().to_owned());
            index.by_uuid.entry(key).or_default().push(at);
        }
        index
    }

    fn add_managers(&mut self) {
        for manager in &self.inventory.managers {
            let namespace = namespace!(manager);
            self.managers_by_name
                .entry((namespace, manager.name().to_owned()))
                .or_insert(manager);
            if let Some(uuid) = manager.disk_label()
                && !manager.is_deleting()
            {
                self.managers_by_label
                    .entry((namespace, uuid.to_owned()))
                    .or_default()
                    .push(manager);
            }
        }
    }

    /// A deleting image does not ask for managers any more (Longhorn v1.9.1,
    /// `backing_image_controller.go:283-314`).
    fn add_images(&mut self) {
        for image in self
            .inventory
            .backing_images
            .iter()
            .filter(|i| !i.is_deleting())
        {
            for uuid in wanted(image) {
                self.wanted_by
                    .entry((namespace!(image), uuid.to_owned()))
                    .or_default()
                    .push(image);
            }
        }
    }

    fn add_disks_of_nodes(&mut self) {
        let mut seen = HashSet::new();
        for node in &self.inventory.nodes {
            let node_ready = condition_holds(&node.status.conditions);
            for disk in node.disks() {
                let Some(uuid) = disk.uuid() else {
                    self.without_uuid
                        .push(format!("{}/{}", disk.node, disk.name));
                    continue;
                };
                // An object without a name cannot be told from another one.
                if !disk.node.is_empty() && !seen.insert((disk.node, disk.name, uuid.clone())) {
                    continue;
                }
                let not_ready = if !node_ready {
                    Some("its node is not ready")
                } else if !condition_holds(&disk.status.conditions) {
                    Some("the disk is not ready")
                } else if disk.spec.is_none() && !node.spec.disks.is_empty() {
                    Some("the disk is not in its node's spec.disks")
                } else {
                    None
                };
                self.disks.push(Disk {
                    namespace: namespace!(node),
                    node: disk.node,
                    name: disk.name,
                    uuid,
                    block: disk.disk_type() == DiskType::Block,
                    not_ready,
                });
            }
        }
    }

    /// Without nodes, managers and images still name disks.
    fn add_disks_of_others(&mut self) {
        let mut seen = HashSet::new();
        let inventory = self.inventory;
        let of_managers = inventory.managers.iter().map(|manager| {
            let spec = &manager.spec;
            (
                namespace!(manager),
                spec.node_id.as_str(),
                spec.disk_uuid.as_str(),
            )
        });
        let of_images = inventory.backing_images.iter().flat_map(|image| {
            wanted(image)
                .into_iter()
                .map(move |uuid| (namespace!(image), "", uuid))
        });
        for (namespace, node, uuid) in of_managers.chain(of_images) {
            if !uuid.is_empty() && seen.insert((namespace, uuid)) {
                self.disks.push(Disk {
                    namespace,
                    node,
                    name: "",
                    uuid: DiskUuid::new(uuid),
                    block: false,
                    not_ready: None,
                });
            }
        }
    }

    pub(crate) fn disks_with(
        &self,
        namespace: &'a str,
        uuid: &str,
    ) -> impl Iterator<Item = &Disk<'a>> {
        let found = self.by_uuid.get(&(namespace, uuid.to_owned()));
        found.into_iter().flatten().map(|at| &self.disks[*at])
    }

    pub(crate) fn manager_named(
        &self,
        namespace: &'a str,
        name: &str,
    ) -> Option<&'a BackingImageManager> {
        self.managers_by_name
            .get(&(namespace, name.to_owned()))
            .copied()
    }

    /// The live managers that Longhorn finds for a disk.
    pub(crate) fn managers_for(
        &self,
        namespace: &'a str,
        uuid: &str,
    ) -> impl Iterator<Item = &'a BackingImageManager> {
        let found = self.managers_by_label.get(&(namespace, uuid.to_owned()));
        let found = found.map(Vec::as_slice).unwrap_or_default();
        found.iter().copied().filter(|manager| {
            let given = self.given_image;
            given.is_none_or(|image| manager.spec.image == image.as_str())
        })
    }

    pub(crate) fn images_wanting(&self, namespace: &'a str, uuid: &str) -> &[&'a BackingImage] {
        let found = self.wanted_by.get(&(namespace, uuid.to_owned()));
        found.map(Vec::as_slice).unwrap_or_default()
    }

    /// A note for the coverage about disks that could not be judged.
    pub(crate) fn disks_without_uuid(&self) -> Option<String> {
        const SHOWN: usize = 5;
        let shown = self
            .without_uuid
            .iter()
            .take(SHOWN)
            .cloned()
            .collect::<Vec<_>>();
        match self.without_uuid.len() {
            0 => None,
            1 => Some(format!(
                "1 disk has no UUID yet and was not judged: {}",
                shown[0]
            )),
            n => Some(format!(
                "{n} disks have no UUID yet and were not judged: {}{}",
                shown.join(", "),
                if n > SHOWN { ", …" } else { "" }
            )),
        }
    }
}

/// Longhorn asks for `True`; objects that were made by hand have no conditions
/// at all, and are taken for ready.
fn condition_holds(conditions: &[fixname_longhorn::Condition]) -> bool {
    let ready = conditions.iter().find(|c| c.type_ == "Ready");
    ready.is_none_or(|c| c.status == "True")
}
