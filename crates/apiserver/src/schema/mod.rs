//! Structural schemas: parsed once for each definition, then used to prune,
//! default and validate objects.
//!
//! Pruning and defaulting are here; validation is in [`validate`].

pub(crate) mod path;
mod place;
pub(crate) mod rules;
pub(crate) mod structural;
pub(crate) mod validate;

use std::collections::BTreeMap;

use regex::Regex;
use serde_json::{Map, Value};

/// The JSON type that a schema asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Type {
    Object,
    Array,
    String,
    Integer,
    Number,
    Boolean,
}

impl Type {
    fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "object" => Self::Object,
            "array" => Self::Array,
            "string" => Self::String,
            "integer" => Self::Integer,
            "number" => Self::Number,
            "boolean" => Self::Boolean,
            _ => return None,
        })
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Object => "object",
            Self::Array => "array",
            Self::String => "string",
            Self::Integer => "integer",
            Self::Number => "number",
            Self::Boolean => "boolean",
        }
    }
}

/// `additionalProperties`.
#[derive(Debug, Clone, Default)]
pub(crate) enum Additional {
    #[default]
    Unset,
    Allowed(bool),
    Schema(Box<Schema>),
}

/// How a list is merged and checked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) enum ListKind {
    #[default]
    Atomic,
    Set,
    Map(Vec<String>),
}

/// One node of a structural schema.
#[derive(Debug, Clone, Default)]
pub(crate) struct Schema {
    pub(crate) kind: Option<Type>,
    pub(crate) nullable: bool,
    pub(crate) properties: BTreeMap<String, Schema>,
    pub(crate) additional: Additional,
    pub(crate) items: Option<Box<Schema>>,
    pub(crate) required: Vec<String>,
    pub(crate) allowed: Vec<Value>,
    pub(crate) default: Option<Value>,
    pub(crate) format: Option<String>,
    pub(crate) minimum: Option<f64>,
    pub(crate) exclusive_minimum: bool,
    pub(crate) maximum: Option<f64>,
    pub(crate) exclusive_maximum: bool,
    pub(crate) multiple_of: Option<f64>,
    pub(crate) min_length: Option<u64>,
    pub(crate) max_length: Option<u64>,
    pub(crate) min_items: Option<u64>,
    pub(crate) max_items: Option<u64>,
    pub(crate) min_properties: Option<u64>,
    pub(crate) max_properties: Option<u64>,
    pub(crate) unique_items: bool,
    pub(crate) pattern: Option<Pattern>,
    pub(crate) preserve_unknown: bool,
    pub(crate) int_or_string: bool,
    pub(crate) embedded_resource: bool,
    pub(crate) list_kind: ListKind,
    pub(crate) atomic_map: bool,
    pub(crate) all_of: Vec<Schema>,
    pub(crate) any_of: Vec<Schema>,
    pub(crate) one_of: Vec<Schema>,
    pub(crate) not: Option<Box<Schema>>,
    /// Whether any default stands in this node or below it.
    pub(crate) has_defaults: bool,
    pub(crate) rules: Vec<rules::Rule>,
    /// Whether any rule stands in this node or below it.
    pub(crate) has_rules: bool,
    /// Whether there is a resource in this node or below it.
    pub(crate) has_embedded: bool,
    /// Whether there is a list of type `set` or `map` in this node or below it.
    pub(crate) has_list_kinds: bool,
}

/// A `pattern`: its source, and the compiled form if Rust can compile it.
#[derive(Debug, Clone)]
pub(crate) struct Pattern {
    pub(crate) source: String,
    pub(crate) regex: Result<Regex, String>,
}

/// Schemas nest in practice below 30 levels; a deeper one is refused.
const MAX_DEPTH: usize = 100;

impl Schema {
    /// Reads `openAPIV3Schema`.
    pub(crate) fn parse(json: &Value) -> Result<Self, String> {
        Self::parse_at(json, 0)
    }

