//! What is refused of pods, jobs, nodes and namespaces, text included.

use super::prelude::*;

conformance!(
    a_new_node_is_not_ready,
    what_a_node_says_once_stays,
    a_job_keeps_its_immutable_fields,
    a_suspended_job_may_be_rescheduled,
    jobs_are_checked,
    pods_are_checked,
    a_pod_changes_little,
    a_namespace_is_labelled_again,
    the_phase_of_a_namespace_is_its_own,
    bodies_may_be_yaml,
    strict_complaints_come_in_the_order_of_the_document,
    definitions_drop_what_they_do_not_have,
    a_namespace_has_its_own_words_for_preconditions,
    a_pod_never_waits_a_negative_time,
    pods_and_nodes_are_warned_of,
    a_job_without_labels_has_those_of_its_template,
    a_namespace_that_ends_outlives_its_updates,
    duplicates_cannot_be_recorded_in_another_version,
);

async fn a_new_node_is_not_ready(arm: Arm) {
    let name = format!("{}-node", arm.namespace().await);
    let node = json!({"metadata": {"name": name}, "spec": {"podCIDR": "10.0.0.0/24",
        "taints": [{"key": "a", "effect": "NoExecute"}]}, "status": {"capacity": {"cpu": "2"}}});
    let made = arm.post("/api/v1/nodes", &node).await.ok();
    assert_eq!(
        made.body["spec"],
        json!({"podCIDR": "10.0.0.0/24", "podCIDRs": ["10.0.0.0/24"], "taints": [
            {"key": "a", "effect": "NoExecute"},
            {"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"}]})
    );
    assert_eq!(made.body["status"]["allocatable"], json!({"cpu": "2"}));
    arm.delete(&format!("/api/v1/nodes/{name}")).await.ok();
}

async fn what_a_node_says_once_stays(arm: Arm) {
    let name = format!("{}-node", arm.namespace().await);
    let path = format!("/api/v1/nodes/{name}");
    let node = json!({"metadata": {"name": name}, "spec": {"providerID": "p://1", "podCIDR": "10.0.0.0/24"}});
    arm.post("/api/v1/nodes", &node).await.ok();
    for (change, why) in [
        (
            json!({"spec": {"providerID": "p://2"}}),
            "spec.providerID: Forbidden: node updates may not change providerID except from \"\" to valid",
        ),
        (
            json!({"spec": {"podCIDR": "10.0.1.0/24", "podCIDRs": ["10.0.1.0/24"]}}),
            "spec.podCIDRs: Forbidden: node updates may not change podCIDR except from \"\" to valid",
        ),
        (
            json!({"spec": {"taints": [{"key": "a", "effect": "Odd"}]}}),
            "metadata.taints[0].effect: Unsupported value: \"Odd\": supported values: \"NoSchedule\", \"PreferNoSchedule\", \"NoExecute\"",
        ),
        (json!({"status": {"capacity": {"cpu": "-1"}}}), ""),
    ] {
        let answer = arm.merge(&path, &change).await;
        if why.is_empty() {
            answer.ok();
            continue;
        }
        answer.fails(
            422,
            "Invalid",
            &format!("Node \"{name}\" is invalid: {why}"),
        );
    }
    let answer = arm
        .merge(
            &format!("{path}/status"),
            &json!({"status": {"capacity": {"cpu": "-1"}}}),
        )
        .await;
    answer.fails(
        422,
        "Invalid",
        &format!("Node \"{name}\" is invalid: [status.capacity.cpu: Invalid value: \"-1\": must be greater than or equal to 0, status.allocatable.cpu: Invalid value: \"-1\": must be greater than or equal to 0]"),
    );
    arm.delete(&path).await.ok();
}

fn job(name: &str, more: Value) -> Value {
    let mut job = json!({"metadata": {"name": name}, "spec": {"template": {"spec": {
        "restartPolicy": "Never", "containers": [{"name": "c", "image": "i:1"}]}}}});
    for (key, value) in more.as_object().unwrap() {
        job["spec"][key] = value.clone();
    }
    job
}

