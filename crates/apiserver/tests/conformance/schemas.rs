//! Structural schemas: pruning, defaults, validation, field validation.

use super::prelude::*;

conformance!(
    defaults_are_filled_in_and_unknown_fields_dropped,
    schema_errors_name_the_field,
    several_schema_errors_are_all_listed,
    strict_validation_refuses_unknown_and_doubled_fields,
    a_null_is_kept_where_it_is_allowed,
    integers_and_strings_can_share_a_field,
    numbers_have_bounds,
    texts_have_lengths_and_patterns,
    texts_have_formats,
    lists_have_lengths,
    sets_hold_each_item_once,
    lists_with_keys_hold_each_key_once,
    maps_have_sizes_and_typed_values,
    unknown_fields_are_kept_where_that_is_asked_for,
    embedded_resources_have_a_type_and_metadata,
    enumerations_refuse_what_they_do_not_name,
    defaults_fill_nested_objects,
    one_of_several_schemas_must_fit,
    what_was_wrong_before_may_stay,
    warnings_name_unknown_fields_and_can_be_turned_off,
);

async fn defaults_are_filled_in_and_unknown_fields_dropped(arm: Arm) {
    let (p, g) = set_up(&arm).await;
    let made = make(
        &arm,
        &p,
        &g,
        "x",
        json!({"odd": 1, "size": null, "maybe": null, "free": {"any": [1]}}),
    )
    .await;
    assert_eq!(
        made.body["spec"],
        json!({"mode": "fast", "maybe": null, "free": {"any": [1]}})
    );
    assert_eq!(made.warnings, ["299 - \"unknown field \\\"spec.odd\\\"\""]);
}

async fn schema_errors_name_the_field(arm: Arm) {
    let (p, g) = set_up(&arm).await;
    for (spec, text) in [
        (
            json!({"size": "1"}),
            "spec.size: Invalid value: \"string\": spec.size in body must be of type integer: \"string\"",
        ),
        (
            json!({"size": 101}),
            "spec.size: Invalid value: 101: spec.size in body should be less than or equal to 100",
        ),
        (
            json!({"colour": "blue"}),
            "spec.colour: Unsupported value: \"blue\": supported values: \"red\", \"green\"",
        ),
        (
            json!({"name": "A"}),
            "spec.name: Invalid value: \"A\": spec.name in body should match '^[a-z]+$'",
        ),
        (
            json!({"name": "abcdefghi"}),
            "spec.name: Too long: may not be more than 8 bytes",
        ),
        (
            json!({"tags": ["a", "b", "c", "d"]}),
            "spec.tags: Too many: 4: must have at most 3 items",
        ),
        (json!({"strict": {}}), "spec.strict.must: Required value"),
        (
            json!({"disks": {"d": {"evict": 1}}}),
            "spec.disks.d.evict: Invalid value: \"integer\": spec.disks.d.evict in body must be of type boolean: \"integer\"",
        ),
    ] {
        let answer = arm.post(&p, &widget(&g, "x", spec.clone())).await;
        let head = format!("Widget.{g} \"x\" is invalid: ");
        assert_eq!(answer.code, 422, "{spec}");
        let found = answer
            .message()
            .strip_prefix(&head)
            .unwrap_or_default()
            .to_owned();
        // A failure that hides others adds a line about them.
        let found = found
            .trim_start_matches('[')
            .split(", <nil>")
            .next()
            .unwrap_or_default();
        assert_eq!(found, text, "{spec}");
    }
}

async fn several_schema_errors_are_all_listed(arm: Arm) {
    let (p, g) = set_up(&arm).await;
    let answer = arm
        .post(&p, &widget(&g, "x", json!({"size": -1, "name": "A"})))
        .await;
    assert_eq!(answer.code, 422);
    let causes = answer.body["details"]["causes"].as_array().unwrap();
    let mut fields: Vec<&str> = causes
        .iter()
        .map(|c| c["field"].as_str().unwrap())
        .collect();
    fields.sort_unstable();
    assert_eq!(fields, ["spec.name", "spec.size"]);
}

