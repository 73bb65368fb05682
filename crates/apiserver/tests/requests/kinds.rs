//! The kinds that random requests are about, and what their objects hold.

use serde_json::{Value, json};

use super::{Dice, GROUP};

/// A kind, by the short name that placeholders use.
pub struct Kind {
    pub key: &'static str,
    pub api_version: &'static str,
    pub kind: &'static str,
    /// The path of the collection; `NS` is the namespace.
    pub path: &'static str,
    pub custom: bool,
    /// Shared with other sequences: names begin with the namespace, and lists
    /// name one object.
    pub cluster: bool,
}

const fn core(key: &'static str, kind: &'static str, path: &'static str) -> Kind {
    Kind {
        key,
        api_version: "v1",
        kind,
        path,
        custom: false,
        cluster: false,
    }
}

const fn widget(key: &'static str, api_version: &'static str, path: &'static str) -> Kind {
    Kind {
        key,
        api_version,
        kind: "Widget",
        path,
        custom: true,
        cluster: false,
    }
}

/// All of them. Both versions of the widget are the same objects.
pub const KINDS: [Kind; 11] = [
    widget(
        "w",
        "random.example.io/v1",
        "/apis/random.example.io/v1/namespaces/NS/widgets",
    ),
    widget(
        "x",
        "random.example.io/v2",
        "/apis/random.example.io/v2/namespaces/NS/widgets",
    ),
    core("cm", "ConfigMap", "/api/v1/namespaces/NS/configmaps"),
    core("sec", "Secret", "/api/v1/namespaces/NS/secrets"),
    core(
        "sa",
        "ServiceAccount",
        "/api/v1/namespaces/NS/serviceaccounts",
    ),
    core("ev", "Event", "/api/v1/namespaces/NS/events"),
    core("pod", "Pod", "/api/v1/namespaces/NS/pods"),
    Kind {
        key: "lease",
        api_version: "coordination.k8s.io/v1",
        kind: "Lease",
        path: "/apis/coordination.k8s.io/v1/namespaces/NS/leases",
        custom: false,
        cluster: false,
    },
    Kind {
        key: "job",
        api_version: "batch/v1",
        kind: "Job",
        path: "/apis/batch/v1/namespaces/NS/jobs",
        custom: false,
        cluster: false,
    },
    Kind {
        cluster: true,
        ..core("ns", "Namespace", "/api/v1/namespaces")
    },
    Kind {
        cluster: true,
        ..core("node", "Node", "/api/v1/nodes")
    },
];

/// The kind of a short name.
pub fn kind(key: &str) -> &'static Kind {
    let found = KINDS.iter().find(|kind| kind.key == key);
    found.unwrap_or_else(|| panic!("no kind {key} among those of {GROUP}"))
}

