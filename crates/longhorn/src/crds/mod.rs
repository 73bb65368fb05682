//! Longhorn's CustomResourceDefinitions as each release has them, generated from
//! our own types, for API servers that have no Longhorn installed. Official ones
//! can be loaded instead.
//!
//! The types give the fields; `fields` has what they cannot say and what differs
//! between releases, `columns` the columns of `kubectl get`. What was read are the
//! definitions of v1.7.2, v1.8.1, v1.9.1, v1.9.2, v1.10.1, v1.10.2 and v1.12.1, and
//! `tests/official.rs` compares: everything is there but descriptions and the
//! conversion webhook, which only a running Longhorn serves. A release between
//! these is taken for the next older one, as far as a row of `fields` goes.

mod columns;
mod fields;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use fixname_naming::LonghornVersion;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::core::schema::StructuralSchemaRewriter;
use schemars::{JsonSchema, generate::SchemaSettings};
use serde_json::{Map, Value, json};

use self::columns::{Column, columns, is_wide, v1beta1_columns};
use self::fields::{Fact, ROWS};
use crate::objects::{
    BackingImage, BackingImageDataSource, BackingImageManager, GROUP, Kind, Node, Replica, Setting,
    VERSION, Volume,
};

/// The version before [`VERSION`].
const OLD_VERSION: &str = "v1beta1";

/// A range of releases.
#[derive(Clone, Copy, Debug)]
struct Releases {
    from: (u64, u64, u64),
    before: (u64, u64, u64),
}

impl Releases {
    const ALL: Self = Self {
        from: (0, 0, 0),
        before: (u64::MAX, 0, 0),
    };

    const fn since(major: u64, minor: u64, patch: u64) -> Self {
        Self {
            from: (major, minor, patch),
            ..Self::ALL
        }
    }

    const fn before(major: u64, minor: u64, patch: u64) -> Self {
        Self {
            before: (major, minor, patch),
            ..Self::ALL
        }
    }

    fn has(self, release: &LonghornVersion) -> bool {
        let number = (release.major, release.minor, release.patch);
        self.from <= number && number < self.before
    }
}

/// v1beta1 was there as long, though it was not served any more at the end.
const HAS_OLD_VERSION: Releases = Releases::before(1, 10, 0);
const SERVES_OLD_VERSION: Releases = Releases::before(1, 9, 0);

/// The definitions of all kinds in [`Kind::ALL`], in that order, as of a release.
pub fn crds(release: &LonghornVersion) -> Arc<[CustomResourceDefinition]> {
    // Made once a release: a suite of scenarios asks for them in each run.
    static MADE: Mutex<BTreeMap<[u64; 3], Arc<[CustomResourceDefinition]>>> =
        Mutex::new(BTreeMap::new());
    let number = [release.major, release.minor, release.patch];
    let mut made = MADE.lock().unwrap_or_else(PoisonError::into_inner);
    let all = || Kind::ALL.iter().map(|kind| crd(*kind, release)).collect();
    made.entry(number).or_insert_with(all).clone()
}

/// The definition of one kind, as of a release.
pub fn crd(kind: Kind, release: &LonghornVersion) -> CustomResourceDefinition {
    let mut versions = Vec::new();
    if HAS_OLD_VERSION.has(release) {
        versions.push(old_version(kind, SERVES_OLD_VERSION.has(release)));
    }
    versions.push(json!({
        "name": VERSION,
        "served": true,
        "storage": true,
        "schema": {"openAPIV3Schema": schema(kind, release)},
        "subresources": {"status": {}},
        "additionalPrinterColumns": written(&columns(kind, release)),
    }));
    let short = short_name(kind);
    definition([kind.as_str(), kind.plural()], Some(short), &versions)
}

fn definition(
    [kind, plural]: [&str; 2],
    short: Option<&str>,
    versions: &[Value],
) -> CustomResourceDefinition {
    let mut definition = json!({
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
            "versions": versions,
        },
    });
    if let Some(short) = short {
        definition["spec"]["names"]["shortNames"] = json!([short]);
    }
    serde_json::from_value(definition).expect("the literal above has the shape of a CRD")
}

