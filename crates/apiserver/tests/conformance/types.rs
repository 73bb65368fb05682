//! Objects that say they are of another type than the path they are written to.

use super::prelude::*;

conformance!(
    a_custom_resource_of_another_type_is_refused,
    a_core_object_of_another_type_is_refused,
    a_type_that_is_no_text_is_refused_at_once,
);

/// `<g>` stands for the group, and `…` for some of the object itself.
fn refused(answer: &Answer, group: &str, what: (&str, &Value), (code, text): Wanted<'_>) {
    let whole = text.replace("<g>", group);
    let mut rest = answer.message();
    let mut fits = answer.code == code;
    for (i, piece) in whole.split('…').enumerate() {
        let at = rest.find(piece).filter(|at| i > 0 || *at == 0);
        fits &= at.is_some();
        rest = at.map_or("", |at| &rest[at + piece.len()..]);
    }
    assert!(
        fits && (whole.contains('…') || rest.is_empty()),
        "{what:?}: wanted {code} {whole}\n{answer:#?}"
    );
}

/// What an answer is to be.
type Wanted<'a> = (u16, &'a str);

fn with(mut object: Value, type_meta: &Value) -> Value {
    for (key, value) in type_meta.as_object().unwrap() {
        object[key] = value.clone();
    }
    object
}

/// Each type by merge patch, PUT, POST and apply, and what comes of it.
async fn try_all(
    arm: &Arm,
    (path, group): (&str, &str),
    object: &Value,
    rows: &[(Value, Wanted<'_>, Wanted<'_>, Wanted<'_>)],
) {
    let one = format!("{path}/a");
    let stored = arm.post(path, object).await.ok().body;
    for (type_meta, merge, put, apply) in rows {
        let told = |how| (how, type_meta);
        let type_meta: Value =
            serde_json::from_str(&type_meta.to_string().replace("<g>", group)).unwrap();
        let whole = with(object.clone(), &type_meta);
        refused(
            &arm.merge(&one, &type_meta).await,
            group,
            told("merge"),
            *merge,
        );
        refused(
            &arm.put(&one, &with(stored.clone(), &type_meta)).await,
            group,
            told("put"),
            *put,
        );
        refused(&arm.post(path, &whole).await, group, told("post"), *put);
        let forced = format!("{one}?fieldManager=me&force=true");
        refused(
            &arm.apply(&forced, &whole).await,
            group,
            told("apply"),
            *apply,
        );
    }
}

async fn a_custom_resource_of_another_type_is_refused(arm: Arm) {
    let (p, g) = set_up(&arm).await;
    let rows = [
        (
            json!({"kind": "Other"}),
            (
                422,
                "Other.<g> \"a\" is invalid: kind: Invalid value: \"Other\": must be Widget",
            ),
            (
                422,
                "Other.<g> \"a\" is invalid: kind: Invalid value: \"Other\": must be Widget",
            ),
            (400, "invalid object type: <g>/v1, Kind=Other"),
        ),
        (
            json!({"kind": "ConfigMap", "apiVersion": "v1"}),
            (
                422,
                "ConfigMap \"a\" is invalid: [kind: Invalid value: \"ConfigMap\": must be Widget, apiVersion: Invalid value: \"v1\": must be <g>/v1]",
            ),
            (
                400,
                "the API version in the data (v1) does not match the expected API version (<g>/v1)",
            ),
            (400, "invalid object type: /v1, Kind=ConfigMap"),
        ),
        (
            json!({"apiVersion": "<g>/v2"}),
            (
                422,
                "Widget.<g> \"a\" is invalid: apiVersion: Invalid value: \"<g>/v2\": must be <g>/v1",
            ),
            (
                400,
                "the API version in the data (<g>/v2) does not match the expected API version (<g>/v1)",
            ),
            (400, "invalid object type: <g>/v2, Kind=Widget"),
        ),
        (
            json!({"apiVersion": ""}),
            (
                500,
                "Internal error occurred: Object 'apiVersion' is missing in 'object has no apiVersion field'",
            ),
            (
                400,
                "the API version in the data () does not match the expected API version (<g>/v1)",
            ),
            (400, "invalid object type: /, Kind=Widget"),
        ),
        (
            json!({"apiVersion": null}),
            (
                500,
                "Internal error occurred: Object 'apiVersion' is missing in 'object has no apiVersion field'",
            ),
            (
                400,
                "Widget in version \"\" cannot be handled as a Widget: .apiVersion accessor error: <nil> is of the type <nil>, expected string",
            ),
            (400, "invalid object type: /, Kind=Widget"),
        ),
        (
            json!({"kind": ""}),
            (
                422,
                " \"\" is invalid: patch: Invalid value: …: Object 'Kind' is missing in '…",
            ),
            (
                400,
                "the object provided is unrecognized (must be of type Widget): Object 'Kind' is missing in '…",
            ),
            (400, "invalid object type: <g>/v1, Kind="),
        ),
    ];
    try_all(&arm, (&p, &g), &widget(&g, "a", json!({"size": 1})), &rows).await;
}

async fn a_core_object_of_another_type_is_refused(arm: Arm) {
    let ns = arm.namespace().await;
    let p = format!("/api/v1/namespaces/{ns}/configmaps");
    let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"k": "v"}});
    let unknown = "no kind \"Other\" is registered for version \"v1\" in scheme \"pkg/runtime/scheme.go:110\"";
    let patch = |why: &str| format!(" \"\" is invalid: patch: Invalid value: …: {why}");
    let body = |kind: &str, why: &str| {
        format!("{kind} in version \"v1\" cannot be handled as a ConfigMap: {why}")
    };
    let other = (patch(unknown), body("Other", unknown));
    let converted =
        |kind: &str| format!("converting (v1.{kind}) to (core.ConfigMap): unknown conversion");
    // What it says that it is, it is decoded as first.
    let base64 = "illegal base64 data at input byte 0";
    let secret = (patch(base64), body("Secret", base64));
    let event = (
        patch(&converted("Event")),
        body("Event", &converted("Event")),
    );
    let status = (
        patch(&converted("Status")),
        body("Status", &converted("Status")),
    );
    let list = (
        patch(&converted("SecretList")),
        body("SecretList", &converted("SecretList")),
    );
    let rows = [
        (
            json!({"kind": "Other"}),
            (422, &*other.0),
            (400, &*other.1),
            (400, "invalid object type: /v1, Kind=Other"),
        ),
        (
            json!({"kind": "Secret"}),
            (422, &*secret.0),
            (400, &*secret.1),
            (400, "invalid object type: /v1, Kind=Secret"),
        ),
        (
            json!({"kind": "Event", "apiVersion": "events.k8s.io/v1"}),
            (422, &*event.0),
            (400, &*event.1),
            (400, "invalid object type: events.k8s.io/v1, Kind=Event"),
        ),
        (
            json!({"kind": "Status"}),
            (422, &*status.0),
            (400, &*status.1),
            (400, "invalid object type: /v1, Kind=Status"),
        ),
        (
            json!({"kind": "SecretList"}),
            (422, &*list.0),
            (400, &*list.1),
            (400, "invalid object type: /v1, Kind=SecretList"),
        ),
    ];
    try_all(&arm, (&p, "none"), &map, &rows).await;
    // Without a version it is the internal one, whose members have no names in JSON.
    let undeterminable =
        "the name of the object (a based on URL) was undeterminable: name must be provided";
    arm.merge(&format!("{p}/a"), &json!({"apiVersion": ""}))
        .await
        .fails(400, "BadRequest", undeterminable);
    arm.put(&format!("{p}/a"), &with(map, &json!({"apiVersion": null})))
        .await
        .ok();
}

