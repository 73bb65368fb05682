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
    a_body_of_another_kind_is_refused,
    a_body_of_another_api_version_is_refused,
    a_body_without_kind_is_refused,
    a_name_is_required,
    a_name_that_is_too_long_is_refused,
    a_generated_name_is_checked_too,
    labels_are_checked,
    annotations_are_limited_in_size,
    a_finalizer_without_a_domain_is_warned_about,
    a_finalizer_that_is_no_name_is_refused,
    the_namespace_of_the_body_must_match,
    creating_below_no_namespace_is_not_found,
    a_version_on_create_is_refused,
    system_fields_of_the_body_are_ignored,
    two_controllers_are_refused,
    doubled_owner_references_are_dropped_with_a_warning,
    an_event_cannot_be_an_owner,
    a_field_manager_must_be_short_and_printable,
    unknown_values_of_options_are_refused,
    a_resource_that_is_not_there_is_not_found,
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

const SUBDOMAIN: &str = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const QUALIFIED: &str = "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";

/// A widget whose metadata has these members too.
fn with_meta(group: &str, name: &str, more: Value) -> Value {
    let mut object = widget(group, name, json!({}));
    for (key, value) in more.as_object().unwrap() {
        object["metadata"][key] = value.clone();
    }
    object
}

async fn a_body_of_another_kind_is_refused(arm: Arm) {
    let (p, g) = set_up(&arm).await;
    let body =
        json!({"apiVersion": format!("{g}/v1"), "kind": "Gadget", "metadata": {"name": "x"}});
    let text =
        format!("Gadget.{g} \"x\" is invalid: kind: Invalid value: \"Gadget\": must be Widget");
    arm.post(&p, &body).await.fails(422, "Invalid", &text);
}

async fn a_body_of_another_api_version_is_refused(arm: Arm) {
    let (p, g) = set_up(&arm).await;
    let body = json!({"apiVersion": "other/v1", "kind": "Widget", "metadata": {"name": "x"}});
    let text = format!(
        "the API version in the data (other/v1) does not match the expected API version ({g}/v1)"
    );
    arm.post(&p, &body).await.fails(400, "BadRequest", &text);
}

