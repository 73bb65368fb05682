//! Admission rows: single requests to a real API server with the webhooks of a real
//! Longhorn, sent anew to an API server with the model's. `format` reads them,
//! `play` sends one, and this file compares the answers.

mod format;
mod play;

use fixname_controllers::webhooks::Webhooks;
use serde_json::{Value, json};

pub use format::Row;
use format::{After, Answer, By, Cause, Object, PatchStep};

use super::ConformOptions;
use super::compare::Difference;
use crate::backend::BackendError;
use play::Played;

/// How many orders of Go's maps are tried; texts may hang on them.
pub(super) const ORDERS: u64 = 16;

/// The CPUs of the machine on which the rows were recorded.
const RECORDER_CPUS: u32 = 2;

/// Where the model answers differently, with the order of maps that comes closest.
pub(super) fn differences(
    row: &Row,
    options: &ConformOptions,
) -> Result<(Vec<Difference>, u64), BackendError> {
    let mut webhooks = Webhooks::of(&row.version).map_err(BackendError::new)?;
    webhooks.machine_cpus = Some(RECORDER_CPUS);
    if let Some(tamper) = options.tampering.rules {
        tamper(&mut webhooks.rules);
    }
    let mut best: Option<(Vec<Difference>, u64)> = None;
    for seed in (0..ORDERS).map(|n| options.seed.wrapping_add(n)) {
        let played = play::embedded(row, &webhooks, seed, options.definitions.as_ref())?;
        let found = compare(row, &played);
        if found.is_empty() {
            return Ok((found, seed));
        }
        if best
            .as_ref()
            .is_none_or(|(best, _)| found.len() < best.len())
        {
            best = Some((found, seed));
        }
    }
    Ok(best.unwrap_or_default())
}

pub(super) fn check(row: &Row) -> Result<(), String> {
    row.check()
}

fn compare(row: &Row, played: &Played) -> Vec<Difference> {
    let mut found = Vec::new();
    let mut differ = |field: &str, recorded: Value, model: Value| {
        if recorded != model {
            found.push(Difference {
                step: 1,
                field: field.to_owned(),
                recorded,
                model,
            });
        }
    };
    let (recorded, model) = (&in_order(&row.result), &in_order(&played.answer));
    differ("allowed", json!(recorded.allowed), json!(model.allowed));
    differ("code", json!(recorded.code), json!(model.code));
    differ("message", json!(recorded.message), json!(model.message));
    differ("reason", json!(recorded.reason), json!(model.reason));
    differ("causes", json!(recorded.causes), json!(model.causes));
    differ("by", json!(recorded.by), json!(model.by));
    let patches = (sorted(&recorded.patch), sorted(&model.patch));
    differ("patch", json!(patches.0), json!(patches.1));
    // Of a refused request, no object was recorded.
    if let Some(after) = &row.after {
        differ("after", shown(after), shown(&played.after));
    }
    found
}

/// The errors of a schema by field: the API server walks a map of Go's, and names them
/// in its order.
fn in_order(answer: &Answer) -> Answer {
    let mut answer = answer.clone();
    let listed = |causes: &[Cause]| {
        let causes = causes.iter().map(|c| format!("{}: {}", c.field, c.message));
        causes.collect::<Vec<_>>().join(", ")
    };
    let before = listed(&answer.causes);
    let key = |cause: &Cause| (cause.field.clone(), cause.message.clone());
    answer.causes.sort_by_key(key);
    let after = listed(&answer.causes);
    answer.message = answer.message.map(|text| text.replace(&before, &after));
    answer
}

/// The steps for different places in the order of the places: which disk of a node
/// comes first is chance. Steps for one place stay in their order.
fn sorted(patch: &[PatchStep]) -> Vec<PatchStep> {
    let mut patch = patch.to_vec();
    patch.sort_by(|a, b| a.path.cmp(&b.path));
    patch
}

fn shown(after: &After) -> Value {
    match after {
        After::Gone => json!("gone"),
        After::There(Object { value, deleting }) => {
            let mut value = Value::Object(value.clone());
            if *deleting {
                value["metadata"]["deleting"] = json!(true);
            }
            value
        }
    }
}

/// An answer of an API server: the code, and the body.
fn answer(code: u16, body: &Value, patch: Vec<PatchStep>) -> Answer {
    let allowed = (200..300).contains(&code);
    if allowed {
        return Answer {
            allowed,
            code,
            patch,
            ..Answer::default()
        };
    }
    let text = |field: &str| body[field].as_str().map(str::to_owned);
    let message = text("message");
    let is_from = |webhook: &str| {
        let start = format!("admission webhook \"{webhook}\"");
        message.as_ref().is_some_and(|m| m.starts_with(&start))
    };
    let by = if is_from(fixname_controllers::webhooks::MUTATOR) {
        By::Mutator
    } else if is_from(fixname_controllers::webhooks::VALIDATOR) {
        By::Validator
    } else {
        By::Server
    };
    Answer {
        allowed,
        code,
        reason: text("reason"),
        causes: serde_json::from_value(body["details"]["causes"].clone()).unwrap_or_default(),
        by: Some(by),
        patch,
        message,
    }
}
