//! The two servers that each conformance body runs against, and plain
//! requests to either. Definitions here are made up for the tests.
#![allow(
    dead_code,
    unreachable_pub,
    missing_docs,
    clippy::unwrap_used,
    clippy::needless_pass_by_value,
    reason = "helpers of tests: a panic is a failed test, and each binary uses its own part"
)]

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use fixname_apiserver::ApiServer;
use fixname_controlplane::{ControlPlane, Options};
use http::{Method, Request};
use http_body_util::BodyExt;
use kube::Client;
use serde_json::{Value, json};

/// One of the two servers.
pub enum Arm {
    Embedded(ApiServer),
    ControlPlane(&'static ControlPlane),
}

/// An answer: code, body, and the texts of its warnings.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    pub code: u16,
    pub body: Value,
    pub warnings: Vec<String>,
    pub content_type: String,
}

impl Answer {
    pub fn message(&self) -> &str {
        self.body["message"].as_str().unwrap_or_default()
    }

    pub fn reason(&self) -> &str {
        self.body["reason"].as_str().unwrap_or_default()
    }

    pub fn version(&self) -> &str {
        self.body["metadata"]["resourceVersion"]
            .as_str()
            .unwrap_or_default()
    }

    #[track_caller]
    pub fn ok(self) -> Self {
        assert!(self.code < 300, "refused: {self:?}");
        self
    }

    /// Demands this failure, text included.
    #[track_caller]
    pub fn fails(self, code: u16, reason: &str, message: &str) -> Self {
        assert_eq!(
            (self.code, self.reason(), self.message()),
            (code, reason, message),
            "{self:#?}"
        );
        assert_eq!(self.body["kind"], "Status");
        assert_eq!(self.body["status"], "Failure");
        assert_eq!(self.body["code"], code);
        self
    }
}

static CONTROL_PLANE: OnceLock<ControlPlane> = OnceLock::new();
static NEXT: AtomicU64 = AtomicU64::new(1);

impl Arm {
    pub fn embedded() -> Self {
        Self::Embedded(ApiServer::builder().seed(7).build())
    }

    /// The control plane that all tests of one binary share.
    pub fn control_plane() -> Self {
        Self::ControlPlane(CONTROL_PLANE.get_or_init(|| {
            ControlPlane::start_blocking(Options::default().controllers(true))
                .unwrap_or_else(|e| panic!("{e}"))
        }))
    }

    /// One without garbage collector and namespace controller, so that nobody
    /// but the test writes.
    pub fn control_plane_without_controllers() -> Self {
        static ALONE: OnceLock<ControlPlane> = OnceLock::new();
        Self::ControlPlane(ALONE.get_or_init(|| {
            ControlPlane::start_blocking(Options::default()).unwrap_or_else(|e| panic!("{e}"))
        }))
    }

    pub fn is_embedded(&self) -> bool {
        matches!(self, Self::Embedded(_))
    }

    pub async fn client(&self, namespace: &str) -> Client {
        match self {
            Self::Embedded(server) => server.client(namespace),
            Self::ControlPlane(plane) => plane.client(namespace).await.unwrap(),
        }
    }

    /// A namespace of its own for a test.
    pub async fn namespace(&self) -> String {
        let n = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("test-{}-{n}", std::process::id());
        self.post("/api/v1/namespaces", &json!({"metadata": {"name": name}}))
            .await
            .ok();
        name
    }

    /// A group of its own for a test's definitions.
    pub fn group(&self) -> String {
        let n = NEXT.fetch_add(1, Ordering::Relaxed);
        format!("g{n}.example.io")
    }

    pub async fn send(&self, method: Method, path: &str, media: &str, body: Vec<u8>) -> Answer {
        self.send_with(method, path, media, "application/json", body)
            .await
    }

