//! Starts the job, waits for its pods, collects the parts, runs again what was
//! lost, and removes what it made.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{DeleteParams, ListParams, LogParams, PostParams, PropagationPolicy};
use kube::{Api, Client, ResourceExt};
use thiserror::Error;
use tokio::time::{Instant, sleep};

use crate::LOG_BYTES;
use crate::job::{JobSpec, RUN, indices};
use crate::pods::{Fate, fate, shard_of};

/// Between two looks at the cluster, with few shards.
const LOOK: Duration = Duration::from_secs(1);
/// More for each shard: ten thousand pods are tens of megabytes.
const LOOK_PER_SHARD: Duration = Duration::from_millis(2);
/// An API server that restarts is no reason to throw hours of work away.
const UNANSWERED: Duration = Duration::from_secs(60);
/// So long every pod may be kept from starting before the run is given up.
const NO_START: Duration = Duration::from_secs(120);
/// So long the garbage collector may take for the pods.
const REMOVAL: Duration = Duration::from_secs(30);
/// Lines of a failed pod's log that are told.
const TOLD_LINES: i64 = 3;

/// How far a run is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// Shards whose part is here.
    pub collected: u32,
    /// Pods that run.
    pub running: u32,
    /// Shards that were run again after the job, so far.
    pub again: u32,
}

/// What happens, as it happens.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// After each look.
    Progress(Progress),
    /// A pod failed; the Job, or this crate after it, starts another.
    Failed {
        /// Of which shard.
        shard: u32,
        /// Why.
        reason: String,
    },
    /// A pod printed what is no part; the shard is run again.
    NoPart {
        /// Of which shard.
        shard: u32,
        /// Why.
        reason: String,
    },
    /// A shard is run again by a job of its own.
    Again {
        /// Which.
        shard: u32,
    },
    /// A pod does not start.
    Waiting {
        /// Of which shard.
        shard: u32,
        /// Why.
        reason: String,
    },
    /// The jobs are deleted, and so many pods were still there after 30 s.
    Left(usize),
}

/// How to run.
#[derive(Clone, Copy)]
pub struct Options<'a> {
    /// Leave everything in the cluster after a failure.
    pub keep: bool,
    /// Asked at every look: give up?
    pub stop: &'a dyn Fn() -> bool,
}

impl std::fmt::Debug for Options<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut fields = f.debug_struct("Options");
        fields.field("keep", &self.keep).finish_non_exhaustive()
    }
}

/// Why there is no whole. Nothing of it is half believed: begin again.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ShardError {
    /// The API server refused, or did not answer for a minute.
    #[error("{what}: {}", plain(error))]
    Api {
        /// What was tried.
        what: &'static str,
        /// What came back; the message has all of it.
        error: Box<kube::Error>,
    },
    /// There is a job of that name already; it was left alone.
    #[error("there is a job {0} already: another run of this, or what one left")]
    Exists(String),
    /// The job cannot be written; never seen.
    #[error("write the job: {0}")]
    Json(#[from] serde_json::Error),
    /// No pod of the run ever started.
    #[error("no pod has started in {} s: {reason}", NO_START.as_secs())]
    NoStart {
        /// What keeps one of them.
        reason: String,
    },
    /// A shard that failed, or whose part was no part, more often than allowed.
    #[error("shard {shard} has no part after {attempts} more tries: {reason}")]
    Lost {
        /// Which.
        shard: u32,
        /// How often it was run again.
        attempts: u32,
        /// What was wrong the last time.
        reason: String,
    },
    /// The time is over.
    #[error("{missing} of {all} shards are missing after {} s", .after.as_secs())]
    Timeout {
        /// Shards without a part.
        missing: u32,
        /// All shards.
        all: u32,
        /// The time there was.
        after: Duration,
    },
    /// Somebody stopped it.
    #[error("stopped with {collected} of {all} shards collected")]
    Stopped {
        /// Shards with a part.
        collected: u32,
        /// All shards.
        all: u32,
    },
}

/// Asks the API server whether it would take the job; makes nothing.
///
/// # Errors
/// When it would not.
pub async fn check(client: &Client, spec: &JobSpec) -> Result<Job, ShardError> {
    let jobs: Api<Job> = Api::namespaced(client.clone(), &spec.namespace);
    let params = PostParams {
        dry_run: true,
        ..PostParams::default()
    };
    let answer = jobs.create(&params, &spec.job()?).await;
    answer.map_err(|error| refused(spec, error))
}

