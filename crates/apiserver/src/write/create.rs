//! POST, and PUT or apply of an object that is not there: the checks in their
//! order, the generated name, and the store.

use bytes::Bytes;
use serde_json::Value;

use super::admit::{admission_request, mutate, validate};
use super::decode::{check_options, decode};
use crate::admission::{AdmissionRequest, Operation};
use crate::builtin::Kind;
use crate::managed;
use crate::meta;
use crate::reply::Reply;
use crate::request::{Call, Target};
use crate::resource::text;
use crate::status::Failure;
use crate::strategy;

/// Attempts at a generated name before giving up, as in the real server.
const NAME_ATTEMPTS: usize = 8;

/// POST to a collection.
pub(crate) async fn create(call: &Call, target: &Target, body: Bytes) -> Result<Reply, Failure> {
    check_options(call, "CreateOptions", Vec::new())?;
    let dry_run = call.query.dry_run()?;
    let object = decode(call, target, &body)?;
    let created = create_object(call, target, object, dry_run, true).await?;
    crate::read::reply_object(call, &target.resource, 201, created)
}

/// Creates an object that was decoded; also used when PUT or apply creates. What
/// apply has made is not `fresh`: its metadata and records are as they shall be.
pub(super) async fn create_object(
    call: &Call,
    target: &Target,
    mut object: Value,
    dry_run: bool,
    fresh: bool,
) -> Result<Bytes, Failure> {
    let resource = &target.resource;
    if fresh {
        check_namespace_of(target, &object)?;
    }
    let generated =
        meta::name(&object).is_empty() && !meta::text(&object, "generateName").is_empty();
    dedup_owners(call, &mut object);
    if fresh {
        for key in [
            "deletionTimestamp",
            "deletionGracePeriodSeconds",
            "uid",
            "creationTimestamp",
            "selfLink",
        ] {
            meta::set(&mut object, key, None);
        }
        // An object that apply creates has its fields recorded already.
        managed::on_create(&managed::Write::update(call, target), &mut object);
    }
    if resource.namespaced {
        check_namespace(call, target, meta::name(&object))?;
    }
    let mut request = admission_request(call, target, Operation::Create, dry_run);
    if request.name.is_empty() {
        request.name = meta::name(&object).to_owned();
    }
    crate::core_rules::admit_create(resource.behaviour, &mut object);
    let object = mutate(&call.server, &mut request, object).await?;
    if !generated {
        return try_create(call, target, object, &mut request, dry_run, fresh).await;
    }
    for attempt in 1.. {
        match try_create(call, target, object.clone(), &mut request, dry_run, fresh).await {
            Err(failure) if failure.reason() == "AlreadyExists" && attempt < NAME_ATTEMPTS => {}
            Err(failure) if failure.reason() == "AlreadyExists" => {
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
        if resource.namespaced {
            meta.insert(
                "namespace".to_owned(),
                Value::String(target.namespace.clone()),
            );
        }
        if !resource.namespaced {
            meta.remove("namespace");
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
    }
    strategy::prepare_create(resource, &mut object);
    if call
        .shares_labels
        .load(std::sync::atomic::Ordering::Relaxed)
    {
        crate::core_rules::share_labels(&mut object);
    }
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
        state.keep_what_is_stored(resource, &mut object);
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
    if target.resource.namespaced && !given.is_empty() && given != target.namespace {
        return Err(Failure::bad_request(
            "the namespace of the provided object does not match the namespace sent on the request",
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
pub(super) fn dedup_owners(call: &Call, object: &mut Value) {
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
