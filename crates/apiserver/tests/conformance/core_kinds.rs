//! The core kinds: defaults, what cannot change, what is refused.

use super::prelude::*;

conformance!(
    secrets_encode_their_strings,
    config_maps_can_be_immutable,
    leases_are_created_by_an_update,
    an_event_is_seen_in_both_groups,
    a_pod_without_node_goes_at_once,
);

async fn secrets_encode_their_strings(arm: Arm) {
    let ns = arm.namespace().await;
    let made = arm
        .post(
            &format!("/api/v1/namespaces/{ns}/secrets"),
            &json!({"metadata": {"name": "s"}, "stringData": {"k": "v"}}),
        )
        .await
        .ok();
    assert_eq!(made.body["data"], json!({"k": "dg=="}));
    assert_eq!(made.body["type"], "Opaque");
    assert!(made.body.get("stringData").is_none());
}

async fn config_maps_can_be_immutable(arm: Arm) {
    let ns = arm.namespace().await;
    let p = format!("/api/v1/namespaces/{ns}/configmaps");
    arm.post(
        &p,
        &json!({"metadata": {"name": "c"}, "data": {"k": "v"}, "immutable": true}),
    )
    .await
    .ok();
    arm.merge(&format!("{p}/c"), &json!({"data": {"k": "w"}}))
        .await
        .fails(422, "Invalid", "ConfigMap \"c\" is invalid: data: Forbidden: field is immutable when `immutable` is set");
}

async fn leases_are_created_by_an_update(arm: Arm) {
    let ns = arm.namespace().await;
    let p = format!("/apis/coordination.k8s.io/v1/namespaces/{ns}/leases/l");
    let made = arm
        .put(
            &p,
            &json!({"metadata": {"name": "l"}, "spec": {"holderIdentity": "me"}}),
        )
        .await;
    assert_eq!(made.code, 201);
}

async fn an_event_is_seen_in_both_groups(arm: Arm) {
    let ns = arm.namespace().await;
    let event = json!({"metadata": {"name": "e"}, "reason": "R", "message": "M", "type": "Normal",
        "involvedObject": {"kind": "Widget", "name": "x", "namespace": ns}});
    arm.post(&format!("/api/v1/namespaces/{ns}/events"), &event)
        .await
        .ok();
    let seen = arm
        .get(&format!("/apis/events.k8s.io/v1/namespaces/{ns}/events/e"))
        .await
        .ok();
    assert_eq!(seen.body["note"], "M");
    assert_eq!(seen.body["regarding"]["name"], "x");
    let list = arm
        .get(&format!(
            "/api/v1/namespaces/{ns}/events?fieldSelector=involvedObject.name%3Dx,type%3DNormal"
        ))
        .await
        .ok();
    assert_eq!(names(&list), ["e"]);
}

async fn a_pod_without_node_goes_at_once(arm: Arm) {
    let ns = arm.namespace().await;
    let p = format!("/api/v1/namespaces/{ns}/pods");
    let made = arm
        .post(&p, &json!({"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "i"}]}}))
        .await
        .ok();
    assert_eq!(made.body["spec"]["restartPolicy"], "Always");
    assert_eq!(made.body["status"]["phase"], "Pending");
    let gone = arm.delete(&format!("{p}/p")).await.ok();
    assert_eq!(gone.body["kind"], "Pod");
    assert_eq!(arm.get(&format!("{p}/p")).await.code, 404);
}
