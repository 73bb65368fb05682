//! The disk monitor of one node: every 30 s it reads the configuration of each disk,
//! and makes one where there is none (`controller/monitor/disk_monitor.go:220-329` at
//! v1.9.1). The prefix guard is in here.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use fixname_longhorn::{DiskType, Node};
use fixname_naming::{DiskUuid, guard};
use rand::{Rng, RngExt};

use crate::behaviour::Behaviour;
use crate::defect::Defect;
use crate::machines::{Call, DISK_BYTES, DiskConfig, Machines};
use crate::view::{View, shuffled};

/// How often it looks (`controller/monitor/disk_monitor.go`, `DiskMonitorSyncPeriod`).
pub const PERIOD: Duration = Duration::from_secs(30);

/// What the monitor found at its last look: by disk name.
pub type Collection = BTreeMap<String, Found>;

/// What the monitor found on one disk.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// The path it looked at.
    pub path: String,
    /// The disk or its node was to be evicted.
    pub evicting: bool,
    /// What the configuration says; empty if it could not be read or made.
    pub config: DiskConfig,
    /// What the file system calls itself.
    pub filesystem: String,
    /// Bytes free and in all.
    pub bytes: [i64; 2],
    /// Why the disk is not ready; empty if nothing is wrong.
    pub problem: String,
}

/// Looks at all disks of a node. Configurations that it makes are to be written.
pub fn look(
    node: &Node,
    view: &View,
    machines: &Machines,
    behaviour: &Behaviour,
    rng: &mut impl Rng,
) -> (Collection, Vec<Call>) {
    let mut calls = Vec::new();
    let mut collection = Collection::new();
    for (name, disk) in shuffled(node.spec.disks.iter(), rng) {
        let mut found = Found {
            path: disk.path.clone(),
            evicting: node.spec.eviction_requested || disk.eviction_requested,
            ..Found::default()
        };
        let not_ready = |what: &str| {
            format!(
                "Disk {name}({}) on node {} is not ready: {what}",
                disk.path,
                node.name()
            )
        };
        // A block disk has no such file. Its identity comes from the disk service,
        // which knows no guard and is not asked again once the status has it.
        if disk.disk_type == DiskType::Block {
            let status = node.status.disk_status.get(name);
            match status.filter(|status| !status.disk_uuid.is_empty()) {
                Some(status) => {
                    found.config.uuid.clone_from(&status.disk_uuid);
                    found.bytes = [status.storage_available, status.storage_maximum];
                }
                None => {
                    found.config.uuid = version_4(rng.random());
                    found.bytes = [DISK_BYTES; 2];
                }
            }
            collection.insert(name.clone(), found);
            continue;
        }
        let Some(folder) = machines.folder(node.name(), &disk.path) else {
            found.problem = not_ready("failed to get disk config: error: no such directory");
            collection.insert(name.clone(), found);
            continue;
        };
        found.filesystem.clone_from(&folder.filesystem);
        found.bytes = [folder.free(), folder.bytes];
        match folder.read() {
            Ok(Some(config)) => found.config = config,
            Err(error) => {
                found.problem = not_ready(&format!("failed to get disk config: error: {error}"));
            }
            Ok(None) => match new_uuid(view, behaviour, rng) {
                Ok(uuid) => {
                    found.config = DiskConfig {
                        name: name.clone(),
                        uuid: uuid.into_string(),
                        driver: String::new(),
                        state: match behaviour.writes_disk_state {
                            true => "ready".to_owned(),
                            false => String::new(),
                        },
                    };
                    calls.push(Call::WriteConfig {
                        node: node.name().to_owned(),
                        path: disk.path.clone(),
                        config: found.config.clone(),
                    });
                }
                Err(error) => {
                    found.problem =
                        not_ready(&format!("failed to generate disk config: error: {error}"));
                }
            },
        }
        collection.insert(name.clone(), found);
    }
    (collection, calls)
}

