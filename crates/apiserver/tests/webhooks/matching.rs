//! Which webhooks are called for a request, and what they see of it.

use crate::hook::*;

on_both_arms!(
    rules_choose_resources_operations_and_subresources,
    selectors_choose_objects_and_namespaces,
    an_equivalent_version_is_converted,
    dry_runs_are_told_as_such,
    deletions_show_the_old_object,
);

async fn rules_choose_resources_operations_and_subresources(arm: Arm) {
    let ns = arm.namespace().await;
    let group = arm.define(&arm.group()).await;
    let probe = Hook::start(|_| allow()).await;
    let hook = Hook::start(|_| allow()).await;
    let mut entry = hook.entry("a.example.io", &ns);
    entry["rules"] = json!([
        {"apiGroups": [group], "apiVersions": ["v1"], "operations": ["UPDATE"], "resources": ["widgets/status"], "scope": "Namespaced"},
        {"apiGroups": [""], "apiVersions": ["*"], "operations": ["CREATE", "DELETE"], "resources": ["secrets"]},
        {"apiGroups": ["*"], "apiVersions": ["*"], "operations": ["*"], "resources": ["serviceaccounts"], "scope": "Cluster"}]);
    let entries = json!([entry, probe.entry("z.example.io", &ns)]);
    let installed = install(&arm, false, &format!("{ns}-r"), entries).await;
    until_called(&arm, &ns, &probe).await;
    let path = format!("/apis/{group}/v1/namespaces/{ns}/widgets");
    let secrets = format!("/api/v1/namespaces/{ns}/secrets");
    let made = arm
        .post(&path, &widget(&group, "w", json!({"size": 1})))
        .await
        .ok();
    let mut changed = made.body.clone();
    changed["status"] = json!({"phase": "x"});
    arm.put(&format!("{path}/w/status"), &changed).await.ok();
    arm.merge(&format!("{path}/w"), &json!({"spec": {"size": 2}}))
        .await
        .ok();
    arm.post(&secrets, &json!({"metadata": {"name": "s"}}))
        .await
        .ok();
    arm.merge(
        &format!("{secrets}/s"),
        &json!({"metadata": {"labels": {"a": "b"}}}),
    )
    .await
    .ok();
    arm.delete(&format!("{secrets}/s")).await.ok();
    arm.post(
        &format!("/api/v1/namespaces/{ns}/serviceaccounts"),
        &json!({"metadata": {"name": "s"}}),
    )
    .await
    .ok();
    arm.post(&maps(&ns), &map("m")).await.ok();
    let seen: Vec<String> = hook
        .seen()
        .iter()
        .map(|review| {
            let r = &review["request"];
            format!(
                "{} {} {}",
                r["operation"], r["resource"]["resource"], r["subResource"]
            )
        })
        .collect();
    assert_eq!(
        seen,
        [
            "\"UPDATE\" \"widgets\" \"status\"",
            "\"CREATE\" \"secrets\" null",
            "\"DELETE\" \"secrets\" null"
        ]
    );
    installed.remove(&arm).await;
}

async fn selectors_choose_objects_and_namespaces(arm: Arm) {
    let ns = arm.namespace().await;
    let other = arm.namespace().await;
    let probe = Hook::start(|_| allow()).await;
    let hook = Hook::start(|_| allow()).await;
    let mut entry = hook.entry("a.example.io", &ns);
    entry["objectSelector"] = json!({"matchExpressions": [{"key": "watched", "operator": "In", "values": ["yes", "always"]}]});
    let entries = json!([entry, probe.entry("z.example.io", &ns)]);
    let installed = install(&arm, false, &format!("{ns}-s"), entries).await;
    until_called(&arm, &ns, &probe).await;
    let labelled = |name: &str, value: &str| {
        let mut map = map(name);
        map["metadata"]["labels"] = json!({"watched": value});
        map
    };
    arm.post(&maps(&ns), &labelled("a", "yes")).await.ok();
    arm.post(&maps(&ns), &labelled("b", "no")).await.ok();
    arm.post(&maps(&ns), &map("c")).await.ok();
    arm.post(&maps(&other), &labelled("d", "yes")).await.ok();
    // The old object's labels count as well.
    arm.merge(
        &format!("{}/a", maps(&ns)),
        &json!({"metadata": {"labels": {"watched": "no"}}}),
    )
    .await
    .ok();
    arm.merge(&format!("{}/a", maps(&ns)), &json!({"data": {"x": "y"}}))
        .await
        .ok();
    let seen: Vec<Value> = hook
        .seen()
        .iter()
        .map(|r| json!([r["request"]["operation"], r["request"]["name"]]))
        .collect();
    assert_eq!(seen, [json!(["CREATE", "a"]), json!(["UPDATE", "a"])]);
    installed.remove(&arm).await;
}

