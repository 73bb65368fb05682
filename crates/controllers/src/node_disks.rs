//! The node controller's part about disks: from what the monitor found to the node's
//! status, and what is charged to each disk (`controller/node_controller.go:640-931`
//! at v1.9.1).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use fixname_longhorn::objects::is_true;
use fixname_longhorn::{DiskStatus, DiskType, LABEL_DISK_UUID, Node, Replica};
use rand::Rng;

use crate::defect::Defect;
use crate::disk_monitor::{Collection, Found};
use crate::effect::{EventType, Level, Object};
use crate::plan::{Desk, Plan, set_condition};
use crate::scheduler::{self, Space};
use crate::view::{LABEL_REPLICA_DISK, View, shuffled};

/// Storage is counted in steps of this many bytes, so that a log file changes nothing.
const STEP: i64 = 100 << 20;

/// Brings the node's status up to date; effects are the writes to managers, replicas
/// and the node itself. Another node's disks are none of a manager's business.
pub fn reconcile(
    node: &Node,
    collection: Option<&Collection>,
    desk: &Desk<'_>,
    rng: &mut impl Rng,
) -> Plan {
    let mut plan = Plan::default();
    let mut changed = node.clone();
    tell_power(&mut changed, desk);
    if desk.behaviour.marks_disks_of_lost_nodes && !is_true(&changed.status.conditions, "Ready") {
        mark_all(&mut changed, desk);
    }
    let owner = desk.owner(node.name(), node.name());
    if owner.as_deref() == Some(node.name()) {
        match collection {
            Some(collection) if is_matched(node, collection) => {
                sync(&mut changed, collection, desk, &mut plan, rng);
            }
            Some(_) => plan.log(
                Level::Warning,
                "",
                "Failed to sync with disk monitor due to mismatching disks: mismatching disks in node resource object and monitor collected data".to_owned(),
            ),
            None => {}
        }
    }
    if changed.status != node.status {
        plan.finish(Object::Node(Box::new(changed)));
    }
    plan
}

/// The node's own conditions: what Kubernetes says of a node with and without power.
/// One that is there for another reason stays.
fn tell_power(node: &mut Node, desk: &Desk<'_>) {
    const LOST: &str = "KubernetesNodeNotReady";
    let name = node.name().to_owned();
    let conditions = &mut node.status.conditions;
    let ready = conditions.iter().find(|c| c.type_ == "Ready");
    let is_lost = ready.is_some_and(|ready| ready.status == "False" && ready.reason == LOST);
    if desk.machines.is_down(&name) {
        if !is_lost {
            let message = format!("Kubernetes node {name} not ready: NodeStatusUnknown");
            set_condition(conditions, "Ready", false, [LOST, &message], desk.now);
        }
    } else if is_lost || ready.is_none() {
        let message = format!("Node {name} is ready");
        set_condition(conditions, "Ready", true, ["", &message], desk.now);
    }
    if !conditions.iter().any(|c| c.type_ == "Schedulable") {
        set_condition(conditions, "Schedulable", true, ["", ""], desk.now);
    }
}

/// `markAllDisksNotReadyWhenNodeNotReady` of v1.11.0.
fn mark_all(node: &mut Node, desk: &Desk<'_>) {
    let name = node.name().to_owned();
    for (disk, status) in &mut node.status.disk_status {
        for type_ in ["Ready", "Schedulable"] {
            let message = format!("Disk {disk} on node {name} is not ready: node is not ready");
            set_condition(
                &mut status.conditions,
                type_,
                false,
                ["NodeNotReady", &message],
                desk.now,
            );
        }
    }
}

/// `isDiskMatched`: the monitor has seen the disks that are wanted now.
fn is_matched(node: &Node, collection: &Collection) -> bool {
    node.spec.disks.len() == collection.len()
        && collection.iter().all(|(name, found)| {
            node.spec.disks.get(name).is_some_and(|disk| {
                found.path == disk.path
                    && found.evicting == (node.spec.eviction_requested || disk.eviction_requested)
            })
        })
}

