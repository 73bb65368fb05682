//! What is wrong with a CustomResourceDefinition: its names, versions, columns
//! and subresources. Schemas are checked in [`crate::schema::structural`].
//!
//! Texts and order follow `pkg/apis/apiextensions/validation/validation.go` of
//! apiextensions-apiserver v0.34.

use serde_json::{Value, json};

use crate::meta;
use crate::names;
use crate::resource::text;
use crate::schema::path;
use crate::schema::structural;
use crate::status::FieldError;

pub(crate) fn list<'a>(object: &'a Value, pointer: &str) -> &'a [Value] {
    object
        .pointer(pointer)
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

fn flag(object: &Value, pointer: &str) -> bool {
    object
        .pointer(pointer)
        .and_then(Value::as_bool)
        .unwrap_or_default()
}

/// Checks a definition; `old` is what it replaces.
pub(crate) fn validate(object: &Value, old: Option<&Value>) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let group = text(object, "/spec/group");
    let plural = text(object, "/spec/names/plural");
    let name = meta::name(object);
    if old.is_none() && name != format!("{plural}.{group}") {
        errors.push(FieldError::invalid_str(
            "metadata.name",
            name,
            "must be spec.names.plural+\".\"+spec.group",
        ));
    }
    check_group(group, &mut errors);
    match text(object, "/spec/scope") {
        "Namespaced" | "Cluster" => {}
        "" => errors.push(FieldError::required("spec.scope", "")),
        other => errors.push(FieldError::not_supported(
            "spec.scope",
            &Value::from(other),
            &["Cluster", "Namespaced"].map(str::to_owned),
        )),
    }
    check_versions(object, &mut errors);
    check_names(object, &mut errors);
    Shared::of(object).check(object, &mut errors);
    check_conversion(object, &mut errors);
    if flag(object, "/spec/preserveUnknownFields") {
        errors.push(FieldError::invalid(
            "spec.preserveUnknownFields",
            &Value::Bool(true),
            "cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead",
        ));
    }
    if let Some(old) = old {
        errors.extend(changed(object, old));
    }
    check_stored_versions(object, old.is_none(), &mut errors);
    errors
}

fn check_group(group: &str, errors: &mut Vec<FieldError>) {
    if group.is_empty() {
        errors.push(FieldError::required("spec.group", ""));
        return;
    }
    let wrong = names::subdomain_errors(group);
    if !wrong.is_empty() {
        errors.push(FieldError::invalid_str(
            "spec.group",
            group,
            wrong.join(","),
        ));
    } else if !group.contains('.') {
        errors.push(FieldError::invalid_str(
            "spec.group",
            group,
            "should be a domain with at least one dot",
        ));
    }
}

/// What all versions have in common: the real server keeps it once for the
/// whole definition, and its errors name that place.
struct Shared {
    schema: bool,
    subresources: bool,
    columns: bool,
    selectable: bool,
}

impl Shared {
    fn of(object: &Value) -> Self {
        let versions = list(object, "/spec/versions");
        let same = |pointer: &str| {
            let first = versions.first().map(|v| v.pointer(pointer));
            versions.iter().all(|v| Some(v.pointer(pointer)) == first)
        };
        Self {
            schema: same("/schema"),
            subresources: same("/subresources"),
            columns: same("/additionalPrinterColumns"),
            selectable: same("/selectableFields"),
        }
    }

    /// Checks what is kept for the whole definition.
    fn check(&self, object: &Value, errors: &mut Vec<FieldError>) {
        let Some(first) = list(object, "/spec/versions").first() else {
            return;
        };
        if self.schema {
            check_schema(first, "spec.validation", errors);
        }
        if self.subresources {
            check_subresources(first, "spec", errors);
        }
        if self.columns {
            check_columns(first, "spec", errors);
        }
        if self.selectable {
            check_selectable(first, "spec", errors);
        }
    }

    /// The versions as Go prints its internal type. Schemas that differ
    /// between versions are printed as they were sent.
    fn print(&self, versions: &[Value]) -> String {
        let or_null = |shared: bool, version: &Value, key: &str| {
            if shared {
                "null".to_owned()
            } else {
                version.get(key).unwrap_or(&Value::Null).to_string()
            }
        };
        let all: Vec<String> = versions
            .iter()
            .map(|v| {
                format!(
                    "{{\"Name\":{},\"Served\":{},\"Storage\":{},\"Deprecated\":{},\"DeprecationWarning\":{},\"Schema\":{},\"Subresources\":{},\"AdditionalPrinterColumns\":{},\"SelectableFields\":{}}}",
                    json!(text(v, "/name")),
                    flag(v, "/served"),
                    flag(v, "/storage"),
                    flag(v, "/deprecated"),
                    v.get("deprecationWarning").unwrap_or(&Value::Null),
                    or_null(self.schema, v, "schema"),
                    or_null(self.subresources, v, "subresources"),
                    or_null(self.columns, v, "additionalPrinterColumns"),
                    or_null(self.selectable, v, "selectableFields"),
                )
            })
            .collect();
        format!("[{}]", all.join(","))
    }
}

