//! CustomResourceDefinitions: conditions, versions, what is refused.

use super::prelude::*;

conformance!(
    two_served_versions_show_the_same_object,
    a_version_that_is_not_served_is_not_found,
    a_definition_is_established,
    a_deleted_definition_takes_its_instances_along,
    names_of_a_definition_are_checked,
    the_name_of_a_definition_is_made_of_its_parts,
    a_scope_must_be_known,
    one_version_is_the_storage_version,
    a_definition_needs_a_schema,
    a_schema_must_be_structural,
    keywords_that_are_not_supported_are_refused,
    a_pattern_must_compile,
    a_default_must_fit_its_schema,
    lists_and_maps_of_a_schema_fit_their_kind,
    the_metadata_of_a_schema_is_given,
    columns_of_a_definition_are_checked,
    paths_of_a_scale_are_checked,
    selectable_fields_must_be_scalars_of_the_schema,
    a_conversion_must_be_complete,
    what_objects_depend_on_cannot_be_changed,
    a_deprecated_version_warns,
    resources_of_the_cluster_have_no_namespace,
    a_kind_that_is_taken_is_not_accepted,
);

fn two_versions(both_served: bool) -> Value {
    let version = |name: &str, storage: bool, served: bool| {
        json!({"name": name, "served": served, "storage": storage,
        "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": {"type": "object", "properties": {"size": {"type": "integer"}}}}}}})
    };
    json!([version("v1", false, true), version("v2", true, both_served)])
}

async fn two_served_versions_show_the_same_object(arm: Arm) {
    let ns = arm.namespace().await;
    let g = arm.define_versions(&arm.group(), two_versions(true)).await;
    make(&arm, &path(&g, &ns), &g, "x", json!({"size": 4})).await;
    let other = arm
        .get(&format!("/apis/{g}/v2/namespaces/{ns}/widgets/x"))
        .await
        .ok();
    assert_eq!(other.body["apiVersion"], format!("{g}/v2"));
    assert_eq!(other.body["spec"], json!({"size": 4}));
    let back = arm.get(&format!("{}/x", path(&g, &ns))).await.ok();
    assert_eq!(back.body["apiVersion"], format!("{g}/v1"));
}

async fn a_version_that_is_not_served_is_not_found(arm: Arm) {
    let ns = arm.namespace().await;
    let g = arm.define_versions(&arm.group(), two_versions(false)).await;
    let answer = arm
        .get(&format!("/apis/{g}/v2/namespaces/{ns}/widgets"))
        .await;
    assert_eq!(
        (answer.code, answer.body),
        (404, json!("404 page not found\n"))
    );
    make(&arm, &path(&g, &ns), &g, "x", json!({"size": 4})).await;
    assert_eq!(
        arm.get(&format!("{}/x", path(&g, &ns))).await.ok().body["apiVersion"],
        format!("{g}/v1")
    );
}

async fn a_definition_is_established(arm: Arm) {
    let g = arm.define(&arm.group()).await;
    let definition = arm.get(&format!("{}/widgets.{g}", common::CRDS)).await.ok();
    let mut states: Vec<String> = definition.body["status"]["conditions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|c| {
            format!(
                "{}={} {}",
                c["type"].as_str().unwrap(),
                c["status"].as_str().unwrap(),
                c["reason"].as_str().unwrap()
            )
        })
        .collect();
    states.sort();
    assert_eq!(
        states,
        [
            "Established=True InitialNamesAccepted",
            "NamesAccepted=True NoConflicts"
        ]
    );
    assert_eq!(definition.body["status"]["storedVersions"], json!(["v1"]));
    assert_eq!(
        definition.body["status"]["acceptedNames"]["listKind"],
        "WidgetList"
    );
}

async fn a_deleted_definition_takes_its_instances_along(arm: Arm) {
    let (p, g) = set_up(&arm).await;
    make(&arm, &p, &g, "x", json!({})).await;
    let definition = format!("{}/widgets.{g}", common::CRDS);
    arm.delete(&definition).await.ok();
    until(&arm, &definition, 404).await;
    until(&arm, &p, 404).await;
}