async fn strict_validation_refuses_unknown_and_doubled_fields(arm: Arm) {
    let (p, g) = set_up(&arm).await;
    let strict = format!("{p}?fieldValidation=Strict");
    arm.post(&strict, &widget(&g, "x", json!({"odd": 1, "even": 2})))
        .await
        .fails(400, "BadRequest", "Widget in version \"v1\" cannot be handled as a Widget: strict decoding error: unknown field \"spec.even\", unknown field \"spec.odd\"");
    let twice = format!(
        r#"{{"apiVersion":"{g}/v1","kind":"Widget","metadata":{{"name":"x"}},"spec":{{"size":1,"size":2}}}}"#
    );
    arm.send(Method::POST, &strict, "application/json", twice.into_bytes())
        .await
        .fails(400, "BadRequest", "Widget in version \"v1\" cannot be handled as a Widget: strict decoding error: duplicate field \"spec.size\"");
}

/// Widgets whose spec has this one field.
async fn with_field(arm: &Arm, field: Value) -> (String, String) {
    let ns = arm.namespace().await;
    let schema = json!({"type": "object", "properties": {"spec": {"type": "object", "properties": {"f": field}}}});
    let g = arm.define_with(&arm.group(), schema, &json!({})).await;
    (path(&g, &ns), g)
}

/// Demands that each value is refused with this text, or taken.
async fn table(arm: &Arm, field: Value, cases: &[(Value, Option<&str>)]) {
    let (p, g) = with_field(arm, field).await;
    for (i, (value, refused)) in cases.iter().enumerate() {
        let name = format!("x{i}");
        let answer = arm.post(&p, &widget(&g, &name, json!({"f": value}))).await;
        match refused {
            None => assert_eq!(answer.ok().body["spec"]["f"], *value),
            Some(why) => {
                let text = format!("Widget.{g} \"{name}\" is invalid: {why}");
                answer.fails(422, "Invalid", &text);
            }
        }
    }
}

async fn a_null_is_kept_where_it_is_allowed(arm: Arm) {
    let nullable = json!({"type": "string", "nullable": true});
    table(&arm, nullable, &[(Value::Null, None), (json!("a"), None)]).await;
    // Elsewhere it is dropped.
    let (p, g) = with_field(&arm, json!({"type": "string"})).await;
    let made = make(&arm, &p, &g, "n", json!({"f": null})).await;
    assert_eq!(made.body["spec"], json!({}));
}

async fn integers_and_strings_can_share_a_field(arm: Arm) {
    table(&arm, json!({"x-kubernetes-int-or-string": true}), &[
        (json!(1), None),
        (json!("1"), None),
        (json!(true), Some("spec.f: Invalid value: \"boolean\": spec.f in body must be of type integer,string: \"boolean\"")),
    ]).await;
}

async fn numbers_have_bounds(arm: Arm) {
    let field = json!({"type": "number", "minimum": 1, "exclusiveMinimum": true, "maximum": 10, "exclusiveMaximum": true, "multipleOf": 2.5});
    table(&arm, field, &[
        (json!(2.5), None),
        (json!(1), Some("[spec.f: Invalid value: 1: spec.f in body should be a multiple of 2, spec.f: Invalid value: 1: spec.f in body should be greater than 1]")),
        (json!(10), Some("spec.f: Invalid value: 10: spec.f in body should be less than 10")),
        (json!("x"), Some("spec.f: Invalid value: \"string\": spec.f in body must be of type number: \"string\"")),
    ]).await;
}

async fn texts_have_lengths_and_patterns(arm: Arm) {
    let field = json!({"type": "string", "minLength": 2, "maxLength": 3, "pattern": "^é*$"});
    table(
        &arm,
        field,
        &[
            (json!("ééé"), None),
            (
                json!("éééé"),
                Some("spec.f: Too long: may not be more than 3 bytes"),
            ),
            (
                json!("é"),
                Some(
                    "spec.f: Invalid value: \"é\": spec.f in body should be at least 2 chars long",
                ),
            ),
            (
                json!("ab"),
                Some("spec.f: Invalid value: \"ab\": spec.f in body should match '^é*$'"),
            ),
        ],
    )
    .await;
}

