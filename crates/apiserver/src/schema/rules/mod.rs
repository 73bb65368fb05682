//! Rules in CEL that a schema carries (`x-kubernetes-validations`): what is
//! wrong with them when they are defined, and what they say about an object.
//!
//! Types are checked in [`checker`], values are made in [`values`], functions
//! that Kubernetes adds to the language are in [`library`]. Texts follow
//! `pkg/apiserver/schema/cel` of apiextensions-apiserver v0.34.

mod checker;
pub(crate) mod conditions;
mod functions;
mod library;
mod types;
mod values;

use std::sync::Arc;

use serde_json::{Value, json};

use super::{Additional, ListKind, Schema, path};
use crate::resource::text;
use crate::status::FieldError;
use types::Type;

/// A rule as it is evaluated.
#[derive(Debug, Clone)]
pub(crate) struct Rule {
    source: String,
    message: String,
    reason: String,
    /// Where the error is shown, below the value that the rule is about.
    field: String,
    program: Option<Arc<cel::Program>>,
    message_program: Option<Arc<cel::Program>>,
    uses_old: bool,
    optional_old: bool,
}

impl Rule {
    /// The rules that stand in `schema`. One that does not compile is never
    /// stored: [`check`] refuses the definition.
    pub(super) fn parse_all(schema: &Value) -> Vec<Self> {
        schema
            .get("x-kubernetes-validations")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .map(|rule| Self::parse(rule, schema))
            .collect()
    }

    fn parse(rule: &Value, schema: &Value) -> Self {
        let compile = |key: &str| {
            let source = text(rule, key);
            (!source.trim().is_empty())
                .then(|| library::environment().compile(source).ok())
                .flatten()
                .map(Arc::new)
        };
        let program = compile("/rule");
        Self {
            source: text(rule, "/rule").trim().to_owned(),
            message: text(rule, "/message").trim().to_owned(),
            reason: text(rule, "/reason").to_owned(),
            field: path::resolve(text(rule, "/fieldPath"), schema, true)
                .map(|(normal, _)| normal)
                .unwrap_or_default(),
            uses_old: program.as_ref().is_some_and(|p| uses_old(p)),
            program,
            message_program: compile("/messageExpression"),
            optional_old: rule.get("optionalOldSelf") == Some(&Value::Bool(true)),
        }
    }

    fn shown(&self) -> &str {
        if self.message.is_empty() {
            &self.source
        } else {
            &self.message
        }
    }
}

/// Whether the old value is named; a variable of a macro may hide it.
fn uses_old(program: &cel::Program) -> bool {
    program.references().has_variable("oldSelf")
}

/// Checks the rules of one schema node. Expressions are compiled only if the
/// schema itself is sound.
pub(super) fn check(
    schema: &Value,
    at: &str,
    root: bool,
    compile: bool,
    uncorrelated: Option<&str>,
    errors: &mut Vec<FieldError>,
    rule_errors: &mut Vec<FieldError>,
) {
    let Some(Value::Array(rules)) = schema.get("x-kubernetes-validations") else {
        return;
    };
    let before = errors.len();
    for (i, rule) in rules.iter().enumerate() {
        form(
            rule,
            schema,
            &format!("{at}.x-kubernetes-validations[{i}]"),
            errors,
        );
    }
    if !compile || errors.len() > before {
        return;
    }
    let scope = Type::of(schema, root);
    for (i, rule) in rules.iter().enumerate() {
        let at = format!("{at}.x-kubernetes-validations[{i}]");
        compiles(rule, &scope, uncorrelated, &at, rule_errors);
    }
}

const REASONS: [&str; 4] = [
    "FieldValueDuplicate",
    "FieldValueForbidden",
    "FieldValueInvalid",
    "FieldValueRequired",
];