/// A definition with this schema, and members of the version and of the spec.
fn definition(group: &str, schema: Value, version: Value, spec: Value) -> Value {
    let mut only = json!({"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": schema}});
    for (key, value) in version.as_object().unwrap() {
        only[key] = value.clone();
    }
    let mut all = json!({"group": group, "scope": "Namespaced", "versions": [only],
        "names": {"plural": "widgets", "singular": "widget", "kind": "Widget"}});
    for (key, value) in spec.as_object().unwrap() {
        all[key] = value.clone();
    }
    json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("widgets.{group}")}, "spec": all})
}

/// Demands that a definition is refused with this text.
async fn refused(arm: &Arm, schema: Value, version: Value, spec: Value, why: &str) {
    let group = arm.group();
    let body = definition(&group, schema, version, spec);
    let text = format!(
        "CustomResourceDefinition.apiextensions.k8s.io \"widgets.{group}\" is invalid: {why}"
    );
    arm.post(common::CRDS, &body)
        .await
        .fails(422, "Invalid", &text);
}

fn spec_of(field: Value) -> Value {
    json!({"type": "object", "properties": {"spec": {"type": "object", "properties": {"a": field}}}})
}

/// Demands that a field's schema is refused at its place.
async fn field_refused(arm: &Arm, field: Value, below: &str, why: &str) {
    let text =
        format!("spec.validation.openAPIV3Schema.properties[spec].properties[a]{below}: {why}");
    refused(arm, spec_of(field), json!({}), json!({}), &text).await;
}

fn plain() -> Value {
    json!({"type": "object"})
}

const LABEL: &str = "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')";

async fn names_of_a_definition_are_checked(arm: Arm) {
    let names = |key: &str, value: Value| {
        let mut names = json!({"plural": "widgets", "singular": "widget", "kind": "Widget"});
        names[key] = value;
        json!({"names": names})
    };
    refused(
        &arm,
        plain(),
        json!({}),
        names("shortNames", json!(["BAD"])),
        &format!("spec.names.shortNames[0]: Invalid value: \"BAD\": {LABEL}"),
    )
    .await;
    refused(
        &arm,
        plain(),
        json!({}),
        names("categories", json!(["BAD"])),
        &format!("spec.names.categories[0]: Invalid value: \"BAD\": {LABEL}"),
    )
    .await;
    refused(
        &arm,
        plain(),
        json!({}),
        names("listKind", json!("Widget")),
        "spec.names.listKind: Invalid value: \"Widget\": kind and listKind may not be the same",
    )
    .await;
    let mixed = "may have mixed case, but should otherwise match: ";
    refused(&arm, plain(), json!({}), names("kind", json!("lower case")), &format!("[spec.names.kind: Invalid value: \"lower case\": {mixed}{LABEL}, spec.names.listKind: Invalid value: \"lower caseList\": {mixed}{LABEL}]")).await;
}

async fn the_name_of_a_definition_is_made_of_its_parts(arm: Arm) {
    let mut body = definition(&arm.group(), plain(), json!({}), json!({}));
    body["metadata"]["name"] = json!("other.example.io");
    arm.post(common::CRDS, &body).await.fails(422, "Invalid", "CustomResourceDefinition.apiextensions.k8s.io \"other.example.io\" is invalid: metadata.name: Invalid value: \"other.example.io\": must be spec.names.plural+\".\"+spec.group");
}

async fn a_scope_must_be_known(arm: Arm) {
    refused(
        &arm,
        plain(),
        json!({}),
        json!({"scope": "Odd"}),
        "spec.scope: Unsupported value: \"Odd\": supported values: \"Cluster\", \"Namespaced\"",
    )
    .await;
    refused(
        &arm,
        plain(),
        json!({}),
        json!({"scope": ""}),
        "spec.scope: Required value",
    )
    .await;
}

