//! JUnit's XML. Suites and cases stand in the order in which they ran.

use fixname_replay::event::Verdict;
use fixname_replay::{RunResult, SuiteResult};
use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use super::{SuiteHead, failure_lines};

/// The suite that holds what went wrong outside of any scenario.
const ITSELF: &str = "fixname replay";

pub(super) fn render(head: &SuiteHead, result: &SuiteResult) -> String {
    let mut report = Report::new(format!("{ITSELF} on {}", head.backend));
    for runs in result.runs.chunk_by(|a, b| a.name == b.name) {
        let mut suite = TestSuite::new(&runs[0].name);
        suite.add_test_cases(runs.iter().map(|run| case(head, run)));
        report.add_test_suite(suite);
    }
    let mut itself = TestSuite::new(ITSELF);
    for trouble in &result.troubles {
        itself.add_test_case(error(trouble.phase.as_str(), &trouble.message));
    }
    if result.not_run() > 0 {
        let message = format!("{} of {} runs", result.not_run(), result.planned);
        itself.add_test_case(error("not run", &message));
    } else if result.runs.is_empty() && result.troubles.is_empty() {
        itself.add_test_case(error("nothing ran", "no scenario was played"));
    }
    for missing in &result.not_judged {
        let mut status = TestCaseStatus::skipped();
        status.set_message(missing.as_str());
        itself.add_test_case(TestCase::new("not judged", status));
    }
    if !itself.test_cases.is_empty() {
        report.add_test_suite(itself);
    }
    let mut xml = report
        .to_string()
        .expect("characters that XML does not know were taken out");
    if !xml.ends_with('\n') {
        xml.push('\n');
    }
    xml
}

fn case(head: &SuiteHead, run: &RunResult) -> TestCase {
    let status = match run.result {
        Verdict::Passed => TestCaseStatus::success(),
        Verdict::Failed => {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
            if let Some(first) = run.failures.first() {
                status.set_message(format!("{}: expected {}", first.step, first.expected));
            }
            let texts = run
                .failures
                .iter()
                .map(|failure| failure_lines(head, run, failure).join("\n"));
            status.set_description(texts.collect::<Vec<_>>().join("\n\n"));
            status
        }
    };
    let mut case = TestCase::new(format!("{} seed {}", run.longhorn, run.seed), status);
    case.set_classname(&run.name);
    case.set_time(run.duration);
    case
}

fn error(name: &str, message: &str) -> TestCase {
    let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
    status.set_message(message);
    let mut case = TestCase::new(name, status);
    case.set_classname(ITSELF);
    case
}
