//! Request bodies and patches, mutated: no panic, an answer that is a `Status`
//! or an object, and whatever is stored afterwards reads back the same and
//! could be created anew.
//!
//! The seeds are in `corpus/`: a line with method, path and media type, then the
//! body. `FIXNAME_FUZZ=100000` runs longer, `FIXNAME_FUZZ_SEED` chooses another
//! sequence; a failure prints the request that caused it.

#![allow(
    clippy::unwrap_used,
    reason = "bodies of tests: a panic is a failed test"
)]

mod common;

use std::panic::AssertUnwindSafe;

use common::{Answer, Arm, widget};
use fixname_apiserver::ApiServer;
use futures::FutureExt;
use http::Method;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};

const WIDGETS: &str = "/apis/fuzz.example.io/v1/namespaces/default/widgets";

/// Requests that one server gets before the next one is made.
const ROUND: usize = 250;

#[derive(Clone)]
struct Request {
    method: Method,
    path: String,
    media: String,
    body: Vec<u8>,
}

fn corpus() -> Vec<Request> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/corpus");
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|f| f.unwrap().path())
        .collect();
    files.sort();
    files
        .iter()
        .map(|file| {
            let text = std::fs::read_to_string(file).unwrap();
            let (head, body) = text.split_once('\n').unwrap();
            let mut head = head.split(' ').map(str::to_owned);
            Request {
                method: head.next().unwrap().parse().unwrap(),
                path: head.next().unwrap(),
                media: head.next().unwrap(),
                body: body.into(),
            }
        })
        .collect()
}

/// Pieces that decoders and validators have opinions about.
const PIECES: [&str; 30] = [
    "null",
    "{}",
    "[]",
    "\"\"",
    "true",
    "-1",
    "0.1",
    "1e400",
    "9223372036854775808",
    "\"\\u0000\"",
    "\"\\ud800\"",
    "{\"a\":",
    "[[[[[[[[",
    "]",
    "}",
    ",",
    ":",
    "\"metadata\"",
    "\"$patch\"",
    "\"delete\"",
    "\"resourceVersion\":\"1\",",
    "\"uid\":\"x\",",
    "\"deletionTimestamp\":\"2024-01-01T00:00:00Z\",",
    "\"managedFields\":[{}],",
    "\"managedFields\":null,",
    "/-",
    "~1",
    "\u{7f}",
    "&a *a",
    "\n  - ",
];

/// One change of some bytes.
fn scramble(body: &mut Vec<u8>, other: &[u8], rng: &mut ChaCha8Rng) {
    let at = rng.random_range(0..=body.len());
    match rng.random_range(0..6) {
        0 if at < body.len() => body[at] = rng.random(),
        1 => {
            let piece = PIECES[rng.random_range(0..PIECES.len())];
            body.splice(at..at, piece.bytes());
        }
        2 => {
            let end = (at + rng.random_range(0..20)).min(body.len());
            body.drain(at..end);
        }
        3 => {
            let end = (at + rng.random_range(0..40)).min(body.len());
            let copy = body[at..end].to_vec();
            body.splice(at..at, copy);
        }
        4 => {
            let from = rng.random_range(0..=other.len());
            let end = (from + rng.random_range(0..60)).min(other.len());
            body.splice(at..at, other[from..end].iter().copied());
        }
        _ => body.truncate(at),
    }
}

/// One change of a value somewhere in a JSON document, which stays JSON.
fn change(value: &mut Value, rng: &mut ChaCha8Rng) {
    match value {
        Value::Object(map) if !map.is_empty() && rng.random_bool(0.85) => {
            let key = map
                .keys()
                .nth(rng.random_range(0..map.len()))
                .unwrap()
                .clone();
            match rng.random_range(0..12) {
                0 => {
                    map.remove(&key);
                }
                1 => {
                    let moved = map.remove(&key).unwrap();
                    map.insert(format!("{key}x"), moved);
                }
                _ => change(&mut map[&key], rng),
            }
        }
        Value::Array(list) if !list.is_empty() && rng.random_bool(0.85) => {
            let at = rng.random_range(0..list.len());
            match rng.random_range(0..8) {
                0 => {
                    list.remove(at);
                }
                1 => list.push(list[at].clone()),
                _ => change(&mut list[at], rng),
            }
        }
        other => {
            *other = match rng.random_range(0..9) {
                0 => Value::Null,
                1 => json!(rng.random::<i32>()),
                2 => json!(rng.random::<f64>() * 1e20),
                3 => json!(""),
                4 => json!("a".repeat(rng.random_range(1..300))),
                5 => json!({"x": other.clone()}),
                6 => json!([other.clone()]),
                7 => json!(rng.random_bool(0.5)),
                _ => json!({"name": "x", "key": -1}),
            };
        }
    }
}

fn mutated(seeds: &[Request], rng: &mut ChaCha8Rng) -> Request {
    let mut request = seeds[rng.random_range(0..seeds.len())].clone();
    let other = &seeds[rng.random_range(0..seeds.len())];
    if rng.random_bool(0.05) {
        request.media.clone_from(&other.media);
    }
    let rounds = rng.random_range(1..4);
    match serde_json::from_slice::<Value>(&request.body) {
        Ok(mut value) if rng.random_bool(0.6) => {
            (0..rounds).for_each(|_| change(&mut value, rng));
            request.body = value.to_string().into_bytes();
        }
        _ => (0..rounds).for_each(|_| scramble(&mut request.body, &other.body, rng)),
    }
    request
}

