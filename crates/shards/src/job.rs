//! The Job, and what its status says. Pure.

use std::collections::BTreeMap;
use std::time::Duration;

use k8s_openapi::api::batch::v1::Job;
use serde_json::{Value, json};

/// The label with the name of a run, on its jobs and pods.
pub(crate) const RUN: &str = "fixname.io/run";
/// The label with the shard, on a job that runs a single one again.
pub(crate) const SHARD: &str = "fixname.io/shard";
/// The annotation with the shard, on pods of an Indexed Job.
pub(crate) const INDEX: &str = "batch.kubernetes.io/job-completion-index";

/// After this a job that nobody removed is removed by Kubernetes: a day.
const LEFT_SECONDS: u32 = 86_400;
/// A pod has nothing to put in order when it is told to end.
const GRACE_SECONDS: u32 = 1;
/// "nonroot" of the usual minimal images; any number but 0 would do.
const USER: u32 = 65_532;

/// What runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobSpec {
    /// The name of the run and of its job: a DNS label of at most 40 characters.
    pub name: String,
    /// Where.
    pub namespace: String,
    /// The container image; its entry point is the program.
    pub image: String,
    /// `IfNotPresent`, `Always` or `Never`.
    pub pull_policy: String,
    /// The program's arguments, as they are. One more comes after them: the
    /// shard, as `I/N` with I from 0. The program must print its part, and
    /// nothing else, on stdout.
    pub args: Vec<String>,
    /// How many shards, at least one.
    pub shards: u32,
    /// Pods at a time.
    pub parallelism: u32,
    /// What each pod asks for: `cpu`, `memory`, as Kubernetes writes them.
    pub requests: BTreeMap<String, String>,
    /// What each pod gets at most.
    pub limits: BTreeMap<String, String>,
    /// How often a shard is run again, by the Job and after it.
    pub retries: u32,
    /// Kubernetes ends the pods after this time, whoever watches.
    pub within: Duration,
}

impl JobSpec {
    /// The job of all shards, as it is sent to the API server.
    ///
    /// # Errors
    /// When the spec makes no Job; never seen.
    pub fn job(&self) -> Result<Job, serde_json::Error> {
        // The Job controller adds the variable to every container, and the
        // kubelet puts its value in here.
        let mut job = object(self, &self.name, "$(JOB_COMPLETION_INDEX)");
        job["spec"]["completions"] = self.shards.into();
        job["spec"]["parallelism"] = self.parallelism.min(self.shards).into();
        job["spec"]["completionMode"] = "Indexed".into();
        job["spec"]["backoffLimitPerIndex"] = self.retries.into();
        typed(job)
    }

    /// The job of one shard that has to be run again.
    pub(crate) fn single(&self, shard: u32, attempt: u32) -> Result<Job, serde_json::Error> {
        let name = format!("{}-{shard}-{attempt}", self.name);
        let mut job = object(self, &name, &shard.to_string());
        job["spec"]["backoffLimit"] = 0.into();
        job["metadata"]["labels"][SHARD] = shard.to_string().into();
        job["spec"]["template"]["metadata"]["labels"][SHARD] = shard.to_string().into();
        typed(job)
    }
}

fn typed(job: Value) -> Result<Job, serde_json::Error> {
    serde_json::from_value(job)
}

/// As it is: `$$` is how a `$` is written where `$(NAME)` means a variable.
fn literal(arg: &str) -> String {
    arg.replace('$', "$$")
}

fn object(spec: &JobSpec, name: &str, shard: &str) -> Value {
    let mut args: Vec<String> = spec.args.iter().map(|arg| literal(arg)).collect();
    args.push(format!("{shard}/{}", spec.shards));
    json!({
        "metadata": {"name": name, "namespace": spec.namespace, "labels": {RUN: spec.name}},
        "spec": {
            "activeDeadlineSeconds": spec.within.as_secs().max(1),
            "ttlSecondsAfterFinished": LEFT_SECONDS,
            // A drained node is nobody's failure.
            "podFailurePolicy": {"rules": [{
                "action": "Ignore",
                "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}],
            }]},
            "template": {
                "metadata": {"labels": {RUN: spec.name}},
                "spec": {
                    "restartPolicy": "Never",
                    "automountServiceAccountToken": false,
                    "enableServiceLinks": false,
                    "terminationGracePeriodSeconds": GRACE_SECONDS,
                    "securityContext": {
                        "runAsNonRoot": true,
                        "runAsUser": USER,
                        "runAsGroup": USER,
                        "seccompProfile": {"type": "RuntimeDefault"},
                    },
                    "containers": [{
                        "name": "shard",
                        "image": spec.image,
                        "imagePullPolicy": spec.pull_policy,
                        "args": args,
                        "resources": {"requests": spec.requests, "limits": spec.limits},
                        "securityContext": {
                            "allowPrivilegeEscalation": false,
                            "readOnlyRootFilesystem": true,
                            "capabilities": {"drop": ["ALL"]},
                        },
                    }],
                },
            },
        },
    })
}

/// Whether a Job's `completedIndexes` or `failedIndexes` (`1,3-5,7`) hold an
/// index. What is no such text holds none.
#[must_use]
pub fn indices(text: &str, index: u32) -> bool {
    text.split(',').any(|part| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        match (first.parse::<u32>(), last.parse::<u32>()) {
            (Ok(first), Ok(last)) => (first..=last).contains(&index),
            _ => false,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec() -> JobSpec {
        JobSpec {
            name: "run".into(),
            namespace: "work".into(),
            image: "fixname:dev".into(),
            pull_policy: "IfNotPresent".into(),
            args: vec!["simulate".into(), "--note=$(HOME)".into(), "--shard".into()],
            shards: 4,
            parallelism: 9,
            requests: [("cpu".to_owned(), "1".to_owned())].into(),
            limits: BTreeMap::new(),
            retries: 2,
            within: Duration::from_secs(60),
        }
    }

    #[test]
    fn every_pod_is_told_its_shard_and_nothing_else_is_put_in() {
        let args = |job: Job| {
            let pod = job.spec.unwrap().template.spec.unwrap();
            pod.containers[0].args.clone().unwrap()
        };
        let job = spec().job().unwrap();
        let batch = job.spec.clone().unwrap();
        assert_eq!((batch.completions, batch.parallelism), (Some(4), Some(4)));
        assert_eq!(batch.completion_mode.as_deref(), Some("Indexed"));
        assert_eq!(batch.active_deadline_seconds, Some(60));
        let as_it_is = ["simulate", "--note=$$(HOME)", "--shard"];
        assert_eq!(args(job)[..3], as_it_is);
        assert_eq!(args(spec().job().unwrap())[3], "$(JOB_COMPLETION_INDEX)/4");
        let again = spec().single(3, 1).unwrap();
        assert_eq!(again.metadata.name.as_deref(), Some("run-3-1"));
        assert_eq!(args(again.clone())[..3], as_it_is);
        assert_eq!(args(again)[3], "3/4");
    }

    #[test]
    fn index_lists_are_read_as_the_job_controller_writes_them() {
        let held: Vec<u32> = (0..12).filter(|&i| indices("1,3-5,7,10-11", i)).collect();
        assert_eq!(held, [1, 3, 4, 5, 7, 10, 11]);
        for text in ["", "x", "1-", "-", "5-3"] {
            assert!((0..12).all(|i| !indices(text, i)), "{text}");
        }
    }
}
