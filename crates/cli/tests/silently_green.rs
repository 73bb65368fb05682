//! "Silently green": what other harnesses pass over. Each test seeds a fault and
//! demands an exit code that is not 0 *and* the failure in every report format.
//! The issues are those where users of other tools were hurt.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

const KINDS: [&str; 6] = ["json", "jsonl", "junit", "html", "sarif", "github"];

/// A scenario that passes under v1.9.1.
const GOOD: &str = "\
name: good
title: Two disks that collide with nothing
description: It passes.
longhorn: [v1.9.1]
cluster:
  disks:
    node-1/disk-1: \"0b1f6c2e-9a7d-4e38-8f15-6d2c3b4a5e60\"
    node-2/disk-1: \"93d8e7f1-2c5b-4a06-9e47-b1a0c9d8e7f2\"
  images:
    parrot: {source: node-1/disk-1, copies: [node-1/disk-1]}
steps:
  - name: the first copy is ready
    expect:
      - settled: {image: parrot}
  - name: the other disk is wanted
    do:
      - want: {image: parrot, disks: [node-2/disk-1]}
    expect:
      - settled: {image: parrot}
";

struct Played {
    exit: Option<i32>,
    stderr: String,
    /// By kind.
    reports: Vec<(&'static str, String)>,
}

impl Played {
    /// The exit code is this one, and each report tells of it.
    fn must_say(&self, exit: i32, word: &str) {
        assert_eq!(self.exit, Some(exit), "{}", self.stderr);
        for (kind, text) in &self.reports {
            assert!(text.contains(word), "{kind} does not say {word:?}:\n{text}");
        }
        assert_eq!(self.reports.len(), KINDS.len(), "{}", self.stderr);
    }
}

/// Plays a folder with these files, with every kind of report.
fn play(files: &[(&str, &str)], flags: &[&str]) -> Played {
    let folder = TempDir::new().expect("a temporary folder");
    let scenarios = folder.path().join("scenarios");
    std::fs::create_dir(&scenarios).expect("the temporary folder can be written");
    for (name, text) in files {
        std::fs::write(scenarios.join(name), text).expect("the temporary folder can be written");
    }
    let reports = folder.path().join("reports");
    std::fs::create_dir(&reports).expect("the temporary folder can be written");
    let output = command(&scenarios, &reports, flags)
        .output()
        .expect("the program starts");
    played(&output, &reports)
}

fn command(scenarios: &Path, reports: &Path, flags: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fixname"));
    command.arg("replay").arg(scenarios).args(flags);
    for kind in KINDS {
        let file = reports.join(kind);
        command
            .arg("--report")
            .arg(format!("{kind}={}", file.display()));
    }
    command
}

fn played(output: &Output, reports: &Path) -> Played {
    let read = |kind: &&'static str| {
        let text = std::fs::read_to_string(reports.join(kind)).ok()?;
        Some((*kind, text))
    };
    Played {
        exit: output.status.code(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        reports: KINDS.iter().filter_map(read).collect(),
    }
}

fn changed(from: &str, to: &str) -> String {
    assert!(GOOD.contains(from), "{from}");
    GOOD.replace(from, to)
}

#[test]
fn the_scenario_these_tests_damage_is_good() {
    let played = play(&[("good.yaml", GOOD)], &[]);
    assert_eq!(played.exit, Some(0), "{}", played.stderr);
    for (kind, text) in &played.reports {
        let bad = match *kind {
            "json" => "\"failed\": 1",
            "jsonl" => "\"good\":false",
            "junit" => "<failure",
            "html" => "class=\"failed\"",
            "sarif" => "\"level\": \"error\"",
            _ => "::error",
        };
        assert!(!text.contains(bad), "{kind}: {text}");
    }
}

/// kuttl#278: `Commands:` instead of `commands:` is passed over, and the test passes.
#[test]
fn a_mistyped_key_fails() {
    for (from, to) in [
        ("    expect:", "    Expect:"),
        ("steps:", "Steps:"),
        ("longhorn:", "longhorns:"),
        ("settled:", "setled:"),
        ("    do:", "    Do:"),
    ] {
        let word = to.trim().trim_end_matches(':');
        play(&[("a.yaml", &changed(from, to))], &[]).must_say(2, word);
    }
}

/// kuttl#504: of two asserts in one file, only one is used.
#[test]
fn a_second_document_in_a_file_is_not_passed_over() {
    let text = format!("{GOOD}---\n{}", changed("name: good", "name: second"));
    play(&[("a.yaml", &text)], &[]).must_say(2, "a.yaml");
}

/// kuttl#462 and its kin: a file of the wrong kind or place is not what it seems.
#[test]
fn a_file_that_is_no_scenario_fails_the_suite() {
    let other = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n";
    play(&[("good.yaml", GOOD), ("other.yaml", other)], &[]).must_say(2, "other.yaml");
    play(&[("empty.yaml", "")], &[]).must_say(2, "empty.yaml");
    play(&[("readme.txt", "nothing to play")], &[]).must_say(2, "no scenario");
}

/// chainsaw#955: an assertion that holds for nothing holds.
#[test]
fn an_expectation_about_nothing_fails() {
    let none = changed(
        "\n    expect:\n      - settled: {image: parrot}\n  - name: the other",
        "\n    expect: []\n  - name: the other",
    );
    play(&[("a.yaml", &none)], &[]).must_say(2, "could not fail");
    let never = changed(
        "      - settled: {image: parrot}\n  - name",
        "      - {on: fixed, settled: {image: parrot}}\n  - name",
    );
    play(&[("a.yaml", &never)], &[]).must_say(2, "nothing is expected under v1.9.1");
    let unknown = changed("settled: {image: parrot}", "settled: {image: parot}");
    play(&[("a.yaml", &unknown)], &[]).must_say(2, "parot");
}

/// popeye#264: an exclusion with a mistyped key excludes nothing, and nobody says so.
#[test]
fn an_exclusion_of_nothing_fails() {
    let matrix = |exclude: &str| {
        changed(
            "longhorn: [v1.9.1]",
            &format!(
                "longhorn: [v1.9.1]\nmatrix: {{axes: {{image: [parrot, heron]}}, exclude: [{exclude}]}}"
            ),
        )
        .replace("parrot:", "${image}:")
        .replace("image: parrot", "image: '${image}'")
    };
    let played = play(&[("a.yaml", &matrix("{image: heron}"))], &[]);
    assert_eq!(played.exit, Some(0), "{}", played.stderr);
    play(&[("a.yaml", &matrix("{image: hron}"))], &[]).must_say(2, "hron");
    play(&[("a.yaml", &matrix("{imag: heron}"))], &[]).must_say(2, "imag");
}

/// cozystack#4408: what goes wrong after the last step is in no report, and passes.
#[test]
fn what_goes_wrong_after_the_last_step_fails() {
    let never_met = changed(
        "      - want: {image: parrot, disks: [node-2/disk-1]}\n",
        "      - want: {image: parrot, disks: [node-2/disk-1]}\n      - fault: {verb: delete, resource: backingimages, action: error}\n",
    );
    play(&[("a.yaml", &never_met)], &[]).must_say(1, "the whole run");
}

/// chainsaw#2531: what could not be removed is left behind, and the test has passed.
#[test]
fn what_cannot_be_removed_fails() {
    let folder = TempDir::new().unwrap();
    let kubeconfig = folder.path().join("kubeconfig");
    let mut server = Command::new(env!("CARGO_BIN_EXE_fixname"))
        .args(["serve", "--longhorn", "v1.9.1", "--play", "none"])
        .arg("--kubeconfig-out")
        .arg(&kubeconfig)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut ready = String::new();
    let stdout = server.stdout.take().unwrap();
    BufReader::new(stdout).read_line(&mut ready).unwrap();
    let address = ready.trim().strip_prefix("ready https://").unwrap();
    let config = std::fs::read_to_string(&kubeconfig).unwrap();
    let token = config
        .lines()
        .find_map(|l| l.trim().strip_prefix("token: "));
    // Nobody may delete a setting: the webhook that judges that does not answer.
    let refusing = r#"{"apiVersion":"admissionregistration.k8s.io/v1","kind":"ValidatingWebhookConfiguration",
        "metadata":{"name":"refusing"},"webhooks":[{"name":"settings.example.com","sideEffects":"None",
        "admissionReviewVersions":["v1"],"failurePolicy":"Fail","clientConfig":{"url":"https://127.0.0.1:9/"},
        "rules":[{"apiGroups":["longhorn.io"],"apiVersions":["v1beta2"],"operations":["DELETE"],"resources":["settings"]}]}]}"#;
    let mut stream = TcpStream::connect(address).unwrap();
    write!(
        stream,
        "POST /apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations HTTP/1.1\r\nHost: x\r\n\
         Authorization: Bearer {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{refusing}",
        token.unwrap(),
        refusing.len()
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
    let config = kubeconfig.to_str().unwrap();
    let flags = [
        "--backend",
        "context",
        "--kubeconfig",
        config,
        "--time-scale",
        "50",
    ];
    let played = play(&[("good.yaml", GOOD)], &flags);
    let ended = server.kill().and_then(|()| server.wait());
    played.must_say(1, "clean-up");
    played.must_say(1, "settings.example.com");
    ended.unwrap();
}

/// longhornctl's preflight check ends with 0 though it has printed errors.
#[test]
fn detect_ends_the_same_in_every_format() {
    let data = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../capture/tests/data/recorded"
    );
    for format in ["table", "wide", "json", "yaml", "kb"] {
        let detect = |file: &str| {
            let file = format!("{data}/{file}");
            let mut command = Command::new(env!("CARGO_BIN_EXE_fixname"));
            command
                .args(["detect", &file, "-o", format])
                .output()
                .unwrap()
        };
        let output = detect("cluster.json");
        assert_eq!(output.status.code(), Some(1), "{format}");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(text.contains("c012"), "{format}: {text}");
        let output = detect("no-such-file.json");
        assert_eq!(output.status.code(), Some(2), "{format}");
        assert!(output.stdout.is_empty(), "{format}");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(said.contains("no-such-file.json"), "{format}: {said}");
    }
}

