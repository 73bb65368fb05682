//! The embedded API server beside etcd and kube-apiserver, in one run.
//!
//! `cargo bench -p fixname-benches --bench apiserver` prints a table. Rounds
//! of the two servers alternate, and the median round counts, so that a busy
//! machine slows both. Everything of ours, the caller too, runs on one thread;
//! what the project asks of itself is held against that thread's CPU time,
//! which a busy machine does not stretch. Without etcd and kube-apiserver
//! (`KUBEBUILDER_ASSETS` or `PATH`) their column stays empty.

use std::future::Future;
use std::time::{Duration, Instant};

use bytes::Bytes;
use fixname_apiserver::{ApiServer, ApiService, UserInfo};
use fixname_controlplane::{ControlPlane, Options, Programs};
use fixname_longhorn::{BackingImage, Kind};
use http::{Method, Request};
use http_body_util::{BodyExt, Full};
use k8s_openapi::api::core::v1::Namespace;
use kube::Api;
use kube::api::PostParams;
use serde_json::{Value, json};
use tower::ServiceExt;

const NAMESPACE: &str = "longhorn-system";
const COLLECTION: &str = "/apis/longhorn.io/v1beta2/namespaces/longhorn-system/backingimages";
/// Rounds of each measurement; the median counts.
const ROUNDS: usize = 5;
/// Writes and reads in one round.
const CREATES: usize = 1_000;
const GETS: usize = 4_000;
/// Servers that are started.
const STARTS: u32 = 200;
/// Objects in the list, and in the measurement of memory.
const OBJECTS: usize = 10_000;

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

/// A backing image with three copies, as `kubectl get -o json` shows one.
fn image(name: &str) -> Value {
    let disks = [
        "c012eb76-f8eb-4ea1-b81d-472eac9d98bf",
        "1f7a02d3-5d0c-4b5f-8a39-0c2be5f3a7d4",
        "8e94c1b6-27ab-4c02-9c61-fb1d0e52c390",
    ];
    let files: Value = disks
        .iter()
        .map(|disk| {
            (
                (*disk).to_owned(),
                json!({"evictionRequested": false, "dataEngine": "v1"}),
            )
        })
        .collect::<serde_json::Map<_, _>>()
        .into();
    let states: Value = disks
        .iter()
        .map(|disk| {
            let state = json!({"state": "ready", "progress": 100, "message": "",
                "dataEngine": "v1", "lastStateTransitionTime": "2026-01-01T00:00:00Z"});
            ((*disk).to_owned(), state)
        })
        .collect::<serde_json::Map<_, _>>()
        .into();
    json!({
        "apiVersion": "longhorn.io/v1beta2",
        "kind": "BackingImage",
        "metadata": {
            "name": name,
            "namespace": NAMESPACE,
            "finalizers": ["longhorn.io"],
            "labels": {"longhorn.io/component": "backing-image", "longhorn.io/managed-by": "longhorn-manager"},
        },
        "spec": {
            "checksum": "",
            "sourceType": "download",
            "sourceParameters": {"url": "https://images.example.com/os/jammy-server-cloudimg-amd64.qcow2"},
            "diskFileSpecMap": files,
            "minNumberOfCopies": 3,
            "dataEngine": "v1",
        },
        "status": {
            "ownerID": "node-1",
            "uuid": "0b3c9a4e",
            "size": 2_361_393_152_u64,
            "virtualSize": 2_361_393_152_u64,
            "checksum": "d3f4e1c2b5a6",
            "diskFileStatusMap": states,
        },
    })
}

/// One way to send a request: straight into the service, or through a client.
trait Server {
    async fn send(&mut self, request: Request<Vec<u8>>) -> Outcome<Bytes>;

    async fn create(&mut self, name: &str) -> Outcome<Bytes> {
        self.send(create_request(name)?).await
    }

    async fn get(&mut self, path: &str) -> Outcome<Bytes> {
        self.send(Request::get(path).body(Vec::new())?).await
    }
}

fn create_request(name: &str) -> Outcome<Request<Vec<u8>>> {
    Ok(Request::builder()
        .method(Method::POST)
        .uri(COLLECTION)
        .header("content-type", "application/json")
        .body(image(name).to_string().into_bytes())?)
}

/// Ours, as a tower service.
struct Service(ApiService);

impl Server for Service {
    async fn send(&mut self, request: Request<Vec<u8>>) -> Outcome<Bytes> {
        let request = request.map(|body| Full::new(Bytes::from(body)));
        let answer = self.0.clone().oneshot(request).await?;
        let status = answer.status();
        let body = answer.into_body().collect().await?.to_bytes();
        if status.is_success() {
            Ok(body)
        } else {
            Err(String::from_utf8_lossy(&body).into_owned().into())
        }
    }
}

/// Any server, through a client that speaks HTTP.
struct Client(kube::Client);

impl Server for Client {
    async fn send(&mut self, request: Request<Vec<u8>>) -> Outcome<Bytes> {
        Ok(self.0.request_text(request).await?.into())
    }
}

