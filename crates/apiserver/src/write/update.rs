//! PUT and PATCH. An update is computed without the lock and stored only when
//! nobody else wrote in between, else computed again.

use bytes::Bytes;
use serde_json::{Value, json};

use super::admit::{admission_request, mutate, validate};
use super::create::{create_object, dedup_owners};
use super::decode::{check_options, decode};
use crate::admission::Operation;
use crate::builtin::Kind;
use crate::managed;
use crate::meta;
use crate::quote::quote;
use crate::reply::Reply;
use crate::request::{Call, Target};
use crate::resource::{split_group_version, text};
use crate::status::{Failure, FieldError};
use crate::store::Stored;
use crate::strategy;

/// Where the new state of an object comes from.
enum Source {
    /// PUT: this object.
    Object(Value),
    /// PATCH: this change of whatever is there.
    Patch(crate::patch::Patch),
    /// A change of the number of replicas.
    Scale(crate::scale::Change),
    /// A pod gets its node.
    Binding(crate::binding::Binding),
}

/// PUT of an object or a subresource.
pub(crate) async fn replace(
    call: &Call,
    target: &Target,
    name: &str,
    body: Bytes,
) -> Result<Reply, Failure> {
    check_options(call, "UpdateOptions", Vec::new())?;
    let dry_run = call.query.dry_run()?;
    let mut object = decode(call, target, &body)?;
    check_namespace_of(target, &mut object)?;
    check_name(name, &object)?;
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
    let dry_run = call.query.dry_run()?;
    let (code, json) = update(call, target, name, &Source::Patch(patch), dry_run).await?;
    crate::read::reply_object(call, &target.resource, code, json)
}

/// POST of a pod's binding.
pub(crate) async fn bind(
    call: &Call,
    target: &Target,
    name: &str,
    body: &Bytes,
) -> Result<Reply, Failure> {
    let dry_run = call.query.dry_run()?;
    let source = Source::Binding(crate::binding::Binding::decode(body, name)?);
    update(call, target, name, &source, dry_run).await?;
    let done = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201});
    Ok(Reply::value(201, &done))
}

/// PUT or PATCH of the scale of an object.
pub(crate) async fn scale(
    call: &Call,
    target: &Target,
    name: &str,
    change: crate::scale::Change,
) -> Result<Reply, Failure> {
    let dry_run = call.query.dry_run()?;
    let (code, json) = update(call, target, name, &Source::Scale(change), dry_run).await?;
    let object: Value = serde_json::from_slice(&json).unwrap_or_default();
    let scale = crate::scale::of(crate::scale::paths(target)?, &object);
    Ok(Reply::value(code, &scale))
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
                return Err(wrong_uid(target, name, uid, &existing.uid, dry_run));
            }
            let mut new = object.clone();
            dedup_owners(call, &mut new);
            managed::on_update(&managed::Write::update(call, target), &mut new, &old);
            new
        }
        Source::Binding(binding) => binding.apply(&old, &crate::clock::rfc3339(server.now()))?,
        Source::Scale(change) => {
            let mut new = change.apply(target, &old)?;
            managed::on_update(&managed::Write::update(call, target), &mut new, &old);
            new
        }
        Source::Patch(patch) => {
            let mut new = patch.apply(call, target, Some(&old))?;
            check_namespace_of(target, &mut new)?;
            check_name(name, &new)?;
            if !patch.is_apply() {
                managed::on_update(&managed::Write::update(call, target), &mut new, &old);
            }
            new
        }
    };
    let mut request = admission_request(call, target, Operation::Update, dry_run);
    name.clone_into(&mut request.name);
    request.old_object = Some(old.clone());
    if target.subresource.is_empty() {
        crate::core_rules::admit_update(resource.behaviour, &mut new, &old);
    }
    new = mutate(server, &mut request, new).await?;
    check_version(target, name, &mut new, &existing)?;
    if resource.is_custom() && text(&new, "/apiVersion").is_empty() {
        return Err(Failure::internal(
            "Object 'apiVersion' is missing in 'object has no apiVersion field'",
        ));
    }
    keep_system_fields(&mut new, &old);
    strategy::prepare_update(resource, &target.subresource, &mut new, &old);
    let errors = strategy::validate_update(resource, &target.subresource, &new, &old);
    if !errors.is_empty() {
        return Err(Failure::invalid(
            // Errors name the group of the object that was sent.
            split_group_version(text(&new, "/apiVersion")).0,
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
    let gone = match resource.behaviour {
        Kind::Namespace => strategy::namespace_is_done(&new),
        _ => should_delete(&new, &old),
    };
    // Not stored, so that it alone is no change.
    meta::set(&mut new, "selfLink", None);
    state.keep_what_is_stored(resource, &mut new);
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
        // The answer to the last finalizer's removal is the object as it was
        // sent; a watch sees it as it was stored.
        let answer = Bytes::from(new.to_string());
        let stored = state.remove(resource, key, old);
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
            let uid = meta::text(object, "uid");
            if !uid.is_empty() {
                return Err(wrong_uid(target, name, uid, "", dry_run));
            }
            let mut object = object.clone();
            meta::set(&mut object, "resourceVersion", None);
            let json = create_object(call, target, object, dry_run, true).await?;
            Ok((201, json))
        }
        Source::Patch(patch) if main && patch.is_apply() => {
            let mut object = patch.apply(call, target, None)?;
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
            check_namespace_of(target, &mut object)?;
            check_name(name, &object)?;
            let json = create_object(call, target, object, dry_run, false).await?;
            Ok((201, json))
        }
        _ => Err(target.not_found(name)),
    }
}

/// The name must be the one in the path.
fn check_name(name: &str, object: &Value) -> Result<(), Failure> {
    let found = meta::name(object);
    if found == name {
        return Ok(());
    }
    Err(Failure::bad_request(if found.is_empty() {
        format!(
            "the name of the object ({name} based on URL) was undeterminable: name must be provided"
        )
    } else {
        format!("the name of the object ({found}) does not match the name on the URL ({name})")
    }))
}

/// The namespace must be the request's, or none; it is ignored in the cluster.
fn check_namespace_of(target: &Target, object: &mut Value) -> Result<(), Failure> {
    let given = meta::text(object, "namespace");
    if given == target.namespace {
        return Ok(());
    }
    if given.is_empty() || target.namespace.is_empty() {
        let own = (!target.namespace.is_empty()).then(|| Value::from(target.namespace.as_str()));
        meta::set(object, "namespace", own);
        return Ok(());
    }
    Err(Failure::bad_request(
        "the namespace of the provided object does not match the namespace sent on the request",
    ))
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

/// 409 of an object that is another one than the one that was meant.
fn wrong_uid(target: &Target, name: &str, given: &str, found: &str, dry_run: bool) -> Failure {
    let resource = &target.resource;
    let why = format!(
        "StorageError: invalid object, Code: 4, Key: {}, ResourceVersion: 0, AdditionalErrorMsg: Precondition failed: UID in precondition: {given}, UID in object meta: {found}",
        registry_key(resource, &target.key(name), dry_run)
    );
    Failure::conflict(&resource.group, &resource.plural, name, &why)
}

/// Where etcd would keep the object; a dry run leaves the prefix out.
fn registry_key(resource: &crate::resource::Resource, key: &str, dry_run: bool) -> String {
    let prefix = if dry_run { "" } else { "/registry" };
    if resource.is_custom() {
        format!("{prefix}/{}/{}/{key}", resource.group, resource.plural)
    } else {
        format!("{prefix}/{}/{key}", resource.plural)
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
