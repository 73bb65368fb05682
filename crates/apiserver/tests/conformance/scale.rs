//! The scale of custom resources.

use super::prelude::*;

conformance!(
    a_scale_stands_for_three_fields,
    an_object_without_replicas_has_no_scale,
    a_scale_is_patched_and_replaced,
    replicas_are_not_negative,
    a_dry_run_of_a_scale_changes_nothing,
);

async fn scalable(arm: &Arm) -> (String, String) {
    let ns = arm.namespace().await;
    let schema = json!({"type": "object", "properties": {
        "spec": {"type": "object", "properties": {"replicas": {"type": "integer"}}},
        "status": {"type": "object", "properties": {"replicas": {"type": "integer"}, "selector": {"type": "string"}}}}});
    let more = json!({"subresources": {"status": {}, "scale": {"specReplicasPath": ".spec.replicas",
        "statusReplicasPath": ".status.replicas", "labelSelectorPath": ".status.selector"}}});
    let g = arm.define_with(&arm.group(), schema, &more).await;
    (path(&g, &ns), g)
}

async fn a_scale_stands_for_three_fields(arm: Arm) {
    let (p, g) = scalable(&arm).await;
    make(&arm, &p, &g, "a", json!({"replicas": 3})).await;
    let object = arm
        .merge(
            &format!("{p}/a/status"),
            &json!({"status": {"replicas": 2, "selector": "a=b"}}),
        )
        .await
        .ok();
    let scale = arm.get(&format!("{p}/a/scale")).await.ok();
    assert_eq!(
        (&scale.body["kind"], &scale.body["apiVersion"]),
        (&json!("Scale"), &json!("autoscaling/v1"))
    );
    assert_eq!(scale.body["spec"], json!({"replicas": 3}));
    assert_eq!(
        scale.body["status"],
        json!({"replicas": 2, "selector": "a=b"})
    );
    for key in [
        "name",
        "namespace",
        "uid",
        "resourceVersion",
        "creationTimestamp",
    ] {
        assert_eq!(
            scale.body["metadata"][key], object.body["metadata"][key],
            "{key}"
        );
    }
}

async fn an_object_without_replicas_has_no_scale(arm: Arm) {
    let (p, g) = scalable(&arm).await;
    make(&arm, &p, &g, "a", json!({})).await;
    arm.get(&format!("{p}/a/scale")).await.fails(
        500,
        "InternalError",
        "Internal error occurred: the spec replicas field \".spec.replicas\" does not exist",
    );
    arm.get(&format!("{p}/b/scale")).await.fails(
        404,
        "NotFound",
        &format!("widgets.{g} \"b\" not found"),
    );
}

async fn a_scale_is_patched_and_replaced(arm: Arm) {
    let (p, g) = scalable(&arm).await;
    make(&arm, &p, &g, "a", json!({"replicas": 3})).await;
    let scale = arm
        .merge(&format!("{p}/a/scale"), &json!({"spec": {"replicas": 5}}))
        .await
        .ok();
    assert_eq!(
        (&scale.body["kind"], &scale.body["spec"]["replicas"]),
        (&json!("Scale"), &json!(5))
    );
    let patch = json!([{"op": "replace", "path": "/spec/replicas", "value": 7}]);
    arm.send(
        Method::PATCH,
        &format!("{p}/a/scale"),
        "application/json-patch+json",
        patch.to_string().into_bytes(),
    )
    .await
    .ok();
    let object = arm.get(&format!("{p}/a")).await.ok();
    assert_eq!(
        (
            &object.body["spec"]["replicas"],
            &object.body["metadata"]["generation"]
        ),
        (&json!(7), &json!(3))
    );
    let mut whole = json!({"apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": {"name": "a"}, "spec": {"replicas": 9}});
    let scale = arm.put(&format!("{p}/a/scale"), &whole).await.ok();
    assert_eq!(scale.body["spec"]["replicas"], 9);
    whole["metadata"]["resourceVersion"] = json!("1");
    let text = format!(
        "Operation cannot be fulfilled on widgets.{g} \"a\": the object has been modified; please apply your changes to the latest version and try again"
    );
    arm.put(&format!("{p}/a/scale"), &whole)
        .await
        .fails(409, "Conflict", &text);
}

async fn replicas_are_not_negative(arm: Arm) {
    let (p, g) = scalable(&arm).await;
    make(&arm, &p, &g, "a", json!({"replicas": 3})).await;
    let text = |name: &str, n: i64| {
        format!(
            "Widget.{g} \"{name}\" is invalid: .spec.replicas: Invalid value: {n}: should be a non-negative integer"
        )
    };
    arm.post(&p, &widget(&g, "b", json!({"replicas": -1})))
        .await
        .fails(422, "Invalid", &text("b", -1));
    arm.merge(&format!("{p}/a/scale"), &json!({"spec": {"replicas": -2}}))
        .await
        .fails(422, "Invalid", &text("a", -2));
}

async fn a_dry_run_of_a_scale_changes_nothing(arm: Arm) {
    let (p, g) = scalable(&arm).await;
    let made = make(&arm, &p, &g, "a", json!({"replicas": 3})).await;
    let tried = arm
        .merge(
            &format!("{p}/a/scale?dryRun=All"),
            &json!({"spec": {"replicas": 5}}),
        )
        .await
        .ok();
    assert_eq!(tried.body["spec"]["replicas"], 5);
    assert_eq!(
        arm.get(&format!("{p}/a")).await.ok().version(),
        made.version()
    );
}
