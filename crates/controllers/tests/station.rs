//! Whole clusters on the embedded API server in virtual time: the image controller
//! beside its neighbours, on virtual machines. Named after what Longhorn does in each
//! situation; `docs/model.md` says which test shows what.

use std::fmt::Debug;
use std::time::Duration;

use fixname_apiserver::{ApiServer, TokioClock};
use fixname_controllers::driver::{
    Admission, Longhorn, LonghornOptions, ModelClock, Sender, SharedMachines,
};
use fixname_controllers::machines::{DiskConfig, Download, File, Folder, file_name};
use fixname_controllers::{Behaviour, Parts, Seat, Trace, TraceItem, replica::is_waiting};
use fixname_longhorn::objects::{condition, is_true};
use fixname_longhorn::{
    BackingImage, BackingImageDataSource, BackingImageManager, CopySpec, CopyState, DataEngine,
    DiskSpec, DiskStatus, DiskType, FINALIZER, Node, Replica, Volume, crds,
};
use fixname_naming::{ImageRef, manager_image_for};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::Namespace;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams};
use kube::{Api, Client, Resource, ResourceExt};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

const NAMESPACE: &str = "longhorn-system";
const EPOCH: Timestamp = Timestamp::constant(1_762_214_400, 0);
const DISK_BYTES: i64 = 100 << 30;
const IMAGE_BYTES: i64 = 64 << 20;
const IMAGE_UUID: &str = "8f6c9d1a";
/// Two resyncs, wherever one begins to look.
const TWO_RESYNCS: u64 = 95;
/// Attempts are four every 30 s, and a bystander may need many.
const PATIENCE: u64 = 900;

/// The knowledge base's two disks, and one that collides with nothing.
const W: &str = "c01200da-8a5c-4692-92e6-c4a983087951";
const L: &str = "c012eb76-f8eb-4ea1-b81d-472eac9d98bf";
const B: &str = "5d0c97e4-1f0b-4b52-8f3e-0a6f5c1e7b21";

trait Kept:
    Resource<DynamicType = (), Scope = kube::core::NamespaceResourceScope>
    + Clone
    + Debug
    + Serialize
    + DeserializeOwned
{
}
impl<T> Kept for T where
    T: Resource<DynamicType = (), Scope = kube::core::NamespaceResourceScope>
        + Clone
        + Debug
        + Serialize
        + DeserializeOwned
{
}

struct World {
    client: Client,
    clock: ModelClock,
    trace: Trace,
    machines: SharedMachines,
    managers: Vec<(String, Longhorn)>,
    image: ImageRef,
    version: String,
    started: u64,
    _server: ApiServer,
}

/// Disk `n` is `/disk` on `node-<n>`, and called `disk`.
fn node(n: usize, uuid: &str) -> Node {
    let ready = vec![
        condition("Ready", true, ""),
        condition("Schedulable", true, ""),
    ];
    let mut node = Node::named(&format!("node-{n}"));
    node.metadata.finalizers = Some(vec![FINALIZER.to_owned()]);
    node.spec.allow_scheduling = true;
    node.status.conditions.clone_from(&ready);
    let spec = DiskSpec {
        disk_type: DiskType::Filesystem,
        path: "/disk".to_owned(),
        allow_scheduling: true,
        ..DiskSpec::default()
    };
    let status = DiskStatus {
        disk_uuid: uuid.to_owned(),
        disk_name: "disk".to_owned(),
        disk_path: "/disk".to_owned(),
        disk_type: DiskType::Filesystem,
        conditions: ready,
        storage_available: DISK_BYTES,
        storage_maximum: DISK_BYTES,
        ..DiskStatus::default()
    };
    node.spec.disks.insert("disk".to_owned(), spec);
    node.status.disk_status.insert("disk".to_owned(), status);
    node
}

