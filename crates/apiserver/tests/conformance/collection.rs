//! What goes along with an owner or a namespace. The real arm runs the
//! controller manager for these.

use super::prelude::*;

conformance!(
    a_namespace_that_is_deleted_is_emptied,
    dependents_go_with_their_owner,
    orphans_stay,
    foreground_deletion_waits_for_dependents,
    system_namespaces_cannot_be_deleted,
);

async fn a_namespace_that_is_deleted_is_emptied(arm: Arm) {
    let ns = arm.namespace().await;
    let g = arm.define(&arm.group()).await;
    let p = path(&g, &ns);
    let mut object = widget(&g, "x", json!({}));
    object["metadata"]["finalizers"] = json!(["example.io/hold"]);
    arm.post(&p, &object).await.ok();
    let space = format!("/api/v1/namespaces/{ns}");
    let going = arm.delete(&space).await.ok();
    assert_eq!(going.body["status"]["phase"], "Terminating");
    let refused = arm.post(&p, &widget(&g, "y", json!({}))).await;
    let text = format!(
        "widgets.{g} \"y\" is forbidden: unable to create new content in namespace {ns} because it is being terminated"
    );
    refused.fails(403, "Forbidden", &text);
    for _ in 0..600 {
        if arm.get(&format!("{p}/x")).await.ok().body["metadata"]["deletionTimestamp"].is_string() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    arm.merge(
        &format!("{p}/x"),
        &json!({"metadata": {"finalizers": null}}),
    )
    .await
    .ok();
    until(&arm, &space, 404).await;
}

/// An owner and a dependent of it.
async fn family(arm: &Arm) -> (String, String) {
    let ns = arm.namespace().await;
    let p = format!("/api/v1/namespaces/{ns}/configmaps");
    let owner = arm
        .post(&p, &json!({"metadata": {"name": "owner"}}))
        .await
        .ok();
    let reference = json!([{"apiVersion": "v1", "kind": "ConfigMap", "name": "owner",
        "uid": owner.body["metadata"]["uid"], "controller": true, "blockOwnerDeletion": true}]);
    let child = json!({"metadata": {"name": "child", "ownerReferences": reference}});
    arm.post(&p, &child).await.ok();
    // The real collector has to have seen both.
    if !arm.is_embedded() {
        tokio::time::sleep(Duration::from_secs(2)).await;
    }
    (format!("{p}/owner"), format!("{p}/child"))
}

async fn dependents_go_with_their_owner(arm: Arm) {
    let (owner, child) = family(&arm).await;
    arm.delete(&owner).await.ok();
    until(&arm, &child, 404).await;
}

async fn orphans_stay(arm: Arm) {
    let (owner, child) = family(&arm).await;
    arm.delete_with(&owner, &json!({"propagationPolicy": "Orphan"}))
        .await
        .ok();
    until(&arm, &owner, 404).await;
    let left = arm.get(&child).await.ok();
    assert!(left.body["metadata"].get("ownerReferences").is_none());
}

async fn foreground_deletion_waits_for_dependents(arm: Arm) {
    let (owner, child) = family(&arm).await;
    arm.merge(
        &child,
        &json!({"metadata": {"finalizers": ["example.io/hold"]}}),
    )
    .await
    .ok();
    let going = arm
        .delete_with(&owner, &json!({"propagationPolicy": "Foreground"}))
        .await
        .ok();
    assert_eq!(
        going.body["metadata"]["finalizers"],
        json!(["foregroundDeletion"])
    );
    for _ in 0..600 {
        if arm.get(&child).await.ok().body["metadata"]["deletionTimestamp"].is_string() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    arm.get(&owner).await.ok();
    arm.merge(&child, &json!({"metadata": {"finalizers": null}}))
        .await
        .ok();
    until(&arm, &owner, 404).await;
}

async fn system_namespaces_cannot_be_deleted(arm: Arm) {
    arm.delete("/api/v1/namespaces/kube-system").await.fails(
        403,
        "Forbidden",
        "namespaces \"kube-system\" is forbidden: this namespace may not be deleted",
    );
}
