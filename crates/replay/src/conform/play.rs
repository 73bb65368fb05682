//! Plays one recording with one seed on an API server, and stops at the first step
//! that differs.

use std::collections::BTreeSet;
use std::time::Duration;

use fixname_controllers::driver::{
    Admission, Environment, FIRST_RESYNC, ModelClock, Process, ProcessOptions, RESYNC, Sender,
};
use fixname_controllers::pods::{Pods, Reports};
use fixname_controllers::webhooks::Webhooks;
use fixname_controllers::{Behaviour, Part, Parts, Seat, Trace, TraceEntry, TraceItem, Walk};
use fixname_longhorn::NAMESPACE;
use fixname_naming::{ImageRef, LonghornVersion};
use futures::future::Either;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tokio::sync::watch;

use super::compare::{Comparer, Difference, Extent, Played, Said};
use super::format::{Change, Finalizers, Operation, RecordedStep, Recording, StandIns};
use super::operate::Operator;
use super::setup;
use super::state::State;
use super::{ConformOptions, On, Tampering};
use crate::backend::{BackendError, EPOCH, embedded, real};
use crate::webhooks::{CONTROLLER as USER, Hook, Judged};

/// The longest that a request of the model takes, in ms, by seed: the recordings
/// were made on a machine that was now idle, now very busy.
const LATENCIES: [u64; 4] = [4, 12, 30, 120];

/// The process that runs alone is the manager of this node.
const CONTROLLER: &str = "node-1";

/// The scenarios whose triggers were counted; elsewhere the number of bursts
/// depended on how busy the machine was.
const COUNTED: [&str; 2] = ["attempts-per-trigger", "attempts-from-cold-start"];

/// The scenarios in which the recorder let a data source start again once it was
/// taken back from transferred to not transferred.
const RESTARTING: [&str; 2] = [
    "only-wanted-disk-is-the-loser-then-dropped",
    "last-copy-dropped-from-spec",
];

/// How a recording went with one seed.
pub(super) struct Outcome {
    /// Steps whose end states agree.
    pub(super) agreed: usize,
    /// All end states agree.
    pub(super) states_agree: bool,
    /// The differences of the first step that has any, and of the first state that differs.
    pub(super) differences: Vec<Difference>,
    /// What was said in each step that agrees: recorded, and by the model.
    pub(super) said: Vec<[Said; 2]>,
    /// Where it left the recorded run.
    pub(super) left: Option<Left>,
}

/// The end of the first step that does not agree.
pub(super) struct Left {
    /// The step's index.
    pub(super) step: usize,
    pub(super) state: State,
    /// What the process panicked with.
    pub(super) panic: Option<String>,
}

/// Plays a recording.
pub(super) fn play(
    recording: &Recording,
    seed: u64,
    extent: Extent,
    options: &ConformOptions,
    on: On<'_>,
) -> Result<Outcome, BackendError> {
    let tampering = options.tampering;
    let place = match on {
        On::Embedded => return embedded(recording, seed, extent, options),
        On::ControlPlane(backend) => Either::Left(backend),
        On::Context(backend) => Either::Right(backend),
    };
    real::runtime()?.block_on(async {
        let place = match place {
            Either::Left(backend) => backend.place().await?,
            Either::Right(backend) => backend.place()?,
        };
        place.prepare(options.definitions.as_ref()).await?;
        let (client, namespace) = (&place.client, &place.namespace);
        let stage = Stage {
            clients: [client.clone(), client.clone()],
            namespace: namespace.clone(),
            clock: ModelClock::new(EPOCH, place.time_scale),
            // A real server has a latency of its own, and so have its watches.
            latency: Duration::ZERO,
            cache_lag: Duration::ZERO,
            pause: Duration::ZERO,
            startup: Duration::ZERO,
        };
        let outcome = stage.play(recording, seed, extent, tampering).await;
        let cleaned = place.clean_up(&BTreeSet::new()).await;
        cleaned.map_err(|e| BackendError::new(format!("clean up {namespace}: {e}")))?;
        outcome
    })
}

