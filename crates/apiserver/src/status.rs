//! Errors as the API server answers them: one [`Failure`] for each kind of
//! `Status` object, with reason, code, details and text of the real server.
//!
//! Texts follow `apimachinery/pkg/api/errors/errors.go` and
//! `apimachinery/pkg/util/validation/field/errors.go` of Kubernetes v1.34.

use serde_json::{Map, Value, json};

use crate::quote::quote;

/// Everything a handler can fail with; becomes a `Status` object.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Failure(Box<FailureInner>);

#[derive(Debug, Clone, PartialEq)]
struct FailureInner {
    code: u16,
    reason: &'static str,
    message: String,
    details: Option<Map<String, Value>>,
    plain: bool,
    retry_after: Option<u32>,
    /// A whole `Status` that somebody else made.
    status: Option<Value>,
    /// Where a list that has expired may go on, for who does not mind gaps.
    token: Option<String>,
}

/// `resource.group`, as errors name a resource.
pub(crate) fn qualified(group: &str, resource: &str) -> String {
    if group.is_empty() {
        resource.to_owned()
    } else {
        format!("{resource}.{group}")
    }
}

impl Failure {
    pub(crate) fn new(code: u16, reason: &'static str, message: impl Into<String>) -> Self {
        Self(Box::new(FailureInner {
            code,
            reason,
            message: message.into(),
            details: None,
            plain: false,
            retry_after: None,
            status: None,
            token: None,
        }))
    }

    /// A refusal whose details name causes, or which has no details.
    pub(crate) fn with_causes(
        code: u16,
        reason: &'static str,
        message: String,
        causes: &[crate::admission::Cause],
    ) -> Self {
        let failure = Self::new(code, reason, message);
        if causes.is_empty() {
            return failure;
        }
        let causes: Vec<Value> = causes
            .iter()
            .map(|c| {
                let mut cause = json!({"reason": c.reason, "message": c.message});
                if !c.field.is_empty() {
                    cause["field"] = Value::String(c.field.clone());
                }
                cause
            })
            .collect();
        failure.detailed(json!({"causes": causes}))
    }

    /// Answers with this `Status` as it is.
    pub(crate) fn with_status(mut self, status: Value) -> Self {
        self.0.status = Some(status);
        self
    }

    fn detailed(mut self, details: Value) -> Self {
        if let Value::Object(mut map) = details {
            map.retain(|_, v| match v {
                Value::String(s) => !s.is_empty(),
                Value::Array(a) => !a.is_empty(),
                Value::Null => false,
                _ => true,
            });
            self.0.details = Some(map);
        }
        self
    }

    fn about(self, group: &str, kind: &str, name: &str) -> Self {
        self.detailed(json!({"name": name, "group": group, "kind": kind}))
    }

    pub(crate) fn code(&self) -> u16 {
        self.0.code
    }

