//! PUT, generations and the optimistic lock.

use super::prelude::*;

conformance!(
    create_ignores_status_and_update_of_status_ignores_the_rest,
    generation_counts_spec_but_not_metadata_or_status,
    a_stale_version_is_a_conflict,
    an_update_without_version_is_refused_for_custom_resources,
    an_update_without_change_writes_nothing,
);

async fn create_ignores_status_and_update_of_status_ignores_the_rest(arm: Arm) {
    let (p, g) = set_up(&arm).await;
    let mut object = widget(&g, "x", json!({"size": 1}));
    object["status"] = json!({"phase": "no"});
    let made = arm.post(&p, &object).await.ok();
    assert!(made.body.get("status").is_none());
    let mut change = made.body.clone();
    change["spec"]["size"] = json!(2);
    change["metadata"]["labels"] = json!({"a": "b"});
    change["status"] = json!({"phase": "yes"});
    let after = arm.put(&format!("{p}/x/status"), &change).await.ok();
    assert_eq!(after.body["status"]["phase"], "yes");
    assert_eq!(after.body["spec"]["size"], 1);
    assert!(after.body["metadata"].get("labels").is_none());
    let mut change = after.body.clone();
    change["status"] = json!({"phase": "other"});
    let same = arm.put(&format!("{p}/x"), &change).await.ok();
    assert_eq!(same.body["status"]["phase"], "yes");
    assert_eq!(same.version(), after.version());
}

async fn generation_counts_spec_but_not_metadata_or_status(arm: Arm) {
    let (p, g) = set_up(&arm).await;
    let one = format!("{p}/x");
    make(&arm, &p, &g, "x", json!({})).await;
    let generation = |a: &Answer| a.body["metadata"]["generation"].as_i64().unwrap();
    let a = arm
        .merge(&one, &json!({"metadata": {"labels": {"a": "b"}}}))
        .await
        .ok();
    assert_eq!(generation(&a), 1);
    let a = arm
        .merge(&format!("{one}/status"), &json!({"status": {"phase": "p"}}))
        .await
        .ok();
    assert_eq!(generation(&a), 1);
    let a = arm.merge(&one, &json!({"spec": {"size": 3}})).await.ok();
    assert_eq!(generation(&a), 2);
    let a = arm
        .merge(&one, &json!({"metadata": {"generation": 77}}))
        .await
        .ok();
    assert_eq!(generation(&a), 2);
}

async fn a_stale_version_is_a_conflict(arm: Arm) {
    let (p, g) = set_up(&arm).await;
    let old = make(&arm, &p, &g, "x", json!({})).await;
    arm.merge(&format!("{p}/x"), &json!({"spec": {"size": 2}}))
        .await
        .ok();
    let text = format!(
        "Operation cannot be fulfilled on widgets.{g} \"x\": the object has been modified; please apply your changes to the latest version and try again"
    );
    let mut change = old.body.clone();
    change["spec"]["size"] = json!(9);
    arm.put(&format!("{p}/x"), &change)
        .await
        .fails(409, "Conflict", &text);
    let stale = json!({"metadata": {"resourceVersion": old.version()}, "spec": {"size": 4}});
    arm.merge(&format!("{p}/x"), &stale)
        .await
        .fails(409, "Conflict", &text);
}

async fn an_update_without_version_is_refused_for_custom_resources(arm: Arm) {
    let (p, g) = set_up(&arm).await;
    make(&arm, &p, &g, "x", json!({})).await;
    let text = format!(
        "widgets.{g} \"x\" is invalid: metadata.resourceVersion: Invalid value: 0: must be specified for an update"
    );
    arm.put(&format!("{p}/x"), &widget(&g, "x", json!({})))
        .await
        .fails(422, "Invalid", &text);
}

async fn an_update_without_change_writes_nothing(arm: Arm) {
    let (p, g) = set_up(&arm).await;
    let made = make(&arm, &p, &g, "x", json!({"size": 1})).await;
    let same = arm
        .merge(&format!("{p}/x"), &json!({"spec": {"size": 1}}))
        .await
        .ok();
    assert_eq!(same.version(), made.version());
    let same = arm.put(&format!("{p}/x"), &made.body).await.ok();
    assert_eq!(same.version(), made.version());
}
