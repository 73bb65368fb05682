//! Clients that misbehave on the port: memory stays bounded and others are
//! served. What both servers answer to bad input is in `conformance/hostile.rs`.

#![allow(
    clippy::unwrap_used,
    reason = "bodies of tests: a panic is a failed test"
)]

mod common;

use std::time::Duration;

use common::Arm;
use fixname_apiserver::{ApiServer, ServeOptions, Serving};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const MAPS: &str = "/api/v1/namespaces/default/configmaps";

/// A connection that has sent the head of a request.
async fn connect(serving: &Serving, head: &str) -> TcpStream {
    let mut stream = TcpStream::connect(("127.0.0.1", serving.port()))
        .await
        .unwrap();
    let token = serving.token();
    let request = format!("{head}\r\nhost: localhost\r\nauthorization: Bearer {token}\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    stream
}

/// Memory of this process that is in use, in bytes.
fn resident() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: u64 = statm.split(' ').nth(1).unwrap().parse().unwrap();
    pages * 4096
}

#[tokio::test]
async fn watches_that_are_not_read_hold_no_memory() {
    let server = ApiServer::builder().history(64).build();
    let serving = server.serve(ServeOptions::default()).await.unwrap();
    let arm = Arm::Embedded(server.clone());
    let text = "x".repeat(64 * 1024);
    let map = json!({"metadata": {"name": "big"}, "data": {"text": text}});
    arm.post(MAPS, &map).await.ok();
    let mut stuck = Vec::new();
    for _ in 0..20 {
        let mut stream = connect(&serving, &format!("GET {MAPS}?watch=true HTTP/1.1")).await;
        stream.write_all(b"\r\n").await.unwrap();
        // The head of the answer is read, then nothing more.
        stream.read_exact(&mut [0; 12]).await.unwrap();
        stuck.push(stream);
    }
    let write = async |n: u32| {
        let patch = json!({"data": {"n": n.to_string()}});
        arm.merge(&format!("{MAPS}/big"), &patch).await.ok();
        tokio::task::yield_now().await;
    };
    // The first round fills the history and the sockets.
    for n in 0..200 {
        write(n).await;
    }
    let before = resident();
    for n in 200..1_000 {
        write(n).await;
    }
    let grown = resident().saturating_sub(before);
    // Queues would hold 20 watches × 800 changes × 64 KiB = 1 GiB.
    assert!(grown < 64 * 1024 * 1024, "grew by {grown} bytes");
    let answer = arm.get(&format!("{MAPS}/big")).await.ok();
    assert_eq!(answer.body["data"]["n"], "999");
    // Who reads on is told that it has missed something.
    let mut rest = String::new();
    let mut stream = stuck.pop().unwrap();
    let reading = async {
        let mut buffer = vec![0; 1 << 16];
        while !rest.contains("too old resource version") {
            let n = stream.read(&mut buffer).await.unwrap();
            assert!(n > 0, "the watch ended without a word");
            rest.push_str(&String::from_utf8_lossy(&buffer[..n]));
        }
    };
    tokio::time::timeout(Duration::from_secs(60), reading)
        .await
        .unwrap();
}

#[tokio::test]
async fn a_slow_sender_holds_nobody_up() {
    let server = ApiServer::builder().build();
    let serving = server.serve(ServeOptions::default()).await.unwrap();
    let arm = Arm::Embedded(server.clone());
    let body = json!({"metadata": {"name": "slow"}}).to_string();
    let mut slow = connect(&serving, &format!("POST {MAPS} HTTP/1.1")).await;
    let head = format!(
        "content-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    slow.write_all(head.as_bytes()).await.unwrap();
    for (i, byte) in body.bytes().enumerate() {
        slow.write_all(&[byte]).await.unwrap();
        let name = format!("fast-{i}");
        arm.post(MAPS, &json!({"metadata": {"name": name}}))
            .await
            .ok();
        assert!(i + 1 == body.len() || arm.get(&format!("{MAPS}/slow")).await.code == 404);
    }
    let mut answer = [0; 12];
    slow.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 201");
}

#[tokio::test]
async fn a_sender_that_gives_up_has_written_nothing() {
    let server = ApiServer::builder().build();
    let serving = server.serve(ServeOptions::default()).await.unwrap();
    let before = server.resource_version();
    let mut stream = connect(&serving, &format!("POST {MAPS} HTTP/1.1")).await;
    let half = "content-type: application/json\r\ncontent-length: 100\r\n\r\n{\"metadata\":{\"name\":\"x\"}}";
    stream.write_all(half.as_bytes()).await.unwrap();
    stream.shutdown().await.unwrap();
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer).await;
    assert!(!answer.starts_with("HTTP/1.1 2"), "{answer}");
    assert_eq!(server.resource_version(), before);
    Arm::Embedded(server).get("/healthz").await.ok();
}

#[tokio::test]
async fn what_is_no_http_is_cut_off() {
    let server = ApiServer::builder().build();
    let serving = server.serve(ServeOptions::default()).await.unwrap();
    for noise in [
        &b"\x16\x03\x01\x00\xff"[..],
        b"GET / HTTP/9.9\r\n\r\n",
        b"\0\0\0\0\r\n\r\n",
    ] {
        let mut stream = TcpStream::connect(("127.0.0.1", serving.port()))
            .await
            .unwrap();
        stream.write_all(noise).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        assert!(
            answer.is_empty() || answer.starts_with(b"HTTP/1.1 4"),
            "{answer:?}"
        );
    }
    Arm::Embedded(server).get("/healthz").await.ok();
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn a_page_that_has_expired_can_be_continued_with_gaps() {
    let server = ApiServer::builder().history(4).build();
    let arm = Arm::Embedded(server.clone());
    for name in ["a", "b", "c"] {
        arm.post(MAPS, &json!({"metadata": {"name": name}}))
            .await
            .ok();
    }
    let first = arm.get(&format!("{MAPS}?limit=1")).await.ok();
    let token = first.body["metadata"]["continue"].as_str().unwrap();
    arm.delete(&format!("{MAPS}/b")).await.ok();
    arm.post(MAPS, &json!({"metadata": {"name": "d"}}))
        .await
        .ok();
    server.compact();
    let expired = arm.get(&format!("{MAPS}?limit=9&continue={token}")).await;
    assert_eq!((expired.code, expired.reason()), (410, "Expired"));
    assert!(
        expired
            .message()
            .starts_with("The provided continue parameter is too old")
    );
    let token = expired.body["metadata"]["continue"].as_str().unwrap();
    let rest = arm
        .get(&format!("{MAPS}?limit=9&continue={token}"))
        .await
        .ok();
    let names: Vec<&str> = rest.body["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|i| i["metadata"]["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["c", "d"]);
}
