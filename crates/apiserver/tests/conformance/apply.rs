//! Server-side apply: managers, conflicts, what is recorded.

use super::prelude::*;

conformance!(
    apply_creates_merges_and_conflicts,
    apply_removes_what_is_no_longer_applied,
    forced_apply_takes_fields_over,
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
