//! What the server says about itself: discovery, OpenAPI, version, health.

use super::prelude::*;

conformance!(plain_and_aggregated_discovery_agree,);

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
