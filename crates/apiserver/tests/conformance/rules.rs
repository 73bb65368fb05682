//! Rules in CEL: what they see and say, and what is wrong with them.

use super::prelude::*;

conformance!(
    a_rule_that_fails_is_shown,
    a_rule_has_a_message_a_reason_and_a_place,
    every_rule_that_fails_is_listed,
    a_rule_that_cannot_be_evaluated_fails,
    a_transition_rule_compares_with_the_old_value,
    a_transition_rule_can_ask_whether_there_was_an_old_value,
    items_of_a_keyed_list_are_compared_by_their_key,
    rules_stand_anywhere_in_a_schema,
    rules_at_the_root_see_the_name,
    rules_wait_until_the_object_has_the_right_shape,
    rules_see_typed_values,
    rules_have_the_functions_of_kubernetes,
    names_that_cel_does_not_allow_are_escaped,
    a_rule_that_was_broken_before_only_warns,
    a_rule_must_compile,
    a_rule_must_say_yes_or_no,
    the_rest_of_a_rule_is_checked_too,
);

const INT: &str = "integer";

/// Widgets with these fields in their spec, and these rules about it.
async fn ruled(arm: &Arm, properties: Value, rules: Value) -> (String, String) {
    let ns = arm.namespace().await;
    let mut spec = json!({"type": "object", "properties": properties});
    if rules != json!([]) {
        spec["x-kubernetes-validations"] = rules;
    }
    let schema = json!({"type": "object", "properties": {"spec": spec}});
    let g = arm.define_with(&arm.group(), schema, &json!({})).await;
    (path(&g, &ns), g)
}

fn numbers() -> Value {
    json!({"n": {"type": INT}, "m": {"type": INT}, "s": {"type": "string", "maxLength": 20}})
}

/// Demands that creating fails with this text behind `is invalid`.
async fn broken(arm: &Arm, p: &str, g: &str, spec: Value, why: &str) {
    let text = format!("Widget.{g} \"x\" is invalid: {why}");
    arm.post(p, &widget(g, "x", spec))
        .await
        .fails(422, "Invalid", &text);
}

async fn a_rule_that_fails_is_shown(arm: Arm) {
    let (p, g) = ruled(&arm, numbers(), json!([{"rule": "self.n < self.m"}])).await;
    broken(
        &arm,
        &p,
        &g,
        json!({"n": 3, "m": 2}),
        "spec: Invalid value: \"object\": failed rule: self.n < self.m",
    )
    .await;
    make(&arm, &p, &g, "y", json!({"n": 1, "m": 2})).await;
}

async fn a_rule_has_a_message_a_reason_and_a_place(arm: Arm) {
    let rule = |n: u64, more: Value| {
        let mut rule = json!({"rule": format!("self.n != {n}")});
        for (key, value) in more.as_object().unwrap() {
            rule[key] = value.clone();
        }
        rule
    };
    let rules = json!([
        rule(1, json!({"message": "not one"})),
        rule(2, json!({"messageExpression": "'n is ' + self.s"})),
        rule(
            3,
            json!({"reason": "FieldValueForbidden", "fieldPath": ".n", "message": "no"})
        ),
        rule(4, json!({"reason": "FieldValueRequired", "message": "no"})),
        rule(5, json!({"reason": "FieldValueDuplicate", "message": "no"})),
    ]);
    let (p, g) = ruled(&arm, numbers(), rules).await;
    for (n, why) in [
        (1, "spec: Invalid value: \"object\": not one"),
        (2, "spec: Invalid value: \"object\": n is two"),
        (3, "spec.n: Forbidden: no"),
        (4, "spec: Required value: no"),
        (5, "spec: Duplicate value: \"object\""),
    ] {
        broken(&arm, &p, &g, json!({"n": n, "s": "two"}), why).await;
    }
}

async fn every_rule_that_fails_is_listed(arm: Arm) {
    let (p, g) = ruled(
        &arm,
        numbers(),
        json!([{"rule": "self.n > 3"}, {"rule": "self.m > 3", "message": "two"}]),
    )
    .await;
    broken(&arm, &p, &g, json!({"n": 1, "m": 1}), "[spec: Invalid value: \"object\": failed rule: self.n > 3, spec: Invalid value: \"object\": two]").await;
}

