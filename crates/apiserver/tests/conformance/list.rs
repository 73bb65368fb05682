//! Lists: selectors, pages, versions.

use super::prelude::*;

conformance!(
    label_selectors_of_all_kinds,
    field_selector_by_name,
    selectable_fields_of_a_definition,
    lists_go_page_by_page_from_one_version,
    an_exact_version_is_listed_as_it_was,
    options_that_do_not_go_together_are_refused,
    numbers_of_the_query_are_checked,
    label_selectors_that_do_not_parse_are_refused,
    field_selectors_that_do_not_parse_are_refused,
    field_selectors_exclude_and_combine,
    a_continue_token_that_is_none_is_refused,
    any_version_has_no_pages,
    commas_in_values_of_fields_are_escaped,
    any_version_that_is_not_newer_will_do,
    objects_of_all_namespaces_are_listed_together,
    pages_follow_selectors,
    a_continued_list_has_no_version_of_its_own,
);

async fn label_selectors_of_all_kinds(arm: Arm) {
    let (p, g) = set_up(&arm).await;
    labelled(&arm, &p, &g).await;
    for (selector, wanted) in [
        ("k%3D1", vec!["a"]),
        ("k!%3D1", vec!["b", "c"]),
        ("k%20in%20(1,2),l", vec!["b"]),
        ("k%20notin%20(1)", vec!["b", "c"]),
        ("!k", vec!["c"]),
        ("k%3E1", vec!["b"]),
    ] {
        let list = arm.get(&format!("{p}?labelSelector={selector}")).await.ok();
        assert_eq!(names(&list), wanted, "{selector}");
    }
    assert_eq!(arm.get(&format!("{p}?labelSelector=a%20b")).await.code, 400);
}

async fn field_selector_by_name(arm: Arm) {
    let (p, g) = set_up(&arm).await;
    labelled(&arm, &p, &g).await;
    let list = arm
        .get(&format!("{p}?fieldSelector=metadata.name%3Db"))
        .await
        .ok();
    assert_eq!(names(&list), ["b"]);
    arm.get(&format!("{p}?fieldSelector=spec.size%3D1"))
        .await
        .fails(400, "BadRequest", "field label not supported: spec.size");
}

async fn selectable_fields_of_a_definition(arm: Arm) {
    let ns = arm.namespace().await;
    let g = arm
        .define_with(
            &arm.group(),
            common::widget_schema(),
            &json!({"selectableFields": [{"jsonPath": ".spec.colour"}]}),
        )
        .await;
    let p = path(&g, &ns);
    make(&arm, &p, &g, "a", json!({"colour": "red"})).await;
    make(&arm, &p, &g, "b", json!({"colour": "green"})).await;
    let list = arm
        .get(&format!("{p}?fieldSelector=spec.colour%3Dgreen"))
        .await
        .ok();
    assert_eq!(names(&list), ["b"]);
}

async fn lists_go_page_by_page_from_one_version(arm: Arm) {
    let (p, g) = set_up(&arm).await;
    for name in ["a", "b", "c"] {
        make(&arm, &p, &g, name, json!({})).await;
    }
    let first = arm.get(&format!("{p}?limit=2")).await.ok();
    assert_eq!(names(&first), ["a", "b"]);
    assert_eq!(first.body["metadata"]["remainingItemCount"], 1);
    let token = first.body["metadata"]["continue"].as_str().unwrap();
    // Between the pages: neither must be seen.
    make(&arm, &p, &g, "d", json!({})).await;
    let second = arm.get(&format!("{p}?limit=2&continue={token}")).await.ok();
    assert_eq!(names(&second), ["c"]);
    assert_eq!(second.version(), first.version());
}

async fn an_exact_version_is_listed_as_it_was(arm: Arm) {
    let (p, g) = set_up(&arm).await;
    let a = make(&arm, &p, &g, "a", json!({"size": 1})).await;
    arm.merge(&format!("{p}/a"), &json!({"spec": {"size": 2}}))
        .await
        .ok();
    make(&arm, &p, &g, "b", json!({})).await;
    let list = arm
        .get(&format!(
            "{p}?resourceVersion={}&resourceVersionMatch=Exact",
            a.version()
        ))
        .await
        .ok();
    assert_eq!(names(&list), ["a"]);
    assert_eq!(list.body["items"][0]["spec"]["size"], 1);
}

