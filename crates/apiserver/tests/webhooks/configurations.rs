//! The configurations: their defaults, what is wrong with one, and that no
//! webhook is asked about them.

use crate::hook::*;

on_both_arms!(
    configurations_get_defaults_and_count_generations,
    configurations_are_checked,
    configurations_themselves_are_exempt,
);

async fn configurations_get_defaults_and_count_generations(arm: Arm) {
    let ns = arm.namespace().await;
    let hook = Hook::start(|_| allow()).await;
    let mut entry = hook.entry("a.example.io", &ns);
    entry["rules"] = json!([{"apiGroups": ["nothing.example.io"], "apiVersions": ["v1"], "operations": ["*"], "resources": ["*"]}]);
    let name = format!("{ns}-defaults");
    let installed = install(&arm, true, &name, json!([entry])).await;
    let found = arm.get(&installed.path).await.ok().body;
    let webhook = &found["webhooks"][0];
    for (key, wanted) in [
        ("failurePolicy", json!("Fail")),
        ("matchPolicy", json!("Equivalent")),
        ("objectSelector", json!({})),
        ("timeoutSeconds", json!(10)),
        ("reinvocationPolicy", json!("Never")),
    ] {
        assert_eq!(webhook[key], wanted, "{key}");
    }
    assert_eq!(webhook["rules"][0]["scope"], "*");
    assert_eq!(found["metadata"]["generation"], 1);
    let change = json!([{"op": "replace", "path": "/webhooks/0/timeoutSeconds", "value": 5}]);
    let media = "application/json-patch+json";
    let body = change.to_string().into_bytes();
    let changed = arm
        .send(Method::PATCH, &installed.path, media, body)
        .await
        .ok();
    assert_eq!(changed.body["metadata"]["generation"], 2);
    let labelled = arm
        .merge(
            &installed.path,
            &json!({"metadata": {"labels": {"a": "b"}}}),
        )
        .await
        .ok();
    assert_eq!(labelled.body["metadata"]["generation"], 2);
    let table = arm
        .send_with(
            Method::GET,
            &installed.path,
            "",
            "application/json;as=Table;g=meta.k8s.io;v=v1",
            Vec::new(),
        )
        .await;
    assert_eq!(table.body["rows"][0]["cells"][1], 1);
    installed.remove(&arm).await;
}

