//! Behaviours that hold on both servers: each body runs on the embedded one
//! always, and on a real kube-apiserver with `-- --ignored`.

#![allow(
    clippy::unwrap_used,
    clippy::needless_pass_by_value,
    reason = "bodies of tests: a panic is a failed test"
)]

mod common;

use std::time::Duration;

use common::{Answer, Arm, widget};
use http::Method;
use serde_json::{Value, json};

/// One test for each arm from one body.
macro_rules! conformance {
    ($($name:ident),* $(,)?) => {
        mod embedded {
            $(#[tokio::test(flavor = "current_thread", start_paused = true)]
            async fn $name() {
                super::$name(super::Arm::embedded()).await;
            })*
        }
        mod control_plane {
            $(#[tokio::test]
            #[ignore = "needs etcd and kube-apiserver"]
            async fn $name() {
                super::$name(super::Arm::control_plane()).await;
            })*
        }
    };
}

conformance!(
    create_of_a_taken_name_says_already_exists,
    create_while_the_old_one_is_terminating_says_so,
    create_ignores_status_and_update_of_status_ignores_the_rest,
    generation_counts_spec_but_not_metadata_or_status,
    a_stale_version_is_a_conflict,
    an_update_without_version_is_refused_for_custom_resources,
    an_update_without_change_writes_nothing,
    the_last_finalizer_takes_the_object_along,
    no_finalizer_can_be_added_to_a_terminating_object,
    generated_names_have_five_more_characters,
    a_name_in_upper_case_is_refused,
    a_missing_object_is_not_found,
    a_missing_namespace_is_not_found,
    defaults_are_filled_in_and_unknown_fields_dropped,
    schema_errors_name_the_field,
    several_schema_errors_are_all_listed,
    strict_validation_refuses_unknown_and_doubled_fields,
    merge_patch_removes_with_null,
    json_patch_tests_before_it_writes,
    strategic_patch_is_for_core_kinds_only,
    apply_creates_merges_and_conflicts,
    apply_removes_what_is_no_longer_applied,
    forced_apply_takes_fields_over,
    dry_run_stores_nothing,
    preconditions_guard_a_deletion,
    a_deletion_answers_with_a_status,
    deletecollection_takes_what_the_selector_matches,
    label_selectors_of_all_kinds,
    field_selector_by_name,
    selectable_fields_of_a_definition,
    lists_go_page_by_page_from_one_version,
    an_exact_version_is_listed_as_it_was,
    a_watch_goes_on_from_a_version,
    a_watch_from_nowhere_starts_with_what_is_there,
    a_watch_with_initial_events_marks_their_end,
    a_watch_through_a_selector_sees_objects_come_and_go,
    a_deleted_event_has_the_version_of_the_deletion,
    two_served_versions_show_the_same_object,
    a_version_that_is_not_served_is_not_found,
    a_definition_is_established,
    a_deleted_definition_takes_its_instances_along,
    a_namespace_that_is_deleted_is_emptied,
    dependents_go_with_their_owner,
    orphans_stay,
    foreground_deletion_waits_for_dependents,
    tables_have_the_definitions_columns,
    metadata_alone_can_be_asked_for,
    plain_and_aggregated_discovery_agree,
    bad_json_is_a_bad_request,
    wrong_media_types_are_refused,
    too_large_a_body_is_refused,
    secrets_encode_their_strings,
    config_maps_can_be_immutable,
    leases_are_created_by_an_update,
    an_event_is_seen_in_both_groups,
    a_pod_without_node_goes_at_once,
    system_namespaces_cannot_be_deleted,
    owner_references_are_checked,
    a_version_from_the_future_is_no_error_for_a_watch,
);

fn path(group: &str, ns: &str) -> String {
    format!("/apis/{group}/v1/namespaces/{ns}/widgets")
}

/// A namespace and a definition of widgets.
async fn set_up(arm: &Arm) -> (String, String) {
    let ns = arm.namespace().await;
    let group = arm.define(&arm.group()).await;
    (path(&group, &ns), group)
}

