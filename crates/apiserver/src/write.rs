//! POST, PUT and PATCH: decoding, the order of the checks, and the write.
//!
//! The order is the real server's: decode, prune and default; managed fields;
//! mutating admission; strategy and validation; validating admission; store.
//! An update is computed without the lock and stored only when nobody else
//! wrote in between, else computed again.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::Value;

use crate::admission::{AdmissionRequest, Operation};
use crate::builtin::Kind;
use crate::managed;
use crate::meta::{self, NameRule};
use crate::quote::quote;
use crate::reply::Reply;
use crate::request::{Call, FieldValidation, Target};
use crate::resource::text;
use crate::server::ApiServer;
use crate::status::{Failure, FieldError};
use crate::store::Stored;
use crate::strategy;

/// Attempts at a generated name before giving up, as in the real server.
const NAME_ATTEMPTS: usize = 8;

/// Decodes a body that must be one object of the target's kind.
fn decode(call: &Call, target: &Target, body: &[u8]) -> Result<Value, Failure> {
    let resource = &target.resource;
    let media = call
        .content_type
        .split(';')
        .next()
        .unwrap_or_default()
        .trim();
    if !matches!(media, "" | "application/json" | "*/*") {
        return Err(Failure::unsupported_media_type(&[
            "application/json",
            "application/yaml",
            "application/vnd.kubernetes.protobuf",
        ]));
    }
    let unrecognised = |why: String| {
        let mut shown: String =
            String::from_utf8_lossy(body.get(..30).unwrap_or(body)).into_owned();
        if body.len() > 30 {
            shown.push_str(" ...");
        }
        if body.first() != Some(&b'{') {
            let head = body.get(..30).unwrap_or(body);
            shown = head.iter().map(|b| format!("{b:02x}")).collect();
            if body.len() > 30 {
                shown.push_str(" ...");
            }
        }
        if body.is_empty() {
            shown = "<empty>".to_owned();
        }
        Failure::bad_request(format!(
            "the object provided is unrecognized (must be of type {}): {why} ({shown})",
            resource.kind
        ))
    };
    if body.is_empty() {
        return Err(unrecognised(
            "couldn't get version/kind; json parse error: unexpected end of JSON input".to_owned(),
        ));
    }
    let (mut object, duplicates) = crate::json::parse(body).map_err(|e| {
        let why = if e.is_eof() {
            "unexpected end of JSON input".to_owned()
        } else {
            e.to_string()
        };
        unrecognised(format!(
            "couldn't get version/kind; json parse error: {why}"
        ))
    })?;
    if object.is_object() && resource.is_custom() && text(&object, "/kind").is_empty() {
        return Err(unrecognised(format!(
            "Object 'Kind' is missing in '{}'",
            String::from_utf8_lossy(body)
        )));
    }
    if !object.is_object() {
        return Err(unrecognised(format!(
            "couldn't get version/kind; json parse error: json: cannot unmarshal {} into Go value of type struct {{ APIVersion string \"json:\\\"apiVersion,omitempty\\\"\"; Kind string \"json:\\\"kind,omitempty\\\"\" }}",
            meta::go_kind(&object)
        )));
    }
    check_type(target, &mut object)?;
    shape(call, target, &mut object, &duplicates)?;
    Ok(object)
}

/// Checks `apiVersion` and `kind`; core kinds get them when they are missing.
fn check_type(target: &Target, object: &mut Value) -> Result<(), Failure> {
    let resource = &target.resource;
    if !resource.is_custom() {
        for (key, value) in [
            ("apiVersion", resource.api_version()),
            ("kind", resource.kind.clone()),
        ] {
            if text(object, &format!("/{key}")).is_empty() {
                object[key] = Value::String(value);
            }
        }
    }
    let (api_version, kind) = (text(object, "/apiVersion"), text(object, "/kind"));
    if kind.is_empty() {
        return Err(Failure::bad_request(format!(
            "Object 'Kind' is missing in '{object}'"
        )));
    }
    if api_version != resource.api_version() {
        return Err(Failure::bad_request(format!(
            "the API version in the data ({api_version}) does not match the expected API version ({})",
            resource.api_version()
        )));
    }
    if kind != resource.kind && !resource.is_custom() {
        return Err(Failure::bad_request(format!(
            "{kind} in version {} cannot be handled as a {}: converting ({}.{kind}) to (core.{}): unknown conversion",
            quote(&resource.version),
            resource.kind,
            resource.version,
            resource.kind
        )));
    }
    Ok(())
}