async fn a_rule_that_cannot_be_evaluated_fails(arm: Arm) {
    for (rule, spec, why) in [
        ("self.n < self.m", json!({"n": 1}), "no such key: m"),
        (
            "self.n / self.m > 0",
            json!({"n": 1, "m": 0}),
            "division by zero",
        ),
        (
            "self.n % self.m > 0",
            json!({"n": 1, "m": 0}),
            "modulus by zero",
        ),
        (
            "self.n + 9223372036854775807 > 0",
            json!({"n": 1}),
            "integer overflow",
        ),
    ] {
        let (p, g) = ruled(&arm, numbers(), json!([{"rule": rule}])).await;
        broken(
            &arm,
            &p,
            &g,
            spec,
            &format!("spec: Invalid value: \"object\": {why} evaluating rule: {rule}"),
        )
        .await;
    }
}

async fn a_transition_rule_compares_with_the_old_value(arm: Arm) {
    let field = json!({"n": {"type": INT, "x-kubernetes-validations": [{"rule": "self == oldSelf", "message": "n is immutable"}]}, "m": {"type": INT}});
    let (p, g) = ruled(&arm, field, json!([])).await;
    make(&arm, &p, &g, "x", json!({"n": 3})).await;
    let text =
        format!("Widget.{g} \"x\" is invalid: spec.n: Invalid value: \"integer\": n is immutable");
    arm.merge(&format!("{p}/x"), &json!({"spec": {"n": 4}}))
        .await
        .fails(422, "Invalid", &text);
    arm.merge(&format!("{p}/x"), &json!({"spec": {"m": 4}}))
        .await
        .ok();
    // Where there was nothing there is nothing to compare with.
    arm.merge(&format!("{p}/x"), &json!({"spec": {"n": null}}))
        .await
        .ok();
    arm.merge(&format!("{p}/x"), &json!({"spec": {"n": 9}}))
        .await
        .ok();
}

async fn a_transition_rule_can_ask_whether_there_was_an_old_value(arm: Arm) {
    let rule = "!oldSelf.hasValue() || self.n >= oldSelf.value().n";
    let (p, g) = ruled(
        &arm,
        numbers(),
        json!([{"rule": rule, "optionalOldSelf": true}]),
    )
    .await;
    make(&arm, &p, &g, "x", json!({"n": 3})).await;
    let text = format!(
        "Widget.{g} \"x\" is invalid: spec: Invalid value: \"object\": failed rule: {rule}"
    );
    arm.merge(&format!("{p}/x"), &json!({"spec": {"n": 2}}))
        .await
        .fails(422, "Invalid", &text);
    arm.merge(&format!("{p}/x"), &json!({"spec": {"n": 4}}))
        .await
        .ok();
}

async fn items_of_a_keyed_list_are_compared_by_their_key(arm: Arm) {
    let list = json!({"l": {"type": "array", "maxItems": 5, "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["k"],
        "items": {"type": "object", "required": ["k"], "properties": {"k": {"type": "string"}, "v": {"type": INT}},
            "x-kubernetes-validations": [{"rule": "self.v >= oldSelf.v", "message": "v may not shrink"}]}}});
    let (p, g) = ruled(&arm, list, json!([])).await;
    make(&arm, &p, &g, "x", json!({"l": [{"k": "a", "v": 1}]})).await;
    let text = format!(
        "Widget.{g} \"x\" is invalid: spec.l[1]: Invalid value: \"object\": v may not shrink"
    );
    arm.merge(
        &format!("{p}/x"),
        &json!({"spec": {"l": [{"k": "b", "v": 0}, {"k": "a", "v": 0}]}}),
    )
    .await
    .fails(422, "Invalid", &text);
}

