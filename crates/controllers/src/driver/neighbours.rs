//! The controllers around backing images: what they work on, and which objects a
//! change concerns.

use super::caches::Seen;
use crate::parts::{Part, Parts};
use crate::view::View;

/// A kind of object that is reconciled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Of {
    Node,
    Manager,
    Source,
    Replica,
    Volume,
}

impl Of {
    pub(super) const ALL: [Self; 5] = [
        Self::Node,
        Self::Manager,
        Self::Source,
        Self::Replica,
        Self::Volume,
    ];

    /// As the real log lines name it.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Node => "node",
            Self::Manager => "backing image manager",
            Self::Source => "backing image data source",
            Self::Replica => "replica",
            Self::Volume => "volume",
        }
    }

    /// The parts of the model that its reconcile plays.
    fn parts(self) -> &'static [Part] {
        match self {
            Self::Node => &[Part::Node],
            Self::Manager => &[Part::BackingImageManager, Part::ManagerPods],
            Self::Source => &[Part::DataSource],
            Self::Replica => &[Part::Replica],
            Self::Volume => &[Part::Volume, Part::Scheduler],
        }
    }

    pub(super) fn runs(self, parts: Parts) -> bool {
        parts.has_any(self.parts())
    }

    pub(super) fn key(self, name: &str) -> String {
        format!("{}/{name}", self.word())
    }

    pub(super) fn parse(key: &str) -> Option<(Self, &str)> {
        let (word, name) = key.split_once('/')?;
        let of = Self::ALL.into_iter().find(|of| of.word() == word)?;
        Some((of, name))
    }
}

/// The objects that a change concerns, as the caches show it now.
pub(super) fn concerned(seen: &Seen, view: &View) -> Vec<(Of, String)> {
    let mut keys: Vec<(Of, String)> = Vec::new();
    match seen {
        Seen::Node(old, new) => {
            let Some(node) = new.as_ref().or(old.as_ref()) else {
                return keys;
            };
            let name = node.name();
            let on_node = |node: &str| node == name;
            keys.push((Of::Node, name.to_owned()));
            let managers = view.managers.values();
            let managers = managers.filter(|m| on_node(&m.spec.node_id));
            keys.extend(managers.map(|m| (Of::Manager, m.name().to_owned())));
            let sources = view.data_sources.values();
            let sources = sources.filter(|s| on_node(&s.spec.node_id));
            keys.extend(sources.map(|s| (Of::Source, s.name().to_owned())));
            let replicas = view.replicas.values();
            let replicas = replicas.filter(|r| on_node(&r.spec.node_id));
            keys.extend(replicas.map(|r| (Of::Replica, r.name().to_owned())));
            keys.extend(view.volumes.keys().map(|v| (Of::Volume, v.clone())));
        }
        Seen::Image(old, new) => {
            let Some(image) = new.as_ref().or(old.as_ref()) else {
                return keys;
            };
            keys.extend(managers_listing(view, image.name()));
            keys.push((Of::Source, image.name().to_owned()));
            // Only replicas on disks that the status has are woken.
            let copies = image.status.disk_file_status_map.as_ref();
            let replicas = view.replicas.values().filter(|replica| {
                replica.spec.backing_image == image.name()
                    && copies.is_some_and(|map| map.contains_key(&replica.spec.disk_id))
            });
            keys.extend(replicas.map(|r| (Of::Replica, r.name().to_owned())));
        }
        Seen::Manager(old, new) => {
            let manager = new.as_ref().or(old.as_ref());
            keys.extend(manager.map(|m| (Of::Manager, m.name().to_owned())));
        }
        Seen::DataSource(old, new) => {
            let Some(source) = new.as_ref().or(old.as_ref()) else {
                return keys;
            };
            keys.push((Of::Source, source.name().to_owned()));
            keys.extend(managers_listing(view, source.name()));
        }
        Seen::Replica(old, new) => {
            let Some(replica) = new.as_ref().or(old.as_ref()) else {
                return keys;
            };
            keys.push((Of::Replica, replica.name().to_owned()));
            keys.push((Of::Volume, replica.spec.volume_name.clone()));
            if old.is_none() || new.is_none() {
                keys.push((Of::Node, replica.spec.node_id.clone()));
            }
        }
        Seen::Volume(old, new) => {
            let volume = new.as_ref().or(old.as_ref());
            keys.extend(volume.map(|v| (Of::Volume, v.name().to_owned())));
        }
        Seen::Setting(..) => {}
    }
    keys
}

/// All objects: what a resync queues.
pub(super) fn all(view: &View) -> Vec<(Of, String)> {
    let names = |of: Of| -> Vec<String> {
        match of {
            Of::Node => view.nodes.keys().cloned().collect(),
            Of::Manager => view.managers.keys().cloned().collect(),
            Of::Source => view.data_sources.keys().cloned().collect(),
            Of::Replica => view.replicas.keys().cloned().collect(),
            Of::Volume => view.volumes.keys().cloned().collect(),
        }
    };
    let of_kind = |of| names(of).into_iter().map(move |name| (of, name));
    Of::ALL.into_iter().flat_map(of_kind).collect()
}

fn managers_listing(view: &View, image: &str) -> Vec<(Of, String)> {
    let managers = view.managers.values().filter(|m| {
        m.spec.backing_images.contains_key(image)
            || m.status.backing_image_file_map.contains_key(image)
    });
    managers
        .map(|m| (Of::Manager, m.name().to_owned()))
        .collect()
}