async fn one_version_is_the_storage_version(arm: Arm) {
    let shown = r#"[{"Name":"v1","Served":true,"Storage":false,"Deprecated":false,"DeprecationWarning":null,"Schema":null,"Subresources":null,"AdditionalPrinterColumns":null,"SelectableFields":null}]"#;
    refused(&arm, plain(), json!({"storage": false}), json!({}), &format!("[spec.versions: Invalid value: {shown}: must have exactly one version marked as storage version, status.storedVersions: Invalid value: null: must have at least one stored version]")).await;
    refused(&arm, plain(), json!({}), json!({"versions": []}), "[spec.versions: Invalid value: []: must have exactly one version marked as storage version, status.storedVersions: Invalid value: null: must have at least one stored version]").await;
}

async fn a_definition_needs_a_schema(arm: Arm) {
    refused(
        &arm,
        plain(),
        json!({"schema": null}),
        json!({}),
        "spec.versions[0].schema.openAPIV3Schema: Required value",
    )
    .await;
    refused(&arm, plain(), json!({}), json!({"preserveUnknownFields": true}), "spec.preserveUnknownFields: Invalid value: true: cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead").await;
}

async fn a_schema_must_be_structural(arm: Arm) {
    let at = "spec.validation.openAPIV3Schema";
    refused(
        &arm,
        json!({}),
        json!({}),
        json!({}),
        &format!("{at}.type: Required value: must not be empty at the root"),
    )
    .await;
    refused(
        &arm,
        json!({"type": "string"}),
        json!({}),
        json!({}),
        &format!("{at}.type: Invalid value: \"string\": must be object at the root"),
    )
    .await;
    field_refused(
        &arm,
        json!({}),
        ".type",
        "Required value: must not be empty for specified object fields",
    )
    .await;
    field_refused(
        &arm,
        json!({"type": "array"}),
        ".items",
        "Required value: must be specified",
    )
    .await;
    field_refused(
        &arm,
        json!({"type": "array", "items": {}}),
        ".items.type",
        "Required value: must not be empty for specified array items",
    )
    .await;
    field_refused(
        &arm,
        json!({"type": "string", "anyOf": [{"type": "string"}]}),
        ".anyOf[0].type",
        "Forbidden: must be empty to be structural",
    )
    .await;
    field_refused(
        &arm,
        json!({"type": "object", "not": {"properties": {"x": {"type": "string"}}}}),
        ".not.properties[x].type",
        "Forbidden: must be empty to be structural",
    )
    .await;
    field_refused(&arm, json!({"type": "object", "x-kubernetes-embedded-resource": true}), ".properties", "Required value: must not be empty if x-kubernetes-embedded-resource is true without x-kubernetes-preserve-unknown-fields").await;
}

async fn keywords_that_are_not_supported_are_refused(arm: Arm) {
    field_refused(&arm, json!({"type": "odd"}), ".type", "Unsupported value: \"odd\": supported values: \"array\", \"boolean\", \"integer\", \"number\", \"object\", \"string\"").await;
    field_refused(
        &arm,
        json!({"type": "string", "$ref": "#/x"}),
        ".$ref",
        "Forbidden: $ref is not supported",
    )
    .await;
    field_refused(
        &arm,
        json!({"type": "object", "patternProperties": {"a": {"type": "string"}}}),
        ".patternProperties",
        "Forbidden: patternProperties is not supported",
    )
    .await;
    field_refused(&arm, json!({"type": "array", "uniqueItems": true, "items": {"type": "string"}}), ".uniqueItems", "Forbidden: uniqueItems cannot be set to true since the runtime complexity becomes quadratic").await;
    field_refused(&arm, json!({"type": "object", "properties": {"x": {"type": "string"}}, "additionalProperties": {"type": "string"}}), ".additionalProperties", "Forbidden: additionalProperties and properties are mutual exclusive").await;
    field_refused(
        &arm,
        json!({"type": "object", "x-kubernetes-preserve-unknown-fields": false}),
        ".x-kubernetes-preserve-unknown-fields",
        "Invalid value: false: must be true or undefined",
    )
    .await;
}

