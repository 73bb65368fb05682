//! `metadata.managedFields`.

use jiff::Timestamp;
use serde_json::Value;

use crate::request::{Call, Target};
use crate::resource::Resource;
use crate::status::Failure;

/// Who writes, and through what.
pub(crate) struct Write {
    manager: String,
    subresource: String,
}

impl Write {
    pub(crate) fn update(call: &Call, target: &Target) -> Self {
        Self {
            manager: call.manager(),
            subresource: target.subresource.clone(),
        }
    }
}

/// A configuration that is applied.
pub(crate) struct Application<'a> {
    pub(crate) config: &'a Value,
    pub(crate) manager: &'a str,
    pub(crate) force: bool,
}

pub(crate) fn on_create(_write: &Write, _resource: &Resource, _object: &mut Value) {}

pub(crate) fn on_update(
    _write: &Write,
    _resource: &Resource,
    _new: &mut Value,
    _old: &Value,
    _now: Timestamp,
) {
}

pub(crate) fn keep_times_of_no_change(_new: &mut Value, _old: &Value) {}

pub(crate) fn apply(
    _call: &Call,
    _target: &Target,
    application: &Application<'_>,
    old: Option<&Value>,
    _now: Timestamp,
) -> Result<Value, Failure> {
    let mut new = old.cloned().unwrap_or_default();
    json_patch::merge(&mut new, application.config);
    Ok(new)
}
