//! The admission seam: hooks that see each write before it is stored, first all
//! that may change it, then all that may only refuse it. Stored webhook
//! configurations are one more hook, behind those in process ([`crate::webhook`]).

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;

use crate::look::WeakApiServer;
use crate::resource::{group_version, split_group_version, text};
use crate::status::Failure;

/// Who sent a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserInfo {
    /// The user's name.
    pub name: String,
    /// The groups that the user is in.
    pub groups: Vec<String>,
}

impl UserInfo {
    /// The administrator that [`crate::ApiServer::client`] speaks as.
    #[must_use]
    pub fn admin() -> Self {
        Self {
            name: "admin".to_owned(),
            groups: vec![
                "system:masters".to_owned(),
                "system:authenticated".to_owned(),
            ],
        }
    }
}

impl From<&str> for UserInfo {
    fn from(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            groups: vec!["system:authenticated".to_owned()],
        }
    }
}

impl From<String> for UserInfo {
    fn from(name: String) -> Self {
        Self::from(name.as_str())
    }
}

/// What a write does to an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// A new object.
    Create,
    /// A change of an object, by PUT, PATCH or apply.
    Update,
    /// A deletion, also one that only sets the deletion time.
    Delete,
}

/// A write that is about to happen.
#[derive(Debug, Clone)]
pub struct AdmissionRequest {
    /// What is done.
    pub operation: Operation,
    /// API group of the resource, empty for the core group.
    pub group: String,
    /// API version of the request.
    pub version: String,
    /// Plural name of the resource.
    pub resource: String,
    /// Kind of the object.
    pub kind: String,
    /// `status` and the like; empty for the object itself.
    pub subresource: String,
    /// Namespace, empty for a resource of the cluster.
    pub namespace: String,
    /// Name of the object.
    pub name: String,
    /// Who asks.
    pub user: UserInfo,
    /// Nothing will be stored.
    pub dry_run: bool,
    /// The object as it will be; `None` for a deletion.
    pub object: Option<Value>,
    /// The object as it is; `None` for a creation.
    pub old_object: Option<Value>,
    /// The request's `CreateOptions`, `UpdateOptions` or `DeleteOptions`.
    pub options: Value,
    pub(crate) warnings: Warnings,
    pub(crate) server: WeakApiServer,
}

impl AdmissionRequest {
    /// Adds a warning to the answer.
    pub fn warn(&self, text: impl Into<String>) {
        self.warnings.add(text.into());
    }

    /// Whether a mutating webhook can be shown the object. What is written may say
    /// that it is of another type, which is refused only after the webhooks; before
    /// one is called, the object is converted to the version that was asked for
    /// (`apiserver/pkg/admission/plugin/webhook/generic/conversion.go`, v1.34).
    ///
    /// # Errors
    /// 500 if the object's group is another one, or its version is not served.
    pub fn check_convertible(&self) -> Result<(), Denial> {
        let Some(object) = &self.object else {
            return Ok(());
        };
        let wanted = group_version(&self.group, &self.version);
        let api_version = text(object, "/apiVersion");
        if api_version == wanted {
            return Ok(());
        }
        let (group, version) = split_group_version(api_version);
        if group != self.group || version.is_empty() {
            return Err(Denial::internal(&format!(
                "Internal error occurred: {} is unstructured and is not suitable for converting to {}",
                crate::managed::shown_type(object),
                crate::quote::quote(&wanted)
            )));
        }
        let served = self.server.upgrade().is_some_and(|server| {
            let registry = server.state().registry.clone();
            registry.get(group, version, &self.resource).is_some()
        });
        if served {
            return Ok(());
        }
        Err(Denial::internal(&format!(
            "Internal error occurred: request to convert CR from an invalid group/version: {api_version}"
        )))
    }

    /// Takes what a mutating webhook has made of the object. That is of the type that
    /// was asked for, whatever type was written.
    pub fn replace_object(&mut self, mut object: Value) {
        object["kind"] = Value::from(self.kind.as_str());
        object["apiVersion"] = Value::from(group_version(&self.group, &self.version));
        self.object = Some(object);
    }

    /// The namespace as webhooks see it: a namespace that exists is in itself.
    pub(crate) fn admission_namespace(&self) -> &str {
        let is_namespace = self.group.is_empty() && self.resource == "namespaces";
        if is_namespace && self.operation != Operation::Create {
            &self.name
        } else {
            &self.namespace
        }
    }
}

/// The warnings of one answer, each once. Clones are the same warnings.
#[derive(Debug, Clone, Default)]
pub(crate) struct Warnings(Arc<Mutex<Vec<String>>>);

