//! DELETE: answers, preconditions, finalizers.

use super::prelude::*;

conformance!(
    the_last_finalizer_takes_the_object_along,
    no_finalizer_can_be_added_to_a_terminating_object,
    a_missing_object_is_not_found,
    preconditions_guard_a_deletion,
    a_deletion_answers_with_a_status,
    deletecollection_takes_what_the_selector_matches,
    the_version_guards_a_deletion,
    options_of_a_deletion_are_checked,
    options_that_are_no_json_are_an_error,
    deleting_twice_keeps_the_time_of_the_first,
    a_grace_period_means_nothing_to_custom_resources,
    a_collection_is_deleted_by_field_and_tried_out,
    a_collection_of_all_namespaces_cannot_be_deleted,
    objects_with_finalizers_outlive_their_collection,
    a_deletion_that_is_awaited_can_be_tried_out,
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

async fn the_version_guards_a_deletion(arm: Arm) {
    let (p, g) = set_up(&arm).await;
    let made = make(&arm, &p, &g, "x", json!({})).await;
    let text = format!(
        "Operation cannot be fulfilled on Widget.{g} \"x\": the ResourceVersion in the precondition (1) does not match the ResourceVersion in record ({}). The object might have been modified",
        made.version()
    );
    arm.delete_with(
        &format!("{p}/x"),
        &json!({"preconditions": {"resourceVersion": "1"}}),
    )
    .await
    .fails(409, "Conflict", &text);
    arm.get(&format!("{p}/x")).await.ok();
}

async fn options_of_a_deletion_are_checked(arm: Arm) {
    let (p, g) = set_up(&arm).await;
    make(&arm, &p, &g, "x", json!({})).await;
    for (options, why) in [
        (
            json!({"propagationPolicy": "Odd"}),
            "propagationPolicy: Unsupported value: \"Odd\": supported values: \"Foreground\", \"Background\", \"Orphan\", \"nil\"",
        ),
        (
            json!({"propagationPolicy": "Orphan", "orphanDependents": true}),
            "propagationPolicy: Invalid value: \"Orphan\": orphanDependents and deletionPropagation cannot be both set",
        ),
        (
            json!({"dryRun": ["Odd"]}),
            "dryRun: Unsupported value: [\"Odd\"]: supported values: \"All\"",
        ),
    ] {
        let text = format!("DeleteOptions.meta.k8s.io \"\" is invalid: {why}");
        arm.delete_with(&format!("{p}/x"), &options)
            .await
            .fails(422, "Invalid", &text);
    }
    arm.get(&format!("{p}/x")).await.ok();
}

async fn options_that_are_no_json_are_an_error(arm: Arm) {
    let (p, g) = set_up(&arm).await;
    make(&arm, &p, &g, "x", json!({})).await;
    arm.send(
        Method::DELETE,
        &format!("{p}/x"),
        "application/json",
        b"{".to_vec(),
    )
    .await
    .fails(
        500,
        "",
        "couldn't get version/kind; json parse error: unexpected end of JSON input",
    );
    arm.send(Method::DELETE, &format!("{p}/x"), "application/json", br#"{"gracePeriodSeconds":"x"}"#.to_vec())
        .await
        .fails(500, "", "json: cannot unmarshal string into Go struct field DeleteOptions.gracePeriodSeconds of type int64");
    arm.get(&format!("{p}/x")).await.ok();
}

async fn deleting_twice_keeps_the_time_of_the_first(arm: Arm) {
    let (p, g) = set_up(&arm).await;
    let mut object = widget(&g, "x", json!({}));
    object["metadata"]["finalizers"] = json!(["example.io/hold"]);
    arm.post(&p, &object).await.ok();
    let first = arm.delete(&format!("{p}/x")).await.ok();
    let second = arm.delete(&format!("{p}/x")).await.ok();
    assert_eq!(
        first.body["metadata"]["deletionTimestamp"],
        second.body["metadata"]["deletionTimestamp"]
    );
    assert_eq!(first.version(), second.version());
}

async fn a_grace_period_means_nothing_to_custom_resources(arm: Arm) {
    let (p, g) = set_up(&arm).await;
    make(&arm, &p, &g, "x", json!({})).await;
    let gone = arm
        .delete(&format!("{p}/x?gracePeriodSeconds=30"))
        .await
        .ok();
    assert_eq!(gone.body["status"], "Success");
    assert_eq!(arm.get(&format!("{p}/x")).await.code, 404);
}

async fn a_collection_is_deleted_by_field_and_tried_out(arm: Arm) {
    let (p, g) = set_up(&arm).await;
    labelled(&arm, &p, &g).await;
    let tried = arm.delete(&format!("{p}?dryRun=All")).await.ok();
    assert_eq!(names(&tried), ["a", "b", "c"]);
    let gone = arm
        .delete(&format!("{p}?fieldSelector=metadata.name%3Db"))
        .await
        .ok();
    assert_eq!(names(&gone), ["b"]);
    assert_eq!(names(&arm.get(&p).await.ok()), ["a", "c"]);
}

async fn a_collection_of_all_namespaces_cannot_be_deleted(arm: Arm) {
    let (p, g) = set_up(&arm).await;
    make(&arm, &p, &g, "x", json!({})).await;
    let answer = arm.delete(&format!("/apis/{g}/v1/widgets")).await;
    assert_eq!(
        (answer.code, answer.body),
        (404, json!("404 page not found\n"))
    );
    arm.get(&format!("{p}/x")).await.ok();
}

async fn objects_with_finalizers_outlive_their_collection(arm: Arm) {
    let (p, g) = set_up(&arm).await;
    let mut object = widget(&g, "held", json!({}));
    object["metadata"]["finalizers"] = json!(["example.io/hold"]);
    arm.post(&p, &object).await.ok();
    make(&arm, &p, &g, "free", json!({})).await;
    arm.delete(&p).await.ok();
    let left = arm.get(&p).await.ok();
    assert_eq!(names(&left), ["held"]);
    assert!(left.body["items"][0]["metadata"]["deletionTimestamp"].is_string());
}

async fn a_deletion_that_is_awaited_can_be_tried_out(arm: Arm) {
    let (p, g) = set_up(&arm).await;
    let made = make(&arm, &p, &g, "x", json!({})).await;
    let tried = arm
        .delete_with(&format!("{p}/x"), &json!({"dryRun": ["All"]}))
        .await
        .ok();
    assert_eq!(tried.body["status"], "Success");
    assert_eq!(
        arm.get(&format!("{p}/x")).await.ok().version(),
        made.version()
    );
}
