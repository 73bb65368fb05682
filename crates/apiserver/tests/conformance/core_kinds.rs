//! The core kinds: defaults, what cannot change, what is refused.

use super::prelude::*;

conformance!(
    secrets_encode_their_strings,
    config_maps_can_be_immutable,
    leases_are_created_by_an_update,
    an_event_is_seen_in_both_groups,
    a_pod_without_node_goes_at_once,
    a_namespace_is_labelled_with_its_name,
    a_namespace_has_the_name_of_a_label,
    keys_of_config_maps_are_checked,
    an_immutable_config_map_stays_so,
    a_body_of_another_core_kind_is_refused,
    secrets_are_base64,
    a_lease_keeps_its_times_to_the_microsecond,
    events_are_created_by_an_update,
    service_accounts_are_answered_when_they_are_deleted,
    a_job_selects_its_own_pods,
    a_pod_needs_containers,
    a_bound_pod_is_given_time_to_end,
    a_pod_is_bound_to_a_node_once,
    a_node_is_marked_unschedulable,
);

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

async fn a_namespace_is_labelled_with_its_name(arm: Arm) {
    let ns = arm.namespace().await;
    let found = arm.get(&format!("/api/v1/namespaces/{ns}")).await.ok();
    assert_eq!(
        found.body["metadata"]["labels"]["kubernetes.io/metadata.name"],
        json!(ns)
    );
    assert_eq!(found.body["spec"]["finalizers"], json!(["kubernetes"]));
    assert_eq!(found.body["status"]["phase"], "Active");
}

async fn a_namespace_has_the_name_of_a_label(arm: Arm) {
    let answer = arm
        .post("/api/v1/namespaces", &json!({"metadata": {"name": "a.b"}}))
        .await;
    answer.fails(422, "Invalid", "Namespace \"a.b\" is invalid: metadata.name: Invalid value: \"a.b\": must not contain dots");
}

async fn keys_of_config_maps_are_checked(arm: Arm) {
    let ns = arm.namespace().await;
    let p = format!("/api/v1/namespaces/{ns}/configmaps");
    arm.post(&p, &json!({"metadata": {"name": "c"}, "data": {"bad key": "v"}}))
        .await
        .fails(422, "Invalid", "ConfigMap \"c\" is invalid: data[bad key]: Invalid value: \"bad key\": a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')");
    let answer = arm
        .post(&p, &json!({"metadata": {"name": "c"}, "data": {"k": 1}}))
        .await;
    answer.fails(400, "BadRequest", "ConfigMap in version \"v1\" cannot be handled as a ConfigMap: json: cannot unmarshal number into Go struct field ConfigMap.data of type string");
}

async fn an_immutable_config_map_stays_so(arm: Arm) {
    let ns = arm.namespace().await;
    let p = format!("/api/v1/namespaces/{ns}/configmaps");
    arm.post(
        &p,
        &json!({"metadata": {"name": "c"}, "data": {"k": "v"}, "immutable": true}),
    )
    .await
    .ok();
    let text = "field is immutable when `immutable` is set";
    arm.merge(&format!("{p}/c"), &json!({"immutable": false}))
        .await
        .fails(
            422,
            "Invalid",
            &format!("ConfigMap \"c\" is invalid: immutable: Forbidden: {text}"),
        );
    arm.merge(
        &format!("{p}/c"),
        &json!({"metadata": {"labels": {"a": "b"}}}),
    )
    .await
    .ok();
    let p = format!("/api/v1/namespaces/{ns}/secrets");
    arm.post(&p, &json!({"metadata": {"name": "s"}, "immutable": true}))
        .await
        .ok();
    arm.merge(&format!("{p}/s"), &json!({"stringData": {"k": "v"}}))
        .await
        .fails(
            422,
            "Invalid",
            &format!("Secret \"s\" is invalid: data: Forbidden: {text}"),
        );
}

