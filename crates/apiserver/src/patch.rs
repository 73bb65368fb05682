//! The four kinds of PATCH: decoding, what each makes of an object, and how
//! the answer words what does not fit. The merging itself is in
//! [`crate::json_patch`], [`crate::strategic`] and [`crate::managed`].

use serde_json::{Map, Value};

use crate::core_types::{self, GoType};
use crate::go_decode;
use crate::json_patch::{self, Opened};
use crate::managed;
use crate::meta;
use crate::request::{Call, FieldValidation, Target};
use crate::status::{Failure, FieldError};
use crate::write::decode;

/// Operations of one JSON patch, as in the real server.
const MAX_OPERATIONS: usize = 10_000;

/// A patch. What is wrong with its body is only told when there is an object
/// to patch, as by the real server.
pub(crate) struct Patch {
    form: Result<Form, Failure>,
    apply: bool,
    validation: FieldValidation,
    /// Doubled and unknown members of the patch itself.
    complaints: Vec<String>,
}

enum Form {
    Json(Vec<Value>),
    Merge(Map<String, Value>),
    Strategic(Value),
    Apply {
        config: Value,
        manager: String,
        force: bool,
    },
}

const JSON: &str = "application/json-patch+json";
const MERGE: &str = "application/merge-patch+json";
const STRATEGIC: &str = "application/strategic-merge-patch+json";
const APPLY: &str = "application/apply-patch+yaml";

impl Patch {
    pub(crate) fn decode(call: &Call, target: &Target, body: &[u8]) -> Result<Self, Failure> {
        let media = call.content_type.split(';').next().unwrap_or_default();
        let supported: &[&str] = if target.resource.is_custom() {
            &[JSON, MERGE, APPLY]
        } else {
            &[JSON, MERGE, STRATEGIC, APPLY]
        };
        if !supported.contains(&media) {
            return Err(Failure::unsupported_media_type(supported));
        }
        let apply = media == APPLY;
        let mut errors = Vec::new();
        if !apply && call.query.has("force") {
            errors.push(FieldError::forbidden(
                "force",
                "may not be specified for non-apply patch",
            ));
        }
        let manager = call.query.get("fieldManager").unwrap_or_default();
        if apply && manager.is_empty() {
            errors.push(FieldError::required(
                "fieldManager",
                "is required for apply patch",
            ));
        }
        decode::check_options(call, "PatchOptions", errors)?;
        let mut patch = Self {
            form: Err(Failure::bad_request("")),
            apply,
            validation: FieldValidation::of(&call.query)?,
            complaints: Vec::new(),
        };
        patch.form = match media {
            APPLY => patch.configuration(body).map(|config| Form::Apply {
                config,
                manager: manager.to_owned(),
                force: call.query.flag("force"),
            }),
            JSON => patch.operations(body).map(Form::Json),
            MERGE => patch.members(body).map(Form::Merge),
            _ => patch
                .members(body)
                .map(|members| Form::Strategic(Value::Object(members))),
        };
        Ok(patch)
    }

    /// JSON is YAML; kubectl and client-go send JSON.
    fn configuration(&mut self, body: &[u8]) -> Result<Value, Failure> {
        let config = match crate::json::parse(body) {
            Ok((config, duplicates)) => {
                self.complaints = duplicates;
                config
            }
            Err(_) => crate::yaml::parse(body)
                .map_err(|why| Failure::bad_request(format!("error decoding YAML: {why}")))?,
        };
        if !config.is_object() {
            return Err(Failure::bad_request(format!(
                "error decoding YAML: error unmarshaling JSON: while decoding JSON: json: cannot unmarshal {} into Go value of type map[string]interface {{}}",
                meta::go_kind(&config)
            )));
        }
        if meta::get(&config, "managedFields")
            .and_then(Value::as_array)
            .is_some_and(|entries| !entries.is_empty())
        {
            return Err(Failure::bad_request("metadata.managedFields must be nil"));
        }
        Ok(config)
    }

    fn parse(&self, body: &[u8]) -> Result<(Value, Vec<String>), Failure> {
        crate::json::parse(body).map_err(|error| {
            Failure::bad_request(format!(
                "error decoding patch: {}",
                go_json_error(&error, body)
            ))
        })
    }

