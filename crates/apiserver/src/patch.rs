//! The four kinds of PATCH: JSON, merge, strategic merge, and apply.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::builtin::Kind;
use crate::managed;
use crate::meta;
use crate::request::{Call, Target};
use crate::resource::text;
use crate::status::{Failure, FieldError};

/// Operations of one JSON patch, as in the real server.
const MAX_OPERATIONS: usize = 10_000;

/// A decoded patch.
pub(crate) struct Patch {
    form: Form,
    duplicates: Vec<String>,
}

enum Form {
    Json(json_patch::Patch),
    Merge(Value),
    Strategic(Value),
    Apply {
        config: Value,
        manager: String,
        force: bool,
    },
}

impl Patch {
    pub(crate) fn decode(call: &Call, target: &Target, body: &[u8]) -> Result<Self, Failure> {
        let media = call
            .content_type
            .split(';')
            .next()
            .unwrap_or_default()
            .trim();
        let custom = target.resource.is_custom();
        let supported: &[&str] = if custom {
            &[
                "application/json-patch+json",
                "application/merge-patch+json",
                "application/apply-patch+yaml",
            ]
        } else {
            &[
                "application/json-patch+json",
                "application/merge-patch+json",
                "application/strategic-merge-patch+json",
                "application/apply-patch+yaml",
            ]
        };
        if !supported.contains(&media) && media != "application/apply-patch+cbor" {
            return Err(Failure::unsupported_media_type(supported));
        }
        let force = call.query.has("force").then(|| call.query.flag("force"));
        let options_error =
            |error: FieldError| Failure::invalid("meta.k8s.io", "PatchOptions", "", &[error]);
        if media == "application/apply-patch+yaml" {
            let manager = call
                .query
                .get("fieldManager")
                .unwrap_or_default()
                .to_owned();
            if manager.is_empty() {
                return Err(options_error(FieldError::required(
                    "fieldManager",
                    "is required for apply patch",
                )));
            }
            // JSON is YAML; kubectl and client-go send JSON.
            let (config, duplicates) = match crate::json::parse(body) {
                Ok(parsed) => parsed,
                Err(_) => (
                    crate::yaml::parse(body).map_err(|why| {
                        Failure::bad_request(format!("error decoding YAML: {why}"))
                    })?,
                    Vec::new(),
                ),
            };
            if !config.is_object() {
                return Err(Failure::bad_request(
                    "error decoding YAML: the patch must be one object",
                ));
            }
            if meta::get(&config, "managedFields").is_some_and(|m| !m.is_null() && m != &json!([]))
            {
                return Err(Failure::bad_request("metadata.managedFields must be nil"));
            }
            return Ok(Self {
                form: Form::Apply {
                    config,
                    manager,
                    force: force.unwrap_or(false),
                },
                duplicates,
            });
        }
        if force.is_some() {
            return Err(options_error(FieldError::forbidden(
                "force",
                "may not be specified for non-apply patch",
            )));
        }
        let bad = |e: serde_json::Error| {
            Failure::bad_request(format!("error decoding patch: {}", go_json_error(&e, body)))
        };
        if media == "application/json-patch+json" {
            let patch: json_patch::Patch = serde_json::from_slice(body).map_err(bad)?;
            if patch.0.len() > MAX_OPERATIONS {
                return Err(Failure::new(
                    413,
                    "RequestEntityTooLarge",
                    format!(
                        "Request entity too large: The allowed maximum operations in a JSON patch is {MAX_OPERATIONS}, got {}",
                        patch.0.len()
                    ),
                ));
            }
            return Ok(Self {
                form: Form::Json(patch),
                duplicates: Vec::new(),
            });
        }
        let (value, duplicates) = crate::json::parse(body).map_err(bad)?;
        if !value.is_object() {
            return Err(Failure::bad_request(format!(
                "error decoding patch: json: cannot unmarshal {} into Go value of type map[string]interface {{}}",
                meta::go_kind(&value)
            )));
        }
        Ok(Self {
            form: if media == "application/merge-patch+json" {
                Form::Merge(value)
            } else {
                Form::Strategic(value)
            },
            duplicates,
        })
    }

    pub(crate) fn is_apply(&self) -> bool {
        matches!(self.form, Form::Apply { .. })
    }

    /// The object after the patch, and the keys that the patch had twice.
    pub(crate) fn apply(
        &self,
        call: &Call,
        target: &Target,
        old: &Value,
        now: Timestamp,
    ) -> Result<(Value, Vec<String>), Failure> {
        let mut new = old.clone();
        match &self.form {
            Form::Json(patch) => {
                json_patch::patch(&mut new, patch).map_err(|_| Failure::unprocessable())?;
            }
            Form::Merge(patch) => json_patch::merge(&mut new, patch),
            Form::Strategic(patch) => {
                strategic(&mut new, patch, target.resource.behaviour)?;
            }
            Form::Apply {
                config,
                manager,
                force,
            } => {
                new = managed::apply(
                    call,
                    target,
                    &managed::Application {
                        config,
                        manager,
                        force: *force,
                    },
                    Some(old),
                    now,
                )?;
            }
        }
        Ok((new, self.duplicates.clone()))
    }

