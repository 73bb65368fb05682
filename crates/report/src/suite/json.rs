//! The suite as one JSON object. Its keys are a contract.

use fixname_replay::{RunResult, SuiteResult, Totals, Trouble};
use serde::Serialize;

use super::SuiteHead;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Report<'a> {
    format_version: u32,
    #[serde(flatten)]
    head: &'a SuiteHead,
    scenarios: &'a [RunResult],
    totals: Totals,
    /// Runs that were planned and did not happen.
    not_run: usize,
    troubles: &'a [Trouble],
    not_judged: &'a [String],
    kept: &'a [String],
}

pub(super) fn render(head: &SuiteHead, result: &SuiteResult) -> String {
    crate::data::json(&Report {
        format_version: 1,
        head,
        scenarios: &result.runs,
        totals: result.totals(),
        not_run: result.not_run(),
        troubles: &result.troubles,
        not_judged: &result.not_judged,
        kept: &result.kept,
    })
}