/// What can be said about a rule without reading its expressions.
fn form(rule: &Value, schema: &Value, at: &str, errors: &mut Vec<FieldError>) {
    let breaks = |s: &str| s.contains(['\n', '\r']);
    let field = |key: &str| format!("{at}.{key}");
    let source = text(rule, "/rule").trim();
    let message = text(rule, "/message");
    if source.is_empty() {
        errors.push(FieldError::required(field("rule"), "rule is not specified"));
    } else if !message.is_empty() && message.trim().is_empty() {
        errors.push(FieldError::invalid_str(
            field("message"),
            message,
            "must be non-empty if specified",
        ));
    } else if breaks(message.trim()) {
        errors.push(FieldError::invalid_str(
            field("message"),
            message,
            "must not contain line breaks",
        ));
    } else if breaks(source) && message.trim().is_empty() {
        errors.push(FieldError::required(
            field("message"),
            "message must be specified if rule contains line breaks",
        ));
    }
    let expression = text(rule, "/messageExpression");
    if !expression.is_empty() && expression.trim().is_empty() {
        errors.push(FieldError::required(
            field("messageExpression"),
            "messageExpression must be non-empty if specified",
        ));
    }
    if let Some(reason) = rule.get("reason").filter(|r| !r.is_null())
        && !REASONS.iter().any(|known| reason == known)
    {
        errors.push(FieldError::not_supported(
            field("reason"),
            reason,
            &REASONS.map(str::to_owned),
        ));
    }
    let target = text(rule, "/fieldPath");
    if target.is_empty() {
        return;
    }
    let mut wrong =
        |why: &str| errors.push(FieldError::invalid_str(field("fieldPath"), target, why));
    if target.trim().is_empty() {
        wrong("must be non-empty if specified");
    }
    if breaks(target) {
        wrong("must not contain line breaks");
    }
    if path::resolve(target, schema, true).is_err() {
        wrong("must be a valid path");
    }
}

/// Compiles a rule and its message, and checks their types.
fn compiles(
    rule: &Value,
    scope: &Type,
    uncorrelated: Option<&str>,
    at: &str,
    errors: &mut Vec<FieldError>,
) {
    let field = |key: &str| format!("{at}.{key}");
    let invalid = |key: &str, why: String| {
        let mut error = FieldError::invalid(field(key), &Value::Null, why);
        error.value = Some(printed(rule));
        error
    };
    let optional_old = rule.get("optionalOldSelf") == Some(&Value::Bool(true));
    let old = if optional_old {
        Type::Optional(Box::new(scope.clone()))
    } else {
        scope.clone()
    };
    let variables = || vec![("self", scope.clone()), ("oldSelf", old.clone())];
    let compiled = match checker::compile(text(rule, "/rule"), variables()) {
        Err(why) => {
            errors.push(invalid("rule", format!("compilation failed: {why}")));
            None
        }
        Ok((_, result)) if result != Type::Bool => {
            errors.push(invalid(
                "rule",
                "cel expression must evaluate to a bool".to_owned(),
            ));
            None
        }
        Ok((program, _)) => Some(program),
    };
    let message = text(rule, "/messageExpression");
    if compiled.is_some() && !message.trim().is_empty() {
        match checker::compile(message, variables()) {
            Err(why) => errors.push(invalid(
                "messageExpression",
                format!("messageExpression compilation failed: {why}"),
            )),
            Ok((_, result)) if result != Type::String => errors.push(invalid(
                "messageExpression",
                "messageExpression must evaluate to a string".to_owned(),
            )),
            Ok(_) => {}
        }
    }
    let uses_old = compiled.as_ref().is_some_and(uses_old);
    if uses_old {
        if let Some(place) = uncorrelated {
            errors.push(FieldError::invalid_str(
                field("rule"),
                text(rule, "/rule"),
                format!("oldSelf cannot be used on the uncorrelatable portion of the schema within {place}"),
            ));
        }
    } else if let Some(given) = rule.get("optionalOldSelf").filter(|o| !o.is_null()) {
        errors.push(FieldError::invalid(
            field("optionalOldSelf"),
            given,
            "may not be set if oldSelf is not used in rule",
        ));
    }
}

/// A rule as Go prints its internal type; Go's JSON escapes `<`, `>` and `&`.
fn printed(rule: &Value) -> String {
    let member = |key: &str| json!(text(rule, key)).to_string();
    let optional = |key: &str| rule.get(key).unwrap_or(&Value::Null).to_string();
    format!(
        "{{\"Rule\":{},\"Message\":{},\"MessageExpression\":{},\"Reason\":{},\"FieldPath\":{},\"OptionalOldSelf\":{}}}",
        member("/rule"),
        member("/message"),
        member("/messageExpression"),
        optional("reason"),
        member("/fieldPath"),
        optional("optionalOldSelf"),
    )
    .replace('<', "\\u003c")
    .replace('>', "\\u003e")
    .replace('&', "\\u0026")
}

/// What the rules say about an object.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    pub(crate) errors: Vec<FieldError>,
    /// Failures of values that have not changed: only warned about.
    pub(crate) warnings: Vec<String>,
}

/// Evaluates all rules of `schema` over `new`; `old` is what it replaces.
pub(crate) fn evaluate(schema: &Schema, new: &Value, old: Option<&Value>) -> Verdict {
    let mut verdict = Verdict::default();
    if schema.has_rules {
        visit(schema, new, old, "", true, &mut verdict);
    }
    verdict
}

