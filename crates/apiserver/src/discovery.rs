//! What is not a resource: discovery (plain and aggregated), the version, the
//! health checks.

use http::Method;
use serde_json::{Value, json};

use crate::reply::Reply;
use crate::request::Call;
use crate::resource::{Registry, Resource, group_version};
use crate::route::Route;
use crate::status::Failure;

/// The Kubernetes version that the server behaves like.
pub(crate) const VERSION: &str = "v1.34.4";

pub(crate) fn answer(call: &Call, route: &Route) -> Result<Reply, Failure> {
    if !matches!(call.method, Method::GET | Method::HEAD) {
        return Err(match route {
            Route::Unknown => Failure::path_not_found(),
            _ => Failure::generic_method_not_allowed(),
        });
    }
    match route {
        Route::Version => Ok(Reply::value(
            200,
            &json!({
                "major": "1", "minor": "34", "emulationMajor": "1", "emulationMinor": "34",
                "minCompatibilityMajor": "1", "minCompatibilityMinor": "33",
                "gitVersion": VERSION, "gitCommit": "", "gitTreeState": "", "buildDate": "",
                "goVersion": "", "compiler": "", "platform": "",
            }),
        )),
        Route::Health => Ok(Reply::bytes(200, "text/plain; charset=utf-8", "ok")),
        Route::OpenApiV2 | Route::OpenApiV3Index | Route::OpenApiV3(..) => {
            crate::openapi::answer(call, route)
        }
        _ if !call.accept.takes_json() => Err(Failure::not_acceptable(&[
            "application/json",
            "application/yaml",
            "application/vnd.kubernetes.protobuf",
        ])),
        Route::CoreVersions => {
            if let Some((version, _)) = call.accept.aggregated() {
                return Ok(aggregated(&call.server.state().registry, version, true));
            }
            Ok(Reply::value(
                200,
                &json!({"kind": "APIVersions", "versions": ["v1"],
                    "serverAddressByClientCIDRs": [{"clientCIDR": "0.0.0.0/0", "serverAddress": "127.0.0.1:0"}]}),
            ))
        }
        Route::Groups => {
            let state = call.server.state();
            if let Some((version, _)) = call.accept.aggregated() {
                return Ok(aggregated(&state.registry, version, false));
            }
            let groups: Vec<Value> = state
                .registry
                .groups()
                .filter(|(group, _)| !group.is_empty())
                .map(|(group, versions)| api_group(group, versions))
                .collect();
            Ok(Reply::value(
                200,
                &json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}),
            ))
        }
        Route::Group(wanted) => {
            let state = call.server.state();
            let found = state
                .registry
                .groups()
                .find(|(group, _)| *group == wanted && !group.is_empty());
            let (group, versions) = found.ok_or_else(Failure::path_not_found)?;
            let mut value = api_group(group, versions);
            value["kind"] = Value::from("APIGroup");
            value["apiVersion"] = Value::from("v1");
            Ok(Reply::value(200, &value))
        }
        Route::Resources(group, version) => {
            let state = call.server.state();
            if !state.registry.serves(group, version) {
                return Err(if crate::builtin::is_group(group) {
                    Failure::generic_not_found()
                } else {
                    Failure::path_not_found()
                });
            }
            let resources: Vec<Value> = state
                .registry
                .of_version(group, version)
                .flat_map(|resource| api_resources(resource))
                .collect();
            Ok(Reply::value(
                200,
                &json!({"kind": "APIResourceList", "apiVersion": "v1",
                    "groupVersion": group_version(group, version), "resources": resources}),
            ))
        }
        Route::Unknown | Route::Resource(_) => Err(Failure::path_not_found()),
    }
}

fn api_group(group: &str, versions: &[String]) -> Value {
    let entry = |version: &String| json!({"groupVersion": group_version(group, version), "version": version});
    json!({
        "name": group,
        "versions": versions.iter().map(entry).collect::<Vec<_>>(),
        "preferredVersion": versions.first().map(entry),
    })
}

const VERBS: [&str; 8] = [
    "delete",
    "deletecollection",
    "get",
    "list",
    "patch",
    "create",
    "update",
    "watch",
];