/// v1beta1 of a kind. Nothing is known of its fields, as in the official ones.
fn old_version(kind: Kind, served: bool) -> Value {
    let mut schema = json!({"type": "object", "properties": {
        "apiVersion": {"type": "string"},
        "kind": {"type": "string"},
        "metadata": {"type": "object"},
    }});
    let properties = &mut schema["properties"];
    if kind == Kind::Setting {
        properties["value"] = json!({"type": "string"});
        schema["required"] = json!(["value"]);
    } else {
        for part in ["spec", "status"] {
            properties[part] = json!({"x-kubernetes-preserve-unknown-fields": true});
        }
    }
    let mut version = json!({
        "name": OLD_VERSION,
        "served": served,
        "storage": false,
        "schema": {"openAPIV3Schema": schema},
        "subresources": {"status": {}},
        "additionalPrinterColumns": written(&v1beta1_columns(kind)),
    });
    if !served {
        let name = kind.as_str();
        version["deprecated"] = true.into();
        version["deprecationWarning"] = format!(
            "{GROUP}/{OLD_VERSION} {name} is deprecated; use {GROUP}/{VERSION} {name} instead"
        )
        .into();
    }
    version
}

fn written(columns: &[Column]) -> Vec<Value> {
    columns
        .iter()
        .copied()
        .chain([("Age", ".metadata.creationTimestamp", "date")])
        .map(|column @ (name, path, type_)| {
            let mut written = json!({"name": name, "jsonPath": path, "type": type_});
            if is_wide(column) {
                written["priority"] = 1.into();
            }
            written
        })
        .collect()
}

/// The newest release that is known.
pub fn newest() -> LonghornVersion {
    let newest = fixname_naming::releases().last();
    newest
        .map(|release| release.version.clone())
        .expect("the table of releases is not empty, which its tests show")
}

/// A definition of a kind of Longhorn's that this program has no type for: any spec
/// and status will do.
pub fn loose_crd(kind: &str, plural: &str) -> CustomResourceDefinition {
    let any = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    let version = json!({
        "name": VERSION,
        "served": true,
        "storage": true,
        "schema": {"openAPIV3Schema": {
            "type": "object",
            "properties": {"spec": any, "status": any},
        }},
        "subresources": {"status": {}},
    });
    definition([kind, plural], None, &[version])
}

fn short_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Node => "lhn",
        Kind::BackingImage => "lhbi",
        Kind::BackingImageManager => "lhbim",
        Kind::BackingImageDataSource => "lhbids",
        Kind::Replica => "lhr",
        Kind::Setting => "lhs",
        Kind::Volume => "lhv",
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

fn schema(kind: Kind, release: &LonghornVersion) -> Value {
    let mut schema = object_schema(match kind {
        Kind::Node => schema_of::<Node>(),
        Kind::BackingImage => schema_of::<BackingImage>(),
        Kind::BackingImageManager => schema_of::<BackingImageManager>(),
        Kind::BackingImageDataSource => schema_of::<BackingImageDataSource>(),
        Kind::Replica => schema_of::<Replica>(),
        Kind::Setting => schema_of::<Setting>(),
        Kind::Volume => schema_of::<Volume>(),
    });
    for row in ROWS.iter() {
        if row.kind == kind && row.releases.has(release) {
            for path in &row.paths {
                apply(&mut schema, path, &row.fact);
            }
        }
    }
    schema
}

/// A generated schema, with what every object has.
fn object_schema(mut schema: Value) -> Value {
    tidy(&mut schema);
    if let Some(root) = schema.as_object_mut() {
        for noise in ["$schema", "title"] {
            root.remove(noise);
        }
    }
    let properties = &mut schema["properties"];
    for standard in ["apiVersion", "kind"] {
        properties[standard] = json!({"type": "string"});
    }
    properties["metadata"] = json!({"type": "object"});
    if properties.get("status").is_some() {
        nullable(&mut properties["status"]);
    }
    schema
}

