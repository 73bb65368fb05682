//! Server-side apply: managers, conflicts, what is recorded.

use super::prelude::*;

conformance!(
    apply_creates_merges_and_conflicts,
    apply_removes_what_is_no_longer_applied,
    forced_apply_takes_fields_over,
    apply_needs_a_manager,
    apply_takes_yaml,
    two_appliers_share_what_they_agree_on,
    a_conflict_names_every_field,
    an_update_takes_fields_over_from_an_applier,
    the_status_is_applied_apart,
    a_dry_run_of_apply_stores_nothing,
    apply_works_for_core_kinds,
);

async fn apply_creates_merges_and_conflicts(arm: Arm) {
    let (p, g) = set_up(&arm).await;
    let one = |manager: &str| format!("{p}/x?fieldManager={manager}");
    let made = arm
        .apply(
            &one("a"),
            &widget(&g, "x", json!({"size": 1, "parts": [{"id": "p", "n": 1}]})),
        )
        .await;
    assert_eq!(made.code, 201);
    let merged = arm
        .apply(
            &one("b"),
            &widget(&g, "x", json!({"colour": "red", "parts": [{"id": "q"}]})),
        )
        .await
        .ok();
    assert_eq!(
        merged.body["spec"],
        json!({"size": 1, "mode": "fast", "colour": "red", "parts": [{"id": "p", "n": 1}, {"id": "q"}]})
    );
    arm.apply(&one("b"), &widget(&g, "x", json!({"size": 2})))
        .await
        .fails(
            409,
            "Conflict",
            "Apply failed with 1 conflict: conflict with \"a\": .spec.size",
        );
}

async fn apply_removes_what_is_no_longer_applied(arm: Arm) {
    let (p, g) = set_up(&arm).await;
    let one = format!("{p}/x?fieldManager=a");
    arm.apply(
        &one,
        &widget(
            &g,
            "x",
            json!({"size": 1, "name": "abc", "disks": {"d": {"evict": true}}}),
        ),
    )
    .await
    .ok();
    let after = arm
        .apply(&one, &widget(&g, "x", json!({"name": "abc"})))
        .await
        .ok();
    assert_eq!(after.body["spec"], json!({"mode": "fast", "name": "abc"}));
}

async fn forced_apply_takes_fields_over(arm: Arm) {
    let (p, g) = set_up(&arm).await;
    arm.apply(
        &format!("{p}/x?fieldManager=a"),
        &widget(&g, "x", json!({"size": 1})),
    )
    .await
    .ok();
    let after = arm
        .apply(
            &format!("{p}/x?fieldManager=b&force=true"),
            &widget(&g, "x", json!({"size": 2})),
        )
        .await
        .ok();
    let managers: Vec<&str> = after.body["metadata"]["managedFields"]
        .as_array()
        .unwrap()
        .iter()
        .map(|m| m["manager"].as_str().unwrap())
        .collect();
    assert_eq!(managers, ["b"]);
}

async fn apply_needs_a_manager(arm: Arm) {
    let (p, g) = set_up(&arm).await;
    arm.apply(&format!("{p}/x"), &widget(&g, "x", json!({})))
        .await
        .fails(422, "Invalid", "PatchOptions.meta.k8s.io \"\" is invalid: fieldManager: Required value: is required for apply patch");
}

async fn apply_takes_yaml(arm: Arm) {
    let (p, g) = set_up(&arm).await;
    let yaml = format!(
        "apiVersion: {g}/v1\nkind: Widget\nmetadata:\n  name: x\nspec:\n  size: 3\n  name: abc # a comment\n"
    );
    let made = arm
        .send(
            Method::PATCH,
            &format!("{p}/x?fieldManager=m"),
            "application/apply-patch+yaml",
            yaml.into_bytes(),
        )
        .await;
    assert_eq!(made.code, 201);
    assert_eq!(
        made.body["spec"],
        json!({"size": 3, "name": "abc", "mode": "fast"})
    );
}

async fn two_appliers_share_what_they_agree_on(arm: Arm) {
    let (p, g) = set_up(&arm).await;
    let one = |manager: &str| format!("{p}/x?fieldManager={manager}");
    let spec = json!({"size": 1, "name": "abc"});
    arm.apply(&one("a"), &widget(&g, "x", spec.clone()))
        .await
        .ok();
    arm.apply(&one("b"), &widget(&g, "x", spec)).await.ok();
    // Neither can take it away alone.
    let after = arm
        .apply(&one("a"), &widget(&g, "x", json!({"size": 1})))
        .await
        .ok();
    assert_eq!(after.body["spec"]["name"], "abc");
    let after = arm
        .apply(&one("b"), &widget(&g, "x", json!({"size": 1})))
        .await
        .ok();
    assert!(after.body["spec"].get("name").is_none());
}