/// Prunes and defaults; unknown and doubled fields are answered as the request asks.
fn shape(
    call: &Call,
    target: &Target,
    object: &mut Value,
    duplicates: &[String],
) -> Result<(), Failure> {
    let resource = &target.resource;
    let validation = FieldValidation::of(&call.query)?;
    let fail = |why: &str| {
        Failure::bad_request(format!(
            "{} in version {} cannot be handled as a {}: {why}",
            resource.kind,
            quote(&resource.version),
            resource.kind
        ))
    };
    let mut unknown = meta::normalise(object).map_err(|why| fail(&why))?;
    match &resource.schema {
        Some(schema) => {
            unknown.extend(schema.prune(object));
            schema.default_object(object);
        }
        None => unknown.extend(strategy::shape_core(resource, object).map_err(|why| fail(&why))?),
    }
    unknown.sort();
    let complaints: Vec<String> = duplicates
        .iter()
        .map(|path| format!("duplicate field {}", quote(path)))
        .chain(
            unknown
                .iter()
                .map(|path| format!("unknown field {}", quote(path))),
        )
        .collect();
    match validation {
        FieldValidation::Ignore => {}
        FieldValidation::Warn => complaints.into_iter().for_each(|c| call.warn(c)),
        FieldValidation::Strict if complaints.is_empty() => {}
        FieldValidation::Strict => {
            return Err(fail(&format!(
                "strict decoding error: {}",
                complaints.join(", ")
            )));
        }
    }
    Ok(())
}

/// POST to a collection.
pub(crate) async fn create(call: &Call, target: &Target, body: Bytes) -> Result<Reply, Failure> {
    check_manager(call, "CreateOptions")?;
    let dry_run = call.query.dry_run()?;
    let object = decode(call, target, &body)?;
    let created = create_object(
        call,
        target,
        object,
        dry_run,
        true,
        &managed::Write::update(call, target),
    )
    .await?;
    crate::read::reply_object(call, &target.resource, 201, created)
}

/// `fieldManager` must be printable and at most 128 bytes long.
fn check_manager(call: &Call, options: &str) -> Result<(), Failure> {
    let Some(manager) = call.query.get("fieldManager") else {
        return Ok(());
    };
    let error = if manager.len() > 128 {
        FieldError::too_long("fieldManager", 128)
    } else if manager.chars().any(char::is_control) {
        FieldError::invalid_str(
            "fieldManager",
            manager,
            "should only contain printable characters",
        )
    } else {
        return Ok(());
    };
    Err(Failure::invalid("meta.k8s.io", options, "", &[error]))
}

