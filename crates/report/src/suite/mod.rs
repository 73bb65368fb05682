//! What a suite of scenarios showed, in every form: text while it runs, and
//! documents made from the finished [`SuiteResult`] and nothing else.
//!
//! Each document holds every failed run, every [`Trouble`](fixname_replay::Trouble)
//! of the suite itself, and how many planned runs did not happen, so that no
//! reader of only one of them takes a failed suite for a good one.

use fixname_replay::{Failure, RunResult, SuiteResult};
use serde::Serialize;

mod events;
mod github;
mod html;
mod json;
mod junit;
mod sarif;
mod story;
mod text;

pub use text::{Detail, SuiteText};

/// Where and how a suite was run, for the report's head.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SuiteHead {
    /// The backend's name on the command line.
    pub backend: &'static str,
    /// Model seconds in a real one; `None` for virtual time.
    pub time_scale: Option<f64>,
    /// The first seed.
    pub seed: u64,
    /// How many scenarios.
    #[serde(skip)]
    pub scenarios: usize,
    /// The name function given to all models instead of their own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name_scheme: Option<String>,
    /// What of the model is played, as the command line has it: `all`, `none`, or
    /// names of parts.
    pub play: String,
}

/// The forms of a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Document {
    /// One JSON object.
    Json,
    /// JSON Lines: the events of the suite in their order. With virtual time, two
    /// suites from one seed give the same bytes.
    JsonLines,
    /// JUnit's XML, a suite for each scenario and a case for each run.
    Junit,
    /// A page of its own, without scripts.
    Html,
    /// SARIF 2.1.0: a result for each failure, at its step's line.
    Sarif,
    /// Workflow commands of GitHub Actions, which show failures beside the files.
    Github,
}

impl Document {
    /// The whole document, with a newline at its end.
    pub fn render(self, head: &SuiteHead, result: &SuiteResult) -> String {
        match self {
            Self::Json => json::render(head, result),
            Self::JsonLines => events::render(head, result),
            Self::Junit => junit::render(head, result),
            Self::Html => html::render(head, result),
            Self::Sarif => sarif::render(head, result),
            Self::Github => github::render(head, result),
        }
    }
}

/// The command that runs just this again, but for where a kubeconfig is.
fn again(head: &SuiteHead, run: &RunResult) -> String {
    let mut command = format!(
        "fixname replay {} --select {} --longhorn {} --seed {} --repeat 1",
        run.file.as_deref().unwrap_or("PATH"),
        run.name,
        run.longhorn,
        run.seed
    );
    if let Some(scale) = head.time_scale {
        command.push_str(&format!(" --backend {} --time-scale {scale}", head.backend));
    }
    if let Some(scheme) = &head.name_scheme {
        command.push_str(&format!(" --name-scheme {scheme}"));
    }
    if head.play != "all" {
        command.push_str(&format!(" --play {}", head.play));
    }
    command
}

/// A failure as lines of plain text.
fn failure_lines(head: &SuiteHead, run: &RunResult, failure: &Failure) -> Vec<String> {
    let mut lines = vec![
        format!("step:     {}", failure.step),
        format!("expected: {}", failure.expected),
    ];
    for (index, found) in failure.found.iter().enumerate() {
        let label = if index == 0 { "found:   " } else { "         " };
        lines.push(format!("{label} {found}"));
    }
    lines.push(format!("again:    {}", again(head, run)));
    if let Some(kept) = &run.kept {
        lines.push(format!("kept:     {kept}"));
    }
    if !failure.log.is_empty() {
        lines.push("the manager's last lines (model time):".to_owned());
        lines.extend(failure.log.iter().map(|line| format!("  {line}")));
    }
    lines
}

/// The whole suite in a sentence: `76 runs: 75 passed, 1 failed, 2 not run`.
fn totals_line(result: &SuiteResult) -> String {
    let totals = result.totals();
    let mut line = format!(
        "{}: {} passed, {} failed",
        crate::text::count(result.runs.len(), "run"),
        totals.passed,
        totals.failed
    );
    if result.not_run() > 0 {
        line.push_str(&format!(", {} not run", result.not_run()));
    }
    line
}

#[cfg(test)]
mod tests;
