//! Clients of `kube::runtime`, unmodified.

use super::prelude::*;

conformance!(
    a_watcher_sees_what_is_there_and_what_comes,
    a_reflector_mirrors_the_server,
    a_controller_reconciles_until_nothing_is_left_to_do,
    a_condition_is_awaited,
    a_definition_is_awaited,
    pages_are_walked_by_the_client,
    an_entry_is_changed_in_place,
    metadata_is_listed_and_watched_alone,
    discovery_finds_a_definition,
);

use std::collections::BTreeSet;
use std::sync::Arc;

use futures::{StreamExt, TryStreamExt};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams, PostParams};
use kube::core::PartialObjectMeta;
use kube::runtime::controller::Action;
use kube::runtime::reflector::ObjectRef;
use kube::runtime::{Controller, WatchStreamExt, reflector, wait, watcher};

fn map(name: &str) -> ConfigMap {
    serde_json::from_value(json!({"metadata": {"name": name}, "data": {"k": "v"}})).unwrap()
}

async fn maps(arm: &Arm) -> Api<ConfigMap> {
    let ns = arm.namespace().await;
    Api::namespaced(arm.client(&ns).await, &ns)
}

/// Waits for `next`, but not forever.
async fn soon<T>(next: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(60), next)
        .await
        .expect("it happens in time")
}

async fn a_watcher_sees_what_is_there_and_what_comes(arm: Arm) {
    for config in [
        watcher::Config::default(),
        watcher::Config::default().streaming_lists(),
    ] {
        let api = maps(&arm).await;
        api.create(&PostParams::default(), &map("a")).await.unwrap();
        let mut events = watcher(api.clone(), config.labels("!odd")).boxed();
        let mut seen = Vec::new();
        while !seen.contains(&"ready".to_owned()) {
            match soon(events.try_next()).await.unwrap().unwrap() {
                watcher::Event::Init => {}
                watcher::Event::InitApply(m) => seen.push(m.metadata.name.unwrap()),
                watcher::Event::InitDone => seen.push("ready".to_owned()),
                other => panic!("{other:?} before the end of the beginning"),
            }
        }
        assert_eq!(seen, ["a", "ready"]);
        api.create(&PostParams::default(), &map("b")).await.unwrap();
        api.delete("a", &DeleteParams::default()).await.unwrap();
        let watcher::Event::Apply(made) = soon(events.try_next()).await.unwrap().unwrap() else {
            panic!("the creation is the next event");
        };
        assert_eq!(made.metadata.name.as_deref(), Some("b"));
        let watcher::Event::Delete(gone) = soon(events.try_next()).await.unwrap().unwrap() else {
            panic!("the deletion is the last event");
        };
        assert_eq!(gone.metadata.name.as_deref(), Some("a"));
    }
}

async fn a_reflector_mirrors_the_server(arm: Arm) {
    let ns = arm.namespace().await;
    let api: Api<ConfigMap> = Api::namespaced(arm.client(&ns).await, &ns);
    api.create(&PostParams::default(), &map("a")).await.unwrap();
    let (store, writer) = reflector::store();
    let mut changes = watcher(api.clone(), watcher::Config::default())
        .default_backoff()
        .reflect(writer)
        .touched_objects()
        .boxed();
    soon(changes.next()).await.unwrap().unwrap();
    api.create(&PostParams::default(), &map("b")).await.unwrap();
    let patch = Patch::Merge(json!({"data": {"k": "w"}}));
    api.patch("a", &PatchParams::default(), &patch)
        .await
        .unwrap();
    let changed = ObjectRef::<ConfigMap>::new("a").within(&ns);
    while store
        .get(&changed)
        .and_then(|m| m.data.clone())
        .is_none_or(|d| d["k"] != "w")
    {
        soon(changes.next()).await.unwrap().unwrap();
    }
    let names: BTreeSet<String> = store
        .state()
        .iter()
        .filter_map(|m| m.metadata.name.clone())
        .collect();
    assert_eq!(names, BTreeSet::from(["a".to_owned(), "b".to_owned()]));
}

async fn a_controller_reconciles_until_nothing_is_left_to_do(arm: Arm) {
    let api = maps(&arm).await;
    for name in ["a", "b", "c"] {
        api.create(&PostParams::default(), &map(name))
            .await
            .unwrap();
    }
    let reconcile = |object: Arc<ConfigMap>, api: Arc<Api<ConfigMap>>| async move {
        let done = object.data.as_ref().is_some_and(|d| d.contains_key("done"));
        if !done {
            let patch = Patch::Apply(json!({"apiVersion": "v1", "kind": "ConfigMap",
                "metadata": {"name": object.metadata.name}, "data": {"done": "yes"}}));
            let name = object.metadata.name.clone().unwrap();
            api.patch(&name, &PatchParams::apply("reconciler"), &patch)
                .await?;
        }
        Ok::<_, kube::Error>(Action::await_change())
    };
    let failed = |_: Arc<ConfigMap>, error: &kube::Error, _: Arc<Api<ConfigMap>>| panic!("{error}");
    let mut runs = Controller::new(api.clone(), watcher::Config::default())
        .run(reconcile, failed, Arc::new(api.clone()))
        .boxed();
    loop {
        let all = api.list(&ListParams::default()).await.unwrap();
        let done = all
            .items
            .iter()
            .filter(|m| m.data.as_ref().is_some_and(|d| d.contains_key("done")));
        if done.count() == 3 {
            return;
        }
        soon(runs.next()).await;
    }
}

