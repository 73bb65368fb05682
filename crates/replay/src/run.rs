//! One run: one scenario, one version, one seed, one API server.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use fixname_controllers::driver::{Sender, SharedMachines};
use fixname_controllers::webhooks::Webhooks;
use fixname_controllers::{Behaviour, Part, Parts, Trace, TraceItem};
use fixname_longhorn::BackingImage;
use fixname_naming::{LonghornVersion, Scheme};
use kube::Api;
use kube::api::{Patch, PatchParams};
use serde_json::{Map, Value, json};

use crate::act;
use crate::backend::Definitions;
use crate::backend::Session;
use crate::cluster::{self, objects};
use crate::disk;
use crate::event::{Failure, Outcome, RunResult, StepResult, Verdict};
use crate::expect::{Last, Observer, PATIENCE, words};
use crate::managers::Managers;
use crate::scenario::{Action, Copies, Expectation, Scenario, Step, Subject};

/// How many log lines a failure shows.
const LOG_TAIL: usize = 8;

/// What to play, besides the scenario.
#[derive(Clone, Debug)]
pub struct RunOptions {
    /// The version to begin with.
    pub longhorn: LonghornVersion,
    /// Where every random choice comes from.
    pub seed: u64,
    /// Gives the models of all versions this name function instead of their own.
    pub name_scheme: Option<Scheme>,
    /// What of the model is played. The rest is there, or missing.
    pub parts: Parts,
    /// Definitions to load instead of ours.
    pub definitions: Option<Definitions>,
    /// Scenarios may run programs on this machine.
    pub commands: bool,
    /// Keeps what a failed run left for somebody to look at: its namespace on a
    /// cluster that outlives the suite, else its objects, in a file in this folder.
    pub keep_on_failure: Option<PathBuf>,
}

/// A run of which nothing is known yet, and which so has not passed.
pub(crate) fn begun(scenario: &Scenario, options: &RunOptions) -> RunResult {
    RunResult {
        name: scenario.name.clone(),
        title: scenario.title.clone(),
        file: scenario.file.clone(),
        longhorn: options.longhorn.clone(),
        result: Verdict::Failed,
        duration: Duration::ZERO,
        model_time: Duration::ZERO,
        seed: options.seed,
        steps: Vec::new(),
        failures: Vec::new(),
        kept: None,
    }
}

/// Plays a scenario on an API server that is ready for it.
pub(crate) async fn run(
    scenario: &Scenario,
    options: &RunOptions,
    session: &Session,
    cancelled: &(dyn Fn() -> bool + Sync),
) -> RunResult {
    let began = Instant::now();
    let mut result = begun(scenario, options);
    match Player::set_up(scenario, options, session, cancelled).await {
        Ok(mut player) => {
            for step in &scenario.steps {
                let (played, failures) = player.play(step).await;
                result.steps.push(played);
                result.failures.extend(failures);
                // What follows a step that went wrong proves nothing.
                if !result.failures.is_empty() {
                    break;
                }
            }
            result.failures.extend(player.faults_never_met());
            result.failures.extend(player.end().await);
        }
        Err(failure) => result.failures.push(failure),
    }
    if result.failures.is_empty() {
        result.result = Verdict::Passed;
    }
    result.duration = began.elapsed();
    result.model_time = session.clock.elapsed();
    result
}

struct Player<'a> {
    scenario: &'a Scenario,
    options: &'a RunOptions,
    session: &'a Session,
    cancelled: &'a (dyn Fn() -> bool + Sync),
    sender: Sender,
    managers: Managers,
    /// Requests that faults wait for, since the run began.
    faults: u64,
    /// Those among them that break watches, which is trouble that was asked for.
    watch_faults: u64,
}

impl<'a> Player<'a> {
    async fn set_up(
        scenario: &'a Scenario,
        options: &'a RunOptions,
        session: &'a Session,
        cancelled: &'a (dyn Fn() -> bool + Sync),
    ) -> Result<Self, Failure> {
        let broken = |found: String| Failure {
            step: "set-up".to_owned(),
            line: None,
            expected: "a cluster as the scenario describes it".to_owned(),
            found: vec![found],
            log: Vec::new(),
        };
        let nodes = objects(&scenario.cluster)
            .create(&session.client, &session.namespace)
            .await
            .map_err(|e| broken(e.to_string()))?;
        let machines = SharedMachines::default();
        machines.with(|machines| cluster::furnish(machines, &scenario.cluster, &nodes));
        let sender = Sender {
            client: session.model_client(),
            namespace: session.namespace.clone(),
            trace: Trace::default(),
            clock: session.clock,
            admission: session.admission,
            latency: session.latency,
        };
        Ok(Self {
            scenario,
            options,
            session,
            cancelled,
            managers: Managers::new(&scenario.cluster, options, sender.clone(), machines)
                .map_err(broken)?,
            sender,
            faults: 0,
            watch_faults: 0,
        })
    }

