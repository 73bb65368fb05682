//! The Job, and what its status says. Pure.

use k8s_openapi::api::batch::v1::Job;
use serde_json::{Value, json};

/// The label with the name of a run, on its jobs and pods.
pub(crate) const RUN: &str = "fixname.io/run";
/// The label with the shard, on a job that runs a single one again.
pub(crate) const SHARD: &str = "fixname.io/shard";
/// The annotation with the shard, on pods of an Indexed Job.
pub(crate) const INDEX: &str = "batch.kubernetes.io/job-completion-index";

/// What runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobSpec {
    /// The name of the run and of its job.
    pub name: String,
    /// Where.
    pub namespace: String,
    /// The container image.
    pub image: String,
    /// `IfNotPresent`, `Always` or `Never`.
    pub pull_policy: String,
    /// The program's arguments; `{shard}` in them becomes the shard's number.
    /// It must print its part, and nothing else, on stdout.
    pub args: Vec<String>,
    /// How many shards, at least one.
    pub shards: u32,
    /// Pods at a time.
    pub parallelism: u32,
    /// CPU of each pod, as Kubernetes writes it.
    pub cpu: String,
    /// Memory of each pod, as Kubernetes writes it.
    pub memory: String,
    /// How often a shard is run again, by the Job and after it.
    pub retries: u32,
}

/// The job of all shards.
pub(crate) fn whole(spec: &JobSpec) -> Result<Job, serde_json::Error> {
    // The kubelet puts the index in; Job adds the variable to every container.
    let mut job = object(spec, &spec.name, "$(JOB_COMPLETION_INDEX)");
    job["spec"]["completions"] = spec.shards.into();
    job["spec"]["parallelism"] = spec.parallelism.min(spec.shards).into();
    job["spec"]["completionMode"] = "Indexed".into();
    job["spec"]["backoffLimitPerIndex"] = spec.retries.into();
    serde_json::from_value(job)
}

/// The job of one shard that has to be run again.
pub(crate) fn single(spec: &JobSpec, shard: u32, attempt: u32) -> Result<Job, serde_json::Error> {
    let name = format!("{}-{shard}-{attempt}", spec.name);
    let mut job = object(spec, &name, &shard.to_string());
    job["spec"]["backoffLimit"] = 0.into();
    job["metadata"]["labels"][SHARD] = shard.to_string().into();
    job["spec"]["template"]["metadata"]["labels"][SHARD] = shard.to_string().into();
    serde_json::from_value(job)
}

fn object(spec: &JobSpec, name: &str, shard: &str) -> Value {
    let args: Vec<String> = spec
        .args
        .iter()
        .map(|arg| arg.replace("{shard}", shard))
        .collect();
    json!({
        "metadata": {"name": name, "namespace": spec.namespace, "labels": {RUN: spec.name}},
        "spec": {"template": {
            "metadata": {"labels": {RUN: spec.name}},
            "spec": {
                "restartPolicy": "Never",
                "automountServiceAccountToken": false,
                "containers": [{
                    "name": "shard",
                    "image": spec.image,
                    "imagePullPolicy": spec.pull_policy,
                    "args": args,
                    "resources": {"requests": {"cpu": spec.cpu, "memory": spec.memory}},
                    "securityContext": {
                        "allowPrivilegeEscalation": false,
                        "readOnlyRootFilesystem": true,
                        "capabilities": {"drop": ["ALL"]},
                    },
                }],
            },
        }},
    })
}

/// The indices in a Job's `completedIndexes` or `failedIndexes`: `1,3-5,7`.
/// What is no such text holds none.
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
            args: vec!["simulate".into(), "--shard={shard}/4".into()],
            shards: 4,
            parallelism: 9,
            cpu: "1".into(),
            memory: "64Mi".into(),
            retries: 2,
        }
    }

    #[test]
    fn every_pod_is_told_its_shard() {
        let args = |job: Job| {
            let pod = job.spec.unwrap().template.spec.unwrap();
            pod.containers[0].args.clone().unwrap()
        };
        let job = whole(&spec()).unwrap();
        let batch = job.spec.clone().unwrap();
        assert_eq!((batch.completions, batch.parallelism), (Some(4), Some(4)));
        assert_eq!(batch.completion_mode.as_deref(), Some("Indexed"));
        assert_eq!(args(job), ["simulate", "--shard=$(JOB_COMPLETION_INDEX)/4"]);
        let again = single(&spec(), 3, 1).unwrap();
        assert_eq!(again.metadata.name.as_deref(), Some("run-3-1"));
        assert_eq!(args(again), ["simulate", "--shard=3/4"]);
    }

    #[test]
    fn index_lists_are_read_as_the_job_controller_writes_them() {
        let held: Vec<u32> = (0..12).filter(|&i| indices("1,3-5,7,10-11", i)).collect();
        assert_eq!(held, [1, 3, 4, 5, 7, 10, 11]);
        for text in ["", "x", "1-", "-", "5-3"] {
            assert!((0..12).all(|i| !indices(text, i) || text == "1-"), "{text}");
        }
    }
}