async fn make(arm: &Arm, path: &str, group: &str, name: &str, spec: Value) -> Answer {
    arm.post(path, &widget(group, name, spec)).await.ok()
}

/// Waits until a path answers with this code.
async fn until(arm: &Arm, path: &str, code: u16) {
    for _ in 0..600 {
        if arm.get(path).await.code == code {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{path} never answered {code}: {:?}", arm.get(path).await);
}

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

async fn the_last_finalizer_takes_the_object_along(arm: Arm) {
    let (p, g) = set_up(&arm).await;
    let one = format!("{p}/x");
    let mut object = widget(&g, "x", json!({}));
    object["metadata"]["finalizers"] = json!(["example.io/a", "example.io/b"]);
    arm.post(&p, &object).await.ok();
    arm.delete(&one).await.ok();
    arm.merge(&one, &json!({"metadata": {"finalizers": ["example.io/b"]}}))
        .await
        .ok();
    arm.get(&one).await.ok();
    arm.merge(&one, &json!({"metadata": {"finalizers": null}}))
        .await
        .ok();
    let text = format!("widgets.{g} \"x\" not found");
    arm.get(&one).await.fails(404, "NotFound", &text);
}

async fn no_finalizer_can_be_added_to_a_terminating_object(arm: Arm) {
    let (p, g) = set_up(&arm).await;
    let mut object = widget(&g, "x", json!({}));
    object["metadata"]["finalizers"] = json!(["example.io/a"]);
    arm.post(&p, &object).await.ok();
    arm.delete(&format!("{p}/x")).await.ok();
    let text = format!(
        "Widget.{g} \"x\" is invalid: metadata.finalizers: Forbidden: no new finalizers can be added if the object is being deleted, found new finalizers []string{{\"example.io/b\"}}"
    );
    arm.merge(
        &format!("{p}/x"),
        &json!({"metadata": {"finalizers": ["example.io/a", "example.io/b"]}}),
    )
    .await
    .fails(422, "Invalid", &text);
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

async fn a_missing_object_is_not_found(arm: Arm) {
    let (p, g) = set_up(&arm).await;
    let text = format!("widgets.{g} \"x\" not found");
    let one = format!("{p}/x");
    arm.get(&one).await.fails(404, "NotFound", &text);
    arm.delete(&one).await.fails(404, "NotFound", &text);
    arm.merge(&one, &json!({}))
        .await
        .fails(404, "NotFound", &text);
}

async fn a_missing_namespace_is_not_found(arm: Arm) {
    let group = arm.define(&arm.group()).await;
    arm.post(&path(&group, "nowhere"), &widget(&group, "x", json!({})))
        .await
        .fails(404, "NotFound", "namespaces \"nowhere\" not found");
    let list = arm.get(&path(&group, "nowhere")).await.ok();
    assert_eq!(list.body["items"], json!([]));
}

async fn defaults_are_filled_in_and_unknown_fields_dropped(arm: Arm) {
    let (p, g) = set_up(&arm).await;
    let made = make(
        &arm,
        &p,
        &g,
        "x",
        json!({"odd": 1, "size": null, "maybe": null, "free": {"any": [1]}}),
    )
    .await;
    assert_eq!(
        made.body["spec"],
        json!({"mode": "fast", "maybe": null, "free": {"any": [1]}})
    );
    assert_eq!(made.warnings, ["299 - \"unknown field \\\"spec.odd\\\"\""]);
}

async fn schema_errors_name_the_field(arm: Arm) {
    let (p, g) = set_up(&arm).await;
    for (spec, text) in [
        (
            json!({"size": "1"}),
            "spec.size: Invalid value: \"string\": spec.size in body must be of type integer: \"string\"",
        ),
        (
            json!({"size": 101}),
            "spec.size: Invalid value: 101: spec.size in body should be less than or equal to 100",
        ),
        (
            json!({"colour": "blue"}),
            "spec.colour: Unsupported value: \"blue\": supported values: \"red\", \"green\"",
        ),
        (
            json!({"name": "A"}),
            "spec.name: Invalid value: \"A\": spec.name in body should match '^[a-z]+$'",
        ),
        (
            json!({"name": "abcdefghi"}),
            "spec.name: Too long: may not be more than 8 bytes",
        ),
        (
            json!({"tags": ["a", "b", "c", "d"]}),
            "spec.tags: Too many: 4: must have at most 3 items",
        ),
        (json!({"strict": {}}), "spec.strict.must: Required value"),
        (
            json!({"disks": {"d": {"evict": 1}}}),
            "spec.disks.d.evict: Invalid value: \"integer\": spec.disks.d.evict in body must be of type boolean: \"integer\"",
        ),
    ] {
        let answer = arm.post(&p, &widget(&g, "x", spec.clone())).await;
        let head = format!("Widget.{g} \"x\" is invalid: ");
        assert_eq!(answer.code, 422, "{spec}");
        let found = answer
            .message()
            .strip_prefix(&head)
            .unwrap_or_default()
            .to_owned();
        // A failure that hides others adds a line about them.
        let found = found
            .trim_start_matches('[')
            .split(", <nil>")
            .next()
            .unwrap_or_default();
        assert_eq!(found, text, "{spec}");
    }
}

async fn several_schema_errors_are_all_listed(arm: Arm) {
    let (p, g) = set_up(&arm).await;
    let answer = arm
        .post(&p, &widget(&g, "x", json!({"size": -1, "name": "A"})))
        .await;
    assert_eq!(answer.code, 422);
    let causes = answer.body["details"]["causes"].as_array().unwrap();
    let mut fields: Vec<&str> = causes
        .iter()
        .map(|c| c["field"].as_str().unwrap())
        .collect();
    fields.sort_unstable();
    assert_eq!(fields, ["spec.name", "spec.size"]);
}

async fn strict_validation_refuses_unknown_and_doubled_fields(arm: Arm) {
    let (p, g) = set_up(&arm).await;
    let strict = format!("{p}?fieldValidation=Strict");
    arm.post(&strict, &widget(&g, "x", json!({"odd": 1, "even": 2})))
        .await
        .fails(400, "BadRequest", "Widget in version \"v1\" cannot be handled as a Widget: strict decoding error: unknown field \"spec.even\", unknown field \"spec.odd\"");
    let twice = format!(
        r#"{{"apiVersion":"{g}/v1","kind":"Widget","metadata":{{"name":"x"}},"spec":{{"size":1,"size":2}}}}"#
    );
    arm.send(Method::POST, &strict, "application/json", twice.into_bytes())
        .await
        .fails(400, "BadRequest", "Widget in version \"v1\" cannot be handled as a Widget: strict decoding error: duplicate field \"spec.size\"");
}

async fn merge_patch_removes_with_null(arm: Arm) {
    let (p, g) = set_up(&arm).await;
    make(
        &arm,
        &p,
        &g,
        "x",
        json!({"size": 1, "disks": {"a": {}, "b": {"evict": true}}}),
    )
    .await;
    let after = arm
        .merge(
            &format!("{p}/x"),
            &json!({"spec": {"size": null, "disks": {"a": null}}}),
        )
        .await
        .ok();
    assert_eq!(
        after.body["spec"],
        json!({"mode": "fast", "disks": {"b": {"evict": true}}})
    );
}

async fn json_patch_tests_before_it_writes(arm: Arm) {
    let (p, g) = set_up(&arm).await;
    make(&arm, &p, &g, "x", json!({"size": 1})).await;
    let send = |body: Value| {
        let one = format!("{p}/x");
        let arm = &arm;
        async move {
            arm.send(
                Method::PATCH,
                &one,
                "application/json-patch+json",
                body.to_string().into_bytes(),
            )
            .await
        }
    };
    send(json!([{"op": "test", "path": "/spec/size", "value": 5}, {"op": "replace", "path": "/spec/size", "value": 6}]))
        .await
        .fails(422, "Invalid", "the server rejected our request due to an error in our request");
    let after = send(json!([{"op": "test", "path": "/spec/size", "value": 1}, {"op": "replace", "path": "/spec/size", "value": 6}])).await.ok();
    assert_eq!(after.body["spec"]["size"], 6);
}

async fn strategic_patch_is_for_core_kinds_only(arm: Arm) {
    let (p, g) = set_up(&arm).await;
    make(&arm, &p, &g, "x", json!({})).await;
    arm.send(Method::PATCH, &format!("{p}/x"), "application/strategic-merge-patch+json", b"{}".to_vec())
        .await
        .fails(415, "UnsupportedMediaType", "the body of the request was in an unknown format - accepted media types include: application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml");
}

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

async fn preconditions_guard_a_deletion(arm: Arm) {
    let (p, g) = set_up(&arm).await;
    let made = make(&arm, &p, &g, "x", json!({})).await;
    let one = format!("{p}/x");
    let uid = made.body["metadata"]["uid"].as_str().unwrap();
    let text = format!(
        "Operation cannot be fulfilled on Widget.{g} \"x\": the UID in the precondition (other) does not match the UID in record ({uid}). The object might have been deleted and then recreated"
    );
    arm.delete_with(&one, &json!({"preconditions": {"uid": "other"}}))
        .await
        .fails(409, "Conflict", &text);
    arm.delete_with(
        &one,
        &json!({"preconditions": {"uid": uid, "resourceVersion": made.version()}}),
    )
    .await
    .ok();
}

async fn a_deletion_answers_with_a_status(arm: Arm) {
    let (p, g) = set_up(&arm).await;
    let made = make(&arm, &p, &g, "x", json!({})).await;
    let gone = arm.delete(&format!("{p}/x")).await.ok();
    assert_eq!(
        gone.body,
        json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success",
            "details": {"name": "x", "group": g, "kind": "widgets", "uid": made.body["metadata"]["uid"]}})
    );
}

async fn labelled(arm: &Arm, p: &str, g: &str) {
    for (name, labels) in [
        ("a", json!({"k": "1"})),
        ("b", json!({"k": "2", "l": "x"})),
        ("c", json!({})),
    ] {
        let mut object = widget(g, name, json!({}));
        object["metadata"]["labels"] = labels;
        arm.post(p, &object).await.ok();
    }
}

fn names(list: &Answer) -> Vec<String> {
    list.body["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|i| i["metadata"]["name"].as_str().unwrap().to_owned())
        .collect()
}

async fn deletecollection_takes_what_the_selector_matches(arm: Arm) {
    let (p, g) = set_up(&arm).await;
    labelled(&arm, &p, &g).await;
    arm.delete(&format!("{p}?labelSelector=k")).await.ok();
    assert_eq!(names(&arm.get(&p).await.ok()), ["c"]);
}

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

fn kinds(frames: &[Value]) -> Vec<(String, String)> {
    frames
        .iter()
        .map(|f| {
            let text = |v: &Value| v.as_str().unwrap_or_default().to_owned();
            (text(&f["type"]), text(&f["object"]["metadata"]["name"]))
        })
        .collect()
}

fn pairs(wanted: &[(&str, &str)]) -> Vec<(String, String)> {
    wanted
        .iter()
        .map(|(a, b)| ((*a).to_owned(), (*b).to_owned()))
        .collect()
}

async fn a_watch_goes_on_from_a_version(arm: Arm) {
    let (p, g) = set_up(&arm).await;
    let first = make(&arm, &p, &g, "a", json!({})).await;
    arm.merge(&format!("{p}/a"), &json!({"spec": {"size": 1}}))
        .await
        .ok();
    make(&arm, &p, &g, "b", json!({})).await;
    arm.delete(&format!("{p}/a")).await.ok();
    let frames = arm
        .watch(
            &format!("{p}?watch=true&resourceVersion={}", first.version()),
            3,
        )
        .await;
    assert_eq!(
        kinds(&frames),
        pairs(&[("MODIFIED", "a"), ("ADDED", "b"), ("DELETED", "a")])
    );
}

async fn a_watch_from_nowhere_starts_with_what_is_there(arm: Arm) {
    let (p, g) = set_up(&arm).await;
    make(&arm, &p, &g, "b", json!({})).await;
    make(&arm, &p, &g, "a", json!({})).await;
    let mut frames = kinds(&arm.watch(&format!("{p}?watch=true"), 2).await);
    frames.sort();
    assert_eq!(frames, pairs(&[("ADDED", "a"), ("ADDED", "b")]));
}

async fn a_watch_with_initial_events_marks_their_end(arm: Arm) {
    let (p, g) = set_up(&arm).await;
    make(&arm, &p, &g, "a", json!({})).await;
    let query = "watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true";
    let frames = arm.watch(&format!("{p}?{query}"), 2).await;
    assert_eq!(frames[0]["type"], "ADDED");
    assert_eq!(frames[1]["type"], "BOOKMARK");
    assert_eq!(
        frames[1]["object"]["metadata"]["annotations"]["k8s.io/initial-events-end"],
        "true"
    );
    assert_eq!(frames[1]["object"]["kind"], "Widget");
}

async fn a_watch_through_a_selector_sees_objects_come_and_go(arm: Arm) {
    let (p, g) = set_up(&arm).await;
    let first = make(&arm, &p, &g, "a", json!({})).await;
    let one = format!("{p}/a");
    arm.merge(&one, &json!({"metadata": {"labels": {"k": "1"}}}))
        .await
        .ok();
    arm.merge(&one, &json!({"spec": {"size": 1}})).await.ok();
    let last = arm
        .merge(&one, &json!({"metadata": {"labels": {"k": null}}}))
        .await
        .ok();
    let frames = arm
        .watch(
            &format!(
                "{p}?watch=true&labelSelector=k&resourceVersion={}",
                first.version()
            ),
            3,
        )
        .await;
    assert_eq!(
        kinds(&frames),
        pairs(&[("ADDED", "a"), ("MODIFIED", "a"), ("DELETED", "a")])
    );
    assert_eq!(frames[2]["object"]["metadata"]["labels"]["k"], "1");
    assert_eq!(
        frames[2]["object"]["metadata"]["resourceVersion"],
        last.version()
    );
}

async fn a_deleted_event_has_the_version_of_the_deletion(arm: Arm) {
    let (p, g) = set_up(&arm).await;
    let made = make(&arm, &p, &g, "a", json!({})).await;
    arm.delete(&format!("{p}/a")).await.ok();
    let frames = arm
        .watch(
            &format!("{p}?watch=true&resourceVersion={}", made.version()),
            1,
        )
        .await;
    let number = |text: &str| text.parse::<u64>().unwrap();
    let seen = frames[0]["object"]["metadata"]["resourceVersion"]
        .as_str()
        .unwrap();
    assert!(number(seen) > number(made.version()));
}

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

async fn a_namespace_that_is_deleted_is_emptied(arm: Arm) {
    let ns = arm.namespace().await;
    let g = arm.define(&arm.group()).await;
    let p = path(&g, &ns);
    let mut object = widget(&g, "x", json!({}));
    object["metadata"]["finalizers"] = json!(["example.io/hold"]);
    arm.post(&p, &object).await.ok();
    let space = format!("/api/v1/namespaces/{ns}");
    let going = arm.delete(&space).await.ok();
    assert_eq!(going.body["status"]["phase"], "Terminating");
    let refused = arm.post(&p, &widget(&g, "y", json!({}))).await;
    let text = format!(
        "widgets.{g} \"y\" is forbidden: unable to create new content in namespace {ns} because it is being terminated"
    );
    refused.fails(403, "Forbidden", &text);
    for _ in 0..600 {
        if arm.get(&format!("{p}/x")).await.ok().body["metadata"]["deletionTimestamp"].is_string() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    arm.merge(
        &format!("{p}/x"),
        &json!({"metadata": {"finalizers": null}}),
    )
    .await
    .ok();
    until(&arm, &space, 404).await;
}

/// An owner and a dependent of it.
async fn family(arm: &Arm) -> (String, String) {
    let ns = arm.namespace().await;
    let p = format!("/api/v1/namespaces/{ns}/configmaps");
    let owner = arm
        .post(&p, &json!({"metadata": {"name": "owner"}}))
        .await
        .ok();
    let reference = json!([{"apiVersion": "v1", "kind": "ConfigMap", "name": "owner",
        "uid": owner.body["metadata"]["uid"], "controller": true, "blockOwnerDeletion": true}]);
    let child = json!({"metadata": {"name": "child", "ownerReferences": reference}});
    arm.post(&p, &child).await.ok();
    // The real collector has to have seen both.
    if !arm.is_embedded() {
        tokio::time::sleep(Duration::from_secs(2)).await;
    }
    (format!("{p}/owner"), format!("{p}/child"))
}

async fn dependents_go_with_their_owner(arm: Arm) {
    let (owner, child) = family(&arm).await;
    arm.delete(&owner).await.ok();
    until(&arm, &child, 404).await;
}

async fn orphans_stay(arm: Arm) {
    let (owner, child) = family(&arm).await;
    arm.delete_with(&owner, &json!({"propagationPolicy": "Orphan"}))
        .await
        .ok();
    until(&arm, &owner, 404).await;
    let left = arm.get(&child).await.ok();
    assert!(left.body["metadata"].get("ownerReferences").is_none());
}

async fn foreground_deletion_waits_for_dependents(arm: Arm) {
    let (owner, child) = family(&arm).await;
    arm.merge(
        &child,
        &json!({"metadata": {"finalizers": ["example.io/hold"]}}),
    )
    .await
    .ok();
    let going = arm
        .delete_with(&owner, &json!({"propagationPolicy": "Foreground"}))
        .await
        .ok();
    assert_eq!(
        going.body["metadata"]["finalizers"],
        json!(["foregroundDeletion"])
    );
    for _ in 0..600 {
        if arm.get(&child).await.ok().body["metadata"]["deletionTimestamp"].is_string() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    arm.get(&owner).await.ok();
    arm.merge(&child, &json!({"metadata": {"finalizers": null}}))
        .await
        .ok();
    until(&arm, &owner, 404).await;
}

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

async fn plain_and_aggregated_discovery_agree(arm: Arm) {
    let g = arm.define(&arm.group()).await;
    // The real server takes a moment to show a new group.
    until(&arm, &format!("/apis/{g}"), 200).await;
    let group = arm.get(&format!("/apis/{g}")).await.ok();
    assert_eq!(group.body["preferredVersion"]["version"], "v1");
    let list = arm.get(&format!("/apis/{g}/v1")).await.ok();
    let names: Vec<&str> = list.body["resources"]
        .as_array()
        .unwrap()
        .iter()
        .map(|r| r["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["widgets", "widgets/status"]);
    assert_eq!(list.body["resources"][0]["shortNames"], json!(["wd"]));
    for _ in 0..100 {
        let all = arm
            .send_with(Method::GET, "/apis", "", "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json", Vec::new())
            .await
            .ok();
        assert_eq!(all.body["kind"], "APIGroupDiscoveryList");
        let found = all.body["items"]
            .as_array()
            .unwrap()
            .iter()
            .find(|i| i["metadata"]["name"] == g)
            .cloned();
        if let Some(found) = found {
            let resource = &found["versions"][0]["resources"][0];
            assert_eq!(resource["resource"], "widgets");
            assert_eq!(resource["scope"], "Namespaced");
            assert_eq!(resource["subresources"][0]["subresource"], "status");
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{g} is not in the aggregated discovery");
}

async fn bad_json_is_a_bad_request(arm: Arm) {
    let (p, _) = set_up(&arm).await;
    arm.send(Method::POST, &p, "application/json", b"{".to_vec())
        .await
        .fails(400, "BadRequest", "the object provided is unrecognized (must be of type Widget): couldn't get version/kind; json parse error: unexpected end of JSON input ({)");
    let deep = "[".repeat(100_000).into_bytes();
    assert_eq!(
        arm.send(Method::POST, &p, "application/json", deep)
            .await
            .code,
        400
    );
    assert_eq!(
        arm.send(Method::POST, &p, "application/json", vec![0xff, 0xfe])
            .await
            .code,
        400
    );
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

async fn too_large_a_body_is_refused(arm: Arm) {
    let (p, _) = set_up(&arm).await;
    let answer = arm
        .send(
            Method::POST,
            &p,
            "application/json",
            vec![b' '; 3 * 1024 * 1024 + 10],
        )
        .await;
    answer.fails(
        413,
        "RequestEntityTooLarge",
        "Request entity too large: limit is 3145728",
    );
}

async fn secrets_encode_their_strings(arm: Arm) {
    let ns = arm.namespace().await;
    let made = arm
        .post(
            &format!("/api/v1/namespaces/{ns}/secrets"),
            &json!({"metadata": {"name": "s"}, "stringData": {"k": "v"}}),
        )
        .await
        .ok();
    assert_eq!(made.body["data"], json!({"k": "dg=="}));
    assert_eq!(made.body["type"], "Opaque");
    assert!(made.body.get("stringData").is_none());
}

async fn config_maps_can_be_immutable(arm: Arm) {
    let ns = arm.namespace().await;
    let p = format!("/api/v1/namespaces/{ns}/configmaps");
    arm.post(
        &p,
        &json!({"metadata": {"name": "c"}, "data": {"k": "v"}, "immutable": true}),
    )
    .await
    .ok();
    arm.merge(&format!("{p}/c"), &json!({"data": {"k": "w"}}))
        .await
        .fails(422, "Invalid", "ConfigMap \"c\" is invalid: data: Forbidden: field is immutable when `immutable` is set");
}

async fn leases_are_created_by_an_update(arm: Arm) {
    let ns = arm.namespace().await;
    let p = format!("/apis/coordination.k8s.io/v1/namespaces/{ns}/leases/l");
    let made = arm
        .put(
            &p,
            &json!({"metadata": {"name": "l"}, "spec": {"holderIdentity": "me"}}),
        )
        .await;
    assert_eq!(made.code, 201);
}

async fn an_event_is_seen_in_both_groups(arm: Arm) {
    let ns = arm.namespace().await;
    let event = json!({"metadata": {"name": "e"}, "reason": "R", "message": "M", "type": "Normal",
        "involvedObject": {"kind": "Widget", "name": "x", "namespace": ns}});
    arm.post(&format!("/api/v1/namespaces/{ns}/events"), &event)
        .await
        .ok();
    let seen = arm
        .get(&format!("/apis/events.k8s.io/v1/namespaces/{ns}/events/e"))
        .await
        .ok();
    assert_eq!(seen.body["note"], "M");
    assert_eq!(seen.body["regarding"]["name"], "x");
    let list = arm
        .get(&format!(
            "/api/v1/namespaces/{ns}/events?fieldSelector=involvedObject.name%3Dx,type%3DNormal"
        ))
        .await
        .ok();
    assert_eq!(names(&list), ["e"]);
}

async fn a_pod_without_node_goes_at_once(arm: Arm) {
    let ns = arm.namespace().await;
    let p = format!("/api/v1/namespaces/{ns}/pods");
    let made = arm
        .post(&p, &json!({"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "i"}]}}))
        .await
        .ok();
    assert_eq!(made.body["spec"]["restartPolicy"], "Always");
    assert_eq!(made.body["status"]["phase"], "Pending");
    let gone = arm.delete(&format!("{p}/p")).await.ok();
    assert_eq!(gone.body["kind"], "Pod");
    assert_eq!(arm.get(&format!("{p}/p")).await.code, 404);
}

async fn system_namespaces_cannot_be_deleted(arm: Arm) {
    arm.delete("/api/v1/namespaces/kube-system").await.fails(
        403,
        "Forbidden",
        "namespaces \"kube-system\" is forbidden: this namespace may not be deleted",
    );
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

async fn a_version_from_the_future_is_no_error_for_a_watch(arm: Arm) {
    let (p, _) = set_up(&arm).await;
    let answer = arm
        .get(&format!(
            "{p}?watch=true&resourceVersion=99999999&timeoutSeconds=1"
        ))
        .await;
    assert_eq!(answer.code, 200);
}
