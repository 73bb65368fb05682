//! `fixname replay` as a user meets it: verdicts, exit codes, and what is said
//! when a file, a flag or the environment is wrong.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn scenarios() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scenarios")
}

fn main_scenario() -> PathBuf {
    scenarios().join("01-two-disks-one-prefix.yaml")
}

fn replay(path: &Path, flags: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_fixname"))
        .arg("replay")
        .arg(path)
        .args(flags)
        .env_remove("NO_COLOR")
        .output()
        .expect("the program starts")
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("stdout is text")
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("stderr is text")
}

#[test]
fn the_main_job_tells_the_story_in_80_columns() {
    let output = replay(&main_scenario(), &[]);
    let text = stdout(&output);
    assert_eq!(output.status.code(), Some(0), "{text}{}", stderr(&output));
    for line in [
        "  ok   v1.9.1   stuck    node-1/disk-7 has the name, node-2/default-disk waits",
        "  ok   v1.12.1  settled  3 disks, 3 managers, all copies ready",
        "    node-2/default-disk  c012eb76-f8eb-4ea1-b81d-472eac9d98bf  STUCK",
        "    \"backing-image-manager-4407-c012\" already exists",
        "What v1.9.2 did instead",
    ] {
        assert!(text.contains(line), "{line:?} is not in\n{text}");
    }
    let long: Vec<_> = text.lines().filter(|l| l.chars().count() > 80).collect();
    assert!(long.is_empty(), "{long:#?}");
    assert!(!text.contains('\u{1b}'), "no colours through a pipe");
}

#[test]
fn a_wrong_name_function_is_exit_code_1_and_says_why() {
    for (version, scheme, why) in [
        (
            "v1.9.1",
            "sha224",
            "v1.9.1 names it backing-image-manager-4407-c012",
        ),
        ("v1.12.1", "truncated", "v1.12.1 names it bim-"),
    ] {
        let flags = ["--longhorn", version, "--name-scheme", scheme];
        let output = replay(&main_scenario(), &flags);
        assert_eq!(output.status.code(), Some(1));
        let text = stdout(&output);
        assert!(text.contains(why), "{text}");
        assert!(text.contains("1 run: 0 passed, 1 failed"), "{text}");
        assert!(
            text.contains(&format!("--longhorn {version} --seed 1")),
            "{text}"
        );

        let output = replay(&main_scenario(), &[&flags[..], &["-o", "json"]].concat());
        assert_eq!(output.status.code(), Some(1));
        let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(json["formatVersion"], 1);
        assert_eq!(
            json["totals"],
            serde_json::json!({"passed": 0, "failed": 1})
        );
        assert_eq!(json["scenarios"][0]["result"], "failed");
        let found = json["scenarios"][0]["failures"][0]["found"].to_string();
        assert!(found.contains(why), "{found}");
    }
}

/// A copy of the main scenario with something replaced.
fn damaged(folder: &tempfile::TempDir, from: &str, to: &str) -> PathBuf {
    let text = std::fs::read_to_string(main_scenario()).expect("it is shipped");
    assert!(text.contains(from), "{from}");
    let path = folder.path().join("damaged.yaml");
    std::fs::write(&path, text.replacen(from, to, 1)).expect("the folder can be written");
    path
}

#[test]
fn a_wrong_file_is_exit_code_2_and_names_the_place() {
    let folder = tempfile::tempdir().unwrap();
    for (from, to, why) in [
        (
            "longhorn:",
            "longhron:",
            "damaged.yaml:9:1: there is no key \"longhron\" here; did you mean longhorn?",
        ),
        (
            "v1.8.1",
            "v0.9.0",
            "damaged.yaml:9:12: Longhorn v0.9.0 is older",
        ),
        (
            "winner: node-1/disk-7",
            "winner: node-9/disk-7",
            "there is no disk node-9/disk-7",
        ),
        (
            "on: fixed",
            "on: affected",
            "nothing is expected under v1.9.2",
        ),
        ("node-3/disk-1: ", "node-3: ", "a disk is written node/disk"),
        ("steps:", "steps: [", "damaged.yaml:18:3: "),
    ] {
        let output = replay(&damaged(&folder, from, to), &[]);
        assert_eq!(output.status.code(), Some(2), "{to}");
        assert_eq!(stdout(&output), "", "{to}");
        let said = stderr(&output);
        assert!(said.contains("damaged.yaml"), "{said}");
        assert!(said.contains(why), "{why:?} is not in\n{said}");
    }
}

#[test]
fn unreadable_files_are_exit_code_2() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    };
    let empty = folder.path().join("folder");
    std::fs::create_dir(&empty).unwrap();
    for path in [
        write("empty.yaml", b""),
        write("binary.yaml", b"\xff\xfe\x00"),
        write("list.yaml", b"- a\n- b\n"),
        write("deep.yaml", "[".repeat(100_000).as_bytes()),
        folder.path().join("missing.yaml"),
        empty,
    ] {
        let output = replay(&path, &[]);
        assert_eq!(output.status.code(), Some(2), "{}", path.display());
        assert_eq!(stdout(&output), "");
        assert!(!stderr(&output).contains("panicked"), "{}", stderr(&output));
    }
}

#[test]
fn what_cannot_be_played_is_never_green() {
    let none = replay(&main_scenario(), &["--longhorn", "v1.7.2"]);
    assert_eq!(none.status.code(), Some(5));
    let unknown = replay(&main_scenario(), &["--select", "two-disks"]);
    assert_eq!(unknown.status.code(), Some(2));
    let unreachable = replay(
        &main_scenario(),
        &["--backend", "context", "--kubeconfig", "no-such-file"],
    );
    assert_eq!(unreachable.status.code(), Some(3));
    for output in [none, unknown, unreachable] {
        assert_eq!(stdout(&output), "");
        assert!(stderr(&output).contains("next: "), "{}", stderr(&output));
    }
}

