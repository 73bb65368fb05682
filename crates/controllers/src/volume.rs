//! The volume controller, as far as replicas of a backing image concern it: their
//! number, waiting, attaching, and what replaces one that is lost
//! (`controller/volume_controller.go:560-648`, `1553-1684`, `1840-1948`, `2245-2351` at
//! v1.9.1). The engine is left out: a volume whose replicas run is attached, and a
//! replica that runs in an attached volume is rebuilt at once.

use std::sync::Arc;

use fixname_longhorn::{FINALIZER, Kind, Replica, Volume};
use jiff::{SignedDuration, Timestamp};
use rand::{Rng, RngExt};

use crate::defect::Defect;
use crate::effect::{EventType, Level, Object, Write};
use crate::parts::Part;
use crate::plan::{Desk, Plan, set_condition};
use crate::replica::{WAITING, is_waiting, put_labels};
use crate::scheduler;
use crate::view::{ReadyDisk, shuffled};

/// One reconcile of the volume of that name.
pub fn reconcile(name: &str, desk: &Desk<'_>, rng: &mut impl Rng) -> Plan {
    let plan = Plan::default();
    let Some(volume) = desk.view.volumes.get(name) else {
        return plan;
    };
    let preferred = match volume.spec.node_id.is_empty() {
        true => &volume.status.owner_id,
        false => &volume.spec.node_id,
    };
    let Some(owner) = desk.owner(preferred, &volume.status.owner_id) else {
        return plan;
    };
    let replicas: Vec<Arc<Replica>> = desk
        .view
        .replicas
        .values()
        .filter(|r| r.spec.volume_name == name && !r.is_deleting())
        .cloned()
        .collect();
    let is_played = desk.parts.has(Part::Volume);
    if volume.is_deleting() {
        return match is_played {
            true => delete(volume, &replicas),
            false => plan,
        };
    }
    let mut run = Run {
        volume: Volume::clone(volume),
        before: replicas.clone(),
        replicas,
        desk,
        plan,
    };
    if desk.parts.has(Part::Scheduler) {
        run.schedule(rng);
    }
    if is_played {
        run.volume.status.owner_id = owner;
        run.steps(rng);
    }
    run.end(volume)
}

fn delete(volume: &Volume, replicas: &[Arc<Replica>]) -> Plan {
    let mut plan = Plan::default();
    for replica in replicas {
        plan.delete(Kind::Replica, replica.name());
    }
    if replicas.is_empty() {
        let mut volume = volume.clone();
        if let Some(finalizers) = &mut volume.metadata.finalizers {
            finalizers.retain(|f| f != FINALIZER);
        }
        plan.update(Object::Volume(Box::new(volume)));
    }
    plan
}

struct Run<'a> {
    volume: Volume,
    before: Vec<Arc<Replica>>,
    replicas: Vec<Arc<Replica>>,
    desk: &'a Desk<'a>,
    plan: Plan,
}

/// It runs, has its data, and is not lost.
fn is_healthy(replica: &Replica) -> bool {
    replica.spec.failed_at.is_empty()
        && !replica.spec.healthy_at.is_empty()
        && replica.status.current_state == "running"
}

/// It has a disk.
fn is_scheduled(replica: &Replica) -> bool {
    !replica.spec.node_id.is_empty()
}

fn place(replica: &mut Replica, disk: ReadyDisk) {
    replica.spec.node_id = disk.node;
    replica.spec.disk_id = disk.uuid;
    replica.spec.disk_path = disk.path;
}

/// It may become healthy.
fn is_usable(replica: &Replica) -> bool {
    replica.spec.failed_at.is_empty()
}

