//! What a webhook is told, and what becomes of its answer.

use crate::hook::*;

on_both_arms!(
    a_review_says_who_does_what_to_which_object,
    a_mutating_webhook_patches_before_validation,
    a_denial_carries_the_webhooks_status,
    mutating_webhooks_go_by_name_and_are_reinvoked,
    validating_webhooks_see_what_mutating_ones_made,
    warnings_reach_the_client,
    the_first_refusal_in_order_decides,
);

async fn a_review_says_who_does_what_to_which_object(arm: Arm) {
    let ns = arm.namespace().await;
    let hook = Hook::start(|_| allow()).await;
    let installed = install(
        &arm,
        false,
        &format!("{ns}-r"),
        json!([hook.entry("a.example.io", &ns)]),
    )
    .await;
    until_called(&arm, &ns, &hook).await;
    let path = format!("{}?fieldManager=me&fieldValidation=Strict", maps(&ns));
    arm.post(&path, &map("a")).await.ok();
    let media = "application/merge-patch+json";
    let one = format!("{}/a?fieldManager=you", maps(&ns));
    arm.send(
        Method::PATCH,
        &one,
        media,
        br#"{"data": {"a": "c"}}"#.to_vec(),
    )
    .await
    .ok();
    let seen = hook.seen();
    assert_eq!(seen.len(), 2, "{seen:#?}");
    assert_eq!(seen[0]["apiVersion"], "admission.k8s.io/v1");
    let request = &seen[0]["request"];
    assert_eq!(request["operation"], "CREATE");
    assert_eq!(
        request["kind"],
        json!({"group": "", "version": "v1", "kind": "ConfigMap"})
    );
    assert_eq!(
        request["requestResource"],
        json!({"group": "", "version": "v1", "resource": "configmaps"})
    );
    assert_eq!(
        (request["name"].as_str(), request["namespace"].as_str()),
        (Some("a"), Some(ns.as_str()))
    );
    assert_eq!(request["dryRun"], false);
    assert_eq!(request["userInfo"]["username"], "admin");
    assert!(
        request["userInfo"]["groups"]
            .as_array()
            .unwrap()
            .contains(&json!("system:masters"))
    );
    assert_eq!(request["object"]["data"], json!({"a": "b"}));
    assert!(request["object"]["metadata"]["uid"].is_string());
    assert_eq!(request["oldObject"], Value::Null);
    assert_eq!(
        request["options"],
        json!({"kind": "CreateOptions", "apiVersion": "meta.k8s.io/v1",
        "fieldManager": "me", "fieldValidation": "Strict"})
    );
    let request = &seen[1]["request"];
    assert_eq!(request["operation"], "UPDATE");
    assert_eq!(request["object"]["data"], json!({"a": "c"}));
    assert_eq!(request["oldObject"]["data"], json!({"a": "b"}));
    assert_eq!(
        request["options"],
        json!({"kind": "UpdateOptions", "apiVersion": "meta.k8s.io/v1", "fieldManager": "you"})
    );
    installed.remove(&arm).await;
}

async fn a_mutating_webhook_patches_before_validation(arm: Arm) {
    let ns = arm.namespace().await;
    let group = arm.define(&arm.group()).await;
    let hook = Hook::start(|request| {
        let size = &request["object"]["spec"]["size"];
        match size.as_i64() {
            Some(1) => patched(json!([{"op": "replace", "path": "/spec/size", "value": 500}])),
            Some(2) => patched(json!([{"op": "add", "path": "/spec/unknown", "value": 1},
                {"op": "add", "path": "/metadata/labels", "value": {"by": "hook"}}])),
            Some(3) => patched(json!([{"op": "remove", "path": "/spec/nothing"}])),
            Some(4) => patched(json!([])),
            Some(5) => patched(json!([{"op": "replace", "path": "/metadata/finalizers", "value": ["a.example.io/f"]}])),
            _ => allow(),
        }
    })
    .await;
    let installed = install(
        &arm,
        true,
        &format!("{ns}-m"),
        json!([hook.entry("a.example.io", &ns)]),
    )
    .await;
    until_called(&arm, &ns, &hook).await;
    let path = format!("/apis/{group}/v1/namespaces/{ns}/widgets");
    let make = |n: i64| widget(&group, &format!("w{n}"), json!({"size": n}));
    let refused = arm.post(&path, &make(1)).await;
    assert_eq!(refused.code, 422, "{refused:?}");
    assert!(
        refused
            .message()
            .contains("spec.size in body should be less than or equal to 100")
    );
    arm.post(&path, &make(2)).await.ok();
    let made = arm.get(&format!("{path}/w2")).await.ok();
    assert_eq!(made.body["metadata"]["labels"], json!({"by": "hook"}));
    assert_eq!(made.body["spec"], json!({"size": 2, "mode": "fast"}));
    let broken = arm.post(&path, &make(3)).await;
    assert_eq!((broken.code, broken.reason()), (500, "InternalError"));
    arm.post(&path, &make(4)).await.ok();
    // A replacement of what is not there adds it.
    let made = arm.post(&path, &make(5)).await.ok();
    assert_eq!(
        made.body["metadata"]["finalizers"],
        json!(["a.example.io/f"])
    );
    let bare = json!({"metadata": {"finalizers": null}});
    installed.remove(&arm).await;
    arm.merge(&format!("{path}/w5"), &bare).await;
}

