//! The caches against a server that misbehaves: a version that has expired is
//! not trouble, and nothing that happened meanwhile is missed.

use std::time::Duration;

use fixname_apiserver::{ApiServer, FaultAction, Matcher};
use fixname_controllers::driver::{CacheError, Caches, Seen};
use fixname_longhorn::{Kind, Setting};
use k8s_openapi::api::core::v1::Namespace;
use kube::api::{DeleteParams, PostParams};
use kube::{Api, ResourceExt};
use serde_json::json;

const NAMESPACE: &str = "longhorn-system";

/// A server with Longhorn's definitions and two settings, and caches that show them.
async fn synced() -> (ApiServer, Api<Setting>, Caches) {
    let server = ApiServer::builder().build();
    let client = server.client(NAMESPACE);
    for crd in fixname_longhorn::crds::crds(&fixname_longhorn::crds::newest()).iter() {
        let crds = Api::all(client.clone());
        crds.create(&PostParams::default(), crd)
            .await
            .expect("definition");
    }
    let namespace: Namespace =
        serde_json::from_value(json!({"metadata": {"name": NAMESPACE}})).expect("namespace");
    let namespaces = Api::all(client.clone());
    namespaces
        .create(&PostParams::default(), &namespace)
        .await
        .expect("namespace");
    let settings: Api<Setting> = Api::namespaced(client.clone(), NAMESPACE);
    for name in ["stays", "goes"] {
        create(&settings, name).await;
    }
    let mut caches = Caches::watch(&client, NAMESPACE);
    while !caches.are_synced() {
        caches.next().await.expect("no trouble yet");
    }
    assert_eq!(names(&caches), ["goes", "stays"]);
    (server, settings, caches)
}

async fn create(settings: &Api<Setting>, name: &str) {
    let setting = serde_json::from_value(json!({
        "apiVersion": "longhorn.io/v1beta2", "kind": "Setting",
        "metadata": {"name": name}, "value": "1",
    }));
    let setting: Setting = setting.expect("a setting");
    settings
        .create(&PostParams::default(), &setting)
        .await
        .expect("created");
}

fn names(caches: &Caches) -> Vec<&str> {
    caches.view.settings.keys().map(String::as_str).collect()
}

/// What the caches tell until they show these settings.
async fn until(caches: &mut Caches, wanted: &[&str]) -> Result<Vec<Seen>, CacheError> {
    let work = async {
        let mut seen = Vec::new();
        while names(caches) != wanted {
            seen.extend(caches.next().await?);
        }
        Ok(seen)
    };
    // The clock is paused: this is no real time, only an end for a test that fails.
    tokio::time::timeout(Duration::from_secs(600), work)
        .await
        .expect("the caches catch up")
}

fn deletions(seen: &[Seen]) -> Vec<String> {
    seen.iter()
        .filter_map(|seen| match seen {
            Seen::Setting(Some(old), None) => Some(old.name_any()),
            _ => None,
        })
        .collect()
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn a_watch_that_is_refused_with_410_lists_anew_and_sees_the_deletion() {
    let (server, settings, mut caches) = synced().await;
    server.faults(|plan| {
        let watches = Matcher::any()
            .verb("watch")
            .resource(Kind::Setting.plural());
        plan.nth(1, watches, FaultAction::Expired);
    });
    replace(&settings).await;
    let seen = until(&mut caches, &["new", "stays"])
        .await
        .expect("410 is no trouble");
    assert_eq!(deletions(&seen), ["goes"]);
    assert_eq!(
        server.faults(|plan| plan.injected()),
        1,
        "the fault must have hit"
    );
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn a_watch_whose_place_was_forgotten_lists_anew_and_sees_the_deletion() {
    let (server, settings, mut caches) = synced().await;
    replace(&settings).await;
    server.compact();
    let seen = until(&mut caches, &["new", "stays"])
        .await
        .expect("410 is no trouble");
    assert_eq!(deletions(&seen), ["goes"]);
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn any_other_refusal_is_trouble_and_the_watch_goes_on_trying() {
    let (server, settings, mut caches) = synced().await;
    server.faults(|plan| {
        let watches = Matcher::any()
            .verb("watch")
            .resource(Kind::Setting.plural());
        plan.nth(
            1,
            watches,
            FaultAction::error(403, "Forbidden", "not yours"),
        );
    });
    replace(&settings).await;
    let trouble = until(&mut caches, &["new", "stays"])
        .await
        .expect_err("403 is trouble");
    assert_eq!(trouble.kind, Kind::Setting.plural());
    assert!(trouble.message.contains("not yours"), "{trouble}");
    until(&mut caches, &["new", "stays"])
        .await
        .expect("it goes on");
}

/// One setting goes and one comes.
async fn replace(settings: &Api<Setting>) {
    settings
        .delete("goes", &DeleteParams::default())
        .await
        .expect("deleted");
    create(settings, "new").await;
}
