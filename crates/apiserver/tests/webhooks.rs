//! Webhooks over HTTP: each body runs a webhook of its own on loopback and
//! tries it against the embedded server, and against kube-apiserver with
//! `-- --ignored`.

#![allow(
    clippy::unwrap_used,
    clippy::needless_pass_by_value,
    reason = "bodies of tests: a panic is a failed test"
)]

mod common;

use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine;
use common::{Answer, Arm, widget};
use fixname_apiserver::SelfSigned;
use http::{Method, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};

/// One test for each arm from one body. Webhooks need sockets and real time.
macro_rules! on_both_arms {
    ($($name:ident),* $(,)?) => {
        mod embedded {
            $(#[tokio::test]
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

on_both_arms!(
    configurations_get_defaults_and_count_generations,
    configurations_are_checked,
    a_review_says_who_does_what_to_which_object,
    a_mutating_webhook_patches_before_validation,
    a_denial_carries_the_webhooks_status,
    rules_choose_resources_operations_and_subresources,
    selectors_choose_objects_and_namespaces,
    an_equivalent_version_is_converted,
    mutating_webhooks_go_by_name_and_are_reinvoked,
    validating_webhooks_see_what_mutating_ones_made,
    warnings_reach_the_client,
    failure_policy_decides_when_no_answer_comes,
    answers_that_break_the_rules_count_as_failures,
    an_untrusted_certificate_is_a_failure,
    a_slow_webhook_runs_into_its_timeout,
    dry_runs_are_told_as_such,
    deletions_show_the_old_object,
    configurations_themselves_are_exempt,
);

type Reply = dyn Fn(&Value) -> (u16, String) + Send + Sync;

/// A webhook that runs until the test ends, and what it was asked.
struct Hook {
    url: String,
    authority: String,
    seen: Arc<Mutex<Vec<Value>>>,
}

impl Hook {
    /// Answers each request with what `response` makes of it: the member
    /// `response` of the message but for the uid.
    async fn start(response: impl Fn(&Value) -> Value + Send + Sync + 'static) -> Self {
        Self::start_raw(move |review| {
            let mut inner = response(&review["request"]);
            inner["uid"] = review["request"]["uid"].clone();
            let body = json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": inner});
            (200, body.to_string())
        })
        .await
    }

    async fn start_raw(reply: impl Fn(&Value) -> (u16, String) + Send + Sync + 'static) -> Self {
        let own = SelfSigned::new().unwrap();
        let tls = tokio_rustls::TlsAcceptor::from(Arc::new(own.server_config().unwrap()));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!(
            "https://127.0.0.1:{}/hook",
            listener.local_addr().unwrap().port()
        );
        let seen = Arc::new(Mutex::new(Vec::new()));
        let reply: Arc<Reply> = Arc::new(reply);
        let all = seen.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (tls, reply, seen) = (tls.clone(), reply.clone(), all.clone());
                tokio::spawn(async move {
                    let Ok(stream) = tls.accept(stream).await else {
                        return;
                    };
                    let service = hyper::service::service_fn(move |request| {
                        answer(request, reply.clone(), seen.clone())
                    });
                    let _ = hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service)
                        .await;
                });
            }
        });
        let pem = own.certificate_pem();
        Self {
            url,
            authority: base64::engine::general_purpose::STANDARD.encode(pem),
            seen,
        }
    }

    /// What was asked about objects that are not probes.
    fn seen(&self) -> Vec<Value> {
        let all = self.seen.lock().unwrap();
        let probe = |r: &Value| {
            r["request"]["name"]
                .as_str()
                .is_some_and(|n| n.starts_with("probe"))
        };
        all.iter().filter(|r| !probe(r)).cloned().collect()
    }

    fn probed(&self) -> bool {
        !self.seen.lock().unwrap().is_empty()
    }

    /// A webhook's entry in a configuration, for all that happens in `ns`.
    fn entry(&self, name: &str, ns: &str) -> Value {
        json!({
            "name": name,
            "clientConfig": {"url": self.url, "caBundle": self.authority},
            "rules": [{"apiGroups": ["*"], "apiVersions": ["*"], "operations": ["*"], "resources": ["*/*"], "scope": "Namespaced"}],
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": ns}},
            "sideEffects": "None",
            "admissionReviewVersions": ["v1"],
        })
    }
}