/// Creates an object that was decoded; also used when PUT or apply creates.
async fn create_object(
    call: &Call,
    target: &Target,
    mut object: Value,
    dry_run: bool,
    fresh: bool,
    managed: &managed::Write,
) -> Result<Bytes, Failure> {
    let resource = &target.resource;
    if fresh {
        check_namespace_of(target, &object)?;
    }
    let generated =
        meta::name(&object).is_empty() && !meta::text(&object, "generateName").is_empty();
    dedup_owners(call, &mut object);
    if fresh {
        // An object that apply creates has its fields recorded already.
        managed::on_create(managed, resource, &mut object);
    }
    if resource.namespaced {
        check_namespace(call, target, meta::name(&object))?;
    }
    let mut request = admission_request(call, target, Operation::Create, dry_run);
    if request.name.is_empty() {
        request.name = meta::name(&object).to_owned();
    }
    let object = mutate(&call.server, &mut request, object).await?;
    for attempt in 1.. {
        match try_create(call, target, object.clone(), &mut request, dry_run, fresh).await {
            Err(failure)
                if generated && failure.reason() == "AlreadyExists" && attempt < NAME_ATTEMPTS => {}
            Err(failure) if generated && failure.reason() == "AlreadyExists" => {
                return Err(Failure::generated_name_exists(
                    &resource.group,
                    &resource.plural,
                    request.name.as_str(),
                ));
            }
            other => return other,
        }
    }
    Err(Failure::internal("the loop above has no other end"))
}

async fn try_create(
    call: &Call,
    target: &Target,
    mut object: Value,
    request: &mut AdmissionRequest,
    dry_run: bool,
    fresh: bool,
) -> Result<Bytes, Failure> {
    let resource = &target.resource;
    let server = &call.server;
    let now = crate::clock::rfc3339(server.now());
    {
        let mut state = server.state();
        let uid = state.new_uid();
        let generate = meta::text(&object, "generateName").to_owned();
        let meta = meta::of_mut(&mut object);
        meta.insert("uid".to_owned(), Value::String(uid));
        meta.insert("creationTimestamp".to_owned(), Value::String(now));
        meta.remove("deletionTimestamp");
        meta.remove("deletionGracePeriodSeconds");
        meta.remove("selfLink");
        if resource.namespaced {
            meta.insert(
                "namespace".to_owned(),
                Value::String(target.namespace.clone()),
            );
        }
        let unnamed = meta
            .get("name")
            .and_then(Value::as_str)
            .unwrap_or_default()
            .is_empty();
        if unnamed && !generate.is_empty() {
            let name = format!(
                "{}{}",
                crate::names::generated_base(&generate),
                state.new_suffix()
            );
            meta.insert("name".to_owned(), Value::String(name));
        }
    }
    if resource.behaviour.counts_generations() {
        meta::set(&mut object, "generation", Some(Value::from(1)));
    } else {
        meta::set(&mut object, "generation", None);
    }
    strategy::prepare_create(resource, &mut object);
    let name = meta::name(&object).to_owned();
    let errors = strategy::validate_create(resource, &object);
    if !errors.is_empty() {
        return Err(Failure::invalid(
            &resource.group,
            text(&object, "/kind"),
            &name,
            &errors,
        ));
    }
    strategy::warnings(call, resource, &object, None);
    name.clone_into(&mut request.name);
    request.object = Some(object);
    validate(server, request).await?;
    let mut object = request.object.take().unwrap_or_default();
    let key = target.key(&name);
    let mut state = server.state();
    // The definition may have changed while hooks ran.
    let current = state
        .registry
        .get(&resource.group, &resource.version, &resource.plural);
    if current.is_none() {
        return Err(Failure::path_not_found());
    }
    if resource.namespaced {
        check_namespace_in(&state, target, &name)?;
    }
    // The real server's storage checks this, which a dry run does not reach;
    // an apply that creates takes any version.
    if !dry_run && fresh {
        non_zero_version(&object)?;
    }
    if let Some(existing) = state.get(&resource.table, &key) {
        let failure = Failure::already_exists(&resource.group, &resource.plural, &name);
        return Err(if existing.terminating {
            failure.prefixed("object is being deleted: ")
        } else {
            failure
        });
    }
    if resource.is_custom() && crate::crd::is_terminating(&state, resource) {
        return Err(Failure::method_not_allowed_text(
            &resource.group,
            &resource.plural,
            "create not allowed while custom resource definition is terminating",
        ));
    }
    if resource.behaviour == Kind::Definition {
        crate::crd::establish(&state, &mut object, &crate::clock::rfc3339(server.now()))?;
    }
    if dry_run {
        return Ok(Bytes::from(object.to_string()));
    }
    meta::set(&mut object, "resourceVersion", None);
    let stored = state.put(resource, key, object);
    if resource.behaviour == Kind::Definition {
        crate::crd::register(&mut state, &stored)?;
    }
    drop(state);
    server
        .inner
        .collector
        .noticed(server, resource, None, &stored);
    Ok(crate::convert::to_bytes(resource, &stored))
}

