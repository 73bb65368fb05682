//! Workflow commands of GitHub Actions
//! (docs.github.com, "Workflow commands for GitHub Actions").

use fixname_replay::SuiteResult;

use super::{SuiteHead, failure_lines, totals_line};

pub(super) fn render(head: &SuiteHead, result: &SuiteResult) -> String {
    let mut text = String::new();
    for run in &result.runs {
        for failure in &run.failures {
            let title = format!("{} under {}, seed {}", run.name, run.longhorn, run.seed);
            let message = failure_lines(head, run, failure).join("\n");
            let place = run.file.as_deref().map(|file| (file, failure.line));
            text.push_str(&error(&title, place, &message));
        }
    }
    for trouble in &result.troubles {
        let title = format!("fixname replay: {}", trouble.phase.as_str());
        text.push_str(&error(&title, None, &trouble.message));
    }
    let level = if result.passed() { "notice" } else { "error" };
    text.push_str(&format!(
        "::{level} title=fixname replay::{}\n",
        data(&totals_line(result))
    ));
    for missing in &result.not_judged {
        text.push_str(&format!("::warning title=not judged::{}\n", data(missing)));
    }
    text
}

fn error(title: &str, place: Option<(&str, Option<u64>)>, message: &str) -> String {
    let mut properties = Vec::new();
    if let Some((file, line)) = place {
        properties.push(format!("file={}", property(file)));
        properties.extend(line.map(|line| format!("line={line}")));
    }
    properties.push(format!("title={}", property(title)));
    format!("::error {}::{}\n", properties.join(","), data(message))
}

/// A message stands on one line.
fn data(text: &str) -> String {
    text.replace('%', "%25")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}

/// A property also ends at a colon or a comma.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
