//! Which rights recording a live cluster takes. The embedded server lets everybody do
//! everything, so that what somebody may not do is refused on the way to it.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use fixname_capture::{Source, read_objects};
use fixname_longhorn::{Inventory, Kind, NAMESPACE, crds};
use http::{Method, Request, Response};
use kube::Client;
use kube::client::Body;
use serde_json::{Value, json};

use super::{RecordOptions, read_cluster, record};
use crate::backend::embedded;

const FIVE: [&str; 5] = [
    "nodes",
    "backingimages",
    "backingimagemanagers",
    "backingimagedatasources",
    "settings",
];

/// A client that may list these of Longhorn's kinds in its namespace, and nothing else,
/// and what it was refused.
fn restricted(client: Client, kinds: &[&str]) -> (Client, Arc<Mutex<BTreeSet<String>>>) {
    let refused: Arc<Mutex<BTreeSet<String>>> = Arc::default();
    let (told, kinds) = (refused.clone(), kinds.join(" "));
    let service = tower::service_fn(move |request: Request<Body>| {
        let path = request.uri().path().to_owned();
        let query = request.uri().query().unwrap_or_default();
        let place = format!("/apis/longhorn.io/v1beta2/namespaces/{NAMESPACE}/");
        let resource = path.strip_prefix(&place);
        let may = request.method() == Method::GET
            && !query.contains("watch")
            && resource.is_some_and(|resource| kinds.split(' ').any(|kind| kind == resource));
        if !may {
            let what = format!("{} {path}", request.method());
            told.lock().expect("nobody panics").insert(what);
        }
        let client = client.clone();
        async move {
            if may {
                return client.send(request).await.map_err(tower::BoxError::from);
            }
            let status = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
                "code": 403, "reason": "Forbidden", "message": "nodes.longhorn.io is forbidden"});
            let body = Body::from(status.to_string().into_bytes());
            Ok(Response::builder().status(403).body(body)?)
        }
    });
    (Client::new(service, NAMESPACE), refused)
}

/// What somebody who may list these kinds reads of the recorded cluster, and what they
/// were refused.
fn read(kinds: &[&str]) -> (Result<Inventory, kube::Error>, BTreeSet<String>) {
    let runtime = embedded::virtual_time().expect("a runtime");
    runtime.block_on(async {
        let server = embedded::server(1);
        let definitions = crds::crds(&"v1.9.1".parse().expect("a version"));
        let mut objects: Vec<Value> = definitions.iter().map(|crd| json!(crd)).collect();
        objects.push(
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}),
        );
        let folder = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../capture/tests/data/recorded"
        );
        let files = FIVE.iter().chain(&["replicas"]);
        let files = files.map(|kind| Source::Path(format!("{folder}/{kind}.json").into()));
        for file in files {
            let read = read_objects(&file).expect("the recorded files are there");
            objects.extend(read.into_iter().map(|raw| Value::Object(raw.object)));
        }
        objects.push(json!({"apiVersion": "longhorn.io/v1beta2", "kind": "Volume",
            "metadata": {"name": "vm-root", "namespace": NAMESPACE},
            "spec": {"backingImage": "rhel-9-5-comops-4249-v2", "numberOfReplicas": 3, "nodeID": "my-node-1", "dataEngine": "v1"},
            "status": {"state": "attached", "robustness": "degraded"}}));
        server.load(&objects).await.expect("the cluster is made");
        let (client, refused) = restricted(server.client(NAMESPACE), kinds);
        let read = read_cluster(&client, NAMESPACE).await;
        let refused = refused.lock().expect("nobody panics").clone();
        (read, refused)
    })
}

fn recorded(inventory: &Inventory) -> (String, String) {
    let options = RecordOptions {
        name: "live".to_owned(),
        longhorn: None,
        whole: false,
        anonymize: false,
    };
    let recorded = record(inventory, &options).expect("a scenario");
    (recorded.text, recorded.notes.join("\n"))
}

#[test]
fn recording_takes_the_right_to_list_and_no_other() {
    let all = [&FIVE[..], &["replicas", "volumes"]].concat();
    let (inventory, refused) = read(&all);
    assert_eq!(refused, BTreeSet::new());
    let (text, _) = recorded(&inventory.expect("it may be read"));
    assert!(text.contains("\"vm-root\""), "{text}");

    // Without volumes, or their replicas, all but volumes.
    for (kinds, missing) in [
        (FIVE.to_vec(), 2),
        ([&FIVE[..], &["volumes"]].concat(), 1),
        ([&FIVE[..], &["replicas"]].concat(), 1),
    ] {
        let (inventory, refused) = read(&kinds);
        assert_eq!(refused.len(), missing, "{refused:?}");
        let inventory = inventory.expect("it may be read");
        assert!(!(inventory.has_read(Kind::Volume) && inventory.has_read(Kind::Replica)));
        let (text, notes) = recorded(&inventory);
        assert!(
            text.contains("stuck:") && !text.contains("vm-root"),
            "{text}"
        );
        assert!(notes.contains("volumes are left out"), "{notes}");
    }
}

#[test]
fn each_of_the_five_is_needed() {
    for kind in FIVE {
        let kinds: Vec<&str> = FIVE.into_iter().filter(|other| *other != kind).collect();
        let (read, refused) = read(&kinds);
        let error = read.expect_err("it may not be read").to_string();
        assert!(error.contains("forbidden"), "{kind}: {error}");
        let all = refused.into_iter().collect::<String>();
        assert!(all.ends_with(kind), "{kind}: {all}");
    }
}
