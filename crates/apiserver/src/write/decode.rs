//! The body of a write: decoding, its type, and its shape (pruned, defaulted,
//! unknown and doubled fields answered as the request asks).

use serde_json::Value;

use crate::meta;
use crate::quote::quote;
use crate::request::{Call, FieldValidation, Target};
use crate::resource::{split_group_version, text};
use crate::status::{Failure, FieldError};

/// Decodes a body that must be one object of the target's kind.
pub(super) fn decode(call: &Call, target: &Target, body: &[u8]) -> Result<Value, Failure> {
    let resource = &target.resource;
    let media = call
        .content_type
        .split(';')
        .next()
        .unwrap_or_default()
        .trim();
    if !matches!(media, "" | "application/json" | "*/*") {
        return Err(Failure::unsupported_media_type(&[
            "application/json",
            "application/yaml",
            "application/vnd.kubernetes.protobuf",
        ]));
    }
    let unrecognised = |why: String| {
        let mut shown: String =
            String::from_utf8_lossy(body.get(..30).unwrap_or(body)).into_owned();
        if body.len() > 30 {
            shown.push_str(" ...");
        }
        if body.first() != Some(&b'{') {
            let head = body.get(..30).unwrap_or(body);
            shown = head.iter().map(|b| format!("{b:02x}")).collect();
            if body.len() > 30 {
                shown.push_str(" ...");
            }
        }
        if body.is_empty() {
            shown = "<empty>".to_owned();
        }
        Failure::bad_request(format!(
            "the object provided is unrecognized (must be of type {}): {why} ({shown})",
            resource.kind
        ))
    };
    if body.is_empty() {
        return Err(unrecognised(
            "couldn't get version/kind; json parse error: unexpected end of JSON input".to_owned(),
        ));
    }
    let (mut object, duplicates) = crate::json::parse(body).map_err(|e| {
        let why = if e.is_eof() {
            "unexpected end of JSON input".to_owned()
        } else {
            e.to_string()
        };
        unrecognised(format!(
            "couldn't get version/kind; json parse error: {why}"
        ))
    })?;
    check_type_meta(&object).map_err(unrecognised)?;
    let without_kind = object.is_object() && text(&object, "/kind").is_empty();
    if resource.is_custom() && (without_kind || object.is_null()) {
        return Err(unrecognised(format!(
            "Object 'Kind' is missing in '{}'",
            String::from_utf8_lossy(body)
        )));
    }
    if object.is_null() && !resource.is_custom() {
        object = Value::Object(serde_json::Map::new());
    }
    if !object.is_object() {
        return Err(unrecognised(format!(
            "couldn't get version/kind; json parse error: json: cannot unmarshal {} into Go value of type struct {{ APIVersion string \"json:\\\"apiVersion,omitempty\\\"\"; Kind string \"json:\\\"kind,omitempty\\\"\" }}",
            meta::go_kind(&object)
        )));
    }
    if resource.is_custom() && object.get("apiVersion").is_some_and(Value::is_null) {
        return Err(Failure::bad_request(format!(
            "{} in version \"\" cannot be handled as a {}: .apiVersion accessor error: <nil> is of the type <nil>, expected string",
            text(&object, "/kind"),
            resource.kind
        )));
    }
    check_type(target, &mut object)?;
    call.note_labels(resource, &object);
    shape_body(call, target, &mut object, body, &duplicates)?;
    Ok(object)
}

/// The members that say an object's type are read before anything else
/// (`apimachinery/pkg/runtime/serializer/json/meta.go`, v1.34).
fn check_type_meta(object: &Value) -> Result<(), String> {
    let members = object.as_object().into_iter().flatten();
    let mut odd = members.filter(|(key, value)| {
        matches!(key.as_str(), "apiVersion" | "kind") && !value.is_string() && !value.is_null()
    });
    if let Some((key, value)) = odd.next() {
        return Err(format!(
            "couldn't get version/kind; json parse error: json: cannot unmarshal {} into Go struct field .{key} of type string",
            meta::go_kind(value)
        ));
    }
    let api_version = text(object, "/apiVersion");
    if api_version.matches('/').count() > 1 {
        return Err(format!("unexpected GroupVersion string: {api_version}"));
    }
    Ok(())
}

