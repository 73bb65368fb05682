//! Structural schemas: pruning, defaults, validation, field validation.

use super::prelude::*;

conformance!(
    defaults_are_filled_in_and_unknown_fields_dropped,
    schema_errors_name_the_field,
    several_schema_errors_are_all_listed,
    strict_validation_refuses_unknown_and_doubled_fields,
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
