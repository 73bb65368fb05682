//! Conditions in CEL that are no rules of a schema: the match conditions of
//! webhooks (`apiserver/pkg/admission/plugin/webhook/matchconditions`, v1.34).
//!
//! They see `object`, `oldObject`, `request` and `namespaceObject` (null), and
//! no `authorizer`: this server lets everybody who gets in do everything.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use serde_json::Value;

use super::types::Type;
use super::{checker, library};
use crate::resource::text;
use crate::status::FieldError;

/// The variables that every condition sees.
const VARIABLES: [&str; 4] = ["object", "oldObject", "namespaceObject", "request"];

/// A condition as it is evaluated. One that does not compile is never stored.
#[derive(Debug, Clone)]
pub(crate) struct Condition {
    source: String,
    program: Option<Arc<cel::Program>>,
}

impl Condition {
    /// The `matchConditions` of a webhook.
    pub(crate) fn parse_all(conditions: &Value) -> Vec<Self> {
        let all = conditions.as_array().into_iter().flatten();
        all.map(|condition| {
            let source = text(condition, "/expression").to_owned();
            Self {
                program: library::environment().compile(&source).ok().map(Arc::new),
                source,
            }
        })
        .collect()
    }
}

/// As many as a webhook may have.
const MOST: usize = 64;

/// What is wrong with the conditions that stand at `at`.
pub(crate) fn check(conditions: &Value, at: &str, errors: &mut Vec<FieldError>) {
    let all = conditions.as_array().map_or(&[][..], Vec::as_slice);
    if all.len() > MOST {
        errors.push(FieldError::too_many(at, all.len(), MOST));
    }
    let mut names: Vec<&str> = Vec::new();
    for (i, condition) in all.iter().enumerate() {
        let place = |key: &str| format!("{at}[{i}].{key}");
        let source = text(condition, "/expression").trim();
        if source.is_empty() {
            errors.push(FieldError::required(place("expression"), ""));
        } else if let Err(why) = compiles(source) {
            errors.push(FieldError::invalid_str(place("expression"), source, why));
        }
        let name = text(condition, "/name");
        if name.is_empty() {
            errors.push(FieldError::required(place("name"), ""));
            continue;
        }
        for why in crate::names::qualified_errors(name) {
            errors.push(FieldError::invalid_str(place("name"), name, why));
        }
        if names.contains(&name) {
            errors.push(FieldError::duplicate(place("name"), &Value::from(name)));
        }
        names.push(name);
    }
}

fn compiles(source: &str) -> Result<(), String> {
    if let Ok(program) = library::environment().compile(source) {
        for absent in ["authorizer", "authorizer.requestResource"] {
            if program.references().has_variable(absent) {
                return Err("this server has no authorizer that a condition could ask".to_owned());
            }
        }
    }
    let variables = VARIABLES.map(|name| match name {
        "request" => (name, request_type()),
        other => (other, Type::Dyn),
    });
    let (_, result) = checker::compile(source, variables.to_vec())
        .map_err(|why| format!("compilation failed: {why}"))?;
    match result {
        Type::Bool => Ok(()),
        other => Err(format!("must evaluate to bool but got {other}")),
    }
}

/// `BuildRequestType` of `plugin/cel/compile.go`.
fn request_type() -> Type {
    let object = |members: &[(&str, Type)]| {
        let members = members.iter().cloned();
        Type::Object(
            members
                .map(|(k, of)| (k.to_owned(), of))
                .collect::<BTreeMap<_, _>>(),
        )
    };
    let texts = || Type::list(Type::String);
    let kind = object(&["group", "version", "kind"].map(|k| (k, Type::String)));
    let resource = object(&["group", "version", "resource"].map(|k| (k, Type::String)));
    let user = object(&[
        ("username", Type::String),
        ("uid", Type::String),
        ("groups", texts()),
        (
            "extra",
            Type::Map(Box::new(Type::String), Box::new(texts())),
        ),
    ]);
    object(&[
        ("kind", kind.clone()),
        ("resource", resource.clone()),
        ("subResource", Type::String),
        ("requestKind", kind),
        ("requestResource", resource),
        ("requestSubResource", Type::String),
        ("name", Type::String),
        ("namespace", Type::String),
        ("operation", Type::String),
        ("userInfo", user),
        ("dryRun", Type::Bool),
        ("options", Type::Dyn),
    ])
}