async fn rules_stand_anywhere_in_a_schema(arm: Arm) {
    let positive = json!({"type": INT, "x-kubernetes-validations": [{"rule": "self > 0"}]});
    let fields = json!({"l": {"type": "array", "maxItems": 5, "items": positive}, "mp": {"type": "object", "maxProperties": 4, "additionalProperties": positive}});
    let (p, g) = ruled(&arm, fields, json!([])).await;
    let why = "Invalid value: \"integer\": failed rule: self > 0";
    broken(
        &arm,
        &p,
        &g,
        json!({"l": [1, 0]}),
        &format!("spec.l[1]: {why}"),
    )
    .await;
    broken(
        &arm,
        &p,
        &g,
        json!({"mp": {"a.b": 0, "c": 1}}),
        &format!("spec.mp[a.b]: {why}"),
    )
    .await;
}

async fn rules_at_the_root_see_the_name(arm: Arm) {
    let ns = arm.namespace().await;
    let schema = json!({"type": "object", "properties": {"spec": {"type": "object", "properties": numbers()}},
        "x-kubernetes-validations": [{"rule": "self.metadata.name.startsWith('a') && self.kind == 'Widget'"}]});
    let g = arm.define_with(&arm.group(), schema, &json!({})).await;
    let p = path(&g, &ns);
    broken(&arm, &p, &g, json!({}), "<nil>: Invalid value: \"object\": failed rule: self.metadata.name.startsWith('a') && self.kind == 'Widget'").await;
    make(&arm, &p, &g, "ax", json!({})).await;
}

async fn rules_wait_until_the_object_has_the_right_shape(arm: Arm) {
    let fields = json!({"n": {"type": INT, "minimum": 5}, "m": {"type": INT}});
    let (p, g) = ruled(&arm, fields, json!([{"rule": "self.m > 3"}])).await;
    let failed = "Invalid value: \"object\": failed rule: self.m > 3";
    broken(&arm, &p, &g, json!({"n": 1, "m": 1}), &format!("[spec.n: Invalid value: 1: spec.n in body should be greater than or equal to 5, spec: {failed}]")).await;
    broken(&arm, &p, &g, json!({"n": "x", "m": 1}), "[spec.n: Invalid value: \"string\": spec.n in body must be of type integer: \"string\", <nil>: Invalid value: null: some validation rules were not checked because the object was invalid; correct the existing errors to complete validation]").await;
}

async fn rules_see_typed_values(arm: Arm) {
    for (field, rule, good, bad) in [
        (
            json!({"type": "string", "format": "date-time"}),
            "self.f < timestamp('2021-01-01T00:00:00Z')",
            json!("2020-01-01T00:00:00Z"),
            json!("2022-01-01T00:00:00Z"),
        ),
        (
            json!({"type": "string", "format": "duration"}),
            "self.f < duration('1h')",
            json!("30m"),
            json!("2h"),
        ),
        (
            json!({"type": "string", "format": "byte"}),
            "self.f == b'a'",
            json!("YQ=="),
            json!("Yg=="),
        ),
        (
            json!({"type": "number"}),
            "self.f < 1.5",
            json!(1),
            json!(2),
        ),
        (
            json!({"x-kubernetes-int-or-string": true}),
            "type(self.f) == int ? self.f > 3 : self.f == 'x'",
            json!("x"),
            json!(2),
        ),
        (
            json!({"type": "string", "nullable": true}),
            "has(self.f)",
            json!("a"),
            Value::Null,
        ),
    ] {
        let (p, g) = ruled(&arm, json!({"f": field}), json!([{"rule": rule}])).await;
        make(&arm, &p, &g, "y", json!({"f": good})).await;
        broken(
            &arm,
            &p,
            &g,
            json!({"f": bad}),
            &format!("spec: Invalid value: \"object\": failed rule: {rule}"),
        )
        .await;
    }
}

