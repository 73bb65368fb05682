//! One Longhorn manager process: caches, and for each of the controllers in the
//! registry a work queue, five workers and resyncs; and the rounds on their timers.

use std::sync::Arc;
use std::time::Duration;

use fixname_longhorn::objects::is_true;
use fixname_longhorn::{BackingImage, BackingImageManager};
use fixname_naming::ImageRef;
use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::caches::{Caches, Lag, Seen};
use super::chores::{Chore, Hand};
use super::registry::{CONTROLLERS, Controller, ROUNDS, Round, parts};
use super::send::{Ended, Sender};
use super::{ModelClock, RESYNC};
use crate::backing_image::Context;
use crate::behaviour::Behaviour;
use crate::defect::Defect;
use crate::effect::{Level, LogLine, Object};
use crate::parts::Parts;
use crate::plan::Seat;
use crate::queue::{Verdict, WorkQueue};
use crate::trace::TraceItem;
use crate::view::{View, shuffled};

/// Workers of each controller (`controller/controller_manager.go:28` at v1.9.1).
const WORKERS: usize = 5;

/// How long a reconcile waits until it looks whether the caches show its write.
const CACHE_WAIT: Duration = Duration::from_millis(1);

/// How often one reconcile looks again; far more than it has writes to make.
const MOST_REREADS: u32 = 2_000;

/// What a process is started with.
#[derive(Clone, Debug)]
pub struct ProcessOptions {
    /// The version's switches.
    pub behaviour: Behaviour,
    /// The flag `--backing-image-manager-image`.
    pub manager_image: ImageRef,
    /// Whose work it does.
    pub seat: Seat,
    /// What of it; parts that do not run in a process play no role here.
    pub parts: Parts,
    /// How late its caches show what has changed, at most. What it writes itself
    /// shows at once, for the real code waits for that.
    pub cache_lag: Duration,
    /// When its handlers are called with all objects for the first time, after its
    /// start: [`FIRST_RESYNC`](super::FIRST_RESYNC), or [`RESYNC`] on a machine so busy
    /// that the informers' first tick is late.
    pub first_resync: Duration,
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
    /// True if any of these parts runs in a process.
    pub fn runs(played: Parts) -> bool {
        parts().any(|part| played.has(part))
    }

    /// Starts a process on the current tokio runtime.
    pub fn start(sender: Sender, options: ProcessOptions) -> Self {
        let lag = Lag {
            clock: sender.clock,
            longest: options.cache_lag,
            seed: options.seed,
        };
        let caches = Caches::watch_late(&sender.client, &sender.namespace, lag);
        Self::with(caches, sender, options)
    }