impl Run<'_> {
    fn steps(&mut self, rng: &mut impl Rng) {
        self.tell_waiting();
        if self.volume.status.state.is_empty() {
            "creating".clone_into(&mut self.volume.status.state);
            "unknown".clone_into(&mut self.volume.status.robustness);
        }
        if self.replicas.is_empty() {
            for _ in 0..self.volume.spec.number_of_replicas {
                self.add_replica(rng);
            }
            return;
        }
        self.mark_lost();
        if self.volume.spec.node_id.is_empty() {
            self.detach();
            return;
        }
        match self.volume.status.state.as_str() {
            "attached" => {
                self.open();
                self.rebuild();
                self.judge();
                self.replenish(rng);
            }
            "attaching" => {
                self.open();
                if self.are_all_running() {
                    self.attach();
                }
            }
            "detaching" => "detached".clone_into(&mut self.volume.status.state),
            "creating" => "detached".clone_into(&mut self.volume.status.state),
            _ => {
                self.open();
                "attaching".clone_into(&mut self.volume.status.state);
            }
        }
    }

    /// Replicas without a disk get one: those that somebody else has made.
    fn schedule(&mut self, rng: &mut impl Rng) {
        for index in 0..self.replicas.len() {
            if is_scheduled(&self.replicas[index]) {
                continue;
            }
            let disk = scheduler::disk_for(&self.volume, &self.replicas, self.desk.view, rng);
            if let Some(disk) = disk {
                self.change(index, |replica| place(replica, disk));
            }
        }
    }

    /// Any waiting replica makes the volume say so.
    fn tell_waiting(&mut self) {
        let waiting = self.replicas.iter().filter(|r| is_waiting(r));
        let conditions = waiting.clone().flat_map(|r| &r.status.conditions);
        let failures = conditions
            .filter(|c| c.type_ == WAITING && c.reason == "GetBackingImageFailed")
            .map(|c| c.message.as_str());
        let failures: Vec<&str> = failures.collect();
        let text = match (waiting.count(), failures.is_empty()) {
            (0, _) => ["", ""],
            (_, true) => ["Waiting", ""],
            (_, false) => ["GetBackingImageFailed", &failures.join("; ")],
        };
        let is_waiting = !text[0].is_empty();
        let status = &mut self.volume.status;
        set_condition(
            &mut status.conditions,
            WAITING,
            is_waiting,
            text,
            self.desk.now,
        );
    }

    fn change(&mut self, index: usize, change: impl FnOnce(&mut Replica)) {
        if let Some(replica) = self.replicas.get_mut(index) {
            change(Arc::make_mut(replica));
        }
    }

    /// A replica whose process is lost has failed; its data may be used again.
    fn mark_lost(&mut self) {
        let now = self.desk.now.to_string();
        for index in 0..self.replicas.len() {
            let replica = &self.replicas[index];
            let is_lost = match replica.status.current_state.as_str() {
                "error" => true,
                "unknown" => self.desk.view.is_down_or_gone(&replica.spec.node_id),
                _ => false,
            };
            if is_lost && is_usable(replica) {
                self.change(index, |r| {
                    r.spec.failed_at.clone_from(&now);
                    "stopped".clone_into(&mut r.spec.desire_state);
                });
            }
        }
    }

    /// `openVolumeDependentResources`: all usable replicas are to run.
    fn open(&mut self) {
        for index in 0..self.replicas.len() {
            let replica = &self.replicas[index];
            let is_stopped = matches!(replica.status.current_state.as_str(), "" | "stopped");
            let is_up = self.desk.view.is_node_ready(&replica.spec.node_id);
            if is_usable(replica) && is_up && is_stopped {
                self.change(index, |r| "running".clone_into(&mut r.spec.desire_state));
            }
        }
    }

    /// The engine is not started until every usable replica runs.
    fn are_all_running(&self) -> bool {
        if self.desk.behaviour.has(Defect::AttachesWithoutAll) {
            return true;
        }
        let usable = |r: &&Arc<Replica>| is_usable(r) && is_scheduled(r);
        let mut usable = self.replicas.iter().filter(usable).peekable();
        usable.peek().is_some() && usable.all(|r| r.status.current_state == "running")
    }

    fn attach(&mut self) {
        let node = self.volume.spec.node_id.clone();
        let name = self.volume.name().to_owned();
        let message = format!("volume {name} has been attached to {node}");
        self.plan
            .event("Volume", &name, EventType::Normal, "Attached", message);
        "attached".clone_into(&mut self.volume.status.state);
        self.volume.status.current_node_id = node;
        self.rebuild();
        self.judge();
    }

    /// A replica that runs gets its data.
    fn rebuild(&mut self) {
        let now = self.desk.now.to_string();
        for index in 0..self.replicas.len() {
            let replica = &self.replicas[index];
            let is_running = replica.status.current_state == "running";
            if is_usable(replica) && is_running && replica.spec.healthy_at.is_empty() {
                self.change(index, |r| r.spec.healthy_at.clone_from(&now));
            }
        }
    }

    fn judge(&mut self) {
        let healthy = self.replicas.iter().filter(|r| is_healthy(r)).count();
        let wanted = usize::try_from(self.volume.spec.number_of_replicas).unwrap_or_default();
        let status = &mut self.volume.status;
        status.robustness = match healthy {
            0 => "faulted",
            n if n < wanted => "degraded",
            _ => "healthy",
        }
        .to_owned();
        if status.robustness == "degraded" {
            if status.last_degraded_at.is_empty() {
                status.last_degraded_at = self.desk.now.to_string();
            }
        } else {
            status.last_degraded_at.clear();
        }
    }

    /// `replenishReplicas` and `EvictReplicas` of an attached volume: one at a time. A
    /// replica that waits counts as one that will come; and while there is one that
    /// has no data yet, no other is made for one that is merely evicted.
    fn replenish(&mut self, rng: &mut impl Rng) {
        let replaces_waiting = self.desk.behaviour.has(Defect::ReplacesWaitingReplicas);
        let counts = |r: &&Arc<Replica>| {
            is_usable(r) && !r.spec.eviction_requested && !(replaces_waiting && is_waiting(r))
        };
        let is_new = |r: &Arc<Replica>| is_usable(r) && r.spec.healthy_at.is_empty();
        let has_new = self.replicas.iter().any(is_new);
        let count = self.replicas.iter().filter(counts).count();
        let wanted = usize::try_from(self.volume.spec.number_of_replicas).unwrap_or_default();
        let is_healthy = self.volume.status.robustness == "healthy";
        if count < wanted {
            let is_blocked = is_healthy && has_new;
            if !is_blocked && !self.reuse() && self.has_waited() {
                self.add_replica(rng);
            }
        } else if !has_new {
            self.drop_evicted(rng);
        }
    }

    /// A failed replica whose node is back gets another go.
    fn reuse(&mut self) -> bool {
        let back = self.replicas.iter().position(|r| {
            let is_stopped = r.status.current_state == "stopped";
            let disk = &r.spec.disk_id;
            let is_there = self.desk.view.nodes.values().any(|node| {
                self.desk.view.is_node_ready(node.name())
                    && node.disks().any(|d| d.status.disk_uuid == *disk)
            });
            !r.spec.failed_at.is_empty()
                && !r.spec.healthy_at.is_empty()
                && is_there
                && is_stopped
                && !r.spec.eviction_requested
        });
        let Some(index) = back else { return false };
        self.change(index, |r| {
            r.spec.failed_at.clear();
            r.spec.healthy_at.clear();
        });
        true
    }

    /// `RequireNewReplica`: one that may come back is waited for.
    fn has_waited(&self) -> bool {
        let may_return = |r: &Arc<Replica>| {
            !r.spec.failed_at.is_empty()
                && !r.spec.healthy_at.is_empty()
                && !r.spec.eviction_requested
        };
        if !self.replicas.iter().any(may_return) {
            return true;
        }
        let wait = self.desk.view.number("replica-replenishment-wait-interval");
        let since = self.volume.status.last_degraded_at.parse::<Timestamp>();
        since.is_ok_and(|since| self.desk.now >= since + SignedDuration::from_secs(wait))
    }

    /// `cleanupEvictionRequestedReplicas`: one, and never the last healthy one; and
    /// failed ones once there are enough.
    fn drop_evicted(&mut self, rng: &mut impl Rng) {
        let stays = |r: &Arc<Replica>| is_healthy(r) && !r.spec.eviction_requested;
        let has_healthy = self.replicas.iter().any(stays);
        let kept = self.replicas.iter().rfind(|r| is_healthy(r));
        let kept = kept.map(|r| r.name().to_owned());
        let leaving = self
            .replicas
            .iter()
            .filter(|r| r.spec.eviction_requested || !r.spec.failed_at.is_empty())
            .filter(|r| has_healthy || kept.as_deref() != Some(r.name()))
            .map(|r| r.name().to_owned());
        if let Some(name) = shuffled(leaving, rng).first() {
            self.plan.delete(Kind::Replica, name);
        }
    }

    fn detach(&mut self) {
        for index in 0..self.replicas.len() {
            self.change(index, |r| "stopped".clone_into(&mut r.spec.desire_state));
        }
        let is_running =
            |r: &Arc<Replica>| !matches!(r.status.current_state.as_str(), "" | "stopped" | "error");
        let status = &mut self.volume.status;
        status.state = match self.replicas.iter().any(is_running) {
            true => "detaching",
            false => "detached",
        }
        .to_owned();
        status.current_node_id.clear();
        "unknown".clone_into(&mut status.robustness);
    }

    /// A replica on a disk that the scheduler chooses, or none and a condition.
    fn add_replica(&mut self, rng: &mut impl Rng) {
        let volume = &self.volume;
        let now = self.desk.now;
        // Without the scheduler, somebody else finds a disk for it.
        let disk = match self.desk.parts.has(Part::Scheduler) {
            false => None,
            true => {
                let found = scheduler::disk_for(volume, &self.replicas, self.desk.view, rng);
                if found.is_none() {
                    let text = ["ReplicaSchedulingFailure", scheduler::NO_DISK];
                    let conditions = &mut self.volume.status.conditions;
                    set_condition(conditions, "Scheduled", false, text, now);
                    return;
                }
                found
            }
        };
        let id = |rng: &mut _| format!("{:08x}", RngExt::random::<u32>(rng));
        let mut replica = Replica::named(&format!("{}-r-{}", volume.name(), id(rng)));
        replica.spec.volume_name = volume.name().to_owned();
        replica.spec.volume_size.clone_from(&volume.spec.size);
        replica
            .spec
            .backing_image
            .clone_from(&volume.spec.backing_image);
        replica.spec.data_engine = volume.spec.data_engine.clone();
        "stopped".clone_into(&mut replica.spec.desire_state);
        replica.spec.data_directory_name = format!("{}-{}", volume.name(), id(rng));
        if let Some(disk) = disk {
            let message = format!("Schedule replica to node {}", disk.node);
            self.plan.log(Level::Info, "", message);
            place(&mut replica, disk);
            let conditions = &mut self.volume.status.conditions;
            set_condition(conditions, "Scheduled", true, ["", ""], now);
        }
        put_labels(&mut replica);
        let object = Object::Replica(Box::new(replica.clone()));
        self.plan.write(Write::Create(object));
        // It takes part in the scheduling of the next one; it is not to be updated.
        self.replicas.push(Arc::new(replica));
    }

    fn end(mut self, before: &Volume) -> Plan {
        for (old, new) in self.before.iter().zip(&self.replicas) {
            if old.spec != new.spec {
                let mut replica = Replica::clone(new);
                put_labels(&mut replica);
                self.plan.update(Object::Replica(Box::new(replica)));
            }
        }
        if self.volume.status != before.status {
            self.plan.finish(Object::Volume(Box::new(self.volume)));
        }
        self.plan
    }
}