async fn a_job_keeps_its_immutable_fields(arm: Arm) {
    let ns = arm.namespace().await;
    let p = format!("/apis/batch/v1/namespaces/{ns}/jobs");
    arm.post(&p, &job("j", json!({"completions": 2})))
        .await
        .ok();
    for (change, why) in [
        (
            json!({"completions": 3}),
            "spec.completions: Invalid value: 3: field is immutable",
        ),
        (
            json!({"managedBy": "example.io/me"}),
            "spec.managedBy: Invalid value: \"example.io/me\": field is immutable",
        ),
        (
            json!({"completionMode": "Indexed"}),
            "spec.completionMode: Invalid value: \"Indexed\": field is immutable",
        ),
        (
            json!({"parallelism": -1}),
            "spec.parallelism: Invalid value: -1: must be greater than or equal to 0",
        ),
    ] {
        let answer = arm.merge(&format!("{p}/j"), &json!({"spec": change})).await;
        answer.fails(
            422,
            "Invalid",
            &format!("Job.batch \"j\" is invalid: {why}"),
        );
    }
    let change = json!({"spec": {"parallelism": 4, "suspend": true, "backoffLimit": 1}});
    arm.merge(&format!("{p}/j"), &change).await.ok();
}

async fn a_suspended_job_may_be_rescheduled(arm: Arm) {
    let ns = arm.namespace().await;
    let p = format!("/apis/batch/v1/namespaces/{ns}/jobs");
    let change = json!({"spec": {"template": {"metadata": {"annotations": {"a": "b"}},
        "spec": {"nodeSelector": {"a": "b"}, "tolerations": [{"key": "k", "operator": "Exists"}]}}}});
    for (name, suspend) in [("running", false), ("waiting", true)] {
        arm.post(&p, &job(name, json!({"suspend": suspend})))
            .await
            .ok();
        let answer = arm.merge(&format!("{p}/{name}"), &change).await;
        assert_eq!(answer.code, if suspend { 200 } else { 422 }, "{answer:?}");
    }
    let image = json!({"spec": {"template": {"spec": {"hostname": "h"}}}});
    let answer = arm.merge(&format!("{p}/waiting"), &image).await;
    assert_eq!(answer.code, 422, "{answer:?}");
}

