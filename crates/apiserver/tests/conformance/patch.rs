//! JSON, merge and strategic merge patches.

use super::prelude::*;

conformance!(
    merge_patch_removes_with_null,
    json_patch_tests_before_it_writes,
    strategic_patch_is_for_core_kinds_only,
);

async fn merge_patch_removes_with_null(arm: Arm) {
    let (p, g) = set_up(&arm).await;
    make(
        &arm,
        &p,
        &g,
        "x",
        json!({"size": 1, "disks": {"a": {}, "b": {"evict": true}}}),
    )
    .await;
    let after = arm
        .merge(
            &format!("{p}/x"),
            &json!({"spec": {"size": null, "disks": {"a": null}}}),
        )
        .await
        .ok();
    assert_eq!(
        after.body["spec"],
        json!({"mode": "fast", "disks": {"b": {"evict": true}}})
    );
}

async fn json_patch_tests_before_it_writes(arm: Arm) {
    let (p, g) = set_up(&arm).await;
    make(&arm, &p, &g, "x", json!({"size": 1})).await;
    let send = |body: Value| {
        let one = format!("{p}/x");
        let arm = &arm;
        async move {
            arm.send(
                Method::PATCH,
                &one,
                "application/json-patch+json",
                body.to_string().into_bytes(),
            )
            .await
        }
    };
    send(json!([{"op": "test", "path": "/spec/size", "value": 5}, {"op": "replace", "path": "/spec/size", "value": 6}]))
        .await
        .fails(422, "Invalid", "the server rejected our request due to an error in our request");
    let after = send(json!([{"op": "test", "path": "/spec/size", "value": 1}, {"op": "replace", "path": "/spec/size", "value": 6}])).await.ok();
    assert_eq!(after.body["spec"]["size"], 6);
}

async fn strategic_patch_is_for_core_kinds_only(arm: Arm) {
    let (p, g) = set_up(&arm).await;
    make(&arm, &p, &g, "x", json!({})).await;
    arm.send(Method::PATCH, &format!("{p}/x"), "application/strategic-merge-patch+json", b"{}".to_vec())
        .await
        .fails(415, "UnsupportedMediaType", "the body of the request was in an unknown format - accepted media types include: application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml");
}