/// The definition and the namespace that every measurement needs.
async fn furnish(client: &kube::Client) -> Outcome<()> {
    let params = PostParams::default();
    let crd = fixname_longhorn::crds::crd(Kind::BackingImage, &fixname_longhorn::crds::newest());
    Api::all(client.clone()).create(&params, &crd).await?;
    let namespace: Namespace = serde_json::from_value(json!({"metadata": {"name": NAMESPACE}}))?;
    Api::all(client.clone()).create(&params, &namespace).await?;
    let images: Api<BackingImage> = Api::namespaced(client.clone(), NAMESPACE);
    for _ in 0..200 {
        if images.list(&kube::api::ListParams::default()).await.is_ok() {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Err("the definition of backing images was not served in ten seconds".into())
}

fn embedded() -> ApiServer {
    ApiServer::builder().build()
}

fn service(server: &ApiServer) -> Service {
    Service(server.service(UserInfo::admin()))
}

/// How long something took.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Took {
    /// By the clock on the wall.
    wall: Duration,
    /// By this thread's CPU time.
    cpu: Duration,
}

async fn timed<T>(work: impl Future<Output = Outcome<T>>) -> Outcome<Took> {
    let (start, busy) = (Instant::now(), cpu_time());
    work.await?;
    Ok(Took {
        wall: start.elapsed(),
        cpu: cpu_time().saturating_sub(busy),
    })
}

/// CPU time of this thread.
fn cpu_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::try_from(time).unwrap_or_default()
}

async fn creates(server: &mut impl Server, round: usize) -> Outcome<Took> {
    // The caller's own work, writing the bodies, is not the server's.
    let requests: Vec<_> = (0..CREATES)
        .map(|i| create_request(&format!("image-{round}-{i}")))
        .collect::<Outcome<_>>()?;
    timed(async {
        for request in requests {
            server.send(request).await?;
        }
        Ok(())
    })
    .await
}

async fn gets(server: &mut impl Server) -> Outcome<Took> {
    timed(async {
        for i in 0..GETS {
            let path = format!("{COLLECTION}/image-0-{}", i % CREATES);
            server.get(&path).await?;
        }
        Ok(())
    })
    .await
}

fn median(mut times: Vec<Took>) -> Took {
    times.sort();
    times[times.len() / 2]
}

/// Bytes of memory that this process holds now (Linux; elsewhere unknown).
fn resident() -> Option<usize> {
    let statm = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: usize = statm.split_whitespace().nth(1)?.parse().ok()?;
    Some(pages * 4096)
}

/// One line of the table: the wall's time of both, their ratio, and the CPU
/// time of ours beside what the project asks of itself.
fn row(what: &str, ours: &str, real: &str, ratio: &str, cpu: &str, target: &str) {
    println!("{what:<34} {ours:>12} {real:>12} {ratio:>9} {cpu:>14}  {target}");
}

/// A row of two measurements, each shown by `show`.
fn compare(
    what: &str,
    ours: Took,
    real: Option<Took>,
    show: impl Fn(Duration) -> String,
    target: &str,
) {
    let ratio = |real: Took| format!("{:.1}×", real.wall.as_secs_f64() / ours.wall.as_secs_f64());
    row(
        what,
        &show(ours.wall),
        &real.map_or("-".to_owned(), |real| show(real.wall)),
        &real.map_or("-".to_owned(), ratio),
        &show(ours.cpu),
        target,
    );
}

fn milliseconds(time: Duration) -> String {
    format!("{:.2} ms", time.as_secs_f64() * 1e3)
}

async fn measure() -> Outcome<()> {
    let size = image("image-0-0").to_string().len();
    println!("object of {size} bytes; median of {ROUNDS} alternating rounds\n");
    row(
        "",
        "embedded",
        "real",
        "ratio",
        "embedded, CPU",
        "asked of the CPU time",
    );

    // Memory first, while nothing else has grown the heap.
    memory().await?;

    let plane = match Programs::find() {
        Ok(_) => Some(timed_plane().await?),
        Err(why) => {
            eprintln!("no real server to compare with: {why}");
            None
        }
    };
    let starts = timed(async {
        for _ in 0..STARTS {
            let server = embedded();
            service(&server).get("/api/v1/namespaces/default").await?;
        }
        Ok(())
    })
    .await?;
    let start = Took {
        wall: starts.wall / STARTS,
        cpu: starts.cpu / STARTS,
    };
    let real_start = plane.as_ref().map(|(_, time)| *time);
    compare(
        "start to first answer",
        start,
        real_start,
        milliseconds,
        "≤ 5 ms",
    );

    let server = embedded();
    furnish(&server.client(NAMESPACE)).await?;
    let mut direct = service(&server);
    let mut through_client = Client(server.client(NAMESPACE));
    let mut real = match &plane {
        Some((plane, _)) => {
            let client = plane.client(NAMESPACE).await?;
            furnish(&client).await?;
            Some(Client(client))
        }
        None => None,
    };
    writes_and_reads(&mut direct, &mut through_client, real.as_mut()).await?;
    lists(real.as_mut()).await
}