/// Makes a generated schema say what the official one says: the server fills in
/// no defaults (a default would turn "absent" into "empty", which Longhorn tells
/// apart), and no number has a bound.
fn tidy(schema: &mut Value) {
    match schema {
        Value::Object(map) => {
            if map.get("type").is_some_and(Value::is_string) {
                for word in ["default", "minimum", "maximum", "nullable", "required"] {
                    map.remove(word);
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

/// Every map and list of a status may be null, and none of a spec.
fn nullable(schema: &mut Value) {
    match schema {
        Value::Object(map) => {
            let kind = map.get("type").and_then(Value::as_str);
            if matches!(kind, Some("array" | "object")) && !map.contains_key("properties") {
                map.insert("nullable".into(), true.into());
            }
            map.values_mut().for_each(nullable);
        }
        Value::Array(items) => items.iter_mut().for_each(nullable),
        _ => {}
    }
}

/// Puts one fact into an object's schema.
fn apply(schema: &mut Value, path: &str, fact: &Fact) {
    if let Fact::Absent = fact {
        let (parent, name) = path.rsplit_once('.').unwrap_or(("", path));
        if let Some(properties) = field(schema, parent)["properties"].as_object_mut() {
            properties.remove(name);
        }
        return;
    }
    let field = field(schema, path);
    match fact {
        Fact::Is(word) => {
            let (kind, format) = match *word {
                "int64" | "int32" => ("integer", Some(*word)),
                "int64-string" => ("string", Some("int64")),
                "date-time" => ("string", Some(*word)),
                kind => (kind, None),
            };
            let mut typed = json!({"type": kind});
            if let Some(format) = format {
                typed["format"] = format.into();
            }
            if let Some(description) = field.get("description") {
                typed["description"] = description.clone();
            }
            *field = typed;
        }
        Fact::OneOf(words) => field["enum"] = json!(words),
        Fact::Default(word) => field["default"] = json!(word),
        Fact::Required(name) => field["required"] = json!([name]),
        Fact::Nullable => field["nullable"] = true.into(),
        Fact::From0(most) => {
            field["minimum"] = 0.into();
            if let Some(most) = most {
                field["maximum"] = (*most).into();
            }
        }
        Fact::Immutable(message) => {
            let rule = json!({"rule": "self == oldSelf", "message": message});
            field["x-kubernetes-validations"] = json!([rule]);
        }
        Fact::Absent => {}
    }
}

/// The schema of a field, made where it is not there.
fn field<'a>(schema: &'a mut Value, path: &str) -> &'a mut Value {
    let mut at = schema;
    for step in path.split('.').filter(|step| !step.is_empty()) {
        let name = step.trim_end_matches(['{', '}', '[', ']']);
        at = member(member(at, "properties"), name);
        let mut rest = &step[name.len()..];
        while !rest.is_empty() {
            let key = if rest.starts_with('{') {
                "additionalProperties"
            } else {
                "items"
            };
            at = member(at, key);
            rest = &rest[2..];
        }
    }
    at
}

fn member<'a>(schema: &'a mut Value, key: &str) -> &'a mut Value {
    if !schema.is_object() {
        *schema = Value::Object(Map::new());
    }
    &mut schema[key]
}

#[cfg(test)]
mod tests {
    use super::*;
    use fixname_naming::releases;

    #[test]
    fn every_release_has_structural_schemas() {
        for release in releases() {
            for crd in crds(&release.version).iter() {
                let text = serde_json::to_string(&crd).unwrap();
                for word in ["$ref", "anyOf", "\"extra\"", ":null"] {
                    assert!(!text.contains(word), "{word} in {text}");
                }
            }
        }
    }

    #[test]
    fn fields_come_and_go_with_releases() {
        let of = |release: &str| {
            let crd = crd(Kind::BackingImage, &release.parse().unwrap());
            serde_json::to_value(crd).unwrap()
        };
        let engine = |crd: &Value| {
            let versions = crd["spec"]["versions"].as_array().unwrap().clone();
            let last = versions.last().unwrap();
            last["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]["dataEngine"]
                .clone()
        };
        assert_eq!(engine(&of("v1.7.2")), Value::Null);
        assert_eq!(engine(&of("v1.9.1"))["default"], "v1");
        assert_eq!(engine(&of("v1.9.1"))["enum"], json!(["v1", "v2"]));
        for (release, versions, served) in [("v1.8.1", 2, true), ("v1.9.1", 2, false)] {
            let crd = of(release);
            assert_eq!(
                crd["spec"]["versions"].as_array().map(Vec::len),
                Some(versions)
            );
            assert_eq!(crd["spec"]["versions"][0]["served"], served, "{release}");
        }
        assert_eq!(
            of("v1.12.1")["spec"]["versions"].as_array().map(Vec::len),
            Some(1)
        );
    }

    #[test]
    fn every_row_speaks_of_a_field_of_some_type_or_of_one_of_its_own() {
        // A fact about a field that no type and no earlier row has would make a
        // field without a type, which no API server takes.
        fn typed(schema: &Value, path: &str) {
            let Value::Object(map) = schema else { return };
            let has_type = map.contains_key("type")
                || map.contains_key("x-kubernetes-preserve-unknown-fields");
            assert!(has_type, "{path} has no type");
            for (name, field) in map
                .get("properties")
                .and_then(Value::as_object)
                .into_iter()
                .flatten()
            {
                typed(field, &format!("{path}.{name}"));
            }
            for key in ["items", "additionalProperties"] {
                if let Some(inner) = map.get(key) {
                    typed(inner, &format!("{path}{key}"));
                }
            }
        }
        for kind in Kind::ALL {
            for release in ["v1.7.2", "v1.9.2", "v1.12.1"] {
                typed(&schema(*kind, &release.parse().unwrap()), kind.as_str());
            }
        }
    }
}