/// In virtual time, where a seed gives the same run again.
fn embedded(
    recording: &Recording,
    seed: u64,
    extent: Extent,
    options: &ConformOptions,
) -> Result<Outcome, BackendError> {
    let definitions = options.definitions.as_ref();
    embedded::virtual_time()?.block_on(async {
        let server = embedded::prepared(&recording.version, definitions, seed).await?;
        let namespace = NAMESPACE;
        let client = server.client(namespace);
        if recording.finalizers == Finalizers::LonghornWebhooks {
            let webhooks = Webhooks::of(&recording.version).map_err(BackendError::new)?;
            let judged = Judged::User(USER);
            server.add_admission(Hook::new(webhooks, judged, &server, seed));
        }
        let stage = Stage {
            clients: [client, server.client_as(USER, namespace)],
            namespace: namespace.to_owned(),
            clock: ModelClock::new(EPOCH, 1.0),
            latency: latency(seed),
            cache_lag: cache_lag(seed),
            pause: pause(seed),
            startup: startup(seed),
        };
        stage.play(recording, seed, extent, options.tampering).await
    })
}

/// An API server that is ready for a recording.
struct Stage {
    /// The recorder's, and the controller's.
    clients: [kube::Client; 2],
    namespace: String,
    clock: ModelClock,
    latency: Duration,
    cache_lag: Duration,
    /// Between two writes of the recorder: of one operation, or (at most) of one look
    /// at the pods.
    pause: Duration,
    /// Between the start of a process and its first look at anything.
    startup: Duration,
}

impl Stage {
    async fn play(
        &self,
        recording: &Recording,
        seed: u64,
        extent: Extent,
        tampering: Tampering,
    ) -> Result<Outcome, BackendError> {
        setup::create(recording, &self.clients[0], &self.namespace)
            .await
            .map_err(|e| BackendError::new(format!("make the recorded cluster: {e}")))?;
        Player::new(recording, seed, self, tampering)
            .play(extent)
            .await
    }
}

fn latency(seed: u64) -> Duration {
    let count = LATENCIES.len() as u64;
    let index = usize::try_from(seed % count).unwrap_or_default();
    Duration::from_millis(LATENCIES[index])
}

/// How late the caches of a process are, by seed: in every second round of latencies
/// as long as a request takes, else not at all.
fn cache_lag(seed: u64) -> Duration {
    let round = seed / LATENCIES.len() as u64;
    if round.is_multiple_of(2) {
        Duration::ZERO
    } else {
        latency(seed)
    }
}

/// How long passes between two writes of the recorder, by seed: in two rounds of
/// latencies as long as any request may take, for the recorder was now quick, now
/// slow, whatever the controller was; in the next two no time at all.
fn pause(seed: u64) -> Duration {
    let pair_of_rounds = seed / (2 * LATENCIES.len() as u64);
    if !pair_of_rounds.is_multiple_of(2) {
        return Duration::ZERO;
    }
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let longest = LATENCIES[rng.random_range(0..LATENCIES.len())];
    Duration::from_millis(longest).mul_f64(rng.random::<f64>())
}

/// In which order maps are walked, by seed: by turns as the recorder's programs did, which
/// were built with Go 1.26, and in any order.
fn walk(seed: u64) -> Walk {
    match (seed / (4 * LATENCIES.len() as u64)).is_multiple_of(2) {
        true => Walk::Rotated,
        false => Walk::Shuffled,
    }
}

/// How long a process takes to start, by seed: in every third round of latencies it is
/// there at once, else the pods have been looked at before it looks at anything.
fn startup(seed: u64) -> Duration {
    /// The longest; the recorded ones began to work 0.4 to 2 s after they were started.
    const LONGEST: Duration = Duration::from_millis(1500);
    let round = seed / LATENCIES.len() as u64;
    if round.is_multiple_of(3) {
        return Duration::ZERO;
    }
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(1);
    LONGEST.mul_f64(rng.random::<f64>())
}

/// When a process first resyncs, by seed: mostly at the informers' second tick, in every
/// fifth round of latencies at the first, as where the machine was busy at that time.
fn first_resync(seed: u64) -> Duration {
    const ROUNDS: u64 = 5;
    let round = seed / LATENCIES.len() as u64;
    match round % ROUNDS == ROUNDS - 1 {
        true => RESYNC,
        false => FIRST_RESYNC,
    }
}

/// Whether the recorder forgot files on disks that were not ready, by seed, in three of
/// seven rounds of latencies: what it is said to have done can be read both ways, and no
/// recording shows it.
fn forgets_unseen_files(seed: u64) -> bool {
    const ROUNDS: u64 = 7;
    let round = seed / LATENCIES.len() as u64;
    round % ROUNDS >= 4
}

struct Player<'a> {
    recording: &'a Recording,
    seed: u64,
    tampering: Tampering,
    started: u64,
    cache_lag: Duration,
    startup: Duration,
    sender: Sender,
    operator: Operator,
    image: watch::Sender<ImageRef>,
    first: Option<Process>,
    second: Option<Process>,
    /// What the second process says, which recordings leave out: their texts are from
    /// the first one's log.
    aside: Trace,
    _environment: Environment,
}

