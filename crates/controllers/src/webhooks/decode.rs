//! Whether an object can be read into Longhorn's types, and in which words Go says
//! that it cannot (`encoding/json`; `k8s/pkg/apis/longhorn/v1beta2`). The mutating
//! webhook is asked before the API server holds an object against its schema, so a
//! value of the wrong kind is refused by it, with code 500.

use serde_json::Value;

/// The fields of a type: the key, or the path to it through embedded types, and the
/// type as Go prints it. A field that the schemas do not know never gets here, so all
/// releases can have the fields of the newest.
type Fields = &'static [(&'static str, &'static str)];

const STRUCTS: &[(&str, Fields)] = &[
    ("BackingImage", &[("spec", "v1beta2.BackingImageSpec")]),
    (
        "BackingImageSpec",
        &[
            ("disks", "map[string]string"),
            (
                "diskFileSpecMap",
                "map[string]*v1beta2.BackingImageDiskFileSpec",
            ),
            ("checksum", "string"),
            ("sourceType", "v1beta2.BackingImageDataSourceType"),
            ("sourceParameters", "map[string]string"),
            ("minNumberOfCopies", "int"),
            ("diskSelector", "[]string"),
            ("nodeSelector", "[]string"),
            ("secret", "string"),
            ("secretNamespace", "string"),
            ("dataEngine", "v1beta2.DataEngineType"),
        ],
    ),
    (
        "BackingImageDiskFileSpec",
        &[
            ("evictionRequested", "bool"),
            ("dataEngine", "v1beta2.DataEngineType"),
        ],
    ),
    (
        "BackingImageManager",
        &[("spec", "v1beta2.BackingImageManagerSpec")],
    ),
    (
        "BackingImageManagerSpec",
        &[
            ("image", "string"),
            ("nodeID", "string"),
            ("diskUUID", "string"),
            ("diskPath", "string"),
            ("backingImages", "map[string]string"),
        ],
    ),
    (
        "BackingImageDataSource",
        &[("spec", "v1beta2.BackingImageDataSourceSpec")],
    ),
    (
        "BackingImageDataSourceSpec",
        &[
            ("nodeID", "string"),
            ("uuid", "string"),
            ("diskUUID", "string"),
            ("diskPath", "string"),
            ("checksum", "string"),
            ("sourceType", "v1beta2.BackingImageDataSourceType"),
            ("parameters", "map[string]string"),
            ("fileTransferred", "bool"),
        ],
    ),
    ("Node", &[("spec", "v1beta2.NodeSpec")]),
    (
        "NodeSpec",
        &[
            ("name", "string"),
            ("disks", "map[string]v1beta2.DiskSpec"),
            ("allowScheduling", "bool"),
            ("evictionRequested", "bool"),
            ("tags", "[]string"),
            ("instanceManagerCPURequest", "int"),
        ],
    ),
    (
        "DiskSpec",
        &[
            ("diskType", "v1beta2.DiskType"),
            ("path", "string"),
            ("diskDriver", "v1beta2.DiskDriver"),
            ("allowScheduling", "bool"),
            ("evictionRequested", "bool"),
            ("storageReserved", "int64"),
            ("tags", "[]string"),
        ],
    ),
    ("Replica", &[("spec", "v1beta2.ReplicaSpec")]),
    (
        "ReplicaSpec",
        &[
            ("InstanceSpec.volumeName", "string"),
            ("InstanceSpec.volumeSize", QUOTED),
            ("InstanceSpec.nodeID", "string"),
            ("InstanceSpec.image", "string"),
            ("InstanceSpec.desireState", "v1beta2.InstanceState"),
            ("InstanceSpec.logRequested", "bool"),
            ("InstanceSpec.salvageRequested", "bool"),
            ("InstanceSpec.dataEngine", "v1beta2.DataEngineType"),
            ("engineName", "string"),
            ("migrationEngineName", "string"),
            ("healthyAt", "string"),
            ("lastHealthyAt", "string"),
            ("failedAt", "string"),
            ("lastFailedAt", "string"),
            ("diskID", "string"),
            ("diskPath", "string"),
            ("dataDirectoryName", "string"),
            ("backingImage", "string"),
            ("active", "bool"),
            ("hardNodeAffinity", "string"),
            ("revisionCounterDisabled", "bool"),
            ("unmapMarkDiskChainRemovedEnabled", "bool"),
            ("rebuildRetryCount", "int"),
            ("evictionRequested", "bool"),
            ("snapshotMaxCount", "int"),
            ("snapshotMaxSize", QUOTED),
            ("linkedCloneSrcReplicaName", "string"),
        ],
    ),
    ("Setting", &[("value", "string")]),
];

