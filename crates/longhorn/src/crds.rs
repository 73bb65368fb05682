//! Longhorn's CustomResourceDefinitions, generated from our own types, for API
//! servers that have no Longhorn installed. Official ones can be loaded instead.
//!
//! They follow the official CRDs of v1.12.1 for the fields our types have; a
//! field we lack is pruned by a server that has only these.

use fixname_naming::LonghornVersion;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::core::schema::StructuralSchemaRewriter;
use schemars::{JsonSchema, generate::SchemaSettings};
use serde_json::{Value, json};

use crate::objects::{
    BackingImage, BackingImageDataSource, BackingImageManager, GROUP, Kind, Node, Replica, Setting,
    VERSION,
};
use crate::volume::Volume;

/// A printer column: name, JSON path, type.
type Column = (&'static str, &'static str, &'static str);

/// The definitions of all kinds in [`Kind::ALL`], in that order.
pub fn crds() -> Vec<CustomResourceDefinition> {
    Kind::ALL.iter().map(|kind| crd(*kind)).collect()
}

/// The definition of one kind.
pub fn crd(kind: Kind) -> CustomResourceDefinition {
    let names = [kind.as_str(), kind.plural(), short_name(kind)];
    definition(names, columns(kind), &schema(kind))
}

/// The definition of volumes, which only the model of Longhorn needs.
pub fn volume_crd() -> CustomResourceDefinition {
    let columns = [
        ("State", ".status.state", "string"),
        ("Robustness", ".status.robustness", "string"),
        (
            "Scheduled",
            ".status.conditions[?(@.type=='Scheduled')].status",
            "string",
        ),
        ("Size", ".spec.size", "string"),
        ("Node", ".status.currentNodeID", "string"),
    ];
    definition(
        ["Volume", "volumes", "lhv"],
        &columns,
        &object_schema(schema_of::<Volume>()),
    )
}

fn definition(
    [kind, plural, short]: [&str; 3],
    columns: &[Column],
    schema: &Value,
) -> CustomResourceDefinition {
    let columns: Vec<Value> = columns
        .iter()
        .copied()
        .chain([("Age", ".metadata.creationTimestamp", "date")])
        .map(|(name, path, type_)| json!({"name": name, "jsonPath": path, "type": type_}))
        .collect();
    let definition = json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("{plural}.{GROUP}")},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {
                "kind": kind,
                "listKind": format!("{kind}List"),
                "plural": plural,
                "singular": kind.to_lowercase(),
                "shortNames": [short],
            },
            "versions": [{
                "name": VERSION,
                "served": true,
                "storage": true,
                "schema": {"openAPIV3Schema": schema},
                "subresources": {"status": {}},
                "additionalPrinterColumns": columns,
            }],
        },
    });
    serde_json::from_value(definition).expect("the literal above has the shape of a CRD")
}

/// What the official definitions say beyond ours, for the kinds whose requests are
/// judged strictly: the words a field may be, by JSON pointer into the object's
/// schema.
const WORDS: &[(Kind, &str, &[&str])] = &[
    (
        Kind::BackingImage,
        "/properties/spec/properties/dataEngine",
        &["v1", "v2"],
    ),
    (
        Kind::BackingImage,
        "/properties/spec/properties/sourceType",
        SOURCE_TYPES,
    ),
    (
        Kind::BackingImage,
        "/properties/spec/properties/diskFileSpecMap/additionalProperties/properties/dataEngine",
        &["v1", "v2"],
    ),
    (
        Kind::BackingImage,
        "/properties/status/properties/diskFileStatusMap/additionalProperties/properties/dataEngine",
        &["v1", "v2"],
    ),
    (
        Kind::BackingImageDataSource,
        "/properties/spec/properties/sourceType",
        SOURCE_TYPES,
    ),
    (
        Kind::Node,
        "/properties/spec/properties/disks/additionalProperties/properties/diskType",
        &["filesystem", "block"],
    ),
    (
        Kind::Replica,
        "/properties/spec/properties/dataEngine",
        &["v1", "v2"],
    ),
];

const SOURCE_TYPES: &[&str] = &[
    "download",
    "upload",
    "export-from-volume",
    "restore",
    "clone",
];

