//! How fast the model plays: the knowledge base's scenario, a thousand seeds of it,
//! and clusters of growing size until everything has settled. Prints tables.
//!
//!     cargo bench -p fixname-benches --bench model              everything
//!     cargo bench -p fixname-benches --bench model -- scenario  one of: scenario seeds clusters

use std::path::PathBuf;
use std::time::{Duration, Instant};

use fixname_apiserver::ApiServer;
use fixname_controllers::{Parts, Trace};
use fixname_longhorn::objects::condition;
use fixname_longhorn::{BackingImage, CopyState, NAMESPACE};
use fixname_replay::backend::EmbeddedBackend;
use fixname_replay::live::{Live, LiveOptions};
use fixname_replay::{Scenario, Suite, SuiteOptions, load};
use kube::Api;
use kube::api::ListParams;
use serde_json::{Value, json};

/// As the program has it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    let asked: Vec<String> = std::env::args().skip(1).collect();
    let wants = |what: &str| {
        let named: Vec<_> = asked.iter().filter(|a| !a.starts_with("--")).collect();
        named.is_empty() || named.iter().any(|a| *a == what)
    };
    if wants("scenario") {
        scenario();
    }
    if wants("seeds") {
        seeds();
    }
    if wants("clusters") {
        clusters();
    }
}

/// The knowledge base's scenario under one version.
fn knowledge_base(version: &str) -> Vec<Scenario> {
    let file =
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../scenarios/01-two-disks-one-prefix.yaml");
    let mut scenarios = load(&[file]).expect("the shipped scenario is valid");
    scenarios[0].longhorn.retain(|v| v.0.to_string() == version);
    scenarios
}

fn played(scenarios: &[Scenario], options: SuiteOptions) -> Duration {
    let began = Instant::now();
    let result = Suite::new(scenarios, options).run(&EmbeddedBackend, &|| false, &mut |_| {});
    let took = began.elapsed();
    assert!(result.passed(), "{:#?}", result.totals());
    took
}

/// From nothing to settled or stuck and asserted, one run after another.
fn scenario() {
    println!("The scenario of the knowledge base, one run, start to asserted");
    println!("version    median ms   slowest ms");
    for version in ["v1.9.1", "v1.12.1"] {
        let scenarios = knowledge_base(version);
        let mut times: Vec<_> = (0..50)
            .map(|seed| {
                let options = SuiteOptions {
                    seed,
                    ..SuiteOptions::default()
                };
                played(&scenarios, options)
            })
            .collect();
        times.sort();
        let ms = |time: Duration| time.as_secs_f64() * 1000.0;
        println!(
            "{version:<8} {:>11.1} {:>12.1}",
            ms(times[times.len() / 2]),
            ms(times[times.len() - 1])
        );
    }
}

/// A thousand seeds of it on two threads.
fn seeds() {
    println!("\nA thousand seeds of it under v1.9.1, two threads");
    let options = SuiteOptions {
        repeat: Some(1000),
        parallel: 2,
        ..SuiteOptions::default()
    };
    let took = played(&knowledge_base("v1.9.1"), options);
    println!("{:.1} s", took.as_secs_f64());
}

/// Disks on a node of the larger clusters.
const DISKS_ON_NODE: usize = 10;

fn clusters() {
    println!("\nv1.12.1 on a cluster with {DISKS_ON_NODE} disks a node and 3 copies of each image");
    println!(" nodes   disks  images  settled s  model s  ms a disk  ratio");
    let mut before: Option<f64> = None;
    for disks in [100, 1_000, 10_000] {
        let images = disks / 100;
        let (took, model) = settle(disks, images);
        let seconds = took.as_secs_f64();
        let ratio = before.map_or(String::new(), |before| format!("{:.1}", seconds / before));
        println!(
            "{:>6} {disks:>7} {images:>7} {seconds:>10.2} {:>8} {:>10.2} {ratio:>6}",
            disks / DISKS_ON_NODE,
            model.as_secs(),
            1000.0 * seconds / disks as f64
        );
        before = Some(seconds);
    }
}

fn uuid(disk: usize) -> String {
    format!("{disk:08x}-0000-4000-8000-000000000000")
}

fn node(index: usize) -> Value {
    let conditions = [
        condition("Ready", true, ""),
        condition("Schedulable", true, ""),
    ];
    let mut specs = json!({});
    let mut statuses = json!({});
    for disk in 0..DISKS_ON_NODE {
        let (name, path) = (format!("disk-{disk}"), format!("/var/lib/disk-{disk}"));
        specs[&name] = json!({"diskType": "filesystem", "path": path, "allowScheduling": true,
            "evictionRequested": false, "storageReserved": 0, "tags": []});
        statuses[&name] = json!({"diskUUID": uuid(index * DISKS_ON_NODE + disk), "diskName": name,
            "diskPath": path, "diskType": "filesystem", "conditions": conditions});
    }
    json!({
        "apiVersion": "longhorn.io/v1beta2", "kind": "Node",
        "metadata": {"name": format!("node-{index}"), "namespace": NAMESPACE,
            "finalizers": ["longhorn.io"]},
        "spec": {"name": format!("node-{index}"), "allowScheduling": true, "disks": specs},
        "status": {"conditions": conditions, "diskStatus": statuses}
    })
}

fn image(index: usize) -> Value {
    json!({
        "apiVersion": "longhorn.io/v1beta2", "kind": "BackingImage",
        "metadata": {"name": format!("image-{index}"), "namespace": NAMESPACE,
            "finalizers": ["longhorn.io"]},
        "spec": {"sourceType": "download", "sourceParameters": {"url": "http://images.example.com/a"},
            "dataEngine": "v1", "minNumberOfCopies": 3, "diskFileSpecMap": {}},
        "status": {}
    })
}

/// How long it takes, on the clock and in the model, until every copy is ready.
fn settle(disks: usize, images: usize) -> (Duration, Duration) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime can be made");
    runtime.block_on(async {
        let mut objects: Vec<Value> =
            fixname_longhorn::crds::crds(&fixname_longhorn::crds::newest())
                .iter()
                .map(|crd| {
                    let mut crd = json!(crd);
                    crd["apiVersion"] = json!("apiextensions.k8s.io/v1");
                    crd["kind"] = json!("CustomResourceDefinition");
                    crd
                })
                .collect();
        objects.push(
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}),
        );
        objects.extend((0..disks / DISKS_ON_NODE).map(node));
        objects.extend((0..images).map(image));
        let began = Instant::now();
        let server = ApiServer::builder().build();
        server.load(&objects).await.expect("the cluster is made");
        let start = tokio::time::Instant::now();
        let options = LiveOptions {
            longhorn: "v1.12.1".parse().expect("a version"),
            parts: Parts::all(),
            seed: 1,
        };
        let _live =
            Live::start(&server, options, Trace::default()).expect("the version is modelled");
        let api: Api<BackingImage> = Api::namespaced(server.client(NAMESPACE), NAMESPACE);
        loop {
            tokio::time::sleep(Duration::from_secs(5)).await;
            let found = api.list(&ListParams::default()).await.expect("a list");
            let is_ready = |image: &BackingImage| {
                let copies = image.status.disk_file_status_map.iter().flatten();
                copies.filter(|(_, c)| c.state == CopyState::Ready).count() == 3
            };
            if found.items.iter().all(is_ready) {
                return (began.elapsed(), start.elapsed());
            }
            assert!(
                start.elapsed() < Duration::from_secs(3600),
                "not settled after an hour"
            );
        }
    })
}
