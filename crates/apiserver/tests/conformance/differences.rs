//! What differs on purpose (`docs/api-server.md`): each body asserts both
//! answers, so that a difference which is gone is noticed too.

use super::prelude::*;

conformance!(
    definitions_are_established_at_once,
    webhooks_are_called_on_loopback_only,
    conversion_webhooks_are_not_called,
    rules_with_functions_that_are_missing_are_refused,
    rules_have_no_budget,
    bodies_of_scale_are_refused_in_other_words,
    answers_are_json,
    definitions_are_not_read_as_protobuf,
    the_old_openapi_document_is_empty_as_protobuf,
    newer_fields_have_no_description,
    some_kinds_are_not_served,
    kept_kinds_are_only_kept,
    access_reviews_are_not_in_discovery,
    affinity_is_not_checked,
    the_status_of_jobs_is_not_checked,
    a_job_without_labels_is_not_changed_by_a_change_of_nothing,
    a_changed_template_is_shown_as_it_was_sent,
    a_refused_pod_update_has_no_diff,
    empty_maps_of_an_apply_are_dropped_at_once,
    schemas_are_shown_as_they_were_sent,
);

impl Arm {
    /// What the embedded server answers, or the real one.
    fn either<T>(&self, ours: T, real: T) -> T {
        if self.is_embedded() { ours } else { real }
    }
}

fn definition(group: &str, versions: Value) -> Value {
    json!({"metadata": {"name": format!("widgets.{group}")}, "spec": {
        "group": group, "scope": "Namespaced", "versions": versions,
        "names": {"plural": "widgets", "singular": "widget", "kind": "Widget"}}})
}

async fn definitions_are_established_at_once(arm: Arm) {
    let schema = json!({"openAPIV3Schema": common::widget_schema()});
    let version = json!({"name": "v1", "served": true, "storage": true, "schema": schema});
    let body = definition(&arm.group(), json!([version]));
    let made = arm.post(common::CRDS, &body).await.ok();
    let conditions = made.body["status"]["conditions"].as_array();
    assert_eq!(conditions.map_or(0, Vec::len), arm.either(2, 0), "{made:?}");
}

const WEBHOOKS: &str = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations";

async fn webhooks_are_called_on_loopback_only(arm: Arm) {
    let name = format!("{}-hosts", arm.namespace().await);
    for (url, ours, real) in [
        ("https://webhook.example.io/x", 422, 201),
        ("http://127.0.0.1:1/x", 201, 422),
    ] {
        let body = json!({"metadata": {"name": name}, "webhooks": [{
            "name": "a.example.io", "clientConfig": {"url": url}, "sideEffects": "None",
            "admissionReviewVersions": ["v1"],
            "rules": [{"apiGroups": ["none.example.io"], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["nothing"]}]}]});
        let answer = arm.post(WEBHOOKS, &body).await;
        assert_eq!(answer.code, arm.either(ours, real), "{answer:?}");
        if answer.code == 201 {
            let warned = answer.warnings.iter().any(|w| w.contains("plain HTTP"));
            assert_eq!(warned, arm.is_embedded());
            arm.delete(&format!("{WEBHOOKS}/{name}")).await.ok();
        }
    }
}

async fn conversion_webhooks_are_not_called(arm: Arm) {
    let ns = arm.namespace().await;
    let group = arm.group();
    let version = |name: &str| {
        json!({"name": name, "served": true, "storage": name == "v1",
            "schema": {"openAPIV3Schema": common::widget_schema()}})
    };
    let mut body = definition(&group, json!([version("v1"), version("v2")]));
    body["spec"]["conversion"] = json!({"strategy": "Webhook", "webhook": {
        "conversionReviewVersions": ["v1"], "clientConfig": {"url": "https://127.0.0.1:1/convert"}}});
    arm.post(common::CRDS, &body).await.ok();
    until(&arm, &format!("/apis/{group}/v1/widgets"), 200).await;
    let p = path(&group, &ns);
    arm.post(&p, &widget(&group, "a", json!({}))).await.ok();
    let other = format!("/apis/{group}/v2/namespaces/{ns}/widgets/a");
    until(&arm, &other, 500).await;
    let text = arm.get(&other).await;
    let wanted = arm.either("this server cannot call conversion webhooks", "webhook");
    assert!(text.message().contains(wanted), "{text:?}");
    // What waits for a webhook would keep the definition for ever.
    arm.merge(
        &format!("{}/widgets.{group}", common::CRDS),
        &json!({"spec": {"conversion": {"strategy": "None", "webhook": null}}}),
    )
    .await
    .ok();
}

