//! Schemas of the core kinds for the OpenAPI documents: every member from
//! [`crate::core_types`], described in the words of `k8s-openapi`, whose types
//! are one minor version older; what is newer has no description.

use std::collections::BTreeSet;

use k8s_openapi::api::{
    admissionregistration, apps, batch, coordination, core, events, policy, scheduling, storage,
};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use schemars::generate::{SchemaGenerator, SchemaSettings};
use serde_json::{Map, Value, json};

use crate::builtin::Kind;
use crate::core_types::{self, Field, GoType, StructId};
use crate::kept::Kept;
use crate::schema::ListKind;

/// The name of a struct in a document, from its name in the table.
fn name(of: StructId) -> String {
    let own = core_types::table().get(of).name;
    let (package, kind) = own.split_once('.').unwrap_or(("", own));
    match package {
        "meta" => format!("io.k8s.apimachinery.pkg.apis.meta.v1.{kind}"),
        package => format!("io.k8s.api.{package}.v1.{kind}"),
    }
}

/// The name of a kind of the server's own in a document.
pub(crate) fn component(kind: Kind) -> Option<String> {
    match kind {
        Kind::Definition => Some(
            "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceDefinition"
                .to_owned(),
        ),
        kind => core_types::of_kind(kind).map(name),
    }
}

/// What `k8s-openapi` says of the types of a kind, references as `refs`.
pub(crate) fn described(kind: Kind, refs: &str) -> Map<String, Value> {
    let mut settings = SchemaSettings::openapi3();
    settings.definitions_path = refs.to_owned().into();
    let mut generator = settings.into_generator();
    match kind {
        Kind::Definition => generator.subschema_for::<CustomResourceDefinition>(),
        Kind::Namespace => generator.subschema_for::<core::v1::Namespace>(),
        Kind::Node => generator.subschema_for::<core::v1::Node>(),
        Kind::Pod => generator.subschema_for::<core::v1::Pod>(),
        Kind::Event => generator.subschema_for::<core::v1::Event>(),
        Kind::EventV1 => generator.subschema_for::<events::v1::Event>(),
        Kind::ConfigMap => generator.subschema_for::<core::v1::ConfigMap>(),
        Kind::Secret => generator.subschema_for::<core::v1::Secret>(),
        Kind::Lease => generator.subschema_for::<coordination::v1::Lease>(),
        Kind::ServiceAccount => generator.subschema_for::<core::v1::ServiceAccount>(),
        Kind::Job => generator.subschema_for::<batch::v1::Job>(),
        Kind::MutatingWebhooks => {
            generator.subschema_for::<admissionregistration::v1::MutatingWebhookConfiguration>()
        }
        Kind::ValidatingWebhooks => {
            generator.subschema_for::<admissionregistration::v1::ValidatingWebhookConfiguration>()
        }
        Kind::Kept(kind) => kept(kind, &mut generator),
        Kind::Custom => schemars::Schema::default(),
    };
    generator.take_definitions(true)
}

fn kept(kind: Kept, generator: &mut SchemaGenerator) -> schemars::Schema {
    match kind {
        Kept::PersistentVolume => generator.subschema_for::<core::v1::PersistentVolume>(),
        Kept::PersistentVolumeClaim => generator.subschema_for::<core::v1::PersistentVolumeClaim>(),
        Kept::Service => generator.subschema_for::<core::v1::Service>(),
        Kept::Endpoints => generator.subschema_for::<core::v1::Endpoints>(),
        Kept::DaemonSet => generator.subschema_for::<apps::v1::DaemonSet>(),
        Kept::Deployment => generator.subschema_for::<apps::v1::Deployment>(),
        Kept::CronJob => generator.subschema_for::<batch::v1::CronJob>(),
        Kept::PodDisruptionBudget => generator.subschema_for::<policy::v1::PodDisruptionBudget>(),
        Kept::PriorityClass => generator.subschema_for::<scheduling::v1::PriorityClass>(),
        Kept::StorageClass => generator.subschema_for::<storage::v1::StorageClass>(),
        Kept::CsiDriver => generator.subschema_for::<storage::v1::CSIDriver>(),
        Kept::VolumeAttachment => generator.subschema_for::<storage::v1::VolumeAttachment>(),
    }
}

/// The schemas of a kind and of all types below it.
pub(crate) fn schemas(kind: Kind, refs: &str) -> Map<String, Value> {
    let described = described(kind, refs);
    let Some(root) = core_types::of_kind(kind) else {
        return described;
    };
    let mut all = Map::new();
    let mut seen = BTreeSet::new();
    let mut waiting = vec![root];
    while let Some(id) = waiting.pop() {
        if seen.insert(id) {
            let name = name(id);
            let about = described.get(&name).unwrap_or(&Value::Null);
            all.insert(name, one(id, about, refs, &mut waiting));
        }
    }
    all
}

