//! Runs on the embedded API server, with a Job controller and kubelets that
//! this file plays: pods that end well, fail, vanish, or print nonsense.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fixname_apiserver::{ApiServer, UserInfo};
use fixname_shards::{JobSpec, ShardError, run};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Namespace, Pod};
use kube::api::{ListParams, Patch, PatchParams, PostParams};
use kube::client::Body;
use kube::{Api, Client, ResourceExt};
use serde_json::{Value, json};

/// What becomes of a pod, by job and shard; "part N" where nothing is said.
type Fates = BTreeMap<(String, u32), &'static str>;

fn spec(shards: u32) -> JobSpec {
    JobSpec {
        name: "run".into(),
        namespace: "default".into(),
        image: "fixname:dev".into(),
        pull_policy: "IfNotPresent".into(),
        args: vec!["simulate".into(), "--shard={shard}/4".into()],
        shards,
        parallelism: shards,
        cpu: "1".into(),
        memory: "64Mi".into(),
        retries: 2,
    }
}

/// A client whose server also has the pods' logs.
fn client(server: &ApiServer, logs: Arc<Mutex<BTreeMap<String, String>>>) -> Client {
    let inner = server.service(UserInfo::admin());
    let service = tower::service_fn(move |request: http::Request<Body>| {
        let (inner, logs) = (inner.clone(), logs.clone());
        async move {
            let path = request.uri().path().to_owned();
            if let Some(pod) = path.strip_suffix("/log") {
                let pod = pod.rsplit('/').next().unwrap_or_default();
                let log = logs.lock().expect("nobody panicked").get(pod).cloned();
                let log = log.unwrap_or_default().into_bytes();
                return Ok(http::Response::new(Body::from(log)));
            }
            let answer = tower::ServiceExt::oneshot(inner, request).await?;
            let (head, body) = answer.into_parts();
            let bytes = http_body_util::BodyExt::collect(body).await?.to_bytes();
            Ok::<_, tower::BoxError>(http::Response::from_parts(head, Body::from(bytes)))
        }
    });
    Client::new(service, "default")
}

async fn status<K>(api: &Api<K>, name: &str, status: Value)
where
    K: Clone + std::fmt::Debug + serde::de::DeserializeOwned,
{
    let patch = Patch::Merge(json!({"status": status}));
    let patched = api
        .patch_status(name, &PatchParams::default(), &patch)
        .await;
    patched.expect("the status is taken");
}

/// Plays every job that is new, at once and to its end.
async fn play(client: &Client, fates: &Fates, logs: &Mutex<BTreeMap<String, String>>) {
    let jobs: Api<Job> = Api::default_namespaced(client.clone());
    let pods: Api<Pod> = Api::default_namespaced(client.clone());
    for job in jobs.list(&ListParams::default()).await.expect("jobs") {
        if job
            .status
            .as_ref()
            .is_some_and(|s| s.completion_time.is_some() || s.conditions.is_some())
        {
            continue;
        }
        let name = job.name_any();
        let batch = job.spec.expect("a job has a spec");
        let shards: Vec<u32> = match job
            .metadata
            .labels
            .as_ref()
            .and_then(|l| l.get("fixname.io/shard"))
        {
            Some(shard) => vec![shard.parse().expect("a number")],
            None => (0..batch.completions.expect("indexed").unsigned_abs()).collect(),
        };
        let (mut completed, mut failed) = (Vec::new(), Vec::new());
        for shard in shards {
            let fate = fates.get(&(name.clone(), shard)).copied().unwrap_or("part");
            let done = if fate == "fails" {
                &mut failed
            } else {
                &mut completed
            };
            done.push(shard.to_string());
            if fate == "vanishes" {
                continue;
            }
            let pod_name = format!("{name}-pod-{shard}");
            let mut template = batch.template.metadata.clone().unwrap_or_default();
            template.name = Some(pod_name.clone());
            template.annotations = Some(
                [(
                    "batch.kubernetes.io/job-completion-index".to_owned(),
                    shard.to_string(),
                )]
                .into(),
            );
            let pod = Pod {
                metadata: template,
                spec: batch.template.spec.clone(),
                status: None,
            };
            pods.create(&PostParams::default(), &pod)
                .await
                .expect("a pod");
            let phase = if fate == "fails" {
                "Failed"
            } else {
                "Succeeded"
            };
            let log = if fate == "part" {
                format!("part {shard}\n")
            } else {
                "Killed".to_owned()
            };
            logs.lock()
                .expect("nobody panicked")
                .insert(pod_name.clone(), log);
            status(&pods, &pod_name, json!({"phase": phase})).await;
        }
        let type_ = if failed.is_empty() {
            "Complete"
        } else {
            "Failed"
        };
        status(
            &jobs,
            &name,
            json!({"completedIndexes": completed.join(","), "failedIndexes": failed.join(","),
                "conditions": [{"type": type_, "status": "True"}]}),
        )
        .await;
    }
}

