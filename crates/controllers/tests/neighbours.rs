//! The controllers around that of backing images, one reconcile at a time: what
//! section 3 and 5 of Longhorn's behaviour say, and the defects that no scenario shows.

use std::collections::BTreeMap;
use std::sync::Arc;

use fixname_controllers::machines::{Call, File, Folder, Machines, Origin, file_name};
use fixname_controllers::manager::{self, Memory};
use fixname_controllers::{
    Behaviour, Defect, Desk, Effect, Object, Parts, Plan, Seat, Store, View, Write, disk_monitor,
    node_disks, replica, volume,
};
use fixname_longhorn::objects::condition;
use fixname_longhorn::{
    BackingImage, BackingImageDataSource, BackingImageManager, CopySpec, CopyState, CopyStatus,
    DiskSpec, DiskStatus, DiskType, FileRecord, LABEL_DISK_UUID, ManagerState, Node, Replica,
    Volume,
};
use fixname_naming::ImageRef;
use jiff::{SignedDuration, Timestamp};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

const NOW: Timestamp = Timestamp::constant(1_762_214_400, 0);
const IMAGE: &str = "longhornio/backing-image-manager:v1.9.2";
const UUID: &str = "8f6c9d1a";
const BYTES: i64 = 100 << 30;

fn rng() -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(1)
}

/// Nodes 1 to `count`, each with one ready disk `uuid-<n>`.
fn view(count: usize) -> View {
    let mut view = View::default();
    let ready = vec![
        condition("Ready", true, ""),
        condition("Schedulable", true, ""),
    ];
    for n in 1..=count {
        let mut node = Node::named(&format!("node-{n}"));
        node.spec.allow_scheduling = true;
        node.status.conditions.clone_from(&ready);
        let spec = DiskSpec {
            disk_type: DiskType::Filesystem,
            path: "/disk".to_owned(),
            allow_scheduling: true,
            ..DiskSpec::default()
        };
        let status = DiskStatus {
            disk_uuid: format!("uuid-{n}"),
            disk_type: DiskType::Filesystem,
            storage_available: BYTES,
            storage_maximum: BYTES,
            conditions: ready.clone(),
            ..DiskStatus::default()
        };
        node.spec.disks.insert("disk".to_owned(), spec);
        node.status.disk_status.insert("disk".to_owned(), status);
        view.nodes.insert(node.name().to_owned(), Arc::new(node));
    }
    view
}

/// An image that wants the disks given, with these entries in its status, and its
/// data source, transferred.
fn add_image(view: &mut View, wanted: &[&str], entries: &[(&str, CopyState)]) {
    let mut image = BackingImage::named("parrot");
    image.status.uuid = UUID.to_owned();
    let wanted = wanted
        .iter()
        .map(|u| ((*u).to_owned(), CopySpec::default()));
    image.spec.disk_file_spec_map = Some(wanted.collect());
    let entries = entries.iter().map(|(uuid, state)| {
        let copy = CopyStatus {
            state: state.clone(),
            ..CopyStatus::default()
        };
        ((*uuid).to_owned(), copy)
    });
    image.status.disk_file_status_map = Some(entries.collect());
    view.images.insert("parrot".to_owned(), Arc::new(image));
    let mut source = BackingImageDataSource::named("parrot");
    source.spec.file_transferred = true;
    source.status.current_state = CopyState::Ready;
    view.data_sources
        .insert("parrot".to_owned(), Arc::new(source));
}

/// A running manager on node `n` that lists the image, with a record in that state.
fn add_manager(view: &mut View, n: usize, file: Option<CopyState>) {
    let mut manager = BackingImageManager::named(&format!("manager-{n}"));
    let label = (LABEL_DISK_UUID.to_owned(), format!("uuid-{n}"));
    manager.metadata.labels = Some(BTreeMap::from([label]));
    manager.spec.image = IMAGE.to_owned();
    manager.spec.node_id = format!("node-{n}");
    manager.spec.disk_uuid = format!("uuid-{n}");
    manager.spec.disk_path = "/disk".to_owned();
    let listed = ("parrot".to_owned(), UUID.to_owned());
    manager.spec.backing_images = BTreeMap::from([listed]);
    manager.status.current_state = ManagerState::Running;
    manager.status.ip = "10.0.0.1".to_owned();
    if let Some(state) = file {
        let record = FileRecord {
            uuid: UUID.to_owned(),
            state,
            ..FileRecord::default()
        };
        manager.status.backing_image_file_map = BTreeMap::from([("parrot".to_owned(), record)]);
    }
    view.managers
        .insert(manager.name().to_owned(), Arc::new(manager));
}