/// A server with the objects that the seeds are about, where nothing but the
/// requests removes any.
async fn server(seed: u64) -> Arm {
    let arm = Arm::Embedded(
        ApiServer::builder()
            .seed(seed)
            .history(64)
            .collector(false)
            .build(),
    );
    let mut schema = common::widget_schema();
    schema["properties"]["spec"]["properties"]["replicas"] = json!({"type": "integer"});
    schema["properties"]["spec"]["x-kubernetes-validations"] =
        json!([{"rule": "!has(self.size) || self.size != 13", "message": "not thirteen"}]);
    let more = json!({"subresources": {"status": {}, "scale": {"specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.count"}}});
    arm.define_with("fuzz.example.io", schema, &more).await;
    arm.post(
        WIDGETS,
        &widget("fuzz.example.io", "x", json!({"size": 1, "replicas": 1})),
    )
    .await
    .ok();
    arm.post(
        "/api/v1/namespaces/default/configmaps",
        &json!({"metadata": {"name": "m"}}),
    )
    .await
    .ok();
    let pod =
        json!({"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "i:1"}]}});
    arm.post("/api/v1/namespaces/default/pods", &pod).await.ok();
    arm
}

/// The path of an object, if it is one that is stored.
fn place(request: &Request, object: &Value) -> Option<String> {
    let name = object["metadata"]["name"].as_str()?;
    let path = request.path.split('?').next().unwrap();
    let collection = if request.method == Method::POST {
        path
    } else {
        let plural = path.split("/default/").nth(1)?.split('/').next()?;
        &path[..path.find(&format!("/{plural}"))? + plural.len() + 1]
    };
    Some(format!("{collection}/{name}"))
}

fn is_status(answer: &Answer) -> bool {
    let body = &answer.body;
    body["kind"] == "Status" && body["code"] == answer.code && body["message"].is_string()
}

/// What must hold after a request that was answered with success.
async fn check_stored(arm: &Arm, request: &Request, answer: &Answer) {
    let kind = answer.body["kind"].as_str().unwrap_or_default();
    assert!(!kind.is_empty(), "an answer without kind: {answer:?}");
    if request.path.contains("dryRun")
        || matches!(kind, "Status" | "Scale")
        || request.method == Method::DELETE
    {
        return;
    }
    let path = place(request, &answer.body).expect("an object has a name");
    let read = arm.get(&path).await;
    if read.code == 404 {
        // An update that removed the last finalizer of what was going away.
        assert!(
            answer.body["metadata"]["deletionTimestamp"].is_string(),
            "{answer:?}"
        );
        return;
    }
    assert_eq!(read.body, answer.body, "it reads back otherwise");
    let mut copy = read.body.clone();
    copy["metadata"] = json!({"name": "copy", "labels": copy["metadata"]["labels"], "annotations": copy["metadata"]["annotations"]});
    let anew = |validation: &str| {
        format!(
            "{}?dryRun=All&fieldValidation={validation}",
            path.rsplit_once('/').unwrap().0
        )
    };
    // A job brings its own selector, and a new one must not.
    if kind != "Job" {
        arm.post(&anew("Strict"), &copy).await.ok();
    }
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn mutated_requests_are_answered_and_leave_sound_objects() {
    let number = |name: &str, default: u64| {
        std::env::var(name)
            .ok()
            .map_or(default, |v| v.parse().unwrap())
    };
    let total = usize::try_from(number("FIXNAME_FUZZ", 4_000)).unwrap();
    let seed = number("FIXNAME_FUZZ_SEED", 1);
    let seeds = corpus();
    assert!(seeds.len() >= 15, "the corpus is there");
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut arm = server(seed).await;
    let (mut taken, mut refused) = (0_usize, 0_usize);
    for n in 0..total {
        if n % ROUND == ROUND - 1 {
            arm.get("/healthz").await.ok();
            arm.get(WIDGETS).await.ok();
            arm = server(seed + n as u64).await;
        }
        let request = if n < seeds.len() {
            seeds[n].clone()
        } else {
            mutated(&seeds, &mut rng)
        };
        let one = async {
            let answer = arm
                .send(
                    request.method.clone(),
                    &request.path,
                    &request.media,
                    request.body.clone(),
                )
                .await;
            if answer.code < 300 {
                check_stored(&arm, &request, &answer).await;
                true
            } else {
                assert!(
                    is_status(&answer),
                    "neither a Status nor an object: {answer:?}"
                );
                assert!(!answer.message().contains("panic"), "{answer:?}");
                false
            }
        };
        match AssertUnwindSafe(one).catch_unwind().await {
            Ok(true) => taken += 1,
            Ok(false) => refused += 1,
            Err(panic) => {
                eprintln!(
                    "request {n} of seed {seed}:\n{} {} {}\n{}",
                    request.method,
                    request.path,
                    request.media,
                    String::from_utf8_lossy(&request.body)
                );
                std::panic::resume_unwind(panic);
            }
        }
    }
    // Both ways are worth something only if both are taken.
    assert!(
        taken * 20 > total && refused * 20 > total,
        "{taken} taken, {refused} refused"
    );
}
