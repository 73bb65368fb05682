//! The controllers of one Longhorn manager around that of backing images: nodes and
//! disks, managers, data sources, replicas, volumes, on machines that are shared with
//! the other managers. Each part can be left out.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::caches::{Caches, Seen};
use super::longhorn::LonghornOptions;
use super::neighbours::{self, Of};
use super::process::{Exit, sleep_until};
use super::send::{Ended, Sender};
use super::{ModelClock, RESYNC};
use crate::disk_monitor::{self, Collection};
use crate::effect::{Level, LogLine, Object};
use crate::machines::{Machines, News};
use crate::manager::Memory;
use crate::parts::{Part, Parts};
use crate::plan::{Desk, Plan, Seat};
use crate::queue::{Verdict, WorkQueue};
use crate::trace::TraceItem;
use crate::{manager, node, node_disks, replica, source, volume};

/// How often the machines are looked at.
const LOOK: Duration = Duration::from_secs(1);

/// Reconciles that go on at once.
const WORKERS: usize = 5;

/// How long to wait until the caches are looked at for what was written.
const CACHE_WAIT: Duration = Duration::from_millis(1);

/// How often they are, at most.
const MOST_LOOKS: u32 = 2_000;

/// The machines, shared by all managers of a cluster.
#[derive(Clone, Debug, Default)]
pub struct SharedMachines(Arc<Mutex<Machines>>);