    fn operations(&mut self, body: &[u8]) -> Result<Vec<Value>, Failure> {
        let strict = self.validation != FieldValidation::Ignore;
        let wrong = |found: &Value, wanted: &str, plain: &str| {
            let (prefix, wanted) = if strict {
                ("error decoding patch: ", wanted)
            } else {
                ("", plain)
            };
            Failure::bad_request(format!(
                "{prefix}json: cannot unmarshal {} into Go {wanted}",
                meta::go_kind(found)
            ))
        };
        let (value, duplicates) = self.parse(body)?;
        let operations = match value {
            Value::Array(operations) => operations,
            Value::Null => Vec::new(),
            other => {
                return Err(wrong(
                    &other,
                    "value of type []handlers.jsonPatchOp",
                    "value of type jsonpatch.Patch",
                ));
            }
        };
        let mut unknown = Vec::new();
        for (i, operation) in operations.iter().enumerate() {
            let Value::Object(members) = operation else {
                return Err(wrong(
                    operation,
                    "value of type handlers.jsonPatchOp",
                    "value of type jsonpatch.Operation",
                ));
            };
            for (key, value) in members {
                match key.as_str() {
                    "value" => {}
                    "op" | "path" | "from" => {
                        if strict && !value.is_string() && !value.is_null() {
                            let wanted = format!("struct field jsonPatchOp.{key} of type string");
                            return Err(wrong(value, &wanted, ""));
                        }
                    }
                    other => unknown.push(format!("[{i}].{other}")),
                }
            }
        }
        if operations.len() > MAX_OPERATIONS {
            return Err(Failure::new(
                413,
                "RequestEntityTooLarge",
                format!(
                    "Request entity too large: The allowed maximum operations in a JSON patch is {MAX_OPERATIONS}, got {}",
                    operations.len()
                ),
            ));
        }
        self.complaints = decode::complaints(&duplicates, &unknown)
            .into_iter()
            .map(|complaint| format!("json patch {complaint}"))
            .collect();
        Ok(operations)
    }

    fn members(&mut self, body: &[u8]) -> Result<Map<String, Value>, Failure> {
        let (value, duplicates) = self.parse(body)?;
        let Value::Object(members) = value else {
            return Err(Failure::bad_request(format!(
                "error decoding patch: json: cannot unmarshal {} into Go value of type map[string]interface {{}}",
                meta::go_kind(&value)
            )));
        };
        self.complaints = decode::complaints(&duplicates, &[]);
        Ok(members)
    }

    pub(crate) fn is_apply(&self) -> bool {
        self.apply
    }

    /// The object after the patch, in shape. `old` is `None` for an apply that
    /// creates.
    pub(crate) fn apply(
        &self,
        call: &Call,
        target: &Target,
        old: Option<&Value>,
    ) -> Result<Value, Failure> {
        let form = self.form.as_ref().map_err(Clone::clone)?;
        let mut opened = Opened::new();
        let mut new = old.cloned().unwrap_or_default();
        let go = core_types::of_kind(target.resource.behaviour).map(GoType::Struct);
        match form {
            Form::Apply {
                config,
                manager,
                force,
            } => {
                let mut new = managed::apply(
                    call,
                    target,
                    &managed::Application {
                        config,
                        manager,
                        force: *force,
                    },
                    old,
                )?;
                self.complain_of_yaml(call)?;
                call.note_labels(&target.resource, &new);
                let fits = match &go {
                    Some(go) => go_decode::convertible(go, &new),
                    None => Ok(()),
                };
                fits.and_then(|()| decode::shape_applied(target, &mut new))
                    .map_err(|why| {
                        let shown = managed::shown_type(config);
                        let why = format!(
                            "failed to convert new object ({}/{}; {shown}) to proper version: unable to convert unstructured object to {shown}: {why}",
                            meta::text(config, "namespace"),
                            meta::name(config),
                        );
                        Failure::new(500, "", why)
                    })?;
                return Ok(new);
            }
            Form::Json(operations) => {
                if !json_patch::apply(&mut new, operations, &mut opened) {
                    return Err(Failure::unprocessable());
                }
            }
            Form::Merge(members) => json_patch::merge(&mut new, members, &mut opened),
            Form::Strategic(patch) => {
                if let Some(go) = &go {
                    crate::strategic::merge(go, &mut new, patch)?;
                    if let Err(why) = go_decode::convertible(go, &new) {
                        return Err(refused(&strategic_text(patch, old), &why));
                    }
                }
            }
        }
        let shown = |merged: &Value| match form {
            Form::Strategic(patch) => strategic_text(patch, old),
            _ => go_decode::text(go.as_ref(), merged, &opened),
        };
        // What the patch made is only shown when something is wrong with it.
        let merged = new.clone();
        let unknown = decode::check_type_of_patched(target, &mut new)
            .and_then(|()| decode::shape(target, &mut new))
            .map_err(|why| refused(&shown(&merged), &why))?;
        let mut complaints = self.complaints.clone();
        complaints.extend(decode::complaints(&[], &unknown));
        match self.validation {
            FieldValidation::Ignore => {}
            FieldValidation::Warn => complaints.into_iter().for_each(|c| call.warn(c)),
            FieldValidation::Strict if complaints.is_empty() => {}
            FieldValidation::Strict => {
                let why = format!("strict decoding error: {}", complaints.join(", "));
                return Err(refused(&shown(&merged), &why));
            }
        }
        Ok(new)
    }