/// Answers to a definition whose spec has one field and one rule.
async fn define_rule(arm: &Arm, group: &str, field: Value, rule: &str) -> common::Answer {
    let spec = json!({"type": "object", "properties": {"f": field},
        "x-kubernetes-validations": [{"rule": rule}]});
    let version = json!({"name": "v1", "served": true, "storage": true,
        "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": spec}}}});
    arm.post(common::CRDS, &definition(group, json!([version])))
        .await
}

async fn rules_with_functions_that_are_missing_are_refused(arm: Arm) {
    for (rule, function) in [
        ("isQuantity(self.f)", "isQuantity"),
        ("url(self.f).getHost() == 'x'", "url"),
        ("isIP(self.f)", "isIP"),
        ("isSemver(self.f)", "isSemver"),
    ] {
        let field = json!({"type": "string", "maxLength": 10});
        let answer = define_rule(&arm, &arm.group(), field, rule).await;
        assert_eq!(answer.code, arm.either(422, 201), "{answer:?}");
        let text = format!(
            "this server does not have the function '{function}' of Kubernetes' own CEL libraries"
        );
        assert_eq!(answer.message().contains(&text), arm.is_embedded());
    }
}

async fn rules_have_no_budget(arm: Arm) {
    let group = arm.group();
    let list = json!({"type": "array", "items": {"type": "string"}});
    let rule = "self.f.all(a, self.f.all(b, a == b))";
    let answer = define_rule(&arm, &group, list, rule).await;
    assert_eq!(answer.code, arm.either(201, 422), "{answer:?}");
    if !arm.is_embedded() {
        assert!(answer.message().contains("cost"), "{answer:?}");
        return;
    }
    let ns = arm.namespace().await;
    let object = widget(&group, "x", json!({"f": ["a", "b"]}));
    let text = format!(
        "Widget.{group} \"x\" is invalid: spec: Invalid value: \"object\": failed rule: {rule}"
    );
    arm.post(&path(&group, &ns), &object)
        .await
        .fails(422, "Invalid", &text);
}

async fn bodies_of_scale_are_refused_in_other_words(arm: Arm) {
    let ns = arm.namespace().await;
    let scale = json!({"subresources": {"scale": {"specReplicasPath": ".spec.size", "statusReplicasPath": ".status.count"}}});
    let group = arm
        .define_with(&arm.group(), common::widget_schema(), &scale)
        .await;
    let p = path(&group, &ns);
    make(&arm, &p, &group, "a", json!({"size": 1})).await;
    let text = b"[]".to_vec();
    let media = "application/json";
    let answer = arm
        .send(Method::PUT, &format!("{p}/a/scale"), media, text)
        .await;
    assert_eq!(answer.code, 400, "{answer:?}");
    let ours = "the object provided is unrecognized (must be of type Scale)";
    assert_eq!(answer.message() == ours, arm.is_embedded(), "{answer:?}");
    let body = json!({"apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": {"name": "a"}, "spec": {"replicas": 2}});
    let applied = arm
        .apply(&format!("{p}/a/scale?fieldManager=m"), &body)
        .await;
    // There it finds who set the number before.
    assert_eq!(applied.code, arm.either(415, 409), "{applied:?}");
}

const PROTOBUF: &str = "application/vnd.kubernetes.protobuf";

async fn answers_are_json(arm: Arm) {
    let path = "/api/v1/namespaces/default";
    for media in [PROTOBUF, "application/yaml"] {
        let answer = arm
            .send_with(Method::GET, path, "", media, Vec::new())
            .await;
        assert_eq!(answer.code, arm.either(406, 200), "{answer:?}");
        let both = format!("{media},application/json");
        let answer = arm
            .send_with(Method::GET, path, "", &both, Vec::new())
            .await;
        let wanted = arm.either("application/json", media);
        assert_eq!((answer.code, answer.content_type.as_str()), (200, wanted));
    }
}

