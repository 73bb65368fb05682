//! The backing image manager controller: the state of a manager, its pod, its files
//! (`controller/backing_image_manager_controller.go:245-805` at v1.9.1). The monitor
//! that polls a manager's pod is part of it here.

mod files;

use std::collections::BTreeMap;

use fixname_longhorn::objects::FileRecord;
use fixname_longhorn::{BackingImageManager, CopyState, FINALIZER, ManagerState};
use jiff::{SignedDuration, Timestamp};
use rand::Rng;

use crate::defect::Defect;
use crate::effect::{EventType, Level, Object};
use crate::machines::{Call, Phase, Pod};
use crate::missing_disk;
use crate::parts::Part;
use crate::plan::{Desk, Plan};

/// A file is not fetched again within this time, doubled at each go up to
/// [`LONGEST_BACK_OFF`].
pub const FIRST_BACK_OFF: SignedDuration = SignedDuration::from_mins(1);
/// The longest time until a file is fetched again.
pub const LONGEST_BACK_OFF: SignedDuration = SignedDuration::from_mins(5);
/// From v1.10.0 a pod is made again only after this time, doubled up to
/// [`LONGEST_POD_BACK_OFF`].
pub const FIRST_POD_BACK_OFF: SignedDuration = SignedDuration::from_secs(1);
/// The longest time until a pod is made again.
pub const LONGEST_POD_BACK_OFF: SignedDuration = SignedDuration::from_secs(120);

/// What the controller of one process remembers between reconciles. It is lost when
/// the process ends.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    /// By manager and image.
    files: BTreeMap<(String, String), BackOff>,
    /// By manager.
    pods: BTreeMap<String, BackOff>,
}

#[derive(Clone, Copy, Debug)]
struct BackOff {
    since: Timestamp,
    span: SignedDuration,
}

impl BackOff {
    /// `IsInBackOffSinceUpdate`.
    fn holds(self, now: Timestamp) -> bool {
        now < self.since + self.span
    }

    /// `Next`: twice as long, or from the start if it has been quiet for long.
    fn next(old: Option<Self>, now: Timestamp, [first, longest]: [SignedDuration; 2]) -> Self {
        let span = match old {
            Some(old) if now <= old.since + longest * 2 => (old.span * 2).min(longest),
            _ => first,
        };
        Self { since: now, span }
    }
}

impl Memory {
    fn forget(&mut self, manager: &str) {
        self.files.retain(|(of, _), _| of != manager);
    }

    fn must_wait(&self, manager: &str, image: &str, now: Timestamp) -> bool {
        let key = (manager.to_owned(), image.to_owned());
        self.files.get(&key).is_some_and(|back| back.holds(now))
    }

    fn note(&mut self, manager: &str, image: &str, now: Timestamp) {
        let key = (manager.to_owned(), image.to_owned());
        let old = self.files.get(&key).copied();
        let next = BackOff::next(old, now, [FIRST_BACK_OFF, LONGEST_BACK_OFF]);
        self.files.insert(key, next);
    }

    fn clear(&mut self, manager: &str, image: &str) {
        self.files.remove(&(manager.to_owned(), image.to_owned()));
    }

    /// True if a pod may be made now; it then is.
    fn may_make_pod(&mut self, manager: &str, now: Timestamp) -> bool {
        let old = self.pods.get(manager).copied();
        if old.is_some_and(|back| back.holds(now)) {
            return false;
        }
        let next = BackOff::next(old, now, [FIRST_POD_BACK_OFF, LONGEST_POD_BACK_OFF]);
        self.pods.insert(manager.to_owned(), next);
        true
    }
}

/// One reconcile of the manager of that name. The plans after the first are what is
/// done to images whose copies are on a disk that is gone; they are independent. Pods
/// and their files are one part of the model, everything else another.
pub fn reconcile(
    name: &str,
    desk: &Desk<'_>,
    memory: &mut Memory,
    rng: &mut impl Rng,
) -> Vec<Plan> {
    let Some(manager) = desk.view.managers.get(name) else {
        memory.forget(name);
        return Vec::new();
    };
    let spec = &manager.spec;
    let Some(owner) = desk.owner(&spec.node_id, &manager.status.owner_id) else {
        return Vec::new();
    };
    let is_controlled = desk.parts.has(Part::BackingImageManager);
    if manager.is_deleting() {
        if !is_controlled {
            return Vec::new();
        }
        memory.forget(name);
        return vec![clean_up(manager, desk)];
    }
    let mut changed = BackingImageManager::clone(manager);
    changed.status.owner_id.clone_from(&owner);
    let mut plan = Plan::default();
    let mut more = Vec::new();
    let disk = desk.view.ready_disk(&spec.disk_uuid, rng);
    if disk.is_none_or(|disk| disk.node != spec.node_id || disk.path != spec.disk_path) {
        if !is_controlled {
            return Vec::new();
        }
        make_unknown(&mut changed, desk, &mut plan, memory);
        if desk.behaviour.evicts_missing_disks {
            let series = missing_disk::evict_copies(manager, desk.view, rng);
            more = series
                .into_iter()
                .map(|effects| Plan {
                    calls: Vec::new(),
                    effects,
                })
                .collect();
        }
    } else if desk.parts.has(Part::ManagerPods) {
        sync_pod(&mut changed, &owner, desk, &mut plan, memory);
        if changed.status.current_state == ManagerState::Running && desk.is_current(&spec.image) {
            files::read(&mut changed, desk, memory);
            files::delete_invalid(&mut changed, desk, &mut plan, memory);
            files::prepare(&mut changed, desk, &mut plan, memory, rng);
        }
    }
    if changed.status != manager.status {
        plan.finish(Object::Manager(Box::new(changed)));
    }
    more.insert(0, plan);
    more
}

