//! Between the version in which an object is stored and the one in which it
//! is asked for.

use bytes::Bytes;
use serde_json::Value;

use crate::builtin::Kind;
use crate::resource::Resource;
use crate::store::Stored;

/// Brings an object of `resource`'s version into the form that is stored.
pub(crate) fn to_storage(resource: &Resource, object: &mut Value) {
    if resource.behaviour == Kind::EventV1 {
        crate::core_rules::event_to_core(object);
        return;
    }
    if resource.version != resource.storage_version {
        object["apiVersion"] = Value::String(resource.storage_api_version());
    }
}

/// A stored object in the version of `resource`.
pub(crate) fn to_value(resource: &Resource, stored: &Stored) -> Value {
    let mut object = stored.parse();
    from_storage(resource, stored, &mut object);
    object
}

/// The same as JSON; shares the stored bytes when nothing must change.
pub(crate) fn to_bytes(resource: &Resource, stored: &Stored) -> Bytes {
    if is_as_stored(resource, stored) {
        return stored.json.clone();
    }
    Bytes::from(to_value(resource, stored).to_string())
}

fn is_as_stored(resource: &Resource, stored: &Stored) -> bool {
    resource.behaviour != Kind::EventV1
        && stored.epoch == resource.epoch
        && (resource.version == resource.storage_version || !resource.is_custom())
        && (!resource.is_custom()
            || *stored.api_version
                == *crate::resource::group_version(&resource.group, &resource.version))
}

fn from_storage(resource: &Resource, stored: &Stored, object: &mut Value) {
    if resource.behaviour == Kind::EventV1 {
        crate::core_rules::event_from_core(object);
        return;
    }
    if is_as_stored(resource, stored) {
        return;
    }
    object["apiVersion"] = Value::String(resource.api_version());
    object["kind"] = Value::String(resource.kind.clone());
    if let Some(schema) = &resource.schema {
        schema.prune(object);
        schema.default_object(object);
    }
}
