//! The suite as a stream of events, one JSON object a line. Wall time is left
//! out: what remains is the same for each run with one seed in virtual time.

use fixname_naming::LonghornVersion;
use fixname_replay::event::{StepResult, Verdict};
use fixname_replay::{Failure, SuiteResult, Trouble};
use serde::Serialize;

use super::SuiteHead;

#[derive(Serialize)]
#[serde(
    tag = "event",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
enum Event<'a> {
    SuiteStarted {
        format_version: u32,
        #[serde(flatten)]
        head: &'a SuiteHead,
        planned: usize,
    },
    RunStarted {
        name: &'a str,
        title: &'a str,
        longhorn: String,
        seed: u64,
    },
    StepFinished {
        #[serde(flatten)]
        step: &'a StepResult,
    },
    Failed {
        #[serde(flatten)]
        failure: &'a Failure,
    },
    RunFinished {
        name: &'a str,
        longhorn: String,
        seed: u64,
        result: Verdict,
        model_seconds: u64,
    },
    Trouble {
        #[serde(flatten)]
        trouble: &'a Trouble,
    },
    SuiteFinished {
        passed: usize,
        failed: usize,
        not_run: usize,
        not_judged: &'a [String],
        /// Whether everything planned ran and passed, and nothing else went wrong.
        good: bool,
    },
}

pub(super) fn render(head: &SuiteHead, result: &SuiteResult) -> String {
    let version = |longhorn: &LonghornVersion| longhorn.to_string();
    let mut events = vec![Event::SuiteStarted {
        format_version: 1,
        head,
        planned: result.planned,
    }];
    for run in &result.runs {
        events.push(Event::RunStarted {
            name: &run.name,
            title: &run.title,
            longhorn: version(&run.longhorn),
            seed: run.seed,
        });
        events.extend(run.steps.iter().map(|step| Event::StepFinished { step }));
        events.extend(run.failures.iter().map(|failure| Event::Failed { failure }));
        events.push(Event::RunFinished {
            name: &run.name,
            longhorn: version(&run.longhorn),
            seed: run.seed,
            result: run.result,
            model_seconds: run.model_time.as_secs(),
        });
    }
    events.extend(
        result
            .troubles
            .iter()
            .map(|trouble| Event::Trouble { trouble }),
    );
    let totals = result.totals();
    events.push(Event::SuiteFinished {
        passed: totals.passed,
        failed: totals.failed,
        not_run: result.not_run(),
        not_judged: &result.not_judged,
        good: result.passed(),
    });
    let mut text = String::new();
    for event in &events {
        let line = serde_json::to_string(event)
            .expect("only a map whose keys are no text cannot be written as JSON");
        text.push_str(&line);
        text.push('\n');
    }
    text
}
