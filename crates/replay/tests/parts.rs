//! Each part of the model that is left out is missed: what it alone does is no
//! longer seen. And scenarios judge what is there, whoever did it.

use std::path::PathBuf;
use std::time::Duration;

use fixname_apiserver::ApiServer;
use fixname_controllers::machines::DISK_BYTES;
use fixname_controllers::{Part, Parts, Trace};
use fixname_longhorn::objects::condition;
use fixname_longhorn::{
    BackingImage, BackingImageDataSource, BackingImageManager, CopyState, DataEngine, FINALIZER,
    ManagerState, NAMESPACE, Node, Replica, Volume,
};
use fixname_replay::backend::EmbeddedBackend;
use fixname_replay::cluster::copy_spec;
use fixname_replay::event::Verdict;
use fixname_replay::live::{Live, LiveOptions};
use fixname_replay::{RunResult, Suite, SuiteOptions, load};
use kube::api::{ListParams, Patch, PatchParams, PostParams};
use kube::{Api, Client};
use serde_json::{Value, json};

const STAYS: &str = "c01200da-8a5c-4692-92e6-c4a983087951";
const GOES: &str = "d7f0a1b2-0000-4000-8000-000000000001";

/// What is seen of a cluster whose image is downloaded, has two copies, loses one by
/// eviction, and has a volume on the other. In the order of what does it.
#[derive(Debug, Default, PartialEq, Eq)]
struct Seen {
    /// Every wanted disk had a manager.
    managers: bool,
    /// The managers ran and had the file.
    files: bool,
    /// The download was done.
    download: bool,
    /// The evicted copy left the image's spec.
    eviction: bool,
    /// A blank disk got an identity.
    identity: bool,
    /// Its manager, deleted, was let go.
    release: bool,
    /// The volume has a replica.
    volume: bool,
    /// The replica has a disk.
    scheduled: bool,
    /// The replica runs.
    replica: bool,
    /// Managers had the finalizer, and nonsense was refused.
    webhooks: bool,
}

/// A node with one disk; without a UUID, a blank one that nobody has looked at yet.
fn node(name: &str, uuid: &str) -> Value {
    let mut node = served_node(name, uuid);
    if uuid.is_empty() {
        node["status"]["diskStatus"] = json!({});
    }
    node
}

fn served_node(name: &str, uuid: &str) -> Value {
    let conditions = [
        condition("Ready", true, ""),
        condition("Schedulable", true, ""),
    ];
    json!({
        "apiVersion": "longhorn.io/v1beta2", "kind": "Node",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {"name": name, "allowScheduling": true, "evictionRequested": false, "tags": [name],
            "disks": {"disk": {"diskType": "filesystem", "path": "/var/lib/disk",
                "allowScheduling": true, "evictionRequested": false, "storageReserved": 0, "tags": []}}},
        "status": {"conditions": conditions, "diskStatus": {"disk": {"diskUUID": uuid,
            "diskName": "disk", "diskPath": "/var/lib/disk", "diskType": "filesystem",
            "storageAvailable": DISK_BYTES, "storageMaximum": DISK_BYTES, "conditions": conditions}}}
    })
}

async fn cluster() -> ApiServer {
    let server = ApiServer::builder().build();
    let crds = fixname_longhorn::crds::crds(&fixname_longhorn::crds::newest());
    let mut objects: Vec<Value> = crds.iter().map(|crd| json!(crd)).collect();
    for object in &mut objects {
        object["apiVersion"] = json!("apiextensions.k8s.io/v1");
        object["kind"] = json!("CustomResourceDefinition");
    }
    objects.push(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}));
    objects.push(node("node-1", STAYS));
    objects.push(node("node-2", GOES));
    objects.push(node("node-3", ""));
    server.load(&objects).await.expect("the cluster is made");
    server
}

fn api<T>(client: &Client) -> Api<T>
where
    T: kube::Resource<DynamicType = (), Scope = kube::core::NamespaceResourceScope>,
{
    Api::namespaced(client.clone(), NAMESPACE)
}

async fn managers(client: &Client) -> Vec<BackingImageManager> {
    let all = api(client).list(&ListParams::default()).await;
    all.expect("managers are listed").items
}

