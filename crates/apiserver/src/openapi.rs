//! OpenAPI documents of what is served, made from the definitions' schemas.

use serde_json::{Map, Value, json};

use crate::reply::Reply;
use crate::request::Call;
use crate::resource::{Resource, text};
use crate::route::Route;
use crate::server::State;
use crate::status::Failure;

pub(crate) fn answer(call: &Call, route: &Route) -> Result<Reply, Failure> {
    let state = call.server.state();
    match route {
        Route::OpenApiV3Index => {
            let mut paths = Map::new();
            for (group, versions) in state.registry.groups() {
                for version in versions {
                    let path = if group.is_empty() {
                        format!("api/{version}")
                    } else {
                        format!("apis/{group}/{version}")
                    };
                    let url = format!("/openapi/v3/{path}?hash={:016X}", state.next_epoch);
                    paths.insert(path, json!({"serverRelativeURL": url}));
                }
            }
            Ok(Reply::value(200, &json!({"paths": paths})))
        }
        Route::OpenApiV3(group, version) => {
            if !state.registry.serves(group, version) {
                return Err(Failure::path_not_found());
            }
            let mut schemas = metadata();
            for resource in state.registry.of_version(group, version) {
                describe(&state, resource, "#/components/schemas/", &mut schemas);
            }
            let mut paths = Map::new();
            for resource in state.registry.of_version(group, version) {
                path_items(resource, true, &mut paths);
            }
            Ok(Reply::value(
                200,
                &json!({
                    "openapi": "3.0.0",
                    "info": {"title": "Kubernetes", "version": crate::discovery::VERSION},
                    "paths": paths,
                    "components": {"schemas": schemas},
                }),
            ))
        }
        Route::OpenApiV2 => {
            if let Some(media) = call.accept.first_media()
                && media.contains("protobuf")
                && !call.accept.takes_json()
            {
                return Ok(Reply::bytes(200, V2_PROTOBUF, EMPTY_V2));
            }
            let mut definitions = Map::new();
            let mut paths = Map::new();
            for resource in state.registry.all() {
                describe(&state, &resource, "#/definitions/", &mut definitions);
                path_items(&resource, false, &mut paths);
            }
            Ok(Reply::value(
                200,
                &json!({
                    "swagger": "2.0",
                    "info": {"title": "Kubernetes", "version": crate::discovery::VERSION},
                    "paths": paths,
                    "definitions": definitions,
                }),
            ))
        }
        _ => Err(Failure::path_not_found()),
    }
}

/// The media type of the v2 document as protobuf. kubectl asks for nothing else
/// when a manifest has a kind that the v3 documents lack, to see whether it is
/// validated by the server.
const V2_PROTOBUF: &str = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf";

/// A document with its version alone (field 1 of `openapi.v2.Document` in
/// `gnostic-models/openapiv2/OpenAPIv2.proto`): it describes no kind, which is
/// the right answer for one that is not served.
const EMPTY_V2: &[u8] = b"\x0a\x032.0";

/// `io.longhorn.v1beta2.BackingImage`: the group's parts in reverse.
fn component(resource: &Resource) -> String {
    crate::core_openapi::component(resource.behaviour).unwrap_or_else(|| {
        let group = resource.group.rsplit('.').collect::<Vec<_>>().join(".");
        format!("{group}.{}.{}", resource.version, resource.kind)
    })
}

/// Adds the schemas of a resource.
fn describe(state: &State, resource: &Resource, refs: &str, schemas: &mut Map<String, Value>) {
    let name = component(resource);
    let kind = json!([{
        "group": resource.group, "version": resource.version, "kind": resource.kind,
    }]);
    if resource.is_custom() {
        let mut schema = schema(state, resource, refs);
        schema["x-kubernetes-group-version-kind"] = kind;
        schemas.insert(name, schema);
        return;
    }
    for (name, schema) in crate::core_openapi::schemas(resource.behaviour, refs) {
        schemas.entry(name).or_insert(schema);
    }
    if let Some(schema) = schemas.get_mut(&name) {
        schema["x-kubernetes-group-version-kind"] = kind;
    }
}

/// The name of the type of `metadata` in a document.
const OBJECT_META: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta";

/// The types of `metadata`, described as in the real server's document.
fn metadata() -> Map<String, Value> {
    let mut generator = schemars::generate::SchemaSettings::openapi3().into_generator();
    generator.subschema_for::<k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta>();
    let mut types: Map<String, Value> = generator.take_definitions(true);
    for (member, key, value) in [
        ("ownerReferences", "patch-merge-key", json!("uid")),
        ("ownerReferences", "patch-strategy", json!("merge")),
        ("ownerReferences", "list-type", json!("map")),
        ("ownerReferences", "list-map-keys", json!(["uid"])),
        ("finalizers", "patch-strategy", json!("merge")),
        ("finalizers", "list-type", json!("set")),
    ] {
        if let Some(meta) = types.get_mut(OBJECT_META) {
            meta["properties"][member][format!("x-kubernetes-{key}")] = value;
        }
    }
    types
}