fn check_versions(object: &Value, errors: &mut Vec<FieldError>) {
    let versions = list(object, "/spec/versions");
    let shared = Shared::of(object);
    for (i, version) in versions.iter().enumerate() {
        if version
            .pointer("/schema/openAPIV3Schema")
            .is_none_or(Value::is_null)
        {
            errors.push(FieldError::required(
                format!("spec.versions[{i}].schema.openAPIV3Schema"),
                "",
            ));
        }
    }
    for (i, version) in versions.iter().enumerate() {
        let at = format!("spec.versions[{i}]");
        let wrong = names::dns1035_errors(text(version, "/name"));
        if !wrong.is_empty() {
            errors.push(FieldError::invalid_str(
                format!("{at}.name"),
                text(version, "/name"),
                wrong.join(","),
            ));
        }
        check_deprecation(version, &at, errors);
        if !shared.schema {
            check_schema(version, &format!("{at}.schema"), errors);
        }
        if !shared.subresources {
            check_subresources(version, &at, errors);
        }
        if !shared.columns {
            check_columns(version, &at, errors);
        }
        if !shared.selectable {
            check_selectable(version, &at, errors);
        }
    }
    let mut seen: Vec<&str> = versions.iter().map(|v| text(v, "/name")).collect();
    seen.sort_unstable();
    let storage = versions.iter().filter(|v| flag(v, "/storage")).count();
    let mut wrong = |why: &str| {
        let mut error = FieldError::invalid("spec.versions", &Value::Null, why);
        error.value = Some(shared.print(versions));
        errors.push(error);
    };
    if seen.windows(2).any(|pair| pair[0] == pair[1]) {
        wrong("must contain unique version names");
    }
    if storage != 1 {
        wrong("must have exactly one version marked as storage version");
    }
    if let Some(first) = versions.first() {
        let name = text(first, "/name");
        let why = names::dns1035_errors(name);
        if !why.is_empty() {
            errors.push(FieldError::invalid_str("spec.version", name, why.join(",")));
        }
    }
}

fn check_deprecation(version: &Value, at: &str, errors: &mut Vec<FieldError>) {
    let Some(warning) = version.get("deprecationWarning").and_then(Value::as_str) else {
        return;
    };
    let field = format!("{at}.deprecationWarning");
    let mut wrong = |why: String| errors.push(FieldError::invalid_str(&field, warning, why));
    if !flag(version, "/deprecated") {
        wrong("can only be set for deprecated versions".to_owned());
        return;
    }
    if warning.is_empty() {
        wrong("must not be an empty string".to_owned());
    }
    if warning.len() > 256 {
        wrong("must be <= 256 characters long".to_owned());
    }
    for (i, c) in warning.chars().enumerate() {
        if c.is_control() {
            wrong(format!(
                "must only contain printable UTF-8 characters; non-printable character found at index {i}"
            ));
            break;
        }
    }
}

fn check_schema(version: &Value, at: &str, errors: &mut Vec<FieldError>) {
    if let Some(schema) = version
        .pointer("/schema/openAPIV3Schema")
        .filter(|s| !s.is_null())
    {
        let has_status = version.pointer("/subresources/status").is_some();
        structural::check(schema, &format!("{at}.openAPIV3Schema"), has_status, errors);
    }
}

fn check_names(object: &Value, errors: &mut Vec<FieldError>) {
    for key in ["plural", "singular", "kind", "listKind"] {
        if text(object, &format!("/spec/names/{key}")).is_empty() {
            errors.push(FieldError::required(format!("spec.names.{key}"), ""));
        }
    }
    for key in ["plural", "singular", "kind", "listKind"] {
        let name = text(object, &format!("/spec/names/{key}"));
        if name.is_empty() {
            continue;
        }
        let mixed = key.ends_with("ind");
        let wrong = if mixed {
            names::dns1035_errors(&name.to_lowercase())
        } else {
            names::dns1035_errors(name)
        };
        if !wrong.is_empty() {
            let lead = if mixed {
                "may have mixed case, but should otherwise match: "
            } else {
                ""
            };
            errors.push(FieldError::invalid_str(
                format!("spec.names.{key}"),
                name,
                format!("{lead}{}", wrong.join(",")),
            ));
        }
    }
    each_label(object, "shortNames", errors);
    let kind = text(object, "/spec/names/kind");
    if !kind.is_empty() && kind == text(object, "/spec/names/listKind") {
        errors.push(FieldError::invalid_str(
            "spec.names.listKind",
            kind,
            "kind and listKind may not be the same",
        ));
    }
    each_label(object, "categories", errors);
}