    /// Apply of an object that does not exist.
    pub(crate) fn apply_to_nothing(
        &self,
        call: &Call,
        target: &Target,
        name: &str,
    ) -> Result<(Value, Vec<String>), Failure> {
        let Form::Apply {
            config,
            manager,
            force,
        } = &self.form
        else {
            return Err(target.not_found(name));
        };
        let object = managed::apply(
            call,
            target,
            &managed::Application {
                config,
                manager,
                force: *force,
            },
            None,
            call.server.now(),
        )?;
        Ok((object, self.duplicates.clone()))
    }
}

/// `serde_json`'s error in the words of Go, as far as they are close.
fn go_json_error(error: &serde_json::Error, body: &[u8]) -> String {
    if error.is_eof() {
        return "unexpected end of JSON input".to_owned();
    }
    let at = body
        .split(|c| *c == b'\n')
        .nth(error.line().saturating_sub(1))
        .and_then(|line| line.get(error.column().saturating_sub(1)));
    match at {
        Some(c) if error.is_syntax() => format!(
            "invalid character '{}' looking for beginning of value",
            char::from(*c)
        ),
        _ => error.to_string(),
    }
}

/// Lists of core kinds that merge by a key instead of being replaced: the
/// last step of the path, and the key (`patchMergeKey` in `k8s.io/api`).
/// An empty key marks a list of scalars that merge as a set.
const MERGE_KEYS: &[(&str, &str)] = &[
    ("containers", "name"),
    ("initContainers", "name"),
    ("ephemeralContainers", "name"),
    ("volumes", "name"),
    ("env", "name"),
    ("volumeMounts", "mountPath"),
    ("volumeDevices", "devicePath"),
    ("imagePullSecrets", "name"),
    ("hostAliases", "ip"),
    ("topologySpreadConstraints", "topologyKey"),
    ("resourceClaims", "name"),
    ("ports", "containerPort"),
    ("conditions", "type"),
    ("addresses", "type"),
    ("taints", "key"),
    ("ownerReferences", "uid"),
    ("secrets", "name"),
    ("podIPs", "ip"),
    ("finalizers", ""),
    ("podCIDRs", ""),
];

fn merge_key(path: &str, kind: Kind) -> Option<&'static str> {
    let last = path.rsplit('.').next().unwrap_or_default();
    // Taints of a node replace each other as a whole.
    if kind == Kind::Node && last == "taints" {
        return None;
    }
    MERGE_KEYS
        .iter()
        .find(|(name, _)| *name == last)
        .map(|(_, key)| *key)
}

/// Strategic merge of `patch` into `object`.
fn strategic(object: &mut Value, patch: &Value, kind: Kind) -> Result<(), Failure> {
    let (Value::Object(map), Value::Object(patch)) = (object, patch) else {
        return Ok(());
    };
    strategic_map(map, patch, "", kind)
}

