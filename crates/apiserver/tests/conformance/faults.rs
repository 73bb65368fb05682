//! Faults before a client: what it meets, and what becomes of the server's state. The
//! server is the embedded one or a real one; it knows nothing of them.

use super::prelude::*;

conformance!(
    a_refused_request_has_done_nothing,
    a_dropped_request_has_done_nothing_and_a_lost_answer_has,
    a_conflict_is_answered_as_the_server_does,
    a_watch_breaks_after_its_frames,
    a_forgotten_version_is_expired,
    a_fault_comes_at_its_turn_and_to_its_client,
);

use fixname_apiserver::{FaultAction, Faults, Matcher};
use futures::StreamExt;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{Api, PostParams, WatchEvent, WatchParams};

fn map(name: &str) -> ConfigMap {
    serde_json::from_value(json!({"metadata": {"name": name}, "data": {"k": "v"}})).unwrap()
}

/// Maps through a client with faults, and through one without.
async fn maps(arm: &Arm, faults: &Faults) -> (Api<ConfigMap>, Api<ConfigMap>) {
    let ns = arm.namespace().await;
    let client = arm.client(&ns).await;
    let misbehaving = faults.before(client.clone(), &ns);
    (
        Api::namespaced(misbehaving, &ns),
        Api::namespaced(client, &ns),
    )
}

fn on(verb: &str) -> Matcher {
    Matcher::any().verb(verb).resource("configmaps")
}

fn status(error: kube::Error) -> (u16, String, String) {
    match error {
        kube::Error::Api(status) => (status.code, status.reason.clone(), status.message.clone()),
        other => panic!("no answer: {other}"),
    }
}

async fn a_refused_request_has_done_nothing(arm: Arm) {
    let faults = Faults::new(1);
    let (hit, plain) = maps(&arm, &faults).await;
    let refusal = FaultAction::error(503, "ServiceUnavailable", "not now");
    faults.plan(|plan| plan.nth(1, on("create"), refusal));
    let error = hit.create(&PostParams::default(), &map("a")).await;
    let (code, reason, message) = status(error.unwrap_err());
    assert_eq!((code, reason.as_str()), (503, "ServiceUnavailable"));
    assert_eq!(message, "not now");
    assert!(plain.get_opt("a").await.unwrap().is_none());
    assert_eq!(faults.plan(|plan| plan.injected()), 1);
}

async fn a_dropped_request_has_done_nothing_and_a_lost_answer_has(arm: Arm) {
    let faults = Faults::new(1);
    let (hit, plain) = maps(&arm, &faults).await;
    faults.plan(|plan| {
        plan.nth(1, on("create"), FaultAction::Drop);
        plan.nth(2, on("create"), FaultAction::LoseAnswer);
    });
    for (name, is_there) in [("dropped", false), ("lost", true)] {
        let error = hit.create(&PostParams::default(), &map(name)).await;
        let error = error.unwrap_err();
        assert!(!matches!(error, kube::Error::Api(_)), "{error}");
        assert_eq!(
            plain.get_opt(name).await.unwrap().is_some(),
            is_there,
            "{name}"
        );
    }
    let again = hit.create(&PostParams::default(), &map("lost")).await;
    let (code, reason, _) = status(again.unwrap_err());
    assert_eq!((code, reason.as_str()), (409, "AlreadyExists"));
}

async fn a_conflict_is_answered_as_the_server_does(arm: Arm) {
    let faults = Faults::new(1);
    let (hit, plain) = maps(&arm, &faults).await;
    let made = plain
        .create(&PostParams::default(), &map("a"))
        .await
        .unwrap();
    let mut stale = made.clone();
    stale.metadata.resource_version = Some("1".to_owned());
    let real = plain.replace("a", &PostParams::default(), &stale).await;
    faults.plan(|plan| plan.nth(1, on("update"), FaultAction::Conflict));
    let injected = hit.replace("a", &PostParams::default(), &made).await;
    assert_eq!(status(injected.unwrap_err()), status(real.unwrap_err()));
}

async fn a_watch_breaks_after_its_frames(arm: Arm) {
    let faults = Faults::new(1);
    let (hit, plain) = maps(&arm, &faults).await;
    plain
        .create(&PostParams::default(), &map("a"))
        .await
        .unwrap();
    faults.plan(|plan| plan.nth(1, on("watch"), FaultAction::BreakWatch { after: 1 }));
    let only = WatchParams::default()
        .fields("metadata.name=a")
        .disable_bookmarks();
    let watch = hit.watch(&only, "0");
    let mut watch = Box::pin(watch.await.unwrap());
    assert!(matches!(watch.next().await, Some(Ok(WatchEvent::Added(_)))));
    let then = watch.next().await;
    assert!(!matches!(then, Some(Ok(_))), "{then:?}");
    // Another one goes on.
    let watch = hit.watch(&only, "0");
    let mut watch = Box::pin(watch.await.unwrap());
    assert!(matches!(watch.next().await, Some(Ok(WatchEvent::Added(_)))));
    plain
        .delete("a", &kube::api::DeleteParams::default())
        .await
        .unwrap();
    assert!(matches!(
        watch.next().await,
        Some(Ok(WatchEvent::Deleted(_)))
    ));
}

async fn a_forgotten_version_is_expired(arm: Arm) {
    let faults = Faults::new(1);
    let (hit, _) = maps(&arm, &faults).await;
    faults.plan(|plan| plan.nth(1, on("watch"), FaultAction::Expired));
    let watch = hit.watch(&WatchParams::default(), "1").await;
    let (code, reason, _) = status(watch.err().unwrap());
    assert_eq!((code, reason.as_str()), (410, "Expired"));
}

async fn a_fault_comes_at_its_turn_and_to_its_client(arm: Arm) {
    let faults = Faults::new(1);
    let (hit, plain) = maps(&arm, &faults).await;
    let refusal = FaultAction::error(500, "InternalError", "second and third");
    faults.plan(|plan| plan.span(2, 2, on("create"), refusal));
    for (name, refused) in [("a", false), ("b", true), ("c", true), ("d", false)] {
        plain
            .create(&PostParams::default(), &map(&format!("plain-{name}")))
            .await
            .unwrap();
        let made = hit.create(&PostParams::default(), &map(name)).await;
        assert_eq!(made.is_err(), refused, "{name}");
    }
    assert_eq!(faults.plan(|plan| plan.injected()), 2);
}