async fn a_pattern_must_compile(arm: Arm) {
    field_refused(&arm, json!({"type": "string", "pattern": "("}), ".pattern", "Invalid value: \"(\": must be a valid regular expression, but isn't: error parsing regexp: missing closing ): `(`").await;
}

async fn a_default_must_fit_its_schema(arm: Arm) {
    field_refused(
        &arm,
        json!({"type": "string", "default": 3}),
        ".default",
        "Invalid value: \"integer\":  in body must be of type string: \"integer\"",
    )
    .await;
    field_refused(
        &arm,
        json!({"type": "integer", "minimum": 0, "default": -1}),
        ".default",
        "Invalid value: -1:  in body should be greater than or equal to 0",
    )
    .await;
    field_refused(
        &arm,
        json!({"type": "array", "items": {"type": "integer"}, "default": [1, "x"]}),
        ".default.[1]",
        "Invalid value: \"string\": [1] in body must be of type integer: \"string\"",
    )
    .await;
    field_refused(
        &arm,
        json!({"type": "object", "properties": {"x": {"type": "string"}}, "default": {"odd": 1}}),
        ".default",
        "Invalid value: {\"odd\":1}: must not have unknown fields",
    )
    .await;
}

async fn lists_and_maps_of_a_schema_fit_their_kind(arm: Arm) {
    let list = |kind: &str, items: Value| json!({"type": "array", "x-kubernetes-list-type": kind, "items": items});
    field_refused(
        &arm,
        list("odd", json!({"type": "string"})),
        ".x-kubernetes-list-type",
        "Unsupported value: \"odd\": supported values: \"atomic\", \"set\", \"map\"",
    )
    .await;
    field_refused(
        &arm,
        json!({"type": "string", "x-kubernetes-list-type": "set"}),
        ".type",
        "Invalid value: \"string\": must be array if x-kubernetes-list-type is specified",
    )
    .await;
    field_refused(
        &arm,
        json!({"type": "object", "x-kubernetes-map-type": "odd"}),
        ".x-kubernetes-map-type",
        "Unsupported value: \"odd\": supported values: \"atomic\", \"granular\"",
    )
    .await;
    let object = json!({"type": "object", "properties": {"k": {"type": "string"}}});
    field_refused(
        &arm,
        list("set", object.clone()),
        ".items.x-kubernetes-map-type",
        "Invalid value: null: must be atomic as item of a list with x-kubernetes-list-type=set",
    )
    .await;
    let keyed = |key: &str, items: Value| {
        let mut field = list("map", items);
        field["x-kubernetes-list-map-keys"] = json!([key]);
        field
    };
    field_refused(&arm, keyed("k", object.clone()), ".items.properties[k].default", "Required value: this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property").await;
    field_refused(
        &arm,
        keyed("z", object),
        ".x-kubernetes-list-map-keys",
        "Invalid value: [\"z\"]: entries must all be names of item properties",
    )
    .await;
}

async fn the_metadata_of_a_schema_is_given(arm: Arm) {
    let with = |metadata: Value| json!({"type": "object", "properties": {"metadata": metadata}});
    let at = "spec.validation.openAPIV3Schema.properties[metadata]";
    refused(&arm, with(json!({"type": "object", "properties": {"labels": {"type": "object"}}})), json!({}), json!({}), &format!("{at}: Forbidden: must not specify anything other than name and generateName, but metadata is implicitly specified")).await;
    refused(
        &arm,
        with(json!({"type": "string"})),
        json!({}),
        json!({}),
        &format!("{at}.type: Invalid value: \"string\": must be object"),
    )
    .await;
    let body = definition(
        &arm.group(),
        with(
            json!({"type": "object", "properties": {"name": {"type": "string", "pattern": "^a"}}}),
        ),
        json!({}),
        json!({}),
    );
    arm.post(common::CRDS, &body).await.ok();
}

