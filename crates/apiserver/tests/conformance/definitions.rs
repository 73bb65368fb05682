//! CustomResourceDefinitions: conditions, versions, what is refused.

use super::prelude::*;

conformance!(
    two_served_versions_show_the_same_object,
    a_version_that_is_not_served_is_not_found,
    a_definition_is_established,
    a_deleted_definition_takes_its_instances_along,
);

fn two_versions(both_served: bool) -> Value {
    let version = |name: &str, storage: bool, served: bool| {
        json!({"name": name, "served": served, "storage": storage,
        "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": {"type": "object", "properties": {"size": {"type": "integer"}}}}}}})
    };
    json!([version("v1", false, true), version("v2", true, both_served)])
}

async fn two_served_versions_show_the_same_object(arm: Arm) {
    let ns = arm.namespace().await;
    let g = arm.define_versions(&arm.group(), two_versions(true)).await;
    make(&arm, &path(&g, &ns), &g, "x", json!({"size": 4})).await;
    let other = arm
        .get(&format!("/apis/{g}/v2/namespaces/{ns}/widgets/x"))
        .await
        .ok();
    assert_eq!(other.body["apiVersion"], format!("{g}/v2"));
    assert_eq!(other.body["spec"], json!({"size": 4}));
    let back = arm.get(&format!("{}/x", path(&g, &ns))).await.ok();
    assert_eq!(back.body["apiVersion"], format!("{g}/v1"));
}

async fn a_version_that_is_not_served_is_not_found(arm: Arm) {
    let ns = arm.namespace().await;
    let g = arm.define_versions(&arm.group(), two_versions(false)).await;
    let answer = arm
        .get(&format!("/apis/{g}/v2/namespaces/{ns}/widgets"))
        .await;
    assert_eq!(
        (answer.code, answer.body),
        (404, json!("404 page not found\n"))
    );
    make(&arm, &path(&g, &ns), &g, "x", json!({"size": 4})).await;
    assert_eq!(
        arm.get(&format!("{}/x", path(&g, &ns))).await.ok().body["apiVersion"],
        format!("{g}/v1")
    );
}

async fn a_definition_is_established(arm: Arm) {
    let g = arm.define(&arm.group()).await;
    let definition = arm.get(&format!("{}/widgets.{g}", common::CRDS)).await.ok();
    let mut states: Vec<String> = definition.body["status"]["conditions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|c| {
            format!(
                "{}={} {}",
                c["type"].as_str().unwrap(),
                c["status"].as_str().unwrap(),
                c["reason"].as_str().unwrap()
            )
        })
        .collect();
    states.sort();
    assert_eq!(
        states,
        [
            "Established=True InitialNamesAccepted",
            "NamesAccepted=True NoConflicts"
        ]
    );
    assert_eq!(definition.body["status"]["storedVersions"], json!(["v1"]));
    assert_eq!(
        definition.body["status"]["acceptedNames"]["listKind"],
        "WidgetList"
    );
}

async fn a_deleted_definition_takes_its_instances_along(arm: Arm) {
    let (p, g) = set_up(&arm).await;
    make(&arm, &p, &g, "x", json!({})).await;
    let definition = format!("{}/widgets.{g}", common::CRDS);
    arm.delete(&definition).await.ok();
    until(&arm, &definition, 404).await;
    until(&arm, &p, 404).await;
}
