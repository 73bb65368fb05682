//! Watches: where they start, what they show, how they end.

use super::prelude::*;

conformance!(
    a_watch_goes_on_from_a_version,
    a_watch_from_nowhere_starts_with_what_is_there,
    a_watch_with_initial_events_marks_their_end,
    a_watch_through_a_selector_sees_objects_come_and_go,
    a_deleted_event_has_the_version_of_the_deletion,
    a_version_from_the_future_is_no_error_for_a_watch,
);

fn kinds(frames: &[Value]) -> Vec<(String, String)> {
    frames
        .iter()
        .map(|f| {
            let text = |v: &Value| v.as_str().unwrap_or_default().to_owned();
            (text(&f["type"]), text(&f["object"]["metadata"]["name"]))
        })
        .collect()
}

fn pairs(wanted: &[(&str, &str)]) -> Vec<(String, String)> {
    wanted
        .iter()
        .map(|(a, b)| ((*a).to_owned(), (*b).to_owned()))
        .collect()
}

async fn a_watch_goes_on_from_a_version(arm: Arm) {
    let (p, g) = set_up(&arm).await;
    let first = make(&arm, &p, &g, "a", json!({})).await;
    arm.merge(&format!("{p}/a"), &json!({"spec": {"size": 1}}))
        .await
        .ok();
    make(&arm, &p, &g, "b", json!({})).await;
    arm.delete(&format!("{p}/a")).await.ok();
    let frames = arm
        .watch(
            &format!("{p}?watch=true&resourceVersion={}", first.version()),
            3,
        )
        .await;
    assert_eq!(
        kinds(&frames),
        pairs(&[("MODIFIED", "a"), ("ADDED", "b"), ("DELETED", "a")])
    );
}

async fn a_watch_from_nowhere_starts_with_what_is_there(arm: Arm) {
    let (p, g) = set_up(&arm).await;
    make(&arm, &p, &g, "b", json!({})).await;
    make(&arm, &p, &g, "a", json!({})).await;
    let mut frames = kinds(&arm.watch(&format!("{p}?watch=true"), 2).await);
    frames.sort();
    assert_eq!(frames, pairs(&[("ADDED", "a"), ("ADDED", "b")]));
}

async fn a_watch_with_initial_events_marks_their_end(arm: Arm) {
    let (p, g) = set_up(&arm).await;
    make(&arm, &p, &g, "a", json!({})).await;
    let query = "watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true";
    let frames = arm.watch(&format!("{p}?{query}"), 2).await;
    assert_eq!(frames[0]["type"], "ADDED");
    assert_eq!(frames[1]["type"], "BOOKMARK");
    assert_eq!(
        frames[1]["object"]["metadata"]["annotations"]["k8s.io/initial-events-end"],
        "true"
    );
    assert_eq!(frames[1]["object"]["kind"], "Widget");
}

async fn a_watch_through_a_selector_sees_objects_come_and_go(arm: Arm) {
    let (p, g) = set_up(&arm).await;
    let first = make(&arm, &p, &g, "a", json!({})).await;
    let one = format!("{p}/a");
    arm.merge(&one, &json!({"metadata": {"labels": {"k": "1"}}}))
        .await
        .ok();
    arm.merge(&one, &json!({"spec": {"size": 1}})).await.ok();
    let last = arm
        .merge(&one, &json!({"metadata": {"labels": {"k": null}}}))
        .await
        .ok();
    let frames = arm
        .watch(
            &format!(
                "{p}?watch=true&labelSelector=k&resourceVersion={}",
                first.version()
            ),
            3,
        )
        .await;
    assert_eq!(
        kinds(&frames),
        pairs(&[("ADDED", "a"), ("MODIFIED", "a"), ("DELETED", "a")])
    );
    assert_eq!(frames[2]["object"]["metadata"]["labels"]["k"], "1");
    assert_eq!(
        frames[2]["object"]["metadata"]["resourceVersion"],
        last.version()
    );
}

async fn a_deleted_event_has_the_version_of_the_deletion(arm: Arm) {
    let (p, g) = set_up(&arm).await;
    let made = make(&arm, &p, &g, "a", json!({})).await;
    arm.delete(&format!("{p}/a")).await.ok();
    let frames = arm
        .watch(
            &format!("{p}?watch=true&resourceVersion={}", made.version()),
            1,
        )
        .await;
    let number = |text: &str| text.parse::<u64>().unwrap();
    let seen = frames[0]["object"]["metadata"]["resourceVersion"]
        .as_str()
        .unwrap();
    assert!(number(seen) > number(made.version()));
}

async fn a_version_from_the_future_is_no_error_for_a_watch(arm: Arm) {
    let (p, _) = set_up(&arm).await;
    let answer = arm
        .get(&format!(
            "{p}?watch=true&resourceVersion=99999999&timeoutSeconds=1"
        ))
        .await;
    assert_eq!(answer.code, 200);
}