async fn a_conflict_names_every_field(arm: Arm) {
    let (p, g) = set_up(&arm).await;
    let one = |manager: &str| format!("{p}/x?fieldManager={manager}");
    arm.apply(
        &one("a"),
        &widget(&g, "x", json!({"size": 1, "name": "abc"})),
    )
    .await
    .ok();
    let answer = arm
        .apply(
            &one("b"),
            &widget(&g, "x", json!({"size": 2, "name": "abd"})),
        )
        .await
        .fails(
            409,
            "Conflict",
            "Apply failed with 2 conflicts: conflicts with \"a\":\n- .spec.name\n- .spec.size",
        );
    let causes = answer.body["details"]["causes"].as_array().unwrap();
    assert!(causes.iter().all(|c| c["reason"] == "FieldManagerConflict" && c["message"] == "conflict with \"a\""));
}

async fn an_update_takes_fields_over_from_an_applier(arm: Arm) {
    let (p, g) = set_up(&arm).await;
    arm.apply(
        &format!("{p}/x?fieldManager=a"),
        &widget(&g, "x", json!({"size": 1, "name": "abc"})),
    )
    .await
    .ok();
    arm.merge(
        &format!("{p}/x?fieldManager=u"),
        &json!({"spec": {"size": 2}}),
    )
    .await
    .ok();
    arm.apply(
        &format!("{p}/x?fieldManager=a"),
        &widget(&g, "x", json!({"size": 3, "name": "abc"})),
    )
    .await
    .fails(
        409,
        "Conflict",
        &format!("Apply failed with 1 conflict: conflict with \"u\" using {g}/v1: .spec.size"),
    );
    // What it does not mention any more is left to the other.
    let after = arm
        .apply(
            &format!("{p}/x?fieldManager=a"),
            &widget(&g, "x", json!({"name": "abc"})),
        )
        .await
        .ok();
    assert_eq!(after.body["spec"]["size"], 2);
}

async fn the_status_is_applied_apart(arm: Arm) {
    let (p, g) = set_up(&arm).await;
    let mut body = widget(&g, "x", json!({"size": 1}));
    arm.apply(&format!("{p}/x?fieldManager=a"), &body)
        .await
        .ok();
    body["status"] = json!({"phase": "up"});
    let after = arm
        .apply(&format!("{p}/x/status?fieldManager=s"), &body)
        .await
        .ok();
    assert_eq!(after.body["status"], json!({"phase": "up"}));
    let entries = after.body["metadata"]["managedFields"].as_array().unwrap();
    let status = entries.iter().find(|e| e["manager"] == "s").unwrap();
    assert_eq!(
        (&status["operation"], &status["subresource"]),
        (&json!("Apply"), &json!("status"))
    );
    assert_eq!(status["fieldsV1"], json!({"f:status": {"f:phase": {}}}));
    let text = format!("widgets.{g} \"y\" not found");
    body["metadata"]["name"] = json!("y");
    arm.apply(&format!("{p}/y/status?fieldManager=s"), &body)
        .await
        .fails(404, "NotFound", &text);
}

async fn a_dry_run_of_apply_stores_nothing(arm: Arm) {
    let (p, g) = set_up(&arm).await;
    let tried = arm
        .apply(
            &format!("{p}/x?fieldManager=a&dryRun=All"),
            &widget(&g, "x", json!({"size": 1})),
        )
        .await;
    assert_eq!((tried.code, &tried.body["spec"]["size"]), (201, &json!(1)));
    assert_eq!(arm.get(&format!("{p}/x")).await.code, 404);
}

async fn apply_works_for_core_kinds(arm: Arm) {
    let ns = arm.namespace().await;
    let p = format!("/api/v1/namespaces/{ns}/configmaps/c?fieldManager=m");
    let map = |data: Value| json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": data});
    let made = arm.apply(&p, &map(json!({"a": "1", "b": "2"}))).await;
    assert_eq!(made.code, 201);
    let after = arm.apply(&p, &map(json!({"b": "3"}))).await.ok();
    assert_eq!(after.body["data"], json!({"b": "3"}));
    let entry = &after.body["metadata"]["managedFields"][0];
    assert_eq!(entry["fieldsV1"], json!({"f:data": {"f:b": {}}}));
}