    async fn play(&mut self, step: &Step) -> (StepResult, Vec<Failure>) {
        let mut failures = Vec::new();
        let from = self.sender.trace.len();
        for action in &step.actions {
            if let Err(found) = self.act(action).await {
                failures.push(self.failure(
                    step,
                    "the step's actions to be carried out",
                    vec![found],
                ));
            }
        }
        if let Err(found) = self.managers.start() {
            failures.push(self.failure(step, "a manager process", vec![found]));
        }
        let mut outcomes = Vec::new();
        if failures.is_empty() {
            for expectation in step
                .expect
                .iter()
                .filter(|e| e.on.includes(&self.managers.longhorn))
            {
                match self.check(expectation, from).await {
                    Ok(outcome) => outcomes.push(outcome),
                    Err(found) => {
                        failures.push(self.failure(step, &sentence(expectation), found));
                    }
                }
            }
        }
        if self.managers.have_ended() {
            failures.push(self.failure(
                step,
                "the manager process to go on",
                vec!["it ended by itself".to_owned()],
            ));
        }
        let result = StepResult {
            name: step.name.text.clone(),
            longhorn: self.managers.longhorn.clone(),
            outcomes,
        };
        (result, failures)
    }

    async fn act(&mut self, action: &Action) -> Result<(), String> {
        let (client, namespace) = (&self.session.client, &self.session.namespace);
        match action {
            Action::Want(copies) => {
                self.patch_copies(copies, &json!(cluster::copy_spec()))
                    .await
            }
            Action::Drop(copies) => self.patch_copies(copies, &Value::Null).await,
            Action::Apply(object) => {
                act::apply(client, namespace, object, self.session.admission).await
            }
            Action::Patch(patch) => act::patch(client, namespace, patch).await,
            Action::Delete(object) => act::delete(client, namespace, object).await,
            Action::Advance(seconds) => {
                let span = Duration::from_secs((*seconds).into());
                self.session.clock.sleep(span).await;
                Ok(())
            }
            Action::Fault(fault) => {
                act::fault(&self.session.faults, fault);
                self.faults = self.faults.saturating_add(fault.times);
                if fault.verb.as_deref() == Some("watch") {
                    self.watch_faults = self.watch_faults.saturating_add(fault.times);
                }
                Ok(())
            }
            Action::Run(command) => {
                if !self.options.commands {
                    return Err("commands of scenarios are not allowed here".to_owned());
                }
                let file = self.scenario.file.as_deref();
                command.run(self.session, file, self.cancelled).await
            }
            Action::Restart => {
                // The next one starts when the step's actions are done.
                self.managers.stop().await;
                Ok(())
            }
            Action::Upgrade(to) => self.install(&to.0, false).await,
            Action::Install(install) => self.install(&install.version.0, install.keep_image).await,
            Action::NodeDown(node) => self.managers.power(node, false).await,
            Action::NodeUp(node) => self.managers.power(node, true).await,
            Action::AddDisk(new) => {
                let machines = &self.managers.machines;
                disk::add(client, namespace, machines, &self.scenario.cluster, new).await
            }
            Action::Config(config) => disk::configure(&self.managers.machines, config),
        }
    }

    /// Exchanges the managers, and with them the webhooks.
    async fn install(
        &mut self,
        version: &LonghornVersion,
        keeps_image: bool,
    ) -> Result<(), String> {
        let client = &self.session.client;
        self.managers.install(version, keeps_image, client).await?;
        if let Some(in_force) = &self.session.webhooks {
            in_force.set(Webhooks::of(version).map_err(|e| e.to_string())?);
        }
        Ok(())
    }