    fn parse_at(json: &Value, depth: usize) -> Result<Self, String> {
        if depth > MAX_DEPTH {
            return Err(format!("nested deeper than {MAX_DEPTH} levels"));
        }
        let Value::Object(map) = json else {
            return Err("must be an object".to_owned());
        };
        let flag = |key: &str| map.get(key).and_then(Value::as_bool).unwrap_or(false);
        let number = |key: &str| map.get(key).and_then(Value::as_f64);
        let count = |key: &str| map.get(key).and_then(Value::as_u64);
        let list = |key: &str| -> Result<Vec<Schema>, String> {
            map.get(key)
                .and_then(Value::as_array)
                .map(|all| all.iter().map(|s| Self::parse_at(s, depth + 1)).collect())
                .unwrap_or_else(|| Ok(Vec::new()))
        };
        let strings = |key: &str| -> Vec<String> {
            map.get(key)
                .and_then(Value::as_array)
                .map(|all| {
                    all.iter()
                        .filter_map(|v| v.as_str().map(str::to_owned))
                        .collect()
                })
                .unwrap_or_default()
        };
        let mut properties = BTreeMap::new();
        if let Some(Value::Object(all)) = map.get("properties") {
            for (name, schema) in all {
                properties.insert(name.clone(), Self::parse_at(schema, depth + 1)?);
            }
        }
        let additional = match map.get("additionalProperties") {
            None | Some(Value::Null) => Additional::Unset,
            Some(Value::Bool(allowed)) => Additional::Allowed(*allowed),
            Some(schema) => Additional::Schema(Box::new(Self::parse_at(schema, depth + 1)?)),
        };
        let items = match map.get("items") {
            None | Some(Value::Null) => None,
            Some(schema) => Some(Box::new(Self::parse_at(schema, depth + 1)?)),
        };
        let not = match map.get("not") {
            None | Some(Value::Null) => None,
            Some(schema) => Some(Box::new(Self::parse_at(schema, depth + 1)?)),
        };
        let list_kind = match map.get("x-kubernetes-list-type").and_then(Value::as_str) {
            Some("set") => ListKind::Set,
            Some("map") => ListKind::Map(strings("x-kubernetes-list-map-keys")),
            _ => ListKind::Atomic,
        };
        let mut schema = Self {
            kind: map
                .get("type")
                .and_then(Value::as_str)
                .and_then(Type::parse),
            nullable: flag("nullable"),
            properties,
            additional,
            items,
            required: strings("required"),
            allowed: map
                .get("enum")
                .and_then(Value::as_array)
                .cloned()
                .unwrap_or_default(),
            default: map.get("default").filter(|v| !v.is_null()).cloned(),
            format: map.get("format").and_then(Value::as_str).map(str::to_owned),
            minimum: number("minimum"),
            exclusive_minimum: flag("exclusiveMinimum"),
            maximum: number("maximum"),
            exclusive_maximum: flag("exclusiveMaximum"),
            multiple_of: number("multipleOf"),
            min_length: count("minLength"),
            max_length: count("maxLength"),
            min_items: count("minItems"),
            max_items: count("maxItems"),
            min_properties: count("minProperties"),
            max_properties: count("maxProperties"),
            unique_items: flag("uniqueItems"),
            pattern: map
                .get("pattern")
                .and_then(Value::as_str)
                .filter(|p| !p.is_empty())
                .map(|p| Pattern {
                    source: p.to_owned(),
                    regex: Regex::new(p).map_err(|e| e.to_string()),
                }),
            preserve_unknown: flag("x-kubernetes-preserve-unknown-fields"),
            int_or_string: flag("x-kubernetes-int-or-string"),
            embedded_resource: flag("x-kubernetes-embedded-resource"),
            list_kind,
            atomic_map: map.get("x-kubernetes-map-type").and_then(Value::as_str) == Some("atomic"),
            all_of: list("allOf")?,
            any_of: list("anyOf")?,
            one_of: list("oneOf")?,
            not,
            has_defaults: false,
            rules: rules::Rule::parse_all(json),
            has_rules: false,
            has_embedded: false,
            has_list_kinds: false,
        };
        schema.has_defaults = schema.any(|s| s.has_defaults, schema.default.is_some());
        schema.has_rules = schema.any(|s| s.has_rules, !schema.rules.is_empty());
        schema.has_embedded = schema.any(|s| s.has_embedded, schema.embedded_resource);
        let has_kind = schema.list_kind != ListKind::Atomic;
        schema.has_list_kinds = schema.any(|s| s.has_list_kinds, has_kind);
        Ok(schema)
    }