async fn jobs_are_checked(arm: Arm) {
    let ns = arm.namespace().await;
    let p = format!("/apis/batch/v1/namespaces/{ns}/jobs");
    for (more, why) in [
        (
            json!({"completionMode": "Indexed", "parallelism": 1}),
            "spec.completions: Required value: when completion mode is Indexed",
        ),
        (
            json!({"completionMode": "Odd"}),
            "spec.completionMode: Unsupported value: \"Odd\": supported values: \"NonIndexed\", \"Indexed\"",
        ),
        (
            json!({"backoffLimitPerIndex": 1}),
            "spec.backoffLimitPerIndex: Invalid value: 1: requires indexed completion mode",
        ),
        (
            json!({"podReplacementPolicy": "Odd"}),
            "spec.podReplacementPolicy: Unsupported value: \"Odd\": supported values: \"Failed\", \"TerminatingOrFailed\"",
        ),
        (
            json!({"manualSelector": true}),
            "[spec.selector: Required value, spec.template.metadata.labels: Invalid value: null: `selector` does not match template `labels`]",
        ),
        (
            json!({"template": {"spec": {"containers": [{"name": "c", "image": "i"}]}}}),
            "spec.template.spec.restartPolicy: Required value: valid values: \"OnFailure\", \"Never\"",
        ),
    ] {
        let answer = arm.post(&p, &job("j", more)).await;
        answer.fails(
            422,
            "Invalid",
            &format!("Job.batch \"j\" is invalid: {why}"),
        );
    }
    let labels = json!({"template": {"metadata": {"labels": {"job-name": "other"}},
        "spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "i"}]}}});
    let answer = arm.post(&p, &job("j", labels)).await;
    assert_eq!(answer.code, 422);
    assert!(
        answer
            .message()
            .contains("spec.template.metadata.labels[job-name]: Invalid value: {"),
        "{answer:?}"
    );
    assert!(answer.message().contains("must be 'j'"), "{answer:?}");
}

async fn pods_are_checked(arm: Arm) {
    let ns = arm.namespace().await;
    let p = format!("/api/v1/namespaces/{ns}/pods");
    let container = json!({"name": "c", "image": "i"});
    let with = |key: &str, value: Value| {
        let mut changed = container.clone();
        changed[key] = value;
        json!({"containers": [changed]})
    };
    for (spec, why) in [
        (
            with("name", json!("C_")),
            "spec.containers[0].name: Invalid value: \"C_\": a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')",
        ),
        (
            with("image", json!("")),
            "spec.containers[0].image: Required value",
        ),
        (
            with("imagePullPolicy", json!("Odd")),
            "spec.containers[0].imagePullPolicy: Unsupported value: \"Odd\": supported values: \"Always\", \"IfNotPresent\", \"Never\"",
        ),
        (
            with("volumeMounts", json!([{"name": "v", "mountPath": "/v"}])),
            "spec.containers[0].volumeMounts[0].name: Not found: \"v\"",
        ),
        (
            with("ports", json!([{"containerPort": 70000}])),
            "spec.containers[0].ports[0].containerPort: Invalid value: 70000: must be between 1 and 65535, inclusive",
        ),
        (
            with(
                "env",
                json!([{"name": "A", "value": "x", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}]),
            ),
            "spec.containers[0].env[0].valueFrom: Invalid value: \"\": may not be specified when `value` is not empty",
        ),
        (
            with(
                "resources",
                json!({"limits": {"cpu": "1"}, "requests": {"cpu": "2"}}),
            ),
            "spec.containers[0].resources.requests: Invalid value: \"2\": must be less than or equal to cpu limit of 1",
        ),
        (
            with(
                "livenessProbe",
                json!({"httpGet": {"port": 80}, "successThreshold": 2}),
            ),
            "spec.containers[0].livenessProbe.successThreshold: Invalid value: 2: must be 1",
        ),
        (
            with("lifecycle", json!({"preStop": {}})),
            "spec.containers[0].lifecycle.preStop: Required value: must specify a handler type",
        ),
        (
            json!({"containers": [container, container]}),
            "spec.containers[1].name: Duplicate value: \"c\"",
        ),
        (
            json!({"containers": [container], "restartPolicy": "Odd"}),
            "spec.restartPolicy: Unsupported value: \"Odd\": supported values: \"Always\", \"OnFailure\", \"Never\"",
        ),
        (
            json!({"containers": [container], "volumes": [{"name": "v", "configMap": {}}]}),
            "spec.volumes[0].configMap.name: Required value",
        ),
        (
            json!({"containers": [container], "volumes": [{"name": "v", "emptyDir": {}, "secret": {"secretName": "s"}}]}),
            "spec.volumes[0].secret: Forbidden: may not specify more than 1 volume type",
        ),
        (
            json!({"containers": [container], "activeDeadlineSeconds": 0}),
            "spec.activeDeadlineSeconds: Invalid value: 0: must be between 1 and 2147483647, inclusive",
        ),
        (
            json!({"containers": [container], "tolerations": [{"operator": "Equal"}]}),
            "spec.tolerations[0].operator: Invalid value: \"Equal\": operator must be Exists when `key` is empty, which means \"match all values and all keys\"",
        ),
        (
            json!({"containers": [container], "initContainers": [{"name": "d", "image": "i", "livenessProbe": {"exec": {"command": ["x"]}}}]}),
            "spec.initContainers[0].livenessProbe: Forbidden: may not be set for init containers without restartPolicy=Always",
        ),
    ] {
        let answer = arm
            .post(&p, &json!({"metadata": {"name": "p"}, "spec": spec}))
            .await;
        answer.fails(422, "Invalid", &format!("Pod \"p\" is invalid: {why}"));
    }
}

async fn a_pod_changes_little(arm: Arm) {
    let ns = arm.namespace().await;
    let p = format!("/api/v1/namespaces/{ns}/pods");
    let pod = json!({"metadata": {"name": "p"}, "spec": {"activeDeadlineSeconds": 10, "tolerations": [{"key": "k", "operator": "Exists"}], "containers": [{"name": "c", "image": "i"}]}});
    arm.post(&p, &pod).await.ok();
    let path = format!("{p}/p");
    for (change, why) in [
        (
            json!({"activeDeadlineSeconds": 20}),
            "spec.activeDeadlineSeconds: Invalid value: 20: must be less than or equal to previous value",
        ),
        (
            json!({"activeDeadlineSeconds": null}),
            "spec.activeDeadlineSeconds: Invalid value: null: must not update from a positive integer to nil value",
        ),
        (
            json!({"tolerations": null}),
            "spec.tolerations: Forbidden: existing toleration can not be modified except its tolerationSeconds",
        ),
    ] {
        let answer = arm.merge(&path, &json!({"spec": change})).await;
        answer.fails(422, "Invalid", &format!("Pod \"p\" is invalid: {why}"));
    }
    arm.merge(&path, &json!({"spec": {"activeDeadlineSeconds": 5}}))
        .await
        .ok();
    let answer = arm
        .merge(
            &format!("{path}/status"),
            &json!({"status": {"qosClass": "Guaranteed"}}),
        )
        .await;
    answer.fails(
        422,
        "Invalid",
        "Pod \"p\" is invalid: status.qosClass: Invalid value: \"Guaranteed\": field is immutable",
    );
}

async fn a_namespace_is_labelled_again(arm: Arm) {
    let ns = arm.namespace().await;
    let path = format!("/api/v1/namespaces/{ns}");
    let after = arm
        .merge(&path, &json!({"metadata": {"labels": null}}))
        .await
        .ok();
    assert_eq!(
        after.body["metadata"]["labels"],
        json!({"kubernetes.io/metadata.name": ns})
    );
}

async fn the_phase_of_a_namespace_is_its_own(arm: Arm) {
    let ns = arm.namespace().await;
    let answer = arm
        .merge(
            &format!("/api/v1/namespaces/{ns}/status"),
            &json!({"status": {"phase": "Terminating"}}),
        )
        .await;
    answer.fails(
        422,
        "Invalid",
        &format!("Namespace \"{ns}\" is invalid: status.Phase: Invalid value: \"Terminating\": may only be 'Active' if `deletionTimestamp` is empty"),
    );
}

async fn bodies_may_be_yaml(arm: Arm) {
    let ns = arm.namespace().await;
    let p = format!("/api/v1/namespaces/{ns}/configmaps");
    let yaml = |text: &str| text.as_bytes().to_vec();
    let media = "application/yaml";
    let body = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: yaml\ndata:\n  k: \"1\"\n";
    let made = arm.send(Method::POST, &p, media, yaml(body)).await;
    assert_eq!(made.code, 201, "{made:?}");
    assert_eq!(made.body["data"]["k"], "1");
    let body = "metadata:\n  name: yaml\ndata:\n  k: two\n  k: three\nodd: 1\n";
    let put = arm
        .send(Method::PUT, &format!("{p}/yaml"), media, yaml(body))
        .await
        .ok();
    assert_eq!(put.body["data"]["k"], "three");
    let warned = put.warnings.join(" ");
    assert!(warned.contains("unknown field"), "{warned}");
    assert!(
        warned.contains("line 5: key") && warned.contains("already set in map"),
        "{warned}"
    );
    let broken = arm.send(Method::POST, &p, media, yaml("a: [\n")).await;
    assert_eq!((broken.code, broken.reason()), (400, "BadRequest"));
    let gone = arm
        .send(
            Method::DELETE,
            &format!("{p}/yaml"),
            media,
            yaml("preconditions:\n  uid: other\n"),
        )
        .await;
    assert_eq!(gone.code, 409, "{gone:?}");
}

async fn strict_complaints_come_in_the_order_of_the_document(arm: Arm) {
    let ns = arm.namespace().await;
    let p = format!("/api/v1/namespaces/{ns}/configmaps?fieldValidation=Strict");
    let body = r#"{"z":1,"metadata":{"name":"s","odd":2},"data":{"k":"1","k":"2"},"a":[]}"#;
    let answer = arm
        .send(
            Method::POST,
            &p,
            "application/json",
            body.as_bytes().to_vec(),
        )
        .await;
    answer.fails(400, "BadRequest", "ConfigMap in version \"v1\" cannot be handled as a ConfigMap: strict decoding error: unknown field \"z\", unknown field \"metadata.odd\", duplicate field \"data.k\", unknown field \"a\"");
}

async fn definitions_drop_what_they_do_not_have(arm: Arm) {
    let group = arm.group();
    let mut schema = common::widget_schema();
    schema["odd"] = json!(1);
    schema["properties"]["spec"]["x-odd"] = json!(1);
    let body = json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("widgets.{group}")}, "spec": {"group": group, "scope": "Namespaced",
        "names": {"plural": "widgets", "kind": "Widget", "odd": "x"}, "odd": {},
        "versions": [{"name": "v1", "served": true, "storage": true, "odd": 1, "schema": {"openAPIV3Schema": schema}}]}});
    let made = arm.post(common::CRDS, &body).await.ok();
    let mut warned: Vec<&str> = made.warnings.iter().map(String::as_str).collect();
    warned.sort_unstable();
    let unknown = |path: &str| format!("299 - \"unknown field \\\"{path}\\\"\"");
    let mut wanted = [
        "spec.names.odd",
        "spec.odd",
        "spec.versions[0].odd",
        "spec.versions[0].schema.openAPIV3Schema.odd",
        "spec.versions[0].schema.openAPIV3Schema.properties.spec.x-odd",
    ]
    .map(unknown);
    wanted.sort_unstable();
    assert_eq!(warned, wanted);
    let spec = &made.body["spec"];
    assert!(spec.get("odd").is_none());
    let version = &spec["versions"][0];
    assert!(version.get("odd").is_none());
    assert!(version["schema"]["openAPIV3Schema"].get("odd").is_none());
}