fn visit(
    schema: &Schema,
    new: &Value,
    old: Option<&Value>,
    at: &str,
    root: bool,
    verdict: &mut Verdict,
) {
    if !schema.has_rules || new.is_null() {
        return;
    }
    here(schema, new, old, at, root, verdict);
    match new {
        Value::Object(members) => {
            let old = old
                .and_then(Value::as_object)
                .filter(|_| !schema.atomic_map);
            for (key, member) in members {
                let before = old.and_then(|o| o.get(key));
                if let Some(property) = schema.properties.get(key) {
                    let at = if at.is_empty() {
                        key.clone()
                    } else {
                        format!("{at}.{key}")
                    };
                    visit(property, member, before, &at, false, verdict);
                } else if let Additional::Schema(rest) = &schema.additional {
                    visit(
                        rest,
                        member,
                        before,
                        &format!("{at}[{key}]"),
                        false,
                        verdict,
                    );
                }
            }
        }
        Value::Array(items) => {
            let Some(below) = &schema.items else { return };
            let old = old.and_then(Value::as_array);
            for (i, item) in items.iter().enumerate() {
                let before = match (&schema.list_kind, old) {
                    (ListKind::Map(keys), Some(old)) => old
                        .iter()
                        .find(|o| keys.iter().all(|k| o.get(k) == item.get(k))),
                    _ => None,
                };
                visit(below, item, before, &format!("{at}[{i}]"), false, verdict);
            }
        }
        _ => {}
    }
}

/// The rules of one node.
fn here(
    schema: &Schema,
    new: &Value,
    old: Option<&Value>,
    at: &str,
    root: bool,
    verdict: &mut Verdict,
) {
    if schema.rules.is_empty() {
        return;
    }
    let kind = schema.kind.map_or("", super::Type::name);
    let unchanged = old == Some(new);
    let own = values::value(schema, new, root);
    let before = old
        .filter(|o| !o.is_null())
        .map(|old| values::value(schema, old, root));
    for rule in &schema.rules {
        let Some(program) = &rule.program else {
            continue;
        };
        // A transition has something to say only where there was a value.
        if rule.uses_old && before.is_none() && !rule.optional_old {
            continue;
        }
        let mut context = cel::Context::with_env(library::environment());
        context.add_variable_from_value("self", own.clone());
        match (rule.optional_old, &before) {
            (true, before) => {
                let optional = before.clone().map_or_else(
                    cel::objects::OptionalValue::none,
                    cel::objects::OptionalValue::of,
                );
                context.add_variable_from_value("oldSelf", cel::Value::Opaque(Arc::new(optional)));
            }
            (false, Some(before)) => context.add_variable_from_value("oldSelf", before.clone()),
            (false, None) => {}
        }
        let error = match program.execute(&context) {
            Ok(cel::Value::Bool(true)) => continue,
            Ok(_) => failed(rule, kind, at, &context),
            Err(why) => {
                let why = library::go_error(&why);
                let why = if why.starts_with("no such overload") {
                    format!(
                        "'{why}': call arguments did not match a supported operator, function or macro signature for rule: {}",
                        rule.shown()
                    )
                } else {
                    format!("{why} evaluating rule: {}", rule.shown())
                };
                verdict.errors.push(FieldError::invalid_str(at, kind, why));
                continue;
            }
        };
        if unchanged && !rule.uses_old {
            verdict.warnings.push(error.text());
        } else {
            verdict.errors.push(error);
        }
    }
}

/// As long as a message from an expression may be.
const MAX_MESSAGE: usize = 5 * 1024;

fn failed(rule: &Rule, kind: &str, at: &str, context: &cel::Context<'_, '_>) -> FieldError {
    let said = rule.message_program.as_ref().and_then(|program| {
        let Ok(cel::Value::String(text)) = program.execute(context) else {
            return None;
        };
        let text = text.trim();
        let fits = !text.is_empty() && text.len() <= MAX_MESSAGE && !text.contains(['\n', '\r']);
        fits.then(|| text.to_owned())
    });
    let detail = said.unwrap_or_else(|| {
        if rule.message.is_empty() {
            format!("failed rule: {}", rule.source)
        } else {
            rule.message.clone()
        }
    });
    let field = match (at, rule.field.as_str()) {
        (at, "") => at.to_owned(),
        ("", field) => field.to_owned(),
        (at, field) => format!("{at}.{field}"),
    };
    match rule.reason.as_str() {
        "FieldValueForbidden" => FieldError::forbidden(field, detail),
        "FieldValueRequired" => FieldError::required(field, detail),
        "FieldValueDuplicate" => FieldError::duplicate(field, &Value::from(kind)),
        _ => FieldError::invalid_str(field, kind, detail),
    }
}
