//! Names in a recorded scenario: those of the cluster, if a scenario can have them, or
//! others that tell nothing of it.

use std::collections::BTreeMap;

use fixname_naming::is_dns_subdomain;
use indexmap::IndexMap;

use super::RecordError;
use super::found::{Found, Image, Stuck};
use super::volumes::{Volume, Waiting};
use crate::scenario::DiskPath;

/// Refuses names that no API server would take, and UUIDs that no label could be.
pub(super) fn check(found: &Found) -> Result<(), RecordError> {
    let refused = |what, name: &str| {
        Err(RecordError::Name {
            what,
            name: name.to_owned(),
        })
    };
    for (path, uuid) in &found.disks {
        if !is_dns_subdomain(&path.node) {
            return refused("node", &path.node);
        }
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        if path.disk.is_empty() || !path.disk.chars().all(plain) {
            return refused("disk", &path.disk);
        }
        let digits = |c: char| c.is_ascii_alphanumeric() || c == '-';
        if !(4..=63).contains(&uuid.len()) || !uuid.chars().all(digits) {
            return refused("disk UUID", uuid);
        }
    }
    let images = found.images.keys().map(|name| ("image", name));
    let volumes = found.volumes.keys().map(|name| ("volume", name));
    match images
        .chain(volumes)
        .find(|(_, name)| !is_dns_subdomain(name))
    {
        Some((what, name)) => refused(what, name),
        None => Ok(()),
    }
}

/// The same with other names, in the order of the cluster's: the same cluster gives
/// the same names. UUIDs keep their first four digits where they are digits, so that
/// what collided still does.
pub(super) fn anonymous(found: Found) -> Found {
    let mut nodes: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    let mut paths: BTreeMap<DiskPath, DiskPath> = BTreeMap::new();
    let mut disks = IndexMap::new();
    for (index, (path, uuid)) in found.disks.into_iter().enumerate() {
        let next = nodes.len() + 1;
        let (node, on_it) = nodes.entry(path.node.clone()).or_insert((next, 0));
        *on_it += 1;
        let other = DiskPath {
            node: format!("node-{node}"),
            disk: format!("disk-{on_it}"),
        };
        let prefix = uuid
            .get(..4)
            .filter(|prefix| prefix.bytes().all(|b| b.is_ascii_hexdigit()));
        let prefix = prefix.map_or_else(|| format!("{index:04x}"), str::to_owned);
        disks.insert(
            other.clone(),
            format!("{prefix}0000-0000-4000-8000-{index:012x}"),
        );
        paths.insert(path, other);
    }
    let renamed = |path: &DiskPath| paths.get(path).cloned().unwrap_or_else(|| path.clone());
    let all = |list: &[DiskPath]| list.iter().map(renamed).collect::<Vec<_>>();
    let names: BTreeMap<&String, String> = found
        .images
        .keys()
        .zip((1..).map(|n| format!("image-{n}")))
        .collect();
    let images = found.images.iter().map(|(name, image)| {
        let stuck = image.stuck.as_ref().map(|stuck| Stuck {
            contested: all(&stuck.contested),
            has_winner: stuck.has_winner,
            bystanders: all(&stuck.bystanders),
        });
        let image = Image {
            source: renamed(&image.source),
            copies: all(&image.copies),
            minimum: image.minimum,
            stuck,
        };
        (names[name].clone(), image)
    });
    let volumes = found.volumes.values().enumerate().map(|(index, volume)| {
        let node = volume.node.as_ref().and_then(|node| nodes.get(node));
        let volume = Volume {
            image: names[&volume.image].clone(),
            node: node.map(|(node, _)| format!("node-{node}")),
            on: all(&volume.on),
            waiting: volume.waiting.as_ref().map(|waiting| Waiting {
                on: all(&waiting.on),
                is_in_use: waiting.is_in_use,
            }),
            is_whole: volume.is_whole,
        };
        (format!("volume-{}", index + 1), volume)
    });
    Found {
        version: found.version,
        images: images.collect(),
        volumes: volumes.collect(),
        block: found.block.iter().map(renamed).collect(),
        settings: found.settings,
        disks,
        prefixes: found.prefixes,
        notes: found.notes,
    }
}