async fn a_namespace_has_its_own_words_for_preconditions(arm: Arm) {
    let ns = arm.namespace().await;
    let path = format!("/api/v1/namespaces/{ns}");
    let found = arm.get(&path).await.ok();
    let uid = found.body["metadata"]["uid"].as_str().unwrap().to_owned();
    arm.delete_with(&path, &json!({"preconditions": {"uid": "other"}}))
        .await
        .fails(409, "Conflict", &format!("Operation cannot be fulfilled on namespaces \"{ns}\": Precondition failed: UID in precondition: other, UID in object meta: {uid}"));
}

async fn a_pod_never_waits_a_negative_time(arm: Arm) {
    let ns = arm.namespace().await;
    let pod = json!({"metadata": {"name": "p"}, "spec": {"terminationGracePeriodSeconds": -5,
        "containers": [{"name": "c", "image": "i"}]}});
    let made = arm
        .post(&format!("/api/v1/namespaces/{ns}/pods"), &pod)
        .await
        .ok();
    assert_eq!(made.body["spec"]["terminationGracePeriodSeconds"], 1);
    assert_eq!(made.warnings, Vec::<String>::new());
}

async fn pods_and_nodes_are_warned_of(arm: Arm) {
    let ns = arm.namespace().await;
    let pod = json!({"metadata": {"name": "p"}, "spec": {"imagePullSecrets": [{"name": "s"}, {"name": "s"}],
        "containers": [{"name": "c", "image": "i", "env": [{"name": "A", "value": "1"}, {"name": "A", "value": "2"}],
        "ports": [{"containerPort": 80}, {"containerPort": 80, "hostPort": 81}]}]}});
    let made = arm
        .post(&format!("/api/v1/namespaces/{ns}/pods"), &pod)
        .await
        .ok();
    let mut warned: Vec<&str> = made.warnings.iter().map(String::as_str).collect();
    warned.sort_unstable();
    assert_eq!(
        warned,
        [
            "299 - \"spec.containers[0].env[1]: hides previous definition of \\\"A\\\", which may be dropped when using apply\"",
            "299 - \"spec.containers[0].ports[1]: overlapping port definition with spec.containers[0].ports[0]\"",
            "299 - \"spec.imagePullSecrets[1].name: duplicate name \\\"s\\\"\"",
        ]
    );
    let name = format!("{ns}-node");
    let node = json!({"metadata": {"name": name}, "spec": {"externalID": "e"}});
    let made = arm.post("/api/v1/nodes", &node).await.ok();
    assert!(made.warnings[0].contains("spec.externalID: this field is deprecated"));
    arm.delete(&format!("/api/v1/nodes/{name}")).await.ok();
}

