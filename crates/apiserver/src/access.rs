//! Access reviews: `kubectl auth can-i` and controllers ask what they may do.
//! Whoever gets in here may do everything.

use bytes::Bytes;
use http::Method;
use serde_json::{Value, json};

use crate::reply::Reply;
use crate::request::Call;
use crate::route::ResourcePath;
use crate::status::Failure;

/// Answers a review, or `None` when the path is about something else.
pub(crate) fn review(
    call: &Call,
    path: &ResourcePath,
    body: &Bytes,
) -> Option<Result<Reply, Failure>> {
    if (path.group.as_str(), path.version.as_str()) != ("authorization.k8s.io", "v1") {
        return None;
    }
    let kind = match path.plural.as_str() {
        "selfsubjectaccessreviews" => "SelfSubjectAccessReview",
        "subjectaccessreviews" => "SubjectAccessReview",
        "localsubjectaccessreviews" => "LocalSubjectAccessReview",
        "selfsubjectrulesreviews" => "SelfSubjectRulesReview",
        _ => return None,
    };
    if call.method != Method::POST || path.name.is_some() {
        return Some(Err(Failure::generic_method_not_allowed()));
    }
    Some(answer(kind, body))
}

fn answer(kind: &str, body: &[u8]) -> Result<Reply, Failure> {
    let mut review: Value = serde_json::from_slice(body)
        .ok()
        .filter(|review: &Value| review.get("spec").is_some_and(Value::is_object))
        .ok_or_else(|| {
            Failure::bad_request(format!(
                "the object provided is unrecognized (must be of type {kind})"
            ))
        })?;
    review["apiVersion"] = json!("authorization.k8s.io/v1");
    review["kind"] = json!(kind);
    review["status"] = if kind == "SelfSubjectRulesReview" {
        json!({"incomplete": false,
            "resourceRules": [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}],
            "nonResourceRules": [{"verbs": ["*"], "nonResourceURLs": ["*"]}]})
    } else {
        json!({"allowed": true})
    };
    Ok(Reply::value(201, &review))
}