async fn options_that_do_not_go_together_are_refused(arm: Arm) {
    let (p, _) = set_up(&arm).await;
    let field = "resourceVersionMatch";
    for (query, why) in [
        (
            "resourceVersionMatch=Exact",
            format!("{field}: Forbidden: {field} is forbidden unless resourceVersion is provided"),
        ),
        (
            "resourceVersionMatch=Exact&resourceVersion=0",
            format!("{field}: Forbidden: {field} \"exact\" is forbidden for resourceVersion \"0\""),
        ),
        (
            "resourceVersionMatch=Odd&resourceVersion=5",
            format!(
                "{field}: Unsupported value: \"Odd\": supported values: \"Exact\", \"NotOlderThan\", \"\""
            ),
        ),
        (
            "resourceVersionMatch=NotOlderThan&continue=abc",
            format!(
                "[{field}: Forbidden: {field} is forbidden unless resourceVersion is provided, {field}: Forbidden: {field} is forbidden when continue is provided]"
            ),
        ),
        (
            "sendInitialEvents=true",
            "sendInitialEvents: Forbidden: sendInitialEvents is forbidden for list".to_owned(),
        ),
    ] {
        let text = format!("ListOptions.meta.k8s.io \"\" is invalid: {why}");
        arm.get(&format!("{p}?{query}"))
            .await
            .fails(422, "Invalid", &text);
    }
}

async fn numbers_of_the_query_are_checked(arm: Arm) {
    let (p, g) = set_up(&arm).await;
    make(&arm, &p, &g, "x", json!({})).await;
    let number =
        "resourceVersion: Invalid value: \"x\": strconv.ParseUint: parsing \"x\": invalid syntax";
    let list = format!("invalid resource version: {number}");
    arm.get(&format!("{p}?resourceVersion=x"))
        .await
        .fails(400, "BadRequest", &list);
    arm.get(&format!("{p}/x?resourceVersion=x"))
        .await
        .fails(500, "", number);
    for key in ["limit", "timeoutSeconds"] {
        arm.get(&format!("{p}?{key}=abc")).await.fails(
            400,
            "BadRequest",
            "strconv.ParseInt: parsing \"abc\": invalid syntax",
        );
    }
}

async fn label_selectors_that_do_not_parse_are_refused(arm: Arm) {
    let (p, _) = set_up(&arm).await;
    for (selector, why) in [
        (
            "a%20b",
            "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt",
        ),
        (
            "a%3D%3Db%3Dc",
            "found '=', expected: ',' or 'end of string'",
        ),
        (
            "k%20in",
            "unable to parse requirement: found '' expected: '('",
        ),
        (
            "k%3E%3Dx",
            "unable to parse requirement: found '=', expected: identifier",
        ),
        (
            ",",
            "found ',', expected: !, identifier, or 'end of string'",
        ),
    ] {
        arm.get(&format!("{p}?labelSelector={selector}"))
            .await
            .fails(400, "BadRequest", why);
    }
}

async fn field_selectors_that_do_not_parse_are_refused(arm: Arm) {
    let (p, _) = set_up(&arm).await;
    for (selector, why) in [
        (
            "metadata.name",
            "invalid selector: 'metadata.name'; can't understand 'metadata.name'",
        ),
        (
            "metadata.name%3Da%3Db",
            "invalid field selector: unescaped character in value: 61",
        ),
        (
            "metadata.labels%3Da",
            "field label not supported: metadata.labels",
        ),
    ] {
        arm.get(&format!("{p}?fieldSelector={selector}"))
            .await
            .fails(400, "BadRequest", why);
    }
}

async fn field_selectors_exclude_and_combine(arm: Arm) {
    let (p, g) = set_up(&arm).await;
    labelled(&arm, &p, &g).await;
    for (selector, wanted) in [
        ("metadata.name!%3Db", vec!["a", "c"]),
        ("metadata.name!%3Da,metadata.name!%3Dc", vec!["b"]),
        ("metadata.name%3Da,metadata.name%3Db", vec![]),
        (",", vec!["a", "b", "c"]),
    ] {
        let list = arm.get(&format!("{p}?fieldSelector={selector}")).await.ok();
        assert_eq!(names(&list), wanted, "{selector}");
    }
}

async fn a_continue_token_that_is_none_is_refused(arm: Arm) {
    let (p, _) = set_up(&arm).await;
    arm.get(&format!("{p}?continue=e30"))
        .await
        .fails(400, "BadRequest", "invalid continue token: continue key is not valid: server does not recognize this encoded version ");
    for (token, why) in [
        (
            "abc",
            "invalid character 'i' looking for beginning of value",
        ),
        ("!", "illegal base64 data at input byte 0"),
        ("abcde", "illegal base64 data at input byte 4"),
        (
            "eyJ2IjoibWV0YS5rOHMuaW8vdjEifQ",
            "incorrect encoded start resourceVersion (version meta.k8s.io/v1)",
        ),
        (
            "eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6MX0",
            "encoded start key empty (version meta.k8s.io/v1)",
        ),
    ] {
        let text = format!("invalid continue token: continue key is not valid: {why}");
        arm.get(&format!("{p}?continue={token}"))
            .await
            .fails(400, "BadRequest", &text);
    }
}

