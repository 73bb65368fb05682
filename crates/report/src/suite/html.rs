//! The suite as one page: no script, no file beside it, readable in the dark and
//! on paper.

use fixname_naming::LonghornVersion;
use fixname_replay::event::Verdict;
use fixname_replay::{RunResult, SuiteResult};
use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::{SuiteHead, failure_lines, text, totals_line};

const STYLE: &str = include_str!("page.css");

pub(super) fn render(head: &SuiteHead, result: &SuiteResult) -> String {
    let versions = versions(result);
    let verdict = if result.passed() { "passed" } else { "failed" };
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { "fixname replay: " (verdict) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                h1 { "Replay of Longhorn scenarios " span class=(verdict) { (verdict) } }
                p { (totals_line(result)) ". " (about(head)) }
                (troubles(result))
                (matrix(result, &versions))
                (failures(head, result))
                (steps(result))
            }
        }
    };
    let mut text = page.into_string();
    text.push('\n');
    text
}

fn about(head: &SuiteHead) -> String {
    let time = match head.time_scale {
        None => "in virtual time".to_owned(),
        Some(scale) => format!("model time {scale} times as fast as the clock"),
    };
    let scheme = head.name_scheme.as_ref();
    let scheme = scheme.map_or_else(String::new, |scheme| {
        format!(" Every version's model was given the {scheme} name function.")
    });
    format!(
        "Played on the {} API server, {time}, from seed {}.{scheme}",
        head.backend, head.seed
    )
}

fn troubles(result: &SuiteResult) -> Markup {
    html! {
        @if !result.troubles.is_empty() || result.not_run() > 0 {
            section class="trouble" {
                h2 { "Outside of the scenarios" }
                ul {
                    @for trouble in &result.troubles {
                        li { b { (trouble.phase.as_str()) } ": " (trouble.message) }
                    }
                    @if result.not_run() > 0 {
                        li { b { "not run" } ": " (result.not_run()) " of " (result.planned) " runs" }
                    }
                }
            }
        }
        @for missing in &result.not_judged {
            p { b { "Not judged: " } (missing) }
        }
    }
}

/// Versions in the order of their numbers.
fn versions(result: &SuiteResult) -> Vec<LonghornVersion> {
    let mut versions: Vec<_> = result.runs.iter().map(|r| r.longhorn.clone()).collect();
    versions.sort();
    versions.dedup();
    versions
}

/// Scenarios down, versions across.
fn matrix(result: &SuiteResult, versions: &[LonghornVersion]) -> Markup {
    html! {
        @if !result.runs.is_empty() {
            h2 { "Scenarios and versions" }
            div class="wide" {
                table {
                    thead {
                        tr {
                            th { "scenario" }
                            @for version in versions { th { (version) } }
                        }
                    }
                    tbody {
                        @for runs in result.runs.chunk_by(|a, b| a.name == b.name) {
                            tr {
                                th scope="row" { (runs[0].name) small { (runs[0].title) } }
                                @for version in versions { (cell(runs, version)) }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn cell(runs: &[RunResult], version: &LonghornVersion) -> Markup {
    let runs: Vec<RunResult> = runs
        .iter()
        .filter(|r| r.longhorn == *version)
        .cloned()
        .collect();
    html! {
        @if runs.is_empty() {
            td class="none" { "·" }
        } @else if runs.iter().all(|r| r.result == Verdict::Passed) {
            td class="passed" title=(text::summary(&runs)) { "✓ " (text::state(&runs)) }
        } @else {
            td class="failed" title=(text::summary(&runs)) { "✗ failed" }
        }
    }
}

fn failures(head: &SuiteHead, result: &SuiteResult) -> Markup {
    let failed: Vec<_> = result
        .runs
        .iter()
        .filter(|r| r.result == Verdict::Failed)
        .collect();
    html! {
        @if !failed.is_empty() {
            h2 { "Failures" }
            @for run in failed {
                section class="failure" {
                    h3 { (run.name) " under " (run.longhorn) ", seed " (run.seed) }
                    @if let Some(file) = &run.file { p { code { (file) } } }
                    @for failure in &run.failures {
                        pre { (failure_lines(head, run, failure).join("\n")) }
                    }
                }
            }
        }
    }
}

/// What was seen, step by step, for whoever wants to know.
fn steps(result: &SuiteResult) -> Markup {
    html! {
        @if !result.runs.is_empty() {
            h2 { "Every run" }
            @for run in &result.runs {
                details {
                    summary {
                        (run.name) " " (run.longhorn) " seed " (run.seed) " "
                        @if run.result == Verdict::Passed { span class="passed" { "passed" } }
                        @else { span class="failed" { "failed" } }
                    }
                    pre { (text::steps(run)) }
                }
            }
        }
    }
}