fn api_resources(resource: &Resource) -> Vec<Value> {
    let mut main = json!({
        "name": resource.plural,
        "singularName": resource.singular,
        "namespaced": resource.namespaced,
        "kind": resource.kind,
        "verbs": verbs(resource),
        "storageVersionHash": storage_hash(resource),
    });
    if !resource.short_names.is_empty() {
        main["shortNames"] = Value::from(resource.short_names.clone());
    }
    if !resource.categories.is_empty() {
        main["categories"] = Value::from(resource.categories.clone());
    }
    let mut all = vec![main];
    if resource.has_status {
        all.push(json!({
            "name": format!("{}/status", resource.plural), "singularName": "",
            "namespaced": resource.namespaced, "kind": resource.kind,
            "verbs": ["get", "patch", "update"],
        }));
    }
    if resource.scale.is_some() {
        all.push(json!({
            "name": format!("{}/scale", resource.plural), "singularName": "",
            "namespaced": resource.namespaced, "kind": "Scale", "group": "autoscaling", "version": "v1",
            "verbs": ["get", "patch", "update"],
        }));
    }
    all
}

fn verbs(resource: &Resource) -> Vec<&'static str> {
    let mut verbs: Vec<&str> = VERBS
        .into_iter()
        .filter(|verb| {
            resource.behaviour != crate::builtin::Kind::Namespace || *verb != "deletecollection"
        })
        .collect();
    if !resource.is_custom() {
        verbs.sort_unstable();
    }
    verbs
}

/// Eight bytes that name the storage version (`storageversionhash.go`).
fn storage_hash(resource: &Resource) -> String {
    use base64::Engine;
    let named = format!(
        "{}/{}/{}",
        resource.table.group, resource.storage_version, resource.kind
    );
    let hash = ring::digest::digest(&ring::digest::SHA256, named.as_bytes());
    base64::engine::general_purpose::STANDARD.encode(&hash.as_ref()[..8])
}

fn aggregated(registry: &Registry, version: &str, core: bool) -> Reply {
    let groups: Vec<Value> = registry
        .groups()
        .filter(|(group, _)| group.is_empty() == core)
        .map(|(group, versions)| {
            let versions: Vec<Value> = versions
                .iter()
                .map(|v| {
                    let resources: Vec<Value> = registry
                        .of_version(group, v)
                        .map(|resource| discovered(resource))
                        .collect();
                    json!({"version": v, "resources": resources, "freshness": "Current"})
                })
                .collect();
            let mut meta = json!({"creationTimestamp": null});
            if !group.is_empty() {
                meta["name"] = Value::from(group.as_str());
            }
            json!({"metadata": meta, "versions": versions})
        })
        .collect();
    let body = json!({
        "kind": "APIGroupDiscoveryList",
        "apiVersion": format!("apidiscovery.k8s.io/{version}"),
        "metadata": {},
        "items": groups,
    });
    Reply::bytes(
        200,
        &format!("application/json;g=apidiscovery.k8s.io;v={version};as=APIGroupDiscoveryList"),
        body.to_string(),
    )
}

fn discovered(resource: &Resource) -> Value {
    let kind = |group: &str, version: &str, kind: &str| json!({"group": group, "version": version, "kind": kind});
    let own = kind(&resource.group, &resource.version, &resource.kind);
    let mut value = json!({
        "resource": resource.plural,
        "responseKind": own,
        "scope": if resource.namespaced { "Namespaced" } else { "Cluster" },
        "singularResource": resource.singular,
        "verbs": verbs(resource),
    });
    if !resource.short_names.is_empty() {
        value["shortNames"] = Value::from(resource.short_names.clone());
    }
    if !resource.categories.is_empty() {
        value["categories"] = Value::from(resource.categories.clone());
    }
    let mut subresources = Vec::new();
    if resource.has_status {
        subresources.push(json!({"subresource": "status", "responseKind": own, "verbs": ["get", "patch", "update"]}));
    }
    if resource.scale.is_some() {
        subresources.push(
            json!({"subresource": "scale", "responseKind": kind("autoscaling", "v1", "Scale"),
            "verbs": ["get", "patch", "update"]}),
        );
    }
    if !subresources.is_empty() {
        value["subresources"] = Value::from(subresources);
    }
    value
}