async fn columns_of_a_definition_are_checked(arm: Arm) {
    let columns = |column: Value| json!({"additionalPrinterColumns": [column]});
    let at = "spec.additionalPrinterColumns[0]";
    refused(
        &arm,
        plain(),
        columns(json!({"name": "A", "type": "odd", "jsonPath": ".spec"})),
        json!({}),
        &format!(
            "{at}.type: Invalid value: \"odd\": must be one of boolean,date,integer,number,string"
        ),
    )
    .await;
    refused(
        &arm,
        plain(),
        columns(json!({"name": "", "type": "string", "jsonPath": ""})),
        json!({}),
        &format!("[{at}.name: Required value, {at}.JSONPath: Required value]"),
    )
    .await;
    refused(&arm, plain(), columns(json!({"name": "A", "type": "string", "jsonPath": "spec", "format": "odd"})), json!({}), &format!("[{at}.format: Invalid value: \"odd\": must be one of byte,date,date-time,double,float,int32,int64,password, {at}.JSONPath: Invalid value: \"spec\": must be a simple json path starting with .]")).await;
}

async fn paths_of_a_scale_are_checked(arm: Arm) {
    let scale = |scale: Value| json!({"subresources": {"scale": scale}});
    let at = "spec.subresources.scale";
    refused(
        &arm,
        plain(),
        scale(json!({})),
        json!({}),
        &format!(
            "[{at}.specReplicasPath: Required value, {at}.statusReplicasPath: Required value]"
        ),
    )
    .await;
    refused(&arm, plain(), scale(json!({"specReplicasPath": ".x", "statusReplicasPath": ".y", "labelSelectorPath": ".z"})), json!({}), &format!("[{at}.specReplicasPath: Invalid value: \".x\": should be a json path under .spec, {at}.statusReplicasPath: Invalid value: \".y\": should be a json path under .status, {at}.labelSelectorPath: Invalid value: \".z\": should be a json path under either .spec or .status]")).await;
}

async fn selectable_fields_must_be_scalars_of_the_schema(arm: Arm) {
    let fields = |path: &str| json!({"selectableFields": [{"jsonPath": path}]});
    let at = "spec.selectableFields[0].jsonPath";
    let schema = || spec_of(json!({"type": "integer"}));
    refused(
        &arm,
        schema(),
        fields(".spec.x"),
        json!({}),
        &format!(
            "{at}: Invalid value: \".spec.x\": is an invalid path: does not refer to a valid field"
        ),
    )
    .await;
    refused(&arm, schema(), fields(".spec"), json!({}), &format!("{at}: Invalid value: \".spec\": must point to a field of type string, boolean or integer. Enum string fields and strings with formats are allowed.")).await;
}

async fn a_conversion_must_be_complete(arm: Arm) {
    let conversion = |conversion: Value| json!({"conversion": conversion});
    let at = "spec.conversion";
    refused(
        &arm,
        plain(),
        json!({}),
        conversion(json!({"strategy": "Odd"})),
        &format!(
            "{at}.strategy: Unsupported value: \"Odd\": supported values: \"None\", \"Webhook\""
        ),
    )
    .await;
    refused(&arm, plain(), json!({}), conversion(json!({"strategy": "Webhook"})), &format!("[{at}.webhookClientConfig: Required value: required when strategy is set to Webhook, {at}.conversionReviewVersions: Required value]")).await;
}