fn each_label(object: &Value, key: &str, errors: &mut Vec<FieldError>) {
    for (i, name) in list(object, &format!("/spec/names/{key}"))
        .iter()
        .enumerate()
    {
        let name = name.as_str().unwrap_or_default();
        let wrong = names::dns1035_errors(name);
        if !wrong.is_empty() {
            errors.push(FieldError::invalid_str(
                format!("spec.names.{key}[{i}]"),
                name,
                wrong.join(","),
            ));
        }
    }
}

const COLUMN_TYPES: [&str; 5] = ["boolean", "date", "integer", "number", "string"];
const COLUMN_FORMATS: [&str; 8] = [
    "byte",
    "date",
    "date-time",
    "double",
    "float",
    "int32",
    "int64",
    "password",
];

fn check_columns(version: &Value, at: &str, errors: &mut Vec<FieldError>) {
    for (i, column) in list(version, "/additionalPrinterColumns")
        .iter()
        .enumerate()
    {
        let at = |key: &str| format!("{at}.additionalPrinterColumns[{i}].{key}");
        if text(column, "/name").is_empty() {
            errors.push(FieldError::required(at("name"), ""));
        }
        let kind = text(column, "/type");
        let one_of = format!("must be one of {}", COLUMN_TYPES.join(","));
        if kind.is_empty() {
            errors.push(FieldError::required(at("type"), one_of));
        } else if !COLUMN_TYPES.contains(&kind) {
            errors.push(FieldError::invalid_str(at("type"), kind, one_of));
        }
        let format = text(column, "/format");
        if !format.is_empty() && !COLUMN_FORMATS.contains(&format) {
            errors.push(FieldError::invalid_str(
                at("format"),
                format,
                format!("must be one of {}", COLUMN_FORMATS.join(",")),
            ));
        }
        let json_path = text(column, "/jsonPath");
        if json_path.is_empty() {
            errors.push(FieldError::required(at("JSONPath"), ""));
        } else {
            errors.extend(simple_path(json_path, &at("JSONPath")));
        }
    }
}

fn simple_path(json_path: &str, field: &str) -> Option<FieldError> {
    (!json_path.starts_with('.')).then(|| {
        FieldError::invalid_str(
            field,
            json_path,
            "must be a simple json path starting with .",
        )
    })
}

fn check_subresources(version: &Value, at: &str, errors: &mut Vec<FieldError>) {
    let Some(scale) = version
        .pointer("/subresources/scale")
        .filter(|s| !s.is_null())
    else {
        return;
    };
    let mut check = |key: &str, roots: &[&str], wrong: &str, required: bool| {
        let field = format!("{at}.subresources.scale.{key}");
        let path = text(scale, &format!("/{key}"));
        if path.is_empty() {
            if required {
                errors.push(FieldError::required(field, ""));
            }
        } else if let Some(error) = simple_path(path, &field) {
            errors.push(error);
        } else if !roots.iter().any(|root| path.starts_with(root)) {
            errors.push(FieldError::invalid_str(field, path, wrong));
        }
    };
    check(
        "specReplicasPath",
        &[".spec."],
        "should be a json path under .spec",
        true,
    );
    check(
        "statusReplicasPath",
        &[".status."],
        "should be a json path under .status",
        true,
    );
    check(
        "labelSelectorPath",
        &[".spec.", ".status."],
        "should be a json path under either .spec or .status",
        false,
    );
}

/// As many as a definition may have.
const MAX_SELECTABLE: usize = 8;