/// `resourceVersion` of an object to be created must not be set, except to 0.
fn non_zero_version(object: &Value) -> Result<(), Failure> {
    match meta::text(object, "resourceVersion") {
        "" | "0" => Ok(()),
        _ => Err(Failure::new(
            500,
            "",
            "resourceVersion should not be set on objects to be created",
        )),
    }
}

fn check_namespace_of(target: &Target, object: &Value) -> Result<(), Failure> {
    let given = meta::text(object, "namespace");
    if target.resource.namespaced {
        if !given.is_empty() && given != target.namespace {
            return Err(Failure::bad_request(
                "the namespace of the provided object does not match the namespace sent on the request",
            ));
        }
    } else if !given.is_empty() && target.resource.is_custom() {
        return Err(Failure::bad_request(
            "namespace may not be set on cluster-scoped objects",
        ));
    }
    Ok(())
}

/// A namespace must exist, and not be going away, for content to be created in it.
fn check_namespace(call: &Call, target: &Target, name: &str) -> Result<(), Failure> {
    check_namespace_in(&call.server.state(), target, name)
}

fn check_namespace_in(
    state: &crate::server::State,
    target: &Target,
    name: &str,
) -> Result<(), Failure> {
    let table = crate::resource::TableKey {
        group: String::new(),
        plural: "namespaces".to_owned(),
    };
    match state.get(&table, &target.namespace) {
        None => Err(Failure::not_found("", "namespaces", &target.namespace)),
        Some(namespace) if namespace.terminating => Err(Failure::namespace_terminating(
            &target.resource.group,
            &target.resource.plural,
            name,
            &target.namespace,
        )),
        Some(_) => Ok(()),
    }
}

/// Owner references that are there twice are dropped with a warning.
fn dedup_owners(call: &Call, object: &mut Value) {
    let Some(Value::Array(owners)) = meta::of_mut(object).get_mut("ownerReferences") else {
        return;
    };
    let mut kept: Vec<Value> = Vec::with_capacity(owners.len());
    let mut twice = Vec::new();
    for owner in owners.drain(..) {
        if kept.contains(&owner) {
            twice.push(text(&owner, "/uid").to_owned());
        } else {
            kept.push(owner);
        }
    }
    *owners = kept;
    if !twice.is_empty() {
        call.warn(format!(
            ".metadata.ownerReferences contains duplicate entries; API server dedups owner references in 1.20+, and may reject such requests as early as 1.24; please fix your requests; duplicate UID(s) observed: {}",
            twice.join(", ")
        ));
    }
}

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
    }
}

fn hooks(server: &ApiServer) -> Vec<Arc<dyn crate::admission::Admission>> {
    server
        .inner
        .admission
        .read()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
        .clone()
}