impl World {
    /// A cluster of that version with a node for each disk, and an image whose first
    /// copy is there, on the first one. Nothing runs yet.
    async fn new(version: &str, uuids: &[&str]) -> Self {
        let server = ApiServer::builder()
            .seed(1)
            .clock(TokioClock::new(EPOCH))
            .build();
        let client = server.client(NAMESPACE);
        for crd in crds::crds(&crds::newest()).iter() {
            let api = Api::all(client.clone());
            let made = api.create(&PostParams::default(), crd).await;
            made.expect("the definition is sound");
        }
        let namespace: Namespace =
            serde_json::from_value(json!({"metadata": {"name": NAMESPACE}})).expect("namespace");
        let namespaces = Api::all(client.clone());
        let made = namespaces.create(&PostParams::default(), &namespace).await;
        made.expect("the namespace is new");
        let world = Self {
            client,
            clock: ModelClock::new(EPOCH, 1.0),
            trace: Trace::default(),
            machines: SharedMachines::default(),
            managers: Vec::new(),
            image: default_image(version),
            version: version.to_owned(),
            started: 0,
            _server: server,
        };
        let file = File {
            checksum: "sha512".to_owned(),
            bytes: IMAGE_BYTES,
        };
        for (uuid, n) in uuids.iter().zip(1..) {
            world.create(&node(n, uuid)).await;
            let name = format!("node-{n}");
            let mut folder = Folder::of_disk("disk", uuid, &name, DISK_BYTES);
            if n == 1 {
                let name = file_name("parrot", IMAGE_UUID);
                folder.files.insert(name, file.clone());
            }
            world.machines.with(|m| m.mount(&name, "/disk", folder));
        }
        let takes = SignedDuration::from_secs(1);
        world
            .machines
            .with(|m| m.offer("parrot", Download { takes, file }));
        let mut source = BackingImageDataSource::named("parrot");
        source.metadata.finalizers = Some(vec![FINALIZER.to_owned()]);
        source.spec.node_id = "node-1".to_owned();
        source.spec.disk_uuid = uuids[0].to_owned();
        source.spec.disk_path = "/disk".to_owned();
        source.spec.uuid = IMAGE_UUID.to_owned();
        source.spec.source_type = "download".to_owned();
        source.spec.file_transferred = true;
        source.status.current_state = CopyState::Ready;
        world.create(&source).await;
        let mut image = BackingImage::named("parrot");
        image.metadata.finalizers = Some(vec![FINALIZER.to_owned()]);
        image.spec.source_type = "download".to_owned();
        image.spec.data_engine = DataEngine::V1;
        image.spec.min_number_of_copies = 1;
        let copy = CopySpec {
            data_engine: DataEngine::V1,
            ..CopySpec::default()
        };
        image.spec.disk_file_spec_map = Some([(uuids[0].to_owned(), copy)].into());
        image.status.uuid = IMAGE_UUID.to_owned();
        image.status.size = IMAGE_BYTES;
        image.status.virtual_size = IMAGE_BYTES;
        image.status.real_size = IMAGE_BYTES;
        world.create(&image).await;
        world
    }

    fn api<T: Kept>(&self) -> Api<T> {
        Api::namespaced(self.client.clone(), NAMESPACE)
    }

    async fn create<T: Kept>(&self, object: &T) {
        let api: Api<T> = self.api();
        let made = api.create(&PostParams::default(), object).await;
        let made = made.expect("the object is new");
        let mut with_status = object.clone();
        *with_status.meta_mut() = made.meta().clone();
        let name = with_status.name_any();
        let done = api
            .replace_status(&name, &PostParams::default(), &with_status)
            .await;
        done.expect("its status is sound");
    }

    async fn get<T: Kept>(&self, name: &str) -> T {
        let found = self.api().get(name).await;
        found.expect("the object is there")
    }

    async fn list<T: Kept>(&self) -> Vec<T> {
        let all = self.api().list(&ListParams::default()).await;
        all.expect("the kind is served").items
    }

    async fn patch<T: Kept>(&self, name: &str, patch: Value) {
        let api: Api<T> = self.api();
        let patch = Patch::Merge(&patch);
        let done = api.patch(name, &PatchParams::default(), &patch).await;
        done.expect("the patch is sound");
    }

    async fn delete<T: Kept>(&self, name: &str) {
        let done = self.api::<T>().delete(name, &DeleteParams::default()).await;
        done.expect("the object is there");
    }

