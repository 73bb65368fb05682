//! A webhook on loopback that runs until its test ends, and configurations
//! that name it.

pub(crate) use std::time::Duration;

pub(crate) use base64::Engine;
pub(crate) use http::Method;
pub(crate) use serde_json::{Value, json};

pub(crate) use crate::common::{Answer, Arm, widget};
pub(crate) use fixname_apiserver::SelfSigned;

use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;

pub(crate) type Reply = dyn Fn(&Value) -> (u16, String) + Send + Sync;

/// A webhook that runs until the test ends, and what it was asked.
pub(crate) struct Hook {
    pub(crate) url: String,
    pub(crate) authority: String,
    pub(crate) seen: Arc<Mutex<Vec<Value>>>,
}

impl Hook {
    /// Answers each request with what `response` makes of it: the member
    /// `response` of the message but for the uid.
    pub(crate) async fn start(response: impl Fn(&Value) -> Value + Send + Sync + 'static) -> Self {
        Self::start_raw(move |review| {
            let mut inner = response(&review["request"]);
            inner["uid"] = review["request"]["uid"].clone();
            let body = json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": inner});
            (200, body.to_string())
        })
        .await
    }

    pub(crate) async fn start_raw(
        reply: impl Fn(&Value) -> (u16, String) + Send + Sync + 'static,
    ) -> Self {
        Self::start_as(SelfSigned::new().unwrap(), reply).await
    }

    pub(crate) async fn start_as(
        own: SelfSigned,
        reply: impl Fn(&Value) -> (u16, String) + Send + Sync + 'static,
    ) -> Self {
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
    pub(crate) fn seen(&self) -> Vec<Value> {
        let all = self.seen.lock().unwrap();
        let probe = |r: &Value| {
            r["request"]["name"]
                .as_str()
                .is_some_and(|n| n.starts_with("probe"))
        };
        all.iter().filter(|r| !probe(r)).cloned().collect()
    }

    pub(crate) fn probed(&self) -> bool {
        !self.seen.lock().unwrap().is_empty()
    }

    /// A webhook's entry in a configuration, for all that happens in `ns`.
    pub(crate) fn entry(&self, name: &str, ns: &str) -> Value {
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

pub(crate) async fn answer(
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

pub(crate) fn allow() -> Value {
    json!({"allowed": true})
}

pub(crate) fn patched(patch: Value) -> Value {
    let text = base64::engine::general_purpose::STANDARD.encode(patch.to_string());
    json!({"allowed": true, "patchType": "JSONPatch", "patch": text})
}

pub(crate) const ROOT: &str = "/apis/admissionregistration.k8s.io/v1";

/// Stores a configuration that is removed by [`Installed::remove`].
pub(crate) struct Installed {
    pub(crate) path: String,
}

impl Installed {
    pub(crate) async fn remove(self, arm: &Arm) {
        arm.delete(&self.path).await.ok();
    }
}

pub(crate) async fn install(arm: &Arm, mutating: bool, name: &str, webhooks: Value) -> Installed {
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

pub(crate) fn map(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"a": "b"}})
}

pub(crate) fn maps(ns: &str) -> String {
    format!("/api/v1/namespaces/{ns}/configmaps")
}

/// A real server hears of a configuration a moment later: tries until one is called.
pub(crate) async fn until_called(arm: &Arm, ns: &str, hook: &Hook) {
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
pub(crate) async fn until_failing(arm: &Arm, ns: &str) -> Answer {
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
pub(crate) fn text(answer: &Answer) -> String {
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

/// Adds a word to the list that all webhooks of a test write to.
pub(crate) fn append(request: &Value, word: &str) -> Value {
    let so_far = request["object"]["data"]["trace"]
        .as_str()
        .unwrap_or_default();
    patched(json!([{"op": "add", "path": "/data/trace", "value": format!("{so_far}{word}")}]))
}