async fn definitions_are_not_read_as_protobuf(arm: Arm) {
    let field = |number: u8, bytes: &[u8]| {
        let mut out = vec![number << 3 | 2, u8::try_from(bytes.len()).unwrap()];
        out.extend_from_slice(bytes);
        out
    };
    let kind = [
        field(1, b"apiextensions.k8s.io/v1"),
        field(2, b"CustomResourceDefinition"),
    ];
    let body = [b"k8s\0".to_vec(), field(1, &kind.concat()), field(2, &[])];
    let answer = arm
        .send(Method::POST, common::CRDS, PROTOBUF, body.concat())
        .await;
    assert_eq!(answer.code, arm.either(415, 422), "{answer:?}");
}

async fn the_old_openapi_document_is_empty_as_protobuf(arm: Arm) {
    let media = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf";
    let answer = arm
        .send_with(Method::GET, "/openapi/v2", "", media, Vec::new())
        .await
        .ok();
    let size = answer.body.as_str().unwrap().len();
    assert_eq!(size < 10, arm.is_embedded(), "{size} bytes");
}

async fn newer_fields_have_no_description(arm: Arm) {
    let document = arm.get("/openapi/v3/api/v1").await.ok();
    let spec = &document.body["components"]["schemas"]["io.k8s.api.core.v1.PodSpec"]["properties"];
    assert!(spec["nodeName"]["description"].is_string());
    // New in v1.34.
    let field = &spec["hostnameOverride"];
    assert_eq!(field["type"], "string");
    assert_eq!(field["description"].is_null(), arm.is_embedded());
}

async fn some_kinds_are_not_served(arm: Arm) {
    for path in [
        "/api/v1/resourcequotas",
        "/api/v1/limitranges",
        "/apis/apps/v1/replicasets",
        "/apis/rbac.authorization.k8s.io/v1/roles",
    ] {
        assert_eq!(arm.get(path).await.code, arm.either(404, 200), "{path}");
    }
}

async fn kept_kinds_are_only_kept(arm: Arm) {
    let ns = arm.namespace().await;
    let service = json!({"metadata": {"name": "s"}, "spec": {"ports": [{"port": 1}]}});
    let made = arm
        .post(&format!("/api/v1/namespaces/{ns}/services"), &service)
        .await
        .ok();
    assert_eq!(
        made.body["spec"]["clusterIP"].is_null(),
        arm.is_embedded(),
        "{made:?}"
    );
    let empty = json!({"metadata": {"name": "d"}, "spec": {"template": {}}});
    let made = arm
        .post(
            &format!("/apis/apps/v1/namespaces/{ns}/deployments"),
            &empty,
        )
        .await;
    assert_eq!(made.code, arm.either(201, 422), "{made:?}");
}

async fn access_reviews_are_not_in_discovery(arm: Arm) {
    let groups = arm.get("/apis").await.ok();
    let mut groups = groups.body["groups"].as_array().unwrap().iter();
    let found = groups.any(|g| g["name"] == "authorization.k8s.io");
    assert_eq!(found, !arm.is_embedded());
    let review = json!({"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview",
        "spec": {"user": "nobody", "resourceAttributes": {"verb": "get", "resource": "pods"}}});
    let path = "/apis/authorization.k8s.io/v1/subjectaccessreviews";
    let answer = arm.post(path, &review).await.ok();
    // The control plane of these tests has RBAC, in which nobody may do anything.
    assert_eq!(answer.body["status"]["allowed"], arm.is_embedded());
}

fn pod(name: &str) -> Value {
    json!({"metadata": {"name": name}, "spec": {"containers": [{"name": "c", "image": "i"}]}})
}

async fn affinity_is_not_checked(arm: Arm) {
    let ns = arm.namespace().await;
    let mut pod = pod("p");
    pod["spec"]["affinity"] = json!({"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": []}}});
    let answer = arm
        .post(&format!("/api/v1/namespaces/{ns}/pods"), &pod)
        .await;
    assert_eq!(answer.code, arm.either(201, 422), "{answer:?}");
}

fn job(name: &str) -> Value {
    let mut template = pod("");
    template["spec"]["restartPolicy"] = json!("Never");
    template.as_object_mut().unwrap().remove("metadata");
    json!({"metadata": {"name": name}, "spec": {"template": template}})
}

