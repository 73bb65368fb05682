//! JSON, merge and strategic merge patches.

use super::prelude::*;

conformance!(
    merge_patch_removes_with_null,
    json_patch_tests_before_it_writes,
    strategic_patch_is_for_core_kinds_only,
    a_merge_patch_must_be_an_object,
    a_patch_cannot_rename,
    strict_validation_holds_for_patches,
    a_json_patch_adds_moves_copies_and_removes,
    too_many_operations_are_refused,
    force_is_for_apply_only,
    a_patch_of_another_media_type_is_refused,
    a_strategic_patch_merges_lists_by_their_key,
    a_strategic_patch_obeys_its_directives,
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

async fn a_merge_patch_must_be_an_object(arm: Arm) {
    let (p, g) = set_up(&arm).await;
    make(&arm, &p, &g, "x", json!({})).await;
    for (body, why) in [
        (
            "[]",
            "json: cannot unmarshal array into Go value of type map[string]interface {}",
        ),
        (
            "3",
            "json: cannot unmarshal number into Go value of type map[string]interface {}",
        ),
        ("{", "unexpected end of JSON input"),
    ] {
        arm.send(
            Method::PATCH,
            &format!("{p}/x"),
            "application/merge-patch+json",
            body.into(),
        )
        .await
        .fails(400, "BadRequest", &format!("error decoding patch: {why}"));
    }
}

async fn a_patch_cannot_rename(arm: Arm) {
    let (p, g) = set_up(&arm).await;
    make(&arm, &p, &g, "x", json!({})).await;
    arm.merge(&format!("{p}/x"), &json!({"metadata": {"name": "y"}}))
        .await
        .fails(
            400,
            "BadRequest",
            "the name of the object (y) does not match the name on the URL (x)",
        );
    let text =
        "the namespace of the provided object does not match the namespace sent on the request";
    arm.merge(
        &format!("{p}/x"),
        &json!({"metadata": {"namespace": "other"}}),
    )
    .await
    .fails(400, "BadRequest", text);
}

async fn strict_validation_holds_for_patches(arm: Arm) {
    let (p, g) = set_up(&arm).await;
    make(&arm, &p, &g, "x", json!({})).await;
    let path = format!("{p}/x?fieldValidation=Strict");
    let answer = arm.merge(&path, &json!({"spec": {"odd": 1}})).await;
    assert_eq!(answer.code, 422);
    assert!(
        answer
            .message()
            .contains("strict decoding error: unknown field \"spec.odd\""),
        "{answer:?}"
    );
    let warned = arm
        .merge(&format!("{p}/x"), &json!({"spec": {"odd": 1}}))
        .await
        .ok();
    assert_eq!(
        warned.warnings,
        ["299 - \"unknown field \\\"spec.odd\\\"\""]
    );
    let silent = arm
        .merge(
            &format!("{p}/x?fieldValidation=Ignore"),
            &json!({"spec": {"odd": 1}}),
        )
        .await
        .ok();
    assert!(silent.warnings.is_empty());
}

async fn a_json_patch_adds_moves_copies_and_removes(arm: Arm) {
    let (p, g) = set_up(&arm).await;
    make(
        &arm,
        &p,
        &g,
        "x",
        json!({"tags": ["a", "b"], "name": "abc"}),
    )
    .await;
    let patch = json!([
        {"op": "add", "path": "/spec/tags/-", "value": "c"},
        {"op": "remove", "path": "/spec/tags/0"},
        {"op": "copy", "from": "/spec/name", "path": "/spec/mode"},
        {"op": "move", "from": "/spec/name", "path": "/spec/maybe"},
        {"op": "add", "path": "/metadata/labels", "value": {}},
        {"op": "add", "path": "/metadata/labels/a~1b", "value": "v"},
    ]);
    let after = arm
        .send(
            Method::PATCH,
            &format!("{p}/x"),
            "application/json-patch+json",
            patch.to_string().into_bytes(),
        )
        .await
        .ok();
    assert_eq!(
        after.body["spec"],
        json!({"tags": ["b", "c"], "mode": "abc", "maybe": "abc"})
    );
    assert_eq!(after.body["metadata"]["labels"], json!({"a/b": "v"}));
}

async fn too_many_operations_are_refused(arm: Arm) {
    let (p, g) = set_up(&arm).await;
    make(&arm, &p, &g, "x", json!({})).await;
    let one = json!({"op": "test", "path": "/spec/mode", "value": "fast"});
    let patch = Value::from(vec![one; 10_001]);
    arm.send(Method::PATCH, &format!("{p}/x"), "application/json-patch+json", patch.to_string().into_bytes())
        .await
        .fails(413, "RequestEntityTooLarge", "Request entity too large: The allowed maximum operations in a JSON patch is 10000, got 10001");
}

async fn force_is_for_apply_only(arm: Arm) {
    let (p, g) = set_up(&arm).await;
    make(&arm, &p, &g, "x", json!({})).await;
    arm.merge(&format!("{p}/x?force=true"), &json!({}))
        .await
        .fails(422, "Invalid", "PatchOptions.meta.k8s.io \"\" is invalid: force: Forbidden: may not be specified for non-apply patch");
}

async fn a_patch_of_another_media_type_is_refused(arm: Arm) {
    let (p, g) = set_up(&arm).await;
    make(&arm, &p, &g, "x", json!({})).await;
    for media in ["application/json", "text/plain"] {
        let answer = arm
            .send(Method::PATCH, &format!("{p}/x"), media, b"{}".to_vec())
            .await;
        assert_eq!(
            (answer.code, answer.reason()),
            (415, "UnsupportedMediaType"),
            "{media}"
        );
    }
}

fn pod(name: &str) -> Value {
    json!({"metadata": {"name": name}, "spec": {"containers": [{"name": "a", "image": "i:1"}, {"name": "b", "image": "i:1"}]}})
}

async fn a_strategic_patch_merges_lists_by_their_key(arm: Arm) {
    let ns = arm.namespace().await;
    let p = format!("/api/v1/namespaces/{ns}/pods");
    arm.post(&p, &pod("p")).await.ok();
    let patch = json!({"spec": {"containers": [{"name": "b", "image": "i:2"}]}});
    let after = arm
        .send(
            Method::PATCH,
            &format!("{p}/p"),
            "application/strategic-merge-patch+json",
            patch.to_string().into_bytes(),
        )
        .await
        .ok();
    let images: Vec<&str> = after.body["spec"]["containers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|c| c["image"].as_str().unwrap())
        .collect();
    assert_eq!(images, ["i:1", "i:2"]);
}

async fn a_strategic_patch_obeys_its_directives(arm: Arm) {
    let ns = arm.namespace().await;
    let p = format!("/api/v1/namespaces/{ns}/configmaps");
    let map = json!({"metadata": {"name": "c", "finalizers": ["a.io/x", "a.io/y"]}, "data": {"a": "1", "b": "2"}});
    arm.post(&p, &map).await.ok();
    let send = async |patch: Value| {
        arm.send(
            Method::PATCH,
            &format!("{p}/c"),
            "application/strategic-merge-patch+json",
            patch.to_string().into_bytes(),
        )
        .await
        .ok()
    };
    let after =
        send(json!({"metadata": {"$deleteFromPrimitiveList/finalizers": ["a.io/x"]}})).await;
    assert_eq!(after.body["metadata"]["finalizers"], json!(["a.io/y"]));
    let after = send(json!({"data": {"$patch": "replace", "c": "3"}})).await;
    assert_eq!(after.body["data"], json!({"c": "3"}));
}
