//! Match conditions: CEL decides whether a webhook is called.

use crate::hook::*;

on_both_arms!(
    conditions_choose_requests,
    a_condition_that_fails_counts_as_the_webhook_failing,
    conditions_are_checked_when_they_are_stored,
    conditions_cannot_ask_the_authorizer,
);

/// A webhook that refuses what its conditions let through.
async fn guarded(arm: &Arm, ns: &str, policy: &str, conditions: Value) -> (Hook, Installed) {
    let hook = Hook::start(|_| json!({"allowed": false, "status": {"message": "called"}})).await;
    let mut entry = hook.entry("guarded.example.io", ns);
    entry["failurePolicy"] = json!(policy);
    entry["matchConditions"] = conditions;
    let installed = install(arm, false, &format!("{ns}-guarded"), json!([entry])).await;
    (hook, installed)
}

async fn conditions_choose_requests(arm: Arm) {
    let ns = arm.namespace().await;
    let conditions = json!([
        {"name": "labelled", "expression": "has(object.metadata.labels) && 'stop' in object.metadata.labels"},
        {"name": "not-mine", "expression": "!request.name.startsWith('mine') && request.operation == 'CREATE' && oldObject == null"},
        {"name": "somebody", "expression": "request.resource.resource == 'configmaps' && request.userInfo.groups.size() > 0 && !request.dryRun"},
    ]);
    let (hook, installed) = guarded(&arm, &ns, "Fail", conditions).await;
    let mut labelled = map("other");
    labelled["metadata"]["labels"] = json!({"stop": "1"});
    // The real server hears of a configuration a moment later.
    let mut refused = None;
    for n in 0..300 {
        labelled["metadata"]["name"] = json!(format!("other-{n}"));
        let answer = arm.post(&maps(&ns), &labelled).await;
        if answer.code >= 400 {
            refused = Some(answer);
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    refused.expect("the webhook is called in time").fails(
        400,
        "",
        "admission webhook \"guarded.example.io\" denied the request: called",
    );
    let asked = hook.seen().len();
    arm.post(&maps(&ns), &map("plain")).await.ok();
    labelled["metadata"]["name"] = json!("mine");
    arm.post(&maps(&ns), &labelled).await.ok();
    arm.merge(&format!("{}/mine", maps(&ns)), &json!({"data": {"x": "y"}}))
        .await
        .ok();
    assert_eq!(hook.seen().len(), asked);
    installed.remove(&arm).await;
}

async fn a_condition_that_fails_counts_as_the_webhook_failing(arm: Arm) {
    for (policy, code) in [("Fail", 403), ("Ignore", 201)] {
        let ns = arm.namespace().await;
        let conditions = json!([
            {"name": "broken", "expression": "object.data.missing == 'x'"},
            {"name": "fine", "expression": "!object.metadata.name.startsWith('probe') || object.data.a == 'b'"},
            {"name": "no", "expression": "object.metadata.name != 'skipped'"},
        ]);
        let (hook, installed) = guarded(&arm, &ns, policy, conditions).await;
        if code == 403 {
            until_failing(&arm, &ns).await;
        } else {
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
        let answer = arm.post(&maps(&ns), &map("x")).await;
        assert_eq!(answer.code, code, "{answer:?}");
        if code == 403 {
            answer.fails(
                403,
                "Forbidden",
                "configmaps \"x\" is forbidden: expression 'object.data.missing == 'x'' resulted in error: no such key: missing",
            );
        }
        // One that says no ends it, whatever else fails.
        arm.post(&maps(&ns), &map("skipped")).await.ok();
        assert_eq!(hook.seen(), Vec::<Value>::new());
        installed.remove(&arm).await;
    }
}

async fn conditions_are_checked_when_they_are_stored(arm: Arm) {
    let good = json!({"name": "n", "expression": "true"});
    for (conditions, wanted) in [
        (
            json!([{"name": "n", "expression": " "}]),
            "webhooks[0].matchConditions[0].expression: Required value",
        ),
        (
            json!([{"name": "", "expression": "true"}]),
            "webhooks[0].matchConditions[0].name: Required value",
        ),
        (
            json!([good, good]),
            "webhooks[0].matchConditions[1].name: Duplicate value: \"n\"",
        ),
        (
            json!([{"name": "n", "expression": "request.name"}]),
            "webhooks[0].matchConditions[0].expression: Invalid value: \"request.name\": must evaluate to bool but got string",
        ),
        (
            json!([{"name": "n", "expression": "request.odd == 'x'"}]),
            "webhooks[0].matchConditions[0].expression: Invalid value: \"request.odd == 'x'\": compilation failed: ERROR: <input>:1:8: undefined field 'odd'\n | request.odd == 'x'\n | .......^",
        ),
        (
            json!([{"name": "n", "expression": "nobody == 1"}]),
            "webhooks[0].matchConditions[0].expression: Invalid value: \"nobody == 1\": compilation failed: ERROR: <input>:1:1: undeclared reference to 'nobody' (in container '')\n | nobody == 1\n | ^",
        ),
    ] {
        let webhook = json!({"name": "a.example.io", "clientConfig": {"url": "https://127.0.0.1:1/x"},
            "sideEffects": "None", "admissionReviewVersions": ["v1"], "matchConditions": conditions,
            "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}]});
        let body = json!({"metadata": {"name": "conditions"}, "webhooks": [webhook]});
        let answer = arm
            .post(&format!("{ROOT}/validatingwebhookconfigurations"), &body)
            .await;
        let text = format!(
            "ValidatingWebhookConfiguration.admissionregistration.k8s.io \"conditions\" is invalid: {wanted}"
        );
        answer.fails(422, "Invalid", &text);
    }
}

async fn conditions_cannot_ask_the_authorizer(arm: Arm) {
    let asks = "authorizer.group('').resource('pods').check('get').allowed()";
    let webhook = json!({"name": "a.example.io", "clientConfig": {"url": "https://127.0.0.1:1/x"},
        "sideEffects": "None", "admissionReviewVersions": ["v1"],
        "matchConditions": [{"name": "n", "expression": asks}],
        "rules": [{"apiGroups": ["none.example.io"], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["nothing"]}]});
    let name = format!("{}-asks", arm.namespace().await);
    let path = format!("{ROOT}/validatingwebhookconfigurations");
    let body = json!({"metadata": {"name": name}, "webhooks": [webhook]});
    let answer = arm.post(&path, &body).await;
    if arm.is_embedded() {
        let why = "this server has no authorizer that a condition could ask";
        assert_eq!(answer.code, 422);
        assert!(answer.message().ends_with(why), "{answer:?}");
    } else {
        answer.ok();
        arm.delete(&format!("{path}/{name}")).await.ok();
    }
}