/// Machines on which the pods of those managers run; a failed file is one that the
/// pod looked for in vain.
fn machines(view: &View) -> Machines {
    let mut machines = Machines::default();
    for n in 1..=view.nodes.len() {
        let folder = Folder::of_disk("disk", &format!("uuid-{n}"), &format!("fs-{n}"), BYTES);
        machines.mount(&format!("node-{n}"), "/disk", folder);
    }
    for manager in view.managers.values() {
        let start = Call::StartManagerPod {
            name: manager.name().to_owned(),
            node: manager.spec.node_id.clone(),
            path: "/disk".to_owned(),
        };
        machines.call(start, NOW - SignedDuration::from_mins(1));
        machines.advance(NOW - SignedDuration::from_secs(50));
        for (image, record) in &manager.status.backing_image_file_map {
            if record.state == CopyState::Ready {
                let node = &manager.spec.node_id;
                let folder = machines
                    .folder_mut(node, "/disk")
                    .expect("each node has a folder");
                let file = File {
                    checksum: "abc".to_owned(),
                    bytes: 1,
                };
                folder.files.insert(file_name(image, UUID), file);
            }
            let fetch = Call::Fetch {
                pod: manager.name().to_owned(),
                image: image.clone(),
                uuid: UUID.to_owned(),
                checksum: String::new(),
                origin: Origin::Reuse,
            };
            machines.call(fetch, NOW - SignedDuration::from_secs(40));
        }
    }
    machines.advance(NOW);
    machines
}