    pub async fn send_with(
        &self,
        method: Method,
        path: &str,
        media: &str,
        accept: &str,
        body: Vec<u8>,
    ) -> Answer {
        let client = self.client("default").await;
        send_through(&client, method, path, media, accept, body).await
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, "application/json", Vec::new())
            .await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send(
            Method::POST,
            path,
            "application/json",
            body.to_string().into_bytes(),
        )
        .await
    }

    pub async fn put(&self, path: &str, body: &Value) -> Answer {
        self.send(
            Method::PUT,
            path,
            "application/json",
            body.to_string().into_bytes(),
        )
        .await
    }

    pub async fn merge(&self, path: &str, body: &Value) -> Answer {
        self.send(
            Method::PATCH,
            path,
            "application/merge-patch+json",
            body.to_string().into_bytes(),
        )
        .await
    }

    pub async fn apply(&self, path: &str, body: &Value) -> Answer {
        self.send(
            Method::PATCH,
            path,
            "application/apply-patch+yaml",
            body.to_string().into_bytes(),
        )
        .await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        self.send(Method::DELETE, path, "application/json", Vec::new())
            .await
    }

    pub async fn delete_with(&self, path: &str, options: &Value) -> Answer {
        self.send(
            Method::DELETE,
            path,
            "application/json",
            options.to_string().into_bytes(),
        )
        .await
    }

    /// The first frames of a watch, as many as are asked for.
    pub async fn watch(&self, path: &str, frames: usize) -> Vec<Value> {
        self.watch_as(path, frames, "application/json").await
    }

    /// The same in another form.
    pub async fn watch_as(&self, path: &str, frames: usize, accept: &str) -> Vec<Value> {
        let client = self.client("default").await;
        let request = Request::get(path)
            .header("accept", accept)
            .body(kube::client::Body::empty())
            .unwrap();
        let response = client.send(request).await.unwrap();
        let mut body = response.into_body();
        let mut text = Vec::new();
        let mut seen = Vec::new();
        while seen.len() < frames {
            let next = tokio::time::timeout(std::time::Duration::from_secs(20), body.frame()).await;
            let Ok(Some(Ok(frame))) = next else {
                break;
            };
            if let Ok(data) = frame.into_data() {
                text.extend_from_slice(&data);
                seen = text
                    .split(|c| *c == b'\n')
                    .filter_map(|line| serde_json::from_slice(line).ok())
                    .collect();
            }
        }
        seen.truncate(frames);
        seen
    }

    /// Defines `widgets` in `group` and waits until they are served.
    pub async fn define(&self, group: &str) -> String {
        self.define_with(group, widget_schema(), &json!({})).await
    }

    pub async fn define_with(&self, group: &str, schema: Value, more: &Value) -> String {
        let mut version = json!({
            "name": "v1", "served": true, "storage": true,
            "schema": {"openAPIV3Schema": schema},
            "subresources": {"status": {}},
        });
        for (key, value) in more.as_object().into_iter().flatten() {
            version[key] = value.clone();
        }
        self.define_versions(group, json!([version])).await
    }

    pub async fn define_versions(&self, group: &str, versions: Value) -> String {
        let definition = json!({
            "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": {"name": format!("widgets.{group}")},
            "spec": {
                "group": group, "scope": "Namespaced",
                "names": {"plural": "widgets", "singular": "widget", "kind": "Widget", "shortNames": ["wd"]},
                "versions": versions,
            },
        });
        self.post(CRDS, &definition).await.ok();
        let path = format!("{CRDS}/widgets.{group}");
        for _ in 0..500 {
            let found = self.get(&path).await.ok();
            let established = found.body["status"]["conditions"]
                .as_array()
                .into_iter()
                .flatten()
                .any(|c| c["type"] == "Established" && c["status"] == "True");
            if established {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        // Served a moment after it is established.
        let list = format!("/apis/{group}/v1/widgets");
        for _ in 0..500 {
            if self.get(&list).await.code == 200 {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        group.to_owned()
    }
}

/// Sends a request and reads the whole answer.
pub async fn send_through(
    client: &Client,
    method: Method,
    path: &str,
    media: &str,
    accept: &str,
    body: Vec<u8>,
) -> Answer {
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("content-type", media)
        .header("accept", accept)
        .header("user-agent", "conformance/1.0")
        .body(kube::client::Body::from(body))
        .unwrap();
    let response = client.send(request).await.unwrap();
    let code = response.status().as_u16();
    let warnings = response
        .headers()
        .get_all("warning")
        .iter()
        .map(|v| String::from_utf8_lossy(v.as_bytes()).into_owned())
        .collect();
    let content_type = response
        .headers()
        .get("content-type")
        .map(|v| v.to_str().unwrap().to_owned())
        .unwrap_or_default();
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    let body = serde_json::from_slice(&bytes)
        .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&bytes).into_owned()));
    Answer {
        code,
        body,
        warnings,
        content_type,
    }
}

pub const CRDS: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";

pub fn widget_schema() -> Value {
    json!({"type": "object", "properties": {
        "spec": {"type": "object", "properties": {
            "size": {"type": "integer", "minimum": 0, "maximum": 100},
            "colour": {"type": "string", "enum": ["red", "green"]},
            "name": {"type": "string", "pattern": "^[a-z]+$", "maxLength": 8},
            "mode": {"type": "string", "default": "fast"},
            "maybe": {"type": "string", "nullable": true},
            "tags": {"type": "array", "items": {"type": "string"}, "maxItems": 3},
            "parts": {"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["id"],
                "items": {"type": "object", "required": ["id"], "properties": {
                    "id": {"type": "string"}, "n": {"type": "integer"}}}},
            "disks": {"type": "object", "additionalProperties": {"type": "object", "properties": {
                "evict": {"type": "boolean"}}}},
            "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
            "port": {"x-kubernetes-int-or-string": true},
            "strict": {"type": "object", "required": ["must"], "properties": {"must": {"type": "string"}}},
        }},
        "status": {"type": "object", "properties": {
            "phase": {"type": "string"}, "count": {"type": "integer"}}},
    }})
}

pub fn widget(group: &str, name: &str, spec: Value) -> Value {
    json!({"apiVersion": format!("{group}/v1"), "kind": "Widget", "metadata": {"name": name}, "spec": spec})
}