    /// Starts one process that plays all managers, or one for each node given.
    fn start(&mut self, nodes: &[&str]) {
        let seats: Vec<(String, Seat)> = match nodes {
            [] => vec![("node-1".to_owned(), Seat::AllNodes)],
            nodes => nodes
                .iter()
                .map(|node| ((*node).to_owned(), Seat::Node((*node).to_owned())))
                .collect(),
        };
        let version = self.version.parse().expect("a version");
        let behaviour = Behaviour::of(&version).expect("a known one");
        for (node, seat) in seats {
            self.started += 1;
            let sender = Sender {
                client: self.client.clone(),
                namespace: NAMESPACE.to_owned(),
                trace: self.trace.clone(),
                clock: self.clock,
                admission: Admission::Played,
                latency: Duration::from_millis(4),
            };
            let options = LonghornOptions {
                behaviour: behaviour.clone(),
                manager_image: self.image.clone(),
                seat,
                parts: Parts::all(),
                cache_lag: Duration::ZERO,
                seed: self.started,
            };
            let machines = self.machines.clone();
            let manager = Longhorn::start(sender, machines, options);
            self.managers.push((node, manager));
        }
    }

    /// Waits for the image's first copy; what comes earlier is an early collision.
    async fn first_copy(&self) {
        self.comes_to(&seen("W", "W", "W ready", "", "")).await;
    }

    async fn stop(&mut self) {
        for (_, manager) in self.managers.drain(..) {
            manager.stop().await;
        }
    }

    /// Another version of the manager; the image of the others changes, or stays.
    async fn install(&mut self, version: &str, keeps_image: bool) {
        self.stop().await;
        version.clone_into(&mut self.version);
        if !keeps_image {
            self.image = default_image(version);
        }
        self.start(&[]);
    }

    async fn seconds(&self, seconds: u64) {
        self.clock.sleep(Duration::from_secs(seconds)).await;
    }

    async fn want(&self, uuids: &[&str]) {
        let entry = json!({"dataEngine": "v1", "evictionRequested": false});
        let map: serde_json::Map<String, Value> = uuids
            .iter()
            .map(|uuid| ((*uuid).to_owned(), entry.clone()))
            .collect();
        let patch = json!({"spec": {"diskFileSpecMap": map}});
        self.patch::<BackingImage>("parrot", patch).await;
    }

    async fn drop_wish(&self, uuid: &str) {
        let patch = json!({"spec": {"diskFileSpecMap": {uuid: null}}});
        self.patch::<BackingImage>("parrot", patch).await;
    }

    async fn disk(&self, n: usize, disk: Value) {
        let patch = json!({"spec": {"disks": {"disk": disk}}});
        self.patch::<Node>(&format!("node-{n}"), patch).await;
    }

    async fn attach_volume(&self, replicas: i64) {
        let mut volume = Volume::named("vol");
        volume.metadata.finalizers = Some(vec![FINALIZER.to_owned()]);
        volume.spec.size = (1_i64 << 30).to_string();
        volume.spec.number_of_replicas = replicas;
        volume.spec.backing_image = "parrot".to_owned();
        volume.spec.node_id = "node-1".to_owned();
        volume.spec.data_engine = DataEngine::V1;
        let made = self.api().create(&PostParams::default(), &volume).await;
        made.expect("the volume is new");
    }

    /// What is seen, in one line, to be compared as a whole.
    async fn seen(&self) -> Seen {
        let image: BackingImage = self.get("parrot").await;
        let replicas: Vec<Replica> = self.list().await;
        let managers: Vec<BackingImageManager> = self.list().await;
        let volume = self.list::<Volume>().await.pop();
        let letter = |uuid: &str| match uuid {
            W => "W".to_owned(),
            L => "L".to_owned(),
            B => "B".to_owned(),
            other => other.to_owned(),
        };
        let copies = image.status.disk_file_status_map.into_iter().flatten();
        let mut copies: Vec<String> = copies
            .map(|(uuid, copy)| format!("{} {}", letter(&uuid), copy.state))
            .collect();
        let wanted = image.spec.disk_file_spec_map.into_iter().flatten();
        let mut wanted: Vec<String> = wanted.map(|(uuid, _)| letter(&uuid)).collect();
        let live = managers.iter().filter(|m| !m.is_deleting());
        let mut managers: Vec<String> = live.map(|m| letter(&m.spec.disk_uuid)).collect();
        let mut replicas: Vec<String> = replicas
            .iter()
            .map(|r| {
                let state = match r.status.current_state.as_str() {
                    "" | "stopped" if is_waiting(r) => "waiting",
                    state => state,
                };
                format!("{} {state}", letter(&r.spec.disk_id))
            })
            .collect();
        for list in [&mut copies, &mut wanted, &mut managers, &mut replicas] {
            list.sort();
        }
        Seen {
            wanted: wanted.join(", "),
            managers: managers.join(", "),
            copies: copies.join(", "),
            replicas: replicas.join(", "),
            volume: volume.map_or_else(String::new, |v| {
                format!("{} {}", v.status.state, v.status.robustness)
            }),
        }
    }