fn one(id: StructId, about: &Value, refs: &str, below: &mut Vec<StructId>) -> Value {
    let of = core_types::table().get(id);
    let mut properties = Map::new();
    let mut required = Vec::new();
    for field in &of.fields {
        let mut schema = member(field, refs, below);
        let text = about.pointer(&format!("/properties/{}/description", field.name));
        if let Some(text) = text {
            schema["description"] = text.clone();
        }
        properties.insert(field.name.to_owned(), schema);
        if field.required {
            required.push(Value::from(field.name));
        }
    }
    let mut schema = json!({"type": "object", "properties": properties});
    if let Some(text) = about.get("description") {
        schema["description"] = text.clone();
    }
    if !required.is_empty() {
        schema["required"] = Value::from(required);
    }
    if of.atomic {
        schema["x-kubernetes-map-type"] = json!("atomic");
    }
    schema
}

fn member(field: &Field, refs: &str, below: &mut Vec<StructId>) -> Value {
    let go = field.go.pointee();
    let mut schema = of_type(go, refs, below);
    // In the newer documents a reference cannot have neighbours.
    if schema.get("$ref").is_some() && refs.starts_with("#/components") {
        schema = json!({"allOf": [schema]});
    }
    if let Some(value) = &field.default {
        schema["default"] = value.clone();
    }
    if matches!(go, GoType::List(_)) {
        match &field.list {
            ListKind::Set => schema["x-kubernetes-list-type"] = json!("set"),
            ListKind::Map(keys) => {
                schema["x-kubernetes-list-type"] = json!("map");
                schema["x-kubernetes-list-map-keys"] = json!(keys);
            }
            ListKind::Atomic => schema["x-kubernetes-list-type"] = json!("atomic"),
        }
    }
    if field.atomic_map {
        schema["x-kubernetes-map-type"] = json!("atomic");
    }
    if let Some(rule) = field.patch {
        let strategy = match (rule.merge, rule.retain_keys) {
            (true, true) => "merge,retainKeys",
            (false, true) => "retainKeys",
            _ => "merge",
        };
        schema["x-kubernetes-patch-strategy"] = json!(strategy);
        if !rule.key.is_empty() {
            schema["x-kubernetes-patch-merge-key"] = json!(rule.key);
        }
    }
    schema
}

fn of_type(go: &GoType, refs: &str, below: &mut Vec<StructId>) -> Value {
    match go {
        GoType::Text(_) | GoType::Quantity => json!({"type": "string"}),
        GoType::Bool => json!({"type": "boolean"}),
        GoType::Integer(bits) => json!({"type": "integer", "format": format!("int{bits}")}),
        GoType::Bytes => json!({"type": "string", "format": "byte"}),
        GoType::Time | GoType::MicroTime => json!({"type": "string", "format": "date-time"}),
        GoType::IntOrString => json!({"type": "string", "format": "int-or-string"}),
        GoType::Fields => json!({"type": "object"}),
        GoType::List(of) => json!({"type": "array", "items": of_type(of, refs, below)}),
        GoType::Map(_, _, of) => {
            json!({"type": "object", "additionalProperties": of_type(of, refs, below)})
        }
        GoType::Pointer(of) => of_type(of, refs, below),
        GoType::Struct(id) => {
            below.push(*id);
            json!({"$ref": format!("{refs}{}", name(*id))})
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_of_all_depths_are_there_and_described() {
        let all = schemas(Kind::Pod, "#/definitions/");
        let container = &all["io.k8s.api.core.v1.Container"]["properties"];
        assert_eq!(
            container["ports"]["items"]["$ref"],
            "#/definitions/io.k8s.api.core.v1.ContainerPort"
        );
        assert_eq!(
            container["ports"]["x-kubernetes-patch-merge-key"],
            "containerPort"
        );
        assert!(
            container["image"]["description"]
                .as_str()
                .is_some_and(|d| d.contains("image"))
        );
        // Newer than the descriptions.
        assert!(all["io.k8s.api.core.v1.PodSpec"]["properties"]["hostnameOverride"].is_object());
        // What is referred to is there.
        let text = Value::from(all.clone()).to_string();
        for part in text.split("#/definitions/").skip(1) {
            let name = part.split('"').next().unwrap_or_default();
            assert!(all.contains_key(name), "{name}");
        }
    }

    #[test]
    fn definitions_refer_to_what_is_there() {
        for refs in ["#/definitions/", "#/components/schemas/"] {
            let all = schemas(Kind::Definition, refs);
            let text = Value::from(all.clone()).to_string();
            assert!(text.contains(refs));
            for part in text.split("\"$ref\":\"").skip(1) {
                let name = part.split('"').next().unwrap_or_default();
                let name = name.strip_prefix(refs).expect(name);
                assert!(all.contains_key(name), "{name}");
            }
        }
    }
}