/// A number written as a text.
const QUOTED: &str = "int64,string";

fn fields_of(name: &str) -> Option<Fields> {
    let found = STRUCTS.iter().find(|(of, _)| *of == name);
    found.map(|(_, fields)| *fields)
}

/// Reads an object of a kind; what cannot be read first is named, in the order in
/// which the API server writes it, that of its keys.
pub(super) fn check(kind: &'static str, object: &Value) -> Result<(), String> {
    let place = Place {
        of: kind,
        path: String::new(),
    };
    fields_of(kind).map_or(Ok(()), |fields| in_struct(&place, fields, object))
}

/// Where a value stands: the innermost type with a field for it, and the path there
/// without the keys of maps.
struct Place {
    of: &'static str,
    path: String,
}

impl Place {
    fn error(&self, what: &str, go_type: &str) -> Result<(), String> {
        Err(format!(
            "json: cannot unmarshal {what} into Go struct field {}.{} of type {go_type}",
            self.of, self.path
        ))
    }
}

fn in_struct(place: &Place, fields: Fields, object: &Value) -> Result<(), String> {
    let key_of = |path: &'static str| path.rsplit('.').next().unwrap_or(path);
    for (key, value) in super::entries(object) {
        let field = fields.iter().find(|(path, _)| key_of(path) == key);
        let Some((path, go_type)) = field else {
            continue;
        };
        let inner = Place {
            of: place.of,
            path: match place.path.as_str() {
                "" => (*path).to_owned(),
                outer => format!("{outer}.{path}"),
            },
        };
        read(&inner, go_type, value)?;
    }
    Ok(())
}

/// What Go calls a value.
fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// A whole value that is neither null nor of a kind is not read into a type.
pub(super) fn cannot(go_type: &str, kind: &str, value: &Value) -> Result<(), String> {
    let found = kind_of(value);
    if found == kind || value.is_null() {
        return Ok(());
    }
    Err(format!(
        "json: cannot unmarshal {found} into Go value of type {go_type}"
    ))
}

fn read(place: &Place, go_type: &'static str, value: &Value) -> Result<(), String> {
    // Null leaves every field as it is.
    if value.is_null() {
        return Ok(());
    }
    let kind = kind_of(value);
    let wrong = |go_type| place.error(kind, go_type);
    if let Some(of) = go_type.strip_prefix("map[string]") {
        let Value::Object(map) = value else {
            return wrong(go_type);
        };
        let of = of.trim_start_matches('*');
        return map.values().try_for_each(|value| read(place, of, value));
    }
    if let Some(of) = go_type.strip_prefix("[]") {
        let Value::Array(list) = value else {
            return wrong(go_type);
        };
        return list.iter().try_for_each(|value| read(place, of, value));
    }
    let named = go_type.strip_prefix("v1beta2.");
    if let Some((of, fields)) = named.and_then(|name| Some((name, fields_of(name)?))) {
        if !value.is_object() {
            return wrong(go_type);
        }
        let path = place.path.clone();
        return in_struct(&Place { of, path }, fields, value);
    }
    match (go_type, value) {
        (QUOTED, _) => quoted(place, value),
        ("bool", Value::Bool(_)) => Ok(()),
        ("int" | "int64", Value::Number(number)) => match whole(value) {
            Some(_) => Ok(()),
            None => {
                let written = number.as_f64().unwrap_or_default();
                place.error(&format!("number {written}"), go_type)
            }
        },
        ("bool" | "int" | "int64", _) => wrong(go_type),
        (_, Value::String(_)) => Ok(()),
        _ => wrong(go_type),
    }
}

