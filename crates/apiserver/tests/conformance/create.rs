//! POST: names, owners, dry runs.

use super::prelude::*;

conformance!(
    create_of_a_taken_name_says_already_exists,
    create_while_the_old_one_is_terminating_says_so,
    generated_names_have_five_more_characters,
    a_name_in_upper_case_is_refused,
    a_missing_namespace_is_not_found,
    owner_references_are_checked,
    dry_run_stores_nothing,
);

async fn create_of_a_taken_name_says_already_exists(arm: Arm) {
    let (p, g) = set_up(&arm).await;
    make(&arm, &p, &g, "x", json!({})).await;
    let answer = arm.post(&p, &widget(&g, "x", json!({}))).await;
    let text = format!("widgets.{g} \"x\" already exists");
    let answer = answer.fails(409, "AlreadyExists", &text);
    assert_eq!(
        answer.body["details"],
        json!({"name": "x", "group": g, "kind": "widgets"})
    );
}

async fn create_while_the_old_one_is_terminating_says_so(arm: Arm) {
    let (p, g) = set_up(&arm).await;
    let mut object = widget(&g, "x", json!({}));
    object["metadata"]["finalizers"] = json!(["example.io/hold"]);
    arm.post(&p, &object).await.ok();
    let pending = arm.delete(&format!("{p}/x")).await.ok();
    assert!(pending.body["metadata"]["deletionTimestamp"].is_string());
    assert_eq!(pending.body["metadata"]["deletionGracePeriodSeconds"], 0);
    assert_eq!(pending.body["metadata"]["generation"], 2);
    let text = format!("object is being deleted: widgets.{g} \"x\" already exists");
    arm.post(&p, &widget(&g, "x", json!({})))
        .await
        .fails(409, "AlreadyExists", &text);
}

async fn generated_names_have_five_more_characters(arm: Arm) {
    let (p, g) = set_up(&arm).await;
    let object = json!({"apiVersion": format!("{g}/v1"), "kind": "Widget", "metadata": {"generateName": "auto-"}});
    let a = arm.post(&p, &object).await.ok();
    let b = arm.post(&p, &object).await.ok();
    let name = |a: &Answer| a.body["metadata"]["name"].as_str().unwrap().to_owned();
    assert_eq!(name(&a).len(), "auto-".len() + 5);
    assert!(name(&a).starts_with("auto-"));
    assert_ne!(name(&a), name(&b));
}

async fn a_name_in_upper_case_is_refused(arm: Arm) {
    let (p, g) = set_up(&arm).await;
    let text = format!(
        "Widget.{g} \"Big\" is invalid: metadata.name: Invalid value: \"Big\": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
    );
    arm.post(&p, &widget(&g, "Big", json!({})))
        .await
        .fails(422, "Invalid", &text);
}

async fn a_missing_namespace_is_not_found(arm: Arm) {
    let group = arm.define(&arm.group()).await;
    arm.post(&path(&group, "nowhere"), &widget(&group, "x", json!({})))
        .await
        .fails(404, "NotFound", "namespaces \"nowhere\" not found");
    let list = arm.get(&path(&group, "nowhere")).await.ok();
    assert_eq!(list.body["items"], json!([]));
}

async fn owner_references_are_checked(arm: Arm) {
    let (p, g) = set_up(&arm).await;
    let mut object = widget(&g, "x", json!({}));
    object["metadata"]["ownerReferences"] =
        json!([{"apiVersion": "v1", "kind": "ConfigMap", "name": "o"}]);
    let text = format!(
        "Widget.{g} \"x\" is invalid: metadata.ownerReferences.uid: Invalid value: \"\": must not be empty"
    );
    arm.post(&p, &object).await.fails(422, "Invalid", &text);
}

async fn dry_run_stores_nothing(arm: Arm) {
    let (p, g) = set_up(&arm).await;
    let tried = arm
        .post(&format!("{p}?dryRun=All"), &widget(&g, "x", json!({})))
        .await
        .ok();
    assert!(tried.body["metadata"]["uid"].is_string());
    assert!(tried.body["metadata"].get("resourceVersion").is_none());
    assert_eq!(arm.get(&format!("{p}/x")).await.code, 404);
    make(&arm, &p, &g, "y", json!({"size": 1})).await;
    arm.merge(&format!("{p}/y?dryRun=All"), &json!({"spec": {"size": 2}}))
        .await
        .ok();
    arm.delete(&format!("{p}/y?dryRun=All")).await.ok();
    assert_eq!(
        arm.get(&format!("{p}/y")).await.ok().body["spec"]["size"],
        1
    );
}
