//! A controller written in Go with client-go runs against both servers, and
//! must come to the same outcome. Needs Go and kube-apiserver (`ci/test clients`).

#![allow(
    clippy::unwrap_used,
    reason = "bodies of tests: a panic is a failed test"
)]

use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use fixname_apiserver::{ApiServer, ServeOptions, SystemClock};
use fixname_controlplane::{ControlPlane, Options};
use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Api, DynamicObject, ListParams, PostParams};
use kube::core::{ApiResource, GroupVersionKind};
use serde_json::{Value, json};

/// The Go program, built once.
fn program() -> &'static Path {
    static BUILT: OnceLock<tempfile::TempDir> = OnceLock::new();
    let folder = BUILT.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/client-go");
        let built = Command::new("go")
            .args(["build", "-buildvcs=false", "-mod=readonly", "-o"])
            .arg(folder.path().join("client-go"))
            .arg(".")
            .current_dir(source)
            .output()
            .expect("go can be run");
        let said = String::from_utf8_lossy(&built.stderr);
        assert!(built.status.success(), "go build: {said}");
        folder
    });
    static PATH: OnceLock<std::path::PathBuf> = OnceLock::new();
    PATH.get_or_init(|| folder.path().join("client-go"))
}

/// Runs the controller in a namespace of its own; answers with its outcome.
async fn outcome(client: kube::Client, kubeconfig: String, stream_lists: bool) -> Value {
    let namespaces: Api<Namespace> = Api::all(client.clone());
    let name = format!("client-go-{stream_lists}");
    let namespace = json!({"metadata": {"name": name}});
    namespaces
        .create(
            &PostParams::default(),
            &serde_json::from_value(namespace).unwrap(),
        )
        .await
        .unwrap();
    let group = format!("{name}.example.io");
    let definition = json!({
        "metadata": {"name": format!("widgets.{group}")},
        "spec": {
            "group": group, "scope": "Namespaced",
            "names": {"plural": "widgets", "singular": "widget", "kind": "Widget"},
            "versions": [{"name": "v1", "served": true, "storage": true,
                "schema": {"openAPIV3Schema": {"type": "object", "properties": {
                    "spec": {"type": "object", "properties": {"size": {"type": "integer"}}}}}}}],
        },
    });
    let definitions: Api<CustomResourceDefinition> = Api::all(client.clone());
    definitions
        .create(
            &PostParams::default(),
            &serde_json::from_value(definition).unwrap(),
        )
        .await
        .unwrap();
    let kind = ApiResource::from_gvk(&GroupVersionKind::gvk(&group, "v1", "Widget"));
    let widgets: Api<DynamicObject> = Api::namespaced_with(client, &name, &kind);
    let deadline = Instant::now() + Duration::from_secs(30);
    while let Err(error) = widgets.list(&ListParams::default()).await {
        assert!(Instant::now() < deadline, "widgets are not served: {error}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("kubeconfig");
    std::fs::write(&file, kubeconfig).unwrap();
    let run = tokio::task::spawn_blocking(move || {
        Command::new(program())
            .args([&name, &group])
            .env("KUBECONFIG", &file)
            .env("KUBE_FEATURE_WatchListClient", stream_lists.to_string())
            .output()
            .expect("the program can be run")
    });
    let out = run.await.unwrap();
    let said = String::from_utf8_lossy(&out.stderr);
    assert!(out.status.success(), "the controller failed: {said}");
    assert!(!said.contains("watchlist"), "no streaming list: {said}");
    serde_json::from_slice(&out.stdout).unwrap()
}

async fn on_embedded(stream_lists: bool) -> Value {
    let server = ApiServer::builder().clock(SystemClock).build();
    let serving = server.serve(ServeOptions::default()).await.unwrap();
    let kubeconfig = serving.kubeconfig();
    let outcome = outcome(server.client("default"), kubeconfig, stream_lists).await;
    serving.shutdown().await;
    outcome
}

async fn on_control_plane(stream_lists: bool) -> Value {
    static PLANE: OnceLock<ControlPlane> = OnceLock::new();
    let plane = PLANE.get_or_init(|| {
        ControlPlane::start_blocking(Options::default().controllers(true))
            .unwrap_or_else(|e| panic!("{e}"))
    });
    let client = plane.client("default").await.unwrap();
    outcome(client, plane.kubeconfig().to_owned(), stream_lists).await
}

async fn comes_to_the_same(stream_lists: bool) {
    let here = on_embedded(stream_lists).await;
    assert_eq!(here["leaders"], json!(["one", "two"]));
    assert_eq!(
        here["seen"]["configmap/first"],
        json!(["was there", "updated", "deleted"])
    );
    assert_eq!(here["seen"]["secret/first"], json!(["added", "deleted"]));
    assert_eq!(
        here["seen"]["widget/w"],
        json!(["added", "updated", "deleted"])
    );
    assert_eq!(here["retries"], 2);
    let there = on_control_plane(stream_lists).await;
    assert_eq!(here, there);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_controller_in_go_comes_to_the_same_outcome() {
    comes_to_the_same(false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_controller_in_go_with_streaming_lists_comes_to_the_same_outcome() {
    comes_to_the_same(true).await;
}