impl<'a> Player<'a> {
    fn new(recording: &'a Recording, seed: u64, stage: &Stage, tampering: Tampering) -> Self {
        let [client, controller] = stage.clients.clone();
        let sender = Sender {
            client: controller,
            namespace: stage.namespace.clone(),
            trace: Trace::default(),
            clock: stage.clock,
            admission: match recording.finalizers {
                Finalizers::Webhook => Admission::Played,
                Finalizers::LonghornWebhooks | Finalizers::None => Admission::Cluster,
            },
            latency: stage.latency,
        };
        let first_image = recording.steps.first().map(|s| s.manager_image.clone());
        let (image, current) = watch::channel(first_image.unwrap_or_else(|| ImageRef::new("")));
        let (reports, reported) = watch::channel(Reports::new());
        let pods = match recording.stand_ins {
            StandIns::PodsDataSourcesEviction => {
                let mut pods = Pods::default().running_at_once();
                if forgets_unseen_files(seed) {
                    pods = pods.forgetting_unseen_files();
                }
                if RESTARTING.contains(&recording.scenario.as_str()) {
                    pods.restarting()
                } else {
                    pods
                }
            }
            StandIns::PodsOnly => Pods::default().serving_everything(),
        };
        Self {
            recording,
            seed,
            tampering,
            started: 0,
            cache_lag: stage.cache_lag,
            startup: stage.startup,
            _environment: Environment::start_reporting(
                Sender {
                    client: client.clone(),
                    latency: stage.pause,
                    ..sender.clone()
                },
                pods,
                current,
                reported,
                seed,
            ),
            operator: Operator {
                client,
                namespace: stage.namespace.clone(),
                finalizers: recording.finalizers,
                reports,
                clock: stage.clock,
                pause: stage.pause,
            },
            sender,
            image,
            first: None,
            second: None,
            aside: Trace::default(),
        }
    }

    async fn play(mut self, extent: Extent) -> Result<Outcome, BackendError> {
        let mut comparer = Comparer::default();
        let exact = COUNTED.contains(&self.recording.scenario.as_str());
        let mut outcome = Outcome {
            agreed: 0,
            states_agree: false,
            differences: Vec::new(),
            said: Vec::new(),
            left: None,
        };
        for (index, step) in self.recording.steps.iter().enumerate() {
            let since = self.sender.trace.len();
            let before = index.checked_sub(1).map(|i| &self.recording.steps[i]);
            let refused = self.act(step, before).await?;
            let mut trace = self.sender.trace.since(since);
            let aside = self.aside.since(0);
            if !self.seed.is_multiple_of(2) {
                lose_last_events(&mut trace);
            }
            for entry in &mut trace {
                in_longhorns_namespace(entry, &self.sender.namespace);
            }
            let played = Played {
                state: State::of(&self.operator.client, &self.operator.namespace)
                    .await
                    .map_err(|e| BackendError::new(format!("read the cluster: {e}")))?,
                panic: self.panic(&trace),
                trace: &trace,
            };
            let mut compared = comparer.step(step, &played, exact, extent);
            compared
                .states
                .extend(refused.into_iter().map(|text| Difference {
                    step: index + 1,
                    field: "changes".to_owned(),
                    recorded: "made".into(),
                    model: text.into(),
                }));
            if let Some(trouble) = trouble(&trace).or_else(|| trouble(&aside)) {
                return Err(BackendError::new(trouble));
            }
            // States that differ make all later ones differ; texts do not.
            let is_done = !compared.states.is_empty();
            if outcome.differences.is_empty() {
                outcome.differences = compared.states;
                outcome.differences.extend(compared.texts);
            } else {
                outcome.differences.extend(compared.states);
            }
            if is_done {
                outcome.left = Some(Left {
                    step: index,
                    state: played.state,
                    panic: played.panic,
                });
                return Ok(outcome);
            }
            outcome.agreed += 1;
            outcome.said.push(compared.said);
        }
        outcome.states_agree = true;
        Ok(outcome)
    }