    pub(crate) fn reason(&self) -> &'static str {
        self.0.reason
    }

    pub(crate) fn message(&self) -> &str {
        &self.0.message
    }

    pub(crate) fn retry_after(&self) -> Option<u32> {
        self.0.retry_after
    }

    /// The answer is the bare text, not a `Status` object.
    pub(crate) fn is_plain(&self) -> bool {
        self.0.plain
    }

    pub(crate) fn prefixed(mut self, prefix: &str) -> Self {
        self.0.message = format!("{prefix}{}", self.0.message);
        self
    }

    pub(crate) fn to_status(&self) -> Value {
        if let Some(status) = &self.0.status {
            return status.clone();
        }
        let mut status = json!({
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.0.message,
            "reason": self.0.reason,
            "code": self.0.code,
        });
        if let Some(token) = &self.0.token {
            status["metadata"]["continue"] = Value::from(token.as_str());
        }
        if let Some(details) = &self.0.details {
            status["details"] = Value::Object(details.clone());
        }
        if self.0.reason.is_empty()
            && let Some(map) = status.as_object_mut()
        {
            map.remove("reason");
        }
        status
    }

    pub(crate) fn plain(code: u16, text: impl Into<String>) -> Self {
        let mut failure = Self::new(code, "", text);
        failure.0.plain = true;
        failure
    }

    pub(crate) fn path_not_found() -> Self {
        Self::plain(404, "404 page not found\n")
    }

    pub(crate) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(400, "BadRequest", message)
    }

    pub(crate) fn unauthorized() -> Self {
        Self::new(401, "Unauthorized", "Unauthorized")
    }

    pub(crate) fn not_found(group: &str, resource: &str, name: &str) -> Self {
        Self::new(
            404,
            "NotFound",
            format!("{} {} not found", qualified(group, resource), quote(name)),
        )
        .about(group, resource, name)
    }

    pub(crate) fn already_exists(group: &str, resource: &str, name: &str) -> Self {
        Self::new(
            409,
            "AlreadyExists",
            format!(
                "{} {} already exists",
                qualified(group, resource),
                quote(name)
            ),
        )
        .about(group, resource, name)
    }

    pub(crate) fn generated_name_exists(group: &str, resource: &str, name: &str) -> Self {
        let mut failure = Self::new(
            409,
            "AlreadyExists",
            format!(
                "{} {} already exists, the server was not able to generate a unique name for the object",
                qualified(group, resource),
                quote(name)
            ),
        )
        .detailed(json!({"name": name, "group": group, "kind": resource, "retryAfterSeconds": 1}));
        failure.0.retry_after = Some(1);
        failure
    }

    pub(crate) fn conflict(group: &str, resource: &str, name: &str, why: &str) -> Self {
        Self::new(
            409,
            "Conflict",
            format!(
                "Operation cannot be fulfilled on {} {}: {why}",
                qualified(group, resource),
                quote(name)
            ),
        )
        .about(group, resource, name)
    }

    pub(crate) fn stale(group: &str, resource: &str, name: &str) -> Self {
        Self::conflict(
            group,
            resource,
            name,
            "the object has been modified; please apply your changes to the latest version and try again",
        )
    }

    pub(crate) fn apply_conflict(message: String, causes: &[Value]) -> Self {
        Self::new(409, "Conflict", message).detailed(json!({"causes": causes}))
    }

    pub(crate) fn forbidden(group: &str, resource: &str, name: &str, why: &str) -> Self {
        let message = if resource.is_empty() {
            format!("forbidden: {why}")
        } else if name.is_empty() {
            format!("{} is forbidden: {why}", qualified(group, resource))
        } else {
            format!(
                "{} {} is forbidden: {why}",
                qualified(group, resource),
                quote(name)
            )
        };
        Self::new(403, "Forbidden", message).about(group, resource, name)
    }

    /// 403 of a write into a namespace that is going away.
    pub(crate) fn namespace_terminating(
        group: &str,
        resource: &str,
        name: &str,
        namespace: &str,
    ) -> Self {
        let why = format!(
            "unable to create new content in namespace {namespace} because it is being terminated"
        );
        let mut failure = Self::forbidden(group, resource, name, &why);
        if let Some(details) = &mut failure.0.details {
            details.insert(
                "causes".to_owned(),
                json!([{
                    "reason": "NamespaceTerminating",
                    "message": format!("namespace {namespace} is being terminated"),
                    "field": "metadata.namespace",
                }]),
            );
        }
        failure
    }

    pub(crate) fn invalid(group: &str, kind: &str, name: &str, errors: &[FieldError]) -> Self {
        let causes: Vec<Value> = errors
            .iter()
            .map(|e| json!({"reason": e.kind.reason(), "message": e.body(), "field": e.place()}))
            .collect();
        let subject = format!("{} {}", qualified(group, kind), quote(name));
        let message = match aggregate(errors) {
            Some(all) => format!("{subject} is invalid: {all}"),
            None => format!("{subject} is invalid"),
        };
        Self::new(422, "Invalid", message)
            .detailed(json!({"name": name, "group": group, "kind": kind, "causes": causes}))
    }

    /// 422 of a JSON patch that does not fit: the real server gives no reason.
    pub(crate) fn unprocessable() -> Self {
        Self::new(
            422,
            "Invalid",
            "the server rejected our request due to an error in our request",
        )
        .detailed(json!({}))
    }

    /// 404 of a resource that a built-in group does not have.
    pub(crate) fn generic_not_found() -> Self {
        Self::new(
            404,
            "NotFound",
            "the server could not find the requested resource",
        )
        .detailed(json!({}))
    }

    /// 410 of a list that is continued, or a watch that starts, too far back.
    pub(crate) fn expired(message: impl Into<String>) -> Self {
        Self::new(410, "Expired", message)
    }

    /// The same for a list that may go on from a token, if with gaps.
    pub(crate) fn expired_list(message: &str, token: String) -> Self {
        let mut failure = Self::expired(message);
        failure.0.token = Some(token);
        failure
    }

    pub(crate) fn method_not_allowed_text(group: &str, resource: &str, message: &str) -> Self {
        Self::new(405, "MethodNotAllowed", message)
            .detailed(json!({"group": group, "kind": resource}))
    }

    /// 405 of a path whose methods do not include the one that was used.
    pub(crate) fn generic_method_not_allowed() -> Self {
        Self::new(
            405,
            "MethodNotAllowed",
            "the server does not allow this method on the requested resource",
        )
        .detailed(json!({}))
    }

    /// 406 of a list whose items' metadata is asked for as if it were one object.
    pub(crate) fn not_metadata_of_one(list: &str) -> Self {
        Self::new(
            406,
            "NotAcceptable",
            format!(
                "you requested PartialObjectMetadata, but the requested object is a list ({list})"
            ),
        )
    }

    /// 405 of a verb that a custom resource does not have.
    pub(crate) fn method_not_supported(group: &str, resource: &str, verb: &str) -> Self {
        let message = format!(
            "{verb} is not supported on resources of kind {}",
            quote(&qualified(group, resource))
        );
        Self::method_not_allowed_text(group, resource, &message)
    }

    pub(crate) fn unsupported_media_type(accepted: &[&str]) -> Self {
        Self::new(
            415,
            "UnsupportedMediaType",
            format!(
                "the body of the request was in an unknown format - accepted media types include: {}",
                accepted.join(", ")
            ),
        )
    }

    pub(crate) fn not_acceptable(accepted: &[&str]) -> Self {
        Self::new(
            406,
            "NotAcceptable",
            format!(
                "only the following media types are accepted: {}",
                accepted.join(", ")
            ),
        )
    }

    pub(crate) fn too_large(limit: usize) -> Self {
        Self::new(
            413,
            "RequestEntityTooLarge",
            format!("Request entity too large: limit is {limit}"),
        )
    }

    /// 504 of a read that asks for a version which was not written yet.
    pub(crate) fn version_too_large(asked: u64, current: u64) -> Self {
        let message = format!("Too large resource version: {asked}, current: {current}");
        let mut failure = Self::new(504, "Timeout", format!("Timeout: {message}")).detailed(json!({
            "causes": [{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}],
            "retryAfterSeconds": 1,
        }));
        failure.0.retry_after = Some(1);
        failure
    }

    pub(crate) fn internal(why: &str) -> Self {
        Self::new(
            500,
            "InternalError",
            format!("Internal error occurred: {why}"),
        )
        .detailed(json!({"causes": [{"message": why}]}))
    }
}