/// A UUID for a new filesystem disk. Guarded releases look at the prefixes of all
/// disks in the statuses that the cache shows, those of block disks too, and so miss
/// what has not got there yet.
fn new_uuid(
    view: &View,
    behaviour: &Behaviour,
    rng: &mut impl Rng,
) -> Result<DiskUuid, guard::GuardExhausted> {
    let draw = || DiskUuid::new(version_4(rng.random()));
    if !behaviour.guards_prefixes || behaviour.has(Defect::IgnoresTakenPrefixes) {
        return guard::generate_unique(draw, &BTreeSet::new());
    }
    let disks = view.nodes.values().flat_map(|node| node.disks());
    let taken = disks.filter_map(|disk| Some(disk.uuid()?.prefix()?.to_owned()));
    guard::generate_unique(draw, &taken.collect())
}

/// A random UUID, version 4.
fn version_4(random: u128) -> String {
    let bits = (random & !(0xf << 76) & !(0x3 << 62)) | (0x4 << 76) | (0x2 << 62);
    let hex = format!("{bits:032x}");
    [
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..],
    ]
    .join("-")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use fixname_longhorn::{DiskSpec, DiskStatus};
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;
    use crate::machines::Folder;

    const PATH: &str = "/var/lib/disk";

    fn node() -> Node {
        let mut node = Node::named("node-1");
        let disk = DiskSpec {
            path: PATH.to_owned(),
            disk_type: DiskType::Filesystem,
            ..DiskSpec::default()
        };
        node.spec.disks.insert("disk".to_owned(), disk);
        node
    }

    fn behaviour(version: &str) -> Behaviour {
        Behaviour::of(&version.parse().unwrap()).unwrap()
    }

    /// What is found on one disk with that configuration, beside disks with these UUIDs.
    fn found(
        config: Option<&str>,
        others: impl IntoIterator<Item = String>,
        version: &str,
    ) -> (Found, usize) {
        let mut machines = Machines::default();
        let folder = Folder {
            config: config.map(str::to_owned),
            bytes: 10,
            ..Folder::default()
        };
        machines.mount("node-1", PATH, folder);
        let mut view = View::default();
        let mut other = Node::named("node-2");
        for uuid in others {
            let status = DiskStatus {
                disk_uuid: uuid.clone(),
                disk_type: DiskType::Block,
                ..DiskStatus::default()
            };
            other.status.disk_status.insert(uuid, status);
        }
        view.nodes.insert("node-2".to_owned(), Arc::new(other));
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let (found, calls) = look(&node(), &view, &machines, &behaviour(version), &mut rng);
        (found["disk"].clone(), calls.len())
    }

    #[test]
    fn a_configuration_is_read_and_only_a_missing_one_is_made() {
        let (read, writes) = found(Some(r#"{"diskUUID":"c012"}"#), [], "v1.9.1");
        assert_eq!((read.config.uuid.as_str(), writes), ("c012", 0));
        let (broken, writes) = found(Some("{"), [], "v1.9.1");
        assert!(
            broken.problem.contains("failed to get disk config"),
            "{broken:?}"
        );
        assert_eq!(writes, 0);
        let (made, writes) = found(None, [], "v1.9.1");
        assert_eq!((made.config.uuid.len(), writes), (36, 1));
        assert_eq!(made.config.state, "");
        assert_eq!(found(None, [], "v1.10.0").0.config.state, "ready");
    }

    #[test]
    fn a_uuid_has_version_4() {
        assert_eq!(version_4(0), "00000000-0000-4000-8000-000000000000");
        assert_eq!(version_4(u128::MAX), "ffffffff-ffff-4fff-bfff-ffffffffffff");
    }

    /// Item 15 of what a harness should replay: exhaustion, and block disks count.
    #[test]
    fn guard_exhaustion_leaves_the_disk_without_a_configuration() {
        let all = || (0..=0xffff_u32).map(|n| format!("{n:04x}-block"));
        let (guarded, writes) = found(None, all(), "v1.9.1");
        assert!(
            guarded
                .problem
                .contains("failed to generate UUID with unique prefix after 20 attempts"),
            "{guarded:?}"
        );
        assert_eq!(writes, 0);
        for (version, is_made) in [("v1.7.2", true), ("v1.8.1", true), ("v1.8.2", false)] {
            let (found, _) = found(None, all(), version);
            assert_eq!(found.problem.is_empty(), is_made, "{version}");
        }
    }
}
