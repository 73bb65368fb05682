//! The `scale` subresource of custom resources: an `autoscaling/v1` Scale that
//! stands for three fields of the object (`ScaleREST` of
//! apiextensions-apiserver's `registry/customresource/etcd.go`).

use bytes::Bytes;
use serde_json::{Value, json};

use crate::meta;
use crate::patch::Patch;
use crate::reply::Reply;
use crate::request::{Call, Target};
use crate::resource::{ScalePaths, text};
use crate::status::{Failure, FieldError};

/// A change of the scale that a request asks for.
pub(crate) enum Change {
    /// PUT of a whole Scale.
    Object(Value),
    /// JSON or merge patch of it.
    Patch(Patch),
}

/// The value at a path such as `.spec.replicas`.
fn at<'a>(object: &'a Value, path: &str) -> Option<&'a Value> {
    steps(path).try_fold(object, |found, step| found.get(step))
}

fn steps(path: &str) -> impl Iterator<Item = &str> {
    path.trim_start_matches('.').split('.')
}

fn put(object: &mut Value, path: &str, value: Value) {
    let mut found = object;
    for step in steps(path) {
        if !found.is_object() {
            *found = json!({});
        }
        found = &mut found[step];
    }
    *found = value;
}

fn count(object: &Value, path: &str) -> i64 {
    at(object, path).and_then(Value::as_i64).unwrap_or_default()
}

/// The Scale of an object.
pub(crate) fn of(paths: &ScalePaths, object: &Value) -> Value {
    let mut metadata = json!({});
    for key in [
        "name",
        "namespace",
        "uid",
        "resourceVersion",
        "creationTimestamp",
    ] {
        if let Some(value) = meta::get(object, key) {
            metadata[key] = value.clone();
        }
    }
    let replicas = count(object, &paths.spec_replicas);
    let mut status = json!({"replicas": count(object, &paths.status_replicas)});
    if let Some(selector) = paths
        .label_selector
        .as_deref()
        .and_then(|path| at(object, path))
        .filter(|s| *s != "")
    {
        status["selector"] = selector.clone();
    }
    let spec = if replicas == 0 {
        json!({})
    } else {
        json!({"replicas": replicas})
    };
    json!({"kind": "Scale", "apiVersion": "autoscaling/v1", "metadata": metadata, "spec": spec, "status": status})
}

/// GET of the subresource.
pub(crate) fn get(call: &Call, target: &Target, name: &str) -> Result<Reply, Failure> {
    let stored = call
        .server
        .state()
        .get(&target.resource.table, &target.key(name))
        .ok_or_else(|| target.not_found(name))?;
    let object = crate::convert::to_value(&target.resource, &stored);
    let paths = paths(target)?;
    if at(&object, &paths.spec_replicas).is_none() {
        return Err(Failure::internal(&format!(
            "the spec replicas field {} does not exist",
            crate::quote::quote(&paths.spec_replicas)
        )));
    }
    Ok(Reply::value(200, &of(paths, &object)))
}

/// The paths of a resource that is asked for its scale.
pub(crate) fn paths(target: &Target) -> Result<&ScalePaths, Failure> {
    target
        .resource
        .scale
        .as_ref()
        .ok_or_else(Failure::path_not_found)
}

/// Reads the body of a PUT.
pub(crate) fn decode(body: &Bytes, name: &str) -> Result<Change, Failure> {
    let (object, _) = crate::json::parse(body).map_err(|e| {
        Failure::bad_request(format!(
            "the object provided is unrecognized (must be of type Scale): {e}"
        ))
    })?;
    let kind = text(&object, "/kind");
    if !object.is_object() || !matches!(kind, "" | "Scale") {
        return Err(Failure::bad_request(
            "the object provided is unrecognized (must be of type Scale)",
        ));
    }
    match meta::name(&object) {
        "" => Err(Failure::bad_request(format!(
            "the name of the object ({name} based on URL) was undeterminable: name must be provided"
        ))),
        named if named != name => Err(Failure::bad_request(format!(
            "the name of the object ({named}) does not match the name on the URL ({name})"
        ))),
        _ => Ok(Change::Object(object)),
    }
}

impl Change {
    /// The object with its new number of replicas.
    pub(crate) fn apply(&self, target: &Target, old: &Value) -> Result<Value, Failure> {
        let paths = paths(target)?;
        let before = of(paths, old);
        let scale = match self {
            Self::Object(object) => object.clone(),
            Self::Patch(patch) if patch.is_apply() => {
                return Err(Failure::unsupported_media_type(&[
                    "application/json-patch+json",
                    "application/merge-patch+json",
                ]));
            }
            Self::Patch(patch) => patch.apply_to_scale(&before)?,
        };
        let replicas = match scale.pointer("/spec/replicas") {
            None | Some(Value::Null) => 0,
            Some(number) => number
                .as_i64()
                .and_then(|n| i32::try_from(n).ok())
                .ok_or_else(|| {
                    Failure::bad_request(format!(
                        "Scale in version \"v1\" cannot be handled as a Scale: json: cannot unmarshal {} into Go struct field ScaleSpec.spec.replicas of type int32",
                        meta::go_kind(number)
                    ))
                })?,
        };
        let mut new = old.clone();
        put(&mut new, &paths.spec_replicas, Value::from(replicas));
        let version = meta::text(&scale, "resourceVersion");
        if !version.is_empty() {
            meta::set(&mut new, "resourceVersion", Some(Value::from(version)));
        }
        Ok(new)
    }
}

/// What the counts of an object may be; `status` alone for its subresource.
pub(crate) fn validate(paths: &ScalePaths, object: &Value, status_only: bool) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let mut check = |path: &str| {
        let found = count(object, path);
        let why = if found < 0 {
            "should be a non-negative integer".to_owned()
        } else if found > i64::from(i32::MAX) {
            format!("should be less than or equal to {}", i32::MAX)
        } else {
            return;
        };
        errors.push(FieldError::invalid(path, &Value::from(found), why));
    };
    if !status_only {
        check(&paths.spec_replicas);
    }
    check(&paths.status_replicas);
    errors
}