async fn a_denial_carries_the_webhooks_status(arm: Arm) {
    let ns = arm.namespace().await;
    let hook = Hook::start(|request| match request["name"].as_str() {
        Some("plain") => json!({"allowed": false}),
        Some("told") => json!({"allowed": false, "status": {"message": "not today", "code": 403, "reason": "Forbidden"}}),
        Some("reason") => json!({"allowed": false, "status": {"reason": "Gone", "code": 410}}),
        Some("details") => json!({"allowed": false, "status": {"message": "m", "code": 422, "reason": "Invalid",
            "details": {"causes": [{"field": "data", "message": "no"}]}}}),
        Some("success") => json!({"allowed": false, "status": {"status": "Success", "code": 200}}),
        _ => allow(),
    })
    .await;
    let installed = install(
        &arm,
        false,
        &format!("{ns}-d"),
        json!([hook.entry("no.example.io", &ns)]),
    )
    .await;
    until_called(&arm, &ns, &hook).await;
    let denied = "admission webhook \"no.example.io\" denied the request";
    for (name, code, reason, message) in [
        ("plain", 400, "", " without explanation"),
        ("told", 403, "Forbidden", ": not today"),
        ("reason", 410, "Gone", ": Gone"),
        ("details", 422, "Invalid", ": m"),
        ("success", 400, "", " without explanation"),
    ] {
        let answer = arm.post(&maps(&ns), &map(name)).await;
        let answer = answer.fails(code, reason, &format!("{denied}{message}"));
        if name == "details" {
            assert_eq!(answer.body["details"]["causes"][0]["field"], "data");
        }
    }
    arm.post(&maps(&ns), &map("fine")).await.ok();
    installed.remove(&arm).await;
}

async fn mutating_webhooks_go_by_name_and_are_reinvoked(arm: Arm) {
    let ns = arm.namespace().await;
    let early = Hook::start(|r| append(r, "e")).await;
    let late = Hook::start(|r| append(r, "l")).await;
    let once = Hook::start(|r| append(r, "o")).await;
    let mut again = early.entry("again.example.io", &ns);
    again["reinvocationPolicy"] = json!("IfNeeded");
    // Configurations go by name, the webhooks of one in their own order.
    let second = install(
        &arm,
        true,
        &format!("{ns}-b"),
        json!([late.entry("a.example.io", &ns)]),
    )
    .await;
    let first = install(
        &arm,
        true,
        &format!("{ns}-a"),
        json!([again, once.entry("a.example.io", &ns)]),
    )
    .await;
    for hook in [&early, &late, &once] {
        until_called(&arm, &ns, hook).await;
    }
    let made = arm.post(&maps(&ns), &map("m")).await.ok();
    assert_eq!(made.body["data"]["trace"], "eole");
    first.remove(&arm).await;
    second.remove(&arm).await;
}

async fn validating_webhooks_see_what_mutating_ones_made(arm: Arm) {
    let ns = arm.namespace().await;
    let change = Hook::start(|r| append(r, "x")).await;
    let check = Hook::start(|_| allow()).await;
    let one = install(
        &arm,
        true,
        &format!("{ns}-m"),
        json!([change.entry("a.example.io", &ns)]),
    )
    .await;
    let two = install(
        &arm,
        false,
        &format!("{ns}-v"),
        json!([check.entry("b.example.io", &ns)]),
    )
    .await;
    until_called(&arm, &ns, &change).await;
    until_called(&arm, &ns, &check).await;
    arm.post(&maps(&ns), &map("m")).await.ok();
    assert_eq!(check.seen()[0]["request"]["object"]["data"]["trace"], "x");
    assert!(
        change.seen()[0]["request"]["object"]["data"]
            .get("trace")
            .is_none()
    );
    one.remove(&arm).await;
    two.remove(&arm).await;
}

async fn warnings_reach_the_client(arm: Arm) {
    let ns = arm.namespace().await;
    let hook =
        Hook::start(|_| json!({"allowed": true, "warnings": ["mind the gap", "say \"no\""]})).await;
    let installed = install(
        &arm,
        false,
        &format!("{ns}-w"),
        json!([hook.entry("a.example.io", &ns)]),
    )
    .await;
    until_called(&arm, &ns, &hook).await;
    let made = arm.post(&maps(&ns), &map("m")).await.ok();
    assert_eq!(
        made.warnings,
        ["299 - \"mind the gap\"", "299 - \"say \\\"no\\\"\""]
    );
    installed.remove(&arm).await;
}

async fn the_first_refusal_in_order_decides(arm: Arm) {
    let ns = arm.namespace().await;
    let refuse = |why: &str| json!({"allowed": false, "status": {"message": why}});
    let slow = Hook::start(move |_| {
        std::thread::sleep(Duration::from_millis(700));
        refuse("slow")
    })
    .await;
    let quick = Hook::start(move |_| refuse("quick")).await;
    let entries = json!([
        slow.entry("a.example.io", &ns),
        quick.entry("b.example.io", &ns)
    ]);
    let installed = install(&arm, false, &format!("{ns}-order"), entries).await;
    until_failing(&arm, &ns).await;
    let answer = arm.post(&maps(&ns), &map("x")).await;
    let wanted = if arm.is_embedded() {
        "admission webhook \"a.example.io\" denied the request: slow"
    } else {
        "admission webhook \"b.example.io\" denied the request: quick"
    };
    assert_eq!(answer.message(), wanted);
    installed.remove(&arm).await;
}
