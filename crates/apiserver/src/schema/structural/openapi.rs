//! Keywords that Kubernetes does not support, and those that need each other
//! (`pkg/apis/apiextensions/validation/validation.go`).

use serde_json::{Map, Value};

use super::extensions::extensions;
use super::{each, flag, given, members};
use crate::resource::text;
use crate::status::FieldError;

/// Whether the walk is inside the metadata of a resource.
#[derive(Clone, Copy, PartialEq)]
enum Insides {
    Nothing,
    Metadata,
}

#[derive(Clone)]
pub(super) struct Walk {
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
    pub(super) fn root(rules: bool) -> Self {
        Self {
            insides: Insides::Nothing,
            forbidden_default: None,
            root: true,
            rules,
            uncorrelated: None,
        }
    }

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
pub(super) struct Found {
    pub(super) schema: Vec<FieldError>,
    pub(super) rules: Vec<FieldError>,
}

const TYPES: [&str; 6] = ["array", "boolean", "integer", "number", "object", "string"];

/// Keywords that Kubernetes does not support, and those that need each other.
pub(super) fn openapi(schema: &Value, at: &str, walk: &Walk, found: &mut Found) {
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
    crate::schema::rules::check(
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
