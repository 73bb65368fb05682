//! Kinds that are stored and watched without anything acting on them: what
//! Longhorn's manager lists and watches before it starts.

use super::prelude::*;

conformance!(
    kept_kinds_are_stored_with_their_defaults,
    kept_kinds_are_listed_and_watched,
    kept_kinds_keep_their_status_apart,
    kept_kinds_count_their_generations,
    endpoints_are_deprecated,
    a_kept_kind_is_applied,
    a_deleted_service_is_answered_and_a_deployment_is_not,
);

/// One kind: its collection (`NS` is the namespace), an object without its
/// name, and the members that are filled in.
struct Sample {
    path: String,
    body: Value,
    filled: Value,
    status: bool,
}

fn samples(ns: &str) -> Vec<Sample> {
    let sample = |path: &str, body: Value, filled: Value, status| Sample {
        path: path.replace("NS", ns),
        body,
        filled,
        status,
    };
    let template = json!({"metadata": {"labels": {"app": "x"}}, "spec": {"containers": [{"name": "c", "image": "i:1"}]}});
    let selector = json!({"matchLabels": {"app": "x"}});
    vec![
        sample(
            "/api/v1/persistentvolumes",
            json!({"spec": {"capacity": {"storage": "1024Mi"}, "accessModes": ["ReadWriteOnce"],
                "csi": {"driver": "driver.longhorn.io", "volumeHandle": "v", "fsType": "ext4"}}}),
            json!({"spec": {"capacity": {"storage": "1Gi"}, "persistentVolumeReclaimPolicy": "Retain", "volumeMode": "Filesystem"},
                "status": {"phase": "Pending"}}),
            true,
        ),
        sample(
            "/api/v1/namespaces/NS/persistentvolumeclaims",
            json!({"spec": {"accessModes": ["ReadWriteOnce"], "storageClassName": "longhorn",
                "resources": {"requests": {"storage": "1Gi"}}}}),
            json!({"spec": {"volumeMode": "Filesystem"}, "status": {"phase": "Pending"}}),
            true,
        ),
        sample(
            "/api/v1/namespaces/NS/services",
            json!({"spec": {"selector": {"app": "x"}, "ports": [{"name": "m", "port": 9500}]}}),
            json!({"spec": {"type": "ClusterIP", "sessionAffinity": "None", "internalTrafficPolicy": "Cluster",
                "ports": [{"name": "m", "port": 9500, "protocol": "TCP", "targetPort": 9500}]}, "status": {"loadBalancer": {}}}),
            true,
        ),
        sample(
            "/api/v1/namespaces/NS/endpoints",
            json!({"subsets": [{"addresses": [{"ip": "10.1.1.1"}], "ports": [{"port": 1}]}]}),
            json!({"subsets": [{"addresses": [{"ip": "10.1.1.1"}], "ports": [{"port": 1, "protocol": "TCP"}]}]}),
            false,
        ),
        sample(
            "/apis/apps/v1/namespaces/NS/daemonsets",
            json!({"spec": {"selector": selector, "template": template}}),
            json!({"metadata": {"annotations": {"deprecated.daemonset.template.generation": "1"}},
                "spec": {"revisionHistoryLimit": 10, "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}}},
                "status": {"currentNumberScheduled": 0, "numberReady": 0}}),
            true,
        ),
        sample(
            "/apis/apps/v1/namespaces/NS/deployments",
            json!({"spec": {"selector": selector, "template": template}}),
            json!({"spec": {"replicas": 1, "revisionHistoryLimit": 10, "progressDeadlineSeconds": 600,
                "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}}}, "status": {}}),
            true,
        ),
        sample(
            "/apis/batch/v1/namespaces/NS/cronjobs",
            json!({"spec": {"schedule": "0 * * * *", "jobTemplate": {"spec": {"template": {"spec": {"restartPolicy": "OnFailure", "containers": [{"name": "c", "image": "i:1"}]}}}}}}),
            json!({"spec": {"concurrencyPolicy": "Allow", "suspend": false, "successfulJobsHistoryLimit": 3, "failedJobsHistoryLimit": 1}, "status": {}}),
            true,
        ),
        sample(
            "/apis/policy/v1/namespaces/NS/poddisruptionbudgets",
            json!({"spec": {"minAvailable": 1, "selector": selector}}),
            json!({"status": {"disruptionsAllowed": 0, "currentHealthy": 0, "desiredHealthy": 0, "expectedPods": 0}}),
            true,
        ),
        sample(
            "/apis/scheduling.k8s.io/v1/priorityclasses",
            json!({"value": 1000}),
            json!({"value": 1000, "preemptionPolicy": "PreemptLowerPriority"}),
            false,
        ),
        sample(
            "/apis/storage.k8s.io/v1/storageclasses",
            json!({"provisioner": "driver.longhorn.io", "parameters": {"numberOfReplicas": "3"}}),
            json!({"reclaimPolicy": "Delete", "volumeBindingMode": "Immediate"}),
            false,
        ),
        sample(
            "/apis/storage.k8s.io/v1/csidrivers",
            json!({"spec": {"podInfoOnMount": true}}),
            json!({"spec": {"attachRequired": true, "podInfoOnMount": true, "storageCapacity": false, "requiresRepublish": false,
                "fsGroupPolicy": "ReadWriteOnceWithFSType", "volumeLifecycleModes": ["Persistent"]}}),
            false,
        ),
        sample(
            "/apis/storage.k8s.io/v1/volumeattachments",
            json!({"spec": {"attacher": "driver.longhorn.io", "nodeName": "n", "source": {"persistentVolumeName": "v"}}}),
            json!({"status": {"attached": false}}),
            true,
        ),
    ]
}

impl Sample {
    /// Objects of the cluster share it with other tests.
    fn named(&self, name: &str) -> Value {
        let mut body = self.body.clone();
        body["metadata"] = json!({"name": name});
        body
    }
}

/// Every member of `part` is in `whole`.
fn holds(whole: &Value, part: &Value) -> bool {
    match (whole, part) {
        (Value::Object(whole), Value::Object(part)) => part
            .iter()
            .all(|(key, value)| whole.get(key).is_some_and(|found| holds(found, value))),
        _ => whole == part,
    }
}

async fn kept_kinds_are_stored_with_their_defaults(arm: Arm) {
    let ns = arm.namespace().await;
    for sample in samples(&ns) {
        let made = arm.post(&sample.path, &sample.named(&ns)).await.ok();
        assert!(
            holds(&made.body, &sample.filled),
            "{}: {}",
            sample.path,
            made.body
        );
        let read = arm.get(&format!("{}/{ns}", sample.path)).await.ok();
        assert_eq!(read.body, made.body);
        // A job is given its defaults when it is made, not in its template.
        let job = &made.body["spec"]["jobTemplate"]["spec"];
        assert_eq!(job["completions"], Value::Null);
        let again = arm.post(&sample.path, &sample.named(&ns)).await;
        assert_eq!((again.code, again.reason()), (409, "AlreadyExists"));
    }
}

async fn kept_kinds_are_listed_and_watched(arm: Arm) {
    let ns = arm.namespace().await;
    for sample in samples(&ns) {
        let empty = arm.get(&sample.path).await.ok();
        arm.post(&sample.path, &sample.named(&ns)).await.ok();
        let list = arm
            .get(&format!(
                "{}?fieldSelector=metadata.name%3D{ns}",
                sample.path
            ))
            .await
            .ok();
        assert_eq!(names(&list), [ns.as_str()]);
        assert!(list.body["kind"].as_str().unwrap().ends_with("List"));
        let watch = format!(
            "{}?watch=true&fieldSelector=metadata.name%3D{ns}&resourceVersion={}",
            sample.path,
            empty.version()
        );
        let seen = arm.watch(&watch, 1).await;
        assert_eq!(seen[0]["type"], "ADDED", "{}", sample.path);
        assert_eq!(seen[0]["object"]["metadata"]["name"], ns.as_str());
    }
}

async fn kept_kinds_keep_their_status_apart(arm: Arm) {
    let ns = arm.namespace().await;
    for sample in samples(&ns) {
        let object = format!("{}/{ns}", sample.path);
        arm.post(&sample.path, &sample.named(&ns)).await.ok();
        let labelled = json!({"metadata": {"labels": {"a": "b"}}});
        let status = arm.merge(&format!("{object}/status"), &labelled).await;
        if sample.status {
            status.ok();
        } else {
            assert_eq!(status.code, 404, "{}", sample.path);
        }
        // Through the object itself nobody writes its status.
        let before = arm.get(&object).await.ok();
        let sent = json!({"status": {"phase": "Bound", "replicas": 3, "attached": true}});
        let after = arm.merge(&object, &sent).await.ok();
        assert_eq!(after.body["status"], before.body["status"]);
    }
}

async fn kept_kinds_count_their_generations(arm: Arm) {
    let ns = arm.namespace().await;
    let p = format!("/apis/apps/v1/namespaces/{ns}/deployments");
    let deployment = samples(&ns).remove(5);
    arm.post(&p, &deployment.named("d")).await.ok();
    let labelled = json!({"metadata": {"labels": {"a": "b"}}});
    let same = arm.merge(&format!("{p}/d"), &labelled).await.ok();
    assert_eq!(same.body["metadata"]["generation"], 1);
    let more = json!({"spec": {"replicas": 2}});
    let next = arm.merge(&format!("{p}/d"), &more).await.ok();
    assert_eq!(next.body["metadata"]["generation"], 2);
}

async fn endpoints_are_deprecated(arm: Arm) {
    let ns = arm.namespace().await;
    let list = arm
        .get(&format!("/api/v1/namespaces/{ns}/endpoints"))
        .await
        .ok();
    assert_eq!(
        list.warnings,
        ["299 - \"v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice\""]
    );
    let services = arm
        .get(&format!("/api/v1/namespaces/{ns}/services"))
        .await
        .ok();
    assert!(services.warnings.is_empty());
}

async fn a_kept_kind_is_applied(arm: Arm) {
    let ns = arm.namespace().await;
    let p =
        format!("/apis/policy/v1/namespaces/{ns}/poddisruptionbudgets/b?fieldManager=m&force=true");
    let body = json!({"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "b"},
        "spec": {"minAvailable": "50%", "selector": {"matchLabels": {"a": "b"}}}});
    let made = arm.apply(&p, &body).await;
    assert_eq!(made.code, 201, "{made:?}");
    let fields = &made.body["metadata"]["managedFields"][0]["fieldsV1"];
    assert_eq!(
        fields,
        &json!({"f:spec": {"f:minAvailable": {}, "f:selector": {}}})
    );
}

async fn a_deleted_service_is_answered_and_a_deployment_is_not(arm: Arm) {
    let ns = arm.namespace().await;
    for (at, kind) in [(2, "Service"), (5, "Status")] {
        let sample = samples(&ns).remove(at);
        arm.post(&sample.path, &sample.named("x")).await.ok();
        let gone = arm.delete(&format!("{}/x", sample.path)).await.ok();
        assert_eq!(gone.body["kind"], kind);
    }
}