async fn any_version_that_is_not_newer_will_do(arm: Arm) {
    let (p, g) = set_up(&arm).await;
    let made = make(&arm, &p, &g, "x", json!({})).await;
    for query in [
        "resourceVersion=0".to_owned(),
        format!("resourceVersion={}", made.version()),
        format!(
            "resourceVersion={}&resourceVersionMatch=NotOlderThan",
            made.version()
        ),
    ] {
        let list = arm.get(&format!("{p}?{query}")).await.ok();
        assert_eq!(names(&list), ["x"], "{query}");
    }
    arm.get(&format!("{p}/x?resourceVersion=0")).await.ok();
}

async fn objects_of_all_namespaces_are_listed_together(arm: Arm) {
    let (p, g) = set_up(&arm).await;
    let other = path(&g, &arm.namespace().await);
    make(&arm, &p, &g, "a", json!({})).await;
    make(&arm, &other, &g, "b", json!({})).await;
    let list = arm.get(&format!("/apis/{g}/v1/widgets")).await.ok();
    let mut seen = names(&list);
    seen.sort();
    assert_eq!(seen, ["a", "b"]);
    assert_eq!(list.body["kind"], "WidgetList");
    assert_eq!(list.body["apiVersion"], format!("{g}/v1"));
    let all = format!("/apis/{g}/v1/namespaces/default/widgets/a/b/c");
    assert_eq!(arm.get(&all).await.code, 404);
}

async fn pages_follow_selectors(arm: Arm) {
    let (p, g) = set_up(&arm).await;
    labelled(&arm, &p, &g).await;
    let first = arm.get(&format!("{p}?limit=1&labelSelector=k")).await.ok();
    assert_eq!(names(&first), ["a"]);
    assert!(first.body["metadata"].get("remainingItemCount").is_none());
    let token = first.body["metadata"]["continue"].as_str().unwrap();
    let rest = arm
        .get(&format!("{p}?limit=5&labelSelector=k&continue={token}"))
        .await
        .ok();
    assert_eq!(names(&rest), ["b"]);
    assert_eq!(rest.body["metadata"]["continue"], "");
}

async fn a_continued_list_has_no_version_of_its_own(arm: Arm) {
    let (p, g) = set_up(&arm).await;
    labelled(&arm, &p, &g).await;
    let first = arm.get(&format!("{p}?limit=1")).await.ok();
    let token = first.body["metadata"]["continue"].as_str().unwrap();
    arm.get(&format!(
        "{p}?limit=1&continue={token}&resourceVersion={}",
        first.version()
    ))
    .await
    .fails(
        400,
        "BadRequest",
        "specifying resource version is not allowed when using continue",
    );
}

async fn any_version_has_no_pages(arm: Arm) {
    let (p, g) = set_up(&arm).await;
    labelled(&arm, &p, &g).await;
    let newest = arm.get(&p).await.ok().version().to_owned();
    for version in ["0", newest.as_str()] {
        let path =
            format!("{p}?limit=1&resourceVersionMatch=NotOlderThan&resourceVersion={version}");
        // The watch cache may still miss the last writes.
        let mut list = arm.get(&path).await.ok();
        for _ in 0..200 {
            if version != "0" || names(&list).len() == 3 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
            list = arm.get(&path).await.ok();
        }
        let whole = version == "0";
        assert_eq!(names(&list).len(), if whole { 3 } else { 1 });
        assert_eq!(list.body["metadata"]["continue"] == "", whole, "{list:?}");
    }
}

async fn commas_in_values_of_fields_are_escaped(arm: Arm) {
    let (p, g) = set_up(&arm).await;
    labelled(&arm, &p, &g).await;
    for (selector, wanted) in [
        ("metadata.name!%3Da%5C,b", 3),
        ("metadata.name%3Da%5C,b", 0),
        ("metadata.name%3Da,metadata.name!%3Db%5C%3D", 1),
    ] {
        let list = arm.get(&format!("{p}?fieldSelector={selector}")).await.ok();
        assert_eq!(names(&list).len(), wanted, "{selector}");
    }
    for (selector, why) in [
        ("metadata.name%3Da%5C", "invalid escape sequence: \\"),
        ("metadata.name%3Da%5Cx", "invalid escape sequence: \\x"),
        ("metadata.name%3Da%3Db", "unescaped character in value: 61"),
    ] {
        let answer = arm.get(&format!("{p}?fieldSelector={selector}")).await;
        assert_eq!(answer.code, 400, "{answer:?}");
        assert!(answer.message().contains(why), "{answer:?}");
    }
}