async fn rules_have_the_functions_of_kubernetes(arm: Arm) {
    let fields = json!({"s": {"type": "string", "maxLength": 9}, "l": {"type": "array", "maxItems": 4, "items": {"type": "string", "maxLength": 9}}});
    let rules = [
        "self.l.isSorted()",
        "self.l.indexOf('b') == 1",
        "self.l.max() == 'b' && self.l.min() == 'a'",
        "sets.contains(self.l, ['a'])",
        "self.s.find('[0-9]+') == '12'",
        "self.s.findAll('[0-9]').size() == 2",
        "self.s.split('-').size() == 2",
        "self.s.lowerAscii() == 'x-12'",
        "self.l.exists_one(x, x == 'a')",
        "self.l.all(x, x.matches('^[ab]$'))",
        "'%s!'.format([self.s]) == 'X-12!'",
        "[1, 2].sum() == 3",
    ];
    let sound: Vec<Value> = rules.iter().map(|r| json!({"rule": r})).collect();
    let (p, g) = ruled(&arm, fields, Value::from(sound)).await;
    make(&arm, &p, &g, "x", json!({"s": "X-12", "l": ["a", "b"]})).await;
    let answer = arm
        .post(&p, &widget(&g, "y", json!({"s": "", "l": ["c", "b"]})))
        .await;
    assert_eq!(
        answer.body["details"]["causes"].as_array().unwrap().len(),
        10
    );
}

async fn names_that_cel_does_not_allow_are_escaped(arm: Arm) {
    let fields = json!({"e-f": {"type": "string"}, "namespace": {"type": "string"}});
    let rule = "self.e__dash__f == self.__namespace__";
    let (p, g) = ruled(&arm, fields, json!([{"rule": rule}])).await;
    make(&arm, &p, &g, "y", json!({"e-f": "a", "namespace": "a"})).await;
    broken(
        &arm,
        &p,
        &g,
        json!({"e-f": "a", "namespace": "b"}),
        &format!("spec: Invalid value: \"object\": failed rule: {rule}"),
    )
    .await;
}

async fn a_rule_that_was_broken_before_only_warns(arm: Arm) {
    let (p, g) = ruled(&arm, numbers(), json!([])).await;
    make(&arm, &p, &g, "x", json!({"n": 1})).await;
    let patch = json!([{"op": "add", "path": "/spec/versions/0/schema/openAPIV3Schema/properties/spec/x-kubernetes-validations", "value": [{"rule": "self.n > 3"}]}]);
    let definition = format!("{}/widgets.{g}", common::CRDS);
    arm.send(
        Method::PATCH,
        &definition,
        "application/json-patch+json",
        patch.to_string().into_bytes(),
    )
    .await
    .ok();
    for _ in 0..200 {
        if arm
            .post(
                &format!("{p}?dryRun=All"),
                &widget(&g, "y", json!({"n": 1})),
            )
            .await
            .code
            == 422
        {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let kept = arm
        .merge(
            &format!("{p}/x"),
            &json!({"metadata": {"labels": {"a": "b"}}}),
        )
        .await
        .ok();
    assert_eq!(
        kept.warnings,
        ["299 - \"spec: Invalid value: \\\"object\\\": failed rule: self.n > 3\""]
    );
    let text = format!(
        "Widget.{g} \"x\" is invalid: spec: Invalid value: \"object\": failed rule: self.n > 3"
    );
    arm.merge(&format!("{p}/x"), &json!({"spec": {"m": 1}}))
        .await
        .fails(422, "Invalid", &text);
}

/// Demands that a definition with this rule is refused.
async fn no_rule(arm: &Arm, rule: Value, why: &str) {
    let group = arm.group();
    let spec =
        json!({"type": "object", "properties": numbers(), "x-kubernetes-validations": [rule]});
    let version = json!({"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": spec}}}});
    let body = json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": format!("widgets.{group}")},
        "spec": {"group": group, "scope": "Namespaced", "names": {"plural": "widgets", "kind": "Widget"}, "versions": [version]}});
    let at = "spec.validation.openAPIV3Schema.properties[spec].x-kubernetes-validations[0]";
    let text = format!(
        "CustomResourceDefinition.apiextensions.k8s.io \"widgets.{group}\" is invalid: {}",
        why.replace("<at>", at)
    );
    arm.post(common::CRDS, &body)
        .await
        .fails(422, "Invalid", &text);
}