/// `syncDiskStatus`.
fn sync(
    node: &mut Node,
    collection: &Collection,
    desk: &Desk<'_>,
    plan: &mut Plan,
    rng: &mut impl Rng,
) {
    align(node);
    let problems = problems(node, collection, desk, rng);
    for (name, found) in collection {
        let place = format!("Disk {name}({}) on node {}", found.path, node.name());
        let node_name = node.name().to_owned();
        let Some(status) = node.status.disk_status.get_mut(name) else {
            continue;
        };
        let was_ready = is_true(&status.conditions, "Ready");
        match problems.get(name) {
            Some([reason, message]) => {
                let text = [reason.as_str(), message.as_str()];
                set_condition(&mut status.conditions, "Ready", false, text, desk.now);
                if was_ready {
                    plan.event(
                        "Node",
                        &node_name,
                        EventType::Warning,
                        "Ready",
                        message.clone(),
                    );
                }
            }
            None => {
                status.disk_uuid.clone_from(&found.config.uuid);
                status.disk_name.clone_from(&found.config.name);
                status.disk_path.clone_from(&found.path);
                let [free, all] = found.bytes;
                status.storage_available = match status.disk_type {
                    DiskType::Block => free,
                    _ => free / STEP * STEP,
                };
                status.storage_maximum = all;
                let message = format!("{place} is ready");
                set_condition(
                    &mut status.conditions,
                    "Ready",
                    true,
                    ["", &message],
                    desk.now,
                );
            }
        }
    }
    charge(node, desk, plan, rng);
}

/// `alignDiskSpecAndStatus`: the status has the disks that the spec has.
fn align(node: &mut Node) {
    let (wanted, statuses) = (&node.spec.disks, &mut node.status.disk_status);
    for (name, disk) in wanted {
        let status = statuses.entry(name.clone()).or_default();
        status.storage_available = 0;
        status.storage_maximum = 0;
        status.disk_type.clone_from(&disk.disk_type);
    }
    statuses.retain(|name, _| wanted.contains_key(name));
}

/// `findNotReadyAndReadyDiskMaps`: reason and message for each disk that is not
/// ready. The UUID in the status stays what it is, whatever the file says.
fn problems(
    node: &Node,
    collection: &Collection,
    desk: &Desk<'_>,
    rng: &mut impl Rng,
) -> BTreeMap<String, [String; 2]> {
    const CHANGED: &str = "DiskFilesystemChanged";
    let mut problems = BTreeMap::new();
    let mut by_filesystem: BTreeMap<&str, Vec<(&String, &Found)>> = BTreeMap::new();
    for (name, found) in collection {
        let place = format!("Disk {name}({}) on node {}", found.path, node.name());
        let known = node.status.disk_status.get(name).map(|s| &s.disk_uuid);
        let known = known.map_or("", String::as_str);
        let what = if !found.problem.is_empty() {
            problems.insert(
                name.clone(),
                ["NoDiskInfo".to_owned(), found.problem.clone()],
            );
            continue;
        } else if known.is_empty() || desk.behaviour.has(Defect::AdoptsChangedUuids) {
            None
        } else if found.config.uuid.is_empty() {
            Some("cannot find disk config file, maybe due to a mount error")
        } else if known != found.config.uuid {
            Some("record diskUUID doesn't match the one on the disk ")
        } else {
            None
        };
        match what {
            Some(what) => {
                let message = format!("{place} is not ready: {what}");
                problems.insert(name.clone(), [CHANGED.to_owned(), message]);
            }
            None if found.filesystem.is_empty() => {}
            None => by_filesystem
                .entry(&found.filesystem)
                .or_default()
                .push((name, found)),
        }
    }
    for (filesystem, disks) in by_filesystem {
        if disks.len() < 2 {
            continue;
        }
        // One that is ready already stays so; else whichever comes first.
        let is_ready = |name: &str| {
            let status = node.status.disk_status.get(name);
            status.is_some_and(|s| is_true(&s.conditions, "Ready"))
        };
        let mut order = shuffled(disks, rng);
        order.sort_by_key(|(name, _)| !is_ready(name));
        let names: BTreeSet<&String> = order.iter().map(|(name, _)| *name).collect();
        for (name, found) in order.iter().skip(1) {
            let message = format!(
                "Disk {name}({}) on node {} is not ready: disk has same file system ID {filesystem} as other disks {names:?}",
                found.path,
                node.name()
            );
            problems.insert((*name).clone(), [CHANGED.to_owned(), message]);
        }
    }
    problems
}

/// `updateDiskStatusSchedulableCondition`: managers and replicas follow a disk that
/// has moved, and each disk is charged with what should be on it.
fn charge(node: &mut Node, desk: &Desk<'_>, plan: &mut Plan, rng: &mut impl Rng) {
    let node_name = node.name().to_owned();
    let disks: Vec<_> = node.spec.disks.iter().collect();
    for (name, disk) in shuffled(disks, rng) {
        let Some(status) = node.status.disk_status.get_mut(name) else {
            continue;
        };
        let place = format!("Disk {name} ({}) on the node {node_name}", disk.path);
        if !is_true(&status.conditions, "Ready") {
            status.storage_scheduled = 0;
            status.scheduled_replica.clear();
            let text = format!("{place} is not ready");
            let text = ["DiskNotReady", text.as_str()];
            set_condition(&mut status.conditions, "Schedulable", false, text, desk.now);
            continue;
        }
        follow(desk.view, &status.disk_uuid, &node_name, &disk.path, plan);
        charge_disk(status, desk);
        let space = Space::of(disk, status, desk.view);
        let (is_schedulable, text) = match space.problem(0) {
            None => (true, format!("{place} is schedulable")),
            Some(why) => (
                false,
                format!("{place} is not schedulable for more replica; {why}"),
            ),
        };
        let reason = if is_schedulable { "" } else { "DiskPressure" };
        set_condition(
            &mut status.conditions,
            "Schedulable",
            is_schedulable,
            [reason, &text],
            desk.now,
        );
    }
}

