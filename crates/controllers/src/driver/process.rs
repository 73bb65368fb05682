//! One Longhorn manager process: its backing image controller with caches, work
//! queue, five workers and resyncs, and its data source controller's one duty.

use std::time::Duration;

use fixname_longhorn::Node;
use fixname_naming::ImageRef;
use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::caches::{Caches, Seen};
use super::send::{Ended, Sender};
use super::{FIRST_RESYNC, RESYNC};
use crate::backing_image::{self, Context};
use crate::behaviour::Behaviour;
use crate::data_source;
use crate::effect::{Level, LogLine, Object};
use crate::queue::{Verdict, WorkQueue};
use crate::trace::TraceItem;
use crate::view::View;

/// Workers of the backing image controller (`controller/controller_manager.go:28` at v1.9.1).
const WORKERS: usize = 5;

/// How often the data source controller looks (the recordings' stand-in: 1 s).
const DATA_SOURCE_PERIOD: Duration = Duration::from_secs(1);

/// What a process is started with.
#[derive(Clone, Debug)]
pub struct ProcessOptions {
    /// The version's switches.
    pub behaviour: Behaviour,
    /// The flag `--backing-image-manager-image`.
    pub manager_image: ImageRef,
    /// The node it runs on.
    pub controller_id: String,
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
            caches: Caches::watch(&sender.client, &sender.namespace),
            sender,
            options,
            queue: WorkQueue::default(),
            started: 0,
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
}

type Work = BoxFuture<'static, Finished>;

impl Run {
    async fn forever(&mut self) -> Exit {
        let clock = self.sender.clock;
        let mut workers: FuturesUnordered<Work> = FuturesUnordered::new();
        let mut retries: FuturesUnordered<BoxFuture<'static, String>> = FuturesUnordered::new();
        let resync = tokio::time::sleep_until(clock.ahead(FIRST_RESYNC));
        let sources = tokio::time::sleep_until(clock.ahead(DATA_SOURCE_PERIOD));
        tokio::pin!(resync, sources);
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
                    let key = finished.key.clone();
                    match self.finish(finished) {
                        Ok(Some(delay)) => retries.push(Box::pin(async move {
                            clock.sleep(delay).await;
                            key
                        })),
                        Ok(None) => {}
                        Err(panic) => return Exit::Panicked(panic),
                    }
                }
                Some(key) = retries.next() => self.queue.add(key),
                () = &mut resync => {
                    for name in self.caches.view.images.keys() {
                        self.queue.add(name.clone());
                    }
                    resync.set(tokio::time::sleep_until(clock.ahead(RESYNC)));
                }
                () = &mut sources => {
                    let effects = data_source::sync_images(&self.caches.view);
                    let mut written = Vec::new();
                    let mut rng = self.next_rng();
                    self.sender.carry_out(effects, &mut rng, &mut written).await;
                    written.into_iter().for_each(|object| self.caches.remember(object));
                    sources.set(tokio::time::sleep_until(clock.ahead(DATA_SOURCE_PERIOD)));
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

    fn reconcile(&mut self, key: String) -> Work {
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
                &mut rng,
            );
            let mut written = Vec::new();
            let ended = sender.carry_out(effects, &mut rng, &mut written).await;
            Finished {
                key,
                ended,
                written,
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
        } = finished;
        for object in written {
            self.caches.remember(object);
        }
        self.queue.done(&key);
        let (error, conflict) = match ended {
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
        let verdict = self.queue.fail(&key);
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
                let Some(manager) = new.as_ref().or(old.as_ref()) else {
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
            Seen::Node(..) | Seen::Setting(..) => {}
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