async fn a_condition_is_awaited(arm: Arm) {
    let ns = arm.namespace().await;
    let api: Api<ConfigMap> = Api::namespaced(arm.client(&ns).await, &ns);
    let made = api.create(&PostParams::default(), &map("a")).await.unwrap();
    let changed = |found: Option<&ConfigMap>| {
        found.is_some_and(|m| m.data.as_ref().is_some_and(|d| d["k"] == "w"))
    };
    let waiting = wait::await_condition(api.clone(), "a", changed);
    let patch = Patch::Merge(json!({"data": {"k": "w"}}));
    let params = PatchParams::default();
    let (found, written) = soon(futures::future::join(
        waiting,
        api.patch("a", &params, &patch),
    ))
    .await;
    written.unwrap();
    assert_eq!(found.unwrap().unwrap().data.unwrap()["k"], "w");
    let uid = made.metadata.uid.unwrap();
    let gone = wait::await_condition(api.clone(), "a", wait::conditions::is_deleted(&uid));
    let params = DeleteParams::default();
    let (gone, deleted) = soon(futures::future::join(gone, api.delete("a", &params))).await;
    deleted.unwrap();
    gone.unwrap();
}

async fn a_definition_is_awaited(arm: Arm) {
    use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
    let g = arm.define(&arm.group()).await;
    let api: Api<CustomResourceDefinition> = Api::all(arm.client("default").await);
    let name = format!("widgets.{g}");
    let established = wait::await_condition(api, &name, wait::conditions::is_crd_established());
    assert!(soon(established).await.unwrap().is_some());
}

async fn pages_are_walked_by_the_client(arm: Arm) {
    let api = maps(&arm).await;
    for i in 0..5 {
        api.create(&PostParams::default(), &map(&format!("m{i}")))
            .await
            .unwrap();
    }
    let mut names = Vec::new();
    let mut params = ListParams::default().limit(2);
    loop {
        let page = api.list(&params).await.unwrap();
        names.extend(page.items.into_iter().filter_map(|m| m.metadata.name));
        match page.metadata.continue_.filter(|t| !t.is_empty()) {
            Some(token) => params = params.continue_token(&token),
            None => break,
        }
    }
    assert_eq!(names, ["m0", "m1", "m2", "m3", "m4"]);
}

async fn an_entry_is_changed_in_place(arm: Arm) {
    let api = maps(&arm).await;
    let mut made = api.entry("a").await.unwrap().or_insert(|| map("a"));
    made.commit(&PostParams::default()).await.unwrap();
    let mut found = api.entry("a").await.unwrap().and_modify(|m| {
        m.data
            .get_or_insert_default()
            .insert("more".to_owned(), "1".to_owned());
    });
    if let kube::api::entry::Entry::Occupied(found) = &mut found {
        found.commit(&PostParams::default()).await.unwrap();
    }
    assert_eq!(api.get("a").await.unwrap().data.unwrap()["more"], "1");
}

async fn metadata_is_listed_and_watched_alone(arm: Arm) {
    let ns = arm.namespace().await;
    let client = arm.client(&ns).await;
    let api: Api<ConfigMap> = Api::namespaced(client.clone(), &ns);
    api.create(&PostParams::default(), &map("a")).await.unwrap();
    let alone: Api<PartialObjectMeta<ConfigMap>> = Api::namespaced(client, &ns);
    let list = alone.list(&ListParams::default()).await.unwrap();
    assert_eq!(list.items[0].metadata.name.as_deref(), Some("a"));
    let mut seen = watcher(alone, watcher::Config::default())
        .applied_objects()
        .boxed();
    let found = soon(seen.next()).await.unwrap().unwrap();
    assert_eq!(found.metadata.name.as_deref(), Some("a"));
}

async fn discovery_finds_a_definition(arm: Arm) {
    let g = arm.define(&arm.group()).await;
    until(&arm, &format!("/apis/{g}"), 200).await;
    let client = arm.client("default").await;
    let gvk = kube::core::GroupVersionKind::gvk(&g, "v1", "Widget");
    let (resource, capabilities) = kube::discovery::pinned_kind(&client, &gvk).await.unwrap();
    assert_eq!(resource.plural, "widgets");
    assert!(capabilities.supports_operation("watch"));
    assert!(
        capabilities
            .subresources
            .iter()
            .any(|(r, _)| r.plural == "status")
    );
}
