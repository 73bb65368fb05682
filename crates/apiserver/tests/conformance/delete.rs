//! DELETE: answers, preconditions, finalizers.

use super::prelude::*;

conformance!(
    the_last_finalizer_takes_the_object_along,
    no_finalizer_can_be_added_to_a_terminating_object,
    a_missing_object_is_not_found,
    preconditions_guard_a_deletion,
    a_deletion_answers_with_a_status,
    deletecollection_takes_what_the_selector_matches,
);

async fn the_last_finalizer_takes_the_object_along(arm: Arm) {
    let (p, g) = set_up(&arm).await;
    let one = format!("{p}/x");
    let mut object = widget(&g, "x", json!({}));
    object["metadata"]["finalizers"] = json!(["example.io/a", "example.io/b"]);
    arm.post(&p, &object).await.ok();
    arm.delete(&one).await.ok();
    arm.merge(&one, &json!({"metadata": {"finalizers": ["example.io/b"]}}))
        .await
        .ok();
    arm.get(&one).await.ok();
    arm.merge(&one, &json!({"metadata": {"finalizers": null}}))
        .await
        .ok();
    let text = format!("widgets.{g} \"x\" not found");
    arm.get(&one).await.fails(404, "NotFound", &text);
}

async fn no_finalizer_can_be_added_to_a_terminating_object(arm: Arm) {
    let (p, g) = set_up(&arm).await;
    let mut object = widget(&g, "x", json!({}));
    object["metadata"]["finalizers"] = json!(["example.io/a"]);
    arm.post(&p, &object).await.ok();
    arm.delete(&format!("{p}/x")).await.ok();
    let text = format!(
        "Widget.{g} \"x\" is invalid: metadata.finalizers: Forbidden: no new finalizers can be added if the object is being deleted, found new finalizers []string{{\"example.io/b\"}}"
    );
    arm.merge(
        &format!("{p}/x"),
        &json!({"metadata": {"finalizers": ["example.io/a", "example.io/b"]}}),
    )
    .await
    .fails(422, "Invalid", &text);
}

async fn a_missing_object_is_not_found(arm: Arm) {
    let (p, g) = set_up(&arm).await;
    let text = format!("widgets.{g} \"x\" not found");
    let one = format!("{p}/x");
    arm.get(&one).await.fails(404, "NotFound", &text);
    arm.delete(&one).await.fails(404, "NotFound", &text);
    arm.merge(&one, &json!({}))
        .await
        .fails(404, "NotFound", &text);
}

async fn preconditions_guard_a_deletion(arm: Arm) {
    let (p, g) = set_up(&arm).await;
    let made = make(&arm, &p, &g, "x", json!({})).await;
    let one = format!("{p}/x");
    let uid = made.body["metadata"]["uid"].as_str().unwrap();
    let text = format!(
        "Operation cannot be fulfilled on Widget.{g} \"x\": the UID in the precondition (other) does not match the UID in record ({uid}). The object might have been deleted and then recreated"
    );
    arm.delete_with(&one, &json!({"preconditions": {"uid": "other"}}))
        .await
        .fails(409, "Conflict", &text);
    arm.delete_with(
        &one,
        &json!({"preconditions": {"uid": uid, "resourceVersion": made.version()}}),
    )
    .await
    .ok();
}

async fn a_deletion_answers_with_a_status(arm: Arm) {
    let (p, g) = set_up(&arm).await;
    let made = make(&arm, &p, &g, "x", json!({})).await;
    let gone = arm.delete(&format!("{p}/x")).await.ok();
    assert_eq!(
        gone.body,
        json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success",
            "details": {"name": "x", "group": g, "kind": "widgets", "uid": made.body["metadata"]["uid"]}})
    );
}

async fn deletecollection_takes_what_the_selector_matches(arm: Arm) {
    let (p, g) = set_up(&arm).await;
    labelled(&arm, &p, &g).await;
    arm.delete(&format!("{p}?labelSelector=k")).await.ok();
    assert_eq!(names(&arm.get(&p).await.ok()), ["c"]);
}