/// Runs all shards and returns their parts in order. `read` makes a part of a
/// pod's output, or says why it is none. What was made in the cluster is removed
/// at the end, however it ends, unless it is to be kept after a failure.
///
/// # Errors
/// When not every shard has a part in time.
pub async fn run<P>(
    client: &Client,
    spec: &JobSpec,
    options: Options<'_>,
    read: &mut dyn FnMut(u32, &str) -> Result<P, String>,
    heard: &mut dyn FnMut(Event),
) -> Result<Vec<P>, ShardError> {
    let mut work = Work {
        jobs: Api::namespaced(client.clone(), &spec.namespace),
        pods: Api::namespaced(client.clone(), &spec.namespace),
        spec,
        began: Instant::now(),
        parts: BTreeMap::new(),
        attempts: BTreeMap::new(),
        reasons: BTreeMap::new(),
        told: BTreeSet::new(),
        started: false,
        heard,
    };
    let job = spec.job()?;
    let created = work.jobs.create(&PostParams::default(), &job).await;
    // A job of that name is somebody else's: it is not ours to remove.
    created.map_err(|error| refused(spec, error))?;
    let result = work.collect(options.stop, read).await;
    let removed = match &result {
        Err(_) if options.keep => Ok(()),
        _ => work.remove().await,
    };
    result.and(removed)?;
    Ok(work.parts.into_values().collect())
}

struct Work<'a, P> {
    jobs: Api<Job>,
    pods: Api<Pod>,
    spec: &'a JobSpec,
    began: Instant,
    parts: BTreeMap<u32, P>,
    /// How often a shard was run again by us.
    attempts: BTreeMap<u32, u32>,
    /// What was wrong with a shard the last time.
    reasons: BTreeMap<u32, String>,
    /// Pods, and reasons for waiting, that were told of.
    told: BTreeSet<String>,
    /// Whether a pod ever started.
    started: bool,
    heard: &'a mut dyn FnMut(Event),
}

fn during(what: &'static str) -> impl FnOnce(kube::Error) -> ShardError {
    move |error| ShardError::Api {
        what,
        error: Box::new(error),
    }
}

fn refused(spec: &JobSpec, error: kube::Error) -> ShardError {
    match error {
        kube::Error::Api(status) if status.code == 409 => ShardError::Exists(spec.name.clone()),
        error => during("create a job")(error),
    }
}

