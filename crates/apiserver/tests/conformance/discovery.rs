//! What the server says about itself: discovery, OpenAPI, version, health.

use super::prelude::*;

conformance!(
    plain_and_aggregated_discovery_agree,
    a_group_lists_its_versions_the_newest_first,
    core_resources_are_listed_with_their_verbs,
    scale_is_listed_with_its_own_kind,
    groups_that_are_not_there_are_not_found,
    the_version_is_that_of_kubernetes,
    health_is_plain_text,
    openapi_describes_each_group_and_version,
    old_openapi_describes_definitions_too,
);

async fn plain_and_aggregated_discovery_agree(arm: Arm) {
    let g = arm.define(&arm.group()).await;
    // The real server takes a moment to show a new group.
    until(&arm, &format!("/apis/{g}"), 200).await;
    let group = arm.get(&format!("/apis/{g}")).await.ok();
    assert_eq!(group.body["preferredVersion"]["version"], "v1");
    let list = arm.get(&format!("/apis/{g}/v1")).await.ok();
    let names: Vec<&str> = list.body["resources"]
        .as_array()
        .unwrap()
        .iter()
        .map(|r| r["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["widgets", "widgets/status"]);
    assert_eq!(list.body["resources"][0]["shortNames"], json!(["wd"]));
    for _ in 0..100 {
        let all = arm
            .send_with(Method::GET, "/apis", "", "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json", Vec::new())
            .await
            .ok();
        assert_eq!(all.body["kind"], "APIGroupDiscoveryList");
        let found = all.body["items"]
            .as_array()
            .unwrap()
            .iter()
            .find(|i| i["metadata"]["name"] == g)
            .cloned();
        if let Some(found) = found {
            let resource = &found["versions"][0]["resources"][0];
            assert_eq!(resource["resource"], "widgets");
            assert_eq!(resource["scope"], "Namespaced");
            assert_eq!(resource["subresources"][0]["subresource"], "status");
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{g} is not in the aggregated discovery");
}

async fn a_group_lists_its_versions_the_newest_first(arm: Arm) {
    let version = |name: &str, storage: bool| json!({"name": name, "served": true, "storage": storage, "schema": {"openAPIV3Schema": {"type": "object"}}});
    let versions = json!([
        version("v1alpha1", false),
        version("v1", true),
        version("v1beta2", false)
    ]);
    let g = arm.define_versions(&arm.group(), versions).await;
    until(&arm, &format!("/apis/{g}"), 200).await;
    let mut group = arm.get(&format!("/apis/{g}")).await.ok();
    for _ in 0..100 {
        if group.body["versions"]
            .as_array()
            .is_some_and(|v| v.len() == 3)
        {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
        group = arm.get(&format!("/apis/{g}")).await.ok();
    }
    let names: Vec<&str> = group.body["versions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|v| v["version"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["v1", "v1beta2", "v1alpha1"]);
    assert_eq!(
        group.body["preferredVersion"],
        json!({"groupVersion": format!("{g}/v1"), "version": "v1"})
    );
}

async fn core_resources_are_listed_with_their_verbs(arm: Arm) {
    let list = arm.get("/api/v1").await.ok();
    assert_eq!(
        (&list.body["kind"], &list.body["groupVersion"]),
        (&json!("APIResourceList"), &json!("v1"))
    );
    let find = |name: &str| {
        list.body["resources"]
            .as_array()
            .unwrap()
            .iter()
            .find(|r| r["name"] == name)
            .cloned()
            .unwrap_or_else(|| panic!("no {name}"))
    };
    let maps = find("configmaps");
    assert_eq!(
        (
            &maps["shortNames"],
            &maps["singularName"],
            &maps["namespaced"]
        ),
        (&json!(["cm"]), &json!("configmap"), &json!(true))
    );
    assert_eq!(
        maps["verbs"],
        json!([
            "create",
            "delete",
            "deletecollection",
            "get",
            "list",
            "patch",
            "update",
            "watch"
        ])
    );
    assert_eq!(
        find("namespaces")["verbs"],
        json!([
            "create", "delete", "get", "list", "patch", "update", "watch"
        ])
    );
    assert_eq!(find("pods")["categories"], json!(["all"]));
    assert_eq!(
        find("pods/status")["verbs"],
        json!(["get", "patch", "update"])
    );
    assert_eq!(find("nodes")["namespaced"], false);
}

async fn scale_is_listed_with_its_own_kind(arm: Arm) {
    let scale = json!({"subresources": {"scale": {"specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas"}}});
    let g = arm
        .define_with(&arm.group(), json!({"type": "object"}), &scale)
        .await;
    let list = arm.get(&format!("/apis/{g}/v1")).await.ok();
    assert_eq!(
        list.body["resources"][1],
        json!({"name": "widgets/scale", "singularName": "", "namespaced": true,
        "group": "autoscaling", "version": "v1", "kind": "Scale", "verbs": ["get", "patch", "update"]})
    );
}

async fn groups_that_are_not_there_are_not_found(arm: Arm) {
    for path in [
        "/apis/none.example.io",
        "/apis/none.example.io/v1",
        "/nothing",
    ] {
        let answer = arm.get(path).await;
        assert_eq!(
            (answer.code, answer.body),
            (404, json!("404 page not found\n")),
            "{path}"
        );
    }
    arm.get("/api/v2").await.fails(
        404,
        "NotFound",
        "the server could not find the requested resource",
    );
    arm.get("/api/v1/namespaces/a/nodes").await.fails(
        404,
        "NotFound",
        "the server could not find the requested resource",
    );
}

async fn the_version_is_that_of_kubernetes(arm: Arm) {
    let version = arm.get("/version").await.ok();
    assert_eq!(
        (&version.body["major"], &version.body["minor"]),
        (&json!("1"), &json!("34"))
    );
    assert!(
        version.body["gitVersion"]
            .as_str()
            .unwrap()
            .starts_with("v1.34.")
    );
}

async fn health_is_plain_text(arm: Arm) {
    for path in ["/healthz", "/readyz", "/livez"] {
        let answer = arm.get(path).await.ok();
        assert_eq!(
            (answer.body, answer.content_type.as_str()),
            (json!("ok"), "text/plain; charset=utf-8"),
            "{path}"
        );
    }
}

async fn openapi_describes_each_group_and_version(arm: Arm) {
    let g = arm.define(&arm.group()).await;
    let key = format!("apis/{g}/v1");
    let mut place = None;
    for _ in 0..200 {
        let index = arm.get("/openapi/v3").await.ok();
        assert!(index.body["paths"]["api/v1"]["serverRelativeURL"].is_string());
        place = index.body["paths"][&key]["serverRelativeURL"]
            .as_str()
            .map(str::to_owned);
        if place.is_some() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let document = arm
        .get(&place.expect("the group is listed in time"))
        .await
        .ok();
    assert!(document.body["openapi"].as_str().unwrap().starts_with("3."));
    let schemas = document.body["components"]["schemas"].as_object().unwrap();
    let widget = schemas
        .values()
        .find(|s| {
            s["x-kubernetes-group-version-kind"]
                .as_array()
                .is_some_and(|all| all.iter().any(|k| k["kind"] == "Widget"))
        })
        .expect("a schema of widgets");
    let spec = &widget["properties"]["spec"]["properties"];
    assert_eq!(
        (&spec["size"]["type"], &spec["mode"]["default"]),
        (&json!("integer"), &json!("fast"))
    );
    assert!(
        document.body["paths"][format!("/apis/{g}/v1/namespaces/{{namespace}}/widgets/{{name}}")]
            .is_object()
    );
}

async fn old_openapi_describes_definitions_too(arm: Arm) {
    let g = arm.define(&arm.group()).await;
    for _ in 0..200 {
        let document = arm.get("/openapi/v2").await.ok();
        assert_eq!(document.body["swagger"], "2.0");
        let found = document.body["definitions"]
            .as_object()
            .unwrap()
            .values()
            .any(|d| {
                d["x-kubernetes-group-version-kind"]
                    .as_array()
                    .is_some_and(|all| all.iter().any(|k| k["kind"] == "Widget" && k["group"] == g))
            });
        if found {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("{g} is not described in time");
}