/// Whether all conditions hold. `request` is the webhook's message: what a
/// condition sees of the request, and the two objects beside it.
///
/// The error is what went wrong, when none of the others says no.
pub(crate) fn all_hold(conditions: &[Condition], request: &Value) -> Result<bool, String> {
    let mut seen = request.clone();
    let mut take = |key: &str| match &mut seen {
        Value::Object(map) => map.remove(key).unwrap_or_default(),
        _ => Value::Null,
    };
    let (object, old) = (take("object"), take("oldObject"));
    take("uid");
    let mut context = cel::Context::with_env(library::environment());
    for (name, value) in VARIABLES.iter().zip([&object, &old, &Value::Null, &seen]) {
        context.add_variable_from_value(*name, plain(value));
    }
    let mut wrong = Vec::new();
    for condition in conditions {
        let Some(program) = &condition.program else {
            continue;
        };
        match program.execute(&context) {
            Ok(cel::Value::Bool(false)) => return Ok(false),
            Ok(_) => {}
            Err(why) => wrong.push(format!(
                "expression '{}' resulted in error: {}",
                condition.source,
                library::go_error(&why)
            )),
        }
    }
    wrong.dedup();
    match wrong.len() {
        0 => Ok(true),
        1 => Err(wrong.remove(0)),
        _ => Err(format!("[{}]", wrong.join(", "))),
    }
}

/// JSON without a schema.
fn plain(json: &Value) -> cel::Value {
    match json {
        Value::Null => cel::Value::Null,
        Value::Bool(b) => cel::Value::Bool(*b),
        Value::Number(n) => n.as_i64().map_or_else(
            || cel::Value::Float(n.as_f64().unwrap_or_default()),
            cel::Value::Int,
        ),
        Value::String(text) => text.as_str().into(),
        Value::Array(items) => {
            let items: Vec<cel::Value> = items.iter().map(plain).collect();
            cel::Value::List(Arc::new(items))
        }
        Value::Object(members) => {
            let members = members.iter().map(|(k, v)| (k.clone(), plain(v)));
            cel::Value::from(members.collect::<HashMap<String, cel::Value>>())
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn decide(expressions: &[&str]) -> Result<bool, String> {
        let all: Vec<Value> = expressions
            .iter()
            .map(|e| json!({"expression": e}))
            .collect();
        let request = json!({"uid": "u", "operation": "CREATE", "userInfo": {"groups": ["g"]},
            "object": {"metadata": {"labels": {"a": "b"}}}, "oldObject": null});
        all_hold(&Condition::parse_all(&json!(all)), &request)
    }

    #[test]
    fn one_no_counts_more_than_an_error() {
        assert_eq!(
            decide(&[
                "request.operation == 'CREATE'",
                "'g' in request.userInfo.groups"
            ]),
            Ok(true)
        );
        assert_eq!(decide(&["object.metadata.labels.a == 'c'"]), Ok(false));
        assert_eq!(
            decide(&["object.data.x == 'y'", "oldObject != null"]),
            Ok(false)
        );
        assert_eq!(
            decide(&["object.data.x == 'y'", "oldObject == null"]),
            Err(
                "expression 'object.data.x == 'y'' resulted in error: no such key: data".to_owned()
            )
        );
    }

    #[test]
    fn what_cannot_work_is_refused_when_it_is_stored() {
        let wrong = |expression: &str| {
            let mut errors = Vec::new();
            check(
                &json!([{"name": "n", "expression": expression}]),
                "c",
                &mut errors,
            );
            errors.first().map(FieldError::text)
        };
        assert_eq!(wrong("object.a.b == request.name"), None);
        assert_eq!(
            wrong("request.odd == 'x'"),
            Some("c[0].expression: Invalid value: \"request.odd == 'x'\": compilation failed: ERROR: <input>:1:8: undefined field 'odd'\n | request.odd == 'x'\n | .......^".to_owned())
        );
        assert_eq!(
            wrong("request.name"),
            Some("c[0].expression: Invalid value: \"request.name\": must evaluate to bool but got string".to_owned())
        );
        let asks = "authorizer.group('').resource('pods').check('get').allowed()";
        assert!(wrong(asks).is_some_and(|why| why.contains("no authorizer")));
    }
}
