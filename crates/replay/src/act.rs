//! What a step does to single objects, and to the API server itself.

use fixname_apiserver::{FaultAction, Faults, Matcher};
use fixname_controllers::driver::Admission;
use fixname_longhorn::{FINALIZER, objects::GROUP};
use kube::api::{DeleteParams, ListParams, Patch, PatchParams};
use kube::{Client, ResourceExt};
use serde_json::{Value, json};

use crate::kinds::{self, NotServed, Served};
use crate::scenario::{Fault, FaultKind, ObjectName, ObjectPatch};

/// Who applies.
const MANAGER: &str = "fixname-scenario";

/// An object to apply, taken apart.
pub(crate) struct Applied<'a> {
    kind: Served,
    name: &'a str,
}

/// What an object to apply is called.
///
/// # Errors
///
/// What it lacks.
pub(crate) fn applied(object: &Value) -> Result<Applied<'_>, NotServed> {
    let text = |member: &'static str, pointer: &str| {
        let missing = || {
            NotServed::new(
                member,
                format!("the object has no {}", pointer[1..].replace('/', ".")),
            )
        };
        object
            .pointer(pointer)
            .and_then(Value::as_str)
            .ok_or_else(missing)
    };
    let kind = text("kind", "/kind")?;
    let api_version = text("apiVersion", "/apiVersion")?;
    let name = text("metadata", "/metadata/name")?;
    let kind = kinds::served(Some(api_version), kind)?;
    Ok(Applied { kind, name })
}

/// Applies an object. Where Longhorn's webhooks are played, and so not asked by the
/// server, the finalizer that they put on comes with it.
pub(crate) async fn apply(
    client: &Client,
    namespace: &str,
    object: &Value,
    admission: Admission,
) -> Result<(), String> {
    let Applied { kind, name } = applied(object)?;
    let mut object = object.clone();
    if admission == Admission::Played && kind.resource.group == GROUP {
        let finalizers = &mut object["metadata"]["finalizers"];
        match finalizers.as_array_mut() {
            Some(there) if there.iter().any(|f| f == FINALIZER) => {}
            Some(there) => there.push(FINALIZER.into()),
            None => *finalizers = json!([FINALIZER]),
        }
    }
    let params = PatchParams::apply(MANAGER).force();
    let api = kind.api(client, namespace);
    let done = api.patch(name, &params, &Patch::Apply(&object)).await;
    done.map(drop)
        .map_err(|e| format!("apply {} {name}: {e}", kind.resource.kind))
}

pub(crate) async fn patch(
    client: &Client,
    namespace: &str,
    patch: &ObjectPatch,
) -> Result<(), String> {
    let kind = kinds::served(patch.api_version.as_deref(), &patch.kind)?;
    let api = kind.api(client, namespace);
    let (params, merge) = (PatchParams::default(), Patch::Merge(&patch.merge));
    let done = if patch.status {
        api.patch_status(&patch.name, &params, &merge).await
    } else {
        api.patch(&patch.name, &params, &merge).await
    };
    let what = format!("patch {} {}", patch.kind, patch.name);
    judge(&what, done.map(drop), patch.refused.as_deref())
}

/// Whether a request ended as it was to: was done, or was refused in these words.
fn judge(what: &str, done: Result<(), kube::Error>, refused: Option<&str>) -> Result<(), String> {
    match (done, refused) {
        (Ok(()), None) => Ok(()),
        (Ok(()), Some(_)) => Err(format!("{what}: it was not refused")),
        (Err(kube::Error::Api(status)), Some(wanted)) if status.message.contains(wanted) => Ok(()),
        (Err(error), None) => Err(format!("{what}: {error}")),
        (Err(error), Some(wanted)) => Err(format!(
            "{what}: it was to be refused with {wanted:?}, and was so otherwise: {error}"
        )),
    }
}

pub(crate) async fn delete(
    client: &Client,
    namespace: &str,
    object: &ObjectName,
) -> Result<(), String> {
    let kind = kinds::served(object.api_version.as_deref(), &object.kind)?;
    let api = kind.api(client, namespace);
    let kind = &object.kind;
    let names = match &object.name {
        Some(name) => vec![name.clone()],
        None => {
            let labels = object
                .labels
                .iter()
                .map(|(key, value)| format!("{key}={value}"));
            let labels = labels.collect::<Vec<_>>().join(",");
            let found = api.list(&ListParams::default().labels(&labels)).await;
            let found = found.map_err(|e| format!("delete {kind} {labels}: {e}"))?;
            if found.items.is_empty() {
                return Err(format!("delete {kind}: there is none with {labels}"));
            }
            found.iter().map(ResourceExt::name_any).collect()
        }
    };
    for name in names {
        let done = api.delete(&name, &DeleteParams::default()).await;
        let what = format!("delete {kind} {name}");
        judge(&what, done.map(drop), object.refused.as_deref())?;
    }
    Ok(())
}

/// Has the server misbehave from now on, as the model sees it.
pub(crate) fn fault(faults: &Faults, fault: &Fault) {
    let mut matcher = Matcher::any();
    if let Some(verb) = &fault.verb {
        matcher = matcher.verb(verb);
    }
    if let Some(resource) = &fault.resource {
        matcher = matcher.resource(resource);
    }
    if let Some(name) = &fault.name {
        matcher = matcher.name(name);
    }
    let action = match fault.action {
        FaultKind::Error => FaultAction::error(500, "InternalError", "injected by the scenario"),
        FaultKind::Conflict => FaultAction::Conflict,
        FaultKind::Drop => FaultAction::Drop,
        FaultKind::LoseAnswer => FaultAction::LoseAnswer,
        FaultKind::BreakWatch => FaultAction::BreakWatch { after: 0 },
        FaultKind::Expired => FaultAction::Expired,
    };
    faults.plan(|plan| plan.span(fault.nth, fault.times, matcher, action));
}