async fn texts_have_formats(arm: Arm) {
    table(&arm, json!({"type": "string", "format": "date-time"}), &[
        (json!("2024-01-01T00:00:00Z"), None),
        (json!("yesterday"), Some("spec.f: Invalid value: \"yesterday\": spec.f in body must be of type date-time: \"yesterday\"")),
    ]).await;
    table(&arm, json!({"type": "string", "format": "ipv4"}), &[
        (json!("1.2.3.4"), None),
        (json!("1.2.3"), Some("spec.f: Invalid value: \"1.2.3\": spec.f in body must be of type ipv4: \"1.2.3\"")),
    ]).await;
}

async fn lists_have_lengths(arm: Arm) {
    let field =
        json!({"type": "array", "minItems": 1, "maxItems": 2, "items": {"type": "integer"}});
    table(&arm, field, &[
        (json!([1]), None),
        (json!([]), Some("spec.f: Invalid value: 0: spec.f in body should have at least 1 items")),
        (json!([1, 2, 3]), Some("spec.f: Too many: 3: must have at most 2 items")),
        (json!([1, "a"]), Some("spec.f[1]: Invalid value: \"string\": spec.f[1] in body must be of type integer: \"string\"")),
    ]).await;
}

async fn sets_hold_each_item_once(arm: Arm) {
    let field =
        json!({"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "string"}});
    table(
        &arm,
        field,
        &[
            (json!(["a", "b"]), None),
            (
                json!(["a", "b", "a"]),
                Some("spec.f[2]: Duplicate value: \"a\""),
            ),
        ],
    )
    .await;
}

async fn lists_with_keys_hold_each_key_once(arm: Arm) {
    let field = json!({"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["k"],
        "items": {"type": "object", "required": ["k"], "properties": {"k": {"type": "string"}, "v": {"type": "integer"}}}});
    table(
        &arm,
        field,
        &[
            (json!([{"k": "a"}, {"k": "b"}]), None),
            (
                json!([{"k": "a", "v": 1}, {"k": "a", "v": 2}]),
                Some("spec.f[1]: Duplicate value: {\"k\":\"a\"}"),
            ),
        ],
    )
    .await;
}

async fn maps_have_sizes_and_typed_values(arm: Arm) {
    let field = json!({"type": "object", "minProperties": 1, "maxProperties": 2, "additionalProperties": {"type": "integer"}});
    table(&arm, field, &[
        (json!({"a": 1}), None),
        (json!({}), Some("spec.f: Invalid value: 0: spec.f in body should have at least 1 properties")),
        (json!({"a": 1, "b": 2, "c": 3}), Some("spec.f: Too many: 3: must have at most 2 items")),
        (json!({"a": "x"}), Some("spec.f.a: Invalid value: \"string\": spec.f.a in body must be of type integer: \"string\"")),
    ]).await;
}

async fn unknown_fields_are_kept_where_that_is_asked_for(arm: Arm) {
    let field = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true,
        "properties": {"known": {"type": "object", "properties": {"a": {"type": "string"}}}}});
    let (p, g) = with_field(&arm, field).await;
    let made = make(
        &arm,
        &p,
        &g,
        "x",
        json!({"f": {"any": {"deep": [1]}, "known": {"a": "b", "odd": 1}}}),
    )
    .await;
    assert_eq!(
        made.body["spec"]["f"],
        json!({"any": {"deep": [1]}, "known": {"a": "b"}})
    );
    assert_eq!(
        made.warnings,
        ["299 - \"unknown field \\\"spec.f.known.odd\\\"\""]
    );
}