impl SharedMachines {
    /// Does something with the machines.
    pub fn with<T>(&self, work: impl FnOnce(&mut Machines) -> T) -> T {
        // Every call leaves the machines whole, so a poisoned lock guards nothing broken.
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The running controllers. Dropping it stops them.
#[derive(Debug)]
pub(super) struct Station {
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<Exit>,
}

impl Station {
    /// True if any of these parts runs in a station.
    pub(super) fn runs(parts: Parts) -> bool {
        Of::ALL.into_iter().any(|of| of.runs(parts))
    }

    /// Starts them on the current tokio runtime.
    pub(super) fn start(
        caches: Caches,
        sender: Sender,
        machines: SharedMachines,
        options: LonghornOptions,
    ) -> Self {
        let (stop, stopped) = oneshot::channel();
        let mut run = Run {
            caches,
            sender,
            machines,
            options,
            queue: WorkQueue::default(),
            memory: Memory::default(),
            collections: BTreeMap::new(),
            news: 0,
            started: 1,
        };
        let task = tokio::spawn(async move {
            tokio::select! {
                biased;
                _ = stopped => Exit::Stopped,
                exit = run.forever() => exit,
            }
        });
        Self {
            stop: Some(stop),
            task,
        }
    }

    /// Stops them and waits until they are gone.
    pub(super) async fn stop(mut self) -> Exit {
        self.stop.take();
        (&mut self.task).await.unwrap_or(Exit::Stopped)
    }

    /// Waits until they have ended by themselves.
    pub(super) async fn ended(&mut self) -> Exit {
        (&mut self.task).await.unwrap_or(Exit::Stopped)
    }

    /// True once they have ended by themselves.
    pub(super) fn has_ended(&self) -> bool {
        self.task.is_finished()
    }
}

impl Drop for Station {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Run {
    sender: Sender,
    machines: SharedMachines,
    options: LonghornOptions,
    caches: Caches,
    queue: WorkQueue,
    memory: Memory,
    /// What the disk monitor of each node found.
    collections: BTreeMap<String, Collection>,
    /// How many news of the machines have been heard.
    news: usize,
    /// Random streams in use.
    started: u64,
}

/// What a reconcile has done.
struct Finished {
    key: String,
    ended: Ended,
    written: Vec<Object>,
    looks: u32,
}

type Work = BoxFuture<'static, Finished>;

impl Run {
    async fn forever(&mut self) -> Exit {
        let clock = self.sender.clock;
        let mut phases = self.rng();
        let mut phase = |period: Duration| period.mul_f64(phases.random::<f64>());
        let mut workers: FuturesUnordered<Work> = FuturesUnordered::new();
        let resync = tokio::time::sleep_until(clock.ahead(RESYNC + phase(RESYNC)));
        let monitor = tokio::time::sleep_until(clock.ahead(phase(LOOK)));
        let look = tokio::time::sleep_until(clock.ahead(phase(LOOK)));
        tokio::pin!(resync, monitor, look);
        loop {
            while self.caches.are_synced()
                && workers.len() < WORKERS
                && let Some(key) = self.queue.take()
            {
                workers.push(self.begin(key));
            }
            tokio::select! {
                biased;
                seen = self.caches.next() => match seen {
                    Ok(seen) => seen.iter().for_each(|seen| self.trigger(seen)),
                    Err(error) => self.sender.note(TraceItem::Trouble(error.to_string())),
                },
                Some(finished) = workers.next() => {
                    for object in &finished.written {
                        self.caches.remember(object.clone());
                    }
                    // The real code waits until its caches show what it wrote.
                    let is_shown = finished.written.iter().all(|o| self.caches.show(o));
                    if !is_shown && finished.looks < MOST_LOOKS {
                        workers.push(wait(clock, finished));
                    } else if let Err(panic) = self.finish(finished) {
                        return Exit::Panicked(panic);
                    }
                }
                () = sleep_until(clock, self.queue.next_due()) => {
                    self.queue.add_due(clock.elapsed());
                }
                () = &mut look => {
                    self.look();
                    look.set(tokio::time::sleep_until(clock.ahead(LOOK)));
                }
                () = &mut monitor => {
                    let wait = match self.caches.are_synced() {
                        true => {
                            self.monitor();
                            disk_monitor::PERIOD
                        }
                        false => LOOK,
                    };
                    monitor.set(tokio::time::sleep_until(clock.ahead(wait)));
                }
                () = &mut resync => {
                    self.resync();
                    resync.set(tokio::time::sleep_until(clock.ahead(RESYNC)));
                }
            }
        }
    }

    fn rng(&mut self) -> ChaCha8Rng {
        // Not the image controller's streams, which come from the seed itself.
        let mut rng = ChaCha8Rng::seed_from_u64(!self.options.seed);
        rng.set_stream(self.started);
        self.started += 1;
        rng
    }

    fn add(&mut self, of: Of, name: &str) {
        if of.runs(self.options.parts) {
            self.queue.add(of.key(name));
        }
    }

    /// Lets the machines go on, and hears what has changed there.
    fn look(&mut self) {
        let now = self.sender.clock.now();
        let from = self.news;
        let (news, count) = self.machines.with(|machines| {
            machines.advance(now);
            (machines.news(from).to_vec(), machines.news_count())
        });
        self.news = count;
        for news in news {
            match news {
                News::Manager(name) => self.add(Of::Manager, &name),
                News::Source(name) => self.add(Of::Source, &name),
                News::Replica(name) => self.add(Of::Replica, &name),
                News::Node(name) => self.add(Of::Node, &name),
            }
        }
    }

    /// The disk monitor of each node that is played here and has power.
    fn monitor(&mut self) {
        if !self.options.parts.has(Part::Node) {
            return;
        }
        let mut rng = self.rng();
        let nodes: Vec<_> = self.caches.view.nodes.values().cloned().collect();
        for node in nodes {
            let is_mine = match &self.options.seat {
                Seat::AllNodes => true,
                Seat::Node(me) => me == node.name(),
            };
            let (view, behaviour) = (&self.caches.view, &self.options.behaviour);
            let now = self.sender.clock.now();
            let collection = self.machines.with(|machines| {
                if !is_mine || machines.is_down(node.name()) {
                    return None;
                }
                let (collection, calls) =
                    disk_monitor::look(&node, view, machines, behaviour, &mut rng);
                calls.into_iter().for_each(|call| machines.call(call, now));
                Some(collection)
            });
            if let Some(collection) = collection {
                self.collections.insert(node.name().to_owned(), collection);
                self.add(Of::Node, node.name());
            }
        }
    }

    fn resync(&mut self) {
        let keys = neighbours::all(&self.caches.view);
        keys.into_iter().for_each(|(of, name)| self.add(of, &name));
    }

    /// Queues what a change concerns.
    fn trigger(&mut self, seen: &Seen) {
        if let Seen::Node(_, Some(node)) = seen {
            self.machines.with(|machines| machines.provide(node));
        }
        let keys = neighbours::concerned(seen, &self.caches.view);
        keys.into_iter().for_each(|(of, name)| self.add(of, &name));
    }

    /// Decides at once, and carries it out in its own time.
    fn begin(&mut self, key: String) -> Work {
        let mut rng = self.rng();
        let plans = match Of::parse(&key) {
            Some((of, name)) => self.plans(of, name, &mut rng),
            None => Vec::new(),
        };
        let (sender, machines) = (self.sender.clone(), self.machines.clone());
        Box::pin(async move {
            let mut written = Vec::new();
            let mut ended = Ended::Done { requeue: false };
            for Plan { calls, effects } in plans {
                let now = sender.clock.now();
                machines.with(|m| calls.into_iter().for_each(|call| m.call(call, now)));
                match sender.carry_out(effects, &mut rng, &mut written).await {
                    Ended::Done { requeue: false } => {}
                    Ended::Done { requeue: true } => ended = Ended::Done { requeue: true },
                    other => {
                        ended = other;
                        break;
                    }
                }
            }
            Finished {
                key,
                ended,
                written,
                looks: 0,
            }
        })
    }

    fn plans(&mut self, of: Of, name: &str, rng: &mut ChaCha8Rng) -> Vec<Plan> {
        let now = self.sender.clock.now();
        let (view, options) = (&self.caches.view, &self.options);
        let (memory, collections) = (&mut self.memory, &self.collections);
        self.machines.with(|machines| {
            let desk = Desk {
                view,
                machines,
                behaviour: &options.behaviour,
                manager_image: &options.manager_image,
                seat: &options.seat,
                parts: options.parts,
                now,
            };
            match of {
                Of::Node => match view.nodes.get(name) {
                    Some(object) => node_plans(object, collections.get(name), &desk, rng),
                    None => Vec::new(),
                },
                Of::Manager => manager::reconcile(name, &desk, memory, rng),
                Of::Source => vec![source::reconcile(name, &desk, rng)],
                Of::Replica => vec![replica::reconcile(name, &desk)],
                Of::Volume => vec![volume::reconcile(name, &desk, rng)],
            }
        })
    }

    /// `Err` if the process panicked.
    fn finish(&mut self, finished: Finished) -> Result<(), String> {
        let Finished { key, ended, .. } = finished;
        self.queue.done(&key);
        let error = match ended {
            Ended::Done { requeue } => {
                self.queue.forget(&key);
                if requeue {
                    self.queue.add(key);
                }
                return Ok(());
            }
            Ended::Reread => return Ok(()),
            Ended::Panicked(text) => {
                self.sender.note(TraceItem::Panic(text.clone()));
                return Err(text);
            }
            Ended::Failed { error, .. } => error,
        };
        let verdict = self.queue.fail(&key);
        let (word, name) = key.split_once('/').unwrap_or(("object", &key));
        let message = match verdict {
            Verdict::RetryAfter(_) => format!("Failed to sync Longhorn {word}"),
            Verdict::Drop => format!("Dropping Longhorn {word} out of the queue"),
        };
        let namespace = &self.sender.namespace;
        self.sender.note(TraceItem::Log(LogLine {
            level: Level::Error,
            message,
            error: Some(format!(
                "failed to sync {word} for {namespace}/{name}: {error}"
            )),
            image: String::new(),
        }));
        if let Verdict::RetryAfter(delay) = verdict {
            let at = self.sender.clock.elapsed() + delay;
            self.queue.add_at(&key, at);
        }
        Ok(())
    }
}

/// Waits a moment before the caches are looked at again.
fn wait(clock: ModelClock, finished: Finished) -> Work {
    Box::pin(async move {
        clock.sleep(CACHE_WAIT).await;
        Finished {
            looks: finished.looks + 1,
            ..finished
        }
    })
}

/// One reconcile of a node: disks, then unused copies, then evictions. The parts do
/// not depend on each other, but an error in one ends the rest.
fn node_plans(
    object: &fixname_longhorn::Node,
    collection: Option<&Collection>,
    desk: &Desk<'_>,
    rng: &mut ChaCha8Rng,
) -> Vec<Plan> {
    let mut plans = vec![node_disks::reconcile(object, collection, desk, rng)];
    let owner = desk.owner(object.name(), object.name());
    if owner.as_deref() != Some(object.name()) {
        return plans;
    }
    let plan = |effects| Plan {
        calls: Vec::new(),
        effects,
    };
    let unused = node::clean_up_unused_copies(object, desk.view, desk.now, rng);
    plans.extend(unused.into_iter().map(plan));
    plans.push(node_disks::sync_replica_evictions(object, desk, rng));
    let evicted = node::sync_evictions(object, desk.view, desk.behaviour, rng);
    plans.extend(evicted.into_iter().map(plan));
    plans
}