/// Plays a version with some parts for a few minutes of virtual time.
fn seen(version: &str, parts: Parts) -> Seen {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let server = cluster().await;
        let client = server.client(NAMESPACE);
        let options = LiveOptions {
            longhorn: version.parse().expect("a version"),
            parts,
            seed: 1,
        };
        let _live = Live::start(&server, options, Trace::default()).expect("a model");
        let minute = Duration::from_secs(60);
        let mut seen = Seen::default();

        let mut image = BackingImage::named("parrot");
        image.metadata.finalizers = Some(vec![FINALIZER.to_owned()]);
        image.spec.source_type = "download".to_owned();
        let url = "http://images.example.com/parrot.img".to_owned();
        image.spec.source_parameters.insert("url".to_owned(), url);
        image.spec.data_engine = DataEngine::V1;
        image.spec.min_number_of_copies = 1;
        let wanted = [STAYS, GOES].map(|uuid| (uuid.to_owned(), copy_spec()));
        image.spec.disk_file_spec_map = Some(wanted.into());
        let images: Api<BackingImage> = api(&client);
        let made = images.create(&PostParams::default(), &image).await;
        made.expect("the image is made");
        let mut volume = Volume::named("data");
        volume.spec.size = (1_i64 << 30).to_string();
        volume.spec.number_of_replicas = 1;
        volume.spec.backing_image = "parrot".to_owned();
        volume.spec.node_id = "node-1".to_owned();
        volume.spec.node_selector = vec!["node-1".to_owned()];
        volume.spec.data_engine = DataEngine::V1;
        let made = api::<Volume>(&client).create(&PostParams::default(), &volume).await;
        made.expect("the volume is made");
        tokio::time::sleep(minute * 3).await;

        let replicas = api::<Replica>(&client).list(&ListParams::default()).await;
        let replicas = replicas.expect("replicas are listed").items;
        if let [replica] = &replicas[..] {
            seen.volume = replica.spec.volume_name == "data";
            seen.scheduled = replica.spec.disk_id == STAYS;
            seen.replica = replica.status.current_state == "running";
        }
        let there = managers(&client).await;
        let of = |uuid: &str| there.iter().any(|m| m.spec.disk_uuid == uuid);
        seen.managers = of(STAYS) && of(GOES);
        seen.files = seen.managers
            && there.iter().all(|m| {
                let file = m.status.backing_image_file_map.get("parrot");
                m.status.current_state == ManagerState::Running
                    && file.is_some_and(|file| file.state == CopyState::Ready)
            });
        let sources: Api<BackingImageDataSource> = api(&client);
        let source = sources.get_opt("parrot").await.expect("an answer");
        seen.download = source.is_some_and(|s| s.status.current_state == CopyState::Ready);
        let finalizers = |m: &BackingImageManager| m.metadata.finalizers.clone();
        let has_finalizer = there
            .iter()
            .all(|m| finalizers(m) == Some(vec![FINALIZER.to_owned()]));

        let nodes: Api<Node> = api(&client);
        let blank = nodes.get("node-3").await.expect("the node is there");
        let identity = blank.status.disk_status.get("disk");
        seen.identity = identity.is_some_and(|disk| disk.disk_uuid.len() == 36);
        let evict = |allow: bool| {
            json!({"spec": {"disks": {"disk": {"allowScheduling": allow, "evictionRequested": true}}}})
        };
        let patch = async |body: Value| {
            let params = PatchParams::default();
            nodes.patch("node-2", &params, &Patch::Merge(body)).await
        };
        let nonsense = patch(evict(true)).await;
        seen.webhooks = has_finalizer && nonsense.is_err();
        patch(evict(false)).await.expect("an eviction");
        tokio::time::sleep(minute * 3).await;
        let image = images.get("parrot").await.expect("the image");
        let wanted = image.spec.disk_file_spec_map.unwrap_or_default();
        seen.eviction = !wanted.contains_key(GOES);
        let left = managers(&client).await;
        seen.release = seen.eviction && left.iter().all(|m| m.spec.disk_uuid == STAYS);
        seen
    })
}

#[test]
fn each_part_that_is_left_out_is_missed() {
    let all = Seen {
        managers: true,
        files: true,
        download: true,
        eviction: true,
        identity: true,
        release: true,
        volume: true,
        scheduled: true,
        replica: true,
        webhooks: true,
    };
    assert_eq!(seen("v1.12.1", Parts::all()), all);
    for part in Parts::all().iter() {
        let seen = seen("v1.12.1", Parts::all().without(part));
        let shown = match part {
            Part::BackingImage => seen.managers,
            Part::ManagerPods => seen.files,
            Part::DataSource => seen.download,
            Part::Node => seen.eviction || seen.identity,
            Part::BackingImageManager => seen.release,
            Part::Replica => seen.replica,
            Part::Volume => seen.volume,
            Part::Scheduler => seen.scheduled,
            Part::Webhooks => seen.webhooks,
        };
        assert!(!shown, "without {part}: {seen:?}");
        // What does not need the part goes on.
        let goes_on = match part {
            Part::Replica => seen.volume && seen.scheduled && seen.release,
            Part::Volume => seen.files && seen.release && seen.identity,
            Part::Scheduler => seen.volume && seen.release && seen.identity,
            Part::Node => seen.replica && seen.files,
            Part::Webhooks => seen.replica && seen.eviction,
            Part::BackingImageManager => seen.replica && seen.download,
            Part::BackingImage | Part::ManagerPods | Part::DataSource => seen.volume,
        };
        assert!(goes_on, "without {part}: {seen:?}");
    }
    let alone = Seen::default();
    assert_eq!(seen("v1.12.1", Parts::NONE), alone);
}

fn played(name: &str, version: &str, parts: Parts) -> RunResult {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../scenarios");
    let mut scenarios = load(&[folder]).expect("the shipped scenarios are valid");
    scenarios.retain(|s| s.name == name);
    scenarios[0].longhorn.retain(|v| v.0.to_string() == version);
    let options = SuiteOptions {
        parts,
        ..SuiteOptions::default()
    };
    let suite = Suite::new(&scenarios, options);
    let mut result = suite.run(&EmbeddedBackend, &|| false, &mut |_| {});
    assert_eq!(result.runs.len(), 1);
    result.runs.remove(0)
}

#[test]
fn where_nothing_is_played_a_scenario_judges_what_is_there() {
    let run = played("no-collision", "v1.12.1", Parts::NONE);
    assert_eq!(run.result, Verdict::Failed);
    let found = run.failures[0].found.join("\n");
    assert!(found.contains("0 live managers, not one"), "{found}");
}

#[test]
fn what_is_not_played_cannot_be_upgraded() {
    let run = played(
        "upgrade-to-v1.9.2",
        "v1.9.1",
        Parts::NONE.with(Part::Webhooks),
    );
    assert_eq!(run.result, Verdict::Failed, "{run:#?}");
}