fn shown(rule: &str) -> String {
    let rule = json!(rule)
        .to_string()
        .replace('>', "\\u003e")
        .replace('&', "\\u0026");
    format!(
        "{{\"Rule\":{rule},\"Message\":\"\",\"MessageExpression\":\"\",\"Reason\":null,\"FieldPath\":\"\",\"OptionalOldSelf\":null}}"
    )
}

async fn a_rule_must_compile(arm: Arm) {
    let expecting = "expecting {'[', '{', '(', '.', '-', '!', 'true', 'false', 'null', NUM_FLOAT, NUM_INT, NUM_UINT, STRING, BYTES, IDENTIFIER}";
    for (rule, column, why) in [
        ("self.x > 1", 5, "undefined field 'x'".to_owned()),
        (
            "x > 1",
            1,
            "undeclared reference to 'x' (in container '')".to_owned(),
        ),
        (
            "self.n > ",
            10,
            format!("Syntax error: mismatched input '<EOF>' {expecting}"),
        ),
        (
            "self.n > \"a\"",
            8,
            "found no matching overload for '_>_' applied to '(int, string)'".to_owned(),
        ),
        (
            "self.s.startsWith(1)",
            18,
            "found no matching overload for 'startsWith' applied to 'string.(int)'".to_owned(),
        ),
        (
            "self.n.foo",
            7,
            "type 'int' does not support field selection".to_owned(),
        ),
        (
            "self.s.matches(\"(\")",
            16,
            "invalid matches argument".to_owned(),
        ),
        (
            "foo(self.n)",
            4,
            "undeclared reference to 'foo' (in container '')".to_owned(),
        ),
    ] {
        let place = format!("{}^", ".".repeat(column - 1));
        let text = format!(
            "<at>.rule: Invalid value: {}: compilation failed: ERROR: <input>:1:{column}: {why}\n | {rule}\n | {place}",
            shown(rule)
        );
        no_rule(&arm, json!({"rule": rule}), &text).await;
    }
}

async fn a_rule_must_say_yes_or_no(arm: Arm) {
    let text = format!(
        "<at>.rule: Invalid value: {}: cel expression must evaluate to a bool",
        shown("self.n")
    );
    no_rule(&arm, json!({"rule": "self.n"}), &text).await;
    no_rule(
        &arm,
        json!({"rule": "  "}),
        "<at>.rule: Required value: rule is not specified",
    )
    .await;
}

async fn the_rest_of_a_rule_is_checked_too(arm: Arm) {
    let with = |key: &str, value: Value| {
        let mut rule = json!({"rule": "self.n > 1"});
        rule[key] = value;
        rule
    };
    no_rule(
        &arm,
        with("message", json!("  ")),
        "<at>.message: Invalid value: \"  \": must be non-empty if specified",
    )
    .await;
    no_rule(
        &arm,
        with("message", json!("a\nb")),
        "<at>.message: Invalid value: \"a\\nb\": must not contain line breaks",
    )
    .await;
    no_rule(&arm, with("reason", json!("Odd")), "<at>.reason: Unsupported value: \"Odd\": supported values: \"FieldValueDuplicate\", \"FieldValueForbidden\", \"FieldValueInvalid\", \"FieldValueRequired\"").await;
    no_rule(
        &arm,
        with("fieldPath", json!(".zz")),
        "<at>.fieldPath: Invalid value: \".zz\": must be a valid path",
    )
    .await;
    no_rule(
        &arm,
        with("optionalOldSelf", json!(true)),
        "<at>.optionalOldSelf: Invalid value: true: may not be set if oldSelf is not used in rule",
    )
    .await;
    let shown =
        shown("self.n > 1").replace("\"MessageExpression\":\"\"", "\"MessageExpression\":\"1\"");
    no_rule(&arm, with("messageExpression", json!("1")), &format!("<at>.messageExpression: Invalid value: {shown}: messageExpression must evaluate to a string")).await;
    no_rule(
        &arm,
        json!({"rule": "true\n&& true"}),
        "<at>.message: Required value: message must be specified if rule contains line breaks",
    )
    .await;
}