async fn a_job_without_labels_has_those_of_its_template(arm: Arm) {
    let ns = arm.namespace().await;
    let p = format!("/apis/batch/v1/namespaces/{ns}/jobs");
    for (name, own, wanted) in [("a", json!(null), 5), ("b", json!({"a": "b"}), 1)] {
        let mut job = job(name, json!({}));
        job["metadata"]["labels"] = own;
        job["spec"]["template"]["metadata"] = json!({"labels": {"a": "b"}});
        let made = arm.post(&p, &job).await.ok();
        let labels = made.body["metadata"]["labels"].as_object().unwrap();
        assert_eq!(labels.len(), wanted, "{labels:?}");
    }
}

async fn a_namespace_that_ends_outlives_its_updates(arm: Arm) {
    let ns = arm.namespace().await;
    let path = format!("/api/v1/namespaces/{ns}");
    // What is in it holds it until the test is done.
    let map = format!("/api/v1/namespaces/{ns}/configmaps");
    let held = json!({"metadata": {"name": "held", "finalizers": ["example.io/f"]}});
    arm.post(&map, &held).await.ok();
    arm.delete(&path).await.ok();
    let labels = json!({"metadata": {"labels": {"a": "b"}}});
    for path in [path.clone(), format!("{path}/status")] {
        arm.merge(&path, &labels).await.ok();
    }
    let found = arm.get(&path).await.ok();
    assert_eq!(found.body["status"]["phase"], "Terminating");
    arm.merge(
        &format!("{map}/held"),
        &json!({"metadata": {"finalizers": null}}),
    )
    .await
    .ok();
    until(&arm, &path, 404).await;
}

async fn duplicates_cannot_be_recorded_in_another_version(arm: Arm) {
    let ns = arm.namespace().await;
    let group = arm.group();
    let version = |name: &str| {
        json!({"name": name, "served": true, "storage": name == "v1", "subresources": {"status": {}},
            "schema": {"openAPIV3Schema": common::widget_schema()}})
    };
    arm.define_versions(&group, json!([version("v1"), version("v2")]))
        .await;
    let p = path(&group, &ns);
    let other = p.replace("/v1/", "/v2/");
    let mut applied = widget(&group, "a", json!({"parts": [{"id": "q"}]}));
    applied["apiVersion"] = json!(format!("{group}/v2"));
    arm.apply(&format!("{other}/a?fieldManager=m"), &applied)
        .await
        .ok();
    let mut object = arm.get(&format!("{p}/a")).await.ok().body;
    object["spec"]["parts"] = json!([{"id": "x"}, {"id": "x"}]);
    object["status"] = json!({"phase": "p"});
    let put = arm.put(&format!("{p}/a/status"), &object).await.ok();
    assert!(
        put.body["metadata"].get("managedFields").is_none(),
        "{put:?}"
    );
}