/// A selection that fits nothing is not a passed suite.
#[test]
fn a_selection_of_nothing_fails() {
    play(&[("good.yaml", GOOD)], &["--select", "god"]).must_say(2, "god");
    play(&[("good.yaml", GOOD)], &["--longhorn", "v1.12.1"]).must_say(5, "no scenario is played");
    // A part with nothing in it.
    play(&[("good.yaml", GOOD)], &["--shard", "2/2"]).must_say(5, "no run in it");
}

/// troubleshoot#1131, kubent#450, pluto#507: the cluster cannot be reached, exit 0.
#[test]
fn a_cluster_that_cannot_be_reached_fails() {
    let folder = TempDir::new().unwrap();
    let config = folder.path().join("kubeconfig");
    std::fs::write(
        &config,
        "apiVersion: v1\nkind: Config\ncurrent-context: a\ncontexts: [{name: a, context: {cluster: a, user: a}}]\nclusters: [{name: a, cluster: {server: 'http://127.0.0.1:9'}}]\nusers: [{name: a, user: {}}]\n",
    )
    .unwrap();
    let config = config.to_str().unwrap();
    let flags = ["--backend", "context", "--kubeconfig", config];
    play(&[("good.yaml", GOOD)], &flags).must_say(3, "environment");
    let flags = ["--backend", "context", "--kubeconfig", "/nowhere/config"];
    play(&[("good.yaml", GOOD)], &flags).must_say(3, "environment");
}

