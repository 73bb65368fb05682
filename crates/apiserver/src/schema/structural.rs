//! Whether a schema is one that a definition may have: structural, without
//! keywords that Kubernetes does not support, with defaults that fit.
//!
//! Texts follow `pkg/apiserver/schema` and `pkg/apis/apiextensions/validation`
//! of apiextensions-apiserver v0.34.

use serde_json::{Map, Value};

use super::{Schema, validate};
use crate::resource::text;
use crate::status::FieldError;

/// Checks the schema that stands at `at`.
pub(crate) fn check(schema: &Value, at: &str, has_status: bool, errors: &mut Vec<FieldError>) {
    let parsed = match Schema::parse(schema) {
        Ok(parsed) => parsed,
        Err(why) => {
            errors.push(FieldError::invalid_str(at, "", why));
            return;
        }
    };
    if has_status {
        root_members(schema, at, errors);
    }
    if flag(schema, "nullable") {
        errors.push(FieldError::forbidden(
            format!("{at}.nullable"),
            "nullable cannot be true at the root",
        ));
    }
    let mut structure = Vec::new();
    invariants(schema, Level::Root, at, &mut structure);
    complete(schema, Some(schema), at, at, &mut structure);
    structure.sort_by_key(|e| format!("{}: {}", e.field, e.body()));
    let sound = structure.is_empty();
    errors.extend(structure);
    let mut with_rules = false;
    if sound {
        let before = errors.len();
        defaults(schema, &parsed, true, at, errors);
        with_rules = errors.len() == before;
    }
    let mut found = Found::default();
    let walk = Walk {
        insides: Insides::Nothing,
        forbidden_default: None,
        root: true,
        rules: with_rules,
        uncorrelated: None,
    };
    openapi(schema, at, &walk, &mut found);
    errors.extend(found.schema);
    errors.extend(found.rules);
}

fn flag(schema: &Value, key: &str) -> bool {
    schema.get(key).and_then(Value::as_bool).unwrap_or_default()
}

fn given<'a>(schema: &'a Value, key: &str) -> Option<&'a Value> {
    schema.get(key).filter(|v| !v.is_null())
}

fn members<'a>(schema: &'a Value, key: &str) -> impl Iterator<Item = (&'a String, &'a Value)> {
    schema
        .get(key)
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
}

fn each<'a>(schema: &'a Value, key: &str) -> impl Iterator<Item = (usize, &'a Value)> {
    schema
        .get(key)
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .enumerate()
}