/// The definition of one kind as strict as the official one of a release, in what it
/// refuses: the words a field may be, and what a setting must have. Fields that our
/// types lack are kept. (The official definitions of v1.9.1 and of v1.12.1 were read.)
pub fn strict_crd(kind: Kind, release: &LonghornVersion) -> CustomResourceDefinition {
    let mut crd = crd(kind);
    let props = crd
        .spec
        .versions
        .first_mut()
        .and_then(|v| v.schema.as_mut());
    let Some(schema) = props.and_then(|v| v.open_api_v3_schema.as_mut()) else {
        return crd;
    };
    let mut value = serde_json::to_value(&*schema).expect("a schema is JSON");
    keep_unknown(&mut value);
    let words = WORDS.iter().filter(|(of, _, _)| *of == kind);
    for (_, place, words) in words {
        value
            .pointer_mut(place)
            .expect("our types have every field of the table, which a test shows")["enum"] =
            json!(words);
    }
    match kind {
        Kind::BackingImage => {
            value["properties"]["spec"]["properties"]["dataEngine"]["default"] = json!("v1");
        }
        Kind::Node => {
            let drivers: &[&str] = match (release.major, release.minor) >= (1, 10) {
                true => &["", "auto", "aio", "nvme"],
                false => &["", "auto", "aio"],
            };
            value["properties"]["spec"]["properties"]["disks"]["additionalProperties"]["properties"]
                ["diskDriver"]["enum"] = json!(drivers);
        }
        Kind::Setting => {
            value["required"] = json!(["value"]);
            value["properties"]["status"]["required"] = json!(["applied"]);
        }
        Kind::BackingImageManager | Kind::BackingImageDataSource | Kind::Replica => {}
    }
    *schema = serde_json::from_value(value).expect("what was a schema still is one");
    crd
}

/// Fields that are not described stay, where fields are.
fn keep_unknown(schema: &mut Value) {
    match schema {
        Value::Object(map) => {
            if map.contains_key("properties") && map.contains_key("type") {
                map.insert("x-kubernetes-preserve-unknown-fields".into(), true.into());
            }
            map.values_mut().for_each(keep_unknown);
        }
        Value::Array(items) => items.iter_mut().for_each(keep_unknown),
        _ => {}
    }
}

/// A definition of a kind of Longhorn's that this program has no type for: any spec
/// and status will do.
pub fn loose_crd(kind: &str, plural: &str) -> CustomResourceDefinition {
    let any = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    let definition = json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("{plural}.{GROUP}")},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {
                "kind": kind,
                "listKind": format!("{kind}List"),
                "plural": plural,
                "singular": kind.to_lowercase(),
            },
            "versions": [{
                "name": VERSION,
                "served": true,
                "storage": true,
                "schema": {"openAPIV3Schema": {
                    "type": "object",
                    "properties": {"spec": any, "status": any},
                }},
                "subresources": {"status": {}},
            }],
        },
    });
    serde_json::from_value(definition).expect("the literal above has the shape of a CRD")
}

fn short_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Node => "lhn",
        Kind::BackingImage => "lhbi",
        Kind::BackingImageManager => "lhbim",
        Kind::BackingImageDataSource => "lhbids",
        Kind::Replica => "lhr",
        Kind::Setting => "lhs",
    }
}

/// The columns that `kubectl get` shows besides the name and the age.
fn columns(kind: Kind) -> &'static [Column] {
    match kind {
        Kind::Node => &[
            (
                "Ready",
                ".status.conditions[?(@.type=='Ready')].status",
                "string",
            ),
            ("AllowScheduling", ".spec.allowScheduling", "boolean"),
            (
                "Schedulable",
                ".status.conditions[?(@.type=='Schedulable')].status",
                "string",
            ),
        ],
        Kind::BackingImage => &[
            ("UUID", ".status.uuid", "string"),
            ("SourceType", ".spec.sourceType", "string"),
            ("Size", ".status.size", "string"),
            ("VirtualSize", ".status.virtualSize", "string"),
        ],
        Kind::BackingImageManager => &[
            ("State", ".status.currentState", "string"),
            ("Image", ".spec.image", "string"),
            ("Node", ".spec.nodeID", "string"),
            ("DiskUUID", ".spec.diskUUID", "string"),
            ("DiskPath", ".spec.diskPath", "string"),
        ],
        Kind::BackingImageDataSource => &[
            ("UUID", ".spec.uuid", "string"),
            ("State", ".status.currentState", "string"),
            ("SourceType", ".spec.sourceType", "string"),
            ("Size", ".status.size", "string"),
            ("Node", ".spec.nodeID", "string"),
            ("DiskUUID", ".spec.diskUUID", "string"),
        ],
        Kind::Replica => &[
            ("Data Engine", ".spec.dataEngine", "string"),
            ("State", ".status.currentState", "string"),
            ("Node", ".spec.nodeID", "string"),
            ("Disk", ".spec.diskID", "string"),
        ],
        Kind::Setting => &[
            ("Value", ".value", "string"),
            ("Applied", ".status.applied", "boolean"),
        ],
    }
}