/// Checks `apiVersion` and `kind`; core kinds get them when they are missing.
fn check_type(target: &Target, object: &mut Value) -> Result<(), Failure> {
    let resource = &target.resource;
    if !resource.is_custom() {
        fill_type(target, object);
        let (kind, api_version) = (text(object, "/kind"), text(object, "/apiVersion"));
        let (_, version) = split_group_version(api_version);
        check_core_type(target, object).map_err(|why| {
            Failure::bad_request(format!(
                "{kind} in version {} cannot be handled as a {}: {why}",
                quote(version),
                resource.kind,
            ))
        })?;
    }
    check_stated_type(target, object)
}

fn check_stated_type(target: &Target, object: &Value) -> Result<(), Failure> {
    let resource = &target.resource;
    let (api_version, kind) = (text(object, "/apiVersion"), text(object, "/kind"));
    if kind.is_empty() {
        return Err(Failure::bad_request(format!(
            "Object 'Kind' is missing in '{object}'"
        )));
    }
    if api_version != resource.api_version() {
        return Err(Failure::bad_request(format!(
            "the API version in the data ({api_version}) does not match the expected API version ({})",
            resource.api_version()
        )));
    }
    Ok(())
}

fn fill_type(target: &Target, object: &mut Value) {
    let resource = &target.resource;
    for (key, value) in [
        ("apiVersion", resource.api_version()),
        ("kind", resource.kind.clone()),
    ] {
        if text(object, &format!("/{key}")).is_empty() {
            object[key] = Value::String(value);
        }
    }
}

/// An object for one of the server's own kinds is decoded as what it says that it
/// is, and then converted to what it should be.
fn check_core_type(target: &Target, object: &Value) -> Result<(), String> {
    let resource = &target.resource;
    let (api_version, kind) = (text(object, "/apiVersion"), text(object, "/kind"));
    let (group, version) = split_group_version(api_version);
    let known = crate::builtin::kind(group, kind);
    if version != "v1" || (known.is_none() && !crate::builtin::is_other_kind(group, kind)) {
        return Err(format!(
            "no kind {} is registered for version {} in scheme \"pkg/runtime/scheme.go:110\"",
            quote(kind),
            quote(api_version)
        ));
    }
    if kind == resource.kind {
        return Ok(());
    }
    if let Some(id) = known.and_then(crate::core_types::of_kind) {
        crate::go_decode::decode(id, object.clone(), "")?;
    }
    let package = match resource.group.split('.').next() {
        None | Some("" | "events") => "core",
        Some(name) => name,
    };
    Err(format!(
        "converting ({version}.{kind}) to ({package}.{}): unknown conversion",
        resource.kind
    ))
}

/// Prunes and defaults a decoded body; unknown and doubled fields are answered
/// as the request asks.
fn shape_body(
    call: &Call,
    target: &Target,
    object: &mut Value,
    body: &[u8],
    duplicates: &[String],
) -> Result<(), Failure> {
    let resource = &target.resource;
    let fail = |why: &str| {
        Failure::bad_request(format!(
            "{} in version {} cannot be handled as a {}: {why}",
            resource.kind,
            quote(&resource.version),
            resource.kind
        ))
    };
    let unknown = shape(target, object).map_err(|why| fail(&why))?;
    // Go's decoder skips what a struct does not have.
    let skipped = |path: &String| {
        !resource.is_custom()
            && unknown.iter().any(|gone| {
                let rest = path.strip_prefix(gone.as_str());
                rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
            })
    };
    let doubled: Vec<String> = duplicates.iter().filter(|p| !skipped(p)).cloned().collect();
    let mut complaints = if resource.is_custom() || doubled.len() + unknown.len() < 2 {
        complaints(&doubled, &unknown)
    } else {
        // Go's decoder tells of both as it meets them; of custom resources the
        // unknown fields are only found when they are pruned.
        let both = doubled.iter().map(|path| (true, path.clone()));
        let both = both.chain(unknown.iter().map(|path| (false, path.clone())));
        let ordered = crate::json::in_order(body, both.collect());
        let shown = |(doubled, path): (bool, String)| {
            let kind = if doubled { "duplicate" } else { "unknown" };
            format!("{kind} field {}", quote(&path))
        };
        ordered.into_iter().map(shown).collect()
    };
    if let Some(doubled) = &call.doubled_in_yaml {
        complaints.insert(0, doubled.clone());
    }
    match FieldValidation::of(&call.query)? {
        FieldValidation::Ignore => {}
        FieldValidation::Warn => complaints.into_iter().for_each(|c| call.warn(c)),
        FieldValidation::Strict if complaints.is_empty() => {}
        FieldValidation::Strict => {
            return Err(fail(&format!(
                "strict decoding error: {}",
                complaints.join(", ")
            )));
        }
    }
    Ok(())
}