/// A number without a fraction; the API server writes `1e2` as 100.
pub(super) fn whole(value: &Value) -> Option<i64> {
    let from_float = || {
        let float = value.as_f64()?;
        let fits = float.fract() == 0.0 && float.abs() < 9_223_372_036_854_775_808.0;
        #[expect(
            clippy::cast_possible_truncation,
            reason = "it has no fraction and fits"
        )]
        fits.then_some(float as i64)
    };
    value.as_i64().or_else(from_float)
}

fn quoted(place: &Place, value: &Value) -> Result<(), String> {
    let Value::String(text) = value else {
        return Err(
            "json: invalid use of ,string struct tag, trying to unmarshal unquoted value into int64"
                .to_owned(),
        );
    };
    let starts_as_a_number = text.starts_with(|c: char| c == '-' || c.is_ascii_digit());
    if text.parse::<i64>().is_ok() || text == "null" {
        Ok(())
    } else if starts_as_a_number {
        place.error(&format!("number {text}"), "int64")
    } else {
        let text = super::go::quote(text);
        Err(format!(
            "json: invalid use of ,string struct tag, trying to unmarshal {text} into int64"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// Recorded of v1.12.1's mutating webhook.
    #[test]
    fn go_says_what_cannot_be_read() {
        for (kind, object, why) in [
            (
                "Node",
                json!({"spec": {"disks": {"d": {"diskDriver": 1, "diskType": 1}}}}),
                "number into Go struct field DiskSpec.spec.disks.diskDriver of type v1beta2.DiskDriver",
            ),
            (
                "Node",
                json!({"spec": {"tags": ["a", 1]}}),
                "number into Go struct field NodeSpec.spec.tags of type string",
            ),
            (
                "Node",
                json!({"spec": {"instanceManagerCPURequest": 1.5}}),
                "number 1.5 into Go struct field NodeSpec.spec.instanceManagerCPURequest of type int",
            ),
            (
                "BackingImage",
                json!({"spec": {"diskFileSpecMap": {"u": ""}}}),
                "string into Go struct field BackingImageSpec.spec.diskFileSpecMap of type v1beta2.BackingImageDiskFileSpec",
            ),
            (
                "BackingImage",
                json!({"spec": {"diskFileSpecMap": {"u": {"evictionRequested": "x"}}}}),
                "string into Go struct field BackingImageDiskFileSpec.spec.diskFileSpecMap.evictionRequested of type bool",
            ),
            (
                "Replica",
                json!({"spec": {"dataEngine": 1}}),
                "number into Go struct field ReplicaSpec.spec.InstanceSpec.dataEngine of type v1beta2.DataEngineType",
            ),
            (
                "Replica",
                json!({"spec": {"volumeSize": "5Gi"}}),
                "number 5Gi into Go struct field ReplicaSpec.spec.InstanceSpec.volumeSize of type int64",
            ),
            (
                "Setting",
                json!({"value": true}),
                "bool into Go struct field Setting.value of type string",
            ),
        ] {
            let why = format!("json: cannot unmarshal {why}");
            assert_eq!(check(kind, &object), Err(why), "{object}");
        }
    }

    #[test]
    fn what_fits_is_read() {
        let node = json!({"spec": {"tags": null, "disks": {"d": {"storageReserved": 1e2}}}});
        assert_eq!(check("Node", &node), Ok(()));
        let replica = json!({"spec": {"volumeSize": "5", "unknown": [1]}});
        assert_eq!(check("Replica", &replica), Ok(()));
    }
}