    /// Waits until the cluster looks so, and shows that it stays so.
    async fn comes_to(&self, expected: &Seen) {
        let deadline = self.clock.elapsed() + Duration::from_secs(PATIENCE);
        while self.seen().await != *expected {
            if self.clock.elapsed() >= deadline {
                assert_eq!(self.seen().await, *expected, "{:#?}", self.tail());
            }
            self.seconds(1).await;
        }
        self.seconds(TWO_RESYNCS).await;
        assert_eq!(self.seen().await, *expected, "{:#?}", self.tail());
        assert!(!self.managers.iter().any(|(_, manager)| manager.has_ended()));
    }

    fn texts(&self, from: usize) -> Vec<String> {
        let entries = self.trace.since(from).into_iter();
        entries
            .map(|entry| match entry.item {
                TraceItem::Log(line) => line.text(),
                TraceItem::Event(event) => event.text(),
                TraceItem::Panic(text) | TraceItem::Trouble(text) => text,
            })
            .collect()
    }

    fn said(&self, from: usize, text: &str) -> bool {
        self.texts(from).iter().any(|said| said.contains(text))
    }

    fn tail(&self) -> Vec<String> {
        let all = self.texts(0);
        all[all.len().saturating_sub(20)..].to_vec()
    }
}

fn default_image(version: &str) -> ImageRef {
    let version = version.parse().expect("a version");
    manager_image_for(&version).expect("a known one").image
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Seen {
    wanted: String,
    managers: String,
    copies: String,
    replicas: String,
    volume: String,
}

fn seen(wanted: &str, managers: &str, copies: &str, replicas: &str, volume: &str) -> Seen {
    Seen {
        wanted: wanted.to_owned(),
        managers: managers.to_owned(),
        copies: copies.to_owned(),
        replicas: replicas.to_owned(),
        volume: volume.to_owned(),
    }
}

/// What a stuck volume looks like, all together.
fn stuck() -> Seen {
    seen(
        "B, L, W",
        "B, W",
        "W ready",
        "B waiting, L waiting, W running",
        "attaching unknown",
    )
}

fn all_is_well() -> Seen {
    seen(
        "B, L, W",
        "B, L, W",
        "B ready, L ready, W ready",
        "B running, L running, W running",
        "attached healthy",
    )
}

macro_rules! world_tests {
    ($($(#[$meta:meta])* $name:ident => $body:expr;)+) => {
        $(
            $(#[$meta])*
            #[tokio::test(start_paused = true)]
            async fn $name() {
                $body.await;
            }
        )+
    };
}

world_tests! {
    /// Sections 5.1, 5.3 and 5.4; rows "2 disks" and "2 colliding + 1 bystander".
    late_collision_keeps_a_volume_attaching_under_affected_versions => async {
        for version in ["v1.7.2", "v1.8.1", "v1.9.1"] {
            let mut world = World::new(version, &[W, L, B]).await;
            world.start(&[]);
            world.first_copy().await;
            world.attach_volume(3).await;
            world.comes_to(&stuck()).await;
            let from = world.trace.len();
            world.seconds(60).await;
            assert!(world.said(from, "Normal Start: Starts vol-r-"), "{version}");
            assert!(world.said(from, "already exists"), "{version}");
            let node: Node = world.get("node-2").await;
            let status = &node.status.disk_status["disk"];
            assert!(is_true(&status.conditions, "Schedulable"), "{version}");
            let charged = status.scheduled_backing_image.contains_key("parrot");
            assert_eq!(charged, version != "v1.7.2");
        }
    };

    late_collision_is_none_under_fixed_versions => async {
        for version in ["v1.9.2", "v1.10.2", "v1.12.1"] {
            let mut world = World::new(version, &[W, L, B]).await;
            world.start(&[]);
            world.first_copy().await;
            world.attach_volume(3).await;
            world.comes_to(&all_is_well()).await;
            assert!(!world.said(0, "Dropping"), "{version}: {:#?}", world.tail());
        }
    };

    /// Section 5.7, item 7; rows "loser removed from BI spec" and "same, stuck replica still there".
    mitigation_option_1_in_wrong_and_in_right_order => async {
        let mut world = World::new("v1.9.1", &[W, L, B]).await;
        world.start(&[]);
        world.first_copy().await;
        world.attach_volume(3).await;
        world.comes_to(&stuck()).await;
        // The replica puts the entry back, scheduling or not. One reconcile slips
        // through, so the status may know of the bystander then.
        world.disk(2, json!({"allowScheduling": false})).await;
        let from = world.trace.len();
        world.drop_wish(L).await;
        world.seconds(TWO_RESYNCS).await;
        assert!(world.said(from, "Asking backing image parrot to download file to node node-2"));
        let found = world.seen().await;
        assert_eq!((found.wanted.as_str(), found.managers.as_str()), ("B, L, W", "B, W"));
        // The replica goes first.
        let replicas: Vec<Replica> = world.list().await;
        let waiting = replicas.iter().find(|r| r.spec.disk_id == L);
        world.delete::<Replica>(waiting.expect("one waits").name()).await;
        world.drop_wish(L).await;
        world.comes_to(&seen(
            "B, W",
            "B, W",
            "B ready, W ready",
            "B running, W running",
            "attached degraded",
        )).await;
    };

    /// Sections 4.4 and 5.7, item 8 (without the refusals, which the webhooks' tests show).
    mitigation_option_2_gives_the_loser_another_uuid => async {
        const NEW: &str = "7a15eb76-f8eb-4ea1-b81d-472eac9d98bf";
        let mut world = World::new("v1.9.1", &[W, L]).await;
        world.start(&[]);
        world.first_copy().await;
        world.want(&[L]).await;
        world.comes_to(&seen("L, W", "W", "W ready", "", "")).await;
        world.disk(2, json!({"allowScheduling": false})).await;
        world.drop_wish(L).await;
        world.seconds(35).await;
        let from = world.trace.len();
        world.disk(2, Value::Null).await;
        world.seconds(35).await;
        let node: Node = world.get("node-2").await;
        assert!(node.status.disk_status.is_empty());
        // Until the monitor has looked again, the statuses stay as they are.
        assert!(world.said(from, "mismatching disks"));
        let config = DiskConfig { uuid: NEW.to_owned(), ..DiskConfig::default() };
        world.machines.with(|m| m.folder_mut("node-2", "/disk").map(|f| f.write(&config)));
        let disk = json!({"diskType": "filesystem", "path": "/disk", "allowScheduling": true});
        world.disk(2, disk).await;
        world.seconds(35).await;
        let node: Node = world.get("node-2").await;
        assert_eq!(node.status.disk_status["disk"].disk_uuid, NEW);
        world.want(&[NEW]).await;
        let copies = format!("{NEW} ready, W ready");
        let both = format!("{NEW}, W");
        world.comes_to(&seen(&both, &both, &copies, "", "")).await;
    };

    /// Section 4.4; row "config edited in place".
    config_edited_in_place_is_not_adopted => async {
        for version in ["v1.7.2", "v1.9.1", "v1.12.1"] {
            let mut world = World::new(version, &[W, B]).await;
            world.start(&[]);
            world.first_copy().await;
            world.want(&[B]).await;
            let well = seen("B, W", "B, W", "B ready, W ready", "", "");
            world.comes_to(&well).await;
            let write = |uuid: &str| {
                let config = DiskConfig { uuid: uuid.to_owned(), ..DiskConfig::default() };
                world.machines.with(|m| m.folder_mut("node-2", "/disk").map(|f| f.write(&config)));
            };
            write("7a15eb76-f8eb-4ea1-b81d-472eac9d98bf");
            world.seconds(65).await;
            let node: Node = world.get("node-2").await;
            let status = &node.status.disk_status["disk"];
            assert_eq!(status.disk_uuid, B, "{version}");
            let ready = status.conditions.iter().find(|c| c.type_ == "Ready");
            let ready = ready.expect("it has the condition");
            assert_eq!((ready.status.as_str(), ready.reason.as_str()), ("False", "DiskFilesystemChanged"));
            assert_eq!(world.seen().await.copies, "B unknown, W ready", "{version}");
            write(B);
            world.comes_to(&well).await;
        }
    };

    /// Sections 2.7 and 2.10, item 9; row "loser's disk not ready". A manager on each node.
    losers_node_down_frees_the_image_and_up_freezes_it_again => async {
        let mut world = World::new("v1.9.1", &[W, L, B]).await;
        world.start(&["node-1", "node-2", "node-3"]);
        world.first_copy().await;
        world.want(&[L]).await;
        world.comes_to(&seen("L, W", "W", "W ready", "", "")).await;
        set_power(&mut world, 2, false).await;
        world.want(&[B]).await;
        world.comes_to(&seen("B, L, W", "B, W", "B ready, W ready", "", "")).await;
        set_power(&mut world, 2, true).await;
        let from = world.trace.len();
        world.comes_to(&seen("B, L, W", "B, W", "B ready, W ready", "", "")).await;
        assert!(world.said(from, "already exists"));
    };

    /// Sections 2.1, 3.1 and 5.3. A manager on each node.
    an_owners_node_down_is_taken_over_and_its_replica_rebuilt => async {
        for version in ["v1.9.2", "v1.12.1"] {
            let mut world = World::new(version, &[W, L, B]).await;
            world.start(&["node-1", "node-2", "node-3"]);
            world.first_copy().await;
            world.attach_volume(3).await;
            world.comes_to(&all_is_well()).await;
            let image: BackingImage = world.get("parrot").await;
            let owner = image.status.owner_id;
            let n: usize = owner.trim_start_matches("node-").parse().expect("a node");
            set_power(&mut world, n, false).await;
            world.seconds(TWO_RESYNCS).await;
            let image: BackingImage = world.get("parrot").await;
            assert_ne!(image.status.owner_id, owner);
            let found = world.seen().await;
            assert_eq!(found.copies.matches("unknown").count(), 1, "{found:?}");
            assert_eq!(found.copies.matches("ready").count(), 2, "{found:?}");
            set_power(&mut world, n, true).await;
            world.comes_to(&all_is_well()).await;
        }
    };

    /// Section 3.4; row "winner's BIM deleted by hand".
    a_deleted_manager_takes_its_files_along_and_gets_them_back_from_another => async {
        let mut world = World::new("v1.9.2", &[W, L]).await;
        world.start(&[]);
        world.first_copy().await;
        world.want(&[L]).await;
        let well = seen("L, W", "L, W", "L ready, W ready", "", "");
        world.comes_to(&well).await;
        let managers: Vec<BackingImageManager> = world.list().await;
        let manager = managers.iter().find(|m| m.spec.disk_uuid == W);
        let name = manager.expect("W is served").name().to_owned();
        let from = world.trace.len();
        world.delete::<BackingImageManager>(&name).await;
        world.seconds(1).await;
        let files = world.machines.with(|m| m.folder("node-1", "/disk").map(|f| f.files.len()));
        assert_eq!(files, Some(0));
        world.comes_to(&well).await;
        assert!(world.said(from, "Deleting all backing image files during cleanup"));
        assert!(world.said(from, "Syncing backing image parrot"));
        let managers: Vec<BackingImageManager> = world.list().await;
        assert!(managers.iter().any(|m| m.name() == name));
    };

    /// Section 3.5, items 10 and 11: the image of the managers changes, files are kept.
    an_upgrade_makes_managers_anew_and_uses_their_files_again => async {
        for (from_version, to) in [("v1.8.1", "v1.9.1"), ("v1.9.1", "v1.9.2"), ("v1.10.1", "v1.10.2")] {
            let mut world = World::new(from_version, &[W, B]).await;
            world.start(&[]);
            world.first_copy().await;
            world.attach_volume(2).await;
            let well = seen(
                "B, W",
                "B, W",
                "B ready, W ready",
                "B running, W running",
                "attached healthy",
            );
            world.comes_to(&well).await;
            let from = world.trace.len();
            world.install(to, false).await;
            world.comes_to(&well).await;
            assert!(world.said(from, "deleted old/non-default backing image manager"), "{to}");
            assert!(world.said(from, "Reuse the existing file for backing image parrot"), "{to}");
            assert!(!world.said(from, "Deleting all backing image files"), "{to}");
            let managers: Vec<BackingImageManager> = world.list().await;
            assert!(managers.iter().all(|m| m.spec.image == world.image.as_str()));
        }
    };

    /// Section 3.5, item 10; row "any → fixed version, BIM image string unchanged".
    an_upgrade_with_a_pinned_image_keeps_managers_and_serves_the_loser => async {
        let mut world = World::new("v1.9.1", &[W, L, B]).await;
        world.start(&[]);
        world.first_copy().await;
        world.attach_volume(3).await;
        world.comes_to(&stuck()).await;
        let from = world.trace.len();
        world.install("v1.9.2", true).await;
        world.comes_to(&all_is_well()).await;
        assert!(!world.said(from, "deleted old/non-default"));
        let managers: Vec<BackingImageManager> = world.list().await;
        let old = managers.iter().filter(|m| m.name().starts_with("backing-image-manager-"));
        assert_eq!((old.count(), managers.len()), (2, 3));
    };

    /// Section 3.5: an upgrade with collision to a fixed version frees the volume.
    an_upgrade_with_a_collision_frees_the_volume => async {
        let mut world = World::new("v1.9.1", &[W, L, B]).await;
        world.start(&[]);
        world.first_copy().await;
        world.attach_volume(3).await;
        world.comes_to(&stuck()).await;
        world.install("v1.9.2", false).await;
        world.comes_to(&all_is_well()).await;
    };

    /// Sections 5.3 and 5.5: the replica moves first, then the copy goes.
    an_evicted_disk_loses_its_replica_and_then_its_copy => async {
        const FOURTH: &str = "9b26eb76-f8eb-4ea1-b81d-472eac9d98bf";
        let mut world = World::new("v1.9.2", &[W, L, B, FOURTH]).await;
        world.disk(4, json!({"allowScheduling": false})).await;
        world.start(&[]);
        world.first_copy().await;
        world.attach_volume(3).await;
        world.comes_to(&all_is_well()).await;
        world.disk(4, json!({"allowScheduling": true})).await;
        let evict = json!({"allowScheduling": false, "evictionRequested": true});
        world.disk(3, evict).await;
        world.comes_to(&seen(
            &format!("{FOURTH}, L, W"),
            &format!("{FOURTH}, L, W"),
            &format!("{FOURTH} ready, L ready, W ready"),
            &format!("{FOURTH} running, L running, W running"),
            "attached healthy",
        )).await;
    };

    /// Item 13; row "loser's disk evicted": nothing happens, for the loser has no status.
    an_evicted_loser_stays_wanted => async {
        let mut world = World::new("v1.9.1", &[W, L]).await;
        world.start(&[]);
        world.first_copy().await;
        world.want(&[L]).await;
        let stuck = seen("L, W", "W", "W ready", "", "");
        world.comes_to(&stuck).await;
        let evict = json!({"allowScheduling": false, "evictionRequested": true});
        world.disk(2, evict).await;
        world.comes_to(&stuck).await;
    };

    /// Sections 4.2 to 4.4, item 15; row "new disk would share a prefix".
    a_restored_configuration_collides_in_spite_of_the_guard => async {
        let mut world = World::new("v1.9.1", &[W]).await;
        world.start(&[]);
        world.machines.with(|m| {
            m.mount("node-1", "/new", Folder { config: None, filesystem: "new".to_owned(), bytes: DISK_BYTES, ..Folder::default() });
            m.mount("node-1", "/restored", Folder::of_disk("restored", L, "restored", DISK_BYTES));
        });
        let disk = |path: &str| json!({"diskType": "filesystem", "path": path, "allowScheduling": true});
        let disks = json!({"new": disk("/new"), "restored": disk("/restored")});
        world.patch::<Node>("node-1", json!({"spec": {"disks": disks}})).await;
        world.seconds(65).await;
        let node: Node = world.get("node-1").await;
        for name in ["new", "restored"] {
            let status = &node.status.disk_status[name];
            assert!(is_true(&status.conditions, "Ready"), "{name}: {status:?}");
        }
        let drawn = &node.status.disk_status["new"].disk_uuid;
        assert!(drawn.len() == 36 && !drawn.starts_with("c012"), "{drawn}");
        world.want(&[L]).await;
        world.comes_to(&seen("L, W", "W", "W ready", "", "")).await;
        assert!(world.said(0, "already exists"));
    };
}

async fn set_power(world: &mut World, n: usize, on: bool) {
    let name = format!("node-{n}");
    world.machines.with(|machines| match on {
        true => machines.power_on(&name),
        false => machines.power_off(&name),
    });
    if on {
        world.start(&[&name]);
    } else {
        let found = world.managers.iter().position(|(node, _)| *node == name);
        let (_, manager) = world.managers.remove(found.expect("it runs"));
        manager.stop().await;
    }
}
