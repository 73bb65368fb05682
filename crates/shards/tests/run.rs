//! Runs on the embedded API server, with a Job controller and kubelets that
//! this file plays: pods that end well, fail, vanish, or print nonsense.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fixname_apiserver::{ApiServer, UserInfo};
use fixname_shards::{Event, JobSpec, Options, ShardError, check, run};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Namespace, Pod};
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams};
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
        args: vec!["simulate".into(), "--shard".into()],
        shards,
        parallelism: shards,
        requests: BTreeMap::new(),
        limits: BTreeMap::new(),
        retries: 2,
        within: Duration::from_secs(3600),
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
                if log.as_deref() == Some("forbidden") {
                    let body = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure",
                        "reason": "Forbidden", "message": "no logs for you", "code": 403});
                    let answer = http::Response::builder().status(403);
                    let answer = answer.body(Body::from(body.to_string().into_bytes()));
                    return Ok(answer.expect("a response"));
                }
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

/// Plays the garbage collector, and every job that is new, at once and to its end.
async fn play(client: &Client, fates: &Fates, logs: &Mutex<BTreeMap<String, String>>) {
    let jobs: Api<Job> = Api::default_namespaced(client.clone());
    let pods: Api<Pod> = Api::default_namespaced(client.clone());
    let all = jobs.list(&ListParams::default()).await.expect("jobs").items;
    for pod in pods.list(&ListParams::default()).await.expect("pods") {
        let owned = |job: &Job| {
            pod.name_any()
                .starts_with(&format!("{}-pod", job.name_any()))
        };
        if !all.iter().any(owned) {
            let gone = pods.delete(&pod.name_any(), &DeleteParams::default()).await;
            gone.expect("a pod can be deleted");
        }
    }
    for job in all {
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
        let mut waiting = false;
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
            // One that waits is there already.
            let there = pods.get_opt(&pod_name).await.expect("an answer");
            if there.is_some() {
                waiting = true;
                continue;
            }
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
            let (phase, log) = match fate {
                "part" => ("Succeeded", format!("part {shard}\n")),
                "forbidden" => ("Succeeded", fate.to_owned()),
                "fails" => ("Failed", "out of paper\n".to_owned()),
                "waits" => ("Pending", String::new()),
                _ => ("Succeeded", "Killed".to_owned()),
            };
            logs.lock()
                .expect("nobody panicked")
                .insert(pod_name.clone(), log);
            let stuck = json!({"conditions": [{"type": "PodScheduled", "status": "False",
                "reason": "Unschedulable", "message": "no node is free"}]});
            let mut now = json!({"phase": phase});
            if fate == "waits" {
                now["conditions"] = stuck["conditions"].clone();
                waiting = true;
            }
            status(&pods, &pod_name, now).await;
        }
        if waiting {
            continue;
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
    events: Vec<Event>,
    left: usize,
    seconds: u64,
}

async fn play_through(
    fates: &[(&str, u32, &'static str)],
    keep: bool,
    stop_after: Option<u64>,
) -> Outcome {
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
    let mut read = |shard: u32, log: &str| {
        let expected = format!("part {shard}");
        if log.trim() == expected {
            Ok(expected)
        } else {
            Err(format!("{log:?} is no part"))
        }
    };
    let spec = spec(4);
    check(&client, &spec).await.expect("the job would be taken");
    let mut events = Vec::new();
    let mut heard = |event: Event| events.push(event);
    let began = tokio::time::Instant::now();
    let stop = || stop_after.is_some_and(|after| began.elapsed().as_secs() >= after);
    let options = Options { keep, stop: &stop };
    let running = run(&client, &spec, options, &mut read, &mut heard);
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
    let pods: Api<Pod> = Api::default_namespaced(client);
    let left = jobs.list(&ListParams::default()).await.expect("jobs").items;
    if left.is_empty() {
        let pods = pods.list(&ListParams::default()).await.expect("pods");
        assert_eq!(pods.items.len(), 0, "pods without a job");
    }
    Outcome {
        result,
        events,
        left: left.len(),
        seconds: began.elapsed().as_secs(),
    }
}

const ALL: [&str; 4] = ["part 0", "part 1", "part 2", "part 3"];

fn again(outcome: &Outcome) -> Vec<u32> {
    let events = outcome.events.iter();
    let shards = events.filter_map(|event| match event {
        Event::Again { shard } => Some(*shard),
        _ => None,
    });
    shards.collect()
}

#[tokio::test(start_paused = true)]
async fn parts_come_in_order_and_nothing_is_left() {
    let outcome = play_through(&[], false, None).await;
    assert_eq!(again(&outcome), [0; 0]);
    assert_eq!(outcome.result.unwrap(), ALL);
    assert_eq!(outcome.left, 0);
}

#[tokio::test(start_paused = true)]
async fn lost_failed_and_damaged_shards_are_run_again() {
    let fates = [
        ("run", 0, "fails"),
        ("run", 1, "vanishes"),
        ("run", 3, "is cut off"),
        ("run-3-1", 3, "fails"),
    ];
    let outcome = play_through(&fates, false, None).await;
    assert_eq!(again(&outcome), [0, 1, 3, 3]);
    let said = |wanted: Event| assert!(outcome.events.contains(&wanted), "{:?}", outcome.events);
    said(Event::Failed {
        shard: 0,
        reason: "its pod failed; it said: out of paper".to_owned(),
    });
    said(Event::NoPart {
        shard: 3,
        reason: "\"Killed\" is no part".to_owned(),
    });
    assert_eq!(outcome.result.unwrap(), ALL);
    assert_eq!(outcome.left, 0);
}

#[tokio::test(start_paused = true)]
async fn a_shard_that_never_comes_is_named_and_the_jobs_are_kept_if_asked() {
    let fates = [
        ("run", 2, "is cut off"),
        ("run-2-1", 2, "is cut off"),
        ("run-2-2", 2, "is cut off"),
    ];
    for (keep, left) in [(false, 0), (true, 3)] {
        let outcome = play_through(&fates, keep, None).await;
        let error = outcome.result.unwrap_err().to_string();
        assert_eq!(
            error,
            "shard 2 has no part after 2 more tries: \"Killed\" is no part"
        );
        assert_eq!(outcome.left, left, "keep {keep}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_refusal_ends_the_run_at_once() {
    let outcome = play_through(&[("run", 1, "forbidden")], false, None).await;
    assert_eq!((again(&outcome), outcome.left), (vec![], 0));
    let error = outcome.result.unwrap_err().to_string();
    assert!(error.contains("no logs for you"), "{error}");
    assert!(outcome.seconds < 10, "{}", outcome.seconds);
}

#[tokio::test(start_paused = true)]
async fn a_run_whose_pods_never_start_says_why_and_a_stopped_one_leaves_nothing() {
    let fates = [0, 1, 2, 3].map(|shard| ("run", shard, "waits"));
    let outcome = play_through(&fates, false, None).await;
    let error = outcome.result.unwrap_err();
    assert_eq!(
        error.to_string(),
        "no pod has started in 120 s: Unschedulable: no node is free"
    );
    assert_eq!(outcome.left, 0);
    let outcome = play_through(&fates, false, Some(20)).await;
    assert!(matches!(
        outcome.result,
        Err(ShardError::Stopped {
            collected: 0,
            all: 4
        })
    ));
    assert_eq!(outcome.left, 0);
}

#[tokio::test(start_paused = true)]
async fn a_job_of_that_name_is_left_alone() {
    let server = ApiServer::builder().build();
    let client = client(&server, Arc::default());
    let spec = spec(4);
    let jobs: Api<Job> = Api::default_namespaced(client.clone());
    let job = spec.job().unwrap();
    jobs.create(&PostParams::default(), &job).await.unwrap();
    let options = Options {
        keep: false,
        stop: &|| false,
    };
    let mut read = |_: u32, log: &str| Ok(log.to_owned());
    let result = run(&client, &spec, options, &mut read, &mut |_| ()).await;
    assert!(matches!(result, Err(ShardError::Exists(name)) if name == "run"));
    assert!(jobs.get("run").await.is_ok());
}