impl<P> Work<'_, P> {
    fn ours(&self) -> ListParams {
        ListParams::default().labels(&format!("{RUN}={}", self.spec.name))
    }

    /// Deletes the jobs and waits until the pods have followed them.
    async fn remove(&mut self) -> Result<(), ShardError> {
        let how = DeleteParams {
            propagation_policy: Some(PropagationPolicy::Background),
            ..DeleteParams::default()
        };
        let jobs = self.jobs.list(&self.ours()).await;
        for job in jobs.map_err(during("list jobs"))? {
            match self.jobs.delete(&job.name_any(), &how).await {
                Err(kube::Error::Api(status)) if status.code == 404 => {}
                answer => {
                    answer.map_err(during("delete a job"))?;
                }
            }
        }
        let began = Instant::now();
        loop {
            let pods = self.pods.list(&self.ours()).await;
            let left = pods.map_err(during("list pods"))?.items.len();
            if left == 0 {
                return Ok(());
            }
            if began.elapsed() >= REMOVAL {
                (self.heard)(Event::Left(left));
                return Ok(());
            }
            sleep(LOOK).await;
        }
    }

    async fn collect(
        &mut self,
        stop: &dyn Fn() -> bool,
        read: &mut dyn FnMut(u32, &str) -> Result<P, String>,
    ) -> Result<(), ShardError> {
        let (all, within) = (self.spec.shards, self.spec.within);
        let mut answered = Instant::now();
        loop {
            match self.look(read).await {
                Ok(progress) => {
                    answered = Instant::now();
                    (self.heard)(Event::Progress(progress));
                    if progress.collected == all {
                        return Ok(());
                    }
                }
                Err(error @ ShardError::Api { .. }) => {
                    if answered.elapsed() >= UNANSWERED || is_refusal(&error) {
                        return Err(error);
                    }
                }
                Err(error) => return Err(error),
            }
            // A Ctrl-C need not wait for the next look.
            let next = Instant::now() + LOOK + LOOK_PER_SHARD * all;
            while Instant::now() < next {
                let collected = self.parts.len() as u32;
                if stop() {
                    return Err(ShardError::Stopped { collected, all });
                }
                if self.began.elapsed() >= within {
                    return Err(ShardError::Timeout {
                        missing: all - collected,
                        all,
                        after: within,
                    });
                }
                sleep(LOOK.min(next - Instant::now())).await;
            }
        }
    }

    /// One look at all pods and jobs of the run.
    async fn look(
        &mut self,
        read: &mut dyn FnMut(u32, &str) -> Result<P, String>,
    ) -> Result<Progress, ShardError> {
        // Jobs first: a pod that ends in between is then seen as ended, and not
        // as missing from a job that has ended.
        let jobs = self.jobs.list(&self.ours()).await;
        let jobs = jobs.map_err(during("list jobs"))?;
        let pods = self.pods.list(&self.ours()).await;
        let pods = pods.map_err(during("list pods"))?;
        let mut running = 0;
        for pod in &pods {
            let Some(shard) = shard_of(pod) else { continue };
            let fate = fate(pod);
            self.started |= !matches!(fate, Fate::Waiting(_));
            match fate {
                Fate::Running => running += 1,
                Fate::Ended if !self.parts.contains_key(&shard) => {
                    self.read(shard, pod, read).await?;
                }
                Fate::Failed(reason) => self.failed(shard, pod, reason).await,
                Fate::Waiting(Some(reason)) => self.waits(shard, reason)?,
                Fate::Ended | Fate::Waiting(None) => {}
            }
        }
        for shard in 0..self.spec.shards {
            if !self.parts.contains_key(&shard) && self.has_ended(&jobs.items, shard) {
                self.again(shard).await?;
            }
        }
        Ok(Progress {
            collected: self.parts.len() as u32,
            running,
            again: self.attempts.values().sum(),
        })
    }

    async fn read(
        &mut self,
        shard: u32,
        pod: &Pod,
        read: &mut dyn FnMut(u32, &str) -> Result<P, String>,
    ) -> Result<(), ShardError> {
        let name = pod.name_any();
        if self.told.contains(&name) {
            return Ok(());
        }
        let params = LogParams {
            limit_bytes: i64::try_from(4 * LOG_BYTES).ok(),
            ..LogParams::default()
        };
        let log = match self.pods.logs(&name, &params).await {
            // The pod has gone since, and its log with it.
            Err(kube::Error::Api(status)) if status.code == 404 => return Ok(()),
            log => log.map_err(during("read the log of a pod"))?,
        };
        match read(shard, &log) {
            Ok(part) => {
                self.parts.insert(shard, part);
            }
            Err(reason) => {
                self.told.insert(name);
                self.reasons.insert(shard, reason.clone());
                (self.heard)(Event::NoPart { shard, reason });
            }
        }
        Ok(())
    }

    async fn failed(&mut self, shard: u32, pod: &Pod, mut reason: String) {
        let name = pod.name_any();
        if !self.told.insert(name.clone()) {
            return;
        }
        let params = LogParams {
            tail_lines: Some(TOLD_LINES),
            ..LogParams::default()
        };
        // What it said last is good to know, and no more than that.
        if let Ok(log) = self.pods.logs(&name, &params).await {
            let said = log.trim().lines().collect::<Vec<_>>().join("; ");
            if !said.is_empty() {
                reason += &format!("; it said: {said}");
            }
        }
        self.reasons.insert(shard, reason.clone());
        (self.heard)(Event::Failed { shard, reason });
    }

    fn waits(&mut self, shard: u32, reason: String) -> Result<(), ShardError> {
        if !self.started && self.began.elapsed() >= NO_START {
            return Err(ShardError::NoStart { reason });
        }
        // Of the many pods that wait for one thing, one is enough to be told.
        if self.told.insert(reason.clone()) {
            (self.heard)(Event::Waiting { shard, reason });
        }
        Ok(())
    }

    /// Whether nobody works on a shard any more.
    fn has_ended(&self, jobs: &[Job], shard: u32) -> bool {
        let attempt = self.attempts.get(&shard).copied().unwrap_or(0);
        let name = match attempt {
            0 => self.spec.name.clone(),
            n => format!("{}-{shard}-{n}", self.spec.name),
        };
        // A job that somebody deleted works no more either.
        let Some(job) = jobs.iter().find(|job| job.name_any() == name) else {
            return true;
        };
        let Some(status) = &job.status else {
            return false;
        };
        let finished = status.conditions.iter().flatten().any(|condition| {
            matches!(condition.type_.as_str(), "Complete" | "Failed") && condition.status == "True"
        });
        let listed = [&status.completed_indexes, &status.failed_indexes]
            .into_iter()
            .flatten()
            .any(|list| attempt == 0 && indices(list, shard));
        finished || listed
    }

    async fn again(&mut self, shard: u32) -> Result<(), ShardError> {
        let attempt = self.attempts.get(&shard).copied().unwrap_or(0) + 1;
        if attempt > self.spec.retries {
            let reason = self.reasons.remove(&shard);
            return Err(ShardError::Lost {
                shard,
                attempts: attempt - 1,
                reason: reason.unwrap_or_else(|| "its pod failed, or has gone".to_owned()),
            });
        }
        let job = self.spec.single(shard, attempt)?;
        match self.jobs.create(&PostParams::default(), &job).await {
            // It was made, and the answer was lost: the name is this run's.
            Err(kube::Error::Api(status)) if status.code == 409 => {}
            created => {
                created.map_err(during("create a job"))?;
            }
        }
        self.attempts.insert(shard, attempt);
        (self.heard)(Event::Again { shard });
        Ok(())
    }
}

/// What an API server said, or whatever kept it from saying anything.
fn plain(error: &kube::Error) -> String {
    if let kube::Error::Api(status) = error {
        return status.message.clone();
    }
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(inner) = source {
        let more = inner.to_string();
        if !text.contains(&more) {
            text += &format!(": {more}");
        }
        source = inner.source();
    }
    text
}

/// An answer that waiting does not change.
fn is_refusal(error: &ShardError) -> bool {
    matches!(error, ShardError::Api { error, .. }
        if matches!(&**error, kube::Error::Api(status) if matches!(status.code, 400..=403 | 422)))
}