async fn writes_and_reads(
    direct: &mut Service,
    through_client: &mut Client,
    mut real: Option<&mut Client>,
) -> Outcome<()> {
    let [mut c_direct, mut c_client, mut c_real] = [const { Vec::new() }; 3];
    let [mut g_direct, mut g_client, mut g_real] = [const { Vec::new() }; 3];
    for round in 0..ROUNDS {
        c_direct.push(creates(direct, round).await?);
        c_client.push(creates(through_client, ROUNDS + round).await?);
        g_direct.push(gets(direct).await?);
        g_client.push(gets(through_client).await?);
        if let Some(real) = &mut real {
            c_real.push(creates(*real, round).await?);
            g_real.push(gets(*real).await?);
        }
    }
    for (what, count, ours, real, target) in [
        (
            "create, tower service",
            CREATES,
            c_direct,
            &c_real,
            "≥ 20000/s",
        ),
        ("create, kube::Client", CREATES, c_client, &c_real, ""),
        ("get, tower service", GETS, g_direct, &g_real, "≥ 50000/s"),
        ("get, kube::Client", GETS, g_client, &g_real, ""),
    ] {
        let per_second = |time: Duration| format!("{:.0}/s", count as f64 / time.as_secs_f64());
        compare(what, median(ours), some_median(real), per_second, target);
    }
    Ok(())
}

fn some_median(times: &[Took]) -> Option<Took> {
    (!times.is_empty()).then(|| median(times.to_vec()))
}

async fn timed_plane() -> Outcome<(ControlPlane, Took)> {
    let mut plane = None;
    let took = timed(async {
        let started = ControlPlane::start(Options::default()).await?;
        let mut client = Client(started.client("default").await?);
        client.get("/api/v1/namespaces/default").await?;
        plane = Some(started);
        Ok(())
    })
    .await?;
    let plane = plane.ok_or("the control plane did not start")?;
    Ok((plane, took))
}

/// A list of many objects beside only serialising them, typed and untyped.
async fn lists(mut real: Option<&mut Client>) -> Outcome<()> {
    let server = embedded();
    furnish(&server.client(NAMESPACE)).await?;
    let mut direct = service(&server);
    for i in 0..OBJECTS {
        direct.create(&format!("image-{i}")).await?;
    }
    let text = direct.get(COLLECTION).await?;
    let list: Value = serde_json::from_slice(&text)?;
    let typed: kube::core::ObjectList<BackingImage> = serde_json::from_slice(&text)?;
    if let Some(real) = &mut real {
        // The rounds before this left CREATES × ROUNDS objects there.
        for i in CREATES * ROUNDS..OBJECTS {
            real.create(&format!("image-{i}")).await?;
        }
    }
    let [mut listed, mut as_values, mut as_types, mut listed_real] = [const { Vec::new() }; 4];
    for _ in 0..ROUNDS {
        listed.push(timed(direct.get(COLLECTION)).await?);
        as_values.push(timed(async { Ok(serde_json::to_vec(&list)?) }).await?);
        as_types.push(timed(async { Ok(serde_json::to_vec(&typed)?) }).await?);
        if let Some(real) = &mut real {
            listed_real.push(timed(real.get(COLLECTION)).await?);
        }
    }
    let listed = median(listed);
    let what = format!("list of {OBJECTS}, {} MB", text.len() / 1_000_000);
    compare(&what, listed, some_median(&listed_real), milliseconds, "");
    for (what, time) in [
        ("  serialising them as JSON values", median(as_values)),
        ("  serialising them as Rust types", median(as_types)),
    ] {
        let times = listed.cpu.as_secs_f64() / time.cpu.as_secs_f64();
        let target = format!("a list takes {times:.2} of it (≤ 2)");
        compare(what, time, None, milliseconds, &target);
    }
    Ok(())
}

/// Memory of stored objects beside their JSON. It is measured as what the whole
/// process grows by, so the allocator's waste counts.
async fn memory() -> Outcome<()> {
    let server = embedded();
    furnish(&server.client(NAMESPACE)).await?;
    let mut direct = service(&server);
    direct.create("warm-up").await?;
    let before = resident();
    for i in 0..OBJECTS {
        direct.create(&format!("image-{i}")).await?;
    }
    let after = resident();
    let json = direct.get(COLLECTION).await?.len();
    let (Some(before), Some(after)) = (before, after) else {
        eprintln!("memory: only known on Linux");
        return Ok(());
    };
    let grown = after.saturating_sub(before);
    row(
        &format!("memory of {OBJECTS} objects"),
        &format!("{:.1} MB", grown as f64 / 1e6),
        "",
        "",
        "",
        &format!("{:.2} of their JSON (≤ 3)", grown as f64 / json as f64),
    );
    Ok(())
}

fn main() -> Outcome<()> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(measure())
}
