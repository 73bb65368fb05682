//! The forms of an answer: tables, metadata alone, media types.

use super::prelude::*;

conformance!(
    tables_have_the_definitions_columns,
    metadata_alone_can_be_asked_for,
    wrong_media_types_are_refused,
    one_object_is_a_table_of_one_row,
    rows_carry_as_much_as_is_asked_for,
    columns_have_types_and_priorities,
    core_kinds_have_the_columns_that_kubectl_shows,
    the_first_form_that_fits_is_taken,
    a_list_is_not_the_metadata_of_one_object,
    a_created_object_is_answered_in_the_form_asked_for,
    bodies_may_name_their_character_set,
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

const TABLE: &str = "application/json;as=Table;v=v1;g=meta.k8s.io";

async fn get_as(arm: &Arm, path: &str, accept: &str) -> Answer {
    arm.send_with(Method::GET, path, "", accept, Vec::new())
        .await
}

async fn one_object_is_a_table_of_one_row(arm: Arm) {
    let (p, g) = set_up(&arm).await;
    let made = make(&arm, &p, &g, "x", json!({})).await;
    let table = get_as(&arm, &format!("{p}/x"), TABLE).await.ok();
    assert_eq!(table.body["rows"].as_array().unwrap().len(), 1);
    assert_eq!(table.body["metadata"]["resourceVersion"], made.version());
    // Without columns of its own a kind shows its name and its age.
    let headers: Vec<&str> = table.body["columnDefinitions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|c| c["name"].as_str().unwrap())
        .collect();
    assert_eq!(headers, ["Name", "Age"]);
    assert_eq!(table.body["columnDefinitions"][0]["format"], "name");
}

async fn rows_carry_as_much_as_is_asked_for(arm: Arm) {
    let (p, g) = set_up(&arm).await;
    let made = make(&arm, &p, &g, "x", json!({"size": 1})).await;
    let whole = get_as(&arm, &format!("{p}?includeObject=Object"), TABLE)
        .await
        .ok();
    assert_eq!(whole.body["rows"][0]["object"], made.body);
    let none = get_as(&arm, &format!("{p}?includeObject=None"), TABLE)
        .await
        .ok();
    assert!(none.body["rows"][0]["object"].is_null());
    get_as(&arm, &format!("{p}?includeObject=Odd"), TABLE)
        .await
        .fails(400, "BadRequest", "Unable to convert to Table as requested: includeObject: Invalid value: \"Odd\": must be 'Metadata', 'Object', 'None', or empty");
}

async fn columns_have_types_and_priorities(arm: Arm) {
    let ns = arm.namespace().await;
    let columns = json!({"additionalPrinterColumns": [
        {"name": "When", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
        {"name": "On", "type": "boolean", "jsonPath": ".spec.on", "description": "is it on"},
        {"name": "Tags", "type": "string", "jsonPath": ".spec.tags", "priority": 1},
        {"name": "First", "type": "string", "jsonPath": ".spec.tags[0]"}]});
    let schema = json!({"type": "object", "properties": {"spec": {"type": "object", "properties": {
        "on": {"type": "boolean"}, "tags": {"type": "array", "items": {"type": "string"}}}}}});
    let g = arm.define_with(&arm.group(), schema, &columns).await;
    let p = path(&g, &ns);
    make(&arm, &p, &g, "x", json!({"on": true, "tags": ["a", "b"]})).await;
    let table = get_as(&arm, &p, TABLE).await.ok();
    let cells = table.body["rows"][0]["cells"].as_array().unwrap();
    assert_eq!(
        cells[2..],
        [json!(true), json!("[\"a\",\"b\"]"), json!("a")]
    );
    let definitions = &table.body["columnDefinitions"];
    assert_eq!(definitions[3]["priority"], 1);
    assert_eq!(definitions[2]["description"], "is it on");
    assert_eq!(
        definitions[4]["description"],
        "Custom resource definition column (in JSONPath format): .spec.tags[0]"
    );
}

async fn core_kinds_have_the_columns_that_kubectl_shows(arm: Arm) {
    let ns = arm.namespace().await;
    for (path, wanted) in [
        (
            format!("/api/v1/namespaces/{ns}/configmaps"),
            vec!["Name", "Data", "Age"],
        ),
        (
            format!("/api/v1/namespaces/{ns}/secrets"),
            vec!["Name", "Type", "Data", "Age"],
        ),
        (
            format!("/api/v1/namespaces/{ns}/serviceaccounts"),
            vec!["Name", "Secrets", "Age"],
        ),
        (
            format!("/api/v1/namespaces/{ns}/pods"),
            vec![
                "Name",
                "Ready",
                "Status",
                "Restarts",
                "Age",
                "IP",
                "Node",
                "Nominated Node",
                "Readiness Gates",
            ],
        ),
        (
            format!("/api/v1/namespaces/{ns}/events"),
            vec![
                "Last Seen",
                "Type",
                "Reason",
                "Object",
                "Subobject",
                "Source",
                "Message",
                "First Seen",
                "Count",
                "Name",
            ],
        ),
        (
            "/api/v1/namespaces".to_owned(),
            vec!["Name", "Status", "Age"],
        ),
        (
            "/api/v1/nodes".to_owned(),
            vec![
                "Name",
                "Status",
                "Roles",
                "Age",
                "Version",
                "Internal-IP",
                "External-IP",
                "OS-Image",
                "Kernel-Version",
                "Container-Runtime",
            ],
        ),
        (
            format!("/apis/coordination.k8s.io/v1/namespaces/{ns}/leases"),
            vec!["Name", "Holder", "Age"],
        ),
        (
            format!("/apis/batch/v1/namespaces/{ns}/jobs"),
            vec![
                "Name",
                "Status",
                "Completions",
                "Duration",
                "Age",
                "Containers",
                "Images",
                "Selector",
            ],
        ),
        (common::CRDS.to_owned(), vec!["Name", "Created At"]),
    ] {
        let table = get_as(&arm, &path, TABLE).await.ok();
        let headers: Vec<&str> = table.body["columnDefinitions"]
            .as_array()
            .unwrap()
            .iter()
            .map(|c| c["name"].as_str().unwrap())
            .collect();
        assert_eq!(headers, wanted, "{path}");
    }
}

async fn the_first_form_that_fits_is_taken(arm: Arm) {
    let (p, g) = set_up(&arm).await;
    make(&arm, &p, &g, "x", json!({})).await;
    for (accept, kind) in [
        ("application/json", "WidgetList"),
        ("*/*", "WidgetList"),
        ("application/*", "WidgetList"),
        ("text/html,application/json;q=0.5", "WidgetList"),
        (
            "application/json;as=Table;v=v1;g=meta.k8s.io,application/json",
            "Table",
        ),
        (
            "application/json;as=Odd;v=v1;g=meta.k8s.io,application/json",
            "WidgetList",
        ),
    ] {
        let answer = get_as(&arm, &p, accept).await.ok();
        assert_eq!(answer.body["kind"], kind, "{accept}");
        assert_eq!(answer.content_type, "application/json", "{accept}");
    }
    get_as(&arm, &p, "text/html").await.fails(406, "NotAcceptable", "only the following media types are accepted: application/json, application/yaml, application/vnd.kubernetes.protobuf");
}

async fn a_list_is_not_the_metadata_of_one_object(arm: Arm) {
    let (p, g) = set_up(&arm).await;
    make(&arm, &p, &g, "x", json!({})).await;
    let one = "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io";
    let answer = get_as(&arm, &p, one).await;
    assert_eq!((answer.code, answer.reason()), (406, "NotAcceptable"));
    assert!(
        answer
            .message()
            .starts_with("you requested PartialObjectMetadata, but the requested object is a list")
    );
    let many = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io";
    get_as(&arm, &format!("{p}/x"), many)
        .await
        .fails(500, "", "content is not a list");
}

async fn a_created_object_is_answered_in_the_form_asked_for(arm: Arm) {
    let (p, g) = set_up(&arm).await;
    let body = widget(&g, "x", json!({"size": 1})).to_string().into_bytes();
    let made = arm
        .send_with(Method::POST, &p, "application/json", TABLE, body)
        .await;
    assert_eq!((made.code, &made.body["kind"]), (201, &json!("Table")));
    assert_eq!(made.body["rows"][0]["cells"][0], "x");
}

async fn bodies_may_name_their_character_set(arm: Arm) {
    let (p, g) = set_up(&arm).await;
    let body = widget(&g, "x", json!({})).to_string().into_bytes();
    arm.send(Method::POST, &p, "application/json; charset=utf-8", body)
        .await
        .ok();
}