async fn configurations_are_checked(arm: Arm) {
    let good = json!({"name": "a.example.io", "clientConfig": {"url": "https://127.0.0.1:1/x"}, "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
        "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}]});
    let set = |pointer: &str, value: Value| {
        let mut changed = good.clone();
        *changed.pointer_mut(pointer).unwrap() = value;
        changed
    };
    let mut without = good.clone();
    without.as_object_mut().unwrap().remove("sideEffects");
    let mut both = good.clone();
    both["clientConfig"]["service"] = json!({"name": "s", "namespace": "n"});
    let mut nameless = good.clone();
    nameless["clientConfig"] = json!({"service": {"name": "", "namespace": "n"}});
    let mut slow = good.clone();
    slow["timeoutSeconds"] = json!(31);
    let mut policy = good.clone();
    policy["failurePolicy"] = json!("Perhaps");
    for (webhooks, wanted) in [
        (
            json!([set("/name", json!("short"))]),
            "webhooks[0].name: Invalid value: \"short\": should be a domain with at least three segments separated by dots",
        ),
        (
            json!([set("/name", json!(""))]),
            "webhooks[0].name: Required value",
        ),
        (
            json!([without]),
            "webhooks[0].sideEffects: Required value: must specify one of None, NoneOnDryRun",
        ),
        (
            json!([set("/sideEffects", json!("Some"))]),
            "webhooks[0].sideEffects: Unsupported value: \"Some\": supported values: \"None\", \"NoneOnDryRun\"",
        ),
        (
            json!([both]),
            "webhooks[0].clientConfig: Required value: exactly one of url or service is required",
        ),
        (
            json!([nameless]),
            "webhooks[0].clientConfig.service.namespace: Required value",
        ),
        (
            json!([set("/clientConfig/url", json!("ftp://127.0.0.1/x"))]),
            "webhooks[0].clientConfig.url: Invalid value: \"ftp\": 'https' is the only allowed URL scheme; desired format: https://host[/path]",
        ),
        (
            json!([set("/clientConfig/url", json!("https://127.0.0.1/x?a=b"))]),
            "webhooks[0].clientConfig.url: Invalid value: \"a=b\": query parameters are not permitted in the URL",
        ),
        (
            json!([set("/admissionReviewVersions", json!(["v9"]))]),
            "webhooks[0].admissionReviewVersions: Invalid value: [\"v9\"]: must include at least one of v1, v1beta1",
        ),
        (
            json!([set("/admissionReviewVersions", json!([]))]),
            "webhooks[0].admissionReviewVersions: Required value: must specify one of v1, v1beta1",
        ),
        (
            json!([set("/rules/0/operations", json!(["READ"]))]),
            "webhooks[0].rules[0].operations[0]: Unsupported value: \"READ\": supported values: \"*\", \"CONNECT\", \"CREATE\", \"DELETE\", \"UPDATE\"",
        ),
        (
            json!([set("/rules/0/operations", json!(["*", "CREATE"]))]),
            "webhooks[0].rules[0].operations: Invalid value: [\"*\",\"CREATE\"]: if '*' is present, must not specify other operations",
        ),
        (
            json!([set("/rules/0/resources", json!([]))]),
            "webhooks[0].rules[0].resources: Required value",
        ),
        (
            json!([slow]),
            "webhooks[0].timeoutSeconds: Invalid value: 31: the timeout value must be between 1 and 30 seconds",
        ),
        (
            json!([policy]),
            "webhooks[0].failurePolicy: Unsupported value: \"Perhaps\": supported values: \"Fail\", \"Ignore\"",
        ),
        (
            json!([good.clone(), good.clone()]),
            "webhooks[1].name: Duplicate value: \"a.example.io\"",
        ),
    ] {
        let body = json!({"metadata": {"name": "checked"}, "webhooks": webhooks});
        let answer = arm
            .post(&format!("{ROOT}/validatingwebhookconfigurations"), &body)
            .await;
        let text = format!(
            "ValidatingWebhookConfiguration.admissionregistration.k8s.io \"checked\" is invalid: {wanted}"
        );
        answer.fails(422, "Invalid", &text);
    }
}

async fn configurations_themselves_are_exempt(arm: Arm) {
    let ns = arm.namespace().await;
    let probe = Hook::start(|_| allow()).await;
    let mut entry = probe.entry("gone.example.io", &ns);
    entry["clientConfig"] = json!({"url": "https://127.0.0.1:1/hook"});
    entry["rules"][0]["apiGroups"] = json!(["admissionregistration.k8s.io"]);
    entry["rules"][0]["scope"] = json!("*");
    entry["namespaceSelector"] = json!({});
    let entries = json!([entry, probe.entry("z.example.io", &ns)]);
    let installed = install(&arm, false, &format!("{ns}-x"), entries).await;
    until_called(&arm, &ns, &probe).await;
    arm.merge(
        &installed.path,
        &json!({"metadata": {"labels": {"a": "b"}}}),
    )
    .await
    .ok();
    installed.remove(&arm).await;
}

mod only_here {
    //! What the embedded server does otherwise, on purpose.

    use super::*;

    #[tokio::test]
    async fn urls_that_leave_the_machine_are_refused() {
        let arm = Arm::embedded();
        let entry = |url: &str| {
            json!({"metadata": {"name": "x"}, "webhooks": [{"name": "a.example.io",
                "clientConfig": {"url": url}, "sideEffects": "None",
                "admissionReviewVersions": ["v1"], "rules": []}]})
        };
        let path = format!("{ROOT}/validatingwebhookconfigurations");
        let away = entry("https://example.com/x");
        let answer = arm.post(&path, &away).await;
        assert_eq!(answer.code, 422);
        assert!(answer.message().contains("on loopback only"), "{answer:?}");
        let plain = entry("http://localhost:1/x");
        let answer = arm.post(&path, &plain).await.ok();
        assert!(answer.warnings[0].contains("https alone"), "{answer:?}");
    }

    #[tokio::test(flavor = "current_thread", start_paused = true)]
    async fn paused_time_does_not_time_a_webhook_out() {
        let arm = Arm::embedded();
        let ns = arm.namespace().await;
        // On a thread of its own, since the test's time stands still.
        let (tell, told) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                let hook = Hook::start(|r| append(r, "x")).await;
                tell.send(hook.entry("a.example.io", "NS")).unwrap();
                tokio::time::sleep(Duration::from_secs(60)).await;
            });
        });
        let mut entry = told.recv().unwrap();
        entry["namespaceSelector"] = json!({});
        install(&arm, true, "x", json!([entry])).await;
        let made = arm.post(&maps(&ns), &map("m")).await.ok();
        assert_eq!(made.body["data"]["trace"], "x");
    }
}