    /// Plays a step to its end. The old process goes before the operations, the
    /// new one comes after them.
    async fn act(
        &mut self,
        step: &RecordedStep,
        before: Option<&RecordedStep>,
    ) -> Result<Vec<String>, BackendError> {
        let clock = self.sender.clock;
        let began = clock.elapsed();
        let is_replaced = self.recording.stand_ins == StandIns::PodsOnly
            || before.is_none_or(|before| {
                before.longhorn_version != step.longhorn_version
                    || before.manager_image != step.manager_image
            })
            || step
                .changes
                .iter()
                .any(|c| matches!(c.operation, Operation::RestartController {}));
        let has_ended = self.first.as_ref().is_none_or(Process::has_ended);
        if is_replaced && let Some(process) = self.first.take() {
            process.stop().await;
        }
        self.image.send_replace(step.manager_image.clone());
        let mut refused = Vec::new();
        for change in &step.changes {
            sleep_until(clock, began + milliseconds(change.at_ms)).await;
            if let Err(error) = self.operator.carry_out(&change.operation).await {
                refused.push(format!("{:?}: {error}", change.operation));
            }
            self.start_second(change)?;
        }
        if is_replaced || has_ended {
            clock.sleep(self.startup).await;
            let (version, image) = (&step.longhorn_version, &step.manager_image);
            let process = self.process(self.sender.clone(), version, image, CONTROLLER)?;
            self.first = Some(process);
        }
        sleep_until(clock, began + milliseconds(step.seconds * 1000.0)).await;
        Ok(refused)
    }

    fn start_second(&mut self, change: &Change) -> Result<(), BackendError> {
        if let Operation::StartSecondController {
            node,
            version,
            image,
        } = &change.operation
        {
            let sender = Sender {
                trace: self.aside.clone(),
                ..self.sender.clone()
            };
            self.second = Some(self.process(sender, version, image, node)?);
        }
        Ok(())
    }

    fn process(
        &mut self,
        sender: Sender,
        version: &LonghornVersion,
        image: &ImageRef,
        node: &str,
    ) -> Result<Process, BackendError> {
        let seed = self.seed.wrapping_mul(1_000_003).wrapping_add(self.started);
        self.started += 1;
        let parts = match self.recording.stand_ins {
            StandIns::PodsDataSourcesEviction => Parts::NONE
                .with(Part::BackingImage)
                .with(Part::DataSource)
                .with(Part::Node)
                .with(Part::BackingImageManager),
            StandIns::PodsOnly => Parts::NONE.with(Part::BackingImage),
        };
        let mut behaviour = Behaviour::of(version).map_err(BackendError::new)?;
        behaviour.walk = walk(self.seed);
        if let Some(tamper) = self.tampering.behaviour {
            tamper(&mut behaviour);
        }
        Ok(Process::start(
            sender,
            ProcessOptions {
                behaviour,
                manager_image: image.clone(),
                seat: Seat::Node(node.to_owned()),
                parts,
                cache_lag: self.cache_lag,
                first_resync: first_resync(self.seed),
                seed,
            },
        ))
    }

    fn panic(&self, trace: &[TraceEntry]) -> Option<String> {
        trace.iter().find_map(|entry| match &entry.item {
            TraceItem::Panic(text) => Some(text.clone()),
            _ => None,
        })
    }
}

/// Events are written down beside the work: a process that crashes takes those of its
/// last moment with it.
fn lose_last_events(trace: &mut Vec<TraceEntry>) {
    const MOMENT: Duration = Duration::from_millis(5);
    let crash = trace
        .iter()
        .find(|entry| matches!(entry.item, TraceItem::Panic(_)));
    if let Some(crash) = crash.map(|entry| entry.at) {
        trace.retain(|entry| {
            let is_last = entry.at <= crash && entry.at + MOMENT >= crash;
            !(is_last && matches!(entry.item, TraceItem::Event(_)))
        });
    }
}

/// Recordings have Longhorn's own namespace in all texts, wherever they were made.
fn in_longhorns_namespace(entry: &mut TraceEntry, namespace: &str) {
    let texts = match &mut entry.item {
        TraceItem::Log(line) => [Some(&mut line.message), line.error.as_mut()],
        TraceItem::Event(event) => [Some(&mut event.message), None],
        TraceItem::Panic(_) | TraceItem::Trouble(_) => [None, None],
    };
    for text in texts.into_iter().flatten() {
        if text.contains(namespace) {
            *text = text.replace(namespace, NAMESPACE);
        }
    }
}

fn trouble(trace: &[TraceEntry]) -> Option<String> {
    trace.iter().find_map(|entry| match &entry.item {
        TraceItem::Trouble(text) => Some(text.clone()),
        _ => None,
    })
}

fn milliseconds(ms: f64) -> Duration {
    Duration::from_secs_f64(ms.max(0.0) / 1000.0)
}

async fn sleep_until(clock: ModelClock, at: Duration) {
    if let Some(span) = at.checked_sub(clock.elapsed()) {
        clock.sleep(span).await;
    }
}