    /// Starts one with caches that are fed by somebody else.
    pub(super) fn with(caches: Caches, sender: Sender, options: ProcessOptions) -> Self {
        let (stop, stopped) = oneshot::channel();
        let mut run = Run {
            caches,
            controllers: CONTROLLERS
                .iter()
                .filter(|controller| options.parts.has(controller.part))
                .map(Running::of)
                .collect(),
            sender,
            options,
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

    /// Waits until it has ended by itself.
    pub async fn ended(&mut self) -> Exit {
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

/// Waits for an instant; for ever if there is none.
async fn until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

struct Run {
    sender: Sender,
    options: ProcessOptions,
    caches: Caches,
    controllers: Vec<Running>,
    /// Reconciles started so far; each has a stream of random numbers of its own.
    started: u64,
}

/// A controller at work.
struct Running {
    controller: &'static Controller,
    queue: WorkQueue,
    /// Its workers that have something to do.
    busy: usize,
}

impl Running {
    fn of(controller: &'static Controller) -> Self {
        Self {
            controller,
            queue: WorkQueue::default(),
            busy: 0,
        }
    }
}

/// A round, and when it is due.
struct Timer {
    round: &'static Round,
    at: Instant,
}

/// What a worker brings back.
struct Finished {
    /// Which of the controllers it works for.
    controller: usize,
    key: String,
    ended: Ended,
    written: Vec<Object>,
    reading: Reading,
}

/// What a reconcile goes on with when it looks into its caches again.
struct Reading {
    /// Its random numbers, from their start.
    choices: ChaCha8Rng,
    /// The image that it works on. The real code reads it once, and writes to it what
    /// became of that one, whatever has changed meanwhile.
    image: Option<Arc<BackingImage>>,
    /// The managers that it has made. Its caches may still show one that has the name
    /// and is on its way out.
    made: Vec<Arc<BackingImageManager>>,
    /// How often it has looked again.
    rereads: u32,
}

type Work = BoxFuture<'static, Finished>;

impl Run {
    async fn forever(&mut self) -> Exit {
        let clock = self.sender.clock;
        let mut workers: FuturesUnordered<Work> = FuturesUnordered::new();
        let mut chores: FuturesUnordered<BoxFuture<'static, Chore>> = FuturesUnordered::new();
        let resync = tokio::time::sleep_until(clock.ahead(self.options.first_resync));
        tokio::pin!(resync);
        let mut timers = self.timers();
        loop {
            if self.caches.are_synced() {
                for index in 0..self.controllers.len() {
                    while let Some(key) = self.next_key(index) {
                        workers.push(self.reconcile(index, key));
                    }
                }
            }
            let queues = self.controllers.iter();
            let waiting = queues.filter_map(|c| c.queue.next_due()).min();
            let round = (0..timers.len()).min_by_key(|index| timers[*index].at);
            let round_at = round.map(|index| timers[index].at);
            tokio::select! {
                biased;
                seen = self.caches.next() => match seen {
                    Ok(seen) => seen.iter().for_each(|seen| self.trigger(seen)),
                    Err(error) => self.sender.note(TraceItem::Trouble(error.to_string())),
                },
                Some(finished) = workers.next() => {
                    if finished.ended == Ended::Reread && finished.reading.rereads < MOST_REREADS {
                        workers.push(self.reread(finished));
                        continue;
                    }
                    if let Err(panic) = self.finish(finished) {
                        return Exit::Panicked(panic);
                    }
                }
                () = sleep_until(clock, waiting) => {
                    let now = clock.elapsed();
                    self.controllers.iter_mut().for_each(|c| c.queue.add_due(now));
                }
                () = &mut resync, if !self.options.behaviour.has(Defect::NeverResyncs) => {
                    for running in &mut self.controllers {
                        for name in (running.controller.all)(&self.caches.view) {
                            running.queue.add(name);
                        }
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
                () = until(round_at) => if let Some(timer) = round.map(|index| &mut timers[index]) {
                    chores.push((timer.round.once)(self.hand()));
                    timer.at = clock.ahead(timer.round.period);
                }
            }
        }
    }

    /// The rounds that this process makes. Their phases do not depend on which of
    /// them it makes.
    fn timers(&self) -> Vec<Timer> {
        let mut phases = ChaCha8Rng::seed_from_u64(self.options.seed);
        let timers = ROUNDS.iter().map(|round| Timer {
            round,
            at: (self.sender.clock).ahead(round.period.mul_f64(phases.random::<f64>())),
        });
        let options = &self.options;
        let is_made =
            |round: &Round| options.parts.has(round.part) && (round.applies)(&options.behaviour);
        timers.filter(|timer| is_made(timer.round)).collect()
    }

    /// The next key of a controller that has a worker for it.
    fn next_key(&mut self, controller: usize) -> Option<String> {
        let running = &mut self.controllers[controller];
        if running.busy == WORKERS {
            return None;
        }
        let key = running.queue.take()?;
        running.busy += 1;
        Some(key)
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

    fn reconcile(&mut self, controller: usize, key: String) -> Work {
        let reading = Reading {
            choices: self.next_rng(),
            image: self.caches.view.images.get(&key).cloned(),
            made: Vec::new(),
            rereads: 0,
        };
        self.go_on(controller, key, reading)
    }

    /// The node whose manager works on an object; none if no manager is up.
    fn worker_of(&self, controller: usize, key: &str, rng: &mut ChaCha8Rng) -> Option<String> {
        if let Seat::Node(node) = &self.options.seat {
            return Some(node.clone());
        }
        let view = &self.caches.view;
        let owner = (self.controllers[controller].controller.owner)(key, view);
        if let Some(owner) = owner.filter(|owner| !view.is_down_or_gone(owner)) {
            return Some(owner.to_owned());
        }
        let up = view.nodes.values().filter(|node| {
            is_true(&node.status.conditions, "Ready") && !view.is_down_or_gone(node.name())
        });
        let node = shuffled(up, rng).pop()?;
        Some(node.name().to_owned())
    }

    /// Decides what a reconcile does, first or after it has written something, and
    /// carries it out in its own time.
    fn go_on(&mut self, controller: usize, key: String, reading: Reading) -> Work {
        let mut rng = self.next_rng();
        let sender = self.sender.clone();
        let options = &self.options;
        let effects = match self.worker_of(controller, &key, &mut rng) {
            None => Vec::new(),
            Some(node) => (self.controllers[controller].controller.reconcile)(
                &key,
                &self.view_with(&key, &reading),
                &Context {
                    behaviour: &options.behaviour,
                    namespace: &sender.namespace,
                    controller_id: &node,
                    manager_image: &options.manager_image,
                    now: sender.clock.now(),
                },
                &mut reading.choices.clone(),
            ),
        };
        Box::pin(async move {
            let mut written = Vec::new();
            let ended = sender.carry_out(effects, &mut rng, &mut written).await;
            Finished {
                controller,
                key,
                ended,
                written,
                reading,
            }
        })
    }

    /// The caches, but with the image as it was read, and the managers that were made.
    fn view_with(&self, key: &str, reading: &Reading) -> View {
        let mut view = self.caches.view.clone();
        for made in &reading.made {
            let cached = view.managers.get(made.name());
            if cached.is_some_and(|cached| {
                cached.is_deleting() && cached.metadata.uid != made.metadata.uid
            }) {
                view.managers
                    .insert(made.name().to_owned(), Arc::clone(made));
            }
        }
        if let Some(image) = &reading.image
            && !(view.images.get(key)).is_some_and(|cached| {
                cached.metadata.resource_version == image.metadata.resource_version
            })
        {
            view.images.insert(key.to_owned(), Arc::clone(image));
        }
        view
    }

    /// Goes on once the caches show what was written: the real code waits for that
    /// (`datastore/longhorn.go`, `verifyCreation` and `verifyUpdate`).
    fn reread(&mut self, mut finished: Finished) -> Work {
        finished.reading.rereads += 1;
        for object in &finished.written {
            self.caches.remember(object.clone());
        }
        if finished.written.iter().all(|o| self.caches.show(o)) {
            let Finished {
                controller,
                key,
                written,
                mut reading,
                ..
            } = finished;
            for object in written {
                match object {
                    // It goes on with what its own write has answered.
                    Object::BackingImage(image) => reading.image = Some(Arc::new(*image)),
                    Object::Manager(manager) => reading.made.push(Arc::new(*manager)),
                    _ => {}
                }
            }
            return self.go_on(controller, key, reading);
        }
        let clock = self.sender.clock;
        Box::pin(async move {
            clock.sleep(CACHE_WAIT).await;
            finished
        })
    }

    /// `handleErr` (`controller/backing_image_controller.go:184-200` at v1.9.1): a
    /// failed key is tried again, or dropped; `Err` if the process panicked.
    fn finish(&mut self, finished: Finished) -> Result<(), String> {
        for object in finished.written {
            self.caches.remember(object);
        }
        let key = finished.key;
        let Running {
            controller,
            queue,
            busy,
        } = &mut self.controllers[finished.controller];
        *busy -= 1;
        queue.done(&key);
        let (error, conflict) = match finished.ended {
            // What never showed was deleted at once; its event brings the key back.
            Ended::Reread => {
                queue.forget(&key);
                return Ok(());
            }
            Ended::Done { requeue } => {
                queue.forget(&key);
                if requeue {
                    queue.add(key);
                }
                return Ok(());
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
            _ => queue.fail(&key),
        };
        let kind = controller.kind;
        let message = match verdict {
            Verdict::RetryAfter(_) => format!("Failed to sync Longhorn {kind}"),
            Verdict::Drop => format!("Dropping Longhorn {kind} out of the queue"),
        };
        if let Verdict::RetryAfter(delay) = verdict {
            queue.add_at(&key, self.sender.clock.elapsed() + delay);
        }
        let namespace = &self.sender.namespace;
        self.sender.note(TraceItem::Log(LogLine {
            level: if conflict {
                Level::Warning
            } else {
                Level::Error
            },
            message,
            error: Some(format!(
                "failed to sync {kind} for {namespace}/{key}: {error}"
            )),
            image: key,
        }));
        Ok(())
    }

    /// Queues the objects that a change concerns.
    fn trigger(&mut self, seen: &Seen) {
        let (view, behaviour) = (&self.caches.view, &self.options.behaviour);
        for running in &mut self.controllers {
            for name in (running.controller.triggers)(seen, view, behaviour) {
                running.queue.add(name);
            }
        }
    }
}
