//! Input that nobody should send: the answer is an error and the server goes on.

use super::prelude::*;

conformance!(
    bad_json_is_a_bad_request,
    too_large_a_body_is_refused,
    bodies_that_are_no_objects_are_refused,
    ten_megabytes_are_too_many,
    deep_nesting_is_an_error,
    huge_numbers_are_not_integers,
    text_that_is_no_utf8_is_mended,
    odd_paths_are_answered,
    methods_that_nobody_knows_are_refused,
    many_watches_are_served_at_once,
);

async fn bad_json_is_a_bad_request(arm: Arm) {
    let (p, _) = set_up(&arm).await;
    arm.send(Method::POST, &p, "application/json", b"{".to_vec())
        .await
        .fails(400, "BadRequest", "the object provided is unrecognized (must be of type Widget): couldn't get version/kind; json parse error: unexpected end of JSON input ({)");
    let deep = "[".repeat(100_000).into_bytes();
    assert_eq!(
        arm.send(Method::POST, &p, "application/json", deep)
            .await
            .code,
        400
    );
    assert_eq!(
        arm.send(Method::POST, &p, "application/json", vec![0xff, 0xfe])
            .await
            .code,
        400
    );
}

async fn too_large_a_body_is_refused(arm: Arm) {
    let (p, _) = set_up(&arm).await;
    let answer = arm
        .send(
            Method::POST,
            &p,
            "application/json",
            vec![b' '; 3 * 1024 * 1024 + 10],
        )
        .await;
    answer.fails(
        413,
        "RequestEntityTooLarge",
        "Request entity too large: limit is 3145728",
    );
}

async fn bodies_that_are_no_objects_are_refused(arm: Arm) {
    let (p, _) = set_up(&arm).await;
    let head = "the object provided is unrecognized (must be of type Widget): ";
    let go = |kind: &str| {
        format!(
            "couldn't get version/kind; json parse error: json: cannot unmarshal {kind} into Go value of type struct {{ APIVersion string \"json:\\\"apiVersion,omitempty\\\"\"; Kind string \"json:\\\"kind,omitempty\\\"\" }}"
        )
    };
    for (body, why) in [
        ("[]", format!("{head}{} (5b5d)", go("array"))),
        ("17", format!("{head}{} (3137)", go("number"))),
        ("\"x\"", format!("{head}{} (227822)", go("string"))),
        (
            "null",
            format!("{head}Object 'Kind' is missing in 'null' (6e756c6c)"),
        ),
        (
            "",
            format!(
                "{head}couldn't get version/kind; json parse error: unexpected end of JSON input (<empty>)"
            ),
        ),
    ] {
        arm.send(Method::POST, &p, "application/json", body.into())
            .await
            .fails(400, "BadRequest", &why);
    }
}

async fn ten_megabytes_are_too_many(arm: Arm) {
    let (p, g) = set_up(&arm).await;
    make(&arm, &p, &g, "x", json!({})).await;
    let text = "Request entity too large: limit is 3145728";
    let padding = vec![b' '; 10 * 1024 * 1024];
    for (method, path, media) in [
        (Method::POST, p.clone(), "application/json"),
        (Method::PUT, format!("{p}/x"), "application/json"),
        (
            Method::PATCH,
            format!("{p}/x"),
            "application/merge-patch+json",
        ),
        (
            Method::PATCH,
            format!("{p}/x?fieldManager=m"),
            "application/apply-patch+yaml",
        ),
    ] {
        arm.send(method, &path, media, padding.clone()).await.fails(
            413,
            "RequestEntityTooLarge",
            text,
        );
    }
    arm.get(&format!("{p}/x")).await.ok();
}

async fn deep_nesting_is_an_error(arm: Arm) {
    let (p, g) = set_up(&arm).await;
    make(&arm, &p, &g, "x", json!({})).await;
    let deep = |open: &str, close: &str| {
        format!(
            r#"{{"apiVersion":"{g}/v1","kind":"Widget","metadata":{{"name":"y"}},"spec":{{"free":{}1{}}}}}"#,
            open.repeat(20_000),
            close.repeat(20_000)
        )
    };
    for body in [deep("[", "]"), deep("{\"a\":", "}")] {
        for (method, path, media) in [
            (Method::POST, p.clone(), "application/json"),
            (
                Method::PATCH,
                format!("{p}/x"),
                "application/merge-patch+json",
            ),
            (
                Method::PATCH,
                format!("{p}/y?fieldManager=m"),
                "application/apply-patch+yaml",
            ),
        ] {
            let answer = arm
                .send(method, &path, media, body.clone().into_bytes())
                .await;
            assert!((400..600).contains(&answer.code), "{answer:?}");
        }
    }
    arm.get(&format!("{p}/x")).await.ok();
    assert_eq!(arm.get(&format!("{p}/y")).await.code, 404);
}

