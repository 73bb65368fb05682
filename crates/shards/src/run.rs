//! Starts the job, waits for its pods, collects the parts, runs again what was
//! lost, and removes what it made.

use std::collections::BTreeMap;
use std::time::Duration;

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{DeleteParams, ListParams, LogParams, PostParams, PropagationPolicy};
use kube::{Api, Client, ResourceExt};
use thiserror::Error;
use tokio::time::{Instant, sleep};

use crate::job::{INDEX, JobSpec, RUN, SHARD, indices, single, whole};

/// Between two looks at the cluster.
const LOOK: Duration = Duration::from_secs(1);
/// So many looks in a row may go unanswered: an API server that restarts is no
/// reason to throw hours of work away.
const UNANSWERED: u32 = 60;

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

/// Why there is no whole. Nothing of it is half believed: begin again.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ShardError {
    /// The API server refused, or did not answer for a minute.
    #[error("{what}: {error}")]
    Api {
        /// What was tried.
        what: &'static str,
        /// What came back.
        #[source]
        error: Box<kube::Error>,
    },
    /// The job cannot be written; never seen.
    #[error("write the job: {0}")]
    Json(#[from] serde_json::Error),
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

/// Runs all shards and returns their parts in order. `read` makes a part of a
/// pod's output, or says why it is none. What was made in the cluster is removed
/// at the end, however it ends, unless `keep` says to leave it after a failure.
///
/// # Errors
/// When not every shard has a part in time.
pub async fn run<P>(
    client: &Client,
    spec: &JobSpec,
    within: Duration,
    keep: bool,
    read: &mut dyn FnMut(u32, &str) -> Result<P, String>,
    stop: &dyn Fn() -> bool,
    heard: &mut dyn FnMut(Progress),
) -> Result<Vec<P>, ShardError> {
    let mut work = Work {
        jobs: Api::namespaced(client.clone(), &spec.namespace),
        pods: Api::namespaced(client.clone(), &spec.namespace),
        spec,
        parts: BTreeMap::new(),
        attempts: BTreeMap::new(),
        reasons: BTreeMap::new(),
    };
    // A job of that name is somebody else's: it is not ours to remove.
    work.create(&whole(spec)?).await?;
    let result = work.collect(within, read, stop, heard).await;
    if result.is_ok() || !keep {
        let removed = work.remove().await;
        result?;
        removed?;
    } else {
        result?;
    }
    Ok(work.parts.into_values().collect())
}

struct Work<'a, P> {
    jobs: Api<Job>,
    pods: Api<Pod>,
    spec: &'a JobSpec,
    parts: BTreeMap<u32, P>,
    /// How often a shard was run again by us.
    attempts: BTreeMap<u32, u32>,
    /// What was wrong with a shard the last time.
    reasons: BTreeMap<u32, String>,
}

fn during(what: &'static str) -> impl FnOnce(kube::Error) -> ShardError {
    move |error| ShardError::Api {
        what,
        error: Box::new(error),
    }
}

impl<P> Work<'_, P> {
    async fn create(&self, job: &Job) -> Result<(), ShardError> {
        let created = self.jobs.create(&PostParams::default(), job).await;
        created.map(|_| ()).map_err(during("create a job"))
    }

    async fn remove(&self) -> Result<(), ShardError> {
        let ours = ListParams::default().labels(&format!("{RUN}={}", self.spec.name));
        let how = DeleteParams {
            propagation_policy: Some(PropagationPolicy::Background),
            ..DeleteParams::default()
        };
        for job in self.jobs.list(&ours).await.map_err(during("list jobs"))? {
            match self.jobs.delete(&job.name_any(), &how).await {
                Err(kube::Error::Api(status)) if status.code == 404 => {}
                answer => {
                    answer.map_err(during("delete a job"))?;
                }
            }
        }
        Ok(())
    }

    async fn collect(
        &mut self,
        within: Duration,
        read: &mut dyn FnMut(u32, &str) -> Result<P, String>,
        stop: &dyn Fn() -> bool,
        heard: &mut dyn FnMut(Progress),
    ) -> Result<(), ShardError> {
        let all = self.spec.shards;
        let began = Instant::now();
        let mut unanswered = 0;
        loop {
            let collected = self.parts.len() as u32;
            if stop() {
                return Err(ShardError::Stopped { collected, all });
            }
            if began.elapsed() >= within {
                return Err(ShardError::Timeout {
                    missing: all - collected,
                    all,
                    after: within,
                });
            }
            match self.look(read).await {
                Ok(progress) => {
                    unanswered = 0;
                    heard(progress);
                    if progress.collected == all {
                        return Ok(());
                    }
                }
                Err(error @ ShardError::Api { .. }) => {
                    unanswered += 1;
                    if unanswered == UNANSWERED || is_refusal(&error) {
                        return Err(error);
                    }
                }
                Err(error) => return Err(error),
            }
            sleep(LOOK).await;
        }
    }

    /// One look at all pods and jobs of the run.
    async fn look(
        &mut self,
        read: &mut dyn FnMut(u32, &str) -> Result<P, String>,
    ) -> Result<Progress, ShardError> {
        let ours = ListParams::default().labels(&format!("{RUN}={}", self.spec.name));
        // Jobs first: a pod that ends in between is then seen as ended, and not
        // as missing from a job that has ended.
        let jobs = self.jobs.list(&ours).await.map_err(during("list jobs"))?;
        let pods = self.pods.list(&ours).await.map_err(during("list pods"))?;
        let mut running = 0;
        for pod in &pods {
            let Some(shard) = shard_of(pod) else { continue };
            let phase = pod.status.as_ref().and_then(|s| s.phase.as_deref());
            match phase {
                Some("Running") => running += 1,
                Some("Succeeded") if !self.parts.contains_key(&shard) => {
                    let log = self.pods.logs(&pod.name_any(), &LogParams::default()).await;
                    match log
                        .map_err(|e| e.to_string())
                        .and_then(|log| read(shard, &log))
                    {
                        Ok(part) => {
                            self.parts.insert(shard, part);
                        }
                        Err(reason) => {
                            self.reasons.insert(shard, reason);
                        }
                    }
                }
                _ => {}
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
        self.create(&single(self.spec, shard, attempt)?).await?;
        self.attempts.insert(shard, attempt);
        Ok(())
    }
}

/// Which shard a pod works on.
fn shard_of(pod: &Pod) -> Option<u32> {
    let single = pod.labels().get(SHARD);
    single
        .or_else(|| pod.annotations().get(INDEX))?
        .parse()
        .ok()
}

/// An answer that waiting does not change.
fn is_refusal(error: &ShardError) -> bool {
    matches!(error, ShardError::Api { error, .. }
        if matches!(&**error, kube::Error::Api(status) if matches!(status.code, 400..=403 | 422)))
}
