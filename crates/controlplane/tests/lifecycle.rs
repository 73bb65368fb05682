//! Programs are found or their absence is explained; nothing outlives its owner.

use std::path::PathBuf;

use fixname_controlplane::{ControlPlane, Error, Options, Programs};

#[test]
fn missing_programs_are_named_with_the_places_and_the_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let error = Programs::find_in(&[folder.path().to_owned()]).unwrap_err();
    let text = error.to_string();
    assert!(matches!(error, Error::ProgramsNotFound { .. }));
    assert!(text.contains("etcd and kube-apiserver"), "{text}");
    assert!(
        text.contains(&folder.path().display().to_string()),
        "{text}"
    );
    assert!(text.contains("KUBEBUILDER_ASSETS"), "{text}");
}

#[test]
fn a_program_that_fails_is_named_with_its_last_lines() {
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("etcd");
    std::fs::write(&script, "#!/bin/sh\necho out of luck >&2\nexit 3\n").unwrap();
    let mut mode = std::fs::metadata(&script).unwrap().permissions();
    std::os::unix::fs::PermissionsExt::set_mode(&mut mode, 0o755);
    std::fs::set_permissions(&script, mode).unwrap();
    let programs = Programs {
        etcd: script,
        apiserver: PathBuf::from("/bin/sleep"),
        controller_manager: None,
    };
    let error = ControlPlane::start_blocking(Options::default().programs(programs)).unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains("start etcd: it ended") || text.contains("start kube-apiserver: it ended"),
        "{text}"
    );
}

#[tokio::test]
#[ignore = "needs etcd and kube-apiserver"]
async fn it_answers_and_leaves_nothing_behind() {
    let control_plane = ControlPlane::start(Options::default()).await.unwrap();
    let client = control_plane.client("default").await.unwrap();
    let version = client.apiserver_version().await.unwrap();
    assert_eq!(version.major, "1");
    let folder = control_plane.folder().to_owned();
    let marker = folder.display().to_string();
    assert!(processes_with(&marker) >= 2);
    drop(control_plane);
    assert!(!folder.exists());
    // The supervising shell is the last to go, a moment after the programs.
    for _ in 0..200 {
        if processes_with(&marker) == 0 {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("{} processes are left behind", processes_with(&marker));
}

/// Runs another of this file's tests in a process of its own; answers with the
/// data folder that it printed, as soon as its control plane runs.
fn run_apart(test: &str) -> (std::process::Child, PathBuf) {
    use std::io::{BufRead, BufReader};
    let mut child =
        std::process::Command::new(std::env::current_exe().expect("a test has a program"))
            .args([
                test,
                "--exact",
                "--ignored",
                "--nocapture",
                "--test-threads=1",
            ])
            .env("FIXNAME_LIFECYCLE_CHILD", "1")
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::null())
            .spawn()
            .expect("the program starts");
    let mut lines = BufReader::new(child.stdout.take().expect("stdout is a pipe")).lines();
    let folder = lines
        .find_map(|line| Some(PathBuf::from(line.ok()?.split_once("folder: ")?.1)))
        .expect("the other test starts its control plane");
    (child, folder)
}

/// Nothing may be left of a control plane, a moment after its owner ended.
fn is_gone(folder: &std::path::Path) {
    let marker = folder.display().to_string();
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while folder.exists() || processes_with(&marker) > 0 {
        assert!(
            std::time::Instant::now() < deadline,
            "left behind: {} processes, the folder {}",
            processes_with(&marker),
            folder.exists()
        );
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}

/// Not a test of its own: what the two below run in a process of its own.
#[test]
#[ignore = "needs etcd and kube-apiserver"]
fn child_that_panics() {
    if std::env::var_os("FIXNAME_LIFECYCLE_CHILD").is_none() {
        return;
    }
    let control_plane = ControlPlane::start_blocking(Options::default()).unwrap();
    println!("folder: {}", control_plane.folder().display());
    panic!("on purpose");
}

/// The same, which waits to be killed.
#[test]
#[ignore = "needs etcd and kube-apiserver"]
fn child_that_waits() {
    if std::env::var_os("FIXNAME_LIFECYCLE_CHILD").is_none() {
        return;
    }
    // In a static, as the tests of a whole file share one: nothing drops it.
    static SHARED: std::sync::OnceLock<ControlPlane> = std::sync::OnceLock::new();
    let control_plane =
        SHARED.get_or_init(|| ControlPlane::start_blocking(Options::default()).unwrap());
    println!("folder: {}", control_plane.folder().display());
    std::thread::sleep(std::time::Duration::from_secs(120));
}

#[test]
#[ignore = "needs etcd and kube-apiserver"]
fn a_test_that_panics_leaves_nothing_behind() {
    let (mut child, folder) = run_apart("child_that_panics");
    assert!(!child.wait().unwrap().success());
    is_gone(&folder);
}

#[test]
#[ignore = "needs etcd and kube-apiserver"]
fn an_owner_that_is_killed_leaves_nothing_behind() {
    let (mut child, folder) = run_apart("child_that_waits");
    assert!(processes_with(&folder.display().to_string()) >= 2);
    // SIGKILL: no destructor and no handler runs.
    child.kill().unwrap();
    child.wait().unwrap();
    is_gone(&folder);
}

/// How many processes have `marker` in their command line.
fn processes_with(marker: &str) -> usize {
    let Ok(entries) = std::fs::read_dir("/proc") else {
        return 0;
    };
    entries
        .flatten()
        .filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok())
        .filter(|line| String::from_utf8_lossy(line).contains(marker))
        .count()
}