    /// One merge patch of an image's `diskFileSpecMap`.
    async fn patch_copies(&self, copies: &Copies, entry: &Value) -> Result<(), String> {
        let uuids = copies
            .disks
            .iter()
            .filter_map(|d| self.scenario.cluster.disks.get(d));
        let map: Map<String, Value> = uuids.map(|uuid| (uuid.clone(), entry.clone())).collect();
        let patch = json!({"spec": {"diskFileSpecMap": map}});
        let api: Api<BackingImage> =
            Api::namespaced(self.session.client.clone(), &self.session.namespace);
        api.patch(
            &copies.image,
            &PatchParams::default(),
            &Patch::Merge(&patch),
        )
        .await
        .map(drop)
        .map_err(|e| format!("patch backing image {}: {e}", copies.image))
    }

    async fn check(&self, expectation: &Expectation, from: usize) -> Result<Outcome, Vec<String>> {
        let expected = Behaviour::of(&self.managers.longhorn).map_err(|e| vec![e.to_string()])?;
        let observer = Observer {
            client: &self.session.client,
            namespace: &self.session.namespace,
            clock: self.session.clock,
            trace: &self.sender.trace,
            is_logged: self.options.parts.has(Part::BackingImage),
            cluster: &self.scenario.cluster,
            expected: &expected,
            manager_image: &self.managers.image,
            kept: &self.managers.kept,
            cancelled: self.cancelled,
            server: self.session.server.as_ref(),
            last: Last::default(),
            last_look: Last::default(),
        };
        match expectation.subject().map_err(|error| vec![error])? {
            Subject::Stuck(stuck) => observer.stuck(stuck).await,
            Subject::Settled(settled) => observer.settled(settled).await,
            subject => {
                let time = expectation.span().time(PATIENCE);
                let time = time.map_err(|error| vec![error])?;
                observer.seen(subject, time, from).await
            }
        }
    }

    /// A fault that no request met has shown nothing.
    fn faults_never_met(&self) -> Option<Failure> {
        let met = self.session.faults.plan(|plan| plan.injected());
        (met < self.faults).then(|| Failure {
            step: "the whole run".to_owned(),
            line: None,
            expected: format!("requests that meet all {} faults", self.faults),
            found: vec![format!("{met} were met")],
            log: Vec::new(),
        })
    }

    /// Stops the manager; trouble of the run itself fails it, however green it looked.
    async fn end(mut self) -> Option<Failure> {
        self.managers.stop().await;
        let trouble: Vec<String> = self
            .sender
            .trace
            .since(0)
            .into_iter()
            .filter_map(|entry| match entry.item {
                TraceItem::Trouble(text) => Some(text),
                _ => None,
            })
            .filter(|text| {
                let asked_for = text.starts_with("watch ") && self.watch_faults > 0;
                self.watch_faults -= u64::from(asked_for);
                !asked_for
            })
            .collect();
        (!trouble.is_empty()).then(|| Failure {
            step: "the whole run".to_owned(),
            line: None,
            expected: "caches that follow the API server".to_owned(),
            found: trouble,
            log: Vec::new(),
        })
    }

    fn failure(&self, step: &Step, expected: &str, found: Vec<String>) -> Failure {
        let lines: Vec<String> = self
            .sender
            .trace
            .since(0)
            .into_iter()
            .filter_map(|entry| {
                let text = match entry.item {
                    TraceItem::Log(line) => line.text(),
                    TraceItem::Event(event) => event.text(),
                    TraceItem::Panic(text) => format!("panic: {text}"),
                    TraceItem::Trouble(_) => return None,
                };
                Some(format!("{:>8.2} s  {text}", entry.at.as_secs_f64()))
            })
            .collect();
        let tail = lines.len().saturating_sub(LOG_TAIL);
        Failure {
            step: format!("{} (Longhorn {})", step.name, self.managers.longhorn),
            line: step.name.line,
            expected: expected.to_owned(),
            found,
            log: lines[tail..].to_vec(),
        }
    }
}

fn sentence(expectation: &Expectation) -> String {
    match expectation.subject() {
        Ok(Subject::Stuck(stuck)) => {
            let disks: Vec<_> = stuck.contested.iter().map(ToString::to_string).collect();
            format!(
                "image {} to be stuck: one of {} has a manager, the others get none, and the status is frozen over two resyncs",
                stuck.image,
                disks.join(", ")
            )
        }
        Ok(Subject::Settled(settled)) => format!(
            "image {} to settle: one manager for every wanted disk, every copy ready, for two resyncs",
            settled.image
        ),
        Ok(subject) => match expectation.span().time(PATIENCE) {
            Ok(time) => words(subject, time),
            Err(error) => error,
        },
        Err(error) => error,
    }
}