#[test]
fn a_failed_run_is_kept_if_asked_for_and_only_then() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let kept = folder.path().join("kept");
    let keep = format!("--keep-on-failure={}", kept.display());
    let flags = ["--longhorn", "v1.12.1", "--name-scheme", "truncated"];
    let output = replay(&main_scenario(), &[&flags[..], &[&keep]].concat());
    assert_eq!(output.status.code(), Some(1));
    let file = kept.join("two-disks-one-prefix-v1.12.1-seed1.json");
    assert!(
        stdout(&output).contains(&format!("kept:     {}", file.display())),
        "{}",
        stdout(&output)
    );
    // What is kept is what detect can read: the collision is in it.
    let detected = Command::new(env!("CARGO_BIN_EXE_fixname"))
        .arg("detect")
        .arg(&file)
        .output()
        .expect("the program starts");
    assert_eq!(detected.status.code(), Some(1), "{}", stderr(&detected));
    assert!(stdout(&detected).contains("c012"), "{}", stdout(&detected));

    std::fs::remove_dir_all(&kept).expect("the folder is there");
    replay(&main_scenario(), &flags);
    replay(&main_scenario(), &["--longhorn", "v1.12.1", &keep]);
    assert!(!kept.exists(), "a run that passed, or nobody asked for");
}

/// What is kept may be handed on.
#[test]
fn secrets_are_not_kept() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("secret.yaml");
    let text = std::fs::read_to_string(scenarios().join("no-collision.yaml"));
    let apply = |kind: &str, data: &str| {
        format!(
            "      - apply: {{apiVersion: v1, kind: {kind}, metadata: {{name: both}}, {data}}}\n"
        )
    };
    let both = apply("Secret", "stringData: {key: not-for-you}")
        + &apply("ConfigMap", "data: {key: for-all-to-see}");
    let text = text.expect("a shipped scenario").replacen(
        "    expect:\n",
        &format!("    do:\n{both}    expect:\n"),
        1,
    );
    std::fs::write(&file, text).expect("a folder that can be written");
    let kept = folder.path().join("kept");
    let keep = format!("--keep-on-failure={}", kept.display());
    let flags = ["--longhorn", "v1.12.1", "--name-scheme", "truncated", &keep];
    let output = replay(&file, &flags);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    let file = kept.join("no-collision-v1.12.1-seed1.json");
    let text = std::fs::read_to_string(file).expect("the objects are kept");
    assert!(text.contains("for-all-to-see"), "{text}");
    for word in ["Secret", "not-for-you", "bm90LWZvci15b3U"] {
        assert!(!text.contains(word), "{word}: {text}");
    }
}

/// A scenario with a program of its own in it, which is a shell with this script.
fn with_command(script: &str, more: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("command.yaml");
    let text = std::fs::read_to_string(scenarios().join("no-collision.yaml"));
    let text = text.expect("a shipped scenario").replacen(
        "    expect:\n",
        &format!("    do:\n      - run: {{command: [sh, -c, '{script}'], {more}}}\n    expect:\n"),
        1,
    );
    std::fs::write(&file, text).expect("a folder that can be written");
    (folder, file)
}

#[test]
fn a_program_of_a_scenario_runs_only_if_that_is_allowed() {
    let (folder, file) = with_command("touch here", "exit: 0");
    let here = folder.path().join("here");
    let flags = ["--longhorn", "v1.9.1"];
    let output = replay(&file, &flags);
    assert_eq!(output.status.code(), Some(2));
    let said = stderr(&output);
    assert!(
        said.contains("touch here") && said.contains("--allow-commands"),
        "{said}"
    );
    assert!(!here.exists());
    let output = replay(&file, &[&flags[..], &["--allow-commands"]].concat());
    assert_eq!(output.status.code(), Some(0), "{}", stdout(&output));
    assert!(here.exists(), "it runs in the folder of the scenario");
}

#[test]
fn a_program_of_a_scenario_reaches_the_cluster_and_is_judged() {
    // Whether it gets what it needs, without a client that might not be installed.
    let server = r#"sed -n "s|.*\"server\":\"https://\([^\"]*\)\".*|\1|p" "$KUBECONFIG""#;
    let listens =
        format!("exec 3<>/dev/tcp/$({server} | tr : /) && echo listens in $FIXNAME_NAMESPACE");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let script = folder.path().join("reach.sh");
    std::fs::write(&script, listens).expect("a folder that can be written");
    let reach = format!("bash {}", script.display());
    for (script, more, exit, says) in [
        (
            reach.as_str(),
            "contains: listens in longhorn-system",
            0,
            "",
        ),
        (
            reach.as_str(),
            "contains: listens elsewhere",
            1,
            "did not print",
        ),
        ("echo no >&2; exit 3", "exit: 3", 0, ""),
        (
            "echo no >&2; exit 3",
            "exit: 0",
            1,
            "ended with 3, not with 0",
        ),
        ("sleep 600 & sleep 600", "within: 1", 1, "ended after 1 s"),
    ] {
        let (_folder, file) = with_command(script, more);
        let output = replay(&file, &["--longhorn", "v1.9.1", "--allow-commands"]);
        let text = stdout(&output);
        assert_eq!(output.status.code(), Some(exit), "{script}: {text}");
        assert!(text.contains(says), "{script}: {text}");
    }
}
