//! The messages between server and webhook: `AdmissionReview`, v1 and v1beta1
//! (`webhook/request/admissionreview.go`).

use serde_json::{Value, json};

use super::config::Invocation;
use super::operation;
use crate::admission::AdmissionRequest;
use crate::quote::quote;
use crate::resource::{Resource, text};

/// The message that asks.
pub(super) fn request(
    uid: &str,
    version: &str,
    request: &AdmissionRequest,
    invocation: &Invocation,
) -> Value {
    let kind = |r: &Resource| json!({"group": r.group, "version": r.version, "kind": r.kind});
    let resource =
        |r: &Resource| json!({"group": r.group, "version": r.version, "resource": r.plural});
    let object = |object: &Option<Value>| match object {
        Some(object) => invocation.convert(object),
        None => Value::Null,
    };
    let (asked, called) = (invocation.asked(), &*invocation.resource);
    let mut inner = json!({
        "uid": uid,
        "kind": kind(called),
        "resource": resource(called),
        "requestKind": kind(asked),
        "requestResource": resource(asked),
        "operation": operation(request.operation),
        "userInfo": {"username": request.user.name, "groups": request.user.groups},
        "object": object(&request.object),
        "oldObject": object(&request.old_object),
        "dryRun": request.dry_run,
        "options": request.options,
    });
    for (key, value) in [
        ("subResource", request.subresource.as_str()),
        ("requestSubResource", &request.subresource),
        ("name", &request.name),
        ("namespace", request.admission_namespace()),
    ] {
        if !value.is_empty() {
            inner[key] = Value::from(value);
        }
    }
    json!({"kind": "AdmissionReview", "apiVersion": format!("admission.k8s.io/{version}"), "request": inner})
}

/// What a webhook answered.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) allowed: bool,
    pub(super) patch: Option<Vec<u8>>,
    pub(super) warnings: Vec<String>,
    /// The `Status` that comes with a refusal.
    pub(super) status: Value,
}

/// What is wrong with an answer.
pub(super) enum Unreadable {
    /// It is no message at all.
    Text(String),
    /// It is one, and breaks the rules.
    Invalid(String),
}

impl Unreadable {
    pub(super) fn into_text(self) -> String {
        match self {
            Self::Text(why) => format!("failed to call webhook: {why}"),
            Self::Invalid(why) => format!("received invalid webhook response: {why}"),
        }
    }
}

impl Answer {
    pub(super) fn read(
        body: &[u8],
        uid: &str,
        version: &str,
        mutating: bool,
    ) -> Result<Self, Unreadable> {
        let review: Value = serde_json::from_slice(body).map_err(|e| {
            Unreadable::Text(format!("couldn't get version/kind; json parse error: {e}"))
        })?;
        let invalid = |why: String| Err(Unreadable::Invalid(why));
        let Some(response) = review.get("response").filter(|r| r.is_object()) else {
            return invalid("webhook response was absent".to_owned());
        };
        let strict = version == "v1";
        let found = text(response, "/uid");
        if strict && found != uid {
            return invalid(format!(
                "expected response.uid={}, got {}",
                quote(uid),
                quote(found)
            ));
        }
        let (api_version, kind) = (text(&review, "/apiVersion"), text(&review, "/kind"));
        if strict && (api_version, kind) != ("admission.k8s.io/v1", "AdmissionReview") {
            return invalid(format!(
                "expected webhook response of admission.k8s.io/v1, Kind=AdmissionReview, got {api_version}, Kind={kind}"
            ));
        }
        let patch =
            match response.get("patch").and_then(Value::as_str) {
                None | Some("") => None,
                Some(base64) => {
                    use base64::Engine;
                    let engine = base64::engine::general_purpose::STANDARD;
                    Some(engine.decode(base64).map_err(|e| {
                        Unreadable::Text(format!("response.patch is no base64: {e}"))
                    })?)
                }
            };
        let patch_type = response.get("patchType").and_then(Value::as_str);
        if strict {
            match (mutating, patch.is_some(), patch_type) {
                (true, true, None) => {
                    return invalid(
                        "webhook returned response.patch but not response.patchType".to_owned(),
                    );
                }
                (true, false, Some(_)) => {
                    return invalid(
                        "webhook returned response.patchType but not response.patch".to_owned(),
                    );
                }
                (true, true, Some("")) => {
                    return invalid(
                        "webhook returned invalid response.patchType of \"\"".to_owned(),
                    );
                }
                (true, true, Some(other)) if other != "JSONPatch" => {
                    return Err(Unreadable::Text(format!(
                        "unsupported patch type {}",
                        quote(other)
                    )));
                }
                (false, true, _) => {
                    return invalid("validating webhook may not return response.patch".to_owned());
                }
                (false, _, Some(_)) => {
                    return invalid(
                        "validating webhook may not return response.patchType".to_owned(),
                    );
                }
                _ => {}
            }
        }
        let warnings = response.get("warnings").and_then(Value::as_array);
        Ok(Self {
            allowed: response.get("allowed") == Some(&Value::Bool(true)),
            patch: patch.filter(|_| mutating),
            warnings: warnings
                .into_iter()
                .flatten()
                .filter_map(|w| w.as_str().map(str::to_owned))
                .collect(),
            status: response.get("status").cloned().unwrap_or_default(),
        })
    }
}
