//! PUT, generations and the optimistic lock.

use super::prelude::*;

conformance!(
    create_ignores_status_and_update_of_status_ignores_the_rest,
    generation_counts_spec_but_not_metadata_or_status,
    a_stale_version_is_a_conflict,
    an_update_without_version_is_refused_for_custom_resources,
    an_update_without_change_writes_nothing,
    the_name_in_the_body_must_match_the_path,
    the_namespace_in_the_body_of_an_update_must_match,
    the_uid_guards_an_update,
    a_version_that_is_no_number_is_an_error,
    creation_time_and_generation_cannot_be_written,
    a_deletion_time_cannot_be_written,
    an_update_of_what_is_not_there_is_not_found,
    core_kinds_can_be_overwritten_without_a_version,
    a_status_is_checked_by_its_own_schema,
    a_dry_run_of_an_update_answers_and_stores_nothing,
    an_unknown_subresource_is_not_found,
    a_verb_that_a_subresource_lacks_is_not_allowed,
    managed_fields_say_who_wrote_what,
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

async fn the_name_in_the_body_must_match_the_path(arm: Arm) {
    let (p, g) = set_up(&arm).await;
    let made = make(&arm, &p, &g, "x", json!({})).await;
    let mut other = made.body.clone();
    other["metadata"]["name"] = json!("y");
    arm.put(&format!("{p}/x"), &other).await.fails(
        400,
        "BadRequest",
        "the name of the object (y) does not match the name on the URL (x)",
    );
    let mut none = made.body.clone();
    none["metadata"].as_object_mut().unwrap().remove("name");
    arm.put(&format!("{p}/x"), &none).await.fails(
        400,
        "BadRequest",
        "the name of the object (x based on URL) was undeterminable: name must be provided",
    );
}

async fn the_namespace_in_the_body_of_an_update_must_match(arm: Arm) {
    let (p, g) = set_up(&arm).await;
    let mut body = make(&arm, &p, &g, "x", json!({})).await.body;
    body["metadata"]["namespace"] = json!("other");
    arm.put(&format!("{p}/x"), &body).await.fails(
        400,
        "BadRequest",
        "the namespace of the provided object does not match the namespace sent on the request",
    );
}

async fn the_uid_guards_an_update(arm: Arm) {
    let (p, g) = set_up(&arm).await;
    let made = make(&arm, &p, &g, "x", json!({})).await.body;
    let uid = made["metadata"]["uid"].as_str().unwrap();
    let mut body = made.clone();
    body["metadata"]["uid"] = json!("other");
    let ns = made["metadata"]["namespace"].as_str().unwrap();
    let text = format!(
        "Operation cannot be fulfilled on widgets.{g} \"x\": StorageError: invalid object, Code: 4, Key: /registry/{g}/widgets/{ns}/x, ResourceVersion: 0, AdditionalErrorMsg: Precondition failed: UID in precondition: other, UID in object meta: {uid}"
    );
    arm.put(&format!("{p}/x"), &body)
        .await
        .fails(409, "Conflict", &text);
}

async fn a_version_that_is_no_number_is_an_error(arm: Arm) {
    let (p, g) = set_up(&arm).await;
    let made = make(&arm, &p, &g, "x", json!({})).await.body;
    for (version, why) in [
        ("abc", "invalid syntax"),
        ("99999999999999999999999", "value out of range"),
    ] {
        let mut body = made.clone();
        body["metadata"]["resourceVersion"] = json!(version);
        let text = format!("strconv.ParseUint: parsing \"{version}\": {why}");
        arm.put(&format!("{p}/x"), &body)
            .await
            .fails(500, "", &text);
    }
}

async fn creation_time_and_generation_cannot_be_written(arm: Arm) {
    let (p, g) = set_up(&arm).await;
    let made = make(&arm, &p, &g, "x", json!({})).await.body;
    let mut body = made.clone();
    body["metadata"]["creationTimestamp"] = json!("2001-01-01T00:00:00Z");
    body["metadata"]["generation"] = json!(99);
    let after = arm.put(&format!("{p}/x"), &body).await.ok();
    assert_eq!(after.body["metadata"], made["metadata"]);
}

async fn a_deletion_time_cannot_be_written(arm: Arm) {
    let (p, g) = set_up(&arm).await;
    let mut body = make(&arm, &p, &g, "x", json!({})).await.body;
    body["metadata"]["deletionTimestamp"] = json!("2001-01-01T00:00:00Z");
    let text = format!(
        "Widget.{g} \"x\" is invalid: metadata.deletionTimestamp: Invalid value: \"2001-01-01T00:00:00Z\": field is immutable"
    );
    let answer = arm.put(&format!("{p}/x"), &body).await;
    // The real server checks this twice and lists both.
    let answer = answer.fails(422, "Invalid", &text);
    assert_eq!(
        answer.body["details"]["causes"].as_array().unwrap().len(),
        2
    );
}

async fn an_update_of_what_is_not_there_is_not_found(arm: Arm) {
    let (p, g) = set_up(&arm).await;
    let text = format!("widgets.{g} \"x\" not found");
    arm.put(&format!("{p}/x"), &widget(&g, "x", json!({})))
        .await
        .fails(404, "NotFound", &text);
    arm.put(&p, &widget(&g, "x", json!({}))).await.fails(
        400,
        "BadRequest",
        "name must be provided",
    );
}

async fn core_kinds_can_be_overwritten_without_a_version(arm: Arm) {
    let ns = arm.namespace().await;
    let p = format!("/api/v1/namespaces/{ns}/configmaps");
    let map = |value: &str| json!({"metadata": {"name": "c"}, "data": {"k": value}});
    arm.post(&p, &map("a")).await.ok();
    let after = arm.put(&format!("{p}/c"), &map("b")).await.ok();
    assert_eq!(after.body["data"]["k"], "b");
    arm.put(&format!("{p}/none"), &json!({"metadata": {"name": "none"}}))
        .await
        .fails(404, "NotFound", "configmaps \"none\" not found");
}

async fn a_status_is_checked_by_its_own_schema(arm: Arm) {
    let (p, g) = set_up(&arm).await;
    let made = make(&arm, &p, &g, "x", json!({})).await;
    let status = |status: Value| {
        let mut body = made.body.clone();
        body["status"] = status;
        body
    };
    let path = format!("{p}/x/status");
    let text = format!(
        "Widget.{g} \"x\" is invalid: status.phase: Invalid value: \"integer\": phase in body must be of type string: \"integer\""
    );
    arm.put(&path, &status(json!({"phase": 3})))
        .await
        .fails(422, "Invalid", &text);
    arm.put(&format!("{path}?fieldValidation=Strict"), &status(json!({"odd": 3})))
        .await
        .fails(400, "BadRequest", "Widget in version \"v1\" cannot be handled as a Widget: strict decoding error: unknown field \"status.odd\"");
    let after = arm.put(&path, &status(json!({"odd": 3}))).await.ok();
    assert_eq!(after.body["status"], json!({}));
    assert_eq!(
        after.warnings,
        ["299 - \"unknown field \\\"status.odd\\\"\""]
    );
}

async fn a_dry_run_of_an_update_answers_and_stores_nothing(arm: Arm) {
    let (p, g) = set_up(&arm).await;
    let made = make(&arm, &p, &g, "x", json!({"size": 1})).await;
    let mut body = made.body.clone();
    body["spec"]["size"] = json!(2);
    let tried = arm.put(&format!("{p}/x?dryRun=All"), &body).await.ok();
    assert_eq!(tried.body["spec"]["size"], 2);
    assert_eq!(tried.body["metadata"]["generation"], 2);
    assert_eq!(tried.version(), made.version());
    assert_eq!(arm.get(&format!("{p}/x")).await.ok().body, made.body);
}

async fn an_unknown_subresource_is_not_found(arm: Arm) {
    let (p, g) = set_up(&arm).await;
    make(&arm, &p, &g, "x", json!({})).await;
    let text = format!("widgets.{g} \"x\" not found");
    for sub in ["other", "scale"] {
        arm.get(&format!("{p}/x/{sub}"))
            .await
            .fails(404, "NotFound", &text);
    }
}

async fn a_verb_that_a_subresource_lacks_is_not_allowed(arm: Arm) {
    let (p, g) = set_up(&arm).await;
    make(&arm, &p, &g, "x", json!({})).await;
    let text = |verb: &str| format!("{verb} is not supported on resources of kind \"widgets.{g}\"");
    arm.delete(&format!("{p}/x/status"))
        .await
        .fails(405, "MethodNotAllowed", &text("delete"));
    arm.post(&format!("{p}/x/status"), &json!({})).await.fails(
        405,
        "MethodNotAllowed",
        &text("create"),
    );
}

async fn managed_fields_say_who_wrote_what(arm: Arm) {
    let (p, g) = set_up(&arm).await;
    arm.post(
        &format!("{p}?fieldManager=maker"),
        &widget(&g, "x", json!({"size": 1})),
    )
    .await
    .ok();
    arm.merge(
        &format!("{p}/x?fieldManager=changer"),
        &json!({"spec": {"size": 2}}),
    )
    .await
    .ok();
    let after = arm
        .merge(
            &format!("{p}/x/status?fieldManager=reporter"),
            &json!({"status": {"phase": "p"}}),
        )
        .await
        .ok();
    let entries = after.body["metadata"]["managedFields"].as_array().unwrap();
    let seen: Vec<(&str, &str, &Value)> = entries
        .iter()
        .map(|e| {
            let sub = e["subresource"].as_str().unwrap_or_default();
            (e["manager"].as_str().unwrap(), sub, &e["fieldsV1"])
        })
        .collect();
    assert_eq!(
        seen,
        [
            ("changer", "", &json!({"f:spec": {"f:size": {}}})),
            ("maker", "", &json!({"f:spec": {".": {}, "f:mode": {}}})),
            (
                "reporter",
                "status",
                &json!({"f:status": {".": {}, "f:phase": {}}})
            ),
        ]
    );
}