fn with_desk<T>(
    view: &View,
    machines: &Machines,
    (version, defect): (&str, Option<Defect>),
    work: impl FnOnce(&Desk<'_>) -> T,
) -> T {
    let mut behaviour = Behaviour::of(&version.parse().expect("a version")).expect("known");
    behaviour.defect = defect;
    work(&Desk {
        view,
        machines,
        behaviour: &behaviour,
        manager_image: &ImageRef::new(IMAGE),
        seat: &Seat::AllNodes,
        parts: Parts::all(),
        now: NOW,
    })
}

fn manager_plan(view: &View, name: &str, defect: Option<Defect>) -> Plan {
    let machines = machines(view);
    with_desk(view, &machines, ("v1.9.2", defect), |desk| {
        let mut plans = manager::reconcile(name, desk, &mut Memory::default(), &mut rng());
        plans.remove(0)
    })
}

fn origins(plan: &Plan) -> Vec<&Origin> {
    let fetches = plan.calls.iter().filter_map(|call| match call {
        Call::Fetch { origin, .. } => Some(origin),
        _ => None,
    });
    fetches.collect()
}

fn written(plan: &Plan) -> impl Iterator<Item = &Object> {
    plan.effects.iter().filter_map(|effect| match effect {
        Effect::Write {
            write:
                Write::Create(object) | Write::Update(object) | Write::UpdateStatus { object, .. },
            ..
        } => Some(object),
        _ => None,
    })
}

#[test]
fn a_manager_without_the_file_asks_its_own_folder_first_and_others_if_one_is_ready() {
    let mut view = view(2);
    add_image(&mut view, &["uuid-1", "uuid-2"], &[]);
    add_manager(&mut view, 1, None);
    add_manager(&mut view, 2, None);
    let plan = manager_plan(&view, "manager-1", None);
    assert_eq!(origins(&plan), [&Origin::Reuse]);
    let never = manager_plan(&view, "manager-1", Some(Defect::NeverReusesFiles));
    assert!(origins(&never).is_empty());

    add_manager(&mut view, 2, Some(CopyState::Ready));
    let plan = manager_plan(&view, "manager-1", None);
    assert_eq!(origins(&plan), [&Origin::Sender("manager-2".to_owned())]);
    let never = manager_plan(&view, "manager-1", Some(Defect::NeverSyncs));
    assert!(origins(&never).is_empty());
}

#[test]
fn a_failed_file_goes_once_there_is_another_copy_and_is_fetched_at_once() {
    let mut view = view(2);
    let entries = [("uuid-1", CopyState::Failed), ("uuid-2", CopyState::Ready)];
    add_image(&mut view, &["uuid-1", "uuid-2"], &entries);
    add_manager(&mut view, 1, Some(CopyState::Failed));
    add_manager(&mut view, 2, Some(CopyState::Ready));
    let deletes = |plan: &Plan| {
        let is_deletion = |call: &&Call| matches!(call, Call::DeleteFile { .. });
        plan.calls.iter().filter(is_deletion).count()
    };
    let plan = manager_plan(&view, "manager-1", None);
    assert_eq!(deletes(&plan), 1);
    assert_eq!(origins(&plan), [&Origin::Sender("manager-2".to_owned())]);
    let kept = manager_plan(&view, "manager-1", Some(Defect::KeepsFailedFiles));
    assert_eq!(deletes(&kept), 0);
}

#[test]
fn a_file_that_failed_alone_is_kept_and_waits_for_its_back_off() {
    let mut view = view(1);
    add_image(&mut view, &["uuid-1"], &[("uuid-1", CopyState::Failed)]);
    add_manager(&mut view, 1, Some(CopyState::Failed));
    let machines = machines(&view);
    let mut memory = Memory::default();
    let fetches = |memory: &mut Memory| {
        with_desk(&view, &machines, ("v1.9.2", None), |desk| {
            let plans = manager::reconcile("manager-1", desk, memory, &mut rng());
            origins(&plans[0]).len()
        })
    };
    assert_eq!(fetches(&mut memory), 1);
    assert_eq!(fetches(&mut memory), 0);
}

#[test]
fn no_more_than_the_limit_arrive_on_a_node_at_once() {
    let mut view = view(2);
    add_image(&mut view, &["uuid-1", "uuid-2"], &[]);
    add_manager(&mut view, 1, None);
    add_manager(&mut view, 2, Some(CopyState::InProgress));
    let node = "node-1".to_owned();
    view.managers.edit("manager-2", |m| m.spec.node_id = node);
    let mut setting =
        fixname_longhorn::Setting::named("concurrent-backing-image-replenish-per-node-limit");
    for (limit, fetched) in [("1", 0), ("2", 1), ("0", 1)] {
        setting.value = limit.to_owned();
        let name = setting.name().to_owned();
        view.settings.insert(name, Arc::new(setting.clone()));
        let plan = manager_plan(&view, "manager-1", None);
        assert_eq!(origins(&plan).len(), fetched, "limit {limit}");
    }
}

/// A replica on node 1 that is to run.
fn add_replica(view: &mut View, name: &str, n: usize) {
    let mut replica = Replica::named(name);
    replica.spec.volume_name = "vol".to_owned();
    replica.spec.volume_size = "1024".to_owned();
    replica.spec.backing_image = "parrot".to_owned();
    replica.spec.node_id = format!("node-{n}");
    replica.spec.disk_id = format!("uuid-{n}");
    replica.spec.desire_state = "running".to_owned();
    replica.status.current_state = "stopped".to_owned();
    view.replicas.insert(name.to_owned(), Arc::new(replica));
}

fn replica_plan(view: &View, defect: Option<Defect>) -> Plan {
    with_desk(view, &machines(view), ("v1.9.1", defect), |desk| {
        replica::reconcile("vol-r-1", desk)
    })
}

#[test]
fn a_replica_asks_for_its_copy_waits_and_starts() {
    let mut view = view(2);
    add_replica(&mut view, "vol-r-1", 1);
    let starts = |plan: &Plan| plan.calls.len();
    let reason = |plan: &Plan| {
        written(plan).find_map(|object| match object {
            Object::Replica(r) => r.status.conditions.first().map(|c| c.reason.clone()),
            _ => None,
        })
    };
    let asks = |plan: &Plan| written(plan).any(|o| matches!(o, Object::BackingImage(_)));

    add_image(&mut view, &["uuid-2"], &[]);
    let plan = replica_plan(&view, None);
    assert!(asks(&plan) && starts(&plan) == 0);
    assert_eq!(reason(&plan).as_deref(), Some("Waiting"));
    assert!(!asks(&replica_plan(
        &view,
        Some(Defect::NeverAsksForCopies)
    )));

    for (entries, starts_now) in [
        (vec![], 0),
        (vec![("uuid-1", CopyState::Empty)], 0),
        (vec![("uuid-1", CopyState::InProgress)], 0),
        (vec![("uuid-1", CopyState::Ready)], 1),
    ] {
        add_image(&mut view, &["uuid-1"], &entries);
        let plan = replica_plan(&view, None);
        assert!(!asks(&plan));
        assert_eq!(starts(&plan), starts_now, "{entries:?}");
        let without = replica_plan(&view, Some(Defect::StartsWithoutCopy));
        assert_eq!(starts(&without), 1);
    }
}

#[test]
fn a_copy_that_cannot_be_put_on_the_disk_is_an_error_with_a_condition() {
    let mut view = view(1);
    add_replica(&mut view, "vol-r-1", 1);
    add_image(&mut view, &[], &[]);
    let ssd = vec!["ssd".to_owned()];
    view.images
        .edit("parrot", |image| image.spec.disk_selector = ssd);
    let plan = replica_plan(&view, None);
    let condition = written(&plan).find_map(|object| match object {
        Object::Replica(r) => r.status.conditions.first().cloned(),
        _ => None,
    });
    let condition = condition.unwrap();
    assert_eq!(condition.reason, "GetBackingImageFailed");
    assert_eq!(
        condition.message,
        "backing image parrot can not be put on the disk uuid-1"
    );
}

/// A volume of three replicas, attached, of which two are healthy on nodes 1 and 2,
/// and one waits on node 3.
fn degraded() -> View {
    let mut view = view(4);
    add_image(&mut view, &[], &[]);
    let mut volume = Volume::named("vol");
    volume.spec.number_of_replicas = 3;
    volume.spec.size = "1024".to_owned();
    volume.spec.backing_image = "parrot".to_owned();
    volume.spec.node_id = "node-1".to_owned();
    volume.status.state = "attached".to_owned();
    volume.status.robustness = "degraded".to_owned();
    view.volumes.insert("vol".to_owned(), Arc::new(volume));
    for n in 1..=3 {
        let name = format!("vol-r-{n}");
        add_replica(&mut view, &name, n);
        (view.replicas).edit(&name, |replica| {
            if n < 3 {
                replica.spec.healthy_at = NOW.to_string();
                replica.status.current_state = "running".to_owned();
            } else {
                let waiting = condition(replica::WAITING, true, "Waiting");
                replica.status.conditions = vec![waiting];
            }
        });
    }
    view
}

fn created(view: &View, defect: Option<Defect>) -> Vec<Replica> {
    let machines = machines(view);
    let plan = with_desk(view, &machines, ("v1.9.1", defect), |desk| {
        volume::reconcile("vol", desk, &mut rng())
    });
    let create = |effect| match effect {
        Effect::Write {
            write: Write::Create(Object::Replica(replica)),
            ..
        } => Some(*replica),
        _ => None,
    };
    plan.effects.into_iter().filter_map(create).collect()
}

#[test]
fn a_replica_that_waits_is_not_replaced_and_one_that_was_deleted_is() {
    let mut view = degraded();
    assert!(created(&view, None).is_empty());
    assert_eq!(
        created(&view, Some(Defect::ReplacesWaitingReplicas)).len(),
        1
    );
    view.replicas.remove("vol-r-3");
    let new = created(&view, None);
    assert_eq!(new.len(), 1);
    assert!(["node-3", "node-4"].contains(&new[0].spec.node_id.as_str()));
    let labels = new[0].metadata.labels.as_ref().unwrap();
    assert_eq!(labels["longhorndiskuuid"], new[0].spec.disk_id);
    assert_eq!(labels["longhorn.io/backing-image"], "parrot");
}

#[test]
fn while_attaching_no_replacement_is_made_and_without_any_all_are() {
    let mut view = degraded();
    let attaching = "attaching".to_owned();
    (view.volumes).edit("vol", |volume| volume.status.state = attaching);
    view.replicas.remove("vol-r-3");
    assert!(created(&view, None).is_empty());
    view.replicas = Store::default();
    let new = created(&view, None);
    let nodes: std::collections::BTreeSet<_> = new.iter().map(|r| &r.spec.node_id).collect();
    assert_eq!((new.len(), nodes.len()), (3, 3));
}

#[test]
fn a_full_disk_takes_no_replica() {
    let mut view = degraded();
    view.replicas = Store::default();
    let nodes: Vec<_> = view.nodes.keys().cloned().collect();
    for node in nodes {
        (view.nodes).edit(&node, |n| {
            n.status.disk_status["disk"].storage_scheduled = BYTES;
        });
    }
    assert!(created(&view, None).is_empty());
}

/// The status that one reconcile gives the disk of node 1.
fn disk_status(view: &View, version: &str, defect: Option<Defect>) -> Option<DiskStatus> {
    let machines = machines(view);
    let node = &view.nodes["node-1"];
    with_desk(view, &machines, (version, defect), |desk| {
        let (collection, _) = disk_monitor::look(node, view, &machines, desk.behaviour, &mut rng());
        let plan = node_disks::reconcile(node, Some(&collection), desk, &mut rng());
        written(&plan).find_map(|object| match object {
            Object::Node(node) => Some(node.status.disk_status["disk"].clone()),
            _ => None,
        })
    })
}

#[test]
fn a_copy_that_was_only_asked_for_is_charged_from_v1_8_0() {
    let mut view = view(1);
    add_image(&mut view, &["uuid-1"], &[]);
    (view.images).edit("parrot", |image| image.status.real_size = 7);
    for (version, charged) in [("v1.7.2", 0), ("v1.8.0", 7), ("v1.12.1", 7)] {
        let status = disk_status(&view, version, None).unwrap();
        assert_eq!(status.storage_scheduled, charged, "{version}");
    }
    let defect = Some(Defect::ChargesReplicasOnly);
    let status = disk_status(&view, "v1.9.1", defect).unwrap();
    assert_eq!(status.storage_scheduled, 0);
}

#[test]
fn the_disks_of_a_node_that_is_not_ready_are_not_ready_from_v1_11_0() {
    let mut view = view(1);
    let missing = condition("Ready", false, "ManagerPodMissing");
    (view.nodes).edit("node-1", |node| node.status.conditions[0] = missing);
    for (version, reason) in [("v1.10.2", None), ("v1.11.0", Some("NodeNotReady"))] {
        let status = disk_status(&view, version, None);
        let found = status.map(|s| s.conditions[0].reason.clone());
        assert_eq!(found.as_deref(), reason, "{version}");
    }
}

#[test]
fn of_two_disks_with_one_file_system_the_second_is_not_ready() {
    let view = view(1);
    let mut machines = machines(&view);
    let node = Arc::clone(&view.nodes["node-1"]);
    let mut node = Node::clone(&node);
    let mut second = node.spec.disks["disk"].clone();
    second.path = "/other".to_owned();
    node.spec.disks.insert("other".to_owned(), second);
    machines.mount(
        "node-1",
        "/other",
        Folder::of_disk("other", "uuid-9", "fs-1", BYTES),
    );
    with_desk(&view, &machines, ("v1.9.1", None), |desk| {
        let (collection, _) =
            disk_monitor::look(&node, &view, &machines, desk.behaviour, &mut rng());
        let plan = node_disks::reconcile(&node, Some(&collection), desk, &mut rng());
        let status = written(&plan).find_map(|object| match object {
            Object::Node(node) => Some(node.status.disk_status["other"].clone()),
            _ => None,
        });
        let condition = status.unwrap().conditions[0].clone();
        assert_eq!(condition.reason, "DiskFilesystemChanged");
        assert!(condition.message.contains("same file system ID fs-1"));
    });
}

/// Item 15 of what a harness should replay: the guard sees statuses only.
#[test]
fn two_disks_that_come_at_once_may_get_one_prefix_in_spite_of_the_guard() {
    let view = view(2);
    let mut machines = machines(&view);
    let drawn = |machines: &mut Machines, node: &str, view: &View, defect| {
        machines.folder_mut(node, "/disk").unwrap().config = None;
        with_desk(view, machines, ("v1.9.1", defect), |desk| {
            let node = &view.nodes[node];
            let (found, _) = disk_monitor::look(node, view, machines, desk.behaviour, &mut rng());
            found["disk"].config.uuid.clone()
        })
    };
    // The same random numbers, and neither is in a status: the same UUID.
    let first = drawn(&mut machines, "node-1", &view, None);
    assert_eq!(drawn(&mut machines, "node-2", &view, None), first);
    // Once the first is in a status, the second gets another prefix.
    let mut later = view.clone();
    (later.nodes).edit("node-1", |node| {
        node.status.disk_status["disk"].disk_uuid.clone_from(&first);
    });
    let second = drawn(&mut machines, "node-2", &later, None);
    assert_ne!(second[..4], first[..4]);
    let defect = Some(Defect::IgnoresTakenPrefixes);
    assert_eq!(drawn(&mut machines, "node-2", &later, defect), first);
}

#[test]
fn a_volume_is_not_attached_until_every_usable_replica_runs() {
    let mut view = degraded();
    let attaching = "attaching".to_owned();
    (view.volumes).edit("vol", |volume| volume.status.state = attaching);
    let machines = machines(&view);
    let state = |defect| {
        let plan = with_desk(&view, &machines, ("v1.9.1", defect), |desk| {
            volume::reconcile("vol", desk, &mut rng())
        });
        let state = written(&plan).find_map(|object| match object {
            Object::Volume(volume) => Some(volume.status.state.clone()),
            _ => None,
        });
        state.unwrap()
    };
    assert_eq!(state(None), "attaching");
    assert_eq!(state(Some(Defect::AttachesWithoutAll)), "attached");
}

#[test]
fn a_current_manager_that_is_deleted_takes_its_files_along() {
    let mut view = view(1);
    add_image(&mut view, &["uuid-1"], &[]);
    add_manager(&mut view, 1, Some(CopyState::Ready));
    let now = k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(NOW);
    (view.managers).edit("manager-1", |m| m.metadata.deletion_timestamp = Some(now));
    let deletes = |view: &View, defect| {
        let plan = manager_plan(view, "manager-1", defect);
        let is_deletion = |call: &&Call| matches!(call, Call::DeleteFile { .. });
        plan.calls.iter().filter(is_deletion).count()
    };
    assert_eq!(deletes(&view, None), 1);
    let kept = Some(Defect::KeepsFilesOfDeletedManagers);
    assert_eq!(deletes(&view, kept), 0);
    // An outdated one leaves them to its successor.
    let outdated = "longhornio/backing-image-manager:v1.9.1".to_owned();
    (view.managers).edit("manager-1", |manager| manager.spec.image = outdated);
    assert_eq!(deletes(&view, None), 0);
}

#[test]
fn a_uuid_that_was_changed_in_the_configuration_is_not_taken_over() {
    let view = view(1);
    let mut machines = machines(&view);
    let folder = machines.folder_mut("node-1", "/disk").unwrap();
    *folder = Folder::of_disk("disk", "another", "fs-1", BYTES);
    let node = &view.nodes["node-1"];
    let status = |defect| {
        with_desk(&view, &machines, ("v1.9.1", defect), |desk| {
            let (collection, _) =
                disk_monitor::look(node, &view, &machines, desk.behaviour, &mut rng());
            let plan = node_disks::reconcile(node, Some(&collection), desk, &mut rng());
            let status = written(&plan).find_map(|object| match object {
                Object::Node(node) => Some(node.status.disk_status["disk"].clone()),
                _ => None,
            });
            status.unwrap()
        })
    };
    let kept = status(None);
    assert_eq!(kept.disk_uuid, "uuid-1");
    assert_eq!(kept.conditions[0].reason, "DiskFilesystemChanged");
    assert!(
        kept.conditions[0]
            .message
            .ends_with("doesn't match the one on the disk ")
    );
    let adopted = status(Some(Defect::AdoptsChangedUuids));
    assert_eq!(adopted.disk_uuid, "another");
}
