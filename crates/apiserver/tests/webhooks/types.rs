//! Custom resources that say they are of another type: before a mutating webhook
//! is called they are converted, and what it makes of them is of the right type.

use crate::hook::*;

on_both_arms!(a_mutating_webhook_is_shown_the_type_of_the_path);

/// A patch, and how it ends where a mutating webhook changes nothing and where
/// it changes something.
type Row = (Value, (u16, &'static str), (u16, &'static str));

fn rows(group: &str) -> Vec<Row> {
    let other = "Other.<g> \"w\" is invalid: kind: Invalid value: \"Other\": must be Widget";
    let unsuitable = "Internal error occurred: Internal error occurred: /v1, Kind=Widget is unstructured and is not suitable for converting to \"<g>/v1\"";
    let unserved = "Internal error occurred: Internal error occurred: request to convert CR from an invalid group/version: <g>/v2";
    let without = "Internal error occurred: Internal error occurred: /, Kind=Widget is unstructured and is not suitable for converting to \"<g>/v1\"";
    let too_large = "Widget.<g> \"w\" is invalid: spec.size: Invalid value: 5000: spec.size in body should be less than or equal to 100";
    vec![
        (json!({"kind": "Other"}), (422, other), (200, "")),
        (
            json!({"kind": "Other", "spec": {"size": 5000}}),
            (422, other),
            (422, too_large),
        ),
        (
            json!({"apiVersion": "v1"}),
            (500, unsuitable),
            (500, unsuitable),
        ),
        (
            json!({"apiVersion": format!("{group}/v2")}),
            (500, unserved),
            (500, unserved),
        ),
        (json!({"apiVersion": ""}), (500, without), (500, without)),
        (json!({"apiVersion": null}), (500, without), (500, without)),
    ]
}

async fn a_mutating_webhook_is_shown_the_type_of_the_path(arm: Arm) {
    for changes in [false, true] {
        let ns = arm.namespace().await;
        let group = arm.define(&arm.group()).await;
        let path = format!("/apis/{group}/v1/namespaces/{ns}/widgets");
        let label = json!([{"op": "add", "path": "/metadata/labels", "value": {"by": "hook"}}]);
        let hook = Hook::start(move |_| {
            if changes {
                patched(label.clone())
            } else {
                allow()
            }
        })
        .await;
        let entries = json!([hook.entry("a.example.io", &ns)]);
        let installed = install(&arm, true, &format!("{ns}-t"), entries).await;
        until_called(&arm, &ns, &hook).await;
        arm.post(&path, &widget(&group, "w", json!({"size": 1})))
            .await
            .ok();
        for (patch, unchanged, changed) in rows(&group) {
            let (code, text) = if changes { changed } else { unchanged };
            let answer = arm.merge(&format!("{path}/w"), &patch).await;
            let wanted = text.replace("<g>", &group);
            let found = if code == 200 { "" } else { answer.message() };
            assert_eq!(
                (answer.code, found),
                (code, &*wanted),
                "{patch} {answer:#?}"
            );
        }
        let made = with_type(&group, "Other", "made");
        let answer = arm.post(&path, &made).await;
        assert_eq!(answer.code, if changes { 201 } else { 422 }, "{answer:#?}");
        if changes {
            let made = arm.get(&format!("{path}/made")).await.ok();
            assert_eq!(made.body["kind"], "Widget");
        }
        for seen in hook.seen() {
            let request = &seen["request"];
            assert_eq!(request["object"]["kind"], request["kind"]["kind"]);
        }
        installed.remove(&arm).await;
    }
}

fn with_type(group: &str, kind: &str, name: &str) -> Value {
    let mut object = widget(group, name, json!({"size": 1}));
    object["kind"] = Value::from(kind);
    object
}