async fn embedded_resources_have_a_type_and_metadata(arm: Arm) {
    let field = json!({"type": "object", "x-kubernetes-embedded-resource": true, "x-kubernetes-preserve-unknown-fields": true});
    table(&arm, field, &[
        (json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": {"x": 1}}), None),
        (json!({"kind": "Pod"}), Some("spec.f.apiVersion: Required value")),
        (json!({"apiVersion": "v1"}), Some("spec.f.kind: Required value")),
    ]).await;
}

async fn enumerations_refuse_what_they_do_not_name(arm: Arm) {
    table(
        &arm,
        json!({"type": "integer", "enum": [1, 2]}),
        &[
            (json!(2), None),
            (
                json!(3),
                Some("spec.f: Unsupported value: 3: supported values: \"1\", \"2\""),
            ),
        ],
    )
    .await;
}

async fn defaults_fill_nested_objects(arm: Arm) {
    let field = json!({"type": "object", "default": {"a": 1}, "properties": {
        "a": {"type": "integer"}, "b": {"type": "string", "default": "x"}}});
    let (p, g) = with_field(&arm, field).await;
    let made = make(&arm, &p, &g, "none", json!({})).await;
    assert_eq!(made.body["spec"], json!({"f": {"a": 1, "b": "x"}}));
    let made = make(&arm, &p, &g, "some", json!({"f": {"a": 2}})).await;
    assert_eq!(made.body["spec"], json!({"f": {"a": 2, "b": "x"}}));
}

async fn one_of_several_schemas_must_fit(arm: Arm) {
    let field = json!({"type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}},
        "oneOf": [{"required": ["a"]}, {"required": ["b"]}]});
    let (p, g) = with_field(&arm, field).await;
    make(&arm, &p, &g, "x", json!({"f": {"a": 1}})).await;
    let both = arm
        .post(&p, &widget(&g, "y", json!({"f": {"a": 1, "b": 2}})))
        .await;
    let text = format!(
        "Widget.{g} \"y\" is invalid: <nil>: Invalid value: \"\": \"spec.f\" must validate one and only one schema (oneOf). Found 2 valid alternatives"
    );
    both.fails(422, "Invalid", &text);
}

async fn what_was_wrong_before_may_stay(arm: Arm) {
    let ns = arm.namespace().await;
    let schema = |max: u64| {
        json!({"type": "object", "properties": {"spec": {"type": "object", "properties": {
        "s": {"type": "string", "maxLength": max}, "n": {"type": "integer"}}}}})
    };
    let g = arm.define_with(&arm.group(), schema(10), &json!({})).await;
    let p = path(&g, &ns);
    make(&arm, &p, &g, "x", json!({"s": "abcdef"})).await;
    let definition = format!("{}/widgets.{g}", common::CRDS);
    let patch = json!([{"op": "replace", "path": "/spec/versions/0/schema/openAPIV3Schema", "value": schema(3)}]);
    arm.send(
        Method::PATCH,
        &definition,
        "application/json-patch+json",
        patch.to_string().into_bytes(),
    )
    .await
    .ok();
    // The new schema is in force a moment after the definition is changed.
    for i in 0..200 {
        let fresh = arm
            .post(
                &format!("{p}?dryRun=All"),
                &widget(&g, &format!("y{i}"), json!({"s": "abcdef"})),
            )
            .await;
        if fresh.code == 422 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    arm.merge(&format!("{p}/x"), &json!({"spec": {"n": 1}}))
        .await
        .ok();
    let text =
        format!("Widget.{g} \"x\" is invalid: spec.s: Too long: may not be more than 3 bytes");
    arm.merge(&format!("{p}/x"), &json!({"spec": {"s": "abcdefg"}}))
        .await
        .fails(422, "Invalid", &text);
}

async fn warnings_name_unknown_fields_and_can_be_turned_off(arm: Arm) {
    let (p, g) = set_up(&arm).await;
    let mut body = widget(&g, "x", json!({"odd": 1}));
    body["metadata"]["strange"] = json!(1);
    body["top"] = json!(1);
    let made = arm.post(&format!("{p}?dryRun=All"), &body).await.ok();
    assert_eq!(
        made.warnings,
        [
            "299 - \"unknown field \\\"metadata.strange\\\"\"",
            "299 - \"unknown field \\\"spec.odd\\\"\"",
            "299 - \"unknown field \\\"top\\\"\""
        ]
    );
    let made = arm
        .post(&format!("{p}?dryRun=All&fieldValidation=Ignore"), &body)
        .await
        .ok();
    assert!(made.warnings.is_empty());
    assert_eq!(made.body["spec"], json!({"mode": "fast"}));
}