async fn answer(
    request: Request<hyper::body::Incoming>,
    reply: Arc<Reply>,
    seen: Arc<Mutex<Vec<Value>>>,
) -> Result<Response<Full<bytes::Bytes>>, Infallible> {
    assert!(
        request
            .uri()
            .query()
            .is_some_and(|q| q.starts_with("timeout="))
    );
    let body = request.into_body().collect().await.unwrap().to_bytes();
    let review: Value = serde_json::from_slice(&body).unwrap();
    seen.lock().unwrap().push(review.clone());
    let (code, body) = tokio::task::spawn_blocking(move || reply(&review))
        .await
        .unwrap();
    Ok(Response::builder()
        .status(code)
        .header(
            "content-type",
            if body.starts_with('{') {
                "application/json"
            } else {
                "text/plain"
            },
        )
        .body(Full::new(bytes::Bytes::from(body)))
        .unwrap())
}

fn allow() -> Value {
    json!({"allowed": true})
}

fn patched(patch: Value) -> Value {
    let text = base64::engine::general_purpose::STANDARD.encode(patch.to_string());
    json!({"allowed": true, "patchType": "JSONPatch", "patch": text})
}

const ROOT: &str = "/apis/admissionregistration.k8s.io/v1";

/// Stores a configuration that is removed by [`Installed::remove`].
struct Installed {
    path: String,
}

impl Installed {
    async fn remove(self, arm: &Arm) {
        arm.delete(&self.path).await.ok();
    }
}

async fn install(arm: &Arm, mutating: bool, name: &str, webhooks: Value) -> Installed {
    let (plural, kind) = if mutating {
        (
            "mutatingwebhookconfigurations",
            "MutatingWebhookConfiguration",
        )
    } else {
        (
            "validatingwebhookconfigurations",
            "ValidatingWebhookConfiguration",
        )
    };
    let body = json!({"apiVersion": "admissionregistration.k8s.io/v1", "kind": kind,
        "metadata": {"name": name}, "webhooks": webhooks});
    arm.post(&format!("{ROOT}/{plural}"), &body).await.ok();
    Installed {
        path: format!("{ROOT}/{plural}/{name}"),
    }
}

fn map(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"a": "b"}})
}

fn maps(ns: &str) -> String {
    format!("/api/v1/namespaces/{ns}/configmaps")
}