/// popeye#264, chainsaw#1099: a failed step is in the log and not in the report.
#[test]
fn a_failed_expectation_is_in_every_report() {
    let wrong = ["--name-scheme", "sha224"];
    let played = play(&[("good.yaml", GOOD)], &wrong);
    played.must_say(1, "the first copy is ready");
    played.must_say(1, "backing-image-manager-4407-0b1f");
}

/// kubeaudit#575: with SARIF as the output, the exit code is 0.
#[test]
fn the_exit_code_is_the_same_for_every_output() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("good.yaml");
    std::fs::write(&file, GOOD).unwrap();
    for kind in KINDS.iter().chain(&["text"]) {
        for (flags, exit) in [(vec![], 0), (vec!["--name-scheme", "sha224"], 1)] {
            let output = Command::new(env!("CARGO_BIN_EXE_fixname"))
                .arg("replay")
                .arg(&file)
                .args(&flags)
                .args(["-o", kind])
                .output()
                .unwrap();
            assert_eq!(output.status.code(), Some(exit), "{kind}");
            assert!(!output.stdout.is_empty(), "{kind}");
        }
    }
}

/// kyverno#17559: the report is broken exactly when a test fails.
#[test]
fn reports_of_a_failure_are_well_formed() {
    // Names of steps are free text; they go into every format.
    let nasty = changed(
        "name: the first copy is ready",
        "name: \"<b>&amp; ]]> \\u0007 % :: \\\"quoted\\\"\"",
    );
    let played = play(&[("a.yaml", &nasty)], &["--name-scheme", "sha224"]);
    played.must_say(1, "quoted");
    for (kind, text) in &played.reports {
        match *kind {
            "json" | "sarif" => drop(serde_json::from_str::<serde_json::Value>(text).unwrap()),
            "jsonl" => {
                for line in text.lines() {
                    serde_json::from_str::<serde_json::Value>(line).unwrap();
                }
            }
            "junit" => {
                let inside = text.replace("&lt;b&gt;&amp;amp;", "");
                assert!(inside.len() < text.len(), "{text}");
                assert!(!text.contains('\u{7}'), "{text}");
            }
            "html" => assert!(!text.contains("<b>&amp; ]]>"), "{text}"),
            _ => assert!(text.lines().all(|l| l.starts_with("::")), "{text}"),
        }
    }
}