/// What strict validation says of doubled and unknown fields.
pub(crate) fn complaints(duplicates: &[String], unknown: &[String]) -> Vec<String> {
    duplicates
        .iter()
        .map(|path| format!("duplicate field {}", quote(path)))
        .chain(
            unknown
                .iter()
                .map(|path| format!("unknown field {}", quote(path))),
        )
        .collect()
}

/// Brings an object into the shape that Go's types, or the definition's
/// schema, give it; the unknown fields, or why it cannot be decoded.
pub(crate) fn shape(target: &Target, object: &mut Value) -> Result<Vec<String>, String> {
    let resource = &target.resource;
    if let Some(id) = crate::core_types::of_kind(resource.behaviour) {
        // An empty list asks for the records to be forgotten; Go tells it from
        // none at all.
        let reset = meta::get(object, "managedFields")
            .and_then(Value::as_array)
            .is_some_and(Vec::is_empty);
        let decoded = crate::go_decode::decode(id, std::mem::take(object), "")?;
        *object = Value::Object(decoded.object);
        if reset {
            meta::set(object, "managedFields", Some(serde_json::json!([{}])));
        }
        crate::core_rules::default(resource.behaviour, object);
        return Ok(decoded.unknown);
    }
    let mut unknown = meta::normalise(object)?;
    match &resource.schema {
        Some(schema) => {
            unknown.extend(schema.prune(object));
            schema.default_object(object);
        }
        None if resource.is_custom() => {}
        None => unknown.extend(crate::crd::shape(object)),
    }
    Ok(unknown)
}

/// The same for what an apply has made, whose nulls stay for the schema to
/// judge.
pub(crate) fn shape_applied(target: &Target, object: &mut Value) -> Result<(), String> {
    match &target.resource.schema {
        Some(schema) if target.resource.is_custom() => {
            meta::normalise(object)?;
            schema.fill_defaults(object);
            Ok(())
        }
        _ => shape(target, object).map(drop),
    }
}

/// The type of an object that a patch has made. Another type of a custom
/// resource is refused later, with what else is wrong.
pub(crate) fn check_type_of_patched(target: &Target, object: &mut Value) -> Result<(), String> {
    check_type_meta(object)?;
    if target.resource.is_custom() {
        if !text(object, "/kind").is_empty() {
            return Ok(());
        }
    } else {
        if text(object, "/apiVersion").is_empty() && !text(object, "/kind").is_empty() {
            // Decoded as the internal version, whose members have no names in JSON.
            *object = serde_json::json!({});
        }
        fill_type(target, object);
        check_core_type(target, object)?;
    }
    check_stated_type(target, object).map_err(|failure| failure.message().to_owned())
}

/// The options that every write has, as the real server checks them;
/// `errors` are those that were found already.
pub(crate) fn check_options(
    call: &Call,
    options: &str,
    mut errors: Vec<FieldError>,
) -> Result<(), Failure> {
    if let Some(manager) = call.query.get("fieldManager") {
        if manager.len() > 128 {
            errors.push(FieldError::too_long("fieldManager", 128));
        }
        if let Some((at, bad)) = manager.chars().enumerate().find(|(_, c)| c.is_control()) {
            let why = format!(
                "invalid character U+{:04X} (at position {at})",
                u32::from(bad)
            );
            errors.push(FieldError::invalid_str("fieldManager", manager, why));
        }
    }
    let dry_run: Vec<&str> = call.query.all("dryRun").collect();
    if dry_run.iter().any(|value| *value != "All") {
        errors.push(FieldError::not_supported(
            "dryRun",
            &serde_json::json!(dry_run),
            &["All".to_owned()],
        ));
    }
    let validation = call.query.get("fieldValidation").unwrap_or_default();
    if !matches!(validation, "" | "Ignore" | "Warn" | "Strict") {
        errors.push(FieldError::not_supported(
            "fieldValidation",
            &Value::from(validation),
            &["", "Ignore", "Strict", "Warn"].map(str::to_owned),
        ));
    }
    if errors.is_empty() {
        return Ok(());
    }
    Err(Failure::invalid("meta.k8s.io", options, "", &errors))
}