async fn the_status_of_jobs_is_not_checked(arm: Arm) {
    let ns = arm.namespace().await;
    let p = format!("/apis/batch/v1/namespaces/{ns}/jobs");
    arm.post(&p, &job("j")).await.ok();
    let done = json!({"status": {"conditions": [{"type": "Complete", "status": "True"}]}});
    let answer = arm.merge(&format!("{p}/j/status"), &done).await;
    assert_eq!(answer.code, arm.either(200, 422), "{answer:?}");
}

/// The real server gives such a job the labels of its template when it reads it,
/// so that the next write stores them.
async fn a_job_without_labels_is_not_changed_by_a_change_of_nothing(arm: Arm) {
    let ns = arm.namespace().await;
    let p = format!("/apis/batch/v1/namespaces/{ns}/jobs");
    let mut body = job("j");
    body["metadata"] = json!({"name": "j"});
    if let Some(template) = body["spec"]["template"].as_object_mut() {
        template.remove("metadata");
    }
    let made = arm.post(&p, &body).await.ok();
    let nothing = json!({"metadata": {}});
    let after = arm.merge(&format!("{p}/j"), &nothing).await.ok();
    let version = |body: &Value| body["metadata"]["resourceVersion"].clone();
    let changed = version(&made.body) != version(&after.body);
    assert_eq!(changed, arm.either(false, true), "{made:?} {after:?}");
}

async fn a_changed_template_is_shown_as_it_was_sent(arm: Arm) {
    let ns = arm.namespace().await;
    let p = format!("/apis/batch/v1/namespaces/{ns}/jobs");
    arm.post(&p, &job("j")).await.ok();
    let change = json!({"spec": {"template": {"spec": {"hostname": "h"}}}});
    let answer = arm.merge(&format!("{p}/j"), &change).await;
    assert_eq!((answer.code, answer.reason()), (422, "Invalid"));
    let text = answer.message();
    assert!(text.starts_with("Job.batch \"j\" is invalid: spec.template: Invalid value: {"));
    assert!(text.ends_with("}: field is immutable"), "{text}");
    assert_eq!(text.contains("\"hostname\":\"h\""), arm.is_embedded());
    assert_eq!(text.contains("\"Hostname\":\"h\""), !arm.is_embedded());
}

async fn a_refused_pod_update_has_no_diff(arm: Arm) {
    let ns = arm.namespace().await;
    let p = format!("/api/v1/namespaces/{ns}/pods");
    arm.post(&p, &pod("p")).await.ok();
    let answer = arm
        .merge(&format!("{p}/p"), &json!({"spec": {"hostname": "h"}}))
        .await;
    assert_eq!((answer.code, answer.reason()), (422, "Invalid"));
    let text = answer.message();
    assert!(text.contains("pod updates may not change fields other than"));
    assert_eq!(text.contains("\n@@ "), !arm.is_embedded(), "{text}");
}

async fn empty_maps_of_an_apply_are_dropped_at_once(arm: Arm) {
    let (p, group) = set_up(&arm).await;
    let mut body = widget(&group, "a", json!({"size": 1}));
    body["metadata"]["annotations"] = json!({});
    let path = format!("{p}/a?fieldManager=m");
    let first = arm.apply(&path, &body).await.ok();
    let second = arm.apply(&path, &body).await.ok();
    let same = first.version() == second.version();
    assert_eq!(same, arm.is_embedded(), "{first:?} {second:?}");
}

async fn schemas_are_shown_as_they_were_sent(arm: Arm) {
    let version = |name: &str, more: &str| {
        json!({"name": name, "served": true, "storage": false, "schema": {"openAPIV3Schema":
            {"type": "object", "description": more}}})
    };
    let body = definition(
        &arm.group(),
        json!([version("v1", "one"), version("v2", "two")]),
    );
    let answer = arm.post(common::CRDS, &body).await;
    assert_eq!((answer.code, answer.reason()), (422, "Invalid"));
    let shown = answer
        .message()
        .contains("\"Schema\":{\"openAPIV3Schema\":");
    assert_eq!(shown, arm.is_embedded(), "{answer:?}");
}