/// chainsaw src (a report that cannot be written): whoever waits for it must be told.
#[test]
fn a_report_that_cannot_be_written_fails() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("good.yaml");
    std::fs::write(&file, GOOD).unwrap();
    let run = |report: &str| {
        Command::new(env!("CARGO_BIN_EXE_fixname"))
            .arg("replay")
            .arg(&file)
            .args(["--report", report])
            .output()
            .unwrap()
    };
    for report in [
        "junit=/nowhere/at/all.xml",
        "junit=.",
        "junit=",
        "xml=a",
        "junit",
    ] {
        let output = run(report);
        assert_eq!(output.status.code(), Some(2), "{report}");
        assert!(output.stdout.is_empty(), "{report}: nothing was played");
    }
}

/// A report's place goes away while the suite runs: the others tell of it.
#[test]
#[cfg(target_os = "linux")]
fn a_report_that_gets_lost_is_trouble_in_the_others() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("good.yaml");
    std::fs::write(&file, GOOD).unwrap();
    let json = folder.path().join("a.json");
    // The place of this one is a name too long for a folder to hold: it can be
    // made beside its place, and not be put there.
    let lost = folder.path().join("b".repeat(300));
    let output = Command::new(env!("CARGO_BIN_EXE_fixname"))
        .arg("replay")
        .arg(&file)
        .arg("--report")
        .arg(format!("json={}", json.display()))
        .arg("--report")
        .arg(format!("junit={}", lost.display()))
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let text = std::fs::read_to_string(json).unwrap();
    assert!(text.contains("\"phase\": \"report\""), "{text}");
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert!(stdout.contains("was not written"), "{stdout}");
}

/// A suite that takes too long has not passed.
#[test]
fn a_suite_that_takes_too_long_fails() {
    let long = changed(
        "longhorn: [v1.9.1]",
        "longhorn: [v1.9.1]\nrepeat: {seeds: 1000000}",
    );
    let played = play(&[("a.yaml", &long)], &["--timeout", "1"]);
    played.must_say(4, "not done after 1 s");
}

/// A reader that has seen enough does not turn a failure into success.
#[test]
fn a_closed_pipe_keeps_the_verdict() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("good.yaml");
    std::fs::write(&file, GOOD).unwrap();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let status = Command::new(env!("CARGO_BIN_EXE_fixname"))
        .arg("replay")
        .arg(&file)
        .args(["--name-scheme", "sha224"])
        .stdout(writer)
        .status()
        .unwrap();
    assert_eq!(status.code(), Some(1));
}

/// All parts together are the whole, and each run is in one of them.
#[test]
fn parts_make_the_whole() {
    let scenarios = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scenarios");
    let runs = |flags: &[&str]| -> Vec<String> {
        let output = Command::new(env!("CARGO_BIN_EXE_fixname"))
            .arg("replay")
            .arg(PathBuf::from(&scenarios))
            .args(["-o", "jsonl", "--repeat", "2"])
            .args([
                "--select",
                "two-disks-*,same-node",
                "--longhorn",
                "v1.9.1,v1.12.1",
            ])
            .args(flags)
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(0));
        String::from_utf8(output.stdout)
            .unwrap()
            .lines()
            .filter(|line| line.contains("\"event\":\"runFinished\""))
            .map(str::to_owned)
            .collect()
    };
    let whole = runs(&["--parallel", "1"]);
    assert_eq!(whole, runs(&["--parallel", "5"]), "the same bytes");
    let mut parts: Vec<_> = (1..=3)
        .flat_map(|part| runs(&["--shard", &format!("{part}/3")]))
        .collect();
    let mut sorted = whole;
    sorted.sort();
    parts.sort();
    assert_eq!(sorted, parts);
}