    /// The scale of an object after a JSON or merge patch of it.
    pub(crate) fn apply_to_scale(&self, scale: &Value) -> Result<Value, Failure> {
        let mut new = scale.clone();
        let mut opened = Opened::new();
        match self.form.as_ref().map_err(Clone::clone)? {
            Form::Json(operations) => {
                if !json_patch::apply(&mut new, operations, &mut opened) {
                    return Err(Failure::unprocessable());
                }
            }
            Form::Merge(members) => json_patch::merge(&mut new, members, &mut opened),
            Form::Strategic(_) | Form::Apply { .. } => {
                return Err(Failure::unsupported_media_type(&[JSON, MERGE]));
            }
        }
        Ok(new)
    }

    fn complain_of_yaml(&self, call: &Call) -> Result<(), Failure> {
        if self.complaints.is_empty() {
            return Ok(());
        }
        let lines: Vec<String> = self
            .complaints
            .iter()
            .map(|path| {
                let key = path.rsplit('.').next().unwrap_or(path);
                format!(
                    "  line 1: key {} already set in map",
                    crate::quote::quote(key)
                )
            })
            .collect();
        let why = format!(
            "error converting YAML to JSON: yaml: unmarshal errors:\n{}",
            lines.join("\n")
        );
        match self.validation {
            FieldValidation::Ignore => Ok(()),
            FieldValidation::Warn => {
                call.warn(why);
                Ok(())
            }
            FieldValidation::Strict => Err(Failure::bad_request(format!(
                "error strict decoding YAML: {why}"
            ))),
        }
    }
}

/// 422 of a patch whose result cannot be decoded.
fn refused(text: &str, why: &str) -> Failure {
    Failure::invalid("", "", "", &[FieldError::invalid_str("patch", text, why)])
}

/// A strategic patch as Go prints the map that is left of it: nulls below what
/// the object does not have are gone (`discardNullValuesFromPatch`).
fn strategic_text(patch: &Value, object: Option<&Value>) -> String {
    fn left(value: &Value, object: Option<&Value>) -> Value {
        match value {
            Value::Object(map) => map
                .iter()
                .filter(|(key, value)| {
                    let replaces = *key == "$patch" && *value == "replace";
                    let nothing = value.is_null() && object.is_none();
                    !nothing
                        && !replaces
                        && *key != "$retainKeys"
                        && !key.starts_with("$setElementOrder/")
                })
                .map(|(key, value)| (key.clone(), left(value, object.and_then(|o| o.get(key)))))
                .collect::<Map<_, _>>()
                .into(),
            other => other.clone(),
        }
    }
    crate::smd::go_plain(&left(patch, object))
}

/// `serde_json`'s error in the words of Go, as far as they are close.
pub(crate) fn go_json_error(error: &serde_json::Error, body: &[u8]) -> String {
    if error.is_eof() {
        return "unexpected end of JSON input".to_owned();
    }
    let at = body
        .split(|c| *c == b'\n')
        .nth(error.line().saturating_sub(1))
        .and_then(|line| line.get(error.column().saturating_sub(1)));
    match at {
        Some(c) if error.is_syntax() => format!(
            "invalid character '{}' looking for beginning of value",
            char::from(*c)
        ),
        _ => error.to_string(),
    }
}