/// Keywords at the root that survive taking the status' schema out of it.
fn root_members(schema: &Value, at: &str, errors: &mut Vec<FieldError>) {
    const ALLOWED: &str = "[Description Type Format Title Maximum ExclusiveMaximum Minimum ExclusiveMinimum MaxLength MinLength Pattern MaxItems MinItems UniqueItems MultipleOf Required Items Properties ExternalDocs Example XPreserveUnknownFields XValidations]";
    let refused = ["allOf", "anyOf", "oneOf", "not", "enum", "default"]
        .iter()
        .any(|key| given(schema, key).is_some());
    if refused || given(schema, "additionalProperties").is_some() {
        errors.push(FieldError::invalid(
            at,
            schema,
            format!(
                "only {ALLOWED} fields are allowed at the root of the schema if the status subresource is enabled"
            ),
        ));
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Level {
    Root,
    Item,
    Field,
}

/// The rules of a structural schema for `schema` and what is below it.
fn invariants(schema: &Value, level: Level, at: &str, errors: &mut Vec<FieldError>) {
    let kind = text(schema, "/type");
    let embedded = flag(schema, "x-kubernetes-embedded-resource");
    let int_or_string = flag(schema, "x-kubernetes-int-or-string");
    let preserve = flag(schema, "x-kubernetes-preserve-unknown-fields");
    match given(schema, "items") {
        None if kind == "array" => {
            errors.push(FieldError::required(
                format!("{at}.items"),
                "must be specified",
            ));
        }
        Some(items @ Value::Object(_)) => {
            invariants(items, Level::Item, &format!("{at}.items"), errors);
        }
        _ => {}
    }
    for (name, property) in members(schema, "properties") {
        let below = format!("{at}.properties[{name}]");
        invariants(property, Level::Field, &below, errors);
    }
    if let Some(more) = given(schema, "additionalProperties") {
        let below = format!("{at}.additionalProperties");
        if level == Level::Root {
            errors.push(FieldError::forbidden(
                &below,
                "must not be used at the root",
            ));
        }
        if embedded {
            errors.push(FieldError::forbidden(
                &below,
                "must not be used if x-kubernetes-embedded-resource is set",
            ));
        }
        if more.is_object() {
            invariants(more, Level::Field, &below, errors);
        }
    }
    for (set, key) in [
        (preserve, "x-kubernetes-preserve-unknown-fields"),
        (embedded, "x-kubernetes-embedded-resource"),
    ] {
        if int_or_string && set {
            errors.push(FieldError::invalid(
                format!("{at}.{key}"),
                &Value::Bool(true),
                "must be false if x-kubernetes-int-or-string is true",
            ));
        }
    }
    value_rules(schema, true, at, errors);
    let type_at = format!("{at}.type");
    if embedded && kind != "object" {
        let why = "must be object if x-kubernetes-embedded-resource is true";
        errors.push(if kind.is_empty() {
            FieldError::required(&type_at, why)
        } else {
            FieldError::invalid_str(&type_at, kind, why)
        });
    } else if kind.is_empty() && !int_or_string && !preserve {
        errors.push(FieldError::required(
            &type_at,
            match level {
                Level::Root => "must not be empty at the root",
                Level::Item => "must not be empty for specified array items",
                Level::Field => "must not be empty for specified object fields",
            },
        ));
    }
    if level == Level::Root && !kind.is_empty() && kind != "object" {
        errors.push(FieldError::invalid_str(
            &type_at,
            kind,
            "must be object at the root",
        ));
    }
    let is_resource = level == Level::Root || embedded;
    let property = |name: &str| schema.get("properties").and_then(|p| p.get(name));
    for name in ["kind", "apiVersion"] {
        if let Some(found) = property(name).filter(|_| is_resource)
            && text(found, "/type") != "string"
        {
            errors.push(FieldError::invalid_str(
                format!("{at}.properties[{name}].type"),
                text(found, "/type"),
                "must be string",
            ));
        }
    }
    if let Some(metadata) = property("metadata").filter(|_| is_resource) {
        let below = format!("{at}.properties[metadata]");
        if text(metadata, "/type") != "object" {
            errors.push(FieldError::invalid_str(
                format!("{below}.type"),
                text(metadata, "/type"),
                "must be object",
            ));
        }
        let other_member = members(metadata, "properties")
            .any(|(name, _)| name != "name" && name != "generateName");
        let other_keyword = metadata
            .as_object()
            .into_iter()
            .flatten()
            .any(|(key, _)| !matches!(key.as_str(), "type" | "properties" | "default"));
        if level == Level::Root && (other_member || other_keyword) {
            errors.push(FieldError::forbidden(
                below,
                "must not specify anything other than name and generateName, but metadata is implicitly specified",
            ));
        }
    }
    if embedded && !preserve && members(schema, "properties").next().is_none() {
        errors.push(FieldError::required(
            format!("{at}.properties"),
            "must not be empty if x-kubernetes-embedded-resource is true without x-kubernetes-preserve-unknown-fields",
        ));
    }
}

/// `anyOf` of exactly an integer and a string: the one place with types in it.
fn is_int_or_string_pattern(any_of: &Value) -> bool {
    *any_of == serde_json::json!([{"type": "integer"}, {"type": "string"}])
}

/// Value validation may say nothing about the structure.
fn value_rules(schema: &Value, outer: bool, at: &str, errors: &mut Vec<FieldError>) {
    for key in ["anyOf", "allOf", "oneOf"] {
        if key == "anyOf" && schema.get(key).is_some_and(is_int_or_string_pattern) {
            continue;
        }
        for (i, nested) in each(schema, key) {
            let first_any_of = outer
                && key == "allOf"
                && i == 0
                && nested.get("anyOf").is_some_and(is_int_or_string_pattern);
            let below = format!("{at}.{key}[{i}]");
            if !first_any_of {
                nested_rules(nested, &below, errors);
            }
        }
    }
    if let Some(not) = given(schema, "not") {
        nested_rules(not, &format!("{at}.not"), errors);
    }
    if let Some(pattern) = given(schema, "pattern").and_then(Value::as_str)
        && let Err(why) = regex::Regex::new(pattern)
    {
        errors.push(FieldError::invalid_str(
            format!("{at}.pattern"),
            pattern,
            format!(
                "must be a valid regular expression, but isn't: {}",
                super::go_regex_error(pattern, &why)
            ),
        ));
    }
}

fn nested_rules(schema: &Value, at: &str, errors: &mut Vec<FieldError>) {
    value_rules(schema, false, at, errors);
    if let Some(items @ Value::Object(_)) = given(schema, "items") {
        nested_rules(items, &format!("{at}.items"), errors);
    }
    for (name, property) in members(schema, "properties") {
        nested_rules(property, &format!("{at}.properties[{name}]"), errors);
    }
    let mut forbid = |key: &str, why: &str| {
        errors.push(FieldError::forbidden(format!("{at}.{key}"), why));
    };
    for key in ["type", "title", "description"] {
        if !text(schema, &format!("/{key}")).is_empty() {
            forbid(key, "must be empty to be structural");
        }
    }
    for key in [
        "additionalProperties",
        "default",
        "x-kubernetes-list-type",
        "x-kubernetes-map-type",
    ] {
        if given(schema, key).is_some() {
            forbid(key, "must be undefined to be structural");
        }
    }
    for key in [
        "nullable",
        "x-kubernetes-preserve-unknown-fields",
        "x-kubernetes-embedded-resource",
        "x-kubernetes-int-or-string",
    ] {
        if flag(schema, key) {
            forbid(key, "must be false to be structural");
        }
    }
    for key in ["x-kubernetes-list-map-keys", "x-kubernetes-validations"] {
        if each(schema, key).next().is_some() {
            forbid(key, "must be empty to be structural");
        }
    }
    if members(schema, "properties").any(|(name, _)| name == "metadata") {
        forbid(
            "properties[metadata]",
            "must not be specified in a nested context",
        );
    }
}

/// Whatever a value validation talks about must be there structurally.
fn complete(
    rules: &Value,
    schema: Option<&Value>,
    at: &str,
    rules_at: &str,
    errors: &mut Vec<FieldError>,
) {
    for key in ["allOf", "anyOf", "oneOf"] {
        for (i, nested) in each(rules, key) {
            complete_nested(
                nested,
                schema,
                at,
                &format!("{rules_at}.{key}[{i}]"),
                errors,
            );
        }
    }
    if let Some(not) = given(rules, "not") {
        complete_nested(not, schema, at, &format!("{rules_at}.not"), errors);
    }
}

fn complete_nested(
    rules: &Value,
    schema: Option<&Value>,
    at: &str,
    rules_at: &str,
    errors: &mut Vec<FieldError>,
) {
    let Some(schema) = schema else {
        errors.push(FieldError::required(
            at,
            format!("because it is defined in {rules_at}"),
        ));
        return;
    };
    complete(rules, Some(schema), at, rules_at, errors);
    if let Some(items @ Value::Object(_)) = given(rules, "items") {
        complete_nested(
            items,
            given(schema, "items"),
            &format!("{at}.items"),
            &format!("{rules_at}.items"),
            errors,
        );
    }
    for (name, property) in members(rules, "properties") {
        complete_nested(
            property,
            schema.get("properties").and_then(|p| p.get(name)),
            &format!("{at}.properties[{name}]"),
            &format!("{rules_at}.properties[{name}]"),
            errors,
        );
    }
}

/// Defaults must be pruned and valid. Below `additionalProperties` there are none.
fn defaults(schema: &Value, parsed: &Schema, root: bool, at: &str, errors: &mut Vec<FieldError>) {
    if let Some(default) = &parsed.default {
        let field = format!("{at}.default");
        let mut pruned = default.clone();
        let mut wrong = parsed.prune_below(&mut pruned);
        wrong.retain(|_| pruned != *default);
        if !wrong.is_empty() {
            errors.push(FieldError::invalid(
                &field,
                default,
                "must not have unknown fields",
            ));
        }
        let mut missing = false;
        if root || parsed.embedded_resource {
            for key in ["apiVersion", "kind"] {
                if default.get(key).is_none() {
                    errors.push(FieldError::required(format!("{field}.{key}"), ""));
                    missing = true;
                }
            }
        }
        if !missing {
            for mut error in validate::validate(parsed, default) {
                error.field = match error.field.as_str() {
                    "" => field.clone(),
                    below => format!("{field}.{below}"),
                };
                errors.push(error);
            }
        }
    }
    if let (Some(items), Some(below)) = (given(schema, "items"), &parsed.items) {
        defaults(items, below, false, &format!("{at}.items"), errors);
    }
    for (name, property) in members(schema, "properties") {
        if let Some(below) = parsed.properties.get(name) {
            let at = format!("{at}.properties[{name}]");
            defaults(property, below, false, &at, errors);
        }
    }
}

/// Whether the walk is inside the metadata of a resource.
#[derive(Clone, Copy, PartialEq)]
enum Insides {
    Nothing,
    Metadata,
}

#[derive(Clone)]
struct Walk {
    insides: Insides,
    /// Why a default is refused here.
    forbidden_default: Option<String>,
    root: bool,
    /// Rules are compiled only if the whole schema is sound.
    rules: bool,
    /// The list or map whose old entries cannot be told apart.
    uncorrelated: Option<String>,
}

impl Walk {
    fn below(&self) -> Self {
        Self {
            root: false,
            ..self.clone()
        }
    }

    fn without_rules(&self) -> Self {
        Self {
            rules: false,
            ..self.below()
        }
    }

    fn uncorrelated_at(mut self, at: &str) -> Self {
        self.uncorrelated.get_or_insert_with(|| at.to_owned());
        self
    }
}

#[derive(Default)]
struct Found {
    schema: Vec<FieldError>,
    rules: Vec<FieldError>,
}

const TYPES: [&str; 6] = ["array", "boolean", "integer", "number", "object", "string"];

/// Keywords that Kubernetes does not support, and those that need each other.
fn openapi(schema: &Value, at: &str, walk: &Walk, found: &mut Found) {
    let before = found.schema.len();
    keywords(schema, at, walk, &mut found.schema);
    let properties = schema.get("properties").and_then(Value::as_object);
    if let Some(more) = given(schema, "additionalProperties") {
        let field = format!("{at}.additionalProperties");
        if properties.is_some_and(|p| !p.is_empty()) && *more != Value::Bool(true) {
            found.schema.push(FieldError::forbidden(
                &field,
                "additionalProperties and properties are mutual exclusive",
            ));
        }
        if more.is_object() {
            let mut below = walk.below();
            if walk.insides == Insides::Metadata {
                below.forbidden_default =
                    Some("inside additionalProperties applying to object metadata".to_owned());
            }
            openapi(more, &field, &below, found);
        }
    }
    let atomic = text(schema, "/x-kubernetes-map-type") == "atomic";
    let resource = walk.root || flag(schema, "x-kubernetes-embedded-resource");
    for (name, property) in members(schema, "properties") {
        let mut below = walk.below();
        if atomic {
            below = below.uncorrelated_at(at);
        }
        if resource && matches!(name.as_str(), "metadata" | "kind" | "apiVersion") {
            below.insides = Insides::Metadata;
            if walk.root {
                below.forbidden_default = Some(format!("in top-level {name}"));
            }
        }
        openapi(property, &format!("{at}.properties[{name}]"), &below, found);
    }
    let plain = walk.without_rules();
    if let Some(not) = given(schema, "not") {
        openapi(not, &format!("{at}.not"), &plain, found);
    }
    for key in ["allOf", "oneOf", "anyOf"] {
        for (i, nested) in each(schema, key) {
            openapi(nested, &format!("{at}.{key}[{i}]"), &plain, found);
        }
    }
    if let Some(items @ Value::Object(_)) = given(schema, "items") {
        let mut below = walk.below();
        if text(schema, "/x-kubernetes-list-type") != "map" {
            below = below.uncorrelated_at(at);
        }
        openapi(items, &format!("{at}.items"), &below, found);
    }
    extensions(schema, at, &mut found.schema);
    let sound = found.schema.len() == before;
    super::rules::check(
        schema,
        at,
        walk.root,
        sound && walk.rules,
        walk.uncorrelated.as_deref(),
        &mut found.schema,
        &mut found.rules,
    );
}

fn keywords(schema: &Value, at: &str, walk: &Walk, errors: &mut Vec<FieldError>) {
    let kind = text(schema, "/type");
    if !kind.is_empty() && !TYPES.contains(&kind) {
        if kind == "null" {
            errors.push(FieldError::forbidden(
                format!("{at}.type"),
                "type cannot be set to null, use nullable as an alternative",
            ));
        } else {
            errors.push(FieldError::not_supported(
                format!("{at}.type"),
                &Value::from(kind),
                &TYPES.map(str::to_owned),
            ));
        }
    }
    if let Some(reason) = &walk.forbidden_default
        && given(schema, "default").is_some()
    {
        errors.push(FieldError::forbidden(
            format!("{at}.default"),
            format!("must not be set {reason}"),
        ));
    }
    for key in [
        "id",
        "additionalItems",
        "patternProperties",
        "definitions",
        "dependencies",
        "$ref",
    ] {
        let empty = |v: &Value| {
            v.as_object().is_some_and(Map::is_empty) || v.as_str().is_some_and(str::is_empty)
        };
        if given(schema, key).is_some_and(|v| !empty(v)) {
            errors.push(FieldError::forbidden(
                format!("{at}.{key}"),
                format!("{key} is not supported"),
            ));
        }
    }
    if schema.get("items").is_some_and(Value::is_array) {
        errors.push(FieldError::forbidden(
            format!("{at}.items"),
            "items must be a schema object and not an array",
        ));
    }
    if walk.insides == Insides::Metadata && flag(schema, "x-kubernetes-embedded-resource") {
        errors.push(FieldError::forbidden(
            format!("{at}.x-kubernetes-embedded-resource"),
            "must not be used inside of resource meta",
        ));
    }
    if flag(schema, "uniqueItems") {
        errors.push(FieldError::forbidden(
            format!("{at}.uniqueItems"),
            "uniqueItems cannot be set to true since the runtime complexity becomes quadratic",
        ));
    }
}

/// `x-kubernetes-…` that say how values are kept and merged.
fn extensions(schema: &Value, at: &str, errors: &mut Vec<FieldError>) {
    let kind = text(schema, "/type");
    if schema.get("x-kubernetes-preserve-unknown-fields") == Some(&Value::Bool(false)) {
        errors.push(FieldError::invalid(
            format!("{at}.x-kubernetes-preserve-unknown-fields"),
            &Value::Bool(false),
            "must be true or undefined",
        ));
    }
    let wrong_type = |wanted: &str, key: &str| {
        let why = format!("must be {wanted} if {key} is specified");
        if kind.is_empty() {
            FieldError::required(format!("{at}.type"), why)
        } else {
            FieldError::invalid_str(format!("{at}.type"), kind, why)
        }
    };
    if let Some(map_type) = given(schema, "x-kubernetes-map-type") {
        if kind != "object" {
            errors.push(wrong_type("object", "x-kubernetes-map-type"));
        }
        if map_type != "atomic" && map_type != "granular" {
            errors.push(FieldError::not_supported(
                format!("{at}.x-kubernetes-map-type"),
                map_type,
                &["atomic", "granular"].map(str::to_owned),
            ));
        }
    }
    let list_type = given(schema, "x-kubernetes-list-type");
    let items = given(schema, "items").filter(|i| i.is_object());
    if let Some(list_type) = list_type {
        if kind != "array" {
            errors.push(wrong_type("array", "x-kubernetes-list-type"));
        }
        if list_type == "set"
            && let Some(items) = items
        {
            set_items(items, at, errors);
        }
        if !["atomic", "set", "map"]
            .iter()
            .any(|known| list_type == known)
        {
            errors.push(FieldError::not_supported(
                format!("{at}.x-kubernetes-list-type"),
                list_type,
                &["atomic", "set", "map"].map(str::to_owned),
            ));
        }
    }
    map_keys(schema, list_type, items, at, errors);
}

/// Items of a set are compared as a whole.
fn set_items(items: &Value, at: &str, errors: &mut Vec<FieldError>) {
    let atomic = |key: &str| text(items, &format!("/{key}")) == "atomic";
    let (key, is_atomic) = match text(items, "/type") {
        "array" => (
            "x-kubernetes-list-type",
            atomic("x-kubernetes-list-type") || given(items, "x-kubernetes-list-type").is_none(),
        ),
        "object" => ("x-kubernetes-map-type", atomic("x-kubernetes-map-type")),
        _ => return,
    };
    if !is_atomic {
        errors.push(FieldError::invalid(
            format!("{at}.items.{key}"),
            items.get("x-kubernetes-list-type").unwrap_or(&Value::Null),
            "must be atomic as item of a list with x-kubernetes-list-type=set",
        ));
    }
}

fn map_keys(
    schema: &Value,
    list_type: Option<&Value>,
    items: Option<&Value>,
    at: &str,
    errors: &mut Vec<FieldError>,
) {
    let keys: Vec<&str> = each(schema, "x-kubernetes-list-map-keys")
        .filter_map(|(_, k)| k.as_str())
        .collect();
    let keys_at = format!("{at}.x-kubernetes-list-map-keys");
    let is_map = list_type.is_some_and(|t| t == "map");
    if !keys.is_empty() && !is_map {
        let field = format!("{at}.x-kubernetes-list-type");
        let why = "must be map if x-kubernetes-list-map-keys is non-empty";
        errors.push(match list_type {
            None => FieldError::required(field, why),
            Some(other) => FieldError::invalid(field, other, why),
        });
    }
    if is_map {
        if keys.is_empty() {
            errors.push(FieldError::required(
                &keys_at,
                "must not be empty if x-kubernetes-list-type is map",
            ));
        }
        match items {
            None => errors.push(FieldError::required(
                format!("{at}.items"),
                "must have a schema if x-kubernetes-list-type is map",
            )),
            Some(items) if text(items, "/type") != "object" => {
                errors.push(FieldError::invalid_str(
                    format!("{at}.items.type"),
                    text(items, "/type"),
                    "must be object if parent array's x-kubernetes-list-type is map",
                ));
            }
            Some(items) => scalar_keys(items, &keys, at, &keys_at, errors),
        }
    }
    let (Some(items), true) = (items, is_map || list_type.is_some_and(|t| t == "set")) else {
        return;
    };
    let list_type = list_type.and_then(Value::as_str).unwrap_or_default();
    if flag(items, "nullable") {
        errors.push(FieldError::forbidden(
            format!("{at}.items.nullable"),
            format!("cannot be nullable when x-kubernetes-list-type is {list_type}"),
        ));
    }
    if !is_map {
        return;
    }
    for key in keys {
        let Some(property) = items.get("properties").and_then(|p| p.get(key)) else {
            continue;
        };
        let required = each(items, "required").any(|(_, r)| r == key);
        let field = |member: &str| format!("{at}.items.properties[{key}].{member}");
        if !required && given(property, "default").is_none() {
            errors.push(FieldError::required(
                field("default"),
                "this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property",
            ));
        }
        if flag(property, "nullable") {
            errors.push(FieldError::forbidden(
                field("nullable"),
                "this property is in x-kubernetes-list-map-keys, so it cannot be nullable",
            ));
        }
    }
}

fn scalar_keys(
    items: &Value,
    keys: &[&str],
    at: &str,
    keys_at: &str,
    errors: &mut Vec<FieldError>,
) {
    for (i, key) in keys.iter().enumerate() {
        match items.get("properties").and_then(|p| p.get(key)) {
            None => errors.push(FieldError::invalid(
                keys_at,
                &Value::from(keys.to_vec()),
                "entries must all be names of item properties",
            )),
            Some(property) if matches!(text(property, "/type"), "array" | "object") => {
                errors.push(FieldError::invalid_str(
                    format!("{at}.items.properties[{key}].type"),
                    text(items, "/type"),
                    "must be a scalar type if parent array's x-kubernetes-list-type is map",
                ));
            }
            Some(_) => {}
        }
        if keys[..i].contains(key) {
            errors.push(FieldError::invalid(
                keys_at,
                &Value::from(keys.to_vec()),
                "must not contain duplicate entries",
            ));
        }
    }
}
