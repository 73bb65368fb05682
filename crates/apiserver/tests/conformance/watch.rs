//! Watches: where they start, what they show, how they end.

use super::prelude::*;

conformance!(
    a_watch_goes_on_from_a_version,
    a_watch_from_nowhere_starts_with_what_is_there,
    a_watch_with_initial_events_marks_their_end,
    a_watch_through_a_selector_sees_objects_come_and_go,
    a_deleted_event_has_the_version_of_the_deletion,
    a_version_from_the_future_is_no_error_for_a_watch,
    options_of_a_watch_that_do_not_go_together_are_refused,
    a_watch_ends_after_its_time,
    a_watch_through_a_field_sees_one_object,
    a_watch_of_a_named_object_is_a_get,
    a_watch_of_all_namespaces_sees_each,
    a_change_of_the_status_is_an_event,
    a_write_that_changes_nothing_is_no_event,
    a_watch_speaks_tables,
    a_watch_speaks_metadata_alone,
    core_kinds_are_watched_under_the_old_path_too,
    a_watch_from_a_list_misses_nothing,
    a_watch_without_initial_events_starts_now,
    what_is_there_ends_with_a_bookmark_without_asking,
    a_short_watch_has_no_last_bookmark,
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

async fn options_of_a_watch_that_do_not_go_together_are_refused(arm: Arm) {
    let (p, _) = set_up(&arm).await;
    let field = "resourceVersionMatch";
    let needs =
        format!("{field}: Forbidden: sendInitialEvents requires setting {field} to NotOlderThan");
    let alone = format!(
        "{field}: Forbidden: {field} is forbidden for watch unless sendInitialEvents is provided"
    );
    let exact =
        format!("{field}: Unsupported value: \"Exact\": supported values: \"NotOlderThan\"");
    for (query, why) in [
        ("sendInitialEvents=true", needs.clone()),
        (
            "resourceVersionMatch=NotOlderThan&resourceVersion=1",
            alone.clone(),
        ),
        ("resourceVersionMatch=Exact", format!("[{alone}, {exact}]")),
        (
            "sendInitialEvents=true&resourceVersionMatch=Exact",
            format!("[{needs}, {exact}]"),
        ),
        (
            "continue=abc",
            format!("{field}: Forbidden: {field} is forbidden when continue is provided"),
        ),
    ] {
        let text = format!("ListOptions.meta.k8s.io \"\" is invalid: {why}");
        arm.get(&format!("{p}?watch=true&timeoutSeconds=1&{query}"))
            .await
            .fails(422, "Invalid", &text);
    }
    arm.get(&format!("{p}?watch=true&resourceVersion=abc"))
        .await
        .fails(500, "", "resourceVersion: Invalid value: \"abc\": strconv.ParseUint: parsing \"abc\": invalid syntax");
}

async fn a_watch_ends_after_its_time(arm: Arm) {
    let (p, g) = set_up(&arm).await;
    make(&arm, &p, &g, "a", json!({})).await;
    // More frames are asked for than there are.
    let frames = arm
        .watch(&format!("{p}?watch=true&timeoutSeconds=1"), 5)
        .await;
    assert_eq!(kinds(&frames), pairs(&[("ADDED", "a")]));
}

async fn a_watch_through_a_field_sees_one_object(arm: Arm) {
    let (p, g) = set_up(&arm).await;
    let first = make(&arm, &p, &g, "a", json!({})).await;
    make(&arm, &p, &g, "b", json!({})).await;
    arm.merge(&format!("{p}/a"), &json!({"spec": {"size": 1}}))
        .await
        .ok();
    let query = format!(
        "watch=true&resourceVersion={}&timeoutSeconds=1",
        first.version()
    );
    let frames = arm
        .watch(&format!("{p}?{query}&fieldSelector=metadata.name%3Db"), 5)
        .await;
    assert_eq!(kinds(&frames), pairs(&[("ADDED", "b")]));
}

async fn a_watch_of_a_named_object_is_a_get(arm: Arm) {
    let (p, g) = set_up(&arm).await;
    let made = make(&arm, &p, &g, "a", json!({})).await;
    let answer = arm
        .get(&format!("{p}/a?watch=true&timeoutSeconds=1"))
        .await
        .ok();
    assert_eq!(answer.body, made.body);
}

async fn a_watch_of_all_namespaces_sees_each(arm: Arm) {
    let (p, g) = set_up(&arm).await;
    let other = path(&g, &arm.namespace().await);
    let first = make(&arm, &p, &g, "a", json!({})).await;
    make(&arm, &other, &g, "b", json!({})).await;
    make(&arm, &p, &g, "c", json!({})).await;
    let frames = arm
        .watch(
            &format!(
                "/apis/{g}/v1/widgets?watch=true&resourceVersion={}",
                first.version()
            ),
            2,
        )
        .await;
    assert_eq!(kinds(&frames), pairs(&[("ADDED", "b"), ("ADDED", "c")]));
}

async fn a_change_of_the_status_is_an_event(arm: Arm) {
    let (p, g) = set_up(&arm).await;
    let made = make(&arm, &p, &g, "a", json!({})).await;
    arm.merge(
        &format!("{p}/a/status"),
        &json!({"status": {"phase": "up"}}),
    )
    .await
    .ok();
    let frames = arm
        .watch(
            &format!("{p}?watch=true&resourceVersion={}", made.version()),
            1,
        )
        .await;
    assert_eq!(kinds(&frames), pairs(&[("MODIFIED", "a")]));
    assert_eq!(frames[0]["object"]["status"]["phase"], "up");
}

async fn a_write_that_changes_nothing_is_no_event(arm: Arm) {
    let (p, g) = set_up(&arm).await;
    let made = make(&arm, &p, &g, "a", json!({"size": 1})).await;
    arm.merge(&format!("{p}/a"), &json!({"spec": {"size": 1}}))
        .await
        .ok();
    arm.merge(&format!("{p}/a?dryRun=All"), &json!({"spec": {"size": 2}}))
        .await
        .ok();
    arm.merge(&format!("{p}/a"), &json!({"spec": {"size": 3}}))
        .await
        .ok();
    let frames = arm
        .watch(
            &format!("{p}?watch=true&resourceVersion={}", made.version()),
            1,
        )
        .await;
    assert_eq!(frames[0]["object"]["spec"]["size"], 3);
}

async fn a_watch_speaks_tables(arm: Arm) {
    let (p, g) = set_up(&arm).await;
    make(&arm, &p, &g, "a", json!({})).await;
    make(&arm, &p, &g, "b", json!({})).await;
    let frames = arm
        .watch_as(
            &format!("{p}?watch=true"),
            2,
            "application/json;as=Table;v=v1;g=meta.k8s.io",
        )
        .await;
    let rows: Vec<&Value> = frames
        .iter()
        .map(|f| &f["object"]["rows"][0]["cells"][0])
        .collect();
    assert_eq!(frames[0]["object"]["kind"], "Table");
    assert_eq!(rows.len(), 2);
    // The columns come once.
    assert_eq!(frames[0]["object"]["columnDefinitions"][0]["name"], "Name");
    assert!(
        frames[1]["object"]["columnDefinitions"]
            .as_array()
            .is_none_or(Vec::is_empty)
    );
}

async fn a_watch_speaks_metadata_alone(arm: Arm) {
    let (p, g) = set_up(&arm).await;
    make(&arm, &p, &g, "a", json!({"size": 1})).await;
    let accept = "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io";
    let frames = arm.watch_as(&format!("{p}?watch=true"), 1, accept).await;
    assert_eq!(frames[0]["object"]["kind"], "PartialObjectMetadata");
    assert_eq!(frames[0]["object"]["metadata"]["name"], "a");
    assert!(frames[0]["object"].get("spec").is_none());
}

async fn core_kinds_are_watched_under_the_old_path_too(arm: Arm) {
    let ns = arm.namespace().await;
    let p = format!("/api/v1/namespaces/{ns}/configmaps");
    arm.post(&p, &json!({"metadata": {"name": "c"}})).await.ok();
    for path in ["configmaps", "configmaps/c"] {
        let query = "timeoutSeconds=1&fieldSelector=metadata.name%3Dc";
        let frames = arm
            .watch(&format!("/api/v1/watch/namespaces/{ns}/{path}?{query}"), 1)
            .await;
        assert_eq!(kinds(&frames), pairs(&[("ADDED", "c")]), "{path}");
    }
}

async fn a_watch_from_a_list_misses_nothing(arm: Arm) {
    let (p, g) = set_up(&arm).await;
    make(&arm, &p, &g, "a", json!({})).await;
    let list = arm.get(&p).await.ok();
    make(&arm, &p, &g, "b", json!({})).await;
    arm.delete(&format!("{p}/a")).await.ok();
    let frames = arm
        .watch(
            &format!("{p}?watch=true&resourceVersion={}", list.version()),
            2,
        )
        .await;
    assert_eq!(kinds(&frames), pairs(&[("ADDED", "b"), ("DELETED", "a")]));
}

async fn a_watch_without_initial_events_starts_now(arm: Arm) {
    let (p, g) = set_up(&arm).await;
    make(&arm, &p, &g, "a", json!({})).await;
    let query =
        "watch=true&sendInitialEvents=false&resourceVersionMatch=NotOlderThan&timeoutSeconds=1";
    let frames = arm.watch(&format!("{p}?{query}"), 5).await;
    assert_eq!(kinds(&frames), pairs(&[]));
}

async fn what_is_there_ends_with_a_bookmark_without_asking(arm: Arm) {
    let (p, g) = set_up(&arm).await;
    make(&arm, &p, &g, "a", json!({})).await;
    let frames = arm
        .watch(&format!("{p}?watch=true&allowWatchBookmarks=true"), 2)
        .await;
    assert_eq!(frames[0]["type"], "ADDED");
    assert_eq!(frames[1]["type"], "BOOKMARK");
    let ends = &frames[1]["object"]["metadata"]["annotations"]["k8s.io/initial-events-end"];
    assert_eq!(ends, "true");
}

async fn a_short_watch_has_no_last_bookmark(arm: Arm) {
    let (p, g) = set_up(&arm).await;
    let made = make(&arm, &p, &g, "a", json!({})).await;
    make(&arm, &p, &g, "b", json!({})).await;
    let version = made.version();
    let path = format!(
        "{p}?watch=true&allowWatchBookmarks=true&timeoutSeconds=1&resourceVersion={version}"
    );
    let frames = arm.watch(&path, 9).await;
    let kinds: Vec<&Value> = frames.iter().map(|f| &f["type"]).collect();
    assert_eq!(kinds, ["ADDED"]);
}
