//! Webhooks that give no answer, or none that counts.

use crate::hook::*;

on_both_arms!(
    failure_policy_decides_when_no_answer_comes,
    answers_that_break_the_rules_count_as_failures,
    an_untrusted_certificate_is_a_failure,
    an_authority_may_serve_with_its_own_certificate,
    a_slow_webhook_runs_into_its_timeout,
);

async fn failure_policy_decides_when_no_answer_comes(arm: Arm) {
    for client in [
        json!({"url": "https://127.0.0.1:1/hook"}),
        json!({"service": {"name": "nobody", "namespace": "nowhere", "path": "/hook"}}),
    ] {
        let ns = arm.namespace().await;
        let probe = Hook::start(|_| allow()).await;
        let mut entry = probe.entry("gone.example.io", &ns);
        entry["clientConfig"] = client.clone();
        let failing = install(&arm, true, &format!("{ns}-f"), json!([entry])).await;
        let answer = until_failing(&arm, &ns).await;
        assert_eq!((answer.code, answer.reason()), (500, "InternalError"));
        let why = if client.get("url").is_some() {
            "Post \"https://127.0.0.1:PORT/hook?timeout=10s\": dial tcp 127.0.0.1:PORT: connect: connection refused"
        } else {
            "Post \"https://nobody.nowhere.svc:443/hook?timeout=10s\": service \"nobody\" not found"
        };
        let wanted =
            format!("failed calling webhook \"gone.example.io\": failed to call webhook: {why}");
        assert_eq!(text(&answer), format!("Internal error occurred: {wanted}"));
        failing.remove(&arm).await;
        entry["failurePolicy"] = json!("Ignore");
        let entries = json!([entry, probe.entry("z.example.io", &ns)]);
        let ignored = install(&arm, true, &format!("{ns}-i"), entries).await;
        until_called(&arm, &ns, &probe).await;
        for n in 0..100 {
            // The first configuration may still be in force there for a moment.
            if arm.post(&maps(&ns), &map(&format!("m{n}"))).await.code == 201 {
                break;
            }
            assert!(n < 99, "the failure is not ignored");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        ignored.remove(&arm).await;
    }
}

async fn answers_that_break_the_rules_count_as_failures(arm: Arm) {
    let ns = arm.namespace().await;
    let hook = Hook::start_raw(|review| {
        let uid = &review["request"]["uid"];
        let full = |response: Value| json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response}).to_string();
        match review["request"]["name"].as_str().unwrap_or_default() {
            "absent" => (200, json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview"}).to_string()),
            "uid" => (200, full(json!({"uid": "other", "allowed": true}))),
            "type" => (200, full(json!({"uid": uid, "allowed": true, "patch": "W10="}))),
            "patch" => (200, full(json!({"uid": uid, "allowed": true, "patchType": "JSONPatch"}))),
            "missing" => (404, "nothing here".to_owned()),
            "broken" => (500, "out of order".to_owned()),
            _ => (200, full(json!({"uid": uid, "allowed": true}))),
        }
    })
    .await;
    let installed = install(
        &arm,
        true,
        &format!("{ns}-a"),
        json!([hook.entry("odd.example.io", &ns)]),
    )
    .await;
    until_called(&arm, &ns, &hook).await;
    let invalid = "received invalid webhook response: ";
    let failed = "failed to call webhook: ";
    for (name, prefix, why) in [
        ("absent", invalid, "webhook response was absent"),
        (
            "type",
            invalid,
            "webhook returned response.patch but not response.patchType",
        ),
        (
            "patch",
            invalid,
            "webhook returned response.patchType but not response.patch",
        ),
        (
            "missing",
            failed,
            "the server could not find the requested resource",
        ),
        (
            "broken",
            failed,
            "an error on the server (\"out of order\") has prevented the request from succeeding",
        ),
    ] {
        let answer = arm.post(&maps(&ns), &map(name)).await;
        let text = format!(
            "Internal error occurred: failed calling webhook \"odd.example.io\": {prefix}{why}"
        );
        answer.fails(500, "InternalError", &text);
    }
    let answer = arm.post(&maps(&ns), &map("uid")).await;
    let message = answer.message();
    assert!(
        message.contains("expected response.uid=\"") && message.ends_with("got \"other\""),
        "{message}"
    );
    installed.remove(&arm).await;
}

async fn an_untrusted_certificate_is_a_failure(arm: Arm) {
    let ns = arm.namespace().await;
    let hook = Hook::start(|_| allow()).await;
    let mut entry = hook.entry("tls.example.io", &ns);
    let other = SelfSigned::new().unwrap().certificate_pem();
    entry["clientConfig"]["caBundle"] =
        json!(base64::engine::general_purpose::STANDARD.encode(other));
    let installed = install(&arm, true, &format!("{ns}-t"), json!([entry])).await;
    let answer = until_failing(&arm, &ns).await;
    let message = text(&answer);
    let start = "Internal error occurred: failed calling webhook \"tls.example.io\": failed to call webhook: Post \"https://127.0.0.1:PORT/hook?timeout=10s\": tls: failed to verify certificate: x509: ";
    assert!(message.starts_with(start), "{message}");
    installed.remove(&arm).await;
}

async fn an_authority_may_serve_with_its_own_certificate(arm: Arm) {
    let ns = arm.namespace().await;
    let hook = Hook::start_as(SelfSigned::authority().unwrap(), |review| {
        let refusal = json!({"uid": review["request"]["uid"], "allowed": false, "status": {"message": "was asked"}});
        let body = json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": refusal});
        (200, body.to_string())
    })
    .await;
    let entry = hook.entry("authority.example.io", &ns);
    let installed = install(&arm, true, &format!("{ns}-o"), json!([entry])).await;
    let answer = until_failing(&arm, &ns).await;
    assert_eq!(
        text(&answer),
        "admission webhook \"authority.example.io\" denied the request: was asked"
    );
    installed.remove(&arm).await;
}

async fn a_slow_webhook_runs_into_its_timeout(arm: Arm) {
    let ns = arm.namespace().await;
    let hook = Hook::start(|_| {
        std::thread::sleep(Duration::from_secs(3));
        allow()
    })
    .await;
    let mut entry = hook.entry("slow.example.io", &ns);
    entry["timeoutSeconds"] = json!(1);
    let installed = install(&arm, false, &format!("{ns}-s"), json!([entry])).await;
    let answer = until_failing(&arm, &ns).await;
    assert_eq!(
        text(&answer),
        "Internal error occurred: failed calling webhook \"slow.example.io\": failed to call webhook: Post \"https://127.0.0.1:PORT/hook?timeout=1s\": context deadline exceeded"
    );
    installed.remove(&arm).await;
}
