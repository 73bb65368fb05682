//! The first things that anybody does with the server.

use futures::{StreamExt, TryStreamExt};
use k8s_openapi::api::core::v1::{ConfigMap, Namespace};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{
    Api, DynamicObject, ListParams, Patch, PatchParams, PostParams, WatchEvent, WatchParams,
};
use kube::core::ApiResource;
use serde_json::json;

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn create_watch_update_status_and_delete() {
    let server = fixname_apiserver::ApiServer::builder().seed(7).build();
    let client = server.client("longhorn-system");
    let crds: Api<CustomResourceDefinition> = Api::all(client.clone());
    let crd: CustomResourceDefinition = serde_json::from_value(json!({
        "metadata": {"name": "widgets.example.io"},
        "spec": {"group": "example.io", "scope": "Namespaced",
            "names": {"plural": "widgets", "singular": "widget", "kind": "Widget"},
            "versions": [{"name": "v1", "served": true, "storage": true, "subresources": {"status": {}},
                "schema": {"openAPIV3Schema": {"type": "object", "properties": {
                    "spec": {"type": "object", "properties": {"size": {"type": "integer"}}},
                    "status": {"type": "object", "properties": {"phase": {"type": "string"}}}}}}}]}})).unwrap();
    crds.create(&PostParams::default(), &crd).await.unwrap();
    let spaces: Api<Namespace> = Api::all(client.clone());
    let space: Namespace =
        serde_json::from_value(json!({"metadata": {"name": "longhorn-system"}})).unwrap();
    spaces.create(&PostParams::default(), &space).await.unwrap();
    let resource = ApiResource::erase::<ConfigMap>(&());
    let resource = ApiResource {
        group: "example.io".into(),
        version: "v1".into(),
        api_version: "example.io/v1".into(),
        kind: "Widget".into(),
        plural: "widgets".into(),
        ..resource
    };
    let widgets: Api<DynamicObject> = Api::default_namespaced_with(client.clone(), &resource);
    let widget: DynamicObject =
        serde_json::from_value(json!({"apiVersion": "example.io/v1", "kind": "Widget",
        "metadata": {"name": "a"}, "spec": {"size": 1}, "status": {"phase": "no"}}))
        .unwrap();
    let made = widgets
        .create(&PostParams::default(), &widget)
        .await
        .unwrap();
    assert_eq!(made.metadata.generation, Some(1));
    assert!(made.data.get("status").is_none());
    let list = widgets.list(&ListParams::default()).await.unwrap();
    assert_eq!(list.items.len(), 1);
    let version = list.metadata.resource_version.unwrap();
    let mut events = widgets
        .watch(&WatchParams::default(), &version)
        .await
        .unwrap()
        .boxed();
    widgets
        .patch_status(
            "a",
            &PatchParams::default(),
            &Patch::Merge(json!({"status": {"phase": "yes"}, "spec": {"size": 9}})),
        )
        .await
        .unwrap();
    let Some(WatchEvent::Modified(seen)) = events.try_next().await.unwrap() else {
        panic!("not a change")
    };
    assert_eq!(seen.data["status"]["phase"], "yes");
    assert_eq!(seen.data["spec"]["size"], 1);
    widgets.delete("a", &Default::default()).await.unwrap();
    let Some(WatchEvent::Deleted(_)) = events.try_next().await.unwrap() else {
        panic!("not a deletion")
    };
    assert!(widgets.get_opt("a").await.unwrap().is_none());
}
