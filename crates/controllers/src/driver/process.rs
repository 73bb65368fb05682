//! One Longhorn manager process: its backing image controller with caches, work
//! queue, five workers and resyncs, and its data source controller's one duty.

use std::time::Duration;

use fixname_longhorn::Node;
use fixname_naming::ImageRef;
use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::caches::{Caches, Lag, Seen};
use super::chores::{Chore, Hand};
use super::send::{Ended, Sender};
use super::{FIRST_RESYNC, ModelClock, RESYNC};
use crate::backing_image::{self, Context};
use crate::behaviour::Behaviour;
use crate::defect::Defect;
use crate::effect::{Level, LogLine, Object};
use crate::queue::{Verdict, WorkQueue};
use crate::trace::TraceItem;
use crate::view::View;

/// Workers of the backing image controller (`controller/controller_manager.go:28` at v1.9.1).
const WORKERS: usize = 5;

/// How often the data source controller looks (the recordings' stand-in: 1 s).
const DATA_SOURCE_PERIOD: Duration = Duration::from_secs(1);

/// How long a reconcile waits until it looks whether the caches show its write.
const CACHE_WAIT: Duration = Duration::from_millis(1);

/// How often one reconcile looks again; far more than it has writes to make.
const MOST_REREADS: u32 = 2_000;

/// How often the node controller and the manager controller look after images
/// (the recordings' stand-in: 5 s; the real ones: at node events and every 30 s).
const NODE_PERIOD: Duration = Duration::from_secs(5);

/// Which controllers besides that of backing images a process runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Duties {
    /// The data source controller's one duty, [`crate::data_source::sync_images`].
    pub data_sources: bool,
    /// Eviction and the cleanup of unused copies: [`crate::node`] and
    /// [`crate::missing_disk`].
    pub nodes: bool,
}

impl Default for Duties {
    fn default() -> Self {
        Self {
            data_sources: true,
            nodes: true,
        }
    }
}

/// What a process is started with.
#[derive(Clone, Debug)]
pub struct ProcessOptions {
    /// The version's switches.
    pub behaviour: Behaviour,
    /// The flag `--backing-image-manager-image`.
    pub manager_image: ImageRef,
    /// The node it runs on.
    pub controller_id: String,
    /// What else it does.
    pub duties: Duties,
    /// How late its caches show what has changed, at most. What it writes itself
    /// shows at once, for the real code waits for that.
    pub cache_lag: Duration,
    /// Where its random choices come from.
    pub seed: u64,
}

/// How a process ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Exit {
    /// It was told to.
    Stopped,
    /// The real code panics here; the process ends with exit code 2.
    Panicked(String),
}

/// A running process. Dropping it stops it.
#[derive(Debug)]
pub struct Process {
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<Exit>,
}

