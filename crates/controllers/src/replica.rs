//! The replica controller: a replica of a volume with a backing image asks for a copy
//! on its disk, waits for it, and starts (`controller/replica_controller.go:314-447`
//! and `controller/instance_handler.go:346-500` at v1.9.1). What an instance manager
//! does is played by [`Machines`](crate::machines::Machines); one runs wherever the
//! node is ready.

use std::collections::BTreeMap;

use fixname_longhorn::objects::is_true;
use fixname_longhorn::{BackingImage, CopySpec, CopyState, DiskType, FINALIZER, Replica};

use crate::defect::Defect;
use crate::effect::{EventType, Level, Object, Write};
use crate::machines::Call;
use crate::plan::{Desk, Plan, set_condition};
use crate::store::LABEL_BACKING_IMAGE;
use crate::view::{LABEL_REPLICA_DISK, has_tags};

/// The condition of a replica that waits.
pub const WAITING: &str = "WaitForBackingImage";

/// By which replicas are found by their volume.
pub(crate) const LABEL_VOLUME: &str = "longhornvolume";

/// One reconcile of the replica of that name.
pub fn reconcile(name: &str, desk: &Desk<'_>) -> Plan {
    let mut plan = Plan::default();
    let Some(replica) = desk.view.replicas.get(name) else {
        return plan;
    };
    let status = &replica.status;
    let Some(owner) = desk.owner(&replica.spec.node_id, &status.owner_id) else {
        return plan;
    };
    if replica.is_deleting() {
        if desk.machines.instance(name).is_some() {
            plan.call(Call::StopReplica(name.to_owned()));
        }
        let mut replica = Replica::clone(replica);
        if let Some(finalizers) = &mut replica.metadata.finalizers {
            finalizers.retain(|f| f != FINALIZER);
        }
        plan.update(Object::Replica(Box::new(replica)));
        return plan;
    }
    let mut changed = Replica::clone(replica);
    changed.status.owner_id = owner;
    let is_up = desk.view.is_node_ready(&replica.spec.node_id);
    let instance = desk.machines.instance(name).filter(|_| is_up);
    let wants_to_run = replica.spec.desire_state == "running";
    let was = status.current_state.as_str();
    let is_stopped = matches!(was, "" | "stopped");
    // `syncStatusWithInstanceManager` comes after the start.
    changed.status.current_state = match instance {
        Some(_) if !wants_to_run => {
            plan.call(Call::StopReplica(name.to_owned()));
            "stopped"
        }
        Some(instance) if instance.is_running => "running",
        Some(_) => "starting",
        None if !is_up && !is_stopped => "unknown",
        // It is no longer there where it ran.
        None if wants_to_run && matches!(was, "running" | "starting") => "error",
        None if was == "error" && wants_to_run => "error",
        None => "stopped",
    }
    .to_owned();
    if wants_to_run && is_up && is_stopped && instance.is_none() {
        start(&mut changed, desk, &mut plan);
    }
    if changed.status != *status {
        plan.finish(Object::Replica(Box::new(changed)));
    }
    plan
}

/// Whether a replica has its copy.
enum Copy {
    /// It is ready.
    Ready,
    /// It is not there yet.
    Waiting,
    /// It cannot come.
    Impossible(String),
}

/// `createInstance`. One that waits counts as started: the event is recorded at
/// every attempt, the state stays `stopped`.
fn start(replica: &mut Replica, desk: &Desk<'_>, plan: &mut Plan) {
    let name = replica.name().to_owned();
    let conditions = &mut replica.status.conditions;
    let copy = match replica.spec.backing_image.is_empty() {
        true => Copy::Ready,
        false => ask_for_copy(&name, &replica.spec, desk, plan),
    };
    match copy {
        Copy::Ready => {
            set_condition(conditions, WAITING, false, ["", ""], desk.now);
            plan.call(Call::StartReplica {
                name: name.clone(),
                node: replica.spec.node_id.clone(),
            });
        }
        Copy::Waiting => set_condition(conditions, WAITING, true, ["Waiting", ""], desk.now),
        Copy::Impossible(why) => {
            let text = ["GetBackingImageFailed", why.as_str()];
            set_condition(conditions, WAITING, true, text, desk.now);
            plan.event(
                "Replica",
                &name,
                EventType::Warning,
                "FailedStarting",
                format!("Error starting {name}: {why}"),
            );
            return;
        }
    }
    let message = format!("Starts {name}");
    plan.event("Replica", &name, EventType::Normal, "Start", message);
}