async fn huge_numbers_are_not_integers(arm: Arm) {
    let (p, g) = set_up(&arm).await;
    for number in [
        "1e400",
        "99999999999999999999",
        "-99999999999999999999",
        "1e18",
    ] {
        let body = format!(
            r#"{{"apiVersion":"{g}/v1","kind":"Widget","metadata":{{"name":"x"}},"spec":{{"size":{number}}}}}"#
        );
        let answer = arm
            .send(Method::POST, &p, "application/json", body.into_bytes())
            .await;
        assert!(matches!(answer.code, 400 | 422), "{number}: {answer:?}");
    }
    let free = |number: &str| {
        format!(
            r#"{{"apiVersion":"{g}/v1","kind":"Widget","metadata":{{"name":"x"}},"spec":{{"free":{{"n":{number}}}}}}}"#
        )
    };
    let made = arm
        .send(
            Method::POST,
            &p,
            "application/json",
            free("9007199254740993").into_bytes(),
        )
        .await
        .ok();
    assert_eq!(
        made.body["spec"]["free"]["n"],
        json!(9_007_199_254_740_993_i64)
    );
}

async fn text_that_is_no_utf8_is_mended(arm: Arm) {
    let (p, g) = set_up(&arm).await;
    let mut body = format!(
        r#"{{"apiVersion":"{g}/v1","kind":"Widget","metadata":{{"name":"x"}},"spec":{{"mode":""#
    )
    .into_bytes();
    body.extend([b'a', 0xff, b'b']);
    body.extend(br#""}}"#);
    let made = arm
        .send(Method::POST, &p, "application/json", body)
        .await
        .ok();
    assert_eq!(made.body["spec"]["mode"], "a\u{fffd}b");
}

async fn odd_paths_are_answered(arm: Arm) {
    let (p, g) = set_up(&arm).await;
    make(&arm, &p, &g, "x", json!({})).await;
    for path in [
        format!("{p}/%2e%2e"),
        format!("{p}/{}", "x".repeat(5_000)),
        format!("{p}/%00"),
        format!("{p}/x%2fy"),
        format!("{p}?labelSelector={}", "a,".repeat(3_000)),
        format!("{p}?fieldSelector=%ff"),
        format!("{p}?limit=9223372036854775807"),
        format!("{p}?continue={}", "A".repeat(5_000)),
        "/apis//v1".to_owned(),
        "/api/v1/namespaces//pods".to_owned(),
    ] {
        let answer = arm.get(&path).await;
        assert!(answer.code < 500, "{path}: {answer:?}");
    }
    arm.get(&format!("{p}/x")).await.ok();
}

async fn methods_that_nobody_knows_are_refused(arm: Arm) {
    let (p, g) = set_up(&arm).await;
    let text = format!(" is not supported on resources of kind \"widgets.{g}\"");
    for method in ["OPTIONS", "TRACE", "BREW"] {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        arm.send(method, &p, "application/json", Vec::new())
            .await
            .fails(405, "MethodNotAllowed", &text);
    }
}

async fn many_watches_are_served_at_once(arm: Arm) {
    let (p, g) = set_up(&arm).await;
    let first = make(&arm, &p, &g, "a", json!({})).await;
    let path = format!("{p}?watch=true&resourceVersion={}", first.version());
    let watches = (0..100).map(|_| arm.watch(&path, 3));
    let writes = async {
        for name in ["b", "c", "d"] {
            make(&arm, &p, &g, name, json!({})).await;
        }
    };
    let (seen, ()) = futures::future::join(futures::future::join_all(watches), writes).await;
    for frames in seen {
        let names: Vec<&Value> = frames
            .iter()
            .map(|f| &f["object"]["metadata"]["name"])
            .collect();
        assert_eq!(names, ["b", "c", "d"]);
    }
}