/// A real server hears of a configuration a moment later: tries until one is called.
async fn until_called(arm: &Arm, ns: &str, hook: &Hook) {
    for n in 0..300 {
        let path = format!("{}?dryRun=All", maps(ns));
        arm.post(&path, &map(&format!("probe-{n}"))).await;
        if hook.probed() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the webhook was never called");
}

/// Tries until a create fails.
async fn until_failing(arm: &Arm, ns: &str) -> Answer {
    for n in 0..300 {
        let path = format!("{}?dryRun=All", maps(ns));
        let answer = arm.post(&path, &map(&format!("probe-{n}"))).await;
        if answer.code >= 400 {
            return answer;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the webhook was never called");
}

/// An error's text without the port of this test's webhook.
fn text(answer: &Answer) -> String {
    let mut out = String::new();
    let mut rest = answer.message();
    while let Some(at) = rest.find("127.0.0.1:") {
        let (head, tail) = rest.split_at(at + "127.0.0.1:".len());
        out += head;
        out += "PORT";
        rest = tail.trim_start_matches(|c: char| c.is_ascii_digit());
    }
    out + rest
}

async fn configurations_get_defaults_and_count_generations(arm: Arm) {
    let ns = arm.namespace().await;
    let hook = Hook::start(|_| allow()).await;
    let mut entry = hook.entry("a.example.io", &ns);
    entry["rules"] = json!([{"apiGroups": ["nothing.example.io"], "apiVersions": ["v1"], "operations": ["*"], "resources": ["*"]}]);
    let name = format!("{ns}-defaults");
    let installed = install(&arm, true, &name, json!([entry])).await;
    let found = arm.get(&installed.path).await.ok().body;
    let webhook = &found["webhooks"][0];
    for (key, wanted) in [
        ("failurePolicy", json!("Fail")),
        ("matchPolicy", json!("Equivalent")),
        ("objectSelector", json!({})),
        ("timeoutSeconds", json!(10)),
        ("reinvocationPolicy", json!("Never")),
    ] {
        assert_eq!(webhook[key], wanted, "{key}");
    }
    assert_eq!(webhook["rules"][0]["scope"], "*");
    assert_eq!(found["metadata"]["generation"], 1);
    let change = json!([{"op": "replace", "path": "/webhooks/0/timeoutSeconds", "value": 5}]);
    let media = "application/json-patch+json";
    let body = change.to_string().into_bytes();
    let changed = arm
        .send(Method::PATCH, &installed.path, media, body)
        .await
        .ok();
    assert_eq!(changed.body["metadata"]["generation"], 2);
    let labelled = arm
        .merge(
            &installed.path,
            &json!({"metadata": {"labels": {"a": "b"}}}),
        )
        .await
        .ok();
    assert_eq!(labelled.body["metadata"]["generation"], 2);
    let table = arm
        .send_with(
            Method::GET,
            &installed.path,
            "",
            "application/json;as=Table;g=meta.k8s.io;v=v1",
            Vec::new(),
        )
        .await;
    assert_eq!(table.body["rows"][0]["cells"][1], 1);
    installed.remove(&arm).await;
}

async fn configurations_are_checked(arm: Arm) {
    let good = json!({"name": "a.example.io", "clientConfig": {"url": "https://127.0.0.1:1/x"}, "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
        "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}]});
    let set = |pointer: &str, value: Value| {
        let mut changed = good.clone();
        *changed.pointer_mut(pointer).unwrap() = value;
        changed
    };
    let mut without = good.clone();
    without.as_object_mut().unwrap().remove("sideEffects");
    let mut both = good.clone();
    both["clientConfig"]["service"] = json!({"name": "s", "namespace": "n"});
    let mut nameless = good.clone();
    nameless["clientConfig"] = json!({"service": {"name": "", "namespace": "n"}});
    let mut slow = good.clone();
    slow["timeoutSeconds"] = json!(31);
    let mut policy = good.clone();
    policy["failurePolicy"] = json!("Perhaps");
    for (webhooks, wanted) in [
        (
            json!([set("/name", json!("short"))]),
            "webhooks[0].name: Invalid value: \"short\": should be a domain with at least three segments separated by dots",
        ),
        (
            json!([set("/name", json!(""))]),
            "webhooks[0].name: Required value",
        ),
        (
            json!([without]),
            "webhooks[0].sideEffects: Required value: must specify one of None, NoneOnDryRun",
        ),
        (
            json!([set("/sideEffects", json!("Some"))]),
            "webhooks[0].sideEffects: Unsupported value: \"Some\": supported values: \"None\", \"NoneOnDryRun\"",
        ),
        (
            json!([both]),
            "webhooks[0].clientConfig: Required value: exactly one of url or service is required",
        ),
        (
            json!([nameless]),
            "webhooks[0].clientConfig.service.namespace: Required value",
        ),
        (
            json!([set("/clientConfig/url", json!("ftp://127.0.0.1/x"))]),
            "webhooks[0].clientConfig.url: Invalid value: \"ftp\": 'https' is the only allowed URL scheme; desired format: https://host[/path]",
        ),
        (
            json!([set("/clientConfig/url", json!("https://127.0.0.1/x?a=b"))]),
            "webhooks[0].clientConfig.url: Invalid value: \"a=b\": query parameters are not permitted in the URL",
        ),
        (
            json!([set("/admissionReviewVersions", json!(["v9"]))]),
            "webhooks[0].admissionReviewVersions: Invalid value: [\"v9\"]: must include at least one of v1, v1beta1",
        ),
        (
            json!([set("/admissionReviewVersions", json!([]))]),
            "webhooks[0].admissionReviewVersions: Required value: must specify one of v1, v1beta1",
        ),
        (
            json!([set("/rules/0/operations", json!(["READ"]))]),
            "webhooks[0].rules[0].operations[0]: Unsupported value: \"READ\": supported values: \"*\", \"CONNECT\", \"CREATE\", \"DELETE\", \"UPDATE\"",
        ),
        (
            json!([set("/rules/0/operations", json!(["*", "CREATE"]))]),
            "webhooks[0].rules[0].operations: Invalid value: [\"*\",\"CREATE\"]: if '*' is present, must not specify other operations",
        ),
        (
            json!([set("/rules/0/resources", json!([]))]),
            "webhooks[0].rules[0].resources: Required value",
        ),
        (
            json!([slow]),
            "webhooks[0].timeoutSeconds: Invalid value: 31: the timeout value must be between 1 and 30 seconds",
        ),
        (
            json!([policy]),
            "webhooks[0].failurePolicy: Unsupported value: \"Perhaps\": supported values: \"Fail\", \"Ignore\"",
        ),
        (
            json!([good.clone(), good.clone()]),
            "webhooks[1].name: Duplicate value: \"a.example.io\"",
        ),
    ] {
        let body = json!({"metadata": {"name": "checked"}, "webhooks": webhooks});
        let answer = arm
            .post(&format!("{ROOT}/validatingwebhookconfigurations"), &body)
            .await;
        let text = format!(
            "ValidatingWebhookConfiguration.admissionregistration.k8s.io \"checked\" is invalid: {wanted}"
        );
        answer.fails(422, "Invalid", &text);
    }
}

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
    installed.remove(&arm).await;
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
    let schema = json!({"openAPIV3Schema": common::widget_schema()});
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

/// Adds a word to the list that all webhooks of a test write to.
fn append(request: &Value, word: &str) -> Value {
    let so_far = request["object"]["data"]["trace"]
        .as_str()
        .unwrap_or_default();
    patched(json!([{"op": "add", "path": "/data/trace", "value": format!("{so_far}{word}")}]))
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

async fn failure_policy_decides_when_no_answer_comes(arm: Arm) {
    for client in [
        json!({"url": "https://127.0.0.1:1/hook"}),
        json!({"service": {"name": "nobody", "namespace": "nowhere", "path": "/hook"}}),
    ] {
        let ns = arm.namespace().await;
        let probe = Hook::start(|_| allow()).await;
        let mut entry = probe.entry("gone.example.io", &ns);
        entry["clientConfig"] = client.clone();
        let failing = install(&arm, true, &format!("{ns}-f"), json!([entry])).await;
        let answer = until_failing(&arm, &ns).await;
        assert_eq!((answer.code, answer.reason()), (500, "InternalError"));
        let why = if client.get("url").is_some() {
            "Post \"https://127.0.0.1:PORT/hook?timeout=10s\": dial tcp 127.0.0.1:PORT: connect: connection refused"
        } else {
            "Post \"https://nobody.nowhere.svc:443/hook?timeout=10s\": service \"nobody\" not found"
        };
        let wanted =
            format!("failed calling webhook \"gone.example.io\": failed to call webhook: {why}");
        assert_eq!(text(&answer), format!("Internal error occurred: {wanted}"));
        failing.remove(&arm).await;
        entry["failurePolicy"] = json!("Ignore");
        let entries = json!([entry, probe.entry("z.example.io", &ns)]);
        let ignored = install(&arm, true, &format!("{ns}-i"), entries).await;
        until_called(&arm, &ns, &probe).await;
        for n in 0..100 {
            // The first configuration may still be in force there for a moment.
            if arm.post(&maps(&ns), &map(&format!("m{n}"))).await.code == 201 {
                break;
            }
            assert!(n < 99, "the failure is not ignored");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        ignored.remove(&arm).await;
    }
}

async fn answers_that_break_the_rules_count_as_failures(arm: Arm) {
    let ns = arm.namespace().await;
    let hook = Hook::start_raw(|review| {
        let uid = &review["request"]["uid"];
        let full = |response: Value| json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response}).to_string();
        match review["request"]["name"].as_str().unwrap_or_default() {
            "absent" => (200, json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview"}).to_string()),
            "uid" => (200, full(json!({"uid": "other", "allowed": true}))),
            "type" => (200, full(json!({"uid": uid, "allowed": true, "patch": "W10="}))),
            "patch" => (200, full(json!({"uid": uid, "allowed": true, "patchType": "JSONPatch"}))),
            "missing" => (404, "nothing here".to_owned()),
            "broken" => (500, "out of order".to_owned()),
            _ => (200, full(json!({"uid": uid, "allowed": true}))),
        }
    })
    .await;
    let installed = install(
        &arm,
        true,
        &format!("{ns}-a"),
        json!([hook.entry("odd.example.io", &ns)]),
    )
    .await;
    until_called(&arm, &ns, &hook).await;
    let invalid = "received invalid webhook response: ";
    let failed = "failed to call webhook: ";
    for (name, prefix, why) in [
        ("absent", invalid, "webhook response was absent"),
        (
            "type",
            invalid,
            "webhook returned response.patch but not response.patchType",
        ),
        (
            "patch",
            invalid,
            "webhook returned response.patchType but not response.patch",
        ),
        (
            "missing",
            failed,
            "the server could not find the requested resource",
        ),
        (
            "broken",
            failed,
            "an error on the server (\"out of order\") has prevented the request from succeeding",
        ),
    ] {
        let answer = arm.post(&maps(&ns), &map(name)).await;
        let text = format!(
            "Internal error occurred: failed calling webhook \"odd.example.io\": {prefix}{why}"
        );
        answer.fails(500, "InternalError", &text);
    }
    let answer = arm.post(&maps(&ns), &map("uid")).await;
    let message = answer.message();
    assert!(
        message.contains("expected response.uid=\"") && message.ends_with("got \"other\""),
        "{message}"
    );
    installed.remove(&arm).await;
}

async fn an_untrusted_certificate_is_a_failure(arm: Arm) {
    let ns = arm.namespace().await;
    let hook = Hook::start(|_| allow()).await;
    let mut entry = hook.entry("tls.example.io", &ns);
    let other = SelfSigned::new().unwrap().certificate_pem();
    entry["clientConfig"]["caBundle"] =
        json!(base64::engine::general_purpose::STANDARD.encode(other));
    let installed = install(&arm, true, &format!("{ns}-t"), json!([entry])).await;
    let answer = until_failing(&arm, &ns).await;
    let message = text(&answer);
    let start = "Internal error occurred: failed calling webhook \"tls.example.io\": failed to call webhook: Post \"https://127.0.0.1:PORT/hook?timeout=10s\": tls: failed to verify certificate: x509: ";
    assert!(message.starts_with(start), "{message}");
    installed.remove(&arm).await;
}

async fn a_slow_webhook_runs_into_its_timeout(arm: Arm) {
    let ns = arm.namespace().await;
    let hook = Hook::start(|_| {
        std::thread::sleep(Duration::from_secs(3));
        allow()
    })
    .await;
    let mut entry = hook.entry("slow.example.io", &ns);
    entry["timeoutSeconds"] = json!(1);
    let installed = install(&arm, false, &format!("{ns}-s"), json!([entry])).await;
    let answer = until_failing(&arm, &ns).await;
    assert_eq!(
        text(&answer),
        "Internal error occurred: failed calling webhook \"slow.example.io\": failed to call webhook: Post \"https://127.0.0.1:PORT/hook?timeout=1s\": context deadline exceeded"
    );
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

async fn configurations_themselves_are_exempt(arm: Arm) {
    let ns = arm.namespace().await;
    let probe = Hook::start(|_| allow()).await;
    let mut entry = probe.entry("gone.example.io", &ns);
    entry["clientConfig"] = json!({"url": "https://127.0.0.1:1/hook"});
    entry["rules"][0]["apiGroups"] = json!(["admissionregistration.k8s.io"]);
    entry["rules"][0]["scope"] = json!("*");
    entry["namespaceSelector"] = json!({});
    let entries = json!([entry, probe.entry("z.example.io", &ns)]);
    let installed = install(&arm, false, &format!("{ns}-x"), entries).await;
    until_called(&arm, &ns, &probe).await;
    arm.merge(
        &installed.path,
        &json!({"metadata": {"labels": {"a": "b"}}}),
    )
    .await
    .ok();
    installed.remove(&arm).await;
}

mod only_here {
    //! What the embedded server does otherwise, on purpose.

    use super::*;

    #[tokio::test]
    async fn urls_that_leave_the_machine_and_match_conditions_are_refused() {
        let arm = Arm::embedded();
        let entry = |client: Value, more: Value| {
            let mut entry = json!({"name": "a.example.io", "clientConfig": client, "sideEffects": "None",
                "admissionReviewVersions": ["v1"], "rules": []});
            for (key, value) in more.as_object().unwrap() {
                entry[key] = value.clone();
            }
            json!({"metadata": {"name": "x"}, "webhooks": [entry]})
        };
        let path = format!("{ROOT}/validatingwebhookconfigurations");
        let away = entry(json!({"url": "https://example.com/x"}), json!({}));
        let answer = arm.post(&path, &away).await;
        assert_eq!(answer.code, 422);
        assert!(answer.message().contains("on loopback only"), "{answer:?}");
        let conditions = json!({"matchConditions": [{"name": "a", "expression": "true"}]});
        let answer = arm
            .post(
                &path,
                &entry(json!({"url": "https://localhost/x"}), conditions),
            )
            .await;
        assert!(
            answer
                .message()
                .contains("does not evaluate match conditions"),
            "{answer:?}"
        );
        let plain = entry(json!({"url": "http://localhost:1/x"}), json!({}));
        let answer = arm.post(&path, &plain).await.ok();
        assert!(answer.warnings[0].contains("https alone"), "{answer:?}");
    }

    #[tokio::test(flavor = "current_thread", start_paused = true)]
    async fn paused_time_does_not_time_a_webhook_out() {
        let arm = Arm::embedded();
        let ns = arm.namespace().await;
        // On a thread of its own, since the test's time stands still.
        let (tell, told) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                let hook = Hook::start(|r| append(r, "x")).await;
                tell.send(hook.entry("a.example.io", "NS")).unwrap();
                tokio::time::sleep(Duration::from_secs(60)).await;
            });
        });
        let mut entry = told.recv().unwrap();
        entry["namespaceSelector"] = json!({});
        install(&arm, true, "x", json!([entry])).await;
        let made = arm.post(&maps(&ns), &map("m")).await.ok();
        assert_eq!(made.body["data"]["trace"], "x");
    }
}