async fn a_body_of_another_core_kind_is_refused(arm: Arm) {
    let ns = arm.namespace().await;
    let p = format!("/api/v1/namespaces/{ns}/configmaps");
    let body = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "c"}});
    let answer = arm.post(&p, &body).await;
    assert_eq!((answer.code, answer.reason()), (400, "BadRequest"));
    assert!(
        answer
            .message()
            .starts_with("Secret in version \"v1\" cannot be handled as a ConfigMap: "),
        "{answer:?}"
    );
}

async fn secrets_are_base64(arm: Arm) {
    let ns = arm.namespace().await;
    let p = format!("/api/v1/namespaces/{ns}/secrets");
    arm.post(&p, &json!({"metadata": {"name": "s"}, "data": {"k": "!"}}))
        .await
        .fails(400, "BadRequest", "Secret in version \"v1\" cannot be handled as a Secret: illegal base64 data at input byte 0");
    let made = arm
        .post(
            &p,
            &json!({"metadata": {"name": "s"}, "data": {"a": "eg=="}, "stringData": {"a": "v"}}),
        )
        .await
        .ok();
    assert_eq!(made.body["data"], json!({"a": "dg=="}));
}

async fn a_lease_keeps_its_times_to_the_microsecond(arm: Arm) {
    let ns = arm.namespace().await;
    let p = format!("/apis/coordination.k8s.io/v1/namespaces/{ns}/leases");
    let spec = json!({"holderIdentity": "a", "leaseDurationSeconds": 15, "leaseTransitions": 1,
        "acquireTime": "2024-01-01T00:00:00.123456Z", "renewTime": "2024-01-01T00:00:00.000000Z"});
    let made = arm
        .post(&p, &json!({"metadata": {"name": "l"}, "spec": spec}))
        .await
        .ok();
    assert_eq!(made.body["spec"], spec);
    arm.put(&format!("{p}/l"), &json!({"metadata": {"name": "l"}, "spec": {"holderIdentity": "b"}}))
        .await
        .fails(422, "Invalid", "leases.coordination.k8s.io \"l\" is invalid: metadata.resourceVersion: Invalid value: 0: must be specified for an update");
}

async fn events_are_created_by_an_update(arm: Arm) {
    let ns = arm.namespace().await;
    let event = json!({"metadata": {"name": "e"}, "involvedObject": {"namespace": ns}});
    let made = arm
        .put(&format!("/api/v1/namespaces/{ns}/events/e"), &event)
        .await;
    assert_eq!(made.code, 201);
    assert_eq!(made.body["metadata"]["namespace"], json!(ns));
}

async fn service_accounts_are_answered_when_they_are_deleted(arm: Arm) {
    let ns = arm.namespace().await;
    let p = format!("/api/v1/namespaces/{ns}/serviceaccounts");
    let made = arm
        .post(
            &p,
            &json!({"metadata": {"name": "s"}, "secrets": [{"name": "x"}]}),
        )
        .await
        .ok();
    let gone = arm.delete(&format!("{p}/s")).await.ok();
    assert_eq!(
        (&gone.body["kind"], &gone.body["metadata"]["uid"]),
        (&json!("ServiceAccount"), &made.body["metadata"]["uid"])
    );
}

