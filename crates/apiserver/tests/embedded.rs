//! What only the embedded server has: faults, hooks, the seed, the port, and
//! clients of `kube::runtime` under paused time.

#![allow(
    clippy::unwrap_used,
    reason = "bodies of tests: a panic is a failed test"
)]

mod common;

use std::time::Duration;

use common::Arm;
use fixname_apiserver::{
    Admission, AdmissionRequest, ApiServer, Denial, FaultAction, Matcher, Operation, ServeOptions,
    Verdict,
};
use futures::StreamExt;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{Api, ListParams, PostParams};
use kube::runtime::{WatchStreamExt, watcher};
use serde_json::json;

fn map(name: &str) -> ConfigMap {
    serde_json::from_value(json!({"metadata": {"name": name}})).unwrap()
}

fn maps(server: &ApiServer) -> Api<ConfigMap> {
    Api::namespaced(server.client("default"), "default")
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn a_lost_answer_has_taken_effect() {
    let server = ApiServer::builder().build();
    let create = Matcher::any().verb("create").resource("configmaps");
    server.faults(|plan| plan.nth(2, create, FaultAction::LoseAnswer));
    let api = maps(&server);
    api.create(&PostParams::default(), &map("a")).await.unwrap();
    assert!(api.create(&PostParams::default(), &map("b")).await.is_err());
    api.get("b").await.unwrap();
    api.create(&PostParams::default(), &map("c")).await.unwrap();
    assert_eq!(server.faults(|plan| plan.injected()), 1);
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn a_watch_that_is_compacted_away_gets_410_and_a_watcher_recovers() {
    let server = ApiServer::builder().history(4).build();
    let api = maps(&server);
    let mut seen = watcher(api.clone(), watcher::Config::default())
        .default_backoff()
        .applied_objects()
        .boxed();
    api.create(&PostParams::default(), &map("first"))
        .await
        .unwrap();
    assert_eq!(
        seen.next().await.unwrap().unwrap().metadata.name.unwrap(),
        "first"
    );
    for i in 0..20 {
        api.create(&PostParams::default(), &map(&format!("m{i}")))
            .await
            .unwrap();
    }
    server.compact();
    let arm = Arm::Embedded(server.clone());
    let path = "/api/v1/namespaces/default/configmaps?watch=true&resourceVersion=6";
    let frames = arm.watch(path, 1).await;
    assert_eq!(frames[0]["type"], "ERROR");
    assert_eq!(frames[0]["object"]["code"], 410);
    assert_eq!(frames[0]["object"]["reason"], "Expired");
    let mut names = std::collections::BTreeSet::new();
    while !names.contains("m19") {
        let next = tokio::time::timeout(Duration::from_secs(600), seen.next())
            .await
            .unwrap();
        if let Some(Ok(object)) = next {
            names.insert(object.metadata.name.unwrap());
        }
    }
}

struct NoDeletion;

impl Admission for NoDeletion {
    fn mutate<'a>(&'a self, request: &'a mut AdmissionRequest) -> Verdict<'a> {
        if let Some(object) = &mut request.object {
            object["data"] = json!({"by": request.user.name});
        }
        Box::pin(std::future::ready(Ok(())))
    }

    fn validate<'a>(&'a self, request: &'a AdmissionRequest) -> Verdict<'a> {
        let refused = request.operation == Operation::Delete && request.user.name != "exempt";
        Box::pin(std::future::ready(if refused {
            Err(Denial::webhook("v.example.io", 403, "Forbidden", "no"))
        } else {
            Ok(())
        }))
    }
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn hooks_change_and_refuse_and_know_the_user() {
    let server = ApiServer::builder().admission(NoDeletion).build();
    let api = maps(&server);
    let made = api.create(&PostParams::default(), &map("a")).await.unwrap();
    assert_eq!(made.data.unwrap()["by"], "admin");
    let kube::Error::Api(refused) = api.delete("a", &Default::default()).await.unwrap_err() else {
        panic!("not an answer of the server");
    };
    assert_eq!(
        refused.message,
        "admission webhook \"v.example.io\" denied the request: no"
    );
    let exempt: Api<ConfigMap> = Api::namespaced(server.client_as("exempt", "default"), "default");
    exempt.delete("a", &Default::default()).await.unwrap();
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn one_seed_gives_the_same_objects() {
    let mut all = Vec::new();
    for seed in [7, 7, 8] {
        let server = ApiServer::builder().seed(seed).build();
        let api = maps(&server);
        let generated: ConfigMap =
            serde_json::from_value(json!({"metadata": {"generateName": "g-"}})).unwrap();
        api.create(&PostParams::default(), &generated)
            .await
            .unwrap();
        api.create(&PostParams::default(), &map("a")).await.unwrap();
        let list = api.list(&Default::default()).await.unwrap();
        all.push(serde_json::to_string(&list).unwrap());
    }
    assert_eq!(all[0], all[1]);
    assert_ne!(all[0], all[2]);
}

/// A get, a list, and the first frames of a watch, with this version.
#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn a_copy_goes_on_from_what_its_origin_held_and_apart_from_it() {
    let origin = ApiServer::builder().build();
    maps(&origin)
        .create(&PostParams::default(), &map("before"))
        .await
        .unwrap();
    let fault = Matcher::any().verb("get").resource("configmaps");
    origin.faults(|plan| plan.nth(1, fault, FaultAction::Drop));

    let copy = ApiServer::builder().seed(7).build_copy(&origin);
    assert_eq!(copy.resource_version(), origin.resource_version());
    let before = maps(&copy).get("before").await.unwrap();
    let mut seen = watcher(maps(&copy), watcher::Config::default())
        .applied_objects()
        .boxed();
    assert_eq!(seen.next().await.unwrap().unwrap(), before);

    let made = maps(&copy)
        .create(&PostParams::default(), &map("after"))
        .await
        .unwrap();
    assert_eq!(seen.next().await.unwrap().unwrap(), made);
    let here = maps(&origin).list(&ListParams::default()).await.unwrap();
    assert_eq!(here.items, [before]);
    assert!(copy.resource_version() > origin.resource_version());
}

async fn cached(arm: &Arm, version: &str) -> (u16, Vec<String>, Vec<String>) {
    let path = "/api/v1/namespaces/default/configmaps";
    let names = |items: Vec<serde_json::Value>| {
        let name = |item: &serde_json::Value| item["metadata"]["name"].as_str().unwrap().to_owned();
        items.iter().map(name).collect()
    };
    let get = arm
        .get(&format!("{path}/c?resourceVersion={version}"))
        .await;
    let list = arm
        .get(&format!("{path}?resourceVersion={version}"))
        .await
        .ok();
    let items = list.body["items"].as_array().unwrap().clone();
    let watch = arm
        .watch(&format!("{path}?watch=true&resourceVersion={version}"), 3)
        .await;
    let seen = watch.iter().map(|frame| frame["object"].clone()).collect();
    (get.code, names(items), names(seen))
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn stale_reads_stay_within_the_watch_caches_bounds() {
    let server = ApiServer::builder().build();
    let api = maps(&server);
    let mut versions = Vec::new();
    for name in ["a", "b", "c"] {
        let made = api
            .create(&PostParams::default(), &map(name))
            .await
            .unwrap();
        versions.push(made.metadata.resource_version.unwrap());
    }
    server.faults(|plan| plan.chance(1_000_000, Matcher::any(), FaultAction::Stale { behind: 2 }));
    let arm = Arm::Embedded(server.clone());
    // Any state will do: two changes are missing, and the watch tells of them.
    let (code, list, watch) = cached(&arm, "0").await;
    assert_eq!((code, list), (404, vec!["a".to_owned()]));
    assert_eq!(watch, ["a", "b", "c"]);
    // Nothing older than what the client has seen.
    let path = "/api/v1/namespaces/default/configmaps";
    for (version, wanted) in versions
        .iter()
        .zip([vec!["a"], vec!["a", "b"], vec!["a", "b", "c"]])
    {
        let list = arm
            .get(&format!("{path}?resourceVersion={version}"))
            .await
            .ok();
        assert_eq!(list.version(), version);
        let names: Vec<&str> = list.body["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|i| i["metadata"]["name"].as_str().unwrap())
            .collect();
        assert_eq!(names, wanted);
    }
    // A read without a version, and an exact one, are never stale.
    assert_eq!(arm.get(&format!("{path}/c")).await.code, 200);
    let list = arm.get(path).await.ok();
    assert_eq!(list.body["items"].as_array().unwrap().len(), 3);
    let exact = format!(
        "{path}?resourceVersion={}&resourceVersionMatch=Exact",
        versions[2]
    );
    assert_eq!(
        arm.get(&exact).await.ok().body["items"]
            .as_array()
            .unwrap()
            .len(),
        3
    );
}

/// One request over a real connection; `None` if it is cut off without an answer.
fn over_http(serving: &fixname_apiserver::Serving, request: &str, body: &str) -> Option<String> {
    use std::io::{Read, Write};
    let mut stream = std::net::TcpStream::connect(("127.0.0.1", serving.port())).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    write!(
        stream,
        "{request} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer {}\r\nContent-Length: {}\r\n\r\n{body}",
        serving.token(),
        body.len()
    )
    .unwrap();
    let mut answer = String::new();
    // A reset and an end without an answer are the same to a client.
    let _ = stream.read_to_string(&mut answer);
    (!answer.is_empty()).then_some(answer)
}

#[tokio::test(flavor = "multi_thread")]
async fn dropped_connections_and_lost_answers_reach_a_client_on_the_port() {
    let server = ApiServer::builder().build();
    let serving = server.serve(ServeOptions::default()).await.unwrap();
    let create = Matcher::any().verb("create").resource("configmaps");
    server.faults(|plan| {
        plan.nth(1, create.clone(), FaultAction::Drop);
        plan.nth(2, create, FaultAction::LoseAnswer);
        plan.nth(
            1,
            Matcher::any().verb("watch"),
            FaultAction::BreakWatch { after: 1 },
        );
    });
    tokio::task::spawn_blocking(move || {
        let path = "/api/v1/namespaces/default/configmaps";
        let make = |name: &str| {
            let body = json!({"metadata": {"name": name}}).to_string();
            over_http(&serving, &format!("POST {path}"), &body)
        };
        let get = |name: &str| over_http(&serving, &format!("GET {path}/{name}"), "").unwrap();
        assert_eq!(make("dropped"), None);
        assert!(get("dropped").starts_with("HTTP/1.1 404"));
        assert_eq!(make("lost"), None);
        assert!(get("lost").starts_with("HTTP/1.1 200"));
        assert!(make("lost").unwrap().starts_with("HTTP/1.1 409"));
        // A watch that is cut: one frame, and no proper end of the chunks.
        make("other").unwrap();
        let watch = over_http(
            &serving,
            &format!("GET {path}?watch=1&resourceVersion=0"),
            "",
        )
        .unwrap();
        assert!(
            watch.contains("ADDED") && !watch.ends_with("0\r\n\r\n"),
            "{watch}"
        );
        assert_eq!(watch.matches("ADDED").count(), 1);
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn the_port_asks_for_the_token() {
    let server = ApiServer::builder().build();
    let serving = server.serve(ServeOptions::default()).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("kubeconfig");
    serving.write_kubeconfig(&file).unwrap();
    let mode = std::os::unix::fs::PermissionsExt::mode(&file.metadata().unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
    // A link that lies in wait is replaced, and what it points to is not touched.
    let (link, other) = (folder.path().join("link"), folder.path().join("other"));
    std::fs::write(&other, "mine").unwrap();
    std::os::unix::fs::symlink(&other, &link).unwrap();
    serving.write_kubeconfig(&link).unwrap();
    assert_eq!(std::fs::read_to_string(&other).unwrap(), "mine");
    assert!(link.symlink_metadata().unwrap().is_file());
    let client = |text: String| async move {
        let parsed = kube::config::Kubeconfig::from_yaml(&text).unwrap();
        let config = kube::Config::from_custom_kubeconfig(parsed, &Default::default())
            .await
            .unwrap();
        kube::Client::try_from(config).unwrap()
    };
    let good = client(serving.kubeconfig()).await;
    let api: Api<ConfigMap> = Api::namespaced(good, "default");
    api.create(&PostParams::default(), &map("a")).await.unwrap();
    let bad = client(serving.kubeconfig().replace(serving.token(), "wrong")).await;
    let api: Api<ConfigMap> = Api::namespaced(bad, "default");
    let kube::Error::Api(refused) = api.get("a").await.unwrap_err() else {
        panic!("not an answer of the server");
    };
    assert_eq!(refused.code, 401);
    serving.shutdown().await;
}