/// What is wrong with one field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ErrorKind {
    Required,
    NotFound,
    Invalid,
    TypeInvalid,
    NotSupported,
    Forbidden,
    TooLong,
    TooMany,
    Duplicate,
}

impl ErrorKind {
    fn reason(self) -> &'static str {
        match self {
            Self::Required => "FieldValueRequired",
            Self::NotFound => "FieldValueNotFound",
            Self::Invalid => "FieldValueInvalid",
            Self::TypeInvalid => "FieldValueTypeInvalid",
            Self::NotSupported => "FieldValueNotSupported",
            Self::Forbidden => "FieldValueForbidden",
            Self::TooLong => "FieldValueTooLong",
            Self::TooMany => "FieldValueTooMany",
            Self::Duplicate => "FieldValueDuplicate",
        }
    }

    fn text(self) -> &'static str {
        match self {
            Self::Required => "Required value",
            Self::NotFound => "Not found",
            Self::Invalid | Self::TypeInvalid => "Invalid value",
            Self::NotSupported => "Unsupported value",
            Self::Forbidden => "Forbidden",
            Self::TooLong => "Too long",
            Self::TooMany => "Too many",
            Self::Duplicate => "Duplicate value",
        }
    }
}

/// One entry of an `is invalid: […]` answer.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct FieldError {
    pub(crate) kind: ErrorKind,
    pub(crate) field: String,
    /// As Go prints it; `None` where the kind shows no value.
    pub(crate) value: Option<String>,
    pub(crate) detail: String,
}

impl FieldError {
    pub(crate) fn required(field: impl Into<String>, detail: impl Into<String>) -> Self {
        Self {
            kind: ErrorKind::Required,
            field: field.into(),
            value: None,
            detail: detail.into(),
        }
    }

    /// Names something that is not there.
    pub(crate) fn not_found(field: impl Into<String>, value: &str) -> Self {
        Self {
            kind: ErrorKind::NotFound,
            field: field.into(),
            value: Some(quote(value)),
            detail: String::new(),
        }
    }

    pub(crate) fn forbidden(field: impl Into<String>, detail: impl Into<String>) -> Self {
        Self {
            kind: ErrorKind::Forbidden,
            field: field.into(),
            value: None,
            detail: detail.into(),
        }
    }