/// Runs the mutating hooks over `object`.
async fn mutate(
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

/// Where the new state of an object comes from.
enum Source {
    /// PUT: this object.
    Object(Value),
    /// PATCH: this change of whatever is there.
    Patch(crate::patch::Patch),
}

/// PUT of an object or a subresource.
pub(crate) async fn replace(
    call: &Call,
    target: &Target,
    name: &str,
    body: Bytes,
) -> Result<Reply, Failure> {
    check_manager(call, "UpdateOptions")?;
    let dry_run = call.query.dry_run()?;
    let object = decode(call, target, &body)?;
    let named = meta::name(&object);
    if named.is_empty() {
        return Err(Failure::bad_request(format!(
            "the name of the object ({name} based on URL) was undeterminable: name must be provided"
        )));
    }
    if named != name {
        return Err(Failure::bad_request(format!(
            "the name of the object ({named}) does not match the name on the URL ({name})"
        )));
    }
    let namespace = meta::text(&object, "namespace");
    if !target.namespace.is_empty() && !namespace.is_empty() && namespace != target.namespace {
        return Err(Failure::bad_request(
            "the namespace of the provided object does not match the namespace sent on the request",
        ));
    }
    if target.resource.namespaced {
        check_terminating_for_update(call, target, name)?;
    }
    let (code, json) = update(call, target, name, &Source::Object(object), dry_run).await?;
    crate::read::reply_object(call, &target.resource, code, json)
}

/// Only a missing namespace matters for an update; a terminating one does not.
fn check_terminating_for_update(call: &Call, target: &Target, _name: &str) -> Result<(), Failure> {
    let table = crate::resource::TableKey {
        group: String::new(),
        plural: "namespaces".to_owned(),
    };
    if call.server.state().get(&table, &target.namespace).is_none() {
        return Err(Failure::not_found("", "namespaces", &target.namespace));
    }
    Ok(())
}

/// PATCH of an object or a subresource.
pub(crate) async fn patch(
    call: &Call,
    target: &Target,
    name: &str,
    body: Bytes,
) -> Result<Reply, Failure> {
    let patch = crate::patch::Patch::decode(call, target, &body)?;
    check_manager(call, "PatchOptions")?;
    let dry_run = call.query.dry_run()?;
    FieldValidation::of(&call.query)?;
    let (code, json) = update(call, target, name, &Source::Patch(patch), dry_run).await?;
    crate::read::reply_object(call, &target.resource, code, json)
}

/// How often an update is computed again because somebody else wrote.
const UPDATE_ATTEMPTS: usize = 1000;

async fn update(
    call: &Call,
    target: &Target,
    name: &str,
    source: &Source,
    dry_run: bool,
) -> Result<(u16, Bytes), Failure> {
    for _ in 0..UPDATE_ATTEMPTS {
        if let Some(done) = try_update(call, target, name, source, dry_run).await? {
            return Ok(done);
        }
    }
    Err(Failure::stale(
        &target.resource.group,
        &target.resource.plural,
        name,
    ))
}

/// One attempt; `None` when the object changed meanwhile.
async fn try_update(
    call: &Call,
    target: &Target,
    name: &str,
    source: &Source,
    dry_run: bool,
) -> Result<Option<(u16, Bytes)>, Failure> {
    let resource = &target.resource;
    let server = &call.server;
    let key = target.key(name);
    let existing = server.state().get(&resource.table, &key);
    let Some(existing) = existing else {
        return create_by_update(call, target, name, source, dry_run)
            .await
            .map(Some);
    };
    let old = crate::convert::to_value(resource, &existing);
    let mut new = match source {
        Source::Object(object) => {
            let uid = meta::text(object, "uid");
            if !uid.is_empty() && uid != existing.uid {
                return Err(Failure::conflict(
                    &resource.group,
                    &resource.plural,
                    name,
                    &format!(
                        "StorageError: invalid object, Code: 4, Key: {}, ResourceVersion: 0, AdditionalErrorMsg: Precondition failed: UID in precondition: {uid}, UID in object meta: {}",
                        registry_key(resource, &key),
                        existing.uid
                    ),
                ));
            }
            let mut new = object.clone();
            dedup_owners(call, &mut new);
            managed::on_update(
                &managed::Write::update(call, target),
                resource,
                &mut new,
                &old,
                server.now(),
            );
            new
        }
        Source::Patch(patch) => {
            let (mut new, duplicates) = patch.apply(call, target, &old, server.now())?;
            check_type(target, &mut new)?;
            shape(call, target, &mut new, &duplicates)?;
            check_patched_name(target, name, &new)?;
            if !patch.is_apply() {
                managed::on_update(
                    &managed::Write::update(call, target),
                    resource,
                    &mut new,
                    &old,
                    server.now(),
                );
            }
            new
        }
    };
    let mut request = admission_request(call, target, Operation::Update, dry_run);
    name.clone_into(&mut request.name);
    request.old_object = Some(old.clone());
    new = mutate(server, &mut request, new).await?;
    check_version(target, name, &mut new, &existing)?;
    keep_system_fields(&mut new, &old);
    strategy::prepare_update(resource, &target.subresource, &mut new, &old);
    let errors = strategy::validate_update(resource, &target.subresource, &new, &old);
    if !errors.is_empty() {
        return Err(Failure::invalid(
            &resource.group,
            text(&new, "/kind"),
            name,
            &errors,
        ));
    }
    strategy::warnings(call, resource, &new, Some(&old));
    managed::keep_times_of_no_change(&mut new, &old);
    request.object = Some(new);
    validate(server, &request).await?;
    let mut new = request.object.take().unwrap_or_default();
    let mut state = server.state();
    match state.get(&resource.table, &key) {
        Some(now) if now.version == existing.version => {}
        _ => return Ok(None),
    }
    let gone = should_delete(&new, &old)
        || (resource.behaviour == Kind::Namespace && strategy::namespace_is_done(&new));
    if !gone && new == old {
        return Ok(Some((200, crate::convert::to_bytes(resource, &existing))));
    }
    if resource.behaviour == Kind::Definition && !gone {
        crate::crd::establish(&state, &mut new, &crate::clock::rfc3339(server.now()))?;
    }
    if dry_run {
        return Ok(Some((200, Bytes::from(new.to_string()))));
    }
    if gone {
        // The answer to the last finalizer's removal is the object as it was sent.
        let answer = Bytes::from(new.to_string());
        let stored = state.remove(resource, key, new);
        if resource.behaviour == Kind::Definition {
            crate::crd::unregister(&mut state, &stored);
        }
        drop(state);
        server.inner.collector.removed(server, resource, &stored);
        return Ok(Some((200, answer)));
    }
    let stored = state.put(resource, key, new);
    if resource.behaviour == Kind::Definition {
        crate::crd::register(&mut state, &stored)?;
    }
    drop(state);
    server
        .inner
        .collector
        .noticed(server, resource, Some(&existing), &stored);
    Ok(Some((200, crate::convert::to_bytes(resource, &stored))))
}

/// PUT, apply or patch of an object that is not there.
async fn create_by_update(
    call: &Call,
    target: &Target,
    name: &str,
    source: &Source,
    dry_run: bool,
) -> Result<(u16, Bytes), Failure> {
    let resource = &target.resource;
    let main = target.subresource.is_empty();
    match source {
        Source::Object(object) if main && resource.behaviour.creates_on_update() => {
            let mut object = object.clone();
            meta::set(&mut object, "resourceVersion", None);
            let json = create_object(
                call,
                target,
                object,
                dry_run,
                true,
                &managed::Write::update(call, target),
            )
            .await?;
            Ok((201, json))
        }
        Source::Patch(patch) if main && patch.is_apply() => {
            let (mut object, duplicates) = patch.apply_to_nothing(call, target, name)?;
            check_type(target, &mut object)?;
            shape(call, target, &mut object, &duplicates)?;
            check_patched_name(target, name, &object)?;
            if !meta::text(&object, "uid").is_empty() {
                return Err(Failure::conflict(
                    &resource.group,
                    &resource.plural,
                    name,
                    &format!(
                        "uid mismatch: the provided object specified uid {}, and no existing object was found",
                        meta::text(&object, "uid")
                    ),
                ));
            }
            let json = create_object(
                call,
                target,
                object,
                dry_run,
                false,
                &managed::Write::update(call, target),
            )
            .await?;
            Ok((201, json))
        }
        _ => Err(target.not_found(name)),
    }
}

fn check_patched_name(target: &Target, name: &str, object: &Value) -> Result<(), Failure> {
    let found = meta::name(object);
    if found != name {
        return Err(Failure::bad_request(if found.is_empty() {
            format!(
                "the name of the object ({name} based on URL) was undeterminable: name must be provided"
            )
        } else {
            format!("the name of the object ({found}) does not match the name on the URL ({name})")
        }));
    }
    let namespace = meta::text(object, "namespace");
    if target.resource.namespaced && !namespace.is_empty() && namespace != target.namespace {
        return Err(Failure::bad_request(format!(
            "the namespace of the object ({namespace}) does not match the namespace on the request ({})",
            target.namespace
        )));
    }
    Ok(())
}

/// The optimistic lock.
fn check_version(
    target: &Target,
    name: &str,
    new: &mut Value,
    existing: &Stored,
) -> Result<(), Failure> {
    let resource = &target.resource;
    let given = meta::text(new, "resourceVersion");
    let number = match given {
        "" => 0,
        text => text.parse::<u64>().map_err(|e| {
            let why = match e.kind() {
                std::num::IntErrorKind::PosOverflow => "value out of range",
                _ => "invalid syntax",
            };
            Failure::new(
                500,
                "",
                format!("strconv.ParseUint: parsing {}: {why}", quote(text)),
            )
        })?,
    };
    if number == 0 && resource.behaviour.allows_unconditional_update() {
        meta::set(
            new,
            "resourceVersion",
            Some(Value::String(existing.version.to_string())),
        );
        return Ok(());
    }
    if number == 0 {
        return Err(Failure::invalid(
            &resource.group,
            &resource.plural,
            name,
            &[FieldError::invalid(
                "metadata.resourceVersion",
                &Value::from(0),
                "must be specified for an update",
            )],
        ));
    }
    if number != existing.version {
        return Err(Failure::stale(&resource.group, &resource.plural, name));
    }
    Ok(())
}

/// Where etcd would keep the object.
fn registry_key(resource: &crate::resource::Resource, key: &str) -> String {
    if resource.is_custom() {
        format!("/registry/{}/{}/{key}", resource.group, resource.plural)
    } else {
        format!("/registry/{}/{key}", resource.plural)
    }
}

/// What an update can never change, or need not repeat.
fn keep_system_fields(new: &mut Value, old: &Value) {
    meta::set(new, "generation", meta::get(old, "generation").cloned());
    if meta::text(new, "uid").is_empty() {
        meta::set(new, "uid", meta::get(old, "uid").cloned());
    }
    if meta::text(new, "namespace").is_empty() {
        meta::set(new, "namespace", meta::get(old, "namespace").cloned());
    }
    meta::set(
        new,
        "creationTimestamp",
        meta::get(old, "creationTimestamp").cloned(),
    );
    if meta::is_terminating(old) {
        meta::set(
            new,
            "deletionTimestamp",
            meta::get(old, "deletionTimestamp").cloned(),
        );
        if meta::get(new, "deletionGracePeriodSeconds").is_none() {
            meta::set(
                new,
                "deletionGracePeriodSeconds",
                meta::get(old, "deletionGracePeriodSeconds").cloned(),
            );
        }
    }
}

/// Whether this update removes the last finalizer of an object that is going away.
fn should_delete(new: &Value, old: &Value) -> bool {
    meta::finalizers(new).is_empty()
        && meta::is_terminating(old)
        && meta::get(old, "deletionGracePeriodSeconds")
            .and_then(Value::as_i64)
            .unwrap_or_default()
            == 0
}

/// The rule for names of a kind.
pub(crate) fn name_rule(kind: Kind) -> NameRule {
    match kind {
        Kind::Namespace => NameRule::Label,
        _ => NameRule::Subdomain,
    }
}