fn schema_of<T: JsonSchema>() -> Value {
    SchemaSettings::openapi3()
        .with(|s| s.inline_subschemas = true)
        .with_transform(StructuralSchemaRewriter)
        .into_generator()
        .into_root_schema_for::<T>()
        .to_value()
}

fn schema(kind: Kind) -> Value {
    object_schema(match kind {
        Kind::Node => schema_of::<Node>(),
        Kind::BackingImage => schema_of::<BackingImage>(),
        Kind::BackingImageManager => schema_of::<BackingImageManager>(),
        Kind::BackingImageDataSource => schema_of::<BackingImageDataSource>(),
        Kind::Replica => schema_of::<Replica>(),
        Kind::Setting => schema_of::<Setting>(),
    })
}

/// A generated schema, with what every object has.
fn object_schema(mut schema: Value) -> Value {
    tidy(&mut schema);
    let Some(root) = schema.as_object_mut() else {
        return schema;
    };
    for noise in ["$schema", "title"] {
        root.remove(noise);
    }
    if let Some(Value::Object(properties)) = root.get_mut("properties") {
        for standard in ["apiVersion", "kind"] {
            properties.insert(standard.into(), json!({"type": "string"}));
        }
        properties.insert("metadata".into(), json!({"type": "object"}));
    }
    schema
}

/// Makes a generated schema say what the official one says: the server fills in
/// no defaults (a default would turn "absent" into "empty", which Longhorn tells
/// apart), no number has a bound, and every map and list may be null.
fn tidy(schema: &mut Value) {
    match schema {
        Value::Object(map) => {
            if map.get("type").is_some_and(Value::is_string) {
                for word in ["default", "minimum", "maximum", "required"] {
                    map.remove(word);
                }
                if matches!(map["type"].as_str(), Some("array" | "object"))
                    && !map.contains_key("properties")
                {
                    map.insert("nullable".into(), true.into());
                }
                if map["type"] == "object" && map.get("additionalProperties") == Some(&json!(true))
                {
                    map.remove("additionalProperties");
                    map.insert("x-kubernetes-preserve-unknown-fields".into(), true.into());
                }
            }
            map.values_mut().for_each(tidy);
        }
        Value::Array(items) => items.iter_mut().for_each(tidy),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_strict_definition_has_the_words_of_every_row() {
        for kind in Kind::ALL {
            for release in ["v1.9.1", "v1.12.1"] {
                let crd = strict_crd(*kind, &release.parse().unwrap());
                let text = serde_json::to_string(&crd).unwrap();
                let rows = WORDS.iter().filter(|(of, _, _)| of == kind);
                for (_, place, words) in rows {
                    let words = serde_json::to_string(words).unwrap();
                    assert!(text.contains(&format!("\"enum\":{words}")), "{place}");
                }
                let has_nvme = text.contains(r#""nvme""#);
                assert_eq!(has_nvme, *kind == Kind::Node && release == "v1.12.1");
            }
        }
    }

    #[test]
    fn every_kind_has_a_structural_schema_with_its_fields() {
        for crd in crds() {
            let text = serde_json::to_string(&crd).unwrap();
            for word in ["$ref", "anyOf", "\"default\"", "\"extra\""] {
                assert!(!text.contains(word), "{word} in {text}");
            }
        }
        let image = serde_json::to_value(crd(Kind::BackingImage)).unwrap();
        let properties = "/spec/versions/0/schema/openAPIV3Schema/properties";

        let map = image
            .pointer(&format!("{properties}/spec/properties/diskFileSpecMap"))
            .unwrap();
        assert_eq!(map["type"], "object");
        assert_eq!(
            map["additionalProperties"]["properties"]["evictionRequested"]["type"],
            "boolean"
        );
    }
}
