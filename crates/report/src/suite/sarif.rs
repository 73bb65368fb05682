//! SARIF 2.1.0: a result for each failure, at the line of its step.

use fixname_replay::{Phase, SuiteResult};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use serde_sarif::sarif;

use super::{SuiteHead, failure_lines, totals_line};

pub(super) fn render(head: &SuiteHead, result: &SuiteResult) -> String {
    let mut results = Vec::new();
    for run in &result.runs {
        for failure in &run.failures {
            let text = format!(
                "{} under {}, seed {}\n{}",
                run.name,
                run.longhorn,
                run.seed,
                failure_lines(head, run, failure).join("\n")
            );
            let location = run.file.as_deref().map(|file| place(file, failure.line));
            results.push(error("scenario-failed", text, location));
        }
    }
    for trouble in &result.troubles {
        results.push(error(trouble.phase.as_str(), trouble.message.clone(), None));
    }
    if !result.passed() && results.is_empty() {
        results.push(error("not-run", totals_line(result), None));
    }
    let rules: Vec<_> = RULES.iter().map(|(id, text)| rule(id, text)).collect();
    let driver = sarif::ToolComponent::builder()
        .name("fixname")
        .version(env!("CARGO_PKG_VERSION"))
        .information_uri("https://github.com/longhorn/longhorn/issues/11455")
        .rules(rules)
        .build();
    let run = sarif::Run::builder()
        .tool(sarif::Tool::builder().driver(driver).build())
        .invocations(vec![
            sarif::Invocation::builder()
                .execution_successful(result.passed())
                .build(),
        ])
        .results(results)
        .build();
    let document = sarif::Sarif::builder()
        .version(sarif::Version::V2_1_0.to_string())
        .schema(sarif::SCHEMA_URL)
        .runs(vec![run])
        .build();
    crate::data::json(&document)
}

/// What a result can be about.
const RULES: [(&str, &str); 8] = [
    ("scenario-failed", "A run of a scenario failed"),
    ("not-run", "Runs that were planned did not happen"),
    (Phase::Input.as_str(), "Scenarios could not be read"),
    (
        Phase::Environment.as_str(),
        "The API server could not be made or reached",
    ),
    (Phase::CleanUp.as_str(), "Something was left behind"),
    (Phase::Report.as_str(), "A report could not be written"),
    (
        Phase::Timeout.as_str(),
        "The suite took longer than allowed",
    ),
    (Phase::Interrupted.as_str(), "The suite was interrupted"),
];

fn rule(id: &str, text: &str) -> sarif::ReportingDescriptor {
    let text = sarif::MultiformatMessageString::builder()
        .text(text)
        .build();
    sarif::ReportingDescriptor::builder()
        .id(id)
        .short_description(text)
        .build()
}

/// What a path in a URI reference may not have as it is (RFC 3986, 3.3).
const NOT_IN_A_PATH: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'%')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'[')
    .add(b']')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

fn place(file: &str, line: Option<u64>) -> sarif::Location {
    let path = file.replace('\\', "/");
    let artifact = sarif::ArtifactLocation::builder()
        .uri(utf8_percent_encode(&path, NOT_IN_A_PATH).to_string())
        .build();
    let line = line.and_then(|line| i64::try_from(line).ok()).unwrap_or(1);
    let region = sarif::Region::builder().start_line(line).build();
    let place = sarif::PhysicalLocation::builder()
        .artifact_location(artifact)
        .region(region)
        .build();
    sarif::Location::builder().physical_location(place).build()
}

fn error(rule: &str, text: String, location: Option<sarif::Location>) -> sarif::Result {
    let message = sarif::Message::builder().text(text).build();
    let result = sarif::Result::builder()
        .rule_id(rule)
        .level(sarif::ResultLevel::Error)
        .message(message);
    match location {
        Some(location) => result.locations(vec![location]).build(),
        None => result.build(),
    }
}
