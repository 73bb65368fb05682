//! Access reviews: `kubectl auth can-i` and controllers ask what they may do,
//! `kubectl auth whoami` who they are. Whoever gets in here may do everything.

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
    if is_self_review(path) {
        return Some(who_am_i(call));
    }
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

/// Whether a path is that of `kubectl auth whoami`, whose body says nothing.
pub(crate) fn is_self_review(path: &ResourcePath) -> bool {
    (path.group.as_str(), path.version.as_str()) == ("authentication.k8s.io", "v1")
        && path.plural == "selfsubjectreviews"
}

fn who_am_i(call: &Call) -> Result<Reply, Failure> {
    if call.method != Method::POST {
        return Err(Failure::generic_method_not_allowed());
    }
    let user = json!({"username": call.user.name, "groups": call.user.groups});
    let now = crate::clock::rfc3339(call.server.now());
    let review = json!({"kind": "SelfSubjectReview", "apiVersion": "authentication.k8s.io/v1",
        "metadata": {"creationTimestamp": now}, "status": {"userInfo": user}});
    Ok(Reply::value(201, &review))
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
