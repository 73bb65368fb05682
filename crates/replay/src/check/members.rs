//! Names of members, and what stands in them, against the schemas of their kinds: a
//! slip in a name would be pruned by an API server, or hold for ever under `neverFor`.

use std::collections::HashMap;

use fixname_diagnose::Finding;
use fixname_longhorn::crds::crds;
use fixname_naming::LonghornVersion;
use k8s_openapi::api::{batch, coordination, core};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use schemars::{JsonSchema, schema_for};
use serde_json::{Value, json};

use super::Checker;
use crate::place::Path;
use crate::suggest::instead;

/// Schemas of kinds, made once.
#[derive(Default)]
pub(crate) struct Schemas(HashMap<(String, String, Option<LonghornVersion>), Value>);

impl Schemas {
    /// The schema of a kind under a version; a schema that anything fits if the
    /// kind is not known.
    fn of(&mut self, api_version: Option<&str>, kind: &str, version: &LonghornVersion) -> &Value {
        let ours = api_version.is_none_or(|v| v.starts_with("longhorn.io/"));
        let key = (
            api_version.unwrap_or_default().to_owned(),
            kind.to_owned(),
            ours.then(|| version.clone()),
        );
        self.0.entry(key).or_insert_with(|| {
            if ours {
                longhorn(kind, version)
            } else {
                kubernetes(kind)
            }
        })
    }

    fn of_findings(&mut self) -> &Value {
        let key = (String::new(), "finding".to_owned(), None);
        self.0.entry(key).or_insert_with(schema::<Finding>)
    }
}

fn schema<T: JsonSchema>() -> Value {
    schema_for!(T).to_value()
}

fn longhorn(kind: &str, version: &LonghornVersion) -> Value {
    let all = crds(version);
    let Some(definition) = all.iter().find(|crd| crd.spec.names.kind == kind) else {
        return json!({});
    };
    let stored = definition.spec.versions.iter().find(|v| v.storage);
    let schema = stored.and_then(|v| v.schema.as_ref()?.open_api_v3_schema.as_ref());
    let mut schema = serde_json::to_value(schema).unwrap_or_default();
    // The definitions say only that it is an object.
    schema["properties"]["metadata"] = json!({"$ref": "#/metadata"});
    let mut metadata = self::schema::<ObjectMeta>();
    schema["$defs"] = metadata["$defs"].take();
    schema["metadata"] = metadata;
    schema
}

fn kubernetes(kind: &str) -> Value {
    match kind {
        "ConfigMap" => schema::<core::v1::ConfigMap>(),
        "Event" => schema::<core::v1::Event>(),
        "Namespace" => schema::<core::v1::Namespace>(),
        "Node" => schema::<core::v1::Node>(),
        "Pod" => schema::<core::v1::Pod>(),
        "Secret" => schema::<core::v1::Secret>(),
        "ServiceAccount" => schema::<core::v1::ServiceAccount>(),
        "Job" => schema::<batch::v1::Job>(),
        "Lease" => schema::<coordination::v1::Lease>(),
        _ => json!({}),
    }
}

impl Checker<'_> {
    /// The members of an object, or of a part of it, under these versions. What some
    /// version has is no slip.
    pub(super) fn members(
        &mut self,
        (api_version, kind): (Option<&str>, &str),
        wanted: &Value,
        at: &Path,
        versions: &[LonghornVersion],
    ) {
        let mut fewest: Option<Vec<(Path, String)>> = None;
        for version in versions {
            let schema = self.schemas.of(api_version, kind, version);
            let mut found = Vec::new();
            compare(schema, schema, wanted, at, &mut found);
            if fewest
                .as_ref()
                .is_none_or(|before| found.len() < before.len())
            {
                fewest = Some(found);
            }
        }
        for (path, text) in fewest.unwrap_or_default() {
            self.say(&path, text);
        }
    }

    pub(super) fn members_of_findings(&mut self, wanted: &Value, at: &Path) {
        let schema = self.schemas.of_findings();
        let mut found = Vec::new();
        compare(schema, schema, wanted, at, &mut found);
        for (path, text) in found {
            self.say(&path, text);
        }
    }
}

fn compare(
    root: &Value,
    schema: &Value,
    wanted: &Value,
    at: &Path,
    found: &mut Vec<(Path, String)>,
) {
    let schema = resolved(root, schema);
    match wanted {
        Value::Object(members) => {
            if schema["x-kubernetes-preserve-unknown-fields"] == true {
                return;
            }
            let known = schema["properties"].as_object();
            let others = schema.get("additionalProperties");
            for (name, value) in members {
                let at = at.member(name);
                let child = known.and_then(|k| k.get(name));
                match (child.or(others), known) {
                    (Some(child), _) => compare(root, child, value, &at, found),
                    (None, Some(known)) => {
                        let instead = instead(name, known.keys().map(String::as_str));
                        let text = format!("there is no member {name:?} here{instead}");
                        found.push((at.key(), text));
                    }
                    (None, None) => {}
                }
            }
            if let (Some(type_), false) = (plain_type(schema), members.is_empty()) {
                found.push((at.clone(), format!("{type_} is here, which has no members")));
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                compare(root, &schema["items"], item, &at.item(index), found);
            }
        }
        Value::Number(_) if plain_type(schema) == Some("a text") => {
            let text = "a text is here, and YAML reads this as a number: quote it";
            found.push((at.clone(), text.to_owned()));
        }
        Value::String(word) => {
            let words = words(schema);
            if !words.is_empty() && !words.contains(&word.as_str()) {
                let text = format!("{word:?} cannot be here{}", instead(word, words));
                found.push((at.clone(), text));
            }
        }
        Value::Number(_) | Value::Bool(_) | Value::Null => {}
    }
}

/// The words that may stand here; none if any may.
fn words(schema: &Value) -> Vec<&str> {
    let enumerated = schema["enum"].as_array().into_iter().flatten();
    let described = schema["oneOf"].as_array().into_iter().flatten();
    let described = described.map(|one| &one["const"]);
    enumerated
        .chain(described)
        .filter_map(Value::as_str)
        .collect()
}

/// A type without members, for a person.
fn plain_type(schema: &Value) -> Option<&'static str> {
    let type_ = match &schema["type"] {
        Value::Array(types) => types.iter().find(|t| **t != "null")?.as_str()?,
        type_ => type_.as_str()?,
    };
    match type_ {
        "string" => Some("a text"),
        "integer" | "number" => Some("a number"),
        "boolean" => Some("true or false"),
        _ => None,
    }
}

/// A schema without the indirections around it: references, and "or null".
fn resolved<'s>(root: &'s Value, mut schema: &'s Value) -> &'s Value {
    // A reference that leads back to itself says nothing.
    for _ in 0..16 {
        let reference = schema["$ref"].as_str().and_then(|r| r.strip_prefix('#'));
        let alternatives = ["allOf", "anyOf"].map(|key| schema[key].as_array());
        let alternative = alternatives.into_iter().flatten().flatten();
        let mut alternative = alternative.filter(|a| a["type"] != "null");
        schema = match (reference, alternative.next()) {
            (Some(pointer), _) => root.pointer(pointer).unwrap_or(&Value::Null),
            (None, Some(inner)) if alternative.next().is_none() => inner,
            _ => return schema,
        };
    }
    &Value::Null
}