async fn an_equivalent_version_is_converted(arm: Arm) {
    let ns = arm.namespace().await;
    let schema = json!({"openAPIV3Schema": crate::common::widget_schema()});
    let version = |name: &str, storage: bool| json!({"name": name, "served": true, "storage": storage, "schema": schema});
    let group = arm
        .define_versions(
            &arm.group(),
            json!([version("v1", true), version("v2", false)]),
        )
        .await;
    let probe = Hook::start(|_| allow()).await;
    let hook = Hook::start(|_| {
        patched(json!([{"op": "add", "path": "/metadata/labels", "value": {"by": "hook"}}]))
    })
    .await;
    let exact = Hook::start(|_| allow()).await;
    let rule = json!([{"apiGroups": [group], "apiVersions": ["v1"], "operations": ["*"], "resources": ["widgets"]}]);
    let mut entry = hook.entry("a.example.io", &ns);
    entry["rules"] = rule.clone();
    let mut strict = exact.entry("b.example.io", &ns);
    strict["rules"] = rule;
    strict["matchPolicy"] = json!("Exact");
    let entries = json!([entry, strict, probe.entry("z.example.io", &ns)]);
    let installed = install(&arm, true, &format!("{ns}-e"), entries).await;
    until_called(&arm, &ns, &probe).await;
    let mut object = widget(&group, "w", json!({"size": 1}));
    object["apiVersion"] = json!(format!("{group}/v2"));
    let made = arm
        .post(
            &format!("/apis/{group}/v2/namespaces/{ns}/widgets"),
            &object,
        )
        .await
        .ok();
    assert_eq!(made.body["apiVersion"], format!("{group}/v2"));
    assert_eq!(made.body["metadata"]["labels"], json!({"by": "hook"}));
    let request = &hook.seen()[0]["request"];
    assert_eq!(request["kind"]["version"], "v1");
    assert_eq!(request["requestKind"]["version"], "v2");
    assert_eq!(request["object"]["apiVersion"], format!("{group}/v1"));
    assert!(exact.seen().is_empty());
    installed.remove(&arm).await;
}

async fn dry_runs_are_told_as_such(arm: Arm) {
    let ns = arm.namespace().await;
    let hook = Hook::start(|r| append(r, "x")).await;
    let installed = install(
        &arm,
        true,
        &format!("{ns}-d"),
        json!([hook.entry("a.example.io", &ns)]),
    )
    .await;
    until_called(&arm, &ns, &hook).await;
    let path = format!("{}?dryRun=All", maps(&ns));
    let tried = arm.post(&path, &map("m")).await.ok();
    assert_eq!(tried.body["data"]["trace"], "x");
    let request = &hook.seen()[0]["request"];
    assert_eq!(request["dryRun"], true);
    assert_eq!(request["options"]["dryRun"], json!(["All"]));
    assert_eq!(arm.get(&format!("{}/m", maps(&ns))).await.code, 404);
    installed.remove(&arm).await;
}

async fn deletions_show_the_old_object(arm: Arm) {
    let ns = arm.namespace().await;
    let hook = Hook::start(|request| {
        let refused = request["operation"] == "DELETE" && request["name"] == "keep";
        json!({"allowed": !refused})
    })
    .await;
    let installed = install(
        &arm,
        false,
        &format!("{ns}-d"),
        json!([hook.entry("a.example.io", &ns)]),
    )
    .await;
    until_called(&arm, &ns, &hook).await;
    arm.post(&maps(&ns), &map("keep")).await.ok();
    arm.post(&maps(&ns), &map("go")).await.ok();
    let refused = arm.delete(&format!("{}/keep", maps(&ns))).await;
    refused.fails(
        400,
        "",
        "admission webhook \"a.example.io\" denied the request without explanation",
    );
    arm.delete(&format!("{}/go", maps(&ns))).await.ok();
    let seen = hook.seen();
    let request = &seen.last().unwrap()["request"];
    assert_eq!(request["operation"], "DELETE");
    assert_eq!(request["object"], Value::Null);
    assert_eq!(request["oldObject"]["data"], json!({"a": "b"}));
    assert_eq!(request["options"]["kind"], "DeleteOptions");
    installed.remove(&arm).await;
}