fn schema(state: &State, resource: &Resource, refs: &str) -> Value {
    let name = format!("{}.{}", resource.table.plural, resource.table.group);
    let mut schema = state
        .get(&crate::crd::table(), &name)
        .map(|stored| stored.parse())
        .and_then(|definition| {
            definition
                .pointer("/spec/versions")?
                .as_array()?
                .iter()
                .find(|v| text(v, "/name") == resource.version)?
                .pointer("/schema/openAPIV3Schema")
                .cloned()
        })
        .unwrap_or_else(|| json!({"type": "object"}));
    for (key, about) in [
        (
            "apiVersion",
            "APIVersion defines the versioned schema of this representation of an object. Servers should convert recognized schemas to the latest internal value, and may reject unrecognized values. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#resources",
        ),
        (
            "kind",
            "Kind is a string value representing the REST resource this object represents. Servers may infer this from the endpoint the client submits requests to. Cannot be updated. In CamelCase. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#types-kinds",
        ),
    ] {
        schema["properties"][key] = json!({"type": "string", "description": about});
    }
    if refs.starts_with("#/components") {
        schema["properties"]["metadata"] = json!({
            "allOf": [{"$ref": format!("{refs}{OBJECT_META}")}],
            "description": "Standard object's metadata. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#metadata",
        });
    } else {
        schema["properties"]["metadata"] = json!({
        "type": "object",
        "description": "Standard object's metadata. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#metadata",
        "properties": {
            "name": {"type": "string"}, "generateName": {"type": "string"}, "namespace": {"type": "string"},
            "labels": {"type": "object", "additionalProperties": {"type": "string"}},
            "annotations": {"type": "object", "additionalProperties": {"type": "string"}},
            "finalizers": {"type": "array", "items": {"type": "string"}, "x-kubernetes-list-type": "set"},
            "resourceVersion": {"type": "string"}, "uid": {"type": "string"},
            "generation": {"type": "integer", "format": "int64"},
            "creationTimestamp": {"type": "string", "format": "date-time"},
            "deletionTimestamp": {"type": "string", "format": "date-time"},
            "deletionGracePeriodSeconds": {"type": "integer", "format": "int64"},
            "selfLink": {"type": "string"},
            "ownerReferences": {"type": "array", "items": {"type": "object", "properties": {
                "apiVersion": {"type": "string"}, "kind": {"type": "string"}, "name": {"type": "string"},
                "uid": {"type": "string"}, "controller": {"type": "boolean"},
                "blockOwnerDeletion": {"type": "boolean"}}},
                "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["uid"],
                "x-kubernetes-patch-merge-key": "uid", "x-kubernetes-patch-strategy": "merge"},
            "managedFields": {"type": "array", "items": {"type": "object"}},
        },
        });
    }
    schema
}

/// The paths of a resource, with the parameters that kubectl looks for.
fn path_items(resource: &Resource, v3: bool, paths: &mut Map<String, Value>) {
    let base = if resource.group.is_empty() {
        format!("/api/{}", resource.version)
    } else {
        format!("/apis/{}/{}", resource.group, resource.version)
    };
    let collection = if resource.namespaced {
        format!("{base}/namespaces/{{namespace}}/{}", resource.plural)
    } else {
        format!("{base}/{}", resource.plural)
    };
    let gvk = json!({"group": resource.group, "version": resource.version, "kind": resource.kind});
    let parameter = |name: &str| {
        if v3 {
            json!({"name": name, "in": "query", "schema": {"type": "string", "uniqueItems": true}})
        } else {
            json!({"name": name, "in": "query", "type": "string", "uniqueItems": true})
        }
    };
    let operation = |action: &str, parameters: &[&str]| {
        let answer = if v3 {
            json!({"200": {"description": "OK", "content": {"application/json": {"schema":
                {"$ref": format!("#/components/schemas/{}", component(resource))}}}}})
        } else {
            json!({"200": {"description": "OK", "schema": {"$ref": format!("#/definitions/{}", component(resource))}}})
        };
        json!({
            "x-kubernetes-action": action,
            "x-kubernetes-group-version-kind": gvk,
            "parameters": parameters.iter().map(|p| parameter(p)).collect::<Vec<_>>(),
            "responses": answer,
        })
    };
    let writes = ["dryRun", "fieldManager", "fieldValidation"];
    paths.insert(
        collection.clone(),
        json!({"get": operation("list", &[]), "post": operation("post", &writes),
            "delete": operation("deletecollection", &["dryRun"])}),
    );
    paths.insert(
        format!("{collection}/{{name}}"),
        json!({
            "get": operation("get", &[]),
            "put": operation("put", &writes),
            "patch": operation("patch", &["dryRun", "fieldManager", "fieldValidation", "force"]),
            "delete": operation("delete", &["dryRun"]),
        }),
    );
}