async fn a_job_selects_its_own_pods(arm: Arm) {
    let ns = arm.namespace().await;
    let p = format!("/apis/batch/v1/namespaces/{ns}/jobs");
    let job = json!({"metadata": {"name": "j"}, "spec": {"template": {"spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "i:1"}]}}}});
    let made = arm.post(&p, &job).await.ok();
    let uid = made.body["metadata"]["uid"].as_str().unwrap();
    assert_eq!(
        made.body["spec"]["selector"],
        json!({"matchLabels": {"batch.kubernetes.io/controller-uid": uid}})
    );
    assert_eq!(
        made.body["spec"]["template"]["metadata"]["labels"]["job-name"],
        "j"
    );
    for (key, value) in [
        ("backoffLimit", json!(6)),
        ("parallelism", json!(1)),
        ("completionMode", json!("NonIndexed")),
        ("suspend", json!(false)),
    ] {
        assert_eq!(made.body["spec"][key], value, "{key}");
    }
    let after = arm
        .merge(&format!("{p}/j"), &json!({"spec": {"suspend": true}}))
        .await
        .ok();
    assert_eq!(after.body["metadata"]["generation"], 2);
}

async fn a_pod_needs_containers(arm: Arm) {
    let ns = arm.namespace().await;
    let p = format!("/api/v1/namespaces/{ns}/pods");
    arm.post(
        &p,
        &json!({"metadata": {"name": "p"}, "spec": {"containers": []}}),
    )
    .await
    .fails(
        422,
        "Invalid",
        "Pod \"p\" is invalid: spec.containers: Required value",
    );
}

async fn a_bound_pod_is_given_time_to_end(arm: Arm) {
    let ns = arm.namespace().await;
    let p = format!("/api/v1/namespaces/{ns}/pods");
    let pod = json!({"metadata": {"name": "p"}, "spec": {"nodeName": "n", "containers": [{"name": "c", "image": "i"}]}});
    arm.post(&p, &pod).await.ok();
    let going = arm
        .delete(&format!("{p}/p?gracePeriodSeconds=5"))
        .await
        .ok();
    assert_eq!(going.body["metadata"]["deletionGracePeriodSeconds"], 5);
    arm.get(&format!("{p}/p")).await.ok();
    arm.delete_with(&format!("{p}/p"), &json!({"gracePeriodSeconds": 0}))
        .await
        .ok();
    assert_eq!(arm.get(&format!("{p}/p")).await.code, 404);
}

async fn a_pod_is_bound_to_a_node_once(arm: Arm) {
    let ns = arm.namespace().await;
    let p = format!("/api/v1/namespaces/{ns}/pods");
    arm.post(
        &p,
        &json!({"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "i"}]}}),
    )
    .await
    .ok();
    let binding = json!({"apiVersion": "v1", "kind": "Binding", "metadata": {"name": "p", "annotations": {"a": "b"}}, "target": {"kind": "Node", "name": "n"}});
    let bound = arm.post(&format!("{p}/p/binding"), &binding).await;
    assert_eq!(
        (bound.code, &bound.body["status"]),
        (201, &json!("Success"))
    );
    let pod = arm.get(&format!("{p}/p")).await.ok();
    assert_eq!(pod.body["spec"]["nodeName"], "n");
    assert_eq!(pod.body["metadata"]["annotations"]["a"], "b");
    let scheduled = &pod.body["status"]["conditions"][0];
    assert_eq!(
        (&scheduled["type"], &scheduled["status"]),
        (&json!("PodScheduled"), &json!("True"))
    );
    arm.post(&format!("{p}/p/binding"), &binding)
        .await
        .fails(409, "Conflict", "Operation cannot be fulfilled on pods/binding \"p\": pod p is already assigned to node \"n\"");
    arm.post(
        &format!("{p}/none/binding"),
        &json!({"metadata": {"name": "none"}, "target": {"kind": "Node", "name": "n"}}),
    )
    .await
    .fails(404, "NotFound", "pods \"none\" not found");
    let on_node = arm
        .get(&format!("{p}?fieldSelector=spec.nodeName%3Dn"))
        .await
        .ok();
    assert_eq!(names(&on_node), ["p"]);
}

async fn a_node_is_marked_unschedulable(arm: Arm) {
    let name = format!("{}-node", arm.namespace().await);
    arm.post("/api/v1/nodes", &json!({"metadata": {"name": name}}))
        .await
        .ok();
    let path = format!("/api/v1/nodes/{name}");
    arm.merge(&path, &json!({"spec": {"unschedulable": true}}))
        .await
        .ok();
    let found = arm
        .get("/api/v1/nodes?fieldSelector=spec.unschedulable%3Dtrue")
        .await
        .ok();
    assert!(names(&found).contains(&name));
    let conditions = json!({"status": {"conditions": [{"type": "Ready", "status": "True"}]}});
    let after = arm
        .send(
            Method::PATCH,
            &format!("{path}/status"),
            "application/strategic-merge-patch+json",
            conditions.to_string().into_bytes(),
        )
        .await
        .ok();
    assert_eq!(after.body["status"]["conditions"][0]["status"], "True");
    arm.delete(&path).await.ok();
}