fn check_selectable(version: &Value, at: &str, errors: &mut Vec<FieldError>) {
    let schema = version
        .pointer("/schema/openAPIV3Schema")
        .unwrap_or(&Value::Null);
    let mut seen = Vec::new();
    for (i, selectable) in list(version, "/selectableFields").iter().enumerate() {
        let field = format!("{at}.selectableFields[{i}].jsonPath");
        let json_path = text(selectable, "/jsonPath");
        if json_path.is_empty() {
            errors.push(FieldError::required(field, ""));
            continue;
        }
        let (normal, found) = match path::resolve(json_path, schema, false) {
            Ok(found) => found,
            Err(why) => {
                errors.push(FieldError::invalid_str(
                    field,
                    json_path,
                    format!("is an invalid path: {why}"),
                ));
                continue;
            }
        };
        if normal.split(['.', '[']).next() == Some("metadata") {
            errors.push(FieldError::invalid_str(
                &field,
                json_path,
                "must not point to fields in metadata",
            ));
        }
        if !matches!(text(found, "/type"), "string" | "boolean" | "integer") {
            errors.push(FieldError::invalid_str(
                &field,
                json_path,
                "must point to a field of type string, boolean or integer. Enum string fields and strings with formats are allowed.",
            ));
        }
        if seen.contains(&normal) {
            errors.push(FieldError::duplicate(field, &Value::from(json_path)));
        } else {
            seen.push(normal);
        }
    }
    if seen.len() > MAX_SELECTABLE {
        errors.push(FieldError::too_many(
            format!("{at}.selectableFields"),
            seen.len(),
            MAX_SELECTABLE,
        ));
    }
}

fn check_conversion(object: &Value, errors: &mut Vec<FieldError>) {
    let at = |key: &str| format!("spec.conversion.{key}");
    let config = object
        .pointer("/spec/conversion/webhook/clientConfig")
        .filter(|c| !c.is_null());
    let reviews = list(object, "/spec/conversion/webhook/conversionReviewVersions");
    match text(object, "/spec/conversion/strategy") {
        "Webhook" => {
            let one_of = |c: &Value| {
                c.get("url").is_some_and(|u| !u.is_null())
                    != c.get("service").is_some_and(|s| !s.is_null())
            };
            match config {
                None => errors.push(FieldError::required(
                    at("webhookClientConfig"),
                    "required when strategy is set to Webhook",
                )),
                Some(config) if !one_of(config) => errors.push(FieldError::required(
                    at("webhookClientConfig"),
                    "exactly one of url or service is required",
                )),
                Some(_) => {}
            }
            if reviews.is_empty() {
                errors.push(FieldError::required(at("conversionReviewVersions"), ""));
            }
        }
        "None" => {
            let why = "should not be set when strategy is not set to Webhook";
            if config.is_some() {
                errors.push(FieldError::forbidden(at("webhookClientConfig"), why));
            }
            if !reviews.is_empty() {
                errors.push(FieldError::forbidden(at("conversionReviewVersions"), why));
            }
        }
        "" => errors.push(FieldError::required(at("strategy"), "")),
        other => errors.push(FieldError::not_supported(
            at("strategy"),
            &Value::from(other),
            &["None", "Webhook"].map(str::to_owned),
        )),
    }
}

/// What must not change once a definition is established.
fn changed(new: &Value, old: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    for key in ["scope", "names/kind", "group", "names/plural"] {
        let pointer = format!("/spec/{key}");
        let (before, after) = (text(old, &pointer), text(new, &pointer));
        if before != after {
            errors.push(FieldError::invalid_str(
                format!("spec.{}", key.replace('/', ".")),
                after,
                "field is immutable",
            ));
        }
    }
    errors
}

fn check_stored_versions(object: &Value, fresh: bool, errors: &mut Vec<FieldError>) {
    let versions = list(object, "/spec/versions");
    let storage: Vec<&str> = versions
        .iter()
        .filter(|v| flag(v, "/storage"))
        .map(|v| text(v, "/name"))
        .collect();
    // A new definition is stored in the first version that is marked so.
    let mut stored: Vec<Value> = list(object, "/status/storedVersions").to_vec();
    if fresh {
        stored = storage
            .first()
            .map(|v| Value::from(*v))
            .into_iter()
            .collect();
    } else if let Some(name) = storage.first()
        && !stored.iter().any(|v| v == name)
    {
        stored.push(Value::from(*name));
    }
    if stored.is_empty() {
        errors.push(FieldError::invalid(
            "status.storedVersions",
            &Value::Null,
            "must have at least one stored version",
        ));
        return;
    }
    for name in storage {
        if !stored.iter().any(|v| v == name) {
            errors.push(FieldError::invalid(
                "status.storedVersions",
                &Value::from(stored.clone()),
                format!("must have the storage version {name}"),
            ));
        }
    }
    for (i, version) in stored.iter().enumerate() {
        if !versions.iter().any(|v| v.get("name") == Some(version)) {
            let name = version.as_str().unwrap_or_default();
            errors.push(FieldError::invalid(
                format!("status.storedVersions[{i}]"),
                version,
                format!("missing from spec.versions; {name} was previously a storage version, and must remain in spec.versions until a storage migration ensures no data remains persisted in {name} and removes {name} from status.storedVersions"),
            ));
        }
    }
}
