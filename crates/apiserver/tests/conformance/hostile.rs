//! Input that nobody should send: the answer is an error and the server goes on.

use super::prelude::*;

conformance!(bad_json_is_a_bad_request, too_large_a_body_is_refused,);

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