    pub(crate) fn invalid(
        field: impl Into<String>,
        value: &Value,
        detail: impl Into<String>,
    ) -> Self {
        Self {
            kind: ErrorKind::Invalid,
            field: field.into(),
            value: Some(go_value(value)),
            detail: detail.into(),
        }
    }

    pub(crate) fn invalid_str(
        field: impl Into<String>,
        value: &str,
        detail: impl Into<String>,
    ) -> Self {
        Self {
            kind: ErrorKind::Invalid,
            field: field.into(),
            value: Some(quote(value)),
            detail: detail.into(),
        }
    }

    pub(crate) fn type_invalid(
        field: impl Into<String>,
        value: &Value,
        detail: impl Into<String>,
    ) -> Self {
        Self {
            kind: ErrorKind::TypeInvalid,
            field: field.into(),
            value: Some(go_value(value)),
            detail: detail.into(),
        }
    }

    pub(crate) fn duplicate(field: impl Into<String>, value: &Value) -> Self {
        Self {
            kind: ErrorKind::Duplicate,
            field: field.into(),
            value: Some(go_value(value)),
            detail: String::new(),
        }
    }

    pub(crate) fn not_supported(
        field: impl Into<String>,
        value: &Value,
        supported: &[String],
    ) -> Self {
        let detail = if supported.is_empty() {
            String::new()
        } else {
            let quoted: Vec<String> = supported.iter().map(|s| quote(s)).collect();
            format!("supported values: {}", quoted.join(", "))
        };
        Self {
            kind: ErrorKind::NotSupported,
            field: field.into(),
            value: Some(go_value(value)),
            detail,
        }
    }

    pub(crate) fn too_long(field: impl Into<String>, max: i64) -> Self {
        let unit = if max == 1 { "byte" } else { "bytes" };
        Self {
            kind: ErrorKind::TooLong,
            field: field.into(),
            value: None,
            detail: format!("may not be more than {max} {unit}"),
        }
    }

    pub(crate) fn too_many(field: impl Into<String>, actual: usize, max: usize) -> Self {
        let unit = if max == 1 { "item" } else { "items" };
        Self {
            kind: ErrorKind::TooMany,
            field: field.into(),
            value: Some(actual.to_string()),
            detail: format!("must have at most {max} {unit}"),
        }
    }

    /// Whether the object is so wrong that rules about it make no sense.
    pub(crate) fn blocks_rules(&self) -> bool {
        matches!(
            self.kind,
            ErrorKind::NotSupported
                | ErrorKind::Required
                | ErrorKind::TooLong
                | ErrorKind::TooMany
                | ErrorKind::TypeInvalid
        )
    }

    /// The text without the field's path.
    pub(crate) fn body(&self) -> String {
        let mut out = self.kind.text().to_owned();
        if let Some(value) = &self.value {
            out.push_str(": ");
            out.push_str(value);
        }
        if !self.detail.is_empty() {
            out.push_str(": ");
            out.push_str(&self.detail);
        }
        out
    }

    /// The field; no field at all prints like this in Go.
    fn place(&self) -> &str {
        if self.field.is_empty() {
            "<nil>"
        } else {
            &self.field
        }
    }

    pub(crate) fn text(&self) -> String {
        format!("{}: {}", self.place(), self.body())
    }
}

/// Go's aggregate of errors: each text once, in brackets when there are several.
fn aggregate(errors: &[FieldError]) -> Option<String> {
    let mut texts: Vec<String> = Vec::new();
    for error in errors {
        let text = error.text();
        if !texts.contains(&text) {
            texts.push(text);
        }
    }
    match texts.len() {
        0 => None,
        1 => texts.pop(),
        _ => Some(format!("[{}]", texts.join(", "))),
    }
}

/// A value as `field.Error` prints it: strings quoted, numbers and booleans
/// bare, objects and lists as JSON, nothing as `null`.
pub(crate) fn go_value(value: &Value) -> String {
    match value {
        Value::String(s) => quote(s),
        Value::Null => "null".to_owned(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_field_errors_are_listed_in_brackets_and_each_once() {
        let one = FieldError::required("spec.a", "");
        let two = FieldError::invalid("spec.b", &json!("x"), "too bad");
        let failure = Failure::invalid("g.io", "K", "n", &[one.clone(), two, one]);
        assert_eq!(
            failure.message(),
            "K.g.io \"n\" is invalid: [spec.a: Required value, spec.b: Invalid value: \"x\": too bad]"
        );
    }
}