/// `cleanupBackingImageManager`. The files go only if the manager is a current one
/// that runs: those of an outdated one stay for its successor.
fn clean_up(manager: &BackingImageManager, desk: &Desk<'_>) -> Plan {
    let mut plan = Plan::default();
    let status = &manager.status;
    let is_serving = desk.is_current(&manager.spec.image)
        && status.current_state == ManagerState::Running
        && !status.ip.is_empty();
    if is_serving && !desk.behaviour.has(Defect::KeepsFilesOfDeletedManagers) {
        plan.log(
            Level::Info,
            "",
            "Deleting all backing image files during cleanup".to_owned(),
        );
        for (image, file) in &status.backing_image_file_map {
            plan.call(Call::DeleteFile {
                pod: manager.name().to_owned(),
                image: image.clone(),
                uuid: file.uuid.clone(),
            });
        }
    }
    if desk.machines.pod(manager.name()).is_some() {
        plan.call(Call::DeletePod(manager.name().to_owned()));
    }
    let mut manager = manager.clone();
    if let Some(finalizers) = &mut manager.metadata.finalizers {
        finalizers.retain(|f| f != FINALIZER);
    }
    plan.update(Object::Manager(Box::new(manager)));
    plan
}

/// The disk is not ready, or has moved: nobody can tell how its files are.
fn make_unknown(
    manager: &mut BackingImageManager,
    desk: &Desk<'_>,
    plan: &mut Plan,
    memory: &mut Memory,
) {
    let name = manager.name().to_owned();
    let status = &mut manager.status;
    if status.current_state == ManagerState::Unknown {
        return;
    }
    let message = format!(
        "Node or disk is not ready, will update state from {} to unknown then return",
        status.current_state
    );
    plan.log(Level::Warning, "", message.clone());
    plan.event(
        "BackingImageManager",
        &name,
        EventType::Warning,
        "Unknown",
        message,
    );
    status.current_state = ManagerState::Unknown;
    memory.forget(&name);
    for file in status.backing_image_file_map.values_mut() {
        if file.state != CopyState::Failed {
            file.state = CopyState::Unknown;
        }
    }
    for image in manager.spec.backing_images.keys() {
        let Some(image) = desk.view.images.get(image) else {
            continue;
        };
        let files = &mut status.backing_image_file_map;
        files
            .entry(image.name().to_owned())
            .or_insert_with(|| FileRecord {
                name: image.name().to_owned(),
                uuid: image.status.uuid.clone(),
                state: CopyState::Unknown,
                ..FileRecord::default()
            });
    }
}

/// What a pod makes of the state of its manager (section 3.2 of the model's docs).
fn state(pod: Option<&Pod>, manager: &BackingImageManager, desk: &Desk<'_>) -> ManagerState {
    use ManagerState::{Empty, Error, Running, Starting, Stopped};
    let was = &manager.status.current_state;
    let Some(pod) = pod else {
        return match was {
            Empty | Stopped => Stopped,
            _ => Error,
        };
    };
    if pod.node != manager.spec.node_id || pod.deleted.is_some() {
        return Error;
    }
    match pod.phase {
        Phase::Pending if *was == Running => Error,
        Phase::Pending => Starting,
        Phase::Running if desk.machines.is_down(&pod.node) && *was == Running => Error,
        Phase::Running if desk.machines.is_down(&pod.node) => was.clone(),
        Phase::Running => Running,
        Phase::Failed => Error,
    }
}

/// `syncBackingImageManagerPod`.
fn sync_pod(
    manager: &mut BackingImageManager,
    owner: &str,
    desk: &Desk<'_>,
    plan: &mut Plan,
    memory: &mut Memory,
) {
    let name = manager.name().to_owned();
    let pod = desk.machines.pod(&name);
    let was = manager.status.current_state.clone();
    let now = state(pod, manager, desk);
    manager.status.current_state = now.clone();
    if now != was && now == ManagerState::Running {
        let message = "Backing image manager becomes state running".to_owned();
        let kind = "BackingImageManager";
        plan.event(kind, &name, EventType::Normal, "Update", message);
    }
    let is_running = now == ManagerState::Running;
    let version = if is_running { 3 } else { 0 };
    manager.status.api_min_version = version;
    manager.status.api_version = version;
    if is_running {
        manager.status.ip = format!("pod-of-{name}");
        manager.status.storage_ip.clone_from(&manager.status.ip);
    }
    if !desk.is_current(&manager.spec.image)
        || !matches!(now, ManagerState::Error | ManagerState::Stopped)
    {
        return;
    }
    for file in manager.status.backing_image_file_map.values_mut() {
        if file.state != CopyState::Failed {
            file.state = CopyState::Unknown;
            "Backing image manager pod is not running".clone_into(&mut file.message);
        }
    }
    if let Some(pod) = pod {
        if pod.deleted.is_none() {
            plan.call(Call::DeletePod(name));
        }
        return;
    }
    let spec = &manager.spec;
    if owner != spec.node_id
        || (desk.behaviour.backs_off_manager_pods && !memory.may_make_pod(&name, desk.now))
    {
        return;
    }
    let message = format!(
        "Creating backing image manager pod {name} for disk {} on node {}. Backing image manager state will become starting",
        spec.disk_uuid, spec.node_id
    );
    plan.call(Call::StartManagerPod {
        name: name.clone(),
        node: spec.node_id.clone(),
        path: spec.disk_path.clone(),
    });
    manager.status.current_state = ManagerState::Starting;
    let kind = "BackingImageManager";
    plan.event(kind, &name, EventType::Normal, "Create", message);
}
