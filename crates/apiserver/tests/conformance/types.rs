//! Objects that say they are of another type than the path they are written to.

use super::prelude::*;

conformance!(
    a_custom_resource_of_another_type_is_refused,
    a_core_object_of_another_type_is_refused,
    a_type_that_is_no_text_is_refused_at_once,
);

/// `<g>` stands for the group, and `…` for some of the object itself.
fn refused(answer: &Answer, group: &str, what: (&str, &Value), (code, text): &Wanted) {
    let whole = text.replace("<g>", group);
    let mut rest = answer.message();
    let mut fits = answer.code == *code;
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
type Wanted = (u16, String);

/// A type, and the answers to it by merge patch, by PUT and POST, and by apply.
type Row = (Value, Wanted, Wanted, Wanted);

fn row(type_meta: Value, merge: (u16, &str), put: (u16, &str), apply: &str) -> Row {
    let wanted = |(code, text): (u16, &str)| (code, text.to_owned());
    let apply = format!("invalid object type: {apply}");
    (type_meta, wanted(merge), wanted(put), (400, apply))
}

/// What a patch is answered whose result cannot be decoded.
fn undecodable(why: &str) -> String {
    format!(" \"\" is invalid: patch: Invalid value: …: {why}")
}

fn with(mut object: Value, type_meta: &Value) -> Value {
    for (key, value) in type_meta.as_object().unwrap() {
        object[key] = value.clone();
    }
    object
}

/// Each type by merge patch, PUT, POST and apply, and what comes of it.
async fn try_all(arm: &Arm, (path, group): (&str, &str), object: &Value, rows: &[Row]) {
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
            merge,
        );
        refused(
            &arm.put(&one, &with(stored.clone(), &type_meta)).await,
            group,
            told("put"),
            put,
        );
        refused(&arm.post(path, &whole).await, group, told("post"), put);
        let forced = format!("{one}?fieldManager=me&force=true");
        refused(
            &arm.apply(&forced, &whole).await,
            group,
            told("apply"),
            apply,
        );
    }
}

async fn a_custom_resource_of_another_type_is_refused(arm: Arm) {
    let (p, g) = set_up(&arm).await;
    let rows = [
        row(
            json!({"kind": "Other"}),
            (
                422,
                "Other.<g> \"a\" is invalid: kind: Invalid value: \"Other\": must be Widget",
            ),
            (
                422,
                "Other.<g> \"a\" is invalid: kind: Invalid value: \"Other\": must be Widget",
            ),
            "<g>/v1, Kind=Other",
        ),
        row(
            json!({"kind": "ConfigMap", "apiVersion": "v1"}),
            (
                422,
                "ConfigMap \"a\" is invalid: [kind: Invalid value: \"ConfigMap\": must be Widget, apiVersion: Invalid value: \"v1\": must be <g>/v1]",
            ),
            (
                400,
                "the API version in the data (v1) does not match the expected API version (<g>/v1)",
            ),
            "/v1, Kind=ConfigMap",
        ),
        row(
            json!({"apiVersion": "<g>/v2"}),
            (
                422,
                "Widget.<g> \"a\" is invalid: apiVersion: Invalid value: \"<g>/v2\": must be <g>/v1",
            ),
            (
                400,
                "the API version in the data (<g>/v2) does not match the expected API version (<g>/v1)",
            ),
            "<g>/v2, Kind=Widget",
        ),
        row(
            json!({"apiVersion": ""}),
            (
                500,
                "Internal error occurred: Object 'apiVersion' is missing in 'object has no apiVersion field'",
            ),
            (
                400,
                "the API version in the data () does not match the expected API version (<g>/v1)",
            ),
            "/, Kind=Widget",
        ),
        row(
            json!({"apiVersion": null}),
            (
                500,
                "Internal error occurred: Object 'apiVersion' is missing in 'object has no apiVersion field'",
            ),
            (
                400,
                "Widget in version \"\" cannot be handled as a Widget: .apiVersion accessor error: <nil> is of the type <nil>, expected string",
            ),
            "/, Kind=Widget",
        ),
        row(
            json!({"kind": ""}),
            (
                422,
                " \"\" is invalid: patch: Invalid value: …: Object 'Kind' is missing in '…",
            ),
            (
                400,
                "the object provided is unrecognized (must be of type Widget): Object 'Kind' is missing in '…",
            ),
            "<g>/v1, Kind=",
        ),
    ];
    try_all(&arm, (&p, &g), &widget(&g, "a", json!({"size": 1})), &rows).await;
}

async fn a_core_object_of_another_type_is_refused(arm: Arm) {
    let ns = arm.namespace().await;
    let p = format!("/api/v1/namespaces/{ns}/configmaps");
    let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"k": "v"}});
    let unknown = "no kind \"Other\" is registered for version \"v1\" in scheme \"pkg/runtime/scheme.go:110\"";
    let converted =
        |kind: &str| format!("converting (v1.{kind}) to (core.ConfigMap): unknown conversion");
    let rows = [
        ("v1", "Other", unknown.to_owned()),
        // What it says that it is, it is decoded as first.
        (
            "v1",
            "Secret",
            "illegal base64 data at input byte 0".to_owned(),
        ),
        ("events.k8s.io/v1", "Event", converted("Event")),
        ("v1", "Status", converted("Status")),
        ("v1", "SecretList", converted("SecretList")),
    ]
    .map(|(api_version, kind, why)| {
        let whole = format!("{kind} in version \"v1\" cannot be handled as a ConfigMap: {why}");
        // The core group's name is empty.
        let slash = if api_version.contains('/') { "" } else { "/" };
        row(
            json!({"apiVersion": api_version, "kind": kind}),
            (422, &undecodable(&why)),
            (400, &whole),
            &format!("{slash}{api_version}, Kind={kind}"),
        )
    });
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
    let slashes = "unexpected GroupVersion string: a/b/c".to_owned();
    let rows = [
        (
            json!({"kind": 3}),
            unread("kind", "number"),
            "<g>/v1, Kind=",
        ),
        (
            json!({"apiVersion": []}),
            unread("apiVersion", "array"),
            "/, Kind=Widget",
        ),
        (json!({"apiVersion": "a/b/c"}), slashes, "/, Kind="),
    ]
    .map(|(type_meta, why, apply)| {
        let whole =
            format!("the object provided is unrecognized (must be of type Widget): {why} (…)");
        row(type_meta, (422, &undecodable(&why)), (400, &whole), apply)
    });
    try_all(&arm, (&p, &g), &widget(&g, "a", json!({"size": 1})), &rows).await;
}