async fn a_body_without_kind_is_refused(arm: Arm) {
    let (p, g) = set_up(&arm).await;
    let body = format!(r#"{{"apiVersion":"{g}/v1"}}"#);
    let answer = arm
        .send(
            Method::POST,
            &p,
            "application/json",
            body.clone().into_bytes(),
        )
        .await;
    assert_eq!((answer.code, answer.reason()), (400, "BadRequest"));
    let start = format!(
        "the object provided is unrecognized (must be of type Widget): Object 'Kind' is missing in '{body}'"
    );
    assert!(answer.message().starts_with(&start), "{answer:?}");
}

async fn a_name_is_required(arm: Arm) {
    let (p, g) = set_up(&arm).await;
    let body = json!({"apiVersion": format!("{g}/v1"), "kind": "Widget", "metadata": {}});
    let text = format!(
        "Widget.{g} \"\" is invalid: metadata.name: Required value: name or generateName is required"
    );
    arm.post(&p, &body).await.fails(422, "Invalid", &text);
}

async fn a_name_that_is_too_long_is_refused(arm: Arm) {
    let (p, g) = set_up(&arm).await;
    let name = "x".repeat(254);
    let text = format!(
        "Widget.{g} \"{name}\" is invalid: metadata.name: Invalid value: \"{name}\": must be no more than 253 characters"
    );
    arm.post(&p, &widget(&g, &name, json!({})))
        .await
        .fails(422, "Invalid", &text);
}

async fn a_generated_name_is_checked_too(arm: Arm) {
    let (p, g) = set_up(&arm).await;
    let body = json!({"apiVersion": format!("{g}/v1"), "kind": "Widget", "metadata": {"generateName": "Bad_"}});
    let answer = arm.post(&p, &body).await;
    assert_eq!((answer.code, answer.reason()), (422, "Invalid"));
    let cause = &answer.body["details"]["causes"][0];
    assert_eq!(cause["field"], "metadata.generateName");
    assert_eq!(
        cause["message"],
        format!("Invalid value: \"Bad_\": {SUBDOMAIN}")
    );
}

async fn labels_are_checked(arm: Arm) {
    let (p, g) = set_up(&arm).await;
    let long = "v".repeat(64);
    for (key, value, why) in [
        ("bad key!", "v", format!("Invalid value: \"bad key!\": {QUALIFIED}")),
        ("k", "bad value!", "Invalid value: \"bad value!\": a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')".to_owned()),
        ("k", long.as_str(), format!("Invalid value: \"{long}\": must be no more than 63 characters")),
    ] {
        let text = format!("Widget.{g} \"x\" is invalid: metadata.labels: {why}");
        arm.post(&p, &with_meta(&g, "x", json!({"labels": {key: value}})))
            .await
            .fails(422, "Invalid", &text);
    }
}

async fn annotations_are_limited_in_size(arm: Arm) {
    let (p, g) = set_up(&arm).await;
    let body = with_meta(
        &g,
        "x",
        json!({"annotations": {"k": "v".repeat(256 * 1024)}}),
    );
    let text = format!(
        "Widget.{g} \"x\" is invalid: metadata.annotations: Too long: may not be more than 262144 bytes"
    );
    arm.post(&p, &body).await.fails(422, "Invalid", &text);
}

async fn a_finalizer_without_a_domain_is_warned_about(arm: Arm) {
    let (p, g) = set_up(&arm).await;
    let made = arm
        .post(&p, &with_meta(&g, "x", json!({"finalizers": ["nodomain"]})))
        .await
        .ok();
    assert_eq!(
        made.warnings,
        [
            "299 - \"metadata.finalizers: \\\"nodomain\\\": prefer a domain-qualified finalizer name to avoid accidental conflicts with other finalizer writers\""
        ]
    );
}

async fn a_finalizer_that_is_no_name_is_refused(arm: Arm) {
    let (p, g) = set_up(&arm).await;
    let text = format!(
        "Widget.{g} \"x\" is invalid: metadata.finalizers: Invalid value: \"bad one!\": {QUALIFIED}"
    );
    arm.post(&p, &with_meta(&g, "x", json!({"finalizers": ["bad one!"]})))
        .await
        .fails(422, "Invalid", &text);
}

async fn the_namespace_of_the_body_must_match(arm: Arm) {
    let (p, g) = set_up(&arm).await;
    arm.post(&p, &with_meta(&g, "x", json!({"namespace": "other"})))
        .await
        .fails(
            400,
            "BadRequest",
            "the namespace of the provided object does not match the namespace sent on the request",
        );
}

async fn creating_below_no_namespace_is_not_found(arm: Arm) {
    let (_, g) = set_up(&arm).await;
    let answer = arm
        .post(
            &format!("/apis/{g}/v1/widgets"),
            &widget(&g, "x", json!({})),
        )
        .await;
    assert_eq!(
        (answer.code, answer.body),
        (404, json!("404 page not found\n"))
    );
}

async fn a_version_on_create_is_refused(arm: Arm) {
    let (p, g) = set_up(&arm).await;
    arm.post(&p, &with_meta(&g, "x", json!({"resourceVersion": "12"})))
        .await
        .fails(
            500,
            "",
            "resourceVersion should not be set on objects to be created",
        );
}

async fn system_fields_of_the_body_are_ignored(arm: Arm) {
    let (p, g) = set_up(&arm).await;
    let given = json!({"uid": "mine", "creationTimestamp": "2001-01-01T00:00:00Z", "generation": 7,
        "selfLink": "/x", "deletionTimestamp": "2001-01-01T00:00:00Z"});
    let made = arm.post(&p, &with_meta(&g, "x", given)).await.ok();
    let meta = &made.body["metadata"];
    assert_ne!(meta["uid"], "mine");
    assert_ne!(meta["creationTimestamp"], "2001-01-01T00:00:00Z");
    assert_eq!(meta["generation"], 1);
    assert!(meta.get("selfLink").is_none() && meta.get("deletionTimestamp").is_none());
}

async fn two_controllers_are_refused(arm: Arm) {
    let (p, g) = set_up(&arm).await;
    let owner = |name: &str| json!({"apiVersion": "v1", "kind": "ConfigMap", "name": name, "uid": name, "controller": true});
    let body = with_meta(
        &g,
        "x",
        json!({"ownerReferences": [owner("a"), owner("b")]}),
    );
    let answer = arm.post(&p, &body).await;
    assert_eq!((answer.code, answer.reason()), (422, "Invalid"));
    let text = "Only one reference can have Controller set to true. Found \"true\" in references for ConfigMap/a and ConfigMap/b";
    assert!(answer.message().ends_with(text), "{answer:?}");
}

async fn doubled_owner_references_are_dropped_with_a_warning(arm: Arm) {
    let (p, g) = set_up(&arm).await;
    let owner = json!({"apiVersion": "v1", "kind": "ConfigMap", "name": "o", "uid": "1"});
    let made = arm
        .post(
            &p,
            &with_meta(&g, "x", json!({"ownerReferences": [owner, owner]})),
        )
        .await
        .ok();
    assert_eq!(made.body["metadata"]["ownerReferences"], json!([owner]));
    assert_eq!(made.warnings.len(), 1);
    assert!(made.warnings[0].contains("duplicate UID(s) observed: 1"));
}

async fn an_event_cannot_be_an_owner(arm: Arm) {
    let (p, g) = set_up(&arm).await;
    let owner = json!({"apiVersion": "v1", "kind": "Event", "name": "o", "uid": "1"});
    let answer = arm
        .post(&p, &with_meta(&g, "x", json!({"ownerReferences": [owner]})))
        .await;
    assert_eq!((answer.code, answer.reason()), (422, "Invalid"));
    assert!(
        answer
            .message()
            .ends_with("is disallowed from being an owner"),
        "{answer:?}"
    );
}

async fn a_field_manager_must_be_short_and_printable(arm: Arm) {
    let (p, g) = set_up(&arm).await;
    let long = "m".repeat(129);
    for (manager, why) in [
        (long.as_str(), "Too long: may not be more than 128 bytes"),
        (
            "a%01b",
            "Invalid value: \"a\\x01b\": invalid character U+0001 (at position 1)",
        ),
    ] {
        let text = format!("CreateOptions.meta.k8s.io \"\" is invalid: fieldManager: {why}");
        arm.post(
            &format!("{p}?fieldManager={manager}"),
            &widget(&g, "x", json!({})),
        )
        .await
        .fails(422, "Invalid", &text);
    }
}

async fn unknown_values_of_options_are_refused(arm: Arm) {
    let (p, g) = set_up(&arm).await;
    for (query, why) in [
        (
            "dryRun=Some",
            "dryRun: Unsupported value: [\"Some\"]: supported values: \"All\"",
        ),
        (
            "fieldValidation=Odd",
            "fieldValidation: Unsupported value: \"Odd\": supported values: \"\", \"Ignore\", \"Strict\", \"Warn\"",
        ),
    ] {
        let text = format!("CreateOptions.meta.k8s.io \"\" is invalid: {why}");
        arm.post(&format!("{p}?{query}"), &widget(&g, "x", json!({})))
            .await
            .fails(422, "Invalid", &text);
    }
}

async fn a_resource_that_is_not_there_is_not_found(arm: Arm) {
    let (_, g) = set_up(&arm).await;
    for path in [
        format!("/apis/{g}/v1/namespaces/default/gadgets"),
        "/apis/none.example.io/v1/gadgets".to_owned(),
    ] {
        let answer = arm.get(&path).await;
        assert_eq!(
            (answer.code, answer.body),
            (404, json!("404 page not found\n")),
            "{path}"
        );
    }
    arm.get("/api/v1/namespaces/default/gadgets").await.fails(
        404,
        "NotFound",
        "the server could not find the requested resource",
    );
}