fn strategic_map(
    map: &mut Map<String, Value>,
    patch: &Map<String, Value>,
    path: &str,
    kind: Kind,
) -> Result<(), Failure> {
    if let Some(directive) = patch.get("$patch") {
        match directive.as_str() {
            Some("replace") => {
                *map = patch
                    .iter()
                    .filter(|(key, _)| *key != "$patch")
                    .map(|(k, v)| (k.clone(), v.clone()))
                    .collect();
                return Ok(());
            }
            Some("delete") => {
                map.clear();
                return Ok(());
            }
            Some("merge") => {}
            other => {
                return Err(Failure::bad_request(format!(
                    "Unknown patch type found: {}",
                    other.unwrap_or_default()
                )));
            }
        }
    }
    for (key, value) in patch {
        if key == "$patch" || key == "$retainKeys" || key.starts_with("$setElementOrder/") {
            continue;
        }
        if let Some(list) = key.strip_prefix("$deleteFromPrimitiveList/") {
            if let (Some(Value::Array(items)), Value::Array(gone)) = (map.get_mut(list), value) {
                items.retain(|item| !gone.contains(item));
            }
            continue;
        }
        let below = if path.is_empty() {
            key.clone()
        } else {
            format!("{path}.{key}")
        };
        match (map.get_mut(key), value) {
            (_, Value::Null) => {
                map.remove(key);
            }
            (Some(Value::Object(old)), Value::Object(new)) => {
                strategic_map(old, new, &below, kind)?;
            }
            (Some(Value::Array(old)), Value::Array(new)) => match merge_key(&below, kind) {
                Some(merge_key) => strategic_list(old, new, merge_key, &below, kind)?,
                None => *old = new.clone(),
            },
            (None, Value::Object(new)) => {
                let mut fresh = Map::new();
                strategic_map(&mut fresh, new, &below, kind)?;
                map.insert(key.clone(), Value::Object(fresh));
            }
            (None, Value::Array(new)) => {
                let mut fresh = Vec::new();
                match merge_key(&below, kind) {
                    Some(merge_key) => strategic_list(&mut fresh, new, merge_key, &below, kind)?,
                    None => fresh.clone_from(new),
                }
                map.insert(key.clone(), Value::Array(fresh));
            }
            (_, new) => {
                map.insert(key.clone(), new.clone());
            }
        }
    }
    if let Some(Value::Array(kept)) = patch.get("$retainKeys") {
        map.retain(|key, _| kept.iter().any(|k| k == key));
    }
    for (key, order) in patch {
        let (Some(list), Value::Array(order)) = (key.strip_prefix("$setElementOrder/"), order)
        else {
            continue;
        };
        let below = if path.is_empty() {
            list.to_owned()
        } else {
            format!("{path}.{list}")
        };
        if let Some(Value::Array(items)) = map.get_mut(list) {
            let merge_key = merge_key(&below, kind).unwrap_or_default();
            let place = |item: &Value| {
                order
                    .iter()
                    .position(|o| same(o, item, merge_key))
                    .unwrap_or(usize::MAX)
            };
            items.sort_by_key(place);
        }
    }
    Ok(())
}

fn same(a: &Value, b: &Value, key: &str) -> bool {
    if key.is_empty() {
        return a == b;
    }
    match (a.get(key), b.get(key)) {
        (Some(x), Some(y)) => x == y,
        _ => false,
    }
}

fn strategic_list(
    old: &mut Vec<Value>,
    new: &[Value],
    key: &str,
    path: &str,
    kind: Kind,
) -> Result<(), Failure> {
    if new.iter().any(|v| text(v, "/$patch") == "replace") {
        *old = new
            .iter()
            .filter(|v| text(v, "/$patch") != "replace")
            .cloned()
            .collect();
        return Ok(());
    }
    for item in new {
        if key.is_empty() {
            if !old.contains(item) {
                old.push(item.clone());
            }
            continue;
        }
        if item.get(key).is_none() {
            return Err(Failure::internal(&format!(
                "map: {item} does not contain declared merge key: {key}"
            )));
        }
        if text(item, "/$patch") == "delete" {
            old.retain(|o| !same(o, item, key));
            continue;
        }
        match old.iter_mut().find(|o| same(o, item, key)) {
            Some(Value::Object(found)) => {
                if let Value::Object(item) = item {
                    strategic_map(found, item, path, kind)?;
                }
            }
            _ => old.push(item.clone()),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn merged(mut object: Value, patch: &Value) -> Value {
        strategic(&mut object, patch, Kind::Pod).expect("the test's patch is well formed");
        object
    }

    #[test]
    fn lists_with_a_key_merge_and_others_are_replaced() {
        let pod = json!({"spec": {"containers": [{"name": "a", "image": "1", "args": ["x"]}, {"name": "b", "image": "1"}]}});
        let patch = json!({"spec": {"containers": [{"name": "a", "image": "2", "args": ["y"]}, {"name": "c", "image": "3"}]}});
        assert_eq!(
            merged(pod.clone(), &patch)["spec"]["containers"],
            json!([{"name": "a", "image": "2", "args": ["y"]}, {"name": "b", "image": "1"}, {"name": "c", "image": "3"}])
        );
        let patch = json!({"spec": {"containers": [{"name": "a", "$patch": "delete"}]}});
        assert_eq!(
            merged(pod.clone(), &patch)["spec"]["containers"],
            json!([{"name": "b", "image": "1"}])
        );
        let patch = json!({"spec": {"$setElementOrder/containers": [{"name": "b"}, {"name": "a"}], "containers": [{"name": "b", "image": "9"}]}});
        assert_eq!(
            merged(pod, &patch)["spec"]["containers"][0],
            json!({"name": "b", "image": "9"})
        );
    }

    #[test]
    fn a_set_of_scalars_grows_and_shrinks() {
        let object = json!({"metadata": {"finalizers": ["a", "b"]}});
        let patch = json!({"metadata": {"finalizers": ["c"], "$deleteFromPrimitiveList/finalizers": ["a"]}});
        let after = merged(object, &patch);
        let mut finalizers = meta::finalizers(&after);
        finalizers.sort();
        assert_eq!(finalizers, ["b", "c"]);
    }
}