    /// Whether something holds for this node (`own`) or for one just below it.
    fn any(&self, holds: impl Fn(&Self) -> bool, own: bool) -> bool {
        own || self.properties.values().any(&holds)
            || self.items.as_deref().is_some_and(&holds)
            || matches!(&self.additional, Additional::Schema(s) if holds(s))
    }

    /// The schema below `key` of an object: its property, else the schema of
    /// additional properties.
    pub(crate) fn child(&self, key: &str) -> Option<&Schema> {
        self.properties.get(key).or(match &self.additional {
            Additional::Schema(schema) => Some(schema),
            _ => None,
        })
    }

    /// Removes what the schema does not name. Returns the paths of what was
    /// removed, sorted, for strict field validation.
    pub(crate) fn prune(&self, object: &mut Value) -> Vec<String> {
        let mut walk = Prune {
            path: String::new(),
            unknown: Vec::new(),
        };
        if let Value::Object(map) = object {
            walk.object(map, self, true);
        }
        walk.unknown.sort();
        walk.unknown
    }

    /// The same for a value that may stand anywhere.
    pub(crate) fn prune_below(&self, value: &mut Value) -> Vec<String> {
        let mut walk = Prune {
            path: String::new(),
            unknown: Vec::new(),
        };
        walk.value(value, self);
        walk.unknown
    }

    /// Fills defaults in, and drops nulls that the schema does not allow.
    pub(crate) fn default_object(&self, object: &mut Value) {
        self.drop_nulls(object);
        if self.has_defaults {
            fill(object, self);
        }
    }

    /// Fills defaults in, and leaves nulls that have none.
    pub(crate) fn fill_defaults(&self, object: &mut Value) {
        if self.has_defaults {
            fill(object, self);
        }
    }

    /// Drops nulls that the schema neither allows nor replaces by a default.
    pub(crate) fn drop_nulls(&self, object: &mut Value) {
        // Most objects have none, and looking for one takes no schema.
        if has_null(object) {
            drop_nulls(object, self);
        }
    }
}

/// A pattern that does not compile, in the words of Go where they are known.
pub(crate) fn go_regex_error(pattern: &str, error: &regex::Error) -> String {
    let text = error.to_string();
    if text.contains("unclosed group") {
        return format!("error parsing regexp: missing closing ): `{pattern}`");
    }
    if text.contains("unclosed character class") {
        let at = pattern.rfind('[').unwrap_or_default();
        return format!(
            "error parsing regexp: missing closing ]: `{}`",
            &pattern[at..]
        );
    }
    if text.contains("repetition operator missing expression") {
        let op = pattern.find(['*', '+', '?']).unwrap_or_default();
        return format!(
            "error parsing regexp: missing argument to repetition operator: `{}`",
            &pattern[op..=op]
        );
    }
    text.replace('\n', " ")
}

const META: [&str; 3] = ["apiVersion", "kind", "metadata"];

struct Prune {
    path: String,
    unknown: Vec<String>,
}

impl Prune {
    fn below(&mut self, key: &str, step: impl FnOnce(&mut Self)) {
        let length = self.path.len();
        if !self.path.is_empty() {
            self.path.push('.');
        }
        self.path.push_str(key);
        step(self);
        self.path.truncate(length);
    }

    fn value(&mut self, value: &mut Value, schema: &Schema) {
        match value {
            Value::Object(map) => self.object(map, schema, schema.embedded_resource),
            Value::Array(items) => {
                for (i, item) in items.iter_mut().enumerate() {
                    let length = self.path.len();
                    self.path.push_str(&format!("[{i}]"));
                    match &schema.items {
                        Some(schema) => self.value(item, schema),
                        None if schema.preserve_unknown => {}
                        None => self.unknown_value(item),
                    }
                    self.path.truncate(length);
                }
            }
            _ => {}
        }
    }

    /// Below a list without an item schema every member is unknown.
    fn unknown_value(&mut self, value: &mut Value) {
        match value {
            Value::Object(map) => {
                for key in map.keys().cloned().collect::<Vec<_>>() {
                    self.below(&key, |walk| walk.unknown.push(walk.path.clone()));
                }
                map.clear();
            }
            Value::Array(items) => items.iter_mut().for_each(|item| self.unknown_value(item)),
            _ => {}
        }
    }