impl Process {
    /// Starts a process on the current tokio runtime.
    pub fn start(sender: Sender, options: ProcessOptions) -> Self {
        let (stop, stopped) = oneshot::channel();
        let mut run = Run {
            caches: match options.cache_lag {
                Duration::ZERO => Caches::watch(&sender.client, &sender.namespace),
                longest => Caches::watch_late(
                    &sender.client,
                    &sender.namespace,
                    Lag {
                        clock: sender.clock,
                        longest,
                        seed: options.seed,
                    },
                ),
            },
            sender,
            options,
            queue: WorkQueue::default(),
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

    /// Stops the process and waits until it is gone.
    pub async fn stop(mut self) -> Exit {
        self.stop.take();
        (&mut self.task).await.unwrap_or(Exit::Stopped)
    }

    /// True once it has ended by itself.
    pub fn has_ended(&self) -> bool {
        self.task.is_finished()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Waits for a moment of model time; for ever if there is none.
pub(super) async fn sleep_until(clock: ModelClock, at: Option<Duration>) {
    match at {
        Some(at) => clock.sleep(at.saturating_sub(clock.elapsed())).await,
        None => std::future::pending().await,
    }
}

struct Run {
    sender: Sender,
    options: ProcessOptions,
    caches: Caches,
    queue: WorkQueue,
    /// Reconciles started so far; each has a stream of random numbers of its own.
    started: u64,
}

/// What a worker brings back.
struct Finished {
    key: String,
    ended: Ended,
    written: Vec<Object>,
    /// The random numbers of this reconcile, from their start.
    choices: ChaCha8Rng,
    /// How often it has looked again.
    rereads: u32,
}

type Work = BoxFuture<'static, Finished>;

impl Run {
    async fn forever(&mut self) -> Exit {
        let mut phases = ChaCha8Rng::seed_from_u64(self.options.seed);
        let mut phase = |period: Duration| period.mul_f64(phases.random::<f64>());
        let clock = self.sender.clock;
        let mut workers: FuturesUnordered<Work> = FuturesUnordered::new();
        let resync = tokio::time::sleep_until(clock.ahead(FIRST_RESYNC));
        let sources = tokio::time::sleep_until(clock.ahead(phase(DATA_SOURCE_PERIOD)));
        let nodes = tokio::time::sleep_until(clock.ahead(phase(NODE_PERIOD)));
        let disks = tokio::time::sleep_until(clock.ahead(phase(NODE_PERIOD)));
        let mut chores: FuturesUnordered<BoxFuture<'static, Chore>> = FuturesUnordered::new();
        tokio::pin!(resync, sources, nodes, disks);
        loop {
            while self.caches.are_synced()
                && workers.len() < WORKERS
                && let Some(key) = self.queue.take()
            {
                workers.push(self.reconcile(key));
            }
            tokio::select! {
                biased;
                seen = self.caches.next() => match seen {
                    Ok(seen) => seen.iter().for_each(|seen| self.trigger(seen)),
                    Err(error) => self.sender.note(TraceItem::Trouble(error.to_string())),
                },
                Some(finished) = workers.next() => {
                    if finished.ended == Ended::Reread && finished.rereads < MOST_REREADS {
                        workers.push(self.reread(finished));
                        continue;
                    }
                    let key = finished.key.clone();
                    match self.finish(finished) {
                        Ok(Some(delay)) => self.queue.add_at(&key, clock.elapsed() + delay),
                        Ok(None) => {}
                        Err(panic) => return Exit::Panicked(panic),
                    }
                }
                () = sleep_until(clock, self.queue.next_due()) => {
                    self.queue.add_due(clock.elapsed());
                }
                () = &mut resync, if !self.options.behaviour.has(Defect::NeverResyncs) => {
                    for name in self.caches.view.images.keys() {
                        self.queue.add(name.clone());
                    }
                    resync.set(tokio::time::sleep_until(clock.ahead(RESYNC)));
                }
                Some(chore) = chores.next() => {
                    chore.written.into_iter().for_each(|object| self.caches.remember(object));
                    if let Some(text) = chore.panic {
                        self.sender.note(TraceItem::Panic(text.clone()));
                        return Exit::Panicked(text);
                    }
                }
                () = &mut sources, if self.options.duties.data_sources => {
                    chores.push(Box::pin(self.hand().tend_data_sources()));
                    sources.set(tokio::time::sleep_until(clock.ahead(DATA_SOURCE_PERIOD)));
                }
                () = &mut nodes, if self.options.duties.nodes => {
                    chores.push(Box::pin(self.hand().tend_nodes()));
                    nodes.set(tokio::time::sleep_until(clock.ahead(NODE_PERIOD)));
                }
                () = &mut disks, if self.options.duties.nodes
                    && self.options.behaviour.evicts_missing_disks =>
                {
                    chores.push(Box::pin(self.hand().tend_missing_disks()));
                    disks.set(tokio::time::sleep_until(clock.ahead(NODE_PERIOD)));
                }
            }
        }
    }

    fn next_rng(&mut self) -> ChaCha8Rng {
        let mut rng = ChaCha8Rng::seed_from_u64(self.options.seed);
        rng.set_stream(self.started);
        self.started += 1;
        rng
    }

    /// What a chore works with.
    fn hand(&mut self) -> Hand {
        Hand::new(
            self.sender.clone(),
            self.next_rng(),
            self.caches.view.clone(),
            self.options.clone(),
        )
    }

    fn reconcile(&mut self, key: String) -> Work {
        let rng = self.next_rng();
        self.go_on(key, rng, 0)
    }

    /// Begins a reconcile, or goes on with one that has written something.
    fn go_on(&mut self, key: String, choices: ChaCha8Rng, rereads: u32) -> Work {
        let mut rng = self.next_rng();
        let view: View = self.caches.view.clone();
        let sender = self.sender.clone();
        let options = self.options.clone();
        Box::pin(async move {
            let effects = backing_image::reconcile(
                &key,
                &view,
                &Context {
                    behaviour: &options.behaviour,
                    namespace: &sender.namespace,
                    controller_id: &options.controller_id,
                    manager_image: &options.manager_image,
                    now: sender.clock.now(),
                },
                &mut choices.clone(),
            );
            let mut written = Vec::new();
            let ended = sender.carry_out(effects, &mut rng, &mut written).await;
            Finished {
                key,
                ended,
                written,
                choices,
                rereads,
            }
        })
    }

    /// Goes on once the caches show what was written: the real code waits for that
    /// (`datastore/longhorn.go`, `verifyCreation` and `verifyUpdate`).
    fn reread(&mut self, finished: Finished) -> Work {
        let rereads = finished.rereads + 1;
        for object in &finished.written {
            self.caches.remember(object.clone());
        }
        if finished.written.iter().all(|o| self.caches.show(o)) {
            return self.go_on(finished.key, finished.choices, rereads);
        }
        let clock = self.sender.clock;
        Box::pin(async move {
            clock.sleep(CACHE_WAIT).await;
            Finished {
                rereads,
                ..finished
            }
        })
    }

    /// `handleErr` (`controller/backing_image_controller.go:184-200` at v1.9.1):
    /// after how long to try again, if at all; `Err` if the process panicked.
    fn finish(&mut self, finished: Finished) -> Result<Option<Duration>, String> {
        let Finished {
            key,
            ended,
            written,
            ..
        } = finished;
        for object in written {
            self.caches.remember(object);
        }
        self.queue.done(&key);
        let (error, conflict) = match ended {
            // What never showed was deleted at once; its event brings the key back.
            Ended::Reread => {
                self.queue.forget(&key);
                return Ok(None);
            }
            Ended::Done { requeue } => {
                self.queue.forget(&key);
                if requeue {
                    self.queue.add(key);
                }
                return Ok(None);
            }
            Ended::Panicked(text) => {
                self.sender.note(TraceItem::Panic(text.clone()));
                return Err(text);
            }
            Ended::Failed { error, conflict } => (error, conflict),
        };
        let verdict = match self.options.behaviour.defect {
            Some(Defect::RetriesForEver) => Verdict::RetryAfter(Duration::from_millis(20)),
            Some(Defect::NeverRetries) => Verdict::Drop,
            _ => self.queue.fail(&key),
        };
        let message = match verdict {
            Verdict::RetryAfter(_) => "Failed to sync Longhorn backing image",
            Verdict::Drop => "Dropping Longhorn backing image out of the queue",
        };
        let namespace = &self.sender.namespace;
        self.sender.note(TraceItem::Log(LogLine {
            level: if conflict {
                Level::Warning
            } else {
                Level::Error
            },
            message: message.to_owned(),
            error: Some(format!(
                "failed to sync backing image for {namespace}/{key}: {error}"
            )),
            image: key,
        }));
        Ok(match verdict {
            Verdict::RetryAfter(delay) => Some(delay),
            Verdict::Drop => None,
        })
    }

    /// Queues the images that a change concerns (lines 92-130 and 1476-1590).
    fn trigger(&mut self, seen: &Seen) {
        match seen {
            Seen::Image(old, new) => {
                let image = new.as_ref().or(old.as_ref());
                image.into_iter().for_each(|i| self.queue.add(i.name()));
            }
            Seen::Manager(old, new) => {
                let is_ignored = self.options.behaviour.has(Defect::IgnoresManagers);
                let Some(manager) = new.as_ref().or(old.as_ref()).filter(|_| !is_ignored) else {
                    return;
                };
                let listed = manager.spec.backing_images.keys();
                for image in listed.chain(manager.status.backing_image_file_map.keys()) {
                    self.queue.add(image.clone());
                }
            }
            Seen::DataSource(old, new) => {
                let source = new.as_ref().or(old.as_ref());
                source.into_iter().for_each(|s| self.queue.add(s.name()));
            }
            Seen::Replica(old, new) => {
                let replica = new.as_ref().or(old.as_ref());
                let image = replica.map(|r| r.spec.backing_image.clone());
                image
                    .filter(|name| !name.is_empty())
                    .into_iter()
                    .for_each(|name| self.queue.add(name));
            }
            Seen::Node(Some(old), Some(new)) => self.trigger_by_node(old, new),
            Seen::Node(..) | Seen::Setting(..) | Seen::Volume(..) => {}
        }
    }

    /// An eviction flag changed, or a disk is new: images with that disk in
    /// their *status* are queued.
    fn trigger_by_node(&mut self, old: &Node, new: &Node) {
        let node_changed = old.spec.eviction_requested != new.spec.eviction_requested;
        for (name, disk) in &new.spec.disks {
            let before = old.spec.disks.get(name);
            let changed = before.is_none_or(|b| b.eviction_requested != disk.eviction_requested);
            let Some(status) = new.status.disk_status.get(name) else {
                continue;
            };
            if !node_changed && !changed {
                continue;
            }
            for image in self.caches.view.images.values() {
                let copies = image.status.disk_file_status_map.as_ref();
                if copies.is_some_and(|map| map.contains_key(&status.disk_uuid)) {
                    self.queue.add(image.name());
                }
            }
        }
    }
}
