//! Where writes and deletions meet the admission hooks.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::admission::{AdmissionRequest, Operation};
use crate::request::{Call, Target};
use crate::server::ApiServer;
use crate::status::Failure;

pub(crate) fn admission_request(
    call: &Call,
    target: &Target,
    operation: Operation,
    dry_run: bool,
) -> AdmissionRequest {
    AdmissionRequest {
        operation,
        group: target.resource.group.clone(),
        version: target.resource.version.clone(),
        resource: target.resource.plural.clone(),
        kind: target.resource.kind.clone(),
        subresource: target.subresource.clone(),
        namespace: target.namespace.clone(),
        name: String::new(),
        user: (*call.user).clone(),
        dry_run,
        object: None,
        old_object: None,
        options: options(call, operation, dry_run),
        warnings: call.warnings.clone(),
        server: call.server.downgrade(),
    }
}

/// The options of a request as webhooks see them.
fn options(call: &Call, operation: Operation, dry_run: bool) -> Value {
    let kind = match operation {
        Operation::Create => "CreateOptions",
        Operation::Update => "UpdateOptions",
        Operation::Delete => "DeleteOptions",
    };
    let mut options = json!({"kind": kind, "apiVersion": "meta.k8s.io/v1"});
    if dry_run {
        options["dryRun"] = json!(["All"]);
    }
    if operation != Operation::Delete {
        for key in ["fieldManager", "fieldValidation"] {
            if let Some(value) = call.query.get(key) {
                options[key] = Value::from(value);
            }
        }
    }
    options
}

fn hooks(server: &ApiServer) -> Vec<Arc<dyn crate::admission::Admission>> {
    let mut hooks = server
        .inner
        .admission
        .read()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
        .clone();
    if let Some(webhooks) = crate::webhook::Webhooks::of(server) {
        hooks.push(Arc::new(webhooks));
    }
    hooks
}

/// Runs the mutating hooks over `object`.
pub(super) async fn mutate(
    server: &ApiServer,
    request: &mut AdmissionRequest,
    object: Value,
) -> Result<Value, Failure> {
    request.object = Some(object);
    for hook in hooks(server) {
        hook.mutate(request)
            .await
            .map_err(crate::admission::Denial::into_failure)?;
    }
    Ok(request.object.take().unwrap_or_default())
}

pub(crate) async fn mutate_delete(
    server: &ApiServer,
    request: &mut AdmissionRequest,
) -> Result<(), Failure> {
    for hook in hooks(server) {
        hook.mutate(request)
            .await
            .map_err(crate::admission::Denial::into_failure)?;
    }
    Ok(())
}

/// Runs the validating hooks.
pub(crate) async fn validate(
    server: &ApiServer,
    request: &AdmissionRequest,
) -> Result<(), Failure> {
    for hook in hooks(server) {
        hook.validate(request)
            .await
            .map_err(crate::admission::Denial::into_failure)?;
    }
    Ok(())
}