    fn object(&mut self, map: &mut Map<String, Value>, schema: &Schema, resource: bool) {
        let mut unknown: Vec<String> = Vec::new();
        for (key, value) in map.iter_mut() {
            if resource && META.contains(&key.as_str()) {
                continue;
            }
            match schema.child(key) {
                Some(child) => {
                    if matches!(value, Value::Object(_) | Value::Array(_)) {
                        self.below(key, |walk| walk.value(value, child));
                    }
                }
                None if schema.preserve_unknown => {}
                // `additionalProperties: true` keeps the key, and empties what is below it.
                None if matches!(schema.additional, Additional::Allowed(true)) => {
                    self.below(key, |walk| walk.unknown_value(value));
                }
                None => unknown.push(key.clone()),
            }
        }
        for key in unknown {
            map.remove(&key);
            self.below(&key, |walk| walk.unknown.push(walk.path.clone()));
        }
    }
}

fn has_null(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.iter().any(has_null),
        Value::Object(map) => map.values().any(has_null),
        _ => false,
    }
}

fn drop_nulls(value: &mut Value, schema: &Schema) {
    match value {
        Value::Object(map) => {
            map.retain(|key, value| {
                !value.is_null()
                    || schema
                        .child(key)
                        .is_none_or(|s| s.nullable || s.default.is_some())
            });
            for (key, value) in map.iter_mut() {
                if let Some(schema) = schema.child(key) {
                    drop_nulls(value, schema);
                }
            }
        }
        Value::Array(items) => {
            if let Some(schema) = &schema.items {
                for item in items {
                    drop_nulls(item, schema);
                }
            }
        }
        _ => {}
    }
}

fn fill(value: &mut Value, schema: &Schema) {
    if !schema.has_defaults {
        return;
    }
    match value {
        Value::Object(map) => {
            for (key, property) in &schema.properties {
                let Some(default) = &property.default else {
                    continue;
                };
                let missing = match map.get(key) {
                    None => true,
                    Some(value) => value.is_null() && !property.nullable,
                };
                if missing {
                    map.insert(key.clone(), default.clone());
                }
            }
            for (key, value) in map.iter_mut() {
                if let Some(child) = schema.child(key) {
                    if value.is_null()
                        && !child.nullable
                        && let Some(default) = &child.default
                    {
                        *value = default.clone();
                    }
                    fill(value, child);
                }
            }
        }
        Value::Array(items) => {
            if let Some(schema) = &schema.items {
                for item in items {
                    if item.is_null()
                        && !schema.nullable
                        && let Some(default) = &schema.default
                    {
                        *item = default.clone();
                    }
                    fill(item, schema);
                }
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn schema(json: &Value) -> Schema {
        Schema::parse(json).expect("the test's schema is well formed")
    }

    #[test]
    fn pruning_names_what_it_removed() {
        let schema = schema(&json!({"type": "object", "properties": {
            "spec": {"type": "object", "properties": {
                "a": {"type": "string"},
                "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
                "list": {"type": "array", "items": {"type": "object", "properties": {"x": {"type": "integer"}}}}}}}}));
        let mut object = json!({"apiVersion": "v1", "kind": "K", "metadata": {"name": "n", "odd": 1},
            "spec": {"a": "1", "b": 2, "free": {"z": {"y": 1}}, "list": [{"x": 1, "w": 2}]}, "top": 1});
        assert_eq!(
            schema.prune(&mut object),
            ["spec.b", "spec.list[0].w", "top"]
        );
        assert_eq!(
            object["spec"],
            json!({"a": "1", "free": {"z": {"y": 1}}, "list": [{"x": 1}]})
        );
    }

    #[test]
    fn a_default_fills_what_is_missing_or_null_and_needs_its_parent() {
        let schema = schema(&json!({"type": "object", "properties": {
            "spec": {"type": "object", "properties": {
                "n": {"type": "integer", "default": 3},
                "plain": {"type": "string"},
                "null": {"type": "string", "nullable": true, "default": "x"}}}}}));
        let mut object = json!({"spec": {"n": null, "plain": null, "null": null}});
        schema.default_object(&mut object);
        assert_eq!(object, json!({"spec": {"n": 3, "null": null}}));
        let mut object = json!({});
        schema.default_object(&mut object);
        assert_eq!(object, json!({}));
    }
}