impl Dice {
    pub(super) fn kind(&mut self) -> &'static str {
        self.one(&[
            "w", "w", "w", "w", "w", "x", "cm", "cm", "cm", "sec", "sec", "sa", "lease", "ev",
            "pod", "pod", "job", "job", "ns", "node",
        ])
    }

    /// The members of an object besides its type and metadata.
    pub(super) fn content(&mut self, key: &str) -> Value {
        match key {
            "w" => json!({"spec": self.spec()}),
            "x" => {
                let mut spec = self.spec();
                if self.chance(40) {
                    spec["extra"] = self.one(&[json!("e"), json!("f"), json!(1)]);
                }
                json!({"spec": spec})
            }
            "cm" => self.config_map(),
            "sec" => self.secret(),
            "sa" => self.one(&[
                json!({}),
                json!({"secrets": [{"name": "s"}]}),
                json!({"secrets": [{"name": "s"}, {"name": "t"}], "automountServiceAccountToken": false}),
                json!({"imagePullSecrets": [{"name": "p"}]}),
                json!({"imagePullSecrets": [{"name": "p", "odd": 1}]}),
                json!({"odd": {}}),
                json!({"automountServiceAccountToken": "yes"}),
                json!({"secrets": {"name": "s"}}),
            ]),
            "lease" => self.one(&[
                json!({}),
                json!({"spec": {"holderIdentity": "h", "leaseDurationSeconds": 15}}),
                json!({"spec": {"holderIdentity": "i", "leaseDurationSeconds": 15, "leaseTransitions": 1,
                    "renewTime": "2026-01-01T00:00:00.000001Z"}}),
                json!({"spec": {"leaseDurationSeconds": 0}}),
                json!({"spec": {"leaseDurationSeconds": -1, "leaseTransitions": -2}}),
                json!({"spec": {"renewTime": "2026-01-01T00:00:00Z"}}),
                json!({"spec": {"leaseDurationSeconds": "15", "odd": 1}}),
                json!({"spec": {"leaseDurationSeconds": 1.5}}),
                json!({"spec": {"holderIdentity": "", "acquireTime": null}}),
            ]),
            "ev" => self.event(),
            "pod" => self.pod(),
            "ns" => self.one(&[
                json!({}),
                json!({"spec": {"finalizers": ["example.io/n"]}}),
                json!({"spec": {"finalizers": ["kubernetes"]}, "status": {"phase": "Odd"}}),
                json!({"spec": {"finalizers": ["plain", "a b"]}}),
                json!({"spec": {"odd": 1}, "odd": {}}),
                json!({"spec": {"finalizers": "x"}}),
            ]),
            "node" => self.node(),
            _ => self.job(),
        }
    }

    fn config_map(&mut self) -> Value {
        let mut object = json!({});
        if self.chance(90) {
            object["data"] = self.data();
        }
        if self.chance(5) {
            object["immutable"] = json!(true);
        }
        if self.chance(5) {
            object["binaryData"] = self.one(&[
                json!({"b": "AAEC"}),
                json!({"k": "AAEC"}),
                json!({"b": "!"}),
                json!({"b": ""}),
                json!({"b": null}),
            ]);
        }
        if self.chance(3) {
            object["odd"] = json!({"a": 1});
        }
        object
    }

    fn secret(&mut self) -> Value {
        let mut object = self.one(&[
            json!({}),
            json!({"data": {"k": "AQ=="}}),
            json!({"data": {"k": "AQ==", "l": ""}}),
            json!({"stringData": {"k": "v"}}),
            json!({"data": {"k": "AQ=="}, "stringData": {"k": "w", "m": ""}}),
            json!({"data": {"k": "AQ="}}),
            json!({"data": {"bad key": "AQ=="}}),
            json!({"data": {"k": 1}}),
        ]);
        if self.chance(20) {
            object["type"] = self.one(&[
                json!("Opaque"),
                json!("example.io/t"),
                json!("kubernetes.io/tls"),
                json!("kubernetes.io/basic-auth"),
                json!("kubernetes.io/ssh-auth"),
                json!("kubernetes.io/service-account-token"),
                json!(5),
            ]);
        }
        if self.chance(4) {
            object["immutable"] = json!(true);
        }
        object
    }

    fn event(&mut self) -> Value {
        let about = self.one(&[
            json!({"kind": "Pod", "name": "p", "namespace": "NS"}),
            json!({"kind": "Pod", "name": "q", "namespace": "NS"}),
            json!({"kind": "Pod", "name": "q", "namespace": "NS", "odd": 1}),
            json!({"kind": "Node", "name": "n"}),
            json!({"kind": "Pod", "name": "p", "namespace": "other"}),
        ]);
        let mut object =
            json!({"involvedObject": about, "reason": "R", "message": "m", "type": "Normal"});
        for _ in 0..self.below(3) {
            let (key, value) = self.one(&[
                ("count", json!(1)),
                ("count", json!(2)),
                ("count", json!("2")),
                ("firstTimestamp", json!("2026-01-01T00:00:00Z")),
                ("lastTimestamp", json!("2026-01-01T00:00:00+01:00")),
                ("lastTimestamp", json!("yesterday")),
                ("eventTime", json!("2026-01-01T00:00:00.000000Z")),
                ("reportingComponent", json!("c")),
                ("reportingInstance", json!("i")),
                ("action", json!("A")),
                ("source", json!({"component": "x"})),
                (
                    "series",
                    json!({"count": 3, "lastObservedTime": "2026-01-01T00:00:00.000000Z"}),
                ),
            ]);
            object[key] = value;
        }
        object
    }

    fn container(&mut self) -> Value {
        let mut container = json!({"name": "c", "image": self.one(&["i", "i:1", "r/i:latest"])});
        for _ in 0..self.below(3) {
            let (key, value) = self.one(&[
                ("env", json!([{"name": "A", "value": "1"}, {"name": "B"}])),
                (
                    "ports",
                    json!([{"containerPort": 80}, {"containerPort": 81, "protocol": "UDP"}]),
                ),
                (
                    "resources",
                    json!({"limits": {"cpu": "1000m", "memory": "1.5Gi"}}),
                ),
                ("resources", json!({"requests": {"cpu": "0.5"}})),
                ("args", json!(["a", "b"])),
                ("volumeMounts", json!([{"name": "v", "mountPath": "/v"}])),
                ("livenessProbe", json!({"httpGet": {"port": 80}})),
                (
                    "readinessProbe",
                    json!({"exec": {"command": ["x"]}, "periodSeconds": 3}),
                ),
                ("odd", json!(1)),
                ("command", json!("x")),
                ("ports", json!([{"containerPort": "80"}])),
                ("ports", json!([{"containerPort": 70000, "name": "A"}, {"containerPort": 80, "protocol": "X"}])),
                (
                    "ports",
                    json!([{"containerPort": 80, "name": "p"}, {"containerPort": 80, "hostPort": 90, "name": "p"}, {"containerPort": 80}]),
                ),
                ("env", json!([{"name": "A", "value": "1"}, {"name": "A", "value": "2"}])),
                ("name", json!("C_")),
                ("image", json!("")),
                ("image", json!(" i ")),
                ("imagePullPolicy", json!("Perhaps")),
                ("env", json!([{"name": "a=b"}, {"name": "A", "valueFrom": {}}])),
                ("volumeMounts", json!([{"name": "w", "mountPath": "/v"}, {"name": "v", "mountPath": "/v"}])),
                ("resources", json!({"limits": {"cpu": "1"}, "requests": {"cpu": "2"}})),
                ("resources", json!({"limits": {"odd": "1"}, "requests": {"memory": "-1"}})),
                ("livenessProbe", json!({"httpGet": {"port": 0}, "successThreshold": 2})),
                ("startupProbe", json!({"exec": {}, "tcpSocket": {"port": "p"}})),
                ("lifecycle", json!({"preStop": {}})),
            ]);
            container[key] = value;
        }
        container
    }

    fn pod_spec(&mut self) -> Value {
        let mut spec = json!({"containers": [self.container()],
            "volumes": [{"name": "v", "emptyDir": {}}]});
        for _ in 0..self.below(3) {
            let (key, value) = self.one(&[
                ("restartPolicy", json!("Never")),
                ("nodeName", json!("n1")),
                ("hostNetwork", json!(false)),
                ("nodeSelector", json!({"a": "b"})),
                ("terminationGracePeriodSeconds", json!(5)),
                ("activeDeadlineSeconds", json!(9)),
                ("hostname", json!("h")),
                ("odd", json!({})),
                ("restartPolicy", json!(1)),
                ("containers", json!([])),
                ("serviceAccountName", json!("s")),
                ("imagePullSecrets", json!([{"name": "s"}, {"name": "s"}, {}])),
                ("terminationGracePeriodSeconds", json!(-1)),
                ("serviceAccountName", json!("S_")),
                ("restartPolicy", json!("Perhaps")),
                ("dnsPolicy", json!("Odd")),
                ("activeDeadlineSeconds", json!(0)),
                ("activeDeadlineSeconds", json!(5)),
                ("hostname", json!("a.b")),
                ("hostNetwork", json!(true)),
                ("tolerations", json!([{"key": "k", "operator": "Exists"}])),
                ("tolerations", json!([{"operator": "Equal", "value": "v"}, {"key": "k", "operator": "Exists", "value": "v"}])),
                ("volumes", json!([{"name": "v", "emptyDir": {}, "secret": {"secretName": "s"}}, {"name": "V"}])),
                ("volumes", json!([{"name": "v", "configMap": {}}, {"name": "v", "hostPath": {"path": "/a/../b"}}])),
                ("initContainers", json!([{"name": "init", "image": "i"}])),
                ("initContainers", json!([{"name": "c", "image": "i", "livenessProbe": {"exec": {"command": ["x"]}}}])),
            ]);
            spec[key] = value;
        }
        spec
    }

    fn pod(&mut self) -> Value {
        json!({"spec": self.pod_spec()})
    }

    fn node(&mut self) -> Value {
        let mut spec = json!({});
        for _ in 0..self.below(3) {
            let (key, value) = self.one(&[
                ("unschedulable", json!(true)),
                ("providerID", json!("p://1")),
                ("providerID", json!("p://2")),
                ("podCIDR", json!("10.0.0.0/24")),
                ("podCIDRs", json!(["10.0.1.0/24"])),
                ("taints", json!([{"key": "a", "effect": "NoSchedule"}])),
                ("taints", json!([{"key": "a", "effect": "NoExecute", "value": "v"}, {"key": "a", "effect": "NoExecute"}])),
                ("taints", json!([{"key": "a b", "effect": "Odd"}])),
                ("taints", json!([])),
                ("externalID", json!("e")),
                ("odd", json!(1)),
                ("unschedulable", json!("yes")),
            ]);
            spec[key] = value;
        }
        let mut object = json!({"spec": spec});
        if self.chance(30) {
            object["status"] = self.one(&[
                json!({"capacity": {"cpu": "2", "memory": "1024Mi"}}),
                json!({"capacity": {"pods": "1500m"}}),
                json!({"conditions": [{"type": "Ready", "status": "True"}]}),
                json!({"addresses": [{"type": "Hostname", "address": "h"}]}),
            ]);
        }
        object
    }

    fn job(&mut self) -> Value {
        let mut template = self.pod_spec();
        template["restartPolicy"] = json!("Never");
        let mut spec = json!({"template": {"spec": template}});
        for _ in 0..self.below(3) {
            let (key, value) = self.one(&[
                ("completions", json!(2)),
                ("parallelism", json!(2)),
                ("backoffLimit", json!(1)),
                ("suspend", json!(true)),
                ("ttlSecondsAfterFinished", json!(0)),
                ("completions", json!("x")),
                ("odd", json!(1)),
                ("parallelism", json!(-1)),
                ("completionMode", json!("Indexed")),
                ("completionMode", json!("Odd")),
                ("manualSelector", json!(true)),
                ("selector", json!({"matchLabels": {"a": "b"}})),
                ("backoffLimitPerIndex", json!(1)),
                ("maxFailedIndexes", json!(3)),
                ("managedBy", json!("example.io/me")),
                ("podReplacementPolicy", json!("Failed")),
                ("activeDeadlineSeconds", json!(10)),
            ]);
            spec[key] = value;
        }
        if self.chance(15) {
            spec["template"]["metadata"] = self.one(&[
                json!({"labels": {"a": "b"}}),
                json!({"labels": {"job-name": "other"}}),
                json!({"annotations": {"x": "1"}}),
                json!({"labels": {"a b": "c"}}),
            ]);
        }
        if self.chance(10) {
            // Most of what a job has cannot be changed: leave that out.
            spec.as_object_mut().unwrap().remove("template");
        }
        json!({"spec": spec})
    }
}
