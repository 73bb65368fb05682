//! Lists: selectors, pages, versions.

use super::prelude::*;

conformance!(
    label_selectors_of_all_kinds,
    field_selector_by_name,
    selectable_fields_of_a_definition,
    lists_go_page_by_page_from_one_version,
    an_exact_version_is_listed_as_it_was,
);

async fn label_selectors_of_all_kinds(arm: Arm) {
    let (p, g) = set_up(&arm).await;
    labelled(&arm, &p, &g).await;
    for (selector, wanted) in [
        ("k%3D1", vec!["a"]),
        ("k!%3D1", vec!["b", "c"]),
        ("k%20in%20(1,2),l", vec!["b"]),
        ("k%20notin%20(1)", vec!["b", "c"]),
        ("!k", vec!["c"]),
        ("k%3E1", vec!["b"]),
    ] {
        let list = arm.get(&format!("{p}?labelSelector={selector}")).await.ok();
        assert_eq!(names(&list), wanted, "{selector}");
    }
    assert_eq!(arm.get(&format!("{p}?labelSelector=a%20b")).await.code, 400);
}

async fn field_selector_by_name(arm: Arm) {
    let (p, g) = set_up(&arm).await;
    labelled(&arm, &p, &g).await;
    let list = arm
        .get(&format!("{p}?fieldSelector=metadata.name%3Db"))
        .await
        .ok();
    assert_eq!(names(&list), ["b"]);
    arm.get(&format!("{p}?fieldSelector=spec.size%3D1"))
        .await
        .fails(400, "BadRequest", "field label not supported: spec.size");
}

async fn selectable_fields_of_a_definition(arm: Arm) {
    let ns = arm.namespace().await;
    let g = arm
        .define_with(
            &arm.group(),
            common::widget_schema(),
            &json!({"selectableFields": [{"jsonPath": ".spec.colour"}]}),
        )
        .await;
    let p = path(&g, &ns);
    make(&arm, &p, &g, "a", json!({"colour": "red"})).await;
    make(&arm, &p, &g, "b", json!({"colour": "green"})).await;
    let list = arm
        .get(&format!("{p}?fieldSelector=spec.colour%3Dgreen"))
        .await
        .ok();
    assert_eq!(names(&list), ["b"]);
}

async fn lists_go_page_by_page_from_one_version(arm: Arm) {
    let (p, g) = set_up(&arm).await;
    for name in ["a", "b", "c"] {
        make(&arm, &p, &g, name, json!({})).await;
    }
    let first = arm.get(&format!("{p}?limit=2")).await.ok();
    assert_eq!(names(&first), ["a", "b"]);
    assert_eq!(first.body["metadata"]["remainingItemCount"], 1);
    let token = first.body["metadata"]["continue"].as_str().unwrap();
    // Between the pages: neither must be seen.
    make(&arm, &p, &g, "d", json!({})).await;
    let second = arm.get(&format!("{p}?limit=2&continue={token}")).await.ok();
    assert_eq!(names(&second), ["c"]);
    assert_eq!(second.version(), first.version());
}

async fn an_exact_version_is_listed_as_it_was(arm: Arm) {
    let (p, g) = set_up(&arm).await;
    let a = make(&arm, &p, &g, "a", json!({"size": 1})).await;
    arm.merge(&format!("{p}/a"), &json!({"spec": {"size": 2}}))
        .await
        .ok();
    make(&arm, &p, &g, "b", json!({})).await;
    let list = arm
        .get(&format!(
            "{p}?resourceVersion={}&resourceVersionMatch=Exact",
            a.version()
        ))
        .await
        .ok();
    assert_eq!(names(&list), ["a"]);
    assert_eq!(list.body["items"][0]["spec"]["size"], 1);
}