fn charge_disk(status: &mut DiskStatus, desk: &Desk<'_>) {
    let view = desk.view;
    status.scheduled_replica = replicas_on(view, &status.disk_uuid)
        .map(|replica| {
            (
                replica.name().to_owned(),
                scheduler::bytes(&replica.spec.volume_size),
            )
        })
        .collect();
    status.storage_scheduled = status.scheduled_replica.values().sum();
    if !desk.behaviour.charges_copies || desk.behaviour.has(Defect::ChargesReplicasOnly) {
        return;
    }
    let wanting = view.images.values().filter(|image| {
        let wanted = image.spec.disk_file_spec_map.as_ref();
        wanted.is_some_and(|map| map.contains_key(&status.disk_uuid))
    });
    status.scheduled_backing_image = wanting
        .map(|image| (image.name().to_owned(), image.status.real_size))
        .collect();
    status.storage_scheduled += status.scheduled_backing_image.values().sum::<i64>();
}

/// `ListReplicasByDiskUUID`: by label.
pub(crate) fn replicas_on<'a>(
    view: &'a View,
    uuid: &'a str,
) -> impl Iterator<Item = &'a Arc<Replica>> {
    view.replicas.values().filter(move |replica| {
        let labels = replica.metadata.labels.as_ref();
        labels
            .and_then(|l| l.get(LABEL_REPLICA_DISK))
            .map(String::as_str)
            == Some(uuid)
    })
}

fn follow(view: &View, uuid: &str, node: &str, path: &str, plan: &mut Plan) {
    for manager in view.managers_of_disk(uuid) {
        if manager.spec.node_id == node && manager.spec.disk_path == path {
            continue;
        }
        plan.log(
            Level::Info,
            "",
            format!(
                "Node Controller: updating Node & disk info in backing image manager {}",
                manager.name()
            ),
        );
        let mut manager = fixname_longhorn::BackingImageManager::clone(manager);
        manager.spec.node_id = node.to_owned();
        manager.spec.disk_path = path.to_owned();
        let labels = manager.metadata.labels.get_or_insert_default();
        labels.insert("longhorn.io/node".to_owned(), node.to_owned());
        labels.insert(LABEL_DISK_UUID.to_owned(), uuid.to_owned());
        plan.update(Object::Manager(Box::new(manager)));
    }
    for replica in replicas_on(view, uuid) {
        if replica.spec.node_id == node && replica.spec.disk_path == path {
            continue;
        }
        let mut replica = Replica::clone(replica);
        replica.spec.node_id = node.to_owned();
        replica.spec.disk_path = path.to_owned();
        plan.update(Object::Replica(Box::new(replica)));
    }
}

/// `syncReplicaEvictionRequested`: replicas on a disk that is to be evicted are too.
/// (Draining of Kubernetes nodes is left out.)
pub fn sync_replica_evictions(node: &Node, desk: &Desk<'_>, rng: &mut impl Rng) -> Plan {
    let mut plan = Plan::default();
    let is_down = desk.view.is_down_or_gone(node.name());
    for (name, disk) in shuffled(node.spec.disks.iter(), rng) {
        let requested = !is_down && (node.spec.eviction_requested || disk.eviction_requested);
        let scheduled = node.status.disk_status.get(name);
        let scheduled = scheduled.map(|status| status.scheduled_replica.keys());
        for replica in shuffled(scheduled.into_iter().flatten(), rng) {
            let Some(replica) = desk.view.replicas.get(replica) else {
                continue;
            };
            if replica.spec.eviction_requested == requested {
                continue;
            }
            let mut replica = Replica::clone(replica);
            replica.spec.eviction_requested = requested;
            let (reason, what) = match requested {
                true => ("EvictionUserRequested", "Requesting"),
                false => ("EvictionCanceled", "Cancelling"),
            };
            let message = format!(
                "{what} replica {} eviction from node {} and disk {}",
                replica.name(),
                node.name(),
                replica.spec.disk_id
            );
            let name = replica.name().to_owned();
            plan.update(Object::Replica(Box::new(replica)));
            plan.event("Replica", &name, EventType::Normal, reason, message);
        }
    }
    plan
}
