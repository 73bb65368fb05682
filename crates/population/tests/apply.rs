//! Populations on the embedded API server: written whole, written again, and
//! refused where they would do harm.

use fixname_apiserver::{ApiServer, UserInfo};
use fixname_diagnose::{Options as DetectOptions, diagnose};
use fixname_longhorn::{Coverage, CoverageState, Inventory, Kind, Node};
use fixname_population::apply::{ApplyError, Options, apply, inspect};
use fixname_population::{Population, Spec};
use kube::api::{ListParams, PostParams};
use kube::client::Body;
use kube::{Api, Client, ResourceExt};
use serde_json::json;

fn population(seed: u64) -> Population {
    let mut spec = Spec::new(60, 2, seed);
    spec.collide = vec!["4".parse().expect("a collision")];
    Population::new(spec).expect("there is such a population")
}

async fn put(client: &Client, population: &Population) -> Result<(u64, u64), ApplyError> {
    let applied = apply(
        client,
        population,
        &Options::default(),
        &|| false,
        &mut |_| {},
    )
    .await?;
    Ok((applied.created, applied.updated))
}

async fn nodes(client: &Client) -> Vec<Node> {
    let api: Api<Node> = Api::namespaced(client.clone(), fixname_longhorn::NAMESPACE);
    let list = api.list(&ListParams::default()).await;
    list.expect("they can be listed").items
}

/// A client of the server that sees a Longhorn there. The embedded server has
/// no workloads of its own.
fn with_longhorn(server: &ApiServer) -> Client {
    let inner = server.service(UserInfo::admin());
    let service = tower::service_fn(move |request: http::Request<Body>| {
        let inner = inner.clone();
        async move {
            if request.uri().path() != "/apis/apps/v1/daemonsets" {
                let answer = tower::ServiceExt::oneshot(inner, request).await?;
                let (head, body) = answer.into_parts();
                let bytes = http_body_util::BodyExt::collect(body).await?.to_bytes();
                return Ok(http::Response::from_parts(head, Body::from(bytes)));
            }
            let query = request.uri().query().unwrap_or_default();
            assert!(query.contains("fieldSelector=metadata.name%3Dlonghorn-manager"));
            let list = json!({"kind": "DaemonSetList", "apiVersion": "apps/v1", "metadata": {},
                "items": [{"metadata": {"name": "longhorn-manager", "namespace": "storage"}}]});
            let body = serde_json::to_vec(&list).expect("it is JSON");
            Ok::<_, tower::BoxError>(http::Response::new(body.into()))
        }
    });
    Client::new(service, "default")
}

#[tokio::test(start_paused = true)]
async fn an_empty_server_gets_definition_namespace_and_all_nodes() {
    let client = ApiServer::builder().build().client("default");
    let before = inspect(&client, fixname_longhorn::NAMESPACE).await.unwrap();
    assert!(!before.has_definition && !before.has_namespace && before.nodes == 0);

    let population = population(1);
    let mut heard = Vec::new();
    let mut done = |n| heard.push(n);
    let options = Options::default();
    let applied = apply(&client, &population, &options, &|| false, &mut done)
        .await
        .unwrap();
    assert_eq!(
        (applied.created, applied.updated, applied.stopped),
        (60, 0, false)
    );
    assert_eq!(heard, (1..=60).collect::<Vec<_>>());

    let there = nodes(&client).await;
    for (node, expected) in there.iter().zip(population.inventory().nodes) {
        assert_eq!(node.spec, expected.spec);
        assert_eq!(node.status, expected.status);
    }
    // Detect sees the chosen collisions in what the server gives back.
    let state = CoverageState::Read {
        objects: there.len(),
        sources: Vec::new(),
    };
    let inventory = Inventory {
        nodes: there,
        coverage: vec![Coverage {
            kind: Kind::Node,
            state,
            notes: Vec::new(),
        }],
        ..Inventory::default()
    };
    assert_eq!(
        diagnose(&inventory, &DetectOptions::default())
            .findings
            .len(),
        4
    );

    let after = inspect(&client, fixname_longhorn::NAMESPACE).await.unwrap();
    assert!(after.has_definition && after.has_namespace && after.nodes == 60);
}

#[tokio::test(start_paused = true)]
async fn one_that_was_stopped_can_be_finished() {
    let client = ApiServer::builder().build().client("default");
    let population = population(1);
    let left = std::sync::atomic::AtomicU32::new(25);
    let stop = || {
        left.fetch_update(
            std::sync::atomic::Ordering::Relaxed,
            std::sync::atomic::Ordering::Relaxed,
            |n| n.checked_sub(1),
        )
        .is_err()
    };
    let applied = apply(
        &client,
        &population,
        &Options::default(),
        &stop,
        &mut |_| {},
    )
    .await
    .unwrap();
    assert_eq!((applied.created, applied.stopped), (25, true));
    assert_eq!(put(&client, &population).await.unwrap(), (35, 25));
    // Another seed takes the place of the first.
    assert_eq!(put(&client, &self::population(2)).await.unwrap(), (0, 60));
    let expected = self::population(2).inventory().nodes;
    let there = nodes(&client).await;
    assert!(
        there
            .iter()
            .zip(&expected)
            .all(|(a, b)| a.status == b.status)
    );
}

#[tokio::test(start_paused = true)]
async fn a_node_that_somebody_else_made_is_left_alone() {
    let client = ApiServer::builder().build().client("default");
    put(&client, &population(1)).await.unwrap();
    let api: Api<Node> = Api::namespaced(client.clone(), fixname_longhorn::NAMESPACE);
    api.delete("node-07", &kube::api::DeleteParams::default())
        .await
        .unwrap();
    let theirs = Node::named("node-07");
    api.create(&PostParams::default(), &theirs).await.unwrap();
    let error = put(&client, &population(1)).await.unwrap_err();
    assert!(
        matches!(&error, ApplyError::Foreign(name) if name == "node-07"),
        "{error}"
    );
    let kept = api.get("node-07").await.unwrap();
    assert!(kept.labels().is_empty() && kept.status.disk_status.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_cluster_where_a_longhorn_runs_is_refused_unless_told_otherwise() {
    let client = with_longhorn(&ApiServer::builder().build());
    let error = put(&client, &population(1)).await.unwrap_err();
    assert!(
        matches!(&error, ApplyError::Longhorn(ns) if ns == "storage"),
        "{error}"
    );
    let target = inspect(&client, fixname_longhorn::NAMESPACE).await.unwrap();
    assert!(
        !target.has_definition && !target.has_namespace,
        "nothing was written"
    );

    let options = Options {
        beside_longhorn: true,
        ..Options::default()
    };
    let applied = apply(&client, &population(1), &options, &|| false, &mut |_| {})
        .await
        .unwrap();
    assert_eq!(applied.created, 60);
}