async fn a_type_that_is_no_text_is_refused_at_once(arm: Arm) {
    let (p, g) = set_up(&arm).await;
    let unread = |key: &str, what: &str| {
        format!(
            "couldn't get version/kind; json parse error: json: cannot unmarshal {what} into Go struct field .{key} of type string"
        )
    };
    let (number, list) = (unread("kind", "number"), unread("apiVersion", "array"));
    let slashes = "unexpected GroupVersion string: a/b/c".to_owned();
    let patch = |why: &str| format!(" \"\" is invalid: patch: Invalid value: …: {why}");
    let body = |why: &str| {
        format!("the object provided is unrecognized (must be of type Widget): {why} (…)")
    };
    let told = [&number, &list, &slashes].map(|why| (patch(why), body(why)));
    let rows = [
        (
            json!({"kind": 3}),
            (422, &*told[0].0),
            (400, &*told[0].1),
            (400, "invalid object type: <g>/v1, Kind="),
        ),
        (
            json!({"apiVersion": []}),
            (422, &*told[1].0),
            (400, &*told[1].1),
            (400, "invalid object type: /, Kind=Widget"),
        ),
        (
            json!({"apiVersion": "a/b/c"}),
            (422, &*told[2].0),
            (400, &*told[2].1),
            (400, "invalid object type: /, Kind="),
        ),
    ];
    try_all(&arm, (&p, &g), &widget(&g, "a", json!({"size": 1})), &rows).await;
}