struct Outcome {
    result: Result<Vec<String>, ShardError>,
    again: u32,
    left: usize,
}

async fn play_through(fates: &[(&str, u32, &'static str)], keep: bool) -> Outcome {
    let fates: Fates = fates
        .iter()
        .map(|(job, shard, fate)| ((job.to_string(), *shard), *fate))
        .collect();
    let logs = Arc::new(Mutex::new(BTreeMap::new()));
    let server = ApiServer::builder().build();
    let client = client(&server, logs.clone());
    let namespaces: Api<Namespace> = Api::all(client.clone());
    let mut namespace = Namespace::default();
    namespace.metadata.name = Some("default".to_owned());
    // It may be there from the start.
    let _ = namespaces.create(&PostParams::default(), &namespace).await;
    let mut again = 0;
    let mut read = |shard: u32, log: &str| {
        let expected = format!("part {shard}");
        if log.trim() == expected {
            Ok(expected)
        } else {
            Err(format!("{log:?} is no part"))
        }
    };
    let spec = spec(4);
    let mut heard = |progress: fixname_shards::Progress| again = progress.again;
    let running = run(
        &client,
        &spec,
        Duration::from_secs(60),
        keep,
        &mut read,
        &|| false,
        &mut heard,
    );
    let cluster = async {
        loop {
            play(&client, &fates, &logs).await;
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
    };
    let result = tokio::select! {
        result = running => result,
        () = cluster => unreachable!("the cluster goes on for ever"),
    };
    let jobs: Api<Job> = Api::default_namespaced(client.clone());
    let left = jobs.list(&ListParams::default()).await.expect("jobs").items;
    let left = left
        .iter()
        .filter(|job| job.metadata.deletion_timestamp.is_none())
        .count();
    Outcome {
        result,
        again,
        left,
    }
}

const ALL: [&str; 4] = ["part 0", "part 1", "part 2", "part 3"];

#[tokio::test(start_paused = true)]
async fn parts_come_in_order_and_nothing_is_left() {
    let outcome = play_through(&[], false).await;
    assert_eq!(outcome.result.unwrap(), ALL);
    assert_eq!((outcome.again, outcome.left), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn lost_failed_and_damaged_shards_are_run_again() {
    let outcome = play_through(
        &[
            ("run", 0, "fails"),
            ("run", 1, "vanishes"),
            ("run", 3, "is cut off"),
            ("run-3-1", 3, "fails"),
        ],
        false,
    )
    .await;
    assert_eq!(outcome.result.unwrap(), ALL);
    assert_eq!((outcome.again, outcome.left), (4, 0));
}

#[tokio::test(start_paused = true)]
async fn a_shard_that_never_comes_is_named_and_the_jobs_are_kept_if_asked() {
    let fates = [
        ("run", 2, "is cut off"),
        ("run-2-1", 2, "is cut off"),
        ("run-2-2", 2, "is cut off"),
    ];
    for (keep, left) in [(false, 0), (true, 3)] {
        let outcome = play_through(&fates, keep).await;
        let error = outcome.result.unwrap_err().to_string();
        assert_eq!(
            error,
            "shard 2 has no part after 2 more tries: \"Killed\" is no part"
        );
        assert_eq!(outcome.left, left, "keep {keep}");
    }
}