impl Warnings {
    pub(crate) fn add(&self, text: String) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !all.contains(&text) {
            all.push(text);
        }
    }

    pub(crate) fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A refusal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denial {
    /// HTTP code of the answer.
    pub code: u16,
    /// `reason` of the answer, such as `Forbidden`, `Invalid`, `BadRequest`.
    pub reason: &'static str,
    /// Text of the answer.
    pub message: String,
    /// What the answer's details name; most refusals have none.
    pub causes: Vec<Cause>,
    /// The whole `Status`, where a webhook gave one.
    status: Option<Value>,
}

/// One cause in a refusal's details.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause {
    /// One word, such as `FieldValueInvalid`.
    pub reason: &'static str,
    /// In words, without the webhook's name.
    pub message: String,
    /// The field that it is about, or empty.
    pub field: String,
}

impl Denial {
    /// 403, as a webhook refuses when it says nothing else.
    ///
    /// The text that a client sees from a webhook starts with `admission
    /// webhook "NAME" denied the request: `; it is added here.
    #[must_use]
    pub fn webhook(name: &str, code: u16, reason: &'static str, why: &str) -> Self {
        let prefix = format!(
            "admission webhook {} denied the request",
            crate::quote::quote(name)
        );
        let message = if why.is_empty() {
            format!("{prefix} without explanation")
        } else {
            format!("{prefix}: {why}")
        };
        Self::plain(code, reason, message)
    }

    /// A refusal in these words.
    #[must_use]
    pub fn plain(code: u16, reason: &'static str, message: String) -> Self {
        Self {
            code,
            reason,
            message,
            causes: Vec::new(),
            status: None,
        }
    }

    /// 403 in the words of the server itself.
    pub(crate) fn forbidden(group: &str, resource: &str, name: &str, why: &str) -> Self {
        let failure = Failure::forbidden(group, resource, name, why);
        Self {
            status: Some(failure.to_status()),
            ..Self::plain(403, "Forbidden", failure.message().to_owned())
        }
    }

    pub(crate) fn internal(why: &str) -> Self {
        let failure = Failure::internal(why);
        Self {
            status: Some(failure.to_status()),
            ..Self::plain(500, "InternalError", failure.message().to_owned())
        }
    }

    /// What a webhook over HTTP refuses with (`webhook/errors/statuserror.go`).
    pub(crate) fn of_webhook(name: &str, mut status: Value) -> Self {
        if !status.is_object() {
            status = serde_json::json!({});
        }
        let text = |status: &Value, key: &str| {
            let found = status.get(key).and_then(Value::as_str);
            found.unwrap_or_default().to_owned()
        };
        let why = match text(&status, "message") {
            message if message.is_empty() => text(&status, "reason"),
            message => message,
        };
        let code = status.get("code").and_then(Value::as_u64).unwrap_or(0);
        let code = u16::try_from(code).ok().filter(|c| (400..600).contains(c));
        let denial = Self::webhook(name, code.unwrap_or(400), "", &why);
        for (key, value) in [
            ("kind", Value::from("Status")),
            ("apiVersion", Value::from("v1")),
            ("status", Value::from("Failure")),
            ("message", Value::from(denial.message.as_str())),
            ("code", Value::from(denial.code)),
        ] {
            status[key] = value;
        }
        if !status.get("metadata").is_some_and(Value::is_object) {
            status["metadata"] = serde_json::json!({});
        }
        Self {
            status: Some(status),
            ..denial
        }
    }

    /// The same refusal, with a cause.
    #[must_use]
    pub fn with_cause(mut self, cause: Cause) -> Self {
        self.causes.push(cause);
        self
    }

    pub(crate) fn into_failure(self) -> Failure {
        match self.status {
            Some(status) => Failure::new(self.code, self.reason, self.message).with_status(status),
            None => Failure::with_causes(self.code, self.reason, self.message, &self.causes),
        }
    }
}

/// What a hook returns: done, or refused.
pub type Verdict<'a> = Pin<Box<dyn Future<Output = Result<(), Denial>> + Send + 'a>>;

/// A hook. Both methods accept everything unless written.
///
/// A hook may use a client of the same server: no lock is held while it runs.
pub trait Admission: Send + Sync + 'static {
    /// May change `request.object`; runs before validation.
    fn mutate<'a>(&'a self, request: &'a mut AdmissionRequest) -> Verdict<'a> {
        let _ = request;
        Box::pin(std::future::ready(Ok(())))
    }

    /// May refuse; runs after validation.
    fn validate<'a>(&'a self, request: &'a AdmissionRequest) -> Verdict<'a> {
        let _ = request;
        Box::pin(std::future::ready(Ok(())))
    }
}
