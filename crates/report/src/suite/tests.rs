//! A fault of each kind must be in every document.

use std::time::Duration;

use fixname_replay::event::Verdict;
use fixname_replay::{Failure, Phase, RunResult, SuiteResult};

use super::{Document, SuiteHead};

const ALL: [Document; 6] = [
    Document::Json,
    Document::JsonLines,
    Document::Junit,
    Document::Html,
    Document::Sarif,
    Document::Github,
];

fn head() -> SuiteHead {
    SuiteHead {
        backend: "embedded",
        time_scale: None,
        seed: 1,
        scenarios: 1,
        name_scheme: None,
        play: "all".to_owned(),
    }
}

fn run(name: &str, seed: u64, failures: Vec<Failure>) -> RunResult {
    RunResult {
        name: name.to_owned(),
        title: format!("the title of {name}"),
        file: Some("scenarios/a,b: 100%.yaml".to_owned()),
        longhorn: "v1.9.1".parse().unwrap(),
        result: match failures.is_empty() {
            true => Verdict::Passed,
            false => Verdict::Failed,
        },
        duration: Duration::from_millis(12),
        model_time: Duration::from_secs(95),
        seed,
        steps: Vec::new(),
        failures,
        kept: None,
    }
}

/// A failure with everything in it that could break a format.
fn failure() -> Failure {
    Failure {
        step: "step <1> \"quoted\" & ::warning::".to_owned(),
        line: Some(17),
        expected: "EXPECTED ]]> 100%".to_owned(),
        found: vec![
            "FOUND \u{1b}[31m\u{0}red".to_owned(),
            "line\r\ntwo".to_owned(),
        ],
        log: vec!["LOGGED </pre><script>alert(1)</script>".to_owned()],
    }
}

fn failed() -> SuiteResult {
    SuiteResult {
        runs: vec![
            run("good", 1, Vec::new()),
            run("bad", 1, vec![failure()]),
            run("good", 2, Vec::new()),
        ],
        planned: 3,
        ..SuiteResult::default()
    }
}

#[test]
fn a_failed_run_is_in_every_document() {
    for document in ALL {
        let text = document.render(&head(), &failed());
        let mut words = vec!["bad", "v1.9.1", "EXPECTED", "FOUND", "LOGGED"];
        // Programs have the parts of the command as members.
        if !matches!(document, Document::Json | Document::JsonLines) {
            words.push("--seed 1 --repeat 1");
        }
        for word in words {
            assert!(text.contains(word), "{document:?} lacks {word}: {text}");
        }
        assert!(text.ends_with('\n'), "{document:?}");
    }
}

#[test]
fn trouble_of_each_phase_is_in_every_document() {
    for phase in [
        Phase::Input,
        Phase::Environment,
        Phase::CleanUp,
        Phase::Report,
        Phase::Timeout,
        Phase::Interrupted,
    ] {
        // All runs passed: nothing but the trouble says that it failed.
        let mut result = failed();
        result.runs.remove(1);
        result.planned = 2;
        assert!(result.passed());
        let good = ALL.map(|document| document.render(&head(), &result));
        result.add_trouble(phase, "WHAT <went> wrong & why");
        assert!(!result.passed());
        for (document, good) in ALL.into_iter().zip(good) {
            let text = document.render(&head(), &result);
            assert!(
                text.contains(phase.as_str()),
                "{document:?} {phase:?}: {text}"
            );
            assert!(text.contains("WHAT "), "{document:?} {phase:?}: {text}");
            assert_ne!(text, good);
        }
    }
}

#[test]
fn runs_that_did_not_happen_are_in_every_document() {
    let mut result = failed();
    result.runs.remove(1);
    result.planned = 9;
    for (document, word) in [
        (Document::Json, "\"notRun\": 7"),
        (Document::JsonLines, "\"notRun\":7"),
        (Document::Junit, "7 of 9 runs"),
        (Document::Html, "7 of 9 runs"),
        (Document::Sarif, "7 not run"),
        (
            Document::Github,
            "::error title=fixname replay::2 runs: 2 passed, 0 failed, 7 not run",
        ),
    ] {
        let text = document.render(&head(), &result);
        assert!(text.contains(word), "{document:?}: {text}");
    }
}

#[test]
fn an_empty_suite_does_not_look_good() {
    let result = SuiteResult::default();
    assert!(!result.passed());
    for (document, word) in [
        (Document::JsonLines, "\"good\":false"),
        (Document::Junit, "errors=\"1\""),
        (Document::Html, "class=\"failed\""),
        (Document::Sarif, "\"executionSuccessful\": false"),
        (Document::Github, "::error "),
    ] {
        let text = document.render(&head(), &result);
        assert!(text.contains(word), "{document:?}: {text}");
    }
}

#[test]
fn junit_is_read_back_with_its_counts() {
    let mut result = failed();
    result.add_trouble(Phase::CleanUp, "a namespace is left");
    let text = Document::Junit.render(&head(), &result);
    let report = quick_junit::Report::deserialize_from_str(&text).expect("it is JUnit");
    assert_eq!((report.tests, report.failures, report.errors), (4, 1, 1));
    let names: Vec<_> = report.test_suites.iter().map(|s| s.name.as_str()).collect();
    assert_eq!(names, ["good", "bad", "good", "fixname replay"]);
}

#[test]
fn json_lines_are_json_without_wall_time() {
    let text = Document::JsonLines.render(&head(), &failed());
    let events: Vec<serde_json::Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(events[0]["event"], "suiteStarted");
    assert_eq!(events.last().unwrap()["good"], false);
    let failed = events.iter().find(|e| e["event"] == "failed").unwrap();
    assert_eq!(failed["line"], 17);
    let mut slower = self::failed();
    slower.runs[0].duration = Duration::from_secs(9);
    assert_eq!(Document::JsonLines.render(&head(), &slower), text);
}

#[test]
fn sarif_names_file_and_line() {
    let text = Document::Sarif.render(&head(), &failed());
    let document: serde_json::Value = serde_json::from_str(&text).unwrap();
    let place = &document["runs"][0]["results"][0]["locations"][0]["physicalLocation"];
    assert_eq!(
        place["artifactLocation"]["uri"],
        "scenarios/a,b:%20100%25.yaml"
    );
    assert_eq!(place["region"]["startLine"], 17);
    assert_eq!(document["version"], "2.1.0");
    assert_eq!(
        document["runs"][0]["invocations"][0]["executionSuccessful"],
        false
    );
}

#[test]
fn github_commands_stand_on_one_line_and_escape() {
    let text = Document::Github.render(&head(), &failed());
    assert_eq!(text.lines().count(), 2, "{text}");
    assert!(text.starts_with("::error file=scenarios/a%2Cb%3A 100%25.yaml,line=17,title="));
    assert!(text.contains("%0D%0Atwo"), "{text}");
    assert!(
        text.lines().all(|line| line.starts_with("::error ")),
        "{text}"
    );
}

#[test]
fn a_page_cannot_be_broken_out_of() {
    let text = Document::Html.render(&head(), &failed());
    assert!(!text.contains("<script"), "{text}");
    assert!(text.contains("&lt;script&gt;"));
}