/// `GetBackingImagePathForReplicaStarting`. Scheduling plays no role: a disk that
/// somebody has taken out of the image's spec is put straight back.
fn ask_for_copy(
    name: &str,
    spec: &fixname_longhorn::objects::ReplicaSpec,
    desk: &Desk<'_>,
    plan: &mut Plan,
) -> Copy {
    let (image_name, disk) = (&spec.backing_image, &spec.disk_id);
    let Some(image) = desk.view.images.get(image_name) else {
        return Copy::Impossible(format!(
            "backingimage.longhorn.io \"{image_name}\" not found"
        ));
    };
    let wanted = image.spec.disk_file_spec_map.as_ref();
    let Some(wanted) = wanted.filter(|_| !image.status.uuid.is_empty()) else {
        plan.log(
            Level::Warning,
            image_name,
            format!("The requested backing image {image_name} has not been initialized"),
        );
        return Copy::Waiting;
    };
    if !wanted.contains_key(disk) {
        if !can_be_put(image, disk, desk) {
            return Copy::Impossible(format!(
                "backing image {image_name} can not be put on the disk {disk}"
            ));
        }
        if desk.behaviour.has(Defect::NeverAsksForCopies) {
            return Copy::Waiting;
        }
        let mut changed = BackingImage::clone(image);
        let copy = CopySpec {
            data_engine: spec.data_engine.clone(),
            ..CopySpec::default()
        };
        let map = changed.spec.disk_file_spec_map.get_or_insert_default();
        map.insert(disk.clone(), copy);
        plan.log(
            Level::Info,
            image_name,
            format!(
                "Asking backing image {image_name} to download file to node {} disk {disk}",
                spec.node_id
            ),
        );
        plan.write(Write::Update(Object::BackingImage(Box::new(changed))));
        return Copy::Waiting;
    }
    let copies = image.status.disk_file_status_map.as_ref();
    let state = copies.and_then(|map| map.get(disk)).map(|copy| &copy.state);
    let is_there = desk.behaviour.has(Defect::StartsWithoutCopy);
    if state == Some(&CopyState::Ready) || is_there {
        return Copy::Ready;
    }
    plan.log(
        Level::Info,
        image_name,
        format!(
            "Waiting for backing image {image_name} to download file to node {} disk {disk}, the current state is {} (replica {name})",
            spec.node_id,
            state.map_or("", CopyState::as_str)
        ),
    );
    Copy::Waiting
}

/// `CanPutBackingImageOnDisk`: the tags fit, and the disk is one of files.
fn can_be_put(image: &BackingImage, uuid: &str, desk: &Desk<'_>) -> bool {
    let view = desk.view;
    view.nodes.values().any(|node| {
        node.disks().any(|disk| {
            disk.status.disk_uuid == uuid
                && disk.disk_type() == DiskType::Filesystem
                && has_tags(
                    &node.spec.tags,
                    &image.spec.node_selector,
                    view.flag("allow-empty-node-selector-volume"),
                )
                && has_tags(
                    disk.spec.map_or(&[][..], |spec| &spec.tags),
                    &image.spec.disk_selector,
                    view.flag("allow-empty-disk-selector-volume"),
                )
        })
    })
}

/// The labels that the datastore writes with every update
/// (`datastore/longhorn.go:1576-1625` at v1.9.1); replicas are found by them.
pub fn put_labels(replica: &mut Replica) {
    let spec = &replica.spec;
    let all = [
        (LABEL_VOLUME, &spec.volume_name),
        ("longhornnode", &spec.node_id),
        (LABEL_REPLICA_DISK, &spec.disk_id),
        (LABEL_BACKING_IMAGE, &spec.backing_image),
    ];
    let labels: BTreeMap<String, String> = all
        .into_iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(key, value)| (key.to_owned(), value.clone()))
        .collect();
    replica
        .metadata
        .labels
        .get_or_insert_default()
        .extend(labels);
}

/// True if the replica waits for its copy.
pub fn is_waiting(replica: &Replica) -> bool {
    is_true(&replica.status.conditions, WAITING)
}