async fn what_objects_depend_on_cannot_be_changed(arm: Arm) {
    let g = arm.define(&arm.group()).await;
    let path = format!("{}/widgets.{g}", common::CRDS);
    let head =
        format!("CustomResourceDefinition.apiextensions.k8s.io \"widgets.{g}\" is invalid: ");
    for (patch, why) in [
        (
            json!({"spec": {"scope": "Cluster"}}),
            "spec.scope: Invalid value: \"Cluster\": field is immutable",
        ),
        (
            json!({"spec": {"group": "x.y"}}),
            "spec.group: Invalid value: \"x.y\": field is immutable",
        ),
        (
            json!({"spec": {"names": {"plural": "others"}}}),
            "spec.names.plural: Invalid value: \"others\": field is immutable",
        ),
        (
            json!({"spec": {"names": {"kind": "Other"}}}),
            "spec.names.kind: Invalid value: \"Other\": field is immutable",
        ),
    ] {
        arm.merge(&path, &patch)
            .await
            .fails(422, "Invalid", &format!("{head}{why}"));
    }
    let rename = json!([{"op": "replace", "path": "/spec/versions/0/name", "value": "v2"}]);
    arm.send(Method::PATCH, &path, "application/json-patch+json", rename.to_string().into_bytes())
        .await
        .fails(422, "Invalid", &format!("{head}status.storedVersions[0]: Invalid value: \"v1\": missing from spec.versions; v1 was previously a storage version, and must remain in spec.versions until a storage migration ensures no data remains persisted in v1 and removes v1 from status.storedVersions"));
}

async fn a_deprecated_version_warns(arm: Arm) {
    let ns = arm.namespace().await;
    for (more, text) in [
        (json!({"deprecated": true}), None),
        (
            json!({"deprecated": true, "deprecationWarning": "use something else"}),
            Some("use something else"),
        ),
    ] {
        let g = arm.define_with(&arm.group(), plain(), &more).await;
        let answer = arm.get(&path(&g, &ns)).await.ok();
        let standard = format!("{g}/v1 Widget is deprecated");
        assert_eq!(
            answer.warnings,
            [format!("299 - \"{}\"", text.unwrap_or(&standard))]
        );
    }
    refused(&arm, plain(), json!({"deprecationWarning": "x"}), json!({}), "spec.versions[0].deprecationWarning: Invalid value: \"x\": can only be set for deprecated versions").await;
}

async fn resources_of_the_cluster_have_no_namespace(arm: Arm) {
    let group = arm.group();
    let body = definition(&group, plain(), json!({}), json!({"scope": "Cluster"}));
    arm.post(common::CRDS, &body).await.ok();
    let all = format!("/apis/{group}/v1/widgets");
    until(&arm, &all, 200).await;
    let made = arm.post(&all, &widget(&group, "x", json!({}))).await.ok();
    assert!(made.body["metadata"].get("namespace").is_none());
    let mut placed = widget(&group, "y", json!({}));
    placed["metadata"]["namespace"] = json!("default");
    let made = arm.post(&all, &placed).await.ok();
    assert!(made.body["metadata"].get("namespace").is_none());
    let answer = arm
        .get(&format!("/apis/{group}/v1/namespaces/default/widgets/x"))
        .await;
    assert_eq!(
        (answer.code, answer.body),
        (404, json!("404 page not found\n"))
    );
}

async fn a_kind_that_is_taken_is_not_accepted(arm: Arm) {
    let g = arm.define(&arm.group()).await;
    let mut other = definition(
        &g,
        plain(),
        json!({}),
        json!({"names": {"plural": "gadgets", "singular": "gadget", "kind": "Widget"}}),
    );
    other["metadata"]["name"] = json!(format!("gadgets.{g}"));
    arm.post(common::CRDS, &other).await.ok();
    let path = format!("{}/gadgets.{g}", common::CRDS);
    for _ in 0..200 {
        let found = arm.get(&path).await.ok();
        let conditions = found.body["status"]["conditions"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        if let Some(names) = conditions.iter().find(|c| c["type"] == "NamesAccepted") {
            assert_eq!(
                (&names["status"], &names["reason"]),
                (&json!("False"), &json!("ListKindConflict"))
            );
            assert_eq!(names["message"], "\"WidgetList\" is already in use");
            let established = conditions
                .iter()
                .find(|c| c["type"] == "Established")
                .unwrap();
            assert_eq!(
                (&established["status"], &established["reason"]),
                (&json!("False"), &json!("NotAccepted"))
            );
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("no condition about the names");
}
