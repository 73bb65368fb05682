//! The forms of an answer: tables, metadata alone, media types.

use super::prelude::*;

conformance!(
    tables_have_the_definitions_columns,
    metadata_alone_can_be_asked_for,
    wrong_media_types_are_refused,
);

async fn tables_have_the_definitions_columns(arm: Arm) {
    let ns = arm.namespace().await;
    let columns = json!({"additionalPrinterColumns": [
        {"name": "Size", "type": "integer", "jsonPath": ".spec.size"},
        {"name": "Phase", "type": "string", "jsonPath": ".status.phase"}]});
    let g = arm
        .define_with(&arm.group(), common::widget_schema(), &columns)
        .await;
    let p = path(&g, &ns);
    make(&arm, &p, &g, "x", json!({"size": 4})).await;
    let table = arm
        .send_with(
            Method::GET,
            &p,
            "",
            "application/json;as=Table;v=v1;g=meta.k8s.io",
            Vec::new(),
        )
        .await
        .ok();
    assert_eq!(table.body["kind"], "Table");
    let headers: Vec<&str> = table.body["columnDefinitions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|c| c["name"].as_str().unwrap())
        .collect();
    assert_eq!(headers, ["Name", "Size", "Phase"]);
    assert_eq!(table.body["rows"][0]["cells"], json!(["x", 4, null]));
    assert_eq!(
        table.body["rows"][0]["object"]["kind"],
        "PartialObjectMetadata"
    );
}

async fn metadata_alone_can_be_asked_for(arm: Arm) {
    let (p, g) = set_up(&arm).await;
    make(&arm, &p, &g, "x", json!({"size": 4})).await;
    let list = arm
        .send_with(
            Method::GET,
            &p,
            "",
            "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io",
            Vec::new(),
        )
        .await
        .ok();
    assert_eq!(list.body["kind"], "PartialObjectMetadataList");
    assert!(list.body["items"][0].get("spec").is_none());
    assert_eq!(list.body["items"][0]["metadata"]["name"], "x");
}

async fn wrong_media_types_are_refused(arm: Arm) {
    let (p, g) = set_up(&arm).await;
    make(&arm, &p, &g, "x", json!({})).await;
    assert_eq!(
        arm.send(Method::POST, &p, "text/plain", b"{}".to_vec())
            .await
            .code,
        415
    );
    assert_eq!(
        arm.send_with(Method::GET, &p, "", "text/html", Vec::new())
            .await
            .code,
        406
    );
}
